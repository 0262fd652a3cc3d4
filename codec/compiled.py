"""Where kernel modules come from: compiled code for this machine, or the very same modules as Python.

A kernel module is ordinary Python whose annotations are C types; the build compiles it ahead of time.
``MVZ_UNCOMPILED=1`` runs the Python, which a debugger can step through, some thousand times slower.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["LEVEL", "install"]

_HERE = Path(__file__).parent
_SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def _has_v3() -> bool:
    """Whether this machine has the instructions of x86-64-v3 (AVX2, FMA, BMI)."""
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace").partition("flags")[2].partition("\n")[0].split()
    except OSError:
        return False
    return {"avx2", "bmi1", "bmi2", "fma", "movbe", "f16c", "abm"} <= set(flags)


def _level() -> str:
    """Which folder of compiled kernels to use, or "" for none."""
    if os.environ.get("MVZ_UNCOMPILED", "0") not in ("", "0"):
        return ""
    for level in ("v3", "baseline") if _has_v3() else ("baseline",):
        if (_HERE / "_compiled" / level).is_dir():
            return level
    return ""


LEVEL = _level()


class _KernelFinder:
    """Finds compiled kernels before the import system finds their sources."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("codec."):
            return None
        *folders, stem = name.split(".")[1:]
        file = _HERE.joinpath("_compiled", LEVEL, *folders, stem + _SUFFIX)
        return importlib.util.spec_from_file_location(name, file) if file.exists() else None


class _CythonStandIn(ModuleType):
    """What uncompiled kernels use of the package ``cython``, where that is not installed: nothing does anything."""

    nogil = gil = contextlib.nullcontext()
    double = float
    int = short = longlong = Py_ssize_t = int

    @staticmethod
    def cclass(kind: type) -> type:
        return kind

    @staticmethod
    def ccall(function: Callable[..., object]) -> Callable[..., object]:
        return function

    @staticmethod
    def exceptval(*_: object, **__: object) -> Callable[..., object]:
        return lambda function: function

    @staticmethod
    def cast(kind: Callable[[object], object], value: object) -> object:
        return kind(value)


def install() -> None:
    """Let imports find kernels; once, when the package is imported."""
    if LEVEL:
        sys.meta_path.insert(0, _KernelFinder())
    elif importlib.util.find_spec("cython") is None:
        sys.modules["cython"] = _CythonStandIn("cython")
