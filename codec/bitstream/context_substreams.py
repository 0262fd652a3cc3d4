"""ContextSubstreams of symbols to bytes and back (spec 9.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.bitstream.digits import add_escapes, split
from codec.bitstream.frames import decompress_digits
from codec.coded import ContextSubstreams
from codec.errors import BitstreamError
from codec.lossless.tables import CONTEXTS

__all__ = ["DIGITS_A_BYTE", "NESTED", "SCHEMES", "Cursor", "Scheme", "unpack_sizes", "unpack_substreams"]

Bytes = npt.NDArray[np.uint8]
Scheme = tuple[int, ...]

DIGITS_A_BYTE = {2: 8, 4: 4, 6: 3, 16: 2}
NESTED = -2  # digits below 2 whose bytes, most of them 0, are digits below 2 once more
SCHEMES: tuple[Scheme, ...] = ((), (16,), (6, 16), (4, 16), (NESTED, 6))
"""Bases of digits: what the last digit of one leaves over goes to the next, in the end to plain bytes."""

MAX_VARINT_BYTES = 5


class Cursor:
    """A place in the bytes of a stream, which moves on as they are read."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self.place = 0

    def take(self, count: int) -> memoryview:
        """The next bytes.

        Raises:
            BitstreamError: there are fewer.
        """
        taken = self._data[self.place : self.place + count]
        if len(taken) < count:
            raise BitstreamError("a stream ends inside a part")
        self.place += count
        return taken

    def varint(self) -> int:
        """The next number, below 2**35."""
        value = 0
        there = self._data[self.place : self.place + MAX_VARINT_BYTES]
        for group, byte in enumerate(there):
            value |= (byte & 127) << 7 * group
            if byte < 128:
                self.place += group + 1
                return value
        if len(there) < MAX_VARINT_BYTES:
            raise BitstreamError("a stream ends inside a part")
        raise BitstreamError(f"a number of more than {MAX_VARINT_BYTES} bytes in a stream")

    def part(self, size: int) -> Bytes:
        """The ``size`` bytes of a part."""
        if not size:
            return np.zeros(0, np.uint8)
        length = self.varint()
        data = decompress_digits(bytes(self.take(length)), size) if length else self.take(size)
        return np.frombuffer(data, np.uint8)

    def end(self) -> None:
        """Hold that nothing is left."""
        if self.place < len(self._data):
            raise BitstreamError(f"{len(self._data) - self.place} bytes after the last part")


def unpack_sizes(cursor: Cursor, pictures: int, samples: int) -> npt.NDArray[np.int64]:
    """How many symbols each picture has in each substream, int64 (pictures, contexts).

    Raises:
        BitstreamError: they are not as many as a picture has samples.
    """
    sizes = np.array([cursor.varint() for _ in range(pictures * CONTEXTS)], np.int64).reshape(pictures, CONTEXTS)
    for total in sizes.sum(axis=1).tolist():
        if total != samples:
            raise BitstreamError(f"context substreams of {total} symbols for a picture of {samples} samples")
    return sizes


def unpack_substreams(data: bytes, pictures: int, samples: int) -> list[ContextSubstreams]:
    """The substreams of the pictures of a packet group, each of so many samples; the inverse of `pack_substreams`.

    Raises:
        BitstreamError: the substreams have another number of symbols, a scheme without a meaning, or damaged parts.
    """
    cursor = Cursor(data)
    sizes = unpack_sizes(cursor, pictures, samples)
    starts = np.cumsum(sizes.T.ravel()).reshape(CONTEXTS, pictures).T - sizes
    # one substream behind the other, with room to read on from the last as far as a picture could want
    symbols = np.zeros((pictures + 1) * samples + 2, np.uint8)
    for context in range(CONTEXTS):
        first, size = starts[0, context], sizes[:, context].sum()
        if size:
            substream = Cursor(cursor.take(cursor.varint()))
            scheme = substream.take(1)[0]
            if scheme >= len(SCHEMES):
                raise BitstreamError(f"a substream's scheme is {scheme}; it lies in 0…{len(SCHEMES) - 1}")
            unpack_symbols(substream, SCHEMES[scheme], symbols[first : first + size])
            substream.end()
    cursor.end()
    return [ContextSubstreams(symbols, *of_picture) for of_picture in zip(starts, sizes, strict=True)]


def unpack_symbols(cursor: Cursor, scheme: Scheme, symbols: Bytes) -> None:
    """Fill ``symbols``; the inverse of `pack_symbols`."""
    if not scheme:
        symbols.data[:] = cursor.part(symbols.size).data  # numpy would give the interpreter's lock away
        return
    base = abs(scheme[0])
    joined = np.empty(-(-symbols.size // DIGITS_A_BYTE[base]), np.uint8)
    unpack_symbols(cursor, (2,) if scheme[0] == NESTED else (), joined)
    escaped = split(joined, base, DIGITS_A_BYTE[base], symbols)
    escapes = np.empty(escaped + 1, np.uint8)
    unpack_symbols(cursor, scheme[1:], escapes[:-1])
    add_escapes(symbols, base - 1, escapes)
