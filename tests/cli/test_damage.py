"""What a ``.cauf`` file gets that is cut, damaged, too new, or none at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import Run, names


@pytest.fixture
def encoded(run: Run, maps: Path) -> bytes:
    assert run("encode", maps, "-o", "x.cauf", "--chunk", 2, "--quiet").code == 0
    return Path("x.cauf").read_bytes()


@pytest.mark.parametrize("command", ["decode", "info", "verify"])
@pytest.mark.parametrize("where", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_file(run: Run, folder: Path, encoded: bytes, command: str, where: float) -> None:
    Path("cut.cauf").write_bytes(encoded[: int(len(encoded) * where)])
    before = names(folder)
    ran = run(command, "cut.cauf")
    assert (ran.code, ran.out) == (3, "")
    assert len(ran.lines) == 1
    assert re.match(r"caufc: cut\.cauf: (damaged|malformed) at byte \d+: .*; ", ran.err)
    assert names(folder) == before


@pytest.mark.parametrize("command", ["decode", "verify"])
def test_a_damaged_file(run: Run, folder: Path, encoded: bytes, command: str) -> None:
    for place in range(10, len(encoded), len(encoded) // 16):
        damaged = bytearray(encoded)
        damaged[place] ^= 0x10
        Path("bad.cauf").write_bytes(damaged)
        before = names(folder)
        ran = run(command, "bad.cauf")
        assert (ran.code, ran.out) == (3, ""), place
        assert len(ran.lines) == 1
        assert ran.err.startswith("caufc: bad.cauf: ")
        assert names(folder) == before


@pytest.mark.parametrize("command", ["decode", "info", "verify"])
def test_a_newer_version(run: Run, folder: Path, encoded: bytes, command: str) -> None:
    Path("new.cauf").write_bytes(encoded[:8] + bytes([encoded[8] + 1]) + encoded[9:])
    before = names(folder)
    ran = run(command, "new.cauf")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        "caufc: new.cauf: format version 2 is newer than 1, the newest that this caufc reads; upgrade caufc\n"
    )
    assert names(folder) == before


def test_version_0(run: Run, encoded: bytes) -> None:
    Path("old.cauf").write_bytes(encoded[:8] + bytes([0]) + encoded[9:])
    ran = run("info", "old.cauf")
    assert ran.code == 4
    assert ran.err.startswith("caufc: old.cauf: format version 0 is not known; this caufc reads 1; ")


@pytest.mark.parametrize("command", ["decode", "info", "verify"])
def test_what_is_no_cauf_file(run: Run, folder: Path, maps: Path, command: str) -> None:
    ran = run(command, maps)
    assert (ran.code, ran.out) == (3, "")
    assert len(ran.lines) == 1
    assert ran.err.startswith(
        "caufc: maps.npy: malformed at byte 0: not a CAUF file: it has no signature [CAUF-0010]; give a file"
    )
    ran = run(command, "missing.cauf")
    assert (ran.code, ran.err) == (1, "caufc: missing.cauf: no such file; check the path\n")
    assert names(folder) == ["maps.npy"]
