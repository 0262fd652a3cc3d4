"""``mvz verify`` as its user meets it: files that are whole, damaged, cut, or not what their source was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import codec
from codec.picture.planes import Picture

ROOT = Path(__file__).parent.parent
FRAMES = ROOT / "fixtures" / "sources" / "rgb_40x32"  # 4 pictures
KEYS = {
    *("file", "source", "ok", "reason", "whole", "packets", "pictures", "gops"),
    *("residual", "promised_error", "comparison", "archived", "restorable"),
}
PACKETS = 6  # header, metadata, two GOPs of a run each, index, end


@pytest.fixture
def verdict(mvz):
    """Run ``mvz verify --json``; returns the exit code and the object, whose keys are always the same."""

    def call(*arguments: object) -> tuple[int, dict]:
        code, out, err = mvz("verify", *arguments, "--json")
        found = json.loads(out)
        assert set(found) == KEYS
        assert code == (0 if found["ok"] else 1)
        assert err == "" if found["ok"] else err.startswith(f"mvz: {found['reason']}") and err.count("\n") == 1
        return code, found

    return call


@pytest.fixture
def clip(tmp_path):
    """An exact file of two GOPs of two pictures."""
    path = tmp_path / "clip.mvz"
    codec.encode(FRAMES, path, codec.Settings(gop=2, scene_cut=False))
    return path


@pytest.fixture
def near(tmp_path):
    """A file that is off by at most 2."""
    path = tmp_path / "near.mvz"
    codec.encode(FRAMES, path, codec.Settings(max_error=2))
    return path


@pytest.fixture
def samples():
    """The pictures of the source, uint8 (4, 32, 40, 3)."""
    from codec.picture.colour import to_array
    from codec.picture.sources import open_source

    with open_source(FRAMES) as source:
        return np.stack([to_array(picture) for picture in source])


def saved(path, array):
    np.save(path, array)
    return path


def damaged(path, position, mask=1):
    """Flip bits of one byte of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= mask
    path.write_bytes(data)
    return path


# ------------------------------------------------------------------------------------------- the file alone


def test_a_whole_file_is_said_to_be_whole_and_what_was_checked(mvz, clip):
    whole = f"{clip}: whole; {PACKETS} packets and 4 pictures (2 GOPs) have their CRC-32\n"
    assert mvz("verify", clip) == (0, whole, "")


def test_a_flip_of_any_byte_is_found(mvz, tmp_path):
    path = tmp_path / "small.mvz"
    with codec.Writer(path, (6, 4), "gray", metadata={"note": "a"}) as out:
        out.append(np.arange(24, dtype=np.uint8).reshape(4, 6))
        out.append(np.arange(24, dtype=np.uint8).reshape(4, 6) + 1)
    whole = path.read_bytes()
    assert mvz("verify", path)[0] == 0
    for position in range(len(whole)):
        code, out, err = mvz("verify", damaged(path, position))
        assert (code, out) == (1, ""), position
        assert err.startswith(f"mvz: {path}, byte "), position
        assert err.count("\n") == 1
        path.write_bytes(whole)


def test_a_picture_that_does_not_decode_to_its_own_crc_is_found(mvz, tmp_path, monkeypatch):
    path = tmp_path / "clip.mvz"
    with monkeypatch.context() as patch:
        patch.setattr(Picture, "crc32", lambda picture: 0)
        codec.encode(FRAMES, path)
    code, out, err = mvz("verify", path)
    assert (code, out) == (1, "")
    assert err.endswith(": picture 0 does not decode to its CRC-32\n")


def test_what_is_no_mvz_file_or_not_there_is_exit_code_1(mvz, verdict, tmp_path):
    y4m = ROOT / "fixtures" / "sources" / "yuv420_35x27.y4m"
    assert mvz("verify", y4m) == (1, "", f"mvz: {y4m}, byte 0: not an .mvz file: the signature is missing\n")
    missing = tmp_path / "missing.mvz"
    assert mvz("verify", missing) == (1, "", f"mvz: {missing}: cannot be read: No such file or directory\n")
    assert verdict(missing)[1]["whole"] is None


# ------------------------------------------------------------------------------------------- with its source


def test_a_lossless_file_is_exact(mvz, verdict, clip):
    code, out, err = mvz("verify", clip, FRAMES)
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == [f"{FRAMES}: exact: every sample is the same"]
    comparison = verdict(clip, FRAMES)[1]["comparison"]
    assert (comparison["identical"], comparison["max_error"], comparison["psnr"]) == (True, 0, None)


