"""The filter over edges of transform blocks and leaves, HEVC's on its 8×8 grid (spec 8.6.9)."""

from __future__ import annotations

import numpy as np

from codec.dct.tables import BETA, MAX_QP, TC
from codec.kernels import Integer, inner_kernel, kernel
from codec.picture.planes import Plane
from codec.search.numba_dct.blocks import INTRA, Shape
from codec.search.numba_dct.desk import lay_out
from codec.search.numba_dct.neighbours import CELL_CODED, CELL_DX, CELL_DY, CELL_KIND, CELL_LOG2, CELL_QUARTERED, Cells

__all__ = ["deblock"]


@inner_kernel
def clip(value: Integer, low: Integer, high: Integer) -> Integer:
    """``low`` … ``high``."""
    return min(max(value, low), high)


@inner_kernel
def edge_strength(
    cells: Cells, row: Integer, column: Integer, other_row: Integer, other_column: Integer, position: Integer
) -> Integer:
    """0 no filter, 1 a weak one, 2 where a side is intra: between a cell and the one before it.

    ``position`` is where the edge lies, in luma samples.
    """
    here, there = cells[row, column], cells[other_row, other_column]
    side = 1 << here[CELL_LOG2]
    if position & ((side >> here[CELL_QUARTERED]) - 1):
        return 0
    if here[CELL_KIND] == INTRA or there[CELL_KIND] == INTRA:
        return 2
    if (here[CELL_CODED] | there[CELL_CODED]) & 1:
        return 1
    if position & (side - 1):
        return 0
    return int(abs(here[CELL_DY] - there[CELL_DY]) >= 4 or abs(here[CELL_DX] - there[CELL_DX]) >= 4)


@inner_kernel
def at(samples: Plane, place: Integer) -> Integer:
    """A sample as a number that may become negative."""
    return np.int32(samples[place])


@inner_kernel
def bends(samples: Plane, q: Integer, across: Integer) -> tuple[Integer, Integer]:
    """How far three samples on each side of an edge are from a line."""
    before = abs(at(samples, q - 3 * across) - 2 * at(samples, q - 2 * across) + at(samples, q - across))
    return before, abs(at(samples, q + 2 * across) - 2 * at(samples, q + across) + at(samples, q))


@inner_kernel
def is_flat(samples: Plane, q: Integer, across: Integer, bend: Integer, tc: Integer, beta: Integer) -> Integer:
    """Whether a line allows the strong filter."""
    p0, q0 = at(samples, q - across), at(samples, q)
    spread = abs(p0 - at(samples, q - 4 * across)) + abs(at(samples, q + 3 * across) - q0)
    return 2 * bend < beta >> 2 and spread < beta >> 3 and abs(p0 - q0) < (5 * tc + 1) >> 1


@inner_kernel
def filter_strongly(samples: Plane, q: Integer, across: Integer, most: Integer) -> None:
    """Three samples on each side of an edge, by at most ``most``."""
    p0, p1, p2 = at(samples, q - across), at(samples, q - 2 * across), at(samples, q - 3 * across)
    q0, q1, q2 = at(samples, q), at(samples, q + across), at(samples, q + 2 * across)
    p3, q3 = at(samples, q - 4 * across), at(samples, q + 3 * across)
    samples[q - across] = clip((p2 + 2 * p1 + 2 * p0 + 2 * q0 + q1 + 4) >> 3, p0 - most, p0 + most)
    samples[q - 2 * across] = clip((p2 + p1 + p0 + q0 + 2) >> 2, p1 - most, p1 + most)
    samples[q - 3 * across] = clip((2 * p3 + 3 * p2 + p1 + p0 + q0 + 4) >> 3, p2 - most, p2 + most)
    samples[q] = clip((p1 + 2 * p0 + 2 * q0 + 2 * q1 + q2 + 4) >> 3, q0 - most, q0 + most)
    samples[q + across] = clip((p0 + q0 + q1 + q2 + 2) >> 2, q1 - most, q1 + most)
    samples[q + 2 * across] = clip((p0 + q0 + q1 + 3 * q2 + 2 * q3 + 4) >> 3, q2 - most, q2 + most)


