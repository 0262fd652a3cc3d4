"""Files that appear whole or not at all: written beside the target, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
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
        raise ExistsError(f"{path}: exists")


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[BinaryIO]:
    """A binary file that becomes ``path`` when the block ends without an exception, and vanishes otherwise.

    The temporary file lies in the target's folder, so the rename cannot cross a file system.
    A target that exists is untouched until then.
    What the block raises is raised on, an OSError as what it is here: the target could not be written.

    Raises:
        ExistsError: ``path`` exists and ``force`` is not set.
        MediaError: it cannot be written: no such folder, no space, no permission.
    """
    target = Path(path)
    refuse_overwrite(target, force)
    # named before it is made, so that an interrupt at any moment finds it
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise MediaError(f"{target}: cannot be written: {error.strerror or error}") from error
        raise
