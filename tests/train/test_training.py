"""``caufc train``: tiny models, a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import caufc
from caufc.cli.main import caufc as command
from caufc.coders.side_files import read_weights
from caufc.limits import DEFAULT_LIMITS

pytest.importorskip("compressai")

TINY = ["--steps", "6", "--width", "4", "--latents", "256", "--lambdas", "0.01,0.1,1", "--batch", "2"]


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Maps and tokens, as files."""
    folder, random = tmp_path_factory.mktemp("features"), np.random.default_rng(0)
    np.save(folder / "maps.npy", np.maximum(random.normal(size=(24, 32, 8, 8)), 0).astype(np.float32))
    np.save(folder / "tokens.npy", random.normal(size=(8, 40, 48)).astype(np.float16))
    return folder / "maps.npy", folder / "tokens.npy"


def run(*words: str | Path) -> Any:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_train_then_encode_then_decode(features: tuple[Path, Path], tmp_path: Path) -> None:
    out, log = tmp_path / "w.caufw", tmp_path / "w.jsonl"
    done = run("train", *features, "-o", out, *TINY, "--log", log, "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    weights = read_weights(out.read_bytes(), DEFAULT_LIMITS)
    assert facts["id"] == weights.id.hex() and facts["steps"] == 6 and facts["rates"] == 3
    assert weights.weights.shortcut and weights.weights.width == 4
    assert list(tmp_path.iterdir()) == [out, log] or set(tmp_path.iterdir()) == {out, log}
    maps = np.load(features[0])
    low, high = (caufc.encode(maps, codec="hyperprior", weights=out, quality=q, embed_weights=False) for q in (0, 100))
    errors = [float(np.square(caufc.decode(data, weights=out) - maps).mean()) for data in (low, high)]
    assert len(low) < len(high) and errors[1] < min(errors[0], 0.3 * maps.var())


def test_the_same_seed_gives_the_same_weights_and_a_stop_does_not_matter(
    features: tuple[Path, Path], tmp_path: Path
) -> None:
    from caufc.train.export import export_weights
    from caufc.train.model import ModelShape
    from caufc.train.planes import aligned_planes
    from caufc.train.trainer import Schedule, Trainer

    planes = [plane for path in features for plane in aligned_planes(path.name, np.load(path))]
    shape, schedule = ModelShape(4, 32, (0.01, 1.0)), Schedule(4, 2, 5)
    whole = Trainer(planes, shape, schedule, "cpu")
    whole.train(None, lambda *_: None)
    first = Trainer(planes, shape, schedule, "cpu")
    first._step()
    first._step()
    first.save(tmp_path / "checkpoint")
    second = Trainer(planes, shape, schedule, "cpu")
    second.resume(tmp_path / "checkpoint")
    assert second.step == 2
    second.train(tmp_path / "checkpoint", lambda *_: None)
    assert export_weights(whole.model, planes) == export_weights(second.model, planes)
    other = Trainer(planes, shape, Schedule(5, 2, 5), "cpu")
    with pytest.raises(caufc.InputError, match="other options"):
        other.resume(tmp_path / "checkpoint")


def test_the_integer_network_follows_the_float_one(features: tuple[Path, Path]) -> None:
    import torch

    from caufc.codec.hyperprior.codec import HyperpriorCodec
    from caufc.train.export import export_weights
    from caufc.train.model import ModelShape, ScaleHyperprior
    from caufc.train.planes import aligned_planes

    torch.manual_seed(1)
    planes = aligned_planes("maps", np.load(features[0]))
    for shortcut in (True, False):
        model = ScaleHyperprior(ModelShape(6, 40, (0.01, 1.0), shortcut)).eval()
        for network in (model.analysis, model.synthesis):
            torch.nn.init.normal_(network[-1].get_parameter("weight"), std=0.1)
        weights = read_weights(export_weights(model, planes), DEFAULT_LIMITS).weights
        codec, plane = HyperpriorCodec(weights, 1), planes[0].values[:128]
        symbols = codec.symbols(plane)
        with torch.no_grad():
            rate = torch.tensor([1])
            latents = model.latents(torch.from_numpy(plane)[None, None], rate)
            hyper = torch.round(model.hyper_latents(latents))
            indexes = model.indexes(hyper, *latents.shape[2:]).numpy().ravel()
            decoded = model.planes(torch.round(latents), rate)[0, 0].numpy()
        found = codec.scale_indexes(symbols.hyper, *plane.shape)
        assert np.mean(np.abs(found - indexes) <= 0.55) > 0.99
        far = 0.02 * float(np.abs(decoded).max())
        np.testing.assert_allclose(codec.reconstruct(symbols, *plane.shape), decoded, atol=far)


def test_what_cannot_be_trained(features: tuple[Path, Path], tmp_path: Path) -> None:
    maps, out = features[0], tmp_path / "w.caufw"
    assert "device 'abacus'" in run("train", maps, "-o", out, *TINY, "--device", "abacus").output
    integers = tmp_path / "ids.npy"
    np.save(integers, np.arange(100))
    done = run("train", integers, "-o", out, *TINY)
    assert done.exit_code == 2 and "no floats to train on" in done.output
    checkpoint = tmp_path / "w.caufw.checkpoint"
    checkpoint.write_bytes(b"other")
    done = run("train", maps, "-o", out, *TINY)
    assert done.exit_code == 3 and "not a checkpoint" in done.output
    assert not out.exists()
