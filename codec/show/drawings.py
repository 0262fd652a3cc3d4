"""Pictures of a file as a student would draw them: vectors, field, mesh, modes, prediction, residual, why backward.

Lengths are in luma samples, pictures are counted from 0.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize, hsv_to_rgb, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.projections.polar import PolarAxes

from codec import CellMode, CodingBlocks, Inspection, MotionField, Video
from codec.errors import ConfigError, MediaError
from codec.models import BlockKind, MotionModel
from codec.picture.alpha import over_chequers
from codec.picture.colour import eight_bits, luma, to_array
from codec.picture.planes import Plane
from codec.show.motion_arrays import (
    Arrows,
    area_ratios,
    arrows,
    block_arrows,
    both_directions,
    dense_field,
    node_positions,
)
from codec.show.plots import STYLE, png, svg
from codec.whole_file import whole_file

__all__ = ["Drawing", "draw_pictures"]

PICTURE_STYLE: dict[Any, Any] = STYLE | {"axes.grid": False, "axes.spines.top": True, "axes.spines.right": True}
PANEL = 4.6  # inches across of a picture, at most
RESIDUAL_REACH = 32  # sample values; what lies beyond is shown as this
MAGNIFICATIONS = (16, 8, 4, 2, 1)
NEITHER = "#9a9a9a"  # where what is drawn does not apply
HOLE, OVERLAP = "#e200e2", "#00c878"  # neither is common in pictures
MODES = {
    CellMode.WARP: ("#0072b2", "warp: between its four nodes"),
    CellMode.BLEND: ("#e69f00", "blend: four nodes' predictions mixed"),
    CellMode.OWN: ("#cc3311", "own: a vector of its own"),
}
KINDS = {
    BlockKind.SKIP: ("#ffffff", "skip: an inherited vector, no levels"),
    BlockKind.MERGE: ("#0072b2", "merge: an inherited vector, and levels"),
    BlockKind.INTER: ("#e69f00", "inter: a vector of its own"),
    BlockKind.INTRA: ("#cc3311", "intra: from the samples around it"),
    BlockKind.WARPED: ("#009988", "warped: from the picture's mesh"),
    BlockKind.COPY: ("#aa3377", "copy: from elsewhere in this picture"),
}
"""Colour and words of each kind of cell or coding block."""


# ------------------------------------------------------------------------------------------- files


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
    Samples of more than 8 bits are drawn, and measured, as 8.

    Raises:
        ConfigError: there is no P picture among them.
        MediaError: a file exists and ``force`` is not set, or cannot be written.
        BitstreamError: the video is damaged.
    """
    if os.fspath(folder) in ("", "-"):
        raise ConfigError(f"{os.fspath(folder)!r} is no name for a folder; the current folder is .")
    made: list[Drawing] = []
    for seen in map(_in_eight_bits, video.inspections(start, stop)):
        for name, shows, draw in drawings(seen):
            try:
                Path(folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise MediaError(f"{folder}: cannot be made: {error.strerror}") from error
            drawing = Drawing(Path(folder) / f"{seen.number:04d}_{name}.{kind}", shows, seen.number)
            with whole_file(drawing.path, force=force, inputs=[video.path]) as file:  # refuses before anything is drawn
                with matplotlib.rc_context(PICTURE_STYLE):
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


def _in_eight_bits(seen: Inspection) -> Inspection:
    """The same with pictures that can be drawn."""
    references, predictions = (tuple(map(eight_bits, each)) for each in (seen.references, seen.predictions))
    return dataclasses.replace(seen, picture=eight_bits(seen.picture), references=references, predictions=predictions)


def drawings(seen: Inspection) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """Name, what it shows, and how to draw it, of all that there is to draw of a picture."""
    field, blocks = seen.field, seen.coding_blocks
    size = seen.picture.format.width, seen.picture.format.height
    vectors = moving = None
    if blocks is not None:
        yield "coding_blocks", "how each coding block is predicted", partial(plot_blocks, seen, blocks)
        if blocks.vectors_quarter_pel.any():
            vectors, moving = "where each block comes from", partial(block_arrows, blocks, *size)
    elif field is not None:
        of = "block" if field.model is MotionModel.BLOCK else "node"
        vectors, moving = f"where each {of} comes from", partial(arrows, field, *size)
    if vectors is not None and moving is not None:
        yield "vectors", vectors, partial(plot_vectors, seen, vectors, moving)
        yield "field", "direction and length of motion at every sample", partial(plot_field, seen)
    if field is not None and field.model is MotionModel.MESH:
        yield "mesh", "the mesh here and where it comes from, and changes of area", partial(plot_mesh, seen, field)
        if blocks is None or field.modes.any():
            yield "modes", "how each cell is predicted", partial(plot_modes, seen, field)
    if seen.predictions:
        by = "by motion alone" if blocks is None else "block by block"
        yield "prediction", f"decoded, and predicted {by}", partial(plot_prediction, seen)
        step = "compensation" if blocks is None else "prediction"
        left = f"what is left before and after {step}" if seen.references else "what levels and filters change"
        yield "residual", left, partial(plot_residual, seen)
    if seen.references:
        yield "why_backward", "forward and backward prediction", partial(plot_why_backward, seen)


# ------------------------------------------------------------------------------------------- panels


def panels(seen: Inspection, shape: tuple[int, int], what: str, margin: float = 0.0) -> tuple[Figure, Any]:
    """A figure for pictures side by side, and its (rows, columns) of axes; ``margin`` inches beside each stay free."""
    rows, columns = shape
    aspect = seen.picture.format.height / seen.picture.format.width
    across = max(min(PANEL if columns > 1 else 1.5 * PANEL, PANEL * 1.2 / aspect), 2.6)
    size = (columns * (across + margin) + 0.2, rows * (max(across * aspect, 0.6) + 0.35) + 0.55)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    figure.suptitle(what, fontsize=10, fontweight="bold")
    return figure, figure.subplots(rows, columns, squeeze=False)


def show(axes: Axes, samples: npt.NDArray[Any], title: str, **options: Any) -> AxesImage:
    """Samples (H, W) or (H, W, 3) without ticks; 0…255 is black to white if not told."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255}
    image = axes.imshow(samples, interpolation="nearest", **grey | options)
    axes.autoscale(False)  # whatever is drawn over a picture, its axes stay
    return image


def _quality(samples: Plane, other: Plane) -> str:
    """MSE and PSNR of luma."""
    mse = float(np.mean(np.square(samples.astype(np.int32) - other)))
    return f"MSE {mse:.2f}, PSNR " + (f"{10 * math.log10(255**2 / mse):.2f} dB" if mse else "∞")


# ------------------------------------------------------------------------------------------- vectors


def plot_vectors(seen: Inspection, what: str, moving_of: Callable[[], Arrows]) -> Figure:
    """Vectors over the faded picture, hue by direction; a dot where motion is below a quarter of a sample."""
    picture, drawn = seen.picture, moving_of()
    lengths = np.hypot(*drawn.vectors.T)
    moving = lengths >= 0.25
    usual = float(np.percentile(lengths[moving], 90)) if moving.any() else 1.0
    times = next((factor for factor in MAGNIFICATIONS if factor * usual <= 1.6 * drawn.spacing), 1)
    size = np.array([picture.format.height, picture.format.width])
    ends = drawn.starts + times * drawn.vectors
    beyond = np.max([-0.5 - ends, ends - size + 0.5], initial=0.0)
    figure, axes = panels(seen, (1, 1), f"Picture {seen.number}: {what}", margin=1.3)
    over: Axes = axes[0, 0]
    length = f"arrows {times} times as long as the motion" if times > 1 else "arrows as long as the motion"
    show(over, to_array(over_chequers(picture)), f"{length}; dots: below ¼ sample", alpha=0.55)
    (y, x), (dy, dx) = drawn.starts[moving].T, drawn.vectors[moving].T
    scale: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1 / times, "minlength": 0}
    look: dict[str, Any] = {"cmap": "hsv", "clim": (0, 1), "width": 0.0032, "edgecolor": "k", "linewidth": 0.35}
    over.quiver(x, y, dx, dy, _hues(dy, dx), **scale, **look)
    y, x = drawn.starts[~moving].T
    over.scatter(x, y, s=4, c="white", edgecolors="k", linewidths=0.4)
    if drawn.own.any():
        y, x = drawn.starts[drawn.own].T
        over.scatter(x, y, s=16, marker="s", facecolors="none", edgecolors="k", linewidths=0.7)
        over.set_xlabel("squares: cells with a vector of their own", fontsize=8)
    margin = 0.5 + min(float(beyond), size.max() / 8)
    over.set(xlim=(-margin, size[1] - 1 + margin), ylim=(size[0] - 1 + margin, -margin))
    _wheel(over)
    return figure


def _hues(dy: npt.NDArray[np.float64], dx: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Direction as 0…1, counted from the right, counter-clockwise as seen."""
    return (np.arctan2(-dy, dx) / math.tau) % 1.0


def _wheel(beside: Axes, words: str = "direction") -> None:
    """The colour of each direction, saturated towards the rim."""
    box = beside.inset_axes((1.03, 0.0, 0.22, 0.35), projection="polar")
    assert isinstance(box, PolarAxes)
    angles, radii = np.meshgrid(np.linspace(0, math.tau, 73), np.linspace(0, 1, 9))
    colours = hsv_to_rgb(np.stack([angles / math.tau % 1.0, radii, np.ones_like(radii)], axis=-1))
    box.pcolormesh(angles, radii, colours[:-1, :-1], shading="flat")
    box.set(xticks=[], yticks=[])
    box.set_title(words, fontsize=8)
    box.set_anchor("SW")


def plot_field(seen: Inspection) -> Figure:
    """The dense field: hue and saturation for direction and length, and the length alone."""
    dense = dense_field(seen)
    dy, dx = dense[..., 0], dense[..., 1]
    lengths = np.hypot(dy, dx)
    inside = np.isnan(lengths)
    reach = max(float(np.nanpercentile(lengths, 99)), 0.25)
    hsv = np.stack([_hues(dy, dx), np.clip(lengths / reach, 0, 1), np.ones_like(dy)], axis=-1)
    colours = hsv_to_rgb(np.nan_to_num(hsv))
    colours[inside] = to_rgb(NEITHER)
    grey = "; grey: from inside the picture" if inside.any() else ""
    figure, axes = panels(seen, (1, 2), f"Picture {seen.number}: the field, sample by sample", margin=0.9)
    show(axes[0, 0], colours, f"direction, full colour at {reach:.2g} samples{grey}")
    _wheel(axes[0, 0], "from where")
    shades = colormaps["viridis"].with_extremes(bad=NEITHER)
    image = show(axes[0, 1], lengths, "length of motion", cmap=shades, vmax=reach)
    figure.colorbar(image, ax=axes[0, 1], label="samples", shrink=0.85, extend="max")
    return figure


# ------------------------------------------------------------------------------------------- cells and coding blocks


def plot_mesh(seen: Inspection, field: MotionField) -> Figure:
    """The deformed mesh on the reference, the regular one on the picture, and how much each cell's area changes."""
    figure, axes = panels(seen, (1, 3), f"Picture {seen.number}: the mesh", margin=0.3)
    before = f"on picture {seen.number - 1}, where the nodes come from"
    places = ((seen.references[0], True, before), (seen.picture, False, f"on picture {seen.number}"))
    for over, (picture, moved, title) in zip(axes[0], places, strict=False):
        show(over, to_array(over_chequers(picture)), title)
        points = node_positions(field, moved)[..., ::-1]
        lines = [*points, *points.transpose(1, 0, 2)]
        apart = (
            72 * PANEL / points.shape[1]
        )  # typographic points; closer lines are thinner, to leave some of the picture
        for width, colour in ((min(1.6, apart / 9), "#000000a0"), (min(0.7, apart / 20), "#ffe27a")):
            over.add_collection(LineCollection(lines, linewidths=width, colors=colour, capstyle="round"))
    over = axes[0, 2]
    show(over, luma(seen.picture), "area there / area here; grey: predicted without the mesh")
    ratios, own = area_ratios(field), field.modes == CellMode.OWN
    usual = float(np.percentile(np.abs(ratios - 1)[~own], 95)) if not own.all() else 0.0
    reach = min(max(math.ceil(20 * usual) / 20, 0.05), 0.5)
    scale = ScalarMappable(Normalize(1 - reach, 1 + reach), "RdBu_r")
    cells, blocks = _squares(_cells(field)), seen.coding_blocks
    without = cells[own.ravel()] if blocks is None else _squares(blocks.places)[blocks.kinds != BlockKind.WARPED]
    for corners, colours in ((cells, scale.to_rgba(ratios.ravel(), alpha=0.85)), (without, NEITHER)):
        over.add_collection(PolyCollection(list(corners), facecolors=colours, edgecolors="white", linewidths=0.2))
    figure.colorbar(scale, ax=over, shrink=0.85, extend="both", label="below 1: it grows")
    return figure


def _cells(field: MotionField) -> npt.NDArray[np.int64]:
    """Top, left and side of the cells of a mesh, (cells, 3)."""
    corners = np.indices(field.modes.shape).reshape(2, -1).T * field.cell_size
    return np.pad(corners, ((0, 0), (0, 1)), constant_values=field.cell_size)


def _squares(places: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Corners of cells or coding blocks given by top, left and side, (count, 4, 2) as (x, y)."""
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    corners: npt.NDArray[np.float64] = places[:, None, 1::-1] + square * places[:, None, 2:] - 0.5
    return corners


def plot_modes(seen: Inspection, field: MotionField) -> Figure:
    """How each mesh cell is predicted, as colours over the picture."""
    title = f"{field.modes.size} cells of {field.cell_size} × {field.cell_size} samples"
    return _plot_kinds(seen, "cell", title, _cells(field), field.modes.ravel().tolist(), MODES)


def plot_blocks(seen: Inspection, blocks: CodingBlocks) -> Figure:
    """The coding blocks over the grey picture: colours say how each is predicted."""
    by_size = [f"{int(np.sum(blocks.places[:, 2] == side))} of {side} × {side}" for side in (32, 16, 8)]
    title = f"coding blocks: {', '.join(by_size)} samples"
    return _plot_kinds(seen, "coding block", title, blocks.places, blocks.kinds.tolist(), KINDS)


def _plot_kinds(
    seen: Inspection,
    what: str,
    title: str,
    places: npt.NDArray[np.int64],
    kinds: Sequence[int],
    looks: Mapping[Any, tuple[str, str]],
) -> Figure:
    """Squares over the grey picture, coloured by their kind; where there is but one, or that is white, only edges."""
    figure, axes = panels(seen, (1, 1), f"Picture {seen.number}: how each {what} is predicted")
    over: Axes = axes[0, 0]
    show(over, luma(seen.picture), title)
    has_one_kind = len(set(kinds)) == 1
    colours = ["none" if has_one_kind or looks[kind][0] == "#ffffff" else f"{looks[kind][0]}66" for kind in kinds]
    thin = min(0.6, 72 * PANEL * 1.5 / seen.picture.format.width)
    # light lines show in the dark, and dark ones under them in the light
    for inner, edge, width in (("none", "#00000070", 2.5 * thin), (colours, "#ffffffc0", thin)):
        squares = list(_squares(places))
        over.add_collection(PolyCollection(squares, facecolors=inner, edgecolors=edge, linewidths=width))
    areas = np.square(places[:, 2])
    shares = {kind: float(areas[np.equal(kinds, kind)].sum() / areas.sum()) for kind in looks}
    handles = [
        Patch(facecolor=colour, edgecolor="#808080", label=f"{words} ({shares[kind]:.1%})")
        for kind, (colour, words) in looks.items()
        if shares[kind]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=1, frameon=False, title="share of the area")
    return figure


# ------------------------------------------------------------------------------------------- prediction and residual


def plot_prediction(seen: Inspection) -> Figure:
    """The decoded picture beside its prediction: the one before, moved, or of ``dct`` what every block is made of."""
    picture, prediction = seen.picture, seen.predictions[0]
    what = (
        f"picture {seen.number - 1}, motion-compensated" if seen.coding_blocks is None else "predicted block by block"
    )
    figure, axes = panels(seen, (1, 2), f"Picture {seen.number}: its prediction")
    show(axes[0, 0], to_array(over_chequers(picture)), "decoded")
    show(axes[0, 1], to_array(over_chequers(prediction)), f"{what}: {_quality(luma(picture), luma(prediction))}")
    return figure


def plot_residual(seen: Inspection) -> Figure:
    """The difference from the picture before, if any, and from the prediction, on one scale: signed, and its size."""
    samples, reach = luma(seen.picture), RESIDUAL_REACH
    if seen.coding_blocks is None:
        step, what = "compensation", "what is left, before and after motion compensation"
    else:
        step, what = "prediction", "what is left, before and after prediction"
    others = [(picture, f"before {step}") for picture in seen.references[:1]]
    others.append((seen.predictions[0], f"after {step}"))
    what = what if seen.references else "what levels and filters change"
    figure, axes = panels(seen, (2, len(others)), f"Picture {seen.number}: {what} (luma)", margin=0.4)
    for column, (other, words) in zip(axes.T, others, strict=True):
        difference = samples.astype(np.int32) - luma(other)
        title = f"{words}: {_quality(samples, luma(other))}"
        signed = show(column[0], difference, title, cmap="RdBu_r", vmin=-reach, vmax=reach)
        size = show(column[1], np.abs(difference), "its size", cmap="inferno", vmax=reach)
    figure.colorbar(signed, ax=axes[0], shrink=0.85, extend="both", label="sample values")
    figure.colorbar(size, ax=axes[1], shrink=0.85, extend="max", label="sample values")
    return figure


def plot_why_backward(seen: Inspection) -> Figure:
    """Forward prediction with its holes and overlaps beside backward prediction, each with its MSE."""
    number, block = seen.number, seen.header.cell_size
    found = both_directions(seen.references[0], seen.picture, block)
    forward = found.forward
    hole, overlap = (255 * np.array(to_rgb(colour)) for colour in (HOLE, OVERLAP))
    marked = np.repeat(forward.samples[..., None], 3, axis=2)
    faded = (0.35 * marked + 0.65 * overlap).astype(np.uint8)
    marked = np.where((forward.landed > 1)[..., None], faded, marked)
    marked[forward.landed == 0] = hole
    sent = f"forward: each block of picture {number - 1} is sent; MSE {found.error(forward.samples):.1f}"
    fetched = f"backward: each block of picture {number} is fetched; MSE {found.error(found.backward):.1f}"
    figure, axes = panels(seen, (2, 2), f"Why backward? Picture {number} from picture {number - 1}")
    show(axes[0, 0], found.reference, f"picture {number - 1}")
    show(axes[0, 1], found.picture, f"picture {number}, to be predicted")
    show(axes[1, 0], marked, sent)
    show(axes[1, 1], found.backward, fetched)
    handles = [
        Patch(color=HOLE, label=f"holes, where nothing lands ({forward.holes:.1%})"),
        Patch(color=OVERLAP, label=f"overlaps, where several land ({forward.overlaps:.1%})"),
    ]
    note = (
        f"Luma; blocks of {block} × {block}, vectors in whole samples both ways. For its MSE, a hole keeps\n"
        "what was there before. The codec predicts backward, and between samples too."
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, title=note, title_fontsize=8)
    return figure
