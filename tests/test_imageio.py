"""``.mvz`` through imageio."""

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import codec

iio = pytest.importorskip("imageio.v3")
plugin = pytest.importorskip("mvz.imageio")

ROOT = Path(__file__).parent.parent


@pytest.fixture
def pictures():
    return np.random.default_rng(6).integers(0, 256, (5, 6, 7, 3), np.uint8)


@pytest.fixture
def clip(pictures, tmp_path):
    """Five pictures with names, of which the second is shown twice as long as the others."""
    named = [codec.Picture.from_array(each, f"p{number}.png") for number, each in enumerate(pictures)]
    named[1] = codec.Picture(named[1].format, named[1].planes, "p1.png", Fraction(1, 10), {"icc": b"profile"})
    path = tmp_path / "clip.mvz"
    with codec.Writer(path, format=named[0].format, rate=20, metadata={"title": "x"}) as out:
        for each in named:
            out.append(each)
    return path


@pytest.mark.parametrize("how", [{}, {"plugin": "mvz"}, {"plugin": plugin.MvzPlugin}], ids=["name", "word", "class"])
def test_imread_gives_all_pictures_one_or_some(how, clip, pictures):
    np.testing.assert_array_equal(pictures, iio.imread(clip, **how), strict=True)
    np.testing.assert_array_equal(pictures[3], iio.imread(clip, index=3, **how), strict=True)
    np.testing.assert_array_equal(pictures[1:4], iio.imread(clip, index=slice(1, 4), **how), strict=True)
    with pytest.raises(IndexError, match="picture 5 of 5"):
        iio.imread(clip, index=5, **how)


def test_improps_tells_shapes_and_the_number_of_pictures(clip):
    of_all, of_one = iio.improps(clip), iio.improps(clip, index=1)
    assert ((5, 6, 7, 3), np.uint8, 5, True) == (of_all.shape, of_all.dtype, of_all.n_images, of_all.is_batch)
    assert ((6, 7, 3), np.uint8, None, False) == (of_one.shape, of_one.dtype, of_one.n_images, of_one.is_batch)
    assert (2, 6, 7, 3) == iio.improps(clip, index=slice(1, 3)).shape


def test_immeta_tells_what_the_file_and_what_a_picture_has(clip):
    said = iio.immeta(clip)
    assert (20, pytest.approx(0.3), "x") == (said["fps"], said["duration"], said["title"])
    assert {"name": "p1.png", "duration": 100.0, "icc": b"profile"} == iio.immeta(clip, index=1)
    assert {"name": "p2.png", "duration": 50.0} == iio.immeta(clip, index=2)


@pytest.mark.parametrize("shape", [(5, 6, 7, 3), (5, 6, 7), (5, 6, 7, 2), (5, 6, 7, 4), (6, 7), (6, 7, 3), (6, 7, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_imwrite_takes_whatever_a_picture_may_be(dtype, shape, tmp_path):
    samples = np.random.default_rng(7).integers(0, 256, shape, dtype)
    iio.imwrite(tmp_path / "a.mvz", samples)
    is_one = len(shape) == 2 or (len(shape) == 3 and shape[2] < 5)
    np.testing.assert_array_equal(samples[None] if is_one else samples, iio.imread(tmp_path / "a.mvz"), strict=True)


def test_a_narrow_gray_sequence_is_told_apart_by_is_batch(tmp_path):
    samples = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    iio.imwrite(tmp_path / "a.mvz", samples, is_batch=True)
    np.testing.assert_array_equal(samples, iio.imread(tmp_path / "a.mvz"), strict=True)
    iio.imwrite(tmp_path / "a.mvz", list(samples))
    np.testing.assert_array_equal(samples, iio.imread(tmp_path / "a.mvz"), strict=True)


def test_settings_rate_and_texts_go_with_imwrite(pictures, tmp_path):
    iio.imwrite(tmp_path / "a.mvz", pictures, fps=29.97, residual="dct", qp=40, gop=2, metadata={"title": "x"})
    with codec.open(tmp_path / "a.mvz") as video:
        header = video.info.header
        assert (codec.ResidualCoder.DCT, 2, Fraction(30000, 1001)) == (header.residual, header.gop_limit, video.rate)
        assert "x" == video.metadata["title"]
    with pytest.raises(TypeError, match="compression"):
        iio.imwrite(tmp_path / "b.mvz", pictures, compression=9)
    with pytest.raises(ValueError, match="no pictures"):
        iio.imwrite(tmp_path / "b.mvz", pictures[:0])
    assert not (tmp_path / "b.mvz").exists()


def test_pictures_are_written_one_by_one_and_replace_a_file_only_when_all_are_there(pictures, clip):
    before = clip.read_bytes()
    with pytest.raises(ZeroDivisionError), iio.imopen(clip, "w") as file:
        file.write(pictures[0])
        file.write(1 / 0)
    assert before == clip.read_bytes()
    with iio.imopen(clip, "w") as file:
        for picture in pictures[:3]:
            file.write(picture, fps=10)
    with codec.open(clip) as video:
        assert (3, 10) == (len(video), video.rate)


def test_bytes_and_streams_are_written_too(pictures):
    stream = io.BytesIO()
    data = iio.imwrite("<bytes>", pictures, extension=".mvz")
    iio.imwrite(stream, pictures, extension=".mvz")
    assert data == stream.getvalue()
    np.testing.assert_array_equal(pictures, iio.imread(data, plugin="mvz"))


def test_what_is_not_ours_is_left_to_others(pictures, tmp_path):
    iio.imwrite(tmp_path / "a.png", pictures[0])
    np.testing.assert_array_equal(pictures[0], iio.imread(tmp_path / "a.png"))
    with pytest.raises(OSError, match="can not handle"):
        iio.imread(tmp_path / "a.png", plugin="mvz")
    with pytest.raises(OSError, match="can not handle"):
        iio.imwrite(tmp_path / "b.png", pictures, plugin="mvz")


def test_importing_the_module_is_what_makes_imageio_know_it(clip):
    code = (
        "import codec, imageio.v3 as iio\n"
        f"try: iio.imread({str(clip)!r})\n"
        "except OSError: print('unknown')\n"
        "import mvz.imageio\n"
        f"print(iio.imread({str(clip)!r}).shape)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "unknown\n(5, 6, 7, 3)\n" == run.stdout
