"""ContextSubstreams of symbols as bytes, against a reader written from section 9.6 of the specification."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from substream_twin import BASES, DIGITS_A_BYTE, Twin, framed, plain_stream, varint

from codec.bitstream.context_substreams import SCHEMES, unpack_substreams, unpack_symbols
from codec.bitstream.context_substreams import Cursor as Reader
from codec.bitstream.digits import add_escapes, join, split
from codec.bitstream.frames import decompress_digits
from codec.bitstream.shares import substream_shares
from codec.coded import ContextSubstreams
from codec.errors import BitstreamError
from codec.lossless.tables import CONTEXTS
from codec.writing.frames import compress_digits
from codec.writing.streams import pack_substreams, pack_symbols
from codec.writing.streams import varint as written_varint


def queues_of(lists):
    """The queues of one picture from lists of symbols by context."""
    symbols = np.array([symbol for of_context in lists for symbol in of_context], np.uint8)
    sizes = np.array([len(of_context) for of_context in lists], np.int64)
    return ContextSubstreams(symbols, np.cumsum(sizes) - sizes, sizes)


def lists_of(queues):
    return [queues.of(context).tolist() for context in range(CONTEXTS)]


def drawn(random, zeros, count):
    """Symbols of which a share is zero, and the others mostly small."""
    others = np.minimum(random.geometric(0.3, count), 255)
    return np.where(random.random(count) < zeros, 0, others).tolist()


# ------------------------------------------------------------------------- digits


def symbols_for(base):
    random = np.random.default_rng(base)
    for count in (1, 2, 3, 7, 8, 9, 100, 1001):
        yield random.integers(0, 256, count, np.uint8)
        yield random.integers(0, base + 1, count).astype(np.uint8)
        yield np.full(count, base - 1, np.uint8)
        yield np.full(count, 255, np.uint8)
        yield np.zeros(count, np.uint8)


@pytest.mark.parametrize(("base", "digits_a_byte"), DIGITS_A_BYTE.items())
def test_joined_digits_and_escapes_equal_their_twin_and_split_again(base, digits_a_byte):
    for symbols in symbols_for(base):
        joined, escapes = join(symbols, base, digits_a_byte)
        digits = [min(int(symbol), base - 1) for symbol in symbols]
        assert [int(symbol) - base + 1 for symbol in symbols if symbol >= base - 1] == escapes.tolist()
        digits += [0] * (-len(digits) % digits_a_byte)
        groups = np.array(digits).reshape(-1, digits_a_byte).tolist()
        assert [sum(d * base**place for place, d in enumerate(group[::-1])) for group in groups] == joined.tolist()

        back = np.full(symbols.size, 99, np.uint8)
        assert escapes.size == split(joined, base, digits_a_byte, back)
        assert digits[: symbols.size] == back.tolist()
        add_escapes(back, base - 1, np.append(escapes, np.uint8(77)))
        assert symbols.tolist() == back.tolist()


@pytest.mark.parametrize(("base", "digits_a_byte"), DIGITS_A_BYTE.items())
def test_every_byte_is_split_or_refused(base, digits_a_byte):
    for byte in range(256):
        joined, symbols = np.array([0, byte], np.uint8), np.zeros(2 * digits_a_byte, np.uint8)
        if byte >= base**digits_a_byte:
            with pytest.raises(BitstreamError, match=f"a byte of {byte} is not {digits_a_byte} digits below {base}"):
                split(joined, base, digits_a_byte, symbols)
            continue
        expected = [byte // base ** (digits_a_byte - 1 - place) % base for place in range(digits_a_byte)]
        assert expected.count(base - 1) == split(joined, base, digits_a_byte, symbols)
        assert [0] * digits_a_byte + expected == symbols.tolist()
        for kept in range(1, digits_a_byte):
            shorter = np.zeros(digits_a_byte + kept, np.uint8)
            if any(expected[kept:]):
                with pytest.raises(BitstreamError, match="fills up the last byte"):
                    split(joined, base, digits_a_byte, shorter)
            else:
                split(joined, base, digits_a_byte, shorter)
                assert expected[:kept] == shorter[digits_a_byte:].tolist()


def test_escapes_add_up_modulo_256():
    symbols = np.array([1, 5, 5, 0, 5], np.uint8)
    add_escapes(symbols, 5, np.array([0, 251, 255, 9], np.uint8))
    assert [1, 5, 0, 0, 4] == symbols.tolist()


# ------------------------------------------------------------------------- numbers and parts


@pytest.mark.parametrize("scheme", range(5))
def test_symbols_are_packed_as_the_specification_says_in_every_scheme(scheme):
    random = np.random.default_rng(scheme)
    for count in (1, 2, 7, 63, 64, 65, 1000, 5000):
        for zeros in (0.0, 0.5, 0.95, 1.0):
            symbols = np.array(drawn(random, zeros, count), np.uint8)
            data = b"".join(pack_symbols(symbols, SCHEMES[scheme]))
            twin = Twin(data)
            assert symbols.tolist() == twin.numbers(count, BASES[scheme])
            assert len(data) == twin.at
            reader, back = Reader(data), np.full(count, 99, np.uint8)
            unpack_symbols(reader, SCHEMES[scheme], back)
            reader.end()
            assert symbols.tolist() == back.tolist()


@pytest.mark.parametrize(
    ("symbols", "data"),
    [
        ([0, 1, 5, 0, 0, 40, 0], "03 00 1c 30 00 2f 00 16"),
        ([0, 0, 1, 0, 9, *[0] * 15], "04 00 80 00 27 00 1e 00 03"),
        ([7, 200], "00 00 07 c8"),
        ([15, 3, 255], "01 00 f3 f0 00 00 f0"),
        ([5, 0, 0, 6], "02 00 b4 b4 00 01"),
        ([5, 4, 2, 35, 0, 0], "02 00 ce b4 00 0f 00 0f"),
    ],
)
def test_a_queue_written_by_hand_is_read(symbols, data):
    sizes = b"\0" * 5 + bytes([len(symbols)]) + b"\0" * 8
    queue = bytes.fromhex(data)
    (queues,) = unpack_substreams(sizes + bytes([len(queue)]) + queue, 1, len(symbols))
    assert symbols == queues.of(5).tolist()
    assert [0] * 5 + [len(symbols)] + [0] * 8 == queues.sizes.tolist()


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16383, 16384, 1 << 27, (1 << 35) - 1])
def test_a_number_comes_back_from_its_bytes(value):
    data = written_varint(value)
    assert varint(value) == data
    assert Twin(data).varint() == Reader(data).varint() == value
    assert len(data) == max(1, -(-value.bit_length() // 7))


def test_zero_bits_that_are_not_needed_are_allowed_up_to_five_bytes():
    assert 5 == Reader(bytes([133, 128, 128, 128, 0])).varint()
    with pytest.raises(BitstreamError, match="more than 5 bytes"):
        Reader(bytes([133, 128, 128, 128, 128, 0])).varint()


@pytest.mark.parametrize("kind", ["noise", "zeros", "ramp"])
def test_a_frame_of_digits_comes_back_and_is_of_no_other_size(kind):
    random = np.random.default_rng(3)
    for size in (1, 2, 100, 70_000, 200_000):
        data = {
            "noise": random.integers(0, 256, size, np.uint8).tobytes(),
            "zeros": bytes(size),
            "ramp": (np.arange(size) % 251).astype(np.uint8).tobytes(),
        }[kind]
        frame = compress_digits(data)
        assert data == decompress_digits(frame, size)
        for other in (size - 1, size + 1, 10 * size):
            if other:
                with pytest.raises(BitstreamError, match="bytes"):
                    decompress_digits(frame, other)


# ------------------------------------------------------------------------- whole streams


ONE = [[7] if context == 4 else [] for context in range(CONTEXTS)]
RISING = [drawn(np.random.default_rng(9), zeros, 3000) for zeros in np.linspace(0, 1, CONTEXTS)]
RUNS = {
    "one symbol": [ONE],
    "one context": [[[]] * 13 + [[3, 0, 255, 0]]],
    "all contexts": [RISING],
    "zeros": [[[0] * 500] * CONTEXTS],
    "the highest": [[[255] * 500] * CONTEXTS],
    "three pictures": [RISING, RISING[::-1], RISING[3:] + RISING[:3]],
    "pictures apart": [ONE, [[1]] + [[]] * 13, [[]] * 13 + [[2]]],
}


@pytest.mark.parametrize("name", RUNS)
def test_queues_are_packed_as_the_specification_says_and_come_back(name):
    pictures = RUNS[name]
    data = pack_substreams([queues_of(lists) for lists in pictures])
    assert pictures == Twin(data).queues(len(pictures))[0]
    samples = sum(map(len, pictures[0]))
    queues = unpack_substreams(data, len(pictures), samples)
    assert pictures == [lists_of(of_picture) for of_picture in queues]
    assert pictures == [
        lists_of(of_picture) for of_picture in unpack_substreams(plain_stream(pictures), len(pictures), samples)
    ]
    for of_picture in queues:  # a walk may read as many symbols, and one ahead, whatever it was sent
        assert int(of_picture.starts.max()) + samples + 2 <= of_picture.symbols.size


def test_each_scheme_is_chosen_for_some_share_of_zeros():
    schemes = Twin(pack_substreams([queues_of(RISING)])).queues(1)[1]
    assert sorted(schemes) == schemes
    assert {0, 1, 2, 3, 4} == set(schemes)


def test_likely_symbols_take_little_more_than_their_entropy():
    random = np.random.default_rng(10)
    for zeros in (0.2, 0.5, 0.7, 0.9):
        symbols = np.array(drawn(random, zeros, 100_000), np.uint8)
        shares = np.bincount(symbols) / symbols.size
        entropy = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum() * symbols.size / 8
        data = pack_substreams([queues_of([symbols.tolist()] + [[]] * 13)])
        assert entropy < len(data) < 1.05 * entropy


@pytest.mark.parametrize("name", RUNS)
def test_shares_of_pictures_add_up_to_the_queues_by_how_many_symbols_each_has(name):
    pictures = RUNS[name]
    data, samples = pack_substreams([queues_of(lists) for lists in pictures]), sum(map(len, pictures[0]))
    shares = substream_shares(data, len(pictures), samples)
    expected, reader = np.zeros(len(pictures)), Twin(data)
    sizes = np.array([[reader.varint() for _ in range(CONTEXTS)] for _ in pictures])
    for of_context in sizes.T:
        if of_context.sum():
            length = reader.varint()
            reader.take(length)
            expected += length * of_context / of_context.sum()
    np.testing.assert_allclose(expected, shares)
    for harmed in (data[:-1], data + b"\0", b"\xff" * 6 + data):
        with pytest.raises(BitstreamError):
            substream_shares(harmed, len(pictures), samples)


# ------------------------------------------------------------------------- streams that are not whole


def sized(*sizes):
    return b"".join(map(varint, sizes)) + bytes(CONTEXTS - len(sizes))


NOTHING = b"\0"  # the length of a part that is no frame


def frame_of(data, **options):
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, **{"write_content_size": True, **options}
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


@pytest.mark.parametrize(
    ("sizes", "queues", "match"),
    [
        (b"", (), "ends inside"),
        (bytes(13), (), "ends inside"),
        (sized(), (), "context substreams of 0 symbols"),
        (sized(3), (b"\0\0abc",), "context substreams of 3 symbols"),
        (sized(5), (b"\0\0abcde",), "context substreams of 5 symbols"),
        (sized(2, 1), (b"\0\0ab", b"\0\0c"), "context substreams of 3 symbols"),
        (sized((1 << 35) - 1), (b"\0\0abcd",), "context substreams of 34359738367 symbols"),
        (b"\xff\xff\xff\xff\xff" + bytes(13), (), "more than 5 bytes"),
        (b"\x84\x80\x80\x80\x80\0" + bytes(13), (b"\0\0abcd",), "more than 5 bytes"),
        (b"\x84\x80\x80\x80", (), "ends inside"),
        (sized(4), (), "ends inside"),
        (sized(4), (b"",), "ends inside"),
        (sized(4), (b"\5\0abcd",), "a substream's scheme is 5"),
        (sized(4), (b"\xff\0abcd",), "a substream's scheme is 255"),
        (sized(4), (b"\0",), "ends inside"),
        (sized(4), (b"\0\0abc",), "ends inside"),
        (sized(4), (b"\0\0abcde",), "1 bytes after"),
        (sized(4), (b"\0\0abcd" + bytes(100),), "100 bytes after"),
        (sized(4), (b"\0\0abcd", b"\0\0abcd"), "7 bytes after the last part"),
        (sized(4), (b"\0" + framed(b""),), "ends inside"),  # a length of 0 is no frame, but four bytes
        (sized(4), (b"\0\x01",), "ends inside"),
        (sized(4), (b"\0" + framed(b"?"),), "frame"),
        (sized(4), (b"\0" + framed(frame_of(b"abc")),), "declares 3 bytes where 4"),
        (sized(4), (b"\0" + framed(frame_of(b"abcde")),), "declares 5 bytes where 4"),
        (sized(4), (b"\0" + framed(frame_of(b"abc", write_content_size=False)),), "holds 3 bytes where 4"),
        (sized(4), (b"\0" + framed(frame_of(b"abcde", write_content_size=False)),), "4 bytes"),
        (sized(4), (b"\0" + framed(frame_of(bytes(1 << 20), write_content_size=False)),), "4 bytes"),
        (sized(4), (b"\0" + framed(frame_of(b"abcd", write_checksum=True)),), "checksum"),
        (sized(4), (b"\0" + framed(frame_of(b"abcd")[:-1]),), "frame"),
        (sized(4), (b"\0" + framed(frame_of(b"abcd") + b"\0"),), "frame"),
        (sized(4), (b"\0" + framed(frame_of(b"abcd") * 2),), "frame"),
        (sized(4), (b"\0" + framed(zstandard.FRAME_HEADER + frame_of(b"abcd")),), "frame"),
        (sized(4), (b"\2\0\xd8\0",), "216 is not 3 digits below 6"),
        (sized(4), (b"\2\0\0\xff",), "255 is not 3 digits below 6"),
        (sized(4), (b"\2\0\0\1",), "fills up the last byte"),
        (sized(3, 1), (b"\1\0\0\1", b"\0\0a"), "fills up the last byte"),
        (sized(3, 1), (b"\3\0\1", b"\0\0a"), "fills up the last byte"),
        (sized(4), (b"\4\0\x80\0\x07",), "fills up the last byte"),  # nested: the byte 8 is a fifth digit of four
        (sized(4), (b"\4\0\x40",), "fills up the last byte"),  # nested: a second byte of digits, of one
        (sized(4), (b"\1\0\xff\0",), "ends inside"),  # two bytes of digits, of which one is there
        (sized(4), (b"\1\0\xff\xff\0abc",), "ends inside"),  # four escapes, of which three are there
        (sized(4), (b"\1\0\xff\0\0abc",), "1 bytes after"),  # two escapes
    ],
)
def test_a_stream_of_queues_that_breaks_a_rule_is_refused(sizes, queues, match):
    data = sizes + b"".join(map(framed, queues))
    with pytest.raises(BitstreamError, match=match):
        unpack_substreams(data, 1, 4)


@pytest.mark.parametrize("length", [0, 5, 7, 127, (1 << 35) - 1])
def test_a_queue_of_another_length_than_it_says_is_refused(length):
    with pytest.raises(BitstreamError):
        unpack_substreams(sized(4) + varint(length) + b"\0\0abcd", 1, 4)


def test_the_streams_above_are_refused_for_what_they_say():
    """What is right about them is read."""
    for rest in (
        b"\0\0abcd",
        b"\0" + framed(frame_of(b"abcd")),
        b"\0" + framed(frame_of(b"abcd", write_content_size=False)),
    ):
        (queues,) = unpack_substreams(sized(4) + framed(rest), 1, 4)
        assert list(b"abcd") == queues.of(0).tolist()


def test_a_frame_that_would_expand_without_end_is_stopped():
    import tracemalloc

    blocks = [((1 << 17 << 3) | 2 | (number == 8191)).to_bytes(3, "little") + b"\0" for number in range(8192)]
    for head in (bytes([0, 0x38]), bytes([0x80, 0x38]) + (1 << 30).to_bytes(4, "little")):  # a GiB, said or not
        data = sized(4) + framed(b"\0" + framed(head + b"".join(blocks)))
        tracemalloc.start()
        try:
            with pytest.raises(BitstreamError, match="4"):
                unpack_substreams(data, 1, 4)
            assert tracemalloc.get_traced_memory()[1] < 1e6
        finally:
            tracemalloc.stop()


def test_cuts_and_other_bytes_are_refused_or_read_as_the_right_number_of_symbols():
    pictures = RUNS["three pictures"]
    data = pack_substreams([queues_of(lists) for lists in pictures])
    samples = sum(map(len, pictures[0]))
    random = np.random.default_rng(11)
    for end in random.integers(0, len(data), 100):
        with pytest.raises(BitstreamError):
            unpack_substreams(data[:end], 3, samples)
    for _ in range(300):
        harmed = bytearray(data)
        at = random.integers(len(data) if random.integers(2) else 100)
        harmed[at] = random.integers(256)
        try:
            queues = unpack_substreams(bytes(harmed), 3, samples)
        except BitstreamError:
            continue
        assert [samples] * 3 == [int(of_picture.sizes.sum()) for of_picture in queues]
