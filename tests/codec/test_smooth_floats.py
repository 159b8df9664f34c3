"""Floats that follow those before are coded as integers: in no more bytes than zstd takes; others as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from caufc.codec.lossless.codec import INTEGERS, PLANES, decode_lossless, encode_lossless

RNG = np.random.default_rng(0)
FOLLOWING: dict[str, NDArray[Any]] = {
    "counter": np.arange(1, 20001, dtype=np.float32),
    "falling": -np.linspace(0, 1, 20000, dtype=np.float32),
    "path": np.cumsum(RNG.standard_normal(60000)).astype(np.float32),
    "times": 1.7e9 + np.cumsum(RNG.exponential(0.1, 5000)),
    "milliseconds": np.round(1.7e9 + np.cumsum(RNG.exponential(0.1, 5000)), 3),
}
OTHERS: dict[str, NDArray[Any]] = {
    "noise": RNG.standard_normal(40000).astype(np.float32),
    "activations": np.maximum(RNG.standard_normal(40000), 0).astype(np.float32),
    "halves": RNG.standard_normal(40000).astype(np.float16),
}


def in_zstd(values: NDArray[Any]) -> int:
    planes = values.view(np.uint8).reshape(len(values), -1).T.tobytes()
    return min(len(zstandard.compress(data, 19)) for data in (values.tobytes(), planes))


@pytest.mark.parametrize("name", FOLLOWING)
def test_floats_that_follow(name: str) -> None:
    values = FOLLOWING[name]
    payload = encode_lossless(values, rotate=True)
    assert payload[0] == INTEGERS
    assert len(payload) <= in_zstd(values)
    assert decode_lossless(payload, len(values), values.dtype, rotate=True).tobytes() == values.tobytes()


@pytest.mark.parametrize("name", OTHERS)
def test_floats_that_do_not(name: str) -> None:
    assert encode_lossless(OTHERS[name], rotate=True)[0] == PLANES
