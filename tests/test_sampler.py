"""ChunkSampler: every sample once, in a random order that decodes every chunk once."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from features.common import needs_torch
from hypothesis import given
from hypothesis import strategies as st

import caufc
from caufc.decoder.file_decoder import ChunkDecoder
from caufc.errors import OptionError

SAMPLES, CHUNK = 400, 7


class Chunks:
    def __init__(self, *sizes: int) -> None:
        self.chunk_sizes = sizes


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples that say their number."""
    path = tmp_path_factory.mktemp("sampler") / "a.cauf"
    features = {"x": np.repeat(np.arange(SAMPLES, dtype="f4"), 16).reshape(SAMPLES, 16), "n": np.arange(SAMPLES)}
    caufc.save(path, features, lossless=True, chunk=CHUNK)
    return path


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """First samples of the chunks that are decoded."""
    found: list[int] = []
    original = ChunkDecoder.samples_of

    def samples_of(self: ChunkDecoder, chunks: Any, threads: int = 1) -> Any:
        found.extend(chunk.first for chunk in chunks)
        return original(self, chunks, threads)

    monkeypatch.setattr(ChunkDecoder, "samples_of", samples_of)
    return found


@given(
    st.lists(st.integers(1, 9), max_size=30),
    st.integers(1, 20),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(1, 12),
    st.booleans(),
)
def test_each_sample_once(sizes: list[int], window: int, world: int, workers: int, batch: int, drop: bool) -> None:
    total = sum(sizes)
    found: list[int] = []
    lengths = []
    for rank in range(world):
        sampler = caufc.ChunkSampler(
            Chunks(*sizes), window, seed=3, rank=rank, world=world, workers=workers, batch_size=batch, drop_last=drop
        )
        numbers = list(sampler)
        assert len(numbers) == len(sampler)
        assert all(type(number) is int for number in numbers)
        found += numbers
        lengths.append(len(numbers))
    assert len(set(found)) == len(found) == (total - total % world if drop else total)
    assert set(found) <= set(range(total))
    assert max(lengths) - min(lengths) <= (0 if drop else 1)


