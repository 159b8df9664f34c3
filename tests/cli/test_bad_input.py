"""What bad input gets: one line that names the file and the remedy, the right exit code, and no output."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import Run, names

torch = pytest.importorskip("torch")

LAYOUTS = "examples: 'b c h w', 'b (1 + h w) c', 'b n c'"
WROTE = "give a file that torch.save, numpy.save or safetensors wrote, or name its format"
NO_PICKLE = "no pickle of protocol 2 to 5"
SUFFIXES = ".npy, .npz, .pt, .pth, .safetensors, .h5, .hdf5, .parquet"


class Evil:
    """Unpickling it makes a file."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, ("pwned", "w")


def _with_nan() -> Any:
    values = torch.randn(4, 8, 3, 3)
    values[1, 2, 0, 0], values[2, 0, 0, 0] = float("nan"), float("inf")
    return {"kv": {"keys": values}}


def _pickle(path: str) -> None:
    with Path(path).open("wb") as file:
        pickle.dump(Evil(), file)


OBJECTS = np.array([{}, 1], dtype=object)
INPUTS: dict[str, Callable[[str], object]] = {
    "feats.xyz": lambda path: Path(path).write_bytes(b"abc"),
    "coded.cauf": lambda path: Path(path).write_bytes(b"abc"),
    "scalar.pt": lambda path: torch.save({"n": 3}, path),
    "feats": lambda path: Path(path).write_bytes(b"abc"),
    "junk.pt": lambda path: Path(path).write_bytes(b"hello world" * 99),
    "junk.npy": lambda path: Path(path).write_bytes(b"hello world" * 99),
    "junk.npz": lambda path: Path(path).write_bytes(b"hello world" * 99),
    "junk.safetensors": lambda path: Path(path).write_bytes(b"hello world" * 99),
    "empty.pt": lambda path: Path(path).touch(),
    "folder.pt": lambda path: Path(path).mkdir(),
    "objects.npy": lambda path: np.save(path, OBJECTS, allow_pickle=True),
    "objects.npz": lambda path: np.savez(path, a=np.zeros(3), o=OBJECTS),
    "sparse.pt": lambda path: torch.save({"ok": torch.zeros(3), "s": torch.eye(3).to_sparse()}, path),
    "quantised.pt": lambda path: torch.save({"q": torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)}, path),
    "text.pt": lambda path: torch.save({"t": "hello"}, path),
    "evil.pt": lambda path: torch.save({"e": Evil()}, path),
    "pickle.pt": _pickle,
    "nan.pt": lambda path: torch.save(_with_nan(), path),
}

CASES = [
    ("missing.pt", 1, "missing.pt: no such file; check the path"),
    ("folder.pt", 1, "folder.pt: is a directory"),
    ("feats.xyz", 2, f"feats.xyz: unknown format '.xyz'; known: {SUFFIXES}"),
    ("coded.cauf", 2, "coded.cauf: unknown format '.cauf'; it is encoded already: caufc decode gives its features"),
    ("scalar.pt", 2, "scalar.pt: a dict without a tensor; give numpy arrays or torch tensors"),
    (
        "feats",
        3,
        "feats: its first bytes are those of no feature file; caufc reads .npy, .npz, .pt, .safetensors, .h5, .parquet",
    ),
    ("junk.pt", 3, f"junk.pt: not a file of torch.save, and {NO_PICKLE}; {WROTE}"),
    ("junk.npy", 3, "junk.npy: "),
    ("junk.npz", 3, "junk.npz: "),
    ("junk.safetensors", 3, "junk.safetensors: "),
    ("empty.pt", 3, "empty.pt: is empty; write it again"),
    (
        "pickle.pt",
        3,
        "pickle.pt: the pickle needs code to be read, which caufc never runs: io.open; save tensors, arrays",
    ),
    ("evil.pt", 3, "evil.pt: tensor 'e': the pickle needs code to be read, which caufc never runs: io.open; save"),
    ("objects.npy", 2, "objects.npy: is an array of Python objects; caufc never unpickles; store the inner arrays"),
    ("objects.npz", 2, "objects.npz: tensor 'o': is an array of Python objects; caufc never unpickles; store the"),
    ("sparse.pt", 2, "sparse.pt: tensor 's': is sparse; store .to_dense()"),
    ("quantised.pt", 2, "quantised.pt: tensor 'q': is a quantised tensor; store .dequantize() or .int_repr()"),
    ("text.pt", 2, "text.pt: a dict without a tensor; give numpy arrays"),
    ("nan.pt", 2, "nan.pt: tensor 'kv.keys': holds 1 NaN and 1 Inf in the chunk from sample 0; use --nonfinite keep"),
]


