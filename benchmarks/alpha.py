"""What alpha takes beside ``dct``, as bytes of the alpha plane alone, beside other codecs that keep it exactly.

    python benchmarks/alpha.py [FOLDER] [--qp N] [--markdown]

FOLDER has the 8-bit clips that sprites and keys are made from (default: $MVZ_CLIPS).
Of PNG, WebP and JPEG XL there is a gray file a picture; imagecodecs brings JPEG XL, and what is not there is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from deep_clips import rendered
from PIL import Image
from scipy import ndimage

import codec
from codec.picture.colour import to_array
from codec.picture.sources import open_source

Samples = npt.NDArray[np.uint8]
PICTURES = 16
ERRORS = (1, 2, 4)


def first_pictures(path: Path, count: int = PICTURES) -> list[Samples]:
    """Pictures of a clip as RGB."""
    with open_source(path) as source:
        return [to_array(picture) for picture in islice(source, count)]


def sprite(folder: Path, softness: float) -> Iterator[Samples]:
    """What is cut out of a picture moves by fractions of a sample, and takes its edge along."""
    (picture,) = first_pictures(folder / "foreman_352x288.y4m", 1)
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float64)
    for number in range(PICTURES):
        down, right = 3.3 * number - 20, 5.7 * number - 40
        planes = [
            ndimage.shift(picture[..., channel].astype(np.float64), (down, right), mode="mirror")
            for channel in range(3)
        ]
        angle, radius = np.arctan2(y - 144 - down, x - 176 - right), np.hypot(y - 144 - down, x - 176 - right)
        inside = 70 + 12 * np.sin(5 * angle) + 6 * np.sin(13 * angle) - radius
        planes.append(255 * np.clip(inside / softness + 0.5, 0, 1))
        yield np.clip(np.rint(np.stack(planes, axis=2)), 0, 255).astype(np.uint8)


def key(path: Path, low: float, high: float) -> Iterator[Samples]:
    """A clip whose brightness says how opaque it is, noise and all."""
    for picture in first_pictures(path):
        luma = ndimage.gaussian_filter(picture @ np.array([0.299, 0.587, 0.114]), 0.7)
        share = np.clip((luma - low) / (high - low), 0, 1)
        yield np.dstack([picture, np.rint(255 * share * share * (3 - 2 * share)).astype(np.uint8)])


def fade(path: Path) -> Iterator[Samples]:
    """A soft oval that stays where it is and becomes more opaque, whatever moves in it."""
    for number, picture in enumerate(first_pictures(path)):
        y, x = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1.2 : 1.2 : picture.shape[1] * 1j]
        oval = np.clip(1.3 - np.hypot(y, x), 0, 1)
        yield np.dstack([picture, np.rint(255 * np.minimum(oval * (0.4 + 0.05 * number), 1)).astype(np.uint8)])


def ball() -> Iterator[Samples]:
    """`deep_clips.rendered` in 8 bits."""
    for planes in rendered():
        yield np.stack([(plane.astype(np.int64) * 255 + 32767) // 65535 for plane in planes], axis=2).astype(np.uint8)


CLIPS: dict[str, Callable[[Path], Iterator[Samples]]] = {
    "sprite, soft": lambda folder: sprite(folder, 6),
    "sprite, hard": lambda folder: sprite(folder, 1e-3),
    "key coastguard": lambda folder: key(folder / "coastguard_352x288.y4m", 90, 150),
    "key akiyo": lambda folder: key(folder / "akiyo_352x288.y4m", 60, 110),
    "fade": lambda folder: fade(folder / "foreman_352x288.y4m"),
    "rendered": lambda _: ball(),
}


def by_mvz(pictures: Samples, **settings: Any) -> int:
    """Bytes of alpha of a file of ``dct``, which is decoded and compared."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mvz"
        codec.encode(pictures, path, codec.Settings(residual="dct", **settings))
        with codec.open(path) as video:
            for before, after in zip(pictures, video, strict=True):
                most = int(np.abs(before[..., 3].astype(int) - after[..., 3]).max())
                if most > settings.get("alpha_error", 0):
                    raise SystemExit(f"alpha is off by {most}")
            return video.info.bytes["alpha"]


def by_pillow(pictures: Samples, name: str, **options: Any) -> int:
    """Bytes of a gray file a picture."""
    total = 0
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture[..., 3])).save(file, name, **options)
        total += file.tell()
    return total


def columns_of(pictures: Samples, qp: int) -> dict[str, int]:
    """What each way takes."""
    result = {f"mvz ±{error}" if error else "mvz": by_mvz(pictures, qp=qp, alpha_error=error) for error in (0, *ERRORS)}
    result["PNG"] = by_pillow(pictures, "png", optimize=True)
    result["WebP"] = by_pillow(pictures, "webp", lossless=True, quality=100, method=6)
    if importlib.util.find_spec("imagecodecs") is not None:
        from imagecodecs import jpegxl_encode

        gray = (np.ascontiguousarray(picture[..., 3]) for picture in pictures)
        result["JPEG XL"] = sum(len(jpegxl_encode(of, effort=7, lossless=True)) for of in gray)
    return result


def main() -> None:
    """Print a line a clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("MVZ_CLIPS"))
    parser.add_argument("--qp", type=int, default=28)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if options.folder is None:
        parser.error("name the folder of clips, or set MVZ_CLIPS")
    separator, is_first = " | " if options.markdown else "  ", True
    for name, make in CLIPS.items():
        columns = columns_of(np.stack(list(make(Path(options.folder)))), options.qp)
        if is_first:
            print(separator.join(["bytes of alpha".ljust(16), *(column.rjust(8) for column in columns)]))
            is_first = False
        print(separator.join([name.ljust(16), *(f"{count:,}".rjust(8) for count in columns.values())]), flush=True)


if __name__ == "__main__":
    main()
