"""The public API: names, lazy imports, the writer's promises, indexing, errors."""

import ast
import base64
import importlib
import io
import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from media_files import names_in
from PIL import Image

import codec
import mvz
from codec import errors
from codec.measure.synthetic import moving_sequence
from codec.picture.planes import SampleFormatName
from codec.settings import MotionName, ResidualName, SpeedName

ROOT = Path(codec.__file__).parents[1]
PROMISED = {
    *("open", "decode", "encode", "Writer", "Video"),
    *("Settings", "Limits", "Progress", "Summary", "Inventory", "Inspection", "CodingBlocks", "CellMode"),
    *("MotionField", "Picture", "PictureFormat", "MotionModel", "PictureType", "ResidualCoder", "SampleFormat"),
    *("SearchResult", "Speed"),
    *("ChromaSiting", "Colour", "ColourMatrix", "ColourPrimaries", "ColourRange", "ColourTransfer"),
    *("CodecError", "ConfigError", "MediaError", "ExistsError"),
    *("BitstreamError", "TruncatedError", "ChecksumError", "UnsupportedError", "LimitError"),
    "__version__",
}


class OurOwnError(Exception):
    """Not one of the package's."""


def ramp(count=5, size=(4, 6)):
    """Gray pictures that can be told apart by any sample."""
    return np.arange(count, dtype=np.uint8)[:, None, None] * np.full((1, *size), 10, np.uint8)


