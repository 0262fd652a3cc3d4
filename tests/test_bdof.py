"""BDOF against the formulas of the specification (10.9)."""

import numpy as np
import pytest
from kernel_sources import uncompiled

from codec.buffers import zeros


def mean_along_flow(a, b, bit_depth=8):
    """What BDOF makes of two predictions of a whole plane."""
    rows, columns = a.shape
    flow = uncompiled("optical_flow").OpticalFlow(bit_depth)
    first, second = (zeros((rows + 3, columns + 5), np.uint16) for _ in range(2))
    np.asarray(first)[3:, 5:], np.asarray(second)[3:, 5:] = a, b
    flow.average(first, second, 3, 5, rows, columns)
    return np.asarray(first)[3:, 5:]


def slopes(samples, axis):
    """Differences between the samples after and before, of which the outermost go on."""
    padded = np.pad(samples, [(1, 1) if axis == k else (0, 0) for k in range(2)], mode="edge")
    size = samples.shape[axis]
    return padded.take(range(2, size + 2), axis) - padded.take(range(size), axis)


def mean_by_the_spec(a, b, bit_depth):
    """The same, as the specification says it."""
    a, b, over = a.astype(np.int64), b.astype(np.int64), bit_depth - 8
    t = (b - a) >> over
    v, u = ((slopes(a, axis) + slopes(b, axis)) >> over for axis in range(2))
    apart_v, apart_u = (slopes(b, axis) - slopes(a, axis) for axis in range(2))
    mean = np.zeros_like(a)
    for y, x in 4 * np.argwhere(np.ones((a.shape[0] // 4, a.shape[1] // 4))):
        around = np.s_[max(y - 2, 0) : y + 6, max(x - 2, 0) : x + 6]
        vv, uu = (4096 + int((s * s)[around].sum()) for s in (v, u))
        vu, vt, ut = (int(s[around].sum()) for s in (v * u, v * t, u * t))
        d = vv * uu - vu * vu
        flow_v, flow_u = (
            (1 if n > 0 else -1) * min((128 * abs(n) + d) // (2 * d), 16)
            for n in (uu * vt - vu * ut, vv * ut - vu * vt)
        )
        moved = (apart_v * flow_v + apart_u * flow_u + 32) >> 6
        square = np.s_[y : y + 4, x : x + 4]
        mean[square] = np.clip((a + b + 1 - moved) >> 1, 0, (1 << bit_depth) - 1)[square]
    return mean


def texture(dy, dx, bit_depth=8):
    """Waves, moved by so many samples."""
    y, x = np.ogrid[:16, :32]
    waves = np.sin((y - dy) / 2.3 + (x - dx) / 5) + np.cos((x - dx) / 2.6 - (y - dy) / 6)
    return np.rint((1 << bit_depth - 8) * (128 + 50 * waves)).astype(np.int64)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("shape", [(4, 4), (8, 4), (16, 32)])
def test_bdof_is_that_of_the_spec(bit_depth, shape):
    random = np.random.default_rng(7)
    noise = random.integers(0, 1 << bit_depth, (2, *shape))
    gentle = random.integers(0, 12, (2, *shape))
    shifted = [texture(s * 0.3, s * 0.5, bit_depth)[: shape[0], : shape[1]] for s in (1, -1)]
    for a, b in (noise, gentle, shifted):
        np.testing.assert_array_equal(mean_along_flow(a, b, bit_depth), mean_by_the_spec(a, b, bit_depth))


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_what_moves_is_predicted_better_than_by_the_plain_mean(bit_depth):
    between = texture(0, 0, bit_depth)
    a, b = (texture(0.4 * sign, 0.6 * sign, bit_depth) for sign in (1, -1))
    errors = [
        np.square(mean - between).sum() for mean in ((a + b + 1) >> 1, mean_along_flow(a, b, bit_depth).astype(int))
    ]
    assert errors[1] < 0.7 * errors[0]
