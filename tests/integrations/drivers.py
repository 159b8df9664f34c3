"""Programs that drive a cluster of Ray in a process of their own, for tests that kill them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from .neighbours import ROOT

__all__ = ["Driver"]

PATIENCE = 300.0
"""Seconds that are waited at most, on a machine that does other things too."""

MARK = "CAUFC_TEST_DRIVER"


class Driver:
    """A running program; the processes that it starts are known by their environment.

    Args:
        code: of the program.
        arguments: of the program.
        folder: in which it runs.
        path: folders of modules besides those of this checkout.
        environment: variables besides those of this process.
    """

    def __init__(
        self, code: str, *arguments: str, folder: Path, path: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self.mark = uuid.uuid4().hex
        own = {"PYTHONPATH": f"{path}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1", MARK: self.mark}
        given = {**os.environ, **own, **(environment or {})}
        self.process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=folder, env=given)

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something is so, while it runs."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None, "it ended too early"
            assert time.monotonic() < end, "nothing happens"
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it with signal 9, and wait until nothing that it started is there."""
        self.process.kill()
        self.process.wait()
        end = time.monotonic() + PATIENCE
        while self._left():
            assert time.monotonic() < end, "its cluster outlives it"
            time.sleep(0.1)

    def ends_well(self) -> bool:
        """Wait until it has ended; whether all was well."""
        return self.process.wait(PATIENCE) == 0

    def _left(self) -> bool:
        mark = f"{MARK}={self.mark}".encode()
        for process in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in process.read_bytes():
                    return True
        return False
