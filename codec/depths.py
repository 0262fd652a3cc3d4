"""Kernels for samples of 8 bits and of more, from one source: the names of what differs between the two.

A kernel that imports one of these names is compiled twice, as `kernel_build.py` says: as ``codec.residual``, say, for
8 bits, and as ``codec.residual_16`` for 9…16. Uncompiled, the module itself is there for both.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

__all__ = ["SAMPLE_BITS", "Difference", "Energy", "Input", "Sample", "Tapped", "for_depth"]

Sample: Any = None
"""Of a plane: uint8 or uint16."""
Tapped: Any = None
"""Of a plane that taps look into: uint8, or int16, where a sample is less half of its range, so that it fits."""
Difference: Any = None
"""Of two samples, or more: int16 or int32."""
Energy: Any = None
"""Sum of squares of differences of samples of a block or a row: int32 or int64."""
Input: Any = None
"""A difference of two samples that weights are fitted to: int16 or float32."""

SAMPLE_BITS = 16
"""8 in kernels that are compiled for 8 bits, where compilers can leave out what only more bits need."""


def for_depth(module: ModuleType, bit_depth: int) -> ModuleType:
    """The kernel that takes samples of so many bits, of one that is compiled twice."""
    is_python = (module.__file__ or "").endswith(".py")
    return module if bit_depth == 8 or is_python else importlib.import_module(module.__name__ + "_16")
