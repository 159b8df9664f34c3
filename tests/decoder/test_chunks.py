"""Chunks, indexes, random access, and that the encoder is deterministic."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from features.common import assert_same

import caufc
from caufc.bitstream import Index
from caufc.codec import kernels
from caufc.decoder.file_decoder import ChunkDecoder, grouped
from caufc.decoder.random_access import FileReader
from caufc.encoder.separator import Separation
from caufc.encoder.surveying import survey_tensor
from caufc.errors import DamagedError
from caufc.features import to_source
from caufc.layouts import Layout
from tools.attack.container import read_varint, split

DIGESTS = """
import hashlib, sys
from pathlib import Path
import numpy as np
import caufc
from caufc.features import read
map = read(Path(sys.argv[1]) / "efficientnet_lite0_last.safetensors")["last"].read()
texts = [leaf.read() for leaf in read(Path(sys.argv[1]) / "minilm_hidden3.safetensors").values()]
tall = np.tile(np.concatenate(texts), (4, 1))
for features, options in [
    (map, {"snr": 30}), (texts, {"bpfp": 1}), (tall, {}), (tall, {"snr": 25}), (tall, {"align": "robust/token"}),
]:
    print(hashlib.sha256(caufc.encode(features, **options)).hexdigest())
"""


def digests(threads: int) -> list[str]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    env = {**os.environ, **dict.fromkeys(names, str(threads))}
    demo = resources.files("caufc") / "data" / "demo"
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, str(demo)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_same_bytes_whatever_the_number_of_threads() -> None:
    one = digests(1)
    assert len(set(one)) == 5
    assert one == digests(2)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"max_error": 0.01}, {"align": "robust/token"}])
def test_chunking_hardly_changes_values(options: dict[str, Any], minilm: Any) -> None:
    """Sums of floats depend on how many samples are at hand: a coefficient between two indices may fall either way."""
    whole = caufc.decode(caufc.encode(minilm, **options))
    exact = bool({"lossless", "max_error"} & set(options))
    for chunk in (1, 3, 14):
        for index in (True, False):
            found = caufc.decode(caufc.encode(minilm, chunk=chunk, index=index, **options))
            if exact:
                assert_same(found, whole)
            for one, other in zip(found, whole, strict=True):
                difference = np.abs(np.asarray(one) - np.asarray(other))
                assert difference.max() < 0.05 and np.square(difference).sum() < 1e-4 * np.square(other).sum()


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("kind", [list, tuple, "batch", "dict"])
def test_random_access(chunk: int, index: bool, kind: Any, minilm: Any, tmp_path: Path) -> None:
    stacked = np.stack([part[:7] for part in minilm])
    features: Any = (
        {"batch": stacked, "dict": {"x": stacked, "n": np.arange(14)}}.get(kind)
        if isinstance(kind, str)
        else kind(minilm)
    )
    caufc.save(tmp_path / "a.cauf", features, chunk=chunk, index=index)
    decoded = caufc.load(tmp_path / "a.cauf")
    with caufc.open(tmp_path / "a.cauf") as reader:
        assert len(reader) == 14
        assert reader.info.indexed is index
        for number in (13, 0, 5, -1, -14, 6, 7):
            wanted = {k: v[number] for k, v in decoded.items()} if isinstance(decoded, dict) else decoded[number]
            found = reader[number]
            if isinstance(decoded, dict):
                wanted["n"] = np.asarray(wanted["n"])
            assert_same(found, wanted)
        for number in (14, -15, 1 << 70):
            with pytest.raises(IndexError, match=f"sample {number} of 14"):
                reader[number]
        assert sum(1 for _ in reader) == 14


@pytest.mark.parametrize("chunk", [1, 5])
def test_samples_belong_to_the_caller(chunk: int) -> None:
    samples = [np.full((3, 2), number, "f4") for number in range(6)]
    with caufc.open(caufc.encode(samples, lossless=True, chunk=chunk)) as reader:
        for number, wanted in enumerate(samples):
            reader[number][...] = -1
            np.testing.assert_array_equal(reader[number], wanted)


def test_a_single_is_one_sample() -> None:
    features = {"a": np.ones((2, 3)), "b": np.zeros(5)}
    with caufc.open(caufc.encode(features, lossless=True)) as reader:
        assert len(reader) == 1
        assert_same(reader[-1], features)


def test_a_sample_costs_its_chunk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.arange(400, dtype="f4").reshape(100, 4)
    data = caufc.encode(features, lossless=True, chunk=10)
    read: list[tuple[int, int]] = []
    original = FileReader._decode

    def decode(self: FileReader, number: int, *beside: Any) -> Any:
        read.append(self.index.find(number)[:2])
        return original(self, number, *beside)

    monkeypatch.setattr(FileReader, "_decode", decode)
    with caufc.open(data) as reader:
        for number in range(100):
            np.testing.assert_array_equal(reader[number], features[number])
        assert len(read) == 10
        assert sum(length for _, length in read) < len(data)


def test_many_chunks_are_found_quickly() -> None:
    """A lookup must not walk the index: a pass over 100,000 chunks would take hours."""
    index = Index(100, ((20, 1),) * 100_000)
    assert sum(index.find(sample)[2] for sample in range(0, 100_000, 7)) == sum(range(0, 100_000, 7))


def test_an_index_is_written_for_several_chunks() -> None:
    features = np.zeros((10, 3))
    for chunk, index, wanted in [(10, None, False), (5, None, True), (5, False, False), (10, True, True)]:
        info = caufc.inspect(caufc.encode(features, lossless=True, chunk=chunk, index=index))
        assert (info.indexed, info.chunks) == (wanted, 10 // chunk)


def test_chunks_are_four_million_values_and_65_536_samples_at_most() -> None:
    with caufc.open(caufc.encode(np.zeros((70_000, 3), "f4"))) as reader:
        assert reader.info.chunks == 2
    with caufc.open(caufc.encode(np.zeros((9, 1 << 20), "u1"))) as reader:
        assert reader.info.chunks == 3


def test_verify(minilm: Any, tmp_path: Path) -> None:
    digests = set()
    for chunk, index in [(None, None), (3, True), (3, False), (1, True)]:
        data = caufc.encode(minilm, chunk=chunk, index=index, lossless=True)
        quick, deep = caufc.verify(data), caufc.verify(data, deep=True)
        assert (quick.samples, quick.tensors, quick.bytes) == (14, 1, len(data))
        assert quick.numel == sum(part.size for part in minilm)
        assert quick.symbols_sha256 is None
        digests.add(deep.symbols_sha256)
        assert deep.to_json()["samples"] == 14
    assert len(digests) == 1
    lossy = caufc.encode(minilm)
    (tmp_path / "a.cauf").write_bytes(lossy)
    parts: list[int] = []
    verdict = caufc.verify(tmp_path / "a.cauf", deep=True, progress=parts.append)
    assert verdict.symbols_sha256 == caufc.verify(lossy, deep=True).symbols_sha256
    assert parts == [len(lossy)]


def test_a_sample_in_a_batch_costs_at_most_4_bytes() -> None:
    """Beyond its chunk's payload: the shape of a ragged sample."""
    rng = np.random.default_rng(0)
    for sizes, limit in [(rng.integers(1, 400, 3000), 2), (np.full(3000, 7), 0)]:
        samples = [np.ones((size, 5), "f4") * size for size in sizes]
        data = caufc.encode(samples, chunk=1000)
        _, blocks = split(data)
        overhead = 0
        for tag, body in blocks:
            if tag == "C":
                payload = len(_payload(body, 1000 if limit else 0))
                overhead += len(body) + 7 - payload
        index = sum(len(body) + 7 for tag, body in blocks if tag in "IE")
        assert overhead <= 3000 * limit + 3 * 25
        assert overhead + index <= 3000 * 4


