"""A file to pictures: each GOP on its own, sequentially, at random, or in parallel."""

from __future__ import annotations

import functools
import math
import operator
import os
import threading
import uuid
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from types import EllipsisType, TracebackType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from codec.arguments import expect_type, file_name
from codec.bitstream.container import ContainerReader, GroupEntry, Packet, read_group
from codec.bitstream.limits import DEFAULT_LIMITS, Limits
from codec.bitstream.payloads import DURATION, duration_of
from codec.bitstream.salvage import SalvageReader, note_damage
from codec.coded import Attachments, SequenceHeader
from codec.errors import BitstreamError, ChecksumError, ConfigError, LimitError, MediaError
from codec.parallel import calls_ahead, ordered_map
from codec.picture.planes import Numbers, Picture, PictureFormat
from codec.picture.value_maps import NO_MAPS

if TYPE_CHECKING:
    from codec.bitstream.inventory import Inventory
    from codec.inspection import Inspection
    from codec.reconstruct import ReconstructedPicture

__all__ = ["Video", "decode", "open_video"]


KEPT_BYTES = 1 << 31
"""Decoded pictures kept at a time, unless two are more: of GOPs that wait for their turn, or of the GOP read last.

Two GOPs of 32 pictures of 3840 × 2160 in RGB are 1.6 GB; a hostile file of 10 MB may hold 200 GB in a GOP.
"""


class GopTask(NamedTuple):
    """What a worker needs to decode one GOP; with a list of groups it can be pickled."""

    groups: Iterable[tuple[GroupEntry, bytes]]
    """Each with its bytes."""
    header: SequenceHeader
    shared: Attachments | None
    path: str
    limits: Limits
    traced: bool = False
    """Whether pictures of ``dct`` say how they came to be."""


TaskOf = Callable[[Sequence[GroupEntry]], GopTask]
Index = int | slice | EllipsisType | Sequence[int] | npt.NDArray[Any]
"""What takes pictures out of a `Video`, or rows, columns and channels out of each."""


def reconstruct_gop(task: GopTask) -> Iterator[ReconstructedPicture]:
    """The pictures of one GOP, each checked against its CRC-32.

    Raises:
        ChecksumError: a packet is damaged, or a picture does not come out as the encoder saw it.
        BitstreamError: a packet breaks another rule.
    """
    from codec.reconstruct import History, ReconstructedPicture, present, reconstruct

    history, maps, expected = History(), NO_MAPS, 0
    waiting: dict[int, ReconstructedPicture] = {}  # decoded, but shown after others
    for entry, data in task.groups:
        group = read_group(data, entry, task.header, task.shared, task.path, task.limits)
        maps, count = group.maps or maps, len(group.pictures)
        names, attachments = group.names or ("",) * count, group.attachments or (task.shared or (),) * count
        expected = expected or group.first_picture
        for position, (coded, checksum) in enumerate(zip(group.pictures, group.checksums, strict=True)):
            number = coded.place.number if coded.place is not None else group.first_picture + position
            shown = number - group.first_picture
            try:
                after = reconstruct(coded, history, task.header, names[shown] or None, task.traced)
            except BitstreamError as error:
                raise error.located(task.path, entry.offset) from error.__cause__
            picture = with_attachments(present(after.newest, task.header, maps, after.alpha), attachments[shown])
            if picture.crc32() != checksum:
                rule = f"picture {number} does not decode to its CRC-32"
                raise ChecksumError(rule, path=task.path, offset=entry.offset)
            waiting[number] = ReconstructedPicture(number, coded, history, after, picture, maps)
            history = after
            while expected in waiting:
                yield waiting.pop(expected)
                expected += 1


def with_attachments(picture: Picture, attachments: Attachments) -> Picture:
    """The picture and what came with it, of which its duration is one."""
    others = dict(attachments)
    duration = others.pop(DURATION, None)
    seconds = None if duration is None else duration_of(duration)
    return replace(picture, duration=seconds, attachments=others) if attachments else picture


def decode_gop(task: GopTask) -> Iterator[Picture]:
    """The decoded pictures of one GOP, as `reconstruct_gop` makes them."""
    return (each.picture for each in reconstruct_gop(task))


def attempt_gop(task: GopTask) -> Iterator[Picture | BitstreamError]:
    """Pictures of one GOP, and last the error that keeps the others away, if any."""
    try:
        yield from decode_gop(task)
    except BitstreamError as error:
        yield error


