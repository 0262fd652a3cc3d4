"""The lossless coder against section 9 of the specification, and compiled against the same code as Python."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from codec.coded import ContextSubstreams, LosslessResidual
from codec.lossless.picture import add_green, planes_of, subtract_green, weight_differences, weights_after
from codec.lossless.planes import TapPlanes
from codec.lossless.rows import ContextSymbols, PlaneCoder, decode_planes, encode_plane
from codec.lossless.tables import (
    CONTEXTS,
    MARGIN_COLUMNS,
    MARGIN_ROWS,
    MAX_SETS,
    SET_SIDE,
    WEIGHT_COUNTS,
    set_map_shape,
    tap_offsets,
    tap_origins,
)
from codec.models import Speed
from codec.search.lossless import PRESETS, code_lossless
from codec.search.predictor_sets import fit_sets
from codec.vectors import LANES

SHAPES = ((1, 1), (1, 7), (7, 1), (2, 2), (3, 16), (17, 16), (18, 33), (5, 49))  # (rows, columns)

# ------------------------------------------------------------------------- twins

NEAR = [(0, -1), (0, 1), (-1, 0), (1, 0)]
CAUSAL = [(-1, 0), (-1, -1), (-1, 1), (-2, 0)]
# section 9.2 by references: the base, then the others up to the taps marked E, as (plane, dy, dx)
BASES = (("C", -1, 0), ("P", 0, 0), ("P", 0, 0))
OTHERS = (
    [("C", *place) for place in [*CAUSAL[1:], (-2, 1), (-1, 2), (-2, -1), (-1, -2)]],
    [("P", *place) for place in NEAR] + [("C", *place) for place in CAUSAL],
    [("P", *place) for place in NEAR]
    + [("Q", *place) for place in [(0, 0), *NEAR]]
    + [("C", *place) for place in CAUSAL],
)
WEST = [("C", 0, -1), ("C", 0, -2)]
THRESHOLDS = (2, 4, 7, 12, 21, 36, 63, 112, 196)


class Looking:
    """What taps find: planes by their letter in the specification, lists of residuals, and what is decoded so far."""

    def __init__(self, predictions, residuals, samples):
        self.shape = samples.shape
        self.planes = dict(zip("PQ", predictions, strict=False))
        self.residuals, self.samples = residuals, samples
        self.references = len(predictions)

    def at(self, plane, y, x):
        rows, columns = self.shape
        if plane == "C" and 0 <= y < rows and 0 <= x < columns:
            return int(self.samples[y, x])
        if not self.references:
            return 128
        return int(self.planes["P" if plane == "C" else plane][min(max(y, 0), rows - 1), min(max(x, 0), columns - 1)])

    def tapped(self, y, x):
        """The base, and what each weight but the first is multiplied by."""

        def tap(plane, dy, dx):
            return self.at(plane, y + dy, x + dx)

        base = tap(*BASES[self.references])
        before, behind = ([tap(*place) - base for place in places] for places in (OTHERS[self.references], WEST))
        return base, before + [int(plane[y, x]) for plane in self.residuals] + behind


def context_twin(magnitudes, y, x, columns, total):
    """Magnitudes of the plane so far, (y, x) → M."""

    def at(row, column):
        return magnitudes[row, column] if row >= 0 else 0

    n, nn = at(y - 1, x), at(y - 2, x)
    nw, ne = n if x == 0 else at(y - 1, x - 1), n if x == columns - 1 else at(y - 1, x + 1)
    w = at(y, x - 1) if x > 0 else at(y - 1, 0)
    ww = at(y, x - 2) if x > 1 else at(y - 1, 0)
    activity = 3 * (n + w) + 2 * (nw + ne + nn + ww)
    level = sum(activity >= threshold for threshold in THRESHOLDS)
    half = ((total + 64) >> 7) & 1
    return 2 * level + half if level < 4 else level + 4


def walk_twin(shape, source, predictions, residuals, weights, sets, substreams, max_error):
    """Samples and residuals of a plane, whose symbols are taken from ``substreams``, lists by context.

    With a ``source`` they are found and appended instead.
    """
    samples, left, magnitudes = np.zeros(shape, np.uint8), np.zeros(shape, int), {}
    looking, step = Looking(predictions, residuals, samples), 2 * max_error + 1
    for y, x in np.ndindex(shape):
        base, tapped = looking.tapped(y, x)
        class_ = int(sets[y // 16, x // 16])
        own = [0] * (1 + len(tapped)) if class_ == 0 else [int(weight) for weight in weights[class_ - 1]]
        total = 256 * base + 128 + own[0] + sum(w * t for w, t in zip(own[1:], tapped, strict=True))
        assert abs(total) < 1 << 27
        p = min(max(total >> 8, 0), 255)
        of_context = substreams[context_twin(magnitudes, y, x, shape[1], total)]
        upward = not total & 128
        if source is not None:
            difference = int(source[y, x]) - p
            wanted = (difference + 128) % 256 - 128 if max_error == 0 else nearest_multiple(difference, step)
            value = ((-wanted if upward else wanted) + 128) % 256 - 128
            of_context.append(2 * value if value >= 0 else -2 * value - 1)
        symbol = of_context[-1] if source is not None else of_context.pop(0)
        v = -((symbol + 1) >> 1) if symbol % 2 else symbol >> 1
        r = -v if upward else v
        samples[y, x] = (p + r) & 255 if max_error == 0 else min(max(p + r * step, 0), 255)
        left[y, x] = ((r + 128) & 255) - 128
        magnitudes[y, x] = min((symbol + 1) >> 1, 32)
    return samples, left


def nearest_multiple(difference, step):
    """Which multiple of an odd step is nearest."""
    return min(range(-255 // step - 1, 255 // step + 2), key=lambda multiple: abs(difference - multiple * step))


def empty_substreams(samples):
    """Room for the symbols of so many samples in any context."""
    room = samples + 2
    symbols = np.full(CONTEXTS * room, 77, np.uint8)
    return ContextSubstreams(symbols, np.arange(CONTEXTS, dtype=np.int64) * room, np.zeros(CONTEXTS, np.int64))


WEIGHTS = {
    "none": lambda random, shape: np.zeros(shape),
    "likely": lambda random, shape: random.integers(-200, 200, shape),
    "any": lambda random, shape: random.integers(-32768, 32768, shape),
    "extreme": lambda random, shape: random.choice([-32768, -32767, 32767], shape),
    "lowest": lambda random, shape: np.full(shape, -32768),
    "highest": lambda random, shape: np.full(shape, 32767),
}
MAX_ERRORS = (0, 1, 2, 5, 16)
COUNTS = [(references, residuals) for references in range(3) for residuals in range(3)]


def planes(random, shape, count):
    """Random samples, and only the darkest and brightest."""
    yield random.integers(0, 256, (count, *shape), np.uint8)
    yield random.choice(np.array([0, 255], np.uint8), (count, *shape))


def scenes(random, shape, references, residuals):
    """A source, its predictions, and residuals of planes before it."""
    for source, *others in planes(random, shape, 1 + references + residuals):
        yield source, others[:references], [plane.astype(int) - 128 for plane in others[references:]]


def tap_planes(shape, predictions, residuals):
    return TapPlanes(shape, predictions, [(plane + 128).astype(np.uint8) for plane in residuals])


def walk(taps, source, weights, sets, substreams, places, max_error):
    """Encode a source, or where there is none, decode; moves ``places`` on, and returns samples and residuals + 128."""
    (decoded,), (left,) = planes_of([taps.shape()]), planes_of([taps.shape()])
    coder, symbols = PlaneCoder(taps, weights, sets, left, decoded), ContextSymbols(substreams.symbols, places)
    if source is None:
        decode_planes([coder], symbols, max_error)
    else:
        taps.set_source(source)
        encode_plane(coder, symbols, max_error)
    places[:] = symbols.places()
    return decoded, left


def classed(random, kind, shape, references, residuals, count=3):
    """Weights of ``count`` sets, and a map of them that has class 0 too."""
    weights = WEIGHTS[kind](random, (count, WEIGHT_COUNTS[references] + residuals)).astype(np.int16)
    return weights, random.integers(0, count + 1, set_map_shape(shape)).astype(np.uint8)


# ------------------------------------------------------------------------- the walk


def assert_coded_as_the_twin_does(source, predictions, residuals, weights, sets, max_error):
    """Encoded so, and decoded to the same."""
    expected = [[] for _ in range(CONTEXTS)]
    samples, left = walk_twin(source.shape, source, predictions, residuals, weights, sets, expected, max_error)
    assert np.abs(samples.astype(int) - source).max() <= max_error

    substreams = empty_substreams(source.size)
    taps, places = tap_planes(source.shape, predictions, residuals), substreams.starts.copy()
    decoded, residuals_found = walk(taps, source, weights, sets, substreams, places, max_error)
    np.testing.assert_array_equal(samples, decoded)
    np.testing.assert_array_equal(left + 128, residuals_found)
    found = [substreams.symbols[start:end].tolist() for start, end in zip(substreams.starts, places, strict=True)]
    assert expected == found

    again, places_again = tap_planes(source.shape, predictions, residuals), substreams.starts.copy()
    back, residuals_again = walk(again, None, weights, sets, substreams, places_again, max_error)
    np.testing.assert_array_equal(samples, back)
    np.testing.assert_array_equal(residuals_found, residuals_again)
    assert places.tolist() == places_again.tolist()


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_encoding_walk_equals_its_twin_and_decoding_gives_its_samples(references, residuals, kind):
    random = np.random.default_rng([references, residuals])
    for number, shape in enumerate(SHAPES):
        weights, sets = classed(random, kind, shape, references, residuals)
        for scene in scenes(random, shape, references, residuals):
            assert_coded_as_the_twin_does(*scene, weights, sets, MAX_ERRORS[number % len(MAX_ERRORS)])


@pytest.mark.parametrize("max_error", range(17))
def test_every_max_error_is_walked_as_its_twin_does(max_error):
    random = np.random.default_rng(max_error)
    for references in range(3):
        weights, sets = classed(random, "likely", (9, 17), references, 0)
        for scene in scenes(random, (9, 17), references, 0):
            assert_coded_as_the_twin_does(*scene, weights, sets, max_error)


def test_smooth_pictures_reach_every_context():
    random = np.random.default_rng(3)
    noise = np.repeat(2.0 ** np.arange(-2, 8), 4)[:, None] * random.normal(size=(40, 40))
    source = np.clip(128 + noise.T, 0, 255).astype(np.uint8)  # ever more restless to the right
    weights, sets = classed(random, "likely", source.shape, 0, 0)
    substreams = [[] for _ in range(CONTEXTS)]
    walk_twin(source.shape, source, [], [], weights, sets, substreams, 0)
    assert all(substreams)
    assert_coded_as_the_twin_does(source, [], [], weights, sets, 0)


@pytest.mark.parametrize("kind", ["likely", "any", "extreme"])
@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_decoding_any_symbols_equals_the_twin(references, residuals, kind):
    random = np.random.default_rng([references, residuals])
    for number, shape in enumerate(SHAPES):
        weights, sets = classed(random, kind, shape, references, residuals)
        substreams, max_error = empty_substreams(shape[0] * shape[1]), MAX_ERRORS[number % len(MAX_ERRORS)]
        substreams.symbols[:] = random.integers(0, 256, substreams.symbols.size)
        for _, predictions, left in scenes(random, shape, references, residuals):
            lists = [part.tolist() for part in np.split(substreams.symbols, CONTEXTS)]
            wanted = walk_twin(shape, None, predictions, left, weights, sets, lists, max_error)
            taps, places = tap_planes(shape, predictions, left), substreams.starts.copy()
            decoded, walked = walk(taps, None, weights, sets, substreams, places, max_error)
            np.testing.assert_array_equal(wanted[0], decoded)
            np.testing.assert_array_equal(wanted[1] + 128, walked)
            used = [shape[0] * shape[1] + 2 - len(rest) for rest in lists]
            assert used == (places - substreams.starts).tolist()


def test_a_walk_continues_where_the_plane_before_left_the_substreams():
    random = np.random.default_rng(4)
    first, second = random.integers(0, 256, (2, 5, 6), np.uint8)
    weights, sets = np.zeros((0, WEIGHT_COUNTS[0]), np.int16), np.zeros((1, 1), np.uint8)
    expected = [[] for _ in range(CONTEXTS)]
    substreams = empty_substreams(60)
    places = substreams.starts.copy()
    for source in (first, second):
        walk_twin(source.shape, source, [], [], weights, sets, expected, 0)
        walk(tap_planes(source.shape, [], []), source, weights, sets, substreams, places, 0)
    assert expected == [substreams.symbols[a:b].tolist() for a, b in zip(substreams.starts, places, strict=True)]


# ------------------------------------------------------------------------- planes, weights, colours


def test_no_vector_of_samples_that_a_walk_looks_at_lies_outside_the_planes():
    for (references, residuals), (rows, columns) in product(COUNTS, SHAPES):
        nothing = [np.zeros((rows, columns), np.uint8)]
        layout = TapPlanes((rows, columns), nothing * references, nothing * residuals).layout()
        _, _, size, stride = layout
        reached = np.concatenate([tap_offsets(*layout), tap_origins(*layout)])
        origin = MARGIN_ROWS * stride + MARGIN_COLUMNS
        last = origin + (rows - 1) * stride + (columns - 1) // SET_SIDE * SET_SIDE + LANES - 1
        assert 0 <= origin + reached.min()
        assert last + reached.max() < size * (1 + references + residuals + (residuals > 0))


def test_weights_are_differences_from_those_of_the_same_class_before_modulo_two_to_the_16th():
    random = np.random.default_rng(7)

    def draw(count):
        return random.choice([-32768, -1, 0, 100, 32767], (count, 11)).astype(np.int16)

    for now, before in (((3, 2, 0), ()), ((3, 2, 1), (3, 2, 1)), ((3, 2, 0), (1, 4, 2)), ((1, 4, 2), (3, 0, 1))):
        weights, old = [draw(count) for count in now], [draw(count) for count in before]
        differences = weight_differences(weights, old)
        for plane, difference in enumerate(differences):
            for class_, after in enumerate(weights[plane].astype(int)):
                has_start = plane < len(old) and class_ < len(old[plane])
                start = old[plane][class_].astype(int) if has_start else 0
                assert ((after - start + 32768) % 65536 - 32768).tolist() == difference[class_].tolist()
        assert [w.tolist() for w in weights] == [w.tolist() for w in weights_after(differences, old)]


def test_red_and_blue_are_apart_from_green_modulo_256():
    red, green = np.mgrid[:256, :256].astype(np.uint8)
    blue = green[::-1]
    apart = subtract_green((red, green, blue))
    wide = [plane.astype(int) for plane in (red, green, blue)]
    expected = wide[1], (wide[0] - wide[1] + 128) % 256, (wide[2] - wide[1] + 128) % 256
    for wanted, found in zip(expected, apart, strict=True):
        np.testing.assert_array_equal(wanted, found)
        assert np.uint8 == found.dtype
    for plane, back in zip((red, green, blue), add_green(apart), strict=True):
        np.testing.assert_array_equal(plane, back)


# ------------------------------------------------------------------------- as Python


class Header:
    """What the coder asks of a sequence's header."""

    def __init__(self, max_error, greens_apart):
        self.max_error, self.greens_apart, self.has_alpha = max_error, greens_apart, False


