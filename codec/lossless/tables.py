"""The tables of ``lossless``: where its taps lie (spec 9.2), and contexts by activity (spec 9.5)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    *("BASE", "CONTEXTS", "CONTEXT_OF", "CURRENT", "HALF", "HALVED_LEVELS", "MARGIN_COLUMNS", "MARGIN_ROWS"),
    *("MAX_MAGNITUDE", "MAX_SETS", "MEANINGS", "NEWER", "OLDER", "ONE", "SET_SIDE", "TAPS", "THRESHOLDS"),
    *("WEIGHT_COUNTS", "paired_offsets", "residual_taps", "set_map_shape", "tap_offsets", "tap_origins"),
]

CONTEXTS: Final = 14  # context substreams of a picture
MAX_SETS: Final = 32  # predictor sets of a plane
SET_SIDE: Final = 16  # side of a square of samples, of any plane, that shares a predictor set
WEIGHT_COUNTS: Final = (10, 11, 16)  # of a predictor set, by how many pictures its picture is predicted from

CURRENT, NEWER, OLDER = range(3)
_NEAR = ((0, 0), (0, -1), (0, 1), (-1, 0), (1, 0))
_CAUSAL = ((-1, 0), (-1, -1), (-1, 1), (-2, 0))
_WEST = ((0, -1), (0, -2))

Tap = tuple[int, int, int]


def _taps(source: int, places: Sequence[tuple[int, int]]) -> tuple[Tap, ...]:
    return tuple((source, dy, dx) for dy, dx in places)


# (plane, dy, dx) by the number of pictures that a picture is predicted from (spec 9.2); the last two are in the
# row that is being decoded, all others are there before the row begins
TAPS: Final[tuple[tuple[Tap, ...], ...]] = (
    _taps(CURRENT, (*_CAUSAL, (-2, 1), (-1, 2), (-2, -1), (-1, -2), *_WEST)),
    _taps(NEWER, _NEAR) + _taps(CURRENT, _CAUSAL + _WEST),
    _taps(NEWER, _NEAR) + _taps(OLDER, _NEAR) + _taps(CURRENT, _CAUSAL + _WEST),
)
BASE: Final = 0  # the tap that others are taken relative to: the newest prediction, or the sample above
ONE: Final = 256  # weights are in 1/256

MARGIN_ROWS: Final = 2
MARGIN_COLUMNS: Final = 4  # left; right there are as many, and what completes the last vector

MAX_MAGNITUDE: Final = 32  # of a residual, for contexts
THRESHOLDS: Final = (2, 4, 7, 12, 21, 36, 63, 112, 196)  # least activities of levels 1…9 (spec 9.5)
HALVED_LEVELS: Final = 4  # levels below have a context for each half of the range that a prediction is rounded over
HALF: Final = 512  # more than any activity

_level_of = np.searchsorted(np.array(THRESHOLDS), np.arange(HALF), side="right")
CONTEXT_OF: Final[npt.NDArray[np.uint8]] = np.concatenate(  # by half · HALF + activity
    [np.where(_level_of < HALVED_LEVELS, 2 * _level_of + half, _level_of + HALVED_LEVELS) for half in range(2)]
).astype(np.uint8)


def _meaning(symbol: int) -> int:
    value = (symbol >> 1) ^ -(symbol & 1)  # 0, 1, 2, 3 … are 0, −1, 1, −2 …
    magnitude = min(abs(value), MAX_MAGNITUDE)
    return (value << 16) + 259 * magnitude


# What each symbol says: a value, above 16 bits; then its magnitude, above 8 bits; then three times that
MEANINGS: Final[npt.NDArray[np.int64]] = np.array([_meaning(symbol) for symbol in range(256)], np.int64)


@functools.lru_cache
def tap_offsets(references: int, residuals: int, size: int, stride: int) -> npt.NDArray[np.int64]:
    """Where taps lie from the sample that is predicted; those into residuals come before the last two.

    Planes have ``size`` samples, one behind the other: the current one, predictions, residuals.
    """
    first = NEWER + references
    into_residuals = [(plane, 0, 0) for plane in range(first, first + residuals)]
    taps = [*TAPS[references][:-2], *into_residuals, *TAPS[references][-2:]]
    return np.array([plane * size + dy * stride + dx for plane, dy, dx in taps], np.int64)


@functools.lru_cache
def paired_offsets(references: int, residuals: int, size: int, stride: int) -> npt.NDArray[np.int64]:
    """`tap_offsets` in pairs beside the base; where one is missing, the base once more, before the last two."""
    taps = tap_offsets(references, residuals, size, stride)
    return np.insert(taps, -2, taps[BASE]) if len(taps) % 2 == 0 else taps


@functools.lru_cache
def tap_origins(references: int, residuals: int, size: int, stride: int) -> npt.NDArray[np.int64]:
    """What the samples at `tap_offsets` are taken relative to: the base, or for residuals a plane of 128."""
    taps = tap_offsets(references, residuals, size, stride)
    origins = np.full_like(taps, taps[BASE])
    origins[len(taps) - 2 - residuals : -2] = (NEWER + references + residuals) * size
    return origins


def residual_taps(plane: int, greens_apart: bool) -> int:
    """Into the residuals of how many planes a plane looks (spec 9.1): red and blue less green do, alpha does not."""
    return plane if greens_apart and plane < 3 else 0


def set_map_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of the map that gives each square of a plane its predictor set."""
    return -(-shape[0] // SET_SIDE), -(-shape[1] // SET_SIDE)
