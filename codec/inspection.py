"""One picture seen from inside the decoder: what the file says of it, its prediction, and what each cell costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from codec.bitstream.cell_bits import CellBits, cell_bits
from codec.bitstream.container import PACKET_OVERHEAD, ContainerReader, RunEntry
from codec.bitstream.payloads import compressed_streams
from codec.bitstream.stream_ids import StreamId
from codec.coded import CodedBlocks, CodedPicture, LosslessResidual, MotionField, SequenceHeader
from codec.models import PictureType
from codec.picture.planes import Picture
from codec.reconstruct import History, lossless_residuals, predict

__all__ = ["Inspection", "inspect_packet"]


class Step(Protocol):
    """What the decoder hands over of a picture."""

    @property
    def number(self) -> int:
        """From 0."""

    @property
    def coded(self) -> CodedPicture:
        """What the file says."""

    @property
    def before(self) -> History:
        """What the picture was decoded from."""

    @property
    def picture(self) -> Picture:
        """What comes out."""


class PacketFacts(NamedTuple):
    """The packet that holds a picture: its first picture, how many there are, its bytes with their framing."""

    first: int
    pictures: int
    bytes: int


class Packet:
    """The pictures that share a packet, and how its bytes are spread over them."""

    def __init__(
        self, header: SequenceHeader, steps: Sequence[Step], stream_bytes: dict[StreamId, int], total_bytes: int
    ) -> None:
        self.facts = PacketFacts(steps[0].number, len(steps), total_bytes)
        self._header = header
        self._steps = steps
        self._stream_bytes = stream_bytes

    @cached_property
    def cell_bits(self) -> CellBits:
        """Of all its pictures."""
        steps = self._steps
        lossless = isinstance(steps[0].coded.residual, LosslessResidual)
        left = [lossless_residuals(step.coded, step.before, self._header) for step in steps] if lossless else []
        return cell_bits(self._header, [step.coded for step in steps], left, self._stream_bytes)

    @cached_property
    def header_bits(self) -> float:
        """What is left for each picture: its share of packet and picture headers, and of names."""
        in_cells = sum(float(bits.sum()) for bits in self.cell_bits.by_component.values())
        return (8 * self.facts.bytes - in_cells) / len(self._steps)


@dataclass(frozen=True, eq=False)
class Inspection:
    """A decoded picture and how it came to be.

    Attributes:
        number: from 0.
        header: what all pictures of the file share.
        coded: what the file says of this one.
        references: the decoded pictures that it is predicted from, the newest first; none for an I picture.
        predictions: what motion makes of each of them, before any residual; none where the coder predicts and
            completes a picture block by block.
        picture: the decoded picture.
    """

    number: int
    header: SequenceHeader = dataclasses.field(repr=False)
    coded: CodedPicture = dataclasses.field(repr=False)
    references: tuple[Picture, ...] = dataclasses.field(repr=False)
    predictions: tuple[Picture, ...] = dataclasses.field(repr=False)
    picture: Picture = dataclasses.field(repr=False)
    _packet: Packet = dataclasses.field(repr=False)

    @property
    def type(self) -> PictureType:
        """I or P."""
        return self.coded.type

    @property
    def field(self) -> MotionField | None:
        """Backward motion; None for an I picture, and where nothing moves."""
        return self.coded.field

    @property
    def packet(self) -> PacketFacts:
        """The packet that it shares with others, or has for itself."""
        return self._packet.facts

    @property
    def dial(self) -> tuple[str, str] | None:
        """What turns rate against distortion, and where it stands: ``("step", "8")``; None without any."""
        if isinstance(self.coded.residual, CodedBlocks):
            return "qp", str(self.coded.residual.qp)
        if isinstance(self.coded.residual, LosslessResidual) or not self.header.residual.has_step:
            return None
        steps = dict.fromkeys(plane.quantiser.step_256 / 256 for plane in self.coded.residual)
        return "step", " / ".join(f"{step:.4g}" for step in steps)

    @property
    def cell_bits(self) -> dict[str, npt.NDArray[np.float64]]:
        """Estimated bits of each cell by component, float64 (cell rows, cell columns).

        With ``header_bits`` they add up to the packet, over all of its pictures.
        """
        number = self.number - self.packet.first
        return {component: bits[number] for component, bits in self._packet.cell_bits.by_component.items()}

    @property
    def spread_evenly(self) -> tuple[str, ...]:
        """Components some of whose bits every cell gets alike in ``cell_bits``, since nobody knows better."""
        return self._packet.cell_bits.spread_evenly

    @property
    def header_bits(self) -> float:
        """The picture's share of what belongs to no cell: headers, names, checksums."""
        return self._packet.header_bits


def inspect_packet(container: ContainerReader, entry: RunEntry, steps: Sequence[Step]) -> list[Inspection]:
    """The pictures of one packet, which the decoder has been through."""
    packet = container.read_packet(entry.offset)
    streams = compressed_streams(container.parse_run(packet))
    stream_bytes = {stream: len(frame) for stream, frame in streams.items()}
    shared = Packet(container.header, steps, stream_bytes, PACKET_OVERHEAD + len(packet.payload))
    return [_inspected(step, container.header, shared) for step in steps]


def _inspected(step: Step, header: SequenceHeader, packet: Packet) -> Inspection:
    references = tuple(reference.picture for reference in step.before.references[: step.coded.references])
    predictions: tuple[Picture, ...] = ()
    if isinstance(step.coded.residual, (LosslessResidual, tuple)):
        planes = predict(step.coded.field, step.coded.references, step.before)
        predictions = tuple(Picture(reference.format, of) for reference, of in zip(references, planes, strict=True))
    return Inspection(step.number, header, step.coded, references, predictions, step.picture, packet)
