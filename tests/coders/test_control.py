"""Codes of rate controls."""

from __future__ import annotations

import pytest

from caufc.coders.control import control_code, control_text


@pytest.mark.parametrize(
    ("kind", "value", "code", "text"),
    [
        ("quality", 50.0, "q50", "quality 50"),
        ("quality", 62.5, "q62.5", "quality 62.5"),
        ("snr", -3.0, "snr-3", "SNR -3 dB"),
        ("bpfp", 0.05, "bpfp0.05", "0.05 BPFP"),
        ("max_error", 1e-7, "e1e-07", "largest error 1e-07"),
        ("lossless", 0.0, "lossless", "lossless"),
    ],
)
def test_codes(kind: str, value: float, code: str, text: str) -> None:
    assert control_code(kind, value) == code
    assert control_text(code) == text


@pytest.mark.parametrize("code", ["", "q", "lossless5", "as small as can be", "snr30/sample", "q50\n", "x" * 64])
def test_other_texts_are_shown_as_they_stand(code: str) -> None:
    assert control_text(code) == code


def test_per_token() -> None:
    assert control_text("snr30/token") == "SNR 30 dB per token"
