"""One picture seen from inside the decoder: what the file says of it, its prediction, and what each cell costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from codec.bitstream.cell_bits import CellBits, block_places, cell_bits
from codec.bitstream.container import PACKET_OVERHEAD, ContainerReader, GroupEntry
from codec.bitstream.payloads import compressed_streams
from codec.bitstream.schema import StreamId
from codec.coded import CellMode, CodedPicture, CodedSymbols, LosslessResidual, MotionField, NodeGrid, SequenceHeader
from codec.models import MotionModel, PictureType
from codec.motion.field import Vectors
from codec.picture.planes import Picture
from codec.reconstruct import History, lossless_residuals, predict, present

__all__ = ["Inspection", "Leaves", "inspect_packet"]


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
    def after(self) -> History:
        """What the next picture may be decoded from."""

    @property
    def picture(self) -> Picture:
        """What comes out."""


class PacketFacts(NamedTuple):
    """The packet that holds a picture: its first picture, how many there are, its bytes with their framing."""

    first: int
    pictures: int
    bytes: int


class Leaves(NamedTuple):
    """The leaves of the quadtrees of a ``dct`` picture, in coding order (spec 8.6.1)."""

    places: npt.NDArray[np.int64]
    """(leaves, 3): top, left and side in luma samples; right and below they may reach beyond the picture."""
    kinds: npt.NDArray[np.uint8]
    """(leaves,): a `BlockKind`."""
    quartered: npt.NDArray[np.uint8]
    """(leaves,): 1 where luma is transformed by quarters."""
    lapped: npt.NDArray[np.uint8]
    """(leaves,): 1 where what neighbours' vectors predict is mixed into the prediction."""
    coded: npt.NDArray[np.uint8]
    """(leaves,): which planes have levels, a bit each, luma the lowest."""
    vectors_quarter_pel: npt.NDArray[np.int16]
    """(leaves, 2): (dy, dx), backward; (0, 0) for intra leaves. Of the averaged candidate it is the first vector."""


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
        traces = [step.after.blocks.trace for step in steps if step.after.blocks is not None]
        blocks = [trace.blocks for trace in traces if trace is not None]
        return cell_bits(self._header, [step.coded for step in steps], left, blocks, self._stream_bytes)

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
        predictions: what motion makes of each of them, before any residual. Of ``dct`` the one that every block was
            predicted by, from inside the picture or the reference; I pictures have it too.
        leaves: of ``dct``, else None.
        picture: the decoded picture.
    """

    number: int
    header: SequenceHeader = dataclasses.field(repr=False)
    coded: CodedPicture = dataclasses.field(repr=False)
    references: tuple[Picture, ...] = dataclasses.field(repr=False)
    predictions: tuple[Picture, ...] = dataclasses.field(repr=False)
    leaves: Leaves | None = dataclasses.field(repr=False)
    picture: Picture = dataclasses.field(repr=False)
    _packet: Packet = dataclasses.field(repr=False)

    @property
    def type(self) -> PictureType:
        """I or P."""
        return self.coded.type

    @property
    def field(self) -> MotionField | None:
        """Backward motion; None for an I picture, and where nothing moves.

        Of ``dct`` it is the mesh that warped ``leaves`` take, its vectors float64, since they lie between quarters, and
        None without one; other leaves have their vectors.
        """
        residual = self.coded.residual
        if isinstance(residual, CodedSymbols):
            return _in_quarters(residual.mesh) if residual.mesh is not None else None
        return self.coded.field

    @property
    def packet(self) -> PacketFacts:
        """The packet that it shares with others, or has for itself."""
        return self._packet.facts

    @property
    def dial(self) -> tuple[str, str] | None:
        """What turns rate against distortion, and where it stands: ``("step", "8")``; None without any."""
        if isinstance(self.coded.residual, CodedSymbols):
            return "qp", str(self.coded.residual.qp)
        if not isinstance(self.coded.residual, tuple) or not self.header.residual.has_step:
            return None
        steps = dict.fromkeys(plane.quantiser.step_256 / 256 for plane in self.coded.residual)
        return "step", " / ".join(f"{step:.4g}" for step in steps)

    @property
    def qps(self) -> tuple[int, int] | None:
        """Quantisers of luma and chroma of ``dct``, 0…51; None for other coders."""
        blocks = self.coded.residual
        return (blocks.qp, blocks.qp_chroma) if isinstance(blocks, CodedSymbols) else None

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


def inspect_packet(container: ContainerReader, entry: GroupEntry, steps: Sequence[Step]) -> list[Inspection]:
    """The pictures of one packet, which the decoder has been through."""
    packet = container.read_packet(entry.offset)
    streams = compressed_streams(container.parse_group(packet))
    stream_bytes = {stream: len(frame) for stream, frame in streams.items()}
    shared = Packet(container.header, steps, stream_bytes, PACKET_OVERHEAD + len(packet.payload))
    return [_inspected(step, container.header, shared) for step in steps]


def _inspected(step: Step, header: SequenceHeader, packet: Packet) -> Inspection:
    references = tuple(present(picture, header) for picture in step.before.pictures[: step.coded.references])
    leaves: Leaves | None = None
    predictions: tuple[Picture, ...]
    if step.after.blocks is not None and step.after.blocks.trace is not None:
        trace = step.after.blocks.trace
        predictions = (present(trace.prediction, header),)
        leaves = _leaves(trace.blocks)
    else:
        planes = predict(step.coded.field, step.coded.references, step.before)
        predictions = tuple(Picture(reference.format, of) for reference, of in zip(references, planes, strict=True))
    return Inspection(step.number, header, step.coded, references, predictions, leaves, step.picture, packet)


def _in_quarters(mesh: NodeGrid) -> MotionField:
    """A field of warped cells, its vectors in quarter samples and fractions of them."""
    vectors = cast(Vectors, mesh.nodes_sixteenth_pel / 4)
    cells = (vectors.shape[0] - 1, vectors.shape[1] - 1)
    modes, own = np.full(cells, CellMode.WARP, np.uint8), np.zeros((*cells, 2), np.int16)
    return MotionField(MotionModel.MESH, mesh.cell_size, vectors, modes, own)


def _leaves(blocks: npt.NDArray[np.int32]) -> Leaves:
    """Coding blocks that were traced."""
    kinds, _, lapped, quartered, coded = blocks[:, 3:8].astype(np.uint8).T
    return Leaves(block_places(blocks), kinds, quartered, lapped, coded, blocks[:, 9:].astype(np.int16))
