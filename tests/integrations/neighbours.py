"""What the tests of integrations share: neighbours, which may be missing, and how near decoded values are."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def neighbour(name: str) -> Any:
    """A library, or a skipped module where it is missing or cannot be imported beside what else is installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as err:
        pytest.skip(f"{err.name} is not installed", allow_module_level=True)
    except ValueError as err:  # numcodecs fails so beside some versions of zfpy
        pytest.skip(f"{name} cannot be imported: {err}", allow_module_level=True)


def decibels(one: Any, other: Any) -> float:
    """The SNR of some arrays."""
    values, error = np.float64(one), np.float64(one) - np.float64(other)
    return float(10 * np.log10(np.square(values).sum() / max(np.square(error).sum(), 1e-300)))


def python(code: str, folder: Path) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def blocks(page: str) -> list[str]:
    """The programs of a page of docs/integrations, in order."""
    text = (ROOT / "docs" / "integrations" / f"{page}.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)
