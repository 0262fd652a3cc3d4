"""Encoder only: the quadtree of a picture, leaf by leaf, weighing error against bits."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from codec.dct import bench as b
from codec.dct.bench import (
    BEST,
    DRAFT_CODED,
    DRAFT_COUNTS,
    DRAFT_DX,
    DRAFT_DY,
    DRAFT_FIRST,
    DRAFT_LEVELS,
    IS_P,
    SAVED,
    SOURCE,
    STEP,
    TRIAL,
    WEIGHT,
    Bench,
    aim_of,
    before_of,
    candidates_of,
    cells_of,
    desk_at,
    draft_of,
    events_of,
    lists_of,
    parents_of,
    rates_at,
    room_of,
    run,
    samples_of,
)
from codec.dct.block_motion import moved_hadamard, predicted_hadamard, search_vector, vector_bits
from codec.dct.blocks import (
    INTER,
    INTRA,
    LEAF_COLUMN,
    LEAF_DX,
    LEAF_DY,
    LEAF_FIELDS,
    LEAF_KIND,
    LEAF_LOG2,
    LEAF_LUMA,
    LEAF_MERGE,
    LEAF_MODES,
    LEAF_QUARTERED,
    LEAF_ROW,
    MERGE,
    SKIP,
)
from codec.dct.decode import predict_intra
from codec.dct.desk import DECODED, Desk, plane_origin, plane_stride
from codec.dct.forward import code_block, search_levels
from codec.dct.inter import predict_merged, predict_moved
from codec.dct.intra_search import rank_modes, ranking_of
from codec.dct.neighbours import (
    AVERAGED,
    FOUR_MODES,
    coded_neighbours,
    likely_modes,
    merge_candidates,
    mode_symbol,
    node_context,
    set_cells,
)
from codec.dct.symbols import FIRST_CODED, MASKS, MODES_AT, NODES, PAIRS, SPLIT, node_symbol
from codec.kernels import Integer, Real, inner_kernel, kernel, stage
from codec.vector_kernels import put_means, rectangle_sse

__all__ = ["search_blocks"]

NEVER = 1e30


@inner_kernel
def begin_trial(bench: Integer, row: Integer, column: Integer, log2: Integer, kind: Integer, merge: Integer) -> None:
    """An empty draft of a leaf."""
    draft = draft_of(bench, TRIAL)
    for k in range(draft.size):
        draft[k] = 0
    draft[LEAF_LOG2], draft[LEAF_KIND], draft[LEAF_MERGE] = log2, kind, merge
    draft[LEAF_ROW], draft[LEAF_COLUMN] = row, column


@inner_kernel
def copy_block(desk: Desk, source: Integer, target: Integer, y: Integer, x: Integer, side: Integer) -> None:
    """Copy a leaf's samples from sheet to sheet."""
    for plane in range(desk.shape.planes):
        down, right = (0, 0) if plane == 0 else (desk.shape.down, desk.shape.right)
        stride = plane_stride(desk, plane)
        there = desk.address + plane_origin(desk, plane) + (y >> down) * stride + (x >> right)
        copied = there + source * desk.sheet
        put_means(there + target * desk.sheet, stride, copied, copied, stride, side >> down, side >> right)


@stage
def keep_trial(bench: Integer, log2: Integer) -> Real:
    """The trial is the best leaf of its size so far."""
    trial, kept = draft_of(bench, TRIAL), draft_of(bench, log2 - 2)
    tried_events, kept_events = events_of(bench, TRIAL), events_of(bench, log2 - 2)
    for k in range(trial.size):
        kept[k] = trial[k]
    for k in range(trial[DRAFT_LEVELS]):
        kept_events[0, k], kept_events[1, k] = tried_events[0, k], tried_events[1, k]
    y, x = 8 * np.int64(trial[LEAF_ROW]), 8 * np.int64(trial[LEAF_COLUMN])
    copy_block(desk_at(bench), DECODED, SAVED + log2 - 3, y, x, 1 << log2)
    return 0.0


@stage
def put_leaf(bench: Integer, log2: Integer) -> Real:
    """The best leaf of a size is what is coded."""
    draft, events, lists = draft_of(bench, log2 - 2), events_of(bench, log2 - 2), lists_of(bench)
    used = lists.used
    row, column = np.int64(draft[LEAF_ROW]), np.int64(draft[LEAF_COLUMN])
    copy_block(desk_at(bench), SAVED + log2 - 3, DECODED, 8 * row, 8 * column, 1 << log2)
    for k in range(LEAF_FIELDS):
        lists.leaves[used[0], k] = draft[k]
    for k in range(draft[DRAFT_COUNTS]):
        lists.counts[used[1] + k] = draft[DRAFT_FIRST + k]
    for k in range(draft[DRAFT_LEVELS]):
        lists.positions[used[2] + k] = events[0, k]
        lists.levels[used[2] + k] = events[1, k]
    used[0] += 1
    used[1] += draft[DRAFT_COUNTS]
    used[2] += draft[DRAFT_LEVELS]
    set_cells(
        cells_of(bench),
        row,
        column,
        log2,
        draft[LEAF_KIND],
        draft[DRAFT_CODED],
        draft[LEAF_MODES],
        draft[DRAFT_DY],
        draft[DRAFT_DX],
        draft[LEAF_QUARTERED],
    )
    return 0.0


