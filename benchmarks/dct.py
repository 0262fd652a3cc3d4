"""Size and speed of ``dct`` on real clips, beside measured points of other codecs.

    MVZ_CLIPS=… python benchmarks/dct.py --peers rd.json [--ffmpeg]

Bytes are those of whole files, each decoded and checked; PSNR-YUV is (6 Y + U + V) / 8, each plane's from one squared
error over the whole clip; BD-rate is percent of bytes at equal PSNR, interpolated monotonely between 28 and 44 dB.
With --ffmpeg x264 (medium, one I picture, then P pictures, one thread) codes the same pictures in the same run, its
crf being our qp; what is printed is how many times as fast it is, by CPU time without starting and reading raw video.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from lossless import find_ffmpeg

import codec
from codec.measure.curves import Curve
from codec.measure.metrics import compare_sequences
from codec.picture.sources import open_source

CLIPS = {
    "foreman": ("foreman_352x288.y4m", 21),
    "akiyo": ("akiyo_352x288.y4m", 21),
    "coastguard": ("coastguard_352x288.y4m", 21),
    "parkjoy": ("parkjoy_480x270.y4m", 10),
    "bunny": ("bunny_1280x720.y4m", 20),
}
ANCHOR = "x264 high medium P"


def curves_and_overlap(anchor: list[dict], test: list[dict], key: str) -> tuple[list[Curve], float, float]:
    """The curves of both, and the PSNR that they share, from 28 to 44 dB."""
    curves = [Curve([(point["bytes"], point[key]) for point in points]) for points in (anchor, test)]
    return curves, max(28, *(curve.psnr[0] for curve in curves)), min(44, *(curve.psnr[-1] for curve in curves))


def bd_rate(anchor: list[dict], test: list[dict], key: str) -> float:
    """Percent of bytes of ``test`` over ``anchor`` at equal PSNR; NaN where they share less than 2 dB."""
    curves, low, high = curves_and_overlap(anchor, test, key)
    if high - low < 2:
        return float("nan")
    anchored, tested = (curve.mean_log_bytes(low, high) for curve in curves)
    return 100 * math.expm1(tested - anchored)


def interval(rates: list[float]) -> tuple[float, float]:
    """Where the mean of so many clips lies with 95 %, by drawing clips again (percentile bootstrap)."""
    drawn = np.random.default_rng(1).choice(rates, (10000, len(rates))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def measured(pictures: list, settings: codec.Settings, folder: str, jobs: int) -> dict:
    """One file, encoded, decoded and compared."""
    path = Path(folder) / "clip.mvz"
    with ThreadPoolExecutor(jobs) as executor:
        start, start_cpu = time.perf_counter(), time.process_time()
        with codec.Writer(
            path, format=pictures[0].format, settings=settings, executor=executor if jobs > 1 else None, force=True
        ) as out:
            for picture in pictures:
                out.append(picture)
        encoded, encoded_cpu = time.perf_counter(), time.process_time()
        with codec.open(path) as video:
            decoded = list(video.pictures(executor=executor if jobs > 1 else None))
        seconds = encoded - start, time.perf_counter() - encoded
        cpu_seconds = encoded_cpu - start_cpu, time.process_time() - encoded_cpu
    error = compare_sequences(pictures, decoded).whole
    psnr_y = next(iter(error.planes.values())).psnr
    whole = error.psnr_yuv or psnr_y
    return {
        "bytes": path.stat().st_size,
        "psnr_y": psnr_y,
        "psnr_yuv": whole,
        "encode": seconds[0],
        "decode": seconds[1],
        "encode_cpu": cpu_seconds[0],
        "decode_cpu": cpu_seconds[1],
    }


X264 = shlex.split(
    "-c:v libx264 -preset medium -tune psnr -bf 0 -refs 1 -threads 1 -x264-params keyint=infinite:scenecut=0"
)


def x264_seconds(ffmpeg: str, pictures: list, crf: int, folder: str) -> tuple[float, float]:
    """CPU time of x264 for the same pictures, encoding and decoding."""
    raw, file = Path(folder) / "clip.raw", Path(folder) / "clip.mkv"
    if not raw.exists():
        raw.write_bytes(b"".join(plane.tobytes() for picture in pictures for plane in picture.planes))
    size = f"{pictures[0].format.width}x{pictures[0].format.height}"
    source = [*f"-f rawvideo -pix_fmt yuv420p -s {size} -threads 1 -i".split(), str(raw)]
    coded, nowhere = ["-threads", "1", "-i", str(file)], ["-f", "null", "-"]

    def seconds(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([ffmpeg, *shlex.split("-v error -nostdin -y"), *arguments], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    encode = seconds(*source, *X264, "-crf", str(crf), str(file)) - seconds(*source, *nowhere)
    decode = seconds(*coded, *nowhere) - seconds(*coded, "-c", "copy", *nowhere)
    return encode, decode


def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", default=",".join(CLIPS), help="which of them, with commas between")
    parser.add_argument("--speeds", default="slow,medium,fast")
    parser.add_argument("--qps", default="22,27,32,37")
    parser.add_argument("--gop", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--peers", help="JSON of points by clip and codec")
    parser.add_argument("--ffmpeg", action="store_true", help="time x264 too")
    parser.add_argument("--points", action="store_true", help="print every point")
    options = parser.parse_args()
    folder = os.environ.get("MVZ_CLIPS")
    if not folder:
        print("MVZ_CLIPS says where the clips are", file=sys.stderr)
        return 2
    peers = json.loads(Path(options.peers).read_text()) if options.peers else {}
    names = options.clips.split(",")
    ffmpeg = find_ffmpeg() if options.ffmpeg else None
    with tempfile.TemporaryDirectory() as scratch:
        for speed in options.speeds.split(","):
            rates = []
            for name in names:
                file, count = CLIPS[name]
                with open_source(str(Path(folder) / file)) as source:
                    pictures = list(islice(source, count))
                points, peer_seconds = [], []
                (Path(scratch) / "clip.raw").unlink(missing_ok=True)
                for qp in map(int, options.qps.split(",")):
                    settings = codec.Settings(
                        residual="dct",
                        qp=qp,
                        gop=options.gop,
                        speed=speed,
                        scene_cut=options.gop < 64 if options.gop > 1 else None,
                    )
                    if not rates and not points:
                        measured(pictures[:2], settings, scratch, 1)
                    points.append(measured(pictures, settings, scratch, options.jobs))
                    if ffmpeg:
                        peer_seconds.append(x264_seconds(ffmpeg, pictures, qp, scratch))
                    if options.points:
                        print(speed, name, qp, {key: round(value, 3) for key, value in points[-1].items()})
                fields = [f"{name:12}"]
                if name in peers:
                    both = [bd_rate(peers[name][ANCHOR], points, key) for key in ("psnr_yuv", "psnr_y")]
                    rates.append(both)
                    _, low, high = curves_and_overlap(peers[name][ANCHOR], points, "psnr_yuv")
                    fields.append(f"BD-rate {both[0]:+6.2f} % (Y {both[1]:+6.2f} %), {low:.1f}…{high:.1f} dB")
                for number, action in enumerate(("encode", "decode")):
                    speeds = [f"{len(pictures) / point[action]:.1f}" for point in points]
                    fields.append(f"{action} {' '.join(speeds)} /s")
                    if ffmpeg:
                        ratios = (p[f"{action}_cpu"] / s[number] for p, s in zip(points, peer_seconds, strict=True))
                        fields.append(f"(x264 {' '.join(f'{ratio:.1f}' for ratio in ratios)} times as fast)")
                print(f"{speed:7}", " ".join(fields), flush=True)
            if rates:
                (mean, mean_y), (low, high) = np.mean(rates, axis=0), interval([both[0] for both in rates])
                print(f"{speed:7} mean         BD-rate {mean:+6.2f} % (Y {mean_y:+6.2f} %)", end=" ")
                print(f"of {len(rates)} clips; with 95 % in {low:+.1f}…{high:+.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
