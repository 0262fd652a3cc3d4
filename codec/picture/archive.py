"""What gives back files byte for byte: what they have beside their samples, and how these were compressed (spec 5.8).

PNG is compressed again as it was, if zlib here does so with some of its settings; of files that hold their samples as
they are, what lies before, between and behind them is kept. Of other files there is a hash alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.errors import MediaError
from codec.picture.attachments import chunk, chunk_heads
from codec.picture.layers import PNG_CHANNELS, PNG_SIGNATURE
from codec.picture.planes import Picture, Plane, of_ordered
from codec.picture.png_filters import filtered
from codec.picture.sequence import PictureSource

__all__ = ["Archivist", "NotRestoredError", "WholeFile", "is_archived", "restored"]

_HASH, _HEAD, _REST = "archive:sha256", "archive:head", "archive:rest"
_FILE, _LEAD = "archive:file", "archive:lead"  # of one file of all pictures
_PNG, _BY_PIXEL, _BY_PLANE, _AS_BMP = range(4)  # how a file is restored: the first byte of the rest
_BIG_ENDIAN, _OPAQUE, _GRAY = 4, 8, 16  # added to it
_PILLOW = 0
_WRONG = (struct.error, zlib.error, ValueError, LookupError, ArithmeticError, OSError)  # what files may make of us
_PREFIX = 1 << 16  # bytes that tell whether settings of zlib are the right ones
_MOST_HEAD = 1 << 20  # bytes between the samples of two pictures
_MOST_BYTES = 1 << 23


class _Deflate(NamedTuple):
    """Settings of zlib; ``memory`` is `_PILLOW` where Pillow compresses, which often has a zlib of its own."""

    level: int
    strategy: int
    memory: int
    window_bits: int


class _Part(NamedTuple):
    """What a file has before and behind the samples of a picture."""

    lead: bytes
    rest: bytes  # behind a byte, how its samples are laid out


class Archivist:
    """Finds out how files were made; those of one sequence mostly in the same way."""

    def __init__(self) -> None:
        self.files = self.restorable = 0
        self._last: list[_Deflate] = []

    def archived(self, source: PictureSource, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """The pictures of a source, with what gives back the file of each, or the one file of them all.

        `MediaError` where a file cannot be read again.
        """
        files, unread = [Path(file) for file in source.files if not isinstance(file, int)], iter(pictures)
        first = list(itertools.islice(unread, 1))
        pictures = itertools.chain(first, unread)
        try:
            if files and first and first[0].name == files[0].name:
                for path, picture in zip(files, pictures, strict=False):
                    yield _with(picture, self.attachments(path.read_bytes(), picture))
            elif first and len(files) == 1 and files[0].suffix.lower() != ".mvz" and files[0].is_file():
                self.files = 1
                with files[0].open("rb") as file:
                    said = hashlib.file_digest(file, "sha256").digest() + struct.pack("<I", source.count or 0)
                    said += files[0].suffix.lower().encode()
                    file.seek(0)
                    yield from self._of_one_file(_parts(file, pictures, source.count or 0), {_FILE: said})
            else:  # a pipe, or memory; pictures of another .mvz have what came with their files
                yield from pictures
        except OSError as error:
            raise MediaError(f"{source.label}: cannot be read again: {error.strerror or error}") from error

    def _of_one_file(
        self, parts: Iterator[tuple[Picture, _Part | None]], common: dict[str, bytes]
    ) -> Iterator[Picture]:
        """Pictures with their parts of a file. What most have is the same, and the file says it once."""
        first_two = list(itertools.islice(parts, 2))
        (_, first), (_, second) = first_two[0], first_two[-1]
        if first and second:
            common |= {_HEAD: first.lead, _LEAD: second.lead, _REST: first.rest}
        part = None
        for number, (picture, part) in enumerate(itertools.chain(first_two, parts)):
            own = {}
            if _REST in common and number:
                own = {_LEAD: part.lead, _REST: part.rest} if part else {_REST: b""}
            yield _with(picture, common | own)
        self.restorable = int(part is not None)

    def attachments(self, data: bytes, picture: Picture) -> Mapping[str, bytes]:
        """What has to come with a picture to give back ``data``, the file that it was read from."""
        self.files += 1
        attachments = {_HASH: hashlib.sha256(data).digest()}
        with contextlib.suppress(*_WRONG):  # no file of that kind
            is_png = data.startswith(PNG_SIGNATURE[:4])
            head, rest = self._png(data, picture) if is_png else _plain(data, picture)
            found = attachments | {_HEAD: head, _REST: rest}
            if len(head) + len(rest) < _MOST_BYTES and restored(_with(picture, found)) == data:
                self.restorable += 1
                return found
        return attachments

    def _png(self, data: bytes, picture: Picture) -> _Part:
        """All before the first IDAT chunk; settings, sizes of IDAT chunks, filter of each row, and what is behind."""
        file = io.BytesIO(data)
        parts = [(file.tell(), size) for kind, size in chunk_heads(file) if kind == b"IDAT"]
        stream = b"".join(data[start : start + size] for start, size in parts)
        pixels, height = _Pixels.of(picture, data), picture.format.height
        stride = len(pixels.filtered(bytes(height))) // height
        rows = zlib.decompressobj().decompress(stream, stride * height)
        filters = rows[::stride]
        if rows != pixels.filtered(filters):
            raise ValueError("interlaced")
        fitting = (each for each in self._settings(stream) if pixels.deflated(rows, each, stream) == stream)
        if (settings := next(fitting, None)) is None:
            raise ValueError("another zlib, or settings of each part")
        self._last = [settings]
        head = struct.pack("<B4B2sI", _PNG, *settings, stream[:2], len(parts))
        sizes = struct.pack(f"<{len(parts)}I", *(size for _, size in parts))
        return _Part(data[: parts[0][0] - 8], head + sizes + filters + data[sum(parts[-1]) + 4 :])

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
    with contextlib.suppress(*_WRONG):  # hostile: the hash decides
        if rest[0] == _PNG:
            *settings, start, count = struct.unpack_from("<4B2sI", rest, 1)
            place = 11 + 4 * count
            end = place + picture.format.height
            sizes, filters = struct.unpack_from(f"<{count}I", rest, 11), rest[place:end]
            pixels, how = _Pixels.of(picture, head), _Deflate(*settings)
            rows = b"" if how.memory == _PILLOW else pixels.filtered(filters)
            stream = io.BytesIO(pixels.deflated(rows, how, start))
            data = head + b"".join(chunk(b"IDAT", stream.read(size)) for size in sizes) + rest[end:]
        else:
            data = head + _layout(picture, rest[0]) + rest[1:]
    is_right = data is not None and hashlib.sha256(data).digest() == picture.attachments[_HASH]
    return data if is_right else None


class NotRestoredError(MediaError):
    """Pictures do not give back the file that they came from, such as those that were changed since."""


class WholeFile:
    """Makes one file of all pictures again, part by part.

    ``count`` is how many pictures it is of, ``suffix`` that of its name.
    ``is_known`` is whether there is more of it than a hash, as far as parts have been made.
    """

    @classmethod
    def of(cls, picture: Picture) -> WholeFile | None:
        """The file whose first picture this is, if there is one."""
        return cls(picture) if len(picture.attachments.get(_FILE, b"")) >= 36 else None

    def __init__(self, picture: Picture) -> None:
        said = picture.attachments[_FILE]
        self._wanted, self.count = struct.unpack_from("<32sI", said)
        self.suffix = said[36:].decode(errors="replace")
        self.is_known = picture.attachments.keys() >= {_HEAD, _LEAD, _REST}
        self._made, self._parts = hashlib.sha256(), 0

    def part(self, picture: Picture) -> bytes:
        """The part of the next picture; none where it is not known."""
        lead, rest = (picture.attachments.get(key, b"") for key in (_LEAD if self._parts else _HEAD, _REST))
        self._parts += 1
        try:
            part = lead + _layout(picture, rest[0]) + rest[1:]
        except (ValueError, LookupError):
            self.is_known, part = False, b""
        self._made.update(part)
        return part

    @property
    def is_right(self) -> bool:
        """Whether the parts so far are the file."""
        return bool(self._made.digest() == self._wanted)


def is_archived(picture: Picture, *, whole: bool = False) -> bool:
    """Whether the hash of a picture's file came with it; ``whole``: all that gives it back."""
    return picture.attachments.keys() >= ({_HASH, _HEAD, _REST} if whole else {_HASH})


