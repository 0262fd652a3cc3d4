"""Points of an interrupted sweep: what cannot be read back is measured again, whatever made it so."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

import json
import zlib
from fractions import Fraction

import pytest

import codec
from codec.measure.cache import SweepCache
from codec.measure.metrics import ErrorSums, PictureError
from codec.measure.points import Clip, PeerPoint, Point

SETTINGS = codec.Settings("int8", step=8)
PEER = "x264", "1.0"


@pytest.fixture
def kept(moving, tmp_path):
    """A cache with a point, its picture and a peer's point; the points, and the files of the three."""
    clip = Clip("clip", Fraction(25), tuple(moving("yuv420", 9, 7, count=2)))
    error = PictureError({letter: ErrorSums(126, 5, 70, 2) for letter in "YUV"}, 0.5)
    sizes = {"motion": 1, "modes": 2, "weights": 0, "residual": 30, "headers": 4}
    point = Point(SETTINGS, 2, clip.pixels, clip.source_bytes, 37, sizes, error, 0.25, 0.5, clip.pictures[1], error)
    cache = SweepCache(tmp_path / "kept", clip, 1)
    cache.put(point)
    point_files = set((tmp_path / "kept").iterdir())
    peer = PeerPoint("x264", ("crf", 23), *PEER, 2, clip.pixels, clip.source_bytes, 40, error, 0.25, 0.5, "yuv420")
    cache.put_peer(peer)
    (peer_file,) = set((tmp_path / "kept").iterdir()) - point_files
    of_kind = {path.suffix: path for path in point_files}
    return cache, point, peer, of_kind[".json"], of_kind[".planes"], peer_file


def test_what_was_put_is_there(kept):
    cache, point, peer, *_ = kept
    assert point == cache.get(SETTINGS)
    assert point.sample.same_samples(cache.get(SETTINGS).sample)
    assert peer == cache.get_peer(*PEER)


WRONG = (None, True, -1.5, 1e400, float("nan"), 10**30, "x", [], [1, 2, 3], {}, {"x": 1}, [[[]]])


def test_any_value_of_another_kind_is_measured_again(kept):
    cache, _, _, point_file, _, peer_file = kept
    for path, get in ((point_file, lambda: cache.get(SETTINGS)), (peer_file, lambda: cache.get_peer(*PEER))):
        whole = json.loads(path.read_text())
        for at in places(whole):
            for wrong in (*WRONG, ...):
                allowed = (
                    (at[-1] in ("ssim", "dial", "coded_error") and wrong is None)
                    or (at[-1] in ("ssim", "encode_seconds", "decode_seconds") and wrong == -1.5)
                    or (at[-1] in ("peer", "command", "version", 0) and wrong == "x")
                )
                path.write_text(json.dumps(changed(whole, at, wrong)))
                assert (get() is not None) == allowed, (at, wrong)
        path.write_text(json.dumps(whole))
        assert get() is not None


def places(value, at=()):
    """Where in plain values something lies: keys and numbers on the way."""
    if at:
        yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*at, key))


def changed(whole, at, wrong):
    """A copy with something else at a place, or with ``...`` nothing."""
    copy = json.loads(json.dumps(whole))
    part = copy
    for key in at[:-1]:
        part = part[key]
    if wrong is ...:
        del part[at[-1]]
    else:
        part[at[-1]] = wrong
    return copy


@pytest.mark.parametrize(
    "harmed",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b" " * (1 << 17),
        b"\xff\xfe",
        b"9" * 5000,
        b"\0" * 99,
    ],
    ids=["empty", "cut", "null", "list", "deep", "deep dict", "large", "not UTF-8", "a long number", "zeros"],
)
def test_whatever_the_bytes_are_they_are_ignored(harmed, kept):
    cache, _, _, point_file, _, peer_file = kept
    for path in (point_file, peer_file):
        path.write_bytes(harmed)
    assert (None, None) == (cache.get(SETTINGS), cache.get_peer(*PEER))


def test_counts_that_cannot_be_divided_by_are_ignored(kept):
    cache, _, _, point_file, *_ = kept
    whole = json.loads(point_file.read_text())
    nothing = dict.fromkeys(whole["bytes"], 0)
    point_file.write_text(json.dumps(whole | {"file_bytes": 0, "bytes": nothing}))
    assert cache.get(SETTINGS) is None
    point_file.write_text(json.dumps(whole | {"pixels": 0}))
    assert cache.get(SETTINGS) is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda planes: planes[:-5],
        lambda planes: b"not zlib",
        lambda planes: b"",
        lambda planes: planes[:9] + b"\xff" + planes[10:],
        lambda planes: zlib.compress(zlib.decompress(planes) + b"x"),
        lambda planes: zlib.compress(zlib.decompress(planes)[:-1]),
        lambda planes: zlib.compress(bytes(1 << 26)),
        lambda planes: bytes(1 << 20),
    ],
    ids=["cut", "text", "empty", "flipped", "a sample more", "a sample less", "a bomb", "large"],
)
def test_a_picture_that_is_not_whole_is_ignored(harm, kept):
    cache, _, _, _, planes_file, _ = kept
    planes_file.write_bytes(harm(planes_file.read_bytes()))
    assert cache.get(SETTINGS) is None


def test_a_folder_or_pipe_where_a_point_should_be_is_ignored(kept):
    cache, _, _, point_file, _, _ = kept
    point_file.unlink()
    point_file.mkdir()
    assert cache.get(SETTINGS) is None
    point_file.rmdir()
    os = pytest.importorskip("posix")
    os.mkfifo(point_file)
    assert cache.get(SETTINGS) is None
