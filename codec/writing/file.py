"""Sequence header, packets and index to bytes (spec 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain
from typing import IO, Any

import numpy as np

from codec.arguments import expect_type
from codec.bitstream import schema
from codec.bitstream.container import GroupEntry
from codec.bitstream.payloads import DURATION, repeated_fields
from codec.coded import (
    Attachments,
    CodedPicture,
    CodedSymbols,
    LosslessResidual,
    PacketGroup,
    SequenceHeader,
    WrittenSymbols,
)
from codec.errors import ConfigError
from codec.picture.planes import Picture
from codec.writing.packing import pack
from codec.writing.streams import pack_streams

__all__ = [
    "ContainerWriter",
    "attachments_of",
    "pack_attachments",
    "pack_group",
    "pack_header",
    "pack_index",
    "pack_metadata",
    "packet_bytes",
]


MAX_ATTACHMENTS = 255  # of a picture


def packet_bytes(kind: bytes, payload: bytes) -> bytes:
    """A whole packet (spec 5.1); its CRC-32 covers kind, length and payload."""
    head: bytes = schema.PACKET_HEADER.build({"kind": kind, "length": len(payload)})
    checksum = zlib.crc32(payload, zlib.crc32(head))
    return head + payload + bytes(schema.CRC.build(checksum))


class ContainerWriter:
    """Writes a file front to back: signature and header at once, groups in order, index and end last."""

    def __init__(self, file: IO[bytes], header: SequenceHeader, metadata: dict[str, str]) -> None:
        self._file = file
        self._position = 0
        self._entries: list[GroupEntry] = []
        self._write(schema.SIGNATURE)
        self._write(packet_bytes(schema.KIND_SEQUENCE, pack_header(header)))
        if metadata:
            self._write(packet_bytes(schema.KIND_METADATA, pack_metadata(metadata)))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._position += len(data)

    @property
    def bytes_written(self) -> int:
        """Bytes so far."""
        return self._position

    @property
    def picture_count(self) -> int:
        """Pictures so far."""
        return self._entries[-1].end if self._entries else 0

    def write_shared(self, attachments: Attachments) -> None:
        """Write what pictures share, ahead of all groups."""
        self._write(packet_bytes(schema.KIND_ATTACHMENTS, pack_attachments((attachments,), (), range(0))))

    def write_group(self, payload: bytes, picture_count: int, starts_gop: bool, attachments: bytes = b"") -> None:
        """Append the payload of `pack_group`, which must start with picture ``self.picture_count``.

        ``attachments`` are the payload of what came with it, if anything.
        """
        offset = self._position
        self._write(packet_bytes(schema.KIND_PICTURES, payload))
        if attachments:
            self._write(packet_bytes(schema.KIND_ATTACHMENTS, attachments))
        length = self._position - offset
        self._entries.append(GroupEntry(offset, length, self.picture_count, picture_count, starts_gop))

    def finish(self) -> None:
        """Write index and end."""
        index_offset = self._position
        entries = [(entry.length, entry.picture_count, entry.starts_gop) for entry in self._entries]
        self._write(packet_bytes(schema.KIND_INDEX, pack_index(entries)))
        end = schema.END.build({"picture_count": self.picture_count, "index_offset": index_offset})
        self._write(packet_bytes(schema.KIND_END, end))


def pack_header(header: SequenceHeader) -> bytes:
    """Payload of the sequence header (spec 5.2)."""
    colour = header.format.colour
    payload: bytes = schema.SEQUENCE_HEADER.build(
        {
            "major": schema.VERSION[0],
            "minor": schema.VERSION[1],
            "width": header.format.width,
            "height": header.format.height,
            "sample_format": header.format.sample_format,
            "bit_depth": header.format.bit_depth + header.format.is_float * schema.FLOAT,
            "colour_matrix": colour.matrix,
            "colour_primaries": colour.primaries,
            "colour_transfer": colour.transfer,
            "colour_range": colour.range,
            "chroma_siting": colour.siting,
            "rate_numerator": header.rate.numerator,
            "rate_denominator": header.rate.denominator,
            "residual_coder": header.residual,
            "motion_model": header.motion,
            "log2_cell_size": header.cell_size.bit_length() - 1,
            "vector_limit": header.vector_limit_quarter_pel,
            "gop_limit": header.gop_limit,
            "max_error": header.max_error,
            "coded_format": header.coded_format.sample_format,
        }
    )
    return payload


def pack_group(header: SequenceHeader, group: PacketGroup) -> bytes:
    """Payload of a picture packet (spec 5.4)."""
    streams = pack_streams(header, group)
    pictures: list[dict[str, Any]] = []
    for picture, checksum in zip(group.pictures, group.checksums, strict=True):
        parameters = plane_parameters(header, picture)
        same = bool(pictures and parameters["qps"] and parameters["qps"] == pictures[-1]["qps"])
        has_mesh = isinstance(picture.residual, WrittenSymbols) and picture.residual.mesh is not None
        references = picture.references + same * schema.SAME_QPS + has_mesh * schema.HAS_MESH
        pictures.append({"references": references, "checksum": checksum, **parameters})
    payload: bytes = schema.PICTURES.build(
        {
            "first_picture": group.first_picture,
            "pictures": pictures,
            "log2_mini_gop": group.mini_gop.bit_length() - 1,
            "streams": [{"id": stream, "length": len(frame)} for stream, frame in streams.items()],
            "data": b"".join(streams.values()),
        },
        **repeated_fields(header),
    )
    return payload


def plane_parameters(header: SequenceHeader, picture: CodedPicture) -> dict[str, list[Any]]:
    """What a picture's header says about its planes, as the schema wants it."""
    nothing: dict[str, list[Any]] = {"qps": [], "quantisers": [], "predictor_set_counts": []}
    if isinstance(picture.residual, WrittenSymbols | CodedSymbols):
        counts = [len(picture.alpha.weight_differences[0]) if picture.alpha else schema.SAME_ALPHA]
        qps = [picture.residual.qp, picture.residual.qp_chroma]
        return nothing | {"qps": qps, "predictor_set_counts": counts if header.alpha_header else []}
    if isinstance(picture.residual, LosslessResidual):
        counts = [len(plane) for plane in picture.residual.weight_differences]
        return nothing | {"predictor_set_counts": counts}
    planes = picture.residual[: len(picture.residual) - header.has_alpha]
    quantisers = [plane.quantiser for plane in planes] if header.residual.has_step else []
    return nothing | {"quantisers": [{"step_256": q.step_256, "zero_point": q.zero_point} for q in quantisers]}


