"""Which kernels there are, and how they are switched off."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import caufc
from caufc.codec import kernels

ROOT = Path(caufc.__file__).parents[1]
FOLDER = Path(kernels.__file__).parent

CODE = """
import hashlib, numpy as np, caufc
from caufc.codec import kernels
values = np.random.default_rng(0).laplace(size=(9, 16, 6, 6)).astype("f4")
ids = np.arange(900, dtype="i8") ** 2
files = [caufc.encode(values), caufc.encode({"x": values, "ids": ids}, lossless=True), caufc.encode(values, snr=30)]
print(hashlib.sha256(b"".join(files)).hexdigest(), len(kernels.built()))
"""


def run(code: str, **environment: str) -> list[str]:
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=given, check=True, capture_output=True, text=True)
    return done.stdout.split()


@functools.cache
def with_all() -> list[str]:
    """What the code prints with all kernels that are built."""
    return run(CODE)


def test_every_source_is_a_kernel_with_types() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.pyx")) == list(kernels.NAMES)
    assert sorted(path.stem for path in FOLDER.glob("*.pyi")) == list(kernels.NAMES)


def test_the_build_brings_what_it_needs() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert any(needed.startswith("Cython") for needed in settings["build-system"]["requires"])
    assert "optional=True" in (ROOT / "setup.py").read_text("utf-8")


def test_files_do_not_depend_on_kernels() -> None:
    digest, built = with_all()
    assert built == str(len(kernels.built()))
    assert run(CODE, CAUFC_KERNELS="0") == [digest, "0"]


@pytest.mark.skipif(not kernels.built(), reason="no kernel is built, or all are switched off")
@pytest.mark.parametrize("missing", kernels.NAMES)
def test_any_kernel_may_be_missing(missing: str) -> None:
    """As where one of them did not compile."""
    digest, built = with_all()
    without = f"import sys; sys.modules['caufc.codec.kernels.{missing}'] = None\n"
    assert run(without + CODE) == [digest, str(int(built) - 1)]
