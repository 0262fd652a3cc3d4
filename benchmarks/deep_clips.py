"""Sequences of more than 8 bits: made up, lifted from 8-bit clips, or real ones that Python packages bring along.

They are the same on every run: random numbers come from numpy's RandomState, whose stream never changes.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.sources import open_source

__all__ = ["CLIPS", "load", "noisy"]

Planes = tuple[npt.NDArray[np.uint16], ...]
Reals = npt.NDArray[np.float64]

FULL = 65535  # the largest sample of 16 bits


# ------------------------------------------------------------------------------------------------- depth in millimetres

FOCAL = 525.0  # samples, as of the cameras of this size
SPHERES = ((-0.7, 0.5, 2.2, 0.35, 0.050), (0.9, 0.2, 3.1, 0.45, -0.035))  # x, y, z, radius, speed; metres a picture
BOXES = ((0.3, 0.6, 1.7, 0.8, 1.2, 2.1), (-1.6, 0.1, 3.2, -0.9, 1.2, 3.8))  # nearest and farthest corner, metres


def depth_camera() -> Iterator[Planes]:
    """A room with boxes and moving balls, in millimetres; 0 is a hole.

    Noise grows with the square of depth, as it does where depth is from triangulation. There are holes behind edges,
    where the projector's light does not come, on steep surfaces, and here and there.
    """
    random = np.random.RandomState(1)
    for depth in rooms():
        sensed = depth + random.standard_normal(depth.shape) * depth_noise(depth)
        slope = np.abs(ndimage.sobel(depth, 1)) + np.abs(ndimage.sobel(depth, 0))
        shadow = np.roll(ndimage.maximum_filter1d(slope, 9, axis=1), 4, axis=1) > 900
        specks = ndimage.uniform_filter(random.random_sample(depth.shape), 3) > 0.8
        sensed[shadow | specks | (slope > 2500)] = 0
        yield (np.clip(np.rint(sensed), 0, FULL).astype(np.uint16),)


def depth_noise(depth: Reals) -> Reals:
    """Its standard deviation in millimetres."""
    return 0.4 + 1.4e-6 * depth * depth


def rooms(pictures: int = 16, width: int = 640, height: int = 480) -> Iterator[Reals]:
    """Depth without noise or holes."""
    across, down = (np.arange(width) - width / 2) / FOCAL, (np.arange(height) - height / 2) / FOCAL
    for number in range(pictures):
        yield room(number, *np.meshgrid(across, down))


def room(number: int, right: Reals, down: Reals) -> Reals:
    """Depth in millimetres along rays (right, down, 1) of a camera that moves and turns."""
    turn, x0, y0, z0 = 0.004 * number, 0.012 * number, -0.003 * number, 0.006 * number
    dx, dy, dz = np.cos(turn) * right + np.sin(turn), down, np.cos(turn) - np.sin(turn) * right
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.minimum((1.2 - y0) / np.where(dy > 0, dy, np.nan), 9.0)
        depth = np.fmin(depth, (4.6 - z0) / dz)
        depth = np.fmin(depth, (2.4 - x0) / np.where(dx > 0, dx, np.nan))
        depth = np.fmin(depth, (-2.4 - x0) / np.where(dx < 0, dx, np.nan))
        for left, top, near, end, bottom, far in BOXES:
            sides = [
                ((low - start) / ray, (high - start) / ray)
                for low, high, start, ray in ((left, end, x0, dx), (top, bottom, y0, dy), (near, far, z0, dz))
            ]
            enters = np.max([np.fmin(*side) for side in sides], axis=0)
            leaves = np.min([np.fmax(*side) for side in sides], axis=0)
            depth = np.where((enters > 0) & (enters < leaves), np.fmin(depth, enters), depth)
        for x, y, z, radius, speed in SPHERES:
            cx, cy, cz = x + speed * number - x0, y - y0, z - z0
            along = (dx * cx + dy * cy + dz * cz) / (dx * dx + dy * dy + dz * dz)
            squared = along * along - (cx * cx + cy * cy + cz * cz - radius * radius) / (dx * dx + dy * dy + dz * dz)
            depth = np.where(squared > 0, np.fmin(depth, along - np.sqrt(np.maximum(squared, 0))), depth)
    result: Reals = 1000 * depth
    return result


def left_justified() -> Iterator[Planes]:
    """The same in steps of 2 mm, as 12 bits in the upper part of 16: the low four bits are 0."""
    for (depth,) in depth_camera():
        yield (np.minimum(depth >> 1, 4095) << 4,)


# ------------------------------------------------------------------------------------------------- other cameras


def raw_light(path: Path, pictures: int) -> Iterator[Planes]:
    """Luma of an 8-bit clip as light, 12 bits above a black level of 64, with photon and read noise.

    A sample has a thousand electrons a quarter of the way up; 8-bit steps are filled evenly before.
    """
    random = np.random.RandomState(2)
    with open_source(path) as source:
        for picture in islice(source, pictures):
            light = light_of(picture.planes[0] + random.random_sample(picture.planes[0].shape) - 0.5)
            electrons = random.poisson(light) + 2.0 * random.standard_normal(light.shape)
            yield (np.clip(np.rint(64 + electrons), 0, 4095).astype(np.uint16),)


def light_of(luma: Reals) -> Reals:
    """Electrons of luma, 0…255."""
    light: Reals = (np.clip(luma, 0, 255) / 255) ** 2.2 * 4000
    return light


def microscope() -> Iterator[Planes]:
    """Fluorescent blobs that drift in the dark: Poisson noise on an offset of 400 counts, 16 bits."""
    random = np.random.RandomState(3)
    for photons in blobs(random):
        counts = 400 + 2.1 * random.poisson(photons) + 6 * random.standard_normal(photons.shape)
        yield (np.clip(np.rint(counts), 0, FULL).astype(np.uint16),)


def blobs(random: np.random.RandomState, pictures: int = 16, width: int = 512, height: int = 512) -> Iterator[Reals]:
    """How many photons are expected; random numbers are drawn before the first picture alone."""
    count = 160
    place = random.random_sample((count, 2)) * (height, width)
    speed = random.standard_normal((count, 2)) * 0.8
    size, light = 2 + 5 * random.random_sample(count), 10 ** (1.5 + 2.2 * random.random_sample(count))
    haze = ndimage.gaussian_filter(random.random_sample((height, width)), 40, mode="wrap")
    haze = 30 * (haze - haze.min()) / np.ptp(haze)
    for number in range(pictures):
        photons = haze.copy()
        for (y, x), radius, peak in zip(place + number * speed, size, light, strict=True):
            reach = int(4 * radius) + 1
            top, left = int(y) - reach, int(x) - reach
            rows, columns = np.arange(top, top + 2 * reach + 1), np.arange(left, left + 2 * reach + 1)
            spot = np.exp(-((rows - y) ** 2)[:, None] / (2 * radius**2) - (columns - x) ** 2 / (2 * radius**2))
            photons[np.ix_(rows % height, columns % width)] += peak * spot
        yield photons


def noisy(sigma: float) -> Iterator[Planes]:
    """A smooth scene that pans, under noise of one strength; 16 bits."""
    random = np.random.RandomState(4)
    for scene in pan(random):
        seen = scene + sigma * random.standard_normal(scene.shape)
        yield (np.clip(np.rint(seen), 0, FULL).astype(np.uint16),)


def pan(random: np.random.RandomState, pictures: int = 8, width: int = 352, height: int = 288) -> Iterator[Reals]:
    """The scene without noise; random numbers are drawn before the first picture alone."""
    scene = ndimage.gaussian_filter(random.random_sample((height, width + 4 * pictures)), 12, mode="wrap")
    scene = 12000 + 40000 * (scene - scene.min()) / np.ptp(scene)
    for number in range(pictures):
        yield scene[:, 3 * number : 3 * number + width]


# ------------------------------------------------------------------------------------------------- rendered and edited


def graded(path: Path, pictures: int = 8) -> Iterator[Planes]:
    """A clip of 8-bit Y'CbCr 4:2:0 as 10 bits: smoothed, brought to light and back, with a fade over it."""
    with open_source(path) as source:
        for number, picture in enumerate(islice(source, pictures)):
            planes = []
            for plane, samples in enumerate(picture.planes):
                smooth = ndimage.gaussian_filter(samples.astype(np.float64), 0.8) * 4
                if plane == 0:
                    sky = np.linspace(0, 90, smooth.shape[0])[:, None] * (1 + 0.02 * number)
                    smooth = 1023 * (np.clip(smooth, 0, 1023) / 1023) ** 0.9 * 0.9 + sky
                planes.append(np.clip(np.rint(smooth), 0, 1023).astype(np.uint16))
            yield tuple(planes)


