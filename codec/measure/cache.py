"""Points of a sweep that was interrupted, kept on disk until the sweep is done."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

import codec
from codec.errors import CodecError, MediaError
from codec.measure.points import CSV_COLUMNS, Clip, PeerPoint, Point
from codec.picture.planes import Picture, SampleFormat
from codec.settings import Settings
from codec.whole_file import whole_file

__all__ = ["SweepCache"]


MOST_BYTES = 1 << 16  # of a point as JSON, which has some 600
MOST_WHOLE = 1 << 62  # more than the squares of all samples in memory add up to

# what cannot be read back is measured again, whatever is wrong with it
UNREADABLE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(RecursionError, MemoryError, zlib.error, CodecError),
)
COMPONENT_COLUMNS = {name for name in CSV_COLUMNS if name.endswith("_bytes")} - {"source_bytes", "file_bytes"}


class SweepCache:
    """A folder of measured points of one clip; another clip, version or setting finds nothing of them.

    A file that is damaged, or whose values are of another kind than those put, is as good as none. Who may write into
    the folder can still make up numbers: it is for those whose report it becomes.

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
            sample = None if self._keep_picture is None else self._sample(path.with_suffix(".planes"))
            point: Point = _built(Point, _read(path), settings=settings, sample=sample)
            is_whole = (
                tuple(point.error.planes) == self._clip.format.sample_format.plane_names
                and (point.coded_error is None or tuple(point.coded_error.planes) == SampleFormat.YUV444.plane_names)
                and {f"{name}_bytes" for name in point.bytes} == COMPONENT_COLUMNS
                and sum(point.bytes.values()) == point.file_bytes
            )
            return point if is_whole else None
        except UNREADABLE:
            return None

    def put(self, point: Point) -> None:
        """Keep a point.

        Raises:
            MediaError: the folder cannot be written.
        """
        path = self._path(asdict(point.settings))
        if point.sample is not None:
            with _replaced(path.with_suffix(".planes")) as file:
                file.write(zlib.compress(b"".join(plane.tobytes() for plane in point.sample.planes)))
        values = asdict(replace(point, sample=None))
        del values["settings"], values["sample"]
        with _replaced(path) as file:
            file.write(json.dumps(values).encode())

    def get_peer(self, command: str, version: str) -> PeerPoint | None:
        """The point of a peer's command, if it is there whole."""
        try:
            point: PeerPoint = _built(PeerPoint, _read(self._path({"command": command, "version": version})))
            return point if tuple(point.error.planes) == SampleFormat.of(point.measured_in).plane_names else None
        except UNREADABLE:
            return None

    def put_peer(self, point: PeerPoint) -> None:
        """Keep a peer's point."""
        with _replaced(self._path({"command": point.command, "version": point.version})) as file:
            file.write(json.dumps(asdict(point)).encode())

    def _sample(self, path: Path) -> Picture:
        """The decoded picture beside a point."""
        shapes, count = self._clip.format.plane_shapes, self._clip.format.sample_count
        unpacking = zlib.decompressobj()
        # zlib makes nothing larger by more than 0.1 % and a few bytes
        samples = unpacking.decompress(_bytes(path, count + (count >> 8) + 1024), count + 1)
        if not unpacking.eof:
            raise ValueError
        ends = list(itertools.accumulate(rows * columns for rows, columns in shapes))
        planes = np.split(np.frombuffer(samples, np.uint8), ends[:-1])
        return Picture(self._clip.format, tuple(map(np.reshape, planes, shapes)))

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


def _bytes(path: Path, most: int) -> bytes:
    """A file's bytes; ValueError where it is none, or has more than ``most``."""
    if not path.is_file():  # a pipe would be waited for
        raise ValueError
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError
    return data


def _read(path: Path) -> Any:
    return json.loads(_bytes(path, MOST_BYTES))


def _built(kind: Any, plain: Any, **given: Any) -> Any:
    """A dataclass from plain values of the kinds that its fields say, all of them but those that are given.

    Raises:
        ValueError, TypeError, ArithmeticError: some are missing, too many, of another kind, or no numbers to work with.
    """
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in given}
    if not isinstance(plain, dict) or plain.keys() != hints.keys():
        raise ValueError
    made = kind(**given, **{name: _value(hint, plain[name]) for name, hint in hints.items()})
    made.as_dict()  # what is told of it can be worked out: nothing is divided by 0
    return made


def _value(hint: Any, plain: Any) -> Any:
    """A plain value as its hint says; ValueError where it is another."""
    kind, parts = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _built(hint, plain)
    if kind is dict and isinstance(plain, dict):
        return {_value(parts[0], key): _value(parts[1], value) for key, value in plain.items()}
    if kind is tuple and isinstance(plain, list):
        return tuple(_value(part, value) for part, value in zip(parts, plain, strict=True))
    if kind is UnionType:
        return None if plain is None else _value(parts[0], plain)
    is_in_range = not isinstance(plain, int | float) or (math.isfinite(plain) and abs(plain) < MOST_WHOLE)
    if hint in (int, float, str) and type(plain) is hint and is_in_range:
        return plain
    raise ValueError


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[Any]:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path.parent}: cannot be made: {error.strerror}") from error
    with whole_file(path, force=True) as file:
        yield file
