"""Pictures of 9…16 bits a sample, from and into everything that holds them."""

import io
import struct
import subprocess
import sys
import zlib
from fractions import Fraction

import numpy as np
import pytest
from animation_files import chunk
from media_files import random_pictures, read, same, write
from PIL import Image

from codec.errors import MediaError
from codec.measure.metrics import compare_sequences
from codec.measure.peers import measure_peers
from codec.measure.points import Clip
from codec.picture.alpha import is_opaque, laid_over
from codec.picture.colour import to_array
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.png_filters import unfilter
from codec.picture.sources import open_source

RATE = Fraction(25)
SHAPES = {"gray": (9, 13), "gray_alpha": (9, 13, 2), "rgb": (9, 13, 3), "rgba": (9, 13, 4)}
DEPTHS = (9, 10, 12, 14, 16)


def samples(shape=(9, 13, 3), bit_depth=16, seed=0):
    """Random samples, 0 and the largest among them."""
    peak = (1 << bit_depth) - 1
    made = np.random.default_rng(seed).integers(0, peak + 1, shape).astype(np.uint16)
    made.flat[:2] = 0, peak
    return made


def pictures_of(shape=(9, 13, 3), bit_depth=16, count=3):
    return [Picture.from_array(samples(shape, bit_depth, seed), bit_depth=bit_depth) for seed in range(count)]


def refused(spec, says):
    with pytest.raises(MediaError, match=says) as caught:
        read(spec)
    return str(caught.value)


# ------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("arranged", [np.ascontiguousarray, np.asfortranarray])
def test_npy_files_of_either_byte_order_are_read(tmp_path, order, arranged):
    array = samples((3, 9, 13, 3))
    np.save(tmp_path / "a.npy", arranged(array.astype(f"{order}u2")))
    assert same(read(array), read(tmp_path / "a.npy"))


def test_bool_arrays_are_0_and_1_of_8_bits(tmp_path):
    array = samples((2, 4, 5)) > 30000
    np.save(tmp_path / "a.npy", array)
    for spec in (array, list(array), tmp_path / "a.npy"):
        with open_source(spec) as source:
            assert source.format.bit_depth == 8
            assert np.array_equal(array, [to_array(picture) for picture in source])


def test_an_array_of_wider_numbers_is_refused():
    refused(samples((2, 4, 5)).astype(np.uint32), "uint32 .* uint8, uint16 or float16 .* is needed")


def test_a_file_of_8_bits_among_16_is_refused(tmp_path):
    write(tmp_path / "a_%d.png", pictures_of(count=2))
    Image.new("RGB", (13, 9)).save(tmp_path / "a_2.png")
    refused(tmp_path / "a_%d.png", "a_2.png: is 13×9 rgb, unlike the first, .*a_0.png: 13×9 rgb 16 bit")


# ------------------------------------------------------------------------------------------- targets


@pytest.mark.parametrize("target", ["folder", "p%03d.png", "p%03d.tif", "a.npy", "a.apng", "a.tif"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_16_bits_return_exactly(tmp_path, shape, target):
    if ".tif" in target and len(shape) > 2:
        pytest.importorskip("tifffile")
    pictures = pictures_of(shape)
    assert write(tmp_path / target, pictures).lossy_note is None
    returned = read(tmp_path / target)
    assert pictures[0].format == returned[0].format
    assert same(pictures, returned)


@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 3)])
def test_ppm_returns_exactly(tmp_path, shape):
    pictures = pictures_of(shape)
    assert write(tmp_path / "%d.ppm", pictures).lossy_note is None
    assert same(pictures, read(tmp_path / "%d.ppm"))


@pytest.mark.parametrize("bit_depth", DEPTHS[:-1])
def test_image_files_have_fewer_bits_scaled_to_16_from_which_they_can_be_had_back(tmp_path, bit_depth):
    pictures = pictures_of(bit_depth=bit_depth)
    assert write(tmp_path / "folder", pictures).lossy_note == f"{bit_depth} bits scaled to 16"
    peak = pictures[0].format.peak
    for picture, returned in zip(pictures, read(tmp_path / "folder"), strict=True):
        stored = to_array(returned)
        assert (stored.min(), stored.max()) == (0, 65535)
        assert np.array_equal(to_array(picture), np.rint(stored / 65535 * peak))


