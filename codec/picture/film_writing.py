"""Film files, written through FFmpeg's libraries (PyAV): exactly by FFV1, or for any player by x264."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np

from codec.errors import MediaError
from codec.picture.alpha import OVER_WHITE
from codec.picture.attachments import PIXEL_ASPECT, TIMECODE, aspect_of
from codec.picture.colour import rgb_to_yuv
from codec.picture.film_coding import FilmCoding
from codec.picture.films import DISPLAY_MATRIX, TEXTS
from codec.picture.pixel_layouts import fill_frame, layout_of
from codec.picture.planes import Picture, PictureFormat, SampleFormat

__all__ = ["film_writer", "target_format"]

_MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_TICKS = 5_760_000  # a second: a multiple of 1000, 90000 and of the clocks that files have for common rates


def target_format(label: str, coding: FilmCoding, picture_format: PictureFormat) -> tuple[str, str, PictureFormat]:
    """Encoder and pixel format of libav for pictures, and what they become for it.

    Raises:
        MediaError: that encoder has no such pictures; says which has.
    """
    sample_format, depth = picture_format.sample_format, picture_format.bit_depth
    bits = "" if depth == 8 else f"{depth}le"
    if coding.coder == "ffv1":
        name = {
            SampleFormat.GRAY: f"gray{bits}",
            SampleFormat.RGB: f"gbrp{bits}" if bits else "bgr0",
            SampleFormat.GRAY_ALPHA: f"ya{bits or 8}",
            SampleFormat.RGBA: f"gbrap{bits}" if bits else "bgra",
        }.get(sample_format, f"{sample_format.label}p{bits}")
        if name not in {each.name for each in av.codec.Codec("ffv1", "w").video_formats or ()}:
            raise MediaError(f"{label}: ffv1 has no {picture_format}; .npy, PNG, TIFF and APNG have")
        return "ffv1", name, picture_format
    if sample_format.has_alpha:
        raise MediaError(f"{label}: x264 codes no alpha; a .mkv of ffv1 keeps it, and {OVER_WHITE}")
    if depth not in (8, 10):
        raise MediaError(
            f"{label}: samples have {depth} bits, and those of x264 have 8 or 10; a .mkv of ffv1 keeps them"
        )
    if sample_format is SampleFormat.RGB and depth == 8 and not coding.crf:
        return "libx264rgb", "rgb24", picture_format
    sides = [(1 << sub.log2_x, 1 << sub.log2_y) for sub in sample_format.subsampling][-1]
    if picture_format.width % sides[0] or picture_format.height % sides[1]:
        raise MediaError(f"{label}: x264 takes no odd sides of {picture_format}; a .mkv of ffv1 does")
    if sample_format is SampleFormat.RGB or sample_format is SampleFormat.GRAY:
        colour = picture_format.colour
        is_even = not (picture_format.width % 2 or picture_format.height % 2)  # 4:2:0, which more players know
        picture_format = picture_format.as_yuv(SampleFormat.YUV420 if is_even else SampleFormat.YUV444)
        if sample_format is SampleFormat.GRAY and colour.range:
            picture_format = replace(picture_format, colour=replace(picture_format.colour, range=colour.range))
    return "libx264", f"{picture_format.sample_format.label}p{bits}", picture_format


@contextlib.contextmanager
def _media_errors(label: str) -> Iterator[None]:
    """What libav raises becomes a `MediaError` that names the file."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise MediaError(f"{label}: cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def film_writer(
    label: str, coding: FilmCoding, is_start: bool, file: BinaryIO, picture_format: PictureFormat, rate: Fraction
) -> Iterator[Callable[[Picture], None]]:
    """A film into ``file``, of the kind that the suffix of ``label`` says, picture by picture.

    ``is_start`` is whether its first picture is the first that there is, which the timecode is of.
    """
    with av.open(file, "w", format=_MUXERS[Path(label).suffix.lower()]) as container:
        film = _Film(label, coding, is_start, picture_format, rate, container)
        yield film.write
        film.finish()


