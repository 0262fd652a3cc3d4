"""Which contexts share a stream: chosen by the writer, told to the reader (spec 9.6, 10.5)."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

import cython
import numpy as np

__all__ = ["count_contexts", "merge_contexts", "put_apart"]

if TYPE_CHECKING:
    import numpy.typing as npt

STREAM_BITS: cython.double = 200.0  # what a stream costs for its frame,
SYMBOL_BITS: cython.double = 8.0  # and for a Huffman code of each symbol in it
HUFFMAN_BITS = 1.0  # that a symbol takes at least, where it takes a code of its own
NO_GAIN: cython.double = -1e300
SMALL: cython.int = 1024
_LOGS = np.array([0.0, *(n * log2(n) for n in range(1, 1024))])


def stream_bits(
    counts: cython.double[:, ::1],
    logs: cython.double[::1],
    first: cython.Py_ssize_t,
    second: cython.Py_ssize_t,
    least_bits: cython.double,
) -> cython.double:
    """What a stream costs that has the symbols of two rows of ``counts``, or of one, given twice.

    ``logs`` has n · log₂ n of small numbers; a symbol takes ``least_bits`` at least.
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
        coded = max(coded, least_bits * total)
    return max(coded, 0.0) + STREAM_BITS + SYMBOL_BITS * kinds


def merge_rows(
    counts: cython.double[:, ::1],
    logs: cython.double[::1],
    group: cython.longlong[::1],
    bits: cython.double[::1],
    saved: cython.double[:, ::1],
    least_bits: cython.double,
    most: cython.Py_ssize_t,
) -> cython.void:
    """Add rows of ``counts`` together while that saves bits, or more than ``most`` are left.

    ``group`` becomes the row that each has gone to.
    """
    size = group.shape[0]
    left: cython.Py_ssize_t = size
    for row in range(size):
        group[row] = row
        bits[row] = stream_bits(counts, logs, row, row, least_bits)
        for other in range(size):
            saved[row, other] = NO_GAIN
            if other < row:
                saved[row, other] = bits[row] + bits[other] - stream_bits(counts, logs, row, other, least_bits)
    while True:
        worst: cython.Py_ssize_t = 0
        kept: cython.Py_ssize_t = 0
        for row in range(size):
            for other in range(size):
                if saved[row, other] > saved[worst, kept]:
                    worst, kept = row, other
        if saved[worst, kept] <= 0 and (left <= most or saved[worst, kept] == NO_GAIN):
            return
        left -= 1
        for symbol in range(counts.shape[1]):
            counts[kept, symbol] += counts[worst, symbol]
        bits[kept] = stream_bits(counts, logs, kept, kept, least_bits)
        for row in range(size):
            if group[row] == worst:
                group[row] = kept
            saved[worst, row] = saved[row, worst] = NO_GAIN
        for row in range(size):
            if group[row] == row and row != kept:
                later = max(row, kept)
                together = stream_bits(counts, logs, kept, row, least_bits)
                saved[later, row + kept - later] = bits[kept] + bits[row] - together


def merge_contexts(
    counts: npt.NDArray[np.float64], least_bits: float = HUFFMAN_BITS, most: int = 255
) -> npt.NDArray[np.int64]:
    """A stream for each context, int64 (contexts,): greedily the two whose merging saves most, until none does.

    ``counts`` are those of the contexts of one family, float64 (contexts, symbols); there are ``most`` streams at most.
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
    least: cython.double = least_bits
    limit: cython.Py_ssize_t = most
    with cython.nogil:
        merge_rows(rows, logs, merged, bits, saved, least, limit)
    streams[used] = np.unique(group, return_inverse=True)[1]
    for k in range(1, len(streams)):
        if not counts[k].any():
            streams[k] = streams[k - 1]  # whatever is likely
    return streams


def count_contexts(
    contexts: npt.NDArray[np.uint16], symbols: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]
) -> None:
    """Add to ``counts``, int64 (contexts, 256), how often each symbol comes in each context."""
    of: cython.ushort[::1] = memoryview(contexts)
    what: cython.uchar[::1] = memoryview(symbols)
    target: cython.longlong[:, ::1] = memoryview(counts)
    with cython.nogil:
        for n in range(of.shape[0]):
            target[of[n], what[n]] += 1


def put_apart(
    contexts: npt.NDArray[np.uint16],
    symbols: npt.NDArray[np.uint8],
    streams: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    target: npt.NDArray[np.uint8],
) -> None:
    """Put each symbol into ``target`` at the next of ``places`` of its context's stream, which move on."""
    of: cython.ushort[::1] = memoryview(contexts)
    what: cython.uchar[::1] = memoryview(symbols)
    stream_of: cython.longlong[::1] = memoryview(streams)
    at: cython.longlong[::1] = memoryview(places)
    into: cython.uchar[::1] = memoryview(target)
    with cython.nogil:
        for n in range(of.shape[0]):
            stream = stream_of[of[n]]
            into[at[stream]] = what[n]
            at[stream] += 1
