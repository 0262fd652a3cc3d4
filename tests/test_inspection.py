"""A picture seen from inside the decoder: the same prediction and samples, and bits that add up to the packet."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

import numpy as np
import pytest

import codec
from codec.bitstream.cell_bits import share_nodes, sum_over_cells
from codec.models import MotionModel, PictureType, ResidualCoder

MODES = ("gray", "rgb", "yuv420", "yuv422")


@pytest.fixture(scope="module")
def made(tmp_path_factory, moving):
    """A function that encodes moving pictures and returns the path."""
    folder = tmp_path_factory.mktemp("made")

    def make(mode="rgb", count=5, **settings):
        path = folder / f"{mode}{count}{sorted(settings.items())}.mvz".replace(" ", "")
        if not path.exists():
            pictures = moving(mode, 44, 35, count)
            with codec.Writer(
                path, format=pictures[0].format, settings=codec.Settings(scene_cut=False, **settings)
            ) as out:
                for picture in pictures:
                    out.append(picture)
        return path

    return make


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("residual", ResidualCoder)
@pytest.mark.parametrize("motion", MotionModel)
def test_bits_of_cells_and_headers_add_up_to_every_packet(made, mode, residual, motion):
    with codec.open(made(mode, residual=residual, motion=motion, run=3, gop=4, block=8)) as video:
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


@pytest.mark.parametrize("motion", ["block", "mesh"])
@pytest.mark.parametrize("residual", ["int8", "lossless"])
def test_bits_of_components_are_those_that_info_counts(made, residual, motion):
    with codec.open(made(residual=residual, motion=motion, run=3, gop=4, block=8)) as video:
        totals = dict.fromkeys(video.info.bytes, 0.0)
        for seen in video.inspections():
            for component, bits in seen.cell_bits.items():
                totals[component] += bits.sum() / 8
        counted = video.info.bytes
        for component in ("motion", "modes", "weights", "residual"):
            assert counted[component] == pytest.approx(totals[component])


def test_cells_with_more_to_say_have_more_bits(made, tmp_path):
    random = np.random.default_rng(3)
    pictures = np.full((2, 32, 48), 90, np.uint8)
    pictures[1, 8:16, 24:32] = random.integers(0, 256, (8, 8))
    for residual in ("lossless", "int8", "float16"):
        path = tmp_path / f"{residual}.mvz"
        codec.encode(pictures, path, codec.Settings(residual, "none", block=8, scene_cut=False))
        with codec.open(path) as video:
            bits = video.inspect(1).cell_bits["residual"]
        assert (1, 3) == np.unravel_index(bits.argmax(), bits.shape)
        assert bits[1, 3] > 0.5 * bits.sum()


def test_pictures_are_those_that_decoding_gives(made):
    with codec.open(made(residual="int8", motion="mesh", step=8, gop=3)) as video:
        for number, seen in enumerate(video.inspections()):
            assert number == seen.number
            assert seen.picture.same_samples(video.picture(number))
            assert (PictureType.I if number % 3 == 0 else PictureType.P) == seen.type
            before = [video.picture(number - 1)] if number % 3 else []
            assert len(before) == len(seen.references) == len(seen.predictions)
            assert all(map(codec.Picture.same_samples, before, seen.references))


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


def test_damage_is_found(made, tmp_path):
    data = bytearray(made(residual="int8", step=8).read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "damaged.mvz"
    path.write_bytes(data)
    with codec.open(path) as video, pytest.raises(codec.ChecksumError):
        list(video.inspections())


def test_cells_at_the_edge_sum_what_they_have(made):
    with codec.open(made("yuv420", block=8)) as video:
        header = video.inspect(0).header
    luma = sum_over_cells(np.ones((35, 44)), header)
    chroma = sum_over_cells(np.ones((18, 22)), header)
    assert ((5, 6), 64, 3 * 4) == (luma.shape, luma[0, 0], luma[-1, -1])
    assert ((5, 6), 16, 2 * 2) == (chroma.shape, chroma[0, 0], chroma[-1, -1])
