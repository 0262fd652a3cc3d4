"""Prediction from the samples around a block (spec 8.6.5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dct.tables import ANGLES
from codec.kernels import Integer, inner_kernel
from codec.picture.planes import Plane
from codec.search.numba_dct.neighbours import Cells, is_decoded

__all__ = ["EDGE", "Line", "edge_of", "is_across", "predict_tile", "put_tile", "smooth"]

Line = npt.NDArray[np.int32]
EDGE = 4 * 32 + 1  # samples of the longest edge
NO_SAMPLE = 128


@inner_kernel
def edge_of(
    samples: Plane,
    origin: Integer,
    stride: Integer,
    cells: Cells,
    y: Integer,
    x: Integer,
    side: Integer,
    down: Integer,
    right: Integer,
    edge: Line,
) -> None:
    """Fill ``edge`` with the 4 · side + 1 samples around a block: from the lower left up, the corner, to the right.

    (y, x) counts samples of the plane, which begins at ``origin`` and is subsampled by ``down`` and ``right``.
    What is not decoded yet goes on from the sample before it; in front of the first that is, from that one.
    """
    here_row, here_column = (y << down) >> 2, (x << right) >> 2
    tall, wide = 4 >> down, 4 >> right
    found = -1
    for i in range(0, 2 * side, tall):
        bottom = y + 2 * side - 1 - i
        known = is_decoded(cells, (bottom << down) >> 2, here_column - 1, here_row, here_column)
        if known and found < 0:
            found = i
        for k in range(tall):
            if known:
                edge[i + k] = samples[origin + (bottom - k) * stride + x - 1]
            elif found >= 0:
                edge[i + k] = edge[i + k - 1]
    corner = 2 * side
    if y > 0 and x > 0:
        edge[corner] = samples[origin + (y - 1) * stride + x - 1]
        if found < 0:
            found = corner
    elif found >= 0:
        edge[corner] = edge[corner - 1]
    for i in range(0, 2 * side, wide):
        known = is_decoded(cells, here_row - 1, ((x + i) << right) >> 2, here_row, here_column)
        if known and found < 0:
            found = corner + 1 + i
        for k in range(wide):
            if known:
                edge[corner + 1 + i + k] = samples[origin + (y - 1) * stride + x + i + k]
            elif found >= 0:
                edge[corner + 1 + i + k] = edge[corner + i + k]
    if found < 0:
        edge[: 4 * side + 1] = NO_SAMPLE
    else:
        edge[:found] = edge[found]


@inner_kernel
def smooth(edge: Line, side: Integer, smoothed: Line) -> None:
    """The edge, filtered [1 2 1] but at its ends."""
    end = 4 * side
    smoothed[0], smoothed[end] = edge[0], edge[end]
    for i in range(1, end):
        smoothed[i] = (edge[i - 1] + 2 * edge[i] + edge[i + 1] + 2) >> 2


@inner_kernel
def wants_smooth(mode: Integer, side: Integer) -> Integer:
    """Whether a luma block is predicted from the smoothed edge."""
    if side < 8 or mode == 1:
        return False
    distance = min(abs(mode - 26), abs(mode - 10))
    return mode == 0 or distance > (7 if side == 8 else 1 if side == 16 else 0)


@inner_kernel
def is_across(mode: Integer) -> Integer:
    """Whether `predict_tile` exchanges rows and columns in this mode."""
    return 2 <= mode < 18


@inner_kernel
def predict_tile(
    edge: Line, smoothed: Line, mode: Integer, side: Integer, is_luma: bool, line: Line, tile: Plane
) -> None:
    """Fill ``tile``, (≥ side, ≥ side), with the prediction of a block; with its transpose where `is_across`.

    ``line`` is room for 160 numbers.
    """
    source = smoothed if is_luma and wants_smooth(mode, side) else edge
    corner = 2 * side
    log2 = 2 if side == 4 else 3 if side == 8 else 4 if side == 16 else 5
    if mode == 0:
        to_right, to_below = np.int32(source[corner + 1 + side]), np.int32(source[corner - 1 - side])
        above = source[corner + 1 : corner + 1 + side]
        for j in range(side):
            left = np.int32(source[corner - 1 - j])
            rest = np.int32((j + 1) * to_below + side)
            row = tile[j]
            for i in range(side):
                across = np.int32(np.int32((side - 1 - i) * left) + np.int32((i + 1) * to_right))
                row[i] = np.int32(across + np.int32(np.int32(side - 1 - j) * above[i]) + rest) >> (log2 + 1)
    elif mode == 1:
        total = side
        for i in range(side):
            total += source[corner - 1 - i] + source[corner + 1 + i]
        for j in range(side):
            tile[j, :side] = total >> (log2 + 1)
    else:
        angle = np.int64(ANGLES[mode])
        step = 1 if mode >= 18 else -1
        middle = 64
        for i in range(2 * side + 1):
            line[middle + i] = source[corner + step * i]
        if angle < 0:
            inverse = (8192 + (-angle >> 1)) // -angle
            for i in range(-1, (side * angle) >> 5, -1):
                line[middle + i] = source[corner - step * ((-i * inverse + 128) >> 8)]
        for j in range(side):
            place = middle + 1 + (((j + 1) * angle) >> 5)
            share = np.int32(((j + 1) * angle) & 31)
            near, far, row = line[place : place + side], line[place + 1 : place + 1 + side], tile[j]
            for i in range(side):
                row[i] = np.int32(np.int32(np.int32(32 - share) * near[i]) + np.int32(share * far[i]) + 16) >> 5


@inner_kernel
def put_tile(tile: Plane, transposed: bool, side: Integer, samples: Plane, origin: Integer, stride: Integer) -> None:
    """Copy a tile, or its transpose, to the block at ``origin``."""
    for j in range(side):
        row = samples[origin + j * stride : origin + j * stride + side]
        if transposed:
            for i in range(side):
                row[i] = tile[i, j]
        else:
            for i in range(side):
                row[i] = tile[j, i]
