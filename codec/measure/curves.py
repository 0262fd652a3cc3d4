"""Points as curves by name, and how each stands against an anchor."""

from __future__ import annotations

from collections.abc import Sequence

from codec.errors import ConfigError
from codec.measure.bd_rate import LEAST_POINTS, bd_rate
from codec.measure.points import Comparison, PeerPoint, Point
from codec.models import MotionModel

__all__ = ["compare_curves", "curves_of", "default_anchor"]

Measured = Point | PeerPoint


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


def compare_curves(
    points: Sequence[Point], peers: Sequence[PeerPoint] = (), anchor: str | None = None
) -> list[Comparison]:
    """Every curve of several points but the anchor against it; nothing where there is none to compare with.

    Points are compared at equal `Rated.quality`.

    Raises:
        ConfigError: ``anchor`` is given, and is no curve.
    """
    curves = curves_of([*points, *peers])
    if anchor is not None and anchor not in curves:
        raise ConfigError(f"no curve is called {anchor!r}; there are {'; '.join(curves) or 'none'}")
    name = default_anchor(points) if anchor is None else anchor
    if name is None:
        return []
    measured = {curve: [(point.file_bytes, point.quality) for point in members] for curve, members in curves.items()}
    return [
        Comparison(curve, name, bd_rate(measured[name], of_curve))
        for curve, of_curve in measured.items()
        if curve != name and len(of_curve) > 1
    ]
