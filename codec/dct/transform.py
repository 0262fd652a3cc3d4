"""From the levels of a transform block to its residual (spec 8.6.8)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.syntax import Levels


def clip(value: cython.int, low: cython.int, high: cython.int) -> cython.int:
    """The nearest number of low…high."""
    return low if value < low else high if value > high else value


@cython.cclass
class InverseTransform:
    """Makes residuals of levels, and adds them to a prediction."""

    scans: cython.int[:, ::1]  # 32 · row + column, by log2 of the side − 2
    basis: cython.int[:, :, ::1]  # by log2 of the side − 2, a basis function a row
    half: cython.int[:, ::1]  # columns that are transformed, each a row
    residual: cython.int[:, ::1]

    def __init__(self):
        self.scans, self.basis = table(tables.SCANS), table(tables.TRANSFORM)
        self.half, self.residual = zeros((32, 32), np.int32), zeros((32, 32), np.int32)

    def add(
        self,
        levels: Levels,
        scale: cython.int,
        log2: cython.int,
        samples: cython.uchar[:, ::1],
        top: cython.int,
        left: cython.int,
    ) -> cython.void:
        """Add the residual of a block of 2 ** log2 × 2 ** log2 samples to them."""
        side, size = 1 << log2, log2 - 2
        scans, basis, half, residual = self.scans, self.basis, self.half, self.residual
        columns: cython.int = 0
        for n in range(levels.count):
            columns = max(columns, (scans[size, levels.position[n]] & 31) + 1)
        columns = (columns + 3) & ~3  # the rest are zeros
        for column in range(columns):
            for i in range(side):
                half[column, i] = 64
        for n in range(levels.count):  # down: a basis function for each level
            place = scans[size, levels.position[n]]
            coefficient = clip(levels.level[n] * scale, -32768, 32767)
            for i in range(side):
                half[place & 31, i] += coefficient * basis[size, place >> 5, i]
        for column in range(columns):
            for i in range(side):
                half[column, i] >>= 7
        for i in range(side):  # across, four basis functions at a time
            for j in range(side):
                residual[i, j] = 64 << log2
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
        for i in range(side):
            for j in range(side):
                samples[top + i, left + j] = clip(samples[top + i, left + j] + (residual[i, j] >> (7 + log2)), 0, 255)
