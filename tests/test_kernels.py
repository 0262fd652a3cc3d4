"""Every kernel against a plain twin, written from the formula and not from the kernel."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

import ast
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
import pytest

import codec
from codec.coded import SequenceHeader
from codec.models import MotionModel, ResidualCoder, Speed
from codec.motion.block_search import Searched, Windows, match_windows, search_blocks
from codec.motion.compensate import (
    Reference,
    cell_rectangle,
    compensate,
    compensate_planes,
    plane_geometry,
)
from codec.motion.field import MAX_VECTOR_QUARTER_PEL, CellMode, MotionField, grid_shape
from codec.motion.half_planes import BORDER, HalfPlanes, bordered, half_planes, place_within, quarter_offsets
from codec.motion.mesh_search import blend_sse, corners_of, search_mesh, warp_sse
from codec.motion.quarter_planes import moved_address, pair_of, quarter_planes
from codec.motion.taps import SIXTEENTH_TAPS
from codec.picture.edges import extended, put_extended
from codec.picture.planes import SampleFormat, Subsampling
from codec.reconstruct import History, predict
from codec.residual.coders import CODERS
from codec.residual.levels import PlaneResidual, Quantiser
from codec.residual.quantised import dequantise, quantise
from codec.residual.samples import add_residual, code_plane, walk_neighbours
from codec.vector_kernels import put_between, put_means, rectangle_sse

CELL_SIZES = (4, 8, 16, 32)
SUBSAMPLINGS = (Subsampling(0, 0), Subsampling(0, 1), Subsampling(1, 1))
LUMA_SIZES = ((1, 1), (1, 19), (19, 1), (13, 22), (37, 41))  # (height, width)
ALL_RESIDUALS = np.arange(-255, 256, dtype=np.int16)


# ------------------------------------------------------------------------- edges


@pytest.mark.parametrize("shape", [*LUMA_SIZES, (288, 352)])
def test_extended_planes_repeat_their_outermost_samples(shape):
    plane = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for before, after in (((0, 0), (0, 0)), ((3, 1), (0, 2)), ((42, 42), (43, 50))):
        expected = np.pad(plane, list(zip(before, after, strict=True)), mode="edge")
        np.testing.assert_array_equal(expected, extended(plane, before, after))
        target = np.full(expected.shape, 77, np.uint8)
        put_extended(plane, *before, target)
        np.testing.assert_array_equal(expected, target)


# ------------------------------------------------------------------------- interpolation

# The table of the specification, phases 0…8; 9…15 are 7…1 from right to left
TAPS = (
    (0, 0, 0, 64, 0, 0, 0, 0),
    (0, 1, -3, 63, 4, -2, 1, 0),
    (-1, 2, -5, 62, 8, -3, 1, 0),
    (-1, 3, -8, 60, 13, -4, 1, 0),
    (-1, 4, -10, 58, 17, -5, 1, 0),
    (-1, 4, -11, 52, 26, -8, 3, -1),
    (-1, 3, -9, 47, 31, -10, 4, -1),
    (-1, 4, -11, 45, 34, -10, 4, -1),
    (-1, 4, -11, 40, 40, -11, 4, -1),
)


def taps_of(phase):
    return TAPS[phase] if phase <= 8 else TAPS[16 - phase][::-1]


def full_twin(reference, y, x):
    """Samples at (y, x), arrays; beyond an edge the nearest."""
    height, width = reference.shape
    return reference[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(np.int64)


def six_taps(n):
    """(place, weight) of a half sample, sum 32; ``n`` says how sharp it is."""
    return ((-2, 1), (-1, -n), (0, 15 + n), (1, 15 + n), (2, -n), (3, 1))


def half_twin(reference, y, x, down, right, n):
    """Samples at (y, x), arrays, or halfway to the one below, to the right, or both, which ``down`` and ``right`` say.

    Six taps one way or both, rounded and cut to 0…255 once, at the end.
    """
    total = np.zeros(np.shape(y), np.int64)
    for (j, below), (i, beside) in product(*(six_taps(n) if way else [(0, 32)] for way in (down, right))):
        total += below * beside * full_twin(reference, y + j, x + i)
    return np.clip((total + 512) // 1024, 0, 255)


# The letters of H.264's figure of quarter samples: where half samples lie, (down, right) in halves …
HALVES = {"G": (0, 0), "b": (0, 1), "h": (1, 0), "j": (1, 1), "H": (0, 2), "M": (2, 0), "m": (1, 2), "s": (2, 1)}
# … and which two each quarter sample is the mean of, rounded up at a half
QUARTER_MEANS = (("G", "Gb", "b", "Hb"), ("Gh", "bh", "bj", "bm"), ("h", "hj", "j", "jm"), ("Mh", "hs", "js", "ms"))


def quarter_twin(reference, y, x, n=5):
    """Samples at (y, x) quarter samples, arrays."""
    result = np.zeros(np.shape(y), np.int64)
    for down, right in product(range(4), range(4)):
        here = (y % 4 == down) & (x % 4 == right)
        if here.any():
            names = QUARTER_MEANS[down][right]
            one, other = (
                half_twin(reference, y[here] // 4 + j // 2, x[here] // 4 + i // 2, j % 2, i % 2, n)
                for j, i in (HALVES[names[0]], HALVES[names[-1]])
            )
            result[here] = (one + other + 1) // 2
    return result


def bilinear_twin(reference, y, x):
    """Samples at (y, x) sixteenths, arrays: the four around them, by nearness."""
    corners = (
        (16 - abs(y % 16 - 16 * j)) * (16 - abs(x % 16 - 16 * i)) * full_twin(reference, y // 16 + j, x // 16 + i)
        for j, i in product(range(2), range(2))
    )
    return (sum(corners) + 128) // 256


def sample_twin(reference, y, x):
    """Samples at (y, x) sixteenths, arrays: 8 × 8 taps, sum 64 each way, each clamped to the plane."""
    table = np.array([taps_of(phase) for phase in range(16)])
    total = np.zeros(np.shape(y), np.int64)
    for j, i in product(range(8), range(8)):
        total += table[y % 16, j] * table[x % 16, i] * full_twin(reference, y // 16 + j - 3, x // 16 + i - 3)
    return np.clip((total + 2048) // 4096, 0, 255)


def mesh_displacement(vectors, cell_rows, cell_columns, y, x, units):
    """Sixteenths of this plane's samples by which WARP moves the sample at (y, x): the bilinear mean of corners,

    rounded to a sixteenth, halves up.
    """
    row, v = divmod(y, cell_rows)
    column, u = divmod(x, cell_columns)
    area = cell_rows * cell_columns
    moved = []
    for component in range(2):
        d00, d10, d01, d11 = (int(vectors[row + j, column + i, component]) for j, i in ((0, 0), (0, 1), (1, 0), (1, 1)))
        weighted = (
            (cell_columns - u) * (cell_rows - v) * d00
            + u * (cell_rows - v) * d10
            + (cell_columns - u) * v * d01
            + u * v * d11
        )
        moved.append((2 * weighted * units[component] + area) // (2 * area))
    return tuple(moved)


def compensation_twin(field, reference, subsampling, n=5):
    """Quarter luma samples are four sixteenths of a luma sample, and two of one that is half as dense.

    What one vector moves comes from quarter samples of six taps; of a subsampled plane, from between four samples.
    """
    cell_rows, cell_columns = cell = field.cell_size >> subsampling.log2_y, field.cell_size >> subsampling.log2_x
    units = 4 >> subsampling.log2_y, 4 >> subsampling.log2_x
    y, x = np.indices(reference.shape)
    row, v = np.divmod(y, cell_rows)
    column, u = np.divmod(x, cell_columns)

    def moved_by(vectors):
        dy, dx = vectors[..., 0], vectors[..., 1]
        if subsampling == (0, 0):
            return quarter_twin(reference, 4 * y + dy, 4 * x + dx, n)
        return bilinear_twin(reference, 16 * y + units[0] * dy, 16 * x + units[1] * dx)

    vectors = field.vectors_quarter_pel.astype(np.int64)
    if field.model is MotionModel.BLOCK:
        return moved_by(vectors[row, column])
    displacements = [mesh_displacement(vectors, *cell, j, i, units) for j, i in np.ndindex(reference.shape)]
    dy, dx = np.array(displacements).T.reshape(2, *reference.shape)
    warp = sample_twin(reference, 16 * y + dy, 16 * x + dx)
    weights = ((cell_rows - v) * (cell_columns - u), (cell_rows - v) * u, v * (cell_columns - u), v * u)
    corners = ((0, 0), (0, 1), (1, 0), (1, 1))
    total = sum(w * moved_by(vectors[row + j, column + i]) for w, (j, i) in zip(weights, corners, strict=True))
    area = cell_rows * cell_columns
    blend = (2 * total + area) // (2 * area)
    own = moved_by(field.own_quarter_pel.astype(np.int64)[row, column])
    return np.choose(field.modes[row, column], [warp, blend, own])


def plane_shape(luma_size, subsampling):
    return tuple(-(-side // (1 << log2)) for side, log2 in zip(luma_size, subsampling, strict=True))


def fields(random, model, cell_size, luma_size):
    """Vectors that are small, that reach far outside, and that jump from limit to limit; modes at random."""
    extremes = [-MAX_VECTOR_QUARTER_PEL, MAX_VECTOR_QUARTER_PEL, MAX_VECTOR_QUARTER_PEL - 1]
    yield random_field(random, model, cell_size, luma_size, range(-30, 31))
    yield random_field(random, model, cell_size, luma_size, range(-4 * 40, 4 * 40 + 1))
    yield random_field(random, model, cell_size, luma_size, extremes)
    yield random_field(random, model, cell_size, luma_size, extremes).doubled()  # to the older reference


def random_field(random, model, cell_size, luma_size, values):
    """A field whose components are drawn from ``values``."""
    height, width = luma_size
    vectors = random.choice(values, (*grid_shape(model, cell_size, width, height), 2)).astype(np.int16)
    if model is MotionModel.BLOCK:
        return MotionField(model, cell_size, vectors)
    cells = grid_shape(MotionModel.BLOCK, cell_size, width, height)
    modes = random.integers(0, 3, cells).astype(np.uint8)
    own = random.choice(values, (*cells, 2)).astype(np.int16)
    own[modes != CellMode.OWN] = 0
    return MotionField(model, cell_size, vectors, modes, own)


def predicted(field, reference, subsampling, n=5):
    """What the kernels make of a plane."""
    halves = bordered(reference) if any(subsampling) else half_planes(reference, n)
    return compensate_planes(field, [halves], [subsampling])[0]


def planes(random, shape):
    """Random samples, and only the darkest and brightest."""
    yield random.integers(0, 256, shape, np.uint8)
    yield random.choice([0, 255], shape).astype(np.uint8)


def test_taps_are_those_of_the_specification():
    assert [list(taps_of(phase)) for phase in range(16)] == SIXTEENTH_TAPS.tolist()
    assert {64} == set(SIXTEENTH_TAPS.sum(axis=1).tolist())


def test_taps_find_a_place_on_a_ramp_to_a_64th():
    for phase in range(16):
        assert abs(SIXTEENTH_TAPS[phase] @ np.arange(-3, 5) - 4 * phase) <= 1


def test_sums_down_of_taps_leave_sixteen_bits():
    for taps in SIXTEENTH_TAPS.astype(int):
        assert -(2**15) <= 255 * taps[taps < 0].sum() and 255 * taps[taps > 0].sum() < 2**15


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS, ids=["full", "half", "quarter"])
@pytest.mark.parametrize("cell_size", CELL_SIZES)
@pytest.mark.parametrize("model", [MotionModel.BLOCK, MotionModel.MESH])
def test_compensation_equals_its_twin(model, cell_size, subsampling):
    random = np.random.default_rng(cell_size)
    for luma_size in LUMA_SIZES:
        for field in fields(random, model, cell_size, luma_size):
            for reference in planes(random, plane_shape(luma_size, subsampling)):
                for n in (5, 4) if subsampling == (0, 0) else (5,):
                    expected = compensation_twin(field, reference, subsampling, n)
                    np.testing.assert_array_equal(expected, predicted(field, reference, subsampling, n))


def test_every_pair_of_filter_phases_equals_the_twin():
    random = np.random.default_rng(1)
    reference = random.integers(0, 256, (64, 64), np.uint8)
    field = replace(
        random_field(random, MotionModel.MESH, 8, (64, 64), range(-30, 31)), modes=np.zeros((8, 8), np.uint8)
    )
    moved = [mesh_displacement(field.vectors_quarter_pel, 8, 8, y, x, (4, 4)) for y, x in np.ndindex(reference.shape)]
    assert set(product(range(16), repeat=2)) == {(dy % 16, dx % 16) for dy, dx in moved}
    full = Subsampling(0, 0)
    np.testing.assert_array_equal(compensation_twin(field, reference, full), predicted(field, reference, full))


@pytest.mark.parametrize(("model", "mode"), [(MotionModel.BLOCK, 0), *((MotionModel.MESH, mode) for mode in CellMode)])
def test_one_vector_for_all_shifts_the_picture(model, mode):
    reference = np.random.default_rng(2).integers(0, 256, (20, 30), np.uint8)
    vectors = np.full((*grid_shape(model, 8, 30, 20), 2), (4 * 3, -4 * 2), np.int16)
    cells = grid_shape(MotionModel.BLOCK, 8, 30, 20)
    field = MotionField(model, 8, vectors, np.full(cells, mode, np.uint8), np.full((*cells, 2), (12, -8), np.int16))
    padded = np.pad(reference, 3, mode="edge")
    np.testing.assert_array_equal(
        padded[3 + 3 : 3 + 3 + 20, 3 - 2 : 3 - 2 + 30],
        predicted(field, reference, Subsampling(0, 0)),
    )


@pytest.mark.parametrize("sample_format", SampleFormat, ids=lambda sample_format: sample_format.label)
def test_each_plane_is_compensated_with_its_own_subsampling(sample_format, noise):
    (reference,) = noise(sample_format.label, 21, 17, count=1)
    random = np.random.default_rng(3)
    for model in (MotionModel.BLOCK, MotionModel.MESH):
        field = random_field(random, model, 8, (17, 21), range(-40, 41))
        predictions = compensate(field, Reference(reference))
        subsamplings = {
            SampleFormat.YUV420: [(0, 0), (1, 1), (1, 1)],
            SampleFormat.YUV422: [(0, 0), (0, 1), (0, 1)],
        }.get(sample_format, [(0, 0)] * 3)
        for plane, prediction, subsampling in zip(reference.planes, predictions, subsamplings, strict=False):
            expected = compensation_twin(field, plane, Subsampling(*subsampling))
            np.testing.assert_array_equal(expected, prediction)


@pytest.mark.parametrize("mode", ["rgb", "yuv420"])
@pytest.mark.parametrize("coder", ResidualCoder, ids=lambda coder: coder.label)
def test_the_coder_says_how_sharp_half_samples_are_and_older_pictures_move_twice_as_far(coder, mode, noise):
    older, newer = noise(mode, 21, 17, count=2)
    header = SequenceHeader(newer.format, Fraction(25), coder, MotionModel.MESH, 8, 60, 9)
    history = History().after(older, header).after(newer, header)
    field = random_field(np.random.default_rng(4), MotionModel.MESH, 8, (17, 21), range(-60, 61))
    twice = replace(field, vectors_quarter_pel=2 * field.vectors_quarter_pel, own_quarter_pel=2 * field.own_quarter_pel)
    n = 5 if coder in (ResidualCoder.LOSSLESS, ResidualCoder.DCT) else 4
    for references in (0, 1, 2):
        predictions = predict(field, references, history)
        assert references == len(predictions)
        for moved, picture, prediction in zip((field, twice), (newer, older), predictions, strict=False):
            subsamplings = picture.format.sample_format.subsampling
            for plane, subsampling, found in zip(picture.planes, subsamplings, prediction, strict=True):
                np.testing.assert_array_equal(compensation_twin(moved, plane, subsampling, n), found)


def test_without_a_field_the_prediction_is_the_reference(noise):
    (reference,) = noise("yuv420", 7, 5, count=1)
    assert all(map(np.array_equal, reference.planes, compensate(None, Reference(reference))))


# ------------------------------------------------------------------------- vectors as differences


def prediction_twin(vectors, row, column, component):
    """Median of left, above and above right; above left in the last column; the only one there is at the edges."""
    if row == 0 and column == 0:
        return 0
    if row == 0:
        return int(vectors[0][column - 1][component])
    if column == 0:
        return int(vectors[row - 1][0][component])
    last = column == len(vectors[0]) - 1
    return median(
        (
            int(vectors[row][column - 1][component]),
            int(vectors[row - 1][column][component]),
            int(vectors[row - 1][column - 1 if last else column + 1][component]),
        )
    )


def vector_grids():
    random = np.random.default_rng(4)
    for rows, columns in ((1, 1), (1, 7), (7, 1), (2, 2), (5, 8), (9, 6)):
        yield random.integers(-20, 21, (rows, columns, 2)).astype(np.int16)
        yield random.integers(-MAX_VECTOR_QUARTER_PEL, MAX_VECTOR_QUARTER_PEL + 1, (rows, columns, 2)).astype(np.int16)
        yield random.choice([-MAX_VECTOR_QUARTER_PEL, MAX_VECTOR_QUARTER_PEL], (rows, columns, 2)).astype(np.int16)


def test_differences_are_vectors_minus_their_median_prediction():
    for vectors in vector_grids():
        expected = [
            [[int(v[c]) - prediction_twin(vectors, y, x, c) for c in range(2)] for x, v in enumerate(row)]
            for y, row in enumerate(vectors)
        ]
        assert expected == MotionField(MotionModel.BLOCK, 8, vectors).differences().tolist()


def test_differences_give_the_vectors_back():
    for vectors in vector_grids():
        differences = MotionField(MotionModel.BLOCK, 8, vectors).differences()
        (field,) = MotionField.all_from_differences(MotionModel.BLOCK, 8, differences[None], MAX_VECTOR_QUARTER_PEL)
        np.testing.assert_array_equal(vectors, field.vectors_quarter_pel)


def test_fields_of_several_pictures_do_not_look_at_each_other():
    vectors = np.random.default_rng(2).integers(-99, 100, (3, 4, 5, 2)).astype(np.int16)
    differences = np.stack([MotionField(MotionModel.BLOCK, 8, of_picture).differences() for of_picture in vectors])
    fields = MotionField.all_from_differences(MotionModel.BLOCK, 8, differences, MAX_VECTOR_QUARTER_PEL)
    assert vectors.tolist() == [field.vectors_quarter_pel.tolist() for field in fields]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_vector_at_the_limit_passes_and_one_beyond_does_not(sign):
    vectors = np.zeros((3, 4, 2), np.int16)
    vectors[1, 2, 1] = 60 * sign
    differences = MotionField(MotionModel.BLOCK, 8, vectors).differences()
    (field,) = MotionField.all_from_differences(MotionModel.BLOCK, 8, differences[None], 60)
    assert 60 * sign == field.vectors_quarter_pel[1, 2, 1]
    with pytest.raises(ValueError, match="beyond ±59"):
        MotionField.all_from_differences(MotionModel.BLOCK, 8, differences[None], 59)


@pytest.mark.parametrize("value", [-32768, 32767])
def test_differences_that_add_up_beyond_16_bits_do_not_wrap_into_the_limit(value):
    differences = np.full((4, 4, 2), value, np.int16)
    with pytest.raises(ValueError, match="beyond"):
        MotionField.all_from_differences(MotionModel.BLOCK, 8, differences[None], MAX_VECTOR_QUARTER_PEL)


# ------------------------------------------------------------------------- block search


def best_vector_twin(source, reference, top, left, size, search_range):
    """Least squared error, then least dy² + dx², then dy, then dx; samples beyond edges repeat."""
    height, width = source.shape
    rows, columns = np.mgrid[max(top, 0) : min(top + size, height), max(left, 0) : min(left + size, width)]
    window = source[rows, columns].astype(int)
    axis = range(-search_range, search_range + 1)
    _, _, dy, dx = min(
        (
            int(
                (
                    (window - reference[np.clip(rows + dy, 0, height - 1), np.clip(columns + dx, 0, width - 1)]) ** 2
                ).sum()
            ),
            dy * dy + dx * dx,
            dy,
            dx,
        )
        for dy, dx in product(axis, axis)
    )
    return [4 * dy, 4 * dx]


def search_pairs(moving, noise):
    """Moving texture, noise, few values (many ties), and nothing but ties."""
    for height, width in ((1, 1), (1, 9), (9, 1), (17, 22)):
        yield tuple(picture.planes[0] for picture in moving("gray", width, height, count=2))
        yield tuple(picture.planes[0] for picture in noise("gray", width, height, count=2))
        yield tuple(picture.planes[0] for picture in noise("gray", width, height, count=2, values=2))
        yield np.zeros((height, width), np.uint8), np.full((height, width), 255, np.uint8)


def searched(source, reference, search_range, speed):
    return Searched(source, reference, half_planes(reference), 4 * search_range, speed, None)


def block_search(source, reference, cell_size, search_range, speed=Speed.SLOW):
    return search_blocks(searched(source, reference, search_range, speed), cell_size)


def mesh_search(source, reference, cell_size, search_range, speed=Speed.SLOW):
    return search_mesh(searched(source, reference, search_range, speed), cell_size)


CELLS_AND_RANGES = [(4, 0), (4, 3), (8, 5), (16, 2)]


@pytest.mark.parametrize(("cell_size", "search_range"), CELLS_AND_RANGES)
def test_full_search_finds_what_brute_force_finds(cell_size, search_range, moving, noise):
    for reference, source in search_pairs(moving, noise):
        tops, lefts = (np.arange(0, side, cell_size) for side in source.shape)
        expected = [
            [best_vector_twin(source, reference, top, left, cell_size, search_range) for left in lefts] for top in tops
        ]
        assert expected == match_windows(source, reference, Windows(tops, lefts, cell_size), search_range).tolist()


@pytest.mark.parametrize("speed", Speed, ids=lambda speed: speed.label)
@pytest.mark.parametrize(("cell_size", "search_range"), CELLS_AND_RANGES)
def test_block_search_keeps_to_its_range_and_beats_no_motion(cell_size, search_range, speed, moving, noise):
    for reference, source in search_pairs(moving, noise):
        field = block_search(source, reference, cell_size, search_range, speed)
        assert grid_shape(MotionModel.BLOCK, cell_size, *source.shape[::-1]) == field.vectors_quarter_pel.shape[:2]
        assert np.abs(field.vectors_quarter_pel).max() <= 4 * search_range
    reference, source = (picture.planes[0] for picture in moving("gray", 48, 40, count=2))
    field = block_search(source, reference, cell_size, max(search_range, 1), speed)
    assert 2 * squared_error(field, source, reference) < still_error(source, reference)


WHOLES = ((0, 0), (-1, 1), (7, -10), (-60, 2), (60, -60), (-2, 60), (1024, -2048))  # of displacements


@pytest.mark.parametrize("n", [5, 4])
@pytest.mark.parametrize("shape", [(1, 1), (1, 23), (21, 1), (19, 26)])
def test_quarter_samples_are_the_means_that_half_planes_and_quarter_planes_give(shape, n):
    random = np.random.default_rng(8)
    y, x = np.indices(shape)
    for reference in planes(random, shape):
        halves = half_planes(reference, n)
        quarters = quarter_planes(halves)
        size, stride = halves.layout[:2]
        pair = pair_of(reference, halves.samples, quarters, halves.layout)
        assert quarters.size == 16 * size
        for (down, right), *phase in product(WHOLES, range(4), range(4)):
            dy, dx = 4 * down + phase[0], 4 * right + phase[1]
            expected = quarter_twin(reference, 4 * y + dy, 4 * x + dx, n)
            # where one rectangle of the picture's size lies, as a kernel looks it up
            place = place_within(halves.layout, dy >> 2, dx >> 2) + y * stride + x
            offsets = quarter_offsets(halves.layout, 0, 0, dy, dx)
            one, other = (halves.samples[offset + y * stride + x].astype(int) for offset in offsets)
            np.testing.assert_array_equal(expected, (one + other + 1) >> 1)
            at = (4 * (dy % 4) + dx % 4) * size + place
            np.testing.assert_array_equal(expected, quarters[at])
            assert at[0, 0] == moved_address(pair, 0, 0, dy, dx) - pair.quarters


def test_a_half_sample_is_cut_to_the_range_where_its_taps_leave_it():
    dark, bright = np.full((6, 6), 255, np.uint8), np.zeros((6, 6), np.uint8)
    dark[2:4, 2:4], bright[2:4, 2:4] = 0, 255
    for (reference, value), n in product(((dark, 0), (bright, 255)), (5, 4)):
        samples, (size, stride, *_) = half_planes(reference, n)
        at = (BORDER + 2) * stride + BORDER + 2
        assert [value] * 4 == [int(samples[number * size + at]) for number in range(4)]


@pytest.mark.parametrize("rows", [1, 4, 9, 23, 32])
@pytest.mark.parametrize("columns", [1, 4, 7, 8, 15, 16, 17, 24, 31, 32])
def test_sums_over_rectangles_and_means_of_rectangles_equal_their_twins(rows, columns):
    random = np.random.default_rng(columns)
    for low in (0, 255):
        a = random.integers(0, 256, (40, 50), np.uint8)
        b, c = random.integers(low, 256, (2, 45, 64), np.uint8)
        (first, second), target = (plane[5 : 5 + rows, 7 : 7 + columns].astype(int) for plane in (b, c)), a.copy()
        means = (first + second + 1) // 2
        here, there, other = a.ctypes.data + 3 * 50 + 2, b.ctypes.data + 5 * 64 + 7, c.ctypes.data + 5 * 64 + 7
        expected = ((a[3 : 3 + rows, 2 : 2 + columns].astype(int) - means) ** 2).sum()
        arguments = (here, 50, there, other, 64, rows, columns)
        assert expected == rectangle_sse(*arguments, 1 << 30)
        assert expected >= rectangle_sse(*arguments, expected // 2 + 1) > expected // 2

        put_means(target.ctypes.data + 3 * 50 + 2, 50, there, other, 64, rows, columns)
        wanted = a.copy()
        wanted[3 : 3 + rows, 2 : 2 + columns] = means
        np.testing.assert_array_equal(wanted, target)


@pytest.mark.parametrize("columns", [1, 7, 8, 15, 16, 17, 24, 32])
def test_rectangles_between_samples_equal_their_twin(columns):
    random = np.random.default_rng(columns)
    y, x = np.mgrid[5 : 5 + 9, 7 : 7 + columns]
    for plane, (down, right) in product(planes(random, (45, 64)), product((0, 1, 8, 15), repeat=2)):
        target = np.full((12, 50), 7, np.uint8)
        put_between(target.ctypes.data + 2 * 50 + 3, 50, plane.ctypes.data + 5 * 64 + 7, 64, down, right, 9, columns)
        wanted = np.full_like(target, 7)
        wanted[2 : 2 + 9, 3 : 3 + columns] = bilinear_twin(plane, 16 * y + down, 16 * x + right)
        np.testing.assert_array_equal(wanted, target)


def test_windows_that_begin_outside_the_picture_are_cut(moving):
    reference, source = (picture.planes[0] for picture in moving("gray", 18, 15, count=2))
    tops, lefts = np.array([-4, 4, 12]), np.array([-4, 4, 12])
    expected = [[best_vector_twin(source, reference, top, left, 8, 3) for left in lefts] for top in tops]
    assert expected == match_windows(source, reference, Windows(tops, lefts, 8), 3).tolist()


def test_equal_matches_take_the_shortest_vector():
    stripes = np.tile(np.array([0, 50, 100, 150], np.uint8), (16, 8))  # repeats every four columns
    shifted = np.roll(stripes, 2, axis=1)
    vectors = match_windows(shifted, stripes, Windows(np.array([0, 8]), np.arange(0, 32, 8), 8), 7)
    assert [[0, -8]] * 2 == vectors[:, 1].tolist()  # two to the left, not two to the right, nor six


def test_a_full_sample_shift_is_found_everywhere_inside(moving):
    (picture,) = moving("gray", 48, 48, count=1, seed=5)
    wide = picture.planes[0]
    reference, source = (np.ascontiguousarray(part) for part in (wide[:32, :32], wide[3:35, 5:37]))
    vectors = block_search(source, reference, 8, 7).vectors_quarter_pel
    assert {(12, 20)} == {tuple(vector) for vector in vectors[:3, :3].reshape(-1, 2).tolist()}


# ------------------------------------------------------------------------- mesh search


def squared_error(field, source, reference):
    prediction = predicted(field, reference, Subsampling(0, 0))
    return int(((source.astype(int) - prediction) ** 2).sum())


def still_error(source, reference):
    return int(((source.astype(int) - reference) ** 2).sum())


def resampled(texture, size, y, x):
    """``texture`` at real places (y, x), bilinear, as uint8."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    v, u = y - top, x - left
    samples = (
        (1 - v) * (1 - u) * texture[top, left]
        + (1 - v) * u * texture[top, left + 1]
        + v * (1 - u) * texture[top + 1, left]
        + v * u * texture[top + 1, left + 1]
    )
    return samples.reshape(size).round().astype(np.uint8)


