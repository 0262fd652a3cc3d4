"""``mvz plot``: what is drawn of a picture, and the lesson on directions."""

import re

import numpy as np
import pytest
from PIL import Image

import codec
from codec.measure.synthetic import moving_sequence
from codec.models import BlockKind, MotionModel
from codec.motion.compensation import Reference, compensate
from codec.picture.planes import Picture
from codec.show.motion_arrays import (
    both_directions,
    dense_field,
    gather,
    splat,
)

DCT_DRAWINGS = ["coding_blocks", "vectors", "field", "prediction", "residual", "why_backward"]
BLOCK_DRAWINGS = ["vectors", "field", "prediction", "residual", "why_backward"]
MESH_DRAWINGS = ["vectors", "field", "mesh", "modes", "prediction", "residual", "why_backward"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A short file for each motion model."""
    folder = tmp_path_factory.mktemp("files")
    pictures = list(moving_sequence(64, 48, 3))
    for motion in ("none", "block", "mesh"):
        settings = codec.Settings("int8", motion, 8, block=None if motion == "none" else 8, scene_cut=False)
        codec.encode(pictures, folder / f"{motion}.mvz", settings)
    return folder


@pytest.mark.parametrize(
    ("motion", "expected"),
    [("block", BLOCK_DRAWINGS), ("mesh", MESH_DRAWINGS), ("none", ["prediction", "residual", "why_backward"])],
)
def test_everything_there_is_to_draw_is_drawn(mvz, files, tmp_path, motion, expected):
    code, out, err = mvz("plot", files / f"{motion}.mvz", "-o", tmp_path / "drawn", "--pictures", "0:2")
    assert (0, "") == (code, out)
    names = sorted(f"{number:04d}_{name}.png" for number in (1,) for name in expected)
    assert names == sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert all(name in err for name in names)
    for path in (tmp_path / "drawn").iterdir():
        with Image.open(path) as drawing:
            assert drawing.width > 300


def test_coding_blocks_of_dct_are_drawn_also_of_i_pictures(mvz, tmp_path):
    path = tmp_path / "dct.mvz"
    codec.encode(moving_sequence(64, 48, 2), path, codec.Settings("dct", scene_cut=False))
    assert 0 == mvz("plot", path, "-o", tmp_path / "drawn", "--pictures", "0:2")[0]
    expected = {f"0000_{name}.png" for name in ("coding_blocks", "prediction", "residual")}
    expected |= {f"0001_{name}.png" for name in DCT_DRAWINGS}
    assert expected == {drawn.name for drawn in (tmp_path / "drawn").iterdir()}


def test_mesh_of_dct_is_drawn_beside_its_coding_blocks(mvz, turning, tmp_path):
    assert 0 == mvz("plot", turning, "-o", tmp_path)[0]
    assert {f"0001_{name}.png" for name in [*DCT_DRAWINGS, "mesh"]} == {drawn.name for drawn in tmp_path.iterdir()}


def test_svg_has_the_same_bytes_every_time_and_no_date(mvz, files, tmp_path):
    for folder in ("first", "again"):
        assert 0 == mvz("plot", files / "mesh.mvz", "-o", tmp_path / folder, "--svg", "--quiet")[0]
    first = sorted((tmp_path / "first").iterdir())
    assert [f"0001_{name}.svg" for name in sorted(MESH_DRAWINGS)] == [path.name for path in first]
    for path in first:
        text = path.read_text()
        assert (tmp_path / "again" / path.name).read_text() == text
        assert not re.search(r"<metadata|date>", text)


def test_nothing_to_draw_is_wrong_use(mvz, files, tmp_path):
    code, _, err = mvz("plot", files / "mesh.mvz", "-o", tmp_path / "drawn", "--pictures", "0:1")
    assert (2, True) == (code, "picture 0 is an I picture" in err)
    assert not (tmp_path / "drawn").exists()
    code, _, err = mvz("plot", files / "mesh.mvz", "-o", tmp_path / "drawn", "--pictures", "5:9")
    assert (2, True) == (code, "selects none of the 3 pictures" in err)


# ------------------------------------------------------------------------------------------- what is drawn


def test_gathering_by_a_dense_block_field_is_the_prediction_where_vectors_are_whole():
    random = np.random.default_rng(5)
    reference = Picture.from_array(random.integers(0, 256, (20, 27), np.uint8))
    vectors = 4 * random.integers(-3, 4, (3, 4, 2)).astype(np.int16)
    field = codec.MotionField(MotionModel.BLOCK, 8, vectors)
    (expected,) = compensate(field, Reference(reference))
    dense = dense_field(_Seen(field, reference))
    assert np.array_equal(expected, gather(reference.planes[0], dense))


def test_dense_mesh_field_lies_between_its_nodes():
    vectors = np.array([[(0, 0), (0, 16)], [(32, 0), (32, 16)]], np.int16)
    field = _mesh(vectors)
    dense = dense_field(_Seen(field, Picture.from_array(np.zeros((8, 8), np.uint8))))
    assert [0.0, 0.5, 3.5] == dense[0, [0, 1, 7], 1].tolist()
    assert [0.0, 1.0, 7.0] == dense[[0, 1, 7], 5, 0].tolist()


def test_field_of_dct_has_vectors_of_coding_blocks_the_mesh_where_it_is_taken_and_nothing_inside_the_picture(turning):
    with codec.open(turning) as video:
        seen = video.inspect(1)
    dense, blocks = dense_field(seen), seen.coding_blocks
    assert {int(BlockKind.WARPED)} < set(blocks.kinds.tolist())
    middles = []
    for (top, left, side), kind, vector in zip(
        blocks.places, blocks.kinds, blocks.vectors_quarter_pel / 4, strict=True
    ):
        inside = dense[top : top + side, left : left + side]
        if kind == BlockKind.INTRA:
            assert np.isnan(inside).all()
        elif kind == BlockKind.WARPED:  # its vector is that of its middle cell, rounded to quarter samples
            middles.append(np.abs(inside[8 * (side // 16), 8 * (side // 16)] - vector).max())
        else:
            assert (inside == vector).all()
    assert max(middles) <= 1 / 8


def test_forward_prediction_leaves_holes_and_overlaps():
    reference = np.arange(6, dtype=np.uint8)[None]
    forward = np.zeros((1, 6, 2))
    forward[0, 3:, 1] = 1.4  # a right half that moves away by one sample; its last leaves the picture
    forward[0, 0, 1] = 2
    made = splat(reference, forward)
    assert [0, 1, 2, 0, 1, 1] == made.landed[0].tolist()
    assert [0, 1, 2, 3, 3, 4] == made.samples[0].tolist()
    assert (2 / 6, 1 / 6) == (made.holes, made.overlaps)


def test_backward_prediction_beats_forward_where_something_moves():
    before, picture = moving_sequence(96, 64, 2)
    found = both_directions(before, picture)
    assert 0.01 < found.forward.holes < 0.5
    assert 0.01 < found.forward.overlaps
    assert found.error(found.backward) < found.error(found.forward.samples) < found.error(found.reference)


class _Seen:
    """What `dense_field` needs of an inspection."""

    def __init__(self, field, picture):
        self.field = field
        self.coding_blocks = None
        self.header = picture  # both have a format


def _mesh(vectors, mode=0, own=None):
    modes = np.full((1, 1), mode, np.uint8)
    return codec.MotionField(
        MotionModel.MESH, 8, vectors, modes, own if own is not None else np.zeros((1, 1, 2), np.int16)
    )
