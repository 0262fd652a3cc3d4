"""mvz: a readable video codec.

::

    import codec

    codec.encode("frames/", "clip.mvz", codec.Settings(residual="int8", step=8))
    with codec.open("clip.mvz") as video:
        first = video[0]                    # numpy uint8 or uint16, (H, W) or (H, W, 3), with alpha 2 or 4
    pictures = codec.decode("clip.mvz")     # (T, H, W[, channels])

Names are loaded when they are first used: ``import codec`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from codec.compiled import install as install_kernels

__version__ = "0.2.0"

__all__ = [
    "BitstreamError",
    "CellMode",
    "ChecksumError",
    "ChromaSiting",
    "CodecError",
    "CodingBlocks",
    "Colour",
    "ColourMatrix",
    "ColourPrimaries",
    "ColourRange",
    "ColourTransfer",
    "ConfigError",
    "ExistsError",
    "Inspection",
    "Inventory",
    "LimitError",
    "Limits",
    "MediaError",
    "MotionField",
    "MotionModel",
    "Picture",
    "PictureFormat",
    "PictureType",
    "Progress",
    "ResidualCoder",
    "SampleFormat",
    "SearchResult",
    "Settings",
    "Speed",
    "Summary",
    "TruncatedError",
    "UnsupportedError",
    "Video",
    "Writer",
    "__version__",
    "decode",
    "encode",
    "open",
]

if TYPE_CHECKING:
    from codec.bitstream.inventory import Inventory
    from codec.bitstream.limits import Limits
    from codec.decoder import Video, decode
    from codec.decoder import open_video as open
    from codec.encoder import Summary, Writer, encode
    from codec.errors import (
        BitstreamError,
        ChecksumError,
        CodecError,
        ConfigError,
        ExistsError,
        LimitError,
        MediaError,
        TruncatedError,
        UnsupportedError,
    )
    from codec.inspection import CodingBlocks, Inspection
    from codec.models import MotionModel, PictureType, ResidualCoder, Speed
    from codec.motion.field import CellMode, MotionField
    from codec.parallel import Progress
    from codec.picture.planes import (
        ChromaSiting,
        Colour,
        ColourMatrix,
        ColourPrimaries,
        ColourRange,
        ColourTransfer,
        Picture,
        PictureFormat,
        SampleFormat,
    )
    from codec.settings import Settings
    from codec.targets import SearchResult

_HOMES = {
    "codec.bitstream.inventory": ("Inventory",),
    "codec.bitstream.limits": ("Limits",),
    "codec.decoder": ("Video", "decode", "open"),
    "codec.encoder": ("Summary", "Writer", "encode"),
    "codec.errors": tuple(name for name in __all__ if name.endswith("Error")),
    "codec.inspection": ("Inspection", "CodingBlocks"),
    "codec.models": ("MotionModel", "PictureType", "ResidualCoder", "Speed"),
    "codec.motion.field": ("CellMode", "MotionField"),
    "codec.parallel": ("Progress",),
    "codec.picture.planes": (
        *("Picture", "PictureFormat", "SampleFormat", "ChromaSiting"),
        *("Colour", "ColourMatrix", "ColourPrimaries", "ColourRange", "ColourTransfer"),
    ),
    "codec.settings": ("Settings",),
    "codec.targets": ("SearchResult",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'codec' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME_OF[name]), "open_video" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


install_kernels()
