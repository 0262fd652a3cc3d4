"""Encoder of ``dct``: the pictures of a GOP to blocks, with what symbols cost learnt on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.bitstream.context_merge import merge_contexts
from codec.coded import CodedPicture, NodeGrid, SequenceHeader, WrittenSymbols, mesh_differences, shape_of
from codec.dct.tables import MAX_QP
from codec.models import MotionModel, Speed
from codec.motion.block_search import Searched, search_blocks
from codec.motion.compensate import Reference
from codec.motion.field import CellMode, MotionField
from codec.motion.mesh_search import search_mesh
from codec.picture.colour import rgb_to_yuv
from codec.picture.planes import Picture
from codec.reconstruct import present
from codec.search.numba_dct.bench import EFFORTS, Effort, Rates
from codec.search.numba_dct.blocks import CodedBlocks
from codec.search.numba_dct.decode import decode_blocks
from codec.search.numba_dct.encode import add_filter, code_blocks, weight_of
from codec.search.numba_dct.mesh import mesh_of
from codec.search.numba_dct.mesh_fit import fit_mesh
from codec.search.numba_dct.rates import Counts, count_symbols, rates_of
from codec.search.numba_dct.symbols import CONTEXTS, FAMILIES, write_blocks
from codec.settings import Settings

__all__ = ["CodedGop", "code_gop_of_blocks"]

I_OFFSET, P_OFFSET = -4, 1  # of a picture's QP; all others inherit an I picture's error
CHROMA_OFFSET = -1  # from luma's QP: 1.2 % fewer bytes at equal PSNR-YUV (6:1:1), nothing lost at equal PSNR-Y
SEED_BLOCK = 16
MAX_DIFFERENCE = 32767  # of vectors of a mesh, as 16 bits hold it
MESH_BITS = 16.0  # of a mesh, whatever its vectors are
# What a mesh must gain, as a share of a picture's bits; the first, which brings streams of its own and symbols that
# others then pay for, so many more bits: without them foreman takes 0.2 % more than with blocks, with them nothing
MESH_GAIN, NEXT_MESH_GAIN, FIRST_MESH_BITS = 0.08, 0.015, 500.0
NEARLY = 1.1  # a first mesh that costs no more is tried again, with what its leaves' symbols cost then
FORGET = 0.9  # what counts of symbols keep of their weight from picture to picture
LEARNT_TWICE = 2  # pictures of a GOP that are coded again once their own symbols are counted


class BlockHistory(NamedTuple):
    """What a decoded picture leaves for the next one: its samples, and its blocks' vectors.

    ``references`` has one picture, or none before the first.
    """

    references: tuple[Reference, ...] = ()
    vectors: npt.NDArray[np.int32] | None = None

    def after(self, blocks: CodedBlocks, header: SequenceHeader) -> BlockHistory:
        """The history once blocks are decoded."""
        reference = self.references[0] if self.references else None
        mesh = mesh_of(blocks.mesh, reference, shape_of(header.coded_format))
        limit = header.vector_limit_quarter_pel
        picture, vectors = decode_blocks(blocks, reference, self.vectors, mesh, header.coded_format, limit)
        return BlockHistory((Reference(picture, header.half_sample_tap),), vectors)

    @property
    def newest(self) -> Picture:
        """The picture that was decoded last."""
        return self.references[0].picture


class Attempt(NamedTuple):
    """A picture coded in one way, and what it decodes to without the filter.

    ``written`` are contexts, symbols and bits. Its error + λ · bits, and the latter alone, are there only where there
    is another way.
    """

    blocks: CodedBlocks
    decoded: BlockHistory
    written: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
    counts: Counts
    cost: float
    rate: float


class CodedGop(NamedTuple):
    """Coded pictures, and the CRC-32 of what each decodes to."""

    pictures: list[CodedPicture]
    checksums: list[int]


def picture_qp(qp: int, number: int) -> int:
    """QP of a picture of a GOP."""
    offset = P_OFFSET if number else I_OFFSET
    return min(max(qp + offset, 0), MAX_QP)


def code_gop_of_blocks(pictures: Sequence[Picture], header: SequenceHeader, settings: Settings) -> CodedGop:
    """Code a closed GOP; with two passes, the second knows what symbols cost in the first."""
    effort = EFFORTS[settings.speed_preset]
    sources = [as_coded(picture, header) for picture in pictures]
    coder = BlockCoder(header, settings, None)
    coded = [coder.code(source) for source in sources]
    for _ in range(effort.passes - 1):
        coder = BlockCoder(header, settings, rates_of(as_streamed(coder.all_counts)))
        coded = [coder.code(source) for source in sources]
    return CodedGop(coded, coder.checksums)


def as_streamed(counts: Counts) -> Counts:
    """Counts of the streams that contexts will share, for each context."""
    streamed = np.zeros_like(counts)
    for first, end in zip((0, *FAMILIES), FAMILIES, strict=False):
        streams = merge_contexts(counts[first:end])
        merged = np.zeros((int(streams.max()) + 1, counts.shape[1]))
        np.add.at(merged, streams, counts[first:end])
        streamed[first:end] = merged[streams]
    return streamed


def as_coded(picture: Picture, header: SequenceHeader) -> Picture:
    """A source picture in the format that is coded (spec 8.6.11)."""
    if picture.format.sample_format is header.coded_format.sample_format:
        return picture
    return rgb_to_yuv(picture, header.coded_format)


class BlockCoder:
    """Codes one picture of a GOP after the other.

    ``rates`` are what symbols cost, or None to learn it from the pictures before.
    """

    def __init__(self, header: SequenceHeader, settings: Settings, rates: Rates | None) -> None:
        self._header, self._settings, self._fixed_rates = header, settings, rates
        self._effort: Effort = EFFORTS[settings.speed_preset]
        self._shape = shape_of(header.coded_format)
        self._history = BlockHistory()
        self._before: MotionField | None = None
        self._mesh: NodeGrid | None = None
        self._counts: Counts = np.zeros((CONTEXTS, 256))
        self.all_counts: Counts = np.zeros((CONTEXTS, 256))
        self.checksums: list[int] = []

    def code(self, source: Picture) -> CodedPicture:
        """The next picture of the GOP."""
        number = len(self.checksums)
        seeds = self._seeds(source) if number else None
        qp = picture_qp(self._settings.qp, number)
        rates = self._fixed_rates if self._fixed_rates is not None else rates_of(self._counts)
        best = self._try(source, seeds, None, qp, rates)
        if self._fixed_rates is None and number < LEARNT_TWICE and self._settings.speed_preset is not Speed.FAST:
            rates = rates_of(self._counts + best.counts)
            best = self._try(source, seeds, None, qp, rates)
        if number and self._header.motion is MotionModel.MESH:
            best = self._with_mesh(source, seeds, best, qp, rates)
            self._mesh = best.blocks.mesh or self._mesh
        blocks, counts = best.blocks, best.counts
        self.all_counts += counts
        self._counts = FORGET * self._counts + counts
        references = int(number > 0)
        blocks = add_filter(blocks, source, best.decoded.newest)
        residual = WrittenSymbols(blocks.qp, blocks.qp_chroma, *best.written, blocks.wiener, blocks.mesh)
        coded = CodedPicture(references, None, residual)
        self._history = self._history.after(blocks, self._header) if blocks.wiener is not None else best.decoded
        self.checksums.append(present(self._history.newest, self._header).crc32())
        return coded

    def _with_mesh(
        self, source: Picture, seeds: npt.NDArray[np.int16] | None, best: Attempt, qp: int, rates: Rates
    ) -> Attempt:
        """The picture with a mesh if that is worth it, else ``best``."""
        first = self._mesh is None
        for mesh in self._meshes(source, qp):
            warped = self._try(source, seeds, mesh, qp, rates)
            if first and self._fixed_rates is None and warped.cost < NEARLY * best.cost:
                warped = self._try(source, seeds, mesh, qp, rates_of(self._counts + warped.counts))
            wanted = best.rate * MESH_GAIN + weight_of(qp) * FIRST_MESH_BITS if first else best.rate * NEXT_MESH_GAIN
            if best.cost - warped.cost > wanted:
                best = warped
        return best

    def _try(
        self,
        source: Picture,
        seeds: npt.NDArray[np.int16] | None,
        grid: NodeGrid | None,
        qp: int,
        rates: Rates,
    ) -> Attempt:
        """A picture coded with such rates, perhaps with a mesh, and its symbols counted."""
        history = self._history
        reference = history.references[0] if history.references else None
        limit = self._header.vector_limit_quarter_pel
        mesh = mesh_of(grid, reference, self._shape)
        qp_chroma = min(max(qp + CHROMA_OFFSET, 0), MAX_QP)
        blocks = code_blocks(source, reference, history.vectors, seeds, rates, qp, qp_chroma, limit, self._effort, mesh)
        blocks = replace(blocks, mesh=grid)
        contexts, symbols, bits = write_blocks(blocks, self._shape, reference is not None)
        decoded = history.after(blocks, self._header)
        cost = rate = 0.0
        if reference is not None and self._header.motion is MotionModel.MESH:
            rate = weight_of(qp) * (float(rates[contexts, symbols].sum()) + len(bits) + mesh_bits(grid, self._mesh))
            cost = rate + sum(
                float(np.square(a.astype(np.int32) - b).sum())
                for a, b in zip(source.planes, decoded.newest.planes, strict=True)
            )
        return Attempt(blocks, decoded, (contexts, symbols, bits), count_symbols(contexts, symbols), cost, rate)

    def _meshes(self, source: Picture, qp: int) -> Iterator[NodeGrid]:
        """Meshes to try: one that fits, and the last that was used, which costs next to nothing."""
        searched = self._searched(source)
        start = self._mesh
        if start is None:
            field = search_mesh(searched, self._header.cell_size, (CellMode.WARP,))
            start = NodeGrid(field.cell_size, 4 * field.vectors_quarter_pel)
        reference = self._history.references[0].full(0)
        limit = min(searched.limit_quarter_pel, self._header.vector_limit_quarter_pel)
        yield fit_mesh(source.planes[0], reference, start, limit, weight_of(qp))
        if self._mesh is not None:
            yield self._mesh

    def _searched(self, source: Picture) -> Searched:
        """What a search for motion works on."""
        reference = self._history.references[0]
        speed = Speed.MEDIUM if self._settings.speed_preset is Speed.SLOW else Speed.FAST
        limit = 4 * self._settings.search
        return Searched(source.planes[0], reference.picture.planes[0], reference.halves(0), limit, speed, self._before)

    def _seeds(self, source: Picture) -> npt.NDArray[np.int16] | None:
        """Vectors of 16×16 blocks, from which leaves begin."""
        if self._header.motion is MotionModel.NONE:
            return None
        self._before = search_blocks(self._searched(source), SEED_BLOCK)
        return self._before.vectors_quarter_pel


def mesh_bits(mesh: NodeGrid | None, before: NodeGrid | None) -> float:
    """About what a mesh's vectors take after those of the mesh before it: zeros next to nothing, the impossible all."""
    if mesh is None:
        return 0.0
    differences = np.abs(mesh_differences([mesh] if before is None else [before, mesh])[-1])
    if int(differences.max()) > MAX_DIFFERENCE:
        return math.inf
    bits: float = MESH_BITS + float((1 + 2 * np.log2(differences[differences > 0] + 1)).sum()) + differences.size / 8
    return bits
