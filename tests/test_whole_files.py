"""Files appear whole or not at all, whatever happens on the way: each command as a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from media_files import names_in

import codec

ROOT = Path(__file__).parent.parent
FRAMES = ROOT / "fixtures" / "sources" / "rgb_40x32"
HEADER = b"YUV4MPEG2 W64 H64 F25:1 Ip Cmono\n"
PLAIN = dict(os.environ)
NOISE = bytes(value * value % 251 for value in range(64 * 64))  # which does not compress much
OLD = b"what was there before"

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals, limits and /dev as POSIX has them")


def started(*arguments, **options):
    command = [sys.executable, "-m", "codec", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, **options)


def finished(*arguments, **options):
    """Exit code and lines on standard error."""
    command = [sys.executable, "-m", "codec", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, check=False, timeout=120, **options)
    return done.returncode, done.stderr.decode().splitlines()


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mvz"
    codec.encode(FRAMES, path, codec.Settings("float16", "none"))
    return path


@pytest.fixture
def target(tmp_path):
    """A folder with a file in it that may be replaced."""
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / "x.mvz").write_bytes(OLD)
    return folder / "x.mvz"


def untouched(target):
    return target.read_bytes() == OLD and names_in(target.parent) == [target.name]


def limit_files(size):
    """What a child does first: none of its files may become larger, as if the disk was full."""

    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


# ------------------------------------------------------------------------------------------- signals


@pytest.mark.parametrize("stop", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_signal_while_gops_are_coded_ends_at_once_with_one_line_and_leaves_the_target_as_it_was(stop, jobs, target):
    command = ["encode", "-", "-o", target, "--force", "--jobs", jobs, "--gop", "2", "--no-scene-cut"]
    with started(*command, stdin=subprocess.PIPE) as process:
        process.stdin.write(HEADER + 9 * (b"FRAME\n" + NOISE))
        process.stdin.flush()
        while len(names_in(target.parent)) == 1:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(getattr(signal, stop))
        process.send_signal(getattr(signal, stop))  # a second one, as of somebody in a hurry
        assert 130 == process.wait(60)
        assert b"mvz: interrupted\n" == process.stderr.read()
    assert untouched(target)


def test_an_interrupt_that_is_swallowed_comes_again(tmp_path):
    """As one that arrives in a finaliser does, which Python may only report."""
    script = (
        "import os, signal, sys, time, codec.__main__ as main, codec.cli.main as cli\n"
        "main.AGAIN_SECONDS = 0.1\n"
        "class Swallowing:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "def run(arguments):\n"
        "    Swallowing()\n"
        "    time.sleep(60)\n"
        "cli.run = run\n"
        "main.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=50, check=False)
    assert (130, b"", b"mvz: interrupted\n") == (done.returncode, done.stdout, done.stderr)


def test_a_signal_while_pictures_are_written_leaves_no_folder(tmp_path, moving):
    clip, out = tmp_path / "clip.mvz", tmp_path / "out"
    with codec.Writer(clip, (64, 64), "gray", codec.Settings("float16", "none", gop=1)) as writer:
        for _ in range(400):
            writer.append(moving("gray", 64, 64, count=1)[0])
    with started("decode", clip, "-o", out, "--jobs", "2") as process:
        while len(names_in(tmp_path)) == 1:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        assert 130 == process.wait(60)
    assert ["clip.mvz"] == names_in(tmp_path)


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    script = 'trap "" INT; exec "$@"'
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "codec", "encode", "-", "-o", str(tmp_path / "x.mvz")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(HEADER + b"FRAME\n" + NOISE)
        process.stdin.flush()
        while not names_in(tmp_path):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        process.stderr.read()
        assert 0 == process.wait(60)
    assert ["x.mvz"] == names_in(tmp_path)


# ------------------------------------------------------------------------------------------- disks and pipes


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_fills_up_is_said_in_one_line_and_leaves_the_target_as_it_was(jobs, target):
    y4m = target.parent.parent / "long.y4m"
    y4m.write_bytes(HEADER + 12 * (b"FRAME\n" + NOISE))
    command = ["encode", y4m, "-o", target, "--force", "--gop", "1", "--motion", "none", "--jobs", jobs]
    command += ["--residual", "float16"]
    code, said = finished(*command, preexec_fn=limit_files(9000), env=PLAIN)
    assert (1, [f"mvz: {target}: cannot be written: File too large"]) == (code, said)
    assert untouched(target)


@pytest.mark.parametrize("output", ["out", "out.y4m", "out.gif", "out.npy", "%02d.png"])
def test_a_disk_that_fills_up_while_decoding_leaves_nothing(output, clip, tmp_path):
    code, said = finished(
        *("decode", clip, "-o", tmp_path / output),
        preexec_fn=limit_files(2000),
        env=PLAIN,
    )
    assert 1 == code
    assert 1 == len(said)
    assert said[0].startswith(f"mvz: {tmp_path / output}")
    assert said[0].endswith("cannot be written: File too large")
    assert ["clip.mvz"] == names_in(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", [("decode", "-o", "-"), ("info",), ("verify",)])
def test_standard_output_that_is_full_is_said_in_one_line(command, clip):
    with Path("/dev/full").open("wb") as full:
        code, said = finished(command[0], clip, *command[1:], stdout=full)
    assert (1, ["mvz: standard output: cannot be written: No space left on device"]) == (code, said)


@pytest.mark.parametrize("command", [("decode", "-o", "-", "--quiet"), ("info", "--json")])
def test_a_pipe_that_nobody_reads_ends_quietly(command, clip):
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as pipe:
        assert (0, []) == finished(command[0], clip, *command[1:], stdout=pipe)


@pytest.mark.parametrize(("descriptor", "name"), [("<", "input"), (">", "output")])
def test_a_standard_stream_that_is_closed_is_said_in_one_line(descriptor, name, clip, tmp_path):
    command = f"encode - -o {tmp_path}/x.mvz" if descriptor == "<" else f"decode {clip} -o -"
    shell = f"exec {sys.executable} -m codec {command} {descriptor}&-"
    done = subprocess.run(["sh", "-c", shell], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert (1, f"mvz: standard {name}: is closed\n") == (done.returncode, done.stderr)
    assert ["clip.mvz"] == names_in(tmp_path)


# ------------------------------------------------------------------------------------------- sources


def test_a_source_that_fails_while_it_is_read_is_blamed_and_not_the_target(tmp_path):
    from codec.picture.y4m import Y4mSource

    class Failing:
        """A stream that ends in an error of the disk."""

        def __init__(self):
            self.lines = iter([HEADER, b"FRAME\n", b"FRAME\n"])

        def seekable(self):
            return False

        def readline(self, most):
            with contextlib.suppress(StopIteration):
                return next(self.lines)
            raise OSError(5, "Input/output error")

        def read(self, size):
            return NOISE[:size]

    source = Y4mSource(Failing(), "the disk")
    with (
        pytest.raises(codec.MediaError, match=r"^the disk: picture 2 cannot be read: Input/output error$"),
        codec.Writer(tmp_path / "x.mvz", format=source.format) as out,
    ):
        for picture in source:
            out.append(picture)
    assert [] == names_in(tmp_path)
