"""The planes that ``lossless`` predicts a sample from (spec 9.2): the one that is coded, and those before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cython
import numpy as np

from codec.depths import SAMPLE_BITS, Sample, Tapped
from codec.lossless import tables
from codec.picture.planes import sample_type
from codec.vectors import LANES

__all__ = ["TapPlanes", "flat"]

if TYPE_CHECKING:
    from codec.coded import Residuals
    from codec.picture.planes import Plane

TOP: cython.int = tables.MARGIN_ROWS
LEFT: cython.int = tables.MARGIN_COLUMNS


@cython.cclass
class TapPlanes:
    """The planes that taps look into, one behind the other in a flat array, each with a margin.

    They are the current plane, its predictions, the residuals + ``middle`` of planes before it, and if there are any,
    ``middle``. Samples of 8 bits are what they are; of more bits they are less half of their range, to fit 16 bits.

    Attributes:
        rows, columns: of a plane.
        stride: samples from one row to the next.
        size: samples from one plane to the next.
        origin: where the first sample of the current plane lies.
        references: how many predictions there are.
        residuals: how many residuals there are.
        half: of the range of samples: 128 of 8 bits.
        low: what the least sample is here, 0 or −half.
    """

    samples: Tapped[::1]
    rows: cython.Py_ssize_t
    columns: cython.Py_ssize_t
    stride: cython.Py_ssize_t
    size: cython.Py_ssize_t
    origin: cython.Py_ssize_t
    references: cython.int
    residuals: cython.int
    half: cython.int
    low: cython.int
    newer: cython.const[Sample[::1]]
    older: cython.const[Sample[::1]]
    green: cython.const[Tapped[::1]]  # residuals + middle
    red: cython.const[Tapped[::1]]

    def __init__(
        self, shape: tuple[int, int], predictions: Sequence[Plane], residuals: Sequence[Residuals], bit_depth: int
    ) -> None:
        """``predictions``: of the newest picture, then the older one; ``residuals``: of planes before, as they come."""
        self.rows, self.columns = shape
        self.stride = (self.columns + LANES - 1) // LANES * LANES + 2 * LEFT
        self.size = (self.rows + 2 * TOP) * self.stride
        self.origin = TOP * self.stride + LEFT
        self.references, self.residuals = len(predictions), len(residuals)
        planes = 1 + self.references + self.residuals + (self.residuals > 0)
        self.half = 1 << (bit_depth - 1)
        self.low = 0 if bit_depth == 8 else -self.half
        tapped = np.uint8 if bit_depth == 8 else np.int16
        self.samples = memoryview(np.empty(planes * self.size, tapped))
        nothing = np.zeros(1, sample_type(bit_depth))
        self.newer, self.older = map(flat, (*predictions, nothing, nothing)[:2])
        nothing = np.zeros(1, tapped)
        self.green, self.red = map(flat, (*residuals, nothing, nothing)[:2])

    def shape(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        return self.rows, self.columns

    def layout(self) -> tuple[int, int, int, int]:
        """What the functions of `codec.lossless.tables` take of these planes."""
        return self.references, self.residuals, self.size, self.stride

    def middle(self) -> cython.int:
        """What the middle of the range is here: 128, or of more bits 0."""
        return 128 if SAMPLE_BITS == 8 else self.low + self.half

    def is_deep(self) -> cython.bint:
        """Whether samples have more than 8 bits."""
        return SAMPLE_BITS != 8 and self.half > 128

    def log2_one(self) -> cython.int:
        """Of the unit that weights are in: 1/256, of more than 8 bits 1/1024."""
        return tables.LOG2_ONE_DEEP if self.is_deep() else tables.LOG2_ONE

    def set_source(self, source: Plane) -> None:
        """Fill all planes, of which the current one has samples that are to be encoded."""
        view: cython.const[Sample[::1]] = flat(source)
        with cython.nogil:
            self.fill()
            self.put_inside(view, 0)

    def fill(self) -> cython.void:
        """Fill all planes but the current one, of which only the margin has to be there.

        Beyond its edges a prediction goes on with its outermost samples; the current plane is there what the newest
        prediction is, or ``middle`` without one. Into residuals no tap looks but at the sample's own place.
        """
        if self.references == 0:
            self.fill_plane(0)
        else:
            self.put_extended(self.newer, 0)
            self.put_extended(self.newer, 1)
        if self.references > 1:
            self.put_extended(self.older, 2)
        if self.residuals > 0:
            self.put_residuals(self.green, 1 + self.references)
            self.fill_plane(1 + self.references + self.residuals)
        if self.residuals > 1:
            self.put_residuals(self.red, 2 + self.references)

    def fill_plane(self, number: cython.int) -> cython.void:
        """``middle`` everywhere."""
        samples, middle = self.samples, self.middle()
        for place in range(number * self.size, (number + 1) * self.size):
            samples[place] = middle

    def put_inside(self, plane: cython.const[Sample[::1]], number: cython.int) -> cython.void:
        """Copy a plane to where its margin ends."""
        samples, columns, low = self.samples, self.columns, 0 if SAMPLE_BITS == 8 else self.low
        for y in range(self.rows):
            first, source = number * self.size + self.origin + y * self.stride, y * columns
            for x in range(columns):
                samples[first + x] = plane[source + x] + low

    def put_residuals(self, plane: cython.const[Tapped[::1]], number: cython.int) -> cython.void:
        """The same of residuals."""
        samples, columns = self.samples, self.columns
        for y in range(self.rows):
            first, source = number * self.size + self.origin + y * self.stride, y * columns
            for x in range(columns):
                samples[first + x] = plane[source + x]

    def take_row(self, y: cython.Py_ssize_t, plane: Sample[::1]) -> cython.void:
        """Copy a row of the current plane into a plane."""
        samples, columns, low = self.samples, self.columns, 0 if SAMPLE_BITS == 8 else self.low
        first, target = self.origin + y * self.stride, y * columns
        for x in range(columns):
            plane[target + x] = samples[first + x] - low

    def put_extended(self, plane: cython.const[Sample[::1]], number: cython.int) -> cython.void:
        """Copy a plane, and repeat its outermost samples all around."""
        self.put_inside(plane, number)
        top = number * self.size + TOP * self.stride
        for y in range(self.rows):
            start, end = top + y * self.stride, top + (y + 1) * self.stride
            for x in range(start, start + LEFT):
                self.samples[x] = self.samples[start + LEFT]
            for x in range(start + LEFT + self.columns, end):
                self.samples[x] = self.samples[start + LEFT + self.columns - 1]
        below = top + self.rows * self.stride
        for y in range(TOP):
            self.repeat_row(top, top - (y + 1) * self.stride)
            self.repeat_row(below - self.stride, below + y * self.stride)

    def repeat_row(self, source: cython.Py_ssize_t, target: cython.Py_ssize_t) -> cython.void:
        """Copy a row, with its margins."""
        samples = self.samples
        for x in range(self.stride):
            samples[target + x] = samples[source + x]


def flat(plane: Plane | Residuals) -> memoryview:
    """All samples of a plane as a view, of a copy where they are not contiguous."""
    return memoryview(np.ascontiguousarray(plane).reshape(-1))
