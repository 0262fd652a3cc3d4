"""Random GIF and APNG files, and what their pictures are, written plainly from the formats' texts.

Nothing here uses the readers of the package.

APNG: https://www.w3.org/TR/png-3/  GIF: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import math
import struct
import zlib
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from codec.picture.colour import to_array
from codec.picture.sources import open_source

LEAVE, CLEAR, RESTORE = "leave", "clear", "restore"


class Frame(NamedTuple):
    """What a file says of one frame; ``rows`` are its pixels, each (red, green, blue, alpha)."""

    left: int
    top: int
    rows: list
    disposal: str
    blends: bool


class AnimationFile(NamedTuple):
    """The bytes of a file, and what is in it."""

    suffix: str
    data: bytes
    width: int
    height: int
    frames: list
    is_gray: bool = False


# What the pictures are


def pictures_of(file):
    """Every picture as rows of pixels; a pixel that nothing covers is (0, 0, 0, 0)."""
    canvas = {(x, y): (0, 0, 0, 0) for y in range(file.height) for x in range(file.width)}
    for frame in file.frames:
        before = dict(canvas)
        covered = []
        for y, row in enumerate(frame.rows, frame.top):
            for x, pixel in enumerate(row, frame.left):
                if (x, y) in canvas:
                    covered.append((x, y))
                    canvas[x, y] = over(pixel, canvas[x, y]) if frame.blends else pixel
        yield [[canvas[x, y] for x in range(file.width)] for y in range(file.height)]
        for place in covered:
            if frame.disposal == CLEAR:
                canvas[place] = (0, 0, 0, 0)
            elif frame.disposal == RESTORE:
                canvas[place] = before[place]


def over(above, below):
    """One pixel over another, in whole numbers nearest to the exact ones; one that is clear changes nothing."""
    if above[3] == 0:
        return below
    above_part = Fraction(above[3], 255)
    below_part = Fraction(below[3], 255) * (1 - above_part)
    alpha = above_part + below_part
    colours = ((a * above_part + b * below_part) / alpha for a, b in zip(above[:3], below[:3], strict=True))
    return (*(math.floor(colour + Fraction(1, 2)) for colour in colours), math.floor(255 * alpha + Fraction(1, 2)))


# Files


def random_place(rng, width, height, whole):
    """Left, top, width and height inside a canvas; all of it if ``whole``."""
    if whole:
        return 0, 0, width, height
    left, top = rng.randrange(width), rng.randrange(height)
    return left, top, rng.randint(1, width - left), rng.randint(1, height - top)


def random_apng(rng):
    """An APNG of any colour type and depth up to 8 bits, interlaced or not, with or without a stand-in."""
    width, height = rng.randint(1, 9), rng.randint(1, 9)
    colour_type, depth = rng.choice(
        [(0, 1), (0, 2), (0, 4), (0, 8), (2, 8), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (6, 8), (6, 8), (6, 8)]
    )
    interlaced, levels = rng.randint(0, 1), 1 << depth
    palette = [tuple(rng.randrange(256) for _ in range(3)) for _ in range(levels)]
    alphas = [rng.choice([0, 100, 255, 255, 255]) for _ in range(rng.randint(1, levels))]
    key = tuple(rng.randrange(levels) for _ in range(3 if colour_type == 2 else 1))
    has_key = rng.random() < 0.5
    alpha_choice = rng.choice([[255], [0, 255], [0, 1, 77, 128, 254, 255], range(256)])

    def stored(solid):
        """One pixel as the file has it, and its colour."""
        if colour_type == 3:
            index = rng.randrange(levels)
            alpha = alphas[index] if has_key and index < len(alphas) else 255
            return (index,), (*palette[index], alpha)
        channels = 3 if colour_type in (2, 6) else 1
        values = tuple(rng.randrange(levels) for _ in range(channels))
        if has_key and rng.random() < 0.3:
            values = key if len(key) == channels else values
        shown = tuple(value * 255 // (levels - 1) for value in values) * (3 if channels == 1 else 1)
        if colour_type >= 4:
            alpha = 255 if solid else rng.choice(alpha_choice)
            return (*values, alpha), (*shown, alpha)
        return values, (*shown, 0 if has_key and values == key else 255)

    def drawn(columns, rows, solid):
        """Compressed pixels of a frame, and their colours."""
        pixels = [[stored(solid) for _ in range(columns)] for _ in range(rows)]
        values = [[value for value, _ in row] for row in pixels]
        return zlib.compress(scanlines(values, depth, interlaced)), [[colour for _, colour in row] for row in pixels]

    count, hidden = rng.randint(1, 6), rng.random() < 0.3
    out = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced))
    shared = chunk(b"PLTE", bytes(sum(palette, ()))) if colour_type == 3 else b""
    if has_key and colour_type == 3:
        shared += chunk(b"tRNS", bytes(alphas))
    elif has_key and colour_type in (0, 2):
        shared += chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    control = chunk(b"acTL", struct.pack(">II", count, rng.randint(0, 2)))
    out += rng.choice([control + shared, shared + control])
    if hidden:
        out += split_chunks(rng, b"IDAT", drawn(width, height, False)[0], None)[0]
    frames, sequence = [], 0
    mostly = rng.choice([[0, 0, 0, 2], [0, 1, 2]])
    for number in range(count):
        shown_first = number == 0 and not hidden
        left, top, columns, rows = random_place(rng, width, height, shown_first or rng.random() < 0.2)
        disposal, blend = rng.choice(mostly), rng.randint(0, 1)
        compressed, colours = drawn(columns, rows, number == 0 and rng.random() < 0.7)
        out += chunk(
            b"fcTL",
            struct.pack(">IIIIIHHBB", sequence, columns, rows, left, top, 1, 25, disposal, blend),
        )
        sequence += 1
        data, sequence = split_chunks(rng, b"IDAT" if shown_first else b"fdAT", compressed, sequence)
        out += data
        frames.append(Frame(left, top, colours, (LEAVE, CLEAR, RESTORE)[disposal], bool(blend)))
    png = b"\x89PNG\r\n\x1a\n" + out + chunk(b"tEXt", b"a\0b") + chunk(b"IEND", b"")
    return AnimationFile(".png", png, width, height, frames, colour_type in (0, 4))


def chunk(kind, payload):
    """A PNG chunk."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def split_chunks(rng, kind, data, sequence):
    """The same data in one to three chunks; fdAT chunks count on from ``sequence``, which is returned."""
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(0, 2)))
    out = b""
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        if kind == b"fdAT":
            out += chunk(kind, struct.pack(">I", sequence) + data[begin:end])
            sequence += 1
        else:
            out += chunk(kind, data[begin:end])
    return out, sequence


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def scanlines(rows, depth, interlaced):
    """Unfiltered PNG scanlines of pixels that are tuples of samples; left, top, step across and down of each pass."""
    out = b""
    for left, top, across, down in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        for row in rows[top::down]:
            samples = [sample for pixel in row[left::across] for sample in pixel]
            if samples:
                bits = "".join(f"{sample:0{depth}b}" for sample in samples)
                bits += "0" * (-len(bits) % 8)
                out += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    return out


