"""What gives back a picture file byte for byte: what it has beside its samples, and how it was compressed (spec 5.8).

PNG is compressed again as it was, if zlib here does so with some of its settings; of files that hold their samples as
they are, what lies before and behind them is kept. Of other files there is a hash alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from codec.picture.attachments import chunk
from codec.picture.colour import to_array
from codec.picture.layers import PNG_CHANNELS, PNG_SIGNATURE
from codec.picture.planes import Picture, Plane
from codec.picture.png_filters import filtered

__all__ = ["Archivist", "is_archived", "restored"]

_HASH, _HEAD, _REST = "archive:sha256", "archive:head", "archive:rest"
_PNG, _LAYOUTS = 0, range(1, 4)  # how a file is restored: the first byte of the rest
_PILLOW = 0
_PREFIX = 1 << 16  # bytes that tell whether settings of zlib are the right ones


class _Deflate(NamedTuple):
    """Settings of zlib; ``memory`` is `_PILLOW` where Pillow compresses, which often has a zlib of its own."""

    level: int
    strategy: int
    memory: int
    window_bits: int


class Archivist:
    """Finds out how files were made; those of one sequence mostly in the same way."""

    def __init__(self) -> None:
        self.files = self.restorable = 0
        self._last: list[_Deflate] = []

    def attachments(self, data: bytes, picture: Picture) -> Mapping[str, bytes]:
        """What has to come with a picture to give back ``data``, the file that it was read from."""
        self.files += 1
        attachments = {_HASH: hashlib.sha256(data).digest()}
        with contextlib.suppress(struct.error, zlib.error, ValueError, LookupError):  # no file of that kind
            is_png = data.startswith(PNG_SIGNATURE[:4])
            head, rest = self._png(data, picture) if is_png else _plain(data, picture)
            found = attachments | {_HEAD: head, _REST: rest}
            if len(head) + len(rest) < 1 << 23 and restored(_with(picture, found)) == data:
                self.restorable += 1
                return found
        return attachments

    def _png(self, data: bytes, picture: Picture) -> tuple[bytes, bytes]:
        """All before the first IDAT chunk; settings, sizes of IDAT chunks, filter of each row, and what is behind."""
        starts, place = [], 8
        while (kind := data[place + 4 : place + 8]) != b"IEND":
            starts += [place] * (kind == b"IDAT")
            place += 12 + struct.unpack_from(">I", data, place)[0]
        sizes = [struct.unpack_from(">I", data, start)[0] for start in starts]
        stream = b"".join(data[start + 8 : start + 8 + size] for start, size in zip(starts, sizes, strict=True))
        stride = 1 + picture.format.width * PNG_CHANNELS[data[25]]
        inflater = zlib.decompressobj()
        rows = inflater.decompress(stream, stride * picture.format.height)
        filters = rows[::stride]
        samples = _samples(picture, data[25])
        if rows != _filtered(samples, filters):
            raise ValueError("16 bits, a palette, interlaced")
        fitting = (each for each in self._settings(stream) if _deflated(samples, rows, each, stream) == stream)
        if (settings := next(fitting, None)) is None:
            raise ValueError("another zlib, or settings of each part")
        self._last = [settings]
        head = struct.pack("<B4B2sI", _PNG, *settings, stream[:2], len(sizes))
        rest = head + struct.pack(f"<{len(sizes)}I", *sizes) + filters + data[starts[-1] + 12 + sizes[-1] :]
        return data[: starts[0]], rest

    def _settings(self, stream: bytes) -> Iterator[_Deflate]:
        """All settings that may have made a stream, by what its first bytes say; those of the file before first."""
        yield from self._last
        levels = ((1, 0), (5, 4, 3, 2), (6,), (9, 8, 7))[stream[1] >> 6]
        yield from (_Deflate(level, 0, _PILLOW, 15) for level in levels)
        for window_bits in dict.fromkeys((15, max((stream[0] >> 4) + 8, 9))):
            for level in levels:
                for strategy in (0, 1) if stream[1] >> 6 else (0, 1, 2, 3):
                    yield from (_Deflate(level, strategy, memory, window_bits) for memory in (8, 9))


def restored(picture: Picture) -> bytes | None:
    """The file that a picture came from, byte for byte; None where it cannot be had, or there is no archive."""
    if not is_archived(picture):
        return None
    head, rest = (picture.attachments.get(key, b"") for key in (_HEAD, _REST))
    data = None
    with contextlib.suppress(struct.error, zlib.error, ValueError, LookupError):  # hostile: the hash decides
        if rest[0] == _PNG:
            *settings, start, count = struct.unpack_from("<4B2sI", rest, 1)
            place, rows = 11 + 4 * count, picture.format.height
            sizes, filters = struct.unpack_from(f"<{count}I", rest, 11), rest[place : place + rows]
            samples, how = _samples(picture, head[25]), _Deflate(*settings)
            filtered_rows = b"" if how.memory == _PILLOW else _filtered(samples, filters)
            stream = io.BytesIO(_deflated(samples, filtered_rows, how, start))
            data = head + b"".join(chunk(b"IDAT", stream.read(size)) for size in sizes) + rest[place + rows :]
        else:
            data = head + _layout(picture, rest[0]) + rest[1:]
    is_right = data is not None and hashlib.sha256(data).digest() == picture.attachments[_HASH]
    return data if is_right else None


def is_archived(picture: Picture, *, whole: bool = False) -> bool:
    """Whether the hash of a picture's file came with it; ``whole``: all that gives it back."""
    return picture.attachments.keys() >= ({_HASH, _HEAD, _REST} if whole else {_HASH})


