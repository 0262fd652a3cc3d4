"""Which QP makes a file as large, or its pictures as good, as asked: found by encoding, of much a sample first.

Bytes and PSNR fall smoothly with the QP of ``dct``, whose fractions are a dial as fine as any file needs.
So each encode says, by interpolation between those before it, what the next should try.
"""

from __future__ import annotations

import contextlib
import math
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from codec.decoder import open_video
from codec.errors import ConfigError
from codec.measure.metrics import ErrorSums, measure_picture
from codec.picture.planes import Picture, PictureFormat
from codec.picture.sequence import PictureSource
from codec.settings import QP_RANGE, Settings, Target

if TYPE_CHECKING:
    from codec import Summary

__all__ = ["Search", "SearchResult", "Tried", "encode_to_target", "next_qp"]

SIZE_SLACK = 0.01  # share of a size that may be left unused
PSNR_SLACK = 0.1  # dB that may be more than asked
MOST_PSNR = 150.0  # stands for infinity, between which and a number nothing can be interpolated
MOST_ENCODES = 20  # of all pictures; 2…4 do but for files of few kB, whose bytes jump up and down
NO_LINE, BESIDE = 0.04, 6  # of a QP: so near to each other bytes are chance; so many on either side are tried then
SAMPLE_ENCODES = 3
LEAST_GOPS = 24  # of fewer there is no sample: it would take as long as it saves
SAMPLE_SHARE, SAMPLE_GOPS = 8, (6, 16)  # an eighth of the GOPs, but so many at least and at most
SAMPLE_IS_NEAR = 0.3  # of a QP; nearer than a sample is to the whole there is nothing to find


@dataclass(frozen=True)
class SearchResult:
    """What a search for a target chose.

    Attributes:
        qp: QP of ``dct``; ``Settings(qp=…)`` makes the same file.
        reached: what it comes to, in the unit of the target: bytes, bits a second, dB, or sample values.
        encodes: of all pictures.
        sample_encodes: of the sample.
        sample_pictures: how many pictures the sample had.
    """

    qp: float
    reached: float
    encodes: int
    sample_encodes: int
    sample_pictures: int


class Tried(NamedTuple):
    """A QP that was tried; ``level`` is what falls as QP rises, and is nearly a straight line over it."""

    qp: float
    level: float


class Search(NamedTuple):
    """How one kind of target is met.

    Attributes:
        level_of: the level of a measure; see `Tried`.
        wanted: the level to come to.
        slope: of the level, a QP, where nothing is known yet.
        start: about the QP to try first.
        grid: QPs are multiples of it.
        lowest: the finest QP of such samples.
    """

    level_of: Callable[[float], float]
    wanted: float
    slope: float
    start: float
    grid: float
    lowest: int

    def on_grid(self, qp: float) -> float:
        """The QP next to ``qp`` that may be tried."""
        steps = round(min(max(qp, self.lowest), QP_RANGE[1]) / self.grid)
        return round(steps * self.grid, 2)


def next_qp(search: Search, tried: Sequence[Tried], slope: float) -> float | None:
    """The QP to try after those in ``tried``, at least one; None where none is left that could be nearer."""
    ordered, grid = sorted(tried), search.grid
    open_gaps = [
        (fine.level - coarse.level, fine, coarse)
        for fine, coarse in pairwise(ordered)
        if fine.level >= search.wanted > coarse.level
    ]
    if open_gaps:
        _, fine, coarse = min(open_gaps)
        if coarse.qp - fine.qp < max(1.5 * grid, NO_LINE):
            return _beside(search, tried, (fine.qp + coarse.qp) / 2)
        share = (fine.level - search.wanted) / (fine.level - coarse.level)
        if len(tried) % 4 == 0:  # interpolation may come nearer and nearer to one end of a curve that bends
            share = 0.5
        inner = fine.qp + share * (coarse.qp - fine.qp)
        return search.on_grid(min(max(inner, fine.qp + grid), coarse.qp - grid))
    is_too_fine = ordered[-1].level >= search.wanted
    end = ordered[-1] if is_too_fine else ordered[0]
    if len(ordered) > 1:
        slope = _slope_between(end, ordered[-2] if is_too_fine else ordered[1], slope)
    # the third that is still too fine, or too coarse, shows a curve that is no line: then further and further
    least = max(grid, 0.1 * 2 ** len(tried)) if len(tried) > 2 else grid
    qp = search.on_grid(end.qp + (1 if is_too_fine else -1) * max(abs(search.wanted - end.level) / -slope, least))
    return None if qp == end.qp else qp


def _beside(search: Search, tried: Sequence[Tried], qp: float) -> float | None:
    """The next of the QPs on either side of one to try where the level jumps up and down, as of files of few kB."""
    if search.grid >= NO_LINE:
        return None
    places = (search.on_grid(qp + side * far * NO_LINE / 2) for far in range(BESIDE) for side in (1, -1))
    return next((place for place in places if place not in {each.qp for each in tried}), None)


def _slope_between(one: Tried, other: Tried, expected: float) -> float:
    """The slope of the level between two QPs, within three times what is expected either way."""
    found = (one.level - other.level) / (one.qp - other.qp)
    return min(max(found, 3 * expected), expected / 3)


