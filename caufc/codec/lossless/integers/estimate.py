"""What integers will cost, from samples and histograms (an encoder's freedom)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nodes import Integers
from .symbols import MOST_EXTRA, bucketed

__all__ = ["Estimate", "bucket_bits", "estimated", "histogram_bits", "sampled", "table_bits"]

SLICES = 8
SAMPLE = 1 << 15
MOST_COUNTED = 1 << 16

MOST_HEADS = 0.75
"""Runs per element up to which the integers that begin them are looked at: they are others than most."""

RUN_BITS = 1.7
"""Of a run beyond its length's logarithm and its integer."""


@dataclass(frozen=True)
class Estimate:
    """Bits per element.

    Args:
        entropy: one by one.
        runs: as runs of equal ones.
        distinct: share of elements of the sample that are different.
    """

    entropy: float
    runs: float
    distinct: float

    @property
    def best(self) -> float:
        return min(self.entropy, self.runs)


def sampled(count: int, first: int) -> NDArray[np.int64]:
    """Positions from ``first`` on: all of a few, stretches of many."""
    left = count - first
    if left <= SAMPLE:
        return np.arange(first, count)
    length = SAMPLE // SLICES
    starts = first + (np.arange(SLICES) * (left - length)) // (SLICES - 1)
    return (starts[:, None] + np.arange(length)).ravel()


def histogram_bits(counts: NDArray[Any]) -> float:
    """Bits of all elements, by their ideal lengths."""
    used = counts[counts > 0].astype(np.float64)
    total = used.sum()
    return float(total * np.log2(total) - used @ np.log2(used)) if len(used) else 0.0


def table_bits(counts: NDArray[Any]) -> float:
    """About what the levels of a table take."""
    used = int(np.count_nonzero(counts))
    if len(counts) <= 256:
        return 8.0 * len(counts)
    spread = used / len(counts)
    absent = -spread * np.log2(spread) - (1 - spread) * np.log2(1 - spread) if 0 < spread < 1 else 0.0
    return 3.5 * used + absent * len(counts)


def bucket_bits(values: Integers, mantissa: int) -> float:
    """Bits of all elements as buckets and extra bits, without the table."""
    bucket, extra = bucketed(values, mantissa)
    return histogram_bits(np.bincount(bucket)) + float(extra.sum(dtype=np.int64))


def estimated(values: Integers) -> Estimate:
    """Of a sample ``[n]``."""
    count = len(values)
    low, high = int(values.min()), int(values.max())
    if low == high:
        return Estimate(0.0, 0.0, 1 / count)
    entropy, distinct = _entropy(values, low, high)
    changed = np.flatnonzero(values[1:] != values[:-1])
    share = (len(changed) + 1) / count
    heads = values[changed]
    ends = _entropy(heads, int(heads.min()), int(heads.max()))[0] if len(heads) > 1 and share < MOST_HEADS else entropy
    return Estimate(entropy, share * (ends + RUN_BITS + np.log2(1 / share)), distinct)


def _entropy(values: Integers, low: int, high: int) -> tuple[float, float]:
    """Bits per element, one by one, and the share of different ones."""
    count = len(values)
    wide = high - low >= MOST_COUNTED
    if wide:
        counts = np.unique(values, return_counts=True)[1]
    else:
        counts = np.bincount((values - values.dtype.type(low)).astype(np.int64))
    used = int(np.count_nonzero(counts))
    # Few elements of many symbols look more alike than they are (Miller and Madow).
    entropy = histogram_bits(counts) / count + 0.72 * (used - 1) / count
    palette = 8.0 * values.itemsize * used / count
    if high < 1 << MOST_EXTRA and used > 256:
        spread = bucket_bits(values, 2) / count
        entropy += palette if wide else 0.0
        # A sample of different ones has as many bits as it has elements allow, however far they are spread.
        entropy = spread if wide and used * 2 > count else min(entropy, spread)
    elif used > 256:
        entropy = min(8.0 * values.itemsize, entropy + palette)
    elif used * 2 > count:
        entropy = 8.0 * values.itemsize
    return entropy, used / count