def coded(planes, predictions, before, speed, max_error, greens_apart):
    """Everything that encoding a picture makes, as plain arrays."""
    header = Header(max_error, greens_apart)
    residual, weights, decoded = code_lossless(planes, predictions, before, PRESETS[speed], header)
    assert isinstance(residual, LosslessResidual)
    return [*weights, *residual.predictor_sets, *decoded, residual.substreams.symbols, residual.substreams.sizes]


@pytest.mark.parametrize("speed", PRESETS, ids=lambda speed: speed.label)
@pytest.mark.parametrize("references", range(3))
def test_pictures_are_coded_to_the_same_bytes_uncompiled(uncompiled, references, speed):
    random = np.random.default_rng(references)
    smooth = np.cumsum(random.integers(-3, 4, (9, 33, 50)), axis=2).astype(np.uint8)
    before = ()
    for samples in (smooth, random.choice(np.array([0, 255], np.uint8), smooth.shape)):
        pictures = [tuple(samples[first : first + 3]) for first in range(0, 9, 3)]
        for max_error, greens_apart in ((0, False), (0, True), (3, False)):
            start = () if greens_apart else before
            arguments = (pictures[2], pictures[:references], start, speed, max_error, greens_apart)
            found, expected = coded(*arguments), uncompiled(coded, *arguments)
            for one, other in zip(expected, found, strict=True):
                np.testing.assert_array_equal(one, other)
            before = before if greens_apart else tuple(expected[:3])


