"""Limits of readers: what they bound of a file holds for each call and chunk, the rest when it is opened."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import caufc
from caufc.errors import DamagedError, LimitError
from caufc.limits import Limits
from caufc.show import show_file

VALUES = np.random.default_rng(0).standard_normal((40, 256)).astype("f4")
KIB = 1 << 10


def batch(chunk: int = 8) -> bytes:
    return caufc.encode(VALUES, chunk=chunk, lossless=True)


def ragged() -> bytes:
    return caufc.encode([VALUES[: 1 + n % 7] for n in range(40)], chunk=4, lossless=True)


def refused(limit: str) -> pytest.RaisesExc[LimitError]:
    return pytest.raises(LimitError, match=limit.replace("_", " "))


def test_a_chunk_is_within_the_limits() -> None:
    with caufc.open(batch(40), limits=Limits(output_bytes=KIB)) as reader:
        assert reader.info.samples == len(reader) == 40
        for number in (0, slice(None), [3]):
            with refused("output_bytes"):
                reader[number]
    for small in (Limits(file_elements=1000), Limits(output_bytes=7 * KIB)):
        with caufc.open(batch(), limits=small) as reader, pytest.raises(LimitError):
            reader[0]


def test_a_call_is_within_the_limits() -> None:
    limits = Limits(output_bytes=20 * KIB)
    with caufc.open(batch(), limits=limits) as reader:
        assert len(reader[:16]) == 16
        assert len(list(reader)) == 40
        for numbers in (slice(None), [0] * 21):
            with refused("output_bytes"):
                reader[numbers]
    with caufc.open(ragged(), limits=Limits(file_elements=9_000)) as reader:
        assert len(reader[:8]) == 8
        with refused("file_elements"):
            reader[:]


def test_files_of_a_set_share_the_limits_of_a_call() -> None:
    with caufc.open([batch(), batch(), batch()], limits=Limits(output_bytes=50 * KIB)) as reader:
        assert len(reader[:40]) == 40
        with refused("output_bytes"):
            reader[30:90]


def test_samples_of_a_list_are_counted_when_it_is_opened() -> None:
    for data in (ragged(), caufc.encode(np.empty((40, 0), "f4")), caufc.encode([VALUES[:1]] * 40, index=False)):
        assert len(caufc.open(data, limits=Limits(list_samples=40))) == 40
        for sources in (data, [data, data]):
            with refused("list_samples"):
                caufc.open(sources, limits=Limits(list_samples=39))
    with caufc.open(ragged(), limits=Limits(list_samples=40)) as reader, refused("list_samples"):
        reader[[0] * 41]


def test_a_dtype_counts_where_it_is_larger(tmp_path: Path) -> None:
    data, limits = batch(), Limits(output_bytes=40 * KIB)
    assert caufc.decode(data, limits=limits).nbytes == 40 * KIB
    with refused("output_bytes"):
        caufc.decode(data, limits=limits, dtype="float64")
    with caufc.open(data, limits=limits, dtype="float64") as reader:
        assert len(reader[:18]) == 18
        with refused("output_bytes"):
            reader[:21]
    with caufc.open(batch(40), limits=limits, dtype="float64") as reader, refused("output_bytes"):
        reader[0]
    path = tmp_path / "x.cauf"
    path.write_bytes(data)
    with refused("output_bytes"):
        caufc.load(path, limits=limits, dtype="float64")


def test_a_page_is_within_the_limits() -> None:
    for data in (batch(), batch(40)):
        with refused("output_bytes"):
            show_file(data, BytesIO(), limits=Limits(output_bytes=20 * KIB), samples=40)


def test_an_intact_index_over_a_limit_is_not_damaged() -> None:
    data = batch()
    for limits in (Limits(section_bytes=3), Limits(index_bytes=3)):
        with pytest.raises(LimitError):
            caufc.open(data, limits=limits)
    for at in range(len(data) - 8, len(data)):
        forged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises((DamagedError, caufc.MalformedError)):
            caufc.open(forged)
