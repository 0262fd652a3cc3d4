"""Payloads of packets: checked values to bytes and back (spec 5.2…5.4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from construct import Construct, ConstructError, StreamError

from codec import models
from codec.bitstream import schema
from codec.bitstream.limits import DEFAULT_LIMITS, Limits
from codec.bitstream.packing import StreamReader
from codec.bitstream.schema import StreamId
from codec.bitstream.streams import PictureHeader, unpack_streams
from codec.coded import (
    LOSSLESS_QUANTISER,
    MODULO,
    Attachments,
    PacketGroup,
    Quantiser,
    SequenceHeader,
)
from codec.dct.references import MAX_LOG2_MINI_GOP, Place, coding_order
from codec.errors import BitstreamError, LimitError, TruncatedError, UnsupportedError
from codec.lossless.tables import MAX_SETS
from codec.picture import planes

__all__ = [
    "compressed_streams",
    "parse",
    "parse_group",
    "picture_headers",
    "repeated_fields",
    "unpack_attachments",
    "unpack_group",
    "unpack_header",
    "unpack_index",
    "unpack_metadata",
]

DURATION = "duration"
MAX_VECTOR_LIMIT = 4096  # ±1024 samples; with cells of at most 32, all sums of spec 7.7 keep to 2**23, vectors doubled
MAX_GOP_LIMIT = 1024
MAX_QP = 51
MIN_LOG2_CELL, MAX_LOG2_CELL = 2, 5

ATTACHMENTS = schema.ATTACHMENTS.compile()
PICTURES = schema.PICTURES.compile()  # parses a packet group of eight pictures in 50 µs instead of 220


def parse(declaration: Construct[Any, Any], payload: bytes, what: str, **parameters: int) -> Any:
    """Parse a payload as declared; construct's errors become ours.

    Raises:
        TruncatedError: the payload ends inside a field.
        BitstreamError: anything else that the declaration refuses.
    """
    try:
        return declaration.parse(payload, **parameters)
    except (StreamError, struct.error) as error:  # the latter of a compiled declaration
        raise TruncatedError(f"the {what} ends inside a field") from error
    except ConstructError as error:
        detail = str(error).splitlines()[-1]
        raise BitstreamError(f"the {what} is malformed: {detail}") from error


def unpack_header(payload: bytes, limits: Limits) -> SequenceHeader:
    """The sequence header, every field checked (spec 5.2).

    Raises:
        BitstreamError, UnsupportedError, LimitError: as the table in the spec says.
    """
    if len(payload) >= 2 and (payload[0], payload[1]) != schema.VERSION:
        ours = ".".join(map(str, schema.VERSION))
        raise UnsupportedError(f"format version {payload[0]}.{payload[1]}; this reader knows {ours}")
    raw = parse(schema.SEQUENCE_HEADER, payload, "sequence header")
    if raw.width == 0 or raw.height == 0:
        raise BitstreamError(f"a picture of {raw.width}×{raw.height}")
    if raw.width * raw.height > limits.max_pixels:
        raise LimitError(f"pictures of {raw.width}×{raw.height}; the limit is {limits.max_pixels} samples")
    low, high = planes.MIN_BIT_DEPTH, planes.MAX_BIT_DEPTH
    is_float = raw.bit_depth == schema.FLOAT + high
    raw.bit_depth -= is_float * schema.FLOAT
    if not low <= raw.bit_depth <= high:
        floats = f", or {schema.FLOAT + high} for binary16"
        raise UnsupportedError(f"{raw.bit_depth} bits a sample; this reader knows {low}…{high}{floats}")
    if raw.rate_numerator == 0 or raw.rate_denominator == 0:
        raise BitstreamError(f"a picture rate of {raw.rate_numerator}/{raw.rate_denominator}")
    _in_range("log2_cell_size", raw.log2_cell_size, MIN_LOG2_CELL, MAX_LOG2_CELL)
    _in_range("vector_limit", raw.vector_limit, 0, MAX_VECTOR_LIMIT)
    _in_range("gop_limit", raw.gop_limit, 1, MAX_GOP_LIMIT)
    lossless = raw.residual_coder == models.ResidualCoder.LOSSLESS
    _in_range("max_error", raw.max_error, 0, (1 << (raw.bit_depth - 1)) - 1 if lossless and not is_float else 0)
    colour = planes.Colour(
        _member(planes.ColourMatrix, "colour_matrix", raw.colour_matrix),
        _member(planes.ColourRange, "colour_range", raw.colour_range),
        _member(planes.ChromaSiting, "chroma_siting", raw.chroma_siting),
        _member(planes.ColourPrimaries, "colour_primaries", raw.colour_primaries),
        _member(planes.ColourTransfer, "colour_transfer", raw.colour_transfer),
    )
    sample_format = _member(planes.SampleFormat, "sample_format", raw.sample_format)
    coded_format = _member(planes.SampleFormat, "coded_format", raw.coded_format)
    if coded_format not in coded_formats(sample_format, raw.residual_coder == models.ResidualCoder.DCT):
        raise BitstreamError(f"coded_format is {coded_format.label} of {sample_format.label}")
    if is_float and not (lossless and (sample_format.is_gray or sample_format.is_rgb)):
        raise BitstreamError("binary16 numbers are for lossless, and for gray and RGB")
    return SequenceHeader(
        planes.PictureFormat(raw.width, raw.height, sample_format, colour, raw.bit_depth, is_float),
        Fraction(raw.rate_numerator, raw.rate_denominator),
        _member(models.ResidualCoder, "residual_coder", raw.residual_coder),
        _member(models.MotionModel, "motion_model", raw.motion_model),
        1 << raw.log2_cell_size,
        raw.vector_limit,
        raw.gop_limit,
        raw.max_error,
        coded_format,
    )


def coded_formats(sample_format: planes.SampleFormat, transformed: bool) -> tuple[planes.SampleFormat, ...]:
    """What pictures may be coded as: their own planes, but by a transform no alpha, and Y'CbCr of RGB (spec 5.2)."""
    if transformed and sample_format.is_rgb:
        return planes.SampleFormat.YUV420, planes.SampleFormat.YUV444
    return (sample_format.opaque if transformed else sample_format,)


