"""Film files, through FFmpeg's libraries (PyAV): every sample as the file has it, and when it is shown."""

from __future__ import annotations

import contextlib
import enum
import itertools
import os
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.sidedata.sidedata import SideData

from codec.errors import ConfigError, MediaError
from codec.picture.alpha import as_given
from codec.picture.attachments import PIXEL_ASPECT, TIMECODE
from codec.picture.pixel_layouts import advice, layout_of, planes_of
from codec.picture.planes import (
    Colour,
    ColourMatrix,
    ColourPrimaries,
    ColourRange,
    ColourTransfer,
    Picture,
    PictureFormat,
)
from codec.picture.sequence import MAX_PIXELS, PictureSource, rate_of, refuse_size

__all__ = ["DISPLAY_MATRIX", "TEXTS", "Film"]

DISPLAY_MATRIX = "display_matrix"  # an attachment, spec 5.8
TEXTS = {"title": "Title", "artist": "Author", "comment": "Comment", "copyright": "Copyright"}
TEXTS |= {"description": "Description"}

# No others: playlists, for one, make libav open whatever they name
_DEMUXERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,asf,flv,ogg,mxf,ivf,h264,hevc,obu,av1,m4v"
_UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_DURATION = re.compile(r"([0-9]{1,6}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")
_SIDE_DATA = {
    "A53_CC": "closed captions",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DOVI_METADATA": "Dolby Vision",
    "STEREO3D": "how two views make stereo",
    "SPHERICAL": "how pictures lie on a sphere",
    "ICC_PROFILE": "an ICC profile",
}


class Film(PictureSource):
    """The pictures of the first video of a film file, with what they say of colour, rotation and shape of pixels.

    Opening reads the file once, without decoding, to learn when pictures are shown: where those times are no rate,
    pictures have durations. ``notes`` say what else is in the file.

    Raises:
        MediaError: no film that libav knows, no video in it, or pixels that we have no planes for.
    """

    def __init__(self, path: Path, rate: Fraction | None = None) -> None:
        label = os.fspath(path)
        with _opened(path) as (container, stream):
            notes = _left_out(container, stream)
            times, missing = _times(container, stream)
            rates = [each for each in (stream.guessed_rate, stream.average_rate) if each]
            tick = stream.time_base or Fraction(0)
            aspect = stream.sample_aspect_ratio or 1
            self._attachments = {
                f"text:{TEXTS[key]}": value.encode(errors="replace")
                for key, value in container.metadata.items()
                if key in TEXTS and value
            } | _timecode(container, stream)
        with _opened(path) as (container, stream):
            frame = next(container.decode(stream), None)
            if frame is None:
                raise MediaError(f"{label}: its video has no pictures")
            self._first = frame.format.name, frame.width, frame.height
            layout = layout_of(frame.format.name)
            if layout is None:
                raise MediaError(f"{label}: {advice(path, frame.format.name)}")
            notes += _unkept(frame)
            colour, unknown = _colour_of(frame)
            self._attachments |= _attachments_of(_side_data(frame))
        self._layout = layout
        if aspect != 1:
            self._attachments[PIXEL_ASPECT] = f"{aspect.numerator}:{aspect.denominator}".encode()
        picture_format = PictureFormat(*self._first[1:], layout.sample_format, colour, layout.bit_depth)
        steady = rate or _steady_rate(times, tick, rates)
        super().__init__(label, picture_format, steady, len(times) or None)
        self._have_durations = steady is None and len(times) > 1
        if self._have_durations:
            shown = [1000 * (after - before) for before, after in itertools.pairwise(times)]
            self.rate = rate_of([*shown, shown[-1]], 0)
        elif steady is None and rates:
            self.rate = rates[0]
        self._path = path
        self.notes = [f"{label}: {text}" for text in (*missing, *notes, *unknown)]
        self.leave_out_opaque_alpha()

    def __iter__(self) -> Iterator[Picture]:
        """The pictures, each with a duration where those are not equal, which the next one's time says."""
        before: tuple[Picture, int] | None = None
        with _opened(self._path) as (container, stream):
            tick = stream.time_base or Fraction(0)
            for number, frame in enumerate(container.decode(stream)):
                picture = self._picture(frame, f"{self.label}: picture {number}")
                if not self._have_durations:
                    yield picture
                    continue
                if frame.pts is None:
                    raise MediaError(f"{self.label}: picture {number} has no time, and others have")
                if before is not None:
                    yield replace(before[0], duration=max(frame.pts - before[1], 0) * tick)
                before = picture, frame.pts
                last = frame.duration * tick
        if before is not None:
            yield replace(before[0], duration=last or 1 / self.rate)

    def _picture(self, frame: av.VideoFrame, label: str) -> Picture:
        found = frame.format.name, frame.width, frame.height
        if found != self._first:
            say = "{1}×{2} {0}".format
            raise MediaError(f"{label} is {say(*found)}, unlike the first: {say(*self._first)}")
        if frame.is_corrupt:
            raise MediaError(f"{label} is damaged")
        given = replace(self.format, sample_format=self._layout.sample_format)
        picture = Picture(given, planes_of(frame, self._layout, given), attachments=self._attachments)
        return as_given(picture, self.format, label)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """A film file and its first video, from the start."""
    options = {"format_whitelist": _DEMUXERS}
    try:
        # "file:", as to libav a name with a colon may be another protocol
        with av.open(f"file:{path}", "r", options=options, metadata_errors="replace") as container:
            stream = next((each for each in container.streams.video if not _is_cover(each)), None)
            if stream is None:
                raise MediaError(f"{path}: has no video")
            if stream.codec_context is None:
                raise MediaError(f"{path}: its video is of a kind that libav does not know")
            refuse_size(os.fspath(path), stream.width, stream.height)
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # of pictures that are larger than it says
            stream.thread_type = "AUTO"
            yield container, stream
    except (av.error.FFmpegError, ConfigError) as error:
        raise MediaError(f"{path}: cannot be read as a film: {getattr(error, 'strerror', None) or error}") from error


