"""What plug-ins share: the options that a host hands on, and the file of a first picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

import codec
from codec.arguments import picture_rate
from codec.whole_file import OutputFile

__all__ = ["file_of", "seconds_of", "settings_of"]


def settings_of(options: Mapping[str, Any]) -> codec.Settings:
    """Settings of those options whose names are fields of `codec.Settings`; a number as quality is another format's."""
    found = {each.name: options[each.name] for each in fields(codec.Settings) if each.name in options}
    if isinstance(found.get("quality"), int):
        del found["quality"]
    return codec.Settings(**found)


def file_of(
    first: codec.Picture,
    file: OutputFile,
    settings: codec.Settings,
    rate: Fraction | float | str | None,
    metadata: dict[str, str] | None = None,
) -> codec.Writer:
    """A new file of pictures like ``first``, whose duration gives the rate where there is none."""
    picture_format = first.format if settings.keeps_alpha else first.format.opaque()
    if rate is None:
        rate = 1 / first.duration if first.duration else 25
    return codec.Writer(file, format=picture_format, settings=settings, rate=rate, metadata=metadata, force=True)


def seconds_of(milliseconds: float) -> Fraction | None:
    """How long a picture is shown, of a number that may be rounded, such as 33.367; None of 0, which says nothing."""
    return 1 / picture_rate(1000 / milliseconds) if milliseconds else None
