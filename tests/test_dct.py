"""``dct``: files that come back as the encoder saw them, and kernels against plain twins."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest
from numba import njit

import codec
from codec.bitstream.block_streams import pack_blocks, pack_family, pack_part, unpack_blocks, unpack_family, unpack_part
from codec.bitstream.context_merge import merge_contexts
from codec.bitstream.payloads import pack_run, parse_run, unpack_run
from codec.bitstream.queue_streams import Cursor, varint
from codec.bitstream.schema import SAME_QPS
from codec.bitstream.stream_ids import StreamId
from codec.bitstream.streams import have_fields
from codec.block_encoder import BlockCoder
from codec.coded import Run
from codec.search.numba_dct.blocks import (
    INTER,
    INTRA,
    LEAF_KIND,
    LEAF_LAPPED,
    MERGE,
    SKIP,
    CodedBlocks,
    NodeGrid,
    WienerFilter,
    leaf_places,
    shape_of,
)
from codec.dct.tables import (
    BUCKET_OF_RUN,
    CHROMA_TAPS,
    FORWARD,
    FORWARD_TRANSPOSED,
    LUMA_TAPS,
    MORTON,
    RUN_BITS,
    SCANS,
    TRANSFORM,
    WIENER_CLIP,
    WIENER_PLACES,
)
from codec.encoder import sequence_header
from codec.errors import BitstreamError
from codec.models import MotionModel
from codec.motion import compensate
from codec.motion.compensate import Reference
from codec.motion.half_planes import bordered, place_within
from codec.motion.taps import SIXTEENTH_TAPS
from codec.picture.colour import rgb_to_yuv, to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat, Subsampling
from codec.reconstruct import History, reconstruct, see_predicted_blocks
from codec.search.numba_dct import decode, desk
from codec.search.numba_dct.decode import decode_blocks
from codec.search.numba_dct.inter import put_between_quarters
from codec.search.numba_dct.interpolate import interpolated
from codec.search.numba_dct.mesh import warp
from codec.search.numba_dct.mesh_fit import fit_mesh
from codec.search.numba_dct.symbols import CONTEXTS, FAMILIES, Tape, read_blocks, write_blocks
from codec.search.numba_dct.transform import add_levels
from codec.search.numba_dct.wiener import apply_wiener
from codec.search.numba_dct.wiener_fit import add_products
from codec.vector_kernels import address
from codec.vector_transforms import (
    differences,
    four_tap_lanes,
    hadamard_8x8,
    occupancy,
    real_product,
)

MODES = ("gray", "rgb", "yuv420", "yuv422", "yuv444")
SIZES = ((1, 1), (2, 3), (8, 8), (9, 17), (33, 31), (40, 24), (64, 70))


def write(path, pictures, executor=None, **settings):
    with codec.Writer(
        path,
        format=pictures[0].format,
        settings=codec.Settings(residual="dct", scene_cut=False, **settings),
        executor=executor,
        force=True,
    ) as out:
        for picture in pictures:
            out.append(picture)
    return path


def read(path, executor=None):
    with codec.open(path) as video:
        return list(video.pictures(executor=executor))


def psnr(sources, decoded):
    errors = [np.mean((to_array(a).astype(float) - to_array(b)) ** 2) for a, b in zip(sources, decoded, strict=True)]
    return 10 * np.log10(255**2 / np.mean(errors))


# ------------------------------------------------------------------------- files


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("motion", ["none", "block"])
def test_every_format_comes_back_near_what_it_was(tmp_path, moving, mode, motion):
    pictures = moving(mode, 52, 39, 5)
    decoded = read(write(tmp_path / "clip.mvz", pictures, motion=motion, qp=16, gop=3))
    assert pictures[0].format == decoded[0].format
    assert psnr(pictures, decoded) > (33 if mode in ("rgb", "yuv420") else 38)  # chroma of noise is halved


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["gray", "yuv420", "yuv422"])
def test_every_size_comes_back(tmp_path, moving, mode, size):
    pictures = moving(mode, *size, 3)
    assert 3 == len(read(write(tmp_path / "clip.mvz", pictures, qp=30)))


@pytest.mark.parametrize("speed", ["slow", "medium", "fast"])
def test_noise_and_its_worst_levels_come_back(tmp_path, noise, speed):
    """The decoder holds every picture against the encoder's CRC-32."""
    extremes = noise("yuv420", 41, 33, 3, values=2)
    decoded = read(write(tmp_path / "clip.mvz", extremes, qp=0, speed=speed))
    assert psnr(extremes, decoded) > 40


def test_a_higher_qp_makes_a_smaller_and_worse_file(tmp_path, moving):
    pictures = moving("yuv420", 80, 64, 4)
    points = []
    for qp in (8, 20, 32, 44):
        path = write(tmp_path / f"{qp}.mvz", pictures, qp=qp)
        points.append((path.stat().st_size, psnr(pictures, read(path))))
    assert points == sorted(points, reverse=True)
    assert len(set(points)) == 4


def test_bytes_are_the_same_for_any_number_of_threads_and_every_time(tmp_path, moving):
    pictures = moving("yuv420", 48, 40, 8)
    alone = write(tmp_path / "alone.mvz", pictures, gop=2).read_bytes()
    with ThreadPoolExecutor(4) as executor:
        assert alone == write(tmp_path / "many.mvz", pictures, executor, gop=2).read_bytes()


@pytest.mark.parametrize("run", [1, 2, 5])
def test_pictures_are_the_same_for_any_run(tmp_path, moving, run):
    pictures = moving("gray", 48, 40, 5)
    whole = read(write(tmp_path / "whole.mvz", pictures))
    parts = read(write(tmp_path / "parts.mvz", pictures, run=run))
    assert all(a.same_samples(b) for a, b in zip(whole, parts, strict=True))


