"""Other codecs on the same pictures: real ffmpeg where it is there, and what happens where it is not or fails."""

import json
import re
import shutil
import sys
from fractions import Fraction

import numpy as np
import pytest

from codec.errors import ConfigError
from codec.measure import peers as peers_module
from codec.measure.cache import SweepCache
from codec.measure.peers import CONSTANT, PEERS, Peer, measure_peers
from codec.measure.points import Clip
from codec.measure.sweep import sweep
from codec.measure.synthetic import moving_sequence
from codec.picture.colour import rgb_to_yuv444
from codec.picture.planes import Colour, ColourRange, Picture, PictureFormat, SampleFormat
from codec.settings import Settings
from codec.show.report import make_report

FEW = tuple(peer._replace(values=peer.values[1:3]) for peer in PEERS)
LOSSY = {peer.name for peer in PEERS if not peer.is_lossless}
ONLY_420 = {"SVT-AV1, low delay", "MPEG-4"}


def clip_of(sample_format, width=64, height=64, count=3):
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
    if shutil.which("ffmpeg") is None:
        pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(peers_module, "PEERS", FEW)


def lacking(skipped):
    """Peers that this build of ffmpeg does not have."""
    return {peer for peer, why in skipped if "this ffmpeg has no encoder" in why}


@pytest.mark.parametrize(
    ("sample_format", "exact", "left_out"),
    [
        (SampleFormat.YUV420, {"PNG", "ffv1", "x264 lossless"}, {"WebP", "x264 lossless, RGB"}),
        (SampleFormat.YUV422, {"PNG", "ffv1", "x264 lossless"}, {"WebP", "x264 lossless, RGB", *ONLY_420}),
        (SampleFormat.YUV444, {"PNG", "ffv1", "x264 lossless"}, {"WebP", "x264 lossless, RGB", "MPEG-2", *ONLY_420}),
        (SampleFormat.RGB, {"PNG", "WebP", "ffv1", "x264 lossless, RGB"}, {"x264 lossless"}),
        (SampleFormat.GRAY, {"PNG", "ffv1", "x264 lossless"}, {"WebP", "x264 lossless, RGB"}),
    ],
)
def test_lossless_peers_are_exact_and_others_are_near(ffmpeg, sample_format, exact, left_out):
    points, skipped = measure_peers(clip_of(sample_format), ssim=False)
    left_out = left_out | lacking(skipped)
    assert exact == {point.peer for point in points if point.exact}
    assert left_out == {peer for peer, _ in skipped}, skipped
    lossy = [point for point in points if not point.exact]
    assert LOSSY - left_out == {point.peer for point in lossy}
    assert all(22 < point.psnr < 50 for point in lossy), [(point.label, point.psnr) for point in lossy]
    for first, second in zip(lossy[::2], lossy[1::2], strict=True):
        assert first.peer == second.peer
        assert (first.file_bytes, first.mse) > (second.file_bytes, 0)
        assert first.mse < second.mse
    assert all(point.version.startswith(("ffmpeg version", "Pillow")) for point in points)
    assert all("INPUT" in point.command or "Image.save" in point.command for point in points)


@pytest.mark.parametrize("chroma", ["420", "444"])
def test_lossy_peers_of_rgb_make_what_they_make_of_the_planes_that_dct_codes(ffmpeg, chroma):
    clip = clip_of(SampleFormat.RGB)
    of_rgb, of_planes = (
        {point.label: point for point in measure_peers(given, chroma=chroma, ssim=False)[0] if not point.exact}
        for given in (clip, clip.as_coded(chroma))
    )
    assert of_planes.keys() == of_rgb.keys() >= {"x264, crf 20", f"x264{CONSTANT}, qp 20"}
    for label, point in of_rgb.items():
        assert f"yuv{chroma}" == point.measured_in
        near = 0.02 if label.startswith("x265") else 0  # whose files of small pictures differ now and then
        assert point.file_bytes == pytest.approx(of_planes[label].file_bytes, near)
        assert point.mse == pytest.approx(of_planes[label].mse, near)
        assert clip.source_bytes == point.source_bytes


