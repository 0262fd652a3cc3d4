"""A few pictures for a report: source, decoded, and their difference, as PNG files in ``data:`` URLs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.measure.dials import dial_of
from codec.measure.points import Point
from codec.picture.colour import to_array
from codec.picture.images import encoded
from codec.picture.planes import Picture
from codec.show.pages import data_url

__all__ = ["DecodedSample", "Samples", "make_samples", "picture_url"]

MAX_WIDTH, MAX_HEIGHT = 384, 288  # of what is shown: a cut-out at full resolution, so that errors stay visible
AMPLIFICATIONS = (16, 8, 4, 2, 1)


class DecodedSample(NamedTuple):
    """One point's picture and its difference from the source."""

    point: Point
    decoded_url: str
    difference_url: str


class Samples(NamedTuple):
    """What to show of one picture of the clip."""

    number: int
    width: int
    height: int
    cropped: bool
    source_url: str
    amplification: int
    """Grey 128 + this times (decoded − source), cut to 0…255."""
    decoded: list[DecodedSample]


def make_samples(points: Sequence[Point], source: Picture, number: int) -> Samples:
    """The source, and what the coarsest setting makes of it with each motion model.

    Only points that kept their decoded picture can be shown.
    """
    shown = _coarsest(points)
    original = _middle(to_array(source))
    differences = [_middle(to_array(picture)).astype(np.int16) - original for _, picture in shown]
    amplification = _amplification(differences)
    height, width = original.shape[:2]
    decoded = [
        DecodedSample(
            point,
            picture_url(_middle(to_array(picture))),
            picture_url(np.clip(128 + amplification * difference, 0, 255).astype(np.uint8)),
        )
        for (point, picture), difference in zip(shown, differences, strict=True)
    ]
    cropped = (width, height) != (source.format.width, source.format.height)
    return Samples(number, width, height, cropped, picture_url(original), amplification, decoded)


def _coarsest(points: Sequence[Point]) -> list[tuple[Point, Picture]]:
    """The points of the residual coder and step with the largest MSE, one a motion model."""
    lossy = [(point, point.sample) for point in points if not point.exact and point.sample is not None]
    if not lossy:
        return []
    worst = max(lossy, key=lambda pair: pair[0].mse)[0].settings
    coarsest = (worst.residual, dial_of(worst))
    return [pair for pair in lossy if (pair[0].settings.residual, dial_of(pair[0].settings)) == coarsest]


def _middle(samples: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """At most `MAX_WIDTH` × `MAX_HEIGHT` from the middle of a picture."""
    height, width = samples.shape[:2]
    top, left = max(height - MAX_HEIGHT, 0) // 2, max(width - MAX_WIDTH, 0) // 2
    return samples[top : top + MAX_HEIGHT, left : left + MAX_WIDTH]


def _amplification(differences: Sequence[npt.NDArray[np.int16]]) -> int:
    """The most that leaves 99 % of all differences unclipped."""
    if not differences:
        return 1
    large = max(float(np.percentile(np.abs(difference), 99)) for difference in differences)
    return next((factor for factor in AMPLIFICATIONS if factor * large <= 127), 1)


def picture_url(samples: npt.NDArray[np.uint8]) -> str:
    """A PNG of (H, W) or (H, W, 3) as a ``data:`` URL."""
    return data_url("image/png", encoded(np.ascontiguousarray(samples), "PNG"))
