"""Motion compensation of every coder: blocks and meshes that move over a reference plane (spec 7): integers only.

Rectangles and cells are in luma samples, vectors are (dy, dx) in quarters of them.
"""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

from codec.depths import SAMPLE_BITS, Sample
from codec.motion import tables
from codec.motion.field import SHARP, MotionField
from codec.motion.tables import HALF_TAPS, LINEAR_TAPS, SIXTEENTH_TAPS
from codec.picture.planes import Picture, Plane, Samples, Subsampling, sample_type
from codec.vectors import clip, copy_row, filter_block, filter_sample

__all__ = ["Mesh", "Reference", "ReferencePlane", "compensate"]

BORDER: cython.int = tables.BORDER
BEFORE: cython.int = tables.BEFORE
BEHIND: cython.int = tables.BEHIND

BLEND: cython.int = 1  # codes of `CellMode`
OWN: cython.int = 2


@cython.cclass
class Mesh:
    """Motion of the corners of square cells, bilinear between them (spec 7.7)."""

    nodes: cython.short[:, :, ::1]
    log2: cython.int  # of the side of a cell in luma samples
    log2_unit: cython.int  # what nodes are in: sixteenths of a luma sample times 2 ** this

    def __init__(self, nodes: npt.NDArray[np.int16], cell_size: int, log2_unit: int) -> None:
        """``nodes`` are int16 (rows, columns, 2), which may change later."""
        self.nodes = memoryview(np.ascontiguousarray(nodes, np.int16))
        self.log2, self.log2_unit = cell_size.bit_length() - 1, log2_unit

    def vector(self, y: cython.int, x: cython.int) -> tuple[cython.int, cython.int]:
        """The motion of a luma sample in quarter samples (spec 10.7); sums are below 2**24, with cells of 32."""
        nodes, side, shift = self.nodes, 1 << self.log2, 2 * self.log2 + 2 - self.log2_unit
        row, column, v, u = y >> self.log2, x >> self.log2, y & (side - 1), x & (side - 1)
        a, b, c, d = (side - v) * (side - u), (side - v) * u, v * (side - u), v * u
        dy: cython.int = (1 << shift >> 1) + a * nodes[row, column, 0] + b * nodes[row, column + 1, 0]
        dx: cython.int = (1 << shift >> 1) + a * nodes[row, column, 1] + b * nodes[row, column + 1, 1]
        dy += c * nodes[row + 1, column, 0] + d * nodes[row + 1, column + 1, 0]
        dx += c * nodes[row + 1, column, 1] + d * nodes[row + 1, column + 1, 1]
        return dy >> shift, dx >> shift


