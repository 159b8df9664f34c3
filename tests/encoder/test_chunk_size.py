"""How many samples a chunk holds where nobody says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import caufc

CODED, LOSSLESS = 1 << 17, 1 << 19


def dense(samples: int, *shape: int) -> Any:
    rng = np.random.default_rng(0)
    return rng.standard_normal((samples, *shape)).astype(np.float32)


def chunks(data: bytes) -> tuple[int, int]:
    """Number of chunks, and samples of the first."""
    with caufc.Reader(data) as reader:
        index = reader._reader.index
        return len(index.chunks), index.chunks[0][1]


def test_a_random_sample_is_one_of_few_values() -> None:
    assert chunks(caufc.encode(dense(60, 16, 512), layout="b n c")) == (4, CODED // (16 * 512))
    assert chunks(caufc.encode(dense(3, 512, 512), layout="b n c")) == (3, 1)


def test_small_payloads_are_joined() -> None:
    """A chunk costs some bytes and a call or two: where its payload would be small, it has more samples."""
    maps = np.zeros((300, 64, 16, 16), np.float32)
    maps[:, :, 3, 3] = dense(300, 64)
    number, samples = chunks(caufc.encode(maps, quality="low"))
    assert samples > 4 * CODED // (64 * 16 * 16)
    assert number > 1


def test_without_loss_chunks_are_larger() -> None:
    assert chunks(caufc.encode(dense(300, 8, 512), lossless=True))[1] == LOSSLESS // (8 * 512)


@pytest.mark.parametrize("bpfp", [0.5, 4.0])
def test_what_is_asked_for_counts(bpfp: float) -> None:
    assert chunks(caufc.encode(dense(60, 16, 512), layout="b n c", chunk=7, bpfp=bpfp))[1] == 7


@pytest.mark.parametrize("control", [{"lossless": True}, {"quality": "low"}, {"snr": 20}])
def test_many_small_samples_are_joined(control: dict[str, Any]) -> None:
    """Rewards, steps and labels as floats take next to nothing, and chunks of them must not take more."""
    rng = np.random.default_rng(1)
    rewards = (rng.random(100_000) < 0.01) * rng.integers(-1, 2, 100_000)
    steps = np.repeat(rng.standard_normal((100, 2)), 1000, axis=0)
    for values in (rewards[:, None].astype(np.float32), steps.astype(np.float32)):
        data = caufc.encode(values, **control)
        assert chunks(data) == (2, 65_536) and len(data) < 1400
        np.testing.assert_array_equal(caufc.decode(data), values)


def test_small_samples_that_take_their_bytes_are_not() -> None:
    assert chunks(caufc.encode(dense(20_000, 2), lossless=True)) == (5, 4096)
    assert chunks(caufc.encode(dense(20_000, 2))) == (5, 4096)
