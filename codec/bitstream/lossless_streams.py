"""What the lossless coder says about pictures as streams (spec 6.7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from codec.bitstream.frames import byte_planes, compress, decompress, from_byte_planes
from codec.bitstream.queue_streams import pack_queues, unpack_queues
from codec.bitstream.stream_ids import StreamId
from codec.bitstream.symbols import unzigzag, zigzag
from codec.coded import WEIGHT_COUNTS, LosslessResidual, SequenceHeader, cell_shape
from codec.errors import BitstreamError

__all__ = ["pack_lossless", "unpack_lossless"]


def pack_lossless(residuals: Sequence[LosslessResidual]) -> dict[StreamId, bytes]:
    """The streams of the residuals of a run."""
    weights = np.concatenate([plane.ravel() for residual in residuals for plane in residual.weight_differences])
    classes = np.concatenate([plane.ravel() for residual in residuals for plane in residual.classes])
    streams = {
        StreamId.WEIGHTS: compress(byte_planes(zigzag(weights).astype("<u2"))),
        StreamId.CLASSES: compress(classes.tobytes()),
        StreamId.QUEUES: pack_queues([residual.queues for residual in residuals]),
    }
    return {stream: data for stream, data in streams.items() if stream is not StreamId.WEIGHTS or weights.size}


def unpack_lossless(
    header: SequenceHeader,
    references: Sequence[int],
    class_counts: Sequence[Sequence[int]],
    streams: dict[StreamId, bytes],
) -> list[LosslessResidual]:
    """The residuals of the pictures of a run; the inverse of `pack_lossless`.

    Raises:
        BitstreamError: a stream is not what the headers imply, or a symbol has no meaning.
    """
    weights = unpack_weights(header, references, class_counts, streams)
    classes = unpack_classes(header, class_counts, streams)
    queues = unpack_queues(streams[StreamId.QUEUES], len(references), header.format.sample_count)
    return [LosslessResidual(*parts) for parts in zip(weights, classes, queues, strict=True)]


def unpack_weights(
    header: SequenceHeader,
    references: Sequence[int],
    class_counts: Sequence[Sequence[int]],
    streams: dict[StreamId, bytes],
) -> list[tuple[npt.NDArray[np.int16], ...]]:
    """Weight differences of every plane of every picture."""
    # a plane that is coded after others has a weight for the residual of each
    shapes = [
        (count, WEIGHT_COUNTS[number] + (plane if header.greens_apart else 0))
        for number, counts in zip(references, class_counts, strict=True)
        for plane, count in enumerate(counts)
    ]
    sizes = [math.prod(shape) for shape in shapes]
    if (StreamId.WEIGHTS in streams) != (sum(sizes) > 0):
        raise BitstreamError("WEIGHTS is there where no class needs it, or missing")
    symbols = np.zeros(0, "<u2")
    if sum(sizes):
        data = decompress(streams[StreamId.WEIGHTS], 2 * sum(sizes))
        symbols = from_byte_planes(data, np.dtype("<u2"))
    weights, ends = unzigzag(symbols), accumulate(sizes)
    parts = zip(shapes, sizes, ends, strict=True)
    planes = iter([weights[end - size : end].reshape(shape) for shape, size, end in parts])
    return [tuple(next(planes) for _ in counts) for counts in class_counts]


def unpack_classes(
    header: SequenceHeader, class_counts: Sequence[Sequence[int]], streams: dict[StreamId, bytes]
) -> list[tuple[npt.NDArray[np.uint8], ...]]:
    """Class maps of every plane of every picture."""
    shapes = [cell_shape(shape) for shape in header.format.plane_shapes]
    sizes, pictures = [math.prod(shape) for shape in shapes], len(class_counts)
    data = np.frombuffer(decompress(streams[StreamId.CLASSES], pictures * sum(sizes)), np.uint8)
    planes = []
    for number, (shape, size, end) in enumerate(zip(shapes, sizes, accumulate(sizes), strict=True)):
        maps = data.reshape(pictures, -1)[:, end - size : end]
        for counts, highest in zip(class_counts, maps.max(axis=1).tolist(), strict=True):
            if highest > counts[number]:
                raise BitstreamError(f"a cell's class is {highest} of {counts[number]}")
        planes.append([map_.reshape(shape) for map_ in maps])
    return list(zip(*planes, strict=True))
