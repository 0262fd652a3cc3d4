"""Pictures of float16: bit for bit from arrays and files to arrays and files, and what is refused of them."""

import json

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from test_hostile import with_header

import codec
from codec import ConfigError, MediaError
from codec.picture.colour import eight_bits, to_array
from codec.picture.planes import ONE, Picture, PictureFormat, of_ordered, ordered

EVERY = np.arange(65536, dtype=np.uint16)  # bits of all numbers
SHAPES = [(24, 30), (24, 30, 1), (24, 30, 3), (24, 30, 2), (24, 30, 4)]


def light(moving, shape, count=4):
    """Moving pictures as light, some of it negative, float16 (count, *shape)."""
    pictures = np.stack([to_array(of) for of in moving("rgb", 30, 24, count)]) / 255.0
    channels = shape[2] if len(shape) == 3 else 1
    samples = (8 * pictures**2.2 - 0.2)[..., [0, 1, 2, 0][:channels]].astype(np.float16)
    if channels in (2, 4):
        samples[..., -1] = np.linspace(0, 1, 30)
    return samples.reshape(count, *shape)


def same_bits(expected, found):
    assert (np.float16, expected.shape) == (found.dtype, found.shape)
    np.testing.assert_array_equal(expected.view(np.uint16), found.view(np.uint16))


def test_places_are_in_the_order_of_numbers_and_each_number_has_one():
    places = ordered(EVERY.view(np.float16))
    assert sorted(places.tolist()) == EVERY.tolist()
    np.testing.assert_array_equal(EVERY, of_ordered(places).view(np.uint16))
    np.testing.assert_array_equal(places, ordered(EVERY.view(np.float16).astype(">f2")))
    in_order = of_ordered(EVERY)
    real = in_order[~np.isnan(in_order)].astype(np.float64)
    assert (np.diff(real) >= 0).all()
    assert np.signbit(in_order[0x7FFF])
    assert in_order[0x7FFF] == in_order[0x8000] == 0
    assert in_order[ONE] == 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("way", [{}, {"motion": "mesh", "speed": "slow"}, {"motion": "none", "run": 1}], ids=str)
def test_arrays_come_back_bit_for_bit(tmp_path, moving, shape, way):
    pictures = light(moving, shape)
    pictures[0].reshape(-1)[:5] = np.array([0x8000, 0x7C01, 0xFFFF, 0xFC00, 0x0001], np.uint16).view(np.float16)
    codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(**way))
    expected = pictures[..., 0] if shape[2:] == (1,) else pictures
    same_bits(expected, codec.decode(tmp_path / "a.mvz"))
    with codec.open(tmp_path / "a.mvz") as video:
        assert (video.format.is_float, video.format.array_dtype) == (True, np.float16)
        for number in (3, 0, 2):
            same_bits(expected[number], video[number])
        for before, after in zip(expected, video, strict=True):
            same_bits(before, after)


def test_alpha_of_1_is_opaque_and_left_out(tmp_path, moving):
    pictures = light(moving, (24, 30, 4))
    pictures[..., 3] = 1
    codec.encode(pictures, tmp_path / "a.mvz")
    same_bits(np.ascontiguousarray(pictures[..., :3]), codec.decode(tmp_path / "a.mvz"))
    pictures[2, 0, 0, 3] = 1.001
    codec.encode(pictures, tmp_path / "b.mvz")
    same_bits(pictures, codec.decode(tmp_path / "b.mvz"))
    with codec.Writer(tmp_path / "c.mvz", format=PictureFormat(30, 24, "rgba", bit_depth=16, is_float=True)) as out:
        out.append(np.ascontiguousarray(pictures[0, ..., :3]))
    assert (codec.decode(tmp_path / "c.mvz")[..., 3] == 1).all()


