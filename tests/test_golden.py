"""Golden files: yesterday's bytes decode to the same samples for as long as the format's version stands."""

from __future__ import annotations

import hashlib
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
CLOSE = {  # how far a sample may be off, of the files whose source is kept
    name: entry["max_error"]
    for name, entry in MANIFEST.items()
    if entry["residual"] in ("lossless", "float16") and name != "smallest.mvz" and "drawn" not in name
}


def test_the_manifest_and_the_folder_name_the_same_files():
    assert sorted(MANIFEST) == sorted(path.name for path in (FIXTURES / "golden").iterdir())


def test_there_is_a_golden_file_for_every_residual_motion_and_format():
    there = {(entry["residual"], entry["motion"], entry["sample_format"]) for entry in MANIFEST.values()}
    wanted = {(r.label, m.label, f) for r in ResidualCoder for m in MotionModel for f in FORMATS}
    assert wanted - there == set()


def test_there_are_golden_files_with_losses_of_the_lossless_coder():
    assert {1, 2, 3, 5, 16} == {entry["max_error"] for entry in MANIFEST.values()} - {0}


def test_there_is_a_golden_file_whose_packet_shares_green_apart_from_two_references():
    path = FIXTURES / "golden" / "rgb_40x32_lossless_block_run3.mvz"
    with path.open("rb") as file:
        container = ContainerReader(file, str(path))
        references = [
            [picture.references for picture in container.read_group(run).pictures] for run in container.groups
        ]
        assert container.header.greens_apart
    assert references == [[0, 1, 2], [2]]


def test_there_is_a_golden_file_whose_alpha_changes_to_bits_and_back():
    path = FIXTURES / "golden" / "gray_alpha_21x17_lossless_block.mvz"
    with path.open("rb") as file:
        container = ContainerReader(file, str(path))
        pictures = [picture for run in container.groups for picture in container.read_group(run).pictures]
    assert [picture.residual.alpha_is_binary for picture in pictures] == [True, True, False, True]


def test_alpha_of_every_golden_file_is_that_of_its_source():
    for name, entry in MANIFEST.items():
        if entry["sample_format"] in ("gray_alpha", "rgba"):
            source = next(path for path in (FIXTURES / "sources").iterdir() if name.startswith(path.name))
            with codec.open(FIXTURES / "golden" / name) as video, open_source(source) as pictures:
                for expected, decoded in zip(pictures, video.pictures(), strict=True):
                    np.testing.assert_array_equal(expected.planes[-1], decoded.planes[-1])


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
