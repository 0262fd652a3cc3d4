"""Image files with samples of 9…16 bits, of which Pillow keeps 8: PNG, PPM, and TIFF of more than gray, or float16."""

from __future__ import annotations

import logging
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from codec.errors import MediaError
from codec.picture import layers
from codec.picture.attachments import chunk, tiff_entries
from codec.picture.planes import Picture, PictureFormat, SampleFormat, Samples
from codec.picture.png_filters import filtered, least_filters, unfilter
from codec.picture.sequence import MAX_PIXELS, refuse_size
from codec.picture.tiff_tags import LONG, SHORT, Entry, directory_bytes

if TYPE_CHECKING:
    from types import ModuleType

    from tifffile import TiffPage

__all__ = [
    *("MULTIPLIED", "PNG_EFFORT", "WHITE_IS_ZERO", "DeepFile", "DeepPng", "DeepTiff", "TiffWriter", "open_deep"),
    *("png_bytes", "ppm_bytes"),
]

Deep = npt.NDArray[np.uint16]


class DeepFile:
    """An open image file of such samples: ``count`` pictures of ``format``.

    ``notes`` say what a reader should know and may miss.
    """

    format: PictureFormat
    count = 1

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file, self._label = file, label
        self.notes: list[str] = []

    def picture(self, number: int = 0) -> Picture:
        """Picture ``number``; raises `MediaError` where the file ends early or breaks its format."""
        raise NotImplementedError


def open_deep(file: BinaryIO, label: str) -> DeepFile | None:
    """The file, from its first byte, if it is a still PNG or a PPM of such samples; which TIFFs are, Pillow tells."""
    start = file.read(_MAX_HEAD)
    file.seek(0)
    if start.startswith(layers.PNG_SIGNATURE) and layers.bit_depth(start) > 8:
        return DeepPng(file, label)
    if start[:2] not in (b"P2", b"P3", b"P5", b"P6"):
        return None
    head = _PPM_HEAD.match(start)
    if head is None:
        raise MediaError(f"{label}: is a damaged PPM: it does not begin with width, height and the largest sample")
    return DeepPpm(file, label, head) if int(head["peak"]) > 255 else None


# ------------------------------------------------------------------------------------------- PNG

PNG_EFFORT = 3  # zlib level: 3 % larger than 9 on foreman, four times as fast
# of an interlaced PNG the first row and column of each pass, and the steps to the next ones
_WHOLE = ((0, 0, 1, 1),)
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


