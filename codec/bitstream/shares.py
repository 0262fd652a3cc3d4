"""What each picture takes of the packet that it shares with others: an estimate by ideal codes, for people to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from codec.bitstream.packing import StreamReader
from codec.bitstream.schema import StreamId
from codec.bitstream.streams import (
    BLOCK_STREAMS,
    PictureHeader,
    streams_of_alpha,
    unpack_blocks,
    unpack_contexts,
    unpack_depth,
    unpack_fields,
    unpack_levels,
    unpack_sizes,
)
from codec.coded import CodedSymbols, SequenceHeader, symbols_of_levels, z_of
from codec.dct.tables import CONTEXTS, FAMILIES
from codec.depths import for_depth
from codec.lossless.tables import WEIGHT_COUNTS, context_model
from codec.models import ResidualCoder

if TYPE_CHECKING:
    from codec.dct.syntax import SymbolReader

__all__ = ["COMPONENTS", "COMPONENT_OF", "block_bits", "picture_shares"]

COMPONENTS = ("motion", "modes", "weights", "residual", "alpha", "headers")
"""What bytes are counted under."""

COMPONENT_OF = {
    StreamId.NAMES: "headers",
    StreamId.VECTORS: "motion",
    StreamId.MODES: "modes",
    StreamId.WEIGHTS: "weights",
    StreamId.PREDICTOR_SETS: "weights",
    StreamId.CONTEXT_SUBSTREAMS: "residual",
    StreamId.RESIDUAL: "residual",
    StreamId.BLOCK_NODES: "modes",
    StreamId.BLOCK_MODES: "modes",
    StreamId.BLOCK_VECTORS: "motion",
    StreamId.BLOCK_LEVELS: "residual",
    StreamId.BITS: "residual",
    StreamId.ALF: "weights",
    StreamId.PREDICTION_WEIGHTS: "weights",
    StreamId.VALUE_MAPS: "residual",
    StreamId.ALPHA_WEIGHTS: "alpha",
    StreamId.ALPHA_SETS: "alpha",
    StreamId.ALPHA_SUBSTREAMS: "alpha",
    StreamId.ALPHA_BITS: "alpha",
    StreamId.ALPHA_MAP: "alpha",
}
"""The component that an inventory counts each stream under."""


def picture_shares(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> dict[str, npt.NDArray[np.float64]]:
    """How much of each component of a packet group belongs to each picture: float64 (pictures,), sum 1.

    An estimate: −log₂ of each symbol's frequency in the packet group, summed over the picture's symbols.
    """
    if header.residual is ResidualCoder.DCT:
        return shares_of(block_shares(header, pictures, streams))
    bits = {component: np.zeros(len(pictures)) for component in COMPONENTS}
    if StreamId.VECTORS in streams:
        has_field = np.array([picture.has_field for picture in pictures])
        fields = unpack_fields(header, pictures, streams)
        vectors = [np.concatenate([of.differences().reshape(-1, 2), of.own_differences()]) for of in fields]
        bits["motion"][has_field] = entropies([z_of(differences) for differences in vectors])
        bits["modes"][has_field] = entropies([of.modes for of in fields])
    if header.residual is ResidualCoder.LOSSLESS:
        bits["weights"] += [
            sum(picture.predictor_set_counts) * WEIGHT_COUNTS[picture.references] for picture in pictures
        ]
        bits["residual"] += substream_shares(header, len(pictures), streams)
    else:
        for symbols in symbols_of_levels(header, unpack_levels(header, pictures, streams)):
            bits["residual"] += entropies(list(symbols.view(np.uint8)))
    return shares_of(bits)


def block_shares(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> dict[str, npt.NDArray[np.float64]]:
    """Bits of each picture of ``dct`` by component."""
    blocks = unpack_blocks(header, [(p.qps[0], p.qps[1]) for p in pictures], streams)
    bits = {component: np.zeros(len(pictures)) for component in COMPONENTS}
    bits["weights"] += [sum(alf is not None for alf in picture.alf) for picture in blocks]
    bits |= picture_bits(header, pictures, blocks)
    bits["motion"] += [float(picture.has_field) for picture in pictures]  # a mesh is a few bytes
    has_alpha = np.array([bool(picture.predictor_set_counts) for picture in pictures])
    if header.alpha_header and has_alpha.any():
        bits["alpha"][has_alpha] = substream_shares(
            header.alpha_header, int(has_alpha.sum()), streams_of_alpha(streams)
        )
    return bits


def shares_of(bits: dict[str, npt.NDArray[np.float64]]) -> dict[str, npt.NDArray[np.float64]]:
    """Bits as shares of their sum."""
    return {component: (cost + 1e-9) / (cost + 1e-9).sum() for component, cost in bits.items()}


def entropies(parts: Sequence[npt.NDArray[np.integer]]) -> npt.NDArray[np.float64]:
    """Bits of each part in an ideal code for all of them together, which knows how often each symbol comes."""
    flat = [part.astype(np.int64).ravel() for part in parts]
    counts = np.bincount(np.concatenate(flat))
    cost = -np.log2(np.maximum(counts, 1) / max(counts.sum(), 1))
    return np.array([cost[part].sum() for part in flat])


def block_bits(symbols: SymbolReader) -> dict[StreamId, npt.NDArray[np.float64]]:
    """Bits of each coding block of a packet group by stream, float64 (blocks,), in an ideal code for the whole group.

    ``symbols`` are traced and read. Those that split a node belong to the first coding block below it.
    """
    values, contexts, blocks, bits = symbols.trace()
    counts = np.bincount(contexts.astype(np.int64) * 256 + values, minlength=CONTEXTS * 256).reshape(CONTEXTS, 256)
    totals = counts.sum(axis=1, keepdims=True)
    cost = np.log2(np.maximum(totals, 1)) - np.log2(np.maximum(counts, 1))
    family = np.searchsorted(FAMILIES, contexts, side="right")
    of_symbols = cost[contexts, values]
    of_streams = {
        stream: np.bincount(blocks, of_symbols * (family == number), len(bits)).astype(np.float64)
        for number, stream in enumerate(BLOCK_STREAMS)
    }
    return of_streams | {StreamId.BITS: bits.astype(np.float64)}


def picture_bits(
    header: SequenceHeader, headers: Sequence[PictureHeader], pictures: Sequence[CodedSymbols]
) -> dict[str, npt.NDArray[np.float64]]:
    """Bits of each picture of a packet group by component, float64 (pictures,), in an ideal code for the whole group.

    Reads all symbols.
    """
    from codec.dct import picture as kernel

    symbols, coded = pictures[0].symbols, header.coded_format
    symbols.start_trace()
    decoder = for_depth(kernel, coded.bit_depth).PictureDecoder
    reader = decoder(coded.plane_shapes, coded.sample_format.subsampling, 0, coded.bit_depth, only_reads=True)
    ends = []
    for of, picture in zip(headers, pictures, strict=True):
        assert of.place is not None
        reader.decode(symbols, of.place, picture.qp, picture.qp_chroma, None, None)
        ends.append(symbols.block_count())
    symbols.check_end()
    components = {name: np.zeros(len(pictures)) for name in ("modes", "motion", "residual")}
    for stream, bits in block_bits(symbols).items():
        components[COMPONENT_OF[stream]] += [part.sum() for part in np.split(bits, ends[:-1])]
    return components


def substream_shares(header: SequenceHeader, pictures: int, streams: dict[StreamId, bytes]) -> npt.NDArray[np.float64]:
    """Bytes of the context substreams of each picture of a packet group, and of raw bits, float64 (pictures,).

    An estimate: in a substream every symbol counts the same.
    """
    stream, shares = StreamReader(streams[StreamId.CONTEXT_SUBSTREAMS]), np.zeros(pictures)
    is_deep = unpack_depth(stream, header.format.bit_depth) > 8
    model, (count, _) = context_model(is_deep), unpack_contexts(stream, header, is_deep)
    for of_pictures in unpack_sizes(stream, pictures, header.format.sample_count, count).T:
        start, count = stream.position, int(of_pictures.sum())
        symbols = stream.symbols(count)
        shares += (stream.position - start) * of_pictures / max(count, 1)
        for picture, part in enumerate(np.split(model.raw_bits[symbols], np.cumsum(of_pictures)[:-1])):
            shares[picture] += part.sum() / 8
    return shares
