"""Encoder only: whether a picture has so little to do with the one before that an I picture serves better."""

from __future__ import annotations

import numpy as np

from codec.motion.block_search import block_windows, match_windows, shrink
from codec.picture.planes import Plane

__all__ = ["is_scene_cut"]

CELL = 8  # samples of the small pictures, 32 of the real ones
SEARCH = 6  # 24 of the real ones
SHARE = 0.65  # of the error against means: pictures of one scene reach 0.05…0.42, cuts begin at 0.77
LEAST_ERROR = 4.0  # mean absolute error, samples; below it even flat pictures are predicted well enough


def is_scene_cut(source: Plane, before: Plane) -> bool:
    """Whether blocks of luma ``source`` are hardly nearer to their best matches in ``before`` than to their means.

    Looked at a quarter of the size, so that fine texture, which no search matches, does not count.
    """
    if min(source.shape) < 4 * CELL:
        return False
    small, small_before = shrink(source), shrink(before)
    rows, columns = small.shape[0] // CELL * CELL, small.shape[1] // CELL * CELL
    small = np.ascontiguousarray(small[:rows, :columns])
    vectors = match_windows(small, small_before, block_windows(rows, columns, CELL), SEARCH).astype(np.int32) // 4
    moved = vectors.repeat(CELL, axis=0).repeat(CELL, axis=1)
    y, x = np.indices(small.shape)
    y = np.clip(y + moved[:, :, 0], 0, small_before.shape[0] - 1)
    x = np.clip(x + moved[:, :, 1], 0, small_before.shape[1] - 1)
    wide = small.astype(np.float64)
    means = wide.reshape(rows // CELL, CELL, columns // CELL, CELL).mean(axis=(1, 3))
    inter = np.abs(wide - small_before[y, x]).mean()
    intra = np.abs(wide - means.repeat(CELL, axis=0).repeat(CELL, axis=1)).mean()
    return bool(inter > max(SHARE * intra, LEAST_ERROR))
