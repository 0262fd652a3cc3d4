"""One motion vector for each window of luma, which is a block, or the surroundings of a mesh node."""

from __future__ import annotations

import functools

import cython
import numpy as np
import numpy.typing as npt

from codec.motion.vector_prediction import MedianPredictor
from codec.search.interpolation import InterpolatedPlanes

__all__ = ["BlockMatcher", "shrink"]

NO_BOUND: cython.int = 1 << 30  # more than any sum of squared errors
LATER_STEP: cython.int = 4


def mean(a: cython.int, b: cython.int) -> cython.int:
    """Rounded up at a half."""
    return (a + b + 1) >> 1


def error_16(
    source: cython.uchar[::1],
    place: cython.Py_ssize_t,
    width: cython.Py_ssize_t,
    samples: cython.uchar[::1],
    first: cython.Py_ssize_t,
    second: cython.Py_ssize_t,
    stride: cython.Py_ssize_t,
    rows: cython.int,
) -> cython.int:
    """Σ (source − mean of two samples)² of rows of 16: a width that compilers know and 16 bits make vectors."""
    total: cython.int = 0
    for _ in range(rows):
        for x in range(16):
            error: cython.short = source[place + x] - ((samples[first + x] + samples[second + x] + 1) >> 1)
            total += error * error
        place, first, second = place + width, first + stride, second + stride
    return total


def error_8(
    source: cython.uchar[::1],
    place: cython.Py_ssize_t,
    width: cython.Py_ssize_t,
    samples: cython.uchar[::1],
    first: cython.Py_ssize_t,
    second: cython.Py_ssize_t,
    stride: cython.Py_ssize_t,
    rows: cython.int,
) -> cython.int:
    """The same of rows of 8."""
    total: cython.int = 0
    for _ in range(rows):
        for x in range(8):
            error: cython.short = source[place + x] - ((samples[first + x] + samples[second + x] + 1) >> 1)
            total += error * error
        place, first, second = place + width, first + stride, second + stride
    return total


@functools.cache  # as a picture of 352×288 would wait for it a tenth of its time
def bits_of_differences(limit_quarter_pel: int) -> npt.NDArray[np.int8]:
    """The bits of a difference of vectors, by its magnitude."""
    return np.array([2 * (2 * n + 1).bit_length() - 1 for n in range(2 * limit_quarter_pel + 4097)], np.int8)


