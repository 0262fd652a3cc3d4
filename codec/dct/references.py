"""The order in which pictures are coded, and the decoded ones that each may point into (spec 10.16)."""

from __future__ import annotations

from typing import NamedTuple

import cython
import numpy as np
import numpy.typing as npt

from codec.buffers import zeros
from codec.errors import BitstreamError
from codec.picture.planes import Samples

__all__ = [
    *("MAX_LOG2_MINI_GOP", "MAX_SCALE", "NEUTRAL_OFFSET", "SAMPLE_SLOTS", "SLOTS", "UNWEIGHTED", "Place", "References"),
    *("coding_order", "weighted"),
]

MAX_LOG2_MINI_GOP = 4
SLOTS = 1 + MAX_LOG2_MINI_GOP  # decoded pictures that are kept at a time
SAMPLE_SLOTS = SLOTS + 2  # with the two that are weighted
UNWEIGHTED, MAX_SCALE = 1024, 32767  # the scale that changes nothing, and the largest
NEUTRAL_OFFSET = 4  # times what a scale lacks of 1024: the offset by which chroma without colour stays so


class Place(NamedTuple):
    """A picture's place in the order of coding.

    Attributes:
        number: of the picture as it is shown.
        references: numbers of the pictures that it may point into: none of an I picture, the one before of a P
            picture, one before and one after of a B picture.
        layer: how many pictures had to come before it in its mini-GOP.
        kept: numbers of the decoded pictures that later ones need once it is decoded.
    """

    number: int
    references: tuple[int, ...]
    layer: int
    kept: frozenset[int]


def coding_order(first: int, count: int, mini_gop: int, is_intra: bool) -> list[Place]:
    """The places of ``count`` pictures from number ``first`` on, which share a packet, in the order of coding.

    Every ``mini_gop``-th is predicted from the one so far before; those between follow, the middle one first.
    """
    coded: list[tuple[int, tuple[int, ...], int]] = [(first, (), 0)] if is_intra else []
    before = first if is_intra else first - 1
    last = first + count - 1
    while before < last:
        after = min(before + mini_gop, last)
        coded.append((after, (before,), 0))
        coded += _between(before, after, 1)
        before = after
    places, needed = [], {last}
    for number, references, layer in reversed(coded):
        places.append(Place(number, references, layer, frozenset(needed)))
        needed = needed - {number} | {*references}
    return places[::-1]


def _between(before: int, after: int, layer: int) -> list[tuple[int, tuple[int, ...], int]]:
    """B pictures: the middle one, then those before it, then those after it."""
    if after - before < 2:
        return []
    middle = (before + after) // 2
    own = (middle, (before, after), layer)
    return [own, *_between(before, middle, layer + 1), *_between(middle, after, layer + 1)]


def weighted(plane: npt.NDArray[Samples], scale: int, offset: int, bit_depth: int) -> npt.NDArray[Samples]:
    """A plane times ``scale`` / 1024, with ``offset`` thirty-seconds of 2 ** (bit_depth − 8) added (spec 10.17)."""
    total = scale * np.arange(1 << bit_depth, dtype=np.int64) + (offset * (1 << (bit_depth - 3)) + UNWEIGHTED // 2)
    of_sample: npt.NDArray[Samples] = np.clip(total >> 10, 0, (1 << bit_depth) - 1).astype(plane.dtype)
    return of_sample[plane]


@cython.cclass
class References:
    """The two decoded pictures that the picture at work points into; of a P picture both are the one before."""

    is_b: cython.bint
    is_halfway: cython.bint  # whether one is as long before the picture at work as the other is after it
    slot: cython.int[::1]  # where each of the two is kept
    sample_slot: cython.int[::1]  # where the samples are that blocks are predicted from: there, or weighted
    distance: cython.int[::1]  # how many pictures it is before the one at work; negative if it comes after
    latest: cython.int  # which of the two was decoded last
    free: cython.int  # the slot for the picture at work
    limit: cython.int  # of both components of a vector
    slot_of: dict[int, int]  # by number, in the order of decoding

    def __init__(self, limit: int) -> None:
        self.slot, self.distance, self.limit, self.slot_of = zeros(2, np.int32), zeros(2, np.int32), limit, {}
        self.sample_slot = zeros(2, np.int32)
        self.is_b, self.is_halfway, self.latest, self.free = False, False, 0, 0

    def start(self, place: Place, only_reads: bool) -> None:
        """Begin a picture; one that is only read needs no others.

        Raises:
            BitstreamError: it points into a picture that is not there.
        """
        self.is_b = len(place.references) > 1
        if only_reads:
            return
        kept = list(self.slot_of)
        for k in range(2 if place.references else 0):
            number = place.references[k if self.is_b else 0]
            if number not in self.slot_of:
                raise BitstreamError(f"picture {place.number} points into picture {number}, which is not there")
            self.slot[k], self.distance[k] = self.slot_of[number], place.number - number
            self.sample_slot[k] = self.slot[k]
        self.is_halfway = self.is_b and self.distance[0] == -self.distance[1]
        self.latest = int(self.is_b and kept.index(place.references[1]) > kept.index(place.references[0]))
        self.slot_of = {number: slot for number, slot in self.slot_of.items() if number in place.kept}
        self.free = min({*range(SLOTS)} - {*self.slot_of.values()})
        if place.number in place.kept:
            self.slot_of[place.number] = self.free

    def stretched(self, vector: cython.int, distance: cython.int, target: cython.int) -> cython.int:
        """A component of a vector over a distance in time, as if motion went on evenly over another (spec 10.6)."""
        if distance == target:
            return vector
        length: cython.int = (abs(vector) * abs(target) + (abs(distance) >> 1)) // abs(distance)
        length = min(length, self.limit)
        return length if (vector > 0) == ((distance > 0) == (target > 0)) else -length

    def other(self, vector: cython.int, target: cython.int) -> cython.int:
        """A component of a vector into one of the two, as it would point into the other, which is ``target``."""
        return self.stretched(vector, self.distance[1 - target], self.distance[target])
