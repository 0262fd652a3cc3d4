"""Clips that fade, made from real ones: to black and white, out of black, into each other, and lit up by flashes.

    python benchmarks/fade_clips.py FOLDER [CLIPS]

writes each as NAME.y4m, for the other benchmarks. CLIPS (default: $MVZ_CLIPS) has foreman, akiyo and coastguard.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from codec.picture.planes import Picture
from codec.picture.sinks import open_sink
from codec.picture.sources import open_source

PICTURES = 21
FLASHES = (7, 8, 13)


def pictures_of(path: Path) -> list[Picture]:
    """The first pictures of a clip."""
    with open_source(path) as source:
        return list(islice(source, PICTURES))


def mixed(picture: Picture, other: Picture | float, share: float) -> Picture:
    """A picture of which a share is another one, or gray of a level of luma."""
    levels = [other, 128, 128] if isinstance(other, float) else other.planes
    planes = [
        np.clip(np.rint((1 - share) * plane + share * np.asarray(level, float)), 0, 255).astype(np.uint8)
        for plane, level in zip(picture.planes, levels, strict=True)
    ]
    return Picture(picture.format, tuple(planes), picture.name)


def clips(
    foreman: Sequence[Picture], akiyo: Sequence[Picture], coastguard: Sequence[Picture]
) -> dict[str, list[Picture]]:
    """All clips, by name."""
    steps, black, white = range(PICTURES), 16.0, 235.0
    crossed = [min(1.0, max(0.0, (k - 2) / 16)) for k in steps]
    return {
        "foreman-to-black": [mixed(foreman[k], black, k / 20) for k in steps],
        "akiyo-to-white": [mixed(akiyo[k], white, k / 24) for k in steps],
        "coastguard-out-of-black": [mixed(coastguard[k], black, 1 - k / 20) for k in steps],
        "still-to-black": [mixed(foreman[0], black, k / 20) for k in steps],
        "akiyo-with-flashes": [mixed(akiyo[k], white, 0.5 * (k in FLASHES)) for k in steps],
        "foreman-into-akiyo": [mixed(foreman[k], akiyo[k], crossed[k]) for k in steps],
        "coastguard-into-foreman": [mixed(coastguard[k], foreman[k], crossed[k]) for k in steps],
    }


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("clips", type=Path, nargs="?", default=os.environ.get("MVZ_CLIPS"), metavar="CLIPS")
    arguments = parser.parse_args()
    if arguments.clips is None:
        parser.error("say where the clips are, or set MVZ_CLIPS")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    names = ("foreman", "akiyo", "coastguard")
    for name, pictures in clips(*(pictures_of(arguments.clips / f"{name}_352x288.y4m") for name in names)).items():
        target = arguments.folder / f"{name}.y4m"
        with open_sink(target, pictures[0].format, Fraction(25), force=True) as sink:
            for picture in pictures:
                sink.write(picture)
        print(target)


if __name__ == "__main__":
    main()
