"""Colours of pixels that nobody sees, since they are fully transparent, made what ``dct`` codes in next to no bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from codec.picture.planes import Picture, Plane

__all__ = ["with_unseen_filled"]


def with_unseen_filled(picture: Picture, alpha: Plane, before: Picture | None) -> Picture:
    """The picture with other colours where alpha is 0.

    They are those of the decoded picture ``before`` at the same place, and without one what is seen goes on smoothly.
    """
    subsampling, planes = picture.format.sample_format.subsampling, []
    for number, plane in enumerate(picture.planes):
        ly, lx = subsampling[number]
        padded = np.pad(alpha, ((0, alpha.shape[0] & ly), (0, alpha.shape[1] & lx)), mode="edge")
        seen = padded.reshape(plane.shape[0], 1 << ly, plane.shape[1], 1 << lx).max(axis=(1, 3)) > 0
        other = before.planes[number] if before is not None else spread(plane, seen)
        planes.append(np.where(seen, plane, other))
    return replace(picture, planes=tuple(planes))


def spread(plane: npt.NDArray[Any], seen: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """The plane with what is seen spread over what is not: means of squares, as large as it takes to see some."""
    rows, columns = plane.shape
    if rows == columns == 1:
        return plane
    counts, sums = _by_fours(seen.astype(np.int64)), _by_fours(np.where(seen, plane, np.int64(0)))
    coarse = spread((sums + counts // 2) // np.maximum(counts, 1), counts > 0)
    near = coarse.repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]
    return np.where(seen, plane, near).astype(plane.dtype)


def _by_fours(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sums of squares of 2×2, at the edge of what is there of them."""
    padded = np.pad(numbers, ((0, numbers.shape[0] & 1), (0, numbers.shape[1] & 1)))
    sums: npt.NDArray[np.int64] = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).sum(axis=(1, 3))
    return sums
