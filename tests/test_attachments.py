"""What comes with pictures: how long each is shown, profiles, texts; kept in a file, given back, and damaged."""

import io
import json
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from media_files import read, write
from packet_places import places_of
from PIL import Image, ImageCms, PngImagePlugin

import codec
import mvz.pillow
from codec.bitstream.limits import DEFAULT_LIMITS
from codec.errors import BitstreamError, ConfigError, LimitError
from codec.picture.attachments import of_png, of_tiff, png_chunks
from codec.picture.colour import to_array
from codec.picture.planes import Picture
from codec.picture.sinks import open_sink
from codec.picture.sources import open_source
from codec.picture.tiff_tags import as_stored, exif_entries
from codec.writing.file import packet_bytes
from codec.writing.packing import pack

SETTINGS = codec.Settings(gop=4, run=3, motion="none", scene_cut=False)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
DURATIONS = [Fraction(1, 100), Fraction(1, 3), None, Fraction(0), None, Fraction(7, 1000), Fraction(1, 100)]


def pictures_with(attachments_of, count=7):
    """Pictures of one value each, with what a function of their number says."""
    flat = (Picture.from_array(np.full((5, 6), 5 * number, np.uint8)) for number in range(count))
    return [replace(picture, attachments=attachments_of(number)) for number, picture in enumerate(flat)]


MIXED = [
    replace(picture, duration=duration)
    for picture, duration in zip(
        pictures_with(lambda number: {"icc": PROFILE} | ({"text:Title": b"%d" % number} if number % 3 else {})),
        DURATIONS,
        strict=True,
    )
]


def came_with(pictures):
    return [(picture.duration, dict(picture.attachments)) for picture in pictures]


@pytest.fixture
def mixed(tmp_path):
    """A file of `MIXED`."""
    codec.encode(MIXED, tmp_path / "mixed.mvz", SETTINGS)
    return tmp_path / "mixed.mvz"


def with_packet(data, number, payload):
    """A file whose attachments packet ``number`` has another payload, and that has no index."""
    places = [place for place in places_of(data) if place[0] not in (b"indx", b"ENDS")]
    _, start, end = [place for place in places if place[0] == b"atts"][number]
    end_of_file = struct.pack("<IQ", len(MIXED), 0)
    return b"".join(
        [data[:start], packet_bytes(b"atts", payload), data[end : places[-1][2]], packet_bytes(b"ENDS", end_of_file)]
    )


def payload(first=0, shared=0, own=(), numbers=(), data=None):
    """An attachments payload, of keys and values."""
    parts = [struct.pack("<IHH", first, shared, len(own))]
    parts += [bytes([len(key)]) + key + struct.pack("<I", len(value)) for key, value in own]
    parts.append(struct.pack("<H", len(numbers)))
    parts += [bytes([len(of)]) + struct.pack(f"<{len(of)}H", *of) for of in numbers]
    values = np.frombuffer(b"".join(value for _, value in own), np.uint8)
    return b"".join([*parts, pack(values) if data is None else data])


# ---- a file keeps them


@pytest.mark.parametrize("threads", [0, 2])
def test_pictures_come_back_with_what_came_with_them(mixed, threads):
    with codec.open(mixed) as video, ThreadPoolExecutor(max(threads, 1)) as executor:
        assert came_with(MIXED) == came_with(video.pictures(executor=executor if threads else None))
        assert came_with(MIXED[5:6]) == came_with([video.picture(5)])
    with codec.open(mixed, damaged=True) as video:
        assert (came_with(MIXED), []) == (came_with(video.pictures()), video.damage)


def test_a_duration_that_the_rate_says_is_not_stored(tmp_path):
    pictures = [replace(picture, duration=Fraction(1, 25)) for picture in pictures_with(lambda _: {})]
    codec.encode(pictures, tmp_path / "a.mvz", SETTINGS)
    assert b"atts" not in (tmp_path / "a.mvz").read_bytes()
    with codec.open(tmp_path / "a.mvz") as video:
        assert [(None, {})] * 7 == came_with(video.pictures())