@stage
def predict_intra_block(bench: Integer, plane: Integer, y: Integer, x: Integer, side: Integer, mode: Integer) -> Real:
    """Predict a transform block as a decoder will."""
    predict_intra(desk_at(bench), samples_of(bench), cells_of(bench), room_of(bench), plane, y, x, side, mode)
    return 0.0


@stage
def predict_inter_leaf(
    bench: Integer, y: Integer, x: Integer, side: Integer, candidate: Integer, dy: Integer, dx: Integer
) -> Real:
    """Predict a leaf as a decoder will: from a merge candidate, or where that is below 0 by a vector."""
    if candidate < 0:
        predict_moved(desk_at(bench), DECODED, y, x, side, dy, dx)
    else:
        predict_merged(desk_at(bench), y, x, side, candidates_of(bench), candidate)
    return 0.0


@inner_kernel
def code_part(
    bench: Integer, plane: Integer, y: Integer, x: Integer, log2: Integer, is_intra: Integer, coded: Integer
) -> tuple[Real, Integer]:
    """`code_block`, and whether there are levels."""
    draft = draft_of(bench, TRIAL)
    before = draft[DRAFT_COUNTS]
    cost = run(bench, b.CODE_BLOCK, (bench, plane, y, x, log2, is_intra, coded))
    return cost, draft[DRAFT_COUNTS] > before


@inner_kernel
def code_intra_quarters(bench: Integer, y: Integer, x: Integer, coded: Integer) -> tuple[Real, Integer]:
    """The luma of a smallest leaf with four intra modes: cost, and which quarters have levels."""
    weight, rates, ranking = aim_of(bench)[WEIGHT], rates_at(bench)[MODES_AT + 2], ranking_of(bench)
    cost: Real = 0.0
    mask: Integer = 0
    modes: Integer = 0
    for part in range(4):
        top, left = y + 4 * (part >> 1), x + 4 * (part & 1)
        run(bench, b.RANK_MODES, (bench, top, left, 2, part, modes))
        mode = np.int64(ranking[1, 0])
        near, above = likely_modes(cells_of(bench), y >> 3, x >> 3, part, modes)
        cost += weight * rates[mode_symbol(mode, near, above)]
        modes |= mode << (6 * part)
        run(bench, b.PREDICT_INTRA, (bench, 0, top, left, 4, mode))
        part_cost, has_levels = code_part(bench, 0, top, left, 2, 1, coded)
        cost += part_cost
        mask |= has_levels << part
    draft_of(bench, TRIAL)[LEAF_MODES] = modes
    return cost, mask


