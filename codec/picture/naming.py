"""Names of picture files: suffixes, natural order, gaps, printf patterns, names that are safe to restore."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from codec.errors import ConfigError, MediaError
from codec.picture.film_coding import FILM_SUFFIXES

__all__ = [
    "STILL_SUFFIXES",
    "VIDEO_SUFFIXES",
    "NumberPattern",
    "has_number_conversion",
    "natural_key",
    "plain_name",
    "refuse_gaps",
    "refuse_other_suffix",
]

# Files whose names are pictures'; in a folder no others are looked at.
STILL_SUFFIXES = frozenset(
    ".png .apng .jpg .jpeg .jpe .jfif .bmp .dib .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split()  # noqa: SIM905
)
VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mkv .mov .avi .webm .mpg .mpeg .m2v .ts .m2ts .mts .vob .wmv .flv .ogv .3gp .mxf .ivf .264 .h264 .265 "  # noqa: SIM905
    ".h265 .hevc .av1".split()
)

NaturalKey = tuple[tuple[tuple[str | int, ...], ...], str]

_DIGITS = re.compile("([0-9]+)")
_LAST_NUMBER = re.compile(r"(.*?)([0-9]+)((?:\.[^.]*)?)", re.DOTALL)
_LAST_RUN = re.compile(r"[0-9]*[^0-9]*\Z")
_CONVERSION = re.compile(r"%(?:0([1-9]))?d")

_MAX_NAME_BYTES = 255  # what common file systems allow
_KEPT_END_BYTES = 40  # at the end of a name too long, for its number and suffix
_SPECIAL = frozenset('/\\<>:"|?*')  # separators, and what Windows keeps for itself
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def natural_key(path: str | Path) -> NaturalKey:
    """Sort key that puts ``frame2`` before ``frame10``: digits compare as numbers, letters without case.

    Folders compare before names, and the spelling decides between equals (``1.png`` and ``01.png``).
    """
    parts = []
    for part in Path(path).parts:
        texts_and_numbers = _DIGITS.split(part)  # odd places are digits, so places always compare like with like
        parts.append(tuple(int(run) if place % 2 else run.casefold() for place, run in enumerate(texts_and_numbers)))
    return tuple(parts), str(path)


def refuse_gaps(paths: Sequence[Path], *, any_step: bool = False) -> None:
    """Raise `MediaError` that names the first missing file of a numbered sequence in natural order.

    Paths that differ in more than their last number are not a numbered sequence, and have no gaps.
    ``any_step`` accepts a constant step, as in every tenth picture.
    Both ``f-1`` and ``f1`` are refused: nobody can tell a minus sign from a hyphen.
    """
    _refuse_signs(paths)
    matches = [_LAST_NUMBER.fullmatch(str(path)) for path in paths]
    parts = [match.groups() for match in matches if match]  # such as "frames/img", "0012", ".png"
    if len(parts) != len(paths) or len({(before, after) for before, _, after in parts}) != 1:
        return
    numbers = [int(digits) for _, digits, _ in parts]
    steps = [there - here for here, there in pairwise(numbers) if there > here]
    step = min(steps, default=1) if any_step else 1
    for (here, there), (before, digits, after), path in zip(pairwise(numbers), parts, paths, strict=False):
        if there - here > step:
            missing = f"{before}{here + step:0{len(digits)}d}{after}"
            raise MediaError(f"{missing}: missing; the sequence goes from {path.name} to number {there}")


def _refuse_signs(paths: Sequence[Path]) -> None:
    """Raise `MediaError` where names differ only in a ``-`` before a number, which may mean "below zero" or nothing."""
    shapes = {_DIGITS.sub("#", str(path)): path for path in paths}
    for shape, path in shapes.items():
        for hyphen in re.finditer("-#", shape):
            other = shapes.get(shape[: hyphen.start()] + shape[hyphen.start() + 1 :])
            if other:
                raise MediaError(
                    f"{path}: is this before or behind {other}? Name the pictures by numbers from 0 up, without a sign"
                )


def _without_percent_signs(text: str) -> str:
    """``text`` with a zero byte, which no path has, in place of each ``%%``."""
    return text.replace("%%", "\0")


def has_number_conversion(text: str) -> bool:
    """Whether ``text`` holds a printf conversion such as ``%d`` or ``%04d``."""
    return bool(_CONVERSION.search(_without_percent_signs(text)))


@dataclass(frozen=True)
class NumberPattern:
    """A printf pattern: in ``folder``, ``before``, a number of at least ``width`` digits, ``after``."""

    folder: Path
    before: str
    width: int
    after: str

    @classmethod
    def parse(cls, text: str) -> NumberPattern:
        """The pattern in ``text``: one ``%d`` or ``%0Nd`` (N in 1…9) in its last part; ``%%`` is ``%``.

        Raises:
            MediaError: no conversion there, more than one, or one in the folder's name.
        """
        path = Path(text)
        parts = _CONVERSION.split(_without_percent_signs(path.name))
        if len(parts) != 3 or has_number_conversion(str(path.parent)):
            raise MediaError(f"{text}: a pattern has one number, such as %04d, and has it in the file's name")
        before, width, after = parts
        return cls(path.parent, before.replace("\0", "%"), int(width or 0), after.replace("\0", "%"))

    def name(self, number: int) -> str:
        """The file name for ``number`` ≥ 0."""
        return f"{self.before}{number:0{self.width}d}{self.after}"

    def number(self, name: str) -> int | None:
        """The number that gives ``name``, or None where no number does."""
        match = re.fullmatch(f"{re.escape(self.before)}([0-9]+){re.escape(self.after)}", name)
        return int(match[1]) if match and self.name(int(match[1])) == name else None


def refuse_other_suffix(path: str | os.PathLike[str]) -> None:
    """Raise `ConfigError` where an ``.mvz`` file would get a name that promises pictures, a video or an array."""
    text = os.fspath(path)
    suffix = Path(text).suffix.lower()
    if suffix in STILL_SUFFIXES | VIDEO_SUFFIXES | {".y4m", ".yuv", ".npy", ".npz"}:
        name = Path(text).with_suffix(".mvz")
        target = text if suffix in (".y4m", ".npy", ".gif", ".apng", ".webp", *FILM_SUFFIXES) else "FOLDER"
        target = f"- | ffmpeg -i - {text}" if suffix in VIDEO_SUFFIXES.difference(FILM_SUFFIXES) else target
        raise ConfigError(
            f"{text}: an .mvz file is made, not {suffix}; call it {name}, and then: mvz decode {name} -o {target}"
        )


def plain_name(name: str) -> str:
    """``name``, which may come from a hostile file, or the nearest that is safe to create in a folder of our choice.

    It is one plain path component on every common system.
    So it has no separators, drive letters, control or direction-changing characters, and is no device.
    Nor does it start with ``.`` (hidden, ``..``) or ``-`` (reads as an option).
    Nor does it end with a blank or dot: Windows drops it, and two names become one file.
    A ``_`` takes the place of what cannot stay, and of the middle of a name too long, which keeps number and suffix.
    """
    kept = "".join("_" if not sign.isprintable() or sign in _SPECIAL else sign for sign in name)
    kept = re.sub(r"^[.\- ]|[. ]$", "_", kept)
    if match := _WINDOWS_DEVICES.fullmatch(kept):
        kept = f"{match[1]}_{match[2] or ''}"
    if len(kept.encode()) > _MAX_NAME_BYTES:
        # the start is as long in all names of a sequence, so that they stay in order
        end = _cut(_LAST_RUN.findall(kept[-_KEPT_END_BYTES:])[0][::-1], _KEPT_END_BYTES)[::-1]
        kept = f"{_cut(kept[: -len(end)], _MAX_NAME_BYTES - 1 - _KEPT_END_BYTES)}_{end}"
    return kept


def _cut(text: str, most: int) -> str:
    """As much of the start of ``text`` as ``most`` bytes hold."""
    return text.encode()[:most].decode(errors="ignore")
