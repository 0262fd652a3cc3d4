"""``mvz compare``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from codec.cli.terminal import decibels, open_pictures, progress_bar, say, say_json, table, watched
from codec.errors import ConfigError

if TYPE_CHECKING:
    from codec.measure.metrics import Comparison

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
        say_json(result.as_dict())
    elif options.csv:
        say(*(",".join(row) for row in _rows(result, "inf")))
    else:
        say(*table(_rows(result, "∞")), "", _verdict(result))
        if result.whole.ssim is None and not options.no_ssim:
            say(SSIM_MISSING)
    return 0 if result.whole.total.identical else 1


def _rows(result: Comparison, infinite: str) -> list[list[str]]:
    letters = list(result.whole.planes) if len(result.whole.planes) > 1 else []
    rows = [["picture", "MSE", "PSNR dB", *(f"PSNR-{letter}" for letter in letters), "SNR dB", "max", "SSIM"]]
    for name, error in [*enumerate(result.pictures), ("all", result.whole)]:
        total = error.total
        ratios = [total.psnr, *(error.planes[letter].psnr for letter in letters), total.snr]
        ssim = "–" if error.ssim is None else f"{error.ssim:.5f}"
        rows.append(
            [
                str(name),
                f"{total.mse:.4f}",
                *(decibels(ratio, infinite) for ratio in ratios),
                str(total.max_error),
                ssim,
            ]
        )
    return rows


def _verdict(result: Comparison) -> str:
    total = result.whole.total
    if total.identical:
        return "identical: every sample is the same, so MSE is 0 and PSNR infinite"
    alpha = ", alpha counted as the other planes" if "A" in result.whole.planes else ""
    steps = "; in steps from one float16 number to the next" if result.format.is_float else ""
    return (
        f"MSE {total.mse:.4f} a sample (0…{total.peak}), PSNR {total.psnr:.2f} dB from that one MSE, "
        f"largest difference {total.max_error}{alpha}{steps}"
    )
