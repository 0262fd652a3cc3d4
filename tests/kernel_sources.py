"""Kernels that decode ``dct`` as the Python that they are, beside the compiled ones, and symbols for them to read."""

import functools
import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np

import codec
from codec.compiled import _CythonStandIn
from codec.dct.references import coding_order
from codec.dct.tables import CONTEXTS, DC, FIRST_CODED, KIND_INTER, MODE_CONTEXTS
from codec.depths import for_depth

FOLDER = Path(codec.__file__).parent
PATHS = [FOLDER / "motion" / "compensation.py", *sorted(FOLDER.glob("dct/*.py"))]
NAMES = [f"codec.{path.parent.name}.{path.stem}" for path in PATHS if "\nimport cython\n" in path.read_text("utf-8")]


@functools.cache
def _uncompiled():
    """All kernel modules, imported from their sources; they know each other, and nobody else knows them."""
    compiled = {name: importlib.import_module(name) for name in NAMES}
    finders, cython = sys.meta_path[:], sys.modules.get("cython")
    try:
        sys.meta_path[:] = [finder for finder in finders if getattr(finder, "__module__", "") != "codec.compiled"]
        sys.modules["cython"] = _CythonStandIn("cython")
        for name in NAMES:
            del sys.modules[name]
        modules = {name: importlib.import_module(name) for name in NAMES}
    finally:
        sys.meta_path[:] = finders
        sys.modules.pop("cython")
        if cython is not None:
            sys.modules["cython"] = cython
        for name, module in compiled.items():
            sys.modules[name] = module
            package, _, stem = name.rpartition(".")
            setattr(sys.modules[package], stem, module)
    assert all(module.__file__.endswith(".py") for module in modules.values())
    return {name.rpartition(".")[2]: module for name, module in modules.items()}


def uncompiled(name):
    """A kernel module whose functions and attributes tests may use."""
    return _uncompiled()[name]


def reader_of(symbols, substream, sizes, bits, syntax=None):
    """A `SymbolReader`, compiled or of a module; ``bits`` are one a byte."""
    syntax = syntax or importlib.import_module("codec.dct.syntax")
    data = np.packbits(np.asarray(bits, np.uint8)).tobytes()
    return syntax.SymbolReader(np.asarray(symbols, np.uint8), np.asarray(substream), np.asarray(sizes), data)


def reader_by_context(contexts, symbols, bits, syntax=None):
    """The same for symbols in coding order, with a context substream for each context."""
    order = np.argsort(np.asarray(contexts, np.int64), kind="stable")
    sizes = np.bincount(np.asarray(contexts, np.int64), minlength=CONTEXTS)
    return reader_of(np.asarray(symbols, np.uint8)[order], np.arange(CONTEXTS), sizes, bits, syntax)


I_PLACE, P_PLACE = coding_order(0, 2, 1, True)


def decoder_after_gray(picture_format, *arguments, **options):
    """A decoder that has decoded an I picture without levels: all its samples are in the middle of their range."""
    decoder, blocks = decoder_of(picture_format, *arguments, **options), 4096
    substream = np.zeros(CONTEXTS, int)
    substream[MODE_CONTEXTS:] = 1
    symbols = [FIRST_CODED + 16 * (KIND_INTER + 1)] * blocks + [2 + DC] * blocks
    decoder.decode(reader_of(symbols, substream, [blocks, blocks], []), I_PLACE, 20, 20, (), None)
    return decoder


def decoder_of(picture_format, limit=4096, picture=None, **options):
    """A `PictureDecoder` for pictures of a format, compiled or of a module."""
    bit_depth = picture_format.bit_depth
    picture = picture or for_depth(importlib.import_module("codec.dct.picture"), bit_depth)
    subsampling = picture_format.sample_format.subsampling
    return picture.PictureDecoder(picture_format.plane_shapes, subsampling, limit, bit_depth, **options)