def test_a_rate_that_is_asked_for_replaces_durations_and_attachments_may_be_left_out(tmp_path):
    codec.encode(MIXED, tmp_path / "a.mvz", SETTINGS, rate=10, attachments=False)
    with codec.open(tmp_path / "a.mvz") as video:
        assert (10, [(None, {})] * 7) == (video.rate, came_with(video.pictures()))


def test_info_lists_them(mixed, mvz):
    code, out, _ = mvz("info", mixed)
    assert 0 == code
    assert "\nwith the pictures: icc, text:Title (4 of 7)\n" in out
    assert "\npictures shown for 0 to 333.333 ms each\n" in out
    pictures = json.loads(mvz("info", mixed, "--json")[1])["pictures"]
    assert ["1/100", "1/3", None, "0"] == [picture["duration"] for picture in pictures[:4]]
    assert {"icc": len(PROFILE), "text:Title": 1} == pictures[1]["attachments"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"attachments": {"": b""}}, "keys have 1…255 bytes"),
        ({"attachments": {"k" * 256: b""}}, "keys have 1…255 bytes"),
        ({"attachments": {"\ud800": b""}}, "half a surrogate pair"),
        ({"attachments": {"icc": "text"}}, "values are bytes"),
        ({"attachments": {3: b""}}, "keys are text"),
        ({"attachments": {"duration": b""}}, "is its duration"),
        ({"attachments": {str(number): b"" for number in range(256)}}, "at most 255"),
        ({"attachments": {"icc": bytes(DEFAULT_LIMITS.max_attachment_bytes)}}, "that readers take"),
        ({"duration": Fraction(-1)}, "is from 0"),
        ({"duration": Fraction(1, 1 << 33)}, "is from 0"),
    ],
)
def test_what_no_reader_would_accept_is_refused(changes, says, tmp_path):
    with codec.Writer(tmp_path / "a.mvz", (6, 5), "gray") as out:
        with pytest.raises(ConfigError, match=says):
            out.append(replace(MIXED[0], **changes))
        out.append(MIXED[0])


def test_attachments_of_a_gop_keep_to_the_limit_of_readers(tmp_path):
    large = bytes(DEFAULT_LIMITS.max_attachment_bytes // 3)
    codec.encode(pictures_with(lambda number: {"a": large + bytes([number])}), tmp_path / "a.mvz", SETTINGS)
    with codec.open(tmp_path / "a.mvz") as video:
        assert [bytes([number]) for number in range(7)] == [p.attachments["a"][-1:] for p in video.pictures()]


# ---- damage


def test_a_flipped_bit_of_attachments_keeps_no_picture_away_from_who_asks_for_what_is_whole(mixed, tmp_path):
    data = mixed.read_bytes()
    for _, start, end in [place for place in places_of(data) if place[0] == b"atts"]:
        for at in range(start, end):
            damaged = bytearray(data)
            damaged[at] ^= 1
            (tmp_path / "bad.mvz").write_bytes(damaged)
            with codec.open(tmp_path / "bad.mvz", damaged=True) as video:
                back = dict(video.whole_pictures())
                assert all(picture.same_samples(MIXED[number]) for number, picture in back.items())
                assert (7, True) == (len(back), bool(video.damage))
            with pytest.raises(BitstreamError), codec.open(tmp_path / "bad.mvz") as video:
                list(video.pictures())


def test_the_other_attachments_survive_the_loss_of_one_packet(mixed, tmp_path):
    data = mixed.read_bytes()
    shared, second = [place for place in places_of(data) if place[0] == b"atts"][:2]
    (tmp_path / "bad.mvz").write_bytes(data[: shared[1]] + data[shared[2] :])
    with codec.open(tmp_path / "bad.mvz", damaged=True) as video:
        # of the first picture, all is shared
        unshared = [
            (duration if number < 6 else None, {key: of for key, of in attachments.items() if key != "icc"})
            for number, (duration, attachments) in enumerate(came_with(MIXED))
        ]
        expected = [(None, {}), *unshared[1:]]
        assert expected == came_with(picture for _, picture in video.whole_pictures())
    (tmp_path / "bad.mvz").write_bytes(data[: second[1]] + data[second[2] :])
    with codec.open(tmp_path / "bad.mvz", damaged=True) as video:
        assert [came_with(MIXED[:1])[0]] * 3 + came_with(MIXED[3:]) == came_with(p for _, p in video.whole_pictures())


ONE = [(b"a", b"value")]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (payload(1, 2, ONE, [[0], [1], [2]]), "of 3 pictures from 1 where"),
        (payload(0, 2, ONE, [[0], [1]]), "of 2 pictures from 0 where"),
        (payload(0, 1, ONE, [[0], [1], [1]]), "1 shared attachments; the file has 2"),
        (payload(0, 2, ONE, [[0], [1], [3]]), "number of an attachment is 3"),
        (payload(0, 2, [(b"", b"value")], [[], [], []]), "key_length is 0"),
        (payload(0, 2, [(b"\xff", b"value")], [[], [], []]), "not UTF-8"),
        (payload(0, 2, [(b"duration", bytes(8))], [[2], [], []]), "a duration of"),
        (payload(0, 2, [(b"duration", b"1/25")], [[2], [], []]), "a duration of"),
        (payload(0, 2, ONE, [[], [], []], b"\0valu"), "ends too early"),
        (payload(0, 2, ONE, [[], [], []], b"\0value!"), "1 bytes after the end"),
        (payload(0, 2, ONE, [[], [], []])[:-9], "ends inside a field"),
        (payload(0, 2, ONE, [])[:9], "ends inside a field"),
        (b"", "ends inside a field"),
    ],
)
def test_attachments_that_break_a_rule_are_refused_and_pictures_are_not(changed, says, mixed, tmp_path):
    (tmp_path / "bad.mvz").write_bytes(with_packet(mixed.read_bytes(), 1, changed))
    with codec.open(tmp_path / "bad.mvz") as video, pytest.raises(BitstreamError, match=says):
        list(video.pictures())
    with codec.open(tmp_path / "bad.mvz") as video, pytest.raises(BitstreamError, match=says):
        _ = video.info
    with codec.open(tmp_path / "bad.mvz", damaged=True) as video:
        assert 7 == sum(1 for _ in video.whole_pictures())
        assert says in str(video.damage[0])


