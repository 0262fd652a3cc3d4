"""Encoder only: what symbols cost, from how often they came."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from codec.dct.tables import RUN_BASES
from codec.search.numba_dct.bench import Rates
from codec.search.numba_dct.symbols import (
    CONTEXTS,
    ESCAPES,
    FIRST_CODED,
    LEVELS,
    MASKS,
    MODES_AT,
    NODES,
    SPLIT,
    VECTORS,
)

__all__ = ["Counts", "count_symbols", "expected_counts", "rates_of"]

Counts = npt.NDArray[np.float64]
"""How often each symbol came in each context: float64 (contexts, 256)."""

_BOUNDS: Final = (27, MASKS, MODES_AT, VECTORS, ESCAPES, *range(LEVELS, CONTEXTS, 18))
_GROUP: Final = np.searchsorted(np.array(_BOUNDS), np.arange(CONTEXTS), side="right")  # of contexts that are alike


def expected_counts() -> Counts:
    """Shares to begin with, before anything is coded."""
    symbols = np.arange(256)
    counts = np.zeros((CONTEXTS, 256))
    counts[NODES:MASKS, : FIRST_CODED + 96] = 0.01
    counts[NODES:MASKS, SPLIT], counts[NODES:MASKS, :SPLIT] = 0.3, 0.15
    counts[MASKS:MODES_AT, :16] = 1 / 16
    counts[MODES_AT:VECTORS, :37], counts[MODES_AT:VECTORS, :2] = 1 / 40, 0.2
    counts[VECTORS:ESCAPES, :60] = 0.15 * 0.85 ** np.arange(60)
    counts[ESCAPES:LEVELS, :60] = 0.2 * 0.8 ** np.arange(60)
    last = np.where(symbols >= 128, 0.25, 0.75)
    counts[LEVELS:] = last * 0.8 ** RUN_BASES[(symbols >> 2) & 31].astype(float) * 0.3 ** (symbols & 3)
    shares: Counts = counts / counts.sum(axis=1, keepdims=True)
    return shares


EXPECTED: Final = expected_counts()


def count_symbols(contexts: npt.NDArray[np.uint16], symbols: npt.NDArray[np.uint8]) -> Counts:
    """How often each symbol comes in each context."""
    places = contexts.astype(np.int64) * 256 + symbols
    counts: Counts = np.bincount(places, minlength=CONTEXTS * 256).reshape(CONTEXTS, 256).astype(np.float64)
    return counts


def rates_of(counts: Counts) -> Rates:
    """−log₂ of shares; rare contexts lean on those like them, and all on what is expected."""
    groups = np.zeros((int(_GROUP.max()) + 1, 256))
    np.add.at(groups, _GROUP, counts)
    alike = groups[_GROUP] + 4 * EXPECTED
    alike /= alike.sum(axis=1, keepdims=True)
    shares = counts + 24 * alike + 0.02
    shares /= shares.sum(axis=1, keepdims=True)
    return (-np.log2(shares)).astype(np.float32)
