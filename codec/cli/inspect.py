"""``mvz inspect``."""

from __future__ import annotations

import argparse
import sys

import codec
from codec.cli.terminal import progress_bar
from codec.errors import ConfigError

__all__ = ["main"]


def main(options: argparse.Namespace) -> int:
    """Write the page, and say what is in it."""
    from codec.show.inspector import write_inspector

    with codec.open(options.input) as video, progress_bar("inspect", options.quiet) as progress:
        start, stop, _ = options.pictures.indices(len(video))
        if start >= stop:
            raise ConfigError(f"--pictures selects none of the {len(video)} pictures of {options.input}")
        summary = write_inspector(video, options.output, start, stop, force=options.force, progress=progress)
    if not options.quiet:
        print(
            f"{options.output}: {summary.shown} pictures, {summary.page_bytes / 1e6:.1f} MB; open it in a browser",
            file=sys.stderr,
        )
        if summary.note:
            print(summary.note, file=sys.stderr)
    return 0
