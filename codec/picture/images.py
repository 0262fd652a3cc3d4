"""Pictures in image files, stills and animations. The only module that imports Pillow."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import GifImagePlugin, Image, UnidentifiedImageError

from codec.errors import MediaError
from codec.picture import layers
from codec.picture.alpha import as_given, is_opaque
from codec.picture.attachments import colour_of, kept, of_pillow, of_png, of_tiff, played, png_chunks, sides
from codec.picture.colour import to_array
from codec.picture.deep_files import (
    MULTIPLIED,
    PNG_EFFORT,
    WHITE_IS_ZERO,
    DeepFile,
    DeepPng,
    DeepTiff,
    TiffWriter,
    open_deep,
    png_bytes,
    ppm_bytes,
)
from codec.picture.layers import ApngFile, Disposal, GifFile, Layer, LayeredFile
from codec.picture.planes import Picture, PictureFormat, Plane, SampleFormat, Samples
from codec.picture.sequence import PictureSource, is_steady, rate_of, refuse_size
from codec.picture.tiff_tags import as_stored

__all__ = [
    *("Animation", "ImageFiles", "decoded", "encoded", "gif_blocks", "image_picture", "open_image", "png_stream"),
    *("preview", "write_still"),
]

# No others: some of Pillow's readers start programs (EPS) or guess (TGA).
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MOVING = frozenset({"TIFF", "WEBP"})  # a JPEG with a second picture (MPO) is a still for us
_SUPPORTED = "supported are gray and RGB of 8…16 bits, with alpha or without, and palettes"
_MODE_NAMES = {"I": "gray of signed or 32-bit numbers", "F": "floating point"}
_DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L"})  # gray, which Pillow reads as it is
_GRAY_MODES = _DEEP_MODES | {"1", "L", "LA"}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _DESCRIPTION, _EXTRA_SAMPLES = 258, 262, 270, 338  # TIFF tags
_IMAGEJ_STACK = re.compile(r"ImageJ=.*\nimages=([0-9]{1,9})\b")
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_IHDR_END = 33  # of a PNG: signature 8, chunk header 8, payload 13, CRC-32 4
_WEBP_EFFORT = 2  # 4 % larger than 4 on foreman, three times as fast


# ------------------------------------------------------------------------------------------- sequences


class ImageFiles(PictureSource):
    """One picture a file, in the order given; each picture is named after its file.

    The header of every file is read at once: a file of another size or mode shows before any work is done.
    Gray pictures among RGB ones are read as RGB, those without alpha among others as opaque, and ``notes`` says so.
    Where all are opaque alpha is left out: to know that, pictures with alpha are read up to the first that is not.

    Raises:
        MediaError: no files; a file that is no supported picture; one that differs from the first.
    """

    def __init__(self, paths: Sequence[Path], label: str, *, rate: Fraction | None = None) -> None:
        if not paths:
            raise MediaError(f"{label}: has no pictures")
        self._paths = tuple(paths)
        self._formats: list[PictureFormat] = []
        noted: dict[str, str] = {}  # the first file of each note
        for path in paths:
            kind = _probe(path)
            if kind.frames > 1:
                raise MediaError(f"{path}: is an animation of {kind.frames} pictures; open it by itself")
            if not self._formats:
                colour = colour_of(kind.attachments)
            self._formats.append(kind.format)
            noted = {text: f"{path}: {text}" for text in kind.notes} | noted
        super().__init__(label, self._formats[0], rate, len(paths))
        self.notes = list(noted.values())
        for path, other in zip(paths, self._formats, strict=True):
            if replace(other, sample_format=self.format.sample_format) != self.format:
                raise MediaError(f"{path}: is {other}, unlike the first, {paths[0]}: {self._formats[0]}")
        self.format = replace(self.format, sample_format=self._common_planes(label), colour=colour)

    def _common_planes(self, label: str) -> SampleFormat:
        """The planes that hold every picture; says which pictures get some that they have not."""
        formats = dict(zip(self._paths, (of.sample_format for of in self._formats), strict=True))
        gray = [path for path, of in formats.items() if of.is_gray]
        planes = SampleFormat.GRAY if len(gray) == len(formats) else SampleFormat.RGB
        if gray and planes.is_rgb:
            self.note(f"{label}: gray pictures among RGB, {len(gray)} such as {gray[0].name}, are read as RGB")
        may_be_transparent = [path for path, of in formats.items() if of.has_alpha]
        see_through = next((path for path in may_be_transparent if not is_opaque(_read_still(path))), None)
        if see_through is None:
            return planes
        self.transparent = f"{see_through}:"
        without = [path for path, of in formats.items() if not of.has_alpha]
        if without:
            some = f"{len(without)} such as {without[0].name}"
            self.note(f"{label}: pictures without alpha among others, {some}, are read as opaque")
        return planes.with_alpha()

    def __iter__(self) -> Iterator[Picture]:
        for path, expected in zip(self._paths, self._formats, strict=True):
            picture = _read_still(path)
            if picture.format != expected:
                raise MediaError(f"{path}: is {picture.format} by now, and was {expected}")
            given = as_given(picture, self.format, f"{path}:")
            if expected.sample_format.is_gray and self.format.sample_format.is_rgb:  # its profile is of gray
                given = replace(given, attachments={key: of for key, of in given.attachments.items() if key != "icc"})
            yield given


class Animation(PictureSource):
    """The composed pictures of an animated GIF, APNG or WebP, or of a TIFF with several pages.

    Opening reads the file once to learn how long each picture is shown, see `rate_of`, and whether all are opaque:
    then their alpha is left out. Pictures have durations where those are no rate, and none is asked for.
    """

    def __init__(self, path: Path, *, rate: Fraction | None = None) -> None:
        kind = _probe(path)
        super().__init__(os.fspath(path), replace(kind.format, colour=colour_of(kind.attachments)), rate, kind.frames)
        self._path = path
        self._attachments = kind.attachments
        for text in kind.notes:
            self.note(f"{path}: {text}")
        has_alpha = kind.format.sample_format.has_alpha
        if rate is None or has_alpha:
            times, see_through = _survey(path, has_alpha)
            if see_through is not None:
                self.transparent = f"{path}: picture {see_through}"
            elif has_alpha:
                self.format = self.format.opaque()
        self._have_durations = False
        if rate is None:
            self.rate = rate_of(times, kind.tick_ms)
            self._have_durations = not is_steady(times, kind.tick_ms)

    def __iter__(self) -> Iterator[Picture]:
        for number, (picture, milliseconds) in enumerate(_read_frames(self._path)):
            picture = as_given(picture, self.format, f"{self._path}: picture {number}")
            duration = milliseconds / 1000 if self._have_durations else None
            yield replace(picture, duration=duration, attachments=self._attachments)


def open_image(path: Path, rate: Fraction | None = None) -> PictureSource:
    """A still picture as a sequence of one, or an animation."""
    if _probe(path).frames > 1:
        return Animation(path, rate=rate)
    return ImageFiles([path], os.fspath(path), rate=rate)


# ------------------------------------------------------------------------------------------- files that are read


class _ImageKind(NamedTuple):
    """What a file holds: the format of its pictures, how many there are, and what a reader may miss in them.

    ``tick_ms`` is the clock of its times.
    """

    format: PictureFormat
    frames: int
    notes: tuple[str, ...]
    attachments: Mapping[str, bytes]
    tick_ms: int = 1


@contextlib.contextmanager
def _media_errors(label: str) -> Iterator[None]:
    """Whatever a reader raises becomes a `MediaError` that names the file and says something."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except MediaError:
        raise
    except FileNotFoundError as error:
        raise MediaError(f"{label}: no such file") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{label}: not a picture; known are {', '.join(_FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"{label}: more pixels than are accepted: {error}") from error
    except Exception as error:  # a damaged file makes Pillow raise any kind of error
        raise MediaError(f"{label}: cannot be read: {str(error) or type(error).__name__}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[LayeredFile | DeepFile | Image.Image]:
    """A GIF or APNG, whose layers are put together here; any other file as `_open_image` opens it."""
    with contextlib.ExitStack() as resources:
        with _media_errors(str(path)):
            file = resources.enter_context(path.open("rb"))
            start = file.read(8)
            is_apng = start == layers.PNG_SIGNATURE and layers.is_apng(file)
            file.seek(0)
            opened: LayeredFile | DeepFile | Image.Image
            if is_apng or start[:6] in layers.GIF_SIGNATURES:
                opened = (ApngFile if is_apng else GifFile)(file, str(path))
            else:
                opened = _open_image(file, str(path))
                if isinstance(opened, Image.Image):
                    resources.enter_context(opened)
        yield opened


def _open_image(file: BinaryIO, label: str) -> DeepFile | Image.Image:
    """A file as Pillow opens it, unless that cuts its samples; header read, no samples yet.

    `MediaError` where its size or depth are not supported.
    """
    deep = open_deep(file, label)
    if deep is not None:
        return deep
    start = file.read(25)
    file.seek(0)
    if start[:4] == _TIFF_SIGNATURES[-1]:  # large, and higher bytes first: Pillow misreads its tags
        return DeepTiff(file, label)
    try:
        image = Image.open(as_stored(file) if start[:4] in _TIFF_SIGNATURES else file, formats=_FORMATS)
    except UnidentifiedImageError:
        if start[:4] in _TIFF_SIGNATURES:  # of a kind that Pillow does not know
            return DeepTiff(file, label)
        raise
    refuse_size(label, *image.size)
    if _bits_per_sample(image) > 8 and image.mode not in _DEEP_MODES | _MODE_NAMES.keys():
        return DeepTiff(file, label)
    key = image.info.get("transparency")
    if image.format == "PNG" and image.mode in ("L", "RGB") and key is not None:
        # the key is as stored in the file, and Pillow compares it with samples of 8 bits
        highest = (1 << layers.bit_depth(start)) - 1
        scaled = [(value & highest) * 255 // highest for value in np.atleast_1d(key).tolist()]
        image.info["transparency"] = scaled[0] if image.mode == "L" else tuple(scaled)
    return image


def _bits_per_sample(image: Image.Image) -> int:
    """Bits that a sample has in the file of an image, if it is a TIFF, or else in memory."""
    if image.format == "TIFF":
        return int(max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))))
    return 16 if image.mode in _DEEP_MODES else 8


