"""An open video under ``dask.array.from_array``: lazy, by GOPs, from several threads."""

import numpy as np
import pytest

import codec
import codec.reconstruct

da = pytest.importorskip("dask.array")


@pytest.fixture
def pictures():
    return np.random.default_rng(5).integers(0, 256, (11, 6, 8, 3), np.uint8)


@pytest.fixture
def video(pictures, tmp_path):
    codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(gop=4, scene_cut=False))
    with codec.open(tmp_path / "a.mvz") as opened:
        yield opened


@pytest.mark.parametrize("chunks", ["auto", "gops", -1, (3, 4, 8, 3), (1, 6, 8, 1)], ids=str)
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_all_of_it_is_what_the_video_has(scheduler, chunks, video, pictures):
    array = da.from_array(video, chunks=video.chunks if chunks == "gops" else chunks)
    assert (pictures.shape, pictures.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(pictures, array.compute(scheduler=scheduler))
    np.testing.assert_array_equal(pictures[2:9, 1, ::2, 0], array[2:9, 1, ::2, 0].compute(scheduler=scheduler))


def test_nothing_is_decoded_but_the_gop_that_is_asked_for(video, pictures, monkeypatch):
    decoded = []
    real = codec.reconstruct.reconstruct
    monkeypatch.setattr("codec.reconstruct.reconstruct", lambda *arguments: decoded.append(1) or real(*arguments))
    array = da.from_array(video, chunks=video.chunks)
    assert ((4, 4, 3), []) == (array.chunks[0], decoded)
    np.testing.assert_array_equal(pictures[5].mean(axis=2), array[5].mean(axis=2).compute(scheduler="synchronous"))
    assert 1 <= len(decoded) <= 4  # newer versions of dask ask for the picture alone


def test_two_arrays_have_one_name_as_long_as_the_file_is_the_same(video, pictures):
    name = da.from_array(video).name
    with codec.open(video.path) as again:
        assert name == da.from_array(again).name
    codec.encode(pictures[::-1], video.path, force=True)
    with codec.open(video.path) as other:
        assert name != da.from_array(other).name
    with open(video.path, "rb") as file, codec.open(file) as stream:  # noqa: PTH123
        assert da.from_array(stream).name != da.from_array(stream).name
