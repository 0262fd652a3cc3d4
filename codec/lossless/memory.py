"""Which sample came after the same samples around it: what a square may take its predictions from (spec 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython
import numpy as np

from codec.depths import Tapped
from codec.lossless import tables

__all__ = ["SampleMemory", "empty_memory"]

if TYPE_CHECKING:
    import numpy.typing as npt

TABLE: cython.int = 1 << tables.LOG2_MEMORY
SHIFT: cython.int = 32 - tables.LOG2_MEMORY
NOTHING: cython.int = tables.NOTHING
WHOLE: cython.longlong = (1 << 32) - 1  # sums are modulo 2**32
OF_WEST: cython.longlong = tables.MEMORY_FACTORS[0]
OF_NORTH: cython.longlong = tables.MEMORY_FACTORS[1]
OF_NORTH_WEST: cython.longlong = tables.MEMORY_FACTORS[2]
OF_NORTH_EAST: cython.longlong = tables.MEMORY_FACTORS[3]
OF_TWO_NORTH: cython.longlong = tables.MEMORY_FACTORS[4]
OF_TWO_WEST: cython.longlong = tables.MEMORY_FACTORS[5]
OF_FAR_WEST: cython.longlong = tables.MEMORY_FACTORS[6]
OF_FAR_EAST: cython.longlong = tables.MEMORY_FACTORS[7]
OF_UPPER_WEST: cython.longlong = tables.MEMORY_FACTORS[8]
OF_UPPER_EAST: cython.longlong = tables.MEMORY_FACTORS[9]


def empty_memory() -> npt.NDArray[np.uint16]:
    """Two tables that have nothing, uint16 (2 · 2**18,)."""
    return np.full(2 << tables.LOG2_MEMORY, tables.NOTHING, np.uint16)


@cython.cclass
class SampleMemory:
    """The samples of a plane by what lies around them: ten samples in the first table, five in the second.

    Attributes:
        samples: both tables.
        place: in each of them, of the sample that was looked at last.
    """

    samples: cython.ushort[::1]
    stride: cython.Py_ssize_t
    low: cython.int
    place: cython.Py_ssize_t
    second_place: cython.Py_ssize_t

    def __init__(self, samples: npt.NDArray[np.uint16], stride: int, low: int) -> None:
        """``samples`` change; planes have so many samples a row, and ``low`` is the least of those."""
        self.samples, self.stride, self.low, self.place, self.second_place = memoryview(samples), stride, low, 0, 0

    def look(self, plane: Tapped[::1], at: cython.Py_ssize_t) -> cython.void:
        """Find the places of a sample in both tables, as `MEMORY_TAPS` says; a loop over it takes 25 % longer."""
        up, two_up, low = at - self.stride, at - 2 * self.stride, self.low
        near: cython.longlong = OF_WEST * (plane[at - 1] - low)
        near += OF_NORTH * (plane[up] - low)
        near += OF_NORTH_WEST * (plane[up - 1] - low)
        near += OF_NORTH_EAST * (plane[up + 1] - low)
        near += OF_TWO_NORTH * (plane[two_up] - low)
        all_: cython.longlong = near + OF_TWO_WEST * (plane[at - 2] - low)
        all_ += OF_FAR_WEST * (plane[up - 2] - low)
        all_ += OF_FAR_EAST * (plane[up + 2] - low)
        all_ += OF_UPPER_WEST * (plane[two_up - 1] - low)
        all_ += OF_UPPER_EAST * (plane[two_up + 1] - low)
        self.place, self.second_place = (all_ & WHOLE) >> SHIFT, TABLE + ((near & WHOLE) >> SHIFT)

    def known(self) -> cython.int:
        """2 where the first table has the sample that was looked at, 1 where only the second one has it, else 0."""
        if self.samples[self.place] != NOTHING:
            return 2
        return self.samples[self.second_place] != NOTHING

    def recalled(self) -> cython.int:
        """What a table has there, the first if it can."""
        place = self.place if self.samples[self.place] != NOTHING else self.second_place
        return self.samples[place] + self.low

    def learn(self, plane: Tapped[::1], first: cython.Py_ssize_t, count: cython.Py_ssize_t) -> cython.void:
        """Put samples that lie side by side into both tables."""
        for at in range(first, first + count):
            self.look(plane, at)
            self.samples[self.place] = self.samples[self.second_place] = plane[at] - self.low
