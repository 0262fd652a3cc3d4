"""``dct``: files that come back as the encoder saw them, and their streams."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import codec
from codec.bitstream.payloads import parse_group, repeated_fields, unpack_group
from codec.bitstream.schema import HAS_MESH, PICTURES, SAME_QPS
from codec.coded import PacketGroup
from codec.dct.references import coding_order
from codec.encoder import sequence_header
from codec.errors import BitstreamError, ConfigError
from codec.models import BlockKind, MotionModel
from codec.picture.colour import rgb_to_yuv, to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.search.picture_encoder import GopEncoder
from codec.writing.file import pack_group

MODES = ("gray", "rgb", "yuv420", "yuv422", "yuv444")
SIZES = ((1, 1), (2, 3), (8, 8), (9, 17), (33, 31), (40, 24), (64, 70))


def write(path, pictures, executor=None, **settings):
    codec.encode(
        pictures, path, codec.Settings(residual="dct", scene_cut=False, **settings), executor=executor, force=True
    )
    return path


def read(path, executor=None):
    with codec.open(path) as video:
        return list(video.pictures(executor=executor))


def psnr(sources, decoded):
    errors = [np.mean((to_array(a).astype(float) - to_array(b)) ** 2) for a, b in zip(sources, decoded, strict=True)]
    return 10 * np.log10(sources[0].format.peak ** 2 / np.mean(errors))


def page(height, width, colours=1, seed=5):
    """Rows of letters on white, of nine shapes in any order: int (height, width, colours), 0…255."""
    random = np.random.default_rng(seed)
    shapes = random.choice(np.array([0, 255]), (9, 11, 7, 1), p=(0.3, 0.7)) | np.array([0, 90, 200])[:colours]
    samples = np.full((height, width, colours), 255)
    for top in range(3, height - 11, 13):
        for left in range(2, width - 7, 9):
            samples[top : top + 11, left : left + 7] = random.choice(shapes)
    return samples


# ------------------------------------------------------------------------- files


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("motion", ["none", "block"])
def test_every_format_comes_back_near_what_it_was(tmp_path, moving, mode, motion):
    pictures = moving(mode, 52, 39, 5)
    decoded = read(write(tmp_path / "clip.mvz", pictures, motion=motion, qp=16, gop=3))
    assert pictures[0].format == decoded[0].format
    assert psnr(pictures, decoded) > (33 if mode in ("rgb", "yuv420") else 38)  # chroma of noise is halved


@pytest.mark.parametrize(
    ("mode", "bit_depth", "chroma"), [("gray", 8, None), ("rgb", 8, None), ("rgb", 8, "444"), ("gray", 12, None)]
)
def test_letters_that_come_again_in_a_picture_are_copied(tmp_path, mode, bit_depth, chroma):
    """Much of a page is copies; as much in no order takes twice the bytes and more."""
    picture_format = PictureFormat(160, 96, SampleFormat[mode.upper()], bit_depth=bit_depth)
    planes = np.moveaxis(page(96, 160, len(picture_format.plane_shapes)) * (picture_format.peak // 255), 2, 0)
    again = Picture(picture_format, tuple(plane.astype(picture_format.dtype) for plane in planes))
    chance = np.random.default_rng(6).permuted(planes.reshape(len(planes), -1), axis=1).reshape(planes.shape)
    never = Picture(picture_format, tuple(plane.astype(picture_format.dtype) for plane in chance))
    path = write(tmp_path / "page.mvz", [again], qp=20, chroma=chroma)
    with codec.open(path) as video:
        blocks = video.inspect(0).coding_blocks
    is_copy = blocks.kinds == BlockKind.COPY
    areas = blocks.places[:, 2] ** 2
    assert areas[is_copy].sum() > 0.3 * areas.sum()
    assert (blocks.block_vectors[is_copy] != 0).any(axis=1).all()
    assert not blocks.block_vectors[~is_copy].any()
    assert not blocks.directions[is_copy].any()
    assert 2 * path.stat().st_size < write(tmp_path / "noise.mvz", [never], qp=20, chroma=chroma).stat().st_size
    assert psnr([again], read(path)) > (38 if mode == "gray" or chroma else 18)  # of 4:2:0 letters lose their colour


@pytest.mark.parametrize(("mode", "bit_depth"), [("yuv420", 8), ("yuv422", 10), ("yuv444", 8)])
def test_chroma_is_predicted_from_luma_where_it_goes_with_it(tmp_path, mode, bit_depth):
    """Chroma that is a line of luma takes next to nothing; as much of its own takes far more."""
    picture_format = PictureFormat(96, 64, SampleFormat[mode.upper()], bit_depth=bit_depth)
    random, unit = np.random.default_rng(8), 1 << (bit_depth - 8)
    texture = np.kron(random.integers(40, 200, (2, 32, 48)), np.ones((1, 2, 2), np.int64))
    sizes = {}
    for name, own in (("line", texture[0]), ("own", texture[1])):
        (rows, columns), dtype = picture_format.plane_shapes[1], picture_format.dtype
        small = own[:: 64 // rows, :: 96 // columns]
        planes = texture[0] * unit, (60 + small // 2) * unit, (180 - small // 4) * unit
        picture = Picture(picture_format, tuple(plane.astype(dtype) for plane in planes))
        path = write(tmp_path / f"{name}.mvz", [picture], qp=24)
        sizes[name] = path.stat().st_size
        with codec.open(path) as video:
            blocks = video.inspect(0).coding_blocks
        is_line = blocks.chroma_from_luma == 1
        assert (blocks.kinds[is_line] == BlockKind.INTRA).all()
        assert is_line.mean() > 0.8 if name == "line" else is_line.mean() < 0.5
    assert sizes["line"] < 0.75 * sizes["own"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["gray", "yuv420", "yuv422"])
def test_every_size_comes_back(tmp_path, moving, mode, size):
    pictures = moving(mode, *size, 3)
    assert 3 == len(read(write(tmp_path / "clip.mvz", pictures, qp=30)))


@pytest.mark.parametrize("size", [(1, 1), (17, 1), (1, 19)])
def test_a_mesh_fits_a_single_row_or_column(tmp_path, noise, size):
    assert 4 == len(read(write(tmp_path / "clip.mvz", noise("gray", *size, 4), motion="mesh", qp=20)))


@pytest.mark.parametrize("speed", ["slow", "medium", "fast"])
def test_noise_and_its_worst_levels_come_back(tmp_path, noise, speed):
    """The decoder holds every picture against the encoder's CRC-32."""
    extremes = noise("yuv420", 41, 33, 3, values=2)
    decoded = read(write(tmp_path / "clip.mvz", extremes, qp=0, speed=speed))
    assert psnr(extremes, decoded) > 40


