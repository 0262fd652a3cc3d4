"""Arguments that callers get wrong, and what they may write instead."""

from __future__ import annotations

import os
import re
from fractions import Fraction

from codec.errors import ConfigError

__all__ = ["bit_rate", "byte_size", "expect_type", "file_name", "picture_rate"]

MAX_TERM = (1 << 32) - 1  # numerator and denominator have 32 bits in the file (spec 5.2)
_NUMBER = re.compile(r"-?[0-9]{1,20}(/[0-9]{1,20}|(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?)")
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([kKmMgG]i?)?(.*)")
_TIMES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_NTSC = tuple(Fraction(1000 * nominal, 1001) for nominal in (24, 30, 48, 60, 120, 240))


def expect_type(value: object, kind: type | tuple[type, ...], said: str) -> None:
    """Refuse an argument that is nothing of the kind; ``said`` is what it should be, as a sentence.

    Raises:
        ConfigError: it is of another type.
    """
    if not isinstance(value, kind):
        raise ConfigError(f"{said}, not {type(value).__name__}")


def file_name(path: object, said: str) -> str:
    """A path as text that some file may have; ``said`` is what it should be, as a sentence.

    Raises:
        ConfigError: it is no path, or no file can have that name.
    """
    expect_type(path, (str, os.PathLike), said)
    try:
        text = os.fspath(path)  # type: ignore[call-overload]
        if 0 not in os.fsencode(text):
            return os.fsdecode(text)
    except (TypeError, UnicodeEncodeError) as error:
        raise ConfigError(f"{said}; {path!r} cannot be one: {error}") from error
    raise ConfigError(f"{said}; {text!r} cannot be one: it has a zero byte")


def picture_rate(value: object) -> Fraction:
    """A rate from a whole number, a fraction, a decimal, or the text of one.

    A decimal that is a rate of NTSC, rounded to at least two places, is that rate: 29.97 is 30000/1001, 23.976 is
    24000/1001. Other decimals are what they say, or the nearest ratio with terms of 20 bits.

    Raises:
        ConfigError: it is no number, not more than 0, or no ratio of two 32-bit numbers.
    """
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        rate: Fraction | None = Fraction(value)
    else:
        rate = _read(str(value).strip())
    if rate is None:
        found = str(value)[:40]
        raise ConfigError(f"{found!r} is not a number of pictures per second, such as 25, 29.97 or 30000/1001")
    if rate <= 0:
        raise ConfigError("a rate is more than 0 pictures per second")
    if max(rate.numerator, rate.denominator) > MAX_TERM:
        raise ConfigError("a rate is a ratio of two numbers of at most 32 bits, such as 30000/1001")
    return rate


def byte_size(name: str, value: object) -> int:
    """A number of bytes, from a whole number or from text such as 2MB, 500kB, 1.5MiB or 2M; k is 1000, Ki 1024.

    Raises:
        ConfigError: it is none, or less than 1; the message starts with ``name``.
    """
    return _amount(name, value, ("", "B", "b", "bytes"), "bytes, such as 2MB, 500kB, 2MiB or 2000000")


def bit_rate(name: str, value: object) -> int:
    """Bits a second, from a whole number or from text such as 800k, 1.5Mbit or 1.5Mbit/s.

    Raises:
        ConfigError: it is none, or less than 1; the message starts with ``name``.
    """
    units = ("", "b", "bit", "bits", "b/s", "bit/s", "bps")
    return _amount(name, value, units, "bits a second, such as 800k, 1.5Mbit or 1500000")


def _amount(name: str, value: object, units: tuple[str, ...], said: str) -> int:
    """A whole number from 1, or the text of a number that is rounded to one, with a unit of ``units`` or none."""
    amount = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if isinstance(value, str) and (match := _AMOUNT.fullmatch(value.strip())) and match[3] in units:
        amount = round(Fraction(match[1]) * _TIMES[(match[2] or "").lower()])
    if amount < 1:
        raise ConfigError(f"{name} is a number of {said}, not {value!r}")
    return amount


def _read(text: str) -> Fraction | None:
    """The number that a text is, if it is one."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        rate = Fraction(text)
    except ZeroDivisionError:
        return None
    if "." in text:
        # a float has up to 15 places
        rate = next((ntsc for ntsc in _NTSC if rate in {round(ntsc, places) for places in range(2, 16)}), rate)
        if rate.denominator > MAX_TERM:
            rate = rate.limit_denominator(1 << 20)
    return rate
