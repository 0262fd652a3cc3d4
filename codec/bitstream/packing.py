"""Symbols of a byte, packed: as they are, one of them many times, by zstd, or as digits that share bytes (spec 6.2)."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Final

import cython
import numpy as np
import zstandard

from codec.errors import BitstreamError
from codec.vectors import copy, take_escapes

__all__ = ["COMPRESSED", "DIGITS", "EQUAL", "MAX_BLOCK_BYTES", "PLAIN", "StreamReader"]

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]

PLAIN, EQUAL, COMPRESSED = 0, 1, 6  # forms of packed symbols; between the last two are the digits
DIGITS: Final = ((2, 8), (4, 4), (6, 3), (16, 2))  # base and digits a byte, from form 2 on
MAX_DEPTH: Final = 3  # of digits in digits: it bounds how often a byte of the file is worked on
MAX_VARINT_BYTES: Final = 5

_BITS = np.arange(256)[:, np.newaxis] >> np.arange(8) & 1
RANKS = np.where(_BITS, np.cumsum(_BITS, axis=1) - 1, 128).astype(np.uint8).reshape(-1)  # in each set of 8 places

MAX_BLOCK_BYTES: Final = 1 << 17
_HEAD: Final = b"\x28\xb5\x2f\xfd\xe0"  # of a frame that says its size in eight bytes, which follow
_LAST_COMPRESSED: Final = 5  # of a block's head, below its length


class _Contexts(threading.local):
    """What zstd works with, for each thread its own: 300 bytes take 2 µs, making this another 28."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_CONTEXTS: Final = _Contexts()


class StreamReader:
    """A stream that is read from front to back; as a context manager it holds that nothing is left at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.position = 0

    def __enter__(self) -> StreamReader:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.position < len(self._data):
            raise BitstreamError(f"{len(self._data) - self.position} bytes after the end of a stream")

    def take(self, count: int) -> memoryview:
        """The next bytes.

        Raises:
            BitstreamError: there are fewer.
        """
        taken = self._data[self.position : self.position + count]
        if len(taken) < count:
            raise BitstreamError("a stream ends too early")
        self.position += count
        return taken

    def varint(self) -> int:
        """The next number, below 2**35."""
        value = 0
        for group in range(MAX_VARINT_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 127) << 7 * group
            if byte < 128:
                return value
        raise BitstreamError(f"a number of more than {MAX_VARINT_BYTES} bytes in a stream")

    def symbols(self, count: int, depth: int = MAX_DEPTH) -> Bytes:
        """The next ``count`` symbols, in which digits may be in digits ``depth`` deep; often not writable.

        Raises:
            BitstreamError: they break a rule of spec 6.2.
        """
        if not count:
            return np.zeros(0, np.uint8)
        form = self.varint()
        if form == PLAIN:
            return np.frombuffer(self.take(count), np.uint8)
        if form == EQUAL:
            return np.full(count, self.take(1)[0], np.uint8)
        if form >= COMPRESSED:
            length, has_heads = divmod(form - COMPRESSED, 2)
            return np.frombuffer(decompress(self.take(length), count, has_heads == 0), np.uint8)
        if depth == 0:
            raise BitstreamError(f"digits in digits more than {MAX_DEPTH} deep")
        base, digits_a_byte = DIGITS[form - 2]
        joined, symbols = self.symbols(-(-count // digits_a_byte), depth - 1), np.empty(count, np.uint8)
        escapes = self.symbols(split(joined, base, digits_a_byte, symbols), depth - 1)
        add_escapes(symbols, base - 1, escapes)
        return symbols

    def numbers(self, count: int) -> npt.NDArray[np.uint16]:
        """The next ``count`` numbers of two bytes: all low bytes, packed, then all high bytes."""
        return np.stack([self.symbols(count), self.symbols(count)], axis=-1).view("<u2").ravel()


def decompress(body: memoryview, size: int, is_block: bool) -> bytes:
    """The ``size`` bytes of a zstd frame without its head; ``is_block``: of its only block, without its head too.

    Raises:
        BitstreamError: it is damaged, or holds another number of bytes.
    """
    if is_block and len(body) > MAX_BLOCK_BYTES:
        raise BitstreamError(f"a block of {len(body)} bytes; zstd has up to {MAX_BLOCK_BYTES}")
    block_head = (_LAST_COMPRESSED | len(body) << 3).to_bytes(3, "little") if is_block else b""
    frame = b"".join((_HEAD, size.to_bytes(8, "little"), block_head, body))
    try:
        return _CONTEXTS.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise BitstreamError(f"what zstd compressed is damaged, or does not hold {size} bytes: {error}") from error


def split(joined: Bytes, base: cython.int, digits_a_byte: cython.int, symbols: Bytes) -> int:
    """Fill ``symbols`` with digits; returns how many of them are the last of the base, which stand for more.

    ``joined`` has the bytes that it takes for so many symbols.

    Raises:
        BitstreamError: a byte is no number of so many digits, or what fills up the last byte is not 0.
    """
    if int(joined.max()) >= base**digits_a_byte:
        raise BitstreamError(f"a byte of {int(joined.max())} is not {digits_a_byte} digits below {base}")
    digits = digits_of_bytes(base, digits_a_byte)
    whole: cython.Py_ssize_t = len(symbols) // digits_a_byte
    if whole < len(joined):
        begun, filling = np.split(digits[joined[whole]], [len(symbols) - whole * digits_a_byte])
        symbols[whole * digits_a_byte :] = begun
        if filling.any():
            raise BitstreamError("what fills up the last byte of digits is not 0")
    source: cython.const[cython.uchar[::1]] = memoryview(joined)
    target: cython.uchar[::1] = memoryview(symbols)
    table: cython.const[cython.uchar[::1]] = memoryview(digits.reshape(-1))
    escaped: cython.int = 0
    with cython.nogil:
        # with a constant the inner loop is unrolled
        if digits_a_byte == 2:
            split_digits(source, whole, table, 2, target)
        elif digits_a_byte == 3:
            split_digits(source, whole, table, 3, target)
        elif digits_a_byte == 4:
            split_digits(source, whole, table, 4, target)
        else:
            split_digits(source, whole, table, 8, target)
        for place in range(target.shape[0]):
            escaped += target[place] == base - 1
    return int(escaped)


def split_digits(
    joined: cython.const[cython.uchar[::1]],
    count: cython.Py_ssize_t,
    table: cython.const[cython.uchar[::1]],
    digits_a_byte: cython.int,
    symbols: cython.uchar[::1],
) -> cython.void:
    """The symbols of bytes that have all their digits."""
    for number in range(count):
        copy(symbols, number * digits_a_byte, table, joined[number] * digits_a_byte, digits_a_byte)


def add_escapes(symbols: Bytes, last: cython.int, escapes: Bytes) -> None:
    """Add to each symbol that is the last digit the next of ``escapes``.

    A plain loop takes ten times as long, and reading a lossless file 2…4 % longer.
    """
    target: cython.uchar[::1] = memoryview(symbols)
    left: cython.const[cython.uchar[::1]] = memoryview(escapes)
    ranks: cython.const[cython.uchar[::1]] = memoryview(RANKS)
    with cython.nogil:
        take_escapes(target, target.shape[0], last, ranks, left, left.shape[0])


@functools.cache
def digits_of_bytes(base: int, digits_a_byte: int) -> Bytes:
    """The digits of every byte, uint8 (256, digits a byte), the most significant first."""
    place_values = base ** np.arange(digits_a_byte - 1, -1, -1, dtype=np.int64)
    return (np.arange(256)[:, None] // place_values % base).astype(np.uint8)
