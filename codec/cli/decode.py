"""``mvz decode``."""

from __future__ import annotations

import argparse
import json
import sys
import time

import codec
from codec.cli.terminal import executor_of, progress_bar
from codec.errors import ConfigError

__all__ = ["main"]


def main(options: argparse.Namespace) -> int:
    """Decode, and say what was written."""
    from codec.picture.sinks import open_sink

    started = time.perf_counter()
    with codec.open(options.input) as video:
        start, stop, _ = options.pictures.indices(len(video))
        if start >= stop:
            raise ConfigError(f"--pictures selects none of the {len(video)} pictures of {options.input}")
        with (
            open_sink(
                options.output, video.format, video.rate, force=options.force, count=stop - start, first=start
            ) as sink,
            executor_of(options.jobs) as executor,
            progress_bar("decode", options.quiet) as progress,
        ):
            for number, picture in enumerate(video.pictures(start, stop, executor=executor), 1):
                sink.write(picture)
                progress(codec.Progress(number, stop - start, number * video.format.sample_count))
    seconds = time.perf_counter() - started
    if options.json:
        summary = {"output": options.output, "pictures": stop - start, "seconds": seconds, "note": sink.lossy_note}
        print(json.dumps(summary), file=sys.stderr if options.output == "-" else sys.stdout)
    elif not options.quiet:
        note = f" ({sink.lossy_note})" if sink.lossy_note else ""
        print(f"{options.output}: {stop - start} pictures, {seconds:.1f} s{note}", file=sys.stderr)
    return 0
