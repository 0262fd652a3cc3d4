"""Chunks of zarr: bytes and seconds of mvz beside Blosc with zstd, of the luma of a clip.

``python benchmarks/chunks.py CLIP…``; each is anything that ``mvz encode`` takes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import islice
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from codec.picture.colour import luma
from codec.picture.sources import open_source
from mvz.zarr import MvzCodec

PICTURES = 48
CHUNK = 16  # pictures


def blosc(level: int, shuffle: str) -> dict[str, Any]:
    """Options of an array whose chunks Blosc packs with zstd."""
    return {"compressors": BloscCodec(cname="zstd", clevel=level, shuffle=shuffle)}


def mvz(**settings: Any) -> dict[str, Any]:
    """Options of an array whose chunks are files."""
    return {"serializer": MvzCodec(**settings), "compressors": None}


WAYS = {
    "blosc zstd 5, bitshuffle": blosc(5, "bitshuffle"),
    "blosc zstd 9": blosc(9, "noshuffle"),
    "mvz, fast": mvz(speed="fast"),
    "mvz": mvz(),
    "mvz, max_error 2": mvz(max_error=2),
}


def main() -> None:
    """Write and read each clip every way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", metavar="CLIP", nargs="+")
    zarr.registry.register_codec("mvz", MvzCodec)  # as an installed mvz is
    for clip in parser.parse_args().clips:
        with open_source(clip) as source:
            stack = np.stack([luma(picture) for picture in islice(source, PICTURES)])
        print(f"{clip}: {stack.shape} {stack.dtype}, {stack.nbytes:,} bytes, chunks of {CHUNK} pictures")
        for label, options in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                array = zarr.create_array(
                    folder, shape=stack.shape, dtype=stack.dtype, chunks=(CHUNK, *stack.shape[1:]), **options
                )
                started = time.perf_counter()
                array[:] = stack
                written = time.perf_counter()
                back = array[:]
                read = time.perf_counter()
                most = int(np.abs(back.astype(int) - stack).max())
                seconds = f"write {written - started:6.2f} s  read {read - written:6.2f} s"
                print(f"  {label:26}{array.nbytes_stored():>12,}  {seconds}  largest error {most}")


if __name__ == "__main__":
    main()
