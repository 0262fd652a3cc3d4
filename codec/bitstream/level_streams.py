"""Levels in the sample domain as streams (spec 6.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from codec.bitstream.frames import byte_planes, compress, decompress, from_byte_planes
from codec.bitstream.stream_ids import StreamId
from codec.coded import LEVEL_DTYPES, Levels, PlaneResidual, Quantiser, SequenceHeader
from codec.errors import BitstreamError
from codec.models import ResidualCoder
from codec.picture.planes import SampleFormat

__all__ = ["RESIDUALS", "pack_levels", "unpack_levels"]

RESIDUALS = (StreamId.RESIDUAL_0, StreamId.RESIDUAL_1, StreamId.RESIDUAL_2)


def pack_levels(header: SequenceHeader, residuals: Sequence[tuple[PlaneResidual, ...]]) -> dict[StreamId, bytes]:
    """A stream for each plane with the levels of all pictures."""
    planes = [np.stack([residual.levels for residual in plane]) for plane in zip(*residuals, strict=True)]
    subtract_green(header, planes)
    return {stream: compress(byte_planes(levels.ravel())) for stream, levels in zip(RESIDUALS, planes, strict=False)}


def unpack_levels(
    header: SequenceHeader, quantisers: Sequence[tuple[Quantiser, ...]], streams: dict[StreamId, bytes]
) -> list[tuple[PlaneResidual, ...]]:
    """The residuals of the pictures of a run; the inverse of `pack_levels`.

    Raises:
        BitstreamError: a stream is not what the headers imply, or a level has no meaning.
    """
    dtype = LEVEL_DTYPES[header.residual]
    planes: list[Levels] = []
    for stream, shape in zip(RESIDUALS, header.format.plane_shapes, strict=False):
        symbols = decompress(streams[stream], len(quantisers) * dtype.itemsize * math.prod(shape))
        planes.append(from_byte_planes(symbols, dtype).reshape(len(quantisers), *shape))
    if header.residual is ResidualCoder.FLOAT16 and not all(bool(np.all(np.abs(levels) <= 1)) for levels in planes):
        raise BitstreamError("a float16 level is beyond ±1")  # NaN too, which is not ≤ 1
    add_green(header, planes)
    return [
        tuple(
            PlaneResidual(header.residual, quantiser, levels[number])
            for quantiser, levels in zip(of_picture, planes, strict=True)
        )
        for number, of_picture in enumerate(quantisers)
    ]


def subtract_green(header: SequenceHeader, planes: list[Levels]) -> None:
    """Replace levels of red and blue by their differences from green modulo 256, in place (spec 6.4).

    Saves 4…21 % of int8 bytes at step 8 on RGB clips that come from a camera; float16 is left alone.
    """
    if _greens_apart(header):
        for plane in (planes[0], planes[2]):
            plane.view(np.uint8)[...] -= planes[1].view(np.uint8)


def add_green(header: SequenceHeader, planes: list[Levels]) -> None:
    """The inverse of `subtract_green`."""
    if _greens_apart(header):
        for plane in (planes[0], planes[2]):
            plane.view(np.uint8)[...] += planes[1].view(np.uint8)


def _greens_apart(header: SequenceHeader) -> bool:
    return header.format.sample_format is SampleFormat.RGB and LEVEL_DTYPES[header.residual].itemsize == 1
