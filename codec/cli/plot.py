"""``mvz plot``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import codec
from codec.cli.terminal import counted
from codec.errors import ConfigError

if TYPE_CHECKING:
    from codec.show.picture_files import Drawing

__all__ = ["main"]


def main(options: argparse.Namespace) -> int:
    """Draw pictures of a file from inside the decoder."""
    from codec.show.picture_files import draw_pictures

    with codec.open(options.input) as video:
        chosen = options.pictures or (slice(1, 2) if len(video) > 1 else slice(None))
        start, stop, _ = chosen.indices(len(video))
        if start >= stop:
            raise ConfigError(f"--pictures selects none of the {counted(len(video), 'picture')} of {options.input}")
        draw_pictures(
            video,
            options.output,
            start,
            stop,
            kind="svg" if options.svg else "png",
            force=options.force,
            progress=None if options.quiet else _tell,
        )
    return 0


def _tell(drawing: Drawing) -> None:
    widest = drawing.path.with_name("0000_why_backward.png")
    print(f"{drawing.path!s:{len(str(widest))}}  {drawing.shows}", file=sys.stderr)
