"""Writing a sequence of pictures, into whatever the target's name says."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from codec.errors import ConfigError, MediaError
from codec.picture.arrays import npy_writer
from codec.picture.naming import VIDEO_SUFFIXES, has_number_conversion
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.y4m import y4m_writer
from codec.whole_file import InputFile, whole_file

__all__ = ["PictureSink", "open_sink"]

Write = Callable[[Picture], None]
StreamWriter = Callable[[BinaryIO, PictureFormat, Fraction], AbstractContextManager[Write]]

_MAX_SIDE = {".gif": 65535, ".webp": 16383}  # 16 bits in a GIF; what libwebp accepts
# Suffixes of files that people expect and that are not written; any other name is a folder's.
_UNSUPPORTED = VIDEO_SUFFIXES | frozenset(
    (".jpg", ".jpeg", ".jp2", ".avif", ".heic", ".tga", ".exr", ".npz", ".zip", ".h5", ".html", ".json", ".yuv", ".mvz")
)


class PictureSink:
    """Where pictures go, one at a time, in a ``with`` block; a block that raises leaves nothing behind.

    ``lossy_note`` says what is lost where the target cannot hold the samples as they are, else None.
    ``notes`` are other things worth saying once the block has ended, such as names that were changed.
    ``count`` is how many pictures were written.
    """

    def __init__(
        self,
        label: str,
        picture_format: PictureFormat,
        rate: Fraction,
        writer: AbstractContextManager[Write],
        lossy_note: str | None,
        notes: list[str],
    ) -> None:
        self.label = label
        self.format = picture_format
        self.rate = rate
        self.lossy_note = lossy_note
        self.notes = notes
        self.count = 0
        self._writer = writer
        self._write: Write | None = None

    def __enter__(self) -> Self:
        with self._foreign_errors():
            self._write = self._writer.__enter__()
        return self

    def write(self, picture: Picture) -> None:
        """Add a picture.

        Raises:
            MediaError: another size or sample format than the sink's, or the target cannot be written.
            BrokenPipeError: whoever read standard output has stopped.
        """
        assert self._write is not None, "a sink is written to in its with block"
        ours, theirs = self.format, picture.format
        if (theirs.width, theirs.height, theirs.sample_format) != (
            ours.width,
            ours.height,
            ours.sample_format,
        ):
            raise MediaError(f"{self.label}: opened for {ours}, got a picture of {theirs}")
        with self._foreign_errors():
            self._write(picture)
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write = None
        if error is None and self.count == 0:
            error = MediaError(f"{self.label}: there are no pictures to write")
            self._writer.__exit__(MediaError, error, None)
            raise error
        if error is not None:
            self._writer.__exit__(kind, error, traceback)
            return
        with self._foreign_errors():
            self._writer.__exit__(None, None, None)

    @contextlib.contextmanager
    def _foreign_errors(self) -> Iterator[None]:
        """What the target cannot take (a full disk, a size) becomes a `MediaError` that names it."""
        try:
            yield
        except BrokenPipeError:
            raise
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MediaError(f"{self.label}: cannot be written: {reason}") from error


def open_sink(
    target: str | os.PathLike[str],
    picture_format: PictureFormat,
    rate: Fraction,
    *,
    force: bool = False,
    count: int | None = None,
    first: int = 0,
    numbers: Iterator[int] | None = None,
    inputs: Sequence[InputFile] = (),
) -> PictureSink:
    """A sink for pictures of ``picture_format`` at ``rate`` pictures per second.

    ``target`` decides what is written:

    - ``-``: Y4M on standard output; ``*.y4m``: a Y4M file;
    - ``*.gif``, ``*.apng``, ``*.webp``: an animation (WebP lossless);
    - ``*.npy``: an array (T, H, W) or (T, H, W, 3), uint8;
    - a printf pattern such as ``frames/%04d.png``: numbered pictures;
    - ``*.png``, ``*.bmp``, ``*.tif``, ``*.ppm``: one picture;
    - any other name: a folder, with the pictures' own names restored.

    ``force`` allows to replace files, and to write into a folder that is not empty.
    ``count`` is how many pictures will come, if that is known.
    ``first`` is the number of the first picture, where files are numbered.
    ``numbers`` gives the number of each picture when it is written, where some are left out.
    ``inputs`` are files that are read meanwhile, which no target may be.

    Raises:
        MediaError: a target that is taken, or whose format is not supported or cannot hold such pictures.
        ConfigError: a rate that is not positive, a target without a name, or one that is among ``inputs``.
    """
    if rate <= 0:
        raise ConfigError(f"a rate is more than 0 pictures per second, not {rate}")
    label = os.fspath(target)
    if not label:
        raise ConfigError("the output has no name; the current folder is .")
    suffix = Path(label).suffix.lower()
    largest = _MAX_SIDE.get(suffix)
    if largest and max(picture_format.width, picture_format.height) > largest:
        raise MediaError(f"{label}: {picture_format} is too large; a {suffix} has at most {largest} a side")
    writer: AbstractContextManager[Write]
    notes: list[str] = []
    if label == "-":
        label, is_y4m = "standard output", True
        if sys.stdout is None:
            raise MediaError("standard output: is closed")
        writer = y4m_writer(sys.stdout.buffer, picture_format, rate)
    elif not has_number_conversion(label) and (stream_writer := _stream_writer(suffix)):
        is_y4m = suffix == ".y4m"
        writer = _into_file(label, force, inputs, stream_writer, picture_format, rate)
    else:
        is_y4m = False
        numbers = itertools.count(first) if numbers is None else numbers
        writer = _picture_files(label, suffix, force, inputs, count, first, numbers, notes.append)
    note = _lossy_note(picture_format.sample_format, suffix, is_y4m=is_y4m)
    return PictureSink(label, picture_format, rate, writer, note, notes)


def _stream_writer(suffix: str) -> StreamWriter | None:
    """The writer of all pictures into one file of that suffix."""
    if suffix == ".y4m":
        return y4m_writer
    if suffix == ".npy":
        return npy_writer
    if suffix in (".apng", ".gif", ".webp"):
        from codec.picture import animations  # Pillow, only where it is needed

        return {
            ".apng": animations.apng_writer,
            ".gif": animations.gif_writer,
            ".webp": animations.webp_writer,
        }[suffix]
    return None


@contextlib.contextmanager
def _into_file(
    path: str,
    force: bool,
    inputs: Sequence[InputFile],
    stream_writer: StreamWriter,
    picture_format: PictureFormat,
    rate: Fraction,
) -> Iterator[Write]:
    """All pictures into one file that appears whole or not at all."""
    with whole_file(path, force=force, inputs=inputs) as file, stream_writer(file, picture_format, rate) as write:
        yield write


def _picture_files(
    label: str,
    suffix: str,
    force: bool,
    inputs: Sequence[InputFile],
    count: int | None,
    first: int,
    numbers: Iterator[int],
    note: Callable[[str], None],
) -> AbstractContextManager[Write]:
    """One file a picture: by a pattern, into a folder, or a single one."""
    from codec.picture import folders  # Pillow, only where it is needed

    if has_number_conversion(label):
        return folders.pattern_writer(label, force=force, first=first, count=count, numbers=numbers, inputs=inputs)
    if suffix in folders.STILL_FORMATS and not Path(label).is_dir():
        return folders.single_writer(label, force=force, inputs=inputs)
    if suffix in _UNSUPPORTED and not Path(label).is_dir():
        raise MediaError(
            f"{label}: {suffix} is not written; a folder, a pattern such as %04d.png,"
            " .y4m, .npy, .gif, .apng and .webp are"
        )
    return folders.folder_writer(Path(label), force=force, numbers=numbers, inputs=inputs, note=note)


def _lossy_note(sample_format: SampleFormat, suffix: str, *, is_y4m: bool) -> str | None:
    """What the target cannot keep of the samples, or None."""
    is_yuv = sample_format not in (SampleFormat.GRAY, SampleFormat.RGB)
    notes = []
    if is_y4m and sample_format is SampleFormat.RGB:
        notes.append("RGB converted to YUV 4:4:4 (BT.601, full range)")
    if not is_y4m and is_yuv:
        notes.append("YUV converted to RGB")
    if suffix == ".gif" and sample_format is not SampleFormat.GRAY:
        notes.append("GIF keeps 256 colours a picture")
    return "; ".join(notes) or None
