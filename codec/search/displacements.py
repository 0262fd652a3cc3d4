"""Pictures of screens, and how far their parts moved: blocks found again, sample for sample, in this picture or before.

Text that scrolls looks alike at many wrong places, so that a search that goes downhill ends at one of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.motion.field import Vectors
from codec.picture.colour import luma
from codec.picture.planes import Picture, Plane

__all__ = ["frequent_displacements", "looks_like_screen", "previous_places"]

SIDE = 16  # of a block that is looked for
LOG2_SMALL = 3  # of the side of a square that is looked for in its own picture
FLAT = 0.6  # as many samples of screens are like the one before: 0.8…0.99, of camera pictures 0.1…0.3, seldom 0.5
LEAST_BLOCKS = 2  # that have a displacement
MOST = 4  # displacements
ACROSS, DOWN = 0x9E3779B1, 0x85EBCA77  # odd: the powers of each are many numbers modulo 2**32

_Hashes = npt.NDArray[np.uint32]


def frequent_displacements(source: Plane, picture_before: Picture, limit: int) -> Vectors:
    """From where most blocks of a picture that changed were taken in the picture before it.

    ``source`` is luma (H, W), ``limit`` full samples. Returns quarter-pel int16 (n, 2), (dy, dx), n at most 4, the most
    frequent first; none unless the picture looks like a screen.
    """
    nothing = np.zeros((0, 2), np.int16)
    if min(source.shape) < SIDE or not looks_like_screen(source):
        return nothing
    before = luma(picture_before)
    blocks, blocks_before = _blocks(source), _blocks(before)
    changed = (blocks != blocks_before).any(axis=(2, 3))
    lively = (np.diff(blocks, axis=2) != 0).any(axis=(2, 3)) & (np.diff(blocks, axis=3) != 0).any(axis=(2, 3))
    tops, lefts = SIDE * np.argwhere(changed & lively).T
    if len(tops) < LEAST_BLOCKS:
        return nothing
    weights = np.outer(_powers(DOWN), _powers(ACROSS))
    wanted, of_block = np.unique(
        (blocks[changed & lively] * weights).sum(axis=(1, 2), dtype=np.uint32), return_inverse=True
    )
    at = np.full(len(wanted), -1)
    at[of_block] = np.arange(len(of_block))  # one of the blocks that are alike
    found = _hashes(before, 4)
    may_be = np.zeros(1 << 16, np.bool_)
    may_be[wanted >> 16] = True
    y, x = np.nonzero(may_be[found >> 16])
    number = np.minimum(np.searchsorted(wanted, found[y, x]), len(wanted) - 1)
    same = wanted[number] == found[y, x]
    y, x, number = y[same], x[same], number[same]
    vectors = np.stack((y - tops[at[number]], x - lefts[at[number]]), axis=1)
    within = (np.abs(vectors).max(axis=1, initial=0) <= limit) & vectors.any(axis=1)
    vectors, number = vectors[within], number[within]
    each, of_match = np.unique(vectors, axis=0, return_inverse=True)
    shares = 1 / np.bincount(number)[number]  # a block that is found often says little
    votes = np.bincount(of_match.ravel(), shares)
    order = np.argsort(-votes, kind="stable")[:MOST]
    return (4 * each[order[votes[order] >= LEAST_BLOCKS]]).astype(np.int16)


def looks_like_screen(plane: Plane) -> bool:
    """Whether most samples of luma (H, W) are what their neighbour is, as those of text and windows are."""
    some = plane[::7]  # of lines of text, now and then each row
    return plane.shape[1] > 1 and float((some[:, 1:] == some[:, :-1]).mean()) >= FLAT


def previous_places(plane: Plane) -> npt.NDArray[np.int32]:
    """Where in luma (H, W) each square of 8×8 samples was last, as the place of its first sample: int32 (H · W,).

    Places count in raster order. −1 where a square is new, or is as the one to its left and as the one above it: flat
    squares are found everywhere, and predicted well without.
    """
    hashes = _hashes(plane, LOG2_SMALL)
    is_flat = np.zeros(hashes.shape, np.bool_)
    is_flat[1:, 1:] = (hashes[1:, 1:] == hashes[:-1, 1:]) & (hashes[1:, 1:] == hashes[1:, :-1])
    rows, columns = np.nonzero(~is_flat)
    places, hashes = (rows * plane.shape[1] + columns).astype(np.int32), hashes[~is_flat]
    order = np.argsort(hashes, kind="stable")
    is_same = hashes[order[1:]] == hashes[order[:-1]]
    previous = np.full(plane.size, -1, np.int32)
    previous[places[order[1:][is_same]]] = places[order[:-1][is_same]]
    return previous


def _blocks(plane: Plane) -> Plane:
    """Its whole blocks, (rows, columns, 16, 16)."""
    rows, columns = plane.shape[0] // SIDE, plane.shape[1] // SIDE
    return plane[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)


def _powers(factor: int) -> _Hashes:
    """factor**15, …, factor, 1 modulo 2**32."""
    return np.array([pow(factor, n, 1 << 32) for n in range(SIDE - 1, -1, -1)], np.uint32)


def _hashes(plane: Plane, log2: int) -> _Hashes:
    """Σ_j Σ_i sample_ji · DOWN**(last − j) · ACROSS**(last − i) modulo 2**32 of each square of 2 ** log2 samples."""
    numbers = plane.astype(np.uint32)
    for factor in (DOWN, ACROSS):
        for k in range(log2):
            numbers = numbers[: -1 << k] * np.uint32(pow(factor, 1 << k, 1 << 32)) + numbers[1 << k :]
        numbers = numbers.T
    return numbers
