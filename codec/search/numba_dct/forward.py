"""Encoder only: from a block and its prediction to levels, weighing error against bits."""

from __future__ import annotations

import numpy as np

from codec.dct.tables import BUCKET_OF_RUN, FORWARD, FORWARD_TRANSPOSED, MAX_LEVEL, RUN_BITS, SCANS
from codec.kernels import Integer, Real, inner_kernel, stage
from codec.search.numba_dct.bench import (
    COEFFICIENTS,
    DRAFT_COUNTS,
    DRAFT_FIRST,
    DRAFT_LEVELS,
    ENERGY,
    HALFWAY,
    RESIDUAL,
    SCALE,
    SEARCH_LEVELS,
    SOURCE,
    STEP,
    TRELLIS,
    TRIAL,
    WEIGHT,
    Rates,
    aim_of,
    desk_at,
    draft_of,
    events_of,
    path_costs_of,
    paths_of,
    rates_at,
    reals_of,
    room_of,
    run,
)
from codec.search.numba_dct.desk import Desk, plane_origin, plane_stride
from codec.search.numba_dct.symbols import DIRECT, HIDDEN_FROM, LAST, bucket_of, escape_context, level_context
from codec.search.numba_dct.transform import add_levels
from codec.vector_kernels import address
from codec.vector_transforms import differences, occupancy, real_product

__all__ = ["code_block", "number_bits"]

ROUNDING = 0.38
NEVER = 1e30
BIT_WORTH = np.float32(0.4)  # of λ, where a sum is mended: later pictures inherit the error; 0.5 % better than 1


@inner_kernel
def number_bits(rates: Rates, context: Integer, number: Integer) -> Real:
    """Bits of a number, as `codec.search.numba_dct.symbols.code_number` writes it."""
    if number < DIRECT:
        return rates[context, number]
    bucket = bucket_of(number)
    return rates[context, DIRECT + bucket] + np.float32(bucket + 4)


@inner_kernel
def transform(bench: Integer, desk: Desk, place: Integer, stride: Integer, log2: Integer, least: Real) -> Integer:
    """Coefficients of source − prediction at ``place`` of the sheets, and `occupancy` of those from ``least`` on."""
    side = 1 << log2
    reals = address(reals_of(bench))
    there = desk.address + place
    differences(side, there + SOURCE * desk.sheet, stride, there, stride, reals + 4096 * RESIDUAL)
    basis, transposed = address(FORWARD) + 4096 * (log2 - 2), address(FORWARD_TRANSPOSED) + 4096 * (log2 - 2)
    real_product(side, basis, reals + 4096 * RESIDUAL, reals + 4096 * HALFWAY)
    real_product(side, reals + 4096 * HALFWAY, transposed, reals + 4096 * COEFFICIENTS)
    return occupancy(side, reals + 4096 * COEFFICIENTS, np.float32(least), reals + 4096 * ENERGY)


@inner_kernel
def choose_levels(
    bench: Integer,
    log2: Integer,
    is_chroma: Integer,
    is_intra: Integer,
    coded: Integer,
    places: Integer,
    first: Integer,
) -> tuple[Real, Integer]:
    """Levels of the coefficients one after the other, and the end where error + λ · bits is least.

    They go to the events of the trial from ``first`` on; returns what is gained and how many there are.
    ``places`` is how much of the scan there is to look at.
    """
    rates, events, coefficients, aim = (
        rates_at(bench),
        events_of(bench, TRIAL),
        reals_of(bench)[COEFFICIENTS],
        aim_of(bench),
    )
    scan = SCANS[log2 - 2]
    step = np.float32(aim[STEP + is_chroma])
    inverse, weight = np.float32(1) / step, np.float32(aim[WEIGHT])
    found: Integer = np.int64(0)
    best_found: Integer = np.int64(0)
    position: Integer = np.int64(0)
    before: Integer = coded
    gain: Real = np.float32(0)
    best: Real = np.float32(0)
    for i in range(places):
        coefficient = coefficients[scan[i] >> 5, scan[i] & 31]
        scaled = abs(coefficient) * inverse
        if scaled < np.float32(1 - ROUNDING):
            continue
        magnitude: Integer = min(np.int64(scaled + np.float32(ROUNDING)), MAX_LEVEL)
        error = abs(coefficient) - np.float32(magnitude) * step
        run = i - position
        bits = np.float32(1 + RUN_BITS[BUCKET_OF_RUN[run]])
        if magnitude > 3:
            bits += number_bits(rates, escape_context(is_chroma, i), magnitude - 4)
        context = level_context(log2, is_chroma, is_intra, position, before)
        symbol = 4 * BUCKET_OF_RUN[run] + min(magnitude, 4) - 1
        events[0, first + found] = i
        events[1, first + found] = magnitude if coefficient > 0 else -magnitude
        found += 1
        gain += error * error - coefficient * coefficient
        last = gain + weight * (bits + rates[context, symbol + LAST])
        if last < best:
            best, best_found = last, found
        gain += weight * (bits + rates[context, symbol])
        position, before = i + 1, min(magnitude, 3) - 1
    if best_found >= HIDDEN_FROM:
        best += mend_parity(bench, log2, is_chroma, is_intra, coded, first, best_found) - weight
        if events[1, first + best_found - 1] == 0:
            best_found -= 1
    return best, best_found