def test_one_sample_that_differs_is_found(mvz, verdict, clip, samples, tmp_path):
    samples[2, 5, 6, 1] ^= 1
    source = saved(tmp_path / "other.npy", samples)
    code, out, err = mvz("verify", clip, source)
    assert code == 1
    mse = 1 / samples.size
    psnr, green = (f"{10 * np.log10(255**2 / each):.2f}" for each in (mse, 3 * mse))
    expected = f"{source}: largest error 1, where exact is promised; PSNR {psnr} dB (R ∞, G {green}, B ∞)"
    assert out.splitlines()[1] == expected
    assert err == f"mvz: {clip}: off by up to 1 from {source}, first in picture 2; the file promises to be exact\n"
    found = verdict(clip, source)[1]
    assert (found["whole"], found["comparison"]["max_error"]) == (True, 1)


def test_near_lossless_keeps_its_promise(mvz, verdict, near):
    code, out, err = mvz("verify", near, FRAMES)
    assert (code, err) == (0, "")
    assert f"{FRAMES}: largest error 2, within the promised 2; PSNR " in out
    found = verdict(near, FRAMES)[1]
    assert (found["promised_error"], found["comparison"]["identical"]) == (2, False)


def test_near_lossless_that_is_further_off_breaks_its_promise(mvz, near, samples, tmp_path):
    with codec.open(near) as video:
        decoded = int(video[3][0, 0, 0])
    samples[3, 0, 0, 0] = decoded + 3 if decoded < 128 else decoded - 3
    source = saved(tmp_path / "other.npy", samples)
    code, out, err = mvz("verify", near, source)
    assert code == 1
    assert f"{source}: largest error 3, beyond the promised 2; PSNR " in out
    assert err == f"mvz: {near}: off by up to 3 from {source}, first in picture 3; the file promises at most 2\n"


def test_other_coders_promise_nothing(mvz, verdict, tmp_path):
    path = tmp_path / "lossy.mvz"
    codec.encode(FRAMES, path, codec.Settings(residual="int8", step=9))
    code, out, err = mvz("verify", path, FRAMES)
    assert (code, err) == (0, "")
    assert ", int8 promises nothing; PSNR " in out
    found = verdict(path, FRAMES)[1]
    assert (found["residual"], found["promised_error"]) == ("int8", None)
    assert found["comparison"]["max_error"] > 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda array: array[:3], "{source}: ends after 3 pictures; {clip} has more"),
        (lambda array: np.concatenate([array, array]), "{clip}: ends after 4 pictures; {source} has more"),
        (lambda array: array[:, :, :39], "{clip}, picture 0: is 40×32; 39×32 is needed"),
        (lambda array: array[..., 0], "{clip}, picture 0: is rgb; gray is needed"),
    ],
)
def test_a_source_of_another_shape_is_refused_and_the_file_still_checked(
    mvz, verdict, clip, samples, tmp_path, change, expected
):
    source = saved(tmp_path / "other.npy", np.ascontiguousarray(change(samples)))
    code, out, err = mvz("verify", clip, source)
    assert code == 1
    assert out.startswith(f"{clip}: whole; ")
    assert err.startswith("mvz: " + expected.format(source=source, clip=clip))
    assert err.count("\n") == 1
    found = verdict(clip, source)[1]
    assert (found["whole"], found["packets"], found["comparison"]) == (True, PACKETS, None)


def test_a_source_that_is_damaged_or_missing_does_not_make_the_file_so(verdict, clip, tmp_path):
    source = shutil.copy(clip, tmp_path / "source.mvz")
    found = verdict(clip, damaged(Path(source), clip.stat().st_size // 2))[1]
    assert found["whole"] is True
    assert found["reason"].startswith(f"{source}, byte ")
    found = verdict(clip, tmp_path / "nothing")[1]
    assert (found["whole"], found["reason"]) == (True, f"{tmp_path / 'nothing'}: no such file or folder")


def test_damage_of_the_file_comes_before_a_source_that_does_not_fit(verdict, clip, samples, tmp_path):
    source = saved(tmp_path / "short.npy", samples[:1])
    damaged(clip, clip.read_bytes().rindex(b"indx") - 20)  # in the last run, after the source has ended
    found = verdict(clip, source)[1]
    assert found["whole"] is False
    assert found["reason"].startswith(f"{clip}, byte ")


# ------------------------------------------------------------------------------------------- use