class DeepPng(DeepFile):
    """A PNG of 16 bits (https://www.w3.org/TR/png-3/), one picture."""

    def __init__(self, file: BinaryIO, label: str) -> None:
        super().__init__(file, label)
        self._chunks = layers.chunks(file, label)
        kind, header = next(self._chunks)
        if kind != b"IHDR" or len(header) != 13:
            raise MediaError(f"{label}: is a damaged PNG: it does not begin with a whole IHDR chunk")
        width, height, bits, colour_type, *methods, interlace = struct.unpack(">IIBBBBB", header)
        refuse_size(label, width, height)
        if bits != 16 or colour_type not in layers.PNG_CHANNELS or any(methods) or interlace > 1:
            raise MediaError(f"{label}: is a damaged PNG: its IHDR chunk says what PNG does not define")
        self._shape = height, width, layers.PNG_CHANNELS[colour_type]
        self._passes = _PASSES if interlace else _WHOLE
        self._key = b""  # samples of the one colour that is transparent
        self._first = b""
        for kind, payload in self._chunks:
            if kind == b"tRNS" and colour_type in (0, 2):
                self._key = payload
            elif kind == b"IDAT":
                self._first = payload
                break
        if self._key and len(self._key) != 2 * self._shape[2]:
            raise MediaError(f"{label}: is a damaged PNG: its tRNS chunk has {len(self._key)} bytes")
        planes = SampleFormat.GRAY if colour_type in (0, 4) else SampleFormat.RGB
        has_alpha = colour_type > 2 or bool(self._key)
        self.format = PictureFormat(width, height, planes.with_alpha() if has_alpha else planes, bit_depth=16)

    def picture(self, number: int = 0) -> Picture:
        """The picture; can be asked for once."""
        samples = np.empty(self._shape, np.uint16)
        pixel_bytes = 2 * self._shape[2]
        parts = [part for top, left, down, across in self._passes if (part := samples[top::down, left::across]).size]
        sizes = [len(part) * (1 + part.shape[1] * pixel_bytes) for part in parts]
        data = np.frombuffer(self._inflated(sum(sizes)), np.uint8)
        for part, rows in zip(parts, np.split(data, np.cumsum(sizes[:-1])), strict=True):
            plain = np.empty((len(part), part.shape[1] * pixel_bytes), np.uint8)
            unfilter(rows.reshape(len(part), -1), plain, pixel_bytes)
            part[...] = plain.view(">u2").reshape(part.shape)
        if self._key:
            key = np.frombuffer(self._key, ">u2")
            alpha = np.where((samples == key).all(axis=2), np.uint16(0), np.uint16(65535))
            samples = np.concatenate([samples, alpha[..., np.newaxis]], axis=2)
        return Picture.from_array(samples)

    def _inflated(self, size: int) -> bytes:
        """What the IDAT chunks hold, ``size`` bytes, however much more there may be."""
        stream, data = zlib.decompressobj(), bytearray()
        for payload in self._data():
            if len(data) < size:
                data += stream.decompress(payload, size - len(data))
        if len(data) < size:
            raise MediaError(f"{self._label}: ends early: {len(data)} of {size} bytes of its rows")
        return bytes(data)

    def _data(self) -> Iterator[bytes]:
        """Payloads of the IDAT chunks, to the end of the file."""
        yield self._first
        yield from (payload for kind, payload in self._chunks if kind == b"IDAT")


def png_bytes(samples: Deep) -> bytes:
    """A PNG of 16 bits, whole: of gray (H, W), RGB (H, W, 3), or with alpha (H, W, 2) or (H, W, 4)."""
    height, width = samples.shape[:2]
    channels = math.prod(samples.shape[2:])
    colour_type = next(number for number, count in layers.PNG_CHANNELS.items() if count == channels)
    rows = np.ascontiguousarray(samples, ">u2").view(np.uint8).reshape(height, -1)
    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    filters = least_filters(rows, 2 * channels)
    parts += chunk(b"IDAT", zlib.compress(filtered(rows, filters, 2 * channels).data, PNG_EFFORT))
    return layers.PNG_SIGNATURE + parts + chunk(b"IEND", b"")


# ------------------------------------------------------------------------------------------- PPM

_MAX_HEAD = 1 << 16  # bytes, of which most are comments
_PPM_NUMBERS = (b"width", b"height", b"peak")
_GAP = rb"(?:\s|#[^\n]*\n)+"
_PPM_HEAD = re.compile(_GAP.join((rb"P(?P<kind>[2356])", *(rb"(?P<%s>\d{1,7})" % of for of in _PPM_NUMBERS))) + rb"\s")


class DeepPpm(DeepFile):
    """A PGM or PPM whose samples have two bytes, the higher one first."""

    def __init__(self, file: BinaryIO, label: str, head: re.Match[bytes]) -> None:
        super().__init__(file, label)
        width, height, peak = (int(head[name]) for name in ("width", "height", "peak"))
        refuse_size(label, width, height)
        bit_depth = peak.bit_length()
        if head["kind"] in b"23":
            raise MediaError(f"{label}: is a PPM as text with samples 0…{peak}; binary ones are read, P5 and P6")
        if peak != (1 << bit_depth) - 1 or bit_depth > 16:
            raise MediaError(f"{label}: has samples 0…{peak}; their largest is 2**n − 1, such as 1023 or 65535, here")
        planes = SampleFormat.RGB if head["kind"] == b"6" else SampleFormat.GRAY
        self.format = PictureFormat(width, height, planes, bit_depth=bit_depth)
        self._start = head.end()

    def picture(self, number: int = 0) -> Picture:
        """The first picture of the file."""
        self._file.seek(self._start)
        data = self._file.read(self.format.raw_bytes)
        if len(data) < self.format.raw_bytes:
            raise MediaError(f"{self._label}: ends early, at byte {len(data)} of {self.format.raw_bytes}")
        samples = np.frombuffer(data, ">u2").reshape(self.format.height, self.format.width, -1)
        return Picture.from_array(samples.astype(np.uint16), bit_depth=self.format.bit_depth)


