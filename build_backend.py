"""What pip asks for (PEP 517 and 660): setuptools, and kernels compiled by what compiler there is.

That is the system's; where it has none, the package ``ziglang``; and where neither compiles, kernels are installed as
the Python that they are. What ``MVZ_BUILD`` asks for must compile.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import build_sdist, prepare_metadata_for_build_editable, prepare_metadata_for_build_wheel

import kernel_build

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def get_requires_for_build_wheel(settings: Any = None) -> list[str]:
    """A compiler, where the system has none."""
    needed = kernel_build.find_compiler() is None and kernel_build.extensions(kernel_build.levels_to_build())
    return ["ziglang"] if needed else []


get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(directory: str, settings: Any = None, metadata: str | None = None) -> str:
    """A wheel of this platform; of any, where nothing compiles."""
    shutil.rmtree(kernel_build.WHEEL, ignore_errors=True)  # what an earlier build left would get into this one
    try:
        return build_meta.build_wheel(directory, settings, metadata)
    except (Exception, SystemExit) as error:
        _go_on_uncompiled(error)
    return build_meta.build_wheel(directory, settings, metadata)


def build_editable(directory: str, settings: Any = None, metadata: str | None = None) -> str:
    """A wheel that points here, where the kernels are compiled in place."""
    try:
        kernel_build.build_in_place(kernel_build.levels_to_build())
    except (Exception, SystemExit) as error:
        _go_on_uncompiled(error)
    os.environ["MVZ_BUILD"] = "none"  # for setuptools there is nothing left to compile
    return build_meta.build_editable(directory, settings, metadata)


def _go_on_uncompiled(error: BaseException) -> None:
    if os.environ.get("MVZ_BUILD"):
        raise error
    sys.stderr.write(f"{error}\nmvz: kernels do not compile: installed as plain Python, some thousand times slower\n")
    os.environ["MVZ_BUILD"] = "none"
