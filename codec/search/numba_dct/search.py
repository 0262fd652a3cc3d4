"""Encoder only: the quadtree of a picture, leaf by leaf, weighing error against bits."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, Real, inner_kernel, kernel, stage
from codec.search.numba_dct import bench as b
from codec.search.numba_dct.bench import (
    BEST,
    IS_P,
    STEP,
    WEIGHT,
    Bench,
    aim_of,
    before_of,
    candidates_of,
    cells_of,
    desk_at,
    displacements_of,
    lists_of,
    parents_of,
    rates_at,
    run,
)
from codec.search.numba_dct.block_motion import moved_hadamard, predicted_hadamard, search_vector, vector_bits
from codec.search.numba_dct.blocks import INTER, MERGE, SKIP, WARPED
from codec.search.numba_dct.desk import DECODED, WARP
from codec.search.numba_dct.forward import code_block, search_levels
from codec.search.numba_dct.intra_search import rank_modes, ranking_of
from codec.search.numba_dct.neighbours import (
    AVERAGED,
    candidate_vector,
    displacement_of,
    has_candidate,
    merge_candidates,
    node_context,
)
from codec.search.numba_dct.symbols import FIRST_CODED, KIND_INTER, KIND_WARPED, LAPPED_INTER, NODES, SPLIT
from codec.search.numba_dct.trial import (
    begin_inter,
    code_leaf,
    keep_if_better,
    keep_trial,
    leaf_error,
    predict_inter_leaf,
    predict_intra_block,
    put_leaf,
    try_inter,
    try_intra,
)

__all__ = ["search_blocks", "stages"]

NEVER = 1e30


@inner_kernel
def nearest_merge(
    bench: Integer, y: Integer, x: Integer, side: Integer, count: Integer, context: Integer
) -> tuple[Real, Integer]:
    """(Hadamard sum + √λ · bits, candidate) of the merge candidate that predicts best."""
    desk, candidates, rates = desk_at(bench), candidates_of(bench), rates_at(bench)[context]
    weight = math.sqrt(aim_of(bench)[WEIGHT])
    best, found = NEVER, 0
    for candidate in range(4):
        if not has_candidate(candidate, count):
            continue
        if candidate == AVERAGED:
            run(bench, b.PREDICT_INTER, (bench, MERGE, 0, y, x, side, candidate, 0, 0, 1))
            cost = predicted_hadamard(desk, DECODED, y, x, side, best)
        else:
            dy, dx = candidate_vector(candidates, candidate)
            cost = moved_hadamard(desk, y, x, side, dy, dx, best)
        cost += weight * min(rates[FIRST_CODED + 16 * candidate + 1], rates[candidate] + 1)
        if cost < best:
            best, found = cost, candidate
    return best, found


@inner_kernel
def try_skips(
    bench: Integer, row: Integer, column: Integer, log2: Integer, count: Integer, but: Integer, context: Integer
) -> None:
    """Try to skip with every merge candidate ``but`` one."""
    aim, rates, candidates = aim_of(bench), rates_at(bench)[context], candidates_of(bench)
    y, x, side = 8 * row, 8 * column, 1 << log2
    for candidate in range(4):
        if candidate == but or not has_candidate(candidate, count):
            continue
        dy, dx = candidate_vector(candidates, candidate)
        run(bench, b.PREDICT_INTER, (bench, MERGE, 0, y, x, side, candidate, 0, 0, 0))
        begin_inter(bench, row, column, log2, SKIP, 0, candidate, dy, dx)
        cost = leaf_error(desk_at(bench), y, x, side) + aim[WEIGHT] * rates[candidate]
        keep_if_better(bench, cost, log2)


@inner_kernel
def lapped_hadamard(
    bench: Integer, y: Integer, x: Integer, side: Integer, dy: Integer, dx: Integer, bound: Real
) -> Real:
    """Hadamard sum of a vector's prediction, lapped by those of the neighbours."""
    run(bench, b.PREDICT_INTER, (bench, INTER, 1, y, x, side, 0, dy, dx, 1))
    return predicted_hadamard(desk_at(bench), DECODED, y, x, side, bound)


@inner_kernel
def nearest_lapped(
    bench: Integer, y: Integer, x: Integer, side: Integer, count: Integer, context: Integer, bound: Real
) -> tuple[Real, Integer]:
    """`nearest_merge` of candidates that are lapped, as far as one costs less than ``bound``."""
    candidates, rates, weight = candidates_of(bench), rates_at(bench)[context], math.sqrt(aim_of(bench)[WEIGHT])
    best, found = bound, 0
    for candidate in range(min(count, AVERAGED)):
        dy, dx = candidate_vector(candidates, candidate)
        symbol = FIRST_CODED + 16 * (LAPPED_INTER + 1 + candidate)
        cost = weight * min(rates[symbol + 1], rates[symbol] + 1)
        cost += lapped_hadamard(bench, y, x, side, dy, dx, best - cost)
        if cost < best:
            best, found = cost, candidate
    return (best, found) if best < bound else (NEVER, 0)


