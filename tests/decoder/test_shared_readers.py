"""Readers that threads, forked processes and copies share, and what opening one reads."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.catalog import lookup_of
from caufc.decoder.random_access import FileReader
from caufc.errors import StorageError
from caufc.limits import DEFAULT_LIMITS
from caufc.storage.local import LocalFile

SAMPLES = 40


@pytest.fixture(scope="module")
def values() -> Any:
    return np.random.default_rng(0).standard_normal((SAMPLES, 64, 96)).astype(np.float32)


@pytest.fixture(scope="module")
def file(values: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shared") / "x.cauf"
    caufc.save(path, values, layout="b n c", chunk=1)
    return path


@pytest.fixture(scope="module")
def whole(file: Path) -> Any:
    return caufc.load(file)


def same(reader: Any, whole: Any, seed: int) -> bool:
    order = np.random.default_rng(seed).integers(0, SAMPLES, 60)
    return all((reader[int(number)] == whole[number]).all() for number in order)


@pytest.mark.parametrize("source", ["path", "bytes"])
def test_threads_share_a_reader(file: Path, whole: Any, source: str) -> None:
    found: list[bool] = []
    with caufc.open(file if source == "path" else file.read_bytes()) as reader:
        threads = [
            threading.Thread(target=lambda seed=seed: found.append(same(reader, whole, seed))) for seed in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 6


def _report(reader: Any, whole: Any, seed: int, queue: Any) -> None:
    queue.put(same(reader, whole, seed))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX processes")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_a_reader(file: Path, whole: Any, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    with caufc.open(file) as reader:
        reader[3]
        processes = [context.Process(target=_report, args=(reader, whole, seed, queue)) for seed in range(3)]
        for process in processes:
            process.start()
        assert same(reader, whole, 9)
        assert [queue.get(timeout=60) for _ in processes] == [True] * 3
        for process in processes:
            process.join()


def test_a_copy_opens_the_file_again(file: Path, whole: Any) -> None:
    with caufc.open(file) as reader:
        copy = pickle.loads(pickle.dumps(reader))
    assert same(copy, whole, 1)
    copy.close()


def test_a_copy_of_another_file_is_refused(file: Path, values: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    path.write_bytes(file.read_bytes())
    with caufc.open(path) as reader:
        kept = pickle.dumps(reader)
    caufc.save(path, values[:7], layout="b n c", force=True)
    with pytest.raises(StorageError, match="changed since it was opened"):
        pickle.loads(kept)


def test_opening_reads_the_header_and_the_index_alone(file: Path) -> None:
    data = file.read_bytes()
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return data[offset : offset + length]

    reader = FileReader(read_at, len(data), lookup_of(), DEFAULT_LIMITS)
    assert len(reader) == SAMPLES
    assert len(reads) == 2
    reader.sample(17)
    assert len(reads) == 3
    assert reads[2] == reader.index.find(17)[:2]


def test_a_large_index_takes_one_read_more() -> None:
    data = caufc.encode(np.arange(20_000, dtype="u1").reshape(20_000, 1), lossless=True, chunk=1)
    reads: list[int] = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append(length)
        return data[offset : offset + length]

    reader = FileReader(read_at, len(data), lookup_of(), DEFAULT_LIMITS)
    assert len(reads) == 3
    assert int(reader.sample(19_999)[0][0]) == 19_999 % 256


@pytest.mark.skipif(not hasattr(os, "pread"), reason="without pread, reads take turns")
def test_reading_moves_no_shared_offset(file: Path) -> None:
    with caufc.Reader(file) as reader:
        assert isinstance(reader._storage, LocalFile)
        before = reader._storage.file.tell()
        reader[5]
        assert reader._storage.file.tell() == before
