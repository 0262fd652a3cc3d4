"""Kernels of the median vector predictor (spec 6.3)."""

from __future__ import annotations

import numpy as np

from codec.kernels import Integer, kernel
from codec.motion.field import Vectors

__all__ = ["vector_differences", "vectors_from_differences"]


@kernel
def median_prediction(vectors: Vectors, row: Integer, column: Integer, component: Integer) -> Integer:
    """Prediction of one component from vectors before it in raster order.

    Median of left, above and above right; above left stands in for above right in the last column.
    In the first row it is the left one, in the first column the one above, at the origin 0.
    """
    if row == 0:
        return np.int32(vectors[0, column - 1, component]) if column > 0 else np.int32(0)
    above = np.int32(vectors[row - 1, column, component])
    if column == 0:
        return above
    left = np.int32(vectors[row, column - 1, component])
    beside = column + 1 if column + 1 < vectors.shape[1] else column - 1
    diagonal = np.int32(vectors[row - 1, beside, component])
    return max(min(left, above), min(max(left, above), diagonal))


@kernel
def vector_differences(vectors: Vectors) -> Vectors:
    """Vectors (rows, columns, 2) minus their predictions, int16."""
    differences = np.empty_like(vectors)
    for row in range(vectors.shape[0]):
        for column in range(vectors.shape[1]):
            for component in range(2):
                prediction = median_prediction(vectors, row, column, component)
                differences[row, column, component] = np.int32(vectors[row, column, component]) - prediction
    return differences


@kernel
def vectors_from_differences(differences: Vectors, limit: Integer, vectors: Vectors) -> bool:
    """Fill ``vectors``, (pictures, rows, columns, 2); False as soon as a component is beyond ±``limit``."""
    pictures, rows, columns, components = vectors.shape
    for number in range(pictures):
        for row in range(rows):
            for column in range(columns):
                for component in range(components):
                    prediction = median_prediction(vectors[number], row, column, component)
                    value = np.int32(differences[number, row, column, component]) + prediction
                    if value < -limit or value > limit:
                        return False
                    vectors[number, row, column, component] = value
    return True
