"""What motion search finds, what its field costs, and how long it takes, beside the lab exercise's own functions.

    python benchmarks/motion.py CLIP [CLIP …] [--gap N] [--block S] [--search N] [--pairs N]

PSNR is of the luma prediction from original references, over all pairs; bytes are of the coded field, a pair;
times are of one thread, the best of three, a pair, with making the quarter-sample planes.
The exercise's block matching (block 10, range 3) and mesh (20 × 20 nodes, 200 iterations, of which 2 are timed) run
on the first pair.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from itertools import islice

import numpy as np
import numpy.typing as npt

from codec.bitstream.motion_streams import pack_fields
from codec.models import MotionModel, Speed
from codec.motion.block_search import Searched, block_windows, match_windows, search_blocks
from codec.motion.compensate import compensate_plane
from codec.motion.field import MotionField
from codec.motion.mesh_search import search_mesh
from codec.picture.colour import luma
from codec.picture.planes import Plane, Subsampling
from codec.picture.sources import open_source

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


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The shortest wall time of a few calls."""
    spans = []
    for _ in range(times):
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


def field_bytes(field: MotionField) -> int:
    """Bytes of the coded field, framing of its streams left out."""
    return sum(map(len, pack_fields([field]).values()))


def measure(name: str, search: Search, pairs: list[tuple[Plane, Plane]], beside: float) -> None:
    """Print one row; ``beside`` is the time that the speed-up is against."""
    search(*pairs[0])
    squared, bytes_ = 0.0, 0
    for source, reference in pairs:
        field = search(source, reference)
        error = source.astype(np.int32) - compensate_plane(field, reference, Subsampling(0, 0))
        squared += float(np.mean(error**2))
        bytes_ += field_bytes(field)
    psnr = 10 * math.log10(255**2 * len(pairs) / squared)
    span = seconds(lambda: search(*pairs[0]))
    ratio = f"{beside / span:8.0f}×" if beside else ""
    print(f"{name:24}{psnr:8.2f}{bytes_ / len(pairs):10.0f}{span * 1e3:10.1f}{ratio}", flush=True)


def main() -> None:
    """Print a table for every clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--gap", type=int, default=1, help="pictures from reference to source (default 1)")
    parser.add_argument("--block", type=int, default=16, help="cell size (default 16)")
    parser.add_argument("--search", type=int, default=15, help="range in samples (default 15)")
    parser.add_argument("--pairs", type=int, default=20, help="pairs a clip at most (default 20)")
    options = parser.parse_args()
    for clip in options.clips:
        with open_source(clip) as source:
            pictures = [luma(picture) for picture in islice(source, options.pairs + options.gap)]
        pairs = [(pictures[k + options.gap], pictures[k]) for k in range(len(pictures) - options.gap)]
        real = [plane / 255 for plane in pairs[0]]
        lab_block_time = seconds(lambda real=real: lab_block(real[1], real[0]), 1)
        lab_mesh_time = 100 * seconds(lambda real=real: lab_mesh(real[1], real[0]), 1)
        print(f"\n{clip}, gap {options.gap}, S = {options.block}, ±{options.search}, {len(pairs)} pairs")
        print(f"the exercise: block {lab_block_time * 1e3:.0f} ms, mesh {lab_mesh_time * 1e3:.0f} ms")
        print(f"{'':24}{'PSNR dB':>8}{'bytes':>10}{'ms':>10}{'speed-up':>9}")
        measure("full-pel block", full_pel(options.block, options.search), pairs, lab_block_time)
        for speed in Speed:
            search = quarter_pel(search_blocks, options.block, options.search, speed)
            measure(f"block {speed.label}", search, pairs, lab_block_time)
        for speed in Speed:
            search = quarter_pel(search_mesh, options.block, options.search, speed)
            measure(f"mesh {speed.label}", search, pairs, lab_mesh_time)


if __name__ == "__main__":
    main()
