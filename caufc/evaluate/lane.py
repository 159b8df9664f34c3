"""One method on one tap: its points, and more of them where the curve needs them."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import CaufError
from ..fit import fit_profile
from .axis import Setting
from .children import StoppedError
from .methods import Codec, Method, setting_text
from .points import Point, PointStore
from .stored import Stored
from .taskdata import TaskData, file_name
from .worker import Coded, Job

__all__ = ["Coder", "Lane", "LaneRun"]

MARK = 0.99
"""Agreement around which points lie closest."""

LOW_MARK = 0.95
"""Curves go on downwards until agreement is below."""

MOST_BEYOND = 4
MIDPOINTS = 2


class Coder(Protocol):
    """What a lane needs of its run."""

    work: Path

    def code(self, job: Job) -> Coded:
        """Code in a process of its own."""
        ...

    def advance(self, text: str, weight: float) -> None:
        """Tell what was done, and how many seconds of work that was about."""
        ...


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


class LaneRun:
    """The work on one lane."""

    def __init__(self, coder: Coder, data: TaskData, tap: str, method: Method, scratch: Path, step: float) -> None:
        self.coder, self.data, self.tap, self.method, self.scratch, self.step = coder, data, tap, method, scratch, step
        self.advanced = 0.0
        self.path = data.features(tap, "test")
        self.stored = Stored.load(self.path)
        self.reference = data.reference(tap)
        place = coder.work / "points" / file_name(data.task.id) / file_name(tap) / f"{method.key}.json"
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
            self.coder.advance(f"{name}: {reason}", share)
            return
        self.coder.advance(f"{name}: {point.bpfp:.4f} BPFP, agreement {100 * self._agreement(point):.2f} %", share)

    def _measured(self, setting: Setting) -> Point:
        decoded = self.scratch / f"{threading.get_ident()}.npy"
        coded = self.coder.code(self._job(setting, decoded))
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
        features, back = str(self.path), str(decoded)
        if isinstance(self.method, Codec):
            options = dict(self.method.options_for(self.data.task.id) or {})
            options["layout"] = self.method.layouts.get(self.stored.layout, self.stored.layout)
            if self.method.told_reads:
                options["reads"] = self.data.taps[self.tap].reads
            profile = None if self.method.fitted == "none" else str(self._profile(self.method.fitted == "task"))
            return Job(features, back, None, setting, options, profile=profile)
        calibration = str(self.data.features(self.tap, "fit")) if self.method.calibrated else None
        return Job(features, back, self.method.key, setting, {}, calibration=calibration)

    def _profile(self, task_aware: bool) -> Path:
        """Fitted on the fit half, once."""
        kind = "task" if task_aware else "statistics"
        fit = self.data.features(self.tap, "fit")
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

    def _fingerprint(self) -> dict[str, str]:
        method = self.method
        if isinstance(method, Codec):
            options = dict(sorted((method.options_for(self.data.task.id) or {}).items()))
            layout = method.layouts.get(self.stored.layout, "")
            if method.told_reads:
                options["reads"] = self.data.taps[self.tap].reads
            if "weights" in options:
                options["weights"] = hashlib.sha256(Path(options["weights"]).read_bytes()).hexdigest()[:16]
            made = f"caufc {_version('caufc')} {options} {method.fitted} {layout}".rstrip()
        else:
            made = f"{method.package} {_version(method.package)}" if method.package else f"caufc {_version('caufc')}"
        fitted = method.calibrated if not isinstance(method, Codec) else method.fitted != "none"
        fit = f"{self.data.count('fit')} samples" if fitted else "none"
        return {"features": self.stored.digest(), "method": method.key, "made": made, "fit": fit}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "?"
