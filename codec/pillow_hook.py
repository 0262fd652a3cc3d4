"""Makes ``PIL.Image.open`` know ``.mvz`` as soon as a process has both mvz and Pillow, and costs nothing before."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import IO, Any

__all__ = ["register_with_pillow"]

PILLOW = "PIL.Image"
SIGNATURE = b"\x8bMVZ\r\n\x1a\n"


def register_with_pillow() -> None:
    """Register the format, or have that done when Pillow is imported, which takes 26 ms and may never happen."""
    image = sys.modules.get(PILLOW)
    if image is None:
        sys.meta_path.insert(0, _UntilPillow())
    elif hasattr(image, "register_open"):
        _register(image)


def _register(image: Any) -> None:
    image.register_open("MVZ", _open, lambda prefix: prefix.startswith(SIGNATURE))
    image.register_extension("MVZ", ".mvz")


def _open(file: IO[bytes], name: str | bytes) -> Any:
    """What Pillow calls for a file with our signature."""
    from codec.pillow_plugin import MvzImageFile

    return MvzImageFile(file, name)


class _UntilPillow:
    """Finds nothing itself, but sees that ``PIL.Image`` is about to be imported, and goes."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for all but Pillow, whose module then ends its import with registering us."""
        if fullname != PILLOW:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                _register(module)

            with contextlib.suppress(AttributeError):  # a loader that is not Python's own may not let us
                spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
