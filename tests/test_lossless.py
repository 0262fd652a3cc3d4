"""The lossless coder's kernels against plain twins, written from section 8.2 of the specification."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numba import njit

from codec.models import Speed
from codec.residual.levels import CELL, CONTEXTS, MAX_CLASSES, WEIGHT_COUNTS, Queues, cell_shape
from codec.residual.lossless import add_green, subtract_green, walk, weight_differences, weights_after
from codec.residual.lossless_stage import CURRENT, paired_offsets, set_stage, tap_offsets
from codec.residual.lossless_walk import paired_weights
from codec.residual.weight_fit import EFFORTS, choose, fit_weights, normal_products, pairs_of, solve, sum_by_class
from codec.vector_kernels import LANES, either, four_products, weighted_rows, weighted_sum
from codec.vector_kernels import choose as choose_at_once

SHAPES = ((1, 1), (1, 7), (7, 1), (2, 2), (3, 16), (17, 16), (18, 33), (5, 49))  # (rows, columns)

# ------------------------------------------------------------------------- twins

NEAR = [(0, -1), (0, 1), (-1, 0), (1, 0)]
CAUSAL = [(-1, 0), (-1, -1), (-1, 1), (-2, 0)]
# section 8.2.1 by references: the base, then the others up to the taps marked E, as (plane, dy, dx)
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


def walk_twin(shape, source, predictions, residuals, weights, classes, queues, max_error):
    """Samples and residuals of a plane, whose symbols are taken from ``queues``, lists by context.

    With a ``source`` they are found and appended instead.
    """
    samples, left, magnitudes = np.zeros(shape, np.uint8), np.zeros(shape, int), {}
    looking, step = Looking(predictions, residuals, samples), 2 * max_error + 1
    for y, x in np.ndindex(shape):
        base, tapped = looking.tapped(y, x)
        class_ = int(classes[y // 16, x // 16])
        own = [0] * (1 + len(tapped)) if class_ == 0 else [int(weight) for weight in weights[class_ - 1]]
        total = 256 * base + 128 + own[0] + sum(w * t for w, t in zip(own[1:], tapped, strict=True))
        assert abs(total) < 1 << 27
        p = min(max(total >> 8, 0), 255)
        queue = queues[context_twin(magnitudes, y, x, shape[1], total)]
        upward = not total & 128
        if source is not None:
            difference = int(source[y, x]) - p
            wanted = (difference + 128) % 256 - 128 if max_error == 0 else nearest_multiple(difference, step)
            value = ((-wanted if upward else wanted) + 128) % 256 - 128
            queue.append(2 * value if value >= 0 else -2 * value - 1)
        symbol = queue[-1] if source is not None else queue.pop(0)
        v = -((symbol + 1) >> 1) if symbol % 2 else symbol >> 1
        r = -v if upward else v
        samples[y, x] = (p + r) & 255 if max_error == 0 else min(max(p + r * step, 0), 255)
        left[y, x] = ((r + 128) & 255) - 128
        magnitudes[y, x] = min((symbol + 1) >> 1, 32)
    return samples, left


def nearest_multiple(difference, step):
    """Which multiple of an odd step is nearest."""
    return min(range(-255 // step - 1, 255 // step + 2), key=lambda multiple: abs(difference - multiple * step))


def empty_queues(samples):
    """Room for the symbols of so many samples in any context."""
    room = samples + 2
    symbols = np.full(CONTEXTS * room, 77, np.uint8)
    return Queues(symbols, np.arange(CONTEXTS, dtype=np.int64) * room, np.zeros(CONTEXTS, np.int64))


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


def staged(shape, predictions, residuals):
    return set_stage(shape, predictions, [(plane + 128).astype(np.uint8) for plane in residuals])


def classed(random, kind, shape, references, residuals, count=3):
    """Weights of ``count`` classes, and a map of them that has class 0 too."""
    weights = WEIGHTS[kind](random, (count, WEIGHT_COUNTS[references] + residuals)).astype(np.int16)
    return weights, random.integers(0, count + 1, cell_shape(shape)).astype(np.uint8)


# ------------------------------------------------------------------------- the walk


def assert_coded_as_the_twin_does(source, predictions, residuals, weights, classes, max_error):
    """Encoded so, and decoded to the same."""
    expected = [[] for _ in range(CONTEXTS)]
    samples, left = walk_twin(source.shape, source, predictions, residuals, weights, classes, expected, max_error)
    assert np.abs(samples.astype(int) - source).max() <= max_error

    queues = empty_queues(source.size)
    stage, places = staged(source.shape, predictions, residuals), queues.starts.copy()
    stage.inside(CURRENT)[...] = source
    decoded, residuals_found = walk(stage, weights, classes, queues, places, max_error, True)
    np.testing.assert_array_equal(samples, decoded)
    np.testing.assert_array_equal(left + 128, residuals_found)
    found = [queues.symbols[start:end].tolist() for start, end in zip(queues.starts, places, strict=True)]
    assert expected == found

    again, places_again = staged(source.shape, predictions, residuals), queues.starts.copy()
    back, residuals_again = walk(again, weights, classes, queues, places_again, max_error, False)
    np.testing.assert_array_equal(samples, back)
    np.testing.assert_array_equal(residuals_found, residuals_again)
    assert places.tolist() == places_again.tolist()


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_encoding_walk_equals_its_twin_and_decoding_gives_its_samples(references, residuals, kind):
    random = np.random.default_rng([references, residuals])
    for number, shape in enumerate(SHAPES):
        weights, classes = classed(random, kind, shape, references, residuals)
        for scene in scenes(random, shape, references, residuals):
            assert_coded_as_the_twin_does(*scene, weights, classes, MAX_ERRORS[number % len(MAX_ERRORS)])


@pytest.mark.parametrize("max_error", range(17))
def test_every_max_error_is_walked_as_its_twin_does(max_error):
    random = np.random.default_rng(max_error)
    for references in range(3):
        weights, classes = classed(random, "likely", (9, 17), references, 0)
        for scene in scenes(random, (9, 17), references, 0):
            assert_coded_as_the_twin_does(*scene, weights, classes, max_error)


def test_smooth_pictures_reach_every_context():
    random = np.random.default_rng(3)
    noise = np.repeat(2.0 ** np.arange(-2, 8), 4)[:, None] * random.normal(size=(40, 40))
    source = np.clip(128 + noise.T, 0, 255).astype(np.uint8)  # ever more restless to the right
    weights, classes = classed(random, "likely", source.shape, 0, 0)
    queues = [[] for _ in range(CONTEXTS)]
    walk_twin(source.shape, source, [], [], weights, classes, queues, 0)
    assert all(queues)
    assert_coded_as_the_twin_does(source, [], [], weights, classes, 0)


@pytest.mark.parametrize("kind", ["likely", "any", "extreme"])
@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_decoding_any_symbols_equals_the_twin(references, residuals, kind):
    random = np.random.default_rng([references, residuals])
    for number, shape in enumerate(SHAPES):
        weights, classes = classed(random, kind, shape, references, residuals)
        queues, max_error = empty_queues(shape[0] * shape[1]), MAX_ERRORS[number % len(MAX_ERRORS)]
        queues.symbols[:] = random.integers(0, 256, queues.symbols.size)
        for _, predictions, left in scenes(random, shape, references, residuals):
            lists = [part.tolist() for part in np.split(queues.symbols, CONTEXTS)]
            wanted = walk_twin(shape, None, predictions, left, weights, classes, lists, max_error)
            stage, places = staged(shape, predictions, left), queues.starts.copy()
            decoded, walked = walk(stage, weights, classes, queues, places, max_error, False)
            np.testing.assert_array_equal(wanted[0], decoded)
            np.testing.assert_array_equal(wanted[1] + 128, walked)
            used = [shape[0] * shape[1] + 2 - len(rest) for rest in lists]
            assert used == (places - queues.starts).tolist()


def test_a_walk_continues_where_the_plane_before_left_the_queues():
    random = np.random.default_rng(4)
    first, second = random.integers(0, 256, (2, 5, 6), np.uint8)
    weights, classes = np.zeros((0, WEIGHT_COUNTS[0]), np.int16), np.zeros((1, 1), np.uint8)
    expected = [[] for _ in range(CONTEXTS)]
    queues = empty_queues(60)
    places = queues.starts.copy()
    for source in (first, second):
        walk_twin(source.shape, source, [], [], weights, classes, expected, 0)
        stage = set_stage(source.shape, [], [])
        stage.inside(CURRENT)[...] = source
        walk(stage, weights, classes, queues, places, 0, True)
    assert expected == [queues.symbols[a:b].tolist() for a, b in zip(queues.starts, places, strict=True)]


# ------------------------------------------------------------------------- the stage and its weights


@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_planes_go_on_beyond_their_edges_as_taps_want_them(references, residuals):
    random = np.random.default_rng(5)
    for shape in SHAPES:
        predictions = list(random.integers(0, 256, (references, *shape), np.uint8))
        left = list(random.integers(-128, 128, (residuals, *shape)))
        stage = staged(shape, predictions, left)
        source = random.integers(0, 256, shape, np.uint8)
        stage.inside(CURRENT)[...] = source
        looking = Looking(predictions, left, source)
        taps, relative_to = stage.taps(), stage.relative_to()
        rows, columns = shape
        for y, x in {(j, i) for j in (0, 1, rows - 1) for i in (0, 1, columns // 2, columns - 1)}:
            if y >= rows or x >= columns:
                continue
            here = stage.origin + y * stage.stride + x
            base, tapped = looking.tapped(y, x)
            found = [
                int(stage.samples[here + a]) - int(stage.samples[here + b])
                for a, b in zip(taps, relative_to, strict=True)
            ]
            assert base == int(stage.samples[here + taps[0]])
            assert [0, *tapped] == found


def test_no_vector_of_samples_that_a_walk_looks_at_lies_outside_the_stage():
    for (references, residuals), shape in product(COUNTS, SHAPES):
        stage = staged(shape, [np.zeros(shape, np.uint8)] * references, [np.zeros(shape, int)] * residuals)
        reached = np.concatenate([stage.taps(), stage.relative_to()])
        last_cell = (cell_shape(shape)[1] - 1) * CELL
        assert 0 <= stage.origin + reached.min()
        last = stage.origin + (shape[0] - 1) * stage.stride + last_cell + reached.max() + LANES - 1
        assert last < stage.samples.size


@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_paired_weights_give_the_same_total_from_plain_samples(references, residuals):
    random = np.random.default_rng(6)
    taps = tap_offsets(references, residuals, 1000, 20).tolist()
    paired_taps = paired_offsets(references, residuals, 1000, 20).tolist()
    for kind in WEIGHTS:
        weights = WEIGHTS[kind](random, (MAX_CLASSES, WEIGHT_COUNTS[references] + residuals)).astype(np.int16)
        words = paired_weights(weights, residuals)
        assert (MAX_CLASSES + 1, (len(paired_taps) + 3) // 2) == words.shape
        assert np.int32 == words.dtype
        for class_, own in enumerate([[0] * weights.shape[1], *weights.tolist()]):
            samples = dict(zip(taps, random.integers(0, 256, len(taps)).tolist(), strict=True))
            base, *others = samples.values()
            relative = [sample - base for sample in others]
            for number in range(-2 - residuals, -2):
                relative[number] = others[number] - 128
            total = 256 * base + 128 + own[0] + sum(w * t for w, t in zip(own[1:], relative, strict=True))
            added, *plain = plain_weights(words[class_])
            assert total == added + sum(w * samples[tap] for w, tap in zip(plain, paired_taps, strict=True))
            assert sum(abs(w) for w in plain) * 255 + abs(added) < 1 << 31  # in any order of summing


def plain_weights(words):
    """What is added, the weight of the base, and of each other tap."""
    return words[:2].tolist() + words[2:].view("<i2").tolist()


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


# ------------------------------------------------------------------------- vectors of numbers


@njit
def call_weighted_sum(samples, place, offsets, pairs, words, first, sums, at):
    weighted_sum(samples, place, offsets, pairs, words, first, sums, at)


@njit
def call_four_products(rows, i, j, stride, length, sums, at):
    four_products(rows, i, j, stride, length, sums, at)


@njit
def call_weighted_rows(numbers, place, rows, first, count, sums, at):
    weighted_rows(numbers, place, rows, first, count, sums, at)


@njit
def call_choices(conditions, numbers, i, j, chosen):
    for row in range(len(conditions)):
        chosen[row, 0] = choose_at_once(conditions[row], numbers[i[row]], numbers[j[row]])
        chosen[row, 1] = either(conditions[row], numbers, i[row], j[row])


def test_choices_equal_their_twin():
    random = np.random.default_rng(1)
    conditions, numbers = random.random(100) < 0.5, random.integers(-(1 << 62), 1 << 62, 30)
    i, j = random.integers(0, 30, (2, 100)).astype(np.uint64)
    chosen = np.zeros((100, 2), np.int64)
    call_choices(conditions, numbers, i, j, chosen)
    np.testing.assert_array_equal([np.where(conditions, numbers[i], numbers[j])] * 2, chosen.T)


@pytest.mark.parametrize("pairs", [0, 1, 4, 9])
def test_weighted_sums_equal_their_twin(pairs):
    random = np.random.default_rng(pairs)
    for samples in planes(random, (400,), 1):
        for kind in ("likely", "any", "lowest", "highest"):
            weights = WEIGHTS[kind](random, (1, 2 * pairs)).astype(np.int16)
            of_base, start = random.integers(-(1 << 20), 1 << 20, 2).tolist()
            words = np.array([7, start, of_base, *weights.view("<i4")[0], 7], np.int32)
            offsets = random.integers(-100, 100, 1 + 2 * pairs)
            sums = np.full(50, 7, np.int32)
            call_weighted_sum(samples[0], 150, offsets, pairs, words, 1, sums, 3)
            wanted = [7] * 50
            for i in range(16):
                taps = zip([of_base, *weights[0].tolist()], offsets.tolist(), strict=True)
                wanted[3 + i] = start + sum(weight * int(samples[0][150 + offset + i]) for weight, offset in taps)
            assert wanted == sums.tolist()


@pytest.mark.parametrize("length", [32, 64, 256])
def test_four_products_equal_their_twin(length):
    random = np.random.default_rng(length)
    for numbers in (random.integers(-255, 256, 2000), random.choice([-255, 255], 2000), np.full(2000, -255)):
        sums = np.full(10, 7, np.float32)
        call_four_products(numbers.astype(np.int16), 11, 35, 301, length, sums, 2)
        wanted = [7] * 10
        for k in range(4):
            wanted[2 + k] = int((numbers[11 : 11 + length] * numbers[35 + 301 * k : 35 + 301 * k + length]).sum())
        assert wanted == sums.tolist()


@pytest.mark.parametrize("count", [4, 12, 240])
def test_weighted_rows_equal_their_twin(count):
    random = np.random.default_rng(count)
    for numbers in (random.integers(-99, 100, 300), random.choice([-99, 99], 300)):  # whole, so that sums are exact
        rows, sums = random.integers(-99, 100, (count, 16)), np.full(30, 7, np.float32)
        flat = np.append([7] * 5, rows).astype(np.float32)
        call_weighted_rows(numbers.astype(np.float32), 11, flat, 5, count, sums, 3)
        assert [7] * 3 + (numbers[11 : 11 + count] @ rows).tolist() + [7] * 11 == sums.tolist()


# ------------------------------------------------------------------------- fitting weights


@pytest.mark.parametrize("row_step", [1, 2, 4])
@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_products_of_a_cell_are_sums_over_its_samples(references, residuals, row_step):
    random = np.random.default_rng([references, residuals])
    for shape in ((1, 1), (2, 17), (17, 3), (20, 33)):
        for source, predictions, left in scenes(random, shape, references, residuals):
            stage = staged(shape, predictions, left)
            stage.inside(CURRENT)[...] = source
            products, pairs = normal_products(stage, row_step)
            looking = Looking(predictions, left, source)
            count = (
                WEIGHT_COUNTS[references] + residuals + 1
            )  # 1 for w[0], a number for each weight, and the wanted one
            expected = np.zeros((*cell_shape(shape), count, count))
            for y, x in np.ndindex(shape):
                if y % CELL % row_step == 0:
                    base, tapped = looking.tapped(y, x)
                    inputs = np.array([1, *tapped, int(source[y, x]) - base])
                    expected[y // CELL, x // CELL] += np.outer(inputs, inputs)
            first, second, times = pairs.T
            np.testing.assert_array_equal(
                expected[..., first, second].reshape(products.shape)[:, times > 0], products[:, times > 0]
            )
            counted = np.zeros((count, count), int)
            np.add.at(counted, (first, second), times)
            np.testing.assert_array_equal(np.triu(np.full((count, count), 2)) - np.eye(count), counted)


def as_matrices(sums, pairs):
    """Sums of products as the symmetric matrices that they are the upper half of."""
    count = int(pairs[:, 0].max()) + 1
    matrices = np.zeros((len(sums), count, count))
    first, second, times = pairs.T
    matrices[:, first[times > 0], second[times > 0]] = sums[:, times > 0]
    return matrices + np.triu(matrices, 1).swapaxes(1, 2)


@pytest.mark.parametrize("taps", [10, 16, 18])
def test_weights_solve_the_normal_equations_of_classes_with_enough_cells(taps):
    random = np.random.default_rng(taps)
    inputs = random.normal(0, 20, (5, 200, taps + 1))
    matrices = inputs.swapaxes(1, 2) @ inputs
    pairs = pairs_of(taps + 1)
    sums = np.ascontiguousarray(matrices[:, pairs[:, 0], pairs[:, 1]])
    left, right = as_matrices(sums, pairs)[:, :taps, :taps], as_matrices(sums, pairs)[:, :taps, taps:]
    ridge = 1e-4 * np.trace(left, axis1=1, axis2=2) / taps + 1e-6
    expected = np.linalg.solve(left + ridge[:, None, None] * np.eye(taps), right)[:, :, 0]
    weights = np.full((5, taps), 7.0)
    solve(sums, pairs, np.array([9, 3, 2, 8, 0, 3]), 3, weights)
    np.testing.assert_array_equal(np.full((2, taps), 7.0), weights[[1, 3]])
    np.testing.assert_array_equal(np.round(256 * expected[[0, 2, 4]]) / 256, weights[[0, 2, 4]])


def test_weights_are_cut_to_what_a_file_has_room_for():
    pairs = pairs_of(2)
    sums = np.zeros((2, len(pairs)))
    sums[:, (pairs == [0, 0, 1]).all(axis=1)] = 1
    sums[:, (pairs == [0, 1, 2]).all(axis=1)] = [[1000], [-1000]]
    weights = np.zeros((2, 1))
    solve(sums, pairs, np.array([0, 1, 1]), 1, weights)
    assert [[2047 / 256], [-2047 / 256]] == weights.tolist()


@pytest.mark.parametrize("count", [4, 15, 16, MAX_CLASSES])
@pytest.mark.parametrize("known", [False, True])
def test_a_cell_takes_the_class_that_codes_it_shortest(known, count):
    random = np.random.default_rng([known, count])
    taps, cells, samples = 11, 300, 128.0
    pairs = pairs_of(taps + 1)
    inputs = random.integers(-9, 10, (cells, 40, taps + 1)).astype(float)
    matrices = inputs.swapaxes(1, 2) @ inputs
    products = np.ascontiguousarray(matrices[:, pairs[:, 0], pairs[:, 1]].astype(np.float32))
    weights = random.integers(-60, 60, (count, taps)) / 256
    forms = np.pad(np.pad(weights, ((1, 0), (0, 0))), ((0, 0), (0, 1)), constant_values=-1)
    squares = np.einsum("ci,nij,cj->nc", forms, matrices, forms)
    sizes = random.integers(0, 200, count + 1) * known
    shares = (sizes + 1) / (sizes.sum() + count + 1)
    costs = samples / 2 * np.log2(squares / samples + 0.12) - 0.35 * np.log2(shares)
    classes, errors = np.zeros(cells, np.uint8), np.zeros(cells)
    choose(products, pairs, samples, weights, classes, errors, sizes)
    np.testing.assert_array_equal(costs.argmin(axis=1), classes)
    np.testing.assert_allclose(squares[np.arange(cells), classes], errors, 1e-4)
    np.testing.assert_array_equal(np.bincount(classes, minlength=count + 1), sizes)
    shares = (np.arange(1, count + 1)[:, None] == classes) / (errors + 0.3 * samples)
    sums = np.full((count, len(pairs)), 7.0)
    sum_by_class(products, classes, errors, samples, sums)
    np.testing.assert_allclose(shares @ products, sums, 1e-6, 1e-6)


EFFORT = EFFORTS[Speed.SLOW]


def symbols_after_a_fit(stage, source, count, before=None, effort=EFFORT):
    """Fit to a stage, encode; the symbols of all contexts together, and weights and classes."""
    stage.inside(CURRENT)[...] = source
    weights, classes = fit_weights(stage, count, before, effort)
    assert (count, len(stage.taps())) == weights.shape
    assert np.int16 == weights.dtype
    assert cell_shape(stage.shape) == classes.shape
    assert int(classes.max()) <= count
    queues = empty_queues(source.size)
    places = queues.starts.copy()
    walk(stage, weights, classes, queues, places, 0, True)
    parts = [queues.symbols[start:end] for start, end in zip(queues.starts, places, strict=True)]
    return np.concatenate(parts), weights, classes


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=[speed.label for speed in EFFORTS])
@pytest.mark.parametrize("tap", range(9))
def test_a_plane_that_one_tap_gives_away_is_predicted_exactly(tap, effort):
    random = np.random.default_rng(tap)
    newer, older = random.integers(0, 256, (2, 48, 64), np.uint8)
    plane, dy, dx = OTHERS[2][tap]
    source = np.roll(newer if plane == "P" else older, (-dy, -dx), (0, 1))
    symbols, *_ = symbols_after_a_fit(set_stage(source.shape, [newer, older], []), source, 1, effort=effort)
    edges = 2 * sum(source.shape)  # where taps find what goes on beyond the edge, not what comes round
    assert np.count_nonzero(symbols) <= edges


def test_a_mean_of_two_references_is_predicted_exactly():
    random = np.random.default_rng(8)
    newer, older = random.integers(0, 256, (2, 40, 37), np.uint8)
    source = ((newer.astype(int) + older + 1) // 2).astype(np.uint8)
    symbols, *_ = symbols_after_a_fit(set_stage(source.shape, [newer, older], []), source, 1)
    assert not symbols.any()


def test_a_residual_of_another_plane_is_made_use_of():
    random = np.random.default_rng(9)
    newer = random.integers(60, 190, (40, 37)).astype(np.uint8)
    left = [random.integers(-50, 51, newer.shape) for _ in range(2)]
    source = (newer + left[1]).astype(np.uint8)
    symbols, weights, _ = symbols_after_a_fit(staged(source.shape, [newer], left), source, 1)
    assert not symbols.any()
    assert [0, 256] == weights[0, -4:-2].tolist()


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=[speed.label for speed in EFFORTS])
def test_cells_that_follow_different_rules_are_put_into_different_classes(effort):
    random = np.random.default_rng(10)
    (newer,) = random.integers(0, 256, (1, 96, 96), np.uint8)
    newer[48:] //= 2  # so that cells of one half are harder at first
    source = np.roll(newer, 1, 1)
    source[48:] = np.roll(newer, -1, 1)[48:]
    symbols, _, classes = symbols_after_a_fit(set_stage(source.shape, [newer], []), source, 2, effort=effort)
    assert np.count_nonzero(symbols) <= 2 * 96  # of the left and right edges
    assert 1 == len(set(classes[:3].flat)) == len(set(classes[3:].flat))
    assert classes[0, 0] != classes[3, 0]


def test_a_still_plane_is_in_class_zero_or_as_good():
    plane = np.random.default_rng(11).integers(0, 256, (33, 40), np.uint8)
    symbols, *_ = symbols_after_a_fit(set_stage(plane.shape, [plane], []), plane, 4)
    assert not symbols.any()


def test_a_fit_that_starts_from_weights_that_are_right_keeps_them():
    random = np.random.default_rng(12)
    (newer,) = random.integers(0, 256, (1, 64, 64), np.uint8)
    source = np.roll(newer, 1, 1)
    source[32:] = np.roll(newer, -1, 1)[32:]
    first, weights, classes = symbols_after_a_fit(set_stage(source.shape, [newer], []), source, 2)
    again, _, same = symbols_after_a_fit(set_stage(source.shape, [newer], []), source, 2, weights)
    assert classes.tolist() == same.tolist()
    assert np.count_nonzero(again) <= np.count_nonzero(first) <= 2 * 64


@pytest.mark.parametrize("shape", SHAPES)
def test_every_size_and_content_can_be_fitted(shape):
    random = np.random.default_rng(13)
    for (references, residuals), count in product(COUNTS, (1, 4, MAX_CLASSES)):
        for source, predictions, left in scenes(random, shape, references, residuals):
            symbols, weights, _ = symbols_after_a_fit(staged(shape, predictions, left), source, count)
            assert source.size == symbols.size
            assert np.abs(weights.astype(int)).max() < 1 << 11
