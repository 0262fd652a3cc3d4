"""The lossless coder: what it codes comes back, and compiled it does what the same code does as Python."""

from itertools import product

import numpy as np
import pytest

from codec.coded import LosslessResidual
from codec.depths import for_depth
from codec.errors import BitstreamError
from codec.lossless import planes as kernel_planes
from codec.lossless import rows as kernel_rows
from codec.lossless.picture import (
    add_green,
    check_weights,
    planes_of,
    regions_of,
    residuals_of,
    subtract_green,
)
from codec.lossless.tables import (
    LOG2_MEMORY,
    MARGIN_COLUMNS,
    MARGIN_ROWS,
    MAX_SETS,
    MEMORY_FACTORS,
    MEMORY_TAPS,
    NOTHING,
    PLAIN_SETS,
    SET_SIDE,
    SHORT_TAPS,
    WEIGHT_COUNTS,
    context_model,
    set_map_shape,
    tap_offsets,
    tap_origins,
)
from codec.models import Speed
from codec.search import predictor_sets, set_choice
from codec.search.lossless import PRESETS, code_lossless
from codec.vectors import LANES

SHAPES = ((1, 1), (7, 1), (3, 16), (18, 33))  # (rows, columns)
DEPTHS = (8, 9, 12, 16)
NEAR = [(0, -1), (0, 1), (-1, 0), (1, 0)]
WEIGHTS = {
    "none": lambda random, shape: np.zeros(shape),
    "likely": lambda random, shape: random.integers(-200, 200, shape),
    "any": lambda random, shape: random.integers(-32768, 32768, shape),
    "extreme": lambda random, shape: random.choice([-32768, -32767, 32767], shape),
    "lowest": lambda random, shape: np.full(shape, -32768),
    "highest": lambda random, shape: np.full(shape, 32767),
}
MAX_ERRORS = {8: (0, 1, 2, 5), 16: (0, 1, 50, 255)}
SUBSTREAMS = 60
REMEMBERED = list(zip(MEMORY_TAPS, MEMORY_FACTORS, strict=True))
COUNTS = [(references, residuals) for references in range(3) for residuals in range(3)]


def planes(random, shape, count, depth=8):
    """Random samples, and only the darkest and brightest."""
    peak, dtype = (1 << depth) - 1, np.uint8 if depth == 8 else np.uint16
    yield random.integers(0, peak + 1, (count, *shape), dtype)
    yield random.choice(np.array([0, peak], dtype), (count, *shape))


def scenes(random, shape, references, residuals, depth=8):
    """A source, its predictions, and residuals of planes before it."""
    for source, *others in planes(random, shape, 1 + references + residuals, depth):
        yield source, others[:references], [plane.astype(int) - (1 << (depth - 1)) for plane in others[references:]]


def middle(depth):
    """What a kernel adds to residuals."""
    return 128 if depth == 8 else 0


def tap_planes(shape, predictions, residuals, depth=8):
    dtype = np.uint8 if depth == 8 else np.int16
    kept = [(plane + middle(depth)).astype(dtype) for plane in residuals]
    return for_depth(kernel_planes, depth).TapPlanes(shape, predictions, kept, depth)


def classed(random, kind, shape, references, residuals, depth=8, count=3):
    """Weights of ``count`` sets, of more than 8 bits within their largest sum; a map of them and of other sets."""
    weights = WEIGHTS[kind](random, (count, WEIGHT_COUNTS[references] + residuals)).astype(np.int16)
    if depth > 8:
        weights = within_the_sum(weights)
    return weights, random.integers(0, count + PLAIN_SETS[references], set_map_shape(shape)).astype(np.uint8)


def within_the_sum(weights):
    """Weights that are too large, made smaller by as much as they must, and then the first by what is left."""
    most, fitting = 31 * 1024, weights.astype(int)
    for of_set in fitting:
        if (total := np.abs(of_set[1:]).sum()) > most:
            of_set[1:] = np.fix(of_set[1:] * (most / total))
            of_set[1] += (most - np.abs(of_set[1:]).sum()) * (1 if of_set[1] >= 0 else -1)
            assert most == np.abs(of_set[1:]).sum()
    check_weights([fitting.astype(np.int16)])
    return fitting.astype(np.int16)


