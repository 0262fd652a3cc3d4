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
    ALF_CHROMA_OFFSETS,
    ALF_CLIP,
    ALF_OFFSETS,
    CBF_CONTEXTS,
    CHROMA_CBF_CONTEXT,
    CONTEXTS,
    DCT,
    DIRECTION_CONTEXTS,
    DST,
    ELEMENTS,
    ESCAPE_CONTEXTS,
    FROM_LUMA,
    LEVEL_CONTEXTS,
    MODE_CONTEXTS,
    NO_TRANSFORM,
    SCANS,
    TRANSFORM,
    TRANSFORM_CONTEXTS,
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
    add(slice(DIRECTION_CONTEXTS, MODE_CONTEXTS), random.integers(0, 3, count))  # and those of transform kinds
    from_luma = FROM_LUMA * ((planes > 1) & (random.random(count) < 0.3))  # of four modes the first alone may say it
    add(slice(MODE_CONTEXTS, VECTOR_CONTEXTS - 1), random.integers(0, 37, count) + from_luma)
    add(VECTOR_CONTEXTS - 1, random.integers(0, 37, count))
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
            alf = [
                AlfParameters(random.integers(-128, 128, 12).astype(np.int8), random.integers(0, 2, squares, np.uint8))
                if trial & 2 and number != plane
                else None
                for plane in range(planes)
            ]
            arguments = place, *random.integers(lowest, 52, 2).tolist(), alf, mesh
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
        (TRANSFORM_CONTEXTS, 0),
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
                decoder.decode(reader, P_PLACE, 20, 20, (), None)
        else:
            decoder.decode(reader, P_PLACE, 20, 20, (), None)
            reader.check_end()


def test_a_vector_beyond_the_limit_is_refused():
    picture_format = PictureFormat(8, 8, SampleFormat.GRAY)
    for limit, is_refused in ((3, False), (2, True)):
        reader = reader_by_context([P_NODE, VECTOR_CONTEXTS, VECTOR_CONTEXTS + 1], [69, 0, 5], [])  # right by 3
        decoder = decoder_after_gray(picture_format, limit)
        if is_refused:
            with pytest.raises(BitstreamError, match="a vector is longer than the file allows"):
                decoder.decode(reader, P_PLACE, 0, 0, (), None)
        else:
            decoder.decode(reader, P_PLACE, 0, 0, (), None)


# ------------------------------------------------------------------------- stages against plain sums


