"""Levels to samples: scaling and the inverse transform (spec 8.6.8)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dct.tables import SCANS, TRANSFORM
from codec.kernels import Integer, inner_kernel
from codec.vector_kernels import address
from codec.vector_transforms import add_product, integer_product

__all__ = ["add_levels"]


@inner_kernel
def add_levels(
    positions: npt.NDArray[np.uint16],
    levels: npt.NDArray[np.int16],
    first: Integer,
    count: Integer,
    log2: Integer,
    scale: Integer,
    scratch: npt.NDArray[np.int32],
    target: Integer,
    stride: Integer,
) -> None:
    """Add the residual of ``count`` levels to a block of samples at the address ``target``.

    ``scratch`` is int32 (2, 32, 32); the first half is zero before and after.
    """
    bottom: Integer = 0
    right: Integer = 0
    for k in range(first, first + count):
        place = np.int64(SCANS[log2 - 2, positions[k]])
        row, column = place >> 5, place & 31
        scratch[0, row, column] = min(max(np.int64(levels[k]) * scale, -32768), 32767)
        bottom, right = max(bottom, row), max(right, column)
    coefficients = address(scratch)
    halfway = coefficients + 4096
    basis = address(TRANSFORM) + 4096 * (log2 - 2)
    # down, only the columns and as deep as there are coefficients; then across
    integer_product(right + 1, basis, coefficients, bottom + 1, halfway, 1 << log2, 7)
    add_product(1 << log2, halfway, basis, right + 1, target, stride, 7 + log2)
    for k in range(first, first + count):
        place = np.int64(SCANS[log2 - 2, positions[k]])
        scratch[0, place >> 5, place & 31] = 0
