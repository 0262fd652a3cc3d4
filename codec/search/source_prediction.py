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

__all__ = ["block_count", "cost_of_predictions", "predicted_blocks", "prediction_cost"]

SEARCH_RANGE = 32  # also where more is searched later: what moves further gains less in any case
BLOCK, STEP = 16, 32  # every other block is looked at, across and down
LARGE = 1 << 20  # samples of a picture of which every fourth block tells as much
NOISE = 4.0  # squared error of a sample, which costs nothing

Blocks = npt.NDArray[np.uint8]


def prediction_cost(wanted: Plane, references: Sequence[Plane]) -> float:
    """About what luma (H, W) costs that motion predicts from others, or from the mean of two: twice bits a sample."""
    return cost_of_predictions(wanted, [predicted_blocks(wanted, reference) for reference in references], NOISE)


def cost_of_predictions(wanted: Plane, ways: Sequence[Blocks], noise: float) -> float:
    """The same by what `predicted_blocks` gives; a squared error up to ``noise`` of a sample costs next to nothing."""
    source = blocks_of(searched_planes(wanted, wanted)[0]).astype(np.float32)
    predictions: list[npt.NDArray[np.float32]] = [way.astype(np.float32) for way in ways]
    predictions.append(np.asarray(np.mean(predictions, axis=0), np.float32))
    least = np.minimum.reduce([np.square(prediction - source).mean(axis=(2, 3)) for prediction in predictions])
    return float(np.log2(1 + least / noise).sum())


def predicted_blocks(wanted: Plane, reference: Plane) -> Blocks:
    """The blocks of luma (H, W) that are looked at, as motion makes them of another source."""
    step = step_of(wanted.shape)
    tops, lefts = (np.arange(0, side, step, dtype=np.int32) for side in wanted.shape)
    searched = Searched.of(*searched_planes(wanted, reference), SEARCH_RANGE, Speed.MEDIUM)
    found = search_windows(searched, Windows(tops, lefts, BLOCK), None)
    vectors = np.zeros((*(-(-side // STEP) for side in wanted.shape), 2), np.int16)
    vectors[:: step // STEP, :: step // STEP] = found
    plane = ReferencePlane(searched.plane, Subsampling(0, 0), HALF_TAPS[SHARP])
    return blocks_of(plane.predict(MotionField(MotionModel.BLOCK, STEP, vectors)))


def block_count(plane: Plane) -> int:
    """How many blocks are looked at."""
    return math.prod(block_grid(plane.shape))


def blocks_of(plane: Plane) -> Blocks:
    """Those of a plane, (rows, columns, 16, 16)."""
    step, grid = step_of(plane.shape), block_grid(plane.shape)
    y, x = (step * np.arange(count)[:, None] + np.arange(BLOCK) for count in grid)
    return np.asarray(plane[y[:, None, :, None], x[None, :, None, :]])


def block_grid(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Rows and columns of the blocks that are looked at and are whole."""
    step = step_of(shape)
    return tuple(max((side - BLOCK) // step + 1, 0) for side in shape)


def step_of(shape: tuple[int, ...]) -> int:
    """How far each is from the next in a plane of that shape."""
    return STEP if math.prod(shape) < LARGE else 2 * STEP
