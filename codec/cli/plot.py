"""``mvz plot``."""

from __future__ import annotations

import argparse

import codec
from codec.cli.terminal import open_file, picture_range, progress_bar, say_aside


def main(options: argparse.Namespace) -> int:
    """Draw pictures of a file from inside the decoder."""
    from codec.show.drawings import draw_pictures

    with open_file(options.file, options) as video, progress_bar("plot", options.quiet) as progress:
        start, stop = picture_range(options, video, slice(1, 2) if len(video) > 1 else slice(None))
        drawings = draw_pictures(
            video,
            options.output,
            start,
            stop,
            kind="svg" if options.svg else "png",
            force=options.force,
            progress=lambda drawing: progress(codec.Progress(drawing.number - start, stop - start, 0)),
        )
    if not options.quiet:
        widest = max(len(str(drawing.path)) for drawing in drawings)
        say_aside(*(f"{drawing.path!s:{widest}}  {drawing.shows}" for drawing in drawings))
    return 0
