from __future__ import annotations

import io
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from caufc.descriptors import FeatureFormat
from caufc.errors import InputError, OutputExistsError, PluginError, StorageError, UnknownNameError
from caufc.features import ArrayLeaf, open_writer, to_source
from caufc.features import read as read_features
from caufc.features.npz import FORMAT as NPZ
from caufc.types import DTYPES, Branch, Structure

from .common import NUMPY_DTYPES, TORCH_DTYPES, assert_same, is_torch, load, needs_torch, to_torch, torch, write

BATCH = {f"x{i}": np.arange(10).reshape(5, 2).astype(dtype) for i, dtype in enumerate(NUMPY_DTYPES) if "u" not in dtype}
OBJECTS: list[Any] = [
    np.arange(10, dtype="f4").reshape(5, 2),
    np.zeros((0, 3), "f4"),
    np.array(3.5),
    np.arange(4),
    BATCH,
    {"a": np.ones((2, 3), "f4"), "b": np.array(1), "c": np.ones(0, "f4")},
    {"empty": np.zeros((0, 3), "f4")},
    {},
    {"a": {"b": [np.ones(3), (np.ones(3),)]}, 5: np.ones(3)},
    [np.ones((2, 3)), np.ones((4, 3))],
    ({"x": np.ones(2)}, {"x": np.zeros(3)}),
    [np.ones(2), {"a": np.ones(2)}],
    [],
]
PT = pytest.param(".pt", marks=needs_torch)
FRAMEWORKS = ["numpy", pytest.param("torch", marks=needs_torch)]


def ones(*shape: int, dtype: str = "fp32") -> ArrayLeaf:
    """A torch tensor, as far as a writer sees one."""
    return ArrayLeaf(np.ones(shape, DTYPES[dtype]), dtype, "torch")


