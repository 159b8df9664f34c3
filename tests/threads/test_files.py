"""Files coded and decoded in threads: the same for any number, errors too, and nothing of it stays."""

from __future__ import annotations

import io
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder.test_stacks import caches, leaders
from encoder.test_turn_search import keys, turns_of
from features.common import assert_same, torch
from threadpoolctl import threadpool_info

import caufc
from caufc.decoder.collector import Room
from caufc.errors import CaufError, FormatError, OptionError
from caufc.files import decode_file, encode_file
from caufc.fit.profile import fit_profile

THREADS = (1, 3)


def maps(samples: int = 40, seed: int = 0) -> Any:
    """Smooth maps with channels of several sizes."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((samples, 12, 8, 8)).cumsum(axis=2).cumsum(axis=3)
    return (noise * np.geomspace(0.1, 3, 12)[:, None, None]).astype(np.float32)


def texts(count: int = 30) -> list[Any]:
    rng = np.random.default_rng(1)
    basis = rng.standard_normal((6, 48))
    return [(rng.standard_normal((int(n), 6)) @ basis).astype(np.float32) for n in rng.integers(1, 20, count)]


def mixture() -> dict[str, Any]:
    rng = np.random.default_rng(2)
    return {
        "maps": maps(33),
        "ids": rng.integers(0, 900, (33, 7)),
        "half": rng.standard_normal((33, 20)).astype(np.float16),
    }


def layers() -> dict[str, Any]:
    """One sample of several large tensors, which threads share out."""
    rng = np.random.default_rng(3)
    return {f"layer{n}": rng.standard_normal((1, 700, 900)).astype(np.float32) for n in range(4)}


def rotary() -> dict[str, Any]:
    """Keys of two layers with rotary positions, and values without."""
    return {"keys.0": keys(12), "keys.1": 2 * keys(12)[::-1], "values.0": keys(12, base=None)}


INPUTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "batch": (maps(), {"chunk": 3}),
    "lossless": (maps(), {"chunk": 3, "lossless": True}),
    "snr": (maps(), {"chunk": 5, "snr": 25}),
    "max error": (maps(), {"chunk": 4, "max_error": 0.01}),
    "best": (maps(), {"chunk": 7, "effort": "best"}),
    "without an index": (maps(), {"chunk": 3, "index": False}),
    "rate": (maps(), {"chunk": 3, "bpfp": 2}),
    "ragged": (texts(), {"chunk": 2, "layout": "n c"}),
    "keyed": ({f"text {n}": {"x": text} for n, text in enumerate(texts(40))}, {"chunk": 3}),
    "tensors": (mixture(), {"chunk": 4}),
    "turns": (rotary(), {"chunk": 2, "layout": "b g t d"}),
    "turns, one chunk": (rotary(), {"chunk": 12, "layout": "b g t d"}),
    "stack": (caches(80), {"chunk": 7}),
    "one chunk": (layers(), {"layout": "b n c"}),
    "one chunk, lossless": (layers(), {"lossless": True}),
    "nonfinite": (np.where(maps() > 4, np.float32(np.nan), maps()), {"chunk": 6, "nonfinite": "keep"}),
}


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("caufc")]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Numbers of threads are what they were, and none of ours is left."""
    before = threadpool_info()
    torches = None if torch is None else torch.get_num_threads()
    yield
    after = threadpool_info()
    assert [library for library in after if library in before] == before
    assert torches is None or torch.get_num_threads() == torches
    assert not names()


@pytest.mark.parametrize("name", INPUTS)
def test_the_same_bytes_and_values(name: str) -> None:
    features, options = INPUTS[name]
    reports, files = [], []
    for threads in THREADS:
        buffer = io.BytesIO()
        report = caufc.api.encode_to(buffer, features, threads=threads, **options).to_json()
        reports.append({key: value for key, value in report.items() if "second" not in key})
        files.append(buffer.getvalue())
    assert files[1:] == files[:-1]
    assert reports[1:] == reports[:-1]
    wanted = caufc.decode(files[0], threads=1)
    for number in (3, None):
        assert_same(caufc.decode(files[0], threads=number), wanted)


def test_turns_are_in_these_files() -> None:
    features, options = INPUTS["turns"]
    data = caufc.encode(features, **options)
    assert turns_of(data, "keys.0") is not None
    assert turns_of(data, "keys.1") is not None
    assert turns_of(data, "values.0") is None


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_stacks(tmp_path: Path, chunk: int) -> None:
    """Of chunks of their own, and of one that is alone."""
    profile = tmp_path / "keys.caufp"
    profile.write_bytes(fit_profile(caches(40)))
    given: dict[str, Any] = {"profile": profile, "embed_profile": False}
    files = [caufc.encode(caches(8), chunk=chunk, threads=threads, **given) for threads in THREADS]
    assert files[1:] == files[:-1]
    assert leaders(files[0], profile) == [None, 0, 0, 0]
    wanted = caufc.decode(files[0], profile=profile, threads=1)
    for threads in THREADS:
        assert_same(caufc.decode(files[0], profile=profile, threads=threads), wanted)


@pytest.mark.skipif(torch is None, reason="no torch")
def test_the_learned_codec() -> None:
    features = maps(6)
    files = [caufc.encode(features, codec="hyperprior", chunk=2, threads=threads) for threads in THREADS]
    assert files[1:] == files[:-1]
    wanted = caufc.decode(files[0], threads=1)
    for threads in THREADS:
        assert_same(caufc.decode(files[0], threads=threads), wanted)


