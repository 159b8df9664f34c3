"""The console in this process, and as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from click.testing import CliRunner

import caufc
from caufc.cli.main import caufc as console

COMMAND = [sys.executable, "-m", "caufc.cli.main"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(caufc.__file__).parents[1])}


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str
    out_bytes: bytes

    @property
    def lines(self) -> list[str]:
        """Of stderr."""
        return self.err.splitlines()


Run = Callable[..., Ran]
Found = TypeVar("Found")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, where the test runs: names in messages are then short and known."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Processes that tests start can be interrupted, also where the shell that started the tests ignores interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def run() -> Run:
    """``run("encode", "x.pt", stdin=b"")``, in this process."""

    def call(*arguments: object, stdin: bytes | None = None) -> Ran:
        result = CliRunner().invoke(console, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)

    return call


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """``start("encode", ...)``: a process of its own, with pipes."""

    def call(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command: Sequence[str] = [*COMMAND, *map(str, arguments)]
        return subprocess.Popen(command, env=ENVIRONMENT, **{**pipes, **options})  # type: ignore[call-overload,no-any-return]

    return call


@pytest.fixture
def maps(folder: Path) -> Path:
    """Six samples of CNN maps, fp32 ``[6, 16, 5, 5]``."""
    values = np.maximum(np.random.default_rng(0).standard_normal((6, 16, 5, 5)), 0).astype(np.float32)
    np.save(folder / "maps.npy", values)
    return Path("maps.npy")


def names(folder: Path) -> list[str]:
    """Every file under a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def wait_for(look: Callable[[], Found]) -> Found:
    """Wait until something is so, and return it: a second look might find it gone."""
    deadline = time.monotonic() + 300
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found
