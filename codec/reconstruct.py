"""From a coded picture to samples: the only code that makes a reference picture, called by both sides.

A decoder calls `reconstruct`; an encoder calls its two halves, since between them it makes the residual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codec.coded import CodedBlocks, CodedPicture, LosslessResidual, MotionField, SequenceHeader, shape_of
from codec.errors import BitstreamError
from codec.lossless.picture import add_green, decode_lossless, subtract_green
from codec.motion.compensate import Reference, compensate
from codec.picture.colour import to_array
from codec.picture.planes import Picture, Plane, SampleFormat
from codec.residual.levels import PlaneResidual, Weights
from codec.residual.samples import add_residual

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from codec.dct.decode import Seen

__all__ = [
    "History",
    "Prediction",
    "complete",
    "lossless_residuals",
    "predict",
    "present",
    "reconstruct",
    "see_predicted_blocks",
]

Prediction = tuple[Plane, ...]


class History(NamedTuple):
    """What the decoded pictures of a GOP leave for the next one.

    Attributes:
        references: the newest first, two at most.
        weights: of the lossless coder, every plane's, by the references of the picture that brought them last.
        vectors: of the newest picture's blocks, int32 (rows, columns, 2) in quarter samples; None but for ``dct``.
    """

    references: tuple[Reference, ...] = ()
    weights: tuple[tuple[Weights, ...], ...] = ((), (), ())
    vectors: npt.NDArray[np.int32] | None = None

    def after(
        self, picture: Picture, header: SequenceHeader, weights: tuple[Weights, ...] = (), references: int = 0
    ) -> History:
        """The history once ``picture`` is decoded."""
        brought = tuple(weights if number == references and weights else old for number, old in enumerate(self.weights))
        return History((Reference(picture, header.half_sample_tap), *self.references[:1]), brought)

    @property
    def newest(self) -> Picture:
        """The picture that was decoded last."""
        return self.references[0].picture


def predict(field: MotionField | None, references: int, history: History) -> tuple[Prediction, ...]:
    """The motion-compensated planes from each of the references (spec 7), none for an I picture.

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
    """Prediction + residual of every plane, of the coders in the sample domain (spec 8.1)."""
    prediction = predictions[0] if predictions else (None,) * len(residual)
    return Picture(header.format, tuple(map(add_residual, residual, prediction)), name)


def complete_lossless(
    residual: LosslessResidual,
    predictions: tuple[Prediction, ...],
    header: SequenceHeader,
    history: History,
    name: str | None = None,
) -> History:
    """The same for the lossless coder (spec 8.2), whose samples are predicted and completed one by one."""
    planes, weights, _ = _decoded(residual, predictions, header, history)
    picture = Picture(header.format, add_green(planes) if header.greens_apart else planes, name)
    return history.after(picture, header, weights, len(predictions))


def lossless_residuals(coded: CodedPicture, before: History, header: SequenceHeader) -> tuple[Plane, ...]:
    """What the lossless coder kept of each sample: residuals + 128, uint8, of planes in the order of coding.

    ``before`` is the history that the picture was decoded from.
    """
    assert isinstance(coded.residual, LosslessResidual)
    _, _, residuals = _decoded(coded.residual, predict(coded.field, coded.references, before), header, before)
    return residuals


def _decoded(
    residual: LosslessResidual, predictions: tuple[Prediction, ...], header: SequenceHeader, history: History
) -> tuple[tuple[Plane, ...], tuple[Weights, ...], tuple[Plane, ...]]:
    """Planes as they are coded, weights and residuals of a lossless picture."""
    return decode_lossless(
        residual,
        header.format.plane_shapes,
        tuple(map(subtract_green, predictions)) if header.greens_apart else predictions,
        history.weights[len(predictions)],
        header,
    )


def complete_blocks(blocks: CodedBlocks, history: History, header: SequenceHeader, name: str | None = None) -> History:
    """The same for ``dct``, whose blocks are predicted and completed one by one (spec 8.6)."""
    from codec.dct.decode import decode_blocks
    from codec.dct.mesh import mesh_of

    reference = history.references[0] if history.references else None
    limit = header.vector_limit_quarter_pel
    mesh = mesh_of(blocks.mesh, reference, shape_of(header.coded_format))
    picture, vectors = decode_blocks(blocks, reference, history.vectors, mesh, header.coded_format, limit, name)
    return History((Reference(picture, header.half_sample_tap),), vectors=vectors)


def see_predicted_blocks(coded: CodedPicture, before: History, header: SequenceHeader) -> Seen:
    """The prediction that a picture of ``dct`` was decoded from, block by block, and its blocks' vectors.

    ``before`` is the history that the picture was decoded from.
    """
    from codec.dct.decode import see_blocks
    from codec.dct.mesh import mesh_of

    assert isinstance(coded.residual, CodedBlocks)
    reference = before.references[0] if coded.references else None
    vectors = before.vectors if coded.references else None
    mesh = mesh_of(coded.residual.mesh, reference, shape_of(header.coded_format))
    return see_blocks(coded.residual, reference, vectors, mesh, header.coded_format, header.vector_limit_quarter_pel)


def present(picture: Picture, header: SequenceHeader) -> Picture:
    """A decoded picture in the format of the sequence: RGB that was coded as Y'CbCr is RGB again (spec 8.6.11)."""
    if picture.format.sample_format is header.format.sample_format:
        return picture
    assert header.format.sample_format is SampleFormat.RGB
    return Picture.from_array(to_array(picture), picture.name)


def reconstruct(coded: CodedPicture, history: History, header: SequenceHeader, name: str | None = None) -> History:
    """The history with the decoded picture as its newest.

    Raises:
        BitstreamError: the residual is not enough or too much for the picture, or fewer pictures are there than
            it refers to.
    """
    if coded.references == 0:
        history = History()
    if coded.references > len(history.references):
        raise BitstreamError(
            f"a picture refers to {coded.references} pictures of a GOP that has {len(history.references)}"
        )
    if isinstance(coded.residual, CodedBlocks):
        return complete_blocks(coded.residual, history, header, name)
    predictions = predict(coded.field, coded.references, history)
    if isinstance(coded.residual, LosslessResidual):
        return complete_lossless(coded.residual, predictions, header, history, name)
    return history.after(complete(coded.residual, predictions, header, name), header)
