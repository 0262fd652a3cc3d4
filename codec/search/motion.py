"""The motion field of a P picture of blocks, and what every search for motion works on."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.models import MotionModel, Speed
from codec.motion.compensation import ReferencePlane
from codec.motion.field import SHARP, MotionField, Vectors, grid_shape
from codec.motion.tables import HALF_TAPS
from codec.picture.planes import Plane, Subsampling
from codec.search.block_matching import BlockMatcher, shrink
from codec.search.interpolation import InterpolatedPlanes

__all__ = [
    "Searched",
    "Windows",
    "block_windows",
    "match_windows",
    "search_blocks",
    "search_windows",
    "searched_planes",
]

LAMBDA = 0.25  # × the mean squared error so far: what a bit of a vector may cost; at 1.4 files grow by 0.2…4 %
LEAST_LAMBDA = 1.0  # the same for a match without error
NO_VECTORS: Vectors = np.zeros((0, 2), np.int16)
FIRST_STEP = {Speed.SLOW: 32, Speed.MEDIUM: 32, Speed.FAST: 4}  # quarter samples; 4 loses up to 0.26 dB


class Searched(NamedTuple):
    """What a search works on.

    ``source`` is luma (H, W) of the picture to predict, ``plane`` of the decoded one before it, ``halves`` the same
    at half samples; ``limit_quarter_pel`` bounds both components of a vector.
    ``before`` is the field of the picture before, or None; ``frequent`` has vectors of many blocks, int16 (n, 2).
    """

    source: Plane
    plane: Plane
    halves: InterpolatedPlanes
    limit_quarter_pel: int
    speed: Speed
    before: MotionField | None
    frequent: Vectors

    def matcher(self) -> BlockMatcher:
        """What looks for vectors."""
        return BlockMatcher(self.source, self.halves, self.limit_quarter_pel, self.frequent)

    @classmethod
    def of(cls, source: Plane, reference: Plane, search_range: int, speed: Speed) -> Searched:
        """A search of its own, with half samples made for it; ``search_range`` is in full samples."""
        return cls(source, reference, half_samples(reference, SHARP), 4 * search_range, speed, None, NO_VECTORS)


def searched_planes(source: Plane, reference: Plane) -> tuple[Plane, Plane]:
    """Luma of both as a search takes it, uint8: of more than 8 bits those that tell the pictures' samples apart.

    That is the range from the first to the last hundredth of the source's samples, since a few may be far off.
    """
    if source.dtype == np.uint8:
        return source, reference
    some = source[:: max(source.shape[0] // 256, 1), :: max(source.shape[1] // 256, 1)]
    low, high = np.percentile(some, (1, 99)).astype(int).tolist()
    shift = max((high - low).bit_length() - 8, 0)
    both = (np.clip((plane.astype(np.int32) - low) >> shift, 0, 255) for plane in (source, reference))
    small_source, small_reference = (plane.astype(np.uint8) for plane in both)
    return small_source, small_reference


def half_samples(plane: Plane, tap: int) -> InterpolatedPlanes:
    """Luma (H, W) at half samples, by taps of ``SHARP`` or ``SOFT``."""
    return InterpolatedPlanes(ReferencePlane(plane, Subsampling(0, 0), HALF_TAPS[tap]), 2)


class Windows(NamedTuple):
    """A grid of windows of one size, each cut to the picture; ``tops`` and ``lefts`` are int32."""

    tops: npt.NDArray[np.int32]
    lefts: npt.NDArray[np.int32]
    size: int


def block_windows(height: int, width: int, size: int) -> Windows:
    """The windows that are blocks."""
    rows, columns = grid_shape(MotionModel.BLOCK, size, width, height)
    return Windows(np.arange(rows, dtype=np.int32) * size, np.arange(columns, dtype=np.int32) * size, size)


def search_blocks(searched: Searched, cell_size: int) -> MotionField:
    """The vectors of a block field."""
    height, width = searched.source.shape
    before = searched.before.vectors_quarter_pel if searched.before is not None else None
    vectors = search_windows(searched, block_windows(height, width, cell_size), before)
    return MotionField(MotionModel.BLOCK, cell_size, vectors)


def search_windows(searched: Searched, windows: Windows, before: Vectors | None) -> Vectors:
    """A vector for each window, int16 (tops, lefts, 2) in quarter samples.

    Each starts from a full search for ``slow``, from a search of pictures a quarter the size for ``medium``,
    from the picture before for ``fast``.
    The best of that, no motion, frequent vectors, the neighbours', and that of the picture before goes downhill in
    steps from eight samples, for ``fast`` from one, to a quarter.
    What counts is squared error + λ · bits of the difference from the median.
    """
    if before is None or before.shape != (len(windows.tops), len(windows.lefts), 2):
        before = np.zeros((len(windows.tops), len(windows.lefts), 2), np.int16)
    search_range = searched.limit_quarter_pel // 4
    if searched.speed is Speed.SLOW:
        vectors = match_windows(searched.source, searched.plane, windows, search_range)
    elif searched.speed is Speed.MEDIUM and min(searched.source.shape) >= 4 * windows.size:
        vectors = _match_small(searched, windows, search_range)
    else:
        vectors = before.copy()
    sweeps = 1 if searched.speed is Speed.FAST else 2
    step = FIRST_STEP[searched.speed]
    searched.matcher().improve(*windows, np.ascontiguousarray(before), vectors, step, sweeps, LEAST_LAMBDA, LAMBDA)
    return vectors


def _match_small(searched: Searched, windows: Windows, search_range: int) -> Vectors:
    """Full search on pictures a quarter the size, so that large motion is found.

    With windows as large as the real ones: twice as large they are surer on their own, but 0.1 dB worse in all.
    """
    source, reference = shrink(searched.source), shrink(searched.plane)
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


def match_windows(source: Plane, reference: Plane, windows: Windows, search_range: int) -> Vectors:
    """Full search in full samples: the least squared error, ties to the shortest vector.

    Returns quarter-pel int16 (tops, lefts, 2).
    The reference goes on beyond its edges with its outermost samples.
    """
    vectors = np.zeros((len(windows.tops), len(windows.lefts), 2), np.int16)
    full = InterpolatedPlanes(ReferencePlane(reference, Subsampling(0, 0), HALF_TAPS[SHARP]), 1)
    matcher = BlockMatcher(source, full, 4 * search_range, NO_VECTORS)
    matcher.match(*windows, _shortest_first(search_range), vectors)
    return vectors


@functools.lru_cache(maxsize=2)  # a few KB, but with the largest range 34 MB
def _shortest_first(search_range: int) -> npt.NDArray[np.int32]:
    """All (dy, dx) within the range, shortest first, so that the first of equals is the nearest."""
    axis = np.arange(-search_range, search_range + 1, dtype=np.int32)
    dy, dx = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    order = np.lexsort((dx, dy, dy * dy + dx * dx))
    return np.stack([dy[order], dx[order]], axis=1)
