"""``caufc pack`` and ``unpack``: many feature files in one, by name, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc

from .conftest import Run

RNG = np.random.default_rng(0)


@pytest.fixture
def features() -> dict[str, Any]:
    """Files of several lengths in folders, with other files among them."""
    found = {}
    for name, length in (("P0001", 5), ("P0002", 9), ("more/P0003", 2), ("more/deep/P.4", 7)):
        path = Path("feats") / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        found[name] = RNG.normal(size=(length, 16)).astype("f4")
        np.save(path, found[name])
    Path("feats/README.md").write_text("not one of them")
    Path("feats/.hidden.npy").write_bytes(b"")
    return found


def test_there_and_back(run: Run, features: dict[str, Any]) -> None:
    ran = run("pack", "feats", "-o", "x.cauf", "--lossless", "--layout", "n c", "--json")
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert (report["samples"], report["content"], report["input"]) == (4, "keyed", "feats")
    with caufc.open("x.cauf") as reader:
        assert reader.keys() == sorted(features)
        np.testing.assert_array_equal(reader["more/P0003"], features["more/P0003"])
    ran = run("unpack", "x.cauf")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("x.cauf -> x: 4 files, ")
    for name, array in features.items():
        np.testing.assert_array_equal(np.load(f"x/{name}.npy"), array)


def test_dicts_and_formats(run: Run) -> None:
    Path("feats").mkdir()
    for number in range(3):
        np.savez(f"feats/{number}.npz", x=np.full((number + 1, 4), number, "f4"), y=np.int64(number))
    assert run("pack", "feats", "-o", "x.cauf", "--lossless", "--quiet").code == 0
    assert run("unpack", "x.cauf", "-o", "back", "--format", "safetensors").code == 0
    assert run("unpack", "x.cauf", "-o", "only", "--only", "y", "--json").code == 0
    assert int(np.load("only/2.npz")["y"]) == 2
    assert sorted(path.name for path in Path("back").iterdir()) == ["0.safetensors", "1.safetensors", "2.safetensors"]


def test_samples_without_keys_are_numbered(run: Run) -> None:
    caufc.save("x.cauf", np.arange(24).reshape(12, 2), lossless=True)
    assert run("unpack", "x.cauf").code == 0
    assert [path.name for path in sorted(Path("x").iterdir())] == [f"{number:02d}.npy" for number in range(12)]
    assert np.load("x/07.npy").tolist() == [14, 15]


def test_outputs_that_exist_are_found_before_anything_is_written(run: Run, features: dict[str, Any]) -> None:
    run("pack", "feats", "-o", "x.cauf", "--lossless")
    assert run("pack", "feats", "-o", "x.cauf", "--lossless").code == 1
    Path("x").mkdir()
    Path("x/P0002.npy").write_text("mine")
    ran = run("unpack", "x.cauf")
    assert (ran.code, ran.err) == (1, f"caufc: {Path('x/P0002.npy')}: exists already; use --force\n")
    assert [path.name for path in Path("x").iterdir()] == ["P0002.npy"]
    assert run("unpack", "x.cauf", "-f").code == 0
    np.testing.assert_array_equal(np.load("x/P0002.npy"), features["P0002"])


@pytest.mark.parametrize("key", ["../up", "/etc/x", "a/../../b", "C:\\x", "..\\x", "", "a\0b", "..", "\\\\host\\x"])
def test_keys_that_lead_elsewhere_are_refused(run: Run, folder: Path, key: str) -> None:
    caufc.save("x.cauf", {"fine": np.zeros(3), key: np.zeros(3)}, lossless=True, keyed=True)
    ran = run("unpack", "x.cauf", "-o", "out")
    assert ran.code == 2
    assert "is no path within a folder" in ran.err
    assert not (folder / "out").exists()


def test_keys_that_make_one_file_are_refused(run: Run) -> None:
    caufc.save("x.cauf", {1: np.zeros(3), "1": np.zeros(3)}, lossless=True, keyed=True)
    assert "make one file" in run("unpack", "x.cauf").err


@pytest.mark.usefixtures("features")
def test_what_pack_refuses(run: Run) -> None:
    np.save("feats/odd.npy", np.zeros((3, 16), "f8"))
    ran = run("pack", "feats", "-o", "x.cauf")
    assert ran.code == 2
    assert ran.err.startswith("caufc: feats/odd.npy: tensor 'odd': differs from the first in structure, dtype")
    Path("feats/odd.npy").unlink()
    np.savez("feats/P0001.npz", x=np.zeros(3))
    assert (
        "feats/P0001.npz: would have the key 'P0001', and so would feats/P0001.npy"
        in run("pack", "feats", "-o", "x.cauf").err
    )
    assert run("pack", "feats", "-o", "x.cauf", "--format", "npy", "--lossless").code == 0
    Path("empty").mkdir()
    for source, code in (("empty", 1), ("none", 1)):
        assert run("pack", source, "-o", "y.cauf").code == code
    assert run("pack", "feats", "-o", "y.cauf", "--format", "npy", "--snr", "3", "--bpfp", "1").code == 2


def test_folders_and_patterns_are_inputs(run: Run, features: dict[str, Any]) -> None:
    ran = run("encode", "feats", "-o", "out", "--lossless")
    assert ran.code == 0, ran.err
    assert sorted(str(path) for path in Path("out").rglob("*.cauf")) == [
        f"out/{name}.cauf" for name in sorted(features)
    ]
    assert run("encode", "feats/P*.npy", "-o", "two/", "--lossless").code == 0
    assert sorted(str(path) for path in Path("two").rglob("*.cauf")) == [f"two/feats/P000{n}.cauf" for n in (1, 2)]
    ran = run("info", "out", "--json")
    assert [file["file"] for file in json.loads(ran.out)["files"]] == [f"out/{name}.cauf" for name in sorted(features)]
    assert run("verify", "out/**/*.cauf", "--deep").code == 0
    assert run("decode", "out", "-o", "back/", "--format", "npy").code == 0
    for name, array in features.items():
        np.testing.assert_array_equal(np.load(f"back/{name}.npy"), array)
    Path("empty").mkdir()
    for command in (["encode", "empty"], ["info", "empty"], ["verify", "none*"], ["decode", "empty"]):
        assert run(*command).code == 1, command


def test_a_file_of_other_channels_is_named(run: Run, folder: Path) -> None:
    """It keeps the layout of all others from being that of the whole."""
    rng = np.random.default_rng(0)
    (folder / "y").mkdir()
    for number in range(20):
        walk = np.cumsum(rng.standard_normal((rng.integers(3, 60), 32)), 0)
        np.save(folder / "y" / f"{number:02}.npy", walk.astype(np.float32))
    ran = run("pack", "y", "-o", "y.cauf")
    assert (ran.code, ran.err) == (0, "") and "layout 'n c'" in ran.out
    assert "  keyed  20 samples by key; caufc unpack makes files of them again\n" in ran.out
    np.save(folder / "y" / "odd.npy", rng.standard_normal((3, 33)).astype(np.float32))
    odd = Path("y/odd.npy")
    ran = run("pack", "y", "-o", "y.cauf", "-f")
    assert ran.code == 0 and "layout 'h w'" in ran.out
    assert ran.err == (
        f"caufc: warning: y: {odd} has 33 channels, most have 32: the layout of all is 'h w' in place of 'n c', which "
        "mostly takes many more bytes; pack files of other channels apart\n"
    )
    ran = run("pack", "y", "-o", "y.cauf", "-f", "--layout", "n c")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"caufc: {odd}: layout 'n c': samples have 32 to 33 channels; ")
    assert run("pack", "y", "-o", "y.cauf", "-f", "--lossless").err == ""
    assert run("pack", "y", "-o", "y.cauf", "-f", "--layout", "h w").err == ""
