"""A sweep as one page of HTML that needs nothing else: findings, plots, every point, sample pictures, method."""

from __future__ import annotations

import importlib.metadata
import itertools
import math
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

import codec
from codec.errors import ConfigError, MediaError
from codec.measure.cache import SweepCache
from codec.measure.curves import Domain, compare_curves, domains_of, refuse_unknown_curve
from codec.measure.peers import PEERS, Skipped, measure_peers, peer_count
from codec.measure.points import (
    Clip,
    PeerPoint,
    Point,
    curve_name,
    dial_of,
    points_as_json,
    quality_name,
    write_csv,
    write_json,
)
from codec.measure.sweep import SweepProgress, default_settings, load_clip, processors, sweep
from codec.models import MotionModel, ResidualCoder
from codec.picture.alpha import over_chequers
from codec.picture.colour import eight_bits, to_array
from codec.picture.planes import Picture
from codec.settings import CHROMAS, Settings
from codec.show.findings import findings
from codec.show.pages import decibels, environment, picture_url
from codec.show.plots import (
    COLOUR_OF_COMPONENT,
    IN_THE_DARK,
    RATE_PLOTS,
    RatePlot,
    inline_svg,
    legend,
    plot_mesh_against_block,
    plot_rates,
)
from codec.whole_file import InputFile, refuse_overwrite, whole_file

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from codec.picture.sources import SourceSpec

__all__ = ["ReportMeta", "make_report", "refuse_pages", "write_report"]

MEASURING_PACKAGES = ("numpy", "zstandard", "scikit-image")
MAX_WIDTH, MAX_HEIGHT = 384, 288  # of what is shown: a cut-out at full resolution, so that errors stay visible
AMPLIFICATIONS = (16, 8, 4, 2, 1)


@dataclass(frozen=True)
class ReportMeta:
    """What a report says besides its points.

    Attributes:
        clip: what was measured.
        jobs: how many points were measured at once.
        sample_number: the picture that every point kept in ``sample``; None leaves sample pictures out.
        peers: other codecs on the same pictures.
        skipped: peers that were not measured, and why.
        anchor: name of the curve that others are compared with, or `compare_curves` chooses.
    """

    clip: Clip
    jobs: int = 1
    sample_number: int | None = None
    peers: Sequence[PeerPoint] = ()
    skipped: Sequence[Skipped] = ()
    anchor: str | None = None


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
    anchor: str | None = None,
    peers: bool = False,
) -> list[Point]:
    """Measure a source every way, and write the page, and the numbers where asked.

    Args:
        source_spec: anything `codec.encode` takes, or a `Clip` in memory.
        output_path: the page to make.
        settings: what to measure; `default_settings` if not given.
        json_path: where to write the points, as docs/sweep_schema.md says.
        csv_path: the points as a table.
        force: replace files that exist.
        progress: called after every point.
        jobs: points at once; the number of processors if not given.
        executor: measures them there instead, ``jobs`` at once.
        pictures: measure only the first so many.
        anchor: name of the curve that others are compared with, such as ``int8, block``.
        peers: measure other codecs too: what ffmpeg has, that on PATH or of the extra ``mvz[peers]``, and Pillow.

    Points are kept in a folder beside the page until it is done, so that an interrupted call goes on where it was.

    Raises:
        MediaError: the source cannot be read, or a file exists or cannot be written; files are checked first.
        ConfigError: nothing to measure, too much to hold in memory, or ``peers`` beside dct in 4:2:0 and in 4:4:4.
    """
    refuse_pages((output_path, json_path, csv_path), force)
    clip = source_spec if isinstance(source_spec, Clip) else load_clip(source_spec, pictures)
    refuse_pages((output_path, json_path, csv_path), force, clip.files)
    sample_number = len(clip.pictures) // 2
    chosen = default_settings() if settings is None else list(settings)
    curves = [curve_name(of) for of in chosen if dial_of(of) is not None]
    refuse_unknown_curve(anchor, curves + [peer.name for peer in PEERS if peer.values and peers])
    chromas = {of.chroma or CHROMAS[0] for of in chosen if of.residual_coder is ResidualCoder.DCT}
    if peers and len(chromas) > 1:
        raise ConfigError("other codecs get the planes that dct codes: measure one chroma at a time beside them")
    cache = SweepCache(Path(output_path).with_name(f".{Path(output_path).name}.points"), clip, sample_number)
    jobs = jobs or processors()
    points = sweep(
        clip, chosen, jobs=jobs, executor=executor, progress=progress, keep_picture=sample_number, cache=cache
    )
    others: list[PeerPoint] = []
    skipped: list[Skipped] = []
    if peers:
        done = itertools.count(len(points) + 1)
        total = len(points) + peer_count()

        def tell(found: PeerPoint | Skipped) -> None:
            number = next(done)
            if progress is not None and isinstance(found, PeerPoint):
                progress(SweepProgress(number, total, found))

        others, skipped = measure_peers(clip, chroma=next(iter(chromas), None), progress=tell, cache=cache)
    write_report(points, ReportMeta(clip, jobs, sample_number, others, skipped, anchor), output_path, force=force)
    if json_path is not None:
        bd_rates = [of.as_dict() for of in compare_curves(domains_of(clip, points, others), anchor)]
        write_json(points_as_json(points, clip, jobs, others, bd_rates), json_path, force=force)
    if csv_path is not None:
        write_csv([*points, *others], csv_path, force=force)
    cache.clear()
    return points


