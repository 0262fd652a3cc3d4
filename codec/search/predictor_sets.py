"""Predictor sets of ``lossless`` by least squares: which weights a plane's cells share, and which cells.

Numbers have 64 bits but for the products of cells and what is compared of them, which have 32 as they are kept.
Products of samples of 8 bits are summed in whole numbers, of more bits in float32.
"""

from __future__ import annotations

import functools
from math import sqrt
from typing import TYPE_CHECKING

import cython
import numpy as np

from codec.depths import SAMPLE_BITS, Input
from codec.lossless import tables
from codec.lossless.planes import TapPlanes
from codec.vectors import LANES, rint, sums_of_products, weighted_rows

__all__ = ["fit_sets"]

if TYPE_CHECKING:
    import numpy.typing as npt

    from codec.coded import Weights

CELL: cython.int = tables.SET_SIDE
AREA: cython.int = tables.SET_SIDE * tables.SET_SIDE
LIMIT: cython.double = 8.0  # that weights stay below
MOST: cython.double = (
    tables.MAX_WEIGHT_SUM - 0.5
)  # of all weights of a set of more than 8 bits; less what rounding adds
RIDGE: cython.double = 1e-4  # × the mean of the diagonal, for taps that say the same
# Of more than 8 bits, which a finer fit makes 10 % smaller where pictures are rendered, 0.8 where graded; noise ± 0.02
RIDGE_OF_DEEP: cython.double = 1e-6
LEAST_ROOT: cython.double = 1e-6  # the ridge keeps all that roots are taken of above itself, but for rounding
LEAST_ERROR: cython.double = 0.12  # squared, a sample: coding cost is as if it were 0.5 · log2(error + this)
NAMED: cython.double = 0.35  # of −log2(share of a set): maps are coded apart, and a set that few cells have may grow
LEAST_CELLS = 3  # of a set that is fitted


