"""Numbers as symbols that zstd codes well, and back (spec 6.2, 6.3)."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from codec.errors import BitstreamError

__all__ = ["digits_of_bytes", "join_digits", "split_digits", "unzigzag", "zigzag"]


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


def join_digits(digits: npt.NDArray[np.integer], base: int, digits_a_byte: int) -> bytes:
    """Several digits below ``base`` in each byte, the first the most significant; the last byte is filled with 0.

    zstd's Huffman codes spend a whole bit at least on each byte, which so becomes a fraction of one on each digit.
    """
    padded = np.zeros((-(-digits.size // digits_a_byte), digits_a_byte), np.int64)
    padded.reshape(-1)[: digits.size] = digits
    return (padded @ place_values(base, digits_a_byte)).astype(np.uint8).tobytes()


def split_digits(data: bytes, base: int, digits_a_byte: int, count: int) -> npt.NDArray[np.uint8]:
    """The inverse of `join_digits`: ``count`` digits, uint8.

    Raises:
        BitstreamError: a byte is beyond what digits make, or what fills the last byte is not 0.
    """
    numbers = np.frombuffer(data, np.uint8)
    if numbers.size and int(numbers.max()) >= base**digits_a_byte:
        raise BitstreamError(f"a byte of {int(numbers.max())} is not {digits_a_byte} digits below {base}")
    digits = digits_of_bytes(base, digits_a_byte)[numbers].reshape(-1)
    if digits[count:].any():
        raise BitstreamError("what fills up the last byte of digits is not 0")
    return digits[:count]


@functools.cache
def digits_of_bytes(base: int, digits_a_byte: int) -> npt.NDArray[np.uint8]:
    """The digits of every byte, uint8 (256, digits a byte)."""
    return (np.arange(256)[:, None] // place_values(base, digits_a_byte) % base).astype(np.uint8)


def place_values(base: int, digits_a_byte: int) -> npt.NDArray[np.int64]:
    """What a digit counts at each place, the most significant first."""
    return base ** np.arange(digits_a_byte - 1, -1, -1, dtype=np.int64)
