"""Files that are cut, damaged or made to harm: an error of ours that says where, or exactly the right pictures.

Packets are taken apart and put together here from the layout in format_spec.md, not with the code under test.
"""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

import math
import struct
import tracemalloc
import zlib
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import zstandard

import codec
from codec.errors import BitstreamError, ChecksumError, LimitError, TruncatedError, UnsupportedError
from codec.picture.planes import Picture

SIGNATURE = b"\x8bMVZ\r\n\x1a\n"
I_PICTURE, P_PICTURE = 0, 1
NAMES, VECTOR_FLAGS, VECTOR_VALUES, MODES = range(4)
RESIDUAL_0, RESIDUAL_1, RESIDUAL_2 = 16, 17, 18
SEQUENCE_FIELDS = {
    "major": "B",
    "minor": "B",
    "width": "I",
    "height": "I",
    "sample_format": "B",
    "bit_depth": "B",
    "colour_matrix": "B",
    "colour_range": "B",
    "chroma_siting": "B",
    "rate_numerator": "I",
    "rate_denominator": "I",
    "residual_coder": "B",
    "motion_model": "B",
    "log2_cell_size": "B",
    "vector_limit": "H",
    "gop_limit": "H",
    "reserved": "H",
}


# ------------------------------------------------------------------------- taking files apart, making new ones