def _frame_count(image: Image.Image) -> int:
    """Pictures to show in a file that has no layers; `ValueError` where some cannot be found."""
    count = int(getattr(image, "n_frames", 1)) if image.format in _MOVING else 1
    told = _IMAGEJ_STACK.match(str(getattr(image, "tag_v2", {}).get(_DESCRIPTION, "")))
    if told and int(told[1]) > count:
        raise ValueError(f"of its {told[1]} pictures only ImageJ finds more than {count}; save them as OME-TIFF")
    return count


def _format(image: Image.Image, label: str) -> PictureFormat:
    """Format of a picture, with alpha if there is any, be it a palette's or one transparent colour."""
    if image.mode not in {*_GRAY_MODES, "RGB", "RGBA", "P", "PA"}:
        raise MediaError(f"{label}: is {_MODE_NAMES.get(image.mode, image.mode)}; {_SUPPORTED}")
    planes = SampleFormat.GRAY if image.mode in _GRAY_MODES else SampleFormat.RGB
    if image.has_transparency_data:
        planes = planes.with_alpha()
    return PictureFormat(*image.size, planes, bit_depth=_bits_per_sample(image) if image.mode in _DEEP_MODES else 8)


def _probe(path: Path) -> _ImageKind:
    """What the file holds, without decoding it; pictures of a GIF or WebP are RGB, even if they look gray.

    `MediaError` where it holds none, or its samples are not supported. The format has alpha where there may be any.
    """
    with _opened(path) as opened, _media_errors(str(path)):
        if isinstance(opened, LayeredFile):
            count = opened.count or sum(1 for _ in opened)
            tick_ms = 10 if isinstance(opened, GifFile) else 1
            return _ImageKind(_composed_format(opened), count, tuple(opened.notes), opened.attachments, tick_ms)
        if isinstance(opened, DeepFile):
            return _ImageKind(opened.format, opened.count, tuple(opened.notes), _attachments(opened, path))
        notes = []
        if _EXTRA_SAMPLES in (tags := getattr(opened, "tag_v2", {})) and tags[_EXTRA_SAMPLES][0] == MULTIPLIED:
            notes.append("its colours are multiplied by alpha; they are divided by it again, which rounds them")
        return _ImageKind(_format(opened, str(path)), _frame_count(opened), tuple(notes), _attachments(opened, path))


