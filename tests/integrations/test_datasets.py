"""A feature type of Hugging Face datasets: in memory, through Parquet, in streams, through map, in every format."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

from .neighbours import decibels, neighbour, python

datasets = neighbour("datasets")
fingerprint = neighbour("datasets.fingerprint")

from caufc.integrations.datasets import CaufTensor  # noqa: E402

Floats = NDArray[np.float32]
TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="is about torch")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No bars, and caches in a folder of the test."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


@pytest.fixture(scope="module")
def feature(coder: caufc.Coder) -> CaufTensor:
    return CaufTensor(profile=coder)


@pytest.fixture(scope="module")
def rows(vectors: Floats, feature: CaufTensor) -> Any:
    features = datasets.Features({"x": feature, "i": datasets.Value("int64")})
    return datasets.Dataset.from_dict({"x": list(vectors[:60]), "i": list(range(60))}, features=features)


def stored(rows: Any) -> list[bytes]:
    """The bytes of a dataset's rows."""
    found: list[bytes] = rows.with_format("arrow")[:]["x"].to_pylist()
    return found


def test_rows_are_messages(rows: Any, vectors: Floats, coder: caufc.Coder) -> None:
    assert stored(rows) == [coder.encode(vector) for vector in vectors[:60]]
    np.testing.assert_array_equal(rows[7]["x"], coder.decode(coder.encode(vectors[7])))
    assert type(rows[7]["x"]) is np.ndarray and [part.shape for part in rows[:3]["x"]] == [(384,)] * 3


def test_a_parquet_file_is_all_that_its_reader_needs(rows: Any, tmp_path: Path) -> None:
    """In a process that has never seen the coder, whole and as a stream."""
    rows.to_parquet(tmp_path / "a.parquet")
    code = (
        "import numpy as np, datasets, caufc.integrations.datasets;"
        "whole = datasets.Dataset.from_parquet('a.parquet', cache_dir='cache');"
        "stream = datasets.load_dataset('parquet', data_files='a.parquet', split='train', streaming=True);"
        "np.savez('a.npz', whole=whole.with_format('numpy')[:]['x'], stream=[row['x'] for row in stream])"
    )
    python(code, tmp_path)
    with np.load(tmp_path / "a.npz") as found:
        for way in ("whole", "stream"):
            np.testing.assert_array_equal(found[way], rows[:]["x"])


def test_the_profile_is_in_a_file_once(rows: Any, coder: caufc.Coder, tmp_path: Path) -> None:
    rows.to_parquet(tmp_path / "a.parquet")
    messages = sum(len(row) for row in stored(rows))
    assert (tmp_path / "a.parquet").stat().st_size < messages + 4 * len(coder.profile) + 5000


@pytest.mark.parametrize("kind", ["numpy", pytest.param("torch", marks=TORCH)])
def test_formats_give_batches(rows: Any, kind: str) -> None:
    formatted = rows.with_format(kind)
    assert tuple(formatted[3]["x"].shape) == (384,) and tuple(formatted[2:7]["x"].shape) == (5, 384)
    np.testing.assert_array_equal(np.asarray(formatted[2:7]["x"]), np.stack(rows[2:7]["x"]))
    stream = rows.to_iterable_dataset().with_format(kind)
    assert tuple(next(stream.iter(4))["x"].shape) == (4, 384)
    assert tuple(next(iter(stream))["x"].shape) == (384,)


@TORCH
def test_a_data_loader_takes_it(rows: Any) -> None:
    from torch.utils.data import DataLoader

    for dataset in (rows, rows.with_format("torch")):
        found = [batch["x"] for batch in DataLoader(dataset, batch_size=20, num_workers=2)]
        assert [tuple(batch.shape) for batch in found] == [(20, 384)] * 3
        np.testing.assert_array_equal(found[1][3].numpy(), rows[23]["x"])


def _double(row: Any) -> Any:
    return {"x": 2 * row["x"]}


def _double_all(rows: Any) -> Any:
    return {"x": [2 * row for row in rows["x"]]}


@pytest.mark.parametrize("processes", [None, 2])
def test_what_map_returns_is_encoded(rows: Any, feature: CaufTensor, processes: int | None) -> None:
    """It comes back as nested lists."""
    for batched in (False, True):
        found = rows.map(_double_all if batched else _double, batched=batched, num_proc=processes)
        assert found.features == rows.features and found.features["x"] == feature
        assert decibels(2 * np.stack(rows[:]["x"]), found[:]["x"]) > 20


