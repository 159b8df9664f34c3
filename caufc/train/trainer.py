"""The training loop of the learned codec: seeded, with checkpoints that it can go on from."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import ForeignFormatError, InputError, StorageError
from ..types import Progress
from .model import ModelShape, ScaleHyperprior
from .planes import Plane, crops

__all__ = ["Schedule", "Trainer"]

FIRST_RATE, LAST_RATE = 6e-4, 1e-5
WARM_UP = 200
LARGEST_GRADIENT = 1.0
"""Learning rates, steps until the first is reached, and the norm that gradients are clipped to; chosen by hand.
tools/results/training.md has the losses that they lead to."""

SMALL_CROP, LARGE_CROP = 1 << 13, 1 << 15
LARGE_FROM, LARGE_SHARE = 0.6, 0.4
"""From this share of the steps on, crops are four times as large and so much fewer: borders matter less then.
Chosen by hand."""

ROUNDED_FROM = 0.4
"""From this share of the steps on, latents are rounded; before, noise stands for that. Chosen by hand."""

LOGGED = 100
"""Steps between two entries of the log."""

SAVED_SECONDS = 60.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True)
class Schedule:
    """The schedule of a training.

    Args:
        steps: of the optimiser.
        batch: crops per step.
        seed: of weights, crops and noise.
    """

    steps: int
    batch: int = 5
    seed: int = 0

    def learning_rate(self, step: int) -> float:
        """The learning rate at a step: warm-up, then half a cosine (Loshchilov and Hutter 2017)."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return min(1.0, (step + 1) / WARM_UP) * (LAST_RATE + (FIRST_RATE - LAST_RATE) * cosine)

    def rounded(self, step: int) -> bool:
        """Whether latents are rounded at a step."""
        return step >= ROUNDED_FROM * self.steps

    def crops(self, step: int) -> tuple[int, int]:
        """The number of crops of a step, and the values of each."""
        if step < LARGE_FROM * self.steps:
            return self.batch, SMALL_CROP
        return max(1, round(self.batch * LARGE_SHARE)), LARGE_CROP


class Trainer:
    """The training of one model.

    Args:
        planes: to train on.
        shape: of the model.
        schedule: steps, batch and seed.
        device: ``cpu``, ``cuda`` and so on.
    """

    def __init__(self, planes: Sequence[Plane], shape: ModelShape, schedule: Schedule, device: str) -> None:
        self.planes, self.schedule, self.device = planes, schedule, torch.device(device)
        torch.manual_seed(schedule.seed)
        self.random = np.random.default_rng(schedule.seed)
        self.model = ScaleHyperprior(shape).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), FIRST_RATE)
        self.step = 0
        self.seconds = 0.0
        self.curve: list[dict[str, Any]] = []
        self._sums: list[tuple[float, Any, Any]] = []

    def train(self, checkpoint: Path | None, progress: Progress) -> None:
        """Train to the end of the schedule.

        Args:
            checkpoint: is written about once a minute and at the end.
            progress: called with the step and the last loss, how many steps are done, and how many there are.
        """
        self.model.train()
        saved = started = time.monotonic()
        before = self.seconds
        while self.step < self.schedule.steps:
            self._step()
            now = time.monotonic()
            self.seconds = before + now - started
            progress(self._label(), self.step, self.schedule.steps)
            if checkpoint is not None and (now - saved > SAVED_SECONDS or self.step == self.schedule.steps):
                self.save(checkpoint)
                saved = now

    def _step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.learning_rate(self.step)
        count, values = self.schedule.crops(self.step)
        batch = torch.from_numpy(crops(self.planes, count, values, self.random)).to(self.device)
        rates = len(self.model.shape.lambdas)
        order = self.random.permutation(max(rates, count))[:count] % rates
        loss = self.model.loss(batch, torch.from_numpy(order).to(self.device), rounded=self.schedule.rounded(self.step))
        self.optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.step += 1
        self._sums.append((float(loss.total.detach()), loss.bpfp.cpu().numpy(), loss.error.cpu().numpy()))
        if self.step % LOGGED == 0:
            self._log()

    def _log(self) -> None:
        """Enter the means of the last steps, per rate, in the curve."""
        totals, bits, errors = zip(*self._sums, strict=True)
        self._sums = []
        self.curve.append(
            {
                "step": self.step,
                "seconds": round(self.seconds, 1),
                "loss": float(np.mean(totals)),
                "bpfp": np.nanmean(bits, axis=0).round(5).tolist(),
                "mse": [float(f"{e:.4g}") for e in np.nanmean(errors, axis=0)],
            }
        )

    def _label(self) -> str:
        loss = f", loss {self.curve[-1]['loss']:.3f}" if self.curve else ""
        return f"train, step {self.step:,} of {self.schedule.steps:,}{loss}"

    def save(self, path: Path) -> None:
        """Write a checkpoint; the file is replaced whole.

        Raises:
            StorageError: if that cannot be done.
        """
        state = {
            "shape": self.model.shape.to_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "torch": torch.get_rng_state(),
            "numpy": json.dumps(self.random.bit_generator.state),
            "step": self.step,
            "schedule": [self.schedule.steps, self.schedule.batch, self.schedule.seed],
            "seconds": self.seconds,
            "curve": json.dumps(self.curve),
        }
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            torch.save(state, partial)
            partial.replace(path)
        except OSError as err:
            partial.unlink(missing_ok=True)
            raise StorageError(err.strerror or str(err), file=str(path)) from err

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            ForeignFormatError: if it is none.
            InputError: if it was made with another shape or schedule.
        """
        state = load_checkpoint(path, self.device)
        schedule = [self.schedule.steps, self.schedule.batch, self.schedule.seed]
        if state["schedule"] != schedule or state["shape"] != self.model.shape.to_dict():
            raise InputError(
                "the checkpoint is of a training with other options",
                file=str(path),
                remedy="give the same options, or remove it to start again",
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch"].cpu())
        self.random.bit_generator.state = json.loads(state["numpy"])
        self.step, self.seconds, self.curve = state["step"], state["seconds"], json.loads(state["curve"])


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """The state that a checkpoint holds.

    Raises:
        ForeignFormatError: if it is none.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        if state.keys() >= {"shape", "model", "optimizer", "schedule", "step", "curve"}:
            return state
    except Exception as err:
        raise ForeignFormatError("not a checkpoint of a training", file=str(path)) from err
    raise ForeignFormatError("not a checkpoint of a training", file=str(path))
