"""Programs that measure a language model: rivals, curves, kept points, and a whole run on a model of random weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.measure import language_methods, language_model, language_page
from tools.measure.language import Run
from tools.measure.language_curves import CurvePoint, draws, rate_there, walk
from tools.measure.language_kvtc import kvtc, kvtc_bases
from tools.measure.language_methods import CurveMethod
from tools.measure.language_model import LanguageBench
from tools.measure.language_nncodec import nncodec_missing
from tools.measure.language_rivals import faiss_rotation, fp8, int_by_channel, int_by_token, kivi
from tools.measure.point_log import PointLog
from tools.measure.qualities_common import closeness

GENERATOR = np.random.default_rng(0)


def cache(batch: int = 3, tokens: int = 20) -> dict[str, Any]:
    """A cache of two layers, two heads of 8; channels of keys have scales of their own."""
    scales = np.exp(GENERATOR.standard_normal((1, 2, 1, 8)))
    names = [f"{kind}.{layer}" for kind in ("keys", "values") for layer in range(2)]
    values = {name: GENERATOR.standard_normal((batch, 2, tokens, 8)) for name in names}
    return {name: (x * scales if name.startswith("keys") else x).astype(np.float16) for name, x in values.items()}


def states(batch: int = 3) -> dict[str, Any]:
    return {"states": GENERATOR.standard_normal((batch, 20, 16)).astype(np.float32)}


def worst(before: Any, after: Any) -> float:
    return max(float(np.abs(before[name].astype("f4") - after[name]).max()) for name in before)


@pytest.mark.parametrize("make", [cache, states])
def test_rivals_give_back_what_they_were_given(make: Any) -> None:
    pytest.importorskip("torch")
    features = make()
    bases = kvtc_bases(make(64))
    coded = {
        "fp8": (fp8(features), 0.3),
        "token": (int_by_token(features, 8), 0.05),
        "channel": (int_by_channel(features, 8), 0.1),
        "kivi": (kivi(features, 8), 0.1),
        "kvtc": (kvtc(features, 3.0), 0.5),
        "calibrated": (kvtc(features, 3.0, bases), 0.5),
    }
    for name, ((size, back), bound) in coded.items():
        assert {key: part.shape for key, part in back.items()} == {key: part.shape for key, part in features.items()}
        assert worst(features, back) < bound, name
        assert size > sum(part.size for part in features.values()) / 2


def test_faiss_codes_come_back() -> None:
    pytest.importorskip("faiss")
    features = cache()
    size, back = faiss_rotation(features, 8)
    assert worst(features, back) < 0.2 and size > 0


def test_the_axes_of_kivi() -> None:
    """A large channel costs other keys nothing, a large token other values nothing."""
    features = cache()
    features["keys.0"][:, 0, :, 3] *= 1000
    features["values.0"][:, 0, 5] *= 1000
    _, back = kivi(features, 8)
    assert np.abs(back["keys.0"] - features["keys.0"])[:, :, :, :3].max() < 0.1
    assert np.abs(back["values.0"] - features["values.0"])[:, :, 6:].max() < 0.1
    _, other = int_by_token(features, 8)
    assert np.abs(other["keys.0"] - features["keys.0"])[:, 0, :, :3].max() > 0.5


def test_the_first_token_stands_apart_in_kvtc() -> None:
    features = states()
    features["states"][:, 0] *= 1000
    _, back = kvtc(features, 3.0)
    assert np.abs(back["states"] - features["states"])[:, 1:].max() < 0.5


def test_codes_of_fewer_bits_are_smaller() -> None:
    features = cache()
    sizes = [int_by_token(features, bits)[0] for bits in (2, 3, 4, 6, 8)]
    assert sizes == sorted(sizes)
    assert sizes[4] - sizes[2] > 0.3 * sum(part.size for part in features.values())


def point(setting: float, bpfp: float, kl: float) -> CurvePoint:
    return CurvePoint(setting, bpfp, np.full(4, kl), np.ones(4))


def test_a_walk_ends_on_both_sides() -> None:
    def at(setting: float) -> CurvePoint:
        return point(setting, setting, 2.0**-setting)

    def method(start: float) -> CurveMethod:
        return CurveMethod("blind", [float(n) for n in range(1, 10)], start, lambda _: (0, {}), always=(2.0,))

    for start in (1, 4, 5, 9):
        found = [each.setting for each in walk(method(start), 2.0**-4.5, at)]
        assert {4, 5, 2} <= {*found} and found == sorted(found)
    assert [each.setting for each in walk(method(9), 0, at)] == [2, 9]


def test_the_rate_at_a_divergence() -> None:
    points = [point(n, n, 2.0**-n) for n in (2, 4, 6)]
    drawn = draws(4)
    found = rate_there(points, np.full(4, 2.0**-4.5), drawn)
    assert found.bpfp == pytest.approx(4.5) and found.bound == "" and found.interval == pytest.approx((4.5, 4.5))
    assert rate_there(points, np.full(4, 2.0**-4), drawn).bpfp == 4
    assert [rate_there(points, np.full(4, 2.0**-n), drawn).bound for n in (1, 7)] == ["<", ">"]
    noisy = [CurvePoint(0, n, 2.0**-n * np.array([0.5, 1, 1, 1.5]), np.ones(4)) for n in (4, 6)]
    low, high = rate_there(noisy, np.full(4, 2.0**-4.5), drawn).interval
    assert low < 4.5 < high


def test_points_are_measured_once_per_state(tmp_path: Path) -> None:
    calls = []

    def measure() -> dict[str, Any]:
        calls.append(1)
        return {"value": len(calls)}

    path = tmp_path / "points.jsonl"
    assert [PointLog(path).get("a", state, measure)["value"] for state in ("x", "x", "y", "x")] == [1, 1, 2, 1]
    assert len(path.read_text().splitlines()) == 2


def test_what_99_of_100_tokens_reach() -> None:
    before = np.ones((1000, 4), np.float32)
    after = before + np.float32(0.1)
    after[:20] += np.float32(0.9)
    found = closeness([before], [after])
    assert found["token_snr_db"] == pytest.approx(0, abs=1e-3) and found["snr_db"] > 10


def test_an_interpreter_without_nncodec_is_told() -> None:
    assert nncodec_missing("false") == "not installed in the interpreter of --nncodec"


PLACES = ("hidden8", language_model.CACHE)
LAYERS = 9
"""As many as the first of the places needs."""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LanguageBench:
    """Windows of 12 tokens before a model of random weights."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    shape = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": LAYERS, "vocab_size": 50}
    network = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**shape, num_attention_heads=3, num_key_value_heads=1)
    )
    monkeypatch.setattr("caufc.plugins.measuring_language._packaged", lambda: (word_lengths, network))
    texts = {"fit": (0, 40), "test": (40, 80)}
    for name, value in {"HIDDEN": PLACES[:1], "WINDOW": 12, "KEPT": 8, "TEXTS": texts}.items():
        monkeypatch.setattr(language_model, name, value)
    with (tmp_path / "agnews.csv").open("w", newline="") as file:
        csv.writer(file).writerows(["1", f"Title {10 ** (n % 7)}", "some longer words " * 3] for n in range(80))
    return LanguageBench(tmp_path, tmp_path / "work", 5, 6)


