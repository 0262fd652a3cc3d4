"""A sweep as one page of HTML that needs nothing else: findings, plots, every point, sample pictures, method."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

import codec
from codec.errors import ConfigError, MediaError
from codec.measure.cache import SweepCache
from codec.measure.curves import Domain, compare_curves, domains_of
from codec.measure.dials import dial_of
from codec.measure.peers import PEERS, Skipped, measure_peers, peer_count
from codec.measure.points import Clip, Comparison, PeerPoint, Point, quality_name, write_csv, write_json
from codec.measure.sweep import SweepProgress, default_settings, load_clip, processors, sweep
from codec.models import ResidualCoder
from codec.settings import CHROMAS, Settings
from codec.show.findings import findings
from codec.show.pages import asset, data_url, environment
from codec.show.plots import (
    plot_components,
    plot_mesh_against_block,
    plot_psnr_against_bits,
    plot_psnr_against_ratio,
    plot_size_against_mse,
    svg,
)
from codec.show.samples import make_samples
from codec.whole_file import InputFile, refuse_overwrite, whole_file

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from matplotlib.figure import Figure

    from codec.picture.sources import SourceSpec

__all__ = ["ReportMeta", "make_report", "refuse_pages", "write_report"]

MEASURING_PACKAGES = ("numpy", "zstandard", "scikit-image")


@dataclass(frozen=True)
class ReportMeta:
    """What a report says besides its points.

    Attributes:
        clip: what was measured.
        jobs: how many points were measured at once.
        sample_number: the picture that every point kept in ``sample``; None leaves sample pictures out.
        peers: other codecs on the same pictures.
        skipped: peers that were not measured, and why.
        anchor: name of the curve that others are compared with; the first with enough points if not given.
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
        json_path: where to write the points as JSON (`codec.measure.points.points_as_json`).
        csv_path: where to write them as CSV.
        force: replace files that exist.
        progress: called after every point.
        jobs: points at once; the number of processors if not given.
        executor: measures them there instead, ``jobs`` at once; each is sent the whole clip.
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
    _refuse_anchor(anchor, chosen, peers)
    chromas = {of.chroma or CHROMAS[0] for of in chosen if of.residual_coder is ResidualCoder.DCT}
    if peers and len(chromas) > 1:
        raise ConfigError("other codecs get the planes that dct codes: measure one chroma at a time beside them")
    cache = SweepCache(Path(output_path).with_name(f".{Path(output_path).name}.points"), clip, sample_number)
    jobs = jobs or processors()
    points = sweep(
        clip, chosen, jobs=jobs, executor=executor, progress=progress, keep_picture=sample_number, cache=cache
    )
    others, skipped = _measured_peers(clip, next(iter(chromas), None), cache, points, progress) if peers else ([], [])
    meta = ReportMeta(clip, jobs, sample_number, others, skipped, anchor)
    write_report(points, meta, output_path, force=force)
    if json_path is not None:
        bd_rates = compare_curves(domains_of(clip, points, others), anchor)
        write_json(points, json_path, clip=clip, jobs=jobs, peers=others, bd_rates=bd_rates, force=force)
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


def _refuse_anchor(anchor: str | None, settings: Sequence[Settings], peers: bool) -> None:
    """Refuse an anchor before anything is measured, where it will be no curve."""
    names = [f"{of.residual_coder.label}, {of.motion_model.label}" for of in settings if dial_of(of) is not None]
    names = list(dict.fromkeys(names + [peer.name for peer in PEERS if peer.values and peers]))
    if anchor is not None and anchor not in names:
        raise ConfigError(f"no curve is called {anchor!r}; there are {'; '.join(names) or 'none'}")