def _timecode(container: av.container.InputContainer, video: av.VideoStream) -> dict[str, bytes]:
    """When the first picture was shown, as the film says, or its video, or a stream beside it."""
    for said in (video.metadata, container.metadata, *(each.metadata for each in container.streams)):
        timecode = next((value for key, value in said.items() if key.lower() == "timecode"), "")
        if TIMECODE.fullmatch(timecode.encode()):
            return {"timecode": timecode.encode()}
    return {}


def _is_cover(stream: av.stream.Stream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _left_out(container: av.container.InputContainer, video: av.VideoStream) -> list[str]:
    """What a film has beside the pictures of one video, in words."""
    kinds = Counter(
        "cover picture" if _is_cover(each) else f"{each.type} stream"
        for each in container.streams
        if each.index != video.index and not (each.type == "data" and "timecode" in each.metadata)
    )
    listed = [f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds.items()]
    listed += ["chapters"] if container.chapters() else []
    return [f"{', '.join(listed)} left out: an .mvz file has pictures alone"] if listed else []


def _unkept(frame: av.VideoFrame) -> list[str]:
    """What comes with a picture and has no place, in words."""
    said = [_SIDE_DATA[name] for name in _side_data(frame) if name in _SIDE_DATA]
    notes = [f"{', '.join(said)} left out"] if said else []
    if frame.interlaced_frame:
        notes.append("is interlaced: all lines are kept, and that they are of two fields is not")
    return notes


def _side_data(frame: av.VideoFrame) -> dict[str, bytes]:
    """What comes with a frame, by libav's names."""
    return {each.type.name: bytes(each) for each in frame.side_data if isinstance(each, SideData)}


def _attachments_of(side_data: Mapping[str, bytes]) -> dict[str, bytes]:
    """What comes with a frame and has a place: rotation, and of HDR the display it was made on and its light levels."""
    attachments = {}
    if "DISPLAYMATRIX" in side_data and (numbers := struct.unpack("=9i", side_data["DISPLAYMATRIX"])) != _UPRIGHT:
        attachments[DISPLAY_MATRIX] = struct.pack("<9i", *numbers)
    if len(levels := side_data.get("CONTENT_LIGHT_LEVEL", b"")) == 8:
        most, average = (_scaled(each, 10000, 32) for each in struct.unpack("=2I", levels))
        attachments["png:cLLI"] = struct.pack(">2I", most, average)
    if len(display := side_data.get("MASTERING_DISPLAY_METADATA", b"")) == 88:
        numbers = struct.unpack("=22i", display)
        pairs = zip(numbers[:20:2], numbers[1:20:2], strict=True)
        ratios = [Fraction(above, below) if below else Fraction(0) for above, below in pairs]
        places = [_scaled(each, 50000, 16) for each in ratios[:8]]  # of red, green, blue and white
        darkest, lightest = (_scaled(each, 10000, 32) for each in ratios[8:])
        if all(numbers[20:]):  # both are there
            attachments["png:mDCV"] = struct.pack(">8H2I", *places, lightest, darkest)
    return attachments


def _scaled(number: Fraction | int, scale: int, bits: int) -> int:
    """A number as PNG has it: a multiple of 1 / scale, without sign."""
    return min(max(round(scale * number), 0), (1 << bits) - 1)


def _times(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[list[Fraction], list[str]]:
    """When pictures are shown, in seconds from the first, empty where that is not known of all; and what is missing."""
    packets = [(packet.pts, packet.is_discard) for packet in container.demux(stream) if packet.size]
    missing = f"ends early: {len(packets)} pictures of {stream.frames}" if stream.frames > len(packets) else ""
    stamps = sorted(pts for pts, is_discarded in packets if not is_discarded and pts is not None)
    if stream.time_base is None or not stamps or any(pts is None for pts, _ in packets):
        return [], [missing] if missing else []
    end, said = stamps[-1] * stream.time_base, _DURATION.fullmatch(stream.metadata.get("DURATION", ""))
    if said:  # as Matroska has it
        hours, minutes, seconds = map(Fraction, said.groups())
        seconds += 60 * minutes + 3600 * hours
        longest = max((after - before for before, after in itertools.pairwise(stamps)), default=0) * stream.time_base
        if seconds > end + 2 * longest > 0:
            missing = f"ends early: at {float(end):.2f} s of {float(seconds):.2f} s"
    return [(stamp - stamps[0]) * stream.time_base for stamp in stamps], [missing] if missing else []


def _steady_rate(times: Sequence[Fraction], tick: Fraction, rates: Sequence[Fraction]) -> Fraction | None:
    """The rate that all times follow as far as a clock of ``tick`` seconds can tell, if there is one."""
    for rate in dict.fromkeys(rates):
        if len(times) > 1 and all(abs(time - number / rate) <= tick for number, time in enumerate(times)):
            return rate
    return None


def _colour_of(frame: av.VideoFrame) -> tuple[Colour, list[str]]:
    """What a frame says of its colour, by the numbers of H.273, and what of that we have no name for."""
    said: dict[str, tuple[type[enum.IntEnum], int]] = {
        "matrix": (ColourMatrix, int(frame.colorspace)),
        "primaries": (ColourPrimaries, int(frame.color_primaries)),
        "transfer": (ColourTransfer, int(frame.color_trc)),
        "range": (ColourRange, int(frame.color_range)),
    }
    known = {name: kind(code).name.lower() for name, (kind, code) in said.items() if code in set(kind)}
    unknown = [f"{name} {code} of H.273" for name, (_, code) in said.items() if name not in known and code]
    if frame.format.name.startswith("yuvj"):
        known["range"] = "full"
    return Colour().described(known), [f"mvz has no name for {', '.join(unknown)}, left out"] if unknown else []
