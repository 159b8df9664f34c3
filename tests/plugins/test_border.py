"""What a plugin's code raises, prints or exits with stops at caufc's border, and names the plugin."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import caufc
from caufc import plugin_border
from caufc.cli.main import _terminate
from caufc.cli.main import caufc as console
from caufc.errors import PluginError, StorageError
from caufc.plugin_border import translated
from caufc.plugin_manager import default_manager

from .conftest import Site

FORMAT = """
import numpy as np, sys
def read(path):
    {read}
    return np.loadtxt(path, delimiter=",", dtype=np.float32)
def write(path, features):
    {write}
    np.savetxt(path, features, delimiter=",")
@hookimpl
def caufc_feature_formats():
    return [FeatureFormat(".csv", read, write)]
"""

Install = Callable[[str], None]


@pytest.fixture
def install(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Install]:
    """Installs a plugin of the name ``mine`` for caufc itself."""
    monkeypatch.chdir(tmp_path)
    np.save("f.npy", np.ones((4, 3), np.float32))
    np.savetxt("f.csv", np.ones((4, 3)), delimiter=",")

    def add(source: str) -> None:
        site.add(source, name="mine")
        default_manager.cache_clear()

    yield add
    default_manager.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(console, arguments)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        ("lambda: 1 / 0", "reading profile 'mine/p' failed: ZeroDivisionError: division by zero"),
        ("lambda: exit(5)", "reading profile 'mine/p' failed: SystemExit: 5"),
        ("lambda: 'text'", "profile 'mine/p' is of type str, not bytes"),
        ("lambda: b'abc'", "profile 'mine/p' is no profile file: malformed at byte 0: not a CAUF file"),
    ],
)
def test_profiles(install: Install, read: str, message: str) -> None:
    install(f"@hookimpl\ndef caufc_profiles():\n    return [Profile('mine/p', {read})]\n")
    for use in (
        lambda: caufc.encode(np.ones((4, 3), np.float32), profile="mine/p"),
        lambda: caufc.Coder("mine/p"),
        lambda: caufc.decode(caufc.encode(np.ones((4, 3), np.float32)), profile="mine/p"),
    ):
        with pytest.raises(PluginError) as caught:
            use()
        assert str(caught.value).startswith(f"plugin 'mine': {message}")
        assert caught.value.plugin == "mine"
    ran = run("encode", "f.npy", "--profile", "mine/p")
    assert (ran.exit_code, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)
    assert f"plugin 'mine': {message}" in ran.stderr


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("sys.exit(5)", "failed: SystemExit: 5"),
        ("raise OSError('no way')", "failed: OSError: no way"),
        ("raise ValueError('odd')", "failed: ValueError: odd"),
    ],
)
def test_feature_formats(install: Install, fault: str, reason: str) -> None:
    install(FORMAT.format(read=fault, write=fault))
    ran = run("encode", "f.csv", "-o", "x.cauf")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (
        2,
        "",
        f"caufc: f.csv: plugin 'mine': reading .csv {reason}\n",
    )
    assert run("encode", "f.npy", "-o", "f.cauf").exit_code == 0
    ran = run("decode", "f.cauf", "-o", "o.csv")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (
        2,
        "",
        f"caufc: o.csv: plugin 'mine': writing .csv {reason}\n",
    )
    assert not Path("o.csv").exists()


def test_what_a_disk_refuses_names_the_plugin_too(install: Install) -> None:
    install(FORMAT.format(read="pass", write="import errno; raise OSError(errno.ENOSPC, 'No space left on device')"))
    assert run("encode", "f.csv", "-o", "f.cauf").exit_code == 0
    ran = run("decode", "f.cauf", "-o", "o.csv")
    message = "plugin 'mine': writing .csv failed: no space left on device"
    assert (ran.exit_code, ran.stderr) == (1, f"caufc: o.csv: {message}\n")
    with pytest.raises(StorageError), translated("mine", "reading"):
        Path("nope").read_bytes()


def test_prints_go_to_stderr(install: Install) -> None:
    install("print('loading')\n" + FORMAT.format(read="print('reading')", write="print('writing')"))
    ran = run("plugins", "--json")
    assert json.loads(ran.stdout)
    assert ran.stderr == "loading\n"
    ran = run("encode", "f.csv", "-o", "-", "--quiet")
    assert ran.stderr == "reading\n"
    assert (caufc.decode(ran.stdout_bytes).round() == 1).all()
    Path("f.cauf").write_bytes(ran.stdout_bytes)
    ran = run("decode", "f.cauf", "-o", "-", "--format", "csv", "--quiet")
    assert ran.stderr == "writing\n"
    assert ran.stdout.startswith("1.0")


def test_a_signal_passes() -> None:
    """A signal that comes while a plugin works is none of its faults."""
    with pytest.raises(SystemExit) as caught, translated("mine", "working"):
        _terminate(15, sys._getframe())
    assert caught.value.code == 143
    with pytest.raises(KeyboardInterrupt), translated("mine", "working"):
        raise KeyboardInterrupt


def test_stdout_is_back_whoever_leaves_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a command; a program that calls the library keeps its own."""
    stdout: Any = sys.stdout
    monkeypatch.setattr(plugin_border._diversion, "wanted", False)
    with translated("a", "x"):
        assert sys.stdout is stdout
    plugin_border.keep_stdout_clean()
    first, second = translated("a", "x"), translated("b", "x")
    first.__enter__()
    second.__enter__()
    assert sys.stdout is sys.stderr
    first.__exit__(None, None, None)
    assert sys.stdout is sys.stderr
    second.__exit__(None, None, None)
    assert sys.stdout is stdout
