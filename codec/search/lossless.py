"""How ``lossless`` is encoded: predictor sets for every plane, and then its samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.coded import LosslessResidual, Memory, Weights, WrittenContexts
from codec.depths import for_depth
from codec.lossless import planes as kernel_planes
from codec.lossless import rows as kernel_rows
from codec.lossless.picture import CoderHeader, earlier_planes, fitted, planes_of, residuals_of, weight_differences
from codec.lossless.tables import WEIGHT_COUNTS, residual_taps, set_map_shape
from codec.models import Speed
from codec.picture.planes import Plane
from codec.search import predictor_sets, set_choice
from codec.search.displacements import looks_like_screen

__all__ = ["PRESETS", "Preset", "code_lossless"]


class Preset(NamedTuple):
    """How thoroughly pictures are coded.

    Attributes:
        search: how thoroughly motion is searched.
        references: how many pictures a picture is predicted from, as far as there are any.
        sets: predictor sets for the first plane, and for each other.
        first_rounds: of fitting and choosing, where there are no weights to start from.
        rounds: of fitting and choosing, starting from the picture before.
        row_step: every how many rows are looked at.
        try_all: whether each square tries all sets after they are fitted.
    """

    search: Speed
    references: int
    sets: tuple[int, int]
    first_rounds: int
    rounds: int
    row_step: int
    try_all: bool


# A better search than FAST saves 0.4 % of the bytes for half the time more. With 8 and 4 sets medium files are 1.1 %
# larger, with half the rows 0.9 % more; fast ones with 4 and 2 sets 0.4 %, with a quarter of the rows 1.2 % more
PRESETS = {
    Speed.SLOW: Preset(Speed.SLOW, 2, (12, 8), 8, 4, 1, True),
    Speed.MEDIUM: Preset(Speed.FAST, 2, (12, 8), 4, 1, 1, False),
    Speed.FAST: Preset(Speed.FAST, 1, (8, 4), 2, 1, 2, False),
}


def keep_unused(weights: Weights, sets: npt.NDArray[np.uint8], before: Weights | None) -> None:
    """Let the weights of sets that no square has be those before, which take next to no bytes."""
    unused = ~np.isin(np.arange(1, 1 + len(weights)), sets)
    weights[unused] = fitted(before, weights.shape)[unused]


def code_lossless(
    planes: Sequence[Plane],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    memories: Sequence[Memory],
    preset: Preset,
    header: CoderHeader,
    bit_depth: int,
) -> tuple[LosslessResidual, tuple[Weights, ...], tuple[Plane, ...], tuple[Memory, ...]]:
    """Code the planes of a picture; returns that, the weights, the planes that a decoder will have, and memories.

    ``predictions`` are of the newest picture and the older one, as far as there are any, each for every plane.
    ``before`` has the weights of the last picture with as many predictions, or is empty, and ``memories`` those of
    planes so far, or is empty.
    """
    shapes, samples = [plane.shape for plane in planes], sum(plane.size for plane in planes)
    rows, fit_sets = for_depth(kernel_rows, bit_depth), for_depth(predictor_sets, bit_depth).fit_sets
    choose_sets = for_depth(set_choice, bit_depth).choose_sets
    choose_memory = for_depth(set_choice, bit_depth).choose_memory
    decoded, residuals = planes_of(shapes, bit_depth), residuals_of(shapes, bit_depth)
    weights, cell_sets, after = [], [], []
    contexts, symbols = np.empty(samples, np.uint16), np.empty(samples, np.uint8)
    bits = np.zeros(2 + (2 * samples if bit_depth > 8 else 0), np.uint8)
    target = rows.ContextWriter(contexts, symbols, bits, bit_depth > 8)
    is_screen = looks_like_screen(planes[0])
    for number, plane in enumerate(planes):
        left = residuals[: residual_taps(number, header.greens_apart)]
        of_plane = [of_picture[number] for of_picture in predictions]
        taps = for_depth(kernel_planes, bit_depth).TapPlanes(plane.shape, of_plane, left, bit_depth)
        taps.set_source(plane)
        count = min(preset.sets[min(number, 1)], math.prod(set_map_shape(plane.shape)))
        start = before[number] if before else None
        is_alpha = header.has_alpha and number == len(planes) - 1
        if is_alpha and predictions and np.array_equal(plane, predictions[0][number]):  # as most alpha is
            of_sets = np.zeros((0, WEIGHT_COUNTS[len(predictions)]), np.int16)
            map_ = np.zeros(set_map_shape(plane.shape), np.uint8)
        else:
            of_sets, map_ = fit_sets(taps, count, start, preset.first_rounds, preset.rounds, preset.row_step)
        earlier = residuals[: earlier_planes(number, len(planes), header.has_alpha)]
        memory = memories[number] if memories else None
        coder = rows.PlaneCoder(taps, of_sets, map_, residuals[number], decoded[number], number, earlier, memory)
        if len(of_sets):
            is_drawn = is_screen or (is_alpha and looks_like_screen(plane))
            choose_sets(coder, map_, preset.try_all, is_drawn)
            if is_drawn:
                choose_memory(coder, map_, memory)
            keep_unused(of_sets, map_, start)
            coder.remember(memory)
        rows.encode_plane(coder, target, 0 if is_alpha else header.max_error)
        weights.append(of_sets)
        cell_sets.append(map_)
        after.append(coder.memory_after())
    written = WrittenContexts(contexts, symbols, bits[: (target.next_bit() + 7) // 8].copy())
    residual = LosslessResidual(tuple(weight_differences(weights, before)), tuple(cell_sets), written, bit_depth)
    return residual, tuple(weights), decoded, tuple(after)