DEPTHS = [(9, 9), (10, 10), (12, 12), (13, 12), (16, 12)]


def deeper(pictures, bit_depth):
    """The same pictures in more bits, of which none are as if they had 8."""
    formats = [replace(picture.format, bit_depth=bit_depth) for picture in pictures]
    planes = [
        tuple(
            (plane.astype(np.uint32) * form.peak // 255 ^ (np.arange(plane.shape[1]) % 2)).astype(np.uint16)
            for plane in picture.planes
        )
        for picture, form in zip(pictures, formats, strict=True)
    ]
    return [Picture(form, of, picture.name) for form, of, picture in zip(formats, planes, pictures, strict=True)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("bit_depth", "coded_depth"), DEPTHS)
def test_more_bits_come_back_as_near_as_8_and_nearer_below_qp_0(tmp_path, moving, mode, bit_depth, coded_depth):
    narrow = moving(mode, 44, 35, 3)
    wide = deeper(narrow, bit_depth)
    lowest, finest = 6 * (8 - coded_depth), psnr(narrow, read(write(tmp_path / "clip.mvz", narrow, qp=0)))
    expected = psnr(narrow, read(write(tmp_path / "clip.mvz", narrow, qp=24, reorder=1)))
    assert abs(expected - psnr(wide, read(write(tmp_path / "clip.mvz", wide, qp=24, reorder=1)))) < 0.5
    decoded = read(write(tmp_path / "clip.mvz", wide, qp=lowest))
    assert wide[0].format == decoded[0].format
    assert psnr(wide, decoded) > finest + (1 if mode in ("gray", "yuv422", "yuv444") else -0.1)  # chroma is halved
    message = f"at least {lowest} for {bit_depth} bits, not" if lowest > -24 else "a number from -24 to 51, not"
    with pytest.raises(ConfigError, match=f"^qp is {message} {lowest - 1}$"):
        write(tmp_path / "clip.mvz", wide, qp=lowest - 1)


def test_a_qp_that_a_depth_does_not_have_is_refused():
    for bit_depth, lowest in ((8, 0), (10, -12), (12, -24), (16, -24)):
        picture_format = PictureFormat(8, 8, SampleFormat.GRAY, bit_depth=bit_depth)
        header = sequence_header(picture_format, Fraction(25), codec.Settings(residual="dct"))
        assert lowest == header.lowest_qp
        for qps, fits in (((lowest, 51), True), ((lowest - 1, 20), False), ((20, 52), False)):
            picture = {"references": 0, "checksum": 0, "qps": qps, "quantisers": [], "predictor_set_counts": []}
            group = {"first_picture": 0, "pictures": [picture], "log2_mini_gop": 0, "streams": [], "data": b""}
            raw = PICTURES.build(group, **repeated_fields(header))
            if fits:
                assert list(qps) == list(parse_group(header, raw).pictures[0].qps)
                continue
            with pytest.raises(BitstreamError, match=r"^qps is "):
                parse_group(header, raw)


@pytest.mark.parametrize("run", [1, 2, 5])
def test_pictures_are_the_same_for_any_run(tmp_path, moving, run):
    pictures = moving("gray", 48, 40, 5)
    whole = read(write(tmp_path / "whole.mvz", pictures, reorder=1))
    parts = read(write(tmp_path / "parts.mvz", pictures, run=run, reorder=1))
    assert all(a.same_samples(b) for a, b in zip(whole, parts, strict=True))


def test_rgb_may_keep_all_its_chroma(tmp_path, moving):
    pictures = moving("rgb", 48, 40, 3)
    halved, whole = (write(tmp_path / f"{c}.mvz", pictures, chroma=c, qp=12) for c in ("420", "444"))
    assert psnr(pictures, read(halved)) < psnr(pictures, read(whole))


def turning(count, mode="yuv420", width=160, height=128):
    """A texture that turns by 1.2 degrees a picture and grows by 2 %, which blocks follow badly."""
    picture_format = PictureFormat(width, height, SampleFormat[mode.upper()])
    random = np.random.default_rng(5)
    texture = random.normal(size=(64, 64))
    for axis in (0, 1, 0, 1):
        texture = texture + np.roll(texture, 1, axis)
    texture = np.clip(128 + 40 * texture / texture.std(), 0, 255)
    pictures = []
    for time in range(count):
        angle, scale = np.deg2rad(1.2 * time), 0.3 / 1.02**time
        planes = []
        for (rows, columns), sub in zip(
            picture_format.plane_shapes, picture_format.sample_format.subsampling, strict=True
        ):
            y, x = np.mgrid[0:rows, 0:columns].astype(float)
            y, x = (y - rows / 2) * scale * (1 << sub.log2_y), (x - columns / 2) * scale * (1 << sub.log2_x)
            v, u = 32 + np.cos(angle) * y - np.sin(angle) * x, 32 + np.sin(angle) * y + np.cos(angle) * x
            top, left = np.floor(v).astype(int), np.floor(u).astype(int)
            down, right = v - top, u - left
            corners = [texture[(top + j) % 64, (left + i) % 64] for j in (0, 1) for i in (0, 1)]
            upper, lower = (corners[2 * k] * (1 - right) + corners[2 * k + 1] * right for k in (0, 1))
            planes.append(np.rint(upper * (1 - down) + lower * down).astype(np.uint8))
        pictures.append(Picture(picture_format, tuple(planes)))
    return pictures


@pytest.mark.parametrize("mode", ["gray", "yuv420", "yuv422", "yuv444"])
def test_a_mesh_makes_pictures_that_turn_and_grow_smaller(tmp_path, mode):
    pictures = turning(6, mode)
    sizes, errors = {}, {}
    for motion in ("block", "mesh"):
        path = write(tmp_path / f"{motion}.mvz", pictures, motion=motion, qp=24)
        sizes[motion], errors[motion] = path.stat().st_size, psnr(pictures, read(path))
    assert sizes["mesh"] < 0.93 * sizes["block"]
    assert errors["mesh"] > errors["block"] - 0.1


def test_a_mesh_costs_nothing_where_it_does_not_help(tmp_path, moving):
    pictures = moving("yuv420", 64, 48, 4)
    block, mesh = (write(tmp_path / f"{m}.mvz", pictures, motion=m, qp=30) for m in ("block", "mesh"))
    assert block.stat().st_size == mesh.stat().st_size


@pytest.fixture(scope="module")
def meshed_run():
    """The sequence header and a run of which some P pictures have a mesh."""
    pictures = turning(5)
    settings = codec.Settings(residual="dct", motion="mesh", qp=30)
    header = sequence_header(pictures[0].format, Fraction(25), settings)
    coder = GopEncoder(header, settings, None, len(pictures), -4)
    places = coding_order(0, len(pictures), 1, True)
    coded = tuple(coder.code(place, pictures[place.number]) for place in places)
    assert {True, False} == {picture.residual.mesh is not None for picture in coded}
    return header, PacketGroup(0, coded, tuple(coder.checksums))


@pytest.mark.parametrize(
    ("place", "motion", "rule"),
    [(0, MotionModel.MESH, "an I picture with a mesh"), (1, MotionModel.BLOCK, "references is 65")],
)
def test_a_mesh_of_a_picture_that_has_none_is_refused(meshed_run, place, motion, rule):
    header, run = meshed_run
    payload = bytearray(pack_group(header, run))
    first = 6  # the first picture's references, its CRC-32 and its two qps
    payload[first + 7 * place] |= HAS_MESH
    with pytest.raises(BitstreamError, match=rule):
        parse_group(replace(header, motion=motion), bytes(payload))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (5, 3)])
