"""Packed symbols and context substreams come back, and streams that break a rule are refused."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import zstandard
from packed_streams import CONTEXTS, DIGITS_A_BYTE, bomb, compressed, plain, varint

from codec.bitstream.packing import StreamReader, split
from codec.bitstream.schema import StreamId
from codec.bitstream.shares import substream_shares
from codec.bitstream.streams import unpack_contexts, unpack_substreams
from codec.coded import SequenceHeader, WrittenContexts
from codec.errors import BitstreamError
from codec.lossless.tables import MAX_SUBSTREAMS
from codec.models import MotionModel, ResidualCoder
from codec.picture.planes import PictureFormat, SampleFormat
from codec.writing.packing import PLANS, pack, pack_quickly, packed_by
from codec.writing.packing import varint as written_varint
from codec.writing.streams import pack_substreams


def written(lists):
    """A picture's symbols and contexts, from lists of symbols by context; contexts take turns."""
    contexts = np.repeat(np.arange(len(lists), dtype=np.uint16), [len(of_context) for of_context in lists])
    symbols = np.array([symbol for of_context in lists for symbol in of_context], np.uint8)
    order = np.argsort(np.concatenate([np.arange(len(of_context)) for of_context in lists]), kind="stable")
    return WrittenContexts(contexts[order], symbols[order], np.zeros(0, np.uint8))


def gray_header(samples):
    """Of gray pictures of 8 bits."""
    gray = PictureFormat(samples, 1, SampleFormat.GRAY)
    return SequenceHeader(gray, Fraction(25), ResidualCoder.LOSSLESS, MotionModel.NONE, 16, 0, 16)


def unpacked(data, pictures, samples):
    """The context substreams of pictures of 8 bits."""
    bit_depth, substreams = unpack_substreams(data, pictures, gray_header(samples))
    assert 8 == bit_depth
    return substreams


def in_turn(substreams, contexts):
    """The symbols of a picture whose samples have such contexts."""
    places, symbols = substreams.starts.copy(), []
    for context in contexts.tolist():
        number = substreams.substream_of[context]
        symbols.append(int(substreams.symbols[places[number]]))
        places[number] += 1
    assert (places == substreams.starts + substreams.sizes).all()
    return symbols


def drawn(random, zeros, count):
    """Symbols of which a share is zero, and the others mostly small."""
    others = np.minimum(random.geometric(0.3, count), 255)
    return np.where(random.random(count) < zeros, 0, others).tolist()


# ------------------------------------------------------------------------- digits


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


# ------------------------------------------------------------------------- packed symbols


def hold(symbols, data):
    """Packed symbols are read as what they are, to their end; returns their form."""
    with StreamReader(data) as stream:
        assert symbols.tolist() == stream.symbols(symbols.size).tolist()
    return StreamReader(data).varint() if symbols.size else 0


def compress(data):
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, write_checksum=False, write_dict_id=False
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


@pytest.mark.parametrize("plan", PLANS)
def test_symbols_packed_by_every_plan_come_back(plan):
    random = np.random.default_rng(len(plan))
    for count in (1, 2, 7, 63, 64, 65, 1000, 5000):
        for zeros in (0.0, 0.5, 0.95, 1.0):
            symbols = np.array(drawn(random, zeros, count), np.uint8)
            hold(symbols, packed_by(plan, symbols, compress))


@pytest.mark.parametrize("packer", [pack, pack_quickly])
def test_symbols_come_back_in_every_form(packer):
    random, forms = np.random.default_rng(3), set()
    for size in (0, 1, 2, 100, 5000, 70_000, 200_000):
        for symbols in (
            random.integers(0, 256, size, np.uint8),
            np.zeros(size, np.uint8),
            np.full(size, 255, np.uint8),
            (np.arange(size) % 251).astype(np.uint8),
            np.minimum(random.geometric(0.2, size), 255).astype(np.uint8),
            *(np.array(drawn(random, zeros, size), np.uint8) for zeros in (0.1, 0.4, 0.6, 0.9, 0.99)),
        ):
            forms.add(min(hold(symbols, packer(symbols)), 6))
    assert {0, 1, 2, 3, 4, 5, 6} == forms


def test_frames_of_one_block_go_without_its_head():
    symbols = np.minimum(np.random.default_rng(2).geometric(0.4, 400_000), 255).astype(np.uint8)
    for count, form in ((5000, 0), (400_000, 1)):
        data = pack_quickly(symbols[:count])
        assert form == hold(symbols[:count], data) % 2


