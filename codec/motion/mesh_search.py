"""Encoder only: node vectors and cell modes of a mesh, by descent on the squared error of the cells a node moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel, Speed
from codec.motion.block_search import (
    LAMBDA,
    LEAST_LAMBDA,
    Searched,
    Windows,
    block_windows,
    exp_golomb_bits,
    search_windows,
)
from codec.motion.compensate import CATMULL_ROM_TAPS, Geometry, cell_rectangle, plane_geometry, warp_cell
from codec.motion.field import CellMode, Modes, MotionField, Vectors, corner_means, grid_shape
from codec.motion.median import median_prediction
from codec.motion.quarter_planes import Layout, moved_offset
from codec.motion.vector_rows import rectangle_sse
from codec.picture.planes import Plane, Subsampling

__all__ = ["search_mesh"]

WARP, BLEND, OWN = int(CellMode.WARP), int(CellMode.BLEND), int(CellMode.OWN)
SWEEPS = {Speed.SLOW: (4, 3), Speed.MEDIUM: (2, 1), Speed.FAST: (1, 1)}  # of each descent; how often modes are chosen
MODE_BITS = 1.0  # what warp and blend cost; entropies on 352×288 clips are 0.9…1.5 bits a cell
OWN_BITS = 3.0  # the mode alone; the vector comes on top


def search_mesh(searched: Searched, cell_size: int) -> MotionField:
    """Fit a mesh: block matches around nodes and cells, then nodes downhill and a mode for each cell, in turns.

    What counts is squared error + λ · estimated bits, with λ a quarter of the mean squared error of the block matches.
    Cells start as BLEND; the descent looks WARP up at the nearest quarter sample, the choice of modes is exact.
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
    modes = np.full(own.shape[:2], BLEND, np.uint8)
    arguments = (
        np.ascontiguousarray(searched.source),
        searched.planes.samples,
        searched.planes.layout,
        plane_geometry(cell_size, Subsampling(0, 0)),
    )
    rate_weight = max(LEAST_LAMBDA, LAMBDA * mean_squared_error(*arguments, own))
    sweeps, turns = SWEEPS[searched.speed]
    for _ in range(turns):
        descend_nodes(*arguments, vectors, modes, searched.limit_quarter_pel, sweeps, rate_weight)
        choose_modes(*arguments, searched.reference, CATMULL_ROM_TAPS, vectors, own, rate_weight, modes)
    descend_nodes(*arguments, vectors, modes, searched.limit_quarter_pel, 1, rate_weight)
    error = choose_modes(*arguments, searched.reference, CATMULL_ROM_TAPS, vectors, own, rate_weight, modes)
    if error > mean_squared_error(*arguments, np.zeros_like(own)) * searched.source.size:
        vectors[:], modes[:] = 0, WARP
    own[modes != OWN] = 0
    return MotionField(MotionModel.MESH, cell_size, vectors, modes, own)


@kernel
def moved_cell_sse(
    source: Plane,
    planes: Plane,
    layout: Layout,
    geometry: Geometry,
    row: Integer,
    column: Integer,
    dy: Integer,
    dx: Integer,
) -> Integer:
    """Squared error of one cell moved by one vector."""
    width = source.shape[1]
    top, left, rows, columns = cell_rectangle(source.shape, geometry, row, column)
    there = moved_offset(layout, top, left, dy, dx)
    return rectangle_sse(source.reshape(-1), top * width + left, width, planes, there, layout[1], rows, columns)


@kernel
def mean_squared_error(source: Plane, planes: Plane, layout: Layout, geometry: Geometry, vectors: Vectors) -> float:
    """Mean squared error a sample of blocks moved by ``vectors``."""
    total = 0.0
    for row in range(vectors.shape[0]):
        for column in range(vectors.shape[1]):
            dy, dx = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
            total += moved_cell_sse(source, planes, layout, geometry, row, column, dy, dx)
    return total / source.size


