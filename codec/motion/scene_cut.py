"""Encoder only: whether a picture has so little to do with the one before that an I picture serves better."""

from __future__ import annotations

import numpy as np

from codec.motion.block_search import Windows, match_windows, shrink
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
    y = (tops[:, None] + np.arange(CELL))[:, None, :, None]  # (rows, columns, CELL, CELL) of the blocks looked at
    x = (lefts[:, None] + np.arange(CELL))[None, :, None, :]
    blocks = small[y, x].astype(np.float64)
    intra = np.abs(blocks - blocks.mean(axis=(2, 3), keepdims=True)).mean()
    most = max(SHARE * intra, LEAST_ERROR)
    if np.abs(blocks - small_before[y, x]).mean() <= most:
        return False  # near enough without any motion, which spares the search
    vectors = match_windows(small, small_before, Windows(tops, lefts, CELL), SEARCH).astype(np.int64) // 4
    y = np.clip(y + vectors[:, :, 0, None, None], 0, small_before.shape[0] - 1)
    x = np.clip(x + vectors[:, :, 1, None, None], 0, small_before.shape[1] - 1)
    return bool(np.abs(blocks - small_before[y, x]).mean() > most)
