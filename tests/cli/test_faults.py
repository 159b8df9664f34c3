"""A short run of the program of faults: killed runs, a full disk, a read-only folder, two writers, changing inputs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import caufc

ROOT = Path(caufc.__file__).parents[1]
KILLED = [f"{signal}, {command}" for signal in ("kill -9", "Ctrl-C", "SIGTERM") for command in ("encode", "decode")]
OTHERS = ["full disk", "read-only folder", "two writers", "changing input", "closed pipe", "resumed shards"]


@pytest.mark.skipif(sys.platform == "win32", reason="forks and POSIX signals")
def test_faults() -> None:
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "tools.attack.faults", "--kills", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for fault in [*KILLED, *OTHERS]:
        assert f"| {fault} | " in done.stdout
