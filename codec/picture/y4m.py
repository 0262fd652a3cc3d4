"""YUV4MPEG2 (Y4M): raw planes behind a one-line text header; read from files and pipes, and written."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from codec.errors import MediaError
from codec.picture.colour import rgb_to_yuv444
from codec.picture.planes import (
    ChromaSiting,
    Colour,
    ColourMatrix,
    ColourRange,
    Picture,
    PictureFormat,
    SampleFormat,
)
from codec.picture.sequence import DEFAULT_RATE, PictureSource, refuse_size

__all__ = ["SIGNATURE", "Y4mHeader", "Y4mSource", "header_line", "open_y4m", "parse_header", "y4m_writer"]

SIGNATURE = b"YUV4MPEG2"
_FRAME = b"FRAME"
_MAX_LINE = 1024  # bytes; mjpegtools, which defined the format, stops at 256

# C tag → planes and siting. The first spelling of each pair is the one that is written.
_CHROMA = {
    "420jpeg": (SampleFormat.YUV420, ChromaSiting.CENTRE),
    "420mpeg2": (SampleFormat.YUV420, ChromaSiting.LEFT),
    "420paldv": (SampleFormat.YUV420, ChromaSiting.PALDV),
    "420": (SampleFormat.YUV420, ChromaSiting.UNSPECIFIED),
    "422": (SampleFormat.YUV422, ChromaSiting.UNSPECIFIED),
    "444": (SampleFormat.YUV444, ChromaSiting.UNSPECIFIED),
    "mono": (SampleFormat.GRAY, ChromaSiting.UNSPECIFIED),
}
_CHROMA_TAG = {planes_and_siting: tag for tag, planes_and_siting in _CHROMA.items()}
_RANGE = {"FULL": ColourRange.FULL, "LIMITED": ColourRange.LIMITED}
_MEANT_COMMENTS = ("XYSCSS", "XCOLORRANGE")
_RANGE_TAG = {colour_range: name for name, colour_range in _RANGE.items()}


class Y4mHeader(NamedTuple):
    """What the first line says; ``rate`` is pictures per second."""

    format: PictureFormat
    rate: Fraction


def parse_header(label: str, line: bytes) -> Y4mHeader:
    """The header of a Y4M stream from its first line, without the line feed.

    Pixel aspect and comments are ignored, unknown rate (``F0:0``) is 25, an absent ``C`` is 420jpeg.
    Tags and names of colours may be in either case.

    Raises:
        MediaError: no Y4M, a malformed field, one with two values, or something else than progressive 8-bit pictures.
    """
    signature, *fields = line.decode("latin-1").split(" ")
    if signature != SIGNATURE.decode():
        raise MediaError(f"{label}: not Y4M; it starts with {line[:16]!r} instead of {SIGNATURE.decode()}")
    if line.endswith(b"\r"):
        raise MediaError(f"{label}: Y4M header ends in CR LF: it was written as text, which harms samples; write bytes")
    tags: dict[str, str] = {}
    for field in filter(None, fields):
        tag, value = _tag_and_value(field)
        if tags.setdefault(tag, value).lower() != value.lower() and (not tag.startswith("X") or tag in _MEANT_COMMENTS):
            raise MediaError(f"{label}: Y4M header field {tag} occurs twice, as {tags[tag]} and {value}")
    unknown = sorted(tag for tag in tags if tag not in "WHFIAC" and not tag.startswith("X"))
    if unknown:
        raise MediaError(f"{label}: unknown Y4M header field {unknown[0]}{tags[unknown[0]]}")
    if tags.get("I", "?").lower() not in ("p", "?"):
        raise MediaError(f"{label}: interlaced Y4M (I{tags['I']}); only progressive (Ip) is supported")
    width, height = (_size(label, tag, tags.get(tag, "")) for tag in "WH")
    refuse_size(label, width, height)
    planes, siting = _chroma(label, tags)
    colour = Colour(ColourMatrix.UNSPECIFIED, _range(label, tags), siting)
    return Y4mHeader(PictureFormat(width, height, planes, colour), _rate(label, tags.get("F", "0:0")))


def _tag_and_value(field: str) -> tuple[str, str]:
    """A header field split: ``W352`` is W and 352, ``XCOLORRANGE=FULL`` is XCOLORRANGE and FULL."""
    if field[0] in "Xx":
        name, _, value = field.partition("=")
        return name.upper(), value
    return field[0].upper(), field[1:]


def _size(label: str, tag: str, value: str) -> int:
    """Width or height; at most seven digits, more than any accepted picture has."""
    if not re.fullmatch("[0-9]{1,7}", value):
        raise MediaError(f"{label}: Y4M header field {tag} is {value!r}; a number of samples is needed")
    return int(value)


def _rate(label: str, value: str) -> Fraction:
    """Pictures per second of an ``F`` field such as 30000:1001; at most 32 bits each, 0:0 is unknown."""
    match = re.fullmatch("([0-9]{1,10}):([0-9]{1,10})", value)
    numerator, denominator = (int(part) for part in match.groups()) if match else (-1, -1)
    if numerator == denominator == 0:
        return DEFAULT_RATE
    if not (0 < numerator < 1 << 32 and 0 < denominator < 1 << 32):
        raise MediaError(f"{label}: Y4M header field F is {value!r}; a rate such as 25:1 is needed")
    return Fraction(numerator, denominator)


def _chroma(label: str, tags: dict[str, str]) -> tuple[SampleFormat, ChromaSiting]:
    """Planes and siting of the ``C`` field; without one, what old writers put into ``XYSCSS``."""
    value = tags.get("C", tags.get("XYSCSS", "420jpeg")).lower()
    if value not in _CHROMA:
        raise MediaError(f"{label}: Y4M colour space {value!r}; supported are {', '.join(_CHROMA)} (8 bits)")
    return _CHROMA[value]


def _range(label: str, tags: dict[str, str]) -> ColourRange:
    """Colour range of ``XCOLORRANGE``; unspecified without it."""
    value = tags.get("XCOLORRANGE")
    if value is None:
        return ColourRange.UNSPECIFIED
    if value.upper() not in _RANGE:
        raise MediaError(f"{label}: Y4M colour range {value!r}; FULL or LIMITED is needed")
    return _RANGE[value.upper()]


def header_line(picture_format: PictureFormat, rate: Fraction) -> bytes:
    """The first line of a Y4M stream, with its line feed; `parse_header` inverts it but for the matrix."""
    colour = picture_format.colour
    key = picture_format.sample_format, colour.siting
    chroma = _CHROMA_TAG.get(key) or _CHROMA_TAG[picture_format.sample_format, ChromaSiting.UNSPECIFIED]
    colour_range = f" XCOLORRANGE={_RANGE_TAG[colour.range]}" if colour.range in _RANGE_TAG else ""
    line = (
        f"{SIGNATURE.decode()} W{picture_format.width} H{picture_format.height}"
        f" F{rate.numerator}:{rate.denominator} Ip A0:0 C{chroma}{colour_range}\n"
    )
    return line.encode("ascii")


class Y4mSource(PictureSource):
    """The pictures of a Y4M file or pipe.

    ``file`` is a buffered binary stream at its first byte.
    The source closes it when ``owned``; otherwise it belongs to the caller, as stdin does.
    """

    def __init__(self, file: BinaryIO, label: str, *, owned: bool, rate: Fraction | None = None) -> None:
        line = file.readline(_MAX_LINE)
        if line.startswith(SIGNATURE) and not line.endswith(b"\n"):
            raise MediaError(f"{label}: Y4M header has no line end within {len(line)} bytes")
        header = parse_header(label, line.removesuffix(b"\n"))
        super().__init__(label, header.format, rate or header.rate)
        if owned:
            self.closes(file)
        self._file = file
        self._first_frame = file.tell() if file.seekable() else None
        self._started = False
        self.count = self._frames_in_file()

    def _frames_in_file(self) -> int | None:
        """How many frames a seekable file has, by hopping from header to header; None where that fails.

        Damage is not reported here but by iterating, with the frame's number.
        """
        if self._first_frame is None:
            return None
        end = self._file.seek(0, 2)
        position = self._file.seek(self._first_frame)
        frames = 0
        while position < end:
            line = self._file.readline(_MAX_LINE)
            position += len(line) + self.format.sample_count
            if not _is_frame_header(line) or position > end:
                return None
            self._file.seek(position)
            frames += 1
        return frames

    def __iter__(self) -> Iterator[Picture]:
        if self._first_frame is None and self._started:
            raise MediaError(f"{self.label}: a pipe can be read only once")
        self._started = True
        position = self._first_frame
        number = 0
        while True:
            if position is not None:
                self._file.seek(position)  # another iteration may have moved it
            picture = self._next_picture(number)
            if picture is None:
                break
            if position is not None:
                position = self._file.tell()
            yield picture
            number += 1
        if number == 0:
            raise MediaError(f"{self.label}: has a header but no pictures")

    def _next_picture(self, number: int) -> Picture | None:
        """Picture ``number``, counted from 0, from where the stream stands; None at its end."""
        try:
            return self._read_picture(number)
        except OSError as error:  # a disk or a network that fails; whoever writes must not take it for his own
            raise MediaError(f"{self.label}: picture {number} cannot be read: {error.strerror or error}") from error

    def _read_picture(self, number: int) -> Picture | None:
        line = self._file.readline(_MAX_LINE)
        if not line:
            return None
        if not _is_frame_header(line):
            raise MediaError(f"{self.label}: picture {number} starts with {line[:16]!r} instead of FRAME")
        samples = bytearray(self.format.sample_count)  # not bytes: planes stay writable, like everywhere else
        present = _read_into(self._file, samples)
        if present < len(samples):
            raise MediaError(f"{self.label}: ends in picture {number}, at byte {present} of {len(samples)}")
        planes = []
        offset = 0
        for rows, columns in self.format.plane_shapes:
            plane = np.frombuffer(samples, np.uint8, rows * columns, offset)
            planes.append(plane.reshape(rows, columns))
            offset += rows * columns
        return Picture(self.format, tuple(planes))


def _is_frame_header(line: bytes) -> bool:
    """Whether a line, with its line feed, starts a frame; parameters may follow and are ignored."""
    return line.endswith(b"\n") and line[:-1].split(b" ", 1)[0] == _FRAME


def _read_into(file: BinaryIO, buffer: bytearray) -> int:
    """Fill ``buffer`` from a file or pipe; how many bytes there were."""
    present = 0
    with memoryview(buffer) as view:
        while present < len(view):
            piece = file.read(len(view) - present)
            if not piece:
                break
            view[present : present + len(piece)] = piece
            present += len(piece)
    return present


def open_y4m(path: Path, rate: Fraction | None = None) -> Y4mSource:
    """A Y4M file, or a named pipe that carries Y4M."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return Y4mSource(file, str(path), owned=True, rate=rate)
    except BaseException:
        file.close()
        raise


@contextlib.contextmanager
def y4m_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """Y4M into ``file``, picture by picture: gray as mono, RGB as 4:4:4 full range (see `rgb_to_yuv444`)."""
    is_rgb = picture_format.sample_format is SampleFormat.RGB
    if is_rgb:
        picture_format = picture_format.as_yuv(SampleFormat.YUV444)
    file.write(header_line(picture_format, rate))

    def write(picture: Picture) -> None:
        file.write(_FRAME + b"\n")
        for plane in (rgb_to_yuv444(picture) if is_rgb else picture).planes:
            file.write(plane.data)

    yield write
    file.flush()
