"""Files that come back byte for byte: ``--archive``."""

import hashlib
import io
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import codec
from codec.errors import ConfigError
from codec.picture.archive import Archivist, WholeFile, restored
from codec.picture.attachments import chunk
from codec.picture.deep_files import png_bytes, ppm_bytes
from codec.picture.planes import Picture
from codec.picture.sources import open_source
from codec.picture.y4m import parse_header

RNG = np.random.default_rng(1)
SAMPLES = (np.add.outer(np.arange(21), np.arange(30))[..., None] * 3 + RNG.integers(0, 5, (21, 30, 3))).astype(np.uint8)
PICTURE = Picture.from_array(SAMPLES)
PLACES = {0: lambda a, b, c: 0, 1: lambda a, b, c: a, 2: lambda a, b, c: b, 3: lambda a, b, c: (a + b) // 2}


def paeth(a, b, c):
    return min((a, b, c), key=lambda each: abs(a + b - c - each))  # the first of equals


def png(samples, filters, compress, sizes=None, colour_type=2, behind=b""):
    """A PNG, its rows filtered sample by sample as the text says, by filters in turn."""
    rows = samples.reshape(len(samples), -1).tolist()
    channels = len(rows[0]) // samples.shape[1]
    raw = bytearray()
    for number, row in enumerate(rows):
        kind = filters[number % len(filters)]
        raw.append(kind)
        for place, value in enumerate(row):
            a = row[place - channels] if place >= channels else 0
            b = rows[number - 1][place] if number else 0
            c = rows[number - 1][place - channels] if number and place >= channels else 0
            raw.append((value - {**PLACES, 4: paeth}[kind](a, b, c)) & 255)
    stream, parts = compress(bytes(raw)), []
    for size in sizes or [len(stream)]:
        parts.append(chunk(b"IDAT", stream[:size]))
        stream = stream[size:]
    parts += [chunk(b"IDAT", stream)] if stream else []
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(parts) + behind + chunk(b"IEND", b"")


def by_zlib(level, strategy=0, memory=8, window_bits=15):
    def compress(raw):
        deflater = zlib.compressobj(level, zlib.DEFLATED, window_bits, memory, strategy)
        return deflater.compress(raw) + deflater.flush()

    return compress


def archived(data, picture=PICTURE):
    """A picture with what came with its file."""
    return replace(picture, attachments=dict(Archivist().attachments(data, picture)))


@pytest.mark.parametrize(
    "data",
    [
        *(png(SAMPLES, [0, 1, 2, 3, 4], by_zlib(level)) for level in range(10)),
        *(png(SAMPLES, [4], by_zlib(6, strategy)) for strategy in (1, 2, 3)),
        png(SAMPLES, [1], by_zlib(9, memory=9)),
        png(SAMPLES, [1], by_zlib(9, window_bits=10)),
        png(SAMPLES, [0], by_zlib(6), [100, 1, 50], behind=chunk(b"tEXt", b"Title\0seen")),
        png(SAMPLES, [2], by_zlib(6)) + b"behind the end",
    ],
)
def test_a_png_comes_back_however_zlib_compressed_it(data):
    assert data == restored(archived(data))


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_channels_that_a_picture_lacks_or_got_are_those_of_the_file(colour_type):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    gray, opaque = np.repeat(SAMPLES[:, :, :1], 3, axis=2), np.full((21, 30, 1), 255, np.uint8)
    colours = gray[:, :, :1] if channels < 3 else gray
    file = png(np.concatenate([colours, opaque][: 1 + (channels % 2 == 0)], axis=2), [4], by_zlib(6), None, colour_type)
    for picture in (Picture.from_array(gray), Picture.from_array(np.concatenate([gray, opaque], axis=2))):
        assert file == restored(archived(file, picture))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        png(SAMPLES, [0], by_zlib(6))[:-30],
        png(SAMPLES[::-1], [0], by_zlib(6)),
        png(SAMPLES, [0], lambda raw: by_zlib(6)(raw)[:-4] + b"none"),
        png(SAMPLES, [0], lambda raw: by_zlib(1)(raw)[:2] + by_zlib(9)(raw)[2:]),
        png(SAMPLES, [0], lambda raw: by_zlib(6)(raw) + b"more"),
        png(SAMPLES, [0], by_zlib(6), colour_type=3),  # without a palette
    ],
)
def test_of_a_file_that_cannot_be_made_again_there_is_a_hash(data):
    picture = archived(data)
    assert {"archive:sha256": hashlib.sha256(data).digest()} == picture.attachments
    assert None is restored(picture)


