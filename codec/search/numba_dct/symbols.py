"""Blocks as symbols in contexts, and back: one walk serves both directions (spec 8.6.2, 8.6.4)."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.dct.tables import BAND_OF, BUCKET_OF_RUN, MAX_LEVEL, RUN_BASES, RUN_BITS
from codec.errors import BitstreamError
from codec.kernels import Integer, inner_kernel, kernel
from codec.search.numba_dct.blocks import (
    INTER,
    INTRA,
    LEAF_COLUMN,
    LEAF_DX,
    LEAF_DY,
    LEAF_FIELDS,
    LEAF_KIND,
    LEAF_LAPPED,
    LEAF_LOG2,
    LEAF_LUMA,
    LEAF_MERGE,
    LEAF_MODES,
    LEAF_QUARTERED,
    LEAF_ROW,
    LEAF_U,
    LEAF_V,
    MERGE,
    SKIP,
    CodedBlocks,
    Shape,
)
from codec.search.numba_dct.neighbours import (
    CELL_FIELDS,
    FOUR_MODES,
    MODES,
    coded_neighbours,
    likely_modes,
    mode_symbol,
    node_context,
    set_cells,
)

__all__ = ["CONTEXTS", "FAMILIES", "Tape", "read_blocks", "write_blocks"]

# Contexts, by syntax element (spec 8.6.4)
NODES: Final = 0
MASKS: Final = 54  # which quarters of luma have levels, by size and whether the leaf is intra
PAIRS: Final = 60  # which of two chroma blocks have levels
MODES_AT: Final = 61  # intra modes, by size
VECTORS: Final = 64  # down; then right, by how far down
ESCAPES: Final = 68  # of levels, by luma or chroma and four bands
LEVELS: Final = 76
CONTEXTS: Final = LEVELS + 4 * 2 * 2 * 6 * 3

FAMILIES: Final = (MASKS, MODES_AT, VECTORS, ESCAPES, LEVELS, CONTEXTS)
"""Where each family of contexts ends: nodes, masks, modes, vectors, escapes, levels. Streams never mix families."""

SPLIT: Final = 4
FIRST_CODED: Final = 5  # a node's symbol from here on is 16 · kind + 8 · quartered + coded planes
KIND_INTER, KIND_WARPED = 4, 6  # intra lies between
LAPPED_INTER, LAST_LAPPED = 7, 10  # lapped merges, but for the averaged candidate, lie behind
LAST: Final = 128  # added to the symbol of a block's last level
DIRECT: Final = 40  # numbers below are symbols; beyond, symbols are buckets of 16, 32, 64 …
MAX_BUCKETS: Final = 12
HIDDEN_FROM: Final = 3  # levels of a block, from which on the last one's sign is the parity of all magnitudes

SYMBOLS_AT, BITS_AT, BITS_END, ERROR = range(4)  # of the state of a tape
NO_ERROR, STREAM_ENDS, BITS_ENDED, NO_MEANING, TOO_MUCH = range(5)
_ERRORS = {
    STREAM_ENDS: "a stream of symbols ends too early",
    BITS_ENDED: "the stream of bits ends too early",
    NO_MEANING: "a symbol has no meaning",
    TOO_MUCH: "a block has more levels than samples",
}


class Tape(NamedTuple):
    """Symbols that a walk puts down or takes up.

    Attributes:
        state: int64 (4,): symbols so far, bits so far, bits there are, what went wrong.
        symbols: uint8. Writing, in the order of the walk; reading, one stream behind the other.
        contexts: uint16, of each symbol; only writing.
        bits: uint8, one bit each.
        stream_of: int64 (contexts,), and ``places`` and ``ends``, int64 (streams,): only reading.
    """

    state: npt.NDArray[np.int64]
    symbols: npt.NDArray[np.uint8]
    contexts: npt.NDArray[np.uint16]
    bits: npt.NDArray[np.uint8]
    stream_of: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


class Lists(NamedTuple):
    """Room for the arrays of `CodedBlocks`, and how much of it is used, int64 (3,): leaves, counts, levels."""

    used: npt.NDArray[np.int64]
    leaves: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint16]
    positions: npt.NDArray[np.uint16]
    levels: npt.NDArray[np.int16]


@inner_kernel
def level_context(log2: Integer, is_chroma: Integer, is_intra: Integer, position: Integer, before: Integer) -> Integer:
    """Context of a level that the scan looks for from ``position`` on."""
    return LEVELS + ((((log2 - 2) * 2 + is_chroma) * 2 + is_intra) * 6 + BAND_OF[position]) * 3 + before


@inner_kernel
def escape_context(is_chroma: Integer, position: Integer) -> Integer:
    """Context of what a magnitude has beyond 4."""
    return ESCAPES + 4 * is_chroma + min(BAND_OF[position], 3)


@inner_kernel
def vector_context(dy: Integer) -> Integer:
    """Context of a difference to the right."""
    return VECTORS + 1 + (0 if dy == 0 else 1 if abs(dy) < 4 else 2)


@inner_kernel
def bucket_of(number: Integer) -> Integer:
    """Which bucket a number from 40 on falls into."""
    bucket = 0
    while (16 << (bucket + 1)) - 16 <= number - DIRECT:
        bucket += 1
    return bucket


@inner_kernel
def folded(number: Integer) -> Integer:
    """A number as one that is not negative: 0, 1, −1, 2 to 0, 1, 2, 3."""
    return 2 * number - 1 if number > 0 else -2 * number


@inner_kernel
def unfolded(symbol: Integer) -> Integer:
    """The inverse of `folded`."""
    return (symbol + 1) >> 1 if symbol & 1 else -(symbol >> 1)


@inner_kernel
def code_symbol(reading: bool, tape: Tape, context: Integer, symbol: Integer) -> Integer:
    """Put a symbol down, or take one up: 0 where nothing is left."""
    state = tape.state
    if not reading:
        place = state[SYMBOLS_AT]
        tape.symbols[place] = symbol
        tape.contexts[place] = context
        state[SYMBOLS_AT] = place + 1
        return np.int64(symbol)
    stream = tape.stream_of[context]
    place = tape.places[stream]
    if place >= tape.ends[stream]:
        state[ERROR] = STREAM_ENDS
        return np.int64(0)
    tape.places[stream] = place + 1
    return np.int64(tape.symbols[place])


@inner_kernel
def code_bits(reading: bool, tape: Tape, number: Integer, count: Integer) -> Integer:
    """The same for ``count`` bits of a number, the highest first."""
    state = tape.state
    place = state[BITS_AT]
    if place + count > state[BITS_END]:
        state[ERROR] = BITS_ENDED
        return np.int64(0)
    state[BITS_AT] = place + count
    if not reading:
        for k in range(count):
            tape.bits[place + k] = (number >> (count - 1 - k)) & 1
        return np.int64(number)
    taken = np.int64(0)
    for k in range(count):
        taken = 2 * taken + tape.bits[place + k]
    return taken


@inner_kernel
def code_number(reading: bool, tape: Tape, context: Integer, number: Integer) -> Integer:
    """The same for a number ≥ 0: a symbol below 40, or a bucket and bits."""
    symbol, bucket = number, 0
    if number >= DIRECT:
        bucket = bucket_of(number)
        symbol = DIRECT + bucket
    symbol = code_symbol(reading, tape, context, symbol)
    if symbol < DIRECT:
        return np.int64(symbol)
    bucket = symbol - DIRECT
    if bucket >= MAX_BUCKETS:
        tape.state[ERROR] = NO_MEANING
        return np.int64(0)
    base = DIRECT + (16 << bucket) - 16
    return base + code_bits(reading, tape, number - base, bucket + 4)


@inner_kernel
def walk_levels(
    reading: bool, tape: Tape, lists: Lists, log2: Integer, is_chroma: Integer, is_intra: Integer, coded: Integer
) -> None:
    """The levels of one transform block; ``coded`` neighbours have some too."""
    size = 1 << (2 * log2)
    used = lists.used
    first = used[2]
    count = 0 if reading else np.int64(lists.counts[used[1]])
    position, before, number, total, last = 0, coded, 0, 0, False
    while not last:
        level, run, symbol = np.int64(0), np.int64(0), np.int64(0)
        if not reading:
            level = np.int64(lists.levels[first + number])
            run = np.int64(lists.positions[first + number]) - position
            symbol = 4 * BUCKET_OF_RUN[run] + min(abs(level), 4) - 1 + (LAST if number + 1 == count else 0)
        symbol = code_symbol(reading, tape, level_context(log2, is_chroma, is_intra, position, before), symbol)
        last = symbol >= LAST
        bucket = (symbol >> 2) & 31
        run = RUN_BASES[bucket] + code_bits(reading, tape, run - RUN_BASES[bucket], RUN_BITS[bucket])
        position += run
        if position >= size:
            tape.state[ERROR] = TOO_MUCH
            return
        magnitude = (symbol & 3) + 1
        if magnitude == 4:
            magnitude += code_number(reading, tape, escape_context(is_chroma, position), abs(level) - 4)
            if magnitude > MAX_LEVEL:
                tape.state[ERROR] = NO_MEANING
                return
        total += magnitude
        if last and number + 1 >= HIDDEN_FROM:
            is_negative = np.int64(total & 1)
            if not reading and is_negative != (level < 0):
                tape.state[ERROR] = NO_MEANING
        else:
            is_negative = code_bits(reading, tape, np.int64(level < 0), 1)
        if reading:
            lists.positions[first + number] = position
            lists.levels[first + number] = -magnitude if is_negative else magnitude
        position += 1
        number += 1
        before = min(magnitude, 3) - 1
        if position == size and not last:
            tape.state[ERROR] = TOO_MUCH
            return
    lists.counts[used[1]] = number
    used[1] += 1
    used[2] += number


@inner_kernel
def walk_modes(
    reading: bool, tape: Tape, cells: npt.NDArray[np.int32], row: Integer, column: Integer, leaf: npt.NDArray[np.int32]
) -> None:
    """The intra mode of a leaf, or of each of its quarters in the smallest."""
    modes, context = 0, MODES_AT + 5 - leaf[LEAF_LOG2]
    quarters = 4 if leaf[LEAF_LOG2] == 3 and leaf[LEAF_QUARTERED] else 1
    for quarter in range(quarters):
        left, above = likely_modes(cells, row, column, quarter, modes)
        wanted = mode_symbol((leaf[LEAF_MODES] >> (6 * quarter)) & 63, left, above)
        symbol = code_symbol(reading, tape, context, wanted)
        mode = left if symbol == 0 else above if symbol == 1 else symbol - 2
        if mode >= MODES:
            tape.state[ERROR] = NO_MEANING
            mode = 0
        modes |= mode << (6 * quarter)
    if reading:
        leaf[LEAF_MODES] = modes if quarters == 4 else FOUR_MODES * modes


@inner_kernel
def node_symbol(leaf: npt.NDArray[np.int32]) -> Integer:
    """The symbol of a node that is a leaf."""
    kind = leaf[LEAF_KIND]
    if kind == SKIP:
        return np.int64(leaf[LEAF_MERGE])
    coded = (leaf[LEAF_LUMA] > 0) + 2 * (leaf[LEAF_U] > 0) + 4 * (leaf[LEAF_V] > 0)
    shown = leaf[LEAF_MERGE] if kind == MERGE else KIND_INTER + kind - INTER
    if leaf[LEAF_LAPPED]:
        shown = LAPPED_INTER if kind == INTER else LAPPED_INTER + 1 + leaf[LEAF_MERGE]
    return np.int64(FIRST_CODED + 16 * shown + 8 * leaf[LEAF_QUARTERED] + coded)


@inner_kernel
def take_node(tape: Tape, is_p: Integer, symbol: Integer, planes: Integer, leaf: npt.NDArray[np.int32]) -> Integer:
    """What a leaf's symbol says, into ``leaf``; returns the bits of the planes that have levels."""
    if symbol < SPLIT:
        leaf[LEAF_KIND], leaf[LEAF_MERGE] = SKIP, symbol
        shown, coded = 0, 0
    else:
        shown, coded = (symbol - FIRST_CODED) >> 4, (symbol - FIRST_CODED) & 7
        leaf[LEAF_QUARTERED] = ((symbol - FIRST_CODED) >> 3) & 1
        if shown < KIND_INTER:
            leaf[LEAF_KIND], leaf[LEAF_MERGE] = MERGE, shown
        elif shown < LAPPED_INTER:
            leaf[LEAF_KIND] = INTER + shown - KIND_INTER
        elif shown == LAPPED_INTER:
            leaf[LEAF_KIND], leaf[LEAF_LAPPED] = INTER, 1
        else:
            leaf[LEAF_KIND], leaf[LEAF_MERGE], leaf[LEAF_LAPPED] = MERGE, shown - LAPPED_INTER - 1, 1
    if shown > LAST_LAPPED or (leaf[LEAF_KIND] != INTRA and not is_p) or coded >> planes:
        tape.state[ERROR] = NO_MEANING
    return coded


