"""Encoder only: a reference plane at all its full, half or quarter samples, of which a search looks at most."""

from __future__ import annotations

import cython
import numpy as np

from codec.depths import Sample
from codec.motion import tables
from codec.motion.compensation import ReferencePlane
from codec.vectors import clip, copy_row

__all__ = ["InterpolatedPlanes"]

BORDER: cython.int = tables.BORDER
BEFORE: cython.int = tables.BEFORE
BEHIND: cython.int = tables.BEHIND
SEEN: cython.int = 8  # so far from the picture, taps see nothing but its outermost samples


@cython.cclass
class InterpolatedPlanes:
    """Planes with a border, one below the other: by slot, row and column, in 1/``per_sample`` of a sample."""

    reference: ReferencePlane
    log2: cython.int  # of the places of each sample: 0 for full samples, 1 for halves, 2 for quarters
    rows: cython.int  # of each plane
    stride: cython.Py_ssize_t
    samples: Sample[:, ::1]
    flat: Sample[::1]  # the same memory

    def __init__(self, reference: ReferencePlane, per_sample: int, slots: int = 1) -> None:
        """``reference`` is not subsampled; ``per_sample`` is 1, 2 or 4."""
        self.reference, self.log2 = reference, per_sample >> 1
        self.rows, self.stride = reference.height + 2 * BORDER, reference.width + 2 * BORDER
        shape = slots * per_sample * per_sample * self.rows, self.stride
        self.samples = memoryview(np.empty(shape, np.asarray(reference.samples).dtype))
        self.flat = memoryview(np.asarray(self.samples).reshape(-1))
        if per_sample == 4:
            reference.quarters = self.samples
        with cython.nogil:
            self.fill()

    def fill(self) -> cython.void:
        """Interpolate the slot that is looked at, and let the reference know all quarter samples."""
        self.reference.quarter_rows = 0
        for phase in range(1 << (2 * self.log2)):
            self.fill_plane(phase, (self.reference.slot << (2 * self.log2)) + phase)
        if self.log2 == 2:
            self.reference.quarter_rows = self.rows

    def fill_plane(self, phase: cython.int, number: cython.int) -> cython.void:
        """One of the planes: blocks of what taps see, and its outermost samples around them."""
        samples, height, width, step = self.samples, self.reference.height, self.reference.width, 16 >> self.log2
        down, right = step * (phase >> self.log2), step * (phase & ((1 << self.log2) - 1))
        first = number * self.rows + BORDER
        for block_y in range(-SEEN, height + SEEN, 32):
            for block_x in range(-SEEN, width + SEEN, 32):
                y, x = min(block_y, height + SEEN - 32), min(block_x, width + SEEN - 32)
                self.reference.put(samples, first + y, BORDER + x, 16 * y + down, 16 * x + right, 32, 32, False)
        for row in range(first - SEEN, first + height + SEEN):
            for column in range(BORDER - SEEN):
                samples[row, column] = samples[row, BORDER - SEEN]
                samples[row, BORDER + width + SEEN + column] = samples[row, BORDER + width + SEEN - 1]
        for row in range(BORDER - SEEN):
            copy_row(samples, first - BORDER + row, 0, samples, first - SEEN, 0, width + 2 * BORDER)
            copy_row(samples, first + height + SEEN + row, 0, samples, first + height + SEEN - 1, 0, width + 2 * BORDER)

    def row(self, y: cython.int, phase: cython.int) -> cython.int:
        """The row of (y, …) in a plane; what begins further out is the same from wherever."""
        return phase * self.rows + clip(y, -BEFORE, self.reference.height + BEHIND) + BORDER

    def column(self, x: cython.int) -> cython.int:
        """The column of (…, x)."""
        return clip(x, -BEFORE, self.reference.width + BEHIND) + BORDER

    def place(self, y: cython.int, x: cython.int, dy: cython.int, dx: cython.int) -> cython.Py_ssize_t:
        """Where in `flat` the sample (y, x) lies, moved by a vector in these planes' unit."""
        log2, last = self.log2, (1 << self.log2) - 1
        row = self.row(y + (dy >> log2), ((dy & last) << log2) + (dx & last))
        return row * self.stride + self.column(x + (dx >> log2))

    def quarter_places(
        self, y: cython.int, x: cython.int, dy: cython.int, dx: cython.int
    ) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
        """Where the two half samples lie that (y, x) moved by a vector is the mean of (spec 7.5); not of quarters."""
        place = self.place(y + (dy >> 2), x + (dx >> 2), 0, 0)
        if not (dy | dx) & 3:
            return place, place
        half_y, half_x, odd_y, odd_x = dy >> 1 & 1, dx >> 1 & 1, dy & 1, dx & 1
        turned = odd_y & odd_x & ~(half_y + half_x)
        first = place + self.offset(half_y, half_x + turned)
        return first, place + self.offset(half_y + odd_y, half_x + (odd_x ^ turned))

    def offset(self, down: cython.int, right: cython.int) -> cython.Py_ssize_t:
        """How far behind its full sample a half sample lies, of 0…2 halves."""
        plane: cython.Py_ssize_t = 2 * (down & 1) + (right & 1)
        return (plane * self.rows + (down >> 1)) * self.stride + (right >> 1)