def ppm_bytes(samples: npt.NDArray[Samples]) -> bytes:
    """A PGM of gray (H, W), or a PPM of RGB (H, W, 3), of 8 or 16 bits, whole."""
    head = f"P{5 if samples.ndim == 2 else 6}\n{samples.shape[1]} {samples.shape[0]}\n{np.iinfo(samples.dtype).max}\n"
    return head.encode("ascii") + samples.astype(samples.dtype.newbyteorder(">")).tobytes()


# ------------------------------------------------------------------------------------------- TIFF

_MISSING = "pip install 'mvz[tiff]' reads TIFF of more than 8 bits, but for gray"
_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 1, 5, 8, 32946, 32773
WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2  # photometric interpretations
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # sample formats
MULTIPLIED, _ALPHA = 1, 2  # extra samples
_KINDS = {_SIGNED: "signed numbers", _FLOAT: "floating point"}


def _tifffile(label: str) -> ModuleType:
    """The library; `MediaError` that says how to get it where it is missing."""
    try:
        import tifffile
    except ImportError as error:
        raise MediaError(f"{label}: {_MISSING}") from error
    log = logging.getLogger("tifffile")
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # what it says of odd files goes nowhere, unless somebody listens
    return tifffile


class DeepTiff(DeepFile):
    """A TIFF of any number of pages, gray or RGB, with alpha or without, which tifffile reads."""

    def __init__(self, file: BinaryIO, label: str) -> None:
        super().__init__(file, label)
        file.seek(0)
        self._tiff = _tifffile(label).TiffFile(file)
        self._pages = self._tiff.pages
        self.count = len(self._pages)
        if not self.count:
            raise MediaError(f"{label}: is a damaged TIFF: it has no pages")
        self.format = self._format_of(self._pages[0])

    def _format_of(self, page: TiffPage) -> PictureFormat:
        """Format of a page; `MediaError` where it has none that pictures can have."""
        refuse_size(self._label, page.imagewidth, page.imagelength)
        colours = 3 if page.photometric == _RGB else 1
        extra = page.samplesperpixel - colours
        depth = page.bitspersample
        problem, is_float = "", page.sampleformat == _FLOAT and depth == 16
        if page.sampleformat != _UNSIGNED and not is_float:
            kind = _KINDS.get(page.sampleformat, "another kind")
            problem = f"has samples of {kind} of {depth} bits; unsigned whole numbers or float16 are needed"
        elif is_float and page.photometric == WHITE_IS_ZERO:
            problem = "has floating point where 0 is white"
        elif page.photometric not in (WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) or page.imagedepth != 1:
            problem = "is neither gray nor RGB"
        elif not isinstance(depth, int) or not 8 <= depth <= 16:
            problem = f"has samples of {depth} bits; 8…16 are supported, the same for all"
        elif extra and tuple(page.extrasamples) == (MULTIPLIED,):
            problem = "has colours that are multiplied by alpha, which 8 bits may have, and these not"
        elif extra and tuple(page.extrasamples) != (_ALPHA,):
            problem = f"has {page.samplesperpixel} samples a pixel, of which {extra} are neither colour nor alpha"
        if problem:
            raise MediaError(f"{self._label}: {problem}")
        planes = SampleFormat.RGB if colours == 3 else SampleFormat.GRAY
        planes = planes.with_alpha() if extra else planes
        return PictureFormat(page.imagewidth, page.imagelength, planes, bit_depth=depth, is_float=is_float)

    def picture(self, number: int = 0) -> Picture:
        """The picture of a page."""
        page = self._pages[number]
        if (found := self._format_of(page)) != self.format:
            raise MediaError(f"{self._label}: picture {number} is {found}, unlike picture 0, {self.format}")
        self._refuse_bombs(page)
        try:
            samples = page.asarray(maxworkers=1)
        except (ValueError, RuntimeError, ImportError) as error:
            hint = "; pip install imagecodecs brings it" if "imagecodecs" in str(error) else ""
            raise MediaError(f"{self._label}: picture {number} cannot be read: {error}{hint}") from error
        if page.axes.startswith("S"):  # plane by plane
            samples = np.moveaxis(samples, 0, -1)
        if page.photometric == WHITE_IS_ZERO:
            gray = samples if samples.ndim == 2 else samples[..., 0]
            gray[...] = self.format.peak - gray
        return Picture.from_array(samples, bit_depth=self.format.bit_depth)

    def _refuse_bombs(self, page: TiffPage) -> None:
        """Raise `MediaError` where a strip or tile becomes larger than the page says."""
        if page.compression not in (_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS):
            raise MediaError(f"{self._label}: has compression {page.compression}, which is not supported at this depth")
        most = 2 * math.prod(page.chunks)
        if most > 8 * MAX_PIXELS:
            raise MediaError(f"{self._label}: has a tile of {most} bytes")
        for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
            if size > 2 * most + _MAX_HEAD:
                raise MediaError(f"{self._label}: has a strip of {size} bytes for {most} of samples")
            if page.compression in (_DEFLATE, _OLD_DEFLATE):
                self._file.seek(offset)
                if len(zlib.decompressobj().decompress(self._file.read(size), most + 1)) > most:
                    raise MediaError(f"{self._label}: has a strip of more than {most} bytes")


