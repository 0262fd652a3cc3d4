"""Animated GIF and PNG files: layers that each change a part of the canvas, and the pictures that they make.

GIF: https://www.w3.org/Graphics/GIF/spec-gif89a.txt. APNG: https://www.w3.org/TR/png-3/.
Pillow decodes the samples of a layer. It is not asked for pictures: it paints the background of a GIF, and its other
disposals and blends do not all follow these texts.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.errors import MediaError
from codec.picture.attachments import chunk, chunk_heads, of_png, played
from codec.picture.planes import PictureFormat, SampleFormat, Samples
from codec.picture.sequence import refuse_size

__all__ = [
    *("GIF_SIGNATURES", "PNG_CHANNELS", "PNG_SIGNATURE", "ApngFile", "Disposal", "GifFile", "Layer", "LayeredFile"),
    *("bit_depth", "chunks", "is_apng", "lay_over"),
]

GIF_SIGNATURES = (b"GIF87a", b"GIF89a")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # of a colour type but that of palettes
_MAX_LAYER_BYTES = 1 << 29  # compressed; the largest canvas has 1 << 28 bytes of RGBA, and junk is not kept


class Disposal(enum.Enum):
    """What becomes of a layer's part of the canvas before the next layer comes."""

    LEAVE = enum.auto()
    CLEAR = enum.auto()  # to transparent
    RESTORE = enum.auto()  # to what it was before the layer


_GIF_DISPOSALS = (Disposal.LEAVE, Disposal.LEAVE, Disposal.CLEAR, Disposal.RESTORE)
_APNG_DISPOSALS = (Disposal.LEAVE, Disposal.CLEAR, Disposal.RESTORE)  # APNG_DISPOSE_OP_NONE, BACKGROUND, PREVIOUS


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
    image: bytes = b""
    colours: npt.NDArray[np.uint8] | None = None


