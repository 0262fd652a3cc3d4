"""Pictures per second and compression ratio of every residual × motion on a clip, beside PNG in the same run.

    python benchmarks/speed.py CLIP [--pictures N] [--jobs N]

Times are wall times of the second of two runs, so that compiling kernels is not in them.
The ratios of speed are against Pillow's PNG (default settings) on the same pictures, one thread.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

import codec
from codec.picture.colour import to_array
from codec.picture.planes import Picture
from codec.picture.sources import open_source


def seconds(work: Callable[[], object]) -> float:
    """Wall time of the second call."""
    work()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def png_peer(pictures: list[Picture]) -> tuple[int, float, float]:
    """Bytes, encode seconds and decode seconds of PNG."""
    arrays = [to_array(picture) for picture in pictures]

    def write() -> list[bytes]:
        files = []
        for array in arrays:
            file = io.BytesIO()
            Image.fromarray(array).save(file, "PNG")
            files.append(file.getvalue())
        return files

    files = write()
    encode = seconds(write)
    decode = seconds(lambda: [np.asarray(Image.open(io.BytesIO(file))) for file in files])
    return sum(map(len, files)), encode, decode


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--pictures", type=int, default=None, help="only the first N")
    parser.add_argument("--gop", type=int, default=8, help="pictures a GOP; threads work on GOPs (default 8)")
    parser.add_argument("--jobs", type=int, default=1, help="threads (default 1)")
    options = parser.parse_args()
    with open_source(options.clip) as source:
        pictures = list(islice(source, options.pictures))
    raw = len(pictures) * pictures[0].format.sample_count
    size, png_encode, png_decode = png_peer(pictures)
    count = len(pictures)
    print(f"{options.clip}: {count} pictures of {pictures[0].format}, {options.jobs} thread(s)")
    print(f"{'':24}{'bytes':>12}{'ratio':>8}{'enc/s':>8}{'×PNG':>7}{'dec/s':>8}{'×PNG':>7}")
    print(
        f"{'PNG':24}{size:>12,}{raw / size:>8.2f}{count / png_encode:>8.1f}{1:>7.2f}{count / png_decode:>8.1f}{1:>7.2f}"
    )
    for residual, step in (("lossless", None), ("int8", 8), ("uint8", 8), ("float16", None)):
        for motion in ("none", "block", "mesh"):
            settings = codec.Settings(residual=residual, motion=motion, step=step, gop=options.gop)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "clip.mvz"
                executor = ThreadPoolExecutor(options.jobs) if options.jobs > 1 else nullcontext()
                with executor as pool:

                    def write(path: Path = path, settings: codec.Settings = settings, pool: object = pool) -> None:
                        with codec.Writer(
                            path, format=pictures[0].format, settings=settings, executor=pool, force=True
                        ) as out:
                            for picture in pictures:
                                out.append(picture)

                    def read(path: Path = path, pool: object = pool) -> None:
                        with codec.open(path) as video:
                            for _ in video.pictures(executor=pool):
                                pass

                    encode, decode = seconds(write), seconds(read)
                size = path.stat().st_size
            name = f"{residual}{f' step {step}' if step else ''} {motion}"
            print(
                f"{name:24}{size:>12,}{raw / size:>8.2f}{count / encode:>8.1f}{png_encode / encode:>7.2f}"
                f"{count / decode:>8.1f}{png_decode / decode:>7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
