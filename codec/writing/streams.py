"""Coded pictures as compressed streams (spec 6); the inverse of `codec.bitstream.streams`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.bitstream.block_streams import BLOCK_STREAMS, STREAM_OF_FAMILY
from codec.bitstream.context_substreams import DIGITS_A_BYTE, NESTED, SCHEMES, Scheme
from codec.bitstream.digits import join
from codec.bitstream.frames import zigzag
from codec.bitstream.schema import StreamId
from codec.bitstream.streams import FLAGS_A_BYTE, MODES_A_BYTE, RESIDUALS, subtract_green
from codec.coded import (
    AlfParameters,
    CellMode,
    CodedPicture,
    ContextSubstreams,
    LosslessResidual,
    MotionField,
    NodeGrid,
    PlaneResidual,
    SequenceHeader,
    WrittenSymbols,
    mesh_differences,
)
from codec.dct.tables import FAMILIES
from codec.lossless.tables import CONTEXTS
from codec.models import MotionModel
from codec.writing.context_merge import merge_contexts
from codec.writing.frames import byte_planes, compress, compress_digits, compress_symbols, without_head

__all__ = ["encoded_name", "pack_streams"]

Bytes = npt.NDArray[np.uint8]
Differences = npt.NDArray[np.int16]
ZEROS = (0.08, 0.3, 0.45, 0.79)  # shares of zeros from which on the next scheme is shortest, within 1 % on six clips


def pack_streams(
    header: SequenceHeader, pictures: Sequence[CodedPicture], names: Sequence[str]
) -> dict[StreamId, bytes]:
    """The compressed streams of a packet group, in the order of the file."""
    streams: dict[StreamId, bytes] = {}
    if names:
        streams[StreamId.NAMES] = compress(b"\0".join(map(encoded_name, names)))
    streams |= pack_fields([picture.field for picture in pictures if picture.field is not None])
    residuals = [picture.residual for picture in pictures]
    blocks = [residual for residual in residuals if isinstance(residual, WrittenSymbols)]
    if blocks:
        return streams | pack_meshed(blocks)
    lossless = [residual for residual in residuals if isinstance(residual, LosslessResidual)]
    if lossless:
        return streams | pack_lossless(lossless)
    return streams | pack_levels(header, [planes for planes in residuals if isinstance(planes, tuple)])


def encoded_name(name: str) -> bytes:
    """A name as it is kept (spec 6.4): UTF-8, with bytes of a file system that are not UTF-8 as they were.

    Raises:
        ValueError: a zero byte, or half a surrogate pair.
    """
    if "\0" in name:
        raise ValueError("it has a zero byte")
    return name.encode("utf-8", "surrogateescape")


def pack_fields(fields: list[MotionField]) -> dict[StreamId, bytes]:
    """The streams of fields, in the order of the file."""
    if not fields:
        return {}
    nodes = [field.differences().reshape(-1, 2) for field in fields]
    streams = pack_vectors(np.concatenate(nodes + [field.own_differences() for field in fields]))
    if fields[0].model is MotionModel.MESH:
        modes = np.concatenate([field.modes.ravel() for field in fields])
        streams[StreamId.MODES] = pack_digits(modes, len(CellMode), MODES_A_BYTE)
    return streams


def pack_vectors(differences: Differences) -> dict[StreamId, bytes]:
    """VECTOR_FLAGS, which components differ from their prediction, and VECTOR_VALUES, by how much (spec 7.2)."""
    symbols = zigzag(differences)
    differs = symbols > 0
    flags = (2 * differs[:, 0] + differs[:, 1]).astype(np.uint8)
    streams = {StreamId.VECTOR_FLAGS: pack_digits(flags, 4, FLAGS_A_BYTE)}
    values = symbols[differs] - 1
    if values.size:
        narrow = values.max() < 256
        streams[StreamId.VECTOR_VALUES] = compress(byte_planes(values.astype("<u1" if narrow else "<u2")))
    return streams


def pack_digits(digits: npt.NDArray[np.uint8], base: int, digits_a_byte: int) -> bytes:
    """A frame of digits below ``base``, several in each byte.

    zstd's Huffman codes spend a whole bit at least on each byte, which so becomes a fraction of one on each digit.
    """
    joined, _ = join(digits, base, digits_a_byte)
    return compress(joined.tobytes())


def pack_levels(header: SequenceHeader, residuals: Sequence[tuple[PlaneResidual, ...]]) -> dict[StreamId, bytes]:
    """A stream for each plane with the levels of all pictures."""
    planes = [np.stack([residual.levels for residual in plane]) for plane in zip(*residuals, strict=True)]
    subtract_green(header, planes)
    return {stream: compress(byte_planes(levels.ravel())) for stream, levels in zip(RESIDUALS, planes, strict=False)}


def pack_lossless(residuals: Sequence[LosslessResidual]) -> dict[StreamId, bytes]:
    """The streams of the residuals of a packet group."""
    weights = np.concatenate([plane.ravel() for residual in residuals for plane in residual.weight_differences])
    classes = np.concatenate([plane.ravel() for residual in residuals for plane in residual.classes])
    streams = {
        StreamId.WEIGHTS: compress(byte_planes(zigzag(weights).astype("<u2"))),
        StreamId.PREDICTOR_SETS: compress(classes.tobytes()),
        StreamId.CONTEXT_SUBSTREAMS: pack_substreams([residual.queues for residual in residuals]),
    }
    return {stream: data for stream, data in streams.items() if stream is not StreamId.WEIGHTS or weights.size}


def pack_substreams(pictures: Sequence[ContextSubstreams]) -> bytes:
    """Context substreams: the sizes of each picture's; then by context, all pictures' symbols one after the other.

    They have a length in bytes, the number of a scheme, and the parts that the scheme makes.
    """
    parts = [varint(size) for queues in pictures for size in queues.sizes.tolist()]
    for context in range(CONTEXTS):
        # numpy.concatenate would give the interpreter's lock away for each, and wait for it as often
        symbols = np.frombuffer(bytearray().join(queues.of(context).data for queues in pictures), np.uint8)
        if symbols.size:
            zeros = symbols.size - np.count_nonzero(symbols)
            scheme = bisect_right(ZEROS, zeros / symbols.size)
            queue = b"".join([bytes([scheme]), *pack_symbols(symbols, SCHEMES[scheme])])
            parts += [varint(len(queue)), queue]
    return b"".join(parts)


def pack_symbols(symbols: Bytes, scheme: Scheme) -> list[bytes]:
    """Symbols as parts: one for the digits of each base, and one for what is left."""
    if not scheme:
        return [pack_substream_part(symbols.tobytes())]
    joined, escapes = join(symbols, abs(scheme[0]), DIGITS_A_BYTE[abs(scheme[0])])
    return pack_symbols(joined, (2,) if scheme[0] == NESTED else ()) + pack_symbols(escapes, scheme[1:])


def pack_substream_part(data: bytes) -> bytes:
    """The length of a frame and the frame, or 0 and the bytes themselves; nothing at all of no bytes."""
    if not data:
        return b""
    frame = compress_digits(data)
    return varint(len(frame)) + frame if len(frame) < len(data) else b"\0" + data


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that there are more."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def pack_meshed(pictures: Sequence[WrittenSymbols]) -> dict[StreamId, bytes]:
    """The streams of pictures of ``dct``, and of the meshes that some of them have."""
    streams = pack_meshes([blocks.mesh for blocks in pictures if blocks.mesh is not None])
    if streams:
        streams[StreamId.MESH_FLAGS] = np.packbits([blocks.mesh is not None for blocks in pictures]).tobytes()
    return streams | pack_blocks(pictures)


def pack_meshes(meshes: Sequence[NodeGrid]) -> dict[StreamId, bytes]:
    """The streams of the meshes of a packet group of ``dct``, in order (spec 10.7)."""
    if not meshes:
        return {}
    return pack_vectors(mesh_differences(meshes).reshape(-1, 2).astype(np.int16))


def pack_blocks(pictures: Sequence[WrittenSymbols]) -> dict[StreamId, bytes]:
    """The streams of pictures."""
    contexts = np.concatenate([picture.contexts for picture in pictures])
    symbols = np.concatenate([picture.symbols for picture in pictures])
    bits = np.concatenate([picture.bits for picture in pictures])
    streams = {}
    parts: list[list[bytes]] = [[] for _ in BLOCK_STREAMS]
    for first, end, stream in zip((0, *FAMILIES), FAMILIES, STREAM_OF_FAMILY, strict=False):
        inside = (contexts >= first) & (contexts < end)
        parts[stream] += pack_family(contexts[inside] - first, symbols[inside], end - first)
    for stream, packed in zip(BLOCK_STREAMS, parts, strict=True):
        if any(part != b"\0" for part in packed):
            streams[stream] = b"".join(packed)
    if bits.size:
        streams[StreamId.BLOCK_BITS] = np.packbits(bits).tobytes()
    filters = b"".join(pack_filter(picture.alf) for picture in pictures)
    if any(filters):
        streams[StreamId.ALF] = compress(filters)
    return streams


def pack_family(contexts: npt.NDArray[np.uint16], symbols: Bytes, count: int) -> list[bytes]:
    """A family of contexts: how many streams there are, which contexts go where, then each stream."""
    if not symbols.size:
        return [b"\0"]
    counts = np.bincount(contexts.astype(np.int64) * 256 + symbols, minlength=count * 256).reshape(count, 256)
    streams = merge_contexts(counts.astype(np.float64)).astype(np.uint8)
    of_symbols = streams[contexts]
    sizes = np.bincount(of_symbols)
    parts = [bytes([sizes.size])]
    if sizes.size > 1:
        parts.append(pack_part(streams))
    for inside in np.split(symbols[np.argsort(of_symbols, kind="stable")], np.cumsum(sizes)[:-1]):
        parts += [varint(inside.size), pack_part(inside)]
    return parts


def pack_part(symbols: Bytes) -> bytes:
    """1 and the one symbol that there is; 0 and the bytes themselves; or the length of a frame, doubled, and the frame.

    An odd length is that of what a frame has but for its head.
    """
    if symbols.size and (symbols == symbols[0]).all():
        return b"\1" + symbols[:1].tobytes()
    frame = compress_symbols(symbols.tobytes())
    if len(frame) >= symbols.size:
        return b"\0" + symbols.tobytes()
    body = without_head(frame)
    return varint(2 * len(frame)) + frame if body is None else varint(2 * len(body) + 1) + body


def pack_filter(alf: AlfParameters | None) -> bytes:
    """1, the taps, and a bit for each square; or 0."""
    if alf is None:
        return b"\0"
    return b"\1" + alf.taps.tobytes() + np.packbits(alf.flags).tobytes()
