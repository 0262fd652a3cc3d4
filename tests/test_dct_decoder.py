"""The decoder of ``dct``: compiled against the same code uncompiled, stages against plain sums, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from kernel_sources import (
    I_PLACE,
    P_PLACE,
    decoder_after_gray,
    decoder_of,
    reader_by_context,
    reader_of,
    uncompiled,
)
from mesh_twin import displacements

import codec
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
    LEVEL_CONTEXTS,
    MODE_CONTEXTS,
    MORTON,
    NO_TRANSFORM,
    SCANS,
    TRANSFORM,
    TRANSFORM_CONTEXTS,
    VECTOR_CONTEXTS,
)
from codec.errors import BitstreamError
from codec.models import BlockKind, MotionModel
from codec.motion.field import grid_shape
from codec.motion.tables import EIGHTH_TAPS, SIXTEENTH_TAPS
from codec.picture.planes import PictureFormat, SampleFormat

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "fixtures" / "golden"
UNCOMPILED = ("gray_37x23_dct_mesh", "rgb_40x32_dct_coarse", "yuv422_30x22_dct_torn", "yuv422_62x46_dct_lapped")
P_NODE = 45  # context of the node of a picture of one unit of 8×8 samples

DECODE = """
import sys, codec
from codec.dct import picture
assert picture.__file__.endswith(".py")
for path in sys.argv[1:]:
    print(*(decoded.crc32() for decoded in codec.open(path).pictures()))
