"""Jobs in processes."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from caufc.cli.workers import THREADS, run_jobs


def lost(job: object, reason: str) -> str:
    return f"{job}: {reason}"


def test_one_process_is_this_one() -> None:
    assert set(run_jobs(_pid, [1, 2, 3], 1, lost)) == {str(os.getpid())}


def _pid(job: int) -> str:  # noqa: ARG001 - a job's signature
    return str(os.getpid())


def test_results_come_in_order() -> None:
    assert list(run_jobs(abs, range(-20, 0), 3, lost)) == list(range(20, 0, -1))


def test_a_worker_has_one_thread_a_library_and_this_process_keeps_its_own() -> None:
    before = {name: os.environ.get(name) for name in THREADS}
    assert set(run_jobs(os.getenv, list(THREADS), 2, lost)) == {"1"}
    assert {name: os.environ.get(name) for name in THREADS} == before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_death_costs_one_job() -> None:
    found = list(run_jobs(signal.raise_signal, [0, signal.SIGKILL, 0, signal.SIGKILL, 0, 0], 2, lost))
    assert found == [None, "9: killed by signal 9", None, "9: killed by signal 9", None, None]


def test_leaving_early_ends_the_workers() -> None:
    started = time.monotonic()
    results = run_jobs(time.sleep, [0, 60, 60], 2, lost)
    assert next(results) is None
    results.close()
    assert time.monotonic() - started < 20
