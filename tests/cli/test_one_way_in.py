"""Every command and every public function opens and parses a container once."""

from __future__ import annotations

import builtins
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.bitstream import header

from .conftest import Run


class Counts:
    """How many headers were parsed, and how often a file was opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
        self.headers = self.opened = 0
        parse, opens = header.HeaderParser.__init__, io.open

        def counted(parser: Any, *args: Any) -> None:
            self.headers += 1
            parse(parser, *args)

        def counted_open(file: Any, *args: Any, **options: Any) -> Any:
            self.opened += isinstance(file, str | Path) and Path(file).name == path
            return opens(file, *args, **options)

        monkeypatch.setattr(header.HeaderParser, "__init__", counted)
        monkeypatch.setattr(io, "open", counted_open)
        monkeypatch.setattr(builtins, "open", counted_open)


@pytest.fixture
def tokens(run: Run) -> np.ndarray[Any, Any]:  # noqa: ARG001 - it changes the folder
    values = np.random.default_rng(0).normal(size=(12, 9, 16)).astype(np.float32)
    np.save("x.npy", values)
    caufc.save("many.cauf", values, chunk=5)
    caufc.save("plain.cauf", values, chunk=5, index=False)
    return values


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize("file", ["many.cauf", "plain.cauf"])
@pytest.mark.parametrize(
    "words",
    [("decode", "-o", "back.npy"), ("info",), ("verify",), ("verify", "--deep"), ("decode", "--recover"), ("show",)],
)
def test_commands_read_a_container_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, file: str, words: tuple[str, ...]
) -> None:
    counts = Counts(monkeypatch, file)
    assert run(words[0], file, *words[1:]).code == 0
    assert (counts.headers, counts.opened) == (1, 1)


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize("use", [caufc.load, caufc.inspect, caufc.verify, lambda path: list(caufc.open(path))])
def test_functions_read_a_container_once(run: Run, monkeypatch: pytest.MonkeyPatch, use: Any) -> None:  # noqa: ARG001
    counts = Counts(monkeypatch, "many.cauf")
    use("many.cauf")
    assert (counts.headers, counts.opened) == (1, 1)


@pytest.mark.usefixtures("tokens")
def test_an_encode_reads_its_profile_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("fit", "x.npy", "-o", "own.caufp").code == 0
    counts = Counts(monkeypatch, "own.caufp")
    assert run("encode", "x.npy", "--profile", "own.caufp", "-o", "x.cauf").code == 0
    assert (counts.headers, counts.opened) == (1, 1)
