"""What an encoder may be asked for. Every field is checked once, here."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple, cast, get_args

from codec.arguments import bit_rate, byte_size
from codec.errors import ConfigError
from codec.models import MotionModel, ResidualCoder, Speed

__all__ = ["QUALITIES", "MotionModel", "ResidualCoder", "Settings", "Target", "parse_background"]


ResidualName = Literal["lossless", "int8", "uint8", "float16", "dct"]
MotionName = Literal["none", "block", "mesh"]
SpeedName = Literal["slow", "medium", "fast"]
Chroma = Literal["420", "444"]
Alpha = Literal["keep", "clear", "drop"]
Quality = Literal["low", "medium", "high", "visually-lossless"]
TargetName = Literal["target_size", "bitrate", "target_psnr", "target_max_error"]

MINI_GOPS = (1, 2, 4, 8, 16)
BLOCK_SIZES, CHROMAS, ALPHAS = (4, 8, 16, 32), get_args(Chroma), get_args(Alpha)
# What pictures share Huffman tables: 8 save 1.5…4 % at 352×288, 0.1 % at 1080p, 2 % of an animation; at 176×144
# 32 save another 0.8…2.2 %
LOSSLESS_RUN, LOSSLESS_SAMPLES = 8, 8 * 352 * 288 * 3 // 2
DEFAULT_QP, DEFAULT_BLOCK, DEFAULT_SEARCH = 28, 16, 32
MOST_SEARCHED = 128  # unless that is asked for
QUALITIES: dict[Quality, int] = {"low": 38, "medium": 32, "high": 26, "visually-lossless": 18}  # QPs
TARGETS: tuple[TargetName, ...] = get_args(TargetName)
QP_RANGE = (-24, 51)  # of 8 bits from 0 on
PSNR_RANGE = (1, 120)  # dB; what one sample of a long 16-bit sequence, off by one, comes to is not asked for

_COLOURS = {"black": "#000000", "gray": "#808080", "grey": "#808080", "white": "#ffffff"}
Background = tuple[int, int, int]  # red, green, blue, each 0…255

_RANGES = {
    "step": (1, 65280),  # sample values; 255 times what the 8 highest bits count
    "max_error": (0, 32767),  # sample values; less than half of all that a sample has
    "alpha_error": (0, 32767),
    "gop": (1, 1024),  # pictures; what one seek may have to decode
    "target_max_error": (1, 32767),  # sample values; of 0 lossless takes less
    "search": (0, 256),  # full pel; vectors up to here plus half a cell fit int16 quarter-pel with a wide margin
    "run": (1, 1024),
    "qp": QP_RANGE,
    "target_psnr": PSNR_RANGE,
}
_FRACTIONS = {"qp": "a number", "target_psnr": "decibels"}  # what else is a whole number
_CHOICES = {"residual": ResidualCoder, "motion": MotionModel, "speed": Speed}


class Target(NamedTuple):
    """What a file shall have: bytes, bits a second, dB of PSNR, or the largest error of a sample."""

    name: TargetName
    value: float


@dataclass(frozen=True)
class Settings:
    """How to encode. Strings are accepted for ``residual``, ``motion`` and ``speed``.

    None leaves a choice to the encoder. What is given must have an effect beside the other settings, or is refused.

    Attributes:
        residual: ``lossless``, ``int8``, ``uint8``, ``float16`` or ``dct``.
            None takes ``dct`` where ``qp`` is given, ``int8`` where ``step`` is, and otherwise ``lossless``.
        motion: ``none``, ``block`` or ``mesh``.
        step: quantiser step in sample values, 1…255, of 16 bits 1…65280, for ``int8`` and ``uint8``;
            None takes the smallest scale per plane and picture at which nothing saturates.
        qp: quantiser of ``dct``, 0…51: six more double the step, and halve the file or nearly so. A step is the same
            share of the range of samples, whatever their bits: of 9…12 bits and more it may be finer, from −6, −12,
            −18, −24 on. A fraction, such as 28.3, takes the step of the next whole number, and is in what bits may
            cost. None takes 28.
        chroma: ``420`` or ``444``: how ``dct`` codes the chroma of RGB pictures. None takes ``420``.
        max_error: how far ``lossless`` may be off in any sample but alpha, 0…127, of 16 bits 0…32767; more than 0
            makes smaller files. None takes 0.
        alpha_error: how far ``lossless`` and ``dct`` may be off in any sample of alpha, 0…127, of 16 bits 0…32767; what
            is fully transparent or opaque stays so. None takes 0.
        gop: pictures from one I picture to the next, 1…1024.
        block: side of a block or mesh cell in luma samples: 4, 8, 16 or 32; not for ``dct``. None takes 16.
        search: largest displacement tried, in full luma samples each way, 0…256.
            None takes 32, and for ``dct`` about a sixteenth of the width, 32…128.
        run: pictures that share one packet's streams, at least 1; a run never crosses a GOP.
            None takes 1, for ``lossless`` 8, and for ``dct`` the whole GOP.
        reorder: how many pictures of ``dct`` are coded in another order than they are shown in, all but one of them as
            B pictures: 1, 2, 4, 8 or 16. 1 codes pictures in the order in which they come, for low delay.
            None takes 8, but 1 for a GOP that would not gain, and for pictures with alpha.
        speed: ``slow``, ``medium`` or ``fast``: how thoroughly the encoder searches. None takes ``medium``.
        scene_cut: whether a picture that has little to do with the one before starts a GOP. None takes True.
        alpha: what becomes of alpha that is not 255 everywhere. ``keep`` keeps every sample, also the colour of
            transparent pixels; ``clear`` makes that colour 0, which takes less; ``drop`` keeps no alpha: pixels that
            are not opaque are laid over ``background``, and refused without one.
            None takes ``drop`` where ``background`` is given, otherwise ``keep``.
        background: the colour that pictures with alpha are laid over: ``black``, ``gray``, ``white``, ``#rgb`` or
            ``#rrggbb``.
        quality: ``low``, ``medium``, ``high`` or ``visually-lossless``: a QP of ``dct``, 38, 32, 26 or 18.
        target_size: the size of the whole file in bytes, or text such as ``2MB``, ``500kB`` or ``2MiB``; it becomes at
            most that, and at most 1 % less. This and the next three are met by `codec.encode`, which then looks for the
            QP of ``dct`` by encoding more than once. Only one of them is given, and none beside ``qp`` or ``quality``.
        bitrate: ``target_size``, as bits a second, or text such as ``1.5Mbit`` or ``800k``.
        target_psnr: PSNR over all samples of the source in dB, 1…120; it becomes at least that, and at most 0.1 more.
            Alpha counts, and colours that ``alpha="clear"`` leaves out do not.
        target_max_error: how far any sample of ``dct`` may be off, 1…32767: the largest whole QP that keeps to it.

    Raises:
        ConfigError: a value out of its range, or one that would have no effect; the message starts with its name.
    """

    residual: ResidualCoder | ResidualName | None = None
    motion: MotionModel | MotionName = MotionModel.BLOCK
    step: int | None = None
    qp: float | None = None
    chroma: Chroma | None = None
    max_error: int | None = None
    alpha_error: int | None = None
    gop: int = 32
    block: int | None = None
    search: int | None = None
    run: int | None = None
    reorder: int | None = None
    speed: Speed | SpeedName | None = None
    scene_cut: bool | None = None
    alpha: Alpha | None = None
    background: str | None = None
    quality: Quality | None = None
    target_size: int | str | None = None
    bitrate: int | str | None = None
    target_psnr: float | None = None
    target_max_error: int | None = None

    def __post_init__(self) -> None:
        if self.residual is None:
            meant = "dct" if self._dials_of_dct() else "int8" if self.step is not None else "lossless"
            object.__setattr__(self, "residual", meant)
        for name, parse in (("target_size", byte_size), ("bitrate", bit_rate)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, parse(name, value))
        for name, kind in _CHOICES.items():
            if (value := getattr(self, name)) is not None or name == "motion":
                object.__setattr__(self, name, _choice(kind, name, value))
        for name, (low, high) in _RANGES.items():
            if (value := getattr(self, name)) is None and name != "gop":
                continue
            numbers = int | float if name in _FRACTIONS else int
            # no comparison holds of what is not a number
            if not isinstance(value, numbers) or isinstance(value, bool) or not low <= value <= high:
                what = _FRACTIONS.get(name, "a whole number")
                raise ConfigError(f"{name} is {what} from {low} to {high}, not {value!r}")
        choices_of = {
            "block": BLOCK_SIZES,
            "reorder": MINI_GOPS,
            "chroma": CHROMAS,
            "scene_cut": (False, True),
            "alpha": ALPHAS,
            "quality": tuple(QUALITIES),
        }
        for name, choices in choices_of.items():
            value = getattr(self, name)
            if value is not None and (type(value) is not type(choices[0]) or value not in choices):
                raise ConfigError(f"{name} is one of {', '.join(map(str, choices))}, not {value!r}")
        if self.background is not None:
            parse_background(self.background)
        for name, why in self._idle():
            if getattr(self, name) is not None:
                raise ConfigError(f"{name} {why}")

    def __repr__(self) -> str:
        """What is given or meant, without what is left to the encoder: messages quote it."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in given.items() if value is not None)})"

    def _dials_of_dct(self) -> list[str]:
        """What is given of that which says how coarse ``dct`` is."""
        return [name for name in ("qp", "quality", *TARGETS) if getattr(self, name) is not None]

    def _idle(self) -> Iterator[tuple[str, str]]:
        """Settings that change nothing beside the others, and why; `test_dials` holds that they are these."""
        coder = self.residual_coder
        if not coder.has_step:
            yield "step", f"is for int8 and uint8, not {coder.label}"
        if coder is not ResidualCoder.DCT:
            for name in ("qp", "chroma", "reorder", "quality", "target_size", "bitrate", "target_psnr"):
                yield name, f"is for dct, not {coder.label}"
            instead = "; step" if coder.has_step else "; max_error" if coder is ResidualCoder.LOSSLESS else ""
            bound = f"{instead} bounds its error without a search" if instead else ""
            yield "target_max_error", f"is for dct, not {coder.label}{bound}"
        else:
            for name in self._dials_of_dct()[1:]:
                yield name, f"has no effect with {self._dials_of_dct()[0]}"
            yield "block", "is not for dct, which chooses the sizes of its blocks"
        if not self.keeps_alpha:
            yield "alpha_error", "has no effect where alpha is not kept"
        if coder not in (ResidualCoder.LOSSLESS, ResidualCoder.DCT):  # which would gain 0.2 % by it
            yield "alpha_error", f"is for lossless and dct, not {coder.label}"
        if self.alpha in ("keep", "clear"):
            yield "background", f"has no effect with alpha {self.alpha}"
        if coder is not ResidualCoder.LOSSLESS:
            yield "max_error", f"is for lossless, not {coder.label}"
        why = "has no effect with gop 1, where every picture is an I picture" if self.gop == 1 else ""
        if self.gop == 1:
            yield "run", why
            yield "reorder", why
            yield "scene_cut", why
            if self.motion_model is MotionModel.MESH:
                yield "motion", f"mesh {why}"
        elif self.motion_model is MotionModel.NONE:
            why = "has no effect with motion none"
        if why:
            yield "block", why
            yield "search", why
            if coder not in (ResidualCoder.LOSSLESS, ResidualCoder.DCT):
                yield "speed", why

    @property
    def residual_coder(self) -> ResidualCoder:
        """``residual`` as the enumeration that it is after construction."""
        return cast(ResidualCoder, self.residual)

    @property
    def motion_model(self) -> MotionModel:
        """``motion`` as the enumeration that it is after construction."""
        return cast(MotionModel, self.motion)

    @property
    def background_colour(self) -> Background | None:
        """``background`` as samples."""
        return None if self.background is None else parse_background(self.background)

    @property
    def keeps_alpha(self) -> bool:
        """Whether alpha is coded, where pictures have it."""
        if self.alpha is None:
            return self.background is None
        return self.alpha != "drop"

    @property
    def speed_preset(self) -> Speed:
        """``speed`` as an enumeration, or its default."""
        return Speed.MEDIUM if self.speed is None else cast(Speed, self.speed)

    @property
    def dialled_qp(self) -> float:
        """``qp``, or that of ``quality``, or the default: pictures of a GOP have QPs around it."""
        if self.quality is not None:
            return QUALITIES[self.quality]
        return DEFAULT_QP if self.qp is None else self.qp

    @property
    def target(self) -> Target | None:
        """What the file shall have, if that is asked for: only a search finds it."""
        values = {name: getattr(self, name) for name in TARGETS}
        return next((Target(name, value) for name, value in values.items() if value is not None), None)

    def at_qp(self, qp: float) -> Settings:
        """These settings with a QP instead of a target."""
        return replace(self, target_size=None, bitrate=None, target_psnr=None, target_max_error=None, qp=qp)

    @property
    def cell_size(self) -> int:
        """``block`` or its default, in luma samples."""
        return DEFAULT_BLOCK if self.block is None else self.block

    def search_range(self, width: int) -> int:
        """``search`` or its default for pictures so wide, in full luma samples."""
        if self.search is not None:
            return self.search
        if self.residual_coder is not ResidualCoder.DCT:
            return DEFAULT_SEARCH
        # a reference may be eight pictures away: B pictures of 1920×1080 take 14 % less with 128 than with 32
        return min(1 << max(round(math.log2(width / 16)), 5), MOST_SEARCHED)

    def run_length(self, samples: int) -> int:
        """``run`` or its default for pictures of so many samples, in pictures that share a packet."""
        if self.run is not None:
            return self.run
        lossless = max(LOSSLESS_RUN, LOSSLESS_SAMPLES // samples)
        return {ResidualCoder.DCT: self.gop, ResidualCoder.LOSSLESS: lossless}.get(self.residual_coder, 1)


def parse_background(text: object) -> Background:
    """The colour that ``text`` names: black, gray, white, #rgb or #rrggbb.

    Raises:
        ConfigError: it names none.
    """
    code = _COLOURS.get(text.lower(), text.lower()) if isinstance(text, str) else ""
    if re.fullmatch("#[0-9a-f]{3}", code):
        code = "#" + "".join(2 * digit for digit in code[1:])
    if not re.fullmatch("#[0-9a-f]{6}", code):
        raise ConfigError(f"background is black, gray, white, or a colour such as #f80 or #ff8800, not {text!r}")
    red, green, blue = bytes.fromhex(code[1:])
    return red, green, blue


def _choice(kind: type[enum.IntEnum], name: str, value: object) -> enum.IntEnum:
    labels = [member.name.lower() for member in kind]
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value in labels:
        return kind[value.upper()]
    raise ConfigError(f"{name} is one of {', '.join(labels)}, not {value!r}")
