"""What a file says about the residual of one plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codec.models import ResidualCoder

__all__ = ["LEVEL_DTYPES", "LOSSLESS_QUANTISER", "Levels", "PlaneResidual", "Quantiser", "Residual"]

Residual = npt.NDArray[np.int16]  # source − prediction, −255…255
Levels = npt.NDArray[Any]  # uint8, int8 or little-endian float16, by coder

LEVEL_DTYPES: dict[ResidualCoder, np.dtype[Any]] = {
    ResidualCoder.LOSSLESS: np.dtype(np.uint8),
    ResidualCoder.INT8: np.dtype(np.int8),
    ResidualCoder.UINT8: np.dtype(np.uint8),
    ResidualCoder.FLOAT16: np.dtype("<f2"),
}


@dataclass(frozen=True)
class Quantiser:
    """How levels of one plane become residual samples (spec 8.3).

    Attributes:
        step_256: step in 1/256 of a sample value, 1…65280 (65280 is a step of 255).
        zero_point: the level that means 0, 0…255; always 0 but for ``uint8``.
    """

    step_256: int
    zero_point: int = 0


LOSSLESS_QUANTISER = Quantiser(256)  # what the coders without a step carry


@dataclass(frozen=True, eq=False)
class PlaneResidual:
    """Levels of one plane, (rows, columns) as the plane, and what they mean."""

    coder: ResidualCoder
    quantiser: Quantiser
    levels: Levels
