"""What is left of a damaged file: `codec.open(damaged=True)` and ``mvz decode --skip-damaged``."""

import contextlib
import json
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from packet_places import places_of

import codec

GOP, RUN, COUNT = 3, 2, 8  # GOPs of pictures 0…2, 3…5, 6…7, in packets of 2, 1, 2, 1, 2


@pytest.fixture(scope="module")
def whole(moving, tmp_path_factory):
    """A file's bytes, and its pictures."""
    path = tmp_path_factory.mktemp("whole") / "whole.mvz"
    pictures = moving("gray", 5, 4, count=COUNT)
    settings = codec.Settings(gop=GOP, run=RUN, block=4, search=2, scene_cut=False)
    codec.encode(pictures, path, settings)
    return path.read_bytes(), pictures


@pytest.fixture
def salvage(tmp_path):
    """Write bytes to a file and open it as one that may be damaged."""

    def opened(data):
        path = tmp_path / "bad.mvz"
        path.write_bytes(data)
        return codec.open(path, damaged=True)

    return opened


def runs(data):
    """(first picture, one behind the last, end in the file) of every picture packet."""
    return [
        (first, first + count, end)
        for kind, offset, end in places_of(data)
        if kind == b"PICS"
        for first, count in [struct.unpack_from("<IH", data, offset + 8)]
    ]


def without(data, kind, number):
    """The file without its packet ``number`` of a kind, and without an index, which would tell."""
    packets = [(k, data[start:end]) for k, start, end in places_of(data) if k != b"indx"]
    gone = [place for place, (k, _) in enumerate(packets) if k == kind][number]
    return data[:8] + b"".join(packet for place, (_, packet) in enumerate(packets) if place != gone)


def salvaged(video, originals, **options):
    """Numbers of the pictures that came out, each of which is right."""
    numbers = []
    for number, picture in video.whole_pictures(**options):
        assert originals[number].same_samples(picture), number
        numbers.append(number)
    assert sorted(set(numbers)) == numbers
    return numbers


def test_a_whole_file_gives_all_its_pictures_and_no_damage(whole, salvage):
    data, originals = whole
    with salvage(data) as video:
        assert list(range(COUNT)) == salvaged(video, originals)
        assert ([], True, COUNT) == (video.damage, video.has_end, len(video))


def test_a_file_cut_at_any_byte_gives_every_picture_of_the_packets_before_the_cut(whole, salvage):
    data, originals = whole
    header_end = places_of(data)[0][2]
    for length in range(len(data)):
        if length < header_end:
            with pytest.raises(codec.BitstreamError):
                salvage(data[:length])
            continue
        expected = [number for first, last, end in runs(data) if end <= length for number in range(first, last)]
        with salvage(data[:length]) as video:
            assert expected == salvaged(video, originals), f"cut at {length}"
            assert not video.has_end
            assert any(isinstance(error, codec.TruncatedError) for error in video.damage)


