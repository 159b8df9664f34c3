"""What pictures and charts are computed from: components, outliers, axes, which samples are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from caufc.show.axis import Axis, number_text
from caufc.show.comparison import Comparison
from caufc.show.components import Components
from caufc.show.features import Features
from caufc.show.outliers import outliers_of, sizes_of
from caufc.show.sample_choice import SampleChoice

RANDOM = np.random.default_rng(1)


@pytest.mark.parametrize("shape", [(400, 20), (12, 500)], ids=["tokens", "channels"])
def test_components_are_the_directions_of_most_variance(shape: tuple[int, int]) -> None:
    basis = np.linalg.qr(RANDOM.normal(size=(shape[1], 3)))[0]
    places = RANDOM.normal(size=(shape[0], 3)) * [30, 8, 2]
    tokens = (places @ basis.T + 5).astype(np.float32)
    found = Components.fit(tokens)
    assert found.directions.T @ found.directions == pytest.approx(np.eye(3), abs=1e-5)
    assert np.abs(basis.T @ found.directions) == pytest.approx(np.eye(3), abs=0.5)
    assert found.of(tokens) @ found.directions.T + found.mean == pytest.approx(tokens, abs=1e-3)
    assert found.shares.sum() == pytest.approx(1) and (np.diff(found.shares) < 0).all()
    assert (found.directions[np.abs(found.directions).argmax(axis=0), range(3)] > 0).all(), "signs are settled"


def test_colours_follow_the_components() -> None:
    tokens = np.zeros((100, 5))
    tokens[:, 2] = np.linspace(-1, 1, 100)
    colours = Components.fit(tokens).colours(tokens).astype(int)
    assert (np.diff(colours[:, 0]) >= 0).all() and (colours[0, 0], colours[-1, 0]) == (0, 255)
    assert (colours[:, 1:] == 128).all(), "components without variance are grey"


def test_outliers_have_no_say_in_components() -> None:
    tokens = RANDOM.normal(size=(50, 6)) * [3, 1, 1, 1, 1, 0.1]
    tokens[7] = 0, 0, 0, 0, 0, 1e6
    marked = outliers_of(sizes_of(tokens, axis=1))
    assert np.flatnonzero(marked).tolist() == [7]
    assert abs(Components.fit(tokens, marked).directions[5, 0]) < 0.1
    assert abs(Components.fit(tokens).directions[5, 0]) > 0.9
    tokens[9, 0] = np.nan
    assert np.isfinite(Components.fit(tokens).directions).all()
    assert np.isfinite(Components.fit(np.full((3, 2), np.nan)).of(tokens[:3, :2])).all()


def test_what_is_an_outlier() -> None:
    sizes = RANDOM.uniform(0.9, 1.1, 100)
    sizes[40] = 1.9
    assert not outliers_of(sizes).any(), "below twice the median"
    sizes[40] = 2.5
    assert np.flatnonzero(outliers_of(sizes)).tolist() == [40]
    assert np.array_equal(outliers_of(1e-6 * sizes), outliers_of(sizes))
    assert not outliers_of(np.exp(RANDOM.normal(size=1000))).any(), "a wide spread is none"
    assert not outliers_of(np.array([0.0, 0, 0, 5])).any()


def test_sizes_leave_out_what_is_not_finite() -> None:
    values = np.array([[3.0, 4], [np.nan, 2], [np.inf, 0]])
    assert sizes_of(values, axis=1).tolist() == [np.sqrt(12.5), 2, 0]
    assert sizes_of(values, axis=0) == pytest.approx([3, np.sqrt(20 / 3)])


def test_a_comparison_is_decoded_minus_original() -> None:
    original = Features("vectors", np.array([[3.0, 4], [np.inf, 1], [2, 2]]), ((), (), ()))
    decoded = Features("vectors", np.array([[3.0, 3], [np.inf, 1], [2, 2]]), ((), (), ()))
    found = Comparison.of(original, decoded)
    assert found.error.tolist() == [[0, -1], [0, 0], [0, 0]]
    assert found.distortion.snr_db == pytest.approx(10 * np.log10(25 + 1 + 8))
    assert found.snr_db(slice(0, 1)) == pytest.approx(10 * np.log10(25)) and found.snr_db(slice(1, 3)) is None
    assert "largest 1" in found.figures and "exact" in Comparison.of(decoded, decoded).figures


def test_ticks_are_round_and_inside() -> None:
    for low, high in ((0, 7.3), (-0.02, 0.031), (5, 123456)):
        ticks = Axis("x", low, high, 0, 100).ticks
        assert 2 <= len(ticks) <= 7 and all(low - 1e-9 <= tick <= high for tick in ticks)
    assert Axis("x", 0, 1, 0, 100, whole=True).ticks == [0, 1]
    log = Axis("x", 0.01, 1000, 0, 100, log=True)
    assert log.ticks == [0.01, 0.1, 1, 10, 100, 1000][:: 1 if len(log.ticks) > 3 else 2]
    assert log.place(0.01) == 0 and log.place(1000) == pytest.approx(100) and log.place(0) == 0
    assert log.place(np.sqrt(10)) == pytest.approx(50)
    assert [number_text(value) for value in (0, 12345, 0.01234, 1e7)] == ["0", "12,300", "0.0123", "1e+07"]


def test_samples_are_spread_evenly() -> None:
    counts = [10] * 100
    choice = SampleChoice.of(counts, 1000)
    assert len(choice.numbers) == 32 * 10 and choice.chunks == 32 and choice.available == 1000
    assert choice.numbers[0] == 0 and choice.numbers[-1] == 999 and len(choice.drawn) == 3
    few = SampleChoice.of(counts, 1 << 20)
    assert len(few.numbers) == 4, "four million values"
    assert len(SampleChoice.of(counts, 1e12).numbers) == 1
    assert SampleChoice.of([1000] * 100, 1 << 12).chunks == 8, "of chunks as large, fewer are decoded"
    assert len(SampleChoice.of(counts, 1, wanted=7).numbers) == 7
    found = [first + place for first, inside in few.by_chunk(counts) for place in inside]
    assert found == list(few.numbers)


def test_named_samples_are_drawn_and_looked_at() -> None:
    choice = SampleChoice.of([5, 5, 5], 1, wanted=2, named=[11, 3, 11])
    assert choice.drawn == (11, 3) and {3, 11} <= set(choice.numbers)
    assert dict(choice.by_chunk([5, 5, 5])) == {0: [0, 3], 10: [1, 4]}
    assert SampleChoice.of([], 0).numbers == ()
