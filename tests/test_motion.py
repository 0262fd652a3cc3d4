"""Motion compensation, its searches and spatial prediction: compiled as uncompiled, and as the spec says."""

import io
from itertools import product

import numpy as np
import pytest

import codec
from codec.models import MotionModel, Speed
from codec.motion.compensation import ReferencePlane
from codec.motion.field import SHARP, SOFT, CellMode, MotionField, grid_shape
from codec.motion.tables import EIGHTH_TAPS, HALF_TAPS, LINEAR_TAPS, SIXTEENTH_TAPS
from codec.motion.vector_prediction import vector_differences, vectors_from_differences
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.residual import add_to_neighbours
from codec.search.displacements import frequent_displacements
from codec.search.mesh import search_mesh
from codec.search.motion import Searched, Windows, match_windows, search_blocks
from codec.search.quantisation import residuals_of_neighbours
from codec.search.scene_cut import is_scene_cut

SIZES = [(1, 1), (5, 3), (23, 37)]


def plane_of(rows, columns, seed=0):
    """Blurred noise, so that a search has something to go by."""
    noise = np.random.default_rng(seed).integers(0, 256, (rows + 8, columns + 8)).cumsum(0).cumsum(1)
    sums = noise[8:, 8:] - noise[:-8, 8:] - noise[8:, :-8] + noise[:-8, :-8]
    return np.clip((sums - sums.mean()) / 8 + 128, 0, 255).astype(np.uint8)


def field_of(model, cell_size, rows, columns, reach, seed=1):
    random = np.random.default_rng(seed)
    grid = grid_shape(model, cell_size, columns, rows)
    vectors = random.integers(-reach, reach + 1, (*grid, 2)).astype(np.int16)
    if model is MotionModel.BLOCK:
        return MotionField(model, cell_size, vectors)
    cells = grid[0] - 1, grid[1] - 1
    modes = random.integers(0, len(CellMode), cells).astype(np.uint8)
    return MotionField(
        model, cell_size, vectors, modes, random.integers(-reach, reach + 1, (*cells, 2)).astype(np.int16)
    )


def predictions(taps, subsampling):
    """What fields of both models predict, vectors far beyond the picture among them."""
    found = []
    for rows, columns in SIZES:
        shape = -(-rows >> subsampling[0]) or 1, -(-columns >> subsampling[1]) or 1
        sharp = np.random.default_rng(9).integers(0, 2, shape).astype(np.uint8) * 255
        reference = ReferencePlane(sharp if rows > 9 else plane_of(*shape), subsampling, taps)
        for model in (MotionModel.BLOCK, MotionModel.MESH):
            for cell_size, reach in ((4, 9), (8, 4096), (32, 70)):
                height, width = shape[0] << subsampling[0], shape[1] << subsampling[1]
                field = field_of(model, cell_size, height, width, reach)
                found.append(reference.predict(field).tolist())
    return found


WHOLE_TAPS = {"sharp": HALF_TAPS[SHARP], "soft": HALF_TAPS[SOFT], "sixteenths": SIXTEENTH_TAPS}
SUBSAMPLED_TAPS = {"linear": LINEAR_TAPS, "eighths": EIGHTH_TAPS}


@pytest.mark.parametrize(
    ("taps", "subsampling"),
    [*((name, (0, 0)) for name in WHOLE_TAPS), *product(SUBSAMPLED_TAPS, [(1, 1), (0, 1)])],
)
def test_compiled_predictions_are_those_of_the_same_code_as_python(taps, subsampling, uncompiled):
    table = (WHOLE_TAPS | SUBSAMPLED_TAPS)[taps]
    assert uncompiled(predictions, table, subsampling) == predictions(table, subsampling)


def searches():
    """The vectors and modes that searches find in a small picture."""
    before, source = plane_of(37, 45), np.roll(plane_of(37, 45), (2, -3), (0, 1))
    found = []
    for speed in Speed:
        searched = Searched.of(source, before, 6, speed)
        found.append(search_blocks(searched, 8).vectors_quarter_pel.tolist())
        mesh = search_mesh(searched, 16)
        found += [mesh.vectors_quarter_pel.tolist(), mesh.modes.tolist(), mesh.own_quarter_pel.tolist()]
    return [*found, is_scene_cut(source, before)]


def test_compiled_searches_find_what_the_same_code_finds_as_python(uncompiled):
    assert uncompiled(searches) == searches()


def test_a_full_search_finds_the_least_squared_error_and_of_equals_the_shortest_vector():
    before, source = plane_of(24, 24, 3), np.roll(plane_of(24, 24, 3), (3, -2), (0, 1))
    tops = lefts = np.array([8], np.int32)
    assert match_windows(source, before, Windows(tops, lefts, 8), 4).tolist() == [[[-12, 8]]]
    flat = np.full((24, 24), 77, np.uint8)
    assert match_windows(flat, flat, Windows(tops, lefts, 8), 4).tolist() == [[[0, 0]]]


