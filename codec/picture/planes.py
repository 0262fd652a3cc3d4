"""What a picture is: one to four planes of samples of 8…16 bits, and the format that they share."""

from __future__ import annotations

import enum
import functools
import operator
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import NoneType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from codec.arguments import expect_type
from codec.errors import ConfigError

__all__ = [
    *(
        "ChromaSiting",
        "Colour",
        "ColourMatrix",
        "ColourPrimaries",
        "ColourRange",
        "ColourTransfer",
        "Picture",
        "PictureFormat",
        "Plane",
        "SampleFormat",
        "SampleFormatName",
    ),
    *(
        "MAX_BIT_DEPTH",
        "MIN_BIT_DEPTH",
        "Numbers",
        "Samples",
        "Subsampling",
        "format_of_channels",
        "of_ordered",
        "ordered",
    ),
    "sample_type",
]

Samples = np.uint8 | np.uint16
Numbers = np.uint8 | np.uint16 | np.float16  # of arrays of pictures
Plane = npt.NDArray[Any]  # of `Samples`, (rows, columns)

MIN_BIT_DEPTH, MAX_BIT_DEPTH = 8, 16
ONE = 0xBC00  # the place of 1 among binary16 numbers


def sample_type(bit_depth: int) -> type[Samples]:
    """What planes of samples of so many bits are made of."""
    return np.uint8 if bit_depth == 8 else np.uint16


class Subsampling(NamedTuple):
    """How many luma samples share one sample of a plane, as powers of two (0 or 1), down and across."""

    log2_y: int
    log2_x: int


SampleFormatName = Literal["gray", "rgb", "yuv420", "yuv422", "yuv444", "gray_alpha", "rgba"]


class SampleFormat(enum.IntEnum):
    """Which planes a picture has (spec 5.2); the value is the code in the file."""

    GRAY = 0
    RGB = 1
    YUV420 = 2
    YUV422 = 3
    YUV444 = 4
    GRAY_ALPHA = 5
    RGBA = 6

    @classmethod
    def of(cls, value: object) -> SampleFormat:
        """The member that a label or a code means.

        Raises:
            ConfigError: none.
        """
        for member in cls:
            if isinstance(value, str | int) and value in (member, member.label):
                return member
        raise ConfigError(f"the planes of a picture are {', '.join(member.label for member in cls)}, not {value!r}")

    @property
    def label(self) -> str:
        """The name that people write, such as ``gray``, ``rgba`` or ``yuv420``."""
        return self.name.lower()

    @property
    def has_alpha(self) -> bool:
        """Whether the last plane says how opaque each pixel is, from 0 to the largest sample."""
        return self in _OPAQUE_FORMATS

    @property
    def opaque(self) -> SampleFormat:
        """The same planes without alpha."""
        return _OPAQUE_FORMATS.get(self, self)

    @property
    def is_gray(self) -> bool:
        """Whether there is one plane, or one and alpha."""
        return self.opaque is SampleFormat.GRAY

    @property
    def is_rgb(self) -> bool:
        """Whether the first planes are red, green and blue."""
        return self.opaque is SampleFormat.RGB

    def with_alpha(self) -> SampleFormat:
        """The same planes and alpha.

        Raises:
            ConfigError: of Y'CbCr there is no format with alpha.
        """
        for member, opaque in _OPAQUE_FORMATS.items():
            if self.opaque is opaque:
                return member
        raise ConfigError(f"pictures of {self.label} have no alpha; those of gray and rgb may")

    @property
    def plane_names(self) -> tuple[str, ...]:
        """One letter a plane, in the order of the planes."""
        colours = {SampleFormat.GRAY: ("Y",), SampleFormat.RGB: ("R", "G", "B")}.get(self.opaque, ("Y", "U", "V"))
        return (*colours, "A") if self.has_alpha else colours

    @property
    def subsampling(self) -> tuple[Subsampling, ...]:
        """Subsampling of each plane against the first."""
        chroma = {SampleFormat.YUV420: Subsampling(1, 1), SampleFormat.YUV422: Subsampling(0, 1)}
        full = Subsampling(0, 0)
        return (full, *(chroma.get(self, full) for _ in self.plane_names[1:]))


_OPAQUE_FORMATS = {SampleFormat.GRAY_ALPHA: SampleFormat.GRAY, SampleFormat.RGBA: SampleFormat.RGB}
_PILLOW_MODES = frozenset(("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L"))  # of samples that are as they look
_FORMAT_OF_CHANNELS = {1: SampleFormat.GRAY, 2: SampleFormat.GRAY_ALPHA, 3: SampleFormat.RGB, 4: SampleFormat.RGBA}