@pytest.mark.parametrize("target", ["a.gif", "a.webp", "%d.bmp"])
def test_what_holds_8_bits_is_refused_and_says_what_holds_more(tmp_path, target):
    with pytest.raises(MediaError, match=r"samples have 16 bits.*PNG, TIFF, APNG, PPM, Y4M and \.npy keep them"):
        write(tmp_path / target, pictures_of())
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------- Y4M


def test_a_sample_of_y4m_beyond_its_depth_is_refused_with_its_picture(tmp_path):
    frames = b"FRAME\n" + bytes(12) + b"FRAME\n" + bytes(10) + b"\x00\x04"
    (tmp_path / "a.y4m").write_bytes(b"YUV4MPEG2 W3 H2 Cmono10\n" + frames)
    refused(tmp_path / "a.y4m", r"a\.y4m: picture 1: samples of 10 bits are 0…1023; one is 1024")


def test_what_ffmpeg_pipes_is_read_sample_by_sample(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    for pixels in ("yuv420p10le", "yuv422p12le", "yuv444p16le", "gray10le"):
        source = [ffmpeg, *f"-v error -f lavfi -i testsrc2=s=34x26:d=0.08 -strict -1 -pix_fmt {pixels}".split()]
        y4m, raw = (
            subprocess.run([*source, "-f", kind, "-"], check=True, capture_output=True).stdout
            for kind in ("yuv4mpegpipe", "rawvideo")
        )
        (tmp_path / "a.y4m").write_bytes(y4m)
        assert raw == b"".join(plane.astype("<u2") for of in read(tmp_path / "a.y4m") for plane in of.planes)


# ------------------------------------------------------------------------------------------- PNG


def png(shape, rows, *, interlace=0, before=b""):
    """A PNG of 16 bits whose rows, with their filter bytes, are told."""
    height, width, channels = shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def plain_rows(array):
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)


def paeth(left, above, corner):
    """The predictor as the specification of PNG writes it."""
    estimate = left + above - corner
    distances = [abs(estimate - left), abs(estimate - above), abs(estimate - corner)]
    return (left, above, corner)[distances.index(min(distances))]


