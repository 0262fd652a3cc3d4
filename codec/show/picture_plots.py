"""One picture of a file as a student would draw it: vectors, field, mesh, modes, prediction, residual.

Every function takes a `codec.Inspection` and returns a `matplotlib.figure.Figure` on white; lengths are in luma
samples, pictures are counted from 0.
"""

from __future__ import annotations

import math
from typing import Any

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

from codec import CellMode, Inspection, Leaves, MotionField
from codec.models import BlockKind
from codec.picture.colour import luma, to_array
from codec.picture.planes import Picture
from codec.show.dense import Arrows, area_ratios, dense_field, node_positions
from codec.show.plots import STYLE

__all__ = [
    "PICTURE_STYLE",
    "mean_squared_error",
    "panels",
    "plot_field",
    "plot_leaves",
    "plot_mesh",
    "plot_modes",
    "plot_prediction",
    "plot_residual",
    "plot_vectors",
    "show_picture",
]

PICTURE_STYLE: dict[Any, Any] = STYLE | {"axes.grid": False, "axes.spines.top": True, "axes.spines.right": True}
PANEL = 4.6  # inches across of a picture, at most
RESIDUAL_REACH = 32  # sample values; what lies beyond is shown as this
MAGNIFICATIONS = (16, 8, 4, 2, 1)
NEITHER = "#9a9a9a"  # where what is drawn does not apply
MODE_COLOURS = {CellMode.WARP: "#0072b2", CellMode.BLEND: "#e69f00", CellMode.OWN: "#cc3311"}
MODE_WORDS = {
    CellMode.WARP: "warp: between its four nodes",
    CellMode.BLEND: "blend: four nodes' predictions mixed",
    CellMode.OWN: "own: a vector of its own",
}
KIND_COLOURS = {
    BlockKind.SKIP: "#ffffff",
    BlockKind.MERGE: "#0072b2",
    BlockKind.INTER: "#e69f00",
    BlockKind.INTRA: "#cc3311",
    BlockKind.WARPED: "#009988",
}
KIND_WORDS = {
    BlockKind.SKIP: "skip: an inherited vector, no levels",
    BlockKind.MERGE: "merge: an inherited vector, and levels",
    BlockKind.INTER: "inter: a vector of its own",
    BlockKind.INTRA: "intra: from the samples around it",
    BlockKind.WARPED: "warped: from the picture's mesh",
}


def panels(
    picture: Picture, rows: int, columns: int, title: str, margin: float = 0.0
) -> tuple[Figure, npt.NDArray[np.object_]]:
    """A figure with room for pictures side by side, (rows, columns) of axes; ``margin`` is for what is beside each."""
    aspect = picture.format.height / picture.format.width
    across = min(PANEL if columns > 1 else 1.5 * PANEL, PANEL * 1.2 / aspect)
    across = max(across, 2.6)
    size = (columns * (across + margin) + 0.2, rows * (max(across * aspect, 0.6) + 0.35) + 0.55)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=10, fontweight="bold")
    return figure, figure.subplots(rows, columns, squeeze=False)


def show_picture(axes: Axes, picture: Picture, title: str, alpha: float = 1.0) -> AxesImage:
    """A picture as people look at it, without ticks."""
    return _show(axes, to_array(picture), title, alpha=alpha, cmap="gray", vmin=0, vmax=255)


def _show(axes: Axes, samples: npt.NDArray[Any], title: str, **options: Any) -> AxesImage:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)
    return axes.imshow(samples, interpolation="nearest", **options)


def mean_squared_error(picture: Picture, other: Picture) -> float:
    """Of luma, in squared sample values."""
    return float(np.mean(np.square(luma(picture).astype(np.int32) - luma(other))))


def _quality(picture: Picture, other: Picture) -> str:
    """MSE and PSNR of luma."""
    mse = mean_squared_error(picture, other)
    return f"MSE {mse:.2f}, PSNR " + (f"{10 * math.log10(255**2 / mse):.2f} dB" if mse else "∞")


def _heading(inspection: Inspection, what: str) -> str:
    return f"Picture {inspection.number}: {what}"


# ------------------------------------------------------------------------------------------- vectors


