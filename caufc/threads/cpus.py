"""How many processors a process may use: by its affinity, and by the quotas of its control groups."""

from __future__ import annotations

import functools
import math
import operator
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import OptionError

__all__ = ["thread_count", "usable_cpus"]

ROOT = Path("/")
GROUPS = "sys/fs/cgroup"


def thread_count(asked: int | None) -> int:
    """The number of threads that was asked for; None for one per processor that the process may use.

    Raises:
        OptionError: for less than one, and for what is no number.
    """
    if asked is None:
        return usable_cpus()
    try:
        threads = operator.index(asked)
    except TypeError:
        threads = 0
    if threads < 1:
        raise OptionError(f"{asked!r} threads", remedy="at least 1")
    return threads


def usable_cpus(root: Path = ROOT) -> int:
    """Processors that the process may use, at least 1; parts of one count as one.

    Args:
        root: where ``proc`` and ``sys`` lie.
    """
    try:
        allowed = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # a system without affinity
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, _granted(root)))


@functools.cache
def _granted(root: Path) -> int:
    """Processors that all control groups of the process grant, as it is when it is first asked."""
    return min(map(math.ceil, _quotas(root)), default=sys.maxsize)


def _quotas(root: Path) -> Iterator[float]:
    """Processors that each control group of the process grants, where it limits them."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            for folder in _upwards(root / GROUPS, path):
                yield from _share(*_text(folder / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            for mount in dict.fromkeys((controllers, "cpu")):
                for folder in _upwards(root / GROUPS / mount, path):
                    yield from _share(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """The folder of a group, and of those that it is in: each may have a quota."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for count in reversed(range(len(parts) + 1)):
        yield mount.joinpath(*parts[:count])


def _share(*numbers: str) -> Iterator[float]:
    """Quota over period, both in microseconds; nothing where there is no quota."""
    try:
        quota, period = map(int, numbers)
    except ValueError:  # "max", or no such file
        return
    if quota > 0 and period > 0:
        yield quota / period


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
