"""Groups of places whose integers are alike: channels of a scale, codebooks (an encoder's freedom)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .estimate import histogram_bits, table_bits
from .nodes import Integers

__all__ = ["choose_groups"]

SAMPLE = 1 << 17
MOST_ALPHABET = 1 << 12
OWN_GROUPS = 16
"""Up to so many places are a group each."""

STEPS_PER_OCTAVE = 2
GAIN = 0.985


def choose_groups(values: Integers, inner: int, period: int) -> NDArray[np.uint8] | None:
    """A group for each place ``[period]``, or None where groups save too little.

    Args:
        values: ``[n]``; element i stands at place ``i // inner % period``.
    """
    table = values[: len(values) // (inner * period) * inner * period].reshape(-1, period, inner)
    if not len(table) or int(values.max()) >= MOST_ALPHABET:
        return None
    few = min(inner, max(1, SAMPLE // period))
    rows = max(1, SAMPLE // (period * few))
    sample = table[:: max(1, len(table) // rows), :, :few].swapaxes(0, 1).reshape(period, -1).astype(np.int64)
    scale = len(values) / sample.size
    ways = [_by_scale(sample)] + ([np.arange(period)] if period <= OWN_GROUPS else [])
    bits, groups = min(((_bits(sample, groups, scale), groups) for groups in ways), key=lambda way: way[0])
    return groups.astype(np.uint8) if bits < GAIN * _bits(sample, np.zeros(period, np.int64), scale) else None


def _bits(sample: NDArray[np.int64], groups: NDArray[np.int64], scale: float) -> float:
    """Bits of ``scale`` times a sample ``[places, n]``, with a table for each group."""
    alphabet, bits = int(sample.max()) + 1, 0.0
    for group in range(int(groups.max()) + 1):
        counts = np.bincount(sample[groups == group].ravel(), minlength=alphabet)
        bits += histogram_bits(counts) * scale + table_bits(counts)
    return bits


def _by_scale(sample: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places by the deviation of their integers, in steps of half an octave."""
    octaves = np.log2(np.maximum(sample.std(axis=1), 0.25))
    steps = np.rint(STEPS_PER_OCTAVE * octaves)
    return np.unique(steps, return_inverse=True)[1]
