"""A file as large, or its pictures as good, as asked; and the dial that makes that possible, QPs with fractions."""

import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import codec
from codec.measure.metrics import compare_sequences
from codec.picture.y4m import y4m_writer
from codec.targets import Sample, Search, Tried, next_qp, sample_of


@pytest.fixture(scope="module")
def pictures(moving):
    return list(moving("yuv420", 128, 96, 13))


def encoded(source, **settings):
    """A file in memory, and the summary."""
    file = io.BytesIO()
    summary = codec.encode(source, file, codec.Settings(**settings))
    return file.getvalue(), summary


def errors(source, data):
    with codec.open(io.BytesIO(data)) as video:
        return compare_sequences(source, video.pictures()).whole.total


# ------------------------------------------------------------------------- the dial


def test_a_fraction_of_a_qp_lies_between_its_neighbours(pictures):
    sizes, psnrs = [], []
    for qp in (28, 28.35, 28.65, 29):
        data, _ = encoded(pictures, qp=qp)
        sizes.append(len(data))
        psnrs.append(errors(pictures, data).psnr)
    assert sorted(set(sizes), reverse=True) == sizes
    assert sorted(set(psnrs), reverse=True) == psnrs


def test_no_two_p_pictures_go_to_the_next_qp_at_once_and_i_pictures_half_way(pictures):
    def qps(qp):
        with codec.open(io.BytesIO(encoded(pictures, qp=qp)[0])) as video:
            return [inspection.qps[0] for inspection in video.inspections()]

    whole, some = qps(30), qps(30.5)
    assert whole == qps(30.15)
    assert [qp + 1 for qp in whole] == qps(30.85)
    assert whole[0] + 1 == some[0]
    steps = [qp - low for qp, low in zip(some[1:], whole[1:], strict=True)]
    assert sorted(steps) == steps
    assert {0, 1} == set(steps)


def test_presets_are_qps_of_dct(pictures):
    sizes = []
    for quality, qp in (("low", 38), ("medium", 32), ("high", 26), ("visually-lossless", 18)):
        data, _ = encoded(pictures, quality=quality)
        assert encoded(pictures, qp=qp)[0] == data
        sizes.append(len(data))
    assert sorted(sizes) == sizes


# ------------------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *((2_000_000, 2_000_000), ("2000000", 2_000_000), ("2MB", 2_000_000), ("2 MB", 2_000_000), ("2M", 2_000_000)),
        *(("500kB", 500_000), ("2MiB", 2 << 20), ("1.5MiB", 3 << 19), ("0.5GB", 500_000_000), ("12 bytes", 12)),
    ],
)
def test_a_size_is_what_people_mean_by_it(said, meant):
    assert meant == codec.Settings(target_size=said).target_size


@pytest.mark.parametrize(
    ("said", "meant"),
    [(800_000, 800_000), ("800k", 800_000), ("1.5Mbit", 1_500_000), ("1.5Mbit/s", 1_500_000), ("64kbps", 64_000)],
)
def test_a_bit_rate_is_what_people_mean_by_it(said, meant):
    assert meant == codec.Settings(bitrate=said).bitrate


def test_a_writer_refuses_targets(tmp_path):
    with pytest.raises(codec.ConfigError, match=r"^target_size takes more than one encode: codec.encode makes them"):
        codec.Writer(tmp_path / "x.mvz", (16, 16), "gray", codec.Settings(target_size=100))
    assert [] == list(tmp_path.iterdir())


# ------------------------------------------------------------------------- what is met


@pytest.mark.parametrize(
    ("size", "speed"), [(4_000, "medium"), (7_000, "medium"), (20_000, "medium"), (8_000, "fast"), (20_000, "fast")]
)
def test_a_size_is_met_within_one_per_cent_and_never_exceeded(pictures, size, speed):
    data, summary = encoded(pictures, target_size=size, speed=speed)
    assert 0.99 * size <= len(data) <= size
    assert (len(data), ()) == (summary.found.reached, summary.notes)
    assert len(data) == summary.file_bytes
    assert encoded(pictures, qp=summary.found.qp, speed=speed)[0] == data


