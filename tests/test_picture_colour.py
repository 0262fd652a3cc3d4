"""Colour transforms against their real-valued formulas."""

import itertools

import numpy as np
import pytest

from codec.picture.colour import luma, rgb_to_yuv444, to_array, with_bits
from codec.picture.planes import Colour, ColourMatrix, ColourRange, Picture, PictureFormat, SampleFormat

KR_KB = {
    ColourMatrix.BT601: (0.299, 0.114),
    ColourMatrix.BT709: (0.2126, 0.0722),
    ColourMatrix.BT2020: (0.2627, 0.0593),
    ColourMatrix.SMPTE240M: (0.212, 0.087),
    ColourMatrix.FCC: (0.3, 0.11),
}


def every_nth_colour(step, bit_depth=8):
    """All triples of levels 0, step … and 255, of more bits as many, as three planes (1, N)."""
    levels = [level * ((1 << bit_depth) - 1) // 255 for level in sorted({*range(0, 256, step), 255})]
    triples = np.array(list(itertools.product(levels, repeat=3)), np.uint8 if bit_depth == 8 else np.uint16)
    return tuple(np.ascontiguousarray(triples[None, :, channel]) for channel in range(3))


def picture_of(planes, sample_format, colour=None, bit_depth=8):
    height, width = planes[0].shape
    return Picture(PictureFormat(width, height, sample_format, colour or Colour(), bit_depth), planes)


def rgb_by_formula(planes, matrix, colour_range, bit_depth):
    y, u, v = (plane.astype(np.float64) for plane in planes)
    unit, peak = 2.0 ** (bit_depth - 8), (1 << bit_depth) - 1
    u, v = u - 128 * unit, v - 128 * unit
    if colour_range is ColourRange.LIMITED:
        y, u, v = (y - 16 * unit) * peak / 219 / unit, u * peak / 224 / unit, v * peak / 224 / unit
    kr, kb = KR_KB[matrix]
    red = y + 2 * (1 - kr) * v
    blue = y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], axis=2), 0, peak)


def test_luma_of_rgb_is_within_one_of_rec_601():
    planes = every_nth_colour(5)
    red, green, blue = (plane.astype(np.float64) for plane in planes)
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    actual = luma(picture_of(planes, SampleFormat.RGB))
    assert actual.dtype == np.uint8
    assert np.abs(expected - actual).max() <= 1


def test_luma_of_gray_and_yuv_is_their_first_plane():
    y, u, v = every_nth_colour(85)
    assert luma(picture_of((y,), SampleFormat.GRAY)) is y
    assert luma(picture_of((y, u, v), SampleFormat.YUV444)) is y


@pytest.mark.parametrize("bit_depth", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize("matrix", KR_KB)
@pytest.mark.parametrize("colour_range", [ColourRange.LIMITED, ColourRange.FULL])
def test_yuv_to_rgb_is_about_within_one_of_the_formula(matrix, colour_range, bit_depth):
    planes = every_nth_colour(15, bit_depth)
    expected = rgb_by_formula(planes, matrix, colour_range, bit_depth)
    actual = to_array(picture_of(planes, SampleFormat.YUV444, Colour(matrix, colour_range), bit_depth))
    assert actual.dtype == planes[0].dtype
    assert np.abs(expected - actual).max() <= (1 if bit_depth == 8 else 1.5)


@pytest.mark.parametrize(("sample_format", "down"), [(SampleFormat.YUV420, 2), (SampleFormat.YUV422, 1)])
def test_subsampled_chroma_is_repeated_and_odd_sides_are_cut(sample_format, down):
    random = np.random.default_rng(1)
    shapes = PictureFormat(5, 3, sample_format).plane_shapes
    planes = tuple(random.integers(0, 256, shape, np.uint8) for shape in shapes)
    wide = [
        np.array([[plane[row // down, column // 2] for column in range(5)] for row in range(3)]) for plane in planes[1:]
    ]
    expected = to_array(picture_of((planes[0], *wide), SampleFormat.YUV444))
    assert np.array_equal(expected, to_array(picture_of(planes, sample_format)))


def test_rgb_to_yuv_is_within_one_of_the_formula_and_says_what_it_is():
    planes = every_nth_colour(15)
    red, green, blue = (plane.astype(np.float64) for plane in planes)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = np.stack([y, 128 + (blue - y) / 1.772, 128 + (red - y) / 1.402])
    yuv = rgb_to_yuv444(picture_of(planes, SampleFormat.RGB))
    assert yuv.format.colour == Colour(ColourMatrix.BT601, ColourRange.FULL)
    assert yuv.format.sample_format is SampleFormat.YUV444
    assert np.abs(expected - np.stack(yuv.planes)).max() <= 1


@pytest.mark.parametrize("bit_depth", [8, 12, 13, 16])
@pytest.mark.parametrize("sample_format", [SampleFormat.GRAY, SampleFormat.RGB, SampleFormat.YUV444])
def test_samples_of_more_bits_are_what_they_were_again_and_keep_white_or_neutral_chroma(sample_format, bit_depth):
    narrow = PictureFormat(512, 8, sample_format, bit_depth=12)
    planes = tuple(np.arange(4096, dtype=np.uint16).reshape(8, 512) for _ in narrow.plane_shapes)
    picture = Picture(narrow, planes)
    other = with_bits(picture, bit_depth)
    assert narrow.with_depth(bit_depth) == other.format
    first = other.planes[-1].ravel()
    if sample_format is SampleFormat.YUV444:
        assert first[2048] == 1 << bit_depth - 1
    else:
        assert (first[0], first[-1]) == (0, other.format.peak)
    if bit_depth >= 12:
        for plane, back in zip(planes, with_bits(other, 12).planes, strict=True):
            np.testing.assert_array_equal(plane, back)
