"""What the tests take and cover: seconds, tests by outcome, coverage of caufc by lines.

    python -m tools.measure.suite [--workers 2] [--results NAME] [TESTS ...]

Needs `pip install -e '.[dev]'`. Lines that only other processes run do not count as covered.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tools.measure.machine import ROOT, plain_command, write_results


def measured(tests: list[str], workers: int) -> dict[str, Any]:
    """Seconds and counts of a run of pytest, and coverage in percent of another; their output goes on to the terminal.

    Raises:
        subprocess.CalledProcessError: a test failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        outcome, coverage = Path(folder) / "outcome.xml", Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "pytest", "-n", str(workers), f"--junitxml={outcome}", *tests]
        own = {**os.environ, "COVERAGE_FILE": str(Path(folder) / "coverage")}
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env=own, check=True)
        seconds = time.perf_counter() - started
        counts = ElementTree.parse(outcome).getroot()[0].attrib
        covering = [*command, "--cov=caufc", f"--cov-report=json:{coverage}"]
        subprocess.run(covering, cwd=ROOT, env=own, check=True)
        covered = json.loads(coverage.read_text("utf-8"))["totals"]["percent_covered"]
    skipped = int(counts["skipped"])
    return {"seconds": seconds, "passed": int(counts["tests"]) - skipped, "skipped": skipped, "coverage": covered}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tests", nargs="*", help="files of tests (default: all)")
    parser.add_argument("--workers", type=int, default=2, help="processes that share the tests (default: 2)")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    figures = measured(options.tests, options.workers)
    rows = [
        "| figure | now |",
        "|---|---|",
        f"| tests passed | {figures['passed']:,} |",
        f"| tests skipped | {figures['skipped']:,} |",
        f"| minutes on {options.workers} cores | {figures['seconds'] / 60:.1f} |",
        f"| coverage of caufc, by lines | {figures['coverage']:.1f} % |",
    ]
    print("\n".join(rows))
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, "\n".join(rows))


if __name__ == "__main__":
    main()
