"""Features most of whose values are tiny beside a few: probabilities, attention weights, magnitudes of any kind."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from caufc.api import encode_to
from caufc.encoder.report import TensorReport
from tools.attack.contract_cases import case_of


def kept(features: NDArray[np.float32], bpfp: float) -> TensorReport:
    return encode_to(io.BytesIO(), features, bpfp=bpfp).tensors[0]


def lognormal(*shape: int) -> NDArray[np.float32]:
    return np.exp(1.5 * np.random.default_rng(1).standard_normal(shape)).astype(np.float32)


def softmax(*shape: int) -> NDArray[np.float32]:
    exponents = np.exp(3 * np.random.default_rng(2).standard_normal(shape))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True), np.float32)


@pytest.mark.parametrize(
    ("features", "least"), [(lognormal(32, 64, 64), 10), (softmax(16, 64, 256), 1.5)], ids=["lognormal", "softmax"]
)
def test_a_higher_rate_keeps_more(features: NDArray[np.float32], least: float) -> None:
    """About a bit buys 6 dB; steps that round most values away from where they are would buy nothing for long."""
    rates = (0.8, 1.2, 1.8, 2.7, 4.0)
    levels = [kept(features, rate).snr_db or 0.0 for rate in rates]
    assert all(
        4 * (high - low) < later - now
        for now, later, low, high in zip(levels, levels[1:], rates, rates[1:], strict=False)
    )
    assert levels[0] > least


def test_of_a_small_file_too() -> None:
    features = case_of(3, 16842).features
    levels = [kept(features, rate).snr_db or 0.0 for rate in np.geomspace(0.6, 1.6, 4)]
    assert levels == sorted(levels)