def decode_task(task: GopTask) -> list[Picture | BitstreamError]:
    """`attempt_gop` at once, for a worker."""
    return list(attempt_gop(task))


class Cursor:
    """Where one reader stands: the pictures of the GOP read last, the newest of them if there are too many."""

    def __init__(self, gops: Sequence[Sequence[GroupEntry]], task_of: TaskOf, raw_bytes: int) -> None:
        self._gops, self._task_of = gops, task_of
        self._gop = -1
        self._end = 0
        """The number after the newest of `_pictures`, which are consecutive."""
        self._pictures: deque[Picture] = deque(maxlen=max(KEPT_BYTES // raw_bytes, 2))
        self._to_come: Iterator[Picture] = iter(())

    def picture(self, number: int) -> Picture | None:
        """One decoded picture, which stays the cursor's; None where no packet holds it."""
        gop = bisect_right(self._gops, number, key=_first) - 1
        if gop < 0 or number >= self._gops[gop][-1].end:
            return None
        if gop != self._gop or number < self._end - len(self._pictures):
            self._pictures.clear()
            self._gop, self._end = gop, _first(self._gops[gop])
            self._to_come = decode_gop(self._task_of(self._gops[gop]))
        while self._end <= number:
            try:
                self._pictures.append(next(self._to_come))
            except BaseException:
                self.forget()  # the next call starts afresh and fails with the same error
                raise
            self._end += 1
        return self._pictures[number - self._end]

    def forget(self) -> None:
        """Start at the beginning of a GOP the next time."""
        self._gop = -1


class Video:
    """An open ``.mvz`` file, which is an array of its pictures that is decoded when it is asked for.

    ``shape`` is (T, H, W) for gray and (T, H, W, 3) RGB otherwise, with alpha (T, H, W, 2) and (T, H, W, 4).
    ``dtype`` is uint8, or uint16 where a sample has more than 8 bits, as ``format.bit_depth`` says, or float16.
    ``video[i]``, ``video[a:b]``, ``video[a:b, top:bottom, left:right]``, ``video[[i, j]]`` and iteration give arrays,
    as they would of a numpy array; ``np.asarray(video)`` is all of it.

    Y'CbCr pictures are converted for these arrays; `picture` and `pictures` give their own planes.
    Pictures of the GOP read last are kept, so neighbours cost one picture each, forwards and backwards.
    Several threads may read: those that come while another decodes start at the beginning of a GOP.
    Arrays and planes that are handed out belong to the caller, who may write into them.
    A video that was opened by its name can be pickled: it is opened again where it arrives.

    A video opened with ``damaged=True`` may lack pictures: asking for one of them raises; `whole_pictures` gives
    the others.
    """

    def __init__(
        self, file: str | os.PathLike[str] | IO[bytes], limits: Limits = DEFAULT_LIMITS, *, damaged: bool = False
    ) -> None:
        expect_type(limits, Limits, "limits are codec.Limits")
        self._reopen: functools.partial[Video] | None = None
        with ExitStack() as resources:
            if isinstance(file, str | os.PathLike):
                self.path = file_name(file, "a file to read is named by text or a path")
                self._reopen = functools.partial(Video, os.path.abspath(self.path), limits, damaged=damaged)  # noqa: PTH100
                file = resources.enter_context(_opened(self.path))
            elif not (hasattr(file, "read") and hasattr(file, "seek")):
                raise ConfigError(f"a file is opened by its name or as a binary stream, not {type(file).__name__}")
            else:
                self.path = str(getattr(file, "name", "a stream"))
            self._container = (SalvageReader if damaged else ContainerReader)(file, self.path, limits)
            self._resources = resources.pop_all()
        self.damage: list[BitstreamError] = []
        """What `whole_pictures` had to leave out pictures for; with ``damaged``, first what is amiss with the file.

        Of more than a thousand errors the last says that there are more.
        """
        self.has_end = True
        """Whether all pictures are counted: False where a damaged file's end is missing, so that more may have been."""
        if isinstance(self._container, SalvageReader):
            self.damage += self._container.damage
            self.has_end = self._container.has_end
        self._gops = self._container.gops()
        self._reading, self._decoding = threading.Lock(), threading.Lock()
        self._cursor = self._new_cursor()

    @property
    def format(self) -> PictureFormat:
        """Size, planes and colour of every picture."""
        return self._container.header.format

    @property
    def rate(self) -> Fraction:
        """Pictures per second."""
        return self._container.header.rate

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, H, W) for gray, (T, H, W, 3) otherwise, with alpha (T, H, W, 2) and (T, H, W, 4)."""
        return (len(self), *self.format.array_shape)

    @property
    def dtype(self) -> np.dtype[Numbers]:
        """Of the arrays: uint8, or uint16 where a sample has more than 8 bits."""
        return self.format.array_dtype

    @property
    def ndim(self) -> int:
        """How many sides ``shape`` has: 3 or 4."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Numbers in the array of all pictures."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the array of all pictures."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """What is best read at once, as dask has it: the pictures of each GOP, and all of each of them.

        Of a damaged file pictures that no packet holds count to the GOP before them.
        """
        starts = [0, *(_first(gop) for gop in self._gops[1:]), len(self)]
        return (tuple(end - begin for begin, end in pairwise(starts)), *((side,) for side in self.shape[1:]))

    @property
    def metadata(self) -> dict[str, str]:
        """Free keys and values kept in the file."""
        return dict(self._container.metadata)

    @property
    def info(self) -> Inventory:
        """What is in the file, and what each byte is for; decodes nothing."""
        return self.inventory()

    def inventory(self, *, shares: bool = True) -> Inventory:
        """The same; without ``shares`` at once, and pictures of ``dct`` do not say what they take of their packet."""
        from codec.bitstream.inventory import take_inventory

        return take_inventory(self._container, shares)

    def packets(self) -> Iterator[Packet]:
        """Every packet of the file with its bytes, in order; decodes nothing.

        Raises:
            BitstreamError: a packet does not have its CRC-32, also where decoding does without it (the index).
        """
        return self._container.packets()

    def __len__(self) -> int:
        return self._container.picture_count

    def __getitem__(self, index: Index | tuple[Index, ...]) -> npt.NDArray[Numbers]:
        """One picture as an array, or those of a slice or a list of numbers; behind a comma what is cut out of each.

        Raises:
            IndexError: there is no such picture.
            LimitError: they have more samples than `Limits` allows one call to decode.
            BitstreamError: the GOP of one is damaged.
        """
        chosen, of_each = self._chosen(index)
        if isinstance(chosen, int):
            return self._arrays([chosen], of_each)[0]
        arrays = self._arrays(chosen, of_each)
        return np.stack(arrays) if arrays else np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *of_each)]

    def _chosen(self, index: Any) -> tuple[int | Sequence[int], tuple[Any, ...]]:
        """The number of a picture, or those of several, and an index into the array of each."""
        first, *of_each = (index or (...,)) if isinstance(index, tuple) else (index,)
        if not all(isinstance(part, slice | EllipsisType) or _is_whole(part) for part in of_each):
            raise TypeError("of each picture a whole number or a slice for each side is taken, as in video[5:9, :, 20]")
        if first is Ellipsis:
            first, *of_each = (slice(None), ..., *of_each) if len(of_each) < self.ndim else of_each
        if isinstance(first, slice):
            return self._numbers(first), tuple(of_each)
        is_array = isinstance(first, np.ndarray) and first.ndim == 1
        if is_array or (isinstance(first, list) and not any(isinstance(each, bool) for each in first)):
            return [self._number(each) for each in first], tuple(of_each)
        return self._number(first), tuple(of_each)

    def _arrays(self, numbers: Sequence[int], of_each: tuple[Any, ...] = ()) -> list[npt.NDArray[Numbers]]:
        """Arrays of pictures, which are decoded in their own order."""
        from codec.picture.colour import to_array

        self._refuse_many(len(numbers))
        arrays = {}
        with self._free_cursor() as cursor:
            for number in sorted(set(numbers)):
                if (picture := cursor.picture(number)) is None:
                    raise self._missing(number)
                arrays[number] = to_array(picture)[of_each].copy()
        return [arrays[number] for number in numbers]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All pictures, for ``np.asarray``."""
        if copy is False:
            raise ValueError("the pictures of a video are decoded, which always makes a new array")
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)

    def __reversed__(self) -> Iterator[npt.NDArray[Numbers]]:
        return (self[number] for number in reversed(range(len(self))))

    def __repr__(self) -> str:
        header = self._container.header
        return (
            f"<Video {self.path}: {self.shape} {self.dtype}, {self.format.sample_format.label}, "
            f"{float(self.rate):.6g} pictures a second, {header.residual.label}, motion {header.motion.label}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the first picture, sizes, and a strip of pictures from all over the file."""
        from codec.notebook import html_of

        return html_of(self)

    def __reduce__(self) -> tuple[Callable[[], Video], tuple[()]]:
        if self._reopen is None:
            raise TypeError(f"{self.path}: a video that was opened as a stream cannot be pickled; open it by its name")
        return self._reopen, ()

    def __iter__(self) -> Iterator[npt.NDArray[Numbers]]:
        from codec.picture.colour import to_array

        return (to_array(picture) for picture in self.pictures())

    def __contains__(self, samples: object) -> bool:
        return any(np.array_equal(samples, picture) for picture in self)  # type: ignore[arg-type]

    def picture(self, index: int) -> Picture:
        """One decoded picture; decodes at most its GOP up to there.

        Raises:
            IndexError: there is no such picture.
            BitstreamError: the GOP is damaged.
        """
        number = self._number(index)
        with self._free_cursor() as cursor:
            picture = cursor.picture(number)
            if picture is None:
                raise self._missing(number)
            return picture.copy()

    def _new_cursor(self) -> Cursor:
        return Cursor(self._gops, self._task, self.format.raw_bytes)

    @contextmanager
    def _free_cursor(self) -> Iterator[Cursor]:
        """The cursor of this video, or a new one while another thread has it."""
        if not self._decoding.acquire(blocking=False):
            yield self._new_cursor()
            return
        try:
            yield self._cursor
        finally:
            self._decoding.release()

    def pictures(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        executor: Executor | None = None,
        workers: int | None = None,
    ) -> Iterator[Picture]:
        """Decoded pictures from ``start`` to before ``stop``, in order; with an executor, GOPs in parallel.

        ``workers`` is how many calls the executor groups at once, where it is not a pool that tells.

        Raises:
            LimitError: they have more samples than `Limits` allows one call to decode.
            BitstreamError: the GOP of the next picture is damaged.
        """
        start, stop = self._range(start, stop)
        expected = start
        for number, outcome in self._outcomes(start, stop, executor, workers):
            if number > expected:
                break
            if isinstance(outcome, BitstreamError):
                raise outcome
            yield outcome
            expected += 1
        if expected < stop:
            raise self._missing(expected)

    def whole_pictures(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        executor: Executor | None = None,
        workers: int | None = None,
    ) -> Iterator[tuple[int, Picture]]:
        """As `pictures`, but numbers and pictures of those that can be decoded; `damage` says what the others lack."""
        start, stop = self._range(start, stop)
        for number, outcome in self._outcomes(start, stop, executor, workers):
            if isinstance(outcome, BitstreamError):
                note_damage(self.damage, outcome)
            else:
                yield number, outcome

    def coded_pictures(self) -> Iterator[Picture]:
        """All decoded pictures in the planes that are coded, in order: RGB by ``dct`` stays Y'CbCr.

        Raises:
            BitstreamError: the GOP of the next picture is damaged.
        """
        for gop in self._gops:
            yield from (each.after.newest.copy() for each in reconstruct_gop(self._task(gop)))

    def _outcomes(
        self, start: int, stop: int, executor: Executor | None, workers: int | None
    ) -> Iterator[tuple[int, Picture | BitstreamError]]:
        """Number and picture, or what kept it and the rest of its GOP away; what no packet holds is left out."""
        gops = self._gops_between(start, stop)
        ahead = min(calls_ahead(executor, workers), self._most_ahead(gops))
        if ahead < 1:
            executor = None
        if executor is None:
            decoded: Iterable[Iterable[Picture | BitstreamError]] = (attempt_gop(self._task(gop)) for gop in gops)
        else:
            tasks = (self._task(gop) for gop in gops)
            whole_tasks = (task._replace(groups=list(task.groups)) for task in tasks)
            decoded = ordered_map(executor, decode_task, whole_tasks, ahead)
        for gop, outcomes in zip(gops, decoded, strict=True):
            for number, outcome in enumerate(outcomes, _first(gop)):
                if number >= stop:
                    return
                if isinstance(outcome, BitstreamError):
                    yield max(number, start), outcome
                elif number >= start:
                    # the next picture is predicted from this one
                    yield number, outcome.copy() if executor is None else outcome

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

        start, stop = self._range(start, stop)
        for gop in self._gops_between(start, stop):
            decoded = reconstruct_gop(self._task(gop)._replace(traced=True))
            for entry in gop:
                if entry.first_picture >= stop:
                    return
                of_packet = list(islice(decoded, entry.picture_count))
                if entry.end > start:
                    inspections = inspect_packet(self._container, entry, of_packet)
                    yield from (seen for seen in inspections if start <= seen.number < stop)

    def _number(self, index: int) -> int:
        """An index, from the end where it is negative, as a picture's number."""
        try:
            number = operator.index(index)
        except TypeError as error:
            raise TypeError(f"pictures are numbered by whole numbers or slices, not {type(index).__name__}") from error
        if number < 0:
            number += len(self)
        if not 0 <= number < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        return number

    def _numbers(self, wanted: slice) -> range:
        """The numbers that a slice selects."""
        try:
            return range(*wanted.indices(len(self)))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"pictures are selected by whole numbers, in steps other than 0: {error}") from error

    def _range(self, start: int, stop: int | None) -> tuple[int, int]:
        """The first number, and the one behind the last."""
        numbers = self._numbers(slice(start, stop))
        return numbers.start, numbers.stop

    def _gops_between(self, start: int, stop: int) -> list[Sequence[GroupEntry]]:
        self._refuse_many(stop - start)
        return [gop for gop in self._gops if _first(gop) < stop and gop[-1].end > start]

    def _refuse_many(self, count: int) -> None:
        samples, limit = count * self.format.sample_count, self._container.limits.max_samples
        if samples > limit:
            rule = f"{count} pictures have {samples} samples to decode; the limit is {limit} (max_samples)"
            raise LimitError(rule, path=self.path, offset=0)

    def _most_ahead(self, gops: Sequence[Sequence[GroupEntry]]) -> int:
        """How many GOPs may be under way beside the one that is read."""
        longest = max((gop[-1].end - _first(gop) for gop in gops), default=1)
        return KEPT_BYTES // (longest * self.format.raw_bytes) - 1

    def _missing(self, number: int) -> BitstreamError:
        return BitstreamError(f"picture {number} is in no whole packet", path=self.path, offset=0)

    def _task(self, gop: Sequence[GroupEntry]) -> GopTask:
        """What is needed to decode a GOP; each packet is read when its turn comes."""
        groups = ((entry, self._read_group(entry)) for entry in gop)
        return GopTask(groups, self._container.header, self._container.shared, self.path, self._container.limits)

    def _read_group(self, entry: GroupEntry) -> bytes:
        with self._reading:  # which moves in the file
            return self._container.read_group_bytes(entry)

    def __dask_tokenize__(self) -> tuple[object, ...]:
        """What tells dask whether two videos are the same."""
        if self._reopen is None:
            return (uuid.uuid4().hex,)
        path = self._reopen.args[0]
        status = Path(path).stat()
        return (path, status.st_size, status.st_mtime_ns)

    def close(self) -> None:
        """Close the file, unless it was given as one; pictures that were handed out stay, others are out of reach."""
        self._container.close()
        self._resources.close()
        self._cursor.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _opened(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from error


def _is_whole(number: object) -> bool:
    return hasattr(number, "__index__") and np.ndim(number) == 0  # type: ignore[arg-type]


def _first(gop: Sequence[GroupEntry]) -> int:
    return gop[0].first_picture


def open_video(
    file: str | os.PathLike[str] | IO[bytes], *, limits: Limits = DEFAULT_LIMITS, damaged: bool = False
) -> Video:
    """Open an ``.mvz`` file, by its name or as a binary stream that can seek; as `codec.open` the usual way in.

    With ``damaged`` every packet that is whole is looked for, in a file that may be cut short or harmed.

    Raises:
        MediaError: the file cannot be read.
        BitstreamError: it is not an ``.mvz`` file, or its structure is damaged; with ``damaged``, only where
            signature or sequence header are.
    """
    return Video(file, limits, damaged=damaged)


def decode(
    path: str | os.PathLike[str],
    *,
    limits: Limits = DEFAULT_LIMITS,
    executor: Executor | None = None,
    workers: int | None = None,
) -> npt.NDArray[Numbers]:
    """All pictures of a file at once, (T, H, W) for gray, (T, H, W, 3) RGB otherwise; of the dtype of `Video`'s.

    With alpha they are (T, H, W, 2) and (T, H, W, 4).

    Raises:
        MediaError: the file cannot be read.
        BitstreamError: the file is damaged.
    """
    from codec.picture.colour import to_array

    with Video(path, limits) as video:
        # a list first: a hostile file may declare far more pictures than it has
        return np.stack([to_array(picture) for picture in video.pictures(executor=executor, workers=workers)])
