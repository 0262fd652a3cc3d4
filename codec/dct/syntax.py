"""What the file says of a coding block and of the levels of its transform blocks (spec 10.3, 10.4)."""

from __future__ import annotations

import cython
import numpy as np
import numpy.typing as npt

from codec.buffers import table, zeros
from codec.dct import tables
from codec.errors import BitstreamError
from codec.models import BlockKind

__all__ = ["CodingBlock", "Levels", "SymbolReader"]

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


@cython.exceptval(-1)
def malformed(reason: cython.p_char) -> cython.int:
    """Raise a BitstreamError."""
    with cython.gil:
        raise BitstreamError(reason.decode())


@cython.cclass
class SymbolReader:
    """The symbols of the pictures of a packet, context substream by context substream, and their bits (spec 10.5)."""

    symbols: cython.uchar[::1]  # one substream behind the other
    substream: cython.int[::1]  # by context
    position: cython.int[::1]  # of the next symbol, by substream
    end: cython.int[::1]
    bits: cython.uchar[::1]  # the highest bit of a byte first, with three bytes more than there are
    bit_position: cython.Py_ssize_t
    bit_count: cython.Py_ssize_t
    traced: cython.bint
    block: cython.int  # whose symbols are read, counted over all pictures; those that split a node are the next block's
    context_of: cython.ushort[::1]  # of each symbol that was read, if traced
    block_of: cython.int[::1]  # the same
    bits_of: cython.int[::1]  # bits of each coding block, if traced

    def __init__(self, symbols: Bytes, substream: Numbers, sizes: Numbers, bits: bytes) -> None:
        """``symbols`` of all substreams, which have ``sizes``; the ``substream`` of each context; ``bits`` as bytes."""
        ends = np.cumsum(sizes)
        self.symbols, self.substream = np.require(symbols, np.uint8, "CW").data, table(substream)
        self.position, self.end = table(ends - sizes), table(ends)
        self.bits = table(np.frombuffer(bits + bytes(3), np.uint8), np.uint8)
        self.bit_position, self.bit_count = 0, 8 * len(bits)
        self.traced, self.block = False, 0

    def check_end(self) -> None:
        """Nothing is left but zeros that fill up the last byte of bits.

        Raises:
            BitstreamError: symbols or bits are left over.
        """
        if list(self.position) != list(self.end):
            raise BitstreamError("symbols are left over after the last block")
        left = self.bit_count - self.bit_position
        if left > 7 or (left and self.bits[self.bit_position >> 3] & ((1 << left) - 1)):
            raise BitstreamError("bits are left over after the last block")

    def start_trace(self) -> None:
        """Remember from now on what `trace` gives."""
        if not self.traced:
            size = len(self.symbols)
            self.traced, self.bits_of = True, zeros(1 + size, np.int32)
            self.context_of, self.block_of = zeros(size, np.uint16), zeros(size, np.int32)

    def block_count(self) -> int:
        """How many coding blocks have been read."""
        return self.block

    def trace(self) -> tuple[Bytes, npt.NDArray[np.uint16], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """All symbols, the context and the coding block of each; and how many bits each coding block has."""
        blocks = np.asarray(self.bits_of)[: self.block]
        return np.asarray(self.symbols), np.asarray(self.context_of), np.asarray(self.block_of), blocks

    @cython.exceptval(-1)
    def read(self, context: cython.int) -> cython.int:
        """The next symbol of a context."""
        substream = self.substream[context]
        position = self.position[substream]
        if position >= self.end[substream]:
            return malformed(b"a stream of symbols ends too early")
        self.position[substream] = position + 1
        if self.traced:
            self.context_of[position], self.block_of[position] = context, self.block
        return self.symbols[position]

    @cython.exceptval(-1)
    def read_bits(self, count: cython.int) -> cython.int:
        """A number of ``count`` bits, at most 15, the highest first."""
        if count > self.bit_count - self.bit_position:
            return malformed(b"the stream of bits ends too early")
        byte, used = self.bit_position >> 3, self.bit_position & 7
        word: cython.int = self.bits[byte] << 16 | self.bits[byte + 1] << 8 | self.bits[byte + 2]
        self.bit_position += count
        if self.traced:
            self.bits_of[self.block] += count
        return (word >> (24 - used - count)) & ((1 << count) - 1)

    @cython.exceptval(-1)
    def read_number(self, context: cython.int) -> cython.int:
        """A number ≥ 0: a symbol below 40, or one that names a bucket of 16, 32, 64…, and bits."""
        symbol = self.read(context)
        if symbol < tables.DIRECT:
            return symbol
        bucket = symbol - tables.DIRECT
        if bucket >= tables.MAX_BUCKETS:
            return malformed(b"a symbol has no meaning")
        return tables.DIRECT - 16 + (16 << bucket) + self.read_bits(bucket + 4)

    @cython.exceptval(-1, check=True)
    def read_signed(self, context: cython.int) -> cython.int:
        """A number that may be negative: 0, 1, 2, 3, 4 stand for 0, 1, −1, 2, −2."""
        number = self.read_number(context)
        return (number + 1) >> 1 if number & 1 else -(number >> 1)


@cython.cclass
class CodingBlock:
    """A square that is not split: where it lies, in units of 8×8 samples, and what the file says of it (spec 10.1)."""

    row: cython.int
    column: cython.int
    log2: cython.int  # of its side in luma samples
    kind: cython.int
    merge: cython.int  # which merge candidate
    obmc: cython.bint
    transform_split: cython.bint
    transform: cython.int  # kind of those of luma
    cbf: cython.int  # a bit for each plane that has levels
    modes: cython.int  # intra modes, six bits for each quarter
    chroma_from_luma: cython.bint  # whether CCLM predicts chroma of an intra block
    directions: cython.int  # 1 a vector into the first reference, 2 one into the second, 3 both
    dy: cython.int[::1]  # of the vector into each, in quarter samples; 0 of one that is not there
    dx: cython.int[::1]
    bv_dy: cython.int  # of a copy's block vector, in samples of luma
    bv_dx: cython.int

    def __init__(self) -> None:
        self.dy, self.dx = zeros(2, np.int32), zeros(2, np.int32)

    def start(self, kind: cython.int) -> cython.void:
        """Have nothing but a place and a kind."""
        self.kind = kind
        self.merge = self.obmc = self.transform_split = self.transform = self.cbf = self.modes = self.directions = 0
        self.bv_dy = self.bv_dx = self.chroma_from_luma = 0
        for k in range(2):
            self.dy[k] = self.dx[k] = 0

    def set_symbol(self, symbol: cython.int) -> cython.bint:
        """Take apart the symbol of a coding block; whether it has a meaning."""
        self.start(BlockKind.SKIP)
        if symbol < tables.SPLIT:
            self.merge = symbol
            return True
        symbol -= tables.FIRST_CODED
        shown = symbol >> 4
        self.transform_split, self.cbf = (symbol >> 3) & 1, symbol & 7
        if shown < tables.KIND_INTER:
            self.kind, self.merge = BlockKind.MERGE, shown
        elif shown < tables.OBMC_INTER:
            self.kind = BlockKind.INTER + shown - tables.KIND_INTER
        elif shown == tables.OBMC_INTER:
            self.kind, self.obmc = BlockKind.INTER, True
        elif shown == tables.KIND_COPY:
            self.kind = BlockKind.COPY
        else:
            self.kind, self.merge, self.obmc = BlockKind.MERGE, shown - tables.OBMC_INTER - 1, True
        return shown <= tables.KIND_COPY


@cython.cclass
class Levels:
    """The levels of one transform block that are not 0 (spec 10.4)."""

    count: cython.int
    position: cython.int[::1]  # in the block's scan
    level: cython.int[::1]
    band: cython.int[::1]
    run_base: cython.int[::1]
    run_bits: cython.int[::1]

    def __init__(self) -> None:
        self.position, self.level = zeros(1024, np.int32), zeros(1024, np.int32)
        self.band = table(tables.BAND_OF)
        self.run_base, self.run_bits = table(tables.RUN_BASES), table(tables.RUN_BITS)

    @cython.exceptval(-1)
    def read(
        self,
        symbols: SymbolReader,
        log2: cython.int,
        is_chroma: cython.bint,
        is_intra: cython.bint,
        coded_neighbours: cython.int,
    ) -> cython.int:
        """Read the levels of a block of 2 ** log2 × 2 ** log2 samples."""
        first_context = tables.LEVEL_CONTEXTS + 18 * (4 * (log2 - 2) + 2 * is_chroma + is_intra)
        size = 1 << (2 * log2)
        past = coded_neighbours  # 0…2 by the level before, or how many neighbours have levels
        total: cython.int = 0
        position: cython.int = 0
        count: cython.int = 0
        symbol: cython.int = 0
        while symbol < tables.LAST:
            if position == size:
                return malformed(b"a block has more levels than samples")
            symbol = symbols.read(first_context + 3 * self.band[position] + past)
            run = (symbol >> 2) & 31
            position += self.run_base[run]
            if self.run_bits[run] > 0:
                position += symbols.read_bits(self.run_bits[run])
            if position >= size:
                return malformed(b"a block has more levels than samples")
            magnitude = (symbol & 3) + 1
            if magnitude == 4:
                magnitude += symbols.read_number(tables.ESCAPE_CONTEXTS + 4 * is_chroma + min(self.band[position], 3))
                if magnitude > tables.MAX_LEVEL:
                    return malformed(b"a symbol has no meaning")
            total += magnitude
            hides_sign: cython.bint = symbol >= tables.LAST and count >= 2  # sign data hiding
            is_negative = total & 1 if hides_sign else symbols.read_bits(1)
            self.position[count], self.level[count] = position, -magnitude if is_negative else magnitude
            count += 1
            position += 1
            past = min(magnitude, 3) - 1
        self.count = count
        return 0
