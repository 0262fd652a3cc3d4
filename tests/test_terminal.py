"""What commands print: under every encoding, with streams closed, and whatever files and arguments have in them."""

import html
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import codec
from codec.bitstream import schema
from codec.cli.main import run
from codec.cli.terminal import SPELLED, say_notes
from codec.writing.file import packet_bytes

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "fixtures" / "sources" / "rgb_40x32"
GOLDEN = ROOT / "fixtures" / "golden"
CLIP = GOLDEN / "rgb_40x32_int8_mesh.mvz"
ENCODINGS = ("utf-8", "cp1252", "cp437", "latin-1", "ascii")
CONTROL = "\x1b[2J\x07\x9b31m\u202e\r\n"
"""Clears the screen, rings, colours, turns the direction of writing, and starts a line."""

HELP = ["", "encode", "decode", "info", "compare", "verify", "report", "plot", "inspect", "play", "demo"]
WAYS = [*((encoding, "") for encoding in ENCODINGS), *(("ascii", closed) for closed in ("0", "1", "2", "012"))]
CALLS = {
    **{f"{command} --help".strip(): [*command.split(), "--help"] for command in HELP},
    "version": ["--version"],
    "no command": [],
    "wrong option": ["encode", "--residuall", "dct"],
    "wrong choice": ["encode", "in", "-o", "out.mvz", "--motion", "bloc"],
    "no such file": ["info", "Größe…∞.mvz"],
    "encode": ["encode", SOURCE, "-o", "out→.mvz", "--residual", "float16", "--motion", "none"],
    "encode json": ["encode", SOURCE, "-o", "j.mvz", "--residual", "float16", "--motion", "none", "--json"],
    "decode": ["decode", CLIP, "-o", "out"],
    "decode gif": ["decode", CLIP, "-o", "out.gif"],
    "info": ["info", CLIP],
    "info json": ["info", CLIP, "--json"],
    "info of a run": ["info", GOLDEN / "rgb_40x32_lossless_block_run3.mvz", "--pictures"],
    "compare": ["compare", SOURCE, CLIP, "--no-ssim"],
    "compare exact": ["compare", CLIP, CLIP, "--no-ssim"],
    "compare csv": ["compare", SOURCE, CLIP, "--no-ssim", "--csv"],
    "verify": ["verify", CLIP, SOURCE],
    "plot": ["plot", GOLDEN / "gray_37x23_int8_none.mvz", "-o", "drawn", "--pictures", "1"],
    "inspect": ["inspect", CLIP, "-o", "page→.html"],
}
"""A way to call each command that is quick, and what it is called here; report and demo take too long."""


def called(monkeypatch, arguments, encoding, closed=""):
    """Exit code and what came out on both streams, whose encoding is strict; ``closed`` are 0, 1, 2."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, "strict") for _ in range(2)]
    for place, name, stream in zip("012", ("stdin", "stdout", "stderr"), (sys.stdin, *streams), strict=True):
        monkeypatch.setattr(sys, name, None if place in closed else stream)
    try:
        code = run([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    for stream in streams:
        stream.flush()
    return code, *(stream.buffer.getvalue().decode(encoding) for stream in streams)


@pytest.mark.parametrize("call", CALLS)
def test_every_command_prints_under_every_encoding_and_with_any_stream_closed(monkeypatch, tmp_path, call):
    expected = None
    for encoding, closed in WAYS:
        folder = tmp_path / f"{encoding}{closed}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        code, out, err = called(monkeypatch, CALLS[call], encoding, closed)
        said = (code, bool(out) or "1" in closed, bool(err) or "2" in closed)
        expected = said if expected is None else expected
        assert (expected[0], expected[1] or "1" in closed, expected[2] or "2" in closed) == said


@pytest.mark.parametrize("command", HELP)
def test_help_ends_with_exit_codes_and_what_it_says_beyond_ascii_can_be_spelled_in_it(mvz, command):
    code, out, err = mvz(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert "exit codes: 0 done" in " ".join(out.split()).lower()
    assert {character for character in out if not character.isascii()} <= set(SPELLED)
    assert "".join(SPELLED.values()).isascii()


# ------------------------------------------------------------------------------------------- control characters


@pytest.fixture
def evil(tmp_path):
    """A file whose name, metadata and picture's name all have control characters in them."""
    path = tmp_path / f"a{CONTROL}b.mvz"
    with codec.Writer(
        path, (4, 4), "gray", codec.Settings("float16", "none"), metadata={f"k{CONTROL}": CONTROL}
    ) as out:
        out.append(np.zeros((4, 4), np.uint8), f"p{CONTROL}.png")
    return path


