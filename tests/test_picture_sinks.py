"""What is written where, what comes back, and that nothing is left behind when something fails."""

from fractions import Fraction

import numpy as np
import pytest
from media_files import everything_in, random_pictures, read, write

from codec.errors import MediaError
from codec.picture.colour import to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sinks import open_sink
from codec.picture.sources import open_source

RATE = Fraction(25)
GRAY = (5, 7)
RGB = (5, 7, 3)


def pictures_of(shape=RGB, count=3, names=None, seed=0):
    random = np.random.default_rng(seed)
    names = names or [None] * count
    return [Picture.from_array(random.integers(0, 256, shape, np.uint8), name) for name in names]


def same(pictures, target):
    """Whether what is read back from ``target`` is what people saw in ``pictures``."""
    return np.array_equal([to_array(ours) for ours in pictures], [to_array(theirs) for theirs in read(target)])


# Round trips


@pytest.mark.parametrize("target", ["folder", "p%03d.png", "new/p%03d.bmp", "a.npy", "a.apng"])
@pytest.mark.parametrize("shape", [GRAY, RGB, (1, 1), (1, 1, 3)])
def test_gray_and_rgb_return_exactly_and_nothing_is_said_to_be_lost(tmp_path, target, shape):
    pictures = pictures_of(shape)
    assert write(tmp_path / target, pictures).lossy_note is None
    assert same(pictures, tmp_path / target)
    with open_source(tmp_path / target) as source:
        assert source.format.sample_format is pictures[0].format.sample_format


@pytest.mark.parametrize("shape", [RGB, (1, 1, 3), (16, 33, 3)])
def test_lossless_webp_returns_exactly(tmp_path, shape):
    pictures = pictures_of(shape)
    assert write(tmp_path / "a.webp", pictures).lossy_note is None
    assert same(pictures, tmp_path / "a.webp")


def test_gray_webp_and_gif_return_as_equal_rgb(tmp_path):
    pictures = pictures_of(GRAY)
    for target in (tmp_path / "a.webp", tmp_path / "a.gif"):
        assert write(target, pictures).lossy_note is None
        with open_source(target) as source:
            assert all(
                np.array_equal(ours.planes[0], plane)
                for ours, theirs in zip(pictures, source, strict=True)
                for plane in theirs.planes
            )


def test_a_gif_keeps_size_number_and_about_the_colours(tmp_path):
    smooth = np.dstack([np.tile(np.arange(0, 256, 8, np.uint8), (32, 1))] * 3)
    pictures = [Picture.from_array(np.roll(smooth, shift, axis=1)) for shift in range(3)]
    assert write(tmp_path / "a.gif", pictures).lossy_note == "GIF keeps 256 colours a picture"
    with open_source(tmp_path / "a.gif") as source:
        for ours, theirs in zip(pictures, source, strict=True):
            assert np.abs(to_array(ours).astype(int) - to_array(theirs)).max() <= 8


@pytest.mark.parametrize("target", ["a.gif", "a.apng", "a.webp"])
def test_equal_pictures_stay_as_many_as_they_were(tmp_path, target):
    write(tmp_path / target, pictures_of(RGB, 1) * 4)
    assert len(read(tmp_path / target)) == 4


@pytest.mark.parametrize(
    ("target", "rate"),
    [
        *[("a.gif", Fraction(rate)) for rate in (10, 25, 30, 50)],
        *[("a.webp", Fraction(rate)) for rate in (5, 24, 25, 30, 60)],
        *[("a.apng", rate) for rate in (Fraction(24), Fraction(30), Fraction(30000, 1001), Fraction(1, 2))],
        *[("a.y4m", rate) for rate in (Fraction(24), Fraction(30000, 1001))],
    ],
)
def test_the_rate_survives_where_the_format_has_one(tmp_path, target, rate):
    write(tmp_path / target, pictures_of(GRAY, 12, names=[None] * 12), rate=rate)
    with open_source(tmp_path / target) as source:
        assert source.rate == rate


