"""Encoder of ``dct``: the pictures of a GOP to symbols, with what these cost learnt on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.coded import CodedPicture, NodeGrid, SequenceHeader, WrittenSymbols, mesh_differences
from codec.dct import picture as decoding
from codec.dct.references import Place, coding_order
from codec.dct.tables import CONTEXTS, ELEMENTS, MAX_QP
from codec.depths import for_depth
from codec.models import MotionModel, Speed
from codec.motion.field import CellMode, MotionField, Vectors
from codec.picture.colour import rgb_to_yuv, with_bits
from codec.picture.planes import Picture
from codec.reconstruct import field_of_blocks, present
from codec.search import partition
from codec.search.displacements import frequent_displacements
from codec.search.effort import EFFORTS
from codec.search.mesh import search_mesh
from codec.search.mesh_fit import fit_mesh
from codec.search.mini_gop import choose_i_offset
from codec.search.motion import NO_VECTORS, Searched, half_samples, search_blocks, searched_planes
from codec.search.prediction_weights import choose_weights
from codec.search.rates import Counts, Rates, rates_of
from codec.search.temporal_filter import with_inherited_filtered
from codec.search.unseen import with_unseen_filled
from codec.settings import Settings
from codec.writing.context_merge import merge_contexts
from codec.writing.streams import group_length

__all__ = ["CodedGop", "code_gop_of_blocks"]

LAMBDA = {Speed.SLOW: 0.095, Speed.MEDIUM: 0.09, Speed.FAST: 0.09}  # λ, as a share of the squared quantiser step
P_OFFSET = 1  # of a P picture's QP
# What a fraction of a QP adds to the QP that λ is of, in I and P pictures: with these λ alone changes bytes about as
# much as a whole QP, at about 0.3 % more bytes at equal PSNR where the fraction is a half
I_FRACTION, P_FRACTION = 2.5, 1.5
FINE_QP, FINER_FRACTION = 20, 0.2  # below that λ changes the bytes of I pictures less, and must itself change more
SWITCH = 0.6  # of a QP: P and B pictures of a GOP go to the next one after the other, so that bytes never jump far
CHROMA_OFFSET = -1  # from luma's QP: 1.2 % fewer bytes at equal PSNR-YUV (6:1:1), nothing lost at equal PSNR-Y
SEED_BLOCK = 16
# Over so many pictures a search begins from all vectors, also where others begin from what is known: 1.6 % less in
# fast, 0.3 % in medium
FAR = 5
MAX_DIFFERENCE = 32767  # of vectors of a mesh, as 16 bits hold it
MESH_BITS = 16.0  # of a mesh, whatever its vectors are
# What a mesh must gain, as a share of a picture's bits; the first, which brings streams of its own and symbols that
# others then pay for, so many more bits: without them foreman takes 0.2 % more than with blocks, with them nothing
MESH_GAIN, NEXT_MESH_GAIN, FIRST_MESH_BITS = 0.08, 0.015, 500.0
NEARLY = 1.1  # a first mesh that costs no more is tried again, with what its blocks' symbols cost then
FORGET = 0.9  # what counts of symbols keep of their weight from picture to picture


class Attempt(NamedTuple):
    """A picture coded in one way.

    ``written`` are contexts, symbols and bits. Its error + λ · bits, and the latter alone, are there only where there
    is another way, and so is what restores what it decodes to.
    """

    mesh: NodeGrid | None
    written: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
    counts: Counts
    cost: float = 0
    rate: float = 0
    state: Sequence[npt.NDArray[np.int32] | npt.NDArray[np.uint8 | np.uint16]] = ()


class CodedGop(NamedTuple):
    """Pictures in the order of coding, the CRC-32 of what each decodes to, and what their alpha is predicted by."""

    pictures: list[CodedPicture]
    checksums: list[int]
    fields: list[MotionField]


def lagrangian_of(qp: float, speed: Speed, lowest: int = 0) -> float:
    """λ of a quantiser of samples that allow ``lowest``."""
    return LAMBDA[speed] * float(2 ** ((qp - lowest - 4) / 3))


def picture_qp(qp: float, number: int, count: int, layer: int, i_offset: int, lowest: int = 0) -> tuple[int, float]:
    """QP of a picture of a GOP of ``count``, and the QP that its λ is of."""
    if not number:
        base, offset = math.floor(qp + 0.5), i_offset
        gain = I_FRACTION + FINER_FRACTION * min(max(FINE_QP - base, 0), FINE_QP)
    else:
        place = number / count - 0.5  # the first go to a larger QP last, as others inherit their error
        base, offset, gain = math.floor(qp + 0.5 + SWITCH * place), P_OFFSET + layer, P_FRACTION
    whole = min(max(base + offset, lowest), MAX_QP)
    return whole, whole + gain * (qp - base)


def code_gop_of_blocks(
    pictures: Sequence[Picture], alphas: Sequence[Picture | None], header: SequenceHeader, settings: Settings
) -> CodedGop:
    """Code a closed GOP but for alpha; with two passes, the second knows what symbols cost in the first.

    ``pictures`` have no alpha; ``alphas`` have it, or None where there is none.
    """
    places = order_of(len(pictures), header, settings)
    coded_sources = [as_coded(picture, header) for picture in pictures]
    sources = with_inherited_filtered(coded_sources, places, settings.dialled_qp)
    i_offset = choose_i_offset(pictures)
    rates: Rates | None = None
    for last in range(EFFORTS[settings.speed_preset].passes, 0, -1):
        encoder = GopEncoder(header, settings, rates, len(sources), i_offset)
        coded = [encoder.code(place, sources[place.number], alphas[place.number]) for place in places]
        if last > 1:
            rates = rates_of(as_streamed(encoder.all_counts))
    return CodedGop(coded, encoder.checksums, encoder.fields)


def order_of(count: int, header: SequenceHeader, settings: Settings) -> list[Place]:
    """The order in which the pictures of a GOP are coded, packet by packet, with numbers from 0."""
    length = group_length(header, settings.run_length(header.format.sample_count))
    return [
        place
        for first in range(0, count, length)
        for place in coding_order(first, min(length, count - first), settings.reorder or 1, first == 0)
    ]


def as_streamed(counts: Counts) -> Counts:
    """Counts of the substreams that contexts will share, for each context."""
    streamed = np.zeros_like(counts)
    for first, end in zip((0, *ELEMENTS), ELEMENTS, strict=False):
        streams = merge_contexts(counts[first:end].astype(np.float64))
        merged = np.zeros((int(streams.max()) + 1, counts.shape[1]), np.float32)
        np.add.at(merged, streams, counts[first:end])
        streamed[first:end] = merged[streams]
    return streamed


def as_coded(picture: Picture, header: SequenceHeader) -> Picture:
    """A source picture without alpha in the format that is coded (spec 10.14)."""
    picture = with_bits(picture, header.coded_format.bit_depth)
    if picture.format.sample_format is header.coded_format.sample_format:
        return picture
    return rgb_to_yuv(picture, header.coded_format)


class GopEncoder:
    """Codes one picture of a GOP of ``count`` after the other; ``i_offset`` is what the first one's QP differs by.

    ``rates`` are what symbols cost, or None to learn it from the pictures before.
    """

    def __init__(
        self, header: SequenceHeader, settings: Settings, rates: Rates | None, count: int, i_offset: int
    ) -> None:
        self._header, self._settings, self._fixed_rates = header, settings, rates
        self._count, self._i_offset = count, i_offset
        picture_format, limit = header.coded_format, header.vector_limit_quarter_pel
        shapes, subsampling = picture_format.plane_shapes, picture_format.sample_format.subsampling
        bit_depth = picture_format.bit_depth
        self._decoder = for_depth(decoding, bit_depth).PictureDecoder(shapes, subsampling, limit, bit_depth)
        search = for_depth(partition, bit_depth).PictureSearch
        self._search = search(self._decoder, limit, EFFORTS[settings.speed_preset])
        self._decoded: dict[int, Picture] = {}  # that later pictures may point into, by number
        self._sources: dict[int, Picture] = {}  # of these
        self._fields: dict[int, MotionField] = {}  # the last that was found, by how far it points
        self._mesh: NodeGrid | None = None
        self._counts: Counts = np.zeros((CONTEXTS, 256), np.float32)
        self.all_counts: Counts = np.zeros((CONTEXTS, 256), np.float32)
        self.checksums: list[int] = []
        self.fields: list[MotionField] = []

    def code(self, place: Place, source: Picture, alpha: Picture | None = None) -> CodedPicture:
        """The next picture in the order of coding; its alpha is not coded here, but counts in its checksum."""
        number, search, lowest = place.number, self._search, self._header.lowest_qp
        if alpha is not None and self._settings.alpha == "clear":
            source = with_unseen_filled(source, alpha.planes[0], self._decoded.get(number - 1))
        dialled = self._settings.dialled_qp
        qp, qp_of_lagrangian = picture_qp(dialled, number, self._count, place.layer, self._i_offset, lowest)
        qp_chroma = min(max(qp + CHROMA_OFFSET, lowest), MAX_QP)
        lagrangian = lagrangian_of(qp_of_lagrangian, self._settings.speed_preset, lowest)
        search.start(source.planes, place, qp, qp_chroma, lagrangian)
        weights = None
        if number:
            weights = choose_weights(source, [self._sources[reference] for reference in place.references])
            search.set_weights(weights)
        seeds = None
        if number and self._header.motion is not MotionModel.NONE:
            seeds = self._seeds(place, source)
        rates = self._fixed_rates if self._fixed_rates is not None else rates_of(self._counts)
        # an I picture learns on its way
        best = self._try(seeds, None, rates, rates_of if number == 0 and self._fixed_rates is None else None)
        if number and self._header.motion is MotionModel.MESH:
            best = self._with_mesh(place, source, seeds, best, lagrangian, rates)
            self._mesh = best.mesh or self._mesh
        if EFFORTS[self._settings.speed_preset].passes > 1:
            self.all_counts += best.counts
        self._counts *= FORGET
        self._counts += best.counts
        alf, planes = search.finish()
        decoded = Picture(self._header.coded_format, planes, source.name)
        for kept, own in ((self._decoded, decoded), (self._sources, source)):
            kept[number] = own
            for gone in kept.keys() - place.kept:
                del kept[gone]
        self.checksums.append(present(decoded, self._header, alpha=alpha).crc32())
        if alpha is not None:
            self.fields.append(field_of_blocks(self._decoder))
        symbols = WrittenSymbols(qp, qp_chroma, *best.written, alf, best.mesh, weights)
        return CodedPicture(len(place.references), None, symbols, place=place)

    def _try(
        self,
        seeds: npt.NDArray[np.int16] | None,
        mesh: NodeGrid | None,
        rates: Rates,
        learn: Callable[[Counts], Rates] | None = None,
    ) -> Attempt:
        """The picture coded with such rates, perhaps with a mesh, and its symbols counted."""
        writer = self._search.search(rates, seeds, mesh, learn)
        return Attempt(mesh, writer.written(), writer.counts())

    def _costed(self, attempt: Attempt, rates: Rates, lagrangian: float) -> Attempt:
        """The attempt that was made last, with what it costs."""
        contexts, symbols, bits = attempt.written
        all_bits = float(rates[contexts, symbols].sum()) + len(bits) + mesh_bits(attempt.mesh, self._mesh)
        rate = lagrangian * all_bits
        return attempt._replace(cost=rate + self._search.squared_error(), rate=rate, state=self._search.state())

    def _with_mesh(
        self,
        place: Place,
        source: Picture,
        seeds: npt.NDArray[np.int16] | None,
        best: Attempt,
        lagrangian: float,
        rates: Rates,
    ) -> Attempt:
        """The picture with a mesh if that is worth it, else ``best``; its search is what is left."""
        best = self._costed(best, rates, lagrangian)
        first = self._mesh is None
        for mesh in self._meshes(place, source, lagrangian):
            warped = self._costed(self._try(seeds, mesh, rates), rates, lagrangian)
            if first and self._fixed_rates is None and warped.cost < NEARLY * best.cost:
                own_rates = rates_of(self._counts + warped.counts)
                warped = self._costed(self._try(seeds, mesh, own_rates), own_rates, lagrangian)
            wanted = best.rate * MESH_GAIN + lagrangian * FIRST_MESH_BITS if first else best.rate * NEXT_MESH_GAIN
            if best.cost - warped.cost > wanted:
                best = warped
        self._search.restore(best.state)
        return best

    def _meshes(self, place: Place, source: Picture, lagrangian: float) -> Iterator[NodeGrid]:
        """Meshes to try: one that fits, and the last that was used, which costs next to nothing."""
        searched = self._searched(place, source, 0, NO_VECTORS)
        start = self._mesh
        if start is None:
            field = search_mesh(searched, self._header.cell_size, (CellMode.WARP,))
            start = NodeGrid(field.cell_size, 4 * field.vectors_quarter_pel)
        limit = min(searched.limit_quarter_pel, self._header.vector_limit_quarter_pel)
        unit = 1 << (source.format.bit_depth - 8)
        yield fit_mesh(source.planes[0], self._search.warped, start, limit, lagrangian, unit)
        if self._mesh is not None:
            yield self._mesh

    def _searched(self, place: Place, source: Picture, which: int, frequent: Vectors) -> Searched:
        """What a search for motion from one of the references works on."""
        wanted, luma = searched_planes(source.planes[0], self._search.reference(which))
        halves = half_samples(luma, self._header.half_sample_tap)
        distance = place.number - place.references[which]
        is_thorough = self._settings.speed_preset is Speed.SLOW or distance >= FAR
        speed = Speed.MEDIUM if is_thorough else Speed.FAST
        before = self._fields.get(distance)
        return Searched(wanted, luma, halves, self._header.vector_limit_quarter_pel, speed, before, frequent)

    def _seeds(self, place: Place, source: Picture) -> npt.NDArray[np.int16]:
        """Vectors of 16×16 blocks into each reference, from which coding blocks begin: int16 (2, rows, columns, 2)."""
        seeds: npt.NDArray[np.int16] = self._search.vectors_before()
        reach = self._header.vector_limit_quarter_pel // 4
        for k, reference in enumerate(place.references):
            frequent = frequent_displacements(source.planes[0], self._sources[reference], reach)
            field = search_blocks(self._searched(place, source, k, frequent), SEED_BLOCK)
            self._fields[place.number - reference] = field
            seeds[k] = field.vectors_quarter_pel
        return seeds


def mesh_bits(mesh: NodeGrid | None, before: NodeGrid | None) -> float:
    """About what a mesh's vectors take after those of the mesh before it: zeros next to nothing, the impossible all."""
    if mesh is None:
        return 0.0
    differences = np.abs(mesh_differences([mesh] if before is None else [before, mesh])[-1])
    if int(differences.max()) > MAX_DIFFERENCE:
        return math.inf
    bits: float = MESH_BITS + float((1 + 2 * np.log2(differences[differences > 0] + 1)).sum()) + differences.size / 8
    return bits
