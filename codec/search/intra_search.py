"""Encoder only: which direction a block is predicted from."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import zeros
from codec.dct import tables
from codec.dct.candidates import BlockMap
from codec.dct.intra import IntraPredictor
from codec.dct.planes import Plane
from codec.dct.syntax import CodingBlock
from codec.depths import Sample
from codec.picture.planes import sample_type
from codec.search.forward import SourcePlane
from codec.search.symbol_writer import SymbolWriter
from codec.vectors import half_hadamard

__all__ = ["IntraSearch"]


@cython.cclass
class IntraSearch:
    """Ranks the luma modes of blocks."""

    writer: SymbolWriter
    intra: IntraPredictor
    rounds: cython.int  # of refinement of the direction
    lagrangian: cython.double  # of Hadamard sums: √λ
    predicted: Sample[:, ::1]
    cost: cython.double[::1]  # of the best three, and room for one
    mode: cython.int[::1]
    small: cython.int[:, ::1]

    def __init__(self, writer: SymbolWriter, intra: IntraPredictor, rounds: int, bit_depth: int) -> None:
        self.writer, self.intra, self.rounds = writer, intra, rounds
        self.predicted, self.small = zeros((32, 32), sample_type(bit_depth)), zeros((4, 4), np.int32)
        self.cost, self.mode = zeros(4, np.float64), zeros(4, np.int32)

    def rank(
        self,
        source: SourcePlane,
        luma: Plane,
        blocks: BlockMap,
        block: CodingBlock,
        quarter: cython.int,
        y: cython.int,
        x: cython.int,
        log2: cython.int,
    ) -> cython.double:
        """Rank modes of the transform block at (y, x), a quarter of a coding block, by Hadamard sum + √λ · bits.

        First planar, DC, every fourth direction and the MPMs; then those around the best. Returns the least cost.
        """
        left, above = blocks.left_mode(block, quarter), blocks.above_mode(block, quarter)
        tried: cython.longlong = 0
        for k in range(4):
            self.cost[k], self.mode[k] = 1e30, 0
        self.intra.gather(luma, blocks, y, x, log2)
        for round_ in range(self.rounds + 1):
            best = self.mode[0]
            for number in range(13 if round_ == 0 else 2):
                if round_ > 0:
                    mode = best + (2 * number - 1) * (2 if round_ == 1 else 1) if best >= 2 else -1
                elif number < 11:
                    mode = number if number < 2 else 4 * number - 6
                else:
                    mode = left if number == 11 else above
                if mode < 0 or mode >= tables.MODES or (round_ > 0 and mode < 2) or tried >> mode & 1:
                    continue
                tried |= cython.cast(cython.longlong, 1) << mode
                symbol = 0 if mode == left else 1 if mode == above else mode + 2
                bits = self.writer.rates[tables.MODE_CONTEXTS + 5 - max(log2, 3), symbol]
                self.intra.predict(self.predicted, 0, 0, mode, True)
                self.insert(self.hadamard(source.samples, y, x, 1 << log2) + self.lagrangian * bits, mode)
        return self.cost[0]

    def insert(self, cost: cython.double, mode: cython.int) -> cython.void:
        """Keep a mode that is among the best."""
        k: cython.int = 3
        while k > 0 and cost < self.cost[k - 1]:
            self.cost[k], self.mode[k] = self.cost[k - 1], self.mode[k - 1]
            k -= 1
        self.cost[k], self.mode[k] = cost, mode

    def hadamard(self, source: Sample[:, ::1], y: cython.int, x: cython.int, side: cython.int) -> cython.double:
        """Hadamard sums of the difference from what is predicted."""
        total: cython.int = 0
        if side == 4:
            return self.small_hadamard(source, y, x)
        for down in range(0, side, 8):
            total += half_hadamard(source, y + down, x, self.predicted, down, 0, side)
        return total / 4.0

    def small_hadamard(self, source: Sample[:, ::1], y: cython.int, x: cython.int) -> cython.double:
        """Of 4×4 samples: half of what four of these count as 8×8 samples."""
        small, predicted = self.small, self.predicted
        total: cython.int = 0
        for j in range(4):
            a: cython.int = source[y + j, x] - predicted[j, 0]
            b: cython.int = source[y + j, x + 1] - predicted[j, 1]
            c: cython.int = source[y + j, x + 2] - predicted[j, 2]
            d: cython.int = source[y + j, x + 3] - predicted[j, 3]
            small[j, 0], small[j, 1], small[j, 2], small[j, 3] = (
                a + b + c + d,
                a - b + c - d,
                a + b - c - d,
                a - b - c + d,
            )
        for i in range(4):
            a, b, c, d = small[0, i], small[1, i], small[2, i], small[3, i]
            total += abs(a + b + c + d) + abs(a - b + c - d) + abs(a + b - c - d) + abs(a - b - c + d)
        return total / 4.0
