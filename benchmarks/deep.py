"""Lossless pictures of more than 8 bits: bytes and seconds beside other codecs.

    python benchmarks/deep.py [--clips LIST] [--folder FOLDER] [--speed LIST] [--codecs LIST] [--bound] [--markdown]

`deep_clips` says what the clips are; FOLDER has the 8-bit ones that some are lifted from (default: $MVZ_CLIPS).
Clips and codecs whose package is not installed are left out, and named: imageio-ffmpeg brings ffv1, x264 and x265,
imagecodecs PNG, JPEG-LS and JPEG XL, tifffile with imagecodecs TIFF; nibabel, dipy, pydicom and scikit-image real data.

Bytes are of whole files: one for a clip, but of still pictures one for each picture, or for each plane where chroma is
smaller. Every file is decoded and compared. Seconds are CPU time in one thread; of what ffmpeg does, the time in which
it reads and writes the same samples without a codec is taken off.
With --bound, what the noise of a clip takes in an ideal code, where that is known: see `noise_bound`.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: it would start a thread a core

import argparse
import contextlib
import importlib.util
import io
import resource
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zstandard
from deep_clips import CLIPS, load
from lossless import decode, encode, find_ffmpeg
from noise_bound import noise_bytes

import codec
from codec.errors import CodecError
from codec.picture.planes import Picture, SampleFormat

Image = npt.NDArray[np.uint16]


class Coded(NamedTuple):
    """What a codec made of a clip."""

    file_bytes: int
    encode_seconds: float
    decode_seconds: float


class LeftOut(Exception):  # noqa: N818  it is no error
    """A codec does not take a clip, or is not there; the message says why."""


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    """CPU time so far, of all threads of this process, or of its children."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


# ------------------------------------------------------------------------------------------------- mvz


def by_mvz(speed: str, pictures: list[Picture]) -> Coded:
    """Whole files of ``lossless``."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mvz"
        started = cpu_seconds()
        try:
            encode(pictures, pictures[0].format, file, codec.Settings(speed=speed))
        except CodecError as error:
            raise LeftOut(str(error)) from error
        encoded = cpu_seconds()
        decode(file)
        decoded = cpu_seconds()
        with codec.open(file) as video:
            if len(video) != len(pictures) or not all(map(Picture.same_samples, video.pictures(), pictures)):
                raise SystemExit(f"mvz {speed}: does not come back as it was")
        return Coded(file.stat().st_size, encoded - started, decoded - encoded)


# ------------------------------------------------------------------------------------------------- ffmpeg's

VIDEO = {  # options, and whether it codes more than 12 bits and RGB
    # the small set of contexts makes smaller files of 12 of the 16 clips
    "ffv1": ("-c:v ffv1 -level 3 -coder 1 -context 0 -g 300", True),
    "ffv1 context 1": ("-c:v ffv1 -level 3 -coder 1 -context 1 -g 300", True),
    "x264 veryslow": ("-c:v libx264 -preset veryslow -qp 0 -g 300", False),
    "x265 slow": ("-c:v libx265 -preset slow -x265-params lossless=1:pools=1:frame-threads=1:log-level=error", False),
}
X264_BITS = (8, 10)


def pixel_format(pictures: list[Picture]) -> str:
    """What ffmpeg calls that which `raw_samples` writes."""
    depth = pictures[0].format.bit_depth
    return {
        SampleFormat.GRAY: f"gray{depth}le",
        SampleFormat.RGB: f"gbrp{depth}le",
        SampleFormat.RGBA: f"gbrap{depth}le",
        SampleFormat.YUV420: f"yuv420p{depth}le",
    }[pictures[0].format.sample_format]


def raw_samples(pictures: list[Picture]) -> bytes:
    """All pictures as ffmpeg's rawvideo: planes one after the other, RGB as G, B, R."""
    order = (1, 2, 0, 3) if pictures[0].format.sample_format.is_rgb else range(4)
    planes = ([picture.planes[number] for number in order if number < len(picture.planes)] for picture in pictures)
    return b"".join(plane.astype("<u2").tobytes() for of_picture in planes for plane in of_picture)


