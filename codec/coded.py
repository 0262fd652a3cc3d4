"""All that a decoder learns about a sequence and about one picture, as checked values.

The encoder makes these from pictures, the bitstream turns them into bytes and back, and `codec.reconstruct`
turns them into pictures, on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.dct.tables import MAX_BITS
from codec.models import MotionModel, PictureType, ResidualCoder
from codec.motion.field import SHARP, SOFT, CellMode, MotionField, grid_shape
from codec.picture.planes import PictureFormat, SampleFormat
from codec.picture.value_maps import NO_MAPS, ValueMaps

if TYPE_CHECKING:
    from codec.dct.references import Place
    from codec.dct.syntax import SymbolReader

__all__ = [
    "ALF_BLOCK",
    "ALF_TAPS",
    "LEVEL_DTYPES",
    "LOSSLESS_QUANTISER",
    "MIN_BLOCK",
    "MODULO",
    "NEW_FILTER",
    "NO_FILTER",
    "SAME_FILTER",
    "AlfParameters",
    "Attachments",
    "CellMode",
    "CodedPicture",
    "CodedSymbols",
    "ContextSubstreams",
    "Levels",
    "LosslessResidual",
    "Memory",
    "MotionField",
    "NodeGrid",
    "PacketGroup",
    "PlaneResidual",
    "PredictionWeights",
    "Quantiser",
    "Residual",
    "Residuals",
    "SequenceHeader",
    "Shape",
    "Weights",
    "WrittenContexts",
    "WrittenSymbols",
    "mesh_differences",
    "negative_first",
    "picture_type",
    "shape_of",
    "symbols_of_levels",
    "z_of",
]

Residual = npt.NDArray[Any]  # source − prediction, int16, or of more than 8 bits int32
Levels = npt.NDArray[Any]  # uint8, int8 or little-endian float16, by coder

Residuals = npt.NDArray[np.uint8 | np.int16]  # of the lossless coder: what is left + 128, of more than 8 bits + 0
Attachments = tuple[tuple[str, bytes], ...]  # keys and values of what came with a picture (spec 5.8)
Weights = npt.NDArray[np.int16]  # (predictor sets, what is added + one for each tap but the base), in 1/256 or 1/1024
Memory = npt.NDArray[np.uint16] | None  # of the samples of a plane (spec 9.2); None where it has none

MIN_BLOCK: Final = 8  # side of the smallest coding block, in luma samples

ALF_TAPS: Final = 12
ALF_BLOCK: Final = 64
NO_FILTER, NEW_FILTER, SAME_FILTER = 0, 1, 2  # of a plane: none, one with taps of its own, one with those before it

LEVEL_DTYPES: dict[ResidualCoder, np.dtype[Any]] = {
    ResidualCoder.INT8: np.dtype(np.int8),
    ResidualCoder.UINT8: np.dtype(np.uint8),
    ResidualCoder.FLOAT16: np.dtype("<f2"),
}


@dataclass(frozen=True)
class Quantiser:
    """How levels of one plane become residual samples (spec 8.2).

    Attributes:
        step_256: step in 1/256 of a sample value, of more than 8 bits in 1/256 of what its 8 highest bits count,
            1…65280 (65280 is a step of 255); 0 is `MODULO`.
        zero_point: the level that means 0, 0…255; always 0 but for ``uint8``.
    """

    step_256: int
    zero_point: int = 0

    def step_in_256ths(self, bit_depth: int) -> int:
        """The step in 1/256 of a sample value of so many bits."""
        return self.step_256 << (bit_depth - 8)

    def step(self, bit_depth: int) -> float:
        """The step in sample values of so many bits."""
        return self.step_in_256ths(bit_depth) / 256


LOSSLESS_QUANTISER = Quantiser(256)  # what the coders without a step carry
MODULO = Quantiser(0)  # of alpha beside planes that have a step: levels are residuals modulo the range (spec 8.5)


@dataclass(frozen=True, eq=False)
class PlaneResidual:
    """Levels of one plane, (rows, columns) as the plane, and what they mean."""

    coder: ResidualCoder
    quantiser: Quantiser
    levels: Levels


@dataclass(frozen=True, eq=False)
class ContextSubstreams:
    """Symbols of a picture as a decoder gets them, apart by context substream (spec 9.6).

    Attributes:
        symbols: uint8, flat: one substream behind the other, with room behind the start of each for as many symbols as
            the picture has samples, and two more.
        starts: int64 (substreams,): where each substream starts.
        sizes: int64 (substreams,): symbols of each.
        substream_of: uint8 (planes · contexts,), of all pictures of a packet group.
        bits: uint8: raw bits, the first the highest of its byte, with room behind them for two bytes for each sample of
            the picture. There are none of 8 bits a sample.
    """

    symbols: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    substream_of: npt.NDArray[np.uint8]
    bits: npt.NDArray[np.uint8]

    def of(self, substream: int) -> npt.NDArray[np.uint8]:
        """The symbols of one substream."""
        start = self.starts[substream]
        return self.symbols[start : start + self.sizes[substream]]


@dataclass(frozen=True, eq=False)
class WrittenContexts:
    """Symbols of a picture as an encoder writes them, in the order of decoding.

    Attributes:
        contexts: uint16 (samples,), of each symbol.
        symbols: uint8 (samples,).
        bits: uint8: raw bits, the first the highest of its byte.
    """

    contexts: npt.NDArray[np.uint16]
    symbols: npt.NDArray[np.uint8]
    bits: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class LosslessResidual:
    """All planes of one picture, for the coder that predicts by weights.

    Attributes:
        weight_differences: of each plane, from the weights of the picture before that has as many references.
        predictor_sets: of each plane, uint8 (rows, columns): which weights a square takes; 0 is the base alone,
            and the numbers behind the last have none either.
        substreams: the symbols of all planes together.
        bit_depth: of the samples that are coded.
    """

    weight_differences: tuple[Weights, ...]
    predictor_sets: tuple[npt.NDArray[np.uint8], ...]
    substreams: ContextSubstreams | WrittenContexts
    bit_depth: int = 8


@dataclass(frozen=True, eq=False)
class AlfParameters:
    """The filter of a plane of a picture (spec 10.13).

    Attributes:
        taps: int8 (12,), in 1/128.
        flags: uint8 (rows, columns): 1 for each square of 64 samples of luma where the plane is filtered.
    """

    taps: npt.NDArray[np.int8]
    flags: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class NodeGrid:
    """The mesh of a picture (spec 10.7): backward motion of the corners of cells, which lies bilinear between them.

    Attributes:
        cell_size: side of a cell in luma samples, a power of two.
        nodes_sixteenth_pel: int16 (rows, columns, 2), (dy, dx), shaped as `codec.motion.field.grid_shape` says.
    """

    cell_size: int
    nodes_sixteenth_pel: npt.NDArray[np.int16]


# int32 (references, planes, 2): scale in 1/1024, offset in 1/32 of 2 ** (bit_depth − 8) samples (spec 10.17)
PredictionWeights = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class CodedSymbols:
    """All planes of one picture, as a decoder gets them: symbols, which it takes while it makes samples.

    Attributes:
        qp: quantiser of luma, 0…51, of more than 8 bits also less.
        qp_chroma: the same of chroma.
        symbols: of all pictures of the packet, which take them one after the other, each once.
        is_last: whether nothing is left of them after this picture.
        alf: of each plane; None where it is not filtered.
        mesh: of a P picture, if it has one.
        weights: of what it is predicted from, if that is weighted.
    """

    qp: int
    qp_chroma: int
    symbols: SymbolReader
    is_last: bool
    alf: tuple[AlfParameters | None, ...]
    mesh: NodeGrid | None = None
    weights: PredictionWeights | None = None


@dataclass(frozen=True, eq=False)
class WrittenSymbols:
    """All planes of one picture, as an encoder writes them.

    Attributes:
        qp: quantiser of luma, 0…51, of more than 8 bits also less.
        qp_chroma: the same of chroma.
        contexts: uint16, of each symbol, in coding order.
        symbols: uint8.
        bits: uint8, one bit each.
        alf: of each plane; None where it is not filtered.
        mesh: of a P picture, if it has one.
        weights: of what it is predicted from, if that is weighted.
    """

    qp: int
    qp_chroma: int
    contexts: npt.NDArray[np.uint16]
    symbols: npt.NDArray[np.uint8]
    bits: npt.NDArray[np.uint8]
    alf: tuple[AlfParameters | None, ...]
    mesh: NodeGrid | None = None
    weights: PredictionWeights | None = None


def mesh_differences(meshes: Sequence[NodeGrid]) -> npt.NDArray[np.int32]:
    """What is left of vectors where they go on as in the mesh before, above and to the left (spec 10.7).

    Returns int32 (meshes, rows, columns, 2), in sixteenths of a sample.
    """
    differences = np.stack([mesh.nodes_sixteenth_pel for mesh in meshes]).astype(np.int32)
    for axis in range(3):
        differences = np.diff(differences, axis=axis, prepend=0)
    return differences


def negative_first(z: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[Any]:
    """0, 1, 2, 3 and so on to 0, −1, 1, −2, in the signed type of the same width (spec 2)."""
    return ((z >> 1) ^ -(z & 1)).view(f"i{z.itemsize}")


def z_of(numbers: npt.NDArray[np.signedinteger]) -> npt.NDArray[Any]:
    """The inverse of `negative_first`."""
    return (numbers << 1 ^ numbers >> 8 * numbers.itemsize - 1).view(f"u{numbers.itemsize}")


def symbols_of_levels(
    header: SequenceHeader, residuals: Sequence[tuple[PlaneResidual, ...]]
) -> list[npt.NDArray[np.unsignedinteger]]:
    """The symbols of each plane of pictures, (pictures, rows, columns): what is coded of their levels (spec 8.1).

    Red and blue less green save 4…21 % of int8 bytes at step 8 on RGB clips that come from a camera.
    """
    planes, alpha = [], []
    for of_plane in zip(*residuals, strict=True):
        levels = np.stack([residual.levels for residual in of_plane])
        if of_plane[0].quantiser == MODULO and levels.itemsize == 2:
            alpha = [z_of(levels.view(np.int16))]
            continue
        zeros = np.array([residual.quantiser.zero_point for residual in of_plane], np.uint8)[:, None, None]
        planes.append(levels.view("<u2") if levels.itemsize == 2 else levels.view(np.uint8) - zeros)
    if header.residual is ResidualCoder.FLOAT16:
        return planes
    if header.format.sample_format.is_rgb:
        planes[0], planes[2] = planes[0] - planes[1], planes[2] - planes[1]
    return [z_of(plane.view(np.int8)) for plane in planes] + alpha


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
        """(rows, columns) of the 8×8 units."""
        return self.rows // MIN_BLOCK, self.columns // MIN_BLOCK

    @property
    def samples(self) -> int:
        """Of all planes."""
        chroma = (self.rows >> self.down) * (self.columns >> self.right)
        return self.rows * self.columns + (self.planes - 1) * chroma


def shape_of(picture_format: PictureFormat) -> Shape:
    """What the blocks of such pictures cover: their planes, made up to whole cells."""
    subsampling = picture_format.sample_format.subsampling
    rows, columns = (-(-side // MIN_BLOCK) * MIN_BLOCK for side in (picture_format.height, picture_format.width))
    return Shape(rows, columns, len(subsampling), *subsampling[-1])


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
        max_error: how far a sample of a lossless file may be off, but for alpha, less than half of their range; 0 for
            every other coder.
        coded: planes that are coded: those of ``format``, but by ``dct`` YUV420 or YUV444 for RGB, and without alpha.
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
        """Size, planes, depth and colour of pictures as they are coded.

        By ``dct`` RGB becomes BT.601 with full range, samples have 12 bits at most (spec 10.14), and alpha is apart.
        """
        given = self.format
        if self.residual is ResidualCoder.DCT:
            given = given.opaque().with_depth(min(given.bit_depth, MAX_BITS))
        return given if self.coded in (None, given.sample_format) else given.as_yuv(self.coded or given.sample_format)

    @property
    def lowest_qp(self) -> int:
        """The finest quantiser of ``dct``: 0 of 8 bits a sample, for each bit more 6 less."""
        return 6 * (8 - self.coded_format.bit_depth)

    @property
    def half_sample_tap(self) -> int:
        """Which filter makes half samples (spec 7.5)."""
        return SHARP if self.residual in (ResidualCoder.LOSSLESS, ResidualCoder.DCT) else SOFT

    @property
    def greens_apart(self) -> bool:
        """Whether planes are coded as G, R − G and B − G (spec 9.1): errors would add up, so only without any."""
        lossless = self.residual is ResidualCoder.LOSSLESS and self.max_error == 0
        return lossless and self.format.sample_format.is_rgb

    @property
    def has_alpha(self) -> bool:
        """Whether the last plane is alpha."""
        return self.format.sample_format.has_alpha

    @property
    def alpha_header(self) -> SequenceHeader | None:
        """What a file of alpha alone would say, if that is coded apart: of ``dct``, by ``lossless`` (spec 10.15)."""
        if self.residual is not ResidualCoder.DCT or not self.has_alpha:
            return None
        gray = replace(self.format, sample_format=SampleFormat.GRAY)
        return replace(self, format=gray, residual=ResidualCoder.LOSSLESS, coded=None)

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
        references: how many decoded pictures of its GOP it is predicted from: 0 makes an I picture. Of ``dct`` with
            alpha it is those that alpha is predicted from.
        field: motion of a P picture; None for an I picture, where the file's model is NONE, and for ``dct``, which
            has it in its blocks.
        residual: of the lossless coder and of ``dct`` one for all planes, of the others one a plane. Of ``dct``
            decoders have other symbols than encoders.
        alpha: beside ``dct``; None where there is none, or where it is that of the picture before.
        place: of ``dct``, in the order of coding.
    """

    references: int
    field: MotionField | None
    residual: LosslessResidual | CodedSymbols | WrittenSymbols | tuple[PlaneResidual, ...]
    alpha: LosslessResidual | None = None
    place: Place | None = None

    @property
    def type(self) -> PictureType:
        """I, P or B."""
        return picture_type(self.references, self.place)


def picture_type(references: int, place: Place | None) -> PictureType:
    """The type of a picture with so many references, and of ``dct`` with such a place in the order of coding."""
    if place is not None and len(place.references) > 1:
        return PictureType.B
    return PictureType.P if references else PictureType.I


@dataclass(frozen=True, eq=False)
class PacketGroup:
    """Consecutive pictures of one GOP that share a packet (spec 5.4).

    Attributes:
        first_picture: number of the first in the file, from 0.
        pictures: the coded pictures, in the order of coding; only the first may be an I picture.
        checksums: CRC-32 of the decoded samples of each, in the same order.
        names: each picture's name, in the order in which they are shown, or empty where the source had none.
        maps: what samples of the GOP that it starts stand for; there are none where they are what they are. Of ``dct``
            alpha alone has one.
        attachments: of each picture, in the order in which they are shown, or empty where all have those that
            pictures share.
        mini_gop: how many pictures lie between two that are not B pictures, with one of these.
    """

    first_picture: int
    pictures: tuple[CodedPicture, ...]
    checksums: tuple[int, ...]
    names: tuple[str, ...] = ()
    maps: ValueMaps = NO_MAPS
    attachments: tuple[Attachments, ...] = ()
    mini_gop: int = 1
