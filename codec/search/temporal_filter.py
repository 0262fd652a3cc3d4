"""Encoder only: sources without what their neighbours do not have too, such as noise.

Many pictures are predicted from the first of a GOP and of a mini-GOP, and inherit what they show; of noise nothing.
A temporal filter with motion compensation, as VTM has it (JVET-O0549): the mean of a picture and its neighbours, each
moved to where it is, and each sample weighing less the more it differs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.dct.references import Place
from codec.depths import for_depth
from codec.models import Speed
from codec.motion import compensation
from codec.picture.planes import Picture, Plane
from codec.search.displacements import looks_like_screen
from codec.search.motion import Searched, search_blocks, searched_planes

__all__ = ["with_inherited_filtered"]

REACH = 4  # pictures before and after
BLOCK, SEARCH_RANGE = 16, 16
SHARES = (0.8, 0.7, 0.6, 0.5)  # of neighbours, by their distance
LUMA_STRENGTH, CHROMA_STRENGTH = 0.4, 0.6  # the weight of a neighbour that is the same
I_STRENGTH, P_STRENGTH = 2.0, 0.7  # what that is times
LEAST_QP = 8  # at 4 files of foreman would take 0.5 % more at equal PSNR
WHITE = 3.0  # times what noise has, which is still taken for it
NOISE = 8.0  # squared error of a block, which does not tell of worse motion
# Differences from which on samples of a neighbour do not count: of luma by QP, as what a step removes is no loss
LUMA_SPREAD, LUMA_FROM_QP, CHROMA_SPREAD = 2.1, 10, 8.5

_Shares = npt.NDArray[np.float64]  # of blocks, (rows, columns)
_Weights = npt.NDArray[np.float32]


def with_inherited_filtered(sources: Sequence[Picture], places: Sequence[Place], qp: float) -> Sequence[Picture]:
    """The sources of a GOP in a list, with those filtered that many pictures inherit from.

    They are the first, and P pictures that B pictures lie before. Screens have no noise, and who asks for a low QP
    wants it.
    """
    if qp < LEAST_QP or looks_like_screen(sources[0].planes[0]):
        return sources
    filtered = list(sources)
    for place in places:
        if not place.references:
            filtered[place.number] = temporally_filtered(sources, place.number, I_STRENGTH, qp)
        elif place.layer == 0 and place.number - place.references[0] > 1:
            filtered[place.number] = temporally_filtered(sources, place.number, P_STRENGTH, qp)
    return filtered


def temporally_filtered(pictures: Sequence[Picture], number: int, strength: float, qp: float) -> Picture:
    """A picture of a GOP of sources, filtered; ``strength`` multiplies the weights of its neighbours."""
    source = pictures[number]
    unit = 1 << (source.format.bit_depth - 8)
    near = [n for n in range(max(number - REACH, 0), min(number + REACH + 1, len(pictures))) if n != number]
    if not near:
        return source
    moved = [moved_to(source, pictures[n]) for n in near]
    block_errors, whiteness = zip(*(errors(source.planes[0], planes[0], unit) for planes in moved), strict=True)
    least = np.minimum.reduce(block_errors)
    shares = [
        strength * SHARES[abs(n - number) - 1] * (least + NOISE) / (error + NOISE) * white
        for n, error, white in zip(near, block_errors, whiteness, strict=True)
    ]
    planes = []
    for k, plane in enumerate(source.planes):
        log2_y, log2_x = source.format.sample_format.subsampling[k]
        most = CHROMA_STRENGTH if k else LUMA_STRENGTH
        total, weights = plane.astype(np.float32), np.ones(plane.shape, np.float32)
        spread = unit * (CHROMA_SPREAD if k else LUMA_SPREAD * max(qp - LUMA_FROM_QP, 1))
        for share, others in zip(shares, moved, strict=True):
            far = (others[k].astype(np.float32) - plane) / np.float32(spread)
            weight = np.maximum(1 - far * far, 0)
            weight *= weight  # no power, which machines round differently
            weight *= weight
            weight *= spread_out(most * share, BLOCK >> log2_y, BLOCK >> log2_x, plane.shape)
            total += weight * others[k]
            weights += weight
        planes.append(np.rint(total / weights).astype(plane.dtype))
    return Picture(source.format, tuple(planes), source.name)


def moved_to(source: Picture, other: Picture) -> tuple[Plane, ...]:
    """The planes of another picture, moved to where those of ``source`` are."""
    both = searched_planes(source.planes[0], other.planes[0])
    field = search_blocks(Searched.of(*both, SEARCH_RANGE, Speed.FAST), BLOCK)
    kernel = for_depth(compensation, other.format.bit_depth)
    moved: tuple[Plane, ...] = kernel.compensate(field, kernel.Reference(other))
    return moved


def errors(plane: Plane, other: Plane, unit: int) -> tuple[_Shares, _Shares]:
    """Mean squared errors of blocks, (rows, columns), as of 8 bits; and which share of each noise would explain.

    Of noise, which is white, means of 4 × 4 errors have a sixteenth of the square of one error; of what fades, or of
    edges that did not move alike, up to all.
    """
    difference = plane.astype(np.int64) - other
    small = sums_of(difference, 4)
    squares, of_means = sums_of(difference * difference, BLOCK) + unit * unit, sums_of(small * small, BLOCK // 4)
    white = np.minimum(WHITE * squares / (of_means + unit * unit), 1)
    return squares / (unit * unit * BLOCK * BLOCK), white * white


def sums_of(plane: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.int64]:
    """Sums of squares of so many samples; beyond the edges there is none."""
    rows = np.add.reduceat(plane, range(0, plane.shape[0], side), 0)
    return np.asarray(np.add.reduceat(rows, range(0, plane.shape[1], side), 1))


def spread_out(shares: _Shares, rows: int, columns: int, shape: tuple[int, ...]) -> _Weights:
    """What blocks have, for each of their samples."""
    return np.repeat(np.repeat(shares, rows, 0), columns, 1)[: shape[0], : shape[1]].astype(np.float32)
