"""The transform codec against the reference decoder, on chunks that nobody chose."""

from __future__ import annotations

import numpy as np
from codec.chunks import Drawn, drawn
from hypothesis import given, settings

from caufc.coders.sections import NUMBERS
from spec.reference import transform as reference


@settings(deadline=None, max_examples=60)
@given(drawn())
def test_both_decode_the_same(case: Drawn) -> None:
    codec, geometry = case.codec, case.geometry
    sections = {(NUMBERS[name], 0): array for name, array in case.arrays.items()}
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
