"""The choices that a file records: which motion model, which residual coder, which type of picture."""

from __future__ import annotations

import enum

__all__ = ["BlockKind", "MotionModel", "PictureType", "ResidualCoder", "Speed"]


class _Labelled(enum.IntEnum):
    @property
    def label(self) -> str:
        """The name on the command line, in drawings and pages."""
        return self.name.lower()


class ResidualCoder(_Labelled):
    """How the difference between picture and prediction is kept (spec 5.2); the value is the code in the file."""

    LOSSLESS = 0
    INT8 = 1
    UINT8 = 2
    FLOAT16 = 3
    DCT = 4

    @property
    def has_step(self) -> bool:
        """Whether the coder divides the residual by a step."""
        return self in (ResidualCoder.INT8, ResidualCoder.UINT8)


class MotionModel(_Labelled):
    """What the vectors of a P picture belong to (spec 5.2); the value is the code in the file."""

    NONE = 0
    BLOCK = 1
    MESH = 2


class PictureType(enum.IntEnum):
    """What a picture is predicted from (spec 5.4): itself alone, a picture before it, or one before and one after."""

    I = 0  # noqa: E741  the field's own name
    P = 1
    B = 2


class BlockKind(_Labelled):
    """How a coding block of a ``dct`` picture is predicted (spec 10.1)."""

    SKIP = 0
    MERGE = 1
    INTER = 2
    INTRA = 3
    WARPED = 4
    COPY = 5


class Speed(_Labelled):
    """How much work an encoder puts into a smaller file; the file does not record it."""

    SLOW = 0
    MEDIUM = 1
    FAST = 2
