"""Codes of rate controls."""

from __future__ import annotations

import pytest

from caufc.coders.control import ALONE, control_code, control_text, quality_in
from caufc.encoder.options import QUALITY_NAMES


@pytest.mark.parametrize(
    ("kind", "value", "code", "text"),
    [
        ("quality", 25.0, "l", "quality 25"),
        ("quality", 50.0, "m", "quality 50"),
        ("quality", 75.0, "h", "quality 75"),
        ("quality", 62.5, "q62.5", "quality 62.5"),
        ("quality", 0.0, "q0", "quality 0"),
        ("quality", 100.0, "q100", "quality 100"),
        ("snr", 30.0, "s30", "SNR 30 dB"),
        ("snr", -3.0, "s-3", "SNR -3 dB"),
        ("snr", -0.5, "s-.5", "SNR -0.5 dB"),
        ("bpfp", 2.0, "b2", "2 BPFP"),
        ("bpfp", 0.05, "b.05", "0.05 BPFP"),
        ("max_error", 0.01, "e.01", "largest error 0.01"),
        ("max_error", 1e-7, "e1e-7", "largest error 1e-07"),
        ("max_error", 1000.0, "e1e3", "largest error 1000"),
        ("max_error", 1 / 3, "e.3333333", "largest error 0.3333333"),
        ("lossless", 0.0, "x", "lossless"),
    ],
)
def test_codes(kind: str, value: float, code: str, text: str) -> None:
    assert control_code(kind, value) == code
    assert control_text(code) == text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("q50", "quality 50"),
        ("snr30", "SNR 30 dB"),
        ("snr-3.5/token", "SNR -3.5 dB per token"),
        ("bpfp0.5", "0.5 BPFP"),
        ("e1e-07", "largest error 1e-07"),
        ("lossless", "lossless"),
    ],
)
def test_longer_codes_are_read_too(code: str, text: str) -> None:
    assert control_text(code) == text


@pytest.mark.parametrize(
    "code",
    ["", "q", "lossless5", "as small as can be", "snr30/sample", "s30/token", "q50\n", "m50", "x1", "q1e", "x" * 64],
)
def test_other_texts_are_shown_as_they_stand(code: str) -> None:
    assert control_text(code) == code


def test_per_token() -> None:
    assert control_code("snr", 30.0, by_token=True) == "t30"
    assert control_text("t30") == "SNR 30 dB per token"


def test_letters_are_those_of_named_qualities() -> None:
    assert {name[0]: quality for name, quality in QUALITY_NAMES.items()} == ALONE
    assert [quality_in(code) for code in ("l", "m", "h", "q33", "q.5", "s30", "x", None)] == [
        25,
        50,
        75,
        33,
        0.5,
        *[None] * 3,
    ]
