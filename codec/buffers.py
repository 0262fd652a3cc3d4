"""Buffers of kernels: memoryviews, whose elements are plain numbers also where nothing is compiled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["table", "zeros"]


def zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> memoryview:
    """A new buffer of zeros."""
    return np.zeros(shape, dtype).data


def table(values: npt.ArrayLike, dtype: npt.DTypeLike = np.int32) -> memoryview:
    """A copy of values in the type that a kernel declares, C-contiguous."""
    return np.array(values, dtype, order="C").data
