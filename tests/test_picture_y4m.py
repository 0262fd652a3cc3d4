"""Y4M: headers, samples, damage, pipes."""

import io
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from media_files import random_pictures, read, same, write

import codec
from codec.errors import MediaError
from codec.picture.planes import ChromaSiting, Colour, ColourMatrix, ColourRange, Picture, PictureFormat, SampleFormat
from codec.picture.sinks import open_sink
from codec.picture.sources import open_source
from codec.picture.y4m import Y4mSource, header_line, parse_header

YUV_AND_GRAY = [format_ for format_ in SampleFormat if not (format_.is_rgb or format_.has_alpha)]


def written(path, picture_format, count=3, rate=Fraction(25)):
    """A file of random pictures, which it gives back."""
    pictures = random_pictures(picture_format, count)
    write(path, pictures, rate)
    return pictures


def source_of(data, label="clip.y4m"):
    return Y4mSource(io.BytesIO(data), label)


@pytest.mark.parametrize("bit_depth", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize("sample_format", YUV_AND_GRAY)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 3), (16, 8), (1, 7)])
def test_every_format_size_and_depth_returns_as_it_was_written(tmp_path, sample_format, size, bit_depth):
    picture_format = PictureFormat(*size, sample_format, bit_depth=bit_depth)
    pictures = written(tmp_path / "a.y4m", picture_format)
    if bit_depth > 8 and sample_format is not SampleFormat.GRAY:
        chroma = f" C{sample_format.label[3:]}p{bit_depth}".encode()
        assert chroma in (tmp_path / "a.y4m").read_bytes().splitlines()[0]
    with open_source(tmp_path / "a.y4m") as source:
        assert (source.format.sample_format, source.count, source.rate) == (sample_format, 3, 25)
        assert source.format.bit_depth == bit_depth
        assert same(pictures, returned := list(source))
    assert all(picture.name is None for picture in returned)


@pytest.mark.parametrize("siting", [ChromaSiting.CENTRE, ChromaSiting.LEFT, ChromaSiting.PALDV])
@pytest.mark.parametrize("colour_range", ColourRange)
@pytest.mark.parametrize("bit_depth", [8, 10, 16])
def test_siting_range_and_aspect_survive(siting, colour_range, bit_depth):
    colour = Colour(ColourMatrix.UNSPECIFIED, colour_range, siting)
    picture_format = PictureFormat(4, 2, SampleFormat.YUV420, colour, bit_depth)
    for attachments in ({}, {"pixel_aspect": b"16:15"}, {"fields": b"t", "pixel_aspect": b"4:3"}, {"fields": b"m"}):
        line = header_line(picture_format, Fraction(30000, 1001), attachments)
        assert (picture_format, Fraction(30000, 1001), attachments) == parse_header("a", line.rstrip(b"\n"))
    hostile = {"fields": b"x", "pixel_aspect": b"a"}
    assert header_line(picture_format, Fraction(1), {}) == header_line(picture_format, Fraction(1), hostile)


@pytest.mark.parametrize(("said", "kept"), [("A16:15", b"16:15"), ("A32:30", b"16:15"), ("A1:1", b""), ("A0:0", b"")])
@pytest.mark.parametrize("order", [b"p", b"t", b"b"])
def test_the_shape_of_pixels_and_the_order_of_fields_come_back(said, kept, order, tmp_path):
    frame = b"FRAME\n" + bytes(range(12))
    (tmp_path / "a.y4m").write_bytes(f"YUV4MPEG2 W4 H3 F25:1 I{order.decode()} {said} Cmono\n".encode() + frame + frame)
    codec.encode(tmp_path / "a.y4m", tmp_path / "a.mvz")
    with codec.open(tmp_path / "a.mvz") as video, open_sink(tmp_path / "b.y4m", video.format, video.rate) as sink:
        for picture in video.pictures():
            expected = {"pixel_aspect": kept, "fields": order if order != b"p" else b""}
            assert {key: value for key, value in expected.items() if value} == picture.attachments
            sink.write(picture)
    assert f" I{order.decode()} A{kept.decode() or '0:0'} Cmono\n".encode() in (tmp_path / "b.y4m").read_bytes()
    assert [] == sink.notes