@cython.cclass
class ReferencePlane:
    """Decoded planes with a border that repeats their outermost samples, and the filters for what lies between them.

    There is one, or as many as there are slots, of which `select` says which is looked at.
    """

    height: cython.int
    width: cython.int
    log2_y: cython.int  # of the subsampling
    log2_x: cython.int
    largest: cython.int  # sample
    samples: Sample[:, ::1]
    taps: cython.short[:, ::1]  # of blocks, by sixteenths of a sample
    has_quarters: cython.bint  # or else a quarter sample is the mean of two half samples
    warp_taps: cython.short[:, ::1]
    sums: cython.int[:, ::1]  # of a cell
    quarters: Sample[:, ::1]  # all quarter samples, if an encoder has made them: see `InterpolatedPlanes`
    quarter_rows: cython.int  # of each plane of them, or 0
    slot: cython.int
    top: cython.int  # the first row of the slot

    def __init__(
        self,
        plane: npt.NDArray[Samples] | tuple[int, int],
        subsampling: Subsampling,
        taps: npt.NDArray[np.int16],
        bit_depth: int = 8,
        slots: int = 1,
    ) -> None:
        """``plane`` is (rows, columns), or the shape of one that `fill` brings: until then no memory is touched.

        ``taps`` are one of the tables of `codec.motion.tables`.
        """
        self.height, self.width = plane if isinstance(plane, tuple) else plane.shape
        self.largest = (1 << bit_depth) - 1
        self.log2_y, self.log2_x = subsampling
        shape = slots * (self.height + 2 * BORDER), self.width + 2 * BORDER
        self.samples, self.slot, self.top = memoryview(np.zeros(shape, sample_type(bit_depth))), 0, 0
        self.taps, self.warp_taps = memoryview(taps), memoryview(SIXTEENTH_TAPS)
        self.has_quarters = bool(taps[4].any())
        self.sums = memoryview(np.empty((32, 32), np.int32))
        if not isinstance(plane, tuple):
            source: Sample[:, ::1] = memoryview(np.ascontiguousarray(plane))
            with cython.nogil:
                self.fill(source)

    def select(self, slot: cython.int) -> cython.void:
        """Look at a slot from now on."""
        self.slot, self.top = slot, slot * (self.height + 2 * BORDER)

    def peak(self) -> cython.int:
        """The largest sample."""
        return 255 if SAMPLE_BITS == 8 else self.largest

    def fill(self, source: Sample[:, ::1]) -> cython.void:
        """Copy a plane into the slot, cut to its size, and repeat its outermost samples around it."""
        samples, height, width, top = self.samples, self.height, self.width, self.top
        self.quarter_rows = 0
        for row in range(height + 2 * BORDER):
            y = clip(row - BORDER, 0, height - 1)
            copy_row(samples, top + row, BORDER, source, y, 0, width)
            first, last = source[y, 0], source[y, width - 1]
            for x in range(BORDER):
                samples[top + row, x] = first
                samples[top + row, BORDER + width + x] = last

    def filter(
        self,
        target: Sample[:, ::1],
        v: cython.int,
        u: cython.int,
        y: cython.int,
        x: cython.int,
        rows: cython.int,
        columns: cython.int,
        averaged: cython.bint,
    ) -> cython.void:
        """Put a block of up to 32×32 that begins at (y, x), in sixteenths of a sample, at (v, u) of ``target``.

        Where ``averaged``, its mean with what is there. A block that begins 36 before the picture, or 4 behind it, sees
        nothing but the outermost line there, with all taps; so it is the same from wherever further out.
        """
        above = clip(y >> 4, -BEFORE, self.height + BEHIND) + BORDER - 3
        before = clip(x >> 4, -BEFORE, self.width + BEHIND) + BORDER - 3
        peak = self.peak()
        if self.quarter_rows:
            above += (16 * self.slot + 4 * (y >> 2 & 3) + (x >> 2 & 3)) * self.quarter_rows
            filter_block(target, v, u, self.quarters, above, before, self.taps, 0, 0, rows, columns, averaged, peak)
        else:
            y, x, above = y & 15, x & 15, above + self.top
            filter_block(target, v, u, self.samples, above, before, self.taps, y, x, rows, columns, averaged, peak)

    def put(
        self,
        target: Sample[:, ::1],
        v: cython.int,
        u: cython.int,
        y: cython.int,
        x: cython.int,
        rows: cython.int,
        columns: cython.int,
        averaged: cython.bint,
    ) -> cython.void:
        """`filter`, also where a quarter sample is the mean of the two half samples nearest to it (spec 7.5).

        Of the four around one that lies between rows and columns, they are those that lie between one or the other.
        """
        if self.has_quarters:
            self.filter(target, v, u, y, x, rows, columns, averaged)
            return
        half_y, half_x, odd_y, odd_x = y >> 3, x >> 3, y >> 2 & 1, x >> 2 & 1
        turned = odd_y & odd_x & ~(half_y + half_x)
        self.filter(target, v, u, 8 * half_y, 8 * (half_x + turned), rows, columns, averaged)
        if odd_y or odd_x:
            self.filter(target, v, u, 8 * (half_y + odd_y), 8 * (half_x + (odd_x ^ turned)), rows, columns, True)

    def move(
        self,
        target: Sample[:, ::1],
        y: cython.int,
        x: cython.int,
        height: cython.int,
        width: cython.int,
        dy: cython.int,
        dx: cython.int,
        averaged: cython.bint,
    ) -> cython.void:
        """Put a rectangle, cut to ``target``, moved by a vector, where it is; or the mean with what is there."""
        top, left = y >> self.log2_y, x >> self.log2_x
        rows = min(height >> self.log2_y, cython.cast(cython.int, target.shape[0]) - top)
        columns = min(width >> self.log2_x, cython.cast(cython.int, target.shape[1]) - left)
        y, x = 16 * top + dy * (4 >> self.log2_y), 16 * left + dx * (4 >> self.log2_x)
        self.put(target, top, left, y, x, rows, columns, averaged)

    def warp(self, target: Sample[:, ::1], mesh: Mesh, y: cython.int, x: cython.int, side: cython.int) -> cython.void:
        """Put a square, cut to ``target``, that a mesh warps, where it is (spec 7.7).

        Beyond the plane its outermost samples go on. Sums are below 2**24: nodes up to 16384, cells of 32.
        """
        samples, taps, nodes, peak = self.samples, self.warp_taps, mesh.nodes, self.peak()
        log2_y, log2_x = mesh.log2 - self.log2_y, mesh.log2 - self.log2_x  # of a cell's size in the plane's samples
        tall: cython.int = 1 << log2_y
        wide: cython.int = 1 << log2_x
        shift_y = log2_y + log2_x + self.log2_y - mesh.log2_unit
        shift_x = log2_y + log2_x + self.log2_x - mesh.log2_unit
        left_y: cython.int = 0
        left_x: cython.int = 0
        right_y: cython.int = 0
        right_x: cython.int = 0
        top, left = y >> self.log2_y, x >> self.log2_x
        end_y: cython.int = min(top + (side >> self.log2_y), cython.cast(cython.int, target.shape[0]))
        end_x: cython.int = min(left + (side >> self.log2_x), cython.cast(cython.int, target.shape[1]))
        for j in range(top, end_y):
            v = min(j, self.height - 1)
            row, below = v >> log2_y, v & (tall - 1)
            above = tall - below
            for i in range(left, end_x):
                u = min(i, self.width - 1)
                column, after = u >> log2_x, u & (wide - 1)
                if i == left or after == 0:
                    left_y = above * nodes[row, column, 0] + below * nodes[row + 1, column, 0]
                    left_x = above * nodes[row, column, 1] + below * nodes[row + 1, column, 1]
                    right_y = above * nodes[row, column + 1, 0] + below * nodes[row + 1, column + 1, 0]
                    right_x = above * nodes[row, column + 1, 1] + below * nodes[row + 1, column + 1, 1]
                there_y = 16 * v + (((wide - after) * left_y + after * right_y + (1 << shift_y >> 1)) >> shift_y)
                there_x = 16 * u + (((wide - after) * left_x + after * right_x + (1 << shift_x >> 1)) >> shift_x)
                first = self.top + clip(there_y >> 4, -BEFORE, self.height + BEHIND) + BORDER - 3
                before = clip(there_x >> 4, -BEFORE, self.width + BEHIND) + BORDER - 3
                target[j, i] = filter_sample(samples, first, before, taps, there_y & 15, there_x & 15, peak)

    def blend(self, target: Sample[:, ::1], mesh: Mesh, row: cython.int, column: cython.int) -> cython.void:
        """Put a cell as each of its nodes' vectors moves it, mixed bilinearly (spec 7.8)."""
        sums, nodes, side = self.sums, mesh.nodes, 1 << mesh.log2
        log2_y, log2_x = mesh.log2 - self.log2_y, mesh.log2 - self.log2_x
        tall: cython.int = 1 << log2_y
        wide: cython.int = 1 << log2_x
        top, left = row << log2_y, column << log2_x
        rows, columns = min(tall, self.height - top), min(wide, self.width - left)
        for v in range(rows):
            for u in range(columns):
                sums[v, u] = tall * wide >> 1
        for corner in range(4):
            below, right = corner >> 1, corner & 1
            dy, dx = nodes[row + below, column + right, 0], nodes[row + below, column + right, 1]
            self.move(target, side * row, side * column, side, side, dy, dx, False)
            for v in range(rows):
                share = v if below else tall - v
                first = 0 if right else share * wide
                slope = share if right else -share
                for u in range(columns):
                    sums[v, u] += (first + slope * u) * target[top + v, left + u]
        for v in range(rows):
            for u in range(columns):
                target[top + v, left + u] = sums[v, u] >> (log2_y + log2_x)

    def predict(self, field: MotionField) -> npt.NDArray[Samples]:
        """The plane that a `MotionField` predicts from this one, (rows, columns)."""
        prediction = np.empty((self.height, self.width), np.asarray(self.samples).dtype)
        target: Sample[:, ::1] = memoryview(prediction)
        mesh: Mesh = Mesh(field.vectors_quarter_pel, field.cell_size, 2)
        own: cython.short[:, :, ::1] = memoryview(np.ascontiguousarray(field.own_quarter_pel))
        modes: cython.uchar[:, ::1] = memoryview(np.ascontiguousarray(field.modes))
        is_mesh: cython.bint = len(field.modes) > 0
        with cython.nogil:
            if is_mesh:
                self.predict_mesh(target, mesh, modes, own)
            else:
                self.predict_blocks(target, mesh.nodes, mesh.log2)
        return prediction

    def predict_blocks(
        self, target: Sample[:, ::1], vectors: cython.short[:, :, ::1], log2_cell: cython.int
    ) -> cython.void:
        """Every cell is the reference moved by its vector (spec 7.6)."""
        side = 1 << log2_cell
        for row in range(vectors.shape[0]):
            for column in range(vectors.shape[1]):
                dy, dx = vectors[row, column, 0], vectors[row, column, 1]
                self.move(target, row << log2_cell, column << log2_cell, side, side, dy, dx, False)

    def predict_mesh(
        self,
        target: Sample[:, ::1],
        mesh: Mesh,
        modes: cython.uchar[:, ::1],
        own: cython.short[:, :, ::1],
    ) -> cython.void:
        """Every cell in its mode (spec 7.6…7.8)."""
        side = 1 << mesh.log2
        for row in range(modes.shape[0]):
            for column in range(modes.shape[1]):
                y, x = row << mesh.log2, column << mesh.log2
                if modes[row, column] == BLEND:
                    self.blend(target, mesh, row, column)
                elif modes[row, column] == OWN:
                    self.move(target, y, x, side, side, own[row, column, 0], own[row, column, 1], False)
                else:
                    self.warp(target, mesh, y, x, side)


class Reference:
    """A decoded picture to predict from, its planes with borders made when they are first needed.

    ``tap`` is ``SHARP`` or ``SOFT``.
    """

    def __init__(self, picture: Picture, tap: int = SHARP) -> None:
        self.picture = picture
        self._tap = tap
        self._planes: dict[int, ReferencePlane] = {}

    def plane(self, number: int) -> ReferencePlane:
        """A plane, which takes other taps where it is subsampled."""
        if number not in self._planes:
            subsampling = self.picture.format.sample_format.subsampling[number]
            taps = HALF_TAPS[self._tap] if subsampling == (0, 0) else LINEAR_TAPS
            plane, bit_depth = self.picture.planes[number], self.picture.format.bit_depth
            self._planes[number] = ReferencePlane(plane, subsampling, taps, bit_depth)
        return self._planes[number]


def compensate(field: MotionField | None, reference: Reference) -> tuple[Plane, ...]:
    """Every plane of a picture, predicted from its reference, (rows, columns); without a field nothing moves."""
    planes = reference.picture.planes
    if field is None:
        return planes
    return tuple(reference.plane(number).predict(field) for number in range(len(planes)))
