"""What a notebook shows of a `Video`: its first picture, its sizes, and a strip of pictures from all over the file."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from codec.errors import CodecError
from codec.picture.alpha import over_chequers
from codec.picture.colour import eight_bits, to_array
from codec.picture.images import preview

if TYPE_CHECKING:
    from codec import Video

__all__ = ["html_of"]

FIRST_SIDE, STRIP_SIDE = 480, 112  # most samples a side
STRIP = 8  # pictures
AT_ONCE = 1 << 25  # samples that decode in a second or two


def html_of(video: Video) -> str:
    """A piece of HTML that needs no network; of a file that is damaged or closed it says why there is no picture."""
    try:
        info = video.inventory(shares=False)
        first, *strip = (_image(video, number, STRIP_SIDE if place else FIRST_SIDE) for place, number in _places(video))
    except CodecError as error:
        return f"<p>{html.escape(repr(video))}<br>{html.escape(str(error))}</p>"
    header = info.header
    facts = (
        f"{len(video)} picture{'s' * (len(video) != 1)} of {video.format}",
        f"{float(video.rate):.6g} a second, {float(len(video) / video.rate):.2f} s",
        f"{info.file_bytes:,} bytes of {info.source_bytes:,} raw, {info.ratio:.2f} : 1",
        f"residual {header.residual.label}, motion {header.motion.label}",
        f"shape {video.shape}, {video.dtype}",
    )
    lines = "<br>".join([f"<b>{html.escape(video.path)}</b>", *map(html.escape, facts)])
    top = f'<div style="display: flex; flex-wrap: wrap; gap: 0.3em 1em">{first}<div>{lines}</div></div>'
    return f'{top}<div style="display: flex; flex-wrap: wrap; gap: 0.3em; margin-top: 0.3em">{"".join(strip)}</div>'


def _places(video: Video) -> list[tuple[int, int]]:
    """The first picture, and those of the strip: numbers with a place, evenly apart.

    Of a long video they are the first of GOPs, which decode without others.
    """
    numbers: Sequence[int] = range(len(video))
    if len(video) * video.format.sample_count > AT_ONCE:
        starts = [0]
        for count in video.chunks[0][:-1]:
            starts.append(starts[-1] + count)
        numbers = starts
    most = min(STRIP, len(numbers))
    chosen = [numbers[(2 * place + 1) * len(numbers) // (2 * most)] for place in range(most)]
    return list(enumerate([0, *(chosen if len(video) > 1 else ())]))


def _image(video: Video, number: int, side: int) -> str:
    """One picture, small, over its number; its name shows where the mouse is over it."""
    picture = video.picture(number)
    data = base64.b64encode(preview(to_array(over_chequers(eight_bits(picture))), side)).decode("ascii")
    title = html.escape(f"picture {number}" + (f": {picture.name}" if picture.name else ""))
    image = f'<img title="{title}" alt="{title}" src="data:image/webp;base64,{data}" style="margin: 0">'
    return f'<div style="line-height: 1.3; text-align: center">{image}<br>{number}</div>'
