"""What comes with a picture beside its samples, in the files that have a place for it (spec 5.8).

PNG: https://www.w3.org/TR/png-3/. Of other files Pillow reads it, and writes it.
"""

from __future__ import annotations

import contextlib
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, BinaryIO

from codec.errors import ConfigError
from codec.picture.film_coding import FILM_SUFFIXES
from codec.picture.planes import Colour, ColourPrimaries, ColourRange, ColourTransfer, Picture
from codec.picture.tiff_tags import (
    ASCII,
    BYTES,
    OF_EXIF,
    SHORT,
    Entry,
    exif_entries,
    exif_of,
    first_directory,
    rationals,
)

__all__ = [
    *("FIELDS", "FIELD_ORDERS", "PIXEL_ASPECT", "TIMECODE", "aspect_of", "chunk", "chunk_heads", "colour_of", "kept"),
    *("lost", "of_pillow", "of_png", "of_tiff", "played", "plays", "png_chunks", "sides", "tiff_entries"),
    "with_colour",
]

Attachments = Mapping[str, bytes]
PIXEL_ASPECT, FIELDS = "pixel_aspect", "fields"
FIELD_ORDERS = (b"t", b"b", b"m")
TIMECODE = re.compile(rb"[0-9]{2}:[0-9]{2}:[0-9]{2}[:;.][0-9]{2,3}")

_MOST_BYTES = 1 << 24  # of one attachment: readers of .mvz take no more
_MOST_PLAYS = 1 << 16
_METRES_AN_INCH = 0.0254
_EXIF_HEAD = b"Exif\0\0"  # which PNG and we do without
_XMP_KEYWORD = "XML:com.adobe.xmp"
# Chunks that mean the same in another PNG, and their bytes: readers refuse a file where there are others
_RAW_CHUNKS = {"cHRM": 32, "cICP": 4, "cLLI": 8, "gAMA": 4, "mDCV": 24, "pHYs": 9, "sRGB": 1, "tIME": 7}
_TIFF_TEXTS = {270: "Description", 305: "Software", 315: "Author", 33432: "Copyright"}
_TIFF_XMP, _TIFF_ICC, _TIFF_ACROSS, _TIFF_DOWN, _TIFF_UNIT = 700, 34675, 282, 283, 296
_TIFF_TAGS = {*OF_EXIF, *_TIFF_TEXTS, _TIFF_XMP, _TIFF_ICC, _TIFF_ACROSS, _TIFF_DOWN, _TIFF_UNIT}
_PLACES = {  # the keys that each kind of file has a place for
    ".png": rf"icc|exif|xmp|dpi|text:[ -~\xa1-\xff]{{1,79}}|png:({'|'.join(_RAW_CHUNKS)})",
    ".tif": rf"icc|exif|xmp|dpi|text:({'|'.join(_TIFF_TEXTS.values())})",
    ".webp": "duration|plays|icc|exif|xmp",
    ".gif": "duration|plays|icc|text:Comment",
    ".bmp": "dpi",
    ".y4m": "pixel_aspect|fields",
}
_FILM = "duration|display_matrix|pixel_aspect|timecode|text:(Title|Author|Comment|Copyright|Description)"
_PLACES |= dict.fromkeys(FILM_SUFFIXES, _FILM)
_PLACES[".mkv"] = _FILM.replace("|pixel_aspect", "")  # libav writes it only where its own reader has said it
_ANIMATIONS = (".apng", ".webp", ".gif", *FILM_SUFFIXES)
_WORDS = {"display_matrix": "rotation", PIXEL_ASPECT: "shape of pixels", FIELDS: "order of fields"}
_WORDS |= {"plays": "how often it is played"}
_PLACES |= {".apng": f"duration|plays|{_PLACES['.png']}", ".tiff": _PLACES[".tif"]}