class Pipe(io.RawIOBase):
    """Cannot seek, and takes at most 7 bytes at once."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data[:7])
        return len(data[:7])


@needs_torch
@pytest.mark.parametrize("features", [*OBJECTS, "every dtype"])
def test_pt_holds_everything(tmp_path: Path, features: Any) -> None:
    every = {f"x{i}": torch.arange(10).reshape(5, 2).to(dtype) for i, dtype in enumerate(TORCH_DTYPES)}
    features = every if isinstance(features, str) else to_torch(features)
    path = tmp_path / "x.pt"
    write(features, path, ".pt")
    assert_same(torch.load(path, weights_only=True), features)
    pipe, file = Pipe(), io.BytesIO()
    write(features, None, ".pt", stream=pipe)
    write(features, None, ".pt", stream=file)
    assert_same(torch.load(io.BytesIO(pipe.data), weights_only=True), features)
    assert_same(torch.load(io.BytesIO(file.getvalue()), weights_only=True), features)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("features", OBJECTS[:4])
def test_npy(tmp_path: Path, features: Any, framework: str) -> None:
    given = to_torch(features) if framework == "torch" else features
    write(given, tmp_path / "x.npy", ".npy")
    assert_same(np.load(tmp_path / "x.npy"), features)
    pipe = Pipe()
    write(given, None, ".npy", stream=pipe)
    assert pipe.data == (tmp_path / "x.npy").read_bytes()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("features", OBJECTS[4:8])
def test_npz(tmp_path: Path, features: Any, framework: str) -> None:
    write(to_torch(features) if framework == "torch" else features, tmp_path / "x.npz", ".npz")
    with np.load(tmp_path / "x.npz") as found:
        assert_same(dict(found), features)
    pipe = Pipe()
    write(features, None, ".npz", stream=pipe)
    (tmp_path / "y.npz").write_bytes(pipe.data)
    assert_same(load(tmp_path / "y.npz"), features)


def test_npz_names(tmp_path: Path) -> None:
    features = {name: np.ones(2) for name in ("file", "a.npy", "../x", "ü", "", "args")}
    write(features, tmp_path / "x.npz", ".npz")
    assert_same(load(tmp_path / "x.npz"), features)


@pytest.mark.parametrize("features", OBJECTS[4:8])
@pytest.mark.parametrize("step", [1, 2, 9])
def test_safetensors(tmp_path: Path, features: Any, step: int) -> None:
    path = tmp_path / "x.safetensors"
    write(features, path, ".safetensors", step=step)
    found = load_file(path)
    assert_same({name: found[name] for name in features}, features)
    assert_same({name: leaf.read() for name, leaf in read_features(path).items()}, features)


@needs_torch
@pytest.mark.parametrize("features", [*OBJECTS[5:8], "every dtype"])
@pytest.mark.parametrize("step", [1, 2, 9])
def test_safetensors_of_torch(tmp_path: Path, features: Any, step: int) -> None:
    from safetensors.torch import load_file

    every = {f"x{i}": torch.arange(10).reshape(5, 2).to(dtype) for i, dtype in enumerate(TORCH_DTYPES)}
    features = every if isinstance(features, str) else to_torch(features)
    path = tmp_path / "x.safetensors"
    write(features, path, ".safetensors", step=step)
    found = load_file(path)
    assert_same({name: found[name] for name in features}, features)
    assert_same(load(path), features)
    pipe = Pipe()
    write(features, None, ".safetensors", stream=pipe, step=step)
    assert pipe.data == path.read_bytes()


@pytest.mark.parametrize("dtype", ["u2", "u4", "u8"])
@pytest.mark.parametrize("suffix", [PT, pytest.param(".safetensors", marks=needs_torch), ".npz"])
def test_unsigned_numpy(tmp_path: Path, dtype: str, suffix: str) -> None:
    features = {"x": np.arange(6, dtype=dtype).reshape(3, 2)}
    write(features, tmp_path / f"x{suffix}", suffix)
    found = load(tmp_path / f"x{suffix}")["x"]
    assert is_torch(found) == (suffix != ".npz")
    assert np.asarray(found).tobytes() == features["x"].tobytes()


def test_rows_in_any_order(tmp_path: Path) -> None:
    array = np.arange(10, dtype="<f4").reshape(5, 2)
    arguments: Any = (Structure("batch", 0), [""], ["fp32"], ["numpy"], [(2,)], 5)
    writer = open_writer(tmp_path / "x.npy", None, ".npy", *arguments)
    for start, stop in ((3, 5), (0, 1), (1, 3)):
        writer.put(0, start, array[start:stop])
    writer.close()
    assert_same(np.load(tmp_path / "x.npy"), array)
    writer = open_writer(None, Pipe(), ".npy", *arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="out of order"):
        writer.put(0, 3, array[3:5])


@pytest.mark.parametrize(
    ("features", "suffix", "tensor", "remedy"),
    [
        ({"a": ones(2), "b": ones(2, dtype="bf16")}, ".npz", "b", "write .safetensors or .pt"),
        (ones(2, 2, dtype="bf16"), ".npy", "", "write .pt"),
        ({"a": ones(2)}, ".npy", "a", "write .npz or .safetensors or .pt"),
        ([ones(2), ones(2)], ".npy", "", "write .pt"),
        ({"a": {"b": ones(2)}}, ".npz", "a", "write .pt"),
        ({"a": [ones(2)]}, ".safetensors", "a", "write .pt"),
        ({5: ones(2)}, ".safetensors", "5", "write .pt"),
        ({5: ones(2)}, ".npz", "5", "write .pt"),
        ([{"x": ones(2)}, {"x": ones(3)}], ".safetensors", "x", "write .pt"),
        (ones(2, 2), ".safetensors", None, "write .npy or .pt"),
        ({"__metadata__": ones(2)}, ".safetensors", "__metadata__", "write .npz or .pt"),
        ({"a\0b": ones(2)}, ".npz", "a\0b", "write .safetensors or .pt"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path: Path, features: Any, suffix: str, tensor: str | None, remedy: str) -> None:
    with pytest.raises(InputError, match=f"{suffix} cannot hold") as caught:
        write(features, tmp_path / "x", suffix)
    assert (caught.value.tensor, caught.value.remedy) == (tensor, remedy)
    assert not list(tmp_path.iterdir())


def test_existing_files(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError):
        write(ones(2, 2), path, ".npy")
    assert path.read_bytes() == b"old"
    write(ones(2, 2), path, ".npy", force=True)
    assert load(path).shape == (2, 2)


@pytest.mark.parametrize("suffix", [".npy", ".npz", PT])
def test_abort_and_missing_samples_leave_no_file(tmp_path: Path, suffix: str) -> None:
    tree = Branch("dict", ("x",), (0,)) if suffix == ".npz" else 0
    arguments: Any = (Structure("batch", tree), ["x"], ["fp32"], ["torch"], [(2,)], 5)
    writer = open_writer(tmp_path / "x", None, suffix, *arguments)
    writer.put(0, 0, np.zeros((2, 2), "<f4"))
    writer.abort()
    assert not list(tmp_path.iterdir())
    writer = open_writer(tmp_path / "x", None, suffix, *arguments)
    writer.put(0, 0, np.zeros((2, 2), "<f4"))
    with pytest.raises(InputError, match="missing"):
        writer.close()
    assert not list(tmp_path.iterdir())
    writer = open_writer(tmp_path / "x", None, suffix, *arguments)
    with pytest.raises(InputError, match="shape"):
        writer.put(0, 4, np.zeros((2, 2), "<f4"))
    with pytest.raises(InputError, match="shape"):
        writer.put(0, 0, np.zeros((2, 3), "<f4"))
    writer.abort()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", PT])
def test_full_disk(suffix: str) -> None:
    features = ones(200, 2000) if suffix == ".npy" else {"x": ones(200, 2000)}
    with pytest.raises(StorageError, match="no space left"):
        write(features, Path("/dev/full"), suffix, step=100)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", PT])
def test_files_opened_for_appending_and_at_an_offset(tmp_path: Path, suffix: str) -> None:
    features: Any = np.arange(6.0).reshape(3, 2)
    features = features if suffix == ".npy" else {"x": features, "y": features + 1}
    write(features, tmp_path / "wanted", suffix, step=1)
    for mode in ("ab", "r+b"):
        path = tmp_path / "x"
        path.write_bytes(b"before")
        with path.open(mode) as stream:
            stream.seek(0, os.SEEK_END)
            write(features, None, suffix, stream=stream, step=1)
            assert stream.tell() == path.stat().st_size
        (tmp_path / f"y{suffix}").write_bytes(path.read_bytes()[6:])
        assert path.read_bytes().startswith(b"before")
        for found, wanted in zip(
            to_source(read_features(tmp_path / f"y{suffix}")).tensors,
            to_source(read_features(tmp_path / "wanted", suffix)).tensors,
            strict=True,
        ):
            assert (found.name, found.dtype) == (wanted.name, wanted.dtype)
            assert_same(found.leaves[0].read(), wanted.leaves[0].read())


def test_pipe_between_threads(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    features = {"a": np.ones((5, 3000)), "b": np.zeros((5, 3000))}
    found: list[bytes] = []

    def drain() -> None:
        with os.fdopen(reading, "rb") as stream:
            found.append(stream.read())

    thread = threading.Thread(target=drain)
    thread.start()
    with os.fdopen(writing, "wb", buffering=0) as stream:
        write(features, None, ".safetensors", stream=stream)
    thread.join()
    (tmp_path / "x.safetensors").write_bytes(found[0])
    assert_same({name: leaf.read() for name, leaf in read_features(tmp_path / "x.safetensors").items()}, features)


def test_plugin_formats(tmp_path: Path) -> None:
    def to_raw(path: Path, features: Any) -> None:
        path.write_bytes(features.tobytes())

    def broken(_path: Path, _features: Any) -> None:
        raise KeyError("oops")

    raw = FeatureFormat(".raw", lambda path: np.fromfile(path, "<f8"), to_raw)
    write(np.arange(4.0), tmp_path / "x.raw", ".raw", extra=[raw])
    assert (tmp_path / "x.raw").read_bytes() == np.arange(4.0).tobytes()
    for bad in (broken, lambda _path, _features: None):
        with pytest.raises(PluginError, match="test_writer"):
            write(np.arange(4.0), tmp_path / "y.raw", ".raw", extra=[FeatureFormat(".raw", raw.read, bad)])
    assert [path.name for path in tmp_path.iterdir()] == ["x.raw"]
    with pytest.raises(UnknownNameError):
        write(np.arange(4.0), tmp_path / "x.raw", ".raw")


@needs_torch
def test_what_is_kept_is_a_copy(tmp_path: Path) -> None:
    buffer = np.zeros((2, 2), DTYPES["fp32"])
    writer = open_writer(tmp_path / "x.pt", None, ".pt", Structure("list", 0), [""], ["fp32"], ["torch"], [(2,)], 4)
    for start in (0, 2):
        buffer[:] = start
        writer.put(0, start, list(buffer))
    writer.close()
    assert [tensor[0].item() for tensor in torch.load(tmp_path / "x.pt", weights_only=True)] == [0, 0, 2, 2]


def test_an_interrupt_while_a_member_of_a_zip_is_opened_stays_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was a ValueError: the archive refused to be closed beside an open member."""

    def interrupted(archive: Any, *_: Any, **__: Any) -> None:
        archive._writing = True
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "_open_to_write", interrupted)
    assert NPZ.dump is not None
    with pytest.raises(KeyboardInterrupt):
        NPZ.dump({"x": np.zeros(3)}, io.BytesIO())
