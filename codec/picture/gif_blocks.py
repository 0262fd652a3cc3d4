"""The block structure of GIF files.

https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.errors import MediaError
from codec.picture.layers import MAX_LAYER_BYTES, PROFILE_NOTE, Disposal, Layer, read_exactly
from codec.picture.planes import PictureFormat, SampleFormat
from codec.picture.sequence import refuse_size

__all__ = ["EXTENSION", "IMAGE", "SIGNATURES", "TRAILER", "GifFile", "GifImage", "split_image"]

SIGNATURES = (b"GIF87a", b"GIF89a")
EXTENSION, IMAGE, TRAILER = b"!", b",", b";"
_GRAPHIC_CONTROL, _PLAIN_TEXT, _APPLICATION = b"\xf9", b"\x01", b"\xff"
_DISPOSALS = (Disposal.LEAVE, Disposal.LEAVE, Disposal.CLEAR, Disposal.RESTORE)
_INTERLACED = 0x40


class GifImage(NamedTuple):
    """An image block: its place, its own colour table as RGB triples (or none), its compressed indices."""

    left: int
    top: int
    width: int
    height: int
    interlaced: int
    table: bytes
    data: bytes


class _Control(NamedTuple):
    """A graphic control extension: how the image behind it is shown."""

    disposal: Disposal = Disposal.LEAVE
    hundredths: int = 0
    transparent: int | None = None


class GifFile:
    """A GIF, as a `LayeredFile`; its pictures are RGB, whatever the order of its colours.

    GIF has no background that is painted: what no image covers is transparent.
    An image should fit the logical screen; the first enlarges it, as in browsers, and others are cut off.
    An end mark is needed: a GIF cut between two images has all that a shorter one has.
    """

    count: int | None = None

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file, self._label = file, label
        self.notes: list[str] = []
        read_exactly(file, 6, label)
        width, height, flags, _, _ = struct.unpack("<HHBBB", read_exactly(file, 7, label))
        self.table = self._table(flags)
        start = file.tell()
        _, first = next(self._images(), (None, None))
        if first is None:
            raise MediaError(f"{label}: is a GIF without a picture")
        size = max(width, first.left + first.width), max(height, first.top + first.height)
        refuse_size(label, *size)
        if size != (width, height):
            self._note(f"its first picture goes beyond its screen of {width}×{height}, which is enlarged")
        self.format = PictureFormat(*size, SampleFormat.RGB)
        file.seek(start)

    def __iter__(self) -> Iterator[Layer]:
        for number, (control, image) in enumerate(self._images()):
            label = f"{self._label}: picture {number}"
            refuse_size(label, image.width, image.height)
            if image.left + image.width > self.format.width or image.top + image.height > self.format.height:
                self._note("some pictures go beyond its screen, where they are cut off")
            if not (image.table or self.table):
                raise MediaError(f"{label} has no colour table")
            yield Layer(
                *image[:4],
                control.disposal,
                True,
                Fraction(10 * control.hundredths),
                _alone(image),
                _colours(image.table or self.table, control.transparent),
            )

    def _images(self) -> Iterator[tuple[_Control, GifImage]]:
        """The image blocks up to the end mark, each with the control before it."""
        control = _Control()
        number = 0
        while (kind := read_exactly(self._file, 1, self._label)) != TRAILER:
            if kind == EXTENSION:
                extension = read_exactly(self._file, 1, self._label)
                data = self._sub_blocks()
                if extension == _GRAPHIC_CONTROL:
                    control = self._control(data, number)
                elif extension == _PLAIN_TEXT:
                    self._note("text blocks in it are not drawn")
                    control = _Control()  # belonged to the text
                elif extension == _APPLICATION and data[1:].startswith(b"ICCRGBG1"):
                    self._note(PROFILE_NOTE)
            elif kind == IMAGE:
                left, top, width, height, flags = struct.unpack("<HHHHB", read_exactly(self._file, 9, self._label))
                table = self._table(flags)
                code_size = read_exactly(self._file, 1, self._label)
                if code_size > b"\x08":
                    raise MediaError(f"{self._label}: picture {number} has indices of more than 8 bits")
                data = code_size + self._sub_blocks()
                yield control, GifImage(left, top, width, height, flags & _INTERLACED, table, data)
                control = _Control()
                number += 1
            elif kind != b"\0":  # zeros between blocks are common, and harmless
                raise MediaError(f"{self._label}: is damaged behind {number} pictures, where no block starts")

    def _control(self, data: bytes, number: int) -> _Control:
        """The control that the sub-blocks ``data`` of an extension hold."""
        if data[0] < 4:
            raise MediaError(f"{self._label}: the control of picture {number} is too short")
        flags, hundredths, transparent = struct.unpack_from("<BHB", data, 1)
        disposal = flags >> 2 & 7
        if disposal >= len(_DISPOSALS):
            raise MediaError(f"{self._label}: picture {number} has disposal {disposal}; GIF defines 0…3")
        return _Control(_DISPOSALS[disposal], hundredths, transparent if flags & 1 else None)

    def _table(self, flags: int) -> bytes:
        """The colour table that ``flags`` announce, or none."""
        return read_exactly(self._file, 3 * (2 << (flags & 7)), self._label) if flags & 0x80 else b""

    def _sub_blocks(self) -> bytes:
        """Sub-blocks with their lengths, up to the empty one."""
        blocks = bytearray()
        while True:
            blocks += (size := read_exactly(self._file, 1, self._label))
            if size == b"\0":
                return bytes(blocks)
            blocks += read_exactly(self._file, size[0], self._label)
            if len(blocks) > MAX_LAYER_BYTES:
                raise MediaError(f"{self._label}: a block of more than {MAX_LAYER_BYTES} bytes")

    def _note(self, text: str) -> None:
        """Tell something once."""
        if text not in self.notes:
            self.notes.append(text)


def _alone(image: GifImage) -> bytes:
    """A GIF of that image only, without colours, so that its samples are read as indices."""
    screen = struct.pack("<HHBBB", image.width, image.height, 0, 0, 0)
    descriptor = struct.pack("<HHHHB", 0, 0, image.width, image.height, image.interlaced)
    return SIGNATURES[1] + screen + IMAGE + descriptor + image.data + TRAILER


def _colours(table: bytes, transparent: int | None) -> npt.NDArray[np.uint8]:
    """RGBA of each index, uint8 (N, 4); the transparent index may lie behind the table."""
    colours = np.zeros((max(len(table) // 3, -1 if transparent is None else transparent + 1), 4), np.uint8)
    colours[: len(table) // 3, :3] = np.frombuffer(table, np.uint8).reshape(-1, 3)
    colours[: len(table) // 3, 3] = 255
    if transparent is not None:
        colours[transparent] = 0
    return colours


def split_image(gif: bytes) -> GifImage:
    """The image of a one-picture GIF, with the colours that it uses."""
    whole = GifFile(io.BytesIO(gif), "GIF")
    _, image = next(whole._images())
    return image._replace(table=image.table or whole.table)
