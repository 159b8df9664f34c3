"""Values that are not finite, truncation, and what the report counts of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from features.common import is_torch, needs_torch, torch
from hypothesis import given, settings
from hypothesis import strategies as st

import caufc
from caufc.coders.dtypes import cast_floats, to_floats
from caufc.errors import NonFiniteError

PAYLOADS = np.array([0x7FC00001, 0xFFC12345, 0x7F800000, 0xFF800000, 0x7F800001], "<u4").view("<f4")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("control", [{}, {"snr": 30}, {"max_error": 0.1}])
@pytest.mark.parametrize("size", [2, 400])
def test_refused(value: float, control: dict[str, Any], size: int) -> None:
    array = np.ones((size, 5), "f4")
    array[size // 2, 1] = value
    count = "1 NaN and 0 Inf" if np.isnan(value) else "0 NaN and 1 Inf"
    with pytest.raises(NonFiniteError, match=rf"tensor 'x': holds {count}.*nonfinite=.keep."):
        caufc.encode({"x": array, "y": np.ones((size, 1))}, **control)


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8"])
@pytest.mark.parametrize("control", [{}, {"snr": 30}, {"max_error": 0.01}, {"bpfp": 4}, {"quality": 0}])
def test_kept_exactly(dtype: str, control: dict[str, Any], minilm: Any) -> None:
    array = minilm[5].astype(dtype)
    where = np.random.default_rng(0).random(array.shape) < 0.01
    with np.errstate(invalid="ignore"):
        array[where] = np.resize(PAYLOADS, where.sum()).astype(dtype)
    decoded = caufc.decode(caufc.encode(array, nonfinite="keep", **control))
    assert decoded[where].tobytes() == array[where].tobytes()
    assert np.isfinite(decoded[~where]).all()
    error = np.abs(decoded[~where].astype("f8") - array[~where])
    assert error.max() <= (0.01 if "max_error" in control else 50)


def test_only_what_is_not_finite() -> None:
    array = np.full((30, 5), np.nan, "f4")
    decoded = caufc.decode(caufc.encode(array, nonfinite="keep"))
    assert decoded.tobytes() == array.tobytes()


def test_what_was_kept_is_counted(minilm: Any, tmp_path: Any) -> None:
    array = minilm[3].copy()
    array[2, :7] = np.inf
    report = caufc.save(tmp_path / "a.cauf", array, nonfinite="keep")
    assert report.exact == 7
    assert report.snr_db is not None and np.isfinite(report.snr_db)


@pytest.mark.parametrize("chunk", [None, 3])
def test_truncation_is_counted(chunk: int | None, minilm: Any, tmp_path: Any) -> None:
    outside = sum(int(np.sum((part < -0.5) | (part > 0.75))) for part in minilm)
    report = caufc.save(tmp_path / "a.cauf", minilm, truncate=(-0.5, 0.75), quality=90, chunk=chunk)
    assert report.clipped == outside > 0
    decoded = caufc.load(tmp_path / "a.cauf")
    assert -0.55 < min(part.min() for part in decoded) < max(part.max() for part in decoded) < 0.8
    assert report.max_abs_error is not None and report.max_abs_error > 1


def test_truncation_of_few_values() -> None:
    """Too few for tables of their own, and clipped all the same."""
    decoded = caufc.decode(caufc.encode(np.array([[1.0, 100.0]], "f4"), truncate=(0, 2), quality=100))
    assert decoded.max() < 3


def test_outliers_are_escaped_not_clipped(minilm: Any) -> None:
    array = minilm[6].copy()
    array[3, 5], array[4, 6] = 100, -3000
    decoded = caufc.decode(caufc.encode(array, quality=75))
    assert decoded[3, 5] == pytest.approx(100, rel=0.01)
    assert decoded[4, 6] == pytest.approx(-3000, rel=0.01)


def test_an_snr_that_no_step_reaches_loses_nothing(minilm: Any, tmp_path: Any) -> None:
    array = minilm[6].copy()
    array[3, 5] = 3e9
    report = caufc.save(tmp_path / "a.cauf", array, align="min-max:0,1", snr=290)
    assert report.max_abs_error is not None and report.max_abs_error < 1e-5
    np.testing.assert_array_equal(caufc.load(tmp_path / "a.cauf")[3, 5], array[3, 5])


SCALES = [1e-300, 1e-40, 1e-20, 1e-6, 1e6, 1e12, 1e18, 1e30]


@pytest.mark.parametrize(
    ("dtype", "scale"), [*(("f4", s) for s in SCALES), *(("f8", s) for s in [1e-300, 1e-40, 1e18, 1e300])]
)
@pytest.mark.parametrize(
    ("align", "control"),
    [
        *((None, control) for control in ({}, {"snr": 40}, {"bpfp": 6})),
        ("min-max", {}),
        ("percentile/channel", {"snr": 40}),
        ("robust/token", {"bpfp": 6}),
    ],
)
def test_any_magnitude(scale: float, dtype: str, control: dict[str, Any], align: str | None) -> None:
    """What float32 cannot square and sum is kept without loss; nothing overflows."""
    with np.errstate(over="ignore"):
        array = (np.random.default_rng(0).standard_normal((60, 12)) * scale).astype(dtype)
    decoded = caufc.decode(caufc.encode(array, align=align, **control)).astype("f8")
    assert np.isfinite(decoded).all()
    unit = np.abs(array).max() or 1.0
    error, energy = np.sum(((decoded - array) / unit) ** 2), np.sum((array / unit) ** 2)
    assert error <= energy * (10**-4 if "snr" in control else 0.1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", pytest.param("bfloat16", marks=needs_torch)])
def test_the_largest_numbers(dtype: str) -> None:
    """Rounding up ends at the largest finite number, not at infinity [CAUF-0360], without a word of numpy's."""
    largest = float(torch.finfo(torch.bfloat16).max if dtype == "bfloat16" else np.finfo(dtype).max)
    values = np.random.default_rng(0).choice([-largest, largest, largest / 3], (40, 6))
    array: Any = torch.tensor(values).bfloat16() if dtype == "bfloat16" else values.astype(dtype)
    for control in ({}, {"quality": 0}, {"max_error": 1e30}, {"snr": "30/token"}, {"bpfp": 3}, {"lossless": True}):
        decoded = caufc.decode(caufc.encode(array, **control))
        assert np.isfinite(decoded.float().numpy() if is_torch(decoded) else decoded).all()


