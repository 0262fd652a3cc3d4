"""Sequences as numpy arrays: in memory, in ``.npy`` files, or one array a picture."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from codec.errors import ConfigError, MediaError
from codec.picture.alpha import as_given
from codec.picture.colour import to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat, format_of_channels
from codec.picture.sequence import PictureSource, refuse_size

__all__ = ["SIGNATURE", "ArraySource", "ItemSource", "array_source", "npy_writer", "open_npy", "picture_of"]

SIGNATURE = b"\x93NUMPY"
_DTYPES = frozenset(map(np.dtype, (np.uint8, np.uint16, np.bool_, np.float16)))
_MAX_FORTRAN_BYTES = 1 << 30  # such a file has the first sample of every picture first, so it is read whole


class ArraySource(PictureSource):
    """The pictures of an array (T, H, W), (T, H, W, 1) or (T, H, W, 3), with alpha (T, H, W, 2) or (T, H, W, 4).

    It is uint8, uint16, whose samples have 16 bits, float16, or bool.
    ``picture_at`` gives the samples of one picture, by its number, when its turn comes.

    Raises:
        MediaError: another shape or dtype, no pictures, or (T, H, 3) or (T, H, 4), which may be one picture.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        picture_at: Callable[[int], npt.NDArray[Any]],
        label: str,
        rate: Fraction | None,
    ) -> None:
        sample_format = SampleFormat.GRAY if len(shape) == 3 else format_of_channels(shape[3:])
        is_known = dtype.newbyteorder("=") in _DTYPES
        if not is_known or len(shape) < 3 or sample_format is None:
            hint = "; array[None] is a sequence of one picture" if is_known and len(shape) == 2 else ""
            if dtype in (np.float32, np.float64):
                hint = "; array.astype(numpy.float16) rounds to what is kept"
            raise MediaError(
                f"{label}: {dtype} {shape}; uint8, uint16 or float16 (T, H, W), (T, H, W, 1) or (T, H, W, 3) is "
                f"needed, with alpha (T, H, W, 2) or (T, H, W, 4){hint}"
            )
        if len(shape) == 3 and shape[2] in (3, 4):
            raise MediaError(
                f"{label}: {dtype} {shape} may be one {'RGB' if shape[2] == 3 else 'RGBA'} picture or gray pictures of "
                f"width {shape[2]}; array[None] is the one, array[..., None] the other"
            )
        if shape[0] == 0:
            raise MediaError(f"{label}: has no pictures; its shape is {shape}")
        height, width = shape[1:3]
        refuse_size(label, width, height)
        bit_depth, is_float = 8 * dtype.itemsize, dtype.kind == "f"
        picture_format = PictureFormat(width, height, sample_format, bit_depth=bit_depth, is_float=is_float)
        super().__init__(label, picture_format, rate, shape[0])
        self._picture_at = picture_at

    def __iter__(self) -> Iterator[Picture]:
        assert self.count is not None
        for number in range(self.count):
            picture = Picture.from_array(self._picture_at(number))
            yield as_given(picture, self.format, f"{self.label}: picture {number}")


def array_source(samples: npt.NDArray[Any], label: str = "array", rate: Fraction | None = None) -> ArraySource:
    """The pictures of an array in memory, which is never copied whole."""

    def picture_at(number: int) -> npt.NDArray[Any]:
        return np.array(samples[number], order="C")

    source = ArraySource(samples.shape, samples.dtype, picture_at, label, rate)
    source.leave_out_opaque_alpha()
    return source


def open_npy(path: Path, rate: Fraction | None = None) -> ArraySource:
    """The pictures of a ``.npy`` file, each read when its turn comes if the file is in C order.

    A mapped file would be shorter to say, but kills the process where somebody else cuts it meanwhile.

    Raises:
        MediaError: no readable ``.npy``, shorter than it says, or an array that `ArraySource` refuses.
    """
    label = os.fspath(path)
    with contextlib.ExitStack() as resources:
        try:
            file = resources.enter_context(path.open("rb"))
            is_first_version = np.lib.format.read_magic(file) == (1, 0)
            shape, is_fortran, dtype = (
                np.lib.format.read_array_header_1_0(file)
                if is_first_version
                else np.lib.format.read_array_header_2_0(file)
            )
            start = file.tell()
            size = os.fstat(file.fileno()).st_size - start
        except Exception as error:  # numpy parses the header as Python, which raises any kind of error
            raise MediaError(f"{path}: cannot be read as .npy: {error}") from error

        def picture_at(number: int) -> npt.NDArray[Any]:
            file.seek(start + number * math.prod(shape[1:]) * dtype.itemsize)
            return _read(file, shape[1:], dtype, f"{label}: picture {number}")

        source = ArraySource(shape, dtype, picture_at, label, rate)
        if size < (needed := math.prod(shape) * dtype.itemsize):
            raise MediaError(f"{path}: ends early: {size} bytes of the {needed} of {shape}")
        if is_fortran:
            if needed > _MAX_FORTRAN_BYTES:
                raise MediaError(f"{path}: is large and in Fortran order; save numpy.ascontiguousarray(array) instead")
            return array_source(_read(file, shape[::-1], dtype, f"{path}:").T, label, rate)
        source.leave_out_opaque_alpha()
        source.closes(resources.pop_all())
        return source


