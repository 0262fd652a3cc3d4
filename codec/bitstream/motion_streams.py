"""Vectors and cell modes of a run as streams (spec 6.3, 6.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.bitstream.frames import byte_planes, compress, decompress, from_byte_planes, unzigzag, zigzag
from codec.bitstream.stream_ids import StreamId
from codec.coded import CellMode, Modes, MotionField, SequenceHeader
from codec.errors import BitstreamError
from codec.models import MotionModel

__all__ = ["pack_fields", "unpack_fields", "unpack_modes"]


def pack_fields(fields: list[MotionField]) -> dict[StreamId, bytes]:
    """The streams of the P pictures' motion (spec 6.3, 6.6), in the order of the file."""
    streams: dict[StreamId, bytes] = {}
    if not fields:
        return streams
    for component, stream in enumerate((StreamId.MOTION_Y, StreamId.MOTION_X)):
        values = np.concatenate([field.differences()[:, :, component].ravel() for field in fields])
        streams[stream] = compress(byte_planes(zigzag(values)))
    if fields[0].model is MotionModel.MESH:
        streams[StreamId.MODES] = compress(np.concatenate([field.modes.ravel() for field in fields]).tobytes())
        own = np.concatenate([field.own_differences() for field in fields])
        for component, stream in enumerate((StreamId.OWN_Y, StreamId.OWN_X)):
            if own.size:
                streams[stream] = compress(byte_planes(zigzag(own[:, component])))
    return streams


def unpack_fields(
    header: SequenceHeader, lengths: dict[StreamId, int], streams: dict[StreamId, bytes]
) -> list[MotionField]:
    """The motion fields of the P pictures of a run, in order; the inverse of `pack_fields`."""
    if StreamId.MOTION_Y not in lengths:
        return []
    limit = header.vector_limit_quarter_pel
    differences = unpack_vectors(streams, (StreamId.MOTION_Y, StreamId.MOTION_X), lengths[StreamId.MOTION_Y])
    try:
        fields = [
            MotionField.from_differences(header.motion, header.cell_size, field, limit)
            for field in differences.reshape(-1, *header.grid_shape, 2)
        ]
        if header.motion is not MotionModel.MESH:
            return fields
        modes = unpack_modes(header, lengths, streams)
        counts = np.count_nonzero(modes == CellMode.OWN, axis=(1, 2))
        own = unpack_vectors(streams, (StreamId.OWN_Y, StreamId.OWN_X), 2 * int(counts.sum()))
        parts = np.split(own, np.cumsum(counts)[:-1])
        return [
            field.with_modes(cell_modes, part, limit)
            for field, cell_modes, part in zip(fields, modes, parts, strict=True)
        ]
    except ValueError as error:
        raise BitstreamError(str(error)) from error


def unpack_vectors(
    streams: dict[StreamId, bytes], ids: tuple[StreamId, StreamId], length: int
) -> npt.NDArray[np.int16]:
    """Differences of vectors from the streams of their two components, int16 (vectors, 2) (spec 6.3)."""
    if [stream in streams for stream in ids] != [length > 0] * 2:
        raise BitstreamError(f"{ids[0].name} and {ids[1].name} are there where no vector needs them, or missing")
    if not length:
        return np.zeros((0, 2), np.int16)
    symbols = [from_byte_planes(decompress(streams[stream], length, length), np.dtype("<u2")) for stream in ids]
    return np.stack([unzigzag(component) for component in symbols], axis=-1)


def unpack_modes(header: SequenceHeader, lengths: dict[StreamId, int], streams: dict[StreamId, bytes]) -> Modes:
    """Modes of the cells of a run's P pictures, uint8 (P pictures, rows, columns) (spec 6.6)."""
    length = lengths[StreamId.MODES]
    modes = np.frombuffer(decompress(streams[StreamId.MODES], length, length), np.uint8)
    if int(modes.max()) > max(CellMode):
        raise BitstreamError(f"a cell mode is {int(modes.max())}; it lies in 0…{max(CellMode):d}")
    return modes.reshape(-1, *header.cell_shape)
