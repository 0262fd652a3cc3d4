"""Encoder only: coding blocks as symbols, which are written or only counted (spec 10.3, 10.4)."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

from codec.buffers import table, zeros
from codec.dct import tables
from codec.dct.candidates import BlockMap
from codec.dct.planes import Plane
from codec.dct.syntax import CodingBlock, Levels
from codec.depths import Sample
from codec.models import BlockKind
from codec.picture.planes import sample_type
from codec.vectors import copy_row

__all__ = ["PlaneLevels", "SymbolWriter", "Trial"]


@cython.cclass
class PlaneLevels:
    """The levels of a coding block in one plane: those of its transform blocks, one after the other."""

    log2: cython.int  # of the side of a transform block
    blocks: cython.int  # transform blocks
    cbf: cython.int  # a bit for each that has levels
    cost: cython.double  # squared error + λ · bits, with levels
    error: cython.double  # squared error without
    end: cython.int[::1]  # of the levels of each transform block
    position: cython.int[::1]  # in the scan
    level: cython.int[::1]

    def __init__(self) -> None:
        self.end, self.position, self.level = zeros(4, np.int32), zeros(1024, np.int32), zeros(1024, np.int32)
        self.start(0)

    def start(self, log2: cython.int) -> cython.void:
        """Have no transform blocks."""
        self.log2, self.blocks, self.cbf, self.cost, self.error = log2, 0, 0, 0, 0

    def add(self, levels: Levels) -> cython.void:
        """Add a transform block."""
        first = self.end[self.blocks - 1] if self.blocks else 0
        for n in range(levels.count):
            self.position[first + n], self.level[first + n] = levels.position[n], levels.level[n]
        self.end[self.blocks] = first + levels.count
        self.cbf |= (levels.count > 0) << self.blocks
        self.blocks += 1

    def take(self, number: cython.int, levels: Levels) -> cython.void:
        """Give the levels of a transform block."""
        first = self.end[number - 1] if number else 0
        levels.count = self.end[number] - first
        for n in range(levels.count):
            levels.position[n], levels.level[n] = self.position[first + n], self.level[first + n]

    def become(self, other: PlaneLevels) -> cython.void:
        """Become the same as another."""
        self.log2, self.blocks, self.cbf = other.log2, other.blocks, other.cbf
        for number in range(other.blocks):
            self.end[number] = other.end[number]
        if other.cbf:
            for n in range(other.end[other.blocks - 1]):
                self.position[n], self.level[n] = other.position[n], other.level[n]


@cython.cclass
class Trial:
    """One way to code a coding block, and what it costs; also what it decodes to, where it is kept."""

    block: CodingBlock
    mvd_y: cython.int[::1]  # of its vector into each reference
    mvd_x: cython.int[::1]
    luma: PlaneLevels
    cb: PlaneLevels
    cr: PlaneLevels
    cost: cython.double  # squared error + λ · bits
    luma_samples: Sample[:, ::1]
    cb_samples: Sample[:, ::1]
    cr_samples: Sample[:, ::1]

    def __init__(self, bit_depth: int) -> None:
        self.block, self.luma, self.cb, self.cr = CodingBlock(), PlaneLevels(), PlaneLevels(), PlaneLevels()
        self.mvd_y, self.mvd_x = zeros(2, np.int32), zeros(2, np.int32)
        self.luma_samples, self.cb_samples, self.cr_samples = (
            zeros((32, 32), sample_type(bit_depth)) for _ in range(3)
        )

    def start(self, kind: cython.int) -> cython.void:
        """Be a coding block in the same place without levels or a vector."""
        self.block.start(kind)

    def set_cbf(self, luma: PlaneLevels, planes: cython.int) -> cython.void:
        """Note which planes have levels, if luma has these."""
        self.block.cbf = luma.cbf > 0
        if planes > 1:
            self.block.cbf |= (self.cb.cbf > 0) << 1 | (self.cr.cbf > 0) << 2

    def become(self, other: Trial, luma: PlaneLevels) -> cython.void:
        """Become the same as another trial, with such levels of luma, but for samples."""
        copy_block(other.block, self.block)
        self.cost, self.cb.cost, self.cr.cost = other.cost, other.cb.cost, other.cr.cost
        for k in range(2):
            self.mvd_y[k], self.mvd_x[k] = other.mvd_y[k], other.mvd_x[k]
        if self.block.cbf & 1:
            self.luma.become(luma)
        if self.block.cbf & 2:
            self.cb.become(other.cb)
        if self.block.cbf & 4:
            self.cr.become(other.cr)

    def keep_samples(self, plane: Plane, kept: Sample[:, ::1], back: cython.bint) -> cython.void:
        """Copy the block's samples of a plane to ``kept``, or back."""
        samples = plane.samples
        y, x = 8 * self.block.row >> plane.log2_y, 8 * self.block.column >> plane.log2_x
        height, width = 1 << self.block.log2 >> plane.log2_y, 1 << self.block.log2 >> plane.log2_x
        for j in range(height):
            if back:
                copy_row(samples, y + j, x, kept, j, 0, width)
            else:
                copy_row(kept, j, 0, samples, y + j, x, width)


