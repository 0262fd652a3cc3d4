"""Small symbols as digits that share bytes, with escapes (spec 6.3, 9.6): the loops."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import cython
import numpy as np

from codec.errors import BitstreamError
from codec.vectors import copy, put_escapes, take_escapes

__all__ = ["add_escapes", "join", "split"]

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]

_BITS = np.arange(256)[:, np.newaxis] >> np.arange(8) & 1
ORDERS = np.argsort(1 - _BITS, kind="stable").astype(np.uint8).reshape(-1)  # of each set of 8 places
RANKS = np.where(_BITS, np.cumsum(_BITS, axis=1) - 1, 128).astype(np.uint8).reshape(-1)


def join(symbols: Bytes, base: cython.int, digits_a_byte: cython.int) -> tuple[Bytes, Bytes]:
    """Symbols as digits below ``base``, and what the last digit leaves over of those that it stands for; uint8.

    There are 2, 3, 4 or 8 digits a byte, the first the most significant; the last byte is filled with 0.
    """
    joined = np.empty((len(symbols) + digits_a_byte - 1) // digits_a_byte, np.uint8)
    escapes = np.empty(len(symbols) + 8, np.uint8)
    source: cython.const[cython.uchar[::1]] = memoryview(symbols)
    if missing := joined.size * digits_a_byte - len(symbols):
        source = memoryview(np.append(symbols, np.zeros(missing, np.uint8)))
    target: cython.uchar[::1] = memoryview(joined)
    left: cython.uchar[::1] = memoryview(escapes)
    orders: cython.const[cython.uchar[::1]] = memoryview(ORDERS)
    size: cython.Py_ssize_t = len(symbols)
    with cython.nogil:
        count = put_escapes(source, size, base - 1, orders, left)
        # with a constant the inner loop is unrolled, which takes half the time
        if digits_a_byte == 2:
            join_digits(source, base, 2, target)
        elif digits_a_byte == 3:
            join_digits(source, base, 3, target)
        elif digits_a_byte == 4:
            join_digits(source, base, 4, target)
        else:
            join_digits(source, base, 8, target)
    return joined, escapes[:count]


def join_digits(
    symbols: cython.const[cython.uchar[::1]], base: cython.int, digits_a_byte: cython.int, joined: cython.uchar[::1]
) -> cython.void:
    """Fill bytes with digits."""
    for number in range(joined.shape[0]):
        value: cython.int = 0
        for digit in range(digits_a_byte):
            value = value * base + min(symbols[number * digits_a_byte + digit], base - 1)
        joined[number] = value


def split(joined: Bytes, base: cython.int, digits_a_byte: cython.int, symbols: Bytes) -> int:
    """Fill ``symbols`` with digits; returns how many of them are the last of the base, which stand for more.

    ``joined`` has the bytes that it takes for so many symbols.

    Raises:
        BitstreamError: a byte is no number of so many digits, or what fills up the last byte is not 0.
    """
    if len(joined) and int(joined.max()) >= base**digits_a_byte:
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
    """Add to each symbol that is the last digit what it left over, in order."""
    target: cython.uchar[::1] = memoryview(symbols)
    left: cython.const[cython.uchar[::1]] = memoryview(escapes)
    ranks: cython.const[cython.uchar[::1]] = memoryview(RANKS)
    with cython.nogil:
        take_escapes(target, target.shape[0], last, ranks, left, left.shape[0])


@functools.cache
def digits_of_bytes(base: int, digits_a_byte: int) -> npt.NDArray[np.uint8]:
    """The digits of every byte, uint8 (256, digits a byte), the most significant first."""
    place_values = base ** np.arange(digits_a_byte - 1, -1, -1, dtype=np.int64)
    return (np.arange(256)[:, None] // place_values % base).astype(np.uint8)
