"""Encoder only: one vector for each window of luma, which is a block, or the surroundings of a mesh node."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel, Speed
from codec.motion.field import MAX_VECTOR_QUARTER_PEL, MotionField, Vectors, grid_shape
from codec.motion.half_planes import HalfPlanes, Layout, half_planes
from codec.motion.median import median_prediction
from codec.motion.quarter_planes import Pair, moved_sse, pair_of
from codec.picture.edges import extended
from codec.picture.planes import Plane
from codec.vector_kernels import address, rectangle_sse

__all__ = ["Searched", "Windows", "block_windows", "match_windows", "search_blocks", "search_windows", "shrink"]

LAMBDA = 0.25  # × the mean squared error so far: what a bit of a vector may cost; at 1.4 files grow by 0.2…4 %
LEAST_LAMBDA = 1.0  # the same for a match without error
FIRST_STEP = {Speed.SLOW: 32, Speed.MEDIUM: 32, Speed.FAST: 4}  # quarter samples; 4 loses up to 0.26 dB
LATER_STEP = 4
AROUND = ((0, 0), (0, -1), (-1, 0), (-1, 1), (0, 1), (1, 0))  # (down, right) of windows whose vectors are tried
NO_BOUND = 1 << 30  # more than any sum of squared errors
EXP_GOLOMB_BITS = np.array(  # by magnitude; no two vectors are further apart
    [2 * (2 * n + 1).bit_length() - 1 for n in range(2 * MAX_VECTOR_QUARTER_PEL + 1)], np.int8
)


class Searched(NamedTuple):
    """What a search works on.

    ``source`` is luma (H, W) of the picture to predict, ``reference`` of the decoded one before it.
    ``halves`` are the reference's; ``limit_quarter_pel`` bounds both components.
    ``before`` is the field of the picture before, or None.
    """

    source: Plane
    reference: Plane
    halves: HalfPlanes
    limit_quarter_pel: int
    speed: Speed
    before: MotionField | None

    @classmethod
    def of(cls, source: Plane, reference: Plane, search_range: int, speed: Speed) -> Searched:
        """A search of its own, with half samples made for it; ``search_range`` is in full samples."""
        return cls(source, reference, half_planes(reference), 4 * search_range, speed, None)


class Windows(NamedTuple):
    """A grid of windows of one size, each cut to the picture."""

    tops: npt.NDArray[np.int64]
    lefts: npt.NDArray[np.int64]
    size: int


def block_windows(height: int, width: int, size: int) -> Windows:
    """The windows that are blocks."""
    rows, columns = grid_shape(MotionModel.BLOCK, size, width, height)
    return Windows(np.arange(rows) * size, np.arange(columns) * size, size)


def search_blocks(searched: Searched, cell_size: int) -> MotionField:
    """The vectors of a block field."""
    height, width = searched.source.shape
    windows = block_windows(height, width, cell_size)
    before = searched.before.vectors_quarter_pel if searched.before is not None else None
    return MotionField(MotionModel.BLOCK, cell_size, search_windows(searched, windows, before))


def search_windows(searched: Searched, windows: Windows, before: Vectors | None) -> Vectors:
    """A vector for each window, int16 (tops, lefts, 2) in quarter samples.

    Each starts from a full search for ``slow``, from a search of pictures a quarter the size for ``medium``,
    from the picture before for ``fast``.
    The best of that, no motion, the neighbours' vectors, and that of the picture before goes downhill in steps from
    eight samples, for ``fast`` from one, to a quarter.
    What counts is squared error + λ · bits of the difference from the median.
    """
    if before is None or before.shape != (len(windows.tops), len(windows.lefts), 2):
        before = np.zeros((len(windows.tops), len(windows.lefts), 2), np.int16)
    search_range = searched.limit_quarter_pel // 4
    if searched.speed is Speed.SLOW:
        vectors = match_windows(searched.source, searched.reference, windows, search_range)
    elif searched.speed is Speed.MEDIUM and min(searched.source.shape) >= 4 * windows.size:
        vectors = _match_small(searched, windows, search_range)
    else:
        vectors = before.copy()
    descend_windows(
        np.ascontiguousarray(searched.source),
        *searched.halves,
        windows,
        before,
        searched.limit_quarter_pel,
        FIRST_STEP[searched.speed],
        1 if searched.speed is Speed.FAST else 2,
        vectors,
    )
    return vectors


def _match_small(searched: Searched, windows: Windows, search_range: int) -> Vectors:
    """Full search on pictures a quarter the size, so that large motion is found.

    With windows as large as the real ones: twice as large they are surer on their own, but 0.1 dB worse in all.
    """
    source, reference = shrink(searched.source), shrink(searched.reference)
    size = max(windows.size // 4, 4)
    around = (windows.size // 4 - size) // 2
    small = Windows(
        np.minimum(windows.tops // 4 + around, source.shape[0] - 1),
        np.minimum(windows.lefts // 4 + around, source.shape[1] - 1),
        size,
    )
    vectors = match_windows(source, reference, small, -(-search_range // 4))
    limit = searched.limit_quarter_pel
    return np.clip(4 * vectors.astype(np.int32), -limit, limit).astype(np.int16)


def shrink(plane: Plane) -> Plane:
    """Means of 4 × 4 samples; what is left over at right and bottom is dropped."""
    small = np.empty((plane.shape[0] // 4, plane.shape[1] // 4), np.uint8)
    fill_shrunk(plane, small)
    return small


@kernel
def fill_shrunk(plane: Plane, small: Plane) -> None:
    """The loops of `shrink`."""
    for row in range(small.shape[0]):
        for column in range(small.shape[1]):
            total = np.int32(8)
            for j in range(4):
                for i in range(4):
                    total += np.int32(plane[4 * row + j, 4 * column + i])
            small[row, column] = total >> 4


def match_windows(source: Plane, reference: Plane, windows: Windows, search_range: int) -> Vectors:
    """Full search in full samples: the least squared error, ties to the shortest vector.

    Returns quarter-pel int16 (tops, lefts, 2).
    The reference goes on beyond its edges with its outermost samples.
    """
    padded = extended(reference, (search_range, search_range), (search_range, search_range))
    vectors = np.zeros((len(windows.tops), len(windows.lefts), 2), np.int16)
    offsets = _shortest_first(search_range)
    match_windows_kernel(np.ascontiguousarray(source), padded, windows, search_range, offsets, vectors)
    return vectors


@functools.lru_cache(maxsize=2)  # a few KB, but with the largest range 34 MB
def _shortest_first(search_range: int) -> npt.NDArray[np.int32]:
    """All (dy, dx) within the range, shortest first, so that the first of equals is the nearest."""
    axis = np.arange(-search_range, search_range + 1, dtype=np.int32)
    dy, dx = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    order = np.lexsort((dx, dy, dy * dy + dx * dx))
    return np.stack([dy[order], dx[order]], axis=1)


@kernel
def window_rectangle(
    shape: tuple[int, int], windows: Windows, row: Integer, column: Integer
) -> tuple[Integer, Integer, Integer, Integer]:
    """(top, left, rows, columns) of a window, cut to a picture of ``shape``."""
    first_row: Integer = windows.tops[row]
    first_column: Integer = windows.lefts[column]
    top, left = max(first_row, 0), max(first_column, 0)
    return top, left, min(first_row + windows.size, shape[0]) - top, min(first_column + windows.size, shape[1]) - left


@kernel
def match_windows_kernel(
    source: Plane,
    padded: Plane,
    windows: Windows,
    search_range: Integer,
    offsets: npt.NDArray[np.int32],
    vectors: Vectors,
) -> None:
    """Try every offset for every window; ``offsets`` come shortest first; ``padded`` goes on by ``search_range``."""
    width, stride = source.shape[1], padded.shape[1]
    for row in range(windows.tops.size):
        for column in range(windows.lefts.size):
            top, left, rows, columns = window_rectangle(source.shape, windows, row, column)
            here = address(source) + top * width + left
            there = address(padded) + (top + search_range) * stride + left + search_range
            best: Integer = NO_BOUND
            for k in range(offsets.shape[0]):
                moved = there + offsets[k, 0] * stride + offsets[k, 1]
                error = rectangle_sse(here, width, moved, moved, stride, rows, columns, best)
                if error < best:
                    best = error
                    vectors[row, column, 0] = 4 * offsets[k, 0]
                    vectors[row, column, 1] = 4 * offsets[k, 1]
                    if error == 0:
                        break


@kernel
def vector_bits(difference_y: Integer, difference_x: Integer) -> Integer:
    """Length of both in an Exp-Golomb code, which follows the real cost of a difference well enough."""
    return EXP_GOLOMB_BITS[abs(difference_y)] + EXP_GOLOMB_BITS[abs(difference_x)]


class Aim(NamedTuple):
    """What judges the vector of a window: its (top, left, rows, columns), the vector's prediction, λ, and a limit."""

    window: tuple[int, int, int, int]
    median: tuple[Integer, Integer]
    rate_weight: float
    limit: int


