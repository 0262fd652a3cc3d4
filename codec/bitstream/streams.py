"""The streams of a packet group become coded pictures (spec 6…9)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.bitstream.limits import Limits
from codec.bitstream.packing import StreamReader
from codec.bitstream.schema import StreamId
from codec.coded import (
    ALF_BLOCK,
    ALF_TAPS,
    LEVEL_DTYPES,
    NEW_FILTER,
    NO_FILTER,
    SAME_FILTER,
    AlfParameters,
    CellMode,
    CodedPicture,
    CodedSymbols,
    ContextSubstreams,
    LosslessResidual,
    MotionField,
    NodeGrid,
    PlaneResidual,
    PredictionWeights,
    Quantiser,
    SequenceHeader,
    Weights,
    negative_first,
    shape_of,
)
from codec.dct.references import MAX_SCALE, NEUTRAL_OFFSET, UNWEIGHTED
from codec.dct.tables import FAMILIES
from codec.errors import BitstreamError, LimitError
from codec.lossless.tables import (
    MAX_SUBSTREAMS,
    PLAIN_SETS,
    WEIGHT_COUNTS,
    context_model,
    residual_taps,
    set_map_shape,
)
from codec.models import MotionModel, ResidualCoder
from codec.picture.value_maps import NO_MAPS, ValueMaps

if TYPE_CHECKING:
    from codec.dct.references import Place
    from codec.dct.syntax import SymbolReader

__all__ = [
    "ALPHA_STREAMS",
    "BLOCK_STREAMS",
    "PictureHeader",
    "check_streams",
    "group_bytes",
    "streams_of_alpha",
    "unpack_alpha",
    "unpack_blocks",
    "unpack_contexts",
    "unpack_depth",
    "unpack_family",
    "unpack_fields",
    "unpack_levels",
    "unpack_maps",
    "unpack_names",
    "unpack_sizes",
    "unpack_streams",
    "unpack_substreams",
]

Bytes = npt.NDArray[np.uint8]
Differences = npt.NDArray[np.int16]
Numbers = npt.NDArray[np.int64]

ALPHA_STREAMS = {
    StreamId.WEIGHTS: StreamId.ALPHA_WEIGHTS,
    StreamId.PREDICTOR_SETS: StreamId.ALPHA_SETS,
    StreamId.CONTEXT_SUBSTREAMS: StreamId.ALPHA_SUBSTREAMS,
    StreamId.BITS: StreamId.ALPHA_BITS,
    StreamId.VALUE_MAPS: StreamId.ALPHA_MAP,
}
"""Of alpha beside ``dct``: where it has what a file of alpha alone would have in other streams."""

BLOCK_STREAMS = (StreamId.BLOCK_NODES, StreamId.BLOCK_MODES, StreamId.BLOCK_VECTORS, StreamId.BLOCK_LEVELS)
"""The stream of each family of contexts: nodes and CBF, intra modes, vectors, escapes and levels."""


class PictureHeader(NamedTuple):
    """What the header of a picture says about its streams.

    Attributes:
        references: pictures that it is predicted from, 0…2.
        quantisers: of each plane.
        predictor_set_counts: sets of weights of each plane; empty but for the lossless coder, and for ``dct`` with
            alpha that is coded: that of alpha.
        qps: quantisers of luma and of chroma; empty but for ``dct``.
        has_field: whether a motion field or a mesh predicts the picture.
        place: of ``dct``, in the order of coding.
    """

    references: int
    quantisers: tuple[Quantiser, ...]
    predictor_set_counts: tuple[int, ...]
    qps: tuple[int, ...] = ()
    has_field: bool = False
    place: Place | None = None


def unpack_streams(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes], limits: Limits
) -> tuple[tuple[CodedPicture, ...], tuple[str, ...], ValueMaps]:
    """The coded pictures of a packet group, their names, and value maps; the inverse of `pack_streams`.

    Raises:
        BitstreamError: streams other than the headers imply, or symbols without a meaning.
        LimitError: the packet group is larger than ``limits`` allow.
    """
    check_streams(header, pictures, streams, limits)
    names = unpack_names(streams.get(StreamId.NAMES), len(pictures), limits)
    if header.residual is ResidualCoder.DCT:
        meshes = iter(unpack_meshes(header, pictures, streams))
        blocks = unpack_blocks(header, [(picture.qps[0], picture.qps[1]) for picture in pictures], streams)
        weights = unpack_prediction_weights(header, pictures, streams.get(StreamId.PREDICTION_WEIGHTS))
        alphas, maps = unpack_alpha(header, pictures, streams)
        return (
            tuple(
                CodedPicture(
                    picture.references,
                    None,
                    replace(of, mesh=next(meshes) if picture.has_field else None, weights=of_references),
                    alpha,
                    picture.place,
                )
                for picture, of, of_references, alpha in zip(pictures, blocks, weights, alphas, strict=True)
            ),
            names,
            maps,
        )
    fields = iter(unpack_fields(header, pictures, streams))
    residuals: Sequence[LosslessResidual] | Sequence[tuple[PlaneResidual, ...]]
    if header.residual is ResidualCoder.LOSSLESS:
        residuals = unpack_lossless(header, pictures, streams)
    else:
        residuals = unpack_levels(header, pictures, streams)
    return (
        tuple(
            CodedPicture(picture.references, next(fields) if picture.has_field else None, residuals[number])
            for number, picture in enumerate(pictures)
        ),
        names,
        unpack_maps(header, streams.get(StreamId.VALUE_MAPS)),
    )


def unpack_names(data: bytes | None, count: int, limits: Limits) -> tuple[str, ...]:
    """Names of a packet group's pictures, or none at all (spec 6.3)."""
    if data is None:
        return ()
    with StreamReader(data) as stream:
        size = stream.varint()
        if size > limits.max_names_bytes:
            raise LimitError(f"names of {size} bytes; the limit is {limits.max_names_bytes}")
        names = tuple(stream.symbols(size).tobytes().decode("utf-8", "surrogateescape").split("\0"))
    if len(names) != count:
        raise BitstreamError(f"{len(names)} names for {count} pictures")
    return names


