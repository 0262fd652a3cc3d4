"""`codec` under the name of its command, and what makes other programs know ``.mvz``.

::

    import mvz

    with mvz.open("clip.mvz") as video:
        first = video[0]

Every public name of `codec` is here, and is the same object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import codec

if TYPE_CHECKING:
    from codec import *  # noqa: F403

__all__ = codec.__all__
__version__ = codec.__version__


def __getattr__(name: str) -> object:
    """A public name of `codec`, loaded when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'mvz' has no attribute {name!r}")
    return getattr(codec, name)


def __dir__() -> list[str]:
    return sorted(__all__)
