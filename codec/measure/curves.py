"""Bjøntegaard's delta rate: how many bytes more or fewer one curve needs at equal PSNR, on average.

The logarithm of the bytes is interpolated over PSNR by monotone piecewise cubics (Fritsch and Carlson's, as
SciPy's ``pchip``), and the two are averaged over the PSNRs that both curves reach (VCEG-M33, with pchip as in
JVET-H0030).
Where the curves share too little for a result that means something, there is a reason instead of a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.errors import ConfigError
from codec.measure.points import Clip, PeerPoint, Point, quality_name
from codec.models import MotionModel

__all__ = [
    *("BdRate", "Curve", "CurveComparison", "Domain", "bd_rate", "compare_curves", "curves_of", "domains_of"),
    *("refuse_unknown_curve", "upper_hull"),
]

LEAST_POINTS = 4  # fewer leave the cubics to chance
LEAST_OVERLAP_DB = 1.0
LEAST_SHARE = 0.25  # of the shorter curve's range of PSNR that the other must cover

Samples = npt.NDArray[np.float64]


class Curve:
    """The logarithm of bytes over PSNR, through measured points (bytes, PSNR in dB).

    Raises:
        ValueError: fewer than `LEAST_POINTS` points, or more PSNR somewhere for no more bytes; the message says it.
    """

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        ordered = sorted((psnr, size) for size, psnr in points if math.isfinite(psnr))
        if len(ordered) < LEAST_POINTS:
            raise ValueError(f"points with an error: {len(ordered)}; {LEAST_POINTS} are needed")
        self.psnr, sizes = np.array(ordered, np.float64).T
        self.log_bytes = np.log(sizes)
        if not (np.all(np.diff(self.psnr) > 0) and np.all(np.diff(self.log_bytes) > 0)):
            raise ValueError("PSNR does not rise with bytes everywhere")
        self._slopes = monotone_slopes(self.psnr, self.log_bytes)

    def log_at(self, psnr: Samples) -> Samples:
        """Natural logarithm of the bytes that the curve needs for PSNRs within its range: Hermite's cubic form."""
        piece = np.clip(np.searchsorted(self.psnr, psnr, side="right") - 1, 0, len(self.psnr) - 2)
        width = self.psnr[piece + 1] - self.psnr[piece]
        t = (psnr - self.psnr[piece]) / width
        start, end = self.log_bytes[piece], self.log_bytes[piece + 1]
        first, last = width * self._slopes[piece], width * self._slopes[piece + 1]
        bend = (1 - t) * first - t * last + (2 * t - 1) * (end - start)
        value: Samples = start + t * (end - start) + t * (1 - t) * bend
        return value

    def at(self, psnr: Samples) -> Samples:
        """Bytes that the curve needs for PSNRs within its range."""
        return np.exp(self.log_at(psnr))

    def mean_log_bytes(self, low: float, high: float) -> float:
        """Mean of the logarithm of bytes from one PSNR to another, both within the curve's range."""
        ends = np.unique(np.clip(self.psnr, low, high))
        middles = (ends[:-1] + ends[1:]) / 2
        # Simpson's rule, which is exact for cubics
        means = (self.log_at(ends[:-1]) + 4 * self.log_at(middles) + self.log_at(ends[1:])) / 6
        return float(np.average(means, weights=np.diff(ends)))


def monotone_slopes(x: Samples, y: Samples) -> Samples:
    """Slopes at the points that keep cubics between them monotone; y rises with x, at least three points."""
    widths, secants = np.diff(x), np.diff(y) / np.diff(x)
    before, after = 2 * widths[1:] + widths[:-1], widths[1:] + 2 * widths[:-1]
    inner = (before + after) / (before / secants[:-1] + after / secants[1:])
    return np.concatenate([[_end_slope(widths, secants)], inner, [_end_slope(widths[::-1], secants[::-1])]])


def _end_slope(widths: Samples, secants: Samples) -> float:
    """Slope at the first point: that of the parabola through three, as far as it keeps the cubic monotone."""
    slope = (2 * widths[0] + widths[1]) * secants[0] - widths[0] * secants[1]
    return max(float(slope / (widths[0] + widths[1])), 0.0)


class BdRate(NamedTuple):
    """How one curve stands against an anchor."""

    change: float | None  # mean change of bytes at equal PSNR, such as −0.2 for a fifth fewer; None: see why_not
    low_psnr: float | None = None  # over which PSNRs, in dB
    high_psnr: float | None = None
    why_not: str = ""


