"""What motion search finds, what its field costs, and how long it takes, beside the lab exercise's own functions.

    python benchmarks/motion.py CLIP [CLIP …] [--gap N] [--block S] [--search N] [--pairs N] [--threads N]

PSNR is of the luma prediction from original references, over all pairs; bytes are of the coded field, a pair.
ms are of the first pair in one thread, the best of half a second, with making the quarter-sample planes.
The exercise's block matching (block 10, range 3) and mesh (20 × 20 nodes, 200 iterations, of which 2 are timed) run
on the first pair too; speed-up is their time over ours.
pictures/s are of all pairs, as many at once as ``--threads`` says.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt

from codec.models import MotionModel, Speed
from codec.motion.compensation import ReferencePlane
from codec.motion.field import SHARP, CellMode, MotionField
from codec.motion.tables import HALF_TAPS
from codec.picture.colour import luma
from codec.picture.planes import Plane, Subsampling
from codec.picture.sources import open_source
from codec.search.mesh import search_mesh
from codec.search.motion import Searched, block_windows, match_windows, search_blocks
from codec.writing.streams import pack_fields

Real = npt.NDArray[np.float64]
Search = Callable[[Plane, Plane], MotionField]


def lab_block(frame1: Real, frame2: Real, block_size: int = 10, search_range: int = 3) -> None:
    """Block matching as the exercise does it: what it costs, not what it finds."""
    pad = block_size // 2 + search_range
    height, width = frame1.shape
    for i in range(0, height // block_size * block_size, block_size):
        for j in range(0, width // block_size * block_size, block_size):
            current = frame2[i + pad : i + pad + block_size, j + pad : j + pad + block_size]
            best = best_distance = math.inf
            for k in range(max(i - search_range, 0), min(i + search_range, height - block_size)):
                for m in range(max(j - search_range, 0), min(j + search_range, width - block_size)):
                    window = frame1[k + pad : k + pad + block_size, m + pad : m + pad + block_size]
                    if window.shape != current.shape:
                        continue
                    error = np.sum(np.abs(current - window))
                    distance = (k - i) ** 2 + (m - j) ** 2
                    if error < best or (error == best and distance < best_distance):
                        best, best_distance = error, distance


def lab_mesh(frame1: Real, frame2: Real, nodes: int = 20, iterations: int = 2) -> None:
    """Gradient descent on node displacements as the exercise does it."""
    side = min(frame1.shape)

    def dfd(i: int, j: int, displacement: Real) -> float:
        rows = np.arange(i * side // nodes, (i + 1) * side // nodes)
        columns = np.arange(j * side // nodes, (j + 1) * side // nodes)
        y, x = np.meshgrid(rows, columns, indexing="ij")
        dy, dx = np.round(displacement).astype(np.int32)
        moved = frame2[np.clip(y + dy, 0, side - 1), np.clip(x + dx, 0, side - 1)]
        return float(np.sum((moved - frame1[y, x]) ** 2))

    displacements = np.zeros((nodes, nodes, 2))
    for _ in range(iterations):
        for i in range(nodes):
            for j in range(nodes):
                start = displacements[i, j].copy()
                for axis in range(2):
                    step = 2.0 * (np.arange(2) == axis)
                    displacements[i, j, axis] -= 0.1 * (dfd(i, j, start + step) - dfd(i, j, start)) / 2


def seconds(work: Callable[[], object]) -> float:
    """The shortest wall time of as many calls as half a second takes, since some wait for others on the machine."""
    spans: list[float] = []
    while sum(spans) < 0.5:
        started = time.perf_counter()
        work()
        spans.append(time.perf_counter() - started)
    return min(spans)


def full_pel(cell_size: int, search_range: int) -> Search:
    """Full search in full samples."""

    def search(source: Plane, reference: Plane) -> MotionField:
        windows = block_windows(*source.shape, cell_size)
        return MotionField(MotionModel.BLOCK, cell_size, match_windows(source, reference, windows, search_range))

    return search


def quarter_pel(
    find: Callable[[Searched, int], MotionField], cell_size: int, search_range: int, speed: Speed
) -> Search:
    """One of the product's searches."""
    return lambda source, reference: find(Searched.of(source, reference, search_range, speed), cell_size)