def test_nothing_from_a_file_or_an_argument_is_printed_raw(mvz, tmp_path, evil):
    cut = tmp_path / f"cut{CONTROL}.mvz"
    cut.write_bytes(evil.read_bytes()[:-3])
    calls = [
        ["info", evil, "--pictures"],
        ["info", evil, "--json"],
        ["info", cut],
        ["info", tmp_path / f"none{CONTROL}"],
        ["verify", evil, evil],
        ["verify", evil, evil, "--json"],
        ["compare", evil, tmp_path / f"none{CONTROL}"],
        ["decode", evil, "-o", tmp_path / f"out{CONTROL}.npy"],
        ["decode", cut, "-o", tmp_path / f"cut{CONTROL}", "--skip-damaged"],
        ["inspect", evil, "-o", tmp_path / f"page{CONTROL}.html"],
        ["encode", tmp_path / f"out{CONTROL}.npy", "-o", tmp_path / f"x{CONTROL}.mvz"],
        ["encode", tmp_path / f"out{CONTROL}.npy", "-o", tmp_path / f"x{CONTROL}.mvz"],
        ["encode", "--motion", CONTROL],
        ["encode", f"--{CONTROL}"],
        [CONTROL],
    ]
    for call in calls:
        _, out, err = mvz(*call)
        assert out + err, call
        for text in (out, err):
            assert [c for c in text if not (c.isprintable() or c == "\n")] == [], call
            assert not any(line.startswith(("b.mvz", ".png")) for line in text.splitlines()), call


def test_each_note_is_said_once_and_not_with_quiet(capsys):
    say_notes(["two files are left out", f"a{CONTROL}", "two files are left out"])
    said = capsys.readouterr().err.splitlines()
    assert [said[0], said[1][:12]] == ["mvz: note: two files are left out", "mvz: note: a"]
    assert len(said) == 2
    assert all(line.isprintable() for line in said)
    say_notes(["a note"], quiet=True)
    assert capsys.readouterr().err == ""


def test_notes_of_a_source_reach_whoever_encodes_compares_verifies_and_reports(monkeypatch, mvz, tmp_path):
    from codec.picture.images import ImageFiles

    read = ImageFiles.__iter__

    def noted(self):
        yield from read(self)
        self.notes.append("one file is left out")

    monkeypatch.setattr(ImageFiles, "__iter__", noted)
    ways = ["--residual", "float16", "--motion", "none"]
    assert codec.encode(SOURCE, tmp_path / "a.mvz", codec.Settings("float16", "none")).notes == (
        "one file is left out",
    )
    for call in (
        ["encode", SOURCE, "-o", tmp_path / "b.mvz", *ways],
        ["compare", SOURCE, tmp_path / "a.mvz", "--no-ssim"],
        ["verify", tmp_path / "a.mvz", SOURCE],
        ["report", SOURCE, "-o", tmp_path / "r.html", *ways],
    ):
        code, _, err = mvz(*call)
        assert code == 0
        assert err.count("mvz: note: one file is left out\n") == 1
    assert "note" not in mvz("compare", SOURCE, tmp_path / "a.mvz", "--no-ssim", "--quiet")[2]


