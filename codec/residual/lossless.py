"""``lossless``: every sample from its neighbours, here and in earlier pictures, by weights that the file brings.

The residual that is left goes into queues by the activity around it (spec 8.2).
One kernel, `walk_plane`, serves both directions.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from codec.errors import BitstreamError
from codec.kernels import Integer, kernel
from codec.picture.edges import put_extended
from codec.picture.planes import Plane
from codec.residual.levels import CELL, LosslessResidual, Queues, Weights
from codec.vector_kernels import LANES, weighted_sum

__all__ = [
    "BASE",
    "CURRENT",
    "ONE",
    "TAPS",
    "Stage",
    "absolute_weights",
    "add_green",
    "decode_lossless",
    "set_stage",
    "subtract_green",
    "walk",
    "walk_lossless",
    "walk_plane",
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
ONE = 256  # weights are in 1/256
MAX_MAGNITUDE = 32  # of a residual, for contexts

THRESHOLDS: Final = (2, 4, 7, 12, 21, 36, 63, 112, 196)  # least activities of levels 1…9 (spec 8.2.3)
SPLIT: Final = 4  # levels below have a context for each half of the range that a prediction is rounded over
_LEVELS = np.searchsorted(np.array(THRESHOLDS), np.arange(14 * MAX_MAGNITUDE + 1), side="right")
# by 2 · activity + half
CONTEXT_OF: Final[npt.NDArray[np.uint8]] = (
    np.stack([np.where(_LEVELS < SPLIT, 2 * _LEVELS + half, _LEVELS + SPLIT) for half in (0, 1)], axis=1)
    .astype(np.uint8)
    .ravel()
)


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
def tap_origins(references: int, residuals: int, size: int, stride: int) -> npt.NDArray[np.int64]:
    """`Stage.relative_to`, likewise."""
    taps = tap_offsets(references, residuals, size, stride)
    origins = np.full_like(taps, taps[BASE])
    origins[len(taps) - 2 - residuals : -2] = (NEWER + references + residuals) * size
    return origins


def set_stage(shape: tuple[int, int], predictions: Sequence[Plane], residuals: Sequence[Plane]) -> Stage:
    """A stage for a plane that is not decoded yet, predicted from the newest picture's plane, then the older one's.

    Beyond its edges a prediction goes on with its outermost samples; the current plane is there what the newest
    prediction is, or 128 without one.
    """
    rows, columns = shape
    stride = -(-columns // LANES) * LANES + 2 * MARGIN_COLUMNS
    size = (rows + 2 * MARGIN_ROWS) * stride
    planes = 1 + len(predictions) + len(residuals) + (len(residuals) > 0)
    stage = Stage(np.empty(planes * size, np.uint8), shape, stride, size, len(predictions), len(residuals))
    for number, prediction in enumerate(predictions, NEWER):
        plane = stage.samples[number * size : (number + 1) * size].reshape(-1, stride)
        put_extended(prediction, MARGIN_ROWS, MARGIN_COLUMNS, plane)
    stage.samples[:size] = stage.samples[size : 2 * size] if predictions else 128
    for number, residual in enumerate(residuals, NEWER + len(predictions)):
        stage.inside(number)[...] = residual
    if residuals:
        stage.samples[-size:] = 128
    return stage


def absolute_weights(weights: Weights, stage: Stage) -> npt.NDArray[np.int32]:
    """What each tap counts, by class: int32 (classes + 1, 1 + taps), first what rounds and is added (spec 8.2.1).

    Class 0 is the base alone.
    """
    absolute = np.empty((len(weights) + 1, 1 + weights.shape[1]), np.int32)
    fill_absolute_weights(weights, stage.residuals, absolute)
    return absolute


@kernel
def fill_absolute_weights(weights: Weights, residuals: Integer, absolute: npt.NDArray[np.int32]) -> None:
    """The loops of `absolute_weights`."""
    absolute[0] = 0
    count = absolute.shape[1]
    for number in range(absolute.shape[0]):
        row = absolute[number]
        if number > 0:
            row[0] = weights[number - 1, 0]
            for tap in range(2, count):
                row[tap] = weights[number - 1, tap - 1]
        base, added = np.int32(ONE), np.int32(ONE // 2)
        for tap in range(2, count):
            if count - 2 - residuals <= tap < count - 2:
                added -= 128 * row[tap]
            else:
                base -= row[tap]
        row[0] += added
        row[1] = base


@kernel
def look_around(
    samples: Plane,
    row: Integer,
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.int32],
    row_classes: npt.NDArray[np.uint8],
    magnitudes: npt.NDArray[np.int32],
    y: Integer,
    sums: npt.NDArray[np.int32],
    activities: npt.NDArray[np.int32],
) -> None:
    """What a row's predictions and activities take from everything but the row itself."""
    for cell in range(row_classes.size):
        first = np.int64(row_classes[cell]) * weights.shape[1]
        weighted_sum(samples, row + cell * CELL, offsets, weights.reshape(-1), first, sums, np.int64(cell * CELL))
    above, two_above = magnitudes[(y + 2) % 3], magnitudes[(y + 1) % 3]
    for x in range(activities.size):
        activities[x] = 3 * above[x + 2] + 2 * (above[x + 1] + above[x + 3] + two_above[x + 2])