def pack_metadata(metadata: dict[str, str]) -> bytes:
    """Payload of a metadata packet (spec 5.3).

    Raises:
        ConfigError: a key without or with more than 255 bytes, a value of more than 65535, no text, too many of them.
    """
    expect_type(metadata, dict, "metadata is a dict of text to text")
    if len(metadata) > 65535:
        raise ConfigError(f"{len(metadata)} metadata entries; at most 65535 can be kept")
    entries = []
    for key, value in metadata.items():
        for text in (key, value):
            expect_type(text, str, f"metadata {key!r:.40}: keys and values are text")
        try:
            key_bytes, value_bytes = key.encode(), value.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"metadata {key[:40]!r}: half a surrogate pair cannot be kept") from error
        if not 1 <= len(key_bytes) <= 255 or len(value_bytes) > 65535:
            raise ConfigError(f"metadata {key[:40]!r}: keys have 1…255 bytes and values at most 65535")
        entries.append(
            {
                "key_length": len(key_bytes),
                "key": key_bytes,
                "value_length": len(value_bytes),
                "value": value_bytes,
            }
        )
    payload: bytes = schema.METADATA.build({"entries": entries})
    return payload


def attachments_of(picture: Picture, rate: Fraction) -> Attachments:
    """What came with a picture, as it is kept: with how long it is shown, unless ``rate`` says the same.

    Raises:
        ConfigError: too many; a key without or with more than 255 bytes; a value that is no bytes, or a duration that
            is negative or no ratio of two numbers of 32 bits.
    """
    if DURATION in picture.attachments:
        raise ConfigError("how long a picture is shown is its duration, and no attachment")
    attachments = [*picture.attachments.items()]
    if picture.duration is not None and picture.duration * rate != 1:
        numerator, denominator = picture.duration.as_integer_ratio()
        if not (0 <= numerator < 1 << 32 and denominator < 1 << 32):
            raise ConfigError(f"a duration of {picture.duration} s; it is from 0, a ratio of two numbers below 2**32")
        attachments.append((DURATION, struct.pack("<II", numerator, denominator)))
    if len(attachments) > MAX_ATTACHMENTS:
        rule = f"at most {MAX_ATTACHMENTS} can be kept; --no-attachments leaves them out"
        raise ConfigError(f"{len(attachments)} attachments of a picture; {rule}")
    for key, value in attachments:
        expect_type(key, str, f"attachment {key!r:.40}: keys are text")
        expect_type(value, bytes, f"attachment {key!r:.40}: values are bytes")
        try:
            size = len(key.encode())
        except UnicodeEncodeError as error:
            raise ConfigError(f"attachment {key[:40]!r}: half a surrogate pair cannot be kept") from error
        if not 1 <= size <= 255:
            raise ConfigError(f"attachment {key[:40]!r}: keys have 1…255 bytes")
    return tuple(attachments)


def pack_attachments(of_pictures: Sequence[Attachments], shared: Attachments, pictures: range) -> bytes:
    """Payload of an attachments packet (spec 5.8); none where all pictures have what is shared.

    Of no ``pictures`` it is what they share.
    """
    if all(attachments == shared for attachments in of_pictures):
        return b""
    numbers = {attachment: number for number, attachment in enumerate(shared)}
    for attachment in chain.from_iterable(of_pictures):
        numbers.setdefault(attachment, len(numbers))
    own = list(numbers)[len(shared) :]
    keys = [key.encode() for key, _ in own]
    payload: bytes = schema.ATTACHMENTS.build(
        {
            "first_picture": pictures.start,
            "shared_count": len(shared),
            "attachments": [
                {"key_length": len(key), "key": key, "value_length": len(value)}
                for key, (_, value) in zip(keys, own, strict=True)
            ],
            "pictures": [
                {"numbers": [numbers[each] for each in attachments]} for attachments in of_pictures[: len(pictures)]
            ],
            "data": pack(np.frombuffer(b"".join(value for _, value in own), np.uint8)),
        }
    )
    return payload


def pack_index(entries: Sequence[tuple[int, int, bool]]) -> bytes:
    """Payload of the index (spec 5.6): a picture packet's whole length, its pictures, whether it starts a GOP."""
    return np.array(entries, schema.record_dtype(schema.INDEX_ENTRY)).tobytes()
