"""``lossless``: every sample from its neighbours, here and in earlier pictures, by weights that the file brings.

The residual that is left goes into queues by the activity around it (spec 8.2).
One kernel, `walk_plane`, serves both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from codec.errors import BitstreamError
from codec.kernels import Integer, kernel
from codec.picture.planes import Plane
from codec.residual.levels import CELL, LosslessResidual, Queues, Weights
from codec.vector_kernels import LANES, choose, either, weighted_sum

__all__ = [
    "BASE",
    "CURRENT",
    "ONE",
    "TAPS",
    "Stage",
    "absolute_weights",
    "add_green",
    "decode_lossless",
    "even",
    "paired",
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
HALF: Final = 512  # more than any activity
CONTEXT_OF: Final[npt.NDArray[np.uint8]] = np.zeros(2 * HALF, np.uint8)  # by half · HALF + activity
for _half in range(2):
    CONTEXT_OF[_half * HALF :][: len(_LEVELS)] = np.where(_LEVELS < SPLIT, 2 * _LEVELS + _half, _LEVELS + SPLIT)

NEXT, SECOND, PLACE = 0, 16, 32  # where `open_queues` has what it says of each queue


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
        first = NEWER + self.references
        into_residuals = [(plane, 0, 0) for plane in range(first, first + self.residuals)]
        taps = [*TAPS[self.references][:-2], *into_residuals, *TAPS[self.references][-2:]]
        return np.array([plane * self.size + dy * self.stride + dx for plane, dy, dx in taps], np.int64)

    def relative_to(self) -> npt.NDArray[np.int64]:
        """What the samples at `taps` are taken relative to: the base, or 128 for residuals."""
        taps = self.taps()
        origins = np.full_like(taps, taps[BASE])
        origins[len(taps) - 2 - self.residuals : -2] = (NEWER + self.references + self.residuals) * self.size
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
        stage.inside(number)[...] = prediction
        plane = stage.samples[number * size : (number + 1) * size].reshape(-1, stride)
        plane[:, :MARGIN_COLUMNS] = plane[:, MARGIN_COLUMNS : MARGIN_COLUMNS + 1]
        plane[:, MARGIN_COLUMNS + columns :] = plane[:, MARGIN_COLUMNS + columns - 1 : MARGIN_COLUMNS + columns]
        plane[:MARGIN_ROWS] = plane[MARGIN_ROWS]
        plane[MARGIN_ROWS + rows :] = plane[MARGIN_ROWS + rows - 1]
    if predictions:
        frame_current(stage)
    else:
        stage.samples[:size] = 128
    for number, residual in enumerate(residuals, NEWER + len(predictions)):
        stage.inside(number)[...] = residual
    if residuals:
        stage.samples[-size:] = 128
    return stage


def frame_current(stage: Stage) -> None:
    """Give the current plane the newest prediction's margins above and beside it, where its taps look."""
    current, prediction = (
        stage.samples[start : start + stage.size].reshape(-1, stage.stride) for start in (0, NEWER * stage.size)
    )
    behind = MARGIN_COLUMNS + stage.shape[1]
    for margin in np.s_[:MARGIN_ROWS], np.s_[:, :MARGIN_COLUMNS], np.s_[:, behind:]:
        current[margin] = prediction[margin]


def absolute_weights(weights: Weights, stage: Stage) -> npt.NDArray[np.int32]:
    """What each tap counts, by class: int32 (classes + 1, 1 + taps), first what rounds and is added (spec 8.2.1).

    Class 0 is the base alone.
    """
    residuals = slice(-2 - stage.residuals, -2)
    absolute = np.zeros((len(weights) + 1, 1 + weights.shape[1]), np.int32)
    absolute[1:, 0] = weights[:, 0]
    absolute[1:, 2:] = weights[:, 1:]
    absolute[:, 1] = ONE - absolute[:, 2:].sum(axis=1) + absolute[:, residuals].sum(axis=1)
    absolute[:, 0] += ONE // 2 - 128 * absolute[:, residuals].sum(axis=1)
    return absolute


