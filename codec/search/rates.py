"""Encoder only: what symbols cost, from how often they came."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from codec.dct import tables
from codec.dct.tables import CONTEXTS, RUN_BASES

__all__ = ["Counts", "Rates", "expected_counts", "rates_of"]

Counts = npt.NDArray[np.float32]
"""How often each symbol came in each context: float32 (contexts, 256)."""
Rates = npt.NDArray[np.float64]
"""Bits of each symbol in each context: float64 (contexts, 256)."""

# Groups of contexts that are alike begin here: nodes of P pictures, then the families, levels by block
_STARTS: Final = np.array((0, 27, *tables.FAMILIES[:4], *range(tables.LEVEL_CONTEXTS, CONTEXTS, 18)))
_GROUP: Final = np.searchsorted(_STARTS, np.arange(CONTEXTS), side="right") - 1


def expected_counts() -> Counts:
    """Shares to begin with, before anything is coded."""
    symbols = np.arange(256)
    counts = np.zeros((CONTEXTS, 256))
    nodes, cbf, modes, vectors, escapes, levels = np.split(counts, tables.FAMILIES[:5])
    nodes[:, :101], nodes[:, 4], nodes[:, :4] = 0.01, 0.3, 0.15
    cbf[:, :16] = 1 / 16
    modes[:, :37], modes[:, :2] = 1 / 40, 0.2
    vectors[:, :60] = 0.15 * 0.85 ** np.arange(60)
    escapes[:, :60] = 0.2 * 0.8 ** np.arange(60)
    last = np.where(symbols >= 128, 0.25, 0.75)
    levels[:] = last * 0.8 ** RUN_BASES[(symbols >> 2) & 31].astype(float) * 0.3 ** (symbols & 3)
    rates: npt.NDArray[np.float32] = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return rates


EXPECTED: Final = 4 * expected_counts()


def rates_of(counts: Counts) -> Rates:
    """−log₂ of shares; rare contexts lean on those like them, and all on what is expected."""
    rates = np.add.reduceat(counts, _STARTS)[_GROUP]
    rates += EXPECTED
    rates *= 24 / rates.sum(axis=1, keepdims=True)
    rates += counts
    rates += 0.02
    rates /= rates.sum(axis=1, keepdims=True)
    np.log2(rates, out=rates)
    return -rates.astype(np.float64)
