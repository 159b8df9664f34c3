"""Runs the measuring tasks: data in halves, features at taps, and from there on to scores."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caufc import InputError, StorageError

from . import measuring_networks as networks
from .measuring_language import SmolLM2

Half = Literal["fit", "test"]

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
IMAGENET_DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
CROP = 224
FIT_TEXTS = 2500
"""Texts before this position fit, the rest tests."""

HEAD_TEXTS = 1000
TOPICS = 4
RIDGE = 1.0
HEAD_SCALE = 10.0
"""Ridge scores to logits: about what makes their softmax as sure as the head is right."""

WINDOW = 256
"""Tokens of a window for the language model."""

WINDOWS = 64
"""Windows of a half: 4,096 predictions, which tell an agreement of 99 % to within 0.3 points."""

WINDOWS_TOGETHER = 4
PREDICTED = 4
"""The next token is predicted at every so many-th place: the head over 49,152 tokens costs as much as ten layers."""


def normalise(images: NDArray[np.uint8]) -> Tensor:
    """Images ``[B, H, W, 3]`` -> ``[B, 3, H, W]`` by the statistics of ImageNet, which all networks here use."""
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    return (x - IMAGENET_MEAN) / IMAGENET_DEVIATION


class _ImageTask(ABC):
    """Images of both halves before a network."""

    network: networks.Network

    @abstractmethod
    def images(self, half: Half, start: int, stop: int) -> NDArray[np.uint8]:
        """Samples ``[start, stop)`` as ``[B, H, W, 3]``."""

    @torch.no_grad()
    def extract(self, half: Half, start: int, stop: int, taps: Sequence[str]) -> dict[str, Tensor]:
        return self.network.extract(normalise(self.images(half, start, stop)), taps)

    def resume(self, features: Any, tap: str) -> Tensor:
        return self.network.resume(features, tap)


class ImageNetSample(_ImageTask):
    """One image a class: even positions of the sorted names fit, odd ones test; the class leads the name."""

    def __init__(self, data: Path) -> None:
        names = sorted(_folder(data / "imagenet-sample").glob("*.jpg"))
        self._paths = {"fit": names[::2], "test": names[1::2]}
        self.network = networks.EfficientNetLite0()

    def labels(self, half: Half) -> list[int]:
        return [int(path.name[:3]) for path in self._paths[half]]

    def images(self, half: Half, start: int, stop: int) -> NDArray[np.uint8]:
        return np.stack([_centre(path) for path in self._paths[half][start:stop]])


class _Cifar(_ImageTask):
    def __init__(self, data: Path) -> None:
        with reading(data / "cifar10.npz") as path, np.load(path) as stored:
            parts = {"fit": "train", "test": "test"}
            self._images: dict[str, NDArray[np.uint8]] = {half: stored[f"{part}_x"] for half, part in parts.items()}
            self._labels: dict[str, list[int]] = {half: stored[f"{part}_y"].tolist() for half, part in parts.items()}

    def labels(self, half: Half) -> list[int]:
        return self._labels[half]

    def images(self, half: Half, start: int, stop: int) -> NDArray[np.uint8]:
        return self._images[half][start:stop]


class Cifar10ByResNet(_Cifar):
    """CIFAR-10 and ResNet-56."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        with reading(data / "weights" / "cifar10_resnet56.pt") as path:
            self.network = networks.CifarResNet(path)


