"""The filter that brings luma nearest to the source, by taps that the file brings (spec 8.6.10)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dct.tables import WIENER_CLIP, WIENER_PLACES
from codec.kernels import Integer, inner_kernel, kernel
from codec.picture.edges import extended
from codec.picture.planes import Plane
from codec.search.numba_dct.blocks import WIENER_BLOCK, WienerFilter

Line = npt.NDArray[np.int32]

__all__ = ["apply_wiener", "filtered", "pad_for_wiener"]


def pad_for_wiener(luma: Plane) -> Plane:
    """Luma with two more samples on each side."""
    return extended(luma, (2, 2), (2, 2))


def apply_wiener(luma: Plane, wiener: WienerFilter) -> Plane:
    """Luma with the squares filtered that are flagged."""
    result = luma.copy()
    filter_squares(pad_for_wiener(luma), wiener.taps.astype(np.int32), wiener.flags, result)
    return result


@inner_kernel
def clipped_difference(sample: Integer, centre: Integer) -> Integer:
    """At most the clip either way."""
    return np.int32(min(max(np.int32(np.int32(sample) - centre), np.int32(-WIENER_CLIP)), np.int32(WIENER_CLIP)))


@inner_kernel
def filter_row(padded: Plane, y: Integer, left: Integer, right: Integer, taps: Line, sums: Line, target: Plane) -> None:
    """One row of luma from column ``left`` to before ``right``, to ``target`` from 0 on."""
    count = right - left
    centre = padded[y + 2, left + 2 : right + 2]
    total = sums[:count]
    total[:] = 64
    for k in range(taps.size):
        down, across = WIENER_PLACES[k, 0], WIENER_PLACES[k, 1]
        after = padded[y + 2 + down, left + 2 + across : right + 2 + across]
        ahead = padded[y + 2 - down, left + 2 - across : right + 2 - across]
        tap = np.int32(taps[k])
        for x in range(count):
            middle = np.int32(centre[x])
            both = np.int32(clipped_difference(after[x], middle) + clipped_difference(ahead[x], middle))
            total[x] = np.int32(total[x] + np.int32(tap * both))
    for x in range(count):
        value = np.int32(np.int32(centre[x]) + (total[x] >> 7))
        target[x] = min(max(value, np.int32(0)), np.int32(255))


@kernel
def filter_squares(padded: Plane, taps: Line, flags: Plane, result: Plane) -> None:
    """Filter what is flagged."""
    rows, columns = result.shape
    sums = np.empty(WIENER_BLOCK, np.int32)
    for y in range(rows):
        for square in range(flags.shape[1]):
            if flags[y // WIENER_BLOCK, square]:
                left, right = WIENER_BLOCK * square, min(WIENER_BLOCK * square + WIENER_BLOCK, columns)
                filter_row(padded, y, left, right, taps, sums, result[y, left:right])


def filtered(padded: Plane, taps: Line, shape: tuple[int, int]) -> Plane:
    """All squares filtered."""
    result = np.empty(shape, np.uint8)
    flags = np.ones((-(-shape[0] // WIENER_BLOCK), -(-shape[1] // WIENER_BLOCK)), np.uint8)
    filter_squares(padded, taps, flags, result)
    return result
