"""Lossless: bytes beside other codecs', speed beside ffv1's in the same run, threads and memory.

    python benchmarks/lossless.py CLIP [CLIP …] [--peers FOLDER] [--pictures N] [--speed LIST] [--rounds N]
                                  [--ffmpeg] [--threads N] [--memory]

A clip is a Y4M file or a folder of pictures.
FOLDER has lossless_yuv.json and lossless_rgb.json, {clip: {codec: {"bytes": …}}}, where a clip's name is the file's
up to its first underscore, or the folder's, and the entry "_raw" has the bytes of all samples.
A clip is cut to the pictures that its peers were measured on, unless --pictures says otherwise.

Bytes of mvz are of whole files, decoded and compared; the peers' are of packets and codec headers.
Times are CPU time in one thread, everything in one process, the best of --rounds rounds in which all take turns.
ffv1 reads and writes files with ffmpeg; the time it takes to read the input alone is taken off.
With --threads, times are wall time: GOPs of a quarter of the pictures on N threads, against the same on one.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: it would start a thread a core

import argparse
import json
import math
import multiprocessing
import platform
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any, TypeVar

import numpy as np

import codec
from codec.models import Speed
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sources import open_source

T = TypeVar("T", float, tuple[float, float])

Peers = dict[str, dict[str, dict[str, Any]]]  # clip → codec → {"bytes": …}

PIXEL_FORMATS = {  # ffmpeg's names of what `raw_samples` writes
    SampleFormat.GRAY: "gray",
    SampleFormat.RGB: "bgr0",
    SampleFormat.YUV420: "yuv420p",
    SampleFormat.YUV422: "yuv422p",
    SampleFormat.YUV444: "yuv444p",
}
FFV1 = shlex.split("-c:v ffv1 -level 3 -coder 1 -context 1 -slices 4 -slicecrc 0 -g 300 -threads 1")


@dataclass(frozen=True)
class Clip:
    """Pictures in memory, and what other codecs make of them: bytes by codec, None where they had other pictures."""

    name: str
    path: str
    pictures: list[Picture]
    peers: dict[str, int] | None

    @property
    def format(self) -> PictureFormat:
        """Of every picture."""
        return self.pictures[0].format

    @property
    def samples(self) -> int:
        """Of all planes of all pictures; also the bytes when raw."""
        return len(self.pictures) * self.format.sample_count

    @property
    def is_rgb(self) -> bool:
        """Whether its peers are those of RGB."""
        return self.format.sample_format is SampleFormat.RGB

    def peer(self, start: str) -> int | None:
        """Bytes of the first peer whose name starts so."""
        return next((bytes_ for name, bytes_ in (self.peers or {}).items() if name.startswith(start)), None)


def load(path: str, folder: Path | None, count: int | None) -> Clip:
    """The first ``count`` pictures of a clip, or as many as its peers were measured on."""
    name = Path(path).name if Path(path).is_dir() else Path(path).stem.partition("_")[0]
    with open_source(path) as source:
        rgb = source.format.sample_format is SampleFormat.RGB
        entry = read_peers(folder, "rgb" if rgb else "yuv").get(name, {})
        raw = entry.get("_raw", {}).get("bytes", 0)
        if raw and count is None:
            count = raw // source.format.sample_count
        pictures = list(islice(source, count))
        same = raw == len(pictures) * source.format.sample_count
    peers = {
        codec_: int(peer["bytes"])
        for codec_, peer in entry.items()
        if not codec_.startswith("_") and peer.get("lossless", True)
    }
    return Clip(name, path, pictures, peers if same else None)


def read_peers(folder: Path | None, kind: str) -> Peers:
    """The peers' bytes of ``yuv`` or ``rgb``; none without the file."""
    file = folder / f"lossless_{kind}.json" if folder else None
    return json.loads(file.read_text()) if file and file.exists() else {}


# ------------------------------------------------------------------------------------------------- mvz and ffv1


def encode(
    pictures: Iterable[Picture],
    picture_format: PictureFormat,
    file: Path,
    settings: codec.Settings,
    executor: Executor | None = None,
) -> None:
    """Pictures to a file."""
    with codec.Writer(file, format=picture_format, settings=settings, executor=executor, force=True) as out:
        for picture in pictures:
            out.append(picture)


