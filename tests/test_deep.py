"""Pictures of 9…16 bits through every coder, value maps, and files of them that break a rule."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from packed_streams import plain, plain_stream, varint

import codec
import kernel_build
from codec.bitstream import payloads
from codec.bitstream.container import ContainerReader
from codec.bitstream.schema import StreamId
from codec.bitstream.streams import unpack_maps, unpack_streams
from codec.coded import SequenceHeader
from codec.errors import BitstreamError, ConfigError
from codec.models import MotionModel, ResidualCoder
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.picture.value_maps import mapped, unmapped
from codec.reconstruct import History, reconstruct

DEPTHS = range(9, 17)
CONTENTS = {
    "extremes": lambda random, peak, shape: random.choice([0, peak], shape),
    "alternating": lambda random, peak, shape: peak * (np.indices(shape).sum(axis=0) % 2),
    "noise": lambda random, peak, shape: random.integers(0, peak + 1, shape),
    "calm": lambda random, peak, shape: peak // 2 + random.integers(0, 100, shape),  # of many values in their range
    "bright": lambda random, peak, shape: np.full(shape, peak),
    "dark": lambda random, peak, shape: np.zeros(shape),
    "ramp": lambda random, peak, shape: np.indices(shape)[1] * peak // max(shape[1] - 1, 1),
}


def pictures_of(content, sample_format, bit_depth, size, count=3):
    """Pictures of which the later ones are moved to the side."""
    random, picture_format = np.random.default_rng(1), PictureFormat(*size, sample_format, bit_depth=bit_depth)
    first = [
        CONTENTS[content](random, picture_format.peak, shape).astype(picture_format.dtype)
        for shape in picture_format.plane_shapes
    ]
    moved = ([np.roll(plane, time, 1).copy() for plane in first] for time in range(count))
    return [Picture(picture_format, tuple(planes)) for planes in moved]


def file_of(path, pictures, **settings):
    """The bytes of a file of pictures."""
    codec.encode(iter(pictures), path, codec.Settings(**settings), force=True)  # so alpha is kept also if opaque
    return path.read_bytes()


def errors_of(path, pictures):
    """The largest error of each plane, and what each picture's own format is."""
    with codec.open(path) as video:
        found = list(video.pictures())
    for before, after in zip(pictures, found, strict=True):
        assert before.format == after.format
    return [
        max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(before, after, strict=True))
        for before, after in zip(
            zip(*(picture.planes for picture in pictures), strict=True),
            zip(*(picture.planes for picture in found), strict=True),
            strict=True,
        )
    ]


# ------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("sample_format", SampleFormat, ids=lambda sample_format: sample_format.label)
def test_lossless_is_exact_whatever_the_samples(sample_format, content, tmp_path):
    for number, bit_depth in enumerate((9, 12, 16)):
        for size in ((1, 1), (19, 18)):
            pictures = pictures_of(content, sample_format, bit_depth, size)
            file_of(tmp_path / "a.mvz", pictures, motion=MotionModel(number), scene_cut=False)
            assert {0} == set(errors_of(tmp_path / "a.mvz", pictures))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("bit_depth", DEPTHS)
def test_no_sample_is_further_off_than_max_error_and_alpha_is_exact(bit_depth, content, tmp_path):
    for max_error in (1, (1 << (bit_depth - 2)) + 1, (1 << (bit_depth - 1)) - 1):
        for sample_format in (SampleFormat.RGBA, SampleFormat.YUV420):
            pictures = pictures_of(content, sample_format, bit_depth, (17, 5))
            file_of(tmp_path / "a.mvz", pictures, max_error=max_error, motion="none")
            errors = errors_of(tmp_path / "a.mvz", pictures)
            assert max(errors) <= max_error
            assert sample_format is not SampleFormat.RGBA or errors[-1] == 0