def rendered(pictures: int = 10, width: int = 640, height: int = 360) -> Iterator[Planes]:
    """RGBA in 16 bits: a shaded, patterned ball with a soft edge and a glow, which moves and turns; no noise."""
    down, right = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    for number in range(pictures):
        x = (right - width * (0.3 + 0.03 * number)) / (0.32 * height)
        y = (down - height * (0.5 + 0.02 * number)) / (0.32 * height)
        squared = x * x + y * y
        z = np.sqrt(np.maximum(1 - squared, 0))
        light = np.clip(0.3 * x - 0.5 * y + 0.8 * z, 0.05, 1)
        pattern = np.sin(9 * np.arctan2(x, z + 0.2) + 0.3 * number) * np.sin(7 * y)
        inside = np.clip((1 - np.sqrt(squared)) * 0.32 * height + 0.5, 0, 1)
        glow = 0.5 * np.exp(-2.5 * np.maximum(np.sqrt(squared) - 1, 0))
        glow[glow < 0.02] = 0
        planes = [inside + (1 - inside) * glow]
        for mean, part, around in ((0.4, 0.1, 0.4), (0.5, -0.2, 0.8), (0.6, 0.3, 1)):
            planes.insert(0, inside * light * (mean + part * pattern) + (1 - inside) * around * (glow > 0))
        yield tuple(np.rint(np.clip(plane, 0, 1) * FULL).astype(np.uint16) for plane in planes)


