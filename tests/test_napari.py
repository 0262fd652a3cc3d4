"""The reader for napari: its manifest as npe2 reads it, and the layers that it gives."""

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import codec
from mvz.napari import reader

ROOT = Path(__file__).parent.parent


def written(path, shape, dtype=np.uint8):
    pictures = np.random.default_rng(9).integers(0, 256, shape, dtype)
    codec.encode(pictures, path, rate=20, metadata={"title": "x"})
    return pictures


@pytest.mark.parametrize(("shape", "rgb"), [((5, 6, 7), False), ((5, 6, 7, 3), True), ((5, 6, 7, 4), True)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_file_is_a_layer_that_decodes_when_it_is_looked_at(dtype, shape, rgb, tmp_path):
    path = str(tmp_path / "clip.mvz")
    pictures = written(path, shape, dtype)
    ((data, options, kind),) = reader(path)(path)
    with data:
        assert (codec.Video, "image", "clip", rgb) == (type(data), kind, options["name"], options["rgb"])
        assert (20, "x") == (options["metadata"]["rate"], options["metadata"]["title"])
        peak = (0, np.iinfo(dtype).max)
        assert (None if rgb else peak) == options.get("contrast_limits")
        np.testing.assert_array_equal(pictures[3], np.asarray(data[(3, slice(None), slice(None))]))


def test_gray_with_alpha_is_two_layers_and_several_files_are_one_each(tmp_path):
    paths = [str(tmp_path / name) for name in ("a.mvz", "b.mvz")]
    pictures = [written(path, (2, 4, 5, 2)) for path in paths]
    layers = reader(paths)(paths)
    assert ["a", "a alpha", "b", "b alpha"] == [options["name"] for _, options, _ in layers]
    for number, (data, _, _) in enumerate(layers):
        np.testing.assert_array_equal(pictures[number // 2][..., number % 2], data)


def test_other_files_are_left_to_others():
    assert reader("a.png") is None
    assert reader(["a.mvz", "b.png"]) is None


@pytest.mark.skipif(find_spec("npe2") is None, reason="npe2 is not installed")
def test_the_manifest_is_where_napari_looks_and_its_command_reads_a_file(tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    module, _, name = project["project"]["entry-points"]["napari.manifest"]["mvz"].partition(":")
    assert name in project["tool"]["setuptools"]["package-data"][module]
    written(tmp_path / "clip.mvz", (5, 6, 7))
    code = (  # in a process of its own, as npe2 warns of itself
        "import npe2\n"
        f"manifest = npe2.PluginManifest.from_file({str(ROOT / module / name)!r})\n"
        "manifest.validate_imports()\n"
        "npe2.PluginManager.instance().register(manifest)\n"
        f"((data, options, kind),) = npe2.read([{str(tmp_path / 'clip.mvz')!r}], stack=False)\n"
        "print(manifest.name, data.shape, options['name'], kind)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "mvz (5, 6, 7) clip image\n" == run.stdout, run.stderr
