"""Encoder only: where an inner kernel of a search finds source and reference, and what a moved rectangle costs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from codec.kernels import Integer, kernel
from codec.motion.half_planes import QUARTERS, HalfPlanes, Layout, place_within, quarter_offsets
from codec.picture.planes import Plane
from codec.vector_kernels import address, put_means, rectangle_sse

__all__ = ["Pair", "moved_address", "moved_sse", "pair_of", "quarter_planes"]


def quarter_planes(halves: HalfPlanes) -> Plane:
    """All sixteen quarter samples as planes like those of ``halves``, flat, in the order 4 · (dy & 3) + (dx & 3).

    A mesh looks four of them up for every sample that it tries, and would else mix eight.
    """
    plane_size, stride = halves.layout[:2]
    planes = np.empty((len(QUARTERS), plane_size), np.uint8)
    padded = np.append(halves.samples, np.zeros(stride + 1, np.uint8))  # means at the very end look one line further
    for number, (first, row, column, second, other_row, other_column) in enumerate(QUARTERS):
        one = first * plane_size + row * stride + column
        other = second * plane_size + other_row * stride + other_column
        fill_means(padded[one : one + plane_size], padded[other : other + plane_size], planes[number])
    return planes.reshape(-1)


@kernel
def fill_means(first: Plane, second: Plane, target: Plane) -> None:
    """Means of two planes, rounded up at a half."""
    put_means(address(target), 0, address(first), address(second), 0, 1, target.size)


class Pair(NamedTuple):
    """A picture and its reference as the inner kernels of a search take them.

    ``source``, ``halves`` and ``quarters`` are addresses: an array as argument is counted atomically, which doubles a
    search's time. ``quarters`` is of no meaning in a search for blocks.
    """

    source: Integer
    shape: tuple[int, int]
    halves: Integer
    quarters: Integer
    layout: Layout


@kernel
def pair_of(source: Plane, halves: Plane, quarters: Plane, layout: Layout) -> Pair:
    """The pair of contiguous arrays that the caller keeps."""
    return Pair(address(source), source.shape, address(halves), address(quarters), layout)


@kernel
def moved_address(pair: Pair, y: Integer, x: Integer, dy: Integer, dx: Integer) -> Integer:
    """The address, in the quarter planes, of what (y, x) of the picture comes from with a vector in quarter samples."""
    plane = (4 * (dy & 3) + (dx & 3)) * pair.layout[0]
    return pair.quarters + plane + place_within(pair.layout, y + (dy >> 2), x + (dx >> 2))


@kernel
def moved_sse(pair: Pair, rectangle: tuple[int, int, int, int], dy: Integer, dx: Integer, bound: Integer) -> Integer:
    """Squared error of a rectangle (top, left, rows, columns) moved by one vector; from ``bound`` on, a part of it."""
    top, left, rows, columns = rectangle
    width = pair.shape[1]
    first, second = quarter_offsets(pair.layout, top, left, dy, dx)
    here, one, other = pair.source + top * width + left, pair.halves + first, pair.halves + second
    return rectangle_sse(here, width, one, other, pair.layout[1], rows, columns, bound)