class ColourMatrix(enum.IntEnum):
    """How Y'CbCr was made from R'G'B' (spec 5.2), as H.273 counts them."""

    BT709 = 1
    UNSPECIFIED = 2
    FCC = 4
    BT470BG = 5  # has the numbers of BT601
    BT601 = 6
    SMPTE240M = 7
    BT2020 = 9


class ColourPrimaries(enum.IntEnum):
    """Which red, green, blue and white are meant (spec 5.2), as H.273 counts them."""

    BT709 = 1
    UNSPECIFIED = 2
    BT470M = 4
    BT470BG = 5
    BT601 = 6
    SMPTE240M = 7
    FILM = 8
    BT2020 = 9
    XYZ = 10
    DCI_P3 = 11
    DISPLAY_P3 = 12
    EBU3213 = 22


class ColourTransfer(enum.IntEnum):
    """How samples follow from light (spec 5.2), as H.273 counts them."""

    BT709 = 1
    UNSPECIFIED = 2
    GAMMA22 = 4
    GAMMA28 = 5
    BT601 = 6
    SMPTE240M = 7
    LINEAR = 8
    LOG100 = 9
    LOG316 = 10
    XVYCC = 11
    BT1361 = 12
    SRGB = 13
    BT2020_10 = 14
    BT2020_12 = 15
    PQ = 16
    SMPTE428 = 17
    HLG = 18