@inner_kernel
def walk_leaf(
    reading: bool,
    tape: Tape,
    lists: Lists,
    cells: npt.NDArray[np.int32],
    shape: Shape,
    row: Integer,
    column: Integer,
    coded: Integer,
) -> None:
    """What follows the symbol of a leaf, whose planes ``coded`` have levels."""
    leaf = lists.leaves[lists.used[0]]
    log2, kind = np.int64(leaf[LEAF_LOG2]), np.int64(leaf[LEAF_KIND])
    is_intra = np.int64(kind == INTRA)
    if kind == INTER:
        dy = unfolded(code_number(reading, tape, np.int64(VECTORS), folded(np.int64(leaf[LEAF_DY]))))
        dx = unfolded(code_number(reading, tape, vector_context(dy), folded(np.int64(leaf[LEAF_DX]))))
        leaf[LEAF_DY], leaf[LEAF_DX] = dy, dx
    elif kind == INTRA:
        walk_modes(reading, tape, cells, row, column, leaf)
    quartered = np.int64(leaf[LEAF_QUARTERED])
    pairs = shape.right - shape.down  # 4:2:2 has two chroma blocks, one above the other
    for plane in range(shape.planes):
        if not (coded >> plane) & 1:
            leaf[LEAF_LUMA + plane] = 0
            continue
        mask, blocks = np.int64(leaf[LEAF_LUMA + plane]), 1
        if plane == 0 and quartered:
            mask, blocks = code_symbol(reading, tape, MASKS + 2 * (5 - log2) + is_intra, mask), 4
        elif plane > 0 and pairs:
            mask, blocks = code_symbol(reading, tape, PAIRS, mask), 2
        elif reading:
            mask = np.int64(1)
        if mask == 0 or mask >> blocks:
            tape.state[ERROR] = NO_MEANING
            return
        leaf[LEAF_LUMA + plane] = mask
        side = log2 - (quartered if plane == 0 else shape.right)
        neighbours = coded_neighbours(cells, row, column, plane)
        for block in range(blocks):
            if (mask >> block) & 1:
                walk_levels(reading, tape, lists, side, np.int64(plane > 0), is_intra, neighbours)
                if tape.state[ERROR]:
                    return
    set_cells(cells, row, column, log2, kind, coded, leaf[LEAF_MODES], 0, 0, quartered)


