"""Writing a sequence of pictures, into whatever the target's name says."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from codec.errors import ConfigError, ExistsError, MediaError
from codec.picture.alpha import OVER_WHITE
from codec.picture.archive import NotRestoredError, WholeFile, is_archived, restored
from codec.picture.arrays import npy_writer
from codec.picture.attachments import lost, with_colour
from codec.picture.colour import image_samples
from codec.picture.film_coding import FILM_SUFFIXES, MISSING, FilmCoding, film_coding
from codec.picture.naming import VIDEO_SUFFIXES, NumberPattern, has_number_conversion, natural_key, plain_name
from codec.picture.planes import Colour, Picture, PictureFormat, SampleFormat
from codec.picture.y4m import y4m_writer
from codec.whole_file import InputFile, held, publish, refuse_overwrite, remove_abandoned, temporary_of, whole_file

__all__ = ["PictureSink", "open_sink"]

Write = Callable[[Picture], None]
StreamWriter = Callable[[BinaryIO, PictureFormat, Fraction], AbstractContextManager[Write]]

# The formats that keep every sample of gray and RGB, with alpha only those of `_WITH_ALPHA`; in a folder a name with
# another suffix gets .png.
_STILL_FORMATS = {".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
_STILL_FORMATS |= dict.fromkeys((".ppm", ".pgm", ".pnm"), "PPM")
_WITH_ALPHA = frozenset((".png", ".tif", ".tiff", ".apng", ".webp", ".npy"))
_FLOAT = frozenset((".tif", ".tiff", ".npy"))
_DEEP = frozenset((".y4m", ".png", ".apng", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".npy"))  # of more than 8 bits
_MAX_SIDE = {".gif": 65535, ".webp": 16383}  # 16 bits in a GIF; what libwebp accepts
# Suffixes of files that people expect and that are not written; any other name is a folder's.
_UNSUPPORTED = VIDEO_SUFFIXES.difference(FILM_SUFFIXES) | frozenset(
    (".jpg", ".jpeg", ".jp2", ".avif", ".heic", ".tga", ".exr", ".npz", ".zip", ".h5", ".html", ".json", ".yuv", ".mvz")
)


class PictureSink:
    """Where pictures go, one at a time, in a ``with`` block; a block that raises leaves nothing behind.

    ``lossy_note`` says what is lost where the target cannot hold the samples as they are, else None.
    ``notes`` are other things worth saying once the block has ended, such as names that were changed.
    ``count`` is how many pictures were written.
    """

    def __init__(
        self,
        label: str,
        picture_format: PictureFormat,
        writer: AbstractContextManager[Write],
        lossy_note: str | None,
        notes: list[str],
        suffix: str | None,
    ) -> None:
        self.label = label
        self.format = picture_format
        self.lossy_note = lossy_note
        self.notes = notes
        self.count = 0
        self._suffix = suffix  # of what is written; None where each picture has its own
        self._first: Mapping[str, bytes] | None = None  # attachments of the first picture
        self._lost: dict[str, None] = {}  # in order
        self._writer = writer
        self._write: Write | None = None

    def __enter__(self) -> Self:
        with self._foreign_errors():
            self._write = self._writer.__enter__()
        return self

    def write(self, picture: Picture) -> None:
        """Add a picture.

        Raises:
            MediaError: another size or sample format than the sink's, or the target cannot be written.
            BrokenPipeError: whoever read standard output has stopped.
        """
        assert self._write is not None, "a sink is written to in its with block"
        given, wanted = (replace(each, colour=Colour()) for each in (picture.format, self.format))
        if given != wanted:
            raise MediaError(f"{self.label}: opened for {self.format}, got a picture of {picture.format}")
        suffix = (self._suffix or _still_suffix(picture.name, _still_suffixes(self.format))).lower()
        if suffix in (".png", ".apng"):
            picture = with_colour(picture)
        with self._foreign_errors():
            self._write(picture)
        self._first = picture.attachments if self._first is None else self._first
        self._lost |= dict.fromkeys(lost(picture, suffix, self._first))
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write = None
        if error is None and self.count == 0:
            error = MediaError(f"{self.label}: there are no pictures to write")
            self._writer.__exit__(MediaError, error, None)
            raise error
        with self._foreign_errors():
            self._writer.__exit__(kind, error, traceback)
        if self._lost:
            self.notes.append(f"{self.label}: has no place for what came with the pictures: {', '.join(self._lost)}")

    @contextlib.contextmanager
    def _foreign_errors(self) -> Iterator[None]:
        """What the target cannot take (a full disk, a size) becomes a `MediaError` that names it."""
        try:
            yield
        except BrokenPipeError:
            raise
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MediaError(f"{self.label}: cannot be written: {reason}") from error


def open_sink(
    target: str | os.PathLike[str],
    picture_format: PictureFormat,
    rate: Fraction,
    *,
    force: bool = False,
    count: int | None = None,
    first: int = 0,
    numbers: Iterator[int] | None = None,
    inputs: Sequence[InputFile] = (),
    film: FilmCoding | None = None,
    archive: bool = True,
) -> PictureSink:
    """A sink for pictures of ``picture_format`` at ``rate`` pictures per second.

    ``target`` decides what is written:

    - ``-``: Y4M on standard output; ``*.y4m``: a Y4M file;
    - ``*.gif``, ``*.apng``, ``*.webp``: an animation (WebP lossless);
    - ``*.mkv``, ``*.mp4``, ``*.m4v``, ``*.mov``: a film, coded as ``film`` says (needs PyAV);
    - ``*.npy``: an array (T, H, W) or (T, H, W, 3), with alpha (T, H, W, 2) or (T, H, W, 4), uint8 or uint16;
    - ``*.tif``: a TIFF, a page a picture;
    - a printf pattern such as ``frames/%04d.png``: numbered pictures;
    - ``*.png``, ``*.bmp``, ``*.ppm``: one picture;
    - any other name: a folder, with the pictures' own names restored.

    Samples of more than 8 bits go into Y4M, arrays, PNG, TIFF and PPM; image files have them scaled to 16 bits.
    ``force`` allows to replace files, and to write into a folder that is not empty.
    ``count`` is how many pictures will come, if that is known.
    ``first`` is the number of the first picture, where files are numbered.
    ``numbers`` gives the number of each picture when it is written, where some are left out.
    ``inputs`` are files that are read meanwhile, which no target may be.
    ``archive`` is whether a file of all pictures becomes what it was, where that came with them.

    Raises:
        NotRestoredError: when the block ends, where the pictures do not give back the file that came with them.
        MediaError: a target that is taken, or whose format is not supported or cannot hold such pictures.
        ConfigError: a rate that is not positive, a target without a name, or one that is among ``inputs``.
    """
    if rate <= 0:
        raise ConfigError(f"a rate is more than 0 pictures per second, not {rate}")
    label = os.fspath(target)
    if not label:
        raise ConfigError("the output has no name; the current folder is .")
    suffix = Path(label).suffix.lower()
    film = film or film_coding(label, None, None)
    largest = _MAX_SIDE.get(suffix)
    if largest and max(picture_format.width, picture_format.height) > largest:
        raise MediaError(f"{label}: {picture_format} is too large; a {suffix} has at most {largest} a side")
    is_pattern = has_number_conversion(label)
    is_folder = not is_pattern and Path(label).is_dir()
    is_own_names = False
    notes: list[str] = []
    writer: AbstractContextManager[Write]
    if label == "-":
        label, suffix = "standard output", ".y4m"
    if not is_folder:
        _refuse_format(label, picture_format, suffix)

    def original(picture: Picture) -> WholeFile | None:
        whole = WholeFile.of(picture) if archive and not first else None
        return whole if whole and whole.is_known and whole.suffix == suffix and count in (None, whole.count) else None

    if target == "-":
        if sys.stdout is None:
            raise MediaError("standard output: is closed")
        writer = _into(contextlib.nullcontext(sys.stdout.buffer), y4m_writer, picture_format, rate, original)
    elif not is_pattern and (stream_writer := _stream_writer(label, suffix, is_folder, film, not first)):
        file = whole_file(label, force=force, inputs=inputs)
        writer = _into(file, stream_writer, picture_format, rate, original)
    elif suffix in _UNSUPPORTED and not is_pattern and not is_folder:
        raise MediaError(
            f"{label}: {suffix} is not written; a folder, a pattern such as %04d.png,"
            " .y4m, .npy, .gif, .apng, .webp, .mkv, .mp4 and .mov are"
        )
    else:
        pattern = NumberPattern.parse(label) if is_pattern else None
        if pattern:
            if suffix not in _STILL_FORMATS:
                raise MediaError(f"{label}: pictures are written as {', '.join(_STILL_FORMATS)}")
            # a name that is taken shows before any work is done
            expected = [pattern.name(first + number) for number in range(count or 1)]
            _refuse_taken(pattern.folder, expected, force, inputs)
        numbers = itertools.count(first) if numbers is None else numbers
        suffixes, is_own_names = _still_suffixes(picture_format), pattern is None
        writer = _folder_writer(pattern or Path(label), suffixes, force, numbers, inputs, notes)
    note = _lossy_note(picture_format, suffix) if film is None else _film_note(picture_format, film)
    return PictureSink(label, picture_format, writer, note, notes, None if is_own_names else suffix)


def _refuse_format(label: str, picture_format: PictureFormat, suffix: str) -> None:
    """Raise `MediaError` where files of that suffix have no place for what pictures have."""
    if suffix not in (".y4m", ".apng", ".gif", ".webp", *_STILL_FORMATS):
        return
    if picture_format.is_float and suffix not in _FLOAT:
        raise MediaError(f"{label}: samples are floating point, which TIFF and .npy keep, and {suffix} does not")
    if picture_format.bit_depth > 8 and suffix not in _DEEP:
        raise MediaError(
            f"{label}: samples have {picture_format.bit_depth} bits, and those of {suffix} have 8; "
            "PNG, TIFF, APNG, PPM, Y4M and .npy keep them"
        )
    if picture_format.sample_format.has_alpha and suffix not in _WITH_ALPHA:
        raise MediaError(
            f"{label}: pictures have alpha, which {suffix} has no place for; "
            f"PNG, TIFF, APNG, WebP and .npy have, and {OVER_WHITE}"
        )


def _still_suffixes(picture_format: PictureFormat) -> frozenset[str]:
    """The suffixes of files for one picture that keep every sample of it."""
    suffixes = frozenset(_STILL_FORMATS)
    if picture_format.sample_format.has_alpha:
        suffixes &= _WITH_ALPHA
    if picture_format.is_float:
        return suffixes & _FLOAT
    return suffixes & _DEEP if picture_format.bit_depth > 8 else suffixes


def _lossy_note(picture_format: PictureFormat, suffix: str) -> str | None:
    """What becomes of samples that a target with that suffix does not keep as they are, or None."""
    sample_format, bit_depth = picture_format.sample_format, picture_format.bit_depth
    notes = []
    if suffix == ".y4m" and sample_format is SampleFormat.RGB:
        notes.append("RGB converted to YUV 4:4:4 (BT.601, full range)")
    if suffix != ".y4m" and not (sample_format.is_gray or sample_format.is_rgb):
        notes.append("YUV converted to RGB")
    if suffix not in (".y4m", ".npy") and bit_depth not in (8, 16):
        notes.append(f"{bit_depth} bits scaled to 16")
    if suffix == ".gif" and sample_format is not SampleFormat.GRAY:
        notes.append("GIF keeps 256 colours a picture")
    return "; ".join(notes) or None


# ------------------------------------------------------------------------------------------- one file


def _film_note(picture_format: PictureFormat, film: FilmCoding) -> str | None:
    """What becomes of samples in a film."""
    if film.coder == "ffv1":
        return None
    is_rgb = picture_format.sample_format is SampleFormat.RGB and (film.crf or picture_format.bit_depth > 8)
    notes = ["RGB converted to Y'CbCr (BT.601, full range)"] if is_rgb else []
    return "; ".join([*notes, f"x264 with crf {film.crf} is not exact"] if film.crf else notes) or None


def _stream_writer(
    label: str, suffix: str, is_folder: bool, film: FilmCoding | None, is_start: bool
) -> StreamWriter | None:
    """The writer of all pictures into one file of that suffix; None where that is none."""
    if film is not None and not is_folder:
        try:
            from codec.picture.film_writing import film_writer  # FFmpeg's libraries, where they are
        except ImportError as error:
            pipe = f"mvz decode FILE -o - | ffmpeg -i - {shlex.quote(label)}"
            raise MediaError(f"{label}: is a film; {MISSING}, or ffmpeg makes it: {pipe}") from error
        return partial(film_writer, label, film, is_start)
    if suffix in (".apng", ".gif", ".webp"):
        from codec.picture import animations  # Pillow, only where it is needed

        return {".apng": animations.apng_writer, ".gif": animations.gif_writer, ".webp": animations.webp_writer}[suffix]
    if suffix in (".tif", ".tiff") and not is_folder:
        from codec.picture.animations import tiff_writer

        return tiff_writer
    if suffix in _STILL_FORMATS and not is_folder:
        return partial(_single_writer, label)
    return {".y4m": y4m_writer, ".npy": npy_writer}.get(suffix)


@contextlib.contextmanager
def _into(
    file: AbstractContextManager[BinaryIO],
    stream_writer: StreamWriter,
    picture_format: PictureFormat,
    rate: Fraction,
    original: Callable[[Picture], WholeFile | None],
) -> Iterator[Write]:
    """All pictures into one file, which is opened when the first may come, and may be the ``original`` of them."""
    with file as opened, contextlib.ExitStack() as writers:
        whole, write = None, None

        def write_next(picture: Picture) -> None:
            nonlocal whole, write
            if whole is None and write is None:
                whole = original(picture)
                write = None if whole else writers.enter_context(stream_writer(opened, picture_format, rate))
            if whole:
                opened.write(whole.part(picture))
            elif write:
                write(picture)

        yield write_next
        opened.flush()
        if whole and not whole.is_right:
            raise NotRestoredError("the pictures do not give back the file that they came from")


@contextlib.contextmanager
def _single_writer(path: str, file: BinaryIO, picture_format: PictureFormat, rate: Fraction) -> Iterator[Write]:
    """One picture into ``file``; a second one is a `MediaError`."""
    suffix = Path(path).suffix

    def write(picture: Picture) -> None:
        if file.tell():
            raise MediaError(f"{path}: holds one picture; a pattern such as %04d{suffix} takes more")
        _write_still(file, picture, suffix, restored(picture) if Path(picture.name or "").suffix == suffix else None)

    yield write


# ------------------------------------------------------------------------------------------- one file a picture


@contextlib.contextmanager
def _folder_writer(
    target: Path | NumberPattern,
    suffixes: frozenset[str],
    force: bool,
    numbers: Iterator[int],
    inputs: Sequence[InputFile],
    notes: list[str],
) -> Iterator[Write]:
    """Pictures under the names that a pattern gives to ``numbers``, or into a folder; all or none appear.

    Those whose suffix is none of ``suffixes`` become PNG.
    In a folder each gets its own name again, changed where some system does not take it.
    Where names are missing or equal, or would sort into another order, all get ``numbers`` of six digits instead.
    ``notes`` get what is to be said of names that are not restored.
    """
    pattern = target if isinstance(target, NumberPattern) else None
    folder = target.folder if isinstance(target, NumberPattern) else target
    for place in (folder.parent, folder):
        remove_abandoned(place, folder.name)
    if not pattern and folder.is_dir() and any(folder.iterdir()) and not force:
        raise ExistsError(f"{folder}: is not empty", "writes into it")
    own: list[str | None] = []
    numbered: list[str] = []
    changed: list[bool] = []
    with _staged(folder) as staged:

        def write(picture: Picture) -> None:
            number = next(numbers)
            suffix = _still_suffix(pattern.name(number) if pattern else picture.name, suffixes)
            original = None if pattern else restored(picture)
            suffix = suffix if original is None else Path(picture.name or "").suffix or suffix
            changed.append(original is None and is_archived(picture) and not pattern)
            with _temporary(staged, len(numbered)).open("xb") as file:
                _write_still(file, picture, suffix, original)
            numbered.append(pattern.name(number) if pattern else f"{number:06d}{suffix}")
            own.append(None if pattern else picture.name)

        yield write
        names, said = _final_names(own, numbered)
        _publish(staged, folder, names, force=force, inputs=inputs)
        if said:
            notes.append(f"{folder}: {said}")
        if any(changed):
            notes.append(f"{folder}: {sum(changed)} of {len(changed)} files are not byte for byte those of the archive")


def _write_still(file: BinaryIO, picture: Picture, suffix: str, original: bytes | None) -> None:
    """One picture into a file of its own, or the ``original`` file."""
    from codec.picture.images import write_still  # Pillow, only where it is needed

    if original is None:
        write_still(file, image_samples(picture), _STILL_FORMATS[suffix.lower()], picture.attachments)
    else:
        file.write(original)


def _still_suffix(name: str | None, suffixes: frozenset[str]) -> str:
    """The suffix of a picture's file in a folder: that of its name, unless such files would not hold it."""
    suffix = Path(name or "").suffix
    return suffix if suffix.lower() in suffixes else ".png" if ".png" in suffixes else ".tif"


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A hidden temporary folder on the file system of ``folder``, gone when the block ends.

    It is inside ``folder`` where that exists (it may be a mount point), and beside it otherwise.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise MediaError(f"{folder}: is a {'file' if folder.exists() else 'link to nothing'}; a folder is needed")
    staged = temporary_of(folder if folder.exists() else folder.parent, folder.name)
    try:  # around all of it: an interrupt may come as soon as the folder is there
        try:
            staged.mkdir()
        except OSError as error:
            raise MediaError(f"{folder}: cannot be written: {error.strerror}") from error
        with held(staged):
            yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _temporary(staged: Path, number: int) -> Path:
    """Where picture ``number`` waits; hidden, so no final name can be the same."""
    return staged / f".{number}"


