"""The filters of PNG: each byte of a row less what its neighbours predict, modulo 256, and back.

https://www.w3.org/TR/png-3/#9Filters
"""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

__all__ = ["Neighbours", "filtered", "least_filters", "unfilter"]

FILTERS: cython.int = 5  # none, left, above, mean, Paeth; a row begins with the number of its own

Bytes = npt.NDArray[np.uint8]


@cython.cclass
class Neighbours:
    """Predicts the bytes of rows from those of the pixels to the left, above and above left; outside they are 0."""

    samples: cython.uchar[:, ::1]
    pixel_bytes: cython.int

    def __init__(self, samples: Bytes, pixel_bytes: int) -> None:
        """``samples`` are (rows, bytes), and may change as they become known."""
        self.samples = memoryview(samples)
        self.pixel_bytes = pixel_bytes

    def predict(self, number: cython.int, y: cython.Py_ssize_t, x: cython.Py_ssize_t) -> cython.int:
        """The prediction of filter ``number``, 0…255."""
        before: cython.Py_ssize_t = x - self.pixel_bytes
        left: cython.int = self.samples[y, before] if before >= 0 else 0
        above: cython.int = self.samples[y - 1, x] if y > 0 else 0
        if number == 1:
            return left
        if number == 2:
            return above
        if number == 3:
            return (left + above) >> 1
        if number == 4:
            corner: cython.int = self.samples[y - 1, before] if y > 0 and before >= 0 else 0
            from_left: cython.int = abs(above - corner)
            from_above: cython.int = abs(left - corner)
            from_corner: cython.int = abs(left + above - 2 * corner)
            if from_left <= from_above and from_left <= from_corner:
                return left
            return above if from_above <= from_corner else corner
        return 0


def unfilter(rows: Bytes, samples: Bytes, pixel_bytes: int) -> None:
    """Fill ``samples``, (rows, bytes), from filtered rows, (rows, 1 + bytes).

    Raises:
        ValueError: a row has another filter.
    """
    largest = int(rows[:, 0].max())
    if largest >= FILTERS:
        raise ValueError(f"is a damaged PNG: a row has filter {largest}")
    neighbours: Neighbours = Neighbours(samples, pixel_bytes)
    coded: cython.const[cython.uchar[:, ::1]] = memoryview(rows)
    target: cython.uchar[:, ::1] = memoryview(samples)
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = (coded[y, x + 1] + neighbours.predict(coded[y, 0], y, x)) & 255


def filtered(samples: Bytes, filters: Bytes, pixel_bytes: int) -> Bytes:
    """Rows (rows, 1 + bytes) of ``samples``, (rows, bytes), each by its filter, (rows,), which it begins with.

    Raises:
        ValueError: there is not a filter for each row.
    """
    if len(filters) != len(samples):
        raise ValueError(f"{len(filters)} filters for {len(samples)} rows")
    rows = np.empty((samples.shape[0], 1 + samples.shape[1]), np.uint8)
    rows[:, 0] = filters
    neighbours: Neighbours = Neighbours(samples, pixel_bytes)
    source: cython.uchar[:, ::1] = memoryview(samples)
    target: cython.uchar[:, ::1] = memoryview(rows)
    with cython.nogil:
        for y in range(source.shape[0]):
            for x in range(source.shape[1]):
                target[y, x + 1] = (source[y, x] - neighbours.predict(target[y, 0], y, x)) & 255
    return rows


def least_filters(samples: Bytes, pixel_bytes: int) -> Bytes:
    """The filter of each row of ``samples``, (rows, bytes), whose differences are least in sum; uint8 (rows,)."""
    filters = np.empty(samples.shape[0], np.uint8)
    neighbours: Neighbours = Neighbours(samples, pixel_bytes)
    source: cython.uchar[:, ::1] = memoryview(samples)
    chosen: cython.uchar[::1] = memoryview(filters)
    with cython.nogil:
        for y in range(source.shape[0]):
            least: cython.longlong = 1 << 40  # a row has at most 2**29 bytes
            for number in range(FILTERS):
                total: cython.longlong = 0
                for x in range(source.shape[1]):
                    difference: cython.int = (source[y, x] - neighbours.predict(number, y, x)) & 255
                    total += min(difference, 256 - difference)
                    if total >= least:
                        break
                if total < least:
                    least = total
                    chosen[y] = number
    return filters
