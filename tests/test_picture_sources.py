"""Sequences of image files, animations and arrays: what is read, in which order, and what is refused."""

import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
from animation_files import chunk
from PIL import Image

from codec.errors import ConfigError, MediaError
from codec.picture.colour import to_array
from codec.picture.planes import SampleFormat
from codec.picture.sequence import rate_of
from codec.picture.sources import open_source

GRAY = (4, 6)
RGB = (4, 6, 3)


def samples(shape=RGB, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def numbered_folder(folder, numbers, shape=RGB, name="frame{}.png"):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        save(folder / name.format(number), samples(shape, number))
    return folder


def numbers_read(spec):
    """Seeds of the pictures that come out of ``spec``, as saved by `numbered_folder`."""
    with open_source(spec) as source:
        pictures = list(source)
        assert source.count == len(pictures)
    known = {samples(to_array(pictures[0]).shape, seed).tobytes(): seed for seed in range(30)}
    return [known[to_array(picture).tobytes()] for picture in pictures]


def refused(spec, says, *names):
    """``spec`` raises a `MediaError` that says ``says`` and has every one of ``names`` in it."""
    with pytest.raises(MediaError, match=says) as caught, open_source(spec) as source:
        list(source)
    for name in names:
        assert str(name) in str(caught.value)


def raw_png(width, height, depth, colour_type, data):
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


# What a source may be


def test_a_folder_gives_its_pictures_in_natural_order_with_their_names(tmp_path):
    folder = numbered_folder(tmp_path / "f", [8, 9, 10, 11])
    assert numbers_read(folder) == [8, 9, 10, 11]
    with open_source(folder) as source:
        assert [picture.name for picture in source] == [f"frame{number}.png" for number in (8, 9, 10, 11)]
        assert (source.rate, str(source.format)) == (25, "6×4 rgb")


def test_a_glob_a_pattern_and_a_list_give_the_same_as_the_folder(tmp_path):
    folder = numbered_folder(tmp_path / "f", [8, 9, 10, 11])
    expected = [8, 9, 10, 11]
    assert numbers_read(f"{folder}/*.png") == expected
    assert numbers_read(f"{folder}/frame%d.png") == expected
    assert numbers_read(sorted(folder.iterdir(), reverse=True)) == expected
    assert numbers_read([folder]) == expected


def test_a_pattern_starts_at_the_lowest_number_and_takes_only_its_own_files(tmp_path):
    folder = numbered_folder(tmp_path / "f", [20, 21], name="a{:03d}.png")
    save(folder / "a7.png", samples(GRAY))
    assert numbers_read(f"{folder}/a%03d.png") == [20, 21]


def test_names_with_special_characters_are_taken_literally_where_they_exist(tmp_path):
    assert numbers_read(numbered_folder(tmp_path / "a[1]*", [3, 4])) == [3, 4]
    save(tmp_path / "%d.png", samples(RGB, 5))
    assert numbers_read(tmp_path / "%d.png") == [5]


def test_a_list_may_take_every_tenth_picture(tmp_path):
    folder = numbered_folder(tmp_path / "f", [0, 10, 20])
    assert numbers_read(list(folder.iterdir())) == [0, 10, 20]


def test_one_still_picture_is_a_sequence_of_one(tmp_path):
    path = save(tmp_path / "one.png", samples(GRAY, 3))
    assert numbers_read(path) == [3]
    with open_source(str(path)) as source:
        assert [picture.name for picture in source] == ["one.png"]


def test_pictures_are_read_only_when_they_are_asked_for(tmp_path):
    folder = numbered_folder(tmp_path / "f", [1, 2, 3])
    with open_source(folder) as source:
        pictures = iter(source)
        next(pictures)
        (folder / "frame2.png").unlink()
        with pytest.raises(MediaError, match=r"frame2\.png: no such file"):
            next(pictures)


@pytest.mark.parametrize("shape", [GRAY, RGB])
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".tif"])
def test_lossless_formats_are_read_exactly(tmp_path, suffix, shape):
    with open_source(save(tmp_path / f"a{suffix}", samples(shape, 4))) as source:
        (picture,) = source
    assert np.array_equal(samples(shape, 4), to_array(picture))


