"""The streams of a run: their ids, and what they count as (spec 6.1)."""

from __future__ import annotations

import enum

__all__ = ["COMPONENT_OF", "StreamId"]


class StreamId(enum.IntEnum):
    """What a stream holds (spec 6.1); the value is its id in the file."""

    NAMES = 0
    VECTOR_FLAGS = 1
    VECTOR_VALUES = 2
    MODES = 3
    RESIDUAL_0 = 16
    RESIDUAL_1 = 17
    RESIDUAL_2 = 18


COMPONENT_OF = {
    StreamId.NAMES: "headers",
    StreamId.VECTOR_FLAGS: "motion",
    StreamId.VECTOR_VALUES: "motion",
    StreamId.MODES: "modes",
    StreamId.RESIDUAL_0: "residual",
    StreamId.RESIDUAL_1: "residual",
    StreamId.RESIDUAL_2: "residual",
}
"""The component that an inventory counts each stream under."""
