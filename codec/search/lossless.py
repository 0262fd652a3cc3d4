"""How ``lossless`` is encoded: predictor sets for every plane, and then its samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from codec.coded import ContextSubstreams, LosslessResidual, Weights
from codec.lossless.picture import CoderHeader, planes_of, weight_differences
from codec.lossless.planes import TapPlanes
from codec.lossless.rows import ContextSymbols, PlaneCoder, encode_plane
from codec.lossless.tables import CONTEXTS, WEIGHT_COUNTS, residual_taps, set_map_shape
from codec.models import Speed
from codec.picture.planes import Plane
from codec.search.predictor_sets import fit_sets

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
    """

    search: Speed
    references: int
    sets: tuple[int, int]
    first_rounds: int
    rounds: int
    row_step: int


# A better search than FAST saves 0.4 % of the bytes for half the time more. With 8 and 4 sets medium files are 1.1 %
# larger, with half the rows 0.9 % more; fast ones with 4 and 2 sets 0.4 %, with a quarter of the rows 1.2 % more
PRESETS = {
    Speed.SLOW: Preset(Speed.SLOW, 2, (12, 8), 8, 4, 1),
    Speed.MEDIUM: Preset(Speed.FAST, 2, (12, 8), 4, 1, 1),
    Speed.FAST: Preset(Speed.FAST, 1, (8, 4), 2, 1, 2),
}


def code_lossless(
    planes: Sequence[Plane],
    predictions: Sequence[Sequence[Plane]],
    before: Sequence[Weights],
    preset: Preset,
    header: CoderHeader,
) -> tuple[LosslessResidual, tuple[Weights, ...], tuple[Plane, ...]]:
    """Code the planes of a picture; returns what is coded, the weights, and the planes that a decoder will have.

    ``predictions`` are of the newest picture and the older one, as far as there are any, each for every plane.
    ``before`` has the weights of the last picture with as many predictions, or is empty.
    """
    shapes = [plane.shape for plane in planes]
    decoded, residuals = planes_of(shapes), planes_of(shapes)
    weights, cell_sets = [], []
    parts: list[list[bytes]] = [[] for _ in range(CONTEXTS)]
    starts = np.arange(CONTEXTS, dtype=np.int64) * (max(plane.size for plane in planes) + 1)
    # below 32 MB its pages are there from picture to picture: with fresh ones 720p takes 10 % longer
    room = np.empty(starts[1] * CONTEXTS, np.uint8)
    for number, plane in enumerate(planes):
        left = residuals[: residual_taps(number, header.greens_apart)]
        taps = TapPlanes(plane.shape, [of_picture[number] for of_picture in predictions], left)
        taps.set_source(plane)
        count = min(preset.sets[min(number, 1)], math.prod(set_map_shape(plane.shape)))
        start = before[number] if before else None
        is_alpha = header.has_alpha and number == len(planes) - 1
        if is_alpha and predictions and np.array_equal(plane, predictions[0][number]):  # as most alpha is
            of_sets = np.zeros((0, WEIGHT_COUNTS[len(predictions)]), np.int16)
            map_ = np.zeros(set_map_shape(plane.shape), np.uint8)
        else:
            of_sets, map_ = fit_sets(taps, count, start, preset.first_rounds, preset.rounds, preset.row_step)
        target = ContextSymbols(room, starts)
        coder = PlaneCoder(taps, of_sets, map_, residuals[number], decoded[number])
        encode_plane(coder, target, 0 if is_alpha else header.max_error)
        weights.append(of_sets)
        cell_sets.append(map_)
        for part, first, end in zip(parts, starts.tolist(), target.places().tolist(), strict=True):
            part.append(room[first:end].tobytes())
    sizes = np.array([sum(map(len, part)) for part in parts])
    symbols = ContextSubstreams(np.frombuffer(b"".join(chain(*parts)), np.uint8), np.cumsum(sizes) - sizes, sizes)
    residual = LosslessResidual(tuple(weight_differences(weights, before)), tuple(cell_sets), symbols)
    return residual, tuple(weights), decoded
