"""From the levels of a transform block to its residual (spec 10.10)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.syntax import Levels
from codec.depths import SAMPLE_BITS, Sample
from codec.vectors import clip

__all__ = ["InverseTransform"]

HALF_LIMIT: cython.int = 1 << 19  # of what is transformed down: so sums across fit 32 bits


@cython.cclass
class InverseTransform:
    """Makes residuals of levels, and adds them to a prediction."""

    scans: cython.int[:, ::1]  # 32 · row + column, by log2 of the side − 2
    basis: cython.int[:, :, ::1]  # by 4 · transform kind + log2 of the side − 2, a basis function a row
    half: cython.int[:, ::1]  # columns that are transformed, each a row
    residual: cython.int[:, ::1]
    bit_depth: cython.int

    def __init__(self, bit_depth=8):
        self.bit_depth = bit_depth
        self.scans, self.basis = table(tables.SCANS), table(tables.TRANSFORM.reshape(8, 32, 32))
        self.half, self.residual = zeros((32, 32), np.int32), zeros((32, 32), np.int32)

    def add(
        self,
        levels: Levels,
        scale: cython.int,
        log2: cython.int,
        kind: cython.int,
        samples: Sample[:, ::1],
        top: cython.int,
        left: cython.int,
    ) -> cython.void:
        """Add the residual of a block of 2 ** log2 × 2 ** log2 samples to them; ``kind`` is that of the transform."""
        if kind == tables.NO_TRANSFORM:
            self.add_levels(levels, scale, log2, samples, top, left)
            return
        columns: cython.int = 0
        for n in range(levels.count):
            columns = max(columns, (self.scans[log2 - 2, levels.position[n]] & 31) + 1)
        columns = (columns + 3) & ~3  # the rest are zeros
        self.transform_down(levels, scale, log2, kind, columns, self.half, self.basis)
        transform_across(self.half, self.basis, self.residual, log2, kind, columns)
        add_residual(self.residual, samples, top, left, log2, (1 << self.depth()) - 1)

    def add_levels(
        self,
        levels: Levels,
        scale: cython.int,
        log2: cython.int,
        samples: Sample[:, ::1],
        top: cython.int,
        left: cython.int,
    ) -> cython.void:
        """Add levels that are differences of samples, not of frequencies."""
        most, peak = 1 << (7 + self.depth()), (1 << self.depth()) - 1
        for n in range(levels.count):
            place = self.scans[log2 - 2, levels.position[n]]
            y, x = top + (place >> 5), left + (place & 31)
            difference = (clip(levels.level[n] * scale, -most, most - 1) + 2) >> 2
            samples[y, x] = clip(samples[y, x] + difference, 0, peak)

    def depth(self) -> cython.int:
        """Bits a sample."""
        return 8 if SAMPLE_BITS == 8 else self.bit_depth

    def transform_down(
        self,
        levels: Levels,
        scale: cython.int,
        log2: cython.int,
        kind: cython.int,
        columns: cython.int,
        half: cython.int[:, ::1],
        basis: cython.int[:, :, ::1],
    ) -> cython.void:
        """The columns that have levels: a basis function for each level."""
        side, size, most = 1 << log2, 4 * kind + log2 - 2, 1 << (7 + self.depth())
        for column in range(columns):
            for i in range(side):
                half[column, i] = 64
        for n in range(levels.count):
            place = self.scans[log2 - 2, levels.position[n]]
            column, row = place & 31, place >> 5
            coefficient = clip(levels.level[n] * scale, -most, most - 1)
            for i in range(side):
                half[column, i] += coefficient * basis[size, row, i]
        for column in range(columns):
            for i in range(side):
                half[column, i] >>= 7
                if SAMPLE_BITS > 8:  # of 8 bits none is as large
                    half[column, i] = clip(half[column, i], -HALF_LIMIT, HALF_LIMIT)


def transform_across(
    half: cython.int[:, ::1],
    basis: cython.int[:, :, ::1],
    residual: cython.int[:, ::1],
    log2: cython.int,
    kind: cython.int,
    columns: cython.int,
) -> cython.void:
    """All rows, four basis functions at a time."""
    side, size, rounding = 1 << log2, 4 * kind + log2 - 2, 64 << log2
    for i in range(side):
        for j in range(side):
            residual[i, j] = rounding
    for column in range(0, columns, 4):
        for i in range(side):
            a, b, c, d = half[column, i], half[column + 1, i], half[column + 2, i], half[column + 3, i]
            for j in range(side):
                residual[i, j] += (
                    a * basis[size, column, j]
                    + b * basis[size, column + 1, j]
                    + c * basis[size, column + 2, j]
                    + d * basis[size, column + 3, j]
                )


def add_residual(
    residual: cython.int[:, ::1],
    samples: Sample[:, ::1],
    top: cython.int,
    left: cython.int,
    log2: cython.int,
    peak: cython.int,
) -> cython.void:
    """Round, add and clip."""
    side, shift = 1 << log2, 7 + log2
    for i in range(side):
        for j in range(side):
            samples[top + i, left + j] = clip(samples[top + i, left + j] + (residual[i, j] >> shift), 0, peak)
