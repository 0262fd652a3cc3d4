"""What turns rate against distortion in each residual coder, and where sweeps set it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from codec.models import MotionModel, ResidualCoder
from codec.settings import Settings

__all__ = ["DIALS", "Dial", "dial_of", "settings_at"]


class Dial(NamedTuple):
    """A setting that makes files smaller and worse."""

    name: str
    """Of the attribute of `Settings`, and on the command line."""
    usual: tuple[int, ...]
    """Where a sweep sets it if not told."""
    finest: int
    coarsest: int
    geometric: bool
    """Whether equal ratios, and not equal differences, are equally far apart."""

    def spread(self, count: int) -> tuple[int, ...]:
        """``count`` whole numbers from the finest to the coarsest, fewer where some would be the same."""
        space = np.geomspace if self.geometric else np.linspace
        return tuple(dict.fromkeys(round(value) for value in space(self.finest, self.coarsest, count).tolist()))


# Mesh search takes most of a sweep's time, so uint8, which differs from int8 by about 0.1 %, gets one step.
DIALS = {
    ResidualCoder.INT8: Dial("step", (4, 8, 16, 32), 3, 48, True),
    ResidualCoder.UINT8: Dial("step", (8,), 3, 48, True),
    ResidualCoder.DCT: Dial("qp", (22, 27, 32, 37), 12, 47, False),
}
"""The dial of each coder that has one."""


def dial_of(settings: Settings) -> tuple[str, int] | None:
    """The dial's name and where it stands; None where there is none, or the encoder chooses."""
    if settings.residual_coder is ResidualCoder.DCT:
        return "qp", settings.base_qp
    return None if settings.step is None else ("step", settings.step)


def settings_at(coder: ResidualCoder, motion: MotionModel | str, values: Sequence[int | None]) -> list[Settings]:
    """Settings of one curve: the coder with its dial at each of ``values``; once where it has no dial."""
    plain = Settings(coder, motion)
    dial = DIALS.get(coder)
    if dial is None:
        return [plain]
    turned: list[dict[str, Any]] = [{dial.name: value} for value in values]
    return [replace(plain, **setting) for setting in turned]
