"""Encoder only: the taps of the Wiener filter, by least squares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dct.blocks import WIENER_BLOCK, WIENER_TAPS, WienerFilter
from codec.dct.tables import WIENER_PLACES
from codec.dct.wiener import clipped_difference, filtered, pad_for_wiener
from codec.kernels import Integer, kernel
from codec.picture.planes import Plane
from codec.vector_kernels import address, rectangle_sse

__all__ = ["fit_wiener"]

ROWS = 8  # at a time
EVERY = 2  # strips of rows, one is looked at
RIDGE = 10.0
NO_BOUND = 1 << 30  # more than the squared error of 64 × 64 samples
TAP_BITS, FLAG_BITS = 6, 0.9


@kernel
def fill_features(padded: Plane, y: Integer, rows: Integer, features: npt.NDArray[np.float64]) -> None:
    """What each tap is multiplied by, (12, rows · columns)."""
    columns = padded.shape[1] - 4
    for k in range(features.shape[0]):
        down, across = WIENER_PLACES[k, 0], WIENER_PLACES[k, 1]
        for j in range(rows):
            top = y + j + 2
            centre = padded[top, 2 : 2 + columns]
            after = padded[top + down, 2 + across : 2 + across + columns]
            ahead = padded[top - down, 2 - across : 2 - across + columns]
            feature = features[k, j * columns : (j + 1) * columns]
            for x in range(columns):
                middle = np.int32(centre[x])
                feature[x] = np.float64(
                    np.int32(clipped_difference(after[x], middle) + clipped_difference(ahead[x], middle))
                )


def fit_wiener(source: Plane, decoded: Plane, weight: float) -> WienerFilter | None:
    """The filter that brings ``decoded`` nearest to ``source``, or None where it gains less than λ · its bits."""
    rows, columns = decoded.shape
    padded = pad_for_wiener(decoded)
    products, sums = np.zeros((WIENER_TAPS, WIENER_TAPS)), np.zeros(WIENER_TAPS)
    for y in range(0, rows, ROWS * EVERY):
        height = min(ROWS, rows - y)
        features = np.empty((WIENER_TAPS, height * columns))
        fill_features(padded, y, height, features)
        error = (source[y : y + height].astype(np.float64) - decoded[y : y + height]).ravel()
        products += features @ features.T  # whole numbers below 2**53, so exact in whatever order
        sums += features @ error
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