@needs_torch
@settings(max_examples=150)
@given(st.floats(width=32, allow_nan=False))
def test_casts_are_those_of_torch(value: float) -> None:
    array = np.array([value], "f4")
    tensor = torch.tensor(array).to(torch.bfloat16)
    largest = torch.tensor(torch.finfo(torch.bfloat16).max).bfloat16()
    wanted = torch.clamp(tensor, -largest, largest)
    stored = cast_floats(array, "bf16")
    assert stored.tobytes() == wanted.view(torch.int16).numpy().tobytes()
    assert to_floats(stored, "bf16")[0] == wanted.float().item()
    half = cast_floats(array, "fp16")[0]
    with np.errstate(over="ignore"):
        plain = array.astype("f2")[0]
    assert half == plain if np.isfinite(plain) else half == np.copysign(np.float16(65504), value)
    assert np.isfinite(cast_floats(array, "fp32")).all()


@needs_torch
def test_every_bf16_and_what_lies_between() -> None:
    """Ties go to even."""
    upper = np.arange(1 << 16, dtype=np.uint32)[:, None] << 16
    floats = (upper | np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)).view(np.float32).ravel()
    floats = floats[np.isfinite(floats)]
    rounded = torch.tensor(floats).to(torch.bfloat16)
    finite = torch.isfinite(rounded).numpy()
    stored = cast_floats(floats, "bf16")
    np.testing.assert_array_equal(stored[finite], rounded.view(torch.int16).numpy().view(np.uint16)[finite])
    assert set(stored[~finite].tolist()) == {0x7F7F, 0xFF7F}
