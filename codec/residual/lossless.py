"""``lossless``: the residual modulo 256 (spec 8.2)."""

from __future__ import annotations

import numpy as np

from codec.residual.levels import LOSSLESS_QUANTISER, Levels, Quantiser, Residual

__all__ = ["Lossless"]


class Lossless:
    """Residuals wrapped to a byte: prediction + level modulo 256 is the sample, so nothing is lost."""

    wraps = True

    @staticmethod
    def choose_quantiser(residual: Residual, step: int | None) -> Quantiser:
        """There is nothing to choose."""
        return LOSSLESS_QUANTISER

    @staticmethod
    def forward(residual: Residual, quantiser: Quantiser) -> Levels:
        """Residual modulo 256 as uint8."""
        return residual.astype(np.uint8)

    @staticmethod
    def inverse(levels: Levels, quantiser: Quantiser) -> Residual:
        """The residual up to a multiple of 256, −128…127; the sum with the prediction wraps."""
        return levels.view(np.int8).astype(np.int16)