# ------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("shape", SHAPES[:1] + SHAPES[2:], ids=str)
@pytest.mark.parametrize("target", ["a.npy", "a.tif", "folder", "%d.tif"])
def test_files_come_back_bit_for_bit(tmp_path, moving, mvz, shape, target):
    if target != "a.npy":
        pytest.importorskip("tifffile")
    pictures = light(moving, shape)
    np.save(tmp_path / "in.npy", pictures)
    assert mvz("encode", tmp_path / "in.npy", "-o", tmp_path / "a.mvz")[0] == 0
    assert mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target)[0] == 0
    assert mvz("encode", tmp_path / target, "-o", tmp_path / "b.mvz")[0] == 0
    same_bits(pictures, codec.decode(tmp_path / "b.mvz"))
    assert mvz("verify", tmp_path / "b.mvz", tmp_path / "in.npy")[0] == 0
    if target == "a.npy":
        assert (tmp_path / "in.npy").read_bytes() == (tmp_path / target).read_bytes()
    if target == "folder":
        assert {path.suffix for path in (tmp_path / target).iterdir()} == {".tif"}


def test_files_of_float16_are_given_back_byte_for_byte(tmp_path, moving, mvz):
    pytest.importorskip("tifffile")
    codec.encode(light(moving, (24, 30, 3)), tmp_path / "a.mvz")
    assert mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "in")[0] == 0
    summary = codec.encode(tmp_path / "in", tmp_path / "b.mvz", archive=True)
    assert summary.notes == (f"{tmp_path / 'in'}: 4 of 4 files can be given back byte for byte",)
    assert mvz("decode", tmp_path / "b.mvz", "-o", tmp_path / "out")[0] == 0
    for path in (tmp_path / "in").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


@pytest.mark.parametrize("target", ["a.png", "%d.png", "-", "a.y4m", "a.webp", "a.apng", "a.gif", "%d.ppm", "a.bmp"])
def test_what_has_no_place_for_float16_says_so(tmp_path, moving, mvz, target):
    codec.encode(light(moving, (24, 30)), tmp_path / "a.mvz")
    code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", target if target == "-" else tmp_path / target)
    assert (code, "samples are floating point, which TIFF and .npy keep" in err) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mvz"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wider_floating_point_is_refused_with_a_way_out(tmp_path, dtype):
    with pytest.raises(MediaError, match=r"array: float.. \(2, 8, 8\); .*array.astype\(numpy.float16\) rounds"):
        codec.encode(np.zeros((2, 8, 8), dtype), tmp_path / "a.mvz")
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 3), dtype), photometric="rgb")
    with pytest.raises(MediaError, match=r"has samples of floating point of .. bits; .* or float16 are needed"):
        codec.encode(tmp_path / "a.tif", tmp_path / "a.mvz")


# ------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"qp": 20}, "residual dct"),
        ({"step": 8}, "residual int8"),
        ({"residual": "uint8"}, "residual uint8"),
        ({"residual": "float16"}, "residual float16"),
        ({"max_error": 1}, "max_error"),
        ({"alpha_error": 1}, "alpha_error"),
        ({"alpha": "clear"}, "alpha clear"),
        ({"background": "white"}, "background"),
    ],
)
def test_what_is_not_exact_is_refused(tmp_path, moving, settings, name):
    with pytest.raises(ConfigError, match=f"^{name} is not for floating point, which lossless keeps exactly$"):
        codec.encode(light(moving, (24, 30, 4)), tmp_path / "a.mvz", codec.Settings(**settings))
    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_and_floating_point_are_not_mixed(tmp_path, moving, mvz):
    pictures = light(moving, (24, 30))
    with codec.Writer(tmp_path / "a.mvz", format=Picture.from_array(pictures[0]).format) as out:
        out.append(pictures[0])
        with pytest.raises(ConfigError, match="picture 1 is 30×24 gray 16 bit; the file's are 30×24 gray float16"):
            out.append(pictures[1].view(np.uint16))
    np.save(tmp_path / "places.npy", ordered(pictures[:1]))
    code, _, err = mvz("compare", tmp_path / "a.mvz", tmp_path / "places.npy")
    assert (code, "has samples of whole numbers, and the other has not" in err) == (1, True)
    pictures[0, 3, 4] = np.nextafter(pictures[0, 3, 4], np.float16(9))
    np.save(tmp_path / "next.npy", pictures[:1])
    code, out, _ = mvz("compare", tmp_path / "a.mvz", tmp_path / "next.npy", "--no-ssim")
    assert (code, "largest difference 1; in steps from one float16 number to the next" in out) == (1, True)
    with pytest.raises(ConfigError, match="floating point has 16 bits, and is gray or RGB"):
        PictureFormat(8, 8, "yuv420", bit_depth=16, is_float=True)
    with pytest.raises(ConfigError, match="floating point has 16 bits"):
        PictureFormat(8, 8, "gray", is_float=True)
    assert mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "b.npy", "--background", "white")[0] == 2


