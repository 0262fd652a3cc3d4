"""Encoder only: node vectors and cell modes of a mesh, by descent on the squared error of the cells a node moves."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel, Speed
from codec.motion.block_search import (
    LAMBDA,
    LEAST_LAMBDA,
    NO_BOUND,
    Searched,
    Windows,
    block_windows,
    search_windows,
    vector_bits,
)
from codec.motion.compensate import Geometry, cell_rectangle, plane_geometry, warp_cell
from codec.motion.field import CellMode, Modes, MotionField, Vectors, corner_means, grid_shape
from codec.motion.half_planes import BORDER, Layout, place_within
from codec.motion.median import median_prediction
from codec.motion.quarter_planes import Pair, moved_address, moved_sse, pair_of, quarter_planes
from codec.picture.planes import Plane, Subsampling
from codec.vector_kernels import address, blend_row_sse, rectangle_sse, warp_row_sse

__all__ = ["search_mesh"]

WARP, BLEND, OWN = int(CellMode.WARP), int(CellMode.BLEND), int(CellMode.OWN)
SWEEPS = {Speed.SLOW: (4, 3), Speed.MEDIUM: (2, 1), Speed.FAST: (1, 1)}  # of each descent; how often modes are chosen
MODE_BITS = 1.0  # what warp and blend cost; entropies on 352×288 clips are 0.9…1.5 bits a cell
OWN_BITS = 3.0  # the mode alone; the vector comes on top
NEAR = 1.25  # × the best other mode: up to there WARP, looked up at quarter samples, is worth its exact error
DIAMOND = ((-1, 0), (1, 0), (0, -1), (0, 1))  # (down, right)

Vector = tuple[Integer, Integer]
Corners = tuple[Vector, Vector, Vector, Vector]


def search_mesh(searched: Searched, cell_size: int, allowed: Collection[CellMode] = tuple(CellMode)) -> MotionField:
    """Fit a mesh: block matches around nodes and cells, then nodes downhill and a mode for each cell, in turns.

    What counts is squared error + λ · estimated bits, with λ a quarter of the mean squared error of the block matches.
    Cells start as BLEND; the descent looks WARP up at the nearest quarter sample, the choice of modes is exact.
    Only ``allowed`` modes are chosen, among them WARP or BLEND.
    """
    height, width = searched.source.shape
    rows, columns = grid_shape(MotionModel.MESH, cell_size, width, height)
    half = cell_size // 2
    around_nodes = Windows(
        np.minimum(np.arange(rows) * cell_size - half, height - 1),
        np.minimum(np.arange(columns) * cell_size - half, width - 1),
        cell_size,
    )
    before = searched.before.vectors_quarter_pel if searched.before is not None else None
    vectors = search_windows(searched, around_nodes, before)
    own = search_windows(searched, block_windows(height, width, cell_size), corner_means(vectors))
    first = BLEND if CellMode.BLEND in allowed else WARP
    modes = np.full(own.shape[:2], first, np.uint8)
    halves, layout = searched.halves
    scene = (
        np.ascontiguousarray(searched.source),
        halves,
        quarter_planes(searched.halves),
        layout,
        plane_geometry(cell_size, Subsampling(0, 0)),
    )
    rate_weight = max(LEAST_LAMBDA, LAMBDA * mean_squared_error(*scene, own))
    choices = np.array([mode in allowed for mode in CellMode])
    sweeps, turns = SWEEPS[searched.speed]
    scratch = np.empty_like(scene[0])
    error = np.inf
    for turn in range(turns + 1):
        descend_nodes(*scene, vectors, modes, searched.limit_quarter_pel, sweeps if turn < turns else 1, rate_weight)
        error = choose_modes(*scene, vectors, own, rate_weight, choices, scratch, modes)
    if error > mean_squared_error(*scene, np.zeros_like(own)) * searched.source.size:
        vectors[:], modes[:] = 0, first
    own[modes != OWN] = 0
    return MotionField(MotionModel.MESH, cell_size, vectors, modes, own)


@kernel
def mean_squared_error(
    source: Plane, halves: Plane, quarters: Plane, layout: Layout, geometry: Geometry, vectors: Vectors
) -> float:
    """Mean squared error a sample of blocks moved by ``vectors``."""
    pair = pair_of(source, halves, quarters, layout)
    total = 0.0
    for row in range(vectors.shape[0]):
        for column in range(vectors.shape[1]):
            dy, dx = np.int64(vectors[row, column, 0]), np.int64(vectors[row, column, 1])
            total += moved_sse(pair, cell_rectangle(source.shape, geometry, row, column), dy, dx, NO_BOUND)
    return total / source.size


@kernel
def corners_of(vectors: Vectors, row: Integer, column: Integer) -> Corners:
    """The vectors of a cell's four nodes: upper left, upper right, lower left, lower right."""
    upper, lower = vectors[row], vectors[row + 1]
    return (
        (np.int32(upper[column, 0]), np.int32(upper[column, 1])),
        (np.int32(upper[column + 1, 0]), np.int32(upper[column + 1, 1])),
        (np.int32(lower[column, 0]), np.int32(lower[column, 1])),
        (np.int32(lower[column + 1, 0]), np.int32(lower[column + 1, 1])),
    )


