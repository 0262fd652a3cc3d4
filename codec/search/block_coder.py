"""Encoder only: a coding block in one way after the other, with its levels, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence

import cython
import numpy as np
import numpy.typing as npt

from codec.coded import NodeGrid
from codec.dct import tables
from codec.dct.candidates import BlockMap
from codec.dct.picture import PictureDecoder
from codec.dct.planes import Plane
from codec.dct.syntax import CodingBlock
from codec.depths import Sample
from codec.models import BlockKind
from codec.motion.compensation import Mesh
from codec.search.displacements import looks_like_screen
from codec.search.effort import Effort
from codec.search.forward import LevelSearch, SourcePlane
from codec.search.symbol_writer import PlaneLevels, SymbolWriter, Trial

__all__ = ["BlockCoder"]

Samples = npt.NDArray[np.uint8 | np.uint16]


@cython.cclass
class BlockCoder:
    """Codes the trial: a coding block that is predicted in some way.

    It reconstructs it by the stages of a decoder, whose planes it works on: a trial's prediction lies where the decoded
    block will be.
    """

    decoder: PictureDecoder
    blocks: BlockMap  # the decoder's
    planes: cython.int
    chroma_blocks: cython.int  # transform blocks of a coding block's plane of chroma: 4:2:2 has two
    luma: SourcePlane
    cb: SourcePlane
    cr: SourcePlane
    writer: SymbolWriter
    levels: LevelSearch
    trial: Trial
    block: CodingBlock  # of the trial
    split: PlaneLevels  # of luma of the trial, if its transform is split; else as in the trial
    other: PlaneLevels  # of luma, without a transform
    is_p: cython.bint
    is_screen: cython.bint  # whether levels are also differences of samples
    lagrangian: cython.double  # λ, squared error that a bit is worth
    step: cython.double  # of luma
    step_chroma: cython.double
    splits: cython.bint
    warped_luma: Sample[:, ::1]  # all that a mesh predicts
    warped_cb: Sample[:, ::1]
    warped_cr: Sample[:, ::1]

    def __init__(self, decoder: PictureDecoder, writer: SymbolWriter, effort: Effort) -> None:
        self.decoder, self.planes, self.writer = decoder, decoder.planes, writer
        self.chroma_blocks = 1 + decoder.cb.log2_x - decoder.cb.log2_y
        bit_depth = decoder.luma.bit_depth
        self.levels, self.splits, self.is_screen = LevelSearch(writer, bit_depth), effort.splits, False
        self.levels.rounding, self.levels.trellis = 0.5 if effort.trellis else 0.62, effort.trellis
        self.trial, self.split, self.other = Trial(bit_depth), PlaneLevels(), PlaneLevels()
        self.block = self.trial.block

    def start(self, planes: Sequence[Samples], lagrangian: float) -> None:
        """Begin the picture that the decoder has begun."""
        decoder, last = self.decoder, len(planes) - 1
        self.luma = SourcePlane(decoder.luma, planes[0])
        self.cb, self.cr = SourcePlane(decoder.cb, planes[min(1, last)]), SourcePlane(decoder.cr, planes[last])
        self.blocks, self.is_p, self.is_screen = decoder.blocks, decoder.is_p, looks_like_screen(planes[0])
        self.step, self.step_chroma = decoder.scale / 4.0, decoder.scale_chroma / 4.0
        self.lagrangian = self.levels.lagrangian = lagrangian

    def set_mesh(self, mesh: NodeGrid | None) -> None:
        """Predict warped blocks by a mesh."""
        self.decoder.set_mesh(mesh)
        if mesh is not None:
            luma, cb, cr = self.decoder.luma, self.decoder.cb, self.decoder.cr
            self.warped_luma, self.warped_cb = np.empty_like(luma.samples).data, np.empty_like(cb.samples).data
            self.warped_cr = np.empty_like(cr.samples).data
            with cython.nogil:
                self.warp_planes()

    def warped(self, mesh: NodeGrid) -> Samples:
        """What a mesh predicts of luma."""
        self.decoder.set_mesh(mesh)
        predicted: Samples = np.empty_like(np.asarray(self.decoder.luma.samples))
        target: Sample[:, ::1] = predicted.data
        with cython.nogil:
            self.select_first()
            warp_plane(self.decoder.mesh, self.decoder.luma, target)
        return predicted[: self.decoder.luma.height, : self.decoder.luma.width]

    def predict(self) -> cython.void:
        """Predict the trial, which has a vector, in all planes."""
        if self.block.kind == BlockKind.WARPED:
            self.copy_warped(self.decoder.luma, self.warped_luma)
        else:
            self.decoder.predict_plane(self.decoder.luma, self.block)
        if self.planes == 1:
            return
        if self.block.kind == BlockKind.WARPED:
            self.copy_warped(self.decoder.cb, self.warped_cb)
            self.copy_warped(self.decoder.cr, self.warped_cr)
        else:
            self.decoder.predict_plane(self.decoder.cb, self.block)
            self.decoder.predict_plane(self.decoder.cr, self.block)

    def copy_warped(self, plane: Plane, warped: Sample[:, ::1]) -> cython.void:
        """Take a plane of the trial from what the mesh predicts."""
        samples = plane.samples
        y, x = 8 * self.block.row >> plane.log2_y, 8 * self.block.column >> plane.log2_x
        for j in range(y, y + (1 << self.block.log2 >> plane.log2_y)):
            for i in range(x, x + (1 << self.block.log2 >> plane.log2_x)):
                samples[j, i] = warped[j, i]

    def warp_planes(self) -> cython.void:
        """Predict all planes by the mesh."""
        self.select_first()
        warp_plane(self.decoder.mesh, self.decoder.luma, self.warped_luma)
        if self.planes > 1:
            warp_plane(self.decoder.mesh, self.decoder.cb, self.warped_cb)
            warp_plane(self.decoder.mesh, self.decoder.cr, self.warped_cr)

    def select_first(self) -> cython.void:
        """Let all planes look at the first reference."""
        slot = self.decoder.references.sample_slot[0]
        self.decoder.luma.reference.select(slot)
        self.decoder.cb.reference.select(slot)
        self.decoder.cr.reference.select(slot)

    def try_skip(self, context: cython.int, best: Trial) -> cython.void:
        """Take the trial, with a merge candidate, as it is predicted."""
        y, x, side = 8 * self.block.row, 8 * self.block.column, 1 << self.block.log2
        self.predict()
        cost: cython.double = self.levels.squared_error(self.luma, self.decoder.luma, y, x, side)
        if self.planes > 1:
            cost += self.levels.squared_error(self.cb, self.decoder.cb, y, x, side)
            cost += self.levels.squared_error(self.cr, self.decoder.cr, y, x, side)
        self.trial.cost = cost + self.lagrangian * self.writer.rates[context, self.block.merge]
        if self.trial.cost < best.cost:
            self.keep(self.trial.luma, best)

    def try_inter(self, best: Trial) -> cython.bint:
        """Code the trial: a merge also without levels, all with luma's transform whole and split.

        Returns whether some way had levels.
        """
        kind = self.block.kind
        self.predict()
        self.code_chroma()
        self.code_luma(self.trial.luma, False, 1e30)
        error = self.trial.luma.error
        chroma_cost: cython.double = 0
        if self.planes > 1:
            error += self.trial.cb.error + self.trial.cr.error
            chroma_cost = self.trial.cb.cost + self.trial.cr.cost
        chosen: cython.int = 0  # 1 without levels, 2 with a whole transform, 3 with a split one
        least = best.cost
        if kind == BlockKind.MERGE:
            self.block.kind = BlockKind.MERGE if self.block.obmc else BlockKind.SKIP
            cost = error + self.lagrangian * self.block_bits()
            if cost < least:
                least, chosen = cost, 1
            self.block.kind = BlockKind.MERGE
        self.trial.set_cbf(self.trial.luma, self.planes)
        has_levels: cython.bint = self.block.cbf > 0
        if has_levels or kind != BlockKind.MERGE:
            cost = self.trial.luma.cost + chroma_cost + self.lagrangian * self.block_bits()
            if cost < least:
                least, chosen = cost, 2
            if self.block.cbf & 1 and self.splits:
                self.code_luma(self.split, True, least - chroma_cost)
                self.block.transform_split = True
                self.trial.set_cbf(self.split, self.planes)
                if self.block.cbf or kind != BlockKind.MERGE:
                    has_levels = has_levels or self.block.cbf > 0
                    cost = self.split.cost + chroma_cost + self.lagrangian * self.bits_with(self.split)
                    if cost < least:
                        least, chosen = cost, 3
        transform: cython.int = tables.DCT
        if self.is_screen and has_levels:
            self.block.transform = tables.NO_TRANSFORM
            for split in range(2):
                if self.block.log2 - split > tables.LARGEST_CHOICE:
                    continue
                self.code_luma(self.other, split, least - chroma_cost)
                self.block.transform_split = split
                self.trial.set_cbf(self.other, self.planes)
                if self.other.cbf:
                    cost = self.other.cost + chroma_cost + self.lagrangian * self.bits_with(self.other)
                    if cost < least:
                        least, chosen, transform = cost, 2 + split, tables.NO_TRANSFORM
                        if split:
                            self.split.become(self.other)
                        else:
                            self.trial.luma.become(self.other)
        if chosen == 0:
            return has_levels
        self.trial.cost = least
        self.block.transform_split, self.block.transform = chosen == 3, transform
        if chosen == 1:
            self.block.kind, self.block.cbf = BlockKind.MERGE if self.block.obmc else BlockKind.SKIP, 0
            self.keep(self.trial.luma, best)
        elif chosen == 2:
            self.trial.set_cbf(self.trial.luma, self.planes)
            self.keep(self.trial.luma, best)
        else:
            self.trial.set_cbf(self.split, self.planes)
            self.keep(self.split, best)
        return has_levels

    def block_bits(self) -> cython.double:
        """Bits of the trial but for levels."""
        return self.writer.block_bits(self.trial, self.blocks, self.is_p, self.chroma_blocks)

    def bits_with(self, luma: PlaneLevels) -> cython.double:
        """The same with other levels of luma."""
        cbf = self.trial.luma.cbf
        self.trial.luma.cbf = luma.cbf
        bits = self.block_bits()
        self.trial.luma.cbf = cbf
        return bits

    def code_luma(self, found: PlaneLevels, split: cython.bint, bound: cython.double) -> cython.void:
        """Choose levels for the prediction of luma; not of all its transform blocks where these cost ``bound``."""
        log2 = self.block.log2 - split
        found.start(log2)
        for part in range(4 if split else 1):
            y, x = 8 * self.block.row + ((part >> 1) << log2), 8 * self.block.column + ((part & 1) << log2)
            self.code_luma_block(found, y, x, False)
            if found.cost >= bound:
                return

    def code_luma_block(self, found: PlaneLevels, y: cython.int, x: cython.int, is_intra: cython.bint) -> cython.void:
        """The same of a transform block, the next of what is ``found``."""
        neighbours, kind = self.blocks.coded_neighbours(self.block, 0), self.block.transform
        self.levels.code(self.luma, self.decoder.luma, y, x, found.log2, is_intra, neighbours, self.step, found, kind)

    def code_chroma(self) -> cython.void:
        """Choose levels for the prediction of chroma; of intra blocks predict and decode, too."""
        if self.planes > 1:
            self.code_chroma_plane(self.cb, self.decoder.cb, self.trial.cb)
            self.code_chroma_plane(self.cr, self.decoder.cr, self.trial.cr)

    def code_chroma_plane(self, source: SourcePlane, plane: Plane, found: PlaneLevels) -> cython.void:
        """The same of a plane."""
        is_intra: cython.bint = self.block.kind == BlockKind.INTRA
        log2, neighbours = self.block.log2 - plane.log2_x, self.blocks.coded_neighbours(self.block, plane.number)
        found.start(log2)
        for part in range(self.chroma_blocks):
            y, x = (8 * self.block.row >> plane.log2_y) + (part << log2), 8 * self.block.column >> plane.log2_x
            if is_intra:
                self.decoder.intra.gather(plane, self.blocks, y, x, log2)
                self.decoder.intra.predict_chroma(plane, self.decoder.luma, self.block, y, x)
            self.levels.code(source, plane, y, x, log2, is_intra, neighbours, self.step_chroma, found, tables.DCT)
            if is_intra and found.cbf >> part & 1:
                self.decoder.transform.add(
                    self.levels.levels, self.decoder.scale_chroma, log2, tables.DCT, plane.samples, y, x
                )

    def keep(self, luma: PlaneLevels, best: Trial) -> cython.void:
        """The trial with such levels of luma is the best so far; decode what is only predicted yet."""
        is_inter: cython.bint = self.block.kind != BlockKind.INTRA
        best.become(self.trial, luma)
        if self.block.cbf & 1 and (is_inter or not self.block.transform_split):
            self.decode(self.decoder.luma, self.decoder.scale, best.luma)
        best.keep_samples(self.decoder.luma, best.luma_samples, False)
        if self.planes == 1:
            return
        if self.block.cbf & 2 and is_inter:
            self.decode(self.decoder.cb, self.decoder.scale_chroma, best.cb)
        if self.block.cbf & 4 and is_inter:
            self.decode(self.decoder.cr, self.decoder.scale_chroma, best.cr)
        best.keep_samples(self.decoder.cb, best.cb_samples, False)
        best.keep_samples(self.decoder.cr, best.cr_samples, False)

    def decode(self, plane: Plane, scale: cython.int, found: PlaneLevels) -> cython.void:
        """Add levels to the prediction of a plane."""
        log2 = found.log2
        across: cython.int = found.blocks == 4
        for part in range(found.blocks):
            if found.cbf >> part & 1:
                y = (8 * self.block.row >> plane.log2_y) + ((part >> across) << log2)
                x = (8 * self.block.column >> plane.log2_x) + ((part & across) << log2)
                found.take(part, self.levels.levels)
                kind = tables.DCT if plane.number else self.block.transform
                self.decoder.transform.add(self.levels.levels, scale, log2, kind, plane.samples, y, x)

    def put(self, best: Trial) -> cython.void:
        """Code a block as was found best."""
        best.keep_samples(self.decoder.luma, best.luma_samples, True)
        if self.planes > 1:
            best.keep_samples(self.decoder.cb, best.cb_samples, True)
            best.keep_samples(self.decoder.cr, best.cr_samples, True)
        self.writer.put_block(best, self.blocks, self.is_p, self.chroma_blocks)
        self.blocks.put(best.block)


def warp_plane(mesh: Mesh, plane: Plane, target: Sample[:, ::1]) -> cython.void:
    """All that a mesh predicts of a plane."""
    for y in range(0, cython.cast(cython.int, target.shape[0]) << plane.log2_y, 8):
        for x in range(0, cython.cast(cython.int, target.shape[1]) << plane.log2_x, 8):
            plane.reference.warp(target, mesh, y, x, 8)
