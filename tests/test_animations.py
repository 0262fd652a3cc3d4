"""GIF, APNG and WebP: every picture as the format's text says it; what is noted, and what is refused."""

import io
import random
import struct
import tracemalloc
import warnings
import zlib
from fractions import Fraction

import animation_files
import numpy as np
import pytest
from animation_files import chunk, compressed_indices
from PIL import Image

import codec
from codec.errors import MediaError
from codec.picture.colour import to_array
from codec.picture.planes import SampleFormat
from codec.picture.sources import open_source

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
COLOURS = bytes(RED + GREEN + BLUE + YELLOW)
DONT_CARE = random.Random(1)


def gif(width, height, *images, screen=b"", end=b";"):
    """A GIF with four colours; an image is (left, top, rows of indices, disposal, 1/100 s)."""
    blocks = b""
    for left, top, rows, disposal, hundredths in images:
        blocks += b"!\xf9\x04" + struct.pack("<BHB", disposal << 2, hundredths, 0) + b"\0"
        blocks += (
            b"," + struct.pack("<HHHHB", left, top, len(rows[0]), len(rows), 0) + compressed_indices(DONT_CARE, rows)
        )
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x81, 0, 0) + COLOURS + screen + blocks + end


def apng(*frames, hidden=None, size=(2, 1), count=None, before=b""):
    """An RGBA APNG; a frame is (left, top, rows of RGBA, dispose_op, blend_op, numerator, denominator of seconds)."""

    def pixels(rows):
        return zlib.compress(b"".join(b"\0" + bytes(sum(row, ())) for row in rows))

    out = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0)) + before
    out += chunk(b"acTL", struct.pack(">II", len(frames) if count is None else count, 0))
    if hidden is not None:
        out += chunk(b"IDAT", pixels(hidden))
    sequence = 0
    for number, (left, top, rows, disposal, blend, numerator, denominator) in enumerate(frames):
        place = len(rows[0]), len(rows), left, top, numerator, denominator, disposal, blend
        out += chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, *place))
        sequence += 1
        if number == 0 and hidden is None:
            out += chunk(b"IDAT", pixels(rows))
        else:
            out += chunk(b"fdAT", struct.pack(">I", sequence) + pixels(rows))
            sequence += 1
    return b"\x89PNG\r\n\x1a\n" + out + chunk(b"IEND", b"")


def whole(colour, **fields):
    """A frame of two equal pixels that stays for 1/25 s."""
    values = {"rows": [[(*colour, 255)] * 2], "disposal": 0, "blend": 0, "numerator": 1, "denominator": 25} | fields
    return (0, 0, *values.values())


def read(tmp_path, data, name="a.gif"):
    """The pictures in a file with that content."""
    (tmp_path / name).write_bytes(data)
    with open_source(tmp_path / name) as source:
        return [to_array(picture).tolist() for picture in source]


def notes_of(spec):
    with open_source(spec) as source:
        list(source)
        return source.notes


def refused(tmp_path, data, says, name="a.gif"):
    with pytest.raises(MediaError, match=says) as caught:
        read(tmp_path, data, name)
    assert str(tmp_path / name) in str(caught.value)


# Random files


@pytest.mark.parametrize("kind", animation_files.KINDS)
def test_random_animations_are_what_their_formats_say(tmp_path, kind):
    outcomes = {
        animation_files.check(file, tmp_path / f"{seed}{file.suffix}")
        for seed in range(60)
        for file in [animation_files.KINDS[kind](random.Random(seed))]
    }
    assert outcomes == {"opaque", "alpha"}


# Composition by example


def test_the_first_gif_image_enlarges_the_screen_and_others_are_cut(tmp_path):
    data = gif(1, 1, (0, 0, [[0, 1]], 1, 4), (1, 0, [[2, 3], [3, 3]], 1, 4))
    assert [[[list(RED), list(GREEN)]], [[list(RED), list(BLUE)]]] == read(tmp_path, data)
    first, second = notes_of(tmp_path / "a.gif")
    assert "beyond its screen of 1×1, which is enlarged" in first
    assert "where they are cut off" in second


