"""``int8``, ``uint8``, ``float16``: levels to residuals (spec 8.2, 8.3), with the prediction to samples (spec 8.5)."""

from __future__ import annotations

import functools

import cython
import numpy as np
import numpy.typing as npt

from codec.coded import LEVEL_DTYPES, MODULO, Levels, PlaneResidual, Quantiser, Residual
from codec.depths import SAMPLE_BITS, Difference, Sample
from codec.models import ResidualCoder
from codec.picture.planes import Plane, sample_type

__all__ = ["SpatialPredictor", "add_residual", "difference_type", "inverse"]


def difference_type(bit_depth: int) -> type[np.signedinteger]:
    """Of residuals."""
    return np.int16 if bit_depth == 8 else np.int32


def inverse(coder: ResidualCoder, levels: Levels, quantiser: Quantiser, bit_depth: int) -> Residual:
    """Residual samples of levels, of the same shape, −peak…peak: int16, or of more than 8 bits int32.

    ``int8`` and ``uint8``: level times step, rounded to the nearest whole number, ties away from zero (spec 8.2).
    Levels reach ±255 and steps 65280 · 2**8 / 256, so products stay below 2**32.

    ``float16``: level · peak, rounded to the nearest whole number, ties upward (spec 8.3). The product of an 11-bit and
    an 8-bit significand is exact in binary32, and that of one of 16 bits in binary64. Adding ½ rounds only where
    |product| < 2⁻¹, and never across a whole number.
    """
    peak, is_deep = (1 << bit_depth) - 1, bit_depth > 8
    dtype = difference_type(bit_depth)
    if coder is ResidualCoder.FLOAT16:
        # of 8 bits numpy keeps to binary32, since Python's numbers have no width
        exact: Residual = levels.astype(np.float64 if is_deep else np.float32)
        return np.floor(exact * peak + 0.5).astype(dtype)
    level: Residual = levels.astype(np.int64 if is_deep else np.int32) - quantiser.zero_point
    magnitude = np.minimum((np.abs(level) * quantiser.step_in_256ths(bit_depth) + 128) >> 8, peak)
    residual: Residual = np.where(level < 0, -magnitude, magnitude)
    return residual.astype(dtype)


@functools.lru_cache
def values_of_bytes(coder: ResidualCoder, quantiser: Quantiser, bit_depth: int) -> Residual:
    """The residual that each byte of a level stands for, (256,)."""
    return inverse(coder, np.arange(256, dtype=np.uint8).view(LEVEL_DTYPES[coder]), quantiser, bit_depth)


def add_residual(residual: PlaneResidual, prediction: Plane | None, bit_depth: int) -> Plane:
    """Samples of a plane, (rows, columns), of so many bits: the one place where they come to be.

    ``prediction`` is the motion-compensated plane, or None where every sample is predicted from its neighbours.
    """
    levels, quantiser = residual.levels, residual.quantiser
    samples: Plane = np.empty(levels.shape, sample_type(bit_depth))
    peak = (1 << bit_depth) - 1
    if quantiser == MODULO:
        if prediction is not None:
            samples = prediction + levels.view(samples.dtype) & samples.dtype.type(peak)
        else:
            add_modulo(levels.view(samples.dtype), samples, bit_depth)
    elif prediction is None:
        add_to_neighbours(inverse(residual.coder, levels, quantiser, bit_depth), samples, bit_depth)
    elif levels.itemsize == 1:
        values = values_of_bytes(residual.coder, quantiser, bit_depth)
        add_values(prediction, levels.view(np.uint8), values, samples, peak)
    else:
        total = prediction + inverse(residual.coder, levels, quantiser, bit_depth)  # −peak…2 · peak
        samples[...] = np.clip(total, 0, peak)
    return samples


@cython.cclass
class SpatialPredictor:
    """Predicts the samples of a plane from those before them in raster order (spec 8.4)."""

    samples: Sample[:, ::1]
    middle: cython.int

    def __init__(self, samples: Plane, bit_depth: int) -> None:
        """``samples`` are (rows, columns), and change as they become known."""
        self.samples = memoryview(samples)
        self.middle = 1 << (bit_depth - 1)

    def predict(self, y: cython.int, x: cython.int) -> cython.int:
        """From left, above and above left: one of the first two, or left + above − above left."""
        middle: cython.int = 128 if SAMPLE_BITS == 8 else self.middle
        left: cython.int = self.samples[y, x - 1] if x > 0 else middle
        above: cython.int = self.samples[y - 1, x] if y > 0 else left
        if x == 0:
            left = above
        corner: cython.int = self.samples[y - 1, x - 1] if x > 0 and y > 0 else above
        low, high = min(left, above), max(left, above)
        return low if corner >= high else high if corner <= low else left + above - corner


def add_to_neighbours(residual: Residual, samples: Plane, bit_depth: int) -> None:
    """Fill ``samples``, (rows, columns), from their residuals, int16 or int32."""
    predictor: SpatialPredictor = SpatialPredictor(samples, bit_depth)
    target: Sample[:, ::1] = memoryview(samples)
    residuals: Difference[:, ::1] = memoryview(np.ascontiguousarray(residual))
    peak: cython.int = (1 << bit_depth) - 1
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = max(0, min(predictor.predict(y, x) + residuals[y, x], peak))


def add_modulo(levels: Plane, samples: Plane, bit_depth: int) -> None:
    """Fill ``samples``, (rows, columns), from their residuals modulo the range, of the same type."""
    predictor: SpatialPredictor = SpatialPredictor(samples, bit_depth)
    target: Sample[:, ::1] = memoryview(samples)
    residuals: cython.const[Sample[:, ::1]] = memoryview(np.ascontiguousarray(levels))
    peak: cython.int = (1 << bit_depth) - 1
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = (predictor.predict(y, x) + residuals[y, x]) & peak


def add_values(
    prediction: Plane, levels: npt.NDArray[np.uint8], values: Residual, samples: Plane, peak: cython.int
) -> None:
    """Fill ``samples`` from a prediction and the values of levels, by byte (256,)."""
    before: Sample[:, ::1] = memoryview(np.ascontiguousarray(prediction))
    coded: cython.uchar[:, ::1] = memoryview(np.ascontiguousarray(levels))
    value_of: Difference[::1] = memoryview(np.ascontiguousarray(values))
    target: Sample[:, ::1] = memoryview(samples)
    largest: cython.int = 255 if SAMPLE_BITS == 8 else peak
    with cython.nogil:
        for y in range(target.shape[0]):
            for x in range(target.shape[1]):
                target[y, x] = max(0, min(before[y, x] + value_of[coded[y, x]], largest))