@kernel
def walk_picture(
    reading: bool,
    tape: Tape,
    lists: Lists,
    cells: npt.NDArray[np.int32],
    shape: Shape,
    is_p: Integer,
    ends: npt.NDArray[np.int64],
) -> None:
    """All leaves of a picture, root by root, and in each quarter by quarter.

    Writing fills ``ends``, (leaves, 2), with how many symbols and bits there are after each leaf.
    """
    stack = np.empty((16, 3), np.int64)
    for root_row in range(0, cells.shape[0], 4):
        for root_column in range(0, cells.shape[1], 4):
            stack[0, 0], stack[0, 1], stack[0, 2] = root_row, root_column, 5
            height = 1
            while height > 0:
                height -= 1
                row, column, log2 = stack[height, 0], stack[height, 1], stack[height, 2]
                side = 1 << (log2 - 3)
                if row >= cells.shape[0] or column >= cells.shape[1]:
                    continue
                symbol, leaf = np.int64(SPLIT), lists.leaves[lists.used[0]]
                if row + side <= cells.shape[0] and column + side <= cells.shape[1]:
                    if not reading and leaf[LEAF_LOG2] == log2:
                        symbol = node_symbol(leaf)
                    symbol = code_symbol(reading, tape, NODES + node_context(cells, is_p, row, column, log2), symbol)
                if symbol == SPLIT:
                    if log2 == 3:
                        tape.state[ERROR] = NO_MEANING
                        return
                    for quarter in range(3, -1, -1):
                        stack[height, 0] = row + (quarter >> 1) * (side >> 1)
                        stack[height, 1] = column + (quarter & 1) * (side >> 1)
                        stack[height, 2] = log2 - 1
                        height += 1
                    continue
                if reading:
                    leaf[:] = 0
                    leaf[LEAF_LOG2], leaf[LEAF_ROW], leaf[LEAF_COLUMN] = log2, row, column
                    coded = take_node(tape, is_p, symbol, shape.planes, leaf)
                else:
                    coded = (symbol - FIRST_CODED) & 7 if symbol > SPLIT else np.int64(0)
                if tape.state[ERROR]:
                    return
                walk_leaf(reading, tape, lists, cells, shape, row, column, coded)
                if tape.state[ERROR]:
                    return
                if not reading:
                    ends[lists.used[0], 0] = tape.state[SYMBOLS_AT]
                    ends[lists.used[0], 1] = tape.state[BITS_AT]
                lists.used[0] += 1


