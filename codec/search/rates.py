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

INTRA_KIND: Final = tables.KIND_INTER + 1  # as a node's symbol shows it

# Groups of contexts that are alike begin here: nodes of P pictures, then the other elements, levels by block
_STARTS: Final = np.array(
    (
        0,
        27,
        *tables.ELEMENTS[:3],
        tables.BV_CONTEXTS,
        tables.ESCAPE_CONTEXTS,
        *range(tables.LEVEL_CONTEXTS, CONTEXTS, 18),
    )
)
_GROUP: Final = np.searchsorted(_STARTS, np.arange(CONTEXTS), side="right") - 1

# What symbols are like in parkjoy, street and bunny at four QPs, rounded: begun with that, no picture need be coded
# twice to know what symbols cost. Percent of levels that are a block's last, by size and band; of chroma by band alone
_LAST_INTER: Final = (
    (23, 18, 17, 18, 35, 25),
    (13, 14, 10, 10, 10, 14),
    (28, 25, 15, 15, 11, 7),
    (47, 30, 27, 25, 24, 17),
)
_LAST_INTRA: Final = ((17, 19, 23, 28, 40, 25), (25, 10, 8, 8, 10, 12), (20, 11, 6, 4, 4, 4), (29, 18, 11, 6, 4, 2))
_LAST_CHROMA: Final = (75, 48, 33, 27, 30, 25)
# By the level before: how much more often one is the last; then of luma and of chroma, each of P and of intra blocks,
# what share has no run of zeros before it, and what share of each magnitude is larger
_LAST_AFTER: Final = (1.25, 0.9, 0.55)
_NO_RUN: Final = (((0.47, 0.54, 0.62), (0.57, 0.66, 0.77)), ((0.66, 0.68, 0.7), (0.76, 0.74, 0.74)))
_LARGER: Final = (((0.16, 0.33, 0.49), (0.29, 0.44, 0.64)), ((0.1, 0.2, 0.34), (0.22, 0.34, 0.54)))
# Shares of kinds of coding blocks of P pictures as nodes show them, and of their CBFs
_KINDS: Final = (0.07, 0.02, 0.005, 0.03, 0.1, 0.06, 0.01, 0.06, 0.02, 0.04, 0.02)
_INTER_CBF: Final = (0.3, 0.45, 0.02, 0.1, 0.02, 0.05, 0.01, 0.05)
_INTRA_CBF: Final = (0.12, 0.3, 0.02, 0.22, 0.02, 0.1, 0.01, 0.21)


def expected_counts() -> Counts:
    """Shares to begin with, before anything is coded."""
    counts = np.zeros((CONTEXTS, 256))
    nodes, cbf, modes, vectors, escapes, levels = np.split(counts, tables.ELEMENTS[:5])
    coded = np.multiply.outer(_KINDS, np.multiply.outer((0.7, 0.3), _INTER_CBF))  # by transform split or not
    coded[INTRA_KIND] = _KINDS[INTRA_KIND] * np.multiply.outer((0.7, 0.3), _INTRA_CBF)
    nodes[27:, :5] = 0.3, 0.04, 0.01, 0.03, 0.3
    nodes[27:, 5 : 5 + coded.size] = coded.ravel()
    nodes[:27, 4], nodes[:27, 5 + 16 * INTRA_KIND : 21 + 16 * INTRA_KIND] = 0.05, coded[INTRA_KIND].ravel()
    nodes[:, :197] += 0.0001
    cbf[:, :16] = 1 / 16
    modes[:, :37], modes[:, 2:4], modes[:, (12, 28)] = 0.008, 0.09, 0.03  # planar and DC; straight across and down
    modes[:, 0], modes[:, 1] = 0.37, 0.16
    modes[:, tables.FROM_LUMA : 2 * tables.FROM_LUMA] = 0.4 * modes[:, : tables.FROM_LUMA]
    vectors[:, :60] = 0.15 * 0.85 ** np.arange(60)
    vectors[tables.BV_CONTEXTS - tables.VECTOR_CONTEXTS :, 40:50] = 0.05  # of block vectors many are long
    escapes[:, :60] = 0.2 * 0.8 ** np.arange(60)
    levels[:] = expected_levels()
    rates: npt.NDArray[np.float32] = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return rates


def expected_levels() -> npt.NDArray[np.float64]:
    """Shares of levels, (contexts, 256): being the last, the run before it and its magnitude are independent."""
    last = np.empty((4, 2, 2, 6, 3, 1, 1))  # size, chroma or not, intra or not, band, level before; run, magnitude
    last[:, 0, 0], last[:, 0, 1] = (np.array(table)[..., None, None, None] for table in (_LAST_INTER, _LAST_INTRA))
    last[:, 1] = np.array(_LAST_CHROMA)[:, None, None, None]
    last *= np.array(_LAST_AFTER)[:, None, None] / 100
    above = np.array(_LARGER)[:, :, None, :, None, None] ** np.arange(4)
    magnitudes = np.concatenate([above[..., :3] - above[..., 1:], above[..., 3:]], axis=-1)
    is_dc = (np.arange(6) == 0)[:, None, None, None]
    is_chroma = np.arange(2)[:, None, None, None, None, None]
    no_run = np.array(_NO_RUN)[:, :, None, :, None, None] + 0.1 * is_dc
    going = (1 - last) * run_shares(no_run, 2.0) * magnitudes
    ending = last * run_shares(0.4 + 0.35 * is_dc + 0.15 * is_chroma, 1.3) * magnitudes
    return np.concatenate([going.reshape(-1, 128), ending.reshape(-1, 128)], axis=1)


def run_shares(none: npt.NDArray[np.float64], power: float) -> npt.NDArray[np.float64]:
    """Shares of buckets of runs of zeros on the last axis but one, ``none`` of which are 0; shorter in small blocks."""
    decay = np.array((0.75, 0.9, 0.95, 0.98))[:, None, None, None, None, None, None]
    shares = (RUN_BASES[:, None] + 1.0) ** -power * decay ** RUN_BASES[:, None]
    shares[..., 0, :] = 0
    return np.asarray((1 - none) * shares / shares.sum(axis=-2, keepdims=True) + none * (RUN_BASES == 0)[:, None])


EXPECTED: Final = 16 * expected_counts()


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
