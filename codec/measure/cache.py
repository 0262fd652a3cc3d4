"""Points of a sweep that was interrupted, kept on disk until the sweep is done."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

import codec
from codec.errors import MediaError
from codec.measure.metrics import ErrorSums, PictureError
from codec.measure.points import Clip, PeerPoint, Point
from codec.picture.planes import Picture
from codec.settings import Settings
from codec.whole_file import whole_file

__all__ = ["SweepCache"]

DIGEST_BYTES = 32


class SweepCache:
    """A folder of measured points of one clip; another clip, version or setting finds nothing of them.

    A file begins with the SHA-256 of the rest, so one that is damaged counts as missing, and its point is measured
    again. Whoever may write into the folder can still make up numbers: it is for those whose report it becomes.

    Args:
        folder: made with the first point that is put; `clear` takes it away.
        clip: what is measured.
        keep_picture: number of the decoded picture that the sweep keeps.
    """

    def __init__(self, folder: Path, clip: Clip, keep_picture: int | None = None) -> None:
        self._folder = folder
        self._clip = clip
        text = f"{codec.__version__} {clip.format!r} {clip.rate} {keep_picture} {clip.sha256()}"
        self._clip_digest = hashlib.sha256(text.encode()).hexdigest()

    def get(self, settings: Settings) -> Point | None:
        """The point of these settings, if it is there whole."""
        plain = self._read(asdict(settings))
        if plain is None:
            return None
        sample = None
        if plain["sample"] is not None:
            shape = self._clip.format
            planes = [np.frombuffer(base64.b64decode(plane), shape.dtype) for plane in plain["sample"]]
            sample = Picture(shape, tuple(map(np.reshape, planes, shape.plane_shapes)))
        errors = {name: _error(plain[name]) for name in ("error", "coded_error")}
        return Point(**plain | errors | {"settings": settings, "sample": sample})

    def put(self, point: Point) -> None:
        """Keep a point.

        Raises:
            MediaError: the folder cannot be written.
        """
        plain = asdict(replace(point, sample=None))
        if point.sample is not None:
            plain["sample"] = [base64.b64encode(plane).decode() for plane in point.sample.planes]
        self._write(plain.pop("settings"), plain)

    def get_peer(self, command: str, version: str) -> PeerPoint | None:
        """The point of another codec's command, if it is there whole."""
        plain = self._read([command, version])
        if plain is None:
            return None
        dial = plain["dial"] and tuple(plain["dial"])
        return PeerPoint(**plain | {"error": _error(plain["error"]), "dial": dial})

    def put_peer(self, point: PeerPoint) -> None:
        """Keep a point of another codec.

        Raises:
            MediaError: the folder cannot be written.
        """
        self._write([point.command, point.version], asdict(point))

    def clear(self) -> None:
        """Forget everything: the sweep is done."""
        rmtree(self._folder, ignore_errors=True)

    def _path(self, key: Any) -> Path:
        text = json.dumps([self._clip_digest, key], sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.point"

    def _read(self, key: Any) -> Any:
        path = self._path(key)
        try:
            data = path.read_bytes() if path.is_file() else b""  # a pipe would be waited for
        except OSError:
            return None
        digest, text = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
        return json.loads(text) if hashlib.sha256(text).digest() == digest else None

    def _write(self, key: Any, plain: dict[str, Any]) -> None:
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise MediaError(f"{self._folder}: cannot be made: {error.strerror}") from error
        text = json.dumps(plain).encode()
        with whole_file(self._path(key), force=True) as file:
            file.write(hashlib.sha256(text).digest() + text)


def _error(plain: dict[str, Any] | None) -> PictureError | None:
    """A `PictureError` from its `asdict`."""
    if plain is None:
        return None
    return PictureError({name: ErrorSums(**sums) for name, sums in plain["planes"].items()}, plain["ssim"])
