"""Filters between samples (spec 7.5, 11.1, 11.2), as plain tables."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["QUARTERS", "SIXTEENTH_TAPS"]

# Sum 64, for samples −3…4; phases 9…15 mirror 7…1. Those of quarters are HEVC's, the others VVC's
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

FULL, ACROSS, DOWN, BOTH = range(4)  # where a half sample lies

# What a quarter sample is the mean of, by 4 · (dy & 3) + (dx & 3): (kind, rows down, columns right), twice (spec 11.2)
QUARTERS: Final = (
    (FULL, 0, 0, FULL, 0, 0),
    (FULL, 0, 0, ACROSS, 0, 0),
    (ACROSS, 0, 0, ACROSS, 0, 0),
    (ACROSS, 0, 0, FULL, 0, 1),
    (FULL, 0, 0, DOWN, 0, 0),
    (ACROSS, 0, 0, DOWN, 0, 0),
    (ACROSS, 0, 0, BOTH, 0, 0),
    (ACROSS, 0, 0, DOWN, 0, 1),
    (DOWN, 0, 0, DOWN, 0, 0),
    (DOWN, 0, 0, BOTH, 0, 0),
    (BOTH, 0, 0, BOTH, 0, 0),
    (BOTH, 0, 0, DOWN, 0, 1),
    (DOWN, 0, 0, FULL, 1, 0),
    (DOWN, 0, 0, ACROSS, 1, 0),
    (BOTH, 0, 0, ACROSS, 1, 0),
    (DOWN, 0, 1, ACROSS, 1, 0),
)