def _no_cells(shape: Shape) -> npt.NDArray[np.int32]:
    return np.zeros((*shape.cells, CELL_FIELDS), np.int32)


def write_blocks(
    blocks: CodedBlocks, shape: Shape, is_p: bool, ends: npt.NDArray[np.int64] | None = None
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The contexts and symbols of a picture in the order of the walk, and its bits, one a byte.

    ``ends``, int64 (leaves, 2), is filled with how many symbols and bits there are after each leaf.
    """
    levels = len(blocks.levels)
    most_symbols = 24 * len(blocks.leaves) + 2 * levels
    most_bits = 40 * len(blocks.leaves) + 32 * levels
    nothing = np.zeros(0, np.int64)
    tape = Tape(
        np.array([0, 0, most_bits, NO_ERROR], np.int64),
        np.empty(most_symbols, np.uint8),
        np.empty(most_symbols, np.uint16),
        np.empty(most_bits, np.uint8),
        *(nothing,) * 3,
    )
    lists = Lists(
        np.zeros(3, np.int64),
        np.concatenate([blocks.leaves, np.zeros((1, LEAF_FIELDS), np.int32)]),
        blocks.counts.copy(),
        blocks.positions.copy(),
        blocks.levels.copy(),
    )
    if ends is None:
        ends = np.empty((len(blocks.leaves), 2), np.int64)
    walk_picture(False, tape, lists, _no_cells(shape), shape, int(is_p), ends)
    assert tape.state[ERROR] == NO_ERROR
    symbols, bits = tape.state[SYMBOLS_AT], tape.state[BITS_AT]
    return tape.contexts[:symbols], tape.symbols[:symbols], tape.bits[:bits]


class Parts(NamedTuple):
    """The arrays of `CodedBlocks`."""

    leaves: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint16]
    positions: npt.NDArray[np.uint16]
    levels: npt.NDArray[np.int16]


def read_blocks(tape: Tape, shape: Shape, is_p: bool) -> Parts:
    """The blocks of the next picture on a tape.

    Raises:
        BitstreamError: the tape ends too early, or a symbol has no meaning.
    """
    rows, columns = shape.cells
    lists = Lists(
        np.zeros(3, np.int64),
        np.empty((rows * columns + 1, LEAF_FIELDS), np.int32),
        np.empty(8 * rows * columns, np.uint16),
        np.empty(shape.samples, np.uint16),
        np.empty(shape.samples, np.int16),
    )
    walk_picture(True, tape, lists, _no_cells(shape), shape, int(is_p), np.empty((0, 2), np.int64))
    error = int(tape.state[ERROR])
    if error != NO_ERROR:
        raise BitstreamError(_ERRORS[error])
    leaves, counts, levels = lists.used
    return Parts(
        lists.leaves[:leaves].copy(),
        lists.counts[:counts].copy(),
        lists.positions[:levels].copy(),
        lists.levels[:levels].copy(),
    )
