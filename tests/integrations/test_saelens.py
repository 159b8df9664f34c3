"""SAELens: cached activations as a column of its datasets, and its trainers on what a hook point wrote."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc

from .neighbours import blocks, decibels, neighbour

torch = pytest.importorskip("torch")
datasets = neighbour("datasets")
sae_lens = neighbour("sae_lens")
transformer_lens = neighbour("transformer_lens")

from caufc.integrations.datasets import CaufTensor  # noqa: E402

HOOK = "blocks.1.hook_resid_post"
PROMPTS, TOKENS, CHANNELS = 96, 32, 64


@pytest.fixture(scope="module")
def model() -> Any:
    """A small network with random weights."""
    shape = {"n_layers": 2, "d_model": CHANNELS, "d_head": 16, "n_ctx": TOKENS, "d_vocab": 500, "act_fn": "gelu"}
    return transformer_lens.HookedTransformer(transformer_lens.HookedTransformerConfig(**shape, seed=0))


@pytest.fixture(scope="module")
def prompts() -> Any:
    tokens = np.random.default_rng(0).integers(0, 500, (PROMPTS, TOKENS))
    return datasets.Dataset.from_dict({"tokens": tokens.tolist()})


@pytest.fixture
def cached(model: Any, prompts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What SAELens' own runner leaves in the folder ``activations``, where the test runs."""
    monkeypatch.chdir(tmp_path)
    runner = importlib.import_module("sae_lens.cache_activations_runner")
    monkeypatch.setattr(runner, "load_model", lambda **_: model)  # by name it would be downloaded
    config = sae_lens.CacheActivationsRunnerConfig(
        dataset_path="prompts",
        model_name="small",
        model_batch_size=16,
        hook_name=HOOK,
        d_in=CHANNELS,
        training_tokens=PROMPTS * TOKENS,
        context_size=TOKENS,
        new_cached_activations_path="activations",
        buffer_size_gb=PROMPTS * TOKENS * CHANNELS * 4 / 1e9,
        prepend_bos=False,
        device="cpu",
    )
    sae_lens.CacheActivationsRunner(config, override_dataset=prompts).run()
    return datasets.load_from_disk("activations")


def arrow_bytes(folder: str) -> int:
    """Bytes of a dataset's data."""
    return sum(path.stat().st_size for path in Path(folder).glob("*.arrow"))


def test_the_page_is_true(cached: Any, model: Any, prompts: Any) -> None:
    known: dict[str, Any] = {}
    for code in blocks("saelens"):
        exec(compile(code, "saelens.md", "exec"), known)
    assert known["sae"].cfg.d_sae == 256 and known["sae"].W_dec.isfinite().all()

    assert 3 * arrow_bytes("activations-caufc") < arrow_bytes("activations")
    store = sae_lens.ActivationsStore.from_config(model, known["config"], override_dataset=prompts)
    rows = known["config"].store_batch_size_prompts
    states, ids = store.get_raw_llm_batch()
    given = cached.with_format("torch")[:rows]
    assert torch.equal(ids.long(), given["token_ids"].flatten())
    assert states.shape == (rows * TOKENS, CHANNELS) and 15 < decibels(given[HOOK].flatten(0, 1), states) < 60

    runner = sae_lens.LanguageModelSAETrainingRunner(known["config"], override_dataset=prompts, override_model=model)
    assert runner.run().W_dec.isfinite().all()

    with caufc.open("resid_post.cauf") as reader:
        assert len(reader) == 256 and reader[0].shape == (TOKENS, CHANNELS)
        _, cache = known["model"].run_with_cache(known["prompts"][0], names_filter=HOOK)
        assert 15 < decibels(cache[HOOK].detach()[3], reader[3]) < 60


def test_the_store_compares_the_shape(cached: Any, model: Any) -> None:
    feature = CaufTensor.fit(cached.with_format("numpy")[:][HOOK], layout="b n c", shape=(TOKENS, CHANNELS))
    cached.cast_column(HOOK, feature).save_to_disk("coded")
    config = sae_lens.CacheActivationsRunnerConfig("", "", 4, HOOK, CHANNELS + 1, TOKENS, TOKENS, device="cpu")
    config.new_cached_activations_path = "coded"
    with pytest.raises(ValueError, match=r"does not match context_size \(32\) and d_in \(65\)"):
        sae_lens.ActivationsStore.from_config(model, config)


def test_a_hook_in_bf16_comes_back_in_bf16(model: Any, tmp_path: Path) -> None:
    tokens = torch.arange(TOKENS)[None]
    with caufc.writer(tmp_path / "x.cauf", layout="n c") as file, torch.no_grad():
        for _ in range(4):
            model.run_with_hooks(tokens, fwd_hooks=[(HOOK, lambda states, hook: file.add(states[0].bfloat16()))])
    with caufc.open(tmp_path / "x.cauf") as reader:
        assert reader[2].dtype == torch.bfloat16 and reader[2].shape == (TOKENS, CHANNELS)
