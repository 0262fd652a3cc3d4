"""Sequences as numpy arrays: in memory, in ``.npy`` files, or one array a picture."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from codec.errors import ConfigError, MediaError
from codec.picture.colour import to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sequence import DEFAULT_RATE, PictureSource, refuse_size

__all__ = ["SIGNATURE", "ArraySource", "ItemSource", "NpySource", "npy_writer", "open_npy", "picture_of"]

SIGNATURE = b"\x93NUMPY"
_HEADER_BYTES = 128  # a multiple of 64, as the format wants; the longest shape that we write needs 110
_MAX_FORTRAN_BYTES = 1 << 30  # such a file has the first sample of every picture first, so it is read whole


def _format_of(shape: tuple[int, ...], dtype: np.dtype[Any], label: str) -> PictureFormat:
    """The format of the pictures of an array; `MediaError` where it has none, or it could be read in two ways."""
    if dtype != np.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))):
        hint = "; array[None] is a sequence of one picture" if dtype == np.uint8 and len(shape) == 2 else ""
        raise MediaError(f"{label}: {dtype} {shape}; uint8 (T, H, W), (T, H, W, 1) or (T, H, W, 3) is needed{hint}")
    if len(shape) == 3 and shape[2] == 3:
        raise MediaError(
            f"{label}: uint8 {shape} may be one RGB picture or gray pictures of width 3; "
            "array[None] is the one, array[..., None] the other"
        )
    if shape[0] == 0:
        raise MediaError(f"{label}: has no pictures; its shape is {shape}")
    height, width = shape[1:3]
    refuse_size(label, width, height)
    return PictureFormat(width, height, SampleFormat.RGB if shape[3:] == (3,) else SampleFormat.GRAY)


class ArraySource(PictureSource):
    """The pictures of an array (T, H, W), (T, H, W, 1) or (T, H, W, 3), uint8, which is never copied whole.

    Raises:
        MediaError: another shape or dtype, no pictures, or (T, H, 3), which may be one RGB picture.
    """

    def __init__(self, samples: npt.NDArray[Any], label: str = "array", *, rate: Fraction | None = None) -> None:
        super().__init__()
        self.format = _format_of(samples.shape, samples.dtype, label)
        self.label = label
        self.rate = rate or DEFAULT_RATE
        self.count = len(samples)
        self._samples: npt.NDArray[np.uint8] | None = samples
        self._resources.callback(self._release)

    def _release(self) -> None:
        """Let go of the array."""
        self._samples = None

    def __iter__(self) -> Iterator[Picture]:
        if self._samples is None:
            raise MediaError(f"{self.label}: is closed")
        for samples in self._samples:
            yield Picture.from_array(np.array(samples, order="C"))


class NpySource(PictureSource):
    """The pictures of a ``.npy`` file in C order, each read when its turn comes.

    ``file`` stands behind the header.
    A mapped file would be shorter to say, but kills the process where somebody else cuts it meanwhile.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, ...], label: str, rate: Fraction | None) -> None:
        super().__init__()
        self.format = _format_of(shape, np.dtype(np.uint8), label)
        self.label = label
        self.rate = rate or DEFAULT_RATE
        self.count = shape[0]
        self._resources.callback(file.close)
        self._file, self._shape, self._start = file, shape, file.tell()

    def __iter__(self) -> Iterator[Picture]:
        picture_shape = self._shape[1:]
        for number in range(self._shape[0]):
            self._file.seek(self._start + number * math.prod(picture_shape))
            yield Picture.from_array(_read(self._file, picture_shape, f"{self.label}: picture {number}"))


def _read(file: BinaryIO, shape: tuple[int, ...], label: str) -> npt.NDArray[np.uint8]:
    """Samples from where a file stands; `MediaError` where it ends early or fails."""
    samples = np.empty(shape, np.uint8)
    try:
        present = file.readinto(samples.data.cast("B"))  # type: ignore[attr-defined]
    except OSError as error:
        raise MediaError(f"{label} cannot be read: {error.strerror or error}") from error
    if present < samples.size:
        raise MediaError(f"{label} ends early, at byte {present} of {samples.size}")
    return samples


def open_npy(path: Path, rate: Fraction | None = None) -> PictureSource:
    """The pictures of a ``.npy`` file.

    Raises:
        MediaError: no readable ``.npy``, shorter than it says, or an array that `ArraySource` refuses.
    """
    label = os.fspath(path)
    with contextlib.ExitStack() as resources:
        try:
            file = resources.enter_context(path.open("rb"))
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, is_fortran, dtype = read_header(file)
            size = os.fstat(file.fileno()).st_size - file.tell()
        except Exception as error:  # a damaged header meets Python's own parser, which raises what it likes
            raise MediaError(f"{path}: cannot be read as .npy: {error}") from error
        _format_of(shape, dtype, label)
        if size < math.prod(shape):
            raise MediaError(f"{path}: ends early: {size} bytes of the {math.prod(shape)} of {shape}")
        if not is_fortran:
            resources.pop_all()
            return NpySource(file, shape, label, rate)
        if math.prod(shape) > _MAX_FORTRAN_BYTES:
            raise MediaError(f"{path}: is large and in Fortran order; save numpy.ascontiguousarray(array) instead")
        return ArraySource(_read(file, shape[::-1], f"{path}:").T, label, rate=rate)


PictureLike = Any
"""A `Picture`, a Pillow image, or what `Picture.from_array` takes."""


def picture_of(item: PictureLike, label: str) -> Picture:
    """One picture of whatever a caller may hold it in, with samples of its own but for a `Picture`.

    Raises:
        ConfigError: it is no picture, or no uint8 samples of such a shape.
        MediaError: a Pillow image of an unsupported kind.
    """
    if isinstance(item, Picture):
        return item
    pillow = sys.modules.get("PIL.Image")  # who has not loaded it has no image of it
    if pillow is not None and isinstance(item, pillow.Image):
        from codec.picture.images import image_picture

        return image_picture(item, label)
    try:
        return Picture.from_array(item).copy()
    except ConfigError as error:
        raise ConfigError(f"{label}: {error}") from error


class ItemSource(PictureSource):
    """Pictures of a list, or of an iterator, which is read as it goes and only once.

    ``first`` has been taken from ``rest``, an iterator over ``items``; it is None where there is none.

    Raises:
        ConfigError: the first item is no picture; see `picture_of`.
        MediaError: no pictures.
    """

    def __init__(self, items: Iterable[Any], first: Any, rest: Iterator[Any], *, rate: Fraction | None = None) -> None:
        super().__init__()
        self.label = type(items).__name__
        self.rate = rate or DEFAULT_RATE
        self.count = len(items) if isinstance(items, Sized) else None
        if first is None:
            raise MediaError(f"{self.label}: has no pictures")
        self.format = picture_of(first, f"{self.label}: picture 0").format
        refuse_size(self.label, self.format.width, self.format.height)
        self._items: Iterable[Any] | None = itertools.chain([first], rest) if rest is items else items
        self._only_once = rest is items

    def __iter__(self) -> Iterator[Picture]:
        items = self._items
        if items is None:
            raise MediaError(f"{self.label}: can be read only once")
        if self._only_once:
            self._items = None
        for number, item in enumerate(items):
            picture = picture_of(item, f"{self.label}: picture {number}")
            if picture.format != self.format:
                raise MediaError(f"{self.label}: picture {number} is {picture.format}, unlike the first: {self.format}")
            yield picture


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
