"""Filters between samples, by sixteenths (spec 9.1)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["SIXTEENTH_TAPS"]

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
    _FIRST_HALF + tuple(taps[::-1] for taps in _FIRST_HALF[7:0:-1]), dtype=np.int16
)
