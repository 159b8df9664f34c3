"""The memory of a decode: what it gives back, and a chunk per thread, whatever is decoded where to."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc

TIMES, CHUNK, TOKENS, CHANNELS = 40, 16, 48, 64

SPARE = 2 << 20
"""Bytes for three parts of the file, as they are read, gathered, and cut into blocks."""

OBJECT = 400
"""Bytes of an array besides its values, and of its place in a dict and a list."""


def tokens(samples: int) -> Any:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((samples, TOKENS, 8)) @ rng.standard_normal((8, CHANNELS))).astype(np.float32)


def peak_of(decoding: Callable[[], Any]) -> int:
    """Bytes at the peak of a call."""
    tracemalloc.start()
    try:
        decoding()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def kinds(samples: int) -> dict[str, Any]:
    values = tokens(samples)
    return {
        "batch": {"a": values, "b": values[:, :, ::2].astype("f2")},
        "list": [{"a": one, "b": one[:, ::2].astype("f2")} for one in values],
        "ragged": [
            {"a": one[: 20 + number % 28], "b": one[::2, ::2].astype("f2")} for number, one in enumerate(values)
        ],
    }


def nbytes(features: Any) -> int:
    if isinstance(features, np.ndarray):
        return features.nbytes + OBJECT
    return sum(map(nbytes, features.values() if isinstance(features, dict) else features))


CASES: list[tuple[str, dict[str, Any], int]] = [
    ("batch", {}, 1),
    ("batch", {}, 3),
    ("batch", {"lossless": True}, 2),
    ("batch", {"index": False}, 2),
    ("list", {}, 2),
    ("ragged", {}, 2),
]


@pytest.mark.parametrize(("kind", "options", "threads"), CASES)
def test_a_decode(kind: str, options: dict[str, Any], threads: int, tmp_path: Path) -> None:
    layout = "b n c" if kind == "batch" else "n c"
    given: dict[str, Any] = {"layout": layout, "chunk": CHUNK, "effort": "fast", **options}
    path, small = tmp_path / "a.cauf", tmp_path / "b.cauf"
    caufc.save(path, kinds(TIMES * CHUNK)[kind], **given)
    caufc.save(small, kinds(CHUNK)[kind], **given)
    chunk = peak_of(lambda: caufc.load(small, threads=1))
    whole, part = caufc.load(path), caufc.load(path, only=["a"])
    work = threads * chunk + SPARE
    assert work < nbytes(part)
    data = path.read_bytes()
    assert peak_of(lambda: caufc.load(path, threads=threads)) < nbytes(whole) + work
    assert peak_of(lambda: caufc.decode(data, threads=threads)) < nbytes(whole) + work
    assert peak_of(lambda: caufc.load(path, only=["a"], threads=threads)) < nbytes(part) + work
    assert peak_of(lambda: caufc.load(path, out=whole, threads=threads)) < work
    assert peak_of(lambda: caufc.load(path, out=part, only=["a"], threads=threads)) < work
    wide = nbytes(caufc.load(path, dtype="float64"))
    assert peak_of(lambda: caufc.load(path, dtype="float64", threads=threads)) < wide + work