def test_a_flipped_bit_in_any_byte_costs_at_most_its_gop(whole, salvage):
    data, originals = whole
    header_end = places_of(data)[0][2]
    for position in range(header_end, len(data)):
        harmed = bytearray(data)
        harmed[position] ^= 1 << position % 8
        with salvage(bytes(harmed)) as video:
            missing = set(range(COUNT)) - set(salvaged(video, originals))
            assert len({number // GOP for number in missing}) <= 1, f"byte {position}"
            assert video.damage or not missing
            assert COUNT == len(video) or not video.has_end


@pytest.mark.parametrize("number", range(5))
def test_a_packet_that_is_missing_costs_itself_and_what_is_predicted_from_it(number, whole, salvage):
    data, originals = whole
    first, last, _ = runs(data)[number]
    gop_end = min(first // GOP * GOP + GOP, COUNT)
    with salvage(without(data, b"PICS", number)) as video:
        expected = [n for n in range(COUNT) if not first <= n < gop_end]
        assert expected == salvaged(video, originals)
        assert first == 0 or video.picture(0).same_samples(originals[0])
        with pytest.raises(codec.BitstreamError, match=f"picture {first} is in no whole packet"):
            video[first]
        with pytest.raises(codec.BitstreamError, match=f"picture {first} is in no whole packet"):
            list(video.pictures())
        assert last <= gop_end


def test_a_packet_that_comes_twice_is_taken_once(whole, salvage):
    data, originals = whole
    _, start, end = next(place for place in places_of(data) if place[0] == b"PICS")
    with salvage(data[:end] + data[start:end] + data[end:]) as video:
        assert list(range(COUNT)) == salvaged(video, originals)
        assert ["a packet group starts with picture 0; picture 2 is next"] == [error.rule for error in video.damage]


def test_what_lies_between_and_behind_packets_is_passed_over_and_said(whole, salvage):
    data, originals = whole
    _, start, _ = next(place for place in places_of(data) if place[0] == b"PICS")
    garbage = bytes(range(1, 200)) + b"PICS" + b"ENDS" + bytes(30)
    with salvage(data[:start] + garbage + data[start:] + b"more") as video:
        assert list(range(COUNT)) == salvaged(video, originals)
        assert start == video.damage[0].offset
        assert "4 bytes after the end" == video.damage[-1].rule


def test_a_picture_that_does_not_decode_to_its_checksum_is_left_out_with_those_predicted_from_it(whole, salvage):
    data, originals = whole
    _, start, end = [place for place in places_of(data) if place[0] == b"PICS"][2]
    payload = bytearray(data[start + 8 : end - 4])
    payload[7] ^= 1  # of the checksum of the first picture
    body = data[start : start + 8] + payload
    harmed = data[:start] + body + struct.pack("<I", zlib.crc32(body)) + data[end:]
    with salvage(harmed) as video:
        assert [] == video.damage
        assert [0, 1, 2, 6, 7] == salvaged(video, originals)
        assert ["picture 3 does not decode to its CRC-32"] == [error.rule for error in video.damage]


@pytest.mark.parametrize("workers", [None, 1, 4])
def test_pictures_come_up_to_the_damage_with_threads_and_without(workers, whole, tmp_path):
    data, _ = whole
    harmed = bytearray(data)
    harmed[runs(data)[3][2] - 9] ^= 1  # the packet of picture 5
    path = tmp_path / "bad.mvz"
    path.write_bytes(harmed)
    came = []
    with contextlib.ExitStack() as stack:
        executor = workers and stack.enter_context(ThreadPoolExecutor(workers))
        video = stack.enter_context(codec.open(path))
        with pytest.raises(codec.ChecksumError):
            for picture in video.pictures(executor=executor):
                came.append(picture)
    assert 5 == len(came)


# ------------------------------------------------------------------------------------------- the command


@pytest.fixture
def bad(whole, tmp_path):
    """A file whose second GOP is damaged from its first picture on."""
    data, _ = whole
    harmed = bytearray(data)
    harmed[runs(data)[2][2] - 9] ^= 1
    path = tmp_path / "bad.mvz"
    path.write_bytes(harmed)
    return path


def test_decode_writes_what_is_whole_says_what_is_missing_and_exits_with_1(mvz, bad, tmp_path):
    code, out, err = mvz("decode", bad, "-o", tmp_path / "out", "--skip-damaged")
    assert (1, "") == (code, out)
    assert [f"{number:06d}.png" for number in (0, 1, 2, 6, 7)] == sorted(p.name for p in (tmp_path / "out").iterdir())
    written, reason, orphan, missing = err.splitlines()
    assert written.startswith(f"{tmp_path / 'out'}: 5 pictures, ")
    assert reason.startswith(f"mvz: {bad}, byte ")
    assert reason.endswith(": the packet does not have its CRC-32")
    assert orphan.endswith(": picture 5 needs pictures before it that are missing")
    assert f"mvz: {bad}: missing pictures: 3…5" == missing


def test_decode_without_the_option_refuses_the_same_file_and_writes_nothing(mvz, bad, tmp_path):
    assert 1 == mvz("decode", bad, "-o", tmp_path / "out")[0]
    assert ["bad.mvz"] == [path.name for path in tmp_path.iterdir()]


def test_json_lists_what_is_missing_and_why(mvz, bad, tmp_path):
    code, out, err = mvz("decode", bad, "-o", tmp_path / "out.y4m", "--skip-damaged", "--json")
    assert (1, "") == (code, err)
    found = json.loads(out)
    assert (5, [[3, 6]], True, 2) == (found["pictures"], found["missing"], found["has_end"], len(found["damage"]))


def test_a_cut_file_says_from_where_on_it_knows_nothing(mvz, whole, tmp_path):
    data, _ = whole
    path = tmp_path / "cut.mvz"
    path.write_bytes(data[: runs(data)[1][2] + 20])
    code, _, err = mvz("decode", path, "-o", tmp_path / "out.npy", "--skip-damaged")
    assert 1 == code
    assert f"mvz: {path}: missing pictures: all from 3 on" == err.splitlines()[-1]


def test_a_file_of_which_nothing_is_whole_leaves_no_file(mvz, whole, tmp_path):
    data, _ = whole
    path = tmp_path / "cut.mvz"
    path.write_bytes(data[: runs(data)[0][2] - 1])
    code, _, err = mvz("decode", path, "-o", tmp_path / "out.npy", "--skip-damaged")
    assert (1, 1) == (code, err.count("\n"))
    assert ["cut.mvz"] == [path.name for path in tmp_path.iterdir()]
