"""``.mvz`` through imageio, which knows it once this module is imported; or as ``plugin=MvzPlugin`` in a call.

::

    import imageio.v3 as iio
    import mvz.imageio

    pictures = iio.imread("clip.mvz")               # all; index=3 for one, index=slice(2, 9) for some
    iio.imwrite("new.mvz", pictures, fps=25, residual="dct", qp=28)
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt
from imageio.config import FileExtension, PluginConfig, known_extensions, known_plugins
from imageio.core.request import URI_BYTES, URI_FILENAME, InitializationError, IOMode, Request
from imageio.core.v3_plugin_api import ImageProperties, PluginV3

import codec
from codec.picture.arrays import picture_of
from mvz.hosts import file_of

__all__ = ["MvzPlugin", "register"]

Array = npt.NDArray[Any]
Index = int | slice | EllipsisType


def register() -> None:
    """Make imageio know ``.mvz``, as importing this module does."""
    known_plugins["mvz"] = PluginConfig(name="mvz", class_name="MvzPlugin", module_name="mvz.imageio")
    known_extensions[".mvz"] = [FileExtension(name="mvz video", extension=".mvz", priority=["mvz"])]


class MvzPlugin(PluginV3):
    """One file that imageio reads or writes."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._video: codec.Video | None = None
        self._writer: codec.Writer | None = None
        if request.mode.io_mode is IOMode.read:
            try:
                self._video = codec.open(request.get_file())
            except codec.CodecError as error:
                raise InitializationError(str(error)) from error
        elif (request.extension or request.format_hint) != ".mvz":
            raise InitializationError("mvz writes files whose name, or extension=, is .mvz")

    def read(self, *, index: Index = ...) -> Array:
        """One picture (H, W[, C]), those of a slice, or all: (T, H, W[, C])."""
        return self._opened[index]

    def iter(self) -> Iterator[Array]:
        """The pictures, in order."""
        return iter(self._opened)

    def properties(self, index: Index = ...) -> ImageProperties:
        """Shape and dtype of what `read` gives, and how many pictures there are; decodes nothing."""
        video = self._opened
        if isinstance(index, int):
            return ImageProperties(shape=video.shape[1:], dtype=video.dtype, is_batch=False)
        count = len(range(len(video))[slice(None) if index is ... else index])
        return ImageProperties((count, *video.shape[1:]), video.dtype, n_images=count, is_batch=True)

    def metadata(self, index: Index = ..., exclude_applied: bool = True) -> dict[str, Any]:
        """Of the file: ``fps``, ``duration`` in seconds and what it keeps; of a picture what came with it.

        That is its ``name``, ``duration`` in milliseconds, ``icc``, ``exif``, ``xmp``, ``text:Title`` and so on.
        """
        video = self._opened
        if not isinstance(index, int):
            pictures = video.inventory(shares=False).pictures
            seconds = sum(1 / video.rate if each.duration is None else each.duration for each in pictures)
            return {"fps": float(video.rate), "duration": float(seconds), **video.metadata}
        picture = video.picture(index)
        seconds = 1 / video.rate if picture.duration is None else picture.duration
        return {"name": picture.name, "duration": float(1000 * seconds), **picture.attachments}

    def write(
        self,
        ndimage: npt.ArrayLike | Iterable[npt.ArrayLike],
        *,
        is_batch: bool | None = None,
        fps: float | str | None = None,
        metadata: dict[str, str] | None = None,
        **settings: Any,
    ) -> bytes | None:
        """Append pictures: (H, W[, C]), (T, H, W[, C]), or a list of the former; the first call says how all are coded.

        Args:
            ndimage: uint8 or uint16.
            is_batch: whether an array of three sides is (T, H, W); None takes (H, W, C) where the last side is 1…4.
            fps: pictures per second.
            metadata: free texts to keep in the file.
            settings: of `codec.Settings`, such as ``residual="dct"`` and ``qp=28``.

        Returns:
            the file, where it is written to ``"<bytes>"``.
        """
        for picture in _pictures(ndimage, is_batch):
            if self._writer is None:
                is_named = self.request._uri_type == URI_FILENAME
                file = self.request.get_local_filename() if is_named else self.request.get_file()
                self._writer = file_of(picture, file, codec.Settings(**settings), fps, metadata).__enter__()
            self._writer.append(picture)
        if self._writer is None:
            raise ValueError("there are no pictures to write")
        if self.request._uri_type != URI_BYTES:
            return None
        self._finish()
        file = self.request.get_file()
        assert isinstance(file, io.BytesIO)
        return file.getvalue()

    def _finish(self, *failure: Any) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.__exit__(*(failure or (None, None, None)))

    def __exit__(self, *failure: Any) -> None:
        try:
            self._finish(*failure)  # after an error no file appears
        finally:
            super().__exit__(*failure)

    def close(self) -> None:
        """Complete what was written, and close the file."""
        if self._video is not None:
            self._video.close()
        self._finish()
        super().close()

    @property
    def _opened(self) -> codec.Video:
        if self._video is None:
            raise OSError("opened for writing")
        return self._video


def _pictures(samples: Any, is_batch: bool | None) -> Iterator[codec.Picture]:
    if isinstance(samples, np.ndarray):
        if is_batch is None:
            is_batch = samples.ndim > 3 or (samples.ndim == 3 and samples.shape[-1] > 4)
        samples = samples if is_batch else samples[None]
    return (picture_of(each, f"picture {number}") for number, each in enumerate(samples))


register()
