"""What comes again and again, as pairs with and without a condition or two speakers do, hides nothing from samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import caufc
from caufc.encoder.thinning import spread_places

LAYOUTS = {2: "b c", 3: "b n c"}

SHAPES: dict[str, tuple[tuple[int, ...], int]] = {
    "samples": ((512, 16, 64), 0),
    "vectors": ((2000, 256), 0),
    "tokens": ((64, 64, 256), 1),
    "long sequences": ((4, 1024, 64), 1),
}

LEAPING = ("samples", 1.0)
"""A rate between those of two quantisers, which four passes miss by more than 2 %."""


def features(shape: tuple[int, ...]) -> Any:
    """A few directions and some noise."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((*shape[:-1], 8)) @ rng.standard_normal((8, shape[-1]))
    return (values + 0.1 * rng.standard_normal(shape)).astype(np.float32)


def small_ones(shape: tuple[int, ...], axis: int, period: int) -> Any:
    """Which values belong to the first of every so many along an axis."""
    places = np.arange(shape[axis]) % period == 0
    return np.broadcast_to(places.reshape(-1, *[1] * (len(shape) - axis - 1)), shape)


def snr(wanted: Any, found: Any) -> float:
    wanted, found = wanted.astype("f8"), found.astype("f8")
    return float(10 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum()))


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("kind", SHAPES)
def test_every_other_one_may_be_far_smaller(kind: str, period: int) -> None:
    shape, axis = SHAPES[kind]
    alike, small = features(shape), small_ones(shape, axis, period)
    unlike = np.where(small, 0.001 * alike, alike)
    data, usual = (caufc.encode(values, layout=LAYOUTS[len(shape)]) for values in (unlike, alike))
    decoded = caufc.decode(data)
    assert snr(unlike[small], decoded[small]) > 20
    assert 20 < snr(unlike[~small], decoded[~small]) < 32
    assert len(data) < 1.25 * len(usual)


@pytest.mark.parametrize("wanted", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("kind", ["samples", "vectors", "tokens"])
def test_a_rate_is_met_and_well_spent(kind: str, wanted: float) -> None:
    shape, axis = SHAPES[kind]
    values, small = features(shape), small_ones(shape, axis, 2)
    values = np.where(small, 0.001 * values, values).astype(np.float32)
    data = caufc.encode(values, bpfp=wanted, layout=LAYOUTS[len(shape)])
    least = 0.97 if (kind, wanted) == LEAPING else 0.98
    assert least * wanted <= 8 * len(data) / values.size <= wanted
    decoded = caufc.decode(data)
    assert snr(values[~small], decoded[~small]) > {0.5: 8, 1.0: 25, 4.0: 45}[wanted]


@pytest.mark.parametrize("wanted", [0.5, 2.0])
def test_a_rate_of_one_token_whose_channels_differ(wanted: float) -> None:
    values = np.random.default_rng(1).standard_normal((1, 4096)).astype(np.float32)
    values[0, ::2] *= np.float32(0.001)
    data = caufc.encode(values, bpfp=wanted, layout="b c")
    assert wanted * 0.98 - 64 * 8 / values.size <= 8 * len(data) / values.size <= wanted


@given(st.integers(4, 24), st.integers(200, 600), st.integers(2, 12), st.integers(0, 10**6))
def test_places_fall_on_all_of_a_period(times: int, wanted: int, period: int, before: int) -> None:
    places = spread_places(times * wanted, wanted, before)
    assert len(places) == wanted and (np.diff(places) > 0).all()
    assert places[0] >= 0 and places[-1] < times * wanted
    share = 1 / period
    found = np.bincount(places % period, minlength=period) / wanted
    assert np.abs(found - share).max() < 6 * np.sqrt(share / wanted)


@given(count=st.integers(0, 600), more=st.integers(0, 600))
def test_of_no_more_than_are_wanted_all_are_picked(count: int, more: int) -> None:
    assert spread_places(count, count + more).tolist() == list(range(count))
