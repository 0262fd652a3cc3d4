"""From a coded picture to samples: the only code that makes a reference picture, called by both sides.

A decoder calls `reconstruct`; an encoder calls its two halves, since between them it makes the residual.
"""

from __future__ import annotations

from collections.abc import Sequence

from codec.coded import CodedPicture, PlaneResidual
from codec.models import PictureType
from codec.motion.compensate import compensate
from codec.motion.field import MotionField
from codec.picture.planes import Picture, PictureFormat, Plane
from codec.residual.samples import add_residual

__all__ = ["complete", "predict", "reconstruct"]


def predict(field: MotionField | None, type_: PictureType, reference: Picture | None) -> tuple[Plane | None, ...]:
    """The motion-compensated planes of a P picture (spec 7), or None for each plane of an I picture.

    ``reference`` is the decoded picture before it.
    """
    if type_ is PictureType.I:
        return (None,) * 3
    assert reference is not None, "a P picture follows a decoded picture"
    return compensate(field, reference)


def complete(
    residuals: Sequence[PlaneResidual],
    predictions: Sequence[Plane | None],
    picture_format: PictureFormat,
    name: str | None = None,
) -> Picture:
    """Prediction + residual of every plane (spec 8.1)."""
    return Picture(picture_format, tuple(map(add_residual, residuals, predictions)), name)


def reconstruct(
    coded: CodedPicture, reference: Picture | None, picture_format: PictureFormat, name: str | None = None
) -> Picture:
    """The decoded picture; ``reference`` is the one before it, and is not used by an I picture."""
    return complete(coded.residuals, predict(coded.field, coded.type, reference), picture_format, name)