class _Film:
    """A film that is being written."""

    def __init__(
        self,
        label: str,
        coding: FilmCoding,
        is_start: bool,
        picture_format: PictureFormat,
        rate: Fraction,
        container: av.container.OutputContainer,
    ) -> None:
        self._label, self._coding, self._rate, self._container = label, coding, rate, container
        self._is_start = is_start
        self._encoder, self._pixels, self._format = target_format(label, coding, picture_format)
        self._layout = layout_of(self._pixels)
        ticks = math.lcm(rate.numerator, _TICKS)
        self._ticks = ticks if ticks < 1 << 31 else _TICKS  # a second
        self._stream: av.VideoStream | None = None
        self._now, self._start = Fraction(0), -1
        self._shown: dict[int | None, int] = {}
        """Ticks that a picture is shown, by the tick that it starts at."""

    def write(self, picture: Picture) -> None:
        """Add a picture, which starts where the one before ends."""
        assert self._layout is not None, "formats that are written are read"
        with _media_errors(self._label):
            if self._stream is None:
                self._stream = self._begin(picture.attachments)
            frame = av.VideoFrame(self._format.width, self._format.height, self._pixels)
            fill_frame(frame, self._layout, _converted(picture, self._format))
            self._start = max(round(self._now * self._ticks), self._start + 1)  # films have no two at a time
            self._now += 1 / self._rate if picture.duration is None else picture.duration
            frame.pts, frame.time_base = self._start, Fraction(1, self._ticks)
            self._shown[self._start] = max(round(self._now * self._ticks) - self._start, 1)
            self._mux(self._stream.encode(frame))

    def _begin(self, attachments: Mapping[str, bytes]) -> av.VideoStream:
        """The stream of pictures, with what comes with the first of them."""
        options = {"crf": str(self._coding.crf)} if self._coding.crf else {"qp": "0"}
        options["x264-params"] = "force-cfr=1"  # or its stream would say that the clock is the rate
        if self._encoder == "ffv1":
            options = {"level": "3", "slicecrc": "1", "g": "1"}
        for key, name in TEXTS.items():
            if text := attachments.get(f"text:{name}"):
                self._container.metadata[key] = text.decode(errors="replace")
        stream = self._container.add_stream(self._encoder, self._rate, options=options)
        assert isinstance(stream, av.VideoStream)
        context, colour = stream.codec_context, self._format.colour
        context.width, context.height, context.pix_fmt = self._format.width, self._format.height, self._pixels
        context.time_base = Fraction(1, self._ticks)
        context.colorspace = 0 if self._format.sample_format.is_rgb else colour.matrix
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.color_range = colour.range
        if (aspect := aspect_of(attachments.get(PIXEL_ASPECT, b""))) is not None:
            stream.sample_aspect_ratio = aspect
        if self._is_start and TIMECODE.fullmatch(timecode := attachments.get("timecode", b"")):
            stream.metadata["timecode"] = timecode.decode()
        if len(matrix := attachments.get(DISPLAY_MATRIX, b"")) == 36:
            stream.set_display_matrix(struct.unpack("<9i", matrix))
        return stream

    def _mux(self, packets: list[av.packet.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            packet.duration = self._shown.pop(packet.pts, 0)
            self._container.mux(packet)

    def finish(self) -> None:
        """Write what the encoder still has, and the end."""
        with _media_errors(self._label):
            self._mux(self._stream.encode() if self._stream else [])
            self._container.close()


def _converted(picture: Picture, wanted: PictureFormat) -> Picture:
    """The picture as the encoder takes it: gray gets chroma without colour, RGB becomes Y'CbCr."""
    given = picture.format.sample_format
    if given is wanted.sample_format:
        return picture
    if given is SampleFormat.RGB:
        return rgb_to_yuv(picture, wanted)
    neutral = (np.full(shape, 1 << wanted.bit_depth - 1, wanted.dtype) for shape in wanted.plane_shapes[1:])
    return Picture(wanted, (picture.planes[0], *neutral))
