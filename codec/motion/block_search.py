"""Encoder only: the vectors of a block field, by full search on luma."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel
from codec.motion.compensate import CATMULL_ROM_TAPS, predict_block
from codec.motion.field import MotionField, Vectors, grid_shape
from codec.picture.planes import Plane

__all__ = ["match_windows", "search_blocks"]


def search_blocks(source: Plane, reference: Plane, cell_size: int, search_range: int) -> MotionField:
    """Full search in full luma samples, then half and quarter samples around the best.

    What counts is the sum of absolute differences; of equals the shortest full-pel vector wins.
    ``source`` is the picture to predict and ``reference`` the decoded one before it, both luma (H, W);
    ``search_range`` bounds both components, in samples.
    """
    height, width = source.shape
    rows, columns = grid_shape(MotionModel.BLOCK, cell_size, width, height)
    tops, lefts = np.arange(rows) * cell_size, np.arange(columns) * cell_size
    vectors = match_windows(source, reference, tops, lefts, cell_size, search_range)
    refine_blocks(source, reference, vectors, cell_size.bit_length() - 1, 4 * search_range, CATMULL_ROM_TAPS)
    return MotionField(MotionModel.BLOCK, cell_size, vectors)


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


@kernel
def refine_blocks(
    source: Plane,
    reference: Plane,
    vectors: Vectors,
    log2_cell: Integer,
    limit: Integer,
    taps: npt.NDArray[np.int32],
) -> None:
    """Move each vector to the best of its eight neighbours, half a sample away, then a quarter, in place."""
    height, width = source.shape
    scratch = np.empty_like(source)
    for row in range(vectors.shape[0]):
        for column in range(vectors.shape[1]):
            top, left = row << log2_cell, column << log2_cell
            rows, columns = min(1 << log2_cell, height - top), min(1 << log2_cell, width - left)
            predict_block(reference, vectors, row, column, log2_cell, log2_cell, 2, 2, taps, scratch)
            best: Integer = sum_of_absolute_differences(source, top, left, rows, columns, scratch, top, left, 1 << 30)
            for step in (2, 1):
                centre_y, centre_x = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
                best_y, best_x = centre_y, centre_x
                for k in range(9):
                    dy, dx = centre_y + step * (k // 3 - 1), centre_x + step * (k % 3 - 1)
                    if k == 4 or abs(dy) > limit or abs(dx) > limit:
                        continue
                    vectors[row, column, 0] = dy
                    vectors[row, column, 1] = dx
                    predict_block(reference, vectors, row, column, log2_cell, log2_cell, 2, 2, taps, scratch)
                    sad = sum_of_absolute_differences(source, top, left, rows, columns, scratch, top, left, best)
                    if sad < best:
                        best, best_y, best_x = sad, dy, dx
                vectors[row, column, 0] = best_y
                vectors[row, column, 1] = best_x