@pytest.mark.parametrize("chroma", ["420", "444"])
def test_dct_of_rgb_is_measured_in_the_planes_that_it_codes_too(chroma):
    clip = clip_of(SampleFormat.RGB)
    (of_rgb,), (of_planes,) = (
        sweep(given, [Settings("dct", qp=30, **dial)], ssim=False)
        for given, dial in ((clip, {"chroma": chroma}), (clip.as_coded(chroma), {}))
    )
    assert of_planes.error == of_rgb.coded_error == of_rgb.as_coded().error
    assert f"yuv{chroma}" == of_rgb.as_dict()["coded"]["sample_format"]
    assert ("R", "G", "B") == tuple(of_rgb.error.planes)
    assert of_planes.coded_error is None


@pytest.mark.parametrize("colour_range", ColourRange)
def test_no_peer_scales_the_range_of_samples(ffmpeg, colour_range):
    flat = PictureFormat(64, 64, SampleFormat.YUV420, Colour(range=colour_range))
    planes = [np.full(shape, level, np.uint8) for shape, level in zip(flat.plane_shapes, (250, 5, 250), strict=True)]
    points, skipped = measure_peers(Clip("flat", Fraction(25), (Picture(flat, tuple(planes)),) * 2), ssim=False)
    assert {point.peer for point in points} > LOSSY - lacking(skipped)
    furthest = {point.label: point.error.total.max_error for point in points}
    assert max(furthest.values()) <= 6, furthest  # 250 of 255 scaled to 16…235 would be 231


def test_x264_and_x265_are_told_with_one_quantiser_too():
    of_quantiser = {peer.name.removesuffix(CONSTANT) for peer in PEERS if peer.name.endswith(CONSTANT)}
    assert {"x264", "x264 high, P only", "x265, P only"} == of_quantiser
    assert {"-qp Q"} == {peer.options[-5:] for peer in PEERS if peer.name.endswith(CONSTANT)}


def test_odd_sizes_and_what_a_peer_refuses_are_told(ffmpeg):
    points, skipped = measure_peers(clip_of(SampleFormat.GRAY, 33, 25, 2), ssim=False)
    assert {"x264 high, P only", "x264"} <= {peer for peer, why in skipped if "not divisible by 2" in why}
    assert "MPEG-2" in {point.peer for point in points}


