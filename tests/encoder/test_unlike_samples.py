"""The warning about samples that are not alike."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.api import encode_to

TOKENS = np.random.default_rng(4).standard_normal((5, 8)).astype("f4")
MASK = np.ones(5, "?")


def sample(number: int, **parts: Any) -> dict[str, Any]:
    return {"h": TOKENS[: 2 + number % 3], "label": number, **parts}


UNLIKE: dict[str, tuple[Any, str]] = {
    "none": ([sample(i, m=None if i == 3 else MASK) for i in range(32)], "'0' and '3' differ in 'm': 32 samples"),
    "missing": ([sample(i, **({} if i == 1 else {"a": {"m": MASK}})) for i in range(32)], "'0' and '1' differ in 'a'"),
    "dtype": ([sample(i, m=MASK.astype("f4" if i == 2 else "?")) for i in range(32)], "'0' and '2' differ in 'm'"),
    "keys": ({f"p{i}x": sample(i, m=None if i == 3 else MASK) for i in range(40)}, "'p0x' and 'p3x' differ in 'm'"),
    "tensors": ([TOKENS[: 1 + i % 3] if i % 4 else None for i in range(40)], "'0' and '1' differ: 40 samples"),
    "pairs": ([(TOKENS, None if i == 9 else MASK) for i in range(40)], "'0' and '9' differ in '1'"),
}  # fmt: skip

ALIKE: dict[str, Any] = {
    "samples": [sample(i) for i in range(40)],
    "few": [sample(i, m=None if i == 3 else MASK) for i in range(31)],
    "checkpoint": {"epoch": 3, "done": None} | {f"layer{i}.b": TOKENS[: i % 3, 0] for i in range(40)},
    "weights": [TOKENS[0] if i % 2 else TOKENS for i in range(40)],
    "mixed": [{f"a{i}": TOKENS} for i in range(40)],
}  # fmt: skip


def warnings_of(features: Any) -> list[str]:
    file = io.BytesIO()
    report = encode_to(file, features, lossless=True)
    assert len(caufc.decode(file.getvalue())) == len(features)
    return [warning for warning in report.warnings if "differ" in warning]


@pytest.mark.parametrize("name", UNLIKE)
def test_unlike_samples_are_a_warning(name: str) -> None:
    features, words = UNLIKE[name]
    (said,) = warnings_of(features)
    assert said.startswith(words)
    assert said.endswith("give all of them the same parts, dtypes and axes, such as an empty tensor in place of None")


@pytest.mark.parametrize("name", ALIKE)
def test_others_are_none(name: str) -> None:
    assert warnings_of(ALIKE[name]) == []


@pytest.mark.parametrize(("seed", "sigma"), [(5, 3.0), (6, 2.5)])
def test_an_snr_of_tokens_whose_sizes_have_a_heavy_tail(seed: int, sigma: float) -> None:
    """As of gradients: some tokens are scaled, and still make up most of what the SNR is judged by."""
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(rng.standard_normal((128, 128)))[0]
    states = (rng.standard_normal((300, 128)) * np.arange(1, 129) ** -0.5) @ mixing.T
    features = (states * rng.lognormal(0, sigma, (300, 1))).astype(np.float32)
    last = 0.0
    for wanted in (5, 12, 15, 20, 30):
        report = encode_to(io.BytesIO(), features, snr=wanted)
        found = report.tensors[0].snr_db
        assert found is not None and max(wanted, last) <= found <= wanted + 3
        assert not any("cannot be met" in warning for warning in report.warnings)
        last = found