@functools.cache
def pairs_of(count: int) -> npt.NDArray[np.int32]:
    """Which pairs of ``count`` inputs are multiplied, (pairs, 3).

    The third number of a pair says how often it comes in a quadratic form: 2, 1 on the diagonal, or 0 for a pair
    that is only there because four are summed at once.
    """
    pairs = [(i, j) for i in range(count) for j in range(i // 4 * 4, -(-count // 4) * 4)]
    times = [0 if j < i or j >= count else 1 + (i < j) for i, j in pairs]
    return np.array([(i, min(j, count - 1), n) for (i, j), n in zip(pairs, times, strict=True)], np.int32)


def fit_sets(
    planes: TapPlanes, count: int, before: Weights | None, first_rounds: int, rounds: int, row_step: int
) -> tuple[Weights, npt.NDArray[np.uint8]]:
    """Weights int16 (``count``, 1 + taps − 1), and a predictor set 0…``count`` for each cell.

    In turns, weights are fitted to the cells of their set, and each cell takes the set that codes it shortest, as in
    k-means; a cell counts by the inverse of its error, since bits go with the logarithm of the error.
    ``before`` are weights to start from, or None: then there are ``first_rounds`` instead of ``rounds``.
    Every so many rows are looked at.
    """
    fit = PredictorSetFit(planes, row_step)
    cells, one = len(fit.cell_sets), fit.one
    if before is not None and before.shape == (count, fit.taps):
        fit.start(before.astype(np.float64) / one, np.zeros(count + 1, np.int64))
        fit.improve(rounds)
    else:
        fit.start(np.empty((1, fit.taps)), np.array([0, cells]))
        fit.improve(1)
        sets = np.asarray(fit.cell_sets)
        sets[np.argsort(fit.errors, kind="stable")] = 1 + np.arange(cells) * count // cells
        fit.start(np.repeat(fit.weights, count, axis=0), np.bincount(sets, minlength=count + 1))
        fit.improve(first_rounds)
    shape = tables.set_map_shape(planes.shape())
    return (np.asarray(fit.weights) * one).astype(np.int16), np.asarray(fit.cell_sets).reshape(shape)


@cython.cclass
class PredictorSetFit:
    """What is known of a plane's cells while sets are fitted to them.

    Attributes:
        pairs: flat, three numbers each, as `pairs_of` gives them.
        length: how many there are.
        products: of each cell, the sums over its samples of the products of two inputs: 1, every tap but the base
            relative to its origin, and the sample minus the base.
        samples: how many of a whole cell are looked at.
        weights: (sets, taps); set 0 is none of them, and has none.
        sizes: how many cells each set has, from set 0 on.
        cell_sets, errors: the set of each cell, and its squared error.
    """

    planes: TapPlanes
    taps: cython.int
    row_step: cython.int
    offsets: cython.Py_ssize_t[::1]
    origins: cython.Py_ssize_t[::1]
    values: Input[::1]
    length: cython.Py_ssize_t
    pairs: cython.int[::1]
    samples: cython.double
    is_deep: cython.bint  # whether samples have more than 8 bits
    one: cython.double  # what weights are whole multiples of 1 over
    products: cython.float[::1]
    forms: cython.float[::1]
    of_cell: cython.float[::1]
    matrix: cython.double[:, ::1]
    sums: cython.double[:, ::1]
    signed: cython.double[::1]
    factors: cython.double[::1]
    weights: cython.double[:, ::1]
    sizes: cython.longlong[::1]
    cell_sets: cython.uchar[::1]
    errors: cython.double[::1]

    def __init__(self, planes: TapPlanes, row_step: int) -> None:
        self.planes, self.row_step = planes, row_step
        layout = planes.layout()
        self.offsets = memoryview(tables.tap_offsets(*layout))
        self.origins = memoryview(tables.tap_origins(*layout))
        self.taps = len(self.offsets)
        pairs = pairs_of(1 + self.taps)
        self.pairs, self.length = memoryview(pairs.reshape(-1)), len(pairs)
        self.samples = AREA / row_step
        self.one, self.is_deep = 1 << self.planes.log2_one(), self.planes.is_deep()
        rows, columns = tables.set_map_shape(planes.shape())
        self.products = memoryview(np.zeros(rows * columns * self.length + 3, np.float32))
        self.values = memoryview(np.zeros((self.taps + 4) * AREA, np.float32 if self.is_deep else np.int16))
        self.cell_sets = memoryview(np.ones(rows * columns, np.uint8))
        self.errors = memoryview(np.zeros(rows * columns))
        with cython.nogil:
            self.fill_products()

    def start(self, weights: npt.NDArray[np.float64], sizes: npt.NDArray[np.int64]) -> None:
        """Set weights and sizes to start from; where all sizes are 0, no set has been chosen yet."""
        groups = (len(sizes) + LANES - 1) // LANES
        self.weights, self.sizes = memoryview(weights), memoryview(sizes)
        self.forms = memoryview(np.zeros(groups * self.length * LANES, np.float32))
        self.of_cell = memoryview(np.empty(LANES * groups, np.float32))
        self.matrix = memoryview(np.zeros((self.taps + 1, self.taps + 1)))
        self.sums = memoryview(np.empty((len(weights), self.length)))
        self.signed, self.factors = memoryview(np.zeros(self.taps + 1)), memoryview(np.empty(len(sizes)))

    def improve(self, rounds: cython.int) -> None:
        """Fit the weights of each set to its cells, and choose sets again, so many times."""
        least: cython.longlong = min(LEAST_CELLS, len(self.cell_sets))
        is_first: cython.bint = max(self.sizes) == 0
        with cython.nogil:
            if is_first:
                self.choose()
            for _ in range(rounds):
                self.sum_by_set()
                for number in range(self.weights.shape[0]):
                    if self.sizes[number + 1] >= least:
                        self.solve(number)
                self.choose()

    def fill_products(self) -> cython.void:
        """Sum the products of all cells."""
        inputs: cython.Py_ssize_t = self.taps + 1
        across = (self.planes.columns + CELL - 1) // CELL
        for cell in range(self.cell_sets.shape[0]):
            used = self.take_inputs(cell // across * CELL, cell % across * CELL)
            place = cell * self.length
            for i in range(inputs):  # from the diagonal on
                for four in range((inputs - i + 3) // 4):
                    j, at = i + 4 * four, place + i % 4 + 4 * four
                    self.multiply(i * AREA, j * AREA, used, at)
                place += 4 * ((inputs + 3) // 4 - i // 4)

    def multiply(
        self, i: cython.Py_ssize_t, j: cython.Py_ssize_t, length: cython.Py_ssize_t, at: cython.Py_ssize_t
    ) -> cython.void:
        """Sums of products of the input at ``i`` with that at ``j`` and the three after it; each below 2**31."""
        if SAMPLE_BITS != 8 and self.is_deep:
            sums_of_products(self.values, i, j, AREA, length, self.products, at)
            return
        first: cython.int = 0
        second: cython.int = 0
        third: cython.int = 0
        fourth: cython.int = 0
        for x in range(length):
            value = cython.cast(cython.int, self.values[i + x])
            first += value * cython.cast(cython.int, self.values[j + x])
            second += value * cython.cast(cython.int, self.values[j + AREA + x])
            third += value * cython.cast(cython.int, self.values[j + 2 * AREA + x])
            fourth += value * cython.cast(cython.int, self.values[j + 3 * AREA + x])
        self.products[at], self.products[at + 1] = first, second
        self.products[at + 2], self.products[at + 3] = third, fourth

    def take_inputs(self, top: cython.Py_ssize_t, left: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Set ``values`` to the inputs of a cell, `AREA` for each; returns how many of those are used, in 32s."""
        values, samples = self.values, self.planes.samples
        rows, columns = min(CELL, self.planes.rows - top), min(CELL, self.planes.columns - left)
        lines = (rows + self.row_step - 1) // self.row_step
        used = (lines * CELL + 31) // 32 * 32
        for x in range(used):
            values[x] = 1
        corner, stride = self.planes.origin + top * self.planes.stride + left, self.row_step * self.planes.stride
        for number in range(1, self.taps + 1):
            first, second = corner, corner + self.offsets[0]
            if number < self.taps:
                first, second = corner + self.offsets[number], corner + self.origins[number]
            at = number * AREA
            for _ in range(lines):
                for x in range(16):
                    difference: Input = samples[first + x] - samples[second + x]
                    values[at + x] = difference
                first, second, at = first + stride, second + stride, at + CELL
        if columns < CELL or lines * CELL < used:
            for number in range(self.taps + 1):
                for x in range(used):
                    if x % CELL >= columns or x >= lines * CELL:
                        values[number * AREA + x] = 0
        return used

    def sum_by_set(self) -> cython.void:
        """The sum of the products of each set's cells, each by the inverse of its error."""
        products, sums, length = self.products, self.sums, self.length
        for number in range(sums.shape[0]):
            for k in range(length):
                sums[number, k] = 0.0
        for cell in range(self.cell_sets.shape[0]):
            if self.cell_sets[cell] > 0:
                number = self.cell_sets[cell] - 1
                share = 1 / (self.errors[cell] + 0.3 * self.samples)
                first = cell * length
                for k in range(length):
                    sums[number, k] += share * products[first + k]

    def solve(self, number: cython.Py_ssize_t) -> cython.void:
        """Weights of a set by a Cholesky decomposition, as the file keeps them."""
        matrix, weights, taps = self.matrix, self.weights, self.taps
        for k in range(self.length):
            if self.pairs[3 * k + 2] > 0:
                matrix[self.pairs[3 * k + 1], self.pairs[3 * k]] = self.sums[number, k]
        total: cython.double
        ridge: cython.double = 0.0
        for i in range(taps):
            ridge += matrix[i, i]
        share = RIDGE_OF_DEEP if SAMPLE_BITS != 8 and self.is_deep else RIDGE
        ridge = share * ridge / taps + 1e-6
        for i in range(taps):
            matrix[i, i] += ridge
        for i in range(taps + 1):  # the last row becomes what is left of the right side
            for j in range(min(i + 1, taps)):
                total = matrix[i, j]
                for k in range(j):
                    total -= matrix[i, k] * matrix[j, k]
                matrix[i, j] = sqrt(max(total, LEAST_ROOT)) if i == j else total / matrix[j, j]
        for i in range(taps - 1, -1, -1):
            total = matrix[taps, i]
            for k in range(i + 1, taps):
                total -= matrix[k, i] * weights[number, k]
            weights[number, i] = total / matrix[i, i]
        one, limit = self.one, LIMIT * self.one - 1
        if SAMPLE_BITS != 8 and self.is_deep:
            total = 0.0
            for tap in range(1, taps):
                total += abs(weights[number, tap])
            for tap in range(1, taps):
                weights[number, tap] *= min(1.0, MOST / max(total, MOST))
        for tap in range(taps):
            weights[number, tap] = min(max(rint(weights[number, tap] * one), -limit), limit) / one

    def choose(self) -> cython.void:
        """Give each cell the set of least cost, and its squared error; set 0 is the base alone.

        Sizes say what naming a set costs, and become those that sets have now.
        Bits are 0.5 · ``samples`` · log2(error / samples + `LEAST_ERROR`) − `NAMED` · log2(share of the set); compared
        is two to the power of that over half of the samples, but for a factor, which needs no logarithm.
        """
        count, length = self.sizes.shape[0], self.length
        self.fill_forms()
        for number in range(count):
            self.factors[number] = (self.sizes[number] + 1.0) ** (-2 * NAMED / self.samples)
            self.sizes[number] = 0
        of_cell, factors, samples, groups = self.of_cell, self.factors, self.samples, (count + LANES - 1) // LANES
        for cell in range(self.cell_sets.shape[0]):
            for group in range(groups):
                at = group * LANES
                weighted_rows(self.products, cell * length, self.forms, at * length, length, of_cell, at)
            least: cython.double = 0.0
            chosen: cython.Py_ssize_t = 0
            for number in range(count):
                error: cython.double = max(of_cell[number], 0.0)
                cost = (error / samples + LEAST_ERROR) * factors[number]
                if number == 0 or cost < least:
                    least, chosen, self.errors[cell] = cost, number, error
            self.cell_sets[cell] = chosen
            self.sizes[chosen] += 1

    def fill_forms(self) -> cython.void:
        """How often each pair's products count in the squared error of each set, in groups of 16 sets."""
        signed, taps = self.signed, self.taps
        for number in range(self.sizes.shape[0]):
            for tap in range(taps):
                signed[tap] = self.weights[number - 1, tap] if number > 0 else 0.0
            signed[taps] = -1.0
            first = number // LANES * LANES * self.length + number % LANES
            for k in range(self.length):
                product = signed[self.pairs[3 * k]] * signed[self.pairs[3 * k + 1]]
                self.forms[first + k * LANES] = product * self.pairs[3 * k + 2]
