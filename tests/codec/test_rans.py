"""The coder in plain Python against constriction, word for word; and a whole caufc without constriction."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
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

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "valid"

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


@settings(deadline=None, max_examples=150)
@given(runs())
def test_the_same_words_and_symbols(case: list[tuple[list[int], int | list[int]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        words = encoded(case)
        patch.setattr(entropy, "_stream", lambda: None)
        patch.setattr(kernels, "rans", None)
        assert isinstance(model(3).model, rans.Uniform)
        assert encoded(case) == words
        decoder = entropy.RansDecoder(words)
        for symbols, of in case:
            out = np.empty(len(symbols), np.int32)
            decoder.pull_into(out, model(of))
            assert out.tolist() == symbols
        decoder.end()


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=40).map(lambda data: data[: len(data) // 4 * 4]), st.integers(0, 80))
@example(bytes(4) * 3 + b"\1\0\0\0", 40)
def test_any_words_decode_alike(data: bytes, count: int) -> None:
    """Words that no encoder has made, and more symbols than they hold."""
    if data[-4:] == bytes(4):
        return
    table = frequencies_of(np.array([[90, 3, 0, 193, 17]], np.uint8))[0]
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for coder in ("kernel", "constriction", "plain"):
            if coder != "kernel":
                patch.setattr(kernels, "rans", None)
            if coder == "plain":
                patch.setattr(entropy, "_stream", lambda: None)
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
    for start, kernels_on in (("", "1"), (WITHOUT, "0")):
        command = [sys.executable, "-c", start + WRITE_AND_READ, str(VECTORS)]
        variables = {**environment, kernels.VARIABLE: kernels_on}
        found.append(subprocess.run(command, capture_output=True, text=True, check=True, env=variables))
    assert [done.stderr for done in found] == ["False\n", "True\n"]
    assert found[0].stdout == found[1].stdout
    assert len(found[0].stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("system", "machine", "wanted"),
    [("linux", "x86_64", True), ("linux", "aarch64", False), ("darwin", "arm64", True), ("win32", "ARM64", False)],
)
def test_the_dependency_is_asked_for_where_there_are_wheels(system: str, machine: str, wanted: bool) -> None:
    requirements = pytest.importorskip("packaging.requirements")
    with (Path(caufc.__file__).parents[1] / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    (found,) = (requirements.Requirement(text) for text in dependencies if text.startswith("constriction"))
    assert found.marker.evaluate({"sys_platform": system, "platform_machine": machine}) is wanted
