"""Pictures of FFmpeg's libraries: where their memory has the samples of our planes, which are never converted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.codec.codec import find_best_pix_fmt_of_list

from codec.picture.planes import Picture, PictureFormat, Plane, SampleFormat, Samples

__all__ = ["Layout", "advice", "fill_frame", "layout_of", "planes_of"]


class Layout(NamedTuple):
    """What a pixel format of libav is to us.

    ``order`` has a letter for each of its planes, or where it is packed for each sample of a pixel; 0 is no sample.
    """

    sample_format: SampleFormat
    order: str
    is_packed: bool
    bit_depth: int
    byte_order: str


# Beside these there are 9…16 bits of the planar ones, and either byte order
_PLANAR = {"gray": "y", "gbrp": "gbr", "gbrap": "gbra"}
_PLANAR |= dict.fromkeys(("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"), "yuv")
_PACKED_8 = {"rgb24": "rgb", "bgr24": "bgr", "ya8": "ya"}
_PACKED_8 |= {name: name for name in ("rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr")}
_PACKED_16 = {"rgb48": "rgb", "bgr48": "bgr", "rgba64": "rgba", "bgra64": "bgra", "ya16": "ya"}
_FORMATS = {"y": SampleFormat.GRAY, "ay": SampleFormat.GRAY_ALPHA, "bgr": SampleFormat.RGB, "abgr": SampleFormat.RGBA}

KNOWN = (  # what people may be told to convert to; FFV1 has them all
    *(f"gray{depth}" for depth in ("", "10le", "12le", "14le", "16le")),
    *(f"yuv4{sub}p{depth}" for sub in (20, 22, 44) for depth in ("", "9le", "10le", "12le", "14le", "16le")),
    *("bgr0", "gbrp9le", "gbrp10le", "gbrp12le", "gbrp14le", "gbrp16le"),
    *("ya8", "bgra", "gbrap10le", "gbrap12le", "gbrap14le", "gbrap16le"),
)


def layout_of(name: str) -> Layout | None:
    """The layout that libav calls ``name``, or None of one that we have no planes for."""
    base, end = re.fullmatch(r"(.*?)(le|be)?", name).groups()  # type: ignore[union-attr]
    byte_order = ">" if end == "be" else "<"
    if name in _PACKED_8 or base in _PACKED_16:
        order = _PACKED_8.get(name) or _PACKED_16[base]
        return Layout(_format_of(order), order, True, 16 if end else 8, byte_order)
    match = re.fullmatch(r"([a-z]+(?:4[24][024]p)?)(9|1[0-6])?", base)
    if match is None or match[1] not in _PLANAR or (match[2] is None) is not (end is None):
        return None
    order = _PLANAR[match[1]]
    sample_format = SampleFormat.of(match[1].replace("j", "")[:-1]) if order == "yuv" else _format_of(order)
    return Layout(sample_format, order, False, int(match[2] or 8), byte_order)


def _format_of(order: str) -> SampleFormat:
    return _FORMATS["".join(sorted(order.replace("0", "")))]


def planes_of(frame: av.VideoFrame, layout: Layout, picture_format: PictureFormat) -> tuple[Plane, ...]:
    """The planes of a frame of that layout, in our order and in the byte order of this machine."""
    samples = dict(_samples_of(frame, layout, picture_format))
    names = (name.lower() for name in picture_format.sample_format.plane_names)
    return tuple(samples[name].astype(picture_format.dtype, order="C") for name in names)


def fill_frame(frame: av.VideoFrame, layout: Layout, picture: Picture) -> None:
    """Put a picture into a frame of that layout."""
    given = dict(zip(picture.format.sample_format.plane_names, picture.planes, strict=True))
    for name, samples in _samples_of(frame, layout, picture.format):
        samples[...] = given.get(name.upper(), 0)


def _samples_of(
    frame: av.VideoFrame, layout: Layout, picture_format: PictureFormat
) -> Iterator[tuple[str, npt.NDArray[Samples]]]:
    """Letters of the order with views (rows, columns) of the frame's memory."""
    dtype = np.dtype(f"{layout.byte_order}u{picture_format.dtype.itemsize}")
    for number, plane in enumerate(frame.planes):
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]
        names = layout.order if layout.is_packed else layout.order[number]
        columns = plane.width * len(names)
        pixels = lines[:, : columns * dtype.itemsize].view(dtype).reshape(len(lines), plane.width, len(names))
        for place, name in enumerate(names):
            yield name, pixels[:, :, place]


def advice(path: Path, name: str) -> str:
    """What to do with a film whose pixel format ``name`` has no layout."""
    best, loss = find_best_pix_fmt_of_list(KNOWN, name, has_alpha="a" in name)
    assert best is not None, "of formats that there are libav finds one"
    meant = f"{best.name}, which changes some" if loss else f"{best.name}, which changes no sample"
    target = shlex.quote(path.with_suffix(".ffv1.mkv").name)
    command = f"ffmpeg -i {shlex.quote(str(path))} -map 0:v -pix_fmt {best.name} -c:v ffv1 {target}"
    return f"pixels are {name}, which mvz has no planes for; the nearest that it has is {meant}: {command}"
