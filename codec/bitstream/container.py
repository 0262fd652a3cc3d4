"""Packets, checksums and the index: what makes a file out of packet groups (spec 5)."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Any, TypeVar

import numpy as np

from codec.bitstream import schema
from codec.bitstream.limits import DEFAULT_LIMITS, Limits
from codec.bitstream.payloads import (
    parse,
    parse_group,
    unpack_attachments,
    unpack_group,
    unpack_header,
    unpack_index,
    unpack_metadata,
)
from codec.coded import Attachments, PacketGroup, SequenceHeader
from codec.errors import BitstreamError, ChecksumError, LimitError, MediaError, TruncatedError, UnsupportedError
from codec.models import PictureType

__all__ = ["ContainerReader", "GroupEntry", "Packet", "has_checksum", "read_group"]

_T = TypeVar("_T")

PACKET_OVERHEAD = 12  # kind, length, CRC-32
CRC_WITH_ITSELF = 0x2144DF1C  # the CRC-32 of any bytes with their own CRC-32, little-endian, behind them
END_BYTES = PACKET_OVERHEAD + 12
LEAST_PICTURE_BYTES = 5  # references and CRC-32: no packet holds more pictures than its length over this


@dataclass(frozen=True)
class Packet:
    """A packet that was found whole: ``offset`` and ``length`` of its payload are in bytes."""

    kind: bytes
    offset: int
    payload: bytes

    @property
    def payload_offset(self) -> int:
        """Where the payload starts in the file."""
        return self.offset + 8


@dataclass(frozen=True)
class GroupEntry:
    """Where a packet group lies: a line of the index.

    ``length`` is that of its packet, and of the packet with its attachments where one follows.
    """

    offset: int
    length: int
    first_picture: int
    picture_count: int
    starts_gop: bool

    @property
    def end(self) -> int:
        """Number of the picture after the last."""
        return self.first_picture + self.picture_count

    @property
    def numbers(self) -> range:
        """Numbers of its pictures."""
        return range(self.first_picture, self.end)


def has_checksum(data: bytes) -> bool:
    """Whether a packet's bytes have the CRC-32 that they end with."""
    return zlib.crc32(data) == CRC_WITH_ITSELF


def packet_of(data: bytes, path: str, offset: int) -> Packet:
    """The packet that ``data`` is, which was read at ``offset``, its CRC-32 checked.

    Raises:
        ChecksumError: it is damaged.
    """
    if not has_checksum(data):
        raise ChecksumError("the packet does not have its CRC-32", path=path, offset=offset)
    return Packet(data[:4], offset, data[8:-4])


def checked(path: str, packet: Packet, unpack: Callable[[], _T]) -> _T:
    """Run ``unpack``, and give its errors the place of ``packet``."""
    try:
        return unpack()
    except BitstreamError as error:
        raise error.located(path, packet.payload_offset) from error.__cause__


def read_group(
    data: bytes, entry: GroupEntry, header: SequenceHeader, shared: Attachments | None, path: str, limits: Limits
) -> PacketGroup:
    """The coded pictures of a packet group, whose bytes were read where ``entry`` says; needs no file.

    Raises:
        BitstreamError: a packet is damaged, or not the one that ``entry`` describes.
    """
    size = _whole_length(data)
    attachments = data[size:]
    if data[:4] == schema.KIND_PICTURES and size + _whole_length(attachments) == len(data):
        packet = packet_of(data[:size], path, entry.offset)
        group = checked(path, packet, lambda: unpack_group(header, packet.payload, limits))
        starts_gop = group.pictures[0].type is PictureType.I
        if GroupEntry(entry.offset, len(data), group.first_picture, len(group.pictures), starts_gop) == entry:
            if not attachments:
                return group
            behind = packet_of(attachments, path, entry.offset + size)
            if behind.kind == schema.KIND_ATTACHMENTS:
                own = checked(path, behind, lambda: unpack_attachments(behind.payload, entry.numbers, shared, limits))
                return replace(group, attachments=own)
    raise not_described(path, entry)


def not_described(path: str, entry: GroupEntry) -> BitstreamError:
    """The error of a packet group that is another than the index says."""
    return BitstreamError("the packet is not the one that the index describes", path=path, offset=entry.offset)


def _whole_length(data: bytes) -> int:
    """Bytes of the packet that ``data`` starts with, as it says itself; 0 of nothing."""
    return int.from_bytes(data[4:8], "little") + PACKET_OVERHEAD if data else 0


