"""What a measuring program says of the machine it ran on, and where its results go.

No host names, user names or paths: results are committed.
"""

from __future__ import annotations

import datetime
import json
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from caufc.evaluate import machine

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tools" / "results"
PACKAGES = ("numpy", "torch", "constriction")


def describe_machine() -> dict[str, Any]:
    """CPU model, cores, memory, OS, Python and package versions; caufc's own from the checkout."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return {**machine.describe_machine(PACKAGES), "caufc": str(tomllib.load(file)["project"]["version"])}


def plain_command(arguments: Sequence[str]) -> str:
    """A command line without machine paths: absolute paths are cut to their last part.

    Args:
        arguments: as in ``sys.argv``; the program is named as a module from the checkout's root.
    """
    program = Path(arguments[0]).resolve().relative_to(ROOT).with_suffix("")
    words = [_without_folders(word) for word in arguments[1:]]
    return shlex.join(["python", "-m", ".".join(program.parts), *words])


def write_results(name: str, command: str, figures: Mapping[str, Any], table_markdown: str) -> None:
    """Write ``tools/results/NAME.json`` and ``NAME.md``: figures and table with date, command and machine.

    Args:
        name: of both files, without suffix.
        command: that made the figures; see :func:`plain_command`.
        figures: what was measured, as JSON data.
        table_markdown: the same for people.
    """
    if not name or Path(name).name != name:
        raise ValueError(f"{name!r} is not a file name")
    about = describe_machine()
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    RESULTS.mkdir(parents=True, exist_ok=True)
    record = {"date": date, "command": command, "machine": about, "figures": dict(figures)}
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    facts = [f"- {key}: {value}" for key, value in {"date": date, "command": f"`{command}`", **about}.items()]
    page = "\n".join([f"# {name}", "", table_markdown.strip(), "", "## Made with", "", *facts])
    (RESULTS / f"{name}.md").write_text(page + "\n", encoding="utf-8")


def _without_folders(word: str) -> str:
    """``/a/b`` as ``b``, ``name=/a/b`` as ``name=b``, anything else as it is."""
    head, mark, tail = ("", "", word) if word.startswith("/") else word.rpartition("=")
    return f"{head}{mark}{Path(tail).name}" if Path(tail).is_absolute() else word
