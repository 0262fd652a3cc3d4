"""Encoder only: the node vectors of a mesh, by descent on the squared error of the cells that a node moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel
from codec.motion.block_search import match_windows
from codec.motion.compensate import CATMULL_ROM_TAPS, predict_mesh_cell
from codec.motion.field import MotionField, Vectors, grid_shape
from codec.motion.median import median_prediction
from codec.picture.planes import Plane

__all__ = ["search_mesh"]

MAX_SWEEPS = 4  # on 352×288 clips a fifth sweep changed the squared error by less than 0.1 %


def search_mesh(source: Plane, reference: Plane, cell_size: int, search_range: int) -> MotionField:
    """Fit a mesh: full-pel matches around the nodes first, then a descent in quarter samples.

    Only changes that lower squared error + λ · (estimated bits) stay, with λ = 1.4 × the mean squared error of
    the start; a field that ends worse than no motion at all is replaced by the zero field.
    ``source`` and ``reference`` are luma (H, W); ``search_range`` bounds both components, in samples.
    """
    height, width = source.shape
    rows, columns = grid_shape(MotionModel.MESH, cell_size, width, height)
    half = cell_size // 2
    tops, lefts = np.arange(rows) * cell_size - half, np.arange(columns) * cell_size - half
    # windows of the outermost nodes must reach into the picture
    tops, lefts = np.minimum(tops, height - 1), np.minimum(lefts, width - 1)
    vectors = match_windows(source, reference, tops, lefts, cell_size, search_range)
    log2_cell = cell_size.bit_length() - 1
    descend(source, reference, vectors, log2_cell, 4 * search_range, CATMULL_ROM_TAPS, MAX_SWEEPS)
    return MotionField(MotionModel.MESH, cell_size, vectors)


@kernel
def cell_squared_error(
    source: Plane,
    reference: Plane,
    vectors: Vectors,
    row: Integer,
    column: Integer,
    log2_cell: Integer,
    taps: npt.NDArray[np.int32],
    scratch: Plane,
) -> Integer:
    """Sum of squared errors of one cell of luma; ``scratch`` (H, W) receives its prediction."""
    predict_mesh_cell(reference, vectors, row, column, log2_cell, log2_cell, 2, 2, taps, scratch)
    total = np.int64(0)
    for y in range(row << log2_cell, min((row + 1) << log2_cell, source.shape[0])):
        for x in range(column << log2_cell, min((column + 1) << log2_cell, source.shape[1])):
            error = np.int32(source[y, x]) - np.int32(scratch[y, x])
            total += error * error
    return total


@kernel
def difference_bits(vectors: Vectors, row: Integer, column: Integer) -> Integer:
    """Length of one vector's difference in an Exp-Golomb code, which follows the real cost well enough."""
    bits = 0
    for component in range(2):
        value = abs(np.int32(vectors[row, column, component]) - median_prediction(vectors, row, column, component))
        bits += 1
        value = 2 * value + 1
        while value > 1:
            value >>= 1
            bits += 2
    return bits


@kernel
def try_vector(
    source: Plane,
    reference: Plane,
    vectors: Vectors,
    row: Integer,
    column: Integer,
    dy: Integer,
    dx: Integer,
    log2_cell: Integer,
    limit: Integer,
    taps: npt.NDArray[np.int32],
    rate_weight: float,
    best: float,
    scratch: Plane,
) -> Any:
    """Move a node to (dy, dx) if that costs less than ``best``; returns the lower cost."""
    if abs(dy) > limit or abs(dx) > limit:
        return best
    old_dy, old_dx = vectors[row, column, 0], vectors[row, column, 1]
    vectors[row, column, 0] = dy
    vectors[row, column, 1] = dx
    cost = rate_weight * difference_bits(vectors, row, column)
    for cell_row in range(max(row - 1, 0), min(row + 1, vectors.shape[0] - 1)):
        for cell_column in range(max(column - 1, 0), min(column + 1, vectors.shape[1] - 1)):
            if cost < best:
                cost += cell_squared_error(source, reference, vectors, cell_row, cell_column, log2_cell, taps, scratch)
    if cost < best:
        return cost
    vectors[row, column, 0] = old_dy
    vectors[row, column, 1] = old_dx
    return best


