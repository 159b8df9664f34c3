"""Where an encoder makes indices depend on each other, and what that changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.catalog import find_profile, lookup_of
from caufc.codec.transform.parameters import Parameters
from caufc.decoder.file_decoder import FileDecoder
from caufc.encoder.effort import EFFORTS, Effort
from caufc.fit.profile import fit_profile
from caufc.limits import DEFAULT_LIMITS


def snr(samples: Any, decoded: Any) -> float:
    """In dB over all samples."""
    features, found = (np.concatenate(each).astype(np.float64) for each in (samples, decoded))
    return float(10 * np.log10(np.square(features).sum() / np.square(features - found).sum()))


def parameters(data: bytes, profile: Path | None = None) -> Parameters:
    """Of a file's only tensor."""
    given = None if profile is None else find_profile(profile)
    (config,) = FileDecoder.of(iter([data]), lookup_of(given), DEFAULT_LIMITS).configs
    return Parameters.from_fields(config.parameters)


@pytest.mark.parametrize(
    ("options", "dependent"),
    [
        ({"quality": "high"}, True),
        ({"quality": "high", "effort": "best"}, True),
        ({"quality": "high", "effort": "fast"}, False),
        ({"quality": 5}, False),
        ({"bpfp": 4.0}, True),
        ({"snr": 6}, True),
        ({"max_error": 0.01}, False),
    ],
)
def test_indices_depend_where_that_pays(options: dict[str, Any], dependent: bool, minilm: Any) -> None:
    assert parameters(caufc.encode(minilm, **options)).dependent == dependent


@pytest.mark.parametrize("target", [12, 30])
def test_equal_errors_take_fewer_bytes(target: float, minilm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = caufc.encode(minilm, snr=target)
    monkeypatch.setitem(EFFORTS, "default", Effort(EFFORTS["default"].sample_values, searched=False))
    plain = caufc.encode(minilm, snr=target)
    assert target <= snr(minilm, caufc.decode(found)) < target + 0.15
    assert len(found) < 0.98 * len(plain)


def test_a_profiles_files_choose_for_themselves(minilm: Any, tmp_path: Path) -> None:
    """What does not depend in a profile may in its files, and the other way round."""
    for fitted in (10, 60):
        profile = tmp_path / f"{fitted}.caufp"
        profile.write_bytes(fit_profile(minilm[:7], quality=fitted))
        for quality in (10, 60):
            data = caufc.encode(minilm[7:], profile=profile, quality=quality, embed_profile=False)
            assert parameters(data, profile).dependent == (quality == 60)
            assert snr(minilm[7:], caufc.decode(data, profile=profile)) > {10: 0.5, 60: 20}[quality]
