from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec.buckets import LIMIT
from caufc.codec.transform.quantize import MAX_INDEX, SHIFT_PARTS, dequantize
from caufc.encoder.quantize import best_shift, quantize
from caufc.encoder.sample_plan import bounded_values, quantization_error

F4, F8 = np.dtype("f4"), np.dtype("f8")

values32 = hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e3, 1e3, width=32))


@given(values32, st.floats(1e-3, 1e3), st.sampled_from([F4, F8]))
def test_the_error_is_at_most_half_a_step(values: NDArray[Any], step: float, dtype: np.dtype[Any]) -> None:
    step = float(np.float32(step))
    aligned = values.astype(dtype)
    decoded = bounded_values(aligned, step)
    assert decoded.dtype == dtype
    slack = 4 * np.finfo(dtype).eps * (np.abs(values).max() + step)
    assert np.abs(decoded.astype(F8) - aligned).max() <= step / 2 + slack


@given(values32, st.floats(1e-2, 1e2), st.floats(0.2, 0.5))
def test_the_dead_zone(values: NDArray[Any], step: float, rounding: float) -> None:
    indices = quantize(values, 1 / step, rounding)
    assert indices.dtype == np.int32
    exact = np.abs(values.astype(F8)) / step
    clear = np.abs((exact + rounding) - np.rint(exact + rounding)) > 1e-3 + 1e-6 * exact
    wanted = np.copysign(np.floor(exact + rounding), values)
    np.testing.assert_array_equal(indices[clear], wanted[clear])
    assert (quantize(-values, 1 / step, rounding) == -indices).all()


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("value", [1e30, 3e38, float("nan"), MAX_INDEX + 1.0, 2.0**27, 2.0**31])
def test_indices_stay_below_the_limit(dtype: np.dtype[Any], value: float) -> None:
    """float32 must not round the largest index up to a symbol that no bucket holds."""
    indices = quantize(np.array([value, -value], dtype), 1.0, 0.5)
    assert np.abs(indices.astype(np.int64)).max() <= MAX_INDEX
    assert 2 * MAX_INDEX < LIMIT
    assert np.float32(MAX_INDEX) == MAX_INDEX


@settings(max_examples=100)
@given(
    st.integers(-MAX_INDEX, MAX_INDEX),
    st.floats(2.0**-60, 2.0**60, width=32),
    st.integers(-32, 32),
    st.sampled_from([np.float32, np.float64]),
)
def test_reconstruction_is_that_of_the_spec(index: int, step: float, shift: int, kind: Any) -> None:
    """[CAUF-0220]: convert, add, multiply, each rounded."""
    moved = kind(index)
    if index and shift:
        moved = kind(moved + kind(np.sign(index)) * kind(shift / 64))
    wanted = kind(moved * kind(step))
    got = dequantize(np.array([index], np.int32), step, shift, np.dtype(kind))
    assert got.dtype == np.dtype(kind)
    assert got[0] == wanted


def test_the_best_shift_is_at_the_centroid() -> None:
    rng = np.random.default_rng(0)
    aligned = rng.laplace(size=(1000, 20)).astype(np.float32)
    indices = quantize(aligned, 1.0, 0.42)
    shift = best_shift(aligned, indices)

    def error(candidate: int) -> float:
        return float(np.sum((dequantize(indices, 1.0, candidate, F8) - aligned) ** 2))

    assert min(range(-SHIFT_PARTS // 2, SHIFT_PARTS // 2 + 1), key=error) == shift
    assert best_shift(aligned, np.zeros_like(indices)) == 0


def test_a_gain_share_of_one_keeps_the_energy() -> None:
    """Products of values and reconstructed values add up to the values' energy; a half lies between the two shifts."""
    aligned = np.random.default_rng(0).laplace(size=(1000, 20)).astype(np.float32)
    indices = quantize(aligned, 1.0, 0.42)
    whole = best_shift(aligned, indices, 1.0)

    def lost(shift: int) -> float:
        return float(np.sum(aligned * (aligned - dequantize(indices, 1.0, shift, F8))))

    assert min(range(-SHIFT_PARTS // 2, SHIFT_PARTS // 2 + 1), key=lambda shift: abs(lost(shift))) == whole
    assert lost(best_shift(aligned, indices)) > 0
    assert abs(2 * best_shift(aligned, indices, 0.5) - whole - best_shift(aligned, indices)) <= 2


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_values_beyond_all_numbers_shift_nothing(share: float) -> None:
    aligned = np.array([[np.inf, 1.0], [1e30, 0.2]], np.float32)
    assert best_shift(aligned, np.array([[5, 1], [9, 0]], np.int32), share) == 0


def test_the_error_of_a_sample_is_that_of_its_best_shift() -> None:
    aligned = np.random.default_rng(0).laplace(size=(1000, 20)).astype(np.float32)
    steps, bands = np.linspace(0.5, 2, 16), np.arange(1000, dtype=np.uint8) % 16
    error = quantization_error(aligned, bands, steps)
    assert error.shape == aligned.shape
    assert (np.abs(error) <= 1.1 * steps[bands][:, None]).all()
    assert np.mean(error[bands == 0] ** 2) < np.mean(error[bands == 15] ** 2) / 4


@given(values32, st.floats(0.5, 3))
def test_thresholds_make_small_values_zero(values: NDArray[Any], threshold: float) -> None:
    limit = np.full_like(values, threshold)
    indices = quantize(values, 1.0, 0.5, limit)
    assert not indices[np.abs(values) < limit].any()
    kept = np.abs(values) >= limit
    np.testing.assert_array_equal(indices[kept], quantize(values, 1.0, 0.5)[kept])
