"""Exact integer colour transforms: RGB to luma, Y'CbCr to RGB, RGB to Y'CbCr.

Each matrix is its real-valued formula times 2**16, rounded.
Sums are rounded by adding half and shifting (arithmetic: towards minus infinity), then clipped to 0…peak.
With 8 bits every sum is below 2**26 in magnitude, so int32 is enough, with 16 below 2**34.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from codec.picture.planes import (
    Colour,
    ColourMatrix,
    ColourRange,
    Picture,
    PictureFormat,
    Plane,
    SampleFormat,
    Samples,
    of_ordered,
)

__all__ = [
    *("ToRgb", "conversion", "eight_bits", "full_size", "image_samples", "luma", "rgb_to_yuv", "rgb_to_yuv444"),
    *("scaled_by_peaks", "to_array", "twice", "with_bits"),
]

_Numbers = TypeVar("_Numbers", int, npt.NDArray[Any])

_BITS = 16
_HALF = 1 << (_BITS - 1)


class ToRgb(NamedTuple):
    """One Y'CbCr to R'G'B' conversion: what black is, and gains in 1/65536."""

    black: int
    luma: int
    red_from_v: int
    green_from_u: int
    green_from_v: int
    blue_from_u: int


_KR_KB = {  # shares of red and blue in luma, in 1/10000
    ColourMatrix.BT709: (2126, 722),
    ColourMatrix.FCC: (3000, 1100),
    ColourMatrix.BT470BG: (2990, 1140),
    ColourMatrix.BT601: (2990, 1140),
    ColourMatrix.SMPTE240M: (2120, 870),
    ColourMatrix.BT2020: (2627, 593),
}
_KR_KB[ColourMatrix.UNSPECIFIED] = _KR_KB[ColourMatrix.BT601]  # and limited range: what a Y4M without tags holds


def luma(picture: Picture) -> Plane:
    """Luma (H, W), of the picture's dtype: the first plane of gray and YUV, and of RGB its Rec. 601 weighted sum.

    Alpha is not in it. The sum is ``(77 R + 150 G + 29 B + 128) >> 8``; the weights add up to 256, so R = G = B stays
    what it is.
    """
    if not picture.format.sample_format.is_rgb:
        return picture.planes[0]
    wide = twice(picture.planes[0].dtype)  # of 8 bits a sum is at most 65408
    red, green, blue = (plane.astype(wide) for plane in picture.planes[:3])
    weighted: Plane = ((77 * red + 150 * green + 29 * blue + 128) >> 8).astype(picture.format.dtype)
    return weighted


def eight_bits(picture: Picture) -> Picture:
    """The picture as screens and pages show it: samples of more than 8 bits are rounded to 8."""
    return with_bits(picture, 8)


def with_bits(picture: Picture, bit_depth: int) -> Picture:
    """The picture with samples of more bits, or rounded to fewer.

    Of Y'CbCr the lowest bits go or come as 0, as its black and its neutral chroma are so much larger; others are scaled
    by peaks. Of floating point alpha is scaled by 1, and others as their places.
    """
    given, wanted = picture.format, picture.format.with_depth(bit_depth)
    if given == wanted:
        return picture
    fewer = max(given.bit_depth - bit_depth, 0)
    wide = [plane.astype(np.uint32) for plane in picture.planes]
    if given.is_float and given.sample_format.has_alpha:
        share = np.nan_to_num(np.clip(of_ordered(picture.planes[-1]), 0, 1)).astype(np.float64)
        wide[-1] = np.rint(share * given.peak).astype(np.uint32)
    if given.sample_format.plane_names == ("Y", "U", "V"):
        more = max(bit_depth - given.bit_depth, 0)
        scaled = [np.minimum((plane + (1 << fewer >> 1)) >> fewer, wanted.peak) << more for plane in wide]
    else:
        scaled = [scaled_by_peaks(plane, given.peak, wanted.peak) for plane in wide]
    return replace(picture, format=wanted, planes=tuple(plane.astype(wanted.dtype) for plane in scaled))


def scaled_by_peaks(samples: _Numbers, peak: int, wanted: int) -> _Numbers:
    """Samples 0…peak as 0…wanted, rounded to nearest; they hold numbers up to peak · wanted."""
    return (samples * wanted + peak // 2) // peak


def to_array(picture: Picture) -> npt.NDArray[Any]:
    """Samples as people look at them: gray (H, W), everything else RGB (H, W, 3); with alpha a channel more.

    They are what `PictureFormat.array_dtype` says: uint8, uint16 of more than 8 bits, or float16.

    YUV becomes RGB with the picture's own colour description; where that is silent, BT.601 and limited range.
    Chroma is upsampled by repeating each sample, whatever the siting.
    """
    sample_format = picture.format.sample_format
    if sample_format.is_gray or sample_format.is_rgb:
        samples = picture.planes[0] if sample_format is SampleFormat.GRAY else np.stack(picture.planes, axis=2)
        return of_ordered(samples) if picture.format.is_float else samples
    return _yuv_to_rgb(full_size(picture), picture.format)


def image_samples(picture: Picture) -> npt.NDArray[Any]:
    """`to_array` as image files have it, whose samples have 8 bits or 16: those of 9…15 are scaled to 16.

    White stays white, and scaling back gives the same samples.
    """
    samples, peak = to_array(picture), picture.format.peak
    if peak in (255, 65535):
        return samples
    return scaled_by_peaks(samples.astype(np.uint32), peak, 65535).astype(np.uint16)


def full_size(picture: Picture) -> tuple[Plane, ...]:
    """The planes, all of luma's size (H, W): each sample of a subsampled one is repeated, what is over is cut off."""
    height, width = picture.planes[0].shape
    return tuple(
        plane.repeat(1 << sub.log2_y, axis=0).repeat(1 << sub.log2_x, axis=1)[:height, :width]
        for plane, sub in zip(picture.planes, picture.format.sample_format.subsampling, strict=True)
    )