@pytest.fixture(scope="module")
def texture(moving):
    """A smooth plane of 128 × 128."""
    (picture,) = moving("gray", 128, 128, count=1, seed=6, low=10, high=245)
    plane = picture.planes[0].astype(float)
    for axis in (0, 1, 0, 1, 0, 1):
        plane = (plane + np.roll(plane, 1, axis) + np.roll(plane, 2, axis)) / 3
    return 10 + 235 * (plane - plane.min()) / np.ptp(plane)


def test_mesh_search_is_never_worse_than_no_motion(moving, noise):
    for reference, source in search_pairs(moving, noise):
        for cell_size in (4, 16):
            field = mesh_search(source, reference, cell_size, 3)
            assert grid_shape(MotionModel.MESH, cell_size, *source.shape[::-1]) == field.vectors_quarter_pel.shape[:2]
            assert np.abs(field.vectors_quarter_pel).max() <= 4 * 3
            assert squared_error(field, source, reference) <= still_error(source, reference)


def test_mesh_search_of_two_equal_pictures_moves_nothing(moving):
    (picture,) = moving("gray", 33, 29, count=1)
    assert not mesh_search(picture.planes[0], picture.planes[0], 8, 7).vectors_quarter_pel.any()


@pytest.mark.parametrize("search", [block_search, mesh_search])
@pytest.mark.parametrize("shift_quarter_pel", [(1, 0), (0, -2), (3, 5), (-6, 7)])
def test_a_shift_between_samples_is_found(shift_quarter_pel, search, texture):
    y, x = np.mgrid[24:88, 24:88].astype(float)
    reference = resampled(texture, (64, 64), y, x)
    dy, dx = shift_quarter_pel
    source = resampled(texture, (64, 64), y + dy / 4, x + dx / 4)
    vectors = search(source, reference, 16, 7).vectors_quarter_pel
    inner = vectors[1:-1, 1:-1].reshape(-1, 2).astype(int)
    assert np.abs(inner - shift_quarter_pel).max() <= 1
    assert [dy, dx] == np.median(inner, axis=0).tolist()