def random_gif(rng):
    """A GIF with any disposals, colour tables, transparency, interlace, and images that leave the screen."""
    screen_width, screen_height = rng.randint(1, 9), rng.randint(1, 9)
    global_table = random_table(rng) if rng.random() < 0.7 else b""
    frames, blocks = [], b""
    width, height = screen_width, screen_height
    mostly = rng.choice([[0, 0, 1, 3], [0, 1, 2, 3]])
    for number in range(rng.randint(1, 6)):
        left, top, columns, rows = random_place(
            rng, screen_width, screen_height, rng.random() < (0.9 if number == 0 else 0.2)
        )
        if rng.random() < 0.1:
            columns, rows = columns + rng.randrange(4), rows + rng.randrange(4)
        if number == 0:
            width, height = max(width, left + columns), max(height, top + rows)
        local_table = random_table(rng) if not global_table or rng.random() < 0.4 else b""
        table = local_table or global_table
        size = len(table) // 3
        solid = number == 0 and rng.random() < 0.7
        transparent = rng.randrange(min(size + 2, 256)) if rng.random() < 0.6 and not solid else None
        usable = [*range(size), *([transparent] * (1 + size // 2) if transparent is not None else [])]
        indices = [[rng.choice(usable) for _ in range(columns)] for _ in range(rows)]
        disposal, interlaced = rng.choice(mostly), rng.randint(0, 1)
        if transparent is not None or disposal or rng.random() < 0.7:
            flags = disposal << 2 | (transparent is not None)
            blocks += b"!\xf9\x04" + struct.pack("<BHB", flags, 4, transparent or 0) + b"\0"
        blocks += rng.choice([b"", b"", b"\0", b"!\xfe\x03abc\x02,;\0"])
        descriptor = interlaced << 6 | (0x80 | table_code(local_table) if local_table else 0)
        blocks += b"," + struct.pack("<HHHHB", left, top, columns, rows, descriptor) + local_table
        blocks += compressed_indices(rng, interlace(indices) if interlaced else indices)
        colours = [
            [(0, 0, 0, 0) if index == transparent else (*table[3 * index : 3 * index + 3], 255) for index in row]
            for row in indices
        ]
        frames.append(Frame(left, top, colours, (LEAVE, LEAVE, CLEAR, RESTORE)[disposal], True))
    flags = 0x80 | table_code(global_table) if global_table else 0
    screen = struct.pack("<HHBBB", screen_width, screen_height, flags, rng.randrange(256), 0)
    return AnimationFile(".gif", b"GIF89a" + screen + global_table + blocks + b";", width, height, frames)


def random_table(rng):
    """A colour table of 2, 4 … 256 colours, now and then the gray ramp."""
    size = 2 << rng.randrange(8)
    if rng.random() < 0.2:
        return bytes(value for value in range(size) for _ in range(3))
    return bytes(rng.randrange(256) for _ in range(3 * size))


def table_code(table):
    """The three bits that say how long a colour table is."""
    return (len(table) // 3).bit_length() - 2


def interlace(rows):
    """Rows in the order of an interlaced GIF (appendix E)."""
    return rows[0::8] + rows[4::8] + rows[2::4] + rows[1::2]


def compressed_indices(rng, rows):
    """LZW codes of the indices, without matches: a clear code comes before codes would become longer."""
    indices = [index for row in rows for index in row]
    code_size = rng.randint(max(2, max(indices, default=0).bit_length()), 8)
    clear = 1 << code_size
    codes = []
    for number, index in enumerate(indices):
        codes += [clear] if number % (clear - 2) == 0 else []
        codes.append(index)
    bits = sum(code << (code_size + 1) * number for number, code in enumerate([*codes, clear + 1]))
    data = bits.to_bytes(((len(codes) + 1) * (code_size + 1) + 7) // 8, "little")
    out = bytes([code_size])
    while data:
        length = rng.randint(1, 255)
        out += bytes([len(data[:length])]) + data[:length]
        data = data[length:]
    return out + b"\0"


# Reading them


def check(file, path):
    """Read a file, as it ought to be read: exact pictures, with alpha if one of them is not opaque.

    Returns "opaque" if all are, or else "alpha"; raises AssertionError where a reader is wrong.
    """
    path.write_bytes(file.data)
    expected = np.array(list(pictures_of(file)), np.uint8)
    opaque = [bool((picture[:, :, 3] == 255).all()) for picture in expected]
    with open_source(path) as source:
        assert len(expected) == source.count
        assert source.format.sample_format.has_alpha is not all(opaque)
        if not all(opaque):
            number = f" picture {opaque.index(False)}" if len(expected) > 1 else ""
            assert source.transparent == f"{path}:{number}"
        read = [to_array(picture) for picture in source]
    for number, picture in enumerate(read):
        assert np.array_equal(expected_samples(file, expected[number], not all(opaque)), picture), number
    return "opaque" if all(opaque) else "alpha"


def expected_samples(file, rgba, has_alpha):
    """Samples as they ought to be read of a composed picture, (H, W, 4)."""
    channels = ([0] if file.is_gray else [0, 1, 2]) + [3] * has_alpha
    return rgba[..., channels[0] if len(channels) == 1 else channels]


KINDS = {"APNG": random_apng, "GIF": random_gif}