def plot_vectors(inspection: Inspection, drawn: Arrows, what: str) -> Figure:
    """Vectors over the faded picture, hue by direction; a dot where motion is below a quarter of a sample."""
    picture = inspection.picture
    lengths = np.hypot(*drawn.vectors.T)
    moving = lengths >= 0.25
    usual = float(np.percentile(lengths[moving], 90)) if moving.any() else 1.0
    times = next((factor for factor in MAGNIFICATIONS if factor * usual <= 1.6 * drawn.spacing), 1)
    size = np.array([picture.format.height, picture.format.width])
    ends = drawn.starts + times * drawn.vectors
    beyond = np.max([-0.5 - ends, ends - size + 0.5], initial=0.0)
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(picture, 1, 1, _heading(inspection, what), margin=1.3)
        over: Axes = axes[0, 0]
        length = f"arrows {times} times as long as the motion" if times > 1 else "arrows as long as the motion"
        show_picture(over, picture, f"{length}; dots: below ¼ sample", alpha=0.55)
        (y, x), (dy, dx) = drawn.starts[moving].T, drawn.vectors[moving].T
        over.quiver(
            *(x, y, dx, dy, _hues(dy, dx)),
            cmap="hsv",
            clim=(0, 1),
            angles="xy",
            scale_units="xy",
            scale=1 / times,
            width=0.0032,
            edgecolor="k",
            linewidth=0.35,
            minlength=0,
        )
        still = drawn.starts[~moving]
        over.scatter(still[:, 1], still[:, 0], s=4, c="white", edgecolors="k", linewidths=0.4)
        if drawn.own.any():
            own = drawn.starts[drawn.own]
            over.scatter(own[:, 1], own[:, 0], s=16, marker="s", facecolors="none", edgecolors="k", linewidths=0.7)
            over.set_xlabel("squares: cells with a vector of their own", fontsize=8)
        _keep_to(over, picture, margin=min(float(beyond), size.max() / 8))
        _wheel(over)
    return figure


