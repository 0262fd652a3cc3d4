"""Exact integer colour transforms: RGB to luma, Y'CbCr to RGB, RGB to Y'CbCr.

Each matrix is its real-valued formula times 2**16, rounded.
Sums are rounded by adding half and shifting (arithmetic: towards minus infinity), then clipped to 0…255.
Every sum is below 2**26 in magnitude, so int32 is enough.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.picture.planes import Colour, ColourMatrix, ColourRange, Picture, PictureFormat, Plane, SampleFormat

__all__ = ["ToRgb", "conversion", "full_size", "luma", "rgb_to_yuv", "rgb_to_yuv444", "to_array"]

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
    """Luma (H, W) uint8: the first plane of gray and YUV, and of RGB its Rec. 601 weighted sum; alpha is not in it.

    That is ``(77 R + 150 G + 29 B + 128) >> 8``; the weights add up to 256, so R = G = B stays what it is.
    """
    if not picture.format.sample_format.is_rgb:
        return picture.planes[0]
    red, green, blue = (plane.astype(np.uint16) for plane in picture.planes[:3])
    return ((77 * red + 150 * green + 29 * blue + 128) >> 8).astype(np.uint8)  # at most 65408: uint16 holds it


def to_array(picture: Picture) -> npt.NDArray[np.uint8]:
    """Samples as people look at them, uint8: gray (H, W), everything else RGB (H, W, 3); with alpha a channel more.

    YUV becomes RGB with the picture's own colour description; where that is silent, BT.601 and limited range.
    Chroma is upsampled by repeating each sample, whatever the siting.
    """
    sample_format = picture.format.sample_format
    if sample_format is SampleFormat.GRAY:
        return picture.planes[0]
    if sample_format.is_rgb or sample_format.has_alpha:
        return np.stack(picture.planes, axis=2)
    y, u, v = full_size(picture)
    return _yuv_to_rgb(y, u, v, conversion(picture.format.colour))


def full_size(picture: Picture) -> tuple[Plane, ...]:
    """The planes, all of luma's size (H, W): each sample of a subsampled one is repeated, what is over is cut off."""
    height, width = picture.planes[0].shape
    return tuple(
        plane.repeat(1 << sub.log2_y, axis=0).repeat(1 << sub.log2_x, axis=1)[:height, :width]
        for plane, sub in zip(picture.planes, picture.format.sample_format.subsampling, strict=True)
    )


def conversion(colour: Colour) -> ToRgb:
    """The matrix for a colour description, with what is assumed for its unspecified parts.

    Full range: 2 (1 − Kr), 2 (1 − Kb) Kb / Kg, 2 (1 − Kr) Kr / Kg, 2 (1 − Kb). Limited range: luma × 255 / 219, chroma
    × 255 / 224.
    """
    kr, kb = (Fraction(share, 10000) for share in _KR_KB[colour.matrix])
    red, blue, kg = 2 * (1 - kr), 2 * (1 - kb), 1 - kr - kb
    is_full = colour.range is ColourRange.FULL
    luma_gain, chroma_gain = (Fraction(1), Fraction(1)) if is_full else (Fraction(255, 219), Fraction(255, 224))
    gains = (gain * chroma_gain for gain in (red, -blue * kb / kg, -red * kr / kg, blue))
    return ToRgb(0 if is_full else 16, *(round(gain * (1 << _BITS)) for gain in (luma_gain, *gains)))


def _yuv_to_rgb(y: Plane, u: Plane, v: Plane, gain: ToRgb) -> npt.NDArray[np.uint8]:
    """RGB (H, W, 3) of three planes (H, W)."""
    grey = (y.astype(np.int32) - gain.black) * gain.luma + _HALF
    blueness, redness = u.astype(np.int32) - 128, v.astype(np.int32) - 128
    rgb = np.empty((*y.shape, 3), np.uint8)
    rgb[:, :, 0] = np.clip((grey + gain.red_from_v * redness) >> _BITS, 0, 255)
    rgb[:, :, 1] = np.clip((grey + gain.green_from_u * blueness + gain.green_from_v * redness) >> _BITS, 0, 255)
    rgb[:, :, 2] = np.clip((grey + gain.blue_from_u * blueness) >> _BITS, 0, 255)
    return rgb


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
    padded = np.pad(plane, ((0, plane.shape[0] & 1), (0, plane.shape[1] & 1)), mode="edge").astype(np.uint16)
    sums = padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]
    return ((sums + 2) >> 2).astype(np.uint8)


def rgb_to_yuv444(picture: Picture) -> Picture:
    """An RGB picture as YUV 4:4:4, BT.601 full range; its colour says so.

    Going back with `to_array` differs by at most 1 level from the original (all 2**24 colours tried).
    """
    assert picture.format.sample_format is SampleFormat.RGB
    red, green, blue = (plane.astype(np.int32) for plane in picture.planes)
    centre = (128 << _BITS) + _HALF
    y = 19595 * red + 38470 * green + 7471 * blue + _HALF
    u = -11058 * red - 21710 * green + 32768 * blue + centre
    v = 32768 * red - 27439 * green - 5329 * blue + centre
    planes = tuple(np.minimum(scaled >> _BITS, 255).astype(np.uint8) for scaled in (y, u, v))  # 255.5 rounds to 256
    return Picture(picture.format.as_yuv(SampleFormat.YUV444), planes, picture.name)
