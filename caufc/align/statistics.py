"""What a survey learns of a tensor's values, channel by channel, in one pass over its chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ChannelStatistics"]

Floats = NDArray[np.float64]

BLOCK_VALUES = 1 << 17
"""Values that are summed at a time, so that they stay in the processor's caches."""

LARGEST = 2.0**48


class ChannelStatistics:
    """Counts, sums and ranges per channel; chunks are added one at a time.

    Sums are taken around the first chunk's mean, so that float32 does not cancel.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.absent: Floats = np.zeros(channels)
        self.shift: Floats | None = None
        self.sum: Floats = np.zeros(channels)
        self.squares: Floats = np.zeros(channels)
        self.low: Floats = np.full(channels, np.inf)
        self.high: Floats = np.full(channels, -np.inf)

    def add(self, matrix: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> None:
        """Add tokens ``[N, C]``; all must be finite.

        Args:
            matrix: the tokens.
            absent: which of their values only stand in the place of others ``[N, C]``, and count in the ranges alone;
                None for none.
        """
        rows = max(1, BLOCK_VALUES // max(1, matrix.shape[1]))
        for start in range(0, len(matrix) if matrix.size else 0, rows):
            block = slice(start, start + rows)
            self._add(matrix[block], None if absent is None or not absent[block].any() else absent[block])

    def _add(self, matrix: NDArray[Any], absent: NDArray[np.bool_] | None) -> None:
        self.count += len(matrix)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.shift is None:
                self.shift = matrix.mean(axis=0).astype(np.float64)
            centred = matrix - self.shift.astype(matrix.dtype)
            if absent is not None:
                self.absent += np.count_nonzero(absent, axis=0)
                centred[absent] = 0
            self.sum += centred.sum(axis=0)
            self.squares += np.einsum("nc,nc->c", centred, centred)
        self.widen(matrix)

    def widen(self, matrix: NDArray[Any]) -> None:
        """Add tokens ``[N, C]`` to the ranges alone."""
        if matrix.size:
            np.minimum(self.low, matrix.min(axis=0), out=self.low)
            np.maximum(self.high, matrix.max(axis=0), out=self.high)

    @property
    def present(self) -> Floats:
        """How many values of each channel count, at least 1 ``[C]``."""
        return np.maximum(1.0, self.count - self.absent)

    @property
    def mean(self) -> Floats:
        """Mean per channel ``[C]``."""
        centred = self.sum / self.present
        return centred if self.shift is None else self.shift + centred

    @property
    def deviation(self) -> Floats:
        """Standard deviation per channel ``[C]``."""
        variance: Floats = self.squares / self.present - (self.sum / self.present) ** 2
        return np.sqrt(np.maximum(variance, 0))

    @property
    def global_mean(self) -> float:
        return float(self.mean.mean()) if len(self.sum) else 0.0

    @property
    def global_deviation(self) -> float:
        """Standard deviation of all values around their common mean."""
        if not len(self.sum):
            return 0.0
        return float(np.sqrt(np.mean(self.deviation**2) + np.var(self.mean)))

    @property
    def energy(self) -> float:
        """Sum of the squares of all values."""
        return float(np.sum(self.present * (self.deviation**2 + self.mean**2))) if self.count else 0.0

    @property
    def moderate(self) -> bool:
        """Whether there are values beyond 0, the largest so moderate that float32 holds sums of squares."""
        if not self.count or not len(self.low):
            return False
        return 1 / LARGEST <= max(float(self.high.max()), -float(self.low.min())) <= LARGEST