# ------------------------------------------------------------------------------------------- what is asked


class Goal(NamedTuple):
    """A target of a source: how it is searched, when it is met, and how its numbers are said."""

    target: Target
    search: Search
    is_met: Callable[[float], bool]
    keeps: Callable[[float], bool]
    """Whether a measure is on the side of the target that was asked for, however far."""
    said: Callable[[float], str]
    farness: Callable[[float, float], float]
    """How far a QP and its measure are from the best that keeps to the target."""


def goal_of(target: Target, picture_format: PictureFormat, lowest: int, count: int, seconds: float) -> Goal:
    """How to meet a target with ``count`` pictures that are shown for ``seconds``."""
    name, value = target
    if name == "target_psnr":
        search = Search(lambda psnr: min(psnr, MOST_PSNR), value + PSNR_SLACK / 2, -0.6, 90 - 1.6 * value, 0.01, lowest)
        return Goal(
            target,
            search,
            lambda psnr: value <= psnr <= value + PSNR_SLACK,
            lambda psnr: psnr >= value,
            lambda psnr: f"{psnr:.2f} dB",
            lambda _, psnr: abs(psnr - value),
        )
    if name == "target_max_error":
        start = 10 + 6 * math.log2(value * 255 / picture_format.peak / 4)
        search = Search(lambda error: -math.log2(error + 0.5), -math.log2(value + 1), -1 / 6, start, 1, lowest)
        return Goal(
            target,
            search,
            lambda _: False,  # a larger QP may keep to it too
            lambda error: error <= value,
            lambda error: f"an error of {error:.0f}",
            lambda qp, _: -qp,
        )
    bits_a_sample = 8 * value / (count * picture_format.width * picture_format.height)
    if name == "bitrate":
        bits_a_sample *= seconds / 8
    start = 30 - math.log2(bits_a_sample / 0.1) / 0.2
    unit = "bits a second" if name == "bitrate" else "bytes"
    search = Search(math.log2, math.log2(value * (1 - SIZE_SLACK / 2)), -0.2, start, 0.01, lowest)
    return Goal(
        target,
        search,
        lambda size: value * (1 - SIZE_SLACK) <= size <= value,
        lambda size: size <= value,
        lambda size: f"{size:,.0f} {unit}",
        lambda _, size: abs(size - value),
    )


# ------------------------------------------------------------------------------------------- encoding


EncodesAt = Callable[[Iterable[Picture], int, Settings, IO[bytes]], "Summary"]
"""Encodes pictures, of which there are so many, with such settings into a binary file."""


class Spool:
    """Pictures of a source that can be read only once, in a temporary file from which they are read again and again."""

    def __init__(self, pictures: Iterable[Picture], file: IO[bytes]) -> None:
        self._file, self._count = file, 0
        for picture in pictures:
            pickle.dump(picture, file, pickle.HIGHEST_PROTOCOL)
            self._count += 1

    def __iter__(self) -> Iterator[Picture]:
        self._file.seek(0)
        for _ in range(self._count):
            yield pickle.load(self._file)  # of a file without a name, which nobody else writes


class Sample:
    """Whole GOPs from all over a sequence, as if they were one."""

    def __init__(self, pictures: Iterable[Picture], gops: Sequence[int], gop: int) -> None:
        self._pictures, self._gops, self._gop = pictures, frozenset(gops), gop
        self.count = len(gops) * gop

    def __iter__(self) -> Iterator[Picture]:
        last = max(self._gops)
        for number, picture in enumerate(self._pictures):
            if number // self._gop in self._gops:
                yield picture
            elif number // self._gop > last:
                return


