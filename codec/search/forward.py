"""Encoder only: from a block and its prediction to levels, weighing error against bits."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.planes import Plane
from codec.dct.syntax import Levels
from codec.depths import SAMPLE_BITS, Energy, Sample
from codec.search.symbol_writer import PlaneLevels, SymbolWriter
from codec.vectors import fold, sums_of_pairs

__all__ = ["LevelSearch", "SourcePlane"]

NODES_BACK: cython.int = 28  # of a trellis, that a node may follow

_BASIS = np.rint(tables.FORWARD.reshape(8, 32, 32) * 8192).astype(np.int32)
_SCANS = tables.SCANS.astype(np.int64)
_POSITIONS = np.zeros((4, 1024), np.int32)  # in a block's scan, of 32 · row + column
for _size in range(4):
    _POSITIONS[_size, _SCANS[_size, : 16 << 2 * _size]] = np.arange(16 << 2 * _size)


@cython.cclass
class SourcePlane:
    """A plane of the picture to code, made up to whole units of 8×8 luma samples."""

    samples: Sample[:, ::1]

    def __init__(self, plane: Plane, samples: npt.NDArray[np.uint8 | np.uint16]) -> None:
        """Of the size of ``plane``; the last row and column of ``samples`` go on."""
        whole = np.empty_like(np.asarray(plane.samples))
        height, width = samples.shape
        whole[:height, :width] = samples
        whole[height:, :width] = samples[height - 1 :]
        whole[:, width:] = whole[:, width - 1 : width]
        self.samples = whole.data


@cython.cclass
class LevelSearch:
    """Transforms blocks, and chooses their levels; all numbers that bytes depend on are whole or C's double."""

    writer: SymbolWriter
    levels: Levels  # of the transform block at work
    lagrangian: cython.double
    rounding: cython.double  # the least share of a step that counts as a level of 1
    trellis: cython.bint
    over: cython.int  # bits of a sample beyond 8
    error: Energy  # squared, of the prediction
    basis: cython.short[:, ::1]  # basis functions, 32 of each transform kind and size, in 1/8192
    columns: cython.short[:, ::1]  # the same, a basis function a column, and columns two by two
    positions: cython.int[:, ::1]
    scans: cython.int[:, ::1]
    folded: cython.short[:, ::1]  # see `codec.vectors.fold`
    line: cython.short[:, ::1]  # a row that is transformed down, in sixteenths of 8 bits' unit: at most 1443
    across: cython.int[::1]  # and across, in 1/2**17: at most 8160
    by_position: cython.int[::1]  # coefficients in the order of the scan
    marked: cython.uchar[::1]  # which sixteens of them have any
    count: cython.int  # coefficients that may become levels
    place: cython.int[::1]  # their positions
    value: cython.double[::1]
    band: cython.int[::1]
    run_bucket: cython.int[::1]
    run_bits: cython.int[::1]
    node_place: cython.int[::1]  # of the trellis
    node_magnitude: cython.int[::1]
    node_before: cython.int[::1]
    node_count: cython.int[::1]  # levels up to here
    node_cost: cython.double[::1]

    def __init__(self, writer: SymbolWriter, bit_depth: int) -> None:
        self.writer, self.levels, self.over = writer, Levels(), bit_depth - 8
        self.basis, self.positions = table(_BASIS.reshape(256, 32), np.int16), table(_POSITIONS)
        self.scans = table(tables.SCANS)
        self.columns = table(_BASIS.reshape(8, 32, 16, 2).transpose(0, 2, 1, 3).reshape(128, 64), np.int16)
        self.folded, self.line, self.across = zeros((16, 64), np.int16), zeros((1, 32), np.int16), zeros(32, np.int32)
        self.marked = zeros(64, np.uint8)
        self.by_position, self.place, self.value = zeros(1024, np.int32), zeros(1024, np.int32), zeros(1024, np.float64)
        self.band, self.run_bucket = table(tables.BAND_OF), table(tables.BUCKET_OF_RUN)
        self.run_bits = table(np.asarray(tables.RUN_BITS)[tables.BUCKET_OF_RUN])
        self.node_place, self.node_magnitude, self.node_before, self.node_count = (
            zeros(4096 + 4, np.int32) for _ in range(4)
        )
        self.node_cost = zeros(4096 + 4, np.float64)

    def code(
        self,
        source: SourcePlane,
        plane: Plane,
        y: cython.int,
        x: cython.int,
        log2: cython.int,
        is_intra: cython.bint,
        coded_neighbours: cython.int,
        step: cython.double,
        found: PlaneLevels,
        kind: cython.int,
    ) -> cython.void:
        """Choose the levels of a transform block whose prediction is there; add them, and what they cost."""
        is_chroma: cython.bint = plane.number > 0
        first_context = tables.LEVEL_CONTEXTS + 18 * (4 * (log2 - 2) + 2 * is_chroma + is_intra)
        gain: cython.double = 0
        self.levels.count = 0
        if kind == tables.NO_TRANSFORM:
            self.find_differences(source.samples, plane.samples, y, x, log2, step * self.rounding)
        else:
            self.find_coefficients(source.samples, plane.samples, y, x, log2, kind, step * self.rounding)
        if self.count > 0:
            if self.trellis:
                gain = self.search_levels(first_context, 4 * is_chroma, coded_neighbours, step)
            else:
                gain = self.choose_levels(first_context, 4 * is_chroma, coded_neighbours, step)
        found.error += self.error
        found.cost += self.error + gain
        found.add(self.levels)

    def squared_error(
        self,
        source: SourcePlane,
        plane: Plane,
        y: cython.int,
        x: cython.int,
        side: cython.int,
    ) -> Energy:
        """Of the samples of a plane that a square of luma covers."""
        a, b = source.samples, plane.samples
        total: Energy = 0
        left, width = x >> plane.log2_x, side >> plane.log2_x
        for row in range(y >> plane.log2_y, (y + side) >> plane.log2_y):
            if width >= 8:
                for start in range(left, left + width, 8):
                    for i in range(8):
                        error: cython.short = a[row, start + i] - b[row, start + i]
                        total += error * error
            else:
                for i in range(left, left + width):
                    error = a[row, i] - b[row, i]
                    total += error * error
        return total

    def find_coefficients(
        self,
        source: Sample[:, ::1],
        samples: Sample[:, ::1],
        y: cython.int,
        x: cython.int,
        log2: cython.int,
        kind: cython.int,
        least: cython.double,
    ) -> cython.void:
        """The coefficients of source − samples with a magnitude of ``least`` or more, and the squared error.

        What a row has of the squared error tells whether such a coefficient may be in it.
        Between the ends all is in units of 8 bits' samples, so that 32 bits hold it.
        """
        size, side, over = log2 - 2, 1 << log2, 0 if SAMPLE_BITS == 8 else self.over
        unit: cython.double = 1 << over
        is_dst: cython.bint = kind == tables.DST
        basis: cython.int = 4 * is_dst + size
        self.count = 0
        if is_dst:
            self.error = pair_rows(source, samples, y, x, self.folded, side)
        else:
            self.error = fold(source, samples, y, x, self.folded, side)
        remaining: cython.double = self.error / (unit * unit) + 0.5  # what rounding may add up to
        least /= unit
        most: cython.double = least * least
        # one more than rounded down: below the least a level would round to 0, which no symbol says
        least_value: cython.int = cython.cast(cython.int, 131072 * least) + 1
        end: cython.int = 0
        for k in range(side):
            if remaining < most:
                break
            if is_dst:  # of which no function is even or odd
                sums_of_pairs(self.basis, 32 * basis + k, self.folded, 0, self.across, side, side)
            else:
                sums_of_pairs(self.basis, 32 * basis + k, self.folded, 8 * (k & 1), self.across, side >> 1, side)
            of_row = round_row(self.across, self.line, side, 9 + over) / 256.0
            remaining -= of_row
            if 1.05 * of_row + 0.1 >= most:
                sums_of_pairs(self.line, 0, self.columns, 16 * basis, self.across, side, side)
                end = max(
                    end,
                    scatter(self.across, self.positions, self.by_position, self.marked, size, k, side, least_value),
                )
        if end > 0:
            self.count = gather(self.by_position, self.marked, self.place, self.value, end, unit / 131072.0)

    def find_differences(
        self,
        source: Sample[:, ::1],
        samples: Sample[:, ::1],
        y: cython.int,
        x: cython.int,
        log2: cython.int,
        least: cython.double,
    ) -> cython.void:
        """The same without a transform."""
        self.count, self.error = 0, 0
        for position in range(1 << (2 * log2)):
            place = self.scans[log2 - 2, position]
            v, u = y + (place >> 5), x + (place & 31)
            difference: cython.int = source[v, u] - samples[v, u]
            self.error += difference * difference
            if abs(difference) >= least:
                self.place[self.count], self.value[self.count] = position, difference
                self.count += 1

    def escape_bits(self, is_chroma: cython.int, position: cython.int, magnitude: cython.int) -> cython.double:
        """Bits of what a magnitude has from 4 on; ``is_chroma`` is 0 or 4."""
        return self.writer.number_bits(tables.ESCAPE_CONTEXTS + is_chroma + min(self.band[position], 3), magnitude - 4)

    def choose_levels(
        self, first_context: cython.int, is_chroma: cython.int, coded_neighbours: cython.int, step: cython.double
    ) -> cython.double:
        """Levels one after the other, and the end where error + λ · bits is least; returns what that gains."""
        rates, lagrangian = self.writer.rates, self.lagrangian
        run_bucket, run_bits, band = self.run_bucket, self.run_bits, self.band
        position: cython.int = 0
        past: cython.int = coded_neighbours
        found: cython.int = 0
        gain: cython.double = 0
        best: cython.double = 0
        for n in range(self.count):
            value = abs(self.value[n])
            magnitude: cython.int = min(cython.cast(cython.int, value / step + 1 - self.rounding), tables.MAX_LEVEL)
            error = value - magnitude * step
            place = self.place[n]
            run = place - position
            bits: cython.double = 1 + run_bits[run]
            if magnitude > 3:
                bits += self.escape_bits(is_chroma, place, magnitude)
            context = first_context + 3 * band[position] + past
            symbol = 4 * run_bucket[run] + min(magnitude, 4) - 1
            self.levels.position[n], self.levels.level[n] = place, magnitude if self.value[n] > 0 else -magnitude
            gain += error * error - value * value
            last = gain + lagrangian * (bits + rates[context, symbol + tables.LAST])
            if last < best:
                best, found = last, n + 1
            gain += lagrangian * (bits + rates[context, symbol])
            position, past = place + 1, min(magnitude, 3) - 1
        self.levels.count = found
        if found > 2:
            best += self.hide_sign(first_context, coded_neighbours, step) - lagrangian
        return best

    def hide_sign(self, first_context: cython.int, coded_neighbours: cython.int, step: cython.double) -> cython.double:
        """Sign data hiding: change a level by 1 where the sum of all does not tell the last one's sign.

        Returns error + λ · bits of that. A level that becomes 0 goes.
        """
        rates, lagrangian, last = self.writer.rates, self.lagrangian, self.levels.count - 1
        total: cython.int = 0
        for n in range(last + 1):
            total += abs(self.levels.level[n])
        if total & 1 == (self.levels.level[last] < 0):
            return 0
        best: cython.double = 1e30
        changed: cython.int = 0
        change: cython.int = 0
        position: cython.int = 0
        past: cython.int = coded_neighbours
        for n in range(last + 1):
            place, magnitude = self.levels.position[n], abs(self.levels.level[n])
            error = abs(self.value[n]) - magnitude * step
            more = 1 if error > 0 and magnitude < tables.MAX_LEVEL else -1
            if magnitude + more > 0 or n < last:
                context = first_context + 3 * self.band[position] + past
                symbol = 4 * self.run_bucket[place - position] - 1 + (tables.LAST if n == last else 0)
                bits: cython.double = -rates[context, symbol + min(magnitude, 4)]
                if magnitude + more > 0:
                    bits += rates[context, symbol + min(magnitude + more, 4)]
                else:
                    bits -= 1
                # 0.4 of λ, as later pictures inherit the error: 0.5 % better than all of it
                cost = step * (step - 2 * more * error) + 0.4 * lagrangian * bits
                if cost < best:
                    best, changed, change = cost, n, more
            position, past = place + 1, min(magnitude, 3) - 1
        self.levels.level[changed] += change if self.levels.level[changed] > 0 else -change
        if self.levels.level[changed] == 0:
            for n in range(changed, last):
                self.levels.position[n], self.levels.level[n] = self.levels.position[n + 1], self.levels.level[n + 1]
            self.levels.count = last
            if last == 2:  # the sign is told again
                best += lagrangian
        return best

    def search_levels(
        self, first_context: cython.int, is_chroma: cython.int, coded_neighbours: cython.int, step: cython.double
    ) -> cython.double:
        """The same as `choose_levels` by a trellis: all paths through the two nearest magnitudes of each coefficient.

        A level's bits depend on the one before it, so each node keeps the best of the last 28 to come from. An even
        node is reached by magnitudes with an even sum, an odd one by others.
        """
        rates, lagrangian = self.writer.rates, self.lagrangian
        place_of, magnitude_of, cost_of, count_of = (
            self.node_place, self.node_magnitude, self.node_cost, self.node_count
        )  # fmt: skip
        run_bucket, run_bits, band = self.run_bucket, self.run_bits, self.band
        nodes: cython.int = 0
        best_node: cython.int = -1
        best_before: cython.int = -1
        best: cython.double = 0
        for n in range(self.count):
            place, value = self.place[n], abs(self.value[n])
            is_negative: cython.int = self.value[n] < 0
            nearest: cython.int = cython.cast(cython.int, value / step + 0.5)
            nodes_before = nodes
            for choice in range(2 if nearest > 1 else 1):
                magnitude: cython.int = min(nearest - choice, tables.MAX_LEVEL)
                error = value - magnitude * step
                bits: cython.double = 1
                if magnitude > 3:
                    bits += self.escape_bits(is_chroma, place, magnitude)
                own = error * error - value * value + lagrangian * bits
                shown = min(magnitude, 4) - 1
                # going and ending paths to nodes with an even sum, and with an odd one
                even: cython.double = 1e30
                odd: cython.double = 1e30
                last_even: cython.double = 1e30
                last_odd: cython.double = 1e30
                even_from: cython.int = -1
                odd_from: cython.int = -1
                last_even_from: cython.int = -1
                last_odd_from: cython.int = -1
                context = first_context + coded_neighbours
                symbol = 4 * run_bucket[place] + shown
                going = lagrangian * (rates[context, symbol] + run_bits[place])
                ending = lagrangian * (rates[context, symbol + tables.LAST] + run_bits[place])
                if magnitude & 1:
                    odd, last_odd = going, ending
                else:
                    even, last_even = going, ending
                for k in range(max(nodes_before - NODES_BACK, 0), nodes_before):
                    before = place_of[k]
                    run = place - before - 1
                    context = first_context + 3 * band[before + 1] + min(magnitude_of[k], 3) - 1
                    symbol = 4 * run_bucket[run] + shown
                    going = cost_of[k] + lagrangian * (rates[context, symbol] + run_bits[run])
                    hides_sign: cython.bint = count_of[k] >= 2
                    ending = cost_of[k] + lagrangian * (
                        rates[context, symbol + tables.LAST] + run_bits[run] - hides_sign
                    )
                    parity = (k ^ magnitude) & 1
                    if hides_sign and parity != is_negative:
                        ending = 1e30
                    if parity:
                        if going < odd:
                            odd, odd_from = going, k
                        if ending < last_odd:
                            last_odd, last_odd_from = ending, k
                    else:
                        if going < even:
                            even, even_from = going, k
                        if ending < last_even:
                            last_even, last_even_from = ending, k
                self.add_node(nodes, place, magnitude, even + own, even_from)
                if last_even + own < best:
                    best, best_node, best_before = last_even + own, nodes, last_even_from
                self.add_node(nodes + 1, place, magnitude, odd + own, odd_from)
                if last_odd + own < best:
                    best, best_node, best_before = last_odd + own, nodes + 1, last_odd_from
                nodes += 2
        if best_node >= 0:
            self.follow_path(best_node, best_before)
        return best

    def add_node(
        self,
        node: cython.int,
        place: cython.int,
        magnitude: cython.int,
        cost: cython.double,
        before: cython.int,
    ) -> cython.void:
        """Put a node into the trellis, and the one that the best path to it comes from, or −1."""
        self.node_place[node], self.node_magnitude[node], self.node_before[node] = place, magnitude, before
        self.node_cost[node] = cost
        self.node_count[node] = self.node_count[before] + 1 if before >= 0 else 1

    def follow_path(self, last: cython.int, before: cython.int) -> cython.void:
        """Take the levels of the path to a node, by way of the one ``before`` it."""
        found: cython.int = 1 + (self.node_count[before] if before >= 0 else 0)
        self.levels.count = found
        node: cython.int = last
        n: cython.int = self.count - 1
        while found > 0:
            found -= 1
            while self.place[n] != self.node_place[node]:
                n -= 1
            magnitude = self.node_magnitude[node]
            self.levels.position[found], self.levels.level[found] = (
                self.place[n],
                -magnitude if self.value[n] < 0 else magnitude,
            )
            node = before if node == last else self.node_before[node]


