"""``mvz verify``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import codec
from codec.cli.terminal import (
    counted,
    decibels,
    executor_of,
    open_file,
    open_pictures,
    progress_bar,
    say,
    say_json,
    watched,
)
from codec.models import PictureType, ResidualCoder

if TYPE_CHECKING:
    from codec.measure.metrics import Comparison


@dataclass
class Findings:
    """What is known so far, under the names that it has in JSON; None is what is not known."""

    file: str
    source: str | None
    ok: bool = True
    reason: codec.CodecError | None = None
    whole: bool | None = None  # whether structure, packets and decoded pictures are as the file says
    packets: int | None = None
    pictures: int | None = None
    gops: int | None = None
    residual: str | None = None
    promised_error: int | None = None  # how far a sample may be off; None also for coders that promise nothing
    comparison: Comparison | None = None  # of source and file
    archived: int = 0  # files of which there is a hash
    restorable: int = 0  # of these, those that come back with that hash

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the keys are the same whatever was found."""
        comparison = self.comparison and self.comparison.whole.as_dict()
        return vars(self) | {"reason": self.reason and str(self.reason), "comparison": comparison}

    def as_lines(self) -> list[str]:
        """The findings in words."""
        lines = []
        if self.whole:
            checked = f"{counted(self.packets or 0, 'packet')} and {counted(self.pictures or 0, 'picture')}"
            lines.append(f"{self.file}: whole; {checked} ({counted(self.gops or 0, 'GOP')}) have their CRC-32")
        if self.archived:
            lines.append(f"{self.file}: {self.restorable} of {self.archived} files come back with their SHA-256")
        if self.comparison:
            lines.append(f"{self.source}: {self._against_source(self.comparison)}")
        return lines

    def _against_source(self, comparison: Comparison) -> str:
        total = comparison.whole.total
        if total.identical:
            return "exact: every sample is the same"
        if self.promised_error is None:
            promise = f"{self.residual} promises nothing"
        elif total.max_error <= self.promised_error:
            promise = f"within the promised {self.promised_error}"
        else:
            promise = f"beyond the promised {self.promised_error}" if self.promised_error else "where exact is promised"
        planes = ", ".join(f"{letter} {decibels(error.psnr)}" for letter, error in comparison.whole.planes.items())
        return f"largest error {total.max_error}, {promise}; PSNR {decibels(total.psnr)} dB ({planes})"


def main(options: argparse.Namespace) -> int:
    """Decode all of a file, compare it with its source if there is one, and say what was found."""
    found = Findings(options.file, options.source)
    try:
        with executor_of(options.jobs) as executor:
            _check(found, executor, options)
    except codec.CodecError as error:
        found.ok, found.reason = False, error
        if isinstance(error, codec.BitstreamError) and not found.whole:
            found.whole = False
    if options.json:
        say_json(found.as_dict())
    else:
        say(*found.as_lines())
    if found.reason:
        raise found.reason
    return 0


def _check(found: Findings, executor: Executor | None, options: argparse.Namespace) -> None:
    """Fill in ``found``, and raise what is wrong with the file or its source."""
    from codec.measure.metrics import compare_sequences
    from codec.picture.archive import WholeFile, is_archived, restored

    failure = None
    with open_file(found.file, options) as video, progress_bar("verify", options.quiet) as progress:
        info = video.info
        found.pictures, found.gops = len(video), len(info.of_type(PictureType.I))
        found.residual = info.header.residual.label
        if info.header.residual is ResidualCoder.LOSSLESS:
            found.promised_error = info.header.max_error
        broken: list[str] = []

        def decoded() -> Iterator[codec.Picture]:
            whole = None
            for number, picture in enumerate(video.pictures(executor=executor)):
                whole = WholeFile.of(picture) if number == 0 else whole
                if whole and whole.is_known:
                    whole.part(picture)
                if is_archived(picture):
                    is_restored = restored(picture) is not None
                    found.archived += 1
                    found.restorable += is_restored
                    broken.extend([f"of picture {number} "] * (is_archived(picture, whole=True) and not is_restored))
                yield picture
            if whole:
                found.archived += 1
                found.restorable += whole.is_right
                broken.extend(["of all pictures "] * (whole.is_known and not whole.is_right))

        if found.source is not None:
            try:
                with open_pictures(found.source, options) as (pictures, _):
                    names = found.source, found.file
                    seen = watched(decoded(), progress, len(video))
                    found.comparison = compare_sequences(pictures, seen, names=names)
            except codec.CodecError as error:
                failure = error  # of source or file: decoding without the source tells which
        if found.comparison is None:
            found.archived = found.restorable = 0
            broken.clear()
            for _ in watched(decoded(), progress, len(video)):
                pass
        # a reader passes over a damaged index (spec 5.6), but a file with one is not whole
        found.packets = sum(1 for _ in video.packets())
    found.whole = True
    if broken:
        raise codec.MediaError(f"{found.file}: the file {broken[0]}does not come back with its SHA-256")
    if failure:
        raise failure
    _refuse_broken_promise(found)


def _refuse_broken_promise(found: Findings) -> None:
    if found.comparison is None or found.promised_error is None:
        return
    errors = [error.total.max_error for error in found.comparison.pictures]
    beyond = [number for number, error in enumerate(errors) if error > found.promised_error]
    if beyond:
        promise = f"at most {found.promised_error}" if found.promised_error else "to be exact"
        raise codec.MediaError(
            f"{found.file}: off by up to {max(errors)} from {found.source}, first in picture {beyond[0]}; "
            f"the file promises {promise}"
        )
