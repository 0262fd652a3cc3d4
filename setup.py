"""What pyproject.toml cannot say: the kernels, as it does not know which there are, and README as PyPI shows it."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

from kernel_build import WHEEL, BuildKernels, extensions, levels_to_build

ROOT = Path(__file__).parent


def readme() -> str:
    """README with addresses for its links into the checkout, which PyPI does not have."""
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]

    def address(link: re.Match[str]) -> str:
        return f"]({repository}/{'raw' if link[1].endswith('.png') else 'blob'}/HEAD/{link[1]})"

    return re.sub(r"\]\((?!https?:)([^)]+)\)", address, (ROOT / "README.md").read_text("utf-8"))


setup(
    ext_modules=extensions(levels_to_build()),
    cmdclass={"build_ext": BuildKernels},
    options={"build": {"build_base": WHEEL}},
    long_description=readme(),
    long_description_content_type="text/markdown",
)
