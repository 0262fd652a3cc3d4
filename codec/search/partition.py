"""Encoder only: the quadtrees of a picture, coding block by coding block, weighing error against bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import NamedTuple

import cython
import numpy as np
import numpy.typing as npt

from codec.coded import AlfParameters, NodeGrid, PredictionWeights
from codec.dct import tables
from codec.dct.candidates import BlockMap, MergeCandidates
from codec.dct.picture import PictureDecoder
from codec.dct.planes import Plane
from codec.dct.references import Place
from codec.dct.syntax import CodingBlock
from codec.depths import Energy, Sample
from codec.models import BlockKind, Speed
from codec.motion.compensation import Mesh
from codec.search.alf_fit import AlfFit
from codec.search.copy_search import CopySearch
from codec.search.displacements import looks_like_screen
from codec.search.forward import LevelSearch, SourcePlane
from codec.search.intra_search import IntraSearch
from codec.search.symbol_writer import PlaneLevels, SymbolWriter, Trial
from codec.search.vector_search import VectorSearch

__all__ = ["PictureSearch"]

Samples = npt.NDArray[np.uint8 | np.uint16]

FOUR_MODES: cython.int = 1 + (1 << 6) + (1 << 12) + (1 << 18)  # times a mode: the same one in all quarters

FIRST_INTER: cython.int = tables.FIRST_CODED + 16 * tables.KIND_INTER
FIRST_WARPED: cython.int = tables.FIRST_CODED + 16 * (tables.KIND_INTER + 2)
FIRST_OBMC: cython.int = tables.FIRST_CODED + 16 * tables.OBMC_INTER  # a vector of its own; behind it merges


class Effort(NamedTuple):
    """How hard to search, by speed.

    Attributes:
        all_skips: whether every merge candidate is tried as a skip, or the nearest alone.
        splits: whether transforms are also split.
        rounds: around the best vector, at half and at quarter samples.
        near: ways to predict are coded where their Hadamard costs are this near the least, relative.
        intra_modes: of I pictures, coded fully.
        intra_rounds: of refinement of the direction.
        four_modes: whether the smallest blocks have four intra modes: 0 no, 1 in I pictures, 2 always.
        obmc_from: OBMC is tried where the Hadamard cost of others is above this, as for ``stop``.
        sines: whether transforms of intra blocks are also DST-VII: 0 no, 1 with the nearest mode, 2 with each.
        trellis: whether levels are chosen by a search, or one after the other.
        passes: over a GOP.
        stop: a block is not split where its Hadamard cost is below this, by step and 8×8 samples.
        intra_from: P pictures try intra blocks where the Hadamard cost of others is above this, as for ``stop``.
        intra_near: and only where intra's is not this much higher.
    """

    all_skips: bool
    splits: bool
    rounds: int
    near: float
    intra_modes: int
    intra_rounds: int
    four_modes: int
    obmc_from: float
    sines: int
    trellis: bool
    passes: int
    stop: float
    intra_from: float
    intra_near: float


EFFORTS: dict[Speed, Effort] = {
    Speed.SLOW: Effort(True, True, 2, 0.5, 3, 3, 2, 2.0, 2, True, 2, 0.5, 2.0, 1.5),
    Speed.MEDIUM: Effort(False, True, 2, 0.1, 3, 2, 1, 2.0, 1, False, 1, 3.0, 8.0, 1.1),
    Speed.FAST: Effort(False, True, 1, 0.0, 2, 2, 1, 1e9, 0, False, 1, 5.0, 10.0, 1.1),
}


@cython.cclass
class PictureSearch:
    """Decides the coding blocks of a picture, and writes their symbols.

    It reconstructs them by the stages of a decoder, whose planes it works on: a trial's prediction lies where the
    decoded block will be.
    """

    decoder: PictureDecoder
    blocks: BlockMap  # the decoder's
    candidates: MergeCandidates
    planes: cython.int
    chroma_blocks: cython.int  # transform blocks of a coding block's plane of chroma: 4:2:2 has two
    luma: SourcePlane
    cb: SourcePlane
    cr: SourcePlane
    writer: SymbolWriter
    levels: LevelSearch
    vectors: VectorSearch
    intra: IntraSearch
    copies: CopySearch
    alf: list  # of `AlfFit`, one for each plane
    trial: Trial
    block: CodingBlock  # of the trial
    split: PlaneLevels  # of luma of the trial, if its transform is split; else as in the trial
    other: PlaneLevels  # of luma, without a transform
    best_32: Trial  # so far, of each size
    best_16: Trial
    best_8: Trial
    is_p: cython.bint
    qp: cython.int
    qp_chroma: cython.int
    lagrangian: cython.double  # λ, squared error that a bit is worth
    step: cython.double  # of luma
    step_chroma: cython.double
    moves: cython.bint  # whether vectors are searched for
    warps: cython.bint
    warped_luma: Sample[:, ::1]  # all that a mesh predicts
    warped_cb: Sample[:, ::1]
    warped_cr: Sample[:, ::1]
    all_skips: cython.bint
    splits: cython.bint
    sines: cython.int
    filters_chroma: cython.bint
    skips_transform: cython.bint  # whether levels are also differences of samples
    near: cython.double
    intra_modes: cython.int
    four_modes: cython.bint
    four_modes_from: cython.int
    obmc_from: cython.double
    stop: cython.double
    intra_from: cython.double
    intra_near: cython.double

    def __init__(self, decoder: PictureDecoder, limit: int, effort: Effort) -> None:
        """Of the pictures that ``decoder`` could decode; vectors have a limit in quarter samples."""
        self.decoder, self.planes = decoder, decoder.planes
        self.chroma_blocks = 1 + decoder.cb.log2_x - decoder.cb.log2_y
        samples = sum(view.size for view in self._views()[:3])
        self.writer = SymbolWriter(decoder.blocks.rows * decoder.blocks.columns, samples)
        bit_depth = decoder.luma.bit_depth
        self.levels = LevelSearch(self.writer, bit_depth)
        self.vectors = VectorSearch(decoder.luma, self.writer, limit, effort.rounds)
        self.intra = IntraSearch(self.writer, decoder.intra, effort.intra_rounds, bit_depth)
        self.copies = CopySearch(self.vectors)
        self.alf = [AlfFit(plane, decoder.luma, decoder.alf) for plane in (decoder.luma, decoder.cb, decoder.cr)]
        self.trial, self.best_32, self.best_16, self.best_8 = (Trial(bit_depth) for _ in range(4))
        self.split, self.other, self.block = PlaneLevels(), PlaneLevels(), self.trial.block
        self.candidates = decoder.candidates
        self.levels.rounding, self.levels.trellis = 0.5 if effort.trellis else 0.62, effort.trellis
        self.all_skips, self.splits, self.near = effort.all_skips, effort.splits, effort.near
        self.sines, self.skips_transform = effort.sines, False
        self.intra_modes, self.four_modes_from = effort.intra_modes, effort.four_modes
        self.obmc_from, self.stop = effort.obmc_from, effort.stop
        self.intra_from, self.intra_near = effort.intra_from, effort.intra_near

    def start(self, planes: Sequence[Samples], place: Place, qp: int, qp_chroma: int, lagrangian: float) -> None:
        """Begin a picture; it may be searched several times."""
        decoder, last = self.decoder, len(planes) - 1
        self.luma = SourcePlane(decoder.luma, planes[0])
        self.cb, self.cr = SourcePlane(decoder.cb, planes[min(1, last)]), SourcePlane(decoder.cr, planes[last])
        self.qp, self.qp_chroma, self.lagrangian = qp, qp_chroma, lagrangian
        # of pictures that others hang on: fits for all take a tenth of medium's time, and save another 0.1 %
        self.filters_chroma = place.layer <= 1
        self.skips_transform = looks_like_screen(planes[0])
        if self.skips_transform:
            self.copies.start(self.luma)
        decoder.start(place, qp, qp_chroma)
        self.is_p, self.writer.is_b = decoder.is_p, decoder.references.is_b
        self.step, self.step_chroma = decoder.scale / 4.0, decoder.scale_chroma / 4.0
        self.four_modes = self.four_modes_from >= 1 + self.is_p
        self.levels.lagrangian, self.intra.lagrangian = lagrangian, sqrt(lagrangian)
        self.blocks = decoder.blocks

    def set_weights(self, weights: PredictionWeights | None) -> None:
        """Predict the picture that has begun from weighted references."""
        decoder = self.decoder
        decoder.set_weights(weights)
        count: cython.Py_ssize_t = 0 if weights is None else len(weights)
        for k in range(count):
            decoder.luma.reference.select(decoder.references.sample_slot[k])
            with cython.nogil:
                self.vectors.quarters.fill()

    def reference(self, number: int) -> Samples:
        """Luma of one of the references, (H, W), as blocks are predicted from it."""
        which: cython.int = number
        self.decoder.luma.reference.select(self.decoder.references.sample_slot[which])
        return self.decoder.luma.picture()

    def search(
        self,
        rates: npt.NDArray[np.float64],
        seeds: npt.NDArray[np.int16] | None,
        mesh: NodeGrid | None,
        learn: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]] | None = None,
    ) -> SymbolWriter:
        """Decide all blocks, and give their symbols, until the next search. What they decode to is in the planes.

        ``rates``, float64 (contexts, 256), say what symbols cost; ``seeds`` are vectors of 16×16 samples in quarters
        into each reference, int16 (2, rows, columns, 2), or None where nothing moves. ``learn`` gives the rates for
        each further row of CTUs by the symbols so far.
        """
        self.writer.start(rates)
        self.moves, self.warps = seeds is not None, mesh is not None
        self.vectors.start(self.luma, np.zeros((2, 1, 1, 2), np.int16) if seeds is None else seeds, self.lagrangian)
        self.decoder.set_mesh(mesh)
        if mesh is not None:
            luma, cb, cr = self._views()[:3]
            self.warped_luma, self.warped_cb = np.empty_like(luma).data, np.empty_like(cb).data
            self.warped_cr = np.empty_like(cr).data
            with cython.nogil:
                self.warp_planes()
        for first in range(0, self.blocks.rows, 4):
            row: cython.int = first
            if learn is not None and row > 0:
                self.writer.rates = learn(self.writer.counts()).data
            with cython.nogil:
                self.search_row(row)
        with cython.nogil:
            self.decoder.deblock(self.qp, self.qp_chroma)
        return self.writer

    def vectors_before(self) -> npt.NDArray[np.int16]:
        """Vectors into each reference, of 16×16 samples, as the one decoded last moves: int16 (2, rows, columns, 2)."""
        vectors = np.zeros((2, (self.blocks.rows + 1) // 2, (self.blocks.columns + 1) // 2, 2), np.int16)
        target: cython.short[:, :, :, ::1] = vectors.data
        with cython.nogil:
            for row in range(target.shape[1]):
                for column in range(target.shape[2]):
                    self.candidates.find_temporal(
                        min(2 * row + 1, self.blocks.rows - 1), min(2 * column + 1, self.blocks.columns - 1)
                    )
                    for k in range(2):
                        target[k, row, column, 0] = self.candidates.temporal_dy[k]
                        target[k, row, column, 1] = self.candidates.temporal_dx[k]
        return vectors

    def finish(self) -> tuple[tuple[AlfParameters | None, ...], tuple[Samples, ...]]:
        """Keep what the last search decodes to, with the ALF that is found; that of each plane, and the planes."""
        with cython.nogil:
            self.decoder.publish()
        alf: list[AlfParameters | None] = [None] * self.planes
        sources = (self.luma, self.cb, self.cr)
        for k in range(self.planes if self.filters_chroma else 1)[::-1]:  # luma last, which the others look into
            alf[k] = self.alf[k].fit(sources[k], self.lagrangian)
        with cython.nogil:
            self.vectors.quarters.fill()
        return tuple(alf), self.decoder.pictures()

    def warped(self, mesh: NodeGrid) -> Samples:
        """What a mesh predicts of luma."""
        self.decoder.set_mesh(mesh)
        predicted: Samples = np.empty_like(np.asarray(self.decoder.luma.samples))
        target: Sample[:, ::1] = predicted.data
        with cython.nogil:
            self.select_first()
            warp_plane(self.decoder.mesh, self.decoder.luma, target)
        return predicted[: self.decoder.luma.height, : self.decoder.luma.width]

    def squared_error(self) -> float:
        """Of what the last search decodes to, without what lies beyond the picture."""
        total: cython.double = 0
        with cython.nogil:
            total = plane_error(self.luma, self.decoder.luma)
            if self.planes > 1:
                total += plane_error(self.cb, self.decoder.cb) + plane_error(self.cr, self.decoder.cr)
        return float(total)

    def state(self) -> list[npt.NDArray[np.int32] | Samples]:
        """Copies of what `search` leaves in the decoder."""
        return [view.copy() for view in self._views()]

    def restore(self, state: Sequence[npt.NDArray[np.int32] | Samples]) -> None:
        """Go back to what an earlier search left."""
        for view, kept in zip(self._views(), state, strict=True):
            view[:] = kept

    def _views(self) -> list[npt.NDArray[np.int32] | Samples]:
        decoder, blocks = self.decoder, self.decoder.blocks
        views = [decoder.luma.samples, decoder.cb.samples, decoder.cr.samples, blocks.directions, blocks.dy, blocks.dx]
        return [np.asarray(view) for view in views]

    def select_first(self) -> cython.void:
        """Let all planes look at the first reference."""
        slot = self.decoder.references.sample_slot[0]
        self.decoder.luma.reference.select(slot)
        self.decoder.cb.reference.select(slot)
        self.decoder.cr.reference.select(slot)

    def warp_planes(self) -> cython.void:
        """Predict all planes by the mesh."""
        self.select_first()
        warp_plane(self.decoder.mesh, self.decoder.luma, self.warped_luma)
        if self.planes > 1:
            warp_plane(self.decoder.mesh, self.decoder.cb, self.warped_cb)
            warp_plane(self.decoder.mesh, self.decoder.cr, self.warped_cr)

    def search_row(self, row: cython.int) -> cython.void:
        """A row of CTUs, in the order of coding."""
        for column in range(0, self.blocks.columns, 4):
            if self.is_p:
                self.candidates.find_temporal(row, column)
                for k in range(2):
                    self.vectors.parent_dy[k, 6] = self.candidates.temporal_dy[k]
                    self.vectors.parent_dx[k, 6] = self.candidates.temporal_dx[k]
            self.search_node(row, column, 5, self.best_32)

    def search_node(self, row: cython.int, column: cython.int, log2: cython.int, best: Trial) -> cython.double:
        """Decide a square of the quadtree: a coding block against what its quarters come to; returns what it costs."""
        side = 1 << (log2 - 3)
        if row >= self.blocks.rows or column >= self.blocks.columns:
            return 0
        count, bit_count = self.writer.count, self.writer.bit_count
        cost: cython.double = 0
        best.cost = 1e30
        if row + side <= self.blocks.rows and column + side <= self.blocks.columns:
            context = self.blocks.node_context(self.is_p, row, column, log2)
            self.block.row, self.block.column, self.block.log2 = row, column, log2
            done = self.search_block(context, best)
            if done or log2 == 3:
                self.put(best)
                return best.cost
            cost = self.lagrangian * self.writer.rates[context, tables.SPLIT]
            self.writer.put(context, tables.SPLIT)
        half = side >> 1
        for quarter in range(4):
            there_row, there_column = row + (quarter >> 1) * half, column + (quarter & 1) * half
            if log2 == 5:
                cost += self.search_node(there_row, there_column, 4, self.best_16)
            else:
                cost += self.search_node(there_row, there_column, 3, self.best_8)
            if cost >= best.cost:
                self.writer.rewind(count, bit_count)
                self.put(best)
                return best.cost
        return cost

    def put(self, best: Trial) -> cython.void:
        """Code a block as was found best."""
        best.keep_samples(self.decoder.luma, best.luma_samples, True)
        if self.planes > 1:
            best.keep_samples(self.decoder.cb, best.cb_samples, True)
            best.keep_samples(self.decoder.cr, best.cr_samples, True)
        self.writer.put_block(best, self.blocks, self.is_p, self.chroma_blocks)
        self.blocks.put(best.block)

    def search_block(self, context: cython.int, best: Trial) -> cython.bint:
        """Find the best coding block where the trial is; whether it is good enough not to be split."""
        bound: cython.double = 1e30
        if self.is_p:
            nearest = self.search_inter(context, best)
            if nearest < 0:
                return True
            if nearest < self.intra_from * self.step * (1 << (2 * self.block.log2 - 6)):
                return False
            bound = cython.cast(cython.int, self.intra_near * nearest)
        self.search_intra(bound, best)
        if self.skips_transform:
            self.search_copy(best)
        return False

    def search_inter(self, context: cython.int, best: Trial) -> cython.double:
        """Try merges and vectors; returns the least Hadamard cost, negative where there is nothing left to gain."""
        rates, log2 = self.writer.rates, self.block.log2
        y, x, side = 8 * self.block.row, 8 * self.block.column, 1 << log2
        step: cython.double = self.step * (1 << (2 * log2 - 6))
        lagrangian: cython.double = self.vectors.lagrangian
        own_cost: cython.double = 1e30
        own_obmc_cost: cython.double = 1e30
        obmc_cost: cython.double = 1e30
        warp_cost: cython.double = 1e30
        obmc_merge: cython.int = 0
        own: cython.int = 0
        self.candidates.find(self.blocks, self.block)
        merge_cost, merge = self.rank_merges(context)
        for k in range(2):
            self.candidates.take_vector(0 if merge == tables.AVERAGED else merge, k)
            self.vectors.parent_dy[k, log2] = self.candidates.predicted_dy
            self.vectors.parent_dx[k, log2] = self.candidates.predicted_dx
        if merge_cost > 2 * step:
            if self.moves:
                own_cost, own = self.search_vectors(y, x, log2, context)
            if y + x > 0 and min(merge_cost, own_cost) > self.obmc_from * step:
                bound = min(merge_cost, own_cost) * (1 + self.near)
                obmc_cost, obmc_merge = self.rank_obmc(context, bound)
                if own_cost < 1e30:
                    self.start_own(True, own)
                    bits = self.writer.vector_bits(self.trial) + rates[context, FIRST_OBMC + 1]
                    own_obmc_cost = self.weigh(bits, bound)
        if self.warps:
            warp_cost = self.vectors.sums(y, x, self.warped_luma, y, x, side, 1e30)
            warp_cost += lagrangian * min(rates[context, FIRST_WARPED + 1], rates[context, FIRST_WARPED] + 1)
        nearest = min(merge_cost, min(own_cost, min(obmc_cost, min(own_obmc_cost, warp_cost))))
        near = nearest * (1 + self.near)
        if self.all_skips:
            for candidate in range(4):
                if candidate != merge and self.has_candidate(candidate):
                    self.try_skip(candidate, context, best)
        has_levels: cython.bint = False
        if merge_cost <= near:
            self.start_merge(BlockKind.MERGE, False, merge)
            has_levels |= self.try_inter(best)
        if own_cost <= near:
            self.start_own(False, own)
            has_levels |= self.try_inter(best)
        if own_obmc_cost <= near:
            self.start_own(True, own)
            has_levels |= self.try_inter(best)
        if obmc_cost <= near:
            self.start_merge(BlockKind.MERGE, True, obmc_merge)
            has_levels |= self.try_inter(best)
        if warp_cost <= near:
            self.trial.start(BlockKind.WARPED)
            self.block.directions = 1
            self.block.dy[0], self.block.dx[0] = self.decoder.mesh.vector(y + (side >> 4 << 3), x + (side >> 4 << 3))
            has_levels |= self.try_inter(best)
        return -nearest if not has_levels or nearest < self.stop * step else nearest

    def rank_merges(self, context: cython.int) -> tuple[cython.double, cython.int]:
        """The merge candidate of the least Hadamard cost, after that cost."""
        rates, lagrangian = self.writer.rates, self.vectors.lagrangian
        y, x, side = 8 * self.block.row, 8 * self.block.column, 1 << self.block.log2
        best: cython.double = 1e30
        merge: cython.int = 0
        for candidate in range(4):
            if self.has_candidate(candidate):
                bits = min(rates[context, tables.FIRST_CODED + 16 * candidate + 1], rates[context, candidate] + 1)
                self.start_merge(BlockKind.MERGE, False, candidate)
                cost: cython.double
                if self.block.directions == 3:
                    cost = self.weigh(bits, best)
                else:
                    k: cython.int = self.block.directions >> 1
                    dy, dx = self.block.dy[k], self.block.dx[k]
                    slot = self.decoder.references.sample_slot[k]
                    cost = self.vectors.hadamard(y, x, side, dy, dx, slot, best) + lagrangian * bits
                if cost < best:
                    best, merge = cost, candidate
        return best, merge

    def rank_obmc(self, context: cython.int, bound: cython.double) -> tuple[cython.double, cython.int]:
        """The same with OBMC, of costs below ``bound``; else 1e30."""
        rates = self.writer.rates
        best: cython.double = 1e30
        merge: cython.int = 0
        for candidate in range(self.candidates.count):
            symbol = FIRST_OBMC + 16 * (1 + candidate)
            bits = min(rates[context, symbol + 1], rates[context, symbol] + 1)
            self.start_merge(BlockKind.MERGE, True, candidate)
            cost = self.weigh(bits, min(best, bound))
            if cost < best:
                best, merge = cost, candidate
        return best, merge

    def weigh(self, bits: cython.double, bound: cython.double) -> cython.double:
        """The Hadamard cost of the trial, predicted in luma, and that of ``bits``; 1e30 from ``bound`` on."""
        y, x, side = 8 * self.block.row, 8 * self.block.column, 1 << self.block.log2
        if self.block.obmc:
            self.decoder.predict_plane(self.decoder.luma, self.block)
        else:  # not along a flow, which takes 10 % of the time and tells candidates apart for 0.1…0.3 % of the bytes
            self.decoder.compensate(self.decoder.luma, self.decoder.luma.samples, self.block, y, x, side, side)
        cost: cython.double = self.vectors.lagrangian * bits
        cost += self.vectors.predicted(y, x, side, bound - cost)
        return cost if cost < bound else 1e30

    def search_vectors(
        self, y: cython.int, x: cython.int, log2: cython.int, context: cython.int
    ) -> tuple[cython.double, cython.int]:
        """Find vectors into each reference; the least Hadamard cost, of one or of both, and the directions of that.

        The cost is 1e30 where the best vector is a merge candidate's.
        """
        rates, is_b = self.writer.rates, self.decoder.references.is_b
        best: cython.double = 1e30
        directions: cython.int = 1
        for k in range(2 if is_b else 1):
            cost: cython.double = self.vectors.search(self.candidates, k, y, x, log2)
            cost += self.vectors.lagrangian * rates[context, FIRST_INTER + 1]
            if is_b:
                cost += self.vectors.lagrangian * rates[tables.DIRECTION_CONTEXTS + 5 - log2, k]
            if cost < best and not self.is_candidate(k + 1):
                best, directions = cost, k + 1
        if is_b:
            self.start_own(False, 3)
            cost = self.weigh(self.writer.vector_bits(self.trial) + rates[context, FIRST_INTER + 1], best)
            if cost < best:
                best, directions = cost, 3
        return best, directions

    def is_candidate(self, directions: cython.int) -> cython.bint:
        """Whether a merge candidate has the vector that was found into one of the references."""
        log2 = self.block.log2
        second: cython.int = directions >> 1
        dy, dx = self.vectors.parent_dy[second, log2], self.vectors.parent_dx[second, log2]
        for k in range(self.candidates.count):
            there_dy, there_dx = self.candidates.dy[k, second], self.candidates.dx[k, second]
            if self.candidates.directions[k] == directions and there_dy == dy and there_dx == dx:
                return True
        return False

    def has_candidate(self, candidate: cython.int) -> cython.bint:
        """Whether the block at work has a merge candidate."""
        return self.candidates.count > (1 if candidate == tables.AVERAGED else candidate)

    def start_merge(self, kind: cython.int, obmc: cython.bint, merge: cython.int) -> cython.void:
        """Make the trial a block with the motion of a merge candidate."""
        self.trial.start(kind)
        self.block.obmc, self.block.merge = obmc, merge
        self.candidates.give(self.block, merge)

    def start_own(self, obmc: cython.bint, directions: cython.int) -> cython.void:
        """Make the trial a block with the vectors that were found."""
        log2 = self.block.log2
        self.trial.start(BlockKind.INTER)
        self.block.obmc, self.block.directions = obmc, directions
        for k in range(2):
            if directions >> k & 1:
                self.block.dy[k], self.block.dx[k] = self.vectors.parent_dy[k, log2], self.vectors.parent_dx[k, log2]
                self.candidates.predict_vector(k)
                self.trial.mvd_y[k] = self.block.dy[k] - self.candidates.predicted_dy
                self.trial.mvd_x[k] = self.block.dx[k] - self.candidates.predicted_dx

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

    def try_skip(self, merge: cython.int, context: cython.int, best: Trial) -> cython.void:
        """Try to skip a block with a merge candidate."""
        y, x, side = 8 * self.block.row, 8 * self.block.column, 1 << self.block.log2
        self.start_merge(BlockKind.SKIP, False, merge)
        self.predict()
        cost: cython.double = self.levels.squared_error(self.luma, self.decoder.luma, y, x, side)
        if self.planes > 1:
            cost += self.levels.squared_error(self.cb, self.decoder.cb, y, x, side)
            cost += self.levels.squared_error(self.cr, self.decoder.cr, y, x, side)
        self.trial.cost = cost + self.lagrangian * self.writer.rates[context, merge]
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
        if self.skips_transform and has_levels:
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
        log2, neighbours = self.block.log2 - split, self.blocks.coded_neighbours(self.block, 0)
        found.start(log2)
        for part in range(4 if split else 1):
            y, x = 8 * self.block.row + ((part >> 1) << log2), 8 * self.block.column + ((part & 1) << log2)
            self.levels.code(
                self.luma, self.decoder.luma, y, x, log2, False, neighbours, self.step, found, self.block.transform
            )
            if found.cost >= bound:
                return

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
                if self.block.chroma_from_luma:
                    self.decoder.intra.predict_from_luma(plane, self.decoder.luma, y, x)
                else:
                    self.decoder.intra.predict(plane.samples, y, x, self.block.modes & 63, False)
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

    def search_copy(self, best: Trial) -> cython.void:
        """Try to copy a block from elsewhere in the picture."""
        self.trial.start(BlockKind.COPY)
        if self.copies.find(self.blocks, self.decoder.luma, self.block):
            self.try_inter(best)

    def search_intra(self, bound: cython.double, best: Trial) -> cython.void:
        """Try intra modes, unless their Hadamard cost is beyond ``bound``."""
        self.trial.start(BlockKind.INTRA)
        y, x, log2 = 8 * self.block.row, 8 * self.block.column, self.block.log2
        least = self.intra.rank(self.luma, self.decoder.luma, self.blocks, self.block, 0, y, x, log2)
        if least > bound:
            return
        first, second, third = self.intra.mode[0], self.intra.mode[1], self.intra.mode[2]
        near, tried = 1.15 * max(least, 1.0), 1 if self.is_p else self.intra_modes
        try_second: cython.bint = tried > 1 and self.intra.cost[1] <= near
        try_third: cython.bint = tried > 2 and self.intra.cost[2] <= near
        self.try_intra(first, True, best)
        if try_second:
            self.try_intra(second, False, best)
        if try_third:
            self.try_intra(third, False, best)
        if self.planes > 1 and best.block.kind == BlockKind.INTRA and best.cost < 1e30:
            self.try_chroma_from_luma(best)

    def try_chroma_from_luma(self, best: Trial) -> cython.void:
        """Try to predict chroma of the best intra block from its luma."""
        best.keep_samples(self.decoder.luma, best.luma_samples, True)
        self.trial.become(best, best.luma)
        cost = best.cost - best.cb.cost - best.cr.cost - self.lagrangian * self.block_bits()
        self.block.chroma_from_luma = True
        self.code_chroma()
        self.block.cbf = best.block.cbf & 1 | (self.trial.cb.cbf > 0) << 1 | (self.trial.cr.cbf > 0) << 2
        cost += self.trial.cb.cost + self.trial.cr.cost + self.lagrangian * self.block_bits()
        if cost < best.cost:
            self.trial.cost = cost
            best.become(self.trial, self.trial.luma)
            best.keep_samples(self.decoder.cb, best.cb_samples, False)
            best.keep_samples(self.decoder.cr, best.cr_samples, False)

    def try_intra(self, mode: cython.int, is_first: cython.bint, best: Trial) -> cython.void:
        """Try an intra mode, with luma's transform whole and split, and of each kind."""
        self.trial.start(BlockKind.INTRA)
        self.block.modes = FOUR_MODES * mode
        has_chroma: cython.bint = False
        for kind in range(3):
            if (kind == tables.DST and self.sines < 2 - is_first) or (
                kind == tables.NO_TRANSFORM and not self.skips_transform
            ):
                continue
            self.block.transform = kind
            if self.block.log2 <= tables.LARGEST_CHOICE or kind == tables.DCT:
                has_chroma = self.try_whole_intra(mode, has_chroma, best)
                if self.trial.luma.cbf == 0:
                    return
            if self.splits if self.block.log2 > 3 else is_first and self.four_modes:
                has_chroma = self.try_split_intra(mode, has_chroma, best)

    def try_whole_intra(self, mode: cython.int, has_chroma: cython.bint, best: Trial) -> cython.bint:
        """The same with one transform block; whether chroma is coded now."""
        self.block.transform_split, self.block.modes = False, FOUR_MODES * mode
        self.trial.luma.start(self.block.log2)
        self.code_intra(self.trial.luma, 8 * self.block.row, 8 * self.block.column, mode)
        if self.trial.luma.cost < best.cost:
            if not has_chroma:
                self.code_chroma()
            self.finish_intra(self.trial.luma, best)
            return True
        return has_chroma

    def try_split_intra(self, mode: cython.int, has_chroma: cython.bint, best: Trial) -> cython.bint:
        """The same with four; those of the smallest blocks have modes of their own."""
        top, left, log2 = 8 * self.block.row, 8 * self.block.column, self.block.log2
        self.split.start(log2 - 1)
        self.block.transform_split, half = True, 1 << log2 >> 1
        self.block.modes = 0 if log2 == 3 else FOUR_MODES * mode
        for part in range(4):
            y, x = top + (part >> 1) * half, left + (part & 1) * half
            if log2 == 3:
                self.intra.rank(self.luma, self.decoder.luma, self.blocks, self.block, part, y, x, 2)
                mode = self.intra.mode[0]
                self.block.modes |= mode << (6 * part)
            self.code_intra(self.split, y, x, mode)
            if self.split.cost >= best.cost:
                return has_chroma and log2 > 3
            if self.split.cbf >> part & 1:
                self.decoder.transform.add(
                    self.levels.levels,
                    self.decoder.scale,
                    log2 - 1,
                    self.block.transform,
                    self.decoder.luma.samples,
                    y,
                    x,
                )
        if log2 == 3 or not has_chroma:
            self.code_chroma()
        self.finish_intra(self.split, best)
        return log2 > 3

    def code_intra(self, found: PlaneLevels, y: cython.int, x: cython.int, mode: cython.int) -> cython.void:
        """Predict a transform block of luma, and choose its levels."""
        self.decoder.intra.gather(self.decoder.luma, self.blocks, y, x, found.log2)
        self.decoder.intra.predict(self.decoder.luma.samples, y, x, mode, True)
        neighbours = self.blocks.coded_neighbours(self.block, 0)
        self.levels.code(
            self.luma, self.decoder.luma, y, x, found.log2, True, neighbours, self.step, found, self.block.transform
        )

    def finish_intra(self, luma: PlaneLevels, best: Trial) -> cython.void:
        """Keep an intra trial if it is better."""
        self.trial.set_cbf(luma, self.planes)
        cost = luma.cost + self.lagrangian * self.bits_with(luma)
        if self.planes > 1:
            cost += self.trial.cb.cost + self.trial.cr.cost
        if cost < best.cost:
            self.trial.cost = cost
            self.keep(luma, best)


def warp_plane(mesh: Mesh, plane: Plane, target: Sample[:, ::1]) -> cython.void:
    """All that a mesh predicts of a plane."""
    for y in range(0, cython.cast(cython.int, target.shape[0]) << plane.log2_y, 8):
        for x in range(0, cython.cast(cython.int, target.shape[1]) << plane.log2_x, 8):
            plane.reference.warp(target, mesh, y, x, 8)


def plane_error(source: SourcePlane, plane: Plane) -> cython.double:
    """Squared error of what is decoded, inside of the picture."""
    a, b = source.samples, plane.samples
    total: cython.double = 0
    for row in range(plane.height):
        of_row: Energy = 0
        for x in range(plane.width):
            error: cython.int = a[row, x] - b[row, x]
            of_row += error * error
        total += of_row
    return total
