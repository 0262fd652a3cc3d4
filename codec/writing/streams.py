"""Coded pictures as streams (spec 6); the inverse of `codec.bitstream.streams`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.bitstream.limits import DEFAULT_LIMITS
from codec.bitstream.schema import StreamId
from codec.bitstream.streams import ALPHA_STREAMS, BLOCK_STREAMS, group_bytes
from codec.coded import (
    NEW_FILTER,
    NO_FILTER,
    SAME_FILTER,
    AlfParameters,
    LosslessResidual,
    MotionField,
    NodeGrid,
    PacketGroup,
    PlaneResidual,
    PredictionWeights,
    SequenceHeader,
    WrittenContexts,
    WrittenSymbols,
    mesh_differences,
    symbols_of_levels,
    z_of,
)
from codec.dct.references import NEUTRAL_OFFSET, UNWEIGHTED
from codec.dct.tables import FAMILIES
from codec.lossless.tables import MAX_SUBSTREAMS, context_model
from codec.models import MotionModel
from codec.picture.value_maps import ValueMap, ValueMaps
from codec.writing.context_merge import count_contexts, merge_contexts, put_apart
from codec.writing.packing import pack, pack_numbers, pack_quickly, varint

__all__ = ["encoded_name", "group_length", "pack_map", "pack_streams"]

Bytes = npt.NDArray[np.uint8]
ContextsAndSymbols = tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]  # of a picture, in coding order


def pack_streams(header: SequenceHeader, group: PacketGroup) -> dict[StreamId, bytes]:
    """The streams of a packet group, in the order of the file: that of their ids."""
    streams: dict[StreamId, bytes] = {}
    pictures = group.pictures
    if group.names:
        joined = b"\0".join(map(encoded_name, group.names))
        streams[StreamId.NAMES] = varint(len(joined)) + pack(np.frombuffer(joined, np.uint8))
    streams |= pack_fields([picture.field for picture in pictures if picture.field is not None])
    residuals = [picture.residual for picture in pictures]
    blocks = [residual for residual in residuals if isinstance(residual, WrittenSymbols)]
    lossless = [residual for residual in residuals if isinstance(residual, LosslessResidual)]
    if blocks:
        streams |= pack_meshes([of.mesh for of in blocks if of.mesh is not None]) | pack_blocks(blocks)
        streams |= pack_alpha(header, group)
    elif lossless:
        streams |= pack_lossless(header, lossless) | pack_maps(group.maps)
    else:
        streams |= pack_levels(header, [planes for planes in residuals if isinstance(planes, tuple)])
    return dict(sorted(streams.items()))


def encoded_name(name: str) -> bytes:
    """A name as it is kept (spec 6.3): UTF-8, with bytes of a file system that are not UTF-8 as they were.

    Raises:
        ValueError: a zero byte, or half a surrogate pair.
    """
    if "\0" in name:
        raise ValueError("it has a zero byte")
    return name.encode("utf-8", "surrogateescape")


def group_length(header: SequenceHeader, wanted: int) -> int:
    """How many pictures share a packet, where ``wanted`` may be more than a reader takes."""
    return min(wanted, max(DEFAULT_LIMITS.max_group_bytes // group_bytes(header, 1, 1), 1))


def pack_fields(fields: list[MotionField]) -> dict[StreamId, bytes]:
    """The streams of motion fields (spec 7.2, 7.3)."""
    if not fields:
        return {}
    nodes = [field.differences().reshape(-1, 2) for field in fields]
    streams = {StreamId.VECTORS: pack_vectors(np.concatenate(nodes + [field.own_differences() for field in fields]))}
    if fields[0].model is MotionModel.MESH:
        streams[StreamId.MODES] = pack(np.concatenate([field.modes.ravel() for field in fields]))
    return streams


def pack_vectors(differences: npt.NDArray[np.int16]) -> bytes:
    """Differences of vectors; where most components are 0, digits below 2 say so with a bit or less (spec 7.2)."""
    return pack_numbers(z_of(differences.ravel()))


def pack_meshes(meshes: Sequence[NodeGrid]) -> dict[StreamId, bytes]:
    """The stream of the meshes of a packet group of ``dct`` (spec 10.7)."""
    return {StreamId.VECTORS: pack_vectors(mesh_differences(meshes).astype(np.int16))} if meshes else {}


def pack_levels(header: SequenceHeader, residuals: Sequence[tuple[PlaneResidual, ...]]) -> dict[StreamId, bytes]:
    """The stream of the levels of all pictures, plane by plane (spec 8.1)."""
    planes = [symbols.ravel() for symbols in symbols_of_levels(header, residuals)]
    packed = [pack_quickly(of) if of.itemsize == 1 else pack_numbers(of, pack_quickly) for of in planes]
    return {StreamId.RESIDUAL: b"".join(packed)}


def pack_maps(maps: ValueMaps) -> dict[StreamId, bytes]:
    """The stream of a GOP's value maps (spec 9.7)."""
    return {StreamId.VALUE_MAPS: b"".join(map(pack_map, maps))} if maps else {}


