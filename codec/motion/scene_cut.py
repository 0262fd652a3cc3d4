"""Encoder only: whether a picture has so little to do with the one before that an I picture serves better."""

from __future__ import annotations

import numpy as np

from codec.kernels import kernel
from codec.motion.block_search import Windows, match_windows, shrink
from codec.motion.field import Vectors
from codec.picture.planes import Plane

__all__ = ["is_scene_cut"]

CELL = 8  # samples of the small pictures, 32 of the real ones
SEARCH = 6  # 24 of the real ones
SHARE = 0.65  # of the error against means: pictures of one scene reach 0.05…0.42, cuts begin at 0.77
LEAST_ERROR = 4.0  # mean absolute error, samples; below it even flat pictures are predicted well enough


def is_scene_cut(source: Plane, before: Plane) -> bool:
    """Whether blocks of luma ``source`` are hardly nearer to their best matches in ``before`` than to their means.

    Looked at a quarter of the size, so that fine texture, which no search matches, does not count; and at every
    other block across and down, which says the same.
    """
    if min(source.shape) < 4 * CELL:
        return False
    small, small_before = shrink(source), shrink(before)
    tops = np.arange(0, small.shape[0] - CELL + 1, 2 * CELL)
    lefts = np.arange(0, small.shape[1] - CELL + 1, 2 * CELL)
    still = np.zeros((len(tops), len(lefts), 2), np.int16)
    intra, inter = block_errors(small, small_before, still)
    most = max(SHARE * intra, LEAST_ERROR)
    if inter <= most:
        return False  # near enough without any motion, which spares the search
    vectors = match_windows(small, small_before, Windows(tops, lefts, CELL), SEARCH)
    return bool(block_errors(small, small_before, vectors)[1] > most)


@kernel
def block_errors(small: Plane, before: Plane, vectors: Vectors) -> tuple[float, float]:
    """Mean absolute errors of every other block, across and down: against its mean, and against where vectors lead.

    ``vectors`` are in quarter samples, and lead to full ones.
    """
    intra, inter = np.int64(0), np.int64(0)
    for row in range(vectors.shape[0]):
        for column in range(vectors.shape[1]):
            top, left = 2 * CELL * row, 2 * CELL * column
            dy, dx = np.int64(vectors[row, column, 0]) // 4, np.int64(vectors[row, column, 1]) // 4
            total = np.int64(0)
            for y in range(top, top + CELL):
                for x in range(left, left + CELL):
                    total += np.int64(small[y, x])
            for y in range(top, top + CELL):
                for x in range(left, left + CELL):
                    sample = np.int64(small[y, x])
                    j, i = min(max(y + dy, 0), before.shape[0] - 1), min(max(x + dx, 0), before.shape[1] - 1)
                    intra += abs(CELL * CELL * sample - total)
                    inter += abs(sample - np.int64(before[j, i]))
    samples = vectors.shape[0] * vectors.shape[1] * CELL * CELL
    return intra / (CELL * CELL * samples), inter / samples
