"""Parquet files in: columns of numbers, lists and text; row groups in parts; what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import CaufError, ForeignFormatError, InputError, LimitError, TensorError
from caufc.features import read, sniff
from caufc.limits import Limits

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

RNG = np.random.default_rng(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.parquet"


def test_embeddings_with_their_names(path: Path) -> None:
    vectors = RNG.normal(size=(100, 16)).astype("f4")
    columns = {
        "id": [f"doc-{n}" for n in range(100)],
        "embedding": pa.array(list(vectors), pa.list_(pa.float32())),
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype("f2").ravel()), 16),
        "score": RNG.normal(size=100),
        "seen": np.arange(100) % 3 == 0,
    }
    pq.write_table(pa.table(columns), path, row_group_size=30)
    assert sniff(path) == ".parquet"
    caufc.encode_file(path, path.with_suffix(".cauf"), lossless=True)
    back: Any = caufc.load(path.with_suffix(".cauf"))
    assert back["id"] == columns["id"]
    np.testing.assert_array_equal(back["embedding"], vectors)
    np.testing.assert_array_equal(back["fixed"], vectors.astype("f2"))
    np.testing.assert_array_equal(back["score"], columns["score"])
    np.testing.assert_array_equal(back["seen"], columns["seen"])


def test_rows_that_differ_in_length_are_samples(path: Path) -> None:
    lengths = RNG.integers(1, 9, 50)
    states = [RNG.normal(size=(length, 4)).astype("f4") for length in lengths]
    nested = pa.list_(pa.list_(pa.float32()))
    columns = {
        "states": pa.array([list(state) for state in states], nested),
        "label": np.arange(50),
        "name": ["x"] * 50,
    }
    pq.write_table(pa.table(columns), path, row_group_size=16)
    caufc.encode_file(path, path.with_suffix(".cauf"), lossless=True)
    back = caufc.load(path.with_suffix(".cauf"))
    assert len(back) == 50
    for number, (sample, state) in enumerate(zip(back, states, strict=True)):
        np.testing.assert_array_equal(sample["states"], state)
        assert sample["label"] == number
        assert sample["name"] == "x"


def test_row_groups_are_read_in_parts(path: Path) -> None:
    pq.write_table(pa.table({"x": pa.array(list(np.arange(60).reshape(20, 3)))}), path, row_group_size=7)
    leaf = read(path)["x"]
    assert leaf.shape == (20, 3)
    assert leaf.rows(5, 15).tolist() == np.arange(60).reshape(20, 3)[5:15].tolist()
    assert leaf.rows(9, 9).shape == (0, 3)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.0, None, 2.0]), "has rows without a value"),
        (pa.array([[1.0], None, [2.0]]), "has rows without a value"),
        (pa.array([[1.0], [None], [2.0]]), "has rows without a value"),
        (pa.array([{"a": 1}] * 3), r"has type struct<a: int64>, which caufc does not code; select columns of numbers"),
        (pa.array([[[1.0, 2.0], [3.0]]] * 3), "has lists of lists that differ in length within a row"),
    ],
)
def test_what_is_no_tensor(path: Path, column: Any, message: str) -> None:
    pq.write_table(pa.table({"x": column, "y": [1, 2, 3]}), path)
    with pytest.raises(TensorError, match=rf"x\.parquet: tensor 'x': {message}"):
        caufc.encode_file(path, path.with_suffix(".cauf"))


def test_hostile_files(path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2, 3], "y": [1, 2, 3], "z": ["a", "b", "c"]}), path)
    with pytest.raises(LimitError):
        read(path, limits=Limits(tensors=2))
    data = path.read_bytes()
    for cut in range(0, len(data), 41):
        path.write_bytes(data[:cut])
        with pytest.raises(CaufError):
            read(path)
    path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(ForeignFormatError, match=r"x\.parquet: is no Parquet file that can be read") as caught:
        read(path)
    assert caught.value.remedy == "fetch or write it again: it may have been cut"


def test_no_rows(path: Path) -> None:
    pq.write_table(pa.table({"x": pa.array([], pa.float32())}), path)
    caufc.encode_file(path, path.with_suffix(".cauf"))
    assert caufc.load(path.with_suffix(".cauf"))["x"].shape == (0,)


def test_it_is_not_written(path: Path) -> None:
    caufc.save(path.with_suffix(".cauf"), np.zeros((3, 4)))
    with pytest.raises(InputError, match=r"\.parquet cannot hold features: caufc reads it, and does not write it"):
        caufc.decode_file(path.with_suffix(".cauf"), path)
