"""Named streams of symbols, and zstd (spec 6): a run of coded pictures to bytes and back.

The only module that knows zstandard.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import zstandard

from codec.bitstream.limits import Limits
from codec.coded import (
    LEVEL_DTYPES,
    CodedPicture,
    Levels,
    MotionField,
    PlaneResidual,
    Quantiser,
    SequenceHeader,
)
from codec.errors import BitstreamError, LimitError
from codec.models import MotionModel, PictureType, ResidualCoder
from codec.picture.planes import SampleFormat

__all__ = [
    "COMPONENT_OF",
    "StreamId",
    "encoded_name",
    "pack_streams",
    "picture_shares",
    "unpack_names",
    "unpack_streams",
]


class StreamId(enum.IntEnum):
    """What a stream holds (spec 6.1); the value is its id in the file.

    Id 3 is reserved for the modes of mesh cells.
    """

    NAMES = 0
    MOTION_Y = 1
    MOTION_X = 2
    RESIDUAL_0 = 16
    RESIDUAL_1 = 17
    RESIDUAL_2 = 18


COMPONENT_OF = {
    StreamId.NAMES: "headers",
    StreamId.MOTION_Y: "motion",
    StreamId.MOTION_X: "motion",
    StreamId.RESIDUAL_0: "residual",
    StreamId.RESIDUAL_1: "residual",
    StreamId.RESIDUAL_2: "residual",
}
"""The component that an inventory counts each stream under."""

_RESIDUALS = (StreamId.RESIDUAL_0, StreamId.RESIDUAL_1, StreamId.RESIDUAL_2)
_LEVEL = 15  # zstd's; against 9 it saves 4…16 % of residuals of 352×288 clips, against 19 it loses at most 1 %


def compress(symbols: bytes) -> bytes:
    """One zstd frame without magic number, checksum or dictionary, with its content size (spec 6.2)."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        source_size=len(symbols),
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=True,
        write_checksum=False,
        write_dict_id=False,
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(symbols)


def decompress(frame: bytes, low: int, high: int) -> bytes:
    """Symbols of a frame that must declare, and have, between ``low`` and ``high`` bytes.

    Raises:
        BitstreamError: the declared size is not ``low`` where ``high`` is the same; or the frame is damaged, has
            trailing bytes, or parts that it must not have.
        LimitError: the declared size is outside, where the two differ.
    """
    if frame[:1] and frame[0] & 0x1F:
        raise BitstreamError("a stream's frame has a checksum, a dictionary or a reserved bit")
    try:
        declared = zstandard.get_frame_parameters(frame, format=zstandard.FORMAT_ZSTD1_MAGICLESS).content_size
        if not low <= declared <= high:
            expected = f"{low}" if low == high else f"at most {high}"
            found = "unknown" if declared == zstandard.CONTENTSIZE_UNKNOWN else declared
            kind = BitstreamError if low == high or found == "unknown" else LimitError
            raise kind(f"a stream's frame declares {found} bytes; the headers imply {expected}")
        decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)
        symbols = decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BitstreamError(f"a stream is not one whole zstd frame: {error}") from error
    if len(symbols) != declared:
        raise BitstreamError(f"a stream's frame holds {len(symbols)} bytes and declares {declared}")
    return symbols


def stream_lengths(header: SequenceHeader, types: Iterable[PictureType]) -> dict[StreamId, int]:
    """Bytes of every stream of a run before compression, in the order of the file; NAMES apart (spec 6.1)."""
    types = list(types)
    lengths: dict[StreamId, int] = {}
    predicted = sum(type_ is PictureType.P for type_ in types)
    if predicted and header.motion is not MotionModel.NONE:
        lengths[StreamId.MOTION_Y] = lengths[StreamId.MOTION_X] = 2 * predicted * math.prod(header.grid_shape)
    item_bytes = LEVEL_DTYPES[header.residual].itemsize
    for stream, shape in zip(_RESIDUALS, header.format.plane_shapes, strict=False):
        lengths[stream] = len(types) * item_bytes * math.prod(shape)
    return lengths


