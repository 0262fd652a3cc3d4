"""What callers hand over by mistake: it works, or it is an error of ours that says what is needed."""

import array
import decimal
import io
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import codec
from codec.arguments import picture_rate
from codec.picture.planes import SampleFormat

GRAY = np.arange(24, dtype=np.uint8).reshape(4, 6)
RGB = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)


class Odd:
    """Converts to nothing."""

    def __array__(self, *arguments, **options):
        raise RuntimeError("no samples")


# One of every kind of value that people pass by mistake
WRONG = (
    *(None, True, -1, 0, 1.5, float("nan"), float("inf"), 1 << 70, 1j, "", "x", "a\0b", "\ud800", b"", b"x"),
    *(bytearray(b"xy"), memoryview(b"xy"), [], [1], ["x"], [[1], [2, 3]], (), (1,), (1, 2), {}, {"a": 1}, {1}, set()),
    *(object(), Odd(), int, len, iter(()), range(3), slice(None), Fraction(1, 3), decimal.Decimal("1e999999")),
    *(np.uint8(3), np.float32(2), np.zeros(3), np.zeros((2, 2)), np.zeros((4, 6), bool), np.zeros((4, 6), complex)),
    *(np.array(None), np.array("x"), np.zeros((4, 6), object), np.zeros((0, 6), np.uint8), np.zeros((1, 1, 2, 3))),
    *(np.zeros((2, 1, 4), np.uint8), np.zeros((4, 6), np.int8), np.datetime64("2020"), array.array("d", [1.0])),
    *(io.BytesIO(), io.StringIO("text"), Image.new("P", (6, 4)), Image.new("RGBA", (6, 4)), Image.new("F", (6, 4))),
    *(codec.Settings, codec.Settings(), codec.Limits(), ValueError("x"), Exception, ThreadPoolExecutor, NotImplemented),
)


@pytest.fixture
def video(tmp_path):
    codec.encode(np.stack([GRAY, GRAY + 1]), tmp_path / "two.mvz")
    with codec.open(tmp_path / "two.mvz") as opened:
        yield opened


def writer(path, **arguments):
    """A file of one gray picture, with one argument that is wrong."""
    with codec.Writer(path, **{"size": (6, 4), "mode": "gray"} | arguments) as out:
        out.append(GRAY)


def appended(path, *arguments, **options):
    with codec.Writer(path, (6, 4), "gray") as out:
        out.append(GRAY)
        out.append(*arguments, **options)


