"""``lossless``: every sample from its neighbours, here and in earlier pictures, by weights that the file brings.

What is left goes into context substreams by the activity around it (spec 9).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import zip_longest
from typing import Protocol

import numpy as np
import numpy.typing as npt

from codec.coded import ContextSubstreams, LosslessResidual, Memory, Residuals, Weights
from codec.depths import for_depth
from codec.errors import BitstreamError
from codec.lossless import planes as kernel_planes
from codec.lossless import rows as kernel_rows
from codec.lossless.tables import FIELDS, LOG2_ONE_DEEP, MAX_WEIGHT_SUM, context_model, residual_taps
from codec.picture.planes import Plane, sample_type

__all__ = [
    *("add_green", "as_coded", "as_decoded", "decode_lossless", "earlier_planes", "planes_of", "residuals_of"),
    *("regions_of", "subtract_green", "weight_differences"),
]


class CoderHeader(Protocol):
    """What the coder needs of a sequence's header."""

    @property
    def max_error(self) -> int:
        """How far a sample may be off."""

    @property
    def greens_apart(self) -> bool:
        """Whether planes are G, R − G and B − G (spec 9.1)."""

    @property
    def has_alpha(self) -> bool:
        """Whether the last plane is alpha, which is exact whatever ``max_error`` is."""


def decode_lossless(
    residual: LosslessResidual,
    shapes: Sequence[tuple[int, int]],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    memories: Sequence[Memory],
    header: CoderHeader,
) -> tuple[tuple[Plane, ...], tuple[Weights, ...], tuple[Residuals, ...], tuple[Memory, ...]]:
    """The planes of a picture, the weights that they took, what was left of each sample, and memories after it.

    ``predictions`` are of the newest picture and the older one, as far as there are any, each for every plane.
    ``before`` has the weights of the last picture with as many predictions, or is empty, and ``memories`` those of
    planes so far, or is empty.

    Raises:
        BitstreamError: a context has not the symbols that the planes need, or weights are too large.
    """
    bit_depth, substreams = residual.bit_depth, residual.substreams
    assert isinstance(substreams, ContextSubstreams)
    planes, rows = for_depth(kernel_planes, bit_depth), for_depth(kernel_rows, bit_depth)
    weights = tuple(weights_after(residual.weight_differences, before))
    if bit_depth > 8:
        check_weights(weights)
    decoded, residuals = planes_of(shapes, bit_depth), residuals_of(shapes, bit_depth)
    coders = []
    for number, shape in enumerate(shapes):
        left = residuals[: residual_taps(number, header.greens_apart)]
        taps = planes.TapPlanes(shape, [of_picture[number] for of_picture in predictions], left, bit_depth)
        sets = residual.predictor_sets[number]
        earlier = residuals[: earlier_planes(number, len(shapes), header.has_alpha)]
        memory = memories[number] if memories else None
        of_plane = (weights[number], sets, residuals[number], decoded[number], number, earlier, memory)
        coders.append(rows.PlaneCoder(taps, *of_plane))
    substream_of = regions_of(substreams.substream_of.tobytes(), bit_depth > 8)
    source = rows.ContextReader(substreams.symbols, substreams.starts, substream_of, substreams.bits, bit_depth > 8)
    rows.decode_planes(coders, source, header.max_error, header.has_alpha)
    used, there = (source.places() - substreams.starts).tolist(), substreams.sizes.tolist()
    if used != there:
        raise BitstreamError(f"context substreams of {there} symbols where {used} are needed")
    return decoded, weights, residuals, tuple(coder.memory_after() for coder in coders)


@functools.lru_cache(maxsize=4)  # the pictures of a packet group share theirs
def regions_of(substream_of: bytes, is_deep: bool) -> npt.NDArray[np.uint8]:
    """`FIELDS` times the substream of each region and activity of each plane, of those of contexts."""
    model = context_model(is_deep)
    of_planes = FIELDS * np.frombuffer(substream_of, np.uint8).reshape(-1, model.contexts)
    return of_planes[:, model.context_of].ravel()


def earlier_planes(number: int, count: int, has_alpha: bool) -> int:
    """How many planes before a plane tell how well it is predicted (spec 9.5): none of alpha."""
    return 0 if has_alpha and number == count - 1 else min(number, 2)


def planes_of(shapes: Sequence[tuple[int, int]], bit_depth: int) -> tuple[Plane, ...]:
    """Room for planes."""
    return tuple(np.empty(shape, sample_type(bit_depth)) for shape in shapes)


def residuals_of(shapes: Sequence[tuple[int, int]], bit_depth: int) -> tuple[Residuals, ...]:
    """Room for what is left of their samples: + 128, or of more than 8 bits as it is."""
    return tuple(np.empty(shape, np.uint8 if bit_depth == 8 else np.int16) for shape in shapes)


def check_weights(weights: Sequence[Weights]) -> None:
    """Refuse weights with which a prediction of samples of more than 8 bits might not fit 32 bits (spec 9.2)."""
    most = MAX_WEIGHT_SUM << LOG2_ONE_DEEP
    for of_plane in weights:
        sums = np.abs(of_plane[:, 1:].astype(np.int32)).sum(axis=1)
        if sums.size and int(sums.max()) > most:
            raise BitstreamError(f"weights of a predictor set add up to {int(sums.max())}; the limit is {most}")


def weight_differences(weights: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """Weights minus those of the same predictor set before, where there were any (spec 9.3), modulo 2**16."""
    return [after - fitted(start, after.shape) for after, start in zip_longest(weights, before)]


def weights_after(differences: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """The inverse of `weight_differences`."""
    return [difference + fitted(start, difference.shape) for difference, start in zip_longest(differences, before)]


def fitted(weights: Weights | None, shape: tuple[int, ...]) -> Weights:
    """Weights for ``shape[0]`` predictor sets: as many as there are, then 0."""
    if weights is not None and weights.shape == shape:
        return weights
    result = np.zeros(shape, np.int16)
    if weights is not None:
        result[: len(weights)] = weights[: shape[0]]
    return result


def as_coded(planes: Sequence[Plane], header: CoderHeader, bit_depth: int) -> Sequence[Plane]:
    """The planes that are coded of a picture or a prediction (spec 9.1)."""
    return subtract_green(planes, bit_depth) if header.greens_apart else planes


def as_decoded(planes: tuple[Plane, ...], header: CoderHeader, bit_depth: int) -> tuple[Plane, ...]:
    """The planes of a picture of which those are coded; the inverse of `as_coded`."""
    return add_green(planes, bit_depth) if header.greens_apart else planes


def subtract_green(planes: Sequence[Plane], bit_depth: int = 8) -> tuple[Plane, ...]:
    """G, R − G + half and B − G + half, modulo the range, of R, G and B (spec 9.1); alpha stays what it is."""
    red, green, blue, *alpha = planes
    half = green.dtype.type(1 << (bit_depth - 1))
    return green, _modulo(red - green + half, bit_depth), _modulo(blue - green + half, bit_depth), *alpha


def add_green(planes: Sequence[Plane], bit_depth: int = 8) -> tuple[Plane, ...]:
    """The inverse of `subtract_green`."""
    green, red, blue, *alpha = planes
    half = green.dtype.type(1 << (bit_depth - 1))
    return _modulo(red + green - half, bit_depth), green, _modulo(blue + green - half, bit_depth), *alpha


def _modulo(plane: Plane, bit_depth: int) -> Plane:
    """Samples modulo their range, which the type of 8 or 16 bits does by itself."""
    return plane if bit_depth % 8 == 0 else plane & plane.dtype.type((1 << bit_depth) - 1)
