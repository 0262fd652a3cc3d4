"""From a coded picture to samples: the only code that makes a reference picture, called by both sides.

A decoder calls `reconstruct`; an encoder calls its two halves, since between them it makes the residual.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from codec import residual as kernel_residual
from codec.coded import MIN_BLOCK, CodedPicture, CodedSymbols, LosslessResidual, MotionField, SequenceHeader
from codec.depths import for_depth
from codec.errors import BitstreamError
from codec.lossless.picture import as_coded, as_decoded, decode_lossless
from codec.models import MotionModel, ResidualCoder
from codec.motion import compensation
from codec.motion.compensation import Reference, compensate
from codec.picture.colour import to_array, with_bits
from codec.picture.planes import MIN_BIT_DEPTH, Picture, Plane
from codec.picture.value_maps import NO_MAPS, ValueMaps, unmapped

if TYPE_CHECKING:
    import numpy.typing as npt

    from codec.coded import Memory, PlaneResidual, Residuals, Weights
    from codec.dct.picture import PictureDecoder
    from codec.dct.references import Place

__all__ = [
    "BlockTrace",
    "DecodedBlocks",
    "History",
    "Prediction",
    "ReconstructedPicture",
    "complete",
    "field_of_blocks",
    "lossless_residuals",
    "predict",
    "present",
    "reconstruct",
    "same_alpha",
]

Prediction = tuple[Plane, ...]


class BlockTrace(NamedTuple):
    """How a picture of ``dct`` came to be.

    Attributes:
        blocks: int32 of its coding blocks, in coding order, as `codec.dct.picture.PictureDecoder.trace`.
        prediction: every block as it was before levels were added and anything was filtered.
    """

    blocks: npt.NDArray[np.int32]
    prediction: Picture


class DecodedBlocks(NamedTuple):
    """A decoded picture of ``dct``.

    Attributes:
        picture: without its alpha.
        decoder: that goes on from it.
        references: the decoded pictures that it may point into.
        kept: the decoded pictures that later ones may point into, by number.
        trace: how it came to be, if that is traced.
        alpha: what alpha came from, where it is coded: a picture of the lossless coder, whose field is that of blocks.
    """

    picture: Picture
    decoder: PictureDecoder
    references: tuple[Picture, ...]
    kept: dict[int, Picture]
    trace: BlockTrace | None
    alpha: CodedPicture | None = None


class History(NamedTuple):
    """What the decoded pictures of a GOP leave for the next one.

    Attributes:
        references: the newest first, two at most; of ``dct`` those of alpha, if there is any.
        weights: of the lossless coder, every plane's, by the references of the picture that brought them last.
        memories: of the lossless coder, every plane's.
        blocks: of ``dct``, whose decoder has its reference. It changes with the next picture.
    """

    references: tuple[Reference, ...] = ()
    weights: tuple[tuple[Weights, ...], ...] = ((), (), ())
    memories: tuple[Memory, ...] = ()
    blocks: DecodedBlocks | None = None

    def after(
        self,
        picture: Picture,
        header: SequenceHeader,
        weights: tuple[Weights, ...] = (),
        references: int = 0,
        memories: tuple[Memory, ...] = (),
    ) -> History:
        """The history once ``picture`` is decoded."""
        brought = tuple(weights if number == references and weights else old for number, old in enumerate(self.weights))
        newest = for_depth(compensation, picture.format.bit_depth).Reference(picture, header.half_sample_tap)
        return History((newest, *self.references[:1]), brought, memories)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The decoded pictures that the next may be predicted from, the newest first."""
        if self.blocks is not None:
            return (self.blocks.picture,)
        return tuple(reference.picture for reference in self.references)

    @property
    def newest(self) -> Picture:
        """The picture that was decoded last."""
        return self.pictures[0]

    @property
    def alpha(self) -> Picture | None:
        """Its alpha, if that is coded apart."""
        return self.references[0].picture if self.blocks is not None and self.references else None


