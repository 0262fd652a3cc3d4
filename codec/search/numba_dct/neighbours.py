"""What blocks know of those before them: contexts, merge candidates, intra modes, what is decoded yet (spec 8.6.3).

``cells`` holds what is decided, int32 (rows, columns, 8) with a row for each 8×8 luma samples.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from codec.dct.tables import MORTON
from codec.kernels import Integer, inner_kernel
from codec.search.numba_dct.blocks import INTRA, SKIP

__all__ = [
    "AVERAGED",
    "CELL_FIELDS",
    "FOUR_MODES",
    "MODES",
    "Cells",
    "Vectors",
    "candidate_vector",
    "coded_neighbours",
    "displacement_of",
    "has_candidate",
    "is_decoded",
    "likely_modes",
    "merge_candidates",
    "mode_symbol",
    "node_context",
    "set_cells",
]

Cells = npt.NDArray[np.int32]
Vectors = npt.NDArray[np.int32]

# Columns of a cell
CELL_LOG2, CELL_KIND, CELL_CODED, CELL_MODES, CELL_DY, CELL_DX, CELL_QUARTERED = range(7)
CELL_FIELDS: Final = 8

PLANAR, DC, HORIZONTAL, VERTICAL, MODES = 0, 1, 10, 26, 35
FOUR_MODES: Final = 1 + (1 << 6) + (1 << 12) + (1 << 18)  # times a mode: the same one in all quarters
MERGES: Final = 4
AVERAGED: Final = 3  # the merge candidate that is the mean of the first two predictions


@inner_kernel
def set_cells(
    cells: Cells,
    row: Integer,
    column: Integer,
    log2: Integer,
    kind: Integer,
    coded: Integer,
    modes: Integer,
    dy: Integer,
    dx: Integer,
    quartered: Integer,
) -> None:
    """Note what a leaf is; row and column count cells."""
    for j in range(row, row + (1 << (log2 - 3))):
        for i in range(column, column + (1 << (log2 - 3))):
            cell = cells[j, i]
            cell[CELL_LOG2], cell[CELL_KIND], cell[CELL_CODED], cell[CELL_MODES] = log2, kind, coded, modes
            cell[CELL_DY], cell[CELL_DX], cell[CELL_QUARTERED] = dy, dx, quartered


@inner_kernel
def comes_before(there_row: Integer, there_column: Integer, row: Integer, column: Integer) -> Integer:
    """Whether one place of 4×4 luma samples is decoded before another; both lie in the picture."""
    if there_row >> 3 != row >> 3:
        return there_row >> 3 < row >> 3
    if there_column >> 3 != column >> 3:
        return there_column >> 3 < column >> 3
    return MORTON[there_row & 7, there_column & 7] < MORTON[row & 7, column & 7]


@inner_kernel
def is_decoded(cells: Cells, there_row: Integer, there_column: Integer, row: Integer, column: Integer) -> Integer:
    """Whether a place of 4×4 luma samples lies in the picture and is decoded before the one at (row, column)."""
    if there_row < 0 or there_column < 0 or there_row >= 2 * cells.shape[0] or there_column >= 2 * cells.shape[1]:
        return False
    return comes_before(there_row, there_column, row, column)


@inner_kernel
def node_context(cells: Cells, is_p: Integer, row: Integer, column: Integer, log2: Integer) -> Integer:
    """Which of 54 contexts a node has: picture type, size, smaller neighbours, skipped neighbours."""
    smaller, skipped = 0, 0
    if column > 0:
        smaller += cells[row, column - 1, CELL_LOG2] < log2
        skipped += cells[row, column - 1, CELL_KIND] == SKIP
    if row > 0:
        smaller += cells[row - 1, column, CELL_LOG2] < log2
        skipped += cells[row - 1, column, CELL_KIND] == SKIP
    return ((is_p * 3 + 5 - log2) * 3 + smaller) * 3 + skipped


@inner_kernel
def coded_neighbours(cells: Cells, row: Integer, column: Integer, plane: Integer) -> Integer:
    """How many of the leaves to the left and above have levels in a plane."""
    count = 0
    if column > 0:
        count += (cells[row, column - 1, CELL_CODED] >> plane) & 1
    if row > 0:
        count += (cells[row - 1, column, CELL_CODED] >> plane) & 1
    return count


@inner_kernel
def likely_modes(cells: Cells, row: Integer, column: Integer, quarter: Integer, modes: Integer) -> tuple[int, int]:
    """The intra modes to the left and above, or DC and planar where there are none.

    ``modes`` are those of the leaf's earlier quarters.
    """
    left, above = DC, PLANAR
    if quarter & 1:
        left = (modes >> (6 * (quarter - 1))) & 63
    elif column > 0 and cells[row, column - 1, CELL_KIND] == INTRA:
        left = (cells[row, column - 1, CELL_MODES] >> (6 * (1 + (quarter & 2)))) & 63
    if quarter & 2:
        above = (modes >> (6 * (quarter - 2))) & 63
    elif row > 0 and cells[row - 1, column, CELL_KIND] == INTRA:
        above = (cells[row - 1, column, CELL_MODES] >> (6 * (2 + (quarter & 1)))) & 63
    return left, above


@inner_kernel
def mode_symbol(mode: Integer, left: Integer, above: Integer) -> Integer:
    """0 as to the left, 1 as above, else 2 and the mode."""
    return 0 if mode == left else 1 if mode == above else mode + 2


@inner_kernel
def median(a: Integer, b: Integer, c: Integer) -> Integer:
    """The middle one."""
    return max(min(a, b), min(max(a, b), c))


@inner_kernel
def has_candidate(candidate: Integer, count: Integer) -> Integer:
    """Whether a merge candidate is there where `merge_candidates` found ``count`` vectors."""
    return count > (1 if candidate == AVERAGED else candidate)


@inner_kernel
def candidate_vector(candidates: Vectors, candidate: Integer) -> tuple[Integer, Integer]:
    """The vector that a leaf shows which takes a candidate: of the averaged one the first's."""
    shown = 0 if candidate == AVERAGED else candidate
    return np.int64(candidates[shown, 0]), np.int64(candidates[shown, 1])


