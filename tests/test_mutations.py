"""Every golden file, harmed at every layer with right checksums: errors of ours, or pictures that are right."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import (
    GOLDEN,
    MEGABYTES,
    Parts,
    arrays_of,
    golden_files,
    harm_picture_headers,
    harm_stream,
    harm_symbols,
    harmed_bytes,
    mended,
    mutated,
    outcome,
)

import codec
from codec.bitstream.schema import StreamId
from codec.writing.packing import pack

ROOT = Path(__file__).parent.parent
NAMES = sorted(path.name for path in GOLDEN.glob("*.mvz"))


@pytest.fixture(scope="module")
def golden():
    return golden_files()


@pytest.mark.parametrize("name", NAMES)
def test_taking_a_golden_file_apart_and_putting_it_together_changes_nothing(name):
    data = (GOLDEN / name).read_bytes()
    assert data == Parts.of(data).build()


def test_mending_checksums_leaves_a_whole_file_alone_and_mends_one_with_other_bytes():
    data = (GOLDEN / "smallest.mvz").read_bytes()
    harmed = bytearray(data)
    harmed[20] ^= 1  # in the sequence header
    assert data == mended(data)
    assert bytes(harmed) != mended(bytes(harmed))
    assert bytes(harmed[:40]) == mended(bytes(harmed))[:40]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False), salvage=st.booleans(), trusting=st.booleans())
def test_a_mutated_golden_file_gives_an_error_of_ours_or_pictures(
    name, random, salvage, trusting, golden, tmp_path_factory
):
    data, originals = golden[name]
    path = tmp_path_factory.getbasetemp() / "mutated.mvz"
    path.write_bytes(mutated(data, random))
    result = outcome(path, originals, salvage=salvage, trusting=trusting)
    # the only other pictures that keep their checksums are the same samples in planes of another shape
    if result == "other pictures" and not trusting:
        with codec.open(path, damaged=salvage) as video:
            assert video.format != originals[0].format


def test_a_huge_picture_that_no_symbol_follows_takes_no_memory(tmp_path):
    data = bytearray((GOLDEN / "rgb_40x32_dct_slow_444.mvz").read_bytes())
    data[18:22] = (983_080).to_bytes(4, "little")  # the width, in samples: 94 MB a picture, and as much for a reference
    (tmp_path / "wide.mvz").write_bytes(mended(bytes(data)))
    program = (
        "import codec, contextlib, resource, sys\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with contextlib.suppress(codec.BitstreamError): codec.decode(sys.argv[1])\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "wide.mvz")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert int(done.stdout) < 100


def test_symbols_come_apart_and_together_again():
    """All arrays, packed again with care, mean the same."""
    arrays = 0
    for path in GOLDEN.glob("*.mvz"):
        data = path.read_bytes()
        parts = Parts.of(data)
        for run in parts.pictures():
            for place, start, end, symbols in reversed(arrays_of(parts.header, run)):
                id_, stream = run.streams[place]
                again = pack(np.frombuffer(symbols, np.uint8))
                run.streams[place] = id_, stream[:start] + again + stream[end:]
                arrays += 1
        for picture, same in zip(golden_pictures(parts.build()), golden_pictures(data), strict=True):
            assert picture.same_samples(same)
    assert 1000 < arrays


def golden_pictures(data):
    with codec.open(io.BytesIO(data)) as video:
        return list(video.pictures())


def harm_blocks(data, random, seed):
    parts = Parts.of(data)
    (harm_stream if seed % 5 == 4 else harm_symbols)(parts, random)
    return parts.build()


def harm_alpha(data, random, seed):
    parts = Parts.of(data)
    run = random.choice(parts.pictures())
    if seed % 4 == 0:
        harm_picture_headers(parts, random)
        return parts.build()
    for place, (id_, stream) in enumerate(run.streams):
        if id_ >= StreamId.ALPHA_WEIGHTS and random.random() < 0.3:
            run.streams[place] = id_, harmed_bytes(stream, random)
    return parts.build()


OF_BLOCKS = (
    *("does not decode to its CRC", "a symbol has no meaning", "more levels than samples", "symbols ends too early"),
    *("bits ends too early", "symbols are left over", "bits are left over", "a context has substream"),
    *("a substream of # symbols", "a kind of a filter"),
)
OF_ALPHA = (
    *("alpha of an I picture is not coded", "does not decode to its CRC", "a square has predictor set"),
    *("predictor_set_counts is", "context substreams of", "raw bits of", "a map of", "where the headers imply"),
)


@pytest.mark.parametrize(
    ("count", "kind", "harm", "rules"),
    [
        pytest.param(
            *(400, "", lambda data, random, seed: mutated(data, random)),
            ("does not decode to its CRC", "limit", "vector", "substreams", "zstd", "streams", "index"),
            id="the innermost layers",
        ),
        pytest.param(500, "_dct_", harm_blocks, OF_BLOCKS, id="symbols, maps and sizes of blocks"),
        pytest.param(900, "rgba.*_dct", harm_alpha, OF_ALPHA, id="alpha beside dct"),
    ],
)
def test_harm_reaches_what_must_come_to_say_no(count, kind, harm, rules, golden, tmp_path):
    names, broken = [name for name in NAMES if re.search(kind, name)], set()
    for seed in range(count):
        (tmp_path / "bad.mvz").write_bytes(harm(golden[Random(seed).choice(names)][0], Random(seed), seed))
        try:
            codec.decode(tmp_path / "bad.mvz")
        except codec.BitstreamError as error:
            broken.add(re.sub(r"[\d.]+", "#", error.rule))
    said = "\n".join(sorted(broken))
    assert [rule for rule in rules if rule not in said] == [], said


def test_many_mutated_files_in_one_process_keep_to_time_and_memory(tmp_path):
    command = [sys.executable, "tests/mutations.py", "--files", "600", "--seed", "7000", "--keep", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("      600  files, 0 findings; slowest "), done.stdout
    assert MEGABYTES > int(re.search(r"grown by (\d+) MB", last)[1])
