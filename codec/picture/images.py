"""Pictures in image files: what is accepted, read and written. The only module that imports Pillow."""

from __future__ import annotations

import contextlib
import io
import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import GifImagePlugin, Image, ImageFile, UnidentifiedImageError

from codec.errors import MediaError
from codec.picture.layers import (
    GIF_SIGNATURES,
    PNG_SIGNATURE,
    PROFILE_NOTE,
    ApngFile,
    Canvas,
    GifFile,
    Layer,
    LayeredFile,
    bit_depth,
    is_apng,
)
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sequence import refuse_size

__all__ = [
    *("Frame", "ImageKind", "decoded", "encoded", "frame_times", "gif_blocks", "image_picture", "probe", "read_frames"),
    *("read_still", "write_still"),
]

# No others: some of Pillow's readers start programs (EPS) or guess (TGA).
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MOVING = frozenset({"TIFF", "WEBP"})  # a JPEG with a second picture (MPO) is a still for us
_SUPPORTED = "supported are 8-bit gray, RGB and palette pictures, with alpha only where it is 255 everywhere"
_FLATTEN = "Put a background behind them, such as: magick IN -coalesce -background white -alpha remove OUT"
_MODE_NAMES = {
    "I;16": "16-bit gray",
    "I;16B": "16-bit gray",
    "I;16L": "16-bit gray",
    "I": "32-bit integer or 16-bit gray",
    "F": "floating point",
}
_GRAY_MODES = frozenset({"1", "L", "LA"})
_BITS_PER_SAMPLE = 258  # the TIFF tag

_PNG_EFFORT = 3  # zlib level: 3 % larger than 9 on foreman, four times as fast
_WEBP_EFFORT = 2  # 4 % larger than 4 on foreman, three times as fast


class ImageKind(NamedTuple):
    """What a file holds: the format of its pictures, how many there are, and what a reader may miss in them.

    ``tick_ms`` is the clock of its times.
    """

    format: PictureFormat
    frames: int
    notes: tuple[str, ...]
    tick_ms: int = 1


class Frame(NamedTuple):
    """One picture of an animation, and how long it is shown; 0 where the file does not say."""

    picture: Picture
    milliseconds: Fraction


@contextlib.contextmanager
def _media_errors(path: Path) -> Iterator[None]:
    """Whatever a reader raises becomes a `MediaError` that names the file and says something."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except MediaError:
        raise
    except FileNotFoundError as error:
        raise MediaError(f"{path}: no such file") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{path}: not a picture; known are {', '.join(_FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"{path}: more pixels than are accepted: {error}") from error
    except Exception as error:  # damaged files make Pillow's readers trip over anything, so no list is complete
        raise MediaError(f"{path}: cannot be read: {str(error) or type(error).__name__}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file as Pillow opens it: header read, no samples yet, and of an acceptable size and depth."""
    with _media_errors(path):
        image = Image.open(path, formats=_FORMATS)
    with image:
        refuse_size(str(path), *image.size)
        with _media_errors(path):
            if (bits := _bits_per_sample(image, path)) > 8:  # which Pillow cuts to 8 in RGB without a word
                raise MediaError(f"{path}: has {bits}-bit samples; {_SUPPORTED}")
        yield image


