"""Dependent quantisation: halves, and the search for the cheapest path."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec.buckets import zigzag
from caufc.codec.transform.quantize import dequantize
from caufc.codec.transform.trellis import halves_of
from caufc.encoder.trellis_search import MOST, dependent_quantize

F4, F8 = np.dtype("f4"), np.dtype("f8")


def points(indices: NDArray[np.int32], dtype: np.dtype[Any] = F8) -> NDArray[Any]:
    return dequantize(indices, 1.0, 0, dtype, halves_of(zigzag(indices)))


def lone(values: Any, costs: NDArray[Any] | None = None, dtype: str = "f8") -> NDArray[np.int32]:
    """Indices of values ``[N, K]`` in steps of 1, all in one band."""
    matrix = np.asarray(values, dtype)
    return dependent_quantize(matrix, 1.0, np.zeros(len(matrix), np.uint8), costs)


def test_halves_follow_parities_of_every_other_index() -> None:
    indices = np.array([[1, 0, -3, 2, 5, 0], [0, 1, 0, 0, 1, 0], [2, -4, 6, 8, -2, 2]], np.int32)
    assert halves_of(zigzag(indices)).tolist() == [[0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 1, 1], [0] * 6]
    for shape in ((3, 1), (0, 5), (2, 0)):
        assert halves_of(np.ones(shape, np.int32)).tolist() == np.zeros(shape).tolist()


def test_points_of_half_1_lie_half_a_step_nearer_to_zero() -> None:
    indices = np.array([[1, 1, -2, 3, 0, -2]], np.int32)
    assert halves_of(zigzag(indices)).tolist() == [[0, 1, 1, 1, 0, 1]]
    assert points(indices).tolist() == [[1, 0.5, -1.5, 2.5, 0, -1.5]]


@settings(deadline=None, max_examples=30)
@given(
    hnp.arrays(np.float32, (2, 5), elements=st.floats(-2.5, 2.5, width=32)),
    hnp.arrays(np.float64, (2, 1, 5), elements=st.sampled_from([0.0, 0.05, 0.2, 0.7])),
)
def test_no_path_is_cheaper(values: NDArray[np.float32], costs: NDArray[Any]) -> None:
    """Against all paths of five channels through zeros and the nearest index of each half and parity."""
    of = np.broadcast_to(costs, (2, 16, 5))

    def spent(indices: NDArray[np.int32], token: NDArray[np.float32]) -> Any:
        magnitudes = np.abs(indices)
        first, further = of[:, 0]
        rate = np.where(magnitudes > 0, first + further * (magnitudes - 1), 0)
        errors = np.abs(points(indices) - token)
        looked_at = ((magnitudes == 0) | (errors < 1 - 1e-4)).all(axis=1)
        return np.where(looked_at | (len(indices) == 1), (np.square(errors) + rate).sum(axis=1), np.inf)

    every = np.array(list(itertools.product(range(-4, 5), repeat=5)), np.int32)
    found = lone(values, of)
    for token, indices in zip(values, found, strict=True):
        assert spent(indices[None], token)[0] <= spent(every, token).min() + 1e-4


def test_errors_are_a_decibel_smaller_than_those_of_rounding() -> None:
    values = np.random.default_rng(0).normal(0, 20, (2000, 64))
    error = np.square(points(lone(values)) - values).mean()
    assert 0.7 < 10 * np.log10(1 / 12 / error) < 1.3


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_large_values_are_met_too(dtype: str) -> None:
    rng = np.random.default_rng(1)
    values = np.exp(rng.uniform(-9, 17, (50, 40))) * rng.choice([-1, 1], (50, 40))
    for cost, most in ((0.05, 1.5), (30.0, 8.0)):
        costs = np.full((2, 16, 40), cost)
        errors = np.abs(points(lone(values, costs, dtype)) - values.astype(dtype))
        assert errors.max() <= (most if dtype == "f8" else most + 2.5)
    assert np.abs(lone([[1e30, -1e30] * 8])).max() < 1 << 27


def test_costs_make_indices_small() -> None:
    values = np.random.default_rng(2).normal(0, 1, (500, 16))
    sizes = [np.abs(lone(values, np.full((2, 16, 16), cost))).mean() for cost in (0.0, 0.1, 0.5, 30.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0


def test_tokens_do_not_see_each_other() -> None:
    """Bands, costs and steps are each token's own, also where tokens are searched in several lots."""
    rng = np.random.default_rng(3)
    values, bands = rng.normal(0, 3, (MOST + 70, 9)).astype(F4), rng.integers(0, 16, MOST + 70).astype(np.uint8)
    costs, inverse = rng.uniform(0, 0.3, (2, 16, 9)), rng.uniform(0.5, 2, (MOST + 70, 1))
    found = dependent_quantize(values, inverse, bands, costs)
    for token in (0, 5, MOST - 1, *range(MOST, MOST + 70)):
        there = slice(token, token + 1)
        alone = dependent_quantize(values[there], inverse[there], bands[there], costs)
        np.testing.assert_array_equal(found[there], alone)
