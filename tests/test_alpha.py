"""Alpha: what is kept, cleared, dropped and laid over a colour, by the library and by every command."""

import io
import json
import struct
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from mutations import Parts
from PIL import Image
from test_hostile import with_header

import codec
from codec import ConfigError, MediaError
from codec.bitstream.schema import StreamId
from codec.picture.alpha import over_chequers
from codec.picture.colour import to_array
from codec.picture.planes import Picture
from codec.picture.sources import open_source

WAYS = [
    {"motion": "mesh"},
    {"speed": "fast", "run": 1},
    {"max_error": 3},
    {"residual": "int8", "step": 9},
    {"residual": "int8"},
    {"residual": "uint8", "step": 255, "motion": "none"},
    {"residual": "float16", "gop": 1},
    {"residual": "dct", "qp": 30},
    {"residual": "dct", "qp": 40, "speed": "slow", "motion": "mesh", "gop": 3, "run": 2, "alpha": "clear"},
    {"residual": "dct", "qp": 0, "speed": "fast", "motion": "none"},
]
ALPHAS = ("soft", "binary", "opaque", "clear", "noise")
QUICK = codec.Settings("float16", "none")


def alpha_of(kind, time, height=24, width=30):
    """Alpha of a moving disc, or of nothing that moves, uint8 (height, width)."""
    y, x = np.mgrid[0:height, 0:width]
    inside = 8.3 - np.hypot(y - 10 - time, x - 9 - 2 * time)
    return {
        "soft": np.clip(60 * inside, 0, 255),
        "binary": 255 * (inside > 0),
        "opaque": np.full((height, width), 255),
        "clear": np.zeros((height, width)),
        "noise": np.random.default_rng(time).integers(0, 256, (height, width)),
    }[kind].astype(np.uint8)


def sequence(moving, mode, kind, count=4):
    """Moving pictures of ``rgba`` or ``gray_alpha``, uint8 (count, 24, 30, channels)."""
    colours = moving({"rgba": "rgb", "gray_alpha": "gray"}[mode], 30, 24, count)
    return np.stack([np.dstack([to_array(of), alpha_of(kind, time)]) for time, of in enumerate(colours)])


def save_all(folder, pictures):
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def frames(tmp_path, moving):
    """A folder of RGBA pictures that are soft at their edge."""
    return save_all(tmp_path / "frames", sequence(moving, "rgba", "soft"))


# ------------------------------------------------------------------------------------------- what a file keeps


@pytest.mark.parametrize("mode", ["rgba", "gray_alpha"])
@pytest.mark.parametrize("kind", ALPHAS)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_alpha_comes_back_exactly_whatever_codes_it(tmp_path, moving, mode, kind, way):
    pictures = sequence(moving, mode, kind)
    codec.encode(iter(pictures), tmp_path / "a.mvz", codec.Settings(**way))
    decoded = codec.decode(tmp_path / "a.mvz")
    assert decoded.shape == pictures.shape
    np.testing.assert_array_equal(pictures[..., -1], decoded[..., -1])
    colour_error = np.abs(pictures[..., :-1].astype(int) - decoded[..., :-1]).max()
    most = way.get("max_error", 0 if way.get("residual", "lossless") in ("lossless", "float16") else 255)
    with codec.open(tmp_path / "a.mvz") as video:
        for number in (3, 1, 2):
            np.testing.assert_array_equal(decoded[number], video[number])
    assert colour_error <= most
    if "max_error" in way:
        assert colour_error > 0


@pytest.mark.parametrize("way", [{"qp": 24}, {"qp": 24, "speed": "slow"}, {"qp": 24, "motion": "mesh"}], ids=str)
@pytest.mark.parametrize("run", [1, 3, None])
def test_alpha_that_halts_and_comes_back_is_exact_beside_dct_and_takes_little(tmp_path, moving, way, run):
    pictures = sequence(moving, "rgba", "soft", 8)
    for time, (kind, when) in enumerate(
        [("clear", 0), ("soft", 0), ("soft", 0), ("soft", 1), ("soft", 1), ("opaque", 0), ("opaque", 0), ("soft", 0)]
    ):
        pictures[time, ..., 3] = alpha_of(kind, when)
    settings = codec.Settings(run=run, scene_cut=False, **way)
    codec.encode(pictures, tmp_path / "a.mvz", settings)
    np.testing.assert_array_equal(pictures[..., 3], codec.decode(tmp_path / "a.mvz")[..., 3])
    with codec.open(tmp_path / "a.mvz") as video:
        assert [video[number][..., 3].mean() for number in (7, 5, 0)] == [
            pictures[number, ..., 3].mean() for number in (7, 5, 0)
        ]
        still = [picture.bytes["alpha"] for picture in video.info.pictures]
    if run == 1:
        assert [number for number, size in enumerate(still) if size == 0] == [2, 4, 6]


