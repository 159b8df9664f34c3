"""Which tokens or channels are outliers by their size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RULE", "outliers_of", "sizes_of"]

FENCE, LEAST = 3.0, 2.0

BLOCK = 1 << 20
"""Values at a time."""

RULE = "outliers: beyond Tukey's outer fence (3 times the interquartile range) of the logarithms, and twice the median"
"""What :func:`outliers_of` does, as a page says it."""


def sizes_of(values: NDArray[np.floating], axis: int) -> NDArray[np.float64]:
    """The root mean square of values ``[N, C]`` along an axis; what is not finite is left out."""
    squares = np.zeros(values.shape[1 - axis])
    counts = np.zeros(values.shape[1 - axis])
    rows = max(1, BLOCK // max(1, values.shape[1]))
    for start in range(0, len(values), rows):
        part = values[start : start + rows]
        there = slice(None) if axis == 0 else slice(start, start + rows)
        finite = np.isfinite(part)
        with np.errstate(over="ignore"):
            squares[there] += np.square(np.where(finite, part, 0), dtype=np.float64).sum(axis=axis)
        counts[there] += finite.sum(axis=axis)
    return np.asarray(np.sqrt(squares / np.maximum(counts, 1)))


def outliers_of(sizes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which sizes ``[N]`` are far above the rest; see :data:`RULE`."""
    there = (sizes > 0) & np.isfinite(sizes)
    if there.sum() < 4:
        return np.zeros(len(sizes), bool)
    logs = np.log(sizes[there])
    first, median, third = np.quantile(logs, (0.25, 0.5, 0.75))
    fence = max(third + FENCE * (third - first), median + np.log(LEAST))
    return np.asarray(there & (np.log(np.where(there, sizes, 1)) > fence))
