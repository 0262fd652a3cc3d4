"""Points of an interrupted sweep: what cannot be read back is measured again, whatever made it so."""

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
    """A cache with a point and a peer's point, these points, and their files."""
    clip = Clip("clip", Fraction(25), tuple(moving("yuv420", 9, 7, count=2)))
    error = PictureError({letter: ErrorSums(126, 5, 70, 2) for letter in "YUV"}, 0.5)
    components = {"motion": 1, "modes": 2, "weights": 0, "residual": 30, "alpha": 0, "headers": 4}
    said = {**clip.sizes(), "file_bytes": 37, "error": error, "encode_seconds": 0.25, "decode_seconds": 0.5}
    point = Point(settings=SETTINGS, bytes=components, **said, sample=clip.pictures[1], coded_error=error)
    cache = SweepCache(tmp_path / "kept", clip, 1)
    cache.put(point)
    (point_file,) = (tmp_path / "kept").iterdir()
    peer = PeerPoint(peer="x264", dial=("crf", 23), command=PEER[0], version=PEER[1], measured_in="yuv420", **said)
    cache.put_peer(peer)
    (peer_file,) = set((tmp_path / "kept").iterdir()) - {point_file}
    return cache, point, peer, point_file, peer_file


def test_what_was_put_is_there(kept):
    cache, point, peer, *_ = kept
    assert point == cache.get(SETTINGS)
    assert point.sample.same_samples(cache.get(SETTINGS).sample)
    assert peer == cache.get_peer(*PEER)


def test_any_byte_of_another_value_and_any_other_length_is_measured_again(kept):
    cache, _, _, point_file, peer_file = kept
    for path, get in ((point_file, lambda: cache.get(SETTINGS)), (peer_file, lambda: cache.get_peer(*PEER))):
        whole = path.read_bytes()
        for place, byte in enumerate(whole):
            path.write_bytes(whole[:place] + bytes([byte ^ 1]) + whole[place + 1 :])
            assert get() is None
            path.write_bytes(whole[:place])
            assert get() is None
        path.write_bytes(whole + b" ")
        assert get() is None
        path.write_bytes(whole)
        assert get() is not None


def test_a_folder_or_pipe_where_a_point_should_be_is_ignored(kept):
    cache, _, _, point_file, _ = kept
    point_file.unlink()
    point_file.mkdir()
    assert cache.get(SETTINGS) is None
    point_file.rmdir()
    os = pytest.importorskip("posix")
    os.mkfifo(point_file)
    assert cache.get(SETTINGS) is None