@pytest.mark.parametrize("way", [{}, {"max_error": 5}, {"qp": 28}], ids=str)
@pytest.mark.parametrize("kind", ["soft", "noise"])
@pytest.mark.parametrize("error", [1, 2, 30, 127])
def test_alpha_is_off_by_no_more_than_asked_and_what_is_opaque_or_transparent_stays(tmp_path, moving, way, kind, error):
    pictures = sequence(moving, "rgba", kind)
    exact = codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(**way))
    nearly = codec.encode(pictures, tmp_path / "b.mvz", codec.Settings(alpha_error=error, **way))
    assert nearly.file_bytes < exact.file_bytes or error < 30
    assert nearly.notes == (f"array: alpha is off by up to {error}",)
    alpha, decoded = pictures[..., 3].astype(int), codec.decode(tmp_path / "b.mvz")[..., 3]
    assert 0 < np.abs(alpha - decoded).max() <= error
    for extreme in (0, 255):
        assert (decoded[alpha == extreme] == extreme).all()


def test_dct_fills_what_nobody_sees_with_what_costs_little(tmp_path, moving):
    pictures = sequence(moving, "rgba", "binary", 8).repeat(6, axis=1).repeat(6, axis=2)
    pictures[..., :3] = np.random.default_rng(1).integers(0, 256, pictures[..., :3].shape)
    pictures[pictures[..., 3] == 255] = (90, 120, 150, 255)
    whole = codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(qp=20)).file_bytes
    clear = codec.encode(pictures, tmp_path / "b.mvz", codec.Settings(qp=20, alpha="clear")).file_bytes
    assert clear < whole / 10
    decoded = codec.decode(tmp_path / "b.mvz")
    seen = pictures[..., 3] > 0
    assert np.abs(pictures[seen].astype(int) - decoded[seen]).max() < 12
    np.testing.assert_array_equal(pictures[..., 3], decoded[..., 3])


@pytest.mark.parametrize(("mode", "colour"), [("rgba", "#Ff8000"), ("rgba", "#f80"), ("gray_alpha", "gray")])
def test_a_background_is_mixed_to_the_nearest_whole_number(tmp_path, moving, mode, colour):
    pictures = sequence(moving, mode, "noise", 1)
    parts = {"#Ff8000": (255, 128, 0), "#f80": (255, 136, 0), "gray": (128,)}[colour]
    summary = codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(background=colour))
    assert summary.notes == (f"array: pixels that are not opaque are laid over {colour}",)
    decoded = codec.decode(tmp_path / "a.mvz")[0].reshape(24, 30, -1)
    for (y, x, channel), found in np.ndenumerate(decoded):
        part = Fraction(int(pictures[0, y, x, -1]), 255)
        exact = part * int(pictures[0, y, x, channel]) + (1 - part) * parts[channel]
        assert abs(exact - int(found)) <= Fraction(1, 2)


# ------------------------------------------------------------------------------------------- alpha that says nothing


@pytest.mark.parametrize("source", ["folder", "list", "array", "npy", "images"])
@pytest.mark.parametrize("mode", ["rgba", "gray_alpha"])
def test_alpha_is_left_out_only_where_all_pictures_are_opaque(tmp_path, moving, mode, source):
    for number, last in enumerate((255, 254)):
        pictures = sequence(moving, mode, "opaque")
        pictures[-1, 3, 4, -1] = last
        spec = pictures
        if source == "folder":
            spec = save_all(tmp_path / f"{number}", pictures)
        elif source == "npy":
            spec = tmp_path / f"{number}.npy"
            np.save(spec, pictures)
        elif source != "array":
            spec = [Image.fromarray(of) if source == "images" else of for of in pictures]
        codec.encode(spec, tmp_path / f"{number}.mvz", QUICK)
        expected = pictures if number else pictures[..., :-1]
        np.testing.assert_array_equal(
            expected if expected.shape[-1] > 1 else expected[..., 0], codec.decode(tmp_path / f"{number}.mvz")
        )