def palette_png():
    data = io.BytesIO()
    Image.fromarray(SAMPLES).quantize(5).save(data, "PNG")
    return data.getvalue()


HOSTILE = {
    "plain": png(SAMPLES, [0, 1, 2, 3, 4], by_zlib(6), [40]),
    "palette": palette_png(),
    "deep": png_bytes(SAMPLES.astype(np.uint16) * 257),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_gives_no_other_file(kind, tmp_path):
    file = HOSTILE[kind]
    (tmp_path / "a.png").write_bytes(file)
    with open_source(tmp_path / "a.png") as source:
        (picture,) = source
    whole = archived(file, picture)
    assert file == restored(whole)
    for key in ("archive:sha256", "archive:head", "archive:rest"):
        value = whole.attachments[key]
        for place in range(len(value)):
            others = (
                value[:place] + bytes([of]) + value[place + 1 :] for of in {0, 3, value[place] ^ 255} - {value[place]}
            )
            for harmed in (value[:place], *others):
                back = restored(replace(whole, attachments={**whole.attachments, key: harmed}))
                # other settings may make the same file
                assert back is None or (back == file and key == "archive:rest")
    without = {key: value for key, value in whole.attachments.items() if key != "archive:sha256"}
    assert None is restored(replace(whole, attachments=without))


DEEP = (SAMPLES.astype(np.uint16) * 250 + RNG.integers(0, 9, SAMPLES.shape)).astype(np.uint16)


def in_and_out(file, mvz):
    """What encode and verify say of a file, and its bytes as decode gives them back."""
    clip, back = file.parent / "a.mvz", file.with_stem("back")
    code, _, said = mvz("encode", file, "-o", clip, "--archive", "--force")
    assert 0 == code, said
    assert 0 == mvz("decode", clip, "-o", back, "--force")[0]
    code, out, said_by_verify = mvz("verify", clip, file)
    assert 0 == code, said_by_verify
    return said, out, back.read_bytes()


def assert_comes_back(file, mvz):
    said, out, back = in_and_out(file, mvz)
    assert f"mvz: note: {file}: 1 of 1 files can be given back byte for byte\n" in said
    assert ": 1 of 1 files come back with their SHA-256\n" in out
    assert file.read_bytes() == back


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("has_filters", [False, True])
def test_a_png_of_16_bits_comes_back(channels, has_filters, tmp_path, mvz):
    samples = np.concatenate([DEEP, DEEP[::-1, :, :1]], axis=2)[
        ..., [[0], [0, 3], [0, 1, 2], [0, 1, 2, 3]][channels - 1]
    ]
    whole = png_bytes(samples[..., 0] if channels == 1 else samples)
    if not has_filters:
        rows = np.insert(samples.astype(">u2", order="C").view(np.uint8).reshape(21, -1), 0, 0, axis=1)
        whole = whole[:33] + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(whole)
    assert_comes_back(tmp_path / "a.png", mvz)


@pytest.mark.parametrize(("colours", "is_transparent"), [(2, False), (4, True), (16, False), (200, True), (256, False)])
def test_a_png_with_a_palette_comes_back(colours, is_transparent, tmp_path, mvz):
    image = Image.fromarray(SAMPLES).quantize(colours)
    image.save(tmp_path / "a.png", **({"transparency": 1} if is_transparent else {}))
    assert_comes_back(tmp_path / "a.png", mvz)
    Image.fromarray(SAMPLES).convert("1").save(tmp_path / "b.png")
    assert_comes_back(tmp_path / "b.png", mvz)


@pytest.mark.parametrize("colour_space", ["420jpeg", "422p10", "444", "mono", "mono16", "420p12"])
def test_a_y4m_comes_back_with_its_comments_and_parameters(colour_space, tmp_path, mvz):
    size = parse_header("", f"YUV4MPEG2 W6 H4 F25:1 C{colour_space}".encode()).format.raw_bytes
    pictures = RNG.integers(0, 4, (4, size), np.uint8)
    head = f"YUV4MPEG2 W6 H4 F25:1 Ip A16:15 C{colour_space} XMADE=here\n"
    for frames in ([b"FRAME\n"] * 4, [b"FRAME Ip\n", b"FRAME\n", b"FRAME Xa\n", b"FRAME\n"]):
        data = b"".join(frame + picture.tobytes() for frame, picture in zip(frames, pictures, strict=True))
        (tmp_path / "a.y4m").write_bytes(head.encode() + data)
        assert_comes_back(tmp_path / "a.y4m", mvz)


ARRAYS = {
    "gray": DEEP[None, ..., 0],
    "one channel": SAMPLES[None, ..., :1],
    "RGB": np.stack([DEEP, DEEP[::-1]]),
    "higher byte first": np.stack([DEEP, DEEP[::-1]]).astype(">u2"),
    "opaque alpha": np.stack([np.insert(SAMPLES, 3, 255, axis=2)] * 3),
    "alpha": np.stack([np.insert(SAMPLES, 3, 7, axis=2)] * 3),
    "bool": DEEP[None] % 3 == 1,
    "float16": (DEEP[None] / 777 - 9).astype(np.float16),
    "float16, opaque": np.insert(DEEP[None] / 777 - 9, 3, 1, axis=3).astype(np.float16),
}


@pytest.mark.parametrize("samples", ARRAYS.values(), ids=ARRAYS)
def test_an_array_comes_back(samples, tmp_path, mvz):
    np.save(tmp_path / "a.npy", samples)
    with (tmp_path / "a.npy").open("ab") as file:
        file.write(b"behind it")
    assert_comes_back(tmp_path / "a.npy", mvz)


def test_tiffs_of_several_pages_and_of_16_bits_come_back(tmp_path, mvz):
    tifffile = pytest.importorskip("tifffile")
    pages = np.stack([DEEP[..., 0], DEEP[..., 1], DEEP[..., 2], *DEEP[::-1].transpose(2, 0, 1)[:2]])
    options = [{"imagej": True}, {}, {"bigtiff": True, "byteorder": ">"}, {"metadata": {"axes": "ZYX"}, "ome": True}]
    for each in options:
        tifffile.imwrite(tmp_path / "a.tif", pages, **each)
        assert_comes_back(tmp_path / "a.tif", mvz)
    images = [Image.fromarray(SAMPLES), Image.fromarray(SAMPLES[::-1])]
    images[0].save(tmp_path / "b.tif", save_all=True, append_images=images[1:])
    assert_comes_back(tmp_path / "b.tif", mvz)
    (tmp_path / "a.ppm").write_bytes(ppm_bytes(DEEP))
    assert_comes_back(tmp_path / "a.ppm", mvz)


def test_of_one_file_that_cannot_be_made_again_there_is_a_hash(tmp_path, mvz):
    images = [Image.fromarray(SAMPLES), Image.fromarray(SAMPLES[::-1])]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:])
    np.save(tmp_path / "a.npy", np.asfortranarray(np.stack([DEEP, DEEP[::-1]])))
    for name in ("a.gif", "a.npy"):
        said, out, _ = in_and_out(tmp_path / name, mvz)
        assert "0 of 1 files can be given back byte for byte; of the others a hash is kept, and the samples" in said
        assert ": 0 of 1 files come back with their SHA-256\n" in out


