"""``mvz inspect``."""

from __future__ import annotations

import argparse
import contextlib

from codec.cli.terminal import counted, open_file, picture_range, progress_bar, rounded_bytes, say_aside


def main(options: argparse.Namespace) -> int:
    """Write the page, and say what is in it."""
    said = write_page(options, options.output, options.other, options.force)
    if not options.quiet:
        say_aside(*said)
    return 0


def write_page(options: argparse.Namespace, target: str, other: str | None = None, force: bool = False) -> list[str]:
    """Write the page of ``options.file``, and ``other`` beside it; returns what there is to say of it."""
    from codec.show.inspector import write_inspector

    with contextlib.ExitStack() as stack:
        video = stack.enter_context(open_file(options.file, options))
        beside = stack.enter_context(open_file(other, options)) if other is not None else None
        progress = stack.enter_context(progress_bar("inspect", options.quiet))
        start, stop = picture_range(options, video)
        summary = write_inspector(video, target, start, stop, other=beside, force=force, progress=progress)
    shown, size = counted(summary.shown, "picture"), rounded_bytes(summary.page_bytes)
    return [f"{target}: {shown}, {size}; open it in a browser", *([summary.note] if summary.note else [])]
