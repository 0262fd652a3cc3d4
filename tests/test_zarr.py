"""Chunks of zarr, format 3 and 2, and buffers of numcodecs, kept as ``.mvz`` files."""

import json
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import codec

zarr = pytest.importorskip("zarr", minversion="3.1")
numcodecs = pytest.importorskip("numcodecs")

from mvz.numcodecs import Mvz  # noqa: E402
from mvz.zarr import MvzCodec  # noqa: E402

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", autouse=True)
def registered():
    """As the entry points of an installed package do."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    load = {group: EntryPoint("mvz", of["mvz"], group).load for group, of in project["entry-points"].items()}
    zarr.registry.register_codec("mvz", load["zarr.codecs"]())
    numcodecs.register_codec(load["numcodecs.codecs"]())


def samples_of(shape, dtype):
    most = np.iinfo(dtype).max
    return np.random.default_rng(1).integers(0, most, shape, np.uint16).astype(dtype)


def created(folder, like, chunks, *, serializer=None, **options):
    options = {"serializer": serializer or MvzCodec(), "compressors": None} | options
    array = zarr.create_array(folder, shape=like.shape, dtype=like.dtype, chunks=chunks, **options)
    array[:] = like
    return zarr.open(folder, mode="r")


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((5, 9, 7), (2, 9, 7)),  # the last chunk is not full
        ((5, 9, 7, 3), (2, 9, 7, 3)),
        ((5, 9, 7, 2), (5, 4, 4, 2)),
        ((3, 9, 7, 1), (3, 9, 7, 1)),
        ((9, 7), (9, 7)),
        ((2, 3, 2, 9, 7), (1, 3, 1, 9, 7)),  # t, c, z, y, x
    ],
    ids=str,
)
def test_arrays_come_back_exactly(shape, chunks, dtype, tmp_path):
    samples = samples_of(shape, dtype)
    array = created(tmp_path / "a", samples, chunks)
    np.testing.assert_array_equal(samples, array[:])
    np.testing.assert_array_equal(samples[1, 2:5], array[1, 2:5])
    said = json.loads((tmp_path / "a" / "zarr.json").read_text())["codecs"]
    assert [{"name": "mvz", "configuration": {"max_error": 0, "speed": "medium"}}] == said


@pytest.mark.parametrize("channels", [2, 4])
def test_a_last_channel_that_is_255_everywhere_comes_back_too(channels, tmp_path):
    like = samples_of((5, 18, 17, channels), "u1")
    like[..., -1] = 255
    np.testing.assert_array_equal(like, created(tmp_path, like, (2, 18, 17, channels))[:])
    np.testing.assert_array_equal(like, Mvz().decode(Mvz().encode(like)))


def test_no_sample_is_further_off_than_the_maximum_error_and_chunks_are_smaller(moving, tmp_path):
    samples = np.stack([picture.planes[0] for picture in moving("gray", 48, 32, count=6)])
    exact = created(tmp_path / "a", samples, samples.shape)
    near = created(tmp_path / "b", samples, samples.shape, serializer=MvzCodec(max_error=3))
    assert 3 == np.abs(near[:].astype(int) - samples).max()
    zstd = zarr.codecs.BloscCodec(cname="zstd", clevel=9)
    plain = created(tmp_path / "c", samples, samples.shape, serializer="auto", compressors=zstd)
    assert near.nbytes_stored() < exact.nbytes_stored() < plain.nbytes_stored()


def test_chunks_inside_of_shards_are_read_one_by_one(tmp_path):
    samples = samples_of((8, 9, 7), "u1")
    array = created(tmp_path / "a", samples, (2, 9, 7), shards=(4, 9, 7))
    np.testing.assert_array_equal(samples, array[:])
    np.testing.assert_array_equal(samples[3], array[3])


@pytest.mark.parametrize(("shape", "dtype"), [((4, 9, 7), "f4"), ((4, 9, 7), "i2"), ((9,), "u1")])
def test_arrays_that_have_no_pictures_are_refused_when_they_are_made(shape, dtype, tmp_path):
    with pytest.raises(ValueError, match=r"mvz takes chunks of uint8 or uint16 with rows and columns"):
        created(tmp_path / "a", np.zeros(shape, dtype), shape)
    with pytest.raises(ValueError, match=r"mvz takes chunks of uint8 or uint16 with rows and columns"):
        Mvz().encode(np.zeros(shape, dtype))


def test_a_damaged_chunk_and_one_of_another_shape_are_errors_with_a_reason(tmp_path):
    samples = samples_of((2, 9, 7), "u1")
    array = created(tmp_path / "a", samples, samples.shape)
    chunk = tmp_path / "a" / "c" / "0" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[data.index(b"PICS") + 30] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(codec.ChecksumError):
        array[:]
    for other in (samples[:1], samples.astype("u2")):
        codec.encode(other, chunk, force=True)
        with pytest.raises(codec.BitstreamError, match=r"a chunk of uint8 \(2, 9, 7\) is expected"):
            array[:]


@pytest.mark.parametrize("dtype", ["u1", "<u2"])
def test_format_2_takes_the_codec_of_numcodecs(dtype, tmp_path):
    samples = samples_of((5, 9, 7), dtype)
    options = {"zarr_format": 2, "serializer": "auto", "compressors": Mvz(speed="fast")}
    array = created(tmp_path / "a", samples, (2, 9, 7), **options)
    np.testing.assert_array_equal(samples, array[:])
    said = json.loads((tmp_path / "a" / ".zarray").read_text())["compressor"]
    assert {"id": "mvz", "max_error": 0, "speed": "fast"} == said


def test_numcodecs_finds_the_codec_by_its_configuration():
    samples = samples_of((3, 9, 7, 3), "u1")
    coder = numcodecs.get_codec({"id": "mvz", "max_error": 2})
    data = coder.encode(samples)
    out = np.empty_like(samples)
    assert out is coder.decode(data, out)
    np.testing.assert_array_equal(out, coder.decode(data))
    assert 0 < np.abs(out.astype(int) - samples).max() <= 2


@pytest.mark.parametrize("options", [{"dtype": ">u2"}, {"dtype": "<u2", "order": "F"}], ids=str)
def test_format_2_refuses_what_would_come_back_in_another_order(options, tmp_path):
    samples = np.array(samples_of((5, 9, 7), "u2"), **options)
    options = {"zarr_format": 2, "serializer": "auto", "compressors": Mvz(), "order": options.get("order", "C")}
    with pytest.raises(ValueError, match="mvz takes little-endian samples in C order"):
        created(tmp_path / "a", samples, (2, 9, 7), **options)
