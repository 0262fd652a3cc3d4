"""What every source of pictures offers, and what all of them refuse."""

from __future__ import annotations

import abc
import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Self

from codec.errors import MediaError
from codec.picture.alpha import is_opaque
from codec.picture.planes import Picture, PictureFormat
from codec.whole_file import InputFile

__all__ = ["DEFAULT_RATE", "MAX_PIXELS", "PictureSource", "is_steady", "rate_of", "refuse_size"]

DEFAULT_RATE = Fraction(25)  # pictures per second where nothing says otherwise
MAX_PIXELS = 1 << 26  # 8192 × 8192, as 4:4:4 201 MB: a hostile header must not ask for more than a PC has


class PictureSource(abc.ABC):
    """A sequence of pictures that are read one at a time, however long it is.

    ``format`` is what all pictures have in common, ``rate`` is pictures per second.
    ``count`` is the number of pictures, or None where that is not known (a pipe).
    ``label`` names the source in messages.
    ``notes`` say what does not come through as it is in the file, such as a colour profile; reading may add some.
    ``transparent`` says where the first pixel is that is not opaque, as far as that is known before iterating.
    ``files`` are those that are read, and that must not be replaced meanwhile.
    Each iteration starts again from the first picture, unless ``reads_once``, as of a pipe.
    Iterating raises `MediaError` where a picture is missing, damaged, or of another format than the first.
    """

    def __init__(
        self, label: str, picture_format: PictureFormat, rate: Fraction | None = None, count: int | None = None
    ) -> None:
        self.label, self.format, self.count = label, picture_format, count
        self.rate = rate or DEFAULT_RATE
        self.notes: list[str] = []
        self.reads_once = False
        self.transparent: str | None = None
        self.files: Sequence[InputFile] = ()
        self._resources = contextlib.ExitStack()

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Picture]:
        """The pictures, in order; ``Picture.name`` is the file's base name where each has its own file."""

    @property
    def file_bytes(self) -> int | None:
        """Size of ``files``, or None where there are none, as of a pipe."""
        found = [os.stat(file) for file in self.files]  # noqa: PTH116  also of descriptors
        regular = [status.st_size for status in found if stat.S_ISREG(status.st_mode)]
        return sum(regular) if regular else None

    def leave_out_opaque_alpha(self) -> None:
        """Look for the first picture that is not opaque; where there is none, all are without alpha from now on."""
        if not self.format.sample_format.has_alpha:
            return
        for number, picture in enumerate(self):
            if not is_opaque(picture):
                self.transparent = f"{self.label}: picture {number}"
                return
        self.format = self.format.opaque()

    def note(self, text: str) -> None:
        """Add to ``notes``, once."""
        if text not in self.notes:
            self.notes.append(text)

    def closes(self, resource: contextlib.AbstractContextManager[object]) -> None:
        """Close a file, too, when the source is closed."""
        self._resources.push(resource)

    def close(self) -> None:
        """Close the files that are still open; calling it again does nothing."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def refuse_size(label: str, width: int, height: int) -> None:
    """Raise `MediaError` where a picture is empty or has more than `MAX_PIXELS` pixels."""
    if width < 1 or height < 1:
        raise MediaError(f"{label}: pictures of {width}×{height}; at least 1×1 is needed")
    if width * height > MAX_PIXELS:
        raise MediaError(f"{label}: pictures of {width}×{height}; at most {MAX_PIXELS} pixels are accepted")


def is_steady(times_ms: Sequence[Fraction], tick_ms: Fraction | int) -> bool:
    """Whether pictures shown that long each have one rate, as far as a clock of ``tick_ms`` can tell."""
    shortest, longest = min(times_ms), max(times_ms)
    return longest - shortest <= tick_ms and (shortest > 0 or longest == 0)


def rate_of(times_ms: Sequence[Fraction], tick_ms: Fraction | int) -> Fraction:
    """Pictures per second, of pictures shown that many milliseconds each by a clock of ``tick_ms``.

    It is the number of pictures by their total time; 25 where that is 0, as in a file that does not say.
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
