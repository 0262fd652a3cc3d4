"""Animations in layers: each frame changes a part of the canvas, and says what becomes of that part afterwards."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from codec.errors import MediaError
from codec.picture.planes import PictureFormat

__all__ = ["MAX_LAYER_BYTES", "PROFILE_NOTE", "Canvas", "Disposal", "Layer", "LayeredFile", "read_exactly"]

MAX_LAYER_BYTES = 1 << 29  # compressed; the largest canvas has 1 << 28 bytes of RGBA, and junk is not kept
PROFILE_NOTE = "its ICC colour profile is left out; samples stay as they are"


class Disposal(enum.Enum):
    """What becomes of a layer's part of the canvas before the next layer comes."""

    LEAVE = enum.auto()
    CLEAR = enum.auto()  # to transparent
    RESTORE = enum.auto()  # to what was there before the layer


class Layer(NamedTuple):
    """One frame as an animation file has it.

    ``image`` is a whole one-picture file of its pixels, with the format of the animation.
    ``colours`` are RGBA, uint8 (N, 4), that the samples of ``image`` choose from; None where they are colours already.
    ``blends`` says that transparent pixels show what is below, instead of replacing it.
    """

    left: int
    top: int
    width: int
    height: int
    disposal: Disposal
    blends: bool
    milliseconds: Fraction
    image: bytes
    colours: npt.NDArray[np.uint8] | None = None


class LayeredFile(Protocol):
    """An open animation file, whose layers are read once, one at a time.

    ``format`` is that of the canvas, ``count`` the number of layers where the head of the file has it.
    ``notes`` are what a reader should know and may miss; some come while layers are read.
    """

    format: PictureFormat
    count: int | None
    notes: list[str]

    def __iter__(self) -> Iterator[Layer]:
        """The layers; raises `MediaError` where the file ends early or breaks its format."""


class Canvas:
    """Where layers become pictures: RGBA, transparent black at first."""

    def __init__(self, picture_format: PictureFormat) -> None:
        self._samples = np.zeros((picture_format.height, picture_format.width, 4), np.uint8)
        self._disposed: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | int] | None = None

    def show(self, layer: Layer, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The picture, uint8 (H, W, 4), after the next layer, whose RGBA are ``pixels``; valid until the next call.

        What lies outside the canvas is cut off.
        """
        if self._disposed is not None:
            region, content = self._disposed
            region[:] = content
        region = self._samples[layer.top : layer.top + layer.height, layer.left : layer.left + layer.width]
        restores, clears = layer.disposal is Disposal.RESTORE, layer.disposal is Disposal.CLEAR
        self._disposed = (region, region.copy() if restores else 0) if restores or clears else None
        pixels = pixels[: region.shape[0], : region.shape[1]]
        if layer.blends:
            _lay_over(region, pixels)
        else:
            region[:] = pixels
        return self._samples


def _lay_over(below: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8]) -> None:
    """Put RGBA ``above`` over ``below``, in place, rounded to nearest (PNG, 3rd edition, "Alpha channel processing").

    It works on samples as they are, as browsers do, whatever a gAMA chunk says.
    """
    alpha = above[:, :, 3]
    np.copyto(below, above, where=(alpha == 255)[:, :, np.newaxis])
    mixed = (alpha > 0) & (alpha < 255)
    for row in np.flatnonzero(mixed.any(axis=1)):  # one by one: wide numbers of a whole picture take gigabytes
        columns = mixed[row]
        top, bottom = above[row, columns].astype(np.int32), below[row, columns].astype(np.int32)
        top_weight = top[:, 3:] * 255
        bottom_weight = bottom[:, 3:] * (255 - top[:, 3:])
        weight = top_weight + bottom_weight  # 255 × the alpha that comes out, in 1…255²
        colour = (top[:, :3] * top_weight + bottom[:, :3] * bottom_weight + weight // 2) // weight  # sum < 2**24
        below[row, columns] = np.hstack([colour, (weight + 127) // 255])


def read_exactly(file: BinaryIO, size: int, label: str) -> bytes:
    """The next ``size`` bytes; raises `MediaError` where the file has fewer."""
    data = file.read(size)
    if len(data) < size:
        raise MediaError(f"{label}: ends early; it was cut or not copied whole")
    return data