@inner_kernel
def filter_weakly(samples: Plane, q: Integer, across: Integer, tc: Integer, wide_p: bool, wide_q: bool) -> None:
    """One sample on each side of an edge, and a second where that side is smooth."""
    p0, p1, p2 = at(samples, q - across), at(samples, q - 2 * across), at(samples, q - 3 * across)
    q0, q1, q2 = at(samples, q), at(samples, q + across), at(samples, q + 2 * across)
    change = (9 * (q0 - p0) - 3 * (q1 - p1) + 8) >> 4
    if abs(change) >= 10 * tc:
        return
    change, half = clip(change, -tc, tc), tc >> 1
    samples[q - across] = clip(p0 + change, 0, 255)
    samples[q] = clip(q0 - change, 0, 255)
    if wide_p:
        samples[q - 2 * across] = clip(p1 + clip((((p2 + p0 + 1) >> 1) - p1 + change) >> 1, -half, half), 0, 255)
    if wide_q:
        samples[q + across] = clip(q1 + clip((((q2 + q0 + 1) >> 1) - q1 - change) >> 1, -half, half), 0, 255)


@inner_kernel
def filter_luma(samples: Plane, place: Integer, across: Integer, along: Integer, tc: Integer, beta: Integer) -> None:
    """Four lines over an edge, which lies in front of ``place``; ``across`` leads over it."""
    first_p, first_q = bends(samples, place, across)
    last_p, last_q = bends(samples, place + 3 * along, across)
    if first_p + first_q + last_p + last_q >= beta:
        return
    strong = is_flat(samples, place, across, first_p + first_q, tc, beta)
    strong = strong and is_flat(samples, place + 3 * along, across, last_p + last_q, tc, beta)
    least = (beta + (beta >> 1)) >> 3
    for line in range(4):
        if strong:
            filter_strongly(samples, place + line * along, across, 2 * tc)
        else:
            filter_weakly(samples, place + line * along, across, tc, first_p + last_p < least, first_q + last_q < least)


@inner_kernel
def filter_chroma(samples: Plane, place: Integer, across: Integer, along: Integer, lines: Integer, tc: Integer) -> None:
    """Lines over an edge of chroma."""
    for line in range(lines):
        q = place + line * along
        p1, p0 = at(samples, q - 2 * across), at(samples, q - across)
        q0, q1 = at(samples, q), at(samples, q + across)
        change = clip((((q0 - p0) << 2) + p1 - q1 + 4) >> 3, -tc, tc)
        samples[q - across] = clip(p0 + change, 0, 255)
        samples[q] = clip(q0 - change, 0, 255)


@kernel
def filter_picture(
    samples: Plane,
    cells: Cells,
    shape: Shape,
    stride: tuple[int, int],
    chroma: tuple[int, int],
    qp: Integer,
    qp_chroma: Integer,
) -> None:
    """All upright edges, then all level ones."""
    beta = BETA[qp]
    for level in range(2):
        for row in range(level, cells.shape[0]):
            for column in range(1 - level, cells.shape[1]):
                position = 8 * (row if level else column)
                strength = edge_strength(cells, row, column, row - level, column - 1 + level, position)
                if strength == 0:
                    continue
                tc = TC[qp + 2 * (strength - 1)]
                across, along = (stride[0], 1) if level else (1, stride[0])
                place = 8 * row * stride[0] + 8 * column
                filter_luma(samples, place, across, along, tc, beta)
                filter_luma(samples, place + 4 * along, across, along, tc, beta)
                subsampled = shape.down if level else shape.right
                if strength == 2 and shape.planes > 1 and (position >> subsampled) & 7 == 0:
                    tc = TC[qp_chroma + 2]
                    across, along = (stride[1], 1) if level else (1, stride[1])
                    place = chroma[0] + (8 * row >> shape.down) * stride[1] + (8 * column >> shape.right)
                    lines = 8 >> (shape.right if level else shape.down)
                    filter_chroma(samples, place, across, along, lines, tc)
                    filter_chroma(samples, place + chroma[1], across, along, lines, tc)


def deblock(sheet: Plane, cells: Cells, shape: Shape, qp: int, qp_chroma: int) -> None:
    """Filter a decoded sheet in place."""
    assert qp <= MAX_QP and qp_chroma <= MAX_QP
    filter_picture(sheet, cells, shape, *lay_out(shape), qp, qp_chroma)