def widened(path: Path, pictures: int = 16) -> Iterator[Planes]:
    """RGB of 8 bits, each sample times 257: 16 bits with 256 different values."""
    with open_source(path) as source:
        for picture in islice(source, pictures):
            yield tuple(plane * np.uint16(257) for plane in picture.planes)


# ------------------------------------------------------------------------------------------------- few values


def labels(pictures: int = 12, width: int = 640, height: int = 480) -> Iterator[Planes]:
    """What a segmentation leaves of a microscope's picture: the number of its region, 0…4,000, for each sample."""
    random = np.random.RandomState(6)
    seeds = random.random_sample((90, 2)) * (height, width)
    speed = random.standard_normal((90, 2)) * 0.7
    names = np.append(0, random.choice(np.arange(1, 4000), 90, replace=False)).astype(np.uint16)
    for number in range(pictures):
        marks = np.zeros((height, width), np.int64)
        for name, (y, x) in enumerate(seeds + number * speed, 1):
            marks[int(y) % height, int(x) % width] = name
        distance, (rows, columns) = ndimage.distance_transform_edt(marks == 0, return_indices=True)
        yield (names[np.where(distance < 34, marks[rows, columns], 0)],)


def mask(pictures: int = 12) -> Iterator[Planes]:
    """Where a region is, 0 or 65535."""
    for (numbers,) in labels(pictures):
        yield (np.where(numbers > 1000, FULL, 0).astype(np.uint16),)


# ------------------------------------------------------------------------------------------------- real ones


