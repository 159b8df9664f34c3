"""Break the reference decoder in one clause of the specification at a time: a vector must notice every time.

    python -m tools.attack.mutants [--only '04*'] [--jobs 2] [--results mutants]

A mutant is the reference decoder with one line changed (mutants/MODULE.toml): a check left out, a limit off by one, an
order, a rounding, a dtype. Vectors are decoded by the rules of spec/run_vectors.py, those of the same requirement
first, until one tells it from a right decoder: a clause whose mutant survives is tested by no vector. Exits 1 if any
survives.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from tools.attack.mutant_list import REFERENCE, ROOT, Mutant, mutants
from tools.make.requirements_table import VALID
from tools.make.vector_sums import VECTORS

RESULTS = ROOT / "tools" / "results" / "mutants.json"
LARGEST = 150_000
"""Bytes of vectors; larger ones are for timing."""


@dataclass(frozen=True)
class Outcome:
    """What came of a mutant: the vector that noticed and what it said, or None if it survived."""

    mutant: str
    requirement: int
    clause: str
    module: str
    killed_by: str | None
    what: str = ""


@cache
def vectors() -> dict[str, int | None]:
    """VERSION/KIND/NAME of all vectors, the smallest first, and the requirement that they break."""
    paths = sorted(VECTORS.glob("*/*/*.cauf"), key=lambda path: (path.stat().st_size, path.name))
    return {
        path.relative_to(VECTORS).with_suffix("").as_posix(): json.loads(path.with_suffix(".json").read_text()).get(
            "requirement"
        )
        for path in paths
        if path.stat().st_size <= LARGEST
    }


@cache
def earlier() -> dict[tuple[str, str], str]:
    """The vector that noticed a mutant in the recorded run, by clause and change."""
    if not RESULTS.exists():
        return {}
    outcomes = json.loads(RESULTS.read_text())["figures"]["outcomes"]
    return {(found["module"], found["clause"]): found["killed_by"] for found in outcomes if found["killed_by"]}


def in_order(mutant: Mutant) -> list[str]:
    """Vectors, the likeliest to notice a mutant first."""
    named = {f"valid/{name}" for name in VALID.get(mutant.requirement, "").split()}
    before = earlier().get((mutant.module, mutant.clause))

    def rank(vector: str) -> int:
        return (vector != before) * (2 - (vectors()[vector] == mutant.requirement or vector.partition("/")[2] in named))

    return sorted(vectors(), key=rank)


def run(module: str, text: str, wanted: list[str]) -> dict[str, str] | None:
    """What mutant_run finds; a vector with which it dies notices too."""
    asked = json.dumps({"module": module, "text": text, "vectors": wanted})
    command = [sys.executable, "-m", "tools.attack.mutant_run"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode > 0:
        raise SystemExit(f"a mutant of {module}.py that does not even start: {done.stderr[-2000:]}")
    if done.returncode < 0:
        return {"by": done.stderr.splitlines()[-1], "what": f"no end, signal {-done.returncode}"}
    found: dict[str, str] | None = json.loads(done.stdout)
    return found


def outcome_of(mutant: Mutant) -> Outcome:
    """Run a mutant."""
    found = run(mutant.module, mutant.text(), in_order(mutant))
    by, what = (None, "") if found is None else (found["by"], found["what"])
    return Outcome(mutant.name, mutant.requirement, mutant.clause, mutant.module, by, what)


def outcomes_of(chosen: Iterable[Mutant], jobs: int) -> Iterator[Outcome]:
    """Outcomes in the order of the mutants."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(outcome_of, chosen)


def lines(outcomes: list[Outcome]) -> list[str]:
    """The page."""
    killed = sum(outcome.killed_by is not None for outcome in outcomes)
    requirements = {outcome.requirement for outcome in outcomes}
    out = [(__doc__ or "").splitlines()[0], ""]
    out += ["| | |", "|---|---|", f"| mutants | {len(outcomes)} |", f"| noticed by a vector | {killed} |"]
    out += [f"| requirements that they break | {len(requirements)} |"]
    out += [f"| of {name}.py | {count} |" for name, count in sorted(Counter(o.module for o in outcomes).items())]
    out += ["", "| mutant | breaks | noticed by | which says |", "|---|---|---|---|"]
    out += [f"| {o.mutant} | {o.clause} | {o.killed_by or '**none**'} | {o.what.replace('|', '/')} |" for o in outcomes]
    return out


def write_results(name: str, outcomes: list[Outcome]) -> None:
    """Figures under tools/results."""
    from tools.measure.machine import plain_command
    from tools.measure.machine import write_results as write

    figures: dict[str, Any] = {
        "mutants": len(outcomes),
        "killed": sum(outcome.killed_by is not None for outcome in outcomes),
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    write(name, plain_command(sys.argv), figures, "\n".join(lines(outcomes)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="*", help="pattern of the names of mutants, by requirement  [*]")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--results", help="write tools/results/NAME.md and .json")
    options = parser.parse_args()
    if run("decoder", Path(REFERENCE / "decoder.py").read_text("utf-8"), list(vectors())):
        raise SystemExit("the reference decoder itself is not right: python spec/run_vectors.py ...")
    outcomes = []
    for outcome in outcomes_of([mutant for mutant in mutants() if fnmatch(mutant.name, options.only)], options.jobs):
        outcomes.append(outcome)
        if outcome.killed_by is None:
            print(f"{outcome.mutant} survives: {outcome.clause} ({outcome.module}.py)", flush=True)
    print(f"{len(outcomes)} mutants, {sum(o.killed_by is None for o in outcomes)} survive")
    if options.results:
        write_results(options.results, outcomes)
    return 1 if any(outcome.killed_by is None for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
