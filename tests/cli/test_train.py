"""What `caufc train` says before it trains; `tests/train` trains."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from caufc.cli.main import caufc as command


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("features") / "maps.npy"
    np.save(path, np.random.default_rng(0).normal(size=(4, 8, 4, 4)).astype(np.float32))
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(command, ["train", *map(str, words)])


def test_weights_end_in_their_suffix(maps: Path, tmp_path: Path) -> None:
    done = run(maps, "-o", tmp_path / "w.bin")
    assert done.exit_code == 2 and "end it in .caufw" in done.output


@pytest.mark.parametrize("lambdas", ["1,0.1", "0.1,0.1", "0,1", "nan", "few", "", ",".join(map(str, range(1, 66)))])
def test_lambdas_ascend(maps: Path, tmp_path: Path, lambdas: str) -> None:
    done = run(maps, "-o", tmp_path / "w.caufw", "--lambdas", lambdas)
    assert done.exit_code == 2 and f"lambdas '{lambdas}'" in done.output and "ascending: 0.01,0.1" in done.output


def test_what_is_there_stays(maps: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.caufw"
    out.write_bytes(b"mine")
    done = run(maps, "-o", out)
    assert done.exit_code == 1 and "--force" in done.output and out.read_bytes() == b"mine"


def test_a_missing_package_is_named(maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compressai", None)
    done = run(maps, "-o", tmp_path / "w.caufw")
    assert done.exit_code == 2 and "pip install 'caufc[train]'" in done.output and not (tmp_path / "w.caufw").exists()
