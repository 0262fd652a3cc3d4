"""The loops of ``lossless`` (spec 8.2): the samples of a plane, one after the other, in both directions.

What both directions need of a sample is said once, in small functions: `predicted`, `turned`, `in_upper_half`,
`magnitude_of`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.picture.planes import Plane
from codec.residual.levels import CELL, Weights
from codec.residual.lossless_stage import MARGIN_ROWS, fill_stage
from codec.vector_kernels import choose, either, weighted_sum

__all__ = [
    *("CONTEXT_OF", "HALF", "MAX_MAGNITUDE", "ONE", "SPLIT", "THRESHOLDS"),
    *("PlaneWalk", "decode_planes", "encode_planes", "paired_weights"),
]

ONE: Final = 256  # weights are in 1/256
MAX_MAGNITUDE = 32  # of a residual, for contexts

THRESHOLDS: Final = (2, 4, 7, 12, 21, 36, 63, 112, 196)  # least activities of levels 1…9 (spec 8.2.3)
SPLIT: Final = 4  # levels below have a context for each half of the range that a prediction is rounded over
_LEVELS = np.searchsorted(np.array(THRESHOLDS), np.arange(14 * MAX_MAGNITUDE + 1), side="right")
HALF: Final = 512  # more than any activity
CONTEXT_OF: Final[npt.NDArray[np.uint8]] = np.zeros(2 * HALF, np.uint8)  # by half · HALF + activity
for _half in range(2):
    CONTEXT_OF[_half * HALF :][: len(_LEVELS)] = np.where(_LEVELS < SPLIT, 2 * _LEVELS + _half, _LEVELS + SPLIT)

NEXT, SECOND, PLACE, END = 0, 16, 32, 48  # where `open_queues` has what it says of each queue, and what it takes


@kernel
def paired_weights(weights: Weights, residuals: Integer) -> npt.NDArray[np.int32]:
    """What each tap counts, by class, as `weighted_sum` takes it: int32 (classes + 1, 2 + pairs of taps).

    First what rounds and is added, then the weight of the base, from plain samples (spec 8.2.1); class 0 is the base
    alone. The weights of all other taps have 16 bits in the file, and two of them share a word; where their number is
    odd, 0 is the weight of one more before the last two. ``residuals`` is how many taps look into residuals.
    """
    taps = weights.shape[1] - 1  # beside the base
    words = np.zeros((weights.shape[0] + 1, 2 + (taps + 1) // 2), np.int32)
    for number in range(words.shape[0]):
        base, added = np.int32(ONE), np.int32(ONE // 2)
        if number > 0:
            added += np.int32(weights[number - 1, 0])
            for tap in range(taps):
                weight = np.int32(weights[number - 1, 1 + tap])
                if taps - 2 - residuals <= tap < taps - 2:
                    added -= 128 * weight
                else:
                    base -= weight
                place = tap + (taps & 1) if tap >= taps - 2 else tap
                words[number, 2 + place // 2] |= (weight & 0xFFFF) << (16 * (place & 1))
        words[number, 0], words[number, 1] = added, base
    return words


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
        weights: as `paired_weights` gives them.
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


PlaneWalk = tuple[Plane, int, int, npt.NDArray[np.int64], Weights, int, npt.NDArray[np.uint8], Plane, Plane]
"""What the walk of a plane takes, in this order.

Of its `Stage` the samples, origin, stride and `Stage.paired_taps`; its weights, of which so many are for taps into
residuals; the classes of its cells; and what is to be filled: residuals + 128, and the samples that a decoder has.
"""

PlaneFilling = tuple[Plane, Plane, tuple[Plane, Plane]]
"""What `fill_stage` puts into a stage: predictions, and residuals of planes before."""


def _walk(decoding: bool) -> Callable[..., None]:
    """The walk in one direction, as a kernel: numba leaves out what a constant excludes, and compiles half as much."""

    @kernel
    def walk_planes(
        planes: tuple[PlaneWalk, ...],
        fillings: tuple[PlaneFilling, ...] | None,
        context_of: npt.NDArray[np.uint8],
        queues: npt.NDArray[np.uint8],
        places: npt.NDArray[np.int64],
        max_error: Integer,
    ) -> None:
        """Walk planes in raster order: predict, take or put a symbol, complete the sample (spec 8.2).

        Stages are filled first by ``fillings``, or are set already. Encoding, the current plane of a stage holds the
        source, and ends as what the decoder will have.
        ``places`` says where the next symbol of each context lies in ``queues``, which must have as many bytes beyond
        each place as the planes have samples, and to be decoded two more.
        """
        step = np.int32(2 * max_error + 1)
        known = not decoding and max_error == 0  # the row itself, in advance
        descriptions = np.empty(256, np.int64)
        for symbol in range(256):
            descriptions[symbol] = described(np.int32(symbol))
        opened = np.zeros(END, np.int64)
        if decoding:
            open_queues(queues, places, descriptions, opened)
        for number in range(len(planes)):
            samples, origin, stride, offsets, weights, residual_taps, classes, residuals, decoded = planes[number]
            rows, columns = residuals.shape
            if fillings is not None:
                newer, older, left = fillings[number]
                fill_stage(samples.reshape(-1, rows + 2 * MARGIN_ROWS, stride), decoded[:0], newer, older, left)
            words = paired_weights(weights, residual_taps)
            pairs = np.int64(words.shape[1] - 2 if known else words.shape[1] - 3)
            sums = np.zeros(classes.shape[1] * CELL + 1, np.int32)
            activities = np.zeros(columns + 1, np.int32)
            symbols = np.empty(columns, np.uint8)
            magnitudes = np.zeros((3, columns + 4), np.uint8)  # of this row and the two above, two more on each side
            for y in range(rows):
                first, row_classes, here = np.uint64(origin + y * stride), classes[y // CELL], magnitudes[y % 3]
                look_around(samples, first, offsets, pairs, words, row_classes, magnitudes, y, sums, activities)
                here[0] = here[1] = magnitudes[(y + 2) % 3, 2]
                row = Row(samples, first, row_classes, words, sums, activities, here, residuals[y])
                if decoding:
                    take_row(row, context_of, descriptions, queues, opened, step)
                elif known:
                    put_row(row, context_of, queues, places, symbols)
                else:
                    round_row(row, context_of, queues, places, max_error)
                here[0] = here[1] = here[2]
                here[columns + 2] = here[columns + 3] = here[columns + 1]
                for x in range(np.uint64(columns)):
                    decoded[y, x] = samples[first + x]
        if decoding:
            for queue in range(places.size):
                places[queue] = opened[PLACE + queue]

    return walk_planes


decode_planes, encode_planes = _walk(decoding=True), _walk(decoding=False)
