"""Encoder only: the taps of the Wiener filter, by least squares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dct.tables import WIENER_PLACES
from codec.kernels import kernel
from codec.picture.planes import Plane
from codec.search.numba_dct.blocks import WIENER_BLOCK, WIENER_TAPS, WienerFilter
from codec.search.numba_dct.wiener import clipped_difference, filtered, pad_for_wiener
from codec.vector_kernels import address, rectangle_sse

__all__ = ["fit_wiener"]

ROWS = 8  # at a time
EVERY = 2  # strips of rows, one is looked at
RIDGE = 10.0
NO_BOUND = 1 << 30  # more than the squared error of 64 × 64 samples
TAP_BITS, FLAG_BITS = 6, 0.9


@kernel
def add_products(source: Plane, padded: Plane, products: npt.NDArray[np.int64], sums: npt.NDArray[np.int64]) -> None:
    """Sums of products of what two taps are multiplied by, (12, 12), and of what one is and the error, (12,).

    They are whole numbers, so exact in whatever order.
    """
    rows, columns = source.shape
    features = np.empty((WIENER_TAPS + 1, columns), np.int32)
    for y in range(rows):
        if y % (ROWS * EVERY) >= ROWS:
            continue
        centre = padded[y + 2, 2 : 2 + columns]
        for k in range(WIENER_TAPS):
            down, across = WIENER_PLACES[k, 0], WIENER_PLACES[k, 1]
            after = padded[y + 2 + down, 2 + across : 2 + across + columns]
            ahead = padded[y + 2 - down, 2 - across : 2 - across + columns]
            feature = features[k]
            for x in range(columns):
                middle = np.int32(centre[x])
                feature[x] = np.int32(clipped_difference(after[x], middle) + clipped_difference(ahead[x], middle))
        for x in range(columns):
            features[WIENER_TAPS, x] = np.int32(np.int32(source[y, x]) - np.int32(centre[x]))
        for k in range(WIENER_TAPS):
            one = features[k]
            for other in range(k, WIENER_TAPS + 1):
                two, total = features[other], np.int64(0)
                for x in range(columns):
                    total += np.int64(np.int32(one[x] * two[x]))
                if other == WIENER_TAPS:
                    sums[k] += total
                else:
                    products[k, other] += total
    for k in range(WIENER_TAPS):
        for other in range(k):
            products[k, other] = products[other, k]


def fit_wiener(source: Plane, decoded: Plane, weight: float) -> WienerFilter | None:
    """The filter that brings ``decoded`` nearest to ``source``, or None where it gains less than λ · its bits."""
    padded = pad_for_wiener(decoded)
    products, sums = np.zeros((WIENER_TAPS, WIENER_TAPS), np.int64), np.zeros(WIENER_TAPS, np.int64)
    add_products(source, padded, products, sums)
    taps = np.linalg.solve(products + RIDGE * np.eye(WIENER_TAPS), sums)
    taps = np.clip(np.rint(128 * taps), -127, 127).astype(np.int8)
    better = filtered(padded, taps.astype(np.int32), decoded.shape)
    gains = square_errors(source, decoded) - square_errors(source, better)
    flags = gains > 0
    if gains[flags].sum() <= weight * (FLAG_BITS * flags.size + TAP_BITS * WIENER_TAPS):
        return None
    return WienerFilter(taps, flags.astype(np.uint8))


def square_errors(a: Plane, b: Plane) -> npt.NDArray[np.int64]:
    """Squared errors of squares of 64 samples, int64 (rows, columns)."""
    errors = np.zeros((-(-a.shape[0] // WIENER_BLOCK), -(-a.shape[1] // WIENER_BLOCK)), np.int64)
    add_errors(np.ascontiguousarray(a), np.ascontiguousarray(b), errors)
    return errors


@kernel
def add_errors(a: Plane, b: Plane, errors: npt.NDArray[np.int64]) -> None:
    """The loops of `square_errors`."""
    rows, columns = a.shape
    here, there = address(a), address(b)
    for j in range(errors.shape[0]):
        for i in range(errors.shape[1]):
            top, left = j * WIENER_BLOCK, i * WIENER_BLOCK
            height, width = min(WIENER_BLOCK, rows - top), min(WIENER_BLOCK, columns - left)
            place = top * columns + left
            errors[j, i] = rectangle_sse(
                here + place, columns, there + place, there + place, columns, height, width, NO_BOUND
            )
