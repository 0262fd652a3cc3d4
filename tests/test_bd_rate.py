"""Delta rate of curves: like SciPy's pchip and the package bjontegaard, and silent where it would mislead."""

import math

import numpy as np
import pytest

from codec.measure.curves import BdRate, Curve, bd_rate

ANCHOR = [(4000, 30.1), (9000, 33.4), (21000, 36.2), (60000, 40.8), (150000, 44.9)]
TEST = [(3100, 29.0), (8200, 33.6), (14000, 35.9), (41000, 39.6), (160000, 45.5)]


def test_half_the_bytes_is_minus_half():
    half = [(size / 2, psnr) for size, psnr in ANCHOR]
    assert pytest.approx(-0.5) == bd_rate(ANCHOR, half).change
    assert pytest.approx(1.0) == bd_rate(half, ANCHOR).change
    assert BdRate(pytest.approx(0), 30.1, 44.9) == bd_rate(ANCHOR, ANCHOR[::-1])
    assert (30.1, 44.9, "") == bd_rate(ANCHOR, TEST)[1:]  # the range that both reach


def test_interpolation_is_scipys_pchip():
    interpolate = pytest.importorskip("scipy.interpolate")
    random = np.random.default_rng(2)
    for count in (4, 5, 9):
        psnr = 30 + np.cumsum(random.uniform(0.3, 4, count))
        sizes = 1000 * np.exp(np.cumsum(random.uniform(0.01, 2, count)))
        ours, theirs = Curve(list(zip(sizes, psnr, strict=True))), interpolate.PchipInterpolator(psnr, np.log(sizes))
        places = np.linspace(psnr[0], psnr[-1], 200)
        assert np.allclose(np.exp(theirs(places)), ours.at(places), rtol=1e-12)
        low, high = psnr[0] + 0.1, psnr[-1] - 0.2
        assert pytest.approx(theirs.integrate(low, high) / (high - low), rel=1e-12) == ours.mean_log_bytes(low, high)


def test_rate_is_that_of_the_package_bjontegaard():
    bjontegaard = pytest.importorskip("bjontegaard")
    (rate_a, psnr_a), (rate_b, psnr_b) = zip(*ANCHOR, strict=True), zip(*TEST, strict=True)
    expected = bjontegaard.bd_rate(rate_a, psnr_a, rate_b, psnr_b, method="pchip", min_overlap=0)
    assert pytest.approx(expected / 100, rel=1e-9) == bd_rate(ANCHOR, TEST).change


@pytest.mark.parametrize(
    ("anchor", "test", "why"),
    [
        (ANCHOR, TEST[:3], "points with an error: 3; 4 are needed"),
        (TEST[:3], ANCHOR, "of the anchor, points with an error: 3"),
        (ANCHOR, [*TEST[:3], (200_000, math.inf)], "points with an error: 3"),
        (ANCHOR, [*TEST, (170_000, 45.5)], "PSNR does not rise with bytes everywhere"),
        (ANCHOR, [*TEST, (150_000, 46.0)], "PSNR does not rise with bytes everywhere"),
        (ANCHOR, [(size, psnr + 14.5) for size, psnr in TEST], "the curves share 1.4 dB"),
        (ANCHOR, [(size, psnr + 40) for size, psnr in TEST], "the curves share no PSNR"),
    ],
)
def test_nothing_is_said_where_it_would_mislead(anchor, test, why):
    found = bd_rate(anchor, test)
    assert found.change is None
    assert why in found.why_not
