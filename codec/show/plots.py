"""Rate and distortion as pictures: size against MSE, PSNR against bits per pixel, bytes by component.

Every function returns a `matplotlib.figure.Figure` on white; `svg` and `png` turn one into bytes that depend on
nothing but the points and matplotlib's version.
Points without error have no place on a logarithmic MSE axis or a PSNR axis; they get a strip of their own.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from itertools import zip_longest
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter

from codec.measure.curves import Curve, upper_hull
from codec.measure.peers import CONSTANT
from codec.measure.points import PeerPoint, Point, quality_name
from codec.models import MotionModel, ResidualCoder

__all__ = ["RATE_PLOTS", "STYLE", "RatePlot", "plot_components", "plot_mesh_against_block", "plot_rates", "png", "svg"]

# Okabe and Ito's colours, which the colour-blind tell apart
COLOUR_OF = {"lossless": "#000000", "int8": "#0072b2", "uint8": "#d55e00", "float16": "#009e73", "dct": "#aa3377"}
PEER_COLOURS = ("#8c6d31", "#6b6ecf", "#31a354", "#e0a100", "#17a2b8", "#7f7f7f", "#bcbd22", "#b15928")
LEGEND_COLUMNS = 3  # of the names of peers
COLOUR_OF_COMPONENT = {
    "residual": "#56b4e9",
    "weights": "#009e73",
    "motion": "#d55e00",
    "modes": "#cc79a7",
    "alpha": "#e69f00",
    "headers": "#4d4d4d",
}


# markers that show through each other where curves meet
LOOK_OF: dict[MotionModel, dict[str, Any]] = {
    MotionModel.NONE: {"marker": "o", "markersize": 6.0, "linestyle": ":"},
    MotionModel.BLOCK: {"marker": "s", "markersize": 8.0, "linestyle": "--", "markerfacecolor": "none"},
    MotionModel.MESH: {"marker": "^", "markersize": 4.5, "linestyle": "-"},
}
HULL_LOOK: dict[str, Any] = {"linewidth": 5, "alpha": 0.25, "solid_capstyle": "round", "zorder": 1.2}
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e2e2",
    "axes.axisbelow": True,
    "svg.fonttype": "path",  # text looks the same wherever the page is opened
    "svg.hashsalt": "mvz",
}
TRIMMED: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.08}  # nothing is cut off, and no margin is wide


@matplotlib.rc_context(STYLE)
def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element, without XML prologue, date or creator."""
    text = io.StringIO()
    figure.savefig(text, format="svg", **TRIMMED, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return text.getvalue()[text.getvalue().index("<svg") :]


@matplotlib.rc_context(STYLE)
def png(figure: Figure, dots_per_inch: int = 150) -> bytes:
    """The figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dots_per_inch, **TRIMMED, metadata={"Software": None})
    return data.getvalue()


# ------------------------------------------------------------------------------------------- rate and distortion


class RatePlot(NamedTuple):
    """One rate/distortion plot: what its axes are."""

    title: str  # with ``{quality}`` for PSNR or PSNR-YUV
    rate: str  # an attribute of `Measured`
    rate_label: str
    distortion: Literal["mse", "quality"]
    better: str


RATE_PLOTS = (
    RatePlot("File size against MSE", "file_bytes", "file size (bytes, logarithmic)", "mse", "down and left"),
    RatePlot(
        "{quality} against bits per pixel", "bits_per_pixel", "bits per pixel (logarithmic)", "quality", "up and left"
    ),
    RatePlot(
        "{quality} against ratio", "ratio", "ratio: raw bytes / file bytes (logarithmic)", "quality", "up and right"
    ),
)


@matplotlib.rc_context(STYLE)
def plot_rates(plot: RatePlot, points: Sequence[Point], peers: Sequence[PeerPoint] = ()) -> Figure:
    """The plot with its strip for exact points, a legend of colours and markers below, and names of peers above."""
    exact = [point for point in points if point.exact]
    lossy = [point for point in points if not point.exact]
    lossy_peers, exact_peers = ([peer for peer in peers if peer.exact is is_exact] for is_exact in (False, True))
    rows = [coder.label for coder in ResidualCoder if any(p.settings.residual_coder is coder for p in exact)]
    rows += dict.fromkeys(peer.curve for peer in exact_peers)
    panels = [(False, 4.4 if lossy_peers else 3.6, lossy or lossy_peers), (True, 0.35 + 0.3 * len(rows), rows)]
    shown = [(is_exact, height) for is_exact, height, members in panels if members]
    if plot.distortion == "quality":  # what is exact is best: above for quality, below for MSE
        shown.reverse()
    heights = [height for _, height in shown]
    looks = _peer_looks(lossy_peers)
    names_height = 0.22 * -(-len(looks) // LEGEND_COLUMNS)
    figure = Figure(figsize=(6.2, 0.9 * sum(heights) + 0.9 + names_height), layout="constrained", facecolor="white")
    all_axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (is_exact, _) in zip(all_axes, shown, strict=True):
        if is_exact:
            _draw_exact(axes, exact, exact_peers, rows, plot)
        else:
            _draw_curves(axes, lossy, lossy_peers, plot)
    all_axes[-1].set_xscale("log")
    _plain_log_ticks(all_axes[-1].xaxis)
    all_axes[-1].set_xlabel(plot.rate_label)
    if handles := _legend(points):
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles) // 2, frameon=False)
    if looks:
        handles = [Line2D([], [], **look, label=name) for name, look in looks.items()]
        place: dict[str, Any] = {"loc": "outside upper center", "ncols": LEGEND_COLUMNS, "columnspacing": 1.2}
        figure.legend(handles=handles, **place, frameon=False, fontsize=8)
    return figure


def _peer_looks(peers: Sequence[PeerPoint]) -> dict[str, dict[str, Any]]:
    """A thin line for each peer's curve; two that differ by what their dial does have one colour."""
    names = list(dict.fromkeys(peer.curve for peer in peers))
    kinds = list(dict.fromkeys(name.removesuffix(CONSTANT) for name in names))
    return {
        name: {
            "color": PEER_COLOURS[kinds.index(name.removesuffix(CONSTANT)) % len(PEER_COLOURS)],
            "linestyle": "--" if name.endswith(CONSTANT) else "-",
            "linewidth": 0.9,
            "marker": "+" if name.endswith(CONSTANT) else "x",
            "markersize": 3.5,
        }
        for name in names
    }


def _draw_curves(axes: Axes, points: Sequence[Point], peers: Sequence[PeerPoint], plot: RatePlot) -> None:
    """One line a residual and motion, through its dial's values; behind them one thin line a peer."""
    at = attrgetter(plot.rate, plot.distortion)
    for coder in ResidualCoder:
        for motion in LOOK_OF:
            curve = sorted(at(p) for p in points if p.curve == f"{coder.label}, {motion.label}")
            axes.plot(*_columns(curve), **_look(coder, motion))
        if hull := _hull(coder, points, plot):
            axes.plot(*_columns(hull), color=COLOUR_OF[coder.label], **HULL_LOOK)
    for name, look in _peer_looks(peers).items():
        axes.plot(*_columns(sorted(at(peer) for peer in peers if peer.curve == name)), **look, zorder=1.5)
    if plot.distortion == "mse":
        axes.set_yscale("log")
        _plain_log_ticks(axes.yaxis)
        axes.set_ylabel("MSE per sample (logarithmic)")
    else:
        axes.set_ylabel(f"{quality_name([*points, *peers])} (dB)")
    axes.set_title(f"{plot.better} is better", loc="right", fontsize=8.5, color="#555555", style="italic")
    # where the dial stands, at the dearest point of each, so that no label lies on another line
    for dial in sorted({point.dial for point in points if point.dial is not None}):
        last = max((point for point in points if point.dial == dial), key=attrgetter(plot.rate))
        axes.annotate(
            f"{dial[0]} {dial[1]}",
            at(last),
            xytext=(7, 5),
            textcoords="offset points",
            fontsize=8,
            color=COLOUR_OF["dct" if last.settings.residual_coder is ResidualCoder.DCT else "int8"],
            path_effects=[withStroke(linewidth=2.5, foreground="white")],  # lines of other curves pass below
            zorder=5,
        )


def _hull(coder: ResidualCoder, points: Sequence[Point], plot: RatePlot) -> list[tuple[float, float]]:
    """The convex hull of all that a coder does, as it is drawn; nothing where it has one curve."""
    chosen = [point for point in points if point.settings.residual_coder is coder]
    if len({point.curve for point in chosen}) < 2:
        return []
    at = attrgetter(plot.rate, plot.distortion)
    drawn = {}
    for rate, distortion in map(at, chosen):
        cost = -math.log(rate) if plot.rate == "ratio" else math.log(rate)
        value = -math.log(distortion) if plot.distortion == "mse" else distortion
        drawn[cost, value] = (rate, distortion)
    return [drawn[place] for place in upper_hull(list(drawn))]


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [rate for rate, _ in pairs], [distortion for _, distortion in pairs]


def _look(coder: ResidualCoder, motion: MotionModel) -> dict[str, Any]:
    """Colour and marker; those of uint8 are larger and behind, as its points lie on those of int8."""
    look = {"color": COLOUR_OF[coder.label], "linewidth": 1.2, "zorder": 3, **LOOK_OF[motion]}
    if coder is ResidualCoder.UINT8:
        look |= {"markersize": look["markersize"] + 4, "markerfacecolor": "none", "zorder": 2}
    return look


def _draw_exact(
    axes: Axes, points: Sequence[Point], peers: Sequence[PeerPoint], rows: Sequence[str], plot: RatePlot
) -> None:
    """Points without error, a row a residual coder or peer; only their rate is a measure here."""
    rate = attrgetter(plot.rate)
    for point in points:
        coder = point.settings.residual_coder
        look = _look(coder, point.settings.motion_model) | {"linestyle": "none"}
        axes.plot(rate(point), rows.index(coder.label), **look)
    for peer in peers:
        axes.plot(rate(peer), rows.index(peer.curve), marker="x", markersize=5, color="#6b6b6b", linestyle="none")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("exact\n(MSE 0)" if plot.distortion == "mse" else "exact\n(PSNR ∞)")
    axes.set_facecolor("#f5f3ec")


def _legend(points: Sequence[Point]) -> list[Line2D | Patch]:
    """Two rows, given column by column: a colour for each residual coder, a marker for each motion model."""
    coders = [coder for coder in ResidualCoder if any(point.settings.residual_coder is coder for point in points)]
    motions = [motion for motion in LOOK_OF if any(point.settings.motion_model is motion for point in points)]
    nothing = Line2D([], [], linestyle="none", label=" ")
    handles: list[Line2D | Patch] = []
    for coder, motion in zip_longest(coders, motions):
        handles.append(nothing if coder is None else Patch(color=COLOUR_OF[coder.label], label=coder.label))
        look = {} if motion is None else _look(ResidualCoder.LOSSLESS, motion) | {"color": "#555555"}
        handles.append(nothing if motion is None else Line2D([], [], **look, label=f"motion {motion.label}"))
    if any(_hull(coder, [point for point in points if not point.exact], RATE_PLOTS[0]) for coder in coders):
        handles += [Line2D([], [], color="#555555", **HULL_LOOK, label="convex hull of a coder"), nothing]
    return handles


def _plain_log_ticks(axis: Axis) -> None:
    """Plain numbers at 1, 2 and 5, so that even a narrow range has some."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(_short_number)
    axis.set_minor_formatter(NullFormatter())


def _short_number(value: float, _: float) -> str:
    """A label for the tick at ``value``: 200k, 1.5M, 0.02."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


@matplotlib.rc_context(STYLE)
def plot_mesh_against_block(points: Sequence[Point]) -> Figure | None:
    """How many more bytes mesh needs than block at equal PSNR, in per cent, for each residual coder that tells.

    None where no coder has both curves, with enough points and a shared range.
    """
    figure = Figure(figsize=(6.2, 2.9), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for coder in ResidualCoder:
        try:
            mesh, block = (
                Curve([(p.file_bytes, p.quality) for p in points if p.curve == f"{coder.label}, {motion.label}"])
                for motion in (MotionModel.MESH, MotionModel.BLOCK)
            )
        except ValueError:
            continue
        low, high = max(mesh.psnr[0], block.psnr[0]), min(mesh.psnr[-1], block.psnr[-1])
        if low < high:
            places = np.linspace(low, high, 101)
            change = 100 * (mesh.at(places) / block.at(places) - 1)
            axes.plot(places, change, color=COLOUR_OF[coder.label], label=coder.label)
    if not axes.lines:
        return None
    axes.axhline(0, color="#555555", linewidth=0.8)
    axes.set_xlabel(f"{quality_name(points)} (dB)")
    axes.set_ylabel("bytes of mesh against block (%)")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -1), max(high, 1))  # less than 1 % is little, and looks so
    axes.set_title("below 0: mesh needs fewer", loc="right", fontsize=8.5, color="#555555", style="italic")
    axes.legend(frameon=False)
    return figure