def test_rgb_becomes_means_of_four_chroma_samples(noise, width, height):
    (picture,) = noise("rgb", width, height, 1)
    full, halved = (
        rgb_to_yuv(picture, PictureFormat(width, height, f)) for f in (SampleFormat.YUV444, SampleFormat.YUV420)
    )
    for whole, half in zip(full.planes[1:], halved.planes[1:], strict=True):
        for y, x in np.ndindex(half.shape):
            rows, columns = min(2 * y + 1, height - 1), min(2 * x + 1, width - 1)
            four = [int(whole[j, i]) for j in (2 * y, rows) for i in (2 * x, columns)]
            assert (sum(four) + 2) >> 2 == half[y, x]


# ------------------------------------------------------------------------- symbols


def test_a_first_picture_with_the_quantisers_of_one_before_is_refused(meshed_run):
    header, run = meshed_run
    payload = bytearray(pack_group(header, run))
    raw = parse_group(header, bytes(payload))
    assert {raw.pictures[1].qps[0]} == {picture.qps[0] for picture in raw.pictures[1:]}
    assert payload[6 + 7 + 5 + 2] & SAME_QPS  # the third picture's references
    payload[6] |= SAME_QPS
    del payload[6 + 5 : 6 + 7]
    with pytest.raises(BitstreamError, match="references is 128; it lies in 0…2"):
        unpack_group(header, bytes(payload))


# ------------------------------------------------------------------------- commands


def test_info_knows_what_a_file_is_without_the_decoder_and_shares_when_asked(tmp_path, moving, mvz):
    path = write(tmp_path / "clip.mvz", moving("rgb", 52, 39, 3), qp=30)
    code, quick, _ = mvz("info", path)
    assert 0 == code
    assert "residual dct of yuv420; motion block of 8×8 to 32×32" in quick
    assert "--pictures estimates what each takes" in quick
    code, whole, _ = mvz("info", path, "--pictures")
    assert 0 == code
    assert "≈ estimated" in whole
    with codec.open(path) as video:
        shares = sum(picture.total_bytes for picture in video.info.pictures)
        known = [picture.total_bytes for picture in video.inventory(shares=False).pictures]
        of_file = sum(video.info.bytes.values())
    assert [None] * 3 == known
    assert shares == pytest.approx(of_file, abs=400)  # but for what belongs to no packet of pictures
