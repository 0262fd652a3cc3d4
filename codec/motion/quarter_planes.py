"""Encoder only: a reference at every quarter sample, so that a search looks vectors up instead of filtering.

The samples are those of spec 7.2, so what a search sees is what `codec.motion.compensate` will predict.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.motion.compensate import CATMULL_ROM_TAPS
from codec.motion.vector_rows import address, rectangle_sse
from codec.picture.planes import Plane

__all__ = [
    "Layout",
    "Pair",
    "QuarterPlanes",
    "moved_address",
    "moved_offset",
    "moved_sse",
    "pair_of",
    "quarter_planes",
]

Layout = tuple[int, int, int]
"""(samples of one plane, samples of a row, border) of `QuarterPlanes`, as kernels take it."""


class QuarterPlanes(NamedTuple):
    """Sixteen planes in one flat array, and where things lie in it."""

    samples: Plane
    layout: Layout


def quarter_planes(reference: Plane, border: int) -> QuarterPlanes:
    """The planes of a reference (H, W), each (H + 2·border, W + 2·border), in the order 4·(dy & 3) + (dx & 3).

    Beyond the picture the outermost samples go on, so vectors may reach ``border`` samples out.
    """
    padded = np.pad(reference, ((border + 1, border + 2), (border + 1, border + 2)), mode="edge")
    rows, columns = reference.shape[0] + 2 * border, reference.shape[1] + 2 * border
    planes = np.empty((16, rows, columns), np.uint8)
    fill_quarter_planes(padded, CATMULL_ROM_TAPS, planes)
    return QuarterPlanes(planes.reshape(-1), (rows * columns, columns, border))


@kernel
def moved_offset(layout: Layout, y: Integer, x: Integer, dy: Integer, dx: Integer) -> Integer:
    """Where the sample lies that (y, x) of the picture comes from with a vector (dy, dx) in quarter samples."""
    plane_size, stride, border = layout
    return (4 * (dy & 3) + (dx & 3)) * plane_size + (y + border + (dy >> 2)) * stride + x + border + (dx >> 2)


class Pair(NamedTuple):
    """A picture and the quarter planes of its reference as the inner kernels of a search take them.

    ``source`` and ``planes`` are addresses: an array as argument is counted atomically, which doubles a search's time.
    """

    source: Integer
    shape: tuple[int, int]
    planes: Integer
    layout: Layout


@kernel
def pair_of(source: Plane, planes: Plane, layout: Layout) -> Pair:
    """The pair of contiguous arrays that the caller keeps."""
    return Pair(address(source), source.shape, address(planes), layout)


@kernel
def moved_address(pair: Pair, y: Integer, x: Integer, dy: Integer, dx: Integer) -> Integer:
    """The address of what `moved_offset` finds."""
    return pair.planes + moved_offset(pair.layout, y, x, dy, dx)


@kernel
def moved_sse(pair: Pair, rectangle: tuple[int, int, int, int], dy: Integer, dx: Integer, bound: Integer) -> Integer:
    """Squared error of a rectangle (top, left, rows, columns) moved by one vector; from ``bound`` on, a part of it."""
    top, left, rows, columns = rectangle
    width = pair.shape[1]
    there = moved_address(pair, top, left, dy, dx)
    return rectangle_sse(pair.source + top * width + left, width, there, pair.layout[1], rows, columns, bound)


@kernel
def fill_quarter_planes(padded: Plane, taps: npt.NDArray[np.int32], planes: npt.NDArray[np.uint8]) -> None:
    """Filter across, then down, with the last four filtered lines of each phase at hand (they stay in the cache)."""
    _, rows, columns = planes.shape
    lines = np.empty((4, 4, columns), np.int32)  # phase across, line modulo 4
    for j in range(rows + 3):
        line = padded[j]
        for across in range(4):
            b0, b1, b2, b3 = taps[4 * across, 0], taps[4 * across, 1], taps[4 * across, 2], taps[4 * across, 3]
            filtered = lines[across, j & 3]
            for i in range(columns):
                filtered[i] = (
                    b0 * np.int32(line[i])
                    + b1 * np.int32(line[i + 1])
                    + b2 * np.int32(line[i + 2])
                    + b3 * np.int32(line[i + 3])
                )
        if j < 3:
            continue
        for across in range(4):
            l0, l1 = lines[across, (j - 3) & 3], lines[across, (j - 2) & 3]
            l2, l3 = lines[across, (j - 1) & 3], lines[across, j & 3]
            for down in range(4):
                a0, a1, a2, a3 = taps[4 * down, 0], taps[4 * down, 1], taps[4 * down, 2], taps[4 * down, 3]
                target = planes[4 * down + across, j - 3]
                for i in range(columns):
                    total: Integer = np.int32(a0 * l0[i] + a1 * l1[i] + a2 * l2[i] + a3 * l3[i] + 8192) >> 14
                    target[i] = np.uint8(np.int32(min(max(total, 0), 255)))
