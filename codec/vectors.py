"""What ``codec/vectors.h`` does, in Python: kernels call these where they are not compiled.

The annotations are the declarations of what the header has. Arrays are flat; nothing checks a place in C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.depths import Energy, Input, Sample, Tapped

__all__ = [
    "LANES",
    "by_half",
    "clip",
    "copy",
    "log2_of_errors",
    "looked_up",
    "put_escapes",
    "rint",
    "sums_of_products",
    "take_escapes",
    "weighted_rows",
    "weighted_sum",
]

if TYPE_CHECKING:
    import cython

LANES: cython.int = 16


def weighted_sum(
    samples: Tapped[::1],
    place: cython.Py_ssize_t,
    taps: cython.Py_ssize_t[::1],
    pairs: cython.Py_ssize_t,
    starts: cython.int[::1],
    start: cython.Py_ssize_t,
    weights: cython.short[::1],
    first: cython.Py_ssize_t,
    sums: cython.int[::1],
    at: cython.Py_ssize_t,
) -> cython.void:
    """sums[at + i] = starts[start] + Σ_k weight_k · samples[place + taps[k] + i], i below 16, k up to 2 · ``pairs``.

    starts[start + 1] is the weight of tap 0, and weights[first + k − 1] that of tap k. Sums fit 32 bits.
    """
    wide = np.asarray(samples, np.int64)
    tapped = np.array([wide[place + tap : place + tap + LANES] for tap in taps[: 1 + 2 * pairs]])
    counts = [starts[start + 1], *weights[first : first + 2 * pairs]]
    np.asarray(sums)[at : at + LANES] = starts[start] + counts @ tapped


def log2_of_errors(
    samples: Tapped[::1],
    place: cython.Py_ssize_t,
    sums: cython.int[::1],
    at: cython.Py_ssize_t,
    shift: cython.int,
    count: cython.Py_ssize_t,
) -> cython.double:
    """Σ_i 1 + log2(0.7 + |samples[place + i] − (sums[at + i] >> shift)|), i below ``count``, at most 16.

    It is a straight line from each power of two to the next, in 1/8192.
    """
    predictions = np.asarray(sums)[at : at + count] >> shift
    errors = np.float32(0.7) + np.abs(np.asarray(samples)[place : place + count] - predictions).astype(np.float32)
    return int(((errors.view(np.int32) - 0x3F000000) >> 10).sum()) / 8192


def weighted_rows(
    numbers: cython.float[::1],
    place: cython.Py_ssize_t,
    rows: cython.float[::1],
    first: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    sums: cython.float[::1],
    at: cython.Py_ssize_t,
) -> cython.void:
    """sums[at + i] = Σ_k numbers[place + k] · rows[first + 16 k + i], i below 16, k below ``count``, a multiple of 4.

    Every fourth k has a sum of its own, as one would wait for itself.
    """
    totals = np.zeros((4, LANES), np.float32)
    for k in range(0, count, 4):
        four = np.asarray(rows)[first + LANES * k : first + LANES * (k + 4)].reshape(4, LANES)
        totals += np.asarray(numbers)[place + k : place + k + 4, None] * four
    np.asarray(sums)[at : at + LANES] = (totals[0] + totals[1]) + (totals[2] + totals[3])


def sums_of_products(
    values: Input[::1],
    i: cython.Py_ssize_t,
    j: cython.Py_ssize_t,
    apart: cython.Py_ssize_t,
    length: cython.Py_ssize_t,
    sums: cython.float[::1],
    at: cython.Py_ssize_t,
) -> cython.void:
    """sums[at + k] = Σ_x values[i + x] · values[j + k · apart + x], k below 4, x below ``length``, a multiple of 16.

    Every sixteenth x has a sum of its own, as one would wait for itself; then halves are added.
    """
    numbers = np.asarray(values)
    for k in range(4):
        totals = np.zeros(LANES, np.float32)
        for x in range(0, length, LANES):
            totals += numbers[i + x : i + x + LANES] * numbers[j + k * apart + x : j + k * apart + x + LANES]
        while len(totals) > 1:
            totals = totals[: len(totals) // 2] + totals[len(totals) // 2 :]
        sums[at + k] = totals[0]


def put_escapes(
    symbols: cython.const[cython.uchar[::1]],
    size: cython.Py_ssize_t,
    last: cython.int,
    orders: cython.const[cython.uchar[::1]],
    escapes: cython.uchar[::1],
) -> cython.Py_ssize_t:
    """What ``last`` leaves over of symbols that are that or more; returns how many. Up to 8 more may be written.

    ``orders`` says of each set of 8 places which come first, second and so on.
    """
    found = np.asarray(symbols)[:size]
    left = found[found >= last] - last
    np.asarray(escapes)[: len(left)] = left
    return len(left)


def take_escapes(
    symbols: cython.uchar[::1],
    size: cython.Py_ssize_t,
    last: cython.int,
    ranks: cython.const[cython.uchar[::1]],
    escapes: cython.const[cython.uchar[::1]],
    count: cython.Py_ssize_t,
) -> cython.void:
    """Add to each symbol that is ``last`` the next of ``count`` escapes, which are enough.

    ``ranks`` says of each set of 8 places which number each of them has, 128 outside.
    """
    found = np.asarray(symbols)[:size]
    is_last = found == last
    found[is_last] += np.asarray(escapes)[: np.count_nonzero(is_last)]


def clip(value: cython.int, low: cython.int, high: cython.int) -> cython.int:
    """The nearest number of low…high."""
    return max(low, min(value, high))


def copy(
    target: cython.uchar[::1],
    at: cython.Py_ssize_t,
    source: cython.const[cython.uchar[::1]],
    first: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
) -> cython.void:
    """target[at + i] = source[first + i], i below ``count``; the two do not overlap."""
    target[at : at + count] = source[first : first + count]


def by_half(total: cython.int, shift: cython.int, upper: cython.longlong, lower: cython.longlong) -> cython.longlong:
    """``upper`` where a total lies in the upper half of the range that it is rounded over, else ``lower``.

    Totals are in 1/2**``shift``, 8 for samples of 8 bits. Both are known before the total is; no branch waits for it.
    """
    return upper if (total + (1 << (shift - 2))) & (1 << (shift - 1)) else lower


def looked_up(table: cython.const[cython.uchar[::1]], early: cython.longlong, late: cython.longlong) -> cython.longlong:
    """table[early + late], of which ``late`` is known later."""
    return table[early + late]


def rint(number: cython.double) -> cython.double:
    """The nearest whole number, of two the even one."""
    return float(round(number))


def half_hadamard(
    a: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    b: Sample[:, ::1],
    v: cython.int,
    u: cython.int,
    columns: cython.int,
) -> cython.int:
    """Of the differences of ``a`` at (y, x) and ``b`` at (v, u), 8 rows of 8, 16 or 32: half of Σ |Hadamard transform|.

    The transform is that of each square of 8×8.
    """
    one = np.asarray(a)[y : y + 8, x : x + columns].astype(np.int64)
    squares = (one - np.asarray(b)[v : v + 8, u : u + columns]).reshape(8, -1, 8).transpose(1, 0, 2)
    signs = np.array([[(-1) ** (i & j).bit_count() for i in range(8)] for j in range(8)])
    return int(np.abs(signs @ squares @ signs).sum()) >> 1


def filter_block(
    target: Sample[:, ::1],
    v: cython.int,
    u: cython.int,
    samples: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    taps: cython.short[:, ::1],
    down: cython.int,
    across: cython.int,
    rows: cython.int,
    columns: cython.int,
    averaged: cython.bint,
    peak: cython.int,
) -> cython.void:
    """target[v + j, u + i] = Σ_m Σ_n taps[down, m] · taps[across, n] · samples[y + j + m, x + i + n] / 4096.

    It is rounded, and clipped to 0…``peak``, 255 for samples of 8 bits; then, where ``averaged``, its mean with what is
    there is taken, rounded up at a half.
    j is below ``rows``, i below ``columns``, at most 32, m and n below 8. Sums of ``taps`` alone fit 16 bits; a row
    that has 64 for the sample 3 has nothing else.
    """
    kernel = np.asarray(taps).astype(np.int32)
    seen = np.asarray(samples)[y : y + rows + 7, x : x + columns + 7].astype(np.int32)
    sums = sum(kernel[across, n] * seen[:, n : n + columns] for n in range(8))
    total = sum(kernel[down, m] * sums[m : m + rows] for m in range(8))
    found = np.clip((total + 2048) >> 12, 0, peak)
    there = np.asarray(target)[v : v + rows, u : u + columns]
    there[:] = (there + found + 1) >> 1 if averaged else found


def filter_sample(
    samples: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    taps: cython.short[:, ::1],
    down: cython.int,
    across: cython.int,
    peak: cython.int,
) -> cython.int:
    """The first sample that `filter_block` makes."""
    seen, kernel = np.asarray(samples)[y : y + 8, x : x + 8].astype(np.int32), np.asarray(taps).astype(np.int32)
    return min(max((int(kernel[down] @ seen @ kernel[across]) + 2048) >> 12, 0), peak)


def sums_of_pairs(
    numbers: cython.short[:, ::1],
    row: cython.int,
    pairs: cython.short[:, ::1],
    first: cython.int,
    sums: cython.int[::1],
    count: cython.int,
    side: cython.int,
) -> cython.void:
    """sums[i] = Σ_j numbers[row, j] · pairs[first + (j >> 1), 2 i + (j & 1)], i below ``side``, j below ``count``.

    ``count`` is even, and up to 7 more sums than ``side`` may be written.
    """
    rows = np.asarray(pairs)[first : first + (count >> 1)].reshape(count >> 1, 32, 2)[:, :side].transpose(0, 2, 1)
    np.asarray(sums)[:side] = np.asarray(numbers, np.int32)[row, :count] @ rows.reshape(count, side).astype(np.int32)


def copy_row(
    target: Sample[:, ::1],
    v: cython.int,
    u: cython.int,
    source: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    count: cython.int,
) -> cython.void:
    """target[v, u + i] = source[y, x + i], i below ``count``; the two do not overlap."""
    np.asarray(target)[v, u : u + count] = np.asarray(source)[y, x : x + count]


def mix_row(
    samples: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    second: Sample[:, ::1],
    share: cython.int,
    slope: cython.int,
    shift: cython.int,
    count: cython.int,
) -> cython.void:
    """Bring samples[y, x + i] nearer to those of ``second``, by (share − slope · i) / 2 ** shift; i below 4 or 8."""
    shares = share - slope * np.arange(count)
    row = np.asarray(samples)[y, x : x + count]
    change = shares * (np.asarray(second)[y, x : x + count].astype(np.int32) - row) + (1 << (shift - 1))
    row += (change >> shift).astype(row.dtype)


def fold(
    a: Sample[:, ::1],
    b: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    pairs: cython.short[:, ::1],
    side: cython.int,
) -> Energy:
    """Of a − b, a block of 4…32: sums of rows from both ends, in pairs as `sums_of_pairs` takes them.

    From row 8 on the differences of the same. Returns Σ (a − b)². All 16 numbers of the shortest rows may change.
    """
    block = np.asarray(a)[y : y + side, x : x + side].astype(np.int32) - np.asarray(b)[y : y + side, x : x + side]
    upper, lower = block[: side >> 1], block[: (side >> 1) - 1 : -1]
    for first, folded in ((0, upper + lower), (8, upper - lower)):
        rows = folded.reshape(-1, 2, side).transpose(0, 2, 1).reshape(-1, 2 * side)
        np.asarray(pairs)[first : first + (side >> 2), : 2 * side] = rows
    return int((block * block).sum(dtype=np.int64))