def paired(absolute: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The same as `weighted_sum` takes it: int32 (classes + 1, 2 + pairs of taps).

    Weights of all taps but the base have 16 bits in the file, and two of them share a word; where their number is odd,
    0 is the weight of one more before the last two.
    """
    rest = absolute[:, 2:]
    if rest.shape[1] % 2:
        rest = np.insert(rest, -2, 0, axis=1)
    return np.concatenate([absolute[:, :2], (rest[:, ::2] & 0xFFFF) | (rest[:, 1::2] << 16)], axis=1)


def even(taps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Taps that are as many as `paired` has weights for."""
    return np.insert(taps, -2, taps[BASE]) if len(taps) % 2 == 0 else taps


@kernel
def look_around(
    samples: Plane,
    row: Integer,
    offsets: npt.NDArray[np.int64],
    pairs: Integer,
    weights: npt.NDArray[np.int32],
    row_classes: npt.NDArray[np.uint8],
    magnitudes: npt.NDArray[np.uint8],
    y: Integer,
    sums: npt.NDArray[np.int32],
    activities: npt.NDArray[np.int32],
) -> None:
    """What a row's predictions and activities take from everything but the row itself.

    ``pairs`` says of how many taps beside the base: the last pair is in the row.
    ``activities`` has one number more than the row has samples.
    """
    flat = weights.reshape(-1)
    for cell in range(row_classes.size):
        first = np.int64(row_classes[cell]) * weights.shape[1]
        weighted_sum(samples, row + cell * CELL, offsets, pairs, flat, first, sums, np.int64(cell * CELL))
    above, two_above = magnitudes[(y + 2) % 3], magnitudes[(y + 1) % 3]
    for x in range(np.uint64(activities.size - 1)):
        beside = np.int32(above[x + np.uint64(1)]) + np.int32(above[x + np.uint64(3)])
        n, nn = np.int32(above[x + np.uint64(2)]), np.int32(two_above[x + np.uint64(2)])
        activities[x] = np.int32(np.int32(3 * n) + np.int32(2 * np.int32(beside + nn)))


@kernel
def signed(symbol: Integer) -> Integer:
    """0, 1, 2, 3 … to 0, −1, 1, −2 …; 255 is −128."""
    return np.int32(np.int32(symbol >> 1) ^ -np.int32(symbol & 1))


@kernel
def unsigned(value: Integer) -> Integer:
    """The inverse of `signed`."""
    return np.int32(np.int32(value << 1) ^ np.int32(value >> 31))


@kernel
def wrapped(difference: Integer) -> Integer:
    """Modulo 256, in −128…127."""
    return np.int32(np.int32(difference << 24) >> 24)


@kernel
def clipped(sample: Integer) -> Integer:
    """0…255."""
    return np.int32(min(max(sample, np.int32(0)), np.int32(255)))


@kernel
def predicted(total: Integer) -> Integer:
    """The sample that a weighted sum says."""
    return clipped(np.int32(total >> 8))


@kernel
def turned(residual: Integer, total: Integer) -> Integer:
    """A residual as it is in a queue, or back: with its sign turned round where the prediction was rounded up."""
    flip = np.int32(((total >> 7) & 1) - 1)  # −1 there, else 0
    return np.int32(np.int32(residual ^ flip) - flip)


@kernel
def in_upper_half(total: Integer) -> Integer:
    """Whether a prediction lies in the upper half of the range that it is rounded over."""
    return (np.int32(total + 64) & 128) != 0


@kernel
def magnitude_of(value: Integer) -> Integer:
    """What a context takes of a residual."""
    return np.int32(min(np.int32(abs(value)), np.int32(MAX_MAGNITUDE)))


@kernel
def described(symbol: Integer) -> Integer:
    """A symbol's value, above 16 bits, then its magnitude, above 8 bits, and three times that."""
    value = signed(symbol)
    return np.int64(np.int32(value << 16) + np.int32(259 * magnitude_of(value)))


@kernel
def open_queues(
    queues: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    descriptions: npt.NDArray[np.int64],
    opened: npt.NDArray[np.int64],
) -> None:
    """Fill in for each queue what its next symbol says, what the second one says, and the place of the next."""
    for queue in range(places.size):
        opened[NEXT + queue] = descriptions[queues[places[queue]]]
        opened[SECOND + queue] = descriptions[queues[places[queue] + 1]]
        opened[PLACE + queue] = places[queue]


class Row(NamedTuple):
    """A row that is walked.

    Attributes:
        samples: of the whole stage.
        first: where the row begins in it, uint64.
        classes: of the row's cells.
        weights: as `paired` gives them.
        sums: int32, what predictions take from elsewhere, for all samples of its cells and one more.
        activities: int32, the same for one sample more than there are.
        here: uint8, magnitudes, two more on each side; those before the row are there.
        left: uint8, residuals + 128.
    """

    samples: Plane
    first: Integer
    classes: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.int32]
    sums: npt.NDArray[np.int32]
    activities: npt.NDArray[np.int32]
    here: npt.NDArray[np.uint8]
    left: npt.NDArray[np.uint8]


