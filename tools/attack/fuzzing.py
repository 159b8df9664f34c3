"""What fuzzing programs share: cases in child processes under limits, their tally, checkpoints and the report."""

from __future__ import annotations

import argparse
import json
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import caufc
from tools.measure.machine import RESULTS, ROOT, write_results

Case = Callable[[int], str]
"""Runs the case of a number; returns its outcome, ``decoded`` or the name of a CaufError and its requirement."""

MEMORY = 3 << 30
"""Bytes of data that a child may allocate."""

SECONDS_A_CASE = 60
"""Of processor time; a case that takes longer is a failure."""


class WrongOutcomeError(Exception):
    """Neither success nor CaufError, though nothing was raised: damage that is accepted, decoders that differ."""


@dataclass
class Tally:
    """What came of cases.

    Args:
        inputs: how many.
        outcomes: how often each.
        failures: (case, what) of outcomes that must not be; the first hundred.
        failed: how many of these.
        slowest: processor time in seconds, and its case.
        peak_memory: of a child, in bytes.
        seconds: of processor time.
    """

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    failed: int = 0
    slowest: tuple[float, int] = (0.0, -1)
    peak_memory: int = 0
    seconds: float = 0.0

    def fail(self, case: int, what: str) -> None:
        self.failed += 1
        if len(self.failures) < 100:
            self.failures.append((case, what))

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.outcomes += other.outcomes
        self.failed += other.failed
        self.failures = [*self.failures, *other.failures][:100]
        self.slowest = max(self.slowest, other.slowest)
        self.peak_memory = max(self.peak_memory, other.peak_memory)
        self.seconds += other.seconds

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "outcomes": dict(self.outcomes)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tally:
        return cls(**{**data, "outcomes": Counter(data["outcomes"]), "slowest": tuple(data["slowest"]),
                      "failures": [tuple(failure) for failure in data["failures"]]})  # fmt: skip


def outcome_of(error: caufc.CaufError) -> str:
    """A CaufError by kind and requirement or limit."""
    detail = getattr(error, "requirement", None) or getattr(error, "limit", None)
    return type(error).__name__ + (f" {detail}" if detail else "")


def run_cases(case: Case, first: int, stop: int, place: Path | None) -> Tally:
    """Run cases in this process; ``place`` always holds the number of the case that runs."""
    tally = Tally()
    with open(place, "w+b") if place else open(os.devnull, "w+b") as file:  # noqa: PTH123
        if place:
            file.write(bytes(8))
            file.flush()
        current = mmap.mmap(file.fileno(), 8) if place else bytearray(8)
        for number in range(first, stop):
            current[:8] = number.to_bytes(8, "little")
            started = time.process_time()
            try:
                outcome = case(number)
            except Exception as err:
                lines = traceback.extract_tb(err.__traceback__)[-1]
                outcome = f"{type(err).__name__} in {Path(lines.filename).name}:{lines.lineno}"
                tally.fail(number, f"{outcome}: {str(err)[:160]}")
            took = time.process_time() - started
            if took > SECONDS_A_CASE:
                tally.fail(number, f"took {took:.0f} s")
            tally.inputs += 1
            tally.outcomes[outcome] += 1
            tally.seconds += took
            tally.slowest = max(tally.slowest, (took, number))
    tally.peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return tally


def run_child(program: str, arguments: list[str], first: int, stop: int, place: Path) -> Tally:
    """Run cases in a process of their own; one that dies costs the case it died of, and the rest goes on."""
    total = Tally()
    while first < stop:
        command = [sys.executable, "-m", program, *arguments, "--cases", f"{first}:{stop}", "--place", str(place)]
        limit = SECONDS_A_CASE * 20 + 2 * (stop - first)
        died = ""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=limit, preexec_fn=_limit, cwd=ROOT, check=False
            )
            if done.returncode == 0:
                total.add(Tally.from_json(json.loads(done.stdout)))
                return total
            if done.returncode > 0:
                raise SystemExit(f"a child failed outside of its cases: {done.stderr[-2000:]}")
            died = f"killed by signal {-done.returncode}: {done.stderr[-300:]}"
        except subprocess.TimeoutExpired:
            died = "no end"
        case = int.from_bytes(place.read_bytes(), "little")
        total.fail(case, died)
        if case > first:  # what came before it, again
            total.add(run_child(program, arguments, first, case, place))
        total.inputs += 1
        total.outcomes["death of the process"] += 1
        first = case + 1
    return total


