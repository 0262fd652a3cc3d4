"""Films through FFmpeg's libraries: read exactly, and written exactly or by x264."""

import json
import os
import struct
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from media_files import random_pictures

import codec
from codec import MediaError
from codec.picture.colour import to_array
from codec.picture.planes import Colour, ColourMatrix, ColourPrimaries, ColourRange, ColourTransfer

av = pytest.importorskip("av", minversion="18")

from codec.picture.pixel_layouts import layout_of, planes_of  # noqa: E402
from codec.picture.sources import open_source  # noqa: E402

NTSC = Fraction(30000, 1001)
QUICK = codec.Settings(motion="none", speed="fast")
EVERY_LAYOUT = [
    *("gray", "gray9le", "gray10le", "gray12le", "gray14le", "gray16le", "bgr0", "ya8", "bgra", "rgb48le", "rgba64le"),
    *(f"yuv4{sub}p{depth}" for sub in (20, 22, 44) for depth in ("", "9le", "10le", "12le", "14le", "16le")),
    *("gbrp9le", "gbrp10le", "gbrp12le", "gbrp14le", "gbrp16le", "gbrap10le", "gbrap12le", "gbrap14le", "gbrap16le"),
]
RAW_LAYOUTS = ["rgb24", "bgr24", "argb", "abgr", "rgba", "0rgb", "0bgr", "rgb0", "gbrp", "gbrap", "gray16be", "rgb48be"]
RAW_LAYOUTS += ["yuv420p10be", "yuvj420p", "ya16be", "bgr48le"]