def test_max_error_and_step_have_a_limit_for_each_depth(tmp_path):
    for bit_depth in (8, *DEPTHS):
        pictures = pictures_of("ramp", SampleFormat.GRAY, bit_depth, (4, 4))
        with pytest.raises(ConfigError, match="max_error is"):
            file_of(tmp_path / "a.mvz", pictures, max_error=1 << (bit_depth - 1))
        with pytest.raises(ConfigError, match="step is"):
            file_of(tmp_path / "a.mvz", pictures, residual="int8", step=(255 << (bit_depth - 8)) + 1)
        file_of(tmp_path / "a.mvz", pictures, residual="int8", step=255 << (bit_depth - 8))
        errors_of(tmp_path / "a.mvz", pictures)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("residual", ["int8", "uint8"])
def test_a_step_keeps_residuals_that_levels_reach_within_half_of_it(residual, content, tmp_path):
    """Or, where it is chosen, all; alpha is exact."""
    for bit_depth, sample_format in ((9, SampleFormat.GRAY_ALPHA), (12, SampleFormat.YUV420), (16, SampleFormat.RGBA)):
        deeper = 1 << (bit_depth - 8)
        for step in (None, 3 * deeper):
            pictures = pictures_of(content, sample_format, bit_depth, (18, 6))
            file_of(tmp_path / "a.mvz", pictures, residual=residual, step=step, motion="block")
            errors = errors_of(tmp_path / "a.mvz", pictures)
            if step is None:  # steps are at most 2 of the peak over 254
                assert max(errors) <= 2 * pictures[0].format.peak // 254 // 2 + 2
            if sample_format.has_alpha:
                assert errors[-1] == 0


# ------------------------------------------------------------------------- value maps


def moving_gray(moving, change, bit_depth, size=(96, 80)):
    """Moving pictures of 8 bits, each plane changed."""
    return [
        Picture(
            picture.format.with_depth(bit_depth),
            tuple(
                change(plane.astype(int)).astype(np.uint8 if bit_depth == 8 else np.uint16) for plane in picture.planes
            ),
        )
        for picture in moving("gray", *size)
    ]


def test_samples_with_8_bits_in_16_cost_what_8_bits_cost(moving, tmp_path):
    plain = len(file_of(tmp_path / "a.mvz", moving_gray(moving, lambda plane: plane, 8), scene_cut=False))
    for change in (lambda plane: 257 * plane, lambda plane: plane << 8, lambda plane: 1000 + 3 * plane):
        pictures = moving_gray(moving, change, 16)
        # the map has 121 values, one every so many
        assert len(file_of(tmp_path / "b.mvz", pictures, scene_cut=False)) < 1.02 * plain + 60
        assert [0] == errors_of(tmp_path / "b.mvz", pictures)


def test_maps_of_a_gop_are_in_its_first_packet_alone(tmp_path):
    pictures = pictures_of("extremes", SampleFormat.RGBA, 16, (24, 20), count=5)
    file_of(tmp_path / "a.mvz", pictures, run=2, gop=3, scene_cut=False)
    with (tmp_path / "a.mvz").open("rb") as file:
        container = ContainerReader(file, "a.mvz")
        groups = [container.read_group(entry) for entry in container.groups]
    assert [True, False, True] == [bool(group.maps) for group in groups][:3]
    assert [[0, 65535]] * 2 == [values.tolist() for values in groups[0].maps]
    assert {0} == set(errors_of(tmp_path / "a.mvz", pictures))


@pytest.mark.parametrize("bit_depth", [8, 9, 16])
def test_unmapped_is_the_inverse_of_mapped(bit_depth):
    random = np.random.default_rng(bit_depth)
    peak = (1 << bit_depth) - 1
    for counts in ((2, 5), (200, 0), (0, 1), (300 if bit_depth > 8 else 256, 256)):
        picture_format = PictureFormat(9, 8, SampleFormat.RGBA, bit_depth=bit_depth)
        maps = tuple(
            np.sort(random.choice(peak + 1, count, replace=False)).astype(picture_format.dtype) for count in counts
        )
        colour, alpha = (values if values.size else np.arange(peak + 1) for values in maps)
        planes = tuple(
            random.choice(values, (8, 9)).astype(picture_format.dtype) for values in (colour, colour, colour, alpha)
        )
        picture = Picture(picture_format, planes)
        coded = mapped(picture, maps)
        assert coded.format.bit_depth <= bit_depth
        assert unmapped(coded, maps, bit_depth).same_samples(picture)


