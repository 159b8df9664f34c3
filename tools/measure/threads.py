"""What threads gain: MB/s of fp32 encoded and decoded with one thread on one core and two on two, and what limits it.

    python -m tools.measure.threads --features FEATURES [--results threads]

Batches of real features at medium, and one without loss, in memory, pinned to cores; the fastest of some runs by turns.
Before and after each row two busy processes, one a core, are counted against one that is alone: *free* is 2 where both
cores are, and figures are worth something from 1.9 on only: a row is tried again until they are, a few times. The
serial share is what one thread spends outside of chunks. The share that holds the interpreter is how often a thread
that sleeps besides finds it taken when it wakes; beside it, how often that is so while nothing else runs, and while
Python does. From both follows what 64 cores allow.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import caufc
from caufc.decoder.file_decoder import ChunkDecoder
from caufc.encoder.chunk_coding import ChunkCoding
from tools.measure.kernels import batch_of
from tools.measure.machine import plain_command, write_results
from tools.measure.tap_features import TAPS

RUNS, BATCH_MB, TRIES = 5, 64, 4
BUSY_SECONDS = 0.4
FREE = 1.9
NAP, LATE = 2e-4, 1.2e-4
"""Seconds that the probe sleeps, and how much later than that it wakes if it has to wait for the interpreter: shorter
waits are not told from none."""

MANY = 64
INPUTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("minilm-hidden3", {"layout": "b c"}),
    ("vit-block3", {}),
    ("efficientnet_lite0-last", {}),
    ("minilm-hidden3", {"layout": "b c", "lossless": True}),
)

Job = Callable[[int], Any]
"""Codes with so many threads."""


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """The body, and threads that it starts, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _count(core: int, results: Any) -> None:
    os.sched_setaffinity(0, {core})
    results.put(counted(BUSY_SECONDS))


def counted(seconds: float) -> int:
    """How far a busy loop gets."""
    stop, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < stop:
        count += 1
    return count


def free_cores(cores: list[int]) -> float:
    """What busy loops in processes, one a core, get done, over one that is alone: 2 where two cores are free."""
    context = multiprocessing.get_context("fork")

    def together(some: list[int]) -> int:
        results = context.Queue()
        processes = [context.Process(target=_count, args=(core, results)) for core in some]
        for process in processes:
            process.start()
        total = sum(int(results.get()) for _ in processes)
        for process in processes:
            process.join()
        return total

    return together(cores) / max(together([core]) for core in cores)


def seconds_of(job: Job, cores: list[int]) -> list[float]:
    """Wall-clock seconds with one thread on one core, with two on two: the fastest of runs by turns."""
    fastest = [float("inf")] * 2
    for _ in range(RUNS):
        for threads in (1, 2):
            with pinned(set(cores[:threads])):
                started = time.perf_counter()
                job(threads)
                fastest[threads - 1] = min(fastest[threads - 1], time.perf_counter() - started)
    return fastest


def while_free(job: Job, cores: list[int]) -> tuple[float, list[float]]:
    """How free the cores were, before and after, and :func:`seconds_of`: of several tries the first with free ones."""
    for number in range(TRIES):
        before = free_cores(cores)
        seconds = seconds_of(job, cores)
        free = min(before, free_cores(cores))
        if free >= FREE or number == TRIES - 1:
            break
    return free, seconds


def serial_share(job: Job, owner: type, name: str) -> float:
    """The share of one thread's time outside of a method that does a chunk."""
    inside = 0.0
    original = getattr(owner, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        nonlocal inside
        started = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            inside += time.perf_counter() - started

    shares = []
    with mock.patch.object(owner, name, timed):
        for _ in range(RUNS):
            inside, started = 0.0, time.perf_counter()
            job(1)
            shares.append(1 - inside / (time.perf_counter() - started))
    return statistics.median(shares)


def taken_share(job: Callable[[], Any]) -> float:
    """How often a thread that sleeps besides finds the interpreter taken when it wakes."""
    late: list[bool] = []
    done = threading.Event()

    def probe() -> None:
        while not done.is_set():
            started = time.perf_counter()
            time.sleep(NAP)
            late.append(time.perf_counter() - started > NAP + LATE)

    thread = threading.Thread(target=probe)
    thread.start()
    job()
    done.set()
    thread.join()
    return sum(late) / max(1, len(late))


def most_times(serial: float, taken: float, cores: int) -> float:
    """How many times faster so many cores can be: chunks share them, and the interpreter."""
    return 1 / (serial + (1 - serial) * max(1 / cores, taken))


def rows(folder: Path, cores: list[int]) -> Iterator[dict[str, Any]]:
    """A row per input and direction."""
    for tap, options in INPUTS:
        values = batch_of(folder, tap, BATCH_MB)
        given = {"layout": TAPS[tap].layout, **options}
        data = caufc.encode(values, **given)
        jobs: list[tuple[str, Job, type, str]] = [
            ("encode", lambda n, v=values, g=given: caufc.encode(v, threads=n, **g), ChunkCoding, "_coded"),  # type: ignore[misc]
            ("decode", lambda n, d=data: caufc.decode(d, threads=n), ChunkDecoder, "samples_of"),  # type: ignore[misc]
        ]
        for verb, job, owner, name in jobs:
            free, (one, two) = while_free(job, cores)
            serial = serial_share(job, owner, name)
            taken = taken_share(lambda job=job: [job(1) for _ in range(RUNS)])  # type: ignore[misc]
            yield {
                "features": f"{tap}, lossless" if options.get("lossless") else tap,
                "verb": verb,
                "mb_s": [values.nbytes / 1e6 / seconds for seconds in (one, two)],
                "times": one / two,
                "free": free,
                "serial": serial,
                "taken": taken,
                "most": most_times(serial, taken, MANY),
            }


def page(found: list[dict[str, Any]], idle: float, python: float) -> str:
    """All as Markdown."""
    heads = ("features", "", "1 thread, MB/s", "2 threads", "times", "free", "serial", "interpreter", f"most on {MANY}")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [
        f"| {row['features']} | {row['verb']} | {row['mb_s'][0]:.0f} | {row['mb_s'][1]:.0f} | {row['times']:.2f} |"
        f" {row['free']:.2f} | {row['serial']:.1%} | {row['taken']:.1%} | {row['most']:.1f} |"
        for row in found
    ]
    lines += [
        "",
        f"Rows with less than {FREE} free say less than two free cores would.",
        f"The interpreter is found taken {idle:.1%} of the time where nothing runs, {python:.1%} where Python is.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("two cores are needed")
    idle, python = taken_share(lambda: time.sleep(1)), taken_share(lambda: counted(1))
    found = []
    for row in rows(options.features, cores):
        found.append(row)
        print(row, flush=True)
    shown = page(found, idle, python)
    print(shown)
    if options.results:
        figures = {"rows": found, "idle": idle, "python": python}
        write_results(options.results, plain_command(sys.argv), figures, shown)


if __name__ == "__main__":
    main()
