"""Sequences as numpy arrays: in memory, or in ``.npy`` files that are mapped or streamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from codec.errors import MediaError
from codec.picture.colour import to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sequence import DEFAULT_RATE, PictureSource, refuse_size

__all__ = ["SIGNATURE", "ArraySource", "npy_writer", "open_npy"]

SIGNATURE = b"\x93NUMPY"
_HEADER_BYTES = 128  # a multiple of 64, as the format wants; the longest shape that we write needs 110


class ArraySource(PictureSource):
    """The pictures of an array (T, H, W) or (T, H, W, 3), uint8; the array itself is never copied whole.

    Raises:
        MediaError: another shape or dtype, or no pictures.
    """

    def __init__(self, samples: npt.NDArray[Any], label: str = "array", *, rate: Fraction | None = None) -> None:
        super().__init__()
        gray_or_rgb = samples.ndim == 3 or (samples.ndim == 4 and samples.shape[3] == 3)
        if samples.dtype != np.uint8 or not gray_or_rgb:
            raise MediaError(f"{label}: {samples.dtype} {samples.shape}; uint8 (T, H, W) or (T, H, W, 3) is needed")
        if len(samples) == 0:
            raise MediaError(f"{label}: has no pictures; its shape is {samples.shape}")
        height, width = samples.shape[1:3]
        refuse_size(label, width, height)
        self.label = label
        self.rate = rate or DEFAULT_RATE
        self.count = len(samples)
        self.format = PictureFormat(width, height, SampleFormat.GRAY if samples.ndim == 3 else SampleFormat.RGB)
        self._samples: npt.NDArray[np.uint8] | None = samples
        self._resources.callback(self._release)

    def _release(self) -> None:
        """Let go of the array; a mapped file is closed with its last picture."""
        self._samples = None

    def __iter__(self) -> Iterator[Picture]:
        if self._samples is None:
            raise MediaError(f"{self.label}: is closed")
        for samples in self._samples:
            yield Picture.from_array(np.array(samples, order="C", subok=False))


def open_npy(path: Path, rate: Fraction | None = None) -> ArraySource:
    """The pictures of a ``.npy`` file, mapped into memory.

    Raises:
        MediaError: no readable ``.npy``, or an array that `ArraySource` refuses.
    """
    try:
        samples = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header meets Python's own parser, which raises what it likes
        raise MediaError(f"{path}: cannot be read as .npy: {error}") from error
    return ArraySource(samples, os.fspath(path), rate=rate)


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The 128 bytes before the samples of a C-ordered uint8 array, version 1.0."""
    fields = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    length = _HEADER_BYTES - len(SIGNATURE) - 4
    return SIGNATURE + b"\x01\x00" + length.to_bytes(2, "little") + fields.ljust(length - 1).encode("ascii") + b"\n"


@contextlib.contextmanager
def npy_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """One ``.npy`` array into ``file``, picture by picture; the shape is written last."""
    del rate  # an array has no place for it
    is_gray = picture_format.sample_format is SampleFormat.GRAY
    shape = (picture_format.height, picture_format.width) + (() if is_gray else (3,))
    count = 0
    file.write(_npy_header((count, *shape)))

    def write(picture: Picture) -> None:
        nonlocal count
        file.write(np.ascontiguousarray(to_array(picture)).data)
        count += 1

    yield write
    file.seek(0)
    file.write(_npy_header((count, *shape)))
