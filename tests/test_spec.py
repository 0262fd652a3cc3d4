"""format_spec.md against the code: tables, examples, the annotated file."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from construct import Array, Bytes, Const, FocusedSeq, FormatField, GreedyBytes, Struct, Terminated

import codec
from codec.bitstream import level_streams, schema
from codec.bitstream.frames import compress, decompress
from codec.bitstream.limits import Limits
from codec.bitstream.lossless_streams import unpack_classes
from codec.bitstream.motion_streams import pack_vectors
from codec.bitstream.payloads import MAX_MAX_ERROR
from codec.bitstream.queue_streams import (
    DIGITS_A_BYTE,
    NESTED,
    SCHEMES,
    Cursor,
    pack_queues,
    pack_symbols,
    unpack_queues,
    unpack_symbols,
    varint,
)
from codec.bitstream.stream_ids import COMPONENT_OF, StreamId
from codec.bitstream.symbols import unzigzag
from codec.coded import (
    CELL,
    CONTEXTS,
    MAX_CLASSES,
    WEIGHT_COUNTS,
    LosslessResidual,
    MotionField,
    PlaneResidual,
    Quantiser,
    Queues,
    SequenceHeader,
)
from codec.models import MotionModel, PictureType, ResidualCoder
from codec.motion.compensate import CATMULL_ROM_TAPS, Reference, compensate, sample_sixteenth_pel
from codec.motion.half_planes import QUARTERS
from codec.picture.planes import ChromaSiting, ColourMatrix, ColourRange, Picture, PictureFormat, SampleFormat
from codec.residual import lossless
from codec.residual.coders import CODERS
from codec.residual.samples import add_residual

ROOT = Path(__file__).parent.parent
SPEC = (ROOT / "format_spec.md").read_text(encoding="utf-8")
WORD_AT_END = r"\w+(?=\W*$)"
TYPE_OF_FORMAT = {"<B": "u8", "<H": "u16", "<L": "u32", "<Q": "u64"}


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
        return f"{declared_type(count.subcon)} count, then {name_of(items.subcon)} each"
    if isinstance(subcon, Array):
        item = declared_type if isinstance(subcon.subcon, FormatField) else name_of
        return f"{item(subcon.subcon)} for each plane"
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
    written = [row[:2] for row in rows_after(f"table: {name}")]
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
        ("colour_range", ColourRange),
        ("chroma_siting", ChromaSiting),
        ("residual_coder", ResidualCoder),
        ("motion_model", MotionModel),
    ],
)
def test_codes_of_the_sequence_header_are_those_of_the_spec(field, kind):
    row = next(row for row in rows_after("table: SEQUENCE_HEADER") if row[0] == field)
    assert row[2] == f"0…{max(kind)}"
    for member in kind:
        assert field == "sample_format" or f"{member.value} {member.name.lower()}" in row[3].lower().replace(".", "")
        assert field != "sample_format" or f"| {member.value} {member.label} |" in SPEC


def test_streams_are_those_of_the_spec():
    written = [(int(row[0]), row[1], row[4]) for row in rows_after("streams")]
    assert written == [(stream.value, stream.name, COMPONENT_OF[stream]) for stream in StreamId]


def test_filter_taps_are_those_of_the_spec():
    written = [[int(cell.replace("−", "-")) for cell in row] for row in rows_after("taps")]
    assert written == [[phase, *taps] for phase, taps in enumerate(CATMULL_ROM_TAPS.tolist())]


def test_quarter_samples_are_means_of_what_the_spec_says():
    kinds = ("full", "across", "down", "both")
    for number, (row, quarter) in enumerate(zip(rows_after("quarters"), QUARTERS, strict=True)):
        assert row[:2] == [str(number >> 2), str(number & 3)]
        for entry, (kind, down, right) in zip(row[2:], (quarter[:3], quarter[3:]), strict=True):
            assert entry == f"{kinds[kind]}(i{'+1' * down}, j{'+1' * right})"


def test_taps_of_the_lossless_coder_are_those_of_the_spec():
    letters = {lossless.NEWER: "P", lossless.OLDER: "Q", lossless.CURRENT: "C"}
    for references, (row, taps) in enumerate(zip(rows_after("lossless taps"), lossless.TAPS, strict=True)):
        words = [f"{letters[plane]} ({dy}, {dx})".replace("-", "−") for plane, dy, dx in taps]
        assert row == [str(references), words[0], ", ".join([*words[1:-2], "E", *words[-2:]])]


def test_numbers_of_the_lossless_coder_are_those_of_the_spec():
    written = [(int(row[0]), int(row[1].removesuffix(" + e"))) for row in rows_after("weight counts")]
    assert written == list(enumerate(WEIGHT_COUNTS))
    assert f"level = how many of {', '.join(map(str, lossless.THRESHOLDS))} are not above activity" in SPEC
    assert f"context = 2 · level + half if level < {lossless.SPLIT}, else level + {lossless.SPLIT} " in SPEC
    assert f"(0…{CONTEXTS - 1})" in SPEC
    assert f"M[y][x] = min((s + 1) >> 1, {lossless.MAX_MAGNITUDE})" in SPEC
    assert f"A plane of r × c samples has ceil(r / {CELL}) × ceil(c / {CELL}) squares" in SPEC
    ranges = {row[0]: row[2] for name in ("SEQUENCE_HEADER", "PICTURE_HEADER") for row in rows_after(f"table: {name}")}
    assert ranges["max_error"] == f"0…{MAX_MAX_ERROR}; 0 unless lossless"
    assert ranges["class_counts"] == f"0…{MAX_CLASSES}"


def test_schemes_of_queues_are_those_of_the_spec():
    words = [["2 nested" if base == NESTED else str(base) for base in scheme] for scheme in SCHEMES]
    assert rows_after("schemes") == [[str(number), ", ".join(bases)] for number, bases in enumerate(words)]
    bases, counts = (", ".join(map(str, numbers)) for numbers in (DIGITS_A_BYTE, DIGITS_A_BYTE.values()))
    assert f"k = {counts} where b = {bases}" in SPEC


@pytest.mark.parametrize("residuals", [0, 1, 2])
@pytest.mark.parametrize("references", [0, 1, 2])
def test_the_largest_weights_keep_to_the_bounds_of_the_spec(references, residuals):
    nothing = np.zeros((1, 1), np.uint8)
    stage = lossless.set_stage((1, 1), [nothing] * references, [nothing] * residuals)
    count = len(stage.taps())
    assert count <= 18
    plain = count - 1 - residuals
    assert 256 * 255 + 128 + 32768 + plain * 32768 * 255 + residuals * 32768 * 128 < 2**27
    for first, others in ((-32768, -32768), (32767, -32768), (-32768, 32767), (32767, 32767)):
        weights = np.array([[first] + [others] * (count - 1)], np.int16)
        sizes = np.abs(lossless.absolute_weights(weights, stage)[1].astype(np.int64))
        assert sizes[0] + 255 * sizes[1:].sum() < 2**29


def test_limits_are_those_of_the_spec():
    assert {row[0]: int(row[1]) for row in rows_after("limits")} == vars(Limits())


def test_the_example_of_vectors_holds():
    dy = np.array([[4, 4, 0], [8, 4, 0]], np.int16)
    field = MotionField(MotionModel.BLOCK, 16, np.stack([dy, 0 * dy], axis=-1))
    flags, values = re.search(r"example: vectors .* -> ([0-9a-f ]+) \| ([0-9a-f ]+) -->", SPEC).groups()
    streams = pack_vectors(field.differences().reshape(-1, 2))
    assert decompress(streams[StreamId.VECTOR_FLAGS], 2).hex(" ") == flags
    assert decompress(streams[StreamId.VECTOR_VALUES], 4).hex(" ") == values


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
    planes = [np.full((1, 1, 1), level, np.uint8) for level in levels]
    header = header_of(PictureFormat(1, 1, SampleFormat.RGB), ResidualCoder.UINT8)
    level_streams.subtract_green(header, planes)
    assert [int(plane[0, 0, 0]) for plane in planes] == coded


def test_the_example_of_weights_holds():
    for case in example("weight").split(","):
        start, symbol, result = numbers(case)
        before = [np.array([[start]], np.int16)]
        differences = [unzigzag(np.array([[symbol]], np.int32))]
        assert lossless.weights_after(differences, before)[0].tolist() == [[result]]


def test_the_example_of_a_varint_holds():
    number, data = example("varint").split(" -> ")
    assert varint(int(number)).hex(" ") == data
    assert Cursor(bytes.fromhex(data)).varint() == int(number)


def test_the_examples_of_queues_hold():
    examples = re.findall(r"<!-- example: queue (.*) -> (.*) -->", SPEC)
    assert [int(data[:2]) for _, data in examples] == [3, 4]
    for written, data in examples:
        symbols, packed = np.array(numbers(written), np.uint8), bytes.fromhex(data)
        scheme = SCHEMES[packed[0]]
        assert packed[:1] + b"".join(pack_symbols(symbols, scheme)) == packed
        cursor, found = Cursor(packed[1:]), np.empty_like(symbols)
        unpack_symbols(cursor, scheme, found)
        cursor.end()
        assert found.tolist() == symbols.tolist()


def queues_of(symbols: dict[int, list[int]]) -> Queues:
    """The queues of a picture from the symbols of each context."""
    sizes = np.array([len(symbols.get(context, [])) for context in range(CONTEXTS)], np.int64)
    flat = [symbol for context in range(CONTEXTS) for symbol in symbols.get(context, [])]
    return Queues(np.array(flat + [0] * (len(flat) + 1), np.uint8), np.cumsum(sizes) - sizes, sizes)


def test_the_example_of_a_whole_stream_of_queues_holds():
    assert "fourteen sizes, 0 but for the sixth, which is 7, and the length, which is 8" in SPEC
    written, data = re.findall(r"<!-- example: queue (.*) -> (03 .*) -->", SPEC)[0]
    stream = bytes([0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 8]) + bytes.fromhex(data)
    assert pack_queues([queues_of({5: numbers(written)})]) == stream
    (queues,) = unpack_queues(stream, 1, 7)
    assert queues.of(5).tolist() == numbers(written)


def decode_gray(
    prediction: list[list[int]] | None,
    shape: tuple[int, int],
    weights: list[int],
    symbols: dict[int, list[int]],
    max_error: int = 0,
) -> list[list[int]]:
    """A gray plane of one square, which is of class 1 where there are weights, decoded."""
    count = WEIGHT_COUNTS[0 if prediction is None else 1]
    differences = np.array(weights, np.int16).reshape(-1, count)
    residual = LosslessResidual((differences,), (np.full((1, 1), len(differences), np.uint8),), queues_of(symbols))
    header = header_of(PictureFormat(shape[1], shape[0], SampleFormat.GRAY), ResidualCoder.LOSSLESS, max_error)
    predictions = [] if prediction is None else [[np.array(prediction, np.uint8)]]
    ((plane,), _) = lossless.decode_lossless(residual, [shape], predictions, (), header)
    return plane.tolist()


PREDICTION_WEIGHTS = [0, -128, 0, 0, 0, 0, 0, 0, 0, 128, 0]  # of P (0, −1), the first after the base, and of C (0, −1)


def prediction_example() -> tuple[list[list[int]], dict[int, list[int]], list[list[int]], list[list[str]]]:
    """P, symbols by context, samples, and the rows of the table."""
    marker = re.search(r"<!-- (example: prediction (\d+) (\d+) / (\d+) (\d+)) -->", SPEC)
    a, b, c, d = map(int, marker.groups()[1:])
    rows = rows_after(marker[1])
    symbols: dict[int, list[int]] = {}
    for row in rows:
        symbols.setdefault(int(row[5]), []).append(int(row[6]))
    samples = [int(row[9]) for row in rows]
    return [[a, b], [c, d]], symbols, [samples[:2], samples[2:]], rows


def test_the_example_of_a_prediction_with_weights_holds():
    prediction, symbols, samples, rows = prediction_example()
    assert decode_gray(prediction, (2, 2), PREDICTION_WEIGHTS, symbols) == samples
    for place, _, *row in rows:
        total, p, half, _, s, v, r, sample = numbers(" ".join(row).replace("−", "-"))
        y, x = numbers(place)
        base, beside, west = prediction[y][x], prediction[y][0], samples[y][0] if x else prediction[y][0]
        assert total == 256 * base + 128 - 128 * (beside - base) + 128 * (west - base)
        assert (p, half) == (total >> 8, (total + 64) >> 7 & 1)
        assert v == unzigzag(np.array([s])).item()
        assert r == (v if total & 128 else -v)
        assert sample == p + r


def test_the_example_of_contexts_holds():
    _, _, _, rows = prediction_example()
    activities, levels = map(numbers, re.search(r"activity is ([\d, ]+); level is ([\d, ]+)\.", SPEC).groups())
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
        assert level == sum(threshold <= activity for threshold in lossless.THRESHOLDS)
        assert int(row[5]) == lossless.CONTEXT_OF[2 * activity + int(row[4])]
        magnitudes[y, x] = min(int(row[6]) + 1 >> 1, 32)


def test_the_example_of_near_lossless_reconstruction_holds():
    max_error, *values = numbers(example("near-lossless"))
    symbols, samples = values[: len(values) // 2], values[len(values) // 2 :]
    for symbol, sample in zip(symbols, samples, strict=True):
        assert decode_gray(None, (1, 1), [], {1: [symbol]}, max_error) == [[sample]]


def test_the_example_of_green_holds():
    samples, apart = map(numbers, example("green").split("->"))
    planes = [np.full((1, 1), sample, np.uint8) for sample in samples]
    coded = lossless.subtract_green(planes)
    assert [int(plane[0, 0]) for plane in coded] == apart
    assert [int(plane[0, 0]) for plane in lossless.add_green(coded)] == samples


def test_queues_that_a_picture_does_not_use_up_are_refused():
    prediction, symbols, _, _ = prediction_example()
    for context in symbols:
        moved = {**symbols, context: symbols[context][1:], 13: [0]}
        with pytest.raises(codec.BitstreamError, match="symbols where"):
            decode_gray(prediction, (2, 2), PREDICTION_WEIGHTS, moved)


def test_a_class_beyond_those_of_the_picture_header_is_refused():
    header = header_of(PictureFormat(17, 1, SampleFormat.GRAY), ResidualCoder.LOSSLESS)
    maps = unpack_classes(header, [[1]], {StreamId.CLASSES: compress(b"\0\1")})
    assert maps[0][0].tolist() == [[0, 1]]
    with pytest.raises(codec.BitstreamError, match="class"):
        unpack_classes(header, [[1]], {StreamId.CLASSES: compress(b"\1\2")})


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
    reference = np.tile(np.array([10, 10, 20, 20], np.uint8), (4, 1))
    assert sample_sixteenth_pel(reference, 16, 16 + 8, CATMULL_ROM_TAPS) == 15


def test_the_examples_of_residuals_hold():
    assert "<!-- example: dequantise 125 128 2048 -> -24 -->" in SPEC
    assert "<!-- example: float16 0x2C04 -> 16 -->" in SPEC
    level = np.array([[125]], np.uint8)
    assert CODERS[ResidualCoder.UINT8].inverse(level, Quantiser(2048, 128)).tolist() == [[-24]]
    half = np.array([0x2C04], "<u2").view("<f2")
    assert CODERS[ResidualCoder.FLOAT16].inverse(half, Quantiser(256)).tolist() == [16]


def test_the_example_of_prediction_from_neighbours_holds():
    residuals, samples = (np.array(numbers(part)).reshape(2, 2) for part in example("neighbours").split("->"))
    levels = PlaneResidual(ResidualCoder.INT8, Quantiser(256), residuals.astype(np.int8))
    assert add_residual(levels, None).tolist() == samples.tolist()


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
    section = SPEC.partition("## 11. Security")[2].partition("## 12.")[0]
    named = set(re.findall(r"`(test_\w+\.py)`", section))
    assert named
    assert {name for name in named if not (ROOT / "tests" / name).is_file()} == set()


def test_modules_that_the_overview_names_exist():
    section = SPEC.partition("## 4. Overview")[2].partition("## 5.")[0]
    named = set(re.findall(r"`(\w+(?:/\w+)?)`", section))
    assert {name for name in named if not (ROOT / "codec" / f"{name}.py").is_file()} == set()
