"""Other codecs on the same pictures: what ffmpeg and Pillow make of them.

Lossless codecs get the source's own samples.
Lossy ones get the planes that ``dct`` codes, RGB as Y'CbCr by our own conversion, and are compared in these planes.
No program may convert samples: one that would have to is left out.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from codec.errors import CodecError
from codec.measure.cache import SweepCache
from codec.measure.metrics import compare_sequences
from codec.measure.points import Clip, PeerPoint
from codec.picture.colour import to_array
from codec.picture.images import decoded, encoded
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.y4m import y4m_writer

__all__ = ["CONSTANT", "PEERS", "Peer", "Skipped", "measure_peers", "peer_count"]

MINUTES = 30  # a program that takes longer is given up
CONSTANT = ", const-QP"
"""Ends the name of a curve that is another one with one quantiser for all pictures and blocks."""
FAILURES = (CodecError, OSError, ValueError, KeyError, RuntimeError, ImportError, subprocess.SubprocessError)
"""What keeps a peer out of a report and lets the report go on."""


class Peer(NamedTuple):
    """A codec of ffmpeg's, and where its dial is set."""

    name: str
    options: str
    """``-c:v`` and the encoder first, and with ``Q`` where the dial goes."""
    dial: str = ""
    values: tuple[int, ...] = ()
    keeps: tuple[SampleFormat, ...] = (SampleFormat.YUV420,)
    """What it codes as it is; it is left out of anything else, but for gray, which gets flat chroma."""
    is_lossless: bool = False
    pixel_format: str = ""
    """What ffmpeg calls what it keeps, where that is not what is passed."""
    relabel: str = ""
    """A filter that says the samples have the one range which the codec knows; it changes none."""


_PLANAR = (SampleFormat.YUV420, SampleFormat.YUV422, SampleFormat.YUV444)
_LIMITED = "-vf setparams=range=tv"
# One I picture, then P pictures, as we code them. What x264 and x265 write about themselves is not counted: it would be
# 0.6 and 2.4 kB a file, a tenth to a third of the smallest.
_MPEG_P = "-g 9999 -bf 0 -sc_threshold 1000000000"
_X264 = "-bsf:v filter_units=remove_types=6"
_X264_B = f"-c:v libx264 -preset medium -tune psnr {_X264}"
_X264_P = f"-c:v libx264 -preset medium -tune psnr -bf 0 -refs 1 -x264-params keyint=infinite:scenecut=0 {_X264}"
_X265_P = (
    "-c:v libx265 -preset medium -tune psnr -bf 0 -refs 1"
    " -x265-params keyint=-1:scenecut=0:info=0:log-level=none:pools=none"
)
_COARSENESS = (14, 20, 26, 32, 38)

PEERS = (
    Peer(
        "ffv1",
        "-c:v ffv1 -level 3 -coder 1 -context 1",
        keeps=tuple(SampleFormat),
        is_lossless=True,
        relabel=_LIMITED,
    ),
    Peer(
        "x264 lossless",
        f"-c:v libx264 -qp 0 -preset veryslow {_X264}",
        keeps=(*_PLANAR, SampleFormat.GRAY),
        is_lossless=True,
    ),
    Peer(
        "x264 lossless, RGB",
        f"-c:v libx264rgb -qp 0 -preset veryslow {_X264}",
        keeps=(SampleFormat.RGB,),
        is_lossless=True,
        pixel_format="bgr24",
    ),
    # -crf moves bits to what later pictures are predicted from (mb-tree), -qp does not: both are told
    Peer("x264 high, P only", f"{_X264_P} -crf Q", "crf", _COARSENESS, keeps=_PLANAR),
    Peer(f"x264 high, P only{CONSTANT}", f"{_X264_P} -qp Q", "qp", _COARSENESS, keeps=_PLANAR),
    Peer("x264", f"{_X264_B} -crf Q", "crf", _COARSENESS, keeps=_PLANAR),
    Peer(f"x264{CONSTANT}", f"{_X264_B} -qp Q", "qp", _COARSENESS, keeps=_PLANAR),
    Peer("x265, P only", f"{_X265_P} -crf Q", "crf", _COARSENESS, keeps=_PLANAR),
    Peer(f"x265, P only{CONSTANT}", f"{_X265_P} -qp Q", "qp", _COARSENESS, keeps=_PLANAR),
    # of low delay, -crf gives the same bytes as -qp
    Peer(
        "SVT-AV1, low delay",
        "-c:v libsvtav1 -preset 6 -g -1 -svtav1-params pred-struct=1:lp=1 -qp Q",
        "qp",
        (12, 24, 36, 48, 60),
    ),
    Peer(
        "VP9",
        "-c:v libvpx-vp9 -crf Q -b:v 0 -g 9999 -deadline good -cpu-used 2",
        "crf",
        (12, 24, 36, 48, 60),
        keeps=_PLANAR,
    ),
    Peer(
        "MPEG-4",
        f"-c:v mpeg4 {_MPEG_P} -mbd rd -flags +mv4+aic -trellis 2 -q:v Q",
        "q",
        (2, 4, 8, 16, 31),
        relabel=_LIMITED,
    ),
    Peer("MPEG-2", f"-c:v mpeg2video {_MPEG_P} -q:v Q", "q", (2, 4, 8, 16, 31), keeps=_PLANAR[:2], relabel=_LIMITED),
    Peer(
        "MJPEG",
        "-c:v mjpeg -bitexact -strict unofficial -q:v Q",
        "q",
        (2, 4, 8, 16, 31),
        keeps=_PLANAR,
        relabel="-vf setparams=range=pc",
    ),
)

