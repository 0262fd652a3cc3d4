"""The table of residual coders, and the interface that they share."""

from __future__ import annotations

from typing import Protocol

from codec.models import ResidualCoder
from codec.residual.levels import Levels, PlaneResidual, Quantiser, Residual
from codec.residual.quantised import Float16, Int8, UInt8

__all__ = ["CODERS", "SampleCoder", "inverse"]


class SampleCoder(Protocol):
    """A residual coder in the sample domain: `forward` is the encoder's, `inverse` is normative."""

    @staticmethod
    def choose_quantiser(residual: Residual, step: int | None) -> Quantiser:
        """The quantiser for a plane whose residual is about ``residual``; None leaves the step to the coder."""

    @staticmethod
    def forward(residual: Residual, quantiser: Quantiser) -> Levels:
        """Levels of residual samples."""

    @staticmethod
    def inverse(levels: Levels, quantiser: Quantiser) -> Residual:
        """Residual samples of levels."""


CODERS: dict[ResidualCoder, type[SampleCoder]] = {
    ResidualCoder.INT8: Int8,
    ResidualCoder.UINT8: UInt8,
    ResidualCoder.FLOAT16: Float16,
}


def inverse(residual: PlaneResidual) -> Residual:
    """Residual samples of a plane, int16 (rows, columns) (spec 8)."""
    return CODERS[residual.coder].inverse(residual.levels, residual.quantiser)
