"""Task-aware fits of features with sinks, outliers and turned channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.align import LayoutAligner, TokenScales, Turns
from caufc.coders.base import Apart
from caufc.fit.network_tail import NetworkTail
from caufc.fit.profile import fit_profile
from caufc.fit.remainder import RemainderMaker
from caufc.fit.sensitivity import measure_sensitivity
from caufc.layouts import Layout

torch = pytest.importorskip("torch")

CHANNELS, CLASSES, TOKENS = 64, 8, 24


def states(samples: int, seed: int = 0) -> Any:
    """Hidden states ``[B, T, 64]`` whose first token is a sink: two channels far above all others."""
    values = np.random.default_rng(seed).standard_normal((samples, TOKENS, CHANNELS)).astype(np.float32)
    values[:, 0] *= 0.1
    values[:, 0, 5], values[:, 0, 41] = 4000, -9000
    return values


@pytest.fixture(scope="module")
def predictions() -> Any:
    """Predictions ``[B, T, 8]`` of normalised tokens, from few of their directions."""
    weight = torch.from_numpy(np.random.default_rng(9).standard_normal((CHANNELS, CLASSES)).astype(np.float32))

    def resume(features: Any) -> Any:
        return torch.nn.functional.layer_norm(features, (CHANNELS,)) @ weight

    return resume


def test_sinks_do_not_hide_what_a_network_reacts_to(predictions: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.caufp"
    path.write_bytes(fit_profile(states(48), layout="b n c", resume=predictions, outputs="logits"))
    seen = states(16, seed=1)
    data = caufc.encode(seen, layout="b n c", profile=path, embed_profile=False)
    back = caufc.decode(data, profile=path)
    np.testing.assert_allclose(back[:, 0, [5, 41]], seen[:, 0, [5, 41]], rtol=0.02)
    before, after = (predictions(torch.from_numpy(part)).argmax(-1) for part in (seen, back))
    assert float((before == after).float().mean()) > 0.95

    def divergence(found: Any) -> float:
        given, moved = (predictions(torch.from_numpy(part)).log_softmax(-1) for part in (seen, found))
        return float(torch.nn.functional.kl_div(moved, given, log_target=True, reduction="batchmean"))

    blind = (caufc.encode(seen, layout="b n c", quality=quality) for quality in range(40, 101, 5))
    alike = next(file for file in blind if divergence(caufc.decode(file)) <= divergence(back))
    assert len(data) < 0.9 * len(alike)


def test_a_fit_within_no_grad(predictions: Any) -> None:
    with torch.no_grad():
        assert fit_profile(states(12), layout="b n c", resume=predictions, outputs="logits")


def test_gradients_of_sequences_have_the_fisher_information(predictions: Any) -> None:
    samples = list(states(64))
    found = measure_sensitivity(
        NetworkTail(predictions, "logits"), samples, RemainderMaker(LayoutAligner(Layout("n c")))
    )
    values = np.linalg.eigvalsh(found.moments.sum(axis=0))
    assert (values[: CHANNELS - CLASSES - 1] < 1e-3 * values[-1]).all()
    assert found.tokens.sum() == 64 * TOKENS


def test_what_is_apart_comes_back() -> None:
    codes = np.zeros(1 + CHANNELS, np.int32)
    codes[[0, 1]] = CHANNELS // 2, 1 << 28
    mask = np.zeros((2 * TOKENS, CHANNELS), bool)
    mask[0, 5] = True
    factors = np.ones(2 * TOKENS)
    factors[3] = 8.0

    def separator(matrix: Any, lost: Any = None) -> Apart:  # noqa: ARG001
        return Apart(TokenScales.of(factors), mask)

    maker = RemainderMaker(LayoutAligner(Layout("n c")), separator, Turns(codes, CHANNELS))
    values = states(2)
    rest = maker(list(values))
    assert rest.tokens.matrix[0, 5] == 0
    np.testing.assert_allclose(
        rest.restored(rest.tokens.matrix.copy()), values.reshape(-1, CHANNELS), rtol=1e-5, atol=1e-4
    )
    gradients = np.ones((2 * TOKENS, CHANNELS), np.float32)
    moved = rest.gradients(gradients)
    assert moved[0, 5] == 0
    np.testing.assert_allclose(moved[3, 2:32], 8.0)
    assert (gradients == 1).all()