@stage
def best_inter(bench: Integer, row: Integer, column: Integer, log2: Integer, context: Integer) -> Real:
    """Try merges and vectors; returns the least Hadamard cost, negative where there is nothing left to gain."""
    aim, candidates, parents, rates = aim_of(bench), candidates_of(bench), parents_of(bench), rates_at(bench)
    y, x, side, squares = 8 * row, 8 * column, 1 << log2, 1 << (2 * log2 - 6)
    weight = math.sqrt(aim[WEIGHT])
    count = merge_candidates(cells_of(bench), before_of(bench), row, column, log2, candidates)
    merge_cost, merge = nearest_merge(bench, y, x, side, count, context)
    merge_y, merge_x = candidate_vector(candidates, merge)
    parents[log2 - 3, 0], parents[log2 - 3, 1] = merge_y, merge_x
    own_cost, lapped_cost, warp_cost, own_lapped_cost, lapped = NEVER, NEVER, NEVER, NEVER, np.int64(0)
    dy, dx = merge_y, merge_x
    if merge_cost > 2 * aim[STEP] * squares:
        own_bits = NEVER
        if aim[b.MOVES]:
            own_cost = run(bench, b.SEARCH_VECTOR, (bench, y, x, log2, count))
            own_cost += weight * rates[context, FIRST_CODED + 16 * KIND_INTER + 1]
            dy, dx = np.int64(parents[log2 - 3, 0]), np.int64(parents[log2 - 3, 1])
            own_bits = vector_bits(rates, dy - candidates[0, 0], dx - candidates[0, 1])
            for k in range(count):
                if candidates[k, 0] == dy and candidates[k, 1] == dx:
                    own_cost, own_bits = NEVER, NEVER
        if row + column > 0 and min(merge_cost, own_cost) > aim[b.LAPS_FROM] * aim[STEP] * squares:
            bound = min(merge_cost, own_cost) * (1 + aim[b.NEAR])
            lapped_cost, lapped = nearest_lapped(bench, y, x, side, count, context, bound)
            if own_cost < NEVER:
                own_lapped_cost = weight * (own_bits + rates[context, FIRST_CODED + 16 * LAPPED_INTER + 1])
                own_lapped_cost += lapped_hadamard(bench, y, x, side, dy, dx, bound - own_lapped_cost)
                if own_lapped_cost >= bound:
                    own_lapped_cost = NEVER
    if aim[b.WARPS]:
        warp_cost = predicted_hadamard(desk_at(bench), WARP, y, x, side, NEVER)
        symbol = FIRST_CODED + 16 * KIND_WARPED
        warp_cost += weight * min(rates[context, symbol + 1], rates[context, symbol] + 1)
    nearest = min(min(merge_cost, own_cost), min(min(lapped_cost, own_lapped_cost), warp_cost))
    near = nearest * (1 + aim[b.NEAR])
    if aim[b.ALL_SKIPS]:
        try_skips(bench, row, column, log2, count, merge, context)
    has_levels = 0.0
    if merge_cost <= near:
        has_levels += run(bench, b.TRY_INTER, (bench, row, column, log2, MERGE, 0, merge, merge_y, merge_x, context))
    if own_cost <= near:
        has_levels += run(bench, b.TRY_INTER, (bench, row, column, log2, INTER, 0, 0, dy, dx, context))
    if own_lapped_cost <= near:
        has_levels += run(bench, b.TRY_INTER, (bench, row, column, log2, INTER, 1, 0, dy, dx, context))
    if lapped_cost <= near:
        dy, dx = candidate_vector(candidates, lapped)
        has_levels += run(bench, b.TRY_INTER, (bench, row, column, log2, MERGE, 1, lapped, dy, dx, context))
    if warp_cost <= near:
        dy, dx = displacement_of(displacements_of(bench), row, column, side)
        has_levels += run(bench, b.TRY_INTER, (bench, row, column, log2, WARPED, 0, 0, dy, dx, context))
    done = has_levels == 0.0 or nearest < aim[b.STOP] * aim[STEP] * squares
    return -nearest if done else nearest


@stage
def best_intra(bench: Integer, row: Integer, column: Integer, log2: Integer, context: Integer, bound: Integer) -> Real:
    """Try intra modes, unless their Hadamard cost is beyond ``bound``."""
    aim, ranking = aim_of(bench), ranking_of(bench)
    least = run(bench, b.RANK_MODES, (bench, 8 * row, 8 * column, log2, 0, 0))
    if least > bound:
        return 0.0
    modes = (np.int64(ranking[1, 0]), np.int64(ranking[1, 1]), np.int64(ranking[1, 2]))
    costs = (least, ranking[0, 1], ranking[0, 2])
    tried = np.int64(1 if aim[IS_P] else aim[b.INTRA_MODES])
    for k in range(tried):
        if costs[k] <= 1.15 * max(least, 1.0):
            try_intra(bench, row, column, log2, modes[k], k == 0, context)
    return 0.0


