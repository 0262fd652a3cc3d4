"""The tables of ``lossless``: where its taps lie (spec 9.2), and contexts by activity (spec 9.5)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    *("BASE", "CURRENT", "DEEP_THRESHOLDS", "DIRECT", "FIELDS", "HALF", "HALVED_LEVELS", "LOG2_ONE", "LOG2_ONE_DEEP"),
    *("MARGIN_COLUMNS", "MARGIN_ROWS", "MAX_CONTEXTS", "MAX_MAGNITUDE", "MAX_SETS", "MAX_WEIGHT_SUM", "NEWER", "OLDER"),
    *("SET_SIDE", "TAPS", "THRESHOLDS", "WEIGHT_COUNTS", "ContextModel", "context_model", "paired_offsets"),
    *("residual_taps", "set_map_shape", "tap_offsets", "tap_origins"),
]

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
LOG2_ONE: Final = 8  # weights are in 1/256,
LOG2_ONE_DEEP: Final = 10  # of more than 8 bits in 1/1024;
MAX_WEIGHT_SUM: Final = 31  # and so much are all weights of such a set at most, so that predictions fit 32 bits

MARGIN_ROWS: Final = 2
MARGIN_COLUMNS: Final = 4  # left; right there are as many, and what completes the last vector

MAX_MAGNITUDE: Final = 32  # of a residual, for contexts
THRESHOLDS: Final = (2, 4, 7, 12, 21, 36, 63, 112, 196)  # least activities of levels 1…9 (spec 9.5)
HALVED_LEVELS: Final = 4  # levels below have a context for each half of the range that a prediction is rounded over
HALF: Final = 4096  # more than any activity
MAX_CONTEXTS: Final = 63
FIELDS: Final = 4  # numbers that a coder keeps of each context

# Of samples of more than 8 bits: from DIRECT on z is a bucket, of which an octave has four, and raw bits
DEEP_THRESHOLDS: Final = (*THRESHOLDS, *range(350, 3200, 310))  # from 350 on each is an octave of magnitude
DIRECT: Final = 32


class ContextModel(NamedTuple):
    """Contexts, and what symbols say (spec 9.4, 9.5).

    Attributes:
        thresholds: least activities of levels from 1 on.
        contexts: how many there are.
        context_of: uint8, by half · `HALF` + activity: `FIELDS` times the context.
        symbol_of: uint8, by z.
        symbols: how many there are.
        raw_bits: uint8 (256,), by symbol: how many of the lowest bits of z are not in it.
        meanings: int64 (256,), by symbol: a value, or where there are raw bits the least z, above 24 bits; how many
            raw bits, above 16; the magnitude that contexts see, above 8; then three times that, modulo 256.
    """

    thresholds: tuple[int, ...]
    contexts: int
    context_of: npt.NDArray[np.uint8]
    symbol_of: npt.NDArray[np.uint8]
    symbols: int
    raw_bits: npt.NDArray[np.uint8]
    meanings: npt.NDArray[np.int64]


@functools.cache
def context_model(is_deep: bool) -> ContextModel:
    """That of samples of 8 bits, or of more."""
    thresholds = DEEP_THRESHOLDS if is_deep else THRESHOLDS
    levels = np.searchsorted(np.array(thresholds), np.arange(HALF), side="right")
    halves = [np.where(levels < HALVED_LEVELS, 2 * levels + half, levels + HALVED_LEVELS) for half in range(2)]
    z = np.arange(1 << 16 if is_deep else 256)
    symbol_of = np.where(z < DIRECT, z, _bucket(np.maximum(z, DIRECT))) if is_deep else z
    least = np.flatnonzero(np.diff(symbol_of, prepend=-1))
    raw_bits = np.log2(np.diff(least, append=z.size)).astype(np.int64)
    values = np.where(raw_bits > 0, least, (least >> 1) ^ -(least & 1))  # 0, 1, 2, 3 … are 0, −1, 1, −2 …
    magnitudes = np.minimum((least + 1) >> 1, MAX_MAGNITUDE)
    if is_deep:  # 32 · (1 + ln(magnitude / 32)) from 32 on, in whole numbers: what is twice as large has 22 more
        symbol = np.arange(DIRECT, least.size)
        magnitudes[DIRECT:] = np.where(symbol < DIRECT + 4, 4 * symbol - 110, (11 * symbol - 324) >> 1)
    meanings = (values << 24) + (raw_bits << 16) + (magnitudes << 8) + (3 * magnitudes & 255)
    return ContextModel(
        thresholds,
        len(thresholds) + 1 + HALVED_LEVELS,
        (FIELDS * np.concatenate(halves)).astype(np.uint8),
        symbol_of.astype(np.uint8),
        least.size,
        np.resize(raw_bits, 256).astype(np.uint8),
        np.resize(meanings, 256),
    )


def _bucket(z: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The symbols of numbers from `DIRECT` on."""
    exponent = np.log2(z).astype(np.int64)  # exact of powers of two
    return DIRECT + 4 * (exponent - 5) + (z >> (exponent - 2) & 3)


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
    """What the samples at `tap_offsets` are taken relative to: the base, or for residuals the plane behind them."""
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
