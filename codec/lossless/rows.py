"""The samples of a plane, one after the other, in both directions (spec 9).

A sample is predicted from its taps; what is left of it goes to a context substream, which the activity around it and
the prediction choose. What both directions need is said once, in small functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import cython
import numpy as np

from codec.depths import SAMPLE_BITS, Sample, Tapped
from codec.lossless import tables
from codec.lossless.memory import SampleMemory, empty_memory
from codec.lossless.planes import TapPlanes, flat
from codec.vectors import LANES, by_half, looked_up, weighted_sum

__all__ = ["ContextReader", "ContextWriter", "PlaneCoder", "decode_planes", "encode_plane"]

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Buffer

    from codec.coded import Memory, Residuals, Weights
    from codec.picture.planes import Plane

CELL: cython.int = tables.SET_SIDE
REGION: cython.int = tables.REGION
REGIONS: cython.int = tables.REGIONS
LEARNED: cython.int = tables.LEARNED
MAX_MAGNITUDE: cython.int = tables.MAX_MAGNITUDE
FIELDS: cython.int = tables.FIELDS  # of a substream in `ContextReader.ahead`: what its next symbol says, and
SECOND: cython.int = 1  # what the one after says,
PLACE: cython.int = 2  # and the place of the next
MEANING: cython.int = tables.FIELDS * (tables.MAX_SUBSTREAMS + 1)
C1: cython.int = tables.CLASS_THRESHOLDS[0]
C2: cython.int = tables.CLASS_THRESHOLDS[1]
C3: cython.int = tables.CLASS_THRESHOLDS[2]
C4: cython.int = tables.CLASS_THRESHOLDS[3]
C5: cython.int = tables.CLASS_THRESHOLDS[4]
LARGEST_DIFFERENCE: cython.int = 32767  # that has a magnitude of its own


@cython.cclass
class ContextReader:
    """The symbols of a picture apart by context substream, and the place of each substream's next one (spec 9.6).

    There is room beyond each place for as many symbols as there are samples, and two more.

    Attributes:
        ahead: `FIELDS` of each substream, then what each of 256 symbols says. All in one array, as a processor has few
            registers for addresses.
        substream_of: `FIELDS` times the substream, by plane, region and activity.
        bits: raw bits, the first the highest of its byte; there is room behind them for two bytes for each sample.
        bit_place: which of those is next.
    """

    substreams: cython.int
    symbols: cython.uchar[::1]
    ahead: cython.longlong[::1]
    substream_of: cython.const[cython.uchar[::1]]
    bits: cython.uchar[::1]
    bit_place: cython.Py_ssize_t

    def __init__(
        self,
        symbols: Buffer,
        starts: npt.NDArray[np.int64],
        substream_of: npt.NDArray[np.uint8],
        bits: Buffer,
        is_deep: bool,
    ) -> None:
        ahead = np.zeros((tables.MAX_SUBSTREAMS + 1, FIELDS), np.int64)
        ahead[: len(starts), PLACE] = starts
        self.substreams = len(starts)
        self.symbols, self.bits, self.bit_place = memoryview(symbols), memoryview(bits), 0
        self.ahead = memoryview(np.append(ahead, tables.context_model(is_deep).meanings))
        self.substream_of = memoryview(substream_of)

    def open(self) -> cython.void:
        """Read the first two symbols of each substream."""
        for number in range(self.substreams):
            substream = number * FIELDS
            place = self.ahead[substream + PLACE]
            self.ahead[substream] = self.ahead[MEANING + self.symbols[place]]
            self.ahead[substream + SECOND] = self.ahead[MEANING + self.symbols[place + 1]]

    def places(self) -> npt.NDArray[np.int64]:
        """Where the next symbol of each substream lies, int64 (substreams,)."""
        return np.array(self.ahead[PLACE : FIELDS * self.substreams : FIELDS])

    def next_bit(self) -> int:
        """Which raw bit is next."""
        return int(self.bit_place)

    def take(self, substream: cython.Py_ssize_t) -> cython.longlong:
        """What the next symbol of a substream says; of that `FIELDS` times the number is given."""
        ahead = self.ahead
        meaning, place = ahead[substream], ahead[substream + PLACE]
        ahead[substream] = ahead[substream + SECOND]
        ahead[substream + SECOND] = ahead[MEANING + self.symbols[place + 2]]
        ahead[substream + PLACE] = place + 1
        return meaning

    def take_value(self, least: cython.int, count: cython.int) -> cython.int:
        """The value of a symbol that has raw bits, 3…13 of them."""
        bits, at = self.bits, self.bit_place >> 3
        three: cython.int = (bits[at] << 16) + (bits[at + 1] << 8) + bits[at + 2]
        z = least + (three >> (24 - count - (self.bit_place & 7)) & ((1 << count) - 1))
        self.bit_place += count
        return (z >> 1) ^ -(z & 1)


@cython.cclass
class ContextWriter:
    """The symbols of a picture with their contexts, as they come.

    Attributes:
        contexts, symbols: of all samples.
        count: how many of these are there.
        context_of: by region and activity.
        symbol_of: by z.
        meanings: what each of 256 symbols says.
        bits: raw bits, the first the highest of its byte, and two bytes more.
        bit_place: which of those is next.
    """

    contexts: cython.ushort[::1]
    symbols: cython.uchar[::1]
    count: cython.Py_ssize_t
    context_of: cython.const[cython.uchar[::1]]
    symbol_of: cython.const[cython.uchar[::1]]
    meanings: cython.const[cython.longlong[::1]]
    bits: cython.uchar[::1]
    bit_place: cython.Py_ssize_t

    def __init__(
        self,
        contexts: npt.NDArray[np.uint16],
        symbols: npt.NDArray[np.uint8],
        bits: npt.NDArray[np.uint8],
        is_deep: bool,
    ) -> None:
        model = tables.context_model(is_deep)
        self.contexts, self.symbols, self.count = memoryview(contexts), memoryview(symbols), 0
        self.context_of, self.symbol_of = memoryview(model.context_of), memoryview(model.symbol_of)
        self.meanings = memoryview(model.meanings)
        self.bits, self.bit_place = memoryview(bits), 0

    def next_bit(self) -> int:
        """Which raw bit is next."""
        return int(self.bit_place)

    def magnitude(self, symbol: cython.longlong) -> cython.int:
        """That contexts see."""
        return (self.meanings[symbol] >> 8) & 255

    def put_value(self, value: cython.int) -> cython.longlong:
        """Put the raw bits of a value; returns its symbol."""
        z: cython.int = z_of(value)
        symbol: cython.longlong = self.symbol_of[z]
        count: cython.int = (self.meanings[symbol] >> 16) & 255
        if count > 0:
            bits, at = self.bits, self.bit_place >> 3
            three: cython.int = (z & ((1 << count) - 1)) << (24 - count - (self.bit_place & 7))
            bits[at] |= three >> 16
            bits[at + 1] = three >> 8 & 255
            bits[at + 2] = three & 255
            self.bit_place += count
        return symbol


def wrapped(number: cython.int, low: cython.int, half: cython.int) -> cython.int:
    """Modulo the range of samples, from ``low`` on; ``half`` of it is a power of two."""
    if SAMPLE_BITS == 8:
        return number & 255
    return ((number - low) & (2 * half - 1)) + low


def wrapped_around_0(number: cython.int, half: cython.int) -> cython.int:
    """Modulo the range of samples, in −half…half − 1."""
    return ((number + half) & (2 * half - 1)) - half


def clipped(number: cython.int, low: cython.int, half: cython.int) -> cython.int:
    """The nearest number of the range of samples."""
    if SAMPLE_BITS == 8:
        return max(0, min(number, 255))
    return max(low, min(number, low + 2 * half - 1))


def turned(residual: cython.int, total: cython.int, shift: cython.int) -> cython.int:
    """A residual as it is in a substream, or back: its sign is turned round where the prediction was rounded up."""
    stays = -((total >> (shift - 1)) & 1)  # −1 where it was not, else 0
    return stays - (residual ^ stays)


def upper_half(total: cython.int, shift: cython.int) -> cython.int:
    """1 where a prediction lies in the upper half of the range that it is rounded over, else 0."""
    return ((total + (1 << (shift - 2))) >> (shift - 1)) & 1


def three_times(meaning: cython.longlong) -> cython.longlong:
    """The magnitude that contexts see of a symbol, three times, from what it means; of 8 bits it is kept so."""
    return meaning & 255 if SAMPLE_BITS == 8 else 3 * ((meaning >> 8) & 255)


def z_of(value: cython.int) -> cython.int:
    """0, 1, 2, 3 for 0, −1, 1, −2, and so on."""
    return (2 * value) ^ (value >> 31)


def median_at(
    samples: Tapped[::1], place: cython.Py_ssize_t, west: cython.int, up: cython.Py_ssize_t, newer: cython.Py_ssize_t
) -> cython.int:
    """The median of the samples to the left and above, and of the newest prediction, which lies ``newer`` on.

    Where that is 0, the third is what goes on from above left as evenly as both (spec 9.2; JPEG-LS, ISO 14495-1 A.4).
    """
    north: cython.int = samples[place - up]
    third: cython.int = samples[place + newer] if newer > 0 else west + north - samples[place - up - 1]
    return max(min(west, north), min(max(west, north), third))


@cython.cclass
class PlaneCoder:
    """A plane that is decoded or encoded, sample by sample.

    Attributes:
        taps: where the taps lie, the base and then pairs.
        number: of the plane.
        starts: by predictor set, what rounds and is added, and the weight of the base, from plain samples (spec
            9.2). Set 0 is the base alone.
        weights: by predictor set, those of all other taps; 0 is the weight of a tap that completes the last pair.
        median_set: the first predictor set behind those with weights: it and the second after it predict medians.
        memory_set: the one between, which predicts what a memory recalls.
        memory: of samples.
        memory_before: that of pictures before.
        learns: whether the memory takes this plane's samples.
        cell_sets: the predictor set of each cell.
        sums: what predictions take from elsewhere than the row itself, for all samples of its cells, and one more.
        activities: the same of contexts, with regions, for one sample more than there are.
        changes: of three rows, how unlike predictions are, with one more on each side.
        measures: of a row, what classes go by.
        before: the residuals of the two planes before.
        halves: of a row that is encoded, what regions get added.
        magnitudes: of this row and the two above, with two more on each side.
        residuals: what is left of each sample, + ``middle``.
        decoded: the samples that a decoder has.
    """

    planes: TapPlanes
    number: cython.int
    contexts: cython.int  # of a plane
    taps: cython.Py_ssize_t[::1]
    width: cython.Py_ssize_t
    starts: cython.int[::1]
    weights: cython.short[::1]
    median_set: cython.int
    memory_set: cython.int
    memory: SampleMemory
    memory_before: object
    learns: cython.bint
    set_weights: cython.const[cython.short[:, ::1]]
    cell_sets: cython.const[cython.uchar[:, ::1]]
    sums: cython.int[::1]
    activities: cython.int[::1]
    changes: cython.int[::1]
    measures: cython.int[::1]
    magnitude_of: cython.const[cython.uchar[::1]]
    before: cython.int  # how many planes before this one tell of it
    luma: Tapped[::1]
    chroma: Tapped[::1]
    luma_rows: cython.Py_ssize_t
    luma_columns: cython.Py_ssize_t
    magnitudes: cython.uchar[::1]
    halves: cython.uchar[::1]
    residuals: Tapped[::1]
    decoded: Sample[::1]

    def __init__(
        self,
        planes: TapPlanes,
        weights: Weights,
        cell_sets: npt.NDArray[np.uint8],
        residuals: Residuals,
        decoded: Plane,
        number: int,
        before: Sequence[Residuals],
        memory: Memory,
    ) -> None:
        """``weights`` as a file has them, int16 (sets, 1 + taps − 1); ``residuals`` and ``decoded`` are filled.

        ``before`` are residuals of planes before it, and ``memory`` is that of pictures before it, if it has one.
        """
        self.planes, self.number, columns = planes, number, planes.columns
        self.taps = memoryview(tables.paired_offsets(*planes.layout()))
        self.width = len(self.taps) - 1
        self.median_set = len(weights) + 1
        self.memory_set = self.median_set + 1
        self.starts = memoryview(np.zeros(2 * (len(weights) + 4), np.int32))
        self.weights = memoryview(np.zeros((len(weights) + 4) * self.width, np.int16))
        # a view has no dimension of 0, and set 0 needs no row
        self.set_weights = memoryview(weights if len(weights) else np.zeros((1, 1), np.int16))
        self.cell_sets = memoryview(cell_sets)
        self.remember(memory)
        self.sums = memoryview(np.zeros((columns + LANES) // LANES * LANES + LANES, np.int32))
        self.activities = memoryview(np.zeros(columns + 1, np.int32))
        self.changes, self.measures = (
            memoryview(np.zeros(columns + 2, np.int32)),
            memoryview(np.zeros(columns, np.int32)),
        )
        model = tables.context_model(planes.is_deep())
        self.contexts, self.magnitude_of = model.contexts, memoryview(model.magnitude_of)
        self.before = len(before)
        nothing = np.zeros((1, 1), np.asarray(planes.samples).dtype)
        self.luma, self.chroma = (flat(plane) for plane in (*before, nothing, nothing)[:2])
        self.luma_rows, self.luma_columns = before[0].shape if before else (1, 1)
        self.magnitudes = memoryview(np.zeros(3 * (columns + 4), np.uint8))
        self.halves = memoryview(np.zeros(columns, np.uint8))
        self.residuals, self.decoded = flat(residuals), flat(decoded)

    def remember(self, memory: Memory, in_any_case: bool = False) -> None:
        """Take the memory of pictures before, a copy or a new one to learn into if a square recalls samples."""
        self.learns = in_any_case or self.memory_set in np.asarray(self.cell_sets)
        samples = np.zeros(1, np.uint16)
        if self.learns:
            samples = empty_memory() if memory is None else memory.copy()
        self.memory_before, self.memory = memory, SampleMemory(samples, self.planes.stride, self.low())

    def memory_after(self) -> Memory:
        """The memory for the next picture."""
        return np.asarray(self.memory.samples) if self.learns else cast("Memory", self.memory_before)

    # what a compiler knows of 8 bits

    def low(self) -> cython.int:
        """The least sample, as taps see it."""
        return 0 if SAMPLE_BITS == 8 else self.planes.low

    def half(self) -> cython.int:
        """Half of the range of samples."""
        return 128 if SAMPLE_BITS == 8 else self.planes.half

    def shift(self) -> cython.int:
        """log2 of what weights and totals are in parts of."""
        return tables.LOG2_ONE if SAMPLE_BITS == 8 else self.planes.log2_one()

    def set_plain_weights(self) -> cython.void:
        """Fill in ``starts`` and ``weights``: taps of a file's weights are relative to the base, or to ``middle``."""
        taps, one, middle = self.set_weights.shape[1] - 1, 1 << self.shift(), self.low() + self.half()
        self.starts[0], self.starts[1] = one >> 1, one
        for number in range(self.median_set, self.median_set + 3):
            self.starts[2 * number] = one >> 1
        for number in range(1, self.median_set):
            start: cython.int = (one >> 1) + self.set_weights[number - 1, 0]
            base: cython.int = one
            for tap in range(taps):
                weight = self.set_weights[number - 1, 1 + tap]
                if taps - 2 - self.planes.residuals <= tap < taps - 2:
                    start -= middle * weight
                else:
                    base -= weight
                place = tap + (taps & 1) if tap >= taps - 2 else tap
                self.weights[number * self.width + place] = weight
            self.starts[2 * number], self.starts[2 * number + 1] = start, base

    def look_around(self, y: cython.Py_ssize_t, pairs: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Set ``sums``, of so many pairs of taps, and ``activities`` for a row; returns where its magnitudes begin."""
        samples, taps, starts = self.planes.samples, self.taps, self.starts
        place = self.planes.origin + y * self.planes.stride
        for cell in range(self.cell_sets.shape[1]):
            number: cython.Py_ssize_t = self.cell_sets[y // CELL, cell]
            at, first = cell * CELL, number * self.width
            weighted_sum(samples, place + at, taps, pairs, starts, 2 * number, self.weights, first, self.sums, at)
        columns, magnitudes, activities = self.planes.columns, self.magnitudes, self.activities
        above = (y + 2) % 3 * (columns + 4) + 2
        two_above = (y + 1) % 3 * (columns + 4) + 2
        for x in range(columns):
            beside = magnitudes[above + x - 1] + magnitudes[above + x + 1] + magnitudes[two_above + x]
            activities[x] = 3 * magnitudes[above + x] + 2 * beside
        self.add_regions(y)
        here = y % 3 * (columns + 4) + 2
        magnitudes[here - 2] = magnitudes[here - 1] = magnitudes[above]
        return here

    def magnitude(self, difference: cython.int) -> cython.int:
        """What contexts see of a difference."""
        if SAMPLE_BITS == 8:
            return min(abs(difference), MAX_MAGNITUDE)
        return self.magnitude_of[min(abs(difference), LARGEST_DIFFERENCE)]

    def add_regions(self, y: cython.Py_ssize_t) -> cython.void:
        """Add to a row's ``activities`` the region of each sample's class, or of its square's memory (spec 9.5)."""
        activities, measures, columns = self.activities, self.measures, self.planes.columns
        first = self.number * REGIONS * REGION
        self.look_for_changes(y)
        if self.before > 0:
            self.add_luma(y)
        if self.before > 1:
            middle, row = self.planes.middle(), y * columns
            for x in range(columns):
                measures[x] += 4 * self.magnitude(self.chroma[row + x] - middle)
        for x in range(columns):
            measure = measures[x]
            number: cython.int = (measure >= C1) + (measure >= C2) + (measure >= C3) + (measure >= C4) + (measure >= C5)
            activities[x] += first + 2 * REGION * number
        if self.learns:
            for cell in range(self.cell_sets.shape[1]):
                if self.cell_sets[y // CELL, cell] == self.memory_set:
                    for x in range(cell * CELL, min(cell * CELL + CELL, columns)):
                        activities[x] = (activities[x] & (REGION - 1)) + first + LEARNED * REGION

    def look_for_changes(self, y: cython.Py_ssize_t) -> cython.void:
        """Set ``measures`` to how unlike both predictions are around each sample, or one from sample to sample."""
        samples, changes, measures, up = self.planes.samples, self.changes, self.measures, self.planes.stride
        columns, references = self.planes.columns, self.planes.references
        if references == 0:
            for x in range(columns):
                measures[x] = 0
            return
        newer = self.planes.size + self.planes.origin + y * up - 1
        other = newer + (self.planes.size if references == 2 else 1)
        for x in range(columns + 2):
            changes[x] = 0
        for line in range(3):
            down: cython.Py_ssize_t = (line - 1) * up
            for x in range(columns + 2):
                changes[x] += self.magnitude(samples[newer + down + x] - samples[other + down + x])
        halved: cython.int = self.before > 0
        for x in range(columns):
            measures[x] = (changes[x] + changes[x + 1] + changes[x + 2]) >> halved

    def add_luma(self, y: cython.Py_ssize_t) -> cython.void:
        """Add to ``measures`` the magnitudes of four samples of the first plane, some of them perhaps the same."""
        luma, measures, width, middle = self.luma, self.measures, self.luma_columns, self.planes.middle()
        down: cython.Py_ssize_t = self.luma_rows > self.planes.rows
        is_half: cython.bint = width > self.planes.columns
        first: cython.Py_ssize_t = (y << down) * width
        second: cython.Py_ssize_t = min((y << down) + down, self.luma_rows - 1) * width
        if not is_half:
            for x in range(width):
                both = self.magnitude(luma[first + x] - middle) + self.magnitude(luma[second + x] - middle)
                measures[x] += 2 * both
            return
        for x in range(width >> 1):
            both = self.magnitude(luma[first + 2 * x] - middle) + self.magnitude(luma[second + 2 * x] - middle)
            both += self.magnitude(luma[first + 2 * x + 1] - middle) + self.magnitude(luma[second + 2 * x + 1] - middle)
            measures[x] += both
        if width & 1:
            both = self.magnitude(luma[first + width - 1] - middle) + self.magnitude(luma[second + width - 1] - middle)
            measures[width >> 1] += 2 * both

    def newer_of(self, number: cython.int) -> cython.Py_ssize_t:
        """How far from a sample the prediction lies whose median a set takes; 0 where it takes none."""
        return self.planes.size if number > self.memory_set else 0

    def recalled(self, at: cython.Py_ssize_t, west: cython.int) -> cython.int:
        """What the memory has for a sample, or a median; `SampleMemory.known` says which."""
        self.memory.look(self.planes.samples, at)
        if self.memory.known() > 0:
            return self.memory.recalled()
        return median_at(self.planes.samples, at, west, self.planes.stride, 0)

    def learn(self, y: cython.Py_ssize_t, cell: cython.Py_ssize_t) -> cython.void:
        """Remember a cell's row."""
        place = self.planes.origin + y * self.planes.stride + cell * CELL
        self.memory.learn(self.planes.samples, place, min(CELL, self.planes.columns - cell * CELL))

    def add_medians(self, number: cython.int, y: cython.Py_ssize_t, cell: cython.Py_ssize_t) -> cython.void:
        """Add to ``sums`` what a set of medians predicts of a cell's row whose samples are there."""
        samples, sums, one = self.planes.samples, self.sums, 1 << self.shift()
        up, newer = self.planes.stride, self.newer_of(number)
        first = self.planes.origin + y * up
        for x in range(cell * CELL, min(cell * CELL + CELL, self.planes.columns)):
            sums[x] += one * median_at(samples, first + x, samples[first + x - 1], up, newer)

    def end_row(self, y: cython.Py_ssize_t, here: cython.Py_ssize_t) -> cython.void:
        """Repeat a row's outermost magnitudes, and take its samples."""
        columns, magnitudes = self.planes.columns, self.magnitudes
        magnitudes[here - 2] = magnitudes[here - 1] = magnitudes[here]
        magnitudes[here + columns] = magnitudes[here + columns + 1] = magnitudes[here + columns - 1]
        self.planes.take_row(y, self.decoded)

    def decode_recalled(
        self,
        source: ContextReader,
        max_error: cython.int,
        y: cython.Py_ssize_t,
        here: cython.Py_ssize_t,
        cell: cython.Py_ssize_t,
    ) -> cython.void:
        """Take the symbols of a cell's row that is predicted by a memory."""
        samples, magnitudes, columns = self.planes.samples, self.magnitudes, self.planes.columns
        low, half, first = self.low(), self.half(), self.planes.origin + y * self.planes.stride
        left: cython.Py_ssize_t = cell * CELL
        if SAMPLE_BITS == 8 and cell > 0:  # which the cell before leaves for the end of the row
            for x in range(left - 2, left):
                magnitudes[here + x] = self.magnitude(self.residuals[y * columns + x] - 128)
        for x in range(left, min(left + CELL, columns)):
            prediction = self.recalled(first + x, samples[first + x - 1])
            activity = self.activities[x] + 3 * magnitudes[here + x - 1] + 2 * magnitudes[here + x - 2]
            meaning = source.take(source.substream_of[activity + REGION * self.memory.known()])
            residual = cython.cast(cython.int, meaning >> 24)
            if SAMPLE_BITS != 8 and (meaning >> 16) & 255:
                residual = source.take_value(residual, (meaning >> 16) & 255)
            magnitudes[here + x] = (meaning >> 8) & 255
            if max_error == 0:
                samples[first + x] = wrapped(prediction + residual, low, half)
            else:
                samples[first + x] = clipped(prediction + residual * (2 * max_error + 1), low, half)
            self.residuals[y * columns + x] = wrapped(residual + low + half, low, half)

    def decode(self, source: ContextReader, max_error: cython.int) -> cython.void:
        """Take each sample's symbol.

        What takes the time is that each sample waits for the one before, and that what was written to memory waits
        before it can be read. So the context and symbol of either half are there before it is known which of them it
        is, a context's next symbol is read two symbols ahead, and of each sum only the last term is new.
        """
        samples, sums, activities, magnitudes = self.planes.samples, self.sums, self.activities, self.magnitudes
        residuals, weights, cell_sets = self.residuals, self.weights, self.cell_sets
        symbols, ahead, substream_of = source.symbols, source.ahead, source.substream_of
        columns, width, step = self.planes.columns, self.width, 2 * max_error + 1
        low, half, shift = self.low(), self.half(), self.shift()
        one, up = 1 << shift, self.planes.stride
        for y in range(self.planes.rows):
            here = self.look_around(y, width // 2 - 1)
            first = self.planes.origin + y * self.planes.stride
            west: cython.int = samples[first - 1]
            meaning: cython.longlong = (magnitudes[here - 1] << 8) + (3 * magnitudes[here - 1] & 255)
            activity_so_far: cython.longlong = activities[0] + 2 * magnitudes[here - 2]
            for cell in range(cell_sets.shape[1]):
                number: cython.int = cell_sets[y // CELL, cell]
                if number == self.memory_set:
                    self.decode_recalled(source, max_error, y, here, cell)
                    self.learn(y, cell)
                    x_after: cython.Py_ssize_t = min(cell * CELL + CELL, columns)
                    west = samples[first + x_after - 1]
                    last_magnitude: cython.longlong = magnitudes[here + x_after - 1]
                    meaning = (last_magnitude << 8) + (3 * last_magnitude & 255)
                    activity_so_far = activities[x_after] + 2 * magnitudes[here + x_after - 2]
                    continue
                is_median: cython.bint = number >= self.median_set
                newer, last = self.newer_of(number), (number + 1) * width - 1
                of_west: cython.int = weights[last - 1]
                of_two_west: cython.int = weights[last]
                total_so_far: cython.int = sums[cell * CELL] + of_two_west * samples[first + cell * CELL - 2]
                for x in range(cell * CELL, min(cell * CELL + CELL, columns)):
                    lower = looked_up(substream_of, activity_so_far, three_times(meaning))
                    upper = looked_up(substream_of, activity_so_far, three_times(meaning) + REGION)
                    activity_so_far = activities[x + 1] + 2 * ((meaning >> 8) & 255)
                    total = total_so_far + of_west * west
                    if is_median:
                        total += one * median_at(samples, first + x, west, up, newer)
                    total_so_far = sums[x + 1] + of_two_west * west
                    meaning = by_half(total, shift, ahead[upper], ahead[lower])
                    context = by_half(total, shift, upper, lower)
                    place = ahead[context + PLACE]
                    ahead[context] = ahead[context + SECOND]
                    ahead[context + SECOND] = ahead[MEANING + symbols[place + 2]]
                    ahead[context + PLACE] = place + 1
                    prediction = clipped(total >> shift, low, half)
                    value = cython.cast(cython.int, meaning >> 24)
                    if SAMPLE_BITS != 8:
                        if (meaning >> 16) & 255:
                            value = source.take_value(value, (meaning >> 16) & 255)
                        magnitudes[here + x] = (meaning >> 8) & 255
                    residual = turned(value, total, shift)
                    if max_error == 0:
                        west = wrapped(prediction + residual, low, half)
                    else:
                        west = clipped(prediction + residual * step, low, half)
                    samples[first + x] = west
                    residuals[y * columns + x] = wrapped(residual + low + half, low, half)
                if self.learns:
                    self.learn(y, cell)
            if SAMPLE_BITS == 8:
                for x in range(columns):
                    magnitudes[here + x] = min(
                        abs(wrapped_around_0(residuals[y * columns + x] - 128, 128)), MAX_MAGNITUDE
                    )
            self.end_row(y, here)

    def encode(self, target: ContextWriter) -> cython.void:
        """Put each sample's symbol, where samples are what the decoder will have; most of it in vectors."""
        samples, sums, activities, magnitudes = self.planes.samples, self.sums, self.activities, self.magnitudes
        residuals, halves, symbols, contexts = self.residuals, self.halves, target.symbols, target.contexts
        columns, low, half, shift = self.planes.columns, self.low(), self.half(), self.shift()
        first_context, first_region = self.number * self.contexts, self.number * REGIONS * REGION
        for y in range(self.planes.rows):
            here = self.look_around(y, self.width // 2)
            for cell in range(self.cell_sets.shape[1]):
                number: cython.int = self.cell_sets[y // CELL, cell]
                if number >= self.median_set and number != self.memory_set:
                    self.add_medians(number, y, cell)
            for x in range(columns):
                halves[x] = upper_half(sums[x], shift)
            if self.learns:
                self.recall_row(y)
            first, count = self.planes.origin + y * self.planes.stride, target.count
            for x in range(columns):
                prediction = clipped(sums[x] >> shift, low, half)
                residual = wrapped_around_0(samples[first + x] - prediction, half)
                value = wrapped_around_0(turned(residual, sums[x], shift), half)  # −(−128) is −128
                residuals[y * columns + x] = residual + low + half
                if SAMPLE_BITS == 8:
                    symbols[count + x] = z_of(value)
                    magnitudes[here + x] = min(abs(value), MAX_MAGNITUDE)
                else:
                    symbol = target.put_value(value)
                    symbols[count + x] = symbol
                    magnitudes[here + x] = target.magnitude(symbol)
            for x in range(columns):
                activity = activities[x] + 3 * magnitudes[here + x - 1] + 2 * magnitudes[here + x - 2]
                contexts[count + x] = first_context + target.context_of[activity + REGION * halves[x] - first_region]
            target.count += columns
            self.end_row(y, here)

    def recall_row(self, y: cython.Py_ssize_t) -> cython.void:
        """Put what a memory has for a row whose samples are there into ``sums`` and ``halves``, and learn them."""
        first, sums, one = self.planes.origin + y * self.planes.stride, self.sums, 1 << self.shift()
        for cell in range(self.cell_sets.shape[1]):
            if self.cell_sets[y // CELL, cell] == self.memory_set:
                for x in range(cell * CELL, min(cell * CELL + CELL, self.planes.columns)):
                    sums[x] = one * self.recalled(first + x, self.planes.samples[first + x - 1]) + (one >> 1)
                    self.halves[x] = self.memory.known()
            self.learn(y, cell)

    def encode_nearly(self, target: ContextWriter, max_error: cython.int) -> cython.void:
        """Put each sample's symbol; samples become what the decoder will have, one after the other."""
        samples, sums, activities, magnitudes = self.planes.samples, self.sums, self.activities, self.magnitudes
        columns, step, first_region = self.planes.columns, 2 * max_error + 1, self.number * REGIONS * REGION
        low, half, shift = self.low(), self.half(), self.shift()
        one, up = 1 << shift, self.planes.stride
        for y in range(self.planes.rows):
            here = self.look_around(y, self.width // 2 - 1)
            first = self.planes.origin + y * self.planes.stride
            for x in range(columns):
                number: cython.int = self.cell_sets[y // CELL, x // CELL]
                last = (number + 1) * self.width - 1
                west: cython.int = samples[first + x - 1]
                total = sums[x] + self.weights[last] * samples[first + x - 2] + self.weights[last - 1] * west
                region: cython.int = upper_half(total, shift)
                if number == self.memory_set:
                    total = one * self.recalled(first + x, west) + (one >> 1)
                    region = self.memory.known()
                elif number >= self.median_set:
                    total += one * median_at(samples, first + x, west, up, self.newer_of(number))
                prediction = clipped(total >> shift, low, half)
                difference = samples[first + x] - prediction
                residual: cython.int = (abs(difference) + max_error) // step
                if difference < 0:
                    residual = -residual
                activity = activities[x] + 3 * magnitudes[here + x - 1] + 2 * magnitudes[here + x - 2]
                context = target.context_of[activity + REGION * region - first_region]
                symbol = target.put_value(turned(residual, total, shift))
                target.contexts[target.count] = self.number * self.contexts + context
                target.symbols[target.count] = symbol
                target.count += 1
                samples[first + x] = clipped(prediction + residual * step, low, half)
                self.residuals[y * columns + x] = residual + low + half
                magnitudes[here + x] = target.magnitude(symbol)
                if self.learns and (x % CELL == CELL - 1 or x == columns - 1):
                    self.learn(y, x // CELL)
            self.end_row(y, here)


def decode_planes(
    coders: Sequence[PlaneCoder], source: ContextReader, max_error: cython.int, has_alpha: cython.bint = False
) -> None:
    """Decode up to four planes in one go, each from the residuals of those before it; ``source`` moves on.

    With ``has_alpha`` the last of them is exact whatever ``max_error`` is.
    """
    exact: cython.int = len(coders) - 1 if has_alpha else -1
    first: PlaneCoder = coders[0]
    second: PlaneCoder | None = coders[1] if len(coders) > 1 else None
    third: PlaneCoder | None = coders[2] if len(coders) > 2 else None
    fourth: PlaneCoder | None = coders[3] if len(coders) > 3 else None
    with cython.nogil:
        source.open()
        decode_plane(first, source, max_error)
        if second is not None:
            decode_plane(second, source, 0 if exact == 1 else max_error)
        if third is not None:
            decode_plane(third, source, max_error)
        if fourth is not None:
            decode_plane(fourth, source, 0 if exact == 3 else max_error)


def decode_plane(coder: PlaneCoder, source: ContextReader, max_error: cython.int) -> cython.void:
    """Fill what the plane is predicted from, and decode it."""
    coder.planes.fill()
    coder.set_plain_weights()
    if max_error == 0:
        coder.decode(source, 0)  # compiled apart, as it is most used
    else:
        coder.decode(source, max_error)


def encode_plane(coder: PlaneCoder, target: ContextWriter, max_error: cython.int) -> None:
    """Encode a plane whose taps are filled; the current plane of those has the source."""
    with cython.nogil:
        coder.set_plain_weights()
        if max_error == 0:
            coder.encode(target)
        else:
            coder.encode_nearly(target, max_error)
