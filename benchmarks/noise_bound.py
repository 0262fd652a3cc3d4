"""What the noise of some clips of `deep_clips` takes in an ideal code that is told everything else.

What is there without noise is known, and so is how likely each sample is then: its ideal code has −log2 of that many
bits. A lossless coder takes less by chance alone, and of a million samples chance is less than 0.1 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from deep_clips import CLIPS, FULL, blobs, depth_noise, light_of, pan, rooms
from scipy import ndimage
from scipy.special import gammaln, ndtr

from codec.picture.planes import Picture
from codec.picture.sources import open_source

__all__ = ["noise_bytes"]

Reals = npt.NDArray[np.float64]
RAW_PEAK = 4095
LEAST = 1e-300  # that has a logarithm
DITHERS = np.arange(-31, 32, 2) / 64  # that stand for what is evenly between −0.5 and 0.5


def noise_bytes(name: str, pictures: list[Picture], folder: Path) -> int | None:
    """Bytes of the noise of one of `CLIPS`, or None if there is none, or it is not known."""
    if name not in NOISES:
        return None
    noises = NOISES[name](folder / CLIPS[name].file)
    bits = (noise(picture.planes[0].astype(np.int64)) for picture, noise in zip(pictures, noises, strict=False))
    return round(sum(float(of.sum()) for of in bits) / 8)


Noise = Callable[[npt.NDArray[np.int64]], Reals]  # bits of each sample of a picture, (H, W) or fewer


def between(low: Reals, high: Reals) -> Reals:
    """How likely a standard normal number is between two; exact also far from 0."""
    flipped = low > 0
    low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
    probability: Reals = ndtr(high) - ndtr(low)
    return probability


def normal(samples: npt.NDArray[np.int64], mean: Reals, sigma: float | Reals, peak: int) -> Reals:
    """Bits of a rounded normal number, clipped to 0…peak."""
    low = np.where(samples == 0, -np.inf, (samples - 0.5 - mean) / sigma)
    high = np.where(samples == peak, np.inf, (samples + 0.5 - mean) / sigma)
    return -np.log2(between(low, high))


def depth(step: int) -> Iterator[Noise]:
    """Of `depth_camera`, in steps of 1 or 2 mm; holes, and where they are, take nothing."""
    for room in rooms():

        def bits(samples: npt.NDArray[np.int64], room: Reals = room) -> Reals:
            sigma = depth_noise(room)
            samples = samples >> 4 if step == 2 else samples
            low, high = (step * samples - 0.5 - room) / sigma, (step * samples + step - 0.5 - room) / sigma
            return -np.log2(between(low, high)[samples > 0])

        yield bits


def raw(path: Path) -> Iterator[Noise]:
    """Of `raw_light`, told the 8-bit picture."""
    bits = -np.log2(np.maximum(raw_likely(), LEAST))
    with open_source(path) as source:
        for picture in source:
            yield lambda samples, luma=picture.planes[0]: bits[luma, samples]


def raw_likely() -> Reals:
    """How likely each sample of `raw_light` is, 0…4095, where luma is 0…255."""
    electrons = np.arange(5000.0)
    light = np.maximum(light_of(np.arange(256)[:, None, None] + DITHERS[:, None]), 1e-9)  # (256, dithers, 1)
    photon_noise = np.stack([np.exp(electrons * np.log(of) - of - gammaln(electrons + 1)).mean(axis=0) for of in light])
    errors = np.arange(-20.0, 21)  # of reading, rounded
    read_noise = between((errors - 0.5) / 2, (errors + 0.5) / 2)
    likely = ndimage.convolve1d(np.pad(photon_noise, ((0, 0), (64, 64))), read_noise, axis=1, mode="constant")
    likely[:, RAW_PEAK] = likely[:, RAW_PEAK:].sum(axis=1)
    return likely[:, : RAW_PEAK + 1]


def fluorescence() -> Iterator[Noise]:
    """Of `microscope`."""
    for photons in blobs(np.random.RandomState(3)):
        yield lambda samples, photons=photons: -np.log2(counted(samples, photons))


def counted(samples: npt.NDArray[np.int64], photons: Reals) -> Reals:
    """How likely samples of `microscope` are, which nothing clips."""
    values, places = np.unique(samples - 400.0, return_inverse=True)
    places, log_photons, total = (
        places.reshape(photons.shape),
        np.log(np.maximum(photons, LEAST)),
        np.zeros_like(photons),
    )
    for beside in range(-20, 21):  # seven standard deviations of reading
        number = np.rint(values / 2.1) + beside
        error = values - 2.1 * number
        read_noise = between((error - 0.5) / 6, (error + 0.5) / 6) * (number >= 0)
        number = np.maximum(number, 0)
        exponent = number[places] * log_photons - photons - gammaln(number + 1)[places]
        total += np.exp(exponent) * read_noise[places]
    return total


def smooth(sigma: float) -> Iterator[Noise]:
    """Of `noisy`."""
    for scene in pan(np.random.RandomState(4)):
        yield lambda samples, scene=scene: normal(samples, scene, sigma, FULL)


NOISES: dict[str, Callable[[Path], Iterator[Noise]]] = {
    "depth": lambda _: depth(1),
    "depth x16": lambda _: depth(2),
    "foreman raw": raw,
    "street raw": raw,
    "microscope": lambda _: fluorescence(),
    "noise 3": lambda _: smooth(3),
    "noise 3000": lambda _: smooth(3000),
}
