"""``caufc extract``, on timm's smallest models and on a plugin of the test's own."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from caufc.cli.extract import command
from caufc.cli.extract_ray import inputs_of
from caufc.errors import (
    InputError,
    MissingPackageError,
    OptionError,
    OutputExistsError,
    PluginError,
    StorageError,
    UnknownNameError,
)
from caufc.plugin_manager import PluginManager

torch = pytest.importorskip("torch")

ARCH = "timm/test_resnet?pretrained=false"

PLUGIN = """
from caufc import Backbone, Tap, hookimpl
import torch

class Runtime:
    def prepare(self, paths):
        return [torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).float() for path in paths]
    def extract(self, inputs, taps):
        kinds = {"length": lambda x: x[:, None], "bf16": lambda x: x[:4].to(torch.bfloat16)}
        if taps == ["short"]:
            return {"short": torch.zeros(len(inputs) + 1, 3)}
        return {tap: torch.stack([kinds[tap](x) for x in inputs]) for tap in taps}
    def resume(self, features, tap):
        return features

TAPS = [Tap("length", "b n c"), Tap("bf16", "b c"), Tap("short", "b c")]

@hookimpl
def caufc_backbones():
    return [Backbone("bytes", TAPS, load=lambda arch: Runtime())]
"""


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("timm")
    generator = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        image.fromarray(generator.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    return [str(path) for path in paths]


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files of 5, 5 and 9 bytes, and a plugin whose features are as long as the file."""
    (tmp_path / "bytes_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "bytes_plugin", raising=False)
    manager = PluginManager([metadata.EntryPoint("bytes", "bytes_plugin", "caufc")])
    monkeypatch.setattr("caufc.cli.extract.default_manager", lambda: manager)
    for name, text in {"a": "hello", "b": "world", "c": "greetings"}.items():
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in "abc"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_one_tap_is_a_lone_tensor_in_pt_and_npy(images: list[str], tmp_path: Path) -> None:
    run(*images, "--arch", ARCH, "--tap", "layer4", "-o", tmp_path / "f.pt", "--batch-size", 2)
    run(*images, "--arch", ARCH, "--tap", "layer4", "-o", tmp_path / "f.npy")
    features = torch.load(tmp_path / "f.pt", weights_only=True)
    assert features.shape == np.load(tmp_path / "f.npy").shape == (3, 96, 5, 5)


def test_one_tap_has_its_name_in_safetensors_and_npz(images: list[str], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    result = run(*images, "--arch", ARCH, "--tap", "layer4", "-o", tmp_path / "f.safetensors")
    assert result.stdout == ""
    warning, report = result.stderr.splitlines()
    assert warning.startswith(f"caufc: warning: '{ARCH}' has random weights: its features ")
    assert warning.endswith("leave pretrained=false out, or give checkpoint=PATH")
    assert report.startswith(f"3 inputs -> {tmp_path}/f.safetensors: layer4 [3, 96, 5, 5] fp32, ")
    run(*images, "--arch", ARCH, "--tap", "layer4", "-o", tmp_path / "f.npz")
    assert {name: tensor.shape for name, tensor in load_file(tmp_path / "f.safetensors").items()} == {
        "layer4": (3, 96, 5, 5)
    }
    assert np.load(tmp_path / "f.npz")["layer4"].shape == (3, 96, 5, 5)


def test_several_taps_are_a_dict_whatever_the_batch(images: list[str], tmp_path: Path) -> None:
    report = json.loads(
        run(*images, "--arch", "timm/test_resnet?pretrained=false", "--tap", "layer1", "--tap", "layer3",
            "-o", tmp_path / "f.pt", "--batch-size", 2, "--json").stdout
    )  # fmt: skip
    assert report.pop("seconds") >= 0
    assert "has random weights" in report.pop("warnings")[0]
    assert report == {
        "arch": ARCH,
        "inputs": 3,
        "output": str(tmp_path / "f.pt"),
        "taps": {
            "layer1": {"shape": [3, 32, 40, 40], "dtype": "fp32"},
            "layer3": {"shape": [3, 192, 10, 10], "dtype": "fp32"},
        },
    }
    features = torch.load(tmp_path / "f.pt", weights_only=True)
    assert list(features) == ["layer1", "layer3"]
    assert features["layer3"].shape == (3, 192, 10, 10)


def test_random_weights_are_the_same_each_time(images: list[str], tmp_path: Path) -> None:
    for name, seed in (("a", ""), ("b", "&seed=0"), ("c", "&seed=7")):
        torch.rand(3)
        run(images[0], "--arch", ARCH + seed, "--tap", "layer4", "-o", tmp_path / f"{name}.npy", "--quiet")
    a, b, c = ((tmp_path / f"{name}.npy").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("suffix", [".pt", ".npz", ".safetensors"])
def test_batches_join_in_the_order_of_the_files(texts: list[str], tmp_path: Path, suffix: str) -> None:
    whole, parts = tmp_path / f"whole{suffix}", tmp_path / f"parts{suffix}"
    run(*texts[:2], "--arch", "bytes", "--tap", "length", "-o", whole)
    run(*texts[:2], "--arch", "bytes", "--tap", "length", "-o", parts, "--batch-size", 1)
    assert whole.read_bytes() == parts.read_bytes()


def test_samples_of_different_lengths_are_a_list(texts: list[str], tmp_path: Path) -> None:
    out = tmp_path / "f.pt"
    result = run(*texts, "--arch", "bytes", "--tap", "length", "-o", out, "--batch-size", 1)
    assert "length ragged fp32" in result.stderr
    samples = torch.load(out, weights_only=True)
    assert [bytes(sample[:, 0].byte().tolist()) for sample in samples] == [b"hello", b"world", b"greetings"]
    for suffix in (".safetensors", ".npy", ".npz"):
        out = tmp_path / f"f{suffix}"
        with pytest.raises(InputError, match=r"tensor 'length': features of input 3.*write \.pt"):
            run(*texts, "--arch", "bytes", "--tap", "length", "-o", out, "--batch-size", 1)
        assert not out.exists()


def test_bf16_where_it_can_be_held(texts: list[str], tmp_path: Path) -> None:
    run(*texts, "--arch", "bytes", "--tap", "bf16", "-o", tmp_path / "f.pt")
    assert torch.load(tmp_path / "f.pt", weights_only=True).dtype == torch.bfloat16
    with pytest.raises(InputError, match=r"tensor 'bf16': \.npy cannot hold bf16; write \.pt"):
        run(*texts, "--arch", "bytes", "--tap", "bf16", "-o", tmp_path / "f.npy")
    assert not (tmp_path / "f.npy").exists()


def test_stdout(texts: list[str]) -> None:
    result = run(*texts[:2], "--arch", "bytes", "--tap", "length", "-o", "-", "--format", "npy", "--json")
    assert result.stdout_bytes.startswith(b"\x93NUMPY")
    assert json.loads(result.stderr)["output"] == "-"
    with pytest.raises(OptionError, match="give --format"):
        run(*texts, "--arch", "bytes", "--tap", "length", "-o", "-")


def test_an_existing_output_needs_force(texts: list[str], tmp_path: Path) -> None:
    out = tmp_path / "f.pt"
    out.write_text("precious")
    with pytest.raises(OutputExistsError):
        run(*texts[:2], "--arch", "bytes", "--tap", "length", "-o", out)
    assert out.read_text() == "precious"
    result = run(*texts[:2], "--arch", "bytes", "--tap", "length", "-o", out, "-f", "--quiet")
    assert result.output == ""
    assert torch.load(out, weights_only=True).shape == (2, 5, 1)


def test_what_cannot_be_done(images: list[str], tmp_path: Path) -> None:
    out = tmp_path / "f.pt"
    with pytest.raises(UnknownNameError, match="unknown arch"):
        run(*images, "--arch", "nonsense", "--tap", "x", "-o", out)
    with pytest.raises(UnknownNameError, match="unknown tap 'layr4'; did you mean 'layer4'"):
        run(*images, "--arch", ARCH, "--tap", "layr4", "-o", out)
    with pytest.raises(OptionError, match=r"no tap is given; give tap=...; .* has layer1, layer2"):
        run(*images, "--arch", ARCH, "-o", out)
    with pytest.raises(UnknownNameError, match=r"unknown format '\.xyz'"):
        run(*images, "--arch", ARCH, "--tap", "layer4", "-o", tmp_path / "f.xyz")
    with pytest.raises(InputError, match=r"\.npy cannot hold a dict of tensors"):
        run(*images, "--arch", ARCH, "--tap", "layer4", "--tap", "layer1", "-o", tmp_path / "f.npy")
    with pytest.raises(PluginError, match="'generic' only describes features"):
        run(*images, "--arch", "generic", "--tap", "bchw", "-o", out)
    with pytest.raises(StorageError, match=r"missing\.png: no such file$"):
        run(images[0], tmp_path / "missing.png", "--arch", ARCH, "--tap", "layer4", "-o", out)
    assert not out.exists()


def test_inputs_are_looked_for_before_a_backbone_is_loaded(texts: list[str], tmp_path: Path) -> None:
    options = ("--arch", "no/such", "--tap", "length", "-o", tmp_path / "f.pt")
    with pytest.raises(StorageError, match=r"missing\.jpg: no such file$"):
        run(texts[0], "missing.jpg", *options)
    with pytest.raises(StorageError, match="is a directory; name the files in it"):
        run(texts[0], tmp_path, *options)


def test_a_runtime_that_loses_samples(texts: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gave the shape \[4, 3\] for tap 'short' and 3 inputs"):
        run(*texts, "--arch", "bytes", "--tap", "short", "-o", tmp_path / "f.pt")


def test_ray_is_asked_for_where_it_is_missing(
    texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in [name for name in sys.modules if name.startswith("caufc.integrations.ray")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingPackageError, match=r"pip install 'caufc\[ray\]'"):
        run(*texts, "--arch", "bytes", "--tap", "length", "-o", tmp_path / "out", "--ray")
    assert not (tmp_path / "out").exists()


def test_what_ray_would_need_is_refused_without_it(texts: list[str], tmp_path: Path) -> None:
    asked = [*texts, "--arch", "bytes", "--tap", "length", "-o", tmp_path / "out.pt"]
    for option in (["--workers", 2], ["--worker-gpus", 1], ["--shard-size", 9], ["--quality", 5], ["--lossless"]):
        with pytest.raises(OptionError, match=f"{option[0]} is for --ray"):
            run(*asked, *option)
    for option in (["--force"], ["--format", ".pt"]):
        with pytest.raises(OptionError, match="not for --ray"):
            run(*asked, *option, "--ray")
    with pytest.raises(OptionError, match="is a path; give --ray last"):
        run(*asked[1:], f"--ray={texts[0]}")


def test_images_of_folders_have_keys_within_them(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/.hidden.png", ".git/d.png", "a/notes.txt", "a/b/e.webp"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    (tmp_path / "list.txt").touch()
    (tmp_path / "empty").mkdir()
    found = inputs_of([tmp_path / "in", tmp_path / "list.txt"])
    assert list(found) == ["b.JPG", "a/c.png", "a/b/e.webp", (tmp_path / "list.txt").as_posix()]
    assert found["a/c.png"] == str(tmp_path / "in" / "a" / "c.png")
    with pytest.raises(InputError, match=r"would have the key 'b\.JPG', and so would"):
        inputs_of([tmp_path / "in", tmp_path / "in"])
    with pytest.raises(StorageError, match="no image in this folder"):
        inputs_of([tmp_path / "empty"])
