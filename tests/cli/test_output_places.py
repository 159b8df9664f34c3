"""Outputs that cannot be written: refused before inputs are read and work is done for them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from .conftest import Run, names

COMMANDS = [
    (("encode", "junk.npy"), ".cauf"),
    (("encode", "-"), ".cauf"),
    (("decode", "junk.cauf"), ".npy"),
    (("decode", "-"), ".npy"),
    (("fit", "junk.npy"), ".caufp"),
    (("train", "junk.npy"), ".caufw"),
    (("pack", "folder"), ".cauf"),
    (("show", "junk.cauf"), ".html"),
]
"""Commands on inputs that none can read, and what their outputs end in."""


@pytest.fixture(autouse=True)
def junk() -> None:
    Path("folder").mkdir()
    for name in ("junk.npy", "junk.cauf", "folder/junk.npy"):
        Path(name).write_bytes(b"junk")


@pytest.mark.parametrize(("command", "suffix"), COMMANDS)
def test_an_output_is_looked_at_first(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], suffix: str
) -> None:
    there, nowhere, here = f"there{suffix}", f"no/x{suffix}", f"x{suffix}"
    Path(there).write_text("precious")
    Path(f"folder{suffix}").mkdir()
    before = names(folder)
    ran = run(*command, "-o", there, stdin=b"junk")
    assert (ran.code, ran.out, ran.err) == (1, "", f"caufc: {there}: exists already; use --force\n")
    ran = run(*command, "-o", nowhere, stdin=b"junk")
    assert (ran.code, ran.err) == (1, f"caufc: {nowhere}: its folder does not exist; make the folder first\n")
    if command[0] not in ("encode", "decode"):  # which put outputs into it
        ran = run(*command, "-o", f"folder{suffix}", stdin=b"junk")
        assert (ran.code, ran.err) == (1, f"caufc: folder{suffix}: is a directory\n")
    monkeypatch.setattr(os, "access", lambda path, mode, **options: not mode & os.W_OK)
    ran = run(*command, "-o", here, stdin=b"junk")
    assert (ran.code, ran.err) == (1, f"caufc: {here}: its folder may not be written in; check its permissions\n")
    assert names(folder) == before


def test_the_log_of_a_training_too(run: Run) -> None:
    ran = run("train", "junk.npy", "-o", "x.caufw", "--log", "no/log.jsonl")
    assert (ran.code, ran.err) == (1, "caufc: no/log.jsonl: its folder does not exist; make the folder first\n")
    ran = run("train", "junk.npy", "-o", "x.caufw", "--log", "junk.npy")
    assert (ran.code, ran.err) == (2, "caufc: junk.npy: is both input and output; give another -o OUT\n")


def test_all_parts_of_a_split(run: Run, folder: Path) -> None:
    np.save("x.npy", np.zeros((8, 4), np.float32))
    assert run("encode", "x.npy", "--chunk", 2, "--quiet").code == 0
    Path("x-00002.cauf").write_text("precious")
    before = names(folder)
    ran = run("split", "x.cauf", "--parts", 4)
    assert (ran.code, ran.out, ran.err) == (1, "", "caufc: x-00002.cauf: exists already; use --force\n")
    assert names(folder) == before


def test_an_output_among_the_inputs_of_a_fit(run: Run) -> None:
    Path("x.caufp").write_bytes(b"junk")
    ran = run("fit", "junk.npy", "x.caufp", "-o", "x.caufp", "--force")
    assert (ran.code, ran.err) == (2, "caufc: x.caufp: is both input and output; give another -o OUT\n")


def test_what_fails_leaves_no_empty_folder(run: Run, folder: Path) -> None:
    np.save("x.npy", np.zeros((8, 4), np.float32))
    assert run("encode", "x.npy", "--quiet").code == 0
    before = sorted(folder.rglob("*"))
    for command in (
        ("split", "x.cauf", "--parts", 100, "-o", "new/parts"),
        ("split", "no/x.cauf", "--parts", 2),
        ("unpack", "x.cauf", "--only", "none", "-o", "new/samples"),
        ("unpack", "junk.cauf"),
        ("encode", "junk.npy", "-o", "new/out/"),
        ("encode", "folder", "-o", "new/out/"),
        ("decode", "junk.cauf", "-o", "new/out/"),
    ):
        assert run(*command).code > 0
        assert sorted(folder.rglob("*")) == before
    Path("kept").mkdir()
    assert run("split", "x.cauf", "--parts", 100, "-o", "kept").code == 2
    assert Path("kept").is_dir()