def pair_rows(
    source: Sample[:, ::1],
    samples: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    pairs: cython.short[:, ::1],
    side: cython.int,
) -> Energy:
    """Put differences where `sums_of_pairs` takes them, two rows in one; the squared error."""
    total: Energy = 0
    for j in range(side):
        for i in range(side):
            difference: cython.short = source[y + j, x + i] - samples[y + j, x + i]
            pairs[j >> 1, 2 * i + (j & 1)] = difference
            total += difference * difference
    return total


def round_row(sums: cython.int[::1], line: cython.short[:, ::1], side: cython.int, shift: cython.int) -> cython.int:
    """Round a row that is transformed down to sixteenths; the sum of squares, or less, so that it fits 31 bits."""
    energy: cython.int = 0
    for i in range(side):
        value: cython.int = (sums[i] + (1 << shift >> 1)) >> shift
        line[0, i] = value
        large: cython.int = min(abs(value), 8191)
        energy += large * large
    return energy


def scatter(
    across: cython.int[::1],
    positions: cython.int[:, ::1],
    by_position: cython.int[::1],
    marked: cython.uchar[::1],
    size: cython.int,
    row: cython.int,
    side: cython.int,
    least: cython.int,
) -> cython.int:
    """Put the large coefficients of a row where they come in the scan; the end of them."""
    end: cython.int = 0
    width = min(side, 8)
    for start in range(0, side, 8):
        largest: cython.int = 0
        for i in range(width):
            largest = max(largest, abs(across[start + i]))
        if largest >= least:
            for i in range(start, start + width):
                if abs(across[i]) >= least:
                    position = positions[size, 32 * row + i]
                    by_position[position], marked[position >> 4] = across[i], 1
                    end = max(end, position + 1)
    return end


def gather(
    by_position: cython.int[::1],
    marked: cython.uchar[::1],
    place: cython.int[::1],
    value: cython.double[::1],
    end: cython.int,
    unit: cython.double,
) -> cython.int:
    """List the coefficients in the order of the scan, and forget them there; how many there are."""
    count: cython.int = 0
    for group in range((end + 15) >> 4):
        if marked[group]:
            marked[group] = 0
            for position in range(16 * group, 16 * group + 16):
                if by_position[position] != 0:
                    place[count], value[count] = position, by_position[position] * unit
                    by_position[position] = 0
                    count += 1
    return count
