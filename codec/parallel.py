"""Work in order on any executor, with a bound on what is under way, and how far it has come."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from types import NoneType
from typing import Generic, NamedTuple, TypeVar

from codec.arguments import expect_type
from codec.errors import CodecError, ConfigError

__all__ = ["OrderedWork", "Progress", "calls_ahead", "ordered_map", "result_of"]

_A = TypeVar("_A")
_R = TypeVar("_R")


class Progress(NamedTuple):
    """How far an encode or decode has come.

    ``picture_count`` is how many pictures there are, or None where that is not known.
    ``file_bytes`` are written or read so far.
    """

    pictures: int
    picture_count: int | None
    file_bytes: int


def calls_ahead(executor: Executor | None, workers: int | None = None) -> int:
    """How many calls may be under way before the result of the oldest is waited for: what bounds memory.

    Twice the workers, so that none is idle while the oldest call, whose result is next, takes longer than others.
    The pools of `concurrent.futures` tell how many they have; for any other executor say it, or a call for each
    processor here is assumed.

    Raises:
        ConfigError: ``executor`` is none, or ``workers`` is no whole number from 1.
    """
    expect_type(executor, (Executor, NoneType), "executor is one of concurrent.futures, such as ThreadPoolExecutor(4)")
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise ConfigError(f"workers is a whole number from 1, not {workers!r}")
    if executor is None:
        return 1
    return 2 * (workers or getattr(executor, "_max_workers", None) or os.cpu_count() or 1)


def result_of(future: Future[_R]) -> _R:
    """The result of a call, once it is known; `CodecError` where the process or machine that it ran on is gone."""
    try:
        return future.result()
    except (BrokenExecutor, CancelledError, OSError) as error:
        raise CodecError(f"a worker is gone: {str(error) or type(error).__name__}") from error


class OrderedWork(Generic[_A, _R]):
    """Calls of one function, given one by one, whose results come back in the order they were given.

    At most ``ahead`` calls are under way; without an executor each call happens at once.
    """

    def __init__(self, executor: Executor | None, function: Callable[[_A], _R], ahead: int) -> None:
        self._executor = executor
        self._function = function
        self._ahead = ahead
        self._pending: deque[Future[_R]] = deque()

    def put(self, argument: _A) -> list[_R]:
        """Start a call, and return the results that had to be waited for, which may be none."""
        if self._executor is None:
            return [self._function(argument)]
        try:
            self._pending.append(self._executor.submit(self._function, argument))
        except RuntimeError as error:  # it is shut down, or its processes are gone
            raise CodecError(f"the executor takes no more work: {error}") from error
        return [result_of(self._pending.popleft())] if len(self._pending) > self._ahead else []

    def rest(self) -> Iterator[_R]:
        """The results that are still to come."""
        while self._pending:
            yield result_of(self._pending.popleft())

    def cancel(self) -> None:
        """Give up what has not started."""
        while self._pending:
            self._pending.popleft().cancel()


def ordered_map(
    executor: Executor | None, function: Callable[[_A], _R], arguments: Iterable[_A], ahead: int
) -> Iterator[_R]:
    """Results of ``function`` in the order of ``arguments``.

    Unlike `Executor.map` it takes arguments only as results leave, so memory does not grow with their number.
    """
    work: OrderedWork[_A, _R] = OrderedWork(executor, function, ahead)
    try:
        for argument in arguments:
            yield from work.put(argument)
        yield from work.rest()
    finally:
        work.cancel()
