"""Encoder only: one vector for each window of luma, which is a block, or the surroundings of a mesh node."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import MotionModel, Speed
from codec.motion.field import MotionField, Vectors, grid_shape
from codec.motion.median import median_prediction
from codec.motion.quarter_planes import Layout, QuarterPlanes, moved_offset, quarter_planes
from codec.motion.vector_rows import rectangle_sad, rectangle_sse
from codec.picture.planes import Plane

__all__ = ["Searched", "Windows", "block_windows", "match_windows", "search_blocks", "search_windows", "shrink"]

LAMBDA = 0.25  # × the mean squared error so far: what a bit of a vector may cost; at 1.4 files grow by 0.2…4 %
LEAST_LAMBDA = 1.0  # the same for a match without error


class Searched(NamedTuple):
    """What a search works on.

    ``source`` is luma (H, W) of the picture to predict, ``reference`` of the decoded one before it.
    ``limit_quarter_pel`` bounds both components; ``before`` is the field of the picture before, or None.
    """

    source: Plane
    reference: Plane
    planes: QuarterPlanes
    limit_quarter_pel: int
    speed: Speed
    before: MotionField | None

    @classmethod
    def of(
        cls, source: Plane, reference: Plane, search_range: int, speed: Speed, before: MotionField | None = None
    ) -> Searched:
        """Make the quarter planes; ``search_range`` is in full samples."""
        planes = quarter_planes(reference, search_range + 1)
        return cls(source, reference, planes, 4 * search_range, speed, before)


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

    Candidates are no motion, the neighbours' vectors, the window's own in the picture before, and a start:
    full search for ``slow``, a search of pictures a quarter the size for ``medium``.
    The best goes downhill in steps from four samples to a quarter.
    What counts is squared error + λ · bits of the difference from the median.
    """
    rows, columns = len(windows.tops), len(windows.lefts)
    starts = np.zeros((2, rows, columns, 2), np.int16)
    if before is not None and before.shape == starts.shape[1:]:
        starts[0] = before
    search_range = searched.limit_quarter_pel // 4
    if searched.speed is Speed.SLOW:
        starts[1] = match_windows(searched.source, searched.reference, windows, search_range)
    elif searched.speed is Speed.MEDIUM and min(searched.source.shape) >= 4 * windows.size:
        starts[1] = _match_small(searched, windows, search_range)
    sweeps = 1 if searched.speed is Speed.FAST else 2
    vectors = np.zeros((rows, columns, 2), np.int16)
    descend_windows(
        searched.source.reshape(-1),
        searched.source.shape,
        searched.planes.samples,
        searched.planes.layout,
        windows,
        starts,
        searched.limit_quarter_pel,
        sweeps,
        vectors,
    )
    return vectors


def _match_small(searched: Searched, windows: Windows, search_range: int) -> Vectors:
    """Full search on pictures a quarter the size, with windows twice as large, so that large motion is found."""
    source, reference = shrink(searched.source), shrink(searched.reference)
    size = max(windows.size // 2, 4)
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
    """Full search in full samples: the least sum of absolute differences, ties to the shortest vector.

    Returns quarter-pel int16 (tops, lefts, 2).
    The reference goes on beyond its edges with its outermost samples.
    """
    padded = np.pad(reference, search_range, mode="edge")
    vectors = np.zeros((len(windows.tops), len(windows.lefts), 2), np.int16)
    offsets = _shortest_first(search_range)
    match_windows_kernel(
        np.ascontiguousarray(source).reshape(-1),
        source.shape,
        padded.reshape(-1),
        padded.shape[1],
        windows,
        search_range,
        offsets,
        vectors,
    )
    return vectors


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
    shape: tuple[int, int],
    padded: Plane,
    padded_stride: Integer,
    windows: Windows,
    search_range: Integer,
    offsets: npt.NDArray[np.int32],
    vectors: Vectors,
) -> None:
    """Try every offset for every window; ``offsets`` come shortest first; ``source`` and ``padded`` are flat."""
    width = shape[1]
    for row in range(windows.tops.size):
        for column in range(windows.lefts.size):
            top, left, rows, columns = window_rectangle(shape, windows, row, column)
            best: Integer = np.int32(0x7FFFFFFF)
            for k in range(offsets.shape[0]):
                y, x = top + search_range + offsets[k, 0], left + search_range + offsets[k, 1]
                sad = rectangle_sad(
                    source, top * width + left, width, padded, y * padded_stride + x, padded_stride, rows, columns, best
                )
                if sad < best:
                    best = sad
                    vectors[row, column, 0] = 4 * offsets[k, 0]
                    vectors[row, column, 1] = 4 * offsets[k, 1]
                    if sad == 0:
                        break


