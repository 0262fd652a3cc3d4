"""Encoder only: weights for `codec.residual.lossless`, by least squares over cells that are put into classes."""

from __future__ import annotations

import functools
import math
import mmap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, Real, kernel
from codec.models import Speed
from codec.picture.planes import Plane
from codec.residual.levels import CELL, CONTEXTS, LosslessResidual, Queues, Weights, cell_shape
from codec.residual.lossless import CoderHeader, walk, weight_differences
from codec.residual.lossless_stage import BASE, Stage, set_stage
from codec.residual.lossless_walk import ONE
from codec.vector_kernels import LANES, four_products, put_differences, weighted_rows

__all__ = ["EFFORTS", "Effort", "code_lossless", "fit_weights"]

Products = npt.NDArray[np.float32]

LIMIT = 2047  # of a weight, in 1/256
RIDGE = 1e-4  # × the mean of the diagonal, for taps that say the same
LEAST_ERROR = 0.12  # squared, a sample: what coding cost levels off at, as if it were 0.5 · log2(error + this)
LEAST_CELLS = 3  # of a class that is fitted
NAMED = 0.35  # of −log2(share of a class): maps are coded apart from that, and a class that few cells have may grow


class Effort(NamedTuple):
    """How thoroughly pictures are coded.

    Attributes:
        search: how thoroughly motion is searched.
        references: how many pictures a picture is predicted from, as far as there are any.
        classes: sets of weights for the first plane, and for each other.
        first_rounds: of fitting and choosing, where there are no weights to start from.
        rounds: the same, starting from the picture before.
        row_step: every how many rows are looked at.
    """

    search: Speed
    references: int
    classes: tuple[int, int]
    first_rounds: int
    rounds: int
    row_step: int


# A better search than FAST saves 0.4 % of the bytes for half the time more. With 8 and 4 classes medium files are 1.1 %
# larger, with half the rows 0.9 % more; fast ones with 4 and 2 classes 0.4 %, with a quarter of the rows 1.2 % more
EFFORTS = {
    Speed.SLOW: Effort(Speed.SLOW, 2, (12, 8), 8, 4, 1),
    Speed.MEDIUM: Effort(Speed.FAST, 2, (12, 8), 4, 1, 1),
    Speed.FAST: Effort(Speed.FAST, 1, (8, 4), 2, 1, 2),
}


def code_lossless(
    planes: Sequence[Plane],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    effort: Effort,
    header: CoderHeader,
) -> tuple[LosslessResidual, tuple[Weights, ...], tuple[Plane, ...]]:
    """Code the planes of a picture; returns what is coded, the weights, and the planes that a decoder will have.

    ``predictions`` are of the newest picture and the older one, as far as there are any, each for every plane.
    ``before`` has the weights of the last picture with as many predictions, or is empty.
    """
    room = sum(plane.size for plane in planes) + 1
    starts = np.arange(CONTEXTS, dtype=np.int64) * room
    queues = Queues(untouched(CONTEXTS * room), starts, np.zeros(CONTEXTS, np.int64))
    places = starts.copy()
    weights, classes, decoded = [], [], []
    left: list[Plane] = []
    for number, plane in enumerate(planes):
        stage = set_stage(plane.shape, [of_picture[number] for of_picture in predictions], left, plane)
        count = min(effort.classes[min(number, 1)], math.prod(cell_shape(plane.shape)))
        start = before[number] if before else None
        fitted, map_ = fit_weights(stage, count, start, effort)
        walked, of_plane = walk(stage, fitted, map_, queues, places, header.max_error, True)
        weights.append(fitted)
        classes.append(map_)
        decoded.append(walked)
        if header.greens_apart:
            left.append(of_plane)
    sizes = places - starts
    symbols = np.empty(room - 1, np.uint8)
    gather(queues.symbols, starts, sizes, symbols)
    kept = Queues(symbols, np.cumsum(sizes) - sizes, sizes)  # what is used, of room that is many times as large
    residual = LosslessResidual(tuple(weight_differences(weights, before)), tuple(classes), kept)
    return residual, tuple(weights), tuple(decoded)


@kernel
def gather(
    symbols: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    gathered: npt.NDArray[np.uint8],
) -> None:
    """Queues one behind the other."""
    end = 0
    for context in range(sizes.size):
        start, size = starts[context], sizes[context]
        source, target = symbols[start : start + size], gathered[end : end + size]
        for place in range(np.uint64(size)):
            target[place] = source[place]
        end += size


def untouched(size: int) -> npt.NDArray[np.uint8]:
    """Room of which little will be used; numpy's own comes in huge pages, and to clear those took 1.4 ns a sample."""
    return np.frombuffer(mmap.mmap(-1, size), np.uint8)


