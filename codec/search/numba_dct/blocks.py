"""The blocks of a picture as the encoder's kernels have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from codec.dct.blocks import CELL, WIENER_BLOCK, WIENER_TAPS, NodeGrid, Shape, WienerFilter, shape_of
from codec.models import LeafKind

__all__ = [
    "LEAF_FIELDS",
    "WIENER_BLOCK",
    "WIENER_TAPS",
    "CodedBlocks",
    "NodeGrid",
    "Shape",
    "WienerFilter",
    "leaf_places",
    "shape_of",
]

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


@dataclass(frozen=True, eq=False)
class CodedBlocks:
    """All planes of one picture, as an encoder has them.

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


def leaf_places(leaves: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Top, left and side of leaves in luma samples, int64 (leaves, 3); they may reach beyond the picture's edge."""
    corners = CELL * leaves[:, [LEAF_ROW, LEAF_COLUMN]].astype(np.int64)
    return np.column_stack([corners, 1 << leaves[:, LEAF_LOG2].astype(np.int64)])
