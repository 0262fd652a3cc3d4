"""How long work has gone on, for whoever watches it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Progress"]


class Progress(NamedTuple):
    """How far an encode or decode has come."""

    pictures: int
    picture_count: int | None
    """All there are, or None where that is not known."""
    file_bytes: int
    """Written or read so far."""
