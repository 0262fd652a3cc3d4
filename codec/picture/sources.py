"""Opening a sequence of pictures, whatever holds it."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shlex
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codec.errors import ConfigError, MediaError
from codec.picture import arrays
from codec.picture.film_coding import MISSING
from codec.picture.naming import (
    STILL_SUFFIXES,
    VIDEO_SUFFIXES,
    NumberPattern,
    has_number_conversion,
    natural_key,
    refuse_gaps,
)
from codec.picture.planes import Picture
from codec.picture.sequence import PictureSource
from codec.picture.y4m import SIGNATURE as Y4M_SIGNATURE
from codec.picture.y4m import Y4mSource, open_y4m

if TYPE_CHECKING:
    from codec import Video

__all__ = ["PictureSource", "SourceSpec", "open_source"]

PathSpec = str | os.PathLike[str]
SourceSpec = PathSpec | Iterable[PathSpec] | npt.NDArray[Any] | Iterable[arrays.PictureLike]

_MVZ = b"\x8bMVZ"


class DecodedSource(PictureSource):
    """The decoded pictures of an ``.mvz`` file, with its planes, rate and names."""

    def __init__(self, video: Video, rate: Fraction | None = None) -> None:
        super().__init__(video.path, video.format, rate or video.rate, len(video))
        self._video = video

    def __iter__(self) -> Iterator[Picture]:
        return self._video.pictures()


def open_source(spec: SourceSpec, *, rate: Fraction | None = None) -> PictureSource:
    """The pictures that ``spec`` names.

    ``spec`` is one of:

    - a folder: all files in it whose names are pictures', in natural order (frame2 before frame10);
    - a glob such as ``frames/*.png``: all files that match it, chosen and ordered as those in a folder;
    - a printf pattern such as ``frames/%04d.png``: consecutive numbers from the lowest that there is;
    - a list of picture files, taken in natural order;
    - one picture file, which is a sequence of one, an animated GIF, APNG or WebP, or a TIFF of any number of pages;
    - a ``.y4m`` file, or ``-`` for Y4M on standard input;
    - a film such as ``film.mp4``, of which the first video is taken (needs PyAV);
    - an ``.mvz`` file, or an open `codec.Video`, whose pictures are decoded one by one;
    - a ``.npy`` file, or an array: uint8 or uint16 (T, H, W) or (T, H, W, 1) gray, or (T, H, W, 3) RGB; with alpha
      (T, H, W, 2) and (T, H, W, 4);
    - a list or an iterator of arrays (H, W[, channels]), `Picture` or Pillow images; an iterator is read as
      it goes, once.

    Names with a special meaning lose it where a file or folder of exactly that name exists.
    ``rate`` is pictures per second and overrides what the file says; where neither does, it is 25.
    Where alpha is opaque in all pictures they have none; of an iterator the first says whether there is alpha.
    Hidden files in folders are passed over; ``notes`` says how many others are, because of their names.

    Raises:
        MediaError: nothing there, a gap in the numbers, pictures that are damaged, unsupported or not alike;
            a name of a picture that is a link to nothing, a folder or a pipe.
        ConfigError: a rate that is not positive, an empty name, or a ``spec`` of another type.
    """
    if rate is not None and rate <= 0:
        raise ConfigError(f"a rate is more than 0 pictures per second, not {rate}")
    if isinstance(spec, np.ndarray):
        return arrays.array_source(spec, rate=rate)
    if isinstance(spec, str | os.PathLike):
        return _open_path(os.fspath(spec), rate)
    from codec import Video  # opening is not decoding: nothing heavy

    if isinstance(spec, Video):
        return DecodedSource(spec, rate)
    if not isinstance(spec, Iterable) or isinstance(spec, bytes | bytearray | memoryview | Mapping):
        raise ConfigError(f"pictures come from a path, a list, an iterator or an array, not {type(spec).__name__}")
    items = iter(spec)
    first = next(items, None)
    if not isinstance(first, str | os.PathLike):
        return arrays.ItemSource(spec, first, items, rate=rate)
    paths = [first, *items]
    if not all(isinstance(item, str | os.PathLike) for item in paths):
        raise ConfigError("a list has either paths or pictures, not both")
    if len(paths) == 1:
        return _open_path(os.fspath(first), rate)
    ordered = sorted(map(_named, paths), key=natural_key)
    # every tenth picture is a choice of the caller, not a gap
    return _open_files(ordered, f"{ordered[0]} … {ordered[-1].name}", rate, any_step=True)


def _named(name: PathSpec) -> Path:
    """The path of a name, which must not be empty."""
    if not os.fspath(name):
        raise ConfigError("an empty name for pictures; the current folder is .")
    return Path(name)


def _open_path(text: str, rate: Fraction | None) -> PictureSource:
    """One name: of something that exists, or else a pattern or glob."""
    if text == "-":
        if sys.stdin is None:
            raise MediaError("standard input: is closed")
        source: PictureSource = Y4mSource(sys.stdin.buffer, "standard input", rate=rate)
        with contextlib.suppress(OSError):  # it need not be the system's
            source.files = [sys.stdin.buffer.fileno()]
        return source
    path = _named(text)
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return _open_found(_entries(path), text, rate)
    if mode:
        source = _open_file(path, mode, rate)
        source.files = [path]
        return source
    if has_number_conversion(text):
        pattern = NumberPattern.parse(text)
        if not stat.S_ISDIR(_mode(pattern.folder)):
            raise MediaError(f"{pattern.folder}: no such folder")
        matching = [each for each in _entries(pattern.folder) if pattern.number(each.name) is not None]
        return _open_files(matching, text, rate)
    if glob.has_magic(text):
        for folder in glob.glob(os.path.dirname(text), recursive=True):  # noqa: PTH120, PTH207  as below
            if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):  # noqa: PTH112
                raise MediaError(f"{folder}: cannot be read, and {text} looks into it")
        found = glob.glob(text, recursive=True)  # noqa: PTH207, Path.glob takes no absolute pattern
        return _open_found(map(Path, found), text, rate)
    raise MediaError(f"{text}: no such file or folder")


def _mode(path: Path) -> int:
    """Kind and rights of what a path leads to; 0 where nothing has that name; `MediaError` where that is not known."""
    try:
        return path.stat().st_mode
    except ValueError:  # a zero byte
        return 0
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114  says no where Path raises
            raise MediaError(f"{path}: is a link that leads to no file") from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL):  # the last is Windows' for * and ?
            return 0
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from error


def _open_file(path: Path, mode: int, rate: Fraction | None) -> PictureSource:
    """One file, by its first bytes, then by its suffix; what is not a regular file is a pipe of Y4M."""
    if not stat.S_ISREG(mode):
        return open_y4m(path, rate)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from error
    suffix = path.suffix.lower()
    if start.startswith(Y4M_SIGNATURE) or suffix == ".y4m":
        return open_y4m(path, rate)
    if start.startswith(arrays.SIGNATURE) or suffix == ".npy":
        return arrays.open_npy(path, rate)
    if start.startswith(_MVZ) or suffix == ".mvz":
        from codec import open as open_video

        video = open_video(path)
        source = DecodedSource(video, rate)
        source.closes(video)
        return source
    if suffix in VIDEO_SUFFIXES:
        return _open_film(path, rate)
    from codec.picture.images import open_image  # Pillow, only where a picture is read

    return open_image(path, rate)


def _open_film(path: Path, rate: Fraction | None) -> PictureSource:
    try:
        from codec.picture.films import Film  # FFmpeg's libraries, where they are
    except ImportError as error:
        raise MediaError(
            f"{path}: is a video; {MISSING}, or ffmpeg makes pictures of it: ffmpeg -i {shlex.quote(str(path))} "
            f"-pix_fmt yuv420p -f yuv4mpegpipe - | mvz encode - -o {shlex.quote(path.stem)}.mvz"
        ) from error
    return Film(path, rate)


def _open_found(paths: Iterable[Path], label: str, rate: Fraction | None) -> PictureSource:
    """What is in a folder or matches a glob: the files whose names are pictures', and a note on the others."""
    seen = [path for path in paths if not path.name.startswith(".")]
    pictures = [path for path in seen if path.suffix.lower() in STILL_SUFFIXES]
    others = sorted(path.name for path in seen if path.suffix.lower() not in STILL_SUFFIXES and not path.is_dir())
    left_out = f"{len(others)} other file{'s' * (len(others) > 1)} left out, such as {others[0]}" if others else ""
    if not pictures:
        hint = f"; {left_out}, whose name is no picture's" if others else ""
        raise MediaError(f"{label}: no picture files there{hint}")
    source = _open_files(pictures, label, rate)
    if others:
        source.note(f"{label}: {left_out}")
    return source


def _open_files(paths: Iterable[Path], label: str, rate: Fraction | None, *, any_step: bool = False) -> PictureSource:
    """Files, one picture each, all of which must be there: none is passed over, and numbered ones have no gaps."""
    from codec.picture.images import ImageFiles  # Pillow, only where a picture is read

    ordered = sorted(paths, key=natural_key)
    if not ordered:
        raise MediaError(f"{label}: no picture files there")
    for path in ordered:
        mode = _mode(path)
        if not stat.S_ISREG(mode):
            what = "is a folder" if stat.S_ISDIR(mode) else "is a pipe or device" if mode else "no such file"
            raise MediaError(f"{path}: {what}; each picture is a file")
    refuse_gaps(ordered, any_step=any_step)
    source = ImageFiles(ordered, label, rate=rate)
    source.files = ordered
    return source


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise MediaError(f"{folder}: cannot be read: {error.strerror}") from error