def parse_group(header: SequenceHeader, payload: bytes) -> Any:
    """The parsed fields of a picture packet, structure and ranges checked, streams still compressed (spec 5.4)."""
    if len(payload) >= 6:  # before headers are read that nobody wants: 65535 of them take seconds
        _in_range("picture_count", int.from_bytes(payload[4:6], "little"), 1, header.gop_limit)
    raw = parse(PICTURES, payload, "picture packet", **repeated_fields(header))
    transformed = header.residual is models.ResidualCoder.DCT
    most = 2 if transformed or header.residual is models.ResidualCoder.LOSSLESS else 1
    moves, meshes = header.motion is not models.MotionModel.NONE, header.motion is models.MotionModel.MESH
    for number, picture in enumerate(raw.pictures):
        known = (schema.SAME_QPS if transformed and number else 0) | (schema.HAS_MESH if transformed and meshes else 0)
        flags = picture.references & known
        picture.references -= flags
        _in_range("references", picture.references, 0, most)
        if number > 0 and picture.references == 0:
            raise BitstreamError("an I picture that is not the first of its packet")
        picture.has_field = bool(flags & schema.HAS_MESH if transformed else picture.references and moves)
        if picture.has_field and picture.references == 0:
            raise BitstreamError("an I picture with a mesh")
        if picture.qps is None:
            picture.qps = raw.pictures[number - 1].qps
        for qp in picture.qps:
            _in_range("qps", qp, header.lowest_qp, MAX_QP)
        for count in picture.predictor_set_counts:
            if count != schema.SAME_ALPHA or not header.alpha_header:
                _in_range("predictor_set_counts", count, 0, MAX_SETS)
        for quantiser in picture.quantisers:
            _in_range("step_256", quantiser.step_256, 1, 65280)
            if quantiser.zero_point and header.residual is not models.ResidualCoder.UINT8:
                raise BitstreamError(f"a zero point of {quantiser.zero_point} for {header.residual.label}")
    if transformed:
        _in_range("log2_mini_gop", raw.log2_mini_gop, 0, 0 if header.alpha_header else MAX_LOG2_MINI_GOP)
    for number, (picture, place) in enumerate(zip(raw.pictures, _places_of(raw), strict=True)):
        picture.place = place
        if place and not header.alpha_header and picture.references != len(place.references):
            wanted = f"its place in the order of coding implies {len(place.references)}"
            raise BitstreamError(f"picture {number} of the packet has {picture.references} references; {wanted}")
    ids = [stream.id for stream in raw.streams]
    for stream in ids:
        _member(StreamId, "stream id", stream)
    if ids != sorted(set(ids)):
        raise BitstreamError(f"stream ids {ids} are not in rising order")
    total = sum(stream.length for stream in raw.streams)
    if total != len(raw.data):
        raise BitstreamError(f"streams of {total} bytes in a packet that holds {len(raw.data)}")
    return raw


