"""What a coding block knows of those before it: contexts, available samples, merge candidates (spec 10.2, 10.6)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.syntax import CodingBlock
from codec.models import BlockKind

__all__ = ["BlockMap", "MergeCandidates"]


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
    dy: cython.int[:, ::1]  # of its vector; 0 of intra blocks
    dx: cython.int[:, ::1]
    order: cython.int[:, ::1]  # in which the 4×4 units of a CTU are decoded

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.log2, self.kind, self.cbf, self.transform_split = (zeros((rows, columns), np.uint8) for _ in range(4))
        self.modes, self.dy, self.dx = (zeros((rows, columns), np.int32) for _ in range(3))
        self.order = table(tables.MORTON)

    def put(self, block: CodingBlock) -> cython.void:
        """Note a coding block in all its units."""
        side = 1 << (block.log2 - 3)
        for row in range(block.row, block.row + side):
            for column in range(block.column, block.column + side):
                self.log2[row, column], self.kind[row, column] = block.log2, block.kind
                self.cbf[row, column], self.transform_split[row, column] = block.cbf, block.transform_split
                self.modes[row, column] = block.modes
                self.dy[row, column], self.dx[row, column] = block.dy, block.dx

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
class MergeCandidates:
    """The vectors that a coding block may take from around it, at most three.

    The first is also what a vector of its own is predicted from.
    """

    count: cython.int
    dy: cython.int[::1]
    dx: cython.int[::1]

    def __init__(self):
        self.dy, self.dx = zeros(3, np.int32), zeros(3, np.int32)

    def offer(self, dy: cython.int, dx: cython.int) -> cython.void:
        """Add a vector, if there is room and it is new."""
        if self.count == 3:
            return
        for k in range(self.count):
            if self.dy[k] == dy and self.dx[k] == dx:
                return
        self.dy[self.count], self.dx[self.count] = dy, dx
        self.count += 1

    def find(self, blocks: BlockMap, before: BlockMap, block: CodingBlock) -> cython.void:
        """Find the candidates of a coding block; ``before`` is the picture before."""
        row, column, side = block.row, block.column, 1 << (block.log2 - 3)
        corner = column + side
        if not blocks.is_available(2 * row - 1, 2 * corner, 2 * row, 2 * column):
            corner = column - 1
        left_dy: cython.int = 0
        left_dx: cython.int = 0
        above_dy: cython.int = 0
        above_dx: cython.int = 0
        corner_dy: cython.int = 0
        corner_dx: cython.int = 0
        has_left: cython.bint = column > 0 and blocks.kind[row, column - 1] != BlockKind.INTRA
        has_above: cython.bint = row > 0 and blocks.kind[row - 1, column] != BlockKind.INTRA
        has_corner: cython.bint = row > 0 and corner >= 0 and blocks.kind[row - 1, corner] != BlockKind.INTRA
        if has_left:
            left_dy, left_dx = blocks.dy[row, column - 1], blocks.dx[row, column - 1]
        if has_above:
            above_dy, above_dx = blocks.dy[row - 1, column], blocks.dx[row - 1, column]
        if has_corner:
            corner_dy, corner_dx = blocks.dy[row - 1, corner], blocks.dx[row - 1, corner]
        self.count = 0
        if has_left + has_above + has_corner == 1:  # the others are 0
            self.offer(left_dy + above_dy + corner_dy, left_dx + above_dx + corner_dx)
        else:
            self.offer(median(left_dy, above_dy, corner_dy), median(left_dx, above_dx, corner_dx))
        if has_left:
            self.offer(left_dy, left_dx)
        if has_above:
            self.offer(above_dy, above_dx)
        if has_corner:
            self.offer(corner_dy, corner_dx)
        middle_row, middle_column = row + (side >> 1), column + (side >> 1)
        self.offer(before.dy[middle_row, middle_column], before.dx[middle_row, middle_column])
        self.offer(0, 0)
