"""What commands share: words on the terminal, progress bars, threads, files and sources."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import codec
from codec.errors import ConfigError
from codec.settings import parse_background

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from _typeshed import DataclassInstance

    from codec import Progress
    from codec.measure.sweep import SweepProgress

_T = TypeVar("_T")

SWITCH_SECONDS = 1e-4
"""How long a thread waits for the interpreter before it insists, which of Python's own accord is 5 ms.

Between short kernels that is long: two threads encode 352×288 1.65 times as fast as one, with 5 ms 1.58.
"""


# ------------------------------------------------------------------------------------------- words

SPELLED = dict(zip("→…×∞≈–−±", ("->", "...", "x", "inf", "~", "-", "-", "+-"), strict=True))
"""What our own words become where the terminal's encoding lacks a character; any other becomes ``?``."""


def say(*lines: str) -> None:
    """Print lines on standard output, unless that is closed.

    Text from a file or an argument cannot move the cursor, colour anything or start another line, and every encoding
    takes it.

    Raises:
        OSError: standard output cannot be written.
    """
    _print(lines, sys.stdout)


def say_aside(*lines: str) -> None:
    """Print lines on standard error as `say` does, but raise nothing where that cannot be written."""
    try:
        _print(lines, sys.stderr)
    except (OSError, ValueError):
        sys.stderr = None  # or the interpreter finds that out again at exit


def say_notes(notes: Iterable[str], quiet: bool = False) -> None:
    """Say each note of a source once on standard error."""
    if not quiet:
        say_aside(*(f"mvz: note: {note}" for note in dict.fromkeys(notes)))


def _print(lines: Iterable[str], stream: TextIO | None) -> None:
    if stream is not None:
        stream.write("".join(f"{_fitting(line, stream)}\n" for line in lines))
        stream.flush()


def _fitting(text: str, stream: TextIO) -> str:
    """Text without control characters, in what the stream's encoding has."""
    plain = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    encoding = stream.encoding or "utf-8"  # a StringIO has none
    return plain.encode(encoding, "spelled").decode(encoding)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What Python writes for characters that an encoding lacks, and where it goes on."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(SPELLED.get(character, "?") for character in error.object[error.start : error.end]), error.end


codecs.register_error("spelled", _spelled)


def say_json(values: dict[str, Any]) -> None:
    """Print values as JSON."""
    say(*json.dumps(values, indent=2).splitlines())


def thousands(number: float) -> str:
    """A whole number with its thousands apart: 990,067."""
    return f"{round(number):,}"


def counted(number: int, what: str) -> str:
    """How many there are: 1 picture, 20 pictures."""
    return f"{thousands(number)} {what}{'' if number == 1 else 's'}"


def rounded_bytes(count: int) -> str:
    """A size that says something however small it is: 34 kB, 28.8 MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 1):.0f} kB"


def decibels(value: float, infinite: str = "∞") -> str:
    """A ratio in dB with two places."""
    return infinite if value == math.inf else f"{value:.2f}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text as lines of columns; the first column to the left, the others to the right."""
    first, *others = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(first), *map(str.rjust, row[1:], others)]).rstrip() for row in rows]


# ------------------------------------------------------------------------------------------- progress