def test_rgb_is_written_as_444_full_range_and_returns_within_one_level(tmp_path):
    from codec.picture.colour import to_array

    samples = np.random.default_rng(3).integers(0, 256, (4, 5, 3), np.uint8)
    picture = Picture.from_array(samples)
    assert "YUV" in write(tmp_path / "a.y4m", [picture]).lossy_note
    assert b"C444 XCOLORRANGE=FULL\n" in (tmp_path / "a.y4m").read_bytes()
    (returned,) = read(tmp_path / "a.y4m")
    assert np.abs(to_array(returned).astype(int) - samples).max() <= 1


@pytest.mark.parametrize(
    ("fields", "sample_format", "siting"),
    [
        ("", SampleFormat.YUV420, ChromaSiting.CENTRE),
        ("C420", SampleFormat.YUV420, ChromaSiting.UNSPECIFIED),
        ("C420mpeg2 XYSCSS=420JPEG", SampleFormat.YUV420, ChromaSiting.LEFT),
        ("XYSCSS=420PALDV", SampleFormat.YUV420, ChromaSiting.PALDV),
        ("A0:0 I? C422", SampleFormat.YUV422, ChromaSiting.UNSPECIFIED),
        ("XSOME_COMMENT Cmono  Ip", SampleFormat.GRAY, ChromaSiting.UNSPECIFIED),
        ("XA=1 XA=2 XA c420JPEG xcolorrange=full XCOLORRANGE=FULL", SampleFormat.YUV420, ChromaSiting.CENTRE),
        ("C420MPEG2 ip", SampleFormat.YUV420, ChromaSiting.LEFT),
    ],
)
def test_headers_of_other_writers_are_understood(fields, sample_format, siting):
    header = parse_header("a", f"YUV4MPEG2 W3 H2 F24:1 {fields}".encode())
    assert (header.format.sample_format, header.format.colour.siting) == (sample_format, siting)
    assert header.rate == 24


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("RIFF", "not Y4M"),
        ("YUV4MPEG2X W3 H2", "not Y4M"),
        ("YUV4MPEG2 H2 F25:1", "field W"),
        ("YUV4MPEG2 W3 H-2", "field H"),
        ("YUV4MPEG2 W3 H2 W4", "W occurs twice, as 3 and 4"),
        ("YUV4MPEG2 W0 H2", "0×2"),
        ("YUV4MPEG2 W99999999 H2", "field W"),
        ("YUV4MPEG2 W65536 H65536", "65536×65536"),
        ("YUV4MPEG2 W3 H2 F25", "field F"),
        ("YUV4MPEG2 W3 H2 F25:0", "field F"),
        ("YUV4MPEG2 W3 H2 F-25:1", "field F"),
        ("YUV4MPEG2 W3 H2 F9999999999:1", "field F"),
        ("YUV4MPEG2 W3 H2 Ix", "field I is 'x'"),
        ("YUV4MPEG2 W3 H2 C420p17", "'420p17'"),
        ("YUV4MPEG2 W3 H2 C411", "'411'"),
        ("YUV4MPEG2 W3 H2 C444alpha", "'444alpha'"),
        ("YUV4MPEG2 W3 H2 Cmono8", "'mono8'"),
        ("YUV4MPEG2 W3 H2 XYSCSS=411P10", "'411p10'"),
        ("YUV4MPEG2 W3 H2 XCOLORRANGE=HALF", "'HALF'"),
        ("YUV4MPEG2 W3 H2 Q7", "unknown Y4M header field Q7"),
        ("YUV4MPEG2 W3 H2 XCOLORRANGE=FULL XCOLORRANGE=LIMITED", "XCOLORRANGE occurs twice"),
        ("YUV4MPEG2 W3 H2 C420jpeg\r", "CR LF"),
    ],
)
def test_a_header_that_is_wrong_or_unsupported_is_refused_by_name(line, says):
    with pytest.raises(MediaError, match=f"^clip.y4m: .*{says}"):
        parse_header("clip.y4m", line.encode())


