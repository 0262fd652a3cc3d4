"""Which contexts share a stream: chosen by the writer, told to the reader (spec 10.5)."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

import cython
import numpy as np

__all__ = ["merge_contexts"]

if TYPE_CHECKING:
    import numpy.typing as npt

STREAM_BITS: cython.double = 200.0  # what a stream costs for its frame,
SYMBOL_BITS: cython.double = 8.0  # and for a Huffman code of each symbol in it
NO_GAIN: cython.double = -1e300
SMALL: cython.int = 1024
_LOGS = np.array([0.0, *(n * log2(n) for n in range(1, 1024))])


def stream_bits(
    counts: cython.double[:, ::1], logs: cython.double[::1], first: cython.Py_ssize_t, second: cython.Py_ssize_t
) -> cython.double:
    """What a stream costs that has the symbols of two rows of ``counts``, or of one, given twice.

    ``logs`` has n · log₂ n of small numbers.
    """
    total: cython.double = 0.0
    all_logs: cython.double = 0.0
    kinds: cython.int = 0
    for symbol in range(counts.shape[1]):
        count = counts[first, symbol] + (counts[second, symbol] if second != first else 0.0)
        if count > 0:
            total += count
            kinds += 1
            whole = cython.cast(cython.int, count)
            all_logs += logs[whole] if whole < SMALL and whole == count else count * log2(count)
    if kinds == 0:
        return 0.0
    coded = total * log2(total) - all_logs
    if kinds > 1:
        coded = max(coded, total)  # a Huffman code spends a whole bit at least
    return max(coded, 0.0) + STREAM_BITS + SYMBOL_BITS * kinds


def merge_rows(
    counts: cython.double[:, ::1],
    logs: cython.double[::1],
    group: cython.longlong[::1],
    bits: cython.double[::1],
    saved: cython.double[:, ::1],
) -> cython.void:
    """Add rows of ``counts`` together while that saves bits; ``group`` becomes the row that each has gone to."""
    size = group.shape[0]
    for row in range(size):
        group[row] = row
        bits[row] = stream_bits(counts, logs, row, row)
        for other in range(size):
            saved[row, other] = NO_GAIN
            if other < row:
                saved[row, other] = bits[row] + bits[other] - stream_bits(counts, logs, row, other)
    while True:
        worst: cython.Py_ssize_t = 0
        kept: cython.Py_ssize_t = 0
        for row in range(size):
            for other in range(size):
                if saved[row, other] > saved[worst, kept]:
                    worst, kept = row, other
        if saved[worst, kept] <= 0:
            return
        for symbol in range(counts.shape[1]):
            counts[kept, symbol] += counts[worst, symbol]
        bits[kept] = stream_bits(counts, logs, kept, kept)
        for row in range(size):
            if group[row] == worst:
                group[row] = kept
            saved[worst, row] = saved[row, worst] = NO_GAIN
        for row in range(size):
            if group[row] == row and row != kept:
                later = max(row, kept)
                saved[later, row + kept - later] = bits[kept] + bits[row] - stream_bits(counts, logs, kept, row)


def merge_contexts(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """A stream for each context, int64 (contexts,): greedily the two whose merging saves most, until none does.

    ``counts`` are those of the contexts of one family, float64 (contexts, symbols).
    """
    used = np.flatnonzero(counts.sum(axis=1))
    streams = np.zeros(len(counts), np.int64)
    if not used.size:
        return streams
    size, group = used.size, np.empty(used.size, np.int64)
    rows: cython.double[:, ::1] = memoryview(counts[np.ix_(used, np.flatnonzero(counts.sum(axis=0)))])
    merged: cython.longlong[::1] = memoryview(group)
    bits: cython.double[::1] = memoryview(np.empty(size))
    saved: cython.double[:, ::1] = memoryview(np.empty((size, size)))
    logs: cython.double[::1] = memoryview(_LOGS)
    with cython.nogil:
        merge_rows(rows, logs, merged, bits, saved)
    streams[used] = np.unique(group, return_inverse=True)[1]
    for k in range(1, len(streams)):
        if not counts[k].any():
            streams[k] = streams[k - 1]  # whatever is likely
    return streams
