"""Files that are cut, damaged or made to harm: an error of ours that says where, or exactly the right pictures.

Packets are taken apart and put together here from the layout in format_spec.md, not with the code under test.
"""

from __future__ import annotations

import contextlib
import io
import math
import struct
import tracemalloc
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pytest
import zstandard
from packed_streams import bomb, compressed, plain, plain_stream, varint
from packet_places import packet, places_of

import codec
from codec.bitstream.container import ContainerReader
from codec.bitstream.schema import StreamId
from codec.bitstream.streams import unpack_substreams
from codec.errors import BitstreamError, ChecksumError, LimitError, TruncatedError, UnsupportedError
from codec.lossless.tables import PLAIN_SETS, WEIGHT_COUNTS
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


# ------------------------------------------------------------------------- the files that are harmed


def make(path, pictures, **settings):
    metadata = settings.pop("metadata", {})
    codec.encode(iter(pictures), path, codec.Settings(**settings), metadata=metadata)
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


def assert_right(attempt, sample, data):
    """Decoding gives the pictures of the sample, with their names."""
    pictures, error = attempt(data)
    assert error is None, str(error)
    assert len(sample.pictures) == len(pictures)
    assert all(map(Picture.same_samples, sample.pictures, pictures))
    assert [picture.name for picture in sample.pictures] == [picture.name for picture in pictures]