@kernel
def total_squared_error(
    source: Plane,
    reference: Plane,
    vectors: Vectors,
    log2_cell: Integer,
    taps: npt.NDArray[np.int32],
    scratch: Plane,
) -> Integer:
    """Sum of squared errors of the whole luma plane."""
    total = np.int64(0)
    for row in range(vectors.shape[0] - 1):
        for column in range(vectors.shape[1] - 1):
            total += cell_squared_error(source, reference, vectors, row, column, log2_cell, taps, scratch)
    return total


@kernel
def descend(
    source: Plane,
    reference: Plane,
    vectors: Vectors,
    log2_cell: Integer,
    limit: Integer,
    taps: npt.NDArray[np.int32],
    sweeps: Integer,
) -> None:
    """Improve ``vectors`` in place, sweep after sweep in alternating raster order, until nothing moves.

    Candidates of a node: no motion, its four neighbours' vectors, then a diamond of 4, 2, 1 quarter samples.
    A node is visited again only if it or a neighbour has moved since.
    """
    rows, columns = vectors.shape[:2]
    scratch = np.empty_like(source)
    start = total_squared_error(source, reference, vectors, log2_cell, taps, scratch)
    rate_weight = 1.4 * max(2.0, start / source.size)
    stale = np.ones((rows + 2, columns + 2), np.bool_)  # a border saves the edge cases
    for sweep in range(sweeps):
        moved = False
        for visit in range(rows * columns):
            node = visit if sweep % 2 == 0 else rows * columns - 1 - visit
            row, column = node // columns, node % columns
            if not stale[row + 1, column + 1]:
                continue
            stale[row + 1, column + 1] = False
            old_dy, old_dx = vectors[row, column, 0], vectors[row, column, 1]
            best = try_vector(
                source, reference, vectors, row, column, old_dy, old_dx, log2_cell, limit, taps,
                rate_weight, np.inf, scratch,
            )  # fmt: skip
            for k in range(5):  # no motion, above, below, left, right
                j, i = row + (k == 2) - (k == 1), column + (k == 4) - (k == 3)
                if j < 0 or j >= rows or i < 0 or i >= columns:
                    continue
                dy, dx = (vectors[j, i, 0], vectors[j, i, 1]) if k > 0 else (np.int16(0), np.int16(0))
                best = try_vector(
                    source, reference, vectors, row, column, dy, dx, log2_cell, limit, taps,
                    rate_weight, best, scratch,
                )  # fmt: skip
            best = diamond(source, reference, vectors, row, column, log2_cell, limit, taps, rate_weight, best, scratch)
            if vectors[row, column, 0] != old_dy or vectors[row, column, 1] != old_dx:
                moved = True
                stale[row : row + 3, column : column + 3] = True
                stale[row + 1, column + 1] = False
        if not moved:
            break
    end = total_squared_error(source, reference, vectors, log2_cell, taps, scratch)
    if end > total_squared_error(source, reference, np.zeros_like(vectors), log2_cell, taps, scratch):
        vectors[:] = 0


@kernel
def diamond(
    source: Plane,
    reference: Plane,
    vectors: Vectors,
    row: Integer,
    column: Integer,
    log2_cell: Integer,
    limit: Integer,
    taps: npt.NDArray[np.int32],
    rate_weight: float,
    best: float,
    scratch: Plane,
) -> float:
    """Walk downhill from where the node is, in steps of 4, 2, then 1 quarter samples; returns the cost."""
    step = 4
    while step >= 1:
        centre_y, centre_x = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
        before = best
        for k in range(4):
            dy = centre_y + step * ((k == 1) - (k == 0))
            dx = centre_x + step * ((k == 3) - (k == 2))
            best = try_vector(
                source, reference, vectors, row, column, dy, dx, log2_cell, limit, taps,
                rate_weight, best, scratch,
            )  # fmt: skip
        if best == before:
            step >>= 1
    return best
