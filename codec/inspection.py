"""One picture seen from inside the decoder: what the file says of it, its prediction, and what each cell costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from codec.bitstream.cell_bits import CellBits, block_places, cell_bits
from codec.bitstream.container import PACKET_OVERHEAD, ContainerReader, GroupEntry
from codec.bitstream.payloads import compressed_streams
from codec.bitstream.schema import StreamId
from codec.coded import (
    MODULO,
    CellMode,
    CodedPicture,
    CodedSymbols,
    LosslessResidual,
    MotionField,
    NodeGrid,
    Residuals,
    SequenceHeader,
)
from codec.models import MotionModel, PictureType
from codec.motion.field import Vectors
from codec.picture.planes import Picture
from codec.reconstruct import BlockTrace, ReconstructedPicture, lossless_residuals, predict, present

__all__ = ["CodingBlocks", "Inspection", "inspect_packet"]


class PacketFacts(NamedTuple):
    """The packet that holds a picture: its first picture, how many there are, its bytes with their framing."""

    first: int
    pictures: int
    bytes: int


class CodingBlocks(NamedTuple):
    """The coding blocks of a ``dct`` picture, in coding order (spec 10.1)."""

    places: npt.NDArray[np.int64]
    """(blocks, 3): top, left and side in luma samples; right and below they may reach beyond the picture."""
    kinds: npt.NDArray[np.uint8]
    """(blocks,): a `BlockKind`."""
    transform_split: npt.NDArray[np.uint8]
    """(blocks,): 1 where luma is transformed by quarters."""
    transforms: npt.NDArray[np.uint8]
    """(blocks,): of luma: 0 DCT, 1 DST, 2 none."""
    obmc: npt.NDArray[np.uint8]
    """(blocks,): 1 where what neighbours' vectors predict is mixed into the prediction."""
    coded: npt.NDArray[np.uint8]
    """(blocks,): which planes have levels, a bit each, luma the lowest."""
    vectors_quarter_pel: npt.NDArray[np.int16]
    """(blocks, 2): (dy, dx), backward, into the first reference; (0, 0) where there is none."""
    directions: npt.NDArray[np.uint8]
    """(blocks,): 1 a vector into the first reference, 2 one into the second, 3 both, 0 none: intra blocks, copies.

    Of a P picture both are the same picture.
    """
    second_vectors_quarter_pel: npt.NDArray[np.int16]
    """(blocks, 2): the same into the second reference, which of a B picture is shown after it."""
    block_vectors: npt.NDArray[np.int32]
    """(blocks, 2): of copies (dy, dx) in samples of luma, to the square of the same picture that they copy."""
    chroma_from_luma: npt.NDArray[np.uint8]
    """(blocks,): 1 where CCLM predicts chroma of an intra block."""


@dataclass(eq=False)
class Packet:
    """The pictures that share a packet, and how its bytes are spread over them, once somebody asks."""

    facts: PacketFacts
    header: SequenceHeader
    pictures: Sequence[ReconstructedPicture]
    """In the order of coding."""
    stream_bytes: dict[StreamId, int]

    @cached_property
    def cell_bits(self) -> CellBits:
        """Of all its pictures."""
        coded, residuals = [each.coded for each in self.pictures], []
        if isinstance(coded[0].residual, LosslessResidual):
            residuals = [lossless_residuals(each.coded, each.before, self.header) for each in self.pictures]
        blocks = [trace.blocks for trace in map(_trace, self.pictures) if trace is not None]
        alphas = [_alpha_residuals(each, self.header) for each in self.pictures]
        return cell_bits(self.header, coded, residuals, blocks, alphas, self.stream_bytes)

    @cached_property
    def header_bits(self) -> float:
        """Of each picture, what is in no cell: its share of packet and picture headers, and of names."""
        in_cells = sum(float(bits.sum()) for bits in self.cell_bits.by_component.values())
        return (8 * self.facts.bytes - in_cells) / len(self.pictures)


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """A decoded picture and how it came to be.

    Attributes:
        number: from 0.
        header: what all pictures of the file share.
        coded: what the file says of this one.
        references: the decoded pictures that it is predicted from, the newest first, of a B picture one before and
            one after it; none for an I picture.
        predictions: what motion makes of each of them, before any residual. Of ``dct`` the one that every block was
            predicted by, from inside the picture or the reference; I pictures have it too.
        coding_blocks: of ``dct``, else None.
        picture: the decoded picture.
    """

    number: int
    header: SequenceHeader
    coded: CodedPicture
    references: tuple[Picture, ...]
    predictions: tuple[Picture, ...]
    coding_blocks: CodingBlocks | None
    picture: Picture
    _packet: Packet

    @property
    def type(self) -> PictureType:
        """I, P or B."""
        return self.coded.type

    @property
    def field(self) -> MotionField | None:
        """Backward motion; None for an I picture, and where nothing moves.

        Of ``dct`` it is the mesh that warped blocks take, its vectors float64, since they lie between quarters, and
        None without one; other blocks have their vectors.
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
        quantisers = [plane.quantiser for plane in self.coded.residual if plane.quantiser != MODULO]
        steps = dict.fromkeys(quantiser.step(self.header.format.bit_depth) for quantiser in quantisers)
        return "step", " / ".join(f"{step:.4g}" for step in steps)

    @property
    def qps(self) -> tuple[int, int] | None:
        """Quantisers of luma and chroma of ``dct``, as `Settings.qp`; None for other coders."""
        blocks = self.coded.residual
        return (blocks.qp, blocks.qp_chroma) if isinstance(blocks, CodedSymbols) else None

    @property
    def cell_bits(self) -> dict[str, npt.NDArray[np.float64]]:
        """Estimated bits of each cell by component, float64 (cell rows, cell columns).

        With ``header_bits`` they add up to the packet, over all of its pictures.
        """
        number = [picture.number for picture in self._packet.pictures].index(self.number)
        return {component: bits[number] for component, bits in self._packet.cell_bits.by_component.items()}

    @property
    def spread_evenly(self) -> tuple[str, ...]:
        """Components with bits of which nothing is known but their number: in ``cell_bits`` every cell has as many."""
        return self._packet.cell_bits.spread_evenly

    @property
    def header_bits(self) -> float:
        """The picture's share of what belongs to no cell: headers, names, checksums."""
        return self._packet.header_bits


