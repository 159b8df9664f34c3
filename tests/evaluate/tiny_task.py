"""A plugin with a task: maps of three classes, and a network that pools and projects them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from caufc import InputError, Tap, Task, hookimpl

CLASSES, CHANNELS, COUNT = 3, 8, 40


class Tiny:
    """Class means plus noise; every sample of the fit half has its like in the test half."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.means = generator.standard_normal((CLASSES, CHANNELS, 1, 1))
        self.maps = {}
        for half in ("fit", "test"):
            noise = generator.standard_normal((COUNT, CHANNELS, 4, 4))
            self.maps[half] = (self.means[np.arange(COUNT) % CLASSES] + 0.7 * noise).astype(np.float32)
        self.project = torch.tensor(self.means[:, :, 0, 0].T, dtype=torch.float32)

    def labels(self, half: str) -> list[int]:  # noqa: ARG002
        return [number % CLASSES for number in range(COUNT)]

    def extract(self, half: str, start: int, stop: int, taps: Sequence[str]) -> dict[str, Any]:
        return dict.fromkeys(taps, self.maps[half][start:stop])

    def resume(self, features: Any, tap: str) -> Any:  # noqa: ARG002
        return features.mean((2, 3)) @ self.project


class TinyText(Tiny):
    """The same network read at every position: 16 predictions a sample."""

    def resume(self, features: Any, tap: str) -> Any:  # noqa: ARG002
        return features.flatten(2).transpose(1, 2) @ self.project


def _broken(_data: object) -> Tiny:
    raise InputError("no network here")


@hookimpl
def caufc_tasks() -> list[Task]:
    tap = Tap("middle", "b c h w", CHANNELS)
    return [
        Task("tiny/maps", [tap], lambda _: Tiny()),
        Task("tiny/text", [tap], lambda _: TinyText()),
        Task("tiny/broken", [tap], _broken),
    ]
