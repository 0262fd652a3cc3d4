"""The versions that are declared are those that the tests are run with."""

import re
import tomllib
from pathlib import Path

import codec

ROOT = Path(__file__).parent.parent
NOT_OURS = {"pyparsing", "scipy"}
BUILD_TOOLS = {"Cython", "setuptools"}


def test_the_least_versions_declared_are_those_that_the_tests_are_run_with():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["report"], *extras["ssim"], *extras["tiff"], *extras["test"]]
    least = dict(requirement.split(">=") for requirement in declared if not requirement.startswith("mvz["))
    least = {name: version for name, version in least.items() if name not in BUILD_TOOLS}
    lines = (ROOT / "tests" / "minimum-versions.txt").read_text("utf-8").splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name for name in tried if name not in least} == NOT_OURS
    for name, version in least.items():
        assert re.fullmatch(rf"{re.escape(version)}(\.0)*", tried[name]), name


def test_the_version_is_the_one_that_changelog_and_citation_name():
    assert f"\nversion: {codec.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)[1] == codec.__version__
