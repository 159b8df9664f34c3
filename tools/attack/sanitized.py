"""Runs fuzzing programs over kernels that are built with address and undefined-behaviour sanitizers.

    python -m tools.attack.sanitized [--record] PROGRAM [OPTIONS OF THE PROGRAM]...

PROGRAM is one of structure, flips, kernel_calls. The sources are copied to a temporary folder, where gcc builds the
kernels in place, so that whatever a kernel reads or writes beyond what it was given ends the process, which the program
counts as a failure and names. Before anything else a kernel with a defect is run, which must be reported. ``--record``
adds what the program said to tools/results/sanitized.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.measure.machine import RESULTS, ROOT, write_results

PROGRAMS = ("structure", "flips", "kernel_calls")
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
FOLDERS = ("caufc", "spec", "tools")

DEFECT = """
#include <stdlib.h>
int main(int count, char** words) {
    char* room = malloc(8);
    return room[7 + count];
}
"""
"""Reads a byte behind eight."""


def sanitized_tree(folder: Path) -> None:
    """A copy of the checkout with sanitized kernels."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so", "results"))
    (folder / "tools" / "results").mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    environment = {**os.environ, "CFLAGS": FLAGS, "LDFLAGS": FLAGS}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def sanitizing(folder: Path) -> dict[str, str]:
    """The environment in which Python runs sanitized modules: every report ends the process by a signal."""
    libraries = [_library(name) for name in ("libasan.so", "libubsan.so")]
    return {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    }


def _library(name: str) -> str:
    found = subprocess.run(["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def reports_a_defect(folder: Path) -> bool:
    """Whether the sanitizer that kernels are built with sees one byte too many."""
    source, program = folder / "defect.c", folder / "defect"
    source.write_text(DEFECT)
    subprocess.run(["gcc", *FLAGS.split(), "-o", program, source], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    return done.returncode != 0 and "heap-buffer-overflow" in done.stderr


def kernels_in(folder: Path) -> list[str]:
    """Names of the sanitized kernels that Python finds there."""
    code = (
        "from caufc.codec import kernels; from pathlib import Path;"
        "sanitized = [name for name in kernels.built()"
        " if b'__asan_report' in Path(getattr(kernels, name).__file__).read_bytes()]; print(*sanitized)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=sanitizing(folder), check=True, capture_output=True, text=True
    )
    return done.stdout.split()


def record(program: str, command: str, said: str, kernels: list[str]) -> None:
    """Add a program's figures to those of others."""
    path = RESULTS / "sanitized.json"
    figures: dict[str, Any] = json.loads(path.read_text())["figures"] if path.exists() else {}
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", said, re.MULTILINE))
    figures[program] = {
        "command": command,
        "inputs": int(rows["inputs"].partition(" ")[0].replace(",", "")),
        "failures": int(rows["outcomes other than success or `CaufError`"].replace(",", "")),
        "outcomes": int(rows["distinct outcomes"].replace(",", "")),
        "kernels": kernels,
    }
    lines = ["| program | inputs | reports, deaths, other outcomes | distinct outcomes |", "|---|---|---|---|"]
    lines += [
        f"| `{found['command']}` | {found['inputs']:,} | {found['failures']:,} | {found['outcomes']:,} |"
        for found in figures.values()
    ]
    lines += ["", f"Kernels with sanitizers: {', '.join(kernels)}; flags `{FLAGS}`."]
    write_results("sanitized", "python -m tools.attack.sanitized --record PROGRAM ...", figures, "\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--record", action="store_true", help="add the figures to tools/results/sanitized")
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("options", nargs=argparse.REMAINDER, help="the program's own")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not reports_a_defect(folder):
            raise SystemExit("gcc's sanitizers do not report a defect here")
        sanitized_tree(folder)
        kernels = kernels_in(folder)
        if not kernels:
            raise SystemExit("no kernel was built with sanitizers")
        command = [sys.executable, "-m", f"tools.attack.{chosen.program}", *chosen.options]
        done = subprocess.run(
            command, cwd=folder, env=sanitizing(folder), check=False, stdout=subprocess.PIPE, text=True
        )
    print(done.stdout)
    if chosen.record:
        record(chosen.program, " ".join(["python -m", *command[2:]]), done.stdout, kernels)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
