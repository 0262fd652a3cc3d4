"""A file to pictures: each GOP on its own, sequentially, at random, or in parallel."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, overload

import numpy as np
import numpy.typing as npt

from codec.bitstream.container import ContainerReader, RunEntry
from codec.bitstream.limits import DEFAULT_LIMITS, Limits
from codec.coded import CodedPicture, Run, SequenceHeader
from codec.errors import BitstreamError, ChecksumError, MediaError
from codec.parallel import ordered_map
from codec.picture.planes import Picture, PictureFormat

if TYPE_CHECKING:
    from codec.bitstream.inventory import Inventory
    from codec.inspection import Inspection
    from codec.reconstruct import History

__all__ = ["Video", "decode", "open_video"]

GOPS_AHEAD = 4  # decoded GOPs that wait to be taken; what bounds memory when an executor is given


class Step(NamedTuple):
    """One picture's way through the decoder: what the file says of it, the history before it, and what comes out."""

    number: int
    coded: CodedPicture
    before: History
    picture: Picture


def decode_steps(runs: Iterable[tuple[RunEntry, Run]], header: SequenceHeader, path: str) -> Iterator[Step]:
    """The pictures of one GOP from its runs, each checked against its CRC-32.

    Raises:
        ChecksumError: a picture does not come out as the encoder saw it.
        BitstreamError: its residual does not fit it.
    """
    from codec.reconstruct import History, reconstruct  # bring numba, which opening a file and `info` do without

    history = History()
    for entry, run in runs:
        names = run.names or ("",) * len(run.pictures)
        for number, (coded, checksum, name) in enumerate(
            zip(run.pictures, run.checksums, names, strict=True), run.first_picture
        ):
            try:
                after = reconstruct(coded, history, header, name or None)
            except BitstreamError as error:
                raise error.located(path, entry.offset) from error.__cause__
            picture = after.newest
            if picture.crc32() != checksum:
                rule = f"picture {number} does not decode to its CRC-32"
                raise ChecksumError(rule, path=path, offset=entry.offset)
            yield Step(number, coded, history, picture)
            history = after


def decode_runs(runs: Iterable[tuple[RunEntry, Run]], header: SequenceHeader, path: str) -> Iterator[Picture]:
    """The same, the decoded pictures alone."""
    return (step.picture for step in decode_steps(runs, header, path))


class GopTask(NamedTuple):
    """What a worker needs to decode one GOP; it can be pickled."""

    runs: list[tuple[RunEntry, Run]]
    header: SequenceHeader
    path: str


def decode_task(task: GopTask) -> list[Picture]:
    """All pictures of one GOP."""
    return list(decode_runs(*task))


