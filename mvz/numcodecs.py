"""A codec of numcodecs, for zarr of format 2 and whatever else takes one: each chunk is an ``.mvz`` file.

::

    from mvz.numcodecs import Mvz

    zarr.create_array("movie.zarr", shape=(2000, 512, 512), chunks=(64, 512, 512), dtype="uint16", zarr_format=2,
                      compressors=Mvz())
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs.abc import Codec

import codec
from mvz.chunks import ChunkCodec, decoded, encoded

__all__ = ["Mvz"]


class Mvz(ChunkCodec, Codec):
    """Arrays (…, H, W) or (…, H, W, 2 to 4) of uint8 or uint16; decoding gives (T, H, W) or (T, H, W, 2 to 4)."""

    codec_id = "mvz"

    def encode(self, buf: Any) -> bytes:
        """An array as a whole file.

        Raises:
            ValueError: its bytes would come back in another order, or it has no pictures.
        """
        array = np.asarray(buf)
        if array.dtype.newbyteorder("<") != array.dtype or not array.flags.c_contiguous:
            raise ValueError(f"mvz takes little-endian samples in C order, not {array.dtype} {array.strides}")
        return encoded(array, self._settings())

    def decode(self, buf: Any, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """The array of such a file, little-endian, into ``out`` where that is given."""
        if out is None:
            pictures = codec.open(io.BytesIO(buf))[:]
            return pictures.astype(pictures.dtype.newbyteorder("<"), copy=False)
        out[...] = decoded(buf, out.shape, out.dtype)
        return out
