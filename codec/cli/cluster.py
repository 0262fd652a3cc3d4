"""``--scheduler``: the workers of a dask cluster instead of threads here. The only module that imports distributed."""

from __future__ import annotations

import argparse
import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from typing import Any, NamedTuple

from codec import __version__
from codec.cli.terminal import executor_of, job_count, say_aside
from codec.errors import CodecError, ConfigError

CONNECT_SECONDS = 10
WATCH_SECONDS = 5


class Workers(NamedTuple):
    """What does the work: an executor, or None for this thread alone, and how many calls it runs at once."""

    executor: Executor | None
    at_once: int


@contextlib.contextmanager
def workers_of(options: argparse.Namespace) -> Iterator[Workers]:
    """The workers that ``--scheduler`` or ``--jobs`` ask for.

    Raises:
        ConfigError: there is no distributed, no scheduler, or it has no workers, or those of another mvz.
        CodecError: the cluster gave up.
    """
    if options.scheduler is None:
        with executor_of(options.jobs) as executor:
            yield Workers(executor, job_count(options.jobs))
        return
    if options.jobs is not None:
        raise ConfigError("--jobs has no effect with --scheduler, whose workers do everything")
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise ConfigError("--scheduler needs dask.distributed: pip install 'mvz[cluster]'") from error
    with contextlib.ExitStack() as stack:
        # distributed's own log and warnings would be noise: it repairs what it can, the rest becomes one line of ours
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        logging.disable()
        stack.callback(logging.disable, logging.NOTSET)
        try:
            client = stack.enter_context(Client(options.scheduler, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{options.scheduler}: no scheduler there: {error}") from error
        count = sum(client.nthreads().values())
        if count == 0:
            raise ConfigError(f"{options.scheduler}: the scheduler has no workers")
        # asked by a name of Python's own, as a worker without mvz has no function of ours, and would be lost by it
        for worker, version in client.run(eval, "__import__('codec').__version__", on_error="return").items():
            if version != __version__:
                has = f"mvz {version}" if isinstance(version, str) else "no mvz"
                raise ConfigError(f"{worker}: this worker has {has}; all need {__version__}, as here")
        if not options.quiet:
            done = threading.Event()
            stack.callback(done.set)
            threading.Thread(target=_watch, args=(client, options.scheduler, done), daemon=True).start()
        try:
            yield Workers(client.get_executor(), count)
        except KilledWorker as error:  # after several, the engine gives up
            raise CodecError(f"{options.scheduler}: workers keep being lost: {error}") from error
        except CodecError as error:
            if isinstance(error.__cause__, CancelledError):  # as every call is then
                raise CodecError(f"{options.scheduler}: the connection to the scheduler is lost") from error
            raise


def _watch(client: Any, address: str, done: threading.Event) -> None:
    """Say when the last worker is gone, since the engine waits for another without a word, and when there is one."""
    had_workers = True
    while not done.wait(WATCH_SECONDS):
        try:
            has_workers = bool(client.nthreads())
        except Exception:  # whatever it is that ends the client, the calls under way say it
            return
        if has_workers != had_workers:
            what = "there are workers again" if has_workers else "no worker is left; waiting for one, Ctrl-C gives up"
            say_aside(f"mvz: note: {address}: {what}")
        had_workers = has_workers
