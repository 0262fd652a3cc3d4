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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import codec
from codec.errors import CodecError, ConfigError
from codec.measure.cache import SweepCache
from codec.measure.metrics import compare_sequences
from codec.measure.points import Clip, PeerPoint, Point
from codec.measure.synthetic import moving_sequence
from codec.models import MotionModel, ResidualCoder
from codec.parallel import result_of
from codec.picture.planes import Picture, SampleFormat
from codec.settings import MotionName, ResidualName, Settings

if TYPE_CHECKING:
    from codec.picture.sources import SourceSpec

__all__ = ["SweepProgress", "default_settings", "load_clip", "processors", "sweep"]

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
        if opened.format.is_float:
            raise ConfigError(f"{opened.label}: has floating point, which lossless alone codes: one point is no curve")
        most = MAX_CLIP_BYTES // opened.format.raw_bytes
        wanted = most if pictures is None else min(pictures, most)
        to_come = iter(opened)
        samples = (replace(picture, duration=None, attachments={}) for picture in to_come)  # the others cost bytes
        loaded = tuple(islice(samples, wanted))
        is_cut = next(to_come, None) is not None
        if is_cut and wanted != pictures:
            raise ConfigError(f"{opened.label}: more than {most} pictures of {opened.format} (2 GiB); measure on fewer")
        label = f"{opened.label}, first {wanted} picture{'s' if wanted > 1 else ''}" if is_cut else opened.label
        return Clip(label, opened.rate, loaded, tuple(opened.files), tuple(opened.notes))


# ------------------------------------------------------------------------------------------- what is measured


class Dial(NamedTuple):
    """A setting that makes files smaller and worse."""

    name: str  # of the attribute of `Settings`, and on the command line
    usual: tuple[int, ...]  # values that a sweep takes if not told
    finest: int
    coarsest: int
    space: Any  # numpy's function that spreads values between these two


# Mesh search takes most of a sweep's time, so uint8, which differs from int8 by about 0.1 %, gets one step.
DIALS = {
    ResidualCoder.INT8: Dial("step", (4, 8, 16, 32), 3, 48, np.geomspace),
    ResidualCoder.UINT8: Dial("step", (8,), 3, 48, np.geomspace),
    ResidualCoder.DCT: Dial("qp", (22, 27, 32, 37), 12, 47, np.linspace),
}


def default_settings(
    residuals: Iterable[ResidualCoder | ResidualName] | None = None,
    motions: Iterable[MotionModel | MotionName] | None = None,
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
    chosen_steps = None if steps is None else list(steps)
    chosen_motions = list(MotionModel if motions is None else motions)
    return [
        Settings(residual, motion, **dial)
        for residual in (ResidualCoder if residuals is None else residuals)
        for dial in _dial_values(Settings(residual).residual_coder, chosen_steps, points, chroma)
        for motion in chosen_motions
    ]


def _dial_values(
    coder: ResidualCoder, steps: list[int | None] | None, points: int | None, chroma: str | None
) -> list[dict[str, Any]]:
    """Arguments of `Settings` for every point of a coder's curve."""
    if coder not in DIALS:
        return [{}]
    dial = DIALS[coder]
    values: Iterable[int | None] = dial.usual
    if steps is not None and dial.name == "step":
        values = steps
    elif points is not None:  # fewer where some would be the same
        values = dict.fromkeys(round(value) for value in dial.space(dial.finest, dial.coarsest, points).tolist())
    of_coder = {"chroma": chroma} if coder is ResidualCoder.DCT else {}
    return [{dial.name: value, **of_coder} for value in values]


# ------------------------------------------------------------------------------------------- measuring


class SweepProgress(NamedTuple):
    """How far a sweep has come; ``point`` has just been measured, or was found in the cache."""

    points_done: int
    point_count: int
    point: Point | PeerPoint


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
        executor: measures them there instead; each is sent the whole clip.
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
    points: dict[int, Point] = {}

    def keep(number: int, point: Point) -> None:
        points[number] = point
        if progress is not None:
            progress(SweepProgress(len(points), len(settings_list), point))

    futures: dict[Future[Point], int] = {}
    with ExitStack() as stack:
        if executor is None:
            _warm_up(settings_list, ssim)
            executor = ThreadPoolExecutor(jobs or processors())
            stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        for number, settings in enumerate(settings_list):
            if cache is not None and (known := cache.get(settings)) is not None:
                keep(number, known)
                continue
            future = executor.submit(measure_point, clip, settings, ssim=ssim, keep_picture=keep_picture)
            futures[future] = number
            stack.callback(future.cancel)
        for future in as_completed(futures):
            point = result_of(future)
            if cache is not None:
                cache.put(point)
            keep(futures[future], point)
    return [points[number] for number in range(len(settings_list))]


def processors() -> int:
    """How many points `sweep` measures at once if not told."""
    return os.cpu_count() or 1


def measure_point(clip: Clip, settings: Settings, *, ssim: bool = True, keep_picture: int | None = None) -> Point:
    """Encode to a temporary file, decode it, compare.

    Raises:
        CodecError: a lossless file did not come back exactly.
    """
    coded_error = sample = None
    decode_seconds = 0.0
    with tempfile.TemporaryDirectory(prefix="mvz-sweep-") as folder:
        path = Path(folder) / "point.mvz"
        started = time.perf_counter()
        with codec.Writer(path, settings=settings, rate=clip.rate, format=clip.format) as out:
            for picture in clip.pictures:
                out.append(picture)
        encode_seconds = time.perf_counter() - started
        with codec.open(path) as video:

            def decoded() -> Iterator[Picture]:
                """The file's pictures; only the seconds of decoding count, not those of comparing."""
                nonlocal decode_seconds, sample
                pictures = video.pictures()
                for number in range(len(video)):
                    started = time.perf_counter()
                    picture = next(pictures)
                    decode_seconds += time.perf_counter() - started
                    if number == keep_picture:
                        sample = picture
                    yield picture

            error = compare_sequences(clip.pictures, decoded(), ssim).whole
            if settings.residual_coder is ResidualCoder.DCT and clip.format.sample_format is SampleFormat.RGB:
                planes = clip.as_coded(settings.chroma).pictures
                coded_error = compare_sequences(planes, video.coded_pictures(), ssim).whole
            info = video.inventory(shares=False)
    point = Point(
        settings=settings,
        **clip.sizes(),
        file_bytes=info.file_bytes,
        bytes=info.bytes,
        error=error,
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
        sample=sample,
        coded_error=coded_error,
    )
    if settings.residual_coder is ResidualCoder.LOSSLESS and not settings.max_error and not point.exact:
        raise CodecError(f"{point.label}: lossless came back with MSE {point.mse:g} per sample; this is a bug in mvz")
    return point


def _warm_up(settings_list: Iterable[Settings], ssim: bool) -> None:
    """Code two small pictures every way, so that no point's seconds hold imports."""
    clip = Clip("warm-up", Fraction(25), tuple(moving_sequence(32, 32, 2)))
    for residual, motion in {(settings.residual, settings.motion) for settings in settings_list}:
        measure_point(clip, Settings(residual, motion), ssim=ssim)