def _with(picture: Picture, attachments: Mapping[str, bytes]) -> Picture:
    return Picture(picture.format, picture.planes, attachments=attachments)


def _samples(picture: Picture, colour_type: int) -> Plane:
    """Samples (H, W, channels) of a colour type of PNG, of which gray may have become RGB, and alpha been left out."""
    channels = PNG_CHANNELS[colour_type]
    colours = picture.planes[: 1 if channels < 3 else 3]
    alpha = [picture.planes[-1] if picture.format.sample_format.has_alpha else np.full_like(colours[0], 255)]
    return np.stack([*colours, *alpha[: channels % 2 == 0]], axis=2)


def _filtered(samples: Plane, filters: bytes) -> bytes:
    """Rows as PNG compresses them, each behind its filter."""
    if samples.dtype != np.uint8:
        raise ValueError("samples of more than 8 bits")
    rows = samples.reshape(len(samples), -1)
    return filtered(rows, np.frombuffer(filters, np.uint8), samples.shape[2]).tobytes()


def _deflated(samples: Plane, rows: bytes, settings: _Deflate, stream: bytes) -> bytes:
    """Filtered rows compressed, with the first two bytes of ``stream``; nothing where that goes on in another way."""
    level, strategy, memory, window_bits = settings
    if memory == _PILLOW:
        from codec.picture.images import png_stream  # heavy

        return png_stream(samples.squeeze(2) if samples.shape[2] == 1 else samples, level)
    deflater = zlib.compressobj(level, zlib.DEFLATED, -window_bits, memory, strategy)
    begun = stream[:2] + deflater.compress(rows[:_PREFIX])
    if not begun.startswith(stream[: len(begun)]):
        return b""
    return begun + deflater.compress(rows[_PREFIX:]) + deflater.flush() + struct.pack(">I", zlib.adler32(rows))


def _plain(data: bytes, picture: Picture) -> tuple[bytes, bytes]:
    """What lies before and behind the samples of a file that holds them as they are."""
    for layout in _LAYOUTS:
        samples = _layout(picture, layout)
        if (place := data.find(samples)) >= 0:
            return data[:place], bytes([layout]) + data[place + len(samples) :]
    raise ValueError("its samples are compressed")


def _layout(picture: Picture, layout: int) -> bytes:
    """Samples from the top, pixel by pixel or plane by plane; or as in BMP: from below, blue first, in whole words."""
    if layout not in _LAYOUTS:
        raise ValueError("no such layout")
    planes = np.moveaxis(np.atleast_3d(to_array(picture)), 2, 0)
    if layout == 1:
        return np.moveaxis(planes, 0, 2).tobytes()
    if layout == 2:
        return planes.tobytes()
    rows = np.moveaxis(planes[::-1, ::-1], 0, 2).reshape(planes.shape[1], -1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
