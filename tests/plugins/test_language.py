"""Language models of transformers: tiny, random, saved to a folder, nothing from a hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caufc import default_manager
from caufc.errors import InputError, PluginError, StorageError, UnknownNameError, UnsupportedError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SaveModel = Callable[..., None]

SIZE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 40}
TEXT: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertConfig", {**SIZE, "intermediate_size": 32}),
    "distilbert": ("DistilBertConfig", {**SIZE, "dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32}),
    "gpt2": ("GPT2Config", {**SIZE, "n_embd": 16, "n_layer": 3, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}),
    "llama": ("LlamaConfig", {**SIZE, "intermediate_size": 32, "num_key_value_heads": 1}),
    "t5": ("T5Config", {**SIZE, "d_model": 16, "num_layers": 3, "num_heads": 2, "d_ff": 32, "d_kv": 8}),
}


def save_tokenizer(folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(["<pad>", "<unk>", "a", "b", "c", "d"])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)


@pytest.mark.parametrize("model", TEXT)
def test_language_models(tmp_path: Path, save_model: SaveModel, model: str) -> None:
    folder = tmp_path / model
    save_model(folder, *TEXT[model])
    arch = f"hf/{folder}"
    manager = default_manager()
    hidden = [tap for tap in manager.taps(arch) if tap.name.startswith("hidden")]
    assert [(tap.name, tap.layout, tap.channels) for tap in hidden] == [(f"hidden{i}", "b n c", 16) for i in range(4)]
    runtime = manager.runtime(arch)
    ids = torch.randint(2, 40, (2, 7), generator=torch.Generator().manual_seed(0))
    features = runtime.extract({"input_ids": ids}, [tap.name for tap in hidden])
    assert not torch.equal(features["hidden0"], features["hidden1"])
    for _ in range(2):  # the second time, layers before the tap are passed by
        for tap in hidden:
            given = features[tap.name].clone().requires_grad_()
            output = runtime.resume(given, tap.name)
            torch.testing.assert_close(output, features["hidden3"])
            output.square().sum().backward()
            assert given.grad is not None
            assert float(given.grad.abs().max()) > 0


@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_kv_caches(tmp_path: Path, save_model: SaveModel, model: str) -> None:
    save_model(tmp_path / model, *TEXT[model])
    arch = f"hf/{tmp_path / model}"
    runtime = default_manager().runtime(arch)
    ids = torch.randint(2, 40, (2, 7))
    features = runtime.extract({"input_ids": ids}, ["key.2", "value.0", "hidden1"])
    assert list(features) == ["key.2", "value.0", "hidden1"]
    assert features["key.2"].shape == features["value.0"].shape == (2, 1 if model == "llama" else 2, 7, 8)
    key, value = (default_manager().find_tap(arch, name) for name in ("key.2", "value.0"))
    assert key.layout == value.layout == "b g t d"
    assert key.alignment is not None
    assert value.alignment is not None
    assert (key.alignment.scope, value.alignment.scope) == ("channel", "token")
    with pytest.raises(UnsupportedError, match=r"'key\.2' is part of a KV cache"):
        runtime.resume(features["key.2"], "key.2")


def test_a_model_without_a_cache(tmp_path: Path, save_model: SaveModel) -> None:
    save_model(tmp_path / "bert", *TEXT["bert"])
    runtime = default_manager().runtime(f"hf/{tmp_path / 'bert'}")
    with pytest.raises(InputError, match="keeps no KV cache"):
        runtime.extract({"input_ids": torch.ones(1, 3, dtype=torch.int64)}, ["key.0"])


def test_texts_are_padded_and_their_padding_is_zero(tmp_path: Path, save_model: SaveModel) -> None:
    folder = tmp_path / "bert"
    save_model(folder, *TEXT["bert"])
    save_tokenizer(folder)
    for name, text in {"long": "a b c d", "short": "a b"}.items():
        (tmp_path / f"{name}.txt").write_text(text)
    runtime = default_manager().runtime(f"hf/{folder}")
    inputs = runtime.prepare([tmp_path / "long.txt", tmp_path / "short.txt"])
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    together = runtime.extract(inputs, ["hidden2"])["hidden2"]
    alone = runtime.extract(runtime.prepare([tmp_path / "short.txt"]), ["hidden2"])["hidden2"]
    torch.testing.assert_close(together[1:, :2], alone)
    assert not together[1, 2:].any()


def test_files_that_are_no_texts(tmp_path: Path, save_model: SaveModel) -> None:
    folder = tmp_path / "bert"
    save_model(folder, *TEXT["bert"])
    with pytest.raises(PluginError, match="without a tokenizer"):
        default_manager().runtime(f"hf/{folder}").prepare([])
    save_tokenizer(folder)
    runtime = default_manager().runtime(f"hf/{folder}")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "empty").write_text(" \n")
    with pytest.raises(InputError, match="latin: not UTF-8 text: byte 3"):
        runtime.prepare([tmp_path / "latin"])
    with pytest.raises(InputError, match="empty: an empty text"):
        runtime.prepare([tmp_path / "empty"])
    with pytest.raises(StorageError, match="missing"):
        runtime.prepare([tmp_path / "missing"])


def test_a_model_of_the_hub_is_described_without_it() -> None:
    manager = default_manager()
    assert manager.find_tap("hf/some/model", "hidden6").layout == "b n c"
    assert manager.find_tap("hf/some/model", "key.31").layout == "b g t d"
    assert manager.find_tap("hf-audio/some/model", "hidden6").layout == "b t c"


def test_random_weights_need_a_configuration_only(tmp_path: Path, save_model: SaveModel) -> None:
    save_model(tmp_path / "bert", *TEXT["bert"])
    (tmp_path / "bert" / "model.safetensors").unlink()
    with pytest.raises(PluginError, match="plugin 'hf-language': cannot load"):
        default_manager().runtime(f"hf/{tmp_path / 'bert'}")
    runtime = default_manager().runtime(f"hf/{tmp_path / 'bert'}?pretrained=false")
    features = runtime.extract({"input_ids": torch.ones(1, 3, dtype=torch.int64)}, ["hidden1"])
    assert features["hidden1"].shape == (1, 3, 16)
    for options, alike in (("", True), ("&seed=1", False)):
        again = default_manager().runtime(f"hf/{tmp_path / 'bert'}?pretrained=false{options}")
        others = again.extract({"input_ids": torch.ones(1, 3, dtype=torch.int64)}, ["hidden1"])
        assert torch.equal(others["hidden1"], features["hidden1"]) is alike
    with pytest.raises(UnknownNameError, match="unknown tap 'hidden4'"):
        runtime.extract({"input_ids": torch.ones(1, 3, dtype=torch.int64)}, ["hidden4"])


def test_features_that_do_not_fit(tmp_path: Path, save_model: SaveModel) -> None:
    save_model(tmp_path / "bert", *TEXT["bert"])
    runtime = default_manager().runtime(f"hf/{tmp_path / 'bert'}")
    for shape in ((1, 3, 15), (3, 16)):
        with pytest.raises(InputError, match="do not fit the tap 'hidden1'"):
            runtime.resume(torch.zeros(shape), "hidden1")