class TiffWriter:
    """Writes a TIFF without compression into ``file``, a page a picture."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._next = file, 4
        file.write(b"II*\0" + bytes(4))

    def write(self, samples: npt.NDArray[Samples | np.float16], attachments: Mapping[str, bytes]) -> None:
        """A page of samples as `png_bytes` takes them, or of 8 bits, or float16, and what came with them.

        `OverflowError` where the file would have more than 4 GiB.
        """
        height, width = samples.shape[:2]
        channels, start = math.prod(samples.shape[2:]), self._file.tell()
        shorts = {
            258: (8 * samples.itemsize,) * channels,
            259: (_PLAIN,),
            262: (_RGB if channels > 2 else _BLACK_IS_ZERO,),
            277: (channels,),
            284: (1,),  # the samples of a pixel one after the other
            339: (_FLOAT if samples.dtype == np.float16 else _UNSIGNED,) * channels,
        } | ({338: (_ALPHA,)} if channels in (2, 4) else {})
        entries = {tag: Entry(SHORT, struct.pack(f"<{len(of)}H", *of)) for tag, of in shorts.items()}
        longs = {256: width, 257: height, 273: 0, 278: height, 279: samples.nbytes}
        entries |= {tag: Entry(LONG, struct.pack("<I", value)) for tag, value in longs.items()}
        entries = tiff_entries(attachments) | entries
        place = start + len(directory_bytes(entries, start))
        if place + samples.nbytes >= 1 << 32:
            raise OverflowError("a TIFF file holds at most 4 GiB")
        entries[273] = Entry(LONG, struct.pack("<I", place))
        self._file.write(directory_bytes(entries, start))
        self._file.write(np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data)
        self._file.write(b"\0" * (samples.nbytes % 2))
        self._file.seek(self._next)
        self._file.write(struct.pack("<I", start))
        self._file.seek(0, 2)
        self._next = start + 2 + 12 * len(entries)
