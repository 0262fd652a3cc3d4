"""Alpha: how opaque each pixel is; put to a picture, taken off it, or used up by laying the picture over a colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from codec.errors import ConfigError, MediaError
from codec.picture.colour import scaled_by_peaks, twice
from codec.picture.planes import Picture, PictureFormat, Plane, SampleFormat, Samples

__all__ = [
    *("OVER_WHITE", "as_given", "cleared", "coarser", "is_opaque", "laid_over", "over_chequers", "parted"),
    "refuse_alpha",
]

SQUARE = 8  # side of a square to see through to, in samples
OVER_WHITE = "--background white lays pictures over white"  # the way out, in messages


def is_opaque(picture: Picture) -> bool:
    """Whether the picture has no alpha, or one that lets nothing through anywhere."""
    opaque = picture.format.opaque_alpha
    return not picture.format.sample_format.has_alpha or bool((picture.planes[-1] == opaque).all())


def over_chequers(picture: Picture) -> Picture:
    """The picture as people look at it: without alpha, over light and dark squares where it has some."""
    y, x = np.indices(picture.planes[0].shape) // SQUARE
    dark, light = (_of_peak(level, picture.format) for level in (153, 204))
    return _mixed(picture, [np.where((y + x) % 2, light, dark)] * 3)


def laid_over(picture: Picture, background: tuple[int, int, int]) -> Picture:
    """The picture over a colour of 8 bits, without alpha; samples are mixed as they are, and rounded to nearest.

    Raises:
        ConfigError: the picture is gray, and the colour is not; or it has floating point.
    """
    if picture.format.is_float:
        raise ConfigError("background is for whole numbers, and these are floating point")
    if picture.format.sample_format.is_gray and len(set(background)) > 1:
        raise ConfigError("background is black, gray or white for gray pictures, or such as #a0a0a0")
    return _mixed(picture, [_of_peak(part, picture.format) for part in background])


def _of_peak(level: int, picture_format: PictureFormat) -> Samples:
    """A level of 0…255 as a sample."""
    return picture_format.dtype.type(scaled_by_peaks(level, 255, picture_format.peak))


def _mixed(picture: Picture, background: Sequence[Samples | Plane]) -> Picture:
    """The picture over a plane, or one sample, for each of its own."""
    if not picture.format.sample_format.has_alpha:
        return picture
    *colours, alpha = picture.planes
    peak, dtype = picture.format.peak, picture.format.dtype
    wide = twice(dtype)  # holds peak · peak + peak // 2
    clear = (peak - alpha).astype(wide)
    planes = (
        ((plane.astype(wide) * alpha + clear * below + wide.type(peak // 2)) // wide.type(peak)).astype(dtype)
        for plane, below in zip(colours, background, strict=False)
    )
    return replace(picture, format=picture.format.opaque(), planes=tuple(planes))


def parted(picture: Picture) -> tuple[Picture, Picture]:
    """The colours and the alpha of a picture that has some, as two pictures."""
    gray = replace(picture.format, sample_format=SampleFormat.GRAY)
    colours = replace(picture, format=picture.format.opaque(), planes=picture.planes[:-1])
    return colours, Picture(gray, picture.planes[-1:], picture.name)


def coarser(picture: Picture, max_error: int) -> Picture:
    """The picture with fewer values of alpha, each at most ``max_error`` off; 0 and the largest sample stay exact.

    Others are multiples of 2 · max_error + 1.
    """
    peak, step = picture.format.peak, 2 * max_error + 1
    values = (np.arange(peak + 1) + max_error) // step * step
    values[peak - max_error :] = peak
    *colours, alpha = picture.planes
    return replace(picture, planes=(*colours, values.astype(alpha.dtype)[alpha]))


def with_alpha_of(
    picture: Picture, picture_format: PictureFormat, background: tuple[int, int, int] | None, where: str
) -> Picture:
    """The picture with alpha or without, as ``picture_format`` has it; where that has none, over the background.

    A picture with other colours than that format is left as it is.

    Raises:
        MediaError: alpha would be lost that is not opaque everywhere; ``where`` starts the message.
    """
    given, wanted = picture.format.sample_format, picture_format.sample_format
    if given.opaque is not wanted.opaque or not (given.has_alpha or wanted.has_alpha):
        return picture
    if not wanted.has_alpha and background is not None:
        return laid_over(picture, background)
    return as_given(picture, picture_format, where)


def cleared(picture: Picture) -> Picture:
    """The picture with 0 for every sample of pixels that are fully transparent."""
    *colours, alpha = picture.planes
    planes = (np.where(alpha == 0, plane.dtype.type(0), plane) for plane in colours)
    return replace(picture, planes=(*planes, alpha))


def as_given(picture: Picture, picture_format: PictureFormat, where: str = "the picture") -> Picture:
    """The picture with the planes of ``picture_format``: gray becomes RGB, alpha is opaque where there was none.

    Raises:
        MediaError: alpha would be lost that is not opaque everywhere; ``where`` starts the message.
    """
    given, wanted = picture.format.sample_format, picture_format.sample_format
    if given is wanted:
        return picture
    colours, alpha = picture.planes[: len(given.opaque.plane_names)], picture.planes[-1]
    if given.is_gray and wanted.is_rgb:
        colours = tuple(picture.planes[0].copy() for _ in range(3))
    if not given.has_alpha:
        alpha = np.full_like(picture.planes[0], picture.format.opaque_alpha)
    elif not wanted.has_alpha and not is_opaque(picture):
        refuse_alpha(where)
    planes: tuple[Plane, ...] = (*colours, alpha) if wanted.has_alpha else colours
    return replace(picture, format=replace(picture.format, sample_format=wanted), planes=planes)


def refuse_alpha(where: str) -> NoReturn:
    """Raise `MediaError`: ``where`` has pixels that are not opaque, and nobody has said what becomes of them."""
    raise MediaError(f"{where} has transparent pixels, and alpha is not kept here; {OVER_WHITE}")
