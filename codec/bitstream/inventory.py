"""What is in a file, and what every byte is for, without decoding a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from operator import attrgetter
from typing import Any

import numpy as np

from codec.bitstream.container import PACKET_OVERHEAD, ContainerReader, GroupEntry, not_described
from codec.bitstream.packing import StreamReader
from codec.bitstream.payloads import DURATION, compressed_streams, duration_of, picture_headers
from codec.bitstream.schema import StreamId
from codec.bitstream.shares import COMPONENT_OF, COMPONENTS, picture_shares
from codec.bitstream.streams import check_streams, unpack_depth, unpack_maps, unpack_names
from codec.coded import Quantiser, SequenceHeader, picture_type
from codec.models import PictureType, ResidualCoder

__all__ = ["COMPONENTS", "Inventory", "PictureEntry", "take_inventory"]


@dataclass(frozen=True)
class PictureEntry:
    """One picture of a file.

    Attributes:
        number: from 0.
        type: I, P or B.
        name: the source's file name, or None.
        bytes: its bytes by component; where pictures share a packet, its share, estimated from the entropy of its
            symbols. Shares add up to the packet. Empty where no such estimate was asked for.
        estimated: whether ``bytes`` is such a share.
        steps: quantiser step of each plane but alpha in sample values; empty for coders without one.
        qps: quantisers of luma and chroma of ``dct``; empty for other coders.
        duration: how many seconds it is shown, where that is not what the rate says.
        attachments: bytes of what else came with it, unpacked, by key; pictures may share them.
        coded_bits: of the samples that are coded, of all planes but alpha of ``dct``.
        mapped_values: how many values occur, of all planes but alpha, then of alpha if there is any, where samples are
            coded by their number among those; 0 where not, and empty where no plane is.
    """

    number: int
    type: PictureType
    name: str | None
    bytes: dict[str, float]
    estimated: bool
    steps: tuple[float, ...]
    qps: tuple[int, ...] = ()
    duration: Fraction | None = None
    attachments: dict[str, int] = field(default_factory=dict)
    coded_bits: int = 8
    mapped_values: tuple[int, ...] = ()

    @property
    def total_bytes(self) -> float | None:
        """Bytes of all components; None where ``bytes`` is empty."""
        return sum(self.bytes.values()) if self.bytes else None


@dataclass(frozen=True)
class Inventory:
    """What `codec.Video.info` tells.

    Attributes:
        path: the file.
        file_bytes: its size.
        header: what all pictures share.
        metadata: free keys and values.
        bytes: the file's bytes by component; they add up to ``file_bytes``.
        pictures: one entry a picture.
    """

    path: str
    file_bytes: int
    header: SequenceHeader
    metadata: dict[str, str]
    bytes: dict[str, int]
    pictures: list[PictureEntry] = field(repr=False)

    @property
    def source_bytes(self) -> int:
        """Raw samples, one byte each, or two of more than 8 bits."""
        return len(self.pictures) * self.header.format.raw_bytes

    @property
    def ratio(self) -> float:
        """Raw samples over file."""
        return self.source_bytes / self.file_bytes

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the file for every luma sample."""
        pixels = len(self.pictures) * self.header.format.width * self.header.format.height
        return 8 * self.file_bytes / pixels

    def of_type(self, type_: PictureType) -> list[PictureEntry]:
        """The pictures of one type."""
        return [picture for picture in self.pictures if picture.type is type_]

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        header, picture_format = self.header, self.header.format
        colour = picture_format.colour
        return {
            "file": self.path,
            "file_bytes": self.file_bytes,
            "source_bytes": self.source_bytes,
            "ratio": self.ratio,
            "bits_per_pixel": self.bits_per_pixel,
            "width": picture_format.width,
            "height": picture_format.height,
            "sample_format": picture_format.sample_format.label,
            "bit_depth": picture_format.bit_depth,
            "is_float": picture_format.is_float,
            "colour": {name: getattr(colour, name).name.lower() for name in vars(colour)},
            "rate": str(header.rate),
            "residual": header.residual.label,
            "motion": header.motion.label,
            "block": header.cell_size,
            "vector_limit_quarter_pel": header.vector_limit_quarter_pel,
            "gop_limit": header.gop_limit,
            "max_error": header.max_error,
            "metadata": self.metadata,
            "bytes": self.bytes,
            "picture_count": len(self.pictures),
            "pictures": [
                asdict(entry)
                | {
                    "type": entry.type.name,
                    "total_bytes": entry.total_bytes,
                    "duration": None if entry.duration is None else str(entry.duration),
                }
                for entry in self.pictures
            ],
        }


