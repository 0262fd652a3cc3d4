"""``mvz demo``."""

from __future__ import annotations

import argparse
import itertools
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import codec
from codec.cli.terminal import decibels, job_count, points_bar, say, table, thousands
from codec.errors import MediaError
from codec.models import MotionModel, ResidualCoder
from codec.whole_file import refuse_overwrite

if TYPE_CHECKING:
    from codec.measure.points import Point

WIDTH, HEIGHT, PICTURES = 160, 112, 12  # small enough for every way within half a minute, kernels compiled
STEP, QP = 8, 27
PAGES = ("report.html", "inspect.html", "scene.mvz", "mesh.mvz")


def main(options: argparse.Namespace) -> int:
    """Make a sequence, encode it every way, check, print the table, write the report and a page to look inside."""
    from codec.measure.points import Clip
    from codec.measure.sweep import default_settings
    from codec.measure.synthetic import moving_sequence
    from codec.picture.sinks import open_sink
    from codec.show.inspector import write_inspector
    from codec.show.report import make_report

    folder = _folder(options.output)
    for name in PAGES:
        refuse_overwrite(folder / name, options.force)
    clip = Clip("a made-up scene", Fraction(25), tuple(moving_sequence(WIDTH, HEIGHT, PICTURES)))
    settings = default_settings()
    with points_bar(len(settings), options.quiet) as progress:
        points = make_report(
            clip,
            folder / "report.html",
            settings=settings,
            force=options.force,
            progress=progress,
            jobs=job_count(options.jobs),
        )
    with open_sink(folder / "scene", clip.format, clip.rate, force=options.force) as sink:
        for picture in clip.pictures:
            sink.write(picture)
    for name, chosen in (("scene.mvz", codec.Settings()), ("mesh.mvz", codec.Settings("int8", "mesh", STEP))):
        codec.encode(folder / "scene", folder / name, chosen, force=options.force)
    with codec.open(folder / "mesh.mvz") as video:
        write_inspector(video, folder / "inspect.html", force=options.force)
    if not options.quiet:
        raw = thousands(clip.source_bytes)
        say(
            *(f"{PICTURES} pictures of {clip.format}, {raw} bytes raw; each file decoded and compared", ""),
            *table(_rows(points)),
            *("", f"pictures        {folder / 'scene'}"),
            f"lossless        {folder / 'scene.mvz'}",
            f"int8 and mesh   {folder / 'mesh.mvz'}",
            f"report          {folder / 'report.html'}",
            f"a look inside   {folder / 'inspect.html'}",
        )
    return 0


def _folder(output: str | None) -> Path:
    if output is None:
        return Path(tempfile.mkdtemp(prefix="mvz-demo-"))
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{output}: cannot be made: {error.strerror}") from error
    return Path(output)


def _rows(points: list[Point]) -> list[list[str]]:
    """Every residual × motion where its dial stands at one place, as a table."""
    rows = [["residual", "motion", "dial", "bytes", "ratio", "MSE", "PSNR dB", "encode s", "decode s"]]
    for residual, motion in itertools.product(ResidualCoder, MotionModel):
        for point in points:
            chosen, dial, total = point.settings, point.dial, point.error.total
            is_shown = dial in (None, ("step", STEP), ("qp", QP))
            if (chosen.residual, chosen.motion) != (residual, motion) or not is_shown:
                continue
            row = [residual.label, motion.label, "–" if dial is None else f"{dial[0]} {dial[1]}"]
            row += [thousands(point.file_bytes), f"{point.ratio:.2f}", f"{total.mse:.3f}" if total.mse else "0"]
            row += [decibels(total.psnr), f"{point.encode_seconds:.2f}", f"{point.decode_seconds:.2f}"]
            rows.append(row)
    return rows