def twice(dtype: np.dtype[Samples]) -> np.dtype[Any]:
    """Whole numbers of twice as many bits."""
    return np.dtype(f"u{2 * dtype.itemsize}")


@functools.lru_cache
def conversion(colour: Colour, bit_depth: int = 8) -> ToRgb:
    """The matrix for a colour description, with what is assumed for its unspecified parts.

    Full range: gains 2 (1 − Kr), 2 (1 − Kb) Kb / Kg, 2 (1 − Kr) Kr / Kg, 2 (1 − Kb).
    Limited range: luma × 255 / 219, chroma × 255 / 224 of 8 bits, peak / (219 · 2**(bits − 8)) and so on of more.
    """
    kr, kb = (Fraction(share, 10000) for share in _KR_KB[colour.matrix])
    kg = 1 - kr - kb
    black, scales = 0, (Fraction(1), Fraction(1))
    if colour.range is not ColourRange.FULL:
        unit, peak = 1 << bit_depth - 8, (1 << bit_depth) - 1
        black, scales = 16 * unit, (Fraction(peak, 219 * unit), Fraction(peak, 224 * unit))
    chroma = (2 * (1 - kr), -2 * (1 - kb) * kb / kg, -2 * (1 - kr) * kr / kg, 2 * (1 - kb))
    return ToRgb(black, *(round(gain * (1 << _BITS)) for gain in (scales[0], *(scales[1] * of for of in chroma))))


def _yuv_to_rgb(planes: tuple[Plane, ...], picture_format: PictureFormat) -> npt.NDArray[Samples]:
    """RGB (H, W, 3) of three planes (H, W)."""
    gain, peak = conversion(picture_format.colour, picture_format.bit_depth), picture_format.peak
    y, blueness, redness = (plane.astype(_wide(picture_format)) for plane in planes)
    neutral = 1 << picture_format.bit_depth - 1
    blueness -= neutral
    redness -= neutral
    grey = (y - gain.black) * gain.luma + _HALF
    rgb = np.empty((*y.shape, 3), picture_format.dtype)
    rgb[:, :, 0] = np.clip((grey + gain.red_from_v * redness) >> _BITS, 0, peak)
    rgb[:, :, 1] = np.clip((grey + gain.green_from_u * blueness + gain.green_from_v * redness) >> _BITS, 0, peak)
    rgb[:, :, 2] = np.clip((grey + gain.blue_from_u * blueness) >> _BITS, 0, peak)
    return rgb


def _wide(picture_format: PictureFormat) -> np.dtype[Any]:
    """What holds the sums of a conversion."""
    return np.dtype(np.int32 if picture_format.bit_depth == 8 else np.int64)


def rgb_to_yuv(picture: Picture, picture_format: PictureFormat) -> Picture:
    """An RGB picture as YUV 4:4:4 or 4:2:0, BT.601 full range; chroma of 4:2:0 is the mean of four samples.

    ``picture_format`` says which, with the picture's size.
    """
    whole = rgb_to_yuv444(picture)
    if picture_format.sample_format is SampleFormat.YUV444:
        return whole
    halved = (_halved(plane) for plane in whole.planes[1:])
    return Picture(picture_format, (whole.planes[0], *halved), picture.name)


def _halved(plane: Plane) -> Plane:
    """Means of 2×2 samples, rounded up at a half; odd sides go on with their last line."""
    padded = np.pad(plane, ((0, plane.shape[0] & 1), (0, plane.shape[1] & 1)), mode="edge").astype(twice(plane.dtype))
    sums = padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]
    means: Plane = ((sums + 2) >> 2).astype(plane.dtype)
    return means


def rgb_to_yuv444(picture: Picture) -> Picture:
    """An RGB picture as YUV 4:4:4, BT.601 full range; its colour says so.

    Going back with `to_array` differs by at most 1 level from the original (all 2**24 colours of 8 bits tried),
    of 15 and 16 bits by at most 2.
    """
    assert picture.format.sample_format is SampleFormat.RGB
    given = picture.format
    red, green, blue = (plane.astype(_wide(given)) for plane in picture.planes)
    centre = (1 << given.bit_depth - 1 + _BITS) + _HALF
    y = 19595 * red + 38470 * green + 7471 * blue + _HALF
    u = -11058 * red - 21710 * green + 32768 * blue + centre
    v = 32768 * red - 27439 * green - 5329 * blue + centre
    # 255.5 rounds to 256
    planes = tuple(np.minimum(scaled >> _BITS, given.peak).astype(given.dtype) for scaled in (y, u, v))
    return Picture(given.as_yuv(SampleFormat.YUV444), planes, picture.name)