def test_a_bit_rate_is_that_of_pictures_as_long_as_they_are_shown(pictures):
    data, summary = encoded(pictures, bitrate="120k")
    assert 118_800 <= 8 * len(data) * 25 / len(pictures) <= 120_000
    assert 8 * len(data) * 25 / len(pictures) == pytest.approx(summary.found.reached)
    slow = [replace(picture, duration=Fraction(1, 5)) for picture in pictures]
    data, _ = encoded(slow, bitrate="30k")
    assert 29_700 <= 8 * len(data) * 5 / len(pictures) <= 30_000


@pytest.mark.parametrize(("mode", "wanted"), [("yuv420", 33), ("gray", 34.5), ("rgb", 33)])
def test_psnr_is_met_within_a_tenth_of_a_decibel(moving, mode, wanted):
    source = list(moving(mode, 96, 80, 6))
    data, summary = encoded(source, target_psnr=wanted)
    assert wanted <= errors(source, data).psnr <= wanted + 0.1
    assert errors(source, data).psnr == summary.found.reached


@pytest.mark.parametrize("most", [8, 30])
def test_the_largest_error_is_kept_by_a_qp_whose_next_does_not(pictures, most):
    data, summary = encoded(pictures, target_max_error=most)
    assert errors(pictures, data).max_error == summary.found.reached <= most
    assert errors(pictures, encoded(pictures, qp=summary.found.qp + 1)[0]).max_error > most


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target_size": 300}, r"^target_size 300 cannot be reached: the nearest is [0-9,]+ bytes, of qp 51$"),
        ({"target_size": "1GB"}, r"^target_size 1000000000 cannot be reached: the nearest is [0-9,]+ bytes, of qp 0$"),
        ({"bitrate": "1G"}, r"^bitrate 1000000000 cannot be reached: the nearest is [0-9,]+ bits a second, of qp 0$"),
        ({"target_psnr": 80}, r"^target_psnr 80 cannot be reached: the nearest is [0-9.]+ dB, of qp 0$"),
        ({"target_psnr": 5}, r"^target_psnr 5 cannot be reached: the nearest is [0-9.]+ dB, of qp 51$"),
    ],
)
def test_what_cannot_be_reached_says_the_nearest_and_leaves_nothing(tmp_path, pictures, settings, message):
    with pytest.raises(codec.ConfigError, match=message):
        codec.encode(pictures, tmp_path / "x.mvz", codec.Settings(**settings))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("chroma", "hint"), [(None, "; chroma 444 comes nearer$"), ("444", "of qp 0$")])
def test_what_halved_chroma_cannot_reach_says_why(noise, chroma, hint):
    for settings in ({"target_psnr": 70}, {"target_max_error": 1}):
        with pytest.raises(codec.ConfigError, match=hint):
            encoded(noise("rgb", 16, 16, 1), chroma=chroma, **settings)


def test_a_size_between_two_that_a_tiny_file_can_have_says_so(moving):
    source = list(moving("gray", 8, 8, 1))
    sizes = {len(encoded(source, qp=qp)[0]) for qp in range(52)}
    low = max(size for size in sizes if size + 2 not in sizes and size + 1 not in sizes and size < max(sizes))
    data, summary = encoded(source, target_size=round(1.012 * low) + 1)
    assert len(data) <= round(1.012 * low) + 1
    (note,) = summary.notes
    assert f"is met no more nearly than by {len(data):,} bytes" in note


# ------------------------------------------------------------------------- sources and samples


def test_pictures_that_are_read_only_once_become_the_same_file(pictures):
    expected, _ = encoded(pictures, target_size=6_000)
    assert expected == encoded(iter(pictures), target_size=6_000)[0]


