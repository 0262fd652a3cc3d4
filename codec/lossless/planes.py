"""The planes that ``lossless`` predicts a sample from (spec 9.2): the one that is coded, and those before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cython
import numpy as np

from codec.lossless import tables
from codec.vectors import LANES, copy

__all__ = ["TapPlanes", "flat"]

if TYPE_CHECKING:
    from codec.picture.planes import Plane

TOP: cython.int = tables.MARGIN_ROWS
LEFT: cython.int = tables.MARGIN_COLUMNS


@cython.cclass
class TapPlanes:
    """The planes that taps look into, one behind the other in a flat array, each with a margin.

    They are the current plane, its predictions, the residuals + 128 of planes before it, and if there are any, 128.

    Attributes:
        rows, columns: of a plane.
        stride: samples from one row to the next.
        size: samples from one plane to the next.
        origin: where the first sample of the current plane lies.
        references: how many predictions there are.
        residuals: how many residuals there are.
    """

    samples: cython.uchar[::1]
    rows: cython.Py_ssize_t
    columns: cython.Py_ssize_t
    stride: cython.Py_ssize_t
    size: cython.Py_ssize_t
    origin: cython.Py_ssize_t
    references: cython.int
    residuals: cython.int
    newer: cython.const[cython.uchar[::1]]
    older: cython.const[cython.uchar[::1]]
    green: cython.const[cython.uchar[::1]]
    red: cython.const[cython.uchar[::1]]

    def __init__(self, shape: tuple[int, int], predictions: Sequence[Plane], residuals: Sequence[Plane]) -> None:
        """``predictions``: of the newest picture, then the older one; ``residuals``: of planes before, as they come."""
        self.rows, self.columns = shape
        self.stride = (self.columns + LANES - 1) // LANES * LANES + 2 * LEFT
        self.size = (self.rows + 2 * TOP) * self.stride
        self.origin = TOP * self.stride + LEFT
        self.references, self.residuals = len(predictions), len(residuals)
        planes = 1 + self.references + self.residuals + (self.residuals > 0)
        self.samples = memoryview(np.empty(planes * self.size, np.uint8))
        nothing = memoryview(b"\0")
        self.newer, self.older = (*map(flat, predictions), nothing, nothing)[:2]
        self.green, self.red = (*map(flat, residuals), nothing, nothing)[:2]

    def shape(self) -> tuple[int, int]:
        """Rows and columns of a plane."""
        return self.rows, self.columns

    def layout(self) -> tuple[int, int, int, int]:
        """What the functions of `codec.lossless.tables` take of these planes."""
        return self.references, self.residuals, self.size, self.stride

    def set_source(self, source: Plane) -> None:
        """Fill all planes, of which the current one has samples that are to be encoded."""
        view: cython.const[cython.uchar[::1]] = flat(source)
        with cython.nogil:
            self.fill()
            self.put_inside(view, 0)

    def fill(self) -> cython.void:
        """Fill all planes but the current one, of which only the margin has to be there.

        Beyond its edges a prediction goes on with its outermost samples; the current plane is there what the newest
        prediction is, or 128 without one. Into residuals no tap looks but at the sample's own place.
        """
        if self.references == 0:
            self.fill_plane(0)
        else:
            self.put_extended(self.newer, 0)
            self.put_extended(self.newer, 1)
        if self.references > 1:
            self.put_extended(self.older, 2)
        if self.residuals > 0:
            self.put_inside(self.green, 1 + self.references)
            self.fill_plane(1 + self.references + self.residuals)
        if self.residuals > 1:
            self.put_inside(self.red, 2 + self.references)

    def fill_plane(self, number: cython.int) -> cython.void:
        """128 everywhere."""
        samples = self.samples
        for place in range(number * self.size, (number + 1) * self.size):
            samples[place] = 128

    def put_inside(self, plane: cython.const[cython.uchar[::1]], number: cython.int) -> cython.void:
        """Copy a plane to where its margin ends."""
        first = number * self.size + self.origin
        for y in range(self.rows):
            copy(self.samples, first + y * self.stride, plane, y * self.columns, self.columns)

    def put_extended(self, plane: cython.const[cython.uchar[::1]], number: cython.int) -> cython.void:
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
            copy(self.samples, top - (y + 1) * self.stride, self.samples, top, self.stride)
            copy(self.samples, below + y * self.stride, self.samples, below - self.stride, self.stride)


def flat(plane: Plane) -> memoryview:
    """All samples of a plane as a view, of a copy where they are not contiguous."""
    return memoryview(np.ascontiguousarray(plane)).cast("B")
