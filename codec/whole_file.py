"""Files that appear whole or not at all: written beside the target, flushed to disk, then given its name."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from codec.errors import ConfigError, ExistsError, MediaError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = [
    *(
        "InputFile",
        "OutputFile",
        "given_stream",
        "held",
        "is_stream",
        "publish",
        "refuse_overwrite",
        "remove_abandoned",
    ),
    *("temporary_of", "whole_file"),
]

OutputFile = str | os.PathLike[str] | IO[bytes]
"""What is written: a path, or a binary stream of a caller's."""

InputFile = str | os.PathLike[str] | int
"""What is read while something is written: a path, or the descriptor of an open file."""


def refuse_overwrite(path: str | os.PathLike[str], force: bool, inputs: Iterable[InputFile] = ()) -> None:
    """Refuse a target that must not be written.

    Raises:
        ConfigError: ``path`` is no name, or is the same file as one of ``inputs``, which holds for hard links too.
        MediaError: ``path`` is a folder, a device or a pipe.
        ExistsError: ``path`` exists, if only as a link to nothing, and ``force`` does not allow to replace it.
    """
    text = os.fspath(path)
    if text in ("", "-"):
        raise ConfigError(f"{'standard output cannot take this' if text else 'the output has no name'}; name a file")
    there = _status(path)
    if there is not None:
        if stat.S_ISDIR(there.st_mode):
            raise MediaError(f"{text}: is a folder; a file name is needed")
        for name in inputs:
            if (read := _status(name)) is not None and os.path.samestat(there, read):
                raise ConfigError(f"{text}: is read at the same time, as {name}; write to another file")
        if not stat.S_ISREG(there.st_mode):
            raise MediaError(f"{text}: is a device or pipe; a file name is needed")
    if not force and os.path.lexists(path):
        raise ExistsError(f"{text}: exists")


def _status(file: InputFile) -> os.stat_result | None:
    """What the system says of a file, or None where there is none."""
    try:
        return os.stat(file)  # noqa: PTH116  also of descriptors
    except (OSError, ValueError):
        return None


def publish(temporary: Path, target: Path, *, force: bool) -> None:
    """Give a finished file its name; `ExistsError` where something has that name by now, unless with ``force``."""
    if force:
        temporary.replace(target)
        return
    taken = ExistsError(f"{target}: exists by now")
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise taken from error
    except OSError:  # a file system without hard links: an empty file takes the name first, which only one can do
        try:
            target.open("xb").close()
        except FileExistsError as error:
            raise taken from error
        with contextlib.ExitStack() as undo:
            undo.callback(target.unlink)
            temporary.replace(target)
            undo.pop_all()
    else:
        temporary.unlink()


# A temporary file or folder is locked as long as its writer lives: the system drops locks of a process that is killed.
# Over a network file system without locks a living writer may lose its file; then its own `publish` fails, and says so.


def temporary_of(folder: Path, name: str) -> Path:
    """A new hidden name in ``folder`` for what will become ``name``."""
    return folder / f".{name}.{secrets.token_hex(4)}.part"


@contextlib.contextmanager
def held(temporary: Path) -> Iterator[None]:
    """Show others that the writer of ``temporary`` lives, where the system has such locks."""
    with contextlib.ExitStack() as lock:
        with contextlib.suppress(OSError):
            lock.enter_context(_locked(temporary))
        yield


def remove_abandoned(folder: Path, name: str) -> None:
    """Remove temporary files and folders that writers of ``name`` left in ``folder`` when they were killed."""
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.part")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in [entry for entry in entries if ours.fullmatch(entry.name)]:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not entry.is_file(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError), _locked(Path(entry.path)):  # held by a living writer, or not ours
                (shutil.rmtree if is_folder else os.unlink)(entry.path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder; `OSError` where another has it, or there are no locks."""
    if sys.platform == "win32":
        raise OSError("no locks of this kind")
    import fcntl

    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_file(
    path: str | os.PathLike[str], *, force: bool = False, inputs: Iterable[InputFile] = ()
) -> Iterator[BinaryIO]:
    """A binary file that becomes ``path`` when the block ends without an exception, and vanishes otherwise.

    The temporary file lies in the target's folder, so the rename cannot cross a file system.
    A target that exists is untouched until then.
    What the block raises is raised on, an OSError as what it is here: the target could not be written.

    Raises:
        ConfigError: ``path`` is no name, or one of ``inputs``.
        ExistsError: ``path`` exists, at the start or by the end, and ``force`` is not set.
        MediaError: it cannot be written: no such folder, no space, no permission.
    """
    target = Path(path)
    refuse_overwrite(path, force, inputs)
    remove_abandoned(target.parent, target.name)
    # named before it is made, so that an interrupt at any moment finds it
    temporary = temporary_of(target.parent, target.name)
    try:
        with contextlib.ExitStack() as lock:
            with temporary.open("x+b") as file:
                lock.enter_context(held(temporary))
                yield file
                file.flush()
                os.fsync(file.fileno())
            publish(temporary, target, force=force)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise MediaError(f"{target}: cannot be written: {error.strerror or error}") from error
        raise


def is_stream(file: OutputFile) -> TypeIs[IO[bytes]]:
    """Whether what is to be written is no name, but something that can be written to."""
    return hasattr(file, "write")


@contextlib.contextmanager
def given_stream(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """A stream of a caller's, which stays open, with whatever is written when the block raises.

    Raises:
        MediaError: it cannot be written, or not bytes.
    """
    label = str(getattr(file, "name", "a stream"))
    try:
        try:
            file.write(b"")
        except (TypeError, ValueError) as error:  # of text, or closed
            raise MediaError(f"{label}: takes no bytes; a binary stream is needed (mode 'wb'): {error}") from error
        yield file
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MediaError(f"{label}: cannot be written: {error.strerror or error}") from error