class Video(Sequence[npt.NDArray[np.uint8]]):
    """An open ``.mvz`` file: a sequence of uint8 arrays, (H, W) for gray and (H, W, 3) RGB otherwise.

    Y'CbCr pictures are converted for these arrays; `picture` and `pictures` give their own planes.
    Pictures of the GOP read last are kept, so neighbours cost one picture each, forwards and backwards.
    """

    def __init__(self, path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = os.fspath(path)
        try:
            self._file = Path(self.path).open("rb")  # noqa: SIM115  closed by close()
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be read: {error.strerror}") from error
        try:
            self._container = ContainerReader(self._file, self.path, limits)
        except OSError as error:
            self._file.close()
            raise MediaError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        except BaseException:
            self._file.close()
            raise
        self._gops = self._container.gops()
        self._cached_gop = -1
        self._cached: list[Picture] = []
        self._to_come: Iterator[Picture] = iter(())

    @property
    def format(self) -> PictureFormat:
        """Size, planes and colour of every picture."""
        return self._container.header.format

    @property
    def rate(self) -> Fraction:
        """Pictures per second."""
        return self._container.header.rate

    @property
    def metadata(self) -> dict[str, str]:
        """Free keys and values kept in the file."""
        return dict(self._container.metadata)

    @property
    def info(self) -> Inventory:
        """What is in the file, and what each byte is for; decodes nothing."""
        from codec.bitstream.inventory import take_inventory

        return take_inventory(self._container)

    def __len__(self) -> int:
        return self._container.picture_count

    @overload
    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]: ...

    @overload
    def __getitem__(self, index: slice) -> list[npt.NDArray[np.uint8]]: ...

    def __getitem__(self, index: int | slice) -> npt.NDArray[np.uint8] | list[npt.NDArray[np.uint8]]:
        """One picture as an array, or those of a slice as a list of arrays."""
        from codec.picture.colour import to_array

        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return to_array(self.picture(index)).copy()  # the caller may write into it, and pictures are references

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        from codec.picture.colour import to_array

        return (to_array(picture).copy() for picture in self.pictures())

    def picture(self, index: int) -> Picture:
        """One decoded picture; decodes at most its GOP up to there.

        Raises:
            IndexError: there is no such picture.
            BitstreamError: the GOP is damaged.
        """
        number = self._number(index)
        gop = self._gop_of(number)
        if gop != self._cached_gop:
            self._cached, self._cached_gop = [], gop
            self._to_come = decode_runs(self._read(self._gops[gop]), self._container.header, self.path)
        wanted = number - self._gops[gop][0].first_picture
        while len(self._cached) <= wanted:
            try:
                self._cached.append(next(self._to_come))
            except BaseException:
                self._cached_gop = -1  # the next call starts afresh and fails with the same error
                raise
        return self._cached[wanted]

    def pictures(
        self, start: int = 0, stop: int | None = None, *, executor: Executor | None = None
    ) -> Iterator[Picture]:
        """Decoded pictures from ``start`` to before ``stop``, in order; with an executor, GOPs in parallel."""
        start, stop, _ = slice(start, stop).indices(len(self))
        gops = self._gops_between(start, stop)
        if executor is None:
            decoded: Iterable[Iterable[Picture]] = (
                decode_runs(self._read(gop), self._container.header, self.path) for gop in gops
            )
        else:
            tasks = (GopTask(list(self._read(gop)), self._container.header, self.path) for gop in gops)
            decoded = ordered_map(executor, decode_task, tasks, GOPS_AHEAD)
        for gop, pictures in zip(gops, decoded, strict=True):
            for number, picture in enumerate(pictures, gop[0].first_picture):
                if number >= stop:
                    return
                if number >= start:
                    yield picture

    def inspect(self, index: int) -> Inspection:
        """One picture with all that its decoding went through: motion, prediction, estimated bits of each cell.

        Raises:
            IndexError: there is no such picture.
            BitstreamError: the GOP is damaged.
        """
        number = self._number(index)
        return next(iter(self.inspections(number, number + 1)))

    def inspections(self, start: int = 0, stop: int | None = None) -> Iterator[Inspection]:
        """`inspect` for the pictures from ``start`` to before ``stop``, in order; holds a packet's pictures at once."""
        from codec.inspection import inspect_packet

        start, stop, _ = slice(start, stop).indices(len(self))
        for gop in self._gops_between(start, stop):
            steps = decode_steps(self._read(gop), self._container.header, self.path)
            for entry in gop:
                if entry.first_picture >= stop:
                    return
                of_packet = list(islice(steps, entry.picture_count))
                if _end(entry) > start:
                    inspections = inspect_packet(self._container, entry, of_packet)
                    yield from (seen for seen in inspections if start <= seen.number < stop)

    def _number(self, index: int) -> int:
        """An index, from the end where it is negative, as a picture's number."""
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        return number

    def _gops_between(self, start: int, stop: int) -> list[list[RunEntry]]:
        return [gop for gop in self._gops if gop[0].first_picture < stop and _end(gop[-1]) > start]

    def _read(self, gop: Iterable[RunEntry]) -> Iterator[tuple[RunEntry, Run]]:
        return ((entry, self._container.read_run(entry)) for entry in gop)

    def _gop_of(self, number: int) -> int:
        from bisect import bisect_right

        return bisect_right(self._gops, number, key=lambda gop: gop[0].first_picture) - 1

    def close(self) -> None:
        """Close the file; pictures that were handed out stay."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _end(run: RunEntry) -> int:
    return run.first_picture + run.picture_count


def open_video(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> Video:
    """Open an ``.mvz`` file; as `codec.open` the usual way in.

    Raises:
        MediaError: the file cannot be read.
        BitstreamError: it is not an ``.mvz`` file, or its structure is damaged.
    """
    return Video(path, limits)


def decode(
    path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS, executor: Executor | None = None
) -> npt.NDArray[np.uint8]:
    """All pictures of a file at once, uint8 (T, H, W) for gray, (T, H, W, 3) RGB otherwise.

    Raises:
        MediaError: the file cannot be read.
        BitstreamError: the file is damaged.
    """
    from codec.picture.colour import to_array

    with Video(path, limits) as video:
        # a list first: a hostile file may declare far more pictures than it has
        return np.stack([to_array(picture) for picture in video.pictures(executor=executor)])