def test_memory_does_not_grow_with_the_pictures_of_an_animation(tmp_path):
    rows = [[(row + column) % 4 for column in range(64)] for row in range(64)]
    peaks = []
    for count in (10, 100):
        (tmp_path / "a.gif").write_bytes(gif(64, 64, *[(0, 0, rows, number % 4, 4) for number in range(count)]))
        tracemalloc.start()
        with open_source(tmp_path / "a.gif") as source:
            assert count == sum(1 for _ in source)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10 * 64 * 64 * 3  # ninety more pictures take not even as much as ten


# How long pictures are shown


def times_of(kind, times):
    """An animation with pictures that are shown so many milliseconds."""
    if kind == "a.gif":
        return gif(1, 1, *[(0, 0, [[0]], 0, time // 10) for time in times])
    if kind == "a.png":
        return apng(*[whole(RED, numerator=time, denominator=1000) for time in times])
    frames = [Image.new("RGB", (2, 1), (number, 0, 0)) for number in range(len(times))]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=times, lossless=True)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["a.gif", "a.png", "a.webp"])
def test_unequal_times_are_kept_and_their_mean_is_the_rate(tmp_path, mvz, kind):
    (tmp_path / kind).write_bytes(times_of(kind, [40, 100, 220]))
    with open_source(tmp_path / kind) as source:
        assert (3, Fraction(25, 3)) == (source.count, source.rate)
    code, _, err = mvz("encode", tmp_path / kind, "-o", tmp_path / "a.mvz")
    assert (0, False) == (code, "note: " in err)
    with codec.open(tmp_path / "a.mvz") as video:
        assert Fraction(25, 3) == video.rate
        assert [Fraction(time, 1000) for time in (40, 100, 220)] == [picture.duration for picture in video.pictures()]


@pytest.mark.parametrize("kind", ["a.gif", "a.png", "a.webp"])
@pytest.mark.parametrize("rate", [None, Fraction(10)])
def test_equal_times_and_a_rate_that_was_asked_for_are_the_rate_alone(tmp_path, kind, rate):
    (tmp_path / kind).write_bytes(times_of(kind, [40, 40, 40] if rate is None else [40, 100, 220]))
    with open_source(tmp_path / kind, rate=rate) as source:
        assert ((rate or 25), [None] * 3) == (source.rate, [picture.duration for picture in source])


# Alpha that is 255 everywhere


def opaque_still(folder, mode, suffix):
    """A picture with an alpha that says nothing, and its samples as they must be read."""
    values = np.random.default_rng(3).integers(0, 256, (5, 4, 3), np.uint8)
    image = Image.fromarray(values)
    if mode == "LA":
        gray = image.convert("L")
        image, values = Image.merge("LA", (gray, Image.new("L", gray.size, 255))), np.array(gray)
    elif mode == "RGBA":
        image.putalpha(255)
    options = {}
    if mode == "P":
        image = image.quantize(8)
        values, options = np.array(image.convert("RGB")), {"transparency": bytes([255] * 8)}
    elif mode == "key":
        options = {"transparency": (1, 2, 3)}
        assert not (values == (1, 2, 3)).all(axis=2).any()
    elif mode == "PA":
        image = image.quantize(8)
        values = np.array(image.convert("RGB"))
        image = image.convert("PA")
    if suffix == ".webp":
        options |= {"lossless": True}
    image.save(folder / f"a{suffix}", **options)
    return folder / f"a{suffix}", values


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *[("RGBA", suffix) for suffix in (".png", ".tif", ".webp", ".bmp")],
        *[("LA", suffix) for suffix in (".png", ".tif")],
        *[("P", ".png"), ("key", ".png"), ("PA", ".tif")],
    ],
)
def test_a_still_whose_alpha_is_255_everywhere_is_read(tmp_path, mode, suffix):
    path, values = opaque_still(tmp_path, mode, suffix)
    with open_source(path) as source:
        (picture,) = source
        assert source.format == picture.format
    assert np.array_equal(values, to_array(picture))
    assert (picture.format.sample_format is SampleFormat.GRAY) == (mode == "LA")


