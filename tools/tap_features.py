"""Extracts features of the evaluation backbones, and resumes from them.

Eight taps: EfficientNet-Lite0, CIFAR-10 ResNet-56, a CIFAR-10 vision transformer and MiniLM-L6, two places in each. The
data folder holds images, texts, weights and `backbones.py`, which loads the networks; it is not part of caufc. Each
network gives two halves, `fit` for whatever is trained or tuned and `test` for what is reported:

    python tools/tap_features.py --data DIR --out DIR

writes per tap and half `TAP.HALF.npy` ([B, ...] fp32) or, for texts, `TAP.HALF.pt` (list of [T, 384] fp32); per
network and half `NETWORK.HALF.npz` with the unquantised `logits` and the `labels`; `minilm.head.npz`, the linear
head on text embeddings, fitted on the fit half; and `taps.json`, the counts and the data folder.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BATCH = 50
HALVES = ("fit", "test")
TEXT_NETWORK = "minilm"
TOPICS = 4
RIDGE = 1.0
TEST_TEXTS_FROM = 2500
"""AG News: texts before this position fit, the rest tests."""


@dataclass(frozen=True)
class TapPoint:
    """A place in a network.

    Args:
        network: key of ``NETWORKS``.
        place: the tap's name in the network.
        layout: meaning of the axes of the features, in caufc's notation.
    """

    network: str
    place: str
    layout: str

    @property
    def name(self) -> str:
        """Unique, and good in file names."""
        return f"{self.network}-{self.place}"


NETWORKS = {
    "efficientnet_lite0": "EfficientNetLite0",
    "resnet56": "CifarResNet",
    "vit": "CifarViT",
    TEXT_NETWORK: "MiniLM",
}
"""network -> its class in ``backbones.py``."""

TAPS = {
    tap.name: tap
    for tap in (
        TapPoint("efficientnet_lite0", "block10", "b c h w"),
        TapPoint("efficientnet_lite0", "last", "b c h w"),
        TapPoint("resnet56", "layer2", "b c h w"),
        TapPoint("resnet56", "layer3", "b c h w"),
        TapPoint("vit", "block3", "b (1 + h w) c"),
        TapPoint("vit", "block6", "b (1 + h w) c"),
        TapPoint(TEXT_NETWORK, "hidden3", "n c"),
        TapPoint(TEXT_NETWORK, "hidden6", "n c"),
    )
}


@functools.cache
def backbones(data: Path) -> ModuleType:
    """``backbones.py`` of the data folder."""
    spec = importlib.util.spec_from_file_location("caufc_tools_backbones", data / "backbones.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(data / "backbones.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def network(name: str, data: Path) -> Any:
    """A loaded network in evaluation mode, its parameters without gradients."""
    with contextlib.redirect_stdout(sys.stderr):
        loaded = getattr(backbones(data), NETWORKS[name])()
    loaded.net.requires_grad_(False)
    return loaded


def data_folder(folder: Path) -> Path:
    """The data folder from which the features in ``folder`` were made."""
    return Path(json.loads((folder / "taps.json").read_text())["data"])


def load_features(folder: Path, tap: str, half: str = "test") -> Any:
    """Features of a tap: a numpy array [B, ...], or a list of torch tensors [T, 384] for texts."""
    if TAPS[tap].network == TEXT_NETWORK:
        return torch.load(folder / f"{tap}.{half}.pt", weights_only=True)
    return np.load(folder / f"{tap}.{half}.npy")


def load_predictions(folder: Path, tap: str, half: str = "test") -> tuple[NDArray[Any], NDArray[Any]]:
    """Unquantised top-1 predictions [B] and labels [B] of a tap's network."""
    with np.load(folder / f"{TAPS[tap].network}.{half}.npz") as stored:
        return stored["logits"].argmax(1), stored["labels"]


def resume(tap: str, features: Any, folder: Path, data: Path | None = None) -> NDArray[Any]:
    """Run the rest of a network on features, decoded ones for instance.

    Args:
        tap: key of ``TAPS``.
        features: [B, ...] array or tensor, or a list of [T, 384] for texts.
        folder: with the extracted features; the text head and the data folder's place are read from it.
        data: data folder, if it has moved.

    Returns:
        Top-1 indices [B].
    """
    point = TAPS[tap]
    net = network(point.network, data_folder(folder) if data is None else data)
    if point.network == TEXT_NETWORK:
        return _apply_head(_text_embeddings(net, point.place, features), *load_head(folder)).argmax(1)
    return _image_logits(net, point, features).argmax(1)