def noise_frame(pixels, size, seed=0):
    """A frame of random samples, that of 9…14 bits are not larger than those may be."""
    frame = av.VideoFrame(*size, pixels)
    depth = max(component.bits for component in frame.format.components)
    for number, plane in enumerate(frame.planes):
        kind = np.dtype("u1" if depth == 8 else ">u2" if frame.format.is_big_endian else "<u2")
        random = np.random.default_rng(100 * seed + number)
        samples = random.integers(0, 1 << depth, plane.buffer_size // kind.itemsize, np.uint16)
        np.frombuffer(plane, kind)[:] = samples
    return frame


def film(path, pixels="yuv420p", coder="ffv1", count=4, size=(6, 4), rate=NTSC, times=None, prepare=None, **options):
    """A film of random pictures, made by PyAV alone; gives the frames back."""
    frames = [noise_frame(pixels, size, seed) for seed in range(count)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(coder, rate, options=options)
        stream.codec_context.width, stream.codec_context.height = size
        stream.codec_context.pix_fmt = pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if prepare is not None:
            prepare(container, stream)
        for number, frame in enumerate(frames):
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return frames


def read(path, **options):
    with open_source(path, **options) as source:
        return source, list(source)


def bytes_of(frame):
    """The samples of a frame without what fills its lines, as libav's own command would write them."""
    lines = []
    for plane in frame.planes:
        used = plane.width * (frame.format.padded_bits_per_pixel if len(frame.planes) == 1 else 0) // 8
        used = used or plane.width * (2 if max(each.bits for each in frame.format.components) > 8 else 1)
        lines.append(np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, :used].tobytes())
    return b"".join(lines)


# ------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("pixels", EVERY_LAYOUT)
def test_samples_are_those_that_libav_decodes(pixels, tmp_path):
    film(tmp_path / "a.mkv", pixels, size=(6, 4), count=2)
    with av.open(str(tmp_path / "a.mkv")) as container:
        frames = list(container.decode(container.streams.video[0]))
    source, pictures = read(tmp_path / "a.mkv")
    layout = layout_of(frames[0].format.name)
    assert (2, 2, layout.bit_depth) == (len(frames), len(pictures), source.format.bit_depth)
    for frame, picture in zip(frames, pictures, strict=True):
        planes = dict(zip(picture.format.sample_format.plane_names, picture.planes, strict=True))
        names = [name.upper() for name in layout.order]
        kind = "<u2" if layout.bit_depth > 8 else "u1"
        if layout.is_packed:
            spare = np.zeros_like(picture.planes[0])
            expected = np.stack([planes.get(name, spare) for name in names], axis=2)
            given = np.frombuffer(bytes_of(frame), kind).reshape(expected.shape).copy()
            given[..., [number for number, name in enumerate(names) if name == "0"]] = 0
            np.testing.assert_array_equal(expected, given)
        else:
            assert b"".join(planes[name].astype(kind).tobytes() for name in names) == bytes_of(frame)


@pytest.mark.parametrize("pixels", RAW_LAYOUTS)
def test_layouts_that_only_raw_films_have_mean_the_same_colours(pixels, tmp_path):
    """Against libav's own conversion to a layout that is tested above."""
    frame = noise_frame(pixels, (6, 4))
    plain = {"yuv420p10be": "yuv420p10le", "yuvj420p": "yuv420p", "gray16be": "gray16le", "ya16be": "ya16le"}.get(
        pixels
    )
    if plain is None:
        deep = "48" in pixels or "64" in pixels
        has_alpha = any(component.is_alpha for component in frame.format.components)
        plain = ("rgba64le" if deep else "rgba") if has_alpha else "rgb48le" if deep else "rgb24"

    def planes(frame):
        layout = layout_of(frame.format.name)
        return planes_of(frame, layout, codec.PictureFormat(6, 4, layout.sample_format, bit_depth=layout.bit_depth))

    same_range = {"src_color_range": "JPEG", "dst_color_range": "JPEG"}
    for expected, given in zip(planes(frame.reformat(format=plain, **same_range)), planes(frame), strict=True):
        np.testing.assert_array_equal(expected, given)


@pytest.mark.parametrize("pixels", ["yuva444p10le", "nv12", "yuv410p"])
def test_pixels_that_we_have_no_planes_for_are_refused_with_the_command_that_makes_others(pixels, mvz, tmp_path):
    source = tmp_path / "a film.mkv"
    film(source, pixels, "ffv1" if pixels in ("yuva444p10le", "yuv410p") else "rawvideo", count=1, size=(16, 16))
    nearest = {"yuva444p10le": "gbrap10le", "nv12": "yuv420p", "yuv410p": "yuv420p"}[pixels]
    changes = "changes no sample" if pixels == "nv12" else "changes some"
    code, out, err = mvz("encode", source, "-o", tmp_path / "x.mvz")
    assert (1, "") == (code, out)
    assert (
        f"pixels are {pixels}, which mvz has no planes for; the nearest that it has is {nearest}, which {changes}: "
        in err
    )
    assert f"ffmpeg -i '{source}' -map 0:v -pix_fmt {nearest} -c:v ffv1 'a film.ffv1.mkv'" in err


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".ts", ".webm"])
@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(24000, 1001), Fraction(15, 2)], ids=str)
def test_a_steady_rate_is_exact_though_the_clock_of_the_file_is_not(rate, suffix, tmp_path):
    if suffix == ".ts" and rate == Fraction(15, 2):
        pytest.skip("MPEG-2 has no such rate")
    coder = {".avi": "ffv1", ".ts": "mpeg2video", ".webm": "libvpx-vp9"}.get(suffix, "libx264")
    film(tmp_path / f"a{suffix}", coder=coder, count=31, rate=rate, size=(32, 32))
    source, pictures = read(tmp_path / f"a{suffix}")
    assert (rate, 31, 31, {None}) == (source.rate, source.count, len(pictures), {each.duration for each in pictures})


TIMES = [0, 40, 80, 200, 240, 300, 310, 400]  # milliseconds


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_times_that_are_no_rate_are_kept_as_durations(suffix, tmp_path):
    film(tmp_path / f"a{suffix}", coder="libx264", count=8, times=TIMES, size=(32, 32))
    source, pictures = read(tmp_path / f"a{suffix}")
    shown = [picture.duration * 1000 for picture in pictures]
    assert [40, 40, 120, 40, 60, 10, 90] == shown[:-1]
    assert 15 < source.rate < 21
    assert {None} == {picture.duration for picture in read(tmp_path / f"a{suffix}", rate=NTSC)[1]}