def plane_of(samples, subsampling=(0, 0), bit_depth=8, number=0):
    """A `Plane` whose reference is an array."""
    (rows, columns), (down, right) = samples.shape, subsampling
    units = -(-(rows << down) // 8), -(-(columns << right) // 8)
    plane = uncompiled("planes").Plane(number, *units, rows, columns, down, right, bit_depth)
    for y, x in np.ndindex(samples.shape):
        plane.samples[y, x] = int(samples[y, x])
    plane.publish()
    return plane


@pytest.mark.parametrize(
    ("log2", "kind"), [(2, DCT), (3, DCT), (4, DCT), (5, DCT), (2, DST), (3, DST), (4, DST), (3, NO_TRANSFORM)]
)
@pytest.mark.parametrize("most", [3, 32767])
@pytest.mark.parametrize("bit_depth", [8, 10, 12])
def test_levels_are_added_as_plain_matrix_products_add_them(log2, kind, most, bit_depth):
    random = np.random.default_rng(log2)
    side, peak = 1 << log2, (1 << bit_depth) - 1
    matrix = TRANSFORM[kind & 1, log2 - 2, :side, :side].astype(np.int64)
    levels, transform = uncompiled("syntax").Levels(), uncompiled("transform").InverseTransform(bit_depth)
    for count in (1, 2, side, side * side):
        positions = np.sort(random.permutation(side * side)[:count])
        values = random.choice([-most, most, 1, -1], count)
        levels.count = count
        for n in range(count):
            levels.position[n], levels.level[n] = int(positions[n]), int(values[n])
        samples = random.integers(0, peak + 1, (side, side + 5)).astype(np.uint16)
        places = SCANS[log2 - 2, positions]
        coefficients = np.zeros((side, side), np.int64)
        coefficients[places >> 5, places & 31] = np.clip(values * 23, -128 * (peak + 1), 128 * (peak + 1) - 1)
        halfway = np.clip(matrix.T @ coefficients + 64 >> 7, -(2**19), 2**19)
        assert np.abs(halfway @ matrix).max() < 2**30
        residual = halfway @ matrix + (1 << (6 + log2)) >> (7 + log2)
        if kind == NO_TRANSFORM:
            residual = coefficients + 2 >> 2
        expected = samples.copy()
        expected[:, :side] = np.clip(samples[:, :side] + residual, 0, peak)
        transform.add(levels, 23, log2, kind, samples.data, 0, 0)
        np.testing.assert_array_equal(expected, samples)


@pytest.mark.parametrize("bit_depth", [8, 12])
def test_the_filter_of_luma_is_that_of_plain_sums(bit_depth):
    random, peak, most = np.random.default_rng(0), (1 << bit_depth) - 1, ALF_CLIP << bit_depth - 8
    samples = random.integers(0, peak + 1, (70, 131)).astype(np.uint8 if bit_depth == 8 else np.uint16)
    taps = random.integers(-128, 128, 12)
    flags = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    padded = np.pad(samples.astype(int), 2, mode="edge")

    def moved(down, right):
        difference = padded[2 + down : 72 + down, 2 + right : 133 + right] - samples
        return np.clip(difference, -most, most)

    total = 64 + sum(
        int(tap) * (moved(down, right) + moved(-down, -right))
        for tap, (down, right) in zip(taps, ALF_OFFSETS, strict=True)
    )
    better = np.clip(samples + (total >> 7), 0, peak)
    chosen = np.kron(flags, np.ones((64, 64)))[:70, :131] == 1
    plane = plane_of(samples, bit_depth=bit_depth)
    uncompiled("loop_filters").AdaptiveLoopFilter(131).filter(plane, plane, taps.astype(np.int32).data, flags.data)
    np.testing.assert_array_equal(np.where(chosen, better, samples), np.asarray(plane.samples)[:70, :131])


@pytest.mark.parametrize("subsampling", [(0, 0), (0, 1), (1, 1)])
def test_the_filter_of_chroma_is_that_of_plain_sums(subsampling):
    random, (log2_y, log2_x) = np.random.default_rng(1), subsampling
    luma = random.integers(0, 256, (70, 131)).astype(np.uint8)
    chroma = random.integers(0, 256, (-(-70 >> log2_y), -(-131 >> log2_x))).astype(np.uint8)
    taps, flags = random.integers(-128, 128, 12), np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    expected = chroma.copy()
    for y, x in np.ndindex(*chroma.shape):
        if not flags[y << log2_y >> 6, x << log2_x >> 6]:
            continue
        own, there = (chroma.astype(int), y, x), (luma.astype(int), y << log2_y, x << log2_x)
        total = 64
        for k, (tap, (down, right)) in enumerate(zip(taps.tolist(), ALF_CHROMA_OFFSETS.tolist(), strict=True)):
            plane, v, u = own if k < 4 else there
            for sign in (1, -1) if k < 4 else (1,):
                row, column = (
                    np.clip(v + sign * down, 0, len(plane) - 1),
                    np.clip(u + sign * right, 0, len(plane[0]) - 1),
                )
                total += tap * int(np.clip(plane[row, column] - plane[v, u], -ALF_CLIP, ALF_CLIP))
        expected[y, x] = np.clip(int(chroma[y, x]) + (total >> 7), 0, 255)
    planes = plane_of(luma), plane_of(chroma, subsampling, number=1)
    arguments = planes[1], planes[0], taps.astype(np.int32).data, flags.data
    uncompiled("loop_filters").AdaptiveLoopFilter(131).filter(*arguments)
    np.testing.assert_array_equal(expected, np.asarray(planes[1].samples)[: chroma.shape[0], : chroma.shape[1]])
