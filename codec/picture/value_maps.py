"""Value maps: where only some of all sample values occur, samples are coded by their number among those (spec 9.7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codec.picture.planes import MIN_BIT_DEPTH, Picture, Samples

__all__ = ["NO_MAPS", "ValueMap", "ValueMaps", "coded_depth", "mapped", "unmapped"]

ValueMap = npt.NDArray[Samples]  # the values that occur, rising; empty where samples stay what they are
ValueMaps = tuple[ValueMap, ...]  # of all planes but alpha, then that of alpha if there is any; or none at all

NO_MAPS: ValueMaps = ()


def coded_depth(maps: ValueMaps, bit_depth: int) -> int:
    """Bits of the samples that are coded, at least 8, where pictures have so many."""
    counts = [values.size or 1 << bit_depth for values in maps] or [1 << bit_depth]
    return max(MIN_BIT_DEPTH, (max(counts) - 1).bit_length())


def mapped(picture: Picture, maps: ValueMaps) -> Picture:
    """The picture as it is coded: instead of each sample its number in the map of its plane."""
    if not maps:
        return picture
    coded = picture.format.with_depth(coded_depth(maps, picture.format.bit_depth))
    numbers = []
    for values in maps:
        of_values = np.arange(1 << picture.format.bit_depth).astype(coded.dtype)
        of_values[values] = np.arange(values.size)
        numbers.append(of_values)
    planes = tuple(np.take(of, plane) for of, plane in zip(_by_plane(picture, numbers), picture.planes, strict=True))
    return Picture(coded, planes, picture.name)


def unmapped(picture: Picture, maps: ValueMaps, bit_depth: int) -> Picture:
    """The inverse of `mapped`; numbers beyond a map stand for its last value."""
    if not maps:
        return picture
    given, numbers, values = picture.format.with_depth(bit_depth), np.arange(1 << picture.format.bit_depth), []
    for of_map in maps:
        of_number = of_map[np.minimum(numbers, of_map.size - 1)] if of_map.size else numbers
        values.append(of_number.astype(given.dtype))
    planes = tuple(np.take(of, plane) for of, plane in zip(_by_plane(picture, values), picture.planes, strict=True))
    return Picture(given, planes, picture.name)


def _by_plane(picture: Picture, tables: Sequence[npt.NDArray[Samples]]) -> list[npt.NDArray[Samples]]:
    """The table of each plane."""
    return [tables[0]] * (len(picture.planes) - len(tables) + 1) + list(tables[1:])
