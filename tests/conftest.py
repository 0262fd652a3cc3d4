"""Small moving pictures that are the same on every machine, and where the real clips lie."""

from __future__ import annotations

import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import codec
from codec.cli.main import run
from codec.measure.synthetic import ONE, Random, landscape, sample
from codec.picture.planes import Picture, PictureFormat, SampleFormat

MODES = ("gray", "rgb", "yuv420", "yuv422", "yuv444")
BORDER = 32  # samples of texture beyond each side of the picture, for it to move into


@pytest.fixture(scope="session")
def moving():
    """A function that makes moving pictures: see `moving_pictures`."""
    return moving_pictures


@pytest.fixture(scope="session")
def noise():
    """A function that makes pictures of independent random samples: see `noise_pictures`."""
    return noise_pictures


@pytest.fixture(scope="session")
def flat():
    """A function that makes gray pictures of one value each: see `flat_pictures`."""
    return flat_pictures


@pytest.fixture(scope="session")
def turning(tmp_path_factory):
    """A file of ``dct`` whose second picture has a mesh: the first turned by 2° and 3 % larger, but for a spot."""
    angle, zoom, side = math.radians(2), 1 / 1.03, 128
    ground = landscape(Random(5), 512)
    down, right = np.mgrid[-side // 2 : side // 2, -side // 2 : side // 2]
    pictures = []
    for cosine, sine in ((1.0, 0.0), (zoom * math.cos(angle), zoom * math.sin(angle))):
        whole_cosine, whole_sine = round(ONE * cosine), round(ONE * sine)
        rows, columns = whole_sine * right + whole_cosine * down, whole_cosine * right - whole_sine * down
        picture = np.clip(sample(ground, 250 * ONE + rows, 250 * ONE + columns), 0, 255).astype(np.uint8)
        picture[:40, :40] = 128
        pictures.append(picture)
    path = tmp_path_factory.mktemp("turning") / "turning.mvz"
    codec.encode(np.stack(pictures), path, codec.Settings("dct", "mesh", qp=26, scene_cut=False))
    return path


@pytest.fixture(scope="session")
def uncompiled():
    """A function that calls a function of a test module in a process whose kernels run as Python."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MVZ_UNCOMPILED", "1")
        pool.submit(os.getpid).result()  # the process starts, with this environment
        patch.undo()
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


@pytest.fixture(scope="session")
def clips():
    """The folder of real clips, as Y4M."""
    folder = os.environ.get("MVZ_CLIPS")
    if not folder:
        pytest.skip("MVZ_CLIPS names no folder of clips")
    return Path(folder)


def moving_pictures(mode, width, height, count=4, seed=0, low=70, high=190):
    """A texture that glides by (0.75, 1.25) samples a picture, with noise, and a square that crosses it.

    Samples lie in ``low``…``high``, so with the values given no residual is beyond ±120.
    """
    picture_format = PictureFormat(width, height, SampleFormat[mode.upper()])
    random = np.random.default_rng(seed)
    textures = [
        smooth_texture(random, (rows + 2 * BORDER, columns + 2 * BORDER))
        for rows, columns in picture_format.plane_shapes
    ]
    pictures = []
    for time in range(count):
        planes = []
        for texture, shape, sub in zip(
            textures, picture_format.plane_shapes, picture_format.sample_format.subsampling, strict=True
        ):
            samples = crop(texture, shape, 0.75 * time / (1 << sub.log2_y), 1.25 * time / (1 << sub.log2_x))
            plane = low + (high - low) * samples + random.integers(-2, 3, shape)
            top, left = max(height // 2 - 2 * time, 0) >> sub.log2_y, (2 * time) >> sub.log2_x
            plane[top : top + (8 >> sub.log2_y), left : left + (8 >> sub.log2_x)] = high - 8 * time
            planes.append(np.clip(plane, low, high).astype(np.uint8))
        pictures.append(Picture(picture_format, tuple(planes)))
    return pictures


def noise_pictures(mode, width, height, count=4, seed=0, values=256):
    """Independent samples: 0…255, or with ``values=2`` only 0 and 255, which no prediction helps."""
    picture_format = PictureFormat(width, height, SampleFormat[mode.upper()])
    random = np.random.default_rng(seed)
    scale = 255 // (values - 1)
    return [
        Picture(
            picture_format,
            tuple(
                (scale * random.integers(0, values, shape)).astype(np.uint8) for shape in picture_format.plane_shapes
            ),
        )
        for _ in range(count)
    ]


def flat_pictures(*values, size=(6, 5)):
    """One gray picture for each value, every sample of it that value."""
    width, height = size
    return [Picture.from_array(np.full((height, width), value, np.uint8)) for value in values]


def smooth_texture(random, shape):
    """Random, without detail finer than about three samples, 0…1."""
    texture = random.normal(size=shape)
    for axis in (0, 1, 0, 1):
        texture = texture + np.roll(texture, 1, axis) + np.roll(texture, 2, axis)
    return (texture - texture.min()) / max(np.ptp(texture), 1e-9)


def crop(texture, shape, dy, dx):
    """``shape`` samples of ``texture``, (dy, dx) from its middle, bilinear between its samples."""
    top, left = BORDER + int(dy), BORDER + int(dx)
    v, u = dy % 1, dx % 1
    corners = [
        [texture[top + j : top + j + shape[0], left + i : left + i + shape[1]] for i in range(2)] for j in range(2)
    ]
    return (1 - v) * ((1 - u) * corners[0][0] + u * corners[0][1]) + v * ((1 - u) * corners[1][0] + u * corners[1][1])


@pytest.fixture
def mvz(capsys):
    """Run a command in this process; returns exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            code = run([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
