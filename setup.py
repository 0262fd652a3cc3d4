"""The kernels, which pyproject.toml cannot name, as it does not know which there are."""

from setuptools import setup

from kernel_build import WHEEL, BuildKernels, extensions, levels_to_build

setup(
    ext_modules=extensions(levels_to_build()),
    cmdclass={"build_ext": BuildKernels},
    options={"build": {"build_base": WHEEL}},
)
