"""Sweeps: every point is a real file, its numbers agree with one another, and JSON and CSV keep their schema."""

import csv
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import codec
from codec.errors import CodecError, ConfigError
from codec.measure import sweep as sweep_module
from codec.measure.cache import SweepCache
from codec.measure.metrics import ErrorSums, PictureError, compare_sequences
from codec.measure.points import CSV_COLUMNS, Clip, Point, points_as_json, write_csv, write_json
from codec.measure.sweep import default_settings, load_clip, sweep
from codec.measure.synthetic import moving_sequence
from codec.models import MotionModel, ResidualCoder
from codec.picture.colour import to_array
from codec.settings import Settings

POINT_KEYS = {
    *("command", "codec", "residual", "motion", "dial", "step", "gop", "block", "search", "run", "pictures"),
    *("source_bytes", "file_bytes", "ratio", "bits_per_pixel", "bytes", "exact", "identical", "mse", "psnr", "snr"),
    *("max_error", "psnr_yuv", "ssim", "planes", "coded", "encode_seconds", "decode_seconds"),
}


@pytest.fixture(scope="module")
def clip():
    return Clip("scene", Fraction(25), tuple(moving_sequence(32, 24, 3)))


@pytest.fixture(scope="module")
def points(clip):
    return sweep(clip, default_settings(steps=[None, 8]), keep_picture=1)


def test_defaults_are_every_residual_with_every_motion():
    chosen = default_settings()
    expected = {(residual, motion) for residual in ResidualCoder for motion in MotionModel}
    assert {(settings.residual, settings.motion) for settings in chosen} == expected
    assert len(set(chosen)) == len(chosen)
    assert all((settings.step is not None) == settings.residual_coder.has_step for settings in chosen)


def test_points_come_in_the_order_of_the_settings(points):
    assert [point.settings for point in points] == default_settings(steps=[None, 8])


def test_error_is_that_of_the_decoded_file(points, clip, tmp_path):
    for number, point in enumerate(points):
        path = tmp_path / f"{number}.mvz"
        codec.encode(np.stack([to_array(picture) for picture in clip.pictures]), path, point.settings)
        with codec.open(path) as video:
            assert compare_sequences(clip.pictures, video.pictures(), True).whole == point.error
            assert point.sample.same_samples(video.picture(1))


def test_sizes_agree_with_one_another(points, clip):
    for point in points:
        assert sum(point.bytes.values()) == point.file_bytes
        assert point.source_bytes == clip.source_bytes == 3 * 32 * 24 * 3
        assert point.ratio == point.source_bytes / point.file_bytes
        assert point.bits_per_pixel == 8 * point.file_bytes / (3 * 32 * 24)
        assert point.encode_seconds > 0 < point.decode_seconds


def test_lossless_file_that_differs_is_an_error(clip, monkeypatch):
    wrong = PictureError({"R": ErrorSums(4, 1, 9, 1)})
    comparison = compare_sequences(clip.pictures, clip.pictures)
    monkeypatch.setattr(sweep_module, "compare_sequences", lambda *_: replace(comparison, whole=wrong))
    with pytest.raises(CodecError, match=r"lossless, block: lossless came back with MSE 0\.25"):
        sweep(clip, [Settings()])


def test_number_of_jobs_changes_nothing_but_seconds(clip):
    chosen = default_settings(["int8"], steps=[8])
    one, three = (sweep(clip, chosen, jobs=jobs) for jobs in (1, 3))
    still = {"encode_seconds": 0, "decode_seconds": 0}
    assert [point.as_dict() | still for point in one] == [point.as_dict() | still for point in three]


@pytest.mark.parametrize("arguments", [{"settings_list": []}, {"settings_list": [Settings()], "jobs": 0}])
def test_sweep_without_anything_to_do_is_refused(clip, arguments):
    with pytest.raises(ConfigError, match="at least one"):
        sweep(clip, **arguments)


def test_first_pictures_only_can_be_loaded_and_the_label_says_so():
    samples = np.zeros((5, 4, 4, 1), np.uint8)
    assert load_clip(samples).label == load_clip(samples, 5).label == "array"
    cut = load_clip(samples, 2)
    assert (len(cut.pictures), cut.label) == (2, "array, first 2 pictures")
    with pytest.raises(ConfigError, match="at least 1 picture"):
        load_clip(samples, 0)


def test_clip_that_does_not_fit_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(sweep_module, "MAX_CLIP_BYTES", 50)
    samples = np.zeros((4, 4, 4, 1), np.uint8)
    with pytest.raises(ConfigError, match="array: more than 3 pictures"):
        load_clip(samples)
    assert len(load_clip(samples, 3).pictures) == 3


def test_json_has_the_documented_keys(points, clip):
    values = points_as_json(points, clip, 2)
    assert list(values) == ["schema", "schema_version", "mvz", "source", "jobs", "points", "peers", "bd_rates"]
    assert (values["schema"], values["schema_version"], values["mvz"]) == ("mvz-sweep", 5, codec.__version__)
    assert values["source"] == {
        "label": "scene",
        "width": 32,
        "height": 24,
        "sample_format": "rgb",
        "bit_depth": 8,
        "rate": "25",
        "pictures": 3,
        "source_bytes": 6912,
        "sha256": clip.sha256(),
    }
    for point in values["points"]:
        assert set(point) == POINT_KEYS
        assert set(point["bytes"]) == {"motion", "modes", "weights", "residual", "alpha", "headers"}
        assert list(point["planes"]) == ["R", "G", "B"]