def decode(file: Path, executor: Executor | None = None) -> None:
    """A file to pictures, which nobody keeps."""
    with codec.open(file) as video:
        for _ in video.pictures(executor=executor):
            pass


def settings_of(speed: str, clip: Clip, gops: int = 1) -> codec.Settings:
    """Lossless, in so many GOPs, and more where a scene begins or 32 pictures are over."""
    return codec.Settings(speed=speed, gop=min(math.ceil(len(clip.pictures) / gops), codec.Settings.gop))


def raw_samples(clip: Clip) -> bytes:
    """All pictures as ffmpeg's rawvideo: planes one after the other, RGB as bytes B, G, R, 0."""
    if not clip.is_rgb:
        return b"".join(plane.tobytes() for picture in clip.pictures for plane in picture.planes)
    zeros = np.zeros_like(clip.pictures[0].planes[0])
    return b"".join(np.dstack([*picture.planes[::-1], zeros]).tobytes() for picture in clip.pictures)


class Ffv1:
    """ffmpeg's ffv1 on one clip; each of its works returns seconds of CPU time."""

    def __init__(self, ffmpeg: str, clip: Clip, folder: Path) -> None:
        self._ffmpeg = [ffmpeg, *shlex.split("-v error -nostdin -y -filter_threads 1")]
        raw, file = folder / "clip.raw", folder / "clip.mkv"
        raw.write_bytes(raw_samples(clip))
        size = f"{clip.format.width}x{clip.format.height}"
        pixels = PIXEL_FORMATS[clip.format.sample_format]
        self._source = [*f"-f rawvideo -pix_fmt {pixels} -s {size} -threads 1 -i".split(), str(raw)]
        self._decoded = ["-threads", "1", "-i", str(file)]
        self._file = str(file)
        self.encode()
        back = subprocess.run(
            [*self._ffmpeg, *self._decoded, *f"-f rawvideo -pix_fmt {pixels} -".split()],
            check=True,
            capture_output=True,
        ).stdout
        if back != raw.read_bytes():
            raise SystemExit(f"{clip.name}: ffv1 does not come back as it was")
        self.bytes = file.stat().st_size

    def _seconds(self, *arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)  # as os.times, which counts in hundredths of a second
        subprocess.run([*self._ffmpeg, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    def encode(self) -> float:
        """The raw file to ffv1."""
        return self._seconds(*self._source, *FFV1, self._file)

    def read_raw(self) -> float:
        """What of `encode` is starting and reading."""
        return self._seconds(*self._source, "-f", "null", "-")

    def decode(self) -> float:
        """Ffv1 to nothing."""
        return self._seconds(*self._decoded, "-f", "null", "-")

    def read_coded(self) -> float:
        """What of `decode` is starting and reading."""
        return self._seconds(*self._decoded, "-c", "copy", "-f", "null", "-")


def ffv1_of(ffmpeg: str | None, clip: Clip, folder: Path) -> Ffv1 | None:
    """None without ffmpeg, and for pictures too small for four slices."""
    try:
        return Ffv1(ffmpeg, clip, folder) if ffmpeg else None
    except subprocess.CalledProcessError as error:
        print(
            f"{clip.name}: ffv1 is left out: {error.stderr.decode(errors='replace').splitlines()[0].partition('] ')[2]}"
        )
        return None


def find_ffmpeg() -> str | None:
    """The ffmpeg of imageio-ffmpeg, or the one on the path."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return shutil.which("ffmpeg")


# ------------------------------------------------------------------------------------------------------- tables


def sizes(clips: list[Clip], speeds: list[str], folder: Path) -> dict[tuple[str, str], int]:
    """Print bytes beside the peers', and return them by clip and speed.

    Every file is decoded and compared, which also compiles the kernels.
    """
    sizes_: dict[tuple[str, str], int] = {}
    print("\nBytes. mvz: whole files, each decoded and compared with its source: all exact. raw:1 is raw over mvz.")
    print("of: mvz over that peer; below 1 mvz is smaller. Peers: packets and codec headers, without a container.")
    for rgb, x264, ffv1 in ((False, "x264 veryslow", "ffv1"), (True, "x264rgb veryslow", "ffv1 bgr0")):
        chosen = [clip for clip in clips if clip.is_rgb == rgb]
        if not chosen:
            continue
        print(
            f"\n{'clip':11}{'pict.':>5} {'speed':7}{'mvz':>11}{'raw:1':>7}"
            f"{x264.replace('veryslow', 'vslow'):>15}{'of':>7}{ffv1:>12}{'of':>7}{'smallest':>16}{'of':>7}"
        )
        ratios: dict[str, list[list[float]]] = {speed: [] for speed in speeds}
        for clip in chosen:
            smallest = min((clip.peers or {}).items(), key=lambda item: item[1], default=None)
            beside = [clip.peer(x264), clip.peer(ffv1), smallest[1] if smallest else None]
            for speed in speeds:
                bytes_ = sizes_[clip.path, speed] = exact_bytes(clip, speed, folder)
                row = [clip.samples / bytes_, *(bytes_ / peer if peer else math.nan for peer in beside)]
                ratios[speed].append(row)
                first = speed == speeds[0]
                shown = [f"{peer:,}" if peer and first else "" for peer in beside]
                print(
                    f"{clip.name if first else '':11}{len(clip.pictures) if first else '':>5} {speed:7}{bytes_:>11,}"
                    f"{row[0]:>7.3f}{shown[0]:>15}{three(row[1]):>7}{shown[1]:>12}{three(row[2]):>7}{shown[2]:>12}"
                    f"{three(row[3]):>7}{f'  {smallest[0]}' if smallest and first else ''}",
                    flush=True,
                )
            if clip.peers is None:
                print(f"{'':17}no peer was measured on these {len(clip.pictures)} pictures")
        for speed in speeds:
            averages = [mean_of(column) for column in zip(*ratios[speed], strict=True)]
            print(
                f"{'mean ratio' if speed == speeds[0] else '':16} {speed:7}{'':11}{averages[0]:>7.3f}"
                f"{'':15}{three(averages[1]):>7}{'':12}{three(averages[2]):>7}{'':12}{three(averages[3]):>7}"
            )
    return sizes_


def exact_bytes(clip: Clip, speed: str, folder: Path) -> int:
    """Size of the lossless file, which must decode to the very pictures."""
    file = folder / f"{clip.name}.mvz"
    encode(clip.pictures, clip.format, file, settings_of(speed, clip))
    with codec.open(file) as video:
        if len(video) != len(clip.pictures) or not all(map(Picture.same_samples, video.pictures(), clip.pictures)):
            raise SystemExit(f"{clip.path}, {speed}: does not come back as it was")
    return file.stat().st_size


def mean_of(values: Iterable[float]) -> float:
    """Of those that are known; NaN where none is."""
    return mean([value for value in values if not math.isnan(value)] or [math.nan])


def three(value: float) -> str:
    """A ratio, or a dash where it is not known."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def cpu_seconds(work: Callable[..., object], *arguments: object) -> float:
    """CPU time of all threads of this process."""
    started = time.process_time()
    work(*arguments)
    return time.process_time() - started


def wall_seconds(work: Callable[..., object], *arguments: object) -> tuple[float, float]:
    """Wall time, and how many cores were at work in it."""
    started, cpu_started = time.perf_counter(), time.process_time()
    work(*arguments)
    seconds = time.perf_counter() - started
    return seconds, (time.process_time() - cpu_started) / seconds


def best_of(rounds: int, works: dict[Any, Callable[[], T]]) -> dict[Any, T]:
    """The shortest time of each work, which takes its turn in every round."""
    times = [{name: work() for name, work in works.items()} for _ in range(rounds)]
    return {name: min(each[name] for each in times) for name in works}


def speed_table(clips: list[Clip], speeds: list[str], folder: Path, rounds: int, ffmpeg: str | None) -> None:
    """Print CPU time a sample, beside ffv1's."""
    print(f"\nSpeed. CPU time in ns a sample (of all planes), one thread, best of {rounds} rounds in turn.")
    print("faster: times as fast as ffv1; below 1 mvz is slower. ffv1 without starting and reading; its .mkv in bytes.")
    print(
        f"\n{'':18}{'encode':>20}{'':11}{'decode':>20}{'':11}{'whole files':>23}\n{'clip':11}{'speed':7}"
        f"{'mvz ns':>10}{'ffv1 ns':>10}{'faster':>9}  {'mvz ns':>10}{'ffv1 ns':>10}{'faster':>9}  "
        f"{'mvz':>12}{'ffv1':>12}{'ratio':>8}"
    )
    ratios: dict[str, list[tuple[float, float]]] = {speed: [] for speed in speeds}
    for clip in clips:
        files = {speed: folder / f"{speed}.mvz" for speed in speeds}
        works: dict[Any, Callable[[], float]] = {}
        for speed, file in files.items():
            settings = settings_of(speed, clip)
            works["encode", speed] = partial(cpu_seconds, encode, clip.pictures, clip.format, file, settings)
            works["decode", speed] = partial(cpu_seconds, decode, file)
        peer = ffv1_of(ffmpeg, clip, folder)
        if peer:
            works |= {work.__name__: work for work in (peer.encode, peer.read_raw, peer.decode, peer.read_coded)}
        best = {name: seconds / clip.samples * 1e9 for name, seconds in best_of(rounds, works).items()}
        ffv1_encode = best["encode"] - best["read_raw"] if peer else math.nan
        ffv1_decode = best["decode"] - best["read_coded"] if peer else math.nan
        for speed, file in files.items():
            encode_ns, decode_ns = best["encode", speed], best["decode", speed]
            ratios[speed].append((ffv1_encode / encode_ns, ffv1_decode / decode_ns))
            bytes_ = file.stat().st_size
            row = (
                f"{clip.name if speed == speeds[0] else '':11}{speed:7}"
                f"{encode_ns:>10.1f}{one(ffv1_encode):>10}{three(ratios[speed][-1][0]):>9}  "
                f"{decode_ns:>10.1f}{one(ffv1_decode):>10}{three(ratios[speed][-1][1]):>9}  {bytes_:>12,}"
            )
            print(row + (f"{peer.bytes:>12,}{bytes_ / peer.bytes:>8.3f}" if peer else ""), flush=True)
    if ffmpeg:
        for speed in speeds:
            encode_ratio, decode_ratio = (mean_of(column) for column in zip(*ratios[speed], strict=True))
            print(
                f"{'mean ratio' if speed == speeds[0] else '':11}{speed:7}{'':20}{three(encode_ratio):>9}"
                f"{'':22}{three(decode_ratio):>9}"
            )


def one(value: float) -> str:
    """A time, or a dash where it is not known."""
    return "–" if math.isnan(value) else f"{value:.1f}"


def thread_table(clips: list[Clip], whole: dict[tuple[str, str], int], folder: Path, rounds: int, threads: int) -> None:
    """Print wall time on several threads beside that on one; ``whole`` is bytes without more GOPs."""
    print(
        f"\nThreads. Wall time in seconds, best of {rounds} rounds in turn: GOPs of a quarter of the pictures, "
        f"on one thread and on {threads}."
    )
    print(f"cores: CPU time over wall time with {threads} threads; near 1 they had one core or had to wait.")
    print("GOPs are what threads share, so such files are larger than those above: bytes, and how much larger.")
    heads = f"{'1 thread':>9}{f'{threads} threads':>10}{'faster':>7}{'cores':>6}"
    print(
        f"\n{'':25}{'encode':>20}{'':13}{'decode':>20}\n{'clip':11}{'speed':7}{'a GOP':>6} "
        f"{heads} {heads}  {'bytes':>10}{'larger':>8}"
    )
    with ThreadPoolExecutor(threads) as pool:
        for clip in clips:
            for number, speed in enumerate(speed for path, speed in whole if path == clip.path):
                file, settings = folder / "threads.mvz", settings_of(speed, clip, gops=4)
                works: dict[Any, Callable[[], tuple[float, float]]] = {}
                for executor in (None, pool):
                    works["encode", executor] = partial(
                        wall_seconds, encode, clip.pictures, clip.format, file, settings, executor
                    )
                    works["decode", executor] = partial(wall_seconds, decode, file, executor)
                best = best_of(rounds, works)
                columns = []
                for work in ("encode", "decode"):
                    alone, (seconds, cores) = best[work, None][0], best[work, pool]
                    columns.append(f"{alone:>9.3f}{seconds:>10.3f}{alone / seconds:>7.2f}{cores:>6.2f}")
                bytes_ = file.stat().st_size
                print(
                    f"{'' if number else clip.name:11}{speed:7}{settings.gop:>6} {' '.join(columns)}  "
                    f"{bytes_:>10,}{bytes_ / whole[clip.path, speed] - 1:>8.1%}",
                    flush=True,
                )


def memory_table(clips: list[Clip], speeds: list[str], folder: Path) -> None:
    """Print the peak memory of processes that do nothing but encode or decode."""
    print(
        "\nMemory. Most resident MB of a process that encodes from the clip's file, and of one that decodes; one GOP."
    )
    print(f"A process that has only imported the codec: {in_a_process(peak_of_nothing):.0f} MB.")
    print(f"\n{'clip':11}{'speed':7}{'encode MB':>11}{'decode MB':>11}{'one picture, raw MB':>22}")
    for clip in clips:
        for speed in speeds:
            file, settings = folder / "memory.mvz", settings_of(speed, clip)
            peaks = [
                in_a_process(peak_of_encode, clip.path, len(clip.pictures), file, settings),
                in_a_process(peak_of_decode, file),
            ]
            print(
                f"{clip.name if speed == speeds[0] else '':11}{speed:7}{peaks[0]:>11.0f}{peaks[1]:>11.0f}"
                f"{clip.format.sample_count / 1e6:>22.2f}",
                flush=True,
            )


def in_a_process(work: Callable[..., float], *arguments: object) -> float:
    """Call ``work`` in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak_of_nothing() -> float:
    """MB of a process that has imported encoder and decoder."""
    _ = codec.Writer, codec.Video
    return peak_megabytes()


def peak_of_encode(path: str, count: int, file: Path, settings: codec.Settings) -> float:
    """MB of a process that encodes a clip as it reads it."""
    with open_source(path) as source:
        encode(islice(source, count), source.format, file, settings)
    return peak_megabytes()


def peak_of_decode(file: Path) -> float:
    """MB of a process that decodes a file."""
    decode(file)
    return peak_megabytes()


def peak_megabytes() -> float:
    """Most that this process has had resident, in 10⁶ bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux ru_maxrss of a new process starts with that of the process which started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def machine() -> str:
    """The processor, its vector instructions, its load, and the versions."""
    info = Path("/proc/cpuinfo")
    lines = [line.partition(":")[::2] for line in info.read_text().splitlines()] if info.exists() else []
    fields = {name.strip(): value.strip() for name, value in reversed(lines)}
    name = fields.get("model name") or platform.processor() or "unknown"
    flags = fields.get("flags", "").split()
    vectors = ", ".join(
        f"{known} {'yes' if start in flags else 'no' if flags else 'unknown'}"
        for known, start in (("avx2", "avx2"), ("avx512", "avx512f"))
    )
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"processor {name}, {vectors}, cores {os.cpu_count()}{load}; "
        f"mvz {codec.__version__}, Python {platform.python_version()}"
    )


def speed_list(text: str) -> list[str]:
    """An argument such as slow,fast."""
    labels = [speed.label for speed in Speed]
    if not all(name in labels for name in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of {', '.join(labels)}")
    return text.split(",")


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", metavar="CLIP")
    parser.add_argument(
        "--peers", type=Path, metavar="FOLDER", help="where lossless_yuv.json and lossless_rgb.json are"
    )
    parser.add_argument(
        "--pictures", type=int, metavar="N", help="only the first N (default: as many as the peers had)"
    )
    parser.add_argument("--speed", type=speed_list, default="slow,medium,fast", metavar="LIST", help="%(default)s")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of times (default 3); 0: only bytes")
    parser.add_argument("--ffmpeg", action="store_true", help="time ffv1 too")
    parser.add_argument("--threads", type=int, metavar="N", help="also wall time on N threads")
    parser.add_argument("--memory", action="store_true", help="also peak memory")
    options = parser.parse_args()
    print(machine())
    clips = [load(path, options.peers, options.pictures) for path in options.clips]
    ffmpeg = find_ffmpeg() if options.ffmpeg else None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        whole = sizes(clips, options.speed, folder)
        if options.rounds:
            if options.ffmpeg and not ffmpeg:
                print("\nffv1 is left out: neither imageio-ffmpeg nor an ffmpeg on the path")
            speed_table(clips, options.speed, folder, options.rounds, ffmpeg)
            if options.threads:
                thread_table(clips, whole, folder, options.rounds, options.threads)
        if options.memory:
            memory_table(clips, options.speed, folder)


if __name__ == "__main__":
    main()
