"""The error bound holds exactly, after the cast to the output dtype, whatever the values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from features.common import assert_same, needs_torch, torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import BF16, as_float64, floats

import caufc


@settings(deadline=None, max_examples=100)
@given(floats(), st.floats(-7, 1).map(lambda power: 10.0**power))
def test_the_bound_holds(case: tuple[Any, float], bound: float) -> None:
    tensor, _ = case
    decoded = caufc.decode(caufc.encode(tensor, max_error=bound))
    assert decoded.dtype == tensor.dtype
    assert np.abs(as_float64(decoded) - as_float64(tensor)).max() <= bound


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, (1 << 16) - 1), min_size=20, max_size=60),
    st.sampled_from([np.float16, *BF16]),
    st.floats(-7, 5).map(lambda power: 10.0**power),
)
def test_any_finite_bits(bits: list[int], dtype: Any, bound: float) -> None:
    """Subnormals, the largest numbers, and ties of the cast among them."""
    raw = np.array(bits, np.uint16)
    tensor: Any = raw.view(np.float16) if dtype is np.float16 else torch.tensor(raw.view(np.int16)).view(torch.bfloat16)
    exact = as_float64(tensor)
    decoded = caufc.decode(caufc.encode(tensor.reshape(1, -1), max_error=bound, nonfinite="keep"))
    found = as_float64(decoded)[0]
    finite = np.isfinite(exact)
    assert np.abs(found[finite] - exact[finite]).max(initial=0) <= bound
    np.testing.assert_array_equal(found[~finite], exact[~finite])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=20, max_size=50), st.data())
def test_any_finite_floats(values: list[float], data: st.DataObject) -> None:
    array = np.array([values], np.float32)
    bound = data.draw(st.floats(1e-30, 1e30))
    decoded = caufc.decode(caufc.encode(array, max_error=bound))
    assert np.abs(decoded.astype("f8") - array).max() <= bound


@pytest.mark.parametrize("bound", [1e-7, 1e-4, 1e-2, 0.3, 10])
@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", pytest.param("bf16", marks=needs_torch)])
@pytest.mark.parametrize("features", ["efficientnet", "minilm"])
def test_real_features(features: str, dtype: str, bound: float, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(features)
    array = np.array(found if not isinstance(found, list) else np.concatenate(found[:4]))
    wanted: Any = torch.from_numpy(array).bfloat16() if dtype == "bf16" else array.astype(dtype)
    data = caufc.encode(wanted, max_error=bound)
    error = np.abs(as_float64(caufc.decode(data)) - as_float64(wanted)).max()
    assert error <= bound
    assert len(data) <= len(caufc.encode(wanted, lossless=True)) + 200


def test_bytes_fall_as_the_bound_grows(minilm: Any) -> None:
    sizes = [len(caufc.encode(minilm, max_error=bound)) for bound in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 20


def test_the_report_tells_the_error(minilm: Any, tmp_path: Any) -> None:
    report = caufc.save(tmp_path / "a.cauf", minilm, max_error=0.01)
    decoded = caufc.load(tmp_path / "a.cauf")
    worst = max(np.abs(one.astype("f8") - other).max() for one, other in zip(decoded, minilm, strict=True))
    assert report.max_abs_error == pytest.approx(worst, rel=1e-5)
    assert worst <= 0.01


def test_integers_are_exact_under_a_bound() -> None:
    features = {"ids": np.arange(12).reshape(3, 4), "x": np.ones((3, 2))}
    assert_same(caufc.decode(caufc.encode(features, max_error=5))["ids"], features["ids"])
