"""Files that appear whole or not at all: written beside the target, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from codec.errors import ExistsError, MediaError

__all__ = ["refuse_overwrite", "whole_file"]


def refuse_overwrite(path: Path, force: bool) -> None:
    """Refuse a target that is there.

    Raises:
        MediaError: ``path`` is a folder.
        ExistsError: ``path`` exists and ``force`` does not allow to replace it.
    """
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; a file name is needed")
    if path.exists() and not force:
        raise ExistsError(f"{path}: exists; --force (force=True) replaces it")


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[BinaryIO]:
    """A binary file that becomes ``path`` when the block ends without an exception, and vanishes otherwise.

    The temporary file lies in the target's folder, so the rename cannot cross a file system.
    A target that exists is untouched until then.

    Raises:
        ExistsError: ``path`` exists and ``force`` is not set.
        MediaError: it cannot be written: no such folder, no space, no permission.
    """
    target = Path(path)
    refuse_overwrite(target, force)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise MediaError(f"{target}: cannot be written: {error.strerror or error}") from error
        raise


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
