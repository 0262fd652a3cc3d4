"""Rate and distortion, measured: every point is encoded to a real file, decoded from it, and compared."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import codec
from codec.errors import CodecError, ConfigError
from codec.measure.cache import SweepCache
from codec.measure.dials import DIALS, settings_at
from codec.measure.metrics import compare_sequences
from codec.measure.points import Clip, PeerPoint, Point, points_as_json, write_csv, write_json
from codec.models import MotionModel, ResidualCoder
from codec.parallel import result_of
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.settings import Settings

if TYPE_CHECKING:
    from codec.picture.sources import SourceSpec

__all__ = [
    "Clip",
    "Point",
    "SweepProgress",
    "default_settings",
    "load_clip",
    "points_as_json",
    "processors",
    "sweep",
    "write_csv",
    "write_json",
]

MAX_CLIP_BYTES = 1 << 31  # raw; a sweep holds its clip in memory, so that reading it does not count as encoding


def load_clip(source: SourceSpec, pictures: int | None = None) -> Clip:
    """A source's pictures, or the first ``pictures`` of them, in memory; the label says so where some are left out.

    Raises:
        MediaError: the source cannot be read.
        ConfigError: its raw pictures take more than 2 GiB, or ``pictures`` is below 1.
    """
    from codec.picture.sources import open_source

    if pictures is not None and pictures < 1:
        raise ConfigError(f"a sweep needs at least 1 picture, not {pictures}")
    with open_source(source) as opened:
        most = MAX_CLIP_BYTES // opened.format.sample_count
        wanted = most if pictures is None else min(pictures, most)
        to_come = iter(opened)
        loaded = tuple(islice(to_come, wanted))
        is_cut = next(to_come, None) is not None
        if is_cut and wanted != pictures:
            raise ConfigError(f"{opened.label}: more than {most} pictures of {opened.format} (2 GiB); measure on fewer")
        label = f"{opened.label}, first {wanted} picture{'s' if wanted > 1 else ''}" if is_cut else opened.label
        return Clip(label, opened.rate, loaded, tuple(opened.files), tuple(opened.notes))


def default_settings(
    residuals: Iterable[ResidualCoder | str] | None = None,
    motions: Iterable[MotionModel | str] | None = None,
    steps: Iterable[int | None] | None = None,
    points: int | None = None,
    chroma: str | None = None,
) -> list[Settings]:
    """Every residual with every motion model, and coders with a dial at several of its values.

    ``steps`` are the values of dials that are steps; None among them leaves the scale to the encoder.
    ``points`` spreads so many values over each dial's range instead of the usual ones.
    ``chroma`` is how ``dct`` codes the chroma of RGB.

    Raises:
        ConfigError: a name or step that `Settings` refuses, or fewer than 1 point.
    """
    if points is not None and points < 1:
        raise ConfigError(f"a curve has at least 1 point, not {points}")
    chosen_steps = None if steps is None else tuple(steps)
    chosen_motions = [
        Settings(motion=motion).motion_model for motion in (motions if motions is not None else MotionModel)
    ]
    result: list[Settings] = []
    refused: ConfigError | None = None
    for residual in residuals if residuals is not None else ResidualCoder:
        coder = Settings(residual=residual).residual_coder
        values: tuple[int | None, ...] = ()
        if (dial := DIALS.get(coder)) is not None:
            values = dial.usual if points is None else dial.spread(points)
            if chosen_steps is not None and dial.name == "step":
                values = chosen_steps
        curves = []
        for motion in chosen_motions:
            try:
                curve = settings_at(coder, motion, values)
                if chroma is not None and coder is ResidualCoder.DCT:
                    curve = [replace(settings, chroma=chroma) for settings in curve]
                curves.append(curve)
            except ConfigError as error:  # a coder that has no such motion is measured with the others
                refused = error
        result += [settings for same_value in zip(*curves, strict=True) for settings in same_value]
    if not result and refused is not None:
        raise refused
    return result


# ------------------------------------------------------------------------------------------- measuring


class SweepProgress(NamedTuple):
    """How far a sweep has come."""

    points_done: int
    point_count: int
    point: Point | PeerPoint
    """The one that has just been measured, or was found in the cache."""


def sweep(
    source: SourceSpec | Clip,
    settings_list: Sequence[Settings],
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[SweepProgress], None] | None = None,
    ssim: bool = True,
    keep_picture: int | None = None,
    cache: SweepCache | None = None,
) -> list[Point]:
    """Measure each of the settings on one source; the points come in the order of the settings.

    Args:
        source: anything `codec.encode` takes, or a `Clip`.
        settings_list: what to measure.
        jobs: points at once, as threads; the number of processors if not given. Seconds are wall time, so
            they grow where points at once are more than processors free.
        executor: measures them there instead; each is sent the whole clip, and compiles what is not in its cache.
        progress: called after every point, one call at a time.
        ssim: measure SSIM too, where scikit-image is installed.
        keep_picture: number of a decoded picture to keep in each point.
        cache: where points are looked for first, and kept for the case that this is interrupted.

    Raises:
        MediaError: the source cannot be read.
        ConfigError: nothing to measure, or ``jobs`` below 1.
        CodecError: a lossless file did not come back exactly.
    """
    if not settings_list or (jobs is not None and jobs < 1):
        raise ConfigError("a sweep needs at least one setting and one job")
    clip = source if isinstance(source, Clip) else load_clip(source)
    futures: dict[Future[Point], int] = {}
    points = [cache.get(settings) if cache is not None else None for settings in settings_list]
    with ExitStack() as stack:
        if executor is None:
            _warm_up(clip.format, settings_list, ssim)
            executor = ThreadPoolExecutor(jobs or processors())
            stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        for number, (settings, known) in enumerate(zip(settings_list, points, strict=True)):
            if known is None:
                future = executor.submit(measure_task, PointTask(clip, settings, ssim, keep_picture))
                futures[future] = number
                stack.callback(future.cancel)
        done = 0
        for point in filter(None, points):
            done += 1
            if progress is not None:
                progress(SweepProgress(done, len(points), point))
        for future in as_completed(futures):
            point = points[futures[future]] = result_of(future)
            done += 1
            if cache is not None:
                cache.put(point)
            if progress is not None:
                progress(SweepProgress(done, len(points), point))
    return [point for point in points if point is not None]


class PointTask(NamedTuple):
    """What a worker needs to measure one point; it can be pickled."""

    clip: Clip
    settings: Settings
    ssim: bool
    keep_picture: int | None


def measure_task(task: PointTask) -> Point:
    """`measure_point` with its arguments as one."""
    return measure_point(task.clip, task.settings, ssim=task.ssim, keep_picture=task.keep_picture)


def processors() -> int:
    """How many points `sweep` measures at once if not told."""
    return os.cpu_count() or 1


def measure_point(clip: Clip, settings: Settings, *, ssim: bool = True, keep_picture: int | None = None) -> Point:
    """Encode to a temporary file, decode it, compare.

    Raises:
        CodecError: a lossless file did not come back exactly.
    """
    with tempfile.TemporaryDirectory(prefix="mvz-sweep-") as folder:
        path = Path(folder) / "point.mvz"
        started = time.perf_counter()
        with codec.Writer(path, settings=settings, rate=clip.rate, format=clip.format) as out:
            for picture in clip.pictures:
                out.append(picture)
        encode_seconds = time.perf_counter() - started
        coded_error = None
        with codec.open(path) as video:
            decoded = _TimedPictures(video, keep_picture)
            error = compare_sequences(clip.pictures, decoded, ssim).whole
            inventory = video.info
            if settings.residual_coder is ResidualCoder.DCT and clip.format.sample_format is SampleFormat.RGB:
                planes = clip.as_coded(settings.chroma).pictures
                coded_error = compare_sequences(planes, video.coded_pictures(), ssim).whole
    point = Point(
        settings,
        len(clip.pictures),
        clip.pixels,
        clip.source_bytes,
        inventory.file_bytes,
        dict(inventory.bytes),
        error,
        encode_seconds,
        decoded.seconds,
        decoded.kept,
        coded_error,
    )
    if settings.residual_coder is ResidualCoder.LOSSLESS and not settings.max_error and not point.exact:
        raise CodecError(f"{point.label}: lossless came back with MSE {point.mse:g} per sample; this is a bug in mvz")
    return point


class _TimedPictures:
    """The pictures of a file, with the seconds that decoding took, and one of them kept."""

    def __init__(self, video: codec.Video, keep_picture: int | None) -> None:
        self.seconds = 0.0
        self.kept: Picture | None = None
        self._video = video
        self._keep_picture = keep_picture

    def __iter__(self) -> Iterator[Picture]:
        pictures = self._video.pictures()
        for number in range(len(self._video)):
            started = time.perf_counter()
            picture = next(pictures)
            self.seconds += time.perf_counter() - started
            if number == self._keep_picture:
                self.kept = picture
            yield picture


def _warm_up(picture_format: PictureFormat, settings_list: Iterable[Settings], ssim: bool) -> None:
    """Code two small pictures every way, so that no point's seconds hold imports and compilation."""
    small = PictureFormat(32, 32, picture_format.sample_format, picture_format.colour)
    random = np.random.default_rng(0)
    planes = tuple(random.integers(0, 256, shape, np.uint8) for shape in small.plane_shapes)
    clip = Clip("warm-up", Fraction(25), (Picture(small, planes),) * 2)
    for residual, motion in {(settings.residual, settings.motion) for settings in settings_list}:
        measure_point(clip, Settings(residual, motion), ssim=ssim)
