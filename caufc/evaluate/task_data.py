"""The data of a task: features, labels and predictions, kept in files so that a stopped run finds them again."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..descriptors import Half, Tap, Task, TaskRuntime
from ..errors import InputError, NonFiniteError
from ..fit.network_tail import NetworkTail
from ..types import Progress, no_progress
from .feature_file import FeatureFile

__all__ = ["TaskData", "file_name"]

BATCH_SAMPLES = 50
"""Samples that are extracted at a time, so that a batch fits small memories; chosen by hand."""


def file_name(name: str) -> str:
    """A name with only what a path may hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)


class TaskData:
    """The features, labels and predictions of a task; its network is loaded when it is first used.

    Args:
        task: its descriptor.
        taps: those that are measured.
        load: loads the task's runtime.
        folder: where features are kept.
        samples: of the test half at most; None for all.
        fit_samples: of the fit half at most.
        origin: where the features come from; those of another origin are extracted anew.
        tested: the halves that are coded, one after the other; the other one fits.
    """

    def __init__(
        self,
        task: Task,
        taps: Sequence[Tap],
        load: Callable[[], TaskRuntime],
        folder: Path,
        samples: int | None,
        fit_samples: int,
        origin: str,
        tested: Sequence[Half] = ("test",),
    ) -> None:
        self.task, self.taps, self.folder, self.origin = task, {tap.name: tap for tap in taps}, folder, origin
        self._load, self.tested = load, tested
        self._limits: dict[Half, int | None] = {"fit": fit_samples, "test": samples}
        self._runtime: TaskRuntime | None = None
        self._lock = threading.RLock()

    @property
    def runtime(self) -> TaskRuntime:
        """The task's network and data, loaded."""
        with self._lock:
            if self._runtime is None:
                self._runtime = self._load()
            return self._runtime

    def count(self, half: Half) -> int:
        """How many samples of a half are used."""
        there, limit = len(self.runtime.labels(half)), self._limits[half]
        return there if limit is None else min(there, limit)

    def labels(self, half: Half) -> NDArray[np.int64]:
        """Right classes ``[B]``; -1 where they are not known."""
        return np.asarray(self.runtime.labels(half)[: self.count(half)], np.int64)

    def features(self, tap: str, half: Half, progress: Progress = no_progress) -> Path:
        """The path of a tap's :class:`FeatureFile`; all taps are extracted at once, the first time."""
        with self._lock:
            if not self._extracted(half):
                self._extract(half, progress)
            return self._path(tap, half)

    def resume_of(self, tap: str) -> Callable[[Any], Any]:
        """The network behind a tap as a function: features ``[B, ...]`` to scores."""

        def resume(features: Any) -> Any:
            with self._lock:
                return self.runtime.resume(features, tap)

        return resume

    def predict(self, tap: str, features: FeatureFile) -> NDArray[np.int64]:
        """The top-1 classes ``[B]``, or ``[B, T]`` of a network that predicts T of them, from features."""
        with self._lock:
            classes = NetworkTail(self.resume_of(tap), "logits").classes(list(features.samples))
        return np.stack(classes).astype(np.int64)

    def reference(self, tap: str, half: Half = "test") -> NDArray[np.int64]:
        """Top-1 classes as :meth:`predict` gives them, from unquantised features of a half, kept in a file."""
        path = self._path(tap, half).with_suffix(".top1.npy")
        features = self.features(tap, half)
        with self._lock:
            if not path.exists():
                np.save(path, self.predict(tap, FeatureFile.load(features)))
            found: NDArray[np.int64] = np.load(path)
        return found

    def _path(self, tap: str, half: Half) -> Path:
        return self.folder / file_name(self.task.id) / f"{file_name(tap)}.{half}.npy"

    def _facts(self, half: Half) -> dict[str, Any]:
        return {"task": self.task.id, "origin": self.origin, "samples": self.count(half), "taps": sorted(self.taps)}

    def _extracted(self, half: Half) -> bool:
        kept = self._path("taps", half).with_suffix(".json")
        if not kept.exists():
            return False
        facts, wanted = json.loads(kept.read_text("utf-8")), self._facts(half)
        same = all(facts[key] == wanted[key] for key in ("task", "origin", "samples"))
        return same and set(wanted["taps"]) <= set(facts["taps"])

    def _extract(self, half: Half, progress: Progress) -> None:
        count, names = self.count(half), list(self.taps)
        if not count:
            raise InputError(f"'{self.task.id}' has no samples in its {half} half")
        parts: dict[str, list[Any]] = {name: [] for name in names}
        for start in range(0, count, BATCH_SAMPLES):
            progress(f"{self.task.id}: features of the {half} half", start, count)
            stop = min(start + BATCH_SAMPLES, count)
            for name, features in self.runtime.extract(half, start, stop, names).items():
                parts[name] += list(features)
        for name in names:
            features_of_tap = FeatureFile.of(parts.pop(name), self.taps[name].layout)
            if not all(bool(np.isfinite(part).all()) for part in features_of_tap.arrays):
                raise NonFiniteError(f"features of '{self.task.id}' hold NaN or Inf", tensor=name)
            path = self._path(name, half)
            features_of_tap.save(path)
            path.with_suffix(".top1.npy").unlink(missing_ok=True)
        self._path("taps", half).with_suffix(".json").write_text(json.dumps(self._facts(half)) + "\n", "utf-8")
