"""A run of coded pictures as named streams, and back (spec 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from codec.bitstream.frames import compress, declared_size, decompress
from codec.bitstream.level_streams import RESIDUALS, pack_levels, unpack_levels
from codec.bitstream.limits import Limits
from codec.bitstream.motion_streams import pack_fields, unpack_fields, unpack_motion
from codec.bitstream.stream_ids import StreamId
from codec.bitstream.symbols import zigzag
from codec.coded import LEVEL_DTYPES, CodedPicture, Quantiser, SequenceHeader
from codec.errors import BitstreamError, LimitError
from codec.models import MotionModel, PictureType

__all__ = ["check_streams", "encoded_name", "pack_streams", "picture_shares", "unpack_names", "unpack_streams"]


def pack_streams(
    header: SequenceHeader, pictures: Sequence[CodedPicture], names: Sequence[str]
) -> dict[StreamId, bytes]:
    """The compressed streams of a run, in the order of the file."""
    streams: dict[StreamId, bytes] = {}
    if names:
        streams[StreamId.NAMES] = compress(b"\0".join(map(encoded_name, names)))
    streams |= pack_fields([picture.field for picture in pictures if picture.field is not None])
    return streams | pack_levels(header, pictures)


def unpack_streams(
    header: SequenceHeader,
    types: Sequence[PictureType],
    quantisers: Sequence[tuple[Quantiser, ...]],
    streams: dict[StreamId, bytes],
    limits: Limits,
) -> tuple[tuple[CodedPicture, ...], tuple[str, ...]]:
    """The coded pictures of a run, and their names; the inverse of `pack_streams`.

    Raises:
        BitstreamError: streams other than the headers imply, or symbols without a meaning.
        LimitError: the run is larger than ``limits`` allow.
    """
    check_streams(header, types, streams, limits)
    names = unpack_names(streams.get(StreamId.NAMES), len(types), limits)
    fields = iter(unpack_fields(header, types.count(PictureType.P), streams))
    residuals = unpack_levels(header, quantisers, streams)
    pictures = tuple(
        CodedPicture(type_, next(fields, None) if type_ is PictureType.P else None, of_picture)
        for type_, of_picture in zip(types, residuals, strict=True)
    )
    return pictures, names


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
    header: SequenceHeader, types: Sequence[PictureType], streams: Iterable[StreamId], limits: Limits
) -> None:
    """Hold the streams that are there against those that the headers imply, and their sizes against the limits.

    Raises:
        BitstreamError: streams other than the headers imply.
        LimitError: the run is larger than ``limits`` allow.
    """
    implied = list(RESIDUALS[: len(header.format.plane_shapes)])
    optional = {StreamId.NAMES}
    if PictureType.P in types and header.motion is not MotionModel.NONE:
        implied.append(StreamId.VECTOR_FLAGS)
        optional.add(StreamId.VECTOR_VALUES)
        if header.motion is MotionModel.MESH:
            implied.append(StreamId.MODES)
    found = sorted(stream for stream in streams if stream not in optional)
    if found != sorted(implied):
        expected = ", ".join(stream.name for stream in sorted(implied))
        raise BitstreamError(
            f"streams {', '.join(stream.name for stream in found) or 'none'} where the headers imply {expected}"
        )
    size = run_bytes(header, len(types), types.count(PictureType.P))
    if size > limits.max_run_bytes:
        raise LimitError(f"a run of {size} bytes; the limit is {limits.max_run_bytes}")


def run_bytes(header: SequenceHeader, pictures: int, predicted: int) -> int:
    """What levels, vectors and modes of a run take at most once they are decompressed (spec 10)."""
    motion = 4 * math.prod(header.grid_shape)
    if header.motion is MotionModel.MESH:
        motion += 5 * math.prod(header.cell_shape)
    return predicted * motion + pictures * LEVEL_DTYPES[header.residual].itemsize * header.format.sample_count


def picture_shares(
    header: SequenceHeader,
    types: Sequence[PictureType],
    quantisers: Sequence[tuple[Quantiser, ...]],
    streams: dict[StreamId, bytes],
) -> dict[str, npt.NDArray[np.float64]]:
    """How much of a run's motion, modes and residual belongs to each picture: float64 (pictures,), sum 1.

    An estimate: −log₂ of each symbol's frequency in the run, summed over the picture's symbols.
    """
    predicted = np.array([type_ is PictureType.P for type_ in types])
    motion = unpack_motion(header, int(predicted.sum()), streams)
    vectors = [np.concatenate([nodes.reshape(-1, 2), own]) for nodes, own in zip(motion.nodes, motion.own, strict=True)]
    bits = {component: np.zeros(len(types)) for component in ("motion", "modes", "residual")}
    if vectors:
        bits["motion"][predicted] = entropies([zigzag(differences) for differences in vectors])
        bits["modes"][predicted] = entropies(list(motion.modes))
    residuals = unpack_levels(header, quantisers, streams)
    for plane in zip(*residuals, strict=True):
        bits["residual"] += entropies([residual.levels.view(np.uint8) for residual in plane])
    return {component: (cost + 1e-9) / (cost + 1e-9).sum() for component, cost in bits.items()}


def entropies(parts: Sequence[npt.NDArray[np.integer]]) -> npt.NDArray[np.float64]:
    """Bits of each part in an ideal code for all of them together, which knows how often each symbol comes."""
    flat = [part.astype(np.int64).ravel() for part in parts]
    counts = np.bincount(np.concatenate(flat))
    cost = -np.log2(np.maximum(counts, 1) / max(counts.sum(), 1))
    return np.array([cost[part].sum() for part in flat])
