"""What works without torch, and what says that it needs it; its absence is simulated in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import MissingPackageError
from caufc.features.formats import default_suffix
from caufc.types import Branch, Framework, Structure

ROOT = Path(caufc.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
NOTHING = "import sys; sys.modules['torch'] = None\n"
"""After this, torch can be neither found nor imported."""

NO_ML_DTYPES = "sys.modules['ml_dtypes'] = None\n"
NEEDS = "needs torch, which is not installed; pip install torch"

LONE, PAIR = 0, Branch("dict", ("a", "b"), (0, 1))
NESTED = Branch("dict", ("a",), (PAIR,))


def without_torch(code: str, *arguments: object, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process where torch is missing."""
    command = [sys.executable, "-c", NOTHING + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=ok, env=ENVIRONMENT)


def console(*arguments: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command line where torch is missing."""
    ran = without_torch("from caufc.cli.main import main; main()", *arguments, ok=False)
    return ran.returncode, ran.stdout, ran.stderr


def as_torch(features: Any) -> bytes:
    """A file of torch tensors, made from leaves that say that they are."""
    code = (
        "import sys, numpy as np, caufc\n"
        "from caufc.features import ArrayLeaf\n"
        "x = np.arange(24, dtype='<u2').reshape(4, 6); f = x.astype('f4')\n"
        f"features = {features}\n"
        "sys.stdout.buffer.write(caufc.encode(features, lossless=True))"
    )
    ran = subprocess.run([sys.executable, "-c", NOTHING + code], capture_output=True, check=True, env=ENVIRONMENT)
    return ran.stdout


T = "ArrayLeaf(f, 'fp32', 'torch')"
BF16 = "ArrayLeaf(x, 'bf16', 'torch')"


def test_numpy_goes_in_and_out_of_every_file_and_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, caufc, safetensors.numpy\n"
        "from pathlib import Path\n"
        "from caufc.cli.main import caufc as group\n"
        "folder = Path(sys.argv[1])\n"
        "x = np.random.default_rng(0).normal(size=(90, 9)).astype('f4')\n"
        "np.save(folder / 'a.npy', x); np.savez(folder / 'b.npz', x=x)\n"
        "safetensors.numpy.save_file({'x': x}, folder / 'c.safetensors')\n"
        "for name, back in (('a.npy', 'd.npy'), ('b.npz', 'd.npz'), ('c.safetensors', 'd.safetensors')):\n"
        "    for words in (['encode', name, '-o', 'x.cauf', '-f'], ['decode', 'x.cauf', '-o', back]):\n"
        "        words = [str(folder / word) if '.' in word else word for word in words] + ['--quiet']\n"
        "        try: group(words)\n"
        "        except SystemExit as end: assert not end.code, words\n"
        "caufc.decode(caufc.encode([x, x])); caufc.verify(caufc.encode({'x': x}), deep=True)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=ENVIRONMENT)
    assert {path.name for path in tmp_path.iterdir()} >= {"d.npy", "d.npz", "d.safetensors"}


def test_torch_tensors_come_back_as_arrays_with_a_warning() -> None:
    code = (
        "import warnings, caufc\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always')\n"
        "    found = caufc.decode(bytes.fromhex(sys.argv[1]))\n"
        "print(type(found['a']).__module__, found['a'].dtype, found['b'].dtype)\n"
        "print(*[f'{one.category.__name__}: {one.message}' for one in told], sep='|')"
    )
    data = as_torch(f"{{'a': {T}, 'b': {BF16}}}").hex()
    bits = "torch is not installed: torch tensors come back as numpy arrays, bf16 as its bits, uint16"
    ran = without_torch(NO_ML_DTYPES + code, data)
    assert ran.stdout.splitlines() == ["numpy float32 uint16", f"MissingPackageWarning: {bits}"]
    pytest.importorskip("ml_dtypes")
    assert without_torch(code, data).stdout.splitlines() == [
        "numpy float32 bfloat16",
        f"MissingPackageWarning: {bits.replace('its bits, uint16', 'ml_dtypes.bfloat16')}",
    ]


def test_arrays_of_ml_dtypes_come_back_as_bits_where_nothing_knows_bf16() -> None:
    data = as_torch("ArrayLeaf(x, 'bf16', 'numpy')").hex()
    code = (
        "import warnings, caufc; warnings.simplefilter('error')\n"
        "try: caufc.decode(bytes.fromhex(sys.argv[1]))\n"
        "except caufc.MissingPackageWarning as told: print(told)"
    )
    assert without_torch(NO_ML_DTYPES + code, data).stdout == ("torch is not installed: bf16 as its bits, uint16\n")


def test_pt_files_say_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"any")
    (tmp_path / "z.cauf").write_bytes(as_torch(T))
    for words in (["encode", tmp_path / "x.pt"], ["decode", tmp_path / "z.cauf", "-o", tmp_path / "y.pt"]):
        code, out, err = console(*words)
        name = words[-1]
        assert (code, out, err) == (4, "", f"caufc: {name}: a .pt file {NEEDS}\n")
    assert not (tmp_path / "y.pt").exists()


def test_the_learned_codec_says_what_it_needs(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 32)).astype("f4"))
    code, _, err = console("encode", tmp_path / "x.npy", "--codec", "hyperprior")
    assert (code, err) == (4, f"caufc: {tmp_path / 'x.npy'}: the learned codec {NEEDS}\n")


def test_files_of_the_learned_codec_are_verified_without_torch_and_not_decoded(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "x.cauf"
    caufc.save(path, np.random.default_rng(0).normal(size=(20, 32)).astype("f4"), codec="hyperprior")
    assert console("info", path)[0] == console("verify", "--deep", path)[0] == 0
    assert console("decode", path) == (4, "", f"caufc: {path}: the learned codec {NEEDS}\n")


@pytest.mark.parametrize(
    ("features", "suffix"),
    [
        (f"{{'a': {T}, 'b': {BF16}}}", ".safetensors"),
        (f"{{'__metadata__': {T}}}", ".npz"),
        (T, ".npy"),
    ],
)
def test_decode_writes_torch_tensors_in_what_is_there(tmp_path: Path, features: str, suffix: str) -> None:
    path = tmp_path / "x.cauf"
    path.write_bytes(as_torch(features))
    code, _, err = console("decode", path)
    warning = f"caufc: warning: {path}: torch is not installed: its tensors are written as {suffix}\n"
    assert (code, err) == (0, warning)
    assert path.with_suffix(suffix).is_file()
    assert console("decode", path, "--quiet", "-f")[2] == ""


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (f"[{T}, {T}]", "a list of samples, which only .pt can hold, "),
        (f"{{'a': {{'b': {T}}}}}", "tensor 'a': a dict inside a dict, which only .pt can hold, "),
        (BF16, "a tensor without a name, which only .pt can hold, "),
    ],
)
def test_decode_names_what_is_needed(tmp_path: Path, features: str, message: str) -> None:
    path = tmp_path / "x.cauf"
    path.write_bytes(as_torch(features))
    assert console("decode", path) == (4, "", f"caufc: {path}: {message}{NEEDS}\n")
    assert [one.name for one in tmp_path.iterdir()] == ["x.cauf"]


def test_decode_to_stdout_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    path.write_bytes(caufc.encode(np.arange(12.0).reshape(3, 4), lossless=True))
    code = NOTHING + "from caufc.cli.main import main; main()"
    command = [sys.executable, "-c", code, "decode", str(path), "-o", "-", "--quiet"]
    assert subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT).stdout.startswith(b"\x93NUMPY")


def test_what_plugins_write_without_torch_is_told(tmp_path: Path) -> None:
    """A plugin's format takes what there is; the console says that it is not what went in."""
    path = tmp_path / "x.cauf"
    path.write_bytes(as_torch(T))
    code = (
        "from caufc import FeatureFormat, files; from caufc.cli import decode\n"
        "raw = FeatureFormat('.raw', print, lambda path, array: path.write_bytes(array.tobytes()))\n"
        "files.plugin_formats = decode.plugin_formats = lambda suffix: [raw]\n"
        "from caufc.cli.main import main; main()"
    )
    ran = without_torch(code, "decode", path, "-o", tmp_path / "x.raw")
    assert ran.stderr == "caufc: warning: torch is not installed: torch tensors come back as numpy arrays\n"
    assert (tmp_path / "x.raw").read_bytes() == np.arange(24, dtype="f4").tobytes()


def test_the_demo_and_bench_run_without_torch() -> None:
    code, out, err = console("demo", "--json")
    assert (code, err) == (0, "") and "minilm_hidden3.safetensors" in out
    demo = ROOT / "caufc" / "data" / "demo" / "efficientnet_lite0_last.safetensors"
    code, _, err = console("bench", demo, "--samples", 1)
    assert (code, err) == (0, "caufc: warning: torch is not installed: torch tensors come back as numpy arrays\n")


@pytest.mark.parametrize(
    ("structure", "dtypes", "frameworks", "with_torch", "without"),
    [
        (Structure("batch", LONE), ["fp32"], ["numpy"], ".npy", ".npy"),
        (Structure("single", LONE), ["fp32"], ["numpy"], ".npy", ".npy"),
        (Structure("batch", PAIR), ["fp32", "bool"], ["numpy", "numpy"], ".npz", ".npz"),
        (Structure("batch", PAIR), ["fp32", "bf16"], ["numpy", "numpy"], ".pt", ".safetensors"),
        (Structure("list", LONE), ["fp32"], ["numpy"], ".pt", None),
        (Structure("single", NESTED), ["fp32", "fp32"], ["numpy", "numpy"], ".pt", None),
        (Structure("batch", LONE), ["fp32"], ["torch"], ".pt", ".npy"),
        (Structure("batch", LONE), ["bf16"], ["torch"], ".pt", None),
        (Structure("batch", PAIR), ["fp32", "bf16"], ["torch", "numpy"], ".pt", ".safetensors"),
        (Structure("tuple", PAIR), ["fp32", "fp32"], ["torch", "torch"], ".pt", None),
        (Structure("single", Branch("dict", (), ())), [], [], ".pt", ".safetensors"),
    ],
)
def test_default_suffix(
    structure: Structure,
    dtypes: list[str],
    frameworks: list[Framework],
    with_torch: str,
    without: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["a", "b"][: len(dtypes)]
    monkeypatch.setattr("caufc.features.formats.is_installed", lambda package: True)
    assert default_suffix(structure, names, dtypes, frameworks) == with_torch
    monkeypatch.setattr("caufc.features.formats.is_installed", lambda package: False)
    if without is not None:
        assert default_suffix(structure, names, dtypes, frameworks) == without
        return
    with pytest.raises(MissingPackageError, match="needs torch, which is not installed; pip install torch"):
        default_suffix(structure, names, dtypes, frameworks)


def test_a_package_that_is_broken() -> None:
    code = (
        "import types, importlib.machinery as m; from caufc.packages import needing\n"
        "from caufc import MissingPackageError\n"
        "try:\n"
        "    with needing('json', 'this'): raise ImportError('no such symbol')\n"
        "except MissingPackageError as err: print(err, err.package, err.exit_code)"
    )
    assert without_torch(code).stdout == (
        "this needs json, which cannot be imported (no such symbol); pip install json json 4\n"
    )
