"""Curves: rates at equal agreement, Bjontegaard deltas, intervals."""

from __future__ import annotations

import numpy as np
import pytest

from caufc.evaluate.curves import Curve, bd_accuracy, bd_rate, bd_rate_at_snr, best_so_far, envelope, isotonic, rate_at
from caufc.evaluate.summary import _geometric as geometric


def shares(*values: float, samples: int = 1000) -> np.ndarray:
    """By point and sample, whether it was right: the first samples are."""
    return np.array([np.arange(samples) < round(value * samples) for value in values])


@pytest.mark.parametrize(
    ("found", "rate", "bound"),
    [
        ((0.9, 0.98, 1.0), 2 * 2**0.5, ""),  # log bytes in the middle of 2 and 4
        ((0.99, 0.995, 1.0), 1.0, "<"),
        ((0.9, 0.95, 0.98), 4.0, ">"),
        ((0.96, 0.94, 1.0), 2 * 2**0.8, ""),  # what falls from one rate to the next counts as its mean
        ((1.0, 0.98, 1.0), 1.0, "<"),
    ],
)
def test_rate_at(found: tuple[float, ...], rate: float, bound: str) -> None:
    value, sign = rate_at(np.array([1.0, 2.0, 4.0]), np.array(found), 0.99)
    assert value == pytest.approx(rate)
    assert sign == bound


def test_isotonic_pools_what_descends() -> None:
    assert isotonic(np.array([1.0, 3.0, 2.0, 1.0, 5.0, 4.0])).tolist() == [1.0, 2.0, 2.0, 2.0, 4.5, 4.5]
    assert isotonic(np.array([3.0, 2.0, 1.0])).tolist() == [2.0, 2.0, 2.0]
    assert isotonic(np.array([])).tolist() == []


def test_half_the_bytes_are_a_bd_rate_of_minus_fifty() -> None:
    pytest.importorskip("bjontegaard")
    right = shares(0.8, 0.9, 0.97, 0.99)
    anchor, curve = Curve([1, 2, 4, 8], right), Curve([0.5, 1, 2, 4], right)
    found = bd_rate(anchor, curve, 0.8)
    assert found.value == pytest.approx(-50)
    assert found.low == pytest.approx(-50) and found.high == pytest.approx(-50), "the same samples are drawn for both"
    gain = bd_accuracy(anchor, curve, 0.8).value
    assert gain is not None and 2 < gain < 10


def test_curves_that_do_not_overlap_have_no_delta() -> None:
    pytest.importorskip("bjontegaard")
    anchor, curve = Curve([1, 2], shares(0.81, 0.85)), Curve([1, 2], shares(0.9, 0.95))
    assert bd_rate(anchor, curve, 0.8).value is None
    assert bd_rate(anchor, Curve([1.0], shares(0.9)), 0.8).value is None


def test_bytes_at_equal_snr() -> None:
    pytest.importorskip("bjontegaard")
    anchor = [(1.0, 10.0), (2.0, 16.0), (4.0, 22.0)]
    found = bd_rate_at_snr(anchor, [(0.75 * rate, snr) for rate, snr in anchor])
    assert found.value == found.low == found.high == pytest.approx(-25)
    assert bd_rate_at_snr(anchor, [(1.0, 30.0), (2.0, 36.0)]).value is None
    assert bd_rate_at_snr(anchor, []).value is None


def test_the_envelope_leaves_out_what_a_cheaper_point_reaches_and_begins_at_the_floor() -> None:
    rates, found = envelope(np.array([1.0, 2, 4, 8]), np.array([0.7, 0.9, 0.85, 0.95]), 0.8)
    assert found.tolist() == pytest.approx([0.8, 0.9, 0.95])
    assert rates.tolist() == pytest.approx([2**0.5, 2, 8])


def test_at_equal_rates_the_best_so_far_counts() -> None:
    pytest.importorskip("bjontegaard")
    rates, found = best_so_far(np.array([1.0, 2, 4, 8]), np.array([0.7, 0.9, 0.85, 0.9]), 0.8)
    assert found.tolist() == pytest.approx([0.8, 0.9, 0.9, 0.9])
    assert rates.tolist() == pytest.approx([2**0.5, 2, 4, 8])
    early, late = Curve([1, 2, 64], shares(0.8, 0.9, 0.9)), Curve([16, 32, 64], shares(0.8, 0.85, 0.9))
    gain = bd_accuracy(late, early, 0.8).value
    assert gain is not None and 3 < gain < 8, "what is saturated goes on at higher rates"


def test_intervals_hold_the_share_and_narrow_with_samples() -> None:
    few, many = (Curve([1.0], shares(0.9, samples=n)).intervals()[0] for n in (100, 10_000))
    assert few.value == many.value == pytest.approx(0.9)
    bounds = [bound or 0.0 for bound in (few.low, many.low, many.high, few.high)]
    assert bounds[0] < 0.87 < bounds[1] < 0.9 < bounds[2] < 0.93 < bounds[3]
    at = Curve([1, 2, 4], shares(0.9, 0.98, 1.0)).at(0.99)
    assert at.low is not None and at.bpfp is not None and at.high is not None
    assert at.low < at.bpfp < at.high


def test_half_and_double_are_the_same_bytes_in_the_geometric_mean() -> None:
    assert geometric([-50.0, 100.0]) == pytest.approx(0)
    assert geometric([-75.0, 0.0]) == pytest.approx(-50)
    assert geometric([]) is None
