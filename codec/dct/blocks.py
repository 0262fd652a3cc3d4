"""What a file says about the blocks of a picture (spec 8.6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.models import LeafKind
from codec.picture.planes import PictureFormat

__all__ = [
    "CELL",
    "LEAF_FIELDS",
    "ROOT",
    "CodedBlocks",
    "NodeGrid",
    "Shape",
    "WienerFilter",
    "leaf_places",
    "mesh_differences",
    "shape_of",
]

CELL: Final = 8  # side of the smallest leaf, in luma samples
ROOT: Final = 32  # side of the roots of the quadtrees
LOG2_CELL, LOG2_ROOT = 3, 5

SKIP, MERGE, INTER, INTRA, WARPED = map(int, LeafKind)  # plain numbers for kernels

# Columns of `CodedBlocks.leaves`
(
    LEAF_LOG2,
    LEAF_KIND,
    LEAF_MERGE,
    LEAF_QUARTERED,
    LEAF_LUMA,
    LEAF_U,
    LEAF_V,
    LEAF_MODES,
    LEAF_DY,
    LEAF_DX,
    LEAF_ROW,
    LEAF_COLUMN,
    LEAF_LAPPED,
) = range(13)
LEAF_FIELDS: Final = 13

WIENER_TAPS: Final = 12
WIENER_BLOCK: Final = 64


@dataclass(frozen=True, eq=False)
class WienerFilter:
    """The filter of a picture's luma (spec 8.6.10).

    Attributes:
        taps: int8 (12,), in 1/128.
        flags: uint8 (rows, columns): 1 for each square of 64 samples that is filtered.
    """

    taps: npt.NDArray[np.int8]
    flags: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class NodeGrid:
    """The mesh of a picture (spec 6.9): backward motion of the corners of cells, which lies bilinear between them.

    Attributes:
        cell_size: side of a cell in luma samples, a power of two.
        nodes_sixteenth_pel: int16 (rows, columns, 2), (dy, dx), shaped as `codec.motion.field.grid_shape` says.
    """

    cell_size: int
    nodes_sixteenth_pel: npt.NDArray[np.int16]

    def displacements(self, rows: int, columns: int) -> npt.NDArray[np.int32]:
        """What every eighth sample moves by, int32 (rows, columns, 2) in quarter samples (spec 8.6.6)."""
        side = self.cell_size
        (i, v), (j, u) = divmod(8 * np.arange(rows), side), divmod(8 * np.arange(columns), side)
        nodes = self.nodes_sixteenth_pel.astype(np.int32)
        v, u = v[:, None, None], u[None, :, None]
        upper = (side - u) * nodes[i][:, j] + u * nodes[i][:, j + 1]
        lower = (side - u) * nodes[i + 1][:, j] + u * nodes[i + 1][:, j + 1]
        total = (side - v) * upper + v * lower
        return ((total + 2 * side * side) // (4 * side * side)).astype(np.int32)


@dataclass(frozen=True, eq=False)
class CodedBlocks:
    """All planes of one picture.

    Attributes:
        qp: quantiser of luma, 0…51.
        qp_chroma: quantiser of chroma, 0…51.
        leaves: int32 (leaves, 13), in coding order: log2 of the side; kind; which merge candidate; whether luma is
            transformed by quarters; which luma, U and V transform blocks have levels, a bit each; intra modes, six bits
            for each quarter; the vector's difference from its prediction, (dy, dx) in quarter samples; (row, column)
            of the leaf in cells of 8 luma samples; whether its prediction is lapped by those of its neighbours.
        counts: uint16: non-zero levels of each transform block that has any, in coding order.
        positions: uint16: of each non-zero level in its block's scan.
        levels: int16, none of them 0.
        wiener: None where luma is not filtered.
        mesh: of a P picture, if it has one.
    """

    qp: int
    qp_chroma: int
    leaves: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint16]
    positions: npt.NDArray[np.uint16]
    levels: npt.NDArray[np.int16]
    wiener: WienerFilter | None
    mesh: NodeGrid | None = None


def mesh_differences(meshes: Sequence[NodeGrid]) -> npt.NDArray[np.int32]:
    """What is left of vectors where they go on as in the mesh before, above and to the left (spec 6.9).

    Returns int32 (meshes, rows, columns, 2), in sixteenths of a sample.
    """
    differences = np.stack([mesh.nodes_sixteenth_pel for mesh in meshes]).astype(np.int32)
    for axis in range(3):
        differences = np.diff(differences, axis=axis, prepend=0)
    return differences


def leaf_places(leaves: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Top, left and side of leaves in luma samples, int64 (leaves, 3); they may reach beyond the picture's edge."""
    corners = CELL * leaves[:, [LEAF_ROW, LEAF_COLUMN]].astype(np.int64)
    return np.column_stack([corners, 1 << leaves[:, LEAF_LOG2].astype(np.int64)])


class Shape(NamedTuple):
    """The planes that blocks cover, as kernels take it.

    ``rows`` and ``columns`` of luma are whole cells; ``down`` and ``right`` are log2 of chroma's subsampling;
    ``planes`` is 1 or 3.
    """

    rows: int
    columns: int
    planes: int
    down: int
    right: int

    @property
    def cells(self) -> tuple[int, int]:
        """(rows, columns) of the smallest leaves."""
        return self.rows // CELL, self.columns // CELL

    @property
    def samples(self) -> int:
        """Of all planes."""
        chroma = (self.rows >> self.down) * (self.columns >> self.right)
        return self.rows * self.columns + (self.planes - 1) * chroma


def shape_of(picture_format: PictureFormat) -> Shape:
    """What the blocks of such pictures cover: their planes, made up to whole cells."""
    subsampling = picture_format.sample_format.subsampling
    rows, columns = (-(-side // CELL) * CELL for side in (picture_format.height, picture_format.width))
    return Shape(rows, columns, len(subsampling), *subsampling[-1])