@kernel
def blend_cell_sse(
    source: Plane,
    planes: Plane,
    layout: Layout,
    geometry: Geometry,
    vectors: Vectors,
    row: Integer,
    column: Integer,
) -> Integer:
    """Squared error of one cell in mode BLEND, exact."""
    log2_cell = geometry[0]
    top, left, rows, columns = cell_rectangle(source.shape, geometry, row, column)
    stride = layout[1]
    a = moved_offset(layout, top, left, np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1]))
    b = moved_offset(layout, top, left, np.int32(vectors[row, column + 1, 0]), np.int32(vectors[row, column + 1, 1]))
    c = moved_offset(layout, top, left, np.int32(vectors[row + 1, column, 0]), np.int32(vectors[row + 1, column, 1]))
    d = moved_offset(
        layout, top, left, np.int32(vectors[row + 1, column + 1, 0]), np.int32(vectors[row + 1, column + 1, 1])
    )
    size, down = np.int32(1 << log2_cell), np.int32(2 * log2_cell)
    half = np.int32(1 << (2 * log2_cell - 1))
    total = np.int32(0)
    for v in range(rows):
        below = np.int32(v)
        above = np.int32(size - below)
        row_a, row_b = planes[a : a + columns], planes[b : b + columns]
        row_c, row_d = planes[c : c + columns], planes[d : d + columns]
        here = source[top + v, left : left + columns]
        for u in range(columns):
            right = np.int32(u)
            upper = np.int32(np.int32(row_a[u]) * np.int32(size - right) + np.int32(row_b[u]) * right)
            lower = np.int32(np.int32(row_c[u]) * np.int32(size - right) + np.int32(row_d[u]) * right)
            predicted = np.int32(np.int32(above * upper + below * lower + half) >> down)
            error = np.int32(np.int32(here[u]) - predicted)
            total += np.int32(error * error)
        a += stride
        b += stride
        c += stride
        d += stride
    return total


@kernel
def warp_cell_sse(
    source: Plane,
    planes: Plane,
    layout: Layout,
    geometry: Geometry,
    vectors: Vectors,
    row: Integer,
    column: Integer,
) -> Integer:
    """Squared error of one cell in mode WARP with displacements rounded to quarter samples: fast, near enough."""
    plane_size, stride, border = layout
    log2_cell = geometry[0]
    top, left, rows, columns = cell_rectangle(source.shape, geometry, row, column)
    size, down = np.int32(1 << log2_cell), np.int32(2 * log2_cell)
    half = np.int32(1 << (2 * log2_cell - 1))
    total = np.int32(0)
    for v in range(rows):
        below = np.int32(v)
        above = np.int32(size - below)
        left_y = above * np.int32(vectors[row, column, 0]) + below * np.int32(vectors[row + 1, column, 0])
        left_x = above * np.int32(vectors[row, column, 1]) + below * np.int32(vectors[row + 1, column, 1])
        right_y = above * np.int32(vectors[row, column + 1, 0]) + below * np.int32(vectors[row + 1, column + 1, 0])
        right_x = above * np.int32(vectors[row, column + 1, 1]) + below * np.int32(vectors[row + 1, column + 1, 1])
        y, x = np.int32(size * left_y + half), np.int32(size * left_x + half)
        step_y, step_x = np.int32(right_y - left_y), np.int32(right_x - left_x)
        base = np.int64((top + v + border) * stride + left + border)
        for u in range(columns):
            dy, dx = np.int32(y >> down), np.int32(x >> down)
            place = np.int64(base + (4 * (dy & 3) + (dx & 3)) * plane_size + (dy >> 2) * stride + u + (dx >> 2))
            error = np.int32(source[top + v, left + u]) - np.int32(planes[place])
            total += np.int32(error * error)
            y = np.int32(y + step_y)
            x = np.int32(x + step_x)
    return total


@kernel
def try_node(
    source: Plane,
    planes: Plane,
    layout: Layout,
    geometry: Geometry,
    vectors: Vectors,
    modes: Modes,
    row: Integer,
    column: Integer,
    dy: Integer,
    dx: Integer,
    rate_weight: float,
    best: float,
) -> Any:
    """Move a node to (dy, dx) if that costs less than ``best``; returns the lower cost."""
    old_dy, old_dx = vectors[row, column, 0], vectors[row, column, 1]
    cost = rate_weight * (
        exp_golomb_bits(dy - median_prediction(vectors, row, column, 0))
        + exp_golomb_bits(dx - median_prediction(vectors, row, column, 1))
    )
    vectors[row, column, 0] = dy
    vectors[row, column, 1] = dx
    for cell_row in range(max(row - 1, 0), min(row + 1, modes.shape[0])):
        for cell_column in range(max(column - 1, 0), min(column + 1, modes.shape[1])):
            if cost < best:
                if modes[cell_row, cell_column] == BLEND:
                    cost += blend_cell_sse(source, planes, layout, geometry, vectors, cell_row, cell_column)
                elif modes[cell_row, cell_column] == WARP:
                    cost += warp_cell_sse(source, planes, layout, geometry, vectors, cell_row, cell_column)
    if cost < best:
        return cost
    vectors[row, column, 0] = old_dy
    vectors[row, column, 1] = old_dx
    return best


