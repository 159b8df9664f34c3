"""Which values tell how much is kept of a tensor: all but the outliers, which an SNR must not be made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .outliers import VALUE_RATIO

__all__ = ["Counting"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counting:
    """The rest of a tensor, without tokens, channels (both by root mean square) and values over 100 times the median.

    Args:
        channels: which channels are outliers ``[C]``.
        token: the largest root mean square of a token that counts.
        value: the largest magnitude that counts.
    """

    channels: Mask
    token: float
    value: float

    @classmethod
    def of(cls, sample: NDArray[Any], channels: NDArray[np.float64]) -> Counting:
        """From tokens ``[M, C]`` and the root mean squares of channels ``[C]``; medians are of what is not 0."""
        magnitudes = np.abs(sample).astype(np.float64)
        tokens = np.sqrt(np.square(magnitudes).mean(axis=1)) if sample.shape[1] else np.zeros(len(sample))
        return cls(channels > _limit(channels), _limit(tokens), _limit(magnitudes))

    def __call__(self, features: NDArray[Any], apart: Mask | None) -> Mask | None:
        """Which features ``[n, C]`` count; None for all.

        Args:
            features: scaled tokens divided by their scales.
            apart: which do not count, as they are stored exactly or their tokens have scales; None for none.
        """
        if apart is None and not self.channels.any() and not np.abs(features).max(initial=0) > self.value:
            return None
        wide = features.astype(np.float64)
        tokens = np.sqrt(np.square(wide).mean(axis=1))
        beyond = self.channels | (tokens > self.token)[:, None] | (np.abs(wide) > self.value)
        if apart is not None:
            beyond |= apart
        return None if beyond.all() else ~beyond


def _limit(magnitudes: NDArray[np.float64]) -> float:
    present = magnitudes[magnitudes > 0]
    return VALUE_RATIO * float(np.median(present)) if present.size else np.inf
