"""Samples that a profile's tables draw, from which messages are planned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from caufc.catalog import find_profile
from caufc.codec.transform.coefficients import CoefficientCoder
from caufc.coders.resolve import resolve
from caufc.encoder.profiled_plan import ProfiledSamples


def test_no_drawn_point_is_far_beyond_all_others_of_its_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables give every symbol a chance: of some hundred thousand that are drawn, one may be of any size."""
    profile = find_profile("minilm-hidden3")
    (config,) = resolve(profile.header, profile.sections, None)[1]
    drawn = CoefficientCoder.drawn

    def with_stray(coder: CoefficientCoder, *arguments: Any) -> Any:
        symbols = drawn(coder, *arguments)
        symbols[len(symbols) // 2, 3] = 1 << 27
        return symbols

    monkeypatch.setattr(CoefficientCoder, "drawn", with_stray)
    points = np.sort(np.abs(ProfiledSamples(config).points), axis=0)
    assert points[-1, 3] <= 64 * (points[-2, 3] + 1)