def test_a_pipe_becomes_the_same_file_and_what_is_printed_makes_it_again(tmp_path, pictures, mvz):
    y4m = io.BytesIO()
    with y4m_writer(y4m, pictures[0].format, Fraction(25)) as write:
        for picture in pictures:
            write(picture)
    command = [sys.executable, "-m", "codec", "encode", "-", "-o", tmp_path / "a.mvz", "--target-size", "7kB"]
    done = subprocess.run(command, input=y4m.getvalue(), capture_output=True, check=True)
    _, found = done.stderr.decode().splitlines()
    qp = found.partition("qp ")[2].partition(",")[0]
    (tmp_path / "a.y4m").write_bytes(y4m.getvalue())
    assert 0 == mvz("encode", tmp_path / "a.y4m", "-o", tmp_path / "b.mvz", "-q", qp, "--quiet")[0]
    assert (tmp_path / "a.mvz").read_bytes() == (tmp_path / "b.mvz").read_bytes()
    assert {"a.mvz", "a.y4m", "b.mvz"} == {path.name for path in tmp_path.iterdir()}
    code, out, _ = mvz("encode", tmp_path / "a.y4m", "-o", tmp_path / "c.mvz", "--target-size", "7kB", "--json")
    assert (0, float(qp)) == (code, json.loads(out)["found"]["qp"])


def test_a_long_source_is_sampled_first_and_threads_change_nothing(moving):
    source = [*moving("gray", 48, 32, 9), *reversed(moving("gray", 48, 32, 9))] * 3
    settings = codec.Settings(target_psnr=35, gop=2, scene_cut=False)
    data = []
    with ThreadPoolExecutor(2) as executor:
        for run_by in (None, executor):
            file = io.BytesIO()
            summary = codec.encode(source, file, settings, executor=run_by)
            data.append(file.getvalue())
    assert data[0] == data[1]
    assert 35 <= errors(source, data[0]).psnr <= 35.1
    assert summary.found.sample_encodes in (1, 2, 3)
    assert 12 == summary.found.sample_pictures


def test_a_sample_is_whole_gops_from_all_over():
    sample = sample_of(range(103), 103, 4)
    assert [8, 9, 10, 11, 24, 25, 26, 27] == list(sample)[:8]
    assert sample.count == len(list(sample)) == 24
    assert max(sample) > 80
    assert sample_of(range(95), 95, 4) is None
    assert [2, 3, 6, 7] == list(Sample(range(20), [1, 3], 2))


# ------------------------------------------------------------------------- the search


def tried_by(level, wanted, start=28.0, grid=0.01, most=40):
    """The QPs that a search tries on a curve, until none is left or one is within 0.002."""
    search = Search(lambda value: value, wanted, -0.2, start, grid, 0)
    tried, qp = [], start
    while qp is not None and len(tried) < most:
        tried.append(Tried(qp, level(qp)))
        if abs(tried[-1].level - wanted) < 0.002:
            break
        qp = next_qp(search, tried, search.slope)
    return tried


def test_a_jump_is_closed_in_from_both_sides_and_then_qps_beside_it_are_tried():
    tried = tried_by(lambda qp: 20 - 0.2 * qp - (qp >= 31.4), 13.2)
    before, after = (max(qp for qp, _ in tried if qp < 31.4), min(qp for qp, _ in tried if qp >= 31.4))
    assert after - before < 0.04
    assert 12 < len({qp for qp, _ in tried if abs(qp - 31.4) < 0.5}) < 40
    assert len({qp for qp, _ in tried}) == len(tried)


def test_psnr_counts_alpha_and_not_the_colours_that_are_left_out(moving):
    source = np.stack([np.dstack([*picture.planes, picture.planes[0]]) for picture in moving("rgb", 96, 80, 3)])
    source[:, 20:60, 20:60, 3] = 0
    for alpha in ("keep", "clear"):
        data, summary = encoded(source, target_psnr=38, alpha=alpha, chroma="444")
        error = codec.decode(io.BytesIO(data)).astype(float) - source
        counted = error if alpha == "keep" else error * (source[..., 3:] > 0)
        assert summary.found.reached == pytest.approx(10 * np.log10(255**2 / np.mean(counted**2)))
        assert 38 <= summary.found.reached < 38.2  # bytes of so small a file jump
