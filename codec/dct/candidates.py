"""What a coding block knows of those before it: contexts, available samples, merge candidates (spec 10.2, 10.6)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.references import SLOTS, References
from codec.dct.syntax import CodingBlock
from codec.models import BlockKind

__all__ = ["BlockMap", "MergeCandidates", "MotionMap"]


def median(a: cython.int, b: cython.int, c: cython.int) -> cython.int:
    """The middle one."""
    return max(min(a, b), min(max(a, b), c))


@cython.cclass
class BlockMap:
    """What each unit of 8×8 luma samples is, once its coding block is decoded."""

    rows: cython.int
    columns: cython.int
    log2: cython.uchar[:, ::1]  # of the side of its coding block
    kind: cython.uchar[:, ::1]
    cbf: cython.uchar[:, ::1]
    transform_split: cython.uchar[:, ::1]
    modes: cython.int[:, ::1]
    directions: cython.uchar[:, ::1]  # 0 of intra blocks
    dy: cython.int[:, :, ::1]  # of its vector into each reference; 0 of one that is not there
    dx: cython.int[:, :, ::1]
    bv_dy: cython.int[:, ::1]  # of its block vector; 0 but of copies
    bv_dx: cython.int[:, ::1]
    order: cython.int[:, ::1]  # in which the 4×4 units of a CTU are decoded

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.log2, self.kind, self.cbf, self.transform_split, self.directions = (
            zeros((rows, columns), np.uint8) for _ in range(5)
        )
        self.modes = zeros((rows, columns), np.int32)
        self.dy, self.dx = zeros((2, rows, columns), np.int32), zeros((2, rows, columns), np.int32)
        self.bv_dy, self.bv_dx = zeros((rows, columns), np.int32), zeros((rows, columns), np.int32)
        self.order = table(tables.MORTON)

    def put(self, block: CodingBlock) -> cython.void:
        """Note a coding block in all its units."""
        side = 1 << (block.log2 - 3)
        for row in range(block.row, block.row + side):
            for column in range(block.column, block.column + side):
                self.log2[row, column], self.kind[row, column] = block.log2, block.kind
                self.cbf[row, column], self.transform_split[row, column] = block.cbf, block.transform_split
                self.modes[row, column] = block.modes
                self.directions[row, column] = block.directions
                self.bv_dy[row, column], self.bv_dx[row, column] = block.bv_dy, block.bv_dx
                for k in range(2):
                    self.dy[k, row, column], self.dx[k, row, column] = block.dy[k], block.dx[k]

    def take_motion(self, row: cython.int, column: cython.int, block: CodingBlock) -> cython.void:
        """Give a coding block the motion of a unit."""
        block.directions = self.directions[row, column]
        for k in range(2):
            block.dy[k], block.dx[k] = self.dy[k, row, column], self.dx[k, row, column]

    def has_motion(self, row: cython.int, column: cython.int, block: CodingBlock) -> cython.bint:
        """Whether a unit has the motion of a coding block."""
        for k in range(2):
            if self.dy[k, row, column] != block.dy[k] or self.dx[k, row, column] != block.dx[k]:
                return False
        return self.directions[row, column] == block.directions

    def is_available(
        self, there_row: cython.int, there_column: cython.int, row: cython.int, column: cython.int
    ) -> cython.bint:
        """Whether a 4×4 unit is in the picture, and decoded before the one at (row, column)."""
        if there_row < 0 or there_column < 0 or there_row >= 2 * self.rows or there_column >= 2 * self.columns:
            return False
        if there_row >> 3 != row >> 3:
            return there_row >> 3 < row >> 3
        if there_column >> 3 != column >> 3:
            return there_column >> 3 < column >> 3
        return self.order[there_row & 7, there_column & 7] < self.order[row & 7, column & 7]

    def is_decoded(self, block: CodingBlock, dy: cython.int, dx: cython.int) -> cython.bint:
        """Whether the square that lies (dy, dx) samples of luma from a coding block is decoded before it.

        It is where its last 4×4 unit is: the others come before that one in the order of decoding.
        """
        side = 1 << block.log2
        y, x = 8 * block.row + dy, 8 * block.column + dx
        if y < 0 or x < 0:
            return False
        return self.is_available((y + side - 1) >> 2, (x + side - 1) >> 2, 2 * block.row, 2 * block.column)

    def predicted_bv(self, block: CodingBlock) -> tuple[cython.int, cython.int]:
        """What a block vector is predicted as: that of the block to the left if it is a copy, else of that above."""
        row, column = block.row, block.column
        if column > 0 and self.kind[row, column - 1] == BlockKind.COPY:
            return self.bv_dy[row, column - 1], self.bv_dx[row, column - 1]
        if row > 0 and self.kind[row - 1, column] == BlockKind.COPY:
            return self.bv_dy[row - 1, column], self.bv_dx[row - 1, column]
        return 0, 0

    def node_context(self, is_p: cython.bint, row: cython.int, column: cython.int, log2: cython.int) -> cython.int:
        """Picture type, size, smaller neighbours, skipped neighbours."""
        smaller: cython.int = 0
        skipped: cython.int = 0
        if column > 0:
            smaller += self.log2[row, column - 1] < log2
            skipped += self.kind[row, column - 1] == BlockKind.SKIP
        if row > 0:
            smaller += self.log2[row - 1, column] < log2
            skipped += self.kind[row - 1, column] == BlockKind.SKIP
        return 9 * (3 * is_p + 5 - log2) + 3 * smaller + skipped

    def coded_neighbours(self, block: CodingBlock, plane: cython.int) -> cython.int:
        """How many of the coding blocks to the left and above have levels in a plane."""
        count: cython.int = 0
        if block.column > 0:
            count += (self.cbf[block.row, block.column - 1] >> plane) & 1
        if block.row > 0:
            count += (self.cbf[block.row - 1, block.column] >> plane) & 1
        return count

    def left_mode(self, block: CodingBlock, quarter: cython.int) -> cython.int:
        """The first MPM of a quarter: the intra mode to its left, or DC."""
        if quarter & 1:
            return (block.modes >> (6 * (quarter - 1))) & 63
        if block.column > 0 and self.kind[block.row, block.column - 1] == BlockKind.INTRA:
            return (self.modes[block.row, block.column - 1] >> (6 * (quarter + 1))) & 63
        return tables.DC

    def above_mode(self, block: CodingBlock, quarter: cython.int) -> cython.int:
        """The second MPM of a quarter: the intra mode above it, or planar."""
        if quarter & 2:
            return (block.modes >> (6 * (quarter - 2))) & 63
        if block.row > 0 and self.kind[block.row - 1, block.column] == BlockKind.INTRA:
            return (self.modes[block.row - 1, block.column] >> (6 * (quarter + 2))) & 63
        return tables.PLANAR


@cython.cclass
class MotionMap:
    """The motion of decoded pictures, of each unit of 8×8 luma samples, by the slot that keeps the picture."""

    dy: cython.int[:, :, ::1]
    dx: cython.int[:, :, ::1]
    distance: cython.schar[:, :, ::1]  # in time that it goes over, 0 of intra blocks

    def __init__(self, rows, columns):
        self.dy, self.dx = zeros((SLOTS, rows, columns), np.int32), zeros((SLOTS, rows, columns), np.int32)
        self.distance = zeros((SLOTS, rows, columns), np.int8)

    def put(self, slot: cython.int, blocks: BlockMap, references: References) -> cython.void:
        """Note the motion of a picture: vectors into its first reference, else those into the second."""
        for row in range(blocks.rows):
            for column in range(blocks.columns):
                directions = blocks.directions[row, column]
                k = 0 if directions & 1 else 1
                self.dy[slot, row, column] = blocks.dy[k, row, column]
                self.dx[slot, row, column] = blocks.dx[k, row, column]
                self.distance[slot, row, column] = references.distance[k] if directions > 0 else 0


@cython.cclass
class MergeCandidates:
    """The motion that a coding block may take from around it, at most three.

    Vectors of its own are predicted from it.
    """

    count: cython.int
    directions: cython.int[::1]  # of each, and of the one that is offered
    dy: cython.int[:, ::1]  # the same, into each reference
    dx: cython.int[:, ::1]
    references: References
    motion: MotionMap
    temporal_dy: cython.int[::1]  # into each reference, as the picture that was decoded last moves
    temporal_dx: cython.int[::1]
    predicted_dy: cython.int  # of a vector
    predicted_dx: cython.int

    def __init__(self, references, motion):
        self.references, self.motion = references, motion
        self.directions, self.dy, self.dx = zeros(4, np.int32), zeros((4, 2), np.int32), zeros((4, 2), np.int32)
        self.temporal_dy, self.temporal_dx = zeros(2, np.int32), zeros(2, np.int32)

    def offer(
        self,
        directions: cython.int,
        dy: cython.int,
        dx: cython.int,
        second_dy: cython.int,
        second_dx: cython.int,
    ) -> cython.void:
        """Add motion, if there is room and it is new."""
        n: cython.int = self.count
        self.directions[n] = directions
        self.dy[n, 0], self.dx[n, 0], self.dy[n, 1], self.dx[n, 1] = dy, dx, second_dy, second_dx
        for k in range(n):
            if (
                self.directions[k] == directions
                and self.dy[k, 0] == dy
                and self.dx[k, 0] == dx
                and self.dy[k, 1] == second_dy
                and self.dx[k, 1] == second_dx
            ):
                return
        self.count = min(n + 1, 3)

    def offer_unit(self, blocks: BlockMap, row: cython.int, column: cython.int) -> cython.void:
        """Add the motion of a neighbour."""
        self.offer(
            blocks.directions[row, column],
            blocks.dy[0, row, column],
            blocks.dx[0, row, column],
            blocks.dy[1, row, column],
            blocks.dx[1, row, column],
        )

    def find(self, blocks: BlockMap, block: CodingBlock) -> cython.void:
        """Find the candidates of a coding block."""
        row, column, side = block.row, block.column, 1 << (block.log2 - 3)
        corner = column + side
        if not blocks.is_available(2 * row - 1, 2 * corner, 2 * row, 2 * column):
            corner = column - 1
        has_left: cython.bint = column > 0 and blocks.directions[row, column - 1] > 0
        has_above: cython.bint = row > 0 and blocks.directions[row - 1, column] > 0
        has_corner: cython.bint = row > 0 and corner >= 0 and blocks.directions[row - 1, corner] > 0
        self.count = 0
        if not self.references.is_b and has_left + has_above + has_corner != 1:
            self.offer_median(blocks, row, column, corner)
        if has_left:
            self.offer_unit(blocks, row, column - 1)
        if has_above:
            self.offer_unit(blocks, row - 1, column)
        if has_corner:
            self.offer_unit(blocks, row - 1, corner)
        if self.count == 3:
            return
        self.find_temporal(row + (side >> 1), column + (side >> 1))
        if self.references.is_b:
            dy, dx = self.temporal_dy, self.temporal_dx
            self.offer(3, dy[0], dx[0], dy[1], dx[1])
            self.offer(3, 0, 0, 0, 0)
        else:
            self.offer(1, self.temporal_dy[0], self.temporal_dx[0], 0, 0)
        self.offer(1, 0, 0, 0, 0)

    def offer_median(self, blocks: BlockMap, row: cython.int, column: cython.int, corner: cython.int) -> cython.void:
        """Add the median of three neighbours' vectors, of which those that are not there, or intra, count as 0."""
        left_dy: cython.int = 0
        left_dx: cython.int = 0
        above_dy: cython.int = 0
        above_dx: cython.int = 0
        corner_dy: cython.int = 0
        corner_dx: cython.int = 0
        if column > 0:
            left_dy, left_dx = blocks.dy[0, row, column - 1], blocks.dx[0, row, column - 1]
        if row > 0:
            above_dy, above_dx = blocks.dy[0, row - 1, column], blocks.dx[0, row - 1, column]
            if corner >= 0:
                corner_dy, corner_dx = blocks.dy[0, row - 1, corner], blocks.dx[0, row - 1, corner]
        self.offer(1, median(left_dy, above_dy, corner_dy), median(left_dx, above_dx, corner_dx), 0, 0)

    def find_temporal(self, row: cython.int, column: cython.int) -> cython.void:
        """Find how a unit moves if it goes on as in the reference that was decoded last; intra blocks stay."""
        slot = self.references.slot[self.references.latest]
        distance = self.motion.distance[slot, row, column]
        dy, dx = self.motion.dy[slot, row, column], self.motion.dx[slot, row, column]
        for k in range(2):
            self.temporal_dy[k] = self.temporal_dx[k] = 0
            if distance != 0:
                self.temporal_dy[k] = self.references.stretched(dy, distance, self.references.distance[k])
                self.temporal_dx[k] = self.references.stretched(dx, distance, self.references.distance[k])

    def take_vector(self, candidate: cython.int, reference: cython.int) -> cython.void:
        """Predict a vector by a candidate's, which may point into the other reference."""
        if self.directions[candidate] >> reference & 1:
            self.predicted_dy, self.predicted_dx = self.dy[candidate, reference], self.dx[candidate, reference]
        else:
            self.predicted_dy = self.references.other(self.dy[candidate, 1 - reference], reference)
            self.predicted_dx = self.references.other(self.dx[candidate, 1 - reference], reference)

    def predict_vector(self, reference: cython.int) -> cython.void:
        """Predict a vector into a reference: by the first candidate that has one, else by the first."""
        for k in range(self.count):
            if self.directions[k] >> reference & 1:
                self.take_vector(k, reference)
                return
        self.take_vector(0, reference)

    def give(self, block: CodingBlock, merge: cython.int) -> cython.void:
        """Let a block have the motion of a candidate, or one vector of each of the first two."""
        block.directions = 3 if merge == tables.AVERAGED else self.directions[merge]
        for k in range(2):
            if merge == tables.AVERAGED:
                self.take_vector(k, k)
                block.dy[k], block.dx[k] = self.predicted_dy, self.predicted_dx
            else:
                block.dy[k], block.dx[k] = self.dy[merge, k], self.dx[merge, k]