def _with(picture: Picture, attachments: Mapping[str, bytes]) -> Picture:
    return replace(picture, attachments={**picture.attachments, **attachments})


class _Pixels(NamedTuple):
    """Samples (H, W, channels) as a PNG holds them, of ``depth`` bits."""

    samples: Plane
    depth: int
    is_palette: bool

    @classmethod
    def of(cls, picture: Picture, head: bytes) -> _Pixels:
        """Those of the PNG that begins so, whose palette or gray may have become RGB, and alpha been left out."""
        depth, colour_type = head[24:26]
        if colour_type == 3:
            return cls(_indices(picture, head), depth, True)
        channels, peak = PNG_CHANNELS[colour_type], picture.format.peak
        colours = picture.planes[: 1 if channels < 3 else 3]
        alpha = picture.planes[-1] if picture.format.sample_format.has_alpha else np.full_like(colours[0], peak)
        samples = np.stack([*colours, *[alpha][: channels % 2 == 0]], axis=2)
        return cls(samples // (255 // ((1 << depth) - 1)) if depth < 8 else samples, depth, False)

    def filtered(self, filters: bytes) -> bytes:
        """Rows as PNG compresses them, each behind its filter."""
        if self.depth < 8:
            bits = self.samples >> np.arange(self.depth)[::-1] & 1
            rows = np.packbits(bits.reshape(len(bits), -1).astype(np.uint8), axis=1)
        else:
            rows = _as_bytes(self.samples, _BIG_ENDIAN).reshape(len(self.samples), -1)
        pixel_bytes = self.samples.shape[2] * self.samples.itemsize
        return filtered(rows, np.frombuffer(filters, np.uint8), pixel_bytes).tobytes()

    def deflated(self, rows: bytes, settings: _Deflate, stream: bytes) -> bytes:
        """Filtered rows compressed, with the first two bytes of ``stream``; nothing where that goes on otherwise."""
        level, strategy, memory, window_bits = settings
        if memory == _PILLOW:
            if self.depth == 16 and self.samples.shape[2] > 1:
                return b""
            from codec.picture.images import png_stream  # heavy

            return png_stream(self.samples, level, self.depth if self.is_palette else None)
        deflater = zlib.compressobj(level, zlib.DEFLATED, -window_bits, memory, strategy)
        begun = stream[:2] + deflater.compress(rows[:_PREFIX])
        if not begun.startswith(stream[: len(begun)]):
            return b""
        return begun + deflater.compress(rows[_PREFIX:]) + deflater.flush() + struct.pack(">I", zlib.adler32(rows))


def _indices(picture: Picture, head: bytes) -> Plane:
    """The place of each colour in the palette of the PNG that begins so, (H, W, 1)."""
    place = head.index(b"PLTE")
    if (count := int.from_bytes(head[place - 4 : place]) // 3) > 256:
        raise ValueError("no palette")
    colours = np.full((count, 4), 255, np.uint8)
    colours[:, :3] = np.frombuffer(head, np.uint8, 3 * len(colours), place + 4).reshape(-1, 3)
    if picture.format.sample_format.has_alpha and (place := head.find(b"tRNS")) > 0:
        alpha = np.frombuffer(head, np.uint8, int.from_bytes(head[place - 4 : place]), place + 4)
        colours[: len(alpha), 3] = alpha
    opaque = [np.full_like(picture.planes[0], 255)]
    pixels = np.stack([*picture.planes, *opaque][:4], axis=2).view(np.uint32)
    known, first = np.unique(colours.view(np.uint32), return_index=True)
    found = np.searchsorted(known, pixels).clip(max=len(known) - 1)
    if (known[found] != pixels).any():
        raise ValueError("another palette")
    return np.asarray(first[found], np.uint8)


def _as_bytes(samples: npt.NDArray[Any], how: int) -> npt.NDArray[np.uint8]:
    """Samples with their lower byte first, or the higher one."""
    return np.ascontiguousarray(samples, samples.dtype.newbyteorder(">" if how & _BIG_ENDIAN else "<")).view(np.uint8)


def _layouts(picture: Picture) -> Iterator[int]:
    """All ways in which a file may hold the samples of a picture."""
    sample_format = picture.format.sample_format
    is_yuv = not (sample_format.is_gray or sample_format.is_rgb)
    same = sample_format.is_rgb and all(np.array_equal(plane, picture.planes[0]) for plane in picture.planes[1:3])
    for kind in (_BY_PLANE,) if is_yuv else (_BY_PIXEL, _BY_PLANE, _AS_BMP):
        for order in (0, _BIG_ENDIAN)[: picture.format.dtype.itemsize]:
            for alpha in (0,) if is_yuv or sample_format.has_alpha else (0, _OPAQUE):
                yield from (kind + order + alpha + gray for gray in (0, _GRAY)[: 1 + same])


def _plain(data: bytes, picture: Picture) -> _Part:
    """What lies before and behind the samples of a file that holds them as they are."""
    for layout in _layouts(picture):
        samples = _layout(picture, layout)
        if (place := data.find(samples)) >= 0:
            return _Part(data[:place], bytes([layout]) + data[place + len(samples) :])
    raise ValueError("its samples are compressed")


def _parts(file: BinaryIO, pictures: Iterable[Picture], count: int) -> Iterator[tuple[Picture, _Part | None]]:
    """Pictures with their parts of a file, from the first for which there is none without."""
    layouts, is_known = None, count > 0
    for number, picture in enumerate(pictures, 1):
        part = None
        for layout in (layouts or _layouts(picture)) if is_known else ():
            samples, start = _layout(picture, layout), file.tell()
            data = file.read(_MOST_HEAD + len(samples))
            place = data.find(samples)
            file.seek(start if place < 0 else start + place + len(samples))
            if place >= 0:
                layouts = [layout]
                tail = file.read(_MOST_BYTES) if number == count else b""
                part = _Part(data[:place], bytes([layout]) + tail) if len(tail) < _MOST_BYTES else None
                break
        is_known = part is not None
        yield picture, part


def _layout(picture: Picture, how: int) -> bytes:
    """Samples from the top, pixel by pixel or plane by plane; or as in BMP: from below, blue first, in whole words."""
    planes, kind = list(picture.planes), how & 3
    if kind == _PNG or how >= 2 * _GRAY:
        raise ValueError("no such layout")
    planes = planes[:1] if how & _GRAY else planes
    planes += [np.full_like(planes[0], picture.format.opaque_alpha)] if how & _OPAQUE else []
    arrays = [of_ordered(plane) if picture.format.is_float else plane for plane in planes]
    if kind == _BY_PLANE:
        return b"".join(_as_bytes(each, how).tobytes() for each in arrays)
    samples = np.stack(arrays, axis=2)
    if kind == _BY_PIXEL:
        return _as_bytes(samples, how).tobytes()
    rows = _as_bytes(samples[::-1, :, ::-1], how).reshape(len(samples), -1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
