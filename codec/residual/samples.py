"""Prediction + residual = samples (spec 8.1), with the prediction of I pictures, which needs the samples before."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from codec.models import ResidualCoder
from codec.picture.planes import Plane
from codec.residual import spatial
from codec.residual.coders import CODERS, inverse
from codec.residual.levels import LEVEL_DTYPES, PlaneResidual, Quantiser, Residual

__all__ = ["add_residual", "code_plane"]


def add_residual(residual: PlaneResidual, prediction: Plane | None) -> Plane:
    """Samples of a plane, uint8 (rows, columns): the one place where they come to be.

    ``prediction`` is the motion-compensated plane, or None where every sample is predicted from its neighbours.
    """
    samples = np.empty(residual.levels.shape, np.uint8)
    if prediction is None:
        spatial.decode(samples, inverse(residual))
    elif residual.levels.itemsize == 1:
        values = values_of_bytes(residual.coder, residual.quantiser)
        spatial.add_values(prediction, residual.levels.view(np.uint8), values, samples)
    else:
        total = prediction.astype(np.int16) + inverse(residual)  # −255…510
        samples[...] = np.clip(total, 0, 255)
    return samples


@functools.lru_cache
def values_of_bytes(coder: ResidualCoder, quantiser: Quantiser) -> Residual:
    """What each byte of a level means, int16 (256,)."""
    levels = np.arange(256, dtype=np.uint8).view(LEVEL_DTYPES[coder])
    return inverse(PlaneResidual(coder, quantiser, levels))


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
        spatial.encode(source, residual, _ALL_RESIDUALS)
        low = high = 0
        while True:
            # losses move predictions, so a residual may grow beyond what the walk before saw
            low, high = min(low, int(residual.min())), max(high, int(residual.max()))
            quantiser = kind.choose_quantiser(np.array([low, high], np.int16), step)
            rounded = kind.inverse(kind.forward(_ALL_RESIDUALS, quantiser), quantiser)
            spatial.encode(source, residual, rounded)
            if step is not None or (low <= residual.min() and residual.max() <= high):
                break
    return PlaneResidual(coder, quantiser, kind.forward(residual, quantiser))


_ALL_RESIDUALS: npt.NDArray[np.int16] = np.arange(-255, 256, dtype=np.int16)