@pytest.mark.parametrize("pixel_bytes", [2, 4, 6, 8])
def test_each_filter_of_png_is_undone_as_the_specification_says(pixel_bytes):
    rows = np.random.default_rng(pixel_bytes).integers(0, 256, (5, 1 + 6 * pixel_bytes), np.uint8)
    rows[:, 0] = 3, 4, 1, 2, 0
    expected = np.zeros((6, 7 * pixel_bytes), int)  # a row and a pixel of zeros before
    for y, row in enumerate(rows.tolist(), 1):
        for x, coded in enumerate(row[1:], pixel_bytes):
            left, above, corner = expected[y, x - pixel_bytes], expected[y - 1, x], expected[y - 1, x - pixel_bytes]
            predicted = (0, left, above, (left + above) // 2, paeth(left, above, corner))[row[0]]
            expected[y, x] = (coded + predicted) % 256
    actual = np.zeros((5, 6 * pixel_bytes), np.uint8)
    unfilter(rows, actual, pixel_bytes)
    assert np.array_equal(expected[1:, pixel_bytes:], actual)


@pytest.mark.parametrize("side", [1, 2, 5, 9, 16])
def test_an_interlaced_png_is_read(tmp_path, side):
    array = samples((side, side + 2, 3))
    starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    passes = (array[top::down, left::across] for top, left, down, across in starts)
    rows = b"".join(plain_rows(part) for part in passes if part.size)
    (tmp_path / "a.png").write_bytes(png(array.shape, rows, interlace=1))
    assert same([Picture.from_array(array)], read(tmp_path / "a.png"))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_is_compared_in_all_16_bits(tmp_path, channels):
    array = np.full((1, 3, channels), 0x1234, np.uint16)
    array[0, 1, -1] = 0x1235  # as the key, but for the lowest bit
    key = chunk(b"tRNS", np.full(channels, 0x1234, ">u2").tobytes())
    (tmp_path / "a.png").write_bytes(png(array.shape, plain_rows(array), before=key))
    (picture,) = read(tmp_path / "a.png")
    assert picture.format.sample_format.has_alpha
    assert picture.planes[-1].tolist() == [[0, 65535, 0]]
    assert np.array_equal(array, np.stack(picture.planes[:channels], axis=2))


def test_a_layer_of_an_apng_of_16_bits_is_blended_in_16_bits(tmp_path):
    below, above = np.array([[[1000, 20000, 65535, 65535]]]), np.array([[[60001, 7, 300, 32768]]])
    header = struct.pack(">IIBBBBB", 1, 1, 16, 6, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"acTL", struct.pack(">II", 2, 0))]
    for number, layer in enumerate((below, above)):
        data = zlib.compress(plain_rows(layer))
        control = struct.pack(">IIIIIHHBB", max(2 * number - 1, 0), 1, 1, 0, 0, 1, 25, 0, number)
        numbered = chunk(b"fdAT", struct.pack(">I", 2) + data) if number else chunk(b"IDAT", data)
        parts += [chunk(b"fcTL", control), numbered]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))
    first, second = read(tmp_path / "a.png")
    assert np.array_equal(below[..., :3], to_array(first))
    share = 32768 / 65535
    assert np.array_equal(np.rint(share * above + (1 - share) * below)[..., :3], to_array(second))


def test_a_png_that_is_cut_or_breaks_its_rules_says_so(tmp_path):
    path = tmp_path / "a.png"
    array = samples((4, 5, 3))
    for data, says in (
        (png(array.shape, plain_rows(array)[:-1]), "ends early: 123 of 124 bytes of its rows"),
        (png(array.shape, b"\5" + plain_rows(array)[1:]), "a row has filter 5"),
        (png(array.shape, plain_rows(array), interlace=2), "IHDR chunk says what PNG does not define"),
        (png(array.shape, plain_rows(array), before=chunk(b"tRNS", b"\0")), "its tRNS chunk has 1 bytes"),
        (png((9000, 9000, 3), b""), "are accepted"),
        (png(array.shape, plain_rows(array))[:-20], "ends early"),
    ):
        path.write_bytes(data)
        assert str(path) in refused(path, says)


def test_what_follows_the_rows_of_a_png_takes_no_memory(tmp_path):
    array = samples((4, 5, 3))
    (tmp_path / "a.png").write_bytes(png(array.shape, plain_rows(array) + bytes(1 << 23)))
    assert same([Picture.from_array(array)], read(tmp_path / "a.png"))