@pytest.mark.parametrize("mode", [CellMode.WARP, CellMode.BLEND])
def test_mesh_search_chooses_only_modes_that_are_allowed(mode, moving):
    reference, source = (picture.planes[0] for picture in moving("gray", 48, 40, count=2))
    field = search_mesh(searched(source, reference, 7, Speed.MEDIUM), 8, allowed=(mode,))
    assert (field.modes == mode).all()
    assert squared_error(field, source, reference) < still_error(source, reference)


@pytest.mark.parametrize("cell_size", CELL_SIZES)
def test_errors_of_mesh_cells_equal_their_twins(cell_size):
    random = np.random.default_rng(cell_size)
    source, reference = random.integers(0, 256, (2, 37, 41), np.uint8)
    vectors = random_field(random, MotionModel.MESH, cell_size, source.shape, range(-60, 61)).vectors_quarter_pel
    cells = grid_shape(MotionModel.BLOCK, cell_size, 41, 37)
    blend = compensation_twin(
        MotionField(MotionModel.MESH, cell_size, vectors, np.full(cells, CellMode.BLEND), np.zeros((*cells, 2), int)),
        reference,
        Subsampling(0, 0),
    )
    y, x = np.indices(source.shape)
    rounded = [mesh_displacement(vectors, cell_size, cell_size, j, i, (1, 1)) for j, i in np.ndindex(source.shape)]
    dy, dx = np.array(rounded).T.reshape(2, *source.shape)
    warp = quarter_twin(reference, 4 * y + dy, 4 * x + dx)
    halves, layout = half_planes(reference)
    quarters = quarter_planes(HalfPlanes(halves, layout))
    pair, geometry = pair_of(source, halves, quarters, layout), plane_geometry(cell_size, Subsampling(0, 0))
    for row, column in np.ndindex(cells):
        top, left, rows, columns = rectangle = cell_rectangle(source.shape, geometry, row, column)
        corners = corners_of(vectors, row, column)
        for prediction, kernel in ((blend, blend_sse), (warp, warp_sse)):
            errors = (source.astype(int) - prediction)[top : top + rows, left : left + columns]
            expected = (errors**2).sum()
            assert expected == kernel(pair, rectangle, geometry[0], corners, 1 << 30)
            assert expected >= kernel(pair, rectangle, geometry[0], corners, expected // 2 + 1) > expected // 2


def test_the_error_of_a_warp_that_leaves_the_planes_has_no_bound():
    plane = np.random.default_rng(5).integers(0, 256, (20, 33), np.uint8)
    halves, layout = half_planes(plane)
    quarters = quarter_planes(HalfPlanes(halves, layout))
    pair = pair_of(plane, halves, quarters, layout)
    reach = 4 * BORDER
    for corner, rectangle in product(range(4), ((0, 0, 16, 16), (16, 32, 4, 1))):
        top, left, rows, columns = rectangle
        first = (-reach - 4 * top, -reach - 4 * left)  # what still lies inside
        last = (reach + 4 * (20 - top - rows) - 1, reach + 4 * (33 - left - columns) - 1)
        for vector, inside in (
            (first, True),
            (last, True),
            ((first[0] - 1, 0), False),
            ((0, first[1] - 1), False),
            ((last[0] + 1, 0), False),
            ((0, last[1] + 1), False),
            ((-4096, 4096), False),
        ):
            corners = tuple(vector if number == corner else (0, 0) for number in range(4))
            assert inside == (warp_sse(pair, rectangle, 4, corners, 1 << 30) < 1 << 30)


def test_mesh_search_follows_a_zoom_that_blocks_cannot(texture):
    y, x = np.mgrid[-32:32, -32:32].astype(float)
    reference = resampled(texture, (64, 64), 60 + y, 60 + x)
    source = resampled(texture, (64, 64), 60 + y / 1.06, 60 + x / 1.06)
    mesh = squared_error(mesh_search(source, reference, 16, 7), source, reference)
    block = squared_error(block_search(source, reference, 16, 7), source, reference)
    assert 3 * mesh < block < still_error(source, reference)


# ------------------------------------------------------------------------- quantisers


def nearest_level(residual, step_256):
    """Residual over step, to the nearest whole number, ties to zero; in exact whole numbers."""
    twice, rest = divmod(2 * 256 * abs(residual) + step_256, 2 * step_256)
    magnitude = twice - (rest == 0)
    return magnitude if residual >= 0 else -magnitude


STEPS_256 = (*range(1, 700), *range(700, 65281, 37), *(256 * step for step in range(1, 256)))


def test_quantise_rounds_to_nearest_with_ties_to_zero():
    for step_256 in (1, 2, 3, 255, 256, 257, 300, 515, *range(512, 65281, 256 * 7), 65280):
        expected = [nearest_level(int(residual), step_256) for residual in ALL_RESIDUALS]
        assert expected == quantise(ALL_RESIDUALS, step_256).tolist()


def test_half_a_step_is_zero_and_a_little_more_is_one():
    assert [0, 0, 0, 1, 1] == quantise(np.array([-4, 0, 4, 5, 12], np.int16), 8 * 256).tolist()
    assert [-1, 1, -2] == quantise(np.array([-5, 9, -13], np.int16), 8 * 256).tolist()


def test_dequantise_rounds_away_from_zero_and_stays_within_255():
    levels = np.arange(-255, 256, dtype=np.int32)
    for step_256 in STEPS_256:
        magnitude = [min((2 * abs(level) * step_256 + 256) // 512, 255) for level in range(256)]
        expected = [-value for value in magnitude[:0:-1]] + magnitude
        assert expected == dequantise(levels, step_256).tolist()


def test_quantising_what_was_dequantised_gives_the_level_back():
    for step in range(1, 256):
        levels = np.arange(-(255 // step), 255 // step + 1, dtype=np.int32)
        np.testing.assert_array_equal(levels, quantise(dequantise(levels, 256 * step), 256 * step))


def test_float16_gives_every_residual_back():
    coder = CODERS[ResidualCoder.FLOAT16]
    quantiser = coder.choose_quantiser(ALL_RESIDUALS, None)
    levels = coder.forward(ALL_RESIDUALS, quantiser)
    assert "<f2" == levels.dtype.str
    assert float(np.abs(levels).max()) == 1.0
    np.testing.assert_array_equal(ALL_RESIDUALS, coder.inverse(levels, quantiser))


def test_float16_rounds_every_level_that_a_file_may_hold_as_exact_arithmetic_does():
    levels = np.arange(1 << 16, dtype=np.uint16).view("<f2")
    levels = levels[np.abs(levels) <= 1]
    # 255 · level has 19 significant bits, exact in binary64; so has its sum with a half
    expected = np.floor(levels.astype(np.float64) * 255 + 0.5)
    coder = CODERS[ResidualCoder.FLOAT16]
    np.testing.assert_array_equal(expected, coder.inverse(levels, Quantiser(256)))


@pytest.mark.parametrize("coder", [ResidualCoder.INT8, ResidualCoder.UINT8], ids=lambda coder: coder.label)
def test_without_a_step_a_coder_reaches_every_residual(coder):
    kind = CODERS[coder]
    for low, high in product(range(-255, 1, 5), range(0, 256, 5)):
        residual = np.array([low, high, 0], np.int16)
        quantiser = kind.choose_quantiser(residual, None)
        back = kind.inverse(kind.forward(residual, quantiser), quantiser).astype(int)
        assert np.abs(back - residual).max() <= int(quantiser.step_256 / 512 + 0.5)
        assert 256 <= quantiser.step_256 <= 515
        assert 0 <= quantiser.zero_point <= 255


@pytest.mark.parametrize("step", [1, 2, 5, 255])
def test_uint8_keeps_128_as_zero_point_while_that_reaches_everything(step):
    kind = CODERS[ResidualCoder.UINT8]
    reach = min(127 * step, 255)
    assert 128 == kind.choose_quantiser(np.array([-reach, reach], np.int16), step).zero_point


# ------------------------------------------------------------------------- prediction from neighbours


def neighbour_twin(samples, y, x):
    """Median of left, above and left + above − above left; 128 for what nobody has, and the only one at the edges."""
    if y == 0 and x == 0:
        return 128
    if y == 0:
        return int(samples[0, x - 1])
    if x == 0:
        return int(samples[y - 1, 0])
    left, above, corner = int(samples[y, x - 1]), int(samples[y - 1, x]), int(samples[y - 1, x - 1])
    return median((left, above, left + above - corner))


def decode_twin(values):
    samples = np.zeros(values.shape, np.uint8)
    for y, x in np.ndindex(values.shape):
        samples[y, x] = min(max(neighbour_twin(samples, y, x) + int(values[y, x]), 0), 255)
    return samples


def encode_twin(source, rounded):
    """Residuals against what the decoder will have, and what it will have."""
    residual, samples = np.zeros(source.shape, np.int16), np.zeros(source.shape, np.uint8)
    for y, x in np.ndindex(source.shape):
        prediction = neighbour_twin(samples, y, x)
        residual[y, x] = int(source[y, x]) - prediction
        samples[y, x] = min(max(prediction + rounded[int(residual[y, x])], 0), 255)
    return residual, samples


SHAPES = ((1, 1), (1, 8), (8, 1), (2, 2), (11, 13))
ROUNDINGS = {
    "exact": lambda residual: residual,
    "by eight": lambda residual: 8 * round(residual / 8),
    "cut": lambda residual: min(max(residual, -40), 40),
}


def test_decoding_walk_equals_its_twin():
    random = np.random.default_rng(7)
    for shape in SHAPES:
        for values in (random.integers(-255, 256, shape), random.choice([-255, 255, 0], shape)):
            samples = np.empty(shape, np.uint8)
            walk_neighbours(samples, values.astype(np.int16), ALL_RESIDUALS, False)
            np.testing.assert_array_equal(decode_twin(values), samples)


@pytest.mark.parametrize("rounding", ROUNDINGS.values(), ids=ROUNDINGS)
def test_encoding_walk_equals_its_twin_and_decoding_gives_its_samples(rounding):
    random = np.random.default_rng(8)
    table = np.array([rounding(int(residual)) for residual in ALL_RESIDUALS], np.int16)
    by_residual = {int(residual): int(value) for residual, value in zip(ALL_RESIDUALS, table, strict=True)}
    for shape in SHAPES:
        for source in planes(random, shape):
            samples, residual = source.copy(), np.empty(shape, np.int16)
            walk_neighbours(samples, residual, table, True)
            expected_residual, expected_samples = encode_twin(source, by_residual)
            np.testing.assert_array_equal(expected_residual, residual)
            np.testing.assert_array_equal(expected_samples, samples)

            decoded = np.empty(shape, np.uint8)
            values = table[residual.astype(int) + 255]
            walk_neighbours(decoded, values, ALL_RESIDUALS, False)
            np.testing.assert_array_equal(samples, decoded)


@pytest.mark.parametrize("coder", CODERS, ids=lambda coder: coder.label)
def test_code_plane_leaves_the_source_alone(coder):
    random = np.random.default_rng(9)
    for source in planes(random, (9, 12)):
        before = source.copy()
        code_plane(source, None, coder, None)
        code_plane(source, np.zeros_like(source), coder, None)
        np.testing.assert_array_equal(before, source)


def test_every_sample_is_restored_from_every_prediction():
    coder = ResidualCoder.FLOAT16
    source, prediction = (np.ascontiguousarray(grid, np.uint8) for grid in np.mgrid[:256, :256])
    np.testing.assert_array_equal(source, add_residual(code_plane(source, prediction, coder, None), prediction))


@pytest.mark.parametrize("coder", [ResidualCoder.INT8, ResidualCoder.UINT8], ids=lambda coder: coder.label)
@pytest.mark.parametrize("step", [2, 3, 8, 100, 255])
def test_every_sample_comes_back_within_half_a_step_of_every_prediction(coder, step):
    source, prediction = (np.ascontiguousarray(grid, np.uint8) for grid in np.mgrid[:256, :256])
    samples = add_residual(code_plane(source, prediction, coder, step), prediction).astype(int)
    error = np.abs(samples - source)
    reached = np.abs(source.astype(int) - prediction) <= 127 * step
    assert error[reached].max() <= step // 2


@pytest.mark.parametrize("zero_point", [0, 9, 255])
@pytest.mark.parametrize("step_256", [1, 256, 2048, 65280])
def test_samples_are_predictions_and_what_levels_mean(step_256, zero_point):
    random = np.random.default_rng(3)
    prediction, levels = random.integers(0, 256, (2, 31, 45)).astype(np.uint8)
    for coder, dtype, zero in ((ResidualCoder.INT8, np.int8, 0), (ResidualCoder.UINT8, np.uint8, zero_point)):
        residual = PlaneResidual(coder, Quantiser(step_256, zero), levels.view(dtype))
        values = dequantise(levels.view(dtype).astype(np.int32) - zero, step_256).astype(int)
        np.testing.assert_array_equal(np.clip(prediction + values, 0, 255), add_residual(residual, prediction))


def own_arrays_whose_address_is_taken(tree):
    """Of each kernel of a module: names that it makes arrays of, and asks the address of."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.decorator_list:
            made, asked = set(), set()
            for node in ast.walk(function):
                if isinstance(node, ast.Assign):
                    makes = [n for n in ast.walk(node.value) if isinstance(n, ast.Attribute) and n.attr in MAKERS]
                    made |= {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name) and makes}
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "address":
                    asked |= {n.id for n in ast.walk(node.args[0]) if isinstance(n, ast.Name)}
            yield from ((function.name, name) for name in made & asked)


MAKERS = ("empty", "zeros", "ones", "full", "empty_like", "zeros_like", "copy", "append", "concatenate")


def test_no_kernel_takes_the_address_of_an_array_of_its_own_which_numba_may_have_freed():
    folder = Path(codec.__file__).parent
    wrong = [
        (path.name, *found)
        for path in sorted(folder.rglob("*.py"))
        for found in own_arrays_whose_address_is_taken(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert [] == wrong
    broken = "@kernel\ndef f(a):\n    room = np.empty(3)\n    here = address(room)\n"
    assert [("f", "room")] == list(own_arrays_whose_address_is_taken(ast.parse(broken)))
