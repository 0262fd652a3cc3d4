"""Other codecs on the same pictures: what ffmpeg and Pillow make of them.

Lossless codecs get the source's own samples.
Lossy ones get the planes that ``dct`` codes, RGB as Y'CbCr by our own conversion, and are compared in these planes.
A codec that would have to convert samples is left out.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

import codec
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
CONSTANT = ", const-QP"  # ends the name of a curve with one quantiser for all pictures and blocks
# what keeps a peer out of a report and lets the report go on
FAILURES = (CodecError, OSError, ValueError, KeyError, RuntimeError, ImportError, subprocess.SubprocessError)


class Peer(NamedTuple):
    """A codec of ffmpeg's, and where its dial is set.

    Attributes:
        options: ``-c:v`` and the encoder first, and ``Q`` where the dial's value goes.
        keeps: what it codes without conversion. It is not measured on anything else, but for gray with flat chroma.
        pixel_format: ffmpeg's name of what it keeps, where that is not what is passed.
        relabel: a filter that says the samples have the one range which the codec knows; it changes none.
        depths: bits a sample that it is measured on.
    """

    name: str
    options: str
    dial: str = ""
    values: tuple[int, ...] = ()
    keeps: tuple[SampleFormat, ...] = (SampleFormat.YUV420,)
    is_lossless: bool = False
    pixel_format: str = ""
    relabel: str = ""
    depths: tuple[int, ...] = (8,)


_PLANAR = (SampleFormat.YUV420, SampleFormat.YUV422, SampleFormat.YUV444)
_LIMITED, _FULL = "-vf setparams=range=tv", "-vf setparams=range=pc"
# One I picture, then P pictures, as we code them. What x264 and x265 write about themselves is not counted: it would be
# 0.6 and 2.4 kB a file, a tenth to a third of the smallest.
_MPEG_P = "-g 9999 -bf 0 -sc_threshold 1000000000"
_X264_BARE = "-bsf:v filter_units=remove_types=6"
_X264 = f"-c:v libx264 -preset medium -tune psnr {_X264_BARE}"
_X264_P = f"-c:v libx264 -preset medium -tune psnr -bf 0 -refs 1 -x264-params keyint=infinite:scenecut=0 {_X264_BARE}"
_X265_P = "-c:v libx265 -preset medium -tune psnr -bf 0 -refs 1"
_X265_P += " -x265-params keyint=-1:scenecut=0:info=0:log-level=none:pools=none"
_SVT_AV1 = "-c:v libsvtav1 -preset 6 -g -1 -svtav1-params pred-struct=1:lp=1 -qp Q"
_VP9 = "-c:v libvpx-vp9 -crf Q -b:v 0 -g 9999 -deadline good -cpu-used 2"
_LOSSLESS_X264 = f"-qp 0 -preset veryslow {_X264_BARE}"
_CRF, _Q, _AV1_Q = (14, 20, 26, 32, 38), (2, 4, 8, 16, 31), (12, 24, 36, 48, 60)

PEERS = (
    Peer(
        *("ffv1", "-c:v ffv1 -level 3 -coder 1 -context 1"),
        keeps=(SampleFormat.GRAY, SampleFormat.RGB, *_PLANAR),
        is_lossless=True,
        relabel=_LIMITED,
        depths=(8, 9, 10, 12, 14, 16),
    ),
    Peer("x264 lossless", f"-c:v libx264 {_LOSSLESS_X264}", keeps=(*_PLANAR, SampleFormat.GRAY), is_lossless=True),
    Peer(
        *("x264 lossless, RGB", f"-c:v libx264rgb {_LOSSLESS_X264}"),
        keeps=(SampleFormat.RGB,),
        is_lossless=True,
        pixel_format="bgr24",
    ),
    # -crf moves bits to what later pictures are predicted from (mb-tree), -qp does not: both are told
    Peer("x264 high, P only", f"{_X264_P} -crf Q", "crf", _CRF, _PLANAR),
    Peer(f"x264 high, P only{CONSTANT}", f"{_X264_P} -qp Q", "qp", _CRF, _PLANAR),
    Peer("x264", f"{_X264} -crf Q", "crf", _CRF, _PLANAR),
    Peer(f"x264{CONSTANT}", f"{_X264} -qp Q", "qp", _CRF, _PLANAR),
    Peer("x265, P only", f"{_X265_P} -crf Q", "crf", _CRF, _PLANAR),
    Peer(f"x265, P only{CONSTANT}", f"{_X265_P} -qp Q", "qp", _CRF, _PLANAR),
    Peer("SVT-AV1, low delay", _SVT_AV1, "qp", _AV1_Q),  # of low delay, -crf gives the same bytes as -qp
    Peer("VP9", _VP9, "crf", _AV1_Q, _PLANAR),
    Peer("MPEG-4", f"-c:v mpeg4 {_MPEG_P} -mbd rd -flags +mv4+aic -trellis 2 -q:v Q", "q", _Q, relabel=_LIMITED),
    Peer("MPEG-2", f"-c:v mpeg2video {_MPEG_P} -q:v Q", "q", _Q, _PLANAR[:2], relabel=_LIMITED),
    Peer("MJPEG", "-c:v mjpeg -bitexact -strict unofficial -q:v Q", "q", _Q, _PLANAR, relabel=_FULL),
)

_PIXEL_FORMATS = {SampleFormat.GRAY: "gray", SampleFormat.RGB: "gbrp"} | {of: f"{of.label}p" for of in _PLANAR}


class Skipped(NamedTuple):
    """A peer that was not measured, or only at the first values of its dial, and why."""

    peer: str
    why: str


class Coded(NamedTuple):
    """What a peer made of a clip."""

    file_bytes: int
    encode_seconds: float
    decode_seconds: float
    pictures: Iterable[Picture]


class Attempt(NamedTuple):
    """A file that a peer may make: what `PeerPoint` says of it, and ``code``, which makes it."""

    peer: str
    dial: tuple[str, int] | None
    command: str
    version: str
    given: Clip
    is_lossless: bool
    code: Callable[[], Coded]


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
    for attempt in (*_stills(clip), *_videos(clip, clip.as_coded(chroma))):
        if attempt.peer in {peer for peer, _ in skipped}:
            continue
        found: PeerPoint | Skipped
        if isinstance(attempt, Skipped):
            found = attempt
        else:
            try:
                found = _measured(attempt, clip.source_bytes, ssim, cache)
            except FAILURES as error:
                went_well_before = any(point.peer == attempt.peer for point in points)
                where = f"from {attempt.dial[0]} {attempt.dial[1]} on: " if attempt.dial and went_well_before else ""
                found = Skipped(attempt.peer, where + _first_line(error))
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


def _measured(attempt: Attempt, source_bytes: int, ssim: bool, cache: SweepCache | None) -> PeerPoint:
    """Encode with a peer, decode again, compare.

    Raises:
        ValueError: it cannot be measured; the message says why.
    """
    peer, dial, command, version, given, is_lossless, code = attempt
    if cache is not None and (found := cache.get_peer(command, version)) is not None:
        return found
    coded = code()
    error = compare_sequences(given.pictures, coded.pictures, ssim).whole
    if is_lossless and not error.total.identical:
        raise ValueError("what came back is not exact")
    point = PeerPoint(
        peer=peer,
        dial=dial,
        command=command,
        version=version,
        measured_in=given.format.sample_format.label,
        **given.sizes() | {"source_bytes": source_bytes},
        file_bytes=coded.file_bytes,
        error=error,
        encode_seconds=coded.encode_seconds,
        decode_seconds=coded.decode_seconds,
    )
    if cache is not None:
        cache.put_peer(point)
    return point


def _first_line(error: BaseException) -> str:
    return re.sub(r"^\[.*?\] ?", "", (str(error).splitlines() or [type(error).__name__])[0])


# ------------------------------------------------------------------------------------------- ffmpeg


def _videos(clip: Clip, coded: Clip) -> Iterator[Attempt | Skipped]:
    """Every peer at every value of its dial."""
    try:
        program, version = _ffmpeg()
        encoders = set(re.findall(r"^ V\S+ (\S+)", _run([program, "-hide_banner", "-encoders"]).decode(), re.M))
    except FAILURES as error:
        yield from (Skipped(peer.name, _first_line(error)) for peer in PEERS)
        return
    for peer in PEERS:
        given = clip if peer.is_lossless else coded
        raw = _raw_format(peer, given.format)
        if (encoder := peer.options.split()[1]) not in encoders:
            yield Skipped(peer.name, f"this ffmpeg has no encoder {encoder}")
        elif raw.sample_format not in peer.keeps:
            yield Skipped(peer.name, f"it does not code {given.format.sample_format.label} as it is")
        elif raw.bit_depth not in peer.depths:
            yield Skipped(peer.name, f"it is not measured on {raw.bit_depth} bits a sample")
        else:
            for value in peer.values or (None,):
                dial = (peer.dial, value) if value is not None else None
                command = _command(peer, value, raw, given)
                code = partial(_coded_by_ffmpeg, program, command, peer.is_lossless, raw, given)
                yield Attempt(peer.name, dial, command, version, given, peer.is_lossless, code)


def _ffmpeg() -> tuple[str, str]:
    """Path and version of the first ffmpeg that runs: from PATH, or else from the package imageio-ffmpeg.

    Raises:
        ValueError: there is none.
    """
    programs = [(shutil.which("ffmpeg"), "found on PATH")]
    with contextlib.suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        programs.append((imageio_ffmpeg.get_ffmpeg_exe(), "of the package imageio-ffmpeg"))
    for program, where in programs:
        with contextlib.suppress(*FAILURES, IndexError):
            if program is not None:
                first = _run([program, "-version"]).decode(errors="replace").splitlines()[0]
                return program, f"{first.partition(' Copyright')[0]}, {where}"
    raise ValueError("ffmpeg is not there: neither on PATH nor as the package imageio-ffmpeg")


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


def _raw_format(peer: Peer, given: PictureFormat) -> PictureFormat:
    """The planes that are passed: those given, and for gray flat chroma where the codec needs chroma."""
    if given.sample_format is SampleFormat.GRAY and SampleFormat.GRAY not in peer.keeps:
        return replace(given, sample_format=SampleFormat.YUV420)
    return given


def _pixel_format(raw: PictureFormat) -> str:
    """The name of planes that ffmpeg knows."""
    return _PIXEL_FORMATS[raw.sample_format] + ("" if raw.bit_depth == 8 else f"{raw.bit_depth}le")


def _command(peer: Peer, value: int | None, raw: PictureFormat, given: Clip) -> str:
    """The command that encodes, as the report shows it."""
    passed = _pixel_format(raw)
    if raw.sample_format is SampleFormat.RGB:
        read = f"-f rawvideo -pix_fmt {passed} -s {raw.width}x{raw.height} -r {given.rate} -i INPUT"
    else:
        read = "-noauto_conversion_filters -f yuv4mpegpipe -i INPUT" + (f" {peer.relabel}" if peer.relabel else "")
    options = peer.options if value is None else peer.options.replace(" Q", f" {value}")
    return f"ffmpeg {read} {options} -pix_fmt {peer.pixel_format or passed} -threads 1 -f nut OUTPUT"


def _coded_by_ffmpeg(program: str, command: str, is_lossless: bool, raw: PictureFormat, given: Clip) -> Coded:
    """Encode and decode.

    Raises:
        ValueError: ffmpeg fails, or gives other pictures back; the message says why.
    """
    source = _passed(given, raw)
    # a lossless codec may return another pixel format; the comparison tells whether its conversion is exact
    back = f"-pix_fmt {_pixel_format(raw)}" if is_lossless else "-noauto_conversion_filters"
    quiet = [program, "-hide_banner", "-loglevel", "error", "-y"]
    with tempfile.TemporaryDirectory(prefix="mvz-peer-") as folder:
        output = str(Path(folder) / "peer.nut")
        places = {"INPUT": "-", "OUTPUT": output}
        started = time.perf_counter()
        _run([*quiet, *(places.get(word, word) for word in shlex.split(command)[1:])], source)
        encode_seconds = time.perf_counter() - started
        from_file = [*quiet, "-nostdin", "-threads", "1", "-i", output]
        started = time.perf_counter()
        samples = _run([*from_file, *shlex.split(f"-fps_mode passthrough {back} -f rawvideo -")])
        decode_seconds = time.perf_counter() - started
        packets = _run([*from_file, "-c", "copy", "-f", "framecrc", "-"]).decode()
    if len(samples) != (expected := len(given.pictures) * raw.raw_bytes):
        raise ValueError(f"{len(samples):,} bytes of samples came back, not {expected:,}")
    return Coded(_packet_bytes(packets), encode_seconds, decode_seconds, _pictures_of(samples, raw, given.format))


def _passed(given: Clip, raw: PictureFormat) -> bytes:
    """What ffmpeg reads: Y4M, or planes of RGB in its order."""
    stored = raw.dtype.newbyteorder("<")
    if raw.sample_format is SampleFormat.RGB:
        planes = (p.planes[plane] for p in given.pictures for plane in (1, 2, 0))
        return b"".join(plane.astype(stored, copy=False).tobytes() for plane in planes)
    file = io.BytesIO()
    chroma = raw.plane_shapes[len(given.format.plane_shapes) :]
    flat = tuple(np.full(shape, 1 << raw.bit_depth - 1, raw.dtype) for shape in chroma)
    with y4m_writer(file, raw, given.rate) as write:
        for picture in given.pictures:
            write(Picture(raw, picture.planes + flat))
    return file.getvalue()


def _pictures_of(samples: bytes, raw: PictureFormat, given: PictureFormat) -> Iterator[Picture]:
    """Pictures of the given format from what ffmpeg gives back."""
    stored = np.frombuffer(samples, raw.dtype.newbyteorder("<")).astype(raw.dtype, copy=False)
    for start in range(0, len(stored), raw.sample_count):
        planes, place = [], start
        for rows, columns in raw.plane_shapes:
            planes.append(stored[place : place + rows * columns].reshape(rows, columns))
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


def _stills(clip: Clip) -> Iterator[Attempt | Skipped]:
    """PNG and lossless WebP, a file a picture; of Y'CbCr, and of gray with alpha, PNG has a gray file a plane."""
    is_rgb = clip.format.sample_format.is_rgb
    pillow = f"Pillow {importlib.metadata.version('pillow')}"
    is_deep = clip.format.bit_depth > 8  # which Pillow does not write
    png = "16 bits, zlib level 3" if is_deep else "Image.save(OUTPUT, 'PNG', compress_level=3)"
    png += ", each picture" if is_rgb else ", each plane"
    webp = "Image.save(OUTPUT, 'WEBP', lossless=True, method=2, quality=50), each picture"
    version = f"mvz {codec.__version__}" if is_deep else pillow
    yield Attempt("PNG", None, png, version, clip, True, partial(_coded_by_pillow, "PNG", clip, is_rgb))
    if is_rgb and not is_deep:
        yield Attempt("WebP", None, webp, pillow, clip, True, partial(_coded_by_pillow, "WEBP", clip, is_rgb))
    else:
        yield Skipped("WebP", "it keeps RGB of 8 bits alone")


def _coded_by_pillow(kind: str, clip: Clip, is_rgb: bool) -> Coded:
    images = [[to_array(picture)] if is_rgb else list(picture.planes) for picture in clip.pictures]
    started = time.perf_counter()
    files = [[encoded(image, kind) for image in of_picture] for of_picture in images]
    encode_seconds = time.perf_counter() - started
    started = time.perf_counter()
    back = [[decoded(io.BytesIO(file)) for file in of_picture] for of_picture in files]
    decode_seconds = time.perf_counter() - started
    depth = clip.format.bit_depth
    pictures = [
        Picture.from_array(of[0], bit_depth=depth) if is_rgb else Picture(clip.format, tuple(of)) for of in back
    ]
    file_bytes = sum(len(file) for of_picture in files for file in of_picture)
    return Coded(file_bytes, encode_seconds, decode_seconds, pictures)