def refuse_pages(paths: Iterable[str | os.PathLike[str] | None], force: bool, inputs: Iterable[InputFile] = ()) -> None:
    """Refuse targets before any work is done, also those that are one of ``inputs``.

    Raises:
        ExistsError: one exists, and ``force`` does not allow to replace it.
        MediaError: one is a folder, or its folder is not there.
    """
    for path in paths:
        if path is not None:
            refuse_overwrite(path, force, inputs)
            if not Path(path).parent.is_dir():
                raise MediaError(f"{path}: cannot be written: there is no folder {Path(path).parent}")


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
    templates = environment()
    templates.filters |= {of.__name__: of for of in (significant, decibels, seconds, percent, distinct)}
    shown = distinct(points)
    samples = None
    if meta.sample_number is not None:
        samples = make_samples(shown, meta.clip.pictures[meta.sample_number], meta.sample_number)
    mesh_plot = plot_mesh_against_block(points)
    domains = domains_of(meta.clip, points, meta.peers)
    name, size = Path(meta.clip.label).name or meta.clip.label, meta.clip.format
    count = f"{len(meta.clip.pictures)} picture{'s' * (len(meta.clip.pictures) != 1)}"
    return templates.get_template("report.html.j2").render(
        title=", ".join([name, f"{size.width} × {size.height}", *([] if name.endswith(count) else [count])]),
        clip=meta.clip,
        findings=findings(domains),
        domains=domains,
        legends=[legend(domain.points, domain.peers) for domain in domains],
        plots=[[_drawn(plot, domain) for plot in RATE_PLOTS] for domain in domains],
        comparisons=compare_curves(domains, meta.anchor),
        mesh_plot=inline_svg(mesh_plot, "mesh", "Bytes of mesh against block") if mesh_plot is not None else None,
        quality=quality_name(points),
        points=shown,
        same_as_block=[point.label for point in points if point not in shown],
        peers=meta.peers,
        commands=_commands([*points, *meta.peers]),
        skipped=meta.skipped,
        components={
            of: colour for of, colour in COLOUR_OF_COMPONENT.items() if any(point.bytes[of] for point in points)
        },
        colours=IN_THE_DARK,
        is_yuv=any(domain.quality == "PSNR-YUV" for domain in domains),
        has_ssim=any(point.error.ssim is not None for point in points),
        samples=samples,
        jobs=meta.jobs,
        processors=os.cpu_count() or 1,
        settings=_common_settings(points),
        coders={point.settings.residual_coder.label for point in points},
        versions=_versions(),
    )


def _drawn(plot: RatePlot, domain: Domain) -> tuple[RatePlot, Markup]:
    """A plot of a domain with its whole title, and drawn."""
    titled = plot._replace(title=plot.title.format(quality=domain.quality))
    name = f"{domain.measured_in}-{plot.rate}"
    return titled, inline_svg(plot_rates(plot, domain.points, domain.peers), name, titled.title)


