"""Rate and distortion as pictures: size against MSE, PSNR against bits per pixel, mesh against block.

Every function returns a `matplotlib.figure.Figure` on white; `svg` and `png` turn one into bytes that depend on
nothing but the points and matplotlib's version, and `inline_svg` into a part of a page, whose colours the page sets.
Points without error have no place on a logarithmic MSE axis or a PSNR axis; they get a strip of their own.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from codec.measure.curves import Curve, upper_hull
from codec.measure.peers import CONSTANT
from codec.measure.points import PeerPoint, Point, quality_name
from codec.models import MotionModel, ResidualCoder

__all__ = [
    *("COLOUR_OF_COMPONENT", "IN_THE_DARK", "RATE_PLOTS", "STYLE", "LegendEntry", "RatePlot", "inline_svg", "legend"),
    *("plot_mesh_against_block", "plot_rates", "png", "svg"),
]

INK, SOFT, GRID, STRIP, PAPER = "#000000", "#555555", "#e2e2e2", "#f5f3ec", "#ffffff"
# Okabe and Ito's colours, which the colour-blind tell apart
COLOUR_OF = {"lossless": INK, "int8": "#0072b2", "uint8": "#d55e00", "float16": "#009e73", "dct": "#aa3377"}
PEER_COLOURS = {
    "x264 high": "#8c6d31",
    "x264": "#6b6ecf",
    "x265": "#31a354",
    "SVT-AV1": "#c98a00",
    "VP9": "#17a2b8",
    "MPEG-4": "#7f7f7f",
    "MPEG-2": "#9a9b00",
    "MJPEG": "#b15928",
    "ffv1": "#6a51a3",
    "PNG": "#5d4037",
    "WebP": "#00707a",
}
"""Of the peers whose names begin so; the first that fits."""
COLOUR_OF_COMPONENT = {
    "residual": "#56b4e9",
    "weights": "#009e73",
    "motion": "#d55e00",
    "modes": "#cc79a7",
    "alpha": "#e69f00",
    "headers": "#4d4d4d",
}
_DARK = """
#000000→#f2f2f2 #555555→#a5a49d #e2e2e2→#3b3c40 #f5f3ec→#2b2b28 #ffffff→#222326
#0072b2→#56b4e9 #d55e00→#ff8c42 #009e73→#2fd1a0 #aa3377→#ee77b5 #8c6d31→#d1b06a #6b6ecf→#9fa2ff #31a354→#74d68a
#c98a00→#ffd75e #17a2b8→#5fd5e8 #7f7f7f→#b0b0b0 #9a9b00→#dede5a #b15928→#e08f5e #6a51a3→#b9a3f0 #5d4037→#c7a999
#00707a→#3fb8c4 #56b4e9→#56b4e9 #cc79a7→#cc79a7 #e69f00→#e69f00 #4d4d4d→#b5b5b5"""
IN_THE_DARK: dict[str, str] = dict(pair.split("→") for pair in _DARK.split())
"""What each of the colours above becomes on a dark page."""


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
    "grid.color": GRID,
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


def inline_svg(figure: Figure, name: str, words: str) -> Markup:
    """The figure as a part of a page: ``words`` say what it shows; its identifiers begin with ``name``.

    Its colours are variables of the page, ``--c0072b2`` and so on for all of `IN_THE_DARK`.
    """
    text = svg(figure)
    box = re.search(r'viewBox="[^"]*"', text)
    drawing = text[text.index("</defs>") + len("</defs>") : text.rindex("</svg>")]  # without a style of all the page
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", drawing)
    drawing = re.sub("#(" + "|".join(colour[1:] for colour in IN_THE_DARK) + r")\b", r"var(--c\1)", drawing)
    assert box is not None
    return Markup('<svg class="plot" {} role="img" aria-label="{}">{}</svg>').format(
        Markup(box[0]), words, Markup(drawing)
    )


