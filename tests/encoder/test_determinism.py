"""The same symbols in other environments: other kernels of numpy and BLAS, more threads, and no constriction."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_vectors_decode_alike_in_other_environments() -> None:
    command = [sys.executable, "-m", "tools.measure.determinism", "--quick"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "without kernels",
        "without constriction",
        "NPY_DISABLE_CPU_FEATURES, all",
        "OPENBLAS_CORETYPE=Prescott",
        "4 threads",
    ):
        assert f"| {name} | Python " in done.stdout
