"""``caufc decode``: structure, names, shapes and dtypes come back, in all formats."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc import catalog

from .conftest import Run, names

torch = pytest.importorskip("torch")


def read(path: str) -> Any:
    if path.endswith(".npy"):
        return np.load(path)
    if path.endswith(".npz"):
        return dict(np.load(path))
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, weights_only=True)


def same(one: Any, other: Any) -> bool:
    """Whether two objects agree in structure, names, dtypes and every bit."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())


STRUCTURES: dict[str, Any] = {
    "tensor": lambda: torch.arange(24.0).reshape(4, 6),
    "bf16": lambda: torch.arange(24.0).reshape(4, 6).bfloat16(),
    "fp16": lambda: torch.arange(24.0).reshape(4, 6).half(),
    "ragged": lambda: [torch.randn(length, 8) for length in (3, 0, 5)],
    "tuple": lambda: (torch.randn(2, 8), torch.randn(4, 8)),
    "dicts": lambda: [{"a": torch.randn(2, 3), "i": torch.arange(length)} for length in (1, 2)],
    "nested": lambda: {"kv": {"k": torch.randn(3, 4), 7: torch.arange(3)}, "z": torch.zeros(3, dtype=torch.bool)},
    "single": lambda: {"a": torch.randn(3, 4), "b": torch.randn(5)},
    "scalar": lambda: torch.tensor(3.0),
    "empty": lambda: torch.zeros(0, 4),
    "nothing": lambda: {},
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_come_back(run: Run, name: str) -> None:
    torch.manual_seed(0)
    features = STRUCTURES[name]()
    torch.save(features, "x.pt")
    assert run("encode", "x.pt", "--lossless", "--chunk", 1).code == 0
    ran = run("decode", "x.cauf", "-o", "back.pt")
    assert (ran.code, ran.err) == (0, "")
    assert same(features, read("back.pt"))


@pytest.mark.parametrize("before", [".pt", ".npz", ".safetensors"])
@pytest.mark.parametrize("after", [".pt", ".npz", ".safetensors"])
def test_dicts_in_and_out_of_all_formats(run: Run, before: str, after: str) -> None:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {"a": rng.standard_normal((5, 3, 4)).astype(np.float32), "ids": np.arange(5)}
    tensors = {name: torch.from_numpy(array) for name, array in values.items()}
    if before == ".npz":
        np.savez("x.npz", **values)
    elif before == ".pt":
        torch.save(tensors, "x.pt")
    else:
        from safetensors.torch import save_file

        save_file(tensors, "x.safetensors")
    assert run("encode", f"x{before}", "--lossless", "--chunk", 2).code == 0
    assert run("decode", "x.cauf", "-o", f"back{after}").code == 0
    assert same(values if after == ".npz" else tensors, dict(sorted(read(f"back{after}").items())))


def test_arrays_in_and_out(run: Run, maps: Path, folder: Path) -> None:
    assert run("encode", maps, "--lossless", "--chunk", 4).code == 0
    ran = run("decode", "maps.cauf", "-o", "back.npy", "--json")
    data = json.loads(ran.out)
    assert data.pop("seconds") >= 0
    assert data == {
        "input": "maps.cauf",
        "output": "back.npy",
        "format": ".npy",
        "samples": 6,
        "tensors": 1,
        "numel": 2400,
        "bytes_in": Path("maps.cauf").stat().st_size,
        "bytes_out": 9600,
        "lost": [],
    }
    assert Path("back.npy").read_bytes() == maps.read_bytes()
    assert run("decode", "maps.cauf", "-o", "back.dat", "--format", "npy", "--quiet").out == ""
    assert Path("back.dat").read_bytes() == maps.read_bytes()
    ran = run("decode", "maps.cauf")
    assert (ran.code, ran.err) == (1, "caufc: maps.npy: exists already; use --force\n")
    Path("maps.cauf").rename("m.cauf")
    ran = run("decode", "m.cauf")
    assert ran.out.startswith("m.cauf -> m.npy: 6 samples of 1 tensor, ")
    assert Path("m.npy").read_bytes() == maps.read_bytes()
    assert names(folder) == ["back.dat", "back.npy", "m.cauf", "m.npy", "maps.npy"]


def test_the_bytes_out_are_those_of_the_values(run: Run) -> None:
    torch.save([{"a": torch.ones(length, 8)} for length in (3, 0, 5)], "x.pt")
    assert run("encode", "x.pt", "--lossless").code == 0
    assert json.loads(run("decode", "x.cauf", "-o", "y.pt", "--json").out)["bytes_out"] == 4 * 8 * 8
    ran = run("decode", "x.cauf", "-o", "z.pt")
    assert re.fullmatch(r"x.cauf -> z.pt: .* -> 256 B, [0-9.]+ s\n", ran.out)  # so few bytes have no speed


def test_a_speed_for_a_megabyte(run: Run) -> None:
    np.save("x.npy", np.zeros((250_000, 1), np.float32))
    assert re.search(r"time   [0-9.]+ s, [0-9.]+ MB/s\n", run("encode", "x.npy", "--lossless").out)
    assert run("decode", "x.cauf", "-f").out.endswith(" MB/s\n")


def test_an_input_whose_name_does_not_tell(run: Run, maps: Path) -> None:
    maps.rename("maps.dat")
    assert run("encode", "maps.dat").code == 2
    assert run("encode", "maps.dat", "--format", "npy").code == 0
    assert caufc.load("maps.cauf").shape == (6, 16, 5, 5)


def test_several_files_into_a_folder(run: Run, maps: Path, folder: Path) -> None:
    run("encode", maps, "-o", "a.cauf")
    run("encode", maps, "-o", "b.cauf")
    ran = run("decode", "a.cauf", "missing.cauf", "b.cauf", "-o", "back", "--format", ".npy", "--json")
    assert (ran.code, ran.err) == (1, "caufc: missing.cauf: no such file; check the path\n")
    files = json.loads(ran.out)["files"]
    assert [file.get("exit_code") for file in files] == [None, 1, None]
    assert names(folder / "back") == ["a.npy", "b.npy"]
    assert run("decode", "a.cauf", "-o", "other/").code == 0
    assert names(folder / "other") == ["a.npy"]


def test_a_profile_that_is_not_here(run: Run, minilm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file names the shipped profile that it relies on; without it, the error says which one is missing."""
    folder = resources.files("caufc") / "data" / "profiles"
    index = json.loads((folder / "index.json").read_text("utf-8"))
    torch.save([torch.from_numpy(np.array(text)) for text in minilm], "texts.pt")
    assert run("encode", "texts.pt", "-o", "x.cauf", "--profile", "minilm-hidden3").code == 0
    assert run("decode", "x.cauf").code == 0
    Path("kept.caufp").write_bytes((folder / f"{index['minilm-hidden3']}.caufp").read_bytes())
    monkeypatch.setattr(catalog.Shelf, "data", lambda shelf, digest: None)
    for command in (["decode", "-f"], ["info"], ["verify"]):
        ran = run(*command, "x.cauf")
        assert (ran.code, ran.out) == (4, "")
        assert ran.err.startswith("caufc: x.cauf: needs profile ")
        assert ran.err.endswith(", which is not here; give it with --profile FILE\n")
    assert run("decode", "x.cauf", "-o", "y.pt", "--profile", "kept.caufp").code == 0
    assert run("info", "x.cauf", "--profile", "kept.caufp").code == 0
    assert same(read("x.pt"), read("y.pt"))