def test_files(tmp_path: Path) -> None:
    """From file to file, and what ``save`` and ``load`` do; progress ends where all is done."""
    np.save(tmp_path / "maps.npy", maps())
    steps: list[tuple[str, int, int]] = []
    for threads in THREADS:
        path = tmp_path / f"{threads}.cauf"
        encode_file(tmp_path / "maps.npy", path, chunk=3, threads=threads, progress=lambda *step: steps.append(step))
        back = tmp_path / f"{threads}.npy"
        decode_file(path, back, threads=threads, progress=lambda *step: steps.append(step))
        saved = tmp_path / f"saved{threads}.cauf"
        caufc.save(saved, maps(), chunk=3, threads=threads)
        assert saved.read_bytes() == path.read_bytes() == (tmp_path / "1.cauf").read_bytes()
        assert back.read_bytes() == (tmp_path / "1.npy").read_bytes()
        assert_same(caufc.load(path, threads=threads), np.load(back))
    for verb in ("encode", "decode"):
        told = [(done, total) for what, done, total in steps if what == verb]
        assert told[-1] == (maps().nbytes, maps().nbytes) or told[-1] == (maps().size, maps().size)


@pytest.mark.parametrize("damage", ["symbols", "bytes", "both", "end"])
def test_the_first_damage_is_told(damage: str) -> None:
    """Symbols that are wrong in an earlier chunk come before bytes that are in a later one."""
    data = bytearray(caufc.encode(maps(), chunk=2, snr=30))
    offsets = chunk_offsets(bytes(data))
    if damage in ("bytes", "both"):
        data[offsets[9] + 30] ^= 1
    if damage in ("symbols", "both"):
        data[offsets[6] : offsets[7]] = with_other_symbols(bytes(data), offsets[6], offsets[7])
    if damage == "end":
        del data[-3:]
    told = set()
    for threads in (*THREADS, 2, 2, 5):
        with pytest.raises(FormatError) as caught:
            caufc.decode(bytes(data), threads=threads)
        told.add(str(caught.value))
    assert len(told) == 1
    if damage in ("symbols", "both"):
        assert "symbols from sample 12" in told.pop()


def chunk_offsets(data: bytes) -> list[int]:
    with caufc.Reader(data) as reader:
        return list(reader._reader.index.offsets)


def with_other_symbols(data: bytes, start: int, stop: int) -> bytes:
    """A chunk block whose checksum over symbols is another, and that is whole else."""
    from dataclasses import replace

    from caufc.bitstream import block_bytes, chunk_bytes

    with caufc.Reader(data) as reader:
        inner = reader._reader
        block = inner._block(start, stop - start)
        chunk = inner.chunks.parse(block)
        other = replace(chunk, symbols_checksum=chunk.symbols_checksum ^ 1)
        seed = inner.prelude.stream.started().seed
        return block_bytes("C", chunk_bytes(other, inner.chunks.templates), seed)


def test_the_first_bad_sample_is_told() -> None:
    features = texts()
    features[11] = np.full_like(features[11], np.nan)
    features[20] = np.full_like(features[20], np.inf)
    told = set()
    for threads in THREADS:
        with pytest.raises(CaufError) as caught:
            caufc.encode(features, layout="n c", chunk=2, threads=threads)
        told.add(str(caught.value))
    assert len(told) == 1


def test_a_sink_that_fails_ends_it() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            if self.tell() > 3000:
                raise OSError("full")
            return super().write(data)

    with pytest.raises(OSError, match="full"):
        caufc.api.encode_to(Full(), maps(200), chunk=2, threads=3)
    assert not names()


def test_two_at_once() -> None:
    """Each as if it were alone."""
    alone = [caufc.encode(maps(seed=seed), chunk=3, threads=1) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda seed: caufc.encode(maps(seed=seed), chunk=3, threads=2), range(4)))
        assert files == alone
        for found, data in zip(pool.map(lambda data: caufc.decode(data, threads=2), files), files, strict=True):
            assert_same(found, caufc.decode(data, threads=1))


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_memory_of_a_decode(tmp_path: Path, threads: int, indexed: bool) -> None:
    """Its output and some chunks, whether there is an index or the end alone says how many samples there are."""
    features = np.tile(maps(50), (40, 1, 1, 1))
    path = tmp_path / "maps.cauf"
    caufc.save(path, features, chunk=20, index=indexed)
    data = path.read_bytes()
    ways: list[Callable[[], Any]] = [
        lambda: caufc.decode(data, threads=threads),
        lambda: caufc.load(path, threads=threads),
    ]
    for decoding in ways:
        decoding()
        tracemalloc.start()
        back = decoding()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert back.shape == features.shape
        assert peak < 1.5 * features.nbytes


def test_announcements_far_beyond_the_file_are_not_believed() -> None:
    with caufc.Reader(caufc.encode(maps(), chunk=3)) as reader:
        configs = reader._reader.chunks.configs
    assert [len(whole) for whole in Room(configs, 1000, 1000).arrays if whole is not None] == [1000]
    assert Room(configs, 1 << 40, 1000).arrays == [None]


def test_numbers_of_threads() -> None:
    with pytest.raises(OptionError, match="0 threads"):
        caufc.encode(maps(2), threads=0)
    with pytest.raises(OptionError, match="-1 threads"):
        caufc.decode(caufc.encode(maps(2)), threads=-1)