def test_attachments_beyond_the_limit_are_refused_before_they_are_expanded(mixed, tmp_path):
    bomb = payload(0, 2, ONE, [[], [], []], b"\1\0").replace(struct.pack("<I", 5), struct.pack("<I", 1 << 31))
    (tmp_path / "bad.mvz").write_bytes(with_packet(mixed.read_bytes(), 1, bomb))
    with codec.open(tmp_path / "bad.mvz") as video, pytest.raises(LimitError, match="attachments of 2147483648 bytes"):
        list(video.pictures())
    limits = codec.Limits(max_attachment_bytes=len(PROFILE) - 1)
    with pytest.raises(LimitError, match=f"the limit is {len(PROFILE) - 1}"):
        codec.open(mixed, limits=limits)


def test_attachments_at_another_place_are_passed_over(mixed, tmp_path):
    data = mixed.read_bytes()
    places = places_of(data)
    start = next(start for kind, start, _ in places if kind == b"PICS" and start > places[4][1])
    more = packet_bytes(b"atts", payload(0, 2, ONE, [[], [], []]))
    (tmp_path / "more.mvz").write_bytes(data[:start] + more + data[start:])
    for is_damaged in (False, True):
        with codec.open(tmp_path / "more.mvz", damaged=is_damaged) as video:
            assert came_with(MIXED) == came_with(video.pictures())


# ---- files of other formats


def still(tmp_path, name, **more):
    """A folder with a picture file."""
    Image.new("RGB", (4, 3), (10, 20, 30)).save(tmp_path / name, **more)
    return tmp_path / name


def exif(maker="Maker"):
    tags = Image.Exif()
    tags[271] = maker
    return tags.tobytes().removeprefix(b"Exif\0\0")


def through_mvz(mvz, source, target, *options):
    """Encode and decode by the commands; the notes of both."""
    clip = source.parent / "clip.mvz"
    code, _, said = mvz("encode", source, "-o", clip, "--force", *options)
    assert 0 == code, said
    code, _, more = mvz("decode", clip, "-o", target, "--force")
    assert 0 == code, more
    return [line for line in (said + more).splitlines() if "note: " in line]