# ------------------------------------------------------------------------- the walk, compiled and as Python


def walked(shape, source, predictions, residuals, weights, sets, symbols, bits, max_error, depth):
    """What encoding a source makes; without one, what decoding symbols and bits of all substreams gives.

    Samples, residuals, and the next raw bit; then contexts, symbols and bits, or how many symbols of each substream
    were taken; and the memory, if there is one.
    """
    kept = [(plane + middle(depth)).astype(np.uint8 if depth == 8 else np.int16) for plane in residuals]
    taps = for_depth(kernel_planes, depth).TapPlanes(shape, predictions, kept, depth)
    (decoded,), (left,) = planes_of([shape], depth), residuals_of([shape], depth)
    rows, size, is_deep = for_depth(kernel_rows, depth), shape[0] * shape[1], depth > 8
    coder = rows.PlaneCoder(taps, weights, sets, left, decoded, len(kept), kept, None)
    if source is None:
        contexts, starts = (1 + len(kept)) * context_model(is_deep).contexts, np.arange(SUBSTREAMS) * (size + 2)
        substream_of = regions_of((np.arange(contexts) % SUBSTREAMS).astype(np.uint8).tobytes(), is_deep)
        reader = rows.ContextReader(symbols.copy(), starts, substream_of, bits.copy(), is_deep)
        rows.decode_planes([coder], reader, max_error)
        made = reader.next_bit(), reader.places() - starts
    else:
        taps.set_source(source)
        contexts, symbols, bits = np.zeros(size, np.uint16), np.zeros(size, np.uint8), np.zeros(2 * size + 2, np.uint8)
        writer = rows.ContextWriter(contexts, symbols, bits, is_deep)
        rows.encode_plane(coder, writer, max_error)
        made = writer.next_bit(), contexts, symbols, bits
    memory = coder.memory_after()
    return decoded, left, *made, np.zeros(0) if memory is None else np.flatnonzero(memory != NOTHING)


@pytest.fixture
def both(uncompiled):
    """`walked` by compiled kernels, after it was found to be the same as Python, where no number overflows."""

    def call(*arguments):
        found = walked(*arguments)
        for expected, one in zip(uncompiled(walked, *arguments), found, strict=True):
            np.testing.assert_array_equal(expected, one)
        return found

    return call


def assert_comes_back(both, source, *arguments, max_error, depth):
    """Encoded and decoded to the same, no sample further off than ``max_error``; returns the contexts of symbols."""
    way = *arguments, np.zeros(0, np.uint8), np.zeros(0, np.uint8), max_error, depth
    samples, left, end, contexts, symbols, bits, memory = both(source.shape, source, *way)
    assert np.abs(samples.astype(int) - source).max() <= max_error
    apart = [symbols[contexts % SUBSTREAMS == number] for number in range(SUBSTREAMS)]
    room = np.concatenate([np.pad(part, (0, source.size + 2 - part.size)) for part in apart])
    again = both(source.shape, None, *arguments, room, bits, max_error, depth)
    taken = np.array([part.size for part in apart])
    for one, other in zip((samples, left, end, taken, memory), again, strict=True):
        np.testing.assert_array_equal(one, other)
    return contexts


@pytest.mark.parametrize("depth", MAX_ERRORS)
@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(("references", "residuals"), COUNTS)
def test_planes_come_back_and_any_symbols_decode_alike(both, references, residuals, kind, depth):
    """Any symbols: also of z that no sample of so few bits needs."""
    random = np.random.default_rng([references, residuals])
    for shape, max_error in zip(SHAPES, MAX_ERRORS[depth], strict=True):
        weights, sets = classed(random, kind, shape, references, residuals, depth)
        for source, predictions, left in scenes(random, shape, references, residuals, depth):
            arguments = predictions, left, weights, sets
            assert_comes_back(both, source, *arguments, max_error=max_error, depth=depth)
            symbols = random.integers(0, 256 if depth == 8 else 76, SUBSTREAMS * (source.size + 2), np.uint8)
            bits = random.integers(0, 256, 2 * source.size + 2, np.uint8)
            both(shape, None, *arguments, symbols, bits, max_error, depth)


