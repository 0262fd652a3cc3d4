"""Reading on behind damage takes work in proportion to the file, however it was made."""

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from packet_places import packet

import codec
from codec.bitstream import container
from codec.bitstream.salvage import MOST_CHECKED, MOST_DAMAGE, SalvageReader

SMALLEST = (Path(__file__).parent.parent / "fixtures" / "golden" / "smallest.mvz").read_bytes()
HEADER_END = SMALLEST.index(b"meta")
WINDOW = 1 << 14  # a smaller one shows the same sooner
SIZE = 4 * WINDOW


def repeated(unit):
    return unit * (SIZE // len(unit))


def leading_far(unit, kind=b"indx"):
    """``unit``, then a packet that would reach to the end of the file, again and again."""
    step = len(unit) + 8
    places = range(0, SIZE - step, step)
    return b"".join(unit + kind + struct.pack("<I", max(SIZE - place - 2 * step - 24, 0)) for place in places)


PICTURES = SMALLEST[SMALLEST.index(b"PICS") : SMALLEST.index(b"indx")]
EMPTY = packet(b"indx")
ATTACKS = {
    "whole packets between bytes that are none": repeated(b"\xff" * 4 + EMPTY),
    "whole packets alone": repeated(EMPTY),
    "picture packets that repeat": repeated(b"\xff" * 4 + PICTURES)[: SIZE // 16],
    "names of kinds": repeated(b"PICS"),
    "packets without their checksum": repeated(b"indx" + bytes(8)),
    "packets in packets": leading_far(b""),
    "long packets behind whole ones": leading_far(EMPTY),
    "long packets behind damaged ones": leading_far(packet(b"QQQQ", b"abcd")[:-1] + b"z", b"QQQQ"),
    "lengths of a window": b"".join(b"meta" + struct.pack("<I", WINDOW - 3 * n) for n in range(SIZE // 16)),
    "critical packets of no known kind": repeated(packet(b"XXXX") + b"\0"),
}


class Counting(io.BytesIO):
    """Counts what is read."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_bytes_read_and_checked_are_a_few_times_the_file(attack, monkeypatch):
    checked = looks = 0

    def crc32(data, start=0):
        nonlocal checked
        checked += len(data)
        return zlib.crc32(data, start)

    class CountingReader(SalvageReader):
        def _packet_at(self, offset):
            nonlocal looks
            looks += 1
            return super()._packet_at(offset)

    monkeypatch.setattr("codec.bitstream.salvage.WINDOW_BYTES", WINDOW)
    monkeypatch.setattr(container, "zlib", type("Zlib", (), {"crc32": staticmethod(crc32)}))
    data = SMALLEST[:HEADER_END] + ATTACKS[attack]
    file = Counting(data)
    reader = CountingReader(file, "attack.mvz")
    assert (MOST_CHECKED + 2) * len(data) > checked
    assert (2 * MOST_CHECKED + 3) * len(data) > file.count
    assert len(data) > 3 * looks
    assert MOST_DAMAGE + 1 >= len(reader.damage)
    assert not reader.has_end


def test_a_packet_behind_any_number_of_damaged_ones_is_found():
    data = SMALLEST[:HEADER_END] + (b"\xff" * 4 + EMPTY) * 3000 + SMALLEST[SMALLEST.index(b"PICS") :]
    with codec.open(io.BytesIO(data), damaged=True) as video:
        assert [0, 1] == [number for number, _ in video.whole_pictures()]
        assert video.has_end


def test_giving_up_on_packets_that_overlap_is_said():
    reader = SalvageReader(io.BytesIO(SMALLEST[:HEADER_END] + leading_far(EMPTY)), "attack.mvz")
    (found,) = (error for error in reader.damage if isinstance(error, codec.LimitError))
    assert f"packets overlap so much that {MOST_CHECKED} times the file was checked" == found.rule


@pytest.mark.parametrize("window", [17, 100])
def test_what_is_found_does_not_depend_on_how_much_is_read_at_once(window, monkeypatch, moving, tmp_path):
    settings = codec.Settings(gop=3, run=2, block=4, scene_cut=False)
    codec.encode(moving("gray", 9, 7, count=8), tmp_path / "a.mvz", settings)
    whole = (tmp_path / "a.mvz").read_bytes()
    chance = random.Random(7)
    for _ in range(40):
        harmed = bytearray(whole)
        for _ in range(chance.randrange(4)):
            place = chance.randrange(HEADER_END, len(harmed))
            harmed[place : place + chance.randrange(6)] = chance.randbytes(chance.randrange(6))

        def found(data=bytes(harmed)):
            reader = SalvageReader(io.BytesIO(data), "harmed.mvz")
            return reader.groups, [str(error) for error in reader.damage], reader.has_end, reader.metadata

        expected = found()
        with monkeypatch.context() as patch:
            patch.setattr("codec.bitstream.salvage.WINDOW_BYTES", window)
            assert expected == found()


# ------------------------------------------------------------------------------------------- cut files


def test_a_cut_file_says_so_and_which_picture_was_whole_last(tmp_path):
    samples = np.random.default_rng(1).integers(0, 256, (7, 3, 5), np.uint8)
    codec.encode(samples, tmp_path / "whole.mvz", codec.Settings(gop=4, run=2))
    data = (tmp_path / "whole.mvz").read_bytes()
    with codec.open(tmp_path / "whole.mvz") as video:
        packets = list(video.packets())
    ends = [p.payload_offset + len(p.payload) + 4 for p in packets if p.kind == b"PICS"]
    pictures = [0, 2, 4, 6, 7]
    for length in sorted({*range(7, len(data), 11), *ends, *(end - 1 for end in ends), len(data) - 1}):
        expected = pictures[sum(end <= length for end in ends)]
        (tmp_path / "cut.mvz").write_bytes(data[:length])
        with pytest.raises(codec.TruncatedError) as raised:
            codec.open(tmp_path / "cut.mvz")
        assert expected == raised.value.pictures_before_cut, length
        where = f"after picture {expected - 1}" if expected else "before a first picture is whole"
        assert f": the file is cut {where}: " in str(raised.value)
        if length >= packets[1].offset:
            with codec.open(tmp_path / "cut.mvz", damaged=True) as video:
                cuts = [e.pictures_before_cut for e in video.damage if isinstance(e, codec.TruncatedError)]
                assert [expected] == cuts
                assert expected == len(video) == len(list(video.whole_pictures()))


def test_a_length_that_is_damaged_in_a_file_with_its_end_is_no_cut():
    data = bytearray(SMALLEST[: SMALLEST.index(b"indx")] + SMALLEST[-24:])
    data[HEADER_END + 6] ^= 1
    with pytest.raises(codec.TruncatedError) as raised:
        codec.open(io.BytesIO(data))
    assert raised.value.pictures_before_cut is None
    assert "cut" not in str(raised.value)


def test_a_file_that_is_cut_while_it_is_read_says_that(tmp_path):
    path = tmp_path / "a.mvz"
    path.write_bytes(SMALLEST)
    with codec.open(path) as video:
        path.write_bytes(SMALLEST[: SMALLEST.index(b"PICS") + 9])
        for damaged_read in (lambda: video[0], lambda: list(video.packets())):
            with pytest.raises(codec.TruncatedError, match="the file was cut while it was read"):
                damaged_read()
