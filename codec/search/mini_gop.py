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
BLOCK, STEP = 16, 32  # every other block is looked at, across and down
NOISE = 4.0  # squared error of a sample, which costs nothing
# Of what pictures in their own order cost: natural clips reach 0.86…1.26, and take 0…28 % less with B pictures; a
# texture that turns by 1.2° a picture reaches 1.47 and takes 39 % more, a terminal 1.9
WORTH, WORTH_WITH_MESH = 1.35, 1.1  # where a mesh helps it does so from the picture before


def choose_mini_gop(pictures: Sequence[Picture], search_range: int, has_mesh: bool) -> int:
    """8, or 1 where a picture is so unlike those far from it that B pictures would not make up for that.

    One picture says that for all, by the logarithms of its errors after motion compensation from the sources around.
    """
    middle = min(len(pictures) // 2, MINI_GOP)
    if len(pictures) < 3 or looks_like_screen(luma(pictures[0])):
        return 1
    wanted, last = luma(pictures[middle]), len(pictures) - 1
    source, _ = searched_planes(wanted, wanted)
    before, both = {}, {}
    for distance in (1, 2, 4, 8):
        first = predicted(wanted, luma(pictures[max(middle - distance, 0)]), search_range)
        before[distance] = errors(source, first)
        if distance < MINI_GOP:
            second = predicted(wanted, luma(pictures[min(middle + distance, last)]), search_range)
            ways = before[distance], errors(source, second), errors(source, 0.5 * (first + second))
            both[distance] = np.minimum.reduce(ways)
    cost = {distance: costs(of) for distance, of in before.items()}
    reordered = (cost[8] + costs(both[4]) + 2 * costs(both[2]) + 4 * costs(both[1])) / MINI_GOP
    worth = WORTH_WITH_MESH if has_mesh else WORTH
    return MINI_GOP if reordered <= worth * cost[1] else 1


def predicted(wanted: Plane, reference: Plane, search_range: int) -> npt.NDArray[np.float32]:
    """Luma (H, W) as motion makes it of another source; blocks of 16 move as their upper left ones of 32 do."""
    height, width = wanted.shape
    tops, lefts = (np.arange(0, side, STEP, dtype=np.int32) for side in (height, width))
    searched = Searched.of(*searched_planes(wanted, reference), search_range, Speed.MEDIUM)
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
