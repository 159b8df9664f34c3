from __future__ import annotations

import io
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from caufc.descriptors import FeatureFormat
from caufc.errors import (
    InputError,
    OutputExistsError,
    PluginError,
    StorageError,
    UnknownNameError,
)
from caufc.features import (
    open_writer,
    to_source,
)
from caufc.features import read as read_features
from caufc.features.npz import FORMAT as NPZ
from caufc.types import (
    DTYPES,
    Structure,
)

from .common import TORCH_DTYPES, assert_same, load, rebuild, write

BATCH = {f"x{i}": torch.arange(10).reshape(5, 2).to(dtype) for i, dtype in enumerate(TORCH_DTYPES)}
OBJECTS: list[Any] = [
    torch.arange(10.0).reshape(5, 2),
    torch.zeros(0, 3),
    torch.tensor(3.5),
    torch.arange(4),
    BATCH,
    {"a": torch.ones(2, 3), "b": torch.tensor(1), "c": torch.ones(0)},
    {"empty": torch.zeros(0, 3)},
    {},
    {"a": {"b": [torch.ones(3), (torch.ones(3),)]}, 5: torch.ones(3)},
    [torch.ones(2, 3), torch.ones(4, 3)],
    ({"x": torch.ones(2)}, {"x": torch.zeros(3)}),
    [torch.ones(2), {"a": torch.ones(2)}],
    [],
]


class Pipe(io.RawIOBase):
    """Cannot seek, and takes at most 7 bytes at once."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data[:7])
        return len(data[:7])


@pytest.mark.parametrize("features", OBJECTS)
def test_pt_holds_everything(tmp_path: Path, features: Any) -> None:
    path = tmp_path / "x.pt"
    write(features, path, ".pt")
    assert_same(torch.load(path, weights_only=True), features)
    pipe, file = Pipe(), io.BytesIO()
    write(features, None, ".pt", stream=pipe)
    write(features, None, ".pt", stream=file)
    assert_same(torch.load(io.BytesIO(pipe.data), weights_only=True), features)
    assert_same(torch.load(io.BytesIO(file.getvalue()), weights_only=True), features)


def to_numpy(features: Any) -> Any:
    if isinstance(features, dict):
        return {name: tensor.numpy() for name, tensor in features.items()}
    return features.numpy()


@pytest.mark.parametrize("features", OBJECTS[:4])
def test_npy(tmp_path: Path, features: Any) -> None:
    write(features, tmp_path / "x.npy", ".npy")
    assert_same(np.load(tmp_path / "x.npy"), to_numpy(features))
    pipe = Pipe()
    write(features, None, ".npy", stream=pipe)
    assert pipe.data == (tmp_path / "x.npy").read_bytes()


@pytest.mark.parametrize("features", [{k: v for k, v in BATCH.items() if k != "x2"}, *OBJECTS[5:8]])
def test_npz(tmp_path: Path, features: Any) -> None:
    wanted = to_numpy(features)
    write(features, tmp_path / "x.npz", ".npz")
    with np.load(tmp_path / "x.npz") as found:
        assert_same(dict(found), wanted)
    pipe = Pipe()
    write(wanted, None, ".npz", stream=pipe)
    (tmp_path / "y.npz").write_bytes(pipe.data)
    assert_same(load(tmp_path / "y.npz"), wanted)


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
    assert_same(load(path), features)
    pipe = Pipe()
    write(features, None, ".safetensors", stream=pipe, step=step)
    assert pipe.data == path.read_bytes()


@pytest.mark.parametrize("dtype", ["u2", "u4", "u8"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".npz"])
def test_unsigned_numpy(tmp_path: Path, dtype: str, suffix: str) -> None:
    features = {"x": np.arange(6, dtype=dtype).reshape(3, 2)}
    write(features, tmp_path / f"x{suffix}", suffix)
    found = load(tmp_path / f"x{suffix}")["x"]
    assert isinstance(found, torch.Tensor) == (suffix != ".npz")
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
        ({"a": torch.ones(2), "b": torch.ones(2).bfloat16()}, ".npz", "b", "write .safetensors or .pt"),
        (torch.ones(2, 2).bfloat16(), ".npy", "", "write .pt"),
        ({"a": torch.ones(2)}, ".npy", "a", "write .npz or .safetensors or .pt"),
        ([torch.ones(2), torch.ones(2)], ".npy", "", "write .pt"),
        ({"a": {"b": torch.ones(2)}}, ".npz", "a", "write .pt"),
        ({"a": [torch.ones(2)]}, ".safetensors", "a", "write .pt"),
        ({5: torch.ones(2)}, ".safetensors", "5", "write .pt"),
        ({5: torch.ones(2)}, ".npz", "5", "write .pt"),
        ([{"x": torch.ones(2)}, {"x": torch.ones(3)}], ".safetensors", "x", "write .pt"),
        (torch.ones(2, 2), ".safetensors", None, "write .npy or .pt"),
        ({"__metadata__": torch.ones(2)}, ".safetensors", "__metadata__", "write .npz or .pt"),
        ({"a\0b": torch.ones(2)}, ".npz", "a\0b", "write .safetensors or .pt"),
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
        write(torch.ones(2, 2), path, ".npy")
    assert path.read_bytes() == b"old"
    write(torch.ones(2, 2), path, ".npy", force=True)
    assert load(path).shape == (2, 2)


@pytest.mark.parametrize("suffix", [".npy", ".pt"])
def test_abort_and_missing_samples_leave_no_file(tmp_path: Path, suffix: str) -> None:
    arguments: Any = (Structure("batch", 0), [""], ["fp32"], ["torch"], [(2,)], 5)
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
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".pt"])
def test_full_disk(suffix: str) -> None:
    features = torch.ones(200, 2000) if suffix == ".npy" else {"x": torch.ones(200, 2000)}
    with pytest.raises(StorageError, match="no space left"):
        write(features, Path("/dev/full"), suffix, step=100)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".pt"])
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
        found = load(tmp_path / f"y{suffix}")
        wanted = rebuild(to_source(read_features(tmp_path / "wanted", suffix)))
        assert_same(found, wanted)


def test_pipe_between_threads(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    features = {"a": torch.ones(5, 3000), "b": torch.zeros(5, 3000)}
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
    assert_same(load(tmp_path / "x.safetensors"), features)


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
    with pytest.raises(KeyboardInterrupt):
        NPZ.dump({"x": np.zeros(3)}, io.BytesIO())
