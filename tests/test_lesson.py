"""The lesson in docs: its commands are run, and print what it says."""

import html
import re
import shlex
from pathlib import Path

import pytest
import zstandard
from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
LESSON = (DOCS / "lesson.md").read_text("utf-8")
ZSTD_VERSION = (1, 5, 7)  # of zstandard's library, that the page was made with; of others sizes differ a little
TOLERANCE = 0 if zstandard.ZSTD_VERSION == ZSTD_VERSION else 0.02
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def commands_of(text):
    """Every command of the lesson's console blocks, with the lines that should follow."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
        command, lines = None, []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, lines
                command, lines = line[2:], []
            else:
                lines.append(line)
        yield command, lines


def line_fits(expected, found):
    """Whether two lines have the same words, and the same numbers, or within `TOLERANCE`; … stands for any word."""
    wanted, words = expected.split(), found.split()
    return len(wanted) == len(words) and all(map(word_fits, wanted, words))


def word_fits(wanted, word):
    if wanted == "…":
        return True
    if NUMBER.sub("#", wanted) != NUMBER.sub("#", word):
        return False
    pairs = zip(NUMBER.findall(wanted), NUMBER.findall(word), strict=True)
    numbers = [[float(number.replace(",", "")) for number in pair] for pair in pairs]
    return all(abs(a - b) <= TOLERANCE * max(abs(a), 1) for a, b in numbers)


def lines_fit(expected, found):
    """Whether lines fit one by one; a line that is … stands for any number of them."""
    if not expected:
        return not found
    if expected[0].strip() == "…":
        return any(lines_fit(expected[1:], found[start:]) for start in range(len(found) + 1))
    return bool(found) and line_fits(expected[0], found[0]) and lines_fit(expected[1:], found[1:])


@pytest.mark.parametrize(
    ("expected", "found", "fits"),
    [
        ("a 1,000 b", "a   1,000 b", True),
        ("a 1,000 b", "a 1,100 b", False),
        ("a 1.00 b", "c 1.00 b", False),
        ("x: … s", "x: 1.2 s", True),
        ("motion 12", "motion 12 13", False),
    ],
)
def test_lines_are_compared_by_words_and_numbers(expected, found, fits):
    assert fits == line_fits(expected, found)


def test_dots_stand_for_lines():
    assert lines_fit(["…", "b", "…"], ["a", "a", "b"])
    assert not lines_fit(["…", "b", "…"], ["a", "a"])


def test_commands_of_the_lesson_print_what_it_says(mvz, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = list(commands_of(LESSON))
    assert len(commands) > 15
    for command, expected in commands:
        program, *arguments = shlex.split(command)
        assert "mvz" == program
        code, out, err = mvz(*arguments)
        assert 0 == code or (arguments[0], code) == ("compare", 1), command
        printed = [line for line in (err + out).splitlines() if not line.startswith("the first run compiles")]
        assert lines_fit(expected, printed), f"{command}\n" + "\n".join(printed)
    page = html.unescape((tmp_path / "report.html").read_text("utf-8")).replace("\N{NO-BREAK SPACE}", " ")
    said = re.findall(r"<li>(.*)</li>", page)
    for quoted in re.findall(r"^> (.*)$", LESSON, re.M):
        assert any(line_fits(quoted, sentence) for sentence in said), said


def test_every_row_of_the_exercise_is_in_the_lesson():
    rows = set()
    for first, last in re.findall(r"\bL(\d+)(?:…L(\d+))?", LESSON.partition("## The exercise")[2]):
        rows |= set(range(int(first), int(last or first) + 1))
    assert set(range(1, 19)) == rows
    in_text = {int(number) for number in re.findall(r"\(L(\d+)\)", LESSON)}
    assert set(range(1, 19)) == in_text


@pytest.mark.parametrize("page", ["docs/lesson.md", "README.md"])
def test_pictures_of_the_pages_are_there_and_small(page):
    path = DOCS.parent / page
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", path.read_text("utf-8"))
    assert pictures
    for name in pictures:
        with Image.open(path.parent / name) as image:
            assert image.width <= 1300
        assert (path.parent / name).stat().st_size < 250_000