def searches(cell_size: int, search_range: int) -> dict[str, Search]:
    """All rows of the table."""
    product = partial(quarter_pel, cell_size=cell_size, search_range=search_range)
    return {
        "full-pel block": full_pel(cell_size, search_range),
        **{f"block {speed.label}": product(search_blocks, speed=speed) for speed in Speed},
        "mesh warp only": product(partial(search_mesh, allowed=(CellMode.WARP,)), speed=Speed.SLOW),
        "mesh blend only": product(partial(search_mesh, allowed=(CellMode.BLEND,)), speed=Speed.SLOW),
        **{f"mesh {speed.label}": product(search_mesh, speed=speed) for speed in Speed},
    }


def field_bytes(field: MotionField) -> int:
    """Bytes of the coded field, framing of its streams left out."""
    return sum(map(len, pack_fields([field]).values()))


def measure(name: str, search: Search, pairs: list[tuple[Plane, Plane]], beside: float, threads: int) -> None:
    """Print one row; ``beside`` is the time that the speed-up is against."""
    fields = [search(*pair) for pair in pairs]
    span = seconds(lambda: search(*pairs[0]))
    with ThreadPoolExecutor(threads) as pool:
        rate = len(pairs) / seconds(lambda: list(pool.map(lambda pair: search(*pair), pairs)))
    errors = [
        source.astype(np.int32) - ReferencePlane(reference, Subsampling(0, 0), HALF_TAPS[SHARP]).predict(field)
        for field, (source, reference) in zip(fields, pairs, strict=True)
    ]
    psnr = 10 * math.log10(255**2 / np.mean([np.mean(error**2) for error in errors]))
    bytes_ = sum(map(field_bytes, fields)) / len(fields)
    print(f"{name:16}{psnr:8.2f}{bytes_:8.0f}{span * 1e3:9.1f}{beside / span:8.0f}×{rate:12.1f}", flush=True)


def main() -> None:
    """Print a table for every clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--gap", type=int, default=1, help="pictures from reference to source (default 1)")
    parser.add_argument("--block", type=int, default=16, help="cell size (default 16)")
    parser.add_argument("--search", type=int, default=15, help="range in samples (default 15)")
    parser.add_argument("--pairs", type=int, default=20, help="pairs a clip at most (default 20)")
    parser.add_argument("--threads", type=int, default=1, help="pairs at once, for pictures/s (default 1)")
    options = parser.parse_args()
    for clip in options.clips:
        with open_source(clip) as source:
            pictures = [luma(picture) for picture in islice(source, options.pairs + options.gap)]
        pairs = list(zip(pictures[options.gap :], pictures, strict=False))  # source, reference
        real = [plane / 255 for plane in pairs[0]]
        beside = {
            "block": seconds(lambda real=real: lab_block(real[1], real[0])),
            "mesh": 100 * seconds(lambda real=real: lab_mesh(real[1], real[0])),
        }
        print(f"\n{clip}, gap {options.gap}, S = {options.block}, ±{options.search}, {len(pairs)} pairs")
        print(f"the exercise: block {beside['block'] * 1e3:.0f} ms, mesh {beside['mesh'] * 1e3:.0f} ms")
        print(
            f"{'':16}{'PSNR dB':>8}{'bytes':>8}{'ms':>9}{'speed-up':>9}{'pictures/s':>12}, threads: {options.threads}"
        )
        for name, search in searches(options.block, options.search).items():
            measure(name, search, pairs, beside["mesh" if name.startswith("mesh") else "block"], options.threads)


if __name__ == "__main__":
    main()
