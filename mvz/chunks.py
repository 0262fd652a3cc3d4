"""Chunks of arrays as ``.mvz`` files in memory, which is what the codecs for zarr and numcodecs keep."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import codec
from codec.settings import SpeedName

__all__ = ["ChunkCodec", "as_pictures", "decoded", "encoded", "refuse_chunk"]

MOST_OF_A_GOP = 1024  # pictures


def refuse_chunk(shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    """Say what chunks are taken.

    Raises:
        ValueError: these are not.
    """
    if dtype.newbyteorder("=") not in (np.uint8, np.uint16) or len(shape) < 2:
        raise ValueError(
            f"mvz takes chunks of uint8 or uint16 with rows and columns, (…, H, W) or (…, H, W, 2 to 4), "
            f"not {dtype} {tuple(shape)}"
        )


@dataclass(frozen=True)
class ChunkCodec:
    """How chunks are coded.

    Attributes:
        max_error: how far any sample may be off; 0 is exact.
        speed: ``slow``, ``medium`` or ``fast``: how thoroughly the encoder searches.

    Raises:
        ConfigError: a value out of its range.
    """

    max_error: int = 0
    speed: SpeedName = "medium"

    def __post_init__(self) -> None:
        self._settings()

    def _settings(self) -> codec.Settings:
        return codec.Settings("lossless", max_error=self.max_error or None, speed=self.speed, gop=MOST_OF_A_GOP)


def as_pictures(chunk: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A chunk as (T, H, W) or (T, H, W, 2 to 4): of four sides and more a last one of 2…4 is channels.

    All sides before rows and columns become T.
    """
    of_picture = 3 if chunk.ndim > 3 and 2 <= chunk.shape[-1] <= 4 else 2
    return chunk.reshape(-1, *chunk.shape[-of_picture:])


def encoded(chunk: npt.NDArray[Any], settings: codec.Settings) -> bytes:
    """A chunk as a whole file.

    Raises:
        ValueError: `refuse_chunk` says why.
    """
    refuse_chunk(chunk.shape, chunk.dtype)
    file = io.BytesIO()
    pictures = [codec.Picture.from_array(each) for each in as_pictures(chunk)]
    if not pictures:
        raise ValueError(f"a chunk of {tuple(chunk.shape)} has no pictures")
    with codec.Writer(file, format=pictures[0].format, settings=settings) as out:  # keeps alpha that is opaque too
        for picture in pictures:
            out.append(picture)
    return file.getvalue()


def decoded(data: Any, shape: Sequence[int], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The chunk of that shape that such a file holds, in the byte order of this machine.

    Raises:
        BitstreamError: the file is damaged, or holds other samples.
    """
    with codec.open(io.BytesIO(data)) as video:
        if (video.size, video.dtype) != (math.prod(shape), dtype.newbyteorder("=")):
            rule = f"a chunk of {dtype} {tuple(shape)} is expected; its file has {video.dtype} {video.shape}"
            raise codec.BitstreamError(rule, path=video.path, offset=0)
        return video[:].reshape(shape)