def check_streams(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: Iterable[StreamId], limits: Limits
) -> None:
    """Hold the streams that are there against those that the headers imply, and their sizes against the limits.

    Raises:
        BitstreamError: streams other than the headers imply.
        LimitError: the packet group is larger than ``limits`` allow.
    """
    implied, optional = [StreamId.RESIDUAL], [StreamId.NAMES]
    if header.residual is ResidualCoder.DCT:
        implied, optional = [*BLOCK_STREAMS, StreamId.BITS], [StreamId.NAMES, StreamId.ALF, StreamId.PREDICTION_WEIGHTS]
        if any(picture.predictor_set_counts for picture in pictures):
            implied += [StreamId.ALPHA_WEIGHTS, StreamId.ALPHA_SETS, StreamId.ALPHA_SUBSTREAMS]
            implied += [StreamId.ALPHA_BITS] if header.format.bit_depth > 8 else []
        if header.alpha_header and pictures[0].references == 0:
            optional.append(StreamId.ALPHA_MAP)
    elif header.residual is ResidualCoder.LOSSLESS:
        implied = [StreamId.WEIGHTS, StreamId.PREDICTOR_SETS, StreamId.CONTEXT_SUBSTREAMS]
        if header.format.bit_depth > 8:
            implied.append(StreamId.BITS)
        if (header.has_alpha or not header.max_error) and pictures[0].references == 0:
            optional.append(StreamId.VALUE_MAPS)
    fields = sum(picture.has_field for picture in pictures)
    if fields:
        is_modal = header.motion is MotionModel.MESH and header.residual is not ResidualCoder.DCT
        implied = [StreamId.VECTORS, *([StreamId.MODES] if is_modal else []), *implied]
    found = [stream for stream in streams if stream not in optional]
    if found != implied:
        names = ", ".join(stream.name for stream in found) or "none"
        raise BitstreamError(f"streams {names} where the headers imply {', '.join(stream.name for stream in implied)}")
    size = group_bytes(header, len(pictures), fields)
    if size > limits.max_group_bytes:
        raise LimitError(f"a packet group of {size} bytes; the limit is {limits.max_group_bytes}")


