"""How well sources would predict each other: what tells that before anything is coded."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.models import MotionModel, Speed
from codec.motion.compensation import ReferencePlane
from codec.motion.field import SHARP, MotionField
from codec.motion.tables import HALF_TAPS
from codec.picture.planes import Plane, Subsampling
from codec.search.motion import Searched, Windows, search_windows, searched_planes

__all__ = ["block_count", "prediction_cost"]

SEARCH_RANGE = 32  # also where more is searched later: what moves further gains less in any case
BLOCK, STEP = 16, 32  # every other block is looked at, across and down
NOISE = 4.0  # squared error of a sample, which costs nothing


def prediction_cost(wanted: Plane, references: Sequence[Plane]) -> float:
    """About what luma (H, W) costs that motion predicts from others, or from the mean of two: twice bits a sample."""
    ways = [predicted(wanted, reference) for reference in references]
    source, _ = searched_planes(wanted, wanted)
    mean = np.asarray(np.mean(ways, axis=0), np.float32)
    least = np.minimum.reduce([errors(source, way) for way in (*ways, mean)])
    return float(np.log2(1 + least / NOISE).sum())


def block_count(plane: Plane) -> int:
    """How many blocks `prediction_cost` looks at."""
    return math.prod(block_grid(plane.shape))


def block_grid(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Rows and columns of the blocks that are looked at and are whole."""
    return tuple(max((side - BLOCK) // STEP + 1, 0) for side in shape)


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
    rows, columns = block_grid(difference.shape)
    whole = np.zeros((rows * STEP, columns * STEP), np.float32)
    part = difference[: rows * STEP, : columns * STEP]
    whole[: part.shape[0], : part.shape[1]] = part
    blocks = whole.reshape(rows, STEP, columns, STEP)[:, :BLOCK, :, :BLOCK]
    return np.asarray((blocks * blocks).mean(axis=(1, 3)))