def lost(picture: Picture, suffix: str, first: Attachments) -> Iterator[str]:
    """What came with a picture that a file of that suffix has no place for, in words for people.

    An animation has places for what comes with its ``first`` picture alone.
    """
    if picture.duration is not None and not _has_place("duration", b"", suffix):
        yield "durations"
    elif picture.duration is not None and suffix == ".mkv" and (1000 * picture.duration).denominator != 1:
        yield "parts of milliseconds"
    if suffix not in (".png", ".apng", *FILM_SUFFIXES) and str(
        replace(picture.format.colour, range=ColourRange.UNSPECIFIED)
    ):
        yield "colour description"
    for key, value in picture.attachments.items():
        kind, _, name = key.partition(":")
        if kind == "archive":  # which is of a file, and not of the picture
            continue
        if not _has_place(key, value, suffix):
            yield "colour description" if name == "cICP" else name if kind == "png" else _WORDS.get(kind, kind)
        elif suffix in _ANIMATIONS and first.get(key) != value:
            yield f"{kind} of later pictures"


def colour_of(attachments: Attachments) -> Colour:
    """What a cICP chunk of a PNG says."""
    codes = attachments.get("png:cICP", bytes(4))
    said = {"primaries": codes[0], "transfer": codes[1], "range": "full" if codes[3] else "limited"}
    with contextlib.suppress(ConfigError):  # a number that nobody knows, as 0 is
        return Colour().described(said)
    return Colour()


def with_colour(picture: Picture) -> Picture:
    """The picture as PNG has it: with a cICP chunk, if nothing else that came with it describes its colour."""
    colour = picture.format.colour
    unspecified = colour.primaries is ColourPrimaries.UNSPECIFIED and colour.transfer is ColourTransfer.UNSPECIFIED
    if unspecified or picture.attachments.keys() & {"icc", "png:cICP", "png:gAMA", "png:sRGB"}:
        return picture
    codes = bytes([colour.primaries, colour.transfer, 0, 1])  # R'G'B' of full range
    return replace(picture, attachments={**picture.attachments, "png:cICP": codes})


def kept(attachments: Attachments, suffix: str) -> dict[str, bytes]:
    """Those that a file of that suffix has a place for."""
    return {key: value for key, value in attachments.items() if _has_place(key, value, suffix)}


def _has_place(key: str, value: bytes, suffix: str) -> bool:
    """Whether files of that suffix have a place for an attachment, whose value may be anything."""
    if key in _CHECKS and not _CHECKS[key](value):
        return False
    if key == "exif" and suffix in (".tif", ".tiff") and not exif_entries(value):
        return False
    if key.startswith("png:") and _RAW_CHUNKS.get(key[4:]) != len(value):
        return False
    if key.startswith("text:") and not _is_text(value, "ascii" if suffix in (".tif", ".tiff") else "utf-8"):
        return False
    return bool(re.fullmatch(_PLACES.get(suffix, ""), key))


def aspect_of(value: bytes) -> Fraction | None:
    """How wide a pixel is for its height, as its attachment says, which may be anything; None also of squares."""
    match = re.fullmatch(rb"([1-9][0-9]{0,5}):([1-9][0-9]{0,5})", value)
    aspect = Fraction(*map(int, match.groups())) if match else Fraction(1)
    return None if aspect == 1 else aspect


def plays(attachments: Attachments) -> int:
    """How often an animation is played; 0 is for ever, or that nobody says."""
    value = attachments.get("plays", b"")
    return times if re.fullmatch(rb"[1-9][0-9]{0,4}", value) and (times := int(value)) < _MOST_PLAYS else 0


def played(times: int) -> dict[str, bytes]:
    """What keeps how often an animation is played; nothing of one that is for ever."""
    return {"plays": str(times).encode()} if 0 < times < _MOST_PLAYS else {}


def _is_text(value: bytes, encoding: str) -> bool:
    try:
        return b"\0" not in value and value.decode(encoding) is not None
    except UnicodeDecodeError:
        return False


# ------------------------------------------------------------------------------------------- PNG


