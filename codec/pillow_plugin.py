"""``.mvz`` files as Pillow's multi-picture images; `codec.pillow_hook` registers them."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageFile

from codec import BitstreamError, MediaError, Picture
from codec import open as open_video
from codec.picture.colour import eight_bits, image_samples, to_array
from codec.picture.planes import SampleFormat

__all__ = ["MvzImageFile"]


_MODES = {SampleFormat.GRAY: "L", SampleFormat.GRAY_ALPHA: "LA", SampleFormat.RGBA: "RGBA"}


_ATTACHMENTS = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}


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
            self._video = open_video(self.fp)
        except (BitstreamError, MediaError) as error:
            raise SyntaxError(str(error)) from error
        self._fp = self.fp  # Pillow closes both
        video_format = self._video.format
        if video_format.is_float:
            raise SyntaxError("samples are floating point, for which Pillow has no mode; codec.open gives them")
        self._size = (video_format.width, video_format.height)
        is_deep_gray = video_format.bit_depth > 8 and video_format.sample_format is SampleFormat.GRAY
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
                picture: Picture = self._video.picture(self._frame)
            except (BitstreamError, MediaError) as error:
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