def fit_weights(
    stage: Stage, count: int, before: Weights | None, effort: Effort
) -> tuple[Weights, npt.NDArray[np.uint8]]:
    """Weights (``count``, 1 + taps − 1), and a class 0…``count`` for each cell.

    In turns, weights are fitted to the cells of their class, and each cell takes the class that codes it shortest,
    as in k-means; a cell counts by the inverse of its error, since bits go with the logarithm of the error.
    """
    products, pairs = normal_products(stage, effort.row_step)
    samples, cells = CELL * CELL / effort.row_step, len(products)
    classes, errors = np.ones(cells, np.uint8), np.zeros(cells)
    if before is not None and len(before) == count:
        weights, sizes, rounds = before.astype(np.float64) / ONE, np.zeros(count + 1, np.int64), effort.rounds
    else:
        weights, rounds = np.empty((1, len(stage.taps()))), effort.first_rounds
        improve(products, pairs, samples, 1, weights, classes, errors, np.array([0, cells]))
        classes[np.argsort(errors, kind="stable")] = 1 + np.arange(cells) * count // cells
        weights, sizes = np.repeat(weights, count, axis=0), np.bincount(classes, minlength=count + 1)
    improve(products, pairs, samples, rounds, weights, classes, errors, sizes)
    return (weights * ONE).astype(np.int16), classes.reshape(cell_shape(stage.shape))


@kernel
def improve(
    products: Products,
    pairs: npt.NDArray[np.int64],
    samples: Real,
    rounds: Integer,
    weights: npt.NDArray[np.float64],
    classes: npt.NDArray[np.uint8],
    errors: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.int64],
) -> None:
    """Fit the weights of each class to its cells, and choose classes again, so many times.

    Where the sizes of all classes are 0, none has been chosen yet, and this comes first.
    """
    sums = np.empty((weights.shape[0], pairs.shape[0]))
    if sizes.max() == 0:
        choose(products, pairs, samples, weights, classes, errors, sizes)
    for _ in range(rounds):
        sum_by_class(products, classes, errors, samples, sums)
        solve(sums, pairs, sizes, min(LEAST_CELLS, classes.size), weights)
        choose(products, pairs, samples, weights, classes, errors, sizes)


@kernel
def sum_by_class(
    products: Products,
    classes: npt.NDArray[np.uint8],
    errors: npt.NDArray[np.float64],
    samples: Real,
    sums: npt.NDArray[np.float64],
) -> None:
    """The sum of the products of each class's cells, each by the inverse of its error, (classes, pairs)."""
    sums[:] = 0.0
    for cell in range(classes.size):
        if classes[cell] > 0:
            share = 1 / (errors[cell] + 0.3 * samples)
            of_class, of_cell = sums[np.int64(classes[cell]) - 1], products[cell]
            for k in range(of_class.size):
                of_class[k] += share * of_cell[k]


@kernel
def solve_normal(
    sums: npt.NDArray[np.float64], pairs: npt.NDArray[np.int64], solution: npt.NDArray[np.float64]
) -> None:
    """Least squares by a Cholesky decomposition; the last input is what is to be predicted from the others."""
    taps = solution.size
    matrix = np.zeros((taps + 1, taps + 1))  # its lower half
    for k in range(pairs.shape[0]):
        if pairs[k, 2] > 0:
            matrix[pairs[k, 1], pairs[k, 0]] = sums[k]
    ridge = 0.0
    for i in range(taps):
        ridge += matrix[i, i]
    ridge = RIDGE * ridge / taps + 1e-6
    for i in range(taps):
        matrix[i, i] += ridge
    for i in range(taps + 1):  # the last row becomes what is left of the right side
        for j in range(min(i + 1, taps)):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            # the ridge keeps all that roots are taken of from getting smaller than itself, but for rounding
            matrix[i, j] = math.sqrt(max(total, 1e-6)) if i == j else total / matrix[j, j]
    for i in range(taps - 1, -1, -1):
        total = matrix[taps, i]
        for k in range(i + 1, taps):
            total -= matrix[k, i] * solution[k]
        solution[i] = total / matrix[i, i]


@kernel
def solve(
    sums: npt.NDArray[np.float64],
    pairs: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    least: Integer,
    weights: npt.NDArray[np.float64],
) -> None:
    """Least-squares weights of each class, as the file keeps them; those of fewer than ``least`` cells stay.

    ``sizes`` are the cells of each class, from class 0 on, which has no weights.
    """
    for number in range(sums.shape[0]):
        if sizes[number + 1] >= least:
            solution = weights[number]
            solve_normal(sums[number], pairs, solution)
            for tap in range(solution.size):
                solution[tap] = min(max(np.rint(solution[tap] * ONE), -LIMIT), LIMIT) / ONE


