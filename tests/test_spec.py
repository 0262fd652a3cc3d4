"""format_spec.md against the code: tables, examples, the annotated file."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from construct import Array, Bytes, Const, FocusedSeq, FormatField, GreedyBytes, IfThenElse, Struct, Terminated
from kernel_sources import I_PLACE, P_PLACE, decoder_after_gray, reader_by_context, uncompiled

import codec
from codec.bitstream import schema
from codec.bitstream.limits import Limits
from codec.bitstream.packing import COMPRESSED, DIGITS, EQUAL, MAX_BLOCK_BYTES, MAX_DEPTH, PLAIN, StreamReader
from codec.bitstream.payloads import MAX_QP, coded_formats
from codec.bitstream.schema import StreamId
from codec.bitstream.shares import COMPONENT_OF
from codec.bitstream.streams import (
    BLOCK_STREAMS,
    block_bytes,
    symbol_limit,
    unpack_blocks,
    unpack_family,
    unpack_maps,
    unpack_substreams,
    unpack_vectors,
)
from codec.coded import (
    ALF_BLOCK,
    ContextSubstreams,
    LosslessResidual,
    MotionField,
    NodeGrid,
    PlaneResidual,
    Quantiser,
    SequenceHeader,
    WrittenContexts,
    WrittenSymbols,
    mesh_differences,
    negative_first,
    symbols_of_levels,
)
from codec.dct import tables
from codec.dct.references import coding_order, weighted
from codec.lossless import picture as lossless
from codec.lossless import tables as lossless_tables
from codec.lossless.tables import MAX_SETS, SET_SIDE, WEIGHT_COUNTS, context_model
from codec.models import BlockKind, MotionModel, PictureType, ResidualCoder
from codec.motion.compensation import Reference, compensate
from codec.motion.field import CellMode
from codec.motion.tables import EIGHTH_TAPS, HALF_TAPS, LINEAR_TAPS, SIXTEENTH_TAPS
from codec.picture.colour import to_array
from codec.picture.planes import (
    MAX_BIT_DEPTH,
    MIN_BIT_DEPTH,
    ChromaSiting,
    Colour,
    ColourMatrix,
    ColourPrimaries,
    ColourRange,
    ColourTransfer,
    Picture,
    PictureFormat,
    SampleFormat,
    of_ordered,
    ordered,
    sample_type,
)
from codec.residual import add_residual, inverse
from codec.writing.packing import pack_numbers, pack_quickly, varint
from codec.writing.streams import pack_blocks, pack_map, pack_substreams, pack_vectors

ROOT = Path(__file__).parent.parent
SPEC = (ROOT / "format_spec.md").read_text(encoding="utf-8")
LISTED = ("colour_matrix", "colour_primaries", "colour_transfer")  # with gaps between their codes
WORD_AT_END = r"\w+(?=\W*$)"
TYPE_OF_FORMAT = {"<B": "u8", "<b": "i8", "<H": "u16", "<L": "u32", "<Q": "u64"}


def rows_after(marker: str) -> list[list[str]]:
    """Cells of the table that follows an HTML comment, without its two heading lines."""
    _, found, rest = SPEC.partition(f"<!-- {marker} -->\n")
    assert found, f"the spec has no table marked {marker}"
    lines = rest.split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def declared_type(subcon) -> str:
    """How the spec writes the type of a declaration."""
    if isinstance(subcon, FormatField):
        return TYPE_OF_FORMAT[subcon.fmtstr]
    if isinstance(subcon, Const):
        return f"bytes[{len(subcon.value)}]"
    if isinstance(subcon, Bytes):
        return f"bytes[{re.search(WORD_AT_END, str(subcon.length))[0]}]"  # 4, or this['key_length']
    if isinstance(subcon, FocusedSeq):  # what PrefixedArray makes
        count, items = (part.subcon for part in subcon.subcons)
        item = declared_type if isinstance(items.subcon, FormatField) else name_of
        return f"{declared_type(count.subcon)} count, then {item(items.subcon)} each"
    if isinstance(subcon, Array):
        item = declared_type if isinstance(subcon.subcon, FormatField) else name_of
        return f"{item(subcon.subcon)} {'twice' if 'qps' in str(subcon.count) else 'for each plane'}"
    if isinstance(subcon, IfThenElse):  # what If makes
        return declared_type(subcon.thensubcon)
    if subcon is GreedyBytes:
        return "rest of the payload"
    raise AssertionError(f"the spec has no words for {subcon!r}")


def name_of(struct: Struct) -> str:
    """The name that a structure has in the schema."""
    return next(name for name, value in vars(schema).items() if value is struct)


STRUCTURES = sorted(name for name, value in vars(schema).items() if isinstance(value, Struct))


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_of_the_schema_is_the_table_of_the_spec(name):
    declared = []
    for subcon in getattr(schema, name).subcons:
        if subcon is not Terminated:
            declared.append([subcon.name, declared_type(subcon.subcon)])
    written = [[row[0], row[1]] for row in rows_after(f"table: {name}")]
    assert written == declared


def test_the_spec_has_no_table_that_the_schema_lacks():
    assert sorted(re.findall(r"<!-- table: (\w+) -->", SPEC)) == STRUCTURES


def test_signature_and_version_are_those_of_the_spec():
    assert schema.SIGNATURE.hex(" ").upper() in SPEC
    assert SPEC.splitlines()[2] == "Version {}.{}.".format(*schema.VERSION)


def test_packet_kinds_are_those_of_the_spec():
    written = set(re.findall(r'^packet "(\w{4})"', SPEC, re.MULTILINE))
    assert written == {value.decode() for name, value in vars(schema).items() if name.startswith("KIND_")}


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("sample_format", SampleFormat),
        ("colour_matrix", ColourMatrix),
        ("colour_primaries", ColourPrimaries),
        ("colour_transfer", ColourTransfer),
        ("colour_range", ColourRange),
        ("chroma_siting", ChromaSiting),
        ("residual_coder", ResidualCoder),
        ("motion_model", MotionModel),
    ],
)
def test_codes_of_the_sequence_header_are_those_of_the_spec(field, kind):
    row = next(row for row in rows_after("table: SEQUENCE_HEADER") if row[0] == field)
    assert row[2] == ("as listed" if field in LISTED else f"0…{max(kind)}")
    if field in LISTED:
        listed = re.findall(r"(\d+) (\w+)[,.]?", row[3].partition(": ")[2])
        assert listed == [(str(member.value), member.name.lower()) for member in kind]
    for member in kind:
        assert field == "sample_format" or f"{member.value} {member.name.lower()}" in row[3].lower().replace(".", "")
        assert field != "sample_format" or f"| {member.value} {member.label} |" in SPEC


def test_the_version_is_that_of_the_header_and_of_the_changes():
    rows = {row[0]: row[2] for row in rows_after("table: SEQUENCE_HEADER")}
    assert (rows["major"], rows["minor"]) == tuple(map(str, schema.VERSION))
    assert "\n**{}.{}** ".format(*schema.VERSION) in SPEC.partition("## 17. Changes")[2]


def test_streams_are_those_of_the_spec():
    written = [(int(row[0]), row[1], row[4]) for row in rows_after("streams")]
    assert written == [(stream.value, stream.name, COMPONENT_OF[stream]) for stream in StreamId]


def test_filter_taps_are_those_of_the_spec():
    def listed_taps(marker: str, inner: int = 0) -> list[list[int]]:
        words = [[cell.replace("−", "-").replace("·", "*") for cell in row] for row in rows_after(marker)]
        return [[eval(word, {"inner": inner}) for word in row] for row in words]

    def rows_of(table: np.ndarray) -> list[list[int]]:
        return [[phase, *taps] for phase, taps in enumerate(table.tolist()) if any(taps)]

    assert listed_taps("taps") == rows_of(SIXTEENTH_TAPS)
    assert listed_taps("eighth taps") == rows_of(EIGHTH_TAPS)
    for inner, table in HALF_TAPS.items():
        assert listed_taps("half taps", inner) == rows_of(table)
    assert "the row of phase is 0, 0, 0, 64 − 4 · phase, 4 · phase, 0, 0, 0." in SPEC
    linear = [[phase, 0, 0, 0, 64 - 4 * phase, 4 * phase, 0, 0, 0] for phase in range(0, 16, 2)]
    assert linear == rows_of(LINEAR_TAPS)
    for table in (SIXTEENTH_TAPS, EIGHTH_TAPS, LINEAR_TAPS, *HALF_TAPS.values()):
        assert {sum(row) for _, *row in rows_of(table)} == {64}


def test_taps_of_the_lossless_coder_are_those_of_the_spec():
    planes = {lossless_tables.NEWER: "NEWER", lossless_tables.OLDER: "OLDER", lossless_tables.CURRENT: "CURRENT"}
    for references, (row, taps) in enumerate(zip(rows_after("lossless taps"), lossless_tables.TAPS, strict=True)):
        words = [f"{planes[plane]} ({dy}, {dx})".replace("-", "−") for plane, dy, dx in taps]
        assert row == [str(references), words[0], ", ".join([*words[1:-2], "residual taps", *words[-2:]])]


def test_numbers_of_the_lossless_coder_are_those_of_the_spec():
    written = [(int(row[0]), int(row[1].removesuffix(" + residual taps"))) for row in rows_after("weight counts")]
    assert written == list(enumerate(WEIGHT_COUNTS))
    thresholds, halved = ", ".join(map(str, lossless_tables.THRESHOLDS)), lossless_tables.HALVED_LEVELS
    assert f"activity_level = how many of {thresholds} are not above activity" in SPEC
    assert f"level = 2 · activity_level + inner_half if activity_level < {halved}, " in SPEC
    assert f"else activity_level + {halved} " in SPEC
    classes = ", ".join(map(str, lossless_tables.CLASS_THRESHOLDS))
    assert f"class   = how many of {classes} are not above measure" in SPEC
    taps, factors = zip(*((row[1], int(row[2], 16)) for row in rows_after("memory")), strict=True)
    assert [tuple(numbers(tap.replace("−", "-"))) for tap in taps] == list(lossless_tables.MEMORY_TAPS)
    assert factors == lossless_tables.MEMORY_FACTORS
    assert f"two tables of 2 ** {lossless_tables.LOG2_MEMORY} places" in SPEC
    assert f"NOTHING = {lossless_tables.NOTHING}" in SPEC
    deeper = lossless_tables.DEEP_THRESHOLDS[len(lossless_tables.THRESHOLDS) :]
    assert f"of these and of {', '.join(map(str, deeper))}\n" in SPEC
    counts = [context_model(is_deep).contexts for is_deep in (False, True)]
    assert f"(0…{counts[0] - 1}, or 0…{counts[1] - 1})" in SPEC
    assert f"contexts of its own, {counts[0]}, or where depth is above 8 {counts[1]}, and" in SPEC
    assert f"(1…{lossless_tables.MAX_SUBSTREAMS})" in SPEC
    assert f"one is {1 << lossless_tables.LOG2_ONE} where depth is 8, and {1 << lossless_tables.LOG2_ONE_DEEP}" in SPEC
    assert f"add up to at most {lossless_tables.MAX_WEIGHT_SUM} · 1024 (BitstreamError)" in SPEC
    model = context_model(True)
    assert f"a symbol is 0…{model.symbols - 1} (BitstreamError)" in SPEC
    for symbol in range(lossless_tables.DIRECT, model.symbols):
        count, least = (symbol - 20) >> 2, (4 + (symbol & 3)) << ((symbol - 20) >> 2)
        assert (count, symbol, symbol) == (
            model.raw_bits[symbol],
            model.symbol_of[least],
            model.symbol_of[least + (1 << count) - 1],
        )
    assert f"magnitude[y][x] = min((symbol + 1) >> 1, {lossless_tables.MAX_MAGNITUDE})" in SPEC
    assert f"A plane has ceil(rows / {SET_SIDE}) × ceil(columns / {SET_SIDE}) squares" in SPEC
    ranges = {row[0]: row[2] for name in ("SEQUENCE_HEADER", "PICTURE_HEADER") for row in rows_after(f"table: {name}")}
    assert ranges["bit_depth"] == f"{MIN_BIT_DEPTH}…{MAX_BIT_DEPTH}, or {schema.FLOAT + MAX_BIT_DEPTH}"
    assert ranges["predictor_set_counts"] == f"0…{MAX_SETS}, of dct also {schema.SAME_ALPHA}"


def test_forms_of_packed_symbols_are_those_of_the_spec():
    bases, counts = zip(*DIGITS, strict=True)
    listed, forms = ", ".join(map(str, bases)), ", ".join(map(str, range(EQUAL + 1, COMPRESSED)))
    assert f"k = {', '.join(map(str, counts))} where base = {listed}" in SPEC
    listed, forms = (" or ".join(text.rsplit(", ", 1)) for text in (listed, forms))
    assert f"if form is {forms}: return digits(count, {listed})" in SPEC
    assert f"if form = {PLAIN}: return the next count bytes" in SPEC
    assert f"if form = {EQUAL}: return the next byte, count times" in SPEC
    assert f"the next (form − {COMPRESSED}) >> 1 bytes" in SPEC
    assert "a form 2…5 inside three others is a BitstreamError" in SPEC
    assert MAX_DEPTH == 3
    assert MAX_BLOCK_BYTES == 2**17


@pytest.mark.parametrize("residuals", [0, 1, 2])
@pytest.mark.parametrize("references", [0, 1, 2])
def test_the_largest_weights_keep_to_the_bounds_of_the_spec(references, residuals):
    count = WEIGHT_COUNTS[references] + residuals
    assert count <= 18
    plain = count - 1 - residuals
    assert 256 * 255 + 128 + 32768 + plain * 32768 * 255 + residuals * 32768 * 128 < 2**27
    for first, others in product((-32768, 32767), repeat=2):
        added, base = 128 + first - residuals * 128 * others, 256 - plain * others
        assert abs(added) + 255 * (abs(base) + (plain + residuals) * abs(others)) < 2**29  # from plain samples


def test_limits_are_those_of_the_spec():
    assert {row[0]: int(row[1]) for row in rows_after("limits")} == vars(Limits())


def test_the_example_of_vectors_holds():
    dy = np.array([[4, 4, 0], [8, 4, 0]], np.int16)
    field = MotionField(MotionModel.BLOCK, 16, np.stack([dy, 0 * dy], axis=-1))
    data = bytes.fromhex(re.search(r"example: vectors .* -> ([0-9a-f ]+) -->", SPEC)[1])
    assert pack_vectors(field.differences()) == data
    assert unpack_vectors(data, 6).reshape(2, 3, 2).tolist() == field.differences().tolist()


def example(name: str) -> str:
    """What the marker of an example says after its name; the spec has it once."""
    (found,) = re.findall(rf"<!-- example: {name} (.*) -->", SPEC)
    return found.replace("−", "-")


def numbers(text: str) -> list[int]:
    """All whole numbers of a text."""
    return [int(number) for number in re.findall(r"-?\d+", text)]


def header_of(picture_format: PictureFormat, residual: ResidualCoder, max_error: int = 0) -> SequenceHeader:
    """A header of which only these count."""
    return SequenceHeader(picture_format, Fraction(25), residual, MotionModel.NONE, 16, 0, 1, max_error)


def test_the_example_of_levels_holds():
    levels, coded = map(numbers, example("levels").split("->"))
    planes = [np.full((1, 1), level, np.uint8) for level in levels]
    header = header_of(PictureFormat(1, 1, SampleFormat.RGB), ResidualCoder.UINT8)
    residual = tuple(PlaneResidual(ResidualCoder.UINT8, Quantiser(256), plane) for plane in planes)
    assert [plane.item() for plane in symbols_of_levels(header, [residual])] == coded


def test_the_example_of_weights_holds():
    for case in example("weight").split(","):
        start, symbol, result = numbers(case)
        before = [np.array([[start]], np.int16)]
        differences = [negative_first(np.array([[symbol]], np.uint16))]
        assert lossless.weights_after(differences, before)[0].tolist() == [[result]]


def test_the_example_of_binary16_holds():
    for case in example("binary16").split(","):
        bits, place = case.split(" -> ")
        number = np.array(int(bits, 16), np.uint16).view(np.float16)
        assert int(place) == ordered(number)
        assert int(bits, 16) == of_ordered(np.array(int(place), np.uint16)).view(np.uint16)


def test_the_example_of_a_varint_holds():
    number, data = example("varint").split(" -> ")
    assert varint(int(number)).hex(" ") == data
    assert StreamReader(bytes.fromhex(data)).varint() == int(number)


def test_the_examples_of_packed_symbols_hold():
    examples = re.findall(r"<!-- example: packed (.*) -> (.*) -->", SPEC)
    assert len(examples) == 2
    for written, data in examples:
        symbols, packed = np.array(numbers(written), np.uint8), bytes.fromhex(data)
        assert pack_quickly(symbols) == packed
        with StreamReader(packed) as stream:
            assert stream.symbols(symbols.size).tolist() == symbols.tolist()
    plain = bytes.fromhex(re.search("The symbols 0, 1, 5, 0, 0, 40, 0 may be `([0-9a-f ]+)`", SPEC)[1])
    assert StreamReader(plain).symbols(7).tolist() == numbers(examples[0][0])


def substreams_of(symbols: dict[int, list[int]]) -> ContextSubstreams:
    """The context substreams of a gray picture from the symbols of each context, which have one each."""
    sizes = np.array([len(of_context) for of_context in symbols.values()], np.int64)
    flat = [symbol for of_context in symbols.values() for symbol in of_context]
    substream_of = np.zeros(context_model(False).contexts, np.uint8)
    substream_of[list(symbols)] = np.arange(len(symbols))
    room = np.array(flat + [0] * (len(flat) + 2), np.uint8)
    return ContextSubstreams(room, np.cumsum(sizes) - sizes, sizes, substream_of, np.zeros(2, np.uint8))


def test_the_example_of_a_whole_stream_of_context_substreams_holds():
    assert "one substream: the byte 1, the size 7, and then the seven symbols" in SPEC
    written, data = re.findall(r"<!-- example: packed (0 1 5 .*) -> (.*) -->", SPEC)[0]
    stream = bytes([1, 7]) + bytes.fromhex(data)
    symbols = np.array(numbers(written), np.uint8)
    contexts = WrittenContexts(np.full(7, 5, np.uint16), symbols, np.zeros(0, np.uint8))
    assert pack_substreams([contexts], 1, False) == stream
    header = header_of(PictureFormat(7, 1, SampleFormat.GRAY), ResidualCoder.LOSSLESS)
    bit_depth, (substreams,) = unpack_substreams(stream, 1, header)
    assert bit_depth == 8
    assert substreams.of(0).tolist() == numbers(written)


def decode_gray(
    prediction: list[list[int]] | None,
    shape: tuple[int, int],
    weights: list[int],
    symbols: dict[int, list[int]],
    max_error: int = 0,
    predictor_set: int | None = None,
    squares: int = 1,
) -> list[list[int]]:
    """A gray plane of a row of squares, which have predictor set 1 where there are weights, or another, decoded."""
    count = WEIGHT_COUNTS[0 if prediction is None else 1]
    differences = np.array(weights, np.int16).reshape(-1, count)
    predictor_set = len(differences) if predictor_set is None else predictor_set
    residual = LosslessResidual(
        (differences,), (np.full((1, squares), predictor_set, np.uint8),), substreams_of(symbols)
    )
    header = header_of(PictureFormat(shape[1], shape[0], SampleFormat.GRAY), ResidualCoder.LOSSLESS, max_error)
    predictions = [] if prediction is None else [[np.array(prediction, np.uint8)]]
    ((plane,), *_) = lossless.decode_lossless(residual, [shape], predictions, (), (), header)
    return plane.tolist()


PREDICTION_WEIGHTS = [0, -128, 0, 0, 0, 0, 0, 0, 0, 128, 0]  # of P (0, −1), the first after the base, and of C (0, −1)


def prediction_example() -> tuple[list[list[int]], dict[int, list[int]], list[list[int]], list[list[str]]]:
    """P, symbols by context, samples, and the rows of the table."""
    marker = re.search(r"<!-- (example: prediction (\d+) (\d+) / (\d+) (\d+)) -->", SPEC)
    a, b, c, d = map(int, marker.groups()[1:])
    rows = rows_after(marker[1])
    symbols: dict[int, list[int]] = {}
    for row in rows:
        symbols.setdefault(int(row[6]), []).append(int(row[7]))
    samples = [int(row[10]) for row in rows]
    return [[a, b], [c, d]], symbols, [samples[:2], samples[2:]], rows


def test_the_example_of_a_prediction_with_weights_holds():
    prediction, symbols, samples, rows = prediction_example()
    assert decode_gray(prediction, (2, 2), PREDICTION_WEIGHTS, symbols) == samples
    for place, _, *row in rows:
        total, p, half, level, context, s, v, r, sample = numbers(" ".join(row).replace("−", "-"))
        y, x = numbers(place)
        base, beside, west = prediction[y][x], prediction[y][0], samples[y][0] if x else prediction[y][0]
        assert total == 256 * base + 128 - 128 * (beside - base) + 128 * (west - base)
        assert (p, half) == (total >> 8, (total + 64) >> 7 & 1)
        assert context == 14 * 5 + level
        assert v == negative_first(np.array([s], np.uint8)).item()
        assert r == (v if total & 128 else -v)
        assert sample == p + r


def test_the_example_of_contexts_holds():
    _, _, _, rows = prediction_example()
    activities, levels = map(numbers, re.search(r"activity is ([\d, ]+); activity_level is ([\d, ]+)\.", SPEC).groups())
    magnitudes = {}
    for row, activity, level in zip(rows, activities, levels, strict=True):
        y, x = numbers(row[0])
        n, nw, ne, nn, w, ww = numbers(row[1])
        if y:
            assert (n, nw, ne) == tuple(magnitudes[0, column] for column in (x, max(x - 1, 0), min(x + 1, 1)))
        assert nn == 0
        assert w == (magnitudes[y, 0] if x else n)
        assert ww == (magnitudes[0, 0] if y else 0)
        assert activity == 3 * (n + w) + 2 * (nw + ne + nn + ww)
        assert level == sum(threshold <= activity for threshold in lossless_tables.THRESHOLDS)
        region = 2 * 5 + int(row[4])
        assert int(row[6]) == context_model(False).context_of[region * lossless_tables.REGION + activity]
        magnitudes[y, x] = min(int(row[7]) + 1 >> 1, 32)


def test_the_example_of_near_lossless_reconstruction_holds():
    max_error, *values = numbers(example("near-lossless"))
    symbols, samples = values[: len(values) // 2], values[len(values) // 2 :]
    for symbol, sample in zip(symbols, samples, strict=True):
        assert decode_gray(None, (1, 1), [], {1: [symbol]}, max_error) == [[sample]]


def symbol_of(value: int) -> int:
    """The inverse of negative_first."""
    return 2 * value if value >= 0 else -2 * value - 1


def test_the_example_of_a_median_holds():
    (west, north, north_west), (median,) = (numbers(part) for part in example("median").split("->"))
    assert sorted((west, north, west + north - north_west))[1] == median
    # the others are predicted as 128, 120 and 120
    symbols = {1: [symbol_of(north_west - 128)], 9: [symbol_of(north - 120)], 12: [symbol_of(west - 120)], 13: [0]}
    assert decode_gray(None, (2, 2), [], symbols, predictor_set=1) == [[north_west, north], [west, median]]


def test_the_example_of_a_memory_holds():
    columns, sample, unknown, known = numbers(example("memory"))
    first = context_model(False).contexts - 3 * 10
    symbols = {first: unknown * [0], first + 2 * 10: known * [0]}
    assert columns == unknown + known
    assert decode_gray(None, (1, columns), [], symbols, predictor_set=2, squares=2) == [columns * [sample]]


def test_the_example_of_raw_bits_holds():
    ((symbol, bits), (z, value)) = (numbers(part) for part in example("raw bits").split("->"))
    bits = f"{bits:04d}"
    model = context_model(True)
    assert (len(bits), symbol) == (model.raw_bits[symbol], model.symbol_of[z])
    assert (int(model.meanings[symbol]) >> 24) + int(bits, 2) == z
    assert negative_first(np.array([z], np.uint16)).tolist() == [value]
    weights = (np.zeros((0, WEIGHT_COUNTS[0]), np.int16),)
    packed = np.array([int(bits.ljust(8, "0"), 2), 0, 0, 0, 0], np.uint8)
    symbols, one = np.array([symbol] + 3 * [0], np.uint8), np.ones(1, np.int64)
    substreams = ContextSubstreams(symbols, 0 * one, one, np.zeros(model.contexts, np.uint8), packed)
    residual = LosslessResidual(weights, (np.zeros((1, 1), np.uint8),), substreams, 12)
    header = header_of(PictureFormat(1, 1, SampleFormat.GRAY, bit_depth=12), ResidualCoder.LOSSLESS)
    ((plane,), *_) = lossless.decode_lossless(residual, [(1, 1)], [], (), (), header)
    assert plane.tolist() == [[2107]]
    assert "where prediction = 2048 and total & 512 is not 0, the sample is 2107" in SPEC


def test_the_example_of_value_maps_holds():
    left_out, values = map(numbers, example("map").split("->"))
    data = pack_map(np.array(values, np.uint8))
    assert data == varint(2) + pack_numbers(np.array(left_out, np.uint16))
    header = header_of(PictureFormat(1, 1, SampleFormat.GRAY_ALPHA), ResidualCoder.LOSSLESS)
    others, alpha = unpack_maps(header, varint(0) + data)
    assert (others.tolist(), alpha.tolist()) == ([], values)


def test_the_example_of_green_holds():
    samples, apart = map(numbers, example("green").split("->"))
    planes = [np.full((1, 1), sample, np.uint8) for sample in samples]
    coded = lossless.subtract_green(planes)
    assert [int(plane[0, 0]) for plane in coded] == apart
    assert [int(plane[0, 0]) for plane in lossless.add_green(coded)] == samples


def test_context_substreams_that_a_picture_does_not_use_up_are_refused():
    prediction, symbols, _, _ = prediction_example()
    for context in symbols:
        moved = {**symbols, context: symbols[context][1:], 13: [0]}
        with pytest.raises(codec.BitstreamError, match="symbols where"):
            decode_gray(prediction, (2, 2), PREDICTION_WEIGHTS, moved)


def compensated(picture: Picture, dy: int, dx: int) -> list[list[list[int]]]:
    """The planes of a picture of up to 16 × 16 samples, moved by one vector."""
    field = MotionField(MotionModel.BLOCK, 16, np.array([[[dy, dx]]], np.int16))
    return [plane.tolist() for plane in compensate(field, Reference(picture))]


def test_the_example_of_quarter_samples_holds():
    row, vectors, samples = map(numbers, re.split("at|->", example("quarters")))
    picture = Picture.from_array(np.tile(np.array(row, np.uint8), (6, 1)))
    for dy, dx, sample in zip(vectors[::2], vectors[1::2], samples, strict=True):
        assert compensated(picture, dy, dx)[0][2][2] == sample


def test_the_example_of_a_bilinear_sample_holds():
    a, b, c, d, row, column, sample = numbers(example("bilinear"))
    luma, chroma = np.zeros((4, 4), np.uint8), np.array([[a, b], [c, d]], np.uint8)
    picture = Picture(PictureFormat(4, 4, SampleFormat.YUV420), (luma, chroma, chroma))
    assert compensated(picture, row // 2, column // 2)[1][0][0] == sample


def test_the_example_of_a_sample_between_samples_holds():
    assert "<!-- example: sample 10 10 20 20 at 8 -> 15 -->" in SPEC
    picture = Picture.from_array(np.tile(np.array([10, 10, 20, 20], np.uint8), (4, 1)))
    half_a_sample_right = np.full((2, 2, 2), (0, 2), np.int16)
    modes, own = np.full((1, 1), CellMode.WARP, np.uint8), np.zeros((1, 1, 2), np.int16)
    (plane,) = compensate(MotionField(MotionModel.MESH, 4, half_a_sample_right, modes, own), Reference(picture))
    assert plane[1, 1] == 15


def test_the_examples_of_residuals_hold():
    assert "<!-- example: dequantise 125 128 2048 -> -24 -->" in SPEC
    assert "<!-- example: float16 0x2C04 -> 16 -->" in SPEC
    level = np.array([[125]], np.uint8)
    assert inverse(ResidualCoder.UINT8, level, Quantiser(2048, 128), 8).tolist() == [[-24]]
    half = np.array([0x2C04], "<u2").view("<f2")
    assert inverse(ResidualCoder.FLOAT16, half, Quantiser(256), 8).tolist() == [16]


def test_the_example_of_prediction_from_neighbours_holds():
    residuals, samples = (np.array(numbers(part)).reshape(2, 2) for part in example("neighbours").split("->"))
    levels = PlaneResidual(ResidualCoder.INT8, Quantiser(256), residuals.astype(np.int8))
    assert add_residual(levels, None, 8).tolist() == samples.tolist()


# ------------------------------------------------------------------------- dct


def test_what_dct_adds_to_headers_is_that_of_the_spec():
    ranges = {row[0]: row[2] for name in ("SEQUENCE_HEADER", "PICTURE_HEADER") for row in rows_after(f"table: {name}")}
    assert ranges["coded_format"] == f"0…{max(SampleFormat)}"
    assert ranges["qps"] == f"−6 · over…{MAX_QP}, over = min(bit_depth, {tables.MAX_BITS}) − 8"
    assert "with one exception: rgb and rgba by dct are coded as 2 yuv420 or 4 yuv444" in SPEC
    assert "and gray_alpha by dct is coded as 0 gray" in SPEC
    for sample_format in SampleFormat:
        assert coded_formats(sample_format, False) == (sample_format,)
        expected = (2, 4) if sample_format.is_rgb else (sample_format.opaque,)
        assert coded_formats(sample_format, True) == expected


def spans(marker: str) -> list[tuple[int, int, str]]:
    """The rows of a table whose first column says from where to where."""
    rows = [(*numbers(row[0]), row[1]) for row in rows_after(marker)]
    return [(first, last, rest.replace("−", "-")) for first, last, rest in rows]


def listed(marker: str, first: int) -> list[int]:
    """A table of numbers in order, some in each row, counted from ``first`` on."""
    found: list[int] = []
    for low, high, rest in spans(marker):
        assert low == first + len(found)
        found += numbers(rest)
        assert high == first + len(found) - 1
    return found


def test_families_of_contexts_are_those_of_the_spec():
    names, expected = (
        (
            "quadtree nodes, CBF, directions and transform",
            "intra modes",
            "MVDs and block vectors",
            "escapes and levels",
        ),
        [],
    )
    for name, first, end, stream in zip(names, (0, *tables.FAMILIES), tables.FAMILIES, BLOCK_STREAMS, strict=False):
        expected.append([name, f"{first}…{end - 1}", stream.name])
    assert rows_after("families") == expected
    assert f"a *context* 0…{tables.CONTEXTS - 1}" in SPEC


def test_contexts_are_those_of_the_spec():
    starts = (0, *(getattr(tables, f"{name}_CONTEXTS") for name in ("CBF",)), tables.CHROMA_CBF_CONTEXT)
    starts += tuple(
        getattr(tables, f"{name}_CONTEXTS")
        for name in ("DIRECTION", "TRANSFORM", "MODE", "VECTOR", "BV", "ESCAPE", "LEVEL")
    )
    starts += (tables.CONTEXTS,)
    written = [(int(row[0]), int(row[1])) for row in rows_after("contexts")]
    assert written == [(first, end - first) for first, end in pairwise(starts)]
    formulas = [row[3] for row in rows_after("contexts")]
    assert formulas[-2].startswith("79 + 4 · chroma + min(band(position), 3)")
    assert formulas[-1].startswith("87 + 3 · (6 · (4 · (log2_side − 2) + 2 · chroma + intra) + band(position)) + past")
    for m, chroma, intra, past in product(range(2, 6), range(2), range(2), range(3)):
        for run in range(min(4**m - 1, 24)):
            for magnitude in range(1, 5):
                first, *others = contexts_of_levels(m, chroma, intra, past, run, magnitude)
                base = 87 + 18 * (4 * (m - 2) + 2 * chroma + intra)
                band, later = (sum(start <= position for start in (1, 3, 6, 10, 21)) for position in (run, run + 1))
                assert first == base + past
                assert others[:-1] == [79 + 4 * chroma + min(band, 3)] * (magnitude == 4)
                assert others[-1] == base + 3 * later + min(magnitude, 3) - 1


def contexts_of_levels(m: int, chroma: int, intra: int, past: int, run: int, magnitude: int) -> list[int]:
    """The contexts that are asked for by a block with one level after a run, and another right behind it."""

    class Symbols:
        asked, answers = [], [4 * run + magnitude - 1, *[0] * (magnitude == 4), 128]

        def read(self, context):
            self.asked.append(context)
            return self.answers.pop(0)

        read_number = read

        def read_bits(self, count):
            return 0

    uncompiled("syntax").Levels().read(Symbols(), m, chroma, intra, past)
    return Symbols.asked


def test_numbers_of_the_syntax_are_those_of_the_spec():
    assert f"if s < {tables.DIRECT}: return s" in SPEC
    assert f"(0…{tables.MAX_BUCKETS - 1}, else BitstreamError)" in SPEC
    assert f"s = {tables.SPLIT}   " in SPEC
    assert f"type = (s − {tables.FIRST_CODED}) >> 4" in SPEC
    assert f"if type = {tables.KIND_INTER}: kind = INTER" in SPEC
    assert f"if type = {tables.OBMC_INTER}: kind = INTER, obmc = 1" in SPEC
    assert f"if type = {tables.KIND_COPY}: kind = COPY" in SPEC
    assert f"a quadtree node's symbol is above {tables.FIRST_CODED + 16 * tables.KIND_COPY + 15};" in SPEC
    assert f"positive_first(number({tables.BV_CONTEXTS})), positive_first(number({tables.BV_CONTEXTS + 1}))" in SPEC
    assert f"until s ≥ {tables.LAST}" in SPEC
    assert f"A magnitude above {tables.MAX_LEVEL} is" in SPEC
    assert f"the symbol of an intra mode is above {tables.MODES + 1}, after {tables.FROM_LUMA} was taken off" in SPEC
    assert f"if k = 0 and s ≥ {tables.FROM_LUMA} and there is chroma: from_luma = 1" in SPEC
    assert f"| SKIP, MERGE with merge = {tables.AVERAGED} | 3 | of(candidate[r], r) |" in SPEC
    assert f"a flag for each ALF block of {ALF_BLOCK} × {ALF_BLOCK} samples of luma" in SPEC
    assert f"where most = {tables.ALF_CLIP} << over, and" in SPEC
    assert f"have depth = min(bit_depth, {tables.MAX_BITS}) bits" in SPEC


def test_runs_of_zeros_are_those_of_the_spec():
    (first, last, _), (from_bucket, to_bucket, formula) = spans("runs")
    assert formula == "24 + 8 · (2 ** (k - 24) - 1)"
    assert [row[2] for row in rows_after("runs")] == ["0", "k − 21"]
    expected = [(k, 0) for k in range(first, last + 1)]
    expected += [(24 + 8 * (2 ** (k - 24) - 1), k - 21) for k in range(from_bucket, to_bucket + 1)]
    assert list(zip(tables.RUN_BASES.tolist(), tables.RUN_BITS.tolist(), strict=True)) == expected
    assert "how many of 1, 3, 6, 10, 21 are not above position" in SPEC
    assert tables.BAND_STARTS == (0, 1, 3, 6, 10, 21)


def test_transforms_are_those_of_the_spec():
    cosines = listed("cosines", 1)

    def k_of(a: int) -> int:
        a = min(a % 128, 128 - a % 128)
        return cosines[a - 1] if a < 32 else -cosines[63 - a]

    for number, side in enumerate(tables.SIZES):
        for k in range(side):
            expected = [64 if k == 0 else k_of((2 * j + 1) * k * 32 // side) for j in range(side)]
            assert tables.TRANSFORM[0, number, k, :side].tolist() == expected
    written = [numbers(row) for row in example("matrix").split("/")]
    assert tables.TRANSFORM[0, 0, :4, :4].tolist() == written


def test_sines_are_those_of_the_spec():
    for number, (side, *sines) in enumerate(map(numbers, map(" ".join, rows_after("sines")))):
        flat = [0, *sines, *sines[::-1], 0, *[-sine for sine in (*sines, *sines[::-1])]]
        for k in range(side):
            expected = [flat[(2 * k + 1) * (m + 1) % (4 * side + 2)] for m in range(side)]
            assert tables.TRANSFORM[1, number, k, :side].tolist() == expected
        exact = 128 * np.sqrt(side / (2 * side + 1)) * np.sin(np.pi * np.arange(1, side + 1) / (2 * side + 1))
        assert np.rint(exact).astype(int).tolist() == sines
        assert np.abs(exact - np.floor(exact) - 0.5).min() > 0.005
    assert "rounded; no value is nearer than 0.005 to a half" in SPEC
    written = [numbers(row) for row in example("sine matrix").split("/")]
    assert tables.TRANSFORM[1, 0, :4, :4].tolist() == written


def test_no_number_of_a_transform_is_near_a_half():
    exact = 64 * np.sqrt(2) * np.cos(np.pi * np.arange(1, 32) / 64)
    assert "no value is nearer than 0.008 to a half" in SPEC
    assert np.abs(exact - np.floor(exact) - 0.5).min() > 0.008


def test_sums_of_a_transform_keep_to_the_bounds_of_the_spec():
    bound = int(np.abs(tables.TRANSFORM).sum(axis=2).max())
    assert f"The sums of |T| over a column are at most {bound}," in SPEC
    halfway = (bound * 32768 + 64) >> 7
    assert halfway < 2**19
    assert halfway * bound + 2048 < 2**30


def test_scans_are_those_of_the_spec():
    flat = numbers(example("scan"))
    begin = [32 * row + column for row, column in zip(flat[::2], flat[1::2], strict=True)]
    assert tables.SCANS[0, : len(begin)].tolist() == begin
    for number, side in enumerate(tables.SIZES):
        expected = []
        for total in range(2 * side - 1):
            diagonal = [(row, total - row) for row in range(side) if 0 <= total - row < side]
            expected += diagonal if total & 1 else diagonal[::-1]
        assert tables.SCANS[number, : side * side].tolist() == [32 * row + column for row, column in expected]


def test_tables_of_dct_are_those_of_the_spec():
    assert tables.SCALES.tolist() == listed("scales", 0)
    assert tables.ANGLES[2:].tolist() == listed("angles", 2)
    assert tables.TC.tolist() == listed("tc", 0)
    assert rows_after("beta") == [["0…15", "0"], ["16…28", "qp − 10"], ["29…51", "2 · qp − 38"]]
    assert tables.BETA.tolist() == [0 if qp < 16 else qp - 10 if qp < 29 else 2 * qp - 38 for qp in range(52)]
    places = listed_pairs("alf places")
    assert tables.ALF_OFFSETS.tolist() == places
    assert tables.ALF_CHROMA_OFFSETS.tolist() == listed_pairs("alf chroma places")


def listed_pairs(marker: str) -> list[list[int]]:
    """Pairs of numbers in order, some in each row."""
    flat = [number for _, _, rest in spans(marker) for number in numbers(rest)]
    return [[first, second] for first, second in zip(flat[::2], flat[1::2], strict=True)]


def test_sums_of_eight_taps_keep_to_the_bounds_of_the_spec():
    taps = np.concatenate([SIXTEENTH_TAPS, EIGHTH_TAPS, LINEAR_TAPS, *HALF_TAPS.values()]).astype(int)
    lows, highs = np.minimum(taps, 0), np.maximum(taps, 0)
    assert "is in −6120…22440, 16 bits" in SPEC
    assert (255 * lows.sum(axis=1).min(), 255 * highs.sum(axis=1).max()) == (-6120, 22440)
    assert 22440 * np.abs(taps).sum(axis=1).max() < 2**22


def test_the_example_of_the_coding_order_holds():
    assert tables.MORTON[:2].ravel().tolist() == numbers(example("order"))


GRAY_8 = PictureFormat(8, 8, SampleFormat.GRAY)


def decoded(*pairs: tuple[int, int], bits: str = "", decoder=None, is_p: bool = True, qp: int = 0):
    """The planes of a picture of such symbols, each with its context; 8 × 8 samples, P pictures after one of 128."""
    contexts, values = zip(*pairs, strict=True) if pairs else ((), ())
    reader = reader_by_context(contexts, values, [int(bit) for bit in bits])
    place = P_PLACE if is_p else I_PLACE
    return (decoder or decoder_after_gray(GRAY_8)).decode(reader, place, qp, qp, (), None)


def read_levels(*pairs: tuple[int, int], bits: str = "") -> tuple[list[int], list[int]]:
    """Positions and levels of a block of 8 × 8 luma samples that is no intra block and has no coded neighbour."""
    syntax = uncompiled("syntax")
    contexts, values = zip(*pairs, strict=True)
    levels = syntax.Levels()
    levels.read(reader_by_context(contexts, values, [int(bit) for bit in bits], syntax), 3, False, False, 0)
    return list(levels.position[: levels.count]), list(levels.level[: levels.count])


def symbols_example() -> tuple[list[int], list[tuple[int, int]], str]:
    """Levels and positions of the example, the contexts and symbols of its table, and its bits."""
    (found,) = re.findall(r"<!-- (example: symbols .*) -->", SPEC)
    rows = rows_after(found)
    pairs = [(int(row[1]), int(row[2])) for row in rows if row[1]]
    return numbers(found.replace("−", "-")), pairs, "".join(row[3] for row in rows)


def test_the_example_of_symbols_holds():
    flat, (node, kind, *pairs), bits = symbols_example()
    assert [node, kind] == [(P_NODE, 6), (66, tables.DCT)]
    assert (flat[1::2], flat[::2]) == read_levels(*pairs, bits=bits)


def test_the_example_of_block_streams_holds():
    _, pairs, written = symbols_example()
    parts = [bytes.fromhex(part) for part in example("block streams").split("|")]
    streams = dict(zip((*BLOCK_STREAMS, StreamId.BITS), parts, strict=True))
    contexts, symbols = (
        np.array(part, kind) for part, kind in zip(zip(*pairs, strict=True), (np.uint16, np.uint8), strict=True)
    )
    picture = WrittenSymbols(0, 0, contexts, symbols, np.array([int(bit) for bit in written], np.uint8), ())
    assert pack_blocks([picture]) == streams
    (back,) = unpack_blocks(header_of(GRAY_8, ResidualCoder.DCT), [(0, 0)], streams)
    planes = decoder_after_gray(GRAY_8).decode(back.symbols, P_PLACE, 0, 0, (), None)
    assert planes[0].tolist() == decoded(*pairs, bits=written)[0].tolist()
    back.symbols.check_end()


def test_the_example_of_a_family_holds():
    data, written = example("family").split("->")
    with StreamReader(bytes.fromhex(data)) as stream:
        substream_of, symbols = unpack_family(stream, 4, 100)
    expected = [numbers(part) for part in written.split(",")]
    assert [substream_of.tolist(), *(substream.tolist() for substream in symbols)] == expected


def test_the_example_of_numbers_holds():
    for case in example("number").split(","):
        number, coded = case.split("->")
        symbol, *bits = coded.split()
        reader = reader_by_context([64], [int(symbol)], [int(bit) for bit in "".join(bits)], uncompiled("syntax"))
        assert int(number) == reader.read_number(64)
        reader.check_end()


def test_sizes_of_a_run_of_dct_are_those_of_the_spec():
    assert "at most 24 for each 8×8 unit and two for each sample" in SPEC
    header = header_of(PictureFormat(17, 9, SampleFormat.YUV420), ResidualCoder.DCT)
    assert symbol_limit(header) == 24 * 3 * 2 + 2 * (24 * 16 + 2 * 12 * 8)
    assert "88 bytes for each 8×8 unit and six for each sample" in SPEC
    assert block_bytes(header) == 88 * 3 * 2 + 6 * (24 * 16 + 2 * 12 * 8)


def test_the_examples_of_candidates_hold():
    examples = re.findall(r"<!-- example: candidates left (.*) above (.*) temporal (.*) -> (.*) -->", SPEC)
    assert len(examples) == 2
    references = uncompiled("references").References(4096)
    earlier = uncompiled("candidates").MotionMap(2, 2)
    candidates, block = (
        uncompiled("candidates").MergeCandidates(references, earlier),
        uncompiled("syntax").CodingBlock(),
    )
    for place in (I_PLACE, P_PLACE):
        references.start(place, False)
    for left, above, before, expected in examples:
        row = 0 if above == "none" else 1
        blocks = uncompiled("candidates").BlockMap(2, 2)
        for place in np.ndindex(2, 2):
            blocks.kind[place] = BlockKind.INTRA
            earlier.dy[0, *place], earlier.dx[0, *place] = numbers(before)
            earlier.distance[0, *place] = 1
        for there, vector in (((row, 0), left), ((0, 1), above)):
            if vector != "none":
                blocks.kind[there], blocks.directions[there] = BlockKind.INTER, 1
                blocks.dy[0, *there], blocks.dx[0, *there] = numbers(vector)
        block.row, block.column, block.log2 = row, 1, 3
        candidates.find(blocks, block)
        found = np.stack([candidates.dy, candidates.dx], axis=-1)[: candidates.count, 0].tolist()
        assert found == [numbers(candidate) for candidate in expected.split(",")]
        assert set(candidates.directions[: candidates.count]) == {1}


def test_the_example_of_vectors_over_other_distances_holds():
    stretched = uncompiled("references").References(4096).stretched
    for case in example("stretched").split(";"):
        distances, vector, expected = map(numbers, re.split(":|->", case))
        assert [stretched(component, *distances) for component in vector] == expected


def test_the_example_of_the_order_of_pictures_holds():
    setting, coded = example("coding of").split("->")
    count, mini_gop = numbers(setting)
    places = coding_order(0, count, mini_gop, True)
    expected = [numbers(picture) for picture in coded.split(",")]
    assert [[place.number, *dict.fromkeys(place.references)] for place in places] == expected


@pytest.mark.parametrize(("case", "bit_depth"), [("weighted", 8), ("deep weighted", 10)])
def test_the_examples_of_weighted_references_hold(case, bit_depth):
    weights, sample, expected = map(numbers, re.split(":|->", example(case)))
    plane = np.array([sample], sample_type(bit_depth))
    assert weighted(plane, *weights, bit_depth).tolist() == [expected]


def test_the_example_of_a_direction_holds():
    setting, rows = example("direction").split("->")
    mode, *references = numbers(setting)
    predictor, target = uncompiled("intra").IntraPredictor(), np.zeros((4, 4), np.uint8)
    predictor.side, predictor.log2 = 4, 2
    for number, sample in enumerate(references):
        predictor.references[number] = sample
    predictor.predict(target.data, 0, 0, mode, False)
    first, last = (numbers(row) for row in rows.split(","))
    assert (target[0].tolist(), target[3].tolist()) == (first, last)


def test_the_example_of_chroma_from_luma_holds():
    around, expected = example("from luma").split("->")
    neighbours, inside = around.split(" of ")
    of_luma, of_chroma = (numbers(part) for part in neighbours.split(","))
    luma, chroma = (uncompiled("planes").Plane(number, 1, 1, 8, 8, 0, 0) for number in (0, 1))
    inside = numbers(inside)
    for k in range(4):
        luma.samples[3, k], chroma.samples[3, k] = of_luma[k], of_chroma[k]
    for k, sample in enumerate(inside):
        luma.samples[4, k] = sample
    predictor = uncompiled("intra").IntraPredictor()
    predictor.gather(chroma, uncompiled("candidates").BlockMap(1, 1), 4, 0, 2)
    predictor.predict_from_luma(chroma, luma, 4, 0)
    assert [chroma.samples[4, k] for k in range(len(inside))] == numbers(expected)


def moved_blocks(samples: np.ndarray, subsampling: tuple[int, int], dx: int) -> list[list[int]]:
    """A plane of 8 × 8 luma samples, moved by one vector of a block."""
    plane = uncompiled("planes").Plane(0, 1, 1, *samples.shape, *subsampling)
    for place in np.ndindex(samples.shape):
        plane.samples[place] = int(samples[place])
    plane.publish()
    plane.reference.move(plane.samples, 0, 0, 8, 8, 0, dx, False)
    return np.asarray(plane.samples).tolist()


def test_the_example_of_compensated_blocks_holds():
    luma, chroma = example("blocks compensated").split(", chroma")
    *row, half, quarter = (numbers(part) for part in re.split("at|->", luma))
    (samples, steps), expected = (row[0], half), quarter
    assert [moved_blocks(np.tile(samples, (8, 1)), (0, 0), dx)[0][3] for dx in steps] == expected
    samples, (step,), expected = (numbers(part) for part in re.split("at|->", chroma))
    assert [moved_blocks(np.tile(samples, (4, 1)), (1, 1), step)[0][1]] == expected


def test_the_example_of_obmc_holds():
    (mine, other), expected = (numbers(part) for part in example("obmc").split("->"))
    for from_left in (False, True):
        plane = uncompiled("planes").Plane(0, 1, 1, 8, 8, 0, 0)
        for place in np.ndindex(8, 8):
            plane.samples[place], plane.second[place] = mine, other
        plane.overlap(0, 0, *((8, 4) if from_left else (4, 8)), from_left)
        mixed = np.asarray(plane.samples)
        assert (mixed.T if from_left else mixed).tolist() == [[value] * 8 for value in (*expected, *(mine,) * 4)]


@pytest.mark.parametrize("name", ["bdof", "clipped bdof"])
def test_the_examples_of_bdof_hold(name):
    predictions, expected = example(name).split("->")
    first, second = (np.repeat(numbers(part), 8).astype(np.uint8).reshape(8, 8) for part in predictions.split(","))
    for turned in (False, True):
        a, b = (np.array(plane.T if turned else plane, order="C") for plane in (first, second))
        uncompiled("optical_flow").OpticalFlow(8).average(a.data, b.data, 0, 0, 8, 8)
        assert (a.T if turned else a).tolist() == [[value] * 8 for value in numbers(expected)]


def test_the_example_of_a_transform_holds():
    """In the first of four intra blocks without reference samples, all of them DC."""
    setting, expected = (numbers(part) for part in example("transform").split("->"))
    qp, first, second = setting
    assert abs(first) > 4 > abs(second) > 0
    levels = (87 + 18, 3), (79, abs(first) - 4), (87 + 18 + 3 + 2, 128 + abs(second) - 1)
    node = (I_NODE, 5 + 16 * 5 + 8 + 1)
    modes = [(72, 0), (72, 0), (72, 1), (72, 0)]  # as to the left, where DC is; above is planar
    bits = f"{int(first < 0)}{int(second < 0)}"
    planes = decoded(node, *modes, (65, 0), (59, 1), *levels, bits=bits, is_p=False, qp=qp)
    assert planes[0][:4, :4].tolist() == [[128 + r for r in expected]] * 4


def test_the_examples_of_deblocking_hold():
    examples = re.findall(r"<!-- example: edge (\d+): (\d+) (\d+) -> (.*) -->", SPEC)
    assert len(examples) == 2
    for qp, left, right, row in examples:
        blocks = uncompiled("candidates").BlockMap(1, 2)
        planes = [uncompiled("planes").Plane(number, 1, 2, 8, 16, 0, 0) for number in range(3)]
        for column in range(2):
            blocks.log2[0, column], blocks.kind[0, column] = 3, BlockKind.INTRA
        for y, x in np.ndindex(8, 16):
            planes[0].samples[y, x] = int(left if x < 8 else right)
        uncompiled("loop_filters").Deblocking().filter(*planes, 1, blocks, int(qp), int(qp))
        assert np.asarray(planes[0].samples)[:, 4:12].tolist() == [numbers(row)] * 8


def test_the_example_of_the_alf_holds():
    (tap,), samples, expected = (numbers(part) for part in re.split(":|->", example("alf")))
    plane = uncompiled("planes").Plane(0, 1, 1, 1, len(samples), 0, 0)
    for x, sample in enumerate(samples):
        plane.samples[0, x] = sample
    plane.publish()
    taps = np.array([tap] + [0] * 11, np.int32)
    uncompiled("loop_filters").AdaptiveLoopFilter(8).filter(plane, plane, taps.data, np.ones((1, 1), np.uint8).data)
    assert [plane.samples[0, 1]] == expected


def test_the_example_of_the_alf_of_chroma_holds():
    tap, sample, luma, expected = (numbers(part) for part in re.split(":|over|->", example("chroma alf")))
    planes = [uncompiled("planes").Plane(0, 1, 1, 1, 3, 0, 0), uncompiled("planes").Plane(1, 1, 1, 1, 3, 0, 0)]
    for x in range(3):
        planes[0].samples[0, x], planes[1].samples[0, x] = luma[x], sample[0]
    for plane in planes:
        plane.publish()
    taps = np.zeros(12, np.int32)
    taps[7] = tap[0]
    uncompiled("loop_filters").AdaptiveLoopFilter(8).filter(*planes[::-1], taps.data, np.ones((1, 1), np.uint8).data)
    assert [planes[1].samples[0, 0]] == expected


def test_the_example_of_rgb_holds():
    yuv, rgb = (numbers(part) for part in example("rgb").split("->"))
    colour = Colour(ColourMatrix.BT601, ColourRange.FULL)
    planes = tuple(np.full((1, 1), sample, np.uint8) for sample in yuv)
    assert to_array(Picture(PictureFormat(1, 1, SampleFormat.YUV444, colour), planes)).tolist() == [[rgb]]
    header = header_of(PictureFormat(1, 1, SampleFormat.RGB), ResidualCoder.DCT)
    assert SequenceHeader(**{**vars(header), "coded": SampleFormat.YUV444}).coded_format.colour == colour


I_NODE, P_NODE = 18, 45  # contexts of the node of a picture of one unit


LARGE = (P_NODE, 6), (66, 0), (159, 128 + 3), (79, 50)  # a last level of 4 and more, which fourteen bits say


@pytest.mark.parametrize(
    ("is_p", "symbols", "bits", "message"),
    [
        pytest.param(1, ((P_NODE, 197),), "", "no meaning", id="a quadtree node above 196"),
        pytest.param(1, ((P_NODE, 4),), "", "no meaning", id="an 8×8 unit that is split"),
        pytest.param(0, ((I_NODE, 0),), "", "no meaning", id="SKIP in an I picture"),
        pytest.param(0, ((I_NODE, 5),), "", "no meaning", id="MERGE in an I picture"),
        pytest.param(0, ((I_NODE, 69), (73, 0), (74, 0)), "", "no meaning", id="INTER in an I picture"),
        pytest.param(1, ((P_NODE, 7),), "", "no meaning", id="a plane that there is not"),
        pytest.param(0, ((I_NODE, 181), (77, 0), (78, 0)), "", "not decoded", id="COPY of itself"),
        pytest.param(1, ((P_NODE, 181), (77, 0), (78, 16)), "", "not decoded", id="COPY from beyond the edge"),
        pytest.param(1, ((P_NODE, 5 + 16 * 6),), "", "a mesh that the picture does not have", id="WARPED, no mesh"),
        *(pytest.param(1, ((P_NODE, n),), "", "merges with a candidate", id=f"candidate {n} of 1") for n in (1, 2, 3)),
        pytest.param(1, ((P_NODE, 14), (64, 0), (58, 0)), "", "no meaning", id="an empty CBF"),
        pytest.param(1, ((P_NODE, 14), (64, 0), (58, 16)), "", "no meaning", id="a CBF of five blocks"),
        pytest.param(1, ((P_NODE, 6), (66, 3)), "", "no meaning", id="a fourth transform kind"),
        pytest.param(0, ((I_NODE, 85), (72, 37)), "", "no meaning", id="mode 35"),
        pytest.param(0, ((I_NODE, 85), (72, 39)), "", "no meaning", id="from luma without chroma"),
        pytest.param(1, ((P_NODE, 69), (73, 52), (74, 0)), "0" * 16, "no meaning", id="bucket 12"),
        pytest.param(1, LARGE, f"{32764 - 16408:014b}0", "no meaning", id="a level of 32768"),
        pytest.param(1, ((P_NODE, 6), (66, 0), (159, 128 + 4 * 26)), "11110", "more levels", id="too long a run"),
        pytest.param(1, ((P_NODE, 6), (66, 0), (159, 4 * 26)), "01111", "more levels", id="a last one without end"),
        pytest.param(1, ((P_NODE, 6), (66, 0), (159, 128)), "", "bits ends", id="no bits"),
        pytest.param(1, (), "", "symbols ends", id="no symbols"),
    ],
)
def test_symbols_without_a_meaning_are_refused(is_p, symbols, bits, message):
    with pytest.raises(codec.BitstreamError, match=message):
        decoded(*symbols, bits=bits, is_p=bool(is_p))


def test_the_largest_level_the_last_place_and_the_first_candidate_are_not_refused():
    assert (decoded((P_NODE, 0))[0] == 128).all()
    assert read_levels(*LARGE[1:], bits=f"{32763 - 16408:014b}0") == ([0], [tables.MAX_LEVEL])
    assert read_levels((159, 128 + 4 * 26), bits="011111") == ([63], [-1])


def test_symbols_and_bits_that_are_left_over_are_refused():
    header = header_of(GRAY_8, ResidualCoder.DCT)
    nodes, nothing = StreamId.BLOCK_NODES, b"\0"
    one, two = b"\1\1\1\0", b"\1\2\1\0"
    empty = dict.fromkeys(BLOCK_STREAMS, nothing) | {StreamId.BITS: b""}

    def read(streams):
        (picture,) = unpack_blocks(header, [(0, 0)], empty | streams)
        decoder_after_gray(GRAY_8).decode(picture.symbols, P_PLACE, 0, 0, (), None)
        picture.symbols.check_end()

    read({nodes: one})
    for streams in ({nodes: two}, {nodes: one, StreamId.BITS: nothing}, {nodes: one + nothing}):
        with pytest.raises(codec.BitstreamError):
            read(streams)


def test_the_hexdump_is_the_smallest_file_and_decodes(tmp_path):
    name = re.search(r"<!-- hexdump: (\S+) -->", SPEC)[1]
    dump = SPEC.partition("<!-- hexdump:")[2].split("```")[1]
    data = b""
    for line in dump.strip().splitlines():
        offset, bytes_, meaning = re.fullmatch(r"([0-9a-f]{6})  ((?:[0-9a-f]{2} )*[0-9a-f]{2}) {2,}(.+)", line).groups()
        assert int(offset, 16) == len(data)
        assert meaning
        data += bytes.fromhex(bytes_)
    assert data == (ROOT / "fixtures" / "golden" / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data)
    with codec.open(path) as video:
        assert [picture.tolist() for picture in video] == [[[10, 20], [30, 40]], [[20, 10], [40, 30]]]
        assert [picture.type for picture in video.info.pictures] == [PictureType.I, PictureType.P]


def test_every_test_that_the_security_section_names_exists():
    section = SPEC.partition("## 13. Security")[2].partition("## 14.")[0]
    named = set(re.findall(r"`(test_\w+\.py)`", section))
    assert named
    assert {name for name in named if not (ROOT / "tests" / name).is_file()} == set()


def test_modules_that_the_overview_names_exist():
    section = SPEC.partition("### 4.1 ")[2].partition("### 4.2 ")[0]
    assert missing_modules(section) == set()


def missing_modules(text: str) -> set[str]:
    """The modules of `codec` that a text names in backquotes, as far as they do not exist."""
    named = set(re.findall(r"`(\w+(?:/\w+)?)`", text))
    assert named
    return {name for name in named if not (ROOT / "codec" / f"{name}.py").is_file()}


SECTIONS = re.findall(r"^##+ (\d+(?:\.\d+)?)\.? .*\n\n(?=(.*))", SPEC, re.MULTILINE)
SECTIONS_OF_CODE = [number for number, _ in SECTIONS if re.match(r"([5-9]|1[01])\.", number)]


def test_sections_are_numbered_in_order():
    numbers_of_sections = [[int(part) for part in number.split(".")] for number, _ in SECTIONS]
    assert numbers_of_sections == sorted(numbers_of_sections)
    assert len(numbers_of_sections) == len(set(map(tuple, numbers_of_sections)))


@pytest.mark.parametrize("number", ["4.2", *SECTIONS_OF_CODE, "12"])
def test_a_section_says_first_which_modules_implement_it(number):
    line = dict(SECTIONS)[number]
    assert re.fullmatch(r"Module: `\w+(/\w+)?`(, `\w+(/\w+)?`)*\.", line)
    assert missing_modules(line) == set()


def test_sections_that_the_spec_refers_to_exist():
    references = re.findall(r"[Ss]ections? (\d[\d., …to and]*)", SPEC)
    named = {number for text in references for number in re.findall(r"\d+(?:\.\d+)?", text)}
    assert named - {number for number, _ in SECTIONS} == set()


def test_the_example_of_meshes_holds():
    assert np.packbits([False, False, True, True]).tobytes() == bytes.fromhex("30")
    vectors, expected = (np.array([numbers(row) for row in part.split("/")]) for part in example("mesh").split("->"))
    grid = np.stack([vectors, vectors], axis=-1).astype(np.int16)
    differences = mesh_differences([NodeGrid(32, grid)] * 2)
    np.testing.assert_array_equal(expected, differences[0, :, :, 1])
    assert not differences[1].any()
