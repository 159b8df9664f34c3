"""Many files as one."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import InputError, OptionError, StorageError

PER_FILE, FILES = 7, 5
VALUES = np.arange(PER_FILE * FILES * 4, dtype="i4").reshape(-1, 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(FILES):
        part = VALUES[number * PER_FILE : (number + 1) * PER_FILE]
        caufc.save(tmp_path / f"part-{number}.cauf", part, lossless=True, chunk=2)
    (tmp_path / "notes.txt").write_text("not one of them")
    return tmp_path


def reads(reader: caufc.SampleReader, seed: int = 0) -> bool:
    order = np.random.default_rng(seed).permutation(len(VALUES))
    return np.array_equal(reader[order], VALUES[order])


def test_patterns_folders_and_lists(folder: Path) -> None:
    parts = sorted(folder.glob("*.cauf"))
    for source in (folder, str(folder / "*.cauf"), str(folder / "part-[0-4].cauf"), parts, [folder / "part-*"]):
        with caufc.open(source) as reader:
            assert isinstance(reader, caufc.ReaderSet)
            assert reads(reader)
            assert reader.files == tuple(map(str, parts))
            assert np.array_equal(list(reader), VALUES)
            assert np.array_equal(reader[5:9], VALUES[5:9])
            assert reader.chunk_sizes == (2, 2, 2, 1) * FILES
    with caufc.open([folder / "part-3.cauf", caufc.encode(VALUES[:2], lossless=True)]) as reader:
        assert np.array_equal(reader[6:8], [VALUES[27], VALUES[0]])
    with pytest.raises(IndexError, match="sample 9 of 9"):
        caufc.open([folder / "part-3.cauf", caufc.encode(VALUES[:2], lossless=True)])[9]


def test_a_file_of_that_very_name_is_no_pattern(folder: Path) -> None:
    path = folder / "part-[0-4].cauf"
    caufc.save(path, VALUES[:3], lossless=True)
    with caufc.open(path) as reader:
        assert len(reader) == 3


def test_few_files_are_open_at_a_time(folder: Path) -> None:
    def open_files() -> int:
        return sum(file.resolve().is_relative_to(folder) for file in Path("/proc/self/fd").iterdir())

    with caufc.ReaderSet(sorted(folder.glob("*.cauf")), most_open=2) as reader:
        assert reads(reader)
        if sys.platform == "linux":
            assert open_files() == 2
    if sys.platform == "linux":
        assert open_files() == 0
    with pytest.raises(InputError, match="the reader is closed"):
        reader[0]


def test_threads_share_a_set(folder: Path) -> None:
    found: list[bool] = []
    with caufc.ReaderSet(sorted(folder.glob("*.cauf")), most_open=1, cache_bytes=0) as reader:
        threads = [
            threading.Thread(target=lambda seed=seed: found.append(all(reads(reader, seed + n) for n in range(3))))
            for seed in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 5


def _report(reader: Any, seed: int, queue: Any) -> None:
    queue.put(reads(reader, seed))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_a_set(folder: Path, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    with caufc.ReaderSet(sorted(folder.glob("*.cauf")), most_open=2) as reader:
        reader[3]
        processes = [context.Process(target=_report, args=(reader, seed, queue)) for seed in range(2)]
        for process in processes:
            process.start()
        assert reads(reader, 9)
        assert [queue.get(timeout=60) for _ in processes] == [True] * 2
        for process in processes:
            process.join()


def test_copies_and_changed_files(folder: Path) -> None:
    with caufc.open(folder) as reader:
        kept = pickle.dumps(reader)
    assert reads(pickle.loads(kept))
    caufc.save(folder / "part-1.cauf", VALUES[:3], lossless=True, force=True)
    copy = pickle.loads(kept)
    assert np.array_equal(copy[3], VALUES[3])
    with pytest.raises(StorageError, match=r"part-1\.cauf: changed since it was opened"):
        copy[8]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (VALUES.astype("i8"), r"other\.cauf: holds samples of int64 \[4\], and .*part-0\.cauf of int32 \[4\]"),
        (VALUES[:, None], r"holds samples of int32 \[1, 4\]"),
        ({"x": VALUES}, r"holds samples of x int32 \[4\]"),
        (
            {f"k{number}x": VALUES[number] for number in range(35)},
            r"other\.cauf: has keys, and .* has none",
        ),
    ],
)
def test_files_must_agree(folder: Path, other: Any, message: str) -> None:
    caufc.save(folder / "other.cauf", other, lossless=True)
    with pytest.raises(InputError, match=message):
        caufc.open([folder / "part-0.cauf", folder / "other.cauf"])


def test_ragged_samples_and_samples_of_one_shape_go_together() -> None:
    rng = np.random.default_rng(0)
    ragged = [rng.normal(size=(n, 8)).astype("f4") for n in (2, 3)]
    with caufc.open([caufc.encode(ragged), caufc.encode(rng.normal(size=(4, 6, 8)).astype("f4"))]) as reader:
        assert [sample.shape for sample in reader] == [(2, 8), (3, 8), (6, 8), (6, 8), (6, 8), (6, 8)]
        assert reader.info.tensors[0]["shape"] == [None, 8]
        assert reader.info.samples == 6
        assert reader.chunk_bytes() is None


def test_keys_of_all_files(tmp_path: Path) -> None:
    for number in range(3):
        keyed = {f"doc-{number}-{n}": VALUES[10 * number + n] for n in range(10)}
        caufc.save(tmp_path / f"{number}.cauf", keyed, lossless=True, keyed=True)
    with caufc.open(tmp_path) as reader:
        assert reader.keys()[9:11] == ["doc-0-9", "doc-1-0"]
        assert reader.find("doc-2-3") == 23
        assert np.array_equal(reader[["doc-2-3", "doc-0-0"]], VALUES[[23, 0]])
        with pytest.raises(KeyError):
            reader["doc-3-0"]
    caufc.save(tmp_path / "9.cauf", {"doc-1-1": VALUES[0]}, lossless=True, keyed=True)
    with (
        caufc.open(tmp_path) as reader,
        pytest.raises(InputError, match=r"9\.cauf: has a sample 'doc-1-1', and so has"),
    ):
        reader.keys()


def test_all_files_share_one_cache(folder: Path) -> None:
    with caufc.ReaderSet(sorted(folder.glob("*.cauf")), cache_bytes=100) as reader:
        assert reads(reader)
        assert reader._cache.bytes <= 100
        sampler = caufc.ChunkSampler(reader, window=3, seed=1)
    assert sorted(sampler) == list(range(len(VALUES)))


def test_what_sets_refuse(folder: Path) -> None:
    with pytest.raises(OptionError, match="most_open=0 is too small; give 1 or more"):
        caufc.ReaderSet([folder / "part-0.cauf"], most_open=0)
    with pytest.raises(StorageError, match=r"no \.cauf file there"):
        (folder / "empty").mkdir()
        caufc.open(folder / "empty")
    (folder / "part-2.cauf").write_bytes(b"")
    with pytest.raises(caufc.DamagedError, match=r"part-2\.cauf"):
        caufc.open(folder)


def test_a_repr_says_what_it_is(folder: Path) -> None:
    with caufc.open(folder) as reader:
        name = f"{folder / 'part-0.cauf'} and 4 more"
        assert repr(reader) == f"<caufc.ReaderSet of 5 files, '{name}': 35 samples of int32 [4]>"


def test_files_without_samples_count_as_none(tmp_path: Path) -> None:
    """A shard of a run that had nothing to write."""
    with caufc.writer(tmp_path / "empty.cauf"):
        pass
    empty = (tmp_path / "empty.cauf").read_bytes()
    named = caufc.encode([{"x": np.full((1 + n, 4), n, "f4")} for n in range(3)], layout="n c")
    keyed = caufc.encode({"a": np.ones((2, 4), "f4"), "b": np.ones((3, 4), "f4")}, keyed=True)
    for samples, names in ((named, [0, 1, 2]), (keyed, ["a", "b"])):
        for sources in ([empty, samples], [samples, empty], [empty, empty, samples, empty]):
            with caufc.open(sources) as reader, caufc.open(samples) as alone:
                assert len(reader) == len(list(reader)) == len(names)
                assert reader.shapes == alone.shapes
                assert reader.info.tensors[0]["name"] == alone.info.tensors[0]["name"]
                assert reader.keyed == alone.keyed
                assert not reader.keyed or reader.keys() == names
            path = tmp_path / "joined.cauf"
            files = []
            for number, source in enumerate(sources):
                files.append(tmp_path / f"{number}.cauf")
                files[-1].write_bytes(source)
            assert caufc.cat_files(files, path, force=True).samples == len(names)
            assert len(caufc.load(path)) == len(names)
    with caufc.open([empty, named], only="x") as reader:
        assert len(reader) == 3
    with caufc.open([empty, empty]) as reader:
        assert (len(reader), reader[:], reader.info.samples) == (0, [], 0)
    with pytest.raises(InputError, match="keys"):
        caufc.open([empty, named, keyed])


def test_a_set_shows_what_varies_between_files() -> None:
    files = [caufc.encode(np.zeros((2, 4, width), "f4")) for width in (16, 17)]
    with caufc.open(files) as reader:
        assert reader.shapes == {"": (4, None)}
        assert "fp32 [4, *]" in repr(reader)
