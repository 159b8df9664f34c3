"""Random arrays at random controls: every promise of the design is checked on each, and none may be missed.

    python -m tools.attack.contracts [--cases 100000] [--seed 1] [--jobs 2] [--checkpoint FILE] [--results NAME]
    python -m tools.attack.contracts --seed 1 --case 4711 [--save FOLDER]

Case N of a seed is always the same: kind of values, size, dtype, layout, structure, outliers, control, options. It is
encoded and decoded, encoded without loss, and mostly encoded once more: without its outliers, with more of its control,
at another width, or as it was. ``contract_checks`` lists what is promised. Cases run in processes of their own; one
that dies or takes over a minute counts as missed. With ``--checkpoint``, a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from tools.attack.contract_cases import case_of
from tools.attack.contract_checks import judge
from tools.attack.contract_outcome import Caufc, Subject, outcome_of_case
from tools.attack.contract_tally import DIED, Tally
from tools.attack.contract_tensors import bits_of, leaves_of
from tools.measure.machine import plain_command, write_results

BATCH = 200
"""Cases that a process runs before it reports."""

SECONDS_A_CASE = 60


def run_cases(subject: Subject, seed: int, first: int, stop: int) -> Tally:
    """Run cases in this process."""
    tally = Tally()
    for number in range(first, stop):
        started = time.process_time()
        case = case_of(seed, number)
        if isinstance(case.control.get("snr"), str) and not subject.per_token:
            tally.skipped += 1
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                verdicts = judge(outcome_of_case(subject, case))
            except Exception as err:
                err.add_note(str(case))
                raise
        tally.record(number, case.kind, verdicts)
        tally.timed(number, time.process_time() - started)
    return tally


def run_batch(seed: int, first: int, stop: int) -> dict[str, Any]:
    """Run cases in a child, which dies of one that does not end."""
    faulthandler.dump_traceback_later(SECONDS_A_CASE + 2 * (stop - first), exit=True)
    found = run_cases(Caufc(), seed, first, stop).to_json()
    faulthandler.cancel_dump_traceback_later()
    return found


def run_alone(seed: int, first: int, stop: int) -> Tally:
    """Run each case in a process of its own, after one of them killed the process of all."""
    total = Tally()
    for number in range(first, stop):
        with _pool(1) as pool:
            try:
                total.add(Tally.from_json(pool.submit(run_batch, seed, number, number + 1).result()))
            except BrokenProcessPool:
                total.record(number, case_of(seed, number).kind, {DIED: ["killed its process, or did not end"]})
    return total


def run(
    seed: int, first: int, count: int, jobs: int, *, done: Callable[[Tally, int], None], tally: Tally | None = None
) -> Tally:
    """Run cases in children.

    Args:
        seed: of the cases.
        first, count: which ones.
        jobs: processes at a time.
        done: called with the tally and the first case that is not in it, in order.
        tally: of the cases before.
    """
    total = tally or Tally()
    batches = [(start, min(count, start + BATCH)) for start in range(first, count, BATCH)]
    for (_, stop), found in zip(batches, _in_order(seed, batches, jobs), strict=True):
        total.add(found)
        done(total, stop)
    return total


def _in_order(seed: int, batches: list[tuple[int, int]], jobs: int) -> Iterator[Tally]:
    """Tallies of batches, some of which are on their way; a pool that a case kills is made anew."""
    waiting, pool = list(batches), _pool(jobs)
    running: dict[tuple[int, int], Future[dict[str, Any]]] = {}
    for batch in batches:
        try:
            while waiting and len(running) < 2 * jobs:
                running[waiting[0]] = pool.submit(run_batch, seed, *waiting[0])
                waiting.pop(0)
            wait([running[batch]], return_when=FIRST_COMPLETED)
            found = Tally.from_json(running[batch].result())
            del running[batch]
        except BrokenProcessPool:
            pool.shutdown(cancel_futures=True)
            waiting, pool = sorted({*running, *waiting} - {batch}), _pool(jobs)
            running.clear()
            found = run_alone(seed, *batch)
        yield found
    pool.shutdown()


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def show(seed: int, number: int, folder: Path | None) -> int:
    """Run one case here and print what it says; keep its arrays."""
    case = case_of(seed, number)
    print(case)
    found = outcome_of_case(Caufc(), case)
    if found.coded and found.lossless:
        print(f"{len(found.coded.data)} bytes, {len(found.lossless.data)} without loss; {found.coded.report}")
    verdicts = judge(found)
    for contract, misses in verdicts.items():
        print(f"{'missed' if misses else 'kept':7}{contract}", *misses, sep="\n       " if misses else " ")
    for _, error in found.errors:
        traceback.print_exception(error, file=sys.stdout)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        sides = {"": case.features, **({"-twin": case.twin.features} if case.twin else {})}
        for side, features in sides.items():
            arrays = {".".join(path) or "array": _plain(leaf) for path, leaf in leaves_of(features)}
            np.savez(folder / f"case-{seed}-{number}{side}.npz", **arrays)
    return 1 if any(verdicts.values()) else 0


def _plain(leaf: Any) -> Any:
    return bits_of(leaf).reshape(leaf.shape) if "bfloat16" in str(leaf.dtype) else np.asarray(leaf)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--checkpoint", type=Path, help="keeps the tally here, and goes on from it")
    parser.add_argument("--results", help="name of the files under tools/results")
    parser.add_argument("--case", type=int, help="run this case alone, and show all of it")
    parser.add_argument("--save", type=Path, help="folder for the arrays of --case")
    chosen = parser.parse_args()
    if chosen.case is not None:
        return show(chosen.seed, chosen.case, chosen.save)
    first, tally, started = 0, Tally(), time.monotonic()
    if chosen.checkpoint and chosen.checkpoint.exists():
        kept = json.loads(chosen.checkpoint.read_text("utf-8"))
        if kept["seed"] != chosen.seed:
            parser.error(f"{chosen.checkpoint.name} is of seed {kept['seed']}")
        first, tally = kept["next"], Tally.from_json(kept["tally"])
    begun = first

    def done(total: Tally, stop: int) -> None:
        if chosen.checkpoint:
            text = json.dumps({"seed": chosen.seed, "next": stop, "tally": total.to_json()})
            chosen.checkpoint.write_text(text, "utf-8")
        left = (time.monotonic() - started) / max(1, stop - begun) * (chosen.cases - stop)
        print(f"{stop:,} of {chosen.cases:,}, {total.misses:,} misses, {left / 60:.0f} min left", file=sys.stderr)

    tally = run(chosen.seed, first, chosen.cases, chosen.jobs, done=done, tally=tally)
    page = tally.markdown()
    print(page)
    if chosen.results:
        write_results(chosen.results, plain_command(sys.argv), {"seed": chosen.seed, **tally.to_json()}, page)
    return 1 if tally.misses else 0


if __name__ == "__main__":
    sys.exit(main())