def _places_of(raw: Any) -> Sequence[Place | None]:
    """The places of pictures of ``dct`` in the order of coding, which is that of their headers (spec 10.16)."""
    if raw.log2_mini_gop is None:
        return [None] * len(raw.pictures)
    is_intra = raw.pictures[0].references == 0
    return coding_order(raw.first_picture, len(raw.pictures), 1 << raw.log2_mini_gop, is_intra)


def unpack_group(header: SequenceHeader, payload: bytes, limits: Limits = DEFAULT_LIMITS) -> PacketGroup:
    """A packet group of coded pictures; the inverse of `pack_group`.

    Raises:
        BitstreamError: the payload breaks a rule of spec 5.4 or 6.
    """
    raw = parse_group(header, payload)
    streams = compressed_streams(raw)
    pictures, names, maps = unpack_streams(header, picture_headers(header, raw), streams, limits)
    checksums = tuple(picture.checksum for picture in raw.pictures)
    return PacketGroup(raw.first_picture, pictures, checksums, names, maps)


def picture_headers(header: SequenceHeader, raw: Any) -> list[PictureHeader]:
    """What the headers of pictures say, in a packet that `parse_group` accepted."""
    default = (LOSSLESS_QUANTISER,) * len(header.format.plane_shapes)
    of_alpha = (MODULO,) if header.has_alpha else ()
    return [
        PictureHeader(
            picture.references,
            (*(Quantiser(q.step_256, q.zero_point) for q in picture.quantisers), *of_alpha)
            if header.residual.has_step
            else default,
            tuple(count for count in picture.predictor_set_counts if count != schema.SAME_ALPHA),
            tuple(picture.qps),
            picture.has_field,
            picture.place,
        )
        for picture in raw.pictures
    ]


def compressed_streams(raw: Any) -> dict[StreamId, bytes]:
    """The streams of a packet that `parse_group` accepted, still compressed, by id."""
    streams, start, data = {}, 0, raw.data
    for stream in raw.streams:
        end = start + stream.length
        streams[StreamId(stream.id)] = data[start:end]
        start = end
    return streams


def unpack_metadata(payload: bytes) -> dict[str, str]:
    """Keys and values of a metadata packet (spec 5.3)."""
    entries = parse(schema.METADATA, payload, "metadata").entries
    for entry in entries:
        _in_range("key_length", entry.key_length, 1, 255)
    try:
        return {entry.key.decode(): entry.value.decode() for entry in entries}
    except UnicodeDecodeError as error:
        raise BitstreamError("metadata is not UTF-8") from error


