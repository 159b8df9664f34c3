"""One method on one tap with the halves of the data in their parts: one is tested, the other fits."""

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
from .feature_file import Stored
from .methods import (
    Codec,
    Method,
)
from .point_store import Point
from .sweep import Setting
from .task_data import (
    TaskData,
    file_name,
)
from .worker import (
    Coded,
    Job,
)

__all__ = ["Coder", "Turn", "point_of"]

OTHER: dict[Half, Half] = {"test": "fit", "fit": "test"}


class Coder(Protocol):
    """What a turn needs of its run."""

    work: Path

    def code(self, job: Job) -> Coded:
        """Code in a process of its own."""
        ...

    def advance(self, text: str, weight: float, stored: bool = False) -> None:
        """Tell what was done or is stored from before, and how many seconds of work that was about."""
        ...


class Turn:
    """One method on the features of one half.

    Args:
        coder: codes.
        data: of the task.
        tap, method: what is coded, and how.
        scratch: folder for what comes back.
        tested: the half that is coded; the other one fits profiles and calibrates rivals.
    """

    def __init__(self, coder: Coder, data: TaskData, tap: str, method: Method, scratch: Path, tested: Half) -> None:
        self.coder, self.data, self.tap, self.method, self.scratch = coder, data, tap, method, scratch
        self.tested, self.fitting = tested, OTHER[tested]
        self.path = data.features(tap, tested)
        self.stored = Stored.load(self.path)
        self.reference = data.reference(tap, tested)
        self.labels = data.labels(tested)

    @property
    def fitted(self) -> bool:
        """Whether the other half is of any use to the method."""
        return self.method.fitted != "none" if isinstance(self.method, Codec) else self.method.calibrated

    @cached_property
    def energy(self) -> float:
        """Sum of the squares of all values."""
        return sum(float(np.square(part, dtype=np.float64).sum()) for part in self.stored.arrays)

    def code(self, setting: Setting) -> tuple[Coded, NDArray[np.int64]]:
        """What a setting costs, and the predictions ``[B]`` from what comes back."""
        decoded = self.scratch / f"{threading.get_ident()}.npy"
        coded = self.coder.code(self._job(setting, decoded))
        return coded, self.data.predict(self.tap, Stored.load(decoded))

    def _job(self, setting: Setting, decoded: Path) -> Job:
        features, back = str(self.path), str(decoded)
        if isinstance(self.method, Codec):
            options = {
                **(self.method.options_for(self.data.task.id) or {}),
                **self.method.told(self.data.taps[self.tap]),
            }
            options["layout"] = self.method.layouts.get(self.stored.layout, self.stored.layout)
            profile = None if self.method.fitted == "none" else str(self._profile(self.method.fitted == "task"))
            return Job(features, back, None, setting, options, profile=profile)
        calibration = str(self.data.features(self.tap, self.fitting)) if self.method.calibrated else None
        return Job(features, back, self.method.key, setting, {}, calibration=calibration)

    def _profile(self, task_aware: bool) -> Path:
        """Fitted on the other half, once."""
        kind = "task" if task_aware else "statistics"
        fit = self.data.features(self.tap, self.fitting)
        stored = Stored.load(fit)
        name = f"{file_name(self.tap)}.{kind}.{stored.digest()}.caufp"
        path = self.coder.work / "profiles" / file_name(self.data.task.id) / name
        if not path.exists():
            what = f"{self.data.task.id} {self.tap}: fitting a profile"
            resume = self.data.rest(self.tap) if task_aware else None
            data = fit_profile(
                stored.samples,
                layout=stored.layout,
                resume=resume,
                outputs="logits",
                told=lambda text: self.coder.advance(f"{what}, {text}", 0.0),
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".part").write_bytes(data)
            path.with_suffix(".part").replace(path)
        return path


def point_of(setting: Setting, turns: Sequence[Turn]) -> Point:
    """A setting on all turns, as one point: bytes, errors and predictions of all samples together."""
    found = [turn.code(setting) for turn in turns]
    coded = [each for each, _ in found]
    numel, size = (sum(getattr(turn.stored, name) for turn in turns) for name in ("numel", "nbytes"))
    bytes_out = sum(each.bytes for each in coded)
    return Point(
        setting=dict(setting),
        bytes=bytes_out,
        bpfp=8 * bytes_out / numel,
        snr_db=_snr_db(turns, coded),
        encode_mb_s=size / 1e6 / sum(each.encode_seconds for each in coded),
        decode_mb_s=size / 1e6 / sum(each.decode_seconds for each in coded),
        encode_mib=max(each.encode_mib for each in coded),
        decode_mib=max(each.decode_mib for each in coded),
        variant=coded[0].method,
        top1=[int(number) for _, top1 in found for number in top1],
    )


def _snr_db(turns: Sequence[Turn], coded: Sequence[Coded]) -> float | None:
    """Of all turns; None if nothing was lost in any."""
    errors = [0.0 if c.snr_db is None else t.energy / 10 ** (c.snr_db / 10) for t, c in zip(turns, coded, strict=True)]
    energy, error = sum(turn.energy for turn in turns), sum(errors)
    return 10 * math.log10(energy / error) if error > 0 and energy > 0 else None