@kernel
def take_row(
    row: Row,
    context_of: npt.NDArray[np.uint8],
    descriptions: npt.NDArray[np.int64],
    queues: npt.NDArray[np.uint8],
    opened: npt.NDArray[np.int64],
    step: Integer,
) -> None:
    """Decode a row.

    What takes the time is that each sample waits for the one before, and that what was written to memory waits before
    it can be read. So the context and symbol of either half are there before it is known which of them it is, a queue's
    next symbol is read two symbols ahead, and of each sum only the last term is new.
    """
    samples, first, row_classes, weights, sums, activities, here, left = row
    columns = np.uint64(left.size)
    west, two_west = np.int32(samples[first - np.uint64(1)]), np.int32(samples[first - np.uint64(2)])
    description = np.int64(259 * np.int64(here[1]))
    activity_so_far = np.int64(activities[0]) + np.int64(2 * np.int64(here[0]))
    for cell in range(row_classes.size):
        both = np.int32(weights[row_classes[cell], -1])
        of_west, of_two_west = np.int32(np.int32(both << 16) >> 16), np.int32(both >> 16)
        total_so_far = np.int32(sums[cell * CELL] + np.int32(of_two_west * two_west))
        for x in range(np.uint64(cell * CELL), min(np.uint64(cell * CELL + CELL), columns)):
            activity = np.uint64(activity_so_far + (description & 255))
            activity_so_far = np.int64(activities[x + np.uint64(1)]) + 2 * ((description >> 8) & 255)
            lower, upper = np.uint64(context_of[activity]), np.uint64(context_of[activity + np.uint64(HALF)])
            total = np.int32(total_so_far + np.int32(of_west * west))
            total_so_far = np.int32(sums[x + np.uint64(1)] + np.int32(of_two_west * west))
            two_west = west
            half = in_upper_half(total)
            description = either(half, opened, upper, lower)
            context = choose(half, upper, lower)
            place = opened[context + np.uint64(PLACE)]
            opened[context + np.uint64(NEXT)] = opened[context + np.uint64(SECOND)]
            opened[context + np.uint64(SECOND)] = descriptions[queues[np.uint64(place + 2)]]
            opened[context + np.uint64(PLACE)] = place + 1
            prediction = predicted(total)
            residual = turned(np.int32(np.int32(description) >> 16), total)
            if step == 1:
                west = np.int32(np.int32(prediction + residual) & 255)
            else:
                west = clipped(np.int32(prediction + np.int32(residual * step)))
            samples[first + x] = np.uint8(west)
            left[x] = np.uint8(np.int32(residual + 128))
            here[x + np.uint64(2)] = np.uint8(description >> 8)


@kernel
def put_row(
    row: Row,
    context_of: npt.NDArray[np.uint8],
    queues: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    symbols: npt.NDArray[np.uint8],
) -> None:
    """Encode a row whose samples are what the decoder will have, in vectors but for the queues' places.

    ``sums`` are complete; ``symbols`` is room for a row.
    """
    samples, first, _, _, sums, activities, here, left = row
    columns = np.uint64(left.size)
    for x in range(columns):
        total = sums[x]
        residual = wrapped(np.int32(np.int32(samples[first + x]) - predicted(total)))
        value = wrapped(turned(residual, total))  # −(−128) is −128
        left[x] = np.uint8(np.int32(residual + 128))
        symbols[x] = np.uint8(unsigned(value))
        here[x + np.uint64(2)] = np.uint8(magnitude_of(value))
    for x in range(columns):
        w, ww = np.int32(here[x + np.uint64(1)]), np.int32(here[x])
        activity = np.int32(activities[x] + np.int32(np.int32(3 * w) + np.int32(2 * ww)))
        sums[x] = np.int32(activity + np.int32(HALF * np.int32(in_upper_half(sums[x]))))
    for x in range(columns):
        context = np.uint64(context_of[np.uint64(sums[x])])
        place = places[context]
        places[context] = place + 1
        queues[place] = symbols[x]


