"""The ``mvz`` command: ``python -m codec``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
AGAIN_SECONDS = 5  # by when files that are half written have long been taken away
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.unraisablehook = _hide_interrupts
    _fill_closed_streams()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads would wait, which costs 40 ms of CPU each time
    try:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, _stop)
        from codec.cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        with contextlib.suppress(OSError, AttributeError):
            sys.stderr.write("mvz: interrupted\n")
        _leave(INTERRUPTED)
    sys.exit(code)


def _fill_closed_streams() -> None:
    """Take the places of standard streams that are closed, or the first file that is opened would get one.

    What a library or a child then writes on standard error would end up in that file.
    """
    while (place := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(place)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Take half-written files away and leave, once, whatever signal it was."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if hasattr(signal, "setitimer"):  # a callback of a library may swallow what is raised in it, so it comes again
        signal.signal(signal.SIGALRM, _stop)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise KeyboardInterrupt


def _hide_interrupts(unraisable: sys.UnraisableHookArgs) -> None:
    """Say nothing of an interrupt that was swallowed; it comes again."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _leave(code: int) -> NoReturn:
    """Leave without waiting for threads whose work is given up, which may take minutes for a GOP."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
