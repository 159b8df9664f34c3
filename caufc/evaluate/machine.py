"""The description of the machine that results were made on: no host names, user names or paths."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from ..codec.kernels import built
from ..threads import usable_cpus

__all__ = ["describe_machine"]


def describe_machine(packages: Iterable[str]) -> dict[str, Any]:
    """CPU model, cores that this process may use, memory in GiB, OS, Python, caufc's compiled kernels in use, and
    versions of packages that are here.
    """
    versions = {name: found for name in packages if (found := _version(name)) is not None}
    return {
        "cpu": _cpu_model(),
        "cores": usable_cpus(),
        "memory_gib": _memory_gib(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "kernels": ", ".join(built()) or "none",
        **versions,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
