"""Decoded pictures that others are predicted from, and the prediction that a motion field makes of them (spec 7)."""

from __future__ import annotations

from codec.motion.compensation import ReferencePlane
from codec.motion.field import SHARP, MotionField
from codec.picture.planes import Picture, Plane

__all__ = ["Reference", "compensate"]


class Reference:
    """A decoded picture to predict from, with borders and half samples of its planes, made when they are first needed.

    ``tap`` is `codec.motion.field.SHARP` or ``SOFT``.
    """

    def __init__(self, picture: Picture, tap: int = SHARP) -> None:
        self.picture = picture
        self._tap = tap
        self._planes: dict[int, ReferencePlane] = {}

    def plane(self, number: int) -> ReferencePlane:
        """A plane; one that is subsampled needs no half samples, and has none."""
        if number not in self._planes:
            is_subsampled = self.picture.format.sample_format.subsampling[number] != (0, 0)
            self._planes[number] = ReferencePlane(self.picture.planes[number], 0 if is_subsampled else self._tap)
        return self._planes[number]


def compensate(field: MotionField | None, reference: Reference) -> tuple[Plane, ...]:
    """Every plane of a picture, predicted from its reference, uint8 (rows, columns); without a field nothing moves."""
    planes = reference.picture.planes
    if field is None:
        return planes
    subsamplings = reference.picture.format.sample_format.subsampling
    return tuple(reference.plane(number).predict(field, subsamplings[number]) for number in range(len(planes)))