def _limit() -> None:
    if "asan" not in os.environ.get("LD_PRELOAD", ""):  # whose shadow memory takes terabytes of addresses
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(
    program: str, doc: str, make: Callable[[argparse.Namespace], tuple[Case, int]], *options: tuple[str, Any]
) -> int:
    """A fuzzing program: parent, child, checkpoint, report.

    Args:
        program: its module, ``tools.attack.NAME``; its results are ``fuzz_NAME``.
        doc: its docstring.
        make: from options to the case function and the number of cases that there are by default.
        options: further options and their defaults; they are passed on to children.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--count", type=int, help="cases to run")
    parser.add_argument("--batch", type=int, default=10_000, help="cases a child process")
    parser.add_argument("--jobs", type=int, default=1, help="child processes at a time")
    parser.add_argument("--only", type=int, help="run one case in this process, and show what it raises")
    parser.add_argument(
        "--record", action="store_true", help="keep the tally under tools/results, and go on from there"
    )
    parser.add_argument("--cases", help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    for option, default in options:
        parser.add_argument(option, type=type(default), default=default)
    chosen = parser.parse_args()
    case, there_are = make(chosen)
    if chosen.only is not None:
        print(case(chosen.only))
        return 0
    if chosen.cases:
        first, stop = map(int, chosen.cases.split(":"))
        print(json.dumps(run_cases(case, first, stop, chosen.place).to_json()))
        return 0
    passed_on = [part for option, _ in options for part in (option, str(getattr(chosen, option[2:])))]
    count = there_are if chosen.count is None else chosen.count
    tally = _earlier(program) if chosen.record else Tally()
    batches = [(first, min(count, first + chosen.batch)) for first in range(tally.inputs, count, chosen.batch)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(chosen.jobs) as pool:

        def run(batch: tuple[int, int]) -> Tally:
            return run_child(program, passed_on, *batch, Path(folder) / str(batch[0]))

        for (_, stop), found in zip(batches, pool.map(run, batches), strict=True):
            tally.add(found)
            tally.inputs = stop
            if chosen.record:
                _save(program, doc, tally, count)
    print("\n".join(_lines(doc, tally, count)))
    return 1 if tally.failed else 0


def _results_of(program: str) -> str:
    return f"fuzz_{program.rpartition('.')[2]}"


def _earlier(program: str) -> Tally:
    path = RESULTS / f"{_results_of(program)}.json"
    return Tally.from_json(json.loads(path.read_text())["figures"]) if path.exists() else Tally()


def _save(program: str, doc: str, tally: Tally, count: int) -> None:
    command = f"python -m {program} --count {count} --record"
    write_results(_results_of(program), command, tally.to_json(), "\n".join(_lines(doc, tally, count)))


COVERAGE = (
    "inputs",
    "last_new_path",
    "distinct_outcomes",
    "corpus",
    "slowest_seconds",
    "peak_memory_mib",
    "processor_minutes",
)


def record_coverage(facts: dict[str, Any]) -> None:
    """Add what a coverage-guided run found, by target, to ``tools/results/fuzz_coverage``."""
    path = RESULTS / "fuzz_coverage.json"
    figures: dict[str, Any] = json.loads(path.read_text())["figures"] if path.exists() else {}
    figures[facts["target"]] = facts
    table = ["| target | " + " | ".join(name.replace("_", " ") for name in COVERAGE) + " | other outcomes |"]
    table += ["|---" * (len(COVERAGE) + 2) + "|"]
    table += [
        f"| {target} | " + " | ".join(f"{found[name]:,}" for name in COVERAGE) + " | 0 |"
        for target, found in sorted(figures.items())
    ]
    table += [
        "",
        "A run ends once 300,000 inputs in a row took no new path, or where `--most` stops it. Any outcome but success "
        "or `CaufError` ends it without a figure. *corpus*: inputs that took new paths.",
    ]
    write_results("fuzz_coverage", "python -m tools.attack.coverage TARGET --record", figures, "\n".join(table))


def _lines(doc: str, tally: Tally, count: int) -> list[str]:
    of = "" if tally.inputs == count else f" of {count:,}"
    out = [doc.splitlines()[0], "", "| | |", "|---|---|", f"| inputs | {tally.inputs:,}{of} |"]
    out += [f"| outcomes other than success or `CaufError` | {tally.failed:,} |"]
    out += [f"| distinct outcomes | {len(tally.outcomes):,} |"]
    out += [f"| slowest case, processor time | {tally.slowest[0]:.2f} s (case {tally.slowest[1]}) |"]
    out += [f"| peak memory of a process | {tally.peak_memory / 2**20:,.0f} MiB |"]
    out += [f"| processor time | {tally.seconds / 60:,.0f} min |", "", "| outcome | cases |", "|---|---|"]
    out += [f"| {name} | {number:,} |" for name, number in tally.outcomes.most_common()]
    if tally.failures:
        out += ["", "Failures:", "", *(f"- case {case}: {what}" for case, what in tally.failures)]
    return out