class ReconstructedPicture(NamedTuple):
    """One picture's way through the decoder.

    Attributes:
        number: from 0.
        coded: what the file says of it.
        before: the history that it was decoded from.
        after: that which the next may be decoded from.
        picture: what comes out.
        maps: the value maps of its GOP.
    """

    number: int
    coded: CodedPicture
    before: History
    after: History
    picture: Picture
    maps: ValueMaps


def predict(field: MotionField | None, references: int, history: History) -> tuple[Prediction, ...]:
    """The motion-compensated planes from each of the references (spec 7.4), none for an I picture.

    The second is predicted as if motion had been the same: by vectors twice as long.
    """
    fields = (field, field.doubled() if field is not None and references > 1 else None)
    return tuple(
        compensate(of_reference, reference)
        for of_reference, reference in zip(fields, history.references[:references], strict=False)
    )


def complete(
    residual: tuple[PlaneResidual, ...],
    predictions: tuple[Prediction, ...],
    header: SequenceHeader,
    name: str | None = None,
) -> Picture:
    """Prediction + residual of every plane, of the coders in the sample domain (spec 8.5)."""
    prediction = predictions[0] if predictions else (None,) * len(residual)
    bit_depth = header.format.bit_depth
    add_residual = for_depth(kernel_residual, bit_depth).add_residual
    planes = tuple(add_residual(*plane, bit_depth) for plane in zip(residual, prediction, strict=True))
    return Picture(header.format, planes, name)


def complete_lossless(
    residual: LosslessResidual,
    predictions: tuple[Prediction, ...],
    header: SequenceHeader,
    history: History,
    name: str | None = None,
) -> History:
    """The same for the lossless coder (spec 9), whose samples are predicted and completed one by one."""
    planes, weights, _, memories = _decoded(residual, predictions, header, history)
    coded_format = header.format.with_depth(residual.bit_depth)
    picture = Picture(coded_format, as_decoded(planes, header, residual.bit_depth), name)
    return history.after(picture, header, weights, len(predictions), memories)


def lossless_residuals(coded: CodedPicture, before: History, header: SequenceHeader) -> tuple[Residuals, ...]:
    """What the lossless coder kept of each sample, of planes in the order of coding.

    ``before`` is the history that the picture was decoded from.
    """
    assert isinstance(coded.residual, LosslessResidual)
    _, _, residuals, _ = _decoded(coded.residual, predict(coded.field, coded.references, before), header, before)
    return residuals


def _decoded(
    residual: LosslessResidual, predictions: tuple[Prediction, ...], header: SequenceHeader, history: History
) -> tuple[tuple[Plane, ...], tuple[Weights, ...], tuple[Residuals, ...], tuple[Memory, ...]]:
    """Planes as they are coded, weights, residuals and memories of a lossless picture."""
    return decode_lossless(
        residual,
        header.format.plane_shapes,
        [as_coded(prediction, header, residual.bit_depth) for prediction in predictions],
        history.weights[len(predictions)],
        history.memories,
        header,
    )


def decode_blocks(
    coded: CodedSymbols, place: Place, history: History, header: SequenceHeader, traced: bool, name: str | None = None
) -> DecodedBlocks:
    """The same for ``dct`` (spec 10), whose blocks are read, predicted and completed one by one."""
    from codec.dct import picture as kernel

    picture_format = header.coded_format
    shapes, subsampling = picture_format.plane_shapes, picture_format.sample_format.subsampling
    if history.blocks is not None:
        decoder = history.blocks.decoder
    else:
        limit, bit_depth = header.vector_limit_quarter_pel, picture_format.bit_depth
        decoder = for_depth(kernel, bit_depth).PictureDecoder(shapes, subsampling, limit, bit_depth, traced=traced)
    if traced:
        coded.symbols.start_trace()
    planes = decoder.decode(coded.symbols, place, coded.qp, coded.qp_chroma, coded.alf, coded.mesh, coded.weights)
    if coded.is_last:
        coded.symbols.check_end()
    trace = None
    if traced:
        blocks, prediction = decoder.trace()
        trace = BlockTrace(blocks, Picture(picture_format, prediction, name))
    picture = Picture(picture_format, planes, name)
    there = {} if history.blocks is None else history.blocks.kept
    references = tuple(there[number] for number in place.references)
    kept = {number: other for number, other in {**there, place.number: picture}.items() if number in place.kept}
    return DecodedBlocks(picture, decoder, references, kept, trace)


