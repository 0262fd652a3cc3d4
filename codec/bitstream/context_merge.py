"""Which contexts share a stream: chosen by the writer, told to the reader (spec 6.8)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, Real, kernel

__all__ = ["merge_contexts"]

Counts = npt.NDArray[np.float64]

STREAM_BITS, SYMBOL_BITS = 200.0, 8.0  # what a stream costs: its frame, and a Huffman code for each symbol in it


@kernel
def stream_bits(counts: Counts, first: Integer, second: Integer) -> Real:
    """What a stream costs that has the symbols of two rows of ``counts``, or of one, given twice."""
    total, kinds, logs = 0.0, 0, 0.0
    for symbol in range(counts.shape[1]):
        count = counts[first, symbol] + (counts[second, symbol] if second != first else 0.0)
        if count > 0:
            total += count
            kinds += 1
            logs += count * math.log2(count)
    if kinds == 0:
        return 0.0
    coded = total * math.log2(total) - logs
    if kinds > 1:
        coded = max(coded, total)  # a Huffman code spends a whole bit at least
    return max(coded, 0.0) + STREAM_BITS + SYMBOL_BITS * kinds


@kernel
def merge_rows(counts: Counts, group: npt.NDArray[np.int64]) -> None:
    """Add rows of ``counts`` together while that saves bits; ``group`` becomes the row that each has gone to."""
    size = group.size
    bits, saved = np.empty(size), np.full((size, size), -np.inf)
    for row in range(size):
        group[row] = row
        bits[row] = stream_bits(counts, row, row)
        for other in range(row):
            saved[row, other] = bits[row] + bits[other] - stream_bits(counts, row, other)
    while True:
        best = np.argmax(saved)
        worst, kept = best // size, best % size
        if saved[worst, kept] <= 0:
            return
        for symbol in range(counts.shape[1]):
            counts[kept, symbol] += counts[worst, symbol]
        bits[kept] = stream_bits(counts, kept, kept)
        for row in range(size):
            if group[row] == worst:
                group[row] = kept
            saved[worst, row] = saved[row, worst] = -np.inf
        for row in range(size):
            if group[row] == row and row != kept:
                later: Integer = max(row, kept)
                saved[later, row + kept - later] = bits[kept] + bits[row] - stream_bits(counts, kept, row)


def merge_contexts(counts: Counts) -> npt.NDArray[np.int64]:
    """A stream for each context, int64 (contexts,): greedily the two whose merging saves most, until none does.

    ``counts`` are those of the contexts of one family, (contexts, symbols).
    """
    used = np.flatnonzero(counts.sum(axis=1))
    streams = np.zeros(len(counts), np.int64)
    if not used.size:
        return streams
    group = np.empty(used.size, np.int64)
    merge_rows(counts[np.ix_(used, np.flatnonzero(counts.sum(axis=0)))], group)
    streams[used] = np.unique(group, return_inverse=True)[1]
    for k in range(1, len(streams)):
        if not counts[k].any():
            streams[k] = streams[k - 1]  # whatever is likely
    return streams
