"""Pictures that fade, which are predicted from weighted references."""

import io

import numpy as np
import pytest
from mutations import Parts
from packed_streams import plain

import codec
from codec.bitstream.schema import StreamId
from codec.search.prediction_weights import choose_weights


def faded(pictures, shares, level=16):
    """Pictures of luma nearer to a level, and of chroma to gray, each by its own share."""
    return [
        codec.Picture(
            picture.format,
            tuple(
                np.rint(base + share * (plane.astype(np.float64) - base)).astype(plane.dtype)
                for plane, base in zip(picture.planes, (level, 128, 128), strict=False)
            ),
        )
        for picture, share in zip(pictures, shares, strict=True)
    ]


def encoded(pictures, **settings):
    """A file in memory."""
    file = io.BytesIO()
    codec.encode(iter(pictures), file, codec.Settings(residual="dct", qp=24, scene_cut=False, **settings))
    return file


@pytest.mark.parametrize("level", [16, 235])
@pytest.mark.parametrize("settings", [{"reorder": 1}, {"reorder": 4}, {"motion": "mesh", "speed": "fast"}])
def test_pictures_that_fade_take_little_more_than_those_that_do_not(moving, monkeypatch, level, settings):
    pictures = moving("yuv420", 96, 80, 5)
    fading = faded(pictures, (1, 0.8, 0.6, 0.5, 0.45), level)
    file = encoded(fading, **settings)
    with codec.open(file) as video:
        for source, decoded in zip(fading, video.pictures(), strict=True):
            assert np.abs(source.planes[0].astype(int) - decoded.planes[0]).mean() < 3
    assert len(file.getvalue()) < 1.25 * len(encoded(pictures, **settings).getvalue())
    monkeypatch.setattr("codec.search.picture_encoder.choose_weights", lambda *_: None)
    assert len(file.getvalue()) < 0.85 * len(encoded(fading, **settings).getvalue())


@pytest.mark.parametrize("sample_format", ["rgba", "gray_alpha"])
def test_pictures_with_alpha_fade_too(moving, sample_format):
    fading = []
    for picture, share in zip(moving(sample_format, 96, 80, 4), (1, 0.8, 0.6, 0.4), strict=True):
        *colours, alpha = picture.planes
        fading.append(codec.Picture(picture.format, (*((share * plane).astype(np.uint8) for plane in colours), alpha)))
    with codec.open(encoded(fading)) as video:
        for source, decoded in zip(fading, video.pictures(), strict=True):
            assert np.array_equal(source.planes[-1], decoded.planes[-1])
            assert np.abs(source.planes[0].astype(int) - decoded.planes[0]).mean() < 6
    parts = Parts.of(encoded(fading).getvalue())
    streams = [[stream for stream, _ in packet.streams] for packet in parts.pictures()]
    assert StreamId.PREDICTION_WEIGHTS in streams[0]
    assert all(ids == sorted(ids) for ids in streams)


def test_weights_of_planes_that_become_much_steeper_fit_the_file():
    y, x = np.mgrid[:48, :64]
    flat = np.tile(230 + np.arange(32) // 4 % 2, (24, 1)).astype(np.uint8)
    steep = [flat, *(200 + (flat.astype(int) - 230) * 14 + time for time in (1, 2))]
    picture_format = codec.PictureFormat(64, 48, codec.SampleFormat.YUV420)
    pictures = [
        codec.Picture(picture_format, (((60 + x + y) * 0.9**time).astype(np.uint8), *2 * [chroma.astype(np.uint8)]))
        for time, chroma in enumerate(steep)
    ]
    (weights,) = choose_weights(pictures[1], pictures[:1])
    assert weights[1, 0] > 1024
    with codec.open(encoded(pictures)) as video:
        for source, decoded in zip(pictures, video.pictures(), strict=True):
            for wanted, plane in zip(source.planes, decoded.planes, strict=True):
                assert np.abs(wanted.astype(int) - plane).mean() < 5


@pytest.mark.parametrize("level", [16, 235])
def test_a_fade_is_no_scene_cut_but_another_picture_is_one(moving, noise, level):
    fading = faded(moving("yuv420", 128, 128, 5), (1, 0.7, 0.5, 0.35, 0.25), level)
    other = moving("yuv420", 128, 128, 9)[-1]
    other = codec.Picture(other.format, tuple(plane[::-1, ::-1].copy() for plane in other.planes))
    file = io.BytesIO()
    codec.encode(iter([*fading, other]), file, codec.Settings(residual="dct", qp=24))
    assert [picture.type.name for picture in codec.open(file).info.pictures].count("I") == 2
    assert codec.open(file).info.pictures[5].type.name == "I"


def test_lossless_looks_for_motion_in_what_fades(moving, monkeypatch):
    fading = faded(moving("yuv420", 128, 128, 6), (1, 0.8, 0.6, 0.5, 0.4, 0.3))

    def size():
        file = io.BytesIO()
        codec.encode(iter(fading), file, codec.Settings())
        with codec.open(file) as video:
            assert all(source.same_samples(decoded) for source, decoded in zip(fading, video.pictures(), strict=True))
        return len(file.getvalue())

    found = size()
    monkeypatch.setattr("codec.search.prediction_weights.faded", lambda _, reference, __: reference)
    assert found < 0.9 * size()


def test_weights_are_those_of_the_fade(moving):
    before, after = faded(2 * moving("yuv420", 96, 80, 1), (1, 0.5))
    ((luma, cb, cr),) = choose_weights(after, [before])
    assert np.abs(luma - (512, 8 * 32)).max() <= 8
    for chroma in (cb, cr):
        assert (chroma == (luma[0], 4 * (1024 - luma[0]))).all()
    assert choose_weights(before, [before]) is None
    lone, both = choose_weights(after, [before, after])
    assert (lone[0] == luma).all()
    assert both.tolist() == [[1024, 0]] * 3


def test_what_only_moves_or_is_another_picture_has_no_weights(moving, noise):
    before, after = moving("yuv420", 96, 80, 2)
    assert choose_weights(after, [before]) is None
    other = noise("yuv420", 96, 80, 1)[0]
    assert choose_weights(other, [before]) is None


@pytest.mark.parametrize(
    ("stream", "rule"),
    [
        (plain(bytes([1, 1])), "is 1 of an I picture"),
        (plain(bytes([0, 2])), "is not 0 or 1"),
        (plain(bytes([0, 1])) + 2 * plain(bytes([255, 0])), "a scale of a reference is beyond 0…32767"),
        (plain(bytes([0, 1])) + plain(bytes(2)), "ends too early"),
        (plain(bytes([0, 0])) + b"\0", "after the end of a stream"),
    ],
)
def test_weights_that_break_a_rule_are_refused(moving, stream, rule):
    parts = Parts.of(encoded(faded(moving("gray", 48, 48, 2), (1, 0.5)), reorder=1).getvalue())
    (packet,) = parts.pictures()
    assert packet.streams[-1][0] == StreamId.PREDICTION_WEIGHTS
    packet.streams[-1] = (StreamId.PREDICTION_WEIGHTS, stream)
    with pytest.raises(codec.BitstreamError, match=rule):
        list(codec.open(io.BytesIO(parts.build())).pictures())
