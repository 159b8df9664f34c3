"""Kernels in threads: nothing is shared but what nobody changes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from caufc.codec import kernels
from caufc.codec.lossless.codec import decode_lossless, encode_lossless
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import Parameters

from ..chunks import symbols_of

pytestmark = pytest.mark.skipif(not kernels.built(), reason="no kernel is built, or all are switched off")


def test_threads_share_tables() -> None:
    """One codec, whose tables are made by whichever thread is first, decodes many chunks side by side."""
    geometry = Geometry(((12, 12),) * 3, 1, True)
    codec = TransformCodec(Parameters(1.0, 0, True, True, 20), {}, 7)
    chunks = [symbols_of(np.random.default_rng(seed), geometry, 7) for seed in range(24)]
    payloads = [codec.encode(symbols, geometry) for symbols in chunks]
    fresh = TransformCodec(Parameters(1.0, 0, True, True, 20), {}, 7)
    with ThreadPoolExecutor(4) as pool:
        coded = list(pool.map(lambda symbols: fresh.encode(symbols, geometry), chunks))
        decoded = list(pool.map(lambda payload: fresh.decode_symbols(payload, geometry), payloads))
    assert coded == payloads
    for found, wanted in zip(decoded, chunks, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_threads_code_planes() -> None:
    values = [np.random.default_rng(seed).normal(size=3000).astype("<f4") for seed in range(12)]
    payloads = [encode_lossless(flat, rotate=True) for flat in values]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda flat: encode_lossless(flat, rotate=True), values)) == payloads
        decoded = pool.map(lambda data: decode_lossless(data, 3000, np.dtype("<f4"), rotate=True), payloads)
        for found, wanted in zip(decoded, values, strict=True):
            assert found.tobytes() == wanted.tobytes()


@pytest.mark.skipif(kernels.quantizer is None, reason="the kernel is not built")
def test_loops_let_go_of_the_interpreter() -> None:
    """While a kernel works, another thread counts on."""
    rows = 8000
    values, one = np.full((rows, 600), 0.7, np.float32), np.ones(1, np.float32)
    bands, out = np.zeros(rows, np.uint8), np.empty((rows, 600), np.int32)

    def search() -> tuple[float, float]:
        started = time.perf_counter()
        kernels.quantizer.trellis(values, one, bands, None, out, rows, 600)
        return started, time.perf_counter()

    ticks: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(search)
        while not done.done():
            ticks.append(time.perf_counter())
            time.sleep(0)
    started, ended = done.result()
    assert sum(started < tick < ended for tick in ticks) > 20
