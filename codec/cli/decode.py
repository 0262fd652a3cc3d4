"""``mvz decode``."""

from __future__ import annotations

import argparse
import json
import time
from collections import deque

import codec
from codec.cli.terminal import counted, executor_of, open_file, picture_range, progress_bar, say, say_aside, say_notes
from codec.errors import BitstreamError
from codec.settings import parse_background

MOST_REASONS = 8  # lines about damage: with what is missing less than a screenful


def main(options: argparse.Namespace) -> int:
    """Decode, and say what was written, and what could not be."""
    from codec.picture.archive import NotRestoredError

    started = time.perf_counter()
    with open_file(options.file, options, damaged=options.skip_damaged) as video:
        start, stop = picture_range(options, video)
        try:
            missing, note = _write(video, start, stop, options, archive=not options.skip_damaged)
        except NotRestoredError as error:
            if options.output == "-":
                raise
            say_aside(f"mvz: {options.file}: {error}")
            missing, note = _write(video, start, stop, options, archive=False)
        damage = [str(error) for error in video.damage]
    count = stop - start - sum(end - begin for begin, end in missing)
    seconds = time.perf_counter() - started
    if options.json:
        summary = {"output": options.output, "pictures": count, "seconds": seconds, "note": note}
        if options.skip_damaged:
            summary |= {"missing": [list(gap) for gap in missing], "has_end": video.has_end, "damage": damage}
        (say_aside if options.output == "-" else say)(json.dumps(summary))
    elif not options.quiet:
        lossy = f" ({note})" if note else ""
        say_aside(f"{options.output}: {counted(count, 'picture')}, {seconds:.1f} s{lossy}")
    if not (missing or damage):
        return 0
    if not options.json:
        _complain(options.file, missing, damage, None if video.has_end else len(video))
    return 1


def _write(
    video: codec.Video, start: int, stop: int, options: argparse.Namespace, archive: bool
) -> tuple[list[tuple[int, int]], str | None]:
    """Write the pictures asked for; ranges that are missing (first, behind the last), and what the target loses."""
    from codec.picture.alpha import laid_over
    from codec.picture.film_coding import film_coding
    from codec.picture.sinks import open_sink

    background = None if options.background is None else parse_background(options.background)
    picture_format = video.format if background is None else video.format.opaque()
    numbers: deque[int] = deque()  # of pictures that are just being written
    missing, expected = [], start
    with (
        executor_of(options.jobs) as executor,
        progress_bar("decode", options.quiet) as progress,
        open_sink(
            options.output,
            picture_format,
            video.rate,
            force=options.force,
            count=stop - start,
            first=start,
            numbers=iter(numbers.popleft, None),
            inputs=[options.file],
            film=film_coding(options.output, options.film, options.crf),
            archive=archive,
        ) as sink,
    ):
        if options.skip_damaged:
            pictures = video.whole_pictures(start, stop, executor=executor)
        else:
            pictures = enumerate(video.pictures(start, stop, executor=executor), start)
        for number, picture in pictures:
            if number > expected:
                missing.append((expected, number))
            numbers.append(number)
            sink.write(picture if background is None else laid_over(picture, background))
            numbers.clear()  # most targets have no use for it
            expected = number + 1
            progress(codec.Progress(expected - start, stop - start, sink.count * picture_format.raw_bytes))
        if sink.count == 0:
            raise next(iter(video.damage), BitstreamError("no picture is whole", path=video.path, offset=0))
    say_notes(sink.notes, options.quiet)
    if expected < stop:
        missing.append((expected, stop))
    return missing, sink.lossy_note


def _complain(path: str, missing: list[tuple[int, int]], damage: list[str], unknown_from: int | None) -> None:
    """Say what is missing and why, whatever else is kept quiet."""
    for reason in damage[:MOST_REASONS]:
        say_aside(f"mvz: {reason}")
    if len(damage) > MOST_REASONS:
        say_aside(f"mvz: {path}: {len(damage) - MOST_REASONS} more places are damaged")
    names = [str(begin) if end == begin + 1 else f"{begin}…{end - 1}" for begin, end in missing]
    if unknown_from is not None:
        names.append(f"all from {unknown_from} on")
    listed = "missing pictures: " + ", ".join(names) if names else "no picture is missing"
    say_aside(f"mvz: {path}: {listed}")