"""


def test_golden_files_decode_to_the_same_pictures_without_compiled_kernels():
    paths = [str(GOLDEN / f"{name}.mvz") for name in UNCOMPILED]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MVZ_UNCOMPILED": "1"}
    command = [sys.executable, "-c", DECODE, *paths]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    for path, line in zip(paths, done.stdout.splitlines(), strict=True):
        with codec.open(path) as video:
            assert [picture.crc32() for picture in video.pictures()] == list(map(int, line.split()))


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


def test_random_symbols_are_refused_or_are_blocks():
    picture_format = PictureFormat(70, 52, SampleFormat.YUV420)
    random, outcomes, count = np.random.default_rng(3), set(), 40000
    for trial in range(300):
        symbols = random.integers(0, 256, count) if trial % 3 else random.choice([4, 90, 129], count)
        if trial % 5 == 0:
            symbols = random.integers(0, 3, count)  # skips, where they are allowed
        reader = reader_of(symbols, np.zeros(CONTEXTS, int), [count], random.integers(0, 2, count))
        decoder = decoder_after_gray(picture_format, only_reads=trial % 2 == 0)
        try:
            decoder.decode(reader, P_PLACE if trial % 4 > 1 else I_PLACE, 20, 20, (), None)
            outcomes.add("blocks")
        except BitstreamError as error:
            outcomes.add(str(error))
    assert {"blocks", "a symbol has no meaning", "a block has more levels than samples"} <= outcomes


def test_bits_that_end_anywhere_are_refused():
    random, picture_format, used = np.random.default_rng(8), PictureFormat(48, 40, SampleFormat.YUV422), 0
    while used <= 100:
        symbols, substream, sizes, bits = meaningful_symbols(random, False, 3, False)
        reader = reader_of(symbols, substream, sizes, bits)
        reader.start_trace()
        try:
            decoder_of(picture_format, only_reads=True).decode(reader, I_PLACE, 20, 20, (), None)
            used = int(reader.trace()[3].sum())
        except BitstreamError:
            continue
    for length in range(0, used - 7, 8):
        reader = reader_of(symbols, substream, sizes, bits[:length])
        with pytest.raises(BitstreamError, match="the stream of bits ends too early"):
            decoder_of(picture_format).decode(reader, I_PLACE, 20, 20, (), None)


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


@pytest.mark.parametrize("candidate", [0, 1, 2, 3])
def test_a_merge_candidate_that_is_not_there_is_refused(candidate):
    """Where nothing has moved yet a coding block has one candidate, which stands still."""
    decoder = decoder_after_gray(PictureFormat(8, 8, SampleFormat.GRAY))
    reader = reader_by_context([P_NODE], [candidate], [])
    if candidate == 0:
        assert (decoder.decode(reader, P_PLACE, 0, 0, (), None)[0] == 128).all()
    else:
        with pytest.raises(BitstreamError, match="merges with a candidate that it does not have"):
            decoder.decode(reader, P_PLACE, 0, 0, (), None)


def test_a_block_that_is_warped_without_a_mesh_is_refused():
    decoder = decoder_after_gray(PictureFormat(8, 8, SampleFormat.GRAY))
    reader = reader_by_context([P_NODE], [5 + 16 * 6], [])
    with pytest.raises(BitstreamError, match="a mesh that the picture does not have"):
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


def plainly_moved(plane, shape, dy, dx, down, right):
    """A plane moved by a vector, in plain sums, as large as ``shape``."""
    taps = SIXTEENTH_TAPS if down == right == 0 else EIGHTH_TAPS

    def looked_up(count, most, v):
        places = [np.clip(np.arange(count) + (v >> 4) + k - 3, 0, most - 1) for k in range(8)]
        return list(zip(taps[v & 15].tolist(), places, strict=True))

    dy, dx = dy << (2 - down), dx << (2 - right)
    lines = sum(tap * plane[:, columns].astype(int) for tap, columns in looked_up(shape[1], plane.shape[1], dx))
    total = sum(tap * lines[rows] for tap, rows in looked_up(shape[0], plane.shape[0], dy))
    return np.clip((total + 2048) >> 12, 0, 255)


@pytest.mark.parametrize("subsampling", [(0, 0), (0, 1), (1, 1)])
def test_motion_compensated_blocks_are_those_of_plain_sums(noise, subsampling):
    (picture,) = noise("gray", 44 >> subsampling[1], 40 >> subsampling[0], 1, values=2)
    samples = picture.planes[0]
    plane = plane_of(samples, subsampling)
    random = np.random.default_rng(3)
    vectors = [(d // 8, d % 8) for d in range(64)] + random.integers(-400, 400, (16, 2)).tolist()
    for number, (dy, dx) in enumerate(vectors):
        height, width = ((8, 8), (16, 8), (4, 8), (8, 4))[number % 4]
        plane.reference.move(plane.second, 8, 16, height, width, dy, dx, False)
        moved = plainly_moved(samples, samples.shape, dy, dx, *subsampling)
        rows = slice(8 >> subsampling[0], (8 + height) >> subsampling[0])
        columns = slice(16 >> subsampling[1], (16 + width) >> subsampling[1])
        np.testing.assert_array_equal(moved[rows, columns], np.asarray(plane.second)[rows, columns])


@pytest.mark.parametrize("subsampling", [(0, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("cell_size", [4, 8, 32])
def test_a_mesh_warps_samples_as_plain_sums_do(noise, subsampling, cell_size):
    down, right = subsampling
    rows, columns = 20 >> down, 30 >> right
    (picture,) = noise("gray", columns, rows, 1)
    samples = picture.planes[0]
    nodes = np.random.default_rng(3).integers(-90, 90, (*grid_shape(MotionModel.MESH, cell_size, 30, 20), 2))
    plane, mesh = plane_of(samples, subsampling), uncompiled("compensation").Mesh(nodes, cell_size, 0)
    for y, x in ((0, 0), (16, 16)):
        plane.reference.warp(plane.second, mesh, y, x, 8)
    h, w = cell_size >> down, cell_size >> right
    inside = [(y, x) for y, x in np.ndindex(24 >> down, 32 >> right) if (y << down < 8) == (x << right < 8)]
    for y, x in (place for place in inside if place[0] << down < 8 or place[0] << down >= 16 <= place[1] << right < 24):
        v, u = min(y, rows - 1), min(x, columns - 1)  # beyond the edges the outermost samples go on
        (i, below), (j, beside) = divmod(v, h), divmod(u, w)
        total = (h - below) * ((w - beside) * nodes[i, j] + beside * nodes[i, j + 1])
        total += below * ((w - beside) * nodes[i + 1, j] + beside * nodes[i + 1, j + 1])
        scale = np.array([h * w << down, h * w << right])
        moved_y, moved_x = (16 * v, 16 * u) + (total + scale // 2) // scale
        of_rows = np.clip((moved_y >> 4) + np.arange(-3, 5), 0, rows - 1)
        of_columns = np.clip((moved_x >> 4) + np.arange(-3, 5), 0, columns - 1)
        taps = SIXTEENTH_TAPS.astype(int)
        total = taps[moved_y & 15] @ samples[np.ix_(of_rows, of_columns)].astype(int) @ taps[moved_x & 15]
        assert min(max((total + 2048) >> 12, 0), 255) == plane.second[y, x]


@pytest.mark.parametrize("cell_size", [4, 8, 16, 32])
def test_the_vector_of_a_mesh_is_the_rounded_mean_of_its_nodes(cell_size):
    nodes = np.random.default_rng(8).integers(-16384, 16384, (9, 9, 2))
    mesh = uncompiled("compensation").Mesh(nodes, cell_size, 0)
    expected = displacements(NodeGrid(cell_size, nodes.astype(np.int16)), cell_size, cell_size)
    for row, column in np.ndindex(cell_size, cell_size):
        assert expected[row, column].tolist() == list(mesh.vector(8 * row, 8 * column))


def overlapped_plainly(moved, place, units, subsampling):
    """A block of a plane with OBMC: ``moved`` gives the plane as the motion moves it that ``units`` have, or None."""
    (top, left, side), (down, right) = place, subsampling
    row, column, reach = top // 8, left // 8, side // 2
    own = units[row][column]
    prediction = moved(own).copy()
    for from_left in (False, True):
        r = reach >> (right if from_left else down)
        for k in range(side // 8):
            beside = (row + k, column - 1) if from_left else (row - 1, column + k)
            if min(beside) < 0 or units[beside[0]][beside[1]] in (None, own):
                continue
            other = moved(units[beside[0]][beside[1]])
            for j in range(r):
                for i in range(8 >> (down if from_left else right)):
                    y, x = (top >> down) + j, (left + 8 * k >> right) + i
                    if from_left:
                        y, x = (top + 8 * k >> down) + i, (left >> right) + j
                    weight = 2 * (r - j) - 1
                    mixed = (4 * r - weight) * prediction[y, x] + weight * other[y, x] + 2 * r
                    prediction[y, x] = mixed // (4 * r)
    return prediction[top >> down : top + side >> down, left >> right : left + side >> right]


@pytest.mark.parametrize("mode", ["gray", "yuv420", "yuv422", "yuv444"])
def test_blocks_with_obmc_are_what_plain_sums_make_of_their_neighbours_vectors(mode):
    random, picture_format, checked = np.random.default_rng(2), PictureFormat(70, 45, SampleFormat[mode.upper()]), 0
    while checked < 20:
        decoder = decoder_of(picture_format, traced=True)
        try:
            symbols = (meaningful_symbols(random, is_p, len(picture_format.plane_shapes), False) for is_p in (0, 1))
            reference = decoder.decode(reader_of(*next(symbols)), I_PLACE, 20, 20, (), None)
            decoder.decode(reader_of(*next(symbols)), P_PLACE, 20, 20, (), None)
        except BitstreamError:
            continue
        blocks, prediction = decoder.trace()
        units = [[None] * 9 for _ in range(6)]
        for row, column, log2, kind, *_, directions, dy, dx, second_dy, second_dx, _ in blocks.tolist():
            for down, right in product(range(1 << (log2 - 3)), repeat=2) if kind != BlockKind.INTRA else ():
                units[row + down][column + right] = directions, (dy, dx), (second_dy, second_dx)
        for number, plane in enumerate(prediction):
            subsampling = picture_format.sample_format.subsampling[number]
            shape = (48 >> subsampling.log2_y, 72 >> subsampling.log2_x)

            @cache
            def moved(motion, shape=shape, plane=reference[number], subsampling=subsampling):
                directions, *vectors = motion
                both = [plainly_moved(plane, shape, *vector, *subsampling) for vector in vectors]
                return (both[0] + both[1] + 1) >> 1 if directions == 3 else both[0]

            for row, column, log2, *_ in blocks[blocks[:, 5] == 1].tolist():
                expected = overlapped_plainly(moved, (8 * row, 8 * column, 1 << log2), units, subsampling)
                found = plane[8 * row >> subsampling.log2_y :, 8 * column >> subsampling.log2_x :]
                found = found[: len(expected), : len(expected[0])]
                np.testing.assert_array_equal(expected[: len(found), : len(found[0])], found)
                checked += 1


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


def test_units_of_a_ctu_come_in_the_order_of_quarters_of_quarters():
    def order(row, column, side):
        if side == 1:
            return [(row, column)]
        half = side // 2
        return [place for q in range(4) for place in order(row + (q >> 1) * half, column + (q & 1) * half, half)]

    assert list(range(64)) == [MORTON[place] for place in order(0, 0, 8)]
