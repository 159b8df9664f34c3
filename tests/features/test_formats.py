from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from caufc.descriptors import FeatureFormat
from caufc.errors import CaufError, ForeignFormatError, InputError, PluginError, StorageError, UnknownNameError
from caufc.features import known_suffixes, read, sniff, spool_stdin, to_source
from caufc.features.formats import BUILT_IN, find_format
from caufc.features.problems import unwritten
from caufc.limits import Limits
from caufc.plugin_manager import default_manager

from .common import assert_same, load, needs_torch, rebuild, to_torch, torch, write

ARRAYS: dict[str, Any] = {"a": np.arange(6, dtype="f4").reshape(3, 2), "b": np.arange(3)}


def save(kind: str, folder: Path) -> Path:
    path = folder / f"x.{kind.partition('-')[2] or kind}"
    if kind == "npy":
        np.save(path, ARRAYS["a"])
    elif kind == "npz":
        np.savez(path, **ARRAYS)
    elif kind == "deflated-npz":
        np.savez_compressed(path, **ARRAYS)
    elif kind == "safetensors":
        save_file(ARRAYS, path)
    else:
        torch.save(to_torch(ARRAYS), path, _use_new_zipfile_serialization=kind == "pt")
    return path


TORCH_KINDS = [pytest.param(kind, marks=needs_torch) for kind in ("pt", "legacy-pt")]
KINDS = ["npy", "npz", "deflated-npz", "safetensors", *TORCH_KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_an_error_of_ours(kind: str, tmp_path: Path) -> None:
    path = save(kind, tmp_path)
    data = path.read_bytes()
    for length in range(0, len(data), 1 if len(data) < 600 else 7):
        path.write_bytes(data[:length])
        with pytest.raises(CaufError) as caught:
            load(path)
        assert caught.value.exit_code in (1, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_flip_is_read_or_an_error_of_ours(kind: str, tmp_path: Path) -> None:
    path = save(kind, tmp_path)
    data = path.read_bytes()
    for position in range(0, len(data), 1 if len(data) < 600 else 3):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                load(path)
            except CaufError as err:
                assert "\n" not in str(err)


@pytest.mark.parametrize("kind", KINDS)
def test_stdin_is_spooled_and_sniffed(kind: str, tmp_path: Path) -> None:
    source = save(kind, tmp_path)
    path = spool_stdin(io.BytesIO(source.read_bytes()))
    try:
        assert path.suffix == source.suffix == sniff(source)
        assert_same(load(path), load(source))
    finally:
        path.unlink()
    path = spool_stdin(io.BytesIO(source.read_bytes()), source.suffix.upper())
    assert_same(load(path), load(source))
    path.unlink()


def test_stdin_that_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for data in (b"", b"text", b"PK\3\4 but no archive"):
        with pytest.raises(ForeignFormatError, match="--format"):
            spool_stdin(io.BytesIO(data))

    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageError):
        spool_stdin(Broken())
    assert not list(tmp_path.iterdir())


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        read(tmp_path / "x.npy")
    with pytest.raises(StorageError, match="is a directory"):
        read(tmp_path)
    with pytest.raises(StorageError, match="NUL"):
        read("a\0b.npy")
    with pytest.raises(StorageError, match="regular"):
        read("/dev/null")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        read(tmp_path / "file" / "x.npy")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_permission(tmp_path: Path) -> None:
    path = save("npy", tmp_path)
    path.chmod(0)
    with pytest.raises(StorageError, match="permission denied"):
        read(path)


def test_suffixes(tmp_path: Path) -> None:
    path = save("npy", tmp_path).rename(tmp_path / "x.NPY")
    assert_same(load(path), ARRAYS["a"])
    other = path.rename(tmp_path / "x.mat")
    assert_same(rebuild(to_source(read(other, "npy"))), ARRAYS["a"])
    with pytest.raises(UnknownNameError, match=r"unknown format '\.mat'.*known: \.npy, \.npz") as caught:
        read(other)
    assert caught.value.exit_code == 2


def test_plugin_formats(tmp_path: Path) -> None:
    def broken(_path: Path) -> Any:
        raise KeyError("oops")

    good = FeatureFormat(".raw", lambda path: np.fromfile(path, "<f4"), lambda _path, _features: None)
    bad = FeatureFormat(".bad", broken, lambda _path, _features: None)
    assert known_suffixes([good, bad])[-2:] == (".raw", ".bad")
    (tmp_path / "x.raw").write_bytes(bytes(8))
    (tmp_path / "x.bad").write_bytes(bytes(8))
    assert read(tmp_path / "x.raw", extra=[good, bad]).shape == (2,)
    with pytest.raises(PluginError, match="test_formats"):
        read(tmp_path / "x.bad", extra=[good, bad])
    for twice in ([good, good], [FeatureFormat(".npy", broken, bad.write)]):
        with pytest.raises(PluginError, match="is taken"):
            read(tmp_path / "x.raw", extra=twice)


def test_built_in_formats_come_through_the_hook_and_are_found_without_plugins(tmp_path: Path) -> None:
    brought = {item.suffix: item for plugin, item in default_manager().feature_formats() if plugin == "formats"}
    assert list(brought) == [".npy", ".npz", ".pt", ".safetensors", ".h5", ".parquet"]
    assert all(find_format(suffix.upper()) is item for suffix, item in brought.items())
    assert find_format("pth") is brought[".pt"]
    path = save("npy", tmp_path)
    code = (
        "import sys; import caufc.features; from caufc import plugin_manager as m\n"
        "m._installed = None  # so that discovery would fail\n"
        f"caufc.features.read({str(path)!r}); caufc.features.sniff(__import__('pathlib').Path({str(path)!r}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(item, marks=needs_torch) if item.framework != "numpy" else item
        for item in BUILT_IN
        if item.problem is not unwritten
    ],
)
def test_a_built_in_format_writes_and_reads_like_a_plugin_s(item: FeatureFormat, tmp_path: Path) -> None:
    features: Any = ARRAYS if item.framework == "numpy" else to_torch(ARRAYS)
    features = features["a"] if item.suffix == ".npy" else features
    path = tmp_path / f"x{item.suffix}"
    item.write(path, features)
    assert_same(rebuild(to_source(item.read(path))), features)
    assert sniff(path) == (None if item.recognise is None else item.suffix)


