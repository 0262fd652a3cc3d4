"""The prediction that a motion field makes of a plane (spec 7): normative, integers only.

A block or cell is (top, left, rows, columns) in samples of the plane; vectors are (dy, dx) in quarter samples of luma.
"""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

from codec.motion.field import SHARP, MotionField
from codec.motion.tables import QUARTERS, SIXTEENTH_TAPS
from codec.picture.planes import Picture, Plane, Subsampling
from codec.vectors import bilinear_block, mean_block, taps_8x8

__all__ = ["Reference", "ReferencePlane", "compensate"]

BORDER: cython.int = 40  # samples beyond each edge: a cell of 32 and all taps fit there; further out nothing changes
BEFORE: cython.int = 36  # how far before a picture a block may begin; see `ReferencePlane.place`
BEHIND: cython.int = 4
STRIP: cython.int = 32  # rows that are filtered across before they are filtered down

BLEND: cython.int = 1  # codes of `CellMode`
OWN: cython.int = 2


def clip(value: cython.int) -> cython.int:
    """0…255."""
    return max(0, min(value, 255))


@cython.cclass
class ReferencePlane:
    """A decoded plane with a border that repeats its outermost samples, and its half samples.

    The planes FULL, ACROSS, DOWN and BOTH lie one behind the other in ``samples``; `place` says where in FULL.
    """

    height: cython.int
    width: cython.int
    stride: cython.int
    plane_size: cython.Py_ssize_t
    samples: cython.uchar[::1]
    quarters: cython.int[:, ::1]
    taps: cython.short[::1]
    sums: cython.short[:, ::1]  # a strip that is filtered across, −2550…10710
    corners: cython.uchar[::1]  # a cell as the vector of each of its nodes predicts it

    def __init__(self, plane: npt.NDArray[np.uint8], tap: int) -> None:
        """``plane`` is uint8 (rows, columns); ``tap`` is ``SHARP`` or ``SOFT``, or 0 for no half samples (spec 7.5)."""
        self.height, self.width = plane.shape
        self.stride = self.width + 2 * BORDER
        self.plane_size = (self.height + 2 * BORDER) * self.stride
        self.samples = memoryview(np.empty((4 if tap else 1) * self.plane_size, np.uint8))
        self.quarters = memoryview(np.array(QUARTERS, np.int32))
        self.taps = memoryview(SIXTEENTH_TAPS.reshape(-1))
        self.corners = memoryview(np.empty(4 * 32 * 32, np.uint8))
        source: cython.uchar[:, ::1] = memoryview(np.ascontiguousarray(plane))
        half_tap: cython.int = tap
        if tap:
            self.sums = memoryview(np.empty((STRIP + 5, self.stride), np.int16))
        with cython.nogil:
            self.fill(source)
            if half_tap:
                self.filter_halves(half_tap)

    def fill(self, source: cython.uchar[:, ::1]) -> cython.void:
        """Copy the plane, and repeat its outermost samples around it."""
        samples, width, stride = self.samples, self.width, self.stride
        for y in range(-BORDER, self.height + BORDER):
            row = max(0, min(y, self.height - 1))
            there: cython.Py_ssize_t = (y + BORDER) * stride
            for x in range(BORDER):
                samples[there + x] = source[row, 0]
                samples[there + BORDER + width + x] = source[row, width - 1]
            for x in range(width):
                samples[there + BORDER + x] = source[row, x]

    def filter_halves(self, tap: cython.int) -> cython.void:
        """Half samples by the taps 1, −t, 15 + t, 15 + t, −t, 1; BOTH is filtered from what is not rounded yet.

        Where all that the taps see across or down is the same sample, the result is that of the other direction alone,
        which is why the outermost lines are copied.
        """
        rows, stride, size = self.height + 2 * BORDER, self.stride, self.plane_size
        samples, sums = self.samples, self.sums
        inner: cython.int = 15 + tap
        for top in range(0, rows, 32):
            for j in range(min(STRIP + 5, rows + 5 - top)):
                row = max(0, min(top + j - 2, rows - 1))
                here: cython.Py_ssize_t = row * stride
                for x in range(2, stride - 3):
                    p = here + x
                    sums[j, x] = (
                        samples[p - 2]
                        + samples[p + 3]
                        - tap * (samples[p - 1] + samples[p + 2])
                        + inner * (samples[p] + samples[p + 1])
                    )
                for x in range(2):
                    sums[j, x] = 32 * samples[here + x]
                for x in range(stride - 3, stride):
                    sums[j, x] = 32 * samples[here + x]
            for j in range(min(STRIP, rows - top)):
                here = (top + j) * stride
                for x in range(stride):
                    samples[size + here + x] = clip((sums[j + 2, x] + 16) >> 5)
                self.filter_down(here, tap)
                self.filter_both(j, here, tap)

    def filter_down(self, here: cython.Py_ssize_t, tap: cython.int) -> cython.void:
        """A row of DOWN, whose samples in FULL begin at ``here``."""
        samples, stride = self.samples, self.stride
        there = here + 2 * self.plane_size
        end: cython.Py_ssize_t = self.plane_size - stride
        start: cython.Py_ssize_t = 0
        a = max(here - 2 * stride, start)  # rows beyond the border are as its outermost
        b = max(here - stride, start)
        d = min(here + stride, end)
        e = min(here + 2 * stride, end)
        f = min(here + 3 * stride, end)
        inner: cython.int = 15 + tap
        for x in range(stride):
            total: cython.short = (
                samples[a + x]
                + samples[f + x]
                - tap * (samples[b + x] + samples[e + x])
                + inner * (samples[here + x] + samples[d + x])
            )
            samples[there + x] = clip((total + 16) >> 5)

    def filter_both(self, row: cython.int, here: cython.Py_ssize_t, tap: cython.int) -> cython.void:
        """A row of BOTH from six rows of sums; its own sums have 20 bits."""
        samples, sums = self.samples, self.sums
        there = here + 3 * self.plane_size
        inner: cython.int = 15 + tap
        for x in range(self.stride):
            total: cython.int = (
                sums[row, x]
                + sums[row + 5, x]
                - tap * (sums[row + 1, x] + sums[row + 4, x])
                + inner * (sums[row + 2, x] + sums[row + 3, x])
            )
            samples[there + x] = clip((total + 512) >> 10)

    def place(self, y: cython.int, x: cython.int) -> cython.Py_ssize_t:
        """Where the sample (y, x) lies in FULL; beyond the border, where it lies within.

        A block of up to 32 samples that begins 36 before the picture, or 4 behind it, sees nothing but the outermost
        line there, with all taps; so it is the same from wherever further out.
        """
        y = max(-BEFORE, min(y, self.height + BEHIND))
        x = max(-BEFORE, min(x, self.width + BEHIND))
        return cython.cast(cython.Py_ssize_t, y + BORDER) * self.stride + x + BORDER

    def quarter_places(
        self, y: cython.int, x: cython.int, dy: cython.int, dx: cython.int
    ) -> tuple[cython.Py_ssize_t, cython.Py_ssize_t]:
        """Where the two samples lie that (y, x) moved by a vector is the mean of, rounded up at a half (spec 7.5)."""
        place = self.place(y + (dy >> 2), x + (dx >> 2))
        phase = 4 * (dy & 3) + (dx & 3)
        first = place + self.quarters[phase, 0] * self.plane_size + self.quarters[phase, 1] * self.stride
        second = place + self.quarters[phase, 3] * self.plane_size + self.quarters[phase, 4] * self.stride
        return first + self.quarters[phase, 2], second + self.quarters[phase, 5]

    def predict(self, field: MotionField, subsampling: Subsampling) -> npt.NDArray[np.uint8]:
        """The plane that a `MotionField` predicts from this one, uint8 (rows, columns).

        In a subsampled plane the same vectors act on smaller cells, in sixteenths of its samples.
        """
        prediction = np.empty((self.height, self.width), np.uint8)
        target: cython.uchar[::1] = memoryview(prediction.reshape(-1))
        vectors: cython.short[:, :, ::1] = memoryview(np.ascontiguousarray(field.vectors_quarter_pel))
        own: cython.short[:, :, ::1] = memoryview(np.ascontiguousarray(field.own_quarter_pel))
        modes: cython.uchar[:, ::1] = memoryview(np.ascontiguousarray(field.modes))
        log2_cell: cython.int = field.cell_size.bit_length() - 1
        ly: cython.int = subsampling[0]
        lx: cython.int = subsampling[1]
        is_mesh: cython.bint = modes.shape[0] > 0
        with cython.nogil:
            if is_mesh:
                self.predict_mesh(vectors, modes, own, log2_cell, ly, lx, target)
            else:
                self.predict_blocks(vectors, log2_cell, ly, lx, target)
        return prediction

    def predict_blocks(
        self,
        vectors: cython.short[:, :, ::1],
        log2_cell: cython.int,
        ly: cython.int,
        lx: cython.int,
        target: cython.uchar[::1],
    ) -> cython.void:
        """Every cell is the reference moved by its vector (spec 7.6)."""
        for row in range(vectors.shape[0]):
            for column in range(vectors.shape[1]):
                self.move_cell(vectors, row, column, log2_cell, ly, lx, target)

    def predict_mesh(
        self,
        nodes: cython.short[:, :, ::1],
        modes: cython.uchar[:, ::1],
        own: cython.short[:, :, ::1],
        log2_cell: cython.int,
        ly: cython.int,
        lx: cython.int,
        target: cython.uchar[::1],
    ) -> cython.void:
        """Every cell in its mode (spec 7.6…7.8)."""
        for row in range(modes.shape[0]):
            for column in range(modes.shape[1]):
                if modes[row, column] == BLEND:
                    self.blend(nodes, row, column, log2_cell, ly, lx, target)
                elif modes[row, column] == OWN:
                    self.move_cell(own, row, column, log2_cell, ly, lx, target)
                else:
                    self.warp(nodes, row, column, log2_cell, ly, lx, 2, target)

    def move_cell(
        self,
        vectors: cython.short[:, :, ::1],
        row: cython.int,
        column: cython.int,
        log2_cell: cython.int,
        ly: cython.int,
        lx: cython.int,
        target: cython.uchar[::1],
    ) -> cython.void:
        """A cell, cut to the plane, that is the reference moved by its vector."""
        top, left = row << log2_cell >> ly, column << log2_cell >> lx
        rows = min(1 << log2_cell >> ly, self.height - top)
        columns = min(1 << log2_cell >> lx, self.width - left)
        dy, dx = vectors[row, column, 0], vectors[row, column, 1]
        self.move(target, top * self.width + left, self.width, top, left, rows, columns, dy, dx, ly, lx)

    def move(
        self,
        target: cython.uchar[::1],
        place: cython.Py_ssize_t,
        target_stride: cython.int,
        top: cython.int,
        left: cython.int,
        rows: cython.int,
        columns: cython.int,
        dy: cython.int,
        dx: cython.int,
        ly: cython.int,
        lx: cython.int,
    ) -> cython.void:
        """Put a block of the plane, moved by one vector, at ``place`` of ``target`` (spec 7.5)."""
        samples, stride = self.samples, self.stride
        if ly == 0 and lx == 0:
            first, second = self.quarter_places(top, left, dy, dx)
            mean_block(target, place, target_stride, samples, first, second, stride, rows, columns)
            return
        dy, dx = dy * (4 >> ly), dx * (4 >> lx)
        source = self.place(top + (dy >> 4), left + (dx >> 4))
        bilinear_block(target, place, target_stride, samples, source, stride, dy & 15, dx & 15, rows, columns)

    def warp(
        self,
        nodes: cython.short[:, :, ::1],
        row: cython.int,
        column: cython.int,
        log2_cell: cython.int,
        ly: cython.int,
        lx: cython.int,
        log2_unit: cython.int,
        target: cython.uchar[::1],
    ) -> cython.void:
        """A cell that is moved by what lies bilinearly between its nodes' vectors (spec 7.7).

        They are in sixteenths of a luma sample times 2**``log2_unit``.
        """
        log2_rows, log2_columns = log2_cell - ly, log2_cell - lx
        top, left = row << log2_rows, column << log2_columns
        down_y = log2_rows + log2_columns - log2_unit + ly
        down_x = log2_rows + log2_columns - log2_unit + lx
        for v in range(min(1 << log2_rows, self.height - top)):
            above = (1 << log2_rows) - v
            left_y = above * nodes[row, column, 0] + v * nodes[row + 1, column, 0]
            left_x = above * nodes[row, column, 1] + v * nodes[row + 1, column, 1]
            right_y = above * nodes[row, column + 1, 0] + v * nodes[row + 1, column + 1, 0]
            right_x = above * nodes[row, column + 1, 1] + v * nodes[row + 1, column + 1, 1]
            there = (top + v) * self.width + left
            for u in range(min(1 << log2_columns, self.width - left)):
                to_right = (1 << log2_columns) - u
                dy = (to_right * left_y + u * right_y + (1 << (down_y - 1))) >> down_y
                dx = (to_right * left_x + u * right_x + (1 << (down_x - 1))) >> down_x
                target[there + u] = self.sample(16 * (top + v) + dy, 16 * (left + u) + dx)

    def sample(self, y_sixteenth: cython.int, x_sixteenth: cython.int) -> cython.int:
        """The reference between its samples (spec 7.5).

        Sums down have 16 bits, −6120…22440, sums across 32.
        """
        samples, stride = self.samples, self.stride
        down, across = y_sixteenth & 15, x_sixteenth & 15
        place = self.place(y_sixteenth >> 4, x_sixteenth >> 4) - 3 * stride - 3
        return clip((taps_8x8(samples, place, stride, self.taps, down, across) + 2048) >> 12)

    def blend(
        self,
        nodes: cython.short[:, :, ::1],
        row: cython.int,
        column: cython.int,
        log2_cell: cython.int,
        ly: cython.int,
        lx: cython.int,
        target: cython.uchar[::1],
    ) -> cython.void:
        """A cell as each node's vector predicts it, mixed bilinearly (spec 7.8)."""
        corners = self.corners
        log2_rows, log2_columns = log2_cell - ly, log2_cell - lx
        top, left = row << log2_rows, column << log2_columns
        rows = min(1 << log2_rows, self.height - top)
        columns = min(1 << log2_columns, self.width - left)
        for k in range(4):
            dy, dx = nodes[row + (k >> 1), column + (k & 1), 0], nodes[row + (k >> 1), column + (k & 1), 1]
            self.move(corners, 1024 * k, 32, top, left, rows, columns, dy, dx, ly, lx)
        shift = log2_rows + log2_columns
        for v in range(rows):
            above, there = (1 << log2_rows) - v, (top + v) * self.width + left
            for u in range(columns):
                to_right = (1 << log2_columns) - u
                upper = to_right * corners[32 * v + u] + u * corners[1024 + 32 * v + u]
                lower = to_right * corners[2048 + 32 * v + u] + u * corners[3072 + 32 * v + u]
                target[there + u] = (above * upper + v * lower + (1 << (shift - 1))) >> shift


class Reference:
    """A decoded picture to predict from, with borders and half samples of its planes, made when they are first needed.

    ``tap`` is ``SHARP`` or ``SOFT``.
    """

    def __init__(self, picture: Picture, tap: int = SHARP) -> None:
        self.picture = picture
        self._tap = tap
        self._planes: dict[int, ReferencePlane] = {}

    def plane(self, number: int) -> ReferencePlane:
        """A plane; one that is subsampled needs no half samples, and has none."""
        if number not in self._planes:
            is_subsampled = self.picture.format.sample_format.subsampling[number] != (0, 0)
            self._planes[number] = ReferencePlane(self.picture.planes[number], 0 if is_subsampled else self._tap)
        return self._planes[number]


def compensate(field: MotionField | None, reference: Reference) -> tuple[Plane, ...]:
    """Every plane of a picture, predicted from its reference, uint8 (rows, columns); without a field nothing moves."""
    planes = reference.picture.planes
    if field is None:
        return planes
    subsamplings = reference.picture.format.sample_format.subsampling
    return tuple(reference.plane(number).predict(field, subsamplings[number]) for number in range(len(planes)))
