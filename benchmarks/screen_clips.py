"""Clips of screens that a script draws: text that scrolls, a window that moves, a terminal, a plot that grows.

    python benchmarks/screen_clips.py FOLDER

writes each as NAME.y4m (4:2:0) and as a folder NAME of PNG pictures, for the other benchmarks.
Pillow brings the typeface; another version of it may draw other pictures.
"""

from __future__ import annotations

import argparse
import functools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from codec.picture.arrays import picture_of
from codec.picture.colour import rgb_to_yuv
from codec.picture.planes import SampleFormat
from codec.picture.sinks import open_sink

__all__ = ["CLIPS", "images"]

WIDTH, HEIGHT = 640, 360
TEXT = (
    "a picture of one frame is predicted backward from the last decoded picture so that every sample points to "
    "where it came from and what is left over is coded by the residual coder with few bits per sample"
)


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface that Pillow brings."""
    return ImageFont.load_default(size)


def lines(count: int, width: int, seed: int) -> list[str]:
    """So many lines of words."""
    chance = random.Random(seed)
    return [" ".join(chance.choices(TEXT.split(), k=width)) for _ in range(count)]


def page(height: int, seed: int = 1) -> Image.Image:
    """A white page: headings, text, a coloured box here and there."""
    image = Image.new("RGB", (WIDTH, height), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines(height // 18, 11, seed)):
        y = 18 * number + 2
        if number % 12 == 0:
            draw.text((40, y - 4), line[:30].title(), "#1a3a6a", font(18))
        elif number % 12 == 7:
            draw.rectangle((40, y, WIDTH - 60, y + 15), "#fff3c4", "#d0a030")
            draw.text((46, y + 1), line[:60], "#604000", font(11))
        else:
            draw.text((40, y), line, "#202020", font(12))
    return image


def scrolled_text(pictures: int = 24) -> Iterator[Image.Image]:
    """A document that is scrolled by 7 lines of samples a picture, with pauses."""
    whole, top = page(HEIGHT + 7 * pictures), 0
    for number in range(pictures):
        yield whole.crop((0, top, WIDTH, top + HEIGHT))
        top += 0 if number % 8 > 5 else 7


def moved_window(pictures: int = 24) -> Iterator[Image.Image]:
    """A window with a gradient and text that is moved over a desktop."""
    desktop, window = page(HEIGHT, 2), Image.new("RGB", (260, 170), "#ececec")
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    shades = np.stack((40 + across // 8, 90 + down // 5, 150 - across // 16), axis=-1).astype(np.uint8)
    desktop.paste(Image.fromarray(shades[:, 320:]), (320, 0))
    draw = ImageDraw.Draw(window)
    draw.rectangle((0, 0, 259, 22), "#3b6ea5")
    draw.text((8, 4), "Settings", "white", font(12))
    for number, line in enumerate(lines(8, 5, 3)):
        draw.text((14, 32 + 16 * number), line[:38], "black", font(11))
    for number in range(pictures):
        picture = desktop.copy()
        picture.paste(window, (30 + 11 * number, 40 + round(60 * math.sin(number / 5))))
        yield picture


def terminal(pictures: int = 24) -> Iterator[Image.Image]:
    """A dark terminal that prints two lines a picture, and scrolls when it is full."""
    printed: list[str] = []
    for text in zip(lines(pictures, 9, 4), lines(pictures, 6, 5), strict=True):
        printed += [f"{len(printed):05d}  {line}" for line in text]
        picture = Image.new("RGB", (WIDTH, HEIGHT), "#101418")
        draw = ImageDraw.Draw(picture)
        for number, line in enumerate(printed[-22:]):
            draw.text((6, 4 + 16 * number), line, "#40d070" if line[4] in "02468" else "#d0d0d0", font(12))
        draw.rectangle((6, HEIGHT - 10, 13, HEIGHT - 4), "#d0d0d0")
        yield picture


def growing_plot(pictures: int = 24) -> Iterator[Image.Image]:
    """Axes, a grid, and three curves that grow to the right."""
    for number in range(pictures):
        picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
        draw = ImageDraw.Draw(picture)
        for step in range(9):
            draw.line((60 + 65 * step, 20, 60 + 65 * step, 320), "#dddddd")
            draw.line((60, 20 + 37 * step, 580, 20 + 37 * step), "#dddddd")
            draw.text((50 + 65 * step, 326), f"{step / 10:.1f}", "black", font(11))
        for curve, colour in enumerate(("#1f77b4", "#ff7f0e", "#2ca02c")):
            shown = range(60, 80 + 20 * number)
            draw.line([(x, 170 + (90 - 20 * curve) * math.sin(x / (37 + 11 * curve))) for x in shown], colour, 2)
        draw.rectangle((60, 20, 580, 320), outline="black")
        yield picture


CLIPS: dict[str, Callable[[], Iterator[Image.Image]]] = {
    "scrolled-text": scrolled_text,
    "moved-window": moved_window,
    "terminal": terminal,
    "growing-plot": growing_plot,
}
"""What there is, by name."""


def images(name: str) -> list[Image.Image]:
    """The pictures of one of `CLIPS`."""
    return list(CLIPS[name]())


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in CLIPS:
        pictures = [picture_of(image, name, f"{number:04d}.png") for number, image in enumerate(images(name))]
        subsampled = replace(pictures[0].format, sample_format=SampleFormat.YUV420)
        with (
            open_sink(folder / name, pictures[0].format, Fraction(25), force=True) as pngs,
            open_sink(folder / f"{name}.y4m", subsampled, Fraction(25), force=True) as y4m,
        ):
            for picture in pictures:
                pngs.write(picture)
                y4m.write(rgb_to_yuv(picture, subsampled))
        print(f"{folder / name}.y4m")


if __name__ == "__main__":
    main()
