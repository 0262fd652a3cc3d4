"""Prediction of a block from the reference picture (spec 8.6.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dct.tables import CHROMA_TAPS, LUMA_TAPS
from codec.kernels import Integer, inner_kernel
from codec.motion.half_planes import Layout, place_within
from codec.search.numba_dct.blocks import INTER, INTRA, WARPED
from codec.search.numba_dct.desk import (
    DECODED,
    OTHER,
    SCRATCH_LINES,
    SCRATCH_STRIDE,
    WARP,
    Desk,
    block_address,
    plane_stride,
    plane_subsampling,
)
from codec.search.numba_dct.neighbours import AVERAGED, CELL_DX, CELL_DY, CELL_KIND, Cells, Vectors, candidate_vector
from codec.vector_kernels import address, bytes_at, put_means
from codec.vector_transforms import eight_taps_across, eight_taps_down, four_tap_lanes

__all__ = ["copy_block", "predict_leaf", "quarter_place"]


@inner_kernel
def quarter_place(layout: Layout, y: Integer, x: Integer, dy: Integer, dx: Integer) -> Integer:
    """Where (y, x) moved by quarter samples lies in `interpolated` planes."""
    return place_within(layout, y + (dy >> 2), x + (dx >> 2)) + (4 * (dy & 3) + (dx & 3)) * layout[0]


@inner_kernel
def put_between_quarters(
    scratch: Integer,
    target: Integer,
    target_stride: Integer,
    place: Integer,
    stride: Integer,
    rows: Integer,
    columns: Integer,
    down: Integer,
    right: Integer,
) -> None:
    """Put the samples that lie ``down`` and ``right`` quarters beside those at ``place``: a block of up to 32 × 32."""
    if down == 0 and right == 0:
        put_means(target, target_stride, place, place, stride, rows, columns)
        return
    taps, vectors, line = address(LUMA_TAPS), (columns + 15) >> 4, 2 * SCRATCH_STRIDE
    for j in range(rows + 7):
        eight_taps_across(scratch + j * line, place + (j - 3) * stride - 3, 1, taps + 32 * right, vectors)
    block = scratch + SCRATCH_LINES * line
    for j in range(rows):
        eight_taps_down(block + j * SCRATCH_STRIDE, scratch + j * line, line, taps + 32 * down, vectors)
    put_means(target, target_stride, block, block, SCRATCH_STRIDE, rows, columns)


@inner_kernel
def predict_moved(
    desk: Desk,
    sheet: Integer,
    y: Integer,
    x: Integer,
    height: Integer,
    width: Integer,
    dy: Integer,
    dx: Integer,
) -> None:
    """Put the reference moved by (dy, dx) quarter samples onto a sheet: the luma block at (y, x), and its chroma."""
    shape = desk.shape
    for plane in range(shape.planes):
        down, right = plane_subsampling(desk, plane)
        layout = desk.layouts[0] if plane == 0 else desk.layouts[1]
        there = desk.reference[0] if plane == 0 else desk.reference[1] if plane == 1 else desk.reference[2]
        stride, rows, columns = plane_stride(desk, plane), height >> down, width >> right
        top, left = y >> down, x >> right
        target = block_address(desk, sheet, plane, y, x)
        if down == 0 and right == 0:
            if desk.scratch:
                place = there + place_within(layout, top + (dy >> 2), left + (dx >> 2))
                put_between_quarters(desk.scratch, target, stride, place, layout[1], rows, columns, dy & 3, dx & 3)
            else:
                place = there + quarter_place(layout, top, left, dy, dx)
                put_means(target, stride, place, place, layout[1], rows, columns)
        else:
            eighths_y, eighths_x = dy << (1 - down), dx << (1 - right)
            place = there + place_within(layout, top + (eighths_y >> 3), left + (eighths_x >> 3))
            taps = address(CHROMA_TAPS)
            down_taps, across_taps = taps + 16 * (eighths_y & 7), taps + 16 * (eighths_x & 7)
            four_tap_lanes(target, stride, place, layout[1], rows, columns, down_taps, across_taps)


@inner_kernel
def predict_merged(desk: Desk, y: Integer, x: Integer, side: Integer, candidates: Vectors, candidate: Integer) -> None:
    """The prediction of a merge candidate."""
    if candidate != AVERAGED:
        dy, dx = candidate_vector(candidates, candidate)
        predict_moved(desk, np.int64(DECODED), y, x, side, side, dy, dx)
        return
    for sheet in range(2):  # DECODED, OTHER
        dy, dx = np.int64(candidates[sheet, 0]), np.int64(candidates[sheet, 1])
        predict_moved(desk, sheet, y, x, side, side, dy, dx)
    for plane in range(desk.shape.planes):
        down, right = plane_subsampling(desk, plane)
        stride = plane_stride(desk, plane)
        target = block_address(desk, np.int64(DECODED), plane, y, x)
        put_means(target, stride, target, target + desk.sheet, stride, side >> down, side >> right)


@inner_kernel
def mix_in(target: Integer, stride: Integer, other: Integer, rows: Integer, columns: Integer, from_left: bool) -> None:
    """Mix what lies ``other`` bytes behind a rectangle into it: half at its left or upper edge, nothing at the other.

    Sides are powers of two, from 2 on.
    """
    reach = np.int32(columns if from_left else rows)
    down = np.int32(2)
    while 1 << down < 4 * reach:
        down += 1
    for j in range(rows):
        mine = bytes_at(target + j * stride, (columns,))
        theirs = bytes_at(target + j * stride + other, (columns,))
        for i in range(columns):
            weight = np.int32(2 * (reach - (i if from_left else j)) - 1)
            mixed = weight * np.int32(np.int32(theirs[i]) - np.int32(mine[i])) + 2 * reach
            mine[i] = np.int32(mine[i]) + np.int32(np.int32(mixed) >> down)


@inner_kernel
def cell_beside(cells: Cells, row: Integer, column: Integer, number: Integer, from_left: bool) -> npt.NDArray[np.int32]:
    """One of the cells to the left of a leaf, or above it."""
    cell: npt.NDArray[np.int32] = cells[row + number, column - 1] if from_left else cells[row - 1, column + number]
    return cell


@inner_kernel
def lap(
    desk: Desk, cells: Cells, y: Integer, x: Integer, side: Integer, dy: Integer, dx: Integer, from_left: bool
) -> None:
    """Mix into a leaf moved by (dy, dx) what the vectors of the cells above it, or to its left, predict there."""
    row, column, cells_beside = y >> 3, x >> 3, side >> 3
    reach = side >> 1
    first: Integer = np.int64(0)
    while first < cells_beside:
        cell = cell_beside(cells, row, column, first, from_left)
        there_y, there_x, kind = np.int64(cell[CELL_DY]), np.int64(cell[CELL_DX]), cell[CELL_KIND]
        end = first + 1
        while end < cells_beside:
            cell = cell_beside(cells, row, column, end, from_left)
            if cell[CELL_DY] != there_y or cell[CELL_DX] != there_x or (cell[CELL_KIND] == INTRA) != (kind == INTRA):
                break
            end += 1
        if kind != INTRA and (there_y != dy or there_x != dx):
            top, left = (y + 8 * first, x) if from_left else (y, x + 8 * first)
            height, width = (8 * (end - first), reach) if from_left else (reach, 8 * (end - first))
            predict_moved(desk, np.int64(OTHER), top, left, height, width, there_y, there_x)
            for plane in range(desk.shape.planes):
                down, right = plane_subsampling(desk, plane)
                stride = plane_stride(desk, plane)
                target = block_address(desk, np.int64(DECODED), plane, top, left)
                mix_in(target, stride, desk.sheet, height >> down, width >> right, from_left)
        first = end


@inner_kernel
def copy_block(desk: Desk, source: Integer, target: Integer, y: Integer, x: Integer, side: Integer) -> None:
    """Copy a leaf's samples from sheet to sheet."""
    for plane in range(desk.shape.planes):
        down, right = plane_subsampling(desk, plane)
        stride = plane_stride(desk, plane)
        copied = block_address(desk, source, plane, y, x)
        put_means(block_address(desk, target, plane, y, x), stride, copied, copied, stride, side >> down, side >> right)


@inner_kernel
def predict_leaf(
    desk: Desk,
    cells: Cells,
    kind: Integer,
    lapped: Integer,
    y: Integer,
    x: Integer,
    side: Integer,
    candidates: Vectors,
    candidate: Integer,
    dy: Integer,
    dx: Integer,
) -> None:
    """The prediction of a leaf of any kind but INTRA, on the decoded sheet."""
    if kind == WARPED:
        copy_block(desk, WARP, DECODED, y, x, side)
    elif kind == INTER:
        predict_moved(desk, np.int64(DECODED), y, x, side, side, dy, dx)
    else:
        predict_merged(desk, y, x, side, candidates, candidate)
    if lapped and y > 0:
        lap(desk, cells, y, x, side, dy, dx, False)
    if lapped and x > 0:
        lap(desk, cells, y, x, side, dy, dx, True)
