"""A short run of the fuzzing programs: a CaufError or a right result, never a crash; damage is never accepted."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", f"tools.attack.{program}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert not done.stderr, done.stderr[-2000:]
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("structure", ("--count", "250", "--seed", "11", "--second", "12")),
        ("flips", ("--count", "350", "--stride", "900")),
    ],
)
def test_fuzzing(program: str, arguments: tuple[str, ...]) -> None:
    code, text = run(program, *arguments)
    assert code == 0, text
    assert "| outcomes other than success or `CaufError` | 0 |" in text


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not there")
@pytest.mark.parametrize("target", ["payload"])
def test_coverage_guided(target: str) -> None:
    """libFuzzer ends at once on anything but success and CaufError, without the summary."""
    command = [sys.executable, "-m", "tools.attack.coverage", target, "--most", "1000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["inputs"] == 1000


def test_failures_are_found() -> None:
    """A decoder that takes blocks as they are, one that raises what is not ours, and one that kills the process."""
    for fault, words in (
        ("unchecked", "accepted"),
        ("foreign", "KeyError in flips.py"),
        ("abort", "killed by signal 6"),
    ):
        code, text = run("flips", "--count", "6", "--stride", "50021", "--fault", fault)
        assert code == 1, text
        assert words in text
