"""Small symbols as digits that share bytes, with escapes (spec 6.2, 6.7): the loops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.bitstream.symbols import digits_of_bytes
from codec.kernels import Integer, kernel

__all__ = ["add_escapes", "join", "split"]

Bytes = npt.NDArray[np.uint8]

NO_DIGITS, NOT_FILLED = -1, -2  # what `split_digits` may find


def join(symbols: Bytes, base: int, digits_a_byte: int) -> tuple[Bytes, Bytes]:
    """Symbols as digits below ``base``, and what the last digit leaves over of those that it stands for.

    There are 2, 3, 4 or 8 digits a byte.
    """
    joined = np.empty(-(-symbols.size // digits_a_byte), np.uint8)
    escapes = np.empty(symbols.size + 1, np.uint8)
    count = join_digits(symbols, base, digits_a_byte, joined, escapes)
    return joined, escapes[:count]


@kernel
def join_whole(symbols: Bytes, base: Integer, digits_a_byte: Integer, joined: Bytes) -> None:
    """The bytes that have all their digits."""
    last = np.int32(base - 1)
    for number in range(np.uint64(joined.size)):
        value, first = np.int32(0), number * np.uint64(digits_a_byte)
        for digit in range(np.uint64(digits_a_byte)):
            value = np.int32(np.int32(value * base) + min(np.int32(symbols[first + digit]), last))
        joined[number] = np.uint8(value)


@kernel
def join_digits(symbols: Bytes, base: Integer, digits_a_byte: Integer, joined: Bytes, escapes: Bytes) -> Integer:
    """The loops of `join`; ``escapes`` needs room for one more than there are symbols."""
    digit: Integer
    last, count = np.int32(base - 1), np.uint64(0)
    for place in range(np.uint64(symbols.size)):
        symbol = np.int32(symbols[place])
        escapes[count] = np.uint8(symbol - last)
        count += np.uint64(symbol >= last)
    whole = symbols.size // digits_a_byte
    # with a constant the inner loop is unrolled, which takes half the time
    if digits_a_byte == 2:
        join_whole(symbols, base, 2, joined[:whole])
    elif digits_a_byte == 3:
        join_whole(symbols, base, 3, joined[:whole])
    elif digits_a_byte == 4:
        join_whole(symbols, base, 4, joined[:whole])
    else:
        join_whole(symbols, base, 8, joined[:whole])
    if whole < joined.size:
        value = np.int32(0)
        for place in range(whole * digits_a_byte, (whole + 1) * digits_a_byte):
            digit = min(np.int32(symbols[place]), last) if place < symbols.size else np.int32(0)
            value = np.int32(value * base + digit)
        joined[whole] = np.uint8(value)
    return count


def split(joined: Bytes, base: int, digits_a_byte: int, symbols: Bytes) -> int:
    """Fill ``symbols`` with digits; returns how many of them are the last of the base, which stand for more.

    ``joined`` has the bytes that it takes for so many symbols.

    Raises:
        ValueError: a byte is no number of so many digits, or what fills up the last byte is not 0.
    """
    escaped = int(split_digits(joined, digits_of_bytes(base, digits_a_byte), base, symbols))
    if escaped == NO_DIGITS:
        raise ValueError(f"a byte of {int(joined.max())} is not {digits_a_byte} digits below {base}")
    if escaped == NOT_FILLED:
        raise ValueError("what fills up the last byte of digits is not 0")
    return escaped


@kernel
def split_whole(joined: Bytes, table: Bytes, digits_a_byte: Integer, symbols: Bytes) -> None:
    """The symbols of bytes that have all their digits."""
    digits = table.reshape(-1)
    for number in range(np.uint64(joined.size)):
        first, value = number * np.uint64(digits_a_byte), np.uint64(joined[number]) * np.uint64(digits_a_byte)
        for digit in range(np.uint64(digits_a_byte)):
            symbols[first + digit] = digits[value + digit]


@kernel
def split_digits(joined: Bytes, table: Bytes, base: Integer, symbols: Bytes) -> Integer:
    """The loops of `split`; ``table`` has the digits of every byte. Returns what `split` does, or what is wrong."""
    digits_a_byte = table.shape[1]
    whole = symbols.size // digits_a_byte
    highest, escaped = np.uint8(0), np.uint64(0)
    for number in range(joined.size):
        highest = max(highest, joined[number])
    if highest >= base**digits_a_byte:
        return NO_DIGITS
    if digits_a_byte == 2:
        split_whole(joined[:whole], table, 2, symbols)
    elif digits_a_byte == 3:
        split_whole(joined[:whole], table, 3, symbols)
    elif digits_a_byte == 4:
        split_whole(joined[:whole], table, 4, symbols)
    else:
        split_whole(joined[:whole], table, 8, symbols)
    for digit in range(digits_a_byte if whole < joined.size else 0):
        place = whole * digits_a_byte + digit
        if place < symbols.size:
            symbols[place] = table[joined[whole], digit]
        elif table[joined[whole], digit] > 0:
            return NOT_FILLED
    for place in range(symbols.size):
        escaped += np.uint64(symbols[place] == np.uint8(base - 1))
    return np.int64(escaped)


@kernel
def add_escapes(symbols: Bytes, last: Integer, escapes: Bytes) -> None:
    """Add to each symbol that is the last digit what it left over, in order; ``escapes`` has one byte to spare."""
    taken, wanted = np.uint64(0), np.uint8(last)
    for place in range(np.uint64(symbols.size)):
        symbol = symbols[place]
        escaped = np.uint64(symbol == wanted)
        symbols[place] = np.uint8(np.uint64(symbol) + escaped * np.uint64(escapes[taken]))
        taken += escaped
