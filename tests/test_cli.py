"""The command as its user meets it: exit codes, messages, files."""

import contextlib
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import codec
from codec.cli.terminal import executor_of
from codec.picture.sources import open_source

SOURCES = Path(__file__).parent.parent / "fixtures" / "sources"
ROOT = SOURCES.parent.parent


@pytest.fixture
def clip(tmp_path, mvz):
    """An encoded RGB clip with names."""
    path = tmp_path / "clip.mvz"
    assert mvz("encode", SOURCES / "rgb_40x32", "-o", path, "--gop", 2)[0] == 0
    return path


def test_help_and_version_load_nothing_heavy():
    for arguments in (["--help"], ["encode", "--help"], ["--version"]):
        script = (
            "import sys\nfrom codec.cli.main import run\n"
            f"try: run({arguments!r})\nexcept SystemExit: pass\n"
            "heavy = {'numpy', 'PIL', 'matplotlib', 'construct', 'zstandard', 'tqdm', 'jinja2'}\n"
            "sys.exit(bool(heavy & set(sys.modules)))"
        )
        assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["mvz", "enc"], "encode"),
        (["mvz", "encode", "in", "--motion", "m"], "mesh"),
        (["mvz", "info", "LICEN"], "LICENSE"),  # a file here
        (["mvz", "decode", "a.mvz", "-o", "fixtu"], "fixtures"),
    ],
)
@pytest.mark.skipif(not shutil.which("bash"), reason="is tried in bash")
def test_bash_completes_commands_choices_and_files(mvz, words, expected):
    pytest.importorskip("shtab")
    code, script, err = mvz("--print-completion", "bash")
    assert (code, err) == (0, "")
    ask = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _shtab_mvz; echo ${{COMPREPLY[*]}}"
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected]


