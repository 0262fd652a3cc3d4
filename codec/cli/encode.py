"""``mvz encode``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

import codec
from codec.cli.cluster import workers_of
from codec.cli.terminal import print_notes, progress_bar, source_of, thousands

__all__ = ["main"]


def main(options: argparse.Namespace) -> int:
    """Encode, and say how large the file became."""
    settings = codec.Settings(
        residual=options.residual,
        motion=options.motion,
        step=options.step,
        qp=options.qp,
        chroma=options.chroma,
        max_error=options.max_error,
        gop=options.gop,
        block=options.block,
        search=options.search,
        run=options.run,
        speed=options.speed,
        scene_cut=options.scene_cut,
    )
    with workers_of(options) as workers, progress_bar("encode", options.quiet) as progress:
        summary = codec.encode(
            source_of(options.input),
            options.output,
            settings,
            rate=options.fps,
            progress=progress,
            executor=workers.executor,
            workers=workers.at_once,
            force=options.force,
        )
    print_notes(summary.notes)
    if options.json:
        print(json.dumps({"file": options.output, **asdict(summary), "ratio": summary.ratio}))
    elif not options.quiet:
        print(
            f"{options.output}: {summary.pictures} pictures, {thousands(summary.source_bytes)} → "
            f"{thousands(summary.file_bytes)} bytes, {summary.ratio:.2f} : 1, {summary.seconds:.1f} s",
            file=sys.stderr,
        )
    return 0
