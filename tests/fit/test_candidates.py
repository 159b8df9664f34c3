"""Candidates of task-aware profiles: steps of bands follow what an error does to one token of theirs."""

from __future__ import annotations

import numpy as np
import pytest

from caufc.align import LayoutAligner
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import BAND_STEPS
from caufc.codec.transform.token_order import BANDS, FREQUENCY_BANDS
from caufc.fit.candidates import CandidateMaker, Evidence, metric_candidate, scaled_candidate
from caufc.fit.sensitivity import second_moments
from caufc.layouts import Layout

MAKERS = {
    "metric": metric_candidate(0.1),
    "metric, plain": metric_candidate(0.1, spectral=False),
    "scaled": scaled_candidate(True),
    "scaled, spatial": scaled_candidate(False),
}


def evidence(layout: str) -> Evidence:
    """Of a network that reacts to all tokens alike."""
    rng = np.random.default_rng(0)
    features, gradients = rng.standard_normal((2, 60, 17, 6)).astype(np.float32)
    form = LayoutAligner(Layout(layout).unbatched())
    tokens = form.to_tokens(features)
    geometry = Geometry(tokens.grids, tokens.special, spectral=True)
    return Evidence(tokens, second_moments(form.to_tokens(gradients).matrix, geometry))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_bands_that_the_fit_did_not_see_have_fine_steps(make: CandidateMaker) -> None:
    steps = make(evidence("b n c"), 0.0).arrays[BAND_STEPS]
    assert (steps[FREQUENCY_BANDS:] == 0).all()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_special_tokens_that_matter_like_all_have_steps_like_all(make: CandidateMaker) -> None:
    given = evidence("b (1 + n) c")
    steps = make(given, 0.0).arrays[BAND_STEPS]
    seen = given.sensitivity.tokens > 0
    assert seen.sum() >= 5 and len(steps) == BANDS
    assert np.ptp(steps[seen].astype(int)) <= 3
