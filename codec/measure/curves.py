"""Points as curves by name, and how each stands against an anchor: only what was measured in the same planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from codec.errors import ConfigError
from codec.measure.bd_rate import LEAST_POINTS, bd_rate
from codec.measure.points import Clip, Comparison, PeerPoint, Point
from codec.models import MotionModel

__all__ = ["Domain", "compare_curves", "curves_of", "default_anchor", "domains_of"]

Measured = Point | PeerPoint


class Domain(NamedTuple):
    """What was measured in the same planes, and may so be compared."""

    measured_in: str
    """Which planes, such as ``rgb`` or ``yuv420``."""
    points: list[Point]
    peers: list[PeerPoint]

    @property
    def planes_name(self) -> str:
        """The same for people: ``RGB``, ``Y'CbCr 4:2:0``."""
        chroma = self.measured_in.removeprefix("yuv")
        return f"Y'CbCr {':'.join(chroma)}" if chroma.isdigit() else "RGB" if chroma == "rgb" else chroma


def domains_of(clip: Clip, points: Sequence[Point], peers: Sequence[PeerPoint] = ()) -> list[Domain]:
    """The source's own samples; and where peers got other planes, those, with the points that were coded in them."""
    own = clip.format.sample_format.label
    domains = [Domain(own, list(points), [peer for peer in peers if peer.measured_in == own])]
    coded = [point for point in map(Point.as_coded, points) if point is not None]
    for other in dict.fromkeys(peer.measured_in for peer in peers if peer.measured_in != own):
        domains.append(Domain(other, coded, [peer for peer in peers if peer.measured_in == other]))
    return domains


def curves_of(points: Sequence[Measured]) -> dict[str, list[Measured]]:
    """The points with an error by the name of their curve, in the order of the points."""
    curves: dict[str, list[Measured]] = {}
    for point in points:
        if not point.exact:
            curves.setdefault(point.curve, []).append(point)
    return curves


def default_anchor(points: Sequence[Point]) -> str | None:
    """The name of the first curve with enough points, of block motion if there is one; None without any."""
    names = [name for name, members in curves_of(points).items() if len(members) >= LEAST_POINTS]
    block = [name for name in names if name.endswith(f", {MotionModel.BLOCK.label}")]
    return next(iter(block or names), None)


def compare_curves(domains: Sequence[Domain], anchor: str | None = None) -> list[Comparison]:
    """Every curve of several points but the anchor against it; nothing where there is none to compare with.

    Points are compared at equal `Rated.quality`, and only within their domain; one that lacks ``anchor`` has its
    default.

    Raises:
        ConfigError: ``anchor`` is given, and is no curve of any domain.
    """
    of_domains = [curves_of([*domain.points, *domain.peers]) for domain in domains]
    names = list(dict.fromkeys(name for curves in of_domains for name in curves))
    if anchor is not None and anchor not in names:
        raise ConfigError(f"no curve is called {anchor!r}; there are {'; '.join(names) or 'none'}")
    comparisons = []
    for domain, curves in zip(domains, of_domains, strict=True):
        name = anchor if anchor in curves else default_anchor(domain.points)
        measured = {curve: [(of.file_bytes, of.quality) for of in members] for curve, members in curves.items()}
        comparisons += [
            Comparison(curve, name, bd_rate(measured[name], of_curve), domain.measured_in)
            for curve, of_curve in measured.items()
            if name is not None and curve != name and len(of_curve) > 1
        ]
    return comparisons
