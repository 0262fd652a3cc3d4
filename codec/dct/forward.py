"""Encoder only: from a block and its prediction to levels, weighing error against bits."""

from __future__ import annotations

import numpy as np

from codec.dct.bench import (
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
from codec.dct.desk import Desk, plane_origin, plane_stride
from codec.dct.symbols import DIRECT, LAST, bucket_of, escape_context, level_context
from codec.dct.tables import BUCKET_OF_RUN, FORWARD, FORWARD_TRANSPOSED, MAX_LEVEL, RUN_BITS, SCANS
from codec.dct.transform import add_levels
from codec.kernels import Integer, Real, inner_kernel, stage
from codec.vector_kernels import address
from codec.vector_transforms import differences, occupancy, real_product

__all__ = ["code_block", "number_bits"]

ROUNDING = 0.38


@inner_kernel
def number_bits(rates: Rates, context: Integer, number: Integer) -> Real:
    """Bits of a number, as `codec.dct.symbols.code_number` writes it."""
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
    found, best_found, position, before = 0, 0, 0, coded
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
    return best, best_found


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

    A level's bits depend on the one before it, so each node keeps the best of the last 14 nodes to come from.
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
        for lower in range(2 if nearest > 1 else 1):
            magnitude: Integer = min(nearest - lower, MAX_LEVEL)
            error = abs(coefficient) - magnitude * step
            bits = 1.0
            if magnitude > 3:
                bits += number_bits(rates, escape_context(is_chroma, i), magnitude - 4)
            own = error * error + weight * bits
            start = squares[i]
            going = start + weight * event_bits(rates, log2, is_chroma, is_intra, 0, coded, i, magnitude, 0)
            ending = start + weight * event_bits(rates, log2, is_chroma, is_intra, 0, coded, i, magnitude, LAST)
            going_from, ending_from = -1, -1
            for k in range(max(nodes_before - 14, 0), nodes_before):
                place = np.int64(paths[0, k])
                seen: Integer = np.int64(paths[1, k])
                before = min(seen, 3) - 1
                start = totals[k] + squares[i] - squares[place + 1]
                zeros = i - place - 1
                cost = start + weight * event_bits(
                    rates, log2, is_chroma, is_intra, place + 1, before, zeros, magnitude, 0
                )
                if cost < going:
                    going, going_from = cost, k
                cost = start + weight * event_bits(
                    rates, log2, is_chroma, is_intra, place + 1, before, zeros, magnitude, LAST
                )
                if cost < ending:
                    ending, ending_from = cost, k
            totals[nodes] = going + own
            paths[0, nodes], paths[1, nodes], paths[2, nodes] = i, magnitude, going_from
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
