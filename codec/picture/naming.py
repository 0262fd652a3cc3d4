"""Names of picture files: natural order, gaps in numbers, printf patterns, names that are safe to restore."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from codec.errors import MediaError

__all__ = [
    "NumberPattern",
    "has_number_conversion",
    "is_plain_name",
    "natural_key",
    "refuse_gaps",
]

NaturalKey = tuple[tuple[tuple[str | int, ...], ...], str]

_DIGITS = re.compile("([0-9]+)")
_LAST_NUMBER = re.compile(r"(.*?)([0-9]+)((?:\.[^.]*)?)", re.DOTALL)
_CONVERSION = re.compile(r"%%|%(?:0([1-9]))?d")

_MAX_NAME_BYTES = 200  # file systems allow 255; a temporary suffix must still fit
_WINDOWS_SPECIAL = frozenset('<>:"|?*')
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


class _Numbered(NamedTuple):
    """A path split around its last number, as in ``frames/img`` ``0012`` ``.png``."""

    before: str
    digits: str
    after: str


def refuse_gaps(paths: Sequence[Path], *, any_step: bool = False) -> None:
    """Raise `MediaError` that names the first missing file of a numbered sequence in natural order.

    Paths that differ in more than their last number are not a numbered sequence, and have no gaps.
    ``any_step`` accepts a constant step, as in every tenth picture.
    """
    matches = [_LAST_NUMBER.fullmatch(str(path)) for path in paths]
    numbered = [_Numbered(*match.groups()) for match in matches if match]
    if len(numbered) != len(paths) or len({(name.before, name.after) for name in numbered}) != 1:
        return
    numbers = [int(name.digits) for name in numbered]
    steps = [there - here for here, there in pairwise(numbers) if there > here]
    step = min(steps, default=1) if any_step else 1
    for (here, there), name, path in zip(pairwise(numbers), numbered, paths, strict=False):
        if there - here > step:
            missing = f"{name.before}{here + step:0{len(name.digits)}d}{name.after}"
            raise MediaError(f"{missing}: missing; the sequence goes from {path.name} to number {there}")


def has_number_conversion(text: str) -> bool:
    """Whether ``text`` holds a printf conversion such as ``%d`` or ``%04d``."""
    return any(match.group() != "%%" for match in _CONVERSION.finditer(text))


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
        literals, widths = [""], []
        end = 0
        for match in _CONVERSION.finditer(path.name):
            literals[-1] += path.name[end : match.start()]
            end = match.end()
            if match.group() == "%%":
                literals[-1] += "%"
            else:
                widths.append(int(match.group(1) or 0))
                literals.append("")
        literals[-1] += path.name[end:]
        if len(widths) != 1 or has_number_conversion(str(path.parent)):
            raise MediaError(f"{text}: a pattern has one number, such as %04d, and has it in the file's name")
        return cls(path.parent, literals[0], widths[0], literals[1])

    def name(self, number: int) -> str:
        """The file name for ``number`` ≥ 0."""
        return f"{self.before}{number:0{self.width}d}{self.after}"

    def number(self, name: str) -> int | None:
        """The number that gives ``name``, or None where no number does."""
        if not (name.startswith(self.before) and name.endswith(self.after)):
            return None
        digits = name[len(self.before) : len(name) - len(self.after)]
        if not _DIGITS.fullmatch(digits) or self.name(int(digits)) != name:
            return None
        return int(digits)


def is_plain_name(name: str | None) -> bool:
    """Whether ``name``, which may come from a hostile file, is safe to create in a folder of our choice.

    It must be one plain path component on every common system.
    So it has no separators, drive letters, control or direction-changing characters, and is no device.
    Nor does it start with ``.`` (hidden, ``..``) or ``-`` (reads as an option).
    Nor does it end with a blank or dot: Windows drops it, and two names become one file.
    """
    return (
        name is not None
        and name.isprintable()
        and 0 < len(name.encode("utf-8", "surrogatepass")) <= _MAX_NAME_BYTES
        and not name.startswith((".", "-", " "))
        and not name.endswith((".", " "))
        and not _WINDOWS_SPECIAL.intersection(name)
        and "/" not in name
        and "\\" not in name
        and not _WINDOWS_DEVICES.fullmatch(name)
    )
