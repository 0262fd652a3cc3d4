"""Prediction of a block from the picture before (spec 10.9)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.planes import Plane
from codec.vectors import copy_row, mix_row, taps_down

__all__ = ["InterPredictor", "Mesh"]

BORDER: cython.int = tables.BORDER
MARGIN: cython.int = 36  # samples before the picture that a block may begin


def clip(value: cython.int, low: cython.int, high: cython.int) -> cython.int:
    """The nearest number of low…high."""
    return low if value < low else high if value > high else value


def clip_short(value: cython.short, low: cython.short, high: cython.short) -> cython.short:
    """The same of 16 bits, of which twice as many fit into a vector."""
    return low if value < low else high if value > high else value


def copy(
    source: cython.uchar[:, ::1],
    y: cython.int,
    x: cython.int,
    target: cython.uchar[:, ::1],
    top: cython.int,
    left: cython.int,
    height: cython.int,
    width: cython.int,
) -> cython.void:
    """Copy a rectangle."""
    for j in range(height):
        copy_row(target, top + j, left, source, y + j, x, width)


def luma_once(
    source: cython.uchar[:, ::1],
    tall: cython.uchar[:, ::1],
    taps: cython.short[:, ::1],
    y: cython.int,
    x: cython.int,
    height: cython.int,
    width: cython.int,
    fraction: cython.int,
    down: cython.int,
) -> cython.void:
    """Filter by eight taps, down or across."""
    right = 1 - down
    y -= 3 * down
    x -= 3 * right
    a, b, c, d = taps[fraction, 0], taps[fraction, 1], taps[fraction, 2], taps[fraction, 3]
    e, f, g, h = taps[fraction, 4], taps[fraction, 5], taps[fraction, 6], taps[fraction, 7]
    for strip in range(0, width, 16):
        for j in range(height):
            for i in range(16):
                v, u = y + j, x + strip + i
                total: cython.short = (
                    a * source[v, u]
                    + b * source[v + down, u + right]
                    + c * source[v + 2 * down, u + 2 * right]
                    + d * source[v + 3 * down, u + 3 * right]
                    + e * source[v + 4 * down, u + 4 * right]
                    + f * source[v + 5 * down, u + 5 * right]
                    + g * source[v + 6 * down, u + 6 * right]
                    + h * source[v + 7 * down, u + 7 * right]
                )
                tall[j, strip + i] = clip_short((total + 32) >> 6, 0, 255)


def luma_across(
    source: cython.uchar[:, ::1],
    wide: cython.short[:, ::1],
    taps: cython.short[:, ::1],
    y: cython.int,
    x: cython.int,
    height: cython.int,
    width: cython.int,
    across: cython.int,
) -> cython.void:
    """Filter by eight taps across, also the rows around that those down take."""
    a, b, c, d = taps[across, 0], taps[across, 1], taps[across, 2], taps[across, 3]
    e, f, g, h = taps[across, 4], taps[across, 5], taps[across, 6], taps[across, 7]
    for strip in range(0, width, 16):
        u = x + strip - 3
        for j in range(height + 7):
            v = y + j - 3
            for i in range(16):
                wide[j, strip + i] = (
                    a * source[v, u + i]
                    + b * source[v, u + i + 1]
                    + c * source[v, u + i + 2]
                    + d * source[v, u + i + 3]
                    + e * source[v, u + i + 4]
                    + f * source[v, u + i + 5]
                    + g * source[v, u + i + 6]
                    + h * source[v, u + i + 7]
                )


def luma_down(
    wide: cython.short[:, ::1],
    taps: cython.short[:, ::1],
    height: cython.int,
    width: cython.int,
    down: cython.int,
    target: cython.uchar[:, ::1],
    top: cython.int,
    left: cython.int,
) -> cython.void:
    """Filter what is filtered across by eight taps down, with one rounding at the end."""
    for strip in range(0, width, 16):
        if down == 0:
            for j in range(height):
                for i in range(16):
                    sample: cython.short = wide[j + 3, strip + i] + 32
                    target[top + j, left + strip + i] = clip_short(sample >> 6, 0, 255)
        else:
            for j in range(height):
                taps_down(wide, j, strip, taps, down, target, top + j, left + strip)


def chroma_once(
    source: cython.uchar[:, ::1],
    tall: cython.uchar[:, ::1],
    taps: cython.short[:, ::1],
    y: cython.int,
    x: cython.int,
    height: cython.int,
    width: cython.int,
    fraction: cython.int,
    down: cython.int,
) -> cython.void:
    """Filter by four taps, down or across."""
    right = 1 - down
    y -= 1 * down
    x -= 1 * right
    a, b, c, d = taps[fraction, 0], taps[fraction, 1], taps[fraction, 2], taps[fraction, 3]
    for strip in range(0, width, 16):
        for j in range(height):
            for i in range(16):
                v, u = y + j, x + strip + i
                total: cython.short = (
                    a * source[v, u]
                    + b * source[v + down, u + right]
                    + c * source[v + 2 * down, u + 2 * right]
                    + d * source[v + 3 * down, u + 3 * right]
                )
                tall[j, strip + i] = clip_short((total + 32) >> 6, 0, 255)


def chroma_twice(
    source: cython.uchar[:, ::1],
    wide: cython.short[:, ::1],
    tall: cython.uchar[:, ::1],
    taps: cython.short[:, ::1],
    y: cython.int,
    x: cython.int,
    height: cython.int,
    width: cython.int,
    down: cython.int,
    across: cython.int,
) -> cython.void:
    """Filter by four taps across, then down, with one rounding at the end."""
    a, b, c, d = taps[across, 0], taps[across, 1], taps[across, 2], taps[across, 3]
    for strip in range(0, width, 16):
        u = x + strip - 1
        for j in range(height + 3):
            v = y + j - 1
            for i in range(16):
                wide[j, strip + i] = (
                    a * source[v, u + i]
                    + b * source[v, u + i + 1]
                    + c * source[v, u + i + 2]
                    + d * source[v, u + i + 3]
                )
    a, b, c, d = taps[down, 0], taps[down, 1], taps[down, 2], taps[down, 3]
    for strip in range(0, width, 16):
        for j in range(height):
            for i in range(16):
                total: cython.int = (
                    a * wide[j, strip + i]
                    + b * wide[j + 1, strip + i]
                    + c * wide[j + 2, strip + i]
                    + d * wide[j + 3, strip + i]
                )
                tall[j, strip + i] = clip((total + 2048) >> 12, 0, 255)


def mix_evenly(
    samples: cython.uchar[:, ::1],
    second: cython.uchar[:, ::1],
    top: cython.int,
    left: cython.int,
    height: cython.int,
    width: cython.int,
) -> cython.void:
    """The mean of two predictions of a rectangle."""
    for j in range(top, top + height):
        for i in range(left, left + width):
            samples[j, i] = (samples[j, i] + second[j, i] + 1) >> 1


def mix_from_edge(
    samples: cython.uchar[:, ::1],
    second: cython.uchar[:, ::1],
    top: cython.int,
    left: cython.int,
    height: cython.int,
    width: cython.int,
    from_left: cython.bint,
) -> cython.void:
    """Two predictions of a rectangle: half of each at its left or upper edge, only the first at the other."""
    reach = width if from_left else height
    shift: cython.int = 2
    while 1 << shift < 4 * reach:
        shift += 1
    for j in range(height):
        first = 2 * reach - 1 - (0 if from_left else 2 * j)
        if width < 4:
            for i in range(width):
                sample: cython.int = samples[top + j, left + i]
                share = first - 2 * i if from_left else first
                change: cython.int = (share * (second[top + j, left + i] - sample) + 2 * reach) >> shift
                samples[top + j, left + i] = sample + change
        for i in range(0, width & ~3, 8):
            share = first - 2 * i if from_left else first
            mix_row(samples, top + j, left + i, second, share, 2 * from_left, shift, min(width - i, 8))


@cython.cclass
class InterPredictor:
    """Predicts blocks of a plane from the reference; vectors are in quarters of a luma sample.

    Filters work on strips of 16 samples, each a vector, also where a block is narrower. Between filtering across and
    down nothing is rounded: −6120…22440. Where a fraction is 0, its filter would multiply by 64 and change nothing.
    """

    wide: cython.short[:, ::1]  # what is filtered across, but not down yet
    tall: cython.uchar[:, ::1]  # what is filtered
    luma_taps: cython.short[:, ::1]  # by quarters
    chroma_taps: cython.short[:, ::1]  # by eighths
    quarters: cython.uchar[:, ::1]  # see `fill_quarters`
    quarter_rows: cython.int

    def __init__(self):
        self.wide, self.tall = zeros((32 + 7, 32), np.int16), zeros((32, 32), np.uint8)
        self.quarter_rows = 0
        self.luma_taps, self.chroma_taps = table(tables.LUMA_TAPS, np.int16), table(tables.CHROMA_TAPS, np.int16)

    def prepare_quarters(self, luma: Plane) -> None:
        """Get room for `fill_quarters`."""
        self.quarter_rows = luma.height + 2 * 36 + 32
        self.quarters = zeros((16 * self.quarter_rows, luma.width + 2 * 36 + 32), np.uint8)

    def predict(
        self,
        plane: Plane,
        target: cython.uchar[:, ::1],
        y: cython.int,
        x: cython.int,
        height: cython.int,
        width: cython.int,
        dy: cython.int,
        dx: cython.int,
    ) -> cython.void:
        """Put the motion-compensated reference where it covers a rectangle of luma samples, at most 32×32."""
        top, left, height, width = y >> plane.log2_y, x >> plane.log2_x, height >> plane.log2_y, width >> plane.log2_x
        is_subsampled: cython.bint = plane.log2_y + plane.log2_x > 0
        if is_subsampled:
            dy, dx = dy * (2 >> plane.log2_y), dx * (2 >> plane.log2_x)
        fraction = 3 if is_subsampled else 2
        # further out than this all samples are those of the picture's edge
        above = clip(top + (dy >> fraction), -MARGIN, plane.height + 4) + BORDER
        before = clip(left + (dx >> fraction), -MARGIN, plane.width + 4) + BORDER
        down: cython.int = dy & ((1 << fraction) - 1)
        across: cython.int = dx & ((1 << fraction) - 1)
        if self.quarter_rows and plane.number == 0:
            row = (4 * down + across) * self.quarter_rows + above - BORDER + MARGIN
            copy(self.quarters, row, before - BORDER + MARGIN, target, top, left, height, width)
            return
        if not (down or across):
            copy(plane.reference, above, before, target, top, left, height, width)
            return
        if down and across:
            if is_subsampled:
                chroma_twice(
                    plane.reference, self.wide, self.tall, self.chroma_taps, above, before, height, width, down, across
                )
            else:
                luma_across(plane.reference, self.wide, self.luma_taps, above, before, height, width, across)
                luma_down(self.wide, self.luma_taps, height, width, down, self.tall, 0, 0)
        elif is_subsampled:
            chroma_once(
                plane.reference, self.tall, self.chroma_taps, above, before, height, width, down + across, down > 0
            )
        else:
            luma_once(plane.reference, self.tall, self.luma_taps, above, before, height, width, down + across, down > 0)
        copy(self.tall, 0, 0, target, top, left, height, width)

    def fill_quarters(self, luma: Plane) -> cython.void:
        """Filter all of luma's reference for an encoder, which looks at most of it: blocks are then copied.

        There are sixteen planes with a margin, one below the other, by 4 · (dy & 3) + (dx & 3), with room for squares.
        """
        quarters, far = self.quarters, MARGIN - 8
        rows, columns = luma.height + 2 * MARGIN, luma.width + 2 * MARGIN
        for y in range(-8, luma.height + 8, 32):
            for x in range(-8, luma.width + 8, 32):
                top, left = min(y, luma.height - 24), min(x, luma.width - 24)
                for across in range(4):
                    luma_across(luma.reference, self.wide, self.luma_taps, top + BORDER, left + BORDER, 32, 32, across)
                    for down in range(4):
                        row = (4 * down + across) * self.quarter_rows + top + MARGIN
                        luma_down(self.wide, self.luma_taps, 32, 32, down, quarters, row, left + MARGIN)
        for phase in range(16):
            first = phase * self.quarter_rows
            for row in range(first + far, first + rows - far):  # further out all samples are those of the edge
                for column in range(far):
                    quarters[row, column] = quarters[row, far]
                for column in range(columns - far, columns):
                    quarters[row, column] = quarters[row, columns - far - 1]
            for row in range(far):
                copy_row(quarters, first + row, 0, quarters, first + far, 0, columns)
                copy_row(quarters, first + rows - far + row, 0, quarters, first + rows - far - 1, 0, columns)

    def average(self, plane: Plane, y: cython.int, x: cython.int, side: cython.int) -> cython.void:
        """Make a block of the samples the mean of its two predictions."""
        top, left, height, width = y >> plane.log2_y, x >> plane.log2_x, side >> plane.log2_y, side >> plane.log2_x
        mix_evenly(plane.samples, plane.second, top, left, height, width)

    def overlap(
        self,
        plane: Plane,
        y: cython.int,
        x: cython.int,
        height: cython.int,
        width: cython.int,
        from_left: cython.bint,
    ) -> cython.void:
        """OBMC: mix the second prediction into a rectangle of luma samples.

        It counts half at the rectangle's left or upper edge, and nothing at the other.
        """
        top, left, height, width = y >> plane.log2_y, x >> plane.log2_x, height >> plane.log2_y, width >> plane.log2_x
        mix_from_edge(plane.samples, plane.second, top, left, height, width, from_left)


@cython.cclass
class Mesh:
    """Motion of the corners of square cells, in sixteenths of a luma sample, bilinear between them (spec 10.7, 7.7)."""

    nodes: cython.short[:, :, ::1]
    log2: cython.int  # of the side of a cell in luma samples
    taps: cython.short[:, ::1]  # by sixteenths

    def __init__(self, nodes, cell_size):
        """``nodes`` are int16 (rows, columns, 2), (dy, dx)."""
        self.nodes, self.log2 = table(nodes, np.int16), cell_size.bit_length() - 1
        self.taps = table(tables.SIXTEENTH_TAPS, np.int16)

    def between(
        self, row: cython.int, column: cython.int, v: cython.int, u: cython.int, tall: cython.int, wide: cython.int
    ) -> tuple[cython.int, cython.int]:
        """A cell's motion ``v`` samples below and ``u`` right of its first, times ``tall`` · ``wide``, its size.

        Sums are below 2**24: nodes up to 16384, cells of 32.
        """
        nodes = self.nodes
        a, b, c, d = (tall - v) * (wide - u), (tall - v) * u, v * (wide - u), v * u
        dy: cython.int = a * nodes[row, column, 0] + b * nodes[row, column + 1, 0]
        dx: cython.int = a * nodes[row, column, 1] + b * nodes[row, column + 1, 1]
        dy += c * nodes[row + 1, column, 0] + d * nodes[row + 1, column + 1, 0]
        dx += c * nodes[row + 1, column, 1] + d * nodes[row + 1, column + 1, 1]
        return dy, dx

    def vector(self, y: cython.int, x: cython.int) -> tuple[cython.int, cython.int]:
        """The motion of a luma sample in quarter samples (spec 10.7)."""
        side: cython.int = 1 << self.log2
        dy, dx = self.between(y >> self.log2, x >> self.log2, y & (side - 1), x & (side - 1), side, side)
        half: cython.int = 2 << (2 * self.log2)
        return (dy + half) >> (2 * self.log2 + 2), (dx + half) >> (2 * self.log2 + 2)

    def predict(
        self, plane: Plane, target: cython.uchar[:, ::1], y: cython.int, x: cython.int, side: cython.int
    ) -> cython.void:
        """Put the warped reference where it covers a block of luma.

        Beyond the picture's edges its outermost samples go on. Down the taps leave 16 bits, across 32.
        """
        reference, taps = plane.reference, self.taps
        log2_y, log2_x = self.log2 - plane.log2_y, self.log2 - plane.log2_x  # of a cell's size in the plane's samples
        tall: cython.int = 1 << log2_y
        wide: cython.int = 1 << log2_x
        shift_y, shift_x = log2_y + log2_x + plane.log2_y, log2_y + log2_x + plane.log2_x
        top, left = y >> plane.log2_y, x >> plane.log2_x
        for j in range(top, top + (side >> plane.log2_y)):
            v = min(j, plane.height - 1)
            for i in range(left, left + (side >> plane.log2_x)):
                u = min(i, plane.width - 1)
                dy, dx = self.between(v >> log2_y, u >> log2_x, v & (tall - 1), u & (wide - 1), tall, wide)
                there_y = 16 * v + ((dy + ((1 << shift_y) >> 1)) >> shift_y)
                there_x = 16 * u + ((dx + ((1 << shift_x) >> 1)) >> shift_x)
                above = clip(there_y >> 4, -MARGIN, plane.height + 4) + BORDER - 3
                before = clip(there_x >> 4, -MARGIN, plane.width + 4) + BORDER - 3
                down, across = there_y & 15, there_x & 15
                total: cython.int = 2048
                for m in range(8):
                    column: cython.int = 0
                    for n in range(8):
                        column += taps[down, n] * reference[above + n, before + m]
                    total += taps[across, m] * column
                target[j, i] = clip(total >> 12, 0, 255)