def packet(kind, payload):
    body = kind + struct.pack("<I", len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def packets_of(data):
    """(kind, payload) of every packet of a whole file."""
    assert data.startswith(SIGNATURE)
    packets, offset = [], len(SIGNATURE)
    while offset < len(data):
        kind, (length,) = data[offset : offset + 4], struct.unpack_from("<I", data, offset + 4)
        packets.append((kind, data[offset + 8 : offset + 8 + length]))
        offset += length + 12
    return packets


def joined(packets):
    """A file of exactly these packets, each with its CRC-32."""
    return SIGNATURE + b"".join(packet(kind, payload) for kind, payload in packets)


def indexed(packets):
    """A file of these packets, without their index and end, and with an index and end that fit them."""
    packets = [(kind, payload) for kind, payload in packets if kind not in (b"indx", b"ENDS")]
    offset, entries, total = len(SIGNATURE), [], 0
    for kind, payload in packets:
        if kind == b"PICS":
            first, count, type_ = struct.unpack_from("<IHB", payload) if len(payload) > 6 else (0, 0, 0)
            entries.append(struct.pack("<IHB", len(payload) + 12, count, type_ == I_PICTURE))
            total = first + count
        offset += len(payload) + 12
    return joined([*packets, (b"indx", b"".join(entries)), (b"ENDS", struct.pack("<IQ", total & 0xFFFFFFFF, offset))])


def scanned(packets):
    """The same without an index, so that a reader has to walk."""
    total = sum(struct.unpack_from("<H", payload, 4)[0] for kind, payload in packets if kind == b"PICS")
    kept = [(kind, payload) for kind, payload in packets if kind not in (b"indx", b"ENDS")]
    return joined([*kept, (b"ENDS", struct.pack("<IQ", total, 0))])


FRAMINGS = pytest.mark.parametrize("framing", [indexed, scanned], ids=["index", "scan"])


def with_header(data, **changes):
    """A file whose sequence header says something else; ``changes`` by name of the field."""
    layout = "<" + "".join(SEQUENCE_FIELDS.values())
    (kind, payload), *rest = packets_of(data)
    values = dict(zip(SEQUENCE_FIELDS, struct.unpack(layout, payload), strict=True)) | changes
    return joined([(kind, struct.pack(layout, *values.values())), *rest])


def header_value(data, name):
    layout = "<" + "".join(SEQUENCE_FIELDS.values())
    return dict(zip(SEQUENCE_FIELDS, struct.unpack(layout, packets_of(data)[0][1]), strict=True))[name]


@dataclass
class Run:
    """The payload of a picture packet, in parts."""

    first: int
    types: list[int]
    checksums: list[int]
    quantisers: list[tuple[tuple[int, int], ...]]
    streams: list[tuple[int, bytes]] = field(default_factory=list)

    @classmethod
    def parse(cls, payload, quantiser_count=0):
        first, count = struct.unpack_from("<IH", payload)
        run, at = cls(first, [], [], []), 6
        for _ in range(count):
            type_, checksum = struct.unpack_from("<BI", payload, at)
            quantisers = tuple(
                struct.unpack_from("<HB", payload, at + 5 + 3 * plane) for plane in range(quantiser_count)
            )
            at += 5 + 3 * quantiser_count
            run.types.append(type_)
            run.checksums.append(checksum)
            run.quantisers.append(quantisers)
        headers = [struct.unpack_from("<BI", payload, at + 1 + 5 * number) for number in range(payload[at])]
        at += 1 + 5 * len(headers)
        for stream, length in headers:
            run.streams.append((stream, payload[at : at + length]))
            at += length
        assert at == len(payload)
        return run

    def build(self):
        parts = [struct.pack("<IH", self.first, len(self.types))]
        for type_, checksum, quantisers in zip(self.types, self.checksums, self.quantisers, strict=True):
            parts += [struct.pack("<BI", type_, checksum), *(struct.pack("<HB", *values) for values in quantisers)]
        parts.append(bytes([len(self.streams)]))
        parts += [struct.pack("<BI", stream, len(frame)) for stream, frame in self.streams]
        return b"".join(parts + [frame for _, frame in self.streams])

    def with_stream(self, id_, frame):
        return replace(self, streams=[(stream, frame if stream == id_ else old) for stream, old in self.streams])


def frame_of(symbols):
    """One zstd frame as the specification wants it."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=True, write_checksum=False, write_dict_id=False
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(symbols)


def symbols_of(frame):
    return zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS).decompress(frame)


def bomb(size):
    """A frame that is what it declares: ``size`` zero bytes, in blocks of 128 KiB that are four bytes each."""
    blocks = [1 << 17] * (size >> 17) + [size & 0x1FFFF] * (size & 0x1FFFF > 0)
    data = [((length << 3) | (1 << 1) | (number == len(blocks) - 1)) for number, length in enumerate(blocks)]
    head = bytes([0b1000_0000, 0b0011_1000])  # four bytes of content size; a window of 128 KiB
    return head + struct.pack("<I", size) + b"".join(value.to_bytes(3, "little") + b"\0" for value in data)


# ------------------------------------------------------------------------- the files that are harmed


def make(path, pictures, **settings):
    metadata = settings.pop("metadata", {})
    with codec.Writer(path, format=pictures[0].format, settings=codec.Settings(**settings), metadata=metadata) as out:
        for picture in pictures:
            out.append(picture)
    return path.read_bytes()


@dataclass
class Sample:
    """A whole file, the pictures that it decodes to, and how many quantisers its pictures have."""

    data: bytes
    pictures: list[Picture]
    quantiser_count: int = 0

    def runs(self):
        return [Run.parse(payload, self.quantiser_count) for kind, payload in packets_of(self.data) if kind == b"PICS"]

    def with_runs(self, runs, framing):
        """The file with these runs instead of its own."""
        others = [(kind, payload) for kind, payload in packets_of(self.data) if kind != b"PICS"]
        return framing([*others, *((b"PICS", run.build()) for run in runs)])


SAMPLES = {
    # name: mode, (width, height), pictures, settings
    "smallest": ("gray", (2, 2), 2, {"block": 4, "search": 1}),
    "block": ("yuv420", (9, 6), 3, {"block": 4, "search": 2, "run": 2, "gop": 2}),
    "mesh int8": ("gray", (10, 7), 3, {"residual": "int8", "step": 4, "motion": "mesh", "block": 4, "search": 2}),
    "uint8 run": ("rgb", (5, 4), 4, {"residual": "uint8", "step": 5, "motion": "block", "run": 3, "gop": 3}),
    "float16": ("gray", (6, 5), 2, {"residual": "float16", "motion": "none", "run": 2}),
    "named": ("gray", (4, 4), 3, {"run": 2, "gop": 3, "metadata": {"title": "Größe"}}),
}
DAMAGED = pytest.mark.parametrize("name", SAMPLES)


@pytest.fixture(scope="session")
def samples(moving, tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    made = {}
    for name, (mode, (width, height), count, settings) in SAMPLES.items():
        pictures = moving(mode, width, height, count=count)
        if name == "named":
            pictures = [replace(picture, name=f"{number}.png") for number, picture in enumerate(pictures)]
        path = folder / f"{name}.mvz"
        data = make(path, pictures, **settings)
        with codec.open(path) as video:
            has_step = settings.get("residual") in ("int8", "uint8")
            made[name] = Sample(data, list(video.pictures()), len(pictures[0].planes) * has_step)
    return made


@pytest.fixture
def attempt(tmp_path):
    return lambda data: decode_all(tmp_path / "bad.mvz", data)


def decode_all(path, data):
    """Pictures of ``data`` up to an error, and that BitstreamError or None.

    Whatever else is raised is a failure of the test.
    So are an error that does not say where, and one of `info` about a file that decodes.
    """
    path.write_bytes(data)
    pictures, error, info_error = [], None, None
    try:
        with codec.open(path) as video:
            try:
                _ = video.info
            except BitstreamError as caught:
                info_error = checked(caught, path, data)
            pictures.extend(video.pictures())
    except BitstreamError as caught:
        error = checked(caught, path, data)
    assert info_error is None or error is not None, str(info_error)
    return pictures, error


def checked(error, path, data):
    assert str(path) == error.path
    assert error.offset is not None, str(error)
    assert 0 <= error.offset <= len(data)
    assert str(error).startswith(f"{path}, byte {error.offset}: ")
    return error


def assert_refused(attempt, data, kind=BitstreamError, match=""):
    """Decoding raises exactly ``kind``, with ``match`` in its message."""
    pictures, error = attempt(data)
    assert error is not None, f"{len(pictures)} pictures instead of an error"
    assert kind is type(error), str(error)
    assert match in str(error)
    return error


def assert_error_or_right(attempt, sample, data):
    """What was decoded, up to an error, is right; without an error it is all there."""
    pictures, error = attempt(data)
    assert all(before.same_samples(after) for before, after in zip(sample.pictures, pictures, strict=False))
    if error is None:
        assert len(sample.pictures) == len(pictures)
    return error


# ------------------------------------------------------------------------- cuts and flipped bits


@DAMAGED
def test_truncation_at_every_byte_raises_an_error_that_says_where(name, samples, attempt):
    sample = samples[name]
    assert len(sample.data) < 1000
    for end in range(len(sample.data)):
        error = assert_error_or_right(attempt, sample, sample.data[:end])
        expected = TruncatedError if end else BitstreamError  # an empty file has no signature to be cut
        assert expected is type(error), f"cut at {end}: {error}"


@DAMAGED
def test_a_flipped_bit_in_any_byte_gives_an_error_or_the_right_pictures(name, samples, attempt):
    sample = samples[name]
    bits = range(8) if name == "smallest" else None
    survived = 0
    for offset in range(len(sample.data)):
        for bit in bits or [offset % 8]:
            data = bytearray(sample.data)
            data[offset] ^= 1 << bit
            survived += assert_error_or_right(attempt, sample, bytes(data)) is None
    # only the index may be lost
    index_bytes = 12 + len(next(payload for kind, payload in packets_of(sample.data) if kind == b"indx"))
    assert survived <= index_bytes * (8 if bits else 1)


def test_a_flipped_bit_in_a_later_gop_leaves_the_gops_before_and_after_it(samples, tmp_path):
    sample = samples["block"]  # GOPs of pictures 0 and 1, and of 2
    path = tmp_path / "bad.mvz"
    first_run = sample.data.index(b"PICS")
    data = bytearray(sample.data)
    data[first_run + 30] ^= 1
    path.write_bytes(data)
    with codec.open(path) as video:
        for number in (0, 1):
            with pytest.raises(ChecksumError, match=f"byte {first_run}"):
                video.picture(number)
        assert sample.pictures[2].same_samples(video.picture(2))
        with pytest.raises(ChecksumError):
            video.picture(0)


@pytest.mark.parametrize("kind", [b"SEQH", b"meta", b"PICS", b"indx", b"ENDS"], ids=bytes.decode)
@DAMAGED
def test_damage_with_a_right_packet_checksum_gives_an_error_or_the_right_pictures(name, kind, samples, attempt):
    sample = samples[name]
    packets = packets_of(sample.data)
    random = np.random.default_rng([*name.encode(), *kind])
    places = [number for number, (found, _) in enumerate(packets) if found == kind]
    for _ in range(60):
        number = int(random.choice(places))
        payload = bytearray(packets[number][1])
        for _ in range(random.integers(1, 4)):
            payload[random.integers(len(payload))] = random.integers(256)
        if random.integers(4) == 0:
            del payload[random.integers(len(payload)) :]
        harmed = [*packets]
        harmed[number] = kind, bytes(payload)
        assert_error_or_right(attempt, sample, joined(harmed))


@pytest.mark.parametrize("name", ["mesh int8", "uint8 run", "float16", "named"])
def test_other_symbols_in_sound_frames_are_caught_by_the_pictures_checksums(name, samples, attempt):
    sample = samples[name]
    random = np.random.default_rng(11)
    caught = 0
    for _ in range(60):
        runs = sample.runs()
        place = int(random.integers(len(runs)))
        id_, frame = runs[place].streams[random.integers(len(runs[place].streams))]
        if id_ == NAMES:
            continue
        symbols = bytearray(symbols_of(frame))
        at = random.integers(len(symbols))
        symbols[at] ^= 1 << random.integers(8)
        runs[place] = runs[place].with_stream(id_, frame_of(bytes(symbols)))
        caught += assert_error_or_right(attempt, sample, sample.with_runs(runs, indexed)) is not None
    assert caught > 20


# ------------------------------------------------------------------------- structure of the file


@FRAMINGS
@DAMAGED
def test_taking_a_file_apart_and_putting_it_together_changes_nothing(name, framing, samples, attempt):
    sample = samples[name]
    pictures, error = attempt(sample.with_runs(sample.runs(), framing))
    assert error is None
    assert len(sample.pictures) == len(pictures)
    assert all(map(Picture.same_samples, sample.pictures, pictures))
    assert sample.data == indexed(packets_of(sample.data))
    assert [picture.name for picture in sample.pictures] == [picture.name for picture in pictures]


@pytest.mark.parametrize(
    "data", [b"", b"x", b"not a video at all", SIGNATURE.replace(b"\r\n", b"\n"), b"\x0b" + SIGNATURE[1:]]
)
def test_what_does_not_start_with_the_signature_is_not_an_mvz_file(data, attempt):
    assert 0 == assert_refused(attempt, data, match="not an .mvz file").offset


def test_trailing_garbage_is_refused(samples, attempt):
    data = samples["block"].data
    for garbage in (b"\0", b"PICS", bytes(24), b"x" * 1000, data):
        assert_refused(attempt, data + garbage, match=f"byte {len(data)}: {len(garbage)} bytes after the end")


def test_a_packet_that_declares_more_than_the_file_has_is_truncated(samples, attempt):
    data = bytearray(samples["block"].data)
    struct.pack_into("<I", data, len(SIGNATURE) + 4, 0xFFFFFFFF)
    assert 8 == assert_refused(attempt, bytes(data), TruncatedError).offset


@FRAMINGS
def test_an_unknown_critical_packet_is_unsupported(framing, samples, attempt):
    packets = packets_of(samples["block"].data)
    for place in range(1, 5):
        harmed = framing([*packets[:place], (b"XTRA", b"?"), *packets[place:]])
        assert_refused(attempt, harmed, UnsupportedError, "XTRA")


@FRAMINGS
def test_a_second_sequence_header_is_refused(framing, samples, attempt):
    packets = packets_of(samples["block"].data)
    assert_refused(attempt, framing([*packets[:2], packets[0], *packets[2:]]), UnsupportedError)


@FRAMINGS
def test_an_unknown_packet_that_is_not_critical_is_skipped(framing, samples, attempt):
    sample = samples["block"]
    packets = packets_of(sample.data)
    assert [b"SEQH", b"meta", b"PICS", b"PICS", b"indx", b"ENDS"] == [kind for kind, _ in packets]
    for place in range(1, 5):
        pictures, error = attempt(framing([*packets[:place], (b"xtra", b"?" * 50), *packets[place:]]))
        assert error is None
        assert len(sample.pictures) == len(pictures)
        assert all(map(Picture.same_samples, sample.pictures, pictures))


def test_an_unknown_packet_after_the_index_is_skipped(samples, attempt):
    sample = samples["block"]
    *packets, end = packets_of(sample.data)
    pictures, error = attempt(joined([*packets, (b"xtra", b""), end]))
    assert error is None
    assert len(sample.pictures) == len(pictures)


def test_a_file_that_does_not_begin_with_its_header_is_refused(samples, attempt):
    packets = packets_of(samples["block"].data)
    assert_refused(attempt, joined(packets[1:]), match="sequence header")


def test_a_file_without_an_end_is_truncated(samples, attempt):
    sample = samples["block"]
    for data in (joined(packets_of(sample.data)[:-1]), joined(packets_of(sample.data)[:-2])):
        assert len(data) == assert_refused(attempt, data, TruncatedError).offset


@FRAMINGS
def test_a_file_without_pictures_is_refused(framing, samples, attempt):
    packets = [(kind, payload) for kind, payload in packets_of(samples["block"].data) if kind != b"PICS"]
    assert_refused(attempt, framing(packets), match="no picture")


@pytest.mark.parametrize("count", [0, 2, 4, 0xFFFFFFFF])
def test_an_end_with_another_count_is_refused(count, samples, attempt):
    sample = samples["block"]
    *packets, (_, end) = packets_of(sample.data)
    harmed = joined([*packets, (b"ENDS", struct.pack("<I", count) + end[4:])])
    assert_refused(attempt, harmed, match=f"the end declares {count} pictures, the packets hold 3")


def test_a_picture_packet_that_repeats_or_lacks_its_numbers_is_refused(samples, attempt):
    packets = packets_of(samples["block"].data)
    head, first, second = packets[:2], packets[2], packets[3]
    for runs in ([first, first, second], [second], [second, first], [first, second, second]):
        for framing in (indexed, scanned):
            assert_refused(attempt, framing([*head, *runs]))


# ------------------------------------------------------------------------- index


def with_index(sample, entries, rest=b""):
    """The file with another index; entries as tuples of length, picture count, starts GOP."""
    *packets, (kind, _), end = packets_of(sample.data)
    return joined([*packets, (kind, b"".join(struct.pack("<IHB", *entry) for entry in entries) + rest), end])


def entries_of(sample):
    payload = dict(packets_of(sample.data))[b"indx"]
    return list(struct.iter_unpack("<IHB", payload))


def test_a_scan_finds_everything_where_the_index_is_damaged(samples, attempt):
    for name in SAMPLES:
        sample = samples[name]
        start = sample.data.index(b"indx")
        for offset in (8, 9, 11, 12, 14):  # the payload, past kind and length
            data = bytearray(sample.data)
            data[start + offset] ^= 0x10
            pictures, error = attempt(bytes(data))
            assert error is None, str(error)
            assert len(sample.pictures) == len(pictures)
            assert all(map(Picture.same_samples, sample.pictures, pictures))


@pytest.mark.parametrize("offset", [0, 1, 8, 40, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_scan_finds_everything_where_the_end_points_to_no_index(offset, samples, attempt):
    sample = samples["block"]
    *packets, (kind, end) = packets_of(sample.data)
    pictures, error = attempt(joined([*packets, (kind, end[:4] + struct.pack("<Q", offset))]))
    assert error is None
    assert len(sample.pictures) == len(pictures)
    assert all(map(Picture.same_samples, sample.pictures, pictures))


def test_an_index_that_cannot_be_used_is_as_good_as_none(samples, attempt):
    sample = samples["block"]
    first, second = entries_of(sample)
    for harmed in (
        with_index(sample, []),
        with_index(sample, [first]),
        with_index(sample, [first, first]),
        with_index(sample, [first, (1 << 31, *second[1:])]),
        with_index(sample, [first, ((1 << 32) - 1, *second[1:])]),
        with_index(sample, [(0, *first[1:]), second]),
        with_index(sample, [(first[0] + 1, *first[1:]), second]),
        with_index(sample, [(*first[:2], 2), second]),
        with_index(sample, [first, second], rest=b"\0"),
        with_index(sample, [first, second, (0, 0, 0)]),
        with_index(sample, [first, (second[0], 2, 1)]),  # one more than the end counts
        with_index(sample, [(first[0], 0, 1), (second[0], 3, 1)]),
    ):
        pictures, error = attempt(harmed)
        assert error is None, str(error)
        assert len(sample.pictures) == len(pictures)
        assert all(map(Picture.same_samples, sample.pictures, pictures))


def test_an_index_of_other_places_gives_an_error_or_the_right_pictures(samples, attempt):
    sample = samples["block"]
    first, second = entries_of(sample)
    for harmed in (
        with_index(sample, [(first[0] + 1, *first[1:]), (second[0] - 1, *second[1:])]),
        with_index(sample, [(first[0] - 1, *first[1:]), (second[0] + 1, *second[1:])]),
        with_index(sample, [(second[0], *first[1:]), (first[0], *second[1:])]),
        with_index(sample, [(first[0] + second[0], 3, 1)]),
        with_index(sample, [(12, 1, 1), (first[0] + second[0] - 12, 2, 1)]),
    ):
        assert_error_or_right(attempt, sample, harmed)


def test_an_index_that_describes_the_packets_otherwise_than_they_are_is_refused(samples, attempt):
    sample = samples["block"]
    first, second = entries_of(sample)
    for harmed in (
        with_index(sample, [second, first]),
        with_index(sample, [(first[0], 1, 1), (second[0], 2, 1)]),
        with_index(sample, [first, (second[0], 1, 0)]),
        with_index(sample, [(first[0], 2, 0), second]),
    ):
        pictures, error = attempt(harmed)
        assert BitstreamError is type(error)
        assert len(pictures) < len(sample.pictures)
        assert all(before.same_samples(after) for before, after in zip(sample.pictures, pictures, strict=False))


def test_an_index_that_promises_more_pictures_than_memory_holds_is_refused(samples, tmp_path):
    sample = samples["float16"]
    (_, count, _), *_ = entries_of(sample)
    header = packets_of(sample.data)[0]
    layout = "<" + "".join(SEQUENCE_FIELDS.values())
    values = dict(zip(SEQUENCE_FIELDS, struct.unpack(layout, header[1]), strict=True)) | {"gop_limit": 1024}
    packets = [(b"SEQH", struct.pack(layout, *values.values())), *packets_of(sample.data)[1:-2]]
    packets += [(b"PICS", bytes(5 * 1024))] * 150  # as small as a packet of 1024 pictures may be
    offset = len(joined(packets))
    entries = [entries_of(sample)[0], *[(5 * 1024 + 12, 1024, 1)] * 150]
    index = b"".join(struct.pack("<IHB", *entry) for entry in entries)
    end = struct.pack("<IQ", count + 1024 * 150, offset)
    path = tmp_path / "bad.mvz"
    path.write_bytes(joined([*packets, (b"indx", index), (b"ENDS", end)]))
    tracemalloc.start()
    try:
        with pytest.raises(BitstreamError):
            codec.decode(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6  # 150 thousand pictures of 30 samples are 4.6 MB
    finally:
        tracemalloc.stop()


# ------------------------------------------------------------------------- sequence header and metadata


@pytest.mark.parametrize(
    ("changes", "kind", "match"),
    [
        ({"major": 9}, UnsupportedError, "version 9."),
        ({"minor": 99}, UnsupportedError, "version 0.99"),
        ({"width": 0}, BitstreamError, "0×"),
        ({"height": 0}, BitstreamError, "×0"),
        ({"width": 1 << 20, "height": 1 << 20}, LimitError, "1048576×1048576"),
        ({"width": 0xFFFFFFFF, "height": 0xFFFFFFFF}, LimitError, "4294967295×4294967295"),
        ({"width": (1 << 26) + 1, "height": 1}, LimitError, "67108865×1"),
        ({"sample_format": 9}, UnsupportedError, "sample_format is 9"),
        ({"bit_depth": 10}, UnsupportedError, "10 bits"),
        ({"colour_matrix": 3}, UnsupportedError, "colour_matrix is 3"),
        ({"colour_range": 3}, UnsupportedError, "colour_range is 3"),
        ({"chroma_siting": 4}, UnsupportedError, "chroma_siting is 4"),
        ({"rate_numerator": 0}, BitstreamError, "rate"),
        ({"rate_denominator": 0}, BitstreamError, "rate"),
        ({"residual_coder": 4}, UnsupportedError, "residual_coder is 4"),
        ({"motion_model": 3}, UnsupportedError, "motion_model is 3"),
        ({"log2_cell_size": 1}, BitstreamError, "log2_cell_size is 1"),
        ({"log2_cell_size": 6}, BitstreamError, "log2_cell_size is 6"),
        ({"log2_cell_size": 255}, BitstreamError, "log2_cell_size is 255"),
        ({"vector_limit": 4097}, BitstreamError, "vector_limit is 4097"),
        ({"gop_limit": 0}, BitstreamError, "gop_limit is 0"),
        ({"gop_limit": 1025}, BitstreamError, "gop_limit is 1025"),
        ({"reserved": 1}, BitstreamError, "sequence header is malformed"),
        ({"reserved": 256}, BitstreamError, "sequence header is malformed"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_header_beyond_the_tables_is_refused(changes, kind, match, samples, attempt):
    for name in ("block", "mesh int8"):
        error = assert_refused(attempt, with_header(samples[name].data, **changes), kind, match)
        assert len(SIGNATURE) + 8 == error.offset


def test_a_header_of_another_length_is_refused(samples, attempt):
    (kind, payload), *rest = packets_of(samples["block"].data)
    for length in range(len(payload)):
        assert_refused(attempt, joined([(kind, payload[:length]), *rest]), TruncatedError, "sequence header")
    assert_refused(attempt, joined([(kind, payload + b"\0"), *rest]), match="sequence header is malformed")


def test_a_huge_picture_is_refused_before_anything_is_allocated(samples, tmp_path):
    path = tmp_path / "bad.mvz"
    path.write_bytes(with_header(samples["block"].data, width=1 << 16, height=1 << 16))
    with pytest.raises(LimitError):  # once before, so that what Python loads and keeps does not count
        codec.decode(path)
    tracemalloc.start()
    try:
        with pytest.raises(LimitError):
            codec.decode(path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_a_large_picture_whose_streams_are_small_is_refused_before_anything_is_allocated(samples, tmp_path):
    path = tmp_path / "bad.mvz"
    path.write_bytes(with_header(samples["float16"].data, width=1 << 13, height=1 << 13))
    tracemalloc.start()
    try:
        with codec.open(path) as video, pytest.raises(BitstreamError, match="headers imply"):
            video.picture(0)
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


def test_limits_of_the_caller_are_kept(samples, tmp_path):
    path = tmp_path / "a.mvz"
    path.write_bytes(samples["named"].data)
    metadata = len(dict(packets_of(samples["named"].data))[b"meta"])
    for limits, fails in (
        (codec.Limits(max_pixels=15), True),
        (codec.Limits(max_pixels=16), False),
        (codec.Limits(max_pictures=2), True),
        (codec.Limits(max_pictures=3), False),
        (codec.Limits(max_run_bytes=35), True),  # 2 pictures of 16 samples, and a vector of 4 bytes
        (codec.Limits(max_run_bytes=36), False),
        (codec.Limits(max_names_bytes=10), True),  # 0.png and 1.png, and a zero between them
        (codec.Limits(max_names_bytes=11), False),
        (codec.Limits(max_metadata_bytes=metadata - 1), True),
        (codec.Limits(max_metadata_bytes=metadata), False),
    ):
        if fails:
            with pytest.raises(BitstreamError, match=r"a\.mvz"):
                codec.decode(path, limits=limits)
        else:
            assert 3 == len(codec.decode(path, limits=limits))


def test_too_many_pictures_are_refused_with_their_place(samples, tmp_path):
    path = tmp_path / "a.mvz"
    path.write_bytes(samples["named"].data)
    with pytest.raises(LimitError, match=r"a\.mvz, byte \d+: 3 pictures; the limit is 2"):
        codec.open(path, limits=codec.Limits(max_pictures=2))


def metadata_payload(*entries, count=None):
    parts = [struct.pack("<H", len(entries) if count is None else count)]
    for key, value in entries:
        parts += [bytes([len(key)]), key, struct.pack("<H", len(value)), value]
    return b"".join(parts)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (metadata_payload((b"\xff", b"x")), BitstreamError),
        (metadata_payload((b"x", b"\xc3")), BitstreamError),
        (metadata_payload((b"", b"x")), BitstreamError),
        (metadata_payload((b"x", b"y"), count=2), TruncatedError),
        (metadata_payload((b"x", b"y"), count=65535), TruncatedError),
        (metadata_payload((b"x", b"y"), count=0), BitstreamError),
        (metadata_payload((b"x", b"y"))[:-1], TruncatedError),
        (metadata_payload((b"x", b"y")) + b"\0", BitstreamError),
        (b"", TruncatedError),
        (metadata_payload(*[(b"%d" % number, bytes(65535)) for number in range(17)]), LimitError),
    ],
)
def test_bad_metadata_is_refused(payload, kind, samples, attempt):
    head, _, *rest = packets_of(samples["block"].data)
    assert_refused(attempt, indexed([head, (b"meta", payload), *rest]), kind)


def test_the_last_of_two_equal_metadata_keys_counts(samples, tmp_path):
    head, _, *rest = packets_of(samples["block"].data)
    path = tmp_path / "a.mvz"
    path.write_bytes(indexed([head, (b"meta", metadata_payload((b"k", b"1"), (b"k", b"2"))), *rest]))
    with codec.open(path) as video:
        assert {"k": "2"} == video.metadata


# ------------------------------------------------------------------------- picture packets


@FRAMINGS
def test_an_i_picture_inside_a_run_is_refused(framing, samples, attempt):
    sample = samples["block"]
    first, *rest = sample.runs()
    assert [I_PICTURE, P_PICTURE] == first.types
    harmed = sample.with_runs([replace(first, types=[I_PICTURE, I_PICTURE]), *rest], framing)
    assert_refused(attempt, harmed, match="I picture")


@FRAMINGS
def test_a_first_picture_that_is_not_an_i_picture_is_refused(framing, samples, attempt):
    sample = samples["block"]
    first, *rest = sample.runs()
    harmed = sample.with_runs([replace(first, types=[P_PICTURE, P_PICTURE]), *rest], framing)
    assert_refused(attempt, harmed, match="I picture")


@FRAMINGS
def test_a_picture_type_without_a_meaning_is_unsupported(framing, samples, attempt):
    sample = samples["block"]
    first, *rest = sample.runs()
    harmed = sample.with_runs([replace(first, types=[I_PICTURE, 2]), *rest], framing)
    assert_refused(attempt, harmed, UnsupportedError, "type is 2")


@FRAMINGS
@pytest.mark.parametrize("number", [0, 1, 3, 0xFFFFFFFF])
def test_a_gap_in_the_picture_numbers_is_refused(number, framing, samples, attempt):
    sample = samples["block"]
    first, second = sample.runs()
    assert_refused(attempt, sample.with_runs([first, replace(second, first=number)], framing))


@FRAMINGS
def test_a_run_without_pictures_is_refused(framing, samples, attempt):
    sample = samples["block"]
    first, second = sample.runs()
    empty = replace(second, types=[], checksums=[], quantisers=[], streams=[])
    assert_refused(attempt, sample.with_runs([first, empty], framing))


@FRAMINGS
def test_a_gop_longer_than_the_header_allows_is_refused(framing, samples, attempt):
    sample = samples["named"]  # one GOP of three pictures in runs of two and one
    assert 3 == header_value(sample.data, "gop_limit")
    for limit in (1, 2):
        assert_refused(attempt, framing(packets_of(with_header(sample.data, gop_limit=limit))))


@FRAMINGS
def test_more_pictures_in_a_packet_than_its_bytes_can_hold_are_truncated(framing, samples, attempt):
    sample = samples["block"]
    *packets, last = packets_of(sample.data)
    for place, (kind, payload) in enumerate(packets):
        if kind == b"PICS":
            harmed = [*packets]
            harmed[place] = kind, payload[:4] + b"\xff\xff" + payload[6:]
            _, error = attempt(framing([*harmed, last]))
            assert error is not None
            assert framing is indexed or type(error) is TruncatedError  # an index with that count is refused before


def test_a_wrong_picture_checksum_is_a_checksum_error(samples, attempt):
    sample = samples["block"]
    first, second = sample.runs()
    harmed = replace(first, checksums=[first.checksums[0], first.checksums[1] ^ 1])
    error = assert_refused(attempt, sample.with_runs([harmed, second], indexed), ChecksumError, "picture 1 does not")
    assert sample.data.index(b"PICS") == error.offset


def test_quantisers_beyond_the_table_are_refused(samples, attempt):
    for name, bad, match in (
        ("mesh int8", (0, 0), "step_256 is 0"),
        ("mesh int8", (65281, 0), "step_256 is 65281"),
        ("mesh int8", (65535, 0), "step_256 is 65535"),
        ("mesh int8", (1024, 128), "zero point"),
        ("uint8 run", (0, 128), "step_256 is 0"),
    ):
        sample = samples[name]
        first, *rest = sample.runs()
        quantisers = [(*first.quantisers[0][:-1], bad), *first.quantisers[1:]]
        harmed = sample.with_runs([replace(first, quantisers=quantisers), *rest], indexed)
        assert_refused(attempt, harmed, match=match)


def test_every_quantiser_that_the_table_allows_gives_a_checksum_error_or_the_right_picture(samples, attempt):
    for name in ("mesh int8", "uint8 run"):
        sample = samples[name]
        first, *rest = sample.runs()
        for quantiser in ((1, 0), (65280, 0), (65280, 255), (1, 255), (256, 0)):
            quantiser = quantiser if name == "uint8 run" else (quantiser[0], 0)
            quantisers = [(quantiser,) * len(planes) for planes in first.quantisers]
            harmed = sample.with_runs([replace(first, quantisers=quantisers), *rest], indexed)
            assert_refused(attempt, harmed, ChecksumError)


# ------------------------------------------------------------------------- streams


def harmed_streams(sample, change):
    """The file whose first run with P pictures has ``change`` made to its list of (id, frame)."""
    runs = sample.runs()
    place = next(number for number, run in enumerate(runs) if P_PICTURE in run.types)
    runs[place] = replace(runs[place], streams=change(runs[place].streams))
    return sample.with_runs(runs, indexed)


@pytest.mark.parametrize("name", ["block", "mesh int8", "uint8 run", "float16", "named"])
def test_a_missing_stream_is_refused(name, samples, attempt):
    sample = samples[name]
    ids = {stream for run in sample.runs() for stream, _ in run.streams} - {NAMES}
    for missing in ids:
        harmed = harmed_streams(sample, lambda streams, missing=missing: [s for s in streams if s[0] != missing])
        assert_refused(attempt, harmed)


def test_names_may_be_missing(samples, attempt):
    sample = samples["named"]
    pictures, error = attempt(harmed_streams(sample, lambda streams: [s for s in streams if s[0] != NAMES]))
    assert error is None
    assert [None, None, "2.png"] == [picture.name for picture in pictures]


@pytest.mark.parametrize("name", ["block", "uint8 run", "named"])
def test_a_stream_that_comes_twice_is_refused(name, samples, attempt):
    harmed = harmed_streams(samples[name], lambda streams: [streams[0], *streams])
    assert_refused(attempt, harmed, match="rising order")


@pytest.mark.parametrize("name", ["block", "uint8 run", "named"])
def test_streams_in_another_order_are_refused(name, samples, attempt):
    assert_refused(attempt, harmed_streams(samples[name], lambda streams: streams[::-1]), match="rising order")


@pytest.mark.parametrize("id_", [4, 15, 19, 255])
def test_a_stream_without_a_meaning_is_unsupported(id_, samples, attempt):
    harmed = harmed_streams(samples["block"], lambda streams: sorted([*streams, (id_, frame_of(b"?"))]))
    assert_refused(attempt, harmed, UnsupportedError, f"stream id is {id_}")


def test_streams_that_the_headers_do_not_imply_are_refused(samples, attempt):
    for name, id_ in (
        ("float16", VECTOR_FLAGS),
        ("float16", RESIDUAL_1),
        ("named", RESIDUAL_2),
        ("mesh int8", RESIDUAL_1),
    ):
        harmed = harmed_streams(samples[name], lambda streams, id_=id_: sorted([*streams, (id_, frame_of(b"??"))]))
        assert_refused(attempt, harmed)


def test_cell_modes_without_a_meaning_are_refused(samples, attempt):
    for last in (27, 255):
        harmed = harmed_streams(samples["mesh int8"], with_last_symbol(MODES, last))
        assert_refused(attempt, harmed, match="not 3 digits below 3")


def test_what_fills_the_last_byte_of_digits_is_zero(samples, attempt):
    for last in (1, 4):  # six vectors, two places left
        harmed = harmed_streams(samples["block"], with_last_symbol(VECTOR_FLAGS, last))
        assert_refused(attempt, harmed, match="fills up the last byte")


def with_last_symbol(wanted, symbol):
    """A change of streams: the last byte of one of them."""
    return lambda streams: [
        (id_, frame_of(symbols_of(frame)[:-1] + bytes([symbol])) if id_ == wanted else frame) for id_, frame in streams
    ]


@pytest.mark.parametrize(
    ("mode", "flags", "values", "match"),
    [
        (2, bytes(3), None, "declares 3 bytes"),
        (0, bytes(5), None, "declares 5 bytes"),
        (2, bytes([128, 0, 0, 0, 0]), None, "missing for 1 values"),
        (2, bytes(5), b"\0", "there for 0 values"),
        (2, bytes([128, 0, 0, 0, 0]), b"\0\0\0", "declares 3 bytes"),
        (2, bytes([0, 0, 0, 128, 0]), b"\xff\xfe", "own vector is beyond"),
    ],
    ids=["few flags", "many flags", "no values", "idle values", "odd values", "far"],
)
def test_own_vectors_are_there_where_modes_want_them_and_within_the_limit(mode, flags, values, match, samples, attempt):
    def change(streams):  # 12 nodes and 6 cells
        kept = {id_: frame for id_, frame in streams if id_ != VECTOR_VALUES}
        changed = {MODES: bytes([13 * mode] * 2), VECTOR_FLAGS: flags}
        if values is not None:
            changed[VECTOR_VALUES] = values
        return sorted((kept | {id_: frame_of(symbols) for id_, symbols in changed.items()}).items())

    assert_refused(attempt, harmed_streams(samples["mesh int8"], change), match=match)


def test_info_refuses_streams_that_the_headers_do_not_imply(samples, tmp_path):
    path = tmp_path / "bad.mvz"
    for name, id_ in (("float16", VECTOR_FLAGS), ("float16", RESIDUAL_1), ("named", RESIDUAL_2)):
        path.write_bytes(
            harmed_streams(samples[name], lambda streams, id_=id_: sorted([*streams, (id_, frame_of(b"??"))]))
        )
        with codec.open(path) as video, pytest.raises(BitstreamError, match="headers imply"):
            _ = video.info


def test_stream_lengths_that_do_not_add_up_are_refused(samples, attempt):
    sample = samples["block"]
    packets = packets_of(sample.data)
    place = next(number for number, (kind, _) in enumerate(packets) if kind == b"PICS")
    for changed in (packets[place][1] + b"\0", packets[place][1][:-1]):
        harmed = [*packets]
        harmed[place] = b"PICS", changed
        for framing in (indexed, scanned):
            assert_refused(attempt, framing(harmed), match="in a packet that holds")


@pytest.mark.parametrize("size", [0, 1, 1 << 30, (1 << 32) - 1])
@pytest.mark.parametrize("name", ["mesh int8", "float16", "named"])
def test_a_frame_of_another_size_is_refused_before_it_is_expanded(name, size, samples, tmp_path):
    sample = samples[name]
    frame = bomb(size) if size >> 17 else frame_of(bytes(size))
    path = tmp_path / "bad.mvz"
    reads = [lambda video: list(video.pictures())]
    if name != "mesh int8":  # where each picture has its own packet, `info` has no need to look into the frames
        reads.append(lambda video: video.info)
    run = next(run for run in sample.runs() if P_PICTURE in run.types)
    right = {id_: len(symbols_of(old)) for id_, old in run.streams}
    for id_ in right:
        if (id_ == NAMES and size < 2) or right.get(id_) == size:
            continue
        path.write_bytes(harmed_streams(sample, lambda old, id_=id_: [(s, frame if s == id_ else f) for s, f in old]))
        tracemalloc.start()
        try:
            for read in reads:
                with codec.open(path) as video, pytest.raises(BitstreamError, match="declares"):
                    read(video)
            assert tracemalloc.get_traced_memory()[1] < 3e6
        finally:
            tracemalloc.stop()


def test_the_bomb_is_one():
    """What the test above sends is a frame that zstd itself would expand."""
    assert bytes(300_000) == symbols_of(bomb(300_000))
    assert len(bomb(1 << 30)) < 40_000


def test_a_run_beyond_the_limit_is_refused_before_it_is_expanded(samples, tmp_path):
    path = tmp_path / "bad.mvz"
    sample = samples["float16"]
    size = 2 * 2 << 26
    runs = [run.with_stream(RESIDUAL_0, bomb(size)) for run in sample.runs()]
    data = sample.with_runs(runs, indexed)
    path.write_bytes(with_header(data, width=1 << 13, height=1 << 13))
    limits = codec.Limits(max_run_bytes=size - 1)
    tracemalloc.start()
    try:
        with codec.open(path, limits=limits) as video:
            with pytest.raises(LimitError, match="a run of"):
                video.picture(0)
            with pytest.raises(LimitError, match="a run of"):
                _ = video.info
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


def unsized(symbols):
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, write_checksum=False
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(symbols)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: b"",
        lambda frame: frame[:1],
        lambda frame: frame[:-1],
        lambda frame: frame + b"\0",
        lambda frame: frame + frame,
        lambda frame: zstandard.FRAME_HEADER + frame,
        lambda frame: b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip" + frame,
        lambda frame: unsized(symbols_of(frame)),
        lambda frame: bytes([frame[0] | 3]) + frame[1:],  # a dictionary of our choice
        lambda frame: bytes([frame[0] ^ 4]) + frame[1:],  # a checksum that is not there
        lambda frame: b"\xff" * 64,
    ],
    ids=[
        "empty", "one-byte", "cut", "trailing-byte", "two-frames", "magic", "skippable", "no-size", "dictionary",
        "checksum", "noise",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["block", "float16", "named"])
def test_a_stream_that_is_not_one_whole_sized_frame_is_refused(name, change, samples, attempt):
    sample = samples[name]
    for id_ in {stream for run in sample.runs() for stream, _ in run.streams}:
        harmed = harmed_streams(
            sample, lambda streams, id_=id_: [(s, change(f) if s == id_ else f) for s, f in streams]
        )
        assert_refused(attempt, harmed)


# ------------------------------------------------------------------------- symbols


@pytest.mark.parametrize("name", ["block", "mesh int8"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_vector_beyond_the_limit_is_refused(name, sign, samples, attempt):
    sample = samples[name]
    limit = header_value(sample.data, "vector_limit")
    for value, kind in ((limit, ChecksumError), (limit + 1, BitstreamError), (16384, BitstreamError)):
        for flag in (2, 1):

            def far(streams, flag=flag, value=value):
                symbol = 2 * value - 1 if sign > 0 else 2 * value - 2
                frames = dict(streams)
                # the first difference of the first field; all others are zero, so all vectors are the first
                flags = bytes([flag << 6]).ljust(len(symbols_of(frames[VECTOR_FLAGS])), b"\0")
                values = symbol.to_bytes(2, "little")
                changed = {VECTOR_FLAGS: frame_of(flags), VECTOR_VALUES: frame_of(values)}
                return sorted((frames | changed).items())

            assert_refused(attempt, harmed_streams(sample, far), kind)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 2.0, -2.0, float(np.nextafter(np.float16(1), np.float16(2)))]
)
def test_a_float16_level_beyond_one_is_refused(value, samples, attempt):
    sample = samples["float16"]
    bits = np.float16(value).tobytes()
    for at in (0, 59):

        def far(streams, at=at):
            symbols = bytearray(symbols_of(dict(streams)[RESIDUAL_0]))
            assert 2 * 2 * 30 == len(symbols)  # two pictures of 30 samples; all low bytes, then all high bytes
            symbols[at], symbols[60 + at] = bits
            return [(RESIDUAL_0, frame_of(bytes(symbols)))]

        assert_refused(attempt, harmed_streams(sample, far), match="float16")


@pytest.mark.parametrize("level", [1.0, -1.0, -0.0, 6e-8, 0.5])
def test_a_float16_level_within_one_is_a_matter_of_the_pictures_checksum(level, samples, attempt):
    sample = samples["float16"]
    bits = np.float16(level).tobytes()

    def other(streams):
        symbols = bytearray(symbols_of(dict(streams)[RESIDUAL_0]))
        symbols[0], symbols[60] = bits
        return [(RESIDUAL_0, frame_of(bytes(symbols)))]

    assert_error_or_right(attempt, sample, harmed_streams(sample, other))


@pytest.mark.parametrize("names", [b"", b"only one", b"one\0two\0three", b"\0\0"])
def test_names_of_another_count_are_refused(names, samples, attempt):
    sample = samples["named"]
    harmed = harmed_streams(sample, lambda streams: [(s, frame_of(names) if s == NAMES else f) for s, f in streams])
    assert_refused(attempt, harmed, match="names for 2 pictures")


def test_names_that_are_not_utf8_survive(samples, attempt):
    sample = samples["named"]
    frame = frame_of(b"a\xff\0")
    pictures, error = attempt(
        harmed_streams(sample, lambda streams: [(s, frame if s == NAMES else f) for s, f in streams])
    )
    assert error is None
    assert ["a\udcff", None, "2.png"] == [picture.name for picture in pictures]
