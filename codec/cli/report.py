"""``mvz report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from codec.cli.cluster import workers_of
from codec.cli.terminal import counted, points_bar, rounded_bytes, say_aside, say_notes, source_of
from codec.errors import ConfigError
from codec.models import ResidualCoder


def main(options: argparse.Namespace) -> int:
    """Measure a source every way, and write the page."""
    from codec.measure.peers import peer_count
    from codec.measure.sweep import default_settings, load_clip
    from codec.show.report import make_report, refuse_pages

    _refuse_idle(options)
    settings = default_settings(options.residual, options.motion, options.step, options.points, options.chroma)
    count = len(settings) + (peer_count() if options.peers else 0)
    refuse_pages((options.output, options.json, options.csv), options.force)  # before anything is read
    with workers_of(options) as workers:
        clip = load_clip(source_of(options.input), options.pictures)
        say_notes(clip.notes, options.quiet)
        with points_bar(count, options.quiet) as progress:
            make_report(
                clip,
                options.output,
                settings=settings,
                json_path=options.json,
                csv_path=options.csv,
                force=options.force,
                progress=progress,
                anchor=options.anchor,
                peers=options.peers,
                jobs=workers.at_once,
                executor=workers.executor if options.scheduler else None,
            )
    if not options.quiet:
        others = ", and other codecs" if options.peers else ""
        size = rounded_bytes(Path(options.output).stat().st_size)
        say_aside(f"{options.output}: {counted(len(settings), 'point')}{others}, {size}")
    return 0


def _refuse_idle(options: argparse.Namespace) -> None:
    """Raise `ConfigError` where an option would change no point."""
    chosen = options.residual or [coder.label for coder in ResidualCoder]
    with_step = [coder.label for coder in ResidualCoder if coder.has_step and coder.label in chosen]
    if options.step and not with_step:
        raise ConfigError(f"--step is for int8 and uint8, not {', '.join(chosen)}")
    if options.chroma and "dct" not in chosen:
        raise ConfigError(f"--chroma is for dct, not {', '.join(chosen)}")
    if options.points and "dct" not in chosen and (options.step or not with_step):
        why = "--step says which points there are" if with_step else f"{', '.join(chosen)} is one point a curve"
        raise ConfigError(f"--points has no effect: {why}")
