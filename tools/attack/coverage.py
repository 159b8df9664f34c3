"""Coverage-guided fuzzing of the parsers, checksums off; needs atheris.

    python -m tools.attack.coverage TARGET [--quiet N] [--most N] [--corpus FOLDER] [--record]

TARGET is one of header, sections, payload, index, pt. Seeds come from the vectors. libFuzzer prints what it covers; it
goes on until so many inputs in a row took no new path. Anything but success or CaufError ends it, and the input
stays in a temporary folder that libFuzzer names. The last line is a summary as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

TARGETS = ("header", "sections", "payload", "index", "pt")
EVERY = 1000
"""Inputs between two looks at the corpus, where libFuzzer writes what takes a new path."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--quiet", type=int, default=300_000, help="inputs in a row without a new path, to end")
    parser.add_argument("--most", type=int, default=20_000_000, help="inputs at most")
    parser.add_argument("--corpus", type=Path, help="where inputs that find new paths are kept")
    parser.add_argument("--record", action="store_true", help="add the figures to tools/results/fuzz_coverage")
    options = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["caufc", "zipfile"]):
        from tools.attack import coverage_targets
    import caufc
    from tools.attack.fuzzing import outcome_of, record_coverage

    left = Path(tempfile.mkdtemp(prefix="caufc-fuzz-"))
    corpus = options.corpus or left / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(coverage_targets.seeds(options.target)):
        (corpus / f"seed{number}").write_bytes(seed)
    run, outcomes = coverage_targets.TARGETS[options.target], Counter[str]()
    slowest, started, paths, last_new = 0.0, time.process_time(), 0, 0

    def one(data: bytes) -> None:
        nonlocal slowest
        before = time.process_time()
        try:
            with np.errstate(all="ignore"):
                run(data)
            outcome = "success"
        except caufc.CaufError as err:
            outcome = outcome_of(err)
        outcomes[outcome] += 1
        slowest = max(slowest, time.process_time() - before)

    def report() -> None:
        inputs = sum(outcomes.values())
        facts: dict[str, Any] = {
            "target": options.target,
            "inputs": inputs,
            "last_new_path": last_new,
            "distinct_outcomes": len(outcomes),
            "corpus": len(list(corpus.iterdir())),
            "slowest_seconds": round(slowest, 3),
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "processor_minutes": round((time.process_time() - started) / 60, 1),
        }
        print(json.dumps(facts), flush=True)
        if options.record:
            record_coverage(facts)
        with contextlib.suppress(OSError):
            coverage_targets.FILE.unlink()

    def counted(data: bytes) -> None:
        nonlocal paths, last_new
        one(data)
        inputs = sum(outcomes.values())
        if inputs % EVERY:
            return
        if (found := len(list(corpus.iterdir()))) > paths:
            paths, last_new = found, inputs
        if inputs - last_new >= options.quiet or inputs >= options.most:
            report()
            os._exit(0)

    flags = [
        f"-atheris_runs={options.most + EVERY}",
        "-max_len=4096",
        "-rss_limit_mb=12000",
        f"-artifact_prefix={left}/",
        "-timeout=60",
    ]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], counted)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
