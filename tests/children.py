"""Python in a process of its own, with a limit on memory and on time."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import caufc

ROOT = Path(caufc.__file__).parents[1]


@dataclass(frozen=True)
class Child:
    """What a process did."""

    code: int
    stdout: str
    stderr: str


def run_limited(code: str, stdin: bytes, seconds: float, memory: int, *arguments: str) -> Child:
    """Run Python code.

    Args:
        code: of the program.
        stdin: its input.
        seconds: of processor time, after which it is killed; by the clock it has twenty times as long.
        memory: bytes of data that it may allocate; beyond, allocations fail.
        arguments: of the program.
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=stdin,
        capture_output=True,
        timeout=20 * seconds,
        env=environment,
        preexec_fn=limit,
        check=False,
    )
    return Child(done.returncode, done.stdout.decode(), done.stderr.decode())