def _bits_per_sample(image: Image.Image, path: Path) -> int:
    """Bits a sample has in the file, where more or less than 8 are possible."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return bit_depth(file.read(25))
    if image.format == "TIFF":
        return int(max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))))
    if image.format == "PPM" and isinstance(image, ImageFile.ImageFile) and image.tile:
        arguments = image.tile[0][3]
        highest = arguments[-1] if isinstance(arguments, tuple) else 255
        return 16 if isinstance(highest, int) and highest > 255 else 8
    return 8


@contextlib.contextmanager
def _layered(path: Path) -> Iterator[LayeredFile | None]:
    """A GIF or APNG, whose layers we put together; None for other files."""
    with contextlib.ExitStack() as resources:
        with _media_errors(path):
            file = resources.enter_context(path.open("rb"))
            start = file.read(8)
            is_layered = start[:6] in GIF_SIGNATURES or (start == PNG_SIGNATURE and is_apng(file))
            file.seek(0)
            layered = None
            if is_layered:
                layered = ApngFile(file, str(path)) if start == PNG_SIGNATURE else GifFile(file, str(path))
        yield layered


def _frame_count(image: Image.Image) -> int:
    """Pictures to show in a file that has no layers."""
    return int(getattr(image, "n_frames", 1)) if image.format in _MOVING else 1


def probe(path: Path) -> ImageKind:
    """What the file holds, without decoding it; pictures of a GIF or WebP are RGB, even if they look gray.

    Whether alpha is 255 everywhere is known when a picture is read.

    Raises:
        MediaError: no picture file, or one whose samples are not supported.
    """
    with _layered(path) as layered:
        if layered is not None:
            with _media_errors(path):
                count = layered.count or sum(1 for _ in layered)
            return ImageKind(layered.format, count, tuple(layered.notes), 10 if isinstance(layered, GifFile) else 1)
    with _opened(path) as image:
        with _media_errors(path):
            frames = _frame_count(image)
        return ImageKind(_format(image, path), frames, (PROFILE_NOTE,) if "icc_profile" in image.info else ())


def frame_times(path: Path) -> list[Fraction]:
    """How long each picture of an animation is shown, in milliseconds; 0 where the file does not say.

    Raises:
        MediaError: as `read_frames`, as far as the times show it.
    """
    with _layered(path) as layered:
        if layered is not None:
            with _media_errors(path):
                return [layer.milliseconds for layer in layered]
    return [frame.milliseconds for frame in read_frames(path)]


def _format(image: Image.Image, path: Path) -> PictureFormat:
    """Format of a picture without its alpha."""
    if image.mode not in {*_GRAY_MODES, "RGB", "RGBA", "P", "PA"}:
        raise MediaError(f"{path}: is {_MODE_NAMES.get(image.mode, image.mode)}; {_SUPPORTED}")
    return PictureFormat(*image.size, SampleFormat.GRAY if image.mode in _GRAY_MODES else SampleFormat.RGB)


def read_still(path: Path) -> Picture:
    """The picture in a file, named after it; pixels stay as stored, whatever EXIF says of turning them.

    Raises:
        MediaError: as `probe`, or damaged, not opaque, or several pictures in one file.
    """
    first, *others = itertools.islice(read_frames(path), 2)
    if others:
        raise MediaError(f"{path}: is an animation; open it by itself")
    return replace(first.picture, name=path.name)


def image_picture(image: Image.Image, label: str) -> Picture:
    """The picture of an image that a caller has; `MediaError` as `read_still`."""
    with _media_errors(Path(label)):
        return _picture(image, _format(image, Path(label)), 8, f"{label}:")


def _picture(image: Image.Image, picture_format: PictureFormat, bits: int, label: str) -> Picture:
    """The picture of an image without its alpha, if that is 255 everywhere; ``bits`` and ``label`` as below."""
    if image.has_transparency_data:
        return _opaque(_rgba(image, bits), picture_format, label)
    mode = "L" if picture_format.sample_format is SampleFormat.GRAY else "RGB"
    return Picture.from_array(np.array(image.convert(mode), np.uint8))


def read_frames(path: Path) -> Iterator[Frame]:
    """The composed pictures of an animation, or a still, one at a time.

    Raises:
        MediaError: damaged, changing in format, or a picture that is not opaque; the message has its number.
    """
    with _layered(path) as layered:
        if layered is not None:
            yield from _composed(layered, path)
            return
    with _opened(path) as image:
        with _media_errors(path):
            count, bits = _frame_count(image), _bits_per_sample(image, path)
        first_format = _format(image, path)
        for number in range(count):
            label = f"{path}: picture {number}" if count > 1 else f"{path}:"
            with _media_errors(path):
                image.seek(number)
                image.load()
                if (frame_format := _format(image, path)) != first_format:
                    raise MediaError(f"{label} is {frame_format}, unlike picture 0, {first_format}")
                picture = _picture(image, first_format, bits, label)
            yield Frame(picture, Fraction(image.info.get("duration", 0)))


def _composed(layered: LayeredFile, path: Path) -> Iterator[Frame]:
    """The pictures that layers make, each on what the ones before left."""
    canvas = Canvas(layered.format)
    layers = iter(layered)
    for number in itertools.count():
        with _media_errors(path):
            layer = next(layers, None)
            if layer is None:
                return
            samples = canvas.show(layer, _layer_pixels(layer, f"{path}: picture {number}"))
            picture = _opaque(samples, layered.format, f"{path}: picture {number}")
        yield Frame(picture, layer.milliseconds)


def _layer_pixels(layer: Layer, label: str) -> npt.NDArray[np.uint8]:
    """RGBA of a layer, uint8 (H, W, 4)."""
    with Image.open(io.BytesIO(layer.image), formats=("GIF", "PNG")) as image:
        if layer.colours is None:
            return _rgba(image, bit_depth(layer.image))
        indices = np.array(image)
    if indices.max() >= len(layer.colours):
        raise MediaError(f"{label} uses colour {indices.max()} of a table of {len(layer.colours)}")
    return np.take(layer.colours, indices, axis=0)


def _rgba(image: Image.Image, bits: int) -> npt.NDArray[np.uint8]:
    """Samples with their alpha, uint8 (H, W, 4); ``bits`` are those of a sample in the file."""
    key = image.info.get("transparency")
    if image.mode in ("L", "RGB") and key is not None:
        # PNG has the key as stored in the file, Pillow compares it with samples of 8 bits
        highest = (1 << bits) - 1
        scaled = [(value & highest) * 255 // highest for value in np.atleast_1d(key).tolist()]
        image.info["transparency"] = scaled[0] if image.mode == "L" else tuple(scaled)
    return np.array(image.convert("RGBA"))


def _opaque(rgba: npt.NDArray[np.uint8], picture_format: PictureFormat, label: str) -> Picture:
    """The picture without its alpha, which must be 255 everywhere; ``label`` is what the message starts with."""
    if rgba[:, :, 3].min() < 255:
        raise MediaError(f"{label} has transparent pixels; {_SUPPORTED}. {_FLATTEN}")
    channels = 0 if picture_format.sample_format is SampleFormat.GRAY else slice(3)
    return Picture.from_array(rgba[:, :, channels].copy())


def write_still(file: BinaryIO, samples: npt.NDArray[np.uint8], pillow_format: str) -> None:
    """Write (H, W) or (H, W, 3) as one picture; ``pillow_format`` is PNG, BMP, PPM or TIFF."""
    options: dict[str, int] = {"compress_level": _PNG_EFFORT} if pillow_format == "PNG" else {}
    Image.fromarray(samples).save(file, pillow_format, **options)


def encoded(samples: npt.NDArray[np.uint8], pillow_format: str) -> bytes:
    """A whole picture file, PNG or lossless WebP, of (H, W) or (H, W, 3)."""
    buffer = io.BytesIO()
    if pillow_format == "WEBP":
        Image.fromarray(samples).save(buffer, "WEBP", lossless=True, method=_WEBP_EFFORT, quality=50)
    else:
        write_still(buffer, samples, pillow_format)
    return buffer.getvalue()


def decoded(file: BinaryIO) -> npt.NDArray[np.uint8]:
    """Samples (H, W) or (H, W, 3) of a picture file that `encoded` made."""
    with Image.open(file, formats=("PNG", "WEBP")) as image:
        return np.array(image)


def gif_blocks(samples: npt.NDArray[np.uint8], hundredths: int) -> bytes:
    """The blocks of one picture in a GIF, with its own colours: gray (H, W) exact, RGB (H, W, 3) in its best 256.

    ``hundredths`` of a second are how long it is shown. Colours are not dithered.
    """
    image = Image.fromarray(samples)
    image = image.convert("P") if image.mode == "L" else image.quantize(256)
    return b"".join(GifImagePlugin.getdata(image, duration=10 * hundredths, include_color_table=True))
