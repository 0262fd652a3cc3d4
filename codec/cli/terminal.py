"""What commands share: progress bars, threads, sources, numbers for people."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

    from codec import Progress
    from codec.measure.sweep import SweepProgress

__all__ = [
    *("counted", "executor_of", "job_count", "points_bar", "progress_bar", "rounded_bytes", "source_of", "table"),
    "thousands",
]

SWITCH_SECONDS = 1e-4
"""How long a thread waits for the interpreter before it insists, which of Python's own accord is 5 ms.

Between short kernels that is long: two threads encode 352×288 1.65 times as fast as one, with 5 ms 1.58.
"""


def job_count(jobs: int | None) -> int:
    """Threads to use: as asked, or one a core that this process may use."""
    if jobs is not None:
        return jobs
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextlib.contextmanager
def executor_of(jobs: int | None) -> Iterator[Executor | None]:
    """Threads for GOPs, or None where one thread is all there is to use."""
    count = job_count(jobs)
    if count == 1:
        yield None
        return
    executor = ThreadPoolExecutor(count)
    patience = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield executor
    finally:
        sys.setswitchinterval(patience)
        executor.shutdown(wait=False, cancel_futures=True)  # after an error nobody waits for GOPs in work


def source_of(inputs: Sequence[str]) -> str | list[str]:
    """One input is a name with all its meanings, several are a list of files."""
    return inputs[0] if len(inputs) == 1 else list(inputs)


@contextlib.contextmanager
def progress_bar(verb: str, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar with pictures per second and bytes on standard error; silent where that is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return
    from tqdm import tqdm

    with (
        tqdm(desc=verb, unit=" pictures", leave=False, dynamic_ncols=True) as bar,
        _compiling_announced(bar, disabled=False),
    ):

        def show(progress: Progress) -> None:
            bar.total = progress.picture_count
            bar.set_postfix_str(f"{thousands(progress.file_bytes)} bytes", refresh=False)
            bar.update(progress.pictures - bar.n)

        yield show


@contextlib.contextmanager
def points_bar(count: int, quiet: bool) -> Iterator[Callable[[SweepProgress], None]]:
    """A bar that counts the points of a sweep, as `progress_bar` counts pictures."""
    from tqdm import tqdm

    disabled = quiet or not sys.stderr.isatty()
    with (
        tqdm(desc="measure", total=count, unit=" points", disable=disabled, leave=False, dynamic_ncols=True) as bar,
        _compiling_announced(bar, disabled),
    ):

        def show(progress: SweepProgress) -> None:
            bar.set_postfix_str(progress.point.label, refresh=False)
            bar.update(progress.points_done - bar.n)

        yield show


@contextlib.contextmanager
def _compiling_announced(bar: tqdm[Any], disabled: bool) -> Iterator[None]:
    """Say why nothing happens, when kernels are compiled."""
    if disabled:
        yield
        return
    from codec.kernels import when_compiling

    def tell() -> None:
        bar.write("compiling for this machine; only this once, up to a minute", file=sys.stderr)

    with when_compiling(tell):
        yield


def thousands(number: float) -> str:
    """A whole number with its thousands apart: 990,067."""
    return f"{round(number):,}"


def counted(number: int, what: str) -> str:
    """How many there are: 1 picture, 20 pictures."""
    return f"{thousands(number)} {what}{'' if number == 1 else 's'}"


def rounded_bytes(count: int) -> str:
    """A size that says something however small it is: 34 kB, 28.8 MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(count / 1e3, 1):.0f} kB"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns; the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
