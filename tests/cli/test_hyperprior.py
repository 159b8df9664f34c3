"""``--codec hyperprior`` on the command line: what it says, and how it fails."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from caufc.features import read

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
    assert f"x.cauf: needs weights {weights_id()}, which are not here; give them with --weights FILE\n" in needs.err
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


def test_a_file_without_loss_instead_is_told(run: Run) -> None:
    """A sparse map is smaller without loss than with the learned codec, at a quality that is not low."""
    pytest.importorskip("torch")
    demo = files("caufc") / "data" / "demo" / "efficientnet_lite0_last.safetensors"
    np.save("m.npy", next(leaf.read() for leaf in read(str(demo)).values()))
    asked = ("encode", "m.npy", "--codec", "hyperprior", "--json", "-f")
    said = "the file is without loss, not of the hyperprior codec, which "
    for options, why in (
        ((), "takes more: use --codec transform, or a lower quality"),
        (("--bpfp", 20), "does not take less within this rate: use --codec transform, or a lower rate"),
    ):
        done = run(*asked, *options)
        report = json.loads(done.out)
        assert (report["codec"], report["warnings"]) == ("lossless", [said + why])
        assert done.err == f"caufc: warning: m.npy: {said}{why}\n"
    report = json.loads(run(*asked, "--quality", "low").out)
    assert report["codec"] == "hyperprior"
    assert not any(said in warning for warning in report["warnings"])
    np.save("m.npy", np.arange(600).reshape(2, 300))
    assert json.loads(run(*asked).out)["warnings"] == []


def test_options_of_weights_need_the_codec(run: Run, maps: Path) -> None:
    for options, what in (
        (("--weights", TINY), "weights"),
        (("--no-embed-weights",), "weights"),
        (("--outliers", "clip"), "outliers"),
    ):
        done = run("encode", maps, *options)
        assert (done.code, done.out) == (2, "")
        assert done.err.endswith(f"the transform codec has no {what}; use --codec hyperprior\n")
