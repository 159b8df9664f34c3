"""Runs an evaluation: every method on every tap, and more points where the curve needs them."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import CaufError
from ..fit import fit_profile
from .axis import Setting
from .children import Children, StoppedError
from .methods import Codec, Method, setting_text
from .points import Point, PointStore
from .stored import Stored
from .taskdata import TaskData, file_name
from .worker import Coded, Job

__all__ = ["Lane", "Run", "Told"]

MARK = 0.99
"""Agreement around which points lie closest."""

LOW_MARK = 0.95
"""Curves go on downwards until agreement is below."""

MOST_BEYOND = 4
MIDPOINTS = 2
OVERHEAD_SECONDS = 3.0
"""Of a point, beside its values: a process, and the rest of the network."""

Told = Callable[[str, float], None]
"""Called with what was done or is being done, and the share of all work that is done, 0 to 1."""


@dataclass(frozen=True)
class Lane:
    """One method on one tap, as measured.

    Args:
        task, tap: where.
        layout: of the features.
        method: its descriptor.
        samples, numel: of the features.
        labels, reference: right classes and predictions from unquantised features ``[B]``.
        points: by BPFP; of points of one size, the first.
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


class Run:
    """An evaluation.

    Args:
        tasks: their data.
        methods: what is measured.
        work: folder for features, profiles and points.
        jobs: points that are measured side by side, a core each.
        told: progress.
    """

    def __init__(
        self,
        tasks: Sequence[TaskData],
        methods: Sequence[Method],
        work: Path,
        jobs: int = 1,
        told: Told = lambda text, share: None,
    ) -> None:
        self.tasks, self.methods, self.work, self.jobs, self.told = tasks, methods, work, jobs, told
        self._children, self._lock = Children(), threading.Lock()
        self._done = self._all = 0.0
        self.skipped: dict[str, str] = {}

    def measure(self) -> list[Lane]:
        """Measure what is not there yet.

        Raises:
            CaufError: for a task that cannot be run; points that cannot be coded are failures of their lane.
        """
        plan = [(data, tap, method) for data in self.tasks for tap in data.taps for method in self._methods_of(data)]
        weights = {(data.task.id, tap, method.key): self._weight(data, tap, method) for data, tap, method in plan}
        self._all = sum(weights.values())
        with tempfile.TemporaryDirectory(dir=self.work) as scratch, ThreadPoolExecutor(self.jobs) as pool:
            futures = [
                pool.submit(self._lane, *job, Path(scratch), weights[job[0].task.id, job[1], job[2].key])
                for job in plan
            ]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                for future in futures:
                    if future.done():
                        future.result()
            except BaseException:
                self._children.stop()
                pool.shutdown(cancel_futures=True)
                raise
            return [future.result() for future in futures]

    def _methods_of(self, data: TaskData) -> list[Method]:
        found = []
        for method in self.methods:
            if isinstance(method, Codec) and method.options_for(data.task.id) is None:
                self.skipped[f"{method.key} on {data.task.id}"] = "there are no weights for it"
            else:
                found.append(method)
        return found

    def _weight(self, data: TaskData, tap: str, method: Method) -> float:
        """About how many seconds a lane takes; features are extracted on the way."""
        path = data.features(tap, "test", lambda text, share: self.told(text, 0.0))
        data.reference(tap)
        mb = path.stat().st_size / 1e6
        return len(method.axis.values) * (method.cost * mb + OVERHEAD_SECONDS)

    def _lane(self, data: TaskData, tap: str, method: Method, scratch: Path, weight: float) -> Lane:
        lane = _LaneRun(self, data, tap, method, scratch, weight / len(method.axis.values))
        found = lane.measure()
        self.advance(f"{data.task.id} {tap} {method.key}: done", weight - lane.advanced)
        return found

    def advance(self, text: str, weight: float) -> None:
        """Tell what was done."""
        with self._lock:
            self._done += weight
            self.told(text, min(self._done / self._all, 1.0) if self._all else 1.0)

    def code(self, job: Job) -> Coded:
        """Code in a process of its own."""
        return self._children.code(job)


