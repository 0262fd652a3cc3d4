"""zstd frames to symbols (spec 6.2)."""

from __future__ import annotations

import functools
import threading
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zstandard

from codec.errors import BitstreamError

__all__ = [
    "HEAD",
    "MAX_BLOCK_BYTES",
    "declared_size",
    "decompress",
    "decompress_digits",
    "from_byte_planes",
    "unzigzag",
    "with_head",
    "zigzag",
]

HEAD = b"\x00\x38"  # of a frame that says nothing of its size, with a window of 2**17 bytes
_MAX_HEAD_BYTES = 14  # without the magic number
_MAGIC = b"\x28\xb5\x2f\xfd"  # put before what is read: zstandard up to 0.23 reads no frame without it
MAX_BLOCK_BYTES = 1 << 17
_LAST_COMPRESSED = 5  # of a block's head, below its length


class _Contexts(threading.local):
    """What zstd works with, for each thread its own: a frame of 300 bytes takes 2 µs, making this another 28."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_CONTEXTS: Final = _Contexts()


def content_size(frame: bytes) -> int | None:
    """The bytes that a frame says it holds, or None where it does not say.

    Raises:
        BitstreamError: it is no frame, or has parts that it must not have.
    """
    if frame[:1] and frame[0] & 0x1F:
        raise BitstreamError("a stream's frame has a checksum, a dictionary or a reserved bit")
    try:
        declared = zstandard.get_frame_parameters(_MAGIC + frame[:_MAX_HEAD_BYTES]).content_size
    except zstandard.ZstdError as error:
        raise BitstreamError(f"a stream is not a zstd frame: {error}") from error
    return None if declared == zstandard.CONTENTSIZE_UNKNOWN else declared


def declared_size(frame: bytes) -> int:
    """The bytes that a frame says it holds.

    Raises:
        BitstreamError: it does not say, or has parts that it must not have.
    """
    declared = content_size(frame)
    if declared is None:
        raise BitstreamError("a stream's frame does not declare its size")
    return declared


def expand(frame: bytes, size: int) -> bytes:
    """The ``size`` bytes of a frame, which declares no other number.

    Raises:
        BitstreamError: the frame is damaged, has trailing bytes, or holds another number.
    """
    try:
        symbols = _CONTEXTS.decompressor.decompress(_MAGIC + frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BitstreamError(f"a stream is not one whole zstd frame, or does not hold {size} bytes: {error}") from error
    if len(symbols) != size:
        raise BitstreamError(f"a stream's frame holds {len(symbols)} bytes where {size} are needed")
    return symbols


def decompress(frame: bytes, *sizes: int) -> bytes:
    """Symbols of a frame that must declare, and have, one of ``sizes`` in bytes.

    Raises:
        BitstreamError: the declared size is none of them; or the frame is damaged, has trailing bytes, or parts
            that it must not have.
    """
    declared = declared_size(frame)
    if declared not in sizes:
        expected = " or ".join(map(str, sizes))
        raise BitstreamError(f"a stream's frame declares {declared} bytes; the headers imply {expected}")
    return expand(frame, declared)


def with_head(body: bytes) -> bytes:
    """The inverse of `without_head`: the frame with one block, which is compressed, that ends with ``body``.

    Raises:
        BitstreamError: no block is so long.
    """
    if len(body) > MAX_BLOCK_BYTES:
        raise BitstreamError(f"a block of {len(body)} bytes; zstd has up to {MAX_BLOCK_BYTES}")
    return HEAD + (_LAST_COMPRESSED | len(body) << 3).to_bytes(3, "little") + body


def decompress_digits(frame: bytes, size: int) -> bytes:
    """The inverse of `compress_digits` for ``size`` bytes.

    Raises:
        BitstreamError: the frame is damaged, or holds another number of bytes.
    """
    declared = content_size(frame)
    if declared not in (size, None):
        raise BitstreamError(f"a frame of a queue declares {declared} bytes where {size} are needed")
    return expand(frame, size)


def from_byte_planes(data: bytes, dtype: np.dtype[np.generic]) -> npt.NDArray[Any]:
    """The inverse of `byte_planes`; the result is writable and contiguous."""
    planes = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    return planes.T.copy().view(dtype).ravel()


def zigzag(values: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.int32]:
    """0, −1, 1, −2 and so on to 0, 1, 2, 3."""
    wide = values.astype(np.int32)
    return np.where(wide < 0, -2 * wide - 1, 2 * wide)


def unzigzag(symbols: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
    """The inverse of `zigzag` for symbols up to 65535: −32768…32767; that of 65536 is −32768 as well."""
    numbers: npt.NDArray[np.int16] = numbers_of_symbols()[symbols]
    return numbers


@functools.cache
def numbers_of_symbols() -> npt.NDArray[np.int16]:
    """The number of every symbol. A table takes one step, between which and another a thread may have to wait."""
    symbols = np.arange(65537)
    return ((symbols >> 1) ^ -(symbols & 1)).astype(np.int16)
