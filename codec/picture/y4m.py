"""YUV4MPEG2 (Y4M): raw planes behind a one-line text header; read from files and pipes, and written."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from codec.errors import ConfigError, MediaError
from codec.picture.attachments import FIELD_ORDERS, FIELDS, PIXEL_ASPECT, aspect_of, kept
from codec.picture.colour import rgb_to_yuv444
from codec.picture.planes import ChromaSiting, Colour, ColourMatrix, ColourRange, Picture, PictureFormat, SampleFormat
from codec.picture.sequence import DEFAULT_RATE, PictureSource, refuse_size

__all__ = ["SIGNATURE", "Y4mHeader", "Y4mSource", "header_line", "open_y4m", "parse_header", "y4m_writer"]

SIGNATURE = b"YUV4MPEG2"
_FRAME = b"FRAME"
_MAX_LINE = 1024  # bytes; mjpegtools, which defined the format, stops at 256

_MEANT_COMMENTS = ("XYSCSS", "XCOLORRANGE")
_CHROMA = {  # of the tag C
    "420jpeg": (SampleFormat.YUV420, ChromaSiting.CENTRE),
    "420mpeg2": (SampleFormat.YUV420, ChromaSiting.LEFT),
    "420paldv": (SampleFormat.YUV420, ChromaSiting.PALDV),
    "420": (SampleFormat.YUV420, ChromaSiting.UNSPECIFIED),
    "422": (SampleFormat.YUV422, ChromaSiting.UNSPECIFIED),
    "444": (SampleFormat.YUV444, ChromaSiting.UNSPECIFIED),
    "mono": (SampleFormat.GRAY, ChromaSiting.UNSPECIFIED),
}
_DEEP_CHROMA = re.compile("(420|422|444)p(9|1[0-6])|(mono)(9|1[0-6])")  # 420p10: of 10 bits, in two bytes each


class Y4mHeader(NamedTuple):
    """What the first line says; ``rate`` is pictures per second, ``attachments`` come with each picture."""

    format: PictureFormat
    rate: Fraction
    attachments: Mapping[str, bytes]


def parse_header(label: str, line: bytes) -> Y4mHeader:
    """The header of a Y4M stream from its first line, without the line feed.

    Comments are ignored, unknown rate (``F0:0``) is 25, an absent ``C`` is 420jpeg.
    Tags and names of colours may be in either case.

    Raises:
        MediaError: no Y4M, a malformed field, one with two values, or pictures that are not of 8…16 bits.
    """
    signature, *fields = line.decode("latin-1").split(" ")
    if signature != SIGNATURE.decode():
        raise MediaError(f"{label}: not Y4M; it starts with {line[:16]!r} instead of {SIGNATURE.decode()}")
    if line.endswith(b"\r"):
        raise MediaError(f"{label}: Y4M header ends in CR LF: it was written as text, which harms samples; write bytes")
    tags: dict[str, str] = {}
    for field in filter(None, fields):
        name, _, value = (
            field.partition("=") if field[0] in "Xx" else (field[0], "", field[1:])
        )  # XCOLORRANGE=FULL, W352
        tag = name.upper()
        if tags.setdefault(tag, value).lower() != value.lower() and (not tag.startswith("X") or tag in _MEANT_COMMENTS):
            raise MediaError(f"{label}: Y4M header field {tag} occurs twice, as {tags[tag]} and {value}")
        if tag not in "WHFIAC" and not tag.startswith("X"):
            raise MediaError(f"{label}: unknown Y4M header field {tag}{value}")
    if (order := tags.get("I", "?").lower().encode("latin-1")) not in (b"p", b"?", *FIELD_ORDERS):
        raise MediaError(f"{label}: Y4M header field I is {tags['I']!r}; p, t, b or m is needed")
    for tag in "WH":
        if not re.fullmatch("[0-9]{1,7}", value := tags.get(tag, "")):  # no accepted picture has more digits
            raise MediaError(f"{label}: Y4M header field {tag} is {value!r}; a number of samples is needed")
    width, height = int(tags["W"]), int(tags["H"])
    refuse_size(label, width, height)
    chroma = tags.get("C", tags.get("XYSCSS", "420jpeg")).lower()  # old writers put it into XYSCSS
    bit_depth = 8
    if deep := _DEEP_CHROMA.fullmatch(chroma):
        chroma, digits = filter(None, deep.groups())
        bit_depth = int(digits)
    if chroma not in _CHROMA:
        deeper = "of 9…16 bits such as 420p10, 422p12, 444p16, mono16"
        raise MediaError(f"{label}: Y4M colour space {chroma!r}; supported are {', '.join(_CHROMA)}, and {deeper}")
    planes, siting = _CHROMA[chroma]
    sited_planes, said = _CHROMA.get(tags.get("XYSCSS", "").lower(), (planes, siting))
    if deep and sited_planes is planes:  # their tag does not say it
        siting = said
    colour_range = tags.get("XCOLORRANGE")
    if colour_range is not None and colour_range.upper() not in ("FULL", "LIMITED"):
        raise MediaError(f"{label}: Y4M colour range {colour_range!r}; FULL or LIMITED is needed")
    colour = Colour(ColourMatrix.UNSPECIFIED, ColourRange[(colour_range or "unspecified").upper()], siting)
    attachments = {FIELDS: order} if order in FIELD_ORDERS else {}
    if aspect := aspect_of(tags.get("A", "").encode("latin-1")):
        attachments[PIXEL_ASPECT] = f"{aspect.numerator}:{aspect.denominator}".encode()
    picture_format = PictureFormat(width, height, planes, colour, bit_depth)
    return Y4mHeader(picture_format, _rate(label, tags.get("F", "0:0")), attachments)


def _rate(label: str, value: str) -> Fraction:
    """Pictures per second of an ``F`` field such as 30000:1001; at most 32 bits each, 0:0 is unknown."""
    match = re.fullmatch("([0-9]{1,10}):([0-9]{1,10})", value)
    numerator, denominator = (int(part) for part in match.groups()) if match else (-1, -1)
    if numerator == denominator == 0:
        return DEFAULT_RATE
    if not (0 < numerator < 1 << 32 and 0 < denominator < 1 << 32):
        raise MediaError(f"{label}: Y4M header field F is {value!r}; a rate such as 25:1 is needed")
    return Fraction(numerator, denominator)


def header_line(picture_format: PictureFormat, rate: Fraction, attachments: Mapping[str, bytes]) -> bytes:
    """The first line of a Y4M stream, with its line feed; ``attachments`` are those of the first picture.

    `parse_header` gives back all but the colour matrix. The siting of more than 8 bits is in a comment.
    """
    colour = picture_format.colour
    tags = {planes_and_siting: tag for tag, planes_and_siting in _CHROMA.items()}
    planes = picture_format.sample_format
    chroma = tags[planes, ChromaSiting.UNSPECIFIED]
    sited, comments = tags.get((planes, colour.siting), chroma), ""
    if picture_format.bit_depth == 8:
        chroma = sited
    else:
        comments = f" XYSCSS={sited.upper()}" if sited != chroma else ""
        chroma += f"{'' if chroma == 'mono' else 'p'}{picture_format.bit_depth}"
    comments += f" XCOLORRANGE={colour.range.name}" if colour.range else ""
    given = kept(attachments, ".y4m")
    pixel, order = given.get(PIXEL_ASPECT, b"0:0").decode(), given.get(FIELDS, b"p").decode()
    line = (
        f"{SIGNATURE.decode()} W{picture_format.width} H{picture_format.height}"
        f" F{rate.numerator}:{rate.denominator} I{order} A{pixel} C{chroma}{comments}\n"
    )
    return line.encode("ascii")


class Y4mSource(PictureSource):
    """The pictures of a Y4M file or pipe; ``file`` is a buffered binary stream at its first byte."""

    def __init__(self, file: BinaryIO, label: str, *, rate: Fraction | None = None) -> None:
        line = file.readline(_MAX_LINE)
        if line.startswith(SIGNATURE) and not line.endswith(b"\n"):
            raise MediaError(f"{label}: Y4M header has no line end within {len(line)} bytes")
        header = parse_header(label, line.removesuffix(b"\n"))
        super().__init__(label, header.format, rate or header.rate)
        self._file = file
        self._attachments = header.attachments
        self._first_frame = file.tell() if file.seekable() else None
        self.reads_once = self._first_frame is None
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
            position += len(line) + self.format.raw_bytes
            if not _is_frame_header(line) or position > end:
                return None
            self._file.seek(position)
            frames += 1
        return frames

    def __iter__(self) -> Iterator[Picture]:
        if self.reads_once and self._started:
            raise MediaError(f"{self.label}: a pipe can be read only once")
        self._started = True
        position = self._first_frame
        for number in itertools.count():
            if position is not None:
                self._file.seek(position)  # another iteration may have moved it
            try:
                picture = self._next_picture(number)
            except OSError as error:  # a disk or network that fails; the target must not be blamed for it
                raise MediaError(f"{self.label}: picture {number} cannot be read: {error.strerror or error}") from error
            if picture is None:
                if number == 0:
                    raise MediaError(f"{self.label}: has a header but no pictures")
                return
            if position is not None:
                position = self._file.tell()
            yield picture

    def _next_picture(self, number: int) -> Picture | None:
        """Picture ``number``, counted from 0, from where the stream stands; None at its end."""
        line = self._file.readline(_MAX_LINE)
        if not line:
            return None
        if not _is_frame_header(line):
            raise MediaError(f"{self.label}: picture {number} starts with {line[:16]!r} instead of FRAME")
        data = np.empty(self.format.raw_bytes, np.uint8)
        present = 0
        while present < len(data) and (piece := self._file.read(len(data) - present)):  # a pipe gives some
            data[present : present + len(piece)] = np.frombuffer(piece, np.uint8)
            present += len(piece)
        if present < len(data):
            raise MediaError(f"{self.label}: ends in picture {number}, at byte {present} of {len(data)}")
        samples = data.view(self.format.dtype.newbyteorder("<")).astype(self.format.dtype, copy=False)
        sizes = [rows * columns for rows, columns in self.format.plane_shapes]
        parts = np.split(samples, np.cumsum(sizes[:-1]))
        planes = (part.reshape(shape) for part, shape in zip(parts, self.format.plane_shapes, strict=True))
        try:
            return Picture(self.format, tuple(planes), attachments=self._attachments)
        except ConfigError as error:
            raise MediaError(f"{self.label}: picture {number}: {error}") from error


def _is_frame_header(line: bytes) -> bool:
    """Whether a line, with its line feed, starts a frame; parameters may follow and are ignored."""
    return line.endswith(b"\n") and line[:-1].split(b" ", 1)[0] == _FRAME


def open_y4m(path: Path, rate: Fraction | None = None) -> Y4mSource:
    """A Y4M file, or a named pipe that carries Y4M."""
    with contextlib.ExitStack() as resources:
        try:
            file = resources.enter_context(path.open("rb"))
        except OSError as error:
            raise MediaError(f"{path}: cannot be read: {error.strerror}") from error
        source = Y4mSource(file, str(path), rate=rate)
        source.closes(resources.pop_all())
        return source


@contextlib.contextmanager
def y4m_writer(file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Callable[[Picture], None]]:
    """Y4M into ``file``, picture by picture: gray as mono, RGB as 4:4:4 full range (see `rgb_to_yuv444`)."""
    is_rgb = picture_format.sample_format is SampleFormat.RGB
    if is_rgb:
        picture_format = picture_format.as_yuv(SampleFormat.YUV444)
    is_first = True

    def write(picture: Picture) -> None:
        nonlocal is_first
        if is_first:
            file.write(header_line(picture_format, rate, picture.attachments))
            is_first = False
        file.write(_FRAME + b"\n")
        for plane in (rgb_to_yuv444(picture) if is_rgb else picture).planes:
            file.write(plane.astype(plane.dtype.newbyteorder("<"), copy=False).data)

    yield write
    file.flush()
