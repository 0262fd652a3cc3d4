"""Directories of TIFF and Exif, whose tags are kept as they are but for their place and the order of bytes.

TIFF: https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import numpy as np

__all__ = [
    *("ASCII", "BYTES", "LONG", "OF_EXIF", "SHORT", "Entry"),
    *("as_stored", "directory_bytes", "exif_entries", "exif_of", "first_directory", "rationals"),
]

BYTES, ASCII, SHORT, LONG, _RATIONAL = range(1, 6)
# Of each kind of number, its bytes and those of the whole numbers that it is made of
_SIZES = {1: (1, 1), 2: (1, 1), 3: (2, 2), 4: (4, 4), 5: (8, 4), 6: (1, 1), 7: (1, 1), 8: (2, 2), 9: (4, 4), 10: (8, 4)}
_SIZES |= {11: (4, 4), 12: (8, 8), 13: (4, 4), 16: (8, 8)}
_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965  # tags whose value is the place of another directory
_HEADS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_MOST_BYTES, _MOST_ENTRIES = 1 << 24, 1 << 12
_LAYOUTS = (("H", "HHI4s", "I"), ("Q", "HHQ8s", "Q"))  # the count of entries, an entry, a place; if large the others
_ORIENTATION = 274
# The maker and model of a camera, orientation, time, computer, rating, and Windows' own texts
OF_EXIF = frozenset((271, 272, _ORIENTATION, 306, 316, 18246, *range(40091, 40096), _EXIF, _GPS))


class Entry(NamedTuple):
    """The value of a tag: its kind, and its bytes with the lower ones first, or the directory that it leads to."""

    kind: int
    value: bytes | Mapping[int, Entry]


_UPRIGHT = Entry(SHORT, b"\1\0")


def rationals(*values: float) -> Entry:
    """An entry of numbers that are not whole."""
    ratios = [Fraction(value).limit_denominator(65535) for value in values]
    return Entry(_RATIONAL, b"".join(struct.pack("<II", ratio.numerator, ratio.denominator) for ratio in ratios))


def as_stored(file: BinaryIO) -> BinaryIO:
    """A TIFF that does not say how to turn its pictures, so that nobody does; a copy in memory where it did.

    `ValueError` where it is none, or damaged.
    """
    said = first_directory(file, (_ORIENTATION,)).get(_ORIENTATION)
    file.seek(0)
    if said in (None, _UPRIGHT):
        return file
    data = bytearray(file.read())
    order, is_large = _kind(data)
    count, entry, place = (order + layout for layout in _LAYOUTS[is_large])
    head, each = struct.calcsize(count), struct.calcsize(entry)
    (start,) = struct.unpack_from(place, data, 8 if is_large else 4)
    left = len(data)  # bytes for directories, if no two have the same ones
    while start:
        end = start + head + struct.unpack_from(count, data, start)[0] * each
        if (left := left - (end - start)) < 0:
            raise ValueError("has directories that overlap")
        for at in range(start + head, end, each):
            if struct.unpack_from(entry, data, at)[:2] == (_ORIENTATION, SHORT):
                struct.pack_into(order + "H", data, at + each - struct.calcsize(place), 1)
        (start,) = struct.unpack_from(place, data, end)
    return io.BytesIO(data)


def first_directory(file: BinaryIO, tags: Collection[int] = OF_EXIF) -> dict[int, Entry]:
    """Those ``tags`` that the first directory of a TIFF or Exif has, and all of the directories that they lead to.

    Raises:
        ValueError: it is none, or it is damaged.
    """
    file.seek(0)
    head = file.read(16)
    order, is_large = _kind(head)
    try:
        (place,) = struct.unpack_from(order + ("8xQ" if is_large else "4xI"), head)
        return _Reader(file, order, is_large).directory(place, tags, 3)
    except (struct.error, OverflowError) as error:
        raise ValueError("is no TIFF, or is damaged") from error


def _kind(head: bytes | bytearray) -> tuple[str, bool]:
    """The order of bytes of a TIFF that begins so, and whether its places have 8 bytes."""
    return _HEADS.get(bytes(head[:4]), ""), b"+" in head[2:4]


class _Reader:
    """Reads directories, and from a hostile file no more than `_MOST_BYTES`."""

    def __init__(self, file: BinaryIO, order: str, is_large: bool) -> None:
        self._file, self._order = file, order
        self._count, self._entry, self._place = _LAYOUTS[is_large]
        self._left = _MOST_BYTES

    def _read(self, layout: str, times: int = 1) -> bytes:
        size = struct.calcsize(self._order + layout) * times
        self._left -= size
        if self._left < 0 or len(data := self._file.read(size)) < size:
            raise ValueError("is cut, or has too much")
        return data

    def directory(self, place: int, tags: Collection[int] | None, depth: int) -> dict[int, Entry]:
        """The entries of the directory at ``place``, of those ``tags`` alone unless None."""
        self._file.seek(place)
        (count,) = struct.unpack(self._order + self._count, self._read(self._count))
        if count > _MOST_ENTRIES:
            raise ValueError(f"has a directory of {count} entries")
        found = {}
        for tag, kind, length, field in struct.iter_unpack(self._order + self._entry, self._read(self._entry, count)):
            if kind not in _SIZES or (tags is not None and tag not in tags):
                continue
            size, unit = _SIZES[kind]
            value = field[: size * length]
            if size * length > len(field):
                self._file.seek(struct.unpack(self._order + self._place, field)[0])
                value = self._read("B", size * length)
            value = np.frombuffer(value, f"{self._order}u{unit}").astype(f"<u{unit}").tobytes()
            if tag not in (_EXIF, _GPS, _INTEROPERABILITY):
                found[tag] = Entry(kind, value)
            elif depth:
                found[tag] = Entry(LONG, self.directory(int.from_bytes(value, "little"), None, depth - 1))
        return found


def directory_bytes(entries: Mapping[int, Entry], place: int) -> bytes:
    """A directory that stands at ``place``, an even number, and what its entries lead to.

    Its place of the next directory, behind the entries, is 0.
    """
    start = place + 2 + 12 * len(entries) + 4
    rows, values = b"", b""
    for tag, (kind, value) in sorted(entries.items()):
        is_place = not isinstance(value, bytes)
        data = value if isinstance(value, bytes) else directory_bytes(value, start + len(values))
        count = 1 if is_place else len(data) // _SIZES[kind][0]
        if is_place or len(data) > 4:
            field = struct.pack("<I", start + len(values))
            values += data + b"\0" * (len(data) % 2)
        else:
            field = data.ljust(4, b"\0")
        rows += struct.pack("<HHI4s", tag, kind, count, field)
    return struct.pack("<H", len(entries)) + rows + bytes(4) + values


def exif_of(entries: Mapping[int, Entry]) -> bytes:
    """Exif with those of the entries of a TIFF that belong there; nothing where they say nothing."""
    said = {tag: entry for tag, entry in entries.items() if tag in OF_EXIF}
    if said.get(_ORIENTATION) == _UPRIGHT:
        del said[_ORIENTATION]
    return b"II*\0\x08\0\0\0" + directory_bytes(said, 8) if said else b""


def exif_entries(exif: bytes) -> dict[int, Entry]:
    """The inverse; no entries where it is no Exif."""
    try:
        return first_directory(io.BytesIO(exif))
    except ValueError:
        return {}
