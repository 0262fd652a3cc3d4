"""The block structure of GIF files, for what Pillow does not offer.

https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

__all__ = ["EXTENSION", "IMAGE", "TRAILER", "GifImage", "has_trailer", "split_image"]

EXTENSION, IMAGE, TRAILER = b"!", b",", b";"
_SCREEN_BYTES = 13  # signature, size, flags, background, aspect
_DESCRIPTOR_BYTES = 9  # position, size, flags; after the byte that announces an image


class GifImage(NamedTuple):
    """The picture of a one-picture GIF: its colours, its place on the screen, its compressed indices.

    ``table_code`` is log2 of the number of colours, less one; ``place`` is the descriptor without its flags.
    """

    table_code: int
    table: bytes
    place: bytes
    data: bytes


def split_image(gif: bytes) -> GifImage:
    """Take apart a GIF that we wrote: one picture, with a global colour table, not interlaced."""
    table_code = gif[10] & 7
    offset = _SCREEN_BYTES + 3 * (2 << table_code)
    table = gif[_SCREEN_BYTES:offset]
    while gif[offset : offset + 1] == EXTENSION:
        offset += 2
        while gif[offset]:
            offset += 1 + gif[offset]
        offset += 1
    assert gif[offset : offset + 1] == IMAGE and gif.endswith(TRAILER)
    flags = offset + _DESCRIPTOR_BYTES
    return GifImage(table_code, table, gif[offset + 1 : flags], gif[flags + 1 : -len(TRAILER)])


def has_trailer(file: BinaryIO) -> bool:
    """Whether the blocks of a GIF, from the start of ``file``, lead to its end mark.

    A GIF cut between two pictures has all it needs to look like a shorter one, and Pillow takes it for that.
    """
    screen = file.read(_SCREEN_BYTES)
    if len(screen) < _SCREEN_BYTES:
        return False
    _skip_colour_table(file, screen[10])
    while (kind := file.read(1)) in (
        EXTENSION,
        IMAGE,
        b"\0",
    ):  # zeros between blocks are common, and harmless
        if kind == EXTENSION:
            file.read(1)
        elif kind == IMAGE:
            descriptor = file.read(_DESCRIPTOR_BYTES)
            _skip_colour_table(file, descriptor[-1] if descriptor else 0)
            file.read(1)
        else:
            continue
        while size := file.read(1):
            if size == b"\0":
                break
            file.seek(size[0], 1)
    return kind == TRAILER


def _skip_colour_table(file: BinaryIO, flags: int) -> None:
    """Go past the colour table that ``flags`` announce, if they do."""
    if flags & 0x80:
        file.seek(3 * (2 << (flags & 7)), 1)