@pytest.mark.parametrize(
    ("symbols", "data"),
    [
        ([0, 1, 5, 0, 0, 40, 0], "03 00 1c 30 05 01 2f 01 16"),
        ([0, 0, 1, 0, 9, *[0] * 15], "02 02 01 80 01 27 04 01 1e 01 03"),
        ([7, 200], "00 07 c8"),
        ([15, 3, 255], "05 00 f3 f0 00 00 f0"),
        ([5, 0, 0, 6], "04 01 b4 00 00 01"),
        ([5, 4, 2, 35, 0, 0], "04 00 ce b4 05 01 0f 01 0f"),
        ([9, 9, 9], "01 09"),
    ],
)
def test_symbols_packed_by_hand_are_read(symbols, data):
    hold(np.array(symbols, np.uint8), bytes.fromhex(data))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16383, 16384, 1 << 27, (1 << 35) - 1])
def test_a_number_comes_back_from_its_bytes(value):
    data = written_varint(value)
    assert varint(value) == data
    assert StreamReader(data).varint() == value
    assert len(data) == max(1, -(-value.bit_length() // 7))


# ------------------------------------------------------------------------- whole streams


RISING = [drawn(np.random.default_rng(9), zeros, 3000) for zeros in np.linspace(0, 1, CONTEXTS)]
RUNS = {
    "one symbol": [[[], [], [7]]],
    "one context": [[[]] * 13 + [[3, 0, 255, 0]]],
    "all contexts": [RISING],
    "zeros": [[[0] * 500] * CONTEXTS],
    "the highest": [[[255] * 500] * CONTEXTS],
    "unlike each other": [[[context] * 900 + [0] * 300 for context in range(CONTEXTS)]],
    "three pictures": [RISING, RISING[::-1], RISING[3:] + RISING[:3]],
    "pictures apart": [[[], [], [7]], [[1]], [[]] * 13 + [[2]]],
}


@pytest.mark.parametrize("name", RUNS)
def test_context_substreams_come_back(name):
    pictures = [written(lists) for lists in RUNS[name]]
    data, samples = pack_substreams(pictures, 1, False), pictures[0].symbols.size
    substreams = unpacked(data, len(pictures), samples)
    assert len(substreams[0].sizes) <= MAX_SUBSTREAMS
    for of_picture, picture in zip(substreams, pictures, strict=True):
        assert picture.symbols.tolist() == in_turn(of_picture, picture.contexts)
        # a walk may read as many symbols, and one ahead, whatever it was sent
        assert int(of_picture.starts.max()) + samples + 2 <= of_picture.symbols.size


def test_contexts_share_substreams_where_they_are_alike():
    (rising,) = unpacked(pack_substreams([written(RISING)], 1, False), 1, 3000 * CONTEXTS)
    (apart,) = unpacked(pack_substreams([written(RUNS["unlike each other"][0])], 1, False), 1, 1200 * CONTEXTS)
    assert 5 < rising.sizes.size < 40
    assert (np.diff(rising.substream_of.astype(int)) != 0).sum() < 1.2 * rising.sizes.size
    assert apart.sizes.size == MAX_SUBSTREAMS


@pytest.mark.parametrize("name", RUNS)
def test_shares_of_pictures_add_up_to_the_context_substreams_by_how_many_symbols_each_has(name):
    pictures = [written(lists) for lists in RUNS[name]]
    data, header = pack_substreams(pictures, 1, False), gray_header(pictures[0].symbols.size)
    shares = substream_shares(header, len(pictures), {StreamId.CONTEXT_SUBSTREAMS: data})
    expected, reader = np.zeros(len(pictures)), StreamReader(data)
    count, _ = unpack_contexts(reader, header, False)
    sizes = np.array([[reader.varint() for _ in range(count)] for _ in pictures])
    for of_substream in sizes.T:
        start = reader.position
        reader.symbols(int(of_substream.sum()))
        expected += (reader.position - start) * of_substream / max(of_substream.sum(), 1)
    np.testing.assert_allclose(expected, shares)
    for harmed in (data[:-1], b"\2\xff" * 6 + data):
        with pytest.raises(BitstreamError):
            substream_shares(header, len(pictures), {StreamId.CONTEXT_SUBSTREAMS: harmed})


# ------------------------------------------------------------------------- streams that are not whole


def sized(*sizes):
    """Three substreams of such sizes; where there are fewer, the others have none."""
    return THREE + b"".join(map(varint, sizes)) + bytes(3 - len(sizes))


THREE = b"\3" + plain([2] + [0] * (CONTEXTS - 1))


def blocks_of(data):
    """Blocks of zstd, with their heads."""
    return compress(data)[2:]


@pytest.mark.parametrize(
    ("sizes", "rest", "match"),
    [
        (b"", b"", "ends too early"),
        (b"\0", b"", "0 context substreams; 1…63 are possible"),
        (b"\x40", b"", "64 context substreams; 1…63 are possible"),
        (b"\2" + plain([2] + [0] * (CONTEXTS - 1)), b"", "a context has substream 2 of 2"),
        (b"\2" + plain([0] * (CONTEXTS - 1)), b"", "ends too early"),
        (THREE + bytes(2), b"", "ends too early"),
        (sized(), b"", "context substreams of 0 symbols"),
        (sized(3), b"\0abc", "context substreams of 3 symbols"),
        (sized(5), b"\0abcde", "context substreams of 5 symbols"),
        (sized(2, 1), b"\0ab\0c", "context substreams of 3 symbols"),
        (sized((1 << 35) - 1), b"\0abcd", "context substreams of 34359738367 symbols"),
        (THREE + b"\xff\xff\xff\xff\xff" + bytes(2), b"", "more than 5 bytes"),
        (THREE + b"\x84\x80\x80\x80\x80\0" + bytes(2), b"\0abcd", "more than 5 bytes"),
        (THREE + b"\x84\x80\x80\x80", b"", "ends too early"),
        (sized(4), b"", "ends too early"),
        (sized(4), b"\0", "ends too early"),
        (sized(4), b"\0abc", "ends too early"),
        (sized(4), b"\0abcde", "1 bytes after"),
        (sized(4), b"\0abcd" + bytes(100), "100 bytes after"),
        (sized(4), b"\1", "ends too early"),
        (sized(4), b"\1aa", "1 bytes after"),
        (sized(4), b"\xff\xff\xff\xff\xff\0", "more than 5 bytes"),
        (sized(4), b"\6", "does not hold 4 bytes"),  # a block of nothing
        (sized(4), b"\7", "does not hold 4 bytes"),  # no blocks
        (sized(4), b"\x08", "ends too early"),
        (sized(4), compressed(b"?", one=True), "does not hold 4 bytes"),
        (sized(4), compressed(b"?"), "does not hold 4 bytes"),
        (sized(4), compressed(bytes((1 << 17) + 1), one=True), "a block of 131073 bytes"),
        (sized(4), compressed(bytes(1 << 22), one=True), "a block of 4194304 bytes"),
        (sized(4), compressed(blocks_of(b"abc")), "does not hold 4 bytes"),
        (sized(4), compressed(blocks_of(b"abcde")), "does not hold 4 bytes"),
        (sized(4), compressed(blocks_of(bytes(1 << 20))), "does not hold 4 bytes"),
        (sized(4), compressed(blocks_of(b"abcd")[:-1]), "does not hold 4 bytes"),
        (sized(4), compressed(blocks_of(b"abcd") + b"\0"), "does not hold 4 bytes"),
        (sized(4), compressed(blocks_of(b"abcd") * 2), "does not hold 4 bytes"),
        (sized(4), compressed(compress(b"abcd")), "does not hold 4 bytes"),
        (sized(4), b"\4\0\xd8\0", "216 is not 3 digits below 6"),
        (sized(4), b"\4\0\0\xff", "255 is not 3 digits below 6"),
        (sized(4), b"\4\0\0\1", "fills up the last byte"),
        (sized(3, 1), b"\5\0\0\1\0a", "fills up the last byte"),
        (sized(3, 1), b"\3\0\1\0a", "fills up the last byte"),
        (sized(4), b"\2\2\0\x40", "fills up the last byte"),  # a second byte of digits, of one
        (sized(4), b"\2\0\x08", "fills up the last byte"),  # a fifth digit of four
        (sized(4), b"\5\0\xff\0", "ends too early"),  # two escapes, of which none is there
        (sized(4), b"\5\0\xff", "ends too early"),  # two bytes of digits, of which one is there
        (sized(4), b"\5\0\xff\xff\0abc", "ends too early"),  # four escapes, of which three are there
        (sized(4), b"\5\0\xff\0\0abc", "1 bytes after"),  # two escapes
        (sized(4), b"\2" * 4 + b"\1\0" * 5, "more than 3 deep"),
        (sized(4), b"\3" * 100_000, "more than 3 deep"),
    ],
)
def test_a_stream_of_context_substreams_that_breaks_a_rule_is_refused(sizes, rest, match):
    with pytest.raises(BitstreamError, match=match):
        unpacked(sizes + rest, 1, 4)


def test_the_streams_above_are_refused_for_what_they_say():
    """What is right about them is read."""
    for rest in (b"\0abcd", compressed(blocks_of(b"abcd"))):
        (substreams,) = unpacked(sized(4) + rest, 1, 4)
        assert list(b"abcd") == substreams.of(0).tolist()
    (substreams,) = unpacked(sized(4) + b"\2" * 3 + b"\1\0", 1, 4)
    assert [0] * 4 == substreams.of(0).tolist()


def test_blocks_that_would_expand_without_end_are_stopped():
    data = sized(4) + compressed(bomb(1 << 30))
    tracemalloc.start()
    try:
        with pytest.raises(BitstreamError, match="does not hold 4 bytes"):
            unpacked(data, 1, 4)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_more_symbols_than_a_window_of_zstd_come_back():
    count = (1 << 27) + 100
    with StreamReader(compressed(bomb(count))) as stream:
        assert not stream.symbols(count).any()
