"""Encoder only: the taps of the ALF, by least squares (spec 10.13)."""

from __future__ import annotations

import cython
import numpy as np

from codec.buffers import table, zeros
from codec.coded import ALF_BLOCK, ALF_TAPS, AlfParameters
from codec.dct import tables
from codec.dct.loop_filters import AdaptiveLoopFilter
from codec.dct.planes import Plane
from codec.depths import SAMPLE_BITS, Energy, Sample
from codec.motion import tables as motion_tables
from codec.search.forward import SourcePlane

__all__ = ["AlfFit"]

BORDER: cython.int = motion_tables.BORDER
TAPS: cython.int = 12
ROWS: cython.int = 8  # at a time; of two such strips one is looked at
RIDGE = 10.0
TAP_BITS, FLAG_BITS = 6, 0.9


@cython.cclass
class AlfFit:
    """Finds the filter that brings a decoded plane nearest to its source."""

    luma: Plane
    alf: AdaptiveLoopFilter
    offsets: cython.int[:, ::1]
    features: cython.short[:, ::1]  # of a row: what each tap is multiplied by, of 8 bits at most 24, and the error
    products: cython.longlong[:, ::1]

    def __init__(self, luma: Plane, alf: AdaptiveLoopFilter) -> None:
        self.luma, self.alf, self.offsets = luma, alf, table(tables.ALF_OFFSETS)
        self.features = zeros((ALF_TAPS + 1, luma.width), np.int16)
        self.products = zeros((ALF_TAPS + 1, ALF_TAPS + 1), np.int64)

    def fit(self, source: SourcePlane, lagrangian: float) -> AlfParameters | None:
        """The filter of a plane whose reference is deblocked, or None where it gains less than λ · its bits.

        With a filter, the plane's samples and its reference are filtered.
        """
        ridge = RIDGE * 4 ** (self.luma.bit_depth - 8) * np.eye(ALF_TAPS)
        with cython.nogil:
            self.sum_products(source)
        products = np.asarray(self.products)
        taps = np.linalg.solve(products[:-1, :-1] + ridge, products[:-1, -1])
        taps = np.clip(np.rint(128 * taps), -127, 127).astype(np.int8)
        shape = -(-self.luma.height // ALF_BLOCK), -(-self.luma.width // ALF_BLOCK)
        gains = np.zeros(shape, np.int64)
        flags = np.ones(shape, np.uint8)
        gains_: cython.longlong[:, ::1] = gains.data
        flags_: cython.uchar[:, ::1] = flags.data
        taps_: cython.int[::1] = table(taps)
        with cython.nogil:
            self.alf.filter(self.luma, taps_, flags_)
            self.sum_gains(source, gains_)
        flags[:] = gains > 0
        if gains[gains > 0].sum() <= lagrangian * (FLAG_BITS * gains.size + TAP_BITS * ALF_TAPS):
            return None
        with cython.nogil:
            self.undo(flags_)
            self.luma.publish()
        return AlfParameters(taps, flags)

    def sum_products(self, source: SourcePlane) -> cython.void:
        """Sums of products of what two taps are multiplied by, and of that and the error; whole numbers."""
        for one in range(TAPS):
            for other in range(TAPS + 1):
                self.products[one, other] = 0
        for y in range(self.luma.height):
            if y % (2 * ROWS) >= ROWS:
                continue
            self.find_features(source.samples, self.luma.reference.samples, self.features, y, self.luma.width)
            for one in range(TAPS):
                for other in range(one, TAPS + 1):
                    self.products[one, other] += product(self.features, one, other, self.luma.width)
        for one in range(TAPS):
            for other in range(one):
                self.products[one, other] = self.products[other, one]

    def find_features(
        self,
        source: Sample[:, ::1],
        reference: Sample[:, ::1],
        features: cython.short[:, ::1],
        y: cython.int,
        width: cython.int,
    ) -> cython.void:
        """Fill in those of a row."""
        v: cython.int = self.luma.reference.top + y + BORDER
        most: cython.int = tables.ALF_CLIP << (0 if SAMPLE_BITS == 8 else self.luma.bit_depth - 8)
        for k in range(TAPS):
            down, right = self.offsets[k, 0], self.offsets[k, 1]
            for x in range(width):
                u: cython.int = x + BORDER
                centre: cython.int = reference[v, u]
                after: cython.int = reference[v + down, u + right] - centre
                ahead: cython.int = reference[v - down, u - right] - centre
                features[k, x] = max(-most, min(after, most)) + max(-most, min(ahead, most))
        for x in range(width):
            features[TAPS, x] = source[y, x] - reference[v, x + BORDER]

    def sum_gains(self, source: SourcePlane, gains: cython.longlong[:, ::1]) -> cython.void:
        """By how much filtering lessens the squared error of each square of 64×64 samples."""
        reference, top = self.luma.reference.samples, self.luma.reference.top + BORDER
        for y in range(self.luma.height):
            for left in range(0, self.luma.width, 64):
                width = min(self.luma.width - left, 64)
                gains[y >> 6, left >> 6] += gain(source.samples, reference, self.luma.samples, top + y, y, left, width)

    def undo(self, flags: cython.uchar[:, ::1]) -> cython.void:
        """Make the samples of squares without a flag what they were."""
        top: cython.int = self.luma.reference.top + BORDER
        for y in range(self.luma.height):
            for x in range(self.luma.width):
                if not flags[y >> 6, x >> 6]:
                    self.luma.samples[y, x] = self.luma.reference.samples[top + y, x + BORDER]


def product(features: cython.short[:, ::1], one: cython.int, other: cython.int, width: cython.int) -> Energy:
    """Of two rows; at most 24 · 255 a sample of 8 bits."""
    total: Energy = 0
    for x in range(width):
        total += features[one, x] * features[other, x]
    return total


def gain(
    source: Sample[:, ::1],
    before: Sample[:, ::1],
    after: Sample[:, ::1],
    v: cython.int,
    y: cython.int,
    left: cython.int,
    width: cython.int,
) -> cython.int:
    """How much less the squared error of up to 64 samples of row ``y`` is; ``before`` has a border, and row ``v``."""
    total: cython.int = 0
    for x in range(left, left + width):
        old: cython.int = source[y, x] - before[v, x + BORDER]
        new: cython.int = source[y, x] - after[y, x]
        total += old * old - new * new
    return total