CALLS = {
    "Writer path": lambda path, video, wrong: writer(wrong),
    "Writer size": lambda path, video, wrong: writer(path, size=wrong),
    "Writer width": lambda path, video, wrong: writer(path, size=(wrong, 4)),
    "Writer mode": lambda path, video, wrong: writer(path, mode=wrong),
    "Writer settings": lambda path, video, wrong: writer(path, settings=wrong),
    "Writer rate": lambda path, video, wrong: writer(path, rate=wrong),
    "Writer format": lambda path, video, wrong: writer(path, size=None, format=wrong),
    "Writer metadata": lambda path, video, wrong: writer(path, metadata=wrong),
    "Writer metadata value": lambda path, video, wrong: writer(path, metadata={"key": wrong}),
    "Writer executor": lambda path, video, wrong: writer(path, executor=wrong),
    "Writer workers": lambda path, video, wrong: writer(path, workers=wrong),
    "append": lambda path, video, wrong: appended(path, wrong),
    "append name": lambda path, video, wrong: appended(path, GRAY, wrong),
    "encode path": lambda path, video, wrong: codec.encode(GRAY[None], wrong),
    "encode settings": lambda path, video, wrong: codec.encode(GRAY[None], path, wrong),
    "encode rate": lambda path, video, wrong: codec.encode(GRAY[None], path, rate=wrong),
    "encode metadata": lambda path, video, wrong: codec.encode(GRAY[None], path, metadata=wrong),
    "encode progress": lambda path, video, wrong: codec.encode(
        GRAY[None], path, progress=wrong if not callable(wrong) else None
    ),
    "encode executor": lambda path, video, wrong: codec.encode(GRAY[None], path, executor=wrong),
    "open": lambda path, video, wrong: codec.open(wrong),
    "open damaged": lambda path, video, wrong: codec.open(wrong, damaged=True),
    "open limits": lambda path, video, wrong: codec.open(video.path, limits=wrong),
    "decode": lambda path, video, wrong: codec.decode(wrong),
    "decode executor": lambda path, video, wrong: codec.decode(video.path, executor=wrong),
    "Limits": lambda path, video, wrong: codec.Limits(max_pixels=wrong),
    "pictures": lambda path, video, wrong: list(video.pictures(wrong)),
    "pictures stop": lambda path, video, wrong: list(video.pictures(0, wrong)),
    "pictures workers": lambda path, video, wrong: list(video.pictures(workers=wrong)),
    "whole_pictures": lambda path, video, wrong: list(video.whole_pictures(wrong)),
    "inspections": lambda path, video, wrong: list(video.inspections(wrong, wrong)),
    "a slice": lambda path, video, wrong: video[wrong:],
    "in": lambda path, video, wrong: wrong in video,
    "PictureFormat": lambda path, video, wrong: codec.PictureFormat(wrong, 4, SampleFormat.GRAY),
    "PictureFormat planes": lambda path, video, wrong: codec.PictureFormat(6, 4, wrong),
    "PictureFormat colour": lambda path, video, wrong: codec.PictureFormat(6, 4, SampleFormat.GRAY, wrong),
    "Picture": lambda path, video, wrong: codec.Picture(wrong, (GRAY,)),
    "Picture planes": lambda path, video, wrong: codec.Picture(video.format, wrong),
    "Picture plane": lambda path, video, wrong: codec.Picture(video.format, (wrong,)),
    "Picture name": lambda path, video, wrong: codec.Picture(video.format, (GRAY,), wrong),
    "Picture.from_array": lambda path, video, wrong: codec.Picture.from_array(wrong),
    **{
        f"Settings {name}": lambda path, video, wrong, name=name: codec.Settings(**{name: wrong})
        for name in codec.Settings.__dataclass_fields__
    },
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that were opened and dropped
@pytest.mark.parametrize("call", CALLS)
def test_whatever_is_passed_it_works_or_is_an_error_of_ours_with_a_reason(call, video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = 0
    for number, wrong in enumerate(WRONG):
        try:
            CALLS[call](tmp_path / f"{number}.mvz", video, wrong)
        except codec.CodecError as error:
            assert 12 < len(str(error)) < 400 and not str(error).rstrip().endswith(":"), (wrong, str(error))
            refused += 1
    assert refused or call in ("in",)
    assert not list(tmp_path.glob(".*.part"))


def test_no_number_of_a_picture_is_as_for_any_sequence(video):
    for wrong in WRONG:
        if not isinstance(wrong, slice | int | np.integer):
            is_index = isinstance(wrong, tuple) or (isinstance(wrong, list) and wrong in ([], [1]))  # as of an array
            for access in (video.__getitem__, video.picture, video.inspect)[is_index:]:
                with pytest.raises(TypeError, match="pictures are numbered by whole numbers"):
                    access(wrong)


# ------------------------------------------------------------------------------------------- rates


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *((25, 25), (25.0, 25), ("25", 25), (" 25 ", 25), (np.int64(25), 25), (0.5, Fraction(1, 2)), (12.5, "25/2")),
        *(("30000/1001", "30000/1001"), (Fraction(30000, 1001), "30000/1001"), (30000 / 1001, "30000/1001")),
        *((29.97, "30000/1001"), ("29.97", "30000/1001"), (np.float64(29.97), "30000/1001"), (59.94, "60000/1001")),
        *(("23.976", "24000/1001"), (23.98, "24000/1001"), ("23.9760", "24000/1001"), (119.88, "120000/1001")),
        *((decimal.Decimal("47.952"), "48000/1001"), ("2997/100", "2997/100"), (Fraction(2997, 100), "2997/100")),
        *((29.9, "299/10"), (29.96, "749/25"), (1e-05, "1/100000"), (100 / 3, "100/3"), ((1 << 32) - 1, (1 << 32) - 1)),
    ],
)
def test_a_rate_is_what_people_mean_by_it(said, meant):
    assert Fraction(meant) == picture_rate(said)


@pytest.mark.parametrize(
    "wrong",
    [
        *(0, -1, "0", "-25", "25/0", "nan", "inf", float("nan"), float("inf"), -float("inf"), 1 << 32, 10**5000),
        *(-(10**5000), "1e99", "1e999999999", "9" * 5000, "25fps", "", "1/2/3", "٢٥", True, None, b"25", (30000, 1001)),
    ],
    ids=lambda wrong: str(wrong)[:12] if not isinstance(wrong, int) or abs(wrong) < 1 << 40 else "huge",
)
def test_what_is_no_rate_is_refused_at_once(wrong):
    with pytest.raises(codec.ConfigError, match=r"pictures per second|32 bits"):
        picture_rate(wrong)


# ------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("mode", "picture", "expected"),
    [
        ("gray", Image.fromarray(GRAY), GRAY),
        ("rgb", Image.fromarray(RGB), RGB),
        ("rgb", Image.merge("RGBA", (*Image.fromarray(RGB).split(), Image.new("L", (6, 4), 255))), RGB),
        ("rgb", Image.fromarray(RGB).quantize(256), RGB),
        ("gray", Image.new("1", (6, 4), 1), np.full((4, 6), 255)),
        ("gray", memoryview(GRAY), GRAY),
        ("rgb", memoryview(RGB), RGB),
        ("gray", GRAY.tolist(), GRAY),
        ("rgb", RGB.tolist(), RGB),
        ("gray", GRAY[:, :, None], GRAY),
        ("gray", np.asfortranarray(GRAY), GRAY),
        ("rgb", RGB[::-1, ::-1], RGB[::-1, ::-1]),
    ],
    ids=[
        "L",
        "RGB",
        "opaque",
        "palette",
        "1",
        "view",
        "rgb_view",
        "list",
        "rgb_list",
        "channel",
        "Fortran",
        "mirrored",
    ],
)
def test_a_writer_takes_pictures_however_they_are_held(mode, picture, expected, tmp_path):
    with codec.Writer(tmp_path / "a.mvz", (np.int64(6), np.uint8(4)), mode) as out:
        out.append(picture)
    np.testing.assert_array_equal(expected, codec.decode(tmp_path / "a.mvz")[0])


