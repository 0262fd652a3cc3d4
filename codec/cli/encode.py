"""``mvz encode``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import codec
from codec.cli.cluster import workers_of
from codec.cli.terminal import counted, decibels, given, progress_bar, say, say_aside, say_notes, source_of, thousands

COLOUR = ("matrix", "primaries", "transfer", "range")


UNITS = {"target_size": "bytes", "bitrate": "bits a second", "target_psnr": "dB", "target_max_error": "largest error"}


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
        if summary.found is not None:
            say_aside(f"{options.output}: {_said(settings, summary.found)}")
    return 0


def _said(settings: codec.Settings, found: codec.SearchResult) -> str:
    """What a search chose, what that comes to, and what it took."""
    assert settings.target is not None
    is_psnr = settings.target.name == "target_psnr"
    reached, asked = (
        decibels(value) if is_psnr else thousands(value) for value in (found.reached, settings.target.value)
    )
    sample = counted(found.sample_encodes, "encode") + f" of {counted(found.sample_pictures, 'picture')}, "
    encodes = f"{sample if found.sample_encodes else ''}{counted(found.encodes, 'encode')} of all"
    return f"qp {found.qp:g}, {reached} {UNITS[settings.target.name]} ({asked} asked), {encodes}"