def distinct(points: Sequence[Point]) -> list[Point]:
    """All points but those of mesh motion that are as large and as far off as with block motion."""
    of_block = {
        (point.settings.residual, point.dial, point.file_bytes, point.mse)
        for point in points
        if point.settings.motion_model is MotionModel.BLOCK
    }
    return [
        point
        for point in points
        if point.settings.motion_model is not MotionModel.MESH
        or (point.settings.residual, point.dial, point.file_bytes, point.mse) not in of_block
    ]


def _commands(points: Sequence[Point | PeerPoint]) -> dict[str, list[tuple[str, str]]]:
    """Labels and commands of points, by the version of the program that ran them."""
    commands: dict[str, list[tuple[str, str]]] = {}
    for point in points:
        version = point.version if isinstance(point, PeerPoint) else f"mvz {codec.__version__}"
        commands.setdefault(version, []).append((point.label, point.command))
    return commands


def _common_settings(points: Sequence[Point]) -> dict[str, str]:
    """What was set besides residual, motion and dial: one value each, or all that occur."""
    common = {}
    for name, field in (("gop", "gop"), ("block", "cell_size"), ("search", "search"), ("run", "run")):
        values = {getattr(point.settings, field) for point in points}
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


# ------------------------------------------------------------------------------------------- sample pictures


class DecodedSample(NamedTuple):
    """One point's picture and its difference from the source."""

    point: Point
    decoded_url: str
    difference_url: str


class Samples(NamedTuple):
    """What to show of one picture of the clip."""

    number: int
    width: int
    height: int
    cropped: bool
    source_url: str
    amplification: int  # a difference is shown as 128 + this times (decoded − source), cut to 0…255
    decoded: list[DecodedSample]


def make_samples(points: Sequence[Point], source: Picture, number: int) -> Samples:
    """The source, and what the coarsest setting makes of it with each motion model.

    That is the residual coder and dial with the largest MSE. Only points that kept their decoded picture can be shown.
    """
    lossy = [point for point in points if not point.exact and point.sample is not None]
    worst = max(lossy, key=lambda point: point.mse, default=None)
    shown = [p for p in lossy if worst and (p.settings.residual, p.dial) == (worst.settings.residual, worst.dial)]
    original = _middle(source)
    pictures = [_middle(point.sample) for point in shown if point.sample is not None]
    differences = [picture.astype(np.int16) - original for picture in pictures]
    # the most that leaves 99 % of all differences unclipped
    large = max((float(np.percentile(np.abs(difference), 99)) for difference in differences), default=127.0)
    amplification = next((factor for factor in AMPLIFICATIONS if factor * large <= 127), 1)
    amplified = [np.clip(128 + amplification * each, 0, 255).astype(np.uint8) for each in differences]
    height, width = original.shape[:2]
    cropped = (width, height) != (source.format.width, source.format.height)
    decoded = [
        DecodedSample(point, picture_url(picture), picture_url(difference))
        for point, picture, difference in zip(shown, pictures, amplified, strict=True)
    ]
    return Samples(number, width, height, cropped, picture_url(original), amplification, decoded)


def _middle(picture: Picture) -> npt.NDArray[Any]:
    """At most `MAX_WIDTH` × `MAX_HEIGHT` from the middle of a picture, as people look at it, in 8 bits."""
    samples = to_array(over_chequers(eight_bits(picture)))
    top, left = max(len(samples) - MAX_HEIGHT, 0) // 2, max(samples.shape[1] - MAX_WIDTH, 0) // 2
    return samples[top : top + MAX_HEIGHT, left : left + MAX_WIDTH]


# ------------------------------------------------------------------------------------------- numbers as text


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, without exponent: 64.3, 1.42, 0.00123."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{decimals}f}"


def seconds(value: float) -> str:
    """Thousandths below one second, hundredths below ten, tenths above."""
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1}f}"


def percent(change: float) -> str:
    """A relative change with its sign: −12.3 %; 0.0 % where nothing of it is left."""
    rounded = round(100 * change, 1)
    return f"{rounded:+.1f}\N{NO-BREAK SPACE}%".replace("-", "\N{MINUS SIGN}") if rounded else "0.0\N{NO-BREAK SPACE}%"
