"""``mvz compare``."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import codec
from codec.cli.terminal import print_notes, table

if TYPE_CHECKING:
    from codec.measure.metrics import Comparison, PictureError

__all__ = ["main"]

SSIM_MISSING = "SSIM is left out: it needs scikit-image (pip install 'mvz[ssim]'), and sides of at least 11 samples"


def main(options: argparse.Namespace) -> int:
    """Measure how two sequences differ; 1 if they do."""
    from codec.measure.metrics import compare_sequences

    with opened(options.a) as a, opened(options.b) as b:
        result = compare_sequences(a, b, not options.no_ssim, names=(options.a, options.b))
    if options.json:
        print(json.dumps(result.as_dict(), indent=2))
    elif options.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows(_rows(result, "inf"))
    else:
        print(table(_rows(result, "∞")))
        print(f"\n{_verdict(result.whole)}")
        if result.whole.ssim is None and not options.no_ssim:
            print(SSIM_MISSING)
    return 0 if result.whole.total.identical else 1


@contextlib.contextmanager
def opened(spec: str) -> Iterator[Iterable[codec.Picture]]:
    """Pictures of anything that can be encoded."""
    from codec.picture.sources import open_source

    with open_source(spec) as source:
        yield source
        print_notes(source.notes)


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
