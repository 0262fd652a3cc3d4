"""What mypy is told of Cython: its decorators change no type, and its C types are checked by Cython itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T", bound=type)

nogil: AbstractContextManager[None]
gil: AbstractContextManager[None]

def cclass(kind: _T, /) -> _T: ...
def ccall(function: _F, /) -> _F: ...
def exceptval(*values: object, check: bool = ...) -> Callable[[_F], _F]: ...
def __getattr__(name: str) -> Any: ...
