"""The signal-to-noise ratios of single tokens, as a distribution that chunks add to in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TokenSnr"]

EXACT = 4096
"""So many tokens are kept one by one; more are counted in bins."""

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
        kept: dB of single tokens, while there are few.
        bins: how many tokens by tenths of a dB, the last for no error at all; None while there are few.
        tokens: how many in all.
    """

    kept: list[Values] = field(default_factory=list)
    bins: NDArray[np.int64] | None = None
    tokens: int = 0

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
        if other.bins is None:
            for values in other.kept:
                self._put(values)
            return
        self._count([])
        self.bins = other.bins.copy() if self.bins is None else self.bins + other.bins
        self.tokens += other.tokens

    def reached_by(self, share: float) -> float | None:
        """The SNR in dB that a share of the tokens reaches or exceeds; None for infinity, and without tokens."""
        if not self.tokens:
            return None
        place = math.floor((1 - share) * self.tokens + 1e-9)
        place = min(place, self.tokens - 1)
        if self.bins is None:
            found = float(np.partition(np.concatenate(self.kept), place)[place])
            return None if math.isinf(found) else found
        number = int(np.searchsorted(np.cumsum(self.bins), place, side="right"))
        return None if number == BINS else LOWEST + (number + 0.5) / PER_DECIBEL

    def _put(self, values: Values) -> None:
        self.tokens += len(values)
        if self.bins is None and self.tokens <= EXACT:
            self.kept.append(values)
        else:
            self._count([values])

    def _count(self, more: list[Values]) -> None:
        """Turn single tokens into counts."""
        if self.bins is None:
            self.bins = np.zeros(BINS + 1, np.int64)
        for values in (*self.kept, *more):
            places = np.clip((values - np.float32(LOWEST)) * np.float32(PER_DECIBEL), 0, BINS).astype(np.int64)
            self.bins += np.bincount(places, minlength=BINS + 1)
        self.kept = []
