"""``mvz verify``."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import codec
from codec.cli.terminal import counted, executor_of, open_file, open_pictures, progress_bar, say, watched
from codec.models import PictureType, ResidualCoder

if TYPE_CHECKING:
    from codec.measure.metrics import Comparison


@dataclass
class Findings:
    """What is known so far; None is what is not.

    Attributes:
        file: the .mvz file.
        source: what it is held against, if anything.
        whole: whether structure, packets and decoded pictures are as the file says.
        packets, pictures, gops: how many there are.
        promise: how far a sample may be off, 0 for exact; None also for coders that promise nothing.
        coder: the residual coder's name.
        comparison: source against file.
        reason: what is amiss.
    """

    file: str
    source: str | None
    whole: bool | None = None
    packets: int | None = None
    pictures: int | None = None
    gops: int | None = None
    promise: int | None = None
    coder: str | None = None
    comparison: Comparison | None = None
    reason: codec.CodecError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the same keys whatever was found."""
        return {
            "file": self.file,
            "source": self.source,
            "ok": self.reason is None,
            "reason": None if self.reason is None else str(self.reason),
            "whole": self.whole,
            "packets": self.packets,
            "pictures": self.pictures,
            "gops": self.gops,
            "residual": self.coder,
            "promised_error": self.promise,
            "comparison": None if self.comparison is None else self.comparison.whole.as_dict(),
        }

    def as_lines(self) -> list[str]:
        """The same for people."""
        lines = []
        if self.whole:
            checked = f"{counted(self.packets or 0, 'packet')} and {counted(self.pictures or 0, 'picture')}"
            lines.append(f"{self.file}: whole; {checked} ({counted(self.gops or 0, 'GOP')}) have their CRC-32")
        if self.comparison:
            lines.append(f"{self.source}: {self._against_source(self.comparison)}")
        return lines

    def _against_source(self, comparison: Comparison) -> str:
        total = comparison.whole.total
        if total.identical:
            return "exact: every sample is the same"
        if self.promise is None:
            promise = f"{self.coder} promises nothing"
        elif total.max_error <= self.promise:
            promise = f"within the promised {self.promise}"
        else:
            promise = f"beyond the promised {self.promise}" if self.promise else "where exact is promised"
        planes = ", ".join(f"{letter} {_decibels(error.psnr)}" for letter, error in comparison.whole.planes.items())
        return f"largest error {total.max_error}, {promise}; PSNR {_decibels(total.psnr)} dB ({planes})"


def main(options: argparse.Namespace) -> int:
    """Decode all of a file, hold it against its source if there is one, and say what was found."""
    found = Findings(options.file, options.source)
    try:
        with executor_of(options.jobs) as executor:
            _check(found, executor, options)
    except codec.CodecError as error:
        found.reason = error
        if isinstance(error, codec.BitstreamError) and not found.whole:
            found.whole = False
    say(*(json.dumps(found.as_dict(), indent=2).splitlines() if options.json else found.as_lines()))
    if found.reason:
        raise found.reason
    return 0


def _check(found: Findings, executor: Executor | None, options: argparse.Namespace) -> None:
    """Fill in ``found``.

    Raises:
        BitstreamError: the file is damaged.
        MediaError: file or source cannot be read, they are not alike, or the file does not keep its promise.
    """
    from codec.measure.metrics import compare_sequences

    amiss = None
    with open_file(found.file, options) as video, progress_bar("verify", options.quiet) as progress:
        info = video.info
        found.pictures, found.gops = len(video), len(info.of_type(PictureType.I))
        found.coder = info.header.residual.label
        if info.header.residual is ResidualCoder.LOSSLESS:
            found.promise = info.header.max_error
        decoded = partial(video.pictures, executor=executor)
        if found.source is not None:
            try:
                with open_pictures(found.source, options) as (pictures, _):
                    names = found.source, found.file
                    seen = watched(decoded(), progress, len(video))
                    found.comparison = compare_sequences(pictures, seen, names=names)
            except codec.CodecError as error:
                amiss = error  # the source's or the file's: decoding without the source tells
        if found.comparison is None:
            for _ in watched(decoded(), progress, len(video)):
                pass
        # a reader passes over a damaged index (spec 5.6), but a file with one is not whole
        found.packets = sum(1 for _ in video.packets())
    found.whole = True
    if amiss:
        raise amiss
    _refuse_broken_promise(found)


def _refuse_broken_promise(found: Findings) -> None:
    if found.comparison is None or found.promise is None:
        return
    errors = [error.total.max_error for error in found.comparison.pictures]
    beyond = [number for number, error in enumerate(errors) if error > found.promise]
    if beyond:
        promise = f"at most {found.promise}" if found.promise else "to be exact"
        raise codec.MediaError(
            f"{found.file}: off by up to {max(errors)} from {found.source}, first in picture {beyond[0]}; "
            f"the file promises {promise}"
        )


def _decibels(value: float) -> str:
    return f"{value:.2f}".replace("inf", "∞")
