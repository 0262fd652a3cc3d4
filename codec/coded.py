"""The waist: all that a decoder learns about a sequence and about one picture, as checked values.

The encoder makes these from pictures, the bitstream turns them into bytes and back, and `codec.reconstruct`
turns them into pictures, on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from codec.dct.blocks import (
    WIENER_BLOCK,
    WIENER_TAPS,
    CodedBlocks,
    NodeGrid,
    WienerFilter,
    leaf_places,
    mesh_differences,
    shape_of,
)
from codec.models import MotionModel, PictureType, ResidualCoder
from codec.motion.field import SHARP, SOFT, CellMode, Modes, MotionField, Vectors, grid_shape
from codec.picture.planes import PictureFormat, SampleFormat
from codec.residual.levels import (
    CELL,
    CONTEXTS,
    LEVEL_DTYPES,
    LOSSLESS_QUANTISER,
    MAX_CLASSES,
    WEIGHT_COUNTS,
    Levels,
    LosslessResidual,
    PlaneResidual,
    Quantiser,
    Queues,
    cell_shape,
)

__all__ = [
    "CELL",
    "CONTEXTS",
    "LEVEL_DTYPES",
    "LOSSLESS_QUANTISER",
    "MAX_CLASSES",
    "WEIGHT_COUNTS",
    "WIENER_BLOCK",
    "WIENER_TAPS",
    "CellMode",
    "CodedBlocks",
    "CodedPicture",
    "Levels",
    "LosslessResidual",
    "Modes",
    "MotionField",
    "NodeGrid",
    "PlaneResidual",
    "Quantiser",
    "Queues",
    "Run",
    "SequenceHeader",
    "Vectors",
    "WienerFilter",
    "cell_shape",
    "leaf_places",
    "mesh_differences",
    "shape_of",
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
        max_error: how far a sample of a lossless file may be off, 0…16; 0 for every other coder.
        coded: planes that are coded: those of ``format``, but for RGB by ``dct`` YUV420 or YUV444.
    """

    format: PictureFormat
    rate: Fraction
    residual: ResidualCoder
    motion: MotionModel
    cell_size: int
    vector_limit_quarter_pel: int
    gop_limit: int
    max_error: int = 0
    coded: SampleFormat | None = None

    @property
    def coded_format(self) -> PictureFormat:
        """Size, planes and colour of pictures as they are coded; RGB becomes BT.601 with full range (spec 8.6.11)."""
        if self.coded in (None, self.format.sample_format):
            return self.format
        return self.format.as_yuv(self.coded or self.format.sample_format)

    @property
    def half_sample_tap(self) -> int:
        """Which filter makes half samples (spec 7.2)."""
        return SHARP if self.residual in (ResidualCoder.LOSSLESS, ResidualCoder.DCT) else SOFT

    @property
    def greens_apart(self) -> bool:
        """Whether planes are coded as G, R − G and B − G (spec 8.2.4): errors would add up, so only without any."""
        lossless = self.residual is ResidualCoder.LOSSLESS and self.max_error == 0
        return lossless and self.format.sample_format is SampleFormat.RGB

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
        references: how many decoded pictures before it, of its GOP, it is predicted from: 0 makes an I picture;
            2 is for the lossless coder alone.
        field: motion of a P picture; None for an I picture, where the file's model is NONE, and for ``dct``, which
            has it in its blocks.
        residual: of the lossless coder and of ``dct`` one for all planes, of the others one a plane.
    """

    references: int
    field: MotionField | None
    residual: LosslessResidual | CodedBlocks | tuple[PlaneResidual, ...]

    @property
    def type(self) -> PictureType:
        """I or P."""
        return PictureType.P if self.references else PictureType.I


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
