"""The compiled coder, constriction and plain Python, word for word; and a whole caufc without constriction."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import caufc
from caufc.codec import entropy, kernels, rans
from caufc.codec.tables import frequencies_of
from caufc.errors import MalformedError

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0" / "valid"

WITHOUT = "import sys; sys.modules['constriction'] = None; "


@st.composite
def runs(draw: Any) -> list[tuple[list[int], int | list[int]]]:
    """Runs of symbols, each with the bits of a uniform model or the levels of a table."""
    found: list[tuple[list[int], int | list[int]]] = []
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.booleans()):
            bits = draw(st.integers(1, 16))
            found.append((draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=60)), bits))
        else:
            levels = draw(st.lists(st.integers(0, 193), min_size=2, max_size=64).filter(any))
            found.append((draw(st.lists(st.integers(0, len(levels) - 1), max_size=200)), levels))
    return found


def model(of: int | list[int]) -> Any:
    if isinstance(of, int):
        return entropy.uniform_model(of)
    return entropy.table_model(frequencies_of(np.array([of], np.uint8))[0])


def encoded(case: list[tuple[list[int], int | list[int]]]) -> bytes:
    encoder = entropy.RansEncoder()
    for symbols, of in case:
        encoder.push(np.array(symbols, np.int32), model(of))
    return encoder.finish()


def coders(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The coders that there are, one after another, each in use while it is the last one."""
    yield "kernel"
    patch.setattr(kernels, "rans", None)
    yield "constriction"
    patch.setattr(entropy, "_stream", lambda: None)
    assert isinstance(model(3).model, rans.Uniform)
    yield "plain"


@settings(deadline=None, max_examples=75)
@given(runs())
def test_the_same_words_and_symbols(case: list[tuple[list[int], int | list[int]]]) -> None:
    words = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in coders(patch):
            words.append(encoded(case))
            decoder = entropy.RansDecoder(words[0])
            for symbols, of in case:
                out = np.empty(len(symbols), np.int32)
                decoder.pull_into(out, model(of))
                assert out.tolist() == symbols
            decoder.end()
    assert words[0] == words[1] == words[2]


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8"])
def test_likely_and_unlikely_symbols_of_every_width(dtype: str) -> None:
    """Frequencies from 1 on, to the whole but for one; states are large behind unlikely symbols."""
    found = np.ones((3, 24), np.int64)
    found[0, 5], found[1, :] = (1 << 24) - 23, 1 << 19
    found[1, 0] = (1 << 24) - (23 << 19)
    found[2] = [1 << number for number in range(24)]
    found[2, 0] = 2
    rng = np.random.default_rng(0)
    symbols = [rng.integers(0, 24, 3000).astype(dtype), np.full(3000, 5, dtype)]
    words = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in coders(patch):
            encoder = entropy.RansEncoder()
            for row in found:
                for run in symbols:
                    encoder.push(run, entropy.table_model(row))
            words.append(encoder.finish())
    assert words[0] == words[1] == words[2]


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=40).map(lambda data: data[: len(data) // 4 * 4]), st.integers(0, 80))
@example(bytes(4) * 3 + b"\1\0\0\0", 40)
def test_any_words_decode_alike(data: bytes, count: int) -> None:
    """Words that no encoder has made, and more symbols than they hold."""
    if data[-4:] == bytes(4):
        return
    table = frequencies_of(np.array([[90, 3, 0, 193, 17]], np.uint8))[0]
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in coders(patch):
            decoder = entropy.RansDecoder(data)
            parts = [part.tolist() for part in decoder.pull(count, entropy.table_model(table))]
            try:
                decoder.end()
                found.append((parts, True))
            except MalformedError:
                found.append((parts, False))
    assert found[0] == found[1] == found[2]


WRITE_AND_READ = """
import hashlib, sys
from pathlib import Path
import numpy as np
import caufc
values = np.random.default_rng(0).laplace(size=(6, 8, 5, 5)).astype("f4")
print(hashlib.sha256(caufc.encode(values, snr=25) + caufc.encode(values, lossless=True)).hexdigest())
for name in ("spectral-1d", "tiny", "lossless-fp16"):
    print(caufc.verify(Path(sys.argv[1]) / f"{name}.cauf", deep=True).symbols_sha256)
print(sys.modules["constriction"] is None, file=sys.stderr)
"""


def test_files_without_constriction() -> None:
    """Encoding gives the same bytes, and every file the same symbols."""
    environment = {**os.environ, "PYTHONPATH": str(Path(caufc.__file__).parents[1])}
    found = []
    for start, kernels_on in (("", "0"), (WITHOUT, "0"), (WITHOUT, "1")):
        command = [sys.executable, "-c", start + WRITE_AND_READ, str(VECTORS)]
        variables = {**environment, kernels.VARIABLE: kernels_on}
        found.append(subprocess.run(command, capture_output=True, text=True, check=True, env=variables))
    assert [done.stderr for done in found] == ["False\n", "True\n", "True\n"]
    assert found[0].stdout == found[1].stdout == found[2].stdout
    assert len(found[0].stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("package", "system", "machine", "wanted"),
    [
        ("constriction", "linux", "x86_64", True),
        ("constriction", "linux", "aarch64", False),
        ("constriction", "darwin", "arm64", True),
        ("constriction", "win32", "ARM64", False),
        ("isal", "linux", "aarch64", True),
        ("isal", "linux", "riscv64", False),
        ("isal", "darwin", "x86_64", False),
        ("isal", "win32", "ARM64", False),
    ],
)
def test_dependencies_are_asked_for_where_there_are_wheels(
    package: str, system: str, machine: str, wanted: bool
) -> None:
    requirements = pytest.importorskip("packaging.requirements")
    with (Path(caufc.__file__).parents[1] / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    (found,) = (requirements.Requirement(text) for text in dependencies if text.startswith(package))
    assert found.marker.evaluate({"sys_platform": system, "platform_machine": machine}) is wanted