def test_palette_pictures_become_rgb_and_bilevel_pictures_0_and_255(tmp_path):
    palette = Image.fromarray(samples(RGB)).quantize(16)
    palette.save(tmp_path / "p.png")
    with open_source(tmp_path / "p.png") as source:
        (picture,) = source
    assert np.array_equal(np.array(palette.convert("RGB")), to_array(picture))
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "b.png")
    with open_source(tmp_path / "b.png") as source:
        (picture,) = source
    assert to_array(picture).tolist() == [[0, 255]]


def test_exif_orientation_leaves_pixels_as_stored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    path = save(tmp_path / "a.png", samples(RGB, 2), exif=exif)
    assert numbers_read(path) == [2]


# What is refused


def test_a_gap_names_the_missing_file(tmp_path):
    folder = numbered_folder(tmp_path / "f", [1, 2, 4])
    for spec in (folder, f"{folder}/*.png", f"{folder}/frame%d.png", list(folder.iterdir())):
        refused(spec, "missing", folder / "frame3.png")


@pytest.mark.parametrize(("shape", "label"), [((5, 6, 3), "rgb"), ((5, 6), "gray")])
def test_another_size_names_both_files(tmp_path, shape, label):
    folder = numbered_folder(tmp_path / "f", [1, 2])
    save(folder / "frame3.png", samples(shape))
    refused(folder, f"6×5 {label}, unlike the first", folder / "frame3.png", folder / "frame1.png", "6×4")


def test_a_picture_that_changes_after_opening_is_noticed(tmp_path):
    folder = numbered_folder(tmp_path / "f", [1, 2])
    with open_source(folder) as source:
        save(folder / "frame2.png", samples(GRAY))
        with pytest.raises(MediaError, match=r"frame2\.png: is 6×4 gray by now, and was 6×4 rgb"):
            list(source)


