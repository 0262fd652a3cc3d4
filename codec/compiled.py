"""Where kernel modules come from: compiled code for this machine, or the very same modules as Python.

A kernel module is ordinary Python whose annotations are C types; it is compiled when the package is installed.
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

HERE = Path(__file__).parent
CHECKOUT = HERE.parent / "kernel_checkout.py"  # beside the package of a checkout, and nowhere else
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def has_v3() -> bool:
    """Whether this machine has the instructions of x86-64-v3: AVX2, and FMA and BMI, which came with it."""
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(40))  # PF_AVX2_INSTRUCTIONS_AVAILABLE
    if sys.platform == "darwin":
        import ctypes

        value, size = ctypes.c_int(0), ctypes.c_size_t(4)
        ctypes.CDLL(None).sysctlbyname(b"hw.optional.avx2_0", ctypes.byref(value), ctypes.byref(size), None, 0)
        return value.value == 1
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            flags = next((line.split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return False
    return {"avx2", "bmi1", "bmi2", "fma", "movbe", "f16c", "abm"} <= set(flags)


def choose_level() -> str:
    """Which folder of compiled kernels to use, or "" for none."""
    if os.environ.get("MVZ_UNCOMPILED", "0") not in ("", "0"):
        return ""
    levels = ["v3", "baseline"] if has_v3() else ["baseline"]
    if CHECKOUT.exists():
        spec = importlib.util.spec_from_file_location("kernel_checkout", CHECKOUT)
        assert spec and spec.loader
        checkout = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(checkout)
        return str(checkout.fresh_level(levels))
    there = [level for level in levels if HERE.joinpath("_compiled", level).is_dir()]
    if not there and any(b"import cython" in path.read_bytes().splitlines() for path in HERE.rglob("*.py")):
        sys.stderr.write(
            "mvz: installed without compiled kernels: all runs as plain Python, some thousand times slower\n"
        )
    return there[0] if there else ""


class _KernelFinder:
    """Finds compiled kernels before the import system finds their sources."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("codec."):
            return None
        *folders, stem = name.split(".")[1:]
        file = HERE.joinpath("_compiled", LEVEL, *folders, stem + SUFFIX)
        return importlib.util.spec_from_file_location(name, file) if file.exists() else None


class _CythonStandIn(ModuleType):
    """What uncompiled kernels use of the package ``cython``, where that is not installed: nothing does anything."""

    compiled = False
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


LEVEL = choose_level()


def install() -> None:
    """Let imports find kernels; once, when the package is imported."""
    if LEVEL:
        sys.meta_path.insert(0, _KernelFinder())
    elif importlib.util.find_spec("cython") is None:
        sys.modules["cython"] = _CythonStandIn("cython")
