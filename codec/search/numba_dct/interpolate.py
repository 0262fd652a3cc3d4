"""A reference plane at all quarter samples: what decoding filters, ready for a search to copy (spec 8.6.6)."""

from __future__ import annotations

import numpy as np

from codec.dct.tables import LUMA_TAPS
from codec.kernels import Integer, kernel
from codec.motion.half_planes import BORDER, HalfPlanes
from codec.picture.edges import extended
from codec.picture.planes import Plane
from codec.vector_kernels import LANES, address
from codec.vector_transforms import eight_taps_across, eight_taps_down

__all__ = ["interpolated"]

BEFORE, BEHIND = 3, 4  # taps
STRIP = 32  # rows that are filtered across before they are filtered down


def interpolated(reference: Plane) -> HalfPlanes:
    """Sixteen planes with a border, by 4 · (dy & 3) + (dx & 3); beyond the picture its outermost samples go on."""
    rows, columns = reference.shape[0] + 2 * BORDER, reference.shape[1] + 2 * BORDER
    stride = -(-columns // LANES) * LANES
    padded = extended(reference, (BORDER + BEFORE,) * 2, (BORDER + BEHIND, BORDER + BEHIND + stride - columns))
    planes = np.empty(16 * rows * stride, np.uint8)
    lines = np.empty((STRIP + BEFORE + BEHIND, stride), np.int16)
    fill_interpolated(padded, rows, stride, lines, planes)
    return HalfPlanes(planes, (rows * stride, stride, *reference.shape))


@kernel
def fill_interpolated(padded: Plane, rows: Integer, stride: Integer, lines: Plane, planes: Plane) -> None:
    """Filter strips of rows across, then down; ``lines`` is room for a strip, int16."""
    source, between, target, taps = address(padded), address(lines), address(planes), address(LUMA_TAPS)
    width, vectors = padded.shape[1], stride // LANES
    for top in range(0, rows, STRIP):
        height = min(STRIP, rows - top)
        for across in range(4):
            for j in range(height + 7):
                here = source + (top + j) * width
                eight_taps_across(between + 2 * j * stride, here, 1, taps + 32 * across, vectors)
            for down in range(4):
                plane = target + (4 * down + across) * rows * stride
                for j in range(height):
                    there = between + 2 * j * stride
                    eight_taps_down(plane + (top + j) * stride, there, 2 * stride, taps + 32 * down, vectors)
