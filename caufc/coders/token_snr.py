"""The signal-to-noise ratios of single tokens, as a distribution that chunks add to in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TokenSnr"]

EXACT, PENDING = 4096, 1 << 16
"""So many tokens are kept one by one; more are counted in bins, about so many at a time."""

LOWEST, HIGHEST = -100.0, 200.0
"""dB that are told apart; a token without error is above them all."""

PER_DECIBEL = 10
BINS = int(HIGHEST - LOWEST) * PER_DECIBEL
LEAST, MOST = 10 ** (LOWEST / 10), 10 ** ((HIGHEST - 0.5 / PER_DECIBEL) / 10)
"""Ratios of energies that are told apart: those of the middle of the last bin and more are one."""

Values = NDArray[np.float32]


@dataclass
class TokenSnr:
    """How many tokens have which SNR: exact for up to 4,096 tokens, to 0.05 dB for more.

    Args:
        kept: dB of single tokens that are in no bin yet.
        bins: how many tokens by tenths of a dB, the last for no error at all; None while none is in one.
        tokens: how many in all.
    """

    kept: list[Values] = field(default_factory=list)
    bins: NDArray[np.int64] | None = None
    tokens: int = 0
    _pending: int = field(default=0, init=False, repr=False)

    def add(self, energy: NDArray[Any], error: NDArray[Any]) -> None:
        """Add tokens by their sums of squares and of squared errors ``[n]``; tokens of zeros (padding) have no SNR."""
        some = energy > 0
        if not some.all():
            energy, error = energy[some], error[some]
        if not len(energy):
            return
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratios = np.fmin(np.fmax(energy / error, LEAST), MOST)  # in this order, not a number becomes the least
        decibels = np.log(ratios.astype(np.float32)) * np.float32(10 / math.log(10))
        decibels[error == 0] = np.inf
        self._put(decibels)

    def merge(self, other: TokenSnr) -> None:
        """Add the tokens of another distribution."""
        for values in other.kept:
            self._put(values)
        if other.bins is not None:
            self.bins = other.bins.copy() if self.bins is None else self.bins + other.bins
            self.tokens += int(other.bins.sum())

    def reached_by(self, share: float) -> float | None:
        """The SNR in dB that a share of the tokens reaches or exceeds; None for infinity, and without tokens."""
        if not self.tokens:
            return None
        place = math.floor((1 - share) * self.tokens + 1e-9)
        place = min(place, self.tokens - 1)
        if self.tokens <= EXACT and self.bins is None:
            found = float(np.partition(np.concatenate(self.kept), place)[place])
            return None if math.isinf(found) else found
        number = int(np.searchsorted(np.cumsum(self._counted()), place, side="right"))
        return None if number == BINS else LOWEST + (number + 0.5) / PER_DECIBEL

    def _put(self, values: Values) -> None:
        self.tokens += len(values)
        self.kept.append(values)
        self._pending += len(values)
        if self._pending > PENDING:
            self._counted()

    def _counted(self) -> NDArray[np.int64]:
        """The bins with all tokens in them."""
        bins = np.zeros(BINS + 1, np.int64) if self.bins is None else self.bins
        if self.kept:
            places = (np.concatenate(self.kept) - np.float32(LOWEST)) * np.float32(PER_DECIBEL)
            bins = bins + np.bincount(np.clip(places, 0, BINS).astype(np.int64), minlength=BINS + 1)
        self.kept, self._pending, self.bins = [], 0, bins
        return bins
