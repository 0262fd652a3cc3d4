"""The planes of the picture that is decoded, and of the reference (spec 10.11)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import zeros
from codec.dct import tables

__all__ = ["Plane"]

BORDER: cython.int = tables.BORDER


@cython.cclass
class Plane:
    """One plane: what is decoded, made up to whole units of 8×8 luma samples, and the reference with a border."""

    number: cython.int
    log2_y: cython.int  # of the subsampling
    log2_x: cython.int
    height: cython.int  # of the picture
    width: cython.int
    stride: cython.int  # of `samples`
    samples: cython.uchar[:, ::1]
    flat: cython.uchar[::1]  # the same memory
    second: cython.uchar[:, ::1]  # another prediction, to be mixed in
    prediction: cython.uchar[:, ::1]  # what levels were added to, if traced
    reference: cython.uchar[:, ::1]

    def __init__(self, number, rows, columns, height, width, log2_y, log2_x, traced=False):
        """``rows`` and ``columns`` count units; ``height`` and ``width`` are the plane's, in its own samples."""
        self.number, self.log2_y, self.log2_x, self.height, self.width = number, log2_y, log2_x, height, width
        whole = 8 * rows >> log2_y, 8 * columns >> log2_x
        self.stride = whole[1]
        self.samples, self.second = zeros(whole, np.uint8), zeros(whole, np.uint8)
        self.prediction = zeros(whole if traced else (1, 1), np.uint8)
        self.flat = memoryview(np.asarray(self.samples).reshape(-1))
        self.reference = zeros((height + 2 * tables.BORDER, width + 2 * tables.BORDER), np.uint8)

    def picture(self):
        """A copy of the decoded samples, uint8 (height, width)."""
        border = tables.BORDER
        return np.asarray(self.reference)[border : border + self.height, border : border + self.width].copy()

    def predicted(self):
        """A copy of what the samples were predicted as, uint8 (height, width); only of a traced plane."""
        return np.asarray(self.prediction)[: self.height, : self.width].copy()

    def keep_prediction(self, y: cython.int, x: cython.int, height: cython.int, width: cython.int) -> cython.void:
        """Note the samples of a rectangle before levels are added."""
        for j in range(y, y + height):
            for i in range(x, x + width):
                self.prediction[j, i] = self.samples[j, i]

    def publish(self) -> cython.void:
        """Make what is decoded the reference: cut to the picture's size, with its outermost samples going on."""
        samples, reference, height, width, border = self.samples, self.reference, self.height, self.width, BORDER
        for row in range(height + 2 * border):
            y = max(0, min(row - border, height - 1))
            for x in range(width):
                reference[row, border + x] = samples[y, x]
            first, last = samples[y, 0], samples[y, width - 1]
            for x in range(border):
                reference[row, x] = first
                reference[row, border + width + x] = last