_PIXEL_FORMATS = {
    SampleFormat.GRAY: "gray",
    SampleFormat.RGB: "gbrp",
    SampleFormat.YUV420: "yuv420p",
    SampleFormat.YUV422: "yuv422p",
    SampleFormat.YUV444: "yuv444p",
}


class Skipped(NamedTuple):
    """A peer that was not measured, or not at all values of its dial, and why."""

    peer: str
    why: str


def measure_peers(
    clip: Clip,
    *,
    chroma: str | None = None,
    ssim: bool = True,
    progress: Callable[[PeerPoint | Skipped], None] | None = None,
    cache: SweepCache | None = None,
) -> tuple[list[PeerPoint], list[Skipped]]:
    """Every peer that is there, at every value of its dial; one at a time, with one thread.

    Lossy peers of RGB are given and compared in `Clip.as_coded` with ``chroma``.
    ``progress`` is called after each. A peer that fails is skipped.
    """
    points: list[PeerPoint] = []
    skipped: list[Skipped] = []
    for found in (*_stills(clip, ssim, cache), *_videos(clip, clip.as_coded(chroma), ssim, cache)):
        if isinstance(found, Skipped):
            skipped.append(found)
        else:
            points.append(found)
        if progress is not None:
            progress(found)
    return points, skipped


def peer_count() -> int:
    """How many points and skipped peers `measure_peers` may tell of."""
    return 2 + sum(max(len(peer.values), 1) for peer in PEERS)


# ------------------------------------------------------------------------------------------- ffmpeg


def _videos(clip: Clip, coded: Clip, ssim: bool, cache: SweepCache | None) -> Iterator[PeerPoint | Skipped]:
    try:
        program, version = _ffmpeg()
        encoders = set(re.findall(r"^ V\S+ (\S+)", _run([program, "-hide_banner", "-encoders"]).decode(), re.M))
    except FAILURES as error:
        yield from (Skipped(peer.name, _first_line(error)) for peer in PEERS)
        return
    for peer in PEERS:
        given = clip if peer.is_lossless else coded
        for value in peer.values or (None,):
            try:
                if (encoder := peer.options.split()[1]) not in encoders:
                    raise ValueError(f"this ffmpeg has no encoder {encoder}")
                yield _measured(program, version, peer, value, given, clip.source_bytes, ssim, cache)
            except FAILURES as error:
                where = f"from {peer.dial} {value} on: " if value in peer.values[1:] else ""
                yield Skipped(peer.name, where + _first_line(error))
                break


def _ffmpeg() -> tuple[str, str]:
    """Path and version of the first ffmpeg that runs.

    Raises:
        ValueError: there is none.
    """
    for program, where in _programs():
        try:
            first = _run([program, "-version"]).decode(errors="replace").splitlines()[0]
        except (*FAILURES, IndexError):
            continue
        return program, f"{first.partition(' Copyright')[0]}, {where}"
    raise ValueError("ffmpeg is not there: neither on PATH nor as the package imageio-ffmpeg")