class _LaneRun:
    """The work on one lane."""

    def __init__(self, run: Run, data: TaskData, tap: str, method: Method, scratch: Path, step: float) -> None:
        self.run, self.data, self.tap, self.method, self.scratch, self.step = run, data, tap, method, scratch, step
        self.advanced = 0.0
        self.path = data.features(tap, "test")
        self.stored = Stored.load(self.path)
        self.reference = data.reference(tap)
        place = run.work / "points" / file_name(data.task.id) / file_name(tap) / f"{method.key}.json"
        self.store = PointStore(place, self._fingerprint())
        self.points: list[Point] = []
        self.failures: dict[str, str] = {}

    def measure(self) -> Lane:
        """All points."""
        for setting in self.method.axis.settings():
            self._point(setting)
        self._extend()
        self._refine()
        data, stored = self.data, self.stored
        return Lane(
            task=data.task.id,
            tap=self.tap,
            layout=stored.layout,
            method=self.method,
            samples=len(self.reference),
            numel=stored.numel,
            labels=data.labels(),
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
        """More points below while predictions stand, and above while they do not."""
        for _ in range(MOST_BEYOND):
            found = self._by_rate()
            if len(found) < 2 or self._agreement(found[0]) < LOW_MARK:
                break
            below = self.method.axis.below(found[0].setting) or self._smaller(found[0])
            if below is None or self._point(below) is None:
                break
        for _ in range(MOST_BEYOND):
            found = self._by_rate()
            if len(found) < 2 or self._agreement(found[-1]) >= MARK:
                break
            above = self.method.axis.above(found[-1].setting)
            if above is None or self._point(above) is None:
                break

    def _smaller(self, lowest: Point) -> Setting | None:
        """Of caufc's own, half the rate, where quality has come to its end."""
        own = isinstance(self.method, Codec) and self.method.options.get("codec", "transform") == "transform"
        return {"bpfp": lowest.bpfp / 2} if own else None

    def _refine(self) -> None:
        """Points in the middle of the two between which agreement reaches the mark."""
        for _ in range(MIDPOINTS):
            found = self._by_rate()
            below = [number for number, point in enumerate(found) if self._agreement(point) < MARK]
            if not below or below[-1] + 1 == len(found):
                return
            middle = self.method.axis.between(found[below[-1]].setting, found[below[-1] + 1].setting)
            if middle is None or self._point(middle) is None:
                return

    def _point(self, setting: Setting) -> Point | None:
        """A point, from the store or measured; None if it cannot be."""
        point, reason = self.store.get(setting), self.store.failure(setting)
        if point is None and reason is None:
            try:
                point = self._measured(setting)
                self.store.add(point)
            except StoppedError:
                raise
            except CaufError as err:
                reason = err.message
                self.store.fail(setting, reason)
        self._tell(setting, point, reason)
        if point is None:
            self.failures[setting_text(setting)] = reason or ""
            return None
        self.points.append(point)
        return point

    def _tell(self, setting: Setting, point: Point | None, reason: str | None) -> None:
        name = f"{self.data.task.id} {self.tap} {self.method.key} {setting_text(setting)}"
        share = min(self.step, self.step * len(self.method.axis.values) - self.advanced)
        self.advanced += share
        if point is None:
            self.run.advance(f"{name}: {reason}", share)
            return
        self.run.advance(f"{name}: {point.bpfp:.4f} BPFP, agreement {100 * self._agreement(point):.2f} %", share)

    def _measured(self, setting: Setting) -> Point:
        decoded = self.scratch / f"{threading.get_ident()}.npy"
        coded = self.run.code(self._job(setting, decoded))
        top1 = self.data.predict(self.tap, Stored.load(decoded))
        size = self.stored.nbytes / 1e6
        return Point(
            setting=dict(setting),
            bytes=coded.bytes,
            bpfp=8 * coded.bytes / self.stored.numel,
            snr_db=coded.snr_db,
            encode_mb_s=size / coded.encode_seconds,
            decode_mb_s=size / coded.decode_seconds,
            encode_mib=coded.encode_mib,
            decode_mib=coded.decode_mib,
            variant=coded.method,
            top1=top1.tolist(),
        )

    def _job(self, setting: Setting, decoded: Path) -> Job:
        files = {"features": str(self.path), "decoded": str(decoded), "setting": setting}
        if isinstance(self.method, Codec):
            options = self.method.options_for(self.data.task.id) or {}
            profile = None if self.method.fitted == "none" else str(self._profile(self.method.fitted == "task"))
            return Job(**files, family=None, options=options, profile=profile)
        calibration = str(self.data.features(self.tap, "fit")) if self.method.calibrated else None
        return Job(**files, family=self.method.key, options={}, calibration=calibration)

    def _profile(self, task_aware: bool) -> Path:
        """Fitted on the fit half, once."""
        kind = "task" if task_aware else "statistics"
        fit = self.data.features(self.tap, "fit")
        stored = Stored.load(fit)
        name = f"{file_name(self.tap)}.{kind}.{stored.digest()}.caufp"
        path = self.run.work / "profiles" / file_name(self.data.task.id) / name
        if not path.exists():
            self.run.advance(f"{self.data.task.id} {self.tap}: fitting a profile", 0.0)
            resume = self.data.rest(self.tap) if task_aware else None
            data = fit_profile(stored.samples, layout=stored.layout, resume=resume, outputs="logits")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".part").write_bytes(data)
            path.with_suffix(".part").replace(path)
        return path

    def _fingerprint(self) -> dict[str, str]:
        method = self.method
        if isinstance(method, Codec):
            options = dict(sorted((method.options_for(self.data.task.id) or {}).items()))
            made = f"caufc {_version('caufc')} {options} {method.fitted}"
        else:
            made = f"{method.package} {_version(method.package)}" if method.package else f"caufc {_version('caufc')}"
        return {"features": self.stored.digest(), "method": method.key, "made": made}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "?"
