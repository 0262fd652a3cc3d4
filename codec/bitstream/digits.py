"""Small symbols as digits that share bytes, with escapes (spec 6.2, 6.7): the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython
import numpy as np

from codec.bitstream.symbols import digits_of_bytes
from codec.vectors import copy

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]

NO_DIGITS: cython.int = -1  # what `split_digits` may find
NOT_FILLED: cython.int = -2


def join(symbols: Bytes, base: cython.int, digits_a_byte: cython.int) -> tuple[Bytes, Bytes]:
    """Symbols as digits below ``base``, and what the last digit leaves over of those that it stands for; uint8.

    There are 2, 3, 4 or 8 digits a byte.
    """
    joined = np.empty((len(symbols) + digits_a_byte - 1) // digits_a_byte, np.uint8)
    escapes = np.empty(len(symbols) + 1, np.uint8)
    source: cython.const[cython.uchar[::1]] = memoryview(symbols)
    target: cython.uchar[::1] = memoryview(joined)
    left: cython.uchar[::1] = memoryview(escapes)
    with cython.nogil:
        count = put_escapes(source, base - 1, left)
        join_digits(source, base, digits_a_byte, target)
    return joined, escapes[:count]


def put_escapes(
    symbols: cython.const[cython.uchar[::1]], last: cython.Py_ssize_t, escapes: cython.uchar[::1]
) -> cython.Py_ssize_t:
    """What the last digit leaves over; ``escapes`` has room for one more than there are symbols."""
    count: cython.Py_ssize_t = 0
    for place in range(symbols.shape[0]):
        symbol = symbols[place]
        escapes[count] = (symbol - last) & 255
        count -= is_last(symbol, last)
    return count


def is_last(symbol: cython.Py_ssize_t, last: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """−1 where a symbol is ``last`` or above, else 0: as arithmetic, since a branch would be guessed wrong often."""
    return (last - 1 - symbol) >> 63


def join_digits(
    symbols: cython.const[cython.uchar[::1]], base: cython.int, digits_a_byte: cython.int, joined: cython.uchar[::1]
) -> cython.void:
    """Several digits in each byte, the first the most significant; the last byte is filled with 0."""
    whole = symbols.shape[0] // digits_a_byte
    # with a constant the inner loop is unrolled, which takes half the time
    if digits_a_byte == 2:
        join_whole(symbols, base, 2, joined, whole)
    elif digits_a_byte == 3:
        join_whole(symbols, base, 3, joined, whole)
    elif digits_a_byte == 4:
        join_whole(symbols, base, 4, joined, whole)
    else:
        join_whole(symbols, base, 8, joined, whole)
    if whole < joined.shape[0]:
        value: cython.int = 0
        for place in range(whole * digits_a_byte, (whole + 1) * digits_a_byte):
            value = value * base + (min(symbols[place], base - 1) if place < symbols.shape[0] else 0)
        joined[whole] = value


def join_whole(
    symbols: cython.const[cython.uchar[::1]],
    base: cython.int,
    digits_a_byte: cython.int,
    joined: cython.uchar[::1],
    count: cython.Py_ssize_t,
) -> cython.void:
    """The bytes that have all their digits."""
    for number in range(count):
        value: cython.int = 0
        for digit in range(digits_a_byte):
            value = value * base + min(symbols[number * digits_a_byte + digit], base - 1)
        joined[number] = value


def split(joined: Bytes, base: cython.int, digits_a_byte: cython.int, symbols: Bytes) -> int:
    """Fill ``symbols`` with digits; returns how many of them are the last of the base, which stand for more.

    ``joined`` has the bytes that it takes for so many symbols.

    Raises:
        ValueError: a byte is no number of so many digits, or what fills up the last byte is not 0.
    """
    source: cython.const[cython.uchar[::1]] = memoryview(joined)
    target: cython.uchar[::1] = memoryview(symbols)
    table: cython.uchar[::1] = memoryview(digits_of_bytes(base, digits_a_byte).reshape(-1))
    with cython.nogil:
        escaped = split_digits(source, table, digits_a_byte, base, target)
    if escaped == NO_DIGITS:
        raise ValueError(f"a byte of {int(joined.max())} is not {digits_a_byte} digits below {base}")
    if escaped == NOT_FILLED:
        raise ValueError("what fills up the last byte of digits is not 0")
    return int(escaped)


def split_digits(
    joined: cython.const[cython.uchar[::1]],
    table: cython.uchar[::1],
    digits_a_byte: cython.int,
    base: cython.int,
    symbols: cython.uchar[::1],
) -> cython.Py_ssize_t:
    """The loops of `split`; ``table`` has the digits of every byte. Returns what `split` does, or what is wrong."""
    whole = symbols.shape[0] // digits_a_byte
    limit: cython.int = 1
    for _ in range(digits_a_byte):
        limit *= base
    highest: cython.uchar = 0
    for number in range(joined.shape[0]):
        highest = max(highest, joined[number])
    if highest >= limit:
        return NO_DIGITS
    if digits_a_byte == 2:
        split_whole(joined, table, 2, symbols, whole)
    elif digits_a_byte == 3:
        split_whole(joined, table, 3, symbols, whole)
    elif digits_a_byte == 4:
        split_whole(joined, table, 4, symbols, whole)
    else:
        split_whole(joined, table, 8, symbols, whole)
    for digit in range(digits_a_byte if whole < joined.shape[0] else 0):
        place = whole * digits_a_byte + digit
        if place < symbols.shape[0]:
            symbols[place] = table[joined[whole] * digits_a_byte + digit]
        elif table[joined[whole] * digits_a_byte + digit] > 0:
            return NOT_FILLED
    escaped: cython.int = 0
    last: cython.uchar = base - 1
    for place in range(symbols.shape[0]):
        escaped += symbols[place] == last
    return escaped


def split_whole(
    joined: cython.const[cython.uchar[::1]],
    table: cython.uchar[::1],
    digits_a_byte: cython.int,
    symbols: cython.uchar[::1],
    count: cython.Py_ssize_t,
) -> cython.void:
    """The symbols of bytes that have all their digits."""
    for number in range(count):
        copy(symbols, number * digits_a_byte, table, joined[number] * digits_a_byte, digits_a_byte)


def add_escapes(symbols: Bytes, last: cython.int, escapes: Bytes) -> None:
    """Add to each symbol that is the last digit what it left over, in order; ``escapes`` has one byte to spare."""
    target: cython.uchar[::1] = memoryview(symbols)
    left: cython.const[cython.uchar[::1]] = memoryview(escapes)
    with cython.nogil:
        add_to_last(target, last, left)


def add_to_last(
    symbols: cython.uchar[::1], last: cython.Py_ssize_t, escapes: cython.const[cython.uchar[::1]]
) -> cython.void:
    """The loop of `add_escapes`."""
    taken: cython.Py_ssize_t = 0
    for place in range(symbols.shape[0]):
        escaped = is_last(symbols[place], last)
        symbols[place] = (symbols[place] + (escapes[taken] & escaped)) & 255
        taken -= escaped
