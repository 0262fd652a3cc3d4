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
from itertools import product

import numpy as np
import pytest
import zstandard
from packet_places import places_of
from packing_twin import CONTEXTS, Twin, bomb, compressed, plain, plain_stream, varint

import codec
from codec.bitstream.schema import StreamId
from codec.errors import BitstreamError, ChecksumError, LimitError, TruncatedError, UnsupportedError
from codec.lossless.tables import WEIGHT_COUNTS
from codec.picture.planes import Picture

SIGNATURE = b"\x8bMVZ\r\n\x1a\n"
NAMES, VECTORS, MODES, WEIGHTS, PREDICTOR_SETS, CONTEXT_SUBSTREAMS, RESIDUAL = range(7)
SEQUENCE_FIELDS = {
    "major": "B",
    "minor": "B",
    "width": "I",
    "height": "I",
    "sample_format": "B",
    "bit_depth": "B",
    "colour_matrix": "B",
    "colour_primaries": "B",
    "colour_transfer": "B",
    "colour_range": "B",
    "chroma_siting": "B",
    "rate_numerator": "I",
    "rate_denominator": "I",
    "residual_coder": "B",
    "motion_model": "B",
    "log2_cell_size": "B",
    "vector_limit": "H",
    "gop_limit": "H",
    "max_error": "H",
    "coded_format": "B",
}


# ------------------------------------------------------------------------- taking files apart, making new ones


