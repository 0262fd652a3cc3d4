"""``--scheduler``: the workers of a dask cluster instead of threads here. The only module that imports distributed."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import NamedTuple

from codec.cli.terminal import executor_of, job_count
from codec.errors import CodecError, ConfigError

CONNECT_SECONDS = 10


class Workers(NamedTuple):
    """What does the work: an executor, or None for this thread alone, and how many calls it runs at once."""

    executor: Executor | None
    at_once: int


@contextlib.contextmanager
def workers_of(options: argparse.Namespace) -> Iterator[Workers]:
    """The workers that ``--scheduler`` or ``--jobs`` ask for.

    Raises:
        ConfigError: there is no distributed, no scheduler, or it has no workers.
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
        # distributed's own log would be noise: it repairs what it can, and the rest becomes one line of ours
        logging.disable()
        stack.callback(logging.disable, logging.NOTSET)
        try:
            client = stack.enter_context(Client(options.scheduler, timeout=CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{options.scheduler}: no scheduler there: {error}") from error
        count = sum(client.nthreads().values())
        if count == 0:
            raise ConfigError(f"{options.scheduler}: the scheduler has no workers")
        try:
            yield Workers(client.get_executor(), count)
        except KilledWorker as error:  # after several, the engine gives up
            raise CodecError(f"{options.scheduler}: workers keep being lost: {error}") from error
