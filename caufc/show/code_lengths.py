"""How many bits each symbol of the transform codec takes, by the tables that code it (spec, section 9.1 to 9.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codec.buckets import bucket_of
from ..codec.tables import code_lengths, frequencies_of
from ..codec.transform.coefficients import CoefficientCoder, tables_by_key
from ..codec.transform.contexts import EXTRA_BITS, ContextKeys, extents_of, magnitude_of
from ..codec.transform.grids import Geometry

__all__ = ["bits_of"]


def bits_of(coder: CoefficientCoder, symbols: NDArray[np.int32], geometry: Geometry) -> NDArray[np.float32]:
    """Ideal code lengths ``[N, K]`` in bits of symbols ``[N, K]``; extents count with the first symbol of their block.

    The words of the entropy coder are longer by a few bytes per payload: together they round up.
    """
    if not symbols.any():
        return np.zeros(symbols.shape, np.float32)
    lengths = code_lengths(frequencies_of(coder.levels)).astype(np.float32)
    buckets = bucket_of(np.ascontiguousarray(symbols))
    magnitudes = magnitude_of(buckets)
    keys = ContextKeys(coder.classes, geometry, coder.extents)
    extents = extents_of(magnitudes, geometry) if keys.has_extents else None
    tables = tables_by_key(coder.table_of.tobytes())
    bits: NDArray[np.float32] = EXTRA_BITS[buckets].astype(np.float32)
    for part in keys.walk(magnitudes, extents):
        values = buckets[part.tokens]
        live = np.ones(values.shape, bool) if part.live is None else part.live
        spent = np.zeros(values.shape, np.float32)
        spent[live] = lengths[tables[part.keys], values[live]]
        bits[part.tokens] += spent
    if extents is not None:
        bits[geometry.heads] += lengths[coder.table_of[keys.extent_contexts(magnitudes)], extents]
    return bits