def test_numbers_beyond_a_map_stand_for_its_last_value_and_values_beyond_all_numbers_for_none():
    numbers = Picture.from_array(np.array([[0, 1, 2, 255]], np.uint8))
    (plane,) = unmapped(numbers, (np.array([5, 700], np.uint16),), 16).planes
    assert [[5, 700, 700, 700]] == plane.tolist()
    (plane,) = unmapped(numbers, (np.arange(1000, 2000, dtype=np.uint16),), 16).planes
    assert [[1000, 1001, 1002, 1255]] == plane.tolist()


# ------------------------------------------------------------------------- files that break a rule


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A function that gives the header, picture headers and streams of the packets of a file of gray noise."""
    path = tmp_path_factory.mktemp("deep") / "a.mvz"

    def parts_of(bit_depth=12, content="calm", **settings):
        pictures = pictures_of(content, SampleFormat.GRAY, bit_depth, (10, 9))
        file_of(path, pictures, **({"run": 2, "gop": 3, "scene_cut": False, "motion": "none"} | settings))
        with path.open("rb") as file:
            container = ContainerReader(file, str(path))
            raws = [container.parse_group(packet) for packet in container.packets() if packet.kind == b"PICS"]
        header = container.header
        return header, [(payloads.picture_headers(header, raw), payloads.compressed_streams(raw)) for raw in raws]

    return parts_of


def read(header, pictures, streams):
    return unpack_streams(header, pictures, streams, codec.Limits())


def test_a_depth_out_of_range_or_without_maps_is_refused(parts):
    header, [(pictures, streams), *_] = parts()
    data = streams[StreamId.CONTEXT_SUBSTREAMS]
    assert 12 == data[0]
    for depth in (0, 7, 13, 16, 255):
        changed = streams | {StreamId.CONTEXT_SUBSTREAMS: bytes([depth]) + data[1:]}
        with pytest.raises(BitstreamError, match=rf"samples are coded with {depth} bits; 8…12 are possible"):
            read(header, pictures, changed)
    for depth in (9, 11):
        changed = streams | {StreamId.CONTEXT_SUBSTREAMS: bytes([depth]) + data[1:]}
        with pytest.raises(BitstreamError, match=rf"coded with {depth} bits, and there are no value maps"):
            read(header, pictures, changed)
        maps = {StreamId.VALUE_MAPS: b"\0"}
        assert depth == read(header, pictures, changed | maps)[0][0].residual.bit_depth


def test_raw_bits_too_many_or_too_few_are_refused(parts):
    header, groups = parts()
    for pictures, streams in groups:
        bits = streams[StreamId.BITS]
        read(header, pictures, streams)
        for wrong in (b"", bits[:-1], bits + b"\0", 2 * bits):
            with pytest.raises(BitstreamError, match=rf"raw bits of {len(wrong)} bytes where symbols want {len(bits)}"):
                read(header, pictures, streams | {StreamId.BITS: wrong})


def test_raw_bits_of_samples_that_have_8_bits_are_refused(parts):
    header, [(pictures, streams), *_] = parts(content="extremes")
    assert (8, b"") == (streams[StreamId.CONTEXT_SUBSTREAMS][0], streams[StreamId.BITS])
    with pytest.raises(BitstreamError, match="raw bits of samples that have 8 bits"):
        read(header, pictures, streams | {StreamId.BITS: b"\0"})


def test_a_symbol_of_76_or_more_is_refused(parts):
    header, [(pictures, streams), *_] = parts(run=1)
    for symbol in (75, 76, 255):
        data = bytes([12, 1]) + varint(90) + plain(89 * [0] + [symbol])
        changed = streams | {StreamId.CONTEXT_SUBSTREAMS: data, StreamId.BITS: bytes(2)}
        if symbol == 75:
            read(header, pictures, changed)
        else:
            with pytest.raises(BitstreamError, match=rf"a symbol is {symbol}; it lies in 0…75"):
                read(header, pictures, changed)


def test_raw_bits_of_symbols_that_belong_to_another_picture_have_room():
    """A picture without raw bits that takes symbols of another one, which want 13 each."""
    header = header_of(PictureFormat(16, 16, SampleFormat.GRAY, bit_depth=16))
    pictures = [[], 256 * [75], []], [[], [], 256 * [0]]
    # the second picture begins with substream 0, of which there is nothing: the first's symbols of substream 1 follow
    data = bytes([16]) + plain_stream(pictures, 204 * [0])
    pictures = [payloads.PictureHeader(references, (), (0,)) for references in range(2)]
    streams = {
        StreamId.WEIGHTS: b"",
        StreamId.PREDICTOR_SETS: plain([0, 0]),
        StreamId.CONTEXT_SUBSTREAMS: data,
        StreamId.BITS: bytes(256 * 13 // 8),
    }
    (_, coded), *_ = read(header, pictures, streams)
    assert 2 * 256 + 2 <= coded.residual.substreams.bits.size
    with pytest.raises(BitstreamError, match="are needed"):
        reconstruct(replace(coded, references=0), History(), header)


def header_of(picture_format):
    return SequenceHeader(picture_format, Fraction(25), ResidualCoder.LOSSLESS, MotionModel.NONE, 16, 0, 16)


def test_weights_beyond_the_sum_are_refused(parts):
    header, [(pictures, streams), *_] = parts()
    coded, *_ = read(header, pictures, streams)
    weights = coded[0].residual.weight_differences
    for value, is_refused in ((31744, False), (31745, True), (-31744, False), (-32768, True)):
        differences = tuple(np.zeros_like(of_plane) for of_plane in weights)
        differences[0][0, 3] = value
        residual = replace(coded[0].residual, weight_differences=differences)
        if is_refused:
            with pytest.raises(BitstreamError, match=rf"add up to {abs(value)}; the limit is 31744"):
                reconstruct(replace(coded[0], residual=residual), History(), header)
        else:
            try:
                reconstruct(replace(coded[0], residual=residual), History(), header)
            except BitstreamError as error:
                assert "context substreams" in str(error)


def test_a_depth_that_changes_within_a_gop_is_refused(parts):
    header, [(pictures, streams), _] = parts()
    _, [_, (later, others)] = parts(content="extremes")
    first, *_ = read(header, pictures, streams)
    second, *_ = read(header, later, others)
    history = History()
    for coded in first:
        history = reconstruct(coded, history, header)
    with pytest.raises(BitstreamError, match="a picture of 8 bits a sample refers to one of 12"):
        reconstruct(second[0], history, header)


def test_a_map_beyond_the_largest_sample_is_refused():
    header = header_of(PictureFormat(4, 4, SampleFormat.GRAY, bit_depth=12))

    def data(*left_out):
        return varint(len(left_out)) + plain([n & 255 for n in left_out]) + plain([n >> 8 for n in left_out])

    assert [4095] == unpack_maps(header, data(4095))[0].tolist()
    assert [0, 4095] == unpack_maps(header, data(0, 4094))[0].tolist()
    for wrong, last in ((data(4096), 4096), (data(1, 4094), 4096), (data(*100 * [65535]), 6553599)):
        with pytest.raises(BitstreamError, match=f"a map of values up to {last}; the largest sample is 4095"):
            unpack_maps(header, wrong)
    with pytest.raises(BitstreamError, match="a map of 4097 values, where 4096 are possible"):
        unpack_maps(header, varint(4097) + b"\1\0\1\0")
    for wrong in (b"", b"\2", data(3) + b"\0"):
        with pytest.raises(BitstreamError):
            unpack_maps(header, wrong)


def test_value_maps_where_they_must_not_be_are_refused(parts):
    maps = {StreamId.VALUE_MAPS: b"\0"}
    header, [(pictures, streams), (later, others)] = parts()
    read(header, pictures, streams | maps)
    with pytest.raises(BitstreamError, match=r"streams .*VALUE_MAPS where the headers imply"):
        read(header, later, others | maps)
    for settings in ({"max_error": 3}, {"residual": "int8"}, {"residual": "float16"}):
        header, [(pictures, streams), *_] = parts(**settings)
        with pytest.raises(BitstreamError, match=r"streams .*VALUE_MAPS where the headers imply"):
            read(header, pictures, streams | maps)


# ------------------------------------------------------------------------- as Python


def encoded(content, sample_format, bit_depth, settings, path):
    return file_of(path, pictures_of(content, sample_format, bit_depth, (18, 10), 2), **settings)


@pytest.mark.parametrize("motion", MotionModel, ids=lambda motion: motion.label)
@pytest.mark.parametrize(
    "settings",
    [{}, {"max_error": 9}, {"residual": "int8", "step": 8}, {"residual": "uint8"}, {"residual": "float16"}],
    ids=str,
)
def test_tiny_deep_pictures_are_encoded_to_the_same_bytes_uncompiled(uncompiled, settings, motion, tmp_path):
    cases = ((10, "ramp", SampleFormat.YUV420), (16, "noise", SampleFormat.RGBA), (16, "extremes", SampleFormat.GRAY))
    for bit_depth, content, sample_format in cases:
        arguments = (content, sample_format, bit_depth, settings | {"motion": motion}, tmp_path / "tiny.mvz")
        assert encoded(*arguments) == uncompiled(encoded, *arguments)


# ------------------------------------------------------------------------- kernels that are compiled twice


KERNEL = """import cython
from codec.depths import SAMPLE_BITS, Sample, Tapped
from codec.lossless.planes import TapPlanes
from codec.dct.planes import Plane

