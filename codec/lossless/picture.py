"""``lossless``: every sample from its neighbours, here and in earlier pictures, by weights that the file brings.

What is left goes into context substreams by the activity around it (spec 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Protocol

import numpy as np

from codec.coded import LosslessResidual, Weights
from codec.errors import BitstreamError
from codec.lossless.planes import TapPlanes
from codec.lossless.rows import ContextSymbols, PlaneCoder, decode_planes
from codec.lossless.tables import residual_taps
from codec.picture.planes import Plane

__all__ = [
    *("add_green", "as_coded", "as_decoded", "decode_lossless", "planes_of", "subtract_green", "weight_differences"),
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
    header: CoderHeader,
) -> tuple[tuple[Plane, ...], tuple[Weights, ...], tuple[Plane, ...]]:
    """The planes of a picture, the weights that they took, and what was left of each sample: residuals + 128.

    ``predictions`` are of the newest picture and the older one, as far as there are any, each for every plane.
    ``before`` has the weights of the last picture with as many predictions, or is empty.

    Raises:
        BitstreamError: a context has not the symbols that the planes need.
    """
    weights = tuple(weights_after(residual.weight_differences, before))
    decoded, residuals = planes_of(shapes), planes_of(shapes)
    coders = []
    for number, shape in enumerate(shapes):
        left = residuals[: residual_taps(number, header.greens_apart)]
        planes = TapPlanes(shape, [of_picture[number] for of_picture in predictions], left)
        sets = residual.predictor_sets[number]
        coders.append(PlaneCoder(planes, weights[number], sets, residuals[number], decoded[number]))
    source = ContextSymbols(residual.substreams.symbols, residual.substreams.starts)
    decode_planes(coders, source, header.max_error, header.has_alpha)
    used, there = (source.places() - residual.substreams.starts).tolist(), residual.substreams.sizes.tolist()
    if used != there:
        raise BitstreamError(f"context substreams of {there} symbols where {used} are needed")
    return decoded, weights, residuals


def planes_of(shapes: Sequence[tuple[int, int]]) -> tuple[Plane, ...]:
    """Room for planes."""
    return tuple(np.empty(shape, np.uint8) for shape in shapes)


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


def as_coded(planes: Sequence[Plane], header: CoderHeader, alpha_is_binary: bool) -> Sequence[Plane]:
    """The planes that are coded of a picture or a prediction (spec 9.1)."""
    if header.greens_apart:
        planes = subtract_green(planes)
    return (*planes[:-1], planes[-1] >> np.uint8(7)) if alpha_is_binary else planes


def as_decoded(planes: tuple[Plane, ...], header: CoderHeader, alpha_is_binary: bool) -> tuple[Plane, ...]:
    """The planes of a picture of which those are coded; the inverse of `as_coded`."""
    if header.greens_apart:
        planes = add_green(planes)
    return (*planes[:-1], (planes[-1] & np.uint8(1)) * np.uint8(255)) if alpha_is_binary else planes


def subtract_green(planes: Sequence[Plane]) -> tuple[Plane, ...]:
    """G, R − G + 128 and B − G + 128, modulo 256, of R, G and B (spec 9.1); alpha stays what it is."""
    red, green, blue, *alpha = planes
    return green, red - green + np.uint8(128), blue - green + np.uint8(128), *alpha


def add_green(planes: Sequence[Plane]) -> tuple[Plane, ...]:
    """The inverse of `subtract_green`."""
    green, red, blue, *alpha = planes
    return red + green - np.uint8(128), green, blue + green - np.uint8(128), *alpha