def by_ffmpeg(name: str, pictures: list[Picture]) -> Coded:
    """A file of Matroska."""
    options, is_general = VIDEO[name]
    picture_format = pictures[0].format
    depth, is_rgb = picture_format.bit_depth, picture_format.sample_format.is_rgb
    if not is_general and (depth > 12 or is_rgb or ("x264" in name and depth not in X264_BITS)):
        raise LeftOut(f"it does not code {picture_format}")
    if (ffmpeg := find_ffmpeg()) is None:
        raise LeftOut("ffmpeg is not there: imageio-ffmpeg brings it")
    start = [ffmpeg, *shlex.split("-v error -nostdin -y -filter_threads 1")]
    with tempfile.TemporaryDirectory() as folder:
        raw, file, back = (Path(folder) / part for part in ("clip.raw", "clip.mkv", "back.raw"))
        raw.write_bytes(raw_samples(pictures))
        pixels = pixel_format(pictures)
        size = f"{picture_format.width}x{picture_format.height}"
        source = [*f"-f rawvideo -pix_fmt {pixels} -s {size} -threads 1 -i".split(), str(raw)]
        target = [*f"-f rawvideo -pix_fmt {pixels}".split(), str(back)]
        seconds = partial(seconds_of, start)
        copy = seconds([*source, *target])
        encode_ = seconds([*source, *shlex.split(options), "-threads", "1", str(file)])
        decode_ = seconds(["-threads", "1", "-i", str(file), *target])
        if back.read_bytes() != raw.read_bytes():
            raise SystemExit(f"{name}: does not come back as it was")
        return Coded(file.stat().st_size, max(encode_ - copy, 0), max(decode_ - copy, 0))


