"""``mvz compare``."""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING

from codec.cli.terminal import open_pictures, progress_bar, say, table, watched
from codec.errors import ConfigError

if TYPE_CHECKING:
    from codec.measure.metrics import Comparison, PictureError

SSIM_MISSING = "SSIM is left out: it needs scikit-image (pip install 'mvz[ssim]'), and sides of at least 11 samples"


def main(options: argparse.Namespace) -> int:
    """Measure how two sequences differ; 1 if they do."""
    from codec.measure.metrics import compare_sequences

    if options.json and options.csv:
        raise ConfigError("--csv has no effect with --json")
    with (
        open_pictures(options.a, options) as (a, count),
        open_pictures(options.b, options) as (b, _),
        progress_bar("compare", options.quiet) as progress,
    ):
        result = compare_sequences(watched(a, progress, count), b, not options.no_ssim, names=(options.a, options.b))
    if options.json:
        say(*json.dumps(result.as_dict(), indent=2).splitlines())
    elif options.csv:
        say(*(",".join(row) for row in _rows(result, "inf")))
    else:
        say(*table(_rows(result, "∞")), "", _verdict(result.whole))
        if result.whole.ssim is None and not options.no_ssim:
            say(SSIM_MISSING)
    return 0 if result.whole.total.identical else 1


def _rows(result: Comparison, infinite: str) -> list[list[str]]:
    letters = list(result.whole.planes)
    several = letters if len(letters) > 1 else []
    heading = ["picture", "MSE", "PSNR dB", *(f"PSNR-{letter}" for letter in several), "SNR dB", "max", "SSIM"]
    rows = [heading]
    for name, error in [*((str(n), e) for n, e in enumerate(result.pictures)), ("all", result.whole)]:
        planes = [_decibels(error.planes[letter].psnr, infinite) for letter in several]
        rows.append(
            [
                name,
                f"{error.total.mse:.4f}",
                _decibels(error.total.psnr, infinite),
                *planes,
                _decibels(error.total.snr, infinite),
                str(error.total.max_error),
                "–" if error.ssim is None else f"{error.ssim:.5f}",
            ]
        )
    return rows


def _decibels(value: float, infinite: str) -> str:
    return infinite if math.isinf(value) and value > 0 else f"{value:.2f}"


def _verdict(error: PictureError) -> str:
    if error.total.identical:
        return "identical: every sample is the same, so MSE is 0 and PSNR infinite"
    return (
        f"MSE {error.total.mse:.4f} a sample (0…255), PSNR {error.total.psnr:.2f} dB from that one MSE, "
        f"largest difference {error.total.max_error}"
    )
