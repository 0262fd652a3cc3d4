"""A reference plane and what lies halfway between its samples, from which every quarter sample is a mean (spec 7.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.motion.field import SHARP
from codec.picture.edges import extended
from codec.picture.planes import Plane
from codec.vector_kernels import SPAN, address, put_means, six_taps_of_halves, six_taps_of_samples, six_taps_to_halves

__all__ = [
    "BORDER",
    "QUARTERS",
    "HalfPlanes",
    "Layout",
    "bordered",
    "half_planes",
    "place_within",
    "quarter_offsets",
]

Layout = tuple[int, int, int, int]
"""(samples of one plane, samples of a row, rows and columns of the picture) of `HalfPlanes`, as kernels take it."""

FULL, ACROSS, DOWN, BOTH = range(4)  # where a half sample lies

# What a quarter sample is the mean of, by 4 · (dy & 3) + (dx & 3): (kind, rows down, columns right), twice (spec 9.2)
QUARTERS: Final = (
    (FULL, 0, 0, FULL, 0, 0),
    (FULL, 0, 0, ACROSS, 0, 0),
    (ACROSS, 0, 0, ACROSS, 0, 0),
    (ACROSS, 0, 0, FULL, 0, 1),
    (FULL, 0, 0, DOWN, 0, 0),
    (ACROSS, 0, 0, DOWN, 0, 0),
    (ACROSS, 0, 0, BOTH, 0, 0),
    (ACROSS, 0, 0, DOWN, 0, 1),
    (DOWN, 0, 0, DOWN, 0, 0),
    (DOWN, 0, 0, BOTH, 0, 0),
    (BOTH, 0, 0, BOTH, 0, 0),
    (BOTH, 0, 0, DOWN, 0, 1),
    (DOWN, 0, 0, FULL, 1, 0),
    (DOWN, 0, 0, ACROSS, 1, 0),
    (BOTH, 0, 0, ACROSS, 1, 0),
    (DOWN, 0, 1, ACROSS, 1, 0),
)

BORDER = 40  # samples beyond each edge: a cell of 32 and six taps fit there, and further out nothing changes
_NEAREST, _BEYOND = 36, 4  # how far before and behind a picture a rectangle may begin; see `place_within`
_BEFORE, _BEHIND = 2, 3  # taps
STRIP = 32  # rows that are filtered across before they are filtered down


class HalfPlanes(NamedTuple):
    """Four planes in one flat array, and where things lie in it: FULL, ACROSS, DOWN and BOTH, each with a border."""

    samples: Plane
    layout: Layout


def half_planes(reference: Plane, tap: int = SHARP) -> HalfPlanes:
    """The planes of a reference (rows, columns); beyond the picture its outermost samples go on.

    ``tap`` is `codec.motion.field.SHARP` or ``SOFT``.
    """
    padded = extended(reference, (BORDER + _BEFORE,) * 2, (BORDER + _BEHIND,) * 2)
    rows, columns = reference.shape[0] + 2 * BORDER, reference.shape[1] + 2 * BORDER
    planes = np.empty((4, rows, columns), np.uint8)
    wide = np.empty((STRIP + _BEFORE + _BEHIND, columns), np.int16)
    fill_half_planes(padded, tap, wide, planes)
    return HalfPlanes(planes.reshape(-1), (rows * columns, columns, *reference.shape))


def bordered(reference: Plane) -> HalfPlanes:
    """The plane FULL alone, where no other is needed."""
    padded = extended(reference, (BORDER, BORDER), (BORDER, BORDER))
    return HalfPlanes(padded.reshape(-1), (padded.size, padded.shape[1], *reference.shape))


@kernel
def fill_half_planes(padded: Plane, tap: Integer, wide: npt.NDArray[np.int16], planes: npt.NDArray[np.uint8]) -> None:
    """Filter strips of rows across, then down; both is filtered from what is not rounded yet.

    ``wide`` is room for a strip that is filtered across. It is the caller's: numba frees an array of a kernel's own
    after its last use, and to know an address of it is no use.
    """
    _, rows, columns = planes.shape
    stride, tap = padded.shape[1], np.int32(tap)
    source, between = address(padded), address(wide)
    across, down, both = address(planes[ACROSS]), address(planes[DOWN]), address(planes[BOTH])
    last = columns - SPAN  # where the last vector begins, which overlaps the one before
    here = source + _BEFORE * stride + _BEFORE
    put_means(address(planes), columns, here, here, stride, rows, columns)
    for top in range(0, rows, STRIP):
        height = min(STRIP, rows - top)
        for j in range(height + _BEFORE + _BEHIND):
            for i in range(0, columns, SPAN):
                x = min(i, last)
                six_taps_to_halves(between + 2 * (j * columns + x), source + (top + j) * stride + x, 1, tap)
        for j in range(height):
            here, there = source + (top + j) * stride, (top + j) * columns
            for i in range(0, columns, SPAN):
                x = min(i, last)
                six_taps_of_samples(across + there + x, here + _BEFORE * stride + x, 1, tap)
                six_taps_of_samples(down + there + x, here + _BEFORE + x, stride, tap)
                six_taps_of_halves(both + there + x, between + 2 * (j * columns + x), 2 * columns, tap)


@kernel
def place_within(layout: Layout, y: Integer, x: Integer) -> Integer:
    """Where the sample (y, x) lies in the plane FULL; beyond the border, where it lies within.

    A rectangle of up to 32 samples that begins 36 before the picture, or 4 behind it, sees nothing but the outermost
    line there, with all taps; so it is the same from wherever further out.
    """
    _, stride, rows, columns = layout
    y, x = min(max(y, -_NEAREST), rows + _BEYOND), min(max(x, -_NEAREST), columns + _BEYOND)
    return (y + BORDER) * stride + x + BORDER


@kernel
def quarter_offsets(layout: Layout, y: Integer, x: Integer, dy: Integer, dx: Integer) -> tuple[Integer, Integer]:
    """Where the two samples lie that (y, x) moved by (dy, dx) quarter samples is the mean of, rounded up at a half."""
    plane_size, stride, _, _ = layout
    place = place_within(layout, y + (dy >> 2), x + (dx >> 2))
    first, row, column, second, other_row, other_column = QUARTERS[4 * (dy & 3) + (dx & 3)]
    return (
        place + first * plane_size + row * stride + column,
        place + second * plane_size + other_row * stride + other_column,
    )