@inner_kernel
def mend_parity(
    bench: Integer,
    log2: Integer,
    is_chroma: Integer,
    is_intra: Integer,
    coded: Integer,
    first: Integer,
    found: Integer,
) -> Real:
    """Change a level by 1 where the sum of all does not tell the last one's sign; returns error + λ · bits of that.

    A level that becomes 0 leaves the events, and a 0 behind the others.
    """
    rates, events, aim = rates_at(bench), events_of(bench, TRIAL), aim_of(bench)
    coefficients, scan = reals_of(bench)[COEFFICIENTS], SCANS[log2 - 2]
    step, weight, end = np.float32(aim[STEP + is_chroma]), np.float32(aim[WEIGHT]), first + found
    total = 0
    for k in range(first, end):
        total += abs(events[1, k])
    if total & 1 == (events[1, end - 1] < 0):
        return np.float32(0)
    best: Real = np.float32(NEVER)
    changed: Integer = 0
    change: Integer = 0
    position: Integer = 0
    before: Integer = coded
    for k in range(first, end):
        place = np.int64(events[0, k])
        magnitude: Integer = np.int64(abs(events[1, k]))
        error = abs(coefficients[scan[place] >> 5, scan[place] & 31]) - np.float32(magnitude) * step
        more = 1 if error > 0 and magnitude < MAX_LEVEL else -1
        if magnitude + more > 0 or k < end - 1:
            context = level_context(log2, is_chroma, is_intra, position, before)
            base = 4 * BUCKET_OF_RUN[place - position] - 1 + (LAST if k == end - 1 else 0)
            bits = -rates[context, base + min(magnitude, 4)]
            bits += rates[context, base + min(magnitude + more, 4)] if magnitude + more else np.float32(-1)
            cost = step * (step - 2 * np.float32(more) * error) + BIT_WORTH * weight * bits
            if cost < best:
                best, changed, change = cost, k, more
        position, before = place + 1, min(magnitude, 3) - 1
    events[1, changed] += change if events[1, changed] > 0 else -change
    if events[1, changed] == 0:
        for k in range(changed, end - 1):
            events[0, k], events[1, k] = events[0, k + 1], events[1, k + 1]
        events[1, end - 1] = 0
        if found == HIDDEN_FROM:  # the sign is told again
            best += weight
    return best


@inner_kernel
def event_bits(
    rates: Rates,
    log2: Integer,
    is_chroma: Integer,
    is_intra: Integer,
    position: Integer,
    before: Integer,
    run: Integer,
    magnitude: Integer,
    last: Integer,
) -> Real:
    """Bits of a level's symbol, without its sign and escape; ``last`` is 0 or 128."""
    bucket = BUCKET_OF_RUN[run]
    context = level_context(log2, is_chroma, is_intra, position, before)
    return rates[context, 4 * bucket + min(magnitude, 4) - 1 + last] + np.float32(RUN_BITS[bucket])


