"""Golden files: yesterday's bytes decode to the same samples for as long as the format's version stands."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import codec
from codec.bitstream.container import ContainerReader
from codec.models import BlockKind, MotionModel, ResidualCoder
from codec.picture.sources import open_source

FIXTURES = Path(__file__).parent.parent / "fixtures"
MANIFEST = json.loads((FIXTURES / "manifest.json").read_text())
FORMATS = {"gray": (37, 23), "rgb": (40, 32), "yuv420": (35, 27)}
MADE = [name for name in MANIFEST if "bit_" in name and "drawn" not in name]  # their pictures are made, and not kept
CLOSE = {  # how far a sample may be off, of the files whose source is kept
    name: entry["max_error"]
    for name, entry in MANIFEST.items()
    if entry["residual"] in ("lossless", "float16") and name not in ("smallest.mvz", *MADE) and "drawn" not in name
}


def test_the_manifest_and_the_folder_name_the_same_files():
    assert sorted(MANIFEST) == sorted(path.name for path in (FIXTURES / "golden").iterdir())


def test_there_is_a_golden_file_for_every_residual_motion_and_format():
    there = {(entry["residual"], entry["motion"], entry["sample_format"]) for entry in MANIFEST.values()}
    wanted = {(r.label, m.label, f) for r in ResidualCoder for m in MotionModel for f in FORMATS}
    assert wanted - there == set()


def test_there_are_golden_files_with_losses_of_the_lossless_coder():
    assert {1, 2, 3, 5, 16, 100, 600, 32767} == {entry["max_error"] for entry in MANIFEST.values()} - {0}


def maps_of(name):
    """How many bits coded samples have, and how many values each map has, of each GOP of a golden file."""
    path = FIXTURES / "golden" / name
    with path.open("rb") as file:
        container = ContainerReader(file, str(path))
        groups = [container.read_group(run) for run in container.groups]
    starts = [group for group in groups if group.pictures[0].references == 0]
    return [(group.pictures[0].residual.bit_depth, [values.size for values in group.maps]) for group in starts]


def test_there_are_golden_files_of_value_maps_of_every_kind():
    ((bits, (count,)),) = maps_of("gray_30x22_16bit_mapped_257.mvz")
    assert bits == 8
    assert count < 256
    ((bits, (count,)),) = maps_of("gray_30x22_16bit_mapped_12.mvz")
    assert 2 ** (bits - 1) < count <= 2**bits < 4096
    assert maps_of("gray_30x22_16bit_mapped_few.mvz") == [(8, [5])]
    assert maps_of("rgba_20x16_8bit_mapped_alpha.mvz") == [(8, [0, 2])]
    assert maps_of("rgba_20x16_16bit_mapped_alpha.mvz") == [(11, [1757, 2])]
    assert maps_of("rgba_14x12_16bit_mapped_block_drawn.mvz") == [(12, [3000, 0]), (8, [400, 2])]
    assert maps_of("gray_alpha_18x17_8bit_mapped_mesh_drawn.mvz") == [(8, [0, 5]), (8, [])]


def test_there_are_golden_files_of_more_than_8_bits_for_every_coder_that_takes_them():
    deep = {(entry["residual"], entry["bit_depth"]) for entry in MANIFEST.values() if entry["bit_depth"] > 8}
    assert {("lossless", bits) for bits in (9, 10, 12, 16)} <= deep
    assert {(coder, 16) for coder in ("int8", "uint8", "float16")} <= deep


def test_alpha_of_every_golden_file_is_that_of_its_source():
    for name, entry in MANIFEST.items():
        if entry["sample_format"] in ("gray_alpha", "rgba") and name not in MADE and "drawn" not in name:
            source = next(path for path in (FIXTURES / "sources").iterdir() if name.startswith(path.name))
            with codec.open(FIXTURES / "golden" / name) as video, open_source(source) as pictures:
                for expected, decoded in zip(pictures, video.pictures(), strict=True):
                    np.testing.assert_array_equal(expected.planes[-1], decoded.planes[-1])


def test_golden_files_of_pictures_that_are_made_decode_to_those():
    spec = importlib.util.spec_from_file_location("make", FIXTURES / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    made = make.deep_golden()
    assert sorted(MADE) == sorted(made)
    for name, (pictures, _) in made.items():
        entry = MANIFEST[name]
        with codec.open(FIXTURES / "golden" / name) as video:
            for expected, decoded in zip(pictures, video.pictures(), strict=True):
                assert expected.format == decoded.format
                differences = [
                    int(np.abs(before.astype(int) - after).max())
                    for before, after in zip(expected.planes, decoded.planes, strict=True)
                ]
                if entry["residual"] == "lossless":
                    assert max(differences) <= entry["max_error"]
                elif entry["residual"] == "float16":
                    assert max(differences) <= 16  # half of the last of eleven bits
                elif decoded.format.sample_format.has_alpha:
                    assert differences[-1] == 0


def test_every_kind_of_coding_block_is_in_a_golden_file():
    kinds, obmc = set(), set()
    for name, entry in MANIFEST.items():
        if entry["residual"] == "dct":
            with codec.open(FIXTURES / "golden" / name) as video:
                for seen in video.inspections():
                    kinds |= set(seen.coding_blocks.kinds.tolist())
                    obmc |= set(seen.coding_blocks.kinds[seen.coding_blocks.obmc == 1].tolist())
    assert set(BlockKind) == kinds
    assert {BlockKind.MERGE, BlockKind.INTER} == obmc


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_a_golden_file_decodes_to_the_samples_of_the_manifest(name):
    entry = MANIFEST[name]
    path = FIXTURES / "golden" / name
    assert path.stat().st_size < 30_000
    with codec.open(path) as video:
        hashes = [
            hashlib.sha256(b"".join(plane.tobytes() for plane in picture.planes)).hexdigest()
            for picture in video.pictures()
        ]
        assert hashes == entry["sha256"]
        assert (video.format.width, video.format.height) == (entry["width"], entry["height"])
        assert video.format.sample_format.label == entry["sample_format"]
        assert video.format.bit_depth == entry["bit_depth"]


def test_golden_files_give_the_attachments_of_the_manifest():
    there = {name: entry["attachments"] for name, entry in MANIFEST.items() if "attachments" in entry}
    assert list(there) == ["gray_37x23_lossless_attached.mvz"]
    for name, expected in there.items():
        with codec.open(FIXTURES / "golden" / name) as video:
            came_with = [
                {key: value.hex() for key, value in picture.attachments.items()}
                | ({} if picture.duration is None else {"duration": str(picture.duration)})
                for picture in video.pictures()
            ]
        assert came_with == expected


@pytest.mark.parametrize("name", CLOSE)
def test_exact_and_nearly_exact_golden_files_decode_to_their_sources(name):
    source = next(path for path in (FIXTURES / "sources").iterdir() if name.startswith(path.name.partition(".")[0]))
    errors = []
    with codec.open(FIXTURES / "golden" / name) as video, open_source(source) as pictures:
        for expected, decoded in zip(pictures, video.pictures(), strict=True):
            for before, after in zip(expected.planes, decoded.planes, strict=True):
                errors.append(int(np.abs(before.astype(int) - after).max()))
    assert CLOSE[name] == max(errors)  # a file that may be off by 3 is so somewhere
