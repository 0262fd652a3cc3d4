"""The waist: all that a decoder learns about a sequence and about one picture, as checked values.

The encoder makes these from pictures, the bitstream turns them into bytes and back, and `codec.reconstruct`
turns them into pictures, on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from codec.models import MotionModel, PictureType, ResidualCoder
from codec.motion.field import CellMode, Modes, MotionField, Vectors, grid_shape
from codec.picture.planes import PictureFormat
from codec.residual.levels import LEVEL_DTYPES, LOSSLESS_QUANTISER, Levels, PlaneResidual, Quantiser

__all__ = [
    "LEVEL_DTYPES",
    "LOSSLESS_QUANTISER",
    "CellMode",
    "CodedPicture",
    "Levels",
    "Modes",
    "MotionField",
    "PlaneResidual",
    "Quantiser",
    "Run",
    "SequenceHeader",
    "Vectors",
]


@dataclass(frozen=True)
class SequenceHeader:
    """What all pictures of a file share (spec 5.2).

    Attributes:
        format: size, planes and colour of every picture.
        rate: pictures per second.
        residual: coder of every plane.
        motion: model of every P picture's vectors.
        cell_size: side of a block or mesh cell in luma samples.
        vector_limit_quarter_pel: no vector component is beyond ± this.
        gop_limit: most pictures from one I picture to the next.
    """

    format: PictureFormat
    rate: Fraction
    residual: ResidualCoder
    motion: MotionModel
    cell_size: int
    vector_limit_quarter_pel: int
    gop_limit: int

    @property
    def cell_shape(self) -> tuple[int, int]:
        """(rows, columns) of the cells of a picture."""
        return grid_shape(MotionModel.BLOCK, self.cell_size, self.format.width, self.format.height)

    @property
    def grid_shape(self) -> tuple[int, int]:
        """(rows, columns) of the vectors of a P picture; (0, 0) where nothing moves."""
        if self.motion is MotionModel.NONE:
            return 0, 0
        return grid_shape(self.motion, self.cell_size, self.format.width, self.format.height)


@dataclass(frozen=True, eq=False)
class CodedPicture:
    """One picture as the file tells it.

    Attributes:
        type: I or P.
        field: motion of a P picture; None for an I picture, and where the file's model is NONE.
        residuals: one a plane.
    """

    type: PictureType
    field: MotionField | None
    residuals: tuple[PlaneResidual, ...]


@dataclass(frozen=True, eq=False)
class Run:
    """Consecutive pictures of one GOP that share a packet (spec 5.4).

    Attributes:
        first_picture: number of the first in the file, from 0.
        pictures: the coded pictures; only the first may be an I picture.
        checksums: CRC-32 of each picture's decoded samples.
        names: each picture's name, or empty where the source had none.
    """

    first_picture: int
    pictures: tuple[CodedPicture, ...]
    checksums: tuple[int, ...]
    names: tuple[str, ...] = ()
