"""The chunks of PNG files, and the layers of animated ones (APNG).

https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, NamedTuple

from codec.errors import MediaError
from codec.picture.layers import MAX_LAYER_BYTES, PROFILE_NOTE, Disposal, Layer, read_exactly
from codec.picture.planes import PictureFormat, SampleFormat
from codec.picture.sequence import refuse_size

__all__ = ["SIGNATURE", "ApngFile", "bit_depth", "chunk", "chunks", "is_apng"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DISPOSALS = (Disposal.LEAVE, Disposal.CLEAR, Disposal.RESTORE)  # APNG_DISPOSE_OP_NONE, BACKGROUND, PREVIOUS
_BLENDS = (False, True)  # APNG_BLEND_OP_SOURCE, OVER
_GRAY_TYPES = frozenset({0, 4})  # colour types without and with alpha
_WANTED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"iCCP", b"IEND"})


def chunk(kind: bytes, payload: bytes) -> bytes:
    """One chunk with its length and CRC-32."""
    return struct.pack(">I4s", len(payload), kind) + payload + struct.pack(">I", zlib.crc32(kind + payload))


def chunks(file: BinaryIO, label: str) -> Iterator[tuple[bytes, bytes]]:
    """Kind and payload of the chunks that matter, from the first byte of ``file`` to IEND; others are passed over.

    Raises:
        MediaError: the file ends early, a CRC-32 is wrong, or a chunk is too long.
    """
    read_exactly(file, len(SIGNATURE), label)
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", read_exactly(file, 8, label))
        if kind not in _WANTED:
            file.seek(length + 4, 1)
            continue
        if length > MAX_LAYER_BYTES:
            raise MediaError(f"{label}: a chunk of {length} bytes; at most {MAX_LAYER_BYTES} are accepted")
        payload = read_exactly(file, length, label)
        if read_exactly(file, 4, label) != struct.pack(">I", zlib.crc32(kind + payload)):
            raise MediaError(f"{label}: is damaged: a {kind.decode()} chunk has another CRC-32")
        yield kind, payload


def is_apng(file: BinaryIO) -> bool:
    """Whether a PNG is animated: an acTL chunk comes before the picture. A damaged file is not."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in (b"acTL", b"IDAT", b"IEND"):
            return bool(kind == b"acTL")
        file.seek(length + 4, 1)
    return False


def bit_depth(png: bytes) -> int:
    """Bits a sample, of a PNG file or its first 25 bytes; 0 where there are fewer."""
    return png[24] if len(png) > 24 else 0  # signature 8, chunk header 8, width 4, height 4


class _Control(NamedTuple):
    """An fcTL chunk."""

    sequence_number: int
    width: int
    height: int
    left: int
    top: int
    delay_numerator: int
    delay_denominator: int
    disposal: int
    blend: int


class ApngFile:
    """An animated PNG, as a `LayeredFile`.

    A picture for viewers that know no animation, which no fcTL chunk precedes, is no layer.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._label = label
        self._chunks = chunks(file, label)
        self.notes: list[str] = []
        self._shared = b""  # what the pixels of all layers need: palette, transparency
        self._header = b""
        count = 0
        for kind, payload in self._chunks:
            if kind == b"IHDR" and len(payload) == 13:
                self._header = payload
            elif kind == b"acTL" and len(payload) == 8:
                count, _ = struct.unpack(">II", payload)
                break
            else:
                self._keep(kind, payload)
        if not self._header or not count:
            raise self._damaged("its IHDR or acTL chunk is missing, or says nothing")
        self.count: int | None = count
        width, height, _, colour_type = struct.unpack(">IIBB", self._header[:10])
        refuse_size(label, width, height)
        self.format = PictureFormat(
            width, height, SampleFormat.GRAY if colour_type in _GRAY_TYPES else SampleFormat.RGB
        )
        if (bits := self._header[8]) > 8:
            raise MediaError(f"{label}: has {bits}-bit samples; 8 are supported")

    def _keep(self, kind: bytes, payload: bytes) -> None:
        """A chunk that is about all layers."""
        if kind in (b"PLTE", b"tRNS"):
            self._shared += chunk(kind, payload)
        elif kind == b"iCCP":
            self.notes.append(PROFILE_NOTE)

    def _damaged(self, reason: str) -> MediaError:
        return MediaError(f"{self._label}: is a damaged APNG: {reason}")

    def __iter__(self) -> Iterator[Layer]:
        control: _Control | None = None
        data = bytearray()
        number = sequence_number = 0
        for kind, payload in self._chunks:
            if kind in (b"fcTL", b"fdAT"):
                if payload[:4] != struct.pack(">I", sequence_number):
                    raise self._damaged(f"its animation chunks are not in order at number {sequence_number}")
                sequence_number += 1
            if kind in (b"fcTL", b"IEND") and control is not None:
                yield self._layer(control, bytes(data), number)
                data.clear()
                number += 1
            if kind == b"fcTL":
                control = self._control(payload, number)
            elif kind == b"fdAT":
                if control is None:
                    raise self._damaged("a picture has no fcTL chunk")
                data += payload[4:]
            elif kind == b"IDAT":
                if sequence_number > 1:
                    raise self._damaged("an IDAT chunk follows a later picture")
                if control is not None:  # else the stand-in for viewers that know no animation
                    if control[1:5] != (self.format.width, self.format.height, 0, 0):
                        raise self._damaged("its first picture does not fill it")
                    data += payload
            else:
                self._keep(kind, payload)
            if len(data) > MAX_LAYER_BYTES:
                raise MediaError(f"{self._label}: picture {number} takes more than {MAX_LAYER_BYTES} bytes")
        if number != self.count:
            raise self._damaged(f"it has {number} pictures instead of {self.count}")

    def _control(self, payload: bytes, number: int) -> _Control:
        """The checked fcTL chunk of a picture."""
        if len(payload) != 26:
            raise self._damaged(f"the fcTL chunk of picture {number} has {len(payload)} bytes instead of 26")
        if number == self.count:
            raise self._damaged(f"it has more than {self.count} pictures")
        control = _Control(*struct.unpack(">IIIIIHHBB", payload))
        fits = (
            0 < control.width <= self.format.width - control.left
            and 0 < control.height <= self.format.height - control.top
        )
        if not fits or control.disposal >= len(_DISPOSALS) or control.blend >= len(_BLENDS):
            raise self._damaged(f"picture {number} lies outside, or is shown in a way that is not defined")
        return control

    def _layer(self, control: _Control, data: bytes, number: int) -> Layer:
        """A picture and its compressed pixels."""
        if not data:
            raise self._damaged(f"picture {number} has no pixels")
        header = struct.pack(">II", control.width, control.height) + self._header[8:]
        return Layer(
            control.left,
            control.top,
            control.width,
            control.height,
            _DISPOSALS[control.disposal],
            _BLENDS[control.blend],
            Fraction(1000 * control.delay_numerator, control.delay_denominator or 100),
            SIGNATURE + chunk(b"IHDR", header) + self._shared + chunk(b"IDAT", data) + chunk(b"IEND", b""),
        )
