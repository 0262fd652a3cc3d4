"""MSE, PSNR, SNR and SSIM against values worked out by hand and against scikit-image."""

import json
import math

import numpy as np
import pytest

from codec.errors import ConfigError, MediaError
from codec.measure.metrics import ErrorSums, compare_sequences, measure_picture
from codec.measure.synthetic import moving_sequence
from codec.picture.colour import luma
from codec.picture.planes import Colour, ColourRange, Picture, PictureFormat, SampleFormat


def gray(rows):
    return Picture.from_array(np.array(rows, np.uint8))


def noisy(picture, seed=0, most=9):
    random = np.random.default_rng(seed)
    planes = tuple(
        np.clip(plane.astype(np.int32) + random.integers(-most, most + 1, plane.shape), 0, 255).astype(np.uint8)
        for plane in picture.planes
    )
    return Picture(picture.format, planes)


def yuv(y, u, v):
    planes = tuple(np.array(plane, np.uint8) for plane in (y, u, v))
    return Picture(PictureFormat(2, 2, SampleFormat.YUV420), planes)


def test_gray_picture_against_values_by_hand():
    total = measure_picture(gray([[10, 20], [30, 40]]), gray([[10, 22], [29, 40]])).total
    assert total == ErrorSums(samples=4, squared_error=5, source_energy=3000, max_error=2)
    assert total.mse == 1.25
    assert total.psnr == pytest.approx(10 * math.log10(65025 / 1.25))
    assert total.snr == pytest.approx(10 * math.log10(3000 / 5))


def test_samples_do_not_wrap_around():
    total = measure_picture(gray([[0, 255]]), gray([[255, 0]])).total
    assert total.mse == 65025
    assert total.psnr == 0
    assert total.max_error == 255


def test_error_over_all_planes_counts_every_sample_once():
    source, decoded = yuv([[0, 0], [0, 0]], [[0]], [[0]]), yuv([[2, 2], [2, 2]], [[4]], [[6]])
    error = measure_picture(source, decoded)
    assert {name: plane.mse for name, plane in error.planes.items()} == {"Y": 4, "U": 16, "V": 36}
    assert error.total.mse == (4 * 4 + 16 + 36) / 6


def test_psnr_yuv_weighs_luma_six_times():
    error = measure_picture(yuv([[0, 0], [0, 0]], [[0]], [[0]]), yuv([[2, 2], [2, 2]], [[4]], [[6]]))
    y, u, v = (10 * math.log10(65025 / mse) for mse in (4, 16, 36))
    assert error.psnr_yuv == pytest.approx((6 * y + u + v) / 8)


def test_identical_pictures_have_infinite_psnr_and_say_so_in_json():
    picture = next(moving_sequence(24, 16))
    whole = compare_sequences([picture], [picture], ssim=True).whole
    assert whole.total.identical
    assert whole.total.psnr == whole.total.snr == math.inf
    assert whole.ssim == 1
    values = json.loads(json.dumps(whole.as_dict(), allow_nan=False))
    assert (values["identical"], values["mse"], values["psnr"], values["snr"]) == (True, 0, None, None)


def test_psnr_of_a_sequence_comes_from_its_one_mse():
    sources, decoded = [gray([[0, 0]])] * 2, [gray([[0, 0]]), gray([[4, 0]])]
    comparison = compare_sequences(sources, decoded)
    assert comparison.whole.total.mse == 4
    assert comparison.whole.total.psnr == pytest.approx(10 * math.log10(65025 / 4))
    assert [error.total.mse for error in comparison.pictures] == [0, 8]


def test_ssim_is_that_of_skimage_on_luma():
    metrics = pytest.importorskip("skimage.metrics")
    source = next(moving_sequence(48, 32))
    decoded = noisy(source, most=30)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = metrics.structural_similarity(luma(source), luma(decoded), **options)
    assert 0.1 < expected < 0.99
    assert measure_picture(source, decoded, ssim=True).ssim == pytest.approx(expected)


@pytest.mark.parametrize(("shape", "is_measured"), [((11, 11), True), ((10, 40), False), ((40, 10), False)])
def test_ssim_needs_pictures_as_large_as_its_window(shape, is_measured):
    pytest.importorskip("skimage")
    picture = gray(np.arange(math.prod(shape)).reshape(shape) % 256)
    assert (measure_picture(picture, picture, ssim=True).ssim is not None) == is_measured


@pytest.mark.parametrize(
    ("sources", "decoded", "message"),
    [
        ([gray([[1]])], [gray([[1, 2]])], "decoded, picture 0: is 2×1; 1×1 is needed"),
        ([gray([[1]])] * 3, [gray([[1]])] * 2, "decoded: ends after 2 pictures; source has more"),
        ([gray([[1]])] * 2, [gray([[1]])] * 3, "source: ends after 2 pictures; decoded has more"),
        ([gray([[1]])], [], "decoded: ends after 0 pictures"),
        ([], [], "source and decoded: no pictures"),
        ([gray([[1]]), gray([[1], [2]])], [gray([[1]])] * 2, "source, picture 1: is 1×2; 1×1 is needed"),
    ],
)
def test_unlike_sequences_are_refused(sources, decoded, message):
    with pytest.raises(MediaError, match=message):
        compare_sequences(sources, decoded)


def test_rgb_against_yuv_is_refused():
    rgb = Picture.from_array(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(MediaError, match=r"b\.y4m, picture 0: is yuv420; rgb is needed.*convert"):
        compare_sequences([rgb], [yuv([[0, 0], [0, 0]], [[0]], [[0]])], names=("a/", "b.y4m"))


def test_limited_against_full_range_is_refused_and_unspecified_is_not():
    def ranged(colour_range):
        picture_format = PictureFormat(1, 1, SampleFormat.GRAY, Colour(range=colour_range))
        return Picture(picture_format, (np.zeros((1, 1), np.uint8),))

    full, limited, unspecified = map(ranged, (ColourRange.FULL, ColourRange.LIMITED, ColourRange.UNSPECIFIED))
    with pytest.raises(MediaError, match="decoded, picture 0: has colour range limited; full is needed"):
        compare_sequences([full], [limited])
    assert compare_sequences([full], [unspecified]).whole.total.identical


def test_scene_has_not_changed_since_its_checksums_were_noted():
    assert [picture.crc32() for picture in moving_sequence(32, 24, 2)] == [3347987630, 1211649928]


def test_scene_that_is_too_small_is_refused():
    with pytest.raises(ConfigError, match="at least 16×16"):
        next(moving_sequence(15, 16))
