"""Why prediction goes backward: the same two pictures predicted both ways, with what forward prediction leaves."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import codec
from codec.picture.colour import luma
from codec.picture.planes import Picture, Plane
from codec.settings import Settings
from codec.show.dense import Splat, dense_field, gather, splat
from codec.show.picture_plots import PICTURE_STYLE, panels, show_picture

__all__ = ["Directions", "both_directions", "plot_why_backward"]

HOLE, OVERLAP = "#e200e2", "#00c878"  # neither is common in pictures


class Directions(NamedTuple):
    """Two predictions of one picture from the one before, both by blocks and whole samples, on luma."""

    reference: Plane
    picture: Plane
    forward: Splat
    backward: Plane

    def error(self, prediction: Plane) -> float:
        """MSE of a prediction, in squared sample values."""
        return float(np.mean(np.square(self.picture.astype(np.int32) - prediction)))


def both_directions(before: Picture, picture: Picture, block: int = 16) -> Directions:
    """Search motion both ways between two pictures of one format, and predict ``picture`` with each.

    Forward motion of ``before`` is where each of *its* blocks lies in ``picture``, which is what coding the two the
    other way round looks for.
    """
    backward, forward = whole_motion(before, picture, block), whole_motion(picture, before, block)
    reference = luma(before)
    return Directions(reference, luma(picture), splat(reference, forward), gather(reference, backward))


def whole_motion(reference: Picture, picture: Picture, block: int) -> npt.NDArray[np.float64]:
    """`dense_motion` in whole samples: each block's vector, a neighbour of it, or none, whichever has the least error.

    Rounding alone would favour either direction by chance.
    """
    samples, wanted = luma(reference), luma(picture).astype(np.int32)
    start = np.rint(dense_motion(reference, picture, block))
    best, least = start, np.full(wanted.shape, np.inf)
    for moved in [np.zeros_like(start), *(start + step for step in product((0, -1, 1), repeat=2))]:
        error = block_sums(np.square(gather(samples, moved) - wanted), block)
        best = np.where((error < least)[..., None], moved, best)
        least = np.minimum(error, least)
    return best


def block_sums(values: npt.NDArray[np.int32], block: int) -> npt.NDArray[np.float64]:
    """At every place of (H, W) the sum over its block."""
    sums = values.astype(np.float64)
    for axis, side in enumerate(values.shape):
        starts = np.arange(0, side, block)
        sums = np.repeat(np.add.reduceat(sums, starts, axis), block, axis).take(np.arange(side), axis)
    return sums


def dense_motion(reference: Picture, picture: Picture, block: int) -> npt.NDArray[np.float64]:
    """The block field of ``picture`` from ``reference``, as an encoder finds it, (H, W, 2) in samples."""
    settings = Settings("lossless", "block", block=block, run=2, gop=2, scene_cut=False, speed="fast")
    with tempfile.TemporaryDirectory(prefix="mvz-lesson-") as folder:
        path = Path(folder) / "pair.mvz"
        with codec.Writer(path, format=picture.format, settings=settings) as out:
            out.append(reference)
            out.append(picture)
        with codec.open(path) as video:
            return dense_field(video.inspect(1))


def plot_why_backward(before: Picture, picture: Picture, number: int, block: int = 16) -> Figure:
    """Forward prediction with its holes and overlaps beside backward prediction, each with its MSE."""
    found = both_directions(before, picture, block)
    forward = found.forward
    marked = np.repeat(forward.samples[..., None], 3, axis=2)
    faded = (0.35 * marked + 0.65 * rgb(OVERLAP)).astype(np.uint8)
    marked = np.where((forward.landed > 1)[..., None], faded, marked)
    marked[forward.landed == 0] = rgb(HOLE)
    with matplotlib.rc_context(PICTURE_STYLE):
        figure, axes = panels(picture, 2, 2, f"Why backward? Picture {number} from picture {number - 1}")
        show_picture(axes[0, 0], Picture.from_array(luma(before)), f"picture {number - 1}")
        show_picture(axes[0, 1], Picture.from_array(luma(picture)), f"picture {number}, to be predicted")
        show_picture(
            axes[1, 0],
            Picture.from_array(marked),
            f"forward: each block of picture {number - 1} is sent; MSE {found.error(forward.samples):.1f}",
        )
        show_picture(
            axes[1, 1],
            Picture.from_array(found.backward),
            f"backward: each block of picture {number} is fetched; MSE {found.error(found.backward):.1f}",
        )
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


def rgb(colour: str) -> npt.NDArray[np.float64]:
    """A colour as three sample values, 0…255."""
    return 255 * np.array(to_rgb(colour))
