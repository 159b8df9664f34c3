"""Files with mutated bytes and right checksums: a CaufError or a result of the right size, never a crash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = 1500


@pytest.mark.parametrize("seed", [0, 1])
def test_mutations(seed: int) -> None:
    script = Path(__file__).parent / "mutate.py"
    command = [sys.executable, str(script), str(seed), str(ROUNDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "done\n"
