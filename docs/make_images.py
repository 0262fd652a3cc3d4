"""Make the pictures of README and lesson again, by the commands that they show: ``python docs/make_images.py``.

The pages are photographed by Chromium through playwright (extra ``mvz[browser]``); without it they are left as
they are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parent / "images"
WIDEST = 900  # samples
DRAWINGS = {
    "vectors": ("block/0006_vectors.png", 800),
    "why_backward": ("block/0006_why_backward.png", 600),
    "residual": ("block/0006_residual.png", 640),
    "mesh": ("mesh/0006_mesh.png", WIDEST),
}
"""Which drawing each picture is, and how wide."""


def mvz(*arguments: object) -> None:
    """Run a command of this package."""
    subprocess.run([sys.executable, "-m", "codec", *map(str, arguments)], check=True)


def save_small(source: Path, name: str, widest: int = WIDEST) -> None:
    """Write a picture of at most ``widest`` samples across with 256 colours.

    They are spread over all that occur, since rare colours are those of arrows, and mixed by dithering.
    """
    with Image.open(source) as image:
        picture = image.convert("RGB")
    if picture.width > widest:
        picture = picture.resize((widest, round(picture.height * widest / picture.width)), Image.Resampling.LANCZOS)
    palette = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE)
    mixed = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    mixed.save(IMAGES / f"{name}.png", optimize=True)


def photograph(folder: Path) -> None:
    """The report's first plot, and the inspector with a layer on top."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 780})
        page.goto(f"{(folder / 'demo' / 'inspect.html').as_uri()}#picture=6&show=bits,vectors")
        page.wait_for_selector("body[data-shown='6']")
        page.mouse.move(330, 330)
        page.wait_for_timeout(300)
        page.screenshot(path=folder / "inspector.png")
        page.goto((folder / "demo" / "report.html").as_uri())
        page.locator("figure.card").first.screenshot(path=folder / "report.png")
        browser.close()
    for name in ("inspector", "report"):
        save_small(folder / f"{name}.png", name)


def main() -> None:
    """Make all of them."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mvz("demo", "-o", folder / "demo", "--quiet")
        for motion in ("block", "mesh"):
            file = folder / f"{motion}.mvz"
            mvz("encode", folder / "demo" / "scene", "-o", file, "--residual", "int8", "--step", 8, "--motion", motion)
            mvz("plot", file, "-o", folder / motion, "--pictures", 6)
        for image, (source, widest) in DRAWINGS.items():
            save_small(folder / source, image, widest)
        try:
            photograph(folder)
        except ImportError:
            print("no playwright: pictures of pages are left as they are", file=sys.stderr)


if __name__ == "__main__":
    main()
