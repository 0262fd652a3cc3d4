"""Vectors and cell modes of a run as streams (spec 6.3, 6.6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.bitstream.digits import join, split
from codec.bitstream.frames import byte_planes, compress, decompress, from_byte_planes, unzigzag, zigzag
from codec.bitstream.stream_ids import StreamId
from codec.coded import CellMode, MotionField, NodeGrid, SequenceHeader, mesh_differences
from codec.errors import BitstreamError
from codec.models import MotionModel
from codec.motion.field import Modes

__all__ = ["pack_fields", "pack_meshes", "unpack_fields", "unpack_meshes", "unpack_motion"]

Differences = npt.NDArray[np.int16]

FLAGS_A_BYTE = 4  # of two bits each
MODES_A_BYTE = 3  # of three each; five a byte cost 4 % more, one a byte 9 %


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
    """VECTOR_FLAGS, which components differ from their prediction, and VECTOR_VALUES, by how much (spec 6.3)."""
    symbols = zigzag(differences)
    differs = symbols > 0
    flags = (2 * differs[:, 0] + differs[:, 1]).astype(np.uint8)
    streams = {StreamId.VECTOR_FLAGS: pack_digits(flags, 4, FLAGS_A_BYTE)}
    values = symbols[differs] - 1
    if values.size:
        narrow = values.max() < 256
        streams[StreamId.VECTOR_VALUES] = compress(byte_planes(values.astype("<u1" if narrow else "<u2")))
    return streams


def unpack_vectors(count: int, streams: dict[StreamId, bytes]) -> Differences:
    """The inverse of `pack_vectors` for ``count`` vectors."""
    flags = unpack_digits(streams[StreamId.VECTOR_FLAGS], 4, FLAGS_A_BYTE, count)
    differs = np.stack([flags >> 1, flags & 1], axis=-1) == 1
    values = int(np.count_nonzero(differs))
    if (StreamId.VECTOR_VALUES in streams) != (values > 0):
        raise BitstreamError(f"VECTOR_VALUES is {'missing' if values else 'there'} for {values} values")
    symbols = np.zeros((count, 2), np.int32)
    if values:
        data = decompress(streams[StreamId.VECTOR_VALUES], values, 2 * values)
        symbols[differs] = from_byte_planes(data, np.dtype(f"<u{len(data) // values}")).astype(np.int32) + 1
    return unzigzag(symbols)


def pack_digits(digits: npt.NDArray[np.uint8], base: int, digits_a_byte: int) -> bytes:
    """A frame of digits below ``base``, several in each byte.

    zstd's Huffman codes spend a whole bit at least on each byte, which so becomes a fraction of one on each digit.
    """
    joined, _ = join(digits, base, digits_a_byte)
    return compress(joined.tobytes())


def unpack_digits(frame: bytes, base: int, digits_a_byte: int, count: int) -> npt.NDArray[np.uint8]:
    """The inverse of `pack_digits` for ``count`` digits."""
    joined, digits = decompress(frame, -(-count // digits_a_byte)), np.empty(count, np.uint8)
    split(np.frombuffer(joined, np.uint8), base, digits_a_byte, digits)
    return digits


class CodedMotion(NamedTuple):
    """What the streams of a run say about its P pictures, before any prediction of vectors.

    Attributes:
        nodes: differences of the grids' vectors, int16 (pictures, rows, columns, 2).
        modes: of cells, uint8 (pictures, cell rows, cell columns); of blocks (pictures, 0, 0).
        own: differences of each picture's own vectors, int16 (own cells, 2).
    """

    nodes: Differences
    modes: Modes
    own: list[Differences]


def unpack_motion(header: SequenceHeader, predicted: int, streams: dict[StreamId, bytes]) -> CodedMotion:
    """The motion of the ``predicted`` P pictures of a run; the inverse of `pack_fields` but for predictions."""
    if not predicted or header.motion is MotionModel.NONE:
        return CodedMotion(np.zeros((0, 0, 0, 2), np.int16), np.zeros((0, 0, 0), np.uint8), [])
    nodes = predicted * math.prod(header.grid_shape)
    modes = unpack_modes(header, predicted, streams)
    own_counts = np.count_nonzero(modes == CellMode.OWN, axis=(1, 2))
    differences = unpack_vectors(nodes + int(own_counts.sum()), streams)
    own = np.split(differences[nodes:], np.cumsum(own_counts)[:-1])
    return CodedMotion(differences[:nodes].reshape(predicted, *header.grid_shape, 2), modes, own)


def unpack_fields(header: SequenceHeader, predicted: int, streams: dict[StreamId, bytes]) -> list[MotionField]:
    """The motion fields of the ``predicted`` P pictures of a run, in order; the inverse of `pack_fields`."""
    if not predicted:
        return []
    motion = unpack_motion(header, predicted, streams)
    limit = header.vector_limit_quarter_pel
    try:
        fields = MotionField.all_from_differences(header.motion, header.cell_size, motion.nodes, limit)
        if header.motion is not MotionModel.MESH:
            return fields
        return [
            field.with_modes(modes, own, limit)
            for field, modes, own in zip(fields, motion.modes, motion.own, strict=True)
        ]
    except ValueError as error:
        raise BitstreamError(str(error)) from error


def unpack_modes(header: SequenceHeader, predicted: int, streams: dict[StreamId, bytes]) -> Modes:
    """Modes of the cells of a run's P pictures, uint8 (P pictures, rows, columns), which blocks have none of."""
    if header.motion is not MotionModel.MESH:
        return np.zeros((predicted, 0, 0), np.uint8)
    count = predicted * math.prod(header.cell_shape)
    modes = unpack_digits(streams[StreamId.MODES], len(CellMode), MODES_A_BYTE, count)
    return modes.reshape(predicted, *header.cell_shape)


def pack_meshes(meshes: Sequence[NodeGrid]) -> dict[StreamId, bytes]:
    """The streams of the meshes of a run of ``dct``, in order (spec 6.9)."""
    if not meshes:
        return {}
    return pack_vectors(mesh_differences(meshes).reshape(-1, 2).astype(np.int16))


def unpack_meshes(header: SequenceHeader, count: int, streams: dict[StreamId, bytes]) -> list[NodeGrid]:
    """The inverse of `pack_meshes` for ``count`` meshes.

    Raises:
        BitstreamError: a vector component is beyond what the header allows.
    """
    if not count:
        return []
    shape, limit = header.grid_shape, 4 * header.vector_limit_quarter_pel
    differences = unpack_vectors(count * math.prod(shape), streams).reshape(count, *shape, 2)
    nodes, meshes = np.zeros((*shape, 2), np.int64), []
    for of_mesh in differences:
        nodes += np.cumsum(np.cumsum(of_mesh, axis=0, dtype=np.int64), axis=1)
        if int(np.abs(nodes).max()) > limit:
            raise BitstreamError(f"a vector component of a mesh is beyond ±{limit} sixteenths of a sample")
        meshes.append(NodeGrid(header.cell_size, nodes.astype(np.int16)))
    return meshes
