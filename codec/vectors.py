"""What ``codec/vectors.h`` does, in Python: kernels call these where they are not compiled.

The annotations are the declarations of what the header has. Arrays are flat; nothing checks a place in C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

__all__ = [
    "LANES",
    "by_half",
    "copy",
    "differences",
    "four_products",
    "looked_up",
    "rint",
    "weighted_rows",
    "weighted_sum",
]

if TYPE_CHECKING:
    import cython

LANES: cython.int = 16


def weighted_sum(
    samples: cython.uchar[::1],
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


def four_products(
    values: cython.short[::1],
    i: cython.Py_ssize_t,
    j: cython.Py_ssize_t,
    stride: cython.Py_ssize_t,
    length: cython.Py_ssize_t,
    sums: cython.float[::1],
    at: cython.Py_ssize_t,
) -> cython.void:
    """sums[at + k] = Σ_x values[i + x] · values[j + k · stride + x], k below 4, x below ``length``, a multiple of 32.

    Sums stay below 2**31.
    """
    wide = np.asarray(values, np.int64)
    for k in range(4):
        sums[at + k] = wide[i : i + length] @ wide[j + k * stride : j + k * stride + length]


def differences(
    samples: cython.uchar[::1],
    first: cython.Py_ssize_t,
    second: cython.Py_ssize_t,
    values: cython.short[::1],
    at: cython.Py_ssize_t,
) -> cython.void:
    """values[at + i] = samples[first + i] − samples[second + i], i below 16."""
    wide = np.asarray(samples, np.int16)
    np.asarray(values)[at : at + LANES] = wide[first : first + LANES] - wide[second : second + LANES]


def copy(
    target: cython.uchar[::1],
    at: cython.Py_ssize_t,
    source: cython.const[cython.uchar[::1]],
    first: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
) -> cython.void:
    """target[at + i] = source[first + i], i below ``count``; the two do not overlap."""
    target[at : at + count] = source[first : first + count]


def by_half(total: cython.int, upper: cython.longlong, lower: cython.longlong) -> cython.longlong:
    """``upper`` where a total in 1/256 lies in the upper half of the range that it is rounded over, else ``lower``.

    Both are known before the total is; no branch waits for it.
    """
    return upper if (total + 64) & 128 else lower


def looked_up(table: cython.uchar[::1], early: cython.longlong, late: cython.longlong) -> cython.longlong:
    """table[early + late], of which ``late`` is known later."""
    return table[early + late]


def rint(number: cython.double) -> cython.double:
    """The nearest whole number, of two the even one."""
    return float(round(number))