def test_the_first_picture_of_an_iterator_says_whether_there_is_alpha(tmp_path, moving):
    pictures = sequence(moving, "rgba", "opaque")
    codec.encode(iter(pictures), tmp_path / "a.mvz", QUICK)
    assert codec.decode(tmp_path / "a.mvz").shape[-1] == 4
    codec.encode(iter([pictures[0, ..., :3], *pictures[1:]]), tmp_path / "b.mvz", QUICK)
    np.testing.assert_array_equal(pictures[..., :3], codec.decode(tmp_path / "b.mvz"))
    codec.encode(iter([pictures[0], *pictures[1:, ..., :3]]), tmp_path / "c.mvz", QUICK)
    np.testing.assert_array_equal(pictures, codec.decode(tmp_path / "c.mvz"))
    pictures[2, 0, 0, 3] = 0
    with pytest.raises(MediaError, match=r"picture 2 has transparent pixels.*--background white"):
        codec.encode(iter([pictures[0, ..., :3], *pictures[1:]]), tmp_path / "d.mvz", QUICK)
    assert not (tmp_path / "d.mvz").exists()
    laid = replace(QUICK, background="white")
    codec.encode(iter([pictures[0, ..., :3], *pictures[1:]]), tmp_path / "d.mvz", laid)
    assert codec.decode(tmp_path / "d.mvz")[2, 0, 0].tolist() == [255, 255, 255]


def test_pictures_with_and_without_alpha_and_gray_ones_become_one_sequence(tmp_path, frames, moving):
    rgb, gray = samples_of(moving, "rgb"), samples_of(moving, "gray")
    Image.fromarray(rgb).save(frames / "8.png")
    Image.fromarray(np.dstack([gray, alpha_of("soft", 0)])).save(frames / "9.png")
    for number in range(4, 8):
        Image.fromarray(gray).save(frames / f"{number}.png")
    summary = codec.encode(frames, tmp_path / "a.mvz", QUICK)
    decoded = codec.decode(tmp_path / "a.mvz")
    np.testing.assert_array_equal(np.dstack([rgb, alpha_of("opaque", 0)]), decoded[8])
    np.testing.assert_array_equal(np.dstack([gray] * 3 + [alpha_of("soft", 0)]), decoded[9])
    assert summary.notes == (
        f"{frames}: gray pictures among RGB, 5 such as 4.png, are read as RGB",
        f"{frames}: pictures without alpha among others, 5 such as 4.png, are read as opaque",
    )


def samples_of(moving, mode):
    return to_array(moving(mode, 30, 24, 1)[0])


# ------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("words", [["--alpha", "drop"], ["-q", "30", "--alpha", "drop"]])
def test_transparent_pixels_are_refused_by_name_before_anything_is_coded(tmp_path, frames, mvz, words):
    code, _, err = mvz("encode", frames, "-o", tmp_path / "x.mvz", *words)
    assert code == 1
    assert err == (
        f"mvz: {frames / '0.png'}: has transparent pixels, and alpha is not kept here; "
        "--background white lays pictures over white\n"
    )
    assert not (tmp_path / "x.mvz").exists()
    assert mvz("encode", frames, "-o", tmp_path / "x.mvz", "--background", "white", *words)[0] == 0
    assert codec.decode(tmp_path / "x.mvz").shape[-1] == 3


