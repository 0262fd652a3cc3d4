"""Bjøntegaard's delta rate: how many bytes more or fewer one curve needs at equal PSNR, on average.

The logarithm of the bytes is interpolated over PSNR by monotone piecewise cubics (Fritsch and Carlson's, as
SciPy's ``pchip``), and the two are averaged over the PSNRs that both curves reach (VCEG-M33, with pchip as in
JVET-H0030).
Where that would say little, nothing is said but why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_OVERLAP_DB", "LEAST_POINTS", "BdRate", "Curve", "bd_rate"]

LEAST_POINTS = 4  # fewer leave the cubics to chance
LEAST_OVERLAP_DB = 1.0
LEAST_SHARE = 0.25  # of the shorter curve's range of PSNR that the other must cover

Samples = npt.NDArray[np.float64]


class Curve:
    """The logarithm of bytes over PSNR, through measured points.

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

    def at(self, psnr: Samples) -> Samples:
        """Bytes that the curve needs for PSNRs within its range."""
        piece = np.clip(np.searchsorted(self.psnr, psnr, side="right") - 1, 0, len(self.psnr) - 2)
        constant, linear, square, cube = self._cubics(piece)
        distance = psnr - self.psnr[piece]
        return np.asarray(np.exp(constant + distance * (linear + distance * (square + distance * cube))), np.float64)

    def mean_log_bytes(self, low: float, high: float) -> float:
        """Mean of the logarithm of bytes from one PSNR to another, both within the curve's range."""
        total = 0.0
        for piece in range(len(self.psnr) - 1):
            start = float(self.psnr[piece])
            a, b = max(start, low), min(float(self.psnr[piece + 1]), high)
            if a < b:
                for power, coefficient in enumerate(self._cubics(piece), 1):
                    total += float(coefficient) * ((b - start) ** power - (a - start) ** power) / power
        return total / (high - low)

    def _cubics(self, piece: npt.NDArray[np.int64] | int) -> tuple[Samples, Samples, Samples, Samples]:
        """Coefficients of powers 0…3 of the distance from a piece's start."""
        width = self.psnr[piece + 1] - self.psnr[piece]
        secant = (self.log_bytes[piece + 1] - self.log_bytes[piece]) / width
        first, last = self._slopes[piece], self._slopes[piece + 1]
        square = (3 * secant - 2 * first - last) / width
        return self.log_bytes[piece], first, square, (first + last - 2 * secant) / width**2


def monotone_slopes(x: Samples, y: Samples) -> Samples:
    """Slopes at the points that keep cubics between them monotone; y rises with x, at least three points."""
    widths, secants = np.diff(x), np.diff(y) / np.diff(x)
    before, after = 2 * widths[1:] + widths[:-1], widths[1:] + 2 * widths[:-1]
    slopes = np.empty_like(x)
    slopes[1:-1] = (before + after) / (before / secants[:-1] + after / secants[1:])
    slopes[0] = end_slope(widths[0], widths[1], secants[0], secants[1])
    slopes[-1] = end_slope(widths[-1], widths[-2], secants[-1], secants[-2])
    return slopes


def end_slope(width: float, next_width: float, secant: float, next_secant: float) -> float:
    """Slope at an end: that of the parabola through three points, as far as it keeps the cubic monotone."""
    slope = ((2 * width + next_width) * secant - width * next_secant) / (width + next_width)
    return max(slope, 0.0)


class BdRate(NamedTuple):
    """How one curve stands against an anchor."""

    change: float | None
    """Mean change of bytes at equal PSNR, such as −0.2 for a fifth fewer; None where nothing honest can be said."""
    low_psnr: float
    high_psnr: float
    """Over which PSNRs, in dB; NaN without any."""
    why_not: str = ""


def bd_rate(anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]]) -> BdRate:
    """``test`` against ``anchor``; points are (bytes, PSNR in dB), in any order; infinite PSNR is left out."""
    curves = []
    for points, name in ((anchor, "of the anchor, "), (test, "")):
        try:
            curves.append(Curve(points))
        except ValueError as error:
            return BdRate(None, math.nan, math.nan, f"{name}{error}")
    low = max(float(curve.psnr[0]) for curve in curves)
    high = min(float(curve.psnr[-1]) for curve in curves)
    shortest = min(float(np.ptp(curve.psnr)) for curve in curves)
    if high - low < max(LEAST_OVERLAP_DB, LEAST_SHARE * shortest):
        shared = f"{high - low:.1f} dB" if high > low else "no PSNR"
        return BdRate(None, math.nan, math.nan, f"the curves share {shared}, too little to compare")
    anchored, tested = (curve.mean_log_bytes(low, high) for curve in curves)
    return BdRate(math.exp(tested - anchored) - 1, low, high)