def bd_rate(anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]]) -> BdRate:
    """``test`` against ``anchor``; points are (bytes, PSNR in dB), in any order; infinite PSNR is left out."""
    curves = []
    for points, name in ((anchor, "of the anchor, "), (test, "")):
        try:
            curves.append(Curve(points))
        except ValueError as error:
            return BdRate(None, why_not=f"{name}{error}")
    low = max(float(curve.psnr[0]) for curve in curves)
    high = min(float(curve.psnr[-1]) for curve in curves)
    shortest = min(float(np.ptp(curve.psnr)) for curve in curves)
    if high - low < max(LEAST_OVERLAP_DB, LEAST_SHARE * shortest):
        shared = f"{high - low:.1f} dB" if high > low else "no PSNR"
        return BdRate(None, why_not=f"the curves share {shared}, too little to compare")
    anchored, tested = (curve.mean_log_bytes(low, high) for curve in curves)
    return BdRate(math.exp(tested - anchored) - 1, low, high)


def upper_hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of points (cost, value) those on their convex hull from the least cost to the highest value, in that order.

    No other point, and no mix of two, has more value for as much cost.
    """
    hull: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if hull and value <= hull[-1][1]:
            continue
        while len(hull) > 1:
            (cost_0, value_0), (cost_1, value_1) = hull[-2:]
            if (value_1 - value_0) * (cost - cost_0) > (value - value_0) * (cost_1 - cost_0):
                break
            hull.pop()
        hull.append((cost, value))
    return hull


# ------------------------------------------------------------------------------------------- curves by name


class Domain(NamedTuple):
    """All points that were measured in the same planes, so that they may be compared."""

    measured_in: str  # which planes, such as ``rgb`` or ``yuv420``
    points: list[Point]
    peers: list[PeerPoint]

    @property
    def all(self) -> list[Point | PeerPoint]:
        """Our points, then those of peers."""
        return [*self.points, *self.peers]

    @property
    def planes_name(self) -> str:
        """``measured_in`` as people write it: ``RGB``, ``Y'CbCr 4:2:0``."""
        chroma = self.measured_in.removeprefix("yuv")
        return f"Y'CbCr {':'.join(chroma)}" if chroma.isdigit() else "RGB" if chroma == "rgb" else chroma

    @property
    def planes(self) -> list[str]:
        """Letters of the planes, where there are several."""
        planes = list(self.all[0].error.planes)
        return planes if len(planes) > 1 else []

    @property
    def quality(self) -> str:
        """`quality_name` of all of them."""
        return quality_name(self.all)


def domains_of(clip: Clip, points: Sequence[Point], peers: Sequence[PeerPoint] = ()) -> list[Domain]:
    """The source's own samples; and where peers got other planes, those, with the points that were coded in them."""
    own = clip.format.sample_format.label
    coded = [point for point in map(Point.as_coded, points) if point is not None]
    names = dict.fromkeys([own, *(peer.measured_in for peer in peers)])
    return [
        Domain(name, list(points) if name == own else coded, [peer for peer in peers if peer.measured_in == name])
        for name in names
    ]


def curves_of(points: Sequence[Point | PeerPoint]) -> dict[str, list[tuple[float, float]]]:
    """Bytes and `Measured.quality` of the points with an error, by the name of their curve."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        if not point.exact:
            curves.setdefault(point.curve, []).append((point.file_bytes, point.quality))
    return curves


class CurveComparison(NamedTuple):
    """The BD-rate of a curve against the anchor, both by their names; ``measured_in`` are the planes of both."""

    curve: str
    anchor: str
    measured_in: str
    found: BdRate

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = {"curve": self.curve, "anchor": self.anchor, "measured_in": self.measured_in}
        return names | self.found._asdict()


def compare_curves(domains: Sequence[Domain], anchor: str | None = None) -> list[CurveComparison]:
    """Each curve of two or more points against the anchor of its domain.

    A domain without a curve called ``anchor`` takes that of x264 where it has enough points, or else the first of our
    curves that has, of block motion if there is one; where there is none, nothing is compared.

    Raises:
        ConfigError: ``anchor`` is given, and is no curve of any domain.
    """
    of_domains = [curves_of(domain.all) for domain in domains]
    refuse_unknown_curve(anchor, [name for curves in of_domains for name in curves])
    comparisons = []
    for domain, curves in zip(domains, of_domains, strict=True):
        good = [name for name, members in curves_of(domain.points).items() if len(members) >= LEAST_POINTS]
        good.sort(key=lambda name: not name.endswith(f", {MotionModel.BLOCK.label}"))
        if len(curves.get("x264", ())) >= LEAST_POINTS:
            good = ["x264"]
        name = anchor if anchor in curves else next(iter(good), None)
        if name is not None:
            comparisons += [
                CurveComparison(curve, name, domain.measured_in, bd_rate(curves[name], members))
                for curve, members in curves.items()
                if curve != name and len(members) > 1
            ]
    return comparisons


def refuse_unknown_curve(anchor: str | None, names: Sequence[str]) -> None:
    """Raise `ConfigError` where ``anchor`` is given and not among the names of curves."""
    if anchor is not None and anchor not in names:
        raise ConfigError(f"no curve is called {anchor!r}; there are {'; '.join(dict.fromkeys(names)) or 'none'}")