def unpack_attachments(
    payload: bytes, pictures: range, shared: Attachments | None, limits: Limits
) -> tuple[Attachments, ...]:
    """What came with each of ``pictures``; of no pictures, once, what they share (spec 5.8).

    ``shared`` is what the file has for pictures to share, or None where that was lost.

    Raises:
        BitstreamError: the payload breaks a rule, or is about other pictures.
        LimitError: it is larger than ``limits`` allow.
    """
    raw = parse(ATTACHMENTS, payload, "attachments packet")
    if (raw.first_picture, len(raw.pictures)) != (pictures.start, len(pictures)):
        found = f"{len(raw.pictures)} pictures from {raw.first_picture}"
        raise BitstreamError(f"attachments of {found} where those of {len(pictures)} from {pictures.start} should be")
    if raw.shared_count != (raw.shared_count if shared is None else len(shared)):
        raise BitstreamError(f"{raw.shared_count} shared attachments; the file has {len(shared or ())}")
    total = sum(attachment.value_length for attachment in raw.attachments)
    if total > limits.max_attachment_bytes:
        raise LimitError(f"attachments of {total} bytes; the limit is {limits.max_attachment_bytes}")
    with StreamReader(raw.data) as stream:
        values = StreamReader(stream.symbols(total).tobytes())
    known: list[tuple[str, bytes] | None] = [*shared] if shared is not None else [None] * raw.shared_count
    for attachment in raw.attachments:
        _in_range("key_length", attachment.key_length, 1, 255)
        try:
            known.append((attachment.key.decode(), bytes(values.take(attachment.value_length))))
        except UnicodeDecodeError as error:
            raise BitstreamError("the key of an attachment is not UTF-8") from error
        if known[-1] is not None and known[-1][0] == DURATION:
            duration_of(known[-1][1])
    if not pictures:
        return (tuple(each for each in known if each is not None),)
    for picture in raw.pictures:
        for number in picture.numbers:
            _in_range("the number of an attachment", number, 0, len(known) - 1)
    return tuple(
        tuple(each for number in picture.numbers if (each := known[number]) is not None) for picture in raw.pictures
    )


def duration_of(value: bytes) -> Fraction:
    """The seconds that a picture is shown, of the value of its attachment ``duration`` (spec 5.8)."""
    numerator, denominator = struct.unpack("<II", value) if len(value) == 8 else (0, 0)
    if not denominator:
        raise BitstreamError(
            f"a duration of {value[:9].hex(' ') or 'no bytes'}; two numbers are needed, the second from 1"
        )
    return Fraction(numerator, denominator)


def unpack_index(payload: bytes) -> npt.NDArray[np.void]:
    """The entries of an index as an array of records, with the fields of spec 5.6; nothing is checked but the size."""
    dtype = np.dtype(schema.record_dtype(schema.INDEX_ENTRY))
    if len(payload) % dtype.itemsize:
        raise BitstreamError(f"an index of {len(payload)} bytes; an entry has {dtype.itemsize}")
    return np.frombuffer(payload, dtype)


def repeated_fields(header: SequenceHeader) -> dict[str, int]:
    """How many planes have a quantiser, and how many have predictor sets, in the header of a picture."""
    planes = len(header.format.plane_shapes)
    weighted = planes if header.residual is models.ResidualCoder.LOSSLESS else int(header.alpha_header is not None)
    transformed = header.residual is models.ResidualCoder.DCT
    return {
        "quantised_planes": planes - header.has_alpha if header.residual.has_step else 0,
        "weighted_planes": weighted,
        "qps": 2 if transformed else 0,
    }


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise BitstreamError(f"{name} is {value}; it lies in {low}…{high}")


def _member(kind: Any, name: str, value: int) -> Any:
    """``value`` as a member of an enumeration; a code that nobody has given a meaning is unsupported."""
    try:
        return kind(value)
    except ValueError as error:
        known = ", ".join(f"{member.value} {member.name.lower()}" for member in kind)
        raise UnsupportedError(f"{name} is {value}; this reader knows {known}") from error
