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

from codec.picture.attachments import chunk, kept, plays, png_chunks
from codec.picture.colour import image_samples, to_array
from codec.picture.deep_files import TiffWriter
from codec.picture.images import encoded, gif_blocks
from codec.picture.layers import PNG_SIGNATURE, chunks
from codec.picture.planes import Picture, PictureFormat

__all__ = ["apng_writer", "gif_writer", "tiff_writer", "webp_writer"]


class _Clock:
    """How many ticks each picture is shown, from one rounded start to the next, so that they add up without drift."""

    def __init__(self, rate: Fraction, ticks_per_second: int, bits: int) -> None:
        self._rate, self._ticks_per_second, self._most = rate, ticks_per_second, (1 << bits) - 1
        self._now = Fraction(0)  # seconds

    def ticks(self, picture: Picture) -> int:
        """Of the next picture, as ``bits`` hold them."""
        start = self._now
        self._now += _seconds(picture, self._rate)
        begin, end = (int(at * self._ticks_per_second + Fraction(1, 2)) for at in (start, self._now))
        return min(end - begin, self._most)


def _seconds(picture: Picture, rate: Fraction) -> Fraction:
    """How long a picture is shown."""
    return 1 / rate if picture.duration is None else picture.duration


@contextlib.contextmanager
def apng_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """APNG into ``file``: every picture whole (https://www.w3.org/TR/png-3/#apng-frame-based-animation).

    The number of pictures, which stands before them, is written last.
    """
    count = count_offset = times = 0
    place = picture_format.width, picture_format.height, 0, 0

    def write(picture: Picture) -> None:
        nonlocal count, count_offset, times
        png = list(chunks(io.BytesIO(encoded(image_samples(picture), "PNG")), "PNG"))
        if count == 0:
            header = next(payload for kind, payload in png if kind == b"IHDR")
            file.write(PNG_SIGNATURE + chunk(b"IHDR", header) + png_chunks(picture.attachments))
            count_offset, times = file.tell(), plays(picture.attachments)
            file.write(chunk(b"acTL", struct.pack(">II", 1, times)))
        delay = _seconds(picture, rate).limit_denominator(65535)  # a ratio of two 16-bit numbers
        # fcTL and fdAT chunks are numbered together, and the first picture has no fdAT
        control = *place, min(delay.numerator, 65535), delay.denominator, 0, 0
        file.write(chunk(b"fcTL", struct.pack(">IIIIIHHBB", max(2 * count - 1, 0), *control)))
        data = b"".join(payload for kind, payload in png if kind == b"IDAT")
        file.write(chunk(b"fdAT", struct.pack(">I", 2 * count) + data) if count else chunk(b"IDAT", data))
        count += 1

    yield write
    file.write(chunk(b"IEND", b""))
    file.seek(count_offset)
    file.write(chunk(b"acTL", struct.pack(">II", count, times)))


@contextlib.contextmanager
def gif_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """GIF into ``file``: each picture whole, with its own colours, times in 1/100 s."""
    file.write(b"GIF89a" + struct.pack("<HHBBB", picture_format.width, picture_format.height, 0, 0, 0))
    clock = _Clock(rate, 100, bits=16)
    is_first = True

    def write(picture: Picture) -> None:
        nonlocal is_first
        if is_first:
            attachments, is_first = kept(picture.attachments, ".gif"), False
            if (times := plays(attachments)) != 1:  # how often again, 0 for ever
                file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", max(times - 1, 0), 0))
            if "icc" in attachments:
                file.write(b"!\xff\x0bICCRGBG1012" + _sub_blocks(attachments["icc"]))
            if "text:Comment" in attachments:
                file.write(b"!\xfe" + _sub_blocks(attachments["text:Comment"]))
        file.write(gif_blocks(to_array(picture), clock.ticks(picture)))

    yield write
    file.write(b";")


def _sub_blocks(data: bytes) -> bytes:
    """What a GIF has in blocks of up to 255 bytes, each behind its size, and an empty one."""
    blocks = (data[place : place + 255] for place in range(0, len(data), 255))
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _riff_chunk(kind: bytes, payload: bytes) -> bytes:
    """One RIFF chunk, padded to an even length."""
    return struct.pack("<4sI", kind, len(payload)) + payload + b"\0" * (len(payload) % 2)


@contextlib.contextmanager
def webp_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """Lossless WebP into ``file``: every picture whole, times in 1/1000 s.

    https://developers.google.com/speed/webp/docs/riff_container
    """
    size = b"".join((side - 1).to_bytes(3, "little") for side in (picture_format.width, picture_format.height))
    clock = _Clock(rate, 1000, bits=24)
    attachments: dict[str, bytes] | None = None  # of the first picture

    def write(picture: Picture) -> None:
        nonlocal attachments
        if attachments is None:
            attachments = kept(picture.attachments, ".webp")
            flags = 2 | 16 * picture_format.sample_format.has_alpha  # 2: is an animation
            flags |= sum(flag for key, flag in (("icc", 32), ("exif", 8), ("xmp", 4)) if key in attachments)
            file.write(struct.pack("<4sI4s", b"RIFF", 0, b"WEBP"))
            file.write(_riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size))
            if "icc" in attachments:
                file.write(_riff_chunk(b"ICCP", attachments["icc"]))
            file.write(_riff_chunk(b"ANIM", struct.pack("<IH", 0xFF000000, plays(attachments))))  # black behind
        webp = encoded(to_array(picture), "WEBP")
        assert webp[12:16] == b"VP8L", "a lossless WebP without metadata is one VP8L chunk"
        milliseconds = clock.ticks(picture).to_bytes(3, "little")
        frame = bytes(6) + size + milliseconds + b"\x02"  # from the left and top corner; 2: replaces what is below
        file.write(_riff_chunk(b"ANMF", frame + webp[12:]))

    yield write
    for key, kind in (("exif", b"EXIF"), ("xmp", b"XMP ")):
        if attachments and key in attachments:
            file.write(_riff_chunk(kind, attachments[key]))
    length = file.tell()
    if length > 0xFFFFFFFF:
        raise OverflowError("a WebP file holds at most 4 GiB")
    file.seek(4)
    file.write(struct.pack("<I", length - 8))


@contextlib.contextmanager
def tiff_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """TIFF into ``file``: a page a picture, without compression."""
    del picture_format, rate  # each page has its own format, and none a time
    pages = TiffWriter(file)

    def write(picture: Picture) -> None:
        pages.write(image_samples(picture), picture.attachments)

    yield write