def decode_alpha(coded: CodedPicture, blocks: DecodedBlocks, history: History, header: SequenceHeader) -> History:
    """The history with a picture of ``dct``, and its alpha, which follows the motion of its blocks (spec 10.15)."""
    alpha = coded.alpha
    if alpha is None:
        return same_alpha(history, header)._replace(blocks=blocks)
    field = field_of_blocks(blocks.decoder) if coded.references else None
    after = complete_lossless(alpha, predict(field, coded.references, history), header, history)
    return after._replace(blocks=blocks._replace(alpha=CodedPicture(coded.references, field, alpha)))


def field_of_blocks(decoder: PictureDecoder) -> MotionField:
    """The motion of a picture of ``dct`` as alpha follows it: a vector for each 8×8 unit."""
    return MotionField(MotionModel.BLOCK, MIN_BLOCK, decoder.vectors())


def same_alpha(history: History, header: SequenceHeader) -> History:
    """The history once a picture has the alpha of the one before, or 0 if it is the first."""
    if history.references:
        return history._replace(references=(history.references[0], *history.references[:1]), blocks=None)
    picture_format = header.format.with_depth(MIN_BIT_DEPTH)
    nothing = np.zeros((picture_format.height, picture_format.width), picture_format.dtype)
    return history.after(Picture(picture_format, (nothing,)), header)


def present(
    picture: Picture, header: SequenceHeader, maps: ValueMaps = NO_MAPS, alpha: Picture | None = None
) -> Picture:
    """A decoded picture in the format of the sequence.

    Of a GOP with value maps numbers become samples (spec 9.7); what ``dct`` coded of RGB and of
    more than 12 bits is what it was (spec 10.14), and ``alpha``, which it has apart, is put to it.
    """
    bit_depth = header.format.bit_depth
    if header.residual is not ResidualCoder.DCT:
        picture = unmapped(picture, maps, bit_depth)
        return replace(picture, format=header.format) if header.format.is_float else picture
    if header.format.sample_format.is_rgb:
        picture = Picture.from_array(to_array(picture), picture.name, picture.format.bit_depth)
    picture = with_bits(picture, bit_depth)
    if alpha is None:
        return picture
    return Picture(header.format, (*picture.planes, *unmapped(alpha, maps, bit_depth).planes), picture.name)


def reconstruct(
    coded: CodedPicture, history: History, header: SequenceHeader, name: str | None = None, traced: bool = False
) -> History:
    """The history with the decoded picture as its newest; ``traced`` blocks of ``dct`` say how they came to be.

    Raises:
        BitstreamError: the residual is not enough or too much for the picture, or fewer pictures are there than
            it refers to.
    """
    if coded.references == 0:
        history = History()
    there = len(history.references or history.pictures)
    if coded.place is None and coded.references > there:
        raise BitstreamError(f"a picture refers to {coded.references} pictures of a GOP that has {there}")
    exact = coded.alpha or coded.residual
    if isinstance(exact, LosslessResidual) and history.references:
        there, wanted = history.references[0].picture.format.bit_depth, exact.bit_depth
        if there != wanted:
            raise BitstreamError(f"a picture of {wanted} bits a sample refers to one of {there}")
    if isinstance(coded.residual, CodedSymbols):
        assert coded.place is not None
        blocks = decode_blocks(coded.residual, coded.place, history, header, traced, name)
        of_alpha = header.alpha_header
        return decode_alpha(coded, blocks, history, of_alpha) if of_alpha else History(blocks=blocks)
    predictions = predict(coded.field, coded.references, history)
    if isinstance(coded.residual, LosslessResidual):
        return complete_lossless(coded.residual, predictions, header, history, name)
    assert isinstance(coded.residual, tuple)
    return history.after(complete(coded.residual, predictions, header, name), header)
