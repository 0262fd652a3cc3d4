"""From the symbols of a picture to its samples, coding block by coding block (spec 10.3, 10.11)."""

from __future__ import annotations

from collections.abc import Sequence

import cython
import numpy as np
import numpy.typing as npt

from codec.buffers import table, zeros
from codec.coded import AlfParameters, NodeGrid, PredictionWeights
from codec.dct import tables
from codec.dct.candidates import BlockMap, MergeCandidates, MotionMap
from codec.dct.intra import IntraPredictor
from codec.dct.loop_filters import AdaptiveLoopFilter, Deblocking
from codec.dct.optical_flow import OpticalFlow
from codec.dct.planes import Plane
from codec.dct.references import SLOTS, Place, References
from codec.dct.syntax import CodingBlock, Levels, SymbolReader
from codec.dct.transform import InverseTransform
from codec.depths import SAMPLE_BITS, Sample
from codec.errors import BitstreamError
from codec.models import BlockKind
from codec.motion.compensation import Mesh

__all__ = ["PictureDecoder"]

Samples = npt.NDArray[np.uint8 | np.uint16]

FOUR_MODES: cython.int = 1 + (1 << 6) + (1 << 12) + (1 << 18)  # times a mode: the same one in all quarters


@cython.exceptval(-1)
def malformed(reason: cython.p_char) -> cython.int:
    """Raise a BitstreamError."""
    with cython.gil:
        raise BitstreamError(reason.decode())


def second_component(dy: cython.int) -> cython.int:
    """The context of an MVD to the right, by how far it goes down."""
    return tables.VECTOR_CONTEXTS + (1 if dy == 0 else 2 if abs(dy) < 4 else 3)


