"""Encoder only: the vectors of a block field, by full search on luma."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel
from codec.motion.field import MotionField, Vectors, grid_shape
from codec.picture.planes import Plane

__all__ = ["match_windows", "search_blocks"]


def search_blocks(source: Plane, reference: Plane, cell_size: int, search_range: int) -> MotionField:
    """Full search in full luma samples: the least sum of absolute differences, ties to the shortest vector.

    ``source`` is the picture to predict and ``reference`` the decoded one before it, both luma (H, W);
    ``search_range`` bounds both components, in samples.
    """
    height, width = source.shape
    rows, columns = grid_shape(MotionModel.BLOCK, cell_size, width, height)
    tops, lefts = np.arange(rows) * cell_size, np.arange(columns) * cell_size
    return MotionField(
        MotionModel.BLOCK, cell_size, match_windows(source, reference, tops, lefts, cell_size, search_range)
    )


def match_windows(
    source: Plane,
    reference: Plane,
    tops: npt.NDArray[np.int64],
    lefts: npt.NDArray[np.int64],
    size: int,
    search_range: int,
) -> Vectors:
    """Best full-pel vector of each window of ``size`` samples, as quarter-pel int16 (tops, lefts, 2).

    Windows are cut to the picture; the reference goes on beyond its edges with its outermost samples.
    """
    padded = np.pad(reference, search_range, mode="edge")
    offsets = _shortest_first(search_range)
    vectors = np.zeros((len(tops), len(lefts), 2), np.int16)
    match_windows_kernel(source, padded, tops, lefts, size, search_range, offsets, vectors)
    return vectors


def _shortest_first(search_range: int) -> npt.NDArray[np.int32]:
    """All (dy, dx) within the range, shortest first, so that the first of equals is the nearest."""
    axis = np.arange(-search_range, search_range + 1, dtype=np.int32)
    dy, dx = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    order = np.lexsort((dx, dy, dy * dy + dx * dx))
    return np.stack([dy[order], dx[order]], axis=1)


@kernel
def sum_of_absolute_differences(
    source: Plane,
    top: Integer,
    left: Integer,
    rows: Integer,
    columns: Integer,
    padded: Plane,
    y: Integer,
    x: Integer,
    bound: Integer,
) -> Integer:
    """SAD of a window against the one at (y, x) in ``padded``; stops after the row that reaches ``bound``."""
    total = np.int32(0)  # 32 × 32 × 255 at most
    for j in range(rows):
        here = source[top + j, left : left + columns]
        there = padded[y + j, x : x + columns]
        line = np.int32(0)
        for i in range(columns):
            line += np.int32(abs(np.int32(np.int32(here[i]) - np.int32(there[i]))))
        total += line
        if total >= bound:
            break
    return total


@kernel
def match_windows_kernel(
    source: Plane,
    padded: Plane,
    tops: npt.NDArray[np.int64],
    lefts: npt.NDArray[np.int64],
    size: Integer,
    search_range: Integer,
    offsets: npt.NDArray[np.int32],
    vectors: Vectors,
) -> None:
    """Try every offset for every window; ``offsets`` come shortest first."""
    height, width = source.shape
    for row in range(tops.size):
        top = max(tops[row], 0)
        rows = min(tops[row] + size, height) - top
        for column in range(lefts.size):
            left = max(lefts[column], 0)
            columns = min(lefts[column] + size, width) - left
            best: Integer = np.int32(0x7FFFFFFF)
            for k in range(offsets.shape[0]):
                y, x = top + search_range + offsets[k, 0], left + search_range + offsets[k, 1]
                sad = sum_of_absolute_differences(source, top, left, rows, columns, padded, y, x, best)
                if sad < best:
                    best = sad
                    vectors[row, column, 0] = 4 * offsets[k, 0]
                    vectors[row, column, 1] = 4 * offsets[k, 1]
                    if sad == 0:
                        break
