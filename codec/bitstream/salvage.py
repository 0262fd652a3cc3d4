"""Reading what is left of a damaged file: every picture packet that is whole, wherever it lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from codec.bitstream import schema
from codec.bitstream.container import PACKET_OVERHEAD, ContainerReader, Packet, RunEntry
from codec.bitstream.limits import DEFAULT_LIMITS, Limits
from codec.bitstream.payloads import parse, unpack_metadata
from codec.errors import BitstreamError, LimitError, TruncatedError, UnsupportedError

__all__ = ["SalvageReader"]

KINDS = (schema.KIND_PICTURES, schema.KIND_INDEX, schema.KIND_END, schema.KIND_METADATA)
CHUNK_BYTES = 1 << 20
MOST_REREAD = 8  # times the file: what looking for packets behind damage may check in vain


class SalvageReader(ContainerReader):
    """Reads as much of a file as is whole: ``runs`` may leave pictures out, and ``damage`` says what is amiss.

    Packets are walked from the header on; the index is not used.
    Where one is damaged, the walk goes on behind it if a packet is there, or else at the next whole packet of a kind
    that this reader knows, anywhere in the rest of the file.
    Of the pictures of a packet nothing is decoded yet, so they may still turn out to be damaged.

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
        super().__init__(file, path, limits)

    @property
    def picture_count(self) -> int:
        """Pictures in the file, as far as can be told: as its end declares, or up to the last packet that is whole."""
        return max(self._declared_count, super().picture_count)

    def _find_runs(self, offset: int) -> None:
        self._to_reread = MOST_REREAD * self.size
        start = offset
        for packet in self._whole_packets(offset):
            try:
                self._take(packet, packet.offset == start)
            except BitstreamError as error:
                self.damage.append(error.located(self.path, packet.offset))
            if self.has_end:
                return
        if not (self.damage and isinstance(self.damage[-1], TruncatedError)):
            self.damage.append(TruncatedError("the file has no whole end packet", path=self.path, offset=self.size))

    def _take(self, packet: Packet, follows_header: bool) -> None:
        """Keep what a whole packet tells."""
        if packet.kind == schema.KIND_PICTURES:
            self._take_run(self._entry_of(packet))
        elif packet.kind == schema.KIND_METADATA and follows_header:
            if len(packet.payload) > self.limits.max_metadata_bytes:
                raise LimitError(f"metadata of {len(packet.payload)} bytes")
            self.metadata = self.checked(packet, lambda: unpack_metadata(packet.payload))
        elif packet.kind == schema.KIND_END:
            end = self.checked(packet, lambda: parse(schema.END, packet.payload, "end"))
            self._declared_count = min(end.picture_count, self.limits.max_pictures)
            rest = self.size - packet.offset - PACKET_OVERHEAD - len(packet.payload)
            if rest:
                rule = f"{rest} bytes after the end"
                self.damage.append(BitstreamError(rule, path=self.path, offset=self.size - rest))
            self.has_end = True
        elif packet.kind != schema.KIND_INDEX and not packet.kind[:1].islower():
            raise UnsupportedError(f"a critical packet of kind {packet.kind!r}")

    def _take_run(self, run: RunEntry) -> None:
        """Keep a run that lies behind those before it.

        Raises:
            BitstreamError: it repeats pictures, makes its GOP too long, or counts further than any file does.
        """
        last = self.runs[-1] if self.runs else None
        expected = last.end if last else 0
        if run.first_picture < expected:
            raise BitstreamError(f"a run starts with picture {run.first_picture}; picture {expected} is next")
        if run.end > self.limits.max_pictures:
            raise LimitError(f"{run.end} pictures; the limit is {self.limits.max_pictures}")
        if not run.starts_gop:
            if last is None or run.first_picture > expected:
                if self._orphaned_at == expected:
                    return
                self._orphaned_at = expected
                raise BitstreamError(f"picture {run.first_picture} needs pictures before it that are missing")
            if run.end - self._gop_start > self.header.gop_limit:
                raise BitstreamError(f"a GOP of more than {self.header.gop_limit} pictures")
        else:
            self._gop_start = run.first_picture
        self.runs.append(run)

    def _whole_packets(self, offset: int) -> Iterator[Packet]:
        """Every packet from ``offset`` on that has its CRC-32."""
        while offset < self.size:
            try:
                packet = self.read_packet(offset)
            except BitstreamError as error:
                self.damage.append(error)
                found = self._next_packet(offset)
                if found is None:
                    return
                packet = found
            yield packet
            offset = packet.offset + len(packet.payload) + PACKET_OVERHEAD

    def _next_packet(self, offset: int) -> Packet | None:
        """The first whole packet behind the damaged one at ``offset``, by its length or else by its looks."""
        candidates = self._places_of_kinds(offset + 1)
        try:
            _, length = self._packet_header(offset)
        except TruncatedError:
            pass
        else:
            behind = offset + length + PACKET_OVERHEAD
            if behind < self.size and (packet := self._packet_at(behind)):
                return packet
        for place in candidates:
            if packet := self._packet_at(place):
                return packet
            if self._to_reread < 0:
                break
        return None

    def _packet_at(self, offset: int) -> Packet | None:
        try:
            _, length = self._packet_header(offset)
            self._to_reread -= length
            return self.read_packet(offset)
        except BitstreamError:
            return None

    def _places_of_kinds(self, offset: int) -> Iterator[int]:
        """Where from ``offset`` on four bytes are the kind of a packet."""
        while offset < self.size:
            chunk = self._read(offset, CHUNK_BYTES + 3)
            places = sorted(place for kind in KINDS for place in _places(chunk, kind))
            yield from (offset + place for place in places if place < CHUNK_BYTES)
            offset += CHUNK_BYTES


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    place = data.find(wanted)
    while place >= 0:
        yield place
        place = data.find(wanted, place + 1)
