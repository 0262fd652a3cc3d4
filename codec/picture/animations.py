"""GIF, APNG, animated WebP and TIFF files, written picture by picture.

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

from codec.picture.colour import image_samples, to_array
from codec.picture.images import encoded, gif_blocks, tiff_pages
from codec.picture.layers import PNG_SIGNATURE, chunk, chunks
from codec.picture.planes import Picture, PictureFormat

__all__ = ["apng_writer", "gif_writer", "tiff_writer", "webp_writer"]


def _duration(number: int, rate: Fraction, ticks_per_second: int, bits: int) -> int:
    """Clock ticks that picture ``number`` is shown, as ``bits`` hold them.

    They go from one rounded start to the next, so that they add up without drift.
    """
    start, end = (int(at * ticks_per_second / rate + Fraction(1, 2)) for at in (number, number + 1))
    return min(end - start, (1 << bits) - 1)


@contextlib.contextmanager
def apng_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """APNG into ``file``: every picture whole, played for ever (https://www.w3.org/TR/png-3/#apng-frame-based-animation).

    The number of pictures, which stands before them, is written last.
    """
    count = count_offset = 0
    delay = (1 / rate).limit_denominator(65535)  # seconds, as a ratio of two 16-bit numbers
    place = picture_format.width, picture_format.height, 0, 0

    def write(picture: Picture) -> None:
        nonlocal count, count_offset
        png = list(chunks(io.BytesIO(encoded(image_samples(picture), "PNG")), "PNG"))
        if count == 0:
            header = next(payload for kind, payload in png if kind == b"IHDR")
            file.write(PNG_SIGNATURE + chunk(b"IHDR", header))
            count_offset = file.tell()
            file.write(chunk(b"acTL", struct.pack(">II", 1, 0)))
        # fcTL and fdAT chunks are numbered together, and the first picture has no fdAT
        control = *place, min(delay.numerator, 65535), delay.denominator, 0, 0
        file.write(chunk(b"fcTL", struct.pack(">IIIIIHHBB", max(2 * count - 1, 0), *control)))
        data = b"".join(payload for kind, payload in png if kind == b"IDAT")
        file.write(chunk(b"fdAT", struct.pack(">I", 2 * count) + data) if count else chunk(b"IDAT", data))
        count += 1

    yield write
    file.write(chunk(b"IEND", b""))
    file.seek(count_offset)
    file.write(chunk(b"acTL", struct.pack(">II", count, 0)))


@contextlib.contextmanager
def gif_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """GIF into ``file``: each picture whole, with its own colours, times in 1/100 s, played for ever."""
    file.write(b"GIF89a" + struct.pack("<HHBBB", picture_format.width, picture_format.height, 0, 0, 0))
    file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
    count = 0

    def write(picture: Picture) -> None:
        nonlocal count
        file.write(gif_blocks(to_array(picture), _duration(count, rate, 100, bits=16)))
        count += 1

    yield write
    file.write(b";")


def _riff_chunk(kind: bytes, payload: bytes) -> bytes:
    """One RIFF chunk, padded to an even length."""
    return struct.pack("<4sI", kind, len(payload)) + payload + b"\0" * (len(payload) % 2)


@contextlib.contextmanager
def webp_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """Lossless WebP into ``file``: every picture whole, times in 1/1000 s, played for ever.

    https://developers.google.com/speed/webp/docs/riff_container
    """
    size = b"".join((side - 1).to_bytes(3, "little") for side in (picture_format.width, picture_format.height))
    file.write(struct.pack("<4sI4s", b"RIFF", 0, b"WEBP"))
    flags = 0x12 if picture_format.sample_format.has_alpha else 2  # 2: is an animation; 16: has alpha
    file.write(_riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size))
    file.write(_riff_chunk(b"ANIM", struct.pack("<IH", 0xFF000000, 0)))  # black behind; 0: for ever
    count = 0

    def write(picture: Picture) -> None:
        nonlocal count
        webp = encoded(to_array(picture), "WEBP")
        assert webp[12:16] == b"VP8L", "a lossless WebP without metadata is one VP8L chunk"
        milliseconds = _duration(count, rate, 1000, bits=24).to_bytes(3, "little")
        frame = bytes(6) + size + milliseconds + b"\x02"  # from the left and top corner; 2: replaces what is below
        file.write(_riff_chunk(b"ANMF", frame + webp[12:]))
        count += 1

    yield write
    length = file.tell()
    if length > 0xFFFFFFFF:
        raise OverflowError("a WebP file holds at most 4 GiB")
    file.seek(4)
    file.write(struct.pack("<I", length - 8))


@contextlib.contextmanager
def tiff_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """TIFF into ``file``: a page a picture, without compression."""
    del picture_format, rate  # each page has its own format, and none a time
    with tiff_pages(file) as pages:

        def write(picture: Picture) -> None:
            page = encoded(image_samples(picture), "TIFF")
            if file.tell() + len(page) > 0xFFFFFFFF:
                raise OverflowError("a TIFF file holds at most 4 GiB")
            pages.write(page)
            pages.newFrame()

        yield write
