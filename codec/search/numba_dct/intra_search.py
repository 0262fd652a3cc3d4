"""Encoder only: which direction a block is predicted from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, Real, inner_kernel, stage
from codec.picture.planes import Plane
from codec.search.numba_dct.bench import (
    INTRA_ROUNDS,
    RANKING,
    SOURCE,
    SOURCE_TILES,
    WEIGHT,
    aim_of,
    cells_of,
    desk_at,
    number_of,
    rates_at,
    room_of,
    samples_of,
)
from codec.search.numba_dct.block_motion import hadamard
from codec.search.numba_dct.intra import edge_of, is_across, predict_tile, smooth
from codec.search.numba_dct.neighbours import MODES, likely_modes, mode_symbol
from codec.search.numba_dct.symbols import MODES_AT
from codec.vector_kernels import address, double_rows_at, tiles_at

__all__ = ["Ranking", "rank_modes"]

Ranking = npt.NDArray[np.float64]
"""(2, 4): costs of the best modes, and the modes."""

KEPT = 3


@inner_kernel
def small_hadamard(source: Plane, tile: Plane) -> Real:
    """The same for 4×4 samples."""
    total = 0
    rows = np.empty((4, 4), np.int64)
    for j in range(4):
        a, c, d, e = (
            np.int64(source[j, 0]) - np.int64(tile[j, 0]),
            np.int64(source[j, 1]) - np.int64(tile[j, 1]),
            np.int64(source[j, 2]) - np.int64(tile[j, 2]),
            np.int64(source[j, 3]) - np.int64(tile[j, 3]),
        )
        rows[j, 0], rows[j, 1], rows[j, 2], rows[j, 3] = a + c + d + e, a - c + d - e, a + c - d - e, a - c - d + e
    for i in range(4):
        a, c, d, e = rows[0, i], rows[1, i], rows[2, i], rows[3, i]
        total += abs(a + c + d + e) + abs(a - c + d - e) + abs(a + c - d - e) + abs(a - c - d + e)
    return total / 4  # half of what SATD of 8×8 samples counts, as four of these do


@inner_kernel
def tile_cost(source: Plane, turned: Plane, mode: Integer, tile: Plane, side: Integer) -> Real:
    """What stands for the bits of a block predicted by a tile; ``turned`` is the transpose of the source."""
    here = address(turned) if is_across(mode) else address(source)
    if side >= 8:
        return hadamard(side, here, 32, address(tile), address(tile), 32, 1e30)
    return small_hadamard(turned if is_across(mode) else source, tile)


@inner_kernel
def insert(ranking: Ranking, cost: Real, mode: Integer) -> None:
    """Keep a mode where it is among the best."""
    k = KEPT
    while k > 0 and cost < ranking[0, k - 1]:
        ranking[0, k], ranking[1, k] = ranking[0, k - 1], ranking[1, k - 1]
        k -= 1
    ranking[0, k], ranking[1, k] = cost, mode


@inner_kernel
def next_mode(round_: Integer, number: Integer, best: Integer, left: Integer, above: Integer) -> Integer:
    """The modes to try: planar, DC, every fourth direction and the likely ones; then around the best."""
    if round_ == 0:
        return number if number < 2 else 2 + 4 * (number - 2) if number < 11 else left if number == 11 else above
    step = 2 if round_ == 1 else 1
    return best + (2 * number - 1) * step if best >= 2 and number < 2 else -1


@inner_kernel
def ranking_of(bench: Integer) -> Ranking:
    """Where `rank_modes` leaves what it finds."""
    return double_rows_at(number_of(bench, RANKING), (2, 4))


@stage
def rank_modes(bench: Integer, y: Integer, x: Integer, log2: Integer, quarter: Integer, modes: Integer) -> Real:
    """Rank the best luma modes of a block, by Hadamard sum + √λ · bits; returns the least.

    ``quarter`` and ``modes`` are those of `likely_modes`.
    """
    desk, room, aim, cells, samples = desk_at(bench), room_of(bench), aim_of(bench), cells_of(bench), samples_of(bench)
    side, stride, ranking = 1 << log2, desk.stride[0], ranking_of(bench)
    tiles = tiles_at(number_of(bench, SOURCE_TILES), (2, 32, 32))
    edge, smoothed, line = room.lines[0], room.lines[1], room.lines[2]
    edge_of(samples, 0, stride, cells, y, x, side, 0, 0, edge)
    smooth(edge, side, smoothed)
    source, turned = tiles[0], tiles[1]
    start = SOURCE * desk.sheet + y * stride + x
    for j in range(side):
        for i in range(side):
            sample = samples[start + j * stride + i]
            source[j, i] = sample
            turned[i, j] = sample
    left, above = likely_modes(cells, y >> 3, x >> 3, quarter, modes)
    weight, rates = math.sqrt(aim[WEIGHT]), rates_at(bench)[MODES_AT + 5 - max(log2, 3)]
    ranking[0, :] = 1e30
    ranking[1, :] = 0
    tried = np.int64(0)
    for round_ in range(np.int64(aim[INTRA_ROUNDS]) + 1):
        best = np.int64(ranking[1, 0])
        for number in range(13):
            mode = next_mode(round_, number, best, left, above)
            if mode < 0 or mode >= MODES or (round_ > 0 and mode < 2) or (tried >> mode) & 1:
                continue
            tried |= np.int64(1) << mode
            predict_tile(edge, smoothed, mode, side, True, line, room.tile)
            cost = tile_cost(source, turned, mode, room.tile, side) + weight * rates[mode_symbol(mode, left, above)]
            insert(ranking, cost, mode)
    return ranking[0, 0]
