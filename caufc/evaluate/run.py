"""Runs an evaluation: every method on every tap, and more points where the curve needs them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from .curve_run import (
    Lane,
    LaneRun,
)
from .methods import (
    Codec,
    Method,
)
from .pool import (
    Children,
    StoppedError,
)
from .task_data import TaskData
from .worker import (
    Coded,
    Job,
)

__all__ = ["Run", "Told"]

SHORT_SECONDS = 1e-6
"""Less is left of sums that were rounded, not work."""

OVERHEAD_SECONDS = 3.0
"""Of a point, beside its values: a process, and the rest of the network."""

Told = Callable[[str, float], None]
"""Called with what was done or is being done, and the share of all work that is done, 0 to 1."""


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
        plan = [
            (data, tap, method) for data in self.tasks for tap in data.taps for method in self._methods_of(data, tap)
        ]
        weights = {(data.task.id, tap, method.key): self._weight(data, tap, method) for data, tap, method in plan}
        self._all = sum(weights.values())
        with self._scratch() as scratch, ThreadPoolExecutor(self.jobs) as pool:
            futures = [
                pool.submit(self._lane, *job, scratch, weights[job[0].task.id, job[1], job[2].key]) for job in plan
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

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A folder for what lives no longer than the run; one that was killed may have left its own."""
        folder = self.work / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _methods_of(self, data: TaskData, tap: str) -> list[Method]:
        found = []
        for method in self.methods:
            if isinstance(method, Codec) and not method.suits(data.taps[tap]):
                continue
            if isinstance(method, Codec) and method.options_for(data.task.id) is None:
                self.skipped[f"{method.key} on {data.task.id}"] = "there are no weights for it"
            else:
                found.append(method)
        return found

    def _weight(self, data: TaskData, tap: str, method: Method) -> float:
        """About how many seconds a lane takes; features are extracted on the way."""
        path = data.features(tap, "test", lambda text, share: self.told(text, 0.0))
        data.reference(tap)
        mb = path.stat().st_size / 1e6 * len(data.tested)
        return len(method.axis.values) * (method.cost * mb + OVERHEAD_SECONDS)

    def _lane(self, data: TaskData, tap: str, method: Method, scratch: Path, weight: float) -> Lane:
        lane = LaneRun(self, data, tap, method, scratch, weight / len(method.axis.values))
        found = lane.measure()
        self.advance(f"{data.task.id} {tap} {method.key}: done", weight - lane.advanced)
        return found

    def advance(self, text: str, weight: float, stored: bool = False) -> None:
        """Tell what was done, as a share of what was not stored from before.

        Raises:
            StoppedError: if the run was stopped.
        """
        if self._children.stopped:
            raise StoppedError
        with self._lock:
            if stored:
                self._all -= weight
            else:
                self._done += weight
            left = self._all - self._done
            self.told(text, self._done / self._all if left > SHORT_SECONDS else 1.0)

    def code(self, job: Job) -> Coded:
        """Code in a process of its own."""
        return self._children.code(job)