@pytest.mark.parametrize("depth", range(8, 17))
def test_planes_come_back_with_every_max_error(both, depth):
    """Of 8 bits up to 16, and the largest of more."""
    random = np.random.default_rng(depth)
    for references in range(3):
        weights, sets = classed(random, "likely", (3, 17), references, 0, depth)
        for scene in scenes(random, (3, 17), references, 0, depth):
            for max_error in range(17) if depth == 8 else ((1 << (depth - 1)) - 1, 1 << (depth - 2)):
                assert_comes_back(both, *scene, weights, sets, max_error=max_error, depth=depth)


@pytest.mark.parametrize("depth", [8, 16])
def test_smooth_pictures_reach_every_context(both, depth):
    random = np.random.default_rng(3)
    octaves = np.arange(-2, 8 if depth == 8 else 16)
    noise = np.repeat(2.0**octaves, 4)[:, None] * random.normal(size=(4 * len(octaves), 40))
    peak = (1 << depth) - 1
    source = np.clip(peak // 2 + noise.T, 0, peak)  # ever more restless to the right
    source = source.astype(np.uint8 if depth == 8 else np.uint16)
    weights, sets = classed(random, "likely" if depth == 8 else "none", source.shape, 0, 0, depth)
    sets[sets > len(weights)] = 1
    if depth > 8:
        weights[0, 0], sets[...] = 300, np.arange(len(sets))[:, None] % 2  # so that predictions lie in either half
    contexts = assert_comes_back(both, source, [], [], weights, sets, max_error=0, depth=depth)
    assert set(contexts.tolist()) == set(range(14 if depth == 8 else 24))


@pytest.mark.parametrize("place", [1, -1])
def test_weights_that_add_up_to_more_than_31_are_refused(place):
    weights = np.zeros((2, 11), np.int16)
    weights[1, 0], weights[1, place], weights[1, 4] = 32767, -31743, 1
    check_weights([weights])
    weights[1, 4] = -2
    with pytest.raises(BitstreamError, match="add up to 31745; the limit is 31744"):
        check_weights([weights])


# ------------------------------------------------------------------------- planes, weights, colours


def test_no_vector_of_samples_that_a_walk_looks_at_lies_outside_the_planes():
    for (references, residuals), (rows, columns) in product(COUNTS, SHAPES):
        nothing = [np.zeros((rows, columns), np.uint8)]
        layout = kernel_planes.TapPlanes((rows, columns), nothing * references, nothing * residuals, 8).layout()
        _, _, size, stride = layout
        reached = np.concatenate([tap_offsets(*layout), tap_origins(*layout)])
        origin = MARGIN_ROWS * stride + MARGIN_COLUMNS
        last = origin + (rows - 1) * stride + (columns - 1) // SET_SIDE * SET_SIDE + LANES - 1
        assert 0 <= origin + reached.min()
        assert last + reached.max() < size * (1 + references + residuals + (residuals > 0))


@pytest.mark.parametrize("depth", DEPTHS)
def test_red_and_blue_are_apart_from_green_modulo_the_range(depth):
    random, count = np.random.default_rng(5), 1 << depth
    ends = np.array([0, 1, count // 2, count - 1], np.uint8 if depth == 8 else np.uint16)
    red, green, blue, alpha = random.choice(ends, (4, 30, 30))
    apart = subtract_green((red, green, blue, alpha), depth)
    wide = [plane.astype(int) for plane in (red, green, blue)]
    half = count // 2
    expected = wide[1], (wide[0] - wide[1] + half) % count, (wide[2] - wide[1] + half) % count, alpha
    for wanted, found in zip(expected, apart, strict=True):
        np.testing.assert_array_equal(wanted, found)
        assert ends.dtype == found.dtype
    for plane, back in zip((red, green, blue, alpha), add_green(apart, depth), strict=True):
        np.testing.assert_array_equal(plane, back)


# ------------------------------------------------------------------------- as Python


class Header:
    """What the coder asks of a sequence's header."""

    def __init__(self, max_error, greens_apart):
        self.max_error, self.greens_apart, self.has_alpha = max_error, greens_apart, False


def coded(planes, predictions, before, speed, max_error, greens_apart, depth):
    """Everything that encoding a picture makes, as plain arrays."""
    header = Header(max_error, greens_apart)
    residual, weights, decoded, memories = code_lossless(planes, predictions, before, (), PRESETS[speed], header, depth)
    assert isinstance(residual, LosslessResidual)
    written, learnt = residual.substreams, [memory for memory in memories if memory is not None]
    return [*weights, *residual.predictor_sets, *decoded, written.contexts, written.symbols, written.bits, *learnt]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("speed", PRESETS, ids=lambda speed: speed.label)
@pytest.mark.parametrize("references", range(3))
def test_pictures_are_coded_to_the_same_bytes_uncompiled(uncompiled, references, speed, depth):
    random = np.random.default_rng(references)
    peak, dtype = (1 << depth) - 1, np.uint8 if depth == 8 else np.uint16
    smooth = np.cumsum(random.integers(-3, 4, (9, 17, 34)) << (depth - 8), axis=2).astype(dtype) & dtype(peak)
    before = ()
    drawn = np.repeat(np.repeat(smooth[:, ::5, ::6], 5, axis=1), 6, axis=2)[:, :17, :34]
    contents = [smooth, random.choice(np.array([0, peak], dtype), smooth.shape), drawn]
    ways = [(0, False), (0, True), (3, False)]
    for samples, (max_error, greens_apart) in zip(contents, ways[references:] + ways[:references], strict=True):
        pictures = [tuple(samples[first : first + 3]) for first in range(0, 9, 3)]
        start = () if greens_apart else before
        arguments = (pictures[2], pictures[:references], start, speed, max_error, greens_apart, depth)
        found, expected = coded(*arguments), uncompiled(coded, *arguments)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)
        before = before if greens_apart else tuple(expected[:3])


# ------------------------------------------------------------------------- fitting predictor sets


def symbols_after_a_fit(predictions, residuals, source, count, before=None, preset=PRESETS[Speed.SLOW], depth=8):
    """Fit, encode; the symbols of all contexts together, and weights and the set of each cell."""
    taps = tap_planes(source.shape, predictions, residuals, depth)
    taps.set_source(source)
    fit_sets = for_depth(predictor_sets, depth).fit_sets
    weights, sets = fit_sets(taps, count, before, preset.first_rounds, preset.rounds, preset.row_step)
    assert (count, WEIGHT_COUNTS[len(predictions)] + len(residuals)) == weights.shape
    assert np.int16 == weights.dtype
    assert set_map_shape(source.shape) == sets.shape
    assert int(sets.max()) <= count
    if depth > 8:
        check_weights([weights])
    none = np.zeros(0, np.uint8)
    *_, symbols, _, _ = walked(source.shape, source, predictions, residuals, weights, sets, none, none, 0, depth)
    return symbols, weights, sets


@pytest.mark.parametrize("preset", PRESETS.values(), ids=[speed.label for speed in PRESETS])
@pytest.mark.parametrize("tap", range(9))
def test_a_plane_that_one_tap_gives_away_is_predicted_exactly(tap, preset):
    random = np.random.default_rng(tap)
    newer, older = random.integers(0, 256, (2, 48, 64), np.uint8)
    plane, place = [*((newer, place) for place in NEAR), *((older, place) for place in [(0, 0), *NEAR])][tap]
    source = np.roll(plane, (-place[0], -place[1]), (0, 1))
    symbols, *_ = symbols_after_a_fit([newer, older], [], source, 1, preset=preset)
    edges = 2 * sum(source.shape)  # where taps find what goes on beyond the edge, not what comes round
    assert np.count_nonzero(symbols) <= edges


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


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("speed", PRESETS, ids=lambda speed: speed.label)
def test_squares_of_a_drawn_picture_take_the_median_where_it_is_better(speed, depth, monkeypatch):
    random, header = np.random.default_rng(11), Header(0, False)
    source = np.full((96, 128), 40, np.uint8 if depth == 8 else np.uint16)
    for top, left, level in random.integers((0, 0, 0), (80, 110, 1 << depth), (12, 3)):
        source[top : top + 14, left : left + 17] = level
    moved = np.roll(source, 3, axis=1)

    def wrong_and_sets(*references):
        """How many samples are not predicted exactly, and by how much each square's set is above those with weights."""
        residual, weights, *_ = code_lossless(
            [moved], [[plane] for plane in references], (), (), PRESETS[speed], header, depth
        )
        return np.count_nonzero(residual.substreams.symbols), residual.predictor_sets[0].astype(int) - len(weights[0])

    monkeypatch.setattr(for_depth(set_choice, depth), "choose_memory", lambda *_: None)
    chosen = wrong_and_sets(), wrong_and_sets(source)
    monkeypatch.setattr(for_depth(set_choice, depth), "choose_sets", lambda *_: None)
    for (wrong, sets), (wrong_of_weights, sets_of_weights) in zip(
        chosen, (wrong_and_sets(), wrong_and_sets(source)), strict=True
    ):
        assert 0.6 * wrong_of_weights > wrong
        assert 0.1 < (sets > 0).mean()
        assert not (sets_of_weights > 0).any()


@pytest.mark.parametrize("depth", DEPTHS)
def test_samples_are_remembered_where_the_tables_say(both, depth):
    source = np.random.default_rng(19).integers(0, 1 << depth, (7, 21), np.uint8 if depth == 8 else np.uint16)
    weights, sets = np.zeros((0, WEIGHT_COUNTS[0]), np.int16), np.full(set_map_shape(source.shape), 2, np.uint8)
    none = np.zeros(0, np.uint8)
    *_, places = both(source.shape, source, [], [], weights, sets, none, none, 0, depth)
    around, expected = np.pad(source.astype(int), 2, constant_values=1 << (depth - 1)), []
    for y, x in np.ndindex(source.shape):
        counts = [factor * int(around[2 + y + down, 2 + x + right]) for (down, right), factor in REMEMBERED]
        for first, taps in ((0, len(counts)), (1 << LOG2_MEMORY, SHORT_TAPS)):
            expected.append(first + (sum(counts[:taps]) % (1 << 32) >> (32 - LOG2_MEMORY)))
    assert places.tolist() == sorted(set(expected))


@pytest.mark.parametrize("depth", [8, 16])
def test_glyphs_that_come_again_are_remembered_from_picture_to_picture(depth, monkeypatch):
    """Each line has other glyphs; those of the second picture were in the first, where no vector finds them."""
    random, header = np.random.default_rng(17), Header(0, False)
    dtype = np.uint8 if depth == 8 else np.uint16
    glyphs = np.repeat(random.choice(np.array([20, 90, 250], dtype) << (depth - 8), (9, 12, 4)), 3, axis=2)
    glyphs[:, :, -2:] = glyphs[:, -3:] = 250 << (depth - 8)
    pages = [np.block([list(glyphs[line]) for line in random.integers(0, 9, (12, 15))]) for _ in range(2)]

    def wrong():
        """How many samples of each page are not predicted exactly."""
        found, memories = [], ()
        for page, predictions in zip(pages, ([], [[pages[0]]]), strict=True):
            residual, _, planes, memories = code_lossless(
                [page], predictions, (), memories, PRESETS[Speed.MEDIUM], header, depth
            )
            np.testing.assert_array_equal(page, planes[0])
            found.append(np.count_nonzero(residual.substreams.symbols))
        return found

    first, second = wrong()
    monkeypatch.setattr(for_depth(set_choice, depth), "choose_memory", lambda *_: None)
    first_without, second_without = wrong()
    assert 0.6 * first_without > first
    assert 0.65 * second_without > second


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_size_and_content_can_be_fitted(shape, depth):
    random = np.random.default_rng(13)
    for (references, residuals), count in product(COUNTS, (1, 4, MAX_SETS)):
        for source, predictions, left in scenes(random, shape, references, residuals, depth):
            symbols, weights, _ = symbols_after_a_fit(predictions, left, source, count, depth=depth)
            assert source.size == symbols.size
            assert np.abs(weights.astype(int)).max() < (1 << 11 if depth == 8 else 1 << 13)