def _measured_peers(
    clip: Clip,
    chroma: str | None,
    cache: SweepCache,
    points: Sequence[Point],
    progress: Callable[[SweepProgress], None] | None,
) -> tuple[list[PeerPoint], list[Skipped]]:
    """`measure_peers`, whose points count on from ours."""
    done = len(points)

    def tell(found: PeerPoint | Skipped) -> None:
        nonlocal done
        done += 1
        if progress is not None and isinstance(found, PeerPoint):
            progress(SweepProgress(done, len(points) + peer_count(), found))

    return measure_peers(clip, chroma=chroma, progress=tell, cache=cache)


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
    templates.filters |= {
        "significant": significant,
        "decibels": decibels,
        "seconds": seconds,
        "share": share,
        "percent": percent,
    }
    samples = None
    if meta.sample_number is not None:
        samples = make_samples(points, meta.clip.pictures[meta.sample_number], meta.sample_number)
    mesh_plot = plot_mesh_against_block(points)
    domains = domains_of(meta.clip, points, meta.peers)
    return templates.get_template("report.html.j2").render(
        name=Path(meta.clip.label).name or meta.clip.label,
        clip=meta.clip,
        style=Markup(asset("report.css")),
        findings=[unbroken(sentence) for sentence in findings(domains)],
        domains=[_shown(domain, compare_curves(domains, meta.anchor)) for domain in domains],
        components=_image(plot_components(points), "Bytes by component", ""),
        mesh_plot=_image(mesh_plot, "Mesh against block at equal PSNR", "") if mesh_plot is not None else None,
        quality=quality_name(points),
        points=points,
        peers=meta.peers,
        commands=_commands(meta.peers),
        skipped=meta.skipped,
        programs=list(dict.fromkeys(peer.version for peer in meta.peers)),
        dial_of=dial_of,
        component_names=[name for name in points[0].bytes if any(point.bytes[name] for point in points)],
        is_yuv=any(point.error.psnr_yuv is not None for domain in domains for point in (*domain.points, *domain.peers)),
        has_ssim=any(point.error.ssim is not None for point in points),
        samples=samples,
        jobs=meta.jobs,
        processors=os.cpu_count() or 1,
        settings=_common_settings(points),
        coders={point.settings.residual_coder.label for point in points},
        versions=_versions(),
    )


class PlotImage(NamedTuple):
    """A plot for the page."""

    title: str
    description: str
    url: str


class Shown(NamedTuple):
    """A domain for the page: plots, table and comparisons of what was measured in the same planes."""

    planes_name: str
    points: Sequence[Point]
    peers: Sequence[PeerPoint]
    plots: list[PlotImage]
    planes: list[str]
    """Letters of the planes that have columns of their own."""
    is_yuv: bool
    quality: str
    comparisons: list[Comparison]


def _shown(domain: Domain, comparisons: Sequence[Comparison]) -> Shown:
    measured = [*domain.points, *domain.peers]
    planes = list(measured[0].error.planes)
    return Shown(
        domain.planes_name,
        domain.points,
        domain.peers,
        _plots(domain.points, domain.peers),
        planes if len(planes) > 1 else [],
        any(point.error.psnr_yuv is not None for point in measured),
        quality_name(measured),
        [comparison for comparison in comparisons if comparison.measured_in == domain.measured_in],
    )


def _plots(points: Sequence[Point], peers: Sequence[PeerPoint]) -> list[PlotImage]:
    """The rate and distortion plots; what to read from each is said beside it."""
    said = "Each marker is one file."
    if any(point.exact for point in (*points, *peers)):
        said += " Files without error are in the shaded strip: they have no place on the other axis."
    return [
        _image(plot_size_against_mse(points, peers), "File size against MSE", said),
        _image(
            plot_psnr_against_bits(points, peers),
            f"{quality_name([*points, *peers])} against bits per pixel",
            "The same files for every luma sample.",
        ),
        _image(
            plot_psnr_against_ratio(points, peers),
            f"{quality_name([*points, *peers])} against ratio",
            "The same files against the raw samples.",
        ),
    ]


def _image(figure: Figure, title: str, description: str) -> PlotImage:
    return PlotImage(title, description, data_url("image/svg+xml", svg(figure).encode()))


class Command(NamedTuple):
    """What was run for the points of a peer."""

    label: str
    command: str
    version: str


def _commands(peers: Sequence[PeerPoint]) -> list[Command]:
    """One command a peer, with N where its points differ: at the dial."""
    commands = []
    for name in dict.fromkeys(peer.peer for peer in peers):
        points = [peer for peer in peers if peer.peer == name]
        words = [set(words) for words in zip(*(point.command.split(" ") for point in points), strict=True)]
        command = " ".join(word.pop() if len(word) == 1 else "N" for word in words)
        dials = [point.dial for point in points if point.dial is not None]
        values = f", {dials[0][0]} N: {', '.join(str(value) for _, value in dials)}" if len(dials) > 1 else ""
        commands.append(Command(name + values, command, points[0].version))
    return commands


def _common_settings(points: Sequence[Point]) -> dict[str, Any]:
    """What was set besides residual, motion and step: one value each, or all that occur."""
    common = {}
    for name, field in (("gop", "gop"), ("block", "cell_size"), ("search", "search_range"), ("run", "run")):
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


def percent(change: float) -> str:
    """A relative change with its sign: −12.3 %; 0.0 % where nothing of it is left."""
    rounded = round(100 * change, 1)
    return f"{rounded:+.1f}\N{NO-BREAK SPACE}%".replace("-", "\N{MINUS SIGN}") if rounded else "0.0\N{NO-BREAK SPACE}%"


def share(part: float, whole: float) -> str:
    """A part in per cent, with one decimal."""
    return f"{100 * part / whole:.1f} %"
