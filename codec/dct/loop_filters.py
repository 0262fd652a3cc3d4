"""Filters of decoded samples before they become a reference: deblocking and ALF (spec 10.12, 10.13)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.candidates import BlockMap
from codec.dct.planes import Plane
from codec.depths import SAMPLE_BITS, Difference, Sample
from codec.models import BlockKind
from codec.motion import tables as motion_tables
from codec.motion.compensation import ReferencePlane
from codec.vectors import clip

__all__ = ["AdaptiveLoopFilter", "Deblocking"]

BORDER: cython.int = motion_tables.BORDER


def clip_difference(value: Difference, low: Difference, high: Difference) -> Difference:
    """`clip`, of 8 bits with 16, of which twice as many fit into a vector."""
    return low if value < low else high if value > high else value


@cython.cclass
class Deblocking:
    """The filter over edges of transform blocks and coding blocks, on a grid of 8×8 samples (HEVC's)."""

    tc: cython.int[::1]
    beta: cython.int[::1]

    def __init__(self):
        self.tc, self.beta = table(tables.TC), table(tables.BETA)

    def filter(
        self,
        luma: Plane,
        cb: Plane,
        cr: Plane,
        planes: cython.int,
        blocks: BlockMap,
        qp: cython.int,
        qp_chroma: cython.int,
    ) -> cython.void:
        """Filter all vertical edges, then all horizontal ones; a QP below 0 does as 0, which filters nothing."""
        over = 0 if SAMPLE_BITS == 8 else luma.bit_depth - 8
        peak = 255 if SAMPLE_BITS == 8 else (1 << luma.bit_depth) - 1
        qp, qp_chroma = max(qp, 0), max(qp_chroma, 0)
        tc_chroma = self.tc[qp_chroma + 2] << over
        for horizontal in range(2):
            for row in range(horizontal, blocks.rows):
                for column in range(1 - horizontal, blocks.columns):
                    strength = edge_strength(blocks, row, column, horizontal)
                    if strength == 0:
                        continue
                    tc = self.tc[qp + 2 * (strength - 1)] << over
                    if tc > 0:
                        filter_luma_edge(luma, 8 * row, 8 * column, horizontal, tc, self.beta[qp] << over, peak)
                    position = 8 * row >> cb.log2_y if horizontal else 8 * column >> cb.log2_x
                    if strength == 2 and planes > 1 and position & 7 == 0 and tc_chroma > 0:
                        y, x = 8 * row >> cb.log2_y, 8 * column >> cb.log2_x
                        filter_chroma_edge(cb, y, x, horizontal, tc_chroma, peak)
                        filter_chroma_edge(cr, y, x, horizontal, tc_chroma, peak)


def edge_strength(blocks: BlockMap, row: cython.int, column: cython.int, horizontal: cython.bint) -> cython.int:
    """Between a unit and the one to its left, or above: 0 no filter, 1 a weak one, 2 where a side is intra."""
    other_row, other_column = row - horizontal, column - 1 + horizontal
    position, side = 8 * (row if horizontal else column), 1 << blocks.log2[row, column]
    if position & ((side >> blocks.transform_split[row, column]) - 1):
        return 0
    if blocks.kind[row, column] == BlockKind.INTRA or blocks.kind[other_row, other_column] == BlockKind.INTRA:
        return 2
    if (blocks.cbf[row, column] | blocks.cbf[other_row, other_column]) & 1:
        return 1
    if position & (side - 1):
        return 0
    if blocks.directions[row, column] != blocks.directions[other_row, other_column]:
        return 1
    for k in range(2):
        far_down = abs(blocks.dy[k, row, column] - blocks.dy[k, other_row, other_column])
        far_right = abs(blocks.dx[k, row, column] - blocks.dx[k, other_row, other_column])
        if max(far_down, far_right) >= 4:
            return 1
    return 0


def filter_luma_edge(
    plane: Plane,
    y: cython.int,
    x: cython.int,
    horizontal: cython.bint,
    tc: cython.int,
    beta: cython.int,
    peak: cython.int,
) -> cython.void:
    """Filter the eight lines over an edge, which lies in front of (y, x), in two groups."""
    q = y * plane.stride + x
    across = plane.stride if horizontal else 1
    along = 1 if horizontal else plane.stride
    filter_four_lines(plane.flat, q, across, along, tc, beta, peak)
    filter_four_lines(plane.flat, q + 4 * along, across, along, tc, beta, peak)


def bend(s: Sample[::1], q: cython.int, first: cython.int, step: cython.int) -> cython.int:
    """How far three samples are from a line."""
    return abs(s[q + first] - 2 * s[q + first + step] + s[q + first + 2 * step])


def is_flat(
    s: Sample[::1], q: cython.int, across: cython.int, bent: cython.int, tc: cython.int, beta: cython.int
) -> cython.bint:
    """Whether a line allows the strong filter."""
    spread = abs(s[q - across] - s[q - 4 * across]) + abs(s[q + 3 * across] - s[q])
    return 2 * bent < beta >> 2 and spread < beta >> 3 and abs(s[q - across] - s[q]) < (5 * tc + 1) >> 1


def filter_four_lines(
    s: Sample[::1],
    q: cython.int,
    across: cython.int,
    along: cython.int,
    tc: cython.int,
    beta: cython.int,
    peak: cython.int,
) -> cython.void:
    """Filter four lines, strongly or weakly or not at all, as the first and the last of them say."""
    last = q + 3 * along
    first_p, first_q = bend(s, q, -3 * across, across), bend(s, q, 0, across)
    last_p, last_q = bend(s, last, -3 * across, across), bend(s, last, 0, across)
    if first_p + first_q + last_p + last_q >= beta:
        return
    strong: cython.bint = False
    if is_flat(s, q, across, first_p + first_q, tc, beta):
        strong = is_flat(s, last, across, last_p + last_q, tc, beta)
    least = (beta + (beta >> 1)) >> 3
    for _ in range(4):
        if strong:
            filter_strongly(s, q, across, 2 * tc)
        else:
            filter_weakly(s, q, across, tc, first_p + last_p < least, first_q + last_q < least, peak)
        q += along


def filter_strongly(s: Sample[::1], q: cython.int, across: cython.int, most: cython.int) -> cython.void:
    """Filter three samples on each side of an edge, by at most ``most``."""
    p0: cython.int = s[q - across]
    p1: cython.int = s[q - 2 * across]
    p2: cython.int = s[q - 3 * across]
    p3: cython.int = s[q - 4 * across]
    q0: cython.int = s[q]
    q1: cython.int = s[q + across]
    q2: cython.int = s[q + 2 * across]
    q3: cython.int = s[q + 3 * across]
    s[q - across] = clip((p2 + 2 * p1 + 2 * p0 + 2 * q0 + q1 + 4) >> 3, p0 - most, p0 + most)
    s[q - 2 * across] = clip((p2 + p1 + p0 + q0 + 2) >> 2, p1 - most, p1 + most)
    s[q - 3 * across] = clip((2 * p3 + 3 * p2 + p1 + p0 + q0 + 4) >> 3, p2 - most, p2 + most)
    s[q] = clip((p1 + 2 * p0 + 2 * q0 + 2 * q1 + q2 + 4) >> 3, q0 - most, q0 + most)
    s[q + across] = clip((p0 + q0 + q1 + q2 + 2) >> 2, q1 - most, q1 + most)
    s[q + 2 * across] = clip((p0 + q0 + q1 + 3 * q2 + 2 * q3 + 4) >> 3, q2 - most, q2 + most)


def filter_weakly(
    s: Sample[::1],
    q: cython.int,
    across: cython.int,
    tc: cython.int,
    wide_p: cython.bint,
    wide_q: cython.bint,
    peak: cython.int,
) -> cython.void:
    """Filter one sample on each side of an edge, and a second where that side is smooth."""
    p0: cython.int = s[q - across]
    p1: cython.int = s[q - 2 * across]
    p2: cython.int = s[q - 3 * across]
    q0: cython.int = s[q]
    q1: cython.int = s[q + across]
    q2: cython.int = s[q + 2 * across]
    change: cython.int = (9 * (q0 - p0) - 3 * (q1 - p1) + 8) >> 4
    if abs(change) >= 10 * tc:
        return
    change = clip(change, -tc, tc)
    half: cython.int = tc >> 1
    s[q - across] = clip(p0 + change, 0, peak)
    s[q] = clip(q0 - change, 0, peak)
    if wide_p:
        s[q - 2 * across] = clip(p1 + clip((((p2 + p0 + 1) >> 1) - p1 + change) >> 1, -half, half), 0, peak)
    if wide_q:
        s[q + across] = clip(q1 + clip((((q2 + q0 + 1) >> 1) - q1 - change) >> 1, -half, half), 0, peak)


def filter_chroma_edge(
    plane: Plane, y: cython.int, x: cython.int, horizontal: cython.bint, tc: cython.int, peak: cython.int
) -> cython.void:
    """Filter one sample on each side of an edge, on all lines of a unit."""
    s, q = plane.flat, y * plane.stride + x
    across = plane.stride if horizontal else 1
    along = 1 if horizontal else plane.stride
    for _ in range(8 >> (plane.log2_x if horizontal else plane.log2_y)):
        p0: cython.int = s[q - across]
        q0: cython.int = s[q]
        change = clip((4 * (q0 - p0) + s[q - 2 * across] - s[q + across] + 4) >> 3, -tc, tc)
        s[q - across] = clip(p0 + change, 0, peak)
        s[q] = clip(q0 - change, 0, peak)
        q += along


@cython.cclass
class AdaptiveLoopFilter:
    """ALF: brings a plane nearest to the source, by taps that the file brings."""

    offsets: cython.int[:, ::1]  # (down, right) of each tap of luma, which stands for the opposite sample too
    chroma_offsets: cython.int[:, ::1]  # of the first four taps the same; the others look into luma
    sums: cython.int[::1]  # of a row
    luma: cython.short[:, ::1]  # samples of luma where those of chroma are; and the same at a tap

    def __init__(self, width):
        """For pictures so wide."""
        self.offsets, self.chroma_offsets = table(tables.ALF_OFFSETS), table(tables.ALF_CHROMA_OFFSETS)
        self.sums, self.luma = zeros(width, np.int32), zeros((2, width), np.int16)

    def filter(self, plane: Plane, luma: Plane, taps: cython.int[::1], flags: cython.uchar[:, ::1]) -> cython.void:
        """Filter the flagged squares of 64×64 samples of luma in a plane, from the references to the samples.

        Sums are below 2**17: twelve taps of 8 bits, differences up to 24. Of 12 bits a sample differences are up to
        384, and sums below 2**21.
        """
        side, squares = 64 >> plane.log2_x, cython.cast(cython.int, flags.shape[1])
        for y in range(plane.height):
            row = y << plane.log2_y >> 6
            first: cython.int = 0
            while first < squares:
                end: cython.int = first
                while end < squares and flags[row, end]:
                    end += 1
                if end > first:
                    self.filter_row(plane, luma, taps, y, side * first, min(side * end, plane.width) - side * first)
                first = end + 1

    def filter_row(
        self, plane: Plane, luma: Plane, taps: cython.int[::1], y: cython.int, left: cython.int, width: cython.int
    ) -> cython.void:
        """Filter samples side by side."""
        sums, bit_depth = self.sums, 8 if SAMPLE_BITS == 8 else plane.bit_depth
        most = tables.ALF_CLIP << (bit_depth - 8)
        for x in range(width):
            sums[x] = 64
        if plane.number == 0:
            add_pairs(plane.reference, self.offsets, taps, 12, sums, y, left, width, most)
        else:
            add_pairs(plane.reference, self.chroma_offsets, taps, 4, sums, y, left, width, most)
            self.add_luma(luma.reference, plane, taps, y, left, width, most)
        source, v, u = plane.reference.samples, plane.reference.top + y + BORDER, left + BORDER
        add_sums(source, v, u, sums, plane.samples, y, left, width, (1 << bit_depth) - 1)

    def add_luma(
        self,
        luma: ReferencePlane,
        plane: Plane,
        taps: cython.int[::1],
        y: cython.int,
        left: cython.int,
        width: cython.int,
        most: cython.int,
    ) -> cython.void:
        """To samples of a row of chroma: the taps of luma where they are."""
        sums, samples = self.sums, self.luma
        v, u = luma.top + (y << plane.log2_y) + BORDER, (left << plane.log2_x) + BORDER
        self.take_every(luma.samples, v, u, plane.log2_x, samples, 0, width)
        for k in range(4, 12):
            down, right, tap = self.chroma_offsets[k, 0], self.chroma_offsets[k, 1], taps[k]
            self.take_every(luma.samples, v + down, u + right, plane.log2_x, samples, 1, width)
            for x in range(width):
                difference: Difference = samples[1, x] - samples[0, x]
                product: Difference = tap * clip_difference(difference, -most, most)
                sums[x] += product

    def take_every(
        self,
        samples: Sample[:, ::1],
        v: cython.int,
        u: cython.int,
        log2: cython.int,
        rows: cython.short[:, ::1],
        row: cython.int,
        width: cython.int,
    ) -> cython.void:
        """Take every sample of a row, or every second one."""
        if log2 == 0:
            for x in range(width):
                rows[row, x] = samples[v, u + x]
        else:
            for x in range(width):
                rows[row, x] = samples[v, u + 2 * x]


def add_pairs(
    reference: ReferencePlane,
    offsets: cython.int[:, ::1],
    taps: cython.int[::1],
    pairs: cython.int,
    sums: cython.int[::1],
    y: cython.int,
    left: cython.int,
    width: cython.int,
    most: cython.int,
) -> cython.void:
    """To samples of a row: the taps that stand for two opposite samples of the plane."""
    source, v, u = reference.samples, reference.top + y + BORDER, left + BORDER
    for k in range(pairs):
        down, right, tap = offsets[k, 0], offsets[k, 1], taps[k]
        for x in range(width):
            centre: Difference = source[v, u + x]
            after: Difference = clip_difference(source[v + down, u + right + x] - centre, -most, most)
            ahead: Difference = clip_difference(source[v - down, u - right + x] - centre, -most, most)
            both: Difference = tap * (after + ahead)
            sums[x] += both


def add_sums(
    source: Sample[:, ::1],
    v: cython.int,
    u: cython.int,
    sums: cython.int[::1],
    samples: Sample[:, ::1],
    y: cython.int,
    left: cython.int,
    width: cython.int,
    peak: cython.int,
) -> cython.void:
    """Samples of a row, filtered."""
    for x in range(width):
        samples[y, left + x] = clip(source[v, u + x] + (sums[x] >> 7), 0, peak)