@kernel
def exp_golomb_bits(value: Integer) -> Integer:
    """Length of a signed number in an Exp-Golomb code, which follows the real cost of a difference well enough."""
    bits = 1
    rest = 2 * abs(value) + 1
    while rest > 1:
        rest >>= 1
        bits += 2
    return bits


@kernel
def try_window(
    source: Plane,
    shape: tuple[int, int],
    planes: Plane,
    layout: Layout,
    window: tuple[int, int, int, int],
    median: tuple[int, int],
    dy: Integer,
    dx: Integer,
    rate_weight: float,
) -> Any:
    """Squared error + λ · bits of one vector for one window (top, left, rows, columns)."""
    top, left, rows, columns = window
    width = shape[1]
    error = rectangle_sse(
        source, top * width + left, width, planes, moved_offset(layout, top, left, dy, dx), layout[1], rows, columns
    )
    return error + rate_weight * (exp_golomb_bits(dy - median[0]) + exp_golomb_bits(dx - median[1]))


@kernel
def descend_windows(
    source: Plane,
    shape: tuple[int, int],
    planes: Plane,
    layout: Layout,
    windows: Windows,
    starts: npt.NDArray[np.int16],
    limit: Integer,
    sweeps: Integer,
    vectors: Vectors,
) -> None:
    """Fill ``vectors``: the best candidate of each window, then downhill; in a second sweep all neighbours are known.

    λ follows the mean squared error of the windows so far.
    """
    error_so_far, samples_so_far = 0.0, 0
    for sweep in range(sweeps):
        for row in range(windows.tops.size):
            for column in range(windows.lefts.size):
                window = window_rectangle(shape, windows, row, column)
                median = (
                    median_prediction(vectors, row, column, 0),
                    median_prediction(vectors, row, column, 1),
                )
                rate_weight = max(LEAST_LAMBDA, LAMBDA * error_so_far / max(samples_so_far, 1))
                best_y, best_x = np.int32(0), np.int32(0)
                best = try_window(source, shape, planes, layout, window, median, best_y, best_x, rate_weight)
                for k in range(8):
                    if k == 0 and sweep > 0:
                        dy, dx = np.int32(vectors[row, column, 0]), np.int32(vectors[row, column, 1])
                    elif k < 2:
                        dy, dx = np.int32(starts[k, row, column, 0]), np.int32(starts[k, row, column, 1])
                    elif k == 2:
                        dy, dx = np.int32(median[0]), np.int32(median[1])
                    else:  # left, above, above right; right and below from the sweep before
                        j = row - (k == 4) - (k == 5) + (k == 7)
                        i = column - (k == 3) + (k == 5) + (k == 6)
                        if j < 0 or i < 0 or i >= vectors.shape[1] or j >= vectors.shape[0]:
                            continue
                        if sweep == 0 and k >= 6:
                            continue
                        dy, dx = np.int32(vectors[j, i, 0]), np.int32(vectors[j, i, 1])
                    dy, dx = min(max(dy, -limit), limit), min(max(dx, -limit), limit)
                    if dy == best_y and dx == best_x:
                        continue
                    cost = try_window(source, shape, planes, layout, window, median, dy, dx, rate_weight)
                    if cost < best:
                        best, best_y, best_x = cost, dy, dx
                step = 32  # eight samples
                if sweep > 0:  # only what a new candidate has moved goes downhill once more
                    step = 4 if best_y != vectors[row, column, 0] or best_x != vectors[row, column, 1] else 0
                while step >= 1:
                    centre_y, centre_x = best_y, best_x
                    for k in range(9):
                        dy, dx = centre_y + step * (k // 3 - 1), centre_x + step * (k % 3 - 1)
                        if k == 4 or abs(dy) > limit or abs(dx) > limit:
                            continue
                        cost = try_window(source, shape, planes, layout, window, median, dy, dx, rate_weight)
                        if cost < best:
                            best, best_y, best_x = cost, dy, dx
                    if (best_y == centre_y and best_x == centre_x) or step < 4:
                        step >>= 1
                vectors[row, column, 0] = best_y
                vectors[row, column, 1] = best_x
                if sweep == 0:
                    error_so_far += best
                    samples_so_far += window[2] * window[3]
