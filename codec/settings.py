"""What an encoder may be asked for. Every field is checked once, here."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeVar

from codec.errors import ConfigError
from codec.models import MotionModel, ResidualCoder, Speed

__all__ = ["MotionModel", "ResidualCoder", "Settings"]


_E = TypeVar("_E", bound=enum.IntEnum)

BLOCK_SIZES = (4, 8, 16, 32)
MAX_SEARCH = 256  # full pel; vectors up to here plus half a cell fit int16 quarter-pel with a wide margin
MAX_ERROR = 16  # sample values
LOSSLESS_RUN = 8  # pictures that share Huffman tables: saves 1.5…4 % at 352×288, 0.1 % at 1080p, 2 % of an animation
MAX_QP = 51
CHROMAS = ("420", "444")
MAX_GOP = 1024  # pictures; what one seek may have to decode


@dataclass(frozen=True)
class Settings:
    """How to encode. Strings are accepted for ``residual`` and ``motion`` and become the enumerations.

    Attributes:
        residual: ``lossless``, ``int8``, ``uint8``, ``float16`` or ``dct``.
        motion: ``none``, ``block`` or ``mesh``.
        step: quantiser step in sample values, 1…255, for ``int8`` and ``uint8``;
            None takes the smallest scale per plane and picture at which nothing saturates.
        qp: quantiser of ``dct``, 0…51: six more double the step, and halve the file or nearly so.
        chroma: ``420`` or ``444``: how ``dct`` codes the chroma of RGB pictures.
        max_error: how far ``lossless`` may be off in any sample, 0…16; more than 0 makes smaller files.
        gop: pictures from one I picture to the next, 1…1024.
        block: side of a block or mesh cell in luma samples: 4, 8, 16 or 32.
        search: largest displacement tried, in full luma samples each way, 0…256.
        run: pictures that share one packet's streams, at least 1; a run never crosses a GOP.
            None takes 1, for ``lossless`` 8, and for ``dct`` the whole GOP.
        scene_cut: whether a picture that has little to do with the one before starts a GOP.
        speed: ``slow``, ``medium`` or ``fast``: how thoroughly motion is searched.

    Raises:
        ConfigError: a value out of its range, or a step for a coder that has none.
    """

    residual: ResidualCoder | str = ResidualCoder.LOSSLESS
    motion: MotionModel | str = MotionModel.BLOCK
    step: int | None = None
    qp: int = 28
    chroma: str = "420"
    max_error: int = 0
    gop: int = 32
    block: int = 16
    search: int = 32
    run: int | None = None
    speed: Speed | str = Speed.MEDIUM
    scene_cut: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "residual", _choice(ResidualCoder, "residual", self.residual))
        object.__setattr__(self, "motion", _choice(MotionModel, "motion", self.motion))
        object.__setattr__(self, "speed", _choice(Speed, "speed", self.speed))
        if not isinstance(self.block, int) or self.block not in BLOCK_SIZES:
            raise ConfigError(f"block is one of {', '.join(map(str, BLOCK_SIZES))}, not {self.block}")
        _in_range("search", self.search, 0, MAX_SEARCH)
        _in_range("gop", self.gop, 1, MAX_GOP)
        if self.run is not None:
            _in_range("run", self.run, 1, MAX_GOP)
        if not isinstance(self.scene_cut, bool):
            raise ConfigError(f"scene_cut is True or False, not {self.scene_cut!r}")
        _in_range("max_error", self.max_error, 0, MAX_ERROR)
        if self.max_error and self.residual_coder is not ResidualCoder.LOSSLESS:
            raise ConfigError(f"max_error is for lossless, not {self.residual_coder.label}")
        _in_range("qp", self.qp, 0, MAX_QP)
        if not isinstance(self.chroma, str) or self.chroma not in CHROMAS:
            raise ConfigError(f"chroma is one of {', '.join(CHROMAS)}, not {self.chroma!r}")
        if self.step is not None:
            _in_range("step", self.step, 1, 255)
            if not self.residual_coder.has_step:
                raise ConfigError(f"step is for int8 and uint8; {self.residual_coder.label} has none")

    @property
    def residual_coder(self) -> ResidualCoder:
        """``residual`` as the enumeration that it is after construction."""
        return _choice(ResidualCoder, "residual", self.residual)

    @property
    def run_length(self) -> int:
        """How many pictures share a packet."""
        if self.run is not None:
            return self.run
        if self.residual_coder is ResidualCoder.DCT:
            return self.gop
        return LOSSLESS_RUN if self.residual_coder is ResidualCoder.LOSSLESS else 1

    @property
    def speed_preset(self) -> Speed:
        """``speed`` as the enumeration that it is after construction."""
        return _choice(Speed, "speed", self.speed)

    @property
    def motion_model(self) -> MotionModel:
        """``motion`` as the enumeration that it is after construction."""
        return _choice(MotionModel, "motion", self.motion)


def _choice(kind: type[_E], name: str, value: object) -> _E:
    if isinstance(value, kind):
        return value
    labels = [member.name.lower() for member in kind]
    if isinstance(value, str) and value in labels:
        return kind[value.upper()]
    raise ConfigError(f"{name} is one of {', '.join(labels)}, not {value!r}")


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} is a whole number from {low} to {high}, not {value!r}")