@stage
def search_levels(
    bench: Integer,
    log2: Integer,
    is_chroma: Integer,
    is_intra: Integer,
    coded: Integer,
    places: Integer,
    first: Integer,
) -> Real:
    """The same as `choose_levels` by a search over all paths through the two nearest magnitudes of each coefficient.

    A level's bits depend on the one before it, so each node keeps the best of the last 28 nodes to come from; an even
    node is reached by magnitudes with an even sum, an odd one by others.
    Returns the gain; the levels, in the trial's events, end before a 0.
    """
    rates, events, coefficients, aim = (
        rates_at(bench),
        events_of(bench, TRIAL),
        reals_of(bench)[COEFFICIENTS],
        aim_of(bench),
    )
    costs, paths = path_costs_of(bench), paths_of(bench)
    squares, totals = costs[0], costs[1]
    step, weight, scan = aim[STEP + is_chroma], aim[WEIGHT], SCANS[log2 - 2]
    nodes, best, best_node, best_before = 0, 0.0, -1, -1
    squares[0] = 0.0
    for i in range(places):
        coefficient = np.float64(coefficients[scan[i] >> 5, scan[i] & 31])
        squares[i + 1] = squares[i] + coefficient * coefficient
        nearest = np.int64(abs(coefficient) / step + 0.5)
        if nearest == 0:
            continue
        nodes_before = nodes
        is_negative = np.int64(coefficient < 0)
        for choice in range(4 if nearest > 1 else 2):
            magnitude: Integer = min(nearest - (choice >> 1), MAX_LEVEL)
            parity = choice & 1  # of all magnitudes up to this one
            error = abs(coefficient) - magnitude * step
            bits = 1.0
            if magnitude > 3:
                bits += number_bits(rates, escape_context(is_chroma, i), magnitude - 4)
            own = error * error + weight * bits
            going, going_from, ending, ending_from = NEVER, -1, NEVER, -1
            if magnitude & 1 == parity:
                start = squares[i]
                going = start + weight * event_bits(rates, log2, is_chroma, is_intra, 0, coded, i, magnitude, 0)
                ending = start + weight * event_bits(rates, log2, is_chroma, is_intra, 0, coded, i, magnitude, LAST)
            for k in range(max(nodes_before - 28, 0), nodes_before):
                seen: Integer = np.int64(paths[1, k])
                if (k ^ magnitude ^ parity) & 1:
                    continue
                place = np.int64(paths[0, k])
                before = min(seen, 3) - 1
                start = totals[k] + squares[i] - squares[place + 1]
                zeros = i - place - 1
                cost = start + weight * event_bits(
                    rates, log2, is_chroma, is_intra, place + 1, before, zeros, magnitude, 0
                )
                if cost < going:
                    going, going_from = cost, k
                is_hidden = paths[3, k] + 1 >= HIDDEN_FROM
                if is_hidden and parity != is_negative:
                    continue
                cost = start + weight * (
                    event_bits(rates, log2, is_chroma, is_intra, place + 1, before, zeros, magnitude, LAST) - is_hidden
                )
                if cost < ending:
                    ending, ending_from = cost, k
            totals[nodes] = going + own
            paths[0, nodes], paths[1, nodes], paths[2, nodes] = i, magnitude, going_from
            paths[3, nodes] = 1 if going_from < 0 else paths[3, going_from] + 1
            gain = ending + own - squares[i + 1]
            if gain < best:
                best, best_node, best_before = gain, nodes, ending_from
            nodes += 1
    found: Integer = 0
    node: Integer = best_node
    while node >= 0:
        found += 1
        node = best_before if node == best_node else np.int64(paths[2, node])
    events[1, first + found] = 0
    node = best_node
    while node >= 0:
        found -= 1
        place = np.int64(paths[0, node])
        is_negative = coefficients[scan[place] >> 5, scan[place] & 31] < 0
        events[0, first + found] = place
        events[1, first + found] = -paths[1, node] if is_negative else paths[1, node]
        node = best_before if node == best_node else np.int64(paths[2, node])
    return best


@stage
def code_block(
    bench: Integer,
    plane: Integer,
    y: Integer,
    x: Integer,
    log2: Integer,
    is_intra: Integer,
    coded: Integer,
) -> Real:
    """Correct the prediction of a transform block as a decoder will, and note its levels in the trial, if any.

    Returns squared error + λ · bits.
    """
    desk, aim = desk_at(bench), aim_of(bench)
    stride, is_chroma = plane_stride(desk, plane), np.int64(plane > 0)
    place = plane_origin(desk, plane) + y * stride + x
    least = np.float32(aim[STEP + is_chroma]) * np.float32(0.5 if aim[TRELLIS] else 1 - ROUNDING)
    occupied = transform(bench, desk, place, stride, log2, least)
    energy = np.float64(reals_of(bench)[ENERGY, 0, 0])
    if occupied < 0:
        return energy
    diagonal, side = (occupied >> 6) + (occupied & 63), 1 << log2
    places = side * side if diagonal >= side else (diagonal + 1) * (diagonal + 2) // 2
    draft, events = draft_of(bench, TRIAL), events_of(bench, TRIAL)
    first = np.int64(draft[DRAFT_LEVELS])
    if aim[TRELLIS]:
        gain, found = run(bench, SEARCH_LEVELS, (bench, log2, is_chroma, is_intra, coded, places, first)), 0
        while events[1, first + found]:
            found += 1
    else:
        gain, found = choose_levels(bench, log2, is_chroma, is_intra, coded, places, first)
    if found == 0:
        return energy
    draft[DRAFT_FIRST + draft[DRAFT_COUNTS]] = found
    draft[DRAFT_COUNTS] += 1
    draft[DRAFT_LEVELS] += found
    scale, scratch = np.int64(aim[SCALE + is_chroma]), room_of(bench).coefficients
    add_levels(events[0], events[1], first, found, log2, scale, scratch, desk.address + place, stride)
    return energy + np.float64(gain)
