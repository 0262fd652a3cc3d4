"""The streams of a run: their ids, and what they count as (spec 6.1)."""

from __future__ import annotations

import enum

__all__ = ["COMPONENT_OF", "StreamId"]


class StreamId(enum.IntEnum):
    """What a stream holds (spec 6.1); the value is its id in the file."""

    NAMES = 0
    MOTION_Y = 1
    MOTION_X = 2
    MODES = 3
    OWN_Y = 4
    OWN_X = 5
    RESIDUAL_0 = 16
    RESIDUAL_1 = 17
    RESIDUAL_2 = 18


COMPONENT_OF = {
    StreamId.NAMES: "headers",
    StreamId.MOTION_Y: "motion",
    StreamId.MOTION_X: "motion",
    StreamId.MODES: "modes",
    StreamId.OWN_Y: "motion",
    StreamId.OWN_X: "motion",
    StreamId.RESIDUAL_0: "residual",
    StreamId.RESIDUAL_1: "residual",
    StreamId.RESIDUAL_2: "residual",
}
"""The component that an inventory counts each stream under."""
