"""The run of an evaluation: every method on every tap, several points side by side."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from ..types import Progress, no_progress
from .curve_run import CurveRun, MeasuredCurve
from .methods import CodecMethod, Method
from .pool import StoppedError, WorkerPool
from .task_data import TaskData
from .worker import CodingJob, CodingResult

__all__ = ["EvaluationRun"]

SHORT_SECONDS = 1e-6
"""Seconds below which what is left is a rounded sum, not work."""

OVERHEAD_SECONDS = 3.0
"""Seconds that a point takes beside its values, about: a process, and the network behind the tap; set by hand."""


class EvaluationRun:
    """One run of an evaluation, which goes on where an earlier one on the same folder was stopped.

    Args:
        tasks: the data of each task.
        methods: what is measured.
        work: folder for features, profiles and points.
        jobs: points that are measured side by side, on one core each.
        progress: called with what was done, and how many milliseconds of all work that is, as estimated.
    """

    def __init__(
        self,
        tasks: Sequence[TaskData],
        methods: Sequence[Method],
        work: Path,
        jobs: int = 1,
        progress: Progress = no_progress,
    ) -> None:
        self.tasks, self.methods, self.work, self.jobs, self.progress = tasks, methods, work, jobs, progress
        self._pool, self._lock = WorkerPool(), threading.Lock()
        self._done_seconds = self._all_seconds = 0.0
        self.skipped: dict[str, str] = {}

    def measure(self) -> list[MeasuredCurve]:
        """The curves of all methods on all taps; points that are stored are not measured again.

        Raises:
            CaufError: for a task that cannot be run; points that cannot be coded are failures of their curve.
        """
        wanted = [
            (data, tap, method) for data in self.tasks for tap in data.taps for method in self._methods_of(data, tap)
        ]
        seconds = [self._seconds(data, tap, method) for data, tap, method in wanted]
        self._all_seconds = sum(seconds)
        with self._scratch() as scratch, ThreadPoolExecutor(self.jobs) as executor:
            futures = [
                executor.submit(self._curve, *each, scratch, share) for each, share in zip(wanted, seconds, strict=True)
            ]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                for future in futures:
                    if future.done():
                        future.result()
            except BaseException:
                self._pool.stop()
                executor.shutdown(cancel_futures=True)
                raise
            return [future.result() for future in futures]

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A folder for what lives no longer than the run; a run that was killed may have left its own."""
        folder = self.work / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _methods_of(self, data: TaskData, tap: str) -> list[Method]:
        """The methods that can run on a tap; those without weights for the task are noted as skipped."""
        found = []
        for method in self.methods:
            if isinstance(method, CodecMethod) and not method.suits(data.taps[tap]):
                continue
            if isinstance(method, CodecMethod) and method.options_for_task(data.task.id) is None:
                self.skipped[f"{method.key} on {data.task.id}"] = "there are no weights for it"
            else:
                found.append(method)
        return found

    def _seconds(self, data: TaskData, tap: str, method: Method) -> float:
        """About how many seconds a curve takes; features are extracted on the way."""
        path = data.features(tap, "test", lambda what, *_: self.progress(what, 0, 1))
        data.reference(tap)
        mb = path.stat().st_size / 1e6 * len(data.tested)
        return len(method.sweep.values) * (method.cost * mb + OVERHEAD_SECONDS)

    def _curve(self, data: TaskData, tap: str, method: Method, scratch: Path, seconds: float) -> MeasuredCurve:
        curve_run = CurveRun(self, data, tap, method, scratch, seconds / len(method.sweep.values))
        curve = curve_run.measure()
        self.advance(f"{data.task.id} {tap} {method.key}: done", seconds - curve_run.advanced)
        return curve

    def advance(self, what: str, seconds: float, *, stored: bool = False) -> None:
        """Report what was done, and the seconds it was estimated at; stored work is none of this run's.

        Raises:
            StoppedError: if the run was stopped.
        """
        if self._pool.stopped:
            raise StoppedError
        with self._lock:
            if stored:
                self._all_seconds -= seconds
            else:
                self._done_seconds += seconds
            total = max(1, round(1000 * self._all_seconds))
            left = self._all_seconds - self._done_seconds
            self.progress(what, round(1000 * self._done_seconds) if left > SHORT_SECONDS else total, total)

    def code(self, job: CodingJob) -> CodingResult:
        """Code in a process of its own."""
        return self._pool.code(job)
