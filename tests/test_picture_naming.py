"""Natural order, gaps, patterns and safe names."""

from pathlib import Path

import pytest

from codec.errors import MediaError
from codec.picture.naming import NumberPattern, has_number_conversion, plain_name, refuse_gaps


def paths(*names):
    return [Path(name) for name in names]


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("f/a1.png", "f/a2.png", "f/a4.png"), "f/a3.png"),
        (("0008.png", "0009.png", "0011.png"), "0010.png"),
        (("f9.v2.png", "f9.v4.png"), "f9.v3.png"),
        (("9", "11"), "10"),
    ],
)
def test_a_gap_names_the_missing_file(names, missing):
    with pytest.raises(MediaError, match=f"^{missing}: missing"):
        refuse_gaps(paths(*names))


@pytest.mark.parametrize(
    "names",
    [(), ("a7.png",), ("a1.png", "a2.png"), ("a1.png", "b5.png"), ("a1.png", "a5.jpg"), ("x.png", "a1.png", "a4.png")],
)
def test_names_that_are_complete_or_not_one_numbered_sequence_have_no_gap(names):
    refuse_gaps(paths(*names))


def test_a_constant_step_is_no_gap_where_it_is_allowed():
    refuse_gaps(paths("a0.png", "a10.png", "a20.png"), any_step=True)
    with pytest.raises(MediaError, match=r"^a10\.png: missing"):
        refuse_gaps(paths("a0.png", "a5.png", "a20.png"), any_step=True)


@pytest.mark.parametrize("text", ["%04d.png", "a%d", "d/%02d_%%.png"])
def test_a_pattern_finds_the_number_that_it_wrote(text):
    pattern = NumberPattern.parse(text)
    for number in (0, 7, 12345):
        assert pattern.number(pattern.name(number)) == number


def test_a_pattern_takes_only_names_that_it_would_write():
    pattern = NumberPattern.parse("f/a%03d.png")
    assert pattern.name(7) == "a007.png"
    assert pattern.number("a007.png") == 7
    assert [pattern.number(name) for name in ("a07.png", "a0007.png", "a.png", "b007.png", "a٣٣٣.png")] == [None] * 5


@pytest.mark.parametrize("text", ["%d_%d.png", "%d/%d.png", "%02d/a.png", "plain.png", "100%%.png", "%5d.png"])
def test_a_pattern_has_exactly_one_number_in_the_file_name(text):
    with pytest.raises(MediaError, match="one number"):
        NumberPattern.parse(text)


def test_a_doubled_percent_sign_is_no_conversion():
    assert not has_number_conversion("100%%d.png")
    assert has_number_conversion("a%%%03d.png")


@pytest.mark.parametrize(
    "name",
    [
        *(".", "..", "../a.png", "/etc/passwd", "a/b.png", "a\\b.png", "..\\a.png", "C:a.png", "a:stream"),
        *("a\0.png", "a\n.png", "a\x1b[2J.png", "a\u202egnp.exe", "\ud800.png", ".hidden.png", "-rf.png"),
        *("con", "NUL.png", "com1.txt", "a.png ", "a.png.", " a.png", "x" * 256, "ü" * 128, "a*.png"),
    ],
)
def test_hostile_names_become_plain_ones(name):
    plain = plain_name(name)
    assert name != plain
    assert plain == plain_name(plain)
    assert plain == Path(plain).name
    assert 0 < len(plain.encode()) <= 255