def test_json_file_is_strict_and_has_no_infinity(points, clip, tmp_path):
    path = tmp_path / "points.json"
    write_json(points_as_json(points, clip, 1), path)
    values = json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)
    assert values == points_as_json(points, clip, 1)
    lossless = values["points"][0]
    assert (lossless["exact"], lossless["identical"], lossless["psnr"]) == (True, True, None)


def test_csv_values_parse_back(points, tmp_path):
    path = tmp_path / "points.csv"
    write_csv(points, path)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames) == CSV_COLUMNS
    assert len(rows) == len(points)
    for row, point in zip(rows, points, strict=True):
        assert (row["residual"], row["motion"]) == (
            point.settings.residual_coder.label,
            point.settings.motion_model.label,
        )
        assert row["step"] == ("" if point.settings.step is None else str(point.settings.step))
        assert int(row["file_bytes"]) == point.file_bytes
        assert {name: int(row[f"{name}_bytes"]) for name in point.bytes} == point.bytes
        assert (float(row["mse"]), float(row["psnr"])) == (point.mse, point.psnr)
        assert [float(row[f"psnr_plane_{n}"]) for n in (1, 2, 3)] == [p.psnr for p in point.error.planes.values()]
        assert row["exact"] == str(point.exact).lower()
        assert row["psnr_yuv"] == ""
        assert float(row["encode_seconds"]) == point.encode_seconds


def test_points_are_spread_over_a_dials_range():
    steps = [settings.step for settings in default_settings(["int8"], ["block"], points=5)]
    assert steps == [3, 6, 12, 24, 48]
    assert [settings.step for settings in default_settings(["uint8"], ["none"], points=1)] == [3]
    assert len(default_settings(["lossless"], ["none"], points=5)) == 1
    with pytest.raises(ConfigError, match="at least 1 point"):
        default_settings(points=0)


def test_interrupted_sweep_goes_on_where_it_was(clip, tmp_path, monkeypatch):
    chosen = default_settings(["lossless", "int8"], ["none"], [8, 16])

    def interrupt(step):
        if step.points_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(clip, chosen, jobs=1, progress=interrupt, keep_picture=1, cache=SweepCache(tmp_path / "kept", clip, 1))
    measured = []
    measure_point = sweep_module.measure_point
    monkeypatch.setattr(
        sweep_module,
        "measure_point",
        lambda *arguments, **options: measured.append(arguments) or measure_point(*arguments, **options),
    )
    points = sweep(clip, chosen, jobs=1, keep_picture=1, cache=SweepCache(tmp_path / "kept", clip, 1))
    again = [arguments[1] for arguments in measured if arguments[0] is clip]
    assert not set(again) & set(chosen[:2])  # the third may have been under way, and be there too
    assert [point.settings for point in points] == chosen
    fresh = sweep(clip, chosen, jobs=1, keep_picture=1)
    still = {"encode_seconds": 0, "decode_seconds": 0}
    assert [point.as_dict() | still for point in points] == [point.as_dict() | still for point in fresh]
    assert all(a.sample.same_samples(b.sample) for a, b in zip(points, fresh, strict=True))


def test_cache_knows_only_its_own_clip_settings_and_whole_files(clip, points, tmp_path):
    cache = SweepCache(tmp_path / "kept", clip, 1)
    cache.put(points[0])
    assert cache.get(points[0].settings) == points[0]
    assert cache.get(points[1].settings) is None
    other = replace(clip, pictures=clip.pictures[:2])
    assert SweepCache(tmp_path / "kept", other, 1).get(points[0].settings) is None
    assert SweepCache(tmp_path / "kept", clip, 0).get(points[0].settings) is None
    for path in (tmp_path / "kept").iterdir():
        path.write_bytes(path.read_bytes()[:-7])
    assert cache.get(points[0].settings) is None
    cache.clear()
    assert not (tmp_path / "kept").exists()


def test_schema_is_documented(points, clip):
    text = (Path(__file__).parents[1] / "docs" / "sweep_schema.md").read_text("utf-8")
    values = points_as_json(points, clip, 2)
    told = {*values, *values["source"], *values["points"][0], *values["points"][0]["bytes"], "command", "version"}
    told |= {"curve", "anchor", "change", "low_psnr", "high_psnr", "why_not", "dial_value"}
    assert [name for name in sorted(told) if f"`{name}`" not in text] == []
    assert f"`schema_version` is {values['schema_version']}" in text


def test_curves_are_compared_by_psnr_yuv_where_there_is_one(clip):
    luma, chroma = ErrorSums(400, 4000, 10**6, 9), ErrorSums(100, 100, 10**6, 3)

    def point(planes):
        sizes = {"pictures": 1, "pixels": 400, "source_bytes": 600, "file_bytes": 100, "bytes": {}}
        error = PictureError(planes)
        return Point(settings=Settings("int8", step=8), **sizes, error=error, encode_seconds=1, decode_seconds=1)

    yuv, gray = point({"Y": luma, "U": chroma, "V": chroma}), point({"Y": luma})
    assert yuv.quality == yuv.error.psnr_yuv != yuv.psnr
    assert gray.quality == gray.psnr
    partly_exact = point({"Y": luma, "U": ErrorSums(100, 0, 10**6, 0), "V": chroma})
    assert partly_exact.quality == partly_exact.psnr
