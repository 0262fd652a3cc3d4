"""Other codecs on the same pictures: what ffmpeg (by the package imageio-ffmpeg) and Pillow make of them.

Pictures go in as raw planes and come back as raw planes, which are compared as ours are.
RGB goes into codecs that know no RGB as 4:2:0 by ffmpeg's scaler, and comes back the same way.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from codec.measure.cache import SweepCache
from codec.measure.metrics import compare_sequences
from codec.measure.points import Clip, PeerPoint
from codec.picture.colour import to_array
from codec.picture.images import decoded, encoded
from codec.picture.planes import Picture, PictureFormat, SampleFormat

__all__ = ["PEERS", "Peer", "Skipped", "measure_peers", "peer_count"]

MINUTES = 30  # a program that takes longer is given up


class Peer(NamedTuple):
    """A codec of ffmpeg's, and where its dial is set."""

    name: str
    options: str
    """With ``Q`` where the dial goes."""
    dial: str = ""
    values: tuple[int, ...] = ()
    keeps: tuple[SampleFormat, ...] = (SampleFormat.YUV420,)
    """What it codes as it is; anything else becomes 4:2:0."""
    is_lossless: bool = False
    """Whether it is left out where it would have to convert."""
    pixel_format: str = ""
    """What ffmpeg calls what it keeps, where that is not what is passed."""
    full_range: bool = False
    """Whether it takes all samples for full range, so that ffmpeg must be kept from scaling them."""


_P_ONLY = "-g 9999 -bf 0 -sc_threshold 1000000000"  # one I picture, then P pictures, as we code them
_PLANAR = (SampleFormat.YUV420, SampleFormat.YUV422, SampleFormat.YUV444)

PEERS = (
    Peer("ffv1", "-c:v ffv1 -level 3 -coder 1 -context 1", keeps=tuple(SampleFormat), is_lossless=True),
    Peer(
        "x264 lossless",
        "-c:v libx264 -qp 0 -preset veryslow",
        keeps=(*_PLANAR, SampleFormat.GRAY),
        is_lossless=True,
    ),
    Peer(
        "x264 lossless, RGB",
        "-c:v libx264rgb -qp 0 -preset veryslow",
        keeps=(SampleFormat.RGB,),
        is_lossless=True,
        pixel_format="bgr24",
    ),
    Peer(
        "x264 high, P only",
        "-c:v libx264 -preset medium -tune psnr -bf 0 -refs 1 -crf Q -x264-params keyint=infinite:scenecut=0",
        "crf",
        (14, 20, 26, 32, 38),
        keeps=_PLANAR,
    ),
    Peer("x264", "-c:v libx264 -crf Q", "crf", (14, 20, 26, 32, 38), keeps=_PLANAR),
    Peer("MPEG-2", f"-c:v mpeg2video {_P_ONLY} -q:v Q", "q", (2, 4, 8, 16, 31)),
    Peer("MPEG-4", f"-c:v mpeg4 {_P_ONLY} -mbd rd -flags +mv4+aic -trellis 2 -q:v Q", "q", (2, 4, 8, 16, 31)),
    Peer("VP9", "-c:v libvpx-vp9 -crf Q -b:v 0 -g 9999 -deadline good -cpu-used 2", "crf", (12, 24, 36, 48, 60)),
    Peer("MJPEG", "-c:v mjpeg -q:v Q", "q", (2, 4, 8, 16, 31), full_range=True),
)

_PIXEL_FORMATS = {
    SampleFormat.GRAY: "gray",
    SampleFormat.RGB: "gbrp",
    SampleFormat.YUV420: "yuv420p",
    SampleFormat.YUV422: "yuv422p",
    SampleFormat.YUV444: "yuv444p",
}


class Skipped(NamedTuple):
    """A peer that was not measured, and why."""

    peer: str
    why: str


