"""Harm done to .mvz files on purpose, at every layer, with checksums that are right again so that it arrives there.

``mutated(data, random, others)`` makes another file of one; `outcome` says what a reader makes of it.
Nothing here knows the fields of a coder's picture headers or what its symbols mean: of a new coder it is enough that
`fixtures/golden` has files. What symbols are where in a stream is what the reader asks it for.
As a command it takes many files apart in one process::

    PYTHONPATH=. python tests/mutations.py [--files 100000] [--seed 0] [--seconds 10] [--only "*_dct_*"]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
from packed_streams import bomb, compressed, plain, varint
from packet_places import packet

import codec
from codec.bitstream import payloads
from codec.bitstream.container import ContainerReader
from codec.bitstream.limits import DEFAULT_LIMITS
from codec.bitstream.packing import StreamReader
from codec.bitstream.payloads import unpack_group
from codec.bitstream.schema import StreamId
from codec.coded import SequenceHeader
from codec.picture.planes import Picture
from codec.writing.packing import pack

GOLDEN = Path(__file__).parent.parent / "fixtures" / "golden"
SIGNATURE_BYTES = 8
TEMPTING = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 129, 191, 254, 255)
MEGABYTES = 512  # no number of mutated files may make the process grow by more; measured: 104 of 60,000


# ------------------------------------------------------------------------------------------- files in parts


@dataclass
class PicturePacket:
    """A payload of pictures: what comes before the table of streams, as it is, and the streams by id."""

    head: bytearray
    streams: list[tuple[int, bytes]]

    def build(self) -> bytes:
        table = b"".join(struct.pack("<BI", id_, len(frame) & 0xFFFFFFFF) for id_, frame in self.streams)
        return bytes(self.head) + bytes([len(self.streams) & 255]) + table + b"".join(f for _, f in self.streams)


@dataclass
class Parts:
    """A whole file in its packets: (kind, payload), of which those of pictures are taken apart."""

    packets: list[tuple[bytes, bytes | PicturePacket]]
    header: SequenceHeader
    fit_index: bool = True
    rest: bytes = b""
    flips: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, data: bytes) -> Parts:
        container = ContainerReader(io.BytesIO(data), "golden.mvz")
        packets: list[tuple[bytes, bytes | PicturePacket]] = []
        for found in container.packets():
            payload: bytes | PicturePacket = found.payload
            if found.kind == b"PICS":
                raw = container.parse_group(found)
                table = len(found.payload) - len(raw.data) - 5 * len(raw.streams) - 1
                start, streams = len(found.payload) - len(raw.data), []
                for stream in raw.streams:
                    streams.append((int(stream.id), found.payload[start : start + stream.length]))
                    start += stream.length
                payload = PicturePacket(bytearray(found.payload[:table]), streams)
                assert payload.build() == found.payload
            packets.append((found.kind, payload))
        return cls(packets, container.header)

    def pictures(self) -> list[PicturePacket]:
        return [payload for _, payload in self.packets if isinstance(payload, PicturePacket)]

    def build(self) -> bytes:
        """The file, every CRC-32 right; ``fit_index`` makes index and end anew so that they fit the packets."""
        data = bytearray(b"\x8bMVZ\r\n\x1a\n")
        entries: list[tuple[int, int, bool]] = []
        total, before = 0, b""
        for kind, payload in self.packets:
            if self.fit_index and kind in (b"indx", b"ENDS"):
                continue
            body = payload.build() if isinstance(payload, PicturePacket) else payload
            if kind == b"PICS" and len(body) > 6:
                first, count, references = struct.unpack_from("<IHB", body)
                entries.append((len(body) + 12, count, references == 0))
                total = (first + count) & 0xFFFFFFFF
            elif (before, kind) == (b"PICS", b"atts") and entries:
                entries[-1] = (entries[-1][0] + len(body) + 12, *entries[-1][1:])
            before = kind
            data += packet(kind, body)
        if self.fit_index:
            place = len(data)
            index = b"".join(struct.pack("<IHB", *entry) for entry in entries)
            data += packet(b"indx", index) + packet(b"ENDS", struct.pack("<IQ", total, place))
        for place in self.flips:
            data[place % len(data)] ^= 1 << place % 8
        return bytes(data) + self.rest


def mended(data: bytes) -> bytes:
    """Bytes with the CRC-32 right of every packet that they could be taken for."""
    fixed, place = bytearray(data), SIGNATURE_BYTES
    while place + 12 <= len(fixed):
        end = place + 8 + int.from_bytes(fixed[place + 4 : place + 8], "little")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = zlib.crc32(fixed[place:end]).to_bytes(4, "little")
        place = end + 4
    return bytes(fixed)


def arrays_of(header: SequenceHeader, run: PicturePacket) -> list[tuple[int, int, int, bytes]]:
    """Of each array of symbols in a packet group: its stream's place, where it starts and ends there, and its symbols.

    As far as a reader comes.
    """
    arrays: list[tuple[int, int, int, bytes]] = []
    streams = {id(stream): place for place, (_, stream) in enumerate(run.streams)}
    read = StreamReader.symbols

    def symbols(reader: StreamReader, count: int, *depth: int) -> np.ndarray:
        start = reader.position
        found = read(reader, count, *depth)
        if not depth and count:
            arrays.append((streams[id(reader._data.obj)], start, reader.position, found.tobytes()))
        return found

    by_id = {StreamId(id_): stream for id_, stream in run.streams}
    with (
        mock.patch.object(StreamReader, "symbols", symbols),
        mock.patch.object(payloads, "compressed_streams", lambda _: by_id),
        contextlib.suppress(codec.BitstreamError),
    ):
        unpack_group(header, run.build(), DEFAULT_LIMITS)
    return arrays


# ------------------------------------------------------------------------------------------- harm


def harmed_bytes(data: bytes, random: Random, *, may_resize: bool = True) -> bytes:
    """Other bytes than these: tempting values, numbers a little off, pieces moved, repeated or lost."""
    harmed = bytearray(data)
    if not harmed:
        return bytes(random.choices(TEMPTING, k=random.randrange(1, 9))) if may_resize else b""
    kind = random.randrange(9 if may_resize else 6)
    at = random.randrange(len(harmed))
    end = min(len(harmed), at + random.choice((1, 1, 2, 4, 8, 64)))
    if kind == 0:
        harmed[at] = random.choice(TEMPTING)
    elif kind == 1:
        harmed[at] = (harmed[at] + random.choice((-2, -1, 1, 2))) & 255
    elif kind == 2:
        harmed[at] ^= 1 << random.randrange(8)
    elif kind == 3:
        harmed[at:end] = bytes([random.choice(TEMPTING)]) * (end - at)
    elif kind == 4:
        harmed[at:end] = random.randbytes(end - at)
    elif kind == 5:
        piece = harmed[at:end]
        there = random.randrange(len(harmed) - len(piece) + 1)
        harmed[at:end], harmed[there : there + len(piece)] = harmed[there : there + len(piece)], piece
        del harmed[len(data) :]
        harmed += data[len(harmed) :]
    elif kind == 6:
        del harmed[at:end]
    elif kind == 7:
        harmed[at:at] = harmed[at:end]
    else:
        del harmed[at:]
    return bytes(harmed)


def harm_header(parts: Parts, random: Random) -> None:
    kind, payload = parts.packets[0]
    if isinstance(payload, bytes):  # it is not, where packets were exchanged before
        parts.packets[0] = kind, harmed_bytes(payload, random, may_resize=random.random() < 0.1)


def harm_any_payload(parts: Parts, random: Random) -> None:
    """Also of index, end and metadata."""
    parts.fit_index = False
    place = random.randrange(len(parts.packets))
    kind, payload = parts.packets[place]
    body = payload.build() if isinstance(payload, PicturePacket) else payload
    parts.packets[place] = kind, harmed_bytes(body, random)


def harm_picture_headers(parts: Parts, random: Random) -> None:
    """Numbers, counts, references, checksums, quantisers: whatever comes before the table of streams."""
    run = random.choice(parts.pictures())
    run.head[:] = harmed_bytes(bytes(run.head), random, may_resize=random.random() < 0.2)


def harm_stream(parts: Parts, random: Random) -> None:
    """A stream's bytes: forms of packed symbols, sizes, what zstd compressed."""
    run = random.choice(parts.pictures())
    place = random.randrange(len(run.streams))
    id_, frame = run.streams[place]
    run.streams[place] = id_, harmed_bytes(frame, random)


