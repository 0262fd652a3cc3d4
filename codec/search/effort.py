"""Encoder only: how hard `dct` searches, by speed."""

from __future__ import annotations

from typing import NamedTuple

from codec.models import Speed

__all__ = ["EFFORTS", "Effort"]


class Effort(NamedTuple):
    """How hard to search, by speed.

    Attributes:
        all_skips: whether every merge candidate is tried as a skip, or the nearest alone.
        splits: whether transforms are also split.
        rounds: around the best vector, at half and at quarter samples.
        near: ways to predict are coded where their Hadamard costs are this near the least, relative.
        intra_modes: of I pictures, coded fully.
        intra_rounds: of refinement of the direction.
        four_modes: whether the smallest blocks have four intra modes: 0 no, 1 in I pictures, 2 always.
        obmc_from: OBMC is tried where the Hadamard cost of others is above this, as for ``stop``.
        sines: whether transforms of intra blocks are also DST-VII: 0 no, 1 with the nearest mode, 2 with each.
        trellis: whether levels are chosen by a search, or one after the other.
        passes: over a GOP.
        stop: a block is not split where its Hadamard cost is below this, by step and 8×8 samples.
        intra_from: P pictures try intra blocks where the Hadamard cost of others is above this, as for ``stop``.
        intra_near: and only where intra's is not this much higher.
    """

    all_skips: bool
    splits: bool
    rounds: int
    near: float
    intra_modes: int
    intra_rounds: int
    four_modes: int
    obmc_from: float
    sines: int
    trellis: bool
    passes: int
    stop: float
    intra_from: float
    intra_near: float


EFFORTS: dict[Speed, Effort] = {
    Speed.SLOW: Effort(True, True, 2, 0.5, 3, 3, 2, 2.0, 2, True, 2, 0.5, 2.0, 1.5),
    Speed.MEDIUM: Effort(False, True, 2, 0.2, 3, 2, 2, 2.0, 2, False, 1, 3.0, 4.0, 1.2),
    Speed.FAST: Effort(False, True, 1, 0.0, 2, 2, 1, 1e9, 0, False, 1, 5.0, 10.0, 1.1),
}
