"""``.mvz`` through Pillow and imageio, which know it once `codec` is imported."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import codec

ROOT = Path(__file__).parent.parent
FRAMES = ROOT / "fixtures" / "sources" / "rgb_40x32"  # 4 pictures with names
GOLDEN = ROOT / "fixtures" / "golden"


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mvz"
    codec.encode(FRAMES, path, codec.Settings(gop=2, scene_cut=False), rate=20, metadata={"title": "Größe"})
    return path


@pytest.mark.parametrize("order", ["import codec, PIL.Image", "import PIL.Image, codec"])
def test_pillow_opens_a_file_whichever_of_both_was_imported_first(order, clip):
    code = (
        f"{order}\nimage = PIL.Image.open({str(clip)!r})\nprint(image.format, image.mode, image.size, image.n_frames)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "MVZ RGB (40, 32) 4\n" == run.stdout


def test_the_hook_goes_once_pillow_is_there_and_leaves_the_module_as_it_was():
    code = (
        "import sys, codec\n"
        "watch = sys.meta_path[0]\n"
        "import PIL.Image\n"
        "print(watch in sys.meta_path, PIL.Image.__spec__.name, PIL.Image.registered_extensions()['.mvz'])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "False PIL.Image MVZ\n" == run.stdout


def test_pictures_can_be_sought_in_any_order_and_are_those_of_the_codec(clip):
    with Image.open(clip) as image, codec.open(clip) as video:
        assert (True, 4, 0) == (image.is_animated, image.n_frames, image.tell())
        for number in (0, 3, 1, 2, 2, 0):
            image.seek(number)
            assert number == image.tell()
            np.testing.assert_array_equal(video[number], np.asarray(image))
            assert f"scene00{number}.png" == image.info["name"]
        assert (50.0, "Größe") == (image.info["duration"], image.info["metadata"]["title"])


def test_seeking_behind_the_last_picture_is_an_end_of_file_as_with_other_formats(clip):
    with Image.open(clip) as image:
        for number in (4, 400, -1):
            with pytest.raises(EOFError):
                image.seek(number)
        assert 0 == image.tell()
        assert 4 == sum(1 for _ in ImageSequence.Iterator(image))


def test_writing_into_an_image_changes_no_other(clip):
    with Image.open(clip) as image, codec.open(clip) as video:
        image.seek(1)
        image.load()
        image.paste((1, 2, 3), (0, 0, 40, 32))
        image.seek(2)
        np.testing.assert_array_equal(video[2], np.asarray(image))


@pytest.mark.parametrize(
    ("name", "mode"),
    [("gray_37x23_int8_mesh.mvz", "L"), ("yuv420_35x27_lossless_block.mvz", "RGB")],
)
def test_gray_and_ycbcr_come_as_modes_that_pillow_has(name, mode):
    with Image.open(GOLDEN / name) as image, codec.open(GOLDEN / name) as video:
        assert mode == image.mode
        image.seek(2)
        np.testing.assert_array_equal(video[2], np.asarray(image))


def test_a_stream_in_memory_is_as_good_as_a_file_and_stays_open(clip):
    stream = io.BytesIO(clip.read_bytes())
    with Image.open(stream) as image:
        image.seek(3)
        image.load()
    assert not stream.closed
    with codec.open(stream) as video:
        assert 4 == len(video)
    assert not stream.closed


def test_what_is_damaged_in_its_head_is_not_identified_and_a_damaged_picture_is_an_os_error(clip):
    data = bytearray(clip.read_bytes())
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(io.BytesIO(data[:40]))
    data[data.rindex(b"PICS") + 40] ^= 1
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        image.seek(2)
        with pytest.raises(OSError, match="CRC-32"):
            image.load()


def test_an_animation_can_be_saved_from_it(clip, tmp_path):
    with Image.open(clip) as image:
        image.save(tmp_path / "clip.webp", save_all=True, lossless=True)
    with Image.open(tmp_path / "clip.webp") as back, codec.open(clip) as video:
        assert 4 == back.n_frames
        back.seek(3)
        np.testing.assert_array_equal(video[3], np.asarray(back.convert("RGB")))


def test_imageio_reads_it(clip):
    iio = pytest.importorskip("imageio.v3")
    with codec.open(clip) as video:
        np.testing.assert_array_equal(video[2], iio.imread(clip, index=2))
        np.testing.assert_array_equal(list(video), iio.imread(clip, index=..., plugin="pillow"))
        assert 4 == sum(1 for _ in iio.imiter(clip))