def test_a_coloured_background_is_refused_for_gray_pictures(tmp_path, moving):
    with pytest.raises(ConfigError, match="background is black, gray or white for gray pictures"):
        codec.encode(sequence(moving, "gray_alpha", "soft"), tmp_path / "a.mvz", codec.Settings(background="#ff0000"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("settings", [codec.Settings(alpha="drop"), codec.Settings(qp=30, background="white")])
def test_a_writer_of_alpha_needs_settings_that_keep_it(tmp_path, settings):
    with pytest.raises(ConfigError, match="alpha is not kept with these settings, and rgba has some"):
        codec.Writer(tmp_path / "a.mvz", (8, 8), "rgba", settings)


def test_an_alpha_error_of_half_the_range_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="alpha_error is at most 127 for 8 bits, not 128"):
        codec.Writer(tmp_path / "a.mvz", (8, 8), "rgba", codec.Settings(alpha_error=128))


def test_a_writer_adds_alpha_and_leaves_it_out_as_its_file_has_it(tmp_path, moving):
    pictures = sequence(moving, "gray_alpha", "soft", 2)
    with codec.Writer(tmp_path / "a.mvz", (30, 24), "gray_alpha") as out:
        out.append(pictures[0])
        out.append(Image.fromarray(pictures[1, ..., 0]))
        with pytest.raises(ConfigError, match="picture 2 is 30×24 rgba; the file's are 30×24 gray_alpha"):
            out.append(np.zeros((24, 30, 4), np.uint8))
    pictures[1, ..., 1] = 255
    np.testing.assert_array_equal(pictures, codec.decode(tmp_path / "a.mvz"))
    with codec.Writer(tmp_path / "b.mvz", (30, 24), "gray") as out:
        with pytest.raises(MediaError, match="picture 0 has transparent pixels"):
            out.append(pictures[0])
        out.append(pictures[1])
    np.testing.assert_array_equal(pictures[1:, ..., 0], codec.decode(tmp_path / "b.mvz"))


def test_a_hostile_header_of_alpha_is_refused(tmp_path, moving):
    path = tmp_path / "a.mvz"

    def refused(data, says):
        path.write_bytes(data)
        with pytest.raises(codec.BitstreamError, match=says), codec.open(path) as video:
            list(video.pictures())

    codec.encode(sequence(moving, "rgba", "binary", 2), path)
    data = path.read_bytes()
    refused(with_header(data, sample_format=7), "sample_format is 7")
    refused(with_header(data, sample_format=1), "coded_format is rgba of rgb")
    refused(with_header(data, residual_coder=4), "coded_format is rgba of rgba")
    refused(with_header(data, residual_coder=4, coded_format=2), ".")
    refused(with_header(data, sample_format=5, coded_format=5), ".")  # fewer planes than the pictures say
    refused(with_header(data, sample_format=4, coded_format=4), "references is 4")
    for flags in (32, 64, 128):
        parts = Parts.of(data)
        parts.pictures()[0].head[14] += flags  # first_picture 4, count 2, references 1, checksum 4, sets of G, R', B'
        refused(parts.build(), "predictor_set_counts")


def test_hostile_alpha_beside_dct_is_refused(tmp_path, moving):
    pictures = sequence(moving, "rgba", "noise", 3)  # has no map
    pictures[2, ..., 3] = pictures[1, ..., 3]
    codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(qp=30))
    data = (tmp_path / "a.mvz").read_bytes()

    def refused(says, change=None, counts=()):
        """``change`` is done to the streams, ``counts`` to the three pictures."""
        parts = Parts.of(data)
        (run,) = parts.pictures()
        streams = dict(run.streams)
        if change:
            change(streams)
        run.streams[:] = sorted(streams.items())
        for number, count in counts:  # behind references, checksum, two qps but where they are the same
            run.head[(13, 21, 27)[number]] = count
        with pytest.raises(codec.BitstreamError, match=says), codec.open(io.BytesIO(parts.build())) as video:
            list(video.pictures())

    assert Parts.of(data).pictures()[0].head[27] == 255
    refused("predictor_set_counts is 33", counts=[(1, 33)])
    refused("predictor_set_counts is 254", counts=[(2, 254)])
    refused("alpha of an I picture is not coded, and there is no value map", counts=[(0, 255)])
    refused("zstd", counts=[(1, 255)])  # streams of one picture where they are of two
    refused("where the headers imply", lambda streams: streams.pop(StreamId.ALPHA_SETS))
    refused("where the headers imply", counts=[(0, 255), (1, 255)])
    refused("where the headers imply", lambda streams: streams.update({StreamId.VALUE_MAPS: b"\0"}))
    refused("where the headers imply", lambda streams: streams.update({StreamId.ALPHA_BITS: b""}))
    refused("a stream ends too early", lambda streams: streams.update({StreamId.ALPHA_MAP: b"\1"}))
    refused("a map of 257 values", lambda streams: streams.update({StreamId.ALPHA_MAP: b"\x81\2"}))
    # the map is another one, so alpha is, and the checksums notice
    refused("CRC-32", lambda streams: streams.update({StreamId.ALPHA_MAP: b"\1\1\5\1\0"}))
    refused(".", counts=[(0, 0)])