@inner_kernel
def displacement_of(displacements: Vectors, row: Integer, column: Integer, side: Integer) -> tuple[Integer, Integer]:
    """What a mesh moves the middle of a leaf of ``side`` samples by."""
    moved = displacements[row + (side >> 4), column + (side >> 4)]
    return np.int64(moved[0]), np.int64(moved[1])


@inner_kernel
def merge_candidates(
    cells: Cells, before: Vectors, row: Integer, column: Integer, log2: Integer, found: Vectors
) -> Integer:
    """Fill ``found`` (5, 2) with the vectors a leaf may take, at most three, and return how many.

    The first is also what an own vector is predicted from.
    ``before`` are the vectors of the picture before, (rows, columns, 2).
    """
    side = 1 << (log2 - 3)
    left_y = left_x = above_y = above_x = corner_y = corner_x = 0
    has_left = column > 0 and cells[row, column - 1, CELL_KIND] != INTRA
    if has_left:
        left_y, left_x = cells[row, column - 1, CELL_DY], cells[row, column - 1, CELL_DX]
    has_above = row > 0 and cells[row - 1, column, CELL_KIND] != INTRA
    if has_above:
        above_y, above_x = cells[row - 1, column, CELL_DY], cells[row - 1, column, CELL_DX]
    corner = column + side
    if not is_decoded(cells, 2 * row - 1, 2 * corner, 2 * row, 2 * column):
        corner = column - 1
    has_corner = row > 0 and corner >= 0 and cells[row - 1, corner, CELL_KIND] != INTRA
    if has_corner:
        corner_y, corner_x = cells[row - 1, corner, CELL_DY], cells[row - 1, corner, CELL_DX]
    if has_left + has_above + has_corner == 1:
        found[0, 0] = left_y + above_y + corner_y
        found[0, 1] = left_x + above_x + corner_x
    else:
        found[0, 0] = median(left_y, above_y, corner_y)
        found[0, 1] = median(left_x, above_x, corner_x)
    middle_row, middle_column = row + (side >> 1), column + (side >> 1)
    count = 1
    for candidate in range(5):
        if candidate == 0:
            exists, dy, dx = has_left, left_y, left_x
        elif candidate == 1:
            exists, dy, dx = has_above, above_y, above_x
        elif candidate == 2:
            exists, dy, dx = has_corner, corner_y, corner_x
        elif candidate == 3:
            exists, dy, dx = True, before[middle_row, middle_column, 0], before[middle_row, middle_column, 1]
        else:
            exists, dy, dx = True, 0, 0
        for k in range(count):
            exists = exists and (found[k, 0] != dy or found[k, 1] != dx)
        if exists and count < 3:
            found[count, 0], found[count, 1] = dy, dx
            count += 1
    return count
