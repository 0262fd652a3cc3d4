"""Prediction + residual = samples (spec 8.1), with the prediction of I pictures, which needs the samples before."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, kernel
from codec.models import ResidualCoder
from codec.picture.planes import Plane
from codec.residual.coders import CODERS, inverse
from codec.residual.levels import LEVEL_DTYPES, PlaneResidual, Quantiser, Residual

__all__ = ["add_residual", "code_plane"]


def add_residual(residual: PlaneResidual, prediction: Plane | None) -> Plane:
    """Samples of a plane, uint8 (rows, columns): the one place where they come to be.

    ``prediction`` is the motion-compensated plane, or None where every sample is predicted from its neighbours.
    """
    samples = np.empty(residual.levels.shape, np.uint8)
    if prediction is None:
        walk_neighbours(samples, inverse(residual), _ALL_RESIDUALS, False)
    elif residual.levels.itemsize == 1:
        values = values_of_bytes(residual.coder, residual.quantiser)
        add_values(prediction, residual.levels.view(np.uint8), values, samples)
    else:
        total = prediction.astype(np.int16) + inverse(residual)  # −255…510
        samples[...] = np.clip(total, 0, 255)
    return samples


@functools.lru_cache
def values_of_bytes(coder: ResidualCoder, quantiser: Quantiser) -> Residual:
    """What each byte of a level means, int16 (256,)."""
    levels = np.arange(256, dtype=np.uint8).view(LEVEL_DTYPES[coder])
    return inverse(PlaneResidual(coder, quantiser, levels))


@kernel
def add_values(prediction: Plane, levels: Plane, values: Residual, samples: Plane) -> None:
    """Samples from a prediction and the values of levels; a dozen calls of numpy take twice as long."""
    for y in range(samples.shape[0]):
        before, of_row, after = prediction[y], levels[y], samples[y]
        for x in range(np.uint64(after.size)):
            total = np.int32(np.int32(before[x]) + np.int32(values[np.uint64(of_row[x])]))
            after[x] = min(max(total, np.int32(0)), np.int32(255))


def code_plane(source: Plane, prediction: Plane | None, coder: ResidualCoder, step: int | None) -> PlaneResidual:
    """Encoder: the levels of a plane, uint8 (rows, columns), against its prediction.

    Without ``prediction`` the neighbours are those that the decoder will have, so the walk is repeated with the
    losses of the quantiser that the walk before suggests, until that quantiser reaches every residual.
    """
    kind = CODERS[coder]
    if prediction is not None:
        residual = source.astype(np.int16) - prediction
        quantiser = kind.choose_quantiser(residual, step)
    else:
        residual = np.empty(source.shape, np.int16)
        walk_neighbours(source.copy(), residual, _ALL_RESIDUALS, True)
        low = high = 0
        while True:
            # losses move predictions, so a residual may grow beyond what the walk before saw
            low, high = min(low, int(residual.min())), max(high, int(residual.max()))
            quantiser = kind.choose_quantiser(np.array([low, high], np.int16), step)
            rounded = kind.inverse(kind.forward(_ALL_RESIDUALS, quantiser), quantiser)
            walk_neighbours(source.copy(), residual, rounded, True)
            if step is not None or (low <= residual.min() and residual.max() <= high):
                break
    return PlaneResidual(coder, quantiser, kind.forward(residual, quantiser))


_ALL_RESIDUALS: npt.NDArray[np.int16] = np.arange(-255, 256, dtype=np.int16)


@kernel
def walk_neighbours(samples: Plane, residual: Residual, rounded: npt.NDArray[np.int16], encode: bool) -> None:
    """One walk for both directions: predict each sample from left, above and above left (spec 8.5).

    Decoding, ``residual`` is given and ``samples`` is filled.
    Encoding, ``samples`` holds the source and ends as what the decoder will have; ``residual`` is filled with
    what is to be coded, and ``rounded[r + 255]`` is what the decoder will get for a residual of r.
    """
    rows, columns = samples.shape
    for y in range(rows):
        for x in range(columns):
            left = np.int32(samples[y, x - 1]) if x > 0 else np.int32(128)
            above = np.int32(samples[y - 1, x]) if y > 0 else left
            if x == 0:
                left = above
            corner = np.int32(samples[y - 1, x - 1]) if x > 0 and y > 0 else above
            low, high = np.int32(min(left, above)), np.int32(max(left, above))
            prediction = low if corner >= high else high if corner <= low else left + above - corner
            value = np.int32(residual[y, x])
            if encode:
                wanted = np.int32(samples[y, x]) - prediction
                residual[y, x] = wanted
                value = np.int32(rounded[wanted + 255])
            total: Integer = prediction + value
            samples[y, x] = min(max(total, 0), 255)