def test_seeds_and_epochs() -> None:
    sampler = caufc.ChunkSampler(Chunks(*[10] * 40), seed=5)
    first = list(sampler)
    assert list(sampler) == first == list(caufc.ChunkSampler(Chunks(*[10] * 40), seed=5))
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first and sorted(second) == sorted(first)
    assert list(caufc.ChunkSampler(Chunks(*[10] * 40), seed=6)) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_windows() -> None:
    """So many chunks are open at a time, and their samples are mixed."""
    order = [number // 10 for number in caufc.ChunkSampler(Chunks(*[10] * 40), 8, seed=1)]
    windows = [order[start : start + 80] for start in range(0, 400, 80)]
    assert [len(set(window)) for window in windows] == [8] * 5
    assert sorted({chunk for window in windows for chunk in set(window)}) == list(range(40))
    assert all(sum(a != b for a, b in itertools.pairwise(window)) > 50 for window in windows)
    assert [sorted(set(window)) for window in windows] != [list(range(8 * n, 8 * n + 8)) for n in range(5)]


@pytest.mark.parametrize("window", [1, 3, 16, 1000])
def test_each_chunk_is_decoded_once(file: Path, decodes: list[int], window: int) -> None:
    with caufc.open(file) as reader:
        sampler = caufc.ChunkSampler(reader, window, seed=2)
        assert [int(reader[number]["n"]) for number in sampler] == list(sampler)
    assert sorted(decodes) == list(range(0, SAMPLES, CHUNK))


def test_a_list_of_samples_decodes_each_chunk_once(file: Path, decodes: list[int]) -> None:
    numbers = np.random.default_rng(0).integers(-SAMPLES, SAMPLES, 200).tolist()
    with caufc.open(file, cache_bytes=0) as reader:
        found = reader.__getitems__(numbers)
        assert [int(sample["n"]) for sample in found] == [number % SAMPLES for number in numbers]
        found[0]["x"][...] = -1
        assert (reader.__getitems__(numbers[:1])[0]["x"] >= 0).all()
        assert reader.__getitems__([]) == []
        with pytest.raises(IndexError, match=f"sample {SAMPLES} of {SAMPLES}"):
            reader.__getitems__([0, SAMPLES])
    assert len(decodes) == len({number % SAMPLES // CHUNK for number in numbers}) + 1


def test_a_cache_keeps_what_it_may(file: Path, decodes: list[int]) -> None:
    chunk = CHUNK * (16 * 4 + 8)
    with caufc.Reader(file, cache_bytes=3 * chunk) as reader:
        assert reader.chunk_bytes() == chunk
        for first in (0, 1, 2, 0, 3, 0, 2, 1):
            reader[first * CHUNK]
        assert reader._reader.cache.bytes <= 3 * chunk
    assert [first // CHUNK for first in decodes] == [0, 1, 2, 3, 1]
    with pytest.raises(OptionError, match="cache_bytes=-1 is too small"):
        caufc.open(file, cache_bytes=-1)


def test_a_cache_that_is_too_small_is_told(file: Path) -> None:
    with caufc.open(file, cache_bytes=5000) as reader:
        with pytest.warns(UserWarning, match=r"take 8,064 bytes and the reader keeps 5,000.*cache_bytes=8064"):
            caufc.ChunkSampler(reader)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            caufc.ChunkSampler(reader, 9)


@pytest.mark.parametrize(
    "options",
    [{"window": 0}, {"rank": 1}, {"world": 0}, {"rank": -1}, {"workers": 2}, {"workers": -1}, {"seed": -1},
     {"workers": 2, "batch_size": 0}, {"seed": "x"}, {"window": None}, {"rank": 0.5}, {"batch_size": "2"}],
)  # fmt: skip
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        caufc.ChunkSampler(Chunks(3, 4), **options)
    with pytest.raises(OptionError, match="epoch='x' is no whole number"):
        caufc.ChunkSampler(Chunks(3, 4)).set_epoch("x")  # type: ignore[arg-type]


def _process_of(sample: Any) -> Any:
    import os

    return {"n": int(sample["n"]), "process": os.getpid()}


class Processes:
    """A dataset whose samples say in which process they were read."""

    def __init__(self, reader: caufc.SampleReader) -> None:
        self.reader = reader

    def __len__(self) -> int:
        return len(self.reader)

    def __getitems__(self, numbers: list[int]) -> list[Any]:
        return [_process_of(sample) for sample in self.reader.__getitems__(numbers)]


def as_it_is(samples: list[Any]) -> list[Any]:
    return samples


@needs_torch
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader(file: Path, method: str, workers: int) -> None:
    from torch.utils.data import DataLoader

    with caufc.open(file) as reader:
        sampler = caufc.ChunkSampler(reader, seed=4, workers=workers, batch_size=32)
        context = method if workers else None
        dataset: Any = reader
        loader: Any = DataLoader(
            dataset, batch_size=32, sampler=sampler, num_workers=workers, multiprocessing_context=context
        )
        assert len(loader) == 13
        batches = list(loader)
    numbers = [int(number) for batch in batches for number in batch["n"]]
    assert numbers == list(sampler)
    assert all((batch["x"] == batch["n"][:, None]).all() and batch["x"].shape[1:] == (16,) for batch in batches)


@needs_torch
def test_each_worker_has_its_own_chunks(file: Path) -> None:
    from torch.utils.data import DataLoader

    with caufc.open(file) as reader:
        seen = {}
        for workers in (0, 2):
            sampler = caufc.ChunkSampler(reader, seed=4, workers=workers, batch_size=16)
            dataset: Any = Processes(reader)
            loader: Any = DataLoader(dataset, batch_size=16, sampler=sampler, num_workers=2, collate_fn=as_it_is)
            samples = [sample for batch in loader for sample in batch]
            assert sorted(sample["n"] for sample in samples) == list(range(SAMPLES))
            seen[workers] = len({(sample["n"] // CHUNK, sample["process"]) for sample in samples})
    chunks = -(-SAMPLES // CHUNK)
    assert seen[2] <= chunks + 4 < 1.5 * chunks < seen[0]
