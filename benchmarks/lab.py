"""The figures of the lab exercise that mvz grew from, beside what mvz does on the same pictures.

    python benchmarks/lab.py CLIPS

CLIPS is a folder with the PNG folders foreman, akiyo, coastguard (352×288, numbered 20…40); what is missing is
left out.
Units are the exercise's: samples in [0, 1], squared error summed over the three channels, a pixel.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

import codec
from codec.models import Speed
from codec.motion.compensation import Reference, compensate
from codec.picture.colour import luma
from codec.picture.planes import Picture, Plane
from codec.picture.sources import open_source
from codec.search.mesh import search_mesh
from codec.search.motion import Searched, search_blocks

# (no motion, block 10 range 3, mesh 20×20) by the exercise's own functions; its mesh on a square crop
LAB_PREDICTION = {
    ("foreman", 20): (4.28e-3, 3.54e-3, 1.50e-2),
    ("foreman", 24): (1.25e-2, 5.29e-3, 1.43e-2),
    ("coastguard", 20): (8.96e-3, 2.96e-3, 2.33e-2),
}
# (MSE, bytes a P picture) of its quantisers done right: int8, step, block 16, full-pel ±7, zstd 9
LAB_INT8 = {
    ("foreman", 4): (6.8e-5, 80_646),
    ("foreman", 8): (2.2e-4, 53_602),
    ("foreman", 16): (5.8e-4, 28_308),
    ("coastguard", 4): (6.9e-5, 103_652),
    ("coastguard", 8): (2.5e-4, 74_723),
    ("coastguard", 16): (8.6e-4, 49_352),
}


def lab_mse(a: tuple[Plane, ...], b: tuple[Plane, ...]) -> float:
    """Mean over pixels of the squared error summed over channels, samples in [0, 1]."""
    return sum(float(np.mean((x.astype(np.float64) - y) ** 2)) for x, y in zip(a, b, strict=True)) / 255**2


def predictions(clip: str, pictures: list[Picture]) -> None:
    """Print the prediction error of every consecutive pair, from original references."""
    print(f"\n{clip}: MSE of the prediction   (in brackets: the exercise's own functions)")
    print(f"{'pair':>8}{'none':>22}{'block 16 ±15':>24}{'mesh 16 ±15':>24}")
    worse = {"block": 0, "mesh": 0}
    for number, (reference, source) in enumerate(pairwise(pictures), 20):
        searched = Searched.of(luma(source), luma(reference), 15, Speed.MEDIUM)
        block, mesh = search_blocks(searched, 16), search_mesh(searched, 16)
        errors = [lab_mse(compensate(field, Reference(reference)), source.planes) for field in (None, block, mesh)]
        worse["block"] += errors[1] >= errors[0]
        worse["mesh"] += errors[2] >= errors[0]
        lab = LAB_PREDICTION.get((clip, number))
        cells = [f"{error:.2e}" + (f" ({lab[k]:.2e})" if lab else "") for k, error in enumerate(errors)]
        print(f"{f'{number}→{number + 1}':>8}{cells[0]:>22}{cells[1]:>24}{cells[2]:>24}")
    print(f"pairs where motion does not beat none: block {worse['block']}, mesh {worse['mesh']}")


def quantisers(clip: str, folder: Path, pictures: list[Picture]) -> None:
    """Print size and error of whole files beside the exercise's and PNG's."""
    png = sum(file.stat().st_size for file in folder.glob("*.png"))
    print(f"\n{clip}: whole files, {len(pictures)} pictures; PNG {png:,} bytes")
    print(f"{'':26}{'bytes':>11}{'of PNG':>8}{'bytes a P':>11}{'MSE':>10}   (exercise: bytes a P, MSE)")
    for residual, step in (("lossless", None), ("float16", None), ("int8", 4), ("int8", 8), ("int8", 16)):
        for motion in ("none", "block", "mesh"):
            with tempfile.TemporaryDirectory() as temporary:
                path = Path(temporary) / "clip.mvz"
                summary = codec.encode(folder, path, codec.Settings(residual=residual, motion=motion, step=step))
                with codec.open(path) as video:
                    p_pictures = [picture.total_bytes for picture in video.info.pictures[1:]]
                    decoded = list(video.pictures())
            mse = float(np.mean([lab_mse(a.planes, b.planes) for a, b in zip(decoded, pictures, strict=True)]))
            lab = LAB_INT8.get((clip, step or 0)) if motion == "block" else None
            beside = f"   ({lab[1]:,}, {lab[0]:.1e})" if lab else ""
            name = f"{residual}{f' step {step}' if step else ''} {motion}"
            print(
                f"{name:26}{summary.file_bytes:>11,}{summary.file_bytes / png:>8.2f}{np.mean(p_pictures):>11,.0f}"
                f"{'0' if mse == 0 else f'{mse:.2e}':>10}{beside}",
                flush=True,
            )


def main() -> None:
    """Print both tables for every clip that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    options = parser.parse_args()
    for clip in ("foreman", "akiyo", "coastguard"):
        if (options.clips / clip).is_dir():
            with open_source(options.clips / clip) as source:
                pictures = list(source)
            predictions(clip, pictures)
            quantisers(clip, options.clips / clip, pictures)


if __name__ == "__main__":
    main()
