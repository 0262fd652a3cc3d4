"""Packs symbols of a byte (spec 6.2); the inverse of `codec.bitstream.packing`."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import cython
import numpy as np
import zstandard

from codec.bitstream.packing import COMPRESSED, DIGITS, EQUAL, PLAIN
from codec.vectors import put_escapes

__all__ = ["join", "pack", "pack_numbers", "pack_quickly", "varint"]

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]

PLANS: Final[tuple[tuple[int, ...], ...]] = ((), (16,), (6, 16), (4, 16), (2, 6))
"""Bases of digits: what the last digit of one leaves over goes to the next, in the end to bytes."""
FEW: Final = 1 << 15  # symbols that are packed with care: more of them take time, and gain 0.02 % at most
# Shares of zeros from which on the next plan is shortest, within 1 % on six clips
ZEROS: Final = (0.08, 0.3, 0.45, 0.79)

_BITS = np.arange(256)[:, np.newaxis] >> np.arange(8) & 1
ORDERS = np.argsort(1 - _BITS, kind="stable").astype(np.uint8).reshape(-1)  # of each set of 8 places

_PARAMETERS: Final[dict[str, Any]] = {
    "format": zstandard.FORMAT_ZSTD1_MAGICLESS,
    "write_checksum": False,
    "write_dict_id": False,
    "write_content_size": False,
}
# Huffman codes are nearly all that helps: the longest least match and small tables keep zstd from looking for more,
# which takes a tenth of the time
_QUICK: Final = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_FAST, min_match=7, hash_log=6, window_log=17, compression_level=1, **_PARAMETERS
)
_THOROUGH: Final = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_BTULTRA2,
    min_match=7,
    window_log=17,
    hash_log=12,
    chain_log=12,
    search_log=3,
    target_length=999,
    **_PARAMETERS,
)


class _Contexts(threading.local):
    """What zstd works with, for each thread its own: 300 bytes take 5 µs to compress, making this another 28."""

    def __init__(self) -> None:
        self.quick = zstandard.ZstdCompressor(compression_params=_QUICK)
        self.thorough = zstandard.ZstdCompressor(compression_params=_THOROUGH)


_CONTEXTS: Final = _Contexts()


def pack(symbols: Bytes) -> bytes:
    """Packed symbols, in the shorter of two ways: as digits, if their zeros call for it, and without digits."""
    if symbols.size > FEW:
        return pack_quickly(symbols)
    compress = _CONTEXTS.thorough.compress
    plan = plan_of(symbols)
    packed = packed_by((), symbols, compress)
    return min(packed, packed_by(plan, symbols, compress), key=len) if plan else packed


def pack_quickly(symbols: Bytes) -> bytes:
    """Packed symbols in a tenth of the time of `pack`, and up to 0.3 % longer where there are very many."""
    return packed_by(plan_of(symbols), symbols, _CONTEXTS.quick.compress)


def pack_numbers(numbers: npt.NDArray[np.unsignedinteger], packer: Callable[[Bytes], bytes] = pack) -> bytes:
    """Packed numbers of two bytes: all low bytes, then all high bytes, like beside like."""
    low, high = numbers.view(np.uint8).reshape(-1, 2).T.copy()
    return packer(low) + packer(high)


def plan_of(symbols: Bytes) -> tuple[int, ...]:
    """Which bases of digits are likely to be worth it."""
    zeros = symbols.size - np.count_nonzero(symbols)
    return PLANS[bisect_right(ZEROS, zeros / max(symbols.size, 1))]


def packed_by(plan: tuple[int, ...], symbols: Bytes, compress: Callable[[memoryview], bytes]) -> bytes:
    """Packed symbols, as digits of the bases of a plan."""
    if not symbols.size:
        return b""
    if symbols[0] == symbols[symbols.size - 1] and (symbols == symbols[0]).all():
        return bytes([EQUAL, symbols[0]])
    if not plan:
        frame = compressed(compress(symbols.data))
        return frame if len(frame) < 1 + symbols.size else bytes([PLAIN]) + symbols.tobytes()
    form, digits_a_byte = next((2 + k, count) for k, (base, count) in enumerate(DIGITS) if base == plan[0])
    joined, escapes = join(symbols, plan[0], digits_a_byte)
    # bytes of eight digits below 2 are nearly all 0, where such a plan is chosen: digits below 2 once more
    inner = (2,) if plan[0] == 2 and len(plan) > 1 else ()
    return bytes([form]) + packed_by(inner, joined, compress) + packed_by(plan[1:], escapes, compress)


def compressed(frame: bytes) -> bytes:
    """The length of a frame without its head, and what it is of; of an only block that is compressed without its head.

    The head is two bytes: a descriptor that is 0, and the window.
    """
    if frame[2] & 7 == 5:  # the first block is the last, and compressed
        return varint(COMPRESSED + 2 * (len(frame) - 5)) + frame[5:]
    return varint(COMPRESSED + 2 * (len(frame) - 2) + 1) + frame[2:]


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that there are more."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


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
