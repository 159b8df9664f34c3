"""The shape of the code: .ci/check looks at all of it, and no file is too long."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 500


FOLDERS = ("caufc", "spec", "tools", "tests")


def test_ruff_and_mypy_check_every_folder() -> None:
    """They run in .ci/check, which .ci/run begins with, and not again here."""
    check = ROOT / ".ci" / "check"
    assert os.access(check, os.X_OK)
    text = check.read_text("utf-8")
    assert f"folders=({' '.join(FOLDERS)})" in text
    commands = {line.partition(' "')[0].partition(" #")[0] for line in text.splitlines()}
    assert {"ruff check", "ruff format --check", "mypy"} <= commands
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    assert settings["strict"] and tuple(settings["files"]) == FOLDERS
    assert ".ci/check" in (ROOT / ".ci" / "run").read_text("utf-8")


SUFFIXES = (".py", ".pyx", ".pxd", ".h")


def test_no_file_is_too_long() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    assert len(files) > 100
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
