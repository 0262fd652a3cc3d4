"""The decoder of ``dct``: compiled against the same code uncompiled, and what is refused."""

from collections import Counter

import numpy as np
import pytest
from kernel_sources import (
    P_PLACE,
    decoder_after_gray,
    decoder_of,
    reader_by_context,
    reader_of,
    uncompiled,
)

from codec.coded import AlfParameters, NodeGrid
from codec.dct.references import coding_order
from codec.dct.tables import (
    CBF_CONTEXTS,
    CHROMA_CBF_CONTEXT,
    CONTEXTS,
    DIRECTION_CONTEXTS,
    ELEMENTS,
    ESCAPE_CONTEXTS,
    LEVEL_CONTEXTS,
    MODE_CONTEXTS,
    VECTOR_CONTEXTS,
)
from codec.errors import BitstreamError
from codec.models import MotionModel
from codec.motion.field import grid_shape
from codec.picture.planes import PictureFormat, SampleFormat

P_NODE = 45  # context of the node of a picture of one unit of 8×8 samples


def meaningful_symbols(random, is_p, planes, mesh):
    """Symbols at random of which nearly all mean something where they are taken, and bits: what `reader_of` takes."""
    substream, pools, count = np.zeros(CONTEXTS, np.int64), [], 3000

    def add(contexts, pool):
        substream[contexts] = len(pools)
        pools.append(pool)

    for first, end in zip((0, *ELEMENTS), ELEMENTS, strict=False):
        add(slice(first, end), random.integers(0, 40, count))
    kinds = random.choice([0, 0, 0, 1, 3, 4, 4, 5, 7, 8, *[6] * 2 * mesh], count) if is_p else np.full(count, 5)
    blocks = 5 + 16 * kinds + 8 * random.integers(0, 2, count) + random.integers(0, 1 << planes, count)
    blocks = np.where(is_p & (random.random(count) < 0.2), random.choice([0, 0, 0, 0, 1, 3], count), blocks)
    smallest = np.arange(CBF_CONTEXTS) // 9 % 3 == 2
    add(np.flatnonzero(smallest), blocks)
    add(np.flatnonzero(~smallest), np.where(random.random(count) < 0.5, 4, blocks))
    add(slice(CBF_CONTEXTS, CHROMA_CBF_CONTEXT), random.integers(1, 16, count))
    add(CHROMA_CBF_CONTEXT, random.integers(1, 4, count))
    add(slice(DIRECTION_CONTEXTS, MODE_CONTEXTS), random.integers(0, 3, count))
    add(slice(MODE_CONTEXTS, VECTOR_CONTEXTS), random.integers(0, 37, count))
    far = random.choice([0, 6, 8])  # buckets: numbers below 1000, or below 4096 and more
    add(slice(VECTOR_CONTEXTS, ESCAPE_CONTEXTS), random.integers(0, 40 + far, count))
    add(slice(ESCAPE_CONTEXTS, LEVEL_CONTEXTS), random.integers(0, 51, count))
    for log2 in (2, 3, 4, 5):
        runs = random.integers(0, (2, 6, 20, 28)[log2 - 2], count)
        last = 128 * (random.random(count) < 0.9)
        contexts = slice(LEVEL_CONTEXTS + 72 * (log2 - 2), LEVEL_CONTEXTS + 72 * (log2 - 1))
        add(contexts, last + 4 * runs + random.integers(0, 4, count))
    sizes = [pool.size for pool in pools]
    return np.concatenate(pools), substream, sizes, random.integers(0, 2, 20000)


def outcome(decoder, reader, *arguments):
    """What comes out: the planes, what is said of the blocks, and their prediction; or what is refused."""
    try:
        planes = decoder.decode(reader, *arguments)
    except BitstreamError as error:
        return str(error)
    blocks, prediction = decoder.trace()
    symbols, contexts, block_of, bits = reader.trace()
    return [part.tobytes() for part in (*planes, blocks, *prediction, symbols, contexts, block_of, bits)]