@kernel
def signed(symbol: Integer) -> Integer:
    """0, 1, 2, 3 … to 0, −1, 1, −2 …; 255 is −128."""
    return np.int32(np.int32(symbol >> 1) ^ -np.int32(symbol & 1))


@kernel
def walk_plane(
    samples: Plane,
    origin: Integer,
    stride: Integer,
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.int32],
    classes: npt.NDArray[np.uint8],
    context_of: npt.NDArray[np.uint8],
    queues: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    max_error: Integer,
    encode: bool,
    residuals: Plane,
) -> None:
    """Walk a plane in raster order: predict, take or put a symbol, complete the sample (spec 8.2).

    Encoding, the current plane of the stage holds the source, and ends as what the decoder will have.
    ``residuals`` is filled with residuals + 128.
    ``places`` says where the next symbol of each context lies in ``queues``, which must have as many bytes beyond
    each place as the plane has samples, and one more.

    What takes the time is that each sample waits for the one before; so whatever can be is there in advance.
    """
    rows, columns = residuals.shape
    step = np.int32(2 * max_error + 1)
    exact = max_error == 0
    sums = np.empty(classes.shape[1] * CELL, np.int32)
    activities = np.empty(columns, np.int32)
    magnitudes = np.zeros((3, columns + 4), np.int32)  # of this row and the two above, two more on each side
    following = np.empty(places.size, np.int32)  # the next symbol of each queue, signed
    for queue in range(places.size):
        following[queue] = signed(np.int32(queues[places[queue]]))
    for y in range(rows):
        row = np.uint64(origin + y * stride)
        look_around(samples, row, offsets, weights, classes[y // CELL], magnitudes, y, sums, activities)
        here = magnitudes[y % 3]
        magnitude = west_magnitude = magnitudes[(y + 2) % 3, 2]
        west, two_west = np.int32(samples[row - np.uint64(1)]), np.int32(samples[row - np.uint64(2)])
        left = residuals[y]
        for cell in range(classes.shape[1]):
            of_two_west, of_west = weights[classes[y // CELL, cell], -1], weights[classes[y // CELL, cell], -2]
            for x in range(np.uint64(cell * CELL), np.uint64(min(cell * CELL + CELL, columns))):
                activity = np.int32(activities[x] + np.int32(3 * magnitude + 2 * west_magnitude))
                total = np.int32(sums[x] + np.int32(of_two_west * two_west) + np.int32(of_west * west))
                context = np.uint64(context_of[np.uint64(2 * activity + (((total + 64) >> 7) & 1))])
                place = places[context]
                places[context] = place + 1
                flip = np.int32(((total >> 7) & 1) - 1)  # −1 where the prediction was rounded up, else 0
                prediction = np.int32(min(max(np.int32(total >> 8), np.int32(0)), np.int32(255)))
                if encode:
                    wanted = np.int32(samples[row + x])
                    difference = np.int32(wanted - prediction)
                    if exact:
                        residual = np.int32(np.int32(difference << 24) >> 24)
                    elif difference >= 0:
                        residual = np.int32((difference + max_error) // step)
                    else:
                        residual = -np.int32((max_error - difference) // step)
                    value = np.int32(np.int32(((residual ^ flip) - flip) << 24) >> 24)  # −(−128) is −128
                    queues[place] = np.uint8(np.int32(np.int32(value << 1) ^ np.int32(value >> 31)))
                else:
                    value = following[context]
                    following[context] = signed(np.int32(queues[place + 1]))
                    residual = np.int32(np.int32(value ^ flip) - flip)
                two_west = west
                if exact and encode:
                    west = wanted  # which is what the next line comes to; no need to wait for it
                elif exact:
                    west = np.int32(np.int32(prediction + residual) & 255)
                else:
                    sample = np.int32(prediction + np.int32(residual * step))
                    west = np.int32(min(max(sample, np.int32(0)), np.int32(255)))
                samples[row + x] = np.uint8(west)
                left[x] = np.uint8(np.int32(residual + 128))
                west_magnitude = magnitude
                magnitude = np.int32(min(np.int32(abs(value)), np.int32(MAX_MAGNITUDE)))
                here[x + np.uint64(2)] = magnitude
        here[0] = here[1] = here[2]
        here[columns + 2] = here[columns + 3] = here[columns + 1]


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
        left.append(
            walk(stage, weights[number], residual.classes[number], residual.queues, places, header.max_error, False)
        )
        planes.append(stage.inside(CURRENT))
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
) -> Plane:
    """`walk_plane` with what it takes; moves ``places`` on, and returns the residuals + 128."""
    residuals = np.empty(stage.shape, np.uint8)
    walk_plane(
        stage.samples,
        stage.origin,
        stage.stride,
        stage.taps()[:-2],
        absolute_weights(weights, stage),
        classes,
        CONTEXT_OF,
        queues.symbols,
        places,
        max_error,
        encode,
        residuals,
    )
    return residuals


def weight_differences(weights: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """Weights minus those of the same class before, where there were any (spec 6.7), modulo 2**16."""
    return [after - fitted(start, after.shape) for after, start in zip_longest(weights, before)]


def weights_after(differences: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """The inverse of `weight_differences`."""
    return [difference + fitted(start, difference.shape) for difference, start in zip_longest(differences, before)]


def fitted(weights: Weights | None, shape: tuple[int, ...]) -> Weights:
    """Weights for ``shape[0]`` classes: as many as there are, then 0."""
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
