"""Layers of a hidden-state dump keep alike what they have, however few tokens there are."""

from __future__ import annotations

import numpy as np
import pytest

import caufc


@pytest.mark.parametrize("tokens", [2, 12, 24, 47, 48])
@pytest.mark.parametrize("scales", [(1, 10, 100), (1, 3, 2), (0, 1, 50)])
def test_layers_of_unlike_scales_have_about_one_snr(tokens: int, scales: tuple[int, ...]) -> None:
    draw = np.random.default_rng(tokens)
    states = (draw.standard_normal((tokens, 3, 256)) * np.array(scales)[:, None]).astype(np.float32)
    (decoded,) = caufc.decode(caufc.encode([states], layout="n g d"))
    noise = np.square(decoded - states).sum(axis=(0, 2))
    energy = np.square(states).sum(axis=(0, 2))
    snr = 10 * np.log10(energy[energy > 0] / noise[energy > 0])
    assert snr.max() - snr.min() < 3
    assert snr.min() > 20
