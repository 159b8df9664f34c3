"""Metadata, keyed samples and notes on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.numpy import save_file

import caufc
from caufc.cli.main import caufc as console

VALUES = np.random.default_rng(5).standard_normal((8, 6)).astype("f4")


def run(*arguments: Any) -> tuple[int, str, str]:
    done = CliRunner().invoke(console, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def test_metadata_of_safetensors_are_kept_and_given_back(tmp_path: Path) -> None:
    source, encoded, back = tmp_path / "x.safetensors", tmp_path / "x.cauf", tmp_path / "y.safetensors"
    save_file({"x": VALUES}, source, metadata={"format": "pt", "model": "größe"})
    code, _, said = run("encode", source, "-o", encoded, "--meta", "model=esm2", "--meta", "note=a=b", "--lossless")
    assert (code, said) == (0, "")
    wanted = {"format": "pt", "model": "esm2", "note": "a=b"}
    assert caufc.inspect(encoded).metadata == wanted
    assert json.loads(run("info", "--json", encoded)[1])["metadata"] == wanted
    assert "meta     note: a=b" in run("info", encoded)[1]
    assert run("decode", encoded, "-o", back)[0] == 0
    with safe_open(back, "np") as file:
        assert file.metadata() == wanted
        np.testing.assert_array_equal(file.get_tensor("x"), VALUES)
    code, _, said = run("decode", encoded, "-o", tmp_path / "y.npz")
    assert code == 0
    assert "warning" in said
    named = re.search(r"\.npz has no place for metadata \((.*)\): caufc info shows them", said)
    assert named and {*named[1].split(", ")} == {"format", "model", "note"}


@pytest.mark.parametrize(
    ("given", "words"), [(["a"], "not NAME=TEXT"), (["=b"], "not NAME=TEXT"), (["a=b", "a=c"], "given twice for 'a'")]
)
def test_metadata_that_are_none(tmp_path: Path, given: list[str], words: str) -> None:
    np.save(tmp_path / "x.npy", VALUES)
    options = [part for text in given for part in ("--meta", text)]
    code, _, said = run("encode", tmp_path / "x.npy", *options)
    assert (code, words in said) == (2, True)


def test_keyed_samples_and_the_choice_is_shown(tmp_path: Path) -> None:
    source, encoded = tmp_path / "x.npz", tmp_path / "x.cauf"
    arrays: dict[str, Any] = {f"p{i}": VALUES + np.float32(i) for i in range(40)}
    np.savez(source, **arrays)
    shown = run("encode", source, "-o", encoded)[1]
    assert "keyed  40 samples by key; --no-keyed makes them tensors of one sample" in shown
    assert "tensor: 40 samples of [8, 6] fp32" in shown
    assert json.loads(run("info", "--json", encoded)[1])["content"] == "keyed"
    assert run("verify", "--deep", encoded)[0] == 0
    assert run("decode", encoded, "-o", tmp_path / "y.npz")[0] == 0
    with np.load(tmp_path / "y.npz") as found:
        assert list(found) == [f"p{i}" for i in range(40)]
    report = json.loads(run("encode", source, "-o", encoded, "-f", "--no-keyed", "--json")[1])
    assert (report["content"], len(report["tensors"])) == ("batch", 40)
    np.save(tmp_path / "z.npy", VALUES)
    code, _, said = run("encode", tmp_path / "z.npy", "--keyed")
    assert (code, "has no keys" in said) == (2, True)


def test_notes_are_shown(tmp_path: Path) -> None:
    encoded = tmp_path / "x.cauf"
    caufc.save(encoded, {"x": VALUES, "label": "P1", "nan": float("nan"), "raw": b"\xff", "long": "x" * 99})
    shown = run("info", encoded)[1]
    assert "note     label: P1" in shown
    assert f"note     long: {'x' * 77}..." in shown
    notes = json.loads(run("info", "--json", encoded)[1])["notes"]
    assert notes == {"label": "P1", "nan": "nan", "raw": "b'\\xff'", "long": "x" * 99}
    code, _, said = run("decode", encoded, "-o", tmp_path / "y.npz")
    assert (code, "tensor 'nan': .npz cannot hold numbers, booleans, None" in said) == (2, True)
    code, _, said = run("decode", encoded, "-o", tmp_path / "y.safetensors")
    assert (code, "cannot hold text, numbers, booleans or None beside tensors" in said) == (2, True)


@pytest.mark.parametrize("name", ["feats", "feats.bin", "feats.ckpt"])
def test_files_without_a_telling_suffix(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        np.savez(file, x=VALUES)
    assert run("encode", tmp_path / name, "-o", tmp_path / "x.cauf", "--lossless")[0] == 0
    np.testing.assert_array_equal(caufc.load(tmp_path / "x.cauf")["x"], VALUES)
    (tmp_path / name).write_bytes(b"text")
    code, _, said = run("encode", tmp_path / name, "-o", tmp_path / "y.cauf")
    assert (code, "its first bytes are those of no feature file" in said) == (3, True)