# ------------------------------------------------------------------------------------------- bytes by component


@matplotlib.rc_context(STYLE)
def plot_components(points: Sequence[Point]) -> Figure:
    """Bytes by component: stacked shares of each file, and beside them the bytes of all but the residual."""
    names = [name for name in COLOUR_OF_COMPONENT if any(point.bytes[name] for point in points)]
    figure = Figure(figsize=(7.2, 1.2 + 0.19 * len(points)), layout="constrained", facecolor="white")
    whole, rest = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    _stack(whole, points, names, lambda point, name: 100 * point.bytes[name] / point.file_bytes)
    _stack(rest, points, [name for name in names if name != "residual"], lambda point, name: point.bytes[name])
    whole.set_xlim(0, 100)
    whole.set_yticks(range(len(points)), [f"{point.label}:  {point.file_bytes:,}" for point in points])
    whole.set_ylim(len(points) - 0.4, -0.6)
    whole.set_xlabel("share of the file (%)")
    rest.set_xlabel("bytes of all but the residual")
    patches = [Patch(color=COLOUR_OF_COMPONENT[name], label=name) for name in names]
    figure.legend(handles=patches, loc="outside upper center", ncols=len(names), frameon=False)
    return figure


def _stack(axes: Axes, points: Sequence[Point], names: Sequence[str], length: Callable[[Point, str], float]) -> None:
    """Horizontal bars, one a point, in the order of the components."""
    left = np.zeros(len(points))
    for name in names:
        values = np.array([length(point, name) for point in points], np.float64)
        axes.barh(range(len(points)), values, left=left, color=COLOUR_OF_COMPONENT[name], height=0.72)
        left += values
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(_short_number)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlim(0, 1.04 * max(left.max(), 1))
