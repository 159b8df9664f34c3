"""One method on one tap: its points, and more of them where the curve needs them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import CaufError
from .fold import (
    Coder,
    Turn,
    point_of,
)
from .methods import (
    Codec,
    Method,
    setting_text,
)
from .point_store import (
    Point,
    PointStore,
)
from .pool import StoppedError
from .sweep import Setting
from .task_data import (
    TaskData,
    file_name,
)

__all__ = ["Lane", "LaneRun"]

MARK = 0.99
"""Agreement around which points lie closest."""

LOW_MARK = 0.95
"""Curves go on downwards until agreement is below."""

MOST_BEYOND = 4
MIDPOINTS = 3
"""Each halves the step between the settings around the mark."""


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
        self.coder, self.data, self.tap, self.method, self.step = coder, data, tap, method, step
        self.advanced = 0.0
        self.turns = [Turn(coder, data, tap, method, scratch, half) for half in data.tested]
        self.stored = self.turns[0].stored
        self.reference = np.concatenate([turn.reference for turn in self.turns])
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
        return Lane(
            task=self.data.task.id,
            tap=self.tap,
            layout=self.stored.layout,
            method=self.method,
            samples=len(self.reference),
            numel=sum(turn.stored.numel for turn in self.turns),
            labels=np.concatenate([turn.labels for turn in self.turns]),
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
        stored = point is not None or reason is not None
        if not stored:
            try:
                point = point_of(setting, self.turns)
                self.store.add(point)
            except StoppedError:
                raise
            except CaufError as err:
                reason = err.message
                self.store.fail(setting, reason)
        self._tell(setting, point, reason, stored)
        if point is None:
            self.failures[setting_text(setting)] = reason or ""
            return None
        self.points.append(point)
        return point

    def _tell(self, setting: Setting, point: Point | None, reason: str | None, stored: bool) -> None:
        name = f"{self.data.task.id} {self.tap} {self.method.key} {setting_text(setting)}"
        share = min(self.step, self.step * len(self.method.axis.values) - self.advanced)
        self.advanced += share
        if point is None:
            self.coder.advance(f"{name}: {reason}", share, stored)
            return
        what = f"{name}: {point.bpfp:.4f} BPFP, agreement {100 * self._agreement(point):.2f} %"
        self.coder.advance(what, share, stored)

    def _fingerprint(self) -> dict[str, str]:
        method = self.method
        if isinstance(method, Codec):
            options = dict(sorted((method.options_for(self.data.task.id) or {}).items()))
            options |= method.told(self.data.taps[self.tap])
            layout = method.layouts.get(self.stored.layout, "")
            if "weights" in options:
                options["weights"] = hashlib.sha256(Path(options["weights"]).read_bytes()).hexdigest()[:16]
            made = f"caufc {_version('caufc')} {options} {method.fitted} {layout}".rstrip()
        else:
            made = f"{method.package} {_version(method.package)}" if method.package else f"caufc {_version('caufc')}"
        fit = ", ".join(f"{self.data.count(turn.fitting)} samples" if turn.fitted else "none" for turn in self.turns)
        features = ", ".join(turn.stored.digest() for turn in self.turns)
        return {"features": features, "method": method.key, "made": made, "fit": fit}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "?"
