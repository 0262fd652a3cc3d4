"""What reaching a picture costs, and that what is handed out belongs to the caller; threads change nothing but time."""

import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import codec
import codec.encoder
import codec.reconstruct

COUNT, GOP = 20, 5


@pytest.fixture
def clip(moving, tmp_path):
    pictures = moving("yuv420", 12, 8, count=COUNT)
    path = tmp_path / "clip.mvz"
    settings = codec.Settings(gop=GOP, run=2, block=4, search=2, scene_cut=False)
    codec.encode(pictures, path, settings)
    return path, pictures


@pytest.fixture
def decoded(monkeypatch):
    """A list that grows by one for every picture that is decoded."""
    calls = []
    real = codec.reconstruct.reconstruct
    monkeypatch.setattr("codec.reconstruct.reconstruct", lambda *arguments: calls.append(1) or real(*arguments))
    return calls


@pytest.mark.parametrize("number", [0, 4, 5, 13, 19, -1, -20])
def test_a_picture_costs_no_more_than_its_gop_up_to_there(number, clip, decoded):
    with codec.open(clip[0]) as video:
        video[number]
    assert number % COUNT % GOP + 1 == len(decoded)


@pytest.mark.parametrize(
    "order",
    [range(COUNT), range(COUNT - 1, -1, -1), [n for n in range(COUNT) for _ in range(3)]],
    ids=["forwards", "backwards", "thrice each"],
)
def test_reading_in_order_decodes_every_picture_once(order, clip, decoded):
    path, pictures = clip
    with codec.open(path) as video:
        for number in order:
            assert pictures[number].same_samples(video.picture(number))
    assert COUNT == len(decoded)


@pytest.mark.parametrize("threads", [None, 2])
def test_planes_may_be_written_into_and_no_other_picture_changes(threads, clip):
    path, pictures = clip
    with codec.open(path) as video, ThreadPoolExecutor(threads or 1) as pool:
        for number in (1, 2, 1, 3):
            picture = video.picture(number)
            assert pictures[number].same_samples(picture)
            for plane in picture.planes:
                plane[...] = 77
        for number, picture in enumerate(video.pictures(executor=pool if threads else None)):
            assert pictures[number].same_samples(picture)
            for plane in picture.planes:
                plane[...] = 99


def test_of_a_gop_that_is_too_large_only_the_newest_pictures_are_kept(clip, decoded, monkeypatch):
    path, pictures = clip
    monkeypatch.setattr("codec.decoder.KEPT_BYTES", 3 * pictures[0].format.sample_count)
    with codec.open(path) as video:
        for number, cost in ((4, 5), (3, 0), (2, 0), (1, 2), (0, 0), (4, 3), (1, 2)):
            decoded.clear()
            assert pictures[number].same_samples(video.picture(number))
            assert cost == len(decoded), number


@pytest.mark.parametrize(("gops", "most"), [(0, 1), (1, 1), (2, 2), (3, 3), (9, 4)])
def test_gops_that_are_too_large_do_not_wait_for_each_other_decoded(gops, most, clip, monkeypatch):
    """A hostile file of a few megabytes can hold gigabytes of pictures in a GOP."""
    path, pictures = clip
    monkeypatch.setattr("codec.decoder.KEPT_BYTES", gops * GOP * pictures[0].format.sample_count)
    submitted = []

    class Counting(ThreadPoolExecutor):
        def submit(self, *arguments):
            submitted.append(1)
            return super().submit(*arguments)

    with Counting(2) as executor, codec.open(path) as video:
        came = video.pictures(executor=executor)
        assert pictures[0].same_samples(next(came))
        assert most == (len(submitted) or 1)
        assert COUNT - 1 == sum(1 for _ in came)
    assert (gops > 1) == (len(submitted) == COUNT // GOP)


# ------------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_bytes_and_progress_are_the_same_with_any_number_of_threads(threads, noise, tmp_path):
    pictures = np.stack([picture.planes[0] for picture in noise("gray", 16, 16, count=9)])
    said = []
    codec.encode(pictures, tmp_path / "one.mvz", codec.Settings(gop=2))
    with ThreadPoolExecutor(threads) as executor:
        codec.encode(pictures, tmp_path / "more.mvz", codec.Settings(gop=2), executor=executor, progress=said.append)
        np.testing.assert_array_equal(pictures, codec.decode(tmp_path / "more.mvz", executor=executor))
    assert (tmp_path / "one.mvz").read_bytes() == (tmp_path / "more.mvz").read_bytes()
    assert [(number, 9) for number in range(1, 10)] == [(each.pictures, each.picture_count) for each in said]
    assert sorted(each.file_bytes for each in said) == [each.file_bytes for each in said]


def test_an_exception_in_a_worker_comes_once_with_its_own_traceback_and_stops_the_rest(noise, tmp_path, monkeypatch):
    started, lock = [], threading.Lock()
    real = codec.encoder.encode_gop

    def fail_at_two(pictures, first_picture, *rest):
        with lock:
            started.append(first_picture)
        if first_picture >= 2:
            raise ArithmeticError(f"picture {first_picture}")
        return real(pictures, first_picture, *rest)

    monkeypatch.setattr("codec.encoder.encode_gop", fail_at_two)
    pictures = np.stack([picture.planes[0] for picture in noise("gray", 8, 8, count=60)])
    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(ArithmeticError, match=r"^picture 2$") as caught:
            codec.encode(pictures, tmp_path / "x.mvz", codec.Settings(gop=1), executor=executor)
        assert caught.value.__context__ is None
        assert "fail_at_two" in "".join(traceback.format_exception(caught.value))
    assert 10 > len(started)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("threads", "workers", "most"), [(2, None, 4), (2, 3, 6), (1, None, 2)])
def test_no_more_gops_wait_than_twice_the_workers(threads, workers, most, noise, tmp_path, monkeypatch):
    """Memory is bounded by them: those that were read and are not written yet."""
    read, most_waiting = 0, 0
    pictures = [picture.planes[0] for picture in noise("gray", 8, 8, count=30)]
    real = codec.encoder.encode_gop

    def slowly(*arguments):
        time.sleep(0.005)
        return real(*arguments)

    monkeypatch.setattr("codec.encoder.encode_gop", slowly)
    with (
        ThreadPoolExecutor(threads) as executor,
        codec.Writer(
            tmp_path / "x.mvz", (8, 8), "gray", codec.Settings(gop=1), executor=executor, workers=workers
        ) as out,
    ):
        for picture in pictures:
            out.append(picture)
            read += 1
            most_waiting = max(most_waiting, read - out.pictures_written)
    assert most == most_waiting
