"""GIF, APNG and animated WebP files, written picture by picture.

Pillow compresses each picture as a file of its own, and this module puts what is inside into one animation.
Pillow's own animation writers hold all pictures in memory, and join equal ones, which changes their number.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import BinaryIO

from codec.picture.colour import to_array
from codec.picture.gif_blocks import EXTENSION, IMAGE, TRAILER, split_image
from codec.picture.images import encoded, gif_image
from codec.picture.planes import Picture, PictureFormat
from codec.picture.png_chunks import SIGNATURE, chunk, chunks

__all__ = ["apng_writer", "gif_writer", "webp_writer"]


def _tick(number: int, rate: Fraction, ticks_per_second: int) -> int:
    """When picture ``number`` starts, rounded to a clock tick; differences add up without drift."""
    return int(number * ticks_per_second / rate + Fraction(1, 2))


# APNG: https://www.w3.org/TR/png-3/#apng-frame-based-animation


def _apng_delay(rate: Fraction) -> tuple[int, int]:
    """Seconds a picture is shown, as the nearest ratio of two 16-bit numbers."""
    delay = (1 / rate).limit_denominator(65535)
    return min(delay.numerator, 65535), delay.denominator


@contextlib.contextmanager
def apng_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """APNG into ``file``: every picture whole, played for ever; the number of pictures is written last."""
    count = sequence_number = 0
    delay = _apng_delay(rate)
    size = picture_format.width, picture_format.height
    count_offset = 0

    def write(picture: Picture) -> None:
        nonlocal count, sequence_number, count_offset
        png = list(chunks(io.BytesIO(encoded(to_array(picture), "PNG")), "PNG"))
        if count == 0:
            header = next(payload for kind, payload in png if kind == b"IHDR")
            file.write(SIGNATURE + chunk(b"IHDR", header))
            count_offset = file.tell()
            file.write(chunk(b"acTL", struct.pack(">II", 1, 0)))
        control = struct.pack(">IIIIIHHBB", sequence_number, *size, 0, 0, *delay, 0, 0)
        file.write(chunk(b"fcTL", control))
        sequence_number += 1
        data = b"".join(payload for kind, payload in png if kind == b"IDAT")
        if count == 0:
            file.write(chunk(b"IDAT", data))
        else:
            file.write(chunk(b"fdAT", struct.pack(">I", sequence_number) + data))
            sequence_number += 1
        count += 1

    yield write
    file.write(chunk(b"IEND", b""))
    file.seek(count_offset)
    file.write(chunk(b"acTL", struct.pack(">II", count, 0)))


# GIF: https://www.w3.org/Graphics/GIF/spec-gif89a.txt


@contextlib.contextmanager
def gif_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """GIF into ``file``: each picture whole, with its own colours; times in 1/100 s; played for ever."""
    file.write(b"GIF89a" + struct.pack("<HHBBB", picture_format.width, picture_format.height, 0, 0, 0))
    file.write(EXTENSION + b"\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    count = 0

    def write(picture: Picture) -> None:
        nonlocal count
        image = split_image(gif_image(to_array(picture)))
        hundredths = min(_tick(count + 1, rate, 100) - _tick(count, rate, 100), 65535)
        file.write(EXTENSION + b"\xf9\x04" + struct.pack("<BHB", 0, hundredths, 0) + b"\x00")
        table_code = (len(image.table) // 3).bit_length() - 2  # log2 of the number of colours, less one
        file.write(IMAGE + struct.pack("<HHHHB", *image[:4], 0x80 | table_code) + image.table + image.data)
        count += 1

    yield write
    file.write(TRAILER)


# WebP: https://developers.google.com/speed/webp/docs/riff_container


def _riff_chunk(kind: bytes, payload: bytes) -> bytes:
    """One RIFF chunk, padded to an even length."""
    return struct.pack("<4sI", kind, len(payload)) + payload + b"\0" * (len(payload) % 2)


def _uint24(value: int) -> bytes:
    """Three bytes, lowest first; ``value`` in 0…2**24 − 1."""
    return value.to_bytes(3, "little")


@contextlib.contextmanager
def webp_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """Lossless WebP into ``file``: every picture whole, times in 1/1000 s, played for ever."""
    size = _uint24(picture_format.width - 1) + _uint24(picture_format.height - 1)
    file.write(struct.pack("<4sI4s", b"RIFF", 0, b"WEBP"))
    file.write(_riff_chunk(b"VP8X", b"\x02\0\0\0" + size))  # 2: is an animation
    file.write(_riff_chunk(b"ANIM", struct.pack("<IH", 0xFF000000, 0)))  # black behind; 0: for ever
    count = 0

    def write(picture: Picture) -> None:
        nonlocal count
        webp = encoded(to_array(picture), "WEBP")
        assert webp[12:16] == b"VP8L", "a lossless WebP without metadata is one VP8L chunk"
        milliseconds = min(_tick(count + 1, rate, 1000) - _tick(count, rate, 1000), (1 << 24) - 1)
        frame = _uint24(0) + _uint24(0) + size + _uint24(milliseconds) + b"\x02"  # 2: replaces what is below
        file.write(_riff_chunk(b"ANMF", frame + webp[12:]))
        count += 1

    yield write
    length = file.tell()
    if length > 0xFFFFFFFF:
        raise OverflowError("a WebP file holds at most 4 GiB")
    file.seek(4)
    file.write(struct.pack("<I", length - 8))
