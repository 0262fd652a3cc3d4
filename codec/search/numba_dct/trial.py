"""Encoder only: one leaf, tried in one way after another; the best of each size is kept."""

from __future__ import annotations

import numpy as np

from codec.kernels import Integer, Real, inner_kernel, stage
from codec.search.numba_dct import bench as b
from codec.search.numba_dct.bench import (
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
    TRIAL,
    WEIGHT,
    aim_of,
    candidates_of,
    cells_of,
    desk_at,
    draft_of,
    events_of,
    lists_of,
    luma_desk_at,
    rates_at,
    room_of,
    run,
    samples_of,
)
from codec.search.numba_dct.block_motion import vector_bits
from codec.search.numba_dct.blocks import (
    INTER,
    INTRA,
    LEAF_COLUMN,
    LEAF_DX,
    LEAF_DY,
    LEAF_FIELDS,
    LEAF_KIND,
    LEAF_LAPPED,
    LEAF_LOG2,
    LEAF_LUMA,
    LEAF_MERGE,
    LEAF_MODES,
    LEAF_QUARTERED,
    LEAF_ROW,
    MERGE,
    SKIP,
)
from codec.search.numba_dct.decode import predict_intra
from codec.search.numba_dct.desk import DECODED, Desk, block_address, plane_stride, plane_subsampling
from codec.search.numba_dct.inter import copy_block, predict_leaf
from codec.search.numba_dct.intra_search import ranking_of
from codec.search.numba_dct.neighbours import FOUR_MODES, coded_neighbours, likely_modes, mode_symbol, set_cells
from codec.search.numba_dct.symbols import MASKS, MODES_AT, PAIRS, node_symbol
from codec.vector_kernels import rectangle_sse

__all__ = [
    "begin_inter",
    "code_leaf",
    "keep_if_better",
    "keep_trial",
    "leaf_error",
    "predict_inter_leaf",
    "predict_intra_block",
    "put_leaf",
    "try_inter",
    "try_intra",
]


@inner_kernel
def begin_trial(bench: Integer, row: Integer, column: Integer, log2: Integer, kind: Integer, merge: Integer) -> None:
    """An empty draft of a leaf."""
    draft = draft_of(bench, TRIAL)
    for k in range(draft.size):
        draft[k] = 0
    draft[LEAF_LOG2], draft[LEAF_KIND], draft[LEAF_MERGE] = log2, kind, merge
    draft[LEAF_ROW], draft[LEAF_COLUMN] = row, column


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
    bench: Integer,
    kind: Integer,
    lapped: Integer,
    y: Integer,
    x: Integer,
    side: Integer,
    candidate: Integer,
    dy: Integer,
    dx: Integer,
    luma_alone: Integer,
) -> Real:
    """Predict a leaf as a decoder will."""
    desk = luma_desk_at(bench) if luma_alone else desk_at(bench)
    predict_leaf(desk, cells_of(bench), kind, lapped, y, x, side, candidates_of(bench), candidate, dy, dx)
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
        down, right = plane_subsampling(desk, plane)
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
        down, right = plane_subsampling(desk, plane)
        stride = plane_stride(desk, plane)
        there = block_address(desk, np.int64(DECODED), plane, y, x)
        here = block_address(desk, np.int64(SOURCE), plane, y, x)
        total += rectangle_sse(here, stride, there, there, stride, side >> down, side >> right, 1 << 30)
    return total


@inner_kernel
def begin_inter(
    bench: Integer,
    row: Integer,
    column: Integer,
    log2: Integer,
    kind: Integer,
    lapped: Integer,
    merge: Integer,
    dy: Integer,
    dx: Integer,
) -> None:
    """A draft of a leaf with a vector."""
    begin_trial(bench, row, column, log2, kind, merge)
    draft, candidates = draft_of(bench, TRIAL), candidates_of(bench)
    draft[DRAFT_DY], draft[DRAFT_DX], draft[LEAF_LAPPED] = dy, dx, lapped
    if kind == INTER:
        draft[LEAF_DY], draft[LEAF_DX] = dy - candidates[0, 0], dx - candidates[0, 1]


@stage
def try_inter(
    bench: Integer,
    row: Integer,
    column: Integer,
    log2: Integer,
    kind: Integer,
    lapped: Integer,
    merge: Integer,
    dy: Integer,
    dx: Integer,
    context: Integer,
) -> Real:
    """A merge, also without levels, or an own vector, with its luma whole and by quarters.

    Returns 1 where some trial had levels, else 0.
    """
    aim, rates, draft = aim_of(bench), rates_at(bench)[context], draft_of(bench, TRIAL)
    candidates, y, x, side = candidates_of(bench), 8 * row, 8 * column, 1 << log2
    weight, vector_cost, has_levels = aim[WEIGHT], 0.0, 0.0
    if kind == INTER:
        vector_cost = vector_bits(rates_at(bench), dy - candidates[0, 0], dx - candidates[0, 1])
    for quartered in range(np.int64(aim[b.QUARTERS]) + 1):
        run(bench, b.PREDICT_INTER, (bench, kind, lapped, y, x, side, merge, dy, dx, 0))
        if kind == MERGE and quartered == 0:
            begin_inter(bench, row, column, log2, MERGE if lapped else SKIP, lapped, merge, dy, dx)
            keep_if_better(bench, leaf_error(desk_at(bench), y, x, side) + weight * rates[node_symbol(draft)], log2)
        begin_inter(bench, row, column, log2, kind, lapped, merge, dy, dx)
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
