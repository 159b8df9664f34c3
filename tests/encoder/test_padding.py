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


@pytest.fixture(scope="module")
def spectrograms() -> NDArray[np.float32]:
    """Logarithms of power in 80 bands of four short texts, padded to 30 s with each one's floor, ``[4, 80, 3000]``."""
    rng = np.random.default_rng(0)
    found = np.zeros((4, 80, 3000))
    for spectrogram, seconds in zip(found, (3, 5, 8, 11), strict=True):
        frames = 100 * seconds
        time, band = np.arange(frames) / 100, np.arange(80)[:, None]
        voice = 3 * np.cos(band / (3 + np.sin(2 * time))) * np.clip(np.sin(9 * time) + 0.4, 0, None) - band / 20
        spectrogram[:, :frames] = voice + 0.3 * rng.standard_normal((80, frames))
        spectrogram[:, frames:] = -20
        np.maximum(spectrogram, spectrogram.max() - 8, out=spectrogram)
    return ((found + 4) / 4).astype(np.float32)


def test_padding_with_a_floor_hides_nothing(spectrograms: NDArray[np.float32]) -> None:
    """Most values are one, or next to it; the rest is no outlier, and is not stored exactly."""
    sink = io.BytesIO()
    report = encode_to(sink, spectrograms, layout="b c n")
    assert report.snr_db is not None and 25 < report.snr_db < 40
    assert report.exact < 0.001 * report.numel
    assert report.bytes_out < len(caufc.encode(spectrograms, lossless=True)) / 5
    decoded = caufc.decode(sink.getvalue())
    speech = spectrograms[0, :, :300]
    assert np.square(speech).sum() > 100 * np.square(speech - decoded[0, :, :300]).sum()


@pytest.mark.parametrize("snr", [20, 30, 40])
def test_padding_with_a_floor_misses_no_snr(spectrograms: NDArray[np.float32], snr: float) -> None:
    """A run of frames from the middle would be padding alone."""
    report = encode_to(io.BytesIO(), spectrograms, layout="b c n", snr=snr)
    assert report.snr_db is not None and snr <= report.snr_db < snr + 1


def test_padding_with_a_floor_misses_no_rate(spectrograms: NDArray[np.float32]) -> None:
    report = encode_to(io.BytesIO(), spectrograms, layout="b c n", bpfp=0.5)
    assert 0.49 < report.bpfp <= 0.5