def pack_streams(
    header: SequenceHeader, pictures: Iterable[CodedPicture], names: Iterable[str]
) -> dict[StreamId, bytes]:
    """The compressed streams of a run, in the order of the file."""
    pictures, names = list(pictures), list(names)
    streams: dict[StreamId, bytes] = {}
    if names:
        streams[StreamId.NAMES] = compress(b"\0".join(map(encoded_name, names)))
    differences = [picture.field.differences() for picture in pictures if picture.field is not None]
    if differences:
        for stream, component in ((StreamId.MOTION_Y, 0), (StreamId.MOTION_X, 1)):
            values = np.concatenate([field[:, :, component].ravel() for field in differences])
            streams[stream] = compress(_byte_planes(zigzag(values)))
    planes = [
        np.stack([picture.residuals[plane].levels for picture in pictures])
        for plane in range(len(header.format.plane_shapes))
    ]
    subtract_green(header, planes)
    for stream, levels in zip(_RESIDUALS, planes, strict=False):
        streams[stream] = compress(_byte_planes(levels.ravel()))
    return streams


def encoded_name(name: str) -> bytes:
    """A name as it is kept (spec 6.5): UTF-8, with bytes of a file system that are not UTF-8 as they were.

    Raises:
        ValueError: a zero byte, or half a surrogate pair.
    """
    if "\0" in name:
        raise ValueError("it has a zero byte")
    return name.encode("utf-8", "surrogateescape")


def subtract_green(header: SequenceHeader, planes: list[Levels]) -> None:
    """Replace levels of red and blue by their differences from green modulo 256, in place (spec 6.4).

    Saves 9…28 % of lossless bytes on RGB clips that come from a camera; float16 is left alone.
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
    return header.format.sample_format is SampleFormat.RGB and LEVEL_DTYPES[header.residual].itemsize == 1


def unpack_streams(
    header: SequenceHeader,
    types: list[PictureType],
    quantisers: list[tuple[Quantiser, ...]],
    streams: dict[StreamId, bytes],
    limits: Limits,
) -> tuple[tuple[CodedPicture, ...], tuple[str, ...]]:
    """The coded pictures of a run, and their names; the inverse of `pack_streams`.

    Raises:
        BitstreamError: streams other than the headers imply, or symbols without a meaning.
        LimitError: the run is larger than ``limits`` allow.
    """
    lengths = checked_lengths(header, types, streams, limits)
    names = unpack_names(streams.get(StreamId.NAMES), len(types), limits)
    fields = iter(unpack_fields(header, types, lengths, streams))
    planes = [
        unpack_levels(header.residual, shape, len(types), decompress(streams[stream], lengths[stream], lengths[stream]))
        for stream, shape in zip(_RESIDUALS, header.format.plane_shapes, strict=False)
    ]
    add_green(header, planes)
    pictures = tuple(
        CodedPicture(
            type_,
            next(fields) if type_ is PictureType.P and header.motion is not MotionModel.NONE else None,
            tuple(
                PlaneResidual(header.residual, quantiser, plane[number])
                for quantiser, plane in zip(quantisers[number], planes, strict=True)
            ),
        )
        for number, type_ in enumerate(types)
    )
    return pictures, names


def unpack_fields(
    header: SequenceHeader,
    types: list[PictureType],
    lengths: dict[StreamId, int],
    streams: dict[StreamId, bytes],
) -> list[MotionField]:
    """The motion fields of the P pictures of a run, in order (spec 6.3)."""
    if StreamId.MOTION_Y not in lengths:
        return []
    rows, columns = header.grid_shape
    differences = np.stack(
        [
            unzigzag(_from_byte_planes(decompress(streams[stream], lengths[stream], lengths[stream]), np.dtype("<u2")))
            for stream in (StreamId.MOTION_Y, StreamId.MOTION_X)
        ],
        axis=-1,
    ).reshape(-1, rows, columns, 2)
    try:
        return [
            MotionField.from_differences(header.motion, header.cell_size, field, header.vector_limit_quarter_pel)
            for field in differences
        ]
    except ValueError as error:
        raise BitstreamError(str(error)) from error


def unpack_levels(coder: ResidualCoder, shape: tuple[int, int], count: int, symbols: bytes) -> Levels:
    """Levels (count, rows, columns) of one plane of a run (spec 6.4)."""
    dtype = LEVEL_DTYPES[coder]
    levels = _from_byte_planes(symbols, dtype).reshape(count, *shape)
    if coder is ResidualCoder.FLOAT16 and not bool(np.all(np.abs(levels) <= 1)):  # also false for NaN
        raise BitstreamError("a float16 level is beyond ±1")
    return levels


def unpack_names(frame: bytes | None, count: int, limits: Limits) -> tuple[str, ...]:
    """Names of a run's pictures, or none at all (spec 6.5)."""
    if frame is None:
        return ()
    text = decompress(frame, 0, limits.max_names_bytes).decode("utf-8", "surrogateescape")
    names = tuple(text.split("\0"))
    if len(names) != count:
        raise BitstreamError(f"{len(names)} names for {count} pictures")
    return names