def test_colour_is_kept(tmp_path):
    def prepare(container, stream):
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, 16, 2

    film(tmp_path / "a.mkv", "yuv444p10le", prepare=prepare)
    expected = Colour(ColourMatrix.BT2020, ColourRange.FULL)
    expected = replace(expected, primaries=ColourPrimaries.BT2020, transfer=ColourTransfer.PQ)
    assert expected == read(tmp_path / "a.mkv")[0].format.colour


def test_a_colour_without_a_name_is_said(tmp_path):
    def prepare(container, stream):
        stream.codec_context.colorspace = 8  # YCgCo

    film(tmp_path / "a.mkv", "yuv444p", prepare=prepare)
    source, _ = read(tmp_path / "a.mkv")
    assert [f"{tmp_path / 'a.mkv'}: mvz has no name for matrix 8 of H.273, left out"] == source.notes
    assert ColourMatrix.UNSPECIFIED is source.format.colour.matrix


def with_rotation_and_shape(container, stream):
    stream.set_display_rotation(90)
    stream.sample_aspect_ratio = Fraction(16, 15)
    container.metadata["title"] = "Größe"


def test_rotation_shape_of_pixels_and_texts_are_kept_and_go_into_films_again(mvz, tmp_path):
    film(tmp_path / "a.mp4", coder="libx264", size=(32, 32), prepare=with_rotation_and_shape)
    _, pictures = read(tmp_path / "a.mp4")
    one = 1 << 16
    matrix = struct.pack("<9i", 0, -one, 0, one, 0, 0, 0, 0, 1 << 30)
    expected = {"display_matrix": matrix, "pixel_aspect": b"16:15", "text:Title": "Größe".encode()}
    assert [expected] * 4 == [picture.attachments for picture in pictures]
    assert 0 == mvz("encode", tmp_path / "a.mp4", "-o", tmp_path / "a.mvz")[0]
    for target in ("b.mp4", "b.mov", "b.mkv"):
        code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target)
        kept = {key: of for key, of in expected.items() if key != "pixel_aspect" or target != "b.mkv"}
        assert (0, [kept] * 4) == (code, [picture.attachments for picture in read(tmp_path / target)[1]])
        assert ("shape of pixels" in err) == (target == "b.mkv")
    _, _, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "frames")
    assert "has no place for what came with the pictures: rotation, shape of pixels" in err


def test_the_timecode_of_the_first_picture_is_kept_and_goes_into_films_again(mvz, tmp_path):
    def prepare(container, stream):
        stream.metadata["timecode"] = "01:02:03;04"

    for name in ("a.mov", "a.mkv"):
        film(tmp_path / name, "yuv420p", "libx264", size=(32, 32), rate=NTSC, prepare=prepare)
        source, pictures = read(tmp_path / name)
        assert ([], [{"timecode": b"01:02:03;04"}] * 4) == (source.notes, [of.attachments for of in pictures])
    mvz("encode", tmp_path / "a.mov", "-o", tmp_path / "a.mvz")
    for target in ("b.mov", "b.mp4", "b.mkv"):
        assert 0 == mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target)[0]
        assert {"timecode": b"01:02:03;04"} == read(tmp_path / target)[1][0].attachments
    assert 0 == mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "c.mov", "--pictures", "1:")[0]
    assert {} == read(tmp_path / "c.mov")[1][0].attachments


def add_sound(container, count=1):
    for stream in [container.add_stream("flac", 48000, layout="mono") for _ in range(count)]:
        sound = av.AudioFrame(format="s16", layout="mono", samples=4608)
        sound.planes[0].update(bytes(sound.planes[0].buffer_size))
        sound.sample_rate, sound.pts = 48000, 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


