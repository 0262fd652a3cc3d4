"""Where the planes of a picture at work lie, as kernels take it: numbers and addresses, no arrays.

An array that is handed from kernel to kernel is counted atomically each time, which took most of the time of a
prototype: 3,400 ns for an 8×8 block, 110 without.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np

from codec.kernels import Integer, inner_kernel
from codec.motion.compensate import Reference
from codec.motion.half_planes import Layout
from codec.picture.edges import put_extended
from codec.picture.planes import Picture, PictureFormat, Plane
from codec.search.numba_dct.blocks import Shape
from codec.search.numba_dct.interpolate import interpolated

__all__ = [
    "DECODED",
    "OTHER",
    "Desk",
    "block_address",
    "desk_of",
    "lay_out",
    "new_scratch",
    "new_sheets",
    "plane_origin",
    "plane_stride",
    "plane_subsampling",
    "put_on_sheet",
]

SCRATCH_LINES, SCRATCH_STRIDE = 39, 32
DECODED, OTHER, WARP = 0, 1, 2  # sheets: what is being decoded, a second prediction, the picture a mesh predicts


class Desk(NamedTuple):
    """The geometry of sheets, each with all planes of a picture, one behind the other; and of a reference.

    Attributes:
        address: of sheet 0.
        sheet: samples of one sheet.
        stride: samples of a row of luma, and of chroma.
        chroma: where the second plane begins in a sheet, and how many samples lie between it and the third.
        shape: what the planes cover.
        reference: addresses of the reference's planes, 0 without one.
        layouts: of the reference's luma and chroma planes.
        scratch: address of room to filter a block in, or 0 where planes that are not subsampled are there at all
            quarter samples (`codec.search.numba_dct.interpolate`).
    """

    address: int
    sheet: int
    stride: tuple[int, int]
    chroma: tuple[int, int]
    shape: Shape
    reference: tuple[int, int, int]
    layouts: tuple[Layout, Layout]
    scratch: int


def lay_out(shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """``stride`` and ``chroma`` of a desk."""
    columns = shape.columns >> shape.right
    return (shape.columns, columns), (shape.rows * shape.columns, (shape.rows >> shape.down) * columns)


def new_sheets(count: int, shape: Shape) -> Plane:
    """Room for ``count`` sheets, uint8 flat; a vector that reads beyond a block stays inside."""
    return np.zeros(count * shape.samples + 64, np.uint8)


def new_scratch() -> Plane:
    """Room to filter a block in, uint8 flat: lines of 16 bits with seven more than the block has, then its samples."""
    return np.empty(SCRATCH_LINES * 2 * SCRATCH_STRIDE + SCRATCH_STRIDE * SCRATCH_STRIDE, np.uint8)


def desk_of(sheets: Plane, shape: Shape, reference: Reference | None, scratch: Plane | None) -> Desk:
    """A desk for sheets; whoever uses it keeps ``sheets``, ``reference`` and ``scratch`` alive.

    Without ``scratch`` blocks are copied from planes at all quarter samples: a search looks at most of them.
    """
    stride, chroma = lay_out(shape)
    nowhere: Layout = (0, 0, 0, 0)
    places, layouts = [0, 0, 0], [nowhere, nowhere]
    if reference is not None:
        for plane in range(shape.planes):
            halves = reference.full(plane) if scratch is not None else reference.between(plane, interpolated)
            places[plane] = halves.samples.ctypes.data
            layouts[min(plane, 1)] = halves.layout
    return Desk(
        sheets.ctypes.data,
        shape.samples,
        stride,
        chroma,
        shape,
        (places[0], places[1], places[2]),
        (layouts[0], layouts[1]),
        scratch.ctypes.data if scratch is not None else 0,
    )


@inner_kernel
def plane_origin(desk: Desk, plane: Integer) -> Integer:
    """Where a plane begins in a sheet."""
    return 0 if plane == 0 else desk.chroma[0] + (plane - 1) * desk.chroma[1]


@inner_kernel
def plane_subsampling(desk: Desk, plane: Integer) -> tuple[Integer, Integer]:
    """log2 of a plane's subsampling, down and right."""
    return (0, 0) if plane == 0 else (desk.shape.down, desk.shape.right)


@inner_kernel
def plane_stride(desk: Desk, plane: Integer) -> Integer:
    """Samples from one row of a plane to the next."""
    return desk.stride[0] if plane == 0 else desk.stride[1]


@inner_kernel
def block_address(desk: Desk, sheet: Integer, plane: Integer, y: Integer, x: Integer) -> Integer:
    """Where on a sheet a plane has what belongs to the luma sample (y, x)."""
    down, right = plane_subsampling(desk, plane)
    first = desk.address + sheet * desk.sheet + plane_origin(desk, plane)
    return first + (y >> down) * plane_stride(desk, plane) + (x >> right)


def put_on_sheet(planes: tuple[Plane, ...], shape: Shape, sheet: Plane) -> None:
    """Copy planes onto a sheet; their last samples go on to whole cells."""
    for plane, inside in zip(planes, planes_of(sheet, shape), strict=True):
        put_extended(plane, 0, 0, inside)


def take_out(sheet: Plane, shape: Shape, picture_format: PictureFormat, name: str | None) -> Picture:
    """The picture on a sheet, cut to its size."""
    planes = (
        plane[:rows, :columns].copy()
        for plane, (rows, columns) in zip(planes_of(sheet, shape), picture_format.plane_shapes, strict=True)
    )
    return Picture(picture_format, tuple(planes), name)


def planes_of(sheet: Plane, shape: Shape) -> list[Plane]:
    """Views of the planes on a sheet."""
    rows, columns = shape.rows >> shape.down, shape.columns >> shape.right
    shapes = [(shape.rows, shape.columns)] + [(rows, columns)] * (shape.planes - 1)
    places = accumulate((height * width for height, width in shapes), initial=0)
    return [sheet[place : place + h * w].reshape(h, w) for place, (h, w) in zip(places, shapes, strict=False)]
