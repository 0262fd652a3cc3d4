"""The planes of the picture that is decoded, and of the reference (spec 10.9, 10.11)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import zeros
from codec.dct.references import SAMPLE_SLOTS, weighted
from codec.depths import Sample
from codec.motion.compensation import ReferencePlane
from codec.motion.tables import BORDER, EIGHTH_TAPS, SIXTEENTH_TAPS
from codec.picture.planes import sample_type
from codec.vectors import copy_row, mix_row

__all__ = ["Plane"]


@cython.cclass
class Plane:
    """One plane: what is decoded, made up to whole units of 8×8 luma samples, and the reference."""

    number: cython.int
    log2_y: cython.int  # of the subsampling
    log2_x: cython.int
    height: cython.int  # of the picture
    width: cython.int
    stride: cython.int  # of `samples`
    bit_depth: cython.int
    samples: Sample[:, ::1]
    flat: Sample[::1]  # the same memory
    second: Sample[:, ::1]  # another prediction, to be mixed in
    prediction: Sample[:, ::1]  # what levels were added to, if traced
    reference: ReferencePlane

    def __init__(self, number, rows, columns, height, width, log2_y, log2_x, bit_depth=8, traced=False):
        """``rows`` and ``columns`` count units; ``height`` and ``width`` are the plane's, in its own samples."""
        self.number, self.log2_y, self.log2_x, self.height, self.width = number, log2_y, log2_x, height, width
        whole = 8 * rows >> log2_y, 8 * columns >> log2_x
        self.stride = whole[1]
        self.bit_depth = bit_depth
        self.samples, self.second = zeros(whole, sample_type(bit_depth)), zeros(whole, sample_type(bit_depth))
        self.prediction = zeros(whole if traced else (1, 1), sample_type(bit_depth))
        self.flat = memoryview(np.asarray(self.samples).reshape(-1))
        taps = EIGHTH_TAPS if log2_y or log2_x else SIXTEENTH_TAPS
        self.reference = ReferencePlane((height, width), (log2_y, log2_x), taps, bit_depth, SAMPLE_SLOTS)

    def picture(self):
        """A copy of the decoded samples, (height, width)."""
        samples = np.asarray(self.reference.samples)[self.reference.top :]
        return samples[BORDER : BORDER + self.height, BORDER : BORDER + self.width].copy()

    def weigh(self, slot, target, scale, offset):
        """Put a reference into another slot, weighted (spec 10.17)."""
        self.reference.select(slot)
        samples: Sample[:, ::1] = memoryview(weighted(self.picture(), scale, offset, self.bit_depth))
        self.reference.select(target)
        self.reference.fill(samples)

    def predicted(self):
        """A copy of what the samples were predicted as, (height, width); only of a traced plane."""
        return np.asarray(self.prediction)[: self.height, : self.width].copy()

    def keep_prediction(self, y: cython.int, x: cython.int, height: cython.int, width: cython.int) -> cython.void:
        """Note the samples of a rectangle before levels are added."""
        for j in range(y, y + height):
            for i in range(x, x + width):
                self.prediction[j, i] = self.samples[j, i]

    def copy_from(
        self, y: cython.int, x: cython.int, dy: cython.int, dx: cython.int, height: cython.int, width: cython.int
    ) -> cython.void:
        """Predict a rectangle by the one that lies (dy, dx) from it in the same picture."""
        for j in range(y, y + height):
            copy_row(self.samples, j, x, self.samples, j + dy, x + dx, width)

    def publish(self) -> cython.void:
        """Make what is decoded the reference."""
        self.reference.fill(self.samples)

    def overlap(
        self, y: cython.int, x: cython.int, height: cython.int, width: cython.int, from_left: cython.bint
    ) -> cython.void:
        """OBMC: mix the second prediction into a rectangle of luma samples.

        It counts half at the rectangle's left or upper edge, and nothing at the other.
        """
        top, left, height, width = y >> self.log2_y, x >> self.log2_x, height >> self.log2_y, width >> self.log2_x
        mix_from_edge(self.samples, self.second, top, left, height, width, from_left)


def mix_from_edge(
    samples: Sample[:, ::1],
    second: Sample[:, ::1],
    top: cython.int,
    left: cython.int,
    height: cython.int,
    width: cython.int,
    from_left: cython.bint,
) -> cython.void:
    """Two predictions of a rectangle: half of each at its left or upper edge, only the first at the other."""
    reach = width if from_left else height
    shift: cython.int = 2
    while 1 << shift < 4 * reach:
        shift += 1
    for j in range(height):
        first = 2 * reach - 1 - (0 if from_left else 2 * j)
        if width < 4:
            for i in range(width):
                sample: cython.int = samples[top + j, left + i]
                share = first - 2 * i if from_left else first
                change: cython.int = (share * (second[top + j, left + i] - sample) + 2 * reach) >> shift
                samples[top + j, left + i] = sample + change
        for i in range(0, width & ~3, 8):
            share = first - 2 * i if from_left else first
            mix_row(samples, top + j, left + i, second, share, 2 * from_left, shift, min(width - i, 8))
