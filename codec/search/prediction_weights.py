"""Encoder only: by what to weigh the references of a picture that fades (spec 10.17)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.coded import PredictionWeights
from codec.dct.references import NEUTRAL_OFFSET, UNWEIGHTED, weighted
from codec.picture.planes import Picture, Plane
from codec.search.source_prediction import prediction_cost

__all__ = ["choose_weights", "faded"]

SHARES = 64  # of a plane's samples, from the darkest to the brightest
LEAST, LEFT = 0.4, 0.3  # by how much samples differ where something fades, and what weights leave of that
SAME = 0.5  # share of samples from which on nothing fades, but lines of text come, say
WORTH = 0.9  # of what the picture costs without
NEAR = 0.25  # of a sample: what chroma may lose by weights like luma's, which take no bytes
UNCHANGED = (UNWEIGHTED, 0)
OFFSETS = 32  # in a sample
STEEPEST = 4 * UNWEIGHTED  # a scale up to which offsets, and how chroma's differ from luma's, fit 16 bits

_Weights = tuple[int, int]  # scale and offset of a plane
_Means = npt.NDArray[np.float64]


def choose_weights(source: Picture, references: Sequence[Picture]) -> PredictionWeights | None:
    """The weights of the planes of each reference, all of them sources, or None where they would not help."""
    planes, bit_depth = source.planes, source.format.bit_depth
    of_luma = [fade(planes[0], reference.planes[0], bit_depth) for reference in references]
    if not any(of_luma):
        return None
    plain = [reference.planes[0] for reference in references]
    changed = [weighted(plane, *(of or UNCHANGED), bit_depth) for plane, of in zip(plain, of_luma, strict=True)]
    if prediction_cost(planes[0], changed) > WORTH * prediction_cost(planes[0], plain):
        return None
    return np.array([
        [of or UNCHANGED, *(
            fade_of_chroma(wanted, plane, of, bit_depth)
            for wanted, plane in zip(planes[1:], reference.planes[1:], strict=True)
        )]
        for of, reference in zip(of_luma, references, strict=True)
    ], np.int32)  # fmt: skip


def faded(wanted: Plane, reference: Plane, bit_depth: int) -> Plane:
    """Luma (H, W) of a reference, weighted if ``wanted`` is what it fades to."""
    weights = fade(wanted, reference, bit_depth)
    return reference if weights is None else weighted(reference, *weights, bit_depth)


def fade(wanted: Plane, reference: Plane, bit_depth: int) -> _Weights | None:
    """The weights that give a plane as many samples of each value as another has, wherever these have moved to.

    None if that is so already, or no weights do it.
    """
    if float((wanted[::4] == reference[::4]).mean()) > SAME:
        return None
    unit = 1 << (bit_depth - 8)
    there, here = distribution(reference, unit), distribution(wanted, unit)
    weights = fitted(there, here)
    before = distance(there, here, UNCHANGED)
    return weights if before >= LEAST and distance(there, here, weights) <= LEFT * before else None


def fade_of_chroma(wanted: Plane, reference: Plane, of_luma: _Weights | None, bit_depth: int) -> _Weights:
    """The same of chroma: as luma fades to gray, unless that is worse than what fits best."""
    if of_luma is None:
        return UNCHANGED
    unit = 1 << (bit_depth - 8)
    there, here = distribution(reference, unit), distribution(wanted, unit)
    ways = (of_luma[0], NEUTRAL_OFFSET * (UNWEIGHTED - of_luma[0])), fitted(there, here)
    near, best = (distance(there, here, way) for way in ways)
    return ways[near > best + NEAR]


def distribution(plane: Plane, unit: int) -> _Means:
    """Means of equal shares of the samples, as of 8 bits, (64,), from the darkest to the brightest."""
    some = plane[:: max(plane.shape[0] // 256, 1), :: max(plane.shape[1] // 256, 1)].ravel()
    shares = np.sort(np.resize(some, max(some.size // SHARES, 1) * SHARES), kind="stable")  # by radix
    return np.asarray(shares.reshape(SHARES, -1).mean(axis=1) / unit)


def fitted(there: _Means, here: _Means) -> _Weights:
    """By least squares."""
    spread = there - there.mean()
    scale = (spread * here).sum() / max((spread * spread).sum(), 1e-9)
    scale = min(max(round(UNWEIGHTED * scale), 0), STEEPEST)
    return scale, round(OFFSETS * (here.mean() - scale / UNWEIGHTED * there.mean()))


def distance(there: _Means, here: _Means, weights: _Weights) -> float:
    """By how much weighted samples differ."""
    scale, offset = weights
    return float(np.abs(scale / UNWEIGHTED * there + offset / OFFSETS - here).mean())
