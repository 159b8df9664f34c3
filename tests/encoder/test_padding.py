"""Padded batches: tokens of zeros come back as zeros, and cost next to nothing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.api import encode_to


@pytest.fixture(scope="module", params=["right", "left"])
def padded(request: pytest.FixtureRequest, minilm: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Hidden states of texts of several lengths in one array ``[B, T, C]``."""
    longest = max(map(len, minilm))
    room = [(0, longest - len(text)) for text in minilm]
    return np.stack(
        [
            np.pad(text, (sides if request.param == "right" else sides[::-1], (0, 0)))
            for text, sides in zip(minilm, room, strict=True)
        ]
    )


@pytest.mark.parametrize(
    "control", [{}, {"quality": "low"}, {"quality": "high"}, {"snr": 30}, {"bpfp": 2}, {"max_error": 0.1}]
)
def test_padding_comes_back_as_zeros(padded: NDArray[np.float32], control: dict[str, Any]) -> None:
    decoded = caufc.decode(caufc.encode(padded, layout="b n c", **control))
    assert not decoded[~padded.any(axis=2)].any()


def test_it_costs_next_to_nothing(padded: NDArray[np.float32]) -> None:
    """Beside a list of texts without padding, at the same SNR."""
    texts = [text[text.any(axis=1)] for text in padded]
    listed, stacked = io.BytesIO(), io.BytesIO()
    alone = encode_to(listed, texts, layout="n c").tensors[0].snr_db
    together = encode_to(stacked, padded, layout="b n c").tensors[0].snr_db
    assert together is not None and alone is not None and abs(together - alone) < 0.5
    assert len(stacked.getvalue()) < 1.1 * len(listed.getvalue())
