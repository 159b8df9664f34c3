"""How many objects, frames, files and modules one encode and one decode take, at two states of the code.

    python -m tools.measure.house --before CHECKOUT --results house

*Objects* are classes of the rooms that choose and code (``encoder``, ``coders``; ``pipeline`` before) of which every
tensor of a file gets instances of its own; *carried* are those that are alive when a stage begins: planning, writing,
coding, reporting. *Frames* are those of caufc on the stack, from the command line to the call
of the entropy coder. *Files* are those of caufc in which at least one function runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.measure.machine import plain_command, write_results

ROOT = Path(__file__).resolve().parents[2]
TRACE = Path(__file__).with_name("house_trace.py")

FIGURES = (
    ("objects that a tensor is carried by from one stage to the next", lambda found: len(found["carried"])),
    ("objects that are made for a tensor, helpers within a stage included", lambda found: len(found["made"])),
    ("frames from the command line to the entropy coder", lambda found: len(found["frames"])),
    ("files entered by one encode", lambda found: found["files_encode"]),
    ("files entered by one decode", lambda found: found["files_decode"]),
    ("modules of caufc that importing the decoder loads", lambda found: found["decoder_modules"]),
)


def traced(checkout: Path) -> dict[str, Any]:
    """The figures of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TRACE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=checkout)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def page(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| figure | before | now |", "|---|---|---|"]
    for name, figure in FIGURES:
        lines.append(f"| {name} | {'-' if before is None else figure(before)} | {figure(after)} |")
    for title, key in (("Carried", "carried"), ("Made", "made")):
        lines += ["", f"{title} now: " + ", ".join(f"`{name}`" for name in after[key]) + "."]
    lines += ["", "Frames now:", "", "```", *after["frames"], "```"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="an earlier state of the code")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.json and .md")
    arguments = parser.parse_args()
    before = None if arguments.before is None else traced(arguments.before.resolve())
    after = traced(ROOT)
    text = page(before, after)
    print(text)
    if arguments.results:
        write_results(arguments.results, plain_command(sys.argv), {"before": before, "after": after}, text)


if __name__ == "__main__":
    main()
