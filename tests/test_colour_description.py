"""What a file says about its colours: matrix, primaries, transfer and range, told, read from files and given back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from animation_files import chunk
from media_files import write

import codec
from codec.errors import ConfigError
from codec.picture.attachments import of_png
from codec.picture.planes import (
    Colour,
    ColourMatrix,
    ColourPrimaries,
    ColourRange,
    ColourTransfer,
    Picture,
    PictureFormat,
    SampleFormat,
)
from codec.picture.sources import open_source

HDR = Colour(ColourMatrix.BT2020, ColourRange.LIMITED, primaries=ColourPrimaries.BT2020, transfer=ColourTransfer.PQ)


def yuv(colour=HDR):
    planes = tuple(np.full(shape, 90, np.uint8) for shape in ((4, 6), (2, 3), (2, 3)))
    return Picture(PictureFormat(6, 4, SampleFormat.YUV420, colour), planes)


def colour_of(path):
    with open_source(path) as source:
        return source.format.colour


@pytest.mark.parametrize("member", [*ColourMatrix, *ColourPrimaries, *ColourTransfer, *ColourRange], ids=repr)
def test_every_code_comes_back_from_a_file_and_is_named_in_words(member, tmp_path, mvz):
    field = type(member).__name__.removeprefix("Colour").lower()
    colour = Colour(**{field: member})
    codec.encode([yuv(colour)], tmp_path / "a.mvz")
    with codec.open(tmp_path / "a.mvz") as video:
        assert colour == video.format.colour == video.picture(0).format.colour
    code, out, _ = mvz("info", tmp_path / "a.mvz")
    name = member.name.lower()
    assert (0, name != "unspecified") == (code, f"\ncolour: {name} {field}\n" in out)
    assert name == json.loads(mvz("info", tmp_path / "a.mvz", "--json")[1])["colour"][field]


@pytest.mark.parametrize("words", [("bt2020", "bt2020", "pq", "limited"), ("9", "9", "16", "LIMITED")])
def test_options_say_what_a_source_cannot(words, tmp_path, mvz):
    write(tmp_path / "a.y4m", [yuv(Colour(range=ColourRange.FULL))])
    options = zip(("--matrix", "--primaries", "--transfer", "--range"), words, strict=True)
    said = [word for pair in options for word in pair]
    code, _, err = mvz("encode", tmp_path / "a.y4m", "-o", tmp_path / "a.mvz", *said)
    assert 0 == code, err
    with codec.open(tmp_path / "a.mvz") as video:
        assert replace(HDR, siting=video.format.colour.siting) == video.format.colour
    assert "colour: bt2020 matrix, bt2020 primaries, pq transfer, limited range\n" in mvz("info", tmp_path / "a.mvz")[1]
    # the rest of what the source says stays
    codec.encode(tmp_path / "a.y4m", tmp_path / "b.mvz", colour={"matrix": 1})
    with codec.open(tmp_path / "b.mvz") as video:
        assert (ColourMatrix.BT709, ColourRange.FULL) == (video.format.colour.matrix, video.format.colour.range)


@pytest.mark.parametrize(
    ("option", "word", "says"),
    [
        ("--matrix", "bt2021", "mvz: --matrix is one of bt709, "),
        ("--primaries", "3", "mvz: --primaries is one of "),
        ("--transfer", "0", "mvz: --transfer is one of "),
        ("--range", "1", "mvz: --range is one of unspecified, limited, full, not '1'"),
    ],
)
def test_what_is_no_colour_is_wrong_use(option, word, says, tmp_path, mvz):
    write(tmp_path / "a.y4m", [yuv()])
    code, _, err = mvz("encode", tmp_path / "a.y4m", "-o", tmp_path / "a.mvz", option, word)
    assert (2, True) == (code, err.startswith(says))


def test_a_matrix_is_for_pictures_that_were_made_with_one(tmp_path):
    for channels, label in ((1, "gray"), (3, "rgb")):
        pictures = np.zeros((1, 4, 6, channels), np.uint8)
        with pytest.raises(ConfigError, match=f"matrix is for Y'CbCr pictures; these are {label}"):
            codec.encode(pictures, tmp_path / "a.mvz", colour={"matrix": "bt709"}, force=True)
        codec.encode(pictures, tmp_path / "a.mvz", colour={"transfer": "linear"}, force=True)
    with pytest.raises(ConfigError, match="colour has matrix, primaries, transfer, range, not 'siting'"):
        codec.encode(pictures, tmp_path / "a.mvz", colour={"siting": "left"}, force=True)


def test_png_gets_and_gives_a_cicp_chunk(tmp_path):
    for name in ("a.png", "a.apng"):
        assert [] == write(tmp_path / name, [yuv()]).notes
        with (tmp_path / name).open("rb") as file:
            assert {"png:cICP": bytes([9, 16, 0, 1])} == of_png(file)
        assert replace(HDR, matrix=ColourMatrix.UNSPECIFIED, range=ColourRange.FULL) == colour_of(tmp_path / name)
    codec.encode(tmp_path / "a.png", tmp_path / "a.mvz", codec.Settings(residual="dct"))
    codec.encode(tmp_path / "a.mvz", tmp_path / "b.mvz")
    with codec.open(tmp_path / "b.mvz") as video:
        assert colour_of(tmp_path / "a.png") == video.format.colour


@pytest.mark.parametrize("codes", [b"", bytes(3), bytes([0, 16, 0, 1]), bytes([9, 99, 0, 1])])
def test_a_cicp_chunk_that_nobody_knows_says_nothing(codes, tmp_path):
    png = tmp_path / "a.png"
    write(png, [yuv(Colour())])
    data = png.read_bytes()
    png.write_bytes(data[:33] + chunk(b"cICP", codes) + data[33:])
    assert Colour() == colour_of(png)


def test_y4m_keeps_the_range_and_says_what_it_cannot_keep(tmp_path):
    said = f"{tmp_path / 'a.y4m'}: has no place for what came with the pictures: colour description"
    assert [said] == write(tmp_path / "a.y4m", [yuv()]).notes
    assert Colour(range=ColourRange.LIMITED) == replace(colour_of(tmp_path / "a.y4m"), siting=Colour().siting)
    assert [] == write(tmp_path / "b.y4m", [yuv(Colour(range=ColourRange.FULL))]).notes
