"""Encoder only: the vector of a leaf."""

from __future__ import annotations

import math

import numpy as np

from codec.kernels import Integer, Real, inner_kernel, stage
from codec.search.numba_dct.bench import (
    REFINE,
    SOURCE,
    VECTOR_LIMIT,
    WEIGHT,
    Rates,
    aim_of,
    candidates_of,
    desk_at,
    parents_of,
    rates_at,
    seeds_of,
)
from codec.search.numba_dct.desk import Desk
from codec.search.numba_dct.forward import number_bits
from codec.search.numba_dct.inter import quarter_place
from codec.search.numba_dct.symbols import VECTORS, folded, vector_context
from codec.vector_transforms import hadamard_8x8

__all__ = ["hadamard", "moved_hadamard", "search_vector", "vector_bits"]


@inner_kernel
def hadamard(
    side: Integer, a: Integer, a_stride: Integer, b: Integer, c: Integer, stride: Integer, bound: Real
) -> Real:
    """What stands for the bits of a difference: Hadamard sums of 8×8 samples, as large as a sum of |differences|.

    Stops where ``bound`` is reached.
    """
    total = 0
    for y in range(0, side, 8):
        for x in range(0, side, 8):
            down = y * stride + x
            total += hadamard_8x8(a + y * a_stride + x, a_stride, b + down, c + down, stride)
        if total >= 8 * bound:
            break
    return total / 8


@inner_kernel
def moved_hadamard(desk: Desk, y: Integer, x: Integer, side: Integer, dy: Integer, dx: Integer, bound: Real) -> Real:
    """`hadamard` of a luma block against the reference moved by a vector."""
    place = desk.reference[0] + quarter_place(desk.layouts[0], y, x, dy, dx)
    here = desk.address + SOURCE * desk.sheet + y * desk.stride[0] + x
    return hadamard(side, here, desk.stride[0], place, place, desk.layouts[0][1], bound)


@inner_kernel
def predicted_hadamard(desk: Desk, sheet: Integer, y: Integer, x: Integer, side: Integer, bound: Real) -> Real:
    """`hadamard` of a luma block against what lies on a sheet."""
    there = desk.address + sheet * desk.sheet + y * desk.stride[0] + x
    here = desk.address + SOURCE * desk.sheet + y * desk.stride[0] + x
    return hadamard(side, here, desk.stride[0], there, there, desk.stride[0], bound)


@inner_kernel
def vector_bits(rates: Rates, dy: Integer, dx: Integer) -> Real:
    """Bits of a difference from the predicted vector."""
    return number_bits(rates, VECTORS, folded(dy)) + number_bits(rates, vector_context(dy), folded(dx))


@inner_kernel
def bounded_cost(
    desk: Desk, y: Integer, x: Integer, side: Integer, dy: Integer, dx: Integer, rate: Real, best: Real
) -> Real:
    """Hadamard sum + ``rate`` of a vector, or something not below ``best``."""
    return rate if rate >= best else rate + moved_hadamard(desk, y, x, side, dy, dx, best - rate)


@stage
def search_vector(bench: Integer, y: Integer, x: Integer, log2: Integer, count: Integer) -> Real:
    """The best vector found goes to `parents_of`; returns Hadamard sum + √λ · bits.

    It begins from the ``count`` merge candidates, what a search of 16×16 blocks found, and the vector of the leaf
    that is split, and goes downhill in full samples, in halves, then in quarters.
    """
    desk, aim, rates, seeds = desk_at(bench), aim_of(bench), rates_at(bench), seeds_of(bench)
    candidates, parents = candidates_of(bench), parents_of(bench)
    weight, limit, side = math.sqrt(aim[WEIGHT]), np.int64(aim[VECTOR_LIMIT]), 1 << log2
    predicted_y, predicted_x = np.int64(candidates[0, 0]), np.int64(candidates[0, 1])
    best, best_y, best_x = 1e30, np.int64(0), np.int64(0)
    seed_row = min((y + side // 2) >> 4, seeds.shape[0] - 1)
    seed_column = min((x + side // 2) >> 4, seeds.shape[1] - 1)
    for k in range(count + 2):
        if k < count:
            dy, dx = np.int64(candidates[k, 0]), np.int64(candidates[k, 1])
        elif k == count:
            dy, dx = np.int64(seeds[seed_row, seed_column, 0]), np.int64(seeds[seed_row, seed_column, 1])
        else:
            dy, dx = np.int64(parents[log2 - 2, 0]), np.int64(parents[log2 - 2, 1])
        if abs(dy) > limit or abs(dx) > limit or (k > 0 and dy == best_y and dx == best_x):
            continue
        rate = weight * vector_bits(rates, dy - predicted_y, dx - predicted_x)
        cost = bounded_cost(desk, y, x, side, dy, dx, rate, best)
        if cost < best:
            best, best_y, best_x = cost, dy, dx
    step = 4
    while step >= 1:
        for _ in range(np.int64(aim[REFINE])):
            centre_y, centre_x = best_y, best_x
            for k in range(9):
                dy, dx = centre_y + step * (k // 3 - 1), centre_x + step * (k % 3 - 1)
                if k == 4 or abs(dy) > limit or abs(dx) > limit:
                    continue
                rate = weight * vector_bits(rates, dy - predicted_y, dx - predicted_x)
                cost = bounded_cost(desk, y, x, side, dy, dx, rate, best)
                if cost < best:
                    best, best_y, best_x = cost, dy, dx
            if best_y == centre_y and best_x == centre_x:
                break
        step >>= 1
    parents[log2 - 3, 0], parents[log2 - 3, 1] = best_y, best_x
    return best