@cython.cclass
class SymbolWriter:
    """Symbols in the order of coding, each in its context, and bits; or what they would cost."""

    contexts: cython.ushort[::1]
    symbols: cython.uchar[::1]
    bits: cython.uchar[::1]  # one bit each
    count: cython.Py_ssize_t
    bit_count: cython.Py_ssize_t
    is_b: cython.bint
    only_counts: cython.bint
    counted: cython.double  # bits
    rates: cython.double[:, ::1]  # bits of each symbol in each context
    levels: Levels
    band: cython.int[::1]
    run_bucket: cython.int[::1]
    run_base: cython.int[::1]
    run_bits: cython.int[::1]

    def __init__(self, units: int, samples: int) -> None:
        """For pictures of so many units of 8×8 samples, and samples of all planes."""
        size = 24 * units + 2 * samples
        self.contexts, self.symbols = zeros(size, np.uint16), zeros(size, np.uint8)
        self.bits = zeros(60 * units + 26 * samples, np.uint8)  # pages that nobody writes to take no memory
        self.band, self.run_bucket = table(tables.BAND_OF), table(tables.BUCKET_OF_RUN)
        self.run_base, self.run_bits = table(tables.RUN_BASES), table(tables.RUN_BITS)
        self.levels = Levels()

    def start(self, rates: npt.NDArray[np.float64]) -> None:
        """Forget all symbols; from now on ``rates`` (contexts, 256) say what each costs."""
        self.count, self.bit_count, self.only_counts, self.rates = 0, 0, False, rates.data

    def written(self) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Copies of contexts, symbols and bits."""
        contexts, symbols = np.array(self.contexts[: self.count]), np.array(self.symbols[: self.count])
        return contexts, symbols, np.array(self.bits[: self.bit_count])

    def counts(self) -> npt.NDArray[np.float32]:
        """How often each symbol came in each context, float32 (contexts, 256)."""
        counts = np.zeros((tables.CONTEXTS, 256), np.float32)
        target: cython.float[:, ::1] = counts.data
        with cython.nogil:
            for n in range(self.count):
                target[self.contexts[n], self.symbols[n]] += 1
        return counts

    def rewind(self, count: cython.Py_ssize_t, bit_count: cython.Py_ssize_t) -> cython.void:
        """Forget what was written after so many symbols and bits."""
        self.count, self.bit_count = count, bit_count

    def put(self, context: cython.int, symbol: cython.int) -> cython.void:
        """Write a symbol."""
        if self.only_counts:
            self.counted += self.rates[context, symbol]
            return
        self.contexts[self.count], self.symbols[self.count] = context, symbol
        self.count += 1

    def put_bits(self, number: cython.int, count: cython.int) -> cython.void:
        """Write ``count`` bits of a number, the highest first."""
        if self.only_counts:
            self.counted += count
            return
        for k in range(count):
            self.bits[self.bit_count + k] = (number >> (count - 1 - k)) & 1
        self.bit_count += count

    def put_number(self, context: cython.int, number: cython.int) -> cython.void:
        """Write a number ≥ 0: a symbol below 40, or one that names a bucket of 16, 32, 64…, and bits."""
        if number < tables.DIRECT:
            self.put(context, number)
            return
        bucket: cython.int = 0
        while (32 << bucket) - 16 <= number - tables.DIRECT:
            bucket += 1
        self.put(context, tables.DIRECT + bucket)
        self.put_bits(number - tables.DIRECT + 16 - (16 << bucket), bucket + 4)

    def put_signed(self, context: cython.int, number: cython.int) -> cython.void:
        """Write a number that may be negative: 0, 1, −1, 2, −2 as 0, 1, 2, 3, 4."""
        self.put_number(context, 2 * number - 1 if number > 0 else -2 * number)

    def put_vectors(self, trial: Trial) -> cython.void:
        """Write which references a coding block points into, and an MVD for each."""
        directions = trial.block.directions
        if self.is_b:
            self.put(tables.DIRECTION_CONTEXTS + 5 - trial.block.log2, directions - 1)
        for k in range(2):
            if directions >> k & 1:
                self.put_signed(tables.VECTOR_CONTEXTS, trial.mvd_y[k])
                self.put_signed(self.second_component(trial.mvd_y[k]), trial.mvd_x[k])

    def second_component(self, dy: cython.int) -> cython.int:
        """The context of an MVD to the right, by how far it goes down."""
        return tables.VECTOR_CONTEXTS + (1 if dy == 0 else 2 if abs(dy) < 4 else 3)

    def put_block(self, trial: Trial, blocks: BlockMap, is_p: cython.bint, chroma_blocks: cython.int) -> cython.void:
        """Write a coding block; of 4:2:2, whose chroma has two transform blocks, ``chroma_blocks`` is 2."""
        self.put(
            blocks.node_context(is_p, trial.block.row, trial.block.column, trial.block.log2), node_symbol(trial.block)
        )
        if trial.block.kind == BlockKind.INTER:
            self.put_vectors(trial)
        elif trial.block.kind == BlockKind.INTRA:
            self.put_modes(trial.block, blocks)
        elif trial.block.kind == BlockKind.COPY:
            dy, dx = blocks.predicted_bv(trial.block)
            self.put_signed(tables.BV_CONTEXTS, trial.block.bv_dy - dy)
            self.put_signed(tables.BV_CONTEXTS + 1, trial.block.bv_dx - dx)
        if trial.block.cbf & 1:
            is_intra: cython.bint = trial.block.kind == BlockKind.INTRA
            context: cython.int = tables.CBF_CONTEXTS + 2 * (5 - trial.block.log2) + is_intra
            log2: cython.int = trial.block.log2 - trial.block.transform_split
            if log2 <= tables.LARGEST_CHOICE:
                self.put(tables.TRANSFORM_CONTEXTS + 2 * (log2 - 2) + is_intra, trial.block.transform)
            self.put_plane(trial.luma, trial.block, blocks, 0, context if trial.block.transform_split else -1)
        if trial.block.cbf & 2:
            self.put_plane(trial.cb, trial.block, blocks, 1, tables.CHROMA_CBF_CONTEXT if chroma_blocks == 2 else -1)
        if trial.block.cbf & 4:
            self.put_plane(trial.cr, trial.block, blocks, 2, tables.CHROMA_CBF_CONTEXT if chroma_blocks == 2 else -1)

    def put_modes(self, block: CodingBlock, blocks: BlockMap) -> cython.void:
        """Write the intra mode of a coding block, or of each of its quarters in the smallest."""
        for quarter in range(4 if block.log2 == 3 and block.transform_split else 1):
            mode = block.modes >> (6 * quarter) & 63
            left, above = blocks.left_mode(block, quarter), blocks.above_mode(block, quarter)
            symbol = 0 if mode == left else 1 if mode == above else mode + 2
            is_first: cython.bint = quarter == 0
            symbol += tables.FROM_LUMA * (is_first and block.chroma_from_luma)
            self.put(tables.MODE_CONTEXTS + 5 - block.log2, symbol)

    def put_plane(
        self, plane: PlaneLevels, block: CodingBlock, blocks: BlockMap, number: cython.int, cbf_context: cython.int
    ) -> cython.void:
        """Write which transform blocks have levels, unless the context is −1; and, unless this only counts, levels."""
        if cbf_context >= 0:
            self.put(cbf_context, plane.cbf)
        if self.only_counts:
            return
        neighbours = blocks.coded_neighbours(block, number)
        for part in range(plane.blocks):
            if plane.cbf >> part & 1:
                plane.take(part, self.levels)
                self.put_levels(plane.log2, number > 0, block.kind == BlockKind.INTRA, neighbours)

    def put_levels(
        self, log2: cython.int, is_chroma: cython.bint, is_intra: cython.bint, coded_neighbours: cython.int
    ) -> cython.void:
        """Write the levels of a transform block."""
        first_context = tables.LEVEL_CONTEXTS + 18 * (4 * (log2 - 2) + 2 * is_chroma + is_intra)
        past: cython.int = coded_neighbours
        position: cython.int = 0
        for n in range(self.levels.count):
            run, magnitude = self.levels.position[n] - position, abs(self.levels.level[n])
            is_last: cython.bint = n == self.levels.count - 1
            bucket = self.run_bucket[run]
            symbol = 4 * bucket + min(magnitude, 4) - 1 + tables.LAST * is_last
            self.put(first_context + 3 * self.band[position] + past, symbol)
            self.put_bits(run - self.run_base[bucket], self.run_bits[bucket])
            if magnitude >= 4:
                band = self.band[self.levels.position[n]]
                self.put_number(tables.ESCAPE_CONTEXTS + 4 * is_chroma + min(band, 3), magnitude - 4)
            if not is_last or n < 2:  # sign data hiding
                self.put_bits(self.levels.level[n] < 0, 1)
            position, past = self.levels.position[n] + 1, min(magnitude, 3) - 1

    def number_bits(self, context: cython.int, number: cython.int) -> cython.double:
        """What `put_number` costs."""
        self.only_counts, self.counted = True, 0
        self.put_number(context, number)
        self.only_counts = False
        return self.counted

    def vector_bits(self, trial: Trial) -> cython.double:
        """What `put_vectors` costs."""
        self.only_counts, self.counted = True, 0
        self.put_vectors(trial)
        self.only_counts = False
        return self.counted

    def block_bits(self, trial: Trial, blocks: BlockMap, is_p: cython.bint, chroma_blocks: cython.int) -> cython.double:
        """What `put_block` costs but for the levels."""
        self.only_counts, self.counted = True, 0
        self.put_block(trial, blocks, is_p, chroma_blocks)
        self.only_counts = False
        return self.counted


def copy_block(block: CodingBlock, target: CodingBlock) -> cython.void:
    """Make a coding block the same as another."""
    target.row, target.column, target.log2, target.kind = block.row, block.column, block.log2, block.kind
    target.merge, target.obmc, target.transform_split = block.merge, block.obmc, block.transform_split
    target.transform, target.cbf, target.modes = block.transform, block.cbf, block.modes
    target.chroma_from_luma = block.chroma_from_luma
    target.directions = block.directions
    target.bv_dy, target.bv_dx = block.bv_dy, block.bv_dx
    for k in range(2):
        target.dy[k], target.dx[k] = block.dy[k], block.dx[k]


def node_symbol(block: CodingBlock) -> cython.int:
    """The symbol of a coding block; the inverse of `CodingBlock.set_symbol`."""
    if block.kind == BlockKind.SKIP:
        return block.merge
    if block.kind == BlockKind.COPY:
        shown = tables.KIND_COPY
    elif block.obmc:
        shown = tables.OBMC_INTER if block.kind == BlockKind.INTER else tables.OBMC_INTER + 1 + block.merge
    else:
        shown = block.merge if block.kind == BlockKind.MERGE else tables.KIND_INTER + block.kind - BlockKind.INTER
    return tables.FIRST_CODED + 16 * shown + 8 * block.transform_split + block.cbf
