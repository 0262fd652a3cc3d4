"""``.mvz`` as a multi-picture format of Pillow, which knows it from `register` on.

::

    import mvz.pillow

    mvz.pillow.register()
    image = PIL.Image.open("clip.mvz")
    image.save("copy.mvz", save_all=True, append_images=[…], duration=40, residual="dct", qp=28)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

from PIL import Image, ImageFile, ImageSequence

import codec
from codec.picture.arrays import picture_of
from codec.picture.attachments import of_pillow
from codec.picture.colour import eight_bits, image_samples, to_array
from mvz.hosts import file_of, seconds_of, settings_of

__all__ = ["MvzImageFile", "register"]


SIGNATURE = b"\x8bMVZ\r\n\x1a\n"
_MODES = {codec.SampleFormat.GRAY: "L", codec.SampleFormat.GRAY_ALPHA: "LA", codec.SampleFormat.RGBA: "RGBA"}
_ATTACHMENTS = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}


def register() -> None:
    """Make ``PIL.Image.open`` and ``save`` know ``.mvz``; doing so again changes nothing."""
    Image.register_open("MVZ", MvzImageFile, lambda prefix: prefix.startswith(SIGNATURE))
    Image.register_save("MVZ", _save)
    Image.register_save_all("MVZ", _save_all)
    Image.register_extension("MVZ", ".mvz")


class MvzImageFile(ImageFile.ImageFile):
    """Pictures of a file, one at a time: ``L`` for gray, ``RGB`` otherwise, with alpha ``LA`` and ``RGBA``.

    Gray of more than 8 bits is ``I;16``, scaled to 16 bits; Pillow has no mode for others, which are rounded to 8.
    `seek` decodes nothing yet.
    ``info`` has the milliseconds of a picture as ``duration``, ``bit_depth``, ``metadata``, and of the picture loaded
    last ``name``, ``icc_profile``, ``exif`` and ``xmp`` where its source had them.
    As Pillow's own readers do, it raises EOFError behind the last picture, and OSError for one that is damaged.
    """

    format = "MVZ"
    format_description = "mvz video"
    _close_exclusive_fp_after_loading = False

    def _open(self) -> None:
        """Read the headers; Pillow takes a SyntaxError for "not mine"."""
        assert self.fp is not None
        try:
            self._video = codec.open(self.fp)
        except (codec.BitstreamError, codec.MediaError) as error:
            raise SyntaxError(str(error)) from error
        self._fp = self.fp  # Pillow closes both
        video_format = self._video.format
        if video_format.is_float:
            raise SyntaxError("samples are floating point, for which Pillow has no mode; codec.open gives them")
        self._size = (video_format.width, video_format.height)
        is_deep_gray = video_format.bit_depth > 8 and video_format.sample_format is codec.SampleFormat.GRAY
        self._mode = "I;16" if is_deep_gray else _MODES.get(video_format.sample_format, "RGB")
        self.n_frames = len(self._video)
        self.is_animated = self.n_frames > 1
        self.info |= {"duration": float(1000 / self._video.rate), "metadata": self._video.metadata}
        self.info["bit_depth"] = video_format.bit_depth
        self.tile = []  # nothing for Pillow to decode, which its versions up to 10 must be told
        self._frame, self._loaded = 0, -1

    def seek(self, frame: int) -> None:
        """Choose a picture, from 0."""
        if self._seek_check(frame):
            self._frame = frame

    def tell(self) -> int:
        """The number of the picture chosen."""
        return self._frame

    def load(self) -> Any:
        """Decode the picture chosen, at most from the start of its GOP; neighbours cost one picture each."""
        if self._loaded != self._frame:
            try:
                picture = self._video.picture(self._frame)
            except (codec.BitstreamError, codec.MediaError) as error:
                raise OSError(str(error)) from error
            samples = image_samples(picture) if self._mode == "I;16" else to_array(eight_bits(picture))
            self.im = Image.fromarray(samples).copy().im
            self.info["duration"] = float(
                1000 * (1 / self._video.rate if picture.duration is None else picture.duration)
            )
            of_picture = {key: picture.attachments.get(of) for key, of in _ATTACHMENTS.items()} | {"name": picture.name}
            for key, value in of_picture.items():
                self.info.pop(key, None)
                if value is not None:
                    self.info[key] = value
            self._loaded = self._frame
        return super().load()


def _save(image: Image.Image, file: IO[bytes], name: str | bytes) -> None:
    """The picture that ``image`` shows."""
    _write(iter([image]), file, image.encoderinfo)


def _save_all(image: Image.Image, file: IO[bytes], name: str | bytes) -> None:
    """All pictures of ``image`` and of the images in ``append_images``."""

    def pictures() -> Iterator[Image.Image]:
        for each in (image, *options.get("append_images", ())):
            shown = each.tell()
            yield from ImageSequence.Iterator(each)
            each.seek(shown)

    options = image.encoderinfo
    _write(pictures(), file, options)


def _write(images: Iterator[Image.Image], file: IO[bytes], options: dict[str, Any]) -> None:
    """Images to a file; ``options`` are those of ``save``, of which Pillow's own are passed over."""
    try:
        settings = settings_of(options)
        pictures = _pictures(images, options)
        first = next(pictures)
        with file_of(first, file, settings, options.get("rate"), options.get("metadata")) as out:
            out.append(first)
            for picture in pictures:
                out.append(picture)
    except codec.ConfigError as error:
        raise ValueError(str(error)) from error
    except codec.MediaError as error:
        raise OSError(str(error)) from error


def _pictures(images: Iterator[Image.Image], options: dict[str, Any]) -> Iterator[codec.Picture]:
    """What is coded: each with what Pillow knows of it, unless the caller says something else."""
    for number, image in enumerate(images):
        image.load()  # what is in ``info`` may come with it
        picture = picture_of(image, f"picture {number}", image.info.get("name"))
        said = image.info | options
        milliseconds = said.get("duration", 0)
        if isinstance(milliseconds, list | tuple):
            milliseconds = milliseconds[number]
        duration = None if "rate" in options else seconds_of(milliseconds)
        yield replace(picture, duration=duration, attachments=of_pillow(said))
