"""The streams of a packet group of ``dct`` become symbols and filters (spec 10.5, 10.13)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from codec.bitstream.packing import StreamReader
from codec.bitstream.schema import StreamId
from codec.coded import ALF_BLOCK, ALF_TAPS, AlfParameters, CodedSymbols, SequenceHeader, shape_of
from codec.dct.tables import FAMILIES
from codec.errors import BitstreamError

if TYPE_CHECKING:
    from codec.dct.syntax import SymbolReader

__all__ = ["BLOCK_STREAMS", "block_bytes", "unpack_blocks"]

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

BLOCK_STREAMS = (StreamId.BLOCK_NODES, StreamId.BLOCK_MODES, StreamId.BLOCK_VECTORS, StreamId.BLOCK_LEVELS)
"""The stream of each family of contexts: nodes and CBF, intra modes, vectors, escapes and levels."""


def symbol_limit(header: SequenceHeader) -> int:
    """More symbols than a picture can have: 24 for each 8×8 unit, two for each sample."""
    shape = shape_of(header.coded_format)
    return 24 * math.prod(shape.cells) + 2 * shape.samples


def block_bytes(header: SequenceHeader) -> int:
    """What the blocks of a picture take at most once they are unpacked (spec 12): symbols, blocks, counts, levels."""
    shape = shape_of(header.coded_format)
    return symbol_limit(header) + 64 * math.prod(shape.cells) + 4 * shape.samples


def unpack_blocks(
    header: SequenceHeader, quantisers: Sequence[tuple[int, int]], streams: dict[StreamId, bytes]
) -> list[CodedSymbols]:
    """The pictures of a packet group, each with its quantisers; the inverse of `pack_blocks`.

    Raises:
        BitstreamError: streams are damaged, or more than pictures can have.
    """
    count = len(quantisers)
    symbols = unpack_symbols(streams, symbol_limit(header) * count)
    filters = unpack_filters(header, streams.get(StreamId.ALF), count)
    return [
        CodedSymbols(*qps, symbols, number == count, alf)
        for number, (qps, alf) in enumerate(zip(quantisers, filters, strict=True), 1)
    ]


def unpack_symbols(streams: dict[StreamId, bytes], limit: int) -> SymbolReader:
    """All symbols of a packet group, not more than ``limit``."""
    from codec.dct.syntax import SymbolReader

    substreams: list[Numbers] = []
    symbols: list[Bytes] = []
    for first, end, family in zip((0, *FAMILIES), FAMILIES, BLOCK_STREAMS, strict=False):
        with StreamReader(streams[family]) as stream:
            substream_of, of_family = unpack_family(stream, end - first, limit)
        substreams.append(len(symbols) + substream_of)
        symbols += of_family
        limit -= sum(substream.size for substream in of_family)
    sizes = np.array([substream.size for substream in symbols])
    return SymbolReader(np.concatenate(symbols), np.concatenate(substreams), sizes, streams[StreamId.BLOCK_BITS])


def unpack_family(stream: StreamReader, contexts: int, limit: int) -> tuple[Numbers, list[Bytes]]:
    """Which context substream each context has, and the symbols of each, not more than ``limit`` of all."""
    count = stream.take(1)[0]
    substream_of = stream.symbols(contexts) if count > 1 else np.zeros(contexts, np.uint8)
    if count and int(substream_of.max()) >= count:
        raise BitstreamError(f"a context has substream {int(substream_of.max())} of {count}")
    symbols = []
    for _ in range(count):
        size = stream.varint()
        if not 1 <= size <= limit:
            raise BitstreamError(f"a substream of {size} symbols, where 1…{limit} are possible")
        limit -= size
        symbols.append(stream.symbols(size))
    return substream_of.astype(np.int64), symbols or [np.zeros(0, np.uint8)]


def unpack_filters(header: SequenceHeader, data: bytes | None, count: int) -> list[AlfParameters | None]:
    """The filters of ``count`` pictures."""
    if data is None:
        return [None] * count
    rows, columns = (-(-side // ALF_BLOCK) for side in (header.format.height, header.format.width))
    with StreamReader(data) as stream:
        filtered = stream.symbols(count)
        filters = int(np.count_nonzero(filtered))
        taps = stream.symbols(filters * ALF_TAPS).view(np.int8).reshape(filters, ALF_TAPS)
        flags = stream.symbols(filters * rows * columns).reshape(filters, rows, columns)
    if (filtered > 1).any() or (flags > 1).any():
        raise BitstreamError("a flag of a filter is neither 0 nor 1")
    parameters = map(AlfParameters, taps, flags)
    return [next(parameters) if is_filtered else None for is_filtered in filtered.tolist()]
