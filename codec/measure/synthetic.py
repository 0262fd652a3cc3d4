"""A made-up moving scene: a landscape from the air under a turning camera, and a balloon that drifts over it.

It has what motion models differ about: pan, zoom and rotation, texture and edges, an object with its own motion
that covers and uncovers what is behind it, and sensor noise.
Whole numbers and raw PCG64 output: the same pictures on every machine and with every numpy version.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from codec.errors import ConfigError
from codec.picture.planes import Picture

__all__ = ["moving_sequence"]

Samples = npt.NDArray[np.int64]

ONE = 1 << 16  # positions and angles are in 1/65536
MAX_GROUND = 2048  # samples each way, 100 MB; wider pictures see the ground repeat
DESIGN_WIDTH = 160  # samples; speeds below are for this width and grow with the picture

# of the ground, in RGB, from the lowest to the highest terrain
PALETTE = ((38, 82, 128), (92, 138, 158), (196, 178, 132), (122, 148, 74), (74, 112, 58), (134, 118, 98))
LEVELS = (0, 92, 106, 116, 142, 176)  # where each of them starts
ROOFS = ((168, 74, 58), (190, 182, 172), (120, 124, 132), (202, 150, 92))
STRIPES = ((206, 48, 44), (238, 206, 88), (244, 240, 228), (40, 92, 168))
STRIPE = 4096  # width of a stripe at the ball's middle, in 1/4096 of its radius times 3
SPIN = 520  # in the same unit, how far the stripes go round from picture to picture


def moving_sequence(width: int = 160, height: int = 112, pictures: int = 12, seed: int = 20) -> Iterator[Picture]:
    """RGB pictures of the scene, at any size ≥ 16×16 and of any length: motion is smooth and never stops.

    Raises:
        ConfigError: a side below 16, or a negative number of pictures.
    """
    if min(width, height) < 16 or pictures < 0:
        raise ConfigError(f"a scene is at least 16×16 with 0 pictures or more, not {width}×{height} with {pictures}")
    random = Random(seed)
    ground = landscape(random, min(1 << (2 * max(width, height) - 1).bit_length(), MAX_GROUND))
    for number in range(pictures):
        scene = sample(ground, *camera(number, width, height))
        add_balloon(scene, number)
        noise = random.bell((height, width, 3))  # standard deviation 1.6 once scaled
        samples = np.clip(scene + ((noise + 32) >> 6), 0, 255).astype(np.uint8)
        yield Picture.from_array(samples, f"scene{number:03d}.png")


class Random:
    """Random bytes whose stream numpy guarantees: PCG64's raw output."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.PCG64(seed)

    def bytes(self, shape: tuple[int, ...]) -> Samples:
        """Even over 0…255."""
        count = math.prod(shape)
        words = np.asarray(self._generator.random_raw(-(-count // 8)), "<u8")
        return words.view(np.uint8)[:count].reshape(shape).astype(np.int64)

    def bell(self, shape: tuple[int, ...]) -> Samples:
        """Nearly normal around 0, with a standard deviation of 105 (the sum of two bytes, less its mean)."""
        pairs = self.bytes((*shape, 2))
        return pairs[..., 0] + pairs[..., 1] - 255


# ------------------------------------------------------------------------------------------- what there is to see


def landscape(random: Random, side: int) -> Samples:
    """The ground from above, RGB (side, side, 3), 0…255; it continues at its opposite edge."""
    terrain = smooth_noise(random, side, side // 8, 4)
    detail = smooth_noise(random, side, 8, 3) - 128
    ground = np.full((side, side, 3), PALETTE[0], np.int64)
    for start, colour in zip(LEVELS[1:], PALETTE[1:], strict=True):
        share = np.clip((terrain - start) * 64 + 128, 0, 256)[:, :, None]  # an edge 4 levels of terrain wide
        ground += ((np.array(colour) - ground) * share) >> 8
    dry = np.clip(terrain - LEVELS[2], 0, 24)  # water is smoother than land
    ground += ((detail * (10 + dry)) >> 6)[:, :, None]
    add_houses(random, ground, terrain)
    return ground.clip(0, 255)


def smooth_noise(random: Random, side: int, cell: int, octaves: int) -> Samples:
    """Noise (side, side) around 128 whose largest features are ``cell`` samples wide; periodic.

    Each octave has half the feature size and half the weight of the one before it.
    """
    total = np.zeros((side, side), np.int64)
    for octave in range(octaves):
        size = max(cell >> octave, 2)
        grid = random.bytes((side // size, side // size)) - 128
        place = np.arange(side) * ONE // size
        fraction = (place & (ONE - 1)) >> 8  # 0…255, eased by 3t² − 2t³ so that the grid does not show
        eased = (fraction * fraction * (768 - 2 * fraction)) >> 16
        index, following = (place >> 16) % len(grid), ((place >> 16) + 1) % len(grid)
        rows = grid[index] * (256 - eased)[:, None] + grid[following] * eased[:, None]
        total += ((rows[:, index] * (256 - eased) + rows[:, following] * eased) >> 16) >> octave
    return total + 128


def add_houses(random: Random, ground: Samples, terrain: Samples) -> None:
    """Roofs with a bright and a dark side, and shadows, on the meadows; in place."""
    side = len(ground)
    unit = max(side // 256, 1)
    for x, y, across, down, colour, _, _, _ in random.bytes((240, 8)).tolist():
        left, top = x * (side - 16 * unit) >> 8, y * (side - 16 * unit) >> 8
        width, height = (3 + across % 6) * unit, (3 + down % 4) * unit
        if not LEVELS[3] + 4 <= terrain[top, left] < LEVELS[5]:
            continue
        roof = np.array(ROOFS[colour % len(ROOFS)])
        ground[top + unit : top + height + unit, left + unit : left + width + unit] >>= 1
        ground[top : top + height, left : left + width] = roof
        ground[top : top + height // 2, left : left + width] = roof * 3 // 4


# ------------------------------------------------------------------------------------------- how it is seen


def camera(number: int, width: int, height: int) -> tuple[Samples, Samples]:
    """Rows and columns (H, W) on the ground, in 1/65536, where the samples of picture ``number`` lie.

    The camera turns about the picture's middle and zooms, over 90 and 70 pictures, and pans without end.
    """
    speed = max(width, height) / DESIGN_WIDTH
    turn = 0.22 * math.sin(math.tau * number / 90)
    zoom = 1 - 0.18 * math.sin(math.tau * (number + 4) / 70)
    cosine, sine = round(ONE * zoom * math.cos(turn)), round(ONE * zoom * math.sin(turn))
    top, left = round(ONE * speed * (60 + 0.9 * number)), round(ONE * speed * (150 + 1.7 * number))
    down = (np.arange(height) - height // 2)[:, None]
    right = (np.arange(width) - width // 2)[None, :]
    return top + sine * right + cosine * down, left + cosine * right - sine * down


def sample(ground: Samples, rows: Samples, columns: Samples) -> Samples:
    """Bilinear samples (H, W, 3) of the periodic ground at positions in 1/65536."""
    side = len(ground)
    top, left = (rows >> 16) % side, (columns >> 16) % side
    bottom, far = (top + 1) % side, (left + 1) % side
    down, right = (((part & (ONE - 1)) >> 8)[:, :, None] for part in (rows, columns))
    upper = ground[top, left] * (256 - right) + ground[top, far] * right
    lower = ground[bottom, left] * (256 - right) + ground[bottom, far] * right
    samples: Samples = (upper * (256 - down) + lower * down + (1 << 15)) >> 16
    return samples


def add_balloon(scene: Samples, number: int) -> None:
    """A striped, shaded ball, which drifts and spins, and its shadow on the ground; in place."""
    height, width = scene.shape[:2]
    phase = math.tau * (number - 6) / 100
    radius = round(ONE * 0.2 * min(width, height))
    down = np.arange(height)[:, None] * ONE - round(ONE * height * (0.46 + 0.12 * math.cos(1.7 * phase)))
    right = np.arange(width)[None, :] * ONE - round(ONE * width * (0.5 + 0.36 * math.sin(phase)))
    shadow = coverage(down - radius // 2, right + 3 * radius // 4, radius)
    scene -= ((scene * shadow[:, :, None]) * 5 // 12) >> 8
    quarter = ONE // 4  # stripes have sharp edges, so each sample is the mean of four
    corners = [(y, x) for y in (-quarter, quarter) for x in (-quarter, quarter)]
    colours = (ball_colours(down + y, right + x, radius, SPIN * number) for y, x in corners)
    ball = sum(colours, np.zeros_like(scene)) >> 2
    scene += ((ball - scene) * coverage(down, right, radius)[:, :, None]) >> 8


def ball_colours(down: Samples, right: Samples, radius: int, spin: int) -> Samples:
    """RGB (H, W, 3) of the ball at distances from its middle; what lies outside is stretched from its rim."""
    y, x = (np.clip(part * 4096 // radius, -4096, 4096) for part in (down, right))  # 1/4096 of the radius
    depth = np.sqrt(np.maximum(4096 * 4096 - y * y - x * x, 0)).astype(np.int64)
    half_chord = np.sqrt(4096 * 4096 - y * y).astype(np.int64)
    meridian = x * 3 * 4096 // (half_chord + 512) + spin  # bends with the ball
    stripe = (meridian // STRIPE + (y + 5 * 4096) // 2200) % len(STRIPES)
    light = np.clip(72 + ((3 * depth - x - 2 * y) * 16 >> 12), 60, 144)
    colours: Samples = np.clip((np.array(STRIPES)[stripe] * light[:, :, None]) >> 7, 0, 255)
    return colours


def coverage(down: Samples, right: Samples, radius: int) -> Samples:
    """How much of each sample a disc covers, 0…256, with an edge about one sample wide."""
    squared = (down >> 8) ** 2 + (right >> 8) ** 2
    reach = radius >> 8
    covered: Samples = np.clip(128 + (reach * reach - squared) // (2 * reach), 0, 256)
    return covered
