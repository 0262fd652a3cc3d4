"""Blocks of a packet group as streams of symbols, and back (spec 10.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from codec.bitstream.context_substreams import Cursor
from codec.bitstream.frames import declared_size, decompress, decompress_digits, with_head
from codec.bitstream.schema import StreamId
from codec.coded import (
    ALF_BLOCK,
    ALF_TAPS,
    AlfParameters,
    CodedSymbols,
    SequenceHeader,
    shape_of,
)
from codec.dct.tables import FAMILIES
from codec.errors import BitstreamError

if TYPE_CHECKING:
    from codec.dct.syntax import SymbolReader

__all__ = ["BLOCK_STREAMS", "STREAM_OF_FAMILY", "block_bytes", "unpack_blocks"]

Bytes = npt.NDArray[np.uint8]

BLOCK_STREAMS = (StreamId.BLOCK_NODES, StreamId.BLOCK_MODES, StreamId.BLOCK_VECTORS, StreamId.BLOCK_LEVELS)
"""Where the families of contexts go: nodes and masks, intra modes, vectors, escapes and levels."""
STREAM_OF_FAMILY = (0, 0, 1, 2, 3, 3)


def symbol_limit(header: SequenceHeader) -> int:
    """More symbols than a picture can have: 24 for each 8×8 unit, two for each sample."""
    shape = shape_of(header.coded_format)
    rows, columns = shape.cells
    return 24 * rows * columns + 2 * shape.samples


def bit_limit(header: SequenceHeader) -> int:
    """More bits than a picture can have: 30 of a vector for each smallest block, 10 + 15 + 1 of a level a sample."""
    shape = shape_of(header.coded_format)
    rows, columns = shape.cells
    return 30 * rows * columns + 26 * shape.samples


def block_bytes(header: SequenceHeader) -> int:
    """What the blocks of a picture take at most once they are unpacked (spec 12): symbols, blocks, counts, levels."""
    shape = shape_of(header.coded_format)
    rows, columns = shape.cells
    return symbol_limit(header) + 64 * rows * columns + 4 * shape.samples


def unpack_part(cursor: Cursor, size: int) -> Bytes:
    """The inverse of `pack_part` for ``size`` symbols; no frame has a single byte."""
    length = cursor.varint()
    if length == 0:
        return np.frombuffer(cursor.take(size), np.uint8)
    if length == 1:
        return np.full(size, cursor.take(1)[0], np.uint8)
    frame = bytes(cursor.take(length >> 1))
    return np.frombuffer(decompress_digits(with_head(frame) if length & 1 else frame, size), np.uint8)


def unpack_blocks(
    header: SequenceHeader, quantisers: Sequence[tuple[int, int]], streams: dict[StreamId, bytes]
) -> list[CodedSymbols]:
    """The pictures of a packet group, each with its quantisers; the inverse of `pack_blocks`.

    Raises:
        BitstreamError: streams are damaged, or more than pictures can have.
    """
    count = len(quantisers)
    bits, most_bits = 8 * len(streams.get(StreamId.BLOCK_BITS, b"")), bit_limit(header) * count
    if bits > most_bits + 7:
        raise BitstreamError(f"a stream of {bits} bits, where {most_bits} are possible")
    symbols = unpack_symbols(streams, symbol_limit(header) * count)
    filters = unpack_filters(header, streams.get(StreamId.ALF), count)
    return [
        CodedSymbols(*qps, symbols, number == count, alf)
        for number, (qps, alf) in enumerate(zip(quantisers, filters, strict=True), 1)
    ]


def unpack_symbols(streams: dict[StreamId, bytes], limit: int) -> SymbolReader:
    """All symbols of a packet group, not more than ``limit``."""
    from codec.dct.syntax import SymbolReader

    substreams: list[npt.NDArray[np.int64]] = []
    symbols: list[Bytes] = []
    cursors = [Cursor(streams.get(stream, b"")) for stream in BLOCK_STREAMS]
    there = [stream in streams for stream in BLOCK_STREAMS]
    left = limit
    for first, end, stream in zip((0, *FAMILIES), FAMILIES, STREAM_OF_FAMILY, strict=False):
        of_family = (
            unpack_family(cursors[stream], end - first, left) if there[stream] else FamilyStreams.nothing(end - first)
        )
        substreams.append(len(symbols) + of_family.stream_of)
        symbols += of_family.symbols
        left -= sum(part.size for part in of_family.symbols)
    for cursor in cursors:
        cursor.end()
    sizes = np.array([part.size for part in symbols])
    bits = streams.get(StreamId.BLOCK_BITS, b"")
    return SymbolReader(np.concatenate(symbols), np.concatenate(substreams), sizes, bits)


class FamilyStreams:
    """The streams of a family: symbols of each, and which of them a context has."""

    def __init__(self, stream_of: npt.NDArray[np.int64], symbols: list[Bytes]) -> None:
        self.stream_of = stream_of
        self.symbols = symbols

    @classmethod
    def nothing(cls, count: int) -> FamilyStreams:
        """No symbols at all."""
        return cls(np.zeros(count, np.int64), [np.zeros(0, np.uint8)])


def unpack_family(cursor: Cursor, count: int, limit: int) -> FamilyStreams:
    """The inverse of `pack_family`, of not more than ``limit`` symbols."""
    number = cursor.take(1)[0]
    if number == 0:
        return FamilyStreams.nothing(count)
    stream_of = unpack_part(cursor, count).astype(np.int64) if number > 1 else np.zeros(count, np.int64)
    if int(stream_of.max()) >= number:
        raise BitstreamError(f"a context has stream {int(stream_of.max())} of {number}")
    symbols = []
    for _ in range(number):
        size = cursor.varint()
        if not 1 <= size <= limit:
            raise BitstreamError(f"a stream of {size} symbols, where 1…{limit} are possible")
        limit -= size
        symbols.append(unpack_part(cursor, size))
    return FamilyStreams(stream_of, symbols)


def unpack_filters(header: SequenceHeader, frame: bytes | None, count: int) -> list[AlfParameters | None]:
    """The filters of ``count`` pictures."""
    if frame is None:
        return [None] * count
    rows, columns = (-(-side // ALF_BLOCK) for side in (header.format.height, header.format.width))
    flag_bytes = -(-rows * columns // 8)
    size = declared_size(frame)
    if size > count * (1 + ALF_TAPS + flag_bytes):
        raise BitstreamError(f"filters of {size} bytes for {count} pictures")
    cursor = Cursor(decompress(frame, size))
    filters: list[AlfParameters | None] = []
    for _ in range(count):
        is_there = cursor.take(1)[0]
        if is_there > 1:
            raise BitstreamError(f"a filter's first byte is {is_there}")
        if not is_there:
            filters.append(None)
            continue
        taps = np.frombuffer(cursor.take(ALF_TAPS), np.int8)
        flags = np.unpackbits(np.frombuffer(cursor.take(flag_bytes), np.uint8))
        if flags[rows * columns :].any():
            raise BitstreamError("what fills up the last byte of a filter's squares is not 0")
        filters.append(AlfParameters(taps, flags[: rows * columns].reshape(rows, columns)))
    cursor.end()
    return filters