@inner_kernel
def best_leaf(bench: Integer, row: Integer, column: Integer, log2: Integer, context: Integer) -> tuple[Real, Integer]:
    """The best leaf of a size, which goes to its draft and its sheet: (cost, whether it is not to be split)."""
    aim = aim_of(bench)
    aim[BEST] = NEVER
    bound: Integer = 1 << 60
    done: Integer = False
    if aim[IS_P]:
        nearest = run(bench, b.BEST_INTER, (bench, row, column, log2, context))
        done = nearest < 0
        if done or nearest < aim[b.INTRA_FROM] * aim[STEP] * (1 << (2 * log2 - 6)):
            return aim[BEST], done
        bound = np.int64(aim[b.INTRA_NEAR] * nearest)
    run(bench, b.BEST_INTRA, (bench, row, column, log2, context, bound))
    return aim[BEST], done


@kernel
def search_root(
    bench: Integer,
    root_row: Integer,
    root_column: Integer,
    costs: npt.NDArray[np.float64],
    nodes: npt.NDArray[np.int64],
) -> None:
    """Decide one quadtree, depth first: each leaf against what its four quarters come to.

    ``costs`` (4, 2) are the costs of a leaf and of its quarters so far, by log2 − 2; ``nodes`` (4, 6) its row and
    column, the quarter it has come to, and what was used of the lists before.
    """
    cells, used, aim = cells_of(bench), lists_of(bench).used, aim_of(bench)
    log2, result = 5, 0.0
    nodes[3, 0], nodes[3, 1], nodes[3, 2] = root_row, root_column, -1
    while log2 <= 5:
        node, cost = nodes[log2 - 2], costs[log2 - 2]
        row, column, quarter, side = node[0], node[1], node[2], 1 << (log2 - 3)
        decided = False
        if quarter < 0:
            if row >= cells.shape[0] or column >= cells.shape[1]:
                result = 0.0
                log2 += 1
                continue
            node[3], node[4], node[5] = used[0], used[1], used[2]
            cost[0], cost[1] = NEVER, 0.0
            if row + side <= cells.shape[0] and column + side <= cells.shape[1]:
                context = NODES + node_context(cells, np.int64(aim[IS_P]), row, column, log2)
                cost[0], done = best_leaf(bench, row, column, log2, context)
                cost[1] = aim[WEIGHT] * rates_at(bench)[context, SPLIT]
                decided = done or log2 == 3
        else:
            cost[1] += result
            decided = cost[1] >= cost[0]
            if not decided and quarter == 3:
                result = cost[1]
                log2 += 1
                continue
        if decided:
            used[0], used[1], used[2] = node[3], node[4], node[5]
            run(bench, b.PUT_LEAF, (bench, log2))
            result = cost[0]
            log2 += 1
            continue
        quarter += 1
        node[2] = quarter
        log2 -= 1
        nodes[log2 - 2, 0] = row + (quarter >> 1) * (side >> 1)
        nodes[log2 - 2, 1] = column + (quarter & 1) * (side >> 1)
        nodes[log2 - 2, 2] = -1


@kernel
def search_picture(bench: Integer) -> None:
    """All roots, in coding order; what is found is in the lists."""
    costs, nodes = np.zeros((4, 2)), np.zeros((4, 6), np.int64)
    cells, before, parents = cells_of(bench), before_of(bench), parents_of(bench)
    for row in range(0, cells.shape[0], 4):
        for column in range(0, cells.shape[1], 4):
            parents[3, 0], parents[3, 1] = before[row, column, 0], before[row, column, 1]
            search_root(bench, row, column, costs, nodes)


def stages() -> dict[int, int]:
    """Where each stage lies, compiled."""
    of_numbers = {
        b.CODE_BLOCK: code_block,
        b.PREDICT_INTRA: predict_intra_block,
        b.PREDICT_INTER: predict_inter_leaf,
        b.RANK_MODES: rank_modes,
        b.SEARCH_VECTOR: search_vector,
        b.CODE_LEAF: code_leaf,
        b.TRY_INTER: try_inter,
        b.BEST_INTER: best_inter,
        b.BEST_INTRA: best_intra,
        b.PUT_LEAF: put_leaf,
        b.KEEP_TRIAL: keep_trial,
        b.SEARCH_LEVELS: search_levels,
    }
    return {number: address() for number, address in of_numbers.items()}


def search_blocks(bench: Bench) -> None:
    """Decide all blocks of a picture; they are in the bench's lists and cells, and decoded on sheet 0."""
    search_picture(bench.address)