def _final_names(own: Sequence[str | None], numbered: Sequence[str]) -> tuple[list[str], str]:
    """The pictures' own names with the suffixes that were written, or ``numbered`` where those would not do.

    Also what is to be said of that, if anything.
    """
    if not any(own):
        return list(numbered), ""
    wanted = [os.path.splitext(name)[0] + Path(number).suffix for name, number in zip(own, numbered) if name]  # noqa: B905, PTH122
    plain = [plain_name(name) for name in wanted]
    why = ""
    if len(plain) < len(own):
        why = "some have none"
    elif len({name.casefold() for name in plain}) < len(plain):  # some file systems ignore case
        why = "some are the same"
    elif sorted(plain, key=natural_key) != plain:
        why = "sorted they are in another order"
    if why:
        return list(numbered), f"the pictures' own names cannot be used, as {why}; they are numbered"
    changed = [(before, after) for before, after in zip(wanted, plain, strict=True) if before != after]
    if not changed:
        return plain, ""
    before, after = changed[0]
    return plain, f"names that not every system takes are changed, {len(changed)} such as {before!r} to {after!r}"


def _publish(staged: Path, folder: Path, names: Sequence[str], *, force: bool, inputs: Sequence[InputFile]) -> None:
    """Give the pictures their names, and a new folder its own; without ``force`` all or none."""
    if not folder.exists():
        for number, name in enumerate(names):
            _temporary(staged, number).replace(staged / name)
        staged.replace(folder)
        return
    _refuse_taken(folder, names, force, inputs)
    with contextlib.ExitStack() as undo:
        for number, name in enumerate(names):
            publish(_temporary(staged, number), folder / name, force=force)
            if not force:
                undo.callback((folder / name).unlink)
        undo.pop_all()


def _refuse_taken(folder: Path, names: Sequence[str], force: bool, inputs: Sequence[InputFile]) -> None:
    """Raise before the first file would be replaced without ``force``, or a folder or input at all."""
    for name in names:
        refuse_overwrite(folder / name, force, inputs)