def harm_symbols(parts: Parts, random: Random) -> None:
    """What a stream holds, packed again: vectors, modes, weights, sets, symbols of contexts, levels, names."""
    run = random.choice(parts.pictures())
    place = random.randrange(len(run.streams))
    id_, stream = run.streams[place]
    if id_ in (StreamId.BITS, StreamId.ALPHA_BITS):
        run.streams[place] = id_, harmed_bytes(stream, random)
        return
    arrays = arrays_of(parts.header, run)
    if not arrays:  # an earlier harm lets no reader come so far
        return
    place, start, end, symbols = random.choice(arrays)
    if random.random() < 0.1:
        symbols = random.choice(arrays)[3]
    else:
        for _ in range(random.choice((1, 1, 2, 8))):
            symbols = harmed_bytes(symbols, random, may_resize=random.random() < 0.05)
    id_, stream = run.streams[place]
    packed = pack(np.frombuffer(symbols, np.uint8)) if random.random() < 0.7 else plain(symbols)
    run.streams[place] = id_, stream[:start] + packed + stream[end:]


def harm_streams(parts: Parts, random: Random) -> None:
    """Streams that are missing, doubled, renamed, exchanged or in another order."""
    run = random.choice(parts.pictures())
    place = random.randrange(len(run.streams))
    id_, frame = run.streams[place]
    kind = random.randrange(5)
    if kind == 0:
        del run.streams[place]
    elif kind == 1:
        run.streams.insert(place, (id_, frame))
    elif kind == 2:
        run.streams[place] = random.choice((*(int(stream) for stream in StreamId), random.randrange(256))), frame
    elif kind == 3:
        run.streams[place] = id_, random.choice(random.choice(parts.pictures()).streams)[1]
    else:
        random.shuffle(run.streams)


