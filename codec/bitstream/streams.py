"""A packet group of coded pictures as named streams, and back (spec 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.bitstream.block_streams import BLOCK_STREAMS, block_bytes, unpack_blocks
from codec.bitstream.context_substreams import unpack_substreams
from codec.bitstream.digits import split
from codec.bitstream.frames import declared_size, decompress, from_byte_planes, unzigzag
from codec.bitstream.limits import Limits
from codec.bitstream.schema import StreamId
from codec.coded import (
    LEVEL_DTYPES,
    CellMode,
    CodedPicture,
    CodedSymbols,
    Levels,
    LosslessResidual,
    MotionField,
    NodeGrid,
    PlaneResidual,
    Quantiser,
    SequenceHeader,
)
from codec.errors import BitstreamError, LimitError
from codec.lossless.tables import WEIGHT_COUNTS, set_map_shape
from codec.models import MotionModel, ResidualCoder
from codec.motion.field import Modes
from codec.picture.planes import SampleFormat

__all__ = [
    "FLAGS_A_BYTE",
    "MODES_A_BYTE",
    "RESIDUALS",
    "PictureHeader",
    "check_streams",
    "field_count",
    "group_bytes",
    "have_fields",
    "subtract_green",
    "unpack_levels",
    "unpack_motion",
    "unpack_names",
    "unpack_streams",
]

Differences = npt.NDArray[np.int16]

FLAGS_A_BYTE = 4  # of two bits each
MODES_A_BYTE = 3  # of three each; five a byte cost 4 % more, one a byte 9 %

RESIDUALS = (StreamId.RESIDUAL_0, StreamId.RESIDUAL_1, StreamId.RESIDUAL_2)


class PictureHeader(NamedTuple):
    """What the header of a picture says about its streams.

    Attributes:
        references: pictures that it is predicted from, 0…2.
        quantisers: of each plane.
        predictor_set_counts: sets of weights of each plane; empty but for the lossless coder.
        qps: quantisers of luma and of chroma; empty but for ``dct``.
        has_field: whether a motion field or a mesh predicts the picture.
    """

    references: int
    quantisers: tuple[Quantiser, ...]
    predictor_set_counts: tuple[int, ...]
    qps: tuple[int, ...] = ()
    has_field: bool = False


def unpack_streams(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes], limits: Limits
) -> tuple[tuple[CodedPicture, ...], tuple[str, ...]]:
    """The coded pictures of a packet group, and their names; the inverse of `pack_streams`.

    Raises:
        BitstreamError: streams other than the headers imply, or symbols without a meaning.
        LimitError: the packet group is larger than ``limits`` allow.
    """
    check_streams(header, pictures, streams, limits)
    names = unpack_names(streams.get(StreamId.NAMES), len(pictures), limits)
    references = [picture.references for picture in pictures]
    if header.residual is ResidualCoder.DCT:
        blocks = unpack_meshed(header, pictures, streams)
        return tuple(CodedPicture(n, None, part) for n, part in zip(references, blocks, strict=True)), names
    fields = iter(unpack_fields(header, field_count(pictures), streams))
    residuals: list[LosslessResidual] | list[tuple[PlaneResidual, ...]]
    if header.residual is ResidualCoder.LOSSLESS:
        residuals = unpack_lossless(header, references, [p.predictor_set_counts for p in pictures], streams)
    else:
        residuals = unpack_levels(header, [picture.quantisers for picture in pictures], streams)
    coded = tuple(
        CodedPicture(picture.references, next(fields) if picture.has_field else None, residuals[number])
        for number, picture in enumerate(pictures)
    )
    return coded, names


def unpack_meshed(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> list[CodedSymbols]:
    """The inverse of `pack_meshed`."""
    meshes = iter(unpack_meshes(header, field_count(pictures), streams))
    blocks = unpack_blocks(header, [(p.qps[0], p.qps[1]) for p in pictures], streams)
    return [
        replace(of_picture, mesh=next(meshes)) if picture.has_field else of_picture
        for picture, of_picture in zip(pictures, blocks, strict=True)
    ]


def have_fields(header: SequenceHeader, references: Sequence[int], streams: dict[StreamId, bytes]) -> list[bool]:
    """Which pictures of a packet group have a motion field: of ``dct`` those that MESH_FLAGS names (spec 10.7).

    Raises:
        BitstreamError: MESH_FLAGS is there without a mesh, has another size, or names an I picture.
    """
    predicted = [number > 0 for number in references]
    if header.residual is not ResidualCoder.DCT:
        return [is_predicted and header.motion is not MotionModel.NONE for is_predicted in predicted]
    if StreamId.MESH_FLAGS not in streams:
        return [False] * len(references)
    bits = np.unpackbits(np.frombuffer(streams[StreamId.MESH_FLAGS], np.uint8))
    named, rest = bits[: len(references)].astype(bool), bits[len(references) :]
    if header.motion is not MotionModel.MESH or len(rest) > 7 or named.size < len(references) or rest.any():
        raise BitstreamError(f"MESH_FLAGS of {len(bits) // 8} bytes for {len(references)} pictures")
    if not named.any() or (named & ~np.array(predicted)).any():
        raise BitstreamError("MESH_FLAGS names no picture, or an I picture")
    return [bool(is_meshed) for is_meshed in named]


def field_count(pictures: Sequence[PictureHeader]) -> int:
    """How many of the pictures have a motion field."""
    return sum(picture.has_field for picture in pictures)


def unpack_names(frame: bytes | None, count: int, limits: Limits) -> tuple[str, ...]:
    """Names of a packet group's pictures, or none at all (spec 6.4)."""
    if frame is None:
        return ()
    size = declared_size(frame)
    if size > limits.max_names_bytes:
        raise LimitError(f"a frame of names declares {size} bytes; the limit is {limits.max_names_bytes}")
    names = tuple(decompress(frame, size).decode("utf-8", "surrogateescape").split("\0"))
    if len(names) != count:
        raise BitstreamError(f"{len(names)} names for {count} pictures")
    return names