@matplotlib.rc_context(STYLE)
def png(figure: Figure, dots_per_inch: int = 150) -> bytes:
    """The figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dots_per_inch, **TRIMMED, metadata={"Software": None})
    return data.getvalue()


# ------------------------------------------------------------------------------------------- rate and distortion


class RatePlot(NamedTuple):
    """One rate/distortion plot: what its axes are, and what to look for."""

    title: str  # with ``{quality}`` for PSNR or PSNR-YUV
    rate: str  # an attribute of `Measured`
    rate_label: str
    distortion: Literal["mse", "quality"]
    better: str
    look: str


RATE_PLOTS = (
    RatePlot(
        *("File size against MSE", "file_bytes", "file size (bytes, logarithmic)", "mse", "down and left"),
        "Each marker is one file: how large it is, and how far its samples are from the source. "
        "A curve further down and left has less error for the same bytes; where two cross, each is better on one side.",
    ),
    RatePlot(
        *(
            "{quality} against bits per pixel",
            "bits_per_pixel",
            "bits per pixel (logarithmic)",
            "quality",
            "up and left",
        ),
        "The same files as papers on video coding show them, so that clips of other sizes can be compared. "
        "Of two curves at one height, the one further left needs fewer bits for that quality.",
    ),
    RatePlot(
        *("{quality} against ratio", "ratio", "ratio: raw bytes / file bytes (logarithmic)", "quality", "up and right"),
        "The same files by how many times smaller than raw samples they are. "
        "Where a curve falls steeply, a little more compression costs much quality.",
    ),
)


class LegendEntry(NamedTuple):
    """A line of the legend: ``marker`` and ``line`` as matplotlib calls them, or a patch of colour without."""

    label: str
    colour: str
    marker: str = "patch"
    line: str = "none"


def legend(points: Sequence[Point], peers: Sequence[PeerPoint] = ()) -> dict[str, list[LegendEntry]]:
    """What the rate plots of these points show by colours, by markers, and of other codecs; groups by their titles.

    Where a curve has a dial, its values are in the label. Exact files of other codecs have theirs in the plot.
    """
    members = {coder: [p for p in points if p.settings.residual_coder is coder] for coder in ResidualCoder}
    coders = [LegendEntry(_with_dials(coder.label, of), COLOUR_OF[coder.label]) for coder, of in members.items() if of]
    if any(_hull(coder, points, RATE_PLOTS[0]) for coder in members):
        coders.append(LegendEntry("convex hull of a coder", SOFT, "hull"))
    motions = [
        LegendEntry(motion.label, SOFT, look["marker"], look["linestyle"])
        for motion, look in LOOK_OF.items()
        if any(point.settings.motion_model is motion for point in points)
    ]
    others = []
    for name in dict.fromkeys(peer.curve for peer in peers if not peer.exact):
        look = _peer_look(name)
        label = _with_dials(name, [peer for peer in peers if peer.curve == name])
        others.append(LegendEntry(label, look["color"], look["marker"], look["linestyle"]))
    groups = {"Colour: residual": coders, "Marker: motion": motions, "Other codecs": others}
    return {title: entries for title, entries in groups.items() if entries}


def _with_dials(name: str, points: Iterable[Point | PeerPoint]) -> str:
    dials = sorted({point.dial for point in points if point.dial is not None})
    return f"{name}: {dials[0][0]} {', '.join(f'{value:g}' for _, value in dials)}" if dials else name


@matplotlib.rc_context(STYLE)
def plot_rates(plot: RatePlot, points: Sequence[Point], peers: Sequence[PeerPoint] = ()) -> Figure:
    """The plot with its strip for exact points; `legend` says what its lines are."""
    exact = [point for point in points if point.exact]
    lossy = [point for point in points if not point.exact]
    lossy_peers, exact_peers = ([peer for peer in peers if peer.exact is is_exact] for is_exact in (False, True))
    rows = [coder.label for coder in ResidualCoder if any(p.settings.residual_coder is coder for p in exact)]
    rows += dict.fromkeys(peer.curve for peer in exact_peers)
    panels = [(False, 3.6, lossy or lossy_peers), (True, 0.3 + 0.2 * len(rows), rows)]
    shown = [(is_exact, height) for is_exact, height, members in panels if members]
    if plot.distortion == "quality":  # what is exact is best: above for quality, below for MSE
        shown.reverse()
    heights = [height for _, height in shown]
    figure = Figure(figsize=(7.0, sum(heights) + 0.6), layout="constrained", facecolor=PAPER)
    all_axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (is_exact, _) in zip(all_axes, shown, strict=True):
        if is_exact:
            _draw_exact(axes, exact, exact_peers, rows, plot)
        else:
            _draw_curves(axes, lossy, lossy_peers, plot)
    all_axes[-1].set_xscale("log")
    _plain_log_ticks(all_axes[-1].xaxis)
    all_axes[-1].set_xlabel(plot.rate_label)
    return figure


def _peer_look(name: str) -> dict[str, Any]:
    """A thin line for a peer's curve; two that differ by what their dial does have one colour."""
    is_constant = name.endswith(CONSTANT)
    return {
        "color": next((colour for start, colour in PEER_COLOURS.items() if name.startswith(start)), SOFT),
        "linestyle": "--" if is_constant else "-",
        "linewidth": 0.9,
        "marker": "+" if is_constant else "x",
        "markersize": 3.5,
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
    for name in dict.fromkeys(peer.curve for peer in peers):
        curve = sorted(at(peer) for peer in peers if peer.curve == name)
        axes.plot(*_columns(curve), **_peer_look(name), zorder=1.5)
    if plot.distortion == "mse":
        axes.set_yscale("log")
        _plain_log_ticks(axes.yaxis)
        axes.set_ylabel("MSE per sample (logarithmic)")
    else:
        axes.set_ylabel(f"{quality_name([*points, *peers])} (dB)")
    axes.set_title(f"{plot.better} is better", loc="right", fontsize=8.5, color=SOFT, style="italic")


def _hull(coder: ResidualCoder, points: Sequence[Point], plot: RatePlot) -> list[tuple[float, float]]:
    """The convex hull of all that a coder does, as it is drawn; nothing where it has one curve."""
    chosen = [point for point in points if point.settings.residual_coder is coder and not point.exact]
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
        axes.plot(rate(peer), rows.index(peer.curve), **_peer_look(peer.curve) | {"markersize": 5, "linestyle": "none"})
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis="y", length=0)
    exact = f"exact: {'MSE 0' if plot.distortion == 'mse' else 'PSNR ∞'}"
    axes.set_title(exact, loc="left", fontsize=8.5, color=SOFT, style="italic")
    axes.set_facecolor(STRIP)


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
    figure = Figure(figsize=(7.0, 2.9), layout="constrained", facecolor=PAPER)
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
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.set_xlabel(f"{quality_name(points)} (dB)")
    axes.set_ylabel("bytes of mesh against block (%)")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -1), max(high, 1))  # less than 1 % is little, and looks so
    axes.set_title("below 0: mesh needs fewer", loc="right", fontsize=8.5, color=SOFT, style="italic")
    axes.legend(frameon=False)
    return figure
