"""Whether a picture has so little to do with the one before that an I picture serves better."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

from codec.search.block_matching import shrink
from codec.search.motion import Windows, match_windows

__all__ = ["is_scene_cut"]

BLOCK: cython.int = 8  # samples of the small pictures, 32 of the real ones
SEARCH = 6  # 24 of the real ones
SHARE = 0.65  # of the error against means: pictures of one scene reach 0.05…0.42, cuts begin at 0.77
LEAST_ERROR = 4.0  # mean absolute error, samples; below it even flat pictures are predicted well enough


def is_scene_cut(source: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8]) -> bool:
    """Whether blocks of luma ``source`` are hardly nearer to their best matches in ``before`` than to their means.

    Looked at a quarter of the size, so that fine texture, which no search matches, does not count; and at every
    other block across and down, which says the same.
    """
    if min(source.shape) < 4 * BLOCK:
        return False
    small, small_before = shrink(source), shrink(before)
    tops = np.arange(0, small.shape[0] - BLOCK + 1, 2 * BLOCK, dtype=np.int32)
    lefts = np.arange(0, small.shape[1] - BLOCK + 1, 2 * BLOCK, dtype=np.int32)
    still = np.zeros((len(tops), len(lefts), 2), np.int16)
    intra, inter = block_errors(small, small_before, still)
    most = max(SHARE * intra, LEAST_ERROR)
    if inter <= most:
        return False  # near enough without any motion, which spares the search
    vectors = match_windows(small, small_before, Windows(tops, lefts, BLOCK), SEARCH)
    return bool(block_errors(small, small_before, vectors)[1] > most)


def block_errors(
    small: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8], vectors: npt.NDArray[np.int16]
) -> tuple[float, float]:
    """Mean absolute errors of every other block, across and down: against its mean, and against where vectors lead.

    ``vectors`` are in quarter samples, and lead to full ones.
    """
    source: cython.uchar[:, ::1] = memoryview(small)
    reference: cython.uchar[:, ::1] = memoryview(before)
    moved: cython.short[:, :, ::1] = memoryview(vectors)
    intra: cython.longlong = 0
    inter: cython.longlong = 0
    with cython.nogil:
        for row in range(moved.shape[0]):
            for column in range(moved.shape[1]):
                intra += intra_error(source, 2 * BLOCK * row, 2 * BLOCK * column)
                dy, dx = moved[row, column, 0] >> 2, moved[row, column, 1] >> 2
                inter += inter_error(source, reference, 2 * BLOCK * row, 2 * BLOCK * column, dy, dx)
    samples = vectors.shape[0] * vectors.shape[1] * BLOCK * BLOCK
    return intra / (BLOCK * BLOCK * samples), inter / samples


def intra_error(source: cython.uchar[:, ::1], top: cython.int, left: cython.int) -> cython.int:
    """Sum of |64 · sample − sum of the block|."""
    total: cython.int = 0
    error: cython.int = 0
    for y in range(top, top + BLOCK):
        for x in range(left, left + BLOCK):
            total += source[y, x]
    for y in range(top, top + BLOCK):
        for x in range(left, left + BLOCK):
            error += abs(BLOCK * BLOCK * source[y, x] - total)
    return error


def inter_error(
    source: cython.uchar[:, ::1],
    reference: cython.uchar[:, ::1],
    top: cython.int,
    left: cython.int,
    dy: cython.int,
    dx: cython.int,
) -> cython.int:
    """Sum of absolute differences from the block that lies (dy, dx) away, in full samples."""
    error: cython.int = 0
    for y in range(top, top + BLOCK):
        for x in range(left, left + BLOCK):
            j = max(0, min(y + dy, reference.shape[0] - 1))
            i = max(0, min(x + dx, reference.shape[1] - 1))
            error += abs(source[y, x] - reference[j, i])
    return error
