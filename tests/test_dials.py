"""A dial that is accepted changes what is coded, and one that would not is refused: settings and command line."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import codec
from codec.models import MotionModel, ResidualCoder

OTHER = {
    "step": 9,
    "qp": 40,
    "quality": "low",
    "chroma": "444",
    "max_error": 2,
    "block": 8,
    "search": 0,
    "run": 3,
    "speed": "fast",
    "scene_cut": False,
}
"""Of every dial a value that is not what is taken without."""


@pytest.fixture(scope="module")
def scenes(moving):
    """Moving pictures, and another scene, in RGB: uint8 (7, 80, 96, 3)."""
    first = [picture.planes for picture in moving("rgb", 96, 80, 5)]
    second = [tuple(255 - plane[::-1] for plane in planes) for planes in first]
    return np.stack([np.stack(planes, axis=-1) for planes in (*first, *second[:2])])


def coded_bytes(pictures, path, settings):
    """The payloads of all picture packets: what is coded, without what headers say of how."""
    codec.encode(pictures, path, settings, force=True)
    with codec.open(path) as video:
        return [packet.payload for packet in video.packets() if packet.kind == b"PICS"]


@pytest.mark.parametrize("gop", [1, 32])
@pytest.mark.parametrize("motion", [motion.label for motion in MotionModel])
@pytest.mark.parametrize("residual", [residual.label for residual in ResidualCoder])
def test_a_dial_is_accepted_if_and_only_if_it_changes_what_is_coded(
    tmp_path, monkeypatch, scenes, residual, motion, gop
):
    if (motion, gop) == ("mesh", 1):
        pytest.skip("refused: see below")
    plain = codec.Settings(residual, motion, gop=gop)
    accepted = set()
    for name, value in OTHER.items():
        try:
            replace(plain, **{name: value})
            accepted.add(name)
        except codec.ConfigError as error:
            assert str(error).startswith(f"{name} ")
    monkeypatch.setattr(codec.Settings, "_idle", lambda self: ())
    if residual != "lossless":
        monkeypatch.delitem(OTHER, "max_error")  # no file of another coder may say it
    before = coded_bytes(scenes, tmp_path / "x.mvz", plain)
    effective = {
        name
        for name, value in OTHER.items()
        if before != coded_bytes(scenes, tmp_path / "x.mvz", replace(plain, **{name: value}))
    }
    assert effective == accepted


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ("LOSSLESS", None, None)),
        ({"qp": 30}, ("DCT", None, 30)),
        ({"qp": 30, "chroma": "444"}, ("DCT", None, 30)),
        ({"step": 8}, ("INT8", 8, None)),
        ({"max_error": 2}, ("LOSSLESS", None, None)),
        ({"residual": "uint8", "step": 8}, ("UINT8", 8, None)),
    ],
)
def test_a_dial_alone_means_the_coder_that_has_it(arguments, expected):
    settings = codec.Settings(**arguments)
    assert expected == (settings.residual.name, settings.step, settings.qp)
    assert settings == pickle.loads(pickle.dumps(settings)) == replace(settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"residual": "zip"}, "residual is one of lossless, int8, uint8, float16, dct, not 'zip'"),
        ({"motion": "warp"}, "motion is one of none, block, mesh, not 'warp'"),
        ({"motion": None}, "motion is one of"),
        ({"block": 0}, "block is one of 4, 8, 16, 32, not 0"),
        ({"block": 16.0}, "block is one of"),
        ({"search": -1}, "search is a whole number from 0 to 256, not -1"),
        ({"search": 257}, "search is a whole number"),
        ({"gop": 0}, "gop is a whole number from 1 to 1024, not 0"),
        ({"gop": 1025}, "gop is a whole number"),
        ({"gop": True}, "gop is a whole number"),
        ({"run": "2"}, "run is a whole number"),
        ({"residual": "int8", "step": 0}, "step is a whole number from 1 to 65280, not 0"),
        ({"residual": "uint8", "step": 65281}, "step is a whole number"),
        ({"residual": "lossless", "step": 4}, "step is for int8 and uint8, not lossless"),
        ({"max_error": -1}, "max_error is a whole number from 0 to 32767, not -1"),
        ({"max_error": 32768}, "max_error is a whole number"),
        ({"residual": "int8", "max_error": 1}, "max_error is for lossless, not int8"),
        *(({"qp": qp}, "qp is a number from -24 to 51") for qp in ("28", float("nan"), float("inf"), -25, 51.01, True)),
        ({"alpha": "lose"}, "alpha is one of keep, clear, drop, not 'lose'"),
        ({"background": "mauve"}, "background is black, gray, white, or a colour such as #f80 or #ff8800, not 'mauve'"),
        ({"background": "#12345"}, "background is black"),
        ({"background": (1, 2, 3)}, "background is black"),
        ({"alpha": "keep", "background": "white"}, "background has no effect with alpha keep"),
        ({"alpha": "clear", "background": "white"}, "background has no effect with alpha clear"),
        ({"alpha_error": -1}, "alpha_error is a whole number from 0 to 32767, not -1"),
        ({"alpha": "drop", "alpha_error": 1}, "alpha_error has no effect where alpha is not kept"),
        ({"step": 8, "alpha_error": 1}, "alpha_error is for lossless and dct, not int8"),
        ({"background": "white", "alpha_error": 1}, "alpha_error has no effect where alpha is not kept"),
        *(({"target_size": said}, "target_size is a number of bytes") for said in ("2Mbit", "MB", "-1", 0, 1.5, True)),
        *(({"bitrate": said}, "bitrate is a number of bits a second") for said in ("1MB", "fast", "", 0, None, [])[:4]),
        ({"target_psnr": 0}, "target_psnr is decibels from 1 to 120"),
        ({"target_psnr": "40"}, "target_psnr is decibels from 1 to 120"),
        ({"target_max_error": 0}, "target_max_error is a whole number from 1 to 32767"),
        ({"quality": "best"}, "quality is one of low, medium, high, visually-lossless"),
        ({"qp": 30, "target_size": "1MB"}, "target_size has no effect with qp"),
        ({"target_psnr": 40, "bitrate": "1M"}, "target_psnr has no effect with bitrate"),
        ({"quality": "low", "target_psnr": 40}, "target_psnr has no effect with quality"),
        ({"residual": "int8", "target_size": "1MB"}, "target_size is for dct, not int8"),
        (
            {"residual": "lossless", "target_max_error": 3},
            "target_max_error is for dct, not lossless; max_error bounds",
        ),
        ({"residual": "uint8", "target_max_error": 3}, "target_max_error is for dct, not uint8; step bounds"),
    ],
)
def test_settings_that_are_out_of_range_or_mean_nothing_are_refused_by_name(arguments, message):
    with pytest.raises(codec.ConfigError) as caught:
        codec.Settings(**arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chroma": "444"}, "chroma is for dct, not lossless"),
        ({"residual": "int8", "step": 8, "qp": 10}, "qp is for dct, not int8"),
        ({"step": 8, "qp": 10}, "step is for int8 and uint8, not dct"),
        ({"qp": 20, "max_error": 0}, "max_error is for lossless, not dct"),
        ({"qp": 20, "block": 8}, "block is not for dct, which chooses the sizes of its blocks"),
        ({"motion": "none", "search": 32}, "search has no effect with motion none"),
        ({"motion": "none", "block": 16}, "block has no effect with motion none"),
        ({"gop": 1, "motion": "mesh"}, "motion mesh has no effect with gop 1, where every picture is an I picture"),
        ({"gop": 1, "scene_cut": True}, "scene_cut has no effect with gop 1"),
    ],
)
def test_a_dial_without_effect_is_refused_by_settings_and_command_line(tmp_path, mvz, arguments, message):
    with pytest.raises(codec.ConfigError) as caught:
        codec.Settings(**arguments)
    assert str(caught.value).startswith(message)
    words = []
    for name, value in arguments.items():
        words += [f"--{name.replace('_', '-')}"] if value is True else [f"--{name.replace('_', '-')}", value]
    code, out, err = mvz("encode", "anything", "-o", tmp_path / "x.mvz", *words)
    name, _, rest = message.partition(" ")
    assert (code, out) == (2, "")
    assert err.startswith(f"mvz: --{name.replace('_', '-')} {rest}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--residual", "lossless,dct", "--step", "8"], "--step is for int8 and uint8, not lossless, dct"),
        (["--residual", "lossless", "--points", "5"], "--points has no effect: lossless is one point a curve"),
        (["--residual", "int8", "--points", "5", "--step", "8"], "--points has no effect: --step says which points"),
        (["--scheduler", "tcp://nowhere:1", "--jobs", "2"], "--jobs has no effect with --scheduler"),
    ],
)
def test_report_refuses_options_that_change_no_point(tmp_path, mvz, words, message):
    code, _, err = mvz("report", tmp_path, "-o", tmp_path / "x.html", *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("mode", ["gray", "yuv420", "yuv444"])
@pytest.mark.parametrize("chroma", ["420", "444"])
def test_chroma_is_refused_for_pictures_that_are_not_rgb(tmp_path, mode, chroma):
    with pytest.raises(codec.ConfigError, match=f"chroma {chroma} is for RGB pictures; these are {mode}"):
        codec.Writer(tmp_path / "x.mvz", (16, 16), mode, codec.Settings(qp=30, chroma=chroma))
    assert list(tmp_path.iterdir()) == []