def peak(samples: Sample[::1], SampleFormat: cython.int, taps: cython.const[Tapped[::1]]) -> cython.int:
    return 255 if SAMPLE_BITS == 8 else 65535
"""


def test_a_kernel_for_two_depths_has_types_and_imports_of_each():
    both = kernel_build.by_depth(KERNEL, ["codec.lossless.planes", "codec.vectors"])
    assert ["", "_16"] == list(both)
    assert KERNEL.count("\n") == both[""].count("\n") == both["_16"].count("\n")  # tracebacks say the right line
    for suffix, sample, tapped, bits in (("", "uchar", "uchar", 8), ("_16", "ushort", "short", 16)):
        source = both[suffix]
        assert f"samples: cython.{sample}[::1], SampleFormat: cython.int" in source
        assert f"cython.const[cython.{tapped}[::1]]" in source
        assert f"if {bits} == 8" in source
        assert f"from codec.lossless.planes{suffix} import TapPlanes" in source
        assert "from codec.dct.planes import Plane" in source
        assert "codec.depths" not in source


@pytest.mark.parametrize(("bit_depth", "step"), [(16, 200), (12, 3), (10, 1020), (8, 8)])
def test_info_and_inspection_tell_the_step_in_sample_values(bit_depth, step, tmp_path):
    samples = np.add.outer(np.arange(16), np.arange(24)) * (1 << bit_depth) // 64
    picture = Picture.from_array(samples.astype(np.uint8 if bit_depth == 8 else np.uint16), bit_depth=bit_depth)
    codec.encode([picture], tmp_path / "stepped.mvz", codec.Settings(residual="int8", step=step, gop=2))
    with codec.open(tmp_path / "stepped.mvz") as video:
        i_step = (step + 1) // 2  # an I picture has half of it
        assert video.info.pictures[0].steps == (i_step,)
        assert video.inspect(0).dial == ("step", f"{i_step:.4g}")
