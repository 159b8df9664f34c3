"""What a measuring program says of the machine it ran on, and where its results go.

No host names, user names or paths: results are committed.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "tools" / "results"
PACKAGES = ("numpy", "torch", "constriction", "caufc")


def describe_machine() -> dict[str, Any]:
    """CPU model, cores that this process may use, memory in GiB, OS, Python and package versions."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def plain_command(arguments: Sequence[str]) -> str:
    """A command line without machine paths: absolute paths are cut to their last part.

    Args:
        arguments: as in ``sys.argv``; the program's path is shown from the checkout's root.
    """
    program = Path(arguments[0]).resolve()
    shown = str(program.relative_to(ROOT)) if program.is_relative_to(ROOT) else program.name
    words = [_without_folders(word) for word in arguments[1:]]
    return shlex.join(["python", shown, *words])


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
    machine = describe_machine()
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    RESULTS.mkdir(parents=True, exist_ok=True)
    record = {"date": date, "command": command, "machine": machine, "figures": dict(figures)}
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    facts = [f"- {key}: {value}" for key, value in {"date": date, "command": f"`{command}`", **machine}.items()]
    page = "\n".join([f"# {name}", "", table_markdown.strip(), "", "## Made with", "", *facts])
    (RESULTS / f"{name}.md").write_text(page + "\n", encoding="utf-8")


def _without_folders(word: str) -> str:
    """``/a/b`` as ``b``, ``--name=/a/b`` as ``--name=b``, anything else as it is."""
    head, mark, tail = word.partition("=") if word.startswith("-") else ("", "", word)
    return f"{head}{mark}{Path(tail).name}" if Path(tail).is_absolute() else word


def _version(package: str) -> str | None:
    """Installed version; caufc's own from the checkout where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        if package != "caufc":
            return None
        with (ROOT / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None
