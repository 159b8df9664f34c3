"""Payloads of codecs with loss: what passes repeat is coded once, and comes back as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from caufc.align import TokenScales
from caufc.codec.lossless.codec import encode_lossless
from caufc.coders import payload
from caufc.coders.payload import Payload


@pytest.mark.parametrize(("tokens", "times"), [(700, 1), (5000, 3)])
def test_codes_of_few_tokens_are_coded_once(tokens: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other passes have other words, and the same scales of tokens."""
    given = []

    def counted(values: Any, **options: Any) -> bytes:
        given.append(values)
        return encode_lossless(values, **options)

    monkeypatch.setattr(payload, "encode_lossless", counted)
    codes = np.random.default_rng(tokens).integers(-40, 40, tokens).astype(np.int16)
    for words in (b"one", b"other", b"third"):
        data = Payload(words, scales=TokenScales(codes.copy())).to_bytes()
        back = Payload.parse(memoryview(data), "fp32", tokens, tokens, sided=False)
        assert back.scales is not None
        np.testing.assert_array_equal(back.scales.codes, codes)
        assert bytes(back.words) == words
    assert len(given) == times
