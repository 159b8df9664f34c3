"""Jobs in worker processes: results in the order of the jobs, and a worker that dies costs its own job only."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Generic, TypeVar

__all__ = ["run_jobs"]

Job = TypeVar("Job")
Result = TypeVar("Result")

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What torch, numpy and the libraries under them read when they are loaded: a worker has one thread."""

PATIENCE = 5.0
"""Seconds that a worker has to clean up."""


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], processes: int, lost: Callable[[Job, str], Result]
) -> Generator[Result, None, None]:
    """The results of ``function`` in the order of ``jobs``.

    Args:
        function: of a module, so that a new process finds it.
        jobs: can be pickled, as can the results.
        processes: how many at most; with one, all is done in this process.
        lost: the result of a job whose process died, from the reason.
    """
    if processes == 1 or len(jobs) < 2:
        yield from map(function, jobs)
        return
    pool = _Pool(function, jobs, min(processes, len(jobs)), lost)
    try:
        yield from pool.results()
    finally:
        pool.close()


@dataclass
class _Worker:
    """A process, our end of its pipe, and the number of the job it does."""

    process: BaseProcess
    pipe: Connection[Any, Any]
    job: int | None = None


class _Pool(Generic[Job, Result]):
    def __init__(
        self, function: Callable[[Job], Result], jobs: Sequence[Job], size: int, lost: Callable[[Job, str], Result]
    ) -> None:
        self.function, self.jobs, self.size, self.lost = function, jobs, size, lost
        self.waiting = deque(range(len(jobs)))
        self.workers: list[_Worker] = []
        self.found: dict[int, Result] = {}

    def results(self) -> Iterator[Result]:
        for number in range(len(self.jobs)):
            while number not in self.found:
                self._hand_out()
                self._gather()
            yield self.found.pop(number)

    def close(self) -> None:
        """End all workers; those at work remove what they have begun."""
        for worker in self.workers:
            if worker.job is not None:
                worker.process.terminate()
            worker.pipe.close()
        for worker in self.workers:
            worker.process.join(PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _hand_out(self) -> None:
        while self.waiting:
            worker = next((worker for worker in self.workers if worker.job is None), None)
            if worker is None:
                if len(self.workers) >= self.size:
                    return
                worker = self._start()
            number = self.waiting.popleft()
            try:
                worker.pipe.send(self.jobs[number])
                worker.job = number
            except OSError:  # it died while it had nothing to do
                self.waiting.appendleft(number)
                self._bury(worker)

    def _gather(self) -> None:
        busy = {worker.pipe: worker for worker in self.workers if worker.job is not None}
        for pipe in wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            number = worker.job
            if number is None:
                continue
            try:
                self.found[number] = worker.pipe.recv()
                worker.job = None
            except (EOFError, OSError):
                self.found[number] = self.lost(self.jobs[number], self._bury(worker))

    def _bury(self, worker: _Worker) -> str:
        """Forget a dead worker; says how it died."""
        self.workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        code = worker.process.exitcode
        return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.function), daemon=True)
        with _inherited():
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self.workers.append(worker)
        return worker


@contextmanager
def _inherited() -> Iterator[None]:
    """What a new process is to inherit: one thread a library, and no interest in Ctrl-C, which is the parent's."""
    before = {name: os.environ.get(name) for name in THREADS}
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.signal(signal.SIGINT, handler)


def _serve(pipe: Connection[Any, Any], function: Callable[[Any], Any]) -> None:
    """A worker's life: job in, result out, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        result = function(job)
        try:
            pipe.send(result)
        except OSError:  # nobody waits for it any more
            return


def _follow() -> None:
    """End this process when its parent is gone, however that came: what it has begun is removed, not finished."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
    raise SystemExit(128 + number)
