"""What an encoder may be asked for. Every field is checked once, here."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast, get_args

from codec.errors import ConfigError
from codec.models import MotionModel, ResidualCoder, Speed

__all__ = ["MotionModel", "ResidualCoder", "Settings", "parse_background"]


ResidualName = Literal["lossless", "int8", "uint8", "float16", "dct"]
MotionName = Literal["none", "block", "mesh"]
SpeedName = Literal["slow", "medium", "fast"]
Chroma = Literal["420", "444"]
Alpha = Literal["keep", "clear", "drop"]

BLOCK_SIZES, CHROMAS, ALPHAS = (4, 8, 16, 32), get_args(Chroma), get_args(Alpha)
LOSSLESS_RUN = 8  # pictures that share Huffman tables: saves 1.5…4 % at 352×288, 0.1 % at 1080p, 2 % of an animation
DEFAULT_QP, DEFAULT_BLOCK, DEFAULT_SEARCH = 28, 16, 32

_COLOURS = {"black": "#000000", "gray": "#808080", "grey": "#808080", "white": "#ffffff"}
Background = tuple[int, int, int]  # red, green, blue, each 0…255

_RANGES = {
    "step": (1, 65280),  # sample values; 255 times what the 8 highest bits count
    "qp": (-24, 51),  # of 8 bits from 0 on
    "max_error": (0, 32767),  # sample values; less than half of all that a sample has
    "alpha_error": (0, 32767),
    "gop": (1, 1024),  # pictures; what one seek may have to decode
    "search": (0, 256),  # full pel; vectors up to here plus half a cell fit int16 quarter-pel with a wide margin
    "run": (1, 1024),
}
_CHOICES = {"residual": ResidualCoder, "motion": MotionModel, "speed": Speed}


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
            −18, −24 on. None takes 28.
        chroma: ``420`` or ``444``: how ``dct`` codes the chroma of RGB pictures. None takes ``420``.
        max_error: how far ``lossless`` may be off in any sample but alpha, 0…127, of 16 bits 0…32767; more than 0
            makes smaller files. None takes 0.
        alpha_error: how far ``lossless`` and ``dct`` may be off in any sample of alpha, 0…127, of 16 bits 0…32767; what
            is fully transparent or opaque stays so. None takes 0.
        gop: pictures from one I picture to the next, 1…1024.
        block: side of a block or mesh cell in luma samples: 4, 8, 16 or 32; not for ``dct``. None takes 16.
        search: largest displacement tried, in full luma samples each way, 0…256. None takes 32.
        run: pictures that share one packet's streams, at least 1; a run never crosses a GOP.
            None takes 1, for ``lossless`` 8, and for ``dct`` the whole GOP.
        speed: ``slow``, ``medium`` or ``fast``: how thoroughly the encoder searches. None takes ``medium``.
        scene_cut: whether a picture that has little to do with the one before starts a GOP. None takes True.
        alpha: what becomes of alpha that is not 255 everywhere. ``keep`` keeps every sample, also the colour of
            transparent pixels; ``clear`` makes that colour 0, which takes less; ``drop`` keeps no alpha: pixels that
            are not opaque are laid over ``background``, and refused without one.
            None takes ``drop`` where ``background`` is given, otherwise ``keep``.
        background: the colour that pictures with alpha are laid over: ``black``, ``gray``, ``white``, ``#rgb`` or
            ``#rrggbb``.

    Raises:
        ConfigError: a value out of its range, or one that would have no effect; the message starts with its name.
    """

    residual: ResidualCoder | ResidualName | None = None
    motion: MotionModel | MotionName = MotionModel.BLOCK
    step: int | None = None
    qp: int | None = None
    chroma: Chroma | None = None
    max_error: int | None = None
    alpha_error: int | None = None
    gop: int = 32
    block: int | None = None
    search: int | None = None
    run: int | None = None
    speed: Speed | SpeedName | None = None
    scene_cut: bool | None = None
    alpha: Alpha | None = None
    background: str | None = None

    def __post_init__(self) -> None:
        if self.residual is None:
            meant = "dct" if self.qp is not None else "int8" if self.step is not None else "lossless"
            object.__setattr__(self, "residual", meant)
        for name, kind in _CHOICES.items():
            if (value := getattr(self, name)) is not None or name == "motion":
                object.__setattr__(self, name, _choice(kind, name, value))
        for name, (low, high) in _RANGES.items():
            if (value := getattr(self, name)) is None and name != "gop":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ConfigError(f"{name} is a whole number from {low} to {high}, not {value!r}")
        choices_of = {"block": BLOCK_SIZES, "chroma": CHROMAS, "scene_cut": (False, True), "alpha": ALPHAS}
        for name, choices in choices_of.items():
            value = getattr(self, name)
            if value is not None and (type(value) is not type(choices[0]) or value not in choices):
                raise ConfigError(f"{name} is one of {', '.join(map(str, choices))}, not {value!r}")
        if self.background is not None:
            parse_background(self.background)
        for name, why in self._idle():
            if getattr(self, name) is not None:
                raise ConfigError(f"{name} {why}")

    def _idle(self) -> Iterator[tuple[str, str]]:
        """Settings that change nothing beside the others, and why; `test_dials` holds that they are these."""
        coder = self.residual_coder
        if not coder.has_step:
            yield "step", f"is for int8 and uint8, not {coder.label}"
        if coder is not ResidualCoder.DCT:
            yield "qp", f"is for dct, not {coder.label}"
            yield "chroma", f"is for dct, not {coder.label}"
        else:
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
    def base_qp(self) -> int:
        """``qp`` or its default: pictures of a GOP have QPs around it."""
        return DEFAULT_QP if self.qp is None else self.qp

    @property
    def cell_size(self) -> int:
        """``block`` or its default, in luma samples."""
        return DEFAULT_BLOCK if self.block is None else self.block

    @property
    def search_range(self) -> int:
        """``search`` or its default, in full luma samples."""
        return DEFAULT_SEARCH if self.search is None else self.search

    @property
    def run_length(self) -> int:
        """How many pictures share a packet."""
        default = {ResidualCoder.DCT: self.gop, ResidualCoder.LOSSLESS: LOSSLESS_RUN}.get(self.residual_coder, 1)
        return default if self.run is None else self.run


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