# ------------------------------------------------------------------------------------------- in and out


@pytest.mark.parametrize("target", ["folder", "%d.png", "%d.tif", "a.apng", "a.webp", "a.npy"])
@pytest.mark.parametrize("mode", ["rgba", "gray_alpha"])
def test_what_keeps_alpha_gives_every_sample_back(tmp_path, moving, mvz, mode, target):
    pictures = sequence(moving, mode, "soft")
    codec.encode(pictures, tmp_path / "a.mvz", QUICK)
    assert mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target)[0] == 0
    with open_source(tmp_path / target) as source:
        back = np.stack([to_array(picture) for picture in source])
    if (mode, target) == ("gray_alpha", "a.webp"):  # has no gray
        pictures = pictures[..., [0, 0, 0, 1]]
    np.testing.assert_array_equal(pictures, back)


@pytest.mark.parametrize("target", ["a.gif", "a.y4m", "-", "%d.bmp", "%d.ppm", "a.bmp"])
def test_what_cannot_keep_alpha_says_so_and_takes_a_background(tmp_path, moving, mvz, target):
    codec.encode(sequence(moving, "rgba", "soft", 1), tmp_path / "a.mvz", QUICK)
    path = target if target == "-" else tmp_path / target
    code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", path)
    assert code == 1
    assert "pictures have alpha, which ." in err
    assert "--background white lays pictures over white" in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mvz"]
    if target != "-":
        assert mvz("decode", tmp_path / "a.mvz", "-o", path, "--background", "#204060")[0] == 0


def test_a_tiff_whose_colours_are_multiplied_by_alpha_says_that_they_are_rounded(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((4, 4, 4), (50, 100, 25, 128), np.uint8)).save(path)
    extra_samples = struct.pack("<HHI", 338, 3, 1)  # one SHORT: 2 is plain alpha, 1 what is multiplied
    assert extra_samples + b"\2" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(extra_samples + b"\2", extra_samples + b"\1"))
    with open_source(path) as source:
        (picture,) = source
        said = "its colours are multiplied by alpha; they are divided by it again, which rounds them"
        assert source.notes == [f"{path}: {said}"]
    assert [int(plane[0, 0]) for plane in picture.planes] == [99, 199, 49, 128]


# ------------------------------------------------------------------------------------------- commands


def test_verify_and_compare_know_alpha(tmp_path, frames, mvz):
    exact, near, laid = (tmp_path / f"{name}.mvz" for name in ("exact", "near", "laid"))
    codec.encode(frames, exact)
    codec.encode(frames, near, codec.Settings(max_error=2))
    codec.encode(frames, laid, codec.Settings(background="white"))
    assert mvz("verify", exact, frames)[0] == mvz("verify", near, frames)[0] == 0
    assert mvz("verify", laid, frames, "--background", "white")[0] == 0
    code, _, err = mvz("verify", laid, frames)
    assert (code, "has transparent pixels, and the other has no alpha" in err) == (1, True)
    assert "alpha counted as the other planes" in mvz("compare", frames, near, "--no-ssim")[1]
    whole = json.loads(mvz("compare", frames, near, "--no-ssim", "--json")[1])
    assert (list(whole["planes"]), whole["planes"]["A"]["identical"]) == (["R", "G", "B", "A"], True)


