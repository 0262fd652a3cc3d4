"""A reader for napari, which finds it by ``napari.yaml``: a layer whose pictures are decoded when they are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import codec

__all__ = ["reader"]

LayerData = tuple[Any, dict[str, Any], str]
Paths = str | list[str]


def reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """What reads a file, or several; None where they are not ours."""
    names = [path] if isinstance(path, str) else path
    return read if all(name.lower().endswith(".mvz") for name in names) else None


def read(path: Paths) -> list[LayerData]:
    """A layer each: data, options, kind; of gray with alpha two, which are decoded at once."""
    return [layer for name in ([path] if isinstance(path, str) else path) for layer in _layers(name)]


def _layers(name: str) -> list[LayerData]:
    video = codec.open(name)
    about = {"rate": float(video.rate), **video.metadata}
    options = {"name": Path(name).stem, "metadata": about, "rgb": video.ndim == 4}
    if not options["rgb"]:
        options["contrast_limits"] = (0, video.format.peak)
    if video.format.sample_format is not codec.SampleFormat.GRAY_ALPHA:
        return [(video, options, "image")]
    with video:
        pictures = video[:]
    names = (options["name"], f"{options['name']} alpha")
    return [
        (pictures[..., channel], {"name": each, "metadata": about, "rgb": False}, "image")
        for channel, each in enumerate(names)
    ]
