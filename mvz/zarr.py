"""A codec of zarr (format 3): each chunk is an ``.mvz`` file; zarr finds it by its name, ``mvz``.

::

    from mvz.zarr import MvzCodec

    zarr.create_array("movie.zarr", shape=(2000, 512, 512), chunks=(64, 512, 512), dtype="uint16",
                      serializer=MvzCodec(), compressors=None)
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from zarr.abc.codec import ArrayBytesCodec

from mvz.chunks import ChunkCodec, decoded, encoded, refuse_chunk

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

__all__ = ["MvzCodec"]


@dataclass(frozen=True)
class MvzCodec(ChunkCodec, ArrayBytesCodec):
    """Chunks (…, H, W) or (…, H, W, 2 to 4) of uint8 or uint16, whose pictures move."""

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The codec that the metadata of an array names."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """What the metadata of an array says."""
        return {"name": "mvz", "configuration": {"max_error": self.max_error, "speed": self.speed}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Refuse arrays of other samples when they are made, and not at the first chunk."""
        refuse_chunk(shape, dtype.to_native_dtype())

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Nobody knows before it is done."""
        raise NotImplementedError

    def _encode_sync(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        data = encoded(chunk_array.as_numpy_array(), self._settings())
        return chunk_spec.prototype.buffer.from_bytes(data)

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        chunk = decoded(chunk_bytes.to_bytes(), chunk_spec.shape, chunk_spec.dtype.to_native_dtype())
        return chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)