def load_head(folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The linear head on text embeddings: weight [384, 4] and bias [4]."""
    with np.load(folder / f"{TEXT_NETWORK}.head.npz") as stored:
        return stored["weight"], stored["bias"]


@torch.no_grad()
def _image_logits(net: Any, point: TapPoint, features: Any) -> NDArray[Any]:
    """Features [B, ...] -> logits [B, classes], in batches."""
    parts = torch.as_tensor(features).float().split(BATCH)
    if point.name == "efficientnet_lite0-block10":
        return torch.cat([_after_block10(net, part) for part in parts]).numpy()
    return torch.cat([net.resume(part, point.place) for part in parts]).numpy()


def _after_block10(net: Any, features: Tensor) -> Tensor:
    """EfficientNet-Lite0 from block 11 on, without the blocks before it."""
    inner = net.net
    for block in inner._blocks[11:]:
        features = block(features)
    return inner._fc(inner._swish(inner._bn1(inner._conv_head(features))).mean((2, 3)))


@torch.no_grad()
def _text_embeddings(net: Any, place: str, features: Sequence[Any]) -> NDArray[Any]:
    """Hidden states -> unit-length embeddings [B, 384]; texts of equal length share a batch."""
    by_length: dict[int, list[int]] = {}
    for position, tokens in enumerate(features):
        by_length.setdefault(len(tokens), []).append(position)
    embeddings = np.empty((len(features), features[0].shape[1]), np.float32)
    for positions in by_length.values():
        x = torch.stack([torch.as_tensor(features[position]).float() for position in positions])
        for layer in net.net.encoder.layer[int(place.removeprefix("hidden")) :]:
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        embeddings[positions] = torch.nn.functional.normalize(x.mean(1), dim=1).numpy()
    return embeddings


def _apply_head(embeddings: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any]) -> NDArray[Any]:
    return embeddings.astype(np.float64) @ weight + bias


def _fit_head(embeddings: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ridge regression from embeddings to one-hot topics."""
    x, y = embeddings.astype(np.float64), np.eye(TOPICS)[labels]
    centre, mean = x.mean(0), y.mean(0)
    gram = (x - centre).T @ (x - centre) + RIDGE * np.eye(x.shape[1])
    weight = np.linalg.solve(gram, (x - centre).T @ (y - mean))
    return weight, mean - centre @ weight


def _image_halves(name: str, data: Path, imagenet: int, cifar: int) -> Iterator[tuple[str, Tensor, NDArray[Any]]]:
    """(half, normalised images [B, 3, H, W], labels [B]) for a network's data."""
    source = backbones(data)
    if name == "efficientnet_lite0":
        images, labels = source.imagenet_sample(data / "imagenet-sample")
        images, labels = images[:imagenet], labels[:imagenet]
        for start, half in enumerate(HALVES):
            yield half, source.normalise(images[start::2]), labels[start::2]
        return
    with np.load(data / "cifar10.npz") as stored:
        for half, part in zip(HALVES, ("train", "test"), strict=True):
            images, labels = stored[f"{part}_x"][:cifar], stored[f"{part}_y"][:cifar]
            yield half, source.normalise(images), labels.astype(np.int64)


def _extract_images(name: str, data: Path, out: Path, imagenet: int, cifar: int) -> dict[str, int]:
    net, points = network(name, data), [tap for tap in TAPS.values() if tap.network == name]
    counts = {}
    for half, images, labels in _image_halves(name, data, imagenet, cifar):
        for point in points:
            features = torch.cat([net.extract(part, point.place) for part in images.split(BATCH)]).numpy()
            np.save(out / f"{point.name}.{half}.npy", features)
            logits = _image_logits(net, point, features)
            print(f"{point.name}.{half}: {list(features.shape)} {features.dtype}", file=sys.stderr)
        _write_predictions(out, name, half, logits, labels)
        counts[half] = len(labels)
    return counts


def _extract_texts(data: Path, out: Path, count: int) -> dict[str, int]:
    net, points = network(TEXT_NETWORK, data), [tap for tap in TAPS.values() if tap.network == TEXT_NETWORK]
    texts, labels = backbones(data).ag_news(data / "agnews.csv")
    embeddings, chosen = {}, {}
    for half, begin, end in (("fit", 0, TEST_TEXTS_FROM), ("test", TEST_TEXTS_FROM, len(texts))):
        part = slice(begin, min(begin + count, end))
        chosen[half] = labels[part]
        for point in points:
            features = [net.extract(text, point.place).clone() for text in texts[part]]
            torch.save(features, out / f"{point.name}.{half}.pt")
            embeddings[half] = _text_embeddings(net, point.place, features)
            tokens = sum(map(len, features))
            print(f"{point.name}.{half}: {len(features)} texts, {tokens} tokens", file=sys.stderr)
    weight, bias = _fit_head(embeddings["fit"], chosen["fit"])
    np.savez(out / f"{TEXT_NETWORK}.head.npz", weight=weight, bias=bias)
    for half in HALVES:
        _write_predictions(out, TEXT_NETWORK, half, _apply_head(embeddings[half], weight, bias), chosen[half])
    return {half: len(chosen[half]) for half in HALVES}


def _write_predictions(out: Path, name: str, half: str, logits: NDArray[Any], labels: NDArray[Any]) -> None:
    np.savez(out / f"{name}.{half}.npz", logits=logits, labels=labels)
    accuracy = float((logits.argmax(1) == labels).mean())
    print(f"{name}.{half}: {len(labels)} samples, accuracy {accuracy:.1%}", file=sys.stderr)


def main() -> None:
    """Extract all taps of the networks asked for."""
    parser = argparse.ArgumentParser(description="Extract features of the evaluation backbones.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder with backbones.py")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the features")
    parser.add_argument("--imagenet", type=int, default=600, help="ImageNet images: even positions fit, odd ones test")
    parser.add_argument("--cifar", type=int, default=1000, help="CIFAR-10 images a half")
    parser.add_argument("--texts", type=int, default=600, help="AG News texts a half")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data, out = options.data.resolve(), options.out
    out.mkdir(parents=True, exist_ok=True)
    images = functools.partial(_extract_images, data=data, out=out, imagenet=options.imagenet, cifar=options.cifar)
    jobs: dict[str, Callable[[], dict[str, int]]] = {
        name: functools.partial(images, name) for name in NETWORKS if name != TEXT_NETWORK
    }
    jobs[TEXT_NETWORK] = functools.partial(_extract_texts, data, out, options.texts)
    counts = {}
    for name, job in jobs.items():
        started = time.perf_counter()
        counts[name] = job()
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    (out / "taps.json").write_text(json.dumps({"data": str(data), "counts": counts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