def all_of(path):
    with open_source(path) as source:
        return came_with(source)


def test_a_png_gives_back_all_that_it_holds(tmp_path, mvz):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "Grüße")
    texts.add_text("Description", "long " * 100, zip=True)
    texts.add_itxt("Comment", "日本語", "ja", "コメント")
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>", zip=True)
    texts.add(b"gAMA", struct.pack(">I", 45455))
    texts.add(b"cICP", bytes([9, 16, 0, 1]))
    (tmp_path / "in").mkdir()
    source = still(tmp_path / "in", "a.png", pnginfo=texts, icc_profile=PROFILE, exif=exif(), dpi=(300, 150))
    expected = {
        "text:Title": "Grüße".encode(),
        "text:Description": b"long " * 100,
        "text:Comment": "日本語".encode(),
        "xmp": b"<x:xmpmeta/>",
        "png:gAMA": struct.pack(">I", 45455),
        "png:cICP": bytes([9, 16, 0, 1]),
        "icc": PROFILE,
        "exif": exif(),
        "dpi": b"299.9994 150.0124",
    }
    assert [(None, expected)] == all_of(source)
    assert [] == through_mvz(mvz, source, tmp_path / "out")
    assert [(None, expected)] == all_of(tmp_path / "out" / "a.png")
    with Image.open(tmp_path / "out" / "a.png") as image:
        image.load()
        assert (PROFILE, "日本語", 0.45455) == (image.info["icc_profile"], image.text["Comment"], image.info["gamma"])
    assert [] == through_mvz(mvz, source, tmp_path / "bare", "--no-attachments")
    colour = {"png:cICP": bytes([9, 16, 0, 1])}  # which the header of the file says too
    assert [(None, colour)] == all_of(tmp_path / "bare" / "a.png")


@pytest.mark.parametrize(
    ("name", "options", "kept"),
    [
        ("a.tif", {"icc_profile": PROFILE, "dpi": (300, 150), "tiffinfo": {270: "text"}}, "icc dpi text:Description"),
        ("a.jpg", {"icc_profile": PROFILE, "exif": b"Exif\0\0" + exif(), "dpi": (72, 72)}, "icc exif dpi"),
        ("a.bmp", {"dpi": (300, 300)}, "dpi"),
        ("a.webp", {"icc_profile": PROFILE, "exif": exif(), "xmp": b"<x/>", "lossless": True}, "icc exif xmp"),
    ],
)
def test_other_stills_are_read_with_what_comes_with_them(name, options, kept, tmp_path, mvz):
    (tmp_path / "in").mkdir()
    source = still(tmp_path / "in", name, **options)
    ((_, before),) = all_of(source)
    assert kept.split() == list(before)
    notes = through_mvz(mvz, source, tmp_path / "out")
    ((_, after),) = all_of(next((tmp_path / "out").iterdir()))
    assert ([], before.keys()) == (notes, after.keys())
    assert {key: of for key, of in before.items() if key != "dpi"} == {k: of for k, of in after.items() if k != "dpi"}
    if "dpi" in before:
        assert [float(side) for side in before["dpi"].split()] == pytest.approx(
            [float(side) for side in after["dpi"].split()], abs=0.02
        )


@pytest.mark.parametrize("suffix", ["gif", "apng", "webp"])
@pytest.mark.parametrize("loop", [None, 0, 1, 2, 65535])
def test_how_often_an_animation_is_played_comes_back(suffix, loop, tmp_path, mvz):
    frames = [Image.new("RGB", (4, 3), (40 * number, 0, 0)) for number in range(3)]
    kind = {"apng": "PNG", "gif": "GIF", "webp": "WEBP"}[suffix]
    said = {} if loop is None else {"loop": loop}
    frames[0].save(tmp_path / f"a.{suffix}", kind, save_all=True, append_images=frames[1:], duration=40, **said)
    times = loop or 0
    if suffix == "gif" and loop != 0:  # says how often again, and nothing where that is never
        times += 1
    expected = {"plays": str(times).encode()} if 0 < times < 65536 else {}
    assert [] == through_mvz(mvz, tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}")
    for name in ("a", "b"):
        assert [(None, expected)] * 3 == all_of(tmp_path / f"{name}.{suffix}")
    with Image.open(tmp_path / f"b.{suffix}") as image:
        assert (loop if times < 65536 and (loop or suffix == "gif") else 0) == image.info.get("loop")
    notes = through_mvz(mvz, tmp_path / f"a.{suffix}", tmp_path / "folder")
    assert bool(expected) == any("no place for what came with the pictures: how often" in note for note in notes)


