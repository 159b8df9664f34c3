"""What was decoded against what was encoded, over the samples that are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..coders.distortion import Distortion
from .features import Features
from .outliers import sizes_of

__all__ = ["Comparison", "decibels"]


def decibels(ratio: float | None) -> str:
    """An SNR as text; ``exact`` for that of no error."""
    return "exact" if ratio is None else f"{ratio:.2f} dB"


@dataclass(frozen=True)
class Comparison:
    """A tensor's original and its error.

    Args:
        original: as tokens x channels, like what is decoded.
        error: decoded minus original ``[N, C]``, 0 where the original is not finite.
        distortion: sums over all tokens.
    """

    original: Features
    error: NDArray[Any]
    distortion: Distortion

    @classmethod
    def of(cls, original: Features, decoded: Features) -> Self:
        """The comparison of features of the same shapes."""
        finite = np.isfinite(original.matrix) & np.isfinite(decoded.matrix)
        values = np.where(finite, original.matrix, 0)
        with np.errstate(over="ignore"):
            error = np.where(finite, decoded.matrix, 0) - values
        distortion = Distortion()
        distortion.add(values, error)
        return cls(original, error, distortion)

    def snr_db(self, rows: slice) -> float | None:
        """The SNR of some tokens in dB; None if they have no error."""
        part = Distortion()
        values = self.original.matrix[rows]
        part.add(np.where(np.isfinite(values), values, 0), self.error[rows])
        return part.snr_db

    @cached_property
    def token_sizes(self) -> NDArray[np.float64]:
        """Root mean square error of every token ``[N]``."""
        return sizes_of(self.error, axis=1)

    @cached_property
    def channel_sizes(self) -> NDArray[np.float64]:
        """Root mean square error of every channel ``[C]``."""
        return sizes_of(self.error, axis=0)

    @property
    def figures(self) -> str:
        """SNR, error and cosine in a line."""
        told = self.distortion
        if told.error == 0:
            return "none: every value that was looked at is exact"
        parts = [
            f"SNR {decibels(told.snr_db)}",
            f"99 % of tokens {decibels(told.token_snr_db)} or more",
            f"NMSE {told.nmse:.3g}",
            f"cosine {told.cosine:.5f}",
            f"largest {told.largest:.4g}",
        ]
        return ", ".join(parts)