def sample_of(pictures: Iterable[Picture], count: int, gop: int) -> Sample | None:
    """A sample of a sequence, or None where it is too short for one that saves time."""
    gops = count // gop
    if gops < LEAST_GOPS:
        return None
    few, many = SAMPLE_GOPS
    taken = min(max(gops // SAMPLE_SHARE, few), many)
    return Sample(pictures, [(2 * place + 1) * gops // (2 * taken) for place in range(taken)], gop)


class Measured(NamedTuple):
    """An encode at a QP: its measure in the unit of the target, and the file."""

    qp: float
    value: float
    summary: Summary
    file: IO[bytes]


def encode_to_target(
    source: PictureSource,
    settings: Settings,
    lowest_qp: int,
    encode: EncodesAt,
    as_compared: Callable[[Picture], Picture],
    seconds_of: Callable[[Picture], Fraction],
    output: IO[bytes],
    folder: Path | None,
) -> tuple[Summary, SearchResult, str]:
    """Look for the QP that meets the target of ``settings``, and write that file to ``output``.

    Args:
        source: the pictures, read once for each encode; what can be read only once goes into a temporary file.
        settings: how to encode, with a target.
        lowest_qp: the finest QP of such samples.
        encode: encodes into a file.
        as_compared: a picture of the source, or a decoded one, as they are compared.
        seconds_of: how long a picture is shown.
        output: takes the file that was found.
        folder: where temporary files are; None is where the system has them.

    Returns:
        The summary of the encode that was chosen, what was found, and a note where that is further from the target
        than it should be, else no text.

    Raises:
        ConfigError: the target cannot be reached; the message says the nearest that can.
    """
    target = settings.target
    assert target is not None
    with contextlib.ExitStack() as files:

        def new_file() -> IO[bytes]:
            return files.enter_context(tempfile.TemporaryFile(dir=folder))

        def measured(pictures: Iterable[Picture], count: int, qp: float) -> Measured:
            file = new_file()
            summary = encode(pictures, count, settings.at_qp(qp), file)
            if target.name in ("target_size", "bitrate"):
                return Measured(qp, summary.file_bytes * unit, summary, file)
            total = error_of(file, pictures, as_compared)
            return Measured(qp, total.max_error if target.name == "target_max_error" else total.psnr, summary, file)

        pictures = Spool(source, new_file()) if source.reads_once else source
        count, seconds = source.count, Fraction(0)
        if count is None or target.name == "bitrate":
            times = [seconds_of(picture) for picture in pictures]
            count, seconds = len(times), sum(times, seconds)
            if target.name == "bitrate" and not seconds:
                raise ConfigError(
                    f"bitrate is of pictures that are shown for some time; those of {source.label} are not"
                )
        unit = float(8 / seconds) if target.name == "bitrate" else 1.0
        goal = goal_of(target, source.format, lowest_qp, count, float(seconds))
        search = goal.search
        qp: float | None = search.on_grid(round(search.start))
        slope = search.slope

        sampled: list[Tried] = []
        sample = sample_of(pictures, count, settings.gop)
        if sample is not None:
            while qp is not None and len(sampled) < SAMPLE_ENCODES:
                of_sample = measured(sample, sample.count, qp)
                of_sample.file.close()
                value = of_sample.value * (count / sample.count if target.name in ("target_size", "bitrate") else 1)
                sampled.append(Tried(qp, search.level_of(value)))
                if abs(sampled[-1].level - search.wanted) < abs(SAMPLE_IS_NEAR * slope):
                    break
                qp = next_qp(search, sampled, slope)
            qp, slope = _from_sample(search, sampled)

        tried: list[Tried] = []
        best: Measured | None = None
        while qp is not None and len(tried) < MOST_ENCODES:
            new = measured(pictures, count, qp)
            tried.append(Tried(qp, search.level_of(new.value)))
            best, other = (new, best) if best is None or _rank(goal, new) < _rank(goal, best) else (best, new)
            if other is not None:
                other.file.close()
            if goal.is_met(new.value):
                break
            qp = next_qp(search, tried, slope)
        assert best is not None
        is_halved = source.format.sample_format.is_rgb and settings.chroma != "444"
        note = _shortfall(goal, best, len(tried), "; chroma 444 comes nearer" if is_halved else "")
        best.file.seek(0)
        shutil.copyfileobj(best.file, output)
    found = SearchResult(best.qp, best.value, len(tried), len(sampled), sample.count if sampled and sample else 0)
    return best.summary, found, note


def error_of(file: IO[bytes], sources: Iterable[Picture], as_compared: Callable[[Picture], Picture]) -> ErrorSums:
    """The error of all samples of a file against its source."""
    total = ErrorSums()
    file.seek(0)
    with open_video(file) as video:
        for source, decoded in zip(sources, video.pictures(), strict=True):
            total += measure_picture(as_compared(source), as_compared(decoded)).total
    return total


def _rank(goal: Goal, measured: Measured) -> tuple[bool, float]:
    """What is smaller of an encode that is better: one that keeps to the target first."""
    keeps = goal.keeps(measured.value)
    is_close = goal.farness(measured.qp, measured.value)
    return not keeps, is_close if keeps else abs(goal.search.level_of(measured.value) - goal.search.wanted)


def _from_sample(search: Search, sampled: Sequence[Tried]) -> tuple[float, float]:
    """Where to start with all pictures, and the slope there, by what a sample gave."""
    nearest, *others = sorted(sampled, key=lambda tried: abs(tried.level - search.wanted))
    slope = search.slope
    if others:
        slope = _slope_between(nearest, others[0], slope)
    return search.on_grid(nearest.qp + (search.wanted - nearest.level) / slope), slope


def _shortfall(goal: Goal, best: Measured, encodes: int, hint: str) -> str:
    """What to say of a target that is not met; empty where it is. ``hint`` says what makes pictures better.

    Raises:
        ConfigError: it lies beyond what the coarsest or finest QP gives.
    """
    name, wanted = goal.target
    keeps = goal.keeps(best.value)
    if goal.is_met(best.value) or (name == "target_max_error" and keeps):
        return ""
    if not keeps or best.qp in (goal.search.lowest, QP_RANGE[1]):
        is_too_bad = name in ("target_psnr", "target_max_error") and not keeps
        nearest = f"the nearest is {goal.said(best.value)}, of qp {best.qp:g}{hint if is_too_bad else ''}"
        raise ConfigError(f"{name} {wanted} cannot be reached: {nearest}")
    return f"{name} {wanted} is met no more nearly than by {goal.said(best.value)} in {encodes} encodes"
