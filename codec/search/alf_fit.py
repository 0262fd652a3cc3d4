"""Encoder only: the taps of the ALF, by least squares (spec 10.13)."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

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
# times luma's is an error of chroma: its mean is smaller, and PSNR-YUV (6:1:1) counts relative changes
CHROMA_WORTH = 2.0


@cython.cclass
class AlfFit:
    """Finds the filter that brings a decoded plane nearest to its source."""

    plane: Plane
    luma: Plane
    alf: AdaptiveLoopFilter
    offsets: cython.int[:, ::1]
    pairs: cython.int  # of taps that stand for two samples of the plane; the others look into luma
    features: cython.short[:, ::1]  # of a row: what each tap is multiplied by, of 8 bits at most 24, and the error
    products: cython.longlong[:, ::1]
    all_flags: cython.uchar[:, ::1]  # all of them 1
    newest: object  # taps, int8 (12,), of the last filter, or None

    def __init__(self, plane: Plane, luma: Plane, alf: AdaptiveLoopFilter) -> None:
        self.plane, self.luma, self.alf, self.newest = plane, luma, alf, None
        self.offsets = table(tables.ALF_CHROMA_OFFSETS if plane.number else tables.ALF_OFFSETS)
        self.pairs = 4 if plane.number else TAPS
        self.features = zeros((ALF_TAPS + 1, plane.width), np.int16)
        self.products = zeros((ALF_TAPS + 1, ALF_TAPS + 1), np.int64)
        self.all_flags = np.ones((-(-luma.height // ALF_BLOCK), -(-luma.width // ALF_BLOCK)), np.uint8).data

    def fit(self, source: SourcePlane, lagrangian: float) -> AlfParameters | None:
        """The filter of a plane whose reference is deblocked, or None where it gains less than λ · its bits.

        Its taps are those that fit best, or those of the last filter, which cost nothing. With a filter, the plane's
        samples and its reference are filtered.
        """
        if self.plane.number > 0:
            lagrangian /= CHROMA_WORTH
        ridge = RIDGE * 4 ** (self.plane.bit_depth - 8) * np.eye(ALF_TAPS)
        with cython.nogil:
            self.sum_products(source)
        products = np.asarray(self.products)
        taps = np.linalg.solve(products[:-1, :-1] + ridge, products[:-1, -1])
        taps = np.clip(np.rint(128 * taps), -127, 127).astype(np.int8)
        bits = TAP_BITS * ALF_TAPS
        of_newest = None if self.newest is None else self.gains(source, self.newest)
        gains = self.gains(source, taps)
        if of_newest is not None and gain_of(of_newest) >= gain_of(gains) - lagrangian * bits:
            taps, gains, bits = self.newest, of_newest, 0
        if gain_of(gains) <= lagrangian * (FLAG_BITS * gains.size + bits):
            return None
        flags = (gains > 0).astype(np.uint8)
        flags_: cython.uchar[:, ::1] = flags.data
        if bits == 0:
            self.filter(taps)
        self.newest = taps
        with cython.nogil:
            self.undo(flags_)
            self.plane.publish()
        return AlfParameters(taps, flags)

    def gains(self, source: SourcePlane, taps: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
        """By how much a filter lessens the squared error of each square of 64×64 samples of luma."""
        self.filter(taps)
        gains = np.zeros_like(np.asarray(self.all_flags), np.int64)
        gains_: cython.longlong[:, ::1] = gains.data
        with cython.nogil:
            self.sum_gains(source, gains_)
        return gains

    def filter(self, taps: npt.NDArray[np.int8]) -> None:
        """Filter all of the plane."""
        flags: cython.uchar[:, ::1] = self.all_flags
        taps_: cython.int[::1] = table(taps)
        with cython.nogil:
            self.alf.filter(self.plane, self.luma, taps_, flags)

    def undo(self, flags: cython.uchar[:, ::1]) -> cython.void:
        """Make the samples of squares without a flag what they were."""
        samples, reference, top = self.plane.samples, self.plane.reference.samples, self.plane.reference.top + BORDER
        log2_y, log2_x = self.plane.log2_y, self.plane.log2_x
        for y in range(self.plane.height):
            for x in range(self.plane.width):
                if not flags[(y << log2_y) >> 6, (x << log2_x) >> 6]:
                    samples[y, x] = reference[top + y, x + BORDER]

    def sum_products(self, source: SourcePlane) -> cython.void:
        """Sums of products of what two taps are multiplied by, and of that and the error; whole numbers."""
        for one in range(TAPS):
            for other in range(TAPS + 1):
                self.products[one, other] = 0
        for y in range(self.plane.height):
            if y % (2 * ROWS) >= ROWS:
                continue
            self.find_features(source.samples, self.features, y, self.plane.width)
            for one in range(TAPS):
                for other in range(one, TAPS + 1):
                    self.products[one, other] += product(self.features, one, other, self.plane.width)
        for one in range(TAPS):
            for other in range(one):
                self.products[one, other] = self.products[other, one]

    def find_features(
        self, source: Sample[:, ::1], features: cython.short[:, ::1], y: cython.int, width: cython.int
    ) -> cython.void:
        """Fill in those of a row."""
        reference, luma = self.plane.reference.samples, self.luma.reference.samples
        v, v_luma = self.plane.reference.top + y + BORDER, self.luma.reference.top + (y << self.plane.log2_y) + BORDER
        log2_x, offsets = self.plane.log2_x, self.offsets
        most: cython.int = tables.ALF_CLIP << (0 if SAMPLE_BITS == 8 else self.plane.bit_depth - 8)
        for k in range(self.pairs):
            down, right = offsets[k, 0], offsets[k, 1]
            for x in range(width):
                u: cython.int = x + BORDER
                centre: cython.int = reference[v, u]
                after: cython.int = reference[v + down, u + right] - centre
                ahead: cython.int = reference[v - down, u - right] - centre
                features[k, x] = max(-most, min(after, most)) + max(-most, min(ahead, most))
        if self.pairs < TAPS:
            self.alf.take_every(luma, v_luma, BORDER, log2_x, features, TAPS, width)
        for k in range(self.pairs, TAPS):
            down, right = offsets[k, 0], offsets[k, 1]
            self.alf.take_every(luma, v_luma + down, BORDER + right, log2_x, features, k, width)
            for x in range(width):
                difference: cython.short = features[k, x] - features[TAPS, x]
                features[k, x] = max(-most, min(difference, most))
        for x in range(width):
            features[TAPS, x] = source[y, x] - reference[v, x + BORDER]

    def sum_gains(self, source: SourcePlane, gains: cython.longlong[:, ::1]) -> cython.void:
        """The loops of `gains`."""
        reference, top = self.plane.reference.samples, self.plane.reference.top + BORDER
        side: cython.int = 64 >> self.plane.log2_x
        for y in range(self.plane.height):
            row: cython.int = (y << self.plane.log2_y) >> 6
            for square in range(gains.shape[1]):
                left = side * square
                width = min(self.plane.width - left, side)
                gains[row, square] += gain(source.samples, reference, self.plane.samples, top + y, y, left, width)


def gain_of(gains: npt.NDArray[np.int64]) -> int:
    """Of the squares that are filtered."""
    return int(gains[gains > 0].sum())


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