def _attachments(image: Image.Image | DeepFile, path: Path) -> Mapping[str, bytes]:
    """What came with a picture that is not made of layers."""
    readers = {"PNG": of_png, "TIFF": of_tiff}
    kind = {DeepPng: "PNG", DeepTiff: "TIFF"}.get(type(image)) if isinstance(image, DeepFile) else image.format
    if kind in readers:
        with path.open("rb") as file:
            return readers[kind](file)
    if isinstance(image, DeepFile):
        return {}
    loop = image.info.get("loop", 0) if image.format == "WEBP" and _frame_count(image) > 1 else 0
    return of_pillow(image.info) | played(loop)


def _composed_format(layered: LayeredFile) -> PictureFormat:
    """The format of what layers make, which always has alpha."""
    return replace(layered.format, sample_format=layered.format.sample_format.with_alpha())


def _survey(path: Path, has_alpha: bool) -> tuple[list[Fraction], int | None]:
    """How long each picture of an animation is shown, in milliseconds, 0 where the file does not say.

    Also, ``has_alpha``, the number of the first picture that is not opaque; None where all are.
    """
    times, unseen = [], None
    with _opened(path) as opened:
        if isinstance(opened, LayeredFile):
            with _media_errors(str(path)):
                kept = [(layer.milliseconds, layer.disposal, layer.blends) for layer in opened]
            times = [milliseconds for milliseconds, _, _ in kept]
            # over an opaque picture, layers that blend and stay leave it opaque
            if all(blends and disposal is Disposal.LEAVE for _, disposal, blends in kept):
                unseen = 1
    see_through = None
    for number, (picture, milliseconds) in enumerate(itertools.islice(_read_frames(path), unseen)):
        if len(times) == number:
            times.append(milliseconds)
        if has_alpha and see_through is None and not is_opaque(picture):
            see_through = number
            if len(times) > number + 1:
                break
    return times, see_through