def packet(kind, payload):
    body = kind + struct.pack("<I", len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def packets_of(data):
    """(kind, payload) of every packet of a whole file."""
    assert data.startswith(SIGNATURE)
    return [(kind, data[start + 8 : end - 4]) for kind, start, end in places_of(data)]


def joined(packets):
    """A file of exactly these packets, each with its CRC-32."""
    return SIGNATURE + b"".join(packet(kind, payload) for kind, payload in packets)


def indexed(packets):
    """A file of these packets, without their index and end, and with an index and end that fit them."""
    packets = [(kind, payload) for kind, payload in packets if kind not in (b"indx", b"ENDS")]
    offset, entries, total = len(SIGNATURE), [], 0
    for kind, payload in packets:
        if kind == b"PICS":
            first, count, references = struct.unpack_from("<IHB", payload) if len(payload) > 6 else (0, 0, 0)
            entries.append(struct.pack("<IHB", len(payload) + 12, count, references == 0))
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
class PacketGroup:
    """The payload of a picture packet, in parts."""

    first: int
    references: list[int]
    checksums: list[int]
    quantisers: list[tuple[tuple[int, int], ...]]
    predictor_set_counts: list[tuple[int, ...]]
    streams: list[tuple[int, bytes]] = field(default_factory=list)

    @classmethod
    def parse(cls, payload, quantiser_count=0, weighted_planes=0):
        first, count = struct.unpack_from("<IH", payload)
        run, at = cls(first, [], [], [], []), 6
        for _ in range(count):
            references, checksum = struct.unpack_from("<BI", payload, at)
            quantisers = tuple(
                struct.unpack_from("<HB", payload, at + 5 + 3 * plane) for plane in range(quantiser_count)
            )
            at += 5 + 3 * quantiser_count
            run.references.append(references)
            run.checksums.append(checksum)
            run.quantisers.append(quantisers)
            run.predictor_set_counts.append(tuple(payload[at : at + weighted_planes]))
            at += weighted_planes
        headers = [struct.unpack_from("<BI", payload, at + 1 + 5 * number) for number in range(payload[at])]
        at += 1 + 5 * len(headers)
        for stream, length in headers:
            run.streams.append((stream, payload[at : at + length]))
            at += length
        assert at == len(payload)
        return run

    def build(self):
        parts = [struct.pack("<IH", self.first, len(self.references))]
        headers = self.references, self.checksums, self.quantisers, self.predictor_set_counts
        for references, checksum, quantisers, predictor_set_counts in zip(*headers, strict=True):
            parts += [struct.pack("<BI", references, checksum), *(struct.pack("<HB", *values) for values in quantisers)]
            parts.append(bytes(predictor_set_counts))
        parts.append(bytes([len(self.streams)]))
        parts += [struct.pack("<BI", stream, len(frame)) for stream, frame in self.streams]
        return b"".join(parts + [frame for _, frame in self.streams])

    def with_stream(self, id_, frame):
        return replace(self, streams=[(stream, frame if stream == id_ else old) for stream, old in self.streams])


def symbols_of(stream):
    """What a stream of one array holds, which is plain."""
    assert stream[0] == 0
    return stream[1:]


def numbers_of(stream):
    """The low and the high bytes that a stream of numbers holds, all plain."""
    half = len(stream) // 2
    return symbols_of(stream[:half]), symbols_of(stream[half:])


def plain_numbers(numbers):
    """Numbers of two bytes, packed as they are."""
    return plain([number & 255 for number in numbers]) + plain([number >> 8 for number in numbers])


def names_stream(names):
    return varint(len(names)) + plain(names)


# ------------------------------------------------------------------------- the files that are harmed


def make(path, pictures, **settings):
    metadata = settings.pop("metadata", {})
    with codec.Writer(path, format=pictures[0].format, settings=codec.Settings(**settings), metadata=metadata) as out:
        for picture in pictures:
            out.append(picture)
    return path.read_bytes()


@dataclass
class Sample:
    """A whole file, the same with all symbols packed as they are, and the pictures that both decode to.

    Also how many quantisers and predictor set counts its pictures have.
    """

    data: bytes
    plain_data: bytes
    pictures: list[Picture]
    quantiser_count: int = 0
    weighted_planes: int = 0

    def runs(self):
        """Groups whose streams hold their symbols as they are, so that these can be seen and exchanged."""
        payloads = [payload for kind, payload in packets_of(self.plain_data) if kind == b"PICS"]
        return [PacketGroup.parse(payload, self.quantiser_count, self.weighted_planes) for payload in payloads]

    def with_runs(self, runs, framing):
        """The file with these runs instead of its own."""
        others = [(kind, payload) for kind, payload in packets_of(self.data) if kind != b"PICS"]
        return framing([*others, *((b"PICS", run.build()) for run in runs)])


SAMPLES = {
    # name: mode, (width, height), pictures, settings
    # its weights are fitted to every other row: to both they fit without a residual, which no max_error changes
    "smallest": ("gray", (2, 2), 2, {"block": 4, "search": 1, "speed": "fast"}),
    "block": ("yuv420", (9, 6), 3, {"block": 4, "search": 2, "run": 2, "gop": 2}),
    "mesh int8": ("gray", (10, 7), 3, {"residual": "int8", "step": 4, "motion": "mesh", "block": 4, "search": 2}),
    "uint8 run": ("rgb", (5, 4), 4, {"residual": "uint8", "step": 5, "motion": "block", "run": 3, "gop": 3}),
    "float16": ("gray", (6, 5), 2, {"residual": "float16", "motion": "none", "run": 2}),
    "named": ("gray", (4, 4), 3, {"run": 2, "gop": 3, "metadata": {"title": "Größe"}}),
    "two references": ("rgb", (5, 4), 4, {"run": 3, "gop": 4, "block": 4, "search": 1}),
    "near": ("yuv420", (18, 3), 3, {"max_error": 2, "run": 1, "motion": "none"}),
    "alpha": ("rgba", (5, 4), 3, {"run": 3, "block": 4, "search": 1}),
    "alpha uint8": ("gray_alpha", (6, 5), 3, {"residual": "uint8", "step": 4, "block": 4, "search": 1, "run": 2}),
}
LOSSLESS = ("smallest", "block", "named", "two references", "near", "alpha")
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
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("codec.writing.packing.packed_by", lambda _, symbols, __: plain(symbols.tobytes()))
            plain_data = make(folder / f"{name} plain.mvz", pictures, **settings)
        with codec.open(path) as video:
            planes, residual = len(pictures[0].planes), settings.get("residual", "lossless")
            stepped = planes - pictures[0].format.sample_format.has_alpha
            counts = stepped * (residual in ("int8", "uint8")), planes * (residual == "lossless")
            made[name] = Sample(data, plain_data, list(video.pictures()), *counts)
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
    assert len(sample.data) < 1500
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


@pytest.mark.parametrize("name", ["mesh int8", "uint8 run", "float16"])
def test_other_symbols_are_caught_by_the_pictures_checksums(name, samples, attempt):
    sample = samples[name]
    random = np.random.default_rng(11)
    caught = 0
    for _ in range(60):
        runs = sample.runs()
        place = int(random.integers(len(runs)))
        id_, stream = runs[place].streams[random.integers(len(runs[place].streams))]
        at = random.integers(1, len(stream))
        runs[place] = runs[place].with_stream(
            id_, stream[:at] + bytes([stream[at] ^ 1 << random.integers(8)]) + stream[at + 1 :]
        )
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
        ({"bit_depth": 7}, UnsupportedError, "7 bits"),
        ({"colour_matrix": 3}, UnsupportedError, "colour_matrix is 3"),
        ({"colour_matrix": 0}, UnsupportedError, "colour_matrix is 0"),
        ({"colour_primaries": 3}, UnsupportedError, "colour_primaries is 3"),
        ({"colour_transfer": 255}, UnsupportedError, "colour_transfer is 255"),
        ({"colour_range": 3}, UnsupportedError, "colour_range is 3"),
        ({"chroma_siting": 4}, UnsupportedError, "chroma_siting is 4"),
        ({"rate_numerator": 0}, BitstreamError, "rate"),
        ({"rate_denominator": 0}, BitstreamError, "rate"),
        ({"residual_coder": 5}, UnsupportedError, "residual_coder is 5"),
        ({"motion_model": 3}, UnsupportedError, "motion_model is 3"),
        ({"log2_cell_size": 1}, BitstreamError, "log2_cell_size is 1"),
        ({"log2_cell_size": 6}, BitstreamError, "log2_cell_size is 6"),
        ({"log2_cell_size": 255}, BitstreamError, "log2_cell_size is 255"),
        ({"vector_limit": 4097}, BitstreamError, "vector_limit is 4097"),
        ({"gop_limit": 0}, BitstreamError, "gop_limit is 0"),
        ({"gop_limit": 1025}, BitstreamError, "gop_limit is 1025"),
        ({"coded_format": 1}, BitstreamError, "coded_format is"),
        ({"coded_format": 255}, UnsupportedError, "coded_format is 255"),
        ({"max_error": 128}, BitstreamError, "max_error is 128"),
        ({"max_error": 65535}, BitstreamError, "max_error is 65535"),
        ({"bit_depth": 7}, UnsupportedError, "7 bits a sample"),
        ({"bit_depth": 17}, UnsupportedError, "17 bits a sample"),
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
        with codec.open(path) as video, pytest.raises(BitstreamError, match="ends too early"):
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
        (codec.Limits(max_group_bytes=67), True),  # 2 pictures of 16 samples, two bytes each, and a vector of 4 bytes
        (codec.Limits(max_group_bytes=68), False),
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
    assert [0, 1] == first.references
    harmed = sample.with_runs([replace(first, references=[0, 0]), *rest], framing)
    assert_refused(attempt, harmed, match="I picture")


@FRAMINGS
def test_a_first_picture_that_is_not_an_i_picture_is_refused(framing, samples, attempt):
    sample = samples["block"]
    first, *rest = sample.runs()
    harmed = sample.with_runs([replace(first, references=[1, 1]), *rest], framing)
    assert_refused(attempt, harmed, match="I picture")


@FRAMINGS
@pytest.mark.parametrize(("name", "most"), [("block", 2), ("mesh int8", 1), ("uint8 run", 1), ("float16", 1)])
def test_more_references_than_a_coder_has_are_refused(name, most, framing, samples, attempt):
    sample = samples[name]
    place, run = next((place, run) for place, run in enumerate(sample.runs()) if any(run.references))
    for references in (most + 1, 3, 255):
        runs = sample.runs()
        runs[place] = replace(run, references=[*run.references[:-1], references])
        assert_refused(
            attempt, sample.with_runs(runs, framing), match=f"references is {references}; it lies in 0…{most}"
        )


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
    empty = replace(second, references=[], checksums=[], quantisers=[], predictor_set_counts=[], streams=[])
    assert_refused(attempt, sample.with_runs([first, empty], framing))


@FRAMINGS
def test_a_gop_longer_than_the_header_allows_is_refused(framing, samples, attempt):
    sample = samples["named"]  # one GOP of three pictures in runs of two and one
    assert 3 == header_value(sample.data, "gop_limit")
    for limit in (1, 2):
        assert_refused(attempt, framing(packets_of(with_header(sample.data, gop_limit=limit))))


@FRAMINGS
def test_more_pictures_in_a_packet_than_a_gop_holds_are_refused_before_their_headers_are_read(
    framing, samples, attempt
):
    sample = samples["block"]
    *packets, last = packets_of(sample.data)
    for place, (kind, payload) in enumerate(packets):
        if kind == b"PICS":
            harmed = [*packets]
            harmed[place] = kind, payload[:4] + b"\xff\xff" + payload[6:]
            _, error = attempt(framing([*harmed, last]))
            assert error is not None
            # an index with that count is refused before
            assert framing is indexed or "picture_count is 65535; it lies in 1…2" in str(error)


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
    place = next(number for number, run in enumerate(runs) if any(run.references))
    runs[place] = replace(runs[place], streams=change(runs[place].streams))
    return sample.with_runs(runs, indexed)


@pytest.mark.parametrize("name", ["block", "mesh int8", "uint8 run", "float16", "named", "two references", "near"])
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


@pytest.mark.parametrize("id_", [max(StreamId) + 1, 64, 127, 255])
def test_a_stream_without_a_meaning_is_unsupported(id_, samples, attempt):
    harmed = harmed_streams(samples["block"], lambda streams: sorted([*streams, (id_, plain(b"?"))]))
    assert_refused(attempt, harmed, UnsupportedError, f"stream id is {id_}")


def test_streams_that_the_headers_do_not_imply_are_refused(samples, attempt):
    for name, id_ in (
        ("float16", VECTORS),
        ("float16", WEIGHTS),
        ("uint8 run", CONTEXT_SUBSTREAMS),
        ("named", RESIDUAL),
        ("named", MODES),
        ("mesh int8", PREDICTOR_SETS),
    ):
        harmed = harmed_streams(samples[name], lambda streams, id_=id_: sorted([*streams, (id_, plain(b"??"))]))
        assert_refused(attempt, harmed)


def test_cell_modes_without_a_meaning_are_refused(samples, attempt):
    for last in (3, 255):
        harmed = harmed_streams(samples["mesh int8"], with_last_symbol(MODES, last))
        assert_refused(attempt, harmed, match=f"a cell mode is {last}")


def with_last_symbol(wanted, symbol):
    """A change of streams: the last byte of one of them."""
    return lambda streams: [
        (id_, stream[:-1] + bytes([symbol]) if id_ == wanted else stream) for id_, stream in streams
    ]


@pytest.mark.parametrize(
    ("mode", "vectors", "last", "match"),
    [
        (2, 12, 0, "ends too early"),
        (0, 18, 0, "after the end"),
        (0, 13, 0, "after the end"),
        (2, 18, 0xFEFE, "own vector is beyond"),
        (2, 18, 0xFFFF, "own vector is beyond"),
    ],
    ids=["none", "many", "one", "far", "farthest"],
)
def test_own_vectors_are_there_where_modes_want_them_and_within_the_limit(mode, vectors, last, match, samples, attempt):
    def change(streams):  # 12 nodes and 6 cells
        numbers = [0] * (2 * vectors - 1) + [last]
        return sorted((dict(streams) | {MODES: plain([mode] * 6), VECTORS: plain_numbers(numbers)}).items())

    assert_refused(attempt, harmed_streams(samples["mesh int8"], change), match=match)


def test_info_refuses_streams_that_the_headers_do_not_imply(samples, tmp_path):
    path = tmp_path / "bad.mvz"
    for name, id_ in (
        ("float16", VECTORS),
        ("float16", CONTEXT_SUBSTREAMS),
        ("named", RESIDUAL),
    ):
        path.write_bytes(
            harmed_streams(samples[name], lambda streams, id_=id_: sorted([*streams, (id_, plain(b"??"))]))
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


@pytest.mark.parametrize("size", [1, 1 << 20, 1 << 30])
@pytest.mark.parametrize("name", ["mesh int8", "float16", "named"])
def test_blocks_of_another_size_are_refused_before_they_are_expanded(name, size, samples, tmp_path):
    sample = samples[name]
    path = tmp_path / "bad.mvz"
    harm = compressed(bomb(size))
    for id_ in {id_ for run in sample.runs() for id_, _ in run.streams}:
        head = {NAMES: b"\5", CONTEXT_SUBSTREAMS: 2 * (b"\x10" + bytes(CONTEXTS - 1))}.get(id_, b"")
        path.write_bytes(
            harmed_streams(
                sample, lambda old, id_=id_, head=head: [(s, head + harm if s == id_ else f) for s, f in old]
            )
        )
        tracemalloc.start()
        try:
            with codec.open(path) as video, pytest.raises(BitstreamError, match="zstd compressed is damaged"):
                list(video.pictures())
            assert tracemalloc.get_traced_memory()[1] < 3e6
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("size", [(1 << 20) + 1, 1 << 30, (1 << 35) - 1])
def test_names_that_say_that_they_are_large_are_refused_before_they_are_expanded(size, samples, tmp_path):
    path = tmp_path / "bad.mvz"
    stream = varint(size) + b"\1a"
    path.write_bytes(harmed_streams(samples["named"], lambda old: [(s, stream if s == NAMES else f) for s, f in old]))
    tracemalloc.start()
    try:
        for read in (lambda video: video.picture(0), lambda video: video.info):
            with codec.open(path) as video, pytest.raises(LimitError, match=f"names of {size} bytes"):
                read(video)
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


def test_the_bomb_is_one():
    """What the tests above send are blocks that zstd itself would expand."""
    head = b"\x28\xb5\x2f\xfd\xe0" + (300_000).to_bytes(8, "little")
    assert bytes(300_000) == zstandard.ZstdDecompressor().decompress(head + bomb(300_000))
    assert len(bomb(1 << 30)) < 40_000


def test_a_run_beyond_the_limit_is_refused_before_it_is_expanded(samples, tmp_path):
    path = tmp_path / "bad.mvz"
    sample = samples["float16"]
    size = 2 * 2 << 26
    runs = [run.with_stream(RESIDUAL, compressed(bomb(size))) for run in sample.runs()]
    data = sample.with_runs(runs, indexed)
    path.write_bytes(with_header(data, width=1 << 13, height=1 << 13))
    limits = codec.Limits(max_group_bytes=size - 1)
    tracemalloc.start()
    try:
        with codec.open(path, limits=limits) as video:
            with pytest.raises(LimitError, match="a packet group of"):
                video.picture(0)
            with pytest.raises(LimitError, match="a packet group of"):
                _ = video.info
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "change",
    [
        lambda stream: b"",
        lambda stream: stream[:1],
        lambda stream: stream[:-1],
        lambda stream: stream + b"\0",
        lambda stream: stream + stream,
        lambda stream: b"\x08" + stream,  # one byte of a block
        lambda stream: b"\x07" + stream,  # blocks of no byte
        lambda stream: b"\xff" * 64,
    ],
    ids=["empty", "one-byte", "cut", "trailing-byte", "two", "block", "no blocks", "noise"],
)
@pytest.mark.parametrize("name", ["block", "float16", "named"])
def test_a_stream_that_is_not_whole_is_refused(name, change, samples, attempt):
    sample = samples[name]
    for id_ in {stream for run in sample.runs() for stream, _ in run.streams}:
        harmed = harmed_streams(
            sample, lambda streams, id_=id_: [(s, change(f) if s == id_ else f) for s, f in streams]
        )
        assert_refused(attempt, harmed)


# ------------------------------------------------------------------------- symbols


@pytest.mark.parametrize("name", ["block", "mesh int8", "uint8 run"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_vector_beyond_the_limit_is_refused(name, sign, samples, attempt):
    sample = samples[name]
    limit = header_value(sample.data, "vector_limit")
    for value in (limit, limit + 1, 16384):
        for flag in (0, 1):

            def far(streams, flag=flag, value=value):
                # the first difference of the first field; all others are zero, so all vectors are the first
                numbers = [0] * len(numbers_of(dict(streams)[VECTORS])[0])
                numbers[flag] = 2 * value if sign > 0 else 2 * value - 1
                return sorted((dict(streams) | {VECTORS: plain_numbers(numbers)}).items())

            _, error = attempt(harmed_streams(sample, far))
            if value > limit:
                assert BitstreamError is type(error)
                assert "a vector component is beyond" in str(error)
            else:  # another prediction, of which the lossless coder may see already that it needs other symbols
                needs = type(error) is BitstreamError and "are needed" in str(error)
                assert ChecksumError is type(error) or (name == "block" and needs), str(error)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 2.0, -2.0, float(np.nextafter(np.float16(1), np.float16(2)))]
)
def test_a_float16_level_beyond_one_is_refused(value, samples, attempt):
    sample = samples["float16"]
    bits = np.float16(value).tobytes()
    for at in (0, 59):

        def far(streams, at=at):
            stream = bytearray(dict(streams)[RESIDUAL])
            assert 2 * (1 + 2 * 30) == len(stream)  # two pictures of 30 samples; all low bytes, then all high bytes
            stream[1 + at], stream[62 + at] = bits
            return [(RESIDUAL, bytes(stream))]

        assert_refused(attempt, harmed_streams(sample, far), match="float16")


@pytest.mark.parametrize("level", [1.0, -1.0, -0.0, 6e-8, 0.5])
def test_a_float16_level_within_one_is_a_matter_of_the_pictures_checksum(level, samples, attempt):
    sample = samples["float16"]
    bits = np.float16(level).tobytes()

    def other(streams):
        stream = bytearray(dict(streams)[RESIDUAL])
        stream[1], stream[62] = bits
        return [(RESIDUAL, bytes(stream))]

    assert_error_or_right(attempt, sample, harmed_streams(sample, other))


@pytest.mark.parametrize("names", [b"", b"only one", b"one\0two\0three", b"\0\0"])
def test_names_of_another_count_are_refused(names, samples, attempt):
    sample = samples["named"]
    harmed = harmed_streams(sample, lambda streams: [(s, names_stream(names) if s == NAMES else f) for s, f in streams])
    assert_refused(attempt, harmed, match="names for 2 pictures")


def test_names_that_are_not_utf8_survive(samples, attempt):
    sample = samples["named"]
    frame = names_stream(b"a\xff\0")
    pictures, error = attempt(
        harmed_streams(sample, lambda streams: [(s, frame if s == NAMES else f) for s, f in streams])
    )
    assert error is None
    assert ["a\udcff", None, "2.png"] == [picture.name for picture in pictures]


# ------------------------------------------------------------------------- predictor sets and context substreams


def one_of(run, id_):
    return dict(run.streams)[id_]


def twins(sample):
    """Of each run of a lossless file the context substreams of its pictures."""
    return [Twin(one_of(run, CONTEXT_SUBSTREAMS)).substreams(len(run.references)) for run in sample.runs()]


def with_changed(sample, place, **changes):
    """The file whose run number ``place`` has other fields."""
    runs = sample.runs()
    runs[place] = replace(runs[place], **changes)
    return sample.with_runs(runs, indexed)


def with_substreams(sample, place, pictures):
    """The file whose run number ``place`` has other context substreams, in plain bytes."""
    return with_changed(
        sample, place, streams=sample.runs()[place].with_stream(CONTEXT_SUBSTREAMS, plain_stream(pictures)).streams
    )


def assert_caught(attempt, sample, data):
    """What was decoded, up to an error, is right, and the error is one of those that symbols can cause."""
    error = assert_error_or_right(attempt, sample, data)
    assert type(error) in (BitstreamError, ChecksumError), str(error)
    return error


@pytest.mark.parametrize("name", LOSSLESS)
def test_the_samples_have_what_the_tests_below_harm(name, samples, attempt):
    sample = samples[name]
    for place, (run, pictures) in enumerate(zip(sample.runs(), twins(sample), strict=True)):
        assert all(count > 0 for counts in run.predictor_set_counts for count in counts)
        assert {WEIGHTS, PREDICTOR_SETS, CONTEXT_SUBSTREAMS} <= {id_ for id_, _ in run.streams}
        found, error = attempt(with_substreams(sample, place, pictures))  # the same in plain bytes
        assert error is None
        assert all(map(Picture.same_samples, sample.pictures, found))
    assert any(any(symbols_of(one_of(run, PREDICTOR_SETS))) for run in sample.runs())
    references = [run.references for run in samples["two references"].runs()]
    assert [[0, 1, 2], [2]] == references


def sets_of(run, name):
    """Of each square the predictor set, how many have weights, and from how many pictures its picture is predicted."""
    sets = symbols_of(one_of(run, PREDICTOR_SETS))
    # planes of these files have as many squares one as the other, but for chroma that is half as wide
    squares = [2, 1, 1] if name == "near" else [1] * len(run.predictor_set_counts[0])
    counts = [count for of_picture in run.predictor_set_counts for count in np.repeat(of_picture, squares).tolist()]
    references = np.repeat(run.references, len(sets) // len(run.references)).tolist()
    return list(zip(sets, counts, references, strict=True))


@pytest.mark.parametrize("name", LOSSLESS)
def test_weights_beyond_sense_are_caught_by_context_substreams_or_checksums(name, samples, attempt):
    sample = samples[name]
    random = np.random.default_rng(21)
    for place, run in enumerate(sample.runs()):
        size = len(numbers_of(one_of(run, WEIGHTS))[0])
        for weights in (
            [0xFFFF] * size,  # −32768
            [0xFFFE] * size,  # 32767
            [0x8000] * size,
            random.integers(0, 65536, size).tolist(),
            random.integers(0, 65536, size).tolist(),
        ):
            data = with_changed(sample, place, streams=run.with_stream(WEIGHTS, plain_numbers(weights)).streams)
            error = assert_error_or_right(attempt, sample, data)
            used = any(0 < set_ <= count for set_, count, _ in sets_of(run, name))
            assert type(error) in ((BitstreamError, ChecksumError) if used else (type(None),)), str(error)


@pytest.mark.parametrize("sets", ["none", "one", "most"])
@pytest.mark.parametrize("mode", ["rgb", "yuv420"])
def test_any_weights_code_pictures_that_come_back(sets, mode, noise, monkeypatch, tmp_path):
    """What no encoder would choose is right all the same, and differences of weights go round."""
    random = np.random.default_rng(22)
    count = {"none": 0, "one": 1, "most": 32}[sets]

    def chosen(taps, *_):
        shape = tuple(-(-side // 16) for side in taps.shape())
        references, residuals, *_ = taps.layout()
        weights = random.choice([-32768, 32767, 0, 255], (count, WEIGHT_COUNTS[references] + residuals))
        return weights.astype(np.int16), random.integers(0, count + 2 + (references > 0), shape).astype(np.uint8)

    monkeypatch.setattr("codec.search.predictor_sets.fit_sets", chosen)
    pictures = noise(mode, 35, 18, count=5)
    data = make(tmp_path / "a.mvz", pictures, run=3, gop=5, scene_cut=False, motion="none")
    runs = Sample(data, data, pictures, 0, 3).runs()
    assert [[(count,) * 3] * 3, [(count,) * 3] * 2] == [run.predictor_set_counts for run in runs]
    assert bool(count) == bool(one_of(runs[0], WEIGHTS))
    with codec.open(tmp_path / "a.mvz") as video:
        assert all(map(Picture.same_samples, pictures, video.pictures()))


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_predictor_set_above_those_of_its_plane_is_refused(name, samples, attempt):
    sample = samples[name]
    for place, run in enumerate(sample.runs()):
        sets = symbols_of(one_of(run, PREDICTOR_SETS))
        for at, (_, count, references) in enumerate(sets_of(run, name)):
            last = count + (2 if references else 1)
            for set_ in (last + 1, 35, 255):
                harmed = run.with_stream(PREDICTOR_SETS, plain(sets[:at] + bytes([set_]) + sets[at + 1 :]))
                data = with_changed(sample, place, streams=harmed.streams)
                assert_refused(attempt, data, match=f"a square has predictor set {set_}; 0…{last} are possible")


@pytest.mark.parametrize("name", LOSSLESS)
def test_other_predictor_sets_within_their_count_are_caught_or_as_good(name, samples, attempt):
    sample = samples[name]
    for place, run in enumerate(sample.runs()):
        sets = symbols_of(one_of(run, PREDICTOR_SETS))
        for at, set_ in product(range(len(sets)), range(5)):
            harmed = run.with_stream(PREDICTOR_SETS, plain(sets[:at] + bytes([min(set_, 4)]) + sets[at + 1 :]))
            error = assert_error_or_right(attempt, sample, with_changed(sample, place, streams=harmed.streams))
            assert type(error) in (type(None), BitstreamError, ChecksumError), str(error)


@pytest.mark.parametrize("name", LOSSLESS)
def test_predictor_set_counts_other_than_the_weights_there_are_refused(name, samples, attempt):
    sample = samples[name]
    for place, run in enumerate(sample.runs()):
        for picture, plane in product(range(len(run.references)), range(sample.weighted_planes)):
            count = run.predictor_set_counts[picture][plane]
            for other, match in (
                (33, "predictor_set_counts is 33"),
                (255, "predictor_set_counts is 255"),
                (count + 1, ""),
                (count - 1, ""),  # or a predictor set is above it
                (32, ""),
                (0, ""),
            ):
                counts = [list(of_picture) for of_picture in run.predictor_set_counts]
                counts[picture][plane] = other
                assert_refused(attempt, with_changed(sample, place, predictor_set_counts=counts), match=match)


@pytest.mark.parametrize("name", LOSSLESS)
def test_weights_are_there_where_predictor_sets_want_them_and_only_there(name, samples, attempt):
    sample = samples[name]
    for place, run in enumerate(sample.runs()):
        without = [(id_, data) for id_, data in run.streams if id_ != WEIGHTS]
        assert_refused(attempt, with_changed(sample, place, streams=without), match="WEIGHTS")
        none = [(0,) * sample.weighted_planes] * len(run.references)
        assert_refused(attempt, with_changed(sample, place, predictor_set_counts=none), match="after the end")
        size = len(numbers_of(one_of(run, WEIGHTS))[0])
        for other in (0, 1, size - 1, size + 1, 2 * size):
            harmed = run.with_stream(WEIGHTS, plain_numbers([0] * other))
            data = with_changed(sample, place, streams=harmed.streams)
            assert_refused(attempt, data, match="after the end" if other > size else "ends too early")


@pytest.mark.parametrize("name", LOSSLESS)
def test_predictor_sets_of_another_number_are_refused(name, samples, attempt):
    sample = samples[name]
    for place, run in enumerate(sample.runs()):
        size = len(symbols_of(one_of(run, PREDICTOR_SETS)))
        for other in (0, size - 1, size + 1, 2 * size):
            harmed = run.with_stream(PREDICTOR_SETS, plain(bytes(other)))
            data = with_changed(sample, place, streams=harmed.streams)
            assert_refused(attempt, data, match="after the end" if other > size else "ends too early")


@FRAMINGS
def test_more_references_than_there_are_pictures_are_refused(framing, samples, attempt):
    # weights and vectors that such a picture would have, so that nothing else is wrong
    for name, place, references in (("block", 0, [0, 2]), ("two references", 0, [0, 2, 2]), ("named", 0, [0, 2])):
        sample = samples[name]
        runs = sample.runs()
        run = runs[place]
        sizes = {0: 10, 1: 11, 2: 16}
        apart = name == "two references"
        weights = sum(
            count * (sizes[number] + plane * apart)
            for number, counts in zip(references, run.predictor_set_counts, strict=True)
            for plane, count in enumerate(counts)
        )
        runs[place] = replace(run.with_stream(WEIGHTS, plain_numbers([0] * weights)), references=references)
        pictures, error = attempt(sample.with_runs(runs, framing))
        assert error is not None
        if not pictures:  # weights of the first picture were harmed as well, so make them right
            low, high = numbers_of(one_of(run, WEIGHTS))
            of_first = sum(count * (10 + plane * apart) for plane, count in enumerate(run.predictor_set_counts[0]))
            numbers = [a + 256 * b for a, b in zip(low[:of_first], high[:of_first], strict=True)]
            wider = plain_numbers(numbers + [0] * (weights - of_first))
            runs[place] = replace(run.with_stream(WEIGHTS, wider), references=references)
        assert_refused(attempt, sample.with_runs(runs, framing), match="refers to 2 pictures of a GOP that has 1")


@FRAMINGS
def test_a_run_after_another_that_wants_more_pictures_than_there_are_is_refused(framing, samples, attempt):
    # all pictures in packets of their own, of which the first P picture says that it has two references
    sample = samples["near"]
    runs = sample.runs()
    assert [[0], [1], [2]] == [run.references for run in runs]
    weights = plain_numbers([0] * (16 * sum(runs[1].predictor_set_counts[0])))
    runs[1] = replace(runs[1].with_stream(WEIGHTS, weights), references=[2])
    assert_refused(attempt, sample.with_runs(runs, framing), match="refers to 2 pictures of a GOP that has 1")


def test_fewer_references_than_the_weights_are_for_are_refused(samples, attempt):
    for name, place, references in (("two references", 0, [0, 1, 1]), ("two references", 1, [1]), ("near", 2, [1])):
        assert_refused(attempt, with_changed(samples[name], place, references=references))


@pytest.mark.parametrize("name", LOSSLESS)
def test_another_max_error_is_caught(name, samples, attempt):
    for max_error in {0, 1, 2, 3, 16} - {header_value(samples[name].data, "max_error")}:
        assert_caught(attempt, samples[name], with_header(samples[name].data, max_error=max_error))


@pytest.mark.parametrize("max_error", [1, 16, 255])
@pytest.mark.parametrize("name", ["mesh int8", "uint8 run", "float16"])
def test_coders_with_levels_have_no_max_error(name, max_error, samples, attempt):
    data = with_header(samples[name].data, max_error=max_error)
    assert_refused(attempt, data, match=f"max_error is {max_error}; it lies in 0…0")


@pytest.mark.parametrize("coder", range(4))
@DAMAGED
def test_a_file_of_another_coder_is_refused(name, coder, samples, attempt):
    data = samples[name].data
    if coder != header_value(data, "residual_coder"):
        _, error = attempt(with_header(data, residual_coder=coder, max_error=0))
        assert isinstance(error, BitstreamError)


def moved_symbols(pictures, random):
    """ContextSubstreams with as many symbols in all, but not of the contexts that samples have."""
    total = sum(map(len, pictures[0]))
    for context in (0, 5, CONTEXTS - 1):
        yield [[random.bytes(total) if other == context else b"" for other in range(CONTEXTS)] for _ in pictures]
    for _ in range(10):
        sizes = [np.bincount(random.integers(0, CONTEXTS, total), minlength=CONTEXTS) for _ in pictures]
        yield [[random.bytes(int(size)) for size in of_picture] for of_picture in sizes]
    for picture in range(len(pictures)):
        filled = [context for context, symbols in enumerate(pictures[picture]) if symbols]
        for context in filled:
            other = random.integers(CONTEXTS - 1)
            changed = [[list(symbols) for symbols in of_picture] for of_picture in pictures]
            symbol = changed[picture][context].pop(random.integers(len(changed[picture][context])))
            changed[picture][other + (other >= context)].append(symbol)
            yield changed


@pytest.mark.parametrize("name", LOSSLESS)
def test_context_substreams_of_the_right_total_in_the_wrong_contexts_are_caught(name, samples, attempt):
    sample = samples[name]
    random = np.random.default_rng(23)
    for place, pictures in enumerate(twins(sample)):
        for harmed in moved_symbols(pictures, random):
            assert_caught(attempt, sample, with_substreams(sample, place, harmed))


@pytest.mark.parametrize("name", LOSSLESS)
def test_other_symbols_of_context_substreams_are_caught(name, samples, attempt):
    """By the checksum, or by the contexts that samples come to have."""
    sample = samples[name]
    random = np.random.default_rng(24)
    for place, pictures in enumerate(twins(sample)):
        for _ in range(30):
            harmed = [[list(symbols) for symbols in of_picture] for of_picture in pictures]
            context = random.choice([n for n, symbols in enumerate(harmed[-1]) if symbols])
            at = random.integers(len(harmed[-1][context]))
            harmed[-1][context][at] = int(harmed[-1][context][at] + random.integers(1, 256)) % 256
            error = assert_error_or_right(attempt, sample, with_substreams(sample, place, harmed))
            # near 0 and 255, samples that are nearly right may be the same for several symbols
            assert name == "near" or type(error) in (BitstreamError, ChecksumError)


def harmed_substreams(data, random):
    """Streams of context substreams that break rules, or nearly."""
    for end in range(0, len(data), 3):
        yield data[:end]
    for rest in (b"\0", b"\0\0a", data):
        yield data + rest
    for at in range(len(data)):
        for byte in {(0, 5, 127, 128, 255)[at % 5], int(random.integers(256))} - {data[at]}:
            yield data[:at] + bytes([byte]) + data[at + 1 :]
    for at in range(0, len(data), 7):
        yield data[:at] + data[at + 1 :]
        yield data[:at] + b"\0" + data[at:]


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_harmed_stream_of_context_substreams_gives_an_error_or_the_right_pictures(name, samples, attempt):
    sample = samples[name]
    random = np.random.default_rng(25)
    run = sample.runs()[-1]
    for stream in harmed_substreams(one_of(run, CONTEXT_SUBSTREAMS), random):
        harmed = with_changed(sample, -1, streams=run.with_stream(CONTEXT_SUBSTREAMS, stream).streams)
        error = assert_error_or_right(attempt, sample, harmed)
        # a frame's window and the like may differ without harm
        assert type(error) in (type(None), BitstreamError, ChecksumError), str(error)


def test_context_substreams_that_break_a_rule_are_refused_in_a_file_too(samples, attempt):
    """As `test_packing` has it, with the place in the file."""
    sample = samples["named"]
    run = sample.runs()[-1]
    total = 16
    sizes = [varint(total) + bytes(CONTEXTS - 1), varint(total + 1) + bytes(CONTEXTS - 1)]
    for stream, match in (
        (sizes[1] + plain(bytes(total + 1)), "context substreams of 17 symbols"),
        (sizes[0] + b"\x80\x80\x80\x80\x80\0", "more than 5 bytes"),
        (sizes[0] + plain(bytes(total - 1)), "ends too early"),
        (sizes[0] + plain(bytes(total + 1)), "1 bytes after"),
        (sizes[0] + compressed(bomb(total + 1)), "does not hold 16 bytes"),
        (sizes[0] + b"\4\0" + b"\xff" * 6, "not 3 digits below 6"),
        (sizes[0] + b"\4\0" + bytes(5) + b"\1", "fills up the last byte"),
        (sizes[0] + plain(bytes(total)), "are needed"),
    ):
        harmed = with_changed(sample, -1, streams=run.with_stream(CONTEXT_SUBSTREAMS, stream).streams)
        assert_refused(attempt, harmed, match=match)


def test_context_substreams_of_a_large_picture_are_refused_before_it_is_decoded(samples, tmp_path):
    """The sizes add up for 2**24 samples, but nothing follows."""
    sample = samples["named"]
    side = 1 << 12
    run = sample.runs()[0]
    changed = replace(run, references=[0], checksums=[0], predictor_set_counts=[(0,)], quantisers=[()])
    sizes = varint(side * side) + bytes(CONTEXTS - 1)
    changed.streams[:] = [(WEIGHTS, b""), (PREDICTOR_SETS, b"\1\0"), (CONTEXT_SUBSTREAMS, sizes)]
    path = tmp_path / "bad.mvz"
    path.write_bytes(with_header(sample.with_runs([changed], indexed), width=side, height=side))
    with codec.open(path) as video, pytest.raises(BitstreamError, match="ends too early"):
        video.picture(0)
