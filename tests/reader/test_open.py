"""What ``caufc.open`` opens: paths, bytes, maps, file objects, functions; and samples by lists of numbers and keys."""

from __future__ import annotations

import io
import mmap
import pickle
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import DamagedError, InputError, OptionError, StorageError

VALUES = np.arange(60, dtype="i4").reshape(20, 3)


@pytest.fixture(scope="module")
def data() -> bytes:
    return caufc.encode(VALUES, lossless=True, chunk=3)


@pytest.fixture
def path(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "x.cauf"
    path.write_bytes(data)
    return path


def reads(reader: caufc.SampleReader) -> bool:
    return len(reader) == 20 and np.array_equal(reader[:], VALUES) and np.array_equal(reader[-1], VALUES[-1])


def test_every_kind_of_source(data: bytes, path: Path) -> None:
    def read_at(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    buffers: list[Any] = [data, bytearray(data), memoryview(data), np.frombuffer(data, "u1")]
    for source in [str(path), path, *buffers, io.BytesIO(data)]:
        with caufc.open(source) as reader:
            assert reads(reader), source
    with caufc.open(read_at, size=len(data)) as reader:
        assert reads(reader)
    with path.open("rb") as file:
        with caufc.open(file) as reader:
            assert reads(reader)
            assert reader.name == str(path)
        assert not file.closed  # it was opened by the caller
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, caufc.open(mapped) as reader:
            assert reads(reader)


def test_what_cannot_be_opened(data: bytes, path: Path, tmp_path: Path) -> None:
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (3, {}, r"cannot open a int; give a path, a URL, bytes"),
        (lambda offset, length: b"", {}, r"needs size=, in bytes"),
        (data, {"size": 5}, "size= is that of what a function reads"),
        (data, {"storage_options": {"anon": True}}, "storage_options= are for URLs"),
        (io.StringIO("x"), {}, "is open for text; open it with 'rb'"),
        ([], {}, "no file to open"),
    ]
    for source, options, message in cases:
        with pytest.raises(OptionError, match=message):
            caufc.open(source, **options)
    for source in (str(tmp_path / "*.npy"), tmp_path / "none.cauf"):
        with pytest.raises(StorageError):
            caufc.open(source)
    with pytest.raises(StorageError, match=r"read_at gave 0 bytes of"):
        caufc.open(lambda offset, length: b"", size=len(data))
    with path.open("rb") as file:
        reader = caufc.open(file)
    with pytest.raises(StorageError, match="closed file"):
        reader[0]


def test_lists_of_numbers_and_keys() -> None:
    keyed = dict(zip("abc", VALUES, strict=False))
    with caufc.open(caufc.encode(keyed, lossless=True, keyed=True)) as reader:
        np.testing.assert_array_equal(reader[["c", "a", 1]], VALUES[[2, 0, 1]])
        np.testing.assert_array_equal(reader[np.array([2, -3])], VALUES[[2, 0]])
        np.testing.assert_array_equal(reader[range(1, 3)], VALUES[[1, 2]])
        np.testing.assert_array_equal(reader[array("b", [2, 0])], VALUES[[2, 0]])
        assert reader[[]] == reader[range(0)] == []
        with pytest.raises(KeyError):
            reader[["a", "z"]]
        for wrong in ([True, False, True], np.array([True, False, True]), (0, 1), np.array([[0]]), 1.0, b"a"):
            with pytest.raises(TypeError, match="neither a number nor a slice, nor a list of numbers or keys"):
                reader[wrong]  # type: ignore[index]


def test_threads_share_a_file_object(path: Path) -> None:
    found: list[bool] = []
    with path.open("rb") as file, caufc.open(file, cache_bytes=0) as reader:
        threads = [
            threading.Thread(target=lambda: found.append(all(reads(reader) for _ in range(10)))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 4


def test_copies_of_what_can_be_opened_again(data: bytes, path: Path) -> None:
    for source in (path, str(path), data, bytearray(data)):
        with caufc.open(source) as reader:
            copy = pickle.loads(pickle.dumps(reader))
        assert reads(copy)
    with caufc.open(io.BytesIO(data)) as reader, pytest.raises(InputError, match="open it by its path or URL"):
        pickle.dumps(reader)


def test_a_repr_says_what_it_is(path: Path) -> None:
    with caufc.open(path) as reader:
        assert repr(reader) == f"<caufc.Reader of '{path}': 20 samples of int32 [3]; lossless>"
    assert repr(reader).startswith("<closed caufc.Reader")
    rng = np.random.default_rng(0)
    ragged = [{"x": rng.normal(size=(n, 8)).astype("f4"), "y": n} for n in (300, 500)]
    with caufc.open(caufc.encode(ragged, quality="high")) as reader:
        assert repr(reader) == "<caufc.Reader of '-': 2 samples of x fp32 [*, 8]; transform, quality 75>"


def test_recover_gives_the_samples_of_whole_chunks(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.cauf"
    with caufc.Reader(data) as whole:
        offsets = whole._reader.index.offsets
    damaged = bytearray(data)
    damaged[offsets[1] + 20] ^= 1
    path.write_bytes(damaged[: offsets[4] + 5])
    with pytest.raises(DamagedError):
        caufc.open(path)
    with caufc.Reader(path, recover=True) as reader:
        assert len(reader) == 9
        assert reader.lost == ((3, 6), (12, None))
        np.testing.assert_array_equal(reader[:], VALUES[[0, 1, 2, 6, 7, 8, 9, 10, 11]])
        assert reader.info.samples == 9
        assert np.array_equal(pickle.loads(pickle.dumps(reader))[4], VALUES[7])
    with caufc.Reader(data, recover=True) as reader:
        assert reads(reader)
        assert reader.lost == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": 3}, "only=3 names no tensor; give a name, prefix or pattern, or a list of them"),
        ({"only": ["", 3]}, "only=3 names no tensor"),
        ({"only": b"x"}, "only=b'x' names no tensor"),
        ({"limits": {}}, r"limits= is a dict, and no Limits; give caufc\.Limits\(output_bytes=\.\.\.\)"),
        ({"cache_bytes": "1"}, "cache_bytes='1' is no whole number; give 0 or more"),
        ({"cache_bytes": True}, "cache_bytes=True is no whole number"),
        ({"cache_bytes": 1.5}, "cache_bytes=1.5 is no whole number"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], message: str, data: bytes) -> None:
    for source in (data, [data]):
        with pytest.raises(OptionError, match=message):
            caufc.open(source, **options)
    if "cache_bytes" not in options:
        with pytest.raises(OptionError, match=message):
            caufc.decode(data, **options)
    assert caufc.open(data, cache_bytes=1e6).cache_bytes == 1_000_000  # type: ignore[arg-type]


USES: list[Callable[[caufc.SampleReader], object]] = [
    lambda reader: reader[0],
    lambda reader: reader["a"],
    lambda reader: reader[:2],
    lambda reader: reader[[]],
    lambda reader: reader.__getitems__([0]),
    lambda reader: list(reader),
    lambda reader: reader.info,
    lambda reader: reader.keys(),
    lambda reader: reader.find("a"),
]


@pytest.mark.parametrize("number", range(len(USES)))
def test_closed_readers_read_nothing(number: int, tmp_path: Path) -> None:
    keyed = caufc.encode({"a": VALUES[:2], "b": VALUES[2:4]}, keyed=True)
    path = tmp_path / "k.cauf"
    path.write_bytes(keyed)
    with path.open("rb") as file:
        sources: list[Any] = [path, keyed, bytearray(keyed), file, [path], [path, _renamed(path)]]
        for source in sources:
            reader = caufc.open(source)
            assert len(reader) == len(list(reader))
            reader.close()
            with pytest.raises(InputError, match="the reader is closed; open the file again"):
                USES[number](reader)
            reader.close()
            assert reader.closed
            assert reader.shapes
            assert reader.chunk_sizes
            assert reader.chunk_bytes() == 48
            assert reader.keyed
            assert "closed" in repr(reader)


def _renamed(path: Path) -> bytes:
    """The same samples by other keys."""
    return caufc.encode({f"{key}2": sample for key, sample in caufc.load(path).items()}, keyed=True)


def test_a_copy_of_a_closed_buffer_is_refused(data: bytes) -> None:
    reader = caufc.open(bytearray(data))
    reader.close()
    with pytest.raises(InputError, match="the reader is closed"):
        pickle.dumps(reader)


def test_keys_are_found_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caufc.Reader, "_samples", None)
    features = {f"k{number}": np.full((4, 3), number, np.float32) for number in range(40)}
    reader = caufc.open(caufc.encode(features, keyed=True, chunk=8))
    assert "k3" in reader
    assert "k40" not in reader
    assert 3.5 not in reader
    with pytest.raises(caufc.InputError, match="keys"):
        _ = "k3" in caufc.open(caufc.encode(list(features.values())))
