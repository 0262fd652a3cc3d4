"""Points of a sweep that was interrupted, kept on disk until the sweep is done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

import codec
from codec.errors import CodecError, MediaError
from codec.measure.metrics import ErrorSums, PictureError
from codec.measure.points import Clip, PeerPoint, Point
from codec.picture.planes import Picture
from codec.settings import Settings
from codec.whole_file import whole_file

__all__ = ["SweepCache"]


# what cannot be read back is measured again, whatever is wrong with it
UNREADABLE = (OSError, ValueError, TypeError, KeyError, BadZipFile, CodecError)


class SweepCache:
    """A folder of measured points of one clip; another clip, version or setting finds nothing of them.

    Args:
        folder: made with the first point that is put; `clear` takes it away.
        clip: what is measured.
        keep_picture: the decoded picture that the sweep keeps.
    """

    def __init__(self, folder: Path, clip: Clip, keep_picture: int | None = None) -> None:
        self._folder = folder
        self._clip = clip
        self._keep_picture = keep_picture
        self._digest = _digest_of(clip)

    def get(self, settings: Settings) -> Point | None:
        """The point of these settings, if it is there whole."""
        path = self._path(asdict(settings))
        try:
            kept = json.loads(path.read_text("utf-8"))
            sample = None
            if self._keep_picture is not None:
                with np.load(path.with_suffix(".npz")) as planes:
                    sample = Picture(self._clip.format, tuple(planes[name] for name in planes.files))
            coded = None if kept["coded_error"] is None else _error_of(kept["coded_error"])
            own = {"settings": settings, "error": _error_of(kept["error"]), "sample": sample, "coded_error": coded}
            return Point(**kept | own)
        except UNREADABLE:
            return None

    def put(self, point: Point) -> None:
        """Keep a point.

        Raises:
            MediaError: the folder cannot be written.
        """
        path = self._path(asdict(point.settings))
        if point.sample is not None:
            with _replaced(path.with_suffix(".npz")) as file:
                np.savez_compressed(file, *point.sample.planes)
        values = asdict(replace(point, sample=None))
        del values["settings"], values["sample"]
        with _replaced(path) as file:
            file.write(json.dumps(values).encode())

    def get_peer(self, command: str, version: str) -> PeerPoint | None:
        """The point of a peer's command, if it is there whole."""
        try:
            kept = json.loads(self._path({"command": command, "version": version}).read_text("utf-8"))
            dial = tuple(kept["dial"]) if kept["dial"] else None
            return PeerPoint(**kept | {"dial": dial, "error": _error_of(kept["error"])})
        except UNREADABLE:
            return None

    def put_peer(self, point: PeerPoint) -> None:
        """Keep a peer's point."""
        with _replaced(self._path({"command": point.command, "version": point.version})) as file:
            file.write(json.dumps(asdict(point)).encode())

    def clear(self) -> None:
        """Forget everything: the sweep is done."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, key: dict[str, Any]) -> Path:
        text = json.dumps([codec.__version__, self._digest, self._keep_picture, key], sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def _digest_of(clip: Clip) -> str:
    digest = hashlib.sha256(f"{clip.format!r} {clip.rate}".encode())
    for picture in clip.pictures:
        for plane in picture.planes:
            digest.update(plane.data)
    return digest.hexdigest()


def _error_of(kept: dict[str, Any]) -> PictureError:
    planes = {name: ErrorSums(**sums) for name, sums in kept["planes"].items()}
    return PictureError(planes, kept["ssim"])


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[Any]:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path.parent}: cannot be made: {error.strerror}") from error
    with whole_file(path, force=True) as file:
        yield file
