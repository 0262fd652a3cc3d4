"""Pictures in image files: what is accepted, read and written. The only module that imports Pillow."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from codec.errors import MediaError
from codec.picture.gif_blocks import has_trailer
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sequence import refuse_size

__all__ = [
    *("Frame", "ImageKind", "decoded", "encoded", "gif_image", "image_picture", "probe", "read_frames", "read_still"),
    "write_still",
]

# No others: some of Pillow's readers start programs (EPS) or guess (TGA).
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MOVING = frozenset({"GIF", "PNG", "TIFF", "WEBP"})  # a JPEG with a second picture (MPO) is a still for us
_SUPPORTED = "supported are 8-bit gray, RGB and palette pictures without transparency"
_MODE_NAMES = {
    "RGBA": "RGB with alpha",
    "LA": "gray with alpha",
    "PA": "a palette with alpha",
    "I;16": "16-bit gray",
    "I;16B": "16-bit gray",
    "I;16L": "16-bit gray",
    "I": "32-bit integer or 16-bit gray",
    "F": "floating point",
}
_GRAY_MODES = frozenset({"1", "L"})
_BITS_PER_SAMPLE = 258  # the TIFF tag

_PNG_EFFORT = 3  # zlib level: 3 % larger than 9 on foreman, four times as fast
_WEBP_EFFORT = 2  # 4 % larger than 4 on foreman, three times as fast


class ImageKind(NamedTuple):
    """What a file holds: the format of its pictures and how many there are."""

    format: PictureFormat
    frames: int


class Frame(NamedTuple):
    """One picture of an animation, and how long it is shown; 0 where the file does not say."""

    picture: Picture
    milliseconds: float


@contextlib.contextmanager
def _pillow_errors(path: Path) -> Iterator[None]:
    """Whatever Pillow raises becomes a `MediaError` that names the file."""
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
        raise MediaError(f"{path}: cannot be read: {error}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file as Pillow opens it: header read, no samples yet, and of an acceptable size and depth."""
    with _pillow_errors(path):
        image = Image.open(path, formats=_FORMATS)
    with image:
        refuse_size(str(path), *image.size)
        with _pillow_errors(path):
            _refuse_deep_samples(image, path)
            _refuse_cut_gif(image, path)
        yield image


def _refuse_deep_samples(image: Image.Image, path: Path) -> None:
    """Refuse more than 8 bits, which Pillow cuts to 8 in RGB without a word."""
    bits = 8
    if image.format == "PNG":
        with path.open("rb") as file:
            bits = file.read(25)[24]  # signature 8, chunk header 8, width 4, height 4, then the bit depth
    elif image.format == "TIFF":
        bits = max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,)))
    elif image.format == "PPM" and isinstance(image, ImageFile.ImageFile) and image.tile:
        arguments = image.tile[0][3]
        highest = arguments[-1] if isinstance(arguments, tuple) else 255
        bits = 16 if isinstance(highest, int) and highest > 255 else 8
    if bits > 8:
        raise MediaError(f"{path}: has {bits}-bit samples; {_SUPPORTED}")


def _refuse_cut_gif(image: Image.Image, path: Path) -> None:
    """Refuse a GIF that ends between pictures."""
    if image.format == "GIF":
        with path.open("rb") as file:
            if not has_trailer(file):
                raise MediaError(f"{path}: ends early: a GIF without its end mark")


def _frame_count(image: Image.Image) -> int:
    """Pictures to show in the file: 1 for a still; an APNG's stand-in for old viewers does not count."""
    if image.format not in _MOVING or not getattr(image, "is_animated", False):
        return 1
    return int(getattr(image, "n_frames", 1)) - _first_frame(image)


def _first_frame(image: Image.Image) -> int:
    """Pillow's number of the first picture to show."""
    return 1 if getattr(image, "default_image", False) else 0


def probe(path: Path) -> ImageKind:
    """What the file holds, without decoding it.

    Pictures of a GIF or WebP are RGB, even if they look gray.

    Raises:
        MediaError: no picture file, or one whose samples are not supported.
    """
    with _opened(path) as image:
        with _pillow_errors(path):
            frames = _frame_count(image)
        if frames == 1:
            return ImageKind(_still_format(image, path), 1)
        with _pillow_errors(path):
            image.seek(_first_frame(image))
        return ImageKind(_frame_format(image, path), frames)


