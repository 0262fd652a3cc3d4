"""``lossless``: every sample from its neighbours, here and in earlier pictures, by weights that the file brings.

The residual that is left goes into queues by the activity around it (spec 8.2).
One walk, in `codec.residual.lossless_walk`, serves both directions.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from codec.errors import BitstreamError
from codec.kernels import kernel
from codec.picture.edges import put_extended
from codec.picture.planes import Plane
from codec.residual.levels import LosslessResidual, Queues, Weights
from codec.residual.lossless_walk import CONTEXT_OF, decode_plane, encode_plane
from codec.vector_kernels import LANES

__all__ = [
    "BASE",
    "CURRENT",
    "TAPS",
    "Stage",
    "add_green",
    "decode_lossless",
    "set_stage",
    "subtract_green",
    "walk",
    "walk_lossless",
    "weight_differences",
]


class CoderHeader(Protocol):
    """What the coder needs of a sequence's header."""

    @property
    def max_error(self) -> int:
        """How far a sample may be off."""

    @property
    def greens_apart(self) -> bool:
        """Whether planes are G, R − G and B − G (spec 8.2.4)."""


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


def set_stage(
    shape: tuple[int, int], predictions: Sequence[Plane], residuals: Sequence[Plane], source: Plane = NOTHING
) -> Stage:
    """A stage for a plane that is predicted from the newest picture's plane, then the older one's.

    The current plane holds the source, if there is one, or what will be decoded.
    """
    rows, columns = shape
    stride = -(-columns // LANES) * LANES + 2 * MARGIN_COLUMNS
    size = (rows + 2 * MARGIN_ROWS) * stride
    planes = 1 + len(predictions) + len(residuals) + (len(residuals) > 0)
    stage = Stage(np.empty(planes * size, np.uint8), shape, stride, size, len(predictions), len(residuals))
    newer, older = (*predictions, NOTHING, NOTHING)[:2]
    fill_stage(stage.samples.reshape(planes, -1, stride), source, newer, older)
    for number, residual in enumerate(residuals, NEWER + len(predictions)):
        stage.inside(number)[...] = residual
    if residuals:
        stage.samples[-size:] = 128
    return stage


@kernel
def fill_stage(stage: npt.NDArray[np.uint8], source: Plane, newer: Plane, older: Plane) -> None:
    """The current plane and its predictions, (planes, rows, columns) with margins, in one call; `NOTHING` is none.

    Beyond its edges a prediction goes on with its outermost samples; the current plane is there what the newest
    prediction is, or 128 without one.
    """
    current = stage[CURRENT]
    top, left = np.int64(MARGIN_ROWS), np.int64(MARGIN_COLUMNS)  # else compiled once more, for these numbers
    for number in range(OLDER + 1):
        prediction = older if number == OLDER else newer
        if prediction.size > 0:
            put_extended(prediction, top, left, stage[number])
    for y in range(current.shape[0] if newer.size == 0 else 0):
        for x in range(current.shape[1]):
            current[y, x] = 128
    for y in range(source.shape[0]):
        for x in range(source.shape[1]):
            current[top + y, left + x] = source[y, x]


def decode_lossless(
    residual: LosslessResidual,
    shapes: Sequence[tuple[int, int]],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    header: CoderHeader,
) -> tuple[tuple[Plane, ...], tuple[Weights, ...]]:
    """The planes of a picture, and the weights that they took; arguments as of `code_lossless`.

    Raises:
        BitstreamError: a queue has not the symbols that the planes need.
    """
    planes, weights, _ = walk_lossless(residual, shapes, predictions, before, header)
    return planes, weights


def walk_lossless(
    residual: LosslessResidual,
    shapes: Sequence[tuple[int, int]],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    header: CoderHeader,
) -> tuple[tuple[Plane, ...], tuple[Weights, ...], tuple[Plane, ...]]:
    """`decode_lossless`, with what the queues held for each sample: residuals + 128 of every plane."""
    weights = tuple(weights_after(residual.weight_differences, before))
    places = residual.queues.starts.copy()
    planes: list[Plane] = []
    left: list[Plane] = []
    for number, shape in enumerate(shapes):
        stage = set_stage(
            shape, [of_picture[number] for of_picture in predictions], left if header.greens_apart else ()
        )
        map_, max_error = residual.classes[number], header.max_error
        plane, of_plane = walk(stage, weights[number], map_, residual.queues, places, max_error, False)
        planes.append(plane)
        left.append(of_plane)
    used = places - residual.queues.starts
    if not np.array_equal(used, residual.queues.sizes):
        raise BitstreamError(f"queues of {residual.queues.sizes.tolist()} symbols where {used.tolist()} are needed")
    return tuple(planes), weights, tuple(left)


def walk(
    stage: Stage,
    weights: Weights,
    classes: npt.NDArray[np.uint8],
    queues: Queues,
    places: npt.NDArray[np.int64],
    max_error: int,
    encode: bool,
) -> tuple[Plane, Plane]:
    """A walk with what it takes; moves ``places`` on, and returns what is decoded, and the residuals + 128."""
    decoded, residuals = np.empty(stage.shape, np.uint8), np.empty(stage.shape, np.uint8)
    walk_plane = encode_plane if encode else decode_plane
    walk_plane(
        stage.samples,
        stage.origin,
        stage.stride,
        stage.paired_taps(),
        weights,
        stage.residuals,
        classes,
        CONTEXT_OF,
        queues.symbols,
        places,
        max_error,
        residuals,
        decoded,
    )
    return decoded, residuals


def weight_differences(weights: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """Weights minus those of the same class before, where there were any (spec 6.7), modulo 2**16."""
    return [after - fitted(start, after.shape) for after, start in zip_longest(weights, before)]


def weights_after(differences: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """The inverse of `weight_differences`."""
    return [difference + fitted(start, difference.shape) for difference, start in zip_longest(differences, before)]


def fitted(weights: Weights | None, shape: tuple[int, ...]) -> Weights:
    """Weights for ``shape[0]`` classes: as many as there are, then 0."""
    if weights is not None and weights.shape == shape:
        return weights
    result = np.zeros(shape, np.int16)
    if weights is not None:
        result[: len(weights)] = weights[: shape[0]]
    return result


def subtract_green(planes: Sequence[Plane]) -> tuple[Plane, ...]:
    """G, R − G + 128 and B − G + 128, modulo 256, of R, G and B (spec 8.2.4)."""
    red, green, blue = planes
    return green, red - green + np.uint8(128), blue - green + np.uint8(128)


def add_green(planes: Sequence[Plane]) -> tuple[Plane, ...]:
    """The inverse of `subtract_green`."""
    green, red, blue = planes
    return red + green - np.uint8(128), green, blue + green - np.uint8(128)
