"""The mean of two predictions, from a picture before and one after, along the motion that is left (spec 10.9)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import zeros
from codec.depths import SAMPLE_BITS, Sample
from codec.vectors import clip

__all__ = ["OpticalFlow"]

LEAST: cython.int = 4096  # added to sums of squares of slopes: where they are no more, a flow is noise
MOST: cython.int = 16  # of a flow: half a sample


@cython.cclass
class OpticalFlow:
    """Squares of 4×4 samples move a little further than their block, in both pictures by as much.

    Their motion v makes Σ (b − a − v · (∇a + ∇b))² of the two predictions a and b least, over the square and the two
    samples around it. VVC has the same as BDOF.
    """

    bit_depth: cython.int
    change: cython.short[:, ::1]  # b − a
    down: cython.short[:, ::1]  # 2 (∇a + ∇b)
    across: cython.short[:, ::1]
    down_apart: cython.short[:, ::1]  # 2 (∇b − ∇a)
    across_apart: cython.short[:, ::1]
    sums: cython.int[:, :, ::1]  # of products, by two rows and a column
    of_columns: cython.int[:, ::1]
    flow: cython.int[:, :, ::1]  # v / 2 in 1/64, by four rows and a column

    def __init__(self, bit_depth: int) -> None:
        self.bit_depth = bit_depth
        self.change, self.down, self.across, self.down_apart, self.across_apart = (
            zeros((32, 32), np.int16) for _ in range(5)
        )
        self.of_columns = zeros((5, 32), np.int32)
        self.sums, self.flow = zeros((5, 16, 32), np.int32), zeros((2, 8, 32), np.int32)

    def average(
        self,
        first: Sample[:, ::1],
        second: Sample[:, ::1],
        y: cython.int,
        x: cython.int,
        rows: cython.int,
        columns: cython.int,
    ) -> cython.void:
        """Put the mean of two predictions of a rectangle into the ``first``."""
        over = 0 if SAMPLE_BITS == 8 else self.bit_depth - 8
        peak = 255 if SAMPLE_BITS == 8 else (1 << self.bit_depth) - 1
        put_changes(first, second, y, x, rows, columns, over, self.change)
        down, down_apart, across, across_apart = self.down, self.down_apart, self.across, self.across_apart
        last = columns - 1
        for j in range(rows):
            row, above, below = y + j, y + max(j - 1, 0), y + min(j + 1, rows - 1)
            put_slopes(first, second, above, x, below, x, over, down, down_apart, j, 0, columns)
            put_slopes(first, second, row, x, row, x + 1, over, across, across_apart, j, 0, 1)
            put_slopes(first, second, row, x, row, x + 2, over, across, across_apart, j, 1, columns - 2)
            put_slopes(first, second, row, x + last - 1, row, x + last, over, across, across_apart, j, last, 1)
        put_products(self.down, self.down, rows, columns, self.sums, 0)
        put_products(self.across, self.across, rows, columns, self.sums, 1)
        put_products(self.down, self.across, rows, columns, self.sums, 2)
        put_products(self.change, self.down, rows, columns, self.sums, 3)
        put_products(self.change, self.across, rows, columns, self.sums, 4)
        for top in range(0, rows, 4):
            add_pairs(self.sums, max(top - 2, 0) >> 1, min(top + 6, rows) >> 1, columns, self.of_columns)
            for left in range(0, columns, 4):
                self.find_flow(top, left, columns)
        mix(first, second, y, x, rows, columns, self.down_apart, self.across_apart, self.flow, peak)

    def find_flow(self, top: cython.int, left: cython.int, columns: cython.int) -> cython.void:
        """The motion of a square, by products of the columns around it."""
        start, end = max(left - 2, 0), min(left + 6, columns)
        vv: cython.longlong = self.sum(0, start, end) + LEAST
        uu: cython.longlong = self.sum(1, start, end) + LEAST
        vu: cython.longlong = self.sum(2, start, end)
        vt: cython.longlong = self.sum(3, start, end)
        ut: cython.longlong = self.sum(4, start, end)
        determinant = vv * uu - vu * vu
        dy, dx = quotient(uu * vt - vu * ut, determinant), quotient(vv * ut - vu * vt, determinant)
        for i in range(left, left + 4):
            self.flow[0, top >> 2, i], self.flow[1, top >> 2, i] = dy, dx

    def sum(self, product: cython.int, start: cython.int, end: cython.int) -> cython.int:
        """Of columns ``start``…``end`` − 1."""
        total: cython.int = 0
        for i in range(start, end):
            total += self.of_columns[product, i]
        return total


def add_pairs(
    sums: cython.int[:, :, ::1], first: cython.int, end: cython.int, columns: cython.int, target: cython.int[:, ::1]
) -> cython.void:
    """Sums of products over pairs of rows, by column."""
    for product in range(5):
        for i in range(columns):
            target[product, i] = sums[product, first, i]
        for pair in range(first + 1, end):
            for i in range(columns):
                target[product, i] += sums[product, pair, i]


def put_changes(
    first: Sample[:, ::1],
    second: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    rows: cython.int,
    columns: cython.int,
    over: cython.int,
    change: cython.short[:, ::1],
) -> cython.void:
    """Differences between the two predictions."""
    for j in range(rows):
        for i in range(columns):
            change[j, i] = (second[y + j, x + i] - first[y + j, x + i]) >> over


def put_slopes(
    first: Sample[:, ::1],
    second: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    y_after: cython.int,
    x_after: cython.int,
    over: cython.int,
    slopes: cython.short[:, ::1],
    apart: cython.short[:, ::1],
    row: cython.int,
    column: cython.int,
    count: cython.int,
) -> cython.void:
    """Differences between samples of a row and those after them: both predictions' sum, and how far apart they are."""
    for i in range(count):
        a: cython.int = first[y_after, x_after + i] - first[y, x + i]
        b: cython.int = second[y_after, x_after + i] - second[y, x + i]
        slopes[row, column + i], apart[row, column + i] = (a + b) >> over, b - a


def put_products(
    a: cython.short[:, ::1],
    b: cython.short[:, ::1],
    rows: cython.int,
    columns: cython.int,
    sums: cython.int[:, :, ::1],
    number: cython.int,
) -> cython.void:
    """Products of two rows each, summed by column."""
    for pair in range(rows >> 1):
        for i in range(columns):
            sums[number, pair, i] = a[2 * pair, i] * b[2 * pair, i] + a[2 * pair + 1, i] * b[2 * pair + 1, i]


def quotient(a: cython.longlong, b: cython.longlong) -> cython.int:
    """64 a / b, rounded to the nearest whole number, halves away from 0, and clipped."""
    magnitude: cython.int = cython.cast(cython.int, min((128 * abs(a) + b) // (2 * b), MOST))
    return magnitude if a > 0 else -magnitude


def mix(
    first: Sample[:, ::1],
    second: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    rows: cython.int,
    columns: cython.int,
    down_apart: cython.short[:, ::1],
    across_apart: cython.short[:, ::1],
    flow: cython.int[:, :, ::1],
    peak: cython.int,
) -> cython.void:
    """Put the mean into the ``first``, each prediction moved by the flow."""
    for j in range(rows):
        four = j >> 2
        for i in range(columns):
            moved: cython.int = down_apart[j, i] * flow[0, four, i] + across_apart[j, i] * flow[1, four, i] + 32
            first[y + j, x + i] = clip((first[y + j, x + i] + second[y + j, x + i] + 1 - (moved >> 6)) >> 1, 0, peak)