def _hues(dy: npt.NDArray[np.float64], dx: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Direction as 0…1, counted from the right, counter-clockwise as seen."""
    return (np.arctan2(-dy, dx) / math.tau) % 1.0


def _keep_to(axes: Axes, picture: Picture, margin: float = 0.0) -> None:
    """Nothing that is drawn over a picture makes its axes larger than by ``margin`` samples."""
    axes.set_xlim(-0.5 - margin, picture.format.width - 0.5 + margin)
    axes.set_ylim(picture.format.height - 0.5 + margin, -0.5 - margin)


def _wheel(beside: Axes, words: str = "direction") -> None:
    """The colour of each direction, saturated towards the rim."""
    box = beside.inset_axes((1.03, 0.0, 0.22, 0.35), projection="polar")
    assert isinstance(box, PolarAxes)
    angles, radii = np.meshgrid(np.linspace(0, math.tau, 73), np.linspace(0, 1, 9))
    colours = hsv_to_rgb(np.stack([angles / math.tau % 1.0, radii, np.ones_like(radii)], axis=-1))
    box.pcolormesh(angles, radii, colours[:-1, :-1], shading="flat")
    box.set_xticks([])
    box.set_yticks([])
    box.set_title(words, fontsize=8)
    box.set_anchor("SW")


def plot_field(inspection: Inspection) -> Figure:
    """The dense field: hue and saturation for direction and length, and the length alone."""
    dense = dense_field(inspection)
    dy, dx = dense[..., 0], dense[..., 1]
    lengths = np.hypot(dy, dx)
    inside = np.isnan(lengths)
    reach = max(float(np.nanpercentile(lengths, 99)), 0.25)
    colours = hsv_to_rgb(
        np.nan_to_num(np.stack([_hues(dy, dx), np.clip(lengths / reach, 0, 1), np.ones_like(dy)], axis=-1))
    )
    colours[inside] = to_rgb(NEITHER)
    grey = "; grey: from inside the picture" if inside.any() else ""
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(inspection.picture, 1, 2, _heading(inspection, "the field, sample by sample"), margin=0.9)
        _show(axes[0, 0], colours, f"direction, full colour at {reach:.2g} samples{grey}")
        _wheel(axes[0, 0], "from where")
        shades = colormaps["viridis"].with_extremes(bad=NEITHER)
        image = _show(axes[0, 1], lengths, "length of motion", cmap=shades, vmin=0, vmax=reach)
        figure.colorbar(image, ax=axes[0, 1], label="samples", shrink=0.85, extend="max")
    return figure


# ------------------------------------------------------------------------------------------- meshes


def plot_mesh(inspection: Inspection, field: MotionField) -> Figure:
    """The deformed mesh on the reference, the regular one on the picture, and how much each cell's area changes."""
    picture, reference = inspection.picture, inspection.references[0]
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(picture, 1, 3, _heading(inspection, "the mesh"), margin=0.3)
        for place, (shown, moved, title) in enumerate(
            [
                (reference, True, f"on picture {inspection.number - 1}, where the nodes come from"),
                (picture, False, f"on picture {inspection.number}"),
            ]
        ):
            show_picture(axes[0, place], shown, title)
            _draw_lines(axes[0, place], node_positions(field, moved))
            _keep_to(axes[0, place], shown)
        _draw_areas(axes[0, 2], inspection, field)
    return figure


def _draw_areas(axes: Axes, inspection: Inspection, field: MotionField) -> None:
    """How much each cell's area changes, and in grey what is predicted without the mesh."""
    leaves, grey = inspection.leaves, Picture.from_array(luma(inspection.picture))
    show_picture(axes, grey, "area there / area here; grey: predicted without the mesh")
    ratios, own = area_ratios(field), field.modes == CellMode.OWN
    usual = float(np.percentile(np.abs(ratios - 1)[~own], 95)) if not own.all() else 0.0
    reach = min(max(math.ceil(20 * usual) / 20, 0.05), 0.5)
    scale = ScalarMappable(Normalize(1 - reach, 1 + reach), "RdBu_r")
    cells = _cell_corners(field)
    without = cells[own.ravel()] if leaves is None else _leaf_corners(leaves)[leaves.kinds != BlockKind.WARPED]
    colours = scale.to_rgba(ratios.ravel(), alpha=0.85)
    axes.add_collection(PolyCollection(list(cells), facecolors=colours, edgecolors="white", linewidths=0.2))
    axes.add_collection(PolyCollection(list(without), facecolors=NEITHER, edgecolors="white", linewidths=0.2))
    _keep_to(axes, grey)
    assert axes.figure is not None
    axes.figure.colorbar(scale, ax=axes, shrink=0.85, extend="both", label="below 1: it grows")


def _draw_lines(axes: Axes, nodes: npt.NDArray[np.float64]) -> None:
    """Rows and columns of nodes joined by a thin light line on a wider dark one."""
    points = nodes[..., ::-1]
    lines = [*points, *points.transpose(1, 0, 2)]
    apart = 72 * PANEL / nodes.shape[1]  # points; lines closer together are thinner, to leave something of the picture
    for width, colour in ((min(1.6, apart / 9), "#000000a0"), (min(0.7, apart / 20), "#ffe27a")):
        axes.add_collection(LineCollection(lines, linewidths=width, colors=colour, capstyle="round"))


def _cell_corners(field: MotionField) -> npt.NDArray[np.float64]:
    """Corners of the regular cells, (cells, 4, 2) as (x, y)."""
    rows, columns = field.modes.shape
    corner = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 1, 2)
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    corners: npt.NDArray[np.float64] = (corner + square) * field.cell_size - 0.5
    return corners


def plot_modes(inspection: Inspection, field: MotionField) -> Figure:
    """How each mesh cell is predicted, as colours over the picture."""
    picture = inspection.picture
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(picture, 1, 1, _heading(inspection, "how each cell is predicted"))
        over: Axes = axes[0, 0]
        grey = Picture.from_array(luma(picture))
        show_picture(over, grey, f"{field.modes.size} cells of {field.cell_size} × {field.cell_size} samples")
        colours = [MODE_COLOURS[CellMode(mode)] for mode in field.modes.ravel().tolist()]
        over.add_collection(
            PolyCollection(
                list(_cell_corners(field)), facecolors=colours, edgecolors="#ffffff90", linewidths=0.5, alpha=0.45
            )
        )
        _keep_to(over, picture)
        shares = {mode: float(np.mean(field.modes == mode)) for mode in CellMode}
        handles = [
            Patch(color=MODE_COLOURS[mode], label=f"{MODE_WORDS[mode]} ({shares[mode]:.1%})") for mode in CellMode
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=1, frameon=False)
    return figure


