"""Encoder of ``dct``: the pictures of a GOP to blocks, with what symbols cost learnt on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.bitstream.context_merge import merge_contexts
from codec.coded import CodedBlocks, CodedPicture, SequenceHeader, shape_of
from codec.dct.bench import EFFORTS, Effort, Rates
from codec.dct.encode import add_filter, code_blocks
from codec.dct.rates import Counts, count_symbols, rates_of
from codec.dct.symbols import CONTEXTS, FAMILIES, write_blocks
from codec.dct.tables import MAX_QP
from codec.models import MotionModel, Speed
from codec.motion.block_search import Searched, search_blocks
from codec.motion.field import MotionField
from codec.picture.colour import rgb_to_yuv
from codec.picture.planes import Picture
from codec.reconstruct import History, present, reconstruct
from codec.settings import Settings

__all__ = ["CodedGop", "code_gop_of_blocks"]

I_OFFSET, P_OFFSET = -4, 1  # of a picture's QP; all others inherit an I picture's error
SEED_BLOCK = 16
FORGET = 0.9  # what counts of symbols keep of their weight from picture to picture
LEARNT_TWICE = 2  # pictures of a GOP that are coded again once their own symbols are counted


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
    rates = None
    for _ in range(effort.passes):
        coder = BlockCoder(header, settings, rates)
        coded = [coder.code(source) for source in sources]
        rates = rates_of(as_streamed(coder.all_counts))
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
        self._history = History()
        self._before: MotionField | None = None
        self._counts: Counts = np.zeros((CONTEXTS, 256))
        self.all_counts: Counts = np.zeros((CONTEXTS, 256))
        self.checksums: list[int] = []

    def code(self, source: Picture) -> CodedPicture:
        """The next picture of the GOP."""
        number = len(self.checksums)
        seeds = self._seeds(source) if number else None
        qp = picture_qp(self._settings.qp, number)
        rates = self._fixed_rates if self._fixed_rates is not None else rates_of(self._counts)
        blocks, counts = self._try(source, seeds, qp, rates)
        if self._fixed_rates is None and number < LEARNT_TWICE and self._settings.speed_preset is not Speed.FAST:
            blocks, counts = self._try(source, seeds, qp, rates_of(self._counts + counts))
        self.all_counts += counts
        self._counts = FORGET * self._counts + counts
        references = int(number > 0)
        decoded = reconstruct(CodedPicture(references, None, blocks), self._history, self._header)
        blocks = add_filter(blocks, source, decoded.newest)
        coded = CodedPicture(references, None, blocks)
        self._history = reconstruct(coded, self._history, self._header) if blocks.wiener is not None else decoded
        self.checksums.append(present(self._history.newest, self._header).crc32())
        return coded

    def _try(
        self, source: Picture, seeds: npt.NDArray[np.int16] | None, qp: int, rates: Rates
    ) -> tuple[CodedBlocks, Counts]:
        """A picture coded with such rates, and its symbols counted."""
        history = self._history
        reference = history.references[0] if history.references else None
        limit = self._header.vector_limit_quarter_pel
        blocks = code_blocks(source, reference, history.vectors, seeds, rates, qp, qp, limit, self._effort)
        contexts, symbols, _ = write_blocks(blocks, self._shape, reference is not None)
        return blocks, count_symbols(contexts, symbols)

    def _seeds(self, source: Picture) -> npt.NDArray[np.int16] | None:
        """Vectors of 16×16 blocks, from which leaves begin."""
        if self._header.motion is MotionModel.NONE:
            return None
        reference = self._history.references[0]
        speed = Speed.MEDIUM if self._settings.speed_preset is Speed.SLOW else Speed.FAST
        limit = 4 * self._settings.search
        luma = reference.picture.planes[0]
        searched = Searched(source.planes[0], luma, reference.halves(0), limit, speed, self._before)
        self._before = search_blocks(searched, SEED_BLOCK)
        return self._before.vectors_quarter_pel