@kernel
def blend_sse(
    pair: Pair, rectangle: tuple[int, int, int, int], log2_cell: Integer, corners: Corners, bound: Integer
) -> Integer:
    """Squared error of one cell (top, left, rows, columns) in mode BLEND, exact; from ``bound`` on, a part of it."""
    top, left, rows, columns = rectangle
    here = pair.source + top * pair.shape[1] + left
    a = moved_address(pair, top, left, corners[0][0], corners[0][1])
    b = moved_address(pair, top, left, corners[1][0], corners[1][1])
    c = moved_address(pair, top, left, corners[2][0], corners[2][1])
    d = moved_address(pair, top, left, corners[3][0], corners[3][1])
    total, down = np.int32(0), 0
    for v in range(rows):
        total += blend_row_sse(here, a + down, b + down, c + down, d + down, v, log2_cell, columns)
        if total >= bound:
            break
        here += pair.shape[1]
        down += pair.layout[1]
    return total


@kernel
def warp_sse(
    pair: Pair, rectangle: tuple[int, int, int, int], log2_cell: Integer, corners: Corners, bound: Integer
) -> Integer:
    """Squared error of one cell in mode WARP with displacements rounded to quarter samples: fast, near enough.

    `NO_BOUND` where a node moves the cell out of the planes.
    """
    top, left, rows, columns = rectangle
    for corner_y, corner_x in corners:
        y, x = top + (corner_y >> 2), left + (corner_x >> 2)
        if y < -BORDER or x < -BORDER:
            return np.int32(NO_BOUND)
        if y + rows >= pair.shape[0] + BORDER or x + columns >= pair.shape[1] + BORDER:
            return np.int32(NO_BOUND)
    stride = pair.layout[1]
    size, half = 1 << log2_cell, 1 << (2 * log2_cell - 1)
    here = pair.source + top * pair.shape[1] + left
    there = place_within(pair.layout, top, left)
    total = np.int32(0)
    for v in range(rows):
        left_y, left_x = (size - v) * corners[0][0] + v * corners[2][0], (size - v) * corners[0][1] + v * corners[2][1]
        right_y, right_x = (
            (size - v) * corners[1][0] + v * corners[3][0],
            (size - v) * corners[1][1] + v * corners[3][1],
        )
        start, step = (size * left_y + half, size * left_x + half), (right_y - left_y, right_x - left_x)
        total += warp_row_sse(here, pair.quarters, there, start, step, 2 * log2_cell, pair.layout, columns)
        if total >= bound:
            break
        here += pair.shape[1]
        there += stride
    return total


@kernel
def try_node(
    pair: Pair,
    geometry: Geometry,
    vectors: Vectors,
    modes: Modes,
    node: tuple[int, int],
    vector: Vector,
    rate_weight: float,
    best: float,
) -> float:
    """Move a node to ``vector`` if that costs less than ``best``; returns the lower cost."""
    row, column = node
    old_dy, old_dx = vectors[row, column, 0], vectors[row, column, 1]
    median_y, median_x = median_prediction(vectors, row, column, 0), median_prediction(vectors, row, column, 1)
    cost: float = rate_weight * vector_bits(vector[0] - median_y, vector[1] - median_x)
    vectors[row, column, 0] = vector[0]
    vectors[row, column, 1] = vector[1]
    for cell_row in range(max(row - 1, 0), min(row + 1, modes.shape[0])):
        for cell_column in range(max(column - 1, 0), min(column + 1, modes.shape[1])):
            mode = modes[cell_row, cell_column]
            if cost < best and mode != OWN:
                rectangle = cell_rectangle(pair.shape, geometry, cell_row, cell_column)
                corners = corners_of(vectors, cell_row, cell_column)
                bound = np.int64(min(best - cost, NO_BOUND)) + 1
                if mode == BLEND:
                    cost += blend_sse(pair, rectangle, geometry[0], corners, bound)
                else:
                    cost += warp_sse(pair, rectangle, geometry[0], corners, bound)
    if cost < best:
        return cost
    vectors[row, column, 0] = old_dy
    vectors[row, column, 1] = old_dx
    return best