# ------------------------------------------------------------------------- fitting predictor sets


def symbols_after_a_fit(predictions, residuals, source, count, before=None, preset=PRESETS[Speed.SLOW]):
    """Fit, encode; the symbols of all contexts together, and weights and the set of each cell."""
    taps = tap_planes(source.shape, predictions, residuals)
    taps.set_source(source)
    weights, sets = fit_sets(taps, count, before, preset.first_rounds, preset.rounds, preset.row_step)
    assert (count, WEIGHT_COUNTS[len(predictions)] + len(residuals)) == weights.shape
    assert np.int16 == weights.dtype
    assert set_map_shape(source.shape) == sets.shape
    assert int(sets.max()) <= count
    substreams = empty_substreams(source.size)
    places = substreams.starts.copy()
    walk(taps, source, weights, sets, substreams, places, 0)
    parts = [substreams.symbols[start:end] for start, end in zip(substreams.starts, places, strict=True)]
    return np.concatenate(parts), weights, sets


@pytest.mark.parametrize("preset", PRESETS.values(), ids=[speed.label for speed in PRESETS])
@pytest.mark.parametrize("tap", range(9))
def test_a_plane_that_one_tap_gives_away_is_predicted_exactly(tap, preset):
    random = np.random.default_rng(tap)
    newer, older = random.integers(0, 256, (2, 48, 64), np.uint8)
    plane, dy, dx = OTHERS[2][tap]
    source = np.roll(newer if plane == "P" else older, (-dy, -dx), (0, 1))
    symbols, *_ = symbols_after_a_fit([newer, older], [], source, 1, preset=preset)
    edges = 2 * sum(source.shape)  # where taps find what goes on beyond the edge, not what comes round
    assert np.count_nonzero(symbols) <= edges


