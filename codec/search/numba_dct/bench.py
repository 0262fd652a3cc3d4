"""Encoder only: what the search for blocks works on, and how hard it works.

The search is made of stages that are compiled apart (`codec.kernels.stage`) and know one number each: the address of
the bench, where the numbers of a desk lie, and the addresses of arrays.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.kernels import Integer, Real, inner_kernel
from codec.models import Speed
from codec.picture.planes import Plane
from codec.search.numba_dct.blocks import LEAF_FIELDS, Shape
from codec.search.numba_dct.decode import LINE, Room, new_room
from codec.search.numba_dct.desk import Desk
from codec.search.numba_dct.neighbours import CELL_FIELDS, Cells, Vectors
from codec.search.numba_dct.symbols import CONTEXTS, Lists
from codec.vector_kernels import (
    bytes_at,
    call,
    double_rows_at,
    doubles_at,
    halves_at,
    longs_at,
    real_blocks_at,
    reals_at,
    signed_halves_at,
    tiles_at,
    vectors_at,
    word_blocks_at,
    word_rows_at,
    words_at,
)

__all__ = ["EFFORTS", "SAVED", "SHEETS", "SOURCE", "Aim", "Bench", "Effort", "Rates", "new_bench"]

Rates = npt.NDArray[np.float32]
"""What each symbol costs in each context, in bits: float32 (contexts, 256)."""

SOURCE: Final = 3  # the sheet with the picture to code, after DECODED, OTHER and WARP
SAVED: Final = 4  # the first of three sheets with the best leaf of each size so far
SHEETS: Final = 7

# Columns of a draft, behind the fields of a leaf
DRAFT_CODED, DRAFT_COUNTS, DRAFT_LEVELS, DRAFT_FIRST = LEAF_FIELDS, LEAF_FIELDS + 1, LEAF_FIELDS + 2, LEAF_FIELDS + 3
DRAFT_DY, DRAFT_DX = LEAF_FIELDS + 4 + 8, LEAF_FIELDS + 5 + 8
DRAFT_FIELDS: Final = 32
PATH_NODES: Final = 4224  # four for each of 1024 places, and room
TRIAL: Final = 0  # the draft that is worked on; 1…3 are the best of each size so far

RESIDUAL, HALFWAY, COEFFICIENTS, ENERGY = range(4)  # blocks of `Bench.reals`


class Effort(NamedTuple):
    """How hard to search, by speed.

    Attributes:
        all_skips: whether every merge candidate is tried as a skip, or the nearest alone.
        quarters: whether luma is also transformed by quarters.
        refine: rounds around the best vector, at half and at quarter samples.
        near: own vector and merge are both coded where their Hadamard costs are this near, relative.
        intra_modes: of I pictures, coded fully.
        intra_rounds: of refinement of the direction.
        four_modes: whether the smallest leaves have four intra modes: 0 no, 1 in I pictures, 2 always.
        laps_from: predictions lapped by neighbours' are tried where the Hadamard cost of others is above this.
        trellis: whether levels are chosen by a search, or one after the other.
        passes: over a GOP.
        intra_from: P pictures try intra leaves where the Hadamard cost of others is above this, as for ``stop``.
        intra_near: and only where intra's is not this much higher.
        stop: a leaf is not split where its Hadamard cost is below this, by step and 8×8 samples.
    """

    all_skips: bool
    quarters: int
    refine: int
    near: float
    intra_modes: int
    intra_rounds: int
    four_modes: int
    laps_from: float
    trellis: bool
    passes: int
    stop: float
    intra_from: float
    intra_near: float


EFFORTS: dict[Speed, Effort] = {
    Speed.SLOW: Effort(True, 1, 2, 0.5, 3, 3, 2, 2.0, True, 2, 0.5, 2.0, 1.5),
    Speed.MEDIUM: Effort(False, 1, 2, 0.1, 2, 2, 1, 2.0, False, 1, 3.0, 8.0, 1.1),
    Speed.FAST: Effort(False, 0, 1, 0.0, 1, 1, 0, math.inf, False, 1, 5.0, 10.0, 1.1),
}


class Aim(NamedTuple):
    """What a picture is coded for.

    Attributes:
        weight: λ, squared error that a bit is worth.
        step, step_chroma: quantiser steps, in sample values of an orthonormal transform.
        scale, scale_chroma: the same as decoders take them.
        is_p: whether this is a P picture.
        moves: whether vectors are searched for.
        warps: whether a mesh predicts the picture too.
        vector_limit: of both components, in quarter samples.
    """

    weight: float
    step: float
    step_chroma: float
    scale: int
    scale_chroma: int
    is_p: bool
    moves: bool
    warps: bool
    vector_limit: int


# Numbers of a bench: those of a desk, then addresses of arrays, sizes, and stages
DESK_NUMBERS: Final = 23
(
    SAMPLES,
    CELLS,
    BEFORE,
    SEEDS,
    RATES,
    COEFFICIENTS_ROOM,
    LINES,
    TILE,
    CANDIDATES,
    REALS,
    DRAFTS,
    EVENTS,
    USED,
    LEAVES,
    COUNTS,
    POSITIONS,
    LEVELS,
    SOURCE_TILES,
    RANKING,
    PARENTS,
    PATH_COSTS,
    PATHS,
    DISPLACEMENTS,
    AIM,
    SEED_ROWS,
    SEED_COLUMNS,
    CODE_BLOCK,
    PREDICT_INTRA,
    PREDICT_INTER,
    RANK_MODES,
    SEARCH_VECTOR,
    CODE_LEAF,
    TRY_INTER,
    BEST_INTER,
    BEST_INTRA,
    PUT_LEAF,
    KEEP_TRIAL,
    SEARCH_LEVELS,
) = range(DESK_NUMBERS, DESK_NUMBERS + 38)
NUMBERS: Final = DESK_NUMBERS + 38

# Numbers of an aim, float64: of `Aim`, then of `Effort`
AIM_FIELDS: Final = len(Aim._fields)
(WEIGHT, STEP, STEP_CHROMA, SCALE, SCALE_CHROMA, IS_P, MOVES, WARPS, VECTOR_LIMIT) = range(AIM_FIELDS)
(
    ALL_SKIPS,
    QUARTERS,
    REFINE,
    NEAR,
    INTRA_MODES,
    INTRA_ROUNDS,
    FOUR_MODES_FROM,
    LAPS_FROM,
    TRELLIS,
    PASSES,
    STOP,
    INTRA_FROM,
    INTRA_NEAR,
) = range(AIM_FIELDS, AIM_FIELDS + len(Effort._fields))
BEST: Final = AIM_FIELDS + len(Effort._fields)  # what the best leaf of the size at work costs so far
AIM_NUMBERS: Final = BEST + 1


class Bench(NamedTuple):
    """A bench, for Python: what must stay alive, and what is asked for afterwards."""

    numbers: npt.NDArray[np.int64]
    lists: Lists
    arrays: tuple[npt.NDArray[np.generic], ...]

    @property
    def address(self) -> int:
        """What stages take."""
        return int(self.numbers.ctypes.data)


def new_bench(
    sheets: Plane,
    desk: Desk,
    before: Vectors,
    displacements: Vectors,
    seeds: npt.NDArray[np.int16],
    rates: Rates,
    aim: Aim,
    effort: Effort,
    stages: dict[int, int],
) -> Bench:
    """A bench for one picture; ``stages`` are addresses, by the numbers above."""
    assert rates.shape == (CONTEXTS, 256)
    rows, columns = desk.shape.cells
    lists = Lists(
        np.zeros(3, np.int64),
        np.zeros((rows * columns + 1, LEAF_FIELDS), np.int32),
        np.zeros(8 * rows * columns + 8, np.uint16),
        np.zeros(desk.shape.samples, np.uint16),
        np.zeros(desk.shape.samples, np.int16),
    )
    room = new_room()
    arrays = (
        sheets,
        np.zeros((rows, columns, CELL_FIELDS), np.int32),
        np.ascontiguousarray(before, np.int32),
        np.ascontiguousarray(seeds, np.int16),
        np.ascontiguousarray(rates, np.float32),
        *room,
        np.zeros((4, 32, 32), np.float32),
        np.zeros((4, DRAFT_FIELDS), np.int32),
        np.zeros((4, 2, 3 * 1024 + 8), np.int32),
        *lists,
        np.zeros((2, 32, 32), np.uint8),
        np.zeros((2, 4)),
        np.zeros((4, 2), np.int32),
        np.zeros((2, PATH_NODES)),
        np.zeros((4, PATH_NODES), np.int32),
        np.ascontiguousarray(displacements, np.int32),
        np.array([*aim, *effort, 0], np.float64),
    )
    first, second = desk.layouts
    flat = [*desk[:2], *desk.stride, *desk.chroma, *desk.shape, *desk.reference, *first, *second, desk.scratch]
    assert len(flat) == DESK_NUMBERS and len(arrays) == AIM - SAMPLES + 1
    numbers = np.zeros(NUMBERS, np.int64)
    numbers[:SAMPLES] = flat
    numbers[SAMPLES:SEED_ROWS] = [array.ctypes.data for array in arrays]
    numbers[SEED_ROWS : SEED_COLUMNS + 1] = seeds.shape[:2]
    for number, address in stages.items():
        numbers[number] = address
    return Bench(numbers, lists, arrays)


@inner_kernel
def number_of(bench: Integer, number: Integer) -> Integer:
    """One of the numbers of a bench."""
    return longs_at(bench, (NUMBERS,))[number]


@inner_kernel
def aim_of(bench: Integer) -> npt.NDArray[np.float64]:
    """What the picture is coded for."""
    return doubles_at(number_of(bench, AIM), (AIM_NUMBERS,))


@inner_kernel
def desk_at(bench: Integer) -> Desk:
    """The desk of a bench."""
    n = longs_at(bench, (NUMBERS,))
    return Desk(
        n[0],
        n[1],
        (n[2], n[3]),
        (n[4], n[5]),
        Shape(n[6], n[7], n[8], n[9], n[10]),
        (n[11], n[12], n[13]),
        ((n[14], n[15], n[16], n[17]), (n[18], n[19], n[20], n[21])),
        n[22],
    )


@inner_kernel
def luma_desk_at(bench: Integer) -> Desk:
    """The same with luma alone, where no more is looked at."""
    address, sheet, stride, chroma, shape, reference, layouts, scratch = desk_at(bench)
    alone: Integer = np.int64(1)
    luma = Shape(shape.rows, shape.columns, alone, shape.down, shape.right)
    return Desk(address, sheet, stride, chroma, luma, reference, layouts, scratch)


@inner_kernel
def samples_of(bench: Integer) -> Plane:
    """The sheets."""
    return bytes_at(number_of(bench, SAMPLES), (SHEETS * number_of(bench, 1),))


@inner_kernel
def cells_of(bench: Integer) -> Cells:
    """The cells of this picture."""
    rows, columns = number_of(bench, 6) >> 3, number_of(bench, 7) >> 3
    return word_blocks_at(number_of(bench, CELLS), (rows, columns, CELL_FIELDS))


@inner_kernel
def before_of(bench: Integer) -> Vectors:
    """The vectors of the picture before."""
    rows, columns = number_of(bench, 6) >> 3, number_of(bench, 7) >> 3
    return word_blocks_at(number_of(bench, BEFORE), (rows, columns, 2))


@inner_kernel
def displacements_of(bench: Integer) -> Vectors:
    """What a mesh moves each cell by."""
    rows, columns = number_of(bench, 6) >> 3, number_of(bench, 7) >> 3
    return word_blocks_at(number_of(bench, DISPLACEMENTS), (rows, columns, 2))


@inner_kernel
def seeds_of(bench: Integer) -> npt.NDArray[np.int16]:
    """A vector for each 16×16 samples to begin with, int16 (rows, columns, 2)."""
    return vectors_at(number_of(bench, SEEDS), (number_of(bench, SEED_ROWS), number_of(bench, SEED_COLUMNS), 2))


@inner_kernel
def rates_at(bench: Integer) -> Rates:
    """Bits of symbols."""
    return reals_at(number_of(bench, RATES), (CONTEXTS, 256))


@inner_kernel
def room_of(bench: Integer) -> Room:
    """Scratch memory that decoding needs too."""
    return Room(
        word_blocks_at(number_of(bench, COEFFICIENTS_ROOM), (2, 32, 32)),
        word_rows_at(number_of(bench, LINES), (3, LINE)),
        tiles_at(number_of(bench, TILE), (1, 32, 32))[0],
        candidates_of(bench),
    )


@inner_kernel
def candidates_of(bench: Integer) -> Vectors:
    """Merge candidates of the leaf at work, int32 (5, 2)."""
    return word_rows_at(number_of(bench, CANDIDATES), (5, 2))


@inner_kernel
def parents_of(bench: Integer) -> Vectors:
    """The vectors found for leaves of 8, 16 and 32, and for the picture before, int32 (4, 2)."""
    return word_rows_at(number_of(bench, PARENTS), (4, 2))


@inner_kernel
def reals_of(bench: Integer) -> npt.NDArray[np.float32]:
    """Scratch memory of transforms, float32 (4, 32, 32)."""
    return real_blocks_at(number_of(bench, REALS), (4, 32, 32))


@inner_kernel
def path_costs_of(bench: Integer) -> npt.NDArray[np.float64]:
    """Of the search for levels: squares so far by place, and costs of its nodes, float64 (2, 4224)."""
    return double_rows_at(number_of(bench, PATH_COSTS), (2, PATH_NODES))


@inner_kernel
def paths_of(bench: Integer) -> npt.NDArray[np.int32]:
    """Of the search for levels: place, magnitude, predecessor and levels so far of its nodes, int32 (4, 4224)."""
    return word_rows_at(number_of(bench, PATHS), (4, PATH_NODES))


@inner_kernel
def draft_of(bench: Integer, number: Integer) -> npt.NDArray[np.int32]:
    """A draft: a leaf, with what else is known of it."""
    return words_at(number_of(bench, DRAFTS) + 4 * DRAFT_FIELDS * number, (DRAFT_FIELDS,))


@inner_kernel
def events_of(bench: Integer, number: Integer) -> npt.NDArray[np.int32]:
    """Positions and levels of a draft, int32 (2, 3072)."""
    return word_rows_at(number_of(bench, EVENTS) + 4 * 2 * 3080 * number, (2, 3080))


@inner_kernel
def lists_of(bench: Integer) -> Lists:
    """What is decided."""
    leaves = (number_of(bench, 6) >> 3) * (number_of(bench, 7) >> 3)
    samples = number_of(bench, 1)
    return Lists(
        longs_at(number_of(bench, USED), (3,)),
        word_rows_at(number_of(bench, LEAVES), (leaves + 1, LEAF_FIELDS)),
        halves_at(number_of(bench, COUNTS), (8 * leaves + 8,)),
        halves_at(number_of(bench, POSITIONS), (samples,)),
        signed_halves_at(number_of(bench, LEVELS), (samples,)),
    )


@inner_kernel
def run(bench: Integer, stage: Integer, numbers: tuple[Integer, ...]) -> Real:
    """Call a stage."""
    return call(number_of(bench, stage), numbers)