def seconds_of(start: list[str], arguments: list[str]) -> float:
    """CPU time of a program."""
    before = cpu_seconds(resource.RUSAGE_CHILDREN)
    result = subprocess.run([*start, *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise LeftOut(result.stderr.strip().splitlines()[0])
    return cpu_seconds(resource.RUSAGE_CHILDREN) - before


# ------------------------------------------------------------------------------------------------- still pictures


class Still(NamedTuple):
    """How one picture, (H, W) or (H, W, C), becomes the bytes of a file, and comes back."""

    encode: Callable[[Image], bytes]
    decode: Callable[[bytes], Image]


def still_codecs() -> dict[str, Still]:
    """Those that are installed."""
    if importlib.util.find_spec("imagecodecs") is None:
        return {}
    import imagecodecs as of

    one_thread = {"lossless": True, "numthreads": 1}
    codecs = {
        "PNG 9": Still(partial(of.png_encode, level=9), of.png_decode),
        "JPEG-LS": Still(of.jpegls_encode, of.jpegls_decode),
        "JPEG XL e3": Still(partial(of.jpegxl_encode, effort=3, **one_thread), of.jpegxl_decode),
        "JPEG XL e7": Still(partial(of.jpegxl_encode, effort=7, **one_thread), of.jpegxl_decode),
    }
    if importlib.util.find_spec("tifffile") is not None:
        import tifffile

        def tiff(kind: str, level: int, image: Image) -> bytes:
            file = io.BytesIO()
            compression: dict[str, Any] = {"compression": kind, "compressionargs": {"level": level}, "predictor": True}
            photometric = "rgb" if image.ndim == 3 else "minisblack"
            tifffile.imwrite(file, image, photometric=photometric, maxworkers=1, **compression)
            return file.getvalue()

        for kind, level in (("zlib", 9), ("zstd", 19)):
            codecs[f"TIFF {kind} {level}"] = Still(
                partial(tiff, kind, level), lambda file: tifffile.imread(io.BytesIO(file))
            )
    return codecs


def images(pictures: list[Picture]) -> list[Image]:
    """What is in a file each: a picture, or of Y'CbCr a plane."""
    if pictures[0].format.sample_format.is_rgb:
        return [np.ascontiguousarray(np.moveaxis(np.stack(picture.planes), 0, 2)) for picture in pictures]
    return [plane for picture in pictures for plane in picture.planes]


def by_stills(name: str, pictures: list[Picture]) -> Coded:
    """A file a picture."""
    codecs = still_codecs()
    if name not in codecs:
        raise LeftOut("it is not there: imagecodecs brings it, with tifffile for TIFF")
    sources = images(pictures)
    started = cpu_seconds()
    files = [codecs[name].encode(image) for image in sources]
    encoded = cpu_seconds()
    back = [codecs[name].decode(file) for file in files]
    decoded = cpu_seconds()
    if not all(map(np.array_equal, back, sources)):
        raise SystemExit(f"{name}: does not come back as it was")
    return Coded(sum(map(len, files)), encoded - started, decoded - encoded)


def by_zstd(level: int, pictures: list[Picture]) -> Coded:
    """All raw samples as one frame of zstd."""
    raw = raw_samples(pictures)
    started = cpu_seconds()
    frame = zstandard.ZstdCompressor(level).compress(raw)
    encoded = cpu_seconds()
    if zstandard.ZstdDecompressor().decompress(frame) != raw:
        raise SystemExit("zstd: does not come back as it was")
    return Coded(len(frame), encoded - started, cpu_seconds() - encoded)


# ------------------------------------------------------------------------------------------------- tables

PEERS: dict[str, Callable[[list[Picture]], Coded]] = {
    **{name: partial(by_ffmpeg, name) for name in VIDEO},
    **{
        name: partial(by_stills, name)
        for name in ("JPEG XL e7", "JPEG XL e3", "JPEG-LS", "PNG 9", "TIFF zlib 9", "TIFF zstd 19")
    },
    "zstd 19": partial(by_zstd, 19),
}
COLUMNS = ("codec", "bytes", "bits a sample", "of ffv1", "encode s", "decode s")


def rows_of(pictures: list[Picture], codecs: dict[str, Callable[[list[Picture]], Coded]]) -> Iterator[Sequence[str]]:
    """What each codec makes of a clip, as `COLUMNS`; or its name, and why there is nothing."""
    samples = len(pictures) * pictures[0].format.sample_count
    reference: int | None = None
    for name, work in codecs.items():
        try:
            size, encode_seconds, decode_seconds = work(pictures)
        except LeftOut as why:
            yield name, str(why)
            continue
        reference = size if name == "ffv1" else reference
        share = f"{size / reference:.3f}" if reference else ""
        yield name, f"{size:,}", f"{8 * size / samples:.3f}", share, f"{encode_seconds:.2f}", f"{decode_seconds:.2f}"


def show(row: Sequence[str], markdown: bool) -> None:
    """Print a row; what is left out only says why."""
    if len(row) == 2:
        row = (*row, *[""] * (len(COLUMNS) - 2)) if markdown else row
        print(f"| {' | '.join(row)} |" if markdown else f"  {row[0]:14}– {row[1]}", flush=True)
    elif markdown:
        print(f"| {' | '.join(row)} |", flush=True)
    else:
        print(f"  {row[0]:14}" + "".join(f"{cell:>14}" for cell in row[1:]), flush=True)


def listed(known: Sequence[str], text: str) -> list[str]:
    """Names with commas between."""
    names = text.split(",")
    if unknown := set(names) - set(known):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    return names


def main() -> None:
    """Print a table for each clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=partial(listed, list(CLIPS)), default=list(CLIPS), help=", ".join(CLIPS))
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MVZ_CLIPS", ".")))
    parser.add_argument("--speed", type=partial(listed, ["slow", "medium", "fast"]), default=["slow", "medium", "fast"])
    parser.add_argument("--codecs", type=partial(listed, list(PEERS)), default=list(PEERS), help=", ".join(PEERS))
    parser.add_argument("--bound", action="store_true", help="bytes of noise in an ideal code, where that is known")
    parser.add_argument("--markdown", action="store_true", help="tables of Markdown")
    options = parser.parse_args()
    codecs = {name: PEERS[name] for name in PEERS if name in options.codecs}
    codecs |= {f"mvz {speed}": partial(by_mvz, speed) for speed in options.speed}
    with contextlib.suppress(LeftOut):  # modules are loaded when they are first needed; no time should have that in it
        by_mvz("fast", [Picture.from_array(np.zeros((16, 16), np.uint16))] * 2)
    print(f"mvz {codec.__version__}, {time.strftime('%Y-%m-%d')}")
    for name in options.clips:
        try:
            pictures = load(name, options.folder)
        except FileNotFoundError as error:
            print(f"\n{error}")
            continue
        picture_format = pictures[0].format
        print(f"\n{name}: {len(pictures)} of {picture_format}, {len(pictures) * picture_format.raw_bytes:,} bytes")
        if options.markdown:
            print(f"\n| {' | '.join(COLUMNS)} |\n|---|{'--:|' * (len(COLUMNS) - 1)}")
        else:
            print(f"  {COLUMNS[0]:14}" + "".join(f"{column:>14}" for column in COLUMNS[1:]))
        for row in rows_of(pictures, codecs):
            show(row, options.markdown)
        if options.bound and (bound := noise_bytes(name, pictures, options.folder)) is not None:
            bits = 8 * bound / (len(pictures) * picture_format.sample_count)
            show(("noise alone", f"{bound:,}", f"{bits:.3f}", "", "", ""), options.markdown)


if __name__ == "__main__":
    main()
