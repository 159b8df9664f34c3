"""What ``caufc train`` refuses before it trains; it needs no compressai for that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .conftest import Run, names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "w.bin"), "'w.bin' is no name of weights; end it in .caufw"),
        (("-o", "w.caufw", "--lambdas", "1,0.1"), "lambdas '1,0.1'; up to 64 numbers above 0, ascending: 0.01,0.1"),
        (("-o", "w.caufw", "--lambdas", "0,1"), "lambdas '0,1'; up to 64 numbers above 0, ascending: 0.01,0.1"),
        (("-o", "w.caufw", "--lambdas", "a"), "lambdas 'a'; up to 64 numbers above 0, ascending: 0.01,0.1"),
        (("-o", "there.caufw"), "there.caufw: exists already; use --force"),
        (("-o", "w.caufw"), "training needs compressai; pip install 'caufc[train]'"),
    ],
)
def test_what_is_refused(
    run: Run, maps: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.setitem(sys.modules, "compressai", None)
    (folder / "there.caufw").write_bytes(b"there")
    ran = run("train", maps, *options)
    assert (ran.err, ran.out) == (f"caufc: {message}\n", "")
    assert ran.code == (1 if "exists" in message else 2)
    assert names(folder) == ["maps.npy", "there.caufw"]
