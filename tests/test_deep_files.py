"""Pictures of 9…16 bits through a file, as people have them: commands, arrays, images."""

import io
import sys

import numpy as np
import pytest
from media_files import write
from PIL import Image

import codec
import mvz.pillow
from codec.picture.planes import Colour, Picture, PictureFormat, SampleFormat


@pytest.fixture(scope="module")
def scene():
    """Moving pictures of 16 bits, RGB (4, 40, 56, 3) uint16: a slope with noise in its low bits."""
    random = np.random.default_rng(0)
    slope = 500 * np.arange(64)[:, None, None] + 300 * np.arange(64)[:, None] + 1000 * np.arange(3)
    ground = slope + random.integers(0, 200, slope.shape)
    return np.stack([ground[shift : shift + 40, 2 * shift : 2 * shift + 56] for shift in range(4)]).astype(np.uint16)


def y4m_of(scene, bit_depth, path):
    """A Y4M file of 4:2:0 from the scene's planes."""
    picture_format = PictureFormat(56, 40, SampleFormat.YUV420, Colour(), bit_depth)
    planes = (scene >> 16 - bit_depth).transpose(0, 3, 1, 2)
    write(path, [Picture(picture_format, (y, u[::2, ::2], v[::2, ::2])) for y, u, v in planes])


@pytest.mark.parametrize("target", ["back", "back.apng", "back.tif", "back.npy"])
def test_a_folder_of_png_comes_back_exactly(mvz, scene, tmp_path, target):
    write(tmp_path / "frames", [Picture.from_array(picture, f"f{number}.png") for number, picture in enumerate(scene)])
    assert mvz("encode", tmp_path / "frames", "-o", tmp_path / "a.mvz")[0] == 0
    assert mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target)[0] == 0
    for one, other in (("frames", target), ("frames", "a.mvz"), (target, "a.mvz")):
        assert mvz("compare", tmp_path / one, tmp_path / other)[0] == 0
    assert "rgb 16 bit" in mvz("info", tmp_path / "a.mvz")[1]
    assert (tmp_path / target).exists()


@pytest.mark.parametrize("bit_depth", [9, 10, 12, 16])
def test_y4m_from_and_to_a_pipe_comes_back_byte_for_byte(mvz, scene, tmp_path, monkeypatch, bit_depth):
    y4m_of(scene, bit_depth, tmp_path / "a.y4m")
    given = (tmp_path / "a.y4m").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert mvz("encode", "-", "-o", tmp_path / "a.mvz")[0] == 0
    assert mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "b.y4m")[0] == 0
    assert given == (tmp_path / "b.y4m").read_bytes()
    assert mvz("verify", tmp_path / "a.mvz", tmp_path / "a.y4m")[0] == 0


def test_10_bits_as_png_are_scaled_and_said_to_be(mvz, scene, tmp_path):
    y4m_of(scene, 10, tmp_path / "a.y4m")
    mvz("encode", tmp_path / "a.y4m", "-o", tmp_path / "a.mvz")
    code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "back")
    assert code == 0
    assert "(YUV converted to RGB; 10 bits scaled to 16)" in err
    code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "a.gif")
    assert code == 1
    assert "samples have 10 bits, and those of .gif have 8" in err


def test_a_writer_is_told_how_many_bits_arrays_have(scene, tmp_path):
    with codec.Writer(tmp_path / "a.mvz", (56, 40), bit_depth=12) as out:
        for picture in scene >> 4:
            out.append(picture)
        with pytest.raises(codec.ConfigError, match="samples of 12 bits are 0…4095; one is"):
            out.append(scene[0])
        with pytest.raises(codec.ConfigError, match="samples of 12 bits are uint16"):
            out.append(scene[0].astype(np.uint8))
    with codec.open(tmp_path / "a.mvz") as video:
        assert video.format == PictureFormat(56, 40, SampleFormat.RGB, bit_depth=12)
        assert np.array_equal(scene >> 4, list(video))


def test_pillow_gets_gray_in_16_bits_and_colour_in_8(scene, tmp_path):
    codec.encode(scene[..., 0], tmp_path / "gray.mvz")
    codec.encode(scene, tmp_path / "rgb.mvz")
    mvz.pillow.register()
    with Image.open(tmp_path / "gray.mvz") as image:
        image.seek(1)
        assert (image.mode, image.info["bit_depth"]) == ("I;16", 16)
        assert np.array_equal(scene[1, ..., 0], np.array(image))
    with Image.open(tmp_path / "rgb.mvz") as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.rint(scene[0] / 257), np.array(image))


def test_pages_about_deep_pictures_are_made(mvz, scene, tmp_path):
    np.save(tmp_path / "a.npy", scene[:2])
    mvz("encode", tmp_path / "a.npy", "-o", tmp_path / "a.mvz")
    assert mvz("plot", tmp_path / "a.mvz", "-o", tmp_path / "drawn", "--pictures", "1")[0] == 0
    assert mvz("inspect", tmp_path / "a.mvz", "-o", tmp_path / "a.html")[0] == 0
    assert mvz("report", tmp_path / "a.npy", "-o", tmp_path / "r.html", "--residual", "lossless")[0] == 0
    assert "65535² / MSE" in (tmp_path / "r.html").read_text("utf-8")