def camera_exif(order="<"):
    """Exif as a camera has it, with directories behind directories, and what a TIFF says itself."""
    tags = Image.Exif()
    tags.endian = order
    tags[271], tags[274], tags[306] = "Maker", 6, "2024:01:02 03:04:05"
    tags[282], tags[256] = 72.0, 9
    tags[34665] = {33434: 0.01, 37386: 50.0, 36867: "2024:01:02 03:04:05", 37500: b"of the maker", 41988: 1.5}
    tags[34853] = {1: "N", 2: (47.0, 22.0, 1.5)}
    return tags.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_comes_back_from_a_tiff(order, tmp_path, mvz):
    source = still(tmp_path, "a.png", exif=camera_exif(order))
    assert [] == through_mvz(mvz, source, tmp_path / "b.tif")
    with Image.open(tmp_path / "b.tif") as image:
        tags = image.getexif()
        assert ("Maker", 6, "2024:01:02 03:04:05") == (tags[271], tags[274], tags[306])
        assert {33434: 0.01, 37386: 50.0, 36867: tags[306], 37500: b"of the maker", 41988: 1.5} == tags.get_ifd(34665)
        assert {1: "N", 2: (47.0, 22.0, 1.5)} == tags.get_ifd(34853)
        assert (4, 3) == (tags[256], tags[257])
        assert 282 not in tags
    ((_, first),) = all_of(tmp_path / "b.tif")
    assert ["exif"] == list(first)
    assert [] == through_mvz(mvz, tmp_path / "b.tif", tmp_path / "c.tif")
    assert [(None, first)] == all_of(tmp_path / "c.tif")
    assert (tmp_path / "b.tif").read_bytes() == (tmp_path / "c.tif").read_bytes()


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_pixels_of_a_tiff_stay_as_stored_whatever_it_says_of_turning_them(options, tmp_path, mvz):
    tifffile = pytest.importorskip("tifffile")
    pages = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    with tifffile.TiffWriter(tmp_path / "a.tif", **options) as file:
        for page in pages:
            file.write(page, extratags=[(274, 3, 1, 6, True)], photometric="minisblack", metadata=None)
    assert [] == through_mvz(mvz, tmp_path / "a.tif", tmp_path / "b.tif")
    for name in ("a.tif", "b.tif"):
        with open_source(tmp_path / name) as source:
            assert np.array_equal(pages, [to_array(picture) for picture in source])
        with Image.open(tmp_path / name) as image:
            assert 6 == image.tag_v2[274]