@kernel
def choose(
    products: Products,
    pairs: npt.NDArray[np.int64],
    samples: Real,
    weights: npt.NDArray[np.float64],
    classes: npt.NDArray[np.uint8],
    errors: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.int64],
) -> None:
    """Give each cell the class of least cost, 0 being no weights at all, and its squared error.

    ``sizes`` are the cells that each class had, which say what naming it costs, and then those that it has.
    Bits are 0.5 · ``samples`` · log2(error / samples + `LEAST_ERROR`) − `NAMED` · log2(share of the class); compared is
    two to the power of that over half of the samples, but for a factor, which needs no logarithm.
    """
    count, cells = sizes.size, classes.size
    groups = (count + LANES - 1) // LANES
    forms = np.zeros((groups, pairs.shape[0], LANES), np.float32)
    fill_forms(weights, pairs, forms)
    factors = np.empty(count)
    for number in range(count):
        factors[number] = (sizes[number] + 1) ** (-2 * NAMED / samples)
    of_cell = np.empty(groups * LANES, np.float32)
    length = np.int64(pairs.shape[0])
    for number in range(count):
        sizes[number] = 0
    for cell in range(cells):
        for group in range(groups):
            weighted_rows(products, cell * length, forms, group * LANES * length, length, of_cell, group * LANES)
        least, chosen = np.inf, 0
        for number in range(count):
            error = max(np.float64(of_cell[number]), 0.0)
            cost = (error / samples + LEAST_ERROR) * factors[number]
            if cost < least:
                least, chosen, errors[cell] = cost, number, error
        classes[cell] = chosen
        sizes[chosen] += 1


@kernel
def fill_forms(weights: npt.NDArray[np.float64], pairs: npt.NDArray[np.int64], forms: npt.NDArray[np.float32]) -> None:
    """How often each pair's products count in the squared error of each class, in groups of `LANES` classes."""
    signed = np.zeros((weights.shape[0] + 1, weights.shape[1] + 1))
    for number in range(signed.shape[0]):
        for tap in range(weights.shape[1] if number > 0 else 0):
            signed[number, tap] = weights[number - 1, tap]
        signed[number, weights.shape[1]] = -1
        of_group = forms[number // LANES]
        for k in range(pairs.shape[0]):
            product = signed[number, pairs[k, 0]] * signed[number, pairs[k, 1]]
            of_group[k, number % LANES] = np.float32(product * pairs[k, 2])


def normal_products(stage: Stage, row_step: int) -> tuple[Products, npt.NDArray[np.int64]]:
    """Sums over each cell of the products of two inputs, float32 (cells, pairs), and of which they are, (pairs, 3).

    Inputs are 1, every tap but the base relative to its origin, and the sample minus the base.
    The third number of a pair says how often it comes in a quadratic form: 2, 1 on the diagonal, or 0 for a pair
    that is only there because four are computed at once.
    """
    taps, relative_to = stage.taps(), stage.relative_to()
    pairs = pairs_of(1 + len(taps))
    rows, columns = cell_shape(stage.shape)
    products = np.empty((rows * columns, len(pairs)), np.float32)
    fill_products(stage.samples, stage.origin, stage.shape, stage.stride, taps, relative_to, row_step, products)
    return products, pairs


@functools.cache
def pairs_of(count: int) -> npt.NDArray[np.int64]:
    """Which pairs of ``count`` inputs are multiplied; see `normal_products`. There are no more than 30 counts."""
    pairs = [(i, j) for i in range(count) for j in range(i // 4 * 4, -(-count // 4) * 4)]
    times = [0 if j < i or j >= count else 1 + (i < j) for i, j in pairs]
    return np.array([(i, min(j, count - 1), n) for (i, j), n in zip(pairs, times, strict=True)])


@kernel
def fill_products(
    samples: Plane,
    origin: Integer,
    shape: tuple[int, int],
    stride: Integer,
    taps: npt.NDArray[np.int64],
    relative_to: npt.NDArray[np.int64],
    row_step: Integer,
    products: Products,
) -> None:
    """The loops of `normal_products`."""
    count = 1 + taps.size
    tiles = (count + 3) // 4
    area = CELL * CELL
    values = np.zeros(4 * tiles * area, np.int16)
    flat = products.reshape(-1)
    cells_across = (shape[1] + CELL - 1) // CELL
    for cell in range(products.shape[0]):
        top, left = cell // cells_across * CELL, cell % cells_across * CELL
        rows, columns = min(CELL, shape[0] - top), min(CELL, shape[1] - left)
        lines = (rows + row_step - 1) // row_step
        used = (lines * CELL + 31) // 32 * 32
        values[:used] = 1
        for line in range(lines):
            corner = np.int64(origin + (top + line * row_step) * stride + left)
            for number in range(1, taps.size):
                at = np.int64(number * area + line * CELL)
                put_differences(samples, corner + taps[number], corner + relative_to[number], values, at)
            put_differences(samples, corner, corner + taps[BASE], values, np.int64(taps.size * area + line * CELL))
        if columns < CELL or lines * CELL < used:
            for number in range(count):
                of_input = values[number * area : number * area + used].reshape(-1, CELL)
                of_input[:, columns:] = 0
                of_input[lines:] = 0
        place = np.int64(cell * products.shape[1])
        for i in range(count):
            for tile in range(i // 4, tiles):
                first, second = np.int64(i * area), np.int64(4 * tile * area)
                four_products(values, first, second, np.int64(area), np.int64(used), flat, place)
                place += 4
