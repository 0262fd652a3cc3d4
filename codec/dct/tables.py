"""Constants of the transform coder, as spec 11.2 lists them."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "ALF_CHROMA_OFFSETS",
    "ALF_CLIP",
    "ALF_OFFSETS",
    "ANGLES",
    "AVERAGED",
    "BAND_OF",
    "BETA",
    "BUCKET_OF_RUN",
    "BV_CONTEXTS",
    "CBF_CONTEXTS",
    "CHROMA_CBF_CONTEXT",
    "CONTEXTS",
    "DC",
    "DCT",
    "DIRECT",
    "DIRECTION_CONTEXTS",
    "DST",
    "ELEMENTS",
    "ESCAPE_CONTEXTS",
    "FAMILIES",
    "FIRST_CODED",
    "FORWARD",
    "FROM_LUMA",
    "HORIZONTAL",
    "KIND_COPY",
    "KIND_INTER",
    "LARGEST_CHOICE",
    "LAST",
    "LEVEL_CONTEXTS",
    "MAX_BITS",
    "MAX_BUCKETS",
    "MAX_LEVEL",
    "MAX_QP",
    "MODES",
    "MODE_CONTEXTS",
    "MORTON",
    "NO_TRANSFORM",
    "OBMC_INTER",
    "PLANAR",
    "RUN_BASES",
    "RUN_BITS",
    "SCALES",
    "SCANS",
    "SPLIT",
    "TC",
    "TRANSFORM",
    "TRANSFORM_CONTEXTS",
    "VECTOR_CONTEXTS",
    "VERTICAL",
]

Words = npt.NDArray[np.int32]

SIZES: Final = (4, 8, 16, 32)
MAX_QP: Final = 51
MAX_BITS: Final = 12  # of a sample that is coded
MAX_LEVEL: Final = 32767

# Where the contexts of each syntax element begin (spec 10.4); those of nodes begin at 0
CBF_CONTEXTS: Final = 54  # which quarters of luma have levels, by size and whether the block is intra
CHROMA_CBF_CONTEXT: Final = 60  # which of two chroma blocks have levels
DIRECTION_CONTEXTS: Final = 61  # which references vectors of B pictures point into, by size
TRANSFORM_CONTEXTS: Final = 64  # transform kinds, by size and whether the block is intra
MODE_CONTEXTS: Final = 70  # intra modes, by size
VECTOR_CONTEXTS: Final = 73  # vector differences: down; then right, by how far down
BV_CONTEXTS: Final = 77  # differences of block vectors: down; then right
ESCAPE_CONTEXTS: Final = 79  # of levels, by luma or chroma and four bands
LEVEL_CONTEXTS: Final = 87  # by size, luma or chroma, intra or not, six bands, the level before
CONTEXTS: Final = LEVEL_CONTEXTS + 4 * 2 * 2 * 6 * 3
ELEMENTS: Final = (CBF_CONTEXTS, MODE_CONTEXTS, VECTOR_CONTEXTS, ESCAPE_CONTEXTS, LEVEL_CONTEXTS, CONTEXTS)
"""Where the contexts of each syntax element end."""
FAMILIES: Final = (MODE_CONTEXTS, VECTOR_CONTEXTS, ESCAPE_CONTEXTS, CONTEXTS)
"""Where each family of contexts ends. Substreams never mix families."""

# What symbols mean (spec 10.3, 10.4)
SPLIT: Final = 4  # of a node; those below are SKIP with a merge candidate
FIRST_CODED: Final = 5  # of a node, from here on 16 · kind shown + 8 · transform split + CBF
KIND_INTER: Final = 4  # a kind that is shown; those below are MERGE, INTRA and WARPED follow
OBMC_INTER, KIND_COPY = 7, 11  # MERGE with OBMC, but for the averaged candidate, lies between
AVERAGED: Final = 3  # the merge candidate that is the mean of the first two predictions
MODES: Final = 35
FROM_LUMA: Final = MODES + 2  # added to the symbol of a block's first mode where chroma is predicted from luma
PLANAR, DC, HORIZONTAL, VERTICAL = 0, 1, 10, 26  # intra modes
LAST: Final = 128  # added to the symbol of a block's last level
DIRECT: Final = 40  # numbers below are symbols; beyond, symbols are buckets of 16, 32, 64 …
MAX_BUCKETS: Final = 12


def _cosines(side: int) -> npt.NDArray[np.float64]:
    """The orthonormal DCT-II, a basis function a row."""
    k, j = np.mgrid[0:side, 0:side]
    matrix: npt.NDArray[np.float64] = np.cos(math.pi * (2 * j + 1) * k / (2 * side)) * math.sqrt(2 / side)
    matrix[0] /= math.sqrt(2)
    return matrix


def _sines(side: int) -> npt.NDArray[np.float64]:
    """The orthonormal DST-VII, a basis function a row."""
    k, j = np.mgrid[0:side, 0:side]
    matrix: npt.NDArray[np.float64] = np.sin(math.pi * (2 * k + 1) * (j + 1) / (2 * side + 1))
    return matrix * (2 / math.sqrt(2 * side + 1))


def _blocks(of_side: Any, dtype: type) -> npt.NDArray[Any]:
    """One 32×32 block for each size, filled from its upper left corner."""
    blocks: npt.NDArray[Any] = np.zeros((len(SIZES), 32, 32), dtype)
    for number, side in enumerate(SIZES):
        blocks[number, :side, :side] = of_side(side)
    return blocks


# Of each transform kind by size: rint(64 √n · DCT) and so on; rows have a norm of 64 √n
FORWARD: Final[npt.NDArray[np.float64]] = np.stack([_blocks(_cosines, np.float64), _blocks(_sines, np.float64)])
TRANSFORM: Final[Words] = np.rint(FORWARD * 64 * np.sqrt(SIZES)[:, None, None]).astype(np.int32)
DCT, DST, NO_TRANSFORM = 0, 1, 2  # transform kinds of luma; those of blocks beyond 16×16 are DCT
LARGEST_CHOICE: Final = 4  # log2 of the side of the largest transform block that says its kind


def _zigzag(side: int) -> list[int]:
    """32 · row + column of each place of a scan: along diagonals, the first of them to the right and up."""
    places = [(y, x) for y in range(side) for x in range(side)]
    places.sort(key=lambda place: (sum(place), place[0] if sum(place) & 1 else place[1]))
    return [32 * y + x for y, x in places]


SCANS: Final[Words] = np.zeros((len(SIZES), 1024), np.int32)
for _number, _side in enumerate(SIZES):
    SCANS[_number, : _side * _side] = _zigzag(_side)

# What a level is worth, in quarters of an orthonormal coefficient, by qp + 6 · (bits a sample − 8)
SCALES: Final[Words] = np.array(
    [round(4 * 2 ** ((qp - 4) / 6)) for qp in range(MAX_QP + 1 + 6 * (MAX_BITS - 8))], np.int32
)

# Runs of zeros: a bucket each below 24, then buckets of 8, 16, 32 … with as many bits behind
RUN_BUCKETS: Final = 32
RUN_BASES: Final[Words] = np.array([k if k < 24 else 24 + 8 * ((1 << (k - 24)) - 1) for k in range(RUN_BUCKETS)])
RUN_BITS: Final[Words] = np.array([0 if k < 24 else k - 21 for k in range(RUN_BUCKETS)])
BUCKET_OF_RUN: Final[Words] = np.searchsorted(RUN_BASES, np.arange(1025), side="right").astype(np.int32) - 1

BAND_STARTS = (0, 1, 3, 6, 10, 21)  # of scan positions that share a context
BAND_OF: Final[Words] = np.searchsorted(np.array(BAND_STARTS), np.arange(1025), side="right").astype(np.int32) - 1

# Directions of intra modes 2…34, in 1/32 of a sample a row or column (HEVC's)
ANGLES: Final[Words] = np.array(
    (
        *(0, 0),
        *(32, 26, 21, 17, 13, 9, 5, 2, 0, -2, -5, -9, -13, -17, -21, -26, -32),
        *(-26, -21, -17, -13, -9, -5, -2, 0, 2, 5, 9, 13, 17, 21, 26, 32),
    ),
    np.int32,
)

# Deblocking, by qp (HEVC's)
TC: Final[Words] = np.array(
    [0] * 18 + [1] * 9 + [2] * 4 + [3] * 4 + [4] * 3 + [5, 5, 6, 6, 7, 8, 9, 10, 11, 13, 14, 16, 18, 20, 22, 24],
    np.int32,
)
BETA: Final[Words] = np.array(
    [0] * 16 + [qp - 10 for qp in range(16, 29)] + [2 * qp - 38 for qp in range(29, 52)], np.int32
)

# (down, right) of the ALF's taps of luma; each stands for the opposite place too
ALF_OFFSETS: Final[Words] = np.array(
    [(0, 1), (0, 2)] + [(down, right) for down in (1, 2) for right in range(-2, 3)], np.int32
)
# Taps of chroma: the first four are places of its own plane, as of luma, the others of luma
ALF_CHROMA_OFFSETS: Final[Words] = np.array(
    [(0, 1), (1, -1), (1, 0), (1, 1), (-1, 0), (0, -1), (0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0)], np.int32
)
ALF_CLIP: Final = 12

# Where a place of 4×4 samples comes in the coding order of its root
MORTON: Final[Words] = np.array(
    [[sum(((y >> k & 1) * 2 + (x >> k & 1)) << 2 * k for k in range(3)) for x in range(8)] for y in range(8)], np.int32
)
