"""Extracts features of the networks that caufc is measured on: four of them, two taps each.

    python -m tools.measure.tap_features --data DIR --out DIR [--images 1000] [--texts 600]

writes per tap and half `NETWORK-TAP.HALF.npy` ([B, ...] fp32) or, for texts, `NETWORK-TAP.HALF.pt` (list of [T, 384]
fp32): `fit` is for whatever is trained or tuned, `test` for what is reported. docs/evaluate.md says what DIR holds.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from caufc import default_manager

BATCH = 50
HALVES: tuple[Literal["fit", "test"], ...] = ("fit", "test")
TEXT_NETWORK = "minilm"
TASKS = ("imagenet-sample/efficientnet_lite0", "cifar10/resnet56", "cifar10/vit", f"agnews/{TEXT_NETWORK}")


@dataclass(frozen=True)
class TapPoint:
    """A place in a network.

    Args:
        task: that runs the network.
        place: the tap's name in the network.
        layout: meaning of the axes of the features, in caufc's notation.
        reads: what the rest of the network reads of them.
    """

    task: str
    place: str
    layout: str
    reads: str

    @property
    def network(self) -> str:
        """The network's name."""
        return self.task.partition("/")[2]

    @property
    def name(self) -> str:
        """Unique, and good in file names."""
        return f"{self.network}-{self.place}"


def _points() -> list[TapPoint]:
    tasks = map(default_manager().find_task, TASKS)
    return [TapPoint(task.id, tap.name, tap.layout, tap.reads) for task in tasks for tap in task.taps]


TAPS = {tap.name: tap for tap in _points()}


def load_features(folder: Path, tap: str, half: str = "test") -> Any:
    """Features of a tap: a numpy array [B, ...], or a list of torch tensors [T, 384] for texts."""
    if TAPS[tap].network == TEXT_NETWORK:
        import torch

        return torch.load(folder / f"{tap}.{half}.pt", weights_only=True)
    return np.load(folder / f"{tap}.{half}.npy")


def extract(task: str, data: Path, out: Path, most: int) -> None:
    """Write features of all taps of a task, of so many samples of each half at most."""
    import torch

    runtime = default_manager().task_runtime(task, data)
    points = [tap for tap in TAPS.values() if tap.task == task]
    for half in HALVES:
        count = min(most, len(runtime.labels(half)))
        parts: dict[str, list[Any]] = {tap.place: [] for tap in points}
        for start in range(0, count, BATCH):
            found = runtime.extract(half, start, min(start + BATCH, count), list(parts))
            for place, features in found.items():
                parts[place] += list(features)
        for tap in points:
            samples = [torch.as_tensor(sample).clone() for sample in parts[tap.place]]
            if tap.network == TEXT_NETWORK:
                torch.save(samples, out / f"{tap.name}.{half}.pt")
            else:
                np.save(out / f"{tap.name}.{half}.npy", torch.stack(samples).numpy())
            print(f"{tap.name}.{half}: {count:,} samples", file=sys.stderr)


def main() -> None:
    """Extract all taps."""
    parser = argparse.ArgumentParser(description="Extract features of the networks that caufc is measured on.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the features")
    parser.add_argument("--images", type=int, default=1000, help="images a half at most")
    parser.add_argument("--texts", type=int, default=600, help="texts a half at most")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        started = time.perf_counter()
        most = options.texts if task.endswith(TEXT_NETWORK) else options.images
        extract(task, options.data.resolve(), options.out, most)
        print(f"{task}: {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
