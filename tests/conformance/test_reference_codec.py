"""The transform codec against the reference decoder, on chunks that nobody chose."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from codec.chunks import Drawn, drawn
from hypothesis import HealthCheck, given, settings

SPEC = Path(__file__).resolve().parents[2] / "spec"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    sys.path.insert(0, str(SPEC))
    try:
        return importlib.import_module("reftransform")
    finally:
        sys.path.remove(str(SPEC))


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn())
def test_both_decode_the_same(reference: ModuleType, case: Drawn) -> None:
    codec, geometry = case.codec, case.geometry
    sections = {(kind, 0): array for kind, array in case.arrays.items()}
    other = reference.read_codec(codec.parameters.to_fields(), sections, 0, case.channels, 1.5)
    grids = [list(grid) for grid in geometry.grids]
    payload = codec.encode(case.symbols, geometry)
    symbols, tokens = reference.decode_symbols(other, payload, grids, geometry.special)
    np.testing.assert_array_equal(symbols, case.symbols)
    np.testing.assert_array_equal(codec.steps(1.5), other.steps)
    for work, share in ((np.float32, 2.0**-18), (np.float64, 2.0**-47)):
        found = codec.reconstruct(case.symbols, geometry, 1.5, np.dtype(work))
        wanted, sums = reference.aligned_values(other, symbols, tokens, grids, geometry.special, work)
        if other.exact:
            np.testing.assert_array_equal(found, wanted)
        else:
            assert (np.abs(found - wanted) <= share * sums).all()
