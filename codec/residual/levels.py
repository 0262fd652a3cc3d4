"""What a file says about the residual of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codec.models import ResidualCoder

__all__ = [
    "CELL",
    "CONTEXTS",
    "LEVEL_DTYPES",
    "LOSSLESS_QUANTISER",
    "MAX_CLASSES",
    "WEIGHT_COUNTS",
    "Levels",
    "LosslessResidual",
    "PlaneResidual",
    "Quantiser",
    "Queues",
    "Residual",
    "Weights",
    "cell_shape",
]

Residual = npt.NDArray[np.int16]  # source − prediction, −255…255
Levels = npt.NDArray[Any]  # uint8, int8 or little-endian float16, by coder

Weights = npt.NDArray[np.int16]  # (classes, what is added + one for each tap but the base), in 1/256

CELL = 16  # side of a square of samples, of any plane, that shares its weights
CONTEXTS = 14  # queues of a picture
MAX_CLASSES = 32  # of a plane
WEIGHT_COUNTS = (10, 11, 16)  # of a class, by the number of pictures that its picture is predicted from

LEVEL_DTYPES: dict[ResidualCoder, np.dtype[Any]] = {
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


@dataclass(frozen=True, eq=False)
class Queues:
    """Symbols of a picture, apart by context (spec 6.7).

    Attributes:
        symbols: uint8, flat: one queue behind the other; to be decoded, with room behind the start of each for as
            many symbols as the picture has samples, and two more.
        starts: int64 (contexts,): where each queue starts.
        sizes: int64 (contexts,): symbols of each.
    """

    symbols: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]

    def of(self, context: int) -> npt.NDArray[np.uint8]:
        """The symbols of one queue."""
        start = self.starts[context]
        return self.symbols[start : start + self.sizes[context]]


@dataclass(frozen=True, eq=False)
class LosslessResidual:
    """All planes of one picture, for the coder that predicts by weights.

    Attributes:
        weight_differences: of each plane, from the weights of the picture before that has as many references.
        classes: of each plane, uint8 (cell rows, cell columns): which weights a cell takes; 0 is the base alone.
        queues: what is left, for all planes together.
    """

    weight_differences: tuple[Weights, ...]
    classes: tuple[npt.NDArray[np.uint8], ...]
    queues: Queues


def cell_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of a plane's cells."""
    return -(-shape[0] // CELL), -(-shape[1] // CELL)
