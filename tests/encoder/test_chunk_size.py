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