def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path):
    folder = numbered_folder(tmp_path / "f", [1, 2])
    (folder / "frame3.png").write_bytes(b"hello")
    refused(folder, "not a picture", folder / "frame3.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".ppm", ".webp", ".tif"])
def test_a_picture_cut_short_or_damaged_is_refused_by_name_or_read(tmp_path, suffix):
    path = save(tmp_path / f"a{suffix}", samples((40, 40, 3)))
    whole = path.read_bytes()
    random = np.random.default_rng(5)
    for length in range(0, len(whole) - 20, max(len(whole) // 25, 1)):
        path.write_bytes(whole[:length])
        refused(path, "cannot be read|not a picture|ends early", path)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[random.integers(len(damaged))] ^= random.integers(1, 256)
        path.write_bytes(damaged)
        try:
            with open_source(path) as source:
                assert len(list(source)) >= 1
        except MediaError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    ("mode", "suffix", "says"),
    [
        ("I", ".tif", "signed or 32-bit numbers"),
        ("F", ".tif", "floating point"),
        ("CMYK", ".jpg", "CMYK"),
        ("CMYK", ".tif", "CMYK"),
    ],
)
def test_unsupported_modes_are_refused_with_what_was_found(tmp_path, mode, suffix, says):
    path = tmp_path / f"a{suffix}"
    Image.new(mode, (3, 2)).save(path)
    refused(path, says, path, "supported are gray and RGB of 8…16 bits")


def test_a_transparent_palette_and_a_transparent_colour_are_alpha(tmp_path):
    palette = Image.fromarray(samples(RGB)).quantize(8)
    palette.save(tmp_path / "p.png", transparency=3)
    key = tuple(samples(RGB)[1, 2].tolist())
    Image.fromarray(samples(RGB)).save(tmp_path / "c.png", transparency=key)
    for path, opaque in (
        (tmp_path / "p.png", np.array(palette) != 3),
        (tmp_path / "c.png", (samples(RGB) != key).any(axis=2)),
    ):
        with open_source(path) as source:
            (picture,) = source
        assert picture.format.sample_format is SampleFormat.RGBA
        assert np.array_equal(np.where(opaque, 255, 0), picture.planes[3])


@pytest.mark.parametrize("side", [9000, 60000])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(raw_png(side, side, 8, 0, b""))
    refused(tmp_path / "bomb.png", "are accepted", tmp_path / "bomb.png")


def test_nothing_there_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    refused(tmp_path / "empty", "no picture files", tmp_path / "empty")
    refused(f"{tmp_path}/*.png", "no picture files", f"{tmp_path}/*.png")
    refused(f"{tmp_path}/%d.png", "no picture files", f"{tmp_path}/%d.png")
    refused(f"{tmp_path}/nowhere/%d.png", "no such folder", f"{tmp_path}/nowhere")
    refused(tmp_path / "nowhere", "no such file or folder", tmp_path / "nowhere")
    refused([tmp_path / "a.png", tmp_path / "b.png"], "no such file", tmp_path / "a.png")
    refused([tmp_path, tmp_path], "is a folder", tmp_path)
    refused([], "no pictures")


def test_an_animation_among_stills_is_refused_by_name(tmp_path):
    folder = numbered_folder(tmp_path / "f", [1, 2])
    frames = [Image.fromarray(samples(RGB, seed)) for seed in range(3)]
    frames[0].save(folder / "frame3.png", save_all=True, append_images=frames[1:])
    refused(folder, "animation of 3 pictures", folder / "frame3.png")


def test_a_source_of_another_type_is_refused():
    with pytest.raises(ConfigError, match="not int"):
        open_source(3)


# Arrays


@pytest.mark.parametrize("shape", [GRAY, RGB])
def test_arrays_and_npy_files_give_their_pictures(tmp_path, shape):
    clip = samples((3, *shape))
    np.save(tmp_path / "a.npy", clip)
    for spec in (clip, tmp_path / "a.npy"):
        with open_source(spec) as source:
            assert (source.count, source.rate) == (3, 25)
            assert np.array_equal(clip, np.stack([to_array(picture) for picture in source]))
            planes = [plane for picture in source for plane in picture.planes]
        assert all(type(plane) is np.ndarray and plane.flags.writeable for plane in planes)


@pytest.mark.parametrize(
    "clip",
    [
        np.zeros((2, 3), np.uint8),
        np.zeros((5, 7, 3), np.uint8),
        np.zeros((5, 7, 4), np.uint8),
        np.zeros((2, 3, 4, 5), np.uint8),
        np.zeros((2, 3, 4), np.uint16),
        np.zeros((1, 2, 2)),
        np.zeros((0, 2, 2), np.uint8),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused_with_theirs(tmp_path, clip):
    np.save(tmp_path / "a.npy", clip)
    refused(clip, "^array: ", str(clip.shape))
    refused(tmp_path / "a.npy", "a.npy: ", str(clip.shape))


def test_a_damaged_or_pickled_npy_is_refused_by_name(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, samples((3, *GRAY)))
    whole = path.read_bytes()
    for length in (0, 5, 50, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, "cannot be read as .npy|ends early", path)
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    refused(path, "uint8, .* is needed", path)


# Animations


def test_a_tiff_with_several_pages_is_a_sequence_and_its_pages_must_agree(tmp_path):
    frames = [Image.fromarray(samples(RGB, seed)) for seed in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    assert numbers_read(tmp_path / "a.tif") == [0, 1, 2]
    frames[0].save(tmp_path / "b.tif", save_all=True, append_images=[Image.fromarray(samples(GRAY))])
    refused(tmp_path / "b.tif", "picture 1 is 6×4 gray, unlike picture 0", tmp_path / "b.tif")


def test_a_damaged_npy_is_refused_by_name_or_read(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, samples((3, *GRAY)))
    whole = path.read_bytes()
    random = np.random.default_rng(6)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(128)] = random.integers(256)
        path.write_bytes(damaged)
        try:
            with open_source(path) as source:
                assert len(list(source)) >= 1
        except MediaError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    ("durations", "tick", "rate"),
    [
        ([40, 40], 10, Fraction(25)),
        ([Fraction(1001, 30)] * 5, 1, Fraction(30000, 1001)),
        ([33, 33, 34] * 7, 1, Fraction(30)),
        ([30, 40, 30] * 7, 10, Fraction(30)),
        ([66, 67], 1, Fraction(15)),
        ([1500, 1501], 1, 1 / Fraction(3001, 2000).limit_denominator(1001)),
        ([40, 80], 10, Fraction(50, 3)),
        ([0, 100], 10, Fraction(20)),
        ([3000000, 3000000], 10, Fraction(1, 3000)),
        ([0, 0], 10, Fraction(25)),
    ],
)
def test_the_rate_of_an_animation_follows_from_its_durations(durations, tick, rate):
    assert rate_of(durations, tick) == rate