def check_streams(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: Iterable[StreamId], limits: Limits
) -> None:
    """Hold the streams that are there against those that the headers imply, and their sizes against the limits.

    Raises:
        BitstreamError: streams other than the headers imply.
        LimitError: the packet group is larger than ``limits`` allow.
    """
    optional = {StreamId.NAMES}
    implied = []
    fields = field_count(pictures)
    if header.residual is ResidualCoder.DCT:
        optional |= {StreamId.MESH_FLAGS, *BLOCK_STREAMS, StreamId.BLOCK_BITS, StreamId.ALF}
    if fields:
        implied.append(StreamId.VECTOR_FLAGS)
        optional.add(StreamId.VECTOR_VALUES)
        if header.motion is MotionModel.MESH and header.residual is not ResidualCoder.DCT:
            implied.append(StreamId.MODES)
    if header.residual is ResidualCoder.LOSSLESS:
        implied += [StreamId.PREDICTOR_SETS, StreamId.CONTEXT_SUBSTREAMS]
        optional.add(StreamId.WEIGHTS)
    elif header.residual is not ResidualCoder.DCT:
        implied += RESIDUALS[: len(header.format.plane_shapes)]
    found = sorted(stream for stream in streams if stream not in optional)
    if found != implied:
        names = ", ".join(stream.name for stream in found) or "none"
        raise BitstreamError(f"streams {names} where the headers imply {', '.join(stream.name for stream in implied)}")
    size = group_bytes(header, len(pictures), fields)
    if size > limits.max_group_bytes:
        raise LimitError(f"a packet group of {size} bytes; the limit is {limits.max_group_bytes}")


def group_bytes(header: SequenceHeader, pictures: int, fields: int) -> int:
    """What levels or queues, vectors and modes of a packet group take at most once they are decompressed (spec 12)."""
    motion = 4 * math.prod(header.grid_shape)
    if header.motion is MotionModel.MESH:
        motion += 5 * math.prod(header.cell_shape)
    if header.residual is ResidualCoder.DCT:
        return fields * motion + pictures * block_bytes(header)
    sample_bytes = 2 if header.residual is ResidualCoder.LOSSLESS else LEVEL_DTYPES[header.residual].itemsize
    return fields * motion + pictures * sample_bytes * header.format.sample_count


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