class ColourRange(enum.IntEnum):
    """Whether samples use 16…235 (limited) or 0…255 (full), or with more bits what begins so (spec 5.2)."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


class ChromaSiting(enum.IntEnum):
    """Where chroma samples of 4:2:0 lie: what Y4M calls 420jpeg, 420mpeg2 and 420paldv (spec 5.2)."""

    UNSPECIFIED = 0
    CENTRE = 1
    LEFT = 2
    PALDV = 3


@dataclass(frozen=True)
class Colour:
    """What a player needs to show the samples; decoding never looks at it."""

    matrix: ColourMatrix = ColourMatrix.UNSPECIFIED
    range: ColourRange = ColourRange.UNSPECIFIED
    siting: ChromaSiting = ChromaSiting.UNSPECIFIED
    primaries: ColourPrimaries = ColourPrimaries.UNSPECIFIED
    transfer: ColourTransfer = ColourTransfer.UNSPECIFIED

    def described(self, said: Mapping[str, object]) -> Colour:
        """With other matrix, primaries, transfer or range: by name, such as ``bt2020``, or by the number of H.273.

        Raises:
            ConfigError: there is none of that name or number.
        """
        codes: dict[str, Any] = {}
        for name, value in said.items():
            kind = _KINDS.get(name)
            if kind is None:
                raise ConfigError(f"colour has {', '.join(_KINDS)}, not {name!r}")
            codes_of = {member.name.lower(): member for member in kind}
            if kind is not ColourRange:  # which H.273 counts in another way
                codes_of |= {str(member.value): member for member in kind}
            if (code := codes_of.get(str(value).lower())) is None:
                known = ", ".join(member.name.lower() for member in kind)
                raise ConfigError(f"{name} is one of {known}, not {value!r}")
            codes[name] = code
        return replace(self, **codes)

    def __str__(self) -> str:
        """What is specified, such as ``bt2020 matrix, limited range``."""
        codes = {name: getattr(self, name).name.lower() for name in _KINDS}
        return ", ".join(f"{code} {name}" for name, code in codes.items() if code != "unspecified")


_KINDS: dict[str, type[enum.IntEnum]] = {
    "matrix": ColourMatrix,
    "primaries": ColourPrimaries,
    "transfer": ColourTransfer,
    "range": ColourRange,
}


@dataclass(frozen=True)
class PictureFormat:
    """What all pictures of a sequence share: size in luma samples, planes, colour, bits a sample.

    ``is_float`` says that samples of 16 bits are places of binary16 numbers, as `ordered` has them.
    """

    width: int
    height: int
    sample_format: SampleFormat
    colour: Colour = field(default_factory=Colour)
    bit_depth: int = 8
    is_float: bool = False

    def __post_init__(self) -> None:
        for name, unit in (("width", "samples"), ("height", "samples"), ("bit_depth", "bits")):
            try:
                object.__setattr__(self, name, operator.index(getattr(self, name)))
            except TypeError as error:
                raise ConfigError(f"{name} is a whole number of {unit}, not {getattr(self, name)!r}") from error
        object.__setattr__(self, "sample_format", SampleFormat.of(self.sample_format))
        expect_type(self.colour, Colour, "colour is a Colour")
        if self.width < 1 or self.height < 1:
            raise ConfigError(f"a picture is at least 1×1, not {self.width}×{self.height}")
        if not MIN_BIT_DEPTH <= self.bit_depth <= MAX_BIT_DEPTH:
            raise ConfigError(f"samples have {MIN_BIT_DEPTH}…{MAX_BIT_DEPTH} bits, not {self.bit_depth}")
        if self.is_float and (self.bit_depth != 16 or self.sample_format.plane_names[1:2] == ("U",)):
            raise ConfigError("floating point has 16 bits, and is gray or RGB")

    @property
    def dtype(self) -> np.dtype[Samples]:
        """What planes are made of: uint8, or uint16 where a sample has more than 8 bits."""
        return np.dtype(sample_type(self.bit_depth))

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """What arrays of such pictures are made of: as planes, but float16 of floating point."""
        return np.dtype(np.float16) if self.is_float else self.dtype

    @property
    def peak(self) -> int:
        """The largest sample."""
        return (1 << self.bit_depth) - 1

    @property
    def opaque_alpha(self) -> int:
        """The sample of alpha that lets nothing through: the largest, or of floating point that of 1."""
        return ONE if self.is_float else self.peak

    @functools.cached_property
    def plane_shapes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of each plane; a subsampled plane of an odd side is rounded up."""
        return tuple(
            ((self.height + sub.log2_y) >> sub.log2_y, (self.width + sub.log2_x) >> sub.log2_x)
            for sub in self.sample_format.subsampling
        )

    @property
    def array_shape(self) -> tuple[int, ...]:
        """The shape of a picture as people look at it: (H, W) for gray, (H, W, 3) otherwise, with alpha 2 or 4."""
        channels = len(self.sample_format.plane_names)
        return (self.height, self.width) if channels == 1 else (self.height, self.width, channels)

    @property
    def sample_count(self) -> int:
        """Samples in one picture, all planes."""
        return sum(rows * columns for rows, columns in self.plane_shapes)

    @property
    def raw_bytes(self) -> int:
        """Bytes of one picture's samples: one each, or two where they have more than 8 bits."""
        return self.sample_count * self.dtype.itemsize

    def with_depth(self, bit_depth: int) -> PictureFormat:
        """The same with so many bits a sample, which are no floating point if they are others."""
        return self if bit_depth == self.bit_depth else replace(self, bit_depth=bit_depth, is_float=False)

    def opaque(self) -> PictureFormat:
        """The same without alpha."""
        return replace(self, sample_format=self.sample_format.opaque)

    def as_yuv(self, sample_format: SampleFormat) -> PictureFormat:
        """What RGB of this size becomes: Y'CbCr by BT.601 with full range."""
        colour = replace(self.colour, matrix=ColourMatrix.BT601, range=ColourRange.FULL)
        return PictureFormat(self.width, self.height, sample_format, colour, self.bit_depth)

    def __str__(self) -> str:
        depth = "" if self.bit_depth == 8 else " float16" if self.is_float else f" {self.bit_depth} bit"
        return f"{self.width}×{self.height} {self.sample_format.label}{depth}"


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture: planes of ``format.dtype``, each (rows, columns), C-contiguous, as ``format.plane_shapes`` says.

    ``duration`` is how many seconds it is shown; None is as long as the rate says.
    ``attachments`` are other things that came with it, by the keys of spec 5.8, such as ``icc`` or ``text:Title``.
    """

    format: PictureFormat
    planes: tuple[Plane, ...]
    name: str | None = None
    duration: Fraction | None = None
    attachments: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expect_type(self.format, PictureFormat, "a picture's format is a PictureFormat")
        expect_type(self.planes, tuple, "a picture's planes are a tuple of arrays")
        expect_type(self.name, (str, NoneType), "a picture's name is text or None")
        expect_type(self.duration, (Fraction, NoneType), "a picture's duration is a Fraction of seconds or None")
        expect_type(self.attachments, Mapping, "a picture's attachments are a dict of text to bytes")
        for plane in self.planes:
            expect_type(plane, np.ndarray, "a plane is an array (rows, columns)")
        shapes = tuple(plane.shape for plane in self.planes)
        if shapes != self.format.plane_shapes:
            raise ConfigError(f"planes of {self.format} have shapes {self.format.plane_shapes}, not {shapes}")
        dtype, depth = self.format.dtype, self.format.bit_depth
        if any(plane.dtype != dtype for plane in self.planes):
            raise ConfigError(f"samples of {depth} bits are {dtype}, not {[str(plane.dtype) for plane in self.planes]}")
        if depth % 8 and (largest := max(int(plane.max()) for plane in self.planes)) > self.format.peak:
            raise ConfigError(f"samples of {depth} bits are 0…{self.format.peak}; one is {largest}")
        object.__setattr__(self, "planes", tuple(np.ascontiguousarray(plane) for plane in self.planes))

    @classmethod
    def from_array(cls, samples: npt.ArrayLike, name: str | None = None, bit_depth: int | None = None) -> Picture:
        """A picture of samples: (H, W) or (H, W, 1) gray, (H, W, 3) RGB; (H, W, 2) and (H, W, 4) have alpha.

        They are uint8, of 8 bits if ``bit_depth`` is not told, uint16, of 16, bool, which is 0 and 1 of 8 bits, or
        float16.
        What is no array may be a Pillow picture of mode L, LA, RGB, RGBA or I;16, a memoryview, or lists of whole
        numbers 0…255.

        Raises:
            ConfigError: another shape, dtype or mode, or a sample of more bits.
        """
        if not isinstance(samples, np.ndarray):
            samples = _as_array(samples)
        is_float = samples.dtype.newbyteorder("=") == np.float16
        if is_float:
            samples = ordered(samples)
        if samples.dtype.kind == "u":
            samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
        elif samples.dtype == np.bool_:
            samples = samples.view(np.uint8)
        sample_format = SampleFormat.GRAY if samples.ndim == 2 else format_of_channels(samples.shape[2:])
        if samples.dtype not in (np.uint8, np.uint16) or sample_format is None:
            raise ConfigError(
                f"a picture is uint8, uint16 or float16 (H, W) or (H, W, 3), with alpha (H, W, 2) or (H, W, 4), "
                f"not {samples.dtype} {samples.shape}"
            )
        height, width = samples.shape[:2]
        planes = (samples,) if samples.ndim == 2 else tuple(np.moveaxis(samples, 2, 0))
        bit_depth = 8 * samples.itemsize if bit_depth is None else bit_depth
        picture_format = PictureFormat(width, height, sample_format, bit_depth=bit_depth, is_float=is_float)
        return cls(picture_format, planes, name)

    def crc32(self) -> int:
        """CRC-32 of all samples, u8 or u16: planes in order, rows from the top, samples from the left (spec 5.4)."""
        planes = self.planes
        if sys.byteorder == "big":
            planes = tuple(plane.byteswap() for plane in planes)
        return functools.reduce(lambda checksum, plane: zlib.crc32(plane.data, checksum), planes, 0)

    def copy(self) -> Picture:
        """A copy of this picture, whose samples and attachments nobody else has."""
        return replace(self, planes=tuple(plane.copy() for plane in self.planes), attachments=dict(self.attachments))

    def same_samples(self, other: Picture) -> bool:
        """Whether both have equal planes, sample by sample."""
        return len(self.planes) == len(other.planes) and all(map(np.array_equal, self.planes, other.planes))


def ordered(numbers: npt.NDArray[np.float16]) -> npt.NDArray[np.uint16]:
    """The place of each binary16 number among all, from the NaN with sign −1 to that with sign 1 (spec 5.2)."""
    bits = numbers.view(np.dtype(np.uint16).newbyteorder(numbers.dtype.byteorder)).astype(np.uint16)
    return bits ^ np.where(bits >> 15, np.uint16(0xFFFF), np.uint16(0x8000))


def of_ordered(places: npt.NDArray[np.uint16]) -> npt.NDArray[np.float16]:
    """The inverse of `ordered`, bit for bit."""
    return (places ^ np.where(places >> 15, np.uint16(0x8000), np.uint16(0xFFFF))).view(np.float16)


def format_of_channels(shape: tuple[int, ...]) -> SampleFormat | None:
    """The planes of samples with such a shape behind rows and columns; None where no picture has that."""
    return _FORMAT_OF_CHANNELS.get(shape[0]) if len(shape) == 1 else None


def _as_array(samples: object) -> npt.NDArray[Any]:
    """Samples that are no array yet, as one; `ConfigError` where there are none, or they would change their meaning."""
    mode = getattr(samples, "mode", None)
    if isinstance(mode, str) and mode not in _PILLOW_MODES:  # a palette's indices look like gray
        raise ConfigError(f"a picture of mode {mode}; one of L, LA, RGB or RGBA is needed, as .convert('RGBA') makes")
    try:
        array = np.asarray(samples)
    except Exception as error:  # a foreign class may raise any kind of error here
        found = f"{type(samples).__name__}: {error}"
        raise ConfigError(f"a picture is uint8 or uint16 (H, W) or (H, W, 3); {found}") from error
    is_list = isinstance(samples, list | tuple) and array.size and array.dtype.kind in "iu"
    return array.astype(np.uint8) if is_list and array.min() >= 0 and array.max() <= 255 else array
