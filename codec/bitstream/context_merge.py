"""Which contexts share a stream: chosen by the writer, told to the reader (spec 6.8)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["merge_contexts"]

Counts = npt.NDArray[np.float64]

STREAM_BITS, SYMBOL_BITS = 200.0, 8.0  # what a stream costs: its frame, and a Huffman code for each symbol in it


def stream_bits(counts: Counts) -> npt.NDArray[np.float64]:
    """What streams with such counts of symbols cost, (…, symbols) to (…)."""
    totals = counts.sum(axis=-1)
    kinds = np.count_nonzero(counts, axis=-1)
    logs = np.log2(np.where(counts > 0, counts, 1))
    entropy = totals * np.log2(np.maximum(totals, 1)) - (counts * logs).sum(axis=-1)
    coded = np.maximum(entropy, np.where(kinds > 1, totals, 0))  # a Huffman code spends a whole bit at least
    bits: npt.NDArray[np.float64] = np.where(totals > 0, coded + STREAM_BITS + SYMBOL_BITS * kinds, 0)
    return bits


def merge_contexts(counts: Counts) -> npt.NDArray[np.int64]:
    """A stream for each context, int64 (contexts,): greedily the two whose merging saves most, until none does.

    ``counts`` are those of the contexts of one family, (contexts, symbols).
    """
    used = np.flatnonzero(counts.sum(axis=1))
    streams = np.zeros(len(counts), np.int64)
    if not used.size:
        return streams
    merged = counts[np.ix_(used, np.flatnonzero(counts.sum(axis=0)))]
    group = np.arange(used.size)
    bits = stream_bits(merged)
    saved = np.full((used.size, used.size), -np.inf)
    for k in range(1, used.size):
        saved[k, :k] = bits[k] + bits[:k] - stream_bits(merged[:k] + merged[k])
    while True:
        worst, kept = np.unravel_index(np.argmax(saved), saved.shape)
        if saved[worst, kept] <= 0:
            break
        merged[kept] += merged[worst]
        group[group == worst] = kept
        bits[kept] = stream_bits(merged[kept])
        saved[worst, :] = saved[:, worst] = -np.inf
        alive = np.unique(group)
        others = alive[alive != kept]
        gains = bits[kept] + bits[others] - stream_bits(merged[others] + merged[kept])
        saved[np.maximum(others, kept), np.minimum(others, kept)] = gains
    streams[used] = np.unique(group, return_inverse=True)[1]
    for k in range(1, len(streams)):
        if not counts[k].any():
            streams[k] = streams[k - 1]  # whatever is likely
    return streams