def test_ffmpeg_and_we_read_each_others_png(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    for shape, pixels in zip(SHAPES.values(), ("gray16be", "ya16be", "rgb48be", "rgba64be"), strict=True):
        array = samples(shape)
        ours, theirs = tmp_path / f"{pixels}.png", tmp_path / f"{pixels}_theirs.png"
        write(ours, [Picture.from_array(array)])
        command = [ffmpeg, "-v", "error", "-i", ours, *f"-f rawvideo -pix_fmt {pixels} -".split()]
        assert array.astype(">u2").tobytes() == subprocess.run(command, check=True, capture_output=True).stdout
        given = f"-v error -f rawvideo -pix_fmt {pixels} -s 13x9 -i - -frames:v 1 -pred mixed -flags +ildct".split()
        subprocess.run([ffmpeg, *given, theirs], check=True, input=array.astype(">u2").tobytes())
        assert same([Picture.from_array(array)], read(theirs))


# ------------------------------------------------------------------------------------------- PPM


def test_the_largest_sample_of_a_ppm_tells_its_bits(tmp_path):
    array = samples((2, 3, 3), 10)
    head = b"P6 # by hand\n3\n2 1023\n"
    (tmp_path / "a.ppm").write_bytes(head + array.astype(">u2").tobytes())
    (picture,) = read(tmp_path / "a.ppm")
    assert picture.format.bit_depth == 10
    assert np.array_equal(array, to_array(picture))
    (tmp_path / "a.ppm").write_bytes(head + b"\x04\x00" + array.astype(">u2").tobytes()[2:])
    refused(tmp_path / "a.ppm", "samples of 10 bits are 0…1023; one is 1024")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"P6 3 2 1000\n" + bytes(36), "samples 0…1000; their largest is 2\\*\\*n − 1"),
        (b"P5 3 2 70000\n" + bytes(36), "samples 0…70000"),
        (b"P3 1 1 1023\n1 2 3\n", "is a PPM as text with samples 0…1023"),
        (b"P5 3 2 65535\n" + bytes(11), "ends early, at byte 11 of 12"),
        (b"P5 9000 9000 65535\n", "are accepted"),
        (b"P6 3 2", "does not begin with width, height and the largest sample"),
    ],
)
def test_a_ppm_that_cannot_be_read_says_why(tmp_path, data, says):
    (tmp_path / "a.ppm").write_bytes(data)
    refused(tmp_path / "a.ppm", says)


# ------------------------------------------------------------------------------------------- TIFF


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}], ids=str
)
def test_tiff_of_other_writers_is_read(tmp_path, shape, order, options):
    tifffile = pytest.importorskip("tifffile")
    array = samples((2, *shape))
    channels = (*shape, 1)[2]
    extra = ["unassalpha"] if channels % 2 == 0 else None
    photometric = "rgb" if channels > 2 else "minisblack"
    place = {"planarconfig": "contig"} if channels > 1 else {}
    tifffile.imwrite(
        tmp_path / "a.tif", array, byteorder=order, photometric=photometric, extrasamples=extra, **place, **options
    )
    assert same([Picture.from_array(picture) for picture in array], read(tmp_path / "a.tif"))


