from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import caufc
from caufc.errors import CaufError, ForeignFormatError, LimitError, StorageError, TensorError
from caufc.features import FileLeaf, read

from .common import NUMPY_DTYPES, assert_same, load


def npy(descr: str, shape: str, values: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + length + header + values


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (4, 3), (0, 5), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_round_trip(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], order: Any, byteorder: Literal["<", ">"]
) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(np.dtype(dtype))
    np.save(tmp_path / "x.npy", np.asarray(array, np.dtype(dtype).newbyteorder(byteorder), order=order))
    leaf = read(tmp_path / "x.npy")
    assert_same(leaf.read(), array)
    if shape:
        assert_same(leaf.rows(1, 3), array[1:3])


def test_c_order_is_read_in_parts(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(12).reshape(4, 3))
    leaf = read(tmp_path / "x.npy")
    assert isinstance(leaf, FileLeaf)
    part = leaf.rows(1, 2)
    assert part.tolist() == [[3, 4, 5]]
    assert part.flags.writeable
    assert part.base is None


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions(tmp_path: Path, version: tuple[int, int]) -> None:
    (tmp_path / "x.npy").write_bytes(npy("'<i2'", "(2,)", b"\1\0\2\0", version))
    assert load(tmp_path / "x.npy").tolist() == [1, 2]


def test_bool_bytes_other_than_one_are_true(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(npy("'|b1'", "(3,)", b"\0\1\xff"))
    assert load(tmp_path / "x.npy").tobytes() == b"\0\1\1"


def test_file_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(12))
    leaf = read(path)
    os.truncate(path, path.stat().st_size - 8)
    with pytest.raises(StorageError, match="changed while it was read"):
        leaf.rows(0, 2)
    np.save(path, np.arange(12))
    leaf = read(path)
    os.utime(path, (1, 1))
    with pytest.raises(StorageError, match="changed while it was read"):
        leaf.read()
    path.unlink()
    with pytest.raises(StorageError, match="no such file"):
        leaf.read()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (npy("'|O'", "(1,)", b"x"), TensorError),
        (npy("'<c8'", "(1,)", bytes(8)), TensorError),
        (npy("'<U3'", "(1,)", bytes(12)), TensorError),
        (npy("[('a', '<f4')]", "(1,)", bytes(4)), TensorError),
        (npy("'(2,)<f4'", "(1,)", bytes(8)), TensorError),
        (npy("'<V2'", "(1,)", bytes(2)), TensorError),
        (npy("'<f4'", "(3,)", bytes(8)), ForeignFormatError),
        (npy("'<f4'", "(1,)", bytes(8)), ForeignFormatError),
        (npy("'<f4'", "(-1,)"), ForeignFormatError),
        (npy("'<f4'", "(-1, -1)", bytes(4)), ForeignFormatError),
        (npy("'<f4'", "(True,)", bytes(4)), ForeignFormatError),
        (npy("'<f4'", "(1 << 40,)"), ForeignFormatError),
        (npy("'<f4'", f"({1 << 40},)"), ForeignFormatError),
        (npy("'<f4'", f"({1 << 62}, {1 << 62}, 0)"), LimitError),
        (npy("'<f4'", f"({10**30},)"), LimitError),
        (npy("'<f4'", "(1,1,1,1,1,1,1,1,1)", bytes(4)), LimitError),
        (npy("'<f4'", "(1,)", bytes(4), (4, 0)), ForeignFormatError),
        (npy("'nonsense'", "(1,)", bytes(4)), ForeignFormatError),
        (npy("'<f4'", "(" * 300 + ")" * 300), ForeignFormatError),
        (npy("'<f4'", "(" * 5000 + ")" * 5000), ForeignFormatError),
        (npy("__import__('os')", "(1,)"), ForeignFormatError),
        (npy("'<f4'", "(1,), 3: 4", bytes(4)), ForeignFormatError),
        (b"", ForeignFormatError),
        (b"not an array", ForeignFormatError),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, error: type[CaufError]) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        read(path)
    assert caught.value.file == str(path)


def test_text_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array(["a", "b"]))
    with pytest.raises(TensorError, match=r"x\.npy: is an array of text, not a tensor; store it beside a tensor"):
        read(tmp_path / "x.npy")


def test_object_arrays_are_not_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], object), allow_pickle=True)
    (tmp_path / "x.npy").write_bytes(buffer.getvalue())
    with pytest.raises(TensorError, match="never unpickles"):
        read(tmp_path / "x.npy")
    assert not (tmp_path / "ran").exists()


def test_floats_of_which_files_keep_the_bytes_alone(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype, words in ((ml_dtypes.bfloat16, "uint16"), (ml_dtypes.float8_e4m3fn, "uint8")):
        np.save(tmp_path / "x.npy", np.zeros((2, 3), dtype))
        with pytest.raises(TensorError, match=rf"save array.view\('{words}'\), float32"):
            read(tmp_path / "x.npy")
    for dtype, words in ((ml_dtypes.int4, "int8"), (ml_dtypes.float8_e3m4, "float32")):
        with pytest.raises(TensorError, match=rf"convert it with .astype\('{words}'\)"):
            caufc.encode(np.zeros((2, 3), dtype))
    with pytest.raises(TensorError, match="store each field"):
        caufc.encode(np.zeros(2, "f4,i4"))