def measure_peers(
    clip: Clip,
    *,
    ssim: bool = True,
    progress: Callable[[PeerPoint | Skipped], None] | None = None,
    cache: SweepCache | None = None,
) -> tuple[list[PeerPoint], list[Skipped]]:
    """Every peer that is there, at every value of its dial; one at a time, with one thread.

    ``progress`` is called after each.
    """
    points: list[PeerPoint] = []
    skipped: list[Skipped] = []
    for found in (*_stills(clip, ssim, cache), *_videos(clip, ssim, cache)):
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


def _videos(clip: Clip, ssim: bool, cache: SweepCache | None) -> Iterator[PeerPoint | Skipped]:
    try:
        program, version = _ffmpeg()
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        yield from (Skipped(peer.name, f"ffmpeg is not there: {_first_line(error)}") for peer in PEERS)
        return
    for peer in PEERS:
        for value in peer.values or (None,):
            try:
                yield _measured(program, version, peer, value, clip, ssim, cache)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                yield Skipped(peer.name, _first_line(error))
                break


def _ffmpeg() -> tuple[str, str]:
    """Path and version of ffmpeg."""
    import imageio_ffmpeg

    program: str = imageio_ffmpeg.get_ffmpeg_exe()
    first = _run([program, "-version"]).decode(errors="replace").splitlines()[0]
    return program, first.partition(" Copyright")[0]


def _run(command: Sequence[str], data: bytes = b"") -> bytes:
    """Standard output of a program.

    Raises:
        ValueError: it fails; the message is the last line of what it complains of.
        SubprocessError: it takes more than `MINUTES`.
    """
    result = subprocess.run(command, input=data, capture_output=True, timeout=60 * MINUTES, check=False)
    if result.returncode:
        lines = result.stderr.decode(errors="replace").strip().splitlines() or ["failed without a word"]
        raise ValueError(lines[0])
    return result.stdout


def _first_line(error: BaseException) -> str:
    return re.sub(r"^\[.*?\] ?", "", (str(error).splitlines() or [type(error).__name__])[0])


