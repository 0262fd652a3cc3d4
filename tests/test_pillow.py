"""``.mvz`` through Pillow, which knows it once it is registered."""

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import codec
import mvz.pillow

ROOT = Path(__file__).parent.parent
FRAMES = ROOT / "fixtures" / "sources" / "rgb_40x32"  # 4 pictures with names
mvz.pillow.register()


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mvz"
    codec.encode(FRAMES, path, codec.Settings(gop=2, scene_cut=False), rate=20, metadata={"title": "Größe"})
    return path


def run_python(code):
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout


def test_pillow_knows_nothing_of_it_before_it_is_registered(clip):
    code = (
        "import codec, mvz, PIL.Image\n"
        f"try: PIL.Image.open({str(clip)!r})\n"
        "except PIL.UnidentifiedImageError: print('unknown')\n"
        "import mvz.pillow\n"
        "mvz.pillow.register()\n"
        f"image = PIL.Image.open({str(clip)!r})\n"
        "print(image.format, image.mode, image.size, image.n_frames)\n"
    )
    assert "unknown\nMVZ RGB (40, 32) 4\n" == run_python(code)


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


# ------------------------------------------------------------------------------------------- saving


def test_what_pillow_opens_it_saves_with_names_and_times_from_the_picture_shown_or_all(clip, tmp_path):
    with Image.open(clip) as image, codec.open(clip) as video:
        image.seek(2)
        image.save(tmp_path / "one.mvz")
        image.save(tmp_path / "all.mvz", save_all=True)
        assert 2 == image.tell()
        with codec.open(tmp_path / "one.mvz") as one, codec.open(tmp_path / "all.mvz") as copy:
            np.testing.assert_array_equal(video[2][None], one[:])
            np.testing.assert_array_equal(video[:], copy[:])
            assert (20, [None] * 4) == (copy.rate, [picture.duration for picture in copy.pictures()])
            assert [f"scene00{number}.png" for number in range(4)] == [each.name for each in copy.pictures()]


def test_images_are_appended_into_a_stream_too(clip):
    frames = [Image.new("RGB", (40, 32), colour) for colour in ("red", "lime")]
    stream = io.BytesIO()
    with Image.open(clip) as image:
        frames[0].save(
            stream, "MVZ", save_all=True, append_images=[frames[1], image], duration=[40, 80, 40, 40, 40, 40]
        )
    with codec.open(stream) as video:
        assert 6 == len(video)
        assert [(255, 0, 0), (0, 255, 0)] == [tuple(video[number][0, 0]) for number in range(2)]
        assert (25, Fraction(2, 25)) == (video.rate, video.picture(1).duration)


@pytest.mark.parametrize("milliseconds", [40, 1001 / 30, 100 / 3, 0])
def test_the_rate_is_that_of_the_first_duration_or_25(milliseconds, tmp_path):
    image = Image.new("L", (4, 4))
    image.save(tmp_path / "a.mvz", save_all=True, append_images=[image], duration=milliseconds)
    rates = {40: 25, 1001 / 30: Fraction(30000, 1001), 100 / 3: 30, 0: 25}
    with codec.open(tmp_path / "a.mvz") as video:
        assert [(rates[milliseconds], None)] * 2 == [(video.rate, picture.duration) for picture in video.pictures()]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_modes_that_have_a_place_come_back_exactly(mode, tmp_path):
    samples = np.random.default_rng(2).integers(0, 256, (8, 6, 4), np.uint8)
    image = Image.fromarray(samples if mode in ("LA", "RGBA") else samples[..., :3])
    image = image.convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(samples[..., 0].astype(np.uint16) * 200)
    image.save(tmp_path / "a.mvz")
    wanted = {"1": "L", "P": "RGB"}.get(mode, mode)
    with Image.open(tmp_path / "a.mvz") as back:
        assert wanted == back.mode
        np.testing.assert_array_equal(np.asarray(image if mode == wanted else image.convert(wanted)), np.asarray(back))


def test_settings_metadata_and_profiles_are_options_of_save(clip, tmp_path):
    options = {"residual": "dct", "qp": 40, "gop": 2, "metadata": {"title": "x"}, "icc_profile": b"profile"}
    with Image.open(clip) as image:
        image.save(tmp_path / "a.mvz", save_all=True, rate="24000/1001", quality=3, **options)
    with codec.open(tmp_path / "a.mvz") as video:
        assert (codec.ResidualCoder.DCT, 2, "x") == (
            video.info.header.residual,
            video.info.header.gop_limit,
            video.metadata["title"],
        )
        assert (b"profile", Fraction(24000, 1001)) == (video.picture(0).attachments["icc"], video.rate)
    with Image.open(clip) as image, pytest.raises(ValueError, match="residual is one of"):
        image.save(tmp_path / "b.mvz", residual="zip")
    assert not (tmp_path / "b.mvz").exists()


def test_images_that_are_not_alike_are_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match=r"picture 1 is 5×4 gray; the file's are 4×4 gray"):
        Image.new("L", (4, 4)).save(tmp_path / "a.mvz", save_all=True, append_images=[Image.new("L", (5, 4))])
    with pytest.raises(OSError, match="floating point"):
        Image.new("F", (4, 4)).save(tmp_path / "a.mvz")
    assert [] == list(tmp_path.iterdir())
