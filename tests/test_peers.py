"""Other codecs on the same pictures: real ffmpeg where imageio-ffmpeg is there, and what happens where it is not."""

# ruff: noqa: SIM300  (the expected value comes first)

from __future__ import annotations

import json
import re
import sys
from fractions import Fraction

import numpy as np
import pytest

from codec.measure import peers as peers_module
from codec.measure.cache import SweepCache
from codec.measure.peers import PEERS, measure_peers
from codec.measure.points import Clip
from codec.measure.synthetic import moving_sequence
from codec.picture.colour import rgb_to_yuv444
from codec.picture.planes import Picture, PictureFormat, SampleFormat

FEW = tuple(peer._replace(values=peer.values[1:3]) for peer in PEERS)


def clip_of(sample_format, width=64, height=48, count=3):
    pictures = list(moving_sequence(width, height, count))
    if sample_format is not SampleFormat.RGB:
        yuv_format = PictureFormat(width, height, sample_format)
        pictures = [
            Picture(
                yuv_format,
                tuple(
                    plane[:: 1 << sub.log2_y, :: 1 << sub.log2_x]
                    for plane, sub in zip(rgb_to_yuv444(picture).planes, sample_format.subsampling, strict=False)
                ),
            )
            for picture in pictures
        ]
    return Clip("scene", Fraction(25), tuple(pictures))


@pytest.fixture
def ffmpeg(monkeypatch):
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(peers_module, "PEERS", FEW)


@pytest.mark.parametrize(
    ("sample_format", "exact", "left_out"),
    [
        (SampleFormat.YUV420, {"PNG", "ffv1", "x264 lossless"}, {"WebP", "x264 lossless, RGB"}),
        (SampleFormat.YUV444, {"PNG", "ffv1", "x264 lossless"}, {"WebP", "x264 lossless, RGB"}),
        (SampleFormat.RGB, {"PNG", "WebP", "ffv1", "x264 lossless, RGB"}, {"x264 lossless"}),
        (SampleFormat.GRAY, {"PNG", "ffv1", "x264 lossless"}, {"WebP", "x264 lossless, RGB"}),
    ],
)
def test_lossless_peers_are_exact_and_others_are_near(ffmpeg, sample_format, exact, left_out):
    points, skipped = measure_peers(clip_of(sample_format), ssim=False)
    assert exact == {point.peer for point in points if point.exact}
    assert left_out == {peer for peer, _ in skipped}
    lossy = [point for point in points if not point.exact]
    assert {"x264 high, P only", "x264", "MPEG-2", "MPEG-4", "VP9", "MJPEG"} == {point.peer for point in lossy}
    assert all(22 < point.psnr < 50 for point in lossy), [(point.label, point.psnr) for point in lossy]
    for first, second in zip(lossy[::2], lossy[1::2], strict=True):
        assert first.peer == second.peer
        assert (first.file_bytes, first.mse) > (second.file_bytes, 0)
        assert first.mse < second.mse
    assert all(point.version.startswith(("ffmpeg version", "Pillow")) for point in points)
    assert all("INPUT" in point.command or "Image.save" in point.command for point in points)


def test_odd_sizes_and_what_a_peer_refuses_are_told(ffmpeg):
    points, skipped = measure_peers(clip_of(SampleFormat.GRAY, 33, 25, 2), ssim=False)
    assert {"x264 high, P only", "x264"} <= {peer for peer, why in skipped if "not divisible by 2" in why}
    assert "MPEG-2" in {point.peer for point in points}


def test_without_ffmpeg_pillow_is_measured_and_the_rest_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    told = []
    points, skipped = measure_peers(clip_of(SampleFormat.RGB), ssim=False, progress=told.append)
    assert ["PNG", "WebP"] == [point.peer for point in points]
    assert {peer.name for peer in PEERS} == {peer for peer, _ in skipped}
    assert all("ffmpeg is not there" in why for _, why in skipped)
    assert [*points, *skipped] == told


def test_what_was_measured_is_not_run_again(ffmpeg, monkeypatch, tmp_path):
    clip = clip_of(SampleFormat.YUV420)
    first, _ = measure_peers(clip, cache=SweepCache(tmp_path / "points", clip))
    monkeypatch.setattr(peers_module, "encoded", pytest.fail)
    monkeypatch.setattr(peers_module, "compare_sequences", pytest.fail)
    again, _ = measure_peers(clip, cache=SweepCache(tmp_path / "points", clip))
    assert first == again


def test_report_says_what_was_run(mvz, ffmpeg, tmp_path):
    clip = tmp_path / "clip.npy"
    np.save(clip, np.stack([np.stack(picture.planes, 2) for picture in clip_of(SampleFormat.RGB).pictures]))
    arguments = ["--residual", "int8", "--motion", "none,block", "--peers", "--json", tmp_path / "points.json"]
    code, _, err = mvz("report", clip, "-o", tmp_path / "report.html", *arguments)
    assert (0, True) == (code, "8 points, and other codecs" in err), err
    page = (tmp_path / "report.html").read_text("utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert "-c:v libx264 -crf N" in text
    assert "x264, crf N: 20, 26 (ffmpeg version" in text
    assert "x264 lossless: left out; it does not keep rgb as it is" in page
    assert "Curve against curve" in page
    values = json.loads((tmp_path / "points.json").read_text("utf-8"))
    assert {"MPEG-2", "VP9"} < {peer["codec"] for peer in values["peers"]}
    assert "int8, block" == values["bd_rates"][0]["anchor"]
