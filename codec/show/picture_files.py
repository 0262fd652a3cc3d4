"""All the drawings of chosen pictures of a file, as PNG or SVG files in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from matplotlib.figure import Figure

from codec import Inspection, Video
from codec.errors import ConfigError, MediaError
from codec.models import MotionModel
from codec.show.dense import arrows, leaf_arrows
from codec.show.lesson import plot_why_backward
from codec.show.picture_plots import (
    plot_field,
    plot_leaves,
    plot_mesh,
    plot_modes,
    plot_prediction,
    plot_residual,
    plot_vectors,
)
from codec.show.plots import png, svg
from codec.whole_file import whole_file

__all__ = ["Drawing", "draw_pictures"]


class Drawing(NamedTuple):
    """A file that was made, and what it shows."""

    path: Path
    shows: str


def draw_pictures(
    video: Video,
    folder: str | os.PathLike[str],
    start: int,
    stop: int,
    *,
    kind: Literal["png", "svg"] = "png",
    force: bool = False,
    progress: Callable[[Drawing], None] | None = None,
) -> list[Drawing]:
    """Draw the pictures from ``start`` to before ``stop``; files are named by picture and drawing.

    Of I pictures there is something to draw only for ``dct``.

    Raises:
        ConfigError: there is no P picture among them.
        MediaError: a file exists and ``force`` is not set, or cannot be written.
        BitstreamError: the video is damaged.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{target}: cannot be made: {error.strerror}") from error
    made = []
    for inspection in video.inspections(start, stop):
        for name, shows, draw in drawings(inspection):
            drawing = Drawing(target / f"{inspection.number:04d}_{name}.{kind}", shows)
            with whole_file(drawing.path, force=force) as file:  # refuses before anything is drawn
                figure = draw()
                file.write(svg(figure).encode() if kind == "svg" else png(figure))
            made.append(drawing)
            if progress is not None:
                progress(drawing)
    if not made:
        raise ConfigError(f"{video.path}: pictures {start} to {stop - 1} are I pictures, which nothing moves into")
    return made


def drawings(inspection: Inspection) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Name, what it shows, and how to draw it, of all that there is to draw of a picture."""
    field, leaves = inspection.field, inspection.leaves
    size = inspection.picture.format.width, inspection.picture.format.height
    if leaves is not None:
        yield "leaves", "the quadtree: how each leaf is predicted", lambda: plot_leaves(inspection, leaves)
        if leaves.vectors_quarter_pel.any():
            what = "where each leaf comes from"
            yield "vectors", what, lambda: plot_vectors(inspection, leaf_arrows(leaves, *size), what)
    if field is not None:
        of = "block" if field.model is MotionModel.BLOCK else "node"
        yield (
            "vectors",
            "where each block or node comes from",
            lambda: plot_vectors(inspection, arrows(field, *size), f"where each {of} comes from"),
        )
        yield "field", "direction and length of motion at every sample", lambda: plot_field(inspection)
        if field.model is MotionModel.MESH:
            yield (
                "mesh",
                "the mesh here and where it comes from, and changes of area",
                lambda: plot_mesh(inspection, field),
            )
            yield "modes", "how each cell is predicted", lambda: plot_modes(inspection, field)
    if inspection.predictions:
        by = "by motion alone" if leaves is None else "block by block"
        yield "prediction", f"decoded, and predicted {by}", lambda: plot_prediction(inspection)
        left = "what is left before and after compensation" if leaves is None else "what levels and filters change"
        yield "residual", left, lambda: plot_residual(inspection)
    if not inspection.references:
        return
    before, after, number = inspection.references[0], inspection.picture, inspection.number
    block = inspection.header.cell_size
    yield "why_backward", "forward and backward prediction", lambda: plot_why_backward(before, after, number, block)