def test_a_hostile_header_of_binary16_is_refused(tmp_path, moving):
    codec.encode(ordered(light(moving, (24, 30, 3), 2)), tmp_path / "a.mvz")
    data = (tmp_path / "a.mvz").read_bytes()

    def opened(**fields):
        (tmp_path / "b.mvz").write_bytes(with_header(data, **fields))
        return codec.open(tmp_path / "b.mvz")

    with opened(bit_depth=144) as video:  # the same samples stand for numbers
        same_bits(light(moving, (24, 30, 3), 2)[1], video[1])
    for fields, says in (
        ({"bit_depth": 143}, "143 bits a sample"),
        ({"bit_depth": 145}, "145 bits a sample"),
        ({"bit_depth": 136}, "136 bits a sample"),
        ({"bit_depth": 144, "max_error": 1}, "max_error is 1"),
        ({"bit_depth": 144, "residual_coder": 1}, "binary16 numbers are for lossless"),
        ({"bit_depth": 144, "sample_format": 4, "coded_format": 4}, "binary16 numbers are for lossless, and for gray"),
    ):
        with pytest.raises(codec.BitstreamError, match=says):
            opened(**fields)


# ------------------------------------------------------------------------------------------- what is seen


@pytest.mark.parametrize("shape", SHAPES[2:], ids=str)
def test_every_other_command_takes_float16(tmp_path, moving, mvz, shape):
    coded = tmp_path / "a.mvz"
    codec.encode(light(moving, shape), coded, codec.Settings(scene_cut=False))
    assert "30×24" in mvz("info", coded)[1]
    assert "float16" in mvz("info", coded)[1]
    told = json.loads(mvz("info", coded, "--json")[1])
    assert (told["bit_depth"], told["is_float"]) == (16, True)
    assert mvz("plot", coded, "-o", tmp_path / "drawn", "--quiet", "--pictures", "1")[0] == 0
    assert mvz("inspect", coded, "-o", tmp_path / "page.html", "--quiet")[0] == 0
    code, _, err = mvz("report", coded, "-o", tmp_path / "report.html")
    assert (code, "has floating point, which lossless alone codes" in err) == (2, True)
    with pytest.raises(UnidentifiedImageError):
        Image.open(coded)


def test_eight_bits_to_look_at_rise_with_the_numbers_and_alpha_of_1_is_opaque():
    numbers = np.array([[-np.inf, -2, -0.0, 0, 0.1, 1, 60, np.inf]], np.float16)
    alpha = np.array([[0, 0.5, 1, 2, -1, np.nan, 0.25, np.inf]], np.float16)
    seen = eight_bits(Picture.from_array(np.dstack([numbers, alpha])))
    assert (np.diff(seen.planes[0].astype(int)) >= 0).all()
    assert seen.planes[1].tolist() == [[0, 128, 255, 255, 0, 0, 64, 255]]
    assert not seen.format.is_float
