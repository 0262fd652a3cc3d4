"""How this package compiles its kernels: numba, without the interpreter lock, kept in a cache on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

from numba import njit

__all__ = ["Integer", "kernel"]

Integer: TypeAlias = Any  # a whole number in a kernel, whose width numba infers

_F = TypeVar("_F", bound=Callable[..., Any])


def kernel(function: _F) -> _F:
    """Compile ``function`` on its first call, and keep the machine code for the next process.

    Numba refuses at decoration where neither the package's folder nor the user's cache folder can be
    written; such a process compiles for itself alone.
    """
    compiled: Any
    try:
        compiled = njit(nogil=True, cache=True)(function)
    except RuntimeError:
        compiled = njit(nogil=True)(function)
    return cast(_F, compiled)