def test_map_leaves_what_it_does_not_return(rows: Any) -> None:
    found = rows.map(lambda row: {"norm": float(np.linalg.norm(row["x"]))}).filter(lambda row: row["i"] > 3)
    assert stored(found) == stored(rows)[4:]
    assert rows.map(lambda row: {"i": row["i"] + 1}).features["x"] == rows.features["x"]


def test_map_may_make_a_column(rows: Any, feature: CaufTensor, coder: caufc.Coder, vectors: Floats) -> None:
    features = datasets.Features({**rows.features, "y": feature})
    found = rows.map(lambda row: {"y": vectors[row["i"] + 1]}, features=features)
    np.testing.assert_array_equal(found[3]["y"], coder.decode(coder.encode(vectors[4])))
    assert rows.map(lambda row: {"x": "text"}).features["x"] == datasets.Value("string")


@TORCH
def test_tensors_of_torch_go_in(vectors: Floats, feature: CaufTensor, coder: caufc.Coder) -> None:
    import torch

    tensors = [torch.from_numpy(vector.copy()).bfloat16() for vector in vectors[:3]]
    found = datasets.Dataset.from_dict({"x": tensors}, features=datasets.Features({"x": feature}))
    np.testing.assert_array_equal(found[1]["x"], coder.decode(coder.encode(tensors[1].float().numpy())))


def test_columns_are_cast(vectors: Floats, minilm: Sequence[Floats], feature: CaufTensor, coder: caufc.Coder) -> None:
    plain = datasets.Dataset.from_dict({"x": list(vectors[:9])})
    assert stored(plain.cast_column("x", feature)) == [coder.encode(vector) for vector in vectors[:9]]
    features = datasets.Features({"x": datasets.Array2D((None, 384), "float32")})
    texts = datasets.Dataset.from_dict({"x": [text.tolist() for text in minilm[:3]]}, features=features)
    found = texts.cast_column("x", CaufTensor(layout="n c", snr=30))
    assert [row.shape for row in found[:]["x"]] == [text.shape for text in minilm[:3]]
    assert all(decibels(one, other) > 29.9 for one, other in zip(minilm[:3], found[:]["x"], strict=True))


def test_rows_may_be_null_nested_and_of_any_length(minilm: Sequence[Floats], texts: caufc.Coder) -> None:
    features = datasets.Features({"text": {"states": CaufTensor(profile=texts), "name": datasets.Value("string")}})
    given = [{"states": minilm[0], "name": "a"}, {"states": None, "name": "b"}, {"states": minilm[1], "name": "c"}]
    found = datasets.Dataset.from_dict({"text": given}, features=features)
    assert found[1]["text"]["states"] is None
    assert [found[i]["text"]["states"].shape for i in (0, 2)] == [text.shape for text in minilm[:2]]


def test_integers_and_halves_keep_their_dtype() -> None:
    features = datasets.Features({"x": CaufTensor("int16"), "y": CaufTensor("float16", lossless=True)})
    given: dict[str, Any] = {"x": [np.arange(9).reshape(3, 3)], "y": [np.arange(5) / 7]}
    found = datasets.Dataset.from_dict(given, features=features)[0]
    assert found["x"].dtype == np.int16 and found["x"].tolist() == given["x"][0].tolist()
    assert found["y"].dtype == np.float16 and found["y"].tolist() == given["y"][0].astype(np.float16).tolist()


def test_copies_and_hashes_are_stable(rows: Any, feature: CaufTensor, vectors: Floats) -> None:
    """Whatever has been decoded: fingerprints of datasets rely on it."""
    before = fingerprint.Hasher.hash(CaufTensor(profile=feature.profile))
    feature.decode_example(feature.encode_example(vectors[0]))
    copy = pickle.loads(pickle.dumps(feature))
    assert copy == feature and fingerprint.Hasher.hash(copy) == fingerprint.Hasher.hash(feature) == before
    double = {"function": lambda row: {"i": 2 * row["i"]}}
    assert rows.map(**double)._fingerprint == rows.map(**double)._fingerprint
    other = CaufTensor(profile=feature.profile, quality=60)
    assert other != feature and fingerprint.Hasher.hash(other) != before


def test_features_are_data(rows: Any, feature: CaufTensor, tmp_path: Path) -> None:
    assert datasets.Features.from_dict(rows.features.to_dict()) == rows.features
    assert datasets.Features._from_yaml_list(rows.features._to_yaml_list()) == rows.features
    assert repr(feature).startswith("CaufTensor(profile=<1,") and repr(CaufTensor(snr=30)) == "CaufTensor(snr=30)"
    rows.save_to_disk(tmp_path / "a")
    assert stored(datasets.load_from_disk(tmp_path / "a")) == stored(rows)
    assert len(datasets.concatenate_datasets([rows, datasets.load_from_disk(tmp_path / "a")])) == 120


