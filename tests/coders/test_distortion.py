"""Distortion: sums, figures, and the distribution of tokens' SNR."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from caufc.coders.distortion import Distortion
from caufc.coders.token_snr import PENDING, TokenSnr


def of(original: NDArray[Any], error: NDArray[Any], apart: NDArray[np.bool_] | None = None) -> Distortion:
    found = Distortion()
    found.add(original, error, apart)
    return found


def token_snrs(original: NDArray[Any], error: NDArray[Any]) -> NDArray[np.float64]:
    x, e = original.astype(np.float64), error.astype(np.float64)
    with np.errstate(divide="ignore"):
        found: NDArray[np.float64] = 10 * np.log10(np.square(x).sum(1) / np.square(e).sum(1))
    return found


def test_sums_by_hand() -> None:
    distortion = Distortion()
    assert (distortion.snr_db, distortion.nmse, distortion.cosine, distortion.token_snr_db) == (None, 0, 1, None)
    distortion.add(np.array([[3.0, 4.0]]), np.array([[0.5, -0.1]]))
    distortion.merge(Distortion(clipped=3, patched=4))
    assert distortion.energy == 25
    assert distortion.snr_db == distortion.whole_snr_db == pytest.approx(10 * np.log10(25 / 0.26))
    assert distortion.nmse == pytest.approx(0.26 / 25)
    assert distortion.cosine == pytest.approx((3 * 3.5 + 4 * 3.9) / (5 * math.hypot(3.5, 3.9)))
    assert (distortion.largest, distortion.clipped, distortion.patched) == (0.5, 3, 4)
    nothing = Distortion(energy=0.0, error=1.0)
    assert (nothing.snr_db, nothing.nmse, nothing.cosine) == (-np.inf, np.inf, 0)


@pytest.mark.parametrize("shape", [(1, 1), (50, 1), (7, 3), (300, 40), (2, 20_000), (5000, 2)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_figures_are_those_of_all_values_at_once(shape: tuple[int, int], dtype: str, order: Any) -> None:
    generator = np.random.default_rng(shape)
    x = np.asarray(generator.standard_normal(shape) * generator.gamma(1, 1, (shape[0], 1)), dtype, order)
    e = (0.1 * generator.standard_normal(shape)).astype(dtype)
    found, y = of(x, e), x.astype("f8") + e
    energy, error = (np.square(part, dtype=np.float64).sum() for part in (x, e))
    assert found.snr_db == pytest.approx(10 * np.log10(energy / error), abs=1e-4)
    assert found.cosine == pytest.approx(float(np.sum(x * y) / np.sqrt(energy * np.square(y).sum())), abs=1e-5)
    reached = np.sort(token_snrs(x, e))[shape[0] // 100]
    assert found.token_snr_db == pytest.approx(reached, abs=0.051 if shape[0] > 4096 else 1e-3)


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1e-6, 1e14, 1e18, 1e37])
def test_the_figures_do_not_depend_on_the_scale(scale: float) -> None:
    generator = np.random.default_rng(0)
    x, e = generator.standard_normal((100, 8)), 0.1 * generator.standard_normal((100, 8))
    plain, scaled = of(x, e), of((x * scale).astype("f4"), (e * scale).astype("f4"))
    assert scaled.snr_db == pytest.approx(plain.snr_db, abs=1e-3)
    assert scaled.token_snr_db == pytest.approx(plain.token_snr_db, abs=1e-2)


def test_a_small_token_beside_a_large_one_keeps_its_figure() -> None:
    x, e = np.ones((2, 8), "f4"), np.full((2, 8), 0.1, "f4")
    x[0], e[0] = 1e-25, 1e-25
    assert of(x, e).token_snr_db == pytest.approx(0, abs=1e-3)


def test_tokens_without_error_and_without_energy() -> None:
    x, e = np.ones((300, 4)), np.zeros((300, 4))
    assert of(x, e).token_snr_db is None
    e[:3] = 0.1
    assert of(x, e).token_snr_db is None, "1 % may be worse"
    e[3] = 0.1
    assert of(x, e).token_snr_db == pytest.approx(20)
    x[:3] = 0
    assert of(x, e).token_snr_db is None, "of 297 tokens two may be worse: padding has no SNR"
    x[3] = 1e-9
    e[:8] = 0.1
    assert of(x, e).token_snr_db == pytest.approx(20)
    x[4:8] = 1e-9
    assert of(x, e).token_snr_db == pytest.approx(-100), "the lowest that is told apart"
    assert of(np.zeros((9, 4)), np.zeros((9, 4))).token_snr_db is None


def test_outliers_are_set_apart() -> None:
    """Of a token, a channel and a value that are large, the rest keeps figures of its own."""
    generator = np.random.default_rng(0)
    x, e = generator.standard_normal((200, 16)), generator.standard_normal((200, 16))
    apart = np.zeros(x.shape, bool)
    apart[0], apart[:, 3], apart[7, 7] = True, True, True
    rest = of(x[1:], np.where(apart[1:], 0, e[1:]))
    x[apart] *= 1e6
    found = of(x, e, apart)
    kept = np.where(apart, 0, x), np.where(apart, 0, e)
    assert found.snr_db == pytest.approx(of(*kept).snr_db)
    assert abs(found.snr_db or 99) < 1
    assert found.cosine == pytest.approx(of(*kept).cosine) and found.cosine < 0.9
    assert found.snr_apart_db == pytest.approx(10 * np.log10(np.square(x[apart]).sum() / np.square(e[apart]).sum()))
    assert (found.snr_apart_db or 0) > 110 and (found.whole_snr_db or 0) > 100
    assert found.token_snr_db is not None and found.token_snr_db < 3
    assert found.tokens.tokens == 200, "a token that is wholly apart counts too"
    assert rest.snr_apart_db is None and of(x, e, np.zeros(x.shape, bool)).snr_apart_db is None


values = st.lists(st.floats(-120, 220), min_size=1, max_size=30)


@given(st.lists(values, min_size=1, max_size=5), st.integers(1, 700))
def test_chunks_in_any_number_give_the_same_quantile(chunks: list[list[float]], times: int) -> None:
    total, whole = TokenSnr(), TokenSnr()
    for chunk in chunks:
        error = np.repeat(10 ** (-np.array(chunk) / 10), times)
        part = TokenSnr()
        part.add(np.ones(len(error)), error)
        total.merge(part)
        whole.add(np.ones(len(error)), error)
    everything = np.clip(np.sort(np.repeat(np.concatenate([np.array(chunk) for chunk in chunks]), times)), -100, 199.95)
    for share in (0.99, 0.5, 1.0):
        wanted = everything[min(int((1 - share) * len(everything) + 1e-9), len(everything) - 1)]
        assert total.reached_by(share) == whole.reached_by(share) == pytest.approx(wanted, abs=0.0501)
    assert total.tokens == len(everything)


def test_memory_is_bounded() -> None:
    found = TokenSnr()
    for _ in range(200):
        found.add(np.ones(1000), np.full(1000, 0.1))
        assert sum(map(len, found.kept)) <= PENDING
    assert found.tokens == 200_000 and found.reached_by(0.99) == pytest.approx(10, abs=0.06)
    assert found.kept == [] and found.bins is not None and found.bins.sum() == found.tokens