def take_inventory(container: ContainerReader, shares: bool = True) -> Inventory:
    """Read every packet of an open file, check its CRC-32, and count its bytes.

    Without ``shares``, pictures of ``dct`` that share a packet have no ``bytes``, which only all symbols of the file
    would tell.

    Raises:
        BitstreamError: a packet is damaged.
    """
    totals = dict.fromkeys(COMPONENTS, 0)
    pictures: list[PictureEntry] = []
    for entry in container.groups:
        maps = pictures[-1].mapped_values if pictures else ()
        pictures.extend(_packet_entries(container, entry, totals, shares, maps))
    totals["headers"] += container.size - sum(totals.values())
    return Inventory(container.path, container.size, container.header, container.metadata, totals, pictures)


def _packet_entries(
    container: ContainerReader, entry: GroupEntry, totals: dict[str, int], shares_wanted: bool, mapped: tuple[int, ...]
) -> list[PictureEntry]:
    """The pictures of one packet, ``mapped`` as those before unless it says otherwise; adds its bytes to ``totals``."""
    header, packet = container.header, container.read_packet(entry.offset)
    raw = container.parse_group(packet)
    streams = compressed_streams(raw)
    headers = picture_headers(header, raw)
    count = len(headers)
    names = container.checked(packet, lambda: unpack_names(streams.get(StreamId.NAMES), count, container.limits))
    container.checked(packet, lambda: check_streams(header, headers, streams, container.limits))
    if count != entry.picture_count:
        raise not_described(container.path, entry)
    if not headers[0].references:
        mapped = container.checked(packet, lambda: _mapped_values(header, streams))
    bits = header.coded_format.bit_depth
    if header.residual is ResidualCoder.LOSSLESS:
        substreams = streams[StreamId.CONTEXT_SUBSTREAMS]
        bits = container.checked(packet, lambda: unpack_depth(StreamReader(substreams), header.format.bit_depth))
    attachments = [dict(of_picture) for of_picture in container.read_attachments(entry)]
    durations = [of_picture.pop(DURATION, None) for of_picture in attachments]
    shares = dict.fromkeys(COMPONENTS, np.full(count, 1 / count))
    are_known = count == 1 or shares_wanted or header.residual is not ResidualCoder.DCT
    if count > 1 and are_known:
        shares |= container.checked(packet, lambda: picture_shares(header, headers, streams))
    framing = PACKET_OVERHEAD + len(packet.payload) - len(raw.data)
    totals["headers"] += framing
    per_picture = {component: np.zeros(count) for component in COMPONENTS}
    per_picture["headers"] += framing / count
    for stream, frame in streams.items():
        component = COMPONENT_OF[stream]
        totals[component] += len(frame)
        per_picture[component] += len(frame) * shares[component]
    entries = []
    for position, picture in enumerate(headers):
        number = position if picture.place is None else picture.place.number - raw.first_picture
        shown = PictureEntry(
            number=entry.first_picture + number,
            type=picture_type(picture.references, picture.place),
            name=(names[number] or None) if names else None,
            bytes={name: round(float(values[position]), 1) for name, values in per_picture.items() if are_known},
            estimated=count > 1,
            steps=tuple(
                Quantiser(of.step_256).step(header.format.bit_depth) for of in raw.pictures[position].quantisers
            ),
            qps=tuple(raw.pictures[position].qps),
            duration=None if (duration := durations[number]) is None else duration_of(duration),
            attachments={key: len(value) for key, value in attachments[number].items()},
            coded_bits=bits,
            mapped_values=mapped,
        )
        entries.append(shown)
    return sorted(entries, key=attrgetter("number"))


def _mapped_values(header: SequenceHeader, streams: dict[StreamId, bytes]) -> tuple[int, ...]:
    """How many values each value map of a GOP has, by the streams of its first packet."""
    if header.residual is ResidualCoder.DCT and header.alpha_header:
        maps = unpack_maps(header.alpha_header, streams.get(StreamId.ALPHA_MAP))
        return (0, *(values.size for values in maps)) if maps else ()
    return tuple(values.size for values in unpack_maps(header, streams.get(StreamId.VALUE_MAPS)))