def test_what_a_tiff_says_is_read_in_either_order_size_and_unit(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for options in ({}, {"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}):
        for unit, by in ((2, 1.0), (3, 2.54)):
            tifffile.imwrite(
                tmp_path / "a.tif",
                np.zeros((4, 5), np.uint16),
                resolution=(100, 50),
                resolutionunit=unit,
                software="by hand",
                metadata=None,
                extratags=[(272, 2, 6, "Model", True), (274, 3, 1, 1, True)],
                iccprofile=PROFILE,
                **options,
            )
            ((_, found),) = all_of(tmp_path / "a.tif")
            assert (f"{100 * by:g} {50 * by:g}".encode(), PROFILE) == (found["dpi"], found["icc"])
            assert (b"by hand", True) == (found["text:Software"], b"Model\0" in found["exif"])


def test_each_page_of_a_tiff_keeps_what_came_with_its_picture(tmp_path):
    pictures = pictures_with(lambda number: {"icc": PROFILE, "text:Description": str(number).encode()}, 3)
    with open_sink(tmp_path / "a.tif", pictures[0].format, Fraction(25)) as sink:
        for picture in pictures:
            sink.write(picture)
    assert [] == sink.notes
    with Image.open(tmp_path / "a.tif") as image:
        for number in range(3):
            image.seek(number)
            assert (str(number), PROFILE) == (image.tag_v2[270], image.info["icc_profile"])
            assert np.array_equal(to_array(pictures[number]), np.array(image))


def test_a_damaged_tiff_directory_says_nothing_or_what_is_whole(tmp_path):
    still(tmp_path, "a.tif", exif=camera_exif(), dpi=(72, 72), icc_profile=PROFILE)
    data = (tmp_path / "a.tif").read_bytes()
    assert {"icc", "exif", "dpi"} == of_tiff(io.BytesIO(data)).keys()
    for place in range(len(data)):
        for harmed in (data[:place], data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]):
            found = of_tiff(io.BytesIO(harmed))
            assert all(isinstance(value, bytes) for value in found.values())
            exif_entries(harmed)
    turned = still(tmp_path, "turned.tif", tiffinfo={274: 6}).read_bytes()
    start = int.from_bytes(turned[4:8], "little")
    end = start + 2 + 12 * int.from_bytes(turned[start : start + 2], "little")
    with pytest.raises(ValueError, match="overlap"):  # each behind itself
        as_stored(io.BytesIO(turned[:end] + turned[4:8] + turned[end + 4 :]))
    assert {} == of_tiff(io.BytesIO(b"II*\0\x08\0\0\0\xff\xff" + bytes(1 << 20)))
    head = b"II*\0\x08\0\0\0\x01\0"
    itself, too_long = struct.pack("<HHII", 34665, 4, 1, 8), struct.pack("<HHII", 34675, 7, (1 << 32) - 1, 8)
    assert 100 > len(of_tiff(io.BytesIO(head + itself + bytes(4)))["exif"])
    assert {} == of_tiff(io.BytesIO(head + too_long + bytes(4)))


@pytest.mark.parametrize("suffix", ["gif", "apng", "webp"])
def test_durations_and_attachments_of_animations_come_back(suffix, tmp_path, mvz):
    frames = [Image.new("RGB", (4, 3), (40 * number, 0, 0)) for number in range(4)]
    more = {"comment": b"seen"} if suffix == "gif" else {"icc_profile": PROFILE, "exif": exif()}
    times = [40, 100, 220, 1000]
    kind = {"apng": "PNG", "gif": "GIF", "webp": "WEBP"}[suffix]
    source = tmp_path / f"a.{suffix}"
    frames[0].save(source, kind, save_all=True, append_images=frames[1:], duration=times, **more)
    notes = through_mvz(mvz, source, tmp_path / f"b.{suffix}")
    kept = {"text:Comment": b"seen", "plays": b"1"} if suffix == "gif" else {"icc": PROFILE, "exif": exif()}
    expected = [(Fraction(time, 1000), kept) for time in times]
    assert ([], expected, expected) == (notes, all_of(source), all_of(tmp_path / f"b.{suffix}"))


def test_a_gif_keeps_a_profile_longer_than_a_block(tmp_path):
    pictures = pictures_with(lambda _: {"icc": PROFILE, "text:Comment": b"c" * 255}, 2)
    notes = write(tmp_path / "a.gif", pictures).notes
    assert ([], [(None, dict(pictures[0].attachments))] * 2) == (notes, all_of(tmp_path / "a.gif"))


@pytest.mark.parametrize(
    ("target", "lost"),
    [
        ("a.y4m", "durations, icc, exif, dpi, text, gAMA"),
        ("a.npy", "durations, icc, exif, dpi, text, gAMA"),
        ("a.gif", "exif, dpi, text, gAMA"),
        ("a.webp", "dpi, text, gAMA, exif of later pictures"),
        ("a.apng", "exif of later pictures"),
        ("f%d.tif", "durations, text, gAMA"),
        ("f%d.ppm", "durations, icc, exif, dpi, text, gAMA"),
        ("folder", "durations"),
    ],
)
def test_what_a_target_has_no_place_for_is_said_in_one_line(target, lost, tmp_path):
    def attachments(number):
        mine = {"icc": PROFILE, "exif": exif(str(number // 3)), "dpi": b"72 72", "text:Title": b"\xc3\xa4"}
        return mine | {"png:gAMA": bytes(4)}

    pictures = [replace(picture, duration=Fraction(1, 9)) for picture in pictures_with(attachments)]
    said = f"{tmp_path / target}: has no place for what came with the pictures: {lost}"
    assert [said] == write(tmp_path / target, pictures).notes


@pytest.mark.parametrize(
    "attachments",
    [
        {"dpi": b"no number"},
        {"dpi": b"0 0"},
        {"dpi": b"9" * 400 + b" 1"},
        {"text:Title": b"\xff"},
        {"text:": b"no keyword"},
        {"text:Ti\0tle": b"a zero byte"},
        {"text:Title": b"zero\0byte"},
        {"text:日": b"no Latin-1"},
        {"text:" + "k" * 80: b"too long"},
        {"png:IHDR": bytes(13)},
        {"png:IEND": b""},
        {"unknown": b"of another writer"},
    ],
)
def test_hostile_attachments_reach_no_file_and_keep_no_picture_away(attachments, tmp_path):
    picture = replace(MIXED[0], attachments=attachments, duration=None)
    for name in ("a.png", "a.tif", "a.apng", "a.webp", "a.gif", "a.y4m"):
        assert 1 == len(write(tmp_path / name, [picture]).notes)
        assert [{}] == [dict(each.attachments) for each in read(tmp_path / name)]


def test_any_profile_and_exif_leave_a_png_readable(tmp_path):
    rng = np.random.default_rng(2)
    for size in (0, 1, 7, 1000):
        noise = rng.integers(0, 256, size, np.uint8).tobytes()
        mine = {
            "icc": noise,
            "exif": noise,
            "xmp": b"<x/>",
            "png:tIME": noise[:7].ljust(7),
            "png:cHRM": noise[:32].ljust(32),
        }
        write(tmp_path / f"{size}.png", [replace(MIXED[0], attachments=mine)])
        assert [(None, mine)] == all_of(tmp_path / f"{size}.png")


@pytest.mark.parametrize(
    "payload_of",
    [
        (b"iCCP", b"name"),
        (b"iCCP", b"name\0\0no zlib"),
        (b"iCCP", b"name\0\0" + zlib.compress(bytes(1000))[:-8]),
        (b"iCCP", b"name\0\0" + zlib.compress(bytes((1 << 24) + 1))),
        (b"zTXt", b"Title\0\0" + zlib.compress(bytes(1 << 25))),
        (b"iTXt", b"Title\0\0\0one part"),
        (b"iTXt", b"Title\0\0\0\0\0\xff\xff"),
        (b"tEXt", b"\0no keyword"),
        (b"pHYs", bytes(8) + b"\1"),
    ],
)
def test_a_png_chunk_that_is_damaged_is_passed_over(payload_of):
    head = b"\x89PNG\r\n\x1a\n"
    good = png_chunks({"text:Author": b"me"})
    kind, data = payload_of
    bad = struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))
    assert {"text:Author": b"me"} == of_png(io.BytesIO(head + bad + good))
    assert {} == of_png(io.BytesIO(head + good[:-1] + b"?"))


def test_pillow_images_and_pillow_itself_carry_them(tmp_path):
    mvz.pillow.register()
    image = Image.new("RGB", (4, 3))
    image.info |= {"icc_profile": PROFILE, "exif": b"Exif\0\0" + exif(), "dpi": (300.0, 300.0)}
    codec.encode([image], tmp_path / "a.mvz")
    with Image.open(tmp_path / "a.mvz") as back:
        back.load()
        assert (PROFILE, exif(), 40.0) == (back.info["icc_profile"], back.info["exif"], back.info["duration"])
    codec.encode(MIXED, tmp_path / "b.mvz", SETTINGS)
    with Image.open(tmp_path / "b.mvz") as back:
        durations = []
        for number in range(back.n_frames):
            back.seek(number)
            back.load()
            durations.append(back.info["duration"])
    assert [10.0, pytest.approx(1000 / 3), 40.0, 0.0, 40.0, 7.0, 10.0] == durations