def test_what_a_plugin_s_format_tells_is_used(tmp_path: Path) -> None:
    """Aliases, limits, and a stream to write to."""

    def dump(features: Any, stream: IO[bytes]) -> None:
        stream.write(features.tobytes())

    item = FeatureFormat(
        ".raw",
        lambda _path: None,
        lambda _path, _features: None,
        aliases=(".bin",),
        read_within=lambda path, limits: np.frombuffer(path.read_bytes()[: limits.tensors], "u1"),
        problem=lambda _structure, names, _dtypes: None if names == [""] else ("names", names[0]),
        dump=dump,
        framework="numpy",
    )
    path = tmp_path / "x.bin"
    write(np.arange(6, dtype="u1"), path, ".bin", extra=[item])
    assert path.read_bytes() == bytes(range(6))
    assert read(path, extra=[item], limits=Limits(tensors=3)).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"tensor 'a': \.raw cannot hold names; write \.npz or"):
        write(ARRAYS, path, ".raw", extra=[item], force=True)


def test_importing_loads_no_framework() -> None:
    code = "import caufc.features, sys; sys.exit(any(m in sys.modules for m in ('torch', 'safetensors', 'ml_dtypes')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numpy_features_need_no_torch(tmp_path: Path) -> None:
    path = save("safetensors", tmp_path)
    code = (
        "import sys, numpy as np; from caufc.features import read, to_source, waste\n"
        f"source = to_source(read({str(path)!r})); source.tensors[0].block(0, 2)\n"
        "waste(np.zeros(3)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".pt", ".bin"])
def test_empty_files(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x{suffix}").touch()
    with pytest.raises(CaufError, match=r"x\.\w+: (is empty|its first bytes are those of no feature file)"):
        read(tmp_path / f"x{suffix}")
