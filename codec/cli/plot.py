"""``mvz plot``."""

from __future__ import annotations

import argparse
import sys

import codec
from codec.errors import ConfigError

__all__ = ["main"]


def main(options: argparse.Namespace) -> int:
    """Draw pictures of a file from inside the decoder."""
    from codec.show.picture_files import draw_pictures

    with codec.open(options.input) as video:
        start, stop, _ = options.pictures.indices(len(video))
        if start >= stop:
            raise ConfigError(f"--pictures selects none of the {len(video)} pictures of {options.input}")
        drawn = draw_pictures(
            video, options.output, start, stop, kind="svg" if options.svg else "png", force=options.force
        )
    if not options.quiet:
        widest = max(len(str(drawing.path)) for drawing in drawn)
        for drawing in drawn:
            print(f"{drawing.path!s:{widest}}  {drawing.shows}", file=sys.stderr)
    return 0
