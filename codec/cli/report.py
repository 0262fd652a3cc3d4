"""``mvz report``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from codec.cli.cluster import workers_of
from codec.cli.terminal import counted, points_bar, print_notes, rounded_bytes, source_of

__all__ = ["main"]


def main(options: argparse.Namespace) -> int:
    """Measure a source every way, and write the page."""
    from codec.measure.peers import peer_count
    from codec.measure.sweep import default_settings
    from codec.show.report import make_report

    settings = default_settings(options.residual, options.motion, options.step, options.points, options.chroma)
    count = len(settings) + (peer_count() if options.peers else 0)
    with workers_of(options) as workers, points_bar(count, options.quiet) as progress:
        make_report(
            source_of(options.input),
            options.output,
            settings=settings,
            json_path=options.json,
            csv_path=options.csv,
            force=options.force,
            progress=progress,
            pictures=options.pictures,
            anchor=options.anchor,
            peers=options.peers,
            on_notes=print_notes,
            jobs=workers.at_once,
            executor=workers.executor if options.scheduler else None,
        )
    if not options.quiet:
        others = ", and other codecs" if options.peers else ""
        size = rounded_bytes(Path(options.output).stat().st_size)
        print(f"{options.output}: {counted(len(settings), 'point')}{others}, {size}", file=sys.stderr)
    return 0