def unpack_digits(frame: bytes, base: int, digits_a_byte: int, count: int) -> npt.NDArray[np.uint8]:
    """The inverse of `pack_digits` for ``count`` digits."""
    joined, digits = decompress(frame, -(-count // digits_a_byte)), np.empty(count, np.uint8)
    split(np.frombuffer(joined, np.uint8), base, digits_a_byte, digits)
    return digits


class CodedMotion(NamedTuple):
    """What the streams of a packet group say about its P pictures, before any prediction of vectors.

    Attributes:
        nodes: differences of the grids' vectors, int16 (pictures, rows, columns, 2).
        modes: of cells, uint8 (pictures, cell rows, cell columns); of blocks (pictures, 0, 0).
        own: differences of each picture's own vectors, int16 (own cells, 2).
    """

    nodes: Differences
    modes: Modes
    own: list[Differences]


def unpack_motion(header: SequenceHeader, predicted: int, streams: dict[StreamId, bytes]) -> CodedMotion:
    """The motion of a packet group's ``predicted`` P pictures; the inverse of `pack_fields` but for predictions."""
    if not predicted or header.motion is MotionModel.NONE:
        return CodedMotion(np.zeros((0, 0, 0, 2), np.int16), np.zeros((0, 0, 0), np.uint8), [])
    nodes = predicted * math.prod(header.grid_shape)
    modes = unpack_modes(header, predicted, streams)
    own_counts = np.count_nonzero(modes == CellMode.OWN, axis=(1, 2))
    differences = unpack_vectors(nodes + int(own_counts.sum()), streams)
    own = np.split(differences[nodes:], np.cumsum(own_counts)[:-1])
    return CodedMotion(differences[:nodes].reshape(predicted, *header.grid_shape, 2), modes, own)


def unpack_fields(header: SequenceHeader, predicted: int, streams: dict[StreamId, bytes]) -> list[MotionField]:
    """The motion fields of the ``predicted`` P pictures of a packet group, in order; the inverse of `pack_fields`."""
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
    """Modes of the cells of P pictures, uint8 (P pictures, rows, columns); blocks have none."""
    if header.motion is not MotionModel.MESH:
        return np.zeros((predicted, 0, 0), np.uint8)
    count = predicted * math.prod(header.cell_shape)
    modes = unpack_digits(streams[StreamId.MODES], len(CellMode), MODES_A_BYTE, count)
    return modes.reshape(predicted, *header.cell_shape)


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


def unpack_levels(
    header: SequenceHeader, quantisers: Sequence[tuple[Quantiser, ...]], streams: dict[StreamId, bytes]
) -> list[tuple[PlaneResidual, ...]]:
    """The residuals of the pictures of a packet group; the inverse of `pack_levels`.

    Raises:
        BitstreamError: a stream is not what the headers imply, or a level has no meaning.
    """
    dtype = LEVEL_DTYPES[header.residual]
    planes: list[Levels] = []
    for stream, shape in zip(RESIDUALS, header.format.plane_shapes, strict=False):
        symbols = decompress(streams[stream], len(quantisers) * dtype.itemsize * math.prod(shape))
        planes.append(from_byte_planes(symbols, dtype).reshape(len(quantisers), *shape))
    if header.residual is ResidualCoder.FLOAT16 and not all(bool(np.all(np.abs(levels) <= 1)) for levels in planes):
        raise BitstreamError("a float16 level is beyond ±1")  # NaN too, which is not ≤ 1
    add_green(header, planes)
    return [
        tuple(
            PlaneResidual(header.residual, quantiser, levels[number])
            for quantiser, levels in zip(of_picture, planes, strict=True)
        )
        for number, of_picture in enumerate(quantisers)
    ]


def subtract_green(header: SequenceHeader, planes: list[Levels]) -> None:
    """Replace levels of red and blue by their differences from green modulo 256, in place (spec 8.1).

    Saves 4…21 % of int8 bytes at step 8 on RGB clips that come from a camera; float16 is left alone.
    """
    if _greens_apart(header):
        for plane in (planes[0], planes[2]):
            plane.view(np.uint8)[...] -= planes[1].view(np.uint8)


def add_green(header: SequenceHeader, planes: list[Levels]) -> None:
    """The inverse of `subtract_green`."""
    if _greens_apart(header):
        for plane in (planes[0], planes[2]):
            plane.view(np.uint8)[...] += planes[1].view(np.uint8)


def _greens_apart(header: SequenceHeader) -> bool:
    """Whether levels of red and blue are coded as differences from those of green (spec 8.1)."""
    return header.format.sample_format is SampleFormat.RGB and LEVEL_DTYPES[header.residual].itemsize == 1


def unpack_lossless(
    header: SequenceHeader,
    references: Sequence[int],
    predictor_set_counts: Sequence[Sequence[int]],
    streams: dict[StreamId, bytes],
) -> list[LosslessResidual]:
    """The residuals of the pictures of a packet group; the inverse of `pack_lossless`.

    Raises:
        BitstreamError: a stream is not what the headers imply, or a symbol has no meaning.
    """
    weights = unpack_weights(header, references, predictor_set_counts, streams)
    classes = unpack_predictor_sets(header, predictor_set_counts, streams)
    queues = unpack_substreams(streams[StreamId.CONTEXT_SUBSTREAMS], len(references), header.format.sample_count)
    return [LosslessResidual(*parts) for parts in zip(weights, classes, queues, strict=True)]


def unpack_weights(
    header: SequenceHeader,
    references: Sequence[int],
    predictor_set_counts: Sequence[Sequence[int]],
    streams: dict[StreamId, bytes],
) -> list[tuple[npt.NDArray[np.int16], ...]]:
    """Weight differences of every plane of every picture."""
    # a plane that is coded after others has a weight for the residual of each
    shapes = [
        (count, WEIGHT_COUNTS[number] + (plane if header.greens_apart else 0))
        for number, counts in zip(references, predictor_set_counts, strict=True)
        for plane, count in enumerate(counts)
    ]
    sizes = [math.prod(shape) for shape in shapes]
    if (StreamId.WEIGHTS in streams) != (sum(sizes) > 0):
        raise BitstreamError("WEIGHTS is there where no class needs it, or missing")
    symbols = np.zeros(0, "<u2")
    if sum(sizes):
        data = decompress(streams[StreamId.WEIGHTS], 2 * sum(sizes))
        symbols = from_byte_planes(data, np.dtype("<u2"))
    weights, ends = unzigzag(symbols), accumulate(sizes)
    parts = zip(shapes, sizes, ends, strict=True)
    planes = iter([weights[end - size : end].reshape(shape) for shape, size, end in parts])
    return [tuple(next(planes) for _ in counts) for counts in predictor_set_counts]


def unpack_predictor_sets(
    header: SequenceHeader, predictor_set_counts: Sequence[Sequence[int]], streams: dict[StreamId, bytes]
) -> list[tuple[npt.NDArray[np.uint8], ...]]:
    """Class maps of every plane of every picture."""
    shapes = [set_map_shape(shape) for shape in header.format.plane_shapes]
    sizes, pictures = [math.prod(shape) for shape in shapes], len(predictor_set_counts)
    data = np.frombuffer(decompress(streams[StreamId.PREDICTOR_SETS], pictures * sum(sizes)), np.uint8)
    planes = []
    for number, (shape, size, end) in enumerate(zip(shapes, sizes, accumulate(sizes), strict=True)):
        maps = data.reshape(pictures, -1)[:, end - size : end]
        for counts, highest in zip(predictor_set_counts, maps.max(axis=1).tolist(), strict=True):
            if highest > counts[number]:
                raise BitstreamError(f"a cell's class is {highest} of {counts[number]}")
        planes.append([map_.reshape(shape) for map_ in maps])
    return list(zip(*planes, strict=True))
