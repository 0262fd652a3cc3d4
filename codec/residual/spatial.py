"""Samples from their neighbours in the same picture, or from a prediction, and a residual (spec 8.1, 8.5)."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

__all__ = ["add_values", "decode", "encode"]


def predicted(samples: cython.uchar[:, ::1], y: cython.int, x: cython.int) -> cython.int:
    """A sample from left, above and above left (spec 8.5): one of the first two, or left + above − above left."""
    left: cython.int = samples[y, x - 1] if x > 0 else 128
    above: cython.int = samples[y - 1, x] if y > 0 else left
    if x == 0:
        left = above
    corner: cython.int = samples[y - 1, x - 1] if x > 0 and y > 0 else above
    low, high = min(left, above), max(left, above)
    return low if corner >= high else high if corner <= low else left + above - corner


def decode(samples: npt.NDArray[np.uint8], residual: npt.NDArray[np.int16]) -> None:
    """Fill ``samples``, uint8 (rows, columns), from their int16 residuals."""
    target: cython.uchar[:, ::1] = memoryview(samples)
    residuals: cython.short[:, ::1] = memoryview(np.ascontiguousarray(residual))
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = max(0, min(predicted(target, y, x) + residuals[y, x], 255))


def encode(source: npt.NDArray[np.uint8], residual: npt.NDArray[np.int16], rounded: npt.NDArray[np.int16]) -> None:
    """Fill ``residual`` with what is to be coded of a plane, predicted from what the decoder will have.

    ``rounded[r + 255]`` is what the decoder will get for a residual of r, int16 (511,).
    """
    target: cython.uchar[:, ::1] = memoryview(source.copy())
    residuals: cython.short[:, ::1] = memoryview(residual)
    values: cython.short[::1] = memoryview(np.ascontiguousarray(rounded, np.int16))
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                prediction = predicted(target, y, x)
                wanted = target[y, x] - prediction
                residuals[y, x] = wanted
                target[y, x] = max(0, min(prediction + values[wanted + 255], 255))


def add_values(
    prediction: npt.NDArray[np.uint8],
    levels: npt.NDArray[np.uint8],
    values: npt.NDArray[np.int16],
    samples: npt.NDArray[np.uint8],
) -> None:
    """Fill ``samples`` from a prediction and the values of levels, by byte int16 (256,); all else uint8 alike."""
    before: cython.uchar[:, ::1] = memoryview(np.ascontiguousarray(prediction))
    coded: cython.uchar[:, ::1] = memoryview(np.ascontiguousarray(levels))
    value_of: cython.short[::1] = memoryview(np.ascontiguousarray(values))
    target: cython.uchar[:, ::1] = memoryview(samples)
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = max(0, min(before[y, x] + value_of[coded[y, x]], 255))