def lay_over(below: npt.NDArray[Samples], above: npt.NDArray[Samples]) -> None:
    """Put RGBA ``above`` over ``below``, in place, rounded to nearest (PNG, 3rd edition, "Alpha channel processing").

    Both are uint8 or both uint16, of 16 bits, (H, W, 4).
    Samples are mixed as they are, as browsers do, whatever a gAMA chunk says.
    """
    alpha = above[:, :, 3]
    peak, wide = (255, np.int32) if alpha.itemsize == 1 else (65535, np.int64)
    np.copyto(below, above, where=(alpha == peak)[:, :, np.newaxis])
    mixed = (alpha > 0) & (alpha < peak)
    for row in np.flatnonzero(mixed.any(axis=1)):  # one by one: wide numbers of a whole picture take gigabytes
        columns = mixed[row]
        top, bottom = above[row, columns].astype(wide), below[row, columns].astype(wide)
        top_weight = top[:, 3:] * peak
        bottom_weight = bottom[:, 3:] * (peak - top[:, 3:])
        weight = top_weight + bottom_weight  # peak × the alpha that comes out, in 1…peak²
        # the sum is below 2**24, of 16 bits below 2**48
        colour = (top[:, :3] * top_weight + bottom[:, :3] * bottom_weight + weight // 2) // weight
        below[row, columns] = np.hstack([colour, (weight + peak // 2) // peak])


class LayeredFile:
    """An open animation file, whose layers are read once, one at a time.

    ``format`` is that of the canvas, ``count`` the number of layers where the head of the file has it.
    ``notes`` say what a reader should know and may miss; some are added while layers are read.
    So is what there is in ``attachments``.
    """

    format: PictureFormat
    count: int | None = None

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file, self._label = file, label
        self.notes: list[str] = []
        self.attachments: dict[str, bytes] = {}

    def __iter__(self) -> Iterator[Layer]:
        """The layers; raises `MediaError` where the file ends early or breaks its format."""
        raise NotImplementedError

    def _note(self, text: str) -> None:
        """Add to ``notes``, once."""
        if text not in self.notes:
            self.notes.append(text)


def _read_exactly(file: BinaryIO, size: int, label: str) -> bytes:
    """The next ``size`` bytes; raises `MediaError` where the file has fewer."""
    data = file.read(size)
    if len(data) < size:
        raise MediaError(f"{label}: ends early; it was cut or not copied whole")
    return data


# ------------------------------------------------------------------------------------------- GIF

_EXTENSION, _IMAGE, _TRAILER = b"!", b",", b";"
_GRAPHIC_CONTROL, _PLAIN_TEXT, _COMMENT, _APPLICATION = b"\xf9", b"\x01", b"\xfe", b"\xff"
_INTERLACED = 0x40
_LOOPS = (b"\x0bNETSCAPE2.0\x03\x01", b"\x0bANIMEXTS1.0\x03\x01")


class _Control(NamedTuple):
    """A graphic control extension: how the image behind it is shown."""

    disposal: Disposal = Disposal.LEAVE
    hundredths: int = 0
    transparent: int | None = None


class GifFile(LayeredFile):
    """A GIF; its pictures are RGB, whatever the order of its colours.

    GIF has no background that is painted: what no image covers is transparent.
    An image should fit the logical screen; the first enlarges it, as in browsers, and others are cut off.
    An end mark is needed: a GIF that was cut between two images looks like a shorter one.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        super().__init__(file, label)
        self._read(6)
        width, height, flags, _, _ = struct.unpack("<HHBBB", self._read(7))
        self._shared_table = self._table(flags)
        start = file.tell()
        first = next(self._layers(), None)
        if first is None:
            raise MediaError(f"{label}: is a GIF without a picture")
        size = max(width, first.left + first.width), max(height, first.top + first.height)
        refuse_size(label, *size)
        if size != (width, height):
            self._note(f"its first picture goes beyond its screen of {width}×{height}, which is enlarged")
        self.format = PictureFormat(*size, SampleFormat.RGB)
        file.seek(start)

    def __iter__(self) -> Iterator[Layer]:
        for layer in self._layers():
            if layer.left + layer.width > self.format.width or layer.top + layer.height > self.format.height:
                self._note("some pictures go beyond its screen, where they are cut off")
            yield layer

    def _layers(self) -> Iterator[Layer]:
        """The image blocks up to the end mark, each with the control before it."""
        control = _Control()
        number, times = 0, 1  # of pictures, and how often they are played
        while (kind := self._read(1)) != _TRAILER:
            if kind == _EXTENSION:
                extension, data = self._read(1), self._sub_blocks()
                if extension == _GRAPHIC_CONTROL:
                    control = self._control(data, number)
                elif extension == _PLAIN_TEXT:
                    self._note("text blocks in it are not drawn")
                    control = _Control()  # belonged to the text
                elif extension == _APPLICATION and data[1:].startswith(b"ICCRGBG1012"):
                    self.attachments["icc"] = _joined(data[12:])
                elif extension == _APPLICATION and data[:14] in _LOOPS and len(data) > 16:
                    again = int.from_bytes(data[14:16], "little")
                    times = again + 1 if again else 0
                elif extension == _COMMENT:
                    self.attachments["text:Comment"] = _joined(data).decode("latin-1").encode()
            elif kind == _IMAGE:
                self.attachments |= played(times) if number else {}
                yield self._layer(control, f"{self._label}: picture {number}")
                control = _Control()
                number += 1
            elif kind != b"\0":  # zeros between blocks are common, and harmless
                raise MediaError(f"{self._label}: is damaged behind {number} pictures, where no block starts")

    def _layer(self, control: _Control, label: str) -> Layer:
        """The image block that the file stands in.

        Its one-picture file has no colours, so that its samples are read as indices.
        """
        left, top, width, height, flags = struct.unpack("<HHHHB", self._read(9))
        table = self._table(flags) or self._shared_table
        code_size = self._read(1)
        if code_size > b"\x08":
            raise MediaError(f"{label} has indices of more than 8 bits")
        data = code_size + self._sub_blocks()
        refuse_size(label, width, height)
        if not table:
            raise MediaError(f"{label} has no colour table")
        screen = struct.pack("<HHBBB", width, height, 0, 0, 0)
        descriptor = struct.pack("<HHHHB", 0, 0, width, height, flags & _INTERLACED)
        image = GIF_SIGNATURES[1] + screen + _IMAGE + descriptor + data + _TRAILER
        milliseconds = Fraction(10 * control.hundredths)
        colours = _colours(table, control.transparent)
        return Layer(left, top, width, height, control.disposal, True, milliseconds, image, colours)

    def _control(self, data: bytes, number: int) -> _Control:
        """The control that the sub-blocks ``data`` of an extension hold."""
        if data[0] < 4:
            raise MediaError(f"{self._label}: the control of picture {number} is too short")
        flags, hundredths, transparent = struct.unpack_from("<BHB", data, 1)
        disposal = flags >> 2 & 7
        if disposal >= len(_GIF_DISPOSALS):
            raise MediaError(f"{self._label}: picture {number} has disposal {disposal}; GIF defines 0…3")
        return _Control(_GIF_DISPOSALS[disposal], hundredths, transparent if flags & 1 else None)

    def _read(self, size: int) -> bytes:
        return _read_exactly(self._file, size, self._label)

    def _table(self, flags: int) -> bytes:
        """The colour table that ``flags`` announce, or none."""
        return self._read(3 * (2 << (flags & 7))) if flags & 0x80 else b""

    def _sub_blocks(self) -> bytes:
        """Sub-blocks with their lengths, up to the empty one."""
        blocks = bytearray()
        while True:
            size = self._read(1)
            blocks += size + self._read(size[0])
            if size == b"\0":
                return bytes(blocks)
            if len(blocks) > _MAX_LAYER_BYTES:
                raise MediaError(f"{self._label}: a block of more than {_MAX_LAYER_BYTES} bytes")


def _joined(blocks: bytes) -> bytes:
    """What sub-blocks hold."""
    joined, place = bytearray(), 0
    while size := blocks[place]:
        joined += blocks[place + 1 : place + 1 + size]
        place += 1 + size
    return bytes(joined)


def _colours(table: bytes, transparent: int | None) -> npt.NDArray[np.uint8]:
    """RGBA of each index, uint8 (N, 4); the transparent index may lie behind the table."""
    count = len(table) // 3
    colours = np.zeros((max(count, -1 if transparent is None else transparent + 1), 4), np.uint8)
    colours[:count, :3] = np.frombuffer(table, np.uint8).reshape(-1, 3)
    colours[:count, 3] = 255
    if transparent is not None:
        colours[transparent] = 0
    return colours


# ------------------------------------------------------------------------------------------- PNG

_GRAY_TYPES = frozenset({0, 4})  # colour types without and with alpha
_WANTED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND"})


def chunks(file: BinaryIO, label: str) -> Iterator[tuple[bytes, bytes]]:
    """Kind and payload of the chunks that matter, from the first byte of ``file`` to IEND; others are passed over.

    Raises:
        MediaError: the file ends early, a CRC-32 is wrong, or a chunk is too long.
    """
    _read_exactly(file, len(PNG_SIGNATURE), label)
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", _read_exactly(file, 8, label))
        if kind not in _WANTED:
            file.seek(length + 4, 1)
            continue
        if length > _MAX_LAYER_BYTES:
            raise MediaError(f"{label}: a chunk of {length} bytes; at most {_MAX_LAYER_BYTES} are accepted")
        payload = _read_exactly(file, length, label)
        if _read_exactly(file, 4, label) != struct.pack(">I", zlib.crc32(kind + payload)):
            raise MediaError(f"{label}: is damaged: a {kind.decode()} chunk has another CRC-32")
        yield kind, payload


def is_apng(file: BinaryIO) -> bool:
    """Whether a PNG is animated: an acTL chunk comes before the picture. A damaged file is not."""
    return next((kind for kind, _ in chunk_heads(file) if kind in (b"acTL", b"IDAT")), b"") == b"acTL"


def bit_depth(png: bytes) -> int:
    """Bits a sample, of a PNG file or its first 25 bytes; 0 where there are fewer."""
    return png[24] if len(png) > 24 else 0  # signature 8, chunk header 8, width 4, height 4


class ApngFile(LayeredFile):
    """An animated PNG.

    A picture for viewers that know no animation, which no fcTL chunk precedes, is no layer.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        super().__init__(file, label)
        self.attachments = of_png(file)
        file.seek(0)
        self._chunks = chunks(file, label)
        self._shared = b""  # what the pixels of all layers need: palette, transparency
        self._header = b""
        self.count = 0
        for kind, payload in self._chunks:
            if kind == b"IHDR" and len(payload) == 13:
                self._header = payload
            elif kind == b"acTL" and len(payload) == 8:
                self.count, times = struct.unpack(">II", payload)
                self.attachments |= played(times)
                break
            else:
                self._keep(kind, payload)
        if not self._header or not self.count:
            raise self._damaged("its IHDR or acTL chunk is missing, or says nothing")
        width, height, bits, colour_type = struct.unpack(">IIBB", self._header[:10])
        refuse_size(label, width, height)
        is_gray = colour_type in _GRAY_TYPES
        planes = SampleFormat.GRAY if is_gray else SampleFormat.RGB
        self.format = PictureFormat(width, height, planes, bit_depth=16 if bits > 8 else 8)

    def _keep(self, kind: bytes, payload: bytes) -> None:
        """A chunk that is about all layers."""
        if kind in (b"PLTE", b"tRNS"):
            self._shared += chunk(kind, payload)

    def _damaged(self, reason: str) -> MediaError:
        return MediaError(f"{self._label}: is a damaged APNG: {reason}")

    def __iter__(self) -> Iterator[Layer]:
        layer: Layer | None = None  # whose pixels are being read
        data = bytearray()
        number = sequence_number = 0
        for kind, payload in self._chunks:
            if kind in (b"fcTL", b"fdAT"):
                if payload[:4] != struct.pack(">I", sequence_number):
                    raise self._damaged(f"its animation chunks are not in order at number {sequence_number}")
                sequence_number += 1
            if kind in (b"fcTL", b"IEND") and layer is not None:
                if not data:
                    raise self._damaged(f"picture {number} has no pixels")
                yield layer._replace(image=self._alone(layer, bytes(data)))
                data.clear()
                number += 1
            if kind == b"fcTL":
                layer = self._layer(payload, number)
            elif kind == b"fdAT":
                if layer is None:
                    raise self._damaged("a picture has no fcTL chunk")
                data += payload[4:]
            elif kind == b"IDAT":
                if sequence_number > 1:
                    raise self._damaged("an IDAT chunk follows a later picture")
                if layer is not None:  # else the picture is for viewers that know no animation
                    if layer[:4] != (0, 0, self.format.width, self.format.height):
                        raise self._damaged("its first picture does not fill it")
                    data += payload
            else:
                self._keep(kind, payload)
            if len(data) > _MAX_LAYER_BYTES:
                raise MediaError(f"{self._label}: picture {number} takes more than {_MAX_LAYER_BYTES} bytes")
        if number != self.count:
            raise self._damaged(f"it has {number} pictures instead of {self.count}")

    def _layer(self, payload: bytes, number: int) -> Layer:
        """The layer that an fcTL chunk describes, without its pixels."""
        if len(payload) != 26:
            raise self._damaged(f"the fcTL chunk of picture {number} has {len(payload)} bytes instead of 26")
        if number == self.count:
            raise self._damaged(f"it has more than {self.count} pictures")
        _, width, height, left, top, numerator, denominator, disposal, blend = struct.unpack(">IIIIIHHBB", payload)
        fits = 0 < width <= self.format.width - left and 0 < height <= self.format.height - top
        if not fits or disposal >= len(_APNG_DISPOSALS) or blend > 1:  # APNG_BLEND_OP_SOURCE, OVER
            raise self._damaged(f"picture {number} lies outside, or is shown in a way that is not defined")
        milliseconds = Fraction(1000 * numerator, denominator or 100)
        return Layer(left, top, width, height, _APNG_DISPOSALS[disposal], blend == 1, milliseconds)

    def _alone(self, layer: Layer, data: bytes) -> bytes:
        """A PNG of that layer only."""
        header = struct.pack(">II", layer.width, layer.height) + self._header[8:]
        parts = chunk(b"IHDR", header) + self._shared + chunk(b"IDAT", data) + chunk(b"IEND", b"")
        return PNG_SIGNATURE + parts
