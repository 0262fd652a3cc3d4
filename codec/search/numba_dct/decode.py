"""From the blocks of a picture to its samples, shared by both sides (spec 8.6)."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.dct.tables import SCALES
from codec.errors import BitstreamError
from codec.kernels import Integer, inner_kernel, kernel
from codec.motion.compensate import Reference
from codec.picture.planes import Picture, PictureFormat, Plane
from codec.search.numba_dct.blocks import (
    INTER,
    INTRA,
    LEAF_COLUMN,
    LEAF_DX,
    LEAF_DY,
    LEAF_KIND,
    LEAF_LAPPED,
    LEAF_LOG2,
    LEAF_LUMA,
    LEAF_MERGE,
    LEAF_MODES,
    LEAF_QUARTERED,
    LEAF_ROW,
    WARPED,
    CodedBlocks,
    Shape,
    shape_of,
)
from codec.search.numba_dct.deblock import deblock
from codec.search.numba_dct.desk import (
    WARP,
    Desk,
    desk_of,
    new_scratch,
    new_sheets,
    plane_origin,
    plane_stride,
    plane_subsampling,
    put_on_sheet,
    take_out,
)
from codec.search.numba_dct.inter import predict_leaf
from codec.search.numba_dct.intra import EDGE, edge_of, is_across, predict_tile, put_tile, smooth
from codec.search.numba_dct.neighbours import (
    CELL_DX,
    CELL_DY,
    CELL_FIELDS,
    Cells,
    Vectors,
    candidate_vector,
    displacement_of,
    has_candidate,
    merge_candidates,
    set_cells,
)
from codec.search.numba_dct.transform import add_levels
from codec.search.numba_dct.wiener import apply_wiener

__all__ = ["Mesh", "Room", "Seen", "decode_blocks", "finish", "new_room", "see_blocks"]

VECTOR_TOO_LONG, NO_CANDIDATE, NO_MESH = 1, 2, 3  # what goes wrong
LINE: Final = EDGE + 31


class Mesh(NamedTuple):
    """What a motion field makes of the reference: planes, and what it moves each cell by, int32 (rows, columns, 2)."""

    prediction: tuple[Plane, ...]
    displacements: Vectors


class Room(NamedTuple):
    """Scratch memory of block kernels.

    Attributes:
        coefficients: int32 (2, 32, 32), see `add_levels`.
        lines: int32 (3, 160): an edge, the edge smoothed, and what `predict_tile` needs.
        tile: uint8 (32, 32).
        candidates: int32 (5, 2).
    """

    coefficients: npt.NDArray[np.int32]
    lines: npt.NDArray[np.int32]
    tile: Plane
    candidates: Vectors


def new_room() -> Room:
    """Room for one picture at a time."""
    return Room(
        np.zeros((2, 32, 32), np.int32),
        np.zeros((3, LINE), np.int32),
        np.zeros((32, 32), np.uint8),
        np.zeros((5, 2), np.int32),
    )


@inner_kernel
def predict_intra(
    desk: Desk,
    samples: Plane,
    cells: Cells,
    room: Room,
    plane: Integer,
    y: Integer,
    x: Integer,
    side: Integer,
    mode: Integer,
) -> None:
    """Predict the block at (y, x) of a plane from the samples around it."""
    down, right = plane_subsampling(desk, plane)
    origin, stride = plane_origin(desk, plane), plane_stride(desk, plane)
    edge, smoothed = room.lines[0], room.lines[1]
    edge_of(samples, origin, stride, cells, y, x, side, down, right, edge)
    smooth(edge, side, smoothed)
    predict_tile(edge, smoothed, mode, side, plane == 0, room.lines[2], room.tile)
    put_tile(room.tile, is_across(mode), side, samples, origin + y * stride + x, stride)


@inner_kernel
def find_vector(
    cells: Cells, before: Vectors, leaf: npt.NDArray[np.int32], candidates: Vectors
) -> tuple[Integer, Integer, Integer]:
    """The vector of a leaf that is no intra leaf, in quarter samples, and whether it has any; fills ``candidates``."""
    count = merge_candidates(cells, before, leaf[LEAF_ROW], leaf[LEAF_COLUMN], leaf[LEAF_LOG2], candidates)
    if leaf[LEAF_KIND] == INTER:
        return candidates[0, 0] + leaf[LEAF_DY], candidates[0, 1] + leaf[LEAF_DX], True
    dy, dx = candidate_vector(candidates, leaf[LEAF_MERGE])
    return dy, dx, has_candidate(leaf[LEAF_MERGE], count)


@inner_kernel
def keep_prediction(
    desk: Desk,
    samples: Plane,
    predicted: Plane,
    plane: Integer,
    top: Integer,
    left: Integer,
    rows: Integer,
    columns: Integer,
) -> None:
    """Copy a block that is predicted, but not corrected yet, to a sheet of its own."""
    stride = plane_stride(desk, plane)
    first = plane_origin(desk, plane) + top * stride + left
    for place in range(first, first + rows * stride, stride):
        for i in range(place, place + columns):
            predicted[i] = samples[i]


@kernel
def decode_leaves(
    desk: Desk,
    samples: Plane,
    cells: Cells,
    before: Vectors,
    displacements: Vectors,
    leaves: npt.NDArray[np.int32],
    counts: npt.NDArray[np.uint16],
    positions: npt.NDArray[np.uint16],
    levels: npt.NDArray[np.int16],
    scales: tuple[int, int],
    vector_limit: Integer,
    room: Room,
    predicted: Plane | None,
) -> Integer:
    """Predict and correct every leaf, in coding order; returns what went wrong, or 0.

    ``predicted`` takes what every block was before levels were added; None compiles to a kernel without that.
    """
    shape = desk.shape
    block: Integer = np.int64(0)  # a plain 0 is a type of its own, with which kernels are compiled once more
    first: Integer = np.int64(0)
    for number in range(leaves.shape[0]):
        leaf = leaves[number]
        log2, kind, modes = np.int64(leaf[LEAF_LOG2]), leaf[LEAF_KIND], np.int64(leaf[LEAF_MODES])
        y, x, side = 8 * np.int64(leaf[LEAF_ROW]), 8 * np.int64(leaf[LEAF_COLUMN]), 1 << log2
        dy, dx = np.int64(0), np.int64(0)
        if kind == WARPED:
            if displacements.size == 0:
                return NO_MESH
            dy, dx = displacement_of(displacements, leaf[LEAF_ROW], leaf[LEAF_COLUMN], side)
        elif kind != INTRA:
            dy, dx, exists = find_vector(cells, before, leaf, room.candidates)
            if not exists:
                return NO_CANDIDATE
            if max(abs(dy), abs(dx)) > vector_limit:
                return VECTOR_TOO_LONG
        if kind != INTRA:
            lapped, candidate = np.int64(leaf[LEAF_LAPPED]), np.int64(leaf[LEAF_MERGE])
            predict_leaf(desk, cells, kind, lapped, y, x, side, room.candidates, candidate, dy, dx)
        coded: Integer = 0
        for plane in range(shape.planes):
            down, right = plane_subsampling(desk, plane)
            quartered = leaf[LEAF_QUARTERED] if plane == 0 else 0
            log2_block = log2 - (quartered if plane == 0 else right)
            step, across = 1 << log2_block, 2 if quartered else 1
            mask = leaf[LEAF_LUMA + plane]
            coded |= (mask > 0) << plane
            if predicted is not None:  # of an intra leaf its parts follow
                rows, columns = side >> down, side >> right
                keep_prediction(desk, samples, predicted, plane, y >> down, x >> right, rows, columns)
            if mask == 0 and kind != INTRA:
                continue
            stride, scale = plane_stride(desk, plane), scales[0] if plane == 0 else scales[1]
            for part in range(4 if quartered else 1 + right - down):
                top, left = (y >> down) + (part // across) * step, (x >> right) + (part % across) * step
                if kind == INTRA:
                    mode = (modes >> (6 * part)) & 63 if plane == 0 else modes & 63
                    predict_intra(desk, samples, cells, room, plane, top, left, step, mode)
                    if predicted is not None:
                        keep_prediction(desk, samples, predicted, plane, top, left, step, step)
                if (mask >> part) & 1:
                    count = np.int64(counts[block])
                    target = desk.address + plane_origin(desk, plane) + top * stride + left
                    add_levels(positions, levels, first, count, log2_block, scale, room.coefficients, target, stride)
                    block += 1
                    first += count
        row, column = leaf[LEAF_ROW], leaf[LEAF_COLUMN]
        set_cells(cells, row, column, log2, kind, coded, modes, dy, dx, leaf[LEAF_QUARTERED])
    return 0


def decode_blocks(
    blocks: CodedBlocks,
    reference: Reference | None,
    before: Vectors | None,
    mesh: Mesh | None,
    picture_format: PictureFormat,
    vector_limit: int,
    name: str | None = None,
) -> tuple[Picture, Vectors]:
    """The picture that blocks describe, and its vectors, int32 (cell rows, cell columns, 2).

    ``before`` are the vectors of the picture before; None without a reference.

    Raises:
        BitstreamError: a vector is longer than the file allows.
    """
    shape = shape_of(picture_format)
    sheets = new_sheets(3, shape)
    cells = _decoded(sheets, blocks, reference, before, mesh, shape, vector_limit)
    return finish(blocks, sheets[: shape.samples], cells, shape, picture_format, name)


class Seen(NamedTuple):
    """What `decode_blocks` works with.

    Attributes:
        prediction: every block as it was before levels were added and anything was filtered.
        vectors: int32 (cell rows, cell columns, 2) in quarter samples, (0, 0) where nothing moves.
    """

    prediction: Picture
    vectors: Vectors


def see_blocks(
    blocks: CodedBlocks,
    reference: Reference | None,
    before: Vectors | None,
    mesh: Mesh | None,
    picture_format: PictureFormat,
    vector_limit: int,
    name: str | None = None,
) -> Seen:
    """Decode a picture for what comes before its samples; takes and raises what `decode_blocks` does."""
    shape = shape_of(picture_format)
    predicted = new_sheets(1, shape)
    cells = _decoded(new_sheets(3, shape), blocks, reference, before, mesh, shape, vector_limit, predicted)
    prediction = take_out(predicted, shape, picture_format, name)
    return Seen(prediction, cells[:, :, [CELL_DY, CELL_DX]])


def _decoded(
    sheets: Plane,
    blocks: CodedBlocks,
    reference: Reference | None,
    before: Vectors | None,
    mesh: Mesh | None,
    shape: Shape,
    vector_limit: int,
    predicted: Plane | None = None,
) -> Cells:
    """Decode onto the first of ``sheets``, and predictions onto ``predicted``; what is noted of each cell."""
    if mesh is not None:
        put_on_sheet(mesh.prediction, shape, sheets[WARP * shape.samples : (WARP + 1) * shape.samples])
    cells = np.zeros((*shape.cells, CELL_FIELDS), np.int32)
    scratch = new_scratch()
    desk = desk_of(sheets, shape, reference, scratch)
    room = new_room()
    wrong = decode_leaves(
        desk,
        sheets,
        cells,
        before if before is not None else np.zeros((*shape.cells, 2), np.int32),
        mesh.displacements if mesh is not None else np.zeros((0, 0, 2), np.int32),
        blocks.leaves,
        blocks.counts,
        blocks.positions,
        blocks.levels,
        (int(SCALES[blocks.qp]), int(SCALES[blocks.qp_chroma])),
        vector_limit,
        room,
        predicted,
    )
    if wrong == VECTOR_TOO_LONG:
        raise BitstreamError(f"a vector is longer than {vector_limit} quarter samples")
    if wrong == NO_MESH:
        raise BitstreamError("a leaf is warped by a mesh that the picture does not have")
    if wrong == NO_CANDIDATE:
        raise BitstreamError("a leaf merges with a candidate that it does not have")
    return cells


def finish(
    blocks: CodedBlocks,
    sheet: Plane,
    cells: Cells,
    shape: Shape,
    picture_format: PictureFormat,
    name: str | None,
) -> tuple[Picture, Vectors]:
    """Filter what is decoded (spec 8.6.9, 8.6.10), and cut it to the picture."""
    deblock(sheet, cells, shape, blocks.qp, blocks.qp_chroma)
    picture = take_out(sheet, shape, picture_format, name)
    if blocks.wiener is not None:
        luma = apply_wiener(picture.planes[0], blocks.wiener)
        picture = Picture(picture_format, (luma, *picture.planes[1:]), name)
    return picture, np.ascontiguousarray(cells[:, :, [CELL_DY, CELL_DX]])  # another layout is another kernel