def _read_still(path: Path) -> Picture:
    """The picture in a file, named after it; pixels stay as stored, whatever EXIF says of turning them."""
    first, *others = itertools.islice(_read_frames(path), 2)
    if others:
        raise MediaError(f"{path}: is an animation; open it by itself")
    return replace(first[0], name=path.name)


def _read_frames(path: Path) -> Iterator[tuple[Picture, Fraction]]:
    """The composed pictures of an animation, or a still, one at a time, and how many milliseconds each is shown.

    `MediaError` where one is damaged or of another format; the message has its number.
    """
    with _opened(path) as opened:
        if isinstance(opened, LayeredFile):
            yield from _composed(opened, path)
            return
        if isinstance(opened, DeepFile):
            with _media_errors(str(path)):
                attachments = _attachments(opened, path)
            for number in range(opened.count):
                with _media_errors(str(path)):
                    picture = opened.picture(number)
                yield replace(picture, attachments=attachments), Fraction(0)
            return
        with _media_errors(str(path)):
            count = _frame_count(opened)
            attachments = _attachments(opened, path)
        first_format = _format(opened, str(path))
        for number in range(count):
            label = f"{path}: picture {number}" if count > 1 else f"{path}:"
            with _media_errors(str(path)):
                opened.seek(number)
                opened.load()
                if (frame_format := _format(opened, str(path))) != first_format:
                    raise MediaError(f"{label} is {frame_format}, unlike picture 0, {first_format}")
                picture = _picture(opened, first_format)
            yield replace(picture, attachments=attachments), Fraction(opened.info.get("duration", 0))