def group_bytes(header: SequenceHeader, pictures: int, fields: int) -> int:
    """What levels or symbols, vectors and modes of a packet group take at most once they are unpacked (spec 12)."""
    motion = 4 * math.prod(header.grid_shape)
    if header.motion is MotionModel.MESH:
        motion += 5 * math.prod(header.cell_shape)
    if header.residual is ResidualCoder.DCT:
        alpha = group_bytes(header.alpha_header, pictures, 0) if header.alpha_header else 0
        return fields * motion + pictures * block_bytes(header) + alpha
    if header.residual is ResidualCoder.LOSSLESS:
        # symbols, and the room to read on; of more than 8 bits raw bits as well
        sample_bytes = 2 if header.format.bit_depth == 8 else 4
    else:  # alpha of more than 8 bits has levels of two bytes
        sample_bytes = 2 if header.has_alpha and header.format.bit_depth > 8 else LEVEL_DTYPES[header.residual].itemsize
    return fields * motion + pictures * sample_bytes * header.format.sample_count


def unpack_vectors(data: bytes, count: int) -> Differences:
    """Differences of ``count`` vectors (spec 7.2)."""
    with StreamReader(data) as stream:
        return negative_first(stream.numbers(2 * count)).reshape(count, 2)


def unpack_fields(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> list[MotionField]:
    """The motion fields of a packet group, in order; the inverse of `pack_fields`."""
    count, cells = sum(picture.has_field for picture in pictures), math.prod(header.cell_shape)
    if not count:
        return []
    modes = np.zeros((count, 0, 0), np.uint8)
    if header.motion is MotionModel.MESH:
        with StreamReader(streams[StreamId.MODES]) as stream:
            modes = stream.symbols(count * cells).reshape(count, *header.cell_shape).copy()
    if modes.size and int(modes.max()) >= len(CellMode):
        raise BitstreamError(f"a cell mode is {int(modes.max())}; it lies in 0…{len(CellMode) - 1}")
    own_counts = np.count_nonzero(modes == CellMode.OWN, axis=(1, 2))
    nodes, limit = count * math.prod(header.grid_shape), header.vector_limit_quarter_pel
    differences = unpack_vectors(streams[StreamId.VECTORS], nodes + int(own_counts.sum()))
    of_nodes = differences[:nodes].reshape(count, *header.grid_shape, 2)
    own = np.split(differences[nodes:], np.cumsum(own_counts)[:-1])
    try:
        fields = MotionField.all_from_differences(header.motion, header.cell_size, of_nodes, limit)
        if header.motion is MotionModel.MESH:
            fields = [field.with_modes(modes[k], own[k], limit) for k, field in enumerate(fields)]
    except ValueError as error:
        raise BitstreamError(str(error)) from error
    return fields


def unpack_meshes(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> list[NodeGrid]:
    """The meshes of a packet group of ``dct``; the inverse of `pack_meshes` (spec 10.7).

    Raises:
        BitstreamError: a vector component is beyond what the header allows.
    """
    count, shape = sum(picture.has_field for picture in pictures), header.grid_shape
    limit, nodes, meshes = 4 * header.vector_limit_quarter_pel, np.zeros((*shape, 2), np.int64), []
    differences = unpack_vectors(streams[StreamId.VECTORS], count * math.prod(shape)) if count else np.zeros(0)
    for of_mesh in differences.reshape(count, *nodes.shape):
        nodes += np.cumsum(np.cumsum(of_mesh, axis=0, dtype=np.int64), axis=1)
        if int(np.abs(nodes).max()) > limit:
            raise BitstreamError(f"a vector component of a mesh is beyond ±{limit} sixteenths of a sample")
        meshes.append(NodeGrid(header.cell_size, nodes.astype(np.int16)))
    return meshes


def unpack_levels(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> list[tuple[PlaneResidual, ...]]:
    """The residuals of the pictures of a packet group; the inverse of `pack_levels` (spec 8.1).

    Raises:
        BitstreamError: the stream is not what the headers imply, or a level has no meaning.
    """
    dtype, count = LEVEL_DTYPES[header.residual], len(pictures)
    exact = header.has_alpha and header.residual.has_step and header.format.bit_depth > 8
    wide = [dtype.itemsize == 2] * (len(header.format.plane_shapes) - exact) + [True] * exact
    with StreamReader(streams[StreamId.RESIDUAL]) as stream:
        planes: list[npt.NDArray[Any]] = [
            (stream.numbers if is_wide else stream.symbols)(count * math.prod(shape)).reshape(count, *shape)
            for shape, is_wide in zip(header.format.plane_shapes, wide, strict=True)
        ]
    if header.residual is ResidualCoder.FLOAT16:
        planes = [plane.view(dtype) for plane in planes]
        if not all(bool(np.all(np.abs(plane) <= 1)) for plane in planes):  # NaN too, which is not ≤ 1
            raise BitstreamError("a float16 level is beyond ±1")
    else:
        planes = [negative_first(plane).view(plane.dtype) for plane in planes]
        if header.format.sample_format.is_rgb:
            planes[0], planes[2] = planes[0] + planes[1], planes[2] + planes[1]
        for plane, quantisers in zip(planes, zip(*(p.quantisers for p in pictures), strict=True), strict=True):
            plane += np.array([quantiser.zero_point for quantiser in quantisers], plane.dtype)[:, None, None]
    return [
        tuple(
            PlaneResidual(header.residual, quantiser, plane[number].view(dtype if plane.itemsize == 1 else plane.dtype))
            for quantiser, plane in zip(picture.quantisers, planes, strict=True)
        )
        for number, picture in enumerate(pictures)
    ]


def unpack_lossless(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> list[LosslessResidual]:
    """The residuals of the pictures of a packet group; the inverse of `pack_lossless`.

    Raises:
        BitstreamError: a stream is not what the headers imply, or a symbol has no meaning.
    """
    weights = unpack_weights(header, pictures, streams[StreamId.WEIGHTS])
    sets = unpack_predictor_sets(header, pictures, streams[StreamId.PREDICTOR_SETS])
    bit_depth, substreams = unpack_substreams(streams[StreamId.CONTEXT_SUBSTREAMS], len(pictures), header)
    if bit_depth > 8:
        substreams = with_bits(substreams, header.format.sample_count, streams[StreamId.BITS])
    elif streams.get(StreamId.BITS):
        raise BitstreamError("raw bits of samples that have 8 bits as they are coded")
    has_maps = StreamId.VALUE_MAPS in streams or pictures[0].references  # or perhaps in the GOP's first packet
    if not has_maps and bit_depth != header.format.bit_depth:
        raise BitstreamError(f"samples are coded with {bit_depth} bits, and there are no value maps")
    return [LosslessResidual(*parts, bit_depth) for parts in zip(weights, sets, substreams, strict=True)]


def unpack_alpha(
    header: SequenceHeader, pictures: Sequence[PictureHeader], streams: dict[StreamId, bytes]
) -> tuple[list[LosslessResidual | None], ValueMaps]:
    """Alpha of the pictures of a packet group of ``dct``, where it is coded, and its value map; see `pack_alpha`.

    Raises:
        BitstreamError: as `unpack_lossless`, or there is no map where alpha is not coded in an I picture.
    """
    of_alpha, coded = header.alpha_header, [picture for picture in pictures if picture.predictor_set_counts]
    if of_alpha is None:
        return [None] * len(pictures), NO_MAPS
    if not (pictures[0].references or pictures[0].predictor_set_counts or StreamId.ALPHA_MAP in streams):
        raise BitstreamError("alpha of an I picture is not coded, and there is no value map")
    own = streams_of_alpha(streams)
    residuals = iter(unpack_lossless(of_alpha, coded, own) if coded else ())
    maps = unpack_maps(of_alpha, own.get(StreamId.VALUE_MAPS))
    return [next(residuals) if picture.predictor_set_counts else None for picture in pictures], maps


def streams_of_alpha(streams: dict[StreamId, bytes]) -> dict[StreamId, bytes]:
    """The streams of alpha beside ``dct`` as a file of alpha alone would have them."""
    return {stream: streams[its] for stream, its in ALPHA_STREAMS.items() if its in streams}


def unpack_weights(header: SequenceHeader, pictures: Sequence[PictureHeader], data: bytes) -> list[tuple[Weights, ...]]:
    """Weight differences of every plane of every picture (spec 9.3)."""
    # a plane that is coded after others has a weight for the residual of each
    shapes = [
        (count, WEIGHT_COUNTS[picture.references] + residual_taps(plane, header.greens_apart))
        for picture in pictures
        for plane, count in enumerate(picture.predictor_set_counts)
    ]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    with StreamReader(data) as stream:
        differences = np.split(negative_first(stream.numbers(int(ends[-1]))), ends[:-1])
    planes = [of_plane.reshape(shape) for of_plane, shape in zip(differences, shapes, strict=True)]
    count = len(header.format.plane_shapes)
    return [tuple(planes[first : first + count]) for first in range(0, len(planes), count)]


def unpack_predictor_sets(
    header: SequenceHeader, pictures: Sequence[PictureHeader], data: bytes
) -> list[tuple[Bytes, ...]]:
    """Which predictor set each square has, of every plane of every picture (spec 9.3)."""
    shapes = [set_map_shape(shape) for shape in header.format.plane_shapes]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    with StreamReader(data) as stream:
        of_pictures = stream.symbols(len(pictures) * int(ends[-1])).reshape(len(pictures), -1)
    maps = []
    for picture, of_planes in zip(pictures, of_pictures, strict=True):
        planes = np.split(of_planes, ends[:-1])
        for plane, count in zip(planes, picture.predictor_set_counts, strict=True):
            last = count + PLAIN_SETS[picture.references] - 1
            if int(plane.max()) > last:
                raise BitstreamError(f"a square has predictor set {int(plane.max())}; 0…{last} are possible")
        maps.append(tuple(plane.reshape(shape) for plane, shape in zip(planes, shapes, strict=True)))
    return maps


def unpack_depth(stream: StreamReader, bit_depth: int) -> int:
    """Bits of the samples that are coded, of pictures of ``bit_depth`` bits (spec 9.6).

    Raises:
        BitstreamError: they are more than those of the pictures, or fewer than 8.
    """
    coded = stream.take(1)[0] if bit_depth > 8 else 8
    if not 8 <= coded <= bit_depth:
        raise BitstreamError(f"samples are coded with {coded} bits; 8…{bit_depth} are possible")
    return coded


def unpack_substream_map(stream: StreamReader, contexts: int, possible: range) -> tuple[int, Bytes]:
    """How many context substreams there are, and which one each of so many contexts has (spec 9.6, 10.5).

    Raises:
        BitstreamError: there are not as many as is ``possible``, or a context has one that is not there.
    """
    count = stream.take(1)[0]
    if count not in possible:
        raise BitstreamError(f"{count} context substreams; {possible[0]}…{possible[-1]} are possible")
    substream_of = stream.symbols(contexts) if count > 1 else np.zeros(contexts, np.uint8)
    if count and int(substream_of.max()) >= count:
        raise BitstreamError(f"a context has substream {int(substream_of.max())} of {count}")
    return count, substream_of


def unpack_contexts(stream: StreamReader, header: SequenceHeader, is_deep: bool) -> tuple[int, Bytes]:
    """`unpack_substream_map` of the contexts of all planes of the lossless coder."""
    contexts = len(header.format.plane_shapes) * context_model(is_deep).contexts
    return unpack_substream_map(stream, contexts, range(1, MAX_SUBSTREAMS + 1))


def unpack_sizes(stream: StreamReader, pictures: int, samples: int, substreams: int) -> npt.NDArray[np.int64]:
    """How many symbols each picture has in each substream, int64 (pictures, substreams).

    Raises:
        BitstreamError: they are not as many as a picture has samples.
    """
    sizes = np.array([stream.varint() for _ in range(pictures * substreams)], np.int64).reshape(pictures, substreams)
    for total in sizes.sum(axis=1).tolist():
        if total != samples:
            raise BitstreamError(f"context substreams of {total} symbols for a picture of {samples} samples")
    return sizes


def unpack_substreams(data: bytes, pictures: int, header: SequenceHeader) -> tuple[int, list[ContextSubstreams]]:
    """How many bits coded samples have, and the context substreams of pictures.

    The inverse of `pack_substreams` (spec 9.6).
    """
    samples = header.format.sample_count
    with StreamReader(data) as stream:
        coded_depth = unpack_depth(stream, header.format.bit_depth)
        model = context_model(coded_depth > 8)
        count, substream_of = unpack_contexts(stream, header, coded_depth > 8)
        sizes = unpack_sizes(stream, pictures, samples, count)
        starts = np.cumsum(sizes.T.ravel()).reshape(count, pictures).T - sizes
        # one substream behind the other, with room to read on from the last as far as a picture could want
        symbols = np.zeros((pictures + 1) * samples + 2, np.uint8)
        for first, size in zip(starts[0].tolist(), sizes.sum(axis=0).tolist(), strict=True):
            symbols.data[first : first + size] = stream.symbols(size).data  # numpy would give the lock away
    if coded_depth > 8 and int(symbols.max()) >= model.symbols:
        raise BitstreamError(f"a symbol is {int(symbols.max())}; it lies in 0…{model.symbols - 1}")
    bits = np.zeros(2, np.uint8)
    return coded_depth, [
        ContextSubstreams(symbols, *of_picture, substream_of, bits) for of_picture in zip(starts, sizes, strict=True)
    ]


def with_bits(substreams: Sequence[ContextSubstreams], samples: int, data: bytes) -> list[ContextSubstreams]:
    """Pictures with the raw bits that their symbols want, those of each in whole bytes (spec 9.6).

    Raises:
        BitstreamError: the bits are not as many.
    """
    raw_bits, starts = context_model(True).raw_bits, [0]
    for of in substreams:
        wanted = sum(int(raw_bits[of.of(number)].sum(dtype=np.int64)) for number in range(of.sizes.size))
        starts.append(starts[-1] + (wanted + 7) // 8)
    if starts[-1] != len(data):
        raise BitstreamError(f"raw bits of {len(data)} bytes where symbols want {starts[-1]}")
    # as with symbols, room to read on: 13 bits a sample at most
    bits = np.zeros(len(data) + 2 * samples + 2, np.uint8)
    bits.data[: len(data)] = data
    return [replace(of, bits=bits[start:]) for of, start in zip(substreams, starts, strict=False)]


def unpack_maps(header: SequenceHeader, data: bytes | None) -> ValueMaps:
    """The value maps of a GOP; the inverse of `pack_maps` (spec 9.7).

    Raises:
        BitstreamError: a value is beyond the bits of a sample.
    """
    if data is None:
        return NO_MAPS
    maps, peak = [], header.format.peak
    with StreamReader(data) as stream:
        for _ in range(1 + header.has_alpha):
            count = stream.varint()
            if count > peak + 1:
                raise BitstreamError(f"a map of {count} values, where {peak + 1} are possible")
            values = np.cumsum(stream.numbers(count).astype(np.int64) + 1) - 1
            if count and int(values[-1]) > peak:
                raise BitstreamError(f"a map of values up to {int(values[-1])}; the largest sample is {peak}")
            maps.append(values.astype(header.format.dtype))
    return tuple(maps)


def symbol_limit(header: SequenceHeader) -> int:
    """More symbols than a picture can have: 24 for each 8×8 unit, two for each sample."""
    shape = shape_of(header.coded_format)
    return 24 * math.prod(shape.cells) + 2 * shape.samples


def block_bytes(header: SequenceHeader) -> int:
    """What the blocks of a picture take at most once they are unpacked (spec 12): symbols, blocks, counts, levels."""
    shape = shape_of(header.coded_format)
    return symbol_limit(header) + 64 * math.prod(shape.cells) + 4 * shape.samples


def unpack_blocks(
    header: SequenceHeader, quantisers: Sequence[tuple[int, int]], streams: dict[StreamId, bytes]
) -> list[CodedSymbols]:
    """The pictures of a packet group, each with its quantisers; the inverse of `pack_blocks`.

    Raises:
        BitstreamError: streams are damaged, or more than pictures can have.
    """
    count = len(quantisers)
    symbols = unpack_symbols(streams, symbol_limit(header) * count)
    filters = unpack_filters(header, streams.get(StreamId.ALF), count)
    return [
        CodedSymbols(*qps, symbols, number == count, alf)
        for number, (qps, alf) in enumerate(zip(quantisers, filters, strict=True), 1)
    ]


def unpack_prediction_weights(
    header: SequenceHeader, pictures: Sequence[PictureHeader], data: bytes | None
) -> list[PredictionWeights | None]:
    """What each picture of ``dct`` weighs its references by, if it does (spec 10.17).

    Raises:
        BitstreamError: an I picture has weights, or a scale is beyond 0…32767.
    """
    if data is None:
        return [None] * len(pictures)
    planes, weights = len(header.coded_format.plane_shapes), []
    with StreamReader(data) as stream:
        are_weighted = stream.symbols(len(pictures)).tolist()
        for picture, is_weighted in zip(pictures, are_weighted, strict=True):
            count = len(picture.place.references) if picture.place else 0
            if is_weighted > (count > 0):
                raise BitstreamError("what says that a picture has weights is not 0 or 1, or is 1 of an I picture")
            weights.append(
                weights_of(negative_first(stream.numbers(2 * planes * count)).reshape(count, planes, 2))
                if is_weighted
                else None
            )
    return weights


def weights_of(differences: Differences) -> PredictionWeights:
    """Weights (references, planes, 2) of what says how chroma's differ from luma's, and these from none."""
    weights = differences.astype(np.int32)
    weights[:, 0, 0] += UNWEIGHTED
    weights[:, 1:, 0] += weights[:, :1, 0]
    weights[:, 1:, 1] += NEUTRAL_OFFSET * (UNWEIGHTED - weights[:, 1:, 0])
    if not 0 <= int(weights[..., 0].min()) <= int(weights[..., 0].max()) <= MAX_SCALE:
        raise BitstreamError(f"a scale of a reference is beyond 0…{MAX_SCALE}")
    return weights


def unpack_symbols(streams: dict[StreamId, bytes], limit: int) -> SymbolReader:
    """All symbols of a packet group, not more than ``limit``."""
    from codec.dct.syntax import SymbolReader

    substreams: list[Numbers] = []
    symbols: list[Bytes] = []
    for first, end, family in zip((0, *FAMILIES), FAMILIES, BLOCK_STREAMS, strict=False):
        with StreamReader(streams[family]) as stream:
            substream_of, of_family = unpack_family(stream, end - first, limit)
        substreams.append(len(symbols) + substream_of)
        symbols += of_family
        limit -= sum(substream.size for substream in of_family)
    sizes = np.array([substream.size for substream in symbols])
    return SymbolReader(np.concatenate(symbols), np.concatenate(substreams), sizes, streams[StreamId.BITS])


def unpack_family(stream: StreamReader, contexts: int, limit: int) -> tuple[Numbers, list[Bytes]]:
    """Which context substream each context has, and the symbols of each, not more than ``limit`` of all."""
    count, substream_of = unpack_substream_map(stream, contexts, range(256))
    symbols = []
    for _ in range(count):
        size = stream.varint()
        if not 1 <= size <= limit:
            raise BitstreamError(f"a substream of {size} symbols, where 1…{limit} are possible")
        limit -= size
        symbols.append(stream.symbols(size))
    return substream_of.astype(np.int64), symbols or [np.zeros(0, np.uint8)]


def unpack_filters(header: SequenceHeader, data: bytes | None, count: int) -> list[tuple[AlfParameters | None, ...]]:
    """The filters of the planes of ``count`` pictures."""
    planes = len(header.coded_format.plane_shapes)
    if data is None:
        return [(None,) * planes] * count
    rows, columns = (-(-side // ALF_BLOCK) for side in (header.format.height, header.format.width))
    with StreamReader(data) as stream:
        kinds = stream.symbols(count * planes).reshape(count, planes)
        new, filters = int(np.count_nonzero(kinds == NEW_FILTER)), int(np.count_nonzero(kinds))
        taps = iter(stream.symbols(new * ALF_TAPS).view(np.int8).reshape(new, ALF_TAPS))
        flags = stream.symbols(filters * rows * columns).reshape(filters, rows, columns)
    if (kinds > SAME_FILTER).any() or (flags > 1).any():
        raise BitstreamError("a kind of a filter is not 0, 1 or 2, or a flag neither 0 nor 1")
    first_kinds = kinds[(kinds != NO_FILTER).argmax(axis=0), range(planes)]
    if (first_kinds == SAME_FILTER).any():
        raise BitstreamError("a filter has the taps of one before it, and there is none")
    return [tuple(of_planes) for of_planes in filters_of(kinds, taps, iter(flags))]


def filters_of(
    kinds: Bytes, taps: Iterator[npt.NDArray[np.int8]], flags: Iterator[Bytes]
) -> Iterator[list[AlfParameters | None]]:
    """The filters of each picture's planes; ``taps`` has those that are new."""
    newest: dict[int, npt.NDArray[np.int8]] = {}
    for of_picture in kinds.tolist():
        newest |= {plane: next(taps) for plane, kind in enumerate(of_picture) if kind == NEW_FILTER}
        yield [AlfParameters(newest[plane], next(flags)) if kind else None for plane, kind in enumerate(of_picture)]