def test_tiff_plane_by_plane_and_with_white_as_zero_is_read(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    array = samples()
    tifffile.imwrite(tmp_path / "p.tif", np.moveaxis(array, 2, 0), photometric="rgb", planarconfig="separate")
    assert same([Picture.from_array(array)], read(tmp_path / "p.tif"))
    for order in "<>":
        tifffile.imwrite(tmp_path / "w.tif", array[..., 0], photometric="miniswhite", byteorder=order)
        assert same([Picture.from_array(65535 - array[..., 0])], read(tmp_path / "w.tif"))


@pytest.mark.parametrize(
    ("dtype", "channels", "extra", "says"),
    [
        (np.float32, 3, None, "samples of floating point"),
        (np.float32, 1, None, "floating point"),
        (np.int16, 3, None, "samples of signed numbers"),
        (np.uint32, 3, None, "samples of 32 bits"),
        (np.uint16, 4, ["assocalpha"], "colours that are multiplied by alpha"),
        (np.uint16, 4, ["unspecified"], "1 are neither colour nor alpha"),
    ],
)
def test_tiff_of_other_samples_is_refused_by_name(tmp_path, dtype, channels, extra, says):
    tifffile = pytest.importorskip("tifffile")
    photometric = "minisblack" if channels == 1 else "rgb"
    array = samples((9, 13, channels)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", array.squeeze(), photometric=photometric, extrasamples=extra)
    refused(tmp_path / "a.tif", says)


def test_pages_that_only_imagej_finds_are_missed(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    array = samples((3, 9, 13))
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True)
    assert same(read(array), read(tmp_path / "a.tif"))
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, truncate=True)
    refused(tmp_path / "a.tif", r"a\.tif: cannot be read: of its 3 pictures only ImageJ finds more than 1")


def test_pages_of_different_depth_or_size_are_refused(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(samples(), photometric="rgb")
        file.write(samples((9, 14, 3)), photometric="rgb")
    refused(tmp_path / "a.tif", "picture 1 is 14×9 rgb 16 bit, unlike picture 0, 13×9 rgb 16 bit")


def test_a_strip_that_grows_beyond_its_page_is_not_unpacked(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    whole = io.BytesIO()
    tifffile.imwrite(whole, samples(), photometric="rgb", compression="zlib", metadata=None)
    whole.seek(0)
    tags = {tag.code: tag.valueoffset for tag in tifffile.TiffFile(whole).pages[0].tags}
    data = bytearray(whole.getvalue())
    for packed, says in (
        (zlib.compress(bytes(1 << 20)), "a strip of more than 702 bytes"),
        (bytes(1 << 20), "a strip of 1048576 bytes for 702 of samples"),
    ):
        harmed = data.copy()
        struct.pack_into("<I", harmed, tags[273], len(data))
        struct.pack_into("<I", harmed, tags[279], len(packed))
        (tmp_path / "a.tif").write_bytes(harmed + packed)
        refused(tmp_path / "a.tif", says)


def test_without_tifffile_gray_is_read_and_colour_says_what_to_install(tmp_path, monkeypatch):
    pytest.importorskip("tifffile")
    write(tmp_path / "rgb.tif", pictures_of())
    monkeypatch.setitem(sys.modules, "tifffile", None)
    gray = pictures_of((9, 13))
    write(tmp_path / "gray.tif", gray)
    assert same(gray, read(tmp_path / "gray.tif"))
    refused(tmp_path / "rgb.tif", r"rgb\.tif: pip install 'mvz\[tiff\]'")


# ------------------------------------------------------------------------------------------- alpha


@pytest.mark.parametrize("bit_depth", DEPTHS)
def test_a_picture_is_laid_over_a_colour_of_8_bits(bit_depth):
    (picture,) = pictures_of((9, 13, 4), bit_depth, 1)
    peak = picture.format.peak
    *colours, alpha = (plane.astype(float) for plane in picture.planes)
    over = laid_over(picture, (255, 128, 0))
    assert is_opaque(over)
    assert over.format.bit_depth == bit_depth
    for part, plane, actual in zip((1, 128 / 255, 0), colours, over.planes, strict=True):
        expected = (plane * alpha + round(part * peak) * (peak - alpha)) / peak
        assert np.abs(expected - actual).max() <= 0.5 + 1e-6


# ------------------------------------------------------------------------------------------- errors


def test_psnr_is_against_the_largest_sample_and_large_errors_do_not_overflow():
    black = Picture.from_array(np.zeros((64, 64), np.uint16))
    white = Picture.from_array(np.full((64, 64), 65535, np.uint16))
    assert compare_sequences([black], [white]).whole.total.psnr == 0
    assert compare_sequences([black], [white]).whole.total.mse == 65535**2
    one = [Picture.from_array(np.full((4, 4), level, np.uint16), bit_depth=10) for level in (5, 6)]
    compared = compare_sequences(one[:1], one[1:])
    assert compared.whole.total.psnr == pytest.approx(20 * np.log10(1023))
    assert compared.as_dict()["bit_depth"] == 10


@pytest.mark.parametrize("planes", ["gray", "rgb", "yuv420"])
def test_other_codecs_get_all_bits_or_say_that_they_are_not_measured(planes):
    picture_format = PictureFormat(7, 5, SampleFormat.of(planes), bit_depth=12)
    clip = Clip("noise", RATE, tuple(random_pictures(picture_format, 2)))
    points, skipped = measure_peers(clip, ssim=False)
    assert {"PNG"} <= {point.peer for point in points if point.exact} <= {"PNG", "ffv1"}
    assert all(point.source_bytes == 2 * clip.format.raw_bytes for point in points)
    assert {"WebP", "x264"} <= {peer for peer, _ in skipped}