def _measured(
    program: str, version: str, peer: Peer, value: int | None, clip: Clip, ssim: bool, cache: SweepCache | None
) -> PeerPoint:
    """Encode with a peer, decode again, compare."""
    options = peer.options.replace(" Q", f" {value}") if value is not None else peer.options
    raw = _raw_format(peer, clip.format)
    if peer.is_lossless and raw not in peer.keeps:
        raise ValueError(f"it does not keep {raw.label} as it is")
    kept = peer.pixel_format or _PIXEL_FORMATS[raw if raw in peer.keeps else SampleFormat.YUV420]
    colour_range = " -color_range pc" if peer.full_range else ""
    read = (
        f"-f rawvideo -pix_fmt {_PIXEL_FORMATS[raw]} -s {clip.format.width}x{clip.format.height}{colour_range}"
        f" -r {clip.rate} -i INPUT"
    )
    shown = f"ffmpeg {read} {options} -pix_fmt {kept}{colour_range} -threads 1 -f nut OUTPUT"
    if cache is not None and (found := cache.get_peer(shown, version)) is not None:
        return found
    source = b"".join(plane.tobytes() for picture in clip.pictures for plane in _planes_for(picture, raw))
    quiet = [program, "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    with tempfile.TemporaryDirectory(prefix="mvz-peer-") as folder:
        output = str(Path(folder) / "peer.nut")
        places = {"INPUT": "-", "OUTPUT": output}
        arguments = [places.get(argument, argument) for argument in shlex.split(shown)[1:]]
        started = time.perf_counter()
        _run([argument for argument in [*quiet, *arguments] if argument != "-nostdin"], source)
        encode_seconds = time.perf_counter() - started
        back = _PIXEL_FORMATS[raw].replace("yuv", "yuvj" if peer.full_range else "yuv")
        started = time.perf_counter()
        to_raw = shlex.split(f"-fps_mode passthrough -f rawvideo -pix_fmt {back} -")
        samples = _run([*quiet, "-threads", "1", "-i", output, *to_raw])
        decode_seconds = time.perf_counter() - started
        file_bytes = _packet_bytes(_run([*quiet, "-i", output, "-c", "copy", "-f", "framecrc", "-"]).decode())
    pictures = list(_pictures_of(samples, raw, clip.format))
    if len(pictures) != len(clip.pictures):
        raise ValueError(f"{len(pictures)} of {len(clip.pictures)} pictures came back")
    error = compare_sequences(clip.pictures, pictures, ssim).whole
    point = PeerPoint(
        peer.name,
        (peer.dial, value) if value is not None else None,
        shown,
        version,
        len(clip.pictures),
        clip.pixels,
        clip.source_bytes,
        file_bytes,
        error,
        encode_seconds,
        decode_seconds,
    )
    if cache is not None:
        cache.put_peer(point)
    return point


def _raw_format(peer: Peer, picture_format: PictureFormat) -> SampleFormat:
    """The planes that are passed: those of the source, but for gray, which gets flat chroma where it must have some."""
    own = picture_format.sample_format
    return SampleFormat.YUV420 if own is SampleFormat.GRAY and own not in peer.keeps and not peer.is_lossless else own


def _planes_for(picture: Picture, raw: SampleFormat) -> list[np.ndarray]:
    """Planes in ffmpeg's order."""
    if picture.format.sample_format is SampleFormat.RGB:
        red, green, blue = picture.planes
        return [green, blue, red]
    planes = list(picture.planes)
    shapes = PictureFormat(picture.format.width, picture.format.height, raw).plane_shapes
    return planes + [np.full(shape, 128, np.uint8) for shape in shapes[len(planes) :]]


def _pictures_of(samples: bytes, raw: SampleFormat, picture_format: PictureFormat) -> Iterator[Picture]:
    """Pictures of the source's format from what ffmpeg gives back."""
    raw_format = PictureFormat(picture_format.width, picture_format.height, raw)
    for start in range(0, len(samples) - raw_format.sample_count + 1, raw_format.sample_count):
        planes, place = [], start
        for rows, columns in raw_format.plane_shapes:
            planes.append(np.frombuffer(samples, np.uint8, rows * columns, place).reshape(rows, columns))
            place += rows * columns
        if picture_format.sample_format is SampleFormat.RGB:
            green, blue, red = planes
            planes = [red, green, blue]
        yield Picture(picture_format, tuple(planes[: len(picture_format.plane_shapes)]))


def _packet_bytes(listing: str) -> int:
    """Bytes of packets and codec headers in a listing of ffmpeg's framecrc."""
    headers = sum(int(size) for size in re.findall(r"^#extradata \d+: *(\d+)", listing, re.M))
    packets = sum(int(line.split(",")[4]) for line in listing.splitlines() if line and not line.startswith("#"))
    return headers + packets


# ------------------------------------------------------------------------------------------- stills


def _stills(clip: Clip, ssim: bool, cache: SweepCache | None) -> Iterator[PeerPoint | Skipped]:
    """PNG and lossless WebP, a file a picture; of Y'CbCr, PNG has a gray file a plane."""
    version = f"Pillow {importlib.metadata.version('pillow')}"
    is_rgb = clip.format.sample_format is SampleFormat.RGB
    what = "each picture" if is_rgb else "each plane"
    yield _still("PNG", f"Image.save(OUTPUT, 'PNG', compress_level=3), {what}", version, clip, ssim, cache)
    if is_rgb:
        command = "Image.save(OUTPUT, 'WEBP', lossless=True, method=2, quality=50), each picture"
        yield _still("WebP", command, version, clip, ssim, cache)
    else:
        yield Skipped("WebP", "it keeps RGB alone")


def _still(kind: str, command: str, version: str, clip: Clip, ssim: bool, cache: SweepCache | None) -> PeerPoint:
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
    point = PeerPoint(kind, None, command, version, *sizes, error, encode_seconds, decode_seconds)
    if cache is not None:
        cache.put_peer(point)
    return point
