"""All the drawings of chosen pictures of a file, as PNG or SVG files in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
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
    """A file that was made, what it shows, and the number of its picture."""

    path: Path
    shows: str
    number: int


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
    if os.fspath(folder) in ("", "-"):
        raise ConfigError(f"{os.fspath(folder)!r} is no name for a folder; the current folder is .")
    target = Path(folder)
    made: list[Drawing] = []
    for inspection in video.inspections(start, stop):
        for name, shows, draw in drawings(inspection):
            _make(target)
            drawing = Drawing(target / f"{inspection.number:04d}_{name}.{kind}", shows, inspection.number)
            with whole_file(drawing.path, force=force, inputs=[video.path]) as file:  # refuses before anything is drawn
                figure = draw()
                file.write(svg(figure).encode() if kind == "svg" else png(figure))
            made.append(drawing)
            if progress is not None:
                progress(drawing)
    if not made:
        several = f"pictures {start} to {stop - 1} are I pictures"
        which = f"picture {start} is an I picture" if stop - start == 1 else several
        raise ConfigError(f"{video.path}: {which}, which nothing moves into; there is nothing to draw")
    return made


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{folder}: cannot be made: {error.strerror}") from error


def drawings(inspection: Inspection) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Name, what it shows, and how to draw it, of all that there is to draw of a picture."""
    field, leaves = inspection.field, inspection.leaves
    size = inspection.picture.format.width, inspection.picture.format.height
    what, moving = "", None
    if leaves is not None:
        yield "leaves", "the quadtree: how each leaf is predicted", lambda: plot_leaves(inspection, leaves)
        if leaves.vectors_quarter_pel.any():
            what, moving = "where each leaf comes from", partial(leaf_arrows, leaves, *size)
    elif field is not None:
        of = "block" if field.model is MotionModel.BLOCK else "node"
        what, moving = f"where each {of} comes from", partial(arrows, field, *size)
    if moving is not None:
        yield "vectors", what, lambda: plot_vectors(inspection, moving(), what)
        yield "field", "direction and length of motion at every sample", lambda: plot_field(inspection)
    if field is not None and field.model is MotionModel.MESH:
        shows = "the mesh here and where it comes from, and changes of area"
        yield "mesh", shows, lambda: plot_mesh(inspection, field)
        if leaves is None or field.modes.any():
            yield "modes", "how each cell is predicted", lambda: plot_modes(inspection, field)
    if inspection.predictions:
        by = "by motion alone" if leaves is None else "block by block"
        yield "prediction", f"decoded, and predicted {by}", lambda: plot_prediction(inspection)
        left = "what is left before and after compensation"
        if leaves is not None:
            left = (
                "what is left before and after prediction"
                if inspection.references
                else "what levels and filters change"
            )
        yield "residual", left, lambda: plot_residual(inspection)
    if not inspection.references:
        return
    before, after, number = inspection.references[0], inspection.picture, inspection.number
    block = inspection.header.cell_size
    yield "why_backward", "forward and backward prediction", lambda: plot_why_backward(before, after, number, block)
