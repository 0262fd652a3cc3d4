"""Encoder only: the quadtrees of a picture, coding block by coding block, weighing error against bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from codec.depths import Energy
from codec.models import BlockKind
from codec.search.alf_fit import AlfFit
from codec.search.block_coder import BlockCoder
from codec.search.copy_search import CopySearch
from codec.search.effort import Effort
from codec.search.forward import SourcePlane
from codec.search.intra_trials import IntraTrials
from codec.search.symbol_writer import SymbolWriter, Trial
from codec.search.vector_search import VectorSearch

__all__ = ["PictureSearch"]

Samples = npt.NDArray[np.uint8 | np.uint16]

FIRST_INTER: cython.int = tables.FIRST_CODED + 16 * tables.KIND_INTER
FIRST_WARPED: cython.int = tables.FIRST_CODED + 16 * (tables.KIND_INTER + 2)
FIRST_OBMC: cython.int = tables.FIRST_CODED + 16 * tables.OBMC_INTER  # a vector of its own; behind it merges


@cython.cclass
class PictureSearch:
    """Decides the coding blocks of a picture, and writes their symbols.

    It reconstructs them by the stages of a decoder, on whose planes it works.
    """

    decoder: PictureDecoder
    blocks: BlockMap  # the decoder's
    candidates: MergeCandidates
    luma: SourcePlane
    writer: SymbolWriter
    coder: BlockCoder
    intra: IntraTrials
    vectors: VectorSearch
    copies: CopySearch
    alf: list  # of `AlfFit`, one for each plane
    trial: Trial  # the coder's
    block: CodingBlock  # of the trial
    best_32: Trial  # so far, of each size
    best_16: Trial
    best_8: Trial
    is_p: cython.bint
    qp: cython.int
    qp_chroma: cython.int
    lagrangian: cython.double  # λ, squared error that a bit is worth
    step: cython.double  # of luma
    moves: cython.bint  # whether vectors are searched for
    warps: cython.bint
    all_skips: cython.bint
    filters_chroma: cython.bint
    near: cython.double
    obmc_from: cython.double
    stop: cython.double
    intra_from: cython.double
    intra_near: cython.double

    def __init__(self, decoder: PictureDecoder, limit: int, effort: Effort) -> None:
        """Of the pictures that ``decoder`` could decode; vectors have a limit in quarter samples."""
        self.decoder, self.blocks, self.candidates = decoder, decoder.blocks, decoder.candidates
        samples = sum(view.size for view in self._views()[:3])
        self.writer = SymbolWriter(decoder.blocks.rows * decoder.blocks.columns, samples)
        self.coder = BlockCoder(decoder, self.writer, effort)
        self.trial, self.block = self.coder.trial, self.coder.block
        self.intra = IntraTrials(self.coder, effort)
        self.vectors = VectorSearch(decoder.luma, self.writer, limit, effort.rounds)
        self.copies = CopySearch(self.vectors)
        self.alf = [AlfFit(plane, decoder.luma, decoder.alf) for plane in (decoder.luma, decoder.cb, decoder.cr)]
        self.best_32, self.best_16, self.best_8 = (Trial(decoder.luma.bit_depth) for _ in range(3))
        self.all_skips, self.near, self.stop = effort.all_skips, effort.near, effort.stop
        self.obmc_from, self.intra_from, self.intra_near = effort.obmc_from, effort.intra_from, effort.intra_near

    def start(self, planes: Sequence[Samples], place: Place, qp: int, qp_chroma: int, lagrangian: float) -> None:
        """Begin a picture; it may be searched several times."""
        decoder = self.decoder
        self.qp, self.qp_chroma, self.lagrangian = qp, qp_chroma, lagrangian
        # of pictures that others hang on: fits for all take a tenth of medium's time, and save another 0.1 %
        self.filters_chroma = place.layer <= 1
        decoder.start(place, qp, qp_chroma)
        self.coder.start(planes, lagrangian)
        self.intra.start()
        self.blocks, self.luma, self.step = decoder.blocks, self.coder.luma, self.coder.step
        self.is_p, self.writer.is_b = decoder.is_p, decoder.references.is_b
        if self.coder.is_screen:
            self.copies.start(self.luma)

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
        self.coder.set_mesh(mesh)
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
        planes = self.decoder.planes
        alf: list[AlfParameters | None] = [None] * planes
        sources = (self.luma, self.coder.cb, self.coder.cr)
        for k in range(planes if self.filters_chroma else 1)[::-1]:  # luma last, which the others look into
            alf[k] = self.alf[k].fit(sources[k], self.lagrangian)
        with cython.nogil:
            self.vectors.quarters.fill()
        return tuple(alf), self.decoder.pictures()

    def warped(self, mesh: NodeGrid) -> Samples:
        """What a mesh predicts of luma."""
        return self.coder.warped(mesh)

    def squared_error(self) -> float:
        """Of what the last search decodes to, without what lies beyond the picture."""
        total: cython.double = 0
        with cython.nogil:
            total = plane_error(self.luma, self.decoder.luma)
            if self.decoder.planes > 1:
                total += plane_error(self.coder.cb, self.decoder.cb) + plane_error(self.coder.cr, self.decoder.cr)
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
                self.coder.put(best)
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
                self.coder.put(best)
                return best.cost
        return cost

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
        self.intra.find(bound, best)
        if self.coder.is_screen:
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
            warp_cost = self.vectors.sums(y, x, self.coder.warped_luma, y, x, side, 1e30)
            warp_cost += lagrangian * min(rates[context, FIRST_WARPED + 1], rates[context, FIRST_WARPED] + 1)
        nearest = min(merge_cost, min(own_cost, min(obmc_cost, min(own_obmc_cost, warp_cost))))
        near = nearest * (1 + self.near)
        if self.all_skips:
            for candidate in range(4):
                if candidate != merge and self.has_candidate(candidate):
                    self.start_merge(BlockKind.SKIP, False, candidate)
                    self.coder.try_skip(context, best)
        has_levels: cython.bint = False
        if merge_cost <= near:
            self.start_merge(BlockKind.MERGE, False, merge)
            has_levels |= self.coder.try_inter(best)
        if own_cost <= near:
            self.start_own(False, own)
            has_levels |= self.coder.try_inter(best)
        if own_obmc_cost <= near:
            self.start_own(True, own)
            has_levels |= self.coder.try_inter(best)
        if obmc_cost <= near:
            self.start_merge(BlockKind.MERGE, True, obmc_merge)
            has_levels |= self.coder.try_inter(best)
        if warp_cost <= near:
            self.trial.start(BlockKind.WARPED)
            self.block.directions = 1
            self.block.dy[0], self.block.dx[0] = self.decoder.mesh.vector(y + (side >> 4 << 3), x + (side >> 4 << 3))
            has_levels |= self.coder.try_inter(best)
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

    def search_copy(self, best: Trial) -> cython.void:
        """Try to copy a block from elsewhere in the picture."""
        self.trial.start(BlockKind.COPY)
        if self.copies.find(self.blocks, self.decoder.luma, self.block):
            self.coder.try_inter(best)


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
