"""Pictures to a file: the coding loop, GOP by GOP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import NoneType, TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from codec.arguments import expect_type, file_name, picture_rate
from codec.bitstream.limits import DEFAULT_LIMITS, MAX_NAME_BYTES
from codec.coded import Attachments, CodedPicture, LosslessResidual, PacketGroup, PlaneResidual, SequenceHeader
from codec.depths import for_depth
from codec.errors import CodecError, ConfigError, MediaError
from codec.lossless.picture import as_coded, as_decoded
from codec.models import MotionModel, ResidualCoder, Speed
from codec.motion.compensation import Reference
from codec.motion.field import MotionField
from codec.parallel import OrderedWork, Progress, calls_ahead
from codec.picture.alpha import cleared, coarser, parted, refuse_alpha, with_alpha_of
from codec.picture.archive import Archivist
from codec.picture.arrays import picture_of
from codec.picture.colour import luma
from codec.picture.naming import refuse_other_suffix
from codec.picture.planes import MIN_BIT_DEPTH, Picture, PictureFormat, SampleFormat, SampleFormatName
from codec.picture.value_maps import NO_MAPS, ValueMaps, mapped
from codec.reconstruct import History, Prediction, complete, predict, present, same_alpha
from codec.search import quantisation
from codec.search.displacements import frequent_displacements, looks_like_screen
from codec.search.lossless import PRESETS, Preset, code_lossless
from codec.search.value_maps import choose_alpha_map, choose_maps
from codec.settings import Settings
from codec.whole_file import OutputFile, given_stream, is_stream, refuse_overwrite, whole_file
from codec.writing.file import ContainerWriter, attachments_of, pack_attachments, pack_group, pack_metadata
from codec.writing.streams import encoded_name, group_length

if TYPE_CHECKING:
    import numpy.typing as npt

    from codec.picture.sequence import PictureSource
    from codec.picture.sources import SourceSpec
    from codec.targets import EncodesAt, SearchResult

__all__ = ["Progress", "Summary", "Writer", "encode"]


FILE_TO_MAKE = "the file to make is named by text or a path, or is a binary stream"
ATTACHMENT_COST = 512  # bytes that each counts as beside its own: so a packet has at most 32768 (spec 5.8 has 65535)
MESH_OF_DCT = 32  # side of its cells: vectors of finer ones cost more than they gain


@dataclass(frozen=True)
class Summary:
    """What an encode did.

    Attributes:
        pictures: how many.
        source_bytes: raw samples, one byte each, or two of more than 8 bits.
        file_bytes: size of the ``.mvz`` file.
        seconds: wall time.
        source_file_bytes: size of the files that the pictures came from; None where there were none (a pipe, an array).
        notes: what of the source is not in the file, such as a colour profile, unequal times or files left out.
        found: which QP met a target that the settings have; None where they have none.
    """

    pictures: int
    source_bytes: int
    file_bytes: int
    seconds: float
    source_file_bytes: int | None = None
    notes: tuple[str, ...] = ()
    found: SearchResult | None = None

    @property
    def ratio(self) -> float:
        """Raw samples over file."""
        return self.source_bytes / self.file_bytes


class PackedGroup(NamedTuple):
    """The payload of a packet, and of what came with its pictures, ready to be written."""

    payload: bytes
    picture_count: int
    starts_gop: bool
    attachments: bytes


# ------------------------------------------------------------------------------------------- the coding loop


def code_picture(
    source: Picture,
    history: History,
    header: SequenceHeader,
    settings: Settings,
    before: MotionField | None,
    source_before: Picture | None,
) -> tuple[CodedPicture, History]:
    """One picture against what the decoder will have: search, predict, residual; and the decoder's history after it.

    ``before`` is the motion field of the picture before, and ``source_before`` its source: the search looks at both.
    """
    lossless_preset = PRESETS[settings.speed_preset]
    lossless = header.residual is ResidualCoder.LOSSLESS
    references = min(len(history.references), lossless_preset.references if lossless else 1)
    speed = lossless_preset.search if lossless else settings.speed_preset
    field = None
    if references and source_before is not None and header.motion is not MotionModel.NONE:
        field = search_motion(source, history.references[0], header, settings, speed, before, source_before)
    predictions = predict(field, references, history)
    if lossless:
        all_planes, after = code_losslessly(source, predictions, header, lossless_preset, history)
        return CodedPicture(references, field, all_planes), after
    residual = code_samples(source, predictions, header, settings)
    return CodedPicture(references, field, residual), history.after(complete(residual, predictions, header), header)


def code_samples(
    source: Picture, predictions: tuple[Prediction, ...], header: SequenceHeader, settings: Settings
) -> tuple[PlaneResidual, ...]:
    """The residual of the coders in the sample domain."""
    step = settings.step
    if step is not None and not predictions:
        # every P picture inherits the I picture's error: at step 8 half of it saves 0…15 % of the file's bytes
        # and lowers its error by 5…50 % on 352×288 clips
        step = (step + 1) // 2
    prediction = predictions[0] if predictions else (None,) * len(source.planes)
    planes, exact = list(zip(source.planes, prediction, strict=True)), []
    coder, bit_depth = header.residual, header.format.bit_depth
    kernel = for_depth(quantisation, bit_depth)
    if header.has_alpha and coder.has_step:
        exact = [kernel.code_exactly(*planes.pop(), coder, bit_depth)]
    return (*(kernel.code_plane(*plane, coder, step, bit_depth) for plane in planes), *exact)


def code_losslessly(
    source: Picture,
    predictions: tuple[Prediction, ...],
    header: SequenceHeader,
    preset: Preset,
    history: History,
) -> tuple[LosslessResidual, History]:
    """The residual of the lossless coder, which completes the samples while it predicts them."""
    bit_depth = source.format.bit_depth
    residual, weights, planes, memories = code_lossless(
        as_coded(source.planes, header, bit_depth),
        [as_coded(prediction, header, bit_depth) for prediction in predictions],
        history.weights[len(predictions)],
        history.memories,
        preset,
        header,
        bit_depth,
    )
    picture = Picture(source.format, as_decoded(planes, header, bit_depth))
    return residual, history.after(picture, header, weights, len(predictions), memories)


def search_motion(
    source: Picture,
    reference: Reference,
    header: SequenceHeader,
    settings: Settings,
    speed: Speed,
    before: MotionField | None,
    source_before: Picture,
) -> MotionField:
    """The motion field of a P picture, estimated on luma against the decoded reference."""
    from codec.search.interpolation import InterpolatedPlanes
    from codec.search.motion import Searched, half_samples, search_blocks, searched_planes
    from codec.search.prediction_weights import faded

    wanted = luma(source)
    frequent = frequent_displacements(wanted, source_before, header.vector_limit_quarter_pel // 4)
    before_it = luma(reference.picture)
    if header.residual is ResidualCoder.LOSSLESS:  # whose weights make up for what fades
        before_it = faded(wanted, before_it, source.format.bit_depth)
    source_plane, searched_plane = searched_planes(wanted, before_it)
    if searched_plane is not reference.picture.planes[0]:  # of RGB luma is no plane of the picture
        halves = half_samples(searched_plane, header.half_sample_tap)
    else:
        halves = InterpolatedPlanes(reference.plane(0), 2)
    searched = Searched(source_plane, searched_plane, halves, header.vector_limit_quarter_pel, speed, before, frequent)
    if header.motion is MotionModel.BLOCK:
        return search_blocks(searched, header.cell_size)
    from codec.search.mesh import search_mesh

    return search_mesh(searched, header.cell_size)


def code_gop(
    pictures: Sequence[Picture], header: SequenceHeader, settings: Settings, maps: ValueMaps
) -> tuple[list[CodedPicture], list[int]]:
    """A closed GOP: an I picture, then P pictures, each from the reconstruction of the one before; and CRC-32s."""
    if settings.speed_preset is Speed.FAST and looks_like_screen(luma(pictures[0])):
        settings = replace(settings, speed=Speed.MEDIUM)  # of screens it takes a fifth longer, and a third less bytes
    if header.residual is ResidualCoder.DCT:
        from codec.search.picture_encoder import code_gop_of_blocks

        if header.alpha_header is None:
            return code_gop_of_blocks(pictures, [None] * len(pictures), header, settings)[:2]
        colours, alphas = zip(*map(parted, pictures), strict=True)
        coded, checksums, fields = code_gop_of_blocks(colours, alphas, header, settings)
        return with_alpha(coded, alphas, fields, header.alpha_header, PRESETS[settings.speed_preset], maps), checksums
    coded, checksums = [], []
    history = History()
    source_before: Picture | None = None
    for picture in pictures:
        source = mapped(picture, maps)
        before = coded[-1].field if coded else None
        coded_picture, history = code_picture(source, history, header, settings, before, source_before)
        source_before = source
        coded.append(coded_picture)
        checksums.append(present(history.newest, header, maps).crc32())
    return coded, checksums


def with_alpha(
    coded: list[CodedPicture],
    alphas: Sequence[Picture],
    fields: Sequence[MotionField],
    header: SequenceHeader,
    preset: Preset,
    maps: ValueMaps,
) -> list[CodedPicture]:
    """Pictures of ``dct`` with their alpha, predicted by the motion of their blocks (spec 10.15).

    ``header`` is the `SequenceHeader.alpha_header`.
    """
    history, whole = History(), []
    for picture, source, field in zip(coded, alphas, fields, strict=True):
        alpha, residual = mapped(source, maps), None
        references = min(len(history.references), preset.references)
        if is_same_alpha(alpha, history, maps):
            history = same_alpha(history, header)
        else:
            predictions = predict(field, references, history)
            residual, history = code_losslessly(alpha, predictions, header, preset, history)
        whole.append(replace(picture, references=references, alpha=residual))
    return whole


def is_same_alpha(alpha: Picture, history: History, maps: ValueMaps) -> bool:
    """Whether alpha is what `same_alpha` makes."""
    if history.references:
        return alpha.same_samples(history.newest)
    return bool(maps) and alpha.format.bit_depth == MIN_BIT_DEPTH and not alpha.planes[0].any()


def encode_gop(
    pictures: Sequence[Picture],
    first_picture: int,
    header: SequenceHeader,
    settings: Settings,
    shared: Attachments = (),
) -> list[PackedGroup]:
    """Code one closed GOP, as the packets that hold it."""
    maps = NO_MAPS
    if header.alpha_header is not None:
        maps = choose_alpha_map([parted(picture)[1] for picture in pictures])
    elif header.residual is ResidualCoder.LOSSLESS and (header.has_alpha or not header.max_error):
        maps = choose_maps(pictures, of_colours=not header.max_error)
    if header.residual is ResidualCoder.DCT and settings.reorder is None:
        settings = replace(settings, reorder=mini_gop_of(pictures, header, settings))
    coded, checksums = code_gop(pictures, header, settings, maps)
    groups = []
    length = group_length(header, settings.run_length(header.format.sample_count))
    for start in range(0, len(pictures), length):
        stop = min(start + length, len(pictures))
        names = tuple(picture.name or "" for picture in pictures[start:stop])
        group = PacketGroup(
            first_picture + start,
            tuple(coded[start:stop]),
            tuple(checksums[start:stop]),
            names if any(names) else (),
            maps if start == 0 else NO_MAPS,
            mini_gop=settings.reorder or 1,
        )
        came_with = [attachments_of(picture, header.rate) for picture in pictures[start:stop]]
        attachments = pack_attachments(came_with, shared, range(first_picture + start, first_picture + stop))
        groups.append(PackedGroup(pack_group(header, group), stop - start, start == 0, attachments))
    return groups


def mini_gop_of(pictures: Sequence[Picture], header: SequenceHeader, settings: Settings) -> int:
    """How many pictures of ``dct`` a mini-GOP has, where that is left to the encoder."""
    if header.alpha_header is not None:
        return 1
    from codec.search.mini_gop import choose_mini_gop

    return choose_mini_gop(pictures)


class GopTask(NamedTuple):
    """What a worker needs to code one GOP; it can be pickled."""

    pictures: list[Picture]
    first_picture: int
    header: SequenceHeader
    settings: Settings
    shared: Attachments


def encode_task(task: GopTask) -> list[PackedGroup]:
    """`encode_gop` with its arguments as one."""
    return encode_gop(*task)


# ------------------------------------------------------------------------------------------- files


def sequence_header(picture_format: PictureFormat, rate: Fraction, settings: Settings) -> SequenceHeader:
    """What the file will say about all its pictures."""
    if picture_format.is_float:
        _refuse_float_unless_exact(settings)
    for name in ("max_error", "alpha_error"):
        if (error := getattr(settings, name) or 0) > picture_format.peak // 2:
            bits = picture_format.bit_depth
            raise ConfigError(f"{name} is at most {picture_format.peak // 2} for {bits} bits, not {error}")
    if (settings.step or 0) > 255 << (picture_format.bit_depth - 8):
        most, bits = 255 << (picture_format.bit_depth - 8), picture_format.bit_depth
        raise ConfigError(f"step is at most {most} for {bits} bits, not {settings.step}")
    is_mesh_of_dct = settings.residual_coder is ResidualCoder.DCT and settings.motion_model is MotionModel.MESH
    header = SequenceHeader(
        picture_format,
        rate,
        settings.residual_coder,
        settings.motion_model,
        MESH_OF_DCT if is_mesh_of_dct else settings.cell_size,
        4 * settings.search_range(picture_format.width),
        settings.gop,
        settings.max_error or 0,
        coded_format(picture_format.sample_format, settings),
    )
    if settings.residual_coder is ResidualCoder.DCT and settings.dialled_qp < header.lowest_qp:
        least, bits = header.lowest_qp, picture_format.bit_depth
        raise ConfigError(f"qp is at least {least} for {bits} bits, not {settings.qp}")
    if settings.reorder not in (None, 1) and header.alpha_header is not None:
        raise ConfigError(f"reorder is 1 for pictures with alpha, not {settings.reorder}")
    return header


def coded_format(sample_format: SampleFormat, settings: Settings) -> SampleFormat:
    """The planes that are coded: the source's, but by ``dct`` without alpha, and of RGB those of Y'CbCr.

    Raises:
        ConfigError: ``chroma`` is given, and the source is not RGB.
    """
    if sample_format.has_alpha and not settings.keeps_alpha:
        given, without = sample_format.label, sample_format.opaque.label
        raise ConfigError(f"alpha is not kept with these settings, and {given} has some; a file of {without} will do")
    if settings.chroma is not None and not sample_format.is_rgb:
        raise ConfigError(f"chroma {settings.chroma} is for RGB pictures; these are {sample_format.label}")
    if settings.residual_coder is not ResidualCoder.DCT:
        return sample_format
    if not sample_format.is_rgb:
        return sample_format.opaque
    return SampleFormat.YUV444 if settings.chroma == "444" else SampleFormat.YUV420


def _software() -> dict[str, str]:
    from codec import __version__

    return {"encoder": f"mvz {__version__}"}


class Writer:
    """A new ``.mvz`` file, picture by picture; it appears when the ``with`` block ends well, and only then.

    Args:
        path: the file to make, or a binary stream, which stays open and takes what comes at once.
        size: (width, height) in luma samples.
        mode: ``gray``, ``rgb``, ``gray_alpha``, ``rgba``, ``yuv420``, ``yuv422`` or ``yuv444``; or give ``format``
            instead of both. What settings say of alpha is done to pictures that are appended, not to this.
        bit_depth: bits a sample, 8…16, beside size and mode; pictures of more than 8 are uint16. Of float16 there is
            ``format``, with ``is_float``.
        settings: how to encode; without a target, which only `encode` looks for.
        rate: pictures per second, also as text such as ``30000/1001``; 29.97 is that too.
        format: the whole picture format, with colour.
        metadata: free keys (1…255 bytes as UTF-8) and values (at most 65535).
        executor: codes GOPs there, in parallel; the bytes are the same as without.
        workers: how many GOPs it codes at once, where it is not a pool that tells.
        force: replace a file that exists.

    Raises:
        ConfigError: an argument makes no sense, or no picture was appended.
        MediaError: the file exists or cannot be written.
    """

    def __init__(
        self,
        path: OutputFile,
        size: tuple[int, int] | None = None,
        mode: SampleFormatName = "rgb",
        settings: Settings | None = None,
        *,
        bit_depth: int = 8,
        rate: Fraction | float | str = 25,
        format: PictureFormat | None = None,  # noqa: A002  the field's noun
        metadata: dict[str, str] | None = None,
        executor: Executor | None = None,
        workers: int | None = None,
        force: bool = False,
    ) -> None:
        if (size is None) == (format is None):
            raise ConfigError("a writer needs either size and mode, or format")
        file: AbstractContextManager[IO[bytes]]
        if is_stream(path):
            self._path, file = str(getattr(path, "name", "a stream")), given_stream(path)
        else:
            self._path = file_name(path, FILE_TO_MAKE)
            file = whole_file(path, force=force)
        expect_type(format, (PictureFormat, NoneType), "format is a PictureFormat")
        expect_type(settings, (Settings, NoneType), "settings are codec.Settings")
        self.format = format or _picture_format(size, mode, bit_depth)
        self.settings = settings or Settings()
        if self.settings.target is not None:
            name = self.settings.target.name
            raise ConfigError(f"{name} takes more than one encode: codec.encode makes them, and no Writer")
        self._background = self.settings.background_colour
        if self.format.width * self.format.height > DEFAULT_LIMITS.max_pixels:
            raise ConfigError(f"pictures of {self.format}; readers take {DEFAULT_LIMITS.max_pixels} samples a plane")
        self._header = sequence_header(self.format, picture_rate(rate), self.settings)
        expect_type(metadata, (dict, NoneType), "metadata is a dict of text to text")
        metadata = _software() | (metadata or {})
        if len(pack_metadata(metadata)) > DEFAULT_LIMITS.max_metadata_bytes:
            raise ConfigError(f"metadata of more than the {DEFAULT_LIMITS.max_metadata_bytes} bytes that readers take")
        self._state = "open"
        self._pictures: list[Picture] = []
        self._started = time.perf_counter()
        self._work: OrderedWork[GopTask, list[PackedGroup]] = OrderedWork(
            executor, encode_task, calls_ahead(executor, workers)
        )
        if not is_stream(path):
            refuse_other_suffix(path)
        with ExitStack() as resources:
            self._container = ContainerWriter(resources.enter_context(file), self._header, metadata)
            self._resources = resources.pop_all()
        self._appended = 0
        self._shared: Attachments = ()
        self._attached_bytes = 0
        """What the pictures of the GOP that is being filled bring along."""
        self.summary: Summary | None = None
        """What was done; there once the ``with`` block has ended."""

    @property
    def bytes_written(self) -> int:
        """Bytes so far; pictures of GOPs that are not complete have none yet."""
        return self._container.bytes_written

    @property
    def pictures_written(self) -> int:
        """Pictures of the GOPs written so far."""
        return self._container.picture_count

    def append(self, picture: Picture | npt.ArrayLike, name: str | None = None) -> None:
        """Add a picture: a `Picture`, a Pillow image, or what `Picture.from_array` takes, as the format says.

        Raises:
            ConfigError: the picture is not of the file's format, and is not added; the writer takes others.
                Without alpha a picture is opaque, and alpha that is opaque everywhere may be left out.
            MediaError: the writer is closed, a Pillow image is of an unsupported kind, or a picture is not opaque
                where the file has no alpha and no background is given.
            CodecError: this or an earlier picture could not be coded or written. The file cannot be completed then.
        """
        self._refuse_unless_open()
        # a copy: the caller may fill an array again
        picture = picture_of(picture, f"picture {self._appended}", name, self.format.bit_depth)
        self._check_name(picture.name)
        attachments = attachments_of(picture, self._header.rate)
        attached_bytes = sum(ATTACHMENT_COST + len(value) for _, value in attachments)
        if attached_bytes > DEFAULT_LIMITS.max_attachment_bytes:
            most = DEFAULT_LIMITS.max_attachment_bytes
            rule = f"attachments of more than the {most} bytes that readers take; --no-attachments leaves them out"
            raise ConfigError(f"picture {self._appended}: {rule}")
        picture = self._with_alpha_as_asked(picture)
        if picture.format.plane_shapes != self.format.plane_shapes or (
            (picture.format.sample_format, picture.format.bit_depth, picture.format.is_float)
            != (self.format.sample_format, self.format.bit_depth, self.format.is_float)
        ):
            raise ConfigError(f"picture {self._appended} is {picture.format}; the file's are {self.format}")
        self._state = "broken"  # unless all of this is done, pictures may be missing
        if not self._appended and attachments:  # which later ones often have too
            self._shared = attachments
            self._container.write_shared(attachments)
        if self._is_scene_cut(picture) or (
            attachments != self._shared and self._attached_bytes + attached_bytes > DEFAULT_LIMITS.max_attachment_bytes
        ):
            self._close_gop()
        self._attached_bytes += attached_bytes * (attachments != self._shared)
        self._pictures.append(picture)
        self._appended += 1
        if len(self._pictures) == self.settings.gop:
            self._close_gop()
        self._state = "open"

    def _refuse_unless_open(self) -> None:
        if self._state == "closed":
            raise MediaError(f"{self._path}: is closed; pictures are appended inside the with block")
        if self._state == "broken":
            raise CodecError(f"{self._path}: an earlier picture was not coded or written; it cannot be completed")

    def _with_alpha_as_asked(self, picture: Picture) -> Picture:
        """The picture with alpha or without, as the file has it."""
        picture = with_alpha_of(picture, self.format, self._background, f"picture {self._appended}")
        if not picture.format.sample_format.has_alpha:
            return picture
        if self.settings.alpha_error:
            picture = coarser(picture, self.settings.alpha_error)
        is_dct = self._header.residual is ResidualCoder.DCT  # which is better off with other colours than black
        return cleared(picture) if self.settings.alpha == "clear" and not is_dct else picture

    def _is_scene_cut(self, picture: Picture) -> bool:
        """Whether a GOP should end before ``picture``."""
        if not self._pictures or self.settings.scene_cut is False:
            return False
        from codec.search.motion import searched_planes
        from codec.search.scene_cut import is_scene_cut

        wanted, before = luma(picture), luma(self._pictures[-1])
        if not is_scene_cut(*searched_planes(wanted, before)):
            return False
        if self._header.residual not in (ResidualCoder.DCT, ResidualCoder.LOSSLESS):
            return True
        from codec.search.prediction_weights import faded

        # a fade is none for those that weigh what they predict from
        return is_scene_cut(*searched_planes(wanted, faded(wanted, before, picture.format.bit_depth)))

    def _check_name(self, name: str | None) -> None:
        """Refuse a name that could not be read back."""
        try:
            size = len(encoded_name(name or ""))
        except ValueError as error:
            raise ConfigError(f"picture {self._appended}: its name {name!r} cannot be kept: {error}") from error
        if size > MAX_NAME_BYTES:
            raise ConfigError(f"picture {self._appended}: a name of {size} bytes; at most {MAX_NAME_BYTES} can be kept")

    def _close_gop(self) -> None:
        """Hand the pictures so far on as a GOP, and write what has come back."""
        first = self._appended - len(self._pictures)
        self._write(self._work.put(GopTask(self._pictures, first, self._header, self.settings, self._shared)))
        self._pictures, self._attached_bytes = [], 0

    def _write(self, gops: Iterable[list[PackedGroup]]) -> None:
        for gop in gops:
            for group in gop:
                self._container.write_group(*group)

    def _finish(self) -> None:
        """Code what is left, and complete the file."""
        if self._pictures:
            self._close_gop()
        self._write(self._work.rest())
        if self._appended == 0:
            raise ConfigError("a file holds at least one picture; none was appended")
        self._container.finish()
        self.summary = Summary(
            self._appended,
            self._appended * self.format.raw_bytes,
            self._container.bytes_written,
            time.perf_counter() - self._started,
        )

    def __enter__(self) -> Self:
        self._refuse_unless_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._resources:
            # an exception, ours or the caller's, reaches whole_file, which then leaves nothing behind
            self._resources.push(lambda *failure: self._work.cancel())
            try:
                if error is not None:
                    raise error
                self._refuse_unless_open()
                self._finish()
            finally:
                self._state = "closed"


def _picture_format(size: object, mode: str, bit_depth: int) -> PictureFormat:
    """The format of a size, a mode and a depth, none of which is checked yet."""
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ConfigError(f"size is (width, height) in samples, not {size!r}")
    return PictureFormat(size[0], size[1], SampleFormat.of(mode), bit_depth=bit_depth)


def _refuse_archive_unless_exact(settings: Settings) -> None:
    is_exact = settings.residual_coder is ResidualCoder.FLOAT16 or settings.residual_coder is ResidualCoder.LOSSLESS
    changes_alpha = settings.alpha_error or settings.alpha == "clear" or settings.background is not None
    if not is_exact or settings.max_error or changes_alpha:
        raise ConfigError(
            "archive is for lossless and float16, without max_error, alpha_error, background or alpha clear"
        )


def _archived(archivist: Archivist) -> str:
    """What to say of files that were kept so that they can be given back."""
    if not archivist.files:
        return "no archive, as there are no files"
    what = f"{archivist.restorable} of {archivist.files} files can be given back byte for byte"
    is_all = archivist.restorable == archivist.files
    return what if is_all else f"{what}; of the others a hash is kept, and the samples"


def _refuse_float_unless_exact(settings: Settings) -> None:
    coder = settings.residual_coder
    wrong = {
        f"residual {coder.label}": coder is not ResidualCoder.LOSSLESS,
        "alpha clear": settings.alpha == "clear",
        **{name: getattr(settings, name) for name in ("max_error", "alpha_error", "background")},
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise ConfigError(f"{name} is not for floating point, which lossless keeps exactly")


def _described(picture_format: PictureFormat, colour: Mapping[str, str | int]) -> PictureFormat:
    """The format with what a caller says of its colour."""
    if "matrix" in colour and picture_format.sample_format.plane_names != ("Y", "U", "V"):
        raise ConfigError(f"matrix is for Y'CbCr pictures; these are {picture_format.sample_format.label}")
    return replace(picture_format, colour=picture_format.colour.described(colour))


def _file_format(pictures: PictureSource, settings: Settings) -> PictureFormat:
    """The format of a file of these pictures, whose alpha may be left out; a note says what else becomes of it.

    Raises:
        MediaError: the source knows of pixels that are not opaque, and there is neither alpha nor a background.
    """
    if not pictures.format.sample_format.has_alpha:
        return pictures.format
    if settings.keeps_alpha:
        if settings.alpha == "clear":
            pictures.note(f"{pictures.label}: the colour of pixels that are fully transparent is left out")
        if settings.alpha_error:
            pictures.note(f"{pictures.label}: alpha is off by up to {settings.alpha_error}")
        return pictures.format
    if settings.background is not None:
        pictures.note(f"{pictures.label}: pixels that are not opaque are laid over {settings.background}")
    elif pictures.transparent is not None:
        refuse_alpha(pictures.transparent)
    return pictures.format.opaque()


def _searched(
    pictures: PictureSource,
    picture_format: PictureFormat,
    settings: Settings,
    path: OutputFile,
    write: EncodesAt,
    with_durations: bool,
    force: bool,
) -> Summary:
    """Encode until the file is as the target of the settings asks, and write that file."""
    from codec.targets import encode_to_target

    started = time.perf_counter()
    header = sequence_header(picture_format, pictures.rate, settings)  # refuses now what no QP will make right
    background = settings.background_colour

    def as_compared(picture: Picture) -> Picture:
        picture = with_alpha_of(picture, picture_format, background, pictures.label)
        clears = settings.alpha == "clear" and picture_format.sample_format.has_alpha
        return cleared(picture) if clears else picture  # who clears it does not mind how it comes back

    def seconds_of(picture: Picture) -> Fraction:
        return 1 / pictures.rate if picture.duration is None or not with_durations else picture.duration

    if is_stream(path):
        file: AbstractContextManager[IO[bytes]] = given_stream(path)
        folder = None
    else:
        refuse_other_suffix(path)
        file, folder = whole_file(path, force=force), Path(path).parent
    with file as output:
        summary, found, note = encode_to_target(
            pictures, settings, header.lowest_qp, write, as_compared, seconds_of, output, folder
        )
    if note:
        pictures.note(f"{pictures.label}: {note}")
    return replace(summary, seconds=time.perf_counter() - started, found=found)


def encode(
    source: SourceSpec,
    path: OutputFile,
    settings: Settings | None = None,
    *,
    rate: Fraction | float | str | None = None,
    metadata: dict[str, str] | None = None,
    colour: Mapping[str, str | int] | None = None,
    attachments: bool = True,
    archive: bool = False,
    progress: Callable[[Progress], None] | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    force: bool = False,
) -> Summary:
    """Encode a sequence of pictures into one ``.mvz`` file.

    Args:
        source: a folder, glob, printf pattern, list of files, animation, film, Y4M, .npy or .mvz file, ``-`` (Y4M on
            stdin), a uint8, uint16 or float16 array (T, H, W[, 1]) or (T, H, W, 3), with alpha (T, H, W, 2) or
            (T, H, W, 4), a `Video`, or a list or iterator of arrays of one picture, `Picture` or Pillow images.
        path: the file to make, or a binary stream.
        settings: how to encode; lossless with block motion if not given.
        rate: pictures per second, instead of the source's own and of durations; as `Writer` takes it.
        metadata: free keys and values to keep in the file.
        colour: ``matrix``, ``primaries``, ``transfer``, ``range`` of the pictures, where their source cannot say: names
            such as ``bt2020`` and ``pq``, or numbers of H.273.
        attachments: whether to keep what came with the pictures beside their samples, such as colour profiles.
        archive: whether to keep what gives back the files of pictures byte for byte, where that is known for their
            format, and of others a hash; for exact coders.
        progress: called after every picture read; where settings have a target, from the first on for each encode.
        executor: codes GOPs there, in parallel; the bytes are the same as without.
        workers: how many GOPs it codes at once, where it is not a pool that tells.
        force: replace a file that exists.

    Raises:
        MediaError: the source cannot be read, or the file exists or cannot be written.
        ConfigError: an argument makes no sense, or the file to make is one of the source's.
    """
    from codec.picture.sources import open_source

    if progress is not None and not callable(progress):
        raise ConfigError(f"progress is a function that takes a Progress, not {type(progress).__name__}")
    if not is_stream(path):
        path = file_name(path, FILE_TO_MAKE)
    expect_type(settings, (Settings, NoneType), "settings are codec.Settings")
    expect_type(colour, (Mapping, NoneType), "colour is a dict such as {'matrix': 'bt709'}")
    settings = settings or Settings()
    with open_source(source, rate=None if rate is None else picture_rate(rate)) as pictures:
        if not is_stream(path):
            refuse_overwrite(path, force, pictures.files)
        archivist = None
        if archive:
            _refuse_archive_unless_exact(settings)
            archivist = Archivist()
        picture_format = _described(_file_format(pictures, settings), colour or {})

        def write(taken: Iterable[Picture], count: int | None, used: Settings, file: OutputFile) -> Summary:
            with Writer(
                file,
                settings=used,
                rate=pictures.rate,
                format=picture_format,
                metadata=metadata,
                executor=executor,
                workers=workers,
                force=force,
            ) as out:
                for number, picture in enumerate(archivist.archived(pictures, taken) if archivist else taken, 1):
                    if rate is not None:  # which is asked for instead of what the source says
                        picture = replace(picture, duration=None)
                    out.append(picture if attachments else replace(picture, attachments={}))
                    if progress is not None:
                        progress(Progress(number, count, out.bytes_written))
            assert out.summary is not None
            return out.summary

        if settings.target is None:
            summary = write(pictures, pictures.count, settings, path)
        else:
            summary = _searched(pictures, picture_format, settings, path, write, rate is None, force)
        if archivist:
            pictures.note(f"{pictures.label}: {_archived(archivist)}")
        return replace(summary, source_file_bytes=pictures.file_bytes, notes=tuple(pictures.notes))
