"""Reading the rest of a damaged file: every picture packet that is whole, wherever it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from codec.bitstream import schema
from codec.bitstream.container import PACKET_OVERHEAD, ContainerReader, GroupEntry, Packet, has_checksum
from codec.bitstream.limits import DEFAULT_LIMITS, Limits
from codec.bitstream.payloads import parse, unpack_attachments, unpack_metadata
from codec.errors import BitstreamError, ChecksumError, LimitError, TruncatedError, UnsupportedError

__all__ = ["MOST_DAMAGE", "SalvageReader", "note_damage"]

KINDS = (schema.KIND_PICTURES, schema.KIND_INDEX, schema.KIND_END, schema.KIND_METADATA, schema.KIND_ATTACHMENTS)
WINDOW_BYTES = 1 << 20
MOST_CHECKED = 8  # times the file: CRC-32 of whole packets take one, of damaged ones another; more is an attack
MOST_DAMAGE = 1000  # errors that are kept


def note_damage(damage: list[BitstreamError], error: BitstreamError) -> None:
    """Add an error to those before it, of which at most `MOST_DAMAGE` are kept; one more says that there are more."""
    if len(damage) == MOST_DAMAGE:
        rule = f"more than these {MOST_DAMAGE} places are damaged, from here on"
        error = BitstreamError(rule, path=error.path, offset=error.offset)
    if len(damage) <= MOST_DAMAGE:
        damage.append(error)


class SalvageReader(ContainerReader):
    """Reads every whole packet of a file: ``groups`` may leave pictures out, and ``damage`` lists the errors.

    Packets are read one after the other from the header on, without the index.
    Behind a damaged one the reader goes on at its end, if a packet begins there, or else at the next whole packet of a
    kind that it knows, anywhere in the rest of the file.
    Time is linear in the size of the file: no place is looked at twice, and the reader gives up when it has checked
    `MOST_CHECKED` times the file.
    No picture is decoded yet, so a whole packet may still turn out to be damaged.

    Raises:
        BitstreamError: signature or sequence header are damaged, so that nothing can be read.
        MediaError: the file cannot be read.
    """

    def __init__(self, file: IO[bytes], path: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.damage: list[BitstreamError] = []
        self.has_end = False
        self._declared_count = 0
        self._gop_start = 0
        self._orphaned_at = -1  # the picture that is missing before the P pictures that were reported last
        self._window, self._window_offset, self._window_end = b"", 0, 0  # what was read last, and where
        super().__init__(file, path, limits)

    @property
    def picture_count(self) -> int:
        """Pictures in the file, as far as can be told: as its end declares, or up to the last packet that is whole."""
        return max(self._declared_count, super().picture_count)

    def _find_groups(self, offset: int) -> None:
        self._to_check = MOST_CHECKED * self.size
        self.shared = None  # until it is found
        # the kind of a packet, and a length whose upper bytes are 0 where the file is shorter than they could say
        low = min(-(-self.size.bit_length() // 8), 4)
        self._looks = re.compile(b"(?:%b)(?=(?s:.){%d}\\0{%d})" % (b"|".join(KINDS), low, 4 - low))
        start = offset
        for packet in self._whole_packets(offset):
            try:
                self._take(packet, packet.offset == start)
            except BitstreamError as error:
                self._note(error, packet.offset)
            if self.has_end:
                return
        if not (self.damage and isinstance(self.damage[-1], TruncatedError)):
            self._note(self._cut_error("it has no whole end packet", self.size), self.size)

    def _note(self, error: BitstreamError, offset: int) -> None:
        note_damage(self.damage, error.located(self.path, offset))

    def _take(self, packet: Packet, follows_header: bool) -> None:
        """Keep the groups, metadata or picture count of a whole packet."""
        if packet.kind == schema.KIND_PICTURES:
            self._take_group(self._entry_of(packet))
        elif packet.kind == schema.KIND_METADATA and follows_header:
            if len(packet.payload) > self.limits.max_metadata_bytes:
                raise LimitError(f"metadata of {len(packet.payload)} bytes")
            self.metadata = self.checked(packet, lambda: unpack_metadata(packet.payload))
        elif packet.kind == schema.KIND_ATTACHMENTS:
            self._take_attachments(packet)
        elif packet.kind == schema.KIND_END:
            end = self.checked(packet, lambda: parse(schema.END, packet.payload, "end"))
            self._declared_count = min(end.picture_count, self.limits.max_pictures)
            if rest := self.size - packet.offset - PACKET_OVERHEAD - len(packet.payload):
                self._note(BitstreamError(f"{rest} bytes after the end"), self.size - rest)
            self.has_end = True
        elif packet.kind != schema.KIND_INDEX and not packet.kind[:1].islower():
            raise UnsupportedError(f"a critical packet of kind {packet.kind!r}")

    def _take_attachments(self, packet: Packet) -> None:
        """Keep what came with the packet group before, or ahead of all with every picture."""
        if not self.groups:
            self.shared = self._shared_of(packet)
        elif self._is_behind_last(packet):
            last = self.groups[-1]
            self.checked(packet, lambda: unpack_attachments(packet.payload, last.numbers, self.shared, self.limits))
            self.groups[-1] = replace(last, length=last.length + len(packet.payload) + PACKET_OVERHEAD)

    def _take_group(self, group: GroupEntry) -> None:
        """Keep a packet group that lies behind those before it.

        Raises:
            BitstreamError: it repeats pictures, makes its GOP too long, or counts further than any file does.
        """
        expected = self.groups[-1].end if self.groups else 0
        if group.first_picture < expected:
            raise BitstreamError(
                f"a packet group starts with picture {group.first_picture}; picture {expected} is next"
            )
        if group.end > self.limits.max_pictures:
            raise LimitError(f"{group.end} pictures; the limit is {self.limits.max_pictures}")
        if group.starts_gop:
            self._gop_start = group.first_picture
        elif not self.groups or group.first_picture > expected:
            if self._orphaned_at == expected:
                return
            self._orphaned_at = expected
            raise BitstreamError(f"picture {group.first_picture} needs pictures before it that are missing")
        elif group.end - self._gop_start > self.header.gop_limit:
            raise BitstreamError(f"a GOP of more than {self.header.gop_limit} pictures")
        self.groups.append(group)

    def _whole_packets(self, offset: int) -> Iterator[Packet]:
        """Every packet from ``offset`` on that has its CRC-32, but for the index."""
        while offset < self.size and self._to_check >= 0:
            end, data = self._packet_at(offset)
            if data is None:
                if len(self.damage) <= MOST_DAMAGE:
                    self._note(self._why_not_whole(offset), offset)
                found = self._next_packet(offset, end)
                if found is None:
                    break
                offset, end, data = found
            if not data.startswith(schema.KIND_INDEX):
                yield Packet(data[:4], offset, data[8:-4])
            offset = end
        if self._to_check < 0:
            self._note(LimitError(f"packets overlap so much that {MOST_CHECKED} times the file was checked"), offset)

    def _why_not_whole(self, offset: int) -> BitstreamError:
        """Why there is no whole packet at ``offset``."""
        try:
            self._packet_header(offset)
        except TruncatedError as error:
            return error
        return ChecksumError("the packet does not have its CRC-32")

    def _next_packet(self, damaged: int, end: int) -> tuple[int, int, bytes] | None:
        """Place, end and bytes of the first whole packet behind a damaged one, at its end or else by its looks."""
        if end < self.size:
            end_behind, data = self._packet_at(end)
            if data is not None:
                return end, end_behind, data
        place = damaged + 1
        while place <= self.size - PACKET_OVERHEAD and self._to_check >= 0:
            start = self._window_from(place, PACKET_OVERHEAD)
            if found := self._looks.search(self._window, start):
                place = self._window_offset + found.start()
                end, data = self._packet_at(place)
                if data is not None:
                    return place, end, data
                place += 1
            else:
                place = self._window_end - PACKET_OVERHEAD + 1
        return None

    def _packet_at(self, offset: int) -> tuple[int, bytes | None]:
        """Where a packet at ``offset`` ends, if its length is true; and its bytes, if they have their CRC-32.

        None also where enough has been checked.
        """
        start = self._window_from(offset, PACKET_OVERHEAD)
        count = int.from_bytes(self._window[start + 4 : start + 8], "little") + PACKET_OVERHEAD
        end = offset + count
        if end > self.size or self._to_check < 0:
            return end, None
        self._to_check -= count
        data = self._window[start : start + count] if end <= self._window_end else self._read(offset, count)
        return end, data if has_checksum(data) else None

    def _read(self, offset: int, count: int) -> bytes:
        """As of any file, but small reads come out of a window of the file."""
        if count > WINDOW_BYTES:
            return super()._read(offset, count)
        start = self._window_from(offset, count)
        return self._window[start : start + count]

    def _window_from(self, offset: int, count: int) -> int:
        """Where in the window ``count`` bytes from ``offset`` begin, or as many as the file has; moves the window."""
        if offset < self._window_offset or offset + count > self._window_end < self.size:
            self._window, self._window_offset = super()._read(offset, WINDOW_BYTES), offset
            self._window_end = offset + len(self._window)
        return offset - self._window_offset