@pytest.mark.parametrize(
    ("mode", "bit_depth"),
    [("gray", 8), ("yuv420", 8), ("yuv422", 8), ("yuv444", 8), ("yuv420", 9), ("yuv422", 10), ("yuv444", 12)],
)
def test_compiled_and_uncompiled_decoders_make_the_same_of_random_symbols(mode, bit_depth):
    random, lowest = np.random.default_rng(list(mode.encode())), 6 * (8 - bit_depth)
    outcomes = Counter()
    sizes = [(1, 1), (1, 300), (300, 1), *random.integers(1, 60, (9, 2)).tolist()]
    for trial, (width, height) in enumerate(sizes):
        picture_format = PictureFormat(width, height, SampleFormat[mode.upper()], bit_depth=bit_depth)
        planes, cell_size = len(picture_format.plane_shapes), int(random.choice([4, 8, 16, 32]))
        both = [
            decoder_of(picture_format, traced=True),
            decoder_of(picture_format, picture=uncompiled("picture"), traced=True),
        ]
        for number, place in enumerate(coding_order(0, 4, 1 + trial % 4, True)):
            is_p, has_mesh = number > 0, number > 0 and trial % 2 == 1
            nodes = random.integers(-2000, 2000, (*grid_shape(MotionModel.MESH, cell_size, width, height), 2))
            mesh = NodeGrid(cell_size, nodes.astype(np.int16)) if has_mesh else None
            squares = -(-height // 64), -(-width // 64)
            alf = AlfParameters(
                random.integers(-128, 128, 12).astype(np.int8), random.integers(0, 2, squares, np.uint8)
            )
            arguments = place, *random.integers(lowest, 52, 2).tolist(), alf if trial & 2 else None, mesh
            symbols = meaningful_symbols(random, is_p, planes, has_mesh)
            readers = [reader_of(*symbols), reader_of(*symbols, uncompiled("syntax"))]
            for reader in readers:
                reader.start_trace()
            found, expected = (outcome(*pair, *arguments) for pair in zip(both, readers, strict=True))
            assert expected == found, (width, height, number)
            outcomes[is_p, isinstance(found, str)] += 1
    assert min(outcomes[False, False], outcomes[True, False], outcomes[True, True]) >= 3, outcomes


def test_symbols_that_end_anywhere_are_refused():
    """A block with a vector of its own and four transform blocks, of which two have a level each."""
    symbols = [
        (P_NODE, 5 + 16 * 4 + 8 + 1),
        (VECTOR_CONTEXTS, 1),
        (VECTOR_CONTEXTS + 2, 0),
        (58, 6),
        (LEVEL_CONTEXTS, 128),
        (LEVEL_CONTEXTS, 129),
    ]
    contexts, values = zip(*symbols, strict=True)
    for length in range(len(symbols) + 1):
        reader = reader_by_context(contexts[:length], values[:length], [0, 1])
        decoder = decoder_after_gray(PictureFormat(8, 8, SampleFormat.GRAY))
        if length < len(symbols):
            with pytest.raises(BitstreamError, match="symbols ends too early"):
                decoder.decode(reader, P_PLACE, 20, 20, None, None)
        else:
            decoder.decode(reader, P_PLACE, 20, 20, None, None)
            reader.check_end()


def test_a_vector_beyond_the_limit_is_refused():
    picture_format = PictureFormat(8, 8, SampleFormat.GRAY)
    for limit, is_refused in ((3, False), (2, True)):
        reader = reader_by_context([P_NODE, VECTOR_CONTEXTS, VECTOR_CONTEXTS + 1], [69, 0, 5], [])  # right by 3
        decoder = decoder_after_gray(picture_format, limit)
        if is_refused:
            with pytest.raises(BitstreamError, match="a vector is longer than the file allows"):
                decoder.decode(reader, P_PLACE, 0, 0, None, None)
        else:
            decoder.decode(reader, P_PLACE, 0, 0, None, None)


@pytest.mark.parametrize("candidate", [0, 1, 2, 3])
def test_a_merge_candidate_that_is_not_there_is_refused(candidate):
    """Where nothing has moved yet a coding block has one candidate, which stands still."""
    decoder = decoder_after_gray(PictureFormat(8, 8, SampleFormat.GRAY))
    reader = reader_by_context([P_NODE], [candidate], [])
    if candidate == 0:
        assert (decoder.decode(reader, P_PLACE, 0, 0, None, None)[0] == 128).all()
    else:
        with pytest.raises(BitstreamError, match="merges with a candidate that it does not have"):
            decoder.decode(reader, P_PLACE, 0, 0, None, None)


def test_a_block_that_is_warped_without_a_mesh_is_refused():
    decoder = decoder_after_gray(PictureFormat(8, 8, SampleFormat.GRAY))
    reader = reader_by_context([P_NODE], [5 + 16 * 6], [])
    with pytest.raises(BitstreamError, match="a mesh that the picture does not have"):
        decoder.decode(reader, P_PLACE, 0, 0, None, None)


# ------------------------------------------------------------------------- stages against plain sums
