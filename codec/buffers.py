"""Buffers of kernels: memoryviews, whose elements are plain numbers also where nothing is compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["plane_of_zeros", "table", "zeros"]


def zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> memoryview:
    """A new buffer of zeros."""
    return np.zeros(shape, dtype).data


def plane_of_zeros(shape: tuple[int, int], bit_depth: int) -> memoryview:
    """A new buffer of samples of so many bits, uint8 or uint16."""
    return zeros(shape, np.uint8 if bit_depth == 8 else np.uint16)


def table(values: npt.ArrayLike, dtype: npt.DTypeLike = np.int32) -> memoryview:
    """A copy of values in the type that a kernel declares, C-contiguous."""
    return np.array(values, dtype, order="C").data