def _composed(layered: LayeredFile, path: Path) -> Iterator[tuple[Picture, Fraction]]:
    """The pictures that layers make: each changes a part of what the ones before left, which is transparent at first.

    What lies outside the canvas is cut off.
    """
    canvas = np.zeros((layered.format.height, layered.format.width, 4), layered.format.dtype)
    unread = iter(layered)
    for number in itertools.count():
        label = f"{path}: picture {number}"
        with _media_errors(str(path)):
            layer = next(unread, None)
            if layer is None:
                return
            region = canvas[layer.top : layer.top + layer.height, layer.left : layer.left + layer.width]
            before = region.copy() if layer.disposal is Disposal.RESTORE else 0
            pixels = _layer_pixels(layer, label)[: region.shape[0], : region.shape[1]]
            if layer.blends:
                layers.lay_over(region, pixels)
            else:
                region[:] = pixels
            picture = _of_rgba(canvas, _composed_format(layered))
        yield replace(picture, attachments=layered.attachments), layer.milliseconds
        if layer.disposal is not Disposal.LEAVE:
            region[:] = before


def _layer_pixels(layer: Layer, label: str) -> npt.NDArray[Samples]:
    """RGBA of a layer, (H, W, 4)."""
    opened = _open_image(io.BytesIO(layer.image), label)
    if isinstance(opened, DeepFile):
        picture = opened.picture()
        return np.stack(as_given(picture, replace(picture.format, sample_format=SampleFormat.RGBA)).planes, axis=2)
    with opened as image:
        if layer.colours is None:
            return np.array(image.convert("RGBA"))
        indices = np.array(image)
    if indices.max() >= len(layer.colours):
        raise MediaError(f"{label} uses colour {indices.max()} of a table of {len(layer.colours)}")
    return np.take(layer.colours, indices, axis=0)


def image_picture(image: Image.Image, label: str) -> Picture:
    """The picture of an image that a caller has.

    Raises:
        MediaError: it has samples of another kind than gray, RGB or palette.
    """
    with _media_errors(label):
        return replace(_picture(image, _format(image, label)), attachments=of_pillow(image.info))


def _picture(image: Image.Image, picture_format: PictureFormat) -> Picture:
    """The picture of an image, of that format."""
    if image.mode in _DEEP_MODES:
        samples = np.array(image)
        if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == WHITE_IS_ZERO:
            samples = picture_format.peak - samples
        return Picture.from_array(samples, bit_depth=picture_format.bit_depth)
    if picture_format.sample_format.has_alpha:
        return _of_rgba(np.array(image.convert("RGBA")), picture_format)
    mode = "L" if picture_format.sample_format is SampleFormat.GRAY else "RGB"
    return Picture.from_array(np.array(image.convert(mode), np.uint8))


def _of_rgba(rgba: npt.NDArray[Samples], picture_format: PictureFormat) -> Picture:
    """A picture with alpha of RGBA that nobody else changes, or gray of its red."""
    channels = [0, 3] if picture_format.sample_format.is_gray else [0, 1, 2, 3]
    return Picture(picture_format, tuple(rgba[:, :, channel].copy() for channel in channels))


