"""Sizes of tensors, from what stands before the payloads of chunks."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.api import encode_to
from caufc.catalog import lookup_of
from caufc.decoder.random_access import FileReader
from caufc.decoder.tensor_sizes import HEAD, tensor_sizes
from caufc.errors import DamagedError, FormatError, MalformedError
from caufc.limits import DEFAULT_LIMITS

GENERATOR = np.random.default_rng(0)


def reader_of(data: bytes, reads: list[int] | None = None) -> FileReader:
    def read_at(offset: int, length: int) -> bytes:
        if reads is not None:
            reads.append(length)
        return data[offset : offset + length]

    return FileReader(read_at, len(data), lookup_of(), DEFAULT_LIMITS)


def values(*shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype(np.float32)


RAGGED = [{"map": values(n, 8), "ids": np.arange(n * 2)} for n in (5, 1, 9, 30)]


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("features", [{"a": values(10, 4, 6), "b": values(10, 3)}, RAGGED], ids=["batch", "ragged"])
def test_they_are_those_of_the_encoder(features: Any, index: bool) -> None:
    file = io.BytesIO()
    report = encode_to(file, features, chunk=3, index=index)
    found = tensor_sizes(reader_of(file.getvalue()))
    assert [(size.numel, size.payload_bytes) for size in found] == [(t.numel, t.payload_bytes) for t in report.tensors]
    info = caufc.inspect(file.getvalue())
    assert info.numel == report.numel and info.raw_bytes == report.bytes_in and info.bpfp == report.bpfp


def test_payloads_are_not_read() -> None:
    data = caufc.encode(values(8, 40_000), lossless=True, chunk=2)
    reads: list[int] = []
    reader = reader_of(data, reads)
    reads.clear()
    (size,) = tensor_sizes(reader)
    assert size.numel == 320_000 and sum(reads) <= 4 * HEAD < size.payload_bytes / 10


def test_long_heads() -> None:
    """Shapes of thousands of ragged samples take more bytes than are read at first."""
    samples = [np.zeros(1 + number % 300, np.int32) for number in range(20_000)]
    data = caufc.encode(samples, chunk=20_000)
    (size,) = tensor_sizes(reader_of(data))
    assert size.numel == sum(map(len, samples))


def test_a_chunk_that_is_not_what_the_index_says() -> None:
    data = caufc.encode(values(8, 16), chunk=2)
    reader = reader_of(data)
    for place in range(5):
        broken = bytearray(data)
        broken[reader.index.offset(1) + place] ^= 1
        with pytest.raises(FormatError) as caught:
            caufc.inspect(bytes(broken))
        assert isinstance(caught.value, DamagedError | MalformedError)


def test_a_file_without_values() -> None:
    info = caufc.inspect(caufc.encode(np.zeros((0, 5), np.float32)))
    assert (info.numel, info.bpfp, info.bytes_per_sample) == (0, 0, 0)