def test_completion_without_shtab_names_what_to_install(mvz, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    said = "mvz: --print-completion needs shtab: pip install 'mvz[completion]'\n"
    assert mvz("--print-completion", "zsh") == (2, "", said)


def test_the_man_page_is_what_the_arguments_make():
    made = runpy.run_path(str(ROOT / "docs" / "make_man.py"))
    assert made["PAGE"].read_text("utf-8") == made["page"](), "PYTHONPATH=. python docs/make_man.py"


@pytest.mark.parametrize(("command", "missing"), [("report", "jinja2"), ("plot", "matplotlib"), ("inspect", "jinja2")])
def test_pages_and_plots_without_their_libraries_name_what_to_install(command, missing, clip, tmp_path):
    arguments = [command, str(clip), "-o", str(tmp_path / "new")]
    program = (
        f"import sys\nsys.modules[{missing!r}] = None\nfrom codec.cli.main import run\nsys.exit(run({arguments!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mvz: plots and pages need matplotlib and Jinja2: pip install 'mvz[report]'\n"
    assert not (tmp_path / "new").exists()


def test_encode_then_decode_gives_the_same_files_back(mvz, clip, tmp_path):
    code, out, err = mvz("decode", clip, "-o", tmp_path / "back")
    assert (code, out) == (0, "")
    assert "4 pictures" in err
    expected = sorted(path.name for path in (SOURCES / "rgb_40x32").iterdir())
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == expected
    assert mvz("compare", SOURCES / "rgb_40x32", tmp_path / "back", "--no-ssim")[0] == 0


def test_nothing_is_overwritten_without_force(mvz, clip):
    before = clip.read_bytes()
    code, _, err = mvz("encode", SOURCES / "gray_37x23", "-o", clip)
    assert code == 2
    assert f"{clip}: exists; --force" in err
    assert clip.read_bytes() == before
    assert mvz("encode", SOURCES / "gray_37x23", "-o", clip, "--force")[0] == 0
    assert clip.read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--residual", "lossless", "--step", "8"], "--step is for int8 and uint8, not lossless"),
        (["--residual", "int8", "--step", "0"], "--step is a whole number from 1 to 65280"),
        (["--residual", "zip"], "invalid choice: 'zip'"),
        (["--fps", "fast"], "'fast' is not a number of pictures per second"),
        (["--search", "1000"], "--search is a whole number from 0 to 256"),
    ],
)
def test_wrong_use_is_exit_code_2_and_leaves_no_file(mvz, tmp_path, arguments, expected):
    code, out, err = mvz("encode", SOURCES / "rgb_40x32", "-o", tmp_path / "clip.mvz", *arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert list(tmp_path.iterdir()) == []


def test_bad_data_is_exit_code_1_and_one_line(mvz, clip, tmp_path):
    missing = mvz("encode", tmp_path / "nothing", "-o", tmp_path / "x.mvz")
    damaged = bytearray(clip.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    clip.write_bytes(damaged)
    for code, out, err in (
        missing,
        mvz("decode", clip, "-o", tmp_path / "back"),
        mvz("info", SOURCES / "yuv420_35x27.y4m"),
    ):
        assert (code, out) == (1, "")
        assert err.startswith("mvz: ")
        assert err.count("\n") == 1
    assert not (tmp_path / "back").exists()


def test_info_accounts_for_every_byte(mvz, clip):
    code, out, _ = mvz("info", clip, "--json")
    info = json.loads(out)
    assert code == 0
    assert sum(info["bytes"].values()) == info["file_bytes"] == clip.stat().st_size
    assert [picture["type"] for picture in info["pictures"]] == ["I", "P", "I", "P"]
    assert [picture["name"] for picture in info["pictures"]] == [f"scene00{number}.png" for number in range(4)]
    shares = sum(picture["total_bytes"] for picture in info["pictures"])
    assert 0 < info["file_bytes"] - shares < 200  # signature, header, metadata, index, end


@pytest.mark.parametrize("residual", ["lossless", "float16", "int8"])
def test_info_of_shared_packets_estimates_shares_that_add_up(mvz, tmp_path, residual):
    path = tmp_path / "clip.mvz"
    assert mvz("encode", SOURCES / "rgb_40x32", "-o", path, "--run", 4, "--residual", residual)[0] == 0
    info = json.loads(mvz("info", path, "--json")[1])
    assert {picture["estimated"] for picture in info["pictures"]} == {True}
    for component in ("motion", "residual"):
        share = sum(picture["bytes"][component] for picture in info["pictures"])
        assert share == pytest.approx(info["bytes"][component], abs=0.5)
    assert info["pictures"][0]["bytes"]["motion"] == 0
    assert "≈" in mvz("info", path)[1]


def test_compare_says_identical_and_exits_with_0_or_1(mvz, clip, tmp_path):
    code, out, _ = mvz("compare", SOURCES / "rgb_40x32", clip)
    assert code == 0
    assert "identical" in out
    assert "∞" in out
    lossy = tmp_path / "lossy.mvz"
    mvz("encode", SOURCES / "rgb_40x32", "-o", lossy, "--residual", "int8", "--step", 9)
    code, out, _ = mvz("compare", SOURCES / "rgb_40x32", lossy, "--json")
    result = json.loads(out)
    assert code == 1
    assert (result["identical"], result["picture_count"]) == (False, 4)
    with open_source(SOURCES / "rgb_40x32") as source, codec.open(lossy) as video:
        errors = [
            (a.planes[k].astype(int) - b.planes[k]) ** 2
            for a, b in zip(source, video.pictures(), strict=True)
            for k in range(3)
        ]
    assert result["mse"] == pytest.approx(np.mean(errors))
    assert mvz("compare", clip, lossy, "--csv", "--no-ssim")[1].splitlines()[0].startswith("picture,MSE,PSNR dB")


def test_a_terminal_sees_progress_and_a_file_does_not(tmp_path):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    command = [sys.executable, "-m", "codec", "encode", SOURCES / "rgb_40x32", "-o", tmp_path / "x.mvz", "--force"]
    quiet = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert b"\r" not in quiet.stderr
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with subprocess.Popen(command, cwd=ROOT, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:
            while part := terminal.read(1024):
                seen += part
        assert process.wait() == 0
    assert b"encode: " in seen
    assert b"pictures" in seen


def test_threads_switch_sooner_only_while_a_command_has_them():
    before = sys.getswitchinterval()
    with executor_of(2) as executor:
        assert executor is not None
        assert sys.getswitchinterval() < before / 10
    assert before == sys.getswitchinterval()
    with executor_of(1) as executor:
        assert executor is None
        assert before == sys.getswitchinterval()


def test_info_names_coded_bits_and_value_maps(tmp_path, mvz):
    rng = np.random.default_rng(1)
    few = rng.integers(0, 900, (3, 16, 16), np.uint16) * 70
    deep = rng.integers(0, 1 << 16, (3, 16, 16), np.uint16)
    alpha = np.zeros((3, 16, 16, 4), np.uint8)
    alpha[:, 4:9, 4:9] = 255
    alpha[..., :3] = rng.integers(0, 256, (3, 16, 16, 3))
    cases = [
        (few, {}, "coded with 10 bits; samples of {} of 65,536 values, by value maps", 10),
        (deep, {}, "", 16),
        (deep, {"qp": 20}, "coded with 12 bits", 12),
        (alpha, {}, "alpha of 2 of 256 values, by value maps", 8),
        (alpha, {"qp": 20}, "alpha of 2 of 256 values, by value maps", 8),
    ]
    for samples, options, said, bits in cases:
        codec.encode(samples, tmp_path / "a.mvz", codec.Settings(**options), force=True)
        code, out, _ = mvz("info", tmp_path / "a.mvz")
        assert (0, True) == (code, f"\n{said}\n".format(np.unique(few).size) in out)
        assert bool(said) == ("coded with" in out or "value maps" in out)
        pictures = json.loads(mvz("info", tmp_path / "a.mvz", "--json")[1])["pictures"]
        assert [bits] * 3 == [picture["coded_bits"] for picture in pictures]
    codec.encode([few[0] // 7000 * 7000, deep[0]], tmp_path / "a.mvz", codec.Settings(gop=1), force=True)
    with codec.open(tmp_path / "a.mvz") as video:
        assert [((9,), 8), ((), 16)] == [(of.mapped_values, of.coded_bits) for of in video.info.pictures]
    said = "coded with 8 to 16 bits; samples of 9 of 65,536 values, by value maps in 1 of 2 pictures"
    assert f"\n{said}\n" in mvz("info", tmp_path / "a.mvz")[1]
