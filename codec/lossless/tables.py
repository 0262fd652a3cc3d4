"""The tables of ``lossless``: where its taps lie (spec 9.2), and contexts by activity (spec 9.5)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    *("BASE", "CLASS_THRESHOLDS", "CURRENT", "DEEP_THRESHOLDS", "DIRECT", "FIELDS", "HALVED_LEVELS", "LEARNED"),
    *("LOG2_MEMORY", "LOG2_ONE", "LOG2_ONE_DEEP", "MARGIN_COLUMNS", "MARGIN_ROWS", "MAX_MAGNITUDE", "MAX_SETS"),
    *("MAX_SUBSTREAMS", "MAX_WEIGHT_SUM", "MEMORY_FACTORS", "MEMORY_TAPS", "NEWER", "NOTHING", "OLDER", "PLAIN_SETS"),
    *("REGION", "REGIONS", "SET_SIDE", "SHORT_TAPS", "TAPS", "THRESHOLDS", "WEIGHT_COUNTS", "ContextModel"),
    *("context_model", "paired_offsets"),
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
CLASS_THRESHOLDS: Final = (1, 3, 7, 14, 28)  # least measures of classes 1…5 (spec 9.5)
LEARNED: Final = 2 * (len(CLASS_THRESHOLDS) + 1)  # the first region of squares that recall samples, behind two a class
REGIONS: Final = LEARNED + 3
REGION: Final = 4096  # more than any activity
MAX_SUBSTREAMS: Final = 63
FIELDS: Final = 4  # numbers that a coder keeps of each context substream

# Where a memory of samples looks, and what each sample it sees counts in the number of its place (spec 9.2)
MEMORY_TAPS: Final = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (-2, 0), (0, -2), (-1, -2), (-1, 2), (-2, -1), (-2, 1))
SHORT_TAPS: Final = 5  # of these for its second table
MEMORY_FACTORS: Final = (
    *(0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1),
    *(0xD3A2646D, 0xB55A4F09, 0xCBBB9D5D, 0x7FEB352D, 0x846CA68B),
)
LOG2_MEMORY: Final = 18  # of the places of a table
NOTHING: Final = 65535  # what a place has at first
PLAIN_SETS: Final = (3, 4, 4)  # predictor sets without weights, by references: 0, median, memory, median with NEWER

# Of samples of more than 8 bits: from DIRECT on z is a bucket, of which an octave has four, and raw bits
DEEP_THRESHOLDS: Final = (*THRESHOLDS, *range(350, 3200, 310))  # from 350 on each is an octave of magnitude
DIRECT: Final = 32


class ContextModel(NamedTuple):
    """Contexts, and what symbols say (spec 9.4, 9.5).

    Attributes:
        thresholds: least activities of levels from 1 on.
        contexts: how many a plane has.
        context_of: uint8, by `REGION` times the region + activity. There are two regions a class, one for each half of
            the range that a prediction is rounded over; then three by what a memory of samples knew.
        magnitude_of: uint8 (32768,), by the absolute value of a difference: the magnitude that contexts see.
        symbol_of: uint8, by z.
        symbols: how many there are.
        raw_bits: uint8 (256,), by symbol: how many of the lowest bits of z are not in it.
        meanings: int64 (256,), by symbol: a value, or where there are raw bits the least z, above 24 bits; how many
            raw bits, above 16; the magnitude that contexts see, above 8; then three times that, modulo 256.
    """

    thresholds: tuple[int, ...]
    contexts: int
    context_of: npt.NDArray[np.uint8]
    magnitude_of: npt.NDArray[np.uint8]
    symbol_of: npt.NDArray[np.uint8]
    symbols: int
    raw_bits: npt.NDArray[np.uint8]
    meanings: npt.NDArray[np.int64]


@functools.cache
def context_model(is_deep: bool) -> ContextModel:
    """That of samples of 8 bits, or of more."""
    thresholds = DEEP_THRESHOLDS if is_deep else THRESHOLDS
    levels = np.searchsorted(np.array(thresholds), np.arange(REGION), side="right")
    halves = [np.where(levels < HALVED_LEVELS, 2 * levels + half, levels + HALVED_LEVELS) for half in range(2)]
    of_class = len(thresholds) + 1 + HALVED_LEVELS
    regions = [half + of_class * number for number in range(LEARNED // 2) for half in halves]
    regions += [levels + of_class * (LEARNED // 2) + number * (len(thresholds) + 1) for number in range(3)]
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
        of_class * (LEARNED // 2) + 3 * (len(thresholds) + 1),
        np.concatenate(regions).astype(np.uint8),
        magnitudes[symbol_of[np.minimum(2 * np.arange(1 << 15), z[-1])]].astype(np.uint8),
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