def test_vectors_come_back_from_their_differences_and_one_beyond_the_limit_is_refused():
    vectors = np.random.default_rng(5).integers(-64, 65, (3, 4, 5, 2)).astype(np.int16)
    differences = np.stack([vector_differences(of_picture) for of_picture in vectors])
    assert vectors.tolist() == vectors_from_differences(differences, 64).tolist()
    assert vectors_from_differences(differences, int(np.abs(vectors).max()) - 1) is None


def spatially_coded():
    source = plane_of(9, 13, 4)
    steps = np.arange(-255, 256)
    rounded = (np.sign(steps) * ((np.abs(steps) + 1) // 3 * 3)).astype(np.int16)
    residual = residuals_of_neighbours(source, rounded, 8)
    decoded = np.zeros_like(source)
    add_to_neighbours(rounded[residual + 255], decoded, 8)
    return source.astype(int).tolist(), residual.tolist(), decoded.astype(int).tolist()


def test_spatial_prediction_is_the_same_on_both_sides_compiled_or_not(uncompiled):
    source, residual, decoded = spatially_coded()
    assert np.abs(np.array(source) - decoded).max() <= 1
    assert (source, residual, decoded) == uncompiled(spatially_coded)


# ------------------------------------------------------------------------- screens


def screen(height=96, width=160, seed=4):
    """White lines with black letters, nine shapes in any order."""
    random = np.random.default_rng(seed)
    shapes = random.choice(np.array([0, 255], np.uint8), (9, 12, 8), p=(0.15, 0.85))
    letters = random.integers(0, 9, (height // 16 + 1, width // 8))
    lines = np.full((len(letters), 16, width // 8, 8), 255, np.uint8)
    lines[:, 2:14] = shapes[letters].transpose(0, 2, 1, 3)
    return lines.reshape(-1, width)[:height]


def gray(samples):
    height, width = samples.shape
    return Picture(PictureFormat(width, height, SampleFormat.GRAY, bit_depth=8 * samples.itemsize), (samples,))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("down", "right"), [(32, 0), (-16, 0), (5, -3), (0, 20)])
def test_by_how_far_most_of_a_screen_moved_is_found(down, right, dtype):
    before = screen().astype(dtype)
    source = np.roll(before, (-down, -right), (0, 1))
    found = frequent_displacements(source, gray(before), 32)
    assert found.dtype == np.int16
    assert found[0].tolist() == [4 * down, 4 * right]
    within = frequent_displacements(source, gray(before), max(abs(down), abs(right)) - 1)
    assert [4 * down, 4 * right] not in within.tolist()


def test_no_displacements_of_what_is_still_or_no_screen_or_small(moving):
    still = screen()
    one, other = (picture.planes[0] for picture in moving("gray", 96, 64, count=2))
    for source, before in ((still, still), (other, one), (still[:15], still[1:16])):
        assert frequent_displacements(source, gray(before), 32).shape == (0, 2)


@pytest.mark.parametrize("speed", ["medium", "fast"])
@pytest.mark.parametrize("coder", [{"residual": "lossless"}, {"residual": "int8", "step": 1}, {"qp": 12}], ids=str)
def test_text_that_scrolls_costs_what_is_new(coder, speed, tmp_path):
    page = screen(96 + 4 * 16)
    pictures = [gray(np.ascontiguousarray(page[top : top + 96])) for top in (0, 0, 16, 32, 48, 64)]
    sizes = []
    for count in (2, 6):
        settings = codec.Settings(**coder, speed=speed, scene_cut=False)
        codec.encode(pictures[:count], tmp_path / "a.mvz", settings, force=True)
        sizes.append((tmp_path / "a.mvz").stat().st_size)
    # 64 lines are new, of 96 of the first picture
    assert sizes[1] < 2 * sizes[0]


@pytest.mark.parametrize("coder", [{"residual": "lossless"}, {"residual": "int8", "step": 4}, {"qp": 20}], ids=str)
def test_fast_codes_screens_as_medium_does_and_other_pictures_not(coder, moving):
    page, files = screen(96 + 16), {}
    screens = [gray(np.ascontiguousarray(page[top : top + 96])) for top in (0, 5, 16)]
    for name, pictures in (("screen", screens), ("other", moving("gray", 96, 64, count=3))):
        for speed in ("fast", "medium"):
            file = io.BytesIO()
            codec.encode(pictures, file, codec.Settings(**coder, speed=speed, scene_cut=False))
            files[name, speed] = file.getvalue()
    assert files["screen", "fast"] == files["screen", "medium"]
    assert files["other", "fast"] != files["other", "medium"]
