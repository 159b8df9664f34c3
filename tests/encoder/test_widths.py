"""Medium quality means the same for tokens of few channels and of many, and for any number of samples."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.api import encode_to
from tools.attack.contract_values import KINDS, Extent


def worst(values: NDArray[Any], decoded: NDArray[Any]) -> float:
    """dB that 99 % of tokens reach."""
    energy = np.square(values, dtype="f8").sum(-1).ravel()
    noise = np.square(decoded - values, dtype="f8").sum(-1).ravel()
    return float(np.percentile(10 * np.log10(energy / np.maximum(noise, 1e-30)), 1))


def at_medium(shape: tuple[int, ...], dtype: str = "f4") -> float:
    values = np.random.default_rng(shape).standard_normal(shape).astype(dtype)
    return worst(values.astype("f8"), caufc.decode(caufc.encode(values, layout="b n c")).astype("f8"))


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 32, 1024, 4096, 49152])
@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_tokens_keep_20_db_at_any_width(channels: int, dtype: str) -> None:
    wide = at_medium((1, 64, 256))
    found = at_medium((1, max(2, min(512, 2**17 // channels)), channels), dtype)
    assert found >= 20
    assert found >= wide - 3


@pytest.mark.parametrize(("length", "channels"), [(32, 5), (66, 2), (30, 8)])
def test_narrow_tokens_keep_what_wide_ones_of_the_same_statistics_do(length: int, channels: int) -> None:
    """Of tokens like those before them, which are far from 0 beside how they vary: the medians of several draws."""

    def median(width: int) -> float:
        found = []
        for seed in range(5):
            values = KINDS["autoregressive"](np.random.default_rng(seed), Extent(1, (length,), width)).astype("f4")
            found.append(worst(values, caufc.decode(caufc.encode(values, layout="b n c"))))
        return float(np.median(found))

    assert abs(median(channels) - median(256)) < 3.2


@pytest.mark.parametrize("shape", [(1, 1, 4096), (1, 16, 4096), (2, 3, 64), (300, 1, 32), (40, 40, 40)])
def test_tokens_keep_20_db_in_any_number(shape: tuple[int, int, int]) -> None:
    assert at_medium(shape) >= 20


def test_small_tokens_among_large_ones_keep_20_db() -> None:
    """Tokens of a tenth of the typical size get finer steps; their number does not make the others dearer."""
    values = np.random.default_rng(0).standard_normal((8, 64, 96)).astype("f4")
    even = len(caufc.encode(values, layout="b n c"))
    values[:, ::8] *= 0.1
    data = caufc.encode(values, layout="b n c")
    assert worst(values, caufc.decode(data)) >= 20
    assert len(data) < 1.02 * even


@pytest.mark.parametrize("wanted", [10, 30, 50])
def test_every_token_has_the_snr_that_was_asked_for(wanted: float, minilm: Any) -> None:
    scaled = [part * np.geomspace(1e-3, 1e3, len(part))[:, None].astype("f4") for part in minilm]
    decoded = caufc.decode(caufc.encode(scaled, snr=f"{wanted}/token"))
    for part, found in zip(scaled, decoded, strict=True):
        energy, noise = np.square(part, dtype="f8").sum(-1), np.square(found - part, dtype="f8").sum(-1)
        assert (energy >= 10 ** (wanted / 10) * noise).all()


def test_every_tensor_has_the_snr_that_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    cache = {"keys": 50 * rng.standard_normal((2, 3, 40, 32)), "values": rng.standard_normal((2, 3, 40, 32))}
    decoded = caufc.decode(caufc.encode({k: v.astype("f4") for k, v in cache.items()}, snr=30, layout="b g t d"))
    for name, values in cache.items():
        snr = 10 * np.log10(np.square(values).sum() / np.square(decoded[name] - values).sum())
        assert 30 <= snr < 30.5


@pytest.mark.parametrize("shape", [(1, 20_000), (2, 40_000)])
def test_a_higher_quality_of_few_wide_tokens_keeps_no_less(shape: tuple[int, int]) -> None:
    """Where next to nothing is kept, too: from there a search for the steps is far from where they are."""
    features = (0.02 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
    last = 0.0
    for quality in (4, 5, 6, 8, 10, 15, 20):
        found = encode_to(io.BytesIO(), features, quality=quality).tensors[0].snr_db
        assert found is not None and found > last - 0.1
        last = found
