"""Sequences of pictures in image files: one file a picture, or an animation."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from codec.errors import MediaError
from codec.picture.images import frame_times, probe, read_frames, read_still
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sequence import DEFAULT_RATE, PictureSource

__all__ = ["Animation", "ImageFiles", "open_image", "rate_of"]


class ImageFiles(PictureSource):
    """One picture a file, in the order given; each picture is named after its file.

    The header of every file is read at once: a file of another size or mode shows before any work is done.
    Gray pictures among RGB ones are read as RGB, and ``notes`` says so.

    Raises:
        MediaError: no files; a file that is no supported picture; one that differs from the first.
    """

    def __init__(self, paths: Sequence[Path], label: str, *, rate: Fraction | None = None) -> None:
        super().__init__()
        if not paths:
            raise MediaError(f"{label}: has no pictures")
        self.label = label
        self.rate = rate or DEFAULT_RATE
        self.count = len(paths)
        self._paths = tuple(paths)
        self._formats = []
        noted: set[str] = set()
        for path in paths:
            kind = probe(path)
            if kind.frames > 1:
                raise MediaError(f"{path}: is an animation of {kind.frames} pictures; open it by itself")
            self._formats.append(kind.format)
            self.notes += [f"{path}: {text}" for text in kind.notes if text not in noted]
            noted.update(kind.notes)
        self.format = self._formats[0]
        gray = [path for path, of in zip(paths, self._formats, strict=True) if of.sample_format is SampleFormat.GRAY]
        if 0 < len(gray) < len(paths):
            self.format = PictureFormat(self.format.width, self.format.height, SampleFormat.RGB)
            self.note(f"{label}: gray pictures among RGB, {len(gray)} such as {gray[0].name}, are read as RGB")
        for path, picture_format in zip(paths, self._formats, strict=True):
            self._refuse_other_size(path, picture_format)

    def _refuse_other_size(self, path: Path, picture_format: PictureFormat) -> None:
        """Raise `MediaError` where a picture is not as large as the first."""
        if (picture_format.width, picture_format.height) != (self.format.width, self.format.height):
            raise MediaError(f"{path}: is {picture_format}, unlike the first, {self._paths[0]}: {self._formats[0]}")

    def __iter__(self) -> Iterator[Picture]:
        for path, expected in zip(self._paths, self._formats, strict=True):
            picture = read_still(path)
            if picture.format != expected:
                raise MediaError(f"{path}: is {picture.format} by now, and was {expected}")
            if picture.format != self.format:
                picture = Picture(self.format, tuple(picture.planes[0].copy() for _ in range(3)), picture.name)
            yield picture


class Animation(PictureSource):
    """The composed pictures of an animated GIF, APNG or WebP, or of a TIFF with several pages.

    Opening reads the file once to learn how long each picture is shown; see `rate_of`.
    """

    def __init__(self, path: Path, *, rate: Fraction | None = None) -> None:
        super().__init__()
        self.label = os.fspath(path)
        self._path = path
        kind = probe(path)
        self.format = kind.format
        self.count = kind.frames
        for text in kind.notes:
            self.note(f"{path}: {text}")
        if rate is None:
            times = frame_times(path)
            rate = rate_of(times, kind.tick_ms)
            if not is_steady(times, kind.tick_ms):
                shown = f"{float(min(times)):g} to {float(max(times)):g} ms"
                self.note(f"{path}: pictures shown for {shown} each; all take their mean, {float(rate):.6g} a second")
        self.rate = rate

    def __iter__(self) -> Iterator[Picture]:
        for picture, _ in read_frames(self._path):
            yield picture


def is_steady(times_ms: Sequence[Fraction], tick_ms: int) -> bool:
    """Whether pictures shown that long each have one rate, as far as a clock of ``tick_ms`` can tell."""
    shortest, longest = min(times_ms), max(times_ms)
    return longest - shortest <= tick_ms and (shortest > 0 or longest == 0)


def rate_of(times_ms: Sequence[Fraction], tick_ms: int) -> Fraction:
    """Pictures per second, of pictures shown that many milliseconds each by a clock of ``tick_ms``.

    It is the number of pictures by their total time; 25 where that is 0, as a file has it that does not say.
    Times that differ by one tick are a rate that the clock cannot express: the whole number that fits the total to a
    tick, if there is one.
    """
    count, total_ms = len(times_ms), sum(times_ms, Fraction(0))
    if not total_ms:
        return DEFAULT_RATE
    rate = 1000 * count / total_ms
    whole = max(round(rate), 1)
    is_rounded = min(times_ms) < max(times_ms) and is_steady(times_ms, tick_ms)
    if is_rounded and abs(total_ms - Fraction(1000 * count, whole)) <= tick_ms:
        return Fraction(whole)
    if rate < 1:
        return 1 / (1 / rate).limit_denominator(1001)
    return rate.limit_denominator(1001)  # 1001 for rates such as 30000/1001


def open_image(path: Path, rate: Fraction | None = None) -> PictureSource:
    """A still picture as a sequence of one, or an animation."""
    if probe(path).frames > 1:
        return Animation(path, rate=rate)
    return ImageFiles([path], os.fspath(path), rate=rate)
