"""Which predictor set of ``lossless`` a square takes, by the logarithms of its errors.

Least squares look for a small sum of squares. Where a picture was drawn, most errors can be 0 while few are large, and
the base alone, or a median, needs fewer bits than any weights (spec 9.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython
import numpy as np

from codec.depths import SAMPLE_BITS  # noqa: F401  compiled for both
from codec.lossless import tables
from codec.lossless.rows import PlaneCoder
from codec.vectors import log2_of_errors, weighted_sum

__all__ = ["choose_memory", "choose_sets"]

if TYPE_CHECKING:
    import numpy.typing as npt

    from codec.coded import Memory

CELL: cython.int = tables.SET_SIDE
PLAIN: cython.int = 3  # sets that have no weights and no memory, in I pictures one less
WORTH_OF_MEMORY: cython.double = 200.0  # bits that it must save in a plane, since all of its samples are learnt then
NO_BOUND: cython.double = 1e30
# Bits that another set must save, of drawn planes a share of them: a square among others like it codes best
WORTH: cython.double = 16.0
WORTH_OF_DRAWN: cython.double = 0.03125
BEHIND: cython.double = 4.0  # bits that it may cost more at first: rows are looked at no longer than it may still win


def choose_sets(coder: PlaneCoder, cell_sets: npt.NDArray[np.uint8], try_all: bool, drawn: bool) -> None:
    """Change ``cell_sets``, uint8 (rows, columns), those of ``coder``, where another set needs fewer bits.

    Others are set 0 and the medians: of screens that saves 25…60 %, of camera pictures 0.2, and takes 5…10 % longer.
    With ``try_all`` they are all sets, which saves 0.4 % more of camera pictures and takes 30 % longer.
    Of planes that are ``drawn`` others are taken sooner: alpha with hard edges takes 12 % less, screens up to 5.
    Samples in the planes of ``coder`` are those that are to be encoded.
    """
    view: cython.uchar[:, ::1] = memoryview(cell_sets)
    every: cython.bint = try_all
    is_drawn: cython.bint = drawn
    bits: cython.double[::1] = memoryview(np.zeros(PLAIN))
    with cython.nogil:
        coder.set_plain_weights()
        for row in range(view.shape[0]):
            for column in range(view.shape[1]):
                view[row, column] = best_set(coder, view[row, column], row * CELL, column, every, is_drawn, bits)


def best_set(
    coder: PlaneCoder,
    fitted: cython.int,
    top: cython.Py_ssize_t,
    column: cython.Py_ssize_t,
    try_all: cython.bint,
    is_drawn: cython.bint,
    bits: cython.double[::1],
) -> cython.int:
    """The set that a square takes, for which least squares chose ``fitted``."""
    bottom: cython.Py_ssize_t = min(top + CELL, coder.planes.rows)
    plain: cython.int = PLAIN if coder.planes.references > 0 else PLAIN - 1
    of_fitted: cython.double = 0.0
    for k in range(plain):
        bits[k] = 0.0
    for turn in range(CELL):
        y = top + 5 * turn % CELL  # text often leaves the first rows empty
        if y >= bottom:
            continue
        of_fitted += bits_of_row(coder, fitted, y, column)
        least: cython.double = NO_BOUND
        for k in range(plain):
            bits[k] += bits_of_row(coder, plain_set(coder, k), y, column)
            least = min(least, bits[k])
        if not try_all and least > of_fitted + BEHIND - (BEHIND + worth(of_fitted, is_drawn)) / CELL * (turn + 1):
            return fitted
    chosen: cython.int = fitted
    least = of_fitted - worth(of_fitted, is_drawn)
    for k in range(plain):
        if bits[k] < least:
            chosen, least = plain_set(coder, k), bits[k]
    if try_all:
        for number in range(1, coder.median_set):
            if number == fitted:
                continue
            of_set: cython.double = 0.0
            for y in range(top, bottom):
                of_set += bits_of_row(coder, number, y, column)
            if of_set < least:
                chosen, least = number, of_set
    return chosen


def worth(bits: cython.double, is_drawn: cython.bint) -> cython.double:
    """What another set must save in a square of so many bits."""
    return min(WORTH, WORTH_OF_DRAWN * bits) if is_drawn else WORTH


def plain_set(coder: PlaneCoder, number: cython.int) -> cython.int:
    """The sets without weights: set 0, then those of medians."""
    return 0 if number == 0 else coder.median_set + 2 * number - 2


def bits_of_row(
    coder: PlaneCoder, number: cython.int, y: cython.Py_ssize_t, column: cython.Py_ssize_t
) -> cython.double:
    """What a row of a square costs with a set, but for what it costs with every set."""
    samples, taps, sums, weights = coder.planes.samples, coder.taps, coder.sums, coder.weights
    place, left, first = coder.planes.origin + y * coder.planes.stride, column * CELL, number * coder.width
    pairs: cython.Py_ssize_t = coder.width // 2 if 0 < number < coder.median_set else 0
    weighted_sum(samples, place + left, taps, pairs, coder.starts, 2 * number, weights, first, sums, left)
    if number >= coder.median_set:
        coder.add_medians(number, y, column)
    count: cython.Py_ssize_t = min(CELL, coder.planes.columns - left)
    return log2_of_errors(samples, place + left, sums, left, coder.shift(), count)


def choose_memory(coder: PlaneCoder, cell_sets: npt.NDArray[np.uint8], memory: Memory) -> None:
    """Give ``cell_sets`` that recall samples to squares where that needs fewer bits; of drawn pictures most text.

    ``memory`` is that of pictures before. Samples in the planes of ``coder`` are those that are to be encoded.
    """
    view: cython.uchar[:, ::1] = memoryview(cell_sets)
    saved: cython.double[:, ::1] = memoryview(np.zeros(cell_sets.shape))
    coder.remember(memory, in_any_case=True)
    with cython.nogil:
        coder.set_plain_weights()
        find_savings(coder, view, saved)
    gain = np.asarray(saved)
    chosen = gain > WORTH
    if float(gain[chosen].sum()) > WORTH_OF_MEMORY:
        cell_sets[chosen] = coder.memory_set


def find_savings(coder: PlaneCoder, cell_sets: cython.uchar[:, ::1], saved: cython.double[:, ::1]) -> cython.void:
    """What squares save by a memory that learns each sample in its turn."""
    samples, sums, one = coder.planes.samples, coder.sums, 1 << coder.shift()
    for y in range(coder.planes.rows):
        first = coder.planes.origin + y * coder.planes.stride
        for cell in range(cell_sets.shape[1]):
            left: cython.Py_ssize_t = CELL * cell
            count: cython.Py_ssize_t = min(CELL, coder.planes.columns - left)
            saved[y // CELL, cell] += bits_of_row(coder, cell_sets[y // CELL, cell], y, cell)
            for x in range(left, left + count):
                sums[x] = one * coder.recalled(first + x, samples[first + x - 1])
            saved[y // CELL, cell] -= log2_of_errors(samples, first + left, sums, left, coder.shift(), count)
            coder.learn(y, cell)
