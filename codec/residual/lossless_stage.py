"""Where the samples lie that ``lossless`` predicts from (spec 8.2.1): a flat array for all that a plane's taps see."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import kernel
from codec.picture.edges import put_extended
from codec.picture.planes import Plane
from codec.vector_kernels import LANES

__all__ = [
    *("BASE", "CURRENT", "NOTHING", "TAPS", "Stage"),
    *("empty_stage", "fill_stage", "paired_offsets", "set_stage", "tap_offsets"),
]

CURRENT, NEWER, OLDER = range(3)
_NEAR = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))
_CAUSAL = ((-1, 0), (-1, -1), (-1, 1), (-2, 0))
_WEST = ((0, -1), (0, -2))

Tap = tuple[int, int, int]


def _taps(source: int, places: Sequence[tuple[int, int]]) -> tuple[Tap, ...]:
    return tuple((source, dy, dx) for dy, dx in places)


# (plane, dy, dx) by the number of pictures that a picture is predicted from (spec 8.2.1); the last two are in the
# row that is being decoded, all others are there before the row begins
TAPS: Final[tuple[tuple[Tap, ...], ...]] = (
    _taps(CURRENT, (*_CAUSAL, (-2, 1), (-1, 2), (-2, -1), (-1, -2), *_WEST)),
    _taps(NEWER, _NEAR) + _taps(CURRENT, _CAUSAL + _WEST),
    _taps(NEWER, _NEAR) + _taps(OLDER, _NEAR) + _taps(CURRENT, _CAUSAL + _WEST),
)
BASE: Final = 0  # the tap that others are taken relative to: the newest prediction, or the sample above

MARGIN_ROWS = 2
MARGIN_COLUMNS = 4  # left; right there are as many, and what completes the last vector
NOTHING: Final[Plane] = np.zeros((0, 0), np.uint8)


class Stage(NamedTuple):
    """The planes that taps look into, one behind the other in a flat array, each with a margin.

    They are the current plane, its predictions, the residuals of planes before it, and if there are any, 128.

    Attributes:
        samples: uint8, flat.
        shape: (rows, columns) of a plane.
        stride: samples from one row to the next.
        size: samples from one plane to the next.
        references: how many predictions there are.
        residuals: how many residuals there are.
    """

    samples: Plane
    shape: tuple[int, int]
    stride: int
    size: int
    references: int
    residuals: int

    @property
    def origin(self) -> int:
        """Where the first sample of the current plane lies."""
        return MARGIN_ROWS * self.stride + MARGIN_COLUMNS

    def inside(self, number: int) -> Plane:
        """The samples of one plane without its margin."""
        rows, columns = self.shape
        plane = self.samples[number * self.size : (number + 1) * self.size].reshape(-1, self.stride)
        return plane[MARGIN_ROWS : MARGIN_ROWS + rows, MARGIN_COLUMNS : MARGIN_COLUMNS + columns]

    def taps(self) -> npt.NDArray[np.int64]:
        """Where the taps lie, from the sample that is predicted; those into residuals come before the last two."""
        return tap_offsets(self.references, self.residuals, self.size, self.stride)

    def paired_taps(self) -> npt.NDArray[np.int64]:
        """As many of them as `codec.residual.lossless_walk.paired_weights` has weights for."""
        return paired_offsets(self.references, self.residuals, self.size, self.stride)

    def relative_to(self) -> npt.NDArray[np.int64]:
        """What the samples at `taps` are taken relative to: the base, or 128 for residuals."""
        return tap_origins(self.references, self.residuals, self.size, self.stride)


@functools.lru_cache
def tap_offsets(references: int, residuals: int, size: int, stride: int) -> npt.NDArray[np.int64]:
    """`Stage.taps`, which are the same for every picture of a sequence."""
    first = NEWER + references
    into_residuals = [(plane, 0, 0) for plane in range(first, first + residuals)]
    taps = [*TAPS[references][:-2], *into_residuals, *TAPS[references][-2:]]
    return np.array([plane * size + dy * stride + dx for plane, dy, dx in taps], np.int64)


@functools.lru_cache
def paired_offsets(references: int, residuals: int, size: int, stride: int) -> npt.NDArray[np.int64]:
    """`Stage.paired_taps`, likewise."""
    taps = tap_offsets(references, residuals, size, stride)
    return np.insert(taps, -2, taps[BASE]) if len(taps) % 2 == 0 else taps


@functools.lru_cache
def tap_origins(references: int, residuals: int, size: int, stride: int) -> npt.NDArray[np.int64]:
    """`Stage.relative_to`, likewise."""
    taps = tap_offsets(references, residuals, size, stride)
    origins = np.full_like(taps, taps[BASE])
    origins[len(taps) - 2 - residuals : -2] = (NEWER + references + residuals) * size
    return origins


def empty_stage(shape: tuple[int, int], references: int, residuals: int) -> Stage:
    """Room for a stage, which `fill_stage` fills."""
    rows, columns = shape
    stride = -(-columns // LANES) * LANES + 2 * MARGIN_COLUMNS
    size = (rows + 2 * MARGIN_ROWS) * stride
    planes = 1 + references + residuals + (residuals > 0)
    return Stage(np.empty(planes * size, np.uint8), shape, stride, size, references, residuals)


def set_stage(
    shape: tuple[int, int], predictions: Sequence[Plane], residuals: Sequence[Plane], source: Plane = NOTHING
) -> Stage:
    """A stage for a plane that is predicted from the newest picture's plane, then the older one's.

    The current plane holds the source, if there is one, or what will be decoded.
    """
    stage = empty_stage(shape, len(predictions), len(residuals))
    newer, older = (*predictions, NOTHING, NOTHING)[:2]
    first, second = (*residuals, NOTHING, NOTHING)[:2]
    planes = stage.samples.reshape(-1, stage.size // stage.stride, stage.stride)
    fill_stage(planes, source, newer, older, (first, second))
    return stage


@kernel
def fill_stage(
    stage: npt.NDArray[np.uint8], source: Plane, newer: Plane, older: Plane, residuals: tuple[Plane, Plane]
) -> None:
    """All planes of a stage, (planes, rows, columns) with margins, in one call; `NOTHING` is none.

    Beyond its edges a prediction goes on with its outermost samples; the current plane is there what the newest
    prediction is, or 128 without one. Into residuals no tap looks but at the sample's own place.
    """
    current = stage[CURRENT]
    top, left = np.int64(MARGIN_ROWS), np.int64(MARGIN_COLUMNS)  # else compiled once more, for these numbers
    filled = NEWER
    for number in range(OLDER + 1):
        prediction = older if number == OLDER else newer
        if prediction.size > 0:
            put_extended(prediction, top, left, stage[number])
            filled = number + 1
    for y in range(current.shape[0] if newer.size == 0 else 0):
        for x in range(current.shape[1]):
            current[y, x] = 128
    put_inside(source, current)
    for residual in residuals:
        if residual.size > 0:
            put_inside(residual, stage[filled])
            filled += 1
    for number in range(filled, stage.shape[0]):
        stage[number] = 128


@kernel
def put_inside(plane: Plane, target: Plane) -> None:
    """Copy a plane to where the margins of a larger one end."""
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            target[MARGIN_ROWS + y, MARGIN_COLUMNS + x] = plane[y, x]
