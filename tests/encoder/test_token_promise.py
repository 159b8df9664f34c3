"""An SNR of every token: over what counts in it too, and in smooth grids for no more bytes than more of every token."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from caufc.api import encode_to

Array = NDArray[Any]


def beside_massive_channels(rng: np.random.Generator) -> Array:
    mixing = np.linalg.qr(rng.standard_normal((256, 256)))[0]
    states = (rng.standard_normal((200, 256)) * np.arange(1, 257) ** -0.6) @ mixing.T * 16
    states[:, [7, 150, 200]] *= [300, 80, 1500]
    return np.asarray(states)


def gradients(rng: np.random.Generator) -> Array:
    return rng.standard_normal((128, 256)) * rng.lognormal(0, 1, 256) * rng.lognormal(0, 1.5, (128, 1)) * 1e-8


def routing(rng: np.random.Generator) -> Array:
    odds = np.exp(2.5 * rng.standard_normal((2000, 64)))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("decibels", [10, 30])
@pytest.mark.parametrize("make", [beside_massive_channels, gradients, routing])
def test_what_counts_of_tokens_has_it_too(make: Any, decibels: float) -> None:
    features = make(np.random.default_rng(1)).astype(np.float32)
    (told,) = encode_to(io.BytesIO(), features, snr=f"{decibels}/token").tensors
    assert told.token_snr_db is not None and told.token_snr_db >= decibels - 0.02
    assert told.snr_db is not None and told.snr_db >= decibels


def smooth(rng: np.random.Generator, channels: int, *grid: int) -> Array:
    """Fields whose spectrum falls, as of images ``[C, H, W]``."""
    height, width = grid
    falling = (0.02 + np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))) ** -2.0
    fields = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((channels, height, width))) * falling, s=grid)
    return np.asarray(fields / fields.std())


def maps(rng: np.random.Generator) -> Array:
    return np.stack([smooth(rng, 24, 16, 16) for _ in range(8)])


def depths(rng: np.random.Generator) -> Array:
    return np.asarray(5 * np.exp(0.3 * smooth(rng, 1, 96, 128)))[None]


@pytest.mark.parametrize("make", [maps, depths])
def test_smooth_grids_are_transformed_for_it(make: Any) -> None:
    features = make(np.random.default_rng(3)).astype(np.float32)
    last, sizes = (-np.inf, -np.inf), list[int]()
    for decibels in (10, 18, 26, 34, 42):
        data = io.BytesIO()
        (told,) = encode_to(data, features, layout="b c h w", snr=f"{decibels}/token").tensors
        found = told.snr_db or np.inf, told.token_snr_db or np.inf
        assert found[1] >= decibels - 0.02
        assert found[0] > last[0] - 0.1 and found[1] > last[1] - 0.1
        last = found
        sizes.append(len(data.getvalue()))
    high = io.BytesIO()
    (told,) = encode_to(high, features, layout="b c h w", quality="high").tensors
    assert told.token_snr_db is not None and told.token_snr_db > 34
    assert sizes[3] < 0.9 * len(high.getvalue())


@pytest.mark.parametrize("decibels", [-20, 10])
def test_tokens_that_are_mostly_zeros(decibels: float) -> None:
    features = np.zeros((3000, 64), np.float32)
    features[::20] = np.random.default_rng(0).standard_normal((150, 64))
    (told,) = encode_to(io.BytesIO(), features, layout="n c", snr=f"{decibels}/token").tensors
    assert told.token_snr_db is None or told.token_snr_db >= decibels - 0.02
