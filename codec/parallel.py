"""Work in order on any executor, with a bound on what is under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

__all__ = ["OrderedWork", "ordered_map"]

_A = TypeVar("_A")
_R = TypeVar("_R")


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
        self._pending.append(self._executor.submit(self._function, argument))
        return [self._pending.popleft().result()] if len(self._pending) > self._ahead else []

    def rest(self) -> Iterator[_R]:
        """The results that are still to come."""
        while self._pending:
            yield self._pending.popleft().result()

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
