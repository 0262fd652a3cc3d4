"""Prediction of a block from the samples around it, and of chroma from luma (spec 10.8)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.candidates import BlockMap
from codec.dct.planes import Plane
from codec.dct.syntax import CodingBlock
from codec.depths import SAMPLE_BITS, Difference, Sample
from codec.picture.planes import sample_type
from codec.vectors import clip, copy_row

__all__ = ["IntraPredictor"]

# Of CCLM: squared samples of 8 bits that luma varies by and means nothing; 1 and 16 take 0.4 % more of I pictures
RIDGE: cython.longlong = 4
STEEPEST: cython.longlong = 255  # chroma over luma, in 1/64


def is_smoothed(mode: cython.int, side: cython.int) -> cython.bint:
    """Whether a block of luma is predicted from smoothed reference samples."""
    if side < 8 or mode == tables.DC:
        return False
    distance = min(abs(mode - tables.VERTICAL), abs(mode - tables.HORIZONTAL))
    return mode == tables.PLANAR or distance > (7 if side == 8 else 1 if side == 16 else 0)


@cython.cclass
class IntraPredictor:
    """Predicts blocks: `gather` takes the reference samples of one, `predict` what a mode makes of them."""

    side: cython.int
    log2: cython.int
    references: cython.int[::1]  # from the lower left up, the corner, to the right
    smoothed: cython.int[::1]
    is_smooth: cython.bint  # whether they are smoothed yet
    line: cython.short[::1]
    turned: Sample[:, ::1]  # a prediction with rows and columns exchanged
    lumas: cython.int[:, ::1]  # where samples of chroma are
    slope: cython.int  # of the line that chroma follows, in 1/64, and where it begins
    offset: cython.int
    angles: cython.int[::1]

    def __init__(self, bit_depth=8):
        self.references, self.smoothed = zeros(4 * 32 + 1, np.int32), zeros(4 * 32 + 1, np.int32)
        self.line, self.turned = zeros(160, np.int16), zeros((32, 32), sample_type(bit_depth))
        self.lumas, self.angles = zeros((32, 32), np.int32), table(tables.ANGLES)

    def gather(self, plane: Plane, blocks: BlockMap, y: cython.int, x: cython.int, log2: cython.int) -> cython.void:
        """Take the reference samples of the block of 2 ** log2 × 2 ** log2 samples at (y, x).

        What is not available goes on from the sample before it, or is as the first that is.
        """
        references, samples, side = self.references, plane.samples, 1 << log2
        row, column = (y << plane.log2_y) >> 2, (x << plane.log2_x) >> 2  # of the 4×4 unit
        tall, wide, corner = 4 >> plane.log2_y, 4 >> plane.log2_x, 2 * side
        first: cython.int = -1  # that is available
        available: cython.bint
        for number in range((2 * side) >> (2 - plane.log2_y)):
            i = number * tall
            bottom = y + 2 * side - 1 - i
            available = blocks.is_available((bottom << plane.log2_y) >> 2, column - 1, row, column)
            if available and first < 0:
                first = i
            for k in range(i, i + tall):
                if available:
                    references[k] = samples[y + 2 * side - 1 - k, x - 1]
                elif first >= 0:
                    references[k] = references[k - 1]
        if y > 0 and x > 0:
            references[corner] = samples[y - 1, x - 1]
            if first < 0:
                first = corner
        elif first >= 0:
            references[corner] = references[corner - 1]
        for number in range((2 * side) >> (2 - plane.log2_x)):
            i = number * wide
            available = blocks.is_available(row - 1, ((x + i) << plane.log2_x) >> 2, row, column)
            if available and first < 0:
                first = corner + 1 + i
            for k in range(i, i + wide):
                if available:
                    references[corner + 1 + k] = samples[y - 1, x + k]
                elif first >= 0:
                    references[corner + 1 + k] = references[corner + k]
        if first < 0:
            first = 4 * side + 1
            references[0] = 128 if SAMPLE_BITS == 8 else 1 << plane.bit_depth >> 1
        else:
            references[0] = references[first]
        for i in range(1, first):
            references[i] = references[0]
        self.side, self.log2, self.is_smooth = side, log2, False

    def predict(
        self, target: Sample[:, ::1], y: cython.int, x: cython.int, mode: cython.int, is_luma: cython.bint
    ) -> cython.void:
        """Put what a mode predicts of the block whose reference samples were gathered, at (y, x) of ``target``."""
        references = self.references
        if is_luma and is_smoothed(mode, self.side):
            if not self.is_smooth:
                self.smooth()
            references = self.smoothed
        if mode == tables.PLANAR:
            self.predict_planar(references, target, y, x)
        elif mode == tables.DC:
            self.predict_dc(references, target, y, x)
        else:
            self.predict_angular(references, target, y, x, mode)

    def predict_chroma(
        self, plane: Plane, luma: Plane, block: CodingBlock, y: cython.int, x: cython.int
    ) -> cython.void:
        """Put a coding block's prediction of the block of chroma at (y, x), whose reference samples were gathered."""
        if block.chroma_from_luma:
            self.predict_from_luma(plane, luma, y, x)
        else:
            self.predict(plane.samples, y, x, block.modes & 63, False)

    def predict_from_luma(self, plane: Plane, luma: Plane, y: cython.int, x: cython.int) -> cython.void:
        """CCLM: put what luma says of the block of chroma at (y, x), whose reference samples were gathered."""
        self.fit_line(plane, luma, y, x)
        put_means(luma.samples, y, x, self.side, self.side, plane.log2_y, plane.log2_x, self.lumas)
        follow_line(self.lumas, plane.samples, y, x, self.side, self.slope, self.offset, (1 << plane.bit_depth) - 1)

    def fit_line(self, plane: Plane, luma: Plane, y: cython.int, x: cython.int) -> cython.void:
        """How chroma goes with luma to the left of a block and above it, by least squares.

        Sums are of up to 64 products of samples of 12 bits, so all stays below 2 ** 43.
        """
        side, corner, references = self.side, 2 * self.side, self.references
        count: cython.longlong = 0
        of_luma: cython.longlong = 0
        of_chroma: cython.longlong = 0
        squares: cython.longlong = 0
        products: cython.longlong = 0
        for is_above in range(2):
            if (y if is_above else x) == 0:
                continue
            if is_above:
                put_means(luma.samples, y - 1, x, 1, side, plane.log2_y, plane.log2_x, self.lumas)
            else:
                put_means(luma.samples, y, x - 1, side, 1, plane.log2_y, plane.log2_x, self.lumas)
            for k in range(side):
                a: cython.longlong = self.lumas[0, k] if is_above else self.lumas[k, 0]
                b: cython.longlong = references[corner + 1 + k] if is_above else references[corner - 1 - k]
                of_luma, of_chroma, squares, products = of_luma + a, of_chroma + b, squares + a * a, products + a * b
            count += side
        self.slope, self.offset = 0, 64 * references[corner]
        if count == 0:
            return
        over = 0 if SAMPLE_BITS == 8 else plane.bit_depth - 8
        spread: cython.longlong = count * squares - of_luma * of_luma + (count * count * RIDGE << (2 * over))
        common: cython.longlong = count * products - of_luma * of_chroma
        steep: cython.longlong = min(64 * abs(common) // spread, STEEPEST)
        self.slope = cython.cast(cython.int, steep if common > 0 else -steep)
        both: cython.int = count > side
        self.offset = cython.cast(cython.int, (64 * of_chroma - self.slope * of_luma) >> (self.log2 + both))

    def smooth(self) -> cython.void:
        """Filter the reference samples [1 2 1] but at their ends."""
        references, smoothed, last = self.references, self.smoothed, 4 * self.side
        self.is_smooth = True
        smoothed[0], smoothed[last] = references[0], references[last]
        for i in range(1, last):
            smoothed[i] = (references[i - 1] + 2 * references[i] + references[i + 1] + 2) >> 2

    def predict_planar(
        self, references: cython.int[::1], target: Sample[:, ::1], y: cython.int, x: cython.int
    ) -> cython.void:
        """The mean of what goes on to the right and downwards."""
        side, log2, corner = self.side, self.log2, 2 * self.side
        right, below = references[corner + 1 + side], references[corner - 1 - side]
        for j in range(side):
            left, rest = references[corner - 1 - j], (j + 1) * below + side
            for i in range(side):
                across = (side - 1 - i) * left + (i + 1) * right
                target[y + j, x + i] = (across + (side - 1 - j) * references[corner + 1 + i] + rest) >> (log2 + 1)

    def predict_dc(
        self, references: cython.int[::1], target: Sample[:, ::1], y: cython.int, x: cython.int
    ) -> cython.void:
        """The mean of the samples above and to the left."""
        side, corner = self.side, 2 * self.side
        total: cython.int = side
        for i in range(1, side + 1):
            total += references[corner - i] + references[corner + i]
        for j in range(side):
            for i in range(side):
                target[y + j, x + i] = total >> (self.log2 + 1)

    def predict_angular(
        self,
        references: cython.int[::1],
        target: Sample[:, ::1],
        y: cython.int,
        x: cython.int,
        mode: cython.int,
    ) -> cython.void:
        """Modes from 18 on look up; those before look to the left, with rows and columns exchanged."""
        line, side, corner, start = self.line, self.side, 2 * self.side, 64
        angle: cython.int = self.angles[mode]
        looks_up: cython.bint = mode >= 18
        step = 1 if looks_up else -1
        for i in range(2 * side + 1):
            line[start + i] = references[corner + step * i]
        if angle < 0:
            inverse = 8192 // -angle
            for i in range(1, -((side * angle) >> 5)):
                line[start - i] = references[corner - step * ((i * inverse + 128) >> 8)]
        if looks_up and side >= 16:
            look_along(line, target, y, x, side, angle)
            return
        look_along(line, self.turned, 0, 0, side, angle)
        if looks_up:
            for j in range(side):
                copy_row(target, y + j, x, self.turned, j, 0, side)
        else:
            turn(self.turned, target, y, x, side)


def put_means(
    luma: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    rows: cython.int,
    columns: cython.int,
    log2_y: cython.int,
    log2_x: cython.int,
    target: cython.int[:, ::1],
) -> cython.void:
    """The means of the samples of luma where each sample of a rectangle of chroma is, which begins at (y, x)."""
    half, shift = 1 << (log2_y + log2_x) >> 1, log2_y + log2_x
    for j in range(rows):
        top, bottom = (y + j) << log2_y, ((y + j + 1) << log2_y) - 1
        for i in range(columns):
            left, right = (x + i) << log2_x, ((x + i + 1) << log2_x) - 1
            total: cython.int = luma[top, left] + half
            if log2_x > 0:
                total += luma[top, right]
            if log2_y > 0:
                total += luma[bottom, left] + luma[bottom, right]
            target[j, i] = total >> shift


def follow_line(
    lumas: cython.int[:, ::1],
    target: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    side: cython.int,
    slope: cython.int,
    offset: cython.int,
    peak: cython.int,
) -> cython.void:
    """Chroma as it goes with luma, in a square at (y, x)."""
    for j in range(side):
        for i in range(side):
            target[y + j, x + i] = clip((slope * lumas[j, i] + offset + 32) >> 6, 0, peak)


def look_along(
    line: cython.short[::1],
    target: Sample[:, ::1],
    y: cython.int,
    x: cython.int,
    side: cython.int,
    angle: cython.int,
) -> cython.void:
    """Rows of samples from a line of reference samples, which begins at 64: each as far along as the direction goes.

    Rows are whole vectors of 16 samples, also those of smaller blocks.
    """
    for j in range(side):
        place, far = 65 + (((j + 1) * angle) >> 5), ((j + 1) * angle) & 31
        near = 32 - far
        for strip in range(0, side, 16):
            for i in range(16):
                value: Difference = near * line[place + strip + i] + far * line[place + strip + i + 1] + 16
                target[y + j, x + strip + i] = value >> 5


def turn(source: Sample[:, ::1], target: Sample[:, ::1], y: cython.int, x: cython.int, side: cython.int) -> cython.void:
    """Copy a block with rows and columns exchanged."""
    for j in range(side):
        for i in range(side):
            target[y + j, x + i] = source[i, j]