def test_hdr_says_what_it_was_made_on_as_png_does(mvz, tmp_path):
    said = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    options = {"x265-params": f"log-level=none:master-display={said}:max-cll=1000,400"}
    film(tmp_path / "a.mkv", "yuv420p10le", "libx265", size=(64, 64), **options)
    assert 0 == mvz("encode", tmp_path / "a.mkv", "-o", tmp_path / "a.mvz")[0]
    expected = {
        "png:cLLI": struct.pack(">2I", 10_000_000, 4_000_000),
        "png:mDCV": struct.pack(">8H2I", 34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10_000_000, 50),
    }
    with codec.open(tmp_path / "a.mvz") as video:
        assert expected == video.picture(3).attachments
    assert 0 == mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "frames")[0]
    assert expected["png:mDCV"] in (tmp_path / "frames" / "000003.png").read_bytes()


def test_what_is_beside_the_pictures_is_said(mvz, tmp_path):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("ffv1", 25)
        video.codec_context.width, video.codec_context.height, video.codec_context.pix_fmt = 6, 4, "yuv420p"
        add_sound(container, 2)
        container.mux(video.encode(noise_frame("yuv420p", (6, 4))))
        container.mux(video.encode())
    said = f"mvz: note: {source}: 2 audio streams left out: an .mvz file has pictures alone\n"
    code, _, err = mvz("encode", source, "-o", tmp_path / "a.mvz")
    assert (0, True) == (code, err.startswith(said))
    assert 0 == mvz("verify", tmp_path / "a.mvz", source)[0]


def test_alpha_that_is_opaque_everywhere_is_left_out(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.codec_context.width, stream.codec_context.height, stream.codec_context.pix_fmt = 6, 4, "bgra"
        frame = noise_frame("bgra", (6, 4))
        np.frombuffer(frame.planes[0], np.uint8)[3::4] = 255
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    source, pictures = read(tmp_path / "a.mkv")
    assert ["rgb", "rgb"] == [each.format.sample_format.label for each in (source, *pictures)]


# ------------------------------------------------------------------------------------------- damage


def test_a_film_that_is_none_or_has_no_video_is_refused_with_a_reason(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(40))
    with pytest.raises(MediaError, match=r"a\.mp4: (cannot be read as a film|has no video)"):
        open_source(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "b.mkv"), "w") as container:
        add_sound(container)
    with pytest.raises(MediaError, match=r"b\.mkv: has no video"):
        open_source(tmp_path / "b.mkv")


def test_a_playlist_does_not_make_us_open_what_it_names(tmp_path):
    film(tmp_path / "real.ts", coder="mpeg2video", rate=25, size=(32, 32))
    (tmp_path / "a.mp4").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path / 'real.ts'}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(MediaError, match="cannot be read as a film"):
        open_source(tmp_path / "a.mp4")


@pytest.mark.skipif(os.name == "nt", reason="no file there has such a name")
def test_a_name_that_libav_would_take_for_a_protocol_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "a.mkv")
    (tmp_path / "a.mkv").rename("concat:a|b.mkv")
    assert 4 == len(read("concat:a|b.mkv")[1])


def test_pictures_that_are_too_large_are_refused_whatever_the_file_says_of_their_size(tmp_path, monkeypatch):
    film(tmp_path / "a.m2v", coder="mpeg2video", rate=25, size=(32, 32))
    monkeypatch.setattr("codec.picture.films.MAX_PIXELS", 32 * 32 - 1)
    with pytest.raises(MediaError, match=r"a\.m2v: cannot be read as a film"):
        read(tmp_path / "a.m2v")
    monkeypatch.setattr("codec.picture.sequence.MAX_PIXELS", 32 * 32 - 1)
    with pytest.raises(MediaError, match=r"a\.m2v: pictures of 32×32; at most 1023 pixels are accepted"):
        read(tmp_path / "a.m2v")