@pytest.mark.parametrize(("name", "code", "message"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.filterwarnings("ignore")
def test_inputs(run: Run, folder: Path, name: str, code: int, message: str) -> None:
    if name in INPUTS:
        INPUTS[name](name)
    before = names(folder)
    ran = run("encode", name)
    assert (ran.code, ran.out) == (code, "")
    assert len(ran.lines) == 1
    assert ran.err.startswith(f"caufc: {message}")
    if code != 1:
        assert "; " in ran.err
    assert names(folder) == before  # and "pwned" is not among them


OPTIONS = [
    ("--arch no/such", "maps.npy: unknown arch 'no/such'; known: generic, hf"),
    ("--arch timm/resnet50 --tap layr4", "maps.npy: unknown tap 'layr4'; did you mean 'layer4'? known: layer1, layer2"),
    ("--tap layer4", "maps.npy: a tap without an architecture; name it with --arch"),
    ("--profile no-such", "maps.npy: unknown profile 'no-such'; known: "),
    ("--codec none", "maps.npy: unknown codec 'none'; known: transform"),
    ("--quality best", "maps.npy: quality 'best'; a number from 0 to 100, or one of low, medium, high"),
    ("--quality 101", "maps.npy: quality is 0 to 100, not 101; see --help"),
    ("--snr nan", "maps.npy: snr is -20 to 300, not nan; see --help"),
    ("--snr high", "maps.npy: snr 'high'; dB, such as 30, or 30/token for every token"),
    ("--snr 20/sample", "maps.npy: snr '20/sample'; dB, such as 30, or 30/token for every token"),
    ("--snr 20 --bpfp 2", "maps.npy: --snr and --bpfp are two rate controls; give one"),
    ("--lossless --max-error 0.1", "maps.npy: --max-error and --lossless are two rate controls; give one"),
    ("--nonfinite maybe", "maps.npy: unknown way with NaN and Inf 'maybe'; known: error, keep"),
    ("--chunk 0", "maps.npy: 0 samples a chunk; 1 to 65,536"),
    ("--layout b_n_c", f"maps.npy: layout 'b_n_c': axes are separated by spaces; {LAYOUTS}"),
    ("--layout bcn", f"maps.npy: layout 'bcn': axes are separated by spaces; {LAYOUTS}"),
    ("--layout x=bcn", f"maps.npy: tensor 'x': layout 'bcn': axes are separated by spaces; {LAYOUTS}"),
    ("--layout b~n~c", "maps.npy: layout 'b n c' does not fit samples of shape (16, 5, 5); give one with 3 axes"),
    ("--layout y=b~c", "maps.npy: no tensor 'y': there is one, without a name; give the value alone"),
    ("--layout b~c --layout b~n", "maps.npy: --layout is given twice for all tensors; use --layout NAME=VALUE for one"),
    ("--align foo", "maps.npy: unknown alignment 'foo'; one of none, min-max"),
    ("--truncate 3", "maps.npy: '3' is not a range; give LO,HI, as in --truncate -3,3"),
    ("--truncate 3,1", "maps.npy: a truncation range is two finite numbers, the lower first"),
    ("--truncate 0,1 --max-error 0.1", "maps.npy: truncation and an error bound contradict each other; leave one out"),
    ("--shard 1/2", "maps.npy: there is one input, and no list; leave --shard out"),
    ("-f --skip-existing", "--force and --skip-existing contradict each other; give one"),
    ("-o v.npy", "v.npy: a .cauf file under a name that ends in .npy; name it .cauf"),
    ("-o v.PTH -f", "v.PTH: a .cauf file under a name that ends in .PTH; name it .cauf"),
    ("--profile maps.npy", "maps.npy: not a profile (.caufp); give a .caufp file, or the name of a profile"),
    ("-o maps.npy -f", "maps.npy: is both input and output; give another -o OUT"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS, ids=[case[0] for case in OPTIONS])
def test_options(run: Run, folder: Path, maps: Path, options: str, message: str) -> None:
    ran = run("encode", maps, *(option.replace("~", " ") for option in options.split()))
    assert (ran.code, ran.out) == (3 if "not a profile" in message else 2, "")
    assert len(ran.lines) == 1
    assert ran.err.startswith(f"caufc: {message}")
    assert names(folder) == ["maps.npy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["encode"], "Missing argument 'SRC...'; see 'caufc encode --help'"),
        (["encode", "x.pt", "--bpfp", "high"], "Invalid value for '--bpfp': 'high' is not a valid float; see"),
        (["encode", "x.pt", "--no-such"], "No such option"),
        (["encode", "x.pt", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["encode", "x.pt", "--layout"], "Option '--layout' requires an argument"),
        (["no-such"], "No such command 'no-such'"),
    ],
)
def test_usage(run: Run, folder: Path, arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.lines) == 1
    assert ran.err.startswith(f"caufc: {message}")
    command = "" if arguments[0].startswith("-") or arguments[0] == "no-such" else f" {arguments[0]}"
    assert ran.err.endswith(f"; see 'caufc{command} --help'\n")
    assert names(folder) == []


def test_an_output_that_exists(run: Run, folder: Path, maps: Path) -> None:
    Path("maps.cauf").write_text("precious")
    ran = run("encode", maps)
    assert (ran.code, ran.out, ran.err) == (1, "", "caufc: maps.cauf: exists already; use --force\n")
    assert Path("maps.cauf").read_text() == "precious"
    ran = run("encode", maps, "-o", "no/such/x.cauf")
    assert (ran.code, ran.err) == (1, "caufc: no/such/x.cauf: its folder does not exist; make the folder first\n")
    assert run("encode", maps, "--force").code == 0
    Path("maps.cauf").rename("m.cauf")
    Path("m.npy").write_text("precious")
    ran = run("decode", "m.cauf")
    assert (ran.code, ran.out, ran.err) == (1, "", "caufc: m.npy: exists already; use --force\n")
    assert Path("m.npy").read_text() == "precious"
    assert names(folder) == ["m.cauf", "m.npy", "maps.npy"]


def test_a_decoded_format_that_does_not_exist_or_hold_it(run: Run, folder: Path) -> None:
    torch.save({"kv": {"k": torch.randn(3, 4, dtype=torch.bfloat16)}}, "nested.pt")
    assert run("encode", "nested.pt", "--quiet").code == 0
    cases = [
        ("x.xyz", f"x.xyz: unknown format '.xyz'; known: {SUFFIXES}"),
        ("x", "x: has no suffix that tells the format; give --format, as .npy or .pt"),
        ("x.npy", "x.npy: tensor 'kv.k': .npy cannot hold bf16; write .pt"),
        ("x.safetensors", "x.safetensors: tensor 'kv': .safetensors cannot hold a dict inside a dict; write .pt"),
    ]
    for output, message in cases:
        ran = run("decode", "nested.cauf", "-o", output)
        assert (ran.code, ran.out, ran.err) == (2, "", f"caufc: {message}\n")
    assert names(folder) == ["nested.cauf", "nested.pt"]


def test_what_a_terminal_would_obey_is_replaced(run: Run) -> None:
    ran = run("encode", "\x1b[31mred.pt")
    assert ran.err == "caufc: ?[31mred.pt: no such file; check the path\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk(run: Run, maps: Path, start: Callable[..., Any]) -> None:
    ran = run("encode", maps, "-o", "/dev/full")
    assert (ran.code, ran.err) == (1, "caufc: /dev/full: no space left on device\n")
    with Path("/dev/full").open("wb") as full:
        process = start("encode", maps, "-o", "-", "--quiet", stdout=full)
        assert process.communicate()[1] == b"caufc: -: no space left on device\n"
        assert process.returncode == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may do all")
def test_a_file_that_may_not_be_read(run: Run, maps: Path) -> None:
    maps.chmod(0)
    ran = run("encode", maps)
    assert (ran.code, ran.err) == (1, "caufc: maps.npy: permission denied; check its permissions\n")
