"""Memory does not grow with the number of pictures: peaks of processes that encode and decode through pipes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT, GOP = 176, 144, 8
SHORT, LONG = 64, 500  # pictures
GROWTH_MB = 6  # the pictures that LONG has more are 11 MB raw; measured: 2 MB, of 166 in all
MEASURED = """
import resource, sys
from codec.cli.main import run
code = run(sys.argv[1:])
sys.stderr.write(f"{code} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")
"""


def peak_megabytes(arguments, source=None, sink=subprocess.DEVNULL):
    """The most memory that a command took, Y4M going through its pipes."""
    command = [sys.executable, "-c", MEASURED, *map(str, arguments), "--quiet", "--jobs", "2"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE if source else None, stdout=sink, stderr=subprocess.PIPE
    ) as process:
        for piece in source or ():
            process.stdin.write(piece)
        if source:
            process.stdin.close()
        said = process.stderr.read()
    code, megabytes = said.rsplit(maxsplit=2)[-2:]
    assert said == b"%s %s" % (code, megabytes) and b"0" == code, said.decode()
    return int(megabytes)


def y4m(count, width=WIDTH, height=HEIGHT):
    """A Y4M stream, piece by piece: stripes that move, which are quickly coded and small."""
    yield f"YUV4MPEG2 W{width} H{height} F25:1 Ip Cmono\n".encode()
    row = bytes(range(0, 256, 3)) * (width // 64)
    for number in range(count):
        yield b"FRAME\n" + b"".join(row[(number + y) % 64 :][:width].ljust(width, b"a") for y in range(height))


@pytest.mark.parametrize("residual", ["lossless", "int8", "dct"])
def test_encoding_and_decoding_a_longer_sequence_takes_no_more_memory(residual, tmp_path):
    encoding, decoding = {}, {}
    for count in (2 * GOP, SHORT, LONG):  # the first run compiles what is not in the cache
        path = tmp_path / f"{count}.mvz"
        coding = ("--residual", residual, "--gop", GOP, "--motion", "block", "--no-scene-cut", "--speed", "fast")
        encoding[count] = peak_megabytes(["encode", "-", "-o", path, *coding], y4m(count))
        decoding[count] = peak_megabytes(["decode", path, "-o", "-"])
    assert GROWTH_MB > encoding[LONG] - encoding[SHORT], encoding
    assert GROWTH_MB > decoding[LONG] - decoding[SHORT], decoding