def test_rgb_may_keep_all_its_chroma(tmp_path, moving):
    pictures = moving("rgb", 48, 40, 3)
    halved, whole = (write(tmp_path / f"{c}.mvz", pictures, chroma=c, qp=12) for c in ("420", "444"))
    assert psnr(pictures, read(halved)) < psnr(pictures, read(whole))


def turning(count, mode="yuv420", width=160, height=128):
    """A texture that turns by 1.2 degrees a picture and grows by 2 %, which blocks follow badly."""
    picture_format = PictureFormat(width, height, SampleFormat[mode.upper()])
    random = np.random.default_rng(5)
    texture = random.normal(size=(64, 64))
    for axis in (0, 1, 0, 1):
        texture = texture + np.roll(texture, 1, axis)
    texture = np.clip(128 + 40 * texture / texture.std(), 0, 255)
    pictures = []
    for time in range(count):
        angle, scale = np.deg2rad(1.2 * time), 0.3 / 1.02**time
        planes = []
        for (rows, columns), sub in zip(
            picture_format.plane_shapes, picture_format.sample_format.subsampling, strict=True
        ):
            y, x = np.mgrid[0:rows, 0:columns].astype(float)
            y, x = (y - rows / 2) * scale * (1 << sub.log2_y), (x - columns / 2) * scale * (1 << sub.log2_x)
            v, u = 32 + np.cos(angle) * y - np.sin(angle) * x, 32 + np.sin(angle) * y + np.cos(angle) * x
            top, left = np.floor(v).astype(int), np.floor(u).astype(int)
            down, right = v - top, u - left
            corners = [texture[(top + j) % 64, (left + i) % 64] for j in (0, 1) for i in (0, 1)]
            upper, lower = (corners[2 * k] * (1 - right) + corners[2 * k + 1] * right for k in (0, 1))
            planes.append(np.rint(upper * (1 - down) + lower * down).astype(np.uint8))
        pictures.append(Picture(picture_format, tuple(planes)))
    return pictures


@pytest.mark.parametrize("mode", ["gray", "yuv420", "yuv422", "yuv444"])
def test_a_mesh_makes_pictures_that_turn_and_grow_smaller(tmp_path, mode):
    pictures = turning(6, mode)
    sizes, errors = {}, {}
    for motion in ("block", "mesh"):
        path = write(tmp_path / f"{motion}.mvz", pictures, motion=motion, qp=24)
        sizes[motion], errors[motion] = path.stat().st_size, psnr(pictures, read(path))
    assert sizes["mesh"] < 0.93 * sizes["block"]
    assert errors["mesh"] > errors["block"] - 0.1


def test_a_mesh_costs_nothing_where_it_does_not_help(tmp_path, moving):
    pictures = moving("yuv420", 64, 48, 4)
    block, mesh = (write(tmp_path / f"{m}.mvz", pictures, motion=m, qp=30) for m in ("block", "mesh"))
    assert block.stat().st_size == mesh.stat().st_size


@pytest.fixture(scope="module")
def meshed_run():
    """The sequence header and a run of which some P pictures have a mesh."""
    pictures = turning(5)
    settings = codec.Settings(residual="dct", motion="mesh", qp=30)
    header = sequence_header(pictures[0].format, Fraction(25), settings)
    coder = BlockCoder(header, settings, None)
    coded = tuple(coder.code(picture) for picture in pictures)
    assert {True, False} == {picture.residual.mesh is not None for picture in coded}
    return header, Run(0, coded, tuple(coder.checksums))


def test_meshes_come_back_from_their_changes(meshed_run):
    header, run = meshed_run
    found = unpack_run(header, pack_run(header, run))
    for expected, picture in zip(run.pictures, found.pictures, strict=True):
        mesh, expected_mesh = picture.residual.mesh, expected.residual.mesh
        assert (expected_mesh is None) == (mesh is None)
        if expected_mesh is not None:
            np.testing.assert_array_equal(expected_mesh.nodes_sixteenth_pel, mesh.nodes_sixteenth_pel)