def test_a_film_that_is_cut_says_so(tmp_path):
    film(tmp_path / "a.mkv", count=12, size=(64, 64))
    data = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "b.mkv").write_bytes(data[: len(data) // 2])
    source, pictures = read(tmp_path / "b.mkv")
    assert 12 > len(pictures)
    assert any(note.startswith(f"{tmp_path / 'b.mkv'}: ends early: at 0.") for note in source.notes)
    assert [] == read(tmp_path / "a.mkv")[0].notes


def test_damaged_bytes_never_end_in_another_error_than_ours(tmp_path):
    film(tmp_path / "a.mkv", "yuv420p", count=3, size=(16, 16), level="3", slicecrc="1")
    data = (tmp_path / "a.mkv").read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(60):
        harmed = bytearray(data)
        for place in random.integers(0, len(data), 4):
            harmed[place] ^= 1 << int(random.integers(8))
        (tmp_path / "b.mkv").write_bytes(harmed[: random.integers(len(data) // 2, len(data))])
        try:
            read(tmp_path / "b.mkv")
        except MediaError as error:
            assert str(error).startswith(str(tmp_path / "b.mkv"))
            refused += 1
    assert refused


# ------------------------------------------------------------------------------------------- writing


def clip_of(path, mode="rgb", size=(8, 6), depth=8, rate=NTSC, durations=None):
    """An .mvz file of random pictures, and they."""
    picture_format = codec.PictureFormat(*size, codec.SampleFormat[mode.upper()], bit_depth=depth)
    pictures = random_pictures(picture_format, 5)
    if durations is not None:
        pictures = [replace(picture, duration=each) for picture, each in zip(pictures, durations, strict=True)]
    with codec.Writer(path, format=picture_format, settings=QUICK, rate=rate) as out:
        for picture in pictures:
            out.append(picture)
    return pictures


@pytest.mark.parametrize("depth", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize("mode", ["gray", "rgb", "rgba", "yuv420", "yuv422", "yuv444"])
def test_ffv1_keeps_every_sample(mode, depth, mvz, tmp_path):
    if mode == "rgba" and depth == 9:
        pytest.skip("FFV1 has none")
    pictures = clip_of(tmp_path / "a.mvz", mode, (7, 5), depth)
    code, out, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "a.mkv")
    assert (0, "", True) == (code, out, "5 pictures" in err and "(" not in err)
    source, back = read(tmp_path / "a.mkv")
    assert (NTSC, depth) == (source.rate, source.format.bit_depth)
    assert all(map(codec.Picture.same_samples, pictures, back))
    assert 0 == mvz("verify", tmp_path / "a.mvz", tmp_path / "a.mkv")[0]


@pytest.mark.parametrize(("mode", "depth"), [("yuv420", 8), ("yuv422", 10), ("yuv444", 10), ("rgb", 8)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_x264_with_crf_0_keeps_every_sample(suffix, mode, depth, mvz, tmp_path):
    pictures = clip_of(tmp_path / "a.mvz", mode, (32, 16), depth)
    target = tmp_path / f"a{suffix}"
    code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", target, "--film", "x264", "--crf", "0")
    assert (0, False) == (code, "(" in err)
    assert all(map(codec.Picture.same_samples, pictures, read(target)[1]))


@pytest.mark.parametrize(
    ("mode", "size"), [("rgb", (32, 16)), ("rgb", (31, 17)), ("gray", (32, 16)), ("yuv420", (32, 16))]
)
def test_x264_is_close_and_says_what_it_changes(mode, size, mvz, tmp_path, moving):
    if mode in ("rgb", "gray"):
        pictures = [codec.Picture.from_array(np.tile(np.arange(size[0], dtype=np.uint8) * 4, (size[1], 1)))] * 3
        if mode == "rgb":
            pictures = [codec.Picture.from_array(np.stack([each.planes[0]] * 3, axis=2)) for each in pictures]
    else:
        pictures = moving(mode, *size, count=3)
    codec.encode(pictures, tmp_path / "a.mvz", QUICK)
    code, out, _ = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / "a.mp4", "--crf", "4", "--json")
    says = "x264 with crf 4 is not exact"
    says = f"RGB converted to Y'CbCr (BT.601, full range); {says}" if mode == "rgb" else says
    assert (0, says) == (code, json.loads(out)["note"])
    source, back = read(tmp_path / "a.mp4")
    planes = "yuv444" if size[0] % 2 else "yuv420"
    assert planes == source.format.sample_format.label
    for expected, given in zip(pictures, back, strict=True):
        wanted, seen = to_array(expected).astype(int), to_array(given).astype(int)
        assert 12 > np.abs((wanted[..., None] if mode == "gray" else wanted) - seen).mean()


DURATIONS = [Fraction(1, 25), Fraction(1, 90000), Fraction(3, 10), Fraction(1, 24), Fraction(1001, 30000)]


def test_times_go_into_films(mvz, tmp_path):
    clip_of(tmp_path / "a.mvz", "yuv420", (32, 16), durations=DURATIONS, rate=7)
    for target in ("a.mp4", "a.mov", "a.mkv"):
        code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target)
        shown = [picture.duration for picture in read(tmp_path / target)[1]]
        if target == "a.mkv":
            assert (0, True) == (code, "no place for what came with the pictures: parts of milliseconds" in err)
            assert all(abs(one - other) <= Fraction(1, 1000) for one, other in zip(DURATIONS, shown, strict=True))
        else:
            assert (0, DURATIONS, False) == (code, shown, "note: " in err)


@pytest.mark.parametrize(
    ("mode", "size", "depth", "target", "options", "says"),
    [
        ("yuv420", (8, 6), 11, "a.mkv", [], "ffv1 has no 8×6 yuv420 11 bit; .npy, PNG, TIFF and APNG have"),
        ("gray_alpha", (8, 6), 16, "a.mkv", [], "ffv1 has no 8×6 gray_alpha 16 bit"),
        ("rgba", (8, 6), 8, "a.mp4", [], "x264 codes no alpha; a .mkv of ffv1 keeps it, and --background white lays"),
        (
            "yuv420",
            (8, 6),
            12,
            "a.mp4",
            [],
            "samples have 12 bits, and those of x264 have 8 or 10; a .mkv of ffv1 keeps them",
        ),
        ("yuv420", (7, 6), 8, "a.mp4", [], "x264 takes no odd sides of 7×6 yuv420; a .mkv of ffv1 does"),
        ("yuv422", (7, 6), 8, "a.mp4", [], "x264 takes no odd sides of 7×6 yuv422"),
    ],
)
def test_what_a_film_cannot_hold_is_refused_with_what_can(mode, size, depth, target, options, says, mvz, tmp_path):
    clip_of(tmp_path / "a.mvz", mode, size, depth)
    code, out, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target, *options)
    assert (1, "", True) == (code, out, f"mvz: {tmp_path / target}: {says}" in err)
    assert not (tmp_path / target).exists()


@pytest.mark.parametrize(
    ("target", "options", "says"),
    [
        ("a.y4m", ["--crf", "3"], "--crf is for films (.mkv, .mp4, .m4v, .mov), not "),
        ("frames", ["--film", "x264"], "--film is for films (.mkv, .mp4, .m4v, .mov), not "),
        ("a.mp4", ["--film", "ffv1"], "--film ffv1 is for .mkv, not .mp4; with crf 0 x264 is exact too"),
        ("a.mkv", ["--film", "ffv1", "--crf", "0"], "--crf is for film x264; ffv1 is exact"),
        ("a.mp4", ["--crf", "52"], "--crf is a whole number from 0 to 51, not 52"),
        ("a.mp4", ["--film", "x265"], "invalid choice: 'x265'; did you mean x264?"),
    ],
)
def test_options_of_films_that_have_no_effect_are_refused(target, options, says, mvz, tmp_path):
    clip_of(tmp_path / "a.mvz")
    code, _, err = mvz("decode", tmp_path / "a.mvz", "-o", tmp_path / target, *options)
    assert (2, True) == (code, says in err)
    assert ["a.mvz"] == [path.name for path in tmp_path.iterdir()]


def test_a_film_with_other_pictures_in_it_is_refused_at_the_first(tmp_path):
    pieces = []
    for size in ((32, 32), (48, 32)):
        film(tmp_path / "a.m2v", coder="mpeg2video", rate=25, size=size)
        pieces.append((tmp_path / "a.m2v").read_bytes())
    (tmp_path / "a.m2v").write_bytes(b"".join(pieces))
    with pytest.raises(MediaError, match=r"picture [345] is 48×32 yuv420p, unlike the first: 32×32 yuv420p"):
        read(tmp_path / "a.m2v")
