"""Encoder only: the vector of a coding block, by Hadamard sums of what it predicts."""

from __future__ import annotations

from math import sqrt

import cython
import numpy as np
import numpy.typing as npt

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.candidates import MergeCandidates
from codec.dct.planes import Plane
from codec.dct.references import SAMPLE_SLOTS
from codec.depths import Sample
from codec.search.forward import SourcePlane
from codec.search.interpolation import InterpolatedPlanes
from codec.search.symbol_writer import SymbolWriter
from codec.vectors import half_hadamard

__all__ = ["VectorSearch"]

FULL_ROUNDS: cython.int = 16  # in full samples, as a block may move unlike those before it


@cython.cclass
class VectorSearch:
    """Looks for the vector that predicts a block of luma best."""

    luma: Plane
    source: SourcePlane
    quarters: InterpolatedPlanes  # of luma
    writer: SymbolWriter
    lagrangian: cython.double  # of Hadamard sums: √λ
    limit: cython.int  # of both components, in quarter samples
    rounds: cython.int  # around the best vector, with each step
    seeds: cython.short[:, :, :, ::1]  # into each reference, a vector for each 16×16 samples to begin with
    parent_dy: cython.int[:, ::1]  # the last vector into each reference of each size, by log2 of its side
    parent_dx: cython.int[:, ::1]
    slot: cython.int  # of the reference at work
    best_dy: cython.int
    best_dx: cython.int

    def __init__(self, luma: Plane, writer: SymbolWriter, limit: int, rounds: int) -> None:
        """Vectors of ``luma`` have a limit in quarter samples."""
        self.luma, self.writer, self.limit, self.rounds = luma, writer, limit, rounds
        self.quarters = InterpolatedPlanes(luma.reference, 4, SAMPLE_SLOTS)
        self.parent_dy, self.parent_dx = zeros((2, 7), np.int32), zeros((2, 7), np.int32)

    def start(self, source: SourcePlane, seeds: npt.NDArray[np.int16], lagrangian: float) -> None:
        """Begin a picture in which a bit is worth ``lagrangian``; ``seeds`` are int16 (2, rows, columns, 2)."""
        self.source, self.seeds, self.lagrangian = source, table(seeds, np.int16), sqrt(lagrangian)

    def hadamard(
        self,
        y: cython.int,
        x: cython.int,
        side: cython.int,
        dy: cython.int,
        dx: cython.int,
        slot: cython.int,
        bound: cython.double,
    ) -> cython.double:
        """Hadamard sums of the difference that a vector leaves, as large as a sum of |differences|.

        From ``bound`` on, a part of it.
        """
        v = self.quarters.row(y + (dy >> 2), 16 * slot + 4 * (dy & 3) + (dx & 3))
        return self.sums(y, x, self.quarters.samples, v, self.quarters.column(x + (dx >> 2)), side, bound)

    def predicted(self, y: cython.int, x: cython.int, side: cython.int, bound: cython.double) -> cython.double:
        """The same for what lies in the plane."""
        return self.sums(y, x, self.luma.samples, y, x, side, bound)

    def sums(
        self,
        y: cython.int,
        x: cython.int,
        samples: Sample[:, ::1],
        v: cython.int,
        u: cython.int,
        side: cython.int,
        bound: cython.double,
    ) -> cython.double:
        """Of the source at (y, x), and ``samples`` at (v, u)."""
        most = 4 * bound
        total: cython.int = 0
        for down in range(0, side, 8):
            total += half_hadamard(self.source.samples, y + down, x, samples, v + down, u, side)
            if total >= most:
                break
        return total / 4.0

    def number_bits(self, context: cython.int, number: cython.int) -> cython.double:
        """What `SymbolWriter.put_signed` costs; most numbers are small."""
        folded = 2 * number - 1 if number > 0 else -2 * number
        return (
            self.writer.rates[context, folded] if folded < tables.DIRECT else self.writer.number_bits(context, folded)
        )

    def try_vector(
        self,
        candidates: MergeCandidates,
        y: cython.int,
        x: cython.int,
        side: cython.int,
        dy: cython.int,
        dx: cython.int,
        best: cython.double,
    ) -> cython.double:
        """Keep a vector that is new, allowed and costs less than ``best``; returns the lower cost."""
        if best < 1e30 and dy == self.best_dy and dx == self.best_dx:
            return best
        if abs(dy) > self.limit or abs(dx) > self.limit:
            return best
        down, right = dy - candidates.predicted_dy, dx - candidates.predicted_dx
        context = self.writer.second_component(down)
        cost = self.lagrangian * (self.number_bits(tables.VECTOR_CONTEXTS, down) + self.number_bits(context, right))
        if cost < best:
            cost += self.hadamard(y, x, side, dy, dx, self.slot, best - cost)
        if cost >= best:
            return best
        self.best_dy, self.best_dx = dy, dx
        return cost

    def look_around(
        self,
        candidates: MergeCandidates,
        y: cython.int,
        x: cython.int,
        side: cython.int,
        step: cython.int,
        tried_dy: cython.int,
        tried_dx: cython.int,
        best: cython.double,
    ) -> cython.double:
        """Try the vectors around the best, eight or in full samples four, that are not around the one that was tried.

        Returns the least cost.
        """
        centre_dy, centre_dx = self.best_dy, self.best_dx
        for k in range(9):
            dy, dx = centre_dy + step * (k // 3 - 1), centre_dx + step * (k % 3 - 1)
            if k != 4 and (k & 1 or step < 4) and (abs(dy - tried_dy) > step or abs(dx - tried_dx) > step):
                best = self.try_vector(candidates, y, x, side, dy, dx, best)
        return best

    def search(
        self, candidates: MergeCandidates, reference: cython.int, y: cython.int, x: cython.int, log2: cython.int
    ) -> cython.double:
        """Find the best vector into a reference; returns its Hadamard sum + √λ · bits.

        It begins from the merge candidates, seeds of 16×16 samples, and the vector of the block that is
        split, and goes downhill in full samples, in halves, then in quarters.
        """
        side = 1 << log2
        best: cython.double = 1e30
        self.slot, self.best_dy, self.best_dx = candidates.references.sample_slot[reference], 0, 0
        candidates.predict_vector(reference)
        best = self.try_vector(candidates, y, x, side, candidates.predicted_dy, candidates.predicted_dx, best)
        for k in range(candidates.count):
            if candidates.directions[k] >> reference & 1:
                dy, dx = candidates.dy[k, reference], candidates.dx[k, reference]
                best = self.try_vector(candidates, y, x, side, dy, dx, best)
        row = min((y + (side >> 1)) >> 4, cython.cast(cython.int, self.seeds.shape[1]) - 1)
        column = min((x + (side >> 1)) >> 4, cython.cast(cython.int, self.seeds.shape[2]) - 1)
        dy, dx = self.seeds[reference, row, column, 0], self.seeds[reference, row, column, 1]
        best = self.try_vector(candidates, y, x, side, dy, dx, best)
        dy, dx = self.parent_dy[reference, log2 + 1], self.parent_dx[reference, log2 + 1]
        best = self.try_vector(candidates, y, x, side, dy, dx, best)
        step: cython.int = 4
        while step >= 1:
            dy, dx = self.best_dy, self.best_dx
            best = self.look_around(candidates, y, x, side, step, dy + 3 * step, dx, best)  # nothing was tried before
            left: cython.int = FULL_ROUNDS if step == 4 else self.rounds
            while left > 1 and (self.best_dy != dy or self.best_dx != dx):
                tried_dy, tried_dx, dy, dx = dy, dx, self.best_dy, self.best_dx
                best = self.look_around(candidates, y, x, side, step, tried_dy, tried_dx, best)
                left -= 1
            step >>= 1
        self.parent_dy[reference, log2], self.parent_dx[reference, log2] = self.best_dy, self.best_dx
        return best
