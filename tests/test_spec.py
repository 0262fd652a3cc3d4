"""format_spec.md against the code: tables, examples, the annotated file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from construct import Array, Bytes, Const, FocusedSeq, FormatField, GreedyBytes, Struct, Terminated

import codec
from codec.bitstream import schema
from codec.bitstream.frames import decompress
from codec.bitstream.level_streams import subtract_green
from codec.bitstream.limits import Limits
from codec.bitstream.motion_streams import pack_vectors
from codec.bitstream.stream_ids import COMPONENT_OF, StreamId
from codec.coded import MotionField, Quantiser, SequenceHeader
from codec.models import MotionModel, PictureType, ResidualCoder
from codec.motion.compensate import CATMULL_ROM_TAPS, sample_sixteenth_pel
from codec.picture.planes import ChromaSiting, ColourMatrix, ColourRange, PictureFormat, SampleFormat
from codec.residual.coders import CODERS

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
        return f"{name_of(subcon.subcon)} for each plane"
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


def test_limits_are_those_of_the_spec():
    assert {row[0]: int(row[1]) for row in rows_after("limits")} == vars(Limits())


def test_the_example_of_vectors_holds():
    dy = np.array([[4, 4, 0], [8, 4, 0]], np.int16)
    field = MotionField(MotionModel.BLOCK, 16, np.stack([dy, 0 * dy], axis=-1))
    flags, values = re.search(r"example: vectors .* -> ([0-9a-f ]+) \| ([0-9a-f ]+) -->", SPEC).groups()
    streams = pack_vectors(field.differences().reshape(-1, 2))
    assert decompress(streams[StreamId.VECTOR_FLAGS], 2).hex(" ") == flags
    assert decompress(streams[StreamId.VECTOR_VALUES], 4).hex(" ") == values


def test_the_example_of_levels_holds():
    assert "<!-- example: levels 5 3 250 -> 2 3 247 -->" in SPEC
    from fractions import Fraction

    header = SequenceHeader(
        PictureFormat(1, 1, SampleFormat.RGB), Fraction(25), ResidualCoder.LOSSLESS, MotionModel.NONE, 16, 0, 1
    )
    planes = [np.full((1, 1, 1), level, np.uint8) for level in (5, 3, 250)]
    subtract_green(header, planes)
    assert [int(plane[0, 0, 0]) for plane in planes] == [2, 3, 247]


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