# Damage


def test_a_cut_apng_or_gif_is_refused_wherever_it_is_cut(tmp_path):
    files = {
        "a.png": apng(whole(RED), whole(GREEN), hidden=[[(*BLUE, 255)] * 2]),
        "a.gif": gif(2, 1, (0, 0, [[0, 1]], 1, 4), (1, 0, [[2]], 0, 4)),
    }
    for name, data in files.items():
        for length in range(len(data)):
            refused(tmp_path, data[:length], "ends early|cannot be read|not a picture|damaged", name)


def test_a_damaged_animation_is_read_or_refused_by_name_with_a_reason(tmp_path):
    rng = random.Random(4)
    for seed in range(150):
        make = animation_files.random_gif if seed % 2 else animation_files.random_apng
        file = make(random.Random(seed))
        data = bytearray(file.data)
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        path = tmp_path / f"a{file.suffix}"
        path.write_bytes(data)
        try:
            with open_source(path) as source, warnings.catch_warnings():
                warnings.simplefilter("error")
                list(source)
        except MediaError as error:
            assert str(error).startswith(f"{path}: ")
            assert str(error).strip()[-1] != ":"


@pytest.mark.parametrize(
    ("frames", "options", "says"),
    [
        ([whole(RED)], {"count": 2}, "1 pictures instead of 2"),
        ([whole(RED), whole(GREEN)], {"count": 1}, "more than 1 pictures"),
        ([whole(RED)], {"count": 0}, "acTL"),
        ([whole(RED), (1, 0, [[(0, 0, 0, 255)] * 2], 0, 0, 1, 25)], {}, "picture 1 lies outside"),
        ([whole(RED), whole(GREEN, disposal=3)], {}, "not defined"),
        ([whole(RED), whole(GREEN, blend=2)], {}, "not defined"),
        ([(1, 0, [[(0, 0, 0, 255)]], 0, 0, 1, 25)], {}, "does not fill it"),
    ],
)
def test_an_apng_that_breaks_its_rules_is_refused_with_the_rule(tmp_path, frames, options, says):
    refused(tmp_path, apng(*frames, **options), says, "a.png")


def test_apng_chunks_out_of_order_or_with_another_crc_are_refused(tmp_path):
    data = apng(whole(RED), whole(GREEN))
    second = data.index(b"fdAT")
    swapped = data[: second - 4] + chunk(b"fdAT", struct.pack(">I", 7) + b"x") + chunk(b"IEND", b"")
    refused(tmp_path, swapped, "not in order at number 2", "a.png")
    refused(tmp_path, data[: second + 9] + b"?" + data[second + 10 :], "another CRC-32", "a.png")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (gif(1, 1, (0, 0, [[0]], 5, 4)), "picture 0 has disposal 5"),
        (gif(1, 1, (0, 0, [[0]], 0, 4), end=b"?;"), "damaged behind 1 pictures"),
        (gif(1, 1), "without a picture"),
        (gif(1, 1, (0, 0, [[4]], 0, 4)), "uses colour 4 of a table of 4"),
        (b"GIF89a\1\0\1\0\0\0\0" + gif(1, 1, (0, 0, [[0]], 0, 4))[25:], "no colour table"),
        (gif(1, 1, (0, 0, [[0]], 0, 4), (0, 0, [[]], 0, 4)), "pictures of 0×1"),
    ],
)
def test_a_gif_that_breaks_its_rules_is_refused_with_the_rule(tmp_path, data, says):
    refused(tmp_path, data, says)
