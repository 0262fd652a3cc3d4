"""How this package compiles its kernels: numba, without the interpreter lock, kept in a cache on disk."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar, cast

from numba import njit

__all__ = ["Integer", "Real", "inner_kernel", "kernel", "stage", "when_compiling"]

Integer: TypeAlias = Any  # a whole number in a kernel, whose width numba infers
Real: TypeAlias = Any  # a number with a fraction, likewise

_F = TypeVar("_F", bound=Callable[..., Any])


@contextmanager
def when_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` when the first kernel is compiled in the ``with`` block; kernels from the cache are not."""
    from numba.core import event

    class Listener(event.Listener):
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told:
                self.told = True
                tell()

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield


def kernel(function: _F) -> _F:
    """Compile ``function`` on its first call, and keep the machine code for the next process.

    Numba refuses at decoration where neither the package's folder nor the user's cache folder can be
    written; such a process compiles for itself alone.
    """
    return _compiled(function)


def inner_kernel(function: _F) -> _F:
    """The same for a function that only other kernels call: without the way in from Python, which takes as long."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def stage(function: Callable[..., float]) -> Callable[[], int]:
    """Compile a function of int64 numbers to float64 on its own; what comes back tells its address.

    A kernel is compiled again with every kernel that calls it, and with those that call these: a search of eight
    levels took 150 s so. A stage is called by address, and compiled once.
    """
    from numba import cfunc, float64, int64

    numbers = function.__code__.co_argcount

    @functools.cache
    def compiled_address() -> int:
        signature = float64(*(int64,) * numbers)
        try:
            compiled = cfunc(signature, cache=True)(function)
        except RuntimeError:
            compiled = cfunc(signature)(function)
        address: Any = compiled.address
        return int(address)

    return compiled_address


def _compiled(function: _F, **options: bool) -> _F:
    compile_: Any = njit
    try:
        compiled = compile_(nogil=True, cache=True, **options)(function)
    except RuntimeError:
        compiled = compile_(nogil=True, **options)(function)
    return cast(_F, compiled)
