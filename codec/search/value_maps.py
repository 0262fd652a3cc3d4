"""Which sample values occur in the pictures of a GOP, and whether that is worth saying."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import log2

import numpy as np

from codec.depths import for_depth
from codec.picture.planes import Picture, PictureFormat, Plane
from codec.picture.value_maps import NO_MAPS, ValueMap, ValueMaps
from codec.search import occurrence
from codec.writing.streams import pack_map

__all__ = ["choose_alpha_map", "choose_maps"]

LEAST_GAIN = 1.5  # the bits that a map is expected to save, over those that it takes


def choose_maps(pictures: Sequence[Picture], of_colours: bool = True) -> ValueMaps:
    """The map of all planes but alpha, and of alpha if there is any; or none where none is worth it.

    That of the others stays empty unless ``of_colours``.
    """
    has_alpha = pictures[0].format.sample_format.has_alpha
    groups = [[picture.planes[: len(picture.planes) - has_alpha] for picture in pictures]]
    if has_alpha:
        groups.append([picture.planes[-1:] for picture in pictures])
    if not of_colours:
        groups[0] = []
    maps = tuple(choose_map(list(chain(*group)), pictures[0].format) for group in groups)
    return maps if any(values.size for values in maps) else NO_MAPS


def choose_alpha_map(alphas: Sequence[Picture]) -> ValueMaps:
    """The map of alpha that is coded apart; also of a single value, as then nothing else is coded."""
    value = alphas[0].planes[0][:1, 0]
    if all((alpha.planes[0] == value).all() for alpha in alphas):
        return (value,)
    return choose_maps(alphas)


def choose_map(planes: Sequence[Plane], picture_format: PictureFormat) -> ValueMap:
    """The values that occur in planes, or no values where a map takes more than it saves.

    Of values that lie apart a residual of the same likelihood takes about log2(range / number of values) bits less.
    """
    seen = np.zeros(picture_format.peak + 1, np.uint8)
    for plane in planes:
        for_depth(occurrence, picture_format.bit_depth).mark(plane.reshape(-1), seen)
    values = np.flatnonzero(seen).astype(picture_format.dtype)
    if not values.size:
        return values
    span = int(values[-1]) - int(values[0]) + 1
    gained = sum(plane.size for plane in planes) * log2(span / values.size)
    if span < 2 * values.size or gained < LEAST_GAIN * 8 * len(pack_map(values)):
        return values[:0]
    return values
