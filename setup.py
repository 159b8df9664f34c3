"""The compiled kernels; all else about the package stands in pyproject.toml.

Every kernel is optional: where there is no compiler, or one that fails, caufc installs without and codes in numpy.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("caufc", "codec", "kernels")

EXACT = ["-O3", "-ffp-contract=off", "-fno-trapping-math"]
"""A multiplication and an addition are rounded apart, as numpy rounds them; loops whose floats may trap stay scalar."""

FLAGS = {"unix": EXACT, "mingw32": EXACT, "msvc": ["/O2", "/fp:precise"]}


WITHOUT_SYMBOLS = "-g0"
"""Python's own flags ask for them; sanitizers name lines by them."""


class BuildKernels(build_ext):
    """Generated C goes to the build folder, and flags follow the compiler."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.cython_c_in_temp = True

    def build_extensions(self) -> None:
        flags = list(FLAGS.get(self.compiler.compiler_type, []))
        if self.compiler.compiler_type == "unix" and "-fsanitize" not in os.environ.get("CFLAGS", ""):
            flags.append(WITHOUT_SYMBOLS)
        for extension in self.extensions:
            extension.extra_compile_args += flags
        super().build_extensions()


def kernels() -> list[Extension]:
    """An extension per ``.pyx``, in order of name."""
    shared = [path.as_posix() for pattern in ("*.pxd", "*.h") for path in sorted(FOLDER.glob(pattern))]
    return [
        Extension(".".join(path.with_suffix("").parts), [path.as_posix()], depends=shared, optional=True)
        for path in sorted(FOLDER.glob("*.pyx"))
    ]


setup(ext_modules=kernels(), cmdclass={"build_ext": BuildKernels})