@kernel
def descend_node(
    pair: Pair,
    geometry: Geometry,
    vectors: Vectors,
    modes: Modes,
    node: tuple[int, int],
    limit: Integer,
    rate_weight: float,
) -> bool:
    """Move a node to the best of its four neighbours' vectors, then downhill; whether it has moved.

    Downhill is a diamond of 4, 2, 1 quarter samples.
    """
    row, column = node
    old = (np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1]))
    best = try_node(pair, geometry, vectors, modes, node, old, rate_weight, np.inf)
    for down, right in DIAMOND:
        j, i = row + down, column + right
        if 0 <= j < vectors.shape[0] and 0 <= i < vectors.shape[1]:
            vector = (np.int32(vectors[j, i, 0]), np.int32(vectors[j, i, 1]))
            if vector[0] != vectors[row, column, 0] or vector[1] != vectors[row, column, 1]:
                best = try_node(pair, geometry, vectors, modes, node, vector, rate_weight, best)
    step = 4
    while step >= 1:
        centre_y, centre_x = vectors[row, column, 0], vectors[row, column, 1]
        before = best
        for down, right in DIAMOND:
            vector = (np.int32(centre_y + step * down), np.int32(centre_x + step * right))
            if abs(vector[0]) <= limit and abs(vector[1]) <= limit:
                best = try_node(pair, geometry, vectors, modes, node, vector, rate_weight, best)
        if best == before:
            step >>= 1
    return bool(vectors[row, column, 0] != old[0] or vectors[row, column, 1] != old[1])


@kernel
def descend_nodes(
    source: Plane,
    halves: Plane,
    quarters: Plane,
    layout: Layout,
    geometry: Geometry,
    vectors: Vectors,
    modes: Modes,
    limit: Integer,
    sweeps: Integer,
    rate_weight: float,
) -> None:
    """Improve ``vectors`` in place, sweep after sweep in alternating raster order, until nothing moves.

    A node is visited again only if it or a neighbour has moved since.
    """
    pair = pair_of(source, halves, quarters, layout)
    rows, columns = vectors.shape[:2]
    stale = np.ones((rows + 2, columns + 2), np.bool_)  # a border saves the edge cases
    for sweep in range(sweeps):
        moved = False
        for visit in range(rows * columns):
            node = visit if sweep % 2 == 0 else rows * columns - 1 - visit
            row, column = node // columns, node % columns
            if not stale[row + 1, column + 1]:
                continue
            if descend_node(pair, geometry, vectors, modes, (row, column), limit, rate_weight):
                moved = True
                stale[row : row + 3, column : column + 3] = True
            stale[row + 1, column + 1] = False
        if not moved:
            break


@kernel
def own_bits(corners: Corners, dy: Integer, dx: Integer) -> Integer:
    """Bits of a vector of a cell's own, predicted by the mean of its corners."""
    mean_y = (corners[0][0] + corners[1][0] + corners[2][0] + corners[3][0] + 2) >> 2
    mean_x = (corners[0][1] + corners[1][1] + corners[2][1] + corners[3][1] + 2) >> 2
    return vector_bits(dy - mean_y, dx - mean_x)


@kernel
def choose_modes(
    source: Plane,
    halves: Plane,
    quarters: Plane,
    layout: Layout,
    geometry: Geometry,
    vectors: Vectors,
    own: Vectors,
    rate_weight: float,
    allowed: npt.NDArray[np.bool_],
    scratch: Plane,
    modes: Modes,
) -> float:
    """Give every cell the mode of least squared error + λ · bits; returns the squared error, which is exact."""
    pair = pair_of(source, halves, quarters, layout)
    width = source.shape[1]
    total = 0.0
    for row in range(modes.shape[0]):
        for column in range(modes.shape[1]):
            rectangle = top, left, rows, columns = cell_rectangle(source.shape, geometry, row, column)
            corners = corners_of(vectors, row, column)
            best, best_error, mode = np.inf, 0.0, WARP
            if allowed[BLEND]:
                best_error = float(blend_sse(pair, rectangle, geometry[0], corners, NO_BOUND))
                best, mode = best_error + rate_weight * MODE_BITS, BLEND
            if allowed[OWN]:
                dy, dx = np.int64(own[row, column, 0]), np.int64(own[row, column, 1])
                error = moved_sse(pair, rectangle, dy, dx, NO_BOUND)
                cost = error + rate_weight * (OWN_BITS + own_bits(corners, dy, dx))
                if cost < best:
                    best, best_error, mode = cost, float(error), OWN
            near = np.int64(min(NEAR * best, NO_BOUND))
            if allowed[WARP] and warp_sse(pair, rectangle, geometry[0], corners, near) < near:
                warp_cell(halves, layout, vectors, row, column, geometry, scratch)
                offset = top * width + left
                here, there = address(source) + offset, address(scratch) + offset
                error = rectangle_sse(here, width, there, there, width, rows, columns, NO_BOUND)
                if error + rate_weight * MODE_BITS < best:
                    best_error, mode = float(error), WARP
            modes[row, column] = mode
            total += best_error
    return total
