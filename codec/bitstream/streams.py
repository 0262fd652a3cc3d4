"""A run of coded pictures as named streams, and back (spec 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.bitstream.block_streams import BLOCK_STREAMS, block_bytes, pack_blocks, picture_bits, unpack_blocks
from codec.bitstream.frames import compress, declared_size, decompress, zigzag
from codec.bitstream.limits import Limits
from codec.bitstream.motion_streams import pack_fields, pack_meshes, unpack_fields, unpack_meshes, unpack_motion
from codec.bitstream.queue_streams import queue_shares
from codec.bitstream.residual_streams import RESIDUALS, pack_levels, pack_lossless, unpack_levels, unpack_lossless
from codec.bitstream.stream_ids import COMPONENTS, StreamId
from codec.coded import (
    LEVEL_DTYPES,
    CodedPicture,
    CodedSymbols,
    LosslessResidual,
    PlaneResidual,
    Quantiser,
    SequenceHeader,
    WrittenSymbols,
)
from codec.errors import BitstreamError, LimitError
from codec.lossless.tables import WEIGHT_COUNTS
from codec.models import MotionModel, ResidualCoder

__all__ = [
    "PictureHeader",
    "check_streams",
    "encoded_name",
    "have_fields",
    "pack_streams",
    "picture_shares",
    "run_bytes",
    "unpack_names",
    "unpack_streams",
]


class PictureHeader(NamedTuple):
    """What the header of a picture says about its streams.

    Attributes:
        references: pictures that it is predicted from, 0…2.
        quantisers: of each plane.
        class_counts: sets of weights of each plane; empty but for the lossless coder.
        qps: quantisers of luma and of chroma; empty but for ``dct``.
        has_field: whether a motion field or a mesh predicts the picture.
    """

    references: int
    quantisers: tuple[Quantiser, ...]
    class_counts: tuple[int, ...]
    qps: tuple[int, ...] = ()
    has_field: bool = False


def pack_streams(
    header: SequenceHeader, pictures: Sequence[CodedPicture], names: Sequence[str]
) -> dict[StreamId, bytes]:
    """The compressed streams of a run, in the order of the file."""
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


def unpack_streams(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes], limits: Limits
) -> tuple[tuple[CodedPicture, ...], tuple[str, ...]]:
    """The coded pictures of a run, and their names; the inverse of `pack_streams`.

    Raises:
        BitstreamError: streams other than the headers imply, or symbols without a meaning.
        LimitError: the run is larger than ``limits`` allow.
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
        residuals = unpack_lossless(header, references, [p.class_counts for p in pictures], streams)
    else:
        residuals = unpack_levels(header, [picture.quantisers for picture in pictures], streams)
    coded = tuple(
        CodedPicture(picture.references, next(fields) if picture.has_field else None, residuals[number])
        for number, picture in enumerate(pictures)
    )
    return coded, names


def pack_meshed(pictures: Sequence[WrittenSymbols]) -> dict[StreamId, bytes]:
    """The streams of pictures of ``dct``, and of the meshes that some of them have."""
    streams = pack_meshes([blocks.mesh for blocks in pictures if blocks.mesh is not None])
    if streams:
        streams[StreamId.MESHED] = np.packbits([blocks.mesh is not None for blocks in pictures]).tobytes()
    return streams | pack_blocks(pictures)


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
    """Which pictures of a run have a motion field: of ``dct`` those that MESHED names (spec 6.9).

    Raises:
        BitstreamError: MESHED is there without a mesh, has another size, or names an I picture.
    """
    predicted = [number > 0 for number in references]
    if header.residual is not ResidualCoder.DCT:
        return [is_predicted and header.motion is not MotionModel.NONE for is_predicted in predicted]
    if StreamId.MESHED not in streams:
        return [False] * len(references)
    bits = np.unpackbits(np.frombuffer(streams[StreamId.MESHED], np.uint8))
    named, rest = bits[: len(references)].astype(bool), bits[len(references) :]
    if header.motion is not MotionModel.MESH or len(rest) > 7 or named.size < len(references) or rest.any():
        raise BitstreamError(f"MESHED of {len(bits) // 8} bytes for {len(references)} pictures")
    if not named.any() or (named & ~np.array(predicted)).any():
        raise BitstreamError("MESHED names no picture, or an I picture")
    return [bool(is_meshed) for is_meshed in named]


def field_count(pictures: Sequence[PictureHeader]) -> int:
    """How many of the pictures have a motion field."""
    return sum(picture.has_field for picture in pictures)


