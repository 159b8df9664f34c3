"""``--codec hyperprior`` on the command line: what it says, and how it fails."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import Run

TINY = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0" / "profiles" / "tiny.caufw"


@pytest.fixture
def maps(folder: Path) -> Path:
    np.save(folder / "x.npy", np.random.default_rng(0).gamma(0.5, 1, (4, 7, 6, 5)).astype(np.float32))
    return folder / "x.npy"


@pytest.mark.usefixtures("maps")
def test_encode_info_verify_decode(run: Run, folder: Path) -> None:
    pytest.importorskip("torch")
    done = run("encode", "x.npy", "--codec", "hyperprior", "--weights", TINY, "--no-embed-weights", "--json")
    report = json.loads(done.out)
    assert done.code == 0 and report["codec"] == "hyperprior" and report["bpfp"] > 0
    needs = run("decode", "x.cauf", "-o", "back.npy")
    assert needs.code == 4
    assert f"x.cauf: needs weights {weights_id()}, which are not here; give them with --weights FILE" in needs.err
    assert run("decode", "x.cauf", "-o", "back.npy", "--weights", TINY).code == 0
    assert np.load(folder / "back.npy").shape == (4, 7, 6, 5)
    assert f"weights  {weights_id()}" in run("info", "x.cauf", "--weights", TINY).out
    assert '"symbols_sha256"' in run("verify", "--deep", "--json", "x.cauf", "--weights", TINY).out


def weights_id() -> str:
    return hashlib.sha256(TINY.read_bytes()).digest()[:16].hex()


@pytest.mark.usefixtures("maps")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--snr", "20"], "the hyperprior codec cannot meet --snr; use --quality, --bpfp, or --codec transform"),
        (["--lossless"], "the hyperprior codec cannot meet --lossless; use --quality, --bpfp, or --codec transform"),
        (["--max-error", "1"], "the hyperprior codec cannot meet --max-error"),
        (["--outliers", "lose"], "unknown way with outliers 'lose'; known: keep, clip"),
    ],
)
def test_what_it_cannot_do(run: Run, options: list[str], message: str) -> None:
    done = run("encode", "x.npy", "--codec", "hyperprior", "--weights", TINY, *options)
    assert done.code == 2 and message in done.err and len(done.lines) == 1
    assert not Path("x.cauf").exists()
