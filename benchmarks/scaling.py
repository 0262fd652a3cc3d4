"""What threads bring, as ``mvz`` starts them, and what it takes to reach a picture: on a clip of yours.

    python benchmarks/scaling.py CLIP [--pictures N] [--gop N] [--jobs LIST] [--residual …] [--motion …]

A clip shorter than N pictures is repeated.
Times are wall times, the best of five runs after one that compiles; do not run anything beside it.
Random access takes every picture of the file once, in a shuffled order, each by ``video[i]``.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from itertools import cycle, islice
from pathlib import Path

import codec
from codec.cli.terminal import executor_of
from codec.picture.planes import Picture
from codec.picture.sources import open_source

RUNS = 5


def best_seconds(work: Callable[[], object]) -> float:
    """Wall time of the best of some runs, after one that does not count."""
    work()
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def write(path: Path, pictures: list[Picture], settings: codec.Settings, executor: Executor | None) -> None:
    """Encode."""
    with codec.Writer(path, format=pictures[0].format, settings=settings, executor=executor, force=True) as out:
        for picture in pictures:
            out.append(picture)


def read(path: Path, executor: Executor | None) -> None:
    """Decode all, and keep nothing."""
    with codec.open(path) as video:
        for _ in video.pictures(executor=executor):
            pass


def print_scaling(path: Path, pictures: list[Picture], settings: codec.Settings, jobs: Iterable[int]) -> None:
    """Pictures per second by threads; leaves the file."""
    print(f"{'threads':>12}{'encode/s':>12}{'×1':>8}{'decode/s':>12}{'×1':>8}")
    base = None
    for count in jobs:
        with executor_of(count) as executor:
            encode = best_seconds(lambda executor=executor: write(path, pictures, settings, executor))
            decode = best_seconds(lambda executor=executor: read(path, executor))
        base = base or (encode, decode)
        speeds = len(pictures) / encode, len(pictures) / decode
        ratios = base[0] / encode, base[1] / decode
        print(f"{count:>12}{speeds[0]:>12.1f}{ratios[0]:>8.2f}{speeds[1]:>12.1f}{ratios[1]:>8.2f}", flush=True)


def print_access(path: Path) -> None:
    """Milliseconds to reach a picture, by the order in which they are asked for."""
    with codec.open(path) as video:
        orders = {
            "forwards": list(range(len(video))),
            "backwards": list(reversed(range(len(video)))),
            "shuffled": random.Random(0).sample(range(len(video)), len(video)),
        }
    print(f"{'video[i]':>12}{'mean ms':>12}{'worst ms':>12}")
    for name, order in orders.items():
        with codec.open(path) as video:
            times = []
            for number in order:
                started = time.perf_counter()
                video[number]
                times.append(1000 * (time.perf_counter() - started))
        print(f"{name:>12}{sum(times) / len(times):>12.2f}{max(times):>12.2f}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--pictures", type=int, default=64, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--gop", type=int, default=8, metavar="N", help="pictures a GOP (default %(default)s)")
    parser.add_argument("--jobs", default="1,2", metavar="LIST", help="threads to try (default %(default)s)")
    parser.add_argument("--residual", default="lossless")
    parser.add_argument("--motion", default="block")
    parser.add_argument("--step", type=int)
    options = parser.parse_args()
    with open_source(options.clip) as source:
        pictures = list(islice(source, options.pictures))
    pictures = list(islice(cycle(pictures), options.pictures))
    settings = codec.Settings(
        residual=options.residual,
        motion=options.motion,
        step=options.step,
        gop=options.gop,
        scene_cut=False if options.gop > 1 else None,
    )
    print(f"{options.clip}: {len(pictures)} pictures of {pictures[0].format}, GOPs of {options.gop}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mvz"
        print_scaling(path, pictures, settings, [int(count) for count in options.jobs.split(",")])
        print_access(path)


if __name__ == "__main__":
    main()
