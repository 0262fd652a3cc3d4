"""Kernels run compiled, the same code runs uncompiled, and a checkout never runs stale code."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import codec
import kernel_build
import kernel_checkout
from codec import compiled
from codec.models import MotionModel, ResidualCoder

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "fixtures" / "golden"
MANIFEST = json.loads((ROOT / "fixtures" / "manifest.json").read_text())
NO_CYTHON = "import sys; sys.modules.update(Cython=None, cython=None)"
KERNEL = """
from __future__ import annotations
import cython
VALUE: cython.int = 3
def answer():
    return VALUE, cython.compiled
"""


@pytest.mark.skipif("MVZ_UNCOMPILED" in os.environ, reason="MVZ_UNCOMPILED asks for kernels as Python")
@pytest.mark.skipif(not kernel_checkout.digest_of_sources(), reason="there are no kernels to compile")
def test_the_kernels_of_this_run_are_compiled_and_for_this_machine():
    asked = os.environ.get("MVZ_BUILD")
    assert (asked or ("v3" if compiled.has_v3() else "baseline")) == compiled.LEVEL


def test_the_other_process_runs_kernels_as_python(uncompiled):
    assert "" == uncompiled(level)


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_a_golden_file_decodes_uncompiled_to_the_samples_of_the_manifest(uncompiled, name):
    assert MANIFEST[name]["sha256"] == uncompiled(hashes, GOLDEN / name)


@pytest.mark.parametrize("motion", MotionModel, ids=lambda motion: motion.label)
@pytest.mark.parametrize("residual", ResidualCoder, ids=lambda residual: residual.label)
def test_a_tiny_clip_is_encoded_to_the_same_bytes_uncompiled(uncompiled, moving, residual, motion, tmp_path):
    pictures = np.stack([picture.planes[0] for picture in moving("gray", 24, 16, count=2)])
    arguments = (pictures, residual.label, motion.label, tmp_path / "tiny.mvz")
    assert encoded(*arguments) == uncompiled(encoded, *arguments)


def level():
    return compiled.LEVEL


def hashes(path):
    with codec.open(path) as video:
        return [
            hashlib.sha256(b"".join(plane.tobytes() for plane in picture.planes)).hexdigest()
            for picture in video.pictures()
        ]


def encoded(pictures, residual, motion, path):
    codec.encode(pictures, path, codec.Settings(residual, motion), force=True)
    return path.read_bytes()


def test_c_declarations_come_from_annotations():
    source = """
import cython
from codec.dct.planes import Plane, PLANES
BORDER: cython.int = 48
ends: cython.double = 0.5
def clip(value: cython.int, high: cython.int) -> cython.int: ...
def picture(plane: Plane): ...
@cython.cclass
class Filter:
    taps: cython.short[:, ::1]
    name: str
    def __init__(self, taps): ...
    @cython.exceptval(-1)
    def read(self, plane: Plane) -> cython.int: ...
    def pair(self) -> tuple[cython.uchar, cython.int]: ...
"""
    expected = """
cimport cython
from codec.dct.planes cimport Plane
cdef enum:
    BORDER = 48
cdef double ends
cdef int clip(int value, int high) noexcept nogil
@cython.final
cdef class Filter:
    cdef short[:, ::1] taps
    cdef object name
    cdef int read(self, Plane plane) except -1 nogil
    cdef (unsigned char, int) pair(self) noexcept nogil
"""
    assert expected.lstrip() == kernel_build.declarations(source, {"codec.dct.planes": {"Plane"}})


def test_numbers_of_tables_and_enumerations_become_constants():
    source = """
import cython
from codec.dct import tables
from codec.models import BlockKind, ResidualCoder
FIRST: cython.int = tables.FIRST_CODED + 1
def kind(symbol: cython.int) -> cython.int:
    return BlockKind.SKIP if symbol < tables.SPLIT else symbol - FIRST
def is_lossless(coder: ResidualCoder) -> bool:
    return coder is ResidualCoder.LOSSLESS
"""
    expected = source.replace("FIRST: cython.int = tables.FIRST_CODED + 1", "").replace("BlockKind.SKIP", "0")
    assert kernel_build.source_for_cython(source) == expected.replace("tables.SPLIT", "4")
    assert "cdef enum:\n    FIRST = 6\n" in kernel_build.declarations(source, {})


@pytest.mark.skipif(not kernel_build.find_compiler(), reason="there is no C compiler")
def test_a_checkout_never_runs_stale_code(tmp_path):
    """A package that has a kernel and nothing else; what it answers and whether it is compiled, and what is said."""
    package = tmp_path / "codec"
    package.mkdir()
    for name in ("kernel_build.py", "kernel_checkout.py", "codec/compiled.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (package / "__init__.py").write_text("from codec import compiled\n\ncompiled.install()\n")

    def run(kernel, name="kernel", before=""):
        (package / f"{name}.py").write_text(kernel)
        program = f"{before}\nfrom codec import {name}\nprint(*{name}.answer())"
        environment = os.environ | {"MVZ_BUILD": "bounds", "MVZ_UNCOMPILED": "", "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split(), done.stderr

    answer, said = run(KERNEL)
    assert (["3", "True"], 1) == (answer, said.count("kernels have changed, and are compiled"))
    assert (["3", "True"], "") == run(KERNEL)

    # what cannot be compiled runs as Python, with a warning
    answer, said = run(KERNEL.replace("3", "4"), before=NO_CYTHON)
    assert (["4", "False"], 1, 1) == (answer, said.count("\n"), said.count("run as plain Python"))
    answer, said = run(KERNEL.replace("3", "5") + "\n\ndef wrong() -> cython.int:\n    return b''\n")
    assert (["5", "False"], 1) == (answer, said.count("run as plain Python"))
    assert "kernel.py" in said

    # what was compiled of a kernel that is gone goes too
    (package / "kernel.py").unlink()
    assert ["6", "True"] == run(KERNEL.replace("3", "6"), name="renamed")[0]
    left = {path.name.partition(".")[0] for path in (package / "_compiled").rglob(f"*{compiled.SUFFIX}")}
    assert {"_shared", "renamed"} == left
