"""How this package compiles its kernels: numba, without the interpreter lock, kept in a cache on disk."""

from __future__ import annotations

import functools
import pickle
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias, TypeVar, cast

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache

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

    Where it cannot be kept, or what was kept is damaged, a process compiles for itself alone.
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
    from numba import float64, int64
    from numba.core.ccallback import CFunc

    numbers = function.__code__.co_argcount

    @functools.cache
    def compiled_address() -> int:
        callback: Any = _with_cache(CFunc(function, ((int64,) * numbers, float64), {}, {}), function)
        callback.compile()
        return int(callback.address)

    return compiled_address


def _compiled(function: _F, **options: bool) -> _F:
    compile_: Any = njit
    return cast(_F, _with_cache(compile_(nogil=True, **options)(function), function))


def _with_cache(compiled: Any, function: Callable[..., Any]) -> Any:
    """Let numba keep what it compiles of ``function``, where any folder can be written."""
    if hasattr(compiled, "_cache"):  # not where NUMBA_DISABLE_JIT is set
        with suppress(RuntimeError):
            compiled._cache = _Cache(function)
    return compiled


_ResultCache: Any = CompileResultCacheImpl
_FunctionCache: Any = FunctionCache


class _Checksummed(_ResultCache):  # type: ignore[misc]
    """Machine code with its CRC-32, as running damaged code would crash."""

    def reduce(self, result: Any) -> tuple[int, bytes]:
        data = pickle.dumps(super().reduce(result))
        return zlib.crc32(data), data

    def rebuild(self, target_context: Any, payload: tuple[int, bytes]) -> Any:
        checksum, data = payload
        if zlib.crc32(data) != checksum:
            raise ValueError("a kernel in the cache is damaged")
        return super().rebuild(target_context, pickle.loads(data))


class _Cache(_FunctionCache):  # type: ignore[misc]
    """A cache that never fails: what is damaged is compiled again, and what the disk has no room for is not kept."""

    _impl_class = _Checksummed

    @contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception:  # whatever unpickling damaged bytes may raise
            with suppress(Exception):
                self.flush()
