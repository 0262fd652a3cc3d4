"""Whether the pictures of a GOP are worth coding in another order than they are shown in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.models import MotionModel, Speed
from codec.motion.compensation import ReferencePlane
from codec.motion.field import SHARP, MotionField
from codec.motion.tables import HALF_TAPS
from codec.picture.colour import luma
from codec.picture.planes import Picture, Plane, Subsampling
from codec.search.displacements import looks_like_screen
from codec.search.motion import Searched, Windows, search_windows, searched_planes

__all__ = ["MINI_GOP", "choose_mini_gop"]

MINI_GOP = 8  # 4 takes 0.7 % more of natural clips, 16 takes 0.9 % more
SEARCH_RANGE = 32  # also where more is searched later: what moves further gains less in any case
BLOCK, STEP = 16, 32  # every other block is looked at, across and down
NOISE = 4.0  # squared error of a sample, which costs nothing
# What the two pictures that all others of a mini-GOP hang on may cost together, over what one costs from the picture
# before: natural clips reach 3.1…3.9 and take 2…28 % less with B pictures; a camera in a fast car 4.3, and takes 17 %
# more; a texture that turns by 1.2° a picture 8.3, and 39 % more. With a mesh less: it helps from the picture before
WORTH, WORTH_WITH_MESH = 4.1, 3.3


def choose_mini_gop(pictures: Sequence[Picture], has_mesh: bool) -> int:
    """8, or 1 where pictures are so unlike those far from them that B pictures would not make up for that.

    The first mini-GOP says that for all: its P picture and the B picture in its middle, by the logarithms of errors
    after motion compensation from the sources that would be references.
    """
    if len(pictures) < 3 or looks_like_screen(luma(pictures[0])):
        return 1
    after = min(len(pictures) - 1, MINI_GOP)
    middle = after // 2

    def cost(number: int, *references: int) -> float:
        """Of a picture from one other, or from two."""
        wanted = luma(pictures[number])
        ways = [predicted(wanted, luma(pictures[reference])) for reference in references]
        source, _ = searched_planes(wanted, wanted)
        mean = np.asarray(np.mean(ways, axis=0), np.float32)
        return costs(np.minimum.reduce([errors(source, way) for way in (*ways, mean)]))

    in_order = (cost(after, after - 1) + cost(middle, middle - 1)) / 2
    worth = WORTH_WITH_MESH if has_mesh else WORTH
    return MINI_GOP if cost(after, 0) + cost(middle, 0, after) <= worth * in_order else 1


def predicted(wanted: Plane, reference: Plane) -> npt.NDArray[np.float32]:
    """Luma (H, W) as motion makes it of another source; blocks of 16 move as their upper left ones of 32 do."""
    height, width = wanted.shape
    tops, lefts = (np.arange(0, side, STEP, dtype=np.int32) for side in (height, width))
    searched = Searched.of(*searched_planes(wanted, reference), SEARCH_RANGE, Speed.MEDIUM)
    vectors = search_windows(searched, Windows(tops, lefts, BLOCK), None)
    plane = ReferencePlane(searched.plane, Subsampling(0, 0), HALF_TAPS[SHARP])
    return np.asarray(plane.predict(MotionField(MotionModel.BLOCK, STEP, vectors)), np.float32)


def errors(source: Plane, prediction: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean squared errors of the blocks that were looked at and are whole, (rows, columns)."""
    difference = prediction - source
    rows, columns = (max((side - BLOCK) // STEP + 1, 0) for side in difference.shape)
    whole = np.zeros((rows * STEP, columns * STEP), np.float32)
    part = difference[: rows * STEP, : columns * STEP]
    whole[: part.shape[0], : part.shape[1]] = part
    blocks = whole.reshape(rows, STEP, columns, STEP)[:, :BLOCK, :, :BLOCK]
    return np.asarray((blocks * blocks).mean(axis=(1, 3)))


def costs(squared_errors: npt.NDArray[np.float32]) -> float:
    """About what blocks with such errors cost: twice the bits of a sample."""
    return float(np.log2(1 + squared_errors / NOISE).sum())
