"""HDF5 files in: groups, datasets in parts, text, attributes, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import CaufError, ForeignFormatError, InputError, LimitError, TensorError
from caufc.features import read, sniff
from caufc.limits import Limits

h5py = pytest.importorskip("h5py")

RNG = np.random.default_rng(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.h5"


def test_groups_datasets_text_and_metadata(path: Path) -> None:
    values = RNG.normal(size=(40, 6, 8)).astype("f4")
    with h5py.File(path, "w") as file:
        file["layer/hidden"] = values
        file["layer/pooled"] = values.mean(1).astype(">f8")
        file["label"] = np.arange(40)
        file["flag"] = np.arange(40) % 2 == 0
        file.create_dataset("packed", data=values.astype("f2"), chunks=(8, 6, 8), compression="gzip")
        file["name"] = [f"sample {n}" for n in range(40)]
        file.attrs.update({"model": "esm2", "layer": 3})
    caufc.encode_file(path, path.with_suffix(".cauf"), lossless=True)
    back: Any = caufc.load(path.with_suffix(".cauf"))
    np.testing.assert_array_equal(back["layer"]["hidden"], values)
    np.testing.assert_array_equal(back["layer"]["pooled"], values.mean(1))
    np.testing.assert_array_equal(back["packed"], values.astype("f2"))
    assert back["flag"].dtype == bool
    assert back["name"][7] == "sample 7"
    assert caufc.inspect(path.with_suffix(".cauf")).metadata == {"model": "esm2"}


def test_embeddings_by_name_are_keyed_samples(path: Path) -> None:
    proteins = {f"P{n:05d}": RNG.normal(size=(n + 3, 16)).astype("f4") for n in range(40)}
    with h5py.File(path.with_suffix(".hdf5"), "w") as file:
        for name, values in proteins.items():
            file[name] = values
    caufc.encode_file(path.with_suffix(".hdf5"), path.with_suffix(".cauf"), lossless=True)
    with caufc.open(path.with_suffix(".cauf")) as reader:
        np.testing.assert_array_equal(reader["P00007"], proteins["P00007"])


def test_rows_are_read_in_parts(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(60).reshape(20, 3)
    leaf = read(path)["x"]
    assert leaf.shape == (20, 3)
    assert leaf.rows(4, 6).tolist() == [[12, 13, 14], [15, 16, 17]]
    assert sniff(path) == ".h5"


def test_what_refers_to_other_files_is_refused(path: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.arange(3)
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink("other.h5", "secret")
    with pytest.raises(ForeignFormatError, match=r"x\.h5: tensor 'x': leads to another file"):
        read(path)
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (3,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)
    with pytest.raises(ForeignFormatError, match="its values lie in other files"):
        read(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (2,), "i4", external=[(str(tmp_path / "other.h5"), 0, 8)])
    with pytest.raises(ForeignFormatError, match="its values lie in other files"):
        read(path)


def test_hostile_files(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a/b"] = np.arange(3)
        file["a/again"] = file["a"]
    with pytest.raises(ForeignFormatError, match="group 'a/again' holds itself"):
        read(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (1 << 40, 1 << 30), "f8", chunks=(1, 1024))
    with pytest.raises(LimitError):
        read(path)
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3, [("a", "i4"), ("b", "f4")])
    with pytest.raises(TensorError, match=r"x\.h5: tensor 'x': has dtype"):
        read(path)
    with h5py.File(path, "w") as file:
        for name in "abc":
            file[name] = np.zeros(3)
    with pytest.raises(LimitError):
        read(path, limits=Limits(tensors=2))
    data = path.read_bytes()
    for cut in range(0, len(data), 97):
        path.write_bytes(data[:cut])
        with pytest.raises(CaufError):
            read(path)


def test_rows_of_several_lengths(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (3,), dtype=h5py.vlen_dtype("f4"))
    with pytest.raises(TensorError, match="rows of several lengths; store a dataset for each row"):
        read(path)


def test_a_damaged_dataset(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=RNG.integers(0, 99, 5000), compression="gzip", chunks=(5000,))
        place = file["x"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 40 : place + 60] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(ForeignFormatError, match=r"x\.h5: tensor 'x': is no HDF5 file that can be read") as caught:
        caufc.encode_file(path, path.with_suffix(".cauf"))
    assert caught.value.remedy == "fetch or write it again: it may have been cut"


def test_it_is_not_written(path: Path) -> None:
    caufc.save(path.with_suffix(".cauf"), np.zeros((3, 4)))
    with pytest.raises(
        InputError, match=r"\.h5 cannot hold features: caufc reads it, and does not write it; write \.npy"
    ):
        caufc.decode_file(path.with_suffix(".cauf"), path)


def test_without_h5py(path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    code = (
        "import caufc.packages as p; find = p.find_spec\n"
        "p.find_spec = lambda name: None if name == 'h5py' else find(name)\n"
        "import caufc.features.formats as f\n"
        f"try: f.read({str(path)!r})\n"
        "except f.MissingPackageError as err: print(err)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "a .h5 file needs h5py, which is not installed; pip install h5py" in done.stdout
