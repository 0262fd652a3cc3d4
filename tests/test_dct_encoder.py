"""The encoder of ``dct``: compiled against the same code uncompiled, and what its vectors say in Python."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codec.vectors import copy_row, fold, half_hadamard, mix_row, sums_of_pairs

ROOT = Path(__file__).parent.parent

ENCODE = """
import sys, zlib
from fractions import Fraction
import numpy as np
from codec.encoder import encode_gop, sequence_header
from codec.picture.planes import Picture, PictureFormat, SampleFormat
from codec.search import partition
from codec.settings import Settings

assert partition.__file__.endswith(sys.argv[1])
random = np.random.default_rng(7)
texture = np.cumsum(random.integers(-9, 10, (60, 60)), axis=1) + 128
shapes = random.choice(np.array([0, 255]), (3, 9, 7))  # of letters, for a screen
for mode, speed, motion, qp, bits in (
    ("YUV420", "slow", "block", 24, 8), ("YUV422", "medium", "mesh", 30, 8), ("GRAY", "fast", "block", 3, 8),
    ("YUV444", "medium", "none", 20, 8), ("YUV420", "medium", "mesh", 26, 10), ("GRAY", "slow", "block", -24, 12),
    ("YUV420", "medium", "block", 20, 8),
):
    picture_format = PictureFormat(32, 24, SampleFormat[mode], bit_depth=bits)
    pictures = []
    for number in range(3):
        noise = random.integers(0, 1 + 255 * (qp == 3), (60, 60))
        if (mode, bits, qp) == ("YUV420", 8, 20):
            texture = np.full((60, 60), 255)
            for place in range(20):
                top, left = 10 * (place // 5) + 1, 9 * (place % 5) + 1
                texture[top : top + 9, left : left + 7] = shapes[place % 3]
        planes = [
            (texture + noise)[k + number : k + number + rows, 2 * number : 2 * number + columns].astype(np.uint8)
            .astype(picture_format.dtype) * (picture_format.peak // 255)
            for k, (rows, columns) in enumerate(picture_format.plane_shapes)
        ]
        pictures.append(Picture(picture_format, tuple(planes)))
    settings = Settings(residual="dct", speed=speed, motion=motion, qp=qp)
    header = sequence_header(picture_format, Fraction(25), settings)
    for coded in encode_gop(pictures, 0, header, settings):
        print(len(coded[0]), zlib.crc32(coded[0]))
"""

COEFFICIENTS = """
import numpy as np
from codec.search.forward import LevelSearch
from codec.search.symbol_writer import SymbolWriter

search = LevelSearch(SymbolWriter(1, 64), 8)
source = np.random.default_rng(3).integers(0, 256, (8, 8)).astype(np.uint8)
search.find_coefficients(source.data, np.zeros((8, 8), np.uint8).data, 0, 0, 3, 0, 40)
smallest = min(abs(value) for value in search.value[: search.count])
for least in (smallest - 0.5 / 131072, smallest + 0.5 / 131072):
    search.find_coefficients(source.data, np.zeros((8, 8), np.uint8).data, 0, 0, 3, 0, least)
    print(min(abs(value) for value in search.value[: search.count]) >= least)
"""


def encoded(suffix, **environment):
    command = [sys.executable, "-c", ENCODE, suffix]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_tiny_clips_become_the_same_bytes_compiled_and_uncompiled():
    assert encoded(".so") == encoded(".py", MVZ_UNCOMPILED="1")


def test_no_coefficient_is_below_the_least_which_would_become_a_level_of_0():
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MVZ_UNCOMPILED": "1"}
    command = [sys.executable, "-c", COEFFICIENTS]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["True", "True"]


@pytest.mark.parametrize("columns", [8, 16, 32])
@pytest.mark.parametrize("peak", [255, 4095])
def test_hadamard_sums_are_those_of_plain_matrices(columns, peak):
    random = np.random.default_rng(columns)
    matrix = np.array([[1]])
    for _ in range(3):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    a, b = (peak * random.integers(0, 2, (2, 12, 40))).astype(np.min_scalar_type(peak))
    differences = a[2:10, 3 : 3 + columns].astype(int) - b[1:9, 5 : 5 + columns]
    sums = [np.abs(matrix @ differences[:, x : x + 8] @ matrix).sum() for x in range(0, columns, 8)]
    assert sum(sums) == 2 * half_hadamard(a.data, 2, 3, b.data, 1, 5, columns)


def test_sums_of_pairs_are_those_of_a_matrix_product():
    random = np.random.default_rng(0)
    numbers, pairs = random.integers(-8192, 8193, (3, 32)).astype(np.int16), np.zeros((9, 64), np.int16)
    matrix = random.integers(-510, 511, (8, 16))
    pairs[2:6, :32] = matrix.reshape(4, 2, 16).transpose(0, 2, 1).reshape(4, 32)
    sums = np.zeros(32, np.int32)
    sums_of_pairs(numbers.data, 1, pairs.data, 2, sums.data, 8, 16)
    np.testing.assert_array_equal(numbers[1, :8].astype(int) @ matrix, sums[:16])


@pytest.mark.parametrize("side", [4, 8, 32])
@pytest.mark.parametrize("peak", [255, 4095])
def test_folding_sums_rows_from_both_ends(side, peak):
    random = np.random.default_rng(side)
    a, b = random.integers(0, peak + 1, (2, 36, 40)).astype(np.min_scalar_type(peak))
    pairs = np.zeros((16, 64), np.int16)
    block = a[2 : 2 + side, 3 : 3 + side].astype(int) - b[2 : 2 + side, 3 : 3 + side]
    assert (block**2).sum() == fold(a.data, b.data, 2, 3, pairs.data, side)
    for row in range(side // 2):
        for first, sign in ((0, 1), (8, -1)):
            expected = block[row] + sign * block[side - 1 - row]
            np.testing.assert_array_equal(expected, pairs[first + row // 2, row % 2 : 2 * side : 2])


def test_a_row_is_mixed_less_and_less_and_copied():
    samples, second = np.array([[9, 200, 200, 200, 200, 9]], np.uint8), np.array([[9, 40, 40, 41, 240, 9]], np.uint8)
    mix_row(samples.data, 0, 1, second.data, 7, 2, 4, 4)
    expected = [200 + (share * (there - 200) + 8 >> 4) for share, there in ((7, 40), (5, 40), (3, 41), (1, 240))]
    assert samples.tolist() == [[9, *expected, 9]]
    copy_row(samples.data, 0, 0, second.data, 0, 2, 3)
    assert samples.tolist() == [[40, 41, 240, *expected[2:], 9]]