def pack_map(values: ValueMap) -> bytes:
    """How many values there are, and how many are left out before each."""
    left_out = np.diff(values.astype(np.int32), prepend=-1) - 1
    return varint(values.size) + pack_numbers(left_out.astype(np.uint16))


def pack_lossless(header: SequenceHeader, residuals: Sequence[LosslessResidual]) -> dict[StreamId, bytes]:
    """The streams of the residuals of a packet group (spec 9.3, 9.6)."""
    weights = np.concatenate([plane.ravel() for residual in residuals for plane in residual.weight_differences])
    sets = np.concatenate([plane.ravel() for residual in residuals for plane in residual.predictor_sets])
    substreams = [of.substreams for of in residuals if isinstance(of.substreams, WrittenContexts)]
    bit_depth = residuals[0].bit_depth
    streams = {
        StreamId.WEIGHTS: pack_numbers(z_of(weights)),
        StreamId.PREDICTOR_SETS: pack(sets),
        StreamId.CONTEXT_SUBSTREAMS: pack_substreams(substreams, len(residuals[0].predictor_sets), bit_depth > 8),
    }
    if header.format.bit_depth > 8:
        streams[StreamId.CONTEXT_SUBSTREAMS] = bytes([bit_depth]) + streams[StreamId.CONTEXT_SUBSTREAMS]
        streams[StreamId.BITS] = b"".join(of_picture.bits.tobytes() for of_picture in substreams)
    return streams


def pack_alpha(header: SequenceHeader, group: PacketGroup) -> dict[StreamId, bytes]:
    """The streams of alpha beside ``dct`` (spec 10.15)."""
    coded = [picture.alpha for picture in group.pictures if picture.alpha is not None]
    own = (pack_lossless(header, coded) if coded else {}) | pack_maps(group.maps)
    return {its: own[stream] for stream, its in ALPHA_STREAMS.items() if stream in own}


def pack_substreams(pictures: Sequence[WrittenContexts], planes: int, is_deep: bool) -> bytes:
    """Context substreams: which one each context has; sizes of each picture's; then all pictures' symbols, in turn."""
    both = [(of.contexts, of.symbols) for of in pictures]
    counts = counts_of(both, planes * context_model(is_deep).contexts)
    # digits may take much less than a bit a symbol, where most are 0
    substream_of = merge_contexts(counts, 0.0, MAX_SUBSTREAMS)
    sizes, substreams = apart(both, counts, substream_of)
    parts = [pack_substream_map(substream_of, len(substreams)), *map(varint, sizes.ravel().tolist())]
    return b"".join(parts + [pack_quickly(of) for of in substreams])


def counts_of(pictures: Sequence[ContextsAndSymbols], contexts: int) -> npt.NDArray[np.float64]:
    """How often each symbol comes in each context, float64 (contexts, 256)."""
    counts = np.zeros((contexts, 256), np.int64)
    for of_picture in pictures:
        count_contexts(*of_picture, counts)
    return counts.astype(np.float64)