def encoded_name(name: str) -> bytes:
    """A name as it is kept (spec 6.5): UTF-8, with bytes of a file system that are not UTF-8 as they were.

    Raises:
        ValueError: a zero byte, or half a surrogate pair.
    """
    if "\0" in name:
        raise ValueError("it has a zero byte")
    return name.encode("utf-8", "surrogateescape")


def unpack_names(frame: bytes | None, count: int, limits: Limits) -> tuple[str, ...]:
    """Names of a run's pictures, or none at all (spec 6.5)."""
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
        LimitError: the run is larger than ``limits`` allow.
    """
    optional = {StreamId.NAMES}
    implied = []
    fields = field_count(pictures)
    if header.residual is ResidualCoder.DCT:
        optional |= {StreamId.MESHED, *BLOCK_STREAMS, StreamId.BLOCK_BITS, StreamId.FILTERS}
    if fields:
        implied.append(StreamId.VECTOR_FLAGS)
        optional.add(StreamId.VECTOR_VALUES)
        if header.motion is MotionModel.MESH and header.residual is not ResidualCoder.DCT:
            implied.append(StreamId.MODES)
    if header.residual is ResidualCoder.LOSSLESS:
        implied += [StreamId.CLASSES, StreamId.QUEUES]
        optional.add(StreamId.WEIGHTS)
    elif header.residual is not ResidualCoder.DCT:
        implied += RESIDUALS[: len(header.format.plane_shapes)]
    found = sorted(stream for stream in streams if stream not in optional)
    if found != implied:
        names = ", ".join(stream.name for stream in found) or "none"
        raise BitstreamError(f"streams {names} where the headers imply {', '.join(stream.name for stream in implied)}")
    size = run_bytes(header, len(pictures), fields)
    if size > limits.max_run_bytes:
        raise LimitError(f"a run of {size} bytes; the limit is {limits.max_run_bytes}")


def run_bytes(header: SequenceHeader, pictures: int, fields: int) -> int:
    """What levels or queues, vectors and modes of a run take at most once they are decompressed (spec 10)."""
    motion = 4 * math.prod(header.grid_shape)
    if header.motion is MotionModel.MESH:
        motion += 5 * math.prod(header.cell_shape)
    if header.residual is ResidualCoder.DCT:
        return fields * motion + pictures * block_bytes(header)
    sample_bytes = 2 if header.residual is ResidualCoder.LOSSLESS else LEVEL_DTYPES[header.residual].itemsize
    return fields * motion + pictures * sample_bytes * header.format.sample_count


def picture_shares(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> dict[str, npt.NDArray[np.float64]]:
    """How much of each component of a run belongs to each picture: float64 (pictures,), sum 1.

    An estimate: −log₂ of each symbol's frequency in the run, summed over the picture's symbols.
    """
    if header.residual is ResidualCoder.DCT:
        return shares_of(block_shares(header, pictures, streams))
    predicted = np.array([picture.references > 0 for picture in pictures])
    motion = unpack_motion(header, int(predicted.sum()), streams)
    vectors = [np.concatenate([nodes.reshape(-1, 2), own]) for nodes, own in zip(motion.nodes, motion.own, strict=True)]
    bits = {component: np.zeros(len(pictures)) for component in COMPONENTS}
    if vectors:
        bits["motion"][predicted] = entropies([zigzag(differences) for differences in vectors])
        bits["modes"][predicted] = entropies(list(motion.modes))
    if header.residual is ResidualCoder.LOSSLESS:
        bits["weights"] += [sum(picture.class_counts) * WEIGHT_COUNTS[picture.references] for picture in pictures]
        bits["residual"] += queue_shares(streams[StreamId.QUEUES], len(pictures), header.format.sample_count)
    else:
        residuals = unpack_levels(header, [picture.quantisers for picture in pictures], streams)
        for plane in zip(*residuals, strict=True):
            bits["residual"] += entropies([residual.levels.view(np.uint8) for residual in plane])
    return shares_of(bits)


def block_shares(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> dict[str, npt.NDArray[np.float64]]:
    """Bits of each picture of ``dct`` by component."""
    references = [picture.references for picture in pictures]
    blocks = unpack_blocks(header, [(p.qps[0], p.qps[1]) for p in pictures], streams)
    bits = {component: np.zeros(len(pictures)) for component in COMPONENTS}
    bits["weights"] += [picture.wiener is not None for picture in blocks]
    bits |= picture_bits(header, references, blocks)
    if field_count(pictures):  # each field as much as another: they are a few bytes
        bits["motion"] += [float(picture.has_field) for picture in pictures]
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