@stage
def code_leaf(bench: Integer, quartered: Integer, four_modes: Integer) -> Real:
    """Code the residual of the trial, whose inter prediction lies on the decoded sheet, or whose mode is set.

    Returns error + λ · bits of everything but the node's symbol, the vector, and the mode unless there are four.
    """
    desk, draft, cells, weight = desk_at(bench), draft_of(bench, TRIAL), cells_of(bench), aim_of(bench)[WEIGHT]
    shape = desk.shape
    log2, is_intra = np.int64(draft[LEAF_LOG2]), np.int64(draft[LEAF_KIND] == INTRA)
    row, column = np.int64(draft[LEAF_ROW]), np.int64(draft[LEAF_COLUMN])
    draft[LEAF_QUARTERED] = quartered
    cost: Real = 0.0
    all_coded: Integer = 0
    for plane in range(shape.planes):
        down, right = (0, 0) if plane == 0 else (shape.down, shape.right)
        coded = coded_neighbours(cells, row, column, plane)
        by_quarters = quartered if plane == 0 else 0
        log2_block = log2 - (by_quarters if plane == 0 else right)
        parts = 4 if by_quarters else 1 + right - down
        across = 2 if by_quarters else 1
        mask = 0
        if four_modes and plane == 0:
            cost, mask = code_intra_quarters(bench, 8 * row, 8 * column, coded)
            parts = 0 * parts
        for part in range(parts):
            top = (8 * row >> down) + ((part // across) << log2_block)
            left = (8 * column >> right) + ((part % across) << log2_block)
            if is_intra:
                mode = np.int64(draft[LEAF_MODES]) & 63
                run(bench, b.PREDICT_INTRA, (bench, plane, top, left, 1 << log2_block, mode))
            part_cost, has_levels = code_part(bench, plane, top, left, log2_block, is_intra, coded)
            cost += part_cost
            mask |= has_levels << part
        draft[LEAF_LUMA + plane] = mask
        all_coded |= (mask > 0) << plane
        if mask and (by_quarters or parts > 1):
            context = PAIRS if plane > 0 else MASKS + 2 * (5 - log2) + is_intra
            cost += weight * rates_at(bench)[context, mask]
    draft[DRAFT_CODED] = all_coded
    return cost


@inner_kernel
def keep_if_better(bench: Integer, cost: Real, log2: Integer) -> None:
    """Keep the trial where it costs less than the best leaf so far."""
    aim = aim_of(bench)
    if cost < aim[BEST]:
        aim[BEST] = cost
        run(bench, b.KEEP_TRIAL, (bench, log2))


@inner_kernel
def leaf_error(desk: Desk, y: Integer, x: Integer, side: Integer) -> Real:
    """Squared error of all planes of a leaf as it lies on the decoded sheet."""
    total = 0.0
    for plane in range(desk.shape.planes):
        down, right = (0, 0) if plane == 0 else (desk.shape.down, desk.shape.right)
        stride = plane_stride(desk, plane)
        there = desk.address + plane_origin(desk, plane) + (y >> down) * stride + (x >> right)
        here = there + SOURCE * desk.sheet
        total += rectangle_sse(here, stride, there, there, stride, side >> down, side >> right, 1 << 30)
    return total


@inner_kernel
def begin_inter(
    bench: Integer,
    row: Integer,
    column: Integer,
    log2: Integer,
    kind: Integer,
    merge: Integer,
    dy: Integer,
    dx: Integer,
) -> None:
    """A draft of a leaf with a vector."""
    begin_trial(bench, row, column, log2, kind, merge)
    draft, candidates = draft_of(bench, TRIAL), candidates_of(bench)
    draft[DRAFT_DY], draft[DRAFT_DX] = dy, dx
    if kind == INTER:
        draft[LEAF_DY], draft[LEAF_DX] = dy - candidates[0, 0], dx - candidates[0, 1]


@stage
def try_inter(
    bench: Integer,
    row: Integer,
    column: Integer,
    log2: Integer,
    kind: Integer,
    merge: Integer,
    dy: Integer,
    dx: Integer,
    context: Integer,
) -> Real:
    """A merge, also as a skip, or an own vector, with its luma whole and by quarters.

    Returns 1 where some trial had levels, else 0.
    """
    aim, rates, draft = aim_of(bench), rates_at(bench)[context], draft_of(bench, TRIAL)
    candidates, y, x, side = candidates_of(bench), 8 * row, 8 * column, 1 << log2
    weight, vector_cost, has_levels = aim[WEIGHT], 0.0, 0.0
    if kind == INTER:
        vector_cost = vector_bits(rates_at(bench), dy - candidates[0, 0], dx - candidates[0, 1])
    for quartered in range(np.int64(aim[b.QUARTERS]) + 1):
        run(bench, b.PREDICT_INTER, (bench, y, x, side, merge if kind == MERGE else -1, dy, dx))
        if kind == MERGE and quartered == 0:
            begin_inter(bench, row, column, log2, SKIP, merge, dy, dx)
            keep_if_better(bench, leaf_error(desk_at(bench), y, x, side) + weight * rates[merge], log2)
        begin_inter(bench, row, column, log2, kind, merge, dy, dx)
        cost = run(bench, b.CODE_LEAF, (bench, quartered, 0))
        if draft[DRAFT_CODED]:
            has_levels = 1.0
        elif kind == MERGE:
            break
        keep_if_better(bench, cost + weight * (vector_cost + rates[node_symbol(draft)]), log2)
        if draft[LEAF_LUMA] == 0:
            break
    return has_levels


@inner_kernel
def nearest_merge(
    bench: Integer, y: Integer, x: Integer, side: Integer, count: Integer, context: Integer
) -> tuple[Real, Integer]:
    """(Hadamard sum + √λ · bits, candidate) of the merge candidate that predicts best."""
    desk, candidates, rates = desk_at(bench), candidates_of(bench), rates_at(bench)[context]
    weight = math.sqrt(aim_of(bench)[WEIGHT])
    best, found = NEVER, 0
    for candidate in range(4):
        if candidate >= count and (candidate != AVERAGED or count < 2):
            continue
        if candidate == AVERAGED:
            run(bench, b.PREDICT_INTER, (bench, y, x, side, candidate, 0, 0))
            cost = predicted_hadamard(desk, y, x, side)
        else:
            dy, dx = np.int64(candidates[candidate, 0]), np.int64(candidates[candidate, 1])
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
        if candidate == but or (candidate >= count and (candidate != AVERAGED or count < 2)):
            continue
        shown = 0 if candidate == AVERAGED else candidate
        dy, dx = np.int64(candidates[shown, 0]), np.int64(candidates[shown, 1])
        run(bench, b.PREDICT_INTER, (bench, y, x, side, candidate, 0, 0))
        begin_inter(bench, row, column, log2, SKIP, candidate, dy, dx)
        cost = leaf_error(desk_at(bench), y, x, side) + aim[WEIGHT] * rates[candidate]
        keep_if_better(bench, cost, log2)


@stage
def best_inter(bench: Integer, row: Integer, column: Integer, log2: Integer, context: Integer) -> Real:
    """Try merges and vectors; returns the least Hadamard cost, negative where there is nothing left to gain."""
    aim, candidates, parents = aim_of(bench), candidates_of(bench), parents_of(bench)
    y, x, side, squares = 8 * row, 8 * column, 1 << log2, 1 << (2 * log2 - 6)
    count = merge_candidates(cells_of(bench), before_of(bench), row, column, log2, candidates)
    merge_cost, merge = nearest_merge(bench, y, x, side, count, context)
    shown = 0 if merge == AVERAGED else merge
    merge_y, merge_x = np.int64(candidates[shown, 0]), np.int64(candidates[shown, 1])
    parents[log2 - 3, 0], parents[log2 - 3, 1] = merge_y, merge_x
    own_cost = NEVER
    if aim[b.MOVES] and merge_cost > 2 * aim[STEP] * squares:
        own_cost = run(bench, b.SEARCH_VECTOR, (bench, y, x, log2, count))
        for k in range(count):
            if candidates[k, 0] == parents[log2 - 3, 0] and candidates[k, 1] == parents[log2 - 3, 1]:
                own_cost = NEVER
        own_cost += math.sqrt(aim[WEIGHT]) * rates_at(bench)[context, FIRST_CODED + 16 * 4 + 1]
    if aim[b.ALL_SKIPS]:
        try_skips(bench, row, column, log2, count, merge, context)
    has_levels = 0.0
    near = 1 + aim[b.NEAR]
    if merge_cost <= own_cost * near:
        has_levels += run(bench, b.TRY_INTER, (bench, row, column, log2, MERGE, merge, merge_y, merge_x, context))
    if own_cost < NEVER and own_cost <= merge_cost * near:
        dy, dx = np.int64(parents[log2 - 3, 0]), np.int64(parents[log2 - 3, 1])
        has_levels += run(bench, b.TRY_INTER, (bench, row, column, log2, INTER, 0, dy, dx, context))
    nearest = min(merge_cost, own_cost)
    done = has_levels == 0.0 or nearest < aim[b.STOP] * aim[STEP] * squares
    return -nearest if done else nearest


@inner_kernel
def try_intra(
    bench: Integer, row: Integer, column: Integer, log2: Integer, mode: Integer, first: bool, context: Integer
) -> None:
    """An intra mode, with luma whole and by quarters; for the ``first`` of the smallest leaves with four modes."""
    aim, draft, rates = aim_of(bench), draft_of(bench, TRIAL), rates_at(bench)
    weight, allowed = aim[WEIGHT], aim[b.FOUR_MODES_FROM] >= 1 + aim[IS_P]
    left, above = likely_modes(cells_of(bench), row, column, 0, 0)
    quarters = np.int64(aim[b.QUARTERS]) if log2 > 3 else np.int64(first and allowed)
    for quartered in range(quarters + 1):
        four_modes = np.int64(log2 == 3 and quartered == 1)
        begin_trial(bench, row, column, log2, INTRA, 0)
        draft[LEAF_MODES] = FOUR_MODES * mode
        cost = run(bench, b.CODE_LEAF, (bench, quartered, four_modes)) + weight * rates[context, node_symbol(draft)]
        if not four_modes:
            cost += weight * rates[MODES_AT + 5 - log2, mode_symbol(mode, left, above)]
        keep_if_better(bench, cost, log2)
        if quartered == 0 and draft[LEAF_LUMA] == 0:
            break


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
def best_leaf(bench: Integer, row: Integer, column: Integer, log2: Integer) -> tuple[Real, Integer]:
    """The best leaf of a size, which goes to its draft and its sheet: (cost, whether it is not to be split)."""
    aim = aim_of(bench)
    context = NODES + node_context(cells_of(bench), np.int64(aim[IS_P]), row, column, log2)
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
                cost[0], done = best_leaf(bench, row, column, log2)
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