def apart(
    pictures: Sequence[ContextsAndSymbols], counts: npt.NDArray[np.float64], substream_of: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], list[Bytes]]:
    """How many symbols each picture has in each substream, int64 (pictures, substreams), and those of all pictures."""
    ends = np.cumsum(np.bincount(substream_of, counts.sum(axis=1)).astype(np.int64))
    places = np.concatenate([[0], ends[:-1]])
    symbols, reached = np.empty(int(ends[-1]), np.uint8), [places.copy()]
    for of_picture in pictures:
        put_apart(*of_picture, substream_of, places, symbols)
        reached.append(places.copy())
    return np.diff(reached, axis=0), np.split(symbols, ends[:-1])


def pack_substream_map(substream_of: npt.NDArray[np.int64], count: int) -> bytes:
    """How many substreams there are, and which one each context has."""
    return bytes([count]) + (pack(substream_of.astype(np.uint8)) if count > 1 else b"")


def pack_blocks(pictures: Sequence[WrittenSymbols]) -> dict[StreamId, bytes]:
    """The streams of pictures of ``dct`` (spec 10.5, 10.13)."""
    contexts = np.concatenate([picture.contexts for picture in pictures])
    symbols = np.concatenate([picture.symbols for picture in pictures])
    streams = {}
    for first, end, stream in zip((0, *FAMILIES), FAMILIES, BLOCK_STREAMS, strict=False):
        inside = (contexts >= first) & (contexts < end)
        streams[stream] = pack_family(contexts[inside] - first, symbols[inside], end - first)
    streams[StreamId.BITS] = np.packbits(np.concatenate([picture.bits for picture in pictures])).tobytes()
    if any(alf is not None for picture in pictures for alf in picture.alf):
        streams[StreamId.ALF] = pack_filters([picture.alf for picture in pictures])
    if any(picture.weights is not None for picture in pictures):
        streams[StreamId.PREDICTION_WEIGHTS] = pack_prediction_weights([picture.weights for picture in pictures])
    return streams


def pack_prediction_weights(weights: Sequence[PredictionWeights | None]) -> bytes:
    """Which pictures weigh their references; then by how much, each (spec 10.17)."""
    parts = [pack(np.array([of is not None for of in weights], np.uint8))]
    for of_picture in weights:
        if of_picture is not None:
            differences = of_picture.copy()
            differences[:, 1:, 1] -= NEUTRAL_OFFSET * (UNWEIGHTED - of_picture[:, 1:, 0])
            differences[:, 1:, 0] -= of_picture[:, :1, 0]
            differences[:, 0, 0] -= UNWEIGHTED
            parts.append(pack_numbers(z_of(differences.astype(np.int16).ravel())))
    return b"".join(parts)


def pack_family(contexts: npt.NDArray[np.uint16], symbols: Bytes, count: int) -> bytes:
    """A family of contexts: how many substreams there are, which of them each context has, then each substream."""
    if not symbols.size:
        return b"\0"
    counts = counts_of([(contexts, symbols)], count)
    substream_of = merge_contexts(counts)
    _, substreams = apart([(contexts, symbols)], counts, substream_of)
    parts = [pack_substream_map(substream_of, len(substreams))]
    for of in substreams:
        parts += [varint(of.size), pack(of)]
    return b"".join(parts)


def pack_filters(filters: Sequence[Sequence[AlfParameters | None]]) -> bytes:
    """What filter each plane of each picture has; then the taps of those that are new; then a flag for each block."""
    kinds, taps, flags = [], [], []
    newest: dict[int, npt.NDArray[np.int8]] = {}
    for of_picture in filters:
        for plane, alf in enumerate(of_picture):
            if alf is None:
                kinds.append(NO_FILTER)
                continue
            is_same = plane in newest and np.array_equal(alf.taps, newest[plane])
            kinds.append(SAME_FILTER if is_same else NEW_FILTER)
            if not is_same:
                taps.append(alf.taps.view(np.uint8))
                newest[plane] = alf.taps
            flags.append(alf.flags.ravel())
    return pack(np.array(kinds, np.uint8)) + pack(np.concatenate(taps)) + pack(np.concatenate(flags))