class Match(NamedTuple):
    """A vector and its cost: squared error + λ · bits."""

    cost: float
    dy: Integer
    dx: Integer


@kernel
def better_match(pair: Pair, aim: Aim, best: Match, dy: Integer, dx: Integer) -> Match:
    """The vector (dy, dx) if it is allowed and costs less than ``best``, which otherwise stays."""
    if abs(dy) > aim.limit or abs(dx) > aim.limit or (dy == best.dy and dx == best.dx):
        return best
    rate = aim.rate_weight * vector_bits(dy - aim.median[0], dx - aim.median[1])
    if rate >= best.cost:
        return best
    cost = rate + moved_sse(pair, aim.window, dy, dx, np.int64(best.cost - rate) + 1)
    return Match(cost, dy, dx) if cost < best.cost else best


@kernel
def best_candidate(pair: Pair, aim: Aim, before: Vectors, vectors: Vectors, row: Integer, column: Integer) -> Match:
    """The best of no motion, the median, the vector of the picture before, and what ``vectors`` has here and around.

    There it has starts, results of this sweep, or of the sweep before.
    """
    zero, (median_y, median_x) = np.int64(0), aim.median
    cost = moved_sse(pair, aim.window, zero, zero, NO_BOUND) + aim.rate_weight * vector_bits(median_y, median_x)
    best = Match(cost, zero, zero)
    best = better_match(pair, aim, best, np.int64(median_y), np.int64(median_x))
    best = better_match(pair, aim, best, np.int64(before[row, column, 0]), np.int64(before[row, column, 1]))
    for down, right in AROUND:
        j, i = row + down, column + right
        if 0 <= j < vectors.shape[0] and 0 <= i < vectors.shape[1]:
            best = better_match(pair, aim, best, np.int64(vectors[j, i, 0]), np.int64(vectors[j, i, 1]))
    return best


