"""The streams of a run: their ids, and what they count as (spec 6.1)."""

from __future__ import annotations

import enum

__all__ = ["COMPONENTS", "COMPONENT_OF", "StreamId"]


class StreamId(enum.IntEnum):
    """What a stream holds (spec 6.1); the value is its id in the file."""

    NAMES = 0
    VECTOR_FLAGS = 1
    VECTOR_VALUES = 2
    MODES = 3
    WEIGHTS = 4
    CLASSES = 5
    QUEUES = 6
    MESHED = 7
    BLOCK_NODES = 8
    BLOCK_MODES = 9
    BLOCK_VECTORS = 10
    BLOCK_LEVELS = 11
    BLOCK_BITS = 12
    FILTERS = 13
    RESIDUAL_0 = 16
    RESIDUAL_1 = 17
    RESIDUAL_2 = 18


COMPONENTS = ("motion", "modes", "weights", "residual", "headers")
"""What bytes are counted under."""

COMPONENT_OF = {
    StreamId.NAMES: "headers",
    StreamId.VECTOR_FLAGS: "motion",
    StreamId.VECTOR_VALUES: "motion",
    StreamId.MODES: "modes",
    StreamId.WEIGHTS: "weights",
    StreamId.CLASSES: "weights",
    StreamId.QUEUES: "residual",
    StreamId.MESHED: "motion",
    StreamId.BLOCK_NODES: "modes",
    StreamId.BLOCK_MODES: "modes",
    StreamId.BLOCK_VECTORS: "motion",
    StreamId.BLOCK_LEVELS: "residual",
    StreamId.BLOCK_BITS: "residual",
    StreamId.FILTERS: "weights",
    StreamId.RESIDUAL_0: "residual",
    StreamId.RESIDUAL_1: "residual",
    StreamId.RESIDUAL_2: "residual",
}
"""The component that an inventory counts each stream under."""