def _read(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[Any], label: str) -> npt.NDArray[Any]:
    """Samples from where a file stands; `MediaError` where it ends early or fails."""
    samples = np.empty(shape, dtype)
    try:
        present = file.readinto(samples.view(np.uint8).data.cast("B"))  # type: ignore[attr-defined]
    except OSError as error:
        raise MediaError(f"{label} cannot be read: {error.strerror or error}") from error
    if present < samples.nbytes:
        raise MediaError(f"{label} ends early, at byte {present} of {samples.nbytes}")
    return samples


PictureLike = Any
"""A `Picture`, a Pillow image, or what `Picture.from_array` takes."""


def picture_of(item: PictureLike, label: str, name: str | None = None, bit_depth: int | None = None) -> Picture:
    """One picture of whatever a caller may hold it in, with samples of its own and ``name``, unless it is a `Picture`.

    A `Picture` whose memory cannot be written to is copied.

    ``bit_depth`` is that of samples which cannot say it; see `Picture.from_array`.

    Raises:
        ConfigError: it is no picture, or no samples of such a shape or depth.
        MediaError: a Pillow image of an unsupported kind.
    """
    if isinstance(item, Picture):  # kernels ask for memory that can be written to, also where they only read
        return item if all(plane.flags.writeable for plane in item.planes) else item.copy()
    pillow = sys.modules.get("PIL.Image")  # who has not loaded it has no image of it
    if pillow is not None and isinstance(item, pillow.Image):
        from codec.picture.images import image_picture

        return replace(image_picture(item, label), name=name)
    try:
        return Picture.from_array(item, name, bit_depth).copy()
    except ConfigError as error:
        raise ConfigError(f"{label}: {error}") from error


class ItemSource(PictureSource):
    """Pictures of a list, or of an iterator, which is read as it goes and only once.

    ``first`` has been taken from ``rest``, an iterator over ``items``; it is None where there is none.
    Alpha that is 255 everywhere is left out of lists; of an iterator the first picture says whether there is alpha.

    Raises:
        ConfigError: the first item is no picture; see `picture_of`.
        MediaError: no pictures.
    """

    def __init__(self, items: Iterable[Any], first: Any, rest: Iterator[Any], *, rate: Fraction | None = None) -> None:
        label = type(items).__name__
        if first is None:
            raise MediaError(f"{label}: has no pictures")
        picture_format = picture_of(first, f"{label}: picture 0").format
        refuse_size(label, picture_format.width, picture_format.height)
        super().__init__(label, picture_format, rate, len(items) if isinstance(items, Sized) else None)
        self.reads_once = rest is items
        self._items: Iterable[Any] | None = itertools.chain([first], rest) if self.reads_once else items
        if not self.reads_once:
            self.leave_out_opaque_alpha()

    def __iter__(self) -> Iterator[Picture]:
        items = self._items
        if items is None:
            raise MediaError(f"{self.label}: can be read only once")
        if self.reads_once:
            self._items = None
        for number, item in enumerate(items):
            label = f"{self.label}: picture {number}"
            picture = picture_of(item, label)
            if picture.format.opaque() != self.format.opaque():
                raise MediaError(f"{label} is {picture.format}, unlike the first: {self.format}")
            # who lays pictures over a colour needs the alpha of one that is not opaque
            yield as_given(picture, self.format, label) if self.format.sample_format.has_alpha else picture


@contextlib.contextmanager
def npy_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """One ``.npy`` array into ``file``, picture by picture; the shape, which stands before them, is written last."""
    del rate  # an array has no place for it
    stored = picture_format.array_dtype.newbyteorder("<")
    count = 0

    def write_header() -> None:
        shape = (count, *picture_format.array_shape)
        # numpy leaves room for more pictures, so it is as long for every count
        np.lib.format.write_array_header_1_0(file, {"descr": stored.str, "fortran_order": False, "shape": shape})

    def write(picture: Picture) -> None:
        nonlocal count
        file.write(np.ascontiguousarray(to_array(picture), stored).data)
        count += 1

    write_header()
    yield write
    file.seek(0)
    write_header()