def run_python(code, **environment):
    """Standard output of a fresh interpreter that runs ``code`` with this package in its path."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


# ------------------------------------------------------------------------- names and imports


def test_the_promised_names_are_the_public_ones():
    assert PROMISED == set(codec.__all__)
    assert sorted(codec.__all__) == codec.__all__


def test_every_module_declares_names_that_it_has():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "codec").rglob("*.py"))
        if path.name not in ("__init__.py", "__main__.py") and path.parent != ROOT / "codec" / "cli"
    ]
    assert "codec.encoder" in modules
    if find_spec("av") is None:  # which is an extra
        modules = [name for name in modules if not name.endswith(("films", "film_writing", "pixel_layouts"))]
    for module in map(importlib.import_module, modules):
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        assert [] == missing, module.__name__


def test_names_that_settings_take_are_those_that_type_checkers_know():
    for names, kind in (
        (ResidualName, codec.ResidualCoder),
        (MotionName, codec.MotionModel),
        (SpeedName, codec.Speed),
        (SampleFormatName, codec.SampleFormat),
    ):
        assert {member.label for member in kind} == set(get_args(names))


def test_the_package_is_also_called_as_its_command():
    assert sorted(codec.__all__) == sorted(mvz.__all__) == dir(mvz)
    for name in codec.__all__:
        assert getattr(mvz, name) is getattr(codec, name)
    with pytest.raises(AttributeError, match="module 'mvz' has no attribute 'vidoe'"):
        _ = mvz.vidoe
    run = [sys.executable, "-m", "mvz", "--version"]
    assert f"mvz {codec.__version__}\n" == subprocess.run(run, capture_output=True, text=True, cwd=ROOT).stdout
    assert "" == run_python(f"import mvz; {LOADED}")


def test_type_checkers_see_the_same_names_as_python():
    tree = ast.parse((ROOT / "codec" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    declared = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert PROMISED - {"__version__"} == set(declared)
    for name, (module, attribute) in declared.items():
        assert getattr(importlib.import_module(module), attribute) is getattr(codec, name)


LOADED = "import sys; print(*sorted({'numpy', 'PIL', 'matplotlib', 'construct', 'zstandard'} & set(sys.modules)))"


def test_importing_the_package_loads_nothing_heavy():
    assert "" == run_python(f"import codec; {LOADED}")
    assert "" == run_python(f"import codec; codec.Settings(residual='int8', step=4); codec.LimitError; {LOADED}")


def test_opening_a_file_and_reading_what_is_in_it_compiles_nothing(tmp_path):
    for settings in (codec.Settings("int8", gop=2, run=2), codec.Settings("lossless", gop=2, run=2)):
        codec.encode(ramp(), tmp_path / "a.mvz", settings, force=True)
        code = (
            f"import codec; video = codec.open({str(tmp_path / 'a.mvz')!r}); "
            "print(video.info.ratio > 0); video.close(); "
        )
        assert "True\nconstruct numpy zstandard" == run_python(code + LOADED)


def test_decoding_loads_no_encoder(tmp_path):
    codec.encode(ramp(), tmp_path / "a.mvz", codec.Settings(motion="mesh"))
    code = f"import codec, sys; codec.decode({str(tmp_path / 'a.mvz')!r}); print(*sorted(sys.modules))"
    loaded = run_python(code).split()
    assert "codec.decoder" in loaded
    assert {"codec.encoder", "codec.settings"}.isdisjoint(loaded)
    assert [] == [name for name in loaded if name.startswith("codec.search") or name.endswith("_search")]


# ------------------------------------------------------------------------- settings


def test_settings_take_names_and_keep_enumerations():
    settings = codec.Settings(residual="uint8", motion="mesh")
    assert ("UINT8", "MESH") == (settings.residual.name, settings.motion.name)
    assert settings == codec.Settings(residual=settings.residual, motion=settings.motion)
    with pytest.raises(AttributeError):
        settings.gop = 3


# ------------------------------------------------------------------------- writer and encode


def test_encoding_an_array_and_decoding_it_gives_the_array(tmp_path):
    random = np.random.default_rng(0)
    for shape in ((3, 5, 7), (3, 5, 7, 3), (1, 1, 1), (1, 1, 1, 3)):
        pictures = random.integers(0, 256, shape, np.uint8)
        summary = codec.encode(pictures, tmp_path / "a.mvz", force=True)
        np.testing.assert_array_equal(pictures, codec.decode(tmp_path / "a.mvz"))
        assert (shape[0], pictures.size) == (summary.pictures, summary.source_bytes)
        assert (tmp_path / "a.mvz").stat().st_size == summary.file_bytes
        assert pictures.size / summary.file_bytes == summary.ratio


def test_a_buffer_may_be_filled_again_after_it_was_appended(tmp_path):
    for mode, shape in (("gray", (4, 6)), ("rgb", (4, 6, 3)), ("rgb", (1, 1, 3))):
        buffer = np.zeros(shape, np.uint8)
        with codec.Writer(tmp_path / "a.mvz", shape[1::-1], mode, force=True) as out:
            for value in (10, 20, 30):
                buffer[:] = value
                out.append(buffer)
        assert [10, 20, 30] == [int(picture.flat[0]) for picture in codec.decode(tmp_path / "a.mvz")]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"size": (6, 4), "format": codec.PictureFormat(6, 4, 0)},
        {"size": (6, 4), "mode": "cmyk"},
        {"size": (0, 4)},
        {"size": (6, -1)},
        {"size": (6, 4), "rate": 0},
        {"size": (6, 4), "rate": -25},
        {"size": (6, 4), "rate": Fraction(1, 1 << 32)},
        {"size": (6, 4), "rate": 1 << 32},
        {"size": (6, 4), "metadata": {"": "x"}},
        {"size": (6, 4), "metadata": {"k" * 256: "x"}},
        {"size": (6, 4), "metadata": {"k": "x" * 65536}},
        {"size": (6, 4), "metadata": {f"{number:05d}": "" for number in range(70000)}},
        {"size": (6, 4), "metadata": {f"{number}": "x" * 65535 for number in range(17)}},
        {"size": (1 << 33, 1)},
        {"size": (1 << 14, 1 << 13)},  # more than codec.Limits().max_pixels
    ],
    ids=lambda arguments: "-".join([*arguments, str(arguments.get("size", ""))]),
)
def test_arguments_that_no_reader_would_accept_are_refused_and_leave_nothing_behind(arguments, tmp_path):
    with pytest.raises(codec.ConfigError), codec.Writer(tmp_path / "a.mvz", **arguments):
        raise OurOwnError  # it was accepted after all
    assert [] == names_in(tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "n" * 2_000_000])
def test_names_that_no_reader_would_accept_are_refused(name, tmp_path):
    with pytest.raises(codec.ConfigError), codec.Writer(tmp_path / "a.mvz", (6, 4), "gray") as out:
        out.append(np.zeros((4, 6), np.uint8), name)
    assert [] == names_in(tmp_path)


def test_a_writer_writes_into_a_stream_of_the_callers_what_it_would_into_a_file(tmp_path):
    stream = io.BytesIO(b"before")
    stream.seek(6)
    for target in (tmp_path / "a.mvz", stream):
        summary = codec.encode(ramp(), target, codec.Settings(gop=2))
    assert b"before" + (tmp_path / "a.mvz").read_bytes() == stream.getvalue()
    assert (summary.file_bytes, False) == (len(stream.getvalue()) - 6, stream.closed)
    with codec.Writer(stream := io.BytesIO(), (6, 4), "gray") as out:
        out.append(ramp(1)[0])
    np.testing.assert_array_equal(ramp(1), codec.open(stream))


def test_a_stream_that_takes_no_bytes_is_a_media_error(tmp_path):
    (tmp_path / "a").touch()
    with (
        (tmp_path / "a").open("rb") as readable,
        (tmp_path / "a").open("w") as text,
        (tmp_path / "a").open("wb") as closed,
    ):
        closed.close()
        for stream in (io.StringIO(), readable, text, closed):
            with pytest.raises(codec.MediaError, match="takes no bytes"):
                codec.encode(ramp(), stream)


@pytest.mark.parametrize("error", [OurOwnError, KeyboardInterrupt, SystemExit])
def test_an_exception_inside_leaves_nothing_behind(error, tmp_path):
    with pytest.raises(error), codec.Writer(tmp_path / "a.mvz", (6, 4), "gray", codec.Settings(gop=2)) as out:
        for picture in ramp(5):
            out.append(picture)
        raise error
    assert [] == names_in(tmp_path)


def test_a_file_without_pictures_is_a_config_error_and_no_file(tmp_path):
    with pytest.raises(codec.ConfigError, match="at least one picture"), codec.Writer(tmp_path / "a.mvz", (6, 4)):
        pass
    assert [] == names_in(tmp_path)


def test_a_folder_that_is_not_there_is_a_media_error(tmp_path):
    with pytest.raises(codec.MediaError, match="no folder"):
        codec.encode(ramp(1), tmp_path / "no folder" / "a.mvz")
    with pytest.raises(codec.MediaError, match="folder"):
        codec.encode(ramp(1), tmp_path, force=True)


# ------------------------------------------------------------------------- reading


@pytest.fixture
def nine(tmp_path):
    """Nine gray pictures in GOPs of four and runs of two, and the file of them."""
    pictures = np.random.default_rng(3).integers(0, 256, (9, 6, 5), np.uint8)
    codec.encode(pictures, tmp_path / "nine.mvz", codec.Settings(gop=4, run=2))
    return pictures, tmp_path / "nine.mvz"


def test_a_video_is_a_sequence_of_its_pictures(nine):
    pictures, path = nine
    with codec.open(path) as video:
        assert 9 == len(video)
        np.testing.assert_array_equal(pictures, list(video))
        np.testing.assert_array_equal(pictures[::-1], list(reversed(video)))
        assert (np.uint8, (6, 5)) == (video[0].dtype, video[0].shape)


@pytest.mark.parametrize("number", [9, 10, -10, 1 << 70, -(1 << 70)])
def test_a_number_beyond_the_end_is_an_index_error(number, nine):
    with codec.open(nine[1]) as video, pytest.raises(IndexError, match="of 9"):
        _ = video[number]


@pytest.mark.parametrize(
    "wrong",
    ["0", 1.0, None, [1.5], [True, False], np.array([[0, 1]]), (0, "1"), (0, [1, 2]), (slice(2), np.array([1, 2]))],
    ids=str,
)
def test_what_is_no_number_is_a_type_error(wrong, nine):
    with codec.open(nine[1]) as video, pytest.raises(TypeError):
        _ = video[wrong]


def test_slices_are_arrays_as_numpy_slices_them(nine):
    pictures, path = nine
    starts = (None, 0, 3, 5, 20, -2, -20)
    with codec.open(path) as video:
        for part in [slice(start, stop, step) for start in starts for stop in starts for step in (None, 2, -1, -3)]:
            given = video[part]
            np.testing.assert_array_equal(pictures[part], given, strict=True)


@pytest.fixture(params=[(5, 4, 6), (5, 4, 6, 3), (5, 4, 6, 2)], ids=["gray", "rgb", "gray_alpha"])
def array_and_video(request, tmp_path):
    pictures = np.random.default_rng(8).integers(0, 60000, request.param, np.uint16)
    codec.encode(pictures, tmp_path / "a.mvz", codec.Settings(gop=2))
    with codec.open(tmp_path / "a.mvz") as video:
        yield pictures, video


def test_a_video_says_of_itself_what_its_array_says(array_and_video):
    pictures, video = array_and_video
    for name in ("shape", "dtype", "ndim", "size", "nbytes"):
        assert getattr(pictures, name) == getattr(video, name), name
    assert len(pictures) == len(video)
    np.testing.assert_array_equal(pictures, np.asarray(video), strict=True)
    np.testing.assert_array_equal(pictures.astype(np.float32), np.asarray(video, np.float32), strict=True)
    with pytest.raises(ValueError, match="always makes a new array"):
        video.__array__(copy=False)  # as numpy 2 asks


INDICES = [
    *(np.s_[...], np.s_[..., 1], np.s_[1, ...], np.s_[1:4, 2], np.s_[-1, 1:3, ::2], np.s_[::-2, :, -1], np.s_[2, 1, 3]),
    *(np.s_[[3, 0, 3]], np.s_[[]], np.s_[np.array([1, 2]), 1:], np.s_[3:3, :2], np.s_[:, ..., 1:2], np.s_[()]),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_rows_columns_and_channels_are_cut_out_as_numpy_cuts_them(index, array_and_video):
    pictures, video = array_and_video
    np.testing.assert_array_equal(pictures[index], video[index], strict=True)


@pytest.mark.parametrize("index", [(0, 99), (slice(3), 0, -99), (0, ..., ...), (0,) * 9], ids=str)
def test_an_index_that_numpy_refuses_is_refused_by_its_error(index, array_and_video):
    with pytest.raises(IndexError):
        _ = array_and_video[1][index]


def test_what_is_read_at_once_is_bounded(nine):
    with codec.open(nine[1], limits=codec.Limits(max_samples=60)) as video:
        assert (2, 6, 5) == video[:2].shape
        for too_many in (slice(3), [0, 4, 8]):
            with pytest.raises(codec.LimitError, match="3 pictures have 90 samples to decode"):
                _ = video[too_many]


def test_threads_that_read_one_video_get_their_pictures(nine):
    pictures, path = nine
    parts = [slice(start, start + 3) for start in range(7)] * 6
    with codec.open(path) as video, ThreadPoolExecutor(4) as pool:
        for part, given in zip(parts, pool.map(video.__getitem__, parts), strict=True):
            np.testing.assert_array_equal(pictures[part], given)


def test_a_video_opened_by_its_name_can_be_pickled_from_any_folder(nine, tmp_path, monkeypatch):
    pictures, path = nine
    monkeypatch.chdir(path.parent)
    with codec.open(path.name, limits=codec.Limits(max_samples=60)) as video:
        pickled = pickle.dumps(video)
    monkeypatch.chdir(ROOT)
    with pickle.loads(pickled) as again:
        np.testing.assert_array_equal(pictures[7], again[7])
        with pytest.raises(codec.LimitError):
            _ = again[:]
    with path.open("rb") as file, codec.open(file) as video, pytest.raises(TypeError, match="open it by its name"):
        pickle.dumps(video)


def test_a_video_tells_what_it_is(nine):
    with codec.open(nine[1]) as video:
        said = f"<Video {nine[1]}: (9, 6, 5) uint8, gray, 25 pictures a second, lossless, motion block>"
        assert said == repr(video)
    assert said == repr(video)  # closed


def test_a_notebook_shows_the_first_picture_sizes_and_a_strip(nine, tmp_path):
    path = tmp_path / "<b>.mvz"
    nine[1].rename(path)
    with codec.open(path) as video:
        shown = video._repr_html_()
    assert "&lt;b&gt;.mvz" in shown
    assert "9 pictures of 5×6 gray<br>25 a second, 0.36 s" in shown
    assert f"<br>{path.stat().st_size:,} bytes of 270 raw" in shown
    assert ["0", "0", "1", "2", "3", "5", "6", "7", "8"] == re.findall('title="picture ([0-9]+)"', shown)
    first = base64.b64decode(re.findall('base64,([^"]+)', shown)[0])
    with Image.open(io.BytesIO(first)) as image:
        assert (5, 6) == image.size
    assert "is closed" in video._repr_html_()


def test_a_notebook_shows_what_is_transparent_over_chequers(tmp_path):
    codec.encode(np.zeros((1, 16, 16, 4), np.uint8), tmp_path / "clear.mvz")
    with codec.open(tmp_path / "clear.mvz") as video:
        (first,) = re.findall('base64,([^"]+)', video._repr_html_())
    with Image.open(io.BytesIO(base64.b64decode(first))) as image:
        assert ("RGB", True) == (image.mode, image.getextrema()[0][0] > 140)


def test_of_a_long_video_a_notebook_shows_what_decodes_without_other_pictures(nine, monkeypatch):
    monkeypatch.setattr("codec.notebook.AT_ONCE", 269)
    with codec.open(nine[1]) as video:
        assert ["0", "0", "4", "8"] == re.findall('title="picture ([0-9]+)"', video._repr_html_())


def test_pictures_takes_a_range_with_and_without_an_executor(nine):
    pictures, path = nine
    with codec.open(path) as video, ThreadPoolExecutor(2) as executor:
        for start, stop in ((0, None), (3, 5), (4, 8), (-2, None), (0, 0), (5, 3), (0, 100)):
            for chosen in (None, executor):
                decoded = [picture.planes[0] for picture in video.pictures(start, stop, executor=chosen)]
                assert len(pictures[start:stop]) == len(decoded)
                assert all(map(np.array_equal, pictures[start:stop], decoded))


def test_a_file_that_is_not_there_is_a_media_error_that_names_it(tmp_path):
    for path in (tmp_path / "missing.mvz", tmp_path):
        for read in (codec.open, codec.decode):
            with pytest.raises(codec.MediaError) as caught:
                read(path)
            assert str(path) in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_file_that_cannot_seek_is_a_media_error(tmp_path):
    pipe = tmp_path / "pipe.mvz"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)  # keeps both ends open, so that neither waits for the other
    try:
        with pytest.raises(codec.MediaError, match=r"pipe\.mvz"):
            codec.open(pipe)
    finally:
        os.close(end)


# ------------------------------------------------------------------------- errors


def test_errors_form_the_documented_tree():
    assert {"CodecError"} == {base.__name__ for base in codec.ConfigError.__bases__ + codec.MediaError.__bases__}
    assert issubclass(codec.ExistsError, codec.MediaError)
    assert issubclass(codec.BitstreamError, codec.CodecError)
    for name in ("TruncatedError", "ChecksumError", "UnsupportedError", "LimitError"):
        assert issubclass(getattr(codec, name), codec.BitstreamError)
    assert all(name in errors.__doc__ for name in errors.__all__)


@pytest.mark.parametrize("name", sorted(name for name in codec.__all__ if name.endswith("Error")))
def test_errors_survive_pickling_whole(name):
    kind = getattr(codec, name)
    error = kind("rule", path="a.mvz", offset=12) if issubclass(kind, codec.BitstreamError) else kind("rule")
    back = pickle.loads(pickle.dumps(error))
    assert kind is type(back)
    assert str(error) == str(back)
    assert vars(error) == vars(back)


@pytest.mark.parametrize("scene_cut", [True, False])
def test_a_scene_cut_starts_a_gop_if_wanted(scene_cut, tmp_path):
    pictures = [picture for seed in (1, 2, 3) for picture in moving_sequence(208, 144, 4, seed)]
    settings = codec.Settings(gop=32, scene_cut=scene_cut)
    codec.encode(pictures, tmp_path / "a.mvz", settings)
    with codec.open(tmp_path / "a.mvz") as video:
        types = "".join(picture.type.name for picture in video.info.pictures)
        assert types == ("IPPPIPPPIPPP" if scene_cut else "IPPPPPPPPPPP")
        for expected, decoded in zip(pictures, video.pictures(), strict=True):
            assert expected.same_samples(decoded)


@pytest.mark.parametrize("residual", ["lossless", "int8", "dct"])
def test_pictures_whose_memory_cannot_be_written_to_are_encoded_like_others(residual):
    pictures = list(map(codec.Picture.from_array, ramp(3, (16, 24))))
    files = [io.BytesIO(), io.BytesIO()]
    codec.encode(pictures, files[0], codec.Settings(residual))
    for picture in pictures:
        picture.planes[0].flags.writeable = False
    codec.encode(pictures, files[1], codec.Settings(residual))
    assert files[0].getvalue() == files[1].getvalue()