def test_alpha_that_is_255_everywhere_compares_as_none(tmp_path, moving, mvz):
    pictures = sequence(moving, "rgba", "opaque")
    codec.encode(iter(pictures), tmp_path / "a.mvz")
    codec.encode(pictures[..., :3], tmp_path / "b.mvz")
    assert mvz("compare", tmp_path / "a.mvz", tmp_path / "b.mvz")[0] == 0
    assert mvz("compare", tmp_path / "b.mvz", tmp_path / "a.mvz")[0] == 0


@pytest.mark.parametrize("mode", ["rgba", "gray_alpha"])
@pytest.mark.parametrize("way", [{}, {"residual": "int8", "step": 8, "motion": "mesh"}, {"qp": 30}], ids=str)
def test_every_other_command_takes_a_file_with_alpha(tmp_path, moving, mvz, mode, way):
    coded = tmp_path / "a.mvz"
    codec.encode(sequence(moving, mode, "soft"), coded, codec.Settings(**way))
    code, out, _ = mvz("info", coded)
    assert (code, f"30×24 {mode}" in out) == (0, True)
    assert mvz("plot", coded, "-o", tmp_path / "drawn", "--quiet", "--pictures", "1")[0] == 0
    assert mvz("inspect", coded, "-o", tmp_path / "page.html", "--quiet")[0] == 0
    assert '"hasAlpha":true' in (tmp_path / "page.html").read_text()


def test_a_report_has_every_coder_and_says_what_alpha_takes(tmp_path, frames, mvz):
    page, listed = tmp_path / "page.html", tmp_path / "points.json"
    words = ("--motion", "none", "--step", "8", "--points", "2", "--json", listed)
    assert mvz("report", frames, "-o", page, *words, "--residual", "int8,lossless,dct")[0] == 0
    alpha = {point["residual"]: point["bytes"]["alpha"] for point in json.loads(listed.read_text())["points"]}
    assert (alpha.pop("dct") > 0, alpha) == (True, {"int8": 0, "lossless": 0})
    assert "Alpha counts in MSE and PSNR" in page.read_text()


def test_what_cells_take_of_alpha_beside_dct_adds_up_to_its_bytes(tmp_path, moving):
    pictures = sequence(moving, "rgba", "soft")
    pictures[2, ..., 3] = pictures[1, ..., 3]
    codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(qp=30))
    with codec.open(tmp_path / "a.mvz") as video:
        seen, taken = list(video.inspections()), video.info.bytes["alpha"]
        assert sum(of.cell_bits["alpha"].sum() for of in seen) == pytest.approx(8 * taken)
        for of, picture in zip(seen, pictures, strict=True):
            np.testing.assert_array_equal(picture[..., 3], of.picture.planes[3])
        for of, before in zip(seen[1:], pictures, strict=False):
            np.testing.assert_array_equal(before[..., 3], of.references[0].planes[3])
        # of its prediction alpha has moved, and is right where nothing had to be coded
        errors = [np.abs(of.predictions[0].planes[3].astype(int) - of.picture.planes[3]).mean() for of in seen]
    assert (errors[0], errors[2]) == (0, 0)
    assert errors[1] > 0


@pytest.mark.parametrize("mode", ["rgba", "gray_alpha"])
def test_clear_makes_the_colour_of_what_nobody_sees_0_and_says_so(tmp_path, moving, mode):
    pictures = sequence(moving, mode, "soft")
    whole = codec.encode(pictures, tmp_path / "a.mvz")
    clear = codec.encode(pictures, tmp_path / "b.mvz", codec.Settings(alpha="clear"))
    assert clear.file_bytes < whole.file_bytes
    assert clear.notes == ("array: the colour of pixels that are fully transparent is left out",)
    np.testing.assert_array_equal(np.where(pictures[..., -1:] > 0, pictures, 0), codec.decode(tmp_path / "b.mvz"))
    np.testing.assert_array_equal(pictures, codec.decode(tmp_path / "a.mvz"))


def test_squares_show_through_and_opaque_pixels_stay(moving):
    pictures = sequence(moving, "rgba", "binary", 1)
    seen = to_array(over_chequers(Picture.from_array(pictures[0])))
    opaque = pictures[0, ..., 3] == 255
    np.testing.assert_array_equal(pictures[0][opaque][:, :3], seen[opaque])
    assert set(np.unique(seen[~opaque])) == {153, 204}
