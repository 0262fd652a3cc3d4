"""The pages in docs and the README: their links lead somewhere, and the lines of code that they change are there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import codec

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
TOOL = (ROOT / "docs" / "adding_a_tool.md").read_text("utf-8")
PATCHES = re.findall(r"^```diff\n# (\S+)\n(.*?)^```", TOOL, re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_readme_is_short():
    assert (ROOT / "README.md").read_text("utf-8").count("\n") <= 120


@pytest.mark.parametrize(("path", "patch"), PATCHES, ids=[path for path, _ in PATCHES])
def test_the_lines_that_a_coding_tool_changes_are_there(path, patch):
    """Each hunk's old lines are in the file, one after the other."""
    text = (ROOT / path).read_text("utf-8")
    for hunk in re.split(r"^@@\n", patch, flags=re.M)[1:]:
        old = "".join(f"{line[1:]}\n" for line in hunk.splitlines() if not line.startswith("+"))
        assert f"\n{old}" in text, old


def test_the_worked_example_changes_every_kind_of_file():
    assert {path.partition("/")[0] for path, _ in PATCHES} == {"codec", "fixtures", "tests", "format_spec.md"}


@pytest.mark.parametrize("page", ["README.md", "docs/plugins.md"])
def test_examples_run(page, tmp_path):
    for library in ("zarr", "numcodecs", "dask", "imageio"):
        pytest.importorskip(library)
    shutil.copytree(ROOT / "fixtures" / "sources" / "rgb_40x32", tmp_path / "frames")
    if page != "README.md":  # which makes it itself
        codec.encode(tmp_path / "frames", tmp_path / "clip.mvz")
    examples = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)
    assert examples
    for example in examples:
        call = [sys.executable, "-c", example]
        done = subprocess.run(
            call, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    done = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Encode a sequence of pictures" in (tmp_path / "api" / "index.html").read_text("utf-8")