@pytest.mark.parametrize("subsampling", [(0, 0), (0, 1), (1, 1)])
def test_a_mesh_moves_samples_as_plain_sums_do(noise, subsampling):
    (picture,) = noise("gray", 21, 26, 1)
    plane, (down, right) = picture.planes[0], subsampling
    nodes = np.random.default_rng(3).integers(-90, 90, (26 // (8 >> down) + 2, 21 // (8 >> right) + 2, 2))
    found = warp(NodeGrid(8, nodes.astype(np.int16)), bordered(plane), Subsampling(down, right))
    h, w = 8 >> down, 8 >> right
    for y, x in np.ndindex(plane.shape):
        (i, v), (j, u) = divmod(y, h), divmod(x, w)
        total = (h - v) * ((w - u) * nodes[i, j] + u * nodes[i, j + 1])
        total += v * ((w - u) * nodes[i + 1, j] + u * nodes[i + 1, j + 1])
        scale = np.array([h * w << down, h * w << right])
        moved_y, moved_x = (16 * y, 16 * x) + (total + scale // 2) // scale
        rows = np.clip((moved_y >> 4) + np.arange(-3, 5), 0, 25)
        columns = np.clip((moved_x >> 4) + np.arange(-3, 5), 0, 20)
        taps = SIXTEENTH_TAPS.astype(int)
        total = taps[moved_y & 15] @ plane[np.ix_(rows, columns)].astype(int) @ taps[moved_x & 15]
        assert min(max((total + 2048) >> 12, 0), 255) == found[y, x]


def test_a_mesh_is_fitted_to_sixteenths_of_a_sample():
    pictures = turning(2, "gray", 128, 96)
    reference = bordered(pictures[0].planes[0])
    start = NodeGrid(32, np.zeros((4, 5, 2), np.int16))
    true = np.moveaxis(np.indices((4, 5)), 0, -1) * 32.0 - (48, 64)
    turn, grow = np.deg2rad(1.2), 1 / 1.02
    moved = np.stack([true @ (np.cos(turn), -np.sin(turn)), true @ (np.sin(turn), np.cos(turn))], axis=-1) * grow - true
    fitted = fit_mesh(pictures[1].planes[0], reference, start, 128, 1.0).nodes_sixteenth_pel
    assert np.abs(fitted - 16 * moved).max() < 3
    assert np.abs(fitted - 16 * moved).mean() < 1
    held = fit_mesh(pictures[1].planes[0], reference, start, 1, 1.0).nodes_sixteenth_pel
    assert 4 == np.abs(held).max()


@pytest.mark.parametrize(
    ("meshed", "rule"),
    [
        (b"", "MESHED of 0 bytes"),
        (b"\x40\0", "MESHED of 2 bytes"),
        (b"\x41", "MESHED of 1 bytes"),
        (b"\0", "names no picture"),
        (b"\x80", "or an I picture"),
    ],
)
def test_a_list_of_meshes_that_breaks_a_rule_is_refused(meshed_run, meshed, rule):
    header, run = meshed_run
    references = [picture.references for picture in run.pictures]
    with pytest.raises(BitstreamError, match=rule):
        have_fields(header, references, {StreamId.MESHED: meshed})
    blocks = replace(header, motion=MotionModel.BLOCK)
    with pytest.raises(BitstreamError, match="MESHED of 1 bytes"):
        have_fields(blocks, references, {StreamId.MESHED: b"\x40"})


def test_a_leaf_without_the_mesh_that_it_asks_for_is_refused(meshed_run):
    header, run = meshed_run
    history = History()
    for picture in run.pictures:
        if picture.residual.mesh is not None:
            without = replace(picture, residual=replace(picture.residual, mesh=None))
            with pytest.raises(BitstreamError, match="a mesh that the picture does not have"):
                reconstruct(without, history, header)
            return
        history = reconstruct(picture, history, header)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (5, 3)])
def test_rgb_becomes_means_of_four_chroma_samples(noise, width, height):
    (picture,) = noise("rgb", width, height, 1)
    full, halved = (
        rgb_to_yuv(picture, PictureFormat(width, height, f)) for f in (SampleFormat.YUV444, SampleFormat.YUV420)
    )
    for whole, half in zip(full.planes[1:], halved.planes[1:], strict=True):
        for y, x in np.ndindex(half.shape):
            rows, columns = min(2 * y + 1, height - 1), min(2 * x + 1, width - 1)
            four = [int(whole[j, i]) for j in (2 * y, rows) for i in (2 * x, columns)]
            assert (sum(four) + 2) >> 2 == half[y, x]


# ------------------------------------------------------------------------- symbols


@pytest.fixture(scope="module")
def coded(moving):
    """Two coded pictures of each format, with the format."""

    def make(mode, qp=18, speed="slow", noise=None):
        pictures = noise or moving(mode, 70, 52, 2)
        settings = codec.Settings(residual="dct", qp=qp, speed=speed, chroma="444" if mode == "rgb" else None)
        header = sequence_header(pictures[0].format, 25, settings)
        coder = BlockCoder(header, settings, None)
        sources = pictures
        if mode == "rgb":
            sources = [rgb_to_yuv(picture, header.coded_format) for picture in pictures]
        return header, [coder.code(source).residual for source in sources]

    return make


def tape_of(contexts, symbols, bits):
    """A tape to read, with a stream for each context."""
    order = np.argsort(contexts, kind="stable")
    ends = np.cumsum(np.bincount(contexts, minlength=CONTEXTS))
    places = np.concatenate([[0], ends[:-1]])
    state = np.array([0, 0, bits.size, 0], np.int64)
    return Tape(state, symbols[order], np.zeros(0, np.uint16), bits, np.arange(CONTEXTS), places, ends)


@pytest.mark.parametrize("mode", MODES)
def test_blocks_come_back_from_their_symbols(coded, mode):
    header, pictures = coded(mode)
    shape = shape_of(header.coded_format)
    for number, blocks in enumerate(pictures):
        parts = read_blocks(tape_of(*write_blocks(blocks, shape, number > 0)), shape, number > 0)
        for name in ("leaves", "counts", "positions", "levels"):
            expected, found = getattr(blocks, name), getattr(parts, name)
            np.testing.assert_array_equal(expected, found, err_msg=name)
    assert {INTRA} == set(pictures[0].leaves[:, LEAF_KIND])
    assert {SKIP, MERGE, INTER} & set(pictures[1].leaves[:, LEAF_KIND])


def test_a_tape_that_ends_anywhere_is_refused(coded):
    header, (blocks, _) = coded("yuv422", qp=34)
    shape = shape_of(header.format)
    contexts, symbols, bits = write_blocks(blocks, shape, False)
    for length in range(0, len(symbols), 7):
        with pytest.raises(BitstreamError):  # what is read instead of a missing symbol may have no meaning
            read_blocks(tape_of(contexts[:length], symbols[:length], bits), shape, False)
    for length in range(0, len(bits), 5):
        with pytest.raises(BitstreamError, match="too early"):
            read_blocks(tape_of(contexts, symbols, bits[:length]), shape, False)


def tape_of_pools(pools, stream_of, bits):
    """A tape to read, whose streams are ``pools``."""
    ends = np.cumsum([pool.size for pool in pools])
    state = np.array([0, 0, bits.size, 0], np.int64)
    symbols = np.concatenate(pools).astype(np.uint8)
    return Tape(state, symbols, np.zeros(0, np.uint16), bits, stream_of, np.concatenate([[0], ends[:-1]]), ends)


def test_random_symbols_are_refused_or_are_blocks(coded):
    """Whatever symbols say, kernels stay inside their arrays; NUMBA_BOUNDSCHECK watches."""
    header, _ = coded("yuv420")
    shape = shape_of(header.format)
    random = np.random.default_rng(3)
    outcomes = set()
    pool = 40000
    for trial in range(300):
        likely = random.integers(0, 256, pool) if trial % 3 else random.choice([4, 90, 129], pool)
        if trial % 5 == 0:
            likely = random.integers(0, 3, pool)  # skips, where they are allowed
        bits = random.integers(0, 2, pool).astype(np.uint8)
        try:
            parts = read_blocks(tape_of_pools([likely], np.zeros(CONTEXTS, np.int64), bits), shape, bool(trial & 1))
        except BitstreamError as error:
            outcomes.add(str(error))
            continue
        outcomes.add("blocks")
        assert parts.counts.sum() == parts.levels.size
    assert {"blocks", "a symbol has no meaning", "a block has more levels than samples"} <= outcomes


SPLIT, CODED_LEAF, LAST = 4, 5, 128
MASKS_AT, PAIRS_AT, MODES_AT, VECTORS_AT, ESCAPES_AT, LEVELS_AT = 54, 60, 61, 64, 68, 76


def meaningful_tape(random, is_p, planes):
    """Symbols at random of which nearly all mean something where they are taken."""
    stream_of, pools, count = np.zeros(CONTEXTS, np.int64), [], 6000

    def add(contexts, pool):
        stream_of[contexts] = len(pools)
        pools.append(pool)

    for first, end in zip((0, *FAMILIES), FAMILIES, strict=False):
        add(slice(first, end), random.integers(0, 40, count))
    kinds = random.choice([0, 0, 0, 1, 4, 4, 5], count) if is_p else np.full(count, 5)
    coded = random.integers(0, 1 << planes, count)
    leaves = CODED_LEAF + 16 * kinds + 8 * random.integers(0, 2, count) + coded
    skipped = random.choice([0, 0, 0, 0, 1, 3], count)
    leaves = np.where(is_p & (random.random(count) < 0.2), skipped, leaves)
    smallest = np.arange(MASKS_AT) // 9 % 3 == 2
    add(np.flatnonzero(smallest), leaves)
    add(np.flatnonzero(~smallest), np.where(random.random(count) < 0.5, SPLIT, leaves))
    add(slice(MASKS_AT, PAIRS_AT), random.integers(1, 16, count))
    add(PAIRS_AT, random.integers(1, 4, count))
    add(slice(MODES_AT, VECTORS_AT), random.integers(0, 37, count))
    far = random.choice([0, 6, 8])  # buckets: numbers below 1000, or below 4096 and more
    add(slice(VECTORS_AT, ESCAPES_AT), random.integers(0, 40 + far, count))
    add(slice(ESCAPES_AT, LEVELS_AT), random.integers(0, 51, count))
    for log2 in (2, 3, 4, 5):
        runs = random.integers(0, (2, 6, 20, 28)[log2 - 2], count)
        last = LAST * (random.random(count) < 0.9)
        add(
            slice(LEVELS_AT + 72 * (log2 - 2), LEVELS_AT + 72 * (log2 - 1)),
            last + 4 * runs + random.integers(0, 4, count),
        )
    return tape_of_pools(pools, stream_of, random.integers(0, 2, 200000).astype(np.uint8))


GUARD = 1 << 14


class Guards:
    """Arrays with room before and behind, which nothing may write, and whose value must not matter."""

    def __init__(self, value):
        self.value, self.rooms = value, []

    def around(self, samples):
        room = np.full(samples.size + 2 * GUARD, self.value, np.uint8)
        room[GUARD:-GUARD] = samples
        self.rooms.append(room)
        return room[GUARD:-GUARD]

    def are_whole(self):
        return all((room[:GUARD] == self.value).all() and (room[-GUARD:] == self.value).all() for room in self.rooms)


def decoded_among(guards, monkeypatch, *arguments):
    """Samples and vectors that blocks decode to, or what is wrong with them."""

    def halves(make):
        def guarded(plane):
            made = make(plane)
            return made._replace(samples=guards.around(made.samples))

        return guarded

    with monkeypatch.context() as patch:
        patch.setattr(decode, "new_sheets", lambda count, shape: guards.around(desk.new_sheets(count, shape)))
        patch.setattr(decode, "new_scratch", lambda: guards.around(desk.new_scratch()))
        patch.setattr(compensate, "bordered", halves(bordered))
        try:
            picture, vectors = decode_blocks(*arguments)
        except BitstreamError as error:
            return str(error), b""
    return picture.crc32(), vectors.tobytes()


@pytest.mark.parametrize("mode", ["gray", "yuv420", "yuv422", "yuv444"])
def test_blocks_of_random_symbols_decode_inside_their_arrays(mode, noise, monkeypatch):
    """Kernels that work by address are not watched by NUMBA_BOUNDSCHECK: what lies around must not matter."""
    random = np.random.default_rng(5)
    outcomes = Counter()
    for trial in range(120):
        size = ((1, 1), (1, 4096), (4096, 1), (65, 129))[trial] if trial < 4 else random.integers(1, 90, 2).tolist()
        (reference,) = noise(mode, *size, 1, seed=trial)
        shape, is_p = shape_of(reference.format), trial % 4 != 3
        try:
            parts = read_blocks(meaningful_tape(random, is_p, shape.planes), shape, is_p)
        except BitstreamError:
            outcomes["refused"] += 1
            continue
        squares = tuple(-(-side // 64) for side in reversed(size))
        wiener = WienerFilter(random.integers(-128, 128, 12).astype(np.int8), random.integers(0, 2, squares, np.uint8))
        blocks = CodedBlocks(*random.integers(0, 52, 2).tolist(), *parts, wiener if trial & 1 else None)
        before = random.integers(-4096, 4097, (*shape.cells, 2), np.int32) if is_p else None
        results = []
        for value in (0, 255):
            guards = Guards(value)
            arguments = blocks, Reference(reference) if is_p else None, before, None, reference.format, 4096
            results.append(decoded_among(guards, monkeypatch, *arguments))
            assert guards.are_whole()
        assert results[0] == results[1]
        outcomes[results[0][0] if isinstance(results[0][0], str) else "a P picture" if is_p else "an I picture"] += 1
    assert min(outcomes["an I picture"], outcomes["a P picture"]) >= 15, outcomes


def test_bits_that_no_picture_can_use_are_refused_before_they_are_expanded(coded):
    header, pictures = coded("gray")
    streams = pack_blocks(header, list(enumerate(pictures)))
    most = 2 * (30 * 9 * 7 + 26 * 72 * 56)  # 70 × 52 samples
    bits = streams[StreamId.BLOCK_BITS].ljust(-(-most // 8), b"\0")
    for surplus, message in ((0, "bits are left over"), (1, f"bits, where {most} are possible")):
        streams[StreamId.BLOCK_BITS] = bits + bytes(surplus)
        with pytest.raises(BitstreamError, match=message):
            unpack_blocks(header, [0, 1], [(18, 18)] * 2, streams)


@pytest.mark.parametrize(("count", "is_short"), [(1, False), (7, False), (5000, True), (400_000, False)])
def test_frames_of_one_block_go_without_their_heads(count, is_short):
    symbols = np.minimum(np.random.default_rng(2).geometric(0.4, count), 255).astype(np.uint8)
    packed = pack_part(symbols)
    length = Cursor(packed).varint()
    assert (length > 1 and length & 1 == 1) == is_short
    cursor = Cursor(packed)
    np.testing.assert_array_equal(symbols, unpack_part(cursor, count))
    cursor.end()


def test_a_frame_without_head_that_no_frame_can_be_is_refused():
    for body in (bytes(9), bytes((1 << 17) + 1)):
        with pytest.raises(BitstreamError):
            unpack_part(Cursor(varint(2 * len(body) + 1) + body), 100)


def test_the_last_of_three_levels_has_no_bit_for_its_sign(coded):
    header, (blocks, _) = coded("gray", qp=30)
    shape = shape_of(header.format)
    ends = np.cumsum(blocks.counts.astype(int))
    for start, end in zip(ends - blocks.counts, ends, strict=True):
        levels = blocks.levels[start:end].astype(int)
        assert len(levels) < 3 or (levels[-1] < 0) == np.abs(levels).sum() % 2
    hidden = int((blocks.counts >= 3).sum())
    assert hidden > 5
    _, _, bits = write_blocks(blocks, shape, False)
    assert bits.size >= blocks.levels.size - hidden
    told = replace(blocks, levels=np.sign(blocks.levels))  # no escapes, so bits are signs and what runs need
    told.levels[ends - 1] = np.where((blocks.counts >= 3) & (blocks.counts % 2 == 1), -1, 1)
    runs = np.diff(blocks.positions.astype(int), prepend=-1) - 1
    runs[np.concatenate([[0], ends[:-1]])] = blocks.positions[np.concatenate([[0], ends[:-1]])]
    extra = int(RUN_BITS[BUCKET_OF_RUN[runs]].sum())
    assert write_blocks(told, shape, False)[2].size == blocks.levels.size - hidden + extra


def test_a_first_picture_with_the_quantisers_of_one_before_is_refused(meshed_run):
    header, run = meshed_run
    payload = bytearray(pack_run(header, run))
    raw = parse_run(header, bytes(payload))
    assert {raw.pictures[1].qps[0]} == {picture.qps[0] for picture in raw.pictures[1:]}
    assert payload[6 + 7 + 5 + 2] & SAME_QPS  # the third picture's references
    payload[6] |= SAME_QPS
    del payload[6 + 5 : 6 + 7]
    with pytest.raises(BitstreamError, match="where there are none"):
        unpack_run(header, bytes(payload))


@pytest.mark.parametrize("count", [3, 54, 288])
def test_families_come_back_from_their_streams(count):
    random = np.random.default_rng(count)
    contexts = random.integers(0, count, 5000).astype(np.uint16)
    symbols = np.minimum(random.geometric(0.05 + 0.9 * (contexts % 3) / 3), 255).astype(np.uint8)
    packed = b"".join(pack_family(contexts, symbols, count))
    cursor = Cursor(packed)
    family = unpack_family(cursor, count, symbols.size)
    cursor.end()
    of_symbols = family.stream_of[contexts]
    for stream, part in enumerate(family.symbols):
        np.testing.assert_array_equal(symbols[of_symbols == stream], part)
    with pytest.raises(BitstreamError, match="symbols, where 1…"):
        unpack_family(Cursor(packed), count, 10)
    for length in range(len(packed)):
        with pytest.raises(BitstreamError):
            unpack_family(Cursor(packed[:length]), count, symbols.size)


def test_contexts_that_are_alike_share_a_stream_and_others_do_not():
    alike, other = np.zeros(256), np.zeros(256)
    alike[:4], other[100:104] = (400, 200, 100, 50), (500, 300, 100, 100)
    streams = merge_contexts(np.stack([alike, other, 2 * alike, np.zeros(256), 3 * other]))
    assert streams[0] == streams[2] != streams[1] == streams[4]
    assert len(FAMILIES) == 6


def bits_of_stream(counts):
    """What a stream costs, from the formula."""
    counts = counts[counts > 0]
    if not counts.size:
        return 0
    shares = counts / counts.sum()
    entropy = -(counts * np.log2(shares)).sum()
    return max(entropy, counts.sum() if counts.size > 1 else 0) + 200 + 8 * counts.size


@pytest.mark.parametrize("contexts", [1, 2, 9, 40])
def test_contexts_are_merged_greedily_while_bits_are_saved(contexts):
    random = np.random.default_rng(contexts)
    for scale in (0.5, 5, 80):
        counts = np.zeros((contexts, 256))
        counts[:, 3:23] = random.poisson(scale * random.random((contexts, 1)) * 0.8 ** np.arange(20))
        groups = [{row} for row in range(contexts) if counts[row].any()]
        while len(groups) > 1:
            sums = [counts[sorted(group)].sum(axis=0) for group in groups]
            saved = {
                (i, j): bits_of_stream(sums[i]) + bits_of_stream(sums[j]) - bits_of_stream(sums[i] + sums[j])
                for i in range(len(groups))
                for j in range(i)
            }
            i, j = max(saved, key=saved.get)
            if saved[i, j] <= 0:
                break
            groups[j] |= groups.pop(i)
        streams = merge_contexts(counts)
        found = {frozenset(np.flatnonzero((streams == s) & counts.any(axis=1)).tolist()) for s in streams}
        assert {frozenset(group) for group in groups} == found - {frozenset()}


# ------------------------------------------------------------------------- kernels


def test_quarter_samples_are_those_of_eight_taps(noise):
    (picture,) = noise("gray", 19, 11, 1)
    samples, (plane_size, stride, rows, columns) = interpolated(picture.planes[0])
    assert (11, 19) == (rows, columns)
    planes = samples.reshape(16, -1, stride)[:, :, : 19 + 80]
    assert plane_size == planes.shape[1] * stride
    padded = np.pad(picture.planes[0].astype(int), ((43, 44), (43, 44)), mode="edge")
    for down, across in product(range(4), range(4)):
        lines = sum(LUMA_TAPS[across, k] * padded[:, k : k + 19 + 80] for k in range(8))
        both = sum(LUMA_TAPS[down, k] * lines[k : k + 11 + 80] for k in range(8))
        np.testing.assert_array_equal(np.clip((both + 2048) >> 12, 0, 255), planes[4 * down + across])


@njit
def run_four_taps(target, stride, place, source_stride, rows, columns, down, across):
    four_tap_lanes(target, stride, place, source_stride, rows, columns, down, across)


@njit
def put_quarters(target, scratch, full, layout, y, x, side, dy, dx):
    place = address(full) + place_within(layout, y + (dy >> 2), x + (dx >> 2))
    put_between_quarters(
        address(scratch), address(target), target.shape[1], place, layout[1], side, side, dy & 3, dx & 3
    )


@pytest.mark.parametrize("side", [8, 16, 32])
def test_blocks_between_samples_are_those_of_the_planes_at_all_quarters(noise, side):
    (picture,) = noise("gray", 41, 53, 1)
    planes, full = interpolated(picture.planes[0]), bordered(picture.planes[0])
    quarters = planes.samples.reshape(16, -1, planes.layout[1])
    scratch, target = desk.new_scratch(), np.empty((side, 40), np.uint8)
    random = np.random.default_rng(side)
    for y, x, dy, dx in [(0, 0, d // 4, d % 4) for d in range(16)] + random.integers(-160, 200, (60, 4)).tolist():
        target[:] = 7
        put_quarters(target, scratch, full.samples, full.layout, y, x, side, dy, dx)
        top = 40 + min(max(y + (dy >> 2), -36), 53 + 4)
        left = 40 + min(max(x + (dx >> 2), -36), 41 + 4)
        expected = quarters[4 * (dy & 3) + (dx & 3), top : top + side, left : left + side]
        np.testing.assert_array_equal(expected, target[:, :side])
        assert (target[:, side:] == 7).all()


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (4, 4), (16, 8), (5, 32), (3, 22)])
def test_eighth_samples_are_those_of_four_taps(rows, columns):
    random = np.random.default_rng(rows)
    source = random.integers(0, 256, (rows + 3, columns + 3)).astype(np.uint8)
    taps = np.ascontiguousarray(CHROMA_TAPS)
    for down, across in product(range(8), range(8)):
        target = np.zeros((rows, columns), np.uint8)
        at = source.ctypes.data + source.shape[1] + 1
        table = taps.ctypes.data
        run_four_taps(
            target.ctypes.data, columns, at, source.shape[1], rows, columns, table + 16 * down, table + 16 * across
        )
        lines = sum(taps[across, k] * source[:, k : k + columns].astype(int) for k in range(4))
        both = sum(taps[down, k] * lines[k : k + rows] for k in range(4))
        np.testing.assert_array_equal(np.clip((both + 2048) >> 12, 0, 255), target)


def plainly_moved(plane, shape, dy, dx, down, right):
    """A plane moved by a vector, in plain sums, as large as ``shape``."""
    taps, fraction, before = (LUMA_TAPS, 2, 3) if down == right == 0 else (CHROMA_TAPS, 3, 1)

    def looked_up(count, most, v):
        places = [np.clip(np.arange(count) + (v >> fraction) + k - before, 0, most - 1) for k in range(taps.shape[1])]
        return list(zip(taps[v & ((1 << fraction) - 1)].tolist(), places, strict=True))

    dy, dx = dy << (fraction - 2 - down), dx << (fraction - 2 - right)
    lines = sum(tap * plane[:, columns].astype(int) for tap, columns in looked_up(shape[1], plane.shape[1], dx))
    total = sum(tap * lines[rows] for tap, rows in looked_up(shape[0], plane.shape[0], dy))
    return np.clip((total + 2048) >> 12, 0, 255)


def lapped_plainly(moved, place, cells, subsampling):
    """A lapped leaf of a plane: ``moved`` gives the plane moved by a vector; ``cells`` have one each, None in intra."""
    (top, left, side), (down, right) = place, subsampling
    row, column, reach = top // 8, left // 8, side // 2
    own = cells[row][column]
    prediction = moved(own).copy()
    for from_left in (False, True):
        r = reach >> (right if from_left else down)
        for k in range(side // 8):
            beside = (row + k, column - 1) if from_left else (row - 1, column + k)
            if min(beside) < 0 or cells[beside[0]][beside[1]] in (None, own):
                continue
            other = moved(cells[beside[0]][beside[1]])
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
def test_lapped_leaves_are_what_plain_sums_make_of_their_neighbours_vectors(mode):
    pictures = turning(3, mode, 72, 45)
    settings = codec.Settings(residual="dct", qp=30)
    header = sequence_header(pictures[0].format, Fraction(25), settings)
    coder, history, merges = BlockCoder(header, settings, None), History(), set()
    for picture in pictures:
        coded = coder.code(picture)
        seen = see_predicted_blocks(coded, history, header)
        leaves = coded.residual.leaves
        cells = [[tuple(vector) for vector in row] for row in seen.vectors.tolist()]
        for (top, left, side), kind in zip(leaf_places(leaves), leaves[:, LEAF_KIND], strict=True):
            for row, column in product(range(side // 8), repeat=2) if kind == INTRA else ():
                cells[top // 8 + row][left // 8 + column] = None
        for number, plane in enumerate(seen.prediction.planes):
            subsampling = picture.format.sample_format.subsampling[number]
            shape = (48 >> subsampling.log2_y, 72 >> subsampling.log2_x)

            @cache
            def moved(vector, shape=shape, number=number, subsampling=subsampling, reference=history):
                return plainly_moved(reference.newest.planes[number], shape, *vector, *subsampling)

            for place, leaf in zip(leaf_places(leaves), leaves, strict=True):
                if leaf[LEAF_LAPPED]:
                    expected = lapped_plainly(moved, place.tolist(), cells, subsampling)
                    found = plane[place[0] >> subsampling.log2_y :, place[1] >> subsampling.log2_x :]
                    found = found[: len(expected), : len(expected[0])]
                    np.testing.assert_array_equal(expected[: len(found), : len(found[0])], found)
                    merges.add(leaf[LEAF_KIND] == MERGE)
        history = reconstruct(coded, history, header)
    assert {False, True} == merges


@njit
def run_add_levels(positions, levels, log2, scale, scratch, target, stride):
    add_levels(positions, levels, 0, positions.size, log2, scale, scratch, target, stride)


@pytest.mark.parametrize("log2", [2, 3, 4, 5])
@pytest.mark.parametrize("most", [3, 32767])
def test_levels_are_added_as_plain_matrix_products_add_them(log2, most):
    random = np.random.default_rng(log2)
    side = 1 << log2
    matrix = TRANSFORM[log2 - 2, :side, :side]
    scratch = np.zeros((2, 32, 32), np.int32)
    for count in (1, 2, side, side * side):
        positions = np.sort(random.permutation(side * side)[:count]).astype(np.uint16)
        levels = random.choice([-most, most, 1, -1], count).astype(np.int16)
        samples = random.integers(0, 256, (side, side + 5)).astype(np.uint8)
        places = SCANS[log2 - 2, positions]
        coefficients = np.zeros((side, side), np.int64)
        coefficients[places >> 5, places & 31] = np.clip(levels.astype(np.int64) * 23, -32768, 32767)
        halfway = wrap(matrix.T.astype(np.int64) @ coefficients + 64) >> 7
        residual = wrap(halfway @ matrix + (1 << (6 + log2))) >> (7 + log2)
        expected = samples.copy()
        expected[:, :side] = np.clip(wrap(samples[:, :side] + residual), 0, 255)
        run_add_levels(positions, levels, log2, 23, scratch, samples.ctypes.data, samples.shape[1])
        np.testing.assert_array_equal(expected, samples)
        assert not scratch[0].any()


def wrap(numbers):
    """As 32 bits hold them."""
    return numbers.astype(np.int32).astype(np.int64)


@njit
def run_forward(a, b, side, basis, transposed, reals):
    differences(side, a, 40, b, 40, reals)
    real_product(side, basis, reals, reals + 4096)
    real_product(side, reals + 4096, transposed, reals + 8192)


@pytest.mark.parametrize("log2", [2, 3, 4, 5])
def test_forward_transform_is_orthonormal_and_says_what_is_large(log2):
    random = np.random.default_rng(log2)
    side = 1 << log2
    a, b = (random.integers(0, 256, (side, 40)).astype(np.uint8) for _ in range(2))
    reals = np.zeros((4, 32, 32), np.float32)
    basis = FORWARD[log2 - 2 :].ctypes.data
    run_forward(
        a.ctypes.data, b.ctypes.data, side, basis, FORWARD_TRANSPOSED[log2 - 2 :].ctypes.data, reals.ctypes.data
    )
    residual = a[:, :side].astype(float) - b[:, :side]
    matrix = FORWARD[log2 - 2, :side, :side].astype(float)
    expected = matrix @ residual @ matrix.T
    np.testing.assert_allclose(expected, reals[2, :side, :side], atol=0.05)
    for threshold in (0.5, 60.0, 5000.0):
        packed = run_occupancy(side, reals[2:].ctypes.data, np.float32(threshold), reals[3:].ctypes.data)
        large = np.abs(reals[2, :side, :side]) >= threshold
        last = 64 * np.flatnonzero(large.any(1))[-1] + np.flatnonzero(large.any(0))[-1] if large.any() else -1
        assert last == packed
        assert reals[3, 0, 0] == pytest.approx((residual**2).sum(), rel=1e-3)


@njit
def run_occupancy(side, x, threshold, energy):
    return occupancy(side, x, threshold, energy)


@njit
def run_hadamard(a, a_stride, b, c, stride):
    return hadamard_8x8(a, a_stride, b, c, stride)


def test_hadamard_sum_is_that_of_plain_matrices():
    random = np.random.default_rng(0)
    matrix = np.array([[1]])
    for _ in range(3):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    for values in (256, 2):
        a, b, c = ((255 // (values - 1)) * random.integers(0, values, (3, 8, 20)).astype(int)).astype(np.uint8)
        mean = (b[:, :8].astype(int) + c[:, :8] + 1) >> 1
        expected = np.abs(matrix @ (a[:, :8] - mean) @ matrix).sum()
        assert expected == run_hadamard(a.ctypes.data, 20, b.ctypes.data, c.ctypes.data, 20)


@pytest.mark.parametrize("shape", [(1, 1), (9, 3), (37, 51)])
def test_wiener_filter_is_fitted_to_every_other_strip_of_eight_rows(shape):
    random = np.random.default_rng(1)
    source, decoded = random.integers(0, 256, (2, *shape)).astype(np.uint8)
    padded = np.pad(decoded.astype(int), 2, mode="edge")
    rows, columns = shape

    def moved(down, right):
        difference = padded[2 + down : 2 + down + rows, 2 + right : 2 + right + columns] - decoded
        return np.clip(difference, -WIENER_CLIP, WIENER_CLIP)

    seen = np.arange(rows) // 8 % 2 == 0
    features = np.array([(moved(y, x) + moved(-y, -x))[seen].ravel() for y, x in WIENER_PLACES.tolist()])
    products, sums = np.zeros((12, 12), np.int64), np.zeros(12, np.int64)
    add_products(source, padded.astype(np.uint8), products, sums)
    np.testing.assert_array_equal(features @ features.T, products)
    np.testing.assert_array_equal(features @ (source.astype(int) - decoded)[seen].ravel(), sums)


def test_wiener_filter_is_that_of_plain_sums():
    random = np.random.default_rng(0)
    luma = random.integers(0, 256, (70, 131)).astype(np.uint8)
    taps = random.integers(-127, 128, 12).astype(np.int8)
    flags = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    padded = np.pad(luma.astype(int), 2, mode="edge")

    def moved(down, right):
        difference = padded[2 + down : 72 + down, 2 + right : 133 + right] - luma
        return np.clip(difference, -WIENER_CLIP, WIENER_CLIP)

    total = 64 + sum(
        int(tap) * (moved(down, right) + moved(-down, -right))
        for tap, (down, right) in zip(taps, WIENER_PLACES, strict=True)
    )
    better = np.clip(luma + (total >> 7), 0, 255)
    chosen = np.kron(flags, np.ones((64, 64)))[:70, :131] == 1
    np.testing.assert_array_equal(np.where(chosen, better, luma), apply_wiener(luma, WienerFilter(taps, flags)))


def test_places_of_a_root_come_in_the_order_of_quarters_of_quarters():
    def order(row, column, side):
        if side == 1:
            return [(row, column)]
        half = side // 2
        return [place for q in range(4) for place in order(row + (q >> 1) * half, column + (q & 1) * half, half)]

    assert list(range(64)) == [MORTON[place] for place in order(0, 0, 8)]


def test_vectors_beyond_the_limit_are_refused(coded):
    header, pictures = coded("gray")
    longest = np.abs(pictures[1].leaves[:, 8:10]).max()
    assert longest > 0
    first, vectors = decode_blocks(pictures[0], None, None, None, header.coded_format, 0)
    with pytest.raises(BitstreamError, match="longer than 0 quarter samples"):
        decode_blocks(pictures[1], Reference(first), vectors, None, header.coded_format, 0)
    assert isinstance(first, Picture)


@pytest.mark.parametrize("candidate", [1, 2, 3])
def test_a_merge_candidate_that_is_not_there_is_refused(noise, candidate):
    """Where nothing has moved yet a leaf has one candidate, which stands still."""
    (reference,) = noise("gray", 8, 8, 1)
    nothing, levels = np.zeros(0, np.uint16), np.zeros(0, np.int16)
    for merge in (0, candidate):
        leaf = np.array([[3, SKIP, merge, *(0,) * 9]], np.int32)
        arguments = (
            CodedBlocks(0, 0, leaf, nothing, nothing, levels, None),
            Reference(reference),
            None,
            None,
            reference.format,
        )
        if merge == 0:
            assert reference.same_samples(decode_blocks(*arguments, 0)[0])
        else:
            with pytest.raises(BitstreamError, match="merges with a candidate that it does not have"):
                decode_blocks(*arguments, 0)


# ------------------------------------------------------------------------- commands


def test_info_knows_what_a_file_is_without_the_decoder_and_shares_when_asked(tmp_path, moving, mvz):
    path = write(tmp_path / "clip.mvz", moving("rgb", 52, 39, 3), qp=30)
    code, quick, _ = mvz("info", path)
    assert 0 == code
    assert "residual dct of yuv420; motion block of 8×8 to 32×32" in quick
    assert "--pictures estimates what each takes" in quick
    code, whole, _ = mvz("info", path, "--pictures")
    assert 0 == code
    assert "≈ estimated" in whole
    with codec.open(path) as video:
        shares = sum(picture.total_bytes for picture in video.info.pictures)
        known = [picture.total_bytes for picture in video.inventory(shares=False).pictures]
        of_file = sum(video.info.bytes.values())
    assert [None] * 3 == known
    assert shares == pytest.approx(of_file, abs=400)  # but for what belongs to no packet of pictures