def _still_format(image: Image.Image, path: Path) -> PictureFormat:
    """Format of a still picture; anything with transparency is refused."""
    if image.mode not in {*_GRAY_MODES, "RGB", "P"}:
        raise MediaError(f"{path}: is {_MODE_NAMES.get(image.mode, image.mode)}; {_SUPPORTED}")
    if image.has_transparency_data:
        raise MediaError(f"{path}: has transparent colours; {_SUPPORTED}")
    return _format(image)


def _frame_format(image: Image.Image, path: Path) -> PictureFormat:
    """Format of an animation's current picture; alpha is looked at when the picture is composed."""
    if image.mode not in {*_GRAY_MODES, "RGB", "P", "LA", "RGBA"}:
        raise MediaError(f"{path}: is {_MODE_NAMES.get(image.mode, image.mode)}; {_SUPPORTED}")
    return _format(image)


def _format(image: Image.Image) -> PictureFormat:
    """Format of a picture without its alpha.

    GIF is always RGB: whether Pillow takes one for gray depends on the order of its colours.
    """
    is_gray = image.mode in {*_GRAY_MODES, "LA"} and image.format != "GIF"
    return PictureFormat(*image.size, SampleFormat.GRAY if is_gray else SampleFormat.RGB)


def read_still(path: Path) -> Picture:
    """The picture in a file, named after it; pixels stay as stored, whatever EXIF says of turning them.

    Raises:
        MediaError: as `probe`, or damaged, or several pictures in one file.
    """
    with _opened(path) as image:
        with _pillow_errors(path):
            frames = _frame_count(image)
        if frames > 1:
            raise MediaError(f"{path}: is an animation of {frames} pictures; open it by itself")
        picture_format = _still_format(image, path)
        with _pillow_errors(path):
            return Picture.from_array(_samples(image, picture_format), path.name)


def image_picture(image: Image.Image, label: str) -> Picture:
    """The picture of an image that a caller has; `MediaError` as `read_still`."""
    path = Path(label)
    picture_format = _still_format(image, path)
    with _pillow_errors(path):
        return Picture.from_array(_samples(image, picture_format))


def read_frames(path: Path) -> Iterator[Frame]:
    """The composed pictures of an animation, one at a time.

    Raises:
        MediaError: damaged, changing in format, or a picture that is not opaque; the message has its number.
    """
    with _opened(path) as image:
        first_format: PictureFormat | None = None
        with _pillow_errors(path):
            first, count = _first_frame(image), _frame_count(image)
        for number in range(count):
            with _pillow_errors(path):
                image.seek(first + number)
                image.load()
            frame_format = _frame_format(image, path)
            first_format = first_format or frame_format
            if frame_format != first_format:
                raise MediaError(f"{path}: picture {number} is {frame_format}, unlike picture 0, {first_format}")
            with _pillow_errors(path):
                opaque = _opaque(image, f"{path}: picture {number}")
                picture = Picture.from_array(_samples(opaque, frame_format))
            yield Frame(picture, float(image.info.get("duration", 0)))


def _opaque(image: Image.Image, label: str) -> Image.Image:
    """The image without its alpha, which must be 255 everywhere."""
    if not image.has_transparency_data:
        return image
    composed = image.convert("RGBA")
    lowest, _ = composed.getchannel("A").getextrema()
    if lowest != 255:
        raise MediaError(f"{label} has transparent pixels; {_SUPPORTED}")
    return composed.convert("RGB")


def _samples(image: Image.Image, picture_format: PictureFormat) -> npt.NDArray[np.uint8]:
    """Samples (H, W) or (H, W, 3) of an opaque image; 1-bit pictures become 0 and 255."""
    mode = "L" if picture_format.sample_format is SampleFormat.GRAY else "RGB"
    return np.array(image.convert(mode), np.uint8)


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


def gif_image(samples: npt.NDArray[np.uint8]) -> bytes:
    """A whole one-picture GIF file: gray (H, W) exact, RGB (H, W, 3) in its 256 best colours, undithered."""
    buffer = io.BytesIO()
    image = Image.fromarray(samples)
    if image.mode == "RGB":
        image = image.quantize(256)
    image.save(buffer, "GIF", interlace=False)
    return buffer.getvalue()
