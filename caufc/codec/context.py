"""Contexts: which table codes a symbol, from its channel's class and its neighbours' magnitudes (spec, section 9.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bucket import BUCKETS, extra_bits
from .geometry import Geometry, Pass

__all__ = [
    "EXTRA_BITS",
    "NEIGHBOURHOODS",
    "NEIGHBOURHOOD_OF",
    "Keys",
    "context_counts",
    "magnitude_of",
    "passes_with_surroundings",
    "surroundings",
]

NEIGHBOURHOODS = 27
"""0 without neighbours, 1 to 13 at distance 1, 14 to 26 farther away."""

LARGEST = 15
THRESHOLDS = (1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 29, 41)
BINS = len(THRESHOLDS) + 1
SUMS = 4 * LARGEST + 1
SURROUNDINGS = 5 * SUMS
"""(number of neighbours, sum of their magnitudes), as one number."""

EXTRA_BITS = np.array([extra_bits(bucket)[1] for bucket in range(BUCKETS)], dtype=np.float64)

Bytes = NDArray[np.uint8]
Keys = NDArray[Any]
"""uint16 or uint32."""

UINT16_CLASSES = (1 << 16) // SURROUNDINGS
"""With fewer classes, keys fit 16 bits."""


def _neighbourhood_table() -> Bytes:
    """Neighbourhood ``[2, 305]`` of every surrounding: far and near [CAUF-0215]."""
    table = np.zeros((2, 5, SUMS), np.uint8)
    for count in range(1, 5):
        bins = np.searchsorted(THRESHOLDS, 4 * np.arange(SUMS) // count, side="right")
        table[1, count] = 1 + bins
        table[0, count] = 1 + BINS + bins
    return table.reshape(2, SURROUNDINGS)


NEIGHBOURHOOD_OF = _neighbourhood_table()


def magnitude_of(buckets: Bytes) -> Bytes:
    """Magnitudes that contexts see, same shape: 0 to 15 [CAUF-0214]."""
    magnitudes = np.add(buckets, np.uint8(1), out=np.empty_like(buckets))
    np.right_shift(magnitudes, np.uint8(1), out=magnitudes)
    return np.minimum(magnitudes, np.uint8(LARGEST), out=magnitudes)


def surroundings(part: Pass, known: Bytes, classes: NDArray[Any]) -> Keys:
    """Class and surrounding of every symbol of a pass ``[n, C]``, as ``class * 305 + surrounding``.

    Args:
        part: the pass.
        known: magnitudes ``[N + 1, C]``; the last row is zero and stands for tokens outside.
        classes: of the channels ``[C]``.
    """
    total = known[part.neighbours[0]]
    for neighbour in part.neighbours[1:]:
        total += known[neighbour]
    wide = np.dtype(np.uint16 if int(classes.max(initial=0)) < UINT16_CLASSES else np.uint32)
    keys: Keys = np.empty(total.shape, wide)
    np.add(total, (part.counts[:, None] * SUMS).astype(wide), out=keys)
    np.add(keys, (classes.astype(np.int64) * SURROUNDINGS).astype(wide), out=keys)
    return keys


def passes_with_surroundings(buckets: Bytes, classes: NDArray[Any], geometry: Geometry) -> Iterator[tuple[Pass, Keys]]:
    """The passes over buckets ``[N, C]`` that are all known, with :func:`surroundings`."""
    known = np.zeros((len(buckets) + 1, buckets.shape[1]), np.uint8)
    known[:-1] = magnitude_of(buckets)
    for part in geometry.passes:
        yield part, surroundings(part, known, classes)


def context_counts(buckets: Bytes, classes: NDArray[Any], geometry: Geometry) -> NDArray[np.int64]:
    """Counts of buckets by context ``[K * 27, 64]`` of buckets ``[N, C]``."""
    kinds = int(classes.max(initial=0)) + 1
    counts = np.zeros((kinds, NEIGHBOURHOODS, BUCKETS), np.int64)
    for part, keys in passes_with_surroundings(buckets, classes, geometry):
        joint = keys.astype(np.int64) * BUCKETS + buckets[part.tokens]
        found = np.bincount(joint.ravel(), minlength=kinds * SURROUNDINGS * BUCKETS)
        found = found.reshape(kinds, SURROUNDINGS, BUCKETS)
        for neighbourhood in range(NEIGHBOURHOODS):
            counts[:, neighbourhood] += found[:, NEIGHBOURHOOD_OF[int(part.near)] == neighbourhood].sum(axis=1)
    return counts.reshape(-1, BUCKETS)
