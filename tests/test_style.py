"""The code is typed and clean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 500


def run(*command: str, cwd: Path = ROOT) -> None:
    pytest.importorskip(command[0])
    done = subprocess.run([sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_strict() -> None:
    run("mypy", "--strict", "-p", "caufc")


def test_mypy_strict_on_the_reference_decoder() -> None:
    run("mypy", "--strict", "refdecoder.py", cwd=ROOT / "spec")


def test_ruff() -> None:
    run("ruff", "check", "caufc", "spec", "tests", "tools")
    run("ruff", "format", "--check", "caufc", "spec", "tests", "tools")


def test_no_file_is_too_long() -> None:
    files = [path for folder in ("caufc", "spec", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
