"""What goes in comes out: exactly, or as close as the coder promises, for every coder, motion, format and size."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import codec
from codec.bitstream.container import ContainerReader
from codec.models import PictureType
from codec.picture.planes import Picture
from codec.picture.sources import open_source

MODES = ("gray", "rgb", "yuv420", "yuv422", "yuv444")
MOTIONS = ("none", "block", "mesh")
RESIDUALS = (
    ("lossless", None),
    ("float16", None),
    ("int8", None),
    ("int8", 1),
    ("int8", 7),
    ("int8", 8),
    ("uint8", None),
    ("uint8", 8),
)
SIZES = ((1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (16, 16), (17, 33), (31, 8))


def write(path, pictures, settings, **options):
    """Encode ``pictures`` to ``path``; returns the path."""
    codec.encode(pictures, path, settings, force=True, **options)
    return path


def read(path, executor=None):
    with codec.open(path) as video:
        return list(video.pictures(executor=executor))


def largest_error(source, decoded):
    """Over all planes of two pictures."""
    return max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(source.planes, decoded.planes, strict=True))


def promised_error(settings, step, type_):
    """Largest error of a sample where nothing saturates: half a step, and the I picture has half the step."""
    if settings.residual.label in ("lossless", "float16"):
        return settings.max_error or 0
    assert step is not None
    return (step if type_ is PictureType.P else (step + 1) // 2) // 2


def vectors_of(path):
    """Vectors of every P picture, quarter samples."""
    with path.open("rb") as file:
        container = ContainerReader(file, str(path))
        runs = [container.read_group(entry) for entry in container.groups]
    return [picture.field.vectors_quarter_pel for run in runs for picture in run.pictures if picture.field is not None]


def assert_error_within_promise(source, path, settings):
    decoded = read(path)
    assert len(source) == len(decoded)
    for number, (before, after) in enumerate(zip(source, decoded, strict=True)):
        type_ = PictureType.I if number % settings.gop == 0 else PictureType.P
        step = settings.step
        if step is None and settings.residual not in ("lossless", "float16"):
            step = 1  # these pictures have no residual beyond ±120, so the smallest scale is 1
        assert before.format == after.format
        assert largest_error(before, after) <= promised_error(settings, step, type_)


# ------------------------------------------------------------------------- every coder × motion × format × size


def settings_of(**choices):
    """Settings that make P pictures of noise and jumps too, which an encoder would take for scene cuts.

    What has no effect is left out: blocks and search without motion, and runs where every picture is an I picture.
    """
    idle = ("block", "search") if choices.get("motion") == "none" else ()
    if choices.get("gop") == 1:
        choices["motion"], idle = "none", ("block", "search", "run")
    if choices.get("residual") == "dct":
        idle = (*idle, "block")
    choices = {name: value for name, value in choices.items() if name not in idle}
    return codec.Settings(scene_cut=None if choices.get("gop") == 1 else False, **choices)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize(("residual", "step"), RESIDUALS)
def test_error_stays_within_half_a_step(residual, step, motion, mode, moving, tmp_path):
    pictures = moving(mode, 37, 21, count=5)
    settings = settings_of(residual=residual, motion=motion, step=step, gop=3, block=8, search=5)
    assert_error_within_promise(pictures, write(tmp_path / "a.mvz", pictures, settings), settings)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("residual", "step"), [("lossless", None), ("float16", None), ("int8", 8), ("uint8", 7)])
def test_every_size_keeps_the_promise(residual, step, mode, moving, tmp_path):
    for (width, height), motion in product(SIZES, MOTIONS):
        pictures = moving(mode, width, height, count=3)
        settings = settings_of(residual=residual, motion=motion, step=step, search=2)
        assert_error_within_promise(pictures, write(tmp_path / "a.mvz", pictures, settings), settings)


LOSSLESS_SIZES = ((1, 1), (1, 7), (2, 2), (17, 16), (37, 23))  # (width, height)
RUNS_AND_GOPS = ((1, 32), (3, 4), (None, 3), (None, 100), (2, 1))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("speed", ["slow", "medium", "fast"])
def test_lossless_is_exact_at_every_speed_in_every_size_motion_and_run(speed, mode, moving, noise, tmp_path):
    turn = MODES.index(mode)
    # the largest with every motion, the others with one each, which differs from format to format
    cases = [*((size, MOTIONS[(turn + k) % 3]) for k, size in enumerate(LOSSLESS_SIZES[:-1]))]
    cases += [(LOSSLESS_SIZES[-1], motion) for motion in MOTIONS]
    for number, ((width, height), motion) in enumerate(cases, turn):
        run, gop = RUNS_AND_GOPS[number % len(RUNS_AND_GOPS)]
        settings = settings_of(motion=motion, speed=speed, run=run, gop=gop, block=8, search=3)
        pictures = (noise if number % 4 == 0 else moving)(mode, width, height, count=5)
        path = write(tmp_path / "a.mvz", pictures, settings)
        assert all(map(Picture.same_samples, pictures, read(path)))
        length = min(run or 8, gop)
        assert -(-5 // gop) <= len(packet_pictures(path))
        assert max(packet_pictures(path)) == min(length, 5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("max_error", [1, 2, 5, 16])
def test_nearly_lossless_keeps_within_its_error_on_any_content(max_error, mode, moving, noise, tmp_path):
    contents = {
        "moving": moving(mode, 37, 23, count=5),
        "noise": noise(mode, 18, 17, count=4),
        "saturated": noise(mode, 18, 17, count=4, values=2),
        "tiny": noise(mode, 1, 2, count=4),
    }
    for number, (name, pictures) in enumerate(contents.items(), max_error):
        motion = MOTIONS[number % 3]
        settings = settings_of(max_error=max_error, motion=motion, run=3, gop=4, block=8, search=3)
        path = write(tmp_path / "a.mvz", pictures, settings)
        decoded = read(path)
        with codec.open(path) as video:
            assert video.info.as_dict()["max_error"] == max_error
        errors = [largest_error(*pair) for pair in zip(pictures, decoded, strict=True)]
        assert len(pictures) == len(decoded)
        assert max(errors) <= max_error
        assert name != "noise" or max(errors) == max_error  # so it is made use of


@pytest.mark.parametrize("residual", ["int8", "uint8"])
def test_without_a_step_pictures_lose_no_more_than_their_scale_implies(residual, noise, tmp_path):
    """Half a step, and half a sample value for the rounding of level × step."""
    cases = [(noise("rgb", 20, 18, count=4, values=values), motion) for values in (256, 2) for motion in MOTIONS]
    # the last three tempt int8 to saturate
    cases += [(noise("gray", 6, 5, count=1, seed=seed), "block") for seed in (*range(40), 519, 736, 2062)]
    for pictures, motion in cases:
        path = write(tmp_path / "a.mvz", pictures, settings_of(residual=residual, motion=motion, block=8, search=2))
        with codec.open(path) as video:
            for before, after, entry in zip(pictures, video.pictures(), video.info.pictures, strict=True):
                assert all(1 <= step <= 515 / 256 for step in entry.steps)  # 515 = ⌈255 · 256 / 127⌉
                if entry.type is PictureType.P or len(pictures) == 1:
                    assert largest_error(before, after) <= int(max(entry.steps) / 2 + 0.5)


# ------------------------------------------------------------------------- runs, GOPs, executors


@pytest.fixture(scope="module")
def seven(moving):
    return moving("yuv420", 26, 19, count=7)


def packet_pictures(path):
    """How many pictures each packet of the file holds."""
    with path.open("rb") as file:
        return [run.picture_count for run in ContainerReader(file, str(path)).groups]


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize(
    ("gop", "run", "packets"),
    [
        (3, 1, [1] * 7),
        (3, 2, [2, 1, 2, 1, 1]),
        (3, 5, [3, 3, 1]),
        (7, 5, [5, 2]),
        (100, 1, [1] * 7),
        (100, 2, [2, 2, 2, 1]),
        (100, 5, [5, 2]),
        (100, 100, [7]),
    ],
)
def test_runs_fill_gops_and_change_no_sample(gop, run, packets, motion, seven, tmp_path):
    for residual, step in (("lossless", None), ("uint8", 6)):
        settings = settings_of(residual=residual, step=step, motion=motion, gop=gop, run=run)
        path = write(tmp_path / "a.mvz", seven, settings)
        one_by_one = write(tmp_path / "b.mvz", seven, replace(settings, run=1))
        assert packets == packet_pictures(path)
        assert all(map(Picture.same_samples, read(one_by_one), read(path)))
        assert_error_within_promise(seven, path, settings)


def test_an_encoder_makes_no_packet_that_a_reader_would_refuse(seven, monkeypatch, tmp_path):
    picture_bytes = 2 * seven[0].format.sample_count + 4 * 2 * 2  # two a sample, and four for each of 2 × 2 vectors
    for most, packets in ((3 * picture_bytes, [3, 3, 1]), (3 * picture_bytes - 1, [2, 2, 2, 1]), (1, [1] * 7)):
        monkeypatch.setattr("codec.writing.streams.DEFAULT_LIMITS", codec.Limits(max_group_bytes=most))
        path = write(tmp_path / "a.mvz", seven, settings_of(run=5))
        assert packets == packet_pictures(path)
        if most > 1:
            assert 7 == len(codec.decode(path, limits=codec.Limits(max_group_bytes=most)))


# ------------------------------------------------------------------------- what comes along with the samples


@pytest.mark.parametrize("run", [1, 2, 5])
def test_names_come_back(run, flat, tmp_path):
    names = ["one.png", None, "drei-ü.png", "4" * 200, None, "six \udcff.png"]
    pictures = [replace(picture, name=name) for picture, name in zip(flat(1, 2, 3, 4, 5, 6), names, strict=True)]
    path = write(tmp_path / "a.mvz", pictures, settings_of(run=run, gop=4))
    assert names == [picture.name for picture in read(path)]
    with codec.open(path) as video:
        assert names == [picture.name for picture in video.info.pictures]


@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001), Fraction(1, 3), Fraction(2**32 - 1)])
def test_the_rate_comes_back(rate, flat, tmp_path):
    with codec.open(write(tmp_path / "a.mvz", flat(1), settings_of(), rate=rate)) as video:
        assert rate == video.rate


def test_metadata_comes_back_beside_the_encoders_name(flat, tmp_path):
    metadata = {"title": "Größe", "empty": "", "k" * 255: "v" * 65535}
    with codec.open(write(tmp_path / "a.mvz", flat(1), settings_of(), metadata=metadata)) as video:
        assert {"encoder": f"mvz {codec.__version__}"} | metadata == video.metadata


@pytest.mark.parametrize("run", [1, 3])
def test_every_byte_of_the_file_is_accounted_for(run, seven, tmp_path):
    pictures = [replace(picture, name=f"{number}.png") for number, picture in enumerate(seven)]
    for motion in MOTIONS:
        path = write(tmp_path / "a.mvz", pictures, settings_of(motion=motion, run=run, gop=4))
        with codec.open(path) as video:
            info = video.info
        assert path.stat().st_size == info.file_bytes == sum(info.bytes.values())
        assert (motion != "none") == (info.bytes["motion"] > 0)
        assert info.bytes["residual"] == pytest.approx(
            sum(picture.bytes["residual"] for picture in info.pictures), abs=0.1 * len(pictures)
        )
        # with runs of three, picture 3 ends its GOP alone; its bytes are exact, the others' an estimate
        assert [run > 1 and number != 3 for number in range(7)] == [picture.estimated for picture in info.pictures]


# ------------------------------------------------------------------------- extremes


def checkerboard(first, second, size):
    rows, columns = np.indices(size)
    return np.where((rows + columns) % 2, first, second).astype(np.uint8)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("residual", ["lossless", "float16"])
def test_saturated_pictures_are_exact(residual, motion, flat, noise, tmp_path):
    boards = [Picture.from_array(checkerboard(*ends, (21, 18))) for ends in ((0, 255), (255, 0), (0, 255))]
    settings = settings_of(residual=residual, motion=motion, block=8, search=3)
    for pictures in (
        flat(0, 255, 0, 255, size=(18, 21)),
        flat(255, 0, 255, size=(18, 21)),
        boards,
        noise("rgb", 18, 21, values=2),
        noise("yuv420", 19, 21, values=2),
    ):
        assert all(map(Picture.same_samples, pictures, read(write(tmp_path / "a.mvz", pictures, settings))))


def test_int8_reaches_a_far_value_in_as_many_pictures_as_its_levels_need(flat, tmp_path):
    rising, falling = flat(0, 255, 255, 255), flat(255, 0, 0, 0)
    settings = settings_of(residual="int8", motion="none", step=1)
    # each picture gets 127 nearer when the value rises, 128 when it falls
    assert [0, 127, 254, 255] == [int(p.planes[0][0, 0]) for p in read(write(tmp_path / "a.mvz", rising, settings))]
    assert [255, 127, 0, 0] == [int(p.planes[0][0, 0]) for p in read(write(tmp_path / "a.mvz", falling, settings))]


def test_uint8_moves_its_zero_point_where_int8_must_cut(flat, tmp_path):
    settings = settings_of(residual="uint8", motion="none", step=1)
    for pictures in (flat(0, 255, 0, 255), flat(255, 0, 255)):
        assert all(map(Picture.same_samples, pictures, read(write(tmp_path / "a.mvz", pictures, settings))))


@pytest.mark.parametrize("motion", ["block", "mesh"])
def test_vectors_at_the_search_limit_point_outside_the_picture(motion, moving, tmp_path):
    (wide,) = moving("gray", 60, 60, count=1)
    # the second picture shows what lies 15 further down and right: at the far edges, samples that nobody has
    pictures = [Picture.from_array(wide.planes[0][y : y + 40, y : y + 40]) for y in (0, 15)]
    settings = settings_of(motion=motion, block=8, search=15, speed="slow")
    path = write(tmp_path / "a.mvz", pictures, settings)
    (vectors,) = vectors_of(path)
    assert 4 * 15 == np.abs(vectors).max()
    assert all(map(Picture.same_samples, pictures, read(path)))


@pytest.mark.parametrize("motion", MOTIONS)
def test_real_pictures_are_exact(motion, clips, tmp_path):
    path = tmp_path / "a.mvz"
    with open_source(clips / "foreman_352x288.y4m") as source:
        pictures = [picture for _, picture in zip(range(3), source, strict=False)]
    write(path, pictures, settings_of(motion=motion))
    assert all(map(Picture.same_samples, pictures, read(path)))
