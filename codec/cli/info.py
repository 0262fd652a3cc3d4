"""``mvz info``."""

from __future__ import annotations

import argparse
from collections import Counter

import codec
from codec.cli.terminal import counted, open_file, say, say_json, table, thousands
from codec.models import MotionModel, PictureType, ResidualCoder

MOST_ATTACHMENTS = 12  # a line
MOST_PICTURES = 32  # longer files list their pictures only when asked: a screenful


def main(options: argparse.Namespace) -> int:
    """Tell what is in a file."""
    with open_file(options.file, options) as video:
        info = video.inventory(shares=options.pictures)
    if options.json:
        say_json(info.as_dict())
        return 0
    parts = [_heading(info), table(_component_rows(info)), table(_type_rows(info))]
    if options.pictures or len(info.pictures) <= MOST_PICTURES:
        parts.append(table(_picture_rows(info)))
        if any(picture.estimated for picture in info.pictures):
            parts.append(
                ["≈ estimated: pictures that share a packet share its bytes by the entropy of their symbols"]
                if info.pictures[0].bytes
                else ["pictures share a packet; --pictures estimates what each takes of it"]
            )
    else:
        parts.append([f"--pictures lists all {len(info.pictures)} pictures"])
    say(*parts[0])
    for part in parts[1:]:
        say("", *part)
    return 0


def _heading(info: codec.Inventory) -> list[str]:
    header = info.header
    count = len(info.pictures)
    motion = header.motion.label
    if header.motion is not MotionModel.NONE:
        side = header.cell_size
        sizes = "8×8 to 32×32" if header.residual is ResidualCoder.DCT else f"{side}×{side}"
        motion += f" of {sizes}, within ±{header.vector_limit_quarter_pel / 4:g} samples"
    residual = header.residual.label
    if header.coded_format != header.format:
        residual += f" of {header.coded_format.sample_format.label}"
    if header.max_error:
        residual += f" but for ±{header.max_error} a sample"
    lines = [
        f"{info.path}: {thousands(info.file_bytes)} bytes for {thousands(info.source_bytes)}, "
        f"{info.ratio:.2f} : 1, {info.bits_per_pixel:.3f} bits a pixel",
        f"{counted(count, 'picture')} of {header.format}, {header.rate} a second ({float(count / header.rate):.2f} s)",
        f"residual {residual}; motion {motion}; at most {header.gop_limit} pictures a GOP",
    ]
    if coded := _coded_samples(info):
        lines.append(coded)
    if colour := str(header.format.colour):
        lines.append(f"colour: {colour}")
    durations = {1 / header.rate if picture.duration is None else picture.duration for picture in info.pictures}
    if durations != {1 / header.rate}:
        shortest, longest = (float(1000 * duration) for duration in (min(durations), max(durations)))
        lines.append(f"pictures shown for {shortest:g} to {longest:g} ms each")
    if came_with := _attachments(info):
        lines.append(f"with the pictures: {came_with}")
    return lines + [f"{key}: {value}" for key, value in info.metadata.items()]


def _coded_samples(info: codec.Inventory) -> str:
    """How samples are coded, where that is not as they are."""
    bits = [picture.coded_bits for picture in info.pictures]
    said = [] if set(bits) == {info.header.format.bit_depth} else [f"coded with {_span(bits)} bits"]
    maps = [picture.mapped_values for picture in info.pictures if picture.mapped_values]
    possible = thousands(1 << info.header.format.bit_depth)
    for plane, name in enumerate(("samples", "alpha")):
        if counts := [of_picture[plane] for of_picture in maps if of_picture[plane:] and of_picture[plane]]:
            where = "" if len(counts) == len(bits) else f" in {len(counts)} of {counted(len(bits), 'picture')}"
            said.append(f"{name} of {_span(counts)} of {possible} values, by value maps{where}")
    return "; ".join(said)


def _span(numbers: list[int]) -> str:
    return " to ".join(thousands(number) for number in dict.fromkeys((min(numbers), max(numbers))))


def _attachments(info: codec.Inventory) -> str:
    """What came with the pictures, and with how many of them."""
    counts = Counter(key for picture in info.pictures for key in picture.attachments)
    of_all = len(info.pictures)
    said = [key if count == of_all else f"{key} ({count} of {of_all})" for key, count in counts.most_common()]
    more = [f"{len(said) - MOST_ATTACHMENTS} more"] if len(said) > MOST_ATTACHMENTS else []
    return ", ".join(said[:MOST_ATTACHMENTS] + more)


def _component_rows(info: codec.Inventory) -> list[list[str]]:
    shares = [[name, thousands(size), f"{size / info.file_bytes:.1%}"] for name, size in info.bytes.items() if size]
    return [["component", "bytes", "share"], *shares]


def _type_rows(info: codec.Inventory) -> list[list[str]]:
    rows = [["type", "pictures", "bytes", "mean"]]
    for type_ in PictureType:
        pictures = info.of_type(type_)
        if pictures:
            known = [picture.total_bytes for picture in pictures if picture.total_bytes is not None]
            sizes = [thousands(sum(known)), thousands(sum(known) / len(known))] if known else ["–", "–"]
            rows.append([type_.name, str(len(pictures)), *sizes])
    return rows


def _picture_rows(info: codec.Inventory) -> list[list[str]]:
    components = (
        [name for name, size in info.bytes.items() if size] if all(picture.bytes for picture in info.pictures) else []
    )
    rows = [["picture", "type", "bytes", *components, "qp" if info.pictures[0].qps else "step", "name"]]
    for picture in info.pictures:
        total = picture.total_bytes
        size = "–" if total is None else f"{'≈ ' if picture.estimated else ''}{thousands(total)}"
        parts = [thousands(picture.bytes[component]) for component in components]
        dial = "/".join(map(str, picture.qps[:1] or dict.fromkeys(f"{step:.4g}" for step in picture.steps)))
        rows.append([str(picture.number), picture.type.name, size, *parts, dial or "–", picture.name or "–"])
    return rows
