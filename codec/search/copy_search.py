"""Encoder only: from where in its own picture a block is best copied (spec 10.9)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.candidates import BlockMap
from codec.dct.planes import Plane
from codec.dct.syntax import CodingBlock
from codec.depths import Sample
from codec.search.displacements import previous_places
from codec.search.forward import SourcePlane
from codec.search.vector_search import VectorSearch

__all__ = ["CopySearch"]

TRIES: cython.int = 16  # places for each square of a block; with 4 screens take 1.5 % more, with 64 1 % less


@cython.cclass
class CopySearch:
    """Finds the block vector of the least Hadamard cost among the places that have the same 8×8 samples."""

    vectors: VectorSearch
    previous: cython.int[::1]  # see `previous_places`
    predicted_dy: cython.int  # of the block at work
    predicted_dx: cython.int
    cost: cython.double  # of the best block vector
    bv_dy: cython.int
    bv_dx: cython.int

    def __init__(self, vectors: VectorSearch) -> None:
        self.vectors, self.previous = vectors, zeros(1, np.int32)

    def start(self, source: SourcePlane) -> None:
        """Begin a picture."""
        self.previous = table(previous_places(np.asarray(source.samples)))

    def find(self, blocks: BlockMap, luma: Plane, block: CodingBlock) -> cython.bint:
        """Give a coding block its best block vector; whether there is one.

        Tried are the block vectors of the blocks to the left and above, and places with one of its 8×8 squares.
        """
        y, x, side, stride = 8 * block.row, 8 * block.column, 1 << block.log2, luma.stride
        self.cost, self.bv_dy, self.bv_dx = 1e30, 0, 0
        self.predicted_dy, self.predicted_dx = blocks.predicted_bv(block)
        self.offer(blocks, luma, block, self.predicted_dy, self.predicted_dx)
        if y > 0:
            above_dy, above_dx = blocks.bv_dy[block.row - 1, block.column], blocks.bv_dx[block.row - 1, block.column]
            self.offer(blocks, luma, block, above_dy, above_dx)
        for down in range(0, side, 8):
            for right in range(0, side, 8):
                place: cython.int = self.previous[(y + down) * stride + x + right]
                for _ in range(TRIES):
                    if place < 0:
                        break
                    self.offer(blocks, luma, block, place // stride - down - y, place % stride - right - x)
                    place = self.previous[place]
        block.bv_dy, block.bv_dx = self.bv_dy, self.bv_dx
        return self.cost < 1e30

    def offer(self, blocks: BlockMap, luma: Plane, block: CodingBlock, dy: cython.int, dx: cython.int) -> cython.void:
        """Take a block vector if it is the best so far."""
        if not blocks.is_decoded(block, dy, dx):
            return
        bits: cython.double = self.vectors.number_bits(tables.BV_CONTEXTS, dy - self.predicted_dy)
        bits += self.vectors.number_bits(tables.BV_CONTEXTS + 1, dx - self.predicted_dx)
        cost: cython.double = self.vectors.lagrangian * bits
        if cost >= self.cost:
            return
        y, x = 8 * block.row, 8 * block.column
        samples: Sample[:, ::1] = luma.samples
        cost += self.vectors.sums(y, x, samples, y + dy, x + dx, 1 << block.log2, self.cost - cost)
        if cost < self.cost:
            self.cost, self.bv_dy, self.bv_dx = cost, dy, dx
