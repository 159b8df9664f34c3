"""Measured points in a file of JSON lines: a run that was stopped goes on behind the last, and a method runs alone."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import caufc

__all__ = ["PointLog", "codec_state", "rivals_state"]

CAUFC = Path(caufc.__file__).resolve().parent
APART = {"bench", "cli", "evaluate", "integrations", "plugins", "show", "train"}
"""Folders of caufc that do not change what files hold."""


class PointLog:
    """Figures by name, each written as soon as it is measured.

    Args:
        path: of the file; a line holds a name, the state of the code that made its figures, and these.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self._found = {(kept["name"], kept["state"]): kept["figures"] for kept in map(json.loads, lines)}

    def has(self, name: str, state: str) -> bool:
        """Whether figures are there."""
        return (name, state) in self._found

    def get(self, name: str, state: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The figures of a name at a state of the code, measured if they are not there."""
        if not self.has(name, state):
            started = time.perf_counter()
            figures = json.loads(json.dumps(measure(), allow_nan=False))
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": name, "state": state, "figures": figures}) + "\n")
            self._found[name, state] = figures
        kept: dict[str, Any] = self._found[name, state]
        return kept


@cache
def codec_state() -> str:
    """A digest of what makes caufc's files, in hex."""
    files = (path for path in CAUFC.rglob("*") if path.is_file())
    return _digest(path for path in files if not {*path.relative_to(CAUFC).parts} & {*APART, "__pycache__"})


@cache
def rivals_state() -> str:
    """A digest of the rivals' sources, in hex."""
    own = (Path(__file__).with_name(f"language_{name}.py") for name in ("rivals", "kvtc", "nncodec"))
    return _digest([*(CAUFC / "evaluate" / "rivals").glob("*.py"), *own])


def _digest(paths: Iterable[Path]) -> str:
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(path.name.encode() + path.read_bytes())
    return sha.hexdigest()[:12]
