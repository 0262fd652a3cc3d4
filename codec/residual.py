"""``int8``, ``uint8``, ``float16``: levels to residuals (spec 8.2, 8.3), with the prediction to samples (spec 8.5)."""

from __future__ import annotations

import functools

import cython
import numpy as np
import numpy.typing as npt

from codec.coded import LEVEL_DTYPES, MODULO, Levels, PlaneResidual, Quantiser, Residual
from codec.models import ResidualCoder

__all__ = ["SpatialPredictor", "add_residual", "inverse"]


def inverse(coder: ResidualCoder, levels: Levels, quantiser: Quantiser) -> Residual:
    """Residual samples of levels, int16 of the same shape, −255…255.

    ``int8`` and ``uint8``: level times step, rounded to the nearest whole number, ties away from zero (spec 8.2).
    Levels reach ±255 and steps 65280/256, so products stay below 2**24.

    ``float16``: level · 255, rounded to the nearest whole number, ties upward (spec 8.3). The product of an 11-bit and
    an 8-bit significand is exact in binary32. Adding ½ rounds only where |product| < 2⁻¹, and never across a whole
    number.
    """
    if coder is ResidualCoder.FLOAT16:
        rounded: Residual = np.floor(levels.astype(np.float32) * np.float32(255) + np.float32(0.5)).astype(np.int16)
        return rounded
    level = levels.astype(np.int32) - quantiser.zero_point
    magnitude = np.minimum((np.abs(level) * quantiser.step_256 + 128) >> 8, 255)
    residual: Residual = np.where(level < 0, -magnitude, magnitude).astype(np.int16)
    return residual


@functools.lru_cache
def values_of_bytes(coder: ResidualCoder, quantiser: Quantiser) -> Residual:
    """The residual that each byte of a level stands for, int16 (256,)."""
    return inverse(coder, np.arange(256, dtype=np.uint8).view(LEVEL_DTYPES[coder]), quantiser)


def add_residual(residual: PlaneResidual, prediction: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8]:
    """Samples of a plane, uint8 (rows, columns): the one place where they come to be.

    ``prediction`` is the motion-compensated plane, or None where every sample is predicted from its neighbours.
    """
    levels = residual.levels
    samples = np.empty(levels.shape, np.uint8)
    if residual.quantiser == MODULO:
        if prediction is not None:
            return prediction + levels.view(np.uint8)
        add_modulo(levels.view(np.uint8), samples)
    elif prediction is None:
        add_to_neighbours(inverse(residual.coder, levels, residual.quantiser), samples)
    elif levels.itemsize == 1:
        add_values(prediction, levels.view(np.uint8), values_of_bytes(residual.coder, residual.quantiser), samples)
    else:
        total = prediction.astype(np.int16) + inverse(residual.coder, levels, residual.quantiser)  # −255…510
        samples[...] = np.clip(total, 0, 255)
    return samples


@cython.cclass
class SpatialPredictor:
    """Predicts the samples of a plane from those before them in raster order (spec 8.4)."""

    samples: cython.uchar[:, ::1]

    def __init__(self, samples: npt.NDArray[np.uint8]) -> None:
        """``samples`` are uint8 (rows, columns), and change as they become known."""
        self.samples = memoryview(samples)

    def predict(self, y: cython.int, x: cython.int) -> cython.int:
        """From left, above and above left: one of the first two, or left + above − above left."""
        left: cython.int = self.samples[y, x - 1] if x > 0 else 128
        above: cython.int = self.samples[y - 1, x] if y > 0 else left
        if x == 0:
            left = above
        corner: cython.int = self.samples[y - 1, x - 1] if x > 0 and y > 0 else above
        low, high = min(left, above), max(left, above)
        return low if corner >= high else high if corner <= low else left + above - corner


def add_to_neighbours(residual: npt.NDArray[np.int16], samples: npt.NDArray[np.uint8]) -> None:
    """Fill ``samples``, uint8 (rows, columns), from their int16 residuals."""
    predictor: SpatialPredictor = SpatialPredictor(samples)
    target: cython.uchar[:, ::1] = memoryview(samples)
    residuals: cython.short[:, ::1] = memoryview(np.ascontiguousarray(residual))
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = max(0, min(predictor.predict(y, x) + residuals[y, x], 255))


def add_modulo(levels: npt.NDArray[np.uint8], samples: npt.NDArray[np.uint8]) -> None:
    """Fill ``samples``, uint8 (rows, columns), from their residuals modulo 256."""
    predictor: SpatialPredictor = SpatialPredictor(samples)
    target: cython.uchar[:, ::1] = memoryview(samples)
    residuals: cython.const[cython.uchar[:, ::1]] = memoryview(np.ascontiguousarray(levels))
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = (predictor.predict(y, x) + residuals[y, x]) & 255


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
