"""Standard streams that are closed: said in one line where they are needed, and no matter where they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import caufc

from .conftest import COMMAND, ENVIRONMENT, Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes them")

STDOUT = "caufc: -: stdout is closed; open it, as in '> FILE'\n"
STDIN = "caufc: -: stdin is closed; open it, as in '< FILE', or name a file\n"


@pytest.fixture(autouse=True)
def coded(run: Run, maps: Path) -> None:
    assert run("encode", maps, "-o", "m.cauf", "--quiet").code == 0


def closing(stream: str, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line with a redirection (``>&-``)."""
    command = ["sh", "-c", f'exec "$0" "$@" {stream}', *COMMAND, *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["plugins"],
        ["info", "m.cauf"],
        ["info", "m.cauf", "--json"],
        ["verify", "m.cauf"],
        ["encode", "maps.npy", "-o", "-"],
        ["encode", "maps.npy", "-o", "x.cauf", "--json"],
        ["decode", "m.cauf", "-o", "-", "--format", "npy"],
        ["show", "m.cauf", "-o", "-"],
        ["cat", "m.cauf", "-o", "-"],
    ],
    ids=" ".join,
)
def test_a_stdout_that_is_needed(arguments: list[str]) -> None:
    assert closing(">&-", *arguments) == (1, "", STDOUT)


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "maps.npy", "-o", "x.cauf"],
        ["encode", "maps.npy", "-o", "out/"],
        ["decode", "m.cauf", "-o", "x.npy"],
        ["show", "m.cauf", "-o", "x.html"],
        ["split", "m.cauf", "--parts", "1", "-o", "out/"],
        ["verify", "m.cauf", "--quiet"],
    ],
    ids=" ".join,
)
def test_a_stdout_for_a_report_only(arguments: list[str]) -> None:
    assert closing(">&-", *arguments) == (0, "", "")


def test_no_output_gets_the_number_of_a_closed_stream(run: Run) -> None:
    """Else what a library prints would stand in it."""
    assert closing(">&- 2>&- <&-", "encode", "maps.npy", "-o", "x.cauf") == (0, "", "")
    assert Path("x.cauf").read_bytes() == Path("m.cauf").read_bytes()
    probe = (
        "import os, sys; from caufc.cli.closed_streams import replace_closed_streams; "
        "replace_closed_streams(); sys.exit(os.open(os.devnull, os.O_RDONLY))"
    )
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&- 2>&- <&-', sys.executable, "-c", probe], env=ENVIRONMENT)
    assert done.returncode > 2
    assert run("verify", "x.cauf").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "-", "-o", "x.cauf"],
        ["decode", "-", "-o", "x.npy"],
        ["info", "-"],
        ["verify", "-"],
        ["show", "-", "-o", "x.html"],
    ],
    ids=" ".join,
)
def test_a_stdin_that_is_needed(arguments: list[str]) -> None:
    assert closing("<&-", *arguments) == (1, "", STDIN)


def test_what_would_go_to_a_closed_stderr_is_lost() -> None:
    code, out, err = closing("2>&-", "encode", "maps.npy", "-o", "x.cauf")
    assert (code, out.splitlines()[0], err) == (0, "maps.npy -> x.cauf", "")
    assert caufc.load("x.cauf").shape == (6, 16, 5, 5)
    assert closing("2>&-", "encode", "nope.npy") == (1, "", "")
    assert closing("2>&-", "nope") == (2, "", "")
