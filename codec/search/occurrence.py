"""Which sample values occur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython

from codec.depths import Sample

__all__ = ["mark"]

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from codec.picture.planes import Samples


def mark(samples: npt.NDArray[Samples], seen: npt.NDArray[np.uint8]) -> None:
    """Set ``seen`` to 1 at each of the samples, all of which lie in it; both are flat."""
    source: cython.const[Sample[::1]] = memoryview(samples)
    target: cython.uchar[::1] = memoryview(seen)
    with cython.nogil:
        for x in range(source.shape[0]):
            target[source[x]] = 1
