"""What vectors.h does to rows and blocks of samples, in plain Python: what runs where nothing is compiled.

``samples, place`` is where a row begins in a flat view.
"""

from __future__ import annotations

__all__ = ["bilinear_block", "mean_block", "mean_squared_errors", "taps_8x8"]


def mean_block(target, place, target_stride, samples, a, b, stride, rows, columns):
    """A block of means of two blocks, rounded up at a half."""
    for j in range(rows):
        for i in range(columns):
            down = j * stride + i
            target[place + j * target_stride + i] = (samples[a + down] + samples[b + down] + 1) >> 1


def bilinear_block(target, place, target_stride, samples, source, stride, down, right, rows, columns):
    """A block between the samples of another: ``down`` and ``right`` sixteenths beside it, rounded up at a half."""
    for j in range(rows):
        for i in range(columns):
            p = source + j * stride + i
            above = (16 - right) * samples[p] + right * samples[p + 1]
            below = (16 - right) * samples[p + stride] + right * samples[p + stride + 1]
            target[place + j * target_stride + i] = ((16 - down) * above + down * below + 128) >> 8


def taps_8x8(samples, place, stride, taps, down, across):
    """Σ taps[down, j] · taps[across, i] · sample of 8×8 samples; sums down must fit 16 bits."""
    total = 0
    for i in range(8):
        column = sum(taps[down, k] * samples[place + k * stride + i] for k in range(8))
        total += taps[across, i] * column
    return total


def mean_squared_errors(source, place, source_stride, samples, b, c, stride, rows, columns, bound):
    """Σ (source − mean of b and c)² of a block; of whole rows by eight, until that reaches ``bound``."""
    total = 0
    for j in range(rows):
        if j % 8 == 0 and total >= bound:
            break
        for i in range(columns):
            error = source[place + i] - ((samples[b + i] + samples[c + i] + 1) >> 1)
            total += error * error
        place, b, c = place + source_stride, b + stride, c + stride
    return total