class Cifar10ByViT(_Cifar):
    """CIFAR-10 and a small vision transformer."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        with reading(data / "weights" / "cifar10_vit.safetensors") as path:
            self.network = networks.CifarViT(path)


class NewsTopics:
    """AG News and MiniLM: the mean of the last hidden states, and a linear head that is fitted on the fit half."""

    def __init__(self, data: Path) -> None:
        labels, texts = news(data)
        self._texts = {"fit": texts[:FIT_TEXTS], "test": texts[FIT_TEXTS:]}
        self._labels = {"fit": labels[:FIT_TEXTS], "test": labels[FIT_TEXTS:]}
        self.network = networks.MiniLM()
        self._head: tuple[Tensor, Tensor] | None = None

    def labels(self, half: Half) -> list[int]:
        return self._labels[half]

    @torch.no_grad()
    def extract(self, half: Half, start: int, stop: int, taps: Sequence[str]) -> dict[str, list[Tensor]]:
        return self.network.extract(self._texts[half][start:stop], taps)

    def resume(self, features: Any, tap: str) -> Tensor:
        weight, bias = self._fitted_head()
        return HEAD_SCALE * (self.network.resume(features, tap) @ weight + bias)

    @torch.no_grad()
    def _fitted_head(self) -> tuple[Tensor, Tensor]:
        """Ridge regression from embeddings to one-hot topics."""
        if self._head is None:
            last = self.network.extract(self._texts["fit"][:HEAD_TEXTS], ["hidden6"])["hidden6"]
            x = torch.stack([self.network.resume(tokens[None], "hidden6")[0] for tokens in last]).double()
            y = torch.eye(TOPICS, dtype=torch.float64)[self._labels["fit"][:HEAD_TEXTS]]
            centre, mean = x.mean(0), y.mean(0)
            gram = (x - centre).T @ (x - centre) + RIDGE * torch.eye(x.shape[1], dtype=torch.float64)
            weight = torch.linalg.solve(gram, (x - centre).T @ (y - mean))
            self._head = weight.float(), (mean - centre @ weight).float()
        return self._head


class NewsContinued:
    """AG News and SmolLM2: windows of joined texts, and the next token at every fourth place of a window.

    Predictions are what unquantised features predict: right classes are not known.
    """

    def __init__(self, data: Path) -> None:
        texts = news(data)[1]
        self.network = SmolLM2()
        halves = {"fit": texts[:FIT_TEXTS], "test": texts[FIT_TEXTS:]}
        self._ids = {half: self.network.windows(part, WINDOW, WINDOWS) for half, part in halves.items()}

    def labels(self, half: Half) -> list[int]:
        return [-1] * len(self._ids[half])

    def extract(self, half: Half, start: int, stop: int, taps: Sequence[str]) -> dict[str, Tensor]:
        ids = self._ids[half]
        starts = range(start, min(stop, len(ids)), WINDOWS_TOGETHER)
        parts = [self.network.extract(ids[first : min(first + WINDOWS_TOGETHER, stop)], taps) for first in starts]
        return {tap: torch.cat([part[tap] for part in parts]) for tap in taps}

    def resume(self, features: Any, tap: str) -> Tensor:
        """Scores ``[B, 64, 49152]``."""
        return self.network.scores(self.network.final_states(features, tap)[:, PREDICTED - 1 :: PREDICTED])


def news(data: Path) -> tuple[list[int], list[str]]:
    """Topics from 0 on, and texts, of the data folder's AG News.

    Raises:
        InputError, StorageError: as :func:`reading`.
    """
    with reading(data / "agnews.csv") as path, path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
        return [int(row[0]) - 1 for row in rows], [f"{row[1]}. {row[2]}" for row in rows]


@contextmanager
def reading(path: Path) -> Iterator[Path]:
    """A file of the data folder, whose faults are told by its name.

    Raises:
        StorageError: if it is missing.
        InputError: if it is not what it should be.
    """
    remedy = "docs/evaluate.md says what the data folder holds"
    if not path.is_file():
        raise StorageError("is missing", file=str(path), remedy=remedy)
    try:
        yield path
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, csv.Error) as err:
        raise InputError(f"cannot be read: {err}", file=str(path), remedy=remedy) from err


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise StorageError("is missing", file=str(path), remedy="docs/evaluate.md says what the data folder holds")
    return path


def _centre(path: Path) -> NDArray[np.uint8]:
    from PIL import Image

    with reading(path), Image.open(path) as image:
        left, top = (image.width - CROP) // 2, (image.height - CROP) // 2
        return np.asarray(image.convert("RGB").crop((left, top, left + CROP, top + CROP)))