def harm_packets(parts: Parts, random: Random) -> None:
    """Packets that are missing, doubled, exchanged or strange."""
    parts.fit_index = random.random() < 0.7
    place, other = random.randrange(len(parts.packets)), random.randrange(len(parts.packets))
    kind = random.randrange(5)
    if kind == 0:
        del parts.packets[place]
    elif kind == 1:
        parts.packets.insert(other, parts.packets[place])
    elif kind == 2:
        parts.packets[place], parts.packets[other] = parts.packets[other], parts.packets[place]
    elif kind == 3:
        strange = random.choice((b"abcd", b"ABCD", b"\0\0\0\0", b"meta", b"PICS", b"SEQH", b"indx", b"ENDS"))
        parts.packets.insert(place, (strange, random.randbytes(random.randrange(40))))
    else:
        parts.packets[place] = random.choice((b"meta", b"PICS", b"indx", b"ENDS")), parts.packets[place][1]


def harm_framing(parts: Parts, random: Random) -> None:
    """Bits anywhere, without mending checksums, and bytes behind the end."""
    if random.random() < 0.2:
        parts.rest = random.randbytes(random.randrange(1, 40))
    else:
        parts.flips = [random.getrandbits(40) for _ in range(random.choice((1, 1, 5)))]


def harm_by_bomb(parts: Parts, random: Random) -> None:
    """Symbols in a few bytes that become, or say that they become, as many as they like; digits in digits."""
    run = random.choice(parts.pictures())
    arrays = arrays_of(parts.header, run)
    if not arrays:
        return
    place, start, end, _ = random.choice(arrays)
    id_, stream = run.streams[place]
    sizes = (0, 1, 1 << 12, 1 << 20, 1 << 24)
    harm = random.choice(
        (
            compressed(bomb(random.choice(sizes))),
            varint(random.choice((1 << 20, (1 << 35) - 1))) + b"\1\0",
            bytes(random.choices((2, 3, 4, 5), k=random.choice((2, 3, 4, 1000)))) + b"\1\xff" * 9,
        )
    )
    run.streams[place] = id_, stream[:start] + harm + stream[end:]


HARMS = {
    harm_header: 2,
    harm_any_payload: 2,
    harm_picture_headers: 4,
    harm_stream: 3,
    harm_symbols: 6,
    harm_streams: 2,
    harm_packets: 2,
    harm_framing: 1,
    harm_by_bomb: 1,
}