def test_threads_may_share_a_dataset(rows: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: rows[number]["x"], range(60)))
    np.testing.assert_array_equal(found, rows[:]["x"])


def test_a_profile_is_fitted(minilm: Sequence[Floats]) -> None:
    feature = CaufTensor.fit([text.tolist() for text in minilm], layout="n c", quality=40)
    assert feature.quality == 40 and decibels(minilm[0], feature.decode_example(feature.encode_example(minilm[0]))) > 15


def test_bytes_are_given_where_decode_is_false(rows: Any, feature: CaufTensor) -> None:
    plain = rows.cast_column("x", dataclasses.replace(feature, decode=False))
    assert plain[3]["x"] == stored(rows)[3]
    again = plain.cast_column("x", feature)
    np.testing.assert_array_equal(again[3]["x"], rows[3]["x"])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"dtype": "bfloat16"}, "unknown dtype 'bfloat16'"),
        ({"quality": 101}, "to 100"),
        ({"quality": 50, "snr": 30}, "quality"),
        ({"layout": "x y"}, "layout"),
        ({"profile": "no-such"}, "no-such"),
        ({"nonfinite": "drop"}, "drop"),
    ],
)
def test_options_are_checked_before_any_row(options: Any, what: str) -> None:
    with pytest.raises(caufc.InputError, match=what):
        CaufTensor(**options)


def test_options_beside_a_profile_are_checked(coder: caufc.Coder) -> None:
    for options in ({"layout": "c"}, {"lossless": True}, {"max_error": 0.1}, {"snr": 30}):
        with pytest.raises(caufc.OptionError):
            CaufTensor(profile=coder, **options)


def test_rows_that_cannot_be_are_told(rows: Any, feature: CaufTensor, vectors: Floats) -> None:
    for broken, what in (
        (lambda row: {"x": row["x"][:10]}, r"row 0: has shape \[10\]"),
        (lambda row: {"x": row["x"] * np.nan}, "row 0: holds 384 NaN"),
    ):
        with pytest.raises(caufc.InputError, match=what):
            rows.map(broken)
    for value in ("text", {"a": 1}, [[1], [2, 3]], object()):
        with pytest.raises(caufc.TensorError, match="no tensor of float32"):
            feature.encode_example(value)
    with pytest.raises(caufc.TensorError, match="no tensor of int32"):
        CaufTensor("int32").encode_example(vectors[0])
    for column in ([[[1.0], [2.0, 3.0]]], [[None, 1.0]]):
        with pytest.raises(caufc.InputError, match=r"^row 0: "):
            datasets.Dataset.from_dict({"x": column}).cast_column("x", CaufTensor(quality=50))
    with pytest.raises(caufc.TensorError, match="holds no tensors"):
        datasets.Dataset.from_dict({"x": [{"a": 1}]}).cast_column("x", feature)


def test_foreign_rows_are_told(rows: Any, vectors: Floats) -> None:
    other = rows.cast_column("x", CaufTensor.fit(vectors[1::2], layout="b c"))
    with pytest.raises(caufc.MissingProfileError, match="decode with the one of the column, then cast"):
        other[0]
    features = datasets.Features({"x": rows.features["x"]})
    with pytest.raises(caufc.FormatError):
        datasets.Dataset.from_dict({"x": [b"text"]}, features=features)
    with pytest.raises(caufc.FormatError):
        features["x"].decode_example(stored(rows)[0][:-1])
    with pytest.raises(caufc.FormatError, match="base64"):
        CaufTensor(profile=rows.features["x"].profile + "?")


def test_a_column_may_have_one_shape(vectors: Floats, coder: caufc.Coder, tmp_path: Path) -> None:
    feature = CaufTensor.fit(vectors[::2], layout="b c", shape=vectors.shape[1:])
    assert feature.shape == (384,) and CaufTensor(profile=coder).shape is None
    rows = datasets.Dataset.from_dict({"x": list(vectors[:4])}, features=datasets.Features({"x": feature}))
    rows.save_to_disk(tmp_path / "rows")
    found = datasets.load_from_disk(tmp_path / "rows").features["x"]
    assert found.shape == (384,) and found == feature
    with pytest.raises(caufc.InputError, match=r"a tensor of \(3, 4\) in a column of \(2, 4\); leave shape= out"):
        CaufTensor(shape=(2, 4)).encode_example(np.zeros((3, 4)))