@kernel
def go_downhill(pair: Pair, aim: Aim, best: Match, step: Integer, diamond: bool) -> Match:
    """To the best vector around, while that gets better, with ``step`` and then with half of it, to 1.

    Eight are around, or the four of a diamond; the one that was left is not tried again.
    """
    left = 4  # number of that one, where rows of three are counted through; 4 is the centre
    while step >= 1:
        centre = best
        for k in range(1, 9, 2) if diamond else range(0, 9, 1):
            if k != left:
                best = better_match(pair, aim, best, centre.dy + step * (k // 3 - 1), centre.dx + step * (k % 3 - 1))
        if best.dy == centre.dy and best.dx == centre.dx:
            step >>= 1
            left = 4
        else:
            left = 4 - 3 * ((best.dy - centre.dy) // step) - (best.dx - centre.dx) // step
    return best


@kernel
def descend_windows(
    source: Plane,
    halves: Plane,
    layout: Layout,
    windows: Windows,
    before: Vectors,
    limit: Integer,
    first_step: Integer,
    sweeps: Integer,
    vectors: Vectors,
) -> None:
    """Improve ``vectors``: the best candidate of each window, then downhill; later only what has a new candidate.

    λ follows the mean squared error of the windows so far.
    """
    pair = pair_of(source, halves, halves, layout)
    error_so_far, samples_so_far = 0.0, 0
    for sweep in range(sweeps):
        for row in range(windows.tops.size):
            for column in range(windows.lefts.size):
                window = window_rectangle(source.shape, windows, row, column)
                median = (median_prediction(vectors, row, column, 0), median_prediction(vectors, row, column, 1))
                rate_weight = max(LEAST_LAMBDA, LAMBDA * error_so_far / max(samples_so_far, 1))
                aim = Aim(window, median, rate_weight, limit)
                best = best_candidate(pair, aim, before, vectors, row, column)
                if sweep == 0:
                    best = go_downhill(pair, aim, best, first_step, sweeps == 1)
                    error_so_far += best.cost
                    samples_so_far += window[2] * window[3]
                elif best.dy != vectors[row, column, 0] or best.dx != vectors[row, column, 1]:
                    best = go_downhill(pair, aim, best, LATER_STEP, False)
                vectors[row, column, 0] = best.dy
                vectors[row, column, 1] = best.dx