def mutated(data: bytes, random: Random) -> bytes:
    """``data``, a whole file, harmed in one to three ways."""
    parts = Parts.of(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        harm = random.choices([*HARMS], [*HARMS.values()])[0]
        with contextlib.suppress(IndexError, ValueError):  # an earlier harm has left nothing to harm
            harm(parts, random)
    return parts.build()


# ------------------------------------------------------------------------------------------- what readers make of it


class Any32(int):
    """A checksum that is equal to every other: with it, pictures that are wrong become references too."""

    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


class FindingError(AssertionError):
    """A reader did what no file may make it do."""


def outcome(path: Path, originals: list[Picture], *, salvage: bool = False, trusting: bool = False) -> str:
    """What reading a file comes to: the kind of the error, or whether the pictures are the original's.

    Args:
        path: the file.
        originals: what it decoded to before it was harmed.
        salvage: read what is whole of it.
        trusting: take every picture for right, so that what follows is predicted from wrong ones.

    Raises:
        FindingError: an error that is none of ours or does not say where.
    """
    trust = mock.patch.object(Picture, "crc32", lambda picture: Any32()) if trusting else contextlib.nullcontext()
    try:
        with trust, codec.open(path, damaged=salvage) as video:
            with contextlib.suppress(codec.BitstreamError):
                _ = video.info
            pictures = [picture for _, picture in video.whole_pictures()] if salvage else list(video.pictures())
            for error in video.damage:
                hold_place(error, path)
    except codec.BitstreamError as error:
        hold_place(error, path)
        result = f"{type(error).__name__}{' of a picture' if 'does not decode to its' in error.rule else ''}"
    except FindingError:
        raise
    except Exception as error:
        raise FindingError(f"{type(error).__name__}: {error}") from error
    else:
        result = compared(pictures, originals)
    return result


def hold_place(error: codec.BitstreamError, path: Path) -> None:
    """Raise `FindingError` for an error that does not say where in the file it is."""
    if error.path != str(path) or error.offset is None or not 0 <= error.offset <= path.stat().st_size:
        raise FindingError(f"an error that does not say where: {error!r}") from error


def compared(pictures: list[Picture], originals: list[Picture]) -> str:
    """How what was decoded differs from what it was."""
    if len(pictures) == len(originals) and all(map(Picture.same_samples, pictures, originals)):
        return "the same pictures"
    right = all(any(picture.same_samples(original) for original in originals) for picture in pictures)
    return "some of the pictures" if right else "other pictures"


def golden_files(pattern: str = "*") -> dict[str, tuple[bytes, list[Picture]]]:
    """Bytes and pictures of every golden file whose name fits."""
    found = {}
    for path in sorted(GOLDEN.glob(f"{pattern}.mvz")):
        with codec.open(path) as video:
            found[path.name] = path.read_bytes(), list(video.pictures())
    return found


def main() -> None:
    """Mutate golden files in turn, and print the tally; a finding is kept as a file and named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first file's; each next has the next number")
    parser.add_argument("--seconds", type=float, help="a file that takes longer is a finding (measured: 0.5)")
    parser.add_argument("--only", default="*", help="names of golden files, as a pattern (default: all)")
    parser.add_argument("--keep", type=Path, default=Path(), help="folder for findings (default: here)")
    options = parser.parse_args()
    golden = golden_files(options.only)
    names, tally, slowest, findings = [*golden], Counter(), 0.0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    in_kernels: list[sys.UnraisableHookArgs] = []
    sys.unraisablehook = in_kernels.append  # what indices out of bounds come to with MVZ_BUILD=bounds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bad.mvz"
        for seed in range(options.seed, options.seed + options.files):
            random = Random(seed)
            name = names[seed % len(names)]
            data, originals = golden[name]
            path.write_bytes(mutated(data, random))
            started = time.perf_counter()
            modes = {"salvage": random.random() < 0.2, "trusting": random.random() < 0.4}
            try:
                tally[" ".join(mode for mode in modes if modes[mode]), outcome(path, originals, **modes)] += 1
                seconds = time.perf_counter() - started
                slowest = max(slowest, seconds)
                if in_kernels:
                    raise FindingError(f"{in_kernels.pop().exc_value!r} in a kernel")
                if options.seconds and seconds > options.seconds:
                    raise FindingError(f"{seconds:.1f} s")
            except FindingError as finding:
                findings += 1
                kept = options.keep / f"finding_{seed}.mvz"
                kept.write_bytes(path.read_bytes())
                sys.stdout.write(f"{kept}: {name}, {modes}: {finding}\n")
            if (seed + 1) % 5000 == 0:
                sys.stderr.write(f"{seed + 1} files, {findings} findings, slowest {slowest:.2f} s\n")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    for (mode, result), count in sorted(tally.items()):
        sys.stdout.write(f"{count:9,}  {mode or 'strict':18} {result}\n")
    sys.stdout.write(
        f"{options.files:9,}  files, {findings} findings; slowest {slowest:.2f} s, grown by {grown:.0f} MB\n"
    )


if __name__ == "__main__":
    main()