def inspect_packet(
    container: ContainerReader, entry: GroupEntry, pictures: Sequence[ReconstructedPicture]
) -> list[Inspection]:
    """The pictures of one packet, which the decoder has been through."""
    packet = container.read_packet(entry.offset)
    raw = container.parse_group(packet)
    streams = compressed_streams(raw)
    in_order = pictures
    if raw.log2_mini_gop is not None:
        in_order = [pictures[of.place.number - raw.first_picture] for of in raw.pictures]
    facts = PacketFacts(pictures[0].number, len(pictures), PACKET_OVERHEAD + len(packet.payload))
    shared = Packet(facts, container.header, in_order, {stream: len(frame) for stream, frame in streams.items()})
    return [_inspected(each, container.header, shared) for each in pictures]


def _inspected(seen: ReconstructedPicture, header: SequenceHeader, packet: Packet) -> Inspection:
    coded, trace = seen.coded, _trace(seen)
    blocks_after = seen.after.blocks
    before = seen.before.pictures[: coded.references] if blocks_after is None else blocks_after.references
    references = tuple(present(picture, header, seen.maps, seen.before.alpha) for picture in before)
    if trace is None:
        planes = predict(coded.field, coded.references, seen.before)
        compensated = (Picture(picture.format, of) for picture, of in zip(before, planes, strict=True))
        predictions = tuple(present(picture, header, seen.maps) for picture in compensated)
        return Inspection(seen.number, header, coded, references, predictions, None, seen.picture, packet)
    kinds, _, obmc, transform_split, planes_coded = trace.blocks[:, 3:8].astype(np.uint8).T
    vectors = trace.blocks[:, 10:14].astype(np.int16)
    directions, transforms = trace.blocks[:, [9, 14]].astype(np.uint8).T
    own = kinds, transform_split, transforms, obmc, planes_coded, vectors[:, :2], directions, vectors[:, 2:]
    of_itself = trace.blocks[:, 15:17], trace.blocks[:, 17].astype(np.uint8)
    blocks = CodingBlocks(block_places(trace.blocks), *own, *of_itself)
    predictions = (present(trace.prediction, header, seen.maps, _predicted_alpha(seen)),)
    return Inspection(seen.number, header, coded, references, predictions, blocks, seen.picture, packet)


def _alpha_residuals(seen: ReconstructedPicture, header: SequenceHeader) -> tuple[Residuals, ...]:
    """What was left of alpha that is coded apart, or nothing where it is not coded."""
    blocks = seen.after.blocks
    if header.alpha_header is None or blocks is None or blocks.alpha is None:
        return ()
    return lossless_residuals(blocks.alpha, seen.before, header.alpha_header)


def _predicted_alpha(seen: ReconstructedPicture) -> Picture | None:
    """Alpha of ``dct`` as motion predicts it; where nothing does, as in an I picture, what it is."""
    blocks, newest = seen.after.blocks, seen.after.alpha
    if blocks is None or blocks.alpha is None or newest is None or not blocks.alpha.references:
        return newest
    return Picture(newest.format, predict(blocks.alpha.field, 1, seen.before)[0])


def _trace(seen: ReconstructedPicture) -> BlockTrace | None:
    return seen.after.blocks.trace if seen.after.blocks is not None else None


def _in_quarters(mesh: NodeGrid) -> MotionField:
    """A field of warped cells, its vectors in quarter samples and fractions of them."""
    vectors = cast(Vectors, mesh.nodes_sixteenth_pel / 4)
    cells = (vectors.shape[0] - 1, vectors.shape[1] - 1)
    modes, own = np.full(cells, CellMode.WARP, np.uint8), np.zeros((*cells, 2), np.int16)
    return MotionField(MotionModel.MESH, mesh.cell_size, vectors, modes, own)