def checked_lengths(
    header: SequenceHeader, types: list[PictureType], streams: dict[StreamId, bytes], limits: Limits
) -> dict[StreamId, int]:
    """`stream_lengths`, once it is clear that these streams are there, and that there is room for them.

    Raises:
        BitstreamError: streams other than the headers imply.
        LimitError: the run is larger than ``limits`` allow.
    """
    lengths = stream_lengths(header, types)
    if sum(lengths.values()) > limits.max_run_bytes:
        raise LimitError(f"a run of {sum(lengths.values())} bytes; the limit is {limits.max_run_bytes}")
    found = [stream.name for stream in streams if stream is not StreamId.NAMES]
    implied = [stream.name for stream in lengths]
    if found != implied:
        raise BitstreamError(f"streams {', '.join(found) or 'none'} where the headers imply {', '.join(implied)}")
    return lengths


def picture_shares(
    header: SequenceHeader, types: list[PictureType], streams: dict[StreamId, bytes], limits: Limits
) -> dict[StreamId, npt.NDArray[np.float64]]:
    """How much of each stream of a run belongs to each picture: float64 (pictures,), sum 1.

    An estimate: −log₂ of each symbol's frequency in the stream, summed over the picture's symbols.
    """
    lengths = checked_lengths(header, types, streams, limits)
    shares: dict[StreamId, npt.NDArray[np.float64]] = {}
    for stream, frame in streams.items():
        if stream is StreamId.NAMES:
            shares[stream] = np.full(len(types), 1 / len(types))
            continue
        symbols = np.frombuffer(decompress(frame, lengths[stream], lengths[stream]), np.uint8)
        moves = stream in (StreamId.MOTION_Y, StreamId.MOTION_X)
        owners = [number for number, type_ in enumerate(types) if not moves or type_ is PictureType.P]
        item_bytes = 2 if moves else LEVEL_DTYPES[header.residual].itemsize
        counts = np.bincount(symbols, minlength=256)
        bits = -np.log2(np.maximum(counts, 1) / symbols.size)
        per_picture = bits[symbols].reshape(item_bytes, len(owners), -1).sum(axis=(0, 2)) + 1  # never all zero
        shares[stream] = np.zeros(len(types))
        shares[stream][owners] = per_picture / per_picture.sum()
    return shares


def zigzag(values: npt.NDArray[np.int16]) -> npt.NDArray[np.uint16]:
    """0, −1, 1, −2 … to 0, 1, 2, 3 … (spec 6.3); |value| ≤ 16384 from vectors within ±4096."""
    wide = values.astype(np.int32)
    return np.where(wide < 0, -2 * wide - 1, 2 * wide).astype("<u2")


def unzigzag(symbols: npt.NDArray[np.uint16]) -> npt.NDArray[np.int16]:
    """The inverse of `zigzag`, −32768…32767."""
    wide = symbols.astype(np.int32)
    return np.where(wide & 1, -((wide + 1) >> 1), wide >> 1).astype(np.int16)


def _byte_planes(symbols: npt.NDArray[np.generic]) -> bytes:
    """All first bytes of little-endian symbols, then all second bytes: like beside like, for zstd."""
    bytes_ = symbols.view(np.uint8).reshape(-1, symbols.itemsize)
    return bytes_.T.tobytes()


def _from_byte_planes(data: bytes, dtype: np.dtype[np.generic]) -> Levels:
    """The inverse of `_byte_planes`; the result is writable and contiguous."""
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return planes.T.copy().view(dtype).ravel()