@pytest.mark.parametrize(
    ("picture", "hint"),
    [
        (Image.new("P", (6, 4)), "picture 0 is 6×4 rgb; the file's are 6×4 gray"),
        (Image.new("LA", (6, 4)), "picture 0 has transparent pixels"),
        (Image.new("RGBA", (6, 4)), "picture 0 is 6×4 rgba; the file's are 6×4 gray"),
        (Image.new("I;16", (6, 4)), "picture 0 is 6×4 gray 16 bit; the file's are 6×4 gray"),
        ((256 * GRAY.astype(int)).tolist(), "uint8"),
        ([[-1]], "uint8"),
        (GRAY / 255, r"uint8, .* not float64 \(4, 6\)"),
        (RGB[:3], "picture 0 is 6×3 rgb; the file's are 6×4 gray"),
    ],
)
def test_samples_that_would_mean_something_else_are_refused(picture, hint, tmp_path):
    refused_by_reader = isinstance(picture, Image.Image) and picture.mode not in ("P", "RGBA", "I;16")
    kind = codec.MediaError if refused_by_reader else codec.ConfigError
    with pytest.raises(kind, match=hint):
        codec.Writer(tmp_path / "a.mvz", (6, 4), "gray").append(picture)


@pytest.mark.parametrize("mode", ["P", "PA", "1", "I"])
def test_a_picture_is_made_only_of_an_image_whose_samples_are_its_own(mode):
    with pytest.raises(
        codec.ConfigError, match=rf"mode {mode}; one of L, LA, RGB or RGBA is needed, as \.convert\('RGBA'\) makes"
    ):
        codec.Picture.from_array(Image.new(mode, (6, 4)))


# ------------------------------------------------------------------------------------------- closed


def test_a_picture_appended_behind_the_end_is_refused(tmp_path):
    with codec.Writer(tmp_path / "a.mvz", (6, 4), "gray") as out:
        out.append(GRAY)
    for late in (lambda: out.append(GRAY), out.__enter__):
        with pytest.raises(codec.MediaError, match=r"a\.mvz: is closed; pictures are appended inside the with block"):
            late()
    assert (1, 1) == (out.summary.pictures, len(codec.decode(tmp_path / "a.mvz")))


def test_a_picture_appended_behind_a_block_that_failed_is_refused(tmp_path):
    with pytest.raises(ZeroDivisionError), codec.Writer(tmp_path / "a.mvz", (6, 4), "gray") as out:
        raise ZeroDivisionError
    with pytest.raises(codec.MediaError, match="is closed"):
        out.append(GRAY)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("late", ["append", "end"])
def test_when_pictures_could_not_be_coded_a_writer_takes_no_more_and_leaves_no_file(late, tmp_path, monkeypatch):
    def fail(task):
        raise MemoryError

    with pytest.raises(codec.CodecError, match="an earlier picture was not coded"):  # noqa: SIM117
        with codec.Writer(tmp_path / "a.mvz", (6, 4), "gray", codec.Settings(gop=1)) as out:
            out.append(GRAY)
            monkeypatch.setattr(out._work, "_function", fail)
            with pytest.raises(MemoryError):
                out.append(GRAY)
            monkeypatch.undo()
            if late == "append":
                out.append(GRAY)
    assert [] == list(tmp_path.iterdir())


def test_an_executor_that_is_shut_down_is_an_error_of_ours(tmp_path):
    with ThreadPoolExecutor(1) as executor:
        pass
    with pytest.raises(codec.CodecError, match="the executor takes no more work"):
        codec.encode(GRAY[None], tmp_path / "a.mvz", executor=executor)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("as_stream", [False, True])
def test_a_closed_video_gives_no_more_pictures_and_says_why(as_stream, video):
    with open(video.path, "rb") as file:  # noqa: PTH123
        closed = codec.open(file if as_stream else video.path)
        np.testing.assert_array_equal(GRAY, closed[0])
        closed.close()
        closed.close()
        attempts = (
            *(lambda: closed[0], lambda: closed[:], lambda: list(closed), lambda: list(closed.pictures())),
            *(lambda: closed.info, lambda: closed.inspect(0), lambda: list(closed.packets()), lambda: GRAY in closed),
        )
        for attempt in attempts:
            with pytest.raises(codec.MediaError, match=r"two\.mvz: is closed"):
                attempt()
        assert (2, 6) == (len(closed), closed.format.width)


def test_a_video_knows_which_pictures_are_in_it(video):
    assert GRAY in video
    assert GRAY + 1 in video
    assert GRAY + 2 not in video
    assert "picture" not in video