def test_a_mean_of_two_references_is_predicted_exactly():
    random = np.random.default_rng(8)
    newer, older = random.integers(0, 256, (2, 40, 37), np.uint8)
    source = ((newer.astype(int) + older + 1) // 2).astype(np.uint8)
    symbols, *_ = symbols_after_a_fit([newer, older], [], source, 1)
    assert not symbols.any()


def test_a_residual_of_another_plane_is_made_use_of():
    random = np.random.default_rng(9)
    newer = random.integers(60, 190, (40, 37)).astype(np.uint8)
    left = [random.integers(-50, 51, newer.shape) for _ in range(2)]
    source = (newer + left[1]).astype(np.uint8)
    symbols, weights, _ = symbols_after_a_fit([newer], left, source, 1)
    assert not symbols.any()
    assert [0, 256] == weights[0, -4:-2].tolist()


@pytest.mark.parametrize("preset", PRESETS.values(), ids=[speed.label for speed in PRESETS])
def test_cells_that_follow_different_rules_are_put_into_different_sets(preset):
    random = np.random.default_rng(10)
    (newer,) = random.integers(0, 256, (1, 96, 96), np.uint8)
    newer[48:] //= 2  # so that cells of one half are harder at first
    source = np.roll(newer, 1, 1)
    source[48:] = np.roll(newer, -1, 1)[48:]
    symbols, _, sets = symbols_after_a_fit([newer], [], source, 2, preset=preset)
    assert np.count_nonzero(symbols) <= 2 * 96  # of the left and right edges
    assert 1 == len(set(sets[:3].flat)) == len(set(sets[3:].flat))
    assert sets[0, 0] != sets[3, 0]


def test_a_still_plane_is_in_class_zero_or_as_good():
    plane = np.random.default_rng(11).integers(0, 256, (33, 40), np.uint8)
    symbols, *_ = symbols_after_a_fit([plane], [], plane, 4)
    assert not symbols.any()


def test_a_fit_that_starts_from_weights_that_are_right_keeps_them():
    random = np.random.default_rng(12)
    (newer,) = random.integers(0, 256, (1, 64, 64), np.uint8)
    source = np.roll(newer, 1, 1)
    source[32:] = np.roll(newer, -1, 1)[32:]
    first, weights, sets = symbols_after_a_fit([newer], [], source, 2)
    again, _, same = symbols_after_a_fit([newer], [], source, 2, weights)
    assert sets.tolist() == same.tolist()
    assert np.count_nonzero(again) <= np.count_nonzero(first) <= 2 * 64


@pytest.mark.parametrize("shape", SHAPES)
def test_every_size_and_content_can_be_fitted(shape):
    random = np.random.default_rng(13)
    for (references, residuals), count in product(COUNTS, (1, 4, MAX_SETS)):
        for source, predictions, left in scenes(random, shape, references, residuals):
            symbols, weights, _ = symbols_after_a_fit(predictions, left, source, count)
            assert source.size == symbols.size
            assert np.abs(weights.astype(int)).max() < 1 << 11
