"""Surveys: of small inputs all is looked at, of large ones runs of samples, and of the rest whether it is finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.encoder.separator import Separation
from caufc.encoder.survey import TensorSurvey
from caufc.encoder.surveying import survey_tensor
from caufc.features import to_source
from caufc.layouts import Layout

BUDGET = 1 << 19
"""Values, of which a survey looks at 16 runs."""

Values = NDArray[np.float32]


def survey(features: Any, layout: str, *, keep_nonfinite: bool = False) -> TensorSurvey:
    source = to_source(features)
    return survey_tensor(
        source,
        source.tensors[0],
        Layout(layout),
        chunk=1 << 10,
        budget=BUDGET,
        keep_nonfinite=keep_nonfinite,
        progress=lambda values: None,
        separation=Separation(),
    )


@pytest.fixture(scope="module")
def vectors() -> Values:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((1 << 14, 128)) * rng.uniform(0.5, 2, 128)).astype(np.float32)


def test_runs_tell_what_all_would(vectors: Values) -> None:
    found = survey(vectors, "b c")
    assert found.total == len(vectors) and BUDGET / 2 < found.sample.size <= BUDGET
    assert found.statistics.count == len(found.sample)
    np.testing.assert_allclose(found.statistics.deviation, vectors.std(axis=0), rtol=0.1)
    assert set(found.sample[:, 0]) <= set(vectors[:, 0])
    assert {vectors[0, 0], vectors[-1, 0]} <= set(found.sample[:, 0])


@pytest.mark.parametrize("place", [0, 777, -1])
def test_what_is_not_finite_is_found_anywhere(vectors: Values, place: int) -> None:
    broken = vectors.copy()
    broken[place, 5] = np.nan
    with pytest.raises(caufc.NonFiniteError, match="1 NaN"):
        survey(broken, "b c")
    assert survey(broken, "b c", keep_nonfinite=True).total == len(vectors)


def test_samples_of_other_channels_are_found_anywhere() -> None:
    samples = [np.ones((4, 128), np.float32)] * 4000
    samples[1234] = np.ones((4, 129), np.float32)
    with pytest.raises(caufc.LayoutError, match="129"):
        survey(samples, "b n c")


def test_tokens_of_samples_of_several_lengths_are_counted() -> None:
    samples = [np.ones((1 + number % 7, 128), np.float32) for number in range(3000)]
    assert survey(samples, "b n c").total == sum(map(len, samples))


def test_of_few_large_samples_parts_are_kept() -> None:
    found = survey(np.ones((4, 3000, 128), np.float32), "b n c")
    assert found.statistics.count == 12_000 and len(found.geometry.grids) == 4
    assert 4000 < len(found.sample) < 5000


def test_of_layers_that_differ_in_size_some_all_over_are_kept() -> None:
    """A run out of the middle tells nothing of others."""
    layers = np.broadcast_to(2.0 ** np.arange(16, dtype=np.float32)[:, None, None], (3, 16, 500, 128))
    found = survey(layers, "b h w c")
    (kept,) = {tuple(np.unique(part[:, 0])) for part in np.split(found.features, 3)}
    assert kept[0] == 1 and kept[-1] >= 1 << 10