@contextlib.contextmanager
def progress_bar(verb: str, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar with pictures per second and bytes on standard error; silent where that is no terminal."""

    def show(progress: Progress) -> None:
        size = f"{thousands(progress.file_bytes)} bytes" if progress.file_bytes else ""
        advance(progress.pictures, progress.picture_count, size)

    with _bar(quiet, verb, " pictures") as advance:
        yield show


@contextlib.contextmanager
def points_bar(count: int, quiet: bool) -> Iterator[Callable[[SweepProgress], None]]:
    """A bar that counts the points of a sweep, as `progress_bar` counts pictures."""
    with _bar(quiet, "measure", " points") as advance:
        yield lambda progress: advance(progress.points_done, count, progress.point.label)


@contextlib.contextmanager
def _bar(quiet: bool, verb: str, unit: str) -> Iterator[Callable[[int, int | None, str], None]]:
    """A bar that takes how many are done, of how many, and what to say behind; nothing where nobody would see it."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from tqdm import tqdm

    with tqdm(desc=verb, unit=unit, leave=False, dynamic_ncols=True) as bar:

        def advance(done: int, total: int | None, behind: str) -> None:
            bar.total = total
            bar.set_postfix_str(behind, refresh=False)
            bar.update(done - bar.n)

        yield advance


def watched(items: Iterable[_T], show: Callable[[Progress], None], count: int | None) -> Iterator[_T]:
    """``items``, of which there are ``count``, while a bar of `progress_bar` counts them."""
    for number, item in enumerate(items, 1):
        yield item
        show(codec.Progress(number, count, 0))


# ------------------------------------------------------------------------------------------- threads


def job_count(jobs: int | None) -> int:
    """Threads to use: as asked, or one a core that this process may use."""
    if jobs is not None:
        return jobs
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextlib.contextmanager
def executor_of(jobs: int | None) -> Iterator[Executor | None]:
    """Threads for GOPs, or None where one thread is all there is to use."""
    count = job_count(jobs)
    if count == 1:
        yield None
        return
    from concurrent.futures import ThreadPoolExecutor  # takes 5 ms

    executor = ThreadPoolExecutor(count)
    patience = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield executor
    finally:
        sys.setswitchinterval(patience)
        executor.shutdown(wait=False, cancel_futures=True)  # after an error nobody waits for GOPs in work


# ------------------------------------------------------------------------------------------- files


def given(options: argparse.Namespace, kind: type[DataclassInstance]) -> dict[str, Any]:
    """The options that are given of those that are fields of ``kind``, with names and values."""
    values = {each.name: getattr(options, each.name) for each in fields(kind)}
    return {name: value for name, value in values.items() if value is not None}


def source_of(inputs: Sequence[str]) -> str | list[str]:
    """One input is a name with all its meanings, several are a list of files."""
    return inputs[0] if len(inputs) == 1 else list(inputs)


def open_file(path: str, options: argparse.Namespace, *, damaged: bool = False) -> codec.Video:
    """An .mvz file, within the limits that the options give."""
    return codec.open(path, limits=codec.Limits(**given(options, codec.Limits)), damaged=damaged)


def picture_range(options: argparse.Namespace, video: codec.Video, default: slice = slice(None)) -> tuple[int, int]:
    """Number of the first picture that ``--pictures`` selects, and of the first behind them.

    Where it selects none that is a `ConfigError`, or the damage of the file, which may be the reason.
    """
    start, stop, _ = (options.pictures or default).indices(len(video))
    if start >= stop:
        none = ConfigError(f"--pictures selects none of the {counted(len(video), 'picture')} of {options.file}")
        raise next(iter(video.damage), none)
    return start, stop


@contextlib.contextmanager
def open_pictures(spec: str, options: argparse.Namespace) -> Iterator[tuple[Iterable[codec.Picture], int | None]]:
    """Pictures of an .mvz file or of anything that can be encoded, and how many, if that is known.

    Those with alpha are laid over the background that the options give, if any.
    """
    background = None if options.background is None else parse_background(options.background)
    with _opened_pictures(spec, options) as (pictures, count):
        if background is not None:
            from codec.picture.alpha import laid_over

            pictures = (laid_over(picture, background) for picture in pictures)
        yield pictures, count


@contextlib.contextmanager
def _opened_pictures(spec: str, options: argparse.Namespace) -> Iterator[tuple[Iterable[codec.Picture], int | None]]:
    if spec.endswith(".mvz"):
        with open_file(spec, options) as video:
            yield video.pictures(), len(video)
        return
    from codec.picture.sources import open_source

    with open_source(spec) as source:
        try:
            yield source, source.count
        finally:
            say_notes(source.notes, options.quiet)