def _programs() -> Iterator[tuple[str, str]]:
    """Where an ffmpeg may be: that on PATH before that of imageio-ffmpeg."""
    if found := shutil.which("ffmpeg"):
        yield found, "found on PATH"
    try:
        import imageio_ffmpeg

        yield imageio_ffmpeg.get_ffmpeg_exe(), "of the package imageio-ffmpeg"
    except (ImportError, RuntimeError):
        return


def _run(command: Sequence[str], data: bytes = b"") -> bytes:
    """Standard output of a program.

    Raises:
        ValueError: it fails, or takes more than `MINUTES`; the message is the first line of what it complains of.
    """
    try:
        result = subprocess.run(command, input=data, capture_output=True, timeout=60 * MINUTES, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"not done after {MINUTES} minutes") from None
    if result.returncode:
        lines = result.stderr.decode(errors="replace").strip().splitlines() or ["failed without a word"]
        raise ValueError(next((line for line in lines if "[info]" not in line), lines[0]))  # SVT-AV1 greets first
    return result.stdout


def _first_line(error: BaseException) -> str:
    return re.sub(r"^\[.*?\] ?", "", (str(error).splitlines() or [type(error).__name__])[0])


def _measured(
    program: str,
    version: str,
    peer: Peer,
    value: int | None,
    given: Clip,
    source_bytes: int,
    ssim: bool,
    cache: SweepCache | None,
) -> PeerPoint:
    """Encode with a peer, decode again, compare.

    Raises:
        ValueError: it cannot be measured; the message says why.
    """
    label = given.format.sample_format.label
    raw = _raw_format(peer, given.format)
    if raw.sample_format not in peer.keeps:
        raise ValueError(f"it does not code {label} as it is")
    options = peer.options.replace(" Q", f" {value}") if value is not None else peer.options
    passed = _PIXEL_FORMATS[raw.sample_format]
    if raw.sample_format is SampleFormat.RGB:
        read = f"-f rawvideo -pix_fmt {passed} -s {raw.width}x{raw.height} -r {given.rate} -i INPUT"
    else:
        read = "-noauto_conversion_filters -f yuv4mpegpipe -i INPUT" + (f" {peer.relabel}" if peer.relabel else "")
    # lossless codecs may lay out planes in other ways on their way back: it is seen whether that is exact
    back = f"-pix_fmt {passed}" if peer.is_lossless else "-noauto_conversion_filters"
    shown = f"ffmpeg {read} {options} -pix_fmt {peer.pixel_format or passed} -threads 1 -f nut OUTPUT"
    if cache is not None and (found := cache.get_peer(shown, version)) is not None:
        return found
    source = _passed(given, raw)
    quiet = [program, "-hide_banner", "-loglevel", "error", "-y"]
    with tempfile.TemporaryDirectory(prefix="mvz-peer-") as folder:
        output = str(Path(folder) / "peer.nut")
        places = {"INPUT": "-", "OUTPUT": output}
        started = time.perf_counter()
        _run([*quiet, *(places.get(word, word) for word in shlex.split(shown)[1:])], source)
        encode_seconds = time.perf_counter() - started
        from_file = [*quiet, "-nostdin", "-threads", "1", "-i", output]
        started = time.perf_counter()
        samples = _run([*from_file, *shlex.split(f"-fps_mode passthrough {back} -f rawvideo -")])
        decode_seconds = time.perf_counter() - started
        file_bytes = _packet_bytes(_run([*from_file, "-c", "copy", "-f", "framecrc", "-"]).decode())
    if len(samples) != len(given.pictures) * raw.sample_count:
        came = f"{len(samples):,} bytes of samples came back"
        raise ValueError(f"{came}, not {len(given.pictures) * raw.sample_count:,}")
    error = compare_sequences(given.pictures, _pictures_of(samples, raw, given.format), ssim).whole
    if peer.is_lossless and not error.total.identical:
        raise ValueError("what came back is not exact")
    point = PeerPoint(
        peer.name,
        (peer.dial, value) if value is not None else None,
        shown,
        version,
        len(given.pictures),
        given.pixels,
        source_bytes,
        file_bytes,
        error,
        encode_seconds,
        decode_seconds,
        label,
    )
    if cache is not None:
        cache.put_peer(point)
    return point