def test_frame_parameters_are_ignored_and_counted_around():
    data = b"YUV4MPEG2 W2 H1 Cmono\nFRAME Ip XA=1\n\x01\x02FRAME\n\x03\x04"
    with source_of(data) as source:
        assert source.count == 2
        assert [picture.planes[0].tolist() for picture in source] == [[[1, 2]], [[3, 4]]]


def test_truncation_at_every_byte_gives_whole_pictures_then_an_error_with_the_number():
    header = b"YUV4MPEG2 W2 H2 C420jpeg\n"
    frame = b"FRAME\n" + bytes(range(6))
    data = header + frame + frame
    for length in range(len(header), len(data)):
        whole, rest = divmod(length - len(header), len(frame))
        with source_of(data[:length]) as source:
            pictures = iter(source)
            assert all(next(pictures).planes[0].tolist() == [[0, 1], [2, 3]] for _ in range(whole))
            if rest or not whole:
                with pytest.raises(MediaError, match=rf"^clip\.y4m: .*(picture {whole}|no pictures)"):
                    next(pictures)
            else:
                assert next(pictures, None) is None


def test_something_else_between_frames_is_refused_with_the_number():
    with (
        source_of(b"YUV4MPEG2 W1 H1 Cmono\nFRAME\n\x01FRAMES\n\x02") as source,
        pytest.raises(MediaError, match=r"^clip\.y4m: picture 1 starts with b'FRAMES"),
    ):
        list(source)


def test_a_file_that_is_called_y4m_must_be_one(tmp_path):
    (tmp_path / "a.y4m").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    with pytest.raises(MediaError, match=r"a\.y4m: not Y4M"):
        open_source(tmp_path / "a.y4m")


def test_y4m_goes_through_pipes_unchanged(tmp_path):
    written(tmp_path / "a.y4m", PictureFormat(5, 3, SampleFormat.YUV422), rate=Fraction(30000, 1001))
    copy = (
        "from codec.picture.sources import open_source\n"
        "from codec.picture.sinks import open_sink\n"
        "with open_source('-') as source, open_sink('-', source.format, source.rate) as sink:\n"
        "    assert source.count is None\n"
        "    for picture in source: sink.write(picture)\n"
    )
    data = (tmp_path / "a.y4m").read_bytes()
    result = subprocess.run([sys.executable, "-c", copy], input=data, capture_output=True, check=False)
    assert result.stderr == b""
    assert result.stdout == data


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_carries_y4m(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    feed = f"open({str(tmp_path / 'pipe')!r}, 'wb').write(b'YUV4MPEG2 W1 H1 Cmono\\nFRAME\\n\\x05')"
    with subprocess.Popen([sys.executable, "-c", feed]), open_source(tmp_path / "pipe") as source:
        assert [picture.planes[0].item() for picture in source] == [5]


def test_the_rate_given_overrides_the_header(tmp_path):
    written(tmp_path / "a.y4m", PictureFormat(3, 3, SampleFormat.GRAY), rate=Fraction(50))
    with open_source(tmp_path / "a.y4m", rate=Fraction(12)) as source:
        assert source.rate == 12


def test_a_pipe_can_be_read_only_once():
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(b"YUV4MPEG2 W1 H1 Cmono\nFRAME\n\x05")
    with os.fdopen(reading, "rb") as pipe, Y4mSource(pipe, "pipe") as source:
        assert source.count is None
        assert len(list(source)) == 1
        with pytest.raises(MediaError, match="only once"):
            list(source)