@pytest.mark.parametrize("target", ["folder", "a.npy", "a.apng", "a.webp"])
def test_yuv_becomes_rgb_and_the_note_says_so(tmp_path, target):
    pictures = random_pictures(PictureFormat(7, 5, SampleFormat.YUV420))
    assert write(tmp_path / target, pictures).lossy_note == "YUV converted to RGB"
    assert same(pictures, tmp_path / target)


def test_a_single_png_takes_one_picture_and_no_second(tmp_path):
    pictures = pictures_of(RGB)
    write(tmp_path / "one.png", pictures[:1])
    assert same(pictures[:1], tmp_path / "one.png")
    with pytest.raises(MediaError, match=r"two\.png: holds one picture"):
        write(tmp_path / "two.png", pictures)
    assert everything_in(tmp_path) == ["one.png"]


# Names


def test_pictures_without_names_are_numbered_from_first(tmp_path):
    write(tmp_path / "f", pictures_of(RGB, names=[None, None]), first=10)
    assert everything_in(tmp_path / "f") == ["000010.png", "000011.png"]


@pytest.mark.parametrize("hostile", ["../out.png", "/elsewhere/out.png", "..", ".", "", "..\\out.png", ".bashrc", None])
def test_a_hostile_name_is_never_used_and_all_pictures_are_numbered(tmp_path, hostile):
    pictures = pictures_of(RGB, names=["a.png", hostile, "c.png"])
    write(tmp_path / "f", pictures)
    assert everything_in(tmp_path) == ["f", "f/000000.png", "f/000001.png", "f/000002.png"]
    assert same(pictures, tmp_path / "f")


@pytest.mark.parametrize("hostile", ["a/b.png", "a\\b.png", "a\0b.png", "a\nb.png", "a:b.png", "a\x1bb.png"])
def test_what_no_name_may_have_in_it_becomes_a_plain_sign(tmp_path, hostile):
    pictures = pictures_of(RGB, names=["a.png", hostile, "c.png"])
    write(tmp_path / "f", pictures)
    assert everything_in(tmp_path) == ["f", "f/a.png", "f/a_b.png", "f/c.png"]
    assert same(pictures, tmp_path / "f")


@pytest.mark.parametrize(
    "names", [["a.png", "a.png"], ["a.png", "A.png"], ["a.jpg", "a.png"], ["b.png", "a.png"], ["1.png", "01.png"]]
)
def test_names_that_collide_or_would_change_the_order_become_numbers(tmp_path, names):
    pictures = pictures_of(RGB, names=names)
    write(tmp_path / "f", pictures)
    assert everything_in(tmp_path / "f") == ["000000.png", "000001.png"]
    assert same(pictures, tmp_path / "f")


def test_a_pattern_numbers_from_first_whatever_the_names(tmp_path):
    write(tmp_path / "p%02d.png", pictures_of(RGB, names=["x.png", "y.png"]), first=9)
    assert everything_in(tmp_path) == ["p09.png", "p10.png"]


# Nothing left behind, nothing overwritten

TARGETS = ["folder", "new/p%03d.png", "p%03d.png", "a.npy", "a.apng", "a.gif", "a.webp", "a.y4m", "one.png"]