def resonance(path: Path) -> Iterator[Planes]:
    """Slices of a head by magnetic resonance, 128×96 or 128×128; those of a second volume follow the first's."""
    import nibabel

    volumes = np.asanyarray(nibabel.load(path).dataobj)
    for volume in np.moveaxis(volumes, 3, 0):
        for slice_ in np.moveaxis(volume, 2, 0):
            yield (np.ascontiguousarray(slice_.T).astype(np.uint16),)


def tomography(path: Path) -> Iterator[Planes]:
    """A slice by X-rays, 512×512, in steps above the least, which the corners have, where nothing was measured."""
    import pydicom

    samples = pydicom.dcmread(path).pixel_array.astype(np.int64)
    yield ((samples - samples.min()).astype(np.uint16),)


def disparity(path: Path) -> Iterator[Planes]:
    """What a structured light scanner saw of a motorcycle: disparity in 1/256, as is usual in PNG; 0 is a hole."""
    with np.load(path) as file:
        samples = file[file.files[0]]
    yield (np.rint(256 * np.where(np.isfinite(samples), samples, 0)).astype(np.uint16),)


# ------------------------------------------------------------------------------------------------- all of them


class Entry(NamedTuple):
    """How a clip is made.

    Attributes:
        sample_format, bit_depth: of its pictures.
        make: gives its pictures' planes; it is given the path of ``file``, if there is any.
        file: what it is made of.
        package: what brings the file; without it the file is in the folder of 8-bit clips.
    """

    sample_format: SampleFormat
    bit_depth: int
    make: Callable[[Path], Iterable[Planes]]
    file: str = ""
    package: str = ""


GRAY, RGB, RGBA, YUV420 = SampleFormat.GRAY, SampleFormat.RGB, SampleFormat.RGBA, SampleFormat.YUV420

CLIPS = {
    "depth": Entry(GRAY, 16, lambda _: depth_camera()),
    "depth x16": Entry(GRAY, 16, lambda _: left_justified()),
    "foreman raw": Entry(GRAY, 12, lambda path: raw_light(path, 16), "foreman_352x288.y4m"),
    "street raw": Entry(GRAY, 12, lambda path: raw_light(path, 4), "street_1920x1080.y4m"),
    "microscope": Entry(GRAY, 16, lambda _: microscope()),
    "noise 3": Entry(GRAY, 16, lambda _: noisy(3)),
    "noise 3000": Entry(GRAY, 16, lambda _: noisy(3000)),
    "bunny graded": Entry(YUV420, 10, lambda path: graded(path), "bunny_1280x720.y4m"),
    "rendered": Entry(RGBA, 16, lambda _: rendered()),
    "foreman x257": Entry(RGB, 16, lambda path: widened(path), "foreman"),
    "labels": Entry(GRAY, 16, lambda _: labels()),
    "mask": Entry(GRAY, 16, lambda _: mask()),
    "head": Entry(GRAY, 16, resonance, "tests/data/example4d.nii.gz", "nibabel"),
    "diffusion": Entry(GRAY, 16, resonance, "data/files/S0_10slices.nii.gz", "dipy"),
    "tomography": Entry(GRAY, 16, tomography, "data/test_files/J2K_pixelrep_mismatch.dcm", "pydicom"),
    "motorcycle": Entry(GRAY, 16, disparity, "data/motorcycle_disp.npz", "skimage"),
}
"""What there is, by name."""


def load(name: str, folder: Path) -> list[Picture]:
    """The pictures of one of `CLIPS`.

    Raises:
        FileNotFoundError: what it is made of is not there; the message says what.
    """
    sample_format, bit_depth, make, file, package = CLIPS[name]
    if package and importlib.util.find_spec(package) is None:
        raise FileNotFoundError(f"{name} needs the package {package}")
    path = Path(str(importlib.resources.files(package))) / file if package else folder / file
    if not path.exists():
        raise FileNotFoundError(f"{name} needs {path}")
    pictures = []
    for planes in make(path):
        height, width = planes[0].shape
        pictures.append(Picture(PictureFormat(width, height, sample_format, bit_depth=bit_depth), planes))
    return pictures