@kernel
def descend_nodes(
    source: Plane,
    planes: Plane,
    layout: Layout,
    geometry: Geometry,
    vectors: Vectors,
    modes: Modes,
    limit: Integer,
    sweeps: Integer,
    rate_weight: float,
) -> None:
    """Improve ``vectors`` in place, sweep after sweep in alternating raster order, until nothing moves.

    Candidates of a node: its four neighbours' vectors, then a diamond of 4, 2, 1 quarter samples.
    A node is visited again only if it or a neighbour has moved since.
    """
    rows, columns = vectors.shape[:2]
    stale = np.ones((rows + 2, columns + 2), np.bool_)  # a border saves the edge cases
    for sweep in range(sweeps):
        moved = False
        for visit in range(rows * columns):
            node = visit if sweep % 2 == 0 else rows * columns - 1 - visit
            row, column = node // columns, node % columns
            if not stale[row + 1, column + 1]:
                continue
            stale[row + 1, column + 1] = False
            old_dy, old_dx = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
            best = try_node(
                source, planes, layout, geometry, vectors, modes, row, column, old_dy, old_dx, rate_weight, np.inf
            )
            for k in range(4):  # above, below, left, right
                j, i = row + (k == 1) - (k == 0), column + (k == 3) - (k == 2)
                if j < 0 or j >= rows or i < 0 or i >= columns:
                    continue
                dy, dx = np.int32(vectors[j, i, 0]), np.int32(vectors[j, i, 1])
                if dy != vectors[row, column, 0] or dx != vectors[row, column, 1]:
                    best = try_node(
                        source, planes, layout, geometry, vectors, modes, row, column, dy, dx, rate_weight, best
                    )
            step = 4
            while step >= 1:
                centre_y, centre_x = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
                before = best
                for k in range(4):
                    dy = np.int32(centre_y + step * ((k == 1) - (k == 0)))
                    dx = np.int32(centre_x + step * ((k == 3) - (k == 2)))
                    if abs(dy) <= limit and abs(dx) <= limit:
                        best = try_node(
                            source, planes, layout, geometry, vectors, modes, row, column, dy, dx, rate_weight, best
                        )
                if best == before:
                    step >>= 1
            if vectors[row, column, 0] != old_dy or vectors[row, column, 1] != old_dx:
                moved = True
                stale[row : row + 3, column : column + 3] = True
                stale[row + 1, column + 1] = False
        if not moved:
            break


@kernel
def choose_modes(
    source: Plane,
    planes: Plane,
    layout: Layout,
    geometry: Geometry,
    reference: Plane,
    taps: npt.NDArray[np.int32],
    vectors: Vectors,
    own: Vectors,
    rate_weight: float,
    modes: Modes,
) -> float:
    """Give every cell the mode of least squared error + λ · bits; returns the squared error, which is exact."""
    total = 0.0
    scratch = np.empty_like(source)
    width = source.shape[1]
    for row in range(modes.shape[0]):
        for column in range(modes.shape[1]):
            blend_error = blend_cell_sse(source, planes, layout, geometry, vectors, row, column)
            blend = blend_error + rate_weight * MODE_BITS
            top, left, rows, columns = cell_rectangle(source.shape, geometry, row, column)
            warp_cell(reference, vectors, row, column, geometry, taps, scratch)
            offset = top * width + left
            error = rectangle_sse(source.reshape(-1), offset, width, scratch.reshape(-1), offset, width, rows, columns)
            warp = error + rate_weight * MODE_BITS
            bits = OWN_BITS
            for component in range(2):
                mean = np.int32(2)
                for corner in range(4):
                    mean += np.int32(vectors[row + (corner >> 1), column + (corner & 1), component])
                bits += exp_golomb_bits(np.int32(own[row, column, component]) - (mean >> 2))
            dy, dx = np.int32(own[row, column, 0]), np.int32(own[row, column, 1])
            own_error = moved_cell_sse(source, planes, layout, geometry, row, column, dy, dx)
            alone = own_error + rate_weight * bits
            if alone < min(warp, blend):
                modes[row, column] = OWN
                total += own_error
            elif warp < blend:
                modes[row, column] = WARP
                total += error
            else:
                modes[row, column] = BLEND
                total += blend_error
    return total
