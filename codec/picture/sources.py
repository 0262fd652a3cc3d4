"""Opening a sequence of pictures, whatever holds it."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from codec.errors import ConfigError, MediaError
from codec.picture import arrays, y4m
from codec.picture.naming import NumberPattern, has_number_conversion, natural_key, refuse_gaps
from codec.picture.sequence import PictureSource

__all__ = ["PictureSource", "SourceSpec", "open_source"]

PathSpec = str | os.PathLike[str]
SourceSpec = PathSpec | Sequence[PathSpec] | npt.NDArray[Any]

# What lies beside pictures in a folder without being one; a name with any other suffix must be a picture.
_NOT_PICTURES = frozenset(
    (
        *(".txt", ".md", ".rst", ".pdf", ".html", ".css", ".js", ".py", ".ipynb", ".sh", ".bat", ".log"),
        *(".json", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".db", ".md5", ".sha256"),
        *(".mvz", ".y4m", ".yuv", ".npy", ".npz", ".mp4", ".mkv", ".avi", ".mov", ".webm", ".wav", ".mp3"),
        *(".zip", ".gz", ".tar", ".7z", ".part"),
    )
)


def open_source(spec: SourceSpec, *, rate: Fraction | None = None) -> PictureSource:
    """The pictures that ``spec`` names.

    ``spec`` is one of:

    - a folder: all picture files in it, in natural order (frame2 before frame10);
    - a glob such as ``frames/*.png``: the same of the files that match;
    - a printf pattern such as ``frames/%04d.png``: consecutive numbers from the lowest that there is;
    - a list of picture files, taken in natural order;
    - one picture file, which is a sequence of one, or an animated GIF, APNG or WebP;
    - a ``.y4m`` file, or ``-`` for Y4M on standard input;
    - a ``.npy`` file, or an array: uint8 (T, H, W) gray or (T, H, W, 3) RGB.

    Names with a special meaning lose it where a file or folder of exactly that name exists.
    ``rate`` is pictures per second and overrides what the file says; where neither does, it is 25.
    Hidden files and common companions of pictures (``.txt``, ``.json``, ``Thumbs.db`` …) are passed over.

    Raises:
        MediaError: nothing there, a gap in the numbers, pictures that are damaged, unsupported or not alike.
        ConfigError: a rate that is not positive, or a ``spec`` of another type.
    """
    if rate is not None and rate <= 0:
        raise ConfigError(f"a rate is more than 0 pictures per second, not {rate}")
    if isinstance(spec, np.ndarray):
        return arrays.ArraySource(spec, rate=rate)
    if isinstance(spec, str | os.PathLike):
        return _open_path(os.fspath(spec), rate)
    if not isinstance(spec, Sequence) or not all(isinstance(item, str | os.PathLike) for item in spec):
        raise ConfigError(f"pictures come from a path, a list of paths or an array, not {type(spec).__name__}")
    if len(spec) == 1:
        return _open_path(os.fspath(spec[0]), rate)
    return _open_list([Path(item) for item in spec], rate)


def _open_path(text: str, rate: Fraction | None) -> PictureSource:
    """One name: of something that exists, or else a pattern or glob."""
    if text == "-":
        if sys.stdin is None:
            raise MediaError("standard input: is closed")
        return y4m.Y4mSource(sys.stdin.buffer, "standard input", owned=False, rate=rate)
    path = Path(text)
    if path.is_dir():
        return _open_files(_pictures_among(path.iterdir()), text, rate)
    if path.exists():
        source = _open_file(path, rate)
        source.file_bytes = path.stat().st_size if path.is_file() else None
        return source
    if has_number_conversion(text):
        return _open_files(_pattern_files(NumberPattern.parse(text)), text, rate)
    if glob.has_magic(text):
        found = glob.glob(text, recursive=True)  # noqa: PTH207, Path.glob takes no absolute pattern
        return _open_files(_pictures_among(map(Path, found)), text, rate)
    raise MediaError(f"{text}: no such file or folder")


def _open_file(path: Path, rate: Fraction | None) -> PictureSource:
    """One file, by its first bytes, then by its suffix; what is not a regular file is a pipe of Y4M."""
    if not path.is_file():
        return y4m.open_y4m(path, rate)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from error
    if start.startswith(y4m.SIGNATURE) or path.suffix.lower() == ".y4m":
        return y4m.open_y4m(path, rate)
    if start.startswith(arrays.SIGNATURE) or path.suffix.lower() == ".npy":
        return arrays.open_npy(path, rate)
    from codec.picture.image_sequences import open_image  # Pillow, only where a picture is read

    return open_image(path, rate)


def _open_list(paths: Sequence[Path], rate: Fraction | None) -> PictureSource:
    """Files that the caller chose, or that the shell made of a glob.

    Every tenth picture is a choice, not a gap: their numbers may go up in any constant step.
    """
    for path in paths:
        if not path.is_file():
            raise MediaError(f"{path}: {'is a folder' if path.exists() else 'no such file'}; a list has picture files")
    ordered = sorted(paths, key=natural_key)
    refuse_gaps(ordered, any_step=True)
    label = f"{ordered[0]} … {ordered[-1].name}" if ordered else "an empty list"
    return _open_images(ordered, label, rate)


def _open_files(paths: Iterable[Path], label: str, rate: Fraction | None) -> PictureSource:
    """Files found in a folder, by a glob or by a pattern: numbered ones must be complete."""
    ordered = sorted(paths, key=natural_key)
    if not ordered:
        raise MediaError(f"{label}: no picture files there")
    refuse_gaps(ordered)
    return _open_images(ordered, label, rate)


def _open_images(paths: Sequence[Path], label: str, rate: Fraction | None) -> PictureSource:
    """One picture a file."""
    from codec.picture.image_sequences import ImageFiles  # Pillow, only where a picture is read

    source = ImageFiles(paths, label, rate=rate)
    source.file_bytes = sum(path.stat().st_size for path in paths)
    return source


def _pictures_among(paths: Iterable[Path]) -> list[Path]:
    """The files that must be pictures: neither hidden, nor folders, nor known to be something else."""
    return [
        path
        for path in paths
        if path.suffix.lower() not in _NOT_PICTURES and not path.name.startswith(".") and path.is_file()
    ]


def _pattern_files(pattern: NumberPattern) -> list[Path]:
    """The files that a pattern names, in any order."""
    if not pattern.folder.is_dir():
        raise MediaError(f"{pattern.folder}: no such folder")
    return [path for path in pattern.folder.iterdir() if pattern.number(path.name) is not None and path.is_file()]
