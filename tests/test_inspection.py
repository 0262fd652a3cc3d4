"""A picture seen from inside the decoder: the same prediction and samples, and bits that add up to the packet."""

import numpy as np
import pytest

import codec
from codec.bitstream.cell_bits import share_nodes
from codec.models import BlockKind, MotionModel, ResidualCoder

MODES = ("gray", "rgb", "yuv420", "yuv422")


@pytest.fixture(scope="module")
def made(tmp_path_factory, moving):
    """A function that encodes moving pictures and returns the path."""
    folder = tmp_path_factory.mktemp("made")

    def make(mode="rgb", count=5, **settings):
        path = folder / f"{mode}{count}{sorted(settings.items())}.mvz".replace(" ", "")
        if not path.exists():
            codec.encode(moving(mode, 44, 35, count), path, codec.Settings(scene_cut=False, **settings))
        return path

    return make


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("residual", ResidualCoder)
@pytest.mark.parametrize("motion", MotionModel)
def test_bits_of_cells_and_headers_add_up_to_every_packet(made, mode, residual, motion):
    block = None if residual is ResidualCoder.DCT or motion is MotionModel.NONE else 8
    with codec.open(made(mode, residual=residual, motion=motion, run=3, gop=4, block=block)) as video:
        packets = {}
        for seen in video.inspections():
            assert all(bits.shape == seen.header.cell_shape and (bits >= 0).all() for bits in seen.cell_bits.values())
            packets.setdefault(seen.packet, []).append(seen)
        assert [0, 3, 4] == [packet.first for packet in packets]
        for packet, inside in packets.items():
            assert packet.pictures == len(inside)
            in_cells = sum(bits.sum() for seen in inside for bits in seen.cell_bits.values())
            assert 8 * packet.bytes == pytest.approx(in_cells + sum(seen.header_bits for seen in inside))
            assert all(seen.header_bits > 0 for seen in inside)


def test_cells_with_more_to_say_have_more_bits(made, tmp_path):
    random = np.random.default_rng(3)
    pictures = np.full((2, 32, 48), 90, np.uint8)
    pictures[1, 8:16, 24:32] = random.integers(0, 256, (8, 8))
    for residual in ("lossless", "int8", "float16"):
        path = tmp_path / f"{residual}.mvz"
        codec.encode(pictures, path, codec.Settings(residual, "block", block=8, search=0, scene_cut=False))
        with codec.open(path) as video:
            bits = video.inspect(1).cell_bits["residual"]
        assert (1, 3) == np.unravel_index(bits.argmax(), bits.shape)
        assert bits[1, 3] > 0.5 * bits.sum()


def test_prediction_and_levels_make_the_picture(made):
    with codec.open(made("gray", residual="int8", motion="block", step=8)) as video:
        seen = video.inspect(2)
    prediction = seen.predictions[0].planes[0].astype(int)
    expected = np.clip(prediction + 8 * seen.coded.residual[0].levels.astype(int), 0, 255)
    assert np.array_equal(expected, seen.picture.planes[0])


def test_what_nobody_knows_better_is_spread_evenly_and_named(made):
    with codec.open(made(residual="lossless", motion="block", block=8)) as video:
        seen = video.inspect(1)
    assert ("weights",) == seen.spread_evenly
    assert 0 == np.ptp(seen.cell_bits["weights"][:2])
    with codec.open(made(residual="int8", motion="mesh", block=8)) as video:
        assert () == video.inspect(1).spread_evenly


def test_vectors_of_nodes_are_shared_by_the_cells_around_them():
    of_nodes = np.zeros((3, 4))
    of_nodes[1, 1], of_nodes[0, 0], of_nodes[2, 2] = 8, 3, 6
    expected = [[2 + 3, 2, 0], [2, 2 + 3, 3]]
    assert np.array_equal(expected, share_nodes(of_nodes))


# ------------------------------------------------------------------------------------------- dct


@pytest.mark.parametrize("mode", MODES)
def test_coding_blocks_cover_every_sample_once(made, mode):
    with codec.open(made(mode, residual="dct", motion="block", run=3, gop=4)) as video:
        for seen in video.inspections():
            times = np.zeros((35, 44), int)
            for top, left, side in seen.coding_blocks.places:
                times[top : top + side, left : left + side] += 1
            assert (1 == times).all()


def test_only_dct_has_coding_blocks_and_predicts_inside_i_pictures(made):
    with codec.open(made(residual="int8", motion="block", step=8)) as video:
        assert (None, ()) == (video.inspect(0).coding_blocks, video.inspect(0).predictions)
    with codec.open(made(residual="dct", motion="block")) as video:
        first, second = video.inspections(0, 2)
        assert (None, 1, 1) == (second.field, len(first.predictions), len(second.predictions))
        assert {BlockKind.INTRA} == set(first.coding_blocks.kinds.tolist())
        assert not first.coding_blocks.vectors_quarter_pel.any()
        assert second.references[0].same_samples(first.picture)


@pytest.mark.parametrize("block", [4, 8, 16, 32])
def test_bits_of_coding_blocks_go_to_the_cells_that_they_cover(tmp_path, monkeypatch, block):
    monkeypatch.setattr(codec.Settings, "_idle", lambda self: ())  # other encoders may name other cells
    pictures = np.full((2, 64, 96), 90, np.uint8)
    pictures[1, 32:, :32] = np.random.default_rng(3).integers(0, 256, (32, 32))
    codec.encode(pictures, tmp_path / "noise.mvz", codec.Settings("dct", "none", block=block, scene_cut=False))
    with codec.open(tmp_path / "noise.mvz") as video:
        bits = video.inspect(1).cell_bits["residual"]
    assert (64 // block, 96 // block) == bits.shape
    assert bits[32 // block :, : 32 // block].sum() > 0.95 * bits.sum()


def test_one_picture_is_the_same_as_among_all(made):
    with codec.open(made(residual="lossless", motion="mesh")) as video:
        alone, among = video.inspect(-1), list(video.inspections())[-1]
        assert alone.number == among.number == 4
        assert 2 == len(alone.references)
        assert np.array_equal(alone.cell_bits["residual"], among.cell_bits["residual"])
        assert [4] == [seen.number for seen in video.inspections(4)]
        assert [] == list(video.inspections(3, 3))
        with pytest.raises(IndexError, match="picture 5 of 5"):
            video.inspect(5)