@contextlib.contextmanager
def less_memory_than(most):
    """What Python allocates inside stays below so many bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


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
    first_run, data = sample.data.index(b"PICS"), bytearray(sample.data)
    data[first_run + 30] ^= 1
    (tmp_path / "bad.mvz").write_bytes(data)
    with codec.open(tmp_path / "bad.mvz") as video:
        for number in (0, 1):
            with pytest.raises(ChecksumError, match=f"byte {first_run}"):
                video.picture(number)
        assert sample.pictures[2].same_samples(video.picture(2))


# ------------------------------------------------------------------------- packets


@FRAMINGS
@DAMAGED
def test_taking_a_file_apart_and_putting_it_together_changes_nothing(name, framing, samples, attempt):
    sample = samples[name]
    assert_right(attempt, sample, sample.with_runs(sample.runs(), framing))
    assert sample.data == indexed(packets_of(sample.data))


@pytest.mark.parametrize(
    "data", [b"", b"x", b"not a video at all", SIGNATURE.replace(b"\r\n", b"\n"), b"\x0b" + SIGNATURE[1:]]
)
def test_what_does_not_start_with_the_signature_is_not_an_mvz_file(data, attempt):
    assert 0 == assert_refused(attempt, data, match="not an .mvz file").offset


def test_bytes_behind_the_end_and_packets_without_one_are_refused(samples, attempt):
    data = samples["block"].data
    for garbage in (b"\0", b"PICS", bytes(24), b"x" * 1000, data):
        assert_refused(attempt, data + garbage, match=f"byte {len(data)}: {len(garbage)} bytes after the end")
    longer = bytearray(data)
    struct.pack_into("<I", longer, len(SIGNATURE) + 4, 0xFFFFFFFF)
    assert 8 == assert_refused(attempt, bytes(longer), TruncatedError).offset
    for cut in (joined(packets_of(data)[:-1]), joined(packets_of(data)[:-2])):
        assert len(cut) == assert_refused(attempt, cut, TruncatedError).offset
    assert_refused(attempt, joined(packets_of(data)[1:]), match="sequence header")


SEVERAL_PACKETS = {
    # of header, metadata, two runs, index and end, and what is said; where nothing is, it depends on the index
    **{f"unknown at {n}": (lambda p, n=n: [*p[:n], (b"XTRA", b"?"), *p[n:]], UnsupportedError, "XTRA") for n in (1, 4)},
    "a second header": (lambda p: [*p[:2], p[0], *p[2:]], UnsupportedError, ""),
    "no picture": (lambda p: [packet for packet in p if packet[0] != b"PICS"], BitstreamError, "no picture"),
    "a run twice": (lambda p: [*p[:3], *p[2:]], BitstreamError, ""),
    "the second alone": (lambda p: [*p[:2], *p[3:]], BitstreamError, ""),
    "the other way": (lambda p: [*p[:2], p[3], p[2], *p[4:]], BitstreamError, ""),
    "the second twice": (lambda p: [*p[:4], *p[3:]], BitstreamError, ""),
    "a byte more": (lambda p: [*p[:2], (b"PICS", p[2][1] + b"\0"), *p[3:]], BitstreamError, "in a packet that holds"),
    "a byte less": (lambda p: [*p[:2], (b"PICS", p[2][1][:-1]), *p[3:]], BitstreamError, "in a packet that holds"),
}


@FRAMINGS
@pytest.mark.parametrize("change", SEVERAL_PACKETS)
def test_packets_that_break_a_rule_are_refused(change, framing, samples, attempt):
    harm, kind, match = SEVERAL_PACKETS[change]
    assert_refused(attempt, framing(harm(packets_of(samples["block"].data))), kind, match)


@FRAMINGS
def test_an_unknown_packet_that_is_not_critical_is_skipped(framing, samples, attempt):
    sample = samples["block"]
    *packets, end = packets_of(sample.data)
    for place in range(1, 5):
        assert_right(attempt, sample, framing([*packets[:place], (b"xtra", b"?" * 50), *packets[place:], end]))
    assert_right(attempt, sample, joined([*packets, (b"xtra", b""), end]))  # behind the index


@pytest.mark.parametrize("count", [0, 2, 4, 0xFFFFFFFF])
def test_an_end_with_another_count_is_refused(count, samples, attempt):
    *packets, (_, end) = packets_of(samples["block"].data)
    harmed = joined([*packets, (b"ENDS", struct.pack("<I", count) + end[4:])])
    assert_refused(attempt, harmed, match=f"the end declares {count} pictures, the packets hold 3")


# ------------------------------------------------------------------------- index


def with_index(sample, entries, rest=b""):
    """The file with another index; entries as tuples of length, picture count, starts GOP."""
    *packets, (kind, _), end = packets_of(sample.data)
    return joined([*packets, (kind, b"".join(struct.pack("<IHB", *entry) for entry in entries) + rest), end])


def entries_of(sample):
    payload = dict(packets_of(sample.data))[b"indx"]
    return list(struct.iter_unpack("<IHB", payload))


def test_a_scan_finds_everything_where_the_index_is_damaged_or_elsewhere(samples, attempt):
    for sample in samples.values():
        start = sample.data.index(b"indx")
        for offset in (8, 9, 11, 12, 14):  # the payload, past kind and length
            data = bytearray(sample.data)
            data[start + offset] ^= 0x10
            assert_right(attempt, sample, bytes(data))
    *packets, (kind, end) = packets_of(samples["block"].data)
    for place in (0, 1, 8, 40, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
        assert_right(attempt, samples["block"], joined([*packets, (kind, end[:4] + struct.pack("<Q", place))]))


def test_an_index_that_cannot_be_used_is_as_good_as_none(samples, attempt):
    sample = samples["block"]
    first, second = entries_of(sample)
    for entries in (
        *([], [first], [first, first], [first, second, (0, 0, 0)]),
        [first, (1 << 31, *second[1:])],
        [first, ((1 << 32) - 1, *second[1:])],
        [(0, *first[1:]), second],
        [(first[0] + 1, *first[1:]), second],
        [(*first[:2], 2), second],
        [first, (second[0], 2, 1)],  # one more than the end counts
        [(first[0], 0, 1), (second[0], 3, 1)],
    ):
        assert_right(attempt, sample, with_index(sample, entries))
    assert_right(attempt, sample, with_index(sample, [first, second], rest=b"\0"))


def test_an_index_that_describes_the_packets_otherwise_than_they_are_is_refused(samples, attempt):
    sample = samples["block"]
    first, second = entries_of(sample)
    for entries in (
        [second, first],
        [(first[0], 1, 1), (second[0], 2, 1)],
        [first, (second[0], 1, 0)],
        [(first[0], 2, 0), second],
    ):
        assert BitstreamError is type(assert_error_or_right(attempt, sample, with_index(sample, entries)))
    for entries in (  # or is not used
        [(first[0] + 1, *first[1:]), (second[0] - 1, *second[1:])],
        [(first[0] - 1, *first[1:]), (second[0] + 1, *second[1:])],
        [(second[0], *first[1:]), (first[0], *second[1:])],
        [(first[0] + second[0], 3, 1)],
        [(12, 1, 1), (first[0] + second[0] - 12, 2, 1)],
    ):
        assert_error_or_right(attempt, sample, with_index(sample, entries))


def test_an_index_that_promises_more_pictures_than_memory_holds_is_refused(samples, tmp_path):
    sample = samples["float16"]
    (_, count, _), *_ = entries_of(sample)
    packets = packets_of(with_header(sample.data, gop_limit=1024))[:-2]
    packets += [(b"PICS", bytes(5 * 1024))] * 150  # as small as a packet of 1024 pictures may be
    offset = len(joined(packets))
    entries = [entries_of(sample)[0], *[(5 * 1024 + 12, 1024, 1)] * 150]
    index = b"".join(struct.pack("<IHB", *entry) for entry in entries)
    end = struct.pack("<IQ", count + 1024 * 150, offset)
    (tmp_path / "bad.mvz").write_bytes(joined([*packets, (b"indx", index), (b"ENDS", end)]))
    with less_memory_than(4e6), pytest.raises(BitstreamError):  # 150 thousand pictures of 30 samples are 4.6 MB
        codec.decode(tmp_path / "bad.mvz")


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
        ({"bit_depth": 7}, UnsupportedError, "7 bits a sample"),
        ({"bit_depth": 17}, UnsupportedError, "17 bits a sample"),
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
        ({"vector_limit": 4097}, BitstreamError, "vector_limit is 4097"),
        ({"gop_limit": 0}, BitstreamError, "gop_limit is 0"),
        ({"gop_limit": 1025}, BitstreamError, "gop_limit is 1025"),
        ({"coded_format": 1}, BitstreamError, "coded_format is"),
        ({"coded_format": 255}, UnsupportedError, "coded_format is 255"),
        ({"max_error": 128}, BitstreamError, "max_error is 128"),
        ({"max_error": 65535}, BitstreamError, "max_error is 65535"),
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


@DAMAGED
def test_a_header_of_another_coder_or_max_error_is_caught(name, samples, attempt):
    data, coder = samples[name].data, header_value(samples[name].data, "residual_coder")
    for other in {0, 1, 2, 3} - {coder}:
        assert attempt(with_header(data, residual_coder=other, max_error=0))[1] is not None
    for max_error in {0, 1, 2, 3, 16} - {header_value(data, "max_error")}:
        if name in LOSSLESS:
            assert_caught(attempt, samples[name], with_header(data, max_error=max_error))
        else:
            said = f"max_error is {max_error}; it lies in 0…0"
            assert_refused(attempt, with_header(data, max_error=max_error), match=said)


def test_large_pictures_are_refused_before_anything_is_allocated(samples, tmp_path):
    path = tmp_path / "bad.mvz"
    path.write_bytes(with_header(samples["block"].data, width=1 << 16, height=1 << 16))
    with pytest.raises(LimitError):  # once before, so that what Python loads and keeps does not count
        codec.decode(path)
    with less_memory_than(1e6), pytest.raises(LimitError):
        codec.decode(path)
    path.write_bytes(with_header(samples["float16"].data, width=1 << 13, height=1 << 13))
    with less_memory_than(3e6), codec.open(path) as video, pytest.raises(BitstreamError, match="ends too early"):
        video.picture(0)


def test_limits_of_the_caller_are_kept(samples, tmp_path):
    path = tmp_path / "a.mvz"
    path.write_bytes(samples["named"].data)
    for name, least in (
        ("max_pixels", 16),
        ("max_pictures", 3),
        ("max_group_bytes", 68),  # 2 pictures of 16 samples, two bytes each, and a vector of 4 bytes
        ("max_names_bytes", 11),  # 0.png and 1.png, and a zero between them
        ("max_metadata_bytes", len(dict(packets_of(samples["named"].data))[b"meta"])),
    ):
        assert 3 == len(codec.decode(path, limits=codec.Limits(**{name: least})))
        with pytest.raises(LimitError, match=rf"a\.mvz, byte \d+: .*the limit is {least - 1}"):
            codec.decode(path, limits=codec.Limits(**{name: least - 1}))


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


# ------------------------------------------------------------------------- picture headers


def changed(sample, framing=None, place=0, **changes):
    """The file whose run number ``place`` has other fields."""
    runs = sample.runs()
    runs[place] = replace(runs[place], **changes)
    return sample.with_runs(runs, framing or indexed)


EMPTY = {name: [] for name in ("references", "checksums", "quantisers", "predictor_set_counts", "streams")}


@FRAMINGS
@pytest.mark.parametrize(
    ("name", "place", "changes", "match"),
    [
        ("block", 0, {"references": [0, 0]}, "I picture"),  # within a run
        ("block", 0, {"references": [1, 1]}, "I picture"),  # is not the first
        *(("block", 1, {"first": number}, "") for number in (0, 1, 3, 0xFFFFFFFF)),
        ("block", 1, EMPTY, ""),
        *(("block", 0, {"references": [0, n]}, f"references is {n}; it lies in 0…2") for n in (3, 255)),
        *(("mesh int8", 1, {"references": [n]}, f"references is {n}; it lies in 0…1") for n in (2, 255)),
        ("uint8 run", 0, {"references": [0, 1, 2]}, "references is 2; it lies in 0…1"),
        ("float16", 0, {"references": [0, 2]}, "references is 2; it lies in 0…1"),
    ],
)
def test_picture_headers_that_break_a_rule_are_refused(name, place, changes, match, framing, samples, attempt):
    assert_refused(attempt, changed(samples[name], framing, place, **changes), match=match)


@FRAMINGS
def test_longer_gops_than_the_header_allows_are_refused(framing, samples, attempt):
    sample = samples["named"]  # one GOP of three pictures in runs of two and one
    assert 3 == header_value(sample.data, "gop_limit")
    for limit in (1, 2):
        assert_refused(attempt, framing(packets_of(with_header(sample.data, gop_limit=limit))))
    packets = packets_of(samples["block"].data)
    for place in (2, 3):  # and more pictures in a packet, before their headers are read
        harmed = [*packets]
        harmed[place] = b"PICS", packets[place][1][:4] + b"\xff\xff" + packets[place][1][6:]
        # an index with that count is refused before
        match = "" if framing is indexed else "picture_count is 65535; it lies in 1…2"
        assert match in str(attempt(framing(harmed))[1] or pytest.fail())


def test_a_wrong_picture_checksum_is_a_checksum_error(samples, attempt):
    sample = samples["block"]
    first, second = sample.runs()[0].checksums
    error = assert_refused(attempt, changed(sample, checksums=[first, second ^ 1]), ChecksumError, "picture 1 does not")
    assert sample.data.index(b"PICS") == error.offset


@pytest.mark.parametrize(
    ("name", "bad", "kind", "match"),
    [
        ("mesh int8", (0, 0), BitstreamError, "step_256 is 0"),
        ("mesh int8", (65281, 0), BitstreamError, "step_256 is 65281"),
        ("mesh int8", (1024, 128), BitstreamError, "zero point"),
        ("uint8 run", (0, 128), BitstreamError, "step_256 is 0"),
        *(("mesh int8", (step, 0), ChecksumError, "") for step in (1, 256, 65280)),
        *(("uint8 run", bad, ChecksumError, "") for bad in ((1, 0), (65280, 0), (65280, 255), (1, 255))),
    ],
)
def test_other_quantisers_are_refused_or_caught(name, bad, kind, match, samples, attempt):
    quantisers = samples[name].runs()[0].quantisers
    harmed = [(*quantisers[0][:-1], bad), *quantisers[1:]]
    assert_refused(attempt, changed(samples[name], quantisers=harmed), kind, match)


@FRAMINGS
def test_more_references_than_there_are_pictures_are_refused(framing, samples, attempt):
    # weights and vectors that such a picture would have, so that nothing else is wrong
    for name, place, references in (("block", 0, [0, 2]), ("two references", 0, [0, 2, 2]), ("near", 1, [2])):
        sample = samples[name]
        run, apart = sample.runs()[place], name == "two references"
        sizes = [
            [count * ((10, 11, 16)[number] + plane * apart) for plane, count in enumerate(counts)]
            for number, counts in zip(references, run.predictor_set_counts, strict=True)
        ]
        low, high = numbers_of(one_of(run, WEIGHTS))
        of_first = sum(sizes[0]) if references[0] == 0 else 0
        weights = [a + 256 * b for a, b in zip(low[:of_first], high[:of_first], strict=True)]
        wider = run.with_stream(WEIGHTS, plain_numbers(weights + [0] * (sum(map(sum, sizes)) - of_first)))
        harmed = changed(sample, framing, place, references=references, streams=wider.streams)
        assert_refused(attempt, harmed, match="refers to 2 pictures of a GOP that has 1")


def test_fewer_references_than_the_weights_are_for_are_refused(samples, attempt):
    for name, place, references in (("two references", 0, [0, 1, 1]), ("two references", 1, [1]), ("near", 2, [1])):
        assert_refused(attempt, changed(samples[name], place=place, references=references))


# ------------------------------------------------------------------------- streams


def harmed_streams(sample, change):
    """The file whose first run with P pictures has ``change`` made to its list of (id, frame)."""
    runs = sample.runs()
    place = next(number for number, run in enumerate(runs) if any(run.references))
    return changed(sample, place=place, streams=change(runs[place].streams))


def with_stream(id_, stream):
    """A change of streams: that one is this, or what it makes of its bytes."""
    return lambda streams: sorted(
        (dict(streams) | {id_: stream(dict(streams)[id_]) if callable(stream) else stream}).items()
    )


def ids_of(sample):
    return {id_ for run in sample.runs() for id_, _ in run.streams}


@pytest.mark.parametrize("name", ["block", "mesh int8", "uint8 run", "float16", "named", "two references", "near"])
def test_a_stream_that_is_missing_or_not_whole_is_refused(name, samples, attempt):
    sample = samples[name]
    for id_ in ids_of(sample) - {NAMES}:
        assert_refused(attempt, harmed_streams(sample, lambda streams, id_=id_: [s for s in streams if s[0] != id_]))
    for id_ in ids_of(sample):
        for change in (
            lambda stream: b"",
            lambda stream: stream[:1],
            lambda stream: stream[:-1],
            lambda stream: stream + b"\0",
            lambda stream: stream + stream,
            lambda stream: b"\x08" + stream,  # one byte of a block
            lambda stream: b"\x07" + stream,  # blocks of no byte
            lambda stream: b"\xff" * 64,
        ):
            assert_refused(attempt, harmed_streams(sample, with_stream(id_, change)))


@pytest.mark.parametrize("name", ["block", "uint8 run", "named"])
def test_streams_that_come_twice_or_in_another_order_are_refused(name, samples, attempt):
    for change in (lambda streams: [streams[0], *streams], lambda streams: streams[::-1]):
        assert_refused(attempt, harmed_streams(samples[name], change), match="rising order")


@pytest.mark.parametrize("id_", [max(StreamId) + 1, 64, 127, 255])
def test_a_stream_without_a_meaning_is_unsupported(id_, samples, attempt):
    harmed = harmed_streams(samples["block"], lambda streams: [*streams, (id_, plain(b"?"))])
    assert_refused(attempt, harmed, UnsupportedError, f"stream id is {id_}")


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        *(("float16", id_) for id_ in (VECTORS, WEIGHTS, CONTEXT_SUBSTREAMS)),
        *(("uint8 run", CONTEXT_SUBSTREAMS), ("named", RESIDUAL), ("named", MODES), ("mesh int8", PREDICTOR_SETS)),
    ],
)
def test_streams_that_the_headers_do_not_imply_are_refused(name, id_, samples, attempt, tmp_path):
    harmed = harmed_streams(samples[name], lambda streams: sorted([*streams, (id_, plain(b"??"))]))
    assert_refused(attempt, harmed)
    with codec.open(tmp_path / "bad.mvz") as video, pytest.raises(BitstreamError, match="headers imply"):
        _ = video.info


@pytest.mark.parametrize("size", [1, 1 << 20, 1 << 30])
@pytest.mark.parametrize("name", ["mesh int8", "float16", "named"])
def test_blocks_of_another_size_are_refused_before_they_are_expanded(name, size, samples, tmp_path):
    path, harm = tmp_path / "bad.mvz", compressed(bomb(size))
    for id_ in ids_of(samples[name]):
        head = {NAMES: b"\5", CONTEXT_SUBSTREAMS: b"\1\x10\x10"}.get(id_, b"")
        path.write_bytes(harmed_streams(samples[name], with_stream(id_, head + harm)))
        refused = pytest.raises(BitstreamError, match="zstd compressed is damaged")
        with less_memory_than(3e6), codec.open(path) as video, refused:
            list(video.pictures())


def test_the_bomb_is_one():
    """What the tests above send are blocks that zstd itself would expand."""
    head = b"\x28\xb5\x2f\xfd\xe0" + (300_000).to_bytes(8, "little")
    assert bytes(300_000) == zstandard.ZstdDecompressor().decompress(head + bomb(300_000))
    assert len(bomb(1 << 30)) < 40_000


def test_what_says_that_it_is_large_is_refused_before_it_is_expanded(samples, tmp_path):
    size = 2 * 2 << 26
    run = samples["float16"].runs()[0].with_stream(RESIDUAL, compressed(bomb(size)))
    group = with_header(changed(samples["float16"], streams=run.streams), width=1 << 13, height=1 << 13)
    cases = [(group, codec.Limits(max_group_bytes=size - 1), "a packet group of")]
    for most in ((1 << 20) + 1, 1 << 30, (1 << 35) - 1):
        names = harmed_streams(samples["named"], with_stream(NAMES, varint(most) + b"\1a"))
        cases.append((names, codec.Limits(), f"names of {most} bytes"))
    for data, limits, match in cases:
        (tmp_path / "bad.mvz").write_bytes(data)
        for read in (lambda video: video.picture(0), lambda video: video.info):
            refused = pytest.raises(LimitError, match=match)
            with less_memory_than(3e6), codec.open(tmp_path / "bad.mvz", limits=limits) as video, refused:
                read(video)


# ------------------------------------------------------------------------- symbols


@pytest.mark.parametrize("name", ["block", "mesh int8", "uint8 run"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_vector_beyond_the_limit_is_refused(name, sign, samples, attempt):
    sample = samples[name]
    limit = header_value(sample.data, "vector_limit")
    for value, flag in product((limit, limit + 1, 16384), (0, 1)):

        def far(stream, flag=flag, value=value):
            # the first difference of the first field; all others are zero, so all vectors are the first
            numbers = [0] * len(numbers_of(stream)[0])
            numbers[flag] = 2 * value if sign > 0 else 2 * value - 1
            return plain_numbers(numbers)

        _, error = attempt(harmed_streams(sample, with_stream(VECTORS, far)))
        if value > limit:
            assert BitstreamError is type(error)
            assert "a vector component is beyond" in str(error)
        else:  # another prediction, of which the lossless coder may see already that it needs other symbols
            needs = type(error) is BitstreamError and "are needed" in str(error)
            assert ChecksumError is type(error) or (name == "block" and needs), str(error)


def test_cell_modes_without_a_meaning_are_refused(samples, attempt):
    for last in (3, 255):
        harmed = harmed_streams(
            samples["mesh int8"], with_stream(MODES, lambda old, last=last: old[:-1] + bytes([last]))
        )
        assert_refused(attempt, harmed, match=f"a cell mode is {last}")


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


@pytest.mark.parametrize(
    ("level", "is_refused"),
    [
        *((value, True) for value in (math.nan, math.inf, -math.inf, 2.0, -2.0)),
        (float(np.nextafter(np.float16(1), np.float16(2))), True),
        *((value, False) for value in (1.0, -1.0, -0.0, 6e-8, 0.5)),  # the picture's checksum decides
    ],
)
def test_a_float16_level_beyond_one_is_refused(level, is_refused, samples, attempt):
    for at in (0, 59):

        def other(stream, at=at):
            harmed = bytearray(stream)
            assert 2 * (1 + 2 * 30) == len(harmed)  # two pictures of 30 samples; all low bytes, then all high bytes
            harmed[1 + at], harmed[62 + at] = np.float16(level).tobytes()
            return bytes(harmed)

        data = harmed_streams(samples["float16"], with_stream(RESIDUAL, other))
        if is_refused:
            assert_refused(attempt, data, match="float16")
        else:
            assert_error_or_right(attempt, samples["float16"], data)


@pytest.mark.parametrize("names", [b"", b"only one", b"one\0two\0three", b"\0\0"])
def test_names_of_another_count_are_refused(names, samples, attempt):
    harmed = harmed_streams(samples["named"], with_stream(NAMES, varint(len(names)) + plain(names)))
    assert_refused(attempt, harmed, match="names for 2 pictures")


def test_names_may_be_missing_or_not_utf8(samples, attempt):
    for change, expected in (
        (lambda streams: [s for s in streams if s[0] != NAMES], [None, None, "2.png"]),
        (with_stream(NAMES, varint(3) + plain(b"a\xff\0")), ["a\udcff", None, "2.png"]),
    ):
        pictures, error = attempt(harmed_streams(samples["named"], change))
        assert (None, expected) == (error, [picture.name for picture in pictures])


# ------------------------------------------------------------------------- predictor sets and context substreams


def one_of(run, id_):
    return dict(run.streams)[id_]


def assert_caught(attempt, sample, data):
    """What was decoded, up to an error, is right, and the error is one of those that symbols can cause."""
    error = assert_error_or_right(attempt, sample, data)
    assert type(error) in (BitstreamError, ChecksumError), str(error)


def sets_of(run, name):
    """Of each square the predictor set, how many have weights, and from how many pictures its picture is predicted."""
    sets = symbols_of(one_of(run, PREDICTOR_SETS))
    # planes of these files have as many squares one as the other, but for chroma that is half as wide
    squares = [2, 1, 1] if name == "near" else [1] * len(run.predictor_set_counts[0])
    counts = [count for of_picture in run.predictor_set_counts for count in np.repeat(of_picture, squares).tolist()]
    references = np.repeat(run.references, len(sets) // len(run.references)).tolist()
    return list(zip(sets, counts, references, strict=True))


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
        return weights.astype(np.int16), random.integers(0, count + PLAIN_SETS[references], shape).astype(np.uint8)

    monkeypatch.setattr("codec.search.predictor_sets.fit_sets", chosen)
    pictures = noise(mode, 35, 18, count=5)
    data = make(tmp_path / "a.mvz", pictures, run=3, gop=5, scene_cut=False, motion="none")
    runs = Sample(data, data, pictures, 0, 3).runs()
    assert [[(count,) * 3] * 3, [(count,) * 3] * 2] == [run.predictor_set_counts for run in runs]
    with codec.open(tmp_path / "a.mvz") as video:
        assert all(map(Picture.same_samples, pictures, video.pictures()))


@pytest.mark.parametrize("name", LOSSLESS)
def test_predictor_sets_and_their_counts_that_do_not_fit_are_refused(name, samples, attempt):
    sample = samples[name]
    for place, run in enumerate(sample.runs()):
        sets = symbols_of(one_of(run, PREDICTOR_SETS))
        for at, (_, count, references) in enumerate(sets_of(run, name)):
            last = count + (3 if references else 2)
            for set_ in (last + 1, 255):
                harmed = run.with_stream(PREDICTOR_SETS, plain(sets[:at] + bytes([set_]) + sets[at + 1 :]))
                data = changed(sample, place=place, streams=harmed.streams)
                assert_refused(attempt, data, match=f"a square has predictor set {set_}; 0…{last} are possible")
        for picture, plane in product(range(len(run.references)), range(sample.weighted_planes)):
            count = run.predictor_set_counts[picture][plane]
            for other in (33, 255, count + 1, count - 1, 0):
                counts = [list(of_picture) for of_picture in run.predictor_set_counts]
                counts[picture][plane] = other
                match = f"predictor_set_counts is {other}" if other > 32 else ""
                assert_refused(attempt, changed(sample, place=place, predictor_set_counts=counts), match=match)


@pytest.mark.parametrize("name", LOSSLESS)
def test_weights_and_sets_of_another_number_are_refused(name, samples, attempt):
    sample = samples[name]
    for place, run in enumerate(sample.runs()):
        without = [(id_, data) for id_, data in run.streams if id_ != WEIGHTS]
        assert_refused(attempt, changed(sample, place=place, streams=without), match="WEIGHTS")
        none = [(0,) * sample.weighted_planes] * len(run.references)
        assert_refused(attempt, changed(sample, place=place, predictor_set_counts=none), match="after the end")
        for id_, size, made in (
            (WEIGHTS, len(numbers_of(one_of(run, WEIGHTS))[0]), lambda count: plain_numbers([0] * count)),
            (PREDICTOR_SETS, len(symbols_of(one_of(run, PREDICTOR_SETS))), lambda count: plain(bytes(count))),
        ):
            for other in (0, size - 1, size + 1, 2 * size):
                data = changed(sample, place=place, streams=run.with_stream(id_, made(other)).streams)
                assert_refused(attempt, data, match="after the end" if other > size else "ends too early")


@pytest.mark.parametrize("name", LOSSLESS)
def test_symbols_that_are_moved_to_other_contexts_or_changed_are_caught(name, samples, attempt):
    """By the checksum, or by the contexts that samples come to have."""
    sample, random = samples[name], np.random.default_rng(23)
    for place, run in enumerate(sample.runs()):
        header = ContainerReader(io.BytesIO(sample.data), name).header
        _, substreams = unpack_substreams(one_of(run, CONTEXT_SUBSTREAMS), len(run.references), header)
        pictures = [[of.of(number).tolist() for number in range(of.sizes.size)] for of in substreams]
        for picture, of_picture in enumerate(pictures):
            for context in [context for context, symbols in enumerate(of_picture) if symbols]:
                moved, other = ([[list(of) for of in each] for each in pictures] for _ in range(2))
                symbol = moved[picture][context].pop(random.integers(len(moved[picture][context])))
                others = [number for number in range(len(of_picture)) if number != context] or [0]
                moved[picture][random.choice(others)].append(symbol)
                other[picture][context][0] = (other[picture][context][0] + int(random.integers(1, 256))) % 256
                for harmed in (each for each in (moved, other) if each != pictures):
                    data = plain_stream(harmed, substreams[0].substream_of.tolist())
                    stream = run.with_stream(CONTEXT_SUBSTREAMS, data)
                    error = assert_error_or_right(attempt, sample, changed(sample, place=place, streams=stream.streams))
                    # near 0 and 255, samples that are nearly right may be the same for several symbols
                    assert type(error) in (BitstreamError, ChecksumError) or (name == "near" and harmed is other)


def test_context_substreams_of_a_large_picture_are_refused_before_it_is_decoded(samples, tmp_path):
    """The sizes add up for 2**24 samples, but nothing follows."""
    sample, side = samples["named"], 1 << 12
    sizes = b"\1" + varint(side * side)
    headers = {"references": [0], "checksums": [0], "predictor_set_counts": [(0,)], "quantisers": [()]}
    run = replace(sample.runs()[0], **headers)
    run.streams[:] = [(WEIGHTS, b""), (PREDICTOR_SETS, b"\1\0"), (CONTEXT_SUBSTREAMS, sizes)]
    path = tmp_path / "bad.mvz"
    path.write_bytes(with_header(sample.with_runs([run], indexed), width=side, height=side))
    with codec.open(path) as video, pytest.raises(BitstreamError, match="ends too early"):
        video.picture(0)
