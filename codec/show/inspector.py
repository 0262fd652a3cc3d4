"""A file as one page to look into: pictures, cells, vectors, residual, and what each cell costs. It needs nothing else.

Samples travel as lossless WebP, decoded and prediction; the page takes the residual from both.
Two files of one size stand side by side, as A and B.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from codec import Inspection, Progress, Video
from codec.errors import ConfigError
from codec.measure.metrics import measure_picture
from codec.models import BlockKind, ResidualCoder
from codec.picture.colour import conversion, eight_bits, full_size
from codec.picture.planes import Picture
from codec.show.pages import decibels, environment, picture_url
from codec.whole_file import refuse_overwrite, whole_file

__all__ = ["LIMIT_BYTES", "InspectorSummary", "write_inspector"]

LIMIT_BYTES = 30_000_000  # of a page: what browsers open without a pause, and mail still takes
ENTRY_BYTES = 160  # of a picture in the timeline, at most but for its name
SHELL_BYTES = 100_000  # page, style and script
MAX_SAMPLES = 1 << 21  # of a picture as shown; 1080p still passes whole


@dataclass(frozen=True)
class InspectorSummary:
    """What went into a page: how many of how many pictures, its bytes, and what was left out, if anything."""

    shown: int
    pictures: int
    page_bytes: int
    note: str


@dataclass
class Kept:
    """Pictures for the page, of each file: every n-th, with n doubled whenever they become too many bytes."""

    budget: int
    stride: int = 1
    pictures: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)

    def add(self, position: int, of_files: list[dict[str, Any]]) -> None:
        """Add the picture at a multiple of ``stride``, and drop others where it is too much."""
        self.pictures[position] = of_files
        self.sizes[position] = len(json.dumps(of_files))
        while sum(self.sizes.values()) > self.budget and len(self.pictures) > 1:
            self.stride *= 2
            for other in [place for place in self.pictures if place % self.stride]:
                del self.pictures[other], self.sizes[other]


def write_inspector(
    video: Video,
    path: str | os.PathLike[str],
    start: int = 0,
    stop: int | None = None,
    *,
    other: Video | None = None,
    limit_bytes: int = LIMIT_BYTES,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> InspectorSummary:
    """Write the page of the pictures from ``start`` to before ``stop``, and of those of ``other`` beside them.

    Where they take more than ``limit_bytes``, only every second, fourth … is shown, and the page says so.

    Raises:
        ConfigError: pictures of the two differ in size, or there is none that both have.
        MediaError: the page exists and ``force`` is not set, or cannot be written.
        BitstreamError: a video is damaged.
    """
    videos = [video] if other is None else [video, other]
    paths = [each.path for each in videos]
    refuse_overwrite(path, force, paths)
    width, height = video.format.width, video.format.height
    if other is not None and (other.format.width, other.format.height) != (width, height):
        sizes = " and ".join(f"{each.path} of {each.format.width}×{each.format.height}" for each in videos)
        raise ConfigError(f"files side by side have one size, not {sizes}")
    count = min(map(len, videos))
    start, stop, _ = slice(start, stop).indices(count)
    if start >= stop:
        raise ConfigError(f"{' and '.join(map(str, paths))}: there are no such pictures to show")
    has_psnr = other is not None and video.format == other.format and not video.format.is_float
    shrink = 1
    while (width // shrink) * (height // shrink) > MAX_SAMPLES:
        shrink += 1
    kept = Kept(limit_bytes - SHELL_BYTES - ENTRY_BYTES * len(videos) * (stop - start))
    timelines: list[list[dict[str, Any]]] = [[] for _ in videos]
    for position, seen in enumerate(zip(*(each.inspections(start, stop) for each in videos), strict=True)):
        for timeline, of_file in zip(timelines, seen, strict=True):
            timeline.append(_timeline_entry(of_file))
        if has_psnr:
            timelines[1][-1]["psnr"] = decibels(measure_picture(*(each.picture for each in seen)).total.psnr)
        if position % kept.stride == 0:
            kept.add(position, [_picture_entry(of_file, shrink) for of_file in seen])
        if progress is not None:
            progress(Progress(position + 1, stop - start, sum(kept.sizes.values())))
    note = _note(kept, stop - start, shrink)
    pictures = zip(*kept.pictures.values(), strict=True)
    data = {
        "width": width,
        "height": height,
        "shrink": shrink,
        "milliseconds": float(1000 / video.rate),
        "pictureCount": count,
        "arrow": 3,  # arrows are so many times as long as the motion
        "files": [
            _file_entry(of_file) | {"timeline": timeline, "pictures": of_pictures}
            for of_file, timeline, of_pictures in zip(seen, timelines, pictures, strict=True)
        ],
    }
    page = (
        environment()
        .get_template("inspector.html.j2")
        .render(
            title=" | ".join(Path(each).name for each in paths),
            files=[
                (Path(each.path).name, each, of_file.header, each.inventory(shares=False).file_bytes)
                for each, of_file in zip(videos, seen, strict=True)
            ],
            note=note,
            data=data,
            json=Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")),
        )
    )
    with whole_file(path, force=force, inputs=paths) as file:
        file.write(page.encode())
    return InspectorSummary(len(kept.pictures), stop - start, len(page.encode()), note)


def _note(kept: Kept, pictures: int, shrink: int) -> str:
    """What the page leaves out."""
    notes = []
    if len(kept.pictures) < pictures:
        every = {2: "second"}.get(kept.stride, f"{kept.stride}th")
        notes.append(
            f"Every {every} picture is here, {len(kept.pictures)} of {pictures}, to keep the page small; "
            "--pictures A:B takes a part of the file whole."
        )
    if shrink > 1:
        notes.append(f"Of every {shrink} × {shrink} samples one is here.")
    return " ".join(notes)


# ------------------------------------------------------------------------------------------- what the page holds


def _file_entry(seen: Inspection) -> dict[str, Any]:
    """What all pictures of a file share, from any of them."""
    header, picture_format = seen.header, seen.picture.format
    sample_format = picture_format.sample_format
    is_yuv = sample_format.plane_names == ("Y", "U", "V")
    return {
        "planes": list(sample_format.plane_names),
        "hasAlpha": sample_format.has_alpha,
        "conversion": list(conversion(picture_format.colour)) if is_yuv else None,
        "cellSize": header.cell_size,
        "cells": list(header.cell_shape),
        "motion": header.motion.label,
        "planesCoded": list(header.coded_format.sample_format.plane_names),
        "kinds": [kind.label for kind in BlockKind] if header.residual is ResidualCoder.DCT else None,
        "even": list(seen.spread_evenly),
    }


def _timeline_entry(seen: Inspection) -> dict[str, Any]:
    bits = seen.header_bits + sum(float(of_cells.sum()) for of_cells in seen.cell_bits.values())
    return {
        "number": seen.number,
        "type": seen.type.name,
        "bytes": round(bits / 8, 1),
        "dial": seen.dial,
        "name": seen.picture.name or "",
    }


def _picture_entry(seen: Inspection, shrink: int) -> dict[str, Any]:
    motion, blocks = seen.field, seen.coding_blocks
    modes = motion if motion is not None and motion.modes.size else None
    table = None
    if blocks is not None:  # the numbers of a coding block that inspector.js reads, in its order
        columns = (blocks.places, blocks.kinds, blocks.transform_split, blocks.obmc, blocks.coded, blocks.directions)
        vectors = blocks.vectors_quarter_pel, blocks.second_vectors_quarter_pel, blocks.block_vectors
        table = _base64(np.column_stack([*columns, *vectors, blocks.chroma_from_luma]), "<i2")
    return {
        "number": seen.number,
        "references": len(seen.references),
        "decoded": _samples(seen.picture, shrink),
        "prediction": _samples(seen.predictions[0], shrink) if seen.predictions else None,
        "vectors": motion and _base64(motion.vectors_quarter_pel, "<f4"),
        "modes": modes and _base64(modes.modes, "u1"),
        "own": modes and _base64(modes.own_quarter_pel, "<i2"),
        "qps": seen.qps,
        "coding_blocks": table,
        "bits": {component: _base64(bits, "<f4") for component, bits in seen.cell_bits.items()},
        "headerBits": seen.header_bits,
        "packet": list(seen.packet),
    }


def _samples(picture: Picture, shrink: int) -> str:
    """All planes at the size of luma and in 8 bits, as the channels of a lossless WebP.

    Alpha is below the other planes, in a picture twice as high: browsers change colours that they see through.
    """
    samples = np.stack(full_size(eight_bits(picture)), axis=2)[::shrink, ::shrink]
    if picture.format.sample_format.has_alpha:
        colours, alpha = samples[..., :-1], samples[..., -1:]
        samples = np.concatenate([colours, np.broadcast_to(alpha, colours.shape)])
    return picture_url(samples[..., 0] if samples.shape[2] == 1 else samples, "WEBP")


def _base64(values: npt.NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode("ascii")