# ------------------------------------------------------------------------------------------- files that are written


def write_still(
    file: BinaryIO, samples: npt.NDArray[Samples], pillow_format: str, attachments: Mapping[str, bytes] | None = None
) -> None:
    """Write samples as one picture; ``pillow_format`` is PNG or TIFF, or of samples without alpha BMP or PPM.

    They are (H, W) or (H, W, 3), with alpha (H, W, 2) or (H, W, 4).
    Those of 16 bits are uint16, and no BMP. As TIFF they may be float16.
    With it go the ``attachments`` that the format has a place for.
    """
    attachments, is_deep = attachments or {}, samples.dtype == np.uint16
    if pillow_format == "TIFF":
        TiffWriter(file).write(samples, attachments)
    elif pillow_format == "PNG":
        png = png_bytes(samples.view(np.uint16)) if is_deep else _png(Image.fromarray(samples), PNG_EFFORT)
        file.write(png[:_IHDR_END] + png_chunks(attachments) + png[_IHDR_END:])
    elif pillow_format == "PPM":
        file.write(ppm_bytes(samples.view(np.uint16 if is_deep else np.uint8)))
    else:
        given = kept(attachments, ".bmp")
        Image.fromarray(samples).save(file, "BMP", **({"dpi": sides(given["dpi"])} if given else {}))


def _png(image: Image.Image, level: int, **options: Any) -> bytes:
    """A PNG that Pillow makes with that ``compress_level``."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=level, **options)
    return buffer.getvalue()


def png_stream(samples: Plane, level: int, palette_bits: int | None) -> bytes:
    """What the IDAT chunks of a PNG hold that Pillow makes with that ``compress_level``, of samples (H, W, channels).

    With ``palette_bits`` they are places in a palette.
    """
    image = Image.fromarray(samples.squeeze(2) if samples.shape[2] == 1 else samples)
    if palette_bits:
        image.putpalette(bytes(768))
    png = _png(image, level, **({"bits": palette_bits} if palette_bits else {}))
    return b"".join(payload for kind, payload in layers.chunks(io.BytesIO(png), "PNG") if kind == b"IDAT")


def encoded(samples: npt.NDArray[Samples], pillow_format: str) -> bytes:
    """A whole picture file, PNG, TIFF or lossless WebP, of samples as `write_still` takes them."""
    buffer = io.BytesIO()
    if pillow_format == "WEBP":
        # exact: the colour of transparent pixels too
        Image.fromarray(samples).save(buffer, "WEBP", lossless=True, method=_WEBP_EFFORT, quality=50, exact=True)
    else:
        write_still(buffer, samples, pillow_format)
    return buffer.getvalue()


def preview(samples: npt.NDArray[Samples], side: int) -> bytes:
    """A picture of 8 bits as a small WebP for looking at, made smaller where a side is longer than ``side``."""
    buffer = io.BytesIO()
    image = Image.fromarray(samples)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    image.save(buffer, "WEBP", quality=85)
    return buffer.getvalue()


def decoded(file: BinaryIO) -> npt.NDArray[Samples]:
    """Samples (H, W) or (H, W, 3) of a picture file that `encoded` made, PNG or WebP."""
    opened = _open_image(file, "a picture")
    if isinstance(opened, DeepFile):
        return to_array(opened.picture())
    with opened as image:
        return np.array(image)


def gif_blocks(samples: npt.NDArray[Samples], hundredths: int) -> bytes:
    """The blocks of one picture in a GIF, with its own colours: gray (H, W) exact, RGB (H, W, 3) in its best 256.

    ``hundredths`` of a second are how long it is shown. Colours are not dithered.
    """
    image = Image.fromarray(samples)
    image = image.convert("P") if image.mode == "L" else image.quantize(256)
    return b"".join(GifImagePlugin.getdata(image, duration=10 * hundredths, include_color_table=True))