class Interruption(BaseException):
    """Stands for Ctrl-C."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("raises", "says", "shapes"),
    [
        (Interruption, None, [RGB]),
        (MediaError, "there are no pictures to write", []),
        (MediaError, "opened for 7×5 rgb, got a picture of 7×5 gray", [RGB, GRAY]),
    ],
    ids=["exception", "no picture", "another format"],
)
def test_what_fails_leaves_nothing_behind(tmp_path, target, raises, says, shapes):
    with (
        pytest.raises(raises, match=says),
        open_sink(tmp_path / target, PictureFormat(7, 5, SampleFormat.RGB), RATE) as sink,
    ):
        for shape in shapes:
            sink.write(*pictures_of(shape, 1))
        if raises is Interruption:
            raise Interruption
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("target", [target for target in TARGETS if "%" not in target and target != "folder"])
def test_an_existing_file_is_replaced_only_by_force(tmp_path, target):
    (tmp_path / target).write_bytes(b"precious")
    pictures = pictures_of(RGB, 1)
    with pytest.raises(MediaError, match=f"{target}: exists"):
        write(tmp_path / target, pictures)
    assert (tmp_path / target).read_bytes() == b"precious"
    write(tmp_path / target, pictures, force=True)
    assert (tmp_path / target).read_bytes() != b"precious"


def test_a_folder_with_something_in_it_needs_force_and_keeps_what_is_not_replaced(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"old")
    (folder / "z.txt").write_bytes(b"mine")
    pictures = pictures_of(RGB, names=["a.png", "b.png"])
    with pytest.raises(MediaError, match="f: is not empty"):
        write(folder, pictures)
    assert (folder / "a.png").read_bytes() == b"old"
    write(folder, pictures, force=True)
    assert everything_in(folder) == ["a.png", "b.png", "z.txt"]
    assert same(pictures, folder)


def test_an_exception_leaves_an_existing_folder_as_it_was(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    (picture,) = pictures_of(RGB, names=["a.png"])
    with pytest.raises(Interruption), open_sink(tmp_path, picture.format, RATE, force=True) as sink:
        sink.write(picture)
        raise Interruption
    assert everything_in(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_pattern_replaces_only_by_force_and_checks_before_the_first_picture(tmp_path):
    (tmp_path / "p2.png").write_bytes(b"precious")
    pictures = pictures_of(RGB, 3)
    with pytest.raises(MediaError, match=r"p2\.png: exists"):
        open_sink(tmp_path / "p%d.png", pictures[0].format, RATE, count=3).__enter__()
    with pytest.raises(MediaError, match=r"p2\.png: exists"):
        write(tmp_path / "p%d.png", pictures)
    assert everything_in(tmp_path) == ["p2.png"]
    assert (tmp_path / "p2.png").read_bytes() == b"precious"
    write(tmp_path / "p%d.png", pictures, force=True)
    assert same(pictures, tmp_path / "p%d.png")


def test_a_folder_in_the_place_of_a_picture_is_refused_before_any_is_moved(tmp_path):
    (tmp_path / "p1.png").mkdir()
    with pytest.raises(MediaError, match=r"p1\.png: is a folder"):
        write(tmp_path / "p%d.png", pictures_of(RGB, 3), force=True)
    assert everything_in(tmp_path) == ["p1.png"]


@pytest.mark.parametrize("target", ["a.y4m", "folder", "a.npy", "p%d.png"])
def test_a_target_in_a_folder_that_is_not_there_is_refused_by_name(tmp_path, target):
    with pytest.raises(MediaError, match=r"nowhere.*cannot be written: No such file"):
        write(tmp_path / "nowhere" / "deeper" / target, pictures_of(RGB))


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "f").write_bytes(b"a file")
    with pytest.raises(MediaError, match="f: is a file"):
        write(tmp_path / "f", pictures_of(RGB), force=True)


@pytest.mark.parametrize("target", ["a.jpg", "a.avi", "a.mvz", "p%d.jpg", "p%d"])
def test_formats_that_lose_or_are_not_known_are_refused_with_what_is_written(tmp_path, target):
    with pytest.raises(MediaError, match=r"written.*\.png"):
        write(tmp_path / target, pictures_of(RGB))
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize(("target", "width"), [("a.webp", 16384), ("a.gif", 65536)])
def test_a_size_that_the_format_cannot_hold_is_refused(tmp_path, target, width):
    with pytest.raises(MediaError, match="too large"):
        open_sink(tmp_path / target, PictureFormat(width, 1, SampleFormat.GRAY), RATE)
