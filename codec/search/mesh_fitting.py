"""Node vectors and cell modes of a mesh, by descent on the squared error of the cells that a node moves."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

from codec.motion import tables
from codec.motion.compensation import Mesh
from codec.motion.vector_prediction import MedianPredictor
from codec.search.block_matching import BlockMatcher
from codec.search.interpolation import InterpolatedPlanes

__all__ = ["MeshFitter"]

BORDER: cython.int = tables.BORDER
NO_BOUND: cython.int = 1 << 30  # more than any sum of squared errors
NEVER: cython.double = 1e300
WARP: cython.int = 0  # codes of `CellMode`
BLEND: cython.int = 1
OWN: cython.int = 2
MODE_BITS: cython.double = 1.0  # what warp and blend cost; entropies on 352×288 clips are 0.9…1.5 bits a cell
OWN_BITS: cython.double = 3.0  # the mode alone; the vector comes on top
NEAR: cython.double = 1.25  # × the best other mode: up to there an inexact WARP is worth its exact error


def down_of(k: cython.int) -> cython.int:
    """Rows to a neighbour of a diamond: above, below, left, right."""
    return -1 if k == 0 else 1 if k == 1 else 0


def right_of(k: cython.int) -> cython.int:
    """Columns to the same."""
    return -1 if k == 2 else 1 if k == 3 else 0


@cython.cclass
class MeshFitter:
    """A mesh on its way to the least squared error + λ · bits of its vectors.

    WARP is looked up at the nearest quarter sample while nodes move, which is fast and near enough; the choice of modes
    is exact.
    """

    matcher: BlockMatcher
    mesh: Mesh
    height: cython.int
    width: cython.int
    source: cython.uchar[::1]
    planes: InterpolatedPlanes
    quarters: cython.uchar[::1]  # their samples
    warped: cython.uchar[:, ::1]  # the picture as WARP predicts it
    nodes: cython.short[:, :, ::1]
    predictor: MedianPredictor
    modes: cython.uchar[:, ::1]
    own: cython.short[:, :, ::1]
    stale: cython.uchar[:, ::1]  # nodes to visit, with a border
    log2_cell: cython.int
    limit: cython.int
    lagrangian: cython.double

    def __init__(
        self,
        source: npt.NDArray[np.uint8],
        matcher: BlockMatcher,
        nodes: npt.NDArray[np.int16],
        modes: npt.NDArray[np.uint8],
        own: npt.NDArray[np.int16],
        cell_size: int,
    ) -> None:
        """``nodes`` are int16 (rows + 1, columns + 1, 2), ``modes`` uint8 (rows, columns), ``own`` int16; both move."""
        self.matcher, self.mesh = matcher, Mesh(nodes, cell_size, 2)
        self.height, self.width, self.source, self.limit = matcher.height, matcher.width, matcher.source, matcher.limit
        self.nodes, self.modes, self.own = memoryview(nodes), memoryview(modes), memoryview(own)
        self.predictor = MedianPredictor(nodes)
        self.stale = memoryview(np.zeros((len(nodes) + 2, nodes.shape[1] + 2), np.uint8))
        self.log2_cell = cell_size.bit_length() - 1
        self.warped = memoryview(np.zeros(source.shape, np.uint8))
        self.planes = InterpolatedPlanes(matcher.halves.reference, 4)
        self.quarters = self.planes.flat

    def mean_squared_error(self, vectors: npt.NDArray[np.int16]) -> float:
        """A sample's, of blocks moved by ``vectors``, int16 (cell rows, cell columns, 2)."""
        moved: cython.short[:, :, ::1] = memoryview(vectors)
        total: cython.double = 0
        with cython.nogil:
            for row in range(moved.shape[0]):
                for column in range(moved.shape[1]):
                    total += self.moved_error(row, column, moved[row, column, 0], moved[row, column, 1])
        return float(total / (self.height * self.width))

    def fit(self, lagrangian: float, sweeps: int, turns: int, may_blend: bool, may_own: bool, may_warp: bool) -> float:
        """Nodes downhill and a mode for each cell, in turns; returns the squared error of the picture."""
        self.lagrangian = lagrangian
        error: cython.double = 0
        many: cython.int = sweeps
        times: cython.int = turns
        blends: cython.bint = may_blend
        owns: cython.bint = may_own
        warps: cython.bint = may_warp
        with cython.nogil:
            for turn in range(times + 1):
                self.descend(many if turn < times else 1)
                error = self.choose_modes(blends, owns, warps)
        return float(error)

    def moved_error(self, row: cython.int, column: cython.int, dy: cython.int, dx: cython.int) -> cython.int:
        """Squared error of a cell moved by one vector."""
        self.matcher.set_window(row << self.log2_cell, column << self.log2_cell, 1 << self.log2_cell)
        return self.matcher.squared_error(dy, dx, NO_BOUND)

    def blend_error(self, row: cython.int, column: cython.int, bound: cython.int) -> cython.int:
        """Squared error of a cell in mode BLEND, exact (spec 7.8); from ``bound`` on, a part of it."""
        nodes, quarters, log2_cell = self.nodes, self.quarters, self.log2_cell
        top, left, size = row << log2_cell, column << log2_cell, 1 << log2_cell
        a = self.planes.place(top, left, nodes[row, column, 0], nodes[row, column, 1])
        b = self.planes.place(top, left, nodes[row, column + 1, 0], nodes[row, column + 1, 1])
        c = self.planes.place(top, left, nodes[row + 1, column, 0], nodes[row + 1, column, 1])
        d = self.planes.place(top, left, nodes[row + 1, column + 1, 0], nodes[row + 1, column + 1, 1])
        here: cython.Py_ssize_t = top * self.width + left
        half = size * size >> 1
        total: cython.int = 0
        for v in range(min(size, self.height - top)):
            above = size - v
            for u in range(min(size, self.width - left)):
                upper = (size - u) * quarters[a + u] + u * quarters[b + u]
                lower = (size - u) * quarters[c + u] + u * quarters[d + u]
                error = self.source[here + u] - ((above * upper + v * lower + half) >> (2 * log2_cell))
                total += error * error
            if total >= bound:
                break
            here += self.width
            stride = self.planes.stride
            a, b, c, d = a + stride, b + stride, c + stride, d + stride
        return total

    def is_inside(self, row: cython.int, column: cython.int, top: cython.int, left: cython.int) -> cython.bint:
        """Whether a node's vector leaves its cell at (top, left) within the planes' border."""
        size = 1 << self.log2_cell
        y, x = top + (self.nodes[row, column, 0] >> 2), left + (self.nodes[row, column, 1] >> 2)
        rows, columns = min(size, self.height - top), min(size, self.width - left)
        inside_y: cython.bint = y >= -BORDER and y + rows < self.height + BORDER
        inside_x: cython.bint = x >= -BORDER and x + columns < self.width + BORDER
        return inside_y and inside_x

    def warp_error(self, row: cython.int, column: cython.int, bound: cython.int) -> cython.int:
        """Squared error of a cell in mode WARP with displacements rounded to quarter samples; see `blend_error`.

        `NO_BOUND` where a node moves the cell out of the planes.
        """
        nodes, quarters, log2_cell = self.nodes, self.quarters, self.log2_cell
        top, left, size = row << log2_cell, column << log2_cell, 1 << log2_cell
        for corner in range(4):
            if not self.is_inside(row + (corner >> 1), column + (corner & 1), top, left):
                return NO_BOUND
        stride = self.planes.stride
        plane_size = self.planes.rows * stride
        here: cython.Py_ssize_t = top * self.width + left
        there = self.planes.place(top, left, 0, 0)
        half, down = 1 << (2 * log2_cell - 1), 2 * log2_cell
        total: cython.int = 0
        for v in range(min(size, self.height - top)):
            above = size - v
            left_y = above * nodes[row, column, 0] + v * nodes[row + 1, column, 0]
            left_x = above * nodes[row, column, 1] + v * nodes[row + 1, column, 1]
            step_y = above * nodes[row, column + 1, 0] + v * nodes[row + 1, column + 1, 0] - left_y
            step_x = above * nodes[row, column + 1, 1] + v * nodes[row + 1, column + 1, 1] - left_x
            y, x = size * left_y + half, size * left_x + half
            for u in range(min(size, self.width - left)):
                dy, dx = y >> down, x >> down
                phase: cython.Py_ssize_t = 4 * (dy & 3) + (dx & 3)
                error = (
                    self.source[here + u] - quarters[phase * plane_size + there + (dy >> 2) * stride + (dx >> 2) + u]
                )
                total += error * error
                y, x = y + step_y, x + step_x
            if total >= bound:
                break
            here, there = here + self.width, there + stride
        return total

    def try_node(
        self, row: cython.int, column: cython.int, dy: cython.int, dx: cython.int, best: cython.double
    ) -> cython.double:
        """Move a node to a vector if that costs less than ``best``; returns the lower cost."""
        nodes = self.nodes
        old_dy, old_dx = nodes[row, column, 0], nodes[row, column, 1]
        median_y, median_x = self.predictor.predict(row, column, 0), self.predictor.predict(row, column, 1)
        cost = self.lagrangian * self.matcher.vector_bits(dy - median_y, dx - median_x)
        nodes[row, column, 0], nodes[row, column, 1] = dy, dx
        for cell_row in range(max(row - 1, 0), min(row + 1, self.modes.shape[0])):
            for cell_column in range(max(column - 1, 0), min(column + 1, self.modes.shape[1])):
                mode = self.modes[cell_row, cell_column]
                if cost < best and mode != OWN:
                    bound: cython.int = (
                        cython.cast(cython.int, min(best - cost, cython.cast(cython.double, NO_BOUND))) + 1
                    )
                    if mode == BLEND:
                        cost += self.blend_error(cell_row, cell_column, bound)
                    else:
                        cost += self.warp_error(cell_row, cell_column, bound)
        if cost < best:
            return cost
        nodes[row, column, 0], nodes[row, column, 1] = old_dy, old_dx
        return best

    def descend_node(self, row: cython.int, column: cython.int) -> cython.bint:
        """Move a node to the best of its four neighbours' vectors, then downhill; whether it has moved.

        Downhill is a diamond of 4, 2, 1 quarter samples.
        """
        nodes = self.nodes
        old_dy, old_dx = nodes[row, column, 0], nodes[row, column, 1]
        best = self.try_node(row, column, old_dy, old_dx, NEVER)
        for k in range(4):
            j, i = row + down_of(k), column + right_of(k)
            if not (0 <= j < nodes.shape[0] and 0 <= i < nodes.shape[1]):
                continue
            if nodes[j, i, 0] != nodes[row, column, 0] or nodes[j, i, 1] != nodes[row, column, 1]:
                best = self.try_node(row, column, nodes[j, i, 0], nodes[j, i, 1], best)
        step: cython.int = 4
        while step >= 1:
            centre_y, centre_x, before = nodes[row, column, 0], nodes[row, column, 1], best
            for k in range(4):
                dy, dx = centre_y + step * down_of(k), centre_x + step * right_of(k)
                if abs(dy) <= self.limit and abs(dx) <= self.limit:
                    best = self.try_node(row, column, dy, dx, best)
            if best == before:
                step >>= 1
        return nodes[row, column, 0] != old_dy or nodes[row, column, 1] != old_dx

    def descend(self, sweeps: cython.int) -> cython.void:
        """Improve the nodes, sweep after sweep in alternating raster order, until nothing moves.

        A node is visited again only if it or a neighbour has moved since.
        """
        rows, columns = cython.cast(cython.int, self.nodes.shape[0]), cython.cast(cython.int, self.nodes.shape[1])
        for row in range(rows + 2):
            for column in range(columns + 2):
                self.stale[row, column] = 1
        for sweep in range(sweeps):
            has_moved: cython.bint = False
            for visit in range(rows * columns):
                node = visit if sweep & 1 == 0 else rows * columns - 1 - visit
                row, column = node // columns, node % columns
                if self.stale[row + 1, column + 1]:
                    if self.descend_node(row, column):
                        has_moved = True
                        for j in range(row, row + 3):
                            for i in range(column, column + 3):
                                self.stale[j, i] = 1
                    self.stale[row + 1, column + 1] = 0
            if not has_moved:
                break

    def own_bits(self, row: cython.int, column: cython.int, dy: cython.int, dx: cython.int) -> cython.int:
        """Bits of a vector of a cell's own, predicted by the mean of its nodes' vectors."""
        nodes = self.nodes
        y = (
            nodes[row, column, 0]
            + nodes[row, column + 1, 0]
            + nodes[row + 1, column, 0]
            + nodes[row + 1, column + 1, 0]
        )
        x = (
            nodes[row, column, 1]
            + nodes[row, column + 1, 1]
            + nodes[row + 1, column, 1]
            + nodes[row + 1, column + 1, 1]
        )
        return self.matcher.vector_bits(dy - ((y + 2) >> 2), dx - ((x + 2) >> 2))

    def exact_warp_error(self, row: cython.int, column: cython.int) -> cython.int:
        """Squared error of a cell in mode WARP as a decoder predicts it (spec 7.7)."""
        top, left, size = row << self.log2_cell, column << self.log2_cell, 1 << self.log2_cell
        self.planes.reference.warp(self.warped, self.mesh, top, left, size)
        total: cython.int = 0
        for y in range(top, min(top + size, self.height)):
            for x in range(left, min(left + size, self.width)):
                error = self.source[y * self.width + x] - self.warped[y, x]
                total += error * error
        return total

    def choose_modes(self, may_blend: cython.bint, may_own: cython.bint, may_warp: cython.bint) -> cython.double:
        """Give every cell the mode of least squared error + λ · bits; returns the squared error, which is exact."""
        total: cython.double = 0
        for row in range(self.modes.shape[0]):
            for column in range(self.modes.shape[1]):
                best: cython.double = NEVER
                best_error: cython.double = 0
                mode: cython.int = WARP
                if may_blend:
                    best_error = self.blend_error(row, column, NO_BOUND)
                    best, mode = best_error + self.lagrangian * MODE_BITS, BLEND
                if may_own:
                    dy, dx = self.own[row, column, 0], self.own[row, column, 1]
                    error: cython.double = self.moved_error(row, column, dy, dx)
                    cost = error + self.lagrangian * (OWN_BITS + self.own_bits(row, column, dy, dx))
                    if cost < best:
                        best, best_error, mode = cost, error, OWN
                near: cython.int = cython.cast(cython.int, min(NEAR * best, cython.cast(cython.double, NO_BOUND)))
                if may_warp and self.warp_error(row, column, near) < near:
                    error = self.exact_warp_error(row, column)
                    if error + self.lagrangian * MODE_BITS < best:
                        best_error, mode = error, WARP
                self.modes[row, column] = mode
                total += best_error
        return total
