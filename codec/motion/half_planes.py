"""A reference plane and what lies halfway between its samples, from which every quarter sample is a mean (spec 7.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.motion.field import SHARP
from codec.picture.edges import extended
from codec.picture.planes import Plane

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
    fill_half_planes(padded, tap, planes)
    return HalfPlanes(planes.reshape(-1), (rows * columns, columns, *reference.shape))


def bordered(reference: Plane) -> HalfPlanes:
    """The plane FULL alone, where no other is needed."""
    padded = extended(reference, (BORDER, BORDER), (BORDER, BORDER))
    return HalfPlanes(padded.reshape(-1), (padded.size, padded.shape[1], *reference.shape))


@kernel
def clip_sample(value: Integer) -> Integer:
    """0…255."""
    return min(max(value, 0), 255)


@kernel
def six_taps(
    a: Integer, b: Integer, c: Integer, d: Integer, e: Integer, f: Integer, tap: Integer, middle: Integer
) -> Integer:
    """Thirty-two times the sample halfway between ``c`` and ``d`` (spec 7.2); ``middle`` is ``tap`` + 15."""
    outer, inner = np.int32(np.int32(a) + np.int32(f)), np.int32(np.int32(b) + np.int32(e))
    return np.int32(outer - np.int32(tap * inner) + np.int32(middle * np.int32(np.int32(c) + np.int32(d))))


@kernel
def fill_half_planes(padded: Plane, tap: Integer, planes: npt.NDArray[np.uint8]) -> None:
    """Filter across, then down, with the last six lines at hand; both is filtered from what is not rounded yet."""
    _, rows, columns = planes.shape
    tap, middle = np.int32(tap), np.int32(tap + 15)
    wide = np.empty((6, columns), np.int32)  # filtered across, line modulo 6
    for j in range(rows + 5):
        line, filtered = padded[j], wide[j % 6]
        for i in range(columns):
            filtered[i] = six_taps(
                line[i], line[i + 1], line[i + 2], line[i + 3], line[i + 4], line[i + 5], tap, middle
            )
        if j < 5:
            continue
        top = j - 5
        a, b, c = wide[top % 6], wide[(top + 1) % 6], wide[(top + 2) % 6]
        d, e, f = wide[(top + 3) % 6], wide[(top + 4) % 6], wide[(top + 5) % 6]
        p, q, r = padded[top, 2:], padded[top + 1, 2:], padded[top + 2, 2:]
        s, t, u = padded[top + 3, 2:], padded[top + 4, 2:], padded[top + 5, 2:]
        planes[FULL, top] = r[:columns]
        across, down, both = planes[ACROSS, top], planes[DOWN, top], planes[BOTH, top]
        for i in range(columns):
            across[i] = clip_sample(np.int32(c[i] + 16) >> 5)
            both[i] = clip_sample(np.int32(six_taps(a[i], b[i], c[i], d[i], e[i], f[i], tap, middle) + 512) >> 10)
        for i in range(columns):
            down[i] = clip_sample(np.int32(six_taps(p[i], q[i], r[i], s[i], t[i], u[i], tap, middle) + 16) >> 5)


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
