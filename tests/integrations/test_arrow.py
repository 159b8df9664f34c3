"""Arrow columns of tensors: through Parquet and IPC with their profile, decoded by whoever has the file."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

from .neighbours import decibels, neighbour, python

pa = neighbour("pyarrow")
pq = neighbour("pyarrow.parquet")

from caufc.integrations.arrow import NAME, CaufArray, CaufType  # noqa: E402

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def column(vectors: Floats, coder: caufc.Coder) -> Any:
    return CaufArray.of([*vectors[:40], None], coder)


def test_rows_are_messages_and_nulls(column: Any, vectors: Floats, coder: caufc.Coder) -> None:
    assert column.type == CaufType(coder) and column.null_count == 1
    assert column.storage[3].as_py() == coder.encode(vectors[3])
    np.testing.assert_array_equal(column[3].as_py(), coder.decode(coder.encode(vectors[3])))
    assert column[40].as_py() is None and column.to_pylist()[40] is None


def test_a_parquet_file_is_all_that_its_reader_needs(
    column: Any, vectors: Floats, coder: caufc.Coder, tmp_path: Path
) -> None:
    """In a process that has never seen the coder."""
    pq.write_table(pa.table({"x": column, "i": range(41)}), tmp_path / "a.parquet", row_group_size=8)
    code = (
        "import numpy as np, pyarrow.parquet as pq, caufc.integrations.arrow; found = pq.read_table('a.parquet')['x'];"
        "np.save('a.npy', found.drop_null().combine_chunks().to_numpy_ndarray()); print(found.type)"
    )
    assert NAME in python(code, tmp_path)
    found = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, [coder.decode(coder.encode(vector)) for vector in vectors[:40]])
    assert decibels(vectors[:40], found) > 20


def test_the_profile_is_in_a_file_once(column: Any, coder: caufc.Coder, tmp_path: Path) -> None:
    sizes = []
    for name, kept in (("typed", column), ("plain", column.storage)):
        pq.write_table(pa.table({"x": kept}), tmp_path / name, row_group_size=8)
        sizes.append((tmp_path / name).stat().st_size)
    assert len(coder.profile) < sizes[0] - sizes[1] < 2 * len(coder.profile)


def test_rows_of_two_profiles_are_not_joined(column: Any, texts: caufc.Coder, vectors: Floats) -> None:
    other = CaufArray.of([vectors[:3]], texts)
    assert column.type != other.type and column.type == CaufType(column.type.profile)
    with pytest.raises(pa.ArrowInvalid):
        pa.concat_arrays([column, other])


def test_where_the_type_is_unknown_rows_are_bytes(column: Any, coder: caufc.Coder, tmp_path: Path) -> None:
    (tmp_path / "a.caufp").write_bytes(coder.profile)
    pq.write_table(pa.table({"x": column}), tmp_path / "a.parquet")
    code = (
        "import caufc, pyarrow.parquet as pq; found = pq.read_table('a.parquet')['x'];"
        "print(found.type, caufc.decode(found[2].as_py(), profile='a.caufp').shape)"
    )
    assert python(code, tmp_path) == "large_binary (384,)"


def test_ipc_slices_and_copies_keep_the_type(column: Any, coder: caufc.Coder) -> None:
    table = pa.table({"x": column, "i": range(41)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for other in (pa.ipc.open_stream(sink.getvalue()).read_all(), pickle.loads(pickle.dumps(table))):
        assert other.schema == table.schema and other.schema.field("x").type.profile == coder.profile
        np.testing.assert_array_equal(other["x"][7].as_py(), column[7].as_py())
    np.testing.assert_array_equal(table.slice(5, 9).take([2])["x"][0].as_py(), column[7].as_py())


def test_rows_may_be_files_by_themselves(minilm: Sequence[Floats]) -> None:
    samples: list[Any] = [minilm[0], np.arange(7), np.ones((2, 3, 4), np.float16)]
    column = CaufArray.of(samples, lossless=True)
    assert column.type == CaufType() and repr(column.type) == "CaufType()"
    for sample, found in zip(samples, column.to_pylist(), strict=True):
        np.testing.assert_array_equal(found, sample)
        assert found.dtype == sample.dtype
    assert caufc.decode(column.storage[1].as_py()).tolist() == list(range(7))


@pytest.mark.skipif(find_spec("torch") is None, reason="is about torch")
def test_torch_comes_back_as_torch(vectors: Floats, coder: caufc.Coder) -> None:
    import torch

    tensors = [torch.from_numpy(vector.copy()).bfloat16() for vector in vectors[:3]]
    column = CaufArray.of(tensors, coder)
    assert [row.dtype for row in column.to_pylist()] == [torch.bfloat16] * 3
    found = column.to_numpy_ndarray()
    assert found.dtype == np.float32 and decibels(vectors[:3], found) > 20


def test_what_cannot_be_is_told_by_row(vectors: Floats, coder: caufc.Coder, minilm: Sequence[Floats]) -> None:
    with pytest.raises(caufc.InputError, match=r"^row 1: has shape \[383\]"):
        CaufArray.of([vectors[0], vectors[1, :383]], coder)
    with pytest.raises(caufc.InputError, match=r"^row 0: is a str"):
        CaufArray.of(["text"], quality=50)
    with pytest.raises(caufc.OptionError, match="quality beside a coder"):
        CaufArray.of(vectors[:2], coder, quality=50)
    with pytest.raises(caufc.OptionError, match="to 100"):
        CaufArray.of(vectors[:2], quality=101)
    ragged = CaufArray.of(minilm[:2], quality=50)
    with pytest.raises(caufc.InputError, match=r"rows differ: float32\["):
        ragged.to_numpy_ndarray()
    with pytest.raises(caufc.InputError, match="1 rows are null"):
        CaufArray.of([vectors[0], None], coder).to_numpy_ndarray()


def test_damage_is_told(column: Any, coder: caufc.Coder) -> None:
    message = coder.encode(np.ones(384, np.float32))
    rows = pa.array([message[:-1], b"text"], pa.large_binary())
    damaged = pa.ExtensionArray.from_storage(CaufType(coder), rows)
    for row in damaged:
        with pytest.raises(caufc.FormatError):
            row.as_py()
    foreign = pa.ExtensionArray.from_storage(CaufType(), column.storage)
    with pytest.raises(caufc.MissingProfileError):
        foreign[0].as_py()


@pytest.mark.parametrize("parameters", [b"text", b"[]", b'{"profile": 3}', b'{"profile": "?"}', b'{"profile": "AAAA"}'])
def test_parameters_of_strangers_are_checked(parameters: bytes) -> None:
    with pytest.raises(caufc.FormatError):
        CaufType.__arrow_ext_deserialize__(pa.large_binary(), parameters)


def test_an_empty_column_is_one(coder: caufc.Coder) -> None:
    column = CaufArray.of([], coder)
    assert len(column) == 0 and column.to_pylist() == [] and column.to_numpy_ndarray().shape == (0,)