def _raw_format(peer: Peer, given: PictureFormat) -> PictureFormat:
    """The planes that are passed: those given, but gray gets flat chroma where a codec must have some."""
    if given.sample_format is SampleFormat.GRAY and SampleFormat.GRAY not in peer.keeps:
        return PictureFormat(given.width, given.height, SampleFormat.YUV420, given.colour)
    return given


def _passed(given: Clip, raw: PictureFormat) -> bytes:
    """What ffmpeg reads: Y4M, or planes of RGB in its order."""
    if raw.sample_format is SampleFormat.RGB:
        return b"".join(p.planes[plane].tobytes() for p in given.pictures for plane in (1, 2, 0))
    file = io.BytesIO()
    flat = tuple(np.full(shape, 128, np.uint8) for shape in raw.plane_shapes[len(given.format.plane_shapes) :])
    with y4m_writer(file, raw, given.rate) as write:
        for picture in given.pictures:
            write(Picture(raw, picture.planes + flat))
    return file.getvalue()


def _pictures_of(samples: bytes, raw: PictureFormat, given: PictureFormat) -> Iterator[Picture]:
    """Pictures of the given format from what ffmpeg gives back."""
    for start in range(0, len(samples), raw.sample_count):
        planes, place = [], start
        for rows, columns in raw.plane_shapes:
            planes.append(np.frombuffer(samples, np.uint8, rows * columns, place).reshape(rows, columns))
            place += rows * columns
        if raw.sample_format is SampleFormat.RGB:
            green, blue, red = planes
            planes = [red, green, blue]
        yield Picture(given, tuple(planes[: len(given.plane_shapes)]))


def _packet_bytes(listing: str) -> int:
    """Bytes of packets and codec headers in a listing of ffmpeg's framecrc."""
    headers = sum(int(size) for size in re.findall(r"^#extradata \d+: *(\d+)", listing, re.M))
    packets = sum(int(line.split(",")[4]) for line in listing.splitlines() if line and not line.startswith("#"))
    return headers + packets


# ------------------------------------------------------------------------------------------- stills


def _stills(clip: Clip, ssim: bool, cache: SweepCache | None) -> Iterator[PeerPoint | Skipped]:
    """PNG and lossless WebP, a file a picture; of Y'CbCr, PNG has a gray file a plane."""
    is_rgb = clip.format.sample_format is SampleFormat.RGB
    png = f"Image.save(OUTPUT, 'PNG', compress_level=3), {'each picture' if is_rgb else 'each plane'}"
    webp = "Image.save(OUTPUT, 'WEBP', lossless=True, method=2, quality=50), each picture"
    for kind, command in (("PNG", png), ("WebP", webp)):
        try:
            if kind == "WebP" and not is_rgb:
                raise ValueError("it keeps RGB alone")
            yield _still(kind, command, clip, ssim, cache)
        except FAILURES as error:
            yield Skipped(kind, _first_line(error))


def _still(kind: str, command: str, clip: Clip, ssim: bool, cache: SweepCache | None) -> PeerPoint:
    version = f"Pillow {importlib.metadata.version('pillow')}"
    if cache is not None and (found := cache.get_peer(command, version)) is not None:
        return found
    is_rgb = clip.format.sample_format is SampleFormat.RGB
    images = [[to_array(picture)] if is_rgb else list(picture.planes) for picture in clip.pictures]
    started = time.perf_counter()
    files = [[encoded(image, kind.upper()) for image in of_picture] for of_picture in images]
    encode_seconds = time.perf_counter() - started
    started = time.perf_counter()
    back = [[decoded(io.BytesIO(file)) for file in of_picture] for of_picture in files]
    decode_seconds = time.perf_counter() - started
    pictures = [
        Picture.from_array(of_picture[0]) if is_rgb else Picture(clip.format, tuple(of_picture)) for of_picture in back
    ]
    error = compare_sequences(clip.pictures, pictures, ssim).whole
    file_bytes = sum(len(file) for of_picture in files for file in of_picture)
    sizes = (len(clip.pictures), clip.pixels, clip.source_bytes, file_bytes)
    label = clip.format.sample_format.label
    point = PeerPoint(kind, None, command, version, *sizes, error, encode_seconds, decode_seconds, label)
    if cache is not None:
        cache.put_peer(point)
    return point
