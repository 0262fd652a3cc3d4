"""Writing one file a picture: into a folder under the pictures' own names, or under numbers by a pattern."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from codec.errors import ExistsError, MediaError
from codec.picture.colour import to_array
from codec.picture.images import write_still
from codec.picture.naming import NumberPattern, is_plain_name, natural_key
from codec.picture.planes import Picture
from codec.whole_file import refuse_overwrite, whole_file

__all__ = ["STILL_FORMATS", "folder_writer", "pattern_writer", "single_writer"]

# The formats that keep every sample of gray and RGB; a name with another suffix gets .png.
STILL_FORMATS = {
    ".png": "PNG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pnm": "PPM",
}

Write = Callable[[Picture], None]


@contextlib.contextmanager
def folder_writer(folder: Path, *, force: bool, numbers: Iterator[int]) -> Iterator[Write]:
    """Pictures into ``folder``, which appears whole when the block ends, or not at all.

    Their own names are restored if all are safe, different, and in natural order the same sequence again;
    otherwise each takes the next of ``numbers``, six digits.

    Raises:
        ExistsError: the folder has something in it and ``force`` is not set.
        MediaError: it cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ExistsError(f"{folder}: is not empty", "writes into it")
    names: list[str | None] = []
    numbered: list[str] = []
    with _staged(folder) as staged:

        def write(picture: Picture) -> None:
            suffix = _write_staged(staged, len(names), picture, picture.name)
            numbered.append(f"{next(numbers):06d}{suffix}")
            names.append(picture.name)

        yield write
        _publish(staged, folder, _restored_names(names, numbered), force=force)


@contextlib.contextmanager
def pattern_writer(
    pattern: NumberPattern, *, force: bool, first: int, count: int | None, numbers: Iterator[int]
) -> Iterator[Write]:
    """Pictures under the names that ``pattern`` gives to ``numbers``; all or none appear.

    ``first`` is the least of them, and there are at most ``count``: so a name that is taken shows before any work is
    done.

    Raises:
        MediaError: a suffix that loses samples; a name that is taken without ``force``.
    """
    suffix = Path(pattern.name(first)).suffix.lower()
    if suffix not in STILL_FORMATS:
        raise MediaError(f"{pattern.name(first)}: pictures are written as {', '.join(STILL_FORMATS)}")
    _refuse_taken(pattern.folder, [pattern.name(first + number) for number in range(count or 1)], force)
    names: list[str] = []
    with _staged(pattern.folder) as staged:

        def write(picture: Picture) -> None:
            name = pattern.name(next(numbers))
            _write_staged(staged, len(names), picture, name)
            names.append(name)

        yield write
        _publish(staged, pattern.folder, names, force=force)


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A hidden temporary folder on the file system of ``folder``, gone when the block ends.

    It is inside ``folder`` where that exists (it may be a mount point), and beside it otherwise.
    """
    if folder.exists() and not folder.is_dir():
        raise MediaError(f"{folder}: is a file; a folder is needed")
    place = folder if folder.exists() else folder.parent
    staged = place / f".{folder.name}.{secrets.token_hex(4)}.part"
    try:  # around all of it: an interrupt may come as soon as the folder is there
        try:
            staged.mkdir()
        except OSError as error:
            raise MediaError(f"{folder}: cannot be written: {error.strerror}") from error
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write_staged(staged: Path, number: int, picture: Picture, name: str | None) -> str:
    """Write a picture under a temporary name, in the format of ``name`` if that is lossless; its suffix."""
    suffix = Path(name or "").suffix
    if suffix.lower() not in STILL_FORMATS:
        suffix = ".png"
    with _temporary(staged, number).open("xb") as file:
        write_still(file, to_array(picture), STILL_FORMATS[suffix.lower()])
    return suffix


def _temporary(staged: Path, number: int) -> Path:
    """Where picture ``number`` waits; hidden, so no final name can be the same."""
    return staged / f".{number}"


def _restored_names(names: Sequence[str | None], numbered: Sequence[str]) -> list[str]:
    """The pictures' own names with the suffixes that were written, or numbers where those would not do."""
    own = [
        str(Path(name).with_suffix(Path(number).suffix))
        for name, number in zip(names, numbered, strict=True)
        if name is not None and is_plain_name(name)
    ]
    different = len({name.casefold() for name in own}) == len(names)  # some file systems ignore case
    return own if different and sorted(own, key=natural_key) == own else list(numbered)


def _publish(staged: Path, folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Give the pictures their names, and a new folder its own."""
    if folder.exists():
        _refuse_taken(folder, names, force)
        for number, name in enumerate(names):
            _temporary(staged, number).replace(folder / name)
        return
    for number, name in enumerate(names):
        _temporary(staged, number).replace(staged / name)
    staged.replace(folder)


def _refuse_taken(folder: Path, names: Sequence[str], force: bool) -> None:
    """Raise before the first file would be replaced without ``force``, or a folder at all."""
    for name in names:
        refuse_overwrite(folder / name, force)


@contextlib.contextmanager
def single_writer(path: Path, *, force: bool) -> Iterator[Write]:
    """One picture as ``path``; a second one is a `MediaError`."""
    pillow_format = STILL_FORMATS[path.suffix.lower()]
    written = 0
    with whole_file(path, force=force) as file:

        def write(picture: Picture) -> None:
            nonlocal written
            if written:
                raise MediaError(f"{path}: holds one picture; a pattern such as %04d{path.suffix} takes more")
            write_still(file, to_array(picture), pillow_format)
            written += 1

        yield write