def _payload(body: bytes, shapes: int) -> bytes:
    """The payload of a chunk of one tensor with so many shapes of one varying axis."""
    position = 0
    for _ in range(2 + shapes):
        _, position = read_varint(body, position)
    length, position = read_varint(body, position)
    payload = body[position + 4 :]
    assert len(payload) == length
    return payload


def test_streams_without_seeking_hold_the_same(minilm: Any) -> None:
    from caufc.api import encode_to

    class Pipe:
        data = b""

        def seekable(self) -> bool:
            return False

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

    controls: list[dict[str, Any]] = [{}, {"snr": 30.0}, {"bpfp": 1.0}]
    for options in controls:
        pipe: Any = Pipe()
        encode_to(pipe, minilm, **options)
        assert pipe.data == caufc.encode(minilm, **options)


def test_progress_ends_at_the_number_of_values(minilm: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    caufc.encode(minilm, chunk=2, progress=lambda *told: seen.append(told))
    total = sum(part.size for part in minilm)
    assert {name for name, _, _ in seen} == {"survey", "encode"}
    for name in ("survey", "encode"):
        done = [count for what, count, _ in seen if what == name]
        assert done == sorted(done)
        assert done[-1] == total
    assert {count for _, _, count in seen} == {total}


def test_the_survey_keeps_no_chunks(minilm: Any) -> None:
    """What a pass over a long file keeps is bounded, whatever the file's length."""
    array = np.tile(np.concatenate(minilm), (60, 1)).astype(np.float16)
    source = to_source(array)
    tracemalloc.start()
    try:
        tensor = source.tensors[0]
        survey = survey_tensor(
            source,
            tensor,
            Layout("b c"),
            chunk=64,
            budget=1 << 14,
            keep_nonfinite=False,
            progress=lambda values: None,
            separation=Separation(),
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert survey.sample.size <= 1.1 * (1 << 14)
    assert peak < array.nbytes / 3


def test_chunks_go_by_twos_behind_the_first() -> None:
    assert [*grouped(iter(range(6)), 0, 2)] == [[0, 1], [2, 3], [4, 5]]
    assert [*grouped(iter(range(6)), 3, 2)] == [[0], [1], [2], [3, 4], [5]]

    def broken() -> Any:
        yield from range(3)
        raise DamagedError("the fourth")

    groups = grouped(broken(), 0, 2)
    assert [next(groups), next(groups)] == [[0, 1], [2]]
    with pytest.raises(DamagedError):
        next(groups)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("damaged", range(5))
def test_what_stands_before_damage_comes_out(damaged: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two chunks that are decoded side by side, the first comes out where the second is damaged."""
    monkeypatch.setattr("caufc.decoder.file_decoder.SINGLE", 0)
    maps = np.random.default_rng(8).standard_normal((5, 4, 8, 8)).astype("f4")
    data = caufc.encode(maps, chunk=1)
    check = ChunkDecoder._check

    def checked(self: ChunkDecoder, chunk: Any, by_stack: Any) -> None:
        if chunk.first == damaged:
            raise DamagedError("checksum of the symbols")
        check(self, chunk, by_stack)

    monkeypatch.setattr(ChunkDecoder, "_check", checked)
    with caufc.open(data) as reader:
        inner: Any = reader
        chunks = inner._reader.in_order().samples(threads)
        found = []
        with pytest.raises(DamagedError):
            for chunk in chunks:
                found.append(chunk.first)
    assert found == [*range(damaged)]


def test_random_samples_are_those_of_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that are wanted together are decoded by twos; damage to one leaves the others."""
    maps = np.random.default_rng(8).standard_normal((7, 4, 8, 8)).astype("f4")
    data = bytearray(caufc.encode(maps, chunk=1))
    whole = caufc.decode(bytes(data))
    together: list[int] = []
    samples_of = ChunkDecoder.samples_of

    def counted(self: ChunkDecoder, chunks: Any, threads: int = 1) -> Any:
        together.append(len(chunks))
        return samples_of(self, chunks, threads)

    monkeypatch.setattr(ChunkDecoder, "samples_of", counted)
    numbers = [5, 0, 3, 3, 6, 1]
    with caufc.open(bytes(data)) as reader:
        first = reader[2]
        for number, sample in zip(numbers, reader[numbers], strict=True):
            assert_same(sample, whole[number])
        assert_same(reader[[2, 4]][0], first)
    by_one = [1, 1, 1, 1, 1, 1, 1]
    assert together == (by_one if kernels.coefficients is None or kernels.rans is None else [1, 2, 2, 1, 1])
    with caufc.open(bytes(data)) as reader:
        inner: Any = reader
        offset, length, _ = inner._reader.index.find(3)
    data[offset + length - 9] ^= 1
    with caufc.open(bytes(data)) as reader:
        assert_same(reader[[5, 0]][1], whole[0])
        with pytest.raises(DamagedError):
            reader[[1, 3]]
        assert_same(reader[[1, 6]][0], whole[1])
