"""Vectors as differences from the median of their neighbours (spec 7.2)."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

__all__ = ["MedianPredictor", "vector_differences", "vectors_from_differences"]


@cython.cclass
class MedianPredictor:
    """Predicts a vector of a field, int16 (rows, columns, 2), from those before it in raster order."""

    vectors: cython.short[:, :, ::1]

    def __init__(self, vectors: npt.NDArray[np.int16]) -> None:
        self.vectors = memoryview(vectors)

    def predict(self, row: cython.int, column: cython.int, component: cython.int) -> cython.int:
        """Median of left, above and above right; above left stands in for above right in the last column.

        In the first row it is the left one, in the first column the one above, at the origin 0.
        """
        vectors = self.vectors
        if row == 0:
            return vectors[0, column - 1, component] if column > 0 else 0
        above: cython.int = vectors[row - 1, column, component]
        if column == 0:
            return above
        left: cython.int = vectors[row, column - 1, component]
        beside = column + 1 if column + 1 < vectors.shape[1] else column - 1
        diagonal: cython.int = vectors[row - 1, beside, component]
        return max(min(left, above), min(max(left, above), diagonal))

    def subtract(self, differences: cython.short[:, :, ::1]) -> cython.void:
        """Put each vector minus its prediction into ``differences``."""
        for row in range(self.vectors.shape[0]):
            for column in range(self.vectors.shape[1]):
                for k in range(2):
                    differences[row, column, k] = self.vectors[row, column, k] - self.predict(row, column, k)

    def add(self, differences: cython.short[:, :, ::1], limit: cython.int) -> cython.bint:
        """The inverse; False as soon as a component is beyond ±``limit``."""
        for row in range(self.vectors.shape[0]):
            for column in range(self.vectors.shape[1]):
                for k in range(2):
                    value = differences[row, column, k] + self.predict(row, column, k)
                    if value < -limit or value > limit:
                        return False
                    self.vectors[row, column, k] = value
        return True


def vector_differences(vectors: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Vectors minus their predictions, int16 (rows, columns, 2)."""
    predictor: MedianPredictor = MedianPredictor(np.ascontiguousarray(vectors))
    result = np.empty(vectors.shape, np.int16)
    differences: cython.short[:, :, ::1] = memoryview(result)
    with cython.nogil:
        predictor.subtract(differences)
    return result


def vectors_from_differences(
    differences: npt.NDArray[np.int16], limit_quarter_pel: int
) -> npt.NDArray[np.int16] | None:
    """The vectors of pictures, int16 (pictures, rows, columns, 2), or None where one is beyond the limit."""
    vectors = np.empty(differences.shape, np.int16)
    limit: cython.int = limit_quarter_pel
    is_within: cython.bint = True
    for number in range(len(differences)):
        predictor: MedianPredictor = MedianPredictor(vectors[number])
        of_picture: cython.short[:, :, ::1] = memoryview(np.ascontiguousarray(differences[number]))
        with cython.nogil:
            is_within = predictor.add(of_picture, limit)
        if not is_within:
            return None
    return vectors