class ContainerReader:
    """Reads a seekable file: header and metadata at once, packets when asked for.

    The index is used where it is whole and fits the file; otherwise the packets are found by a scan.

    Raises:
        BitstreamError: the file is not an ``.mvz`` file, or its structure is damaged.
        MediaError: it cannot be read, or has no end that could be looked for.
    """

    def __init__(self, file: IO[bytes], path: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._file = file
        self.path = path
        self.limits = limits
        self.metadata: dict[str, str] = {}
        self.shared: Attachments | None = ()
        self.groups: list[GroupEntry] = []
        self._closed = False
        try:
            file.seek(0, 2)
            self.size = file.tell()
        except (OSError, ValueError) as error:  # a pipe, or a stream that is closed
            raise self._unreadable(error) from error
        signature = self._read(0, len(schema.SIGNATURE))
        if signature != schema.SIGNATURE[: len(signature)] or not signature:
            raise BitstreamError("not an .mvz file: the signature is missing", path=path, offset=0)
        if len(signature) < len(schema.SIGNATURE):
            raise self._cut_error("the file ends inside the signature", len(signature))
        first = self.read_packet(len(schema.SIGNATURE))
        if first.kind != schema.KIND_SEQUENCE:
            raise BitstreamError("the first packet is not the sequence header", path=path, offset=first.offset)
        self.header = self.checked(first, lambda: unpack_header(first.payload, limits))
        self._find_groups(first.offset + len(first.payload) + PACKET_OVERHEAD)

    def _find_groups(self, offset: int) -> None:
        """Fill in what else there is from the packets behind the sequence header, which ends at ``offset``."""
        self.metadata, offset = self._read_metadata(offset)
        self.shared, self._first_group = self._read_shared(offset)
        self.groups = self._from_index() or []
        if not self.groups:
            self._scan()
        self._check_groups()

    @property
    def picture_count(self) -> int:
        """Pictures in the file."""
        return self.groups[-1].end if self.groups else 0

    def read_packet(self, offset: int) -> Packet:
        """The packet at ``offset``, its CRC-32 checked.

        Raises:
            TruncatedError: the file ends before the packet does.
            ChecksumError: the packet is damaged.
        """
        return packet_of(self.read_bytes(offset), self.path, offset)

    def read_bytes(self, offset: int) -> bytes:
        """All bytes of the packet at ``offset``, unchecked.

        Raises:
            TruncatedError: the file ends before the packet does.
        """
        _, length = self._packet_header(offset)
        return self._read(offset, length + PACKET_OVERHEAD)

    def close(self) -> None:
        """Read no more; the file itself is its owner's to close."""
        self._closed = True

    def _read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, or as many as there were when the file was opened.

        Raises:
            TruncatedError: it has become shorter since.
        """
        if self._closed:
            raise MediaError(f"{self.path}: is closed")
        try:
            self._file.seek(offset)
            data = self._file.read(count)
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from error
        if not isinstance(data, bytes):
            raise MediaError(f"{self.path}: is a stream of {type(data).__name__}; one of bytes is needed (mode 'rb')")
        if len(data) < min(count, self.size - offset):
            raise TruncatedError("the file was cut while it was read", path=self.path, offset=offset + len(data))
        return data

    def _unreadable(self, error: OSError | ValueError) -> MediaError:
        return MediaError(f"{self.path}: cannot be read: {getattr(error, 'strerror', None) or error}")

    @functools.cached_property
    def _has_end(self) -> bool:
        """Whether the last bytes are a whole end packet: a file that ends so was not cut."""
        last = self._read(max(self.size - END_BYTES, 0), END_BYTES)
        return last.startswith(schema.KIND_END) and has_checksum(last)

    def _cut_error(self, rule: str, offset: int) -> TruncatedError:
        """The file is too short at ``offset``, when packets up to there are known; where it is cut, that is said."""
        if self._has_end:
            return TruncatedError(rule, path=self.path, offset=offset)
        count = self.picture_count
        where = f"after picture {count - 1}" if count else "before a first picture is whole"
        rule = f"the file is cut {where}: {rule}"
        return TruncatedError(rule, path=self.path, offset=offset, pictures_before_cut=count)

    def packets(self) -> Iterator[Packet]:
        """Every packet of the file, in order, each CRC-32 checked, also where reading pictures does without.

        Raises:
            BitstreamError: a packet is damaged.
        """
        offset = len(schema.SIGNATURE)
        while offset < self.size:
            packet = self.read_packet(offset)
            yield packet
            offset += len(packet.payload) + PACKET_OVERHEAD

    def _packet_header(self, offset: int) -> tuple[bytes, int]:
        """Kind and payload length of the packet at ``offset``, which the file is long enough for."""
        if not 0 <= offset <= self.size - PACKET_OVERHEAD:
            raise self._cut_error("it ends where a packet should be", offset)
        raw = schema.PACKET_HEADER.parse(self._read(offset, 8))
        if raw.length > self.size - offset - PACKET_OVERHEAD:
            left = self.size - offset - PACKET_OVERHEAD
            raise self._cut_error(f"a packet of {raw.length} bytes where the file has {left}", offset)
        return raw.kind, raw.length

    def read_group(self, entry: GroupEntry) -> PacketGroup:
        """The coded pictures of one packet."""
        data = self.read_group_bytes(entry)
        return read_group(data, entry, self.header, self.shared, self.path, self.limits)

    def read_group_bytes(self, entry: GroupEntry) -> bytes:
        """All bytes of a packet group with its attachments, unchecked."""
        return self._read(entry.offset, entry.length)

    def read_attachments(self, entry: GroupEntry) -> tuple[Attachments, ...]:
        """What came with each picture of a packet group, without decoding them."""
        end = entry.offset + self._packet_header(entry.offset)[1] + PACKET_OVERHEAD
        if end == entry.offset + entry.length:
            return (self.shared or (),) * entry.picture_count
        packet = self.read_packet(end)
        return self.checked(packet, lambda: unpack_attachments(packet.payload, entry.numbers, self.shared, self.limits))

    def parse_group(self, packet: Packet) -> Any:
        """The parsed fields of a picture packet, without decompressing its streams."""
        return self.checked(packet, lambda: parse_group(self.header, packet.payload))

    def checked(self, packet: Packet, unpack: Callable[[], _T]) -> _T:
        """Run ``unpack``, and give its errors the place of ``packet``."""
        return checked(self.path, packet, unpack)

    def _from_index(self) -> list[GroupEntry] | None:
        """The groups as the index lists them, or None where end or index is missing, damaged or does not fit.

        Packet groups must fill the file from metadata to index, so an index can hide no packet.
        """
        end_offset = self.size - END_BYTES
        try:
            end = parse(schema.END, self._read_kind(schema.KIND_END, end_offset).payload, "end")
            index = self._read_kind(schema.KIND_INDEX, end.index_offset)
            entries = unpack_index(index.payload)
        except BitstreamError:
            return None
        counts = entries["picture_count"].astype(np.int64)
        lengths = entries["length"].astype(np.int64)
        usable = (
            np.all(entries["starts_gop"] <= 1)
            and np.all(counts >= 1)
            and np.all(lengths >= PACKET_OVERHEAD + LEAST_PICTURE_BYTES * counts)
            and self._first_group + int(lengths.sum()) == index.offset
            and index.offset + PACKET_OVERHEAD + len(index.payload) == end_offset
            and int(counts.sum()) == end.picture_count
        )
        if not usable:
            return None
        offsets = self._first_group + np.cumsum(lengths) - lengths
        first_pictures = np.cumsum(counts) - counts
        starts = entries["starts_gop"].astype(bool)
        columns = (column.tolist() for column in (offsets, lengths, first_pictures, counts, starts))
        return [GroupEntry(*row) for row in zip(*columns, strict=True)]

    def _read_kind(self, kind: bytes, offset: int) -> Packet:
        """The packet at ``offset``, which must be of a kind; other errors than `read_packet`'s are plain."""
        packet = self.read_packet(offset)
        if packet.kind != kind:
            raise BitstreamError(f"a packet of kind {packet.kind!r} where {kind!r} should be")
        return packet

    def _read_metadata(self, offset: int) -> tuple[dict[str, str], int]:
        """Keys and values of a metadata packet at ``offset``, and where it ends; without one, nothing and there."""
        kind, length = self._packet_header(offset)
        if kind != schema.KIND_METADATA:
            return {}, offset
        if length > self.limits.max_metadata_bytes:
            limit = self.limits.max_metadata_bytes
            raise LimitError(f"metadata of {length} bytes; the limit is {limit}", path=self.path, offset=offset)
        packet = self.read_packet(offset)
        return self.checked(packet, lambda: unpack_metadata(packet.payload)), offset + length + PACKET_OVERHEAD

    def _read_shared(self, offset: int) -> tuple[Attachments, int]:
        """What pictures share, in an attachments packet at ``offset``, and where that ends; without one as metadata."""
        kind, length = self._packet_header(offset)
        if kind != schema.KIND_ATTACHMENTS:
            return (), offset
        packet = self.read_packet(offset)
        return self._shared_of(packet), offset + length + PACKET_OVERHEAD

    def _shared_of(self, packet: Packet) -> Attachments:
        return self.checked(packet, lambda: unpack_attachments(packet.payload, range(0), (), self.limits))[0]

    def _scan(self) -> None:
        """Find every packet group by walking the packets from the header to the end packet.

        Raises:
            BitstreamError: a packet is damaged or of an unknown critical kind, or bytes follow the end.
        """
        offset = self._first_group
        while True:
            kind, length = self._packet_header(offset)
            next_offset = offset + length + PACKET_OVERHEAD
            if kind == schema.KIND_INDEX:  # it can be spared, so it may be damaged
                offset = next_offset
                continue
            packet = self.read_packet(offset)
            if packet.kind == schema.KIND_PICTURES:
                self.groups.append(self._entry_of(packet))
            elif packet.kind == schema.KIND_ATTACHMENTS and self.groups and self._is_behind_last(packet):
                self.groups[-1] = replace(self.groups[-1], length=next_offset - self.groups[-1].offset)
            elif packet.kind == schema.KIND_END:
                self._check_end(packet, next_offset)
                return
            elif not packet.kind[:1].islower():
                raise UnsupportedError(f"a critical packet of kind {packet.kind!r}", path=self.path, offset=offset)
            offset = next_offset

    def _entry_of(self, packet: Packet) -> GroupEntry:
        raw = self.parse_group(packet)
        length = len(packet.payload) + PACKET_OVERHEAD
        return GroupEntry(packet.offset, length, raw.first_picture, len(raw.pictures), raw.pictures[0].references == 0)

    def _is_behind_last(self, packet: Packet) -> bool:
        """Whether a packet directly follows the packet group found last, which has no attachments yet."""
        last = self.groups[-1]
        pictures_length = self._packet_header(last.offset)[1] + PACKET_OVERHEAD
        return packet.offset == last.offset + last.length and last.length == pictures_length

    def _check_end(self, packet: Packet, next_offset: int) -> None:
        end = self.checked(packet, lambda: parse(schema.END, packet.payload, "end"))
        count = self.picture_count
        if end.picture_count != count:
            rule = f"the end declares {end.picture_count} pictures, the packets hold {count}"
            raise BitstreamError(rule, path=self.path, offset=packet.offset)
        if next_offset != self.size:
            rule = f"{self.size - next_offset} bytes after the end"
            raise BitstreamError(rule, path=self.path, offset=next_offset)

    def _check_groups(self) -> None:
        """Packet groups must count on without a gap, start with an I picture and keep to the GOP limit (spec 5.5)."""
        if not self.groups:
            raise BitstreamError("the file holds no picture", path=self.path, offset=self._first_group)
        expected, gop_pictures = 0, 0
        for group in self.groups:
            gop_pictures = group.picture_count if group.starts_gop else gop_pictures + group.picture_count
            if group.first_picture != expected:
                rule = f"a packet group starts with picture {group.first_picture}; picture {expected} is next"
            elif expected == 0 and not group.starts_gop:
                rule = "the first picture is not an I picture"
            elif gop_pictures > self.header.gop_limit:
                rule = f"a GOP of more than {self.header.gop_limit} pictures"
            else:
                expected += group.picture_count
                continue
            raise BitstreamError(rule, path=self.path, offset=group.offset)
        if expected > self.limits.max_pictures:
            rule = f"{expected} pictures; the limit is {self.limits.max_pictures}"
            raise LimitError(rule, path=self.path, offset=self._first_group)

    def gops(self) -> list[list[GroupEntry]]:
        """The groups of each GOP, in order."""
        gops: list[list[GroupEntry]] = []
        for group in self.groups:
            if group.starts_gop:
                gops.append([])
            gops[-1].append(group)
        return gops
