"""What a file says about a picture of ``dct`` (spec 8.6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.picture.planes import PictureFormat

if TYPE_CHECKING:
    from codec.dct.syntax import SymbolReader

__all__ = [
    "CELL",
    "CodedSymbols",
    "NodeGrid",
    "Shape",
    "WienerFilter",
    "WrittenSymbols",
    "mesh_differences",
    "shape_of",
]

CELL: Final = 8  # side of the smallest coding block, in luma samples

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


@dataclass(frozen=True, eq=False)
class CodedSymbols:
    """All planes of one picture, as a decoder gets them: symbols, which it takes while it makes samples.

    Attributes:
        qp: quantiser of luma, 0…51.
        qp_chroma: quantiser of chroma, 0…51.
        symbols: of all pictures of the packet, which take them one after the other, each once.
        is_last: whether nothing is left of them after this picture.
        wiener: None where luma is not filtered.
        mesh: of a P picture, if it has one.
    """

    qp: int
    qp_chroma: int
    symbols: SymbolReader
    is_last: bool
    wiener: WienerFilter | None
    mesh: NodeGrid | None = None


@dataclass(frozen=True, eq=False)
class WrittenSymbols:
    """All planes of one picture, as an encoder writes them.

    Attributes:
        qp: quantiser of luma, 0…51.
        qp_chroma: quantiser of chroma, 0…51.
        contexts: uint16, of each symbol, in coding order.
        symbols: uint8.
        bits: uint8, one bit each.
        wiener: None where luma is not filtered.
        mesh: of a P picture, if it has one.
    """

    qp: int
    qp_chroma: int
    contexts: npt.NDArray[np.uint16]
    symbols: npt.NDArray[np.uint8]
    bits: npt.NDArray[np.uint8]
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