def chunk(kind: bytes, payload: bytes) -> bytes:
    """One chunk with its length and CRC-32."""
    return struct.pack(">I4s", len(payload), kind) + payload + struct.pack(">I", zlib.crc32(kind + payload))


def chunk_heads(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk before IEND, from the first byte; what it holds is what ``file`` gives next."""
    place = 8  # the signature
    while file.seek(place) == place and len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        length, kind = struct.unpack(">I4s", head)
        place += length + 12
        yield kind, length


def of_png(file: BinaryIO) -> dict[str, bytes]:
    """What a PNG has beside its samples, from its first byte; a chunk that is damaged or too long is passed over."""
    attachments: dict[str, bytes] = {}
    for kind, length in chunk_heads(file):
        if length > _MOST_BYTES or kind.decode("latin-1") not in (*_RAW_CHUNKS, "iCCP", "eXIf", "tEXt", "zTXt", "iTXt"):
            continue
        payload = file.read(length)
        if file.read(4) == struct.pack(">I", zlib.crc32(kind + payload)):
            with contextlib.suppress(ValueError, zlib.error):  # too few parts, or not what they should be
                attachments |= _of_chunk(kind, payload)
    return attachments


def _of_chunk(kind: bytes, payload: bytes) -> dict[str, bytes]:
    if kind == b"eXIf":
        return {"exif": payload}
    if kind == b"pHYs" and len(payload) == 9 and payload[8] == 1:  # samples a metre
        return _dpi(*(side * _METRES_AN_INCH for side in struct.unpack(">II", payload[:8])))
    if (size := _RAW_CHUNKS.get(kind.decode())) is not None:
        return {f"png:{kind.decode()}": payload} if size == len(payload) else {}
    key, rest = payload.split(b"\0", 1)
    if kind == b"tEXt":
        return _text(key.decode("latin-1"), rest.decode("latin-1"))
    if kind == b"zTXt":
        return _text(key.decode("latin-1"), _inflated(rest[1:]).decode("latin-1"))
    if kind == b"iCCP":
        return {"icc": _inflated(rest[1:])}
    _, _, text = rest[2:].split(b"\0", 2)
    text = _inflated(text) if rest[0] else text
    return {"xmp": text} if key.decode("latin-1") == _XMP_KEYWORD else _text(key.decode("latin-1"), text.decode())


def _inflated(data: bytes) -> bytes:
    """What zlib made smaller; `ValueError` where that is not whole, or too much."""
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(data, _MOST_BYTES)
    if not inflater.eof:
        raise ValueError("cut, or too long")
    return inflated


def png_chunks(attachments: Attachments) -> bytes:
    """The chunks of a PNG, to stand directly behind IHDR, with as much as it has a place for."""
    chunks = []
    for key, value in kept(attachments, ".png").items():
        kind, _, name = key.partition(":")
        if kind == "png":
            chunks.append(chunk(name.encode("latin-1"), value))
        elif kind == "icc":
            chunks.append(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(value)))
        elif kind == "exif":
            chunks.append(chunk(b"eXIf", value))
        elif kind == "dpi":
            a_metre = (round(side / _METRES_AN_INCH) for side in sides(value))
            chunks.append(chunk(b"pHYs", struct.pack(">IIB", *a_metre, 1)))
        elif kind == "xmp":
            chunks.append(chunk(b"iTXt", _XMP_KEYWORD.encode() + bytes(5) + value))
        else:
            keyword = name.encode("latin-1")
            try:
                chunks.append(chunk(b"tEXt", keyword + b"\0" + value.decode().encode("latin-1")))
            except UnicodeError:
                chunks.append(chunk(b"iTXt", keyword + bytes(5) + value))
    return b"".join(chunks)


# ------------------------------------------------------------------------------------------- other files


def of_pillow(info: Mapping[Any, Any]) -> dict[str, bytes]:
    """What Pillow says in its ``info`` about an image that is neither PNG nor TIFF."""
    attachments = {}
    for key, name in (("icc", "icc_profile"), ("exif", "exif"), ("xmp", "xmp")):
        if isinstance(value := info.get(name), bytes) and value:
            attachments[key] = value.removeprefix(_EXIF_HEAD)
    with contextlib.suppress(TypeError, ValueError, ArithmeticError):  # a ratio by 0, or no two numbers
        attachments |= _dpi(*map(float, info["dpi"])) if "dpi" in info else {}
    text = info.get("comment")
    return attachments | (_text("Comment", _decoded(text) if isinstance(text, bytes) else str(text or "")))


def of_tiff(file: BinaryIO) -> dict[str, bytes]:
    """What the first picture of a TIFF has beside its samples; nothing where its tags are damaged."""
    try:
        entries = first_directory(file, _TIFF_TAGS)
    except ValueError:
        return {}
    values = {tag: entry.value for tag, entry in entries.items() if isinstance(entry.value, bytes)}
    found = {"icc": values.get(_TIFF_ICC), "exif": exif_of(entries), "xmp": values.get(_TIFF_XMP)}
    attachments = {key: value for key, value in found.items() if value}
    with contextlib.suppress(struct.error, ArithmeticError, LookupError):  # not what they should be
        across, by_across, down, by_down = struct.unpack("<4I", values[_TIFF_ACROSS] + values[_TIFF_DOWN])
        inch = {2: 1.0, 3: 100 * _METRES_AN_INCH}[int.from_bytes(values.get(_TIFF_UNIT, b"\2"), "little")]
        attachments |= _dpi(across * inch / by_across, down * inch / by_down)
    for tag, name in _TIFF_TEXTS.items():
        attachments |= _text(name, _decoded(values.get(tag, b"").rstrip(b"\0")))
    return attachments


def tiff_entries(attachments: Attachments) -> dict[int, Entry]:
    """The tags of a TIFF with as much as it has a place for."""
    attachments = kept(attachments, ".tif")
    entries = exif_entries(attachments.get("exif", b""))
    for tag, key, kind in ((_TIFF_ICC, "icc", 7), (_TIFF_XMP, "xmp", BYTES)):
        entries |= {tag: Entry(kind, attachments[key])} if key in attachments else {}
    for tag, name in _TIFF_TEXTS.items():
        entries |= {tag: Entry(ASCII, text + b"\0")} if (text := attachments.get(f"text:{name}")) else {}
    if "dpi" in attachments:
        across, down = sides(attachments["dpi"])
        inch = Entry(SHORT, struct.pack("<H", 2))
        entries |= {_TIFF_ACROSS: rationals(across), _TIFF_DOWN: rationals(down), _TIFF_UNIT: inch}
    return entries


def _decoded(text: bytes) -> str:
    return text.decode("utf-8" if _is_text(text, "utf-8") else "latin-1")


def _text(key: str, text: str) -> dict[str, bytes]:
    """A text with its key; none where it has nothing to say, or its key is too long."""
    return {f"text:{key}": text.encode(errors="replace")} if key and text and len(key.encode()) < 250 else {}


def _dpi(across: float, down: float) -> dict[str, bytes]:
    """Samples an inch; none where they are no size."""
    dpi = f"{across:.9g} {down:.9g}".encode()
    return {"dpi": dpi} if sides(dpi) else {}


def sides(dpi: bytes) -> tuple[float, ...]:
    """Samples an inch, across and down; empty where they are no size."""
    number = rb"[0-9]{1,6}(?:\.[0-9]{1,9})?"
    sides = tuple(map(float, dpi.split(b" "))) if re.fullmatch(number + b" " + number, dpi) else ()
    return sides if all(sides) else ()


_CHECKS: Mapping[str, Callable[[bytes], object]] = {
    "dpi": sides,
    "plays": lambda value: plays({"plays": value}),
    PIXEL_ASPECT: aspect_of,
    FIELDS: FIELD_ORDERS.__contains__,
}
"""What is false of values that files have no place for."""