@cython.cclass
class PictureDecoder:
    """Decodes the pictures of a GOP, one after the other.

    After an error it is of no more use.
    """

    planes: cython.int
    luma: Plane
    cb: Plane
    cr: Plane
    blocks: BlockMap
    references: References
    motion: MotionMap  # of decoded pictures
    block: CodingBlock
    neighbour: CodingBlock  # whose motion OBMC mixes in
    levels: Levels
    symbols: SymbolReader
    candidates: MergeCandidates
    intra: IntraPredictor
    flow: OpticalFlow
    mesh: Mesh
    has_mesh: cython.bint
    transform: InverseTransform
    deblocking: Deblocking
    alf: AdaptiveLoopFilter
    is_p: cython.bint
    scale: cython.int
    scale_chroma: cython.int
    only_reads: cython.bint
    traced: cython.bint
    records: cython.int[:, ::1]  # of the coding blocks, if traced: see `trace`
    record_count: cython.int

    def __init__(
        self,
        plane_shapes: Sequence[tuple[int, int]],
        subsampling: Sequence[tuple[int, int]],
        vector_limit: int,
        bit_depth: int = 8,
        only_reads: bool = False,
        traced: bool = False,
    ) -> None:
        """``plane_shapes`` of one plane or three, each with log2 of its subsampling; vectors have a limit.

        Samples have 8…12 bits.

        With ``only_reads`` pictures have no samples, and need no picture before them.
        With ``traced`` the decoder remembers what `trace` gives.
        """
        height, width = plane_shapes[0]
        rows, columns = -(-height // 8), -(-width // 8)
        self.planes, self.only_reads, self.traced = len(plane_shapes), only_reads, traced
        self.luma = Plane(0, rows, columns, height, width, 0, 0, bit_depth, traced)
        last = self.planes - 1  # gray has planes of chroma too, which nothing uses
        self.cb = Plane(1, rows, columns, *plane_shapes[last], *subsampling[last], bit_depth, traced)
        self.cr = Plane(2, rows, columns, *plane_shapes[last], *subsampling[last], bit_depth, traced)
        self.blocks, self.motion, self.references = (
            BlockMap(rows, columns),
            MotionMap(rows, columns),
            References(vector_limit),
        )
        self.block, self.neighbour, self.levels = CodingBlock(), CodingBlock(), Levels()
        self.candidates = MergeCandidates(self.references, self.motion)
        self.intra, self.transform = IntraPredictor(bit_depth), InverseTransform(bit_depth)
        self.flow = OpticalFlow(bit_depth)
        self.deblocking, self.alf = Deblocking(), AdaptiveLoopFilter(width)
        self.records = zeros((rows * columns if traced else 1, 18), np.int32)

    def decode(
        self,
        symbols: SymbolReader,
        place: Place,
        qp: int,
        qp_chroma: int,
        alf: Sequence[AlfParameters | None],
        mesh: NodeGrid | None,
        weights: PredictionWeights | None = None,
    ) -> tuple[Samples, ...]:
        """The planes of the next picture, (height, width) each; () if nothing but reads.

        ``symbols`` stand at its first; ``alf`` has an `AlfParameters` or None for each plane, or is empty.

        Raises:
            BitstreamError: symbols end too early or have no meaning, a vector is too long, or a picture that this one
                points into is not there.
        """
        self.symbols = symbols
        self.start(place, qp, qp_chroma)
        self.set_weights(weights)
        self.set_mesh(mesh)
        self.decode_picture(qp, qp_chroma)
        if self.only_reads:
            return ()
        for plane, filter_of_plane in zip((self.cr, self.cb, self.luma)[-self.planes :], alf[::-1], strict=False):
            if filter_of_plane is not None:  # of chroma first, which looks into luma
                self.filter_plane(plane, filter_of_plane)
        return self.pictures()

    def pictures(self) -> tuple[Samples, ...]:
        """Copies of the planes of the reference."""
        return tuple(plane.picture() for plane in (self.luma, self.cb, self.cr)[: self.planes])

    def vectors(self) -> npt.NDArray[np.int16]:
        """Vectors of the last picture, a P picture, in quarter samples, of each 8×8 unit: int16 (rows, columns, 2)."""
        return np.stack([np.asarray(self.blocks.dy)[0], np.asarray(self.blocks.dx)[0]], axis=-1).astype(np.int16)

    def start(self, place: Place, qp: int, qp_chroma: int) -> None:
        """Begin the next picture.

        Raises:
            BitstreamError: a picture that this one points into is not there.
        """
        self.is_p, self.record_count = len(place.references) > 0, 0
        self.references.start(place, self.only_reads)
        over = 0 if SAMPLE_BITS == 8 else 6 * (self.luma.bit_depth - 8)
        self.scale, self.scale_chroma = tables.SCALES[qp + over], tables.SCALES[qp_chroma + over]

    def set_weights(self, weights: PredictionWeights | None) -> None:
        """Predict from weighted references; without ``weights`` from what was decoded."""
        if weights is None or self.only_reads:
            return
        count: cython.Py_ssize_t = len(weights)
        for k in range(count):
            for plane, (scale, offset) in zip((self.luma, self.cb, self.cr), weights[k].tolist(), strict=False):
                plane.weigh(self.references.slot[k], SLOTS + k, scale, offset)
        self.references.sample_slot[0], self.references.sample_slot[1] = SLOTS, SLOTS + count - 1

    def set_mesh(self, mesh: NodeGrid | None) -> None:
        """Let a mesh predict warped blocks."""
        self.has_mesh = mesh is not None
        if mesh is not None:
            self.mesh = Mesh(mesh.nodes_sixteenth_pel, mesh.cell_size, 0)

    def trace(self) -> tuple[npt.NDArray[np.int32], tuple[Samples, ...]]:
        """How the last picture came to be.

        Its coding blocks, int32 (blocks, 18): row and column in units of 8×8 luma samples, log2 of the side, kind,
        merge candidate, OBMC, transform split, CBF, intra modes, directions, dy, dx, second dy, second dx, transform
        kind, the block vector's dy and dx, CCLM. And what the planes were predicted as.
        """
        records = np.array(self.records)[: self.record_count]
        return records, tuple(plane.predicted() for plane in (self.luma, self.cb, self.cr)[: self.planes])

    def filter_plane(self, plane: Plane, alf: AlfParameters) -> None:
        """The ALF of a plane."""
        taps: cython.int[::1] = table(alf.taps)
        flags: cython.uchar[:, ::1] = table(alf.flags, np.uint8)
        with cython.nogil:
            self.alf.filter(plane, self.luma, taps, flags)
            plane.publish()

    def decode_picture(self, qp, qp_chroma):
        """All that needs no interpreter, at one stretch."""
        qp_: cython.int = qp
        qp_chroma_: cython.int = qp_chroma
        with cython.nogil:
            self.decode_samples(qp_, qp_chroma_)

    @cython.exceptval(-1)
    def decode_samples(self, qp: cython.int, qp_chroma: cython.int) -> cython.int:
        """Decode all CTUs, and filter their edges."""
        for row in range(0, self.blocks.rows, 4):
            for column in range(0, self.blocks.columns, 4):
                self.decode_node(row, column, 5)
        if self.only_reads:
            return 0
        self.deblock(qp, qp_chroma)
        self.publish()
        return 0

    def deblock(self, qp: cython.int, qp_chroma: cython.int) -> cython.void:
        """Filter the edges of what is decoded."""
        self.deblocking.filter(self.luma, self.cb, self.cr, self.planes, self.blocks, qp, qp_chroma)

    def publish(self) -> cython.void:
        """Keep what is decoded."""
        slot: cython.int = self.references.free
        self.motion.put(slot, self.blocks, self.references)
        self.luma.reference.select(slot)
        self.cb.reference.select(slot)
        self.cr.reference.select(slot)
        self.luma.publish()
        if self.planes > 1:
            self.cb.publish()
            self.cr.publish()

    @cython.exceptval(-1)
    def decode_node(self, row: cython.int, column: cython.int, log2: cython.int) -> cython.int:
        """Decode a square of the quadtree: a coding block, or its four quarters."""
        rows, columns, side = self.blocks.rows, self.blocks.columns, 1 << (log2 - 3)
        if row >= rows or column >= columns:
            return 0
        if row + side <= rows and column + side <= columns:
            symbol = self.symbols.read(self.blocks.node_context(self.is_p, row, column, log2))
            if symbol != tables.SPLIT:
                self.block.row, self.block.column, self.block.log2 = row, column, log2
                if not self.block.set_symbol(symbol):
                    return malformed(b"a symbol has no meaning")
                return self.decode_block(self.block)
        if log2 == 3:
            return malformed(b"a symbol has no meaning")
        half = side >> 1
        for quarter in range(4):
            self.decode_node(row + (quarter >> 1) * half, column + (quarter & 1) * half, log2 - 1)
        return 0

    @cython.exceptval(-1)
    def decode_block(self, block: CodingBlock) -> cython.int:
        """Read the rest of a coding block, and decode its transform blocks in every plane."""
        if block.cbf >> self.planes or (
            block.kind != BlockKind.INTRA and block.kind != BlockKind.COPY and not self.is_p
        ):
            return malformed(b"a symbol has no meaning")
        if block.kind == BlockKind.INTRA:
            self.read_modes(block)
        elif block.kind == BlockKind.INTER:
            self.read_vectors(block)
        elif block.kind == BlockKind.COPY:
            self.read_block_vector(block)
        if block.kind != BlockKind.INTRA and not self.only_reads:
            self.find_vectors(block)
            self.predict_plane(self.luma, block)
            if self.planes > 1:
                self.predict_plane(self.cb, block)
                self.predict_plane(self.cr, block)
        self.decode_transform_blocks(self.luma, block, self.scale)
        if self.planes > 1:
            self.decode_transform_blocks(self.cb, block, self.scale_chroma)
            self.decode_transform_blocks(self.cr, block, self.scale_chroma)
        self.blocks.put(block)
        self.symbols.block += 1
        if self.traced:
            self.record(block)
        return 0

    def record(self, block: CodingBlock) -> cython.void:
        """Remember a coding block for `trace`."""
        record, n = self.records, self.record_count
        record[n, 0], record[n, 1], record[n, 2], record[n, 3] = block.row, block.column, block.log2, block.kind
        record[n, 4], record[n, 5], record[n, 6] = block.merge, block.obmc, block.transform_split
        record[n, 7], record[n, 8], record[n, 9] = block.cbf, block.modes, block.directions
        record[n, 10], record[n, 11] = block.dy[0], block.dx[0]
        record[n, 12], record[n, 13], record[n, 14] = block.dy[1], block.dx[1], block.transform
        record[n, 15], record[n, 16], record[n, 17] = block.bv_dy, block.bv_dx, block.chroma_from_luma
        self.record_count = n + 1

    @cython.exceptval(-1)
    def read_modes(self, block: CodingBlock) -> cython.int:
        """Read the intra mode of a coding block, or of each quarter of the smallest, and whether it has CCLM."""
        quarters = 4 if block.log2 == 3 and block.transform_split else 1
        for quarter in range(quarters):
            symbol = self.symbols.read(tables.MODE_CONTEXTS + 5 - block.log2)
            if quarter == 0 and self.planes > 1 and symbol >= tables.FROM_LUMA:
                block.chroma_from_luma = True
                symbol -= tables.FROM_LUMA
            if symbol == 0:
                mode = self.blocks.left_mode(block, quarter)
            elif symbol == 1:
                mode = self.blocks.above_mode(block, quarter)
            else:
                mode = symbol - 2
            if mode >= tables.MODES:
                return malformed(b"a symbol has no meaning")
            block.modes |= mode << (6 * quarter)
        if quarters == 1:
            block.modes *= FOUR_MODES
        return 0

    @cython.exceptval(-1)
    def read_vectors(self, block: CodingBlock) -> cython.int:
        """Read which references a coding block points into, and an MVD for each."""
        block.directions = 1
        if self.references.is_b:
            block.directions += self.symbols.read(tables.DIRECTION_CONTEXTS + 5 - block.log2)
            if block.directions > 3:
                return malformed(b"a symbol has no meaning")
        for k in range(2):
            if block.directions >> k & 1:
                block.dy[k] = self.symbols.read_signed(tables.VECTOR_CONTEXTS)
                block.dx[k] = self.symbols.read_signed(second_component(block.dy[k]))
        return 0

    @cython.exceptval(-1)
    def read_block_vector(self, block: CodingBlock) -> cython.int:
        """Read from where in the picture a coding block is copied."""
        dy, dx = self.blocks.predicted_bv(block)
        block.bv_dy = dy + self.symbols.read_signed(tables.BV_CONTEXTS)
        block.bv_dx = dx + self.symbols.read_signed(tables.BV_CONTEXTS + 1)
        if not self.blocks.is_decoded(block, block.bv_dy, block.bv_dx):
            return malformed(b"a block is a copy of samples that are not decoded yet")
        return 0

    @cython.exceptval(-1)
    def find_vectors(self, block: CodingBlock) -> cython.int:
        """Make MVDs vectors, or take the motion of a merge candidate or of the mesh."""
        if block.kind == BlockKind.COPY:
            return 0
        if block.kind == BlockKind.WARPED:
            if not self.has_mesh:
                return malformed(b"a block is warped by a mesh that the picture does not have")
            middle = 8 * (1 << (block.log2 - 3) >> 1)
            block.directions = 1
            block.dy[0], block.dx[0] = self.mesh.vector(8 * block.row + middle, 8 * block.column + middle)
            return 0
        self.candidates.find(self.blocks, block)
        if block.kind == BlockKind.INTER:
            for k in range(2):
                if block.directions >> k & 1:
                    self.candidates.predict_vector(k)
                    block.dy[k] += self.candidates.predicted_dy
                    block.dx[k] += self.candidates.predicted_dx
        else:
            if self.candidates.count <= (1 if block.merge == tables.AVERAGED else block.merge):
                return malformed(b"a block merges with a candidate that it does not have")
            self.candidates.give(block, block.merge)
        for k in range(2):
            if max(abs(block.dy[k]), abs(block.dx[k])) > self.references.limit:
                return malformed(b"a vector is longer than the file allows")
        return 0

    def compensate(
        self,
        plane: Plane,
        target: Sample[:, ::1],
        motion: CodingBlock,
        y: cython.int,
        x: cython.int,
        height: cython.int,
        width: cython.int,
    ) -> cython.void:
        """Predict a rectangle by the vectors of a coding block: by one, or by the mean of two predictions."""
        for k in range(2):
            if motion.directions >> k & 1:
                self.move(plane, target, motion, k, y, x, height, width, k == 1 and motion.directions == 3)

    def move(
        self,
        plane: Plane,
        target: Sample[:, ::1],
        motion: CodingBlock,
        k: cython.int,
        y: cython.int,
        x: cython.int,
        height: cython.int,
        width: cython.int,
        averaged: cython.bint,
    ) -> cython.void:
        """Predict a rectangle from reference ``k``, or take the mean with what is there."""
        plane.reference.select(self.references.sample_slot[k])
        plane.reference.move(target, y, x, height, width, motion.dy[k], motion.dx[k], averaged)

    def predict_plane(self, plane: Plane, block: CodingBlock) -> cython.void:
        """Predict a coding block from other pictures, in one plane."""
        y, x, side = 8 * block.row, 8 * block.column, 1 << block.log2
        if block.kind == BlockKind.COPY:
            plane.copy_from(
                y >> plane.log2_y,
                x >> plane.log2_x,
                block.bv_dy >> plane.log2_y,
                block.bv_dx >> plane.log2_x,
                side >> plane.log2_y,
                side >> plane.log2_x,
            )
        elif block.kind == BlockKind.WARPED:
            plane.reference.select(self.references.sample_slot[0])
            plane.reference.warp(plane.samples, self.mesh, y, x, side)
        elif block.directions == 3 and self.references.is_halfway:
            self.predict_along_flow(plane, block)
        else:
            self.compensate(plane, plane.samples, block, y, x, side, side)
        if block.obmc and y > 0:
            self.overlap(self.blocks, plane, block, block.row - 1, block.column, 0, 1)
        if block.obmc and x > 0:
            self.overlap(self.blocks, plane, block, block.row, block.column - 1, 1, 0)
        if self.traced:
            rows, columns = side >> plane.log2_y, side >> plane.log2_x
            plane.keep_prediction(y >> plane.log2_y, x >> plane.log2_x, rows, columns)

    def predict_along_flow(self, plane: Plane, block: CodingBlock) -> cython.void:
        """Predict a coding block from the picture before and the one after, along the motion left between them."""
        y, x, side = 8 * block.row, 8 * block.column, 1 << block.log2
        self.move(plane, plane.samples, block, 0, y, x, side, side, False)
        self.move(plane, plane.second, block, 1, y, x, side, side, False)
        self.flow.average(
            plane.samples,
            plane.second,
            y >> plane.log2_y,
            x >> plane.log2_x,
            side >> plane.log2_y,
            side >> plane.log2_x,
        )

    def overlap(
        self,
        blocks: BlockMap,
        plane: Plane,
        block: CodingBlock,
        row: cython.int,
        column: cython.int,
        down: cython.int,
        right: cython.int,
    ) -> cython.void:
        """Mix into half a coding block what the vectors of the units beside it predict, from (row, column) on.

        They go on ``down`` along its left edge, or to the ``right`` along its upper one. Those with the same vector
        are one rectangle.
        """
        count, reach = 1 << (block.log2 - 3), (1 << block.log2) >> 1
        first: cython.int = 0
        while first < count:
            v, u = row + first * down, column + first * right
            blocks.take_motion(v, u, self.neighbour)
            end: cython.int = first + 1
            while end < count and blocks.has_motion(row + end * down, column + end * right, self.neighbour):
                end += 1
            if self.neighbour.directions > 0 and not blocks.has_motion(v, u, block):
                length = 8 * (end - first)
                height, width = (length, reach) if down else (reach, length)
                y, x = 8 * (block.row + first * down), 8 * (block.column + first * right)
                self.compensate(plane, plane.second, self.neighbour, y, x, height, width)
                plane.overlap(y, x, height, width, down)
            first = end

    @cython.exceptval(-1)
    def decode_transform_blocks(self, plane: Plane, block: CodingBlock, scale: cython.int) -> cython.int:
        """Read and decode the transform blocks of a coding block in one plane."""
        coded: cython.bint = block.cbf >> plane.number & 1
        is_chroma: cython.bint = plane.number > 0
        is_intra: cython.bint = block.kind == BlockKind.INTRA
        if not (coded or is_intra):
            return 0
        if is_chroma:  # 4:2:2 has two blocks, one above the other
            log2, count, across = block.log2 - plane.log2_x, 1 + plane.log2_x - plane.log2_y, 0
        elif block.transform_split:
            log2, count, across = block.log2 - 1, 4, 1
        else:
            log2, count, across = block.log2, 1, 0
        if coded and not is_chroma and log2 <= tables.LARGEST_CHOICE:
            block.transform = self.symbols.read(tables.TRANSFORM_CONTEXTS + 2 * (log2 - 2) + is_intra)
            if block.transform > tables.NO_TRANSFORM:
                return malformed(b"a symbol has no meaning")
        cbf: cython.int = coded  # a bit for each transform block
        if coded and count > 1:
            cbf = self.symbols.read(
                tables.CHROMA_CBF_CONTEXT if is_chroma else tables.CBF_CONTEXTS + 2 * (5 - block.log2) + is_intra
            )
            if cbf == 0 or cbf >> count:
                return malformed(b"a symbol has no meaning")
        kind: cython.int = tables.DCT if is_chroma else block.transform
        neighbours = self.blocks.coded_neighbours(block, plane.number)
        for number in range(count):
            y = (8 * block.row >> plane.log2_y) + ((number >> across) << log2)
            x = (8 * block.column >> plane.log2_x) + ((number & across) << log2)
            if is_intra and not self.only_reads:
                self.intra.gather(plane, self.blocks, y, x, log2)
                if is_chroma:
                    self.intra.predict_chroma(plane, self.luma, block, y, x)
                else:
                    self.intra.predict(plane.samples, y, x, block.modes >> 6 * number & 63, True)
                if self.traced:
                    plane.keep_prediction(y, x, 1 << log2, 1 << log2)
            if cbf >> number & 1:
                self.levels.read(self.symbols, log2, is_chroma, is_intra, neighbours)
                if not self.only_reads:
                    self.transform.add(self.levels, scale, log2, kind, plane.samples, y, x)
        return 0
