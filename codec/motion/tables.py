"""Filters between samples (spec 11.1), as plain tables.

Each has a row of taps for the samples −3…4 around a place, by sixteenths of a sample, that sum to 64; rows that
nothing asks for are 0.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["BEFORE", "BEHIND", "BORDER", "EIGHTH_TAPS", "HALF_TAPS", "LINEAR_TAPS", "SIXTEENTH_TAPS"]

# Samples of a reference beyond each edge of the picture, where its outermost samples go on: room for a block of 32 that
# begins 36 before the picture or 4 behind it, and for eight taps; further out all blocks are the same
BORDER: Final = 40
BEFORE: Final = 36  # how far before a picture a block may begin; see `ReferencePlane.filter`
BEHIND: Final = 4

# Phases 9…15 mirror 7…1. Those of quarters are HEVC's, the others VVC's
_FIRST_HALF: Final = (
    (0, 0, 0, 64, 0, 0, 0, 0),
    (0, 1, -3, 63, 4, -2, 1, 0),
    (-1, 2, -5, 62, 8, -3, 1, 0),
    (-1, 3, -8, 60, 13, -4, 1, 0),
    (-1, 4, -10, 58, 17, -5, 1, 0),
    (-1, 4, -11, 52, 26, -8, 3, -1),
    (-1, 3, -9, 47, 31, -10, 4, -1),
    (-1, 4, -11, 45, 34, -10, 4, -1),
    (-1, 4, -11, 40, 40, -11, 4, -1),
)
SIXTEENTH_TAPS: Final[npt.NDArray[np.int16]] = np.array(
    _FIRST_HALF + tuple(taps[::-1] for taps in _FIRST_HALF[7:0:-1]), np.int16
)


def _rows(taps: dict[int, tuple[int, ...]]) -> npt.NDArray[np.int16]:
    """A table of rows that are shorter, around the two samples in the middle."""
    rows = np.zeros((16, 8), np.int16)
    for phase, row in taps.items():
        rows[phase, 4 - len(row) // 2 : 4 + len(row) // 2] = row
    return rows


# Of dct's planes that are subsampled; the second half mirrors the first
_EIGHTHS: Final = ((0, 64, 0, 0), (-2, 58, 10, -2), (-4, 54, 16, -2), (-6, 46, 28, -4), (-4, 36, 36, -4))
EIGHTH_TAPS: Final = _rows(
    {2 * k: row for k, row in enumerate(_EIGHTHS + tuple(row[::-1] for row in _EIGHTHS[3:0:-1]))}
)

# Of planes that are subsampled of the other coders
LINEAR_TAPS: Final = _rows({k: (64 - 4 * k, 4 * k) for k in range(0, 16, 2)})

# Of their other planes, whose quarter samples are means of two half samples, by the taps next to the middle ones.
# Those of 5 are H.264's, and match what was decoded from it exactly; see `codec.motion.field.SHARP`
HALF_TAPS: Final = {
    inner: _rows({0: (64, 0), 8: (2, -2 * inner, 30 + 2 * inner, 30 + 2 * inner, -2 * inner, 2)}) for inner in (4, 5)
}
