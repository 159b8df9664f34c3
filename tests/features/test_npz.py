from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caufc.errors import ForeignFormatError, LimitError, StorageError, TensorError
from caufc.features import FileLeaf, read
from caufc.features.npz import read as read_npz
from caufc.limits import Limits

from .common import assert_same, load
from .test_npy import npy


def archive(path: Path, *found: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as file:
        warnings.simplefilter("ignore")
        for name, data in found:
            file.writestr(name, data)
    return path


ONE = npy("'<f4'", "(1,)", bytes(4))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_round_trip(tmp_path: Path, save: Any) -> None:
    features = {
        "a": np.random.default_rng(0).normal(size=(5, 4)).astype("f4"),
        "b/c": np.arange(5),
        "../x": np.zeros((0, 3)),
        "fortran": np.asfortranarray(np.arange(10.0).reshape(5, 2)),
        "scalar": np.array(True),
    }
    save(tmp_path / "x.npz", **features)
    assert_same(load(tmp_path / "x.npz"), features)
    leaves = read(tmp_path / "x.npz")
    for start, stop in ((0, 2), (1, 3), (4, 5), (2, 4), (0, 9)):
        for name in ("a", "b/c", "fortran"):
            assert_same(leaves[name].rows(start, stop), features[name][start:stop])


def test_stored_members_are_read_in_parts(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(6).reshape(3, 2))
    assert isinstance(read(tmp_path / "x.npz")["a"], FileLeaf)


def test_empty_archive(tmp_path: Path) -> None:
    assert load(archive(tmp_path / "x.npz")) == {}


def test_duplicate_names(tmp_path: Path) -> None:
    with pytest.raises(ForeignFormatError, match="two members"):
        read(archive(tmp_path / "x.npz", ("a.npy", ONE), ("a.npy", ONE)))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_sizes_that_differ(tmp_path: Path, method: int) -> None:
    for data in (npy("'<f4'", "(3,)", bytes(8)), npy("'<f4'", "(1,)", bytes(8)), npy("'<f4'", f"({1 << 40},)")):
        with pytest.raises(ForeignFormatError, match="declares"):
            read(archive(tmp_path / "x.npz", ("a.npy", data), method=method))


def test_bombs(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "x.npz", ("a.npy", npy("'|u1'", "(1 << 24,)")), method=zipfile.ZIP_DEFLATED)
    with pytest.raises(ForeignFormatError):
        read(bomb)
    size = 1 << 24
    bomb = archive(tmp_path / "x.npz", ("a.npy", npy("'|u1'", f"({size},)", bytes(size))), method=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < size // 900
    with pytest.raises(LimitError, match="output bytes"):
        read_npz(bomb, Limits(output_bytes=size - 1))
    # Within the limit only the rows asked for are unpacked.
    assert read(bomb)["a"].rows(5, 8).tolist() == [0, 0, 0]


def test_members_that_are_no_arrays(tmp_path: Path) -> None:
    with pytest.raises(ForeignFormatError, match=r"no \.npy member"):
        read(archive(tmp_path / "x.npz", ("a.txt", b"text")))
    with pytest.raises(ForeignFormatError, match=r"readable \.npy header"):
        read(archive(tmp_path / "x.npz", ("a.npy", b"text")))
    with pytest.raises(TensorError, match=r"x\.npz: tensor 'a'.*never unpickles"):
        read(archive(tmp_path / "x.npz", ("a.npy", npy("'|O'", "(1,)", b"x"))))


def test_other_compression(tmp_path: Path) -> None:
    with pytest.raises(ForeignFormatError, match="compression"):
        read(archive(tmp_path / "x.npz", ("a.npy", ONE), method=zipfile.ZIP_LZMA))


def test_overlapping_members(tmp_path: Path) -> None:
    data = archive(tmp_path / "x.npz", ("a.npy", ONE * 100)).read_bytes()
    entry = data[data.index(b"PK\1\2") : data.index(b"PK\5\6")]
    entries = b"".join(entry.replace(b"a.npy", b"%c.npy" % (97 + i)) for i in range(5))
    end = bytearray(data[data.index(b"PK\5\6") :])
    end[8:12] = b"\5\0\5\0"
    end[12:16] = len(entries).to_bytes(4, "little")
    (tmp_path / "x.npz").write_bytes(data[: data.index(b"PK\1\2")] + entries + bytes(end))
    with pytest.raises(ForeignFormatError, match="larger than the archive"):
        read(tmp_path / "x.npz")


def test_damaged_deflated_values(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 9, 4000, dtype="u1")
    path = archive(
        tmp_path / "x.npz", ("a.npy", npy("'|u1'", "(4000,)", values.tobytes())), method=zipfile.ZIP_DEFLATED
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(ForeignFormatError, match="damaged zip"):
        read(path)["a"].read()


def test_deflated_file_that_changes(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.arange(6))
    leaf = read(tmp_path / "x.npz")["a"]
    np.savez_compressed(tmp_path / "x.npz", a=np.arange(7))
    with pytest.raises(StorageError, match="changed"):
        leaf.read()


def test_encrypted(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.npy", ONE)
    data = bytearray(buffer.getvalue())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(ForeignFormatError, match="encrypted"):
        read(tmp_path / "x.npz")