def word_lengths(text: str) -> dict[str, list[int]]:
    """A tokenizer."""
    return {"input_ids": [len(word) for word in text.split()]}


@pytest.mark.parametrize("place", PLACES)
def test_predictions_move_only_when_features_do(bench: LanguageBench, place: str) -> None:
    features = bench.features(place)
    divergences, agreements = bench.moves(place, features)
    assert divergences.shape == (5,) and divergences.max() == 0 and agreements.min() == 1
    moved, _ = bench.moves(place, {name: part + np.float16(0.5) for name, part in features.items()})
    assert moved.min() > 0


def test_a_run_and_its_page(bench: LanguageBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = ("blind", "profile", "window", "fp8", "kivi", "int-channel", "nncodec")
    monkeypatch.setattr(language_methods, "QUALITIES", (10.0, 50.0, 90.0))

    def run() -> dict[str, Any]:
        log = PointLog(tmp_path / "points.jsonl")
        return Run(bench, log, PLACES, methods, "false").measure()

    found = run()
    assert {*found["cache"]["curves"]} == {*methods} - {"nncodec"}
    assert {*found["hidden8"]["curves"]} == {*methods} - {"nncodec", "kivi"}
    assert found["hidden8"]["reference"]["method"] == "fp8" and found["cache"]["reference"]["method"] == "kivi"
    text = language_page.page(found)
    for part in ("| caufc, blind | ", "## Medium", "NNCodec: not installed", "profile of the cache: "):
        assert part in text
    monkeypatch.setattr(LanguageBench, "moves", None)
    assert run() == found, "everything was measured already"