# ------------------------------------------------------------------------------------------- quadtrees


def plot_leaves(inspection: Inspection, leaves: Leaves) -> Figure:
    """The leaves of the quadtrees over the grey picture: colours say how each is predicted."""
    picture = inspection.picture
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(picture, 1, 1, _heading(inspection, "how each leaf is predicted"))
        over: Axes = axes[0, 0]
        by_size = [f"{int(np.sum(leaves.places[:, 2] == side))} of {side} × {side}" for side in (32, 16, 8)]
        show_picture(over, Picture.from_array(luma(picture)), f"leaves: {', '.join(by_size)} samples")
        corners = list(_leaf_corners(leaves))
        colours = [
            "none" if kind == BlockKind.SKIP or not inspection.references else f"{KIND_COLOURS[BlockKind(kind)]}66"
            for kind in leaves.kinds.tolist()
        ]
        thin = min(0.6, 72 * PANEL * 1.5 / picture.format.width)
        # light lines show in the dark, and dark ones under them in the light
        over.add_collection(PolyCollection(corners, facecolors="none", edgecolors="#00000070", linewidths=2.5 * thin))
        over.add_collection(PolyCollection(corners, facecolors=colours, edgecolors="#ffffffc0", linewidths=thin))
        _keep_to(over, picture)
        areas = np.square(leaves.places[:, 2])
        shares = {kind: float(areas[leaves.kinds == kind].sum() / areas.sum()) for kind in BlockKind}
        handles = [
            Patch(facecolor=KIND_COLOURS[kind], edgecolor="#808080", label=f"{KIND_WORDS[kind]} ({shares[kind]:.1%})")
            for kind in BlockKind
            if shares[kind]
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=1, frameon=False, title="share of the area")
    return figure


def _leaf_corners(leaves: Leaves) -> npt.NDArray[np.float64]:
    """Corners of leaves, (leaves, 4, 2) as (x, y)."""
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    corners: npt.NDArray[np.float64] = leaves.places[:, None, 1::-1] + square * leaves.places[:, None, 2:] - 0.5
    return corners


# ------------------------------------------------------------------------------------------- prediction and residual


def plot_prediction(inspection: Inspection) -> Figure:
    """The decoded picture beside its prediction: the one before, moved, or of ``dct`` what every block is made of."""
    picture, prediction = inspection.picture, inspection.predictions[0]
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(picture, 1, 2, _heading(inspection, "its prediction"))
        show_picture(axes[0, 0], picture, "decoded")
        what = f"picture {inspection.number - 1}, moved" if inspection.leaves is None else "predicted block by block"
        show_picture(axes[0, 1], prediction, f"{what}: {_quality(picture, prediction)}")
    return figure


def plot_residual(inspection: Inspection) -> Figure:
    """The difference from the picture before, if any, and from the prediction, on one scale: signed, and its size."""
    picture = inspection.picture
    step, what = "compensation", "what is left, before and after motion compensation"
    if inspection.leaves is not None:
        step = "prediction"
        what = (
            "what is left, before and after prediction" if inspection.references else "what levels and filters change"
        )
    others = [(inspection.predictions[0], f"after {step}")]
    if inspection.references:
        others.insert(0, (inspection.references[0], f"before {step}"))
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(picture, 2, len(others), _heading(inspection, f"{what} (luma)"), margin=0.4)
        for column, (other, words) in enumerate(others):
            difference = luma(picture).astype(np.int32) - luma(other)
            reach = RESIDUAL_REACH
            signed = _show(
                axes[0, column],
                difference,
                f"{words}: {_quality(picture, other)}",
                cmap="RdBu_r",
                vmin=-reach,
                vmax=reach,
            )
            size = _show(axes[1, column], np.abs(difference), "its size", cmap="inferno", vmin=0, vmax=reach)
        figure.colorbar(signed, ax=axes[0], shrink=0.85, extend="both", label="sample values")
        figure.colorbar(size, ax=axes[1], shrink=0.85, extend="max", label="sample values")
    return figure
