"""``mvz inspect``."""

from __future__ import annotations

import argparse

from codec.cli.terminal import counted, open_file, picture_range, progress_bar, rounded_bytes, say_aside


def main(options: argparse.Namespace) -> int:
    """Write the page, and say what is in it."""
    from codec.show.inspector import write_inspector

    with open_file(options.file, options) as video, progress_bar("inspect", options.quiet) as progress:
        start, stop = picture_range(options, video)
        summary = write_inspector(video, options.output, start, stop, force=options.force, progress=progress)
    if not options.quiet:
        shown, size = counted(summary.shown, "picture"), rounded_bytes(summary.page_bytes)
        note = [summary.note] if summary.note else []
        say_aside(f"{options.output}: {shown}, {size}; open it in a browser", *note)
    return 0
