"""A fold: one method on one tap with one half of the data tested, and the other half to fit on."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..descriptors import Half
from ..fit.profile import fit_profile
from .feature_file import FeatureFile
from .methods import CodecMethod, Method
from .point_store import Point
from .sweep import Setting
from .task_data import TaskData, file_name
from .worker import CodingJob, CodingResult

__all__ = ["Fold", "Runner", "measure_point"]

OTHER: dict[Half, Half] = {"test": "fit", "fit": "test"}


class Runner(Protocol):
    """The run that a fold is part of, as it sees it: a work folder, processes that code, and progress."""

    work: Path

    def code(self, job: CodingJob) -> CodingResult:
        """Code in a process of its own."""
        ...

    def advance(self, what: str, seconds: float, *, stored: bool = False) -> None:
        """Report what was done and about how many seconds of work that was; stored work was done by an earlier run."""
        ...


class Fold:
    """One method on the features of one half.

    Args:
        runner: the run, which codes.
        data: the task's.
        tap, method: what is coded, and how.
        scratch: folder for decoded features.
        tested: the half that is coded; the other one fits profiles and calibrates rivals.
    """

    def __init__(self, runner: Runner, data: TaskData, tap: str, method: Method, scratch: Path, tested: Half) -> None:
        self.runner, self.data, self.tap, self.method, self.scratch = runner, data, tap, method, scratch
        self.tested, self.fitting = tested, OTHER[tested]
        self.path = data.features(tap, tested)
        self.features = FeatureFile.load(self.path)
        self.reference = data.reference(tap, tested)
        self.labels = data.labels(tested)

    @property
    def fitted(self) -> bool:
        """Whether the method makes use of the other half."""
        return self.method.fitted != "none" if isinstance(self.method, CodecMethod) else self.method.calibrated

    @cached_property
    def energy(self) -> float:
        """Sum of the squares of all values."""
        return sum(float(np.square(part, dtype=np.float64).sum()) for part in self.features.arrays)

    def code(self, setting: Setting) -> tuple[CodingResult, NDArray[np.int64]]:
        """The result of coding at a setting, and the predictions from the decoded features."""
        decoded = self.scratch / f"{threading.get_ident()}.npy"
        result = self.runner.code(self._job(setting, decoded))
        return result, self.data.predict(self.tap, FeatureFile.load(decoded))

    def _job(self, setting: Setting, decoded: Path) -> CodingJob:
        method, features, back = self.method, str(self.path), str(decoded)
        if isinstance(method, CodecMethod):
            options = {
                **(method.options_for_task(self.data.task.id) or {}),
                **method.options_for_tap(self.data.taps[self.tap]),
            }
            options["layout"] = method.layouts.get(self.features.layout, self.features.layout)
            profile = None if method.fitted == "none" else str(self._profile(method.fitted == "task"))
            return CodingJob(features, back, None, setting, options, profile=profile)
        calibration = str(self.data.features(self.tap, self.fitting)) if method.calibrated else None
        return CodingJob(features, back, method.key, setting, {}, calibration=calibration)

    def _profile(self, task_aware: bool) -> Path:
        """The file of a profile fitted on the other half, made once."""
        kind = "task" if task_aware else "statistics"
        features = FeatureFile.load(self.data.features(self.tap, self.fitting))
        name = f"{file_name(self.tap)}.{kind}.{features.digest()}.caufp"
        path = self.runner.work / "profiles" / file_name(self.data.task.id) / name
        if not path.exists():
            label = f"{self.data.task.id} {self.tap}: fitting a profile"
            profile = fit_profile(
                features.samples,
                layout=features.layout,
                resume=self.data.resume_of(self.tap) if task_aware else None,
                outputs="logits",
                progress=lambda what, *_: self.runner.advance(f"{label}, {what}", 0.0),
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".part").write_bytes(profile)
            path.with_suffix(".part").replace(path)
        return path


def measure_point(setting: Setting, folds: Sequence[Fold]) -> Point:
    """One point from all folds at a setting: bytes, errors and predictions of all samples together."""
    found = [fold.code(setting) for fold in folds]
    results = [result for result, _ in found]
    numel = sum(fold.features.numel for fold in folds)
    megabytes = sum(fold.features.nbytes for fold in folds) / 1e6
    bytes_out = sum(result.bytes for result in results)
    return Point(
        setting=dict(setting),
        bytes=bytes_out,
        bpfp=8 * bytes_out / numel,
        snr_db=_snr_db(folds, results),
        encode_mb_s=megabytes / sum(result.encode_seconds for result in results),
        decode_mb_s=megabytes / sum(result.decode_seconds for result in results),
        encode_mib=max(result.encode_mib for result in results),
        decode_mib=max(result.decode_mib for result in results),
        variant=results[0].variant,
        top1=np.concatenate([top1 for _, top1 in found]).tolist(),
    )


def _snr_db(folds: Sequence[Fold], results: Sequence[CodingResult]) -> float | None:
    """Signal-to-noise ratio over all folds; None if nothing was lost in any."""
    pairs = zip(folds, results, strict=True)
    errors = [0.0 if r.snr_db is None else fold.energy / 10 ** (r.snr_db / 10) for fold, r in pairs]
    energy, error = sum(fold.energy for fold in folds), sum(errors)
    return 10 * math.log10(energy / error) if error > 0 and energy > 0 else None
