"""Encoder only: a coding block in its intra modes."""

from __future__ import annotations

from math import sqrt

import cython

from codec.dct import tables
from codec.dct.picture import PictureDecoder
from codec.dct.syntax import CodingBlock
from codec.depths import Sample
from codec.models import BlockKind
from codec.search.block_coder import BlockCoder
from codec.search.effort import Effort
from codec.search.intra_search import IntraSearch
from codec.search.symbol_writer import PlaneLevels, Trial

__all__ = ["IntraTrials"]

FOUR_MODES: cython.int = 1 + (1 << 6) + (1 << 12) + (1 << 18)  # times a mode: the same one in all quarters


@cython.cclass
class IntraTrials:
    """Finds the best modes, transforms and levels of an intra block."""

    decoder: PictureDecoder
    coder: BlockCoder
    trial: Trial  # the coder's
    block: CodingBlock  # of the trial
    ranked: IntraSearch
    modes: cython.int  # of luma, coded fully in I pictures
    sines: cython.int
    four_modes: cython.bint
    four_modes_from: cython.int

    def __init__(self, coder: BlockCoder, effort: Effort) -> None:
        self.coder, self.decoder, self.trial, self.block = coder, coder.decoder, coder.trial, coder.block
        bit_depth = coder.decoder.luma.bit_depth
        self.ranked = IntraSearch(coder.writer, coder.decoder.intra, effort.intra_rounds, bit_depth)
        self.modes, self.sines, self.four_modes_from = effort.intra_modes, effort.sines, effort.four_modes

    def start(self) -> None:
        """Begin the picture that the coder has begun."""
        self.ranked.lagrangian = sqrt(self.coder.lagrangian)
        self.four_modes = self.four_modes_from >= 1 + self.coder.is_p

    def find(self, bound: cython.double, best: Trial) -> cython.void:
        """Try intra modes, unless their Hadamard cost is beyond ``bound``."""
        self.trial.start(BlockKind.INTRA)
        y, x, log2 = 8 * self.block.row, 8 * self.block.column, self.block.log2
        least = self.ranked.rank(self.coder.luma, self.decoder.luma, self.coder.blocks, self.block, 0, y, x, log2)
        if least > bound:
            return
        first, second, third = self.ranked.mode[0], self.ranked.mode[1], self.ranked.mode[2]
        near, tried = 1.15 * max(least, 1.0), 1 if self.coder.is_p else self.modes
        try_second: cython.bint = tried > 1 and self.ranked.cost[1] <= near
        try_third: cython.bint = tried > 2 and self.ranked.cost[2] <= near
        self.try_mode(first, True, best)
        if try_second:
            self.try_mode(second, False, best)
        if try_third:
            self.try_mode(third, False, best)
        if self.coder.planes > 1 and best.block.kind == BlockKind.INTRA and best.cost < 1e30:
            self.try_chroma_from_luma(best)

    def try_chroma_from_luma(self, best: Trial) -> cython.void:
        """Try to predict chroma of the best intra block from its luma."""
        best.keep_samples(self.decoder.luma, best.luma_samples, True)
        self.trial.become(best, best.luma)
        cost = best.cost - best.cb.cost - best.cr.cost - self.coder.lagrangian * self.coder.block_bits()
        self.block.chroma_from_luma = True
        self.coder.code_chroma()
        self.block.cbf = best.block.cbf & 1 | (self.trial.cb.cbf > 0) << 1 | (self.trial.cr.cbf > 0) << 2
        cost += self.trial.cb.cost + self.trial.cr.cost + self.coder.lagrangian * self.coder.block_bits()
        if cost < best.cost:
            self.trial.cost = cost
            best.become(self.trial, self.trial.luma)
            best.keep_samples(self.decoder.cb, best.cb_samples, False)
            best.keep_samples(self.decoder.cr, best.cr_samples, False)

    def try_mode(self, mode: cython.int, is_first: cython.bint, best: Trial) -> cython.void:
        """Try an intra mode, with luma's transform whole and split, and of each kind."""
        self.trial.start(BlockKind.INTRA)
        self.block.modes = FOUR_MODES * mode
        has_chroma: cython.bint = False
        for kind in range(3):
            if (kind == tables.DST and self.sines < 2 - is_first) or (
                kind == tables.NO_TRANSFORM and not self.coder.is_screen
            ):
                continue
            self.block.transform = kind
            if self.block.log2 <= tables.LARGEST_CHOICE or kind == tables.DCT:
                has_chroma = self.try_whole(mode, has_chroma, best)
                if self.trial.luma.cbf == 0:
                    return
            if self.coder.splits if self.block.log2 > 3 else is_first and self.four_modes:
                has_chroma = self.try_split(mode, has_chroma, best)

    def try_whole(self, mode: cython.int, has_chroma: cython.bint, best: Trial) -> cython.bint:
        """The same with one transform block; whether chroma is coded now."""
        self.block.transform_split, self.block.modes = False, FOUR_MODES * mode
        self.trial.luma.start(self.block.log2)
        self.code_block(self.trial.luma, 8 * self.block.row, 8 * self.block.column, mode)
        if self.trial.luma.cost < best.cost:
            if not has_chroma:
                self.coder.code_chroma()
            self.finish(self.trial.luma, best)
            return True
        return has_chroma

    def try_split(self, mode: cython.int, has_chroma: cython.bint, best: Trial) -> cython.bint:
        """The same with four; those of the smallest blocks have modes of their own."""
        top, left, log2 = 8 * self.block.row, 8 * self.block.column, self.block.log2
        samples: Sample[:, ::1] = self.decoder.luma.samples
        self.coder.split.start(log2 - 1)
        self.block.transform_split, half = True, 1 << log2 >> 1
        self.block.modes = 0 if log2 == 3 else FOUR_MODES * mode
        for part in range(4):
            y, x = top + (part >> 1) * half, left + (part & 1) * half
            if log2 == 3:
                self.ranked.rank(self.coder.luma, self.decoder.luma, self.coder.blocks, self.block, part, y, x, 2)
                mode = self.ranked.mode[0]
                self.block.modes |= mode << (6 * part)
            self.code_block(self.coder.split, y, x, mode)
            if self.coder.split.cost >= best.cost:
                return has_chroma and log2 > 3
            if self.coder.split.cbf >> part & 1:
                self.decoder.transform.add(
                    self.coder.levels.levels, self.decoder.scale, log2 - 1, self.block.transform, samples, y, x
                )
        if log2 == 3 or not has_chroma:
            self.coder.code_chroma()
        self.finish(self.coder.split, best)
        return log2 > 3

    def code_block(self, found: PlaneLevels, y: cython.int, x: cython.int, mode: cython.int) -> cython.void:
        """Predict a transform block of luma, and choose its levels."""
        self.decoder.intra.gather(self.decoder.luma, self.coder.blocks, y, x, found.log2)
        self.decoder.intra.predict(self.decoder.luma.samples, y, x, mode, True)
        self.coder.code_luma_block(found, y, x, True)

    def finish(self, luma: PlaneLevels, best: Trial) -> cython.void:
        """Keep an intra trial if it is better."""
        self.trial.set_cbf(luma, self.coder.planes)
        cost = luma.cost + self.coder.lagrangian * self.coder.bits_with(luma)
        if self.coder.planes > 1:
            cost += self.trial.cb.cost + self.trial.cr.cost
        if cost < best.cost:
            self.trial.cost = cost
            self.coder.keep(luma, best)
