"""A sweep as one page of HTML that needs nothing else: findings, plots, every point, sample pictures, method."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
from markupsafe import Markup

import codec
from codec.measure.points import Clip, Point, write_csv, write_json
from codec.measure.sweep import SweepProgress, default_settings, load_clip, processors, sweep
from codec.settings import Settings
from codec.show.findings import findings
from codec.show.plots import (
    plot_components,
    plot_psnr_against_bits,
    plot_psnr_against_ratio,
    plot_size_against_mse,
    svg,
)
from codec.show.samples import data_url, make_samples
from codec.whole_file import refuse_overwrite, whole_file

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from matplotlib.figure import Figure

    from codec.picture.sources import SourceSpec

__all__ = ["ReportMeta", "make_report", "write_report"]

MEASURING_PACKAGES = ("numpy", "zstandard", "numba", "scikit-image")


@dataclass(frozen=True)
class ReportMeta:
    """What a report says besides its points.

    Attributes:
        clip: what was measured.
        jobs: how many points were measured at once.
        sample_number: the picture that every point kept in ``sample``; None leaves sample pictures out.
    """

    clip: Clip
    jobs: int = 1
    sample_number: int | None = None


def make_report(
    source_spec: SourceSpec | Clip,
    output_path: str | os.PathLike[str],
    *,
    settings: Sequence[Settings] | None = None,
    json_path: str | os.PathLike[str] | None = None,
    csv_path: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Callable[[SweepProgress], None] | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    pictures: int | None = None,
) -> list[Point]:
    """Measure a source every way, and write the page, and the numbers where asked.

    Args:
        source_spec: anything `codec.encode` takes, or a `Clip` in memory.
        output_path: the page to make.
        settings: what to measure; `default_settings` if not given.
        json_path: where to write the points as JSON (`codec.measure.points.points_as_json`).
        csv_path: where to write them as CSV.
        force: replace files that exist.
        progress: called after every point.
        jobs: points at once; the number of processors if not given.
        executor: measures them there instead, ``jobs`` at once; each is sent the whole clip.
        pictures: measure only the first so many.

    Raises:
        MediaError: the source cannot be read, or a file exists or cannot be written; files are checked first.
        ConfigError: nothing to measure, or too much to hold in memory.
    """
    for path in (output_path, json_path, csv_path):
        if path is not None:
            refuse_overwrite(Path(path), force)
    clip = source_spec if isinstance(source_spec, Clip) else load_clip(source_spec, pictures)
    meta = ReportMeta(clip, jobs or processors(), len(clip.pictures) // 2)
    chosen = default_settings() if settings is None else list(settings)
    points = sweep(clip, chosen, jobs=meta.jobs, executor=executor, progress=progress, keep_picture=meta.sample_number)
    write_report(points, meta, output_path, force=force)
    if json_path is not None:
        write_json(points, json_path, clip=clip, jobs=meta.jobs, force=force)
    if csv_path is not None:
        write_csv(points, csv_path, force=force)
    return points


def write_report(points: Sequence[Point], meta: ReportMeta, path: str | os.PathLike[str], force: bool = False) -> None:
    """The page of points that were already measured.

    Raises:
        MediaError: the file exists and ``force`` is not set, or cannot be written.
    """
    page = report_page(points, meta)
    with whole_file(path, force=force) as file:
        file.write(page.encode())


def report_page(points: Sequence[Point], meta: ReportMeta) -> str:
    """The page as text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("codec.show"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"significant": significant, "decibels": decibels, "seconds": seconds, "share": share}
    samples = None
    if meta.sample_number is not None:
        samples = make_samples(points, meta.clip.pictures[meta.sample_number], meta.sample_number)
    style = resources.files("codec.show").joinpath("templates", "report.css").read_text("utf-8")
    return environment.get_template("report.html.j2").render(
        name=Path(meta.clip.label).name or meta.clip.label,
        clip=meta.clip,
        style=Markup(style),
        findings=[unbroken(sentence) for sentence in findings(points)],
        plots=_plots(points),
        components=_image(plot_components(points), "Bytes by component", "Stacked bars, one a point."),
        points=points,
        component_names=[name for name in points[0].bytes if any(point.bytes[name] for point in points)],
        is_yuv=any(point.error.psnr_yuv is not None for point in points),
        has_ssim=any(point.error.ssim is not None for point in points),
        samples=samples,
        jobs=meta.jobs,
        processors=os.cpu_count() or 1,
        settings=_common_settings(points),
        versions=_versions(),
    )


class PlotImage(NamedTuple):
    """A plot for the page."""

    title: str
    description: str
    url: str


def _plots(points: Sequence[Point]) -> list[PlotImage]:
    """The rate and distortion plots; what to read from each is said beside it."""
    exact = "Files without error are in the shaded strip: they have no place on the other axis."
    return [
        _image(plot_size_against_mse(points), "File size against MSE", f"Each marker is one file. {exact}"),
        _image(plot_psnr_against_bits(points), "PSNR against bits per pixel", "The same files for every luma sample."),
        _image(plot_psnr_against_ratio(points), "PSNR against ratio", "The same files against the raw samples."),
    ]


def _image(figure: Figure, title: str, description: str) -> PlotImage:
    return PlotImage(title, description, data_url("image/svg+xml", svg(figure).encode()))


def _common_settings(points: Sequence[Point]) -> dict[str, Any]:
    """What was set besides residual, motion and step: one value each, or all that occur."""
    common = {}
    for name in ("gop", "block", "search", "run"):
        values = {getattr(point.settings, name) for point in points}
        numbers = sorted(value for value in values if value is not None)
        common[name] = ", ".join([*map(str, numbers), *(["automatic"] if None in values else [])])
    return common


def _versions() -> dict[str, str]:
    """Versions of what measured; a package that is not installed did not."""
    versions = {"mvz": codec.__version__, "Python": platform.python_version()}
    for package in MEASURING_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


# ------------------------------------------------------------------------------------------- numbers as text


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, without exponent: 64.3, 1.42, 0.00123."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{decimals}f}"


def decibels(value: float | None) -> str:
    """Two decimals, ∞ for identical samples, a dash for nothing."""
    if value is None:
        return "–"
    return "∞" if math.isinf(value) else f"{value:.2f}"


def unbroken(sentence: str) -> str:
    """A sentence whose numbers stay on one line with their units."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%").replace(" dB", "\N{NO-BREAK SPACE}dB")


def seconds(value: float) -> str:
    """Thousandths below one second, hundredths below ten, tenths above."""
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1}f}"


def share(part: float, whole: float) -> str:
    """A part in per cent, with one decimal."""
    return f"{100 * part / whole:.1f} %"