@kernel
def round_row(
    row: Row,
    context_of: npt.NDArray[np.uint8],
    queues: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    max_error: Integer,
) -> None:
    """Encode a row whose samples become what the decoder will have, one after the other."""
    samples, first, row_classes, weights, sums, activities, here, left = row
    step = np.int32(2 * max_error + 1)
    west, two_west = np.int32(samples[first - np.uint64(1)]), np.int32(samples[first - np.uint64(2)])
    for x in range(np.uint64(left.size)):
        both = np.int32(weights[row_classes[x // np.uint64(CELL)], -1])
        of_west, of_two_west = np.int32(np.int32(both << 16) >> 16), np.int32(both >> 16)
        total = np.int32(sums[x] + np.int32(of_two_west * two_west) + np.int32(of_west * west))
        prediction = predicted(total)
        difference = np.int32(np.int32(samples[first + x]) - prediction)
        if difference >= 0:
            residual = np.int32(np.int32(difference + max_error) // step)
        else:
            residual = -np.int32(np.int32(max_error - difference) // step)
        value = turned(residual, total)
        w, ww = np.int32(here[x + np.uint64(1)]), np.int32(here[x])
        activity = np.int32(activities[x] + np.int32(np.int32(3 * w) + np.int32(2 * ww)))
        context = np.uint64(context_of[np.uint64(activity + np.int32(HALF * np.int32(in_upper_half(total))))])
        place = places[context]
        places[context] = place + 1
        queues[place] = np.uint8(unsigned(value))
        two_west = west
        west = clipped(np.int32(prediction + np.int32(residual * step)))
        samples[first + x] = np.uint8(west)
        left[x] = np.uint8(np.int32(residual + 128))
        here[x + np.uint64(2)] = np.uint8(magnitude_of(value))


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
    each place as the plane has samples, and to be decoded two more.
    """
    rows, columns = residuals.shape
    step = np.int32(2 * max_error + 1)
    known = encode and max_error == 0  # the row itself, in advance
    pairs = np.int64(weights.shape[1] - 2 if known else weights.shape[1] - 3)
    sums = np.zeros(classes.shape[1] * CELL + 1, np.int32)
    activities = np.zeros(columns + 1, np.int32)
    symbols = np.empty(columns, np.uint8)
    magnitudes = np.zeros((3, columns + 4), np.uint8)  # of this row and the two above, two more on each side
    descriptions = np.empty(256, np.int64)
    for symbol in range(256):
        descriptions[symbol] = described(np.int32(symbol))
    opened = np.zeros(3 * 16, np.int64)
    if not encode:
        open_queues(queues, places, descriptions, opened)
    for y in range(rows):
        first, row_classes, here = np.uint64(origin + y * stride), classes[y // CELL], magnitudes[y % 3]
        look_around(samples, first, offsets, pairs, weights, row_classes, magnitudes, y, sums, activities)
        here[0] = here[1] = magnitudes[(y + 2) % 3, 2]
        row = Row(samples, first, row_classes, weights, sums, activities, here, residuals[y])
        if known:
            put_row(row, context_of, queues, places, symbols)
        elif encode:
            round_row(row, context_of, queues, places, max_error)
        else:
            take_row(row, context_of, descriptions, queues, opened, step)
        here[0] = here[1] = here[2]
        here[columns + 2] = here[columns + 3] = here[columns + 1]
    if not encode:
        for queue in range(places.size):
            places[queue] = opened[PLACE + queue]


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
        even(stage.taps()),
        paired(absolute_weights(weights, stage)),
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