def test_pages_escape_what_files_say(mvz, tmp_path):
    wicked = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"
    path = tmp_path / f"{wicked.replace('/', '_')}.mvz"
    with codec.Writer(path, (16, 16), "gray", codec.Settings("float16", "none"), metadata={wicked: wicked}) as out:
        for _ in range(2):
            out.append(np.zeros((16, 16), np.uint8), wicked.replace("/", "_"))
    assert mvz("inspect", path, "-o", tmp_path / "i.html")[0] == 0
    pictures = tmp_path / path.stem
    assert mvz("decode", path, "-o", pictures)[0] == 0
    assert mvz("report", pictures, "-o", tmp_path / "r.html", "--residual", "float16", "--motion", "none")[0] == 0
    for name in ("i.html", "r.html"):
        page = (tmp_path / name).read_text("utf-8")
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert html.escape("<img src=x onerror=alert(2)>{{7*7}}") in page


# ------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["encod"], "did you mean encode?"),
        (["encode", "in", "-o", "x.mvz", "--residual", "losless"], "did you mean lossless?"),
        (["encode", "in", "-o", "x.mvz", "--motion", "bloc"], "did you mean block?"),
        (["encode", "in", "-o", "x.mvz", "--residuall=dct"], "unknown argument --residuall; did you mean --residual?"),
        (["report", "in", "-o", "x.html", "--residual", "dtc"], "did you mean dct?"),
        (["info", "x.mvz", "--max-pixel", "5", "--jsonn"], "unknown argument --jsonn; did you mean --json?"),
        (["encode", "in", "-o", "x.mvz", "--speed", "qqq"], "invalid choice: 'qqq' (choose from slow, medium, fast)"),
    ],
)
def test_a_wrong_word_is_answered_by_the_one_that_was_meant(mvz, arguments, expected):
    code, out, err = mvz(*arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert err.count("\n") == 2


def test_help_says_of_each_residual_how_many_pictures_share_a_packet(mvz):
    text = " ".join(mvz("encode", "--help")[1].split())
    assert (
        "pictures that share one packet (default: the whole GOP for dct, 8 for lossless, more of pictures smaller than "
        "352×288, 1 for the others)"
    ) in text
    for residual, length, of_small in (
        *(("lossless", 8, 32), ("dct", 20, 20)),
        *(("int8", 1, 1), ("uint8", 1, 1), ("float16", 1, 1)),
    ):
        settings = codec.Settings(residual, gop=20)
        assert [settings.run_length(samples) for samples in (352 * 288 * 3 // 2, 176 * 144 * 3 // 2)] == [
            length,
            of_small,
        ]


@pytest.mark.parametrize(
    ("chosen", "numbers"), [("1:3", [1, 2]), ("-1:", [3]), ("-3:-1", [1, 2]), ("-1", [3]), (":-3", [0])]
)
def test_pictures_are_counted_from_the_end_where_negative(mvz, tmp_path, chosen, numbers):
    assert mvz("decode", CLIP, "-o", tmp_path / "out", "--pictures", chosen)[0] == 0
    assert [f"scene00{number}.png" for number in numbers] == sorted(path.name for path in (tmp_path / "out").iterdir())
    code, _, err = mvz("decode", CLIP, "-o", tmp_path / "none", "--pictures", "7:9")
    assert (2, True) == (code, "selects none of the 4 pictures" in err)


def test_what_exists_is_wrong_use_and_the_command_says_force(mvz, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "x.gif").touch()
    for target, message in (("full", "is not empty; --force writes into it"), ("x.gif", "exists; --force replaces it")):
        code, _, err = mvz("decode", CLIP, "-o", tmp_path / target)
        assert (2, f"mvz: {tmp_path / target}: {message}\n") == (code, err)
    with pytest.raises(codec.ExistsError, match="exists; force=True replaces it"):
        codec.encode(SOURCE, tmp_path / "x.gif")


def test_encode_tells_the_ratio_to_raw_samples_and_to_the_files(mvz, tmp_path):
    _, out, _ = mvz("encode", SOURCE, "-o", tmp_path / "x.mvz", "--json")
    summary = json.loads(out)
    files = sum(path.stat().st_size for path in SOURCE.iterdir())
    assert files == summary["source_file_bytes"]
    _, _, err = mvz("encode", SOURCE, "-o", tmp_path / "x.mvz", "--force")
    assert f" : 1 (source files: {files / summary['file_bytes']:.2f} : 1), " in err
    assert codec.encode(np.zeros((1, 4, 5), np.uint8), tmp_path / "y.mvz").source_file_bytes is None


@pytest.mark.parametrize("command", ["info", "verify", "decode", "plot", "inspect"])
def test_a_cut_file_says_after_which_picture(mvz, tmp_path, command):
    whole = CLIP.read_bytes()
    with codec.open(CLIP) as video:
        packets = [packet for packet in video.packets() if packet.kind == schema.KIND_PICTURES]
        last = video._container.groups[len(packets) - 2].end - 1
    path = tmp_path / "cut.mvz"
    target = ["-o", tmp_path / "out"] if command in ("decode", "plot", "inspect") else []
    for size, words in (
        (packets[-1].offset + 20, f"the file is cut after picture {last}: "),
        (packets[0].offset + 20, "the file is cut before a first picture is whole: "),
    ):
        path.write_bytes(whole[:size])
        code, _, err = mvz(command, path, *target)
        assert code == 1
        assert words in err
        assert ("--skip-damaged writes what is whole" in err) == ("after" in words)
        assert err.count("\n") == 1


# ------------------------------------------------------------------------------------------- limits


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    """8 MB of packets with P pictures of 8192 × 8192 which say that they are like the one before."""
    from codec.writing.file import pack_index

    golden = (GOLDEN / "smallest.mvz").read_bytes()
    header = bytearray(golden[16 : golden.index(b"meta") - 4])
    struct.pack_into("<II", header, 2, 8192, 8192)
    packet = packet_bytes(schema.KIND_PICTURES, bytes(7))
    count = 8_000_000 // len(packet)
    head = schema.SIGNATURE + packet_bytes(schema.KIND_SEQUENCE, bytes(header))
    index = packet_bytes(schema.KIND_INDEX, pack_index([(len(packet), 1, number % 2 == 0) for number in range(count)]))
    end = schema.END.build({"picture_count": count, "index_offset": len(head) + count * len(packet)})
    path = tmp_path_factory.mktemp("long") / "long.mvz"
    path.write_bytes(head + count * packet + index + packet_bytes(schema.KIND_END, end))
    return path


@pytest.mark.parametrize("command", ["decode", "compare", "inspect"])
def test_more_samples_than_the_limit_are_refused_before_the_first_is_decoded(mvz, tmp_path, long_file, command):
    targets = {"decode": ["-o", tmp_path / "x.npy"], "inspect": ["-o", tmp_path / "x.html"], "compare": [long_file]}
    code, _, err = mvz(command, long_file, *targets.get(command, ()))
    assert code == 1
    assert f"{long_file}, byte 0: " in err
    assert f"samples to decode; the limit is {codec.Limits().max_samples}" in err
    assert "--max-…" in err
    assert list(tmp_path.iterdir()) == []


def test_a_few_pictures_of_a_long_file_are_not_too_many(long_file):
    with codec.open(long_file) as video:
        assert len(video) > 400_000
        with pytest.raises(codec.BitstreamError, match="picture_count is 0") as caught:
            next(video.pictures(0, 1))
        assert not isinstance(caught.value, codec.LimitError)
        with pytest.raises(codec.LimitError):
            next(video.pictures())
        with pytest.raises(codec.LimitError):
            next(video.inspections())


@pytest.mark.parametrize("command", ["info", "verify", "decode", "plot", "inspect", "compare"])
@pytest.mark.parametrize(
    ("limit", "value"), [("--max-pixels", 1279), ("--max-pictures", 3), ("--max-metadata-bytes", 5)]
)
def test_limits_can_be_lowered_on_the_command_line(mvz, tmp_path, command, limit, value):
    arguments = {"compare": [CLIP], "info": [], "verify": []}.get(command, ["-o", tmp_path / "out.html"])
    code, _, err = mvz(command, CLIP, *arguments, limit, value)
    assert code == 1
    assert f"the limit is {value}" in err
    assert "--max-…" in err