@cython.cclass
class BlockMatcher:
    """A picture and its reference, the window at work, and the best vector so far.

    What counts is squared error + λ · bits of the difference from the median, as an Exp-Golomb code counts them, which
    follows the real cost well enough.
    """

    height: cython.int
    width: cython.int
    source: cython.uchar[::1]
    halves: InterpolatedPlanes
    samples: cython.uchar[::1]
    frequent: cython.short[:, ::1]  # vectors that are tried for every window
    bits: cython.schar[::1]  # of a difference, by its magnitude
    limit: cython.int  # of both components, in quarter samples
    top: cython.int
    left: cython.int
    rows: cython.int
    columns: cython.int
    median_y: cython.int
    median_x: cython.int
    lagrangian: cython.double
    best_cost: cython.double
    best_dy: cython.int
    best_dx: cython.int

    def __init__(
        self,
        source: npt.NDArray[np.uint8],
        halves: InterpolatedPlanes,
        limit_quarter_pel: int,
        frequent: npt.NDArray[np.int16],
    ) -> None:
        """``source`` is luma uint8 (rows, columns), ``halves`` are of the plane before, ``frequent`` int16 (n, 2)."""
        self.height, self.width = source.shape
        self.source = memoryview(np.ascontiguousarray(source).reshape(-1))
        self.halves, self.samples, self.limit = halves, halves.flat, limit_quarter_pel
        # a view has no dimension of 0, and no motion is tried anyway
        self.frequent = memoryview(frequent if len(frequent) else np.zeros((1, 2), np.int16))
        self.bits = memoryview(bits_of_differences(limit_quarter_pel))

    def vector_bits(self, difference_y: cython.int, difference_x: cython.int) -> cython.int:
        """Length of both components of a difference."""
        return self.bits[abs(difference_y)] + self.bits[abs(difference_x)]

    def set_window(self, top: cython.int, left: cython.int, size: cython.int) -> cython.void:
        """Cut a window to the picture."""
        self.top, self.left = max(top, 0), max(left, 0)
        self.rows = min(top + size, self.height) - self.top
        self.columns = min(left + size, self.width) - self.left

    def squared_error(self, dy: cython.int, dx: cython.int, bound: cython.int) -> cython.int:
        """Of the window moved by a vector; from ``bound`` on, a part of it."""
        first, second = self.halves.quarter_places(self.top, self.left, dy, dx)
        width, stride = self.width, self.halves.stride
        place: cython.Py_ssize_t = self.top * width + self.left
        total: cython.int = 0
        row: cython.int = 0
        while row < self.rows and total < bound:
            height = min(8, self.rows - row)
            x: cython.int = 0
            while x + 16 <= self.columns:
                total += error_16(self.source, place + x, width, self.samples, first + x, second + x, stride, height)
                x += 16
            while x + 8 <= self.columns:
                total += error_8(self.source, place + x, width, self.samples, first + x, second + x, stride, height)
                x += 8
            while x < self.columns:
                for j in range(height):
                    q = j * stride + x
                    error = self.source[place + j * width + x] - mean(self.samples[first + q], self.samples[second + q])
                    total += error * error
                x += 1
            place, first, second, row = place + 8 * width, first + 8 * stride, second + 8 * stride, row + 8
        return total

    def try_vector(self, dy: cython.int, dx: cython.int) -> cython.void:
        """Keep a vector if it is allowed and costs less than the best."""
        if abs(dy) > self.limit or abs(dx) > self.limit or (dy == self.best_dy and dx == self.best_dx):
            return
        rate = self.lagrangian * self.vector_bits(dy - self.median_y, dx - self.median_x)
        if rate >= self.best_cost:
            return
        bound: cython.int = cython.cast(cython.int, self.best_cost - rate) + 1
        cost = rate + self.squared_error(dy, dx, bound)
        if cost < self.best_cost:
            self.best_cost, self.best_dy, self.best_dx = cost, dy, dx

    def try_candidates(
        self,
        before: cython.short[:, :, ::1],
        vectors: cython.short[:, :, ::1],
        row: cython.int,
        column: cython.int,
    ) -> cython.void:
        """No motion, the median, the vector of the picture before, ``frequent``, and ``vectors`` here and around.

        There it has starts, results of this sweep, or of the sweep before.
        """
        rate = self.lagrangian * self.vector_bits(self.median_y, self.median_x)
        self.best_cost = self.squared_error(0, 0, NO_BOUND) + rate
        self.best_dy = self.best_dx = 0
        self.try_vector(self.median_y, self.median_x)
        self.try_vector(before[row, column, 0], before[row, column, 1])
        for k in range(self.frequent.shape[0]):
            self.try_vector(self.frequent[k, 0], self.frequent[k, 1])
        self.try_neighbour(vectors, row, column)
        self.try_neighbour(vectors, row, column - 1)
        self.try_neighbour(vectors, row - 1, column)
        self.try_neighbour(vectors, row - 1, column + 1)
        self.try_neighbour(vectors, row, column + 1)
        self.try_neighbour(vectors, row + 1, column)

    def try_neighbour(self, vectors: cython.short[:, :, ::1], row: cython.int, column: cython.int) -> cython.void:
        """The vector of another window, if there is one."""
        if 0 <= row < vectors.shape[0] and 0 <= column < vectors.shape[1]:
            self.try_vector(vectors[row, column, 0], vectors[row, column, 1])

    def descend(self, step: cython.int, diamond: cython.bint) -> cython.void:
        """To the best vector around, while that gets better, with ``step`` and then with half of it, to 1.

        Eight are around, or the four of a diamond; the one that was left is not tried again.
        """
        left_behind: cython.int = 4  # its number, where rows of three are counted through; 4 is the centre
        while step >= 1:
            dy, dx = self.best_dy, self.best_dx
            for k in range(9):
                if k != left_behind and (not diamond or k & 1):
                    self.try_vector(dy + step * (k // 3 - 1), dx + step * (k % 3 - 1))
            if self.best_dy == dy and self.best_dx == dx:
                step >>= 1
                left_behind = 4
            else:
                left_behind = 4 - 3 * ((self.best_dy - dy) // step) - (self.best_dx - dx) // step

    def descend_windows(
        self,
        tops: cython.int[::1],
        lefts: cython.int[::1],
        size: cython.int,
        before: cython.short[:, :, ::1],
        predictor: MedianPredictor,
        first_step: cython.int,
        sweeps: cython.int,
        least_lagrangian: cython.double,
        share: cython.double,
    ) -> cython.void:
        """Improve the vectors of ``predictor``: the best candidate of each window, then downhill.

        Later sweeps look only at what has a new candidate.

        λ is ``share`` of the mean squared error of the windows so far.
        """
        vectors = predictor.vectors
        error_so_far: cython.double = 0
        samples_so_far: cython.Py_ssize_t = 0
        for sweep in range(sweeps):
            for row in range(tops.shape[0]):
                for column in range(lefts.shape[0]):
                    self.set_window(tops[row], lefts[column], size)
                    self.median_y, self.median_x = predictor.predict(row, column, 0), predictor.predict(row, column, 1)
                    self.lagrangian = max(least_lagrangian, share * error_so_far / max(samples_so_far, 1))
                    self.try_candidates(before, vectors, row, column)
                    if sweep == 0:
                        self.descend(first_step, sweeps == 1)
                        error_so_far += self.best_cost
                        samples_so_far += self.rows * self.columns
                    elif self.best_dy != vectors[row, column, 0] or self.best_dx != vectors[row, column, 1]:
                        self.descend(LATER_STEP, False)
                    vectors[row, column, 0] = self.best_dy
                    vectors[row, column, 1] = self.best_dx

    def improve(
        self,
        tops: npt.NDArray[np.int32],
        lefts: npt.NDArray[np.int32],
        size: int,
        before: npt.NDArray[np.int16],
        vectors: npt.NDArray[np.int16],
        first_step: int,
        sweeps: int,
        least_lagrangian: float,
        share: float,
    ) -> None:
        """`descend_windows` of arrays: int32 ``tops`` and ``lefts``, int16 vectors (tops, lefts, 2), in place."""
        rows: cython.int[::1] = memoryview(tops)
        columns: cython.int[::1] = memoryview(lefts)
        starts: cython.short[:, :, ::1] = memoryview(before)
        found: MedianPredictor = MedianPredictor(vectors)
        side: cython.int = size
        step: cython.int = first_step
        times: cython.int = sweeps
        least: cython.double = least_lagrangian
        part: cython.double = share
        with cython.nogil:
            self.descend_windows(rows, columns, side, starts, found, step, times, least, part)

    def match(
        self,
        tops: npt.NDArray[np.int32],
        lefts: npt.NDArray[np.int32],
        size: int,
        offsets: npt.NDArray[np.int32],
        vectors: npt.NDArray[np.int16],
    ) -> None:
        """Full search in full samples: the least squared error, the first of equals in ``offsets``, int32 (n, 2)."""
        rows: cython.int[::1] = memoryview(tops)
        columns: cython.int[::1] = memoryview(lefts)
        tried: cython.int[:, ::1] = memoryview(offsets)
        found: cython.short[:, :, ::1] = memoryview(vectors)
        side: cython.int = size
        with cython.nogil:
            self.match_windows(rows, columns, side, tried, found)

    def match_windows(
        self,
        tops: cython.int[::1],
        lefts: cython.int[::1],
        size: cython.int,
        offsets: cython.int[:, ::1],
        vectors: cython.short[:, :, ::1],
    ) -> cython.void:
        """Try every offset for every window."""
        for row in range(tops.shape[0]):
            for column in range(lefts.shape[0]):
                self.set_window(tops[row], lefts[column], size)
                best: cython.int = NO_BOUND
                for k in range(offsets.shape[0]):
                    error = self.squared_error(4 * offsets[k, 0], 4 * offsets[k, 1], best)
                    if error < best:
                        best = error
                        vectors[row, column, 0] = 4 * offsets[k, 0]
                        vectors[row, column, 1] = 4 * offsets[k, 1]
                        if error == 0:
                            break


def shrink(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Means of 4 × 4 samples, uint8 (rows / 4, columns / 4); what is left over at right and bottom is dropped."""
    small = np.empty((plane.shape[0] // 4, plane.shape[1] // 4), np.uint8)
    target: cython.uchar[:, ::1] = memoryview(small)
    source: cython.uchar[:, ::1] = memoryview(np.ascontiguousarray(plane))
    with cython.nogil:
        fill_shrunk(source, target)
    return small


def fill_shrunk(source: cython.uchar[:, ::1], target: cython.uchar[:, ::1]) -> cython.void:
    """The loops of `shrink`."""
    for row in range(target.shape[0]):
        for column in range(target.shape[1]):
            total: cython.int = 8
            for j in range(4):
                for i in range(4):
                    total += source[4 * row + j, 4 * column + i]
            target[row, column] = total >> 4