def y4m(count=3):
    pictures = RNG.integers(0, 255, (count, 24), np.uint8)
    return b"YUV4MPEG2 W6 H4 Cmono XHERE\n" + b"".join(b"FRAME\n" + picture.tobytes() for picture in pictures)


def test_another_target_range_or_picture_is_written_as_ever(tmp_path, mvz):
    clip = tmp_path / "a.mvz"
    (tmp_path / "a.y4m").write_bytes(y4m())
    mvz("encode", tmp_path / "a.y4m", "-o", clip, "--archive")
    assert 0 == mvz("decode", clip, "-o", tmp_path / "a.npy")[0]
    assert (3, 4, 6) == np.load(tmp_path / "a.npy").shape
    assert 0 == mvz("decode", clip, "-o", tmp_path / "b.y4m", "--pictures", "1:")[0]
    assert b"XHERE" not in (tmp_path / "b.y4m").read_bytes()
    with codec.open(clip) as video, codec.Writer(tmp_path / "b.mvz", format=video.format) as out:
        for picture in video.pictures():
            out.append(replace(picture, planes=(picture.planes[0] // 2,)))
    code, _, said = mvz("decode", tmp_path / "b.mvz", "-o", tmp_path / "c.y4m")
    assert (0, True) == (code, "b.mvz: the pictures do not give back the file that they came from\n" in said)
    with codec.open(tmp_path / "b.mvz") as video, open_source(tmp_path / "c.y4m") as source:
        assert all(a.same_samples(b) for a, b in zip(video.pictures(), source, strict=True))
    code, out, err = mvz("verify", tmp_path / "b.mvz")
    assert (1, True) == (code, "the file of all pictures does not come back with its SHA-256" in err)
    assert "0 of 1 files come back" in out


def test_a_hostile_archive_of_one_file_gives_no_other_file(tmp_path):
    (tmp_path / "a.y4m").write_bytes(y4m())
    with open_source(tmp_path / "a.y4m") as source:
        pictures = list(Archivist().archived(source, source))
    for key in ("archive:file", "archive:head", "archive:lead", "archive:rest"):
        value = pictures[0].attachments[key]
        for place in range(len(value)):
            for harmed in (value[:place], value[:place] + bytes([value[place] ^ 255]) + value[place + 1 :]):
                changed = [replace(each, attachments={**each.attachments, key: harmed}) for each in pictures]
                whole = WholeFile.of(changed[0])
                if whole is not None:
                    made = b"".join(map(whole.part, changed))
                    assert not whole.is_right or made == (tmp_path / "a.y4m").read_bytes()


def test_an_archive_takes_little(tmp_path, mvz):
    (tmp_path / "a.y4m").write_bytes(y4m(40))
    sizes = []
    for options in ((), ("--archive",)):
        mvz("encode", tmp_path / "a.y4m", "-o", tmp_path / "a.mvz", "--force", *options)
        sizes.append((tmp_path / "a.mvz").stat().st_size)
    assert sizes[0] < sizes[1] < sizes[0] + 300


@pytest.fixture
def folder(tmp_path):
    """Picture files of many kinds, of which one cannot be made again."""
    image = Image.fromarray(SAMPLES)
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.ppm", "c.bmp", "d.tif", "e.jpg"):
        image.save(tmp_path / "in" / name)
    image.save(tmp_path / "in" / "f.png", compress_level=1, dpi=(300, 300))
    (tmp_path / "in" / "g.png").write_bytes(png(SAMPLES, [4], by_zlib(9)))
    return tmp_path / "in"


def test_files_come_back_byte_for_byte_and_are_verified(folder, tmp_path, mvz):
    clip, back = tmp_path / "a.mvz", tmp_path / "out"
    code, _, said = mvz("encode", folder, "-o", clip, "--archive")
    assert 0 == code
    note = "6 of 7 files can be given back byte for byte; of the others a hash is kept, and the samples"
    assert f"mvz: note: {folder}: {note}\n" in said
    code, out, _ = mvz("verify", clip, folder)
    assert (0, True) == (code, f"{clip}: 6 of 7 files come back with their SHA-256\n" in out)
    code, _, said = mvz("decode", clip, "-o", back)
    assert (0, True) == (code, f"{back}: 1 of 7 files are not byte for byte those of the archive\n" in said)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".jpg"}
    after = {path.name: path.read_bytes() for path in back.iterdir()}
    assert (["e.png"], before) == (sorted(after.keys() - before.keys()), {name: after[name] for name in before})
    found = json.loads(mvz("verify", clip, "--json")[1])
    assert (7, 6) == (found["archived"], found["restorable"])


def test_verify_says_when_a_file_no_longer_comes_back(folder, tmp_path, mvz):
    with codec.Writer(tmp_path / "a.mvz", (30, 21)) as out:
        whole = archived((folder / "g.png").read_bytes())
        out.append(whole)
        out.append(replace(whole, attachments={**whole.attachments, "archive:sha256": bytes(32)}))
    code, out, err = mvz("verify", tmp_path / "a.mvz")
    assert (1, True) == (code, "the file of picture 1 does not come back with its SHA-256" in err)
    assert "1 of 2 files come back" in out


@pytest.mark.parametrize(
    "options", [{"qp": 20}, {"step": 2}, {"max_error": 1}, {"alpha": "clear"}, {"background": "white"}]
)
def test_an_archive_needs_exact_pictures(options, folder, tmp_path):
    with pytest.raises(ConfigError, match="archive is for lossless and float16"):
        codec.encode(folder, tmp_path / "a.mvz", codec.Settings(**options), archive=True)


def test_an_archive_of_no_picture_files_is_said_to_be_none(tmp_path):
    summary = codec.encode(SAMPLES[None], tmp_path / "a.mvz", archive=True)
    assert ("array: no archive, as there are no files",) == summary.notes
