"""The worker processes of a run: one per point, each on one thread; all end when the run does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from ..errors import CaufError, InputError
from .worker import CodingJob, CodingResult

__all__ = ["StoppedError", "WorkerPool"]

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "BLOSC_NTHREADS")


class StoppedError(Exception):
    """The run was stopped: what a worker was doing does not count."""


class WorkerPool:
    """The worker processes of a run, which can be stopped together."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self.stopped = False

    def code(self, job: CodingJob) -> CodingResult:
        """The result of a job, done in a process of its own.

        Raises:
            InputError: if the features cannot be coded so.
            CaufError: if the worker broke.
            StoppedError: if the run was stopped.
        """
        command = [sys.executable, "-m", f"{__package__}.worker"]
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": _search_path()}
        pipe = subprocess.PIPE
        with self._lock:
            if self.stopped:
                raise StoppedError
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)
            self._running.add(process)
        try:
            out, err = process.communicate(json.dumps(asdict(job)))
        finally:
            with self._lock:
                self._running.discard(process)
        if self.stopped:
            raise StoppedError
        return _answer(process.returncode, out, err)

    def stop(self) -> None:
        """End all workers."""
        with self._lock:
            self.stopped = True
            for process in self._running:
                process.kill()


def _answer(code: int, out: str, err: str) -> CodingResult:
    lines = out.splitlines()
    if code or not lines:
        last = err.strip().splitlines()[-1:] or [f"it ended with exit code {code}"]
        raise CaufError(f"the process that codes broke: {last[0]}", remedy="with too little memory, give --samples N")
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise InputError(answer["error"], remedy=answer["remedy"])
    return CodingResult(**answer)


def _search_path() -> str:
    """A PYTHONPATH that begins with this caufc, so that workers run the same."""
    here = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
