"""``lossless``: every sample from its neighbours, here and in earlier pictures, by weights that the file brings.

The residual that is left goes into queues by the activity around it (spec 8.2).
One walk, in `codec.residual.lossless_walk`, serves both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Protocol

import numpy as np
import numpy.typing as npt

from codec.errors import BitstreamError
from codec.picture.planes import Plane
from codec.residual.levels import LosslessResidual, Queues, Weights
from codec.residual.lossless_stage import NOTHING, Stage, empty_stage
from codec.residual.lossless_walk import CONTEXT_OF, PlaneWalk, decode_planes, encode_planes

__all__ = ["add_green", "decode_lossless", "subtract_green", "walk", "walk_lossless", "weight_differences"]


class CoderHeader(Protocol):
    """What the coder needs of a sequence's header."""

    @property
    def max_error(self) -> int:
        """How far a sample may be off."""

    @property
    def greens_apart(self) -> bool:
        """Whether planes are G, R − G and B − G (spec 8.2.4)."""


def decode_lossless(
    residual: LosslessResidual,
    shapes: Sequence[tuple[int, int]],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    header: CoderHeader,
) -> tuple[tuple[Plane, ...], tuple[Weights, ...]]:
    """The planes of a picture, and the weights that they took; arguments as of `code_lossless`.

    Raises:
        BitstreamError: a queue has not the symbols that the planes need.
    """
    planes, weights, _ = walk_lossless(residual, shapes, predictions, before, header)
    return planes, weights


def walk_lossless(
    residual: LosslessResidual,
    shapes: Sequence[tuple[int, int]],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    header: CoderHeader,
) -> tuple[tuple[Plane, ...], tuple[Weights, ...], tuple[Plane, ...]]:
    """`decode_lossless`, with what the queues held for each sample: residuals + 128 of every plane."""
    weights = tuple(weights_after(residual.weight_differences, before))
    places = residual.queues.starts.copy()
    decoded, residuals = planes_of(shapes), planes_of(shapes)
    nothing = (NOTHING,) * len(shapes)
    newer, older = (*predictions, nothing, nothing)[:2]
    walks, fillings = [], []
    for number, shape in enumerate(shapes):
        left = residuals[:number] if header.greens_apart else ()
        stage = empty_stage(shape, len(predictions), len(left))
        walks.append(walk_of(stage, weights[number], residual.classes[number], residuals[number], decoded[number]))
        fillings.append((newer[number], older[number], (*left, NOTHING, NOTHING)[:2]))
    decode_planes(tuple(walks), tuple(fillings), CONTEXT_OF, residual.queues.symbols, places, header.max_error)
    used, there = (places - residual.queues.starts).tolist(), residual.queues.sizes.tolist()
    if used != there:
        raise BitstreamError(f"queues of {there} symbols where {used} are needed")
    return decoded, weights, residuals


def walk(
    stage: Stage,
    weights: Weights,
    classes: npt.NDArray[np.uint8],
    queues: Queues,
    places: npt.NDArray[np.int64],
    max_error: int,
    encode: bool,
) -> tuple[Plane, Plane]:
    """Walk a plane whose stage is set; moves ``places`` on, and returns what is decoded, and the residuals + 128."""
    (decoded,), (residuals,) = planes_of([stage.shape]), planes_of([stage.shape])
    walk_planes = encode_planes if encode else decode_planes
    of_plane = walk_of(stage, weights, classes, residuals, decoded)
    walk_planes((of_plane,), None, CONTEXT_OF, queues.symbols, places, max_error)
    return decoded, residuals


def walk_of(
    stage: Stage, weights: Weights, classes: npt.NDArray[np.uint8], residuals: Plane, decoded: Plane
) -> PlaneWalk:
    """What `decode_planes` and `encode_planes` take of a plane."""
    taps = stage.paired_taps()
    return stage.samples, stage.origin, stage.stride, taps, weights, stage.residuals, classes, residuals, decoded


def planes_of(shapes: Sequence[tuple[int, int]]) -> tuple[Plane, ...]:
    """Room for planes."""
    return tuple(np.empty(shape, np.uint8) for shape in shapes)


def weight_differences(weights: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """Weights minus those of the same class before, where there were any (spec 6.7), modulo 2**16."""
    return [after - fitted(start, after.shape) for after, start in zip_longest(weights, before)]


def weights_after(differences: Sequence[Weights], before: Sequence[Weights]) -> list[Weights]:
    """The inverse of `weight_differences`."""
    return [difference + fitted(start, difference.shape) for difference, start in zip_longest(differences, before)]


def fitted(weights: Weights | None, shape: tuple[int, ...]) -> Weights:
    """Weights for ``shape[0]`` classes: as many as there are, then 0."""
    if weights is not None and weights.shape == shape:
        return weights
    result = np.zeros(shape, np.int16)
    if weights is not None:
        result[: len(weights)] = weights[: shape[0]]
    return result


def subtract_green(planes: Sequence[Plane]) -> tuple[Plane, ...]:
    """G, R − G + 128 and B − G + 128, modulo 256, of R, G and B (spec 8.2.4)."""
    red, green, blue = planes
    return green, red - green + np.uint8(128), blue - green + np.uint8(128)


def add_green(planes: Sequence[Plane]) -> tuple[Plane, ...]:
    """The inverse of `subtract_green`."""
    green, red, blue = planes
    return red + green - np.uint8(128), green, blue + green - np.uint8(128)
