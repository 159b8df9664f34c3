"""The curve of one method on one tap: points of its sweep, and more where the curve needs them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import CaufError
from .fold import Fold, Runner, measure_point
from .methods import CodecMethod, Method, setting_text
from .point_store import Point, PointStore
from .pool import StoppedError
from .sweep import Setting
from .task_data import TaskData, file_name

__all__ = ["CurveRun", "MeasuredCurve"]

MARK = 0.99
"""Agreement around which points lie closest: the first of those that reports compare rates at."""

LOW_MARK = 0.95
"""Curves go on downwards until agreement is below: the other of those."""

MOST_BEYOND = 4
"""Points beyond either end of the sweep at most; chosen by hand."""

MIDPOINTS = 3
"""Points between the two settings around the mark, each of which halves the step there. Chosen by hand: with three,
sizes around the mark lie 2 to 6 % apart on most taps of tools/results/paper.json."""


@dataclass(frozen=True)
class MeasuredCurve:
    """The curve of one method on one tap, as measured.

    Args:
        task, tap: where the features come from.
        layout: of the features.
        method: what coded them.
        samples, numel: how many samples and values there are.
        labels: the right class of every sample ``[B]``, -1 where it is not known.
        reference: predictions from unquantised features ``[B]``, or ``[B, T]``.
        points: by ascending BPFP; of points of one size, the first.
        failures: what could not be coded: setting -> reason.
    """

    task: str
    tap: str
    layout: str
    method: Method
    samples: int
    numel: int
    labels: NDArray[np.int64]
    reference: NDArray[np.int64]
    points: tuple[Point, ...]
    failures: dict[str, str]


class CurveRun:
    """The measuring of one curve.

    Args:
        runner: the run that it is part of.
        data: the task's.
        tap, method: what is coded, and how.
        scratch: folder for decoded features.
        step: about how many seconds a point takes.
    """

    def __init__(self, runner: Runner, data: TaskData, tap: str, method: Method, scratch: Path, step: float) -> None:
        self.runner, self.data, self.tap, self.method, self.step = runner, data, tap, method, step
        self.advanced = 0.0
        self.folds = [Fold(runner, data, tap, method, scratch, half) for half in data.tested]
        self.layout = self.folds[0].features.layout
        self.reference = np.concatenate([fold.reference for fold in self.folds])
        place = runner.work / "points" / file_name(data.task.id) / file_name(tap) / f"{method.key}.json"
        self.store = PointStore(place, self._fingerprint())
        self.points: list[Point] = []
        self.failures: dict[str, str] = {}

    def measure(self) -> MeasuredCurve:
        """The curve, with all its points."""
        for setting in self.method.sweep.settings():
            self._point(setting)
        self._extend()
        self._refine()
        return MeasuredCurve(
            task=self.data.task.id,
            tap=self.tap,
            layout=self.layout,
            method=self.method,
            samples=len(self.reference),
            numel=sum(fold.features.numel for fold in self.folds),
            labels=np.concatenate([fold.labels for fold in self.folds]),
            reference=self.reference,
            points=tuple(self._by_rate()),
            failures=self.failures,
        )

    def _by_rate(self) -> list[Point]:
        unique = {point.bytes: point for point in reversed(self.points)}
        return [unique[size] for size in sorted(unique)]

    def _agreement(self, point: Point) -> float:
        return float(point.agrees(self.reference).mean())

    def _extend(self) -> None:
        """Measure points below the sweep while predictions stand, and above it while they do not."""
        for _ in range(MOST_BEYOND):
            found = self._by_rate()
            if len(found) < 2 or self._agreement(found[0]) < LOW_MARK:
                break
            below = self.method.sweep.below(found[0].setting) or self._smaller(found[0])
            if below is None or self._point(below) is None:
                break
        for _ in range(MOST_BEYOND):
            found = self._by_rate()
            if len(found) < 2 or self._agreement(found[-1]) >= MARK:
                break
            above = self.method.sweep.above(found[-1].setting)
            if above is None or self._point(above) is None:
                break

    def _smaller(self, lowest: Point) -> Setting | None:
        """Half the rate, for a codec that meets any, where quality has come to its end."""
        free = isinstance(self.method, CodecMethod) and not self.method.weighted
        return {"bpfp": lowest.bpfp / 2} if free else None

    def _refine(self) -> None:
        """Measure points in the middle of the two between which agreement reaches the mark."""
        for _ in range(MIDPOINTS):
            found = self._by_rate()
            below = [number for number, point in enumerate(found) if self._agreement(point) < MARK]
            if not below or below[-1] + 1 == len(found):
                return
            middle = self.method.sweep.between(found[below[-1]].setting, found[below[-1] + 1].setting)
            if middle is None or self._point(middle) is None:
                return

    def _point(self, setting: Setting) -> Point | None:
        """The point of a setting, from the store or measured; None if it cannot be coded."""
        point, reason = self.store.get(setting), self.store.failure(setting)
        stored = point is not None or reason is not None
        if not stored:
            try:
                point = measure_point(setting, self.folds)
                self.store.add(point)
            except StoppedError:
                raise
            except CaufError as err:
                reason = err.message
                self.store.fail(setting, reason)
        self._report(setting, point, reason, stored=stored)
        if point is None:
            self.failures[setting_text(setting)] = reason or ""
            return None
        self.points.append(point)
        return point

    def _report(self, setting: Setting, point: Point | None, reason: str | None, *, stored: bool) -> None:
        name = f"{self.data.task.id} {self.tap} {self.method.key} {setting_text(setting)}"
        share = min(self.step, self.step * len(self.method.sweep.values) - self.advanced)
        self.advanced += share
        if point is None:
            self.runner.advance(f"{name}: {reason}", share, stored=stored)
            return
        what = f"{name}: {point.bpfp:.4f} BPFP, agreement {100 * self._agreement(point):.2f} %"
        self.runner.advance(what, share, stored=stored)

    def _fingerprint(self) -> dict[str, str]:
        """The facts that stored points depend on: features, method, options, versions, and what it is fitted on."""
        method = self.method
        if isinstance(method, CodecMethod):
            options = dict(sorted((method.options_for_task(self.data.task.id) or {}).items()))
            options |= method.options_for_tap(self.data.taps[self.tap])
            layout = method.layouts.get(self.layout, "")
            if "weights" in options:
                options["weights"] = hashlib.sha256(Path(options["weights"]).read_bytes()).hexdigest()[:16]
            made = f"caufc {_version('caufc')} {options} {method.fitted} {layout}".rstrip()
        else:
            made = f"{method.package} {_version(method.package)}" if method.package else f"caufc {_version('caufc')}"
        fit = ", ".join(f"{self.data.count(fold.fitting)} samples" if fold.fitted else "none" for fold in self.folds)
        features = ", ".join(fold.features.digest() for fold in self.folds)
        return {"features": features, "method": method.key, "made": made, "fit": fit}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "?"
