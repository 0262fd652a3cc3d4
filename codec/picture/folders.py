"""Writing one file a picture: into a folder under the pictures' own names, or under numbers by a pattern."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from codec.errors import ExistsError, MediaError
from codec.picture.colour import to_array
from codec.picture.images import write_still
from codec.picture.naming import NumberPattern, natural_key, plain_name
from codec.picture.planes import Picture
from codec.whole_file import (
    InputFile,
    held,
    publish,
    refuse_overwrite,
    remove_abandoned,
    temporary_of,
    whole_file,
)

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
def folder_writer(
    folder: Path, *, force: bool, numbers: Iterator[int], inputs: Sequence[InputFile], note: Callable[[str], None]
) -> Iterator[Write]:
    """Pictures into ``folder``, which appears whole when the block ends, or not at all.

    Their own names are restored, changed where they are no file names on some system, if all are different and in
    natural order the same sequence again; otherwise each takes the next of ``numbers``, six digits.
    ``note`` is told of names that are not restored.

    Raises:
        ExistsError: the folder has something in it and ``force`` is not set.
        MediaError: it cannot be written.
        ConfigError: one of ``inputs`` would be replaced.
    """
    for place in (folder.parent, folder):
        remove_abandoned(place, folder.name)
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
        final, said = _final_names(names, numbered)
        _publish(staged, folder, final, force=force, inputs=inputs)
        if said:
            note(f"{folder}: {said}")


@contextlib.contextmanager
def pattern_writer(
    text: str, *, force: bool, first: int, count: int | None, numbers: Iterator[int], inputs: Sequence[InputFile]
) -> Iterator[Write]:
    """Pictures under the names that the pattern ``text`` gives to ``numbers``; all or none appear.

    ``first`` is the least of them, and there are at most ``count``: so a name that is taken shows before any work is
    done.

    Raises:
        MediaError: a suffix that loses samples; a name that is taken without ``force``.
        ConfigError: one of ``inputs`` would be replaced.
    """
    pattern = NumberPattern.parse(text)
    if Path(text).suffix.lower() not in STILL_FORMATS:
        raise MediaError(f"{text}: pictures are written as {', '.join(STILL_FORMATS)}")
    _refuse_taken(pattern.folder, [pattern.name(first + number) for number in range(count or 1)], force, inputs)
    remove_abandoned(pattern.folder, pattern.folder.name)
    names: list[str] = []
    with _staged(pattern.folder) as staged:

        def write(picture: Picture) -> None:
            name = pattern.name(next(numbers))
            _write_staged(staged, len(names), picture, name)
            names.append(name)

        yield write
        _publish(staged, pattern.folder, names, force=force, inputs=inputs)


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A hidden temporary folder on the file system of ``folder``, gone when the block ends.

    It is inside ``folder`` where that exists (it may be a mount point), and beside it otherwise.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise MediaError(f"{folder}: is a {'file' if folder.exists() else 'link to nothing'}; a folder is needed")
    staged = temporary_of(folder if folder.exists() else folder.parent, folder.name)
    try:  # around all of it: an interrupt may come as soon as the folder is there
        try:
            staged.mkdir()
        except OSError as error:
            raise MediaError(f"{folder}: cannot be written: {error.strerror}") from error
        with held(staged):
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


def _final_names(names: Sequence[str | None], numbered: Sequence[str]) -> tuple[list[str], str]:
    """The pictures' own names with the suffixes that were written, or numbers where those would not do.

    And what is to be said of it, if anything.
    """
    if not any(names):
        return list(numbered), ""
    wanted = [os.path.splitext(name)[0] + Path(number).suffix for name, number in zip(names, numbered) if name]  # noqa: B905, PTH122
    own = [plain_name(name) for name in wanted]
    changed = [(before, after) for before, after in zip(wanted, own, strict=True) if before != after]
    why = ""
    if len(own) < len(names):
        why = "some have none"
    elif len({name.casefold() for name in own}) < len(own):  # some file systems ignore case
        why = "some are the same"
    elif sorted(own, key=natural_key) != own:
        why = "sorted they are in another order"
    if why:
        return list(numbered), f"the pictures' own names cannot be used, as {why}; they are numbered"
    if not changed:
        return own, ""
    before, after = changed[0]
    return own, f"names that not every system takes are changed, {len(changed)} such as {before!r} to {after!r}"


def _publish(staged: Path, folder: Path, names: Sequence[str], *, force: bool, inputs: Sequence[InputFile]) -> None:
    """Give the pictures their names, and a new folder its own; without ``force`` all or none."""
    if not folder.exists():
        for number, name in enumerate(names):
            _temporary(staged, number).replace(staged / name)
        staged.replace(folder)
        return
    _refuse_taken(folder, names, force, inputs)
    with contextlib.ExitStack() as undo:
        for number, name in enumerate(names):
            publish(_temporary(staged, number), folder / name, force=force)
            if not force:
                undo.callback((folder / name).unlink)
        undo.pop_all()


def _refuse_taken(folder: Path, names: Sequence[str], force: bool, inputs: Sequence[InputFile]) -> None:
    """Raise before the first file would be replaced without ``force``, or a folder or input at all."""
    for name in names:
        refuse_overwrite(folder / name, force, inputs)


@contextlib.contextmanager
def single_writer(path: str, *, force: bool, inputs: Sequence[InputFile]) -> Iterator[Write]:
    """One picture as ``path``; a second one is a `MediaError`."""
    suffix = Path(path).suffix
    written = 0
    with whole_file(path, force=force, inputs=inputs) as file:

        def write(picture: Picture) -> None:
            nonlocal written
            if written:
                raise MediaError(f"{path}: holds one picture; a pattern such as %04d{suffix} takes more")
            write_still(file, to_array(picture), STILL_FORMATS[suffix.lower()])
            written += 1

        yield write
