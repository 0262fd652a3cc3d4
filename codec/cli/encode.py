"""``mvz encode``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import codec
from codec.cli.cluster import workers_of
from codec.cli.terminal import counted, given, progress_bar, say, say_aside, say_notes, source_of, thousands

COLOUR = ("matrix", "primaries", "transfer", "range")


def main(options: argparse.Namespace) -> int:
    """Encode, and say how large the file became."""
    settings = codec.Settings(**given(options, codec.Settings))
    with workers_of(options) as workers, progress_bar("encode", options.quiet) as progress:
        summary = codec.encode(
            source_of(options.input),
            options.output,
            settings,
            rate=options.fps,
            colour={name: value for name in COLOUR if (value := getattr(options, name)) is not None},
            archive=bool(options.archive),
            attachments=options.attachments is not False,
            progress=progress,
            executor=workers.executor,
            workers=workers.at_once,
            force=options.force,
        )
    say_notes(summary.notes, options.quiet)
    if options.json:
        say(json.dumps({"file": options.output, **asdict(summary), "ratio": summary.ratio}))
    elif not options.quiet:
        files = summary.source_file_bytes
        of_files = f" (source files: {files / summary.file_bytes:.2f} : 1)" if files else ""
        say_aside(
            f"{options.output}: {counted(summary.pictures, 'picture')}, {thousands(summary.source_bytes)} → "
            f"{thousands(summary.file_bytes)} bytes, {summary.ratio:.2f} : 1{of_files}, {summary.seconds:.1f} s"
        )
    return 0