def test_without_ffmpeg_pillow_is_measured_and_the_rest_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = []
    points, skipped = measure_peers(clip_of(SampleFormat.RGB), ssim=False, progress=told.append)
    assert ["PNG", "WebP"] == [point.peer for point in points]
    assert {peer.name for peer in PEERS} == {peer for peer, _ in skipped}
    assert all("ffmpeg is not there" in why for _, why in skipped)
    assert [*points, *skipped] == told


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for ffmpeg")
def test_ffmpeg_on_path_is_used_first_if_it_runs(monkeypatch, tmp_path):
    script = tmp_path / "ffmpeg"
    script.write_text(
        "#!/bin/sh\n[ \"$2\" ] && { echo '[out#0 @ 0x1] no encoder' >&2; exit 1; }\necho ffmpeg version 0\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (str(script), "ffmpeg version 0, found on PATH") == peers_module._ffmpeg()
    _, skipped = measure_peers(clip_of(SampleFormat.YUV420), ssim=False)
    whys = dict(skipped)
    assert "no encoder" == whys["x264"]
    assert {peer.name for peer in PEERS} <= set(whys)
    script.write_text("#!/bin/sh\nexit 1\n")
    pytest.importorskip("imageio_ffmpeg")
    assert peers_module._ffmpeg()[1].endswith("of the package imageio-ffmpeg")


def test_a_peer_that_fails_leaves_the_others_alone(ffmpeg, monkeypatch):
    odd = (
        Peer("unknown", "-c:v libnothing", keeps=tuple(SampleFormat)),
        Peer("refuses", "-c:v libvpx-vp9 -b:v 0 -crf Q", "crf", (20, 999)),
        Peer("not exact", "-c:v mpeg2video -vf setparams=range=tv -q:v 31", is_lossless=True),
        Peer("converts", "-c:v libx264 -vf format=rgb24", "qp", (20,)),
        FEW[-1],
    )
    monkeypatch.setattr(peers_module, "PEERS", odd)
    points, skipped = measure_peers(clip_of(SampleFormat.YUV420), ssim=False)
    assert ["refuses", "MJPEG", "MJPEG"] == [point.peer for point in points if not point.exact]
    whys = dict(skipped)
    assert "this ffmpeg has no encoder libnothing" == whys["unknown"]
    assert whys["refuses"].startswith("from crf 999 on: ")
    assert "what came back is not exact" == whys["not exact"]
    assert "converts" in whys


def test_what_was_measured_is_not_run_again(ffmpeg, monkeypatch, tmp_path):
    clip = clip_of(SampleFormat.RGB)
    first, _ = measure_peers(clip, cache=SweepCache(tmp_path / "points", clip))
    monkeypatch.setattr(peers_module, "encoded", pytest.fail)
    monkeypatch.setattr(peers_module, "compare_sequences", pytest.fail)
    again, _ = measure_peers(clip, cache=SweepCache(tmp_path / "points", clip))
    assert first == again


def test_report_of_rgb_keeps_what_is_measured_in_other_planes_apart(mvz, ffmpeg, tmp_path):
    clip = tmp_path / "clip.npy"
    np.save(clip, np.stack([np.stack(picture.planes, 2) for picture in clip_of(SampleFormat.RGB).pictures]))
    arguments = ["--residual", "int8,dct", "--motion", "block", "--peers", "--json", tmp_path / "points.json"]
    code, _, err = mvz("report", clip, "-o", tmp_path / "report.html", *arguments)
    assert (0, True) == (code, "8 points, and other codecs" in err), err
    page = (tmp_path / "report.html").read_text("utf-8")
    text = " ".join(re.sub(r"<[^>]+>", "", page).split()).replace("&#39;", "'")
    assert re.search("ffmpeg version.* x264, crf 20 ffmpeg [^,]*-c:v libx264 [^,]*-crf 20 .* x264, crf 26 ", text)
    assert "x264 lossless (it does not code rgb as it is)" in text
    assert "All errors here are in the samples of the source, RGB" in text
    assert "All errors here are in the planes that dct codes, Y'CbCr 4:2:0, which mvz makes from RGB" in text
    of_rgb, of_planes = re.findall(r"<h3>Measured in .*?</table>", page, re.S)
    assert ("int8" in of_rgb, ">ffv1<" in of_rgb, "MPEG-2" in of_rgb) == (True, True, False)
    assert ("int8" in of_planes, ">ffv1<" in of_planes, "MPEG-2" in of_planes) == (False, False, True)
    assert ("PSNR-R" in of_rgb, "PSNR-YUV" in of_rgb, "PSNR-YUV" in of_planes) == (True, False, True)
    values = json.loads((tmp_path / "points.json").read_text("utf-8"))
    assert {"rgb", "yuv420"} == {peer["measured_in"] for peer in values["peers"]}
    compared = {comparison["curve"]: comparison for comparison in values["bd_rates"]}
    assert ("rgb", "int8, block") == (compared["dct, block"]["measured_in"], compared["dct, block"]["anchor"])
    assert ("yuv420", "dct, block") == (compared["VP9"]["measured_in"], compared["VP9"]["anchor"])


def test_peers_beside_dct_in_two_chromas_are_refused(tmp_path):
    settings = [Settings("dct", chroma="420"), Settings("dct", chroma="444")]
    with pytest.raises(ConfigError, match="one chroma at a time"):
        make_report(clip_of(SampleFormat.RGB), tmp_path / "page.html", settings=settings, peers=True)
