"""The group: help, versions, and what starting it costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from caufc.cli.failure import failure, is_broken_pipe
from caufc.cli.main import COMMANDS, caufc
from caufc.codec import kernels
from caufc.errors import CaufError, StorageError

from .conftest import ENVIRONMENT, Run

CONTEXT = click.Context(caufc)


def command_of(name: str) -> click.Command:
    command = caufc.get_command(CONTEXT, name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(run: Run, name: str) -> None:
    command = command_of(name)
    assert command.name == name
    assert command.help
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []
    ran = run(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: caufc {name} ")


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"extract", "plugins"}))
def test_help_shows_an_example(run: Run, name: str) -> None:
    examples = run(name, "--help").out.partition("Examples:\n")[2]
    assert re.match(rf"    caufc {name}\b", examples)


def test_the_help_of_the_group(run: Run) -> None:
    ran = run("--help")
    assert (ran.code, ran.err) == (0, "")
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{text.split()[0]} ", ran.out, re.MULTILINE)
    assert "caufc encode feats.pt -o feats.cauf" in ran.out
    ran = run()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: caufc [OPTIONS] COMMAND")


def test_the_package_is_the_command(run: Run) -> None:
    for arguments, code in (["--version"], 0), (["info", "missing.cauf"], 1):
        command = [sys.executable, "-m", "caufc", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        ran = run(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (ran.code, ran.out, ran.err)
        assert ran.code == code


def test_the_version(run: Run) -> None:
    version, built = run("--version").out.splitlines()
    assert re.fullmatch(r"caufc (\d+\.\d+\.\d+\S*|\(not installed\))", version)
    assert built == f"kernels: {kernels.described()}"


@pytest.mark.parametrize(
    ("found", "variable", "text"),
    [
        (kernels.NAMES, None, "coefficients, counts, dct, integers, planes, quantizer, rans, rows"),
        (("planes", "rans"), None, "planes, rans; not built: coefficients, counts, dct, integers, quantizer, rows"),
        ((), None, "none, caufc is slower without; with a C compiler, installing it again builds them"),
        ((), "0", "none, CAUFC_KERNELS=0 switches them off"),
    ],
)
def test_which_kernels_are_built(
    found: tuple[str, ...], variable: str | None, text: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in kernels.NAMES:
        monkeypatch.setattr(kernels, name, object() if name in found else None)
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    if variable:
        monkeypatch.setenv(kernels.VARIABLE, variable)
    assert run("--version").out.splitlines()[1] == f"kernels: {text}"


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["--version"], ["encode", "--help"]])
def test_what_is_not_imported(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from caufc.cli.main import main\n"
        "sys.argv[1:] = %r\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print(end.code, sorted({'torch', 'timm', 'transformers'} & set(sys.modules)), 'numpy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program % arguments], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    code, heavy, numpy = done.stdout.splitlines()[-1].partition("[")[0], *done.stdout.splitlines()[-1].rsplit("] ")
    assert code.strip() == "0"
    assert heavy.endswith("[")
    assert numpy == str(arguments not in (["--help"], ["--version"]))


def test_a_defect_is_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch, maps: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("caufc.encoder.encoder.Encoder.encode", broken)
    with pytest.raises(ZeroDivisionError):
        run("encode", maps)


def raising(error: BaseException) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError(), 1, "caufc: maps.npy: not enough memory; try a smaller --chunk\n"),
        (OSError(28, "No space left on device"), 1, "caufc: maps.cauf: no space left on device\n"),
        (KeyboardInterrupt(), 130, "\ncaufc: interrupted\n"),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
    ],
)
def test_errors_of_the_machine(
    run: Run, monkeypatch: pytest.MonkeyPatch, maps: Path, error: BaseException, code: int, message: str
) -> None:
    monkeypatch.setattr("caufc.encoder.encoder.Encoder.encode", raising(error))
    ran = run("encode", maps)
    assert (ran.code, ran.out, ran.err) == (code, "", message)
    assert not Path("maps.cauf").exists()


@pytest.mark.parametrize(("signal", "code"), [(SystemExit(143), 143), (KeyboardInterrupt(), 130)])
def test_a_signal_that_became_an_error_of_an_import_ends_as_the_signal_does(
    run: Run, monkeypatch: pytest.MonkeyPatch, maps: Path, signal: BaseException, code: int
) -> None:
    """Python 3.11 makes a RuntimeError of what ``__set_name__`` raises: it was a traceback."""
    error = RuntimeError("Error calling __set_name__")
    error.__cause__ = signal
    monkeypatch.setattr("caufc.encoder.encoder.Encoder.encode", raising(error))
    assert run("encode", maps).code == code
    error.__cause__ = None
    with pytest.raises(RuntimeError):
        run("encode", maps)


def test_failures() -> None:
    error = OSError(13, "Permission denied", "there")
    assert failure(error, "here").message == "there: permission denied; check its permissions"
    assert failure(MemoryError(), "here").message.startswith("here: not enough memory; ")
    assert failure(CaufError("wrong", file="x", remedy="right it")).message == "x: wrong; right it"
    assert failure(CaufError("wrong"), "here").exit_code == 2
    wrapped = StorageError("broken pipe")
    wrapped.__cause__ = BrokenPipeError()
    assert is_broken_pipe(wrapped)
    assert not is_broken_pipe(error)


@pytest.mark.parametrize(
    "arguments", [["encode"], ["decode"], ["split", "--parts", "2"], ["unpack", "-o", "out"], ["info"], ["verify"]]
)
def test_a_failure_is_json_where_the_report_would_be(run: Run, arguments: list[str]) -> None:
    ran = run(arguments[0], "missing.cauf", *arguments[1:], "--json")
    told = json.loads(ran.out)
    assert told["exit_code"] == ran.code == 1
    assert told["error"] == "missing.cauf: no such file; check the path"
    assert told["error"] in ran.err
